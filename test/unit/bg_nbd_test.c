/*
 * bg_nbd_test.c: BG/NBD against published vectors, fifty-digit truth
 * (truth/hostile.py), identities between its functions, and simulation.
 */
#include "math/random.h"
#include "truth_table.h"

#include "truth/hostile_bg_nbd.h"
#include "truth/vectors_bg_nbd.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const cvm_family *f;
static const double cdnow[] = {.243, 4.414, .793, 2.426};

/*
 * Hardie's sheet also prints 1.8576 at t = 78, where these parameters give
 * 1.8580: its sum of the series stops early.  The truth table covers that.
 */
static void
test_published(void)
{
	cvm_row		spreadsheet = {.x = 2, .t_x = 30.43, .age = 38.86, .weight = 1};
	static const double published[][2] = {
		{1. / 7, .0078}, {1, .0532}, {3, .1506}, {31.8571, 1.0405}, {32, 1.0437}
	};
	static const double theta[] = {.2425928, 4.4135312, .7928859, 2.4257521};
	double		worst = 0;

	for (size_t i = 0; i < COUNT(published); i++)
		worst = fmax(worst, fabs(f->expected(theta, published[i][0]) - published[i][1]));
	ok(worst < 6e-5, "Hardie's spreadsheet: E[X(t)], off by %.1e", worst);
	close_to(f->p_alive(theta, &spreadsheet) * f->expected_if_alive(theta, &spreadsheet, 39),
			 1.226, 5e-4, "Hardie's spreadsheet: E[Y(39) | 2, 30.43, 38.86]");
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
		{{.x = 1, .t_x = 2, .age = 2, .weight = 1}, NULL},
		{{.x = 1.5, .t_x = 2, .age = 2, .weight = 1}, "whole number"},
		{{.x = -1, .t_x = 2, .age = 2, .weight = 1}, "whole number"},
		{{.x = NAN, .t_x = 2, .age = 2, .weight = 1}, "whole number"},
		{{.x = 1, .t_x = 3, .age = 2, .weight = 1}, "t_x is greater than age"},
		{{.x = 0, .t_x = 1, .age = 2, .weight = 1}, "without a repeat purchase"},
		{{.x = 1, .t_x = 0, .age = 2, .weight = 1}, "in spite of repeat purchases"},
		{{.x = 1, .t_x = NAN, .age = 2, .weight = 1}, "t_x"},
		{{.x = 0, .t_x = 0, .age = -1, .weight = 1}, "age"},
		{{.x = 0, .t_x = 0, .age = INFINITY, .weight = 1}, "age"},
		{{.x = 0, .t_x = 0, .age = 1, .weight = 0}, "weight"},
	};
	int			wrong = 0;

	for (size_t i = 0; i < COUNT(cases); i++)
	{
		const char *says = f->check_row(&cases[i].row);

		wrong += cases[i].wrong == NULL ? says != NULL : says == NULL || !strstr(says, cases[i].wrong);
	}
	ok(wrong == 0, "check_row: %d of %zu rows judged wrongly", wrong, COUNT(cases));
}

/* Probabilities over n sum to 1, and n times them to the mean. */
static void
test_pmf(void)
{
	static const double thetas[][4] = {
		{.243, 4.414, .793, 2.426}, {.5, 6, 1, 2}, {.3, 6, .4, .6}, {40, 20, 3, 30}, {2, 50, 1e-3, 1}
	};
	static const cvm_row rows[] = {{.x = 0, .age = 20, .weight = 1}, {.x = 6, .t_x = 15, .age = 20, .weight = 1}};
	double		worst_sum = 0;
	double		worst_mean = 0;

	for (size_t i = 0; i < COUNT(thetas); i++)
		for (size_t j = 0; j < COUNT(rows); j++)
		{
			double		sum = 0;
			double		mean = 0;

			for (int n = 0; n < 1500; n++)
			{
				double		p = f->pmf_if_alive(thetas[i], &rows[j], 26, n);

				sum += p;
				mean += n * p;
			}
			worst_sum = fmax(worst_sum, fabs(sum - 1));
			worst_mean = fmax(worst_mean, relative_error(f->expected_if_alive(thetas[i], &rows[j], 26), mean, 0));
		}
	ok(worst_sum < 1e-12, "pmf_if_alive: sums to 1, off by %.1e", worst_sum);
	ok(worst_mean < 1e-11, "pmf_if_alive: its mean is expected_if_alive, off by %.1e", worst_mean);
}

static void
test_limits(void)
{
	cvm_row		fresh = {.weight = 1};
	cvm_row		row = {.x = 3, .t_x = 12, .age = 20, .weight = 1};
	cvm_row		today = {.x = 3, .t_x = 20, .age = 20, .weight = 1};
	double		mean = f->expected_if_alive(cdnow, &row, 30);
	static const double steady[] = {1, 5, 3, 2};

	ok(f->expected(cdnow, 0) == 0 && f->expected_if_alive(cdnow, &row, 0) == 0
	   && f->discounted_if_alive(cdnow, &row, .1, 0) == 0, "nothing happens in no time");
	ok(f->expected(cdnow, INFINITY) == INFINITY, "a <= 1: purchases without end");
	close_to(f->expected(steady, INFINITY), 2, 1e-15, "a = 3, b = 2: (a + b - 1) / (a - 1) in all");
	close_to(f->expected(steady, 1e12), 2, 1e-10, "and nearly so after a long time");
	close_to(f->discounted_if_alive(cdnow, &row, 0, 30), mean, 1e-14, "rate 0 is no discount");
	close_to(f->discounted_if_alive(cdnow, &row, 1e-9, 30), mean, 1e-7, "nor is a tiny one, nearly");
	close_to(f->discounted_if_alive(cdnow, &row, .01, 1e5), f->discounted_if_alive(cdnow, &row, .01, INFINITY),
			 1e-13, "a far horizon is none");
	close_to(f->expected_if_alive(cdnow, &fresh, 30), f->expected(cdnow, 30), 0, "no history, new customer");
	close_to(f->p_alive(cdnow, &today), (2.426 + 2) / (.793 + 2.426 + 2), 1e-15, "bought today: (b + x - 1) / (a + b + x - 1)");
	close_to(f->pmf_if_alive(cdnow, &row, f->next_purchase_if_alive(cdnow, &row, .9), 0), .1, 1e-13,
			 "next_purchase_if_alive inverts P(no purchase)");
	ok(f->next_purchase_if_alive(cdnow, &row, 0) == 0 && f->next_purchase_if_alive(cdnow, &row, 1) == INFINITY,
	   "next_purchase_if_alive: ends");
	ok(f->pmf_if_alive(cdnow, &row, 0, 0) == 1 && f->pmf_if_alive(cdnow, &row, 0, 1) == 0
	   && f->pmf_if_alive(cdnow, &row, 5, -1) == 0 && f->pmf_if_alive(cdnow, &row, INFINITY, 0) == 0,
	   "pmf_if_alive: ends");
	close_to(f->pmf_if_alive(cdnow, &row, INFINITY, 1), .793 / (.793 + 5.426), 1e-14, "in the end one purchase: left at once");
}

/* The series and the integral meet where one hands over to the other. */
static void
test_seam(void)
{
	double		worst = 0;

	for (double a = .1; a < 4; a += .1)
	{
		double		theta[] = {.7, 10, a, 1.3};
		double		below = f->expected(theta, 50 * (1 - 1e-12));
		double		above = f->expected(theta, 50 * (1 + 1e-12));

		worst = fmax(worst, fabs(above / below - 1));
	}
	ok(worst < 3e-12, "expected: no step between series and integral: %.1e", worst);
}

static double
log_uniform(cvm_rng *rng, double low, double high)
{
	return low * pow(high / low, cvm_rng_uniform(rng));
}

/* Legal input beyond any sense: never NaN, always in range, monotone in the horizon. */
static void
test_anything(void)
{
	cvm_rng		rng;
	int			nonsense = 0;
	int			backwards = 0;

	cvm_rng_seed(&rng, 11);
	for (int i = 0; i < 5000; i++)
	{
		double		theta[4];
		cvm_row		row = {.weight = 1, .age = log_uniform(&rng, 1e-3, 1e5)};
		double		t = log_uniform(&rng, 1e-4, 1e5);
		double		rate = log_uniform(&rng, 1e-6, 10);
		int			n = (int) log_uniform(&rng, 1, 1e6) - 1;
		double		p,
					mean,
					more,
					worth,
					longer,
					mass;

		for (int k = 0; k < 4; k++)
			theta[k] = log_uniform(&rng, 1e-5, 1e5);
		if (i % 3 > 0)
		{
			row.x = floor(log_uniform(&rng, 1, 1e6));
			row.t_x = i % 3 == 1 ? row.age : row.age * cvm_rng_uniform(&rng);
		}
		p = f->p_alive(theta, &row);
		mean = f->expected_if_alive(theta, &row, t);
		more = f->expected_if_alive(theta, &row, 1.01 * t);
		worth = f->discounted_if_alive(theta, &row, rate, t);
		longer = f->discounted_if_alive(theta, &row, rate, 1.01 * t);
		mass = f->pmf_if_alive(theta, &row, t, n);
		nonsense += !(p >= 0 && p <= 1) || !(mass >= 0 && mass <= 1) || !isfinite(f->loglik(theta, &row))
			|| !(mean >= 0 && isfinite(mean)) || !(worth >= 0 && isfinite(worth))
			|| !(f->next_purchase_if_alive(theta, &row, .5) >= 0)
			|| !isfinite(f->discounted_if_alive(theta, &row, rate, INFINITY));
		backwards += more < mean * (1 - 1e-11) || longer < worth * (1 - 1e-11) || worth > mean * (1 + 1e-11)
			|| longer > f->discounted_if_alive(theta, &row, rate, INFINITY) * (1 + 1e-11);
	}
	ok(nonsense == 0, "5000 legal inputs, params 1e-5 to 1e5: %d without a sensible answer", nonsense);
	ok(backwards == 0, "monotone in the horizon, discounted at most expected: %d violations", backwards);
}

#define RUNS 40000

/* Simulated futures and histories agree with the closed forms within 4.5 standard errors. */
static void
test_simulation(void)
{
	static const double theta[] = {.8, 6, 1.2, 3};
	cvm_row		row = {.x = 4, .t_x = 15, .age = 20, .weight = 1};
	cvm_rng		rng;
	double		count[2] = {0},
				worth[2] = {0},
				made[2] = {0};
	int			none = 0;
	bool		orderly = true;

	cvm_rng_seed(&rng, 5);
	for (int i = 0; i < RUNS; i++)
	{
		double		times[500];
		int			n = f->simulate_if_alive(theta, &row, &rng, 40, times, 500);
		double		sum = 0;
		cvm_row		drawn = {.age = 30, .weight = 1};

		for (int k = 0; k < n; k++)
		{
			sum += exp(-.02 * times[k]);
			orderly = orderly && times[k] > (k > 0 ? times[k - 1] : 0) && times[k] <= 40;
		}
		none += n == 0;
		count[0] += n;
		count[1] += (double) n * n;
		worth[0] += sum;
		worth[1] += sum * sum;
		f->simulate(theta, &rng, &drawn);
		orderly = orderly && f->check_row(&drawn) == NULL;
		made[0] += drawn.x;
		made[1] += drawn.x * drawn.x;
	}
	ok(orderly, "simulated times ascend within the horizon, simulated rows are legal");
	for (int i = 0; i < 3; i++)
	{
		double	   *sum = i == 0 ? count : i == 1 ? worth : made;
		double		mean = sum[0] / RUNS;
		double		error = sqrt((sum[1] / RUNS - mean * mean) / RUNS);
		double		truth = i == 0 ? f->expected_if_alive(theta, &row, 40)
			: i == 1 ? f->discounted_if_alive(theta, &row, .02, 40) : f->expected(theta, 30);

		ok(fabs(mean - truth) < 4.5 * error, "simulated %s: %.4f for %.4f",
		   i == 0 ? "purchases" : i == 1 ? "discounted purchases" : "histories", mean, truth);
	}
	ok(fabs((double) none / RUNS - f->pmf_if_alive(theta, &row, 40, 0)) < 4.5 * .5 / sqrt(RUNS),
	   "simulated P(no purchase)");
	{
		double		few[3];

		ok(f->simulate_if_alive(theta, &row, &rng, INFINITY, few, 3) <= 3, "simulate_if_alive stops at max");
	}
}

int
main(void)
{
	f = cvm_family_find("bg/nbd");
	check_truths(f, "vectors", vectors_bg_nbd, COUNT(vectors_bg_nbd), 1e-10);
	check_truths(f, "hostile", hostile_bg_nbd, COUNT(hostile_bg_nbd), 1e-10);
	test_published();
	test_check_row();
	test_pmf();
	test_limits();
	test_seam();
	test_anything();
	test_simulation();
	return done_testing();
}
