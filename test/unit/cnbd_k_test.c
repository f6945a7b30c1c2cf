/*
 * cnbd_k_test.c: BG/CNBD-k and MBG/CNBD-k against published vectors, fifty-digit
 * truth (truth/hostile_cnbd.py), and the families of which they are the k = 1.
 * What holds for every family is in family_test.c.
 */
#include "math/optimise.h"
#include "math/random.h"
#include "models/table.h"
#include "truth_table.h"

#include "truth/hostile_bg_cnbd_k.h"
#include "truth/hostile_mbg_cnbd_k.h"
#include "truth/vectors_bg_cnbd_k.h"
#include "truth/vectors_mbg_cnbd_k.h"

#include <string.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static double
log_uniform(cvm_rng *rng, double low, double high)
{
	return low * pow(high / low, cvm_rng_uniform(rng));
}

/* k = 1 is the family of exponential intervals, which is computed in another way. */
static void
test_one_stage(const cvm_family *f, const cvm_family *plain)
{
	double		worst = 0;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 31);
	for (int i = 0; i < 400; i++)
	{
		double		theta[] = {
			1, log_uniform(&rng, .02, 50), log_uniform(&rng, .1, 200), log_uniform(&rng, .02, 50), log_uniform(&rng, .02, 50)
		};
		cvm_row		row = {.age = log_uniform(&rng, 1, 1000), .weight = 1};
		double		t = log_uniform(&rng, .1, 3000);
		double		rate = log_uniform(&rng, 1e-4, 1);
		int			n = i % 7;

		plain->simulate(theta + 1, &rng, &row);
		worst = fmax(worst, relative_error(f->loglik(theta, &row), plain->loglik(theta + 1, &row), 1));
		worst = fmax(worst, relative_error(f->p_alive(theta, &row), plain->p_alive(theta + 1, &row), 0));
		worst = fmax(worst, relative_error(f->expected(theta, t), plain->expected(theta + 1, t), 0));
		worst = fmax(worst, relative_error(f->expected_if_alive(theta, &row, t), plain->expected_if_alive(theta + 1, &row, t), 0));
		worst = fmax(worst, relative_error(f->discounted_if_alive(theta, &row, rate, t),
										   plain->discounted_if_alive(theta + 1, &row, rate, t), 0));
		worst = fmax(worst, relative_error(f->discounted_if_alive(theta, &row, rate, INFINITY),
										   plain->discounted_if_alive(theta + 1, &row, rate, INFINITY), 0));
		worst = fmax(worst, relative_error(f->pmf_if_alive(theta, &row, t, n), plain->pmf_if_alive(theta + 1, &row, t, n), 1e-290));
		worst = fmax(worst, relative_error(f->next_purchase_if_alive(theta, &row, .5),
										   plain->next_purchase_if_alive(theta + 1, &row, .5), 0));
	}
	ok(worst < 1e-11, "%s at k = 1 is %s, off by %.1e", f->name, plain->name, worst);
}

static void
test_check_row(const cvm_family *f)
{
	static const struct
	{
		cvm_row		row;
		const char *wrong;
	}			cases[] = {
		{{.x = 0, .weight = 1}, NULL},
		{{.x = 1, .t_x = 2, .age = 2, .log_intervals = .6931471805599453, .weight = 1}, NULL},
		{{.x = 2, .t_x = 8, .age = 9, .log_intervals = -3, .weight = 1}, NULL},
		{{.x = 2, .t_x = 8, .age = 9, .log_intervals = 3, .weight = 1}, "greater than that of equal intervals"},
		{{.x = 2, .t_x = 8, .age = 9, .log_intervals = -INFINITY, .weight = 1}, "two purchases coincide"},
		{{.x = 2, .t_x = 8, .age = 9, .log_intervals = NAN, .weight = 1}, "not finite"},
		{{.x = 0, .age = 9, .log_intervals = 1, .weight = 1}, "without a repeat purchase"},
		{{.x = 1.5, .t_x = 2, .age = 2, .weight = 1}, "whole number"},
		{{.x = 1, .t_x = 3, .age = 2, .weight = 1}, "t_x is greater than age"},
		{{.x = 0, .age = 1, .weight = -1}, "weight"},
	};
	int			wrong = 0;

	for (size_t i = 0; i < COUNT(cases); i++)
	{
		const char *says = f->check_row(&cases[i].row);

		wrong += cases[i].wrong == NULL ? says != NULL : says == NULL || !strstr(says, cases[i].wrong);
	}
	ok(wrong == 0, "%s, check_row: %d of %zu rows judged wrongly", f->name, wrong, COUNT(cases));
}

/* k is a whole number of those searched. */
static void
test_domain(const cvm_family *f)
{
	static const double ks[] = {1, 12, 2.5, 0, 13, -1, NAN};
	int			wrong = 0;

	for (size_t i = 0; i < COUNT(ks); i++)
	{
		double		theta[] = {ks[i], 1, 1, 1, 1};

		wrong += cvm_in_domain(f, theta) != (i < 2);
	}
	ok(wrong == 0, "%s: k is a whole number from 1 to 12", f->name);
}

/* Nearly certain stages make a clock: k = 12, lambda and p known, purchases every 12 / lambda. */
static void
test_clock(const cvm_family *f)
{
	static const double theta[] = {12, 1e6, 1e6 / 12, 1e-3, 1e6};
	cvm_row		row = {.x = 10, .t_x = 10, .age = 10, .weight = 1};

	ok(fabs(f->next_purchase_if_alive(theta, &row, .5) - .9722) < 1e-3,
	   "%s: the median of an Erlang-12 interval of mean 1: %.4f", f->name, f->next_purchase_if_alive(theta, &row, .5));
	ok(fabs(f->expected_if_alive(theta, &row, 100) - (100 - .5 + 1 / 24.)) < 1e-2,
	   "%s: renewals in 100 mean intervals, less half an interval, plus half the variance: %.4f", f->name,
	   f->expected_if_alive(theta, &row, 100));
}

/*
 * Rates that overflow, and densities of lambda far narrower than a double: all
 * purchases of a lifetime are made, (a + b - 1) / (a - 1) but for the k-th part of
 * an interval, and soon.
 */
static void
test_rush(const cvm_family *f)
{
	static const double thetas[][5] = {
		{3, 1e300, 1e-300, 1e10, 1e-10}, {3, 1e300, 1e-300, 2, 3}, {3, 1e20, 1e-20, 2, 3}, {12, 1e14, 1e-4, 3, 4}
	};
	double		new_customer = strcmp(f->name, "mbg/cnbd-k") == 0;	/* leaves at the first purchase already */
	double		worst = 0;
	clock_t		start = clock();
	double		seconds;

	for (size_t i = 0; i < COUNT(thetas); i++)
	{
		double		a = thetas[i][3],
					b = thetas[i][4];
		double		stays = new_customer ? b / (a + b) : 1;
		double		left = new_customer ? b + 1 : b;

		worst = fmax(worst, relative_error(f->expected(thetas[i], 1), stays * (a + left - 1) / (a - 1), 1e-15));
	}
	seconds = (double) (clock() - start) / CLOCKS_PER_SEC;
	ok(worst < 1e-10 && seconds < 0.5, "%s: an endless rate, off by %.1e", f->name, worst);
	worst = 0;
	for (double horizon = 20; horizon > 0; horizon = isinf(horizon) ? 0 : INFINITY)
	{
		static const double large[] = {3, 1e15, 2e15, 2, 3};
		static const double huge[] = {3, 1e300, 2e300, 2, 3};
		cvm_row		row = {.x = 0,.age = 5,.weight = 1};

		worst = fmax(worst, relative_error(f->discounted_if_alive(huge, &row, .01, horizon),
										   f->discounted_if_alive(large, &row, .01, horizon), 0));
	}
	ok(worst < 1e-12, "%s: discounting at a rate known for certain, off by %.1e", f->name, worst);
}

/* Sums over stages and the integral over lambda meet where one hands over to the other. */
static void
test_seam(const cvm_family *f)
{
	double		worst = 0;

	for (int k = 1; k <= 12; k++)
		for (double r = .05; r < 60; r *= 3.3)
		{
			double		theta[] = {k, r, 8, .8, 2.4};
			cvm_row		row = {.x = 3, .t_x = 14, .age = 20, .weight = 1};
			double		t = 60;
			double		by_lambda = f->discounted_if_alive(theta, &row, 1e-16, t);

			worst = fmax(worst, fabs(by_lambda / f->expected_if_alive(theta, &row, t) - 1));
		}
	ok(worst < 1e-12, "%s: sums over stages and integrals over lambda agree, off by %.1e", f->name, worst);
}

/* Data that have no interior maximum, and data that are none. */
static void
test_boundaries(const cvm_family *f)
{
	static const struct
	{
		const char *what;
		cvm_row		row[3];
		cvm_status	status;
		cvm_rung	rung;
	}			cases[] = {
		{"no repeat purchase", {{.age = 10, .weight = 5}}, CVM_NO_DATA, CVM_RUNG_FULL},
		{"one customer", {{.x = 1, .t_x = 3, .age = 10, .log_intervals = 1.0986, .weight = 1}}, CVM_OK, CVM_RUNG_PENALISED},
		{"a million clocks", {{.x = 10, .t_x = 20, .age = 20, .log_intervals = 6.9314, .weight = 1e6}}, CVM_OK, CVM_RUNG_PENALISED},
		{"nobody leaves", {{.x = 5, .t_x = 20, .age = 20, .log_intervals = 6, .weight = 100},
		{.x = 10, .t_x = 20, .age = 20, .log_intervals = 5, .weight = 100},
		{.x = 20, .t_x = 20, .age = 20, .log_intervals = -9, .weight = 100}}, CVM_OK, CVM_RUNG_PENALISED},
	};

	for (size_t i = 0; i < COUNT(cases); i++)
	{
		cvm_table  *table = cvm_table_new(CVM_PURCHASES, &cvm_plain_env);
		cvm_fit_result fit = {.rung = CVM_RUNG_FULL};
		cvm_status	status;

		for (int k = 0; k < 3 && cases[i].row[k].weight > 0; k++)
			cvm_table_add(table, &cases[i].row[k]);
		cvm_table_finish(table);
		status = cvm_fit(f, table, &cvm_plain_env, &fit);
		ok(status == cases[i].status && fit.rung == cases[i].rung
		   && (status != CVM_OK || (cvm_in_domain(f, fit.theta) && isfinite(fit.loglik) && fit.gradient_norm < 1e-7 && fit.has_covariance)),
		   "%s, %s: status %d, rung %d, (%g, %g, %g, %g, %g)", f->name, cases[i].what, status, fit.rung,
		   fit.theta[0], fit.theta[1], fit.theta[2], fit.theta[3], fit.theta[4]);
		cvm_table_free(table);
	}
}

/* The likelihood at one k, as the optimiser wants it. */
typedef struct profile
{
	const cvm_family *family;
	const cvm_table *table;
	double		k;
} profile;

static int
objective(void *context, const double *at, double *value, double *gradient, double *hessian)
{
	const profile *p = context;
	double		theta[5] = {p->k};
	double		grad[5],
				hess[25];

	for (int i = 0; i < 4; i++)
		theta[i + 1] = exp(at[i]);
	if (p->family->table_loglik(p->table, theta, value, grad, hess) != CVM_OK)
		return 1;
	for (int i = 0; i < 4; i++)
	{
		gradient[i] = grad[i + 1];
		for (int j = 0; j < 4; j++)
			hessian[4 * i + j] = hess[5 * (i + 1) + j + 1];
	}
	return 0;
}

/* The largest likelihood over every k and start, without the shortcuts of a fit. */
static double
exhaustive(const cvm_family *f, const cvm_table *table)
{
	double		best = -INFINITY;

	for (int k = 1; k <= f->searched; k++)
	{
		double		starts[8][CVM_MAX_PARAMS] = {{k}};
		int			n = f->starts(table, starts, 8);
		profile		p = {f, table, k};

		for (int i = 0; i < n; i++)
		{
			double		at[4];
			cvm_maximum found;

			for (int j = 0; j < 4; j++)
				at[j] = log(starts[i][j + 1]);
			if (cvm_maximise(objective, &p, 4, at, 20, 200, &found) == 0 && found.value > best)
				best = found.value;
		}
	}
	return best;
}

/* k comes back, and no other value nor start is likelier; the table is large enough to be searched by a sample first. */
static void
test_search(const cvm_family *f)
{
	cvm_rng		rng;
	int			wrong = 0;
	double		worst = 0;

	cvm_rng_seed(&rng, 37);
	for (int k = 1; k <= 8; k++)
	{
		double		theta[] = {k, 1.4, 8. / k, .8, 2.5};
		cvm_table  *table = cvm_table_new(CVM_PURCHASES, &cvm_plain_env);
		cvm_fit_result fit;

		for (int i = 0; i < 12000; i++)
		{
			cvm_row		row = {.age = 20 + 30 * cvm_rng_uniform(&rng), .weight = 1};

			f->simulate(theta, &rng, &row);
			cvm_table_add(table, &row);
		}
		cvm_table_finish(table);
		wrong += cvm_fit(f, table, &cvm_plain_env, &fit) != CVM_OK || fit.theta[0] != k || fit.rung != CVM_RUNG_FULL;
		if (k % 4 == 2)
			worst = fmax(worst, exhaustive(f, table) - fit.loglik);
		cvm_table_free(table);
	}
	ok(wrong == 0, "%s: k from 1 to 8 found from 12,000 customers: %d wrong", f->name, wrong);
	ok(worst < 1e-7, "%s: no k and no start is likelier, by more than %.1e", f->name, worst);
}

static FILE *
open_data(const char *file)
{
	char		path[4096];
	const char *folder = getenv("CVM_DATA");

	snprintf(path, sizeof(path), "%s/%s", folder ? folder : "../shared/data", file);
	return fopen(path, "r");
}

/* Days since 1970-01-01 of yyyymmdd (Hinnant's civil calendar). */
static int
day_of(int date)
{
	int			y = date / 10000 - (date / 100 % 100 <= 2);
	int			m = date / 100 % 100;
	int			day = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + date % 100 - 1;

	return y / 400 * 146097 + y % 400 * 365 + y % 400 / 4 - y % 400 / 100 + day - 719468;
}

/* CDNOW's sample as of 1997-09-30, days as periods, weeks as unit, with the logarithms of intervals. */
static cvm_table *
cdnow(FILE *file)
{
	cvm_table  *table = cvm_table_new(CVM_PURCHASES, &cvm_plain_env);
	int			as_of = day_of(19970930);
	int			customer = 0,
				first = 0,
				last = 0,
				id,
				date;
	cvm_row		row = {.weight = 1};
	char		line[256];

	while (fgets(line, sizeof(line), file))
	{
		if (sscanf(line, "%d %*d %d", &id, &date) != 2 || day_of(date) > as_of)
			continue;
		if (id != customer)
		{
			if (customer > 0)
				cvm_table_add(table, &row);
			customer = id;
			first = last = day_of(date);
			row = (cvm_row) {.age = (as_of - first) / 7.0, .weight = 1};
		}
		if (day_of(date) > last)
		{
			row.x++;
			row.log_intervals += log((day_of(date) - last) / 7.0);
			last = day_of(date);
			row.t_x = (last - first) / 7.0;
		}
	}
	cvm_table_add(table, &row);
	cvm_table_finish(table);
	return table;
}

/* CDNOW's customers are irregular (Reutterer, Platzer & Schroeder 2021): k = 1, and then the plain family's maximum. */
static void
test_cdnow(void)
{
	FILE	   *file = open_data("cdnow_sample.txt");
	cvm_table  *table;

	if (file == NULL)
	{
		skip("CDNOW", "no data");
		return;
	}
	table = cdnow(file);
	fclose(file);
	ok(cvm_table_customers(table) == 2357, "CDNOW: 2357 customers");
	for (int i = 0; i < 2; i++)
	{
		const cvm_family *f = cvm_family_find(i == 0 ? "bg/cnbd-k" : "mbg/cnbd-k");
		const cvm_family *plain = cvm_family_find(i == 0 ? "bg/nbd" : "mbg/nbd");
		cvm_fit_result fit,
					expected;
		double		worst = 0;

		cvm_fit(f, table, &cvm_plain_env, &fit);
		cvm_fit(plain, table, &cvm_plain_env, &expected);
		for (int k = 0; k < 4; k++)
			worst = fmax(worst, relative_error(fit.theta[k + 1], expected.theta[k], 0));
		ok(fit.theta[0] == 1 && worst < 1e-8 && fabs(fit.loglik - expected.loglik) < 1e-8,
		   "CDNOW, %s: k = %g, parameters of %s, off by %.1e, log-likelihood %.6f", f->name, fit.theta[0], plain->name, worst, fit.loglik);
	}
	cvm_table_free(table);
}

int
main(void)
{
	for (int i = 0; i < 2; i++)
	{
		const cvm_family *f = cvm_family_find(i == 0 ? "bg/cnbd-k" : "mbg/cnbd-k");

		if (i == 0)
		{
			check_truths(f, "bg vectors", vectors_bg_cnbd_k, COUNT(vectors_bg_cnbd_k), 1e-10);
			check_truths(f, "bg hostile", hostile_bg_cnbd_k, COUNT(hostile_bg_cnbd_k), 1e-10);
		}
		else
		{
			check_truths(f, "mbg vectors", vectors_mbg_cnbd_k, COUNT(vectors_mbg_cnbd_k), 1e-10);
			check_truths(f, "mbg hostile", hostile_mbg_cnbd_k, COUNT(hostile_mbg_cnbd_k), 1e-10);
		}
		test_one_stage(f, cvm_family_find(i == 0 ? "bg/nbd" : "mbg/nbd"));
		test_check_row(f);
		test_domain(f);
		test_clock(f);
		test_rush(f);
		test_seam(f);
		test_boundaries(f);
		test_search(f);
	}
	test_cdnow();
	return done_testing();
}
