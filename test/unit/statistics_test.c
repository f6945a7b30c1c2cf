/*
 * statistics_test.c: linear systems and sums of powers, measures of concentration and of
 * evaluation, against exact values and against their definitions counted out.
 */
#include "math/concentration.h"
#include "math/evaluation.h"
#include "math/linear.h"
#include "math/random.h"
#include "math/sum.h"
#include "tap.h"

#include <string.h>

#define N 12

/* A Hilbert matrix has an inverse of whole numbers; its solution for b = H 1 is 1. */
static void
test_solve(void)
{
	double		a[25];
	double		b[5] = {0};
	double		worst = 0;
	double		singular[] = {1, 2, 2, 4};
	double		pivot[] = {0, 1, 1, 0};
	double		right[] = {3, 7};

	for (int i = 0; i < 5; i++)
		for (int k = 0; k < 5; k++)
			b[i] += a[i * 5 + k] = 1.0 / (i + k + 1);
	ok(cvm_linear_solve(5, a, b), "a Hilbert matrix is solved");
	for (int i = 0; i < 5; i++)
		worst = fmax(worst, fabs(b[i] - 1));
	ok(worst < 1e-10, "to %.0e: its condition is 5e5", worst);
	ok(cvm_linear_solve(2, pivot, right) && right[0] == 7 && right[1] == 3, "a zero on the diagonal");
	ok(!cvm_linear_solve(2, singular, right), "a singular matrix is refused");
}

static void
test_geometric_sum(void)
{
	double		worst = 0;

	for (double q = 0; q <= 2; q += 1.0 / 64)
	{
		double		sum = 0;

		for (int n = 0; n <= 50; n++)
		{
			worst = fmax(worst, relative_error(cvm_geometric_sum(q, n), sum, 0));
			sum = 1 + q * sum;
		}
	}
	ok(worst < 1e-14, "sums of powers as added up, off by %.1e", worst);
	/* 5 - 10 e + 10 e^2 - ... for q = 1 - e */
	close_to(cvm_geometric_sum(1 - 0x1p-40, 5), 5 - 10 * 0x1p-40, 4e-16, "near q = 1");
	ok(cvm_geometric_sum(0.5, 1e300) == 2 && cvm_geometric_sum(1, 1e300) == 1e300, "without an end");
}

static void
test_sum(void)
{
	cvm_sum		sum = {0};

	cvm_sum_add(&sum, 1);
	cvm_sum_add(&sum, 1e100);
	cvm_sum_add(&sum, 1);
	cvm_sum_add(&sum, -1e100);
	ok(cvm_sum_value(&sum) == 2, "1 + 1e100 + 1 - 1e100 = 2");
}

static int
ascending(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

/* Half the mean difference between all pairs / the mean: the Gini coefficient's other definition. */
static double
gini_of_pairs(const double *y, int n)
{
	double		difference = 0;
	double		sum = 0;

	for (int i = 0; i < n; i++)
	{
		sum += y[i];
		for (int k = 0; k < n; k++)
			difference += fabs(y[i] - y[k]);
	}
	return difference / (2.0 * n * sum);
}

static void
test_concentration(void)
{
	cvm_rng		rng;
	double		worst = 0;
	double		y[N];

	cvm_rng_seed(&rng, 11);
	for (int trial = 0; trial < 1000; trial++)
	{
		int			n = 1 + trial % N;

		for (int i = 0; i < n; i++)
			y[i] = floor(20 * cvm_rng_uniform(&rng)) + (i == 0);
		qsort(y, n, sizeof(double), ascending);
		worst = fmax(worst, relative_error(cvm_gini(y, n), gini_of_pairs(y, n), 1));
	}
	ok(worst < 1e-14, "Gini coefficients of 1000 samples by pairs, off by %.1e", worst);
	memset(y, 0, sizeof(y));
	for (int n = 0; n <= N; n += N)
		ok(isnan(cvm_gini(y, n)) && isnan(cvm_hhi(y, n)) && isnan(cvm_top_share(y, n, 0.5)) && isnan(cvm_whale_peak(y, n)),
		   "%d zeros: not defined", n);
	y[N - 1] = 1;
	ok(cvm_gini_small_sample(y, N) == 1 && cvm_hhi(y, N) == 1 && cvm_top_share(y, N, 0.01) == 1, "one holds everything");
	ok(isnan(cvm_gini_small_sample(y + N - 1, 1)), "a single customer has no small-sample form");
	ok(cvm_top_count(30, 0.1) == 3 && cvm_top_count(100, 0.07) == 7 &&
	   cvm_top_count(7, 0.2) == 2 && cvm_top_count(5, 1) == 5, "ceil of a fraction");
}

static int
by_prediction(const void *a, const void *b)
{
	const cvm_pair *x = a;
	const cvm_pair *y = b;

	return (x->predicted > y->predicted) - (x->predicted < y->predicted);
}

/* Won comparisons of positives with negatives, a tie being half. */
static double
auc_of_pairs(const cvm_pair *pairs, int n)
{
	double		won = 0;
	double		all = 0;

	for (int i = 0; i < n; i++)
		for (int k = 0; k < n; k++)
			if (pairs[i].actual > pairs[k].actual)
			{
				all++;
				won += pairs[i].predicted > pairs[k].predicted ? 1 : pairs[i].predicted == pairs[k].predicted ? 0.5 : 0;
			}
	return won / all;
}

static void
test_auc(void)
{
	cvm_rng		rng;
	double		worst = 0;
	cvm_pair	pairs[N];

	cvm_rng_seed(&rng, 12);
	for (int trial = 0; trial < 1000; trial++)
	{
		int			n = 2 + trial % (N - 1);

		for (int i = 0; i < n; i++)
		{
			pairs[i].predicted = floor(5 * cvm_rng_uniform(&rng));
			pairs[i].actual = i == 0 ? 0 : i == 1 ? 1 : cvm_rng_uniform(&rng) < 0.5;
		}
		qsort(pairs, n, sizeof(cvm_pair), by_prediction);
		worst = fmax(worst, fabs(cvm_auc(pairs, n) - auc_of_pairs(pairs, n)));
	}
	ok(worst < 1e-15, "AUC of 1000 samples by pairs, off by %.1e", worst);
	for (int i = 0; i < N; i++)
		pairs[i].actual = 1;
	ok(isnan(cvm_auc(pairs, N)) && isnan(cvm_auc_standard_error(pairs, N)), "one outcome only: not defined");
}

int
main(void)
{
	test_solve();
	test_geometric_sum();
	test_sum();
	test_concentration();
	test_auc();
	return done_testing();
}
