/*
 * bg_bb_test.c: BG/BB against published vectors and tables, fifty-digit truth
 * (truth/hostile_bb.py) and the donations of the paper.  What holds for every
 * family is in family_test.c.
 */
#include "models/table.h"
#include "truth_table.h"

#include "truth/hostile_bg_bb.h"
#include "truth/vectors_bg_bb.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const cvm_family *f;

/* Donors of 1995 by number and year of the last donation, 1996 to 2001 (Fader, Hardie & Shang 2010, table 1). */
static const double donors[][3] = {
	{0, 0, 3464}, {1, 1, 1091}, {1, 2, 277}, {1, 3, 129}, {1, 4, 78}, {1, 5, 119}, {1, 6, 129},
	{2, 2, 613}, {2, 3, 255}, {2, 4, 155}, {2, 5, 173}, {2, 6, 234}, {3, 3, 322}, {3, 4, 181},
	{3, 5, 225}, {3, 6, 357}, {4, 4, 240}, {4, 5, 284}, {4, 6, 512}, {5, 5, 335}, {5, 6, 728}, {6, 6, 1203}
};

/* The maximum to ten digits (formulas, section 2), the paper's to three. */
static const double optimum[] = {1.2035223516, .7497163582, .6567182084, 2.7834422326};
static const double published[] = {1.204, .750, .657, 2.783};

static cvm_row
donor(size_t i)
{
	return (cvm_row) {.x = donors[i][0], .t_x = donors[i][1], .age = 6, .weight = donors[i][2]};
}

static cvm_table *
donations(void)
{
	cvm_table  *table = cvm_table_new(CVM_PURCHASES, &cvm_plain_env);

	for (size_t i = 0; i < COUNT(donors); i++)
	{
		cvm_row		row = donor(i);

		cvm_table_add(table, &row);
	}
	cvm_table_finish(table);
	return table;
}

static void
expect_optimum(const char *what, const cvm_table *table)
{
	static const double errors[] = {0.06939136236460594, 0.029447716656659545, 0.051009858901906374, 0.3208190026766844};
	cvm_fit_result fit;
	cvm_status	status = cvm_fit(f, table, &cvm_plain_env, &fit);
	double		worst = 0,
				worst_error = 0,
				rounding = 0;

	for (int i = 0; i < 4; i++)
	{
		worst = fmax(worst, relative_error(fit.theta[i], optimum[i], 0));
		worst_error = fmax(worst_error, relative_error(sqrt(fit.covariance[i][i]), errors[i], 0));
		rounding = fmax(rounding, fabs(fit.theta[i] - published[i]));
	}
	ok(status == CVM_OK && fit.rung == CVM_RUNG_FULL && fit.customers == 11104, "%s: 11,104 donors", what);
	ok(worst < 1e-9, "%s: parameters, off by %.1e", what, worst);
	ok(rounding < 6e-4, "%s: the paper's three digits, off by %.1e", what, rounding);
	ok(fabs(fit.loglik - -33225.581274347) < 1e-8, "%s: log-likelihood -33225.581274347, off by %.1e", what,
	   fabs(fit.loglik - -33225.581274347));
	ok(worst_error < 1e-6, "%s: standard errors, off by %.1e", what, worst_error);
}

static void
test_donations(void)
{
	cvm_table  *table = donations();

	expect_optimum("donations", table);
	cvm_table_free(table);
}

/* The file: frequency, recency, periods, weights. */
static void
test_donations_file(void)
{
	const char *folder = getenv("CVM_DATA");
	char		line[4096];
	FILE	   *file;
	cvm_table  *table;

	snprintf(line, sizeof(line), "%s/donations.csv", folder ? folder : "../shared/data");
	file = fopen(line, "r");
	if (file == NULL)
	{
		skip("donations.csv", "no data");
		return;
	}
	table = cvm_table_new(CVM_PURCHASES, &cvm_plain_env);
	while (fgets(line, sizeof(line), file))
	{
		cvm_row		row = {0};

		if (sscanf(line, "%lf,%lf,%lf,%lf", &row.x, &row.t_x, &row.age, &row.weight) == 4)
			cvm_table_add(table, &row);
	}
	fclose(file);
	cvm_table_finish(table);
	expect_optimum("donations.csv", table);
	cvm_table_free(table);
}

/* What the paper prints of the donors, at the maximum (its tables 2 to 5; formulas, section 2). */
static void
test_tables(void)
{
	static const double once[] = {.07, .25, .48, .68, .83, .93};	/* P(alive in 2002) by t_x, x = 1 */
	static const double counts[] = {3454.9, 1888.7, 1348.9, 1113.4, 1017.9, 1027.2, 1253.1};
	double		worst = 0,
				total = 0,
				largest = 0;
	cvm_row		never = {.age = 6, .weight = 1};
	cvm_row		two = {.x = 2, .t_x = 4, .age = 6, .weight = 1};
	cvm_row		all = {.x = 6, .t_x = 6, .age = 6, .weight = 1};
	cvm_row		fresh = {.weight = 1};

	for (int i = 0; i < 6; i++)
	{
		cvm_row		row = {.x = 1, .t_x = i + 1, .age = 6, .weight = 1};

		worst = fmax(worst, fabs(f->p_alive(optimum, &row) - once[i]));
	}
	worst = fmax(worst, fabs(f->p_alive(optimum, &never) - .11));
	worst = fmax(worst, fabs(f->p_alive(optimum, &two) - .59));
	worst = fmax(worst, fabs(f->p_alive(optimum, &all) - .93));
	ok(worst < .0051, "P(alive in 2002) as printed, off by %.4f", worst);
	ok(fabs(f->p_alive(optimum, &two) * f->expected_if_alive(optimum, &two, 5) - 1.06) < .0051
	   && fabs(f->p_alive(optimum, &all) * f->expected_if_alive(optimum, &all, 5) - 3.75) < .0051
	   && fabs(f->p_alive(optimum, &never) * f->expected_if_alive(optimum, &never, 5) - .07) < .0051,
	   "expected donations of 2002 to 2006 as printed");
	for (size_t i = 0; i < COUNT(donors); i++)
	{
		cvm_row		row = donor(i);

		total += row.weight * f->p_alive(optimum, &row) * f->expected_if_alive(optimum, &row, 5);
	}
	ok(fabs(total - 12884.2) < .051, "donations expected of all: %.1f", total);
	for (int n = 0; n <= 6; n++)
	{
		double		p = f->p_alive(optimum, &fresh);
		double		share = p * f->pmf_if_alive(optimum, &fresh, 6, n) + (n == 0 ? 1 - p : 0);

		largest = fmax(largest, fabs(11104 * share - counts[n]));
	}
	ok(largest < .051, "donors by number of donations as printed, off by %.2f", largest);
	ok(fabs(f->expected(optimum, 10) - 3.17983) < 6e-6, "E[X(10)] as printed");
}

static void
test_check_row(void)
{
	static const struct
	{
		cvm_row		row;
		const char *wrong;
	}			cases[] = {
		{{.x = 0, .weight = 1}, NULL},
		{{.x = 2, .t_x = 2, .age = 2, .weight = 1}, NULL},
		{{.x = 1.5, .t_x = 2, .age = 2, .weight = 1}, "whole number of repeat"},
		{{.x = 1, .t_x = 1.5, .age = 2, .weight = 1}, "t_x is not a whole number"},
		{{.x = 1, .t_x = 1, .age = 2.5, .weight = 1}, "age is not a whole number"},
		{{.x = 3, .t_x = 2, .age = 4, .weight = 1}, "at most one purchase an opportunity"},
		{{.x = 1, .t_x = 3, .age = 2, .weight = 1}, "t_x is greater than age"},
		{{.x = 0, .t_x = 1, .age = 2, .weight = 1}, "without a repeat purchase"},
		{{.x = 1, .t_x = 0, .age = 2, .weight = 1}, "at most one purchase"},
		{{.x = NAN, .age = 2, .weight = 1}, "whole number"},
		{{.x = 0, .age = INFINITY, .weight = 1}, "age is not"},
		{{.x = 0, .age = 2e6, .weight = 1}, "a million opportunities"},
		{{.x = 0, .age = 1, .weight = NAN}, "weight"},
	};
	int			wrong = 0;

	for (size_t i = 0; i < COUNT(cases); i++)
	{
		const char *says = f->check_row(&cases[i].row);

		wrong += cases[i].wrong == NULL ? says != NULL : says == NULL || !strstr(says, cases[i].wrong);
	}
	ok(wrong == 0, "check_row: %d of %zu rows judged wrongly", wrong, COUNT(cases));
}

static void
test_limits(void)
{
	static const double steady[] = {1.2, .8, 3, 5};
	static const double hurried[] = {1.2, .8, 9, 5};
	cvm_row		row = {.x = 2, .t_x = 4, .age = 6, .weight = 1};
	double		sum = 0,
				mean = 0;

	close_to(f->p_alive(published, &row), f->p_alive_at_last(published, &row) * (2.783 + 6) / (.657 + 2.783 + 6), 1e-15,
			 "alive at n + 1: alive at n and one coin more");
	ok(f->expected_if_alive(published, &row, 1.99) == f->expected_if_alive(published, &row, 1)
	   && f->expected_if_alive(published, &row, .99) == 0, "a horizon counts whole opportunities");
	close_to(f->expected_if_alive(published, &row, 1), 3.204 / (1.204 + .75 + 6), 1e-15, "the next opportunity: E[p]");
	ok(f->expected(published, INFINITY) == INFINITY, "gamma <= 1: purchases without end");
	close_to(f->expected(steady, INFINITY), 1.2 / 2 * 5 / 2, 1e-15, "gamma = 3: E[p] delta / (gamma - 1) in all");
	close_to(f->expected(steady, 1e9), 1.2 / 2 * 5 / 2, 1e-12, "and nearly so after a long time");
	for (int n = 0; n < 5000; n++)
	{
		double		p = f->pmf_if_alive(hurried, &row, INFINITY, n);

		sum += p;
		mean += n * p;
	}
	ok(fabs(sum - 1) < 1e-12 && fabs(mean / f->expected_if_alive(hurried, &row, INFINITY) - 1) < 1e-11,
	   "purchases in all: probabilities sum to 1, off by %.1e, and to the mean, off by %.1e", fabs(sum - 1),
	   fabs(mean / f->expected_if_alive(hurried, &row, INFINITY) - 1));
	ok(f->next_purchase_if_alive(published, &row, .99) == INFINITY, "a share of the living never comes again");
}

/* A sum and an integral, and two ways to sum, meet where one hands over to the other. */
static void
test_seams(void)
{
	cvm_row		row = {.x = 2, .t_x = 4, .age = 6, .weight = 1};
	double		worst = 0;

	for (double gamma = .1; gamma < 4; gamma += .1)
	{
		double		theta[] = {.7, 3, gamma, 1.3};
		double		far = floor(1e4 + 100 * (gamma + 2.7));
		double		step = f->pmf_if_alive(theta, &row, far - 1, 0) - f->pmf_if_alive(theta, &row, far, 0);
		double		next = f->pmf_if_alive(theta, &row, far, 0) - f->pmf_if_alive(theta, &row, far + 1, 0);
		double		chance = f->expected_if_alive(theta, &row, 256) - f->expected_if_alive(theta, &row, 255);

		worst = fmax(worst, fabs(f->expected_if_alive(theta, &row, 257) - f->expected_if_alive(theta, &row, 256) - chance
								 * (1 - gamma / (gamma + 1.3 + 7 + 255))) / f->expected_if_alive(theta, &row, 256));
		worst = fmax(worst, fabs(next - step) - 1e-3 * step);
	}
	ok(worst < 1e-12, "no step between sums and integrals: %.1e", worst);
}

/* Data that have no interior maximum, and data that are none. */
static void
test_boundaries(void)
{
	static const struct
	{
		const char *what;
		cvm_row		row[3];
		cvm_status	status;
		cvm_rung	rung;
	}			cases[] = {
		{"no repeat purchase", {{.age = 10, .weight = 5}}, CVM_NO_DATA, CVM_RUNG_FULL},
		{"one customer", {{.x = 1, .t_x = 3, .age = 10, .weight = 1}}, CVM_OK, CVM_RUNG_PENALISED},
		{"all alike", {{.x = 10, .t_x = 20, .age = 20, .weight = 1e6}}, CVM_OK, CVM_RUNG_PENALISED},
		{"always all", {{.x = 20, .t_x = 20, .age = 20, .weight = 1000}}, CVM_OK, CVM_RUNG_PENALISED},
		{"nobody leaves", {{.x = 5, .t_x = 20, .age = 20, .weight = 100}, {.x = 10, .t_x = 20, .age = 20, .weight = 100},
		{.x = 19, .t_x = 20, .age = 20, .weight = 100}}, CVM_OK, CVM_RUNG_PENALISED},
		{"everybody leaves", {{.age = 1000, .weight = 50}, {.x = 1, .t_x = 1, .age = 1000, .weight = 50}}, CVM_OK, CVM_RUNG_PENALISED},
		{"a million idle, three mad", {{.x = 9900, .t_x = 9999, .age = 10000, .weight = 3}, {.x = 1, .t_x = 1, .age = 10000, .weight = 2},
		{.age = 10000, .weight = 1e6}}, CVM_OK, CVM_RUNG_PENALISED},
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
		   "%s: status %d, rung %d, (%g, %g, %g, %g)", cases[i].what, status, fit.rung,
		   fit.theta[0], fit.theta[1], fit.theta[2], fit.theta[3]);
		cvm_table_free(table);
	}
}

int
main(void)
{
	f = cvm_family_find("bg/bb");
	check_truths(f, "vectors", vectors_bg_bb, COUNT(vectors_bg_bb), 1e-10);
	check_truths(f, "hostile", hostile_bg_bb, COUNT(hostile_bg_bb), 1e-10);
	test_donations();
	test_donations_file();
	test_tables();
	test_check_row();
	test_limits();
	test_seams();
	test_boundaries();
	return done_testing();
}
