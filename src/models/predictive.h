/*
 * predictive.h: the distribution of a customer's residual value at given
 * parameters, and how its scale moves with them.  Plain C.
 *
 * Residual value V = margin * sum over future purchases j of exp(-rate tau_j) z_j,
 * with z_j ~ Gamma(p, nu) and nu ~ Gamma(q + p x, gamma + x m) (Gamma-Gamma).
 * Write z_j = g_j / nu: given alive, V = margin * (gamma + x m) * R, where
 * R = (sum exp(-rate tau_j) g_j) / Gamma(q + p x, 1) depends on (x, age) alone.
 * So W = R / E[R] = V / E[V | alive] is tabulated on a grid of (x, age) by seeded
 * simulation of the purchase family and interpolated; what a customer adds is a
 * scale, his mean in closed form, and an atom at 0 of mass 1 - P(alive) P(any
 * purchase in the horizon | alive).
 *
 * Families whose future given alive depends on t_x as well are tabulated at
 * t_x = age: an approximation for them.
 */
#ifndef CVM_MODELS_PREDICTIVE_H
#define CVM_MODELS_PREDICTIVE_H

#include "axes.h"
#include "model.h"

typedef struct cvm_predictive cvm_predictive;

typedef struct cvm_prediction
{
	double		low;			/* quantile at level `low_level` */
	double		high;
	double		variance;		/* of V, unconditional on alive, at the given parameters; finite (heavy tails of spend count up to a limit) */
	double		third;			/* E[(V - E[V])^3], likewise */
	double		slope[CVM_MAX_PARAMS];	/* loadings of ln(discounted purchases if alive) on the axes of the parameters */
} cvm_prediction;

/*
 * theta: of the purchase family, must outlive the table, as must axes, theirs (NULL
 * where they are taken as certain); spend_theta: p, q, gamma of Gamma-Gamma.
 * rate: continuous, per time unit, >= 0; where it is 0 and the horizon is not
 * finite, means may not exist, and such customers can not be asked for.
 * max_x, max_age: the largest that will be asked for.
 * What a customer needs of the table is made when he is asked for, in at most some
 * hundredths of a second: the caller's loop over them polls for a cancel.
 */
extern cvm_status cvm_predictive_new(const cvm_family *purchases, const double *theta, const cvm_axes *axes,
									 const double *spend_theta, double rate, double horizon,
									 double max_x, double max_age, uint64_t seed,
									 const cvm_env *env, cvm_predictive **out);

/*
 * row: x, age and mean_spend (0 where nothing is known of a customer's spend but
 * the population's, in spite of x); p_alive in [0, 1];
 * mean = the closed-form E[V] (p_alive * expected_spend * discounted * margin);
 * spend_sd: standard deviation of ln(expected_spend), by the uncertainty of the
 * parameters of spend (0: certain).
 * A mean that is 0 or not finite predicts 0 throughout.
 */
extern void cvm_predict(const cvm_predictive *predictive, const cvm_row *row,
						double p_alive, double mean, double spend_sd,
						double low_level, double high_level, cvm_prediction *out);

extern void cvm_predictive_free(cvm_predictive *predictive);

#endif
