/*
 * contract_test.c: the families of contracts against published vectors,
 * fifty-digit truth (truth/contract.py), the published series, identities
 * between their functions, simulation, and a campaign of random fits (whole with
 * CVM_SOAK=1).
 */
#include "math/optimise.h"
#include "math/random.h"
#include "models/table.h"
#include "truth_table.h"

#include "truth/hostile_bdw.h"
#include "truth/hostile_sbg.h"
#include "truth/vectors_bdw.h"
#include "truth/vectors_sbg.h"

#include <string.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef struct optimum
{
	const char *family;
	const char *series;
	int			survivors[13];
	int			n;
	double		theta[3];
	double		loglik;
} optimum;

#include "truth/optima_contract.h"

static const cvm_family *sbg;
static const cvm_family *bdw;

static double
log_uniform(cvm_rng *rng, double low, double high)
{
	return low * pow(high / low, cvm_rng_uniform(rng));
}

/* ---------- published numbers ---------- */

/* DEL and DERL of Fader & Hardie 2007 and 2010, at d = .1 */
static void
test_published(void)
{
	static const double high_end[] = {.668, 3.806};
	static const double regular[] = {.704, 1.182};
	static const double before[] = {5.41485604837404, 5.90175316775302, 6.89705739774609};	/* decision 1, 2, 5 */
	static const double after[] = {5.36523015250275, 5.72205510617562, 6.48727445407384};	/* renewal 1, 2, 5 */
	static const int at[] = {1, 2, 5};
	double		worst = 0;

	for (int i = 0; i < 3; i++)
	{
		cvm_row		row = {.lifetime = at[i], .weight = 1};

		worst = fmax(worst, relative_error(sbg->residual_lifetime(high_end, at[i] - 1, .1), before[i], 0));
		worst = fmax(worst, relative_error(sbg->discounted_if_alive(high_end, &row, log(1.1), INFINITY), after[i], 0));
	}
	ok(worst < 1e-13, "sbg: residual lifetime before and after renewals 1, 2, 5, off by %.1e", worst);
	close_to(1 + sbg->residual_lifetime(high_end, 0, .1) / 1.1, 5.92259640761276, 1e-13, "sbg: DEL, high end");
	close_to(1 + sbg->residual_lifetime(regular, 0, .1) / 1.1, 3.69514740557457, 1e-13, "sbg: DEL, regular");
}

/* The table of one cohort: so many left after 0, 1, ... renewals. */
static cvm_table *
table_of_series(const int *survivors, int n)
{
	cvm_table  *table = cvm_table_new(CVM_RETENTION, &cvm_plain_env);

	for (int t = 1; t < n; t++)
	{
		cvm_row		row = {.churned = 1, .lifetime = t, .weight = survivors[t - 1] - survivors[t]};

		cvm_table_add(table, &row);
	}
	cvm_table_add(table, &(cvm_row) {.lifetime = n - 1, .weight = survivors[n - 1]});
	cvm_table_finish(table);
	return table;
}

static void
test_series(void)
{
	for (size_t i = 0; i < COUNT(optima); i++)
	{
		const optimum *best = &optima[i];
		const cvm_family *f = cvm_family_find(best->family);
		cvm_table  *table = table_of_series(best->survivors, best->n);
		cvm_fit_result fit;
		double		worst = 0;
		bool		full = cvm_fit(f, table, &cvm_plain_env, &fit) == CVM_OK && fit.rung == CVM_RUNG_FULL
			&& fit.has_covariance && cvm_table_customers(table) == 1000;

		for (int k = 0; k < f->n_params; k++)
			worst = fmax(worst, relative_error(fit.theta[k], best->theta[k], 0));
		ok(full && worst < 1e-8, "%s, %s: parameters, off by %.1e (%d evaluations)", f->name, best->series, worst, fit.iterations);
		ok(fabs(fit.loglik - best->loglik) < 1e-9, "%s, %s: log-likelihood %.6f, off by %.1e",
		   f->name, best->series, best->loglik, fabs(fit.loglik - best->loglik));
		cvm_table_free(table);
	}
}

/* Fader & Hardie 2007, figure 6: the fit of 7 renewals projects the next 5 within a few per mille of the cohort. */
static void
test_projection(void)
{
	static const int regular[] = {223, 207, 194, 183, 173};
	static const int high_end[] = {468, 445, 427, 409, 394};
	double		worst = 0;

	for (int i = 0; i < 5; i++)
	{
		worst = fmax(worst, fabs(sbg->survival(optima[0].theta, 8 + i) - regular[i] / 1000.));
		worst = fmax(worst, fabs(sbg->survival(optima[1].theta, 8 + i) - high_end[i] / 1000.));
	}
	ok(worst < .018, "sbg: survival of the published series 8 to 12, fitted on 1 to 7, off by %.4f", worst);
}

/* ---------- domain ---------- */

static void
test_check_row(const cvm_family *f)
{
	static const struct
	{
		cvm_row		row;
		const char *wrong;
	}			cases[] = {
		{{.churned = 0, .lifetime = 0, .weight = 1}, NULL},
		{{.churned = 1, .lifetime = 1, .weight = 2.5}, NULL},
		{{.churned = 0, .lifetime = 100000, .weight = 1}, NULL},
		{{.churned = 1, .lifetime = 0, .weight = 1}, "lifetime of 0"},
		{{.churned = 1, .lifetime = 1.5, .weight = 1}, "whole number"},
		{{.churned = 0, .lifetime = -1, .weight = 1}, "whole number"},
		{{.churned = 0, .lifetime = NAN, .weight = 1}, "whole number"},
		{{.churned = 0, .lifetime = INFINITY, .weight = 1}, "whole number"},
		{{.churned = .5, .lifetime = 2, .weight = 1}, "churned"},
		{{.churned = NAN, .lifetime = 2, .weight = 1}, "churned"},
		{{.churned = 0, .lifetime = 2, .weight = 0}, "weight"},
		{{.churned = 0, .lifetime = 2, .weight = NAN}, "weight"},
	};
	int			wrong = 0;

	for (size_t i = 0; i < COUNT(cases); i++)
	{
		const char *says = f->check_row(&cases[i].row);

		wrong += cases[i].wrong == NULL ? says != NULL : says == NULL || !strstr(says, cases[i].wrong);
	}
	ok(wrong == 0, "%s: check_row: %d of %zu rows judged wrongly", f->name, wrong, COUNT(cases));
}

/* ---------- identities ---------- */

static void
random_case(const cvm_family *f, cvm_rng *rng, double spread, double *theta, cvm_row *row)
{
	for (int i = 0; i < f->n_params; i++)
		theta[i] = log_uniform(rng, 1 / spread, spread);
	*row = (cvm_row) {.lifetime = floor(log_uniform(rng, 1, 1e4)) - 1, .weight = 1};
}

/* Probabilities of 0 .. t renewals sum to one, their mean is the expected number, and that is the sum of survivals. */
static void
test_probabilities(const cvm_family *f)
{
	cvm_rng		rng;
	double		worst_sum = 0,
				worst_mean = 0,
				worst_tail = 0,
				worst_likelihood = 0;

	cvm_rng_seed(&rng, 5);
	for (int i = 0; i < 300; i++)
	{
		double		theta[CVM_MAX_PARAMS];
		cvm_row		row;
		int			t = (int) log_uniform(&rng, 1, 3000);
		double		sum = 0,
					mean = 0,
					kept = 0;

		random_case(f, &rng, 100, theta, &row);
		for (int n = 0; n <= t; n++)
		{
			double		p = f->pmf_if_alive(theta, &row, t + .5, n);
			cvm_row		gone = {.churned = 1, .lifetime = n + 1, .weight = 1};

			sum += p;
			mean += n * p;
			kept += n > 0 ? f->survival(theta, n) : 0;
			if (n < 50 && n < t && f->loglik(theta, &gone) > -600)
			{
				cvm_row		fresh = {.weight = 1};

				worst_likelihood = fmax(worst_likelihood, relative_error(log(f->pmf_if_alive(theta, &fresh, t, n)),
																		 f->loglik(theta, &gone), 1));
			}
		}
		worst_sum = fmax(worst_sum, fabs(sum - 1));
		worst_mean = fmax(worst_mean, relative_error(f->expected_if_alive(theta, &row, t), mean, 1e-290));
		worst_tail = fmax(worst_tail, relative_error(f->expected(theta, t), kept, 1e-290));
	}
	ok(worst_sum < 1e-12, "%s: probabilities sum to one, off by %.1e", f->name, worst_sum);
	ok(worst_mean < 1e-9, "%s: their mean is the expected number of renewals, off by %.1e", f->name, worst_mean);
	ok(worst_tail < 1e-10, "%s: expected renewals are the sum of survivals, off by %.1e", f->name, worst_tail);
	ok(worst_likelihood < 1e-11, "%s: the likelihood is the probability, off by %.1e", f->name, worst_likelihood);
}

/* Shapes of the answers on inputs far beyond what a fit gives. */
static void
test_shapes(const cvm_family *f)
{
	cvm_rng		rng;
	int			wrong = 0;

	cvm_rng_seed(&rng, 6);
	for (int i = 0; i < 2000; i++)
	{
		double		theta[CVM_MAX_PARAMS];
		cvm_row		row;
		double		rate = log_uniform(&rng, 1e-6, 10);
		double		near = floor(log_uniform(&rng, 1, 1e4));
		double		far = near + floor(log_uniform(&rng, 1, 1e5));
		double		some,
					more,
					all;

		random_case(f, &rng, 1e4, theta, &row);
		wrong += !(f->survival(theta, near) <= 1 && f->survival(theta, near) >= f->survival(theta, far)
				   && f->survival(theta, far) >= 0);
		some = f->expected_if_alive(theta, &row, near);
		more = f->expected_if_alive(theta, &row, far);
		wrong += !(some >= 0 && some <= near && more >= some * (1 - 1e-12) && more <= far);
		wrong += f->expected_if_alive(theta, &row, 0) != 0 || f->expected(theta, 0.99) != 0;
		some = f->discounted_if_alive(theta, &row, rate, near);
		more = f->discounted_if_alive(theta, &row, rate, far);
		all = f->discounted_if_alive(theta, &row, rate, INFINITY);
		wrong += !(some >= 0 && more >= some * (1 - 1e-12) && all >= more * (1 - 1e-12) && all <= 1 / expm1(rate) * (1 + 1e-12));
		wrong += !(some <= f->expected_if_alive(theta, &row, near));
		wrong += relative_error(f->residual_lifetime(theta, row.lifetime, expm1(rate)), all * exp(rate), 1e-290) > 1e-12;
	}
	ok(wrong == 0, "%s: 2000 legal inputs: %d without a sensible answer", f->name, wrong);
}

/* Without discounting: a mean where the tail is thin enough, none elsewhere. */
static void
test_undiscounted(void)
{
	static const double thin[] = {1.5, 2, 1};
	static const double thick[] = {1, 2, 1};
	static const double rising[] = {.5, 2, 3};
	double		sum = 0;

	ok(sbg->residual_lifetime(thick, 3, 0) == INFINITY && bdw->residual_lifetime(thick, 3, 0) == INFINITY,
	   "no mean lifetime where alpha <= 1");
	close_to(sbg->residual_lifetime(thin, 3, 0), 10, 1e-15, "sbg: mean residual lifetime (beta + t) / (alpha - 1)");
	close_to(bdw->residual_lifetime(thin, 3, 0), 10, 1e-11, "bdw: the same at c = 1");
	for (int t = 1; t < 200000; t++)
		sum += bdw->survival(rising, t);
	close_to(bdw->residual_lifetime(rising, 0, 0), sum + bdw->survival(rising, 2e5) * (2e5 / .5 + .5), 1e-9,
			 "bdw: mean lifetime with rising risk");
}

/* c = 1 is the other family. */
static void
test_nesting(void)
{
	cvm_rng		rng;
	double		worst = 0;

	cvm_rng_seed(&rng, 8);
	for (int i = 0; i < 500; i++)
	{
		double		theta[CVM_MAX_PARAMS];
		cvm_row		row;
		double		rate = log_uniform(&rng, 1e-5, 1);
		double		t = floor(log_uniform(&rng, 1, 1e4));

		random_case(sbg, &rng, 1e3, theta, &row);
		theta[2] = 1;
		row.churned = row.lifetime > 0 && cvm_rng_uniform(&rng) < .5;
		worst = fmax(worst, relative_error(bdw->loglik(theta, &row), sbg->loglik(theta, &row), 1));
		worst = fmax(worst, relative_error(bdw->survival(theta, t), sbg->survival(theta, t), 1e-290));
		worst = fmax(worst, relative_error(bdw->residual_lifetime(theta, t, rate), sbg->residual_lifetime(theta, t, rate), 0));
		worst = fmax(worst, relative_error(bdw->expected_if_alive(theta, &row, t), sbg->expected_if_alive(theta, &row, t), 0));
		worst = fmax(worst, relative_error(bdw->discounted_if_alive(theta, &row, rate, t), sbg->discounted_if_alive(theta, &row, rate, t), 0));
	}
	ok(worst < 1e-10, "bdw at c = 1 is sbg, off by %.1e", worst);
}

/*
 * bdw where t^c is beyond any double at the later end of a period, at both, or at
 * none: derivatives against differences of fourth order.
 */
static void
test_far_tenures(void)
{
	static const double cases[][3] = {{.5, 2, 200}, {1.5, .1, 100}, {.02, 30, 300}, {3, 3, 90}, {.1, 1, 1000}};
	static const double steps[] = {-2, -1, 1, 2};
	static const double weights[] = {1, -8, 8, -1};
	const double h = 2e-4;
	double		worst_grad = 0,
				worst_hess = 0;

	for (size_t i = 0; i < COUNT(cases); i++)
		for (int t = 2; t < 40; t++)
		{
			cvm_row		row = {.churned = t % 3 > 0, .lifetime = t, .weight = 1};
			cvm_table  *table = cvm_table_new(CVM_RETENTION, &cvm_plain_env);
			double		value,
						grad[3],
						hess[9];

			cvm_table_add(table, &row);
			cvm_table_finish(table);
			bdw->table_loglik(table, cases[i], &value, grad, hess);
			for (int k = 0; k < 3; k++)
			{
				double		slope = 0,
							curve[3] = {0};

				for (int m = 0; m < 4; m++)
				{
					double		at[3] = {cases[i][0], cases[i][1], cases[i][2]},
								v,
								g[3];

					at[k] *= exp(steps[m] * h);
					bdw->table_loglik(table, at, &v, g, NULL);
					slope += weights[m] * (v - value) / (12 * h);
					for (int j = 0; j < 3; j++)
						curve[j] += weights[m] * g[j] / (12 * h);
				}
				worst_grad = fmax(worst_grad, fabs(slope - grad[k]) / (1 + fabs(value)));
				for (int j = 0; j < 3; j++)
					worst_hess = fmax(worst_hess, fabs(curve[j] - hess[3 * k + j]) / (1 + fabs(value)));
			}
			cvm_table_free(table);
		}
	ok(worst_grad < 1e-8, "bdw: gradient at tenures beyond any double, off by %.1e", worst_grad);
	ok(worst_hess < 1e-8, "bdw: Hessian at tenures beyond any double, off by %.1e", worst_hess);
}

/* ---------- simulation ---------- */

static void
test_simulation(const cvm_family *f)
{
	static const double theta[] = {.8, 2.5, 1.4};
	static const double loyal[] = {1e-3, 1e3, 1e-3};
	const int	runs = 200000;
	cvm_row		row = {.lifetime = 3, .weight = 1};
	double		times[40];
	double		renewals = 0,
				money = 0,
				late = 0,
				churned = 0;
	int			wrong = 0;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 12);
	for (int i = 0; i < runs; i++)
	{
		int			n = f->simulate_if_alive(theta, &row, &rng, 30.5, times, 40);
		cvm_row		fresh = {.lifetime = 10, .weight = 1};

		renewals += n;
		late += n >= 4;
		for (int k = 0; k < n; k++)
		{
			money += exp(-.1 * times[k]);
			wrong += times[k] != k + 1;
		}
		f->simulate(theta, &rng, &fresh);
		wrong += f->check_row(&fresh) != NULL || fresh.lifetime > 10;
		churned += fresh.churned;
	}
	ok(wrong == 0, "%s: simulated renewals come at 1, 2, ..., simulated rows are legal", f->name);
	ok(fabs(renewals / runs / f->expected_if_alive(theta, &row, 30.5) - 1) < .01, "%s: simulated renewals %.4f for %.4f",
	   f->name, renewals / runs, f->expected_if_alive(theta, &row, 30.5));
	ok(fabs(money / runs / f->discounted_if_alive(theta, &row, .1, 30.5) - 1) < .01, "%s: simulated discounted renewals %.4f for %.4f",
	   f->name, money / runs, f->discounted_if_alive(theta, &row, .1, 30.5));
	ok(fabs(late / runs - f->pmf_if_alive(theta, &row, 4, 4)) < .005, "%s: simulated chance of 4 renewals %.4f for %.4f",
	   f->name, late / runs, f->pmf_if_alive(theta, &row, 4, 4));
	ok(fabs(churned / runs - (1 - f->survival(theta, 10))) < .005, "%s: simulated churn within 10 renewals %.4f for %.4f",
	   f->name, churned / runs, 1 - f->survival(theta, 10));
	ok(f->simulate_if_alive(loyal, &row, &rng, 1e9, times, 7) == 7, "%s: simulate_if_alive stops at max", f->name);
}

static void
test_ends(const cvm_family *f)
{
	static const double theta[] = {.8, 2.5, 1.4};
	cvm_row		row = {.lifetime = 3, .weight = 1};
	cvm_row		gone = {.churned = 1, .lifetime = 3, .weight = 1};
	double		next = f->survival(theta, 4) / f->survival(theta, 3);

	ok(f->p_alive(theta, &row) == 1 && f->p_alive(theta, &gone) == 0, "%s: whether a contract runs is known", f->name);
	ok(f->next_purchase_if_alive(theta, &row, next * .999) == 1 && f->next_purchase_if_alive(theta, &row, next * 1.001) == INFINITY,
	   "%s: the next renewal comes at 1 or never", f->name);
	ok(f->survival(theta, 0) == 1 && f->survival(theta, .99) == 1 && f->survival(theta, 2.7) == f->survival(theta, 2),
	   "%s: nothing happens between renewals", f->name);
	ok(f->pmf_if_alive(theta, &row, 5, -1) == 0 && f->pmf_if_alive(theta, &row, 5, 6) == 0 && f->pmf_if_alive(theta, &row, .5, 0) == 1,
	   "%s: no more renewals than periods", f->name);
	ok(f->expected_spend == NULL, "%s: has no spend", f->name);
}

/* ---------- campaign ---------- */

typedef struct target
{
	const cvm_family *family;
	const cvm_table *table;
} target;

static int
objective(void *context, const double *at, double *value, double *gradient, double *hessian)
{
	const target *t = context;
	double		theta[CVM_MAX_PARAMS];

	for (int i = 0; i < t->family->n_params; i++)
		theta[i] = exp(at[i]);
	return t->family->table_loglik(t->table, theta, value, gradient, hessian);
}

/* The best interior maximum that climbs from random points find. */
static double
best_of_others(const cvm_family *f, const cvm_table *table, cvm_rng *rng)
{
	target		t = {f, table};
	double		best = -INFINITY;

	for (int k = 0; k < 6; k++)
	{
		double		start[CVM_MAX_PARAMS];
		cvm_maximum found;

		for (int i = 0; i < f->n_params; i++)
			start[i] = log(log_uniform(rng, 1e-2, 1e2));
		cvm_maximise(objective, &t, f->n_params, start, 20, 300, &found);
		if (found.converged)
			best = fmax(best, found.value);
	}
	return best;
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* 20,000 contracts, renewed daily for up to forty years: thousands of distinct lifetimes. */
static void
test_long_tenures(const cvm_family *f)
{
	static const double theta[] = {.7, 5000, 1};
	cvm_table  *table = cvm_table_new(CVM_RETENTION, &cvm_plain_env);
	double		truth,
				began;
	cvm_fit_result fit = {0};
	cvm_status	status;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 31);
	for (int k = 0; k < 20000; k++)
	{
		cvm_row		row = {.lifetime = ceil(15000 * cvm_rng_uniform(&rng)), .weight = 1};

		f->simulate(theta, &rng, &row);
		cvm_table_add(table, &row);
	}
	cvm_table_finish(table);
	f->table_loglik(table, theta, &truth, NULL, NULL);
	began = seconds();
	status = cvm_fit(f, table, &cvm_plain_env, &fit);
	ok(status == CVM_OK && fit.rung == CVM_RUNG_FULL && fit.loglik >= truth && cvm_table_rows(table) > 10000
	   && seconds() - began < 1, "%s: lifetimes of up to 15,000 renewals are fitted within a second", f->name);
	for (int i = 0; i < f->n_params; i++)
		ok(fabs(fit.theta[i] - theta[i]) < 4 * sqrt(fit.covariance[i][i]), "%s: %s = %.4g for %.4g", f->name, f->params[i], fit.theta[i], theta[i]);
	cvm_table_free(table);
}

/*
 * Random truths from hardly any churn to hardly any renewal, 50 to 20,000
 * customers seen for up to 1 to 60 decisions: every fit ends with a usable model,
 * and a full one is as likely as the truth and as any other maximum.
 */
static void
test_campaign(const cvm_family *f)
{
	int			runs = getenv("CVM_SOAK") && atoi(getenv("CVM_SOAK")) ? 1000 : 30;
	int			failed = 0,
				penalised = 0,
				loyal = 0;
	double		slowest = 0;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 20260103);
	for (int i = 0; i < runs; i++)
	{
		cvm_table  *table = cvm_table_new(CVM_RETENTION, &cvm_plain_env);
		int			customers = (int) log_uniform(&rng, 50, 20000);
		double		longest = log_uniform(&rng, 1, 60);
		double		theta[CVM_MAX_PARAMS];
		double		truth,
					churned = 0,
					start = seconds();
		cvm_row		row;
		cvm_fit_result fit = {0};
		cvm_status	status;
		bool		good;

		random_case(f, &rng, 100, theta, &row);
		for (int k = 0; k < customers; k++)
		{
			row = (cvm_row) {.lifetime = ceil(longest * cvm_rng_uniform(&rng)), .weight = 1};
			f->simulate(theta, &rng, &row);
			churned += row.churned;
			cvm_table_add(table, &row);
		}
		cvm_table_finish(table);
		f->table_loglik(table, theta, &truth, NULL, NULL);
		status = cvm_fit(f, table, &cvm_plain_env, &fit);
		slowest = fmax(slowest, seconds() - start);
		good = status == CVM_OK && cvm_in_domain(f, fit.theta) && isfinite(fit.loglik) && fit.gradient_norm < 1e-5
			&& fit.has_covariance;
		if (good && fit.rung == CVM_RUNG_FULL)
			good = fit.loglik >= truth - 1e-9 * fabs(truth)
				&& fit.loglik >= best_of_others(f, table, &rng) - 1e-9 * (1 + fabs(fit.loglik));
		if (churned == 0)
		{
			loyal++;
			good = status == CVM_NO_DATA;
		}
		penalised += fit.rung == CVM_RUNG_PENALISED;
		failed += !good;
		if (!good)
			printf("# run %d: %d customers, %g churned within %g, status %d, rung %d, log-likelihood %.9g (truth %.9g), gradient %.1e, from (%g, %g, %g) to (%g, %g, %g)\n",
				   i, customers, churned, longest, status, fit.rung, fit.loglik, truth, fit.gradient_norm,
				   theta[0], theta[1], theta[2], fit.theta[0], fit.theta[1], fit.theta[2]);
		cvm_table_free(table);
	}
	ok(failed == 0, "%s: %d of %d random fits failed; %d penalised, %d without churn", f->name, failed, runs, penalised, loyal);
	ok(slowest < 1, "%s: each took less than a second", f->name);
}

int
main(void)
{
	const cvm_family *family;

	sbg = cvm_family_find("sbg");
	bdw = cvm_family_find("bdw");
	check_truths(sbg, "vectors", vectors_sbg, COUNT(vectors_sbg), 1e-10);
	check_truths(sbg, "hostile", hostile_sbg, COUNT(hostile_sbg), 1e-10);
	check_truths(bdw, "vectors", vectors_bdw, COUNT(vectors_bdw), 1e-10);
	check_truths(bdw, "hostile", hostile_bdw, COUNT(hostile_bdw), 1e-10);
	test_published();
	test_series();
	test_projection();
	test_undiscounted();
	test_nesting();
	test_far_tenures();
	for (int i = 0; (family = cvm_family_at(i)) != NULL; i++)
	{
		if (family->kind != CVM_RETENTION)
			continue;
		test_check_row(family);
		test_ends(family);
		test_probabilities(family);
		test_shapes(family);
		test_simulation(family);
		test_long_tenures(family);
		test_campaign(family);
	}
	return done_testing();
}
