/*
 * random.h: a small seeded generator and the draws the models need.  Plain C.
 * Same seed, same numbers on every machine with IEEE doubles and the same libm.
 */
#ifndef CVM_MATH_RANDOM_H
#define CVM_MATH_RANDOM_H

#include <stdint.h>

typedef struct cvm_rng
{
	uint64_t	s[4];			/* xoshiro256++ (Blackman & Vigna 2019) */
} cvm_rng;

extern void cvm_rng_seed(cvm_rng *rng, uint64_t seed);	/* splitmix64 expansion */
extern double cvm_rng_uniform(cvm_rng *rng);	/* in (0, 1), never 0 or 1 */
extern double cvm_rng_exponential(cvm_rng *rng);	/* mean 1 */
extern double cvm_rng_normal(cvm_rng *rng);
extern double cvm_rng_gamma(cvm_rng *rng, double shape);	/* scale 1; exact also for shape < 1, may underflow to 0 */
extern double cvm_rng_log_gamma(cvm_rng *rng, double shape);	/* ln of such a draw: never -inf */
extern double cvm_rng_beta(cvm_rng *rng, double a, double b);

#endif
