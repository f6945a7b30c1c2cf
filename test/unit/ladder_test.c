/*
 * ladder_test.c: every rung of the ladder, and what the last one says.
 */
#include "models/family.h"
#include "models/shrunk.h"
#include "simulated.h"
#include "tap.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static cvm_table *
table_of(cvm_kind kind, const cvm_row *rows, size_t n)
{
	cvm_table  *table = cvm_table_new(kind, &cvm_plain_env);

	for (size_t i = 0; i < n; i++)
		cvm_table_add(table, &rows[i]);
	cvm_table_finish(table);
	return table;
}

/* A family whose likelihood can not be climbed while more than `climbable` parameters move. */
static const cvm_family *broken_family;
static int	climbable;

static cvm_status
broken_loglik(const cvm_table *table, const double *theta, double *loglik, double *grad, double *hess)
{
	int			held = 0;

	for (int i = 0; i < broken_family->n_params; i++)
		held += broken_family->simpler[i] > 0 && theta[i] == broken_family->simpler[i];
	if (grad != NULL && broken_family->n_params - held > climbable)
	{
		*loglik = NAN;
		return CVM_OK;
	}
	return broken_family->table_loglik(table, theta, loglik, grad, hess);
}

/* The rungs below: whatever the likelihood does, a model comes out that scores. */
static void
test_rungs(const cvm_family *family)
{
	cvm_family	broken = *family;
	double		theta[CVM_MAX_PARAMS];
	int			held = 0;
	cvm_rng		rng;
	cvm_table  *table;
	cvm_fit_result full,
				simpler,
				shrunk;
	cvm_status	status;
	cvm_row		row;

	cvm_rng_seed(&rng, 51);
	random_theta(family, &rng, 1.5, theta);
	table = simulated_table(family, theta, &rng, 5000, true);
	broken.table_loglik = broken_loglik;
	broken_family = family;
	for (int i = 0; i < family->n_params; i++)
		held += family->simpler[i] > 0;
	ok(held > 0 && held < family->n_params, "%s: %d of %d parameters can be held", family->name, held, family->n_params);
	status = cvm_fit(family, table, &cvm_plain_env, &full);
	ok(status == CVM_OK && full.rung == CVM_RUNG_FULL && full.family == family,
	   "%s: full", family->name);
	climbable = family->n_params - held;
	status = cvm_fit(&broken, table, &cvm_plain_env, &simpler);
	ok(status == CVM_OK && simpler.rung == CVM_RUNG_SIMPLER
	   && simpler.gradient_norm < 1e-9 && isfinite(simpler.condition) && simpler.iterations > 0 && simpler.loglik < full.loglik,
	   "%s: simpler, gradient %.1e, condition %.1e, log-likelihood %.1f below", family->name,
	   simpler.gradient_norm, simpler.condition, full.loglik - simpler.loglik);
	for (int i = 0; i < family->n_params; i++)
		if (family->simpler[i] > 0)
			ok(simpler.theta[i] == family->simpler[i] && simpler.covariance[i][i] == 0, "%s: %s is held at %g",
			   family->name, family->params[i], family->simpler[i]);
		else
			ok(simpler.covariance[i][i] > 0, "%s: %s is estimated", family->name, family->params[i]);
	climbable = 0;
	status = cvm_fit(&broken, table, &cvm_plain_env, &shrunk);
	ok(status == CVM_OK && shrunk.rung == CVM_RUNG_SHRUNK
	   && cvm_in_domain(shrunk.family, shrunk.theta) && isfinite(shrunk.loglik)
	   && isnan(shrunk.gradient_norm) && cvm_family_find(shrunk.family->name) != NULL,
	   "%s: shrunk, a model of %s", family->name, shrunk.family->name);
	row = cvm_table_row(table, cvm_table_rows(table) / 2);
	if (family->kind == CVM_SPEND)
		ok(shrunk.family->expected_spend(shrunk.theta, &row) > 0, "%s: it values spend", family->name);
	else
	{
		double		p = shrunk.family->p_alive(shrunk.theta, &row);
		double		mean = shrunk.family->expected_if_alive(shrunk.theta, &row, 10);
		double		worth = shrunk.family->discounted_if_alive(shrunk.theta, &row, .002, INFINITY);

		ok(p >= 0 && p <= 1 && mean > 0 && isfinite(mean) && worth > 0 && isfinite(worth), "%s: it scores: %g, %g, %g",
		   family->name, p, mean, worth);
	}
	cvm_table_free(table);
}

/*
 * MBG/NBD with a and b so large that all coins are alike is shrunk-rate (their
 * spread is 1e-7 of their mean), function by function.
 */
static void
test_limit(void)
{
	const cvm_family *f = cvm_family_find("shrunk-rate");
	const cvm_family *mbg = cvm_family_find("mbg/nbd");
	double		worst = 0;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 52);
	for (int i = 0; i < 200; i++)
	{
		double		theta[CVM_MAX_PARAMS],
					same[CVM_MAX_PARAMS];
		double		p,
					t = log_uniform(&rng, 1, 100);
		cvm_row		row = {.age = 10 + 50 * cvm_rng_uniform(&rng), .weight = 1};

		random_theta(f, &rng, 5, theta);
		p = theta[2] / (1 + theta[2]);
		memcpy(same, (double[]) {theta[0], theta[1], p * 1e9, (1 - p) * 1e9}, 4 * sizeof(double));
		f->simulate(theta, &rng, &row);
		worst = fmax(worst, relative_error(f->loglik(theta, &row), mbg->loglik(same, &row), 1));
		worst = fmax(worst, relative_error(f->p_alive(theta, &row), mbg->p_alive(same, &row), 1e-6));
		worst = fmax(worst, relative_error(f->expected(theta, t), mbg->expected(same, t), 0));
		worst = fmax(worst, relative_error(f->expected_if_alive(theta, &row, t), mbg->expected_if_alive(same, &row, t), 0));
		worst = fmax(worst, relative_error(f->discounted_if_alive(theta, &row, .01, t), mbg->discounted_if_alive(same, &row, .01, t), 0));
		worst = fmax(worst, relative_error(f->discounted_if_alive(theta, &row, .01, INFINITY),
										   mbg->discounted_if_alive(same, &row, .01, INFINITY), 0));
		worst = fmax(worst, relative_error(f->next_purchase_if_alive(theta, &row, .4), mbg->next_purchase_if_alive(same, &row, .4), 0));
		for (int n = 0; n < 5; n++)
			worst = fmax(worst, relative_error(f->pmf_if_alive(theta, &row, t, n), mbg->pmf_if_alive(same, &row, t, n), 1e-9));
	}
	ok(worst < 2e-6, "shrunk-rate is MBG/NBD with equal coins, off by %.1e", worst);
}

/* Probabilities sum to 1 and to the mean, and simulation agrees. */
static void
test_future(void)
{
	const cvm_family *f = cvm_family_find("shrunk-rate");
	static const double theta[] = {.8, 9, .25};
	static const cvm_row row = {.x = 3, .t_x = 25, .age = 33, .weight = 1};
	double		sum = 0,
				mean = 0,
				seen = 0,
				lived = 0;
	double		exact = f->expected_if_alive(theta, &row, 40);
	const int	futures = 200000;
	cvm_rng		rng;

	for (int n = 0; n < 3000; n++)
	{
		double		p = f->pmf_if_alive(theta, &row, 40, n);

		sum += p;
		mean += n * p;
	}
	ok(fabs(sum - 1) < 1e-12 && fabs(mean / exact - 1) < 1e-10, "shrunk-rate: probabilities sum to 1 and the mean, off by %.1e, %.1e", sum - 1, mean / exact - 1);
	ok(fabs(f->pmf_if_alive(theta, &row, f->next_purchase_if_alive(theta, &row, .3), 0) - .7) < 1e-13, "shrunk-rate: the next purchase inverts P(none)");
	cvm_rng_seed(&rng, 53);
	for (int i = 0; i < futures; i++)
	{
		double		times[1000],
					rate,
					life;

		seen += f->simulate_if_alive(theta, &row, &rng, 40, times, 1000);
		f->simulate_life_if_alive(theta, &row, &rng, &rate, &life);
		lived += rate * fmin(life, 40) + (life <= 40);
	}
	ok(fabs(seen / futures / exact - 1) < .015 && fabs(lived / futures / exact - 1) < .015,
	   "shrunk-rate: %.3f purchases expected, %.3f and %.3f simulated", exact, seen / futures, lived / futures);
}

/*
 * What moments make of customers of other models: all their purchases to come are
 * predicted within a third, and those long silent are given up.
 */
static void
test_estimate(const char *name, const double *theta)
{
	const cvm_family *family = cvm_family_find(name);
	double		predicted = 0,
				exact = 0;
	cvm_rng		rng;
	cvm_table  *table;
	cvm_fit_result fit;

	cvm_rng_seed(&rng, 54);
	table = simulated_table(family, theta, &rng, 20000, true);
	cvm_shrunk_purchases(table, &fit);
	for (size_t i = 0; i < cvm_table_rows(table); i++)
	{
		const cvm_row row = cvm_table_row(table, i);

		predicted += row.weight * fit.family->p_alive(fit.theta, &row) * fit.family->expected_if_alive(fit.theta, &row, 40);
		exact += row.weight * family->p_alive(theta, &row) * family->expected_if_alive(theta, &row, 40);
	}
	ok(fabs(predicted / exact - 1) < 1. / 3, "%s: %.0f purchases to come, shrunk-rate(%g, %g, %g) says %.0f", name, exact,
	   fit.theta[0], fit.theta[1], fit.theta[2], predicted);
	ok(fit.family->p_alive(fit.theta, &(cvm_row) {.x = 20, .t_x = 15, .age = 50}) < .05
	   && fit.family->p_alive(fit.theta, &(cvm_row) {.x = 20, .t_x = 50, .age = 50}) > .7, "%s: silence counts", name);
	cvm_table_free(table);
}

/* Few customers, of one kind, none that came again, none with time. */
static void
test_little(void)
{
	static const cvm_row never[] = {{.age = 10, .weight = 3}, {.age = 40, .weight = 2}};
	static const cvm_row today[] = {{.age = 0, .weight = 5}};
	static const cvm_row two[] = {{.x = 1, .t_x = 4, .age = 50, .weight = 1}, {.age = 48, .weight = 1}};
	cvm_table  *table = table_of(CVM_PURCHASES, never, COUNT(never));
	const cvm_family *family;
	cvm_fit_result fit;
	cvm_status	status;

	ok(cvm_fit(cvm_family_find("bg/nbd"), table, &cvm_plain_env, &fit) == CVM_NO_DATA, "nobody came again: nothing to climb");
	status = cvm_shrunk_purchases(table, &fit);
	ok(status == CVM_OK && fabs(fit.theta[0] / fit.theta[1] - .5 / 110) < 1e-15,
	   "... but half a purchase in 110 weeks is a rate: %g", fit.theta[0] / fit.theta[1]);
	cvm_table_free(table);
	table = table_of(CVM_PURCHASES, today, COUNT(today));
	ok(cvm_shrunk_purchases(table, &fit) == CVM_OK && isfinite(fit.loglik), "no time has gone by");
	cvm_table_free(table);
	table = table_of(CVM_PURCHASES, two, COUNT(two));
	for (int i = 0; (family = cvm_family_at(i)) != NULL; i++)
		if (family->kind == CVM_PURCHASES)
		{
			status = cvm_fit(family, table, &cvm_plain_env, &fit);
			ok(status == CVM_OK && fit.rung > CVM_RUNG_FULL
			   && isfinite(fit.family->discounted_if_alive(fit.theta, &two[0], .002, INFINITY)),
			   "two customers, %s: rung %d", family->name, fit.rung);
		}
	cvm_table_free(table);
}

/* (mean + x m) / (1 + x), whatever the sums overflow. */
static void
test_spend(void)
{
	static const cvm_row rows[] = {{.x = 2, .mean_spend = 10, .weight = 3}, {.x = 1, .mean_spend = 50, .weight = 1}};
	static const cvm_row huge[] = {{.x = 2, .mean_spend = 1e308, .weight = 3}, {.x = 1, .mean_spend = 1.5e308, .weight = 1}};
	cvm_table  *table = table_of(CVM_SPEND, rows, COUNT(rows));
	cvm_fit_result fit;

	ok(cvm_shrunk_spend(table, &fit) == CVM_OK && fabs(fit.theta[2] - 20) < 1e-14, "mean spend 20");
	ok(fabs(fit.family->expected_spend(fit.theta, &rows[0]) - (20 + 2 * 10) / 3.) < 1e-13
	   && fabs(fit.family->expected_spend(fit.theta, &(cvm_row) {.x = 0}) - 20) < 1e-13, "the own mean, shrunk");
	cvm_table_free(table);
	table = table_of(CVM_SPEND, huge, COUNT(huge));
	(void) cvm_shrunk_spend(table, &fit);
	ok(fabs(fit.theta[2] / 1.125e308 - 1) < 1e-14, "the mean of the largest does not overflow");
	cvm_table_free(table);
}

int
main(void)
{
	const cvm_family *family;
	static const double bg[] = {.243, 4.414, .793, 2.426};
	static const double mbg[] = {.525, 6.183, .891, 1.614};
	static const double pareto[] = {.553, 10.578, .606, 11.669};

	setvbuf(stdout, NULL, _IOLBF, 0);

	ok(strcmp(cvm_family_find("shrunk-rate")->name, "shrunk-rate") == 0, "shrunk-rate is found by its name");
	for (int i = 0; (family = cvm_family_at(i)) != NULL; i++)
	{
		ok(family->table_loglik != NULL && strcmp(family->name, "shrunk-rate") != 0, "%s is on offer, and climbed", family->name);
		test_rungs(family);
	}
	test_limit();
	test_future();
	test_estimate("bg/nbd", bg);
	test_estimate("mbg/nbd", mbg);
	test_estimate("pareto/nbd", pareto);
	test_little();
	test_spend();
	return done_testing();
}
