/*
 * pareto_nbd.c: the Pareto/NBD model (Schmittlein, Morrison & Colombo 1987,
 * "Counting your customers: who are they and what will they do next?",
 * Management Science 33(1); Fader & Hardie 2005, "A note on deriving the
 * Pareto/NBD model and related expressions").
 *
 * While alive a customer buys at rate lambda ~ Gamma(r, alpha); he leaves, seen
 * by nobody, at rate mu ~ Gamma(s, beta).  alpha and beta are in time units.
 *
 * At his last purchase he was alive, with lambda ~ Gamma(r + x, alpha + t_x) and
 * mu ~ Gamma(s, beta + t_x): all that the likelihood asks is what the race between
 * leaving and the next purchase (pareto.h) had come to by `age`.  Alive at `age`
 * he is a new customer again, with the posterior parameters of that instant.
 */
#include "math/quadrature.h"
#include "math/random.h"
#include "math/special.h"
#include "models/cells.h"
#include "models/family.h"
#include "models/pareto.h"

#include <float.h>
#include <math.h>

enum
{
	R, ALPHA, S, BETA, N_PARAMS
};

/* The customer at an instant `at` at which he is alive. */
static cvm_race
posterior(const double *theta, double x, double at)
{
	return (cvm_race) {theta[R] + x, theta[ALPHA] + at, theta[S], theta[BETA] + at};
}

/*
 * The x-th purchase at t_x has density (r)_x alpha^r beta^s / ((alpha + t_x)^(r + x)
 * (beta + t_x)^s) whatever came between; from then on no purchase was seen: he left
 * first, or neither happened.
 */
static double
loglik(const double *theta, const cvm_row *row)
{
	cvm_race	then = posterior(theta, row->x, row->t_x);
	double		open;

	return cvm_log_rising(theta[R], row->x)
		- theta[R] * log1p(row->t_x / theta[ALPHA]) - row->x * log(theta[ALPHA] + row->t_x)
		- theta[S] * log1p(row->t_x / theta[BETA])
		+ log(cvm_race_quiet(&then, row->age - row->t_x, &open));
}

static double
p_alive(const double *theta, const cvm_row *row)
{
	cvm_race	then = posterior(theta, row->x, row->t_x);
	double		open;
	double		quiet = cvm_race_quiet(&then, row->age - row->t_x, &open);

	return open == 0 ? 0 : fmin(1, open / quiet);
}

/*
 * Shapes from very unequal to nearly equal customers; the rates from the data:
 * half of the time a customer is watched he is alive.  The last starts are for
 * those of whom some leave at once and the rest hardly ever (beta near 0), which
 * is a maximum of its own where many come only once, and for those of whom hardly
 * anybody leaves.
 */
static int
starts(const cvm_table *table, double starts[][CVM_MAX_PARAMS], int max)
{
	static const double shape[][3] = {{0.6, 0.6, 1}, {1, 2, 1}, {4, 0.4, 1}, {0.2, 4, 1}, {1, 0.1, 1e-3}, {3, 0.1, 1e-5}, {0.5, 0.01, 2}};
	const cvm_cells *cells = cvm_table_cells(table);
	double		rate = 2 * cells->purchases / (cells->customers * cells->mean_age);
	int			n = 0;

	for (; n < 7 && n < max; n++)
	{
		starts[n][R] = shape[n][0];
		starts[n][ALPHA] = shape[n][0] / rate;
		starts[n][S] = shape[n][1];
		starts[n][BETA] = shape[n][1] * cells->mean_age * shape[n][2];
	}
	return n;
}

/*
 * E[X(t)] = (r beta / alpha) (1 - (1 + t / beta)^(1 - s)) / (s - 1), whose
 * limit at s = 1 is the logarithm.
 */
static double
purchases(const cvm_race *c, double t)
{
	double		over = c->s - 1;
	double		l = log1p(t / c->beta);

	if (t <= 0)
		return 0;
	if (isinf(t) && over <= 0)
		return INFINITY;
	return c->r * c->beta / c->alpha * (over == 0 ? l : -expm1(-over * l) / over);
}

static double
expected(const double *theta, double t)
{
	cvm_race	c = posterior(theta, 0, 0);

	return purchases(&c, t);
}

static double
expected_if_alive(const double *theta, const cvm_row *row, double t)
{
	cvm_race	c = posterior(theta, row->x, row->age);

	return purchases(&c, t);
}

/* What integrals over the time to come hold fixed. */
typedef struct outlook
{
	cvm_race	c;
	double		z;				/* discount rate * beta */
	double		n;				/* purchases */
} outlook;

/* e^(-rate t) (1 + t / beta)^-s dt / beta at v = ln(1 + t / beta) */
static double
discounted_rate(double v, const void *context)
{
	const outlook *o = context;

	return exp(-o->z * expm1(v) - (o->c.s - 1) * v);
}

/*
 * (r / alpha) int_0^horizon e^(-rate t) (1 + t / beta)^-s dt: without a horizon
 * (r beta / alpha) e^z E_s(z), z = rate beta (formulas, section 1.3), and a far
 * horizon takes the same from there on away again.  Before the first discount
 * matters (rate * horizon <= 1) the two would cancel: there the integral is
 * short in ln(1 + t / beta).
 */
static double
discounted(const cvm_race *c, double rate, double horizon)
{
	outlook		o = {.c = *c, .z = rate * c->beta};
	double		scale = c->r * c->beta / c->alpha;
	double		v,
				log_rest;

	if (horizon <= 0)
		return 0;
	if (o.z <= 0)
		return purchases(c, horizon);
	if (isinf(horizon))
		return scale * cvm_exp_integral(c->s, o.z);
	v = log1p(horizon / c->beta);
	if (rate * horizon <= 1)
	{
		if (c->s > 2)
			v = fmin(v, 40 / (c->s - 1));
		return scale * cvm_integrate(discounted_rate, &o, 0, v, 1 + (int) (v * fmax(1, (c->s - 1) / 5)));
	}
	log_rest = -rate * horizon - (c->s - 1) * v;
	if (log_rest < -45)
		return scale * cvm_exp_integral(c->s, o.z);
	return scale * (cvm_exp_integral(c->s, o.z)
					- exp(log_rest) * cvm_exp_integral(c->s, o.z + rate * horizon));
}

static double
discounted_if_alive(const double *theta, const cvm_row *row, double rate, double horizon)
{
	cvm_race	c = posterior(theta, row->x, row->age);

	return discounted(&c, rate, horizon);
}

/* P(n purchases in y) of one who does not leave, n >= 1 (NBD) */
static double
log_count(const cvm_race *c, double n, double y)
{
	double		sum = c->alpha + y;

	return cvm_log_beta_kernel(n, c->r, y / sum, c->alpha / sum) - log(n);
}

/* ln of P(n purchases in y) times the density of leaving at y = e^w, over w */
static double
log_left_after(double w, const outlook *o)
{
	double		y = exp(w);

	return log_count(&o->c, o->n, y) + log(o->c.s * y / (o->c.beta + y)) - o->c.s * log1p(y / o->c.beta);
}

static double
left_after(double w, const void *context)
{
	return exp(log_left_after(w, context));
}

/* The first derivative of log_left_after; *curvature is minus the second. */
static double
slope_left_after(double w, const outlook *o, double *curvature)
{
	double		y = exp(w);
	double		bought = y / (o->c.alpha + y);
	double		left = y / (o->c.beta + y);

	*curvature = (o->n + o->c.r) * bought * (1 - bought) + (o->c.s + 1) * left * (1 - left);
	return o->n - (o->n + o->c.r) * bought + 1 - (o->c.s + 1) * left;
}

/* From w to `end`, in either direction, in panels over which the integrand changes by e^6 at most. */
static double
integrate_left_after(const outlook *o, double w, double end)
{
	double		direction = end > w ? 1 : -1;
	double		sum = 0;

	while (w != end)
	{
		double		curvature,
					slope = slope_left_after(w, o, &curvature);
		double		width = fmin(1, 12 / (fabs(slope) + sqrt(slope * slope + 12 * curvature)));
		double		to = fabs(end - w) > width ? w + direction * width : end;
		double		part = direction * cvm_integrate(left_after, o, w, to, 1);

		sum += part;
		if (part <= DBL_EPSILON / 64 * sum)
			break;
		w = to;
	}
	return sum;
}

/*
 * P(X(t) = n), n >= 1: n purchases and still there, or left at some y <= t after
 * n purchases.  Over w = ln y the latter is log-concave: it is integrated from its
 * highest point (where its slope changes sign, by bisection) outwards.  Without
 * end, it falls like e^(-(r + s) w) from far beyond both scales.
 */
static double
pmf(const cvm_race *c, double t, int n)
{
	outlook		o = {.c = *c, .n = n};
	double		start = log(c->alpha) - 800;
	double		end = isinf(t) ? log(fmax(c->alpha, c->beta)) + 60 : log(t);
	double		low = fmin(start, end - 1);
	double		high = end;
	double		curvature;
	double		rest = isinf(t) ? exp(log_left_after(end, &o)) / (c->r + c->s)
		: exp(log_count(c, n, t) - c->s * log1p(t / c->beta));

	if (slope_left_after(end, &o, &curvature) > 0)
		low = end;
	for (int i = 0; i < 100 && high - low > 1e-3 / sqrt(1 + c->r + c->s + n); i++)
	{
		double		middle = 0.5 * (low + high);

		if (slope_left_after(middle, &o, &curvature) > 0)
			low = middle;
		else
			high = middle;
	}
	return fmin(1, rest + integrate_left_after(&o, low, start) + integrate_left_after(&o, low, end));
}

static double
pmf_if_alive(const double *theta, const cvm_row *row, double t, int n)
{
	cvm_race	c = posterior(theta, row->x, row->age);
	double		open;

	if (n < 0)
		return 0;
	if (t <= 0)
		return n == 0;
	if (n > 0)
		return pmf(&c, t, n);
	return fmin(1, isinf(t) ? cvm_race_leaves(&c, t) : cvm_race_quiet(&c, t, &open));
}

/*
 * The t by which a purchase has come first with probability q; INFINITY where
 * that many never buy again.  Newton's method in ln t for ln P, which is concave
 * there, climbs from below without overshooting; the time of one who does not
 * leave is below.
 */
static double
next_purchase_if_alive(const double *theta, const cvm_row *row, double q)
{
	cvm_race	c = posterior(theta, row->x, row->age);
	double		t = c.alpha * expm1(-log1p(-q) / c.r);

	if (q <= 0)
		return 0;
	if (!(q < cvm_race_buys(&c, INFINITY)))
		return INFINITY;
	for (int i = 0; i < 200 && t < DBL_MAX; i++)
	{
		double		bought = cvm_race_buys(&c, t);
		double		rate = exp(log(c.r / (c.alpha + t)) + cvm_race_log_open(&c, t));
		double		step = log(q / bought) * bought / (rate * t);

		t *= exp(fmin(step, 50));
		if (!(step > 1e-15))
			break;
	}
	return t;
}

/* The rate of one who is alive, and when he leaves. */
static void
simulate_life_if_alive(const double *theta, const cvm_row *row, cvm_rng *rng,
					   double *rate, double *lifetime)
{
	cvm_race	c = posterior(theta, row->x, row->age);

	*rate = exp(cvm_rng_log_gamma(rng, c.r)) / c.alpha;
	*lifetime = cvm_rng_exponential(rng) * c.beta / exp(cvm_rng_log_gamma(rng, c.s));
}

/* Purchase times in (0, horizon] of one who is alive at 0, until he leaves, or max. */
static int
simulate_if_alive(const double *theta, const cvm_row *row, cvm_rng *rng,
				  double horizon, double *times, int max)
{
	double		rate,
				lifetime,
				t = 0;
	int			n = 0;

	simulate_life_if_alive(theta, row, rng, &rate, &lifetime);
	while (n < max)
	{
		t += cvm_rng_exponential(rng) / rate;
		if (!(t <= fmin(horizon, lifetime)))
			break;
		times[n++] = t;
	}
	return n;
}

static void
simulate(const double *theta, cvm_rng *rng, cvm_row *row)
{
	cvm_row		fresh = {0};
	double		rate,
				lifetime;

	simulate_life_if_alive(theta, &fresh, rng, &rate, &lifetime);
	row->x = 0;
	row->t_x = 0;
	row->log_intervals = 0;
	while (row->x <= CVM_MAX_SIMULATED)
	{
		double		gap = cvm_rng_exponential(rng) / rate;

		if (!(row->t_x + gap <= fmin(row->age, lifetime)) || row->t_x + gap == row->t_x)
			break;
		row->x++;
		row->t_x += gap;
		row->log_intervals += log(gap);
	}
}

const cvm_family cvm_pareto_nbd = {
	.name = "pareto/nbd",
	.kind = CVM_PURCHASES,
	.n_params = N_PARAMS,
	.params = {"r", "alpha", "s", "beta"},
	.time_power = {0, 1, 0, 1},
	.money_power = {0, 0, 0, 0},
	.simpler = {1, 0, 1, 0},
	.alive_ignores_span = true,
	.purchase_sign = {0, -1, 0, 0},
	.dropout_sign = {0, 0, 0, -1},
	.citation = "Schmittlein, Morrison & Colombo 1987, Management Science 33(1)",
	.check_row = cvm_check_purchases,
	.loglik = loglik,
	.table_loglik = cvm_pareto_table_loglik,
	.starts = starts,
	.p_alive = p_alive,
	.expected = expected,
	.expected_if_alive = expected_if_alive,
	.discounted_if_alive = discounted_if_alive,
	.pmf_if_alive = pmf_if_alive,
	.next_purchase_if_alive = next_purchase_if_alive,
	.simulate_if_alive = simulate_if_alive,
	.simulate_life_if_alive = simulate_life_if_alive,
	.simulate = simulate,
};
