/*
 * campaign_test.c: fits of random truths, every family: each ends with a model
 * that scores, within a second, and no likelier maximum is found from elsewhere.
 *
 * 50 to 20,000 customers (every fourth time the most), parameters within a
 * factor of 20 of ordinary ones.  CVM_SOAK=1 runs 1,000 truths a family,
 * CVM_RUNS another number; CVM_FAMILY names one, CVM_SEED other truths.
 */
#include "models/model.h"
#include "simulated.h"
#include "tap.h"

#include <string.h>

#define MOST_CUSTOMERS 20000
#define SPREAD 20

static cvm_rng wild;

/* Starting points anywhere, instead of the family's; a searched parameter is given. */
static int
wild_starts(const cvm_table *table, double starts[][CVM_MAX_PARAMS], int max)
{
	double		whole = starts[0][0];

	(void) table;
	for (int k = 0; k < max; k++)
	{
		for (int i = 0; i < CVM_MAX_PARAMS; i++)
			starts[k][i] = log_uniform(&wild, .02, 200);
		if (whole > 0)
			starts[k][0] = whole;
	}
	return max;
}

/* A number of customers with neither NaN nor infinity among the figures that scores are made of. */
static bool
scores(const cvm_family *family, const double *theta, const cvm_table *table)
{
	size_t		rows = cvm_table_rows(table);

	for (size_t i = 0; i < rows; i += 1 + rows / 50)
	{
		const cvm_row row = cvm_table_row(table, i);

		if (family->kind == CVM_SPEND)
		{
			double		spend = family->expected_spend(theta, &row);
			bool		has_mean = theta[0] * row.x + theta[1] > 1;	/* Gamma-Gamma */

			if (!(spend > 0 && isfinite(spend) == has_mean))
				return false;
		}
		else
		{
			double		p = family->p_alive(theta, &row);
			double		mean = family->expected_if_alive(theta, &row, 26);
			double		worth = family->discounted_if_alive(theta, &row, .002, INFINITY);

			if (!(p >= 0 && p <= 1 && mean >= 0 && isfinite(mean) && worth >= 0 && isfinite(worth)))
				return false;
		}
	}
	return true;
}

/* Nothing to learn from: nobody bought again, no contract ended. */
static bool
says_nothing(const cvm_table *table)
{
	for (size_t i = 0; i < cvm_table_rows(table); i++)
		if (cvm_table_row(table, i).x > 0)
			return false;
	return true;
}

typedef struct tally
{
	int			usable,
				silent,
				penalised,
				lower,
				missed,
				slow;
	double		slowest,
				steepest;
} tally;

static const char *
text_of(const cvm_family *family, const double *theta)
{
	static char text[4][200];
	static int	turn;
	char	   *to = text[turn = (turn + 1) % 4];
	int			at = 0;

	for (int i = 0; i < family->n_params; i++)
		at += snprintf(to + at, sizeof(text[0]) - at, "%s%.6g", i ? ", " : "", theta[i]);
	return to;
}

static void
one_run(const cvm_family *family, const cvm_family *elsewhere, cvm_rng *rng, int run, tally *t)
{
	int			customers = run % 4 == 0 ? MOST_CUSTOMERS : (int) log_uniform(rng, 50, MOST_CUSTOMERS);
	double		theta[CVM_MAX_PARAMS];
	cvm_table  *table;
	cvm_fit_result fit = {0},
				other = {0};
	cvm_status	status;
	double		took;
	bool		usable,
				missed = false;

	random_theta(family, rng, SPREAD, theta);
	table = simulated_table(family, theta, rng, customers, run % 2 == 0);
	took = seconds();
	status = cvm_fit(family, table, &cvm_plain_env, &fit);
	took = seconds() - took;
	t->slowest = fmax(t->slowest, took);
	t->slow += took > 1;
	if (status == CVM_NO_DATA && says_nothing(table))
	{
		t->silent++;
		cvm_table_free(table);
		return;
	}
	usable = status == CVM_OK && cvm_in_domain(family, fit.theta) && isfinite(fit.loglik) && fit.has_covariance
		&& fit.gradient_norm < 1e-9 + 1e-14 * fit.condition && scores(family, fit.theta, table);
	if (usable && cvm_fit(elsewhere, table, &cvm_plain_env, &other) == CVM_OK)
		missed = other.rung == CVM_RUNG_FULL && other.loglik > fit.loglik + 1e-6;
	t->usable += usable;
	t->missed += missed;
	t->penalised += fit.rung == CVM_RUNG_PENALISED;
	t->lower += fit.rung > CVM_RUNG_PENALISED;
	t->steepest = fmax(t->steepest, fit.gradient_norm);
	if (!usable || missed || took > 1)
		printf("# %s run %d, %d customers of (%s): %.0f ms, status %d, rung %d (%s) %.9g, gradient %.1e, condition %.1e%s; elsewhere rung %d (%s) %.9g\n",
			   family->name, run, customers, text_of(family, theta), 1e3 * took, status, fit.rung, text_of(family, fit.theta),
			   fit.loglik, fit.gradient_norm, fit.condition, usable ? "" : ", NOT USABLE", other.rung, text_of(family, other.theta), other.loglik);
	cvm_table_free(table);
}

static int
number_of_runs(void)
{
	const char *runs = getenv("CVM_RUNS");
	const char *soak = getenv("CVM_SOAK");

	return runs ? atoi(runs) : soak && atoi(soak) ? 1000 : 24;
}

static void
test_family(const cvm_family *family)
{
	cvm_family	elsewhere = *family;
	int			runs = number_of_runs();
	uint64_t	seed = getenv("CVM_SEED") ? strtoull(getenv("CVM_SEED"), NULL, 10) : 20260404;
	tally		t = {0};
	cvm_rng		rng;

	elsewhere.starts = wild_starts;
	cvm_rng_seed(&rng, seed);
	cvm_rng_seed(&wild, seed + 1);
	for (int i = 0; i < runs; i++)
		one_run(family, &elsewhere, &rng, i, &t);
	ok(t.usable + t.silent == runs, "%s: %d of %d random fits end with a usable model (%d more have nothing to learn from), %d penalised, %d lower, steepest gradient %.1e",
	   family->name, t.usable, runs, t.silent, t.penalised, t.lower, t.steepest);
	ok(t.missed == 0, "%s: a likelier maximum elsewhere in %d of them", family->name, t.missed);
	ok(t.slow == 0, "%s: the slowest took %.0f ms, %d more than a second", family->name, 1e3 * t.slowest, t.slow);
}

int
main(void)
{
	const char *only = getenv("CVM_FAMILY");
	const cvm_family *family;

	for (int i = 0; (family = cvm_family_at(i)) != NULL; i++)
		if (family->table_loglik != NULL && (only == NULL || strcmp(only, family->name) == 0))
			test_family(family);
	return done_testing();
}
