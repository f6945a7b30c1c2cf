/*
 * coin_history.c: what the history of a customer who tosses coins says (see
 * coin.h): likelihood, P(alive), and the kernel of the fit.
 */
#include "math/special.h"
#include "models/cells.h"
#include "models/coin.h"

#include <math.h>
#include <string.h>

enum
{
	R, ALPHA, A, B, N_PARAMS
};

/*
 * ln of (likelihood of having left after the last purchase) / (likelihood of
 * being alive still), where a coin has been tossed: B - A of Fader & Hardie 2013
 * (note 27).
 */
static double
log_odds_gone(const double *theta, const cvm_row *row, int first_coin)
{
	return log(theta[A] / (theta[B] + (row->x + first_coin - 1)))
		+ (theta[R] + row->x) * log1p((row->age - row->t_x) / (theta[ALPHA] + row->t_x));
}

double
cvm_coin_loglik(const double *theta, const cvm_row *row, int first_coin)
{
	double		coins = row->x + first_coin;
	double		value = cvm_log_rising(theta[R], row->x)
		- theta[R] * log1p(row->age / theta[ALPHA]) - row->x * log(theta[ALPHA] + row->age);

	if (coins == 0)
		return value;
	return value + cvm_log_survive(theta[A], theta[B], coins)
		+ cvm_log_sum_exp(0, log_odds_gone(theta, row, first_coin));
}

/* Before the first coin a customer is alive for certain. */
double
cvm_coin_p_alive(const double *theta, const cvm_row *row, int first_coin)
{
	return row->x + first_coin == 0 ? 1 : 1 / (1 + exp(log_odds_gone(theta, row, first_coin)));
}

/*
 * Sums over the rows of one x, with w = P(gone), v = w (1 - w),
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
sum_gone(const cvm_table *table, const double *theta, const cvm_group *group, int first_coin,
		 gone_sums *sums)
{
	const cvm_cells *cells = cvm_table_cells(table);
	double		constant = log(theta[A] / (theta[B] + (group->x + first_coin - 1)));
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
add_gone(const double *theta, double x, int first_coin, const gone_sums *s, double *grad, double *hess)
{
	double		r = theta[R];
	double		alpha = theta[ALPHA];
	double		shape = r + x;
	double		c = theta[B] / (theta[B] + (x + first_coin - 1));	/* of ln(b + coins - 1) by ln b */

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

/* ln Gamma(r + x) / Gamma(r) + ln B(a, b + coins) / B(a, b), once per distinct x */
static double
add_counts(const double *theta, double x, int first_coin, double n, double *grad, double *hess)
{
	double		r = theta[R];
	double		a = theta[A];
	double		b = theta[B];
	double		coins = x + first_coin;
	double		d_r = n * r * cvm_digamma_rise(r, x);
	double		sum_rise = cvm_digamma_rise(a + b, coins);	/* of digamma(a + b) */
	double		d_a = -n * a * sum_rise;
	double		d_b = n * b * (cvm_digamma_rise(b, coins) - sum_rise);
	double		sum_curve = n * cvm_trigamma_rise(a + b, coins);

	grad[R] += d_r;
	grad[A] += d_a;
	grad[B] += d_b;
	hess[R * N_PARAMS + R] += d_r + n * r * r * cvm_trigamma_rise(r, x);
	hess[A * N_PARAMS + A] += d_a - a * a * sum_curve;
	hess[A * N_PARAMS + B] -= a * b * sum_curve;
	hess[B * N_PARAMS + B] += d_b + b * b * (n * cvm_trigamma_rise(b, coins) - sum_curve);
	return n * (cvm_log_rising(r, x) + cvm_log_survive(a, b, coins));
}

/*
 * -r ln(1 + age / alpha) - x ln(alpha + age), once per distinct age; fills the
 * logarithms and inverses that the rows look up.
 */
static cvm_status
add_ages(const cvm_table *table, const double *theta, double *total, double *grad, double *hess)
{
	const cvm_cells *cells = cvm_table_cells(table);
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

		if (k % CVM_POLL_ROWS == 0 && cvm_table_cancelled(table))
			return CVM_CANCELLED;
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
		if (k % CVM_POLL_ROWS == 0 && cvm_table_cancelled(table))
			return CVM_CANCELLED;
	}
	*total = value;
	return CVM_OK;
}

cvm_status
cvm_coin_table_loglik(const cvm_table *table, const double *theta, int first_coin,
					  double *loglik, double *grad, double *hess)
{
	const cvm_cells *cells = cvm_table_cells(table);
	double		g[N_PARAMS] = {0};
	double		h[N_PARAMS * N_PARAMS] = {0};
	double		value;
	cvm_status	status = add_ages(table, theta, &value, g, h);

	if (status != CVM_OK)
		return status;
	for (size_t i = 0; i < cells->groups; i++)
	{
		const cvm_group *group = &cells->group[i];
		gone_sums	sums;

		if (group->x + first_coin == 0)
			continue;
		status = sum_gone(table, theta, group, first_coin, &sums);
		if (status != CVM_OK)
			return status;
		value += add_counts(theta, group->x, first_coin, group->customers, g, h) + sums.value;
		add_gone(theta, group->x, first_coin, &sums, g, h);
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
int
cvm_coin_starts(const cvm_table *table, double starts[][CVM_MAX_PARAMS], int max)
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
