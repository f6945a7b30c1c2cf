/*
 * regular_history.c: what a history of regular purchases says (see regular.h).
 *
 * With s = r + k x and u = (age - t_x) / (alpha + age), the likelihoods of being
 * alive still and of having left after the last purchase are as
 *
 *	G (alpha + age)^-s,  G = sum over j < k of (s)_j u^j / j!,  and
 *	a / (b + x + first - 1) (alpha + t_x)^-s
 *
 * (Reutterer, Platzer & Schroeder 2021, appendix; formulas, section 1.4).
 */
#include "math/random.h"
#include "math/special.h"
#include "models/cells.h"
#include "models/family.h"
#include "models/regular.h"

#include <math.h>
#include <string.h>

enum
{
	K = CVM_REGULAR_K, R, ALPHA, A, B, N_PARAMS
};

const char *
cvm_regular_check_row(const cvm_row *row)
{
	const char *wrong = cvm_check_purchases(row);

	if (wrong != NULL)
		return wrong;
	if (!isfinite(row->log_intervals))
		return "log_intervals is not finite: it is minus infinity where two purchases coincide";
	if (row->x == 0 && row->log_intervals != 0)
		return "log_intervals is not 0 without a repeat purchase";
	if (row->x > 0 && row->log_intervals > row->x * (log(row->t_x / row->x) + 1e-6))
		return "log_intervals is greater than that of equal intervals, x ln(t_x / x)";
	return NULL;
}

double
cvm_regular_stages(int k, double shape, double u, double *stage)
{
	double		sum = 1;

	stage[0] = 1;
	for (int j = 1; j < k; j++)
	{
		stage[j] = stage[j - 1] * (shape + (j - 1)) / j * u;
		sum += stage[j];
	}
	return sum;
}

/* ln G: of being alive, in units of (alpha + age)^-s */
static double
log_alive(const double *theta, const cvm_row *row)
{
	double		stage[CVM_MAX_STAGES];

	return log(cvm_regular_stages((int) theta[K], theta[R] + theta[K] * row->x,
								  (row->age - row->t_x) / (theta[ALPHA] + row->age), stage));
}

/* ... of having left; x + first > 0 */
static double
log_gone(const double *theta, int first, const cvm_row *row)
{
	return log(theta[A] / (theta[B] + (row->x + first - 1)))
		+ (theta[R] + theta[K] * row->x) * log1p((row->age - row->t_x) / (theta[ALPHA] + row->t_x));
}

double
cvm_regular_loglik(const double *theta, int first, const cvm_row *row)
{
	double		stages = theta[K] * row->x;
	double		value = (theta[K] - 1) * row->log_intervals - row->x * cvm_log_gamma(theta[K])
		+ cvm_log_rising(theta[R], stages)
		- theta[R] * log1p(row->age / theta[ALPHA]) - stages * log(theta[ALPHA] + row->age);

	if (row->x + first == 0)
		return value + log_alive(theta, row);
	return value + cvm_log_survive(theta[A], theta[B], row->x + first)
		+ cvm_log_sum_exp(log_alive(theta, row), log_gone(theta, first, row));
}

double
cvm_regular_p_alive(const double *theta, int first, const cvm_row *row)
{
	if (row->x + first == 0)
		return 1;
	return 1 / (1 + exp(log_gone(theta, first, row) - log_alive(theta, row)));
}

cvm_regular
cvm_regular_posterior(const double *theta, int first, const cvm_row *row)
{
	cvm_regular c = {
		.k = (int) theta[K],
		.shape = theta[R] + theta[K] * row->x,
		.alpha = theta[ALPHA] + row->age,
		.a = theta[A],
		.b = theta[B] + (row->x + first),
		.silent = row->age - row->t_x
	};

	c.all = cvm_regular_stages(c.k, c.shape, c.silent / c.alpha, c.stage);
	for (int j = 0; j < c.k; j++)
		c.stage[j] /= c.all;
	return c;
}

/*
 * For rows of one x: the terms of G and of its derivatives in s are polynomials
 * in u with these coefficients.  With c_j = (s)_j / j! and d ln c_j / ds = h_j
 * they are c_j times 1, h_j, j, h_j^2, j^2, j h_j and -d h_j / ds.
 */
enum
{
	ONE, H, J, HH, JJ, JH, CURVE, POLYNOMIALS = 8
};

typedef double polynomials[CVM_MAX_STAGES][POLYNOMIALS];

static void
set_polynomials(int k, double s, polynomials c)
{
	double		term = 1;
	double		h = 0;
	double		curve = 0;

	for (int j = 0; j < k; j++)
	{
		c[j][ONE] = term;
		c[j][H] = term * h;
		c[j][J] = term * j;
		c[j][HH] = term * h * h;
		c[j][JJ] = term * j * j;
		c[j][JH] = term * j * h;
		c[j][CURVE] = term * curve;
		c[j][POLYNOMIALS - 1] = 0;
		h += 1 / (s + j);
		curve += 1 / ((s + j) * (s + j));
		term *= (s + j) / (j + 1);
	}
}

/* ln G of one row and its derivatives in s and ln alpha */
typedef struct stay
{
	double		value;
	double		s,
				alpha;
	double		ss,
				s_alpha,
				alpha_alpha;
} stay;

/* share = alpha / (alpha + age) = -d ln u / d ln alpha */
static stay
evaluate_stay(int k, const polynomials c, double u, double share)
{
	double		sum[POLYNOMIALS] = {0};
	double		power = 1;
	double		h,
				j;

	for (int i = 0; i < k; i++, power *= u)
		for (int q = 0; q < POLYNOMIALS; q++)
			sum[q] += c[i][q] * power;
	h = sum[H] / sum[ONE];
	j = sum[J] / sum[ONE];
	return (stay) {
		.value = log(sum[ONE]),
		.s = h,
		.alpha = -share * j,
		.ss = (sum[HH] - sum[CURVE]) / sum[ONE] - h * h,
		.s_alpha = -share * (sum[JH] / sum[ONE] - h * j),
		.alpha_alpha = share * (share * (sum[JJ] / sum[ONE] - j * j) - (1 - share) * j)
	};
}

/* What rows of one x add up to: ln(G + gone) and its derivatives in s, ln alpha and ln(gone's constant). */
typedef struct group_sums
{
	double		value;
	double		s,
				alpha,
				gone;
	double		ss,
				s_alpha,
				s_gone,
				alpha_alpha,
				alpha_gone,
				gone_gone;
} group_sums;

/*
 * Add one row with w = P(gone), v = w (1 - w): the derivatives of ln(e^g + e^d)
 * are (1 - w) grad(g) + w grad(d), and (1 - w) hess(g) + w hess(d)
 * + v (grad(d) - grad(g)) (grad(d) - grad(g))'.
 */
static void
add_row(group_sums *sum, double weight, const stay *g, const stay *d)
{
	double		log_odds = d->value - g->value;
	double		odds = exp(-fabs(log_odds));
	double		larger = 1 / (1 + odds);
	double		w = log_odds > 0 ? larger : odds * larger;
	double		rest = log_odds > 0 ? odds * larger : larger;
	double		v = weight * odds * larger * larger;
	double		s = d->s - g->s;
	double		alpha = d->alpha - g->alpha;

	w *= weight;
	rest *= weight;
	sum->value += weight * (fmax(d->value, g->value) + log1p(odds));
	sum->s += rest * g->s + w * d->s;
	sum->alpha += rest * g->alpha + w * d->alpha;
	sum->gone += w;
	sum->ss += rest * g->ss + v * s * s;
	sum->s_alpha += rest * g->s_alpha + w * d->s_alpha + v * s * alpha;
	sum->s_gone += v * s;
	sum->alpha_alpha += rest * g->alpha_alpha + w * d->alpha_alpha + v * alpha * alpha;
	sum->alpha_gone += v * alpha;
	sum->gone_gone += v;
}

static cvm_status
sum_group(const cvm_table *table, const double *theta, int first, const cvm_group *group, group_sums *sums)
{
	const cvm_cells *cells = cvm_table_cells(table);
	int			k = (int) theta[K];
	double		alpha = theta[ALPHA];
	double		s = theta[R] + k * group->x;
	double		constant = group->x + first == 0 ? -INFINITY : log(theta[A] / (theta[B] + (group->x + first - 1)));
	polynomials c;

	memset(sums, 0, sizeof(*sums));
	set_polynomials(k, s, c);
	for (size_t i = group->first; i < group->first + group->rows; i++)
	{
		cvm_shifted age = cells->age_shifted[cells->age_id[i]];
		cvm_shifted span = cells->span_shifted[cells->span_id[i]];
		double		silent = cells->age[cells->age_id[i]] - cells->span[cells->span_id[i]];
		double		l = age.log - span.log;
		double		e = silent * span.inverse * age.inverse;	/* 1 / (alpha + t_x) - 1 / (alpha + age) */
		stay		g = evaluate_stay(k, (const double (*)[POLYNOMIALS]) c, silent * age.inverse, alpha * age.inverse);
		stay		d = {
			.value = constant + s * l,.s = l,.alpha = -s * alpha * e,.s_alpha = -alpha * e,
			.alpha_alpha = s * alpha * e * (alpha * (span.inverse + age.inverse) - 1)
		};

		add_row(sums, cells->weight[i], &g, &d);
		if (i % (CVM_POLL_ROWS / 8) == 0 && cvm_table_cancelled(table))
			return CVM_CANCELLED;
	}
	return CVM_OK;
}

/* The sums of one x in log parameters. */
static void
add_group(const double *theta, double coins, const group_sums *s, double *grad, double *hess)
{
	double		r = theta[R];
	double		c = coins > 0 ? theta[B] / (theta[B] + (coins - 1)) : 0;	/* - d ln(b + coins - 1) / d ln b */

	grad[R] += r * s->s;
	grad[ALPHA] += s->alpha;
	grad[A] += s->gone;
	grad[B] -= c * s->gone;
	hess[R * N_PARAMS + R] += r * s->s + r * r * s->ss;
	hess[R * N_PARAMS + ALPHA] += r * s->s_alpha;
	hess[R * N_PARAMS + A] += r * s->s_gone;
	hess[R * N_PARAMS + B] -= r * c * s->s_gone;
	hess[ALPHA * N_PARAMS + ALPHA] += s->alpha_alpha;
	hess[ALPHA * N_PARAMS + A] += s->alpha_gone;
	hess[ALPHA * N_PARAMS + B] -= c * s->alpha_gone;
	hess[A * N_PARAMS + A] += s->gone_gone;
	hess[A * N_PARAMS + B] -= c * s->gone_gone;
	hess[B * N_PARAMS + B] += c * c * s->gone_gone - c * (1 - c) * s->gone;
}

/* n times ln Gamma(r + k x) / Gamma(r) + ln B(a, b + coins) / B(a, b), once per distinct x */
static double
add_counts(const double *theta, double x, double coins, double n, double *grad, double *hess)
{
	double		r = theta[R];
	double		a = theta[A];
	double		b = theta[B];
	double		stages = theta[K] * x;
	double		d_r = n * r * cvm_digamma_rise(r, stages);
	double		sum_rise = cvm_digamma_rise(a + b, coins);	/* of digamma(a + b) */
	double		d_a = -n * a * sum_rise;
	double		d_b = n * b * (cvm_digamma_rise(b, coins) - sum_rise);
	double		sum_curve = n * cvm_trigamma_rise(a + b, coins);

	grad[R] += d_r;
	grad[A] += d_a;
	grad[B] += d_b;
	hess[R * N_PARAMS + R] += d_r + n * r * r * cvm_trigamma_rise(r, stages);
	hess[A * N_PARAMS + A] += d_a - a * a * sum_curve;
	hess[A * N_PARAMS + B] -= a * b * sum_curve;
	hess[B * N_PARAMS + B] += d_b + b * b * (n * cvm_trigamma_rise(b, coins) - sum_curve);
	return n * (cvm_log_rising(r, stages) + cvm_log_survive(a, b, coins));
}

/*
 * -r ln(1 + age / alpha) - k x ln(alpha + age), once per distinct age; fills the
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

	for (size_t i = 0; i < cells->ages; i++)
	{
		double		n = cells->age_customers[i];
		double		stages = theta[K] * cells->age_purchases[i];
		double		events = r * n + stages;
		double		sum = alpha + cells->age[i];
		double		rest = cells->age[i] / sum; /* 1 - alpha / sum */
		double		l = log1p(cells->age[i] / alpha);

		if (i % CVM_POLL_ROWS == 0 && cvm_table_cancelled(table))
			return CVM_CANCELLED;
		cells->age_shifted[i] = (cvm_shifted) {log_alpha + l, 1 / sum};
		value -= events * l + stages * log_alpha;
		grad[R] -= r * n * l;
		grad[ALPHA] += events * rest - stages;
		hess[R * N_PARAMS + R] -= r * n * l;
		hess[R * N_PARAMS + ALPHA] += r * n * rest;
		hess[ALPHA * N_PARAMS + ALPHA] -= events * rest * (1 - rest);
	}
	for (size_t i = 0; i < cells->spans; i++)
	{
		double		l = log1p(cells->span[i] / alpha);

		if (i % CVM_POLL_ROWS == 0 && cvm_table_cancelled(table))
			return CVM_CANCELLED;
		cells->span_shifted[i] = (cvm_shifted) {log_alpha + l, 1 / (alpha + cells->span[i])};
	}
	*total = value;
	return CVM_OK;
}

/* The row and column of k stay 0: it has no derivative. */
cvm_status
cvm_regular_table_loglik(const cvm_table *table, const double *theta, int first,
						 double *loglik, double *grad, double *hess)
{
	const cvm_cells *cells = cvm_table_cells(table);
	double		g[N_PARAMS] = {0};
	double		h[N_PARAMS * N_PARAMS] = {0};
	double		value;
	cvm_status	status = add_ages(table, theta, &value, g, h);

	if (status != CVM_OK)
		return status;
	value += (theta[K] - 1) * cells->log_intervals - cells->purchases * cvm_log_gamma(theta[K]);
	for (size_t i = 0; i < cells->groups; i++)
	{
		const cvm_group *group = &cells->group[i];
		double		coins = group->x + first;
		group_sums	sums;

		status = sum_group(table, theta, first, group, &sums);
		if (status != CVM_OK)
			return status;
		value += add_counts(theta, group->x, coins, group->customers, g, h) + sums.value;
		add_group(theta, coins, &sums, g, h);
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
 * Shapes from very unequal to nearly equal customers, leaving early, late or hardly;
 * alpha from the mean rate of stages, doubled as people leave.
 */
int
cvm_regular_starts(const cvm_table *table, double starts[][CVM_MAX_PARAMS], int max)
{
	static const double shape[][3] = {{0.5, 0.8, 2.5}, {1, 1, 5}, {3, 0.5, 0.5}, {0.2, 3, 3}, {5, 0.05, 3}};
	const cvm_cells *cells = cvm_table_cells(table);
	double		k = starts[0][K];
	double		rate = 2 * k * cells->purchases / (cells->customers * cells->mean_age);
	int			n = 0;

	for (; n < 5 && n < max; n++)
	{
		starts[n][K] = k;
		starts[n][R] = shape[n][0];
		starts[n][ALPHA] = shape[n][0] / rate;
		starts[n][A] = shape[n][1];
		starts[n][B] = shape[n][2];
	}
	return n;
}

void
cvm_regular_simulate(const double *theta, int first, cvm_rng *rng, cvm_row *row)
{
	double		lambda = exp(cvm_rng_log_gamma(rng, theta[R])) / theta[ALPHA];
	double		p = cvm_rng_beta(rng, theta[A], theta[B]);

	row->x = 0;
	row->t_x = 0;
	row->log_intervals = 0;
	if (first > 0 && cvm_rng_uniform(rng) < p)
		return;
	while (row->x <= CVM_MAX_SIMULATED)
	{
		double		gap = cvm_rng_gamma(rng, theta[K]) / lambda;

		if (!(row->t_x + gap <= row->age) || row->t_x + gap == row->t_x)
			break;
		row->x++;
		row->t_x += gap;
		row->log_intervals += log(gap);
		if (cvm_rng_uniform(rng) < p)
			break;
	}
}
