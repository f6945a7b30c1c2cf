/*
 * mbg_cnbd_k.c: the MBG/CNBD-k model (Platzer 2008; Reutterer, Platzer &
 * Schroeder 2021; see regular.h).
 *
 * Customers may leave right after their first purchase, too.
 */
#include "models/family.h"
#include "models/regular.h"

#define FIRST 1

static double
loglik(const double *theta, const cvm_row *row)
{
	return cvm_regular_loglik(theta, FIRST, row);
}

static cvm_status
table_loglik(const cvm_table *table, const double *theta, double *loglik, double *grad, double *hess)
{
	return cvm_regular_table_loglik(table, theta, FIRST, loglik, grad, hess);
}

static double
p_alive(const double *theta, const cvm_row *row)
{
	return cvm_regular_p_alive(theta, FIRST, row);
}

static double
expected_if_alive(const double *theta, const cvm_row *row, double t)
{
	cvm_regular c = cvm_regular_posterior(theta, FIRST, row);

	return cvm_regular_purchases(&c, t);
}

static double
expected(const double *theta, double t)
{
	cvm_row		fresh = {.weight = 1};

	return p_alive(theta, &fresh) * expected_if_alive(theta, &fresh, t);
}

static double
discounted_if_alive(const double *theta, const cvm_row *row, double rate, double horizon)
{
	cvm_regular c = cvm_regular_posterior(theta, FIRST, row);

	return cvm_regular_discounted(&c, rate, horizon);
}

static double
pmf_if_alive(const double *theta, const cvm_row *row, double t, int n)
{
	cvm_regular c = cvm_regular_posterior(theta, FIRST, row);

	return cvm_regular_pmf(&c, t, n);
}

static double
next_purchase_if_alive(const double *theta, const cvm_row *row, double q)
{
	cvm_regular c = cvm_regular_posterior(theta, FIRST, row);

	return cvm_regular_next_purchase(&c, q);
}

static int
simulate_if_alive(const double *theta, const cvm_row *row, cvm_rng *rng,
				  double horizon, double *times, int max)
{
	cvm_regular c = cvm_regular_posterior(theta, FIRST, row);

	return cvm_regular_simulate_alive(&c, rng, horizon, times, max);
}

static void
simulate(const double *theta, cvm_rng *rng, cvm_row *row)
{
	cvm_regular_simulate(theta, FIRST, rng, row);
}

const cvm_family cvm_mbg_cnbd_k = {
	.name = "mbg/cnbd-k",
	.kind = CVM_PURCHASES,
	.n_params = CVM_REGULAR_PARAMS,
	.params = {"k", "r", "alpha", "a", "b"},
	.time_power = {0, 0, 1, 0, 0},
	.simpler = {1, 1, 0, 1, 0},
	.searched = CVM_MAX_STAGES,
	.needs_log_intervals = true,
	.citation = "Platzer 2008, Stochastic models of noncontractual consumer relationships; "
	"Reutterer, Platzer & Schroeder 2021, International Journal of Research in Marketing 38(1)",
	.check_row = cvm_regular_check_row,
	.loglik = loglik,
	.table_loglik = table_loglik,
	.starts = cvm_regular_starts,
	.p_alive = p_alive,
	.expected = expected,
	.expected_if_alive = expected_if_alive,
	.discounted_if_alive = discounted_if_alive,
	.pmf_if_alive = pmf_if_alive,
	.next_purchase_if_alive = next_purchase_if_alive,
	.simulate_if_alive = simulate_if_alive,
	.simulate = simulate,
};
