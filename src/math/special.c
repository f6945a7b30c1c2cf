/*
 * special.c: special functions (see special.h).
 *
 * Everything of the gamma family is moved up to x >= 10 by its recurrence and
 * continued with the asymptotic series there, whose first neglected term is
 * below 1e-16 (Abramowitz & Stegun 1964, 6.1.41, 6.3.18, 6.4.12).
 */
#define _DEFAULT_SOURCE			/* lgamma_r */
#include "math/special.h"

#include <float.h>
#include <math.h>

#define ASYMPTOTIC 10.0			/* from here on the series are exact to a double */
#define TINY 1e-300				/* stands in for 0 in Lentz's continued fractions */
#define EULER_GAMMA 0.57721566490153286061
#define HALF_LOG_TWO_PI 0.91893853320467274178

/* ln Gamma(x) - [(x - 1/2) ln x - x + ln(2 pi) / 2], x >= 10 */
static double
stirling(double x)
{
	double		u = 1 / (x * x);

	return (1.0 / 12 - u * (1.0 / 360 - u * (1.0 / 1260 - u * (1.0 / 1680
			- u * (1.0 / 1188 - u * (691.0 / 360360 - u / 156)))))) / x;
}

/* ln x - digamma(x) - 1 / (2 x) = - d stirling / dx in powers of 1 / x^2, from the first on */
static const double tail[] = {1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132, -691.0 / 32760, 1.0 / 12};
#define TAIL_TERMS 7

/* ln x - digamma(x), x >= 10 */
static double
digamma_tail(double x)
{
	double		u = 1 / (x * x);
	double		sum = 0;

	for (int k = TAIL_TERMS - 1; k >= 0; k--)
		sum = (sum + tail[k]) * u;
	return 0.5 / x + sum;
}

/*
 * What the series above falls by from x to x + n, x >= 10: by divided
 * differences, so that a small n leaves no digits behind.
 */
static double
tail_fall(double x, double n)
{
	double		u = 1 / (x * x);
	double		v = 1 / ((x + n) * (x + n));
	double		value = 0,
				slope = 0;

	for (int k = TAIL_TERMS - 1; k >= 0; k--)
	{
		slope = slope * u + value;
		value = value * v + tail[k];
	}
	slope = slope * u + value;
	return slope * (n / x) * ((2 * x + n) / x) * v;
}

/* trigamma(x) - 1 / x, x >= 10 */
static double
trigamma_tail(double x)
{
	double		u = 1 / (x * x);

	return u * (0.5 + (1.0 / 6 - u * (1.0 / 30 - u * (1.0 / 42 - u * (1.0 / 30
			- u * (5.0 / 66 - u * (691.0 / 2730 - u * 7 / 6)))))) / x);
}

double
cvm_digamma(double x)
{
	double		sum = 0;

	for (; x < ASYMPTOTIC; x++)
		sum -= 1 / x;
	return sum + log(x) - digamma_tail(x);
}

double
cvm_trigamma(double x)
{
	double		sum = 0;

	for (; x < ASYMPTOTIC; x++)
		sum += 1 / (x * x);
	return sum + 1 / x + trigamma_tail(x);
}

double
cvm_log_gamma(double x)
{
	int			sign;

	return lgamma_r(x, &sign);
}

/*
 * The product of the ratios (x + i + n) / (x + i) cannot overflow: ten factors
 * of at most 1e20 each for any x and n that are legal.
 */
double
cvm_log_rising(double x, double n)
{
	double		product = 1;

	for (; x < ASYMPTOTIC; x++)
		product *= (x + n) / x;
	return (x - 0.5) * log1p(n / x) + n * (log(x + n) - 1)
		+ (stirling(x + n) - stirling(x)) - log(product);
}

double
cvm_digamma_rise(double x, double n)
{
	double		sum = 0;

	for (; x < ASYMPTOTIC; x++)
		sum += n / (x * (x + n));
	return sum + log1p(n / x) + 0.5 * n / (x * (x + n)) + tail_fall(x, n);
}

double
cvm_trigamma_rise(double x, double n)
{
	double		sum = 0;

	for (; x < ASYMPTOTIC; x++)
	{
		double		ratio = x / (x + n);

		sum -= (1 - ratio) * (1 + ratio) / (x * x);
	}
	return sum - n / (x * (x + n)) + (trigamma_tail(x + n) - trigamma_tail(x));
}

double
cvm_log_beta(double a, double b)
{
	double		small = fmin(a, b);
	double		large = fmax(a, b);

	return cvm_log_gamma(small) - cvm_log_rising(large, small);
}

/*
 * stirling(x) - stirling(x + m) - stirling(x + n) + stirling(x + m + n) for
 * m <= n, x >= 10: four values, unless m is so small that they would cancel;
 * then the integral over [x, x + m] of how much the slope falls within n (Gauss,
 * three points).
 */
static double
stirling_bend(double x, double m, double n)
{
	const double node = 0.38729833462074168852;	/* sqrt(3 / 20) */
	double		middle = x + 0.5 * m;

	if (m > 0.02 * x)
		return stirling(x) - stirling(x + m) - stirling(x + n) + stirling(x + m + n);
	return m / 18 * (5 * tail_fall(middle - node * m, n) + 8 * tail_fall(middle, n)
					 + 5 * tail_fall(middle + node * m, n));
}

/*
 * -ln of Gamma(b + n) Gamma(a + b) / (Gamma(b) Gamma(a + b + n)) is a difference of
 * differences of ln Gamma, symmetric in a and n; as a sum of positive terms (the
 * last three lose a factor of 3 at most) it keeps its digits however small it is.
 */
double
cvm_log_survive(double a, double b, double n)
{
	double		small = fmin(a, n);
	double		large = fmax(a, n);
	double		sum = 0;

	for (; b < ASYMPTOTIC; b++)
		sum += log1p(small / b * (large / (b + small + large)));
	return -(sum - (b - 0.5) * log1p(small / b * (large / (b + small + large)))
			 + small * log1p(large / (b + small)) + large * log1p(small / (b + large))
			 + stirling_bend(b, small, large));
}

double
cvm_log_sum_exp(double u, double v)
{
	double		large = fmax(u, v);

	if (isinf(large))
		return large;
	return large + log1p(exp(fmin(u, v) - large));
}

/* Near 0 by the series of 2 atanh(y), y = x / (2 + x): all terms of one sign. */
double
cvm_log1p_minus(double x)
{
	double		y,
				square,
				power,
				sum = 0;

	if (fabs(x) > 0.4)
		return log1p(x) - x;
	y = x / (2 + x);
	square = y * y;
	power = y * square;
	for (int k = 3; fabs(power) > DBL_EPSILON / 4 * fabs(sum); k += 2, power *= square)
		sum += power / k;
	return 2 * sum - x * y;
}

/*
 * For large a and b the deviations from the mode a / (a + b) are used, in which
 * the first order cancels exactly (Loader 2000, "Fast and accurate computation
 * of binomial probabilities").
 */
double
cvm_log_beta_kernel(double a, double b, double z, double y)
{
	if (z <= 0 || y <= 0)
		return -INFINITY;
	if (a >= ASYMPTOTIC && b >= ASYMPTOTIC)
	{
		double		deviation = z * b - y * a;
		double		exponent;

		if (fabs(deviation) < 0.4 * fmin(a, b))
			exponent = a * cvm_log1p_minus(deviation / a) + b * cvm_log1p_minus(-deviation / b);
		else
			exponent = a * log(z / a * (a + b)) + b * log(y / b * (a + b));
		return exponent + 0.5 * log(a / (a + b) * b) - HALF_LOG_TWO_PI
			+ stirling(a + b) - stirling(a) - stirling(b);
	}
	return a * (z < 0.5 ? log(z) : log1p(-y)) + b * (y < 0.5 ? log(y) : log1p(-z))
		- cvm_log_beta(a, b);
}

/* Continued fraction of I_z(a, b) a / kernel (DLMF 8.17.22), by Lentz's method. */
static double
beta_fraction(double a, double b, double z)
{
	double		c = 1;
	double		d = 1 - (a + b) * z / (a + 1);
	double		value;

	d = 1 / (fabs(d) < TINY ? TINY : d);
	value = d;
	for (int i = 1; i < 200000; i++)
	{
		double		even = i * (b - i) * z / ((a + 2 * i - 1) * (a + 2 * i));
		double		odd = -(a + i) * (a + b + i) * z / ((a + 2 * i) * (a + 2 * i + 1));
		double		step;

		d = 1 + even * d;
		d = 1 / (fabs(d) < TINY ? TINY : d);
		c = 1 + even / c;
		c = fabs(c) < TINY ? TINY : c;
		value *= d * c;
		d = 1 + odd * d;
		d = 1 / (fabs(d) < TINY ? TINY : d);
		c = 1 + odd / c;
		c = fabs(c) < TINY ? TINY : c;
		step = d * c;
		value *= step;
		if (fabs(step - 1) < 2 * DBL_EPSILON)
			break;
	}
	return value;
}

double
cvm_incomplete_beta(double a, double b, double z, double y)
{
	double		kernel;

	if (z <= 0)
		return 0;
	if (y <= 0)
		return 1;
	kernel = exp(cvm_log_beta_kernel(a, b, z, y));
	if (z < (a + 1) / (a + b + 2))
		return fmin(1, kernel * beta_fraction(a, b, z) / a);
	return fmax(0, 1 - kernel * beta_fraction(b, a, y) / b);
}

/* ln Gamma(1 + x) to full relative accuracy, |x| <= 1/2 (Abramowitz & Stegun 6.1.33) */
static double
log_gamma_near_one(double x)
{
	static const double zeta_minus_one[] = {
		0.6449340668482264365, 0.2020569031595942854, 0.08232323371113819152,
		0.03692775514336992633, 0.01734306198444913971, 0.00834927738192282684,
		0.004077356197944339378, 0.002008392826082214418, 0.0009945751278180853371,
		0.0004941886041194645587, 0.0002460865533080482986, 0.0001227133475784891468,
		6.124813505870482926e-05, 3.058823630702049355e-05, 1.528225940865187174e-05,
		7.637197637899762274e-06, 3.817293264999839856e-06, 1.908212716553938926e-06,
		9.539620338727961132e-07, 4.769329867878064631e-07, 2.384505027277329900e-07,
		1.192199259653110731e-07, 5.960818905125947961e-08, 2.980350351465228019e-08,
	};
	double		sum = 0;

	for (int k = 25; k >= 2; k--)
		sum = zeta_minus_one[k - 2] / k - x * sum;
	return x * (1 - EULER_GAMMA) - log1p(x) + x * x * sum;
}

/*
 * e^z E_s(z) for s in (0, 3/2] and small z by its power series, where the
 * pole of Gamma(1 - s) and that of the series' first term at s = 1 are taken
 * together: E_s(z) = [Gamma(1 + d) z^-d - 1] / d - sum_(k >= 1) (-z)^k / (k! (k + d)),
 * d = 1 - s (DLMF 8.19.8).
 */
static double
exp_integral_series(double s, double z)
{
	double		d = 1 - s;
	double		logarithm = log(z);
	double		gamma = d > 0.5 ? cvm_log_gamma(1 + d) : log_gamma_near_one(d);
	double		pole = d == 0 ? -EULER_GAMMA - logarithm
		: expm1(gamma - d * logarithm) / d;
	double		power = 1;
	double		sum = 0;

	for (int k = 1; k < 100; k++)
	{
		power *= -z / k;
		sum += power / (k + d);
		if (fabs(power) < DBL_EPSILON / 4)
			break;
	}
	return exp(z) * (pole - sum);
}

/* e^z E_s(z) by the contracted continued fraction (DLMF 8.19.17 and 8.9.2), Lentz's method */
static double
exp_integral_fraction(double s, double z)
{
	double		b = z + s;
	double		d = 1 / b;
	double		c = 1 / TINY;
	double		value = d;

	for (int i = 1; i < 100000; i++)
	{
		double		a = -i * (s + i - 1);
		double		step;

		b += 2;
		d = 1 / (a * d + b);
		c = b + a / c;
		step = c * d;
		value *= step;
		if (fabs(step - 1) < 2 * DBL_EPSILON)
			break;
	}
	return value;
}

/*
 * The fraction needs about 80 / z turns, fewer when s is large; below that the
 * series at the order nearest 1, then E_(s+1) = (e^-z - z E_s) / s upwards,
 * which damps errors once s > z.
 */
double
cvm_exp_integral(double s, double z)
{
	double		order,
				value;

	if (z <= 0)
		return s > 1 ? 1 / (s - 1) : INFINITY;
	if (z > 1.5 || s > 25)
		return exp_integral_fraction(s, z);
	order = s < 1.5 ? s : s - floor(s - 0.5);
	value = exp_integral_series(order, z);
	for (; order < s - 0.5; order++)
		value = (1 - z * value) / order;
	return value;
}
