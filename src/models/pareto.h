/*
 * pareto.h: the race between the next purchase and leaving, which the files of
 * Pareto/NBD share.  Plain C.
 *
 * A customer who is alive now buys at rate lambda ~ Gamma(r, alpha) and leaves at
 * rate mu ~ Gamma(s, beta), independently.  Given the history up to an instant at
 * which he was alive, both are gamma again, so that the past of a Pareto/NBD
 * customer is a race since his last purchase, and his future one from now on.
 */
#ifndef CVM_MODELS_PARETO_H
#define CVM_MODELS_PARETO_H

#include "models/model.h"

typedef struct cvm_race
{
	double		r,
				alpha,
				s,
				beta;
} cvm_race;

/* ln P(neither has come by t) */
extern double cvm_race_log_open(const cvm_race *c, double t);

/* P(no purchase by t), t finite: he left first, or neither has come (P of that: *open) */
extern double cvm_race_quiet(const cvm_race *c, double t, double *open);

/* P(leaving comes first, by t); t may be INFINITY */
extern double cvm_race_leaves(const cvm_race *c, double t);

/* P(a purchase comes first, by t); t may be INFINITY */
extern double cvm_race_buys(const cvm_race *c, double t);

/*
 * How far a panel may reach from v = ln(1 + y / min(alpha, beta)), so that the
 * density of either end of the race changes by a factor of at most e^drop.
 */
extern double cvm_race_panel(const cvm_race *c, double v, double widest, double drop);

/* How fast they fall at v: the negative derivative of their logarithms, at most. */
extern double cvm_race_steepness(const cvm_race *c, double v);

/* Between v and `to` the densities change so little that 8 nodes are enough. */
extern bool cvm_race_is_short(const cvm_race *c, double v, double to);

/* pareto_fit.c */
extern cvm_status cvm_pareto_table_loglik(const cvm_table *table, const double *theta,
										  double *loglik, double *grad, double *hess);

#endif
