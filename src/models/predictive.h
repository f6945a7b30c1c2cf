/*
 * predictive.h: the distribution of a customer's residual value at given
 * parameters.  Plain C.
 *
 * Residual value V = margin * sum over future purchases j of exp(-rate tau_j) z_j,
 * with z_j ~ Gamma(p, nu) and nu ~ Gamma(q + p x, gamma + x m) (Gamma-Gamma).
 * Write z_j = g_j / nu: given alive, V = margin * (gamma + x m) * R, where
 * R = (sum exp(-rate tau_j) g_j) / Gamma(q + p x, 1) depends on (x, age) alone.
 * So R is tabulated on a grid of (x, age) by seeded simulation of the purchase
 * family (simulate_if_alive), interpolated, and every customer is a scale and
 * an atom at 0 of mass 1 - P(alive).
 *
 * The mean is not taken from the simulation: callers have it in closed form,
 * and the tabulated R is rescaled to it.
 */
#ifndef CVM_MODELS_PREDICTIVE_H
#define CVM_MODELS_PREDICTIVE_H

#include "model.h"

typedef struct cvm_predictive cvm_predictive;

typedef struct cvm_prediction
{
	double		low;			/* quantile at level `low_level` */
	double		high;
	double		variance;		/* of V, unconditional on alive; finite (tail beyond the table's last quantile truncated) */
} cvm_prediction;

/*
 * rate: continuous, per time unit, > 0 unless horizon is finite.
 * max_x, max_age: the largest that will be asked for.
 */
extern cvm_status cvm_predictive_new(const cvm_family *purchases, const double *theta,
									 const cvm_family *spend, const double *spend_theta,
									 double rate, double horizon, double margin,
									 double max_x, double max_age, uint64_t seed,
									 const cvm_env *env, cvm_predictive **out);

/*
 * row: x, age and mean_spend (ignored where x = 0); p_alive in [0, 1];
 * mean = the closed-form E[V] (p_alive * expected_spend * discounted * margin).
 */
extern void cvm_predict(const cvm_predictive *predictive, const cvm_row *row,
						double p_alive, double mean,
						double low_level, double high_level, cvm_prediction *out);

extern void cvm_predictive_free(cvm_predictive *predictive);

/*
 * Quantile of a sum of many independent non-negative values with this mean and
 * variance: gamma distribution matched to both (Wilson & Hilferty 1931).
 */
extern double cvm_sum_quantile(double mean, double variance, double level);

#endif
