/*
 * interval_test.c: quantiles, tests and intervals of means and shares against fifty-digit
 * arithmetic (mpmath) and printed tables.
 */
#include "math/gamma_quantile.h"
#include "math/interval.h"
#include "math/special.h"
#include "tap.h"

static void
test_student(void)
{
	static const struct
	{
		double		df;
		double		tail;
		double		t;
	}			truth[] = {
		{1, 0.05, 12.706204736174704646},
		{2, 0.05, 4.3026527297494638523},
		{2.5, 0.05, 3.5746548420036832185},
		{9, 0.05, 2.2621571627982055426},
		{9, 0.9, 0.12925293215183097036},
		{29, 0.01, 2.7563859036706054886},
		{100, 0.05, 1.9839715185235522866},
		{3, 1e-10, 2804.2938253395256403},
		{1e5, 0.05, 1.9599877075346096386},
		{1e6, 0.05, 1.9599663568141070353},
		{1e7, 0.05, 1.9599642217672054904},
		{1e7, 0.01, 2.5758297952037489705},
	};

	for (size_t i = 0; i < sizeof(truth) / sizeof(truth[0]); i++)
	{
		char		name[96];

		snprintf(name, sizeof(name), "t of %g degrees of freedom beyond which %g lies", truth[i].df, truth[i].tail);
		close_to(cvm_student_quantile(truth[i].df, truth[i].tail), truth[i].t, 1e-12, name);
	}
	close_to(cvm_two_sided(1.8608134674868526, 17.776473516178495), 0.079394140187358207991, 1e-12, "Student's own sleep data");
	close_to(cvm_two_sided(-40, 9), 1.898299844933982647e-11, 1e-12, "a far tail keeps its digits");
	close_to(cvm_two_sided(0.1, 1), 0.93654896513889286097, 1e-13, "Cauchy");
	close_to(cvm_two_sided(1.96, INFINITY), 0.049995790296440868273, 1e-13, "the normal tail");
	close_to(cvm_two_sided(1.96, 1e9), 0.049995790296440868273, 1e-8, "many degrees of freedom");
	ok(cvm_two_sided(0, 5) == 1 && cvm_two_sided(INFINITY, 5) == 0, "both ends");
	for (double df = 0.5; df < 1e8; df *= 3)
		for (double tail = 1e-12; tail < 1; tail *= 7)
			if (!(relative_error(cvm_two_sided(cvm_student_quantile(df, tail), df), tail, 0) < 1e-9))
				ok(false, "there and back: df %g, tail %g", df, tail);
	ok(true, "there and back");
}

static void
test_beta(void)
{
	close_to(cvm_beta_quantile(19, 3, 0.05), 0.72944830069546863284, 1e-13, "5 % quantile of Beta(19, 3)");
	close_to(cvm_beta_quantile(19, 3, 0.95), 0.95990046370252558371, 1e-13, "95 % quantile of Beta(19, 3)");
	close_to(cvm_beta_quantile(1, 1, 0.05), 0.05, 1e-13, "uniform");
	close_to(cvm_beta_quantile(0.5, 0.5, 0.1), 0.024471741852423213942, 1e-13, "arc sine");
	close_to(cvm_beta_quantile(300, 2, 0.05), 0.98433732847569081722, 1e-13, "skew");
	close_to(cvm_beta_quantile(1e-3, 1, 0.5), pow(0.5, 1e3), 1e-10, "near 0: level^(1 / a)");
	close_to(cvm_beta_quantile(1e8, 1, 0.5), pow(0.5, 1e-8), 1e-14, "near 1");
}

/* Newcombe 1998, table I: printed to four digits, here with all of them */
static void
test_wilson(void)
{
	static const struct
	{
		double		x;
		double		n;
		double		low;
		double		high;
		double		corrected_low;
		double		corrected_high;
	}			truth[] = {
		{81, 263, 0.255288519878274226, 0.36620957698280007, 0.25350868229518514, 0.3681762010430035},
		{15, 148, 0.0623863995307362798, 0.160487241723308039, 0.05977820842849813, 0.16444977936483698},
		{0, 20, 0, 0.161125158052819387, 0, 0.20045334501348705},
		{1, 29, 0.00611321429276266052, 0.171755218793202881, 0.0018026402132796644, 0.19628175100975956},
		{20, 20, 1 - 0.161125158052819387, 1, 1 - 0.20045334501348705, 1},
	};
	double		z = -cvm_normal_quantile(0.025);

	for (size_t i = 0; i < sizeof(truth) / sizeof(truth[0]); i++)
	{
		double		p = truth[i].x / truth[i].n;
		double		low;
		double		high;

		cvm_wilson(p, truth[i].n, z, false, &low, &high);
		ok(relative_error(low, truth[i].low, 0) < 1e-13 && relative_error(high, truth[i].high, 0) < 1e-13,
		   "Wilson %g / %g: %.4f to %.4f", truth[i].x, truth[i].n, low, high);
		cvm_wilson(p, truth[i].n, z, true, &low, &high);
		ok(relative_error(low, truth[i].corrected_low, 0) < 1e-13 && relative_error(high, truth[i].corrected_high, 0) < 1e-13,
		   "corrected %g / %g: %.4f to %.4f", truth[i].x, truth[i].n, low, high);
	}
}

/* Newcombe 1998, 56/70 against 48/80: method 10 */
static void
test_difference(void)
{
	double		z = -cvm_normal_quantile(0.025);
	double		low1;
	double		high1;
	double		low2;
	double		high2;
	double		low;
	double		high;

	cvm_wilson(0.8, 70, z, false, &low1, &high1);
	cvm_wilson(0.6, 80, z, false, &low2, &high2);
	cvm_difference_interval(0.8, low1, high1, 0.6, low2, high2, &low, &high);
	close_to(low, 0.05243147240236498, 1e-12, "low end of the difference");
	close_to(high, 0.333872654036906, 1e-12, "high end of the difference");
}

int
main(void)
{
	test_student();
	test_beta();
	test_wilson();
	test_difference();
	return done_testing();
}
