/*
 * bg_nbd.c: the BG/NBD model (Fader, Hardie & Lee 2005, "Counting your
 * customers the easy way", Marketing Science 24(2)).
 *
 * While alive a customer buys at rate lambda ~ Gamma(r, alpha) (alpha in time
 * units); after every repeat purchase he leaves with probability p ~ Beta(a, b).
 *
 * Given the history and being alive, lambda ~ Gamma(r + x, alpha + age) and
 * p ~ Beta(a, b + x) again, independently (formulas: section 1.1).  So every
 * figure of the future is that of a new customer with these parameters, and the
 * functions below first form them (`posterior`), then forget the history.
 */
#include "math/quadrature.h"
#include "math/random.h"
#include "math/special.h"
#include "models/cells.h"
#include "models/family.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum
{
	R, ALPHA, A, B, N_PARAMS
};

/* A customer who is alive now, whatever he did before. */
typedef struct alive
{
	double		r,
				alpha,
				a,
				b;
} alive;

static alive
posterior(const double *theta, const cvm_row *row)
{
	return (alive) {theta[R] + row->x, theta[ALPHA] + row->age, theta[A], theta[B] + row->x};
}

static const char *
check_row(const cvm_row *row)
{
	if (!(row->x >= 0 && isfinite(row->x)) || row->x != floor(row->x))
		return "x is not a whole number of repeat purchases, 0 or more";
	if (!(row->age >= 0 && isfinite(row->age)))
		return "age is negative or not finite";
	if (!(row->t_x >= 0 && isfinite(row->t_x)))
		return "t_x is negative or not finite";
	if (row->t_x > row->age)
		return "t_x is greater than age";
	if (row->x == 0 && row->t_x > 0)
		return "t_x is above 0 without a repeat purchase";
	if (row->x > 0 && row->t_x == 0)
		return "t_x is 0 in spite of repeat purchases";
	if (!(row->weight > 0 && isfinite(row->weight)))
		return "weight is not above 0";
	return NULL;
}

/*
 * ln of (likelihood of having left after the last purchase) / (likelihood of
 * being alive still), x > 0: B - A of Fader & Hardie 2013 (note 27).
 */
static double
log_odds_gone(const double *theta, const cvm_row *row)
{
	return log(theta[A] / (theta[B] + (row->x - 1)))
		+ (theta[R] + row->x) * log1p((row->age - row->t_x) / (theta[ALPHA] + row->t_x));
}

static double
loglik(const double *theta, const cvm_row *row)
{
	double		value = cvm_log_rising(theta[R], row->x)
		- theta[R] * log1p(row->age / theta[ALPHA]) - row->x * log(theta[ALPHA] + row->age);

	if (row->x == 0)
		return value;
	return value + cvm_log_survive(theta[A], theta[B], row->x)
		+ cvm_log_sum_exp(0, log_odds_gone(theta, row));
}

/* A customer without repeat purchase is alive for certain: nobody leaves before the first. */
static double
p_alive(const double *theta, const cvm_row *row)
{
	return row->x == 0 ? 1 : 1 / (1 + exp(log_odds_gone(theta, row)));
}

/*
 * Sums over the rows of one x > 0, with w = P(gone), v = w (1 - w),
 * l = ln((alpha + age) / (alpha + t_x)), e = 1 / (alpha + t_x) - 1 / (alpha + age),
 * q = 1 / (alpha + t_x)^2 - 1 / (alpha + age)^2.
 */
typedef struct gone_sums
{
	double		value;			/* ln(1 + odds of being gone) */
	double		w,
				wl,
				we,
				wq;
	double		v,
				vl,
				ve,
				vll,
				vle,
				vee;
} gone_sums;

/*
 * The dearest loop of a fit: one exponential a row.  Of single customers, which
 * most rows are, the logarithms are taken of products: factors lie in [1, 2].
 */
#define FACTORS 512

static cvm_status
sum_gone(const cvm_table *table, const double *theta, const cvm_group *group, gone_sums *sums)
{
	const cvm_cells *cells = cvm_table_cells(table);
	double		constant = log(theta[A] / (theta[B] + (group->x - 1)));
	double		shape = theta[R] + group->x;
	double		product = 1;
	gone_sums	s = {0};

	for (size_t i = group->first; i < group->first + group->rows; i++)
	{
		cvm_shifted age = cells->age_shifted[cells->age_id[i]];
		cvm_shifted span = cells->span_shifted[cells->span_id[i]];
		double		l = age.log - span.log;
		double		e = span.inverse - age.inverse;
		double		d = constant + shape * l;
		double		odds = exp(-fabs(d));
		double		share = 1 / (1 + odds);
		double		w = cells->weight[i] * (d > 0 ? share : odds * share);
		double		v = cells->weight[i] * odds * share * share;
		double		vl = v * l;
		double		ve = v * e;

		if (d > 0)
			s.value += cells->weight[i] * d;
		if (cells->weight[i] == 1)
			product *= 1 + odds;
		else
			s.value += cells->weight[i] * log1p(odds);
		s.w += w;
		s.wl += w * l;
		s.we += w * e;
		s.wq += w * e * (span.inverse + age.inverse);
		s.v += v;
		s.vl += vl;
		s.ve += ve;
		s.vll += vl * l;
		s.vle += vl * e;
		s.vee += ve * e;
		if (i % FACTORS == 0)
		{
			s.value += log(product);
			product = 1;
		}
		if (i % CVM_POLL_ROWS == 0 && cvm_table_cancelled(table))
			return CVM_CANCELLED;
	}
	s.value += log(product);
	*sums = s;
	return CVM_OK;
}

/*
 * Derivatives of the part of one x that depends on ages and spans through w:
 * LL = ... + ln(1 + e^d), so grad += w grad(d), hess += w hess(d) + v grad(d) grad(d)',
 * all in log parameters (theta d/dtheta).
 */
static void
add_gone(const double *theta, double x, const gone_sums *s, double *grad, double *hess)
{
	double		r = theta[R];
	double		alpha = theta[ALPHA];
	double		shape = r + x;
	double		c = theta[B] / (theta[B] + (x - 1));	/* - d ln(b + x - 1) / d ln b */

	grad[R] += r * s->wl;
	grad[ALPHA] -= shape * alpha * s->we;
	grad[A] += s->w;
	grad[B] -= c * s->w;

	hess[R * N_PARAMS + R] += r * s->wl + r * r * s->vll;
	hess[R * N_PARAMS + ALPHA] -= r * alpha * (s->we + shape * s->vle);
	hess[R * N_PARAMS + A] += r * s->vl;
	hess[R * N_PARAMS + B] -= r * c * s->vl;
	hess[ALPHA * N_PARAMS + ALPHA] += shape * alpha * (alpha * s->wq - s->we)
		+ shape * shape * alpha * alpha * s->vee;
	hess[ALPHA * N_PARAMS + A] -= shape * alpha * s->ve;
	hess[ALPHA * N_PARAMS + B] += shape * alpha * c * s->ve;
	hess[A * N_PARAMS + A] += s->v;
	hess[A * N_PARAMS + B] -= c * s->v;
	hess[B * N_PARAMS + B] += c * c * s->v - c * (1 - c) * s->w;
}

/* ln Gamma(r + x) / Gamma(r) + ln B(a, b + x) / B(a, b), once per distinct x */
static double
add_counts(const double *theta, double x, double n, double *grad, double *hess)
{
	double		r = theta[R];
	double		a = theta[A];
	double		b = theta[B];
	double		d_r = n * r * cvm_digamma_rise(r, x);
	double		sum_rise = cvm_digamma_rise(a + b, x);	/* of digamma(a + b) */
	double		d_a = -n * a * sum_rise;
	double		d_b = n * b * (cvm_digamma_rise(b, x) - sum_rise);
	double		sum_curve = n * cvm_trigamma_rise(a + b, x);

	grad[R] += d_r;
	grad[A] += d_a;
	grad[B] += d_b;
	hess[R * N_PARAMS + R] += d_r + n * r * r * cvm_trigamma_rise(r, x);
	hess[A * N_PARAMS + A] += d_a - a * a * sum_curve;
	hess[A * N_PARAMS + B] -= a * b * sum_curve;
	hess[B * N_PARAMS + B] += d_b + b * b * (n * cvm_trigamma_rise(b, x) - sum_curve);
	return n * (cvm_log_rising(r, x) + cvm_log_survive(a, b, x));
}

/*
 * -r ln(1 + age / alpha) - x ln(alpha + age), once per distinct age; fills the
 * logarithms and inverses that the rows look up.
 */
static double
add_ages(const cvm_cells *cells, const double *theta, double *grad, double *hess)
{
	double		r = theta[R];
	double		alpha = theta[ALPHA];
	double		log_alpha = log(alpha);
	double		value = 0;

	for (size_t k = 0; k < cells->ages; k++)
	{
		double		n = cells->age_customers[k];
		double		events = r * n + cells->age_purchases[k];
		double		sum = alpha + cells->age[k];
		double		rest = cells->age[k] / sum;	/* 1 - alpha / sum */
		double		l = log1p(cells->age[k] / alpha);

		cells->age_shifted[k] = (cvm_shifted) {log_alpha + l, 1 / sum};
		value -= events * l + cells->age_purchases[k] * log_alpha;
		grad[R] -= r * n * l;
		grad[ALPHA] += events * rest - cells->age_purchases[k];
		hess[R * N_PARAMS + R] -= r * n * l;
		hess[R * N_PARAMS + ALPHA] += r * n * rest;
		hess[ALPHA * N_PARAMS + ALPHA] -= events * rest * (1 - rest);
	}
	for (size_t k = 0; k < cells->spans; k++)
	{
		double		l = log1p(cells->span[k] / alpha);

		cells->span_shifted[k] = (cvm_shifted) {log_alpha + l, 1 / (alpha + cells->span[k])};
	}
	return value;
}

static cvm_status
table_loglik(const cvm_table *table, const double *theta, double *loglik, double *grad, double *hess)
{
	const cvm_cells *cells = cvm_table_cells(table);
	double		g[N_PARAMS] = {0};
	double		h[N_PARAMS * N_PARAMS] = {0};
	double		value = add_ages(cells, theta, g, h);

	for (size_t i = 0; i < cells->groups; i++)
	{
		const cvm_group *group = &cells->group[i];
		gone_sums	sums;
		cvm_status	status;

		if (group->x == 0)
			continue;
		status = sum_gone(table, theta, group, &sums);
		if (status != CVM_OK)
			return status;
		value += add_counts(theta, group->x, group->customers, g, h) + sums.value;
		add_gone(theta, group->x, &sums, g, h);
	}
	*loglik = value;
	if (grad != NULL)
		memcpy(grad, g, sizeof(g));
	if (hess != NULL)
	{
		for (int i = 0; i < N_PARAMS; i++)
			for (int j = 0; j < i; j++)
				h[i * N_PARAMS + j] = h[j * N_PARAMS + i];
		memcpy(hess, h, sizeof(h));
	}
	return CVM_OK;
}

/*
 * Shapes from very unequal to nearly equal customers, leaving early or late;
 * alpha from the mean purchase rate, doubled as people leave.
 */
static int
starts(const cvm_table *table, double starts[][CVM_MAX_PARAMS], int max)
{
	static const double shape[][3] = {{0.5, 0.8, 2.5}, {1, 1, 5}, {3, 0.5, 0.5}, {0.2, 3, 3}};
	const cvm_cells *cells = cvm_table_cells(table);
	double		rate = 2 * cells->purchases / (cells->customers * cells->mean_age);
	int			n = 0;

	for (; n < 4 && n < max; n++)
	{
		starts[n][R] = shape[n][0];
		starts[n][ALPHA] = shape[n][0] / rate;
		starts[n][A] = shape[n][1];
		starts[n][B] = shape[n][2];
	}
	return n;
}

/* What the integrals over p = P(leaving at a purchase) hold fixed. */
typedef struct outlook
{
	alive		c;
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
purchases_by_series(const alive *c, double t)
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

/* E[X(t)] of a customer alive now; t may be INFINITY: (a + b - 1) / (a - 1) purchases if a > 1 */
static double
purchases(const alive *c, double t)
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

static double
expected(const double *theta, double t)
{
	alive		c = {theta[R], theta[ALPHA], theta[A], theta[B]};

	return purchases(&c, t);
}

static double
expected_if_alive(const double *theta, const cvm_row *row, double t)
{
	alive		c = posterior(theta, row);

	return purchases(&c, t);
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
static double
discounted_if_alive(const double *theta, const cvm_row *row, double rate, double horizon)
{
	alive		c = posterior(theta, row);
	outlook		o = {.c = c, .rate = rate, .horizon = horizon, .z_less_p = rate * c.alpha};
	double		finest;

	if (horizon <= 0)
		return 0;
	if (o.z_less_p <= 0)
		return purchases(&c, horizon);
	finest = o.z_less_p;
	if (!isinf(horizon))
		finest = fmax(finest, c.alpha / horizon);
	return cvm_beta_mean(discounted_given_p, &o, c.a, c.b, finest / fmax(c.r, 1));
}

/*
 * P(X(t) = n) = s_n P(N = n) + (s_(n-1) - s_n) P(N >= n), N the NBD count of one
 * who never leaves, s_n = (b)_n / (a + b)_n (section 1.1).
 */
static double
pmf_if_alive(const double *theta, const cvm_row *row, double t, int n)
{
	alive		c = posterior(theta, row);
	double		z = isinf(t) ? 1 : t / (c.alpha + t);
	double		y = c.alpha / (c.alpha + t);
	double		before,
				exactly;

	if (n < 0)
		return 0;
	if (t <= 0)
		return n == 0;
	if (n == 0)
		return exp(-c.r * log1p(t / c.alpha));
	before = exp(cvm_log_survive(c.a, c.b, n - 1));
	exactly = exp(cvm_log_beta_kernel(n, c.r, z, y)) / n;
	return fmin(1, before / (c.a + c.b + (n - 1))
				* ((c.b + (n - 1)) * exactly + c.a * cvm_incomplete_beta(n, c.r, z, y)));
}

/* The next purchase comes for certain; P(later than t) = (1 + t / alpha)^-r. */
static double
next_purchase_if_alive(const double *theta, const cvm_row *row, double q)
{
	alive		c = posterior(theta, row);

	return c.alpha * expm1(-log1p(-q) / c.r);
}

/* Purchase times of one who is alive at 0, until he leaves, the horizon, or max. */
static int
simulate_alive(const alive *c, cvm_rng *rng, double horizon, double *times, int max)
{
	double		lambda = exp(cvm_rng_log_gamma(rng, c->r)) / c->alpha;
	double		p = cvm_rng_beta(rng, c->a, c->b);
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

static int
simulate_if_alive(const double *theta, const cvm_row *row, cvm_rng *rng,
				  double horizon, double *times, int max)
{
	alive		c = posterior(theta, row);

	return simulate_alive(&c, rng, horizon, times, max);
}

/*
 * Each purchase of the Poisson process lambda is the last with probability p: the
 * others are Poisson with lambda (1 - p), the last comes after Exp(lambda p).
 */
static void
simulate_life_if_alive(const double *theta, const cvm_row *row, cvm_rng *rng,
					   double *rate, double *lifetime)
{
	alive		c = posterior(theta, row);
	double		lambda = exp(cvm_rng_log_gamma(rng, c.r)) / c.alpha;
	double		p = cvm_rng_beta(rng, c.a, c.b);

	*rate = lambda * (1 - p);
	*lifetime = cvm_rng_exponential(rng) / (lambda * p);
}

static void
simulate(const double *theta, cvm_rng *rng, cvm_row *row)
{
	double		lambda = exp(cvm_rng_log_gamma(rng, theta[R])) / theta[ALPHA];
	double		p = cvm_rng_beta(rng, theta[A], theta[B]);

	row->x = 0;
	row->t_x = 0;
	row->log_intervals = 0;
	for (;;)
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

const cvm_family cvm_bg_nbd = {
	.name = "bg/nbd",
	.kind = CVM_PURCHASES,
	.n_params = N_PARAMS,
	.params = {"r", "alpha", "a", "b"},
	.time_power = {0, 1, 0, 0},
	.money_power = {0, 0, 0, 0},
	.alive_ignores_span = true,
	.citation = "Fader, Hardie & Lee 2005, Marketing Science 24(2)",
	.check_row = check_row,
	.loglik = loglik,
	.table_loglik = table_loglik,
	.starts = starts,
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
