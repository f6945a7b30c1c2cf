/*
 * moments.h: number, sums and sums of products of pairs (y, x), to about 31 digits.
 * Plain C.
 *
 * Each sum is an unevaluated pair of doubles (Dekker 1971; Knuth 1969).  So a variance
 * can be taken from plain sums (its relative error is about 1e-31 (mean / sd)^2), two parts
 * of a group simply add up, and the order of rows does not show.
 */
#ifndef CVM_MATH_MOMENTS_H
#define CVM_MATH_MOMENTS_H

#include <math.h>

typedef struct cvm_wide
{
	double		high;
	double		low;
} cvm_wide;

typedef struct cvm_moments		/* doubles only: it also is a stretch of a float8 array */
{
	double		n;
	cvm_wide	y;
	cvm_wide	yy;
	cvm_wide	x;
	cvm_wide	xx;
	cvm_wide	xy;
} cvm_moments;

static inline cvm_wide
cvm_wide_sum(cvm_wide a, cvm_wide b)
{
	double		high = a.high + b.high;
	double		part = high - a.high;
	double		low = (a.high - (high - part)) + (b.high - part) + (a.low + b.low);
	double		sum = high + low;

	return (cvm_wide) {sum, low - (sum - high)};
}

static inline cvm_wide
cvm_wide_product(double a, double b)
{
	double		high = a * b;

	return (cvm_wide) {high, fma(a, b, -high)};
}

static inline void
cvm_moments_add(cvm_moments *m, double y)
{
	m->n++;
	m->y = cvm_wide_sum(m->y, (cvm_wide) {y, 0});
	m->yy = cvm_wide_sum(m->yy, cvm_wide_product(y, y));
}

static inline void
cvm_moments_add_pair(cvm_moments *m, double y, double x)
{
	cvm_moments_add(m, y);
	m->x = cvm_wide_sum(m->x, (cvm_wide) {x, 0});
	m->xx = cvm_wide_sum(m->xx, cvm_wide_product(x, x));
	m->xy = cvm_wide_sum(m->xy, cvm_wide_product(y, x));
}

static inline void
cvm_moments_merge(cvm_moments *into, const cvm_moments *from)
{
	into->n += from->n;
	into->y = cvm_wide_sum(into->y, from->y);
	into->yy = cvm_wide_sum(into->yy, from->yy);
	into->x = cvm_wide_sum(into->x, from->x);
	into->xx = cvm_wide_sum(into->xx, from->xx);
	into->xy = cvm_wide_sum(into->xy, from->xy);
}

/* whether the sums of squares leave room to be multiplied by n: values above 1e145 do not */
static inline int
cvm_moments_finite(const cvm_moments *m)
{
	return m->yy.high < 1e290 && m->xx.high < 1e290;
}

/* sum (u - mean u)(v - mean v) from the sums of u v, u and v: (n sum uv - sum u sum v) / n */
static inline double
cvm_moments_deviation(double n, cvm_wide uv, cvm_wide u, cvm_wide v)
{
	cvm_wide	scaled = cvm_wide_product(n, uv.high);
	cvm_wide	square = cvm_wide_product(-u.high, v.high);

	scaled.low += n * uv.low;
	square.low -= u.high * v.low + u.low * v.high;
	scaled = cvm_wide_sum(scaled, square);
	return (scaled.high + scaled.low) / n;
}

/* The same of one variable; what is within rounding of 0 is 0: a spread below 1e-13 of the values' size. */
static inline double
cvm_moments_spread(double n, cvm_wide uu, cvm_wide u)
{
	double		spread = cvm_moments_deviation(n, uu, u, u);

	return spread > 1e-26 * uu.high ? spread : 0;
}

#endif
