/*
 * allocate_test.c: allocations against a published optimum and against a solver that
 * knows nothing of multipliers: golden-section search on every pair of actions until
 * no exchange of money helps, which for concave responses is the optimum.
 */
#include "math/allocate.h"
#include "math/random.h"
#include "tap.h"

#include <string.h>

#define PROBLEMS 50
#define MOST_ACTIONS 6
#define SWEEPS 4000

static double
total_gain(const cvm_action *actions, int n)
{
	double		total = 0;

	for (int i = 0; i < n; i++)
		total += cvm_action_gain(&actions[i], actions[i].spend);
	return total;
}

static double
total_spend(const cvm_action *actions, int n)
{
	double		total = 0;

	for (int i = 0; i < n; i++)
		total += actions[i].spend;
	return total;
}

static double
exchange_gain(const cvm_action *a, const cvm_action *b, double t)
{
	return cvm_action_gain(a, fmax(a->spend + t, 0)) + cvm_action_gain(b, fmax(b->spend - t, 0));
}

/* Moves money between two actions to where the sum is largest. */
static void
exchange(cvm_action *a, cvm_action *b)
{
	const double golden = (sqrt(5) - 1) / 2;
	double		low = fmax(a->floor - a->spend, b->spend - b->cap);
	double		high = fmin(a->cap - a->spend, b->spend - b->floor);
	double		t;

	for (int i = 0; i < 90; i++)
	{
		double		left = high - golden * (high - low);
		double		right = low + golden * (high - low);

		if (exchange_gain(a, b, left) > exchange_gain(a, b, right))
			high = right;
		else
			low = left;
	}
	t = (low + high) / 2;
	if (exchange_gain(a, b, t) > exchange_gain(a, b, 0))
	{
		a->spend = fmax(a->spend + t, 0);
		b->spend = fmax(b->spend - t, 0);
	}
}

static double
exchange_optimum(cvm_action *actions, int n, double budget)
{
	double		before = -1;

	for (int i = 0; i < n; i++)
		actions[i].spend = actions[i].floor;
	for (int i = 0; i < n; i++)
		actions[i].spend += fmin(budget - total_spend(actions, n), actions[i].cap - actions[i].spend);
	for (int sweep = 0; sweep < SWEEPS; sweep++)
	{
		double		now = total_gain(actions, n);

		if (now - before <= 1e-15 * now)
			break;
		before = now;
		for (int i = 0; i < n; i++)
			for (int j = 0; j < i; j++)
				exchange(&actions[i], &actions[j]);
	}
	return total_gain(actions, n);
}

static int
random_problem(cvm_rng *rng, cvm_action *actions, double *budget)
{
	int			n = 2 + (int) (cvm_rng_uniform(rng) * (MOST_ACTIONS - 1));
	double		floors = 0;
	double		room = 0;

	for (int i = 0; i < n; i++)
	{
		cvm_action *action = &actions[i];

		action->response = (cvm_response) (cvm_rng_uniform(rng) * 3);
		action->scale = exp(3 * cvm_rng_normal(rng));
		action->k = action->response == CVM_RESPONSE_POWER ? 0.05 + 0.9 * cvm_rng_uniform(rng) : exp(2 * cvm_rng_normal(rng) - 3);
		action->floor = cvm_rng_uniform(rng) < 0.3 ? 10 * cvm_rng_uniform(rng) : 0;
		action->cap = cvm_rng_uniform(rng) < 0.5 ? action->floor + 50 * cvm_rng_uniform(rng) : 1000;
		floors += action->floor;
		room += action->cap - action->floor;
	}
	*budget = floors + fmin(room, 150) * cvm_rng_uniform(rng);
	return n;
}

static void
test_random(void)
{
	cvm_rng		rng;
	double		worst = 0;
	double		worst_spend = 0;
	double		worst_price = 0;
	int			at_bound = 0;

	cvm_rng_seed(&rng, 20);
	for (int p = 0; p < PROBLEMS; p++)
	{
		cvm_action	actions[MOST_ACTIONS];
		cvm_action	other[MOST_ACTIONS];
		double		budget;
		int			n = random_problem(&rng, actions, &budget);
		double		price = cvm_allocate_budget(actions, n, budget);
		double		step = 1e-6 * budget;
		double		slope;

		memcpy(other, actions, sizeof(other));
		worst = fmax(worst, relative_error(total_gain(actions, n), exchange_optimum(other, n, budget), 0));
		worst_spend = fmax(worst_spend, relative_error(total_spend(actions, n), budget, 0));
		for (int i = 0; i < n; i++)
			at_bound += actions[i].spend == actions[i].floor || actions[i].spend == actions[i].cap;
		/* the shadow price is the slope of the optimum */
		slope = -total_gain(actions, n);
		cvm_allocate_budget(other, n, budget + step);
		slope = (slope + total_gain(other, n)) / step;
		worst_price = fmax(worst_price, relative_error(price, slope, 1e-3 * total_gain(actions, n) / budget));
	}
	ok(worst < 1e-10, "%d random problems as an exchange of money solves them: off by %.1e", PROBLEMS, worst);
	ok(worst_spend < 1e-14, "the spends add up to the budget: off by %.1e", worst_spend);
	ok(worst_price < 1e-4, "the shadow price is the slope of the optimum: off by %.1e", worst_price);
	ok(at_bound > 20 && at_bound < 4 * PROBLEMS, "%d spends are at a bound, others between", at_bound);
}

static void
test_published(void)
{
	cvm_action	actions[3] = {
		{.scale = 100, .k = 0.05, .cap = INFINITY}, {.scale = 60, .k = 0.1, .cap = INFINITY}, {.scale = 30, .k = 0.3, .cap = INFINITY}
	};

	close_to(cvm_allocate_budget(actions, 3, 40), 1.6869346171936004, 1e-12, "shadow price");
	close_to(actions[0].spend, 21.730497329432037, 1e-12, "first spend");
	close_to(actions[1].spend, 12.688464232655564, 1e-12, "second spend");
	close_to(actions[2].spend, 5.581038437912404, 1e-12, "third spend");
	close_to(total_gain(actions, 3), 133.76884609354667, 1e-12, "total response");
}

static void
test_edges(void)
{
	cvm_action	actions[3] = {
		{.scale = 100, .k = 0.05, .cap = 30}, {.response = CVM_RESPONSE_LOG, .scale = 60, .k = 0.1, .cap = 20}, {.scale = 0, .k = 0.3, .cap = INFINITY}
	};
	cvm_action	power = {.response = CVM_RESPONSE_POWER, .scale = 10, .k = 0.5, .cap = INFINITY};
	cvm_action	steep[2] = {
		{.scale = 1, .k = 50, .cap = INFINITY}, {.scale = 1, .k = 100, .cap = INFINITY}
	};

	close_to(cvm_allocate_budget(actions, 3, 0), 6, 1e-15, "budget 0: the first unit would go where it brings most");
	ok(total_spend(actions, 3) == 0, "and nothing is spent");
	ok(cvm_allocate_budget(actions, 3, 1000) == 0 && total_spend(actions, 3) == 50, "a budget above all caps is not spent on what brings nothing");
	ok(cvm_allocate_budget(&actions[2], 1, 10) == 0 && actions[2].spend == 0, "nor one for that alone");
	ok(isinf(cvm_allocate_budget(&power, 1, 0)) && power.spend == 0, "the first unit of a power brings infinitely much");
	close_to(cvm_allocate_budget(&power, 1, 25), 1, 1e-12, "10 / 2 / sqrt(25)");
	/* e^(-50 x) = 2 e^(-100 y), x + y = 300: marginal responses of e^-5000 */
	cvm_allocate_budget(steep, 2, 300);
	close_to(steep[0].spend, (300 - log(2) / 100) / 1.5, 1e-12, "marginal responses below any double are still equal");
	ok(cvm_allocate_budget(NULL, 0, 10) == 0, "no actions");
}

int
main(void)
{
	test_published();
	test_random();
	test_edges();
	return done_testing();
}
