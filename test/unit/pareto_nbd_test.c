/*
 * pareto_nbd_test.c: Pareto/NBD against published vectors and fifty-digit truth
 * (truth/hostile_pareto.py).  What holds for every family is in family_test.c.
 */
#include "models/pareto.h"
#include "truth_table.h"

#include "truth/hostile_pareto_nbd.h"
#include "truth/vectors_pareto_nbd.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const cvm_family *f;
static const double cdnow[] = {.553, 10.578, .606, 11.669};

/*
 * The BTYD walkthrough (.5534, 10.5802, .6061, 11.6562) and vignette, and the
 * test suite of lifetimes.
 */
static void
test_published(void)
{
	static const double theta[] = {.5534, 10.5802, .6061, 11.6562};
	static const double suite[] = {.55, 10.58, .61, 11.67};
	cvm_row		busy = {.x = 26, .t_x = 30.86, .age = 31, .weight = 1};
	cvm_row		row = {.x = 132, .t_x = 200, .age = 200, .weight = 1};
	cvm_row		next = {.x = 133, .t_x = 200, .age = 200, .weight = 1};

	close_to(f->expected(theta, 52), 1.473067, 4e-7, "BTYD: E[X(52)]");
	close_to(f->p_alive(theta, &busy) * f->expected_if_alive(theta, &busy, 52), 25.4549, 2e-6, "BTYD: E[Y(52) | 26, 30.86, 31]");
	close_to(f->p_alive(theta, &busy), .997918, 5e-7, "BTYD: P(alive | 26, 30.86, 31)");
	close_to(f->p_alive(suite, &row) * f->expected_if_alive(suite, &row, 10), 6.2060517889632418, 1e-12, "lifetimes: E[Y(10) | 132, 200, 200]");
	close_to(f->p_alive(suite, &next) * f->expected_if_alive(suite, &next, 10), 6.2528722475745, 1e-12, "lifetimes: E[Y(10) | 133, 200, 200]");
}

/* Races of which the outcome is known in elementary functions. */
static void
test_race(void)
{
	cvm_race	even = {.r = 2, .alpha = 5, .s = 3, .beta = 5};
	cvm_race	loyal = {.r = 2, .alpha = 5, .s = 1e-300, .beta = 5};
	cvm_race	apart = {.r = 1, .alpha = 1, .s = 1, .beta = 1e6};
	double		worst = 0;

	for (double t = 1e-6; t < 1e12; t *= 7)
	{
		double		open = exp(cvm_race_log_open(&even, t));

		worst = fmax(worst, relative_error(cvm_race_leaves(&even, t), .6 * -expm1(cvm_race_log_open(&even, t)), 0));
		worst = fmax(worst, relative_error(cvm_race_buys(&even, t) + cvm_race_leaves(&even, t) + open, 1, 0));
		worst = fmax(worst, relative_error(cvm_race_buys(&apart, t) + cvm_race_leaves(&apart, t)
										   + exp(cvm_race_log_open(&apart, t)), 1, 0));
	}
	ok(worst < 1e-14, "alpha = beta: s / (r + s) leave first; buying, leaving and neither are all there is, off by %.1e", worst);
	close_to(cvm_race_leaves(&even, INFINITY), .6, 1e-15, "in the end as well");
	close_to(cvm_race_buys(&loyal, INFINITY), 1, 1e-15, "who does not leave buys");
	/* r = s = 1: int_0^inf 1e6 / (1 + y) / (1e6 + y)^2 dy */
	close_to(cvm_race_leaves(&apart, INFINITY), (1e6 * log(1e6) / (1e6 - 1) - 1) / (1e6 - 1), 1e-13, "far apart: in logarithms");
}

static void
test_limits(void)
{
	static const double one[] = {.7, 10, 1, 12};
	static const double steady[] = {2, 5, 3, 40};
	double		worst = 0;
	cvm_row		today = {.x = 3, .t_x = 20, .age = 20, .weight = 1};
	cvm_row		first = {.weight = 1};

	for (double step = 1e-2; step > 1e-17; step /= 10)
	{
		double		near[] = {.7, 10, 1 + step, 12};
		double		less[] = {.7, 10, 1 - step, 12};

		worst = fmax(worst, fabs((f->expected(near, 40) + f->expected(less, 40)) / (2 * f->expected(one, 40)) - 1) / (1e-14 + step * step));
	}
	ok(worst < 3, "nothing happens to expected at s = 1");
	ok(f->expected(one, INFINITY) == INFINITY && f->expected(cdnow, INFINITY) == INFINITY, "s <= 1: purchases without end");
	close_to(f->expected(steady, INFINITY), 2 * 40 / 5. / 2, 1e-15, "s = 3: r beta / (alpha (s - 1)) in all");
	ok(f->p_alive(cdnow, &today) == 1 && f->p_alive(cdnow, &first) == 1, "bought today: alive");
	ok(f->loglik(cdnow, &first) == 0, "a customer of today says nothing");
	ok(f->next_purchase_if_alive(cdnow, &first, .9) == INFINITY && isfinite(f->next_purchase_if_alive(cdnow, &first, .4)),
	   "some never buy again: the next purchase may never come");
}

int
main(void)
{
	f = cvm_family_find("pareto/nbd");
	check_truths(f, "vectors", vectors_pareto_nbd, COUNT(vectors_pareto_nbd), 1e-10);
	check_truths(f, "hostile", hostile_pareto_nbd, COUNT(hostile_pareto_nbd), 1e-10);
	test_published();
	test_race();
	test_limits();
	return done_testing();
}
