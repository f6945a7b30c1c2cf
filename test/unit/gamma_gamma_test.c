/*
 * gamma_gamma_test.c: Gamma-Gamma against published vectors and fifty-digit
 * truth (truth/hostile.py).
 */
#include "truth_table.h"

#include "truth/hostile_gamma_gamma.h"
#include "truth/vectors_gamma_gamma.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const cvm_family *f;

static void
test_spend(void)
{
	static const double theta[] = {6.25, 3.74, 15.44};
	static const double endless[] = {2, .9, 10};
	cvm_row		fresh = {.x = 0, .mean_spend = NAN, .weight = 1};
	cvm_row		one = {.x = 1, .mean_spend = 30, .weight = 1};
	cvm_row		many = {.x = 1e6, .mean_spend = 30, .weight = 1};

	ok(f->expected_spend(endless, &fresh) == INFINITY, "q <= 1: the prior mean is infinite");
	close_to(f->expected_spend(endless, &one), 2 * 40 / 1.9, 1e-15, "but not that of one who has bought");
	close_to(f->expected_spend(theta, &many), 30, 1e-6, "much history outweighs the prior");
	ok(f->loglik(theta, &fresh) == 0, "no repeat purchase says nothing of spend");
	ok(f->p_alive == NULL && f->expected == NULL && f->kind == CVM_SPEND, "has no purchases");
}

static void
test_check_row(void)
{
	static const struct
	{
		cvm_row		row;
		const char *wrong;
	}			cases[] = {
		{{.x = 0, .mean_spend = 0, .weight = 1}, NULL},
		{{.x = 2, .mean_spend = 5, .weight = 1}, NULL},
		{{.x = 2, .mean_spend = 0, .weight = 1}, "mean_spend"},
		{{.x = 2, .mean_spend = -1, .weight = 1}, "mean_spend"},
		{{.x = 2, .mean_spend = NAN, .weight = 1}, "mean_spend"},
		{{.x = 2, .mean_spend = INFINITY, .weight = 1}, "mean_spend"},
		{{.x = .5, .mean_spend = 5, .weight = 1}, "whole number"},
		{{.x = 2, .mean_spend = 5, .weight = NAN}, "weight"},
	};
	int			wrong = 0;

	for (size_t i = 0; i < COUNT(cases); i++)
	{
		const char *says = f->check_row(&cases[i].row);

		wrong += cases[i].wrong == NULL ? says != NULL : says == NULL || !strstr(says, cases[i].wrong);
	}
	ok(wrong == 0, "check_row: %d of %zu rows judged wrongly", wrong, COUNT(cases));
}

/* The density of the mean of x purchases integrates to 1 (trapezoidal rule in ln m). */
static void
test_density(void)
{
	static const double theta[] = {2.5, 3, 20};
	double		worst = 0;

	for (int x = 1; x <= 20; x += 6)
	{
		double		sum = 0;

		for (double y = -25; y < 25; y += .02)
		{
			cvm_row		row = {.x = x, .mean_spend = exp(y), .weight = 1};

			sum += .02 * exp(f->loglik(theta, &row) + y);
		}
		worst = fmax(worst, fabs(sum - 1));
	}
	ok(worst < 1e-12, "density of the mean integrates to 1, off by %.1e", worst);
}

int
main(void)
{
	f = cvm_family_find("gamma-gamma");
	check_truths(f, "vectors", vectors_gamma_gamma, COUNT(vectors_gamma_gamma), 1e-10);
	check_truths(f, "hostile", hostile_gamma_gamma, COUNT(hostile_gamma_gamma), 1e-10);
	test_spend();
	test_check_row();
	test_density();
	return done_testing();
}
