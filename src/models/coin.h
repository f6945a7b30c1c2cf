/*
 * coin.h: customers who may leave after every purchase: what BG/NBD and MBG/NBD
 * share.  Plain C.
 *
 * While alive a customer buys at rate lambda ~ Gamma(r, alpha) (alpha in time
 * units); after every repeat purchase he leaves with probability p ~ Beta(a, b),
 * as if he tossed a coin.  The models differ in `first_coin`, the coins tossed at
 * the first purchase: none in BG/NBD, one in MBG/NBD.
 *
 * Given the history and being alive, lambda ~ Gamma(r + x, alpha + age) and
 * p ~ Beta(a, b + x + first_coin) again, independently (formulas: sections 1.1
 * and 1.2).  So the future is that of a new customer with these parameters who
 * has his first purchase behind him: a cvm_coin.
 */
#ifndef CVM_MODELS_COIN_H
#define CVM_MODELS_COIN_H

#include "math/random.h"
#include "models/model.h"

/* A customer who is alive now, whatever he did before. */
typedef struct cvm_coin
{
	double		r,
				alpha,
				a,
				b;
} cvm_coin;

/* coin_history.c: see model.h for what the functions of these names return */
extern double cvm_coin_loglik(const double *theta, const cvm_row *row, int first_coin);
extern double cvm_coin_p_alive(const double *theta, const cvm_row *row, int first_coin);
extern cvm_status cvm_coin_table_loglik(const cvm_table *table, const double *theta, int first_coin,
										double *loglik, double *grad, double *hess);
extern int	cvm_coin_starts(const cvm_table *table, double starts[][CVM_MAX_PARAMS], int max);

/* coin_future.c */
extern double cvm_coin_expected(const cvm_coin *c, double t);
extern double cvm_coin_discounted(const cvm_coin *c, double rate, double horizon);
extern double cvm_coin_pmf(const cvm_coin *c, double t, int n);
extern double cvm_coin_next_purchase(const cvm_coin *c, double q);
extern int	cvm_coin_simulate_future(const cvm_coin *c, cvm_rng *rng,
									 double horizon, double *times, int max);
extern void cvm_coin_simulate_life(const cvm_coin *c, cvm_rng *rng, double *rate, double *lifetime);

/* the same of one whose p (of leaving at a purchase) is known; a and b are not looked at */
extern double cvm_coin_discounted_given(const cvm_coin *c, double p, double rate, double horizon);

/* ... and whose rate is: purchase times from now on, and a history from the first purchase */
extern int	cvm_coin_buy(double lambda, double p, cvm_rng *rng, double horizon, double *times, int max);
extern void cvm_coin_live(double lambda, double p, int first_coin, cvm_rng *rng, cvm_row *row);

/* A new customer (c: the parameters themselves) observed over row->age. */
extern void cvm_coin_simulate(const cvm_coin *c, int first_coin, cvm_rng *rng, cvm_row *row);

#endif
