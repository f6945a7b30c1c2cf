/*
 * bg_bb_fit.c: the likelihood of a table of BG/BB customers (see bg_bb.c).
 *
 * A customer's likelihood is a sum over the opportunity j after which he may
 * have left (Fader, Hardie & Shang 2010, equation 5):
 *
 *	L = B(alpha + x, beta + n - x) B(gamma, delta + n)
 *	  + sum over j = t_x .. n - 1 of B(alpha + x, beta + j - x) B(gamma + 1, delta + j),
 *
 * all over B(alpha, beta) B(gamma, delta).  A term knows x and j, but not t_x:
 * customers of one x and one n share their terms, and one walk from j = n - 1
 * down to their earliest t_x passes the sums of all of them.  Terms, and the
 * derivatives of their logarithms, are taken relative to the first one (alive at
 * n), so that nothing large cancels; what depends on j or j - x alone is
 * tabulated once per call.
 */
#include "math/special.h"
#include "models/bg_bb.h"
#include "models/cells.h"
#include "models/numbering.h"

#include <math.h>
#include <string.h>

enum
{
	ALPHA = CVM_BB_ALPHA, BETA, GAMMA, DELTA, N_PARAMS
};

#define PAIRS (N_PARAMS * (N_PARAMS + 1) / 2)
#define TOO_LARGE 1e200

/* digamma(from + k) - digamma(from) and the same of trigamma, k = 0, 1, ... */
typedef struct rises
{
	double	   *first;
	double	   *second;
} rises;

typedef struct tables
{
	const double *theta;
	rises		sum_ab;			/* from alpha + beta */
	rises		beta;
	rises		sum_cd;			/* from gamma + delta */
	rises		delta;
	double	   *fall;			/* of a term at j against that at j + 1, but for 1 / (beta + j - x) */
	double	   *inverse;		/* 1 / (beta + k) */
	double	   *memory;			/* of all of them */
} tables;

#define TABLES 10

static rises
tabulate(double from, size_t n, double *memory)
{
	rises		r = {memory, memory + n};

	r.first[0] = r.second[0] = 0;
	for (size_t k = 1; k < n; k++)
	{
		double		inverse = 1 / (from + (k - 1));

		r.first[k] = r.first[k - 1] + inverse;
		r.second[k] = r.second[k - 1] - inverse * inverse;
	}
	return r;
}

static bool
set_tables(const cvm_table *table, const double *theta, tables *t)
{
	const cvm_cells *cells = cvm_table_cells(table);
	size_t		n = cells->ages > 0 ? (size_t) cells->age[cells->ages - 1] + 2 : 2;
	double	   *memory = cvm_allocate(cvm_table_env(table), TABLES * n, sizeof(double));

	if (memory == NULL)
		return false;
	t->memory = memory;
	t->sum_ab = tabulate(theta[ALPHA] + theta[BETA], n, memory);
	t->beta = tabulate(theta[BETA], n, memory + 2 * n);
	t->sum_cd = tabulate(theta[GAMMA] + theta[DELTA], n, memory + 4 * n);
	t->delta = tabulate(theta[DELTA], n, memory + 6 * n);
	t->fall = memory + 8 * n;
	t->inverse = memory + 9 * n;
	for (size_t j = 0; j < n; j++)
	{
		t->fall[j] = (theta[ALPHA] + theta[BETA] + j)
			* ((theta[GAMMA] + theta[DELTA] + 1 + j) / (theta[DELTA] + j));
		t->inverse[j] = 1 / (theta[BETA] + j);
	}
	return true;
}

/*
 * Sums over the terms that a walk has passed, relative to the term of being
 * alive at n (whose derivatives are subtracted): of the terms, times the
 * gradients g of their logarithms, times g g', times the differences of
 * trigamma in their second derivatives.  All but `shift` are scaled by e^-shift.
 */
typedef struct passed
{
	double		term;
	double		alive;			/* 1, scaled */
	double		sum;
	double		g[N_PARAMS];
	double		gg[PAIRS];
	double		second[4];		/* alpha + beta, beta, gamma + delta, delta */
	double		shift;
} passed;

static void
scale_down(passed *s)
{
	s->term /= TOO_LARGE;
	s->alive /= TOO_LARGE;
	s->sum /= TOO_LARGE;
	for (int i = 0; i < N_PARAMS; i++)
		s->g[i] /= TOO_LARGE;
	for (int i = 0; i < PAIRS; i++)
		s->gg[i] /= TOO_LARGE;
	for (int i = 0; i < 4; i++)
		s->second[i] /= TOO_LARGE;
	s->shift += log(TOO_LARGE);
}

/* Add the term of having left after opportunity j. */
static void
pass(const tables *t, size_t x, size_t n, size_t j, passed *s)
{
	const double *theta = t->theta;
	double		ab = t->sum_ab.first[n] - t->sum_ab.first[j];
	double		cd = t->sum_cd.first[n] - t->sum_cd.first[j + 1];
	double		g[N_PARAMS];
	int			pair = 0;

	s->term *= t->inverse[j - x]
		* (j + 1 < n ? t->fall[j]
		   : (theta[ALPHA] + theta[BETA] + j) * (theta[GAMMA] / (theta[DELTA] + j)));
	g[ALPHA] = theta[ALPHA] * ab;
	g[BETA] = theta[BETA] * (ab - (t->beta.first[n - x] - t->beta.first[j - x]));
	g[GAMMA] = 1 + theta[GAMMA] * cd;
	g[DELTA] = theta[DELTA] * (cd - (t->delta.first[n] - t->delta.first[j]));
	s->sum += s->term;
	for (int i = 0; i < N_PARAMS; i++)
	{
		double		term = s->term * g[i];

		s->g[i] += term;
		for (int k = i; k < N_PARAMS; k++)
			s->gg[pair++] += term * g[k];
	}
	s->second[0] += s->term * (t->sum_ab.second[j] - t->sum_ab.second[n]);
	s->second[1] += s->term * (t->beta.second[j - x] - t->beta.second[n - x]);
	s->second[2] += s->term * (t->sum_cd.second[j + 1] - t->sum_cd.second[n]);
	s->second[3] += s->term * (t->delta.second[j] - t->delta.second[n]);
	if (s->sum > TOO_LARGE)
		scale_down(s);
}

/* Totals over rows. */
typedef struct totals
{
	double		value;
	double		grad[N_PARAMS];
	double		hess[PAIRS];	/* without what follows from `second` */
	double		gone;			/* weighted P(gone) */
	double		second[4];
} totals;

/* A row whose t_x the walk has reached. */
static void
add_row(const passed *s, double weight, totals *sum)
{
	double		all = s->alive + s->sum;
	double		share = weight / all;
	int			pair = 0;

	sum->value += weight * (s->shift > 0 ? log(all) + s->shift : log1p(s->sum));
	sum->gone += share * s->sum;
	for (int i = 0; i < N_PARAMS; i++)
	{
		double		mean = s->g[i] / all;

		sum->grad[i] += weight * mean;
		for (int k = i; k < N_PARAMS; k++, pair++)
			sum->hess[pair] += share * (s->gg[pair] - mean * s->g[k]);
	}
	for (int i = 0; i < 4; i++)
		sum->second[i] += share * s->second[i];
}

/* What customers of one x and n have in common: the term of being alive at n. */
static void
add_alive(const tables *t, double x, double n, double customers, totals *sum)
{
	const double *theta = t->theta;
	size_t		seen = (size_t) n;
	size_t		missed = (size_t) (n - x);

	sum->value += customers * cvm_bb_log_alive(theta, x, n);
	sum->grad[ALPHA] += customers * theta[ALPHA] * (cvm_digamma_rise(theta[ALPHA], x) - t->sum_ab.first[seen]);
	sum->grad[BETA] += customers * theta[BETA] * (t->beta.first[missed] - t->sum_ab.first[seen]);
	sum->grad[GAMMA] -= customers * theta[GAMMA] * t->sum_cd.first[seen];
	sum->grad[DELTA] += customers * theta[DELTA] * (t->delta.first[seen] - t->sum_cd.first[seen]);
	sum->hess[0] += customers * theta[ALPHA] * theta[ALPHA] * cvm_trigamma_rise(theta[ALPHA], x);
	sum->second[0] += customers * t->sum_ab.second[seen];
	sum->second[1] += customers * t->beta.second[missed];
	sum->second[2] += customers * t->sum_cd.second[seen];
	sum->second[3] += customers * t->delta.second[seen];
}

/* Rows [first, end) of one x and one n, ascending in t_x. */
static void
add_rows(const cvm_cells *cells, const tables *t, double x, double n, size_t first, size_t end, totals *sum)
{
	passed		s = {.term = 1, .alive = 1};
	size_t		j = (size_t) n;
	double		customers = 0;

	for (size_t i = end; i-- > first;)
	{
		size_t		last = (size_t) cells->span[cells->span_id[i]];

		while (j > last)
			pass(t, (size_t) x, (size_t) n, --j, &s);
		add_row(&s, cells->weight[i], sum);
		customers += cells->weight[i];
	}
	add_alive(t, x, n, customers, sum);
}

/* The Hessian in log parameters from the sums; its diagonal takes the gradient, as d/d ln theta = theta d/d theta. */
static void
unfold(const double *theta, const totals *sum, double *hess)
{
	int			pair = 0;
	double		a = theta[ALPHA];
	double		b = theta[BETA];
	double		c = theta[GAMMA];
	double		d = theta[DELTA];

	for (int i = 0; i < N_PARAMS; i++)
		for (int k = i; k < N_PARAMS; k++, pair++)
			hess[i * N_PARAMS + k] = sum->hess[pair] + (i == k ? sum->grad[i] : 0);
	hess[ALPHA * N_PARAMS + ALPHA] -= a * a * sum->second[0];
	hess[ALPHA * N_PARAMS + BETA] -= a * b * sum->second[0];
	hess[BETA * N_PARAMS + BETA] += b * b * (sum->second[1] - sum->second[0]);
	hess[GAMMA * N_PARAMS + GAMMA] -= sum->gone + c * c * sum->second[2];
	hess[GAMMA * N_PARAMS + DELTA] -= c * d * sum->second[2];
	hess[DELTA * N_PARAMS + DELTA] += d * d * (sum->second[3] - sum->second[2]);
	for (int i = 0; i < N_PARAMS; i++)
		for (int k = 0; k < i; k++)
			hess[i * N_PARAMS + k] = hess[k * N_PARAMS + i];
}

static cvm_status
add_groups(const cvm_table *table, const tables *t, totals *sum)
{
	const cvm_cells *cells = cvm_table_cells(table);

	for (size_t g = 0; g < cells->groups; g++)
	{
		const cvm_group *group = &cells->group[g];
		size_t		end = group->first + group->rows;
		size_t		next;

		for (size_t i = group->first; i < end; i = next)
		{
			for (next = i + 1; next < end && cells->age_id[next] == cells->age_id[i]; next++)
				;
			add_rows(cells, t, group->x, cells->age[cells->age_id[i]], i, next, sum);
		}
		if (cvm_table_cancelled(table))
			return CVM_CANCELLED;
	}
	return CVM_OK;
}

cvm_status
cvm_bb_table_loglik(const cvm_table *table, const double *theta, double *loglik, double *grad, double *hess)
{
	tables		t = {.theta = theta};
	totals		sum = {0};
	cvm_status	status;

	if (!set_tables(table, theta, &t))
		return CVM_NO_MEMORY;
	status = add_groups(table, &t, &sum);
	cvm_release(cvm_table_env(table), t.memory);
	*loglik = sum.value;
	if (grad != NULL)
		memcpy(grad, sum.grad, sizeof(sum.grad));
	if (hess != NULL)
		unfold(theta, &sum, hess);
	return status;
}

/* Of n opportunities, those that find a customer alive: the sum of B(gamma, delta + i) / B(gamma, delta). */
static double
opportunities(double gamma, double delta, double n)
{
	double		alive = 1;
	double		sum = 0;

	for (int i = 1; i <= n && alive > 1e-6; i++)
	{
		alive *= (delta + i - 1) / (gamma + delta + i - 1);
		sum += alive;
	}
	return sum;
}

/*
 * Shapes from very unequal to nearly equal customers, leaving early or late;
 * the mean of p from that of purchases per opportunity, doubled as people leave;
 * of those who leave at once (the last shapes, where maxima of their own are
 * common) per opportunity that they are alive for.
 */
int
cvm_bb_starts(const cvm_table *table, double starts[][CVM_MAX_PARAMS], int max)
{
	static const double shape[][3] = {
		{2, 0.5, 2.5}, {1, 1, 10}, {5, 2, 20}, {0.5, 0.5, 0.5}, {4, 3, 1}, {5, 1, 0.05}, {2, 6, 0.8}, {20, 2, 0.2}
	};
	const cvm_cells *cells = cvm_table_cells(table);
	double		purchases = cells->purchases / cells->customers;
	int			n = 0;

	for (; n < 8 && n < max; n++)
	{
		double		rate = n < 4 ? fmin(0.8, 2 * purchases / cells->mean_age)
			: fmin(0.95, purchases / opportunities(shape[n][1], shape[n][2], cells->mean_age));

		starts[n][ALPHA] = shape[n][0] * rate;
		starts[n][BETA] = shape[n][0] * (1 - rate);
		starts[n][GAMMA] = shape[n][1];
		starts[n][DELTA] = shape[n][2];
	}
	return n;
}
