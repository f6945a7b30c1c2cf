/*
 * bg_nbd.c: the BG/NBD model (Fader, Hardie & Lee 2005, "Counting your
 * customers the easy way", Marketing Science 24(2)).
 *
 * Customers leave after repeat purchases only (coin.h): one who has made none
 * is alive.
 */
#include "models/coin.h"
#include "models/family.h"

#define FIRST_COIN 0

enum
{
	R, ALPHA, A, B, N_PARAMS
};

static cvm_coin
posterior(const double *theta, const cvm_row *row)
{
	return (cvm_coin) {theta[R] + row->x, theta[ALPHA] + row->age, theta[A], theta[B] + (row->x + FIRST_COIN)};
}

static double
loglik(const double *theta, const cvm_row *row)
{
	return cvm_coin_loglik(theta, row, FIRST_COIN);
}

static cvm_status
table_loglik(const cvm_table *table, const double *theta, double *loglik, double *grad, double *hess)
{
	return cvm_coin_table_loglik(table, theta, FIRST_COIN, loglik, grad, hess);
}

static double
p_alive(const double *theta, const cvm_row *row)
{
	return cvm_coin_p_alive(theta, row, FIRST_COIN);
}

static double
expected(const double *theta, double t)
{
	cvm_coin	c = {theta[R], theta[ALPHA], theta[A], theta[B]};

	return cvm_coin_expected(&c, t);
}

static double
expected_if_alive(const double *theta, const cvm_row *row, double t)
{
	cvm_coin	c = posterior(theta, row);

	return cvm_coin_expected(&c, t);
}

static double
discounted_if_alive(const double *theta, const cvm_row *row, double rate, double horizon)
{
	cvm_coin	c = posterior(theta, row);

	return cvm_coin_discounted(&c, rate, horizon);
}

static double
pmf_if_alive(const double *theta, const cvm_row *row, double t, int n)
{
	cvm_coin	c = posterior(theta, row);

	return cvm_coin_pmf(&c, t, n);
}

static double
next_purchase_if_alive(const double *theta, const cvm_row *row, double q)
{
	cvm_coin	c = posterior(theta, row);

	return cvm_coin_next_purchase(&c, q);
}

static int
simulate_if_alive(const double *theta, const cvm_row *row, cvm_rng *rng,
				  double horizon, double *times, int max)
{
	cvm_coin	c = posterior(theta, row);

	return cvm_coin_simulate_future(&c, rng, horizon, times, max);
}

static void
simulate_life_if_alive(const double *theta, const cvm_row *row, cvm_rng *rng,
					   double *rate, double *lifetime)
{
	cvm_coin	c = posterior(theta, row);

	cvm_coin_simulate_life(&c, rng, rate, lifetime);
}

static void
simulate(const double *theta, cvm_rng *rng, cvm_row *row)
{
	cvm_coin	c = {theta[R], theta[ALPHA], theta[A], theta[B]};

	cvm_coin_simulate(&c, FIRST_COIN, rng, row);
}

const cvm_family cvm_bg_nbd = {
	.name = "bg/nbd",
	.kind = CVM_PURCHASES,
	.n_params = N_PARAMS,
	.params = {"r", "alpha", "a", "b"},
	.time_power = {0, 1, 0, 0},
	.money_power = {0, 0, 0, 0},
	.simpler = {1, 0, 1, 0},
	.alive_ignores_span = true,
	.purchase_sign = {0, -1, 0, 0},
	.dropout_sign = {0, 0, 1, 1},
	.citation = "Fader, Hardie & Lee 2005, Marketing Science 24(2)",
	.check_row = cvm_check_purchases,
	.loglik = loglik,
	.table_loglik = table_loglik,
	.starts = cvm_coin_starts,
	.p_alive = p_alive,
	.expected = expected,
	.expected_if_alive = expected_if_alive,
	.discounted_if_alive = discounted_if_alive,
	.pmf_if_alive = pmf_if_alive,
	.next_purchase_if_alive = next_purchase_if_alive,
	.simulate_if_alive = simulate_if_alive,
	.simulate_life_if_alive = simulate_life_if_alive,
	.leaves_at_purchase = true,
	.simulate = simulate,
};
