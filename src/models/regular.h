/*
 * regular.h: customers who buy at regular intervals: what the families
 * bg/cnbd-k and mbg/cnbd-k share (Platzer 2008; Reutterer, Platzer & Schroeder
 * 2021, "Leveraging purchase regularity for predicting customer behavior the
 * easy way", International Journal of Research in Marketing 38(1)).
 *
 * While alive a customer passes stages at rate lambda ~ Gamma(r, alpha) (alpha
 * in time units), and every k-th stage is a purchase: intervals are Erlang-k.
 * After a repeat purchase he leaves with probability p ~ Beta(a, b).  The
 * families differ in whether that coin is also tossed at the first purchase:
 * `first` is 0 in bg/cnbd-k, where nobody leaves before a repeat purchase, and 1
 * in mbg/cnbd-k.  k = 1 is BG/NBD and MBG/NBD.
 */
#ifndef CVM_MODELS_REGULAR_H
#define CVM_MODELS_REGULAR_H

#include "models/model.h"

#define CVM_MAX_STAGES 12		/* k of Reutterer, Platzer & Schroeder's search */

enum
{
	CVM_REGULAR_K, CVM_REGULAR_R, CVM_REGULAR_ALPHA, CVM_REGULAR_A, CVM_REGULAR_B, CVM_REGULAR_PARAMS
};

/*
 * A customer who is alive now: with probability stage[j] j stages have passed
 * since the last purchase, and then lambda ~ Gamma(shape + j, alpha); p ~
 * Beta(a, b).  silent: time since the last purchase, part of alpha.
 */
typedef struct cvm_regular
{
	int			k;
	double		shape,
				alpha,
				a,
				b;
	double		silent;
	double		all;			/* what stage[] was divided by: see cvm_regular_stages */
	double		stage[CVM_MAX_STAGES];
} cvm_regular;

/*
 * stage[j] = (shape)_j u^j / j!, j < k, and their sum: P(fewer than k stages in
 * the last u of the time) times (1 - u)^-shape.
 */
extern double cvm_regular_stages(int k, double shape, double u, double *stage);

/* regular_history.c */
extern const char *cvm_regular_check_row(const cvm_row *row);
extern double cvm_regular_loglik(const double *theta, int first, const cvm_row *row);
extern double cvm_regular_p_alive(const double *theta, int first, const cvm_row *row);
extern cvm_regular cvm_regular_posterior(const double *theta, int first, const cvm_row *row);
extern cvm_status cvm_regular_table_loglik(const cvm_table *table, const double *theta, int first,
										   double *loglik, double *grad, double *hess);
extern int	cvm_regular_starts(const cvm_table *table, double starts[][CVM_MAX_PARAMS], int max);
extern void cvm_regular_simulate(const double *theta, int first, cvm_rng *rng, cvm_row *row);

/* regular_future.c: of a customer who is alive now */
extern double cvm_regular_purchases(const cvm_regular *c, double t);
extern double cvm_regular_discounted(const cvm_regular *c, double rate, double horizon);
extern double cvm_regular_pmf(const cvm_regular *c, double t, int n);
extern double cvm_regular_next_purchase(const cvm_regular *c, double q);
extern int	cvm_regular_simulate_alive(const cvm_regular *c, cvm_rng *rng,
									   double horizon, double *times, int max);

#endif
