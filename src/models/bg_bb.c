/*
 * bg_bb.c: the BG/BB model of purchases at discrete opportunities (Fader, Hardie
 * & Shang 2010, "Customer-base analysis in a discrete-time noncontractual
 * setting", Marketing Science 29(6)).
 *
 * At every opportunity a customer first leaves with probability theta ~
 * Beta(gamma, delta) and, if he has not, buys with probability p ~ Beta(alpha,
 * beta).  age is the number n of opportunities since the first purchase, t_x the
 * one of the last purchase; a time is rounded down to whole opportunities.
 *
 * "Alive" is the paper's: having survived the coin of opportunity n + 1, which
 * is therefore certain to come.  Given that, p ~ Beta(alpha + x, beta + n - x)
 * and theta ~ Beta(gamma, delta + n + 1), independently; the functions of the
 * future form these (`posterior`) and forget the history.
 */
#include "math/quadrature.h"
#include "math/random.h"
#include "math/special.h"
#include "models/bg_bb.h"
#include "models/family.h"

#include <math.h>

enum
{
	ALPHA = CVM_BB_ALPHA, BETA, GAMMA, DELTA
};

/* A customer who is alive at the next opportunity, whatever he did before. */
typedef struct alive
{
	double		alpha,
				beta,
				gamma,
				delta;
} alive;

static alive
posterior(const double *theta, const cvm_row *row)
{
	return (alive) {
		theta[ALPHA] + row->x, theta[BETA] + (row->age - row->x), theta[GAMMA], theta[DELTA] + (row->age + 1)
	};
}

static const char *
check_row(const cvm_row *row)
{
	if (!(row->x >= 0 && isfinite(row->x)) || row->x != floor(row->x))
		return "x is not a whole number of repeat purchases, 0 or more";
	if (!(row->age >= 0 && isfinite(row->age)) || row->age != floor(row->age))
		return "age is not a whole number of opportunities, 0 or more";
	if (row->age > CVM_BB_MAX_AGE)
		return "age is more than a million opportunities";
	if (!(row->t_x >= 0 && isfinite(row->t_x)) || row->t_x != floor(row->t_x))
		return "t_x is not a whole number of opportunities, 0 or more";
	if (row->t_x > row->age)
		return "t_x is greater than age";
	if (row->x == 0 && row->t_x > 0)
		return "t_x is above 0 without a repeat purchase";
	if (row->x > row->t_x)
		return "x is greater than t_x, but there is at most one purchase an opportunity";
	if (!(row->weight > 0 && isfinite(row->weight)))
		return "weight is not a finite number above 0";
	return NULL;
}

/* B(alpha + x, beta + n - x) B(gamma, delta + n) / (B(alpha, beta) B(gamma, delta)) */
double
cvm_bb_log_alive(const double *theta, double x, double n)
{
	double		bought = cvm_log_rising(theta[ALPHA], x) + cvm_log_survive(theta[ALPHA], theta[BETA], n - x)
		- cvm_log_rising(theta[ALPHA] + theta[BETA] + (n - x), x);

	return bought + cvm_log_survive(theta[GAMMA], theta[DELTA], n);
}

/* A sum of positive terms, each given by its ratio to the one before, beyond the range of a double. */
typedef struct product_sum
{
	double		term;
	double		sum;
	double		shift;			/* both are to be multiplied by e^shift */
} product_sum;

#define TOO_LARGE 1e200

static void
add_term(product_sum *s, double ratio)
{
	s->term *= ratio;
	s->sum += s->term;
	if (s->sum > TOO_LARGE)
	{
		s->term /= TOO_LARGE;
		s->sum /= TOO_LARGE;
		s->shift += log(TOO_LARGE);
	}
}

/*
 * ln(1 + sum over j = t_x .. n - 1 of the likelihood of having left after
 * opportunity j, relative to that of being alive at the n-th): the paper's
 * equation 5, from its last term to its first.
 */
static double
log_all_over_alive(const double *theta, const cvm_row *row)
{
	product_sum s = {1, 1, 0};
	double		leave = theta[GAMMA];	/* then gamma + delta + j + 1 */

	for (double j = row->age - 1; j >= row->t_x; j--)
	{
		add_term(&s, (theta[ALPHA] + theta[BETA] + j) / (theta[BETA] + (j - row->x)) * leave / (theta[DELTA] + j));
		leave = theta[GAMMA] + theta[DELTA] + j;
	}
	return log(s.sum) + s.shift;
}

static double
loglik(const double *theta, const cvm_row *row)
{
	return cvm_bb_log_alive(theta, row->x, row->age) + log_all_over_alive(theta, row);
}

/* P(alive at opportunity n), the last one seen: 1 for who bought at it. */
static double
p_alive_at_last(const double *theta, const cvm_row *row)
{
	return exp(-log_all_over_alive(theta, row));
}

/* P(alive at opportunity n + 1): the paper's equation 11 and its tables. */
static double
p_alive(const double *theta, const cvm_row *row)
{
	double		stay = theta[DELTA] + row->age;

	return p_alive_at_last(theta, row) * (stay / (theta[GAMMA] + stay));
}

/* What the integral over theta holds fixed. */
typedef struct outlook
{
	double		rate;			/* continuous, per opportunity */
	double		discount;		/* e^rate - 1 */
	double		n;				/* opportunities to come, may be INFINITY */
} outlook;

/* sum over j = 1 .. n of (1 - theta)^(j - 1) e^(-rate j) */
static double
worth_given_theta(double theta, const void *context)
{
	const outlook *o = context;

	if (isinf(o->n))
		return 1 / (o->discount + theta);
	if (o->discount == 0 && theta * o->n < 1e-17)
		return o->n;
	return -expm1(o->n * (log1p(-theta) - o->rate)) / (o->discount + theta);
}

#define FEW 256

/*
 * Discounted opportunities at which a living customer will be alive still:
 * sum over j = 1 .. n of S(j - 1) e^(-rate j), S(j) = (delta)_j / (gamma + delta)_j.
 * A few are summed, many integrated over theta; neither has a singularity at
 * gamma = 1, unlike the published forms (equation 9).
 */
static double
living_opportunities(const alive *c, double rate, double n)
{
	outlook		o = {rate, expm1(rate), n};
	double		term = exp(-rate);
	double		sum = 0;

	if (isinf(n) && rate <= 0)
		return c->gamma > 1 ? (c->gamma + c->delta - 1) / (c->gamma - 1) : INFINITY;
	if (n > FEW)
		return cvm_beta_mean(worth_given_theta, &o, c->gamma, c->delta, fmax(o.discount, 1 / n));
	for (int j = 0; j < n; j++)
	{
		sum += term;
		term *= (c->delta + j) / (c->gamma + c->delta + j) * exp(-rate);
	}
	return sum;
}

static double
purchases(const alive *c, double rate, double horizon)
{
	if (!(horizon >= 1))
		return 0;
	return c->alpha / (c->alpha + c->beta) * living_opportunities(c, rate, floor(horizon));
}

/* A new customer faces the coin of the first opportunity first. */
static double
expected(const double *theta, double t)
{
	cvm_row		fresh = {.weight = 1};
	alive		c = posterior(theta, &fresh);

	return theta[DELTA] / (theta[GAMMA] + theta[DELTA]) * purchases(&c, 0, t);
}

static double
expected_if_alive(const double *theta, const cvm_row *row, double t)
{
	alive		c = posterior(theta, row);

	return purchases(&c, 0, t);
}

/* The paper's DERT (equation 14) given alive: its d is e^rate - 1, the next opportunity is one period away. */
static double
discounted_if_alive(const double *theta, const cvm_row *row, double rate, double horizon)
{
	alive		c = posterior(theta, row);

	return purchases(&c, rate, horizon);
}

/* P(m purchases at i opportunities), all alive: the beta-binomial distribution */
static double
log_beta_binomial(const alive *c, double m, double i)
{
	return cvm_log_rising(i - m + 1, m) - cvm_log_gamma(m + 1) + cvm_log_rising(c->alpha, m)
		+ cvm_log_survive(c->alpha, c->beta, i - m) - cvm_log_rising(c->alpha + c->beta + (i - m), m);
}

typedef struct count
{
	alive		c;
	double		m;				/* purchases */
} count;

/* ln P(alive at i further opportunities or more, m purchases at the first i), i real */
static double
log_lived(const count *k, double i)
{
	return cvm_log_survive(k->c.gamma, k->c.delta, i - 1) + log_beta_binomial(&k->c, k->m, i);
}

/* P(alive at exactly i, m purchases) */
static double
lived_and_bought(const count *k, double i)
{
	return exp(log_lived(k, i)) * (k->c.gamma / (k->c.gamma + k->c.delta + (i - 1)));
}

/* The same at v = ln i, per unit of v */
static double
lived_and_bought_log(double v, const void *context)
{
	return exp(v) * lived_and_bought(context, exp(v));
}

/*
 * ln of 1 + the sum over i < top of lived_and_bought, relative to a term at
 * `top`: that of one who leaves then or, if `beyond`, lives on.
 */
static double
log_all_below(const count *k, double top, bool beyond)
{
	const alive *c = &k->c;
	product_sum s = {1, 1, 0};
	double		leave = beyond ? c->gamma : c->gamma + c->delta + (top - 1);

	for (double i = top - 1; i >= fmax(k->m, 1); i--)
	{
		add_term(&s, leave / (c->delta + (i - 1)) * ((i + 1 - k->m) / (i + 1))
				 * ((c->alpha + c->beta + i) / (c->beta + (i - k->m))));
		leave = c->gamma + c->delta + (i - 1);
	}
	return log(s.sum) + s.shift;
}

/*
 * Add the sum over i = from .. n - 1 of lived_and_bought by the midpoint form of Euler
 * and Maclaurin's formula: `from` is so large that terms change by less than a
 * hundredth from one to the next, which leaves errors of their third
 * differences.  The integral is taken in ln i; in the end terms are a power of
 * i, whose integral is known.
 */
static double
sum_far(const count *k, double from, double n, double sum)
{
	double		power = k->c.gamma + k->c.alpha;	/* terms end like i^-(power + 1) */
	double		width = fmin(0.5, 4 / (power + 1));
	double		end = log(n - 0.5);
	double		straight = log(1e18) + log(from);

	sum += (lived_and_bought(k, from) - lived_and_bought(k, from - 1)) / 24;
	if (!isinf(n))
		sum -= (lived_and_bought(k, n) - lived_and_bought(k, n - 1)) / 24;
	for (double v = log(from - 0.5); v < end; v += width)
	{
		double		to = fmin(v + width, end);
		double		part = cvm_integrate(lived_and_bought_log, k, v, to, 1);

		sum += part;
		if (v > straight)
			return sum + lived_and_bought_log(to, k) / power
				* (isinf(n) ? 1 : -expm1(-power * (end - to)));
		if (part <= 1e-18 * sum && lived_and_bought_log(to, k) <= lived_and_bought_log(v, k))
			break;
	}
	return sum;
}

#define MANY 1e6

/*
 * P(no purchase at n opportunities), from the first on: all terms are positive,
 * none is beyond a double, and most sums end early.  Terms that change by a
 * hundredth or more from one to the next at MANY have done so ever since the
 * first: then there is nothing left for sum_far.
 */
static double
quiet(const count *k, double n)
{
	const alive *c = &k->c;
	double		far = fmin(floor(1e4 + 100 * (c->gamma + c->alpha)), MANY);
	double		waiting = 1;	/* P(alive at i, no purchase up to it) */
	double		sum = 0;		/* ... and left after it */

	for (double i = 1; i < n && i < far; i++)
	{
		double		leave = c->gamma / (c->gamma + c->delta + (i - 1));

		waiting *= (c->beta + (i - 1)) / (c->alpha + c->beta + (i - 1));
		sum += waiting * leave;
		waiting *= (c->delta + (i - 1)) / (c->gamma + c->delta + (i - 1));
		if (waiting <= 1e-18 * sum)
			return sum;
	}
	if (n <= far)
		return sum + waiting * ((c->beta + (n - 1)) / (c->alpha + c->beta + (n - 1)));
	return sum_far(k, far, n, sum + (isinf(n) ? 0 : exp(log_lived(k, n))));
}

/*
 * P(m purchases at n opportunities), summed over the number at which the
 * customer is alive (the paper's equation 7, for one who lives through the
 * first).
 */
static double
pmf_if_alive(const double *theta, const cvm_row *row, double t, int m)
{
	count		k = {posterior(theta, row), m};
	double		n = floor(t);
	double		far = floor(1e4 + 100 * (k.c.gamma + k.c.alpha + m));
	double		sum = 0;

	if (m < 0 || m > n)
		return 0;
	if (!(n >= 1))
		return 1;
	if (m == 0)
		return fmin(1, quiet(&k, n));
	if (n <= far)
		return fmin(1, exp(log_lived(&k, n) + log_all_below(&k, n, true)));
	if (!isinf(n))
		sum = exp(log_lived(&k, n));
	sum += exp(log_lived(&k, far) + log_all_below(&k, far, false)) * (k.c.gamma / (k.c.gamma + k.c.delta + (far - 1)))
		- lived_and_bought(&k, far);
	return fmin(1, sum_far(&k, far, n, sum));
}

/*
 * The first opportunity by which a share q of the living have bought; INFINITY
 * where more than 1 - q never will.
 */
static double
next_purchase_if_alive(const double *theta, const cvm_row *row, double q)
{
	alive		c = posterior(theta, row);
	double		waiting = 1;	/* P(alive at j + 1, no purchase before) */
	double		bought = 0;
	double		low = FEW,
				high = FEW;

	if (q <= 0)
		return 0;
	for (int j = 0; j < FEW; j++)
	{
		bought += waiting * c.alpha / (c.alpha + c.beta + j);
		if (bought >= q)
			return j + 1;
		waiting *= (c.beta + j) / (c.alpha + c.beta + j) * ((c.delta + j) / (c.gamma + c.delta + j));
	}
	if (!(pmf_if_alive(theta, row, INFINITY, 0) < 1 - q))
		return INFINITY;
	while (pmf_if_alive(theta, row, high, 0) > 1 - q)
	{
		low = high;
		high *= 2;
		if (high > 1e300)
			return INFINITY;
	}
	while (high - low > 1 && high - low > 1e-15 * high)
	{
		double		middle = floor(0.5 * (low + high));

		if (pmf_if_alive(theta, row, middle, 0) > 1 - q)
			low = middle;
		else
			high = middle;
	}
	return high;
}

/* Failures before the first success of probability p: a geometric draw, INFINITY if p is 0. */
static double
failures(cvm_rng *rng, double p)
{
	return floor(cvm_rng_exponential(rng) / -log1p(-p));
}

/* Purchases at the opportunities up to `last`, alive at all of them; returns how many (<= max). */
static int
simulate_alive(cvm_rng *rng, double p, double last, double *times, int max)
{
	double		t = 0;
	int			n = 0;

	while (n < max)
	{
		t += 1 + failures(rng, p);
		if (!(t <= last))
			break;
		times[n++] = t;
	}
	return n;
}

/* The chance of a purchase, and the opportunities at which he is alive. */
static void
simulate_life_if_alive(const double *theta, const cvm_row *row, cvm_rng *rng, double *p, double *survived)
{
	alive		c = posterior(theta, row);

	*p = cvm_rng_beta(rng, c.alpha, c.beta);
	*survived = 1 + failures(rng, cvm_rng_beta(rng, c.gamma, c.delta));
}

static int
simulate_if_alive(const double *theta, const cvm_row *row, cvm_rng *rng,
				  double horizon, double *times, int max)
{
	double		p,
				survived;

	simulate_life_if_alive(theta, row, rng, &p, &survived);
	return simulate_alive(rng, p, fmin(survived, floor(horizon)), times, max);
}

static void
simulate(const double *theta, cvm_rng *rng, cvm_row *row)
{
	double		p = cvm_rng_beta(rng, theta[ALPHA], theta[BETA]);
	double		last = fmin(failures(rng, cvm_rng_beta(rng, theta[GAMMA], theta[DELTA])), row->age);
	double		t;

	row->x = 0;
	row->t_x = 0;
	row->log_intervals = 0;
	while (simulate_alive(rng, p, last - row->t_x, &t, 1) > 0)
	{
		row->x++;
		row->t_x += t;
		row->log_intervals += log(t);
	}
}

const cvm_family cvm_bg_bb = {
	.name = "bg/bb",
	.kind = CVM_PURCHASES,
	.n_params = CVM_BB_PARAMS,
	.params = {"alpha", "beta", "gamma", "delta"},
	.simpler = {1, 0, 1, 0},
	.alive_ignores_span = true,
	.whole_times = true,
	.citation = "Fader, Hardie & Shang 2010, Marketing Science 29(6)",
	.check_row = check_row,
	.loglik = loglik,
	.table_loglik = cvm_bb_table_loglik,
	.starts = cvm_bb_starts,
	.p_alive = p_alive,
	.p_alive_at_last = p_alive_at_last,
	.expected = expected,
	.expected_if_alive = expected_if_alive,
	.discounted_if_alive = discounted_if_alive,
	.pmf_if_alive = pmf_if_alive,
	.next_purchase_if_alive = next_purchase_if_alive,
	.simulate_if_alive = simulate_if_alive,
	.simulate_life_if_alive = simulate_life_if_alive,
	.simulate = simulate,
};
