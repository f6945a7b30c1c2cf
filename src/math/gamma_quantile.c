/*
 * gamma_quantile.c: quantiles and upper tail of the gamma distribution (see gamma_quantile.h).
 *
 * Newton's method on the logarithm of the nearer tail.  ln Phi, and ln P and
 * ln Q of the gamma distribution as functions of ln x, are concave: a step never
 * passes the root from its steep side, so the iteration can not diverge.
 */
#include "math/gamma_quantile.h"
#include "math/special.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#define MAX_STEPS 60
#define LARGE_SHAPE 1e5			/* from here the cube-root normal is exact to 1e-9 */

double
cvm_normal_quantile(double level)
{
	double		z;

	if (level > 0.5)
		return -cvm_normal_quantile(1 - level);
	z = -sqrt(-2 * log(level));	/* left of the root: Phi(z) <= exp(-z^2 / 2) */
	for (int i = 0; i < MAX_STEPS; i++)
	{
		double		below = 0.5 * erfc(-z * M_SQRT1_2);
		double		density = exp(-0.5 * z * z) * (0.5 * M_2_SQRTPI * M_SQRT1_2);
		double		step = log(level / below) * below / density;

		z += step;
		if (fabs(step) <= 4 * DBL_EPSILON * fabs(z) || fabs(step) < 1e-15)
			break;
	}
	return z;
}

/* Q(a, x) / (x^a e^-x / Gamma(a)), x > a: Legendre's continued fraction by Lentz's method */
static double
upper_factor(double a, double x)
{
	double		b = x + 1 - a;
	double		c = 1 / DBL_MIN;
	double		d = 1 / b;
	double		h = d;

	for (int i = 1; i < 100000; i++)
	{
		double		an = -i * (i - a);
		double		change;

		b += 2;
		d = an * d + b;
		d = 1 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
		c = b + an / c;
		c = fabs(c) < DBL_MIN ? DBL_MIN : c;
		change = c * d;
		h *= change;
		if (fabs(change - 1) < DBL_EPSILON)
			break;
	}
	return h;
}

/* P(a, x) / (x^a e^-x / Gamma(a)), x <= a + 1: power series */
static double
lower_factor(double a, double x)
{
	double		term = 1 / a;
	double		sum = term;

	for (int i = 1; i < 100000; i++)
	{
		term *= x / (a + i);
		sum += term;
		if (term < sum * DBL_EPSILON / 2)
			break;
	}
	return sum;
}

/* ln of P(a, x), or of Q(a, x) if `upper`, and its derivative by ln x */
static double
log_tail(double a, double log_x, bool upper, double *slope)
{
	double		x = exp(log_x);
	double		log_kernel = a * log_x - x - cvm_log_gamma(a);	/* ln (x dP/dx) */
	bool		by_series = x <= a + 1;
	double		value = log_kernel + log(by_series ? lower_factor(a, x) : upper_factor(a, x));

	if (by_series == upper)
		value = value < 0 ? log(-expm1(value)) : -INFINITY;
	*slope = (upper ? -1 : 1) * exp(log_kernel - value);
	return value;
}

/* Wilson & Hilferty 1931: the cube root of a gamma variable is nearly normal. */
static double
cube_root_start(double shape, double level)
{
	double		root = 1 - 1 / (9 * shape) + cvm_normal_quantile(level) / (3 * sqrt(shape));

	return root > 0.1 ? log(shape) + 3 * log(root)
		: (log(level) + cvm_log_gamma(shape + 1)) / shape;	/* P(a, x) ~ x^a / Gamma(a + 1) */
}

double
cvm_log_gamma_quantile(double shape, double level)
{
	bool		upper = level > 0.5;
	double		target = upper ? log1p(-level) : log(level);
	double		log_x = cube_root_start(shape, level);

	if (shape > LARGE_SHAPE)
		return log_x;
	for (int i = 0; i < MAX_STEPS; i++)
	{
		double		slope;
		double		value = log_tail(shape, log_x, upper, &slope);
		double		step = (target - value) / slope;

		if (!isfinite(step))
			break;
		step = fmax(-20, fmin(step, 20));
		log_x += step;
		if (fabs(step) <= 1e-13 * fmax(1, fabs(log_x)))
			break;
	}
	return log_x;
}

double
cvm_log_gamma_upper(double shape, double x)
{
	double		slope;

	return log_tail(shape, log(x), true, &slope);
}
