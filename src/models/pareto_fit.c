/*
 * pareto_fit.c: the log-likelihood of a table of Pareto/NBD customers, with its
 * derivatives.
 *
 * With D(y) = (1 + y / alpha)^-r (alpha + y)^-x (1 + y / beta)^-s the likelihood of
 * a customer is (r)_x times
 *
 *     L = D(age) + int_(t_x)^(age) f(y) dy,	f(y) = D(y) s / (beta + y)
 *
 * (alive still, or left at y; formulas, section 1.3).  Its derivatives are those of
 * D and integrals of f times derivatives of ln D: all 15 share one pass over the
 * nodes.  Let F(y) = int_y^end f.  Then L = D(age) - F(age) + F(t_x), one term for
 * the age and one for the span, so that where many customers share an x, F / D
 * and its derivatives are tabulated once in v = ln(1 + y / min(alpha, beta)) and
 * interpolated once per distinct span and age; a customer costs one exponential.
 * That difference cancels only where D(age) dominates both.
 *
 * Panels of a table: Chebyshev interpolation on 16 points.  Within one, D changes
 * by a factor of e^DROP at most, which leaves an error of (DROP / 4)^16 / 16! = 6e-15;
 * the singularities, pi away in v, leave less.
 */
#include "math/quadrature.h"
#include "math/special.h"
#include "models/cells.h"
#include "models/numbering.h"
#include "models/pareto.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum
{
	R, ALPHA, S, BETA, N_PARAMS
};

#define FIRST 5					/* value and first derivatives */
#define ALL 16					/* and second ones (and one left empty, for speed) */
#define NODES 16
#define PANELS 128
#define WIDEST 1.2
#define DROP 3.5
#define WORTH 4					/* rows for which a panel pays */
#define POLL_ROWS 512			/* of those that are integrated one by one */

/* Where the second derivative by parameters i <= j is kept. */
static const int place_of[N_PARAMS][N_PARAMS] = {
	{5, 6, 7, 8}, {6, 9, 10, 11}, {7, 10, 12, 13}, {8, 11, 13, 14}
};

/* What the derivatives of ln D at an instant y are made of. */
typedef struct instant
{
	double		log_alpha;		/* ln(1 + y / alpha) */
	double		log_beta;
	double		share_alpha;	/* alpha / (alpha + y) */
	double		share_beta;
} instant;

/* A stretch of the table. */
typedef struct panel
{
	double		from,
				to;				/* in v */
	double		coefficient[NODES][ALL];	/* of Chebyshev polynomials */
	double		weight[NODES];	/* of the polynomials, summed over customers */
} panel;

/* One distinct span, as the rows of the group at hand see it. */
typedef struct span_slot
{
	size_t		group;			/* number of that group, + 1 */
	double		log_d;			/* ln D */
	double		tail[FIRST];	/* F / D and its first derivatives */
	double		q;				/* sum of weight * D(t_x) / L */
	double		qq;				/* ... squared */
} span_slot;

/* All that one evaluation needs. */
typedef struct work
{
	const cvm_table *table;
	const cvm_cells *cells;
	const double *theta;
	double		log_scale;		/* ln alpha */
	double		least;			/* min(alpha, beta) */
	double		x;				/* of the group at hand */
	cvm_race	race;			/* the same, for the width of panels */
	instant    *at_age;			/* per distinct age */
	instant    *at_span;
	span_slot  *slot;			/* per distinct span */
	uint32_t   *touched;		/* spans of the group */
	size_t		n_touched;
	panel	   *panels;
	int			n_panels;
	panel	   *latest;			/* asked for */
	bool		ready;			/* the nodes and the two matrices are filled */
	double		node[NODES];	/* cos(pi k / 15): from right to left */
	double		to_end[NODES][NODES];	/* [j][k]: int_(u_k)^1 of the j-th Lagrange polynomial */
	double		transform[NODES][NODES];	/* [k][m]: values to coefficients */
	double		value;
	double		grad[N_PARAMS];
	double		hess[N_PARAMS][N_PARAMS];	/* upper triangle */
} work;

static instant
instant_at(const double *theta, double y)
{
	return (instant) {
		log1p(y / theta[ALPHA]), log1p(y / theta[BETA]),
		theta[ALPHA] / (theta[ALPHA] + y), theta[BETA] / (theta[BETA] + y)
	};
}

static double
log_d(const work *w, const instant *at)
{
	return -(w->theta[R] + w->x) * at->log_alpha - w->theta[S] * at->log_beta - w->x * w->log_scale;
}

/*
 * d with its derivatives by the logarithms of the parameters: D itself (leaving
 * = 0), or f (leaving = 1).
 */
static void
derive(const work *w, const instant *at, int leaving, double d, double *out)
{
	double		r = w->theta[R];
	double		s = w->theta[S];
	double		a = at->share_alpha;
	double		b = at->share_beta;
	double		by_r = -r * at->log_alpha;
	double		by_alpha = r - (r + w->x) * a;
	double		by_s = leaving - s * at->log_beta;
	double		by_beta = s - (s + leaving) * b;

	out[0] = d;
	out[1 + R] = d * by_r;
	out[1 + ALPHA] = d * by_alpha;
	out[1 + S] = d * by_s;
	out[1 + BETA] = d * by_beta;
	out[5] = d * (by_r * by_r + by_r);
	out[6] = d * (by_r * by_alpha + r * (1 - a));
	out[7] = d * by_r * by_s;
	out[8] = d * by_r * by_beta;
	out[9] = d * (by_alpha * by_alpha - (r + w->x) * a * (1 - a));
	out[10] = d * by_alpha * by_s;
	out[11] = d * by_alpha * by_beta;
	out[12] = d * (by_s * by_s - s * at->log_beta);
	out[13] = d * (by_s * by_beta + s * (1 - b));
	out[14] = d * (by_beta * by_beta - (s + leaving) * b * (1 - b));
	out[15] = 0;
}

/* f dy / dv over e^reference, with its derivatives, at v; returns D over the same */
static double
derive_density(const work *w, double v, double reference, double *out)
{
	double		y = w->least * expm1(v);
	double		alpha = w->theta[ALPHA];
	double		beta = w->theta[BETA];
	instant		at = {
		alpha <= beta ? v : log1p(y / alpha), alpha <= beta ? log1p(y / beta) : v,
		alpha / (alpha + y), beta / (beta + y)
	};
	double		d = exp(log_d(w, &at) - reference);

	derive(w, &at, 1, d * w->theta[S] * (w->least + y) / (beta + y), out);
	return d;
}

/*
 * With T_m the Chebyshev polynomials and u_k = cos(pi k / 15):
 * int T_m = T_(m+1) / (2 (m + 1)) - T_(m-1) / (2 (m - 1)).
 */
static void
prepare_matrices(work *w)
{
	const int	last = NODES - 1;
	double		cosine[2 * (NODES - 1)];

	for (int i = 0; i < 2 * last; i++)
		cosine[i] = cos(M_PI * i / last);
	for (int k = 0; k < NODES; k++)
		for (int m = 0; m < NODES; m++)
			w->transform[k][m] = cosine[m * k % (2 * last)] * 2 / last
				* (m == 0 || m == last ? 0.5 : 1) * (k == 0 || k == last ? 0.5 : 1);
	for (int k = 0; k < NODES; k++)
	{
		double		integral[NODES];	/* int_(u_k)^1 T_m */

		w->node[k] = cosine[k];
		integral[0] = 1 - cosine[k];
		integral[1] = 0.5 * (1 - cosine[k] * cosine[k]);
		for (int m = 2; m < NODES; m++)
			integral[m] = (1 - cosine[(m + 1) * k % (2 * last)]) / (2 * (m + 1))
				- (1 - cosine[(m - 1) * k % (2 * last)]) / (2 * (m - 1));
		for (int j = 0; j < NODES; j++)
		{
			w->to_end[j][k] = 0;
			for (int m = 0; m < NODES; m++)
				w->to_end[j][k] += w->transform[j][m] * integral[m];
		}
	}
	w->ready = true;
}

/* out[k] = sum_j matrix[j][k] in[j], for all functions at once */
static void
apply(const double matrix[NODES][NODES], double in[NODES][ALL], double out[NODES][ALL])
{
	for (int k = 0; k < NODES; k++)
	{
		double		sum[ALL] = {0};

		for (int j = 0; j < NODES; j++)
			for (int c = 0; c < ALL; c++)
				sum[c] += matrix[j][k] * in[j][c];
		memcpy(out[k], sum, sizeof(sum));
	}
}

/* F / D on a panel; `tail` is that at its right end, and becomes that at its left. */
static void
fill_panel(const work *w, panel *p, double *tail)
{
	double		half = 0.5 * (p->to - p->from);
	instant		at = instant_at(w->theta, w->least * expm1(p->from));
	double		reference = log_d(w, &at);
	double		d[NODES];
	double		density[NODES][ALL];
	double		value[NODES][ALL];

	for (int k = 0; k < NODES; k++)
		d[k] = derive_density(w, p->from + half * (1 + w->node[k]), reference, density[k]);
	apply(w->to_end, density, value);
	for (int k = 0; k < NODES; k++)
		for (int c = 0; c < ALL; c++)
			value[k][c] = (half * value[k][c] + tail[c] * d[0]) / d[k];
	memset(p->weight, 0, sizeof(p->weight));
	apply(w->transform, value, p->coefficient);
	memcpy(tail, value[NODES - 1], sizeof(value[0]));
}

/* v = ln(1 + y / least) of an instant */
static double
v_of(const work *w, const instant *at)
{
	return w->theta[ALPHA] <= w->theta[BETA] ? at->log_alpha : at->log_beta;
}

/*
 * Divide [from, to] into panels, and fill them from the end backwards.  Returns
 * whether that pays for so many rows.
 */
static bool
tabulate(work *w, double from, double to, size_t rows)
{
	double		tail[ALL] = {0};

	w->n_panels = 0;
	for (double v = from; v < to; v = w->panels[w->n_panels++].to)
	{
		double		width = cvm_race_panel(&w->race, v, WIDEST, DROP);

		if (w->n_panels == PANELS || (size_t) (w->n_panels + 1) * WORTH > rows)
			return false;
		w->panels[w->n_panels].from = v;
		w->panels[w->n_panels].to = v + width < to ? v + width : to;
	}
	if (w->n_panels == 0)
		return false;
	w->latest = w->panels;
	if (!w->ready)
		prepare_matrices(w);
	for (int i = w->n_panels; i-- > 0;)
		fill_panel(w, &w->panels[i], tail);
	return true;
}

/* Where a span or an age lies in the table. */
typedef struct spot
{
	panel	   *panel;
	double		polynomial[NODES];	/* Chebyshev polynomials there */
} spot;

/*
 * Spans and ages come nearly in order, so that the panel is the latest or next to
 * it.  T_(m + 4) = 2 T_4 T_m - T_|m - 4| makes four chains that do not wait for one
 * another.
 */
static void
locate(work *w, double v, spot *at)
{
	double	   *t = at->polynomial;
	panel	   *p = w->latest;

	while (v > p->to && p < w->panels + w->n_panels - 1)
		p++;
	while (v < p->from && p > w->panels)
		p--;
	at->panel = w->latest = p;
	t[0] = 1;
	t[1] = 2 * (v - p->from) / (p->to - p->from) - 1;
	t[2] = 2 * t[1] * t[1] - 1;
	t[3] = t[1] * (2 * t[2] - 1);
	t[4] = 2 * t[2] * t[2] - 1;
	for (int m = 5; m < NODES; m++)
		t[m] = 2 * t[4] * t[m - 4] - t[m < 8 ? 8 - m : m - 8];
}

/* F / D and its first derivatives */
static void
interpolate(const spot *at, double *tail)
{
	const double (*by)[ALL] = (const double (*)[ALL]) at->panel->coefficient;
	const double *t = at->polynomial;
	double		sum0 = 0,
				sum1 = 0,
				sum2 = 0,
				sum3 = 0,
				sum4 = 0;

	for (int m = 0; m < NODES; m++)
	{
		sum0 += t[m] * by[m][0];
		sum1 += t[m] * by[m][1];
		sum2 += t[m] * by[m][2];
		sum3 += t[m] * by[m][3];
		sum4 += t[m] * by[m][4];
	}
	tail[0] = sum0;
	tail[1] = sum1;
	tail[2] = sum2;
	tail[3] = sum3;
	tail[4] = sum4;
}

/* So much of the second derivatives of F / D is wanted there. */
static void
demand(const spot *at, double weight)
{
	for (int m = 0; m < NODES; m++)
		at->panel->weight[m] += weight * at->polynomial[m];
}

static span_slot *
touch_span(work *w, uint32_t id, size_t group)
{
	span_slot  *slot = &w->slot[id];
	spot		at;

	if (slot->group == group + 1)
		return slot;
	slot->group = group + 1;
	slot->log_d = log_d(w, &w->at_span[id]);
	locate(w, v_of(w, &w->at_span[id]), &at);
	interpolate(&at, slot->tail);
	slot->q = slot->qq = 0;
	w->touched[w->n_touched++] = id;
	return slot;
}

/* Sums over the rows of one x and age, with p = D(age) / L and q = D(t_x) / L. */
typedef struct age_sums
{
	double		p;
	double		pp;
	double		pq[N_PARAMS];	/* of p q times the derivatives of F(t_x) / D(t_x) */
} age_sums;

/*
 * The dearest loop of a fit: one exponential a row.  Of single customers, which
 * most rows are, the logarithms are taken of products.
 */
static void
sum_rows(work *w, size_t g, size_t first, size_t end, double log_age, double open, age_sums *sums)
{
	const cvm_cells *cells = w->cells;
	double		product = 1;
	double		value = 0;
	age_sums	s = {0};

	for (size_t i = first; i < end; i++)
	{
		span_slot  *slot = touch_span(w, cells->span_id[i], g);
		double		weight = cells->weight[i];
		double		ratio = exp(log_age - slot->log_d);
		double		total = ratio * open + slot->tail[0];
		double		q = 1 / total;
		double		p = ratio * q;
		double		pq = weight * p * q;

		value += weight * slot->log_d;
		if (weight == 1)
			product *= total;
		else
			value += weight * log(total);
		if (product < 1e-200)
		{
			value += log(product);
			product = 1;
		}
		s.p += weight * p;
		s.pp += weight * p * p;
		for (int c = 0; c < N_PARAMS; c++)
			s.pq[c] += pq * slot->tail[1 + c];
		slot->q += weight * q;
		slot->qq += weight * q * q;
	}
	w->value += value + log(product);
	*sums = s;
}

/* What the rows of one x and age have in common. */
static void
sum_age(work *w, size_t g, size_t first, size_t end)
{
	const instant *at = &w->at_age[w->cells->age_id[first]];
	double		tail[FIRST];
	double		d[ALL];
	double		a[N_PARAMS];
	spot		here;
	age_sums	s;

	locate(w, v_of(w, at), &here);
	interpolate(&here, tail);
	sum_rows(w, g, first, end, log_d(w, at), 1 - tail[0], &s);
	derive(w, at, 0, 1, d);
	demand(&here, -s.p);
	for (int i = 0; i < N_PARAMS; i++)
	{
		a[i] = d[1 + i] - tail[1 + i];
		w->grad[i] += s.p * a[i];
	}
	for (int i = 0; i < N_PARAMS; i++)
		for (int j = i; j < N_PARAMS; j++)
			w->hess[i][j] += s.p * d[place_of[i][j]] - s.pp * a[i] * a[j] - a[i] * s.pq[j] - a[j] * s.pq[i];
}

/* What is left to add for the spans and panels of a group. */
static void
finish_group(work *w)
{
	double		second[ALL] = {0};

	for (size_t k = 0; k < w->n_touched; k++)
	{
		const span_slot *slot = &w->slot[w->touched[k]];
		spot		at;

		locate(w, v_of(w, &w->at_span[w->touched[k]]), &at);
		demand(&at, slot->q);
		for (int i = 0; i < N_PARAMS; i++)
		{
			w->grad[i] += slot->q * slot->tail[1 + i];
			for (int j = i; j < N_PARAMS; j++)
				w->hess[i][j] -= slot->qq * slot->tail[1 + i] * slot->tail[1 + j];
		}
	}
	w->n_touched = 0;
	for (int k = 0; k < w->n_panels; k++)
		for (int m = 0; m < NODES; m++)
			for (int c = 0; c < ALL; c++)
				second[c] += w->panels[k].weight[m] * w->panels[k].coefficient[m][c];
	for (int i = 0; i < N_PARAMS; i++)
		for (int j = i; j < N_PARAMS; j++)
			w->hess[i][j] += second[place_of[i][j]];
}

static cvm_status
sum_tabulated(work *w, size_t g)
{
	const cvm_group *group = &w->cells->group[g];
	const uint32_t *age = w->cells->age_id;
	size_t		end = group->first + group->rows;

	for (size_t i = group->first, next; i < end; i = next)
	{
		for (next = i + 1; next < end && age[next] == age[i]; next++)
			if (next % CVM_POLL_ROWS == 0 && cvm_table_cancelled(w->table))
				return CVM_CANCELLED;
		sum_age(w, g, i, next);
	}
	finish_group(w);
	return CVM_OK;
}

/* What the integral of one row holds fixed. */
typedef struct row_context
{
	const work *w;
	double		reference;
} row_context;

static void
row_density(double v, const void *context, double *out)
{
	const row_context *c = context;

	derive_density(c->w, v, c->reference, out);
}

/* A row by itself: int_(t_x)^(age) f over D(t_x), in panels until nothing is left. */
static void
sum_row(work *w, size_t i)
{
	const instant *span = &w->at_span[w->cells->span_id[i]];
	const instant *age = &w->at_age[w->cells->age_id[i]];
	row_context context = {w, log_d(w, span)};
	double		weight = w->cells->weight[i];
	double		end = v_of(w, age);
	double		gone[ALL] = {0};
	double		open[ALL];
	double		total;

	for (double v = v_of(w, span); v < end;)
	{
		double		to = fmin(end, v + cvm_race_panel(&w->race, v, 1.5, 7));
		double		before = gone[0];

		cvm_integrate_all(row_density, &context, v, to, ALL, gone);
		if (gone[0] - before < DBL_EPSILON / 64 * gone[0])
			break;
		v = to;
	}
	derive(w, age, 0, exp(log_d(w, age) - context.reference), open);
	total = open[0] + gone[0];
	w->value += weight * (context.reference + log(total));
	for (int c = 0; c < ALL; c++)
		gone[c] = (gone[c] + open[c]) / total;
	for (int i = 0; i < N_PARAMS; i++)
	{
		w->grad[i] += weight * gone[1 + i];
		for (int j = i; j < N_PARAMS; j++)
			w->hess[i][j] += weight * (gone[place_of[i][j]] - gone[1 + i] * gone[1 + j]);
	}
}

static cvm_status
sum_group(work *w, size_t g)
{
	const cvm_group *group = &w->cells->group[g];
	size_t		end = group->first + group->rows;
	uint32_t	least = UINT32_MAX;
	cvm_status	status = CVM_OK;

	w->x = group->x;
	w->race = (cvm_race) {w->theta[R] + w->x, w->theta[ALPHA], w->theta[S], w->theta[BETA]};
	for (size_t i = group->first; i < end; i++)
		least = w->cells->span_id[i] < least ? w->cells->span_id[i] : least;
	if (tabulate(w, v_of(w, &w->at_span[least]), v_of(w, &w->at_age[w->cells->age_id[end - 1]]), group->rows))
		return sum_tabulated(w, g);
	for (size_t i = group->first; i < end && status == CVM_OK; i++)
	{
		sum_row(w, i);
		if (i % POLL_ROWS == 0 && cvm_table_cancelled(w->table))
			status = CVM_CANCELLED;
	}
	return status;
}

/* ln (r)_x, once per distinct x */
static void
add_count(work *w, double n)
{
	double		r = w->theta[R];
	double		by_r = n * r * cvm_digamma_rise(r, w->x);

	w->value += n * cvm_log_rising(r, w->x);
	w->grad[R] += by_r;
	w->hess[R][R] += by_r + n * r * r * cvm_trigamma_rise(r, w->x);
}

static cvm_status
allocate(work *w, const cvm_env *env)
{
	w->at_age = cvm_allocate(env, w->cells->ages, sizeof(instant));
	w->at_span = cvm_allocate(env, w->cells->spans, sizeof(instant));
	w->slot = cvm_allocate(env, w->cells->spans, sizeof(span_slot));
	w->touched = cvm_allocate(env, w->cells->spans, sizeof(uint32_t));
	w->panels = cvm_allocate(env, PANELS, sizeof(panel));
	if (!w->at_age || !w->at_span || !w->slot || !w->touched || !w->panels)
		return CVM_NO_MEMORY;
	for (size_t i = 0; i < w->cells->ages; i++)
		w->at_age[i] = instant_at(w->theta, w->cells->age[i]);
	for (size_t i = 0; i < w->cells->spans; i++)
	{
		w->at_span[i] = instant_at(w->theta, w->cells->span[i]);
		w->slot[i].group = 0;
	}
	return CVM_OK;
}

static void
release(work *w, const cvm_env *env)
{
	cvm_release(env, w->at_age);
	cvm_release(env, w->at_span);
	cvm_release(env, w->slot);
	cvm_release(env, w->touched);
	cvm_release(env, w->panels);
}

cvm_status
cvm_pareto_table_loglik(const cvm_table *table, const double *theta,
						double *loglik, double *grad, double *hess)
{
	const cvm_env *env = cvm_table_env(table);
	work		w = {.table = table, .cells = cvm_table_cells(table), .theta = theta};
	cvm_status	status;

	w.log_scale = log(theta[ALPHA]);
	w.least = fmin(theta[ALPHA], theta[BETA]);
	status = allocate(&w, env);
	for (size_t g = 0; g < w.cells->groups && status == CVM_OK; g++)
	{
		status = sum_group(&w, g);
		add_count(&w, w.cells->group[g].customers);
	}
	release(&w, env);
	*loglik = w.value;
	if (grad != NULL)
		memcpy(grad, w.grad, sizeof(w.grad));
	for (int i = 0; i < N_PARAMS && hess != NULL; i++)
		for (int j = 0; j < N_PARAMS; j++)
			hess[i * N_PARAMS + j] = i < j ? w.hess[i][j] : w.hess[j][i];
	return status;
}
