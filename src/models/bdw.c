/*
 * bdw.c: the beta discrete Weibull model of contracts (Fader, Hardie, Liu, Davin
 * & Steenburgh 2018, "How to project customer retention revisited", Journal of
 * Interactive Marketing 43).
 *
 * A customer makes t renewals with probability (1 - p)^(t^c): at c = 1 the shifted
 * beta-geometric model, at c > 1 each one's risk to leave rises with tenure, at
 * c < 1 it falls.  p differs between customers as Beta(gamma, delta); having made
 * t renewals, as Beta(gamma, delta + t^c).
 *
 * n = t^c takes the place of t.  It may be beyond any double; S(n) is a power
 * n^-gamma long before, so that n is cut at e^CUT and the rest, the `excess`
 * of ln n, enters as that power.
 */
#include "math/quadrature.h"
#include "math/special.h"
#include "models/cells.h"
#include "models/contract.h"
#include "models/family.h"

#include <math.h>
#include <string.h>

enum
{
	GAMMA, DELTA, C, N_PARAMS
};

#define CUT 300.0				/* (gamma + delta) / e^CUT is nothing, e^(2 CUT) still a double */

/* Tenure t in the model's scale. */
typedef struct scaled
{
	double		log;			/* ln n = c ln t */
	double		n;				/* t^c, at most e^CUT */
	double		excess;			/* what ln n is above CUT */
} scaled;

static scaled
scale(double c, double t)
{
	scaled		s = {0, 0, 0};

	if (t <= 0)
		return s;
	s.log = c * log(t);
	s.n = exp(fmin(s.log, CUT));
	s.excess = fmax(s.log - CUT, 0);
	return s;
}

/* From tenure `from` to `from + by`: both ends, and what lies between them. */
typedef struct stride
{
	scaled		from;
	scaled		to;
	double		n;				/* (from + by)^c - from^c, of what is below e^CUT */
	double		excess;			/* the rest, in ln n */
} stride;

/* Differences are taken before they can cancel. */
static stride
stride_of(double c, double from, double by)
{
	stride		s = {scale(c, from), scale(c, from + by), 0, 0};
	double		growth = c * log1p(by / from);

	if (s.from.excess > 0)
		s.excess = growth;
	else if (s.to.excess > 0)
		s.excess = s.to.excess;
	if (from <= 0 || s.to.excess > 0)
		s.n = s.to.n - s.from.n;
	else
		s.n = s.from.n * expm1(growth);
	return s;
}

/* ln S(from + by) / S(from), S(t) = B(gamma, delta + t^c) / B(gamma, delta) */
static double
log_retained(const double *theta, double from, double by)
{
	stride		s;

	if (by <= 0)
		return 0;
	s = stride_of(theta[C], from, by);
	return cvm_log_survive(theta[GAMMA], theta[DELTA] + s.from.n, s.n) - theta[GAMMA] * s.excess;
}

static double
loglik(const double *theta, const cvm_row *row)
{
	return cvm_contract_loglik(log_retained, theta, row);
}

/* Value, gradient and Hessian (upper triangle) in log parameters. */
typedef struct jet
{
	double		value;
	double		grad[N_PARAMS];
	double		hess[N_PARAMS][N_PARAMS];
} jet;

/*
 * What an end of tenure n = t^c contributes through c: y = delta + n, n' and n''
 * the derivatives of n by ln c.
 */
typedef struct end
{
	double		slope;			/* n' [digamma(y + gamma) - digamma(y)] */
	double		bend;			/* n'^2 [trigamma(y + gamma) - trigamma(y)] + n'' [...], as above */
	double		by_delta;		/* n' [trigamma(y + gamma) - trigamma(y)] */
	double		by_gamma;		/* n' trigamma(y + gamma) */
} end;

static end
end_of(const double *theta, const scaled *s)
{
	double		gamma = theta[GAMMA];
	double		y = theta[DELTA] + s->n;
	double		first = s->n * s->log;
	double		rise = cvm_digamma_rise(y, gamma);

	if (s->n == 0)
		return (end) {0, 0, 0, 0};
	if (s->excess > 0)
		return (end) {gamma * s->log, gamma * s->log, 0, s->log};
	return (end) {
		.slope = first * rise,
		.by_delta = first * cvm_trigamma_rise(y, gamma),
		.by_gamma = first * cvm_trigamma(y + gamma),
		.bend = first * (first * cvm_trigamma_rise(y, gamma) + (1 + s->log) * rise)
	};
}

/* log_retained and its derivatives */
static jet
retained_jet(const double *theta, double from, double by)
{
	double		a = theta[GAMMA];
	double		b = theta[DELTA];
	stride		s = stride_of(theta[C], from, by);
	double		x = b + s.from.n;
	end			low = end_of(theta, &s.from);
	end			high = end_of(theta, &s.to);
	double		small = fmin(a, s.n);
	double		large = fmax(a, s.n);
	double		by_gamma = -cvm_digamma_rise(a + x, s.n) - s.excess;
	double		by_delta = cvm_digamma_rise(x, small) - cvm_digamma_rise(x + large, small);
	double		curve = cvm_trigamma_rise(a + x, s.n);
	jet			j;

	j.value = cvm_log_survive(a, x, s.n) - a * s.excess;
	j.grad[GAMMA] = a * by_gamma;
	j.grad[DELTA] = b * by_delta;
	j.grad[C] = low.slope - high.slope;
	j.hess[GAMMA][GAMMA] = a * by_gamma - a * a * curve;
	j.hess[GAMMA][DELTA] = -a * b * curve;
	j.hess[GAMMA][C] = a * (low.by_gamma - high.by_gamma);
	j.hess[DELTA][DELTA] = b * by_delta + b * b * (cvm_trigamma_rise(x, small) - cvm_trigamma_rise(x + large, small));
	j.hess[DELTA][C] = b * (low.by_delta - high.by_delta);
	j.hess[C][C] = low.bend - high.bend;
	return j;
}

/* sum += w times ln S(t) */
static void
add_renewals(const double *theta, double t, double w, jet *sum)
{
	jet			j;

	if (t <= 0)
		return;
	j = retained_jet(theta, 0, t);
	sum->value += w * j.value;
	for (int i = 0; i < N_PARAMS; i++)
	{
		sum->grad[i] += w * j.grad[i];
		for (int k = i; k < N_PARAMS; k++)
			sum->hess[i][k] += w * j.hess[i][k];
	}
}

/*
 * sum += w times ln(1 - e^D), D = ln S(t + 1) / S(t): with odds k = e^D / (1 - e^D)
 * of staying, -k D' and -k D'' - k (1 + k) D' D'.
 */
static void
add_leaving(const double *theta, double t, double w, jet *sum)
{
	jet			j = retained_jet(theta, t, 1);
	double		odds = 1 / expm1(-j.value);

	sum->value += w * cvm_log_one_less_exp(j.value);
	for (int i = 0; i < N_PARAMS; i++)
	{
		sum->grad[i] -= w * odds * j.grad[i];
		for (int k = i; k < N_PARAMS; k++)
			sum->hess[i][k] -= w * odds * (j.hess[i][k] + (j.grad[i] + odds * j.grad[i]) * j.grad[k]);
	}
}

static cvm_status
table_loglik(const cvm_table *table, const double *theta, double *loglik, double *grad, double *hess)
{
	const cvm_cells *cells = cvm_table_cells(table);
	jet			sum = {0};

	for (size_t i = 0; i < cells->rows; i++)
	{
		const cvm_row row = cvm_table_row(table, i);

		add_renewals(theta, row.lifetime - row.churned, row.weight, &sum);
		if (row.churned == 1)
			add_leaving(theta, row.lifetime - 1, row.weight, &sum);
		if (i % CVM_POLL_ROWS == 0 && cvm_table_cancelled(table))
			return CVM_CANCELLED;
	}
	*loglik = sum.value;
	if (grad != NULL)
		memcpy(grad, sum.grad, sizeof(sum.grad));
	for (int i = 0; hess != NULL && i < N_PARAMS; i++)
		for (int k = i; k < N_PARAMS; k++)
			hess[i * N_PARAMS + k] = hess[k * N_PARAMS + i] = sum.hess[i][k];
	return CVM_OK;
}

/* Log-likelihood of some thousand rows of a table, enough to compare starts by. */
static double
rough_loglik(const cvm_table *table, const double *theta)
{
	size_t		rows = cvm_table_rows(table);
	size_t		stride = rows / 1000 + 1;
	double		sum = 0;

	for (size_t i = 0; i < rows; i += stride)
	{
		const cvm_row row = cvm_table_row(table, i);

		sum += row.weight * loglik(theta, &row);
	}
	return sum;
}

#define RICH_ROWS 1000			/* distinct rows that leave no doubt where the maximum is */

/*
 * gamma / (gamma + delta) is the chance to end at the first decision whatever c,
 * as observed; customers from very unequal to nearly equal, each with the
 * likeliest of a few c up to 1 and above: several maxima are common.  Rich
 * tables, which are dear, are climbed from the first and the likeliest only.
 */
static int
starts(const cvm_table *table, double starts[][CVM_MAX_PARAMS], int max)
{
	static const double likeness[] = {2, 0.2, 20, 0.005, 200};	/* gamma + delta */
	static const double powers[][4] = {{1, 0.6, 0.3, 0.1}, {1.6, 3, 8, 30}};
	double		first = cvm_contract_first_churn(table);
	double		best = -INFINITY;
	int			likeliest = 0;
	int			n = 0;

	for (; n < 10 && n < max; n++)
	{
		double		sum = likeness[n / 2];
		double		better = -INFINITY;

		for (int k = 0; k < 4; k++)
		{
			double		theta[] = {sum * first, sum * (1 - first), powers[n % 2][k]};
			double		value = rough_loglik(table, theta);

			if (k > 0 && !(value > better))
				continue;
			memcpy(starts[n], theta, sizeof(theta));
			better = value;
		}
		if (better > best)
		{
			best = better;
			likeliest = n;
		}
	}
	if (cvm_table_rows(table) <= RICH_ROWS || n < 2)
		return n;
	memcpy(starts[1], starts[likeliest], sizeof(starts[1]));
	return likeliest == 0 ? 1 : 2;
}

static double
survival(const double *theta, double t)
{
	return cvm_contract_survival(log_retained, theta, t);
}

/* ---------- sums over future payments ---------- */

/* A contract with `tenure` renewals. */
typedef struct outlook
{
	const double *theta;
	double		tenure;
	double		rate;			/* of discounting, continuous, per period */
	double		origin;			/* the integral starts at renewal `origin` from now */
} outlook;

/* S(tenure + j) / S(tenure) e^(-rate j), also between renewals */
static double
payment(const outlook *o, double j)
{
	return exp(log_retained(o->theta, o->tenure, j) - o->rate * j);
}

/* How fast ln S falls with ln n at tenure t; gamma in the end. */
static double
power(const double *theta, double t)
{
	scaled		s = scale(theta[C], t);

	return s.excess > 0 ? theta[GAMMA] : s.n * cvm_digamma_rise(theta[DELTA] + s.n, theta[GAMMA]);
}

/* - d ln payment / dj */
static double
fall(const outlook *o, double j)
{
	double		t = o->tenure + j;

	return o->theta[C] * power(o->theta, t) / t + o->rate;
}

/* How fast the power itself may still change with ln t. */
static double
bend(const outlook *o, double j)
{
	const double *theta = o->theta;
	scaled		s = scale(theta[C], o->tenure + j);

	return s.n > 1e8 * (theta[GAMMA] + theta[DELTA]) ? 1 : 1 + theta[C];
}

/* Payments as a function of v = ln of tenure, from that at `origin`. */
static double
payment_at(double v, const void *context)
{
	const outlook *o = context;
	double		t = o->tenure + o->origin;

	return t * exp(v) * payment(o, o->origin + t * expm1(v));
}

/*
 * int of payment from origin to horizon, in panels over which its logarithm
 * changes by no more than Gauss's rule bears.  A tail that is a pure power is
 * closed; it has no end only where nothing is discounted.
 */
static double
integrate_payments(const outlook *o, double horizon)
{
	double		t = o->tenure + o->origin;
	double		end = log1p((horizon - o->origin) / t);
	double		sum = 0;
	double		v = 0;

	while (v < end)
	{
		double		j = o->origin + t * expm1(v);
		double		slope = (o->tenure + j) * fall(o, j) - 1;
		double		width = fmin(end - v, fmin(0.5 / bend(o, j), 3 / (2 + slope)));
		double		panel;

		if (isinf(j) || isinf(o->tenure + j))
			return INFINITY;
		if (o->rate <= 0 && isinf(end) && scale(o->theta[C], o->tenure + j).log > 40
			+ log(o->theta[GAMMA] + o->theta[DELTA]))
			return slope > 0 ? sum + payment_at(v, o) / slope : INFINITY;
		panel = cvm_integrate(payment_at, o, v, v + width, 1);
		sum += panel;
		if (slope > 0 && panel <= 1e-17 * sum * fmin(1, slope * width))
			break;
		v += width;
	}
	return sum;
}

/*
 * sum over j = 1 .. horizon of payment(j): one by one until it changes slowly,
 * then by the formula of Euler and Maclaurin, sum = integral + half of both ends
 * - 1/12 of the slope at the first + 1/12 at the last; the next term is
 * SMOOTH^4 / 720 of the sum.
 */
#define SMOOTH 5e-3

static double
payments(const double *theta, double tenure, double rate, double horizon)
{
	outlook		o = {theta, tenure, rate, 0};
	double		sum = 0;
	double		first = 0,
				last;

	horizon = floor(horizon);
	for (o.origin = 1; o.origin <= horizon; o.origin++)
	{
		double		slope = fall(&o, o.origin);

		first = payment(&o, o.origin);
		if (first <= 1e-18 * sum * fmin(1, slope) || first <= 0)
			return sum;
		if (slope + bend(&o, o.origin) / (tenure + o.origin) < SMOOTH)
			break;
		sum += first;
	}
	if (o.origin > horizon)
		return sum;
	sum += integrate_payments(&o, horizon) + first * (0.5 + fall(&o, o.origin) / 12);
	if (isinf(horizon))
		return sum;
	last = payment(&o, horizon);
	return sum + last * (0.5 - fall(&o, horizon) / 12);
}

static double
residual_lifetime(const double *theta, double t, double rate)
{
	return (1 + rate) * payments(theta, t, log1p(rate), INFINITY);
}

static double
expected(const double *theta, double t)
{
	return payments(theta, 0, 0, t);
}

static double
expected_if_alive(const double *theta, const cvm_row *row, double t)
{
	return payments(theta, row->lifetime, 0, t);
}

static double
discounted_if_alive(const double *theta, const cvm_row *row, double rate, double horizon)
{
	return payments(theta, row->lifetime, rate, horizon);
}

static double
pmf_if_alive(const double *theta, const cvm_row *row, double t, int n)
{
	return cvm_contract_pmf(log_retained, theta, row, t, n);
}

static double
next_purchase_if_alive(const double *theta, const cvm_row *row, double q)
{
	return cvm_contract_next(log_retained, theta, row, q);
}

/* Renewals that a contract with t of them still makes: discrete Weibull given p. */
static double
draw_renewals(const double *theta, double t, cvm_rng *rng)
{
	scaled		at = scale(theta[C], t);
	double		stay = cvm_contract_draw(rng, theta[GAMMA], theta[DELTA] + at.n);
	double		steps = cvm_rng_exponential(rng) / -stay;	/* of n */

	if (t <= 0)
		return floor(pow(steps, 1 / theta[C]));
	return floor(t * expm1(log1p(steps / exp(at.log)) / theta[C]));
}

static int
simulate_if_alive(const double *theta, const cvm_row *row, cvm_rng *rng,
				  double horizon, double *times, int max)
{
	return cvm_contract_times(draw_renewals(theta, row->lifetime, rng), horizon, times, max);
}

static void
simulate(const double *theta, cvm_rng *rng, cvm_row *row)
{
	cvm_contract_observe(draw_renewals(theta, 0, rng), row);
}

const cvm_family cvm_bdw = {
	.name = "bdw",
	.kind = CVM_RETENTION,
	.n_params = N_PARAMS,
	.params = {"gamma", "delta", "c"},
	.time_power = {0, 0, 0},
	.money_power = {0, 0, 0},
	.simpler = {0, 0, 1},
	.alive_ignores_span = true,
	.citation = "Fader, Hardie, Liu, Davin & Steenburgh 2018, Journal of Interactive Marketing 43",
	.check_row = cvm_contract_check_row,
	.loglik = loglik,
	.table_loglik = table_loglik,
	.starts = starts,
	.p_alive = cvm_contract_p_alive,
	.expected = expected,
	.expected_if_alive = expected_if_alive,
	.discounted_if_alive = discounted_if_alive,
	.pmf_if_alive = pmf_if_alive,
	.next_purchase_if_alive = next_purchase_if_alive,
	.simulate_if_alive = simulate_if_alive,
	.simulate = simulate,
	.survival = survival,
	.residual_lifetime = residual_lifetime,
};
