/*
 * regular_future.c: what to expect of regular customers who are alive (see
 * regular.h).
 *
 * The i-th purchase from now is stage k i - j, where j have passed since the
 * last one; it is preceded by i - 1 coins.  All figures are sums of
 * S(i - 1) = (b)_(i - 1) / (a + b)_(i - 1) over purchases, weighted by stage[j]:
 * exact, where the published conditional mean is an approximation
 * (BTYDplus uses alpha k for alpha and BG/NBD otherwise).
 */
#include "math/quadrature.h"
#include "math/random.h"
#include "math/special.h"
#include "models/regular.h"

#include <float.h>
#include <math.h>

#define MOST_INTERVALS 1e300	/* nobody lives for more: what would overflow is cut here */
#define CERTAIN_SHAPE 1e13		/* lambda is known to as many digits as a double has */
#define MANY_STAGES 3000		/* more than these in a horizon are integrated over lambda */
#define NEGLIGIBLE 1e-17

/* ln P(no purchase in (0, e^v alpha - alpha]); *last: P(one stage short of it then | none) */
static double
log_silence(const cvm_regular *c, double v, double *last)
{
	double		stage[CVM_MAX_STAGES];
	double		u = c->silent / c->alpha * exp(-v) - expm1(-v);
	double		all = cvm_regular_stages(c->k, c->shape, u, stage);

	*last = stage[c->k - 1] / all;
	return log(all / c->all) - c->shape * v;
}

/*
 * The quantile in v = ln(1 + t / alpha), by Newton's method between brackets:
 * the density of the next purchase is lambda P(one stage short of it), whose
 * mean is (shape + k - 1) / (alpha + t) P(...).
 */
double
cvm_regular_next_purchase(const cvm_regular *c, double q)
{
	double		target = log1p(-q);
	double		stage[CVM_MAX_STAGES];
	double		low = 0;
	double		high = (log(cvm_regular_stages(c->k, c->shape, 1, stage) / c->all) - target) / c->shape;
	double		v = 0.5 * high;

	if (q <= 0)
		return 0;
	if (isinf(target))
		return INFINITY;
	for (int i = 0; i < 200; i++)
	{
		double		last;
		double		above = log_silence(c, v, &last) - target;
		double		step = above / (last * (c->shape + (c->k - 1)));
		double		next = v + step;

		if (above > 0)
			low = v;
		else
			high = v;
		if (fabs(step) <= 1e-16 * v)
			break;
		v = next > low && next < high ? next : 0.5 * (low + high);
	}
	return c->alpha * expm1(v);
}

/* P(from <= N < from + k) of a negative binomial count N of stages, from > 0 */
static double
stages_within(double shape, double z, double y, int k, double from)
{
	double		ratio = 1;
	double		sum = 1;

	for (int i = 1; i < k; i++)
	{
		ratio *= z * (shape + (from + i - 1)) / (from + i);
		sum += ratio;
	}
	return exp(cvm_log_beta_kernel(from, shape, z, y) + log(sum / from));
}

/*
 * P(X(t) = n) = S(n) P(n purchases of one who never leaves)
 *   + (S(n - 1) - S(n)) P(n or more), n > 0 (formulas, section 1.4).
 */
double
cvm_regular_pmf(const cvm_regular *c, double t, int n)
{
	double		z = isinf(t) ? 1 : t / (c->alpha + t);
	double		y = c->alpha / (c->alpha + t);
	double		exactly = 0,
				at_least = 0,
				last,
				before;

	if (n < 0)
		return 0;
	if (t <= 0)
		return n == 0;
	if (n == 0)
		return isinf(t) ? 0 : fmin(1, exp(log_silence(c, log1p(t / c->alpha), &last)));
	for (int j = 0; j < c->k; j++)
	{
		double		from = (double) c->k * n - j;

		exactly += c->stage[j] * stages_within(c->shape + j, z, y, c->k, from);
		at_least += c->stage[j] * cvm_incomplete_beta(from, c->shape + j, z, y);
	}
	before = exp(cvm_log_survive(c->a, c->b, n - 1));
	return fmin(1, before / (c->a + c->b + (n - 1)) * ((c->b + (n - 1)) * exactly + c->a * at_least));
}

/*
 * E[purchases in (0, t] | j stages passed]: sum over the number N of further
 * stages of P(N) times the expected purchases among them, normalised by the sum
 * of P(N), so that its first term may be anything.
 */
static double
purchases_from_stage(const cvm_regular *c, double t, int j)
{
	double		shape = c->shape + j;
	double		z = t / (c->alpha + t);
	double		mean = shape * t / c->alpha;
	double		term = 1,
				mass = 0,
				sum = 0;
	double		survive = 1;	/* S(i) after i purchases */
	double		bought = 0;		/* S(0) + ... + S(i - 1) */
	double		made = 0;

	for (int n = 0; n < 100 * MANY_STAGES; n++)
	{
		double		ratio = z * (shape + n) / (n + 1);

		if (n > 0 && (n + j) % c->k == 0)
		{
			bought += survive;
			survive *= (c->b + made) / (c->a + c->b + made);
			made++;
		}
		mass += term;
		sum += term * bought;
		if (n > mean && ratio < 1 && n >= c->k
			&& term * ratio / (1 - ratio) <= NEGLIGIBLE * mass
			&& term * ratio / (1 - ratio) * (bought + 1 / (1 - ratio)) <= NEGLIGIBLE * sum)
			break;
		term *= ratio;
		if (mass > 1e250)
		{
			term /= 1e250;
			mass /= 1e250;
			sum /= 1e250;
		}
	}
	return sum / mass;
}

/*
 * What the integrals hold fixed.  e = lambda alpha; weight[j] = stage[j] /
 * (shape)_j e^j weighs the density of Gamma(shape) to that of Gamma(shape + j).
 */
typedef struct outlook
{
	const cvm_regular *c;
	double		rate;			/* of discounting, continuous, per time unit */
	double		horizon;
	double		lambda;
	double		weight[CVM_MAX_STAGES];
	double		log_y;			/* y = lambda / (lambda + rate): the worth of money one stage later */
	double		power[CVM_MAX_STAGES + 1];	/* y^i */
	double		loss;			/* 1 - y^k */
} outlook;

/* sum over i > 0 of (1 - p)^(i - 1) y^(k (i - 1)): purchases at 1, 2, ... intervals from now, in units of the first */
static double
intervals_given_p(double p, const void *context)
{
	const outlook *o = context;

	return 1 / (o->loss + p * (1 - o->loss));
}

/* E of the above over p: 2F1(1, b; a + b; y^k), by its series or by quadrature */
static double
intervals(const outlook *o)
{
	const cvm_regular *c = o->c;
	double		step = 1 - o->loss;
	double		term = 1;
	double		sum = 1;

	if (step > 0.8)
		return cvm_beta_mean(intervals_given_p, o, c->a, c->b, o->loss);
	for (int i = 0; term > NEGLIGIBLE * sum; i++)
	{
		term *= step * (c->b + i) / (c->a + c->b + i);
		sum += term;
	}
	return sum;
}

/*
 * Given lambda, and all of time: stage k i - j comes after (k i - j) intervals
 * of mean worth y.
 */
static double
worth_for_ever(const outlook *o)
{
	double		sum = 0;

	for (int j = 0; j < o->c->k; j++)
		sum += o->weight[j] * o->power[o->c->k - j];
	return sum * intervals(o);
}

/*
 * Given lambda, until the horizon H: E[e^(-rate tau); tau <= H] of stage n at
 * tau is y^n P(N >= n) for a Poisson count N of mean (lambda + rate) H.  Summed
 * over N, with `worth` the sum over the purchases among N stages; stage n is a
 * purchase for exactly one j.
 */
static double
worth_by_counts(const outlook *o)
{
	const cvm_regular *c = o->c;
	double		mean = (o->lambda + o->rate) * o->horizon;
	double		chance = exp(-mean);
	double		y = o->power[1];
	double		power = 1;
	double		survive = 1;
	double		worth = 0;
	double		sum = 0;
	int			made = 0;		/* purchases before the current interval, counted from j = 0 */

	for (int n = 1; n < 100000; n++)
	{
		int			j = (c->k - n % c->k) % c->k;

		chance *= mean / n;
		power *= y;
		worth += o->weight[j] * survive * power;
		sum += chance * worth;
		if (j == 0)
		{
			survive *= (c->b + made) / (c->a + c->b + made);
			made++;
		}
		if (n > mean + c->k && chance * (worth + 1) <= NEGLIGIBLE * sum * (1 - mean / n))
			break;
	}
	return sum;
}

/*
 * The same for many stages: all of time less what is left at H.  With w =
 * (1 - p)^(1/k) the latter is e^(-rate H) y^k E[(1 - p)^floor(M / k) y^-(M mod k)],
 * M = N + j, N ~ Poisson(lambda H): w^M times a function of M mod k, whose
 * oscillations (its Fourier terms but the constant) are damped by
 * exp(-lambda H (1 - cos(2 pi / k))) or more, which is nothing here.
 */
static double
worth_given_p(double at, const void *context)
{
	const outlook *o = context;
	double		p = fmin(fmax(at, 1e-290), 1 - 1e-16);
	int			k = o->c->k;
	double		log_w = log1p(-p) / k;
	double		cycle = 0;		/* mean of (w y)^-m, less 1 */
	double		common = -o->rate * o->horizon + o->lambda * o->horizon * expm1(log_w);
	double		sum = 0;

	for (int m = 1; m < k; m++)
		cycle += expm1(-m * (log_w + o->log_y)) / k;
	common += log1p(cycle);
	for (int j = 0; j < k; j++)
		sum -= o->weight[j] * o->power[k - j] * expm1(common + j * (log_w + o->log_y));
	return sum / (o->loss + p * (1 - o->loss));
}

/* Discounted purchases until the horizon given lambda, stages weighted as above */
static double
worth_given_lambda(outlook *o, double e)
{
	const cvm_regular *c = o->c;
	double		factor = 1 / c->all;

	o->lambda = fmin(e / c->alpha, MOST_INTERVALS / (isinf(o->horizon) ? 1 : fmax(o->horizon, 1)));
	o->log_y = -log1p(o->rate / o->lambda);
	o->loss = -expm1(c->k * o->log_y);
	o->power[0] = 1;
	for (int j = 0; j < c->k; j++)
	{
		o->weight[j] = factor;
		factor *= c->silent / c->alpha * e / (j + 1);
		o->power[j + 1] = o->power[j] * exp(o->log_y);
	}
	if (isinf(o->horizon) || o->rate * o->horizon > 150)
		return worth_for_ever(o);
	if (o->lambda * o->horizon < 500)
		return worth_by_counts(o);
	return cvm_beta_mean(worth_given_p, o, c->a, c->b,
						 fmax(o->loss, c->k / (o->lambda * o->horizon)));
}

/* 1 + w - e^w, also where w^2 is far below the rounding of w */
static double
log_peak(double w)
{
	if (fabs(w) < 1e-3)
		return -w * w * (1.0 / 2 + w * (1.0 / 6 + w * (1.0 / 24 + w * (1.0 / 120 + w / 720))));
	return w - expm1(w);
}

/*
 * E over lambda of worth_given_lambda, by the trapezoidal rule in v = ln(lambda
 * alpha): the integrand, up to exp((shape + k) v - e^v), is analytic for
 * |Im v| < pi / 2 without a horizon, so that a step of 0.28 (of a standard
 * deviation, where that is small) leaves 1e-16.  With a horizon the purchases
 * oscillate with the interval, exp(-lambda H (1 - e^(2 pi i / k))), which narrows
 * the strip to pi / k.  A density of small shape has an endless left tail, in which the rest
 * vanishes at least like e^v: only where the shape is large is the density
 * normalised by the same rule.  A larger shape than matters would overflow.
 */
static double
mean_over_lambda(const cvm_regular *posterior, double rate, double horizon)
{
	cvm_regular known = *posterior;
	const cvm_regular *c = &known;
	outlook		o = {.c = c, .rate = rate, .horizon = horizon};
	bool		normalise = c->shape >= 2;
	double		centre,
				step,
				log_scale;
	double		mass = 0,
				sum = 0;

	if (known.shape > CERTAIN_SHAPE)
	{
		known.alpha = fmax(DBL_MIN, known.alpha * (CERTAIN_SHAPE / known.shape));
		known.shape = CERTAIN_SHAPE;
	}
	centre = log(c->shape + (normalise ? 0 : 1));
	step = (isinf(horizon) ? 0.28 : fmin(0.28, 0.6 / c->k)) * fmin(1, 1.2 / sqrt(c->shape + c->k));
	log_scale = normalise ? 0 : c->shape * centre - cvm_log_gamma(c->shape);
	for (int side = 0; side < 2; side++)
	{
		double		last = 0;

		for (int i = side; i < 20000; i++)
		{
			double		w = side == 0 ? i * step : -i * step;
			double		e = exp(centre + w);
			double		density = exp(log_scale + (normalise ? c->shape * log_peak(w) : c->shape * w - e));
			double		term = density > 0 ? density * worth_given_lambda(&o, e) : 0;

			mass += density;
			sum += term;
			if (!isfinite(sum)
				|| (term <= NEGLIGIBLE * sum && term <= last && (!normalise || density <= NEGLIGIBLE * mass)))
				break;
			last = term;
		}
	}
	return normalise ? sum / mass : sum * step;
}

/* E[X(t)] of a customer alive now; t may be INFINITY: (a + b - 1) / (a - 1) purchases if a > 1 */
double
cvm_regular_purchases(const cvm_regular *c, double t)
{
	double		u = t / c->alpha;
	double		mean = (c->shape + c->k) * u;
	double		sum = 0;

	if (t <= 0)
		return 0;
	if (isinf(t))
		return c->a > 1 ? (c->a + c->b - 1) / (c->a - 1) : INFINITY;
	if (mean + 9 * sqrt(mean * (1 + u)) + 40 * (1 + u) > MANY_STAGES)
		return mean_over_lambda(c, 0, t);
	for (int j = 0; j < c->k; j++)
		sum += c->stage[j] * purchases_from_stage(c, t, j);
	return sum;
}

/* Discounted expected purchases in (0, horizon]; rate >= 0 */
double
cvm_regular_discounted(const cvm_regular *c, double rate, double horizon)
{
	if (horizon <= 0)
		return 0;
	if (rate <= 0)
		return cvm_regular_purchases(c, horizon);
	return mean_over_lambda(c, rate, horizon);
}

/* Purchase times of one who is alive at 0, until he leaves, the horizon, or max. */
int
cvm_regular_simulate_alive(const cvm_regular *c, cvm_rng *rng, double horizon, double *times, int max)
{
	double		u = cvm_rng_uniform(rng);
	double		p = cvm_rng_beta(rng, c->a, c->b);
	double		t = 0;
	double		lambda;
	int			j = 0;
	int			n = 0;

	while (j < c->k - 1 && u >= c->stage[j])
		u -= c->stage[j++];
	lambda = exp(cvm_rng_log_gamma(rng, c->shape + j)) / c->alpha;
	while (n < max)
	{
		t += cvm_rng_gamma(rng, n == 0 ? c->k - j : c->k) / lambda;
		if (!(t <= horizon))
			break;
		times[n++] = t;
		if (cvm_rng_uniform(rng) < p)
			break;
	}
	return n;
}
