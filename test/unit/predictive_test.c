/*
 * predictive_test.c: quantiles of residual value against futures drawn one by
 * one from the definition of the models, and quantiles of the gamma distribution
 * against published ones.
 */
#include "math/gamma_quantile.h"
#include "math/random.h"
#include "models/total.h"
#include "tap.h"

#include <string.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const double cdnow[] = {.2425945, 4.413602, .792922, 2.425907};
static const double cdnow_spend[] = {6.249572, 3.744225, 15.443521};
static const double weekly_rate = 0.0026725;	/* 15 % a year, as in Fader, Hardie & Lee 2005 */

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* A customer, and the market. */
typedef struct setting
{
	const double *theta;
	const double *spend;
	double		rate;
	double		horizon;
	cvm_row		row;
	bool		population_spend;	/* nothing is known of the customer's own spend */
	double		p_alive;
} setting;

/*
 * One value drawn from the definition: alive or not; lambda, p and nu afresh from
 * what the history says of them; then purchase after purchase.
 */
static double
draw_value(const setting *s, cvm_rng *rng)
{
	double		spend_x = s->population_spend ? 0 : s->row.x;
	double		lambda,
				p,
				nu;
	double		at = 0;
	double		value = 0;

	if (cvm_rng_uniform(rng) >= s->p_alive)
		return 0;
	lambda = cvm_rng_gamma(rng, s->theta[0] + s->row.x) / (s->theta[1] + s->row.age);
	p = cvm_rng_beta(rng, s->theta[2], s->theta[3] + s->row.x);
	nu = cvm_rng_gamma(rng, s->spend[1] + s->spend[0] * spend_x) / (s->spend[2] + spend_x * s->row.mean_spend);
	while (s->rate * at < 15)
	{
		at += cvm_rng_exponential(rng) / lambda;
		if (!(at <= s->horizon))
			break;
		value += exp(-s->rate * at) * cvm_rng_gamma(rng, s->spend[0]) / nu;
		if (cvm_rng_uniform(rng) < p)
			break;
	}
	return value;
}

/* E[V] in closed form */
static double
mean_value(const setting *s)
{
	const cvm_family *purchases = cvm_family_find("bg/nbd");
	cvm_row		spend = s->row;

	if (s->population_spend)
		spend.x = 0;
	return s->p_alive * purchases->discounted_if_alive(s->theta, &s->row, s->rate, s->horizon)
		* cvm_family_find("gamma-gamma")->expected_spend(s->spend, &spend);
}

static cvm_prediction
predict(const cvm_predictive *table, const setting *s, double low, double high)
{
	cvm_row		row = s->row;
	cvm_prediction prediction;

	if (s->population_spend)
		row.mean_spend = 0;
	cvm_predict(table, &row, s->p_alive, mean_value(s), 0, low, high, &prediction);
	return prediction;
}

static cvm_predictive *
table_for(const setting *s, double max_x, double max_age, const cvm_env *env, cvm_status *status)
{
	cvm_predictive *table = NULL;

	*status = cvm_predictive_new(cvm_family_find("bg/nbd"), s->theta, NULL, s->spend, s->rate, s->horizon,
								 max_x, max_age, 1, env, &table);
	return table;
}

/*
 * The share of drawn values at or below a quantile, less its level.  An atom at 0
 * takes all levels up to its mass: there the quantile must be 0.
 */
static double
coverage_error(const cvm_predictive *table, const setting *s, const double *draws, int n, double level)
{
	cvm_prediction prediction = predict(table, s, level, level);
	double		nothing = 1e-9 * mean_value(s);
	int			below = 0,
				zero = 0;

	for (int i = 0; i < n; i++)
	{
		below += draws[i] <= prediction.low;
		zero += draws[i] <= nothing;
	}
	if (prediction.low == 0)
		return fmax(0, level - (double) zero / n);
	return (double) below / n - level;
}

/* The worst over levels, of one customer. */
static double
worst_coverage(const cvm_predictive *table, const setting *s, int n, cvm_rng *rng, double *variance_ratio)
{
	static const double levels[] = {0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99};
	double	   *draws = malloc(n * sizeof(double));
	double		worst = 0;
	double		mean = mean_value(s);
	double		square = 0;
	cvm_prediction prediction = predict(table, s, 0.05, 0.95);

	for (int i = 0; i < n; i++)
	{
		draws[i] = draw_value(s, rng);
		square += (draws[i] - mean) * (draws[i] - mean) / n;
	}
	*variance_ratio = prediction.variance / square;
	for (size_t i = 0; i < COUNT(levels); i++)
	{
		double		error = fabs(coverage_error(table, s, draws, n, levels[i]));

		if (error > worst)
			worst = error;
	}
	free(draws);
	return worst;
}

/* Customers off the nodes of the table, as well as on them. */
static void
test_coverage(const char *what, const setting *market, double max_x, double max_age)
{
	static const double xs[] = {0, 1, 2, 5, 10, 21, 60};
	static const double ages[] = {0.5, 12, 97};
	static const double alive[] = {1, 0.7, 0.12};
	cvm_status	status;
	cvm_predictive *table = table_for(market, max_x, max_age, &cvm_plain_env, &status);
	double		worst = 0,
				worst_x = 0,
				worst_age = 0;
	double		ratio,
				low_ratio = INFINITY,
				high_ratio = 0;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 77);
	for (size_t i = 0; i < COUNT(xs) * COUNT(ages); i++)
	{
		setting		s = *market;
		double		error;

		s.row = (cvm_row) {.x = xs[i / COUNT(ages)], .age = ages[i % COUNT(ages)], .mean_spend = 35, .weight = 1};
		s.row.t_x = s.row.x > 0 ? s.row.age : 0;
		s.p_alive = s.row.x > 0 ? alive[i % COUNT(alive)] : 1;
		if ((s.row.x == 0 && s.population_spend) || s.row.x > s.row.age)
			continue;
		error = worst_coverage(table, &s, 10000, &rng, &ratio);
		if (s.row.x > s.row.age / 20)
		{						/* too few of the others buy at all */
			low_ratio = fmin(low_ratio, ratio);
			high_ratio = fmax(high_ratio, ratio);
		}
		if (error > worst)
		{
			worst = error;
			worst_x = s.row.x;
			worst_age = s.row.age;
		}
	}
	/* 4 standard errors of 4,096 futures and 10,000 draws are 0.037 at the median */
	ok(status == CVM_OK && worst < 0.037, "%s: share below a quantile is off by at most %.4f (x = %g, age = %g)",
	   what, worst, worst_x, worst_age);
	if (market->spend[1] > 8)	/* the variance of 10,000 draws means little where tails are heavy */
		ok(low_ratio > 0.75 && high_ratio < 1.35, "%s: variance is %.2f to %.2f of the drawn one", what, low_ratio, high_ratio);
	cvm_predictive_free(table);
}

/*
 * BG/BB by its coins, one opportunity after the other: who lives on for thousands
 * of purchases, as in a portfolio of days, is neither cut short nor waited for.
 */
static void
test_opportunities(void)
{
	static const double theta[] = {2, 1, 0.5, 20};
	static const double spend[] = {4, 12, 80};
	static const double levels[] = {0.05, 0.25, 0.5, 0.75, 0.95, 0.99};
	const cvm_family *family = cvm_family_find("bg/bb");
	cvm_row		row = {.x = 6, .t_x = 12, .age = 12, .mean_spend = 20, .weight = 1};
	double		rate = 0.0005;
	double		nu = spend[1] + spend[0] * row.x;
	double		money = spend[2] + row.x * row.mean_spend;
	double		mean = family->discounted_if_alive(theta, &row, rate, INFINITY) * spend[0] * money / (nu - 1);
	cvm_predictive *table;
	double		start = seconds();
	double		spent;
	cvm_rng		rng;
	enum
	{
		N = 4000
	};
	double		draws[N];
	double		worst = 0;
	double		most = 0;

	cvm_predictive_new(family, theta, NULL, spend, rate, INFINITY, 12, 700, 1, &cvm_plain_env, &table);
	cvm_predict(table, &row, 1, mean, 0, 0.05, 0.95, &(cvm_prediction) {0});
	spent = seconds() - start;
	cvm_rng_seed(&rng, 78);
	for (int i = 0; i < N; i++)
	{
		double		p = cvm_rng_beta(&rng, theta[0] + row.x, theta[1] + row.age - row.x);
		double		leave = cvm_rng_beta(&rng, theta[2], theta[3] + row.age + 1);
		double		scale = money / cvm_rng_gamma(&rng, nu);
		double		bought = 0;

		draws[i] = 0;
		for (int j = 1; j * rate < 20 && (j == 1 || cvm_rng_uniform(&rng) >= leave); j++)
			if (cvm_rng_uniform(&rng) < p)
			{
				draws[i] += exp(-rate * j) * cvm_rng_gamma(&rng, spend[0]) * scale;
				bought++;
			}
		most = fmax(most, bought);
	}
	for (size_t k = 0; k < COUNT(levels); k++)
	{
		cvm_prediction at;
		int			below = 0;

		cvm_predict(table, &row, 1, mean, 0, levels[k], levels[k], &at);
		for (int i = 0; i < N; i++)
			below += draws[i] <= at.low;
		worst = fmax(worst, fabs((double) below / N - levels[k]));
	}
	ok(worst < 0.037 && most > 5000, "BG/BB, up to %g purchases: share below a quantile is off by at most %.4f", most, worst);
	ok(spent < 5, "... and the first customer takes a moment");
	printf("# table of BG/BB, one customer, %.3f s\n", spent);
	cvm_predictive_free(table);
}

/* The mean of the quantile function over all levels is the closed-form mean. */
static void
test_mean(const char *what, setting s)
{
	cvm_status	status;
	cvm_predictive *table = table_for(&s, s.row.x, s.row.age, &cvm_plain_env, &status);
	double		sum = 0;
	int			n = 4000;

	for (int i = 0; i < n; i++)
		sum += predict(table, &s, (i + 0.5) / n, 0.95).low / n;
	ok(fabs(sum / mean_value(&s) - 1) < 0.08, "%s: mean of all quantiles is %.4f of the closed form", what, sum / mean_value(&s));
	cvm_predictive_free(table);
}

/* Mass at zero: nothing below it, something above; all of it with nobody alive. */
static void
test_atoms(void)
{
	setting		s = {.theta = cdnow, .spend = cdnow_spend, .rate = weekly_rate, .horizon = INFINITY,
	.row = {.x = 4, .t_x = 20, .age = 39, .mean_spend = 40, .weight = 1}, .p_alive = 0.3};
	cvm_status	status;
	cvm_predictive *table = table_for(&s, 20, 100, &cvm_plain_env, &status);
	cvm_prediction at = predict(table, &s, 0.69, 0.72);

	ok(at.low == 0 && at.high > 0, "P(alive) = 0.3: the 0.69 quantile is 0, the 0.72 quantile is not");
	s.p_alive = 0;
	at = predict(table, &s, 0.05, 0.95);
	ok(at.low == 0 && at.high == 0 && at.variance == 0, "P(alive) = 0: all is 0");
	cvm_predictive_free(table);

	s.horizon = 1;
	s.p_alive = 1;
	table = table_for(&s, 20, 100, &cvm_plain_env, &status);
	{
		double		none = cvm_family_find("bg/nbd")->pmf_if_alive(s.theta, &s.row, s.horizon, 0);

		at = predict(table, &s, none - 0.01, none + 0.01);
		ok(at.low == 0 && at.high > 0, "a horizon of a week: 0 up to P(no purchase) = %.3f, more above", none);
	}
	cvm_predictive_free(table);
}

static void
test_order(void)
{
	setting		s = {.theta = cdnow, .spend = cdnow_spend, .rate = weekly_rate, .horizon = INFINITY};
	cvm_status	status;
	cvm_predictive *table = table_for(&s, 1000, 300, &cvm_plain_env, &status);
	cvm_predictive *again = table_for(&s, 1000, 300, &cvm_plain_env, &status);
	int			wrong = 0;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 5);
	for (int i = 0; i < 20000; i++)
	{
		double		levels[2] = {cvm_rng_uniform(&rng), 0};
		cvm_prediction one,
					two;

		levels[1] = levels[0] + (1 - levels[0]) * cvm_rng_uniform(&rng);
		s.row = (cvm_row) {.x = floor(exp(6.9 * cvm_rng_uniform(&rng)) - 1), .age = 300 * cvm_rng_uniform(&rng),
		.mean_spend = 30, .weight = 1};
		s.p_alive = cvm_rng_uniform(&rng);
		one = predict(table, &s, levels[0], levels[1]);
		two = predict(again, &s, levels[0], levels[1]);
		wrong += memcmp(&one, &two, sizeof(one)) != 0;
		wrong += !(one.low >= 0 && one.low <= one.high && isfinite(one.high) && one.variance >= 0 && isfinite(one.variance));
	}
	ok(wrong == 0, "quantiles are finite and ordered, and the same from the same seed: %d wrong", wrong);
	cvm_predictive_free(table);
	cvm_predictive_free(again);
}

/* Markets in which some mean does not exist, or nearly all is extreme. */
static void
test_hostile(void)
{
	static const double corners[] = {1e-3, 0.5, 1, 1.0000001, 30, 1e3};
	double		theta[4],
				spend[3];
	int			wrong = 0,
				tables = 0;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 6);
	for (int i = 0; i < 12; i++)
	{
		setting		s = {.theta = theta, .spend = spend, .rate = i % 3 ? weekly_rate : 0, .horizon = i % 5 ? INFINITY : 52};
		cvm_status	status;
		cvm_predictive *table;

		for (int k = 0; k < 4; k++)
			theta[k] = corners[(int) (6 * cvm_rng_uniform(&rng))];
		for (int k = 0; k < 3; k++)
			spend[k] = corners[(int) (6 * cvm_rng_uniform(&rng))];
		table = table_for(&s, 20, 500, &cvm_plain_env, &status);
		wrong += status != CVM_OK;
		for (int k = 0; k < 200 && status == CVM_OK; k++)
		{
			cvm_prediction p;

			s.row = (cvm_row) {.x = floor(25 * cvm_rng_uniform(&rng)), .age = k % 9 ? 600 * cvm_rng_uniform(&rng) : 0,
			.mean_spend = 30, .weight = 1};
			s.p_alive = cvm_rng_uniform(&rng);
			p = predict(table, &s, 0.05, 0.95);
			wrong += !(isfinite(p.low) && isfinite(p.high) && p.low >= 0 && p.low <= p.high && isfinite(p.variance) && p.variance >= 0);
		}
		cvm_predictive_free(table);
		tables++;
	}
	ok(wrong == 0, "%d hostile markets: every prediction finite and ordered, %d wrong", tables, wrong);
}

/* Memory that runs out at one call; open counts what is not released. */
typedef struct meter
{
	long		calls,
				fail_at;
	long		open;
} meter;

static void *
meter_alloc(void *context, size_t size)
{
	meter	   *m = context;

	if (++m->calls == m->fail_at)
		return NULL;
	m->open++;
	return malloc(size);
}

static void
meter_release(void *context, void *pointer)
{
	((meter *) context)->open--;
	free(pointer);
}

static cvm_status
metered(meter *m, const cvm_predictive **kept)
{
	cvm_env		env = {meter_alloc, meter_release, NULL, m};
	setting		s = {.theta = cdnow, .spend = cdnow_spend, .rate = weekly_rate, .horizon = INFINITY, .p_alive = 1};
	cvm_status	status;
	cvm_predictive *table = table_for(&s, 1, 5, &env, &status);
	long		calls = m->calls;

	*kept = table;
	s.row = (cvm_row) {.x = 1, .age = 3, .mean_spend = 30, .weight = 1};
	if (table != NULL && (!(predict(table, &s, 0.05, 0.95).high > 0) || m->calls > calls))
		status = CVM_NO_OPTIMUM;
	cvm_predictive_free(table);
	return status;
}

/* What fails does so when a table is made; a prediction asks for nothing. */
static void
test_environment(void)
{
	meter		m = {0};
	const cvm_predictive *table;
	long		calls;
	int			wrong = metered(&m, &table) != CVM_OK || m.open != 0;

	calls = m.calls;
	for (long at = 1; at <= calls; at++)
	{
		m = (meter) {.fail_at = at};
		wrong += metered(&m, &table) != CVM_NO_MEMORY || table != NULL || m.open != 0;
	}
	ok(wrong == 0 && calls > 5, "no memory at each of %ld calls: %d wrong", calls, wrong);
}

/* A large portfolio; timings are not part of the verdict. */
static void
test_speed(void)
{
	setting		s = {.theta = cdnow, .spend = cdnow_spend, .rate = weekly_rate, .horizon = INFINITY, .p_alive = 0.6};
	double		start = seconds();
	cvm_status	status;
	cvm_predictive *table = table_for(&s, 1000, 300, &cvm_plain_env, &status);
	double		made = seconds();
	double		sum = 0;
	int			n = 1000000;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 5);
	for (int i = 0; i < n; i++)
	{
		cvm_row		row = {.x = i % 50, .age = 3 * (i % 97), .mean_spend = 10, .weight = 1};
		cvm_prediction p;

		cvm_predict(table, &row, 0.6, 100, 0, 0.05, 0.95, &p);
		sum += p.high;
	}
	printf("# table opened in %.3f s, %.3f us a customer with what is made for them\n", made - start, 1e6 * (seconds() - made) / n);
	ok(status == CVM_OK && sum > 0, "a table for x to 1000 and 300 weeks, a million predictions");
	cvm_predictive_free(table);
}

/*
 * Chi-squared quantiles (twice the gamma of half the degrees) from the NIST/SEMATECH
 * e-Handbook, table 1.3.6.7.4, and normal ones from table 1.3.6.7.1.
 */
static void
test_gamma_quantile(void)
{
	static const struct
	{
		double		df,
					level,
					value;
	}			chi[] = {
		{1, 0.90, 2.706}, {1, 0.95, 3.841}, {1, 0.999, 10.828}, {1, 0.05, 0.004}, {2, 0.95, 5.991}, {5, 0.01, 0.554},
		{5, 0.95, 11.070}, {10, 0.05, 3.940}, {10, 0.99, 23.209}, {30, 0.025, 16.791}, {100, 0.95, 124.342}, {100, 0.001, 61.918}
	};
	double		worst = 0;
	int			wrong = 0;

	for (size_t i = 0; i < COUNT(chi); i++)
		worst = fmax(worst, fabs(2 * exp(cvm_log_gamma_quantile(chi[i].df / 2, chi[i].level)) - chi[i].value));
	ok(worst <= 0.00051, "chi-squared quantiles agree with NIST to the last printed digit: %.5f", worst);
	ok(fabs(cvm_normal_quantile(0.975) - 1.959963984540054) < 1e-14 && fabs(cvm_normal_quantile(1e-10) + 6.3613409024040562) < 1e-13
	   && fabs(cvm_normal_quantile(0.5)) < 1e-15, "normal quantiles");
	close_to(exp(cvm_log_gamma_quantile(1, 0.3)), -log(0.7), 1e-13, "exponential distribution");
	close_to(cvm_log_gamma_quantile(0.01, 0.1), (log(0.1) + lgamma(1.01)) / 0.01, 1e-13, "a quantile of 1e-100");
	for (double shape = 1e-3; shape < 1e9; shape *= 3)
		for (double level = 0.001; level < 0.999; level += 0.0371)
			wrong += !(cvm_log_gamma_quantile(shape, level) < cvm_log_gamma_quantile(shape, level + 1e-4));
	ok(wrong == 0, "gamma quantiles rise with the level, shapes 1e-3 to 1e9: %d wrong", wrong);
	close_to(cvm_sum_quantile(1000, 100, 20, 0.95), 1016.4994, 1e-5, "a large sum is nearly normal: mean + 1.645 sd + skew");
	ok(cvm_sum_quantile(0, 0, 0, 0.95) == 0 && cvm_sum_quantile(5, 0, 0, 0.05) == 5, "sums without variance");
}

int
main(void)
{
	static const double loyal[] = {2, 10, 0.4, 6};	/* a < 1: no finite number of purchases to come */
	static const double light[] = {4, 12, 80};
	static const double heavy[] = {3, 2.2, 20};	/* spend of which the variance barely exists */
	setting		market = {.theta = cdnow, .spend = cdnow_spend, .rate = weekly_rate, .horizon = INFINITY};
	setting		s = market;

	test_gamma_quantile();
	test_coverage("CDNOW", &market, 60, 100);
	market.population_spend = true;
	market.rate = 4 * weekly_rate;
	test_coverage("CDNOW, spend of the population", &market, 60, 100);
	market = (setting) {.theta = loyal, .spend = heavy, .rate = 10 * weekly_rate, .horizon = INFINITY};
	test_coverage("loyal customers, heavy tails", &market, 1000, 300);
	market = (setting) {.theta = cdnow, .spend = light, .rate = weekly_rate, .horizon = 26};
	test_coverage("CDNOW, half a year", &market, 60, 100);
	market = (setting) {.theta = loyal, .spend = light, .rate = 0, .horizon = 52};
	test_coverage("a year undiscounted", &market, 60, 100);
	test_opportunities();
	s.row = (cvm_row) {.x = 6, .t_x = 30, .age = 35, .mean_spend = 50, .weight = 1};
	s.p_alive = 0.8;
	test_mean("CDNOW, x = 6", s);
	s.row = (cvm_row) {.age = 20, .weight = 1};
	s.p_alive = 1;
	test_mean("CDNOW, x = 0", s);
	test_atoms();
	test_order();
	test_hostile();
	test_environment();
	test_speed();
	return done_testing();
}
