/*
 * random.c: seeded random numbers (see random.h).
 */
#include "math/random.h"

#include <math.h>

static uint64_t
rotate(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

/* splitmix64 (Steele, Lea & Flood 2014) spreads one word over the state. */
void
cvm_rng_seed(cvm_rng *rng, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
	{
		uint64_t	z = (seed += UINT64_C(0x9e3779b97f4a7c15));

		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		rng->s[i] = z ^ (z >> 31);
	}
}

/* xoshiro256++ (Blackman & Vigna 2019) */
static uint64_t
next_word(cvm_rng *rng)
{
	uint64_t   *s = rng->s;
	uint64_t	result = rotate(s[0] + s[3], 23) + s[0];
	uint64_t	t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

/* The middle of one of 2^52 equal cells, so neither 0 nor 1. */
double
cvm_rng_uniform(cvm_rng *rng)
{
	return ((double) (next_word(rng) >> 12) + 0.5) * 0x1p-52;
}

double
cvm_rng_exponential(cvm_rng *rng)
{
	return -log(cvm_rng_uniform(rng));
}

/* Marsaglia's polar method (1964); the second value is not kept, so a draw is a function of the state. */
double
cvm_rng_normal(cvm_rng *rng)
{
	double		u;
	double		v;
	double		s;

	do
	{
		u = 2 * cvm_rng_uniform(rng) - 1;
		v = 2 * cvm_rng_uniform(rng) - 1;
		s = u * u + v * v;
	} while (s >= 1 || s == 0);
	return u * sqrt(-2 * log(s) / s);
}

/* Gamma of shape >= 1 (Marsaglia & Tsang 2000). */
static double
gamma_at_least_one(cvm_rng *rng, double shape)
{
	double		d = shape - 1.0 / 3;
	double		c = 1 / sqrt(9 * d);

	for (;;)
	{
		double		x = cvm_rng_normal(rng);
		double		v = 1 + c * x;
		double		u;

		if (v <= 0)
			continue;
		v = v * v * v;
		u = cvm_rng_uniform(rng);
		if (u < 1 - 0.0331 * x * x * x * x || log(u) < 0.5 * x * x + d * (1 - v + log(v)))
			return d * v;
	}
}

/* A shape below 1 is raised by 1 and the draw multiplied by U^(1/shape), in logarithms. */
double
cvm_rng_log_gamma(cvm_rng *rng, double shape)
{
	if (shape >= 1)
		return log(gamma_at_least_one(rng, shape));
	return log(gamma_at_least_one(rng, shape + 1)) + log(cvm_rng_uniform(rng)) / shape;
}

double
cvm_rng_gamma(cvm_rng *rng, double shape)
{
	return shape >= 1 ? gamma_at_least_one(rng, shape) : exp(cvm_rng_log_gamma(rng, shape));
}

/* X / (X + Y) of two gammas, in logarithms since both may underflow. */
double
cvm_rng_beta(cvm_rng *rng, double a, double b)
{
	double		x = cvm_rng_log_gamma(rng, a);
	double		y = cvm_rng_log_gamma(rng, b);

	return 1 / (1 + exp(y - x));
}
