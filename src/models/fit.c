/*
 * fit.c: climbs the likelihood of any family from several starts (fit.h); what
 * becomes of the result is for the ladder to say (ladder.c).
 *
 * Parameters are climbed as logarithms.  Scaling time so that the mean age is
 * 20, and money by its geometric mean (the mean of heavy-tailed spend is that of
 * its largest purchase), is then nothing but a shift of those that carry a
 * unit: data need not be copied, but starts, penalties and the bounds of what
 * counts as "run away" are all stated on the scaled values.
 *
 * A whole-numbered parameter (family->searched; always the first) is not
 * climbed: the others are, at each of its values, and the likeliest value wins.
 */
#include "models/fit.h"

#include "models/cells.h"

#include <math.h>
#include <string.h>

#define SCALED_AGE 20.0
#define MAX_ITERATIONS 100
#define CLIMB_LIMIT (10 * CVM_RUNAWAY)	/* a climb may look a little beyond, and come back */
#define WORST_CONDITION 1e-13	/* a Hessian nearer to singular is singular but for rounding */
#define DOWNHILL 4				/* so many values of a searched parameter none of which is likelier end the search */
#define NEARLY 1.92				/* half the 95 % quantile of chi-squared: a likelihood ratio that decides nothing */
#define TURNING_BACK 7.0		/* ln of scaled parameters: far out, but not out of sight of a maximum inside */
#define SAMPLE_ROWS 2000		/* enough to start the full table from */
#define SEARCH_ROWS 4000		/* ... where a parameter is searched, which takes a dozen climbs */

static bool
cancelled(const cvm_env *env)
{
	return env->cancelled != NULL && env->cancelled(env->context);
}

void
cvm_climb_natural(const cvm_climb *p, const double *at, double *theta)
{
	memcpy(theta, p->held, sizeof(p->held));
	for (int i = 0; i < p->n; i++)
		theta[p->climbed[i]] = exp(at[i]) * p->scale[i];
}

double
cvm_climb_penalty(const cvm_climb *p, const double *at)
{
	double		sum = 0;

	for (int i = 0; i < p->n; i++)
		sum += (at[i] - p->centre[i]) * (at[i] - p->centre[i]);
	return 0.5 * p->precision * sum;
}

static int
objective(void *context, const double *at, double *value, double *gradient, double *hessian)
{
	cvm_climb    *p = context;
	int			n = p->n;
	int			all = p->family->n_params;
	double		theta[CVM_MAX_PARAMS];
	double		grad[CVM_MAX_PARAMS] = {0};
	double		hess[CVM_MAX_PARAMS * CVM_MAX_PARAMS] = {0};
	cvm_status	status;

	if (cancelled(p->env))
		return CVM_CANCELLED;
	cvm_climb_natural(p, at, theta);
	if (!cvm_in_domain(p->family, theta))
	{
		*value = -INFINITY;
		return CVM_OK;
	}
	status = p->family->table_loglik(p->table, theta, value, grad, hess);
	*value -= cvm_climb_penalty(p, at);
	for (int i = 0; i < n; i++)
	{
		gradient[i] = grad[p->climbed[i]] - p->precision * (at[i] - p->centre[i]);
		for (int j = 0; j < n; j++)
			hessian[i * n + j] = hess[p->climbed[i] * all + p->climbed[j]];
		hessian[i * n + i] -= p->precision;
	}
	return status;
}

static void
set_scale(cvm_climb *p)
{
	const cvm_cells *cells = cvm_table_cells(p->table);
	double		time = cells->mean_age > 0 ? cells->mean_age / SCALED_AGE : 1;
	double		money = cells->typical_spend > 0 ? cells->typical_spend : 1;

	for (int i = 0; i < p->n; i++)
		p->scale[i] = pow(time, p->family->time_power[p->climbed[i]])
			* pow(money, p->family->money_power[p->climbed[i]]);
}

void
cvm_climb_begin(cvm_climb *p, const cvm_family *family, const cvm_table *table, const cvm_env *env, const double *held)
{
	memset(p, 0, sizeof(*p));
	p->family = family;
	p->table = table;
	p->env = env;
	for (int i = 0; i < family->n_params; i++)
	{
		if (held != NULL)
			p->held[i] = held[i];
		if (held != NULL ? !(held[i] > 0) : i > 0 || family->searched == 0)
			p->climbed[p->n++] = i;
	}
	set_scale(p);
}

int
cvm_climb_starts(const cvm_climb *p, double starts[][CVM_MAX_PARAMS])
{
	int			n;

	starts[0][0] = p->held[0];
	n = p->family->starts(p->table, starts, CVM_MAX_STARTS);
	for (int k = 0; k < n; k++)
		for (int i = 0; i < p->n; i++)
			starts[k][i] = log(starts[k][p->climbed[i]] / p->scale[i]);
	return n;
}

void
cvm_climb_turn_back(const cvm_climb *p, double *at)
{
	for (int i = 0; i < p->n; i++)
		at[i] = fmax(-TURNING_BACK, fmin(at[i], TURNING_BACK));
}

static bool
ran_away(const cvm_climb *p, const double *at)
{
	for (int i = 0; i < p->n; i++)
		if (!(fabs(at[i]) < log(CVM_RUNAWAY)))
			return true;
	return false;
}

/*
 * The likelier one; but a maximum inside is one, and what is found on the way out
 * is not, so that the latter must be likelier by more than nothing.
 */
static bool
is_better(const cvm_climb *p, const cvm_maximum *found, const cvm_maximum *than)
{
	if (isinf(found->value) || isinf(than->value))
		return found->value > than->value;
	return found->value + (cvm_climb_is_interior(p, found) ? NEARLY : 0)
		> than->value + (cvm_climb_is_interior(p, than) ? NEARLY : 0);
}

/* Keep the better maximum, and the sum of iterations. */
static bool
improve(const cvm_climb *p, cvm_maximum *best, const cvm_maximum *found)
{
	int			iterations = best->iterations + found->iterations;
	bool		better = is_better(p, found, best);

	if (better)
		*best = *found;
	best->iterations = iterations;
	return better;
}

cvm_status
cvm_climb_from(cvm_climb *p, double starts[][CVM_MAX_PARAMS], int n_starts, cvm_maximum *best)
{
	best->value = -INFINITY;
	best->converged = false;
	best->iterations = 0;
	for (int k = 0; k < n_starts; k++)
	{
		cvm_maximum found;
		int			code = cvm_maximise(objective, p, p->n, starts[k], log(CLIMB_LIMIT), MAX_ITERATIONS, &found);

		if (code != 0)
			return (cvm_status) code;
		(void) improve(p, best, &found);
	}
	return isinf(best->value) ? CVM_NO_OPTIMUM : CVM_OK;
}

/* Every so-manieth of the rows [first, end), which may stand for those left out. */
static cvm_status
add_sample(const cvm_table *table, size_t first, size_t end, size_t stride, bool scaled, cvm_table *out)
{
	cvm_status	status = CVM_OK;

	for (size_t i = first + stride / 2; i < end && status == CVM_OK; i += stride)
	{
		cvm_row		row = cvm_table_row(table, i);

		if (scaled)
			row.weight *= stride;
		status = cvm_table_add(out, &row);
	}
	return status;
}

/* Where few have come back (x > 0, the rows after the first group), a sample has all of these. */
cvm_status
cvm_climb_sample(const cvm_climb *p, size_t wanted, bool scaled, cvm_table **out)
{
	const cvm_cells *cells = cvm_table_cells(p->table);
	size_t		rows = cells->rows;
	size_t		idle = cells->groups > 0 && cells->group[0].x == 0 ? cells->group[0].rows : 0;
	cvm_status	status;

	*out = cvm_table_new(cvm_table_kind(p->table), p->env);
	if (*out == NULL)
		return CVM_NO_MEMORY;
	if (rows - idle < wanted / 2)
	{
		status = add_sample(p->table, 0, idle, idle / (wanted - (rows - idle)) + 1, true, *out);
		if (status == CVM_OK)
			status = add_sample(p->table, idle, rows, 1, false, *out);
	}
	else
		status = add_sample(p->table, 0, rows, rows / wanted + 1, scaled, *out);
	if (status == CVM_OK)
		status = cvm_table_finish(*out);
	return status;
}

/*
 * Climb with the searched parameter at k.  Neighbours are alike: the climb
 * begins at the maximum `from` of one, or at the first start if that ran away.
 */
static cvm_status
climb_at(cvm_climb *p, int k, const cvm_maximum *from, cvm_maximum *found)
{
	double		starts[CVM_MAX_STARTS][CVM_MAX_PARAMS];
	cvm_status	status;

	p->held[0] = k;
	cvm_climb_starts(p, starts);
	if (from->converged && !ran_away(p, from->at))
		memcpy(starts[0], from->at, sizeof(starts[0]));
	status = cvm_climb_from(p, starts, 1, found);
	return status == CVM_NO_OPTIMUM ? CVM_OK : status;
}

/* The likeliest value of the searched parameter and its neighbours once more, from every start. */
static cvm_status
search_again(cvm_climb *p, cvm_maximum *best)
{
	int			likeliest = (int) p->held[0];
	int			k = likeliest;
	cvm_status	status = CVM_OK;

	for (int next = likeliest - 1; next <= likeliest + 1 && status == CVM_OK; next++)
	{
		double		starts[CVM_MAX_STARTS][CVM_MAX_PARAMS];
		cvm_maximum found;

		if (next < 1 || next > p->family->searched)
			continue;
		p->held[0] = next;
		status = cvm_climb_from(p, starts, cvm_climb_starts(p, starts), &found);
		if (status == CVM_NO_OPTIMUM)
			status = CVM_OK;
		else if (status == CVM_OK && improve(p, best, &found))
			k = next;
	}
	p->held[0] = k;
	return status;
}

/*
 * The values of the searched parameter, each from its neighbour, until it has gone
 * downhill for long; the likeliest ones once more, from every start.
 */
static cvm_status
search(cvm_climb *p, cvm_maximum *best)
{
	double		starts[CVM_MAX_STARTS][CVM_MAX_PARAMS];
	cvm_maximum last,
				found;
	int			likeliest = 1;
	cvm_status	status;

	p->held[0] = 1;
	status = cvm_climb_from(p, starts, cvm_climb_starts(p, starts), best);
	last = *best;
	for (int k = 2; k <= p->family->searched && k <= likeliest + DOWNHILL && (status == CVM_OK || status == CVM_NO_OPTIMUM); k++)
	{
		status = climb_at(p, k, &last, &found);
		if (improve(p, best, &found))
			likeliest = k;
		last = found;
	}
	p->held[0] = likeliest;
	if (p->family->searched > 0 && status == CVM_OK)
		status = search_again(p, best);
	if (status != CVM_OK && status != CVM_NO_OPTIMUM)
		return status;
	return isinf(best->value) ? CVM_NO_OPTIMUM : CVM_OK;
}

/*
 * From what a sample found best (if that ran away, from where it did, and unless many
 * values are to be tried from the first start too), up the neighbours of its searched parameter while they are likelier.
 */
static cvm_status
search_near(cvm_climb *p, bool near, cvm_maximum *best)
{
	double		starts[CVM_MAX_STARTS][CVM_MAX_PARAMS];
	int			k = (int) p->held[0];
	int			last = near || p->family->searched > 0 ? 0 : 1;
	cvm_maximum found;
	cvm_status	status;

	(void) cvm_climb_starts(p, starts);
	memcpy(starts[last], best->at, sizeof(starts[0]));
	if (!near)
		cvm_climb_turn_back(p, starts[last]);
	status = cvm_climb_from(p, starts, last + 1, best);
	if (status == CVM_NO_OPTIMUM)
		status = CVM_OK;
	for (int step = -1; step <= 1; step += 2)
	{
		bool		better = true;

		for (int next = k + step; better && status == CVM_OK && next >= 1 && next <= p->family->searched; next += step)
		{
			status = climb_at(p, next, best, &found);
			better = status == CVM_OK && improve(p, best, &found);
			if (better)
				k = next;
		}
	}
	p->held[0] = k;
	return status != CVM_OK ? status : isinf(best->value) ? CVM_NO_OPTIMUM : CVM_OK;
}

/*
 * A big table is climbed from the maximum of a sample of it: the many
 * iterations are cheap, the few dear ones are already near.  *near says whether
 * there is such a maximum; p->held[0] is the likeliest in any case.
 */
static cvm_status
climb_sample(cvm_climb *p, size_t wanted, bool *near, cvm_maximum *best)
{
	const cvm_table *whole = p->table;
	cvm_table  *part = NULL;
	cvm_status	status = cvm_climb_sample(p, wanted, false, &part);

	*near = false;
	best->value = -INFINITY;
	if (status == CVM_OK && cvm_table_cells(part)->purchases > 0)
	{
		p->table = part;
		status = search(p, best);
		p->table = whole;
		*near = status == CVM_OK && best->converged && !ran_away(p, best->at);
	}
	cvm_table_free(part);
	return status == CVM_NO_OPTIMUM ? CVM_OK : status;
}

cvm_status
cvm_climb_table(cvm_climb *p, cvm_maximum *found)
{
	size_t		enough = p->family->searched > 0 ? SEARCH_ROWS : SAMPLE_ROWS;
	bool		near = false;
	cvm_status	status = CVM_OK;

	found->value = -INFINITY;
	if (cvm_table_rows(p->table) > 2 * enough)
		status = climb_sample(p, enough, &near, found);
	if (status != CVM_OK)
		return status;
	return isfinite(found->value) ? search_near(p, near, found) : search(p, found);
}

bool
cvm_climb_is_interior(const cvm_climb *p, const cvm_maximum *found)
{
	double		values[CVM_MAX_VARIABLES];
	double		vectors[CVM_MAX_VARIABLES][CVM_MAX_VARIABLES];

	if (isinf(found->value) || !found->converged || ran_away(p, found->at))
		return false;
	cvm_eigen(p->n, found->hessian, values, vectors);
	return values[p->n - 1] < WORST_CONDITION * values[0];
}
