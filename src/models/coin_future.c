/*
 * coin_future.c: what a customer who is alive now, and tosses coins, will buy
 * (see coin.h).
 */
#include "math/quadrature.h"
#include "math/special.h"
#include "models/coin.h"

#include <float.h>
#include <math.h>

/* What the integrals over p = P(leaving at a purchase) hold fixed. */
typedef struct outlook
{
	cvm_coin	c;
	double		rate;			/* of discounting, continuous, per time unit */
	double		horizon;
	double		z_less_p;		/* rate * alpha: z = rate * alpha / p */
	double		p;
} outlook;

/* E[purchases in (0, horizon] | p] = (1 - (1 + p t / alpha)^-r) / p */
static double
purchases_given_p(double p, const void *context)
{
	const outlook *o = context;
	double		u = o->horizon / o->c.alpha;

	if (p * u < 1e-18)
		return o->c.r * u;
	return -expm1(-o->c.r * log1p(p * u)) / p;
}

/*
 * E[X(t)] without the singularities of the published form at a = 1 and
 * a + b <= 1:  c phi - (1 - z)^h S' (formulas, section 1.1).  Terms shrink like
 * z = t / (alpha + t).  Returns a negative number where its sum would cancel or
 * take too long.
 */
static double
purchases_by_series(const cvm_coin *c, double t)
{
	double		u = t / c->alpha;
	double		l = log1p(u);
	double		z = u / (1 + u);
	double		h = c->a - 1;
	double		k = c->b + h;
	double		phi = h == 0 ? l : -expm1(-h * l) / h;
	double		term = (k - c->r) * z;
	double		sum = 0;
	double		size = 0;
	double		value;

	if (u > 5)
		return -1;
	for (int n = 1; n <= 400; n++)
	{
		sum += term;
		size += fabs(term);
		if (fabs(term) <= DBL_EPSILON / 8 * (1 - z) * fabs(sum))
		{
			double		fade = exp(-h * l);

			value = k * phi - fade * sum;
			return fabs(k) * phi + fade * size < 1e3 * value ? value : -1;
		}
		term *= (c->a + (n - 1)) * (k - c->r + n) / ((k + n) * (n + 1)) * z;
	}
	return -1;
}

/* t may be INFINITY: (a + b - 1) / (a - 1) purchases if a > 1 */
double
cvm_coin_expected(const cvm_coin *c, double t)
{
	outlook		o = {.c = *c, .horizon = t};
	double		value;

	if (t <= 0)
		return 0;
	if (isinf(t))
		return c->a > 1 ? (c->a + c->b - 1) / (c->a - 1) : INFINITY;
	value = purchases_by_series(c, t);
	if (value >= 0)
		return value;
	return cvm_beta_mean(purchases_given_p, &o, c->a, c->b,
						 c->alpha / (fmax(c->r, 1) * t));
}

/* e^(-z s) (1 + s)^-(r + 1) ds at v = ln(1 + s) */
static double
discounted_rate(double v, const void *context)
{
	const outlook *o = context;

	return exp(-o->z_less_p / o->p * expm1(v) - o->c.r * v);
}

/*
 * E[sum of e^(-rate t) over purchases in (0, horizon] | p]
 *   = int_0^horizon e^(-rate t) (r / alpha) (1 + p t / alpha)^-(r + 1) dt
 *   = (r / p) [e^z E_(r+1)(z) - e^(-rate H) (1 + p H / alpha)^-r e^z' E_(r+1)(z')],
 * z = rate alpha / p, z' = rate (alpha + p H) / p (the tail beyond H is the same
 * customer, H older).  Where the two nearly cancel the integral is taken as it
 * stands: it is short and smooth then.
 */
static double
discounted_given_p(double p, const void *context)
{
	const outlook *o = context;
	double		z = o->z_less_p / p;
	double		log_tail,
				v,
				tail;
	outlook		at;

	if (!(z < 1e17))			/* p has no chance to matter before money is worthless */
		return o->c.r / o->z_less_p * -expm1(-o->rate * o->horizon);
	if (isinf(o->horizon))
		return o->c.r / p * cvm_exp_integral(o->c.r + 1, z);
	v = log1p(p * o->horizon / o->c.alpha);
	log_tail = -o->rate * o->horizon - o->c.r * v;
	if (log_tail > -1)
	{
		at = *o;
		at.p = p;
		return o->c.r / p * cvm_integrate(discounted_rate, &at, 0, v, 1 + (int) v);
	}
	tail = log_tail < -45 ? 0
		: exp(log_tail) * cvm_exp_integral(o->c.r + 1, z + o->rate * o->horizon);
	return o->c.r / p * (cvm_exp_integral(o->c.r + 1, z) - tail);
}

/*
 * Discounted expected purchases (DET of an alive customer; times P(alive) it is
 * DERT): E over p of the above.  rate >= 0; with rate 0 nothing is discounted.
 */
double
cvm_coin_discounted(const cvm_coin *c, double rate, double horizon)
{
	outlook		o = {.c = *c, .rate = rate, .horizon = horizon, .z_less_p = rate * c->alpha};
	double		finest;

	if (horizon <= 0)
		return 0;
	if (o.z_less_p <= 0)
		return cvm_coin_expected(c, horizon);
	finest = o.z_less_p;
	if (!isinf(horizon))
		finest = fmax(finest, c->alpha / horizon);
	return cvm_beta_mean(discounted_given_p, &o, c->a, c->b, finest / fmax(c->r, 1));
}

double
cvm_coin_discounted_given(const cvm_coin *c, double p, double rate, double horizon)
{
	outlook		o = {.c = *c, .rate = rate, .horizon = horizon, .z_less_p = rate * c->alpha};

	if (horizon <= 0)
		return 0;
	return o.z_less_p > 0 ? discounted_given_p(p, &o) : purchases_given_p(p, &o);
}

/*
 * P(X(t) = n) = s_n P(N = n) + (s_(n-1) - s_n) P(N >= n), N the NBD count of one
 * who never leaves, s_n = (b)_n / (a + b)_n (section 1.1).
 */
double
cvm_coin_pmf(const cvm_coin *c, double t, int n)
{
	double		z = isinf(t) ? 1 : t / (c->alpha + t);
	double		y = c->alpha / (c->alpha + t);
	double		before,
				exactly;

	if (n < 0)
		return 0;
	if (t <= 0)
		return n == 0;
	if (n == 0)
		return exp(-c->r * log1p(t / c->alpha));
	before = exp(cvm_log_survive(c->a, c->b, n - 1));
	exactly = exp(cvm_log_beta_kernel(n, c->r, z, y)) / n;
	return fmin(1, before / (c->a + c->b + (n - 1))
				* ((c->b + (n - 1)) * exactly + c->a * cvm_incomplete_beta(n, c->r, z, y)));
}

/* The next purchase comes for certain; P(later than t) = (1 + t / alpha)^-r. */
double
cvm_coin_next_purchase(const cvm_coin *c, double q)
{
	return c->alpha * expm1(-log1p(-q) / c->r);
}

/* Purchase times of one who is alive at 0, until he leaves, the horizon, or max. */
int
cvm_coin_buy(double lambda, double p, cvm_rng *rng, double horizon, double *times, int max)
{
	double		t = 0;
	int			n = 0;

	while (n < max)
	{
		t += cvm_rng_exponential(rng) / lambda;
		if (!(t <= horizon))
			break;
		times[n++] = t;
		if (cvm_rng_uniform(rng) < p)
			break;
	}
	return n;
}

int
cvm_coin_simulate_future(const cvm_coin *c, cvm_rng *rng, double horizon, double *times, int max)
{
	double		lambda = exp(cvm_rng_log_gamma(rng, c->r)) / c->alpha;
	double		p = cvm_rng_beta(rng, c->a, c->b);

	return cvm_coin_buy(lambda, p, rng, horizon, times, max);
}

/*
 * Each purchase of the Poisson process lambda is the last with probability p: the
 * others are Poisson with lambda (1 - p), the last comes after Exp(lambda p).
 */
void
cvm_coin_simulate_life(const cvm_coin *c, cvm_rng *rng, double *rate, double *lifetime)
{
	double		lambda = exp(cvm_rng_log_gamma(rng, c->r)) / c->alpha;
	double		p = cvm_rng_beta(rng, c->a, c->b);

	*rate = lambda * (1 - p);
	*lifetime = cvm_rng_exponential(rng) / (lambda * p);
}

void
cvm_coin_live(double lambda, double p, int first_coin, cvm_rng *rng, cvm_row *row)
{
	row->x = 0;
	row->t_x = 0;
	row->log_intervals = 0;
	if (first_coin > 0 && cvm_rng_uniform(rng) < p)
		return;
	while (row->x <= CVM_MAX_SIMULATED)
	{
		double		gap = cvm_rng_exponential(rng) / lambda;

		if (!(row->t_x + gap <= row->age) || row->t_x + gap == row->t_x)
			break;
		row->x++;
		row->t_x += gap;
		row->log_intervals += log(gap);
		if (cvm_rng_uniform(rng) < p)
			break;
	}
}

void
cvm_coin_simulate(const cvm_coin *c, int first_coin, cvm_rng *rng, cvm_row *row)
{
	double		lambda = exp(cvm_rng_log_gamma(rng, c->r)) / c->alpha;
	double		p = cvm_rng_beta(rng, c->a, c->b);

	cvm_coin_live(lambda, p, first_coin, rng, row);
}
