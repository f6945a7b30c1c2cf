/*
 * sbg.c: the shifted beta-geometric model of contracts (Fader & Hardie 2007,
 * "How to project customer retention", Journal of Interactive Marketing 21(1)).
 *
 * At every renewal a customer leaves with probability p of his own; p differs
 * between customers as Beta(alpha, beta), and does not change.  Having made t
 * renewals, p ~ Beta(alpha, beta + t): those who leave easily are gone first,
 * so that retention rises with tenure.
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
	ALPHA, BETA, N_PARAMS
};

/* S(t) = B(alpha, beta + t) / B(alpha, beta) (eq. 6) */
static double
log_retained(const double *theta, double from, double by)
{
	return cvm_log_survive(theta[ALPHA], theta[BETA] + from, by);
}

static double
loglik(const double *theta, const cvm_row *row)
{
	return cvm_contract_loglik(log_retained, theta, row);
}

/*
 * Derivatives in log parameters of w times what t renewals made contribute,
 * ln S(t), and of w times ln of the chance to leave at the next decision,
 * ln alpha - ln(alpha + beta + t).
 */
static void
add_renewals(const double *theta, double t, double w, double *grad, double *hess)
{
	double		a = theta[ALPHA];
	double		b = theta[BETA];
	double		rise = cvm_digamma_rise(a + b, t);
	double		curve = w * cvm_trigamma_rise(a + b, t);
	double		d_a = -w * a * rise;
	double		d_b = w * b * (cvm_digamma_rise(b, t) - rise);

	grad[ALPHA] += d_a;
	grad[BETA] += d_b;
	hess[ALPHA * N_PARAMS + ALPHA] += d_a - a * a * curve;
	hess[ALPHA * N_PARAMS + BETA] -= a * b * curve;
	hess[BETA * N_PARAMS + BETA] += d_b + b * b * (w * cvm_trigamma_rise(b, t) - curve);
}

static void
add_leaving(const double *theta, double t, double w, double *grad, double *hess)
{
	double		sum = theta[ALPHA] + theta[BETA] + t;
	double		a = theta[ALPHA] / sum;
	double		b = theta[BETA] / sum;

	grad[ALPHA] += w * (1 - a);
	grad[BETA] -= w * b;
	hess[ALPHA * N_PARAMS + ALPHA] -= w * a * (1 - a);
	hess[ALPHA * N_PARAMS + BETA] += w * a * b;
	hess[BETA * N_PARAMS + BETA] -= w * b * (1 - b);
}

static cvm_status
table_loglik(const cvm_table *table, const double *theta, double *loglik, double *grad, double *hess)
{
	const cvm_cells *cells = cvm_table_cells(table);
	double		g[N_PARAMS] = {0};
	double		h[N_PARAMS * N_PARAMS] = {0};
	double		value = 0;

	for (size_t i = 0; i < cells->rows; i++)
	{
		const cvm_row row = cvm_table_row(table, i);
		double		renewals = row.lifetime - row.churned;

		value += row.weight * log_retained(theta, 0, renewals);
		add_renewals(theta, renewals, row.weight, g, h);
		if (row.churned == 1)
		{
			value += row.weight * log(theta[ALPHA] / (theta[ALPHA] + theta[BETA] + renewals));
			add_leaving(theta, renewals, row.weight, g, h);
		}
		if (i % CVM_POLL_ROWS == 0 && cvm_table_cancelled(table))
			return CVM_CANCELLED;
	}
	h[BETA * N_PARAMS + ALPHA] = h[ALPHA * N_PARAMS + BETA];
	*loglik = value;
	if (grad != NULL)
		memcpy(grad, g, sizeof(g));
	if (hess != NULL)
		memcpy(hess, h, sizeof(h));
	return CVM_OK;
}

/*
 * alpha / (alpha + beta) is the chance to end at the first decision, as observed;
 * customers from very unequal to nearly equal.
 */
static int
starts(const cvm_table *table, double starts[][CVM_MAX_PARAMS], int max)
{
	static const double likeness[] = {2, 0.5, 10, 100};	/* alpha + beta */
	double		rate = cvm_contract_first_churn(table);
	int			n = 0;

	for (; n < 4 && n < max; n++)
	{
		starts[n][ALPHA] = likeness[n] * rate;
		starts[n][BETA] = likeness[n] * (1 - rate);
	}
	return n;
}

static double
survival(const double *theta, double t)
{
	return cvm_contract_survival(log_retained, theta, t);
}

/* What the mean over p holds fixed. */
typedef struct outlook
{
	double		rate;			/* of discounting, continuous, per period */
	double		interest;		/* e^rate - 1 */
	double		renewals;		/* at most */
} outlook;

/* sum over j = 1 .. n of ((1 - p) / (1 + interest))^j, divided by 1 - p */
static double
payments_given_p(double p, const void *context)
{
	const outlook *o = context;
	double		sum = o->interest + p;
	double		last;

	if (isinf(o->renewals))
		return 1 / sum;
	last = o->renewals * (log1p(-p) - o->rate);
	return sum * o->renewals < 1e-16 ? o->renewals : -expm1(last) / sum;
}

/*
 * sum over j = 1 .. of S(t + j) / S(t) e^(-rate j), up to the horizon: E over
 * p ~ Beta(alpha, beta + t), whose factor 1 - p goes into the density.  All
 * positive, without the singularities of the closed forms, and at any rate as
 * dear, where the series (Fader & Hardie 2010, Marketing Science 29(1))
 * needs 38 / rate terms.
 */
static double
payments(const double *theta, double t, double rate, double horizon)
{
	double		a = theta[ALPHA];
	double		b = theta[BETA] + t;
	outlook		o = {rate, expm1(rate), floor(horizon)};

	if (o.renewals < 1)
		return 0;
	if (rate <= 0 && isinf(horizon))
		return a > 1 ? b / (a - 1) : INFINITY;
	return b / (a + b) * cvm_beta_mean(payments_given_p, &o, a, b + 1, fmax(o.interest, 1 / o.renewals));
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

/* Renewals that a contract with t of them still makes: geometric given p. */
static double
draw_renewals(const double *theta, double t, cvm_rng *rng)
{
	double		stay = cvm_contract_draw(rng, theta[ALPHA], theta[BETA] + t);

	return floor(cvm_rng_exponential(rng) / -stay);
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

const cvm_family cvm_sbg = {
	.name = "sbg",
	.kind = CVM_RETENTION,
	.n_params = N_PARAMS,
	.params = {"alpha", "beta"},
	.time_power = {0, 0},
	.money_power = {0, 0},
	.simpler = {1, 0},
	.alive_ignores_span = true,
	.citation = "Fader & Hardie 2007, Journal of Interactive Marketing 21(1)",
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
