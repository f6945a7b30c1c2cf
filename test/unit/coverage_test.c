/*
 * coverage_test.c: do the intervals cover what they say?  Portfolios are drawn from a
 * known truth and fitted; then the truth goes on: what each customer will be worth is
 * drawn from it given his history, and held against the intervals of the fit.
 *
 * In all of them 95 % intervals: of parameters, of customers, of sums over groups.
 * CVM_SOAK=1 runs 1,000 portfolios a family, CVM_RUNS another number; CVM_FAMILY
 * names one.
 */
#include "math/gamma_quantile.h"
#include "models/total.h"
#include "simulated.h"
#include "tap.h"

#include <string.h>

#define CUSTOMERS 1500
#define MOST_CUSTOMERS 20000	/* of the sum against brute force */
#define LOOKED_AT 100			/* customers of each portfolio whose future is held against their interval */
#define MAX_TIMES 4096
#define RATE 0.00182657			/* 10 % a year, a week */
#define LOW 0.025
#define HIGH 0.975
#define GROUPS 3				/* everybody, every tenth, those who came back often */

/* Spend as in CDNOW, with a variance that a few hundred customers show. */
static const double spend_truth[] = {6, 5, 20};

typedef struct truth
{
	const char *family;
	double		theta[CVM_MAX_PARAMS];
} truth;

static const truth truths[] = {
	{"bg/nbd", {.7, 8, .8, 3}},
	{"mbg/nbd", {.7, 8, .8, 3}},
	{"pareto/nbd", {.7, 8, .8, 20}},
	{"bg/cnbd-k", {2, .9, 6, .8, 3}},
	{"mbg/cnbd-k", {2, .9, 6, .8, 3}},
	{"bg/bb", {1.2, .75, .7, 2.8}},
	{"gamma-gamma", {6, 5, 20}},
	{"sbg", {.8, 1.4}},
	{"bdw", {.8, 1.4, 1.3}},
};

static int
number_of_runs(void)
{
	const char *runs = getenv("CVM_RUNS");
	const char *soak = getenv("CVM_SOAK");

	return runs ? atoi(runs) : soak && atoi(soak) ? 1000 : 24;
}

/* ---------- shares ---------- */

/*
 * Times that something was so.  Of runs that are alike inside, the error comes from the spread between runs; it is never
 * less than that of as many independent trials which are so in 95 of 100 cases, also where all were.
 */
typedef struct share
{
	double		hits,
				trials;
	int			runs;
	double		sum,
				square;
} share;

static void
add_run(share *s, double hits, double trials)
{
	double		part = trials > 0 ? hits / trials : 0;

	if (!(trials > 0))
		return;
	s->hits += hits;
	s->trials += trials;
	s->runs++;
	s->sum += part;
	s->square += part * part;
}

static double
standard_error(const share *s)
{
	double		mean = s->sum / s->runs;

	return sqrt(fmax((s->square / s->runs - mean * mean) / s->runs, 0.95 * 0.05 / s->trials));
}

/*
 * 93 to 97 %, and three standard errors of the campaign either way: of 24 runs wide,
 * of 1,000 next to nothing.
 */
static void
covers(const share *s, const char *family, const char *what)
{
	double		coverage = s->hits / s->trials;
	double		error = standard_error(s);

	ok(s->runs > 0 && coverage > .93 - 3 * error && coverage < .97 + 3 * error,
	   "%s: 95 %% intervals of %s cover %.2f %% (+- %.2f) of %.0f in %d portfolios",
	   family, what, 100 * coverage, 100 * error, s->trials, s->runs);
}

/* ---------- parameters ---------- */

static bool
parameter_covered(const cvm_fit_result *fit, int i, double theta)
{
	double		sd = sqrt(fit->covariance[i][i]) / fit->theta[i];

	return fabs(log(theta / fit->theta[i])) <= cvm_normal_quantile(HIGH) * sd;
}

static void
add_parameters(const cvm_fit_result *fit, const double *theta, share *s)
{
	int			first = fit->family->searched > 0;
	int			covered = 0;

	for (int i = first; i < fit->family->n_params; i++)
		covered += parameter_covered(fit, i, theta[i]);
	add_run(s, covered, fit->family->n_params - first);
}

/* ---------- a portfolio ---------- */

typedef struct portfolio
{
	const cvm_family *family;
	const cvm_family *spend_family;
	const double *theta;		/* the truth */
	cvm_row		row[MOST_CUSTOMERS];
	int			n;
	double		max_x,
				max_age;
	cvm_fit_result purchases;
	cvm_fit_result spend;
	cvm_axes	purchase_axes;
	cvm_axes	spend_axes;
	cvm_predictive *predictive;
} portfolio;

static bool
fit_both(portfolio *p)
{
	cvm_table  *purchases = cvm_table_new(CVM_PURCHASES, &cvm_plain_env);
	cvm_table  *spend = cvm_table_new(CVM_SPEND, &cvm_plain_env);
	bool		fitted;

	for (int i = 0; i < p->n; i++)
	{
		cvm_table_add(purchases, &p->row[i]);
		if (p->row[i].x > 0)
			cvm_table_add(spend, &p->row[i]);
	}
	cvm_table_finish(purchases);
	cvm_table_finish(spend);
	fitted = cvm_fit(p->family, purchases, &cvm_plain_env, &p->purchases) == CVM_OK
		&& cvm_fit(p->spend_family, spend, &cvm_plain_env, &p->spend) == CVM_OK;
	cvm_table_free(purchases);
	cvm_table_free(spend);
	cvm_axes_of(&p->purchases, &p->purchase_axes);
	cvm_axes_of(&p->spend, &p->spend_axes);
	return fitted && p->purchase_axes.known && p->spend_axes.known;
}

static void
draw_customers(portfolio *p, int customers, cvm_rng *rng)
{
	p->n = customers;
	p->max_x = p->max_age = 0;
	for (int i = 0; i < p->n; i++)
	{
		cvm_row    *row = &p->row[i];

		*row = (cvm_row) {.age = 10 + 50 * cvm_rng_uniform(rng), .weight = 1};
		if (p->family->whole_times)
			row->age = floor(row->age);
		p->family->simulate(p->theta, rng, row);
		if (row->x > 0)
			simulate_spend(spend_truth, rng, row);
		p->max_x = fmax(p->max_x, row->x);
		p->max_age = fmax(p->max_age, row->age);
	}
}

static bool
open_portfolio(portfolio *p, const truth *t, int customers, cvm_rng *rng)
{
	p->family = cvm_family_find(t->family);
	p->spend_family = cvm_family_find("gamma-gamma");
	p->theta = t->theta;
	p->predictive = NULL;
	draw_customers(p, customers, rng);
	return fit_both(p)
		&& cvm_predictive_new(p->family, p->purchases.theta, &p->purchase_axes, p->spend.theta, RATE, INFINITY,
							  p->max_x, p->max_age, 1, &cvm_plain_env, &p->predictive) == CVM_OK;
}

static void
forecast(const portfolio *p, const cvm_row *row, double low, double high, cvm_forecast *out, double *mean)
{
	double		alive = p->family->p_alive(p->purchases.theta, row);
	double		spend = p->spend_family->expected_spend(p->spend.theta, row);

	*mean = alive * spend * p->family->discounted_if_alive(p->purchases.theta, row, RATE, INFINITY);
	cvm_forecast_residual(p->predictive, &p->purchase_axes, &p->spend_axes, row, alive, spend, *mean, low, high, out);
}

/* One future at given parameters, from the definition of the models. */
static double
draw_future(const cvm_family *family, const double *theta, const double *spend, const cvm_row *row, cvm_rng *rng)
{
	static double times[MAX_TIMES];
	double		log_nu;
	double		value = 0;
	int			n;

	if (cvm_rng_uniform(rng) >= family->p_alive(theta, row))
		return 0;
	log_nu = cvm_rng_log_gamma(rng, spend[1] + spend[0] * row->x) - log(spend[2] + row->x * row->mean_spend);
	n = family->simulate_if_alive(theta, row, rng, 15 / RATE, times, MAX_TIMES);
	for (int k = 0; k < n; k++)
		value += exp(-RATE * times[k]) * cvm_rng_gamma(rng, spend[0]);
	return value * exp(-log_nu);
}

/* ---------- customers ---------- */

/*
 * Where nothing at all is among the likely outcomes, an interval has one end: of all
 * 95 % below it.  Where nothing is likelier than that, there is nothing to test.
 */
static void
add_customers(const portfolio *p, cvm_rng *rng, share *s)
{
	int			covered = 0,
				trials = 0;

	for (int i = 0; i < LOOKED_AT; i++)
	{
		const cvm_row *row = &p->row[i * (CUSTOMERS / LOOKED_AT)];
		cvm_forecast f;
		double		mean;
		double		value = draw_future(p->family, p->theta, spend_truth, row, rng);

		forecast(p, row, LOW, HIGH, &f, &mean);
		if (f.low == 0)
			forecast(p, row, LOW, HIGH - LOW, &f, &mean);
		if (f.high == 0)
			continue;
		trials++;
		covered += value >= f.low && value <= f.high;
	}
	add_run(s, covered, trials);
}

/* ---------- groups ---------- */

static bool
is_member(int group, const cvm_row *row, int i)
{
	return group == 0 || (group == 1 ? i % 10 == 0 : row->x >= 5);
}

typedef struct group_sum
{
	cvm_total	total;
	double		low,
				high;			/* 95 % */
	double		certain_low,
				certain_high;	/* ... at parameters taken as certain */
	double		sum_low,
				sum_high;		/* of the customers' intervals */
} group_sum;

static void
sum_group(const portfolio *p, int group, group_sum *sum)
{
	cvm_outlook outlook = {&p->purchases, &p->spend, &p->purchase_axes, &p->spend_axes, RATE, INFINITY, 1};
	double		mean,
				variance,
				third;
	cvm_rng		chance;

	memset(sum, 0, sizeof(*sum));
	cvm_rng_seed(&chance, 1);
	for (int i = 0; i < p->n; i++)
	{
		cvm_forecast f;

		if (!is_member(group, &p->row[i], i))
			continue;
		forecast(p, &p->row[i], LOW, HIGH, &f, &mean);
		cvm_total_add(&sum->total, &f.stake, cvm_rng_uniform(&chance));
		sum->sum_low += f.low;
		sum->sum_high += f.high;
	}
	sum->low = cvm_total_quantile(&sum->total, &outlook, LOW);
	sum->high = cvm_total_quantile(&sum->total, &outlook, HIGH);
	mean = cvm_sum_value(&sum->total.mean);
	variance = cvm_sum_value(&sum->total.variance);
	third = cvm_sum_value(&sum->total.third);
	sum->certain_low = cvm_sum_quantile(mean, variance, third, LOW);
	sum->certain_high = cvm_sum_quantile(mean, variance, third, HIGH);
}

static double
draw_sum(const portfolio *p, int group, const double *theta, const double *spend, cvm_rng *rng)
{
	double		sum = 0;

	for (int i = 0; i < p->n; i++)
		if (is_member(group, &p->row[i], i))
			sum += draw_future(p->family, theta, spend, &p->row[i], rng);
	return sum;
}

static void
add_group(const portfolio *p, int group, cvm_rng *rng, share *s, share *without)
{
	static group_sum sum;
	double		value = draw_sum(p, group, p->theta, spend_truth, rng);

	sum_group(p, group, &sum);
	add_run(s, value >= sum.low && value <= sum.high, 1);
	add_run(without, value >= sum.certain_low && value <= sum.certain_high, 1);
}

/* ---------- a sum against brute force ---------- */

#define DRAWS 6000

/* Parameters drawn from their covariance: the logarithms are normal. */
static void
draw_parameters(const cvm_fit_result *fit, const cvm_axes *axes, cvm_rng *rng, double *theta)
{
	double		z[CVM_MAX_PARAMS];

	for (int k = 0; k < axes->n; k++)
		z[k] = cvm_rng_normal(rng);
	cvm_axes_move(axes, fit, z, theta);
}

static int
ascending(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

/* An order statistic of the sums with its standard error: half the distance of those that many ranks off. */
static double
drawn_quantile(const double *ascending_sums, double level, double *error)
{
	int			at = (int) (level * DRAWS);
	int			off = (int) sqrt(DRAWS * level * (1 - level));

	*error = (ascending_sums[at + off] - ascending_sums[at - off]) / 2;
	return ascending_sums[at];
}

/* Agrees to 2 %, and two standard errors of the drawing. */
static void
agrees(const char *family, const char *end, double quantile, const double *ascending_sums, double level)
{
	double		error;
	double		drawn = drawn_quantile(ascending_sums, level, &error);

	ok(fabs(quantile / drawn - 1) < 0.02 + 2 * error / drawn,
	   "%s: the %s end of a sum, %.0f, is that of %d drawn parameters and futures, %.0f: %+.2f %% (+- %.2f)",
	   family, end, quantile, DRAWS, drawn, 100 * (quantile / drawn - 1), 100 * error / drawn);
}

/* Quantiles of the sum over some, in futures that each have parameters of their own. */
static void
test_brute_force(const truth *t)
{
	static portfolio p;
	static double sums[DRAWS];
	static group_sum sum;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 20260503);
	if (!ok(open_portfolio(&p, t, MOST_CUSTOMERS, &rng), "%s: a portfolio", t->family))
		return;
	p.n = CUSTOMERS / 4;
	sum_group(&p, 0, &sum);
	for (int i = 0; i < DRAWS; i++)
	{
		double		theta[CVM_MAX_PARAMS];
		double		spend[CVM_MAX_PARAMS];

		draw_parameters(&p.purchases, &p.purchase_axes, &rng, theta);
		draw_parameters(&p.spend, &p.spend_axes, &rng, spend);
		sums[i] = draw_sum(&p, 0, theta, spend, &rng);
	}
	qsort(sums, DRAWS, sizeof(double), ascending);
	agrees(t->family, "lower", sum.low, sums, LOW);
	agrees(t->family, "upper", sum.high, sums, HIGH);
	ok(sum.sum_high - sum.sum_low > 4 * (sum.high - sum.low),
	   "%s: the sum of intervals, %.0f to %.0f, is something else", t->family, sum.sum_low, sum.sum_high);
	cvm_predictive_free(p.predictive);
}

/* ---------- the campaigns ---------- */

static void
test_values(const truth *t)
{
	static const char *const names[GROUPS] = {"the sum of all", "the sum of every tenth", "the sum of those with x >= 5"};
	static portfolio p;
	share		parameters = {0},
				spend = {0},
				customers = {0},
				groups[GROUPS] = {{0}},
				without[GROUPS] = {{0}};
	int			lower = 0;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 20260501);
	for (int run = number_of_runs(); run > 0; run--)
	{
		if (!open_portfolio(&p, t, CUSTOMERS, &rng))
			lower++;
		else
		{
			add_parameters(&p.purchases, t->theta, &parameters);
			add_parameters(&p.spend, spend_truth, &spend);
			add_customers(&p, &rng, &customers);
			for (int g = 0; g < GROUPS; g++)
				add_group(&p, g, &rng, &groups[g], &without[g]);
		}
		cvm_predictive_free(p.predictive);
	}
	covers(&parameters, t->family, "the purchase parameters");
	covers(&spend, t->family, "the spend parameters");
	covers(&customers, t->family, "customers' residual values");
	for (int g = 0; g < GROUPS; g++)
	{
		covers(&groups[g], t->family, names[g]);
		printf("#   at parameters taken as certain they would cover %.1f %%\n", 100 * without[g].hits / without[g].trials);
	}
	ok(lower <= 0.02 * number_of_runs(), "%s: %d portfolios without an interval", t->family, lower);
}

/* Parameters alone, of families that make no residual value of their own. */
static void
test_parameters(const truth *t)
{
	const cvm_family *family = cvm_family_find(t->family);
	share		parameters = {0};
	cvm_rng		rng;

	cvm_rng_seed(&rng, 20260502);
	for (int run = number_of_runs(); run > 0; run--)
	{
		cvm_table  *table = simulated_table(family, t->theta, &rng, CUSTOMERS, false);
		cvm_fit_result fit;
		cvm_axes	axes;

		if (cvm_fit(family, table, &cvm_plain_env, &fit) == CVM_OK)
		{
			cvm_axes_of(&fit, &axes);
			if (axes.known)
				add_parameters(&fit, t->theta, &parameters);
		}
		cvm_table_free(table);
	}
	covers(&parameters, t->family, "the parameters");
}

int
main(void)
{
	const char *only = getenv("CVM_FAMILY");

	for (size_t i = 0; i < sizeof(truths) / sizeof(truths[0]); i++)
	{
		const truth *t = &truths[i];

		if (only != NULL && strcmp(only, t->family) != 0)
			continue;
		if (cvm_family_find(t->family)->kind == CVM_PURCHASES)
		{
			test_values(t);
			if (i == 0 || only != NULL)
				test_brute_force(t);
		}
		else
			test_parameters(t);
	}
	return done_testing();
}
