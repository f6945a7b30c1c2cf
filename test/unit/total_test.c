/*
 * total_test.c: a sum of residual values against closed forms, and against the whole
 * group valued at parameters moved by the delta method's own algebra, C g / sqrt(g' C g).
 */
#include "math/gamma_quantile.h"
#include "models/total.h"
#include "simulated.h"
#include "tap.h"

#include <string.h>

#define MOST 5000
#define RATE 0.00182657			/* 10 % a year, a week */

static const double levels[] = {0.005, 0.05, 0.5, 0.95, 0.995};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---------- what customers do ---------- */

/* A log-normal variable itself, and 100 less one: exact. */
static void
test_log_normal(void)
{
	double		worst = 0;

	for (double s = 0.01; s < 1.5; s *= 1.7)
		for (size_t i = 0; i < COUNT(levels); i++)
		{
			double		spread = expm1(s * s);
			double		mean = exp(s * s / 2);
			double		variance = spread * mean * mean;
			double		third = (spread + 3) * sqrt(spread) * pow(variance, 1.5);
			double		z = cvm_normal_quantile(levels[i]);

			worst = fmax(worst, relative_error(cvm_sum_quantile(mean, variance, third, levels[i]), exp(s * z), 0));
			worst = fmax(worst, relative_error(cvm_sum_quantile(100 - mean, variance, -third, levels[i]), 100 - exp(-s * z), 0));
		}
	ok(worst < 1e-9, "log-normal variables and their mirror images: off by at most %.1e", worst);
}

/* Sums of gamma variables are gamma variables: skewness 2 / sqrt(shape). */
static void
test_gamma(double shape, double tolerance)
{
	double		worst = 0;

	for (size_t i = 0; i < COUNT(levels); i++)
		worst = fmax(worst, fabs(cvm_sum_quantile(shape, shape, 2 * shape, levels[i]) / exp(cvm_log_gamma_quantile(shape, levels[i])) - 1));
	ok(worst < tolerance, "a sum of gamma variables, of shape %g: off by at most %.2f %%", shape, 100 * worst);
}

static void
test_edges(void)
{
	static cvm_total nobody;
	cvm_outlook outlook = {0};

	ok(cvm_sum_quantile(0, 0, 0, 0.95) == 0 && cvm_sum_quantile(5, 0, 0, 0.05) == 5 && cvm_sum_quantile(0, 1, 1, 0.05) == 0, "without mean or variance");
	close_to(cvm_sum_quantile(10, 4, 0, 0.975), 13.919927969080108, 1e-12, "no skewness: 10 + 2 x 1.959964");
	ok(cvm_sum_quantile(1, 100, 0, 0.05) == 0, "nothing is below 0");
	ok(isinf(cvm_sum_quantile(1, INFINITY, 1, 0.05)) && isinf(cvm_sum_quantile(1, 1, NAN, 0.95)), "what has no variance has no quantile");
	ok(cvm_total_quantile(&nobody, &outlook, 0.95) == 0 && cvm_total_parameter_variance(&nobody) == 0, "a sum over nobody");
}

/* ---------- the parameters ---------- */

typedef struct market
{
	cvm_fit_result purchases;
	cvm_fit_result spend;
	cvm_axes	purchase_axes;
	cvm_axes	spend_axes;
	cvm_row		row[MOST];
} market;

static const double purchase_truth[] = {.7, 8, .8, 3};
static const double spend_truth[] = {6, 5, 20};

/* Parameters from 1,500 of them. */
static bool
open_market(market *m)
{
	cvm_table  *purchases = cvm_table_new(CVM_PURCHASES, &cvm_plain_env);
	cvm_table  *spend = cvm_table_new(CVM_SPEND, &cvm_plain_env);
	const cvm_family *family = cvm_family_find("bg/nbd");
	bool		fitted;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 3);
	for (int i = 0; i < MOST; i++)
	{
		m->row[i] = (cvm_row) {.age = 10 + 50 * cvm_rng_uniform(&rng), .weight = 1};
		family->simulate(purchase_truth, &rng, &m->row[i]);
		if (m->row[i].x > 0)
			simulate_spend(spend_truth, &rng, &m->row[i]);
		if (i < 1500)
			cvm_table_add(purchases, &m->row[i]);
		if (i < 1500 && m->row[i].x > 0)
			cvm_table_add(spend, &m->row[i]);
	}
	cvm_table_finish(purchases);
	cvm_table_finish(spend);
	fitted = cvm_fit(family, purchases, &cvm_plain_env, &m->purchases) == CVM_OK
		&& cvm_fit(cvm_family_find("gamma-gamma"), spend, &cvm_plain_env, &m->spend) == CVM_OK;
	cvm_table_free(purchases);
	cvm_table_free(spend);
	cvm_axes_of(&m->purchases, &m->purchase_axes);
	cvm_axes_of(&m->spend, &m->spend_axes);
	return fitted && m->purchase_axes.known && m->spend_axes.known;
}

static double
value(const market *m, const double *theta, const double *spend, const cvm_row *row)
{
	return m->purchases.family->p_alive(theta, row) * m->spend.family->expected_spend(spend, row)
		* m->purchases.family->discounted_if_alive(theta, row, RATE, INFINITY);
}

static double
group_value(const market *m, int n, const double *theta, const double *spend)
{
	double		sum = 0;

	for (int i = 0; i < n; i++)
		sum += value(m, theta, spend, &m->row[i]);
	return sum;
}

/* Of both models, one after the other: gradient in log parameters times the covariance. */
static void
moved_parameters(const market *m, int n, double z, double *theta, double *spend)
{
	const cvm_fit_result *fits[2] = {&m->purchases, &m->spend};
	double		sets[2][CVM_MAX_PARAMS];
	double		gradient[2][CVM_MAX_PARAMS];
	double		shift[2][CVM_MAX_PARAMS] = {{0}};
	double		variance = 0;

	memcpy(sets[0], m->purchases.theta, sizeof(sets[0]));
	memcpy(sets[1], m->spend.theta, sizeof(sets[1]));
	for (int f = 0; f < 2; f++)
		for (int i = 0; i < fits[f]->family->n_params; i++)
		{
			double		kept = sets[f][i];
			double		above;

			sets[f][i] = kept * exp(1e-4);
			above = group_value(m, n, sets[0], sets[1]);
			sets[f][i] = kept * exp(-1e-4);
			gradient[f][i] = (above - group_value(m, n, sets[0], sets[1])) / 2e-4;
			sets[f][i] = kept;
		}
	for (int f = 0; f < 2; f++)
		for (int i = 0; i < fits[f]->family->n_params; i++)
		{
			for (int j = 0; j < fits[f]->family->n_params; j++)
				shift[f][i] += fits[f]->covariance[i][j] / (fits[f]->theta[i] * fits[f]->theta[j]) * gradient[f][j];
			variance += gradient[f][i] * shift[f][i];
		}
	for (int i = 0; i < CVM_MAX_PARAMS; i++)
	{
		theta[i] = sets[0][i] * exp(z * shift[0][i] / sqrt(variance));
		spend[i] = sets[1][i] * exp(z * shift[1][i] / sqrt(variance));
	}
}

/* Without what customers do: the quantile is the group's value at the moved parameters. */
static cvm_stake
stake_of(const market *m, const cvm_row *row)
{
	cvm_stake	stake = {.row = *row};

	stake.mean = stake.purchases = value(m, m->purchases.theta, m->spend.theta, row);
	for (int k = 0; k < m->purchase_axes.n; k++)
		stake.loading[k] = m->purchase_axes.scale[k] * (value(m, m->purchase_axes.theta[k], m->spend.theta, row) - stake.mean);
	for (int k = 0; k < m->spend_axes.n; k++)
		stake.loading[CVM_SPEND_LOADINGS + k] = m->spend_axes.scale[k] * (value(m, m->purchases.theta, m->spend_axes.theta[k], row) - stake.mean);
	return stake;
}

/* First to last of the customers, or last to first; each has a chance of his own. */
static void
add_all(const market *m, int n, bool backwards, uint64_t seed, cvm_total *total)
{
	static double chance[MOST];
	cvm_rng		rng;

	memset(total, 0, sizeof(*total));
	cvm_rng_seed(&rng, seed);
	for (int i = 0; i < n; i++)
		chance[i] = cvm_rng_uniform(&rng);
	for (int i = 0; i < n; i++)
	{
		int			at = backwards ? n - 1 - i : i;
		cvm_stake	stake = stake_of(m, &m->row[at]);

		cvm_total_add(total, &stake, chance[at]);
	}
}

/* The line alone would be off by `line`, which is not nothing.  Of a few customers, all are valued anew. */
static void
test_moved(const market *m, int n, double tolerance, int seeds)
{
	static cvm_total total;
	cvm_outlook outlook = {&m->purchases, &m->spend, &m->purchase_axes, &m->spend_axes, RATE, INFINITY, 1};
	double		worst = 0,
				line = 0;

	for (double level = 0.025; level < 1; level += 0.95)
	{
		double		z = cvm_normal_quantile(level);
		double		theta[CVM_MAX_PARAMS],
					spend[CVM_MAX_PARAMS];
		double		truth;

		moved_parameters(m, n, z, theta, spend);
		truth = group_value(m, n, theta, spend);
		for (int seed = 1; seed <= seeds; seed++)
		{
			add_all(m, n, false, seed, &total);
			worst = fmax(worst, fabs(cvm_total_quantile(&total, &outlook, level) / truth - 1));
		}
		line = fmax(line, fabs((cvm_sum_value(&total.mean) + z * sqrt(cvm_total_parameter_variance(&total))) / truth - 1));
	}
	ok(worst < tolerance && line > 0.02, "%d customers at parameters two standard errors off, %d samples: off by at most %.3f %%, a straight line by %.1f %%",
	   n, seeds, 100 * worst, 100 * line);
}

static void
test_order(const market *m)
{
	static cvm_total forwards,
				backwards;
	cvm_outlook outlook = {&m->purchases, &m->spend, &m->purchase_axes, &m->spend_axes, RATE, INFINITY, 1};

	add_all(m, 3000, false, 1, &forwards);
	add_all(m, 3000, true, 1, &backwards);
	close_to(cvm_total_quantile(&backwards, &outlook, 0.05), cvm_total_quantile(&forwards, &outlook, 0.05), 1e-12, "whatever the order");
}

/* 100 of contracts, of which parameters move 30 along one axis and 40 along another: 100 exp(z 50 / 100) */
static void
test_contracts(void)
{
	static cvm_total total;
	cvm_outlook outlook = {0};
	cvm_stake	one = {.mean = 60},
				other = {.mean = 40};

	one.loading[CVM_CONTRACT_LOADINGS] = 30;
	one.loading[CVM_CONTRACT_LOADINGS + 1] = -5;
	other.loading[CVM_CONTRACT_LOADINGS + 1] = 45;
	cvm_total_add(&total, &one, 0.3);
	cvm_total_add(&total, &other, 0.6);
	close_to(cvm_total_parameter_variance(&total), 2500, 1e-14, "loadings add before they are squared");
	close_to(cvm_total_quantile(&total, &outlook, 0.95), 100 * exp(0.5 * 1.6448536269514722), 1e-12, "contracts alone");
}

int
main(void)
{
	static market m;

	test_log_normal();
	test_gamma(400, 0.001);
	test_gamma(25, 0.01);
	test_edges();
	test_contracts();
	if (ok(open_market(&m), "a market"))
	{
		test_moved(&m, 200, 1e-5, 1);
		test_moved(&m, MOST, 0.015, 8);	/* the error of a sample is 0.43 % (40 samples) */
		test_order(&m);
	}
	return done_testing();
}
