/*
 * fit.c: rows -> parameters, for any family.
 *
 * Parameters are fitted as logarithms.  Scaling time so that the mean age is
 * 20, and money by its geometric mean (the mean of heavy-tailed spend is that of
 * its largest purchase), is then nothing but a shift of those that carry a
 * unit: data need not be copied, but starts, penalties and the bounds of what
 * counts as "run away" are all stated on the scaled values.
 *
 * The ladder: the interior maximum of the likelihood from the best of several
 * starts; where there is none (one parameter runs to 0 or infinity, as with
 * customers that do not differ), the maximum with a normal prior on the
 * logarithms: the weakest of a series under which nothing runs away.  (One weak
 * prior is not enough: a million equal customers outvote it.)
 *
 * A whole-numbered parameter (family->searched; always the first) is not
 * climbed: the others are, at each of its values, and the likeliest value wins.
 * Variables of a climb are therefore the parameters from `first` on.
 */
#include "math/optimise.h"
#include "models/cells.h"

#include <math.h>
#include <string.h>

#define SCALED_AGE 20.0
#define RUNAWAY 1e6				/* scaled parameters beyond this, or below its inverse */
#define MAX_STARTS 8
#define MAX_ITERATIONS 200
#define WEAKEST_PRIOR (1 / 9.0)	/* precision of ln theta: a factor of 20 either way is likely */
#define STRONGEST_PRIOR 1e12
#define SAMPLE_ROWS 5000		/* enough to start the full table from */
#define SEARCH_ROWS 4000		/* ... where a parameter is searched, which takes a dozen climbs */

typedef struct problem
{
	const cvm_family *family;
	const cvm_table *table;
	const cvm_env *env;
	int			first;			/* 1 if the first parameter is searched, else 0 */
	int			n;				/* parameters that are climbed */
	double		whole;			/* the searched parameter, where there is one */
	double		scale[CVM_MAX_PARAMS];	/* of climbed parameters: natural = scaled * scale */
	double		precision;		/* of the prior; 0 for none */
	double		centre[CVM_MAX_PARAMS]; /* its mean: ln of scaled parameters */
} problem;

static bool
cancelled(const cvm_env *env)
{
	return env->cancelled != NULL && env->cancelled(env->context);
}

static void
to_natural(const problem *p, const double *at, double *theta)
{
	theta[0] = p->whole;
	for (int i = 0; i < p->n; i++)
		theta[p->first + i] = exp(at[i]) * p->scale[i];
}

static double
penalty(const problem *p, const double *at)
{
	double		sum = 0;

	for (int i = 0; i < p->n; i++)
		sum += (at[i] - p->centre[i]) * (at[i] - p->centre[i]);
	return 0.5 * p->precision * sum;
}

static int
objective(void *context, const double *at, double *value, double *gradient, double *hessian)
{
	problem    *p = context;
	int			n = p->n;
	int			all = p->family->n_params;
	double		theta[CVM_MAX_PARAMS];
	double		grad[CVM_MAX_PARAMS] = {0};
	double		hess[CVM_MAX_PARAMS * CVM_MAX_PARAMS] = {0};
	cvm_status	status;

	if (cancelled(p->env))
		return CVM_CANCELLED;
	to_natural(p, at, theta);
	if (!cvm_in_domain(p->family, theta))
	{
		*value = -INFINITY;
		return CVM_OK;
	}
	status = p->family->table_loglik(p->table, theta, value, grad, hess);
	*value -= penalty(p, at);
	for (int i = 0; i < n; i++)
	{
		gradient[i] = grad[p->first + i] - p->precision * (at[i] - p->centre[i]);
		for (int j = 0; j < n; j++)
			hessian[i * n + j] = hess[(p->first + i) * all + p->first + j];
		hessian[i * n + i] -= p->precision;
	}
	return status;
}

static void
set_scale(problem *p)
{
	const cvm_cells *cells = cvm_table_cells(p->table);
	double		time = cells->mean_age > 0 ? cells->mean_age / SCALED_AGE : 1;
	double		money = cells->typical_spend > 0 ? cells->typical_spend : 1;

	for (int i = 0; i < p->n; i++)
		p->scale[i] = pow(time, p->family->time_power[p->first + i])
			* pow(money, p->family->money_power[p->first + i]);
}

/* Starting points, as logarithms of scaled parameters. */
static int
log_starts(const problem *p, double starts[][CVM_MAX_PARAMS])
{
	int			n;

	starts[0][0] = p->whole;
	n = p->family->starts(p->table, starts, MAX_STARTS);
	for (int k = 0; k < n; k++)
		for (int i = 0; i < p->n; i++)
			starts[k][i] = log(starts[k][p->first + i] / p->scale[i]);
	return n;
}

static bool
ran_away(const problem *p, const double *at)
{
	for (int i = 0; i < p->n; i++)
		if (!(fabs(at[i]) < log(RUNAWAY)))
			return true;
	return false;
}

/* The best of the climbs from several starts; *best stays at -INFINITY if none succeeds. */
static cvm_status
climb(problem *p, double starts[][CVM_MAX_PARAMS], int n_starts, cvm_maximum *best)
{
	best->value = -INFINITY;
	best->converged = false;
	best->iterations = 0;
	for (int k = 0; k < n_starts; k++)
	{
		cvm_maximum found;
		int			before = best->iterations;
		int			code = cvm_maximise(objective, p, p->n, starts[k],
										1.5 * log(RUNAWAY), MAX_ITERATIONS, &found);

		if (code != 0)
			return (cvm_status) code;
		if (found.value > best->value)
			*best = found;
		best->iterations = before + found.iterations;
	}
	return isinf(best->value) ? CVM_NO_OPTIMUM : CVM_OK;
}

/* Every so-manieth row of a table, to leave about `wanted`. */
static cvm_status
sample(const problem *p, size_t wanted, cvm_table **out)
{
	size_t		rows = cvm_table_rows(p->table);
	size_t		stride = rows / wanted + 1;
	cvm_status	status = CVM_OK;

	*out = cvm_table_new(cvm_table_kind(p->table), p->env);
	if (*out == NULL)
		return CVM_NO_MEMORY;
	for (size_t i = stride / 2; i < rows && status == CVM_OK; i += stride)
		status = cvm_table_add(*out, cvm_table_row(p->table, i));
	if (status == CVM_OK)
		status = cvm_table_finish(*out);
	return status;
}

/*
 * Climb with the searched parameter at k.  Neighbours are alike: the climb
 * begins at the maximum `from` of one, or at the first start if that ran away.
 */
static cvm_status
climb_at(problem *p, int k, const cvm_maximum *from, cvm_maximum *found)
{
	double		starts[MAX_STARTS][CVM_MAX_PARAMS];
	cvm_status	status;

	p->whole = k;
	log_starts(p, starts);
	if (from->converged && !ran_away(p, from->at))
		memcpy(starts[0], from->at, sizeof(starts[0]));
	status = climb(p, starts, 1, found);
	return status == CVM_NO_OPTIMUM ? CVM_OK : status;
}

/* Keep the likelier maximum, and the sum of iterations. */
static bool
improve(cvm_maximum *best, const cvm_maximum *found)
{
	int			iterations = best->iterations + found->iterations;
	bool		better = found->value > best->value;

	if (better)
		*best = *found;
	best->iterations = iterations;
	return better;
}

/* All values of the searched parameter, each from its neighbour; the likeliest once more, from every start. */
static cvm_status
search(problem *p, cvm_maximum *best)
{
	double		starts[MAX_STARTS][CVM_MAX_PARAMS];
	cvm_maximum last,
				found;
	int			likeliest = 1;
	cvm_status	status;

	p->whole = 1;
	status = climb(p, starts, log_starts(p, starts), best);
	last = *best;
	for (int k = 2; k <= p->family->searched && (status == CVM_OK || status == CVM_NO_OPTIMUM); k++)
	{
		status = climb_at(p, k, &last, &found);
		if (improve(best, &found))
			likeliest = k;
		last = found;
	}
	p->whole = likeliest;
	if (likeliest > 1 && status == CVM_OK)
	{
		status = climb(p, starts, log_starts(p, starts), &found);
		improve(best, &found);
	}
	if (status != CVM_OK && status != CVM_NO_OPTIMUM)
		return status;
	return isinf(best->value) ? CVM_NO_OPTIMUM : CVM_OK;
}

/*
 * From what a sample found best, up the neighbours of its searched parameter
 * while they are likelier.
 */
static cvm_status
search_near(problem *p, bool near, cvm_maximum *best)
{
	double		starts[MAX_STARTS][CVM_MAX_PARAMS];
	int			k = (int) p->whole;
	int			n_starts = log_starts(p, starts);
	cvm_maximum found;
	cvm_status	status;

	if (near)
		memcpy(starts[0], best->at, sizeof(starts[0]));
	status = climb(p, starts, near ? 1 : n_starts, best);
	if (status == CVM_NO_OPTIMUM)
		status = CVM_OK;
	for (int step = -1; step <= 1; step += 2)
	{
		bool		better = true;

		for (int next = k + step; better && status == CVM_OK && next >= 1 && next <= p->family->searched; next += step)
		{
			status = climb_at(p, next, best, &found);
			better = status == CVM_OK && improve(best, &found);
			if (better)
				k = next;
		}
	}
	p->whole = k;
	return status != CVM_OK ? status : isinf(best->value) ? CVM_NO_OPTIMUM : CVM_OK;
}

/*
 * A big table is climbed from the maximum of a sample of it: the many
 * iterations are cheap, the few dear ones are already near.  *near says whether
 * there is such a maximum; p->whole is the likeliest in any case.
 */
static cvm_status
climb_sample(problem *p, size_t wanted, bool *near, cvm_maximum *best)
{
	const cvm_table *whole = p->table;
	cvm_table  *part = NULL;
	cvm_status	status = sample(p, wanted, &part);

	*near = false;
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

static cvm_status
climb_table(problem *p, cvm_maximum *found)
{
	size_t		enough = p->family->searched > 0 ? SEARCH_ROWS : SAMPLE_ROWS;
	bool		near = false;
	cvm_status	status = CVM_OK;

	p->whole = 0;
	if (cvm_table_rows(p->table) > 2 * enough)
		status = climb_sample(p, enough, &near, found);
	if (status != CVM_OK)
		return status;
	return near || p->whole > 0 ? search_near(p, near, found) : search(p, found);
}

/* An interior maximum: nothing ran away, and the Hessian is negative definite. */
static bool
interior(const problem *p, const cvm_maximum *found)
{
	double		values[CVM_MAX_VARIABLES];
	double		vectors[CVM_MAX_VARIABLES][CVM_MAX_VARIABLES];
	int			n = p->n;

	if (isinf(found->value) || !found->converged || ran_away(p, found->at))
		return false;
	cvm_eigen(n, found->hessian, values, vectors);
	return values[n - 1] < 0;
}

/*
 * The lower rung: raise the prior's precision until its maximum is interior.
 * The stronger it is, the nearer the maximum to its mean, where climbs begin.
 */
static cvm_status
climb_penalised(problem *p, cvm_maximum *found, int *iterations)
{
	double		starts[MAX_STARTS][CVM_MAX_PARAMS];
	int			n_starts = log_starts(p, starts);

	memcpy(p->centre, starts[0], sizeof(p->centre));
	for (p->precision = WEAKEST_PRIOR; p->precision < STRONGEST_PRIOR; p->precision *= 10)
	{
		cvm_status	status = climb(p, starts, n_starts, found);

		*iterations += found->iterations;
		if (status == CVM_OK && interior(p, found))
			return CVM_OK;
		if (status != CVM_OK && status != CVM_NO_OPTIMUM)
			return status;
		n_starts = 1;
	}
	return CVM_NO_OPTIMUM;
}

/*
 * Covariance = inverse of the observed information, on the natural scale by the
 * delta method: cov(theta_i, theta_j) = theta_i theta_j cov(ln theta_i, ln theta_j).
 * It is given the searched parameter, whose own variance is 0.
 */
static void
set_covariance(const problem *p, const cvm_maximum *found, cvm_fit_result *result)
{
	int			n = p->n;
	double		values[CVM_MAX_VARIABLES];
	double		vectors[CVM_MAX_VARIABLES][CVM_MAX_VARIABLES];

	cvm_eigen(n, found->hessian, values, vectors);
	result->has_covariance = values[n - 1] < 0;
	result->condition = values[n - 1] < 0 ? values[0] / values[n - 1] : INFINITY;
	for (int i = 0; i < n && result->has_covariance; i++)
		for (int j = 0; j < n; j++)
		{
			double		sum = 0;

			for (int k = 0; k < n; k++)
				sum -= vectors[k][i] * vectors[k][j] / values[k];
			result->covariance[p->first + i][p->first + j]
				= result->theta[p->first + i] * result->theta[p->first + j] * sum;
		}
}

static void
report(problem *p, const cvm_maximum *found, cvm_fit_result *result)
{
	double		square = 0;

	to_natural(p, found->at, result->theta);
	for (int i = 0; i < p->n; i++)
		square += found->gradient[i] * found->gradient[i];
	result->customers = cvm_table_customers(p->table);
	result->gradient_norm = sqrt(square) / result->customers;
	result->loglik = found->value + penalty(p, found->at);
	set_covariance(p, found, result);
}

cvm_status
cvm_fit(const cvm_family *family, const cvm_table *table, const cvm_env *env, cvm_fit_result *result)
{
	problem		p = {.family = family, .table = table, .env = env};
	cvm_maximum found;
	cvm_status	status;

	memset(result, 0, sizeof(*result));
	if (!(cvm_table_cells(table)->purchases > 0))
		return CVM_NO_DATA;
	p.first = family->searched > 0;
	p.n = family->n_params - p.first;
	set_scale(&p);
	status = climb_table(&p, &found);
	if (status != CVM_OK && status != CVM_NO_OPTIMUM)
		return status;
	result->iterations = found.iterations;
	result->rung = CVM_RUNG_FULL;
	if (status != CVM_OK || !interior(&p, &found))
	{
		result->rung = CVM_RUNG_PENALISED;
		status = climb_penalised(&p, &found, &result->iterations);
		if (status != CVM_OK)
			return status;
	}
	report(&p, &found, result);
	return CVM_OK;
}
