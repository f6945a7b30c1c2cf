/*
 * family_test.c: what every family of purchase models owes: probabilities that
 * are some, figures that agree with one another and with simulation, sense for
 * any legal input.  A family is tested here by being registered.
 */
#include "math/quadrature.h"
#include "math/random.h"
#include "models/model.h"
#include "tap.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static double
log_uniform(cvm_rng *rng, double low, double high)
{
	return low * pow(high / low, cvm_rng_uniform(rng));
}

static void
random_theta(const cvm_family *family, cvm_rng *rng, double spread, double *theta)
{
	for (int i = 0; i < family->n_params; i++)
		theta[i] = log_uniform(rng, 1 / spread, spread) * (family->time_power[i] != 0 ? 10 : 1);
	if (family->searched > 0)
		theta[0] = 1 + floor(family->searched * cvm_rng_uniform(rng));
}

/* A customer of the family after 10 to 60 time units. */
static cvm_row
random_row(const cvm_family *family, const double *theta, cvm_rng *rng)
{
	cvm_row		row = {.age = 10 + floor(50 * cvm_rng_uniform(rng)), .weight = 1};

	family->simulate(theta, rng, &row);
	return row;
}

/* P(X(t) = n) of a new customer, who may have left at once. */
static double
new_pmf(const cvm_family *family, const double *theta, double t, int n)
{
	cvm_row		fresh = {.weight = 1};
	double		p = family->p_alive(theta, &fresh);

	return p * family->pmf_if_alive(theta, &fresh, t, n) + (n == 0 ? 1 - p : 0);
}

/* Probabilities over n sum to 1, and n times them to the mean; the quantiles invert them. */
static void
test_pmf(const cvm_family *family)
{
	double		worst_sum = 0,
				worst_mean = 0,
				worst_next = 0;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 41);
	for (int i = 0; i < 40; i++)
	{
		double		theta[CVM_MAX_PARAMS];
		double		sum = 0;
		double		mean = 0;
		double		p = 1;
		double		t,
					q;
		cvm_row		row;

		random_theta(family, &rng, 4, theta);
		row = random_row(family, theta, &rng);
		for (int n = 0; n < 4000 && (n < 20 || p > 1e-18); n++)
		{
			p = family->pmf_if_alive(theta, &row, 26, n);
			sum += p;
			mean += n * p;
		}
		worst_sum = fmax(worst_sum, fabs(sum - 1));
		worst_mean = fmax(worst_mean, relative_error(family->expected_if_alive(theta, &row, 26), mean, 0));
		q = .8 * (1 - family->pmf_if_alive(theta, &row, INFINITY, 0));
		t = family->next_purchase_if_alive(theta, &row, q);
		if (!family->whole_times)
			worst_next = fmax(worst_next, fabs(family->pmf_if_alive(theta, &row, t, 0) - (1 - q)));
		else if (family->pmf_if_alive(theta, &row, t, 0) > 1 - q || family->pmf_if_alive(theta, &row, t - 1, 0) <= 1 - q)
			worst_next = 1;
	}
	ok(worst_sum < 1e-12, "%s: probabilities sum to 1, off by %.1e", family->name, worst_sum);
	ok(worst_mean < 1e-11, "%s: their mean is expected_if_alive, off by %.1e", family->name, worst_mean);
	ok(worst_next < 1e-12, "%s: the next purchase inverts P(none), off by %.1e", family->name, worst_next);
}

/* What integrals over a time hold fixed. */
typedef struct timing
{
	const cvm_family *family;
	const double *theta;
	cvm_row		row;
	double		rate;
} timing;

/*
 * The likelihood of a last purchase at t = e^w, integrated over the times of those before.  A Poisson
 * process treats them alike, which leaves t^(x - 1) / (x - 1)!; Erlang-k intervals (whose k is the first
 * parameter) enter by their (k - 1)th powers: Dirichlet's integral is t^(k x - 1) Gamma(k)^x / Gamma(k x).
 */
static double
history_density(double w, const void *context)
{
	const timing *o = context;
	double		k = o->family->needs_log_intervals ? o->theta[0] : 1;
	cvm_row		row = o->row;

	row.t_x = exp(w);
	return exp(o->family->loglik(o->theta, &row) + k * row.x * w + row.x * lgamma(k) - lgamma(k * row.x));
}

/* The sum over all t_x; the purchases before lie at any t_x - 1 choose x - 1 opportunities. */
static double
whole_histories(const timing *o)
{
	cvm_row		row = o->row;
	double		sum = 0;

	for (row.t_x = row.x; row.t_x <= row.age; row.t_x++)
		sum += exp(o->family->loglik(o->theta, &row) + lgamma(row.t_x) - lgamma(row.x) - lgamma(row.t_x - row.x + 1));
	return sum;
}

/* The likelihood of x purchases, over all the times at which they may lie, is P(X(age) = x). */
static void
test_histories(const cvm_family *family)
{
	double		worst = 0;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 43);
	for (int i = 0; i < 40; i++)
	{
		double		theta[CVM_MAX_PARAMS];
		timing		o = {.family = family, .theta = theta, .row = {.x = i % 8, .age = 10 + i, .weight = 1}};
		double		sum;

		random_theta(family, &rng, 4, theta);
		if (o.row.x == 0)
			sum = exp(family->loglik(theta, &o.row));
		else if (family->whole_times)
			sum = whole_histories(&o);
		else
			sum = cvm_integrate(history_density, &o, log(o.row.age) - 42, log(o.row.age), 600);
		worst = fmax(worst, relative_error(sum, new_pmf(family, theta, o.row.age, i % 8), 0));
	}
	ok(worst < 1e-11, "%s: the likelihood over all histories is P(X = x), off by %.1e", family->name, worst);
}

static double
discounted_count(double t, const void *context)
{
	const timing *o = context;

	return o->rate * exp(-o->rate * t) * o->family->expected_if_alive(o->theta, &o->row, t);
}

static double
discounted_steps(const timing *o, double horizon)
{
	double		sum = 0;
	double		before = 0;

	for (int j = 1; j <= horizon; j++)
	{
		double		now = o->family->expected_if_alive(o->theta, &o->row, j);

		sum += exp(-o->rate * j) * (now - before);
		before = now;
	}
	return sum;
}

/* By parts: int_0^H e^(-rate t) dE(t) = e^(-rate H) E(H) + rate int_0^H e^(-rate t) E(t) dt. */
static void
test_discounted(const cvm_family *family)
{
	double		worst = 0;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 47);
	for (int i = 0; i < 12; i++)
	{
		double		theta[CVM_MAX_PARAMS];
		timing		o = {.family = family, .theta = theta, .rate = log_uniform(&rng, 1e-4, 1)};
		double		horizon = log_uniform(&rng, 1, 1000);
		double		sum;

		random_theta(family, &rng, 4, theta);
		o.row = random_row(family, theta, &rng);
		if (family->whole_times)
			sum = discounted_steps(&o, horizon);
		else
			sum = exp(-o.rate * horizon) * family->expected_if_alive(theta, &o.row, horizon)
				+ cvm_integrate(discounted_count, &o, 0, horizon, 200);
		worst = fmax(worst, relative_error(family->discounted_if_alive(theta, &o.row, o.rate, horizon), sum, 0));
	}
	ok(worst < 1e-11, "%s: discounted purchases are those expected, discounted; off by %.1e", family->name, worst);
}

static void
test_limits(const cvm_family *family)
{
	cvm_rng		rng;
	double		worst = 0;
	int			wrong = 0;

	cvm_rng_seed(&rng, 53);
	for (int i = 0; i < 40; i++)
	{
		double		theta[CVM_MAX_PARAMS];
		cvm_row		fresh = {.weight = 1};
		cvm_row		row;

		random_theta(family, &rng, 10, theta);
		row = random_row(family, theta, &rng);
		wrong += family->check_row(&row) != NULL || family->check_row(&fresh) != NULL
			|| family->expected(theta, 0) != 0 || family->expected_if_alive(theta, &row, 0) != 0
			|| family->discounted_if_alive(theta, &row, .1, 0) != 0
			|| family->pmf_if_alive(theta, &row, 0, 0) != 1 || family->pmf_if_alive(theta, &row, 0, 1) != 0
			|| family->pmf_if_alive(theta, &row, 5, -1) != 0
			|| family->next_purchase_if_alive(theta, &row, 0) != 0
			|| family->next_purchase_if_alive(theta, &row, 1) != INFINITY;
		worst = fmax(worst, relative_error(family->p_alive(theta, &fresh) * family->expected_if_alive(theta, &fresh, 30),
										   family->expected(theta, 30), 0));
		worst = fmax(worst, relative_error(family->discounted_if_alive(theta, &row, 0, 30),
										   family->expected_if_alive(theta, &row, 30), 0));
		worst = fmax(worst, relative_error(family->discounted_if_alive(theta, &row, 1e-14, 30),
										   family->expected_if_alive(theta, &row, 30), 0));
		worst = fmax(worst, relative_error(family->discounted_if_alive(theta, &row, .01, 1e5),
										   family->discounted_if_alive(theta, &row, .01, INFINITY), 0));
	}
	ok(wrong == 0, "%s: nothing happens in no time: %d of 40 wrong", family->name, wrong);
	ok(worst < 1e-11, "%s: new customers, no discount, far horizons: off by %.1e", family->name, worst);
}

/* Legal input beyond any sense: never NaN, always in range, monotone in the horizon. */
static void
test_anything(const cvm_family *family)
{
	cvm_rng		rng;
	int			runs = family->searched > 0 ? 500 : 3000;
	int			nonsense = 0;
	int			backwards = 0;

	cvm_rng_seed(&rng, 11);
	for (int i = 0; i < runs; i++)
	{
		double		theta[CVM_MAX_PARAMS];
		cvm_row		row = {.weight = 1, .age = log_uniform(&rng, 1e-3, 1e5)};
		double		t = log_uniform(&rng, 1e-4, 1e5);
		double		rate = log_uniform(&rng, 1e-6, 10);
		int			n = (int) log_uniform(&rng, 1, 1e6) - 1;
		double		p,
					mean,
					more,
					worth,
					longer,
					endless,
					mass;

		for (int k = 0; k < family->n_params; k++)
			theta[k] = log_uniform(&rng, 1e-5, 1e5);
		if (i % 3 > 0)
		{
			row.x = floor(log_uniform(&rng, 1, 1e6));
			row.t_x = i % 3 == 1 ? row.age : row.age * cvm_rng_uniform(&rng);
		}
		if (family->searched > 0)
			theta[0] = 1 + i % family->searched;
		if (family->whole_times)
		{
			row.age = ceil(row.age);
			row.t_x = ceil(row.t_x);
			row.x = fmin(row.x, row.t_x);
		}
		p = family->p_alive(theta, &row);
		mean = family->expected_if_alive(theta, &row, t);
		more = family->expected_if_alive(theta, &row, 1.01 * t);
		worth = family->discounted_if_alive(theta, &row, rate, t);
		longer = family->discounted_if_alive(theta, &row, rate, 1.01 * t);
		endless = family->discounted_if_alive(theta, &row, rate, INFINITY);
		mass = family->pmf_if_alive(theta, &row, t, n);
		nonsense += !(p >= 0 && p <= 1) || !(mass >= 0 && mass <= 1) || !isfinite(family->loglik(theta, &row))
			|| !(mean >= 0 && isfinite(mean)) || !(worth >= 0 && isfinite(worth))
			|| !(family->next_purchase_if_alive(theta, &row, .5) >= 0)
			|| !isfinite(endless);
		backwards += more < mean * (1 - 1e-11) || longer < worth * (1 - 1e-11) || worth > mean * (1 + 1e-11)
			|| longer > endless * (1 + 1e-11);
	}
	ok(nonsense == 0, "%s: %d legal inputs, parameters 1e-5 to 1e5: %d without a sensible answer", family->name, runs, nonsense);
	ok(backwards == 0, "%s: monotone in the horizon, discounted at most expected: %d violations", family->name, backwards);
}

#define RUNS 30000
#define CELLS 8

/* A sum of draws, to be compared with its mean. */
typedef struct average
{
	double		sum;
	double		square;
} average;

static void
draw(average *a, double value)
{
	a->sum += value;
	a->square += value * value;
}

static void
expect_average(const char *what, const cvm_family *family, const average *a, double truth)
{
	double		mean = a->sum / RUNS;
	double		error = sqrt((a->square / RUNS - mean * mean) / RUNS);

	ok(fabs(mean - truth) < 4.5 * error, "%s: simulated %s: %.4f for %.4f", family->name, what, mean, truth);
}

/* Simulated futures agree with the closed forms within 4.5 standard errors. */
static void
test_futures(const cvm_family *family, const double *theta)
{
	cvm_row		row = {.x = 4, .t_x = 15, .age = 20, .weight = 1};
	average		count = {0, 0},
				worth = {0, 0};
	int			cell[CELLS + 1] = {0};
	double		chi_square = 0,
				rest = 1;
	double		few[3];
	bool		orderly = true;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 5);
	for (int i = 0; i < RUNS; i++)
	{
		double		times[500];
		int			n = family->simulate_if_alive(theta, &row, &rng, 40, times, 500);
		double		sum = 0;

		for (int k = 0; k < n; k++)
		{
			sum += exp(-.02 * times[k]);
			orderly = orderly && times[k] > (k > 0 ? times[k - 1] : 0) && times[k] <= 40;
		}
		cell[n < CELLS ? n : CELLS]++;
		draw(&count, n);
		draw(&worth, sum);
	}
	for (int n = 0; n <= CELLS; n++)
	{
		double		truth = RUNS * (n < CELLS ? family->pmf_if_alive(theta, &row, 40, n) : rest);

		rest -= truth / RUNS;
		chi_square += (cell[n] - truth) * (cell[n] - truth) / truth;
	}
	ok(orderly, "%s: simulated times ascend within the horizon", family->name);
	ok(chi_square < 30, "%s: simulated counts, chi-square of %d cells: %.1f", family->name, CELLS + 1, chi_square);
	ok(family->simulate_if_alive(theta, &row, &rng, INFINITY, few, 3) <= 3, "%s: simulate_if_alive stops at max", family->name);
	expect_average("purchases", family, &count, family->expected_if_alive(theta, &row, 40));
	expect_average("discounted purchases", family, &worth, family->discounted_if_alive(theta, &row, .02, 40));
}

/*
 * Simulated histories have the mean of new customers; and what their P(alive) and
 * expected_if_alive promise of the next 25 is, on average, the mean of new
 * customers from 30 to 55.
 */
static void
test_pasts(const cvm_family *family, const double *theta)
{
	average		made = {0, 0},
				promised = {0, 0},
				alone = {0, 0};
	double		quiet = new_pmf(family, theta, 30, 0);
	bool		legal = true;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 7);
	for (int i = 0; i < RUNS; i++)
	{
		cvm_row		row = {.age = 30, .weight = 1};

		family->simulate(theta, &rng, &row);
		legal = legal && family->check_row(&row) == NULL;
		draw(&made, row.x);
		draw(&alone, row.x == 0);
		draw(&promised, family->p_alive(theta, &row) * family->expected_if_alive(theta, &row, 25));
	}
	ok(legal, "%s: simulated rows are legal", family->name);
	expect_average("histories", family, &made, family->expected(theta, 30));
	expect_average("one-time buyers", family, &alone, quiet);
	expect_average("promises", family, &promised, family->expected(theta, 55) - family->expected(theta, 30));
}

/* The two numbers of a life give the purchases of the list of times. */
static void
test_lives(const cvm_family *family, const double *theta)
{
	cvm_row		row = {.x = 4, .t_x = 15, .age = 20, .weight = 1};
	average		count = {0, 0};
	cvm_rng		rng;

	if (family->simulate_life_if_alive == NULL)
		return;
	cvm_rng_seed(&rng, 9);
	for (int i = 0; i < RUNS; i++)
	{
		double		rate,
					lifetime;

		family->simulate_life_if_alive(theta, &row, &rng, &rate, &lifetime);
		draw(&count, rate * fmin(lifetime, 40) + (family->leaves_at_purchase && lifetime <= 40));
	}
	expect_average("lives", family, &count, family->expected_if_alive(theta, &row, 40));
}

int
main(void)
{
	const cvm_family *family;

	for (int i = 0; (family = cvm_family_at(i)) != NULL; i++)
	{
		static const double shape[] = {.8, 1.2, 1.3, 2.1, 1.5};
		double		theta[CVM_MAX_PARAMS];

		if (family->kind != CVM_PURCHASES)
			continue;
		for (int k = 0; k < family->n_params; k++)
			theta[k] = shape[k] * (family->time_power[k] != 0 ? 8 : 1);
		if (family->searched > 0)
			theta[0] = 3;
		test_pmf(family);
		test_histories(family);
		test_discounted(family);
		test_limits(family);
		test_anything(family);
		test_futures(family, theta);
		test_pasts(family, theta);
		test_lives(family, theta);
	}
	return done_testing();
}
