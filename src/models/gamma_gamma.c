/*
 * gamma_gamma.c: spend per purchase (Colombo & Jiang 1999; Fader & Hardie 2013,
 * "The Gamma-Gamma model of monetary value").
 *
 * A customer's purchases are Gamma(p, nu); nu differs between customers as
 * Gamma(q, gamma).  p and q are pure numbers, gamma is money.  Spend is taken
 * to be independent of how often people buy.
 */
#include "math/random.h"
#include "math/special.h"
#include "models/cells.h"
#include "models/family.h"

#include <math.h>
#include <string.h>

enum
{
	P, Q, GAMMA, N_PARAMS
};

static const char *
check_row(const cvm_row *row)
{
	if (!(row->x >= 0 && isfinite(row->x)) || row->x != floor(row->x))
		return "x is not a whole number of repeat purchases, 0 or more";
	if (row->x > CVM_MOST_REPEATS)
		return "x is more than a thousand million repeat purchases";
	if (row->x > 0 && !(row->mean_spend > 0 && isfinite(row->mean_spend)))
		return "mean_spend is not a finite number above 0";
	if (!(row->weight > 0 && isfinite(row->weight)))
		return "weight is not a finite number above 0";
	return NULL;
}

/*
 * With s = x m, the sum of the purchases, s / (gamma + s) is Beta(p x, q), so
 * that LL = -ln m + ln of the beta kernel: everything of the size of p x stays
 * inside one function that does not cancel.
 */
static double
loglik(const double *theta, const cvm_row *row)
{
	double		total = row->x * row->mean_spend;
	double		sum = theta[GAMMA] + total;

	if (row->x == 0)
		return 0;
	return cvm_log_beta_kernel(theta[P] * row->x, theta[Q], total / sum, theta[GAMMA] / sum)
		- log(row->mean_spend);
}

/* What the rows of one x contribute through their totals s. */
typedef struct spend_sums
{
	double		log;			/* sum w ln((gamma + s) / s) */
	double		share;			/* sum w gamma / (gamma + s) */
	double		square;			/* sum w (gamma / (gamma + s))^2 */
} spend_sums;

/* ln((gamma + s) / s): of many purchases it is small, and multiplied by their number */
static double
log_rise(double gamma, double s)
{
	double		ratio = gamma / s;

	return isinf(ratio) ? log(gamma) - log(s) : log1p(ratio);
}

static cvm_status
sum_group(const cvm_table *table, const cvm_group *group, double gamma, spend_sums *sums)
{
	const cvm_cells *cells = cvm_table_cells(table);

	memset(sums, 0, sizeof(*sums));
	for (size_t i = group->first; i < group->first + group->rows; i++)
	{
		double		sum = gamma + cells->total[i];
		double		share = gamma / sum;
		double		weighted = cells->weight[i] * share;

		sums->log += cells->weight[i] * log_rise(gamma, cells->total[i]);
		sums->share += weighted;
		sums->square += weighted * share;
		if (i % CVM_POLL_ROWS == 0 && cvm_table_cancelled(table))
			return CVM_CANCELLED;
	}
	return CVM_OK;
}

/* Gradient and Hessian in log parameters: formulas of the header times theta. */
static void
add_derivatives(const double *theta, const cvm_group *group, const spend_sums *sums,
				double *grad, double *hess)
{
	double		p = theta[P];
	double		q = theta[Q];
	double		x = group->x;
	double		n = group->customers;
	double		px = p * x;
	double		grad_p = px * (n * cvm_digamma_rise(px, q) - sums->log);
	double		grad_q = q * (n * (cvm_digamma_rise(q, px) + log(theta[GAMMA])) - group->log_total - sums->log);

	grad[P] += grad_p;
	grad[Q] += grad_q;
	grad[GAMMA] += n * q - (px + q) * sums->share;
	if (hess == NULL)
		return;
	hess[P * N_PARAMS + P] += grad_p + px * px * n * cvm_trigamma_rise(px, q);
	hess[P * N_PARAMS + Q] += px * q * n * cvm_trigamma(px + q);
	hess[P * N_PARAMS + GAMMA] -= px * sums->share;
	hess[Q * N_PARAMS + Q] += grad_q + q * q * n * cvm_trigamma_rise(q, px);
	hess[Q * N_PARAMS + GAMMA] += q * (n - sums->share);
	hess[GAMMA * N_PARAMS + GAMMA] -= (px + q) * (sums->share - sums->square);
}

static cvm_status
table_loglik(const cvm_table *table, const double *theta, double *loglik, double *grad, double *hess)
{
	const cvm_cells *cells = cvm_table_cells(table);
	double		value = -cells->log_mean_spend;
	double		local_grad[N_PARAMS] = {0};
	double		local_hess[N_PARAMS * N_PARAMS] = {0};

	for (size_t g = 0; g < cells->groups; g++)
	{
		const cvm_group *group = &cells->group[g];
		double		px = theta[P] * group->x;
		spend_sums	sums;
		cvm_status	status = sum_group(table, group, theta[GAMMA], &sums);

		if (status != CVM_OK)
			return status;
		value += group->customers * (theta[Q] * log(theta[GAMMA]) - cvm_log_beta(px, theta[Q]))
			- theta[Q] * group->log_total - (px + theta[Q]) * sums.log;
		if (grad != NULL)
			add_derivatives(theta, group, &sums, local_grad, hess ? local_hess : NULL);
	}
	*loglik = value;
	if (grad != NULL)
		memcpy(grad, local_grad, sizeof(local_grad));
	if (hess != NULL)
	{
		for (int i = 0; i < N_PARAMS; i++)
			for (int j = 0; j < i; j++)
				local_hess[i * N_PARAMS + j] = local_hess[j * N_PARAMS + i];
		memcpy(hess, local_hess, sizeof(local_hess));
	}
	return CVM_OK;
}

/*
 * Spread within customers (p) and between them (q) of several kinds; gamma then
 * from the data by E[ln z] = digamma(p) - digamma(q) + ln gamma, which heavy
 * tails do not disturb.
 */
static int
starts(const cvm_table *table, double starts[][CVM_MAX_PARAMS], int max)
{
	static const double shape[][2] = {{2, 4}, {6, 3}, {1, 0.8}, {20, 10}};
	double		typical = cvm_table_cells(table)->typical_spend;
	int			n = 0;

	for (; n < 4 && n < max; n++)
	{
		starts[n][P] = shape[n][0];
		starts[n][Q] = shape[n][1];
		starts[n][GAMMA] = typical * exp(cvm_digamma(shape[n][1]) - cvm_digamma(shape[n][0]));
	}
	return n;
}

/*
 * E[M | x, m] = p (gamma + x m) / (p x + q - 1): the prior mean and the own mean
 * weighted.  Infinite where p x + q <= 1, that is for a new customer and q <= 1.
 */
static double
expected_spend(const double *theta, const cvm_row *row)
{
	double		total = row->x > 0 ? row->x * row->mean_spend : 0;
	double		shape = theta[P] * row->x + (theta[Q] - 1);

	if (shape <= 0)
		return INFINITY;
	return theta[P] * (theta[GAMMA] + total) / shape;
}

/* The mean of x purchases that are Gamma(p, nu) is Gamma(p x) / (nu x). */
static void
simulate(const double *theta, cvm_rng *rng, cvm_row *row)
{
	double		log_nu = cvm_rng_log_gamma(rng, theta[Q]) - log(theta[GAMMA]);

	row->mean_spend = row->x > 0 ? exp(cvm_rng_log_gamma(rng, theta[P] * row->x) - log_nu - log(row->x)) : 0;
}

const cvm_family cvm_gamma_gamma = {
	.name = "gamma-gamma",
	.kind = CVM_SPEND,
	.n_params = N_PARAMS,
	.params = {"p", "q", "gamma"},
	.time_power = {0, 0, 0},
	.money_power = {0, 0, 1},
	.simpler = {0, 4, 0},
	.citation = "Colombo & Jiang 1999, Journal of Interactive Marketing 13(3); "
	"Fader, Hardie & Lee 2005, Journal of Marketing Research 42(4)",
	.check_row = check_row,
	.loglik = loglik,
	.table_loglik = table_loglik,
	.starts = starts,
	.simulate = simulate,
	.expected_spend = expected_spend,
};
