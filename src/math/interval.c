/*
 * interval.c: what intervals and tests of means and shares are made of (see interval.h).
 */
#include "math/interval.h"

#include <math.h>

#include "math/gamma_quantile.h"
#include "math/special.h"

#define MANY 1e6				/* degrees of freedom from which on a series in 1 / df is exact */

/*
 * ln(z / (1 - z)) of the beta quantile: Newton's method on that scale, where
 * d I / d u = z^a (1 - z)^b / B(a, b), kept inside a bracket by bisection.
 */
static double
beta_logit(double a, double b, double level)
{
	double		below = -700;
	double		above = 700;
	double		u = fmin(fmax(log(a / b), below), above);

	for (int i = 0; i < 200; i++)
	{
		double		z = 1 / (1 + exp(-u));
		double		y = 1 / (1 + exp(u));
		double		excess = cvm_incomplete_beta(a, b, z, y) - level;
		double		next;

		if (excess == 0)
			break;
		if (excess > 0)
			above = u;
		else
			below = u;
		next = u - excess / exp(cvm_log_beta_kernel(a, b, z, y));
		if (!(next > below && next < above))
			next = 0.5 * (below + above);
		if (fabs(next - u) <= 2e-16 * fmax(1, fabs(u)))
			break;
		u = next;
	}
	return u;
}

double
cvm_beta_quantile(double a, double b, double level)
{
	return 1 / (1 + exp(-beta_logit(a, b, level)));
}

double
cvm_student_quantile(double df, double tail)
{
	double		z;

	if (df < MANY)
		return sqrt(df) * exp(-0.5 * beta_logit(0.5 * df, 0.5, tail));
	/* Cornish & Fisher 1937 */
	z = -cvm_normal_quantile(0.5 * tail);
	return z + z * (z * z + 1) / (4 * df) + z * ((5 * z * z + 16) * z * z + 3) / (96 * df * df);
}

double
cvm_two_sided(double t, double df)
{
	double		square = t * t;

	if (isinf(df))
		return erfc(fabs(t) * M_SQRT1_2);
	if (isinf(square))
		return 0;
	return cvm_incomplete_beta(0.5 * df, 0.5, df / (df + square), square / (df + square));
}

void
cvm_wilson(double p, double n, double z, bool corrected, double *low, double *high)
{
	double		q = 1 - p;
	double		square = z * z;
	double		scale = 2 * (n + square);
	double		middle = 2 * n * p + square;

	if (corrected)
	{
		*low = (middle - 1 - z * sqrt(fmax(0, square - 2 - 1 / n + 4 * p * (n * q + 1)))) / scale;
		*high = (middle + 1 + z * sqrt(fmax(0, square + 2 - 1 / n + 4 * p * (n * q - 1)))) / scale;
	}
	else
	{
		double		spread = z * sqrt(square + 4 * n * p * q);

		*low = (middle - spread) / scale;
		*high = (middle + spread) / scale;
	}
	*low = p == 0 ? 0 : fmax(0, *low);
	*high = p == 1 ? 1 : fmin(1, *high);
}

void
cvm_difference_interval(double v1, double low1, double high1, double v2, double low2, double high2,
						double *low, double *high)
{
	*low = v1 - v2 - hypot(v1 - low1, high2 - v2);
	*high = v1 - v2 + hypot(high1 - v1, v2 - low2);
}
