/*
 * tap.h: what a plain C test program needs to speak TAP.
 */
#ifndef CVM_TEST_TAP_H
#define CVM_TEST_TAP_H

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static int	tap_tests;
static int	tap_failures;

/* One test; the name is a format. */
static inline bool
ok(bool passed, const char *format,...)
{
	va_list		arguments;

	printf("%sok %d - ", passed ? "" : "not ", ++tap_tests);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	tap_failures += !passed;
	return passed;
}

static inline void
skip(const char *name, const char *why)
{
	printf("ok %d - %s # SKIP %s\n", ++tap_tests, name, why);
}

/* |got - truth| relative to |truth|, or to `least` where that is larger */
static inline double
relative_error(double got, double truth, double least)
{
	if (got == truth)
		return 0;
	if (!isfinite(got) || !isfinite(truth))
		return INFINITY;
	return fabs(got - truth) / fmax(fabs(truth), least);
}

static inline bool
close_to(double got, double truth, double tolerance, const char *name)
{
	double		error = relative_error(got, truth, 0);

	return ok(error <= tolerance, "%s: %.12g, off by %.1e", name, truth, error);
}

/* The plan line, and main's return value. */
static inline int
done_testing(void)
{
	printf("1..%d\n", tap_tests);
	return tap_failures > 0;
}

#endif
