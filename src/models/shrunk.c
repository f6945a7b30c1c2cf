/*
 * shrunk.c: the last rung of the ladder: rates and means of one's own, shrunk
 * towards those of the population.  Closed forms of sums over the customers: no
 * likelihood is climbed, so that there is always an answer.
 *
 * Purchases, the family shrunk-rate: a customer buys at rate
 * lambda ~ Gamma(r, alpha), of which (r + x) / (alpha + age) is his own shrunk
 * rate, and leaves after any purchase, the first included, with the same odds as
 * everybody else.  That is MBG/NBD (Batislam, Denizel & Filiztekin 2007) with all
 * coins alike, and its P(alive) weighs the silence since the last purchase
 * against the own rate:
 *
 *	  odds of being gone = odds ((alpha + age) / (alpha + t_x))^(r + x)
 *
 * Its parameters are estimated by moments (cvm_shrunk_purchases).  It is found by
 * its name, but not among the families on offer (registry.c).
 *
 * Spend: Gamma-Gamma with p = 2, q = 3, for which the expected spend is
 * (gamma + x mean_spend) / (1 + x): the own mean, with one purchase at the
 * population's mean gamma added.
 */
#include "models/shrunk.h"

#include "math/special.h"
#include "models/cells.h"
#include "models/coin.h"
#include "models/family.h"

#include <math.h>

#define FIRST_COIN 1
#define LEAST_SHAPE 0.05		/* of r: customers hardly alike */
#define MOST_SHAPE 20.0			/* ... hardly different */

enum
{
	R, ALPHA, ODDS, N_PARAMS
};

/* The rate of one who is alive; a and b of the coin are not used. */
static cvm_coin
posterior(const double *theta, const cvm_row *row)
{
	return (cvm_coin) {.r = theta[R] + row->x, .alpha = theta[ALPHA] + row->age};
}

static double
chance_to_leave(const double *theta)
{
	return theta[ODDS] / (1 + theta[ODDS]);
}

static double
log_odds_gone(const double *theta, const cvm_row *row)
{
	return log(theta[ODDS]) + (theta[R] + row->x) * log1p((row->age - row->t_x) / (theta[ALPHA] + row->t_x));
}

/* Section 1.2 of the formulas, with (b)_n / (a + b)_n = (1 + odds)^-n. */
static double
loglik(const double *theta, const cvm_row *row)
{
	return cvm_log_rising(theta[R], row->x)
		- theta[R] * log1p(row->age / theta[ALPHA]) - row->x * log(theta[ALPHA] + row->age)
		- (row->x + 1) * log1p(theta[ODDS]) + cvm_log_sum_exp(0, log_odds_gone(theta, row));
}

static double
p_alive(const double *theta, const cvm_row *row)
{
	return 1 / (1 + exp(log_odds_gone(theta, row)));
}

static double
expected_if_alive(const double *theta, const cvm_row *row, double t)
{
	cvm_coin	c = posterior(theta, row);

	return cvm_coin_discounted_given(&c, chance_to_leave(theta), 0, t);
}

static double
expected(const double *theta, double t)
{
	cvm_row		fresh = {.weight = 1};

	return expected_if_alive(theta, &fresh, t) / (1 + theta[ODDS]);
}

static double
discounted_if_alive(const double *theta, const cvm_row *row, double rate, double horizon)
{
	cvm_coin	c = posterior(theta, row);

	return cvm_coin_discounted_given(&c, chance_to_leave(theta), rate, horizon);
}

/*
 * q^(n - 1) (q P(N = n) + p P(N >= n)), N the NBD count of one who never leaves,
 * q = 1 - p.
 */
static double
pmf_if_alive(const double *theta, const cvm_row *row, double t, int n)
{
	cvm_coin	c = posterior(theta, row);
	double		z = isinf(t) ? 1 : t / (c.alpha + t);
	double		y = c.alpha / (c.alpha + t);
	double		exactly,
				before;

	if (n < 0)
		return 0;
	if (t <= 0)
		return n == 0;
	if (n == 0)
		return exp(-c.r * log1p(t / c.alpha));
	before = exp(-(n - 1) * log1p(theta[ODDS]));
	exactly = exp(cvm_log_beta_kernel(n, c.r, z, y)) / n;
	return fmin(1, before / (1 + theta[ODDS])
				* (exactly + theta[ODDS] * cvm_incomplete_beta(n, c.r, z, y)));
}

static double
next_purchase_if_alive(const double *theta, const cvm_row *row, double q)
{
	cvm_coin	c = posterior(theta, row);

	return cvm_coin_next_purchase(&c, q);
}

static double
draw_rate(const cvm_coin *c, cvm_rng *rng)
{
	return exp(cvm_rng_log_gamma(rng, c->r)) / c->alpha;
}

static int
simulate_if_alive(const double *theta, const cvm_row *row, cvm_rng *rng,
				  double horizon, double *times, int max)
{
	cvm_coin	c = posterior(theta, row);

	return cvm_coin_buy(draw_rate(&c, rng), chance_to_leave(theta), rng, horizon, times, max);
}

static void
simulate_life_if_alive(const double *theta, const cvm_row *row, cvm_rng *rng,
					   double *rate, double *lifetime)
{
	cvm_coin	c = posterior(theta, row);
	double		lambda = draw_rate(&c, rng);
	double		p = chance_to_leave(theta);

	*rate = lambda * (1 - p);
	*lifetime = cvm_rng_exponential(rng) / (lambda * p);
}

static void
simulate(const double *theta, cvm_rng *rng, cvm_row *row)
{
	cvm_coin	c = {.r = theta[R], .alpha = theta[ALPHA]};

	cvm_coin_live(draw_rate(&c, rng), chance_to_leave(theta), FIRST_COIN, rng, row);
}

const cvm_family cvm_shrunk_rate = {
	.name = "shrunk-rate",
	.kind = CVM_PURCHASES,
	.n_params = N_PARAMS,
	.params = {"r", "alpha", "odds"},
	.time_power = {0, 1, 0},
	.money_power = {0, 0, 0},
	.alive_ignores_span = true,
	.citation = "Batislam, Denizel & Filiztekin 2007, International Journal of Research in Marketing 24(3), with equal coins; "
	"moments after Clayton & Kaldor 1987, Biometrics 43(3)",
	.check_row = cvm_check_purchases,
	.loglik = loglik,
	.p_alive = p_alive,
	.expected = expected,
	.expected_if_alive = expected_if_alive,
	.discounted_if_alive = discounted_if_alive,
	.pmf_if_alive = pmf_if_alive,
	.next_purchase_if_alive = next_purchase_if_alive,
	.simulate_if_alive = simulate_if_alive,
	.simulate_life_if_alive = simulate_life_if_alive,
	.leaves_at_purchase = true,
	.simulate = simulate,
};

/* ---------- estimates ---------- */

/*
 * Counts x of Poisson variables of means lambda age with lambda ~ Gamma(r, r / rate)
 * have E[(x - rate age)^2 - x] = (rate age)^2 / r (Clayton & Kaldor 1987).
 */
static double
shape_of(const cvm_table *table, double rate)
{
	const cvm_cells *cells = cvm_table_cells(table);
	double		excess = 0,
				square = 0;

	for (size_t i = 0; i < cells->rows; i++)
	{
		double		x = cvm_table_row(table, i).x;
		double		mean = rate * cells->age[cells->age_id[i]];

		excess += cells->weight[i] * ((x - mean) * (x - mean) - x);
		square += cells->weight[i] * mean * mean;
	}
	if (!isfinite(excess) || !isfinite(square) || !(square > 0))
		return 1;
	return excess * MOST_SHAPE > square ? fmax(square / excess, LEAST_SHAPE) : MOST_SHAPE;
}

/*
 * How many have left: of one who is there, the chance w of a silence as long as
 * his is uniform, but for those still silent at their first purchase's end of
 * time, so that E[w] = (1 + E[e^(-2 lambda age)]) / 2; of one who has left it is 0.
 */
static double
gone_of(const cvm_table *table, double r, double alpha)
{
	const cvm_cells *cells = cvm_table_cells(table);
	double		found = 0,
				there = 0;

	for (size_t i = 0; i < cells->rows; i++)
	{
		const cvm_row row = cvm_table_row(table, i);

		found += cells->weight[i] * exp(-(r + row.x) * log1p((row.age - row.t_x) / (alpha + row.t_x)));
		there += cells->weight[i] * 0.5 * (1 + exp(-r * log1p(2 * row.age / alpha)));
	}
	return cells->customers * fmax(0, 1 - found / there);
}

/* Of nothing that was climbed. */
static cvm_fit_result
estimate(const cvm_family *family, double customers)
{
	return (cvm_fit_result) {
		.family = family,.rung = CVM_RUNG_SHRUNK,.customers = customers,.gradient_norm = NAN,.condition = NAN
	};
}

/* The log-likelihood, and whether there is one. */
static cvm_status
finish(const cvm_table *table, cvm_fit_result *result)
{
	cvm_status	status;

	if (!cvm_in_domain(result->family, result->theta))
		return CVM_NO_OPTIMUM;
	status = cvm_total_loglik(result->family, table, result->theta, &result->loglik);
	if (status == CVM_OK && !isfinite(result->loglik))
		return CVM_NO_OPTIMUM;
	return status;
}

cvm_status
cvm_shrunk_purchases(const cvm_table *table, cvm_fit_result *result)
{
	const cvm_cells *cells = cvm_table_cells(table);
	double		exposure = cells->customers * cells->mean_age;
	double		rate = exposure > 0 ? (cells->purchases + 0.5) / exposure : 1;
	double		coins = cells->purchases + cells->customers;
	double		gone;

	if (!(cells->customers > 0))
		return CVM_NO_DATA;
	*result = estimate(&cvm_shrunk_rate, cells->customers);
	result->theta[R] = shape_of(table, rate);
	result->theta[ALPHA] = result->theta[R] / rate;
	gone = gone_of(table, result->theta[R], result->theta[ALPHA]) + 0.5;
	result->theta[ODDS] = gone / (coins + 1 - gone);
	return finish(table, result);
}

void
cvm_shrunk_spend_at(double mean, cvm_fit_result *result)
{
	*result = estimate(&cvm_gamma_gamma, 0);
	result->theta[0] = 2;
	result->theta[1] = 3;
	result->theta[2] = mean;
}

/* The mean is taken step by step: sums of the largest spends would overflow. */
cvm_status
cvm_shrunk_spend(const cvm_table *table, cvm_fit_result *result)
{
	const cvm_cells *cells = cvm_table_cells(table);
	double		mean = 0,
				customers = 0;

	for (size_t i = 0; i < cells->rows; i++)
	{
		customers += cells->weight[i];
		mean += cells->weight[i] / customers * (cells->mean_spend[i] - mean);
	}
	if (!(customers > 0))
		return CVM_NO_DATA;
	cvm_shrunk_spend_at(mean, result);
	result->customers = customers;
	return finish(table, result);
}

/* With alpha + beta = 2 a contract's own decisions soon outweigh the others'. */
cvm_status
cvm_shrunk_retention(const cvm_family *family, const cvm_table *table, cvm_fit_result *result)
{
	double		ended = 0,
				decisions = 0,
				rate;

	for (size_t i = 0; i < cvm_table_rows(table); i++)
	{
		const cvm_row row = cvm_table_row(table, i);

		ended += row.weight * row.churned;
		decisions += row.weight * row.lifetime;
	}
	rate = (ended + 0.5) / (decisions + 1);
	*result = estimate(family, cvm_table_customers(table));
	result->theta[0] = 2 * rate;
	result->theta[1] = 2 * (1 - rate);
	result->theta[2] = 1;
	return finish(table, result);
}
