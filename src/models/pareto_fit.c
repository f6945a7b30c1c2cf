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
 */
#include "math/quadrature.h"
#include "math/special.h"
#include "models/cells.h"
#include "models/numbering.h"
#include "models/pareto_fit.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define STEEP 30.0
#define POLL_TABULATED 4096
#define POLL_ROWS 512			/* of those that are integrated one by one */

/* Where the second derivative by parameters i <= j is kept. */
static const int place_of[N_PARAMS][N_PARAMS] = {
	{5, 6, 7, 8}, {6, 9, 10, 11}, {7, 10, 12, 13}, {8, 11, 13, 14}
};

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
	cvm_pareto	p;				/* of the group at hand */
	cvm_instant *at_age;		/* per distinct age */
	cvm_instant *at_span;
	span_slot  *slot;			/* per distinct span */
	uint32_t   *touched;		/* spans of the group */
	size_t		n_touched;
	cvm_tails	tails;			/* of the group */
	double		value;
	double		grad[N_PARAMS];
	double		hess[N_PARAMS][N_PARAMS];	/* upper triangle */
} work;

static span_slot *
touch_span(work *w, uint32_t id, size_t group)
{
	span_slot  *slot = &w->slot[id];
	cvm_spot	at;

	if (slot->group == group + 1)
		return slot;
	slot->group = group + 1;
	slot->log_d = log_d(&w->p, &w->at_span[id]);
	cvm_tails_locate(&w->tails, v_of(&w->p, &w->at_span[id]), &at);
	cvm_tails_read(&at, slot->tail);
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
	const cvm_instant *at = &w->at_age[w->cells->age_id[first]];
	double		tail[FIRST];
	double		d[ALL];
	double		a[N_PARAMS];
	cvm_spot	here;
	age_sums	s;

	cvm_tails_locate(&w->tails, v_of(&w->p, at), &here);
	cvm_tails_read(&here, tail);
	sum_rows(w, g, first, end, log_d(&w->p, at), 1 - tail[0], &s);
	cvm_pareto_derive(&w->p, at, 0, 1, d);
	cvm_tails_demand(&here, -s.p);
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
	double		second[ALL];

	for (size_t k = 0; k < w->n_touched; k++)
	{
		const span_slot *slot = &w->slot[w->touched[k]];
		cvm_spot	at;

		cvm_tails_locate(&w->tails, v_of(&w->p, &w->at_span[w->touched[k]]), &at);
		cvm_tails_demand(&at, slot->q);
		for (int i = 0; i < N_PARAMS; i++)
		{
			w->grad[i] += slot->q * slot->tail[1 + i];
			for (int j = i; j < N_PARAMS; j++)
				w->hess[i][j] -= slot->qq * slot->tail[1 + i] * slot->tail[1 + j];
		}
	}
	w->n_touched = 0;
	cvm_tails_collect(&w->tails, second);
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
			;
		sum_age(w, g, i, next);
		if (next / POLL_TABULATED > i / POLL_TABULATED && cvm_table_cancelled(w->table))
			return CVM_CANCELLED;
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

	cvm_pareto_density(&c->w->p, v, c->reference, out);
}

/*
 * int f over D(reference), from a span to as far as rows of it have asked: rows of one
 * x come in the order of their ages, and those with the same span share the way (all of
 * the many who never came back do).
 */
typedef struct stretch
{
	uint32_t	span;
	double		to;				/* in v; infinite where nothing is left */
	double		gone[ALL];
} stretch;

/*
 * On to an age: in panels until nothing is left, or, where D falls steeply and to
 * nothing, as a tail.  There ln f = -u - O(u^2 / 100) in the variable u of the rule,
 * which is exact to 1e-15.
 */
static void
go_on(const row_context *context, double end, double drop, stretch *s)
{
	const cvm_race *race = &context->w->p.race;
	double		decay = cvm_race_steepness(race, s->to) - 1;

	if (s->gone[0] == 0 && decay > STEEP && drop > 45
		&& cvm_race_steepness(race, s->to + 1 / decay) - 1 < 1.02 * decay)
	{
		cvm_integrate_tail(row_density, context, s->to, decay, ALL, s->gone);
		s->to = INFINITY;
	}
	while (s->to < end)
	{
		double		full = s->to + cvm_race_panel(race, s->to, 1.5, 7);
		double		to = fmin(end, full);
		double		before = s->gone[0];

		cvm_integrate_all(row_density, context, s->to, to, cvm_race_is_short(race, s->to, to), ALL, s->gone);
		s->to = to == full && s->gone[0] - before < DBL_EPSILON / 64 * s->gone[0] ? INFINITY : to;
	}
}

/* A row by itself */
static void
sum_row(work *w, size_t i, stretch *s)
{
	uint32_t	span_id = w->cells->span_id[i];
	const cvm_instant *span = &w->at_span[span_id];
	const cvm_instant *age = &w->at_age[w->cells->age_id[i]];
	row_context context = {w, log_d(&w->p, span)};
	double		weight = w->cells->weight[i];
	double		drop = context.reference - log_d(&w->p, age);
	double		gone[ALL];
	double		open[ALL];
	double		total;

	if (s->span != span_id)
		*s = (stretch) {.span = span_id,.to = v_of(&w->p, span)};
	go_on(&context, v_of(&w->p, age), drop, s);
	memcpy(gone, s->gone, sizeof(gone));
	cvm_pareto_derive(&w->p, age, 0, exp(-drop), open);
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
	stretch		s = {.span = UINT32_MAX};
	cvm_status	status = CVM_OK;

	w->p = cvm_pareto_of(w->theta, group->x);
	for (size_t i = group->first; i < end; i++)
		least = w->cells->span_id[i] < least ? w->cells->span_id[i] : least;
	if (cvm_tails_build(&w->tails, &w->p, v_of(&w->p, &w->at_span[least]),
						v_of(&w->p, &w->at_age[w->cells->age_id[end - 1]]), group->rows))
		return sum_tabulated(w, g);
	for (size_t i = group->first; i < end && status == CVM_OK; i++)
	{
		sum_row(w, i, &s);
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
	double		by_r = n * r * cvm_digamma_rise(r, w->p.x);

	w->value += n * cvm_log_rising(r, w->p.x);
	w->grad[R] += by_r;
	w->hess[R][R] += by_r + n * r * r * cvm_trigamma_rise(r, w->p.x);
}

static cvm_status
allocate(work *w, const cvm_env *env)
{
	w->at_age = cvm_allocate(env, w->cells->ages, sizeof(cvm_instant));
	w->at_span = cvm_allocate(env, w->cells->spans, sizeof(cvm_instant));
	w->slot = cvm_allocate(env, w->cells->spans, sizeof(span_slot));
	w->touched = cvm_allocate(env, w->cells->spans, sizeof(uint32_t));
	w->tails.panels = cvm_allocate(env, CVM_PANELS, sizeof(cvm_panel));
	if (!w->at_age || !w->at_span || !w->slot || !w->touched || !w->tails.panels)
		return CVM_NO_MEMORY;
	for (size_t i = 0; i < w->cells->ages; i++)
	{
		w->at_age[i] = cvm_pareto_instant(w->theta, w->cells->age[i]);
		if (i % CVM_POLL_ROWS == 0 && cvm_table_cancelled(w->table))
			return CVM_CANCELLED;
	}
	for (size_t i = 0; i < w->cells->spans; i++)
	{
		if (i % CVM_POLL_ROWS == 0 && cvm_table_cancelled(w->table))
			return CVM_CANCELLED;
		w->at_span[i] = cvm_pareto_instant(w->theta, w->cells->span[i]);
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
	cvm_release(env, w->tails.panels);
}

cvm_status
cvm_pareto_table_loglik(const cvm_table *table, const double *theta,
						double *loglik, double *grad, double *hess)
{
	const cvm_env *env = cvm_table_env(table);
	work		w = {.table = table, .cells = cvm_table_cells(table), .theta = theta};
	cvm_status	status;

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
