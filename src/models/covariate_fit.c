/*
 * covariate_fit.c: the fit of a family with covariates (see covariate.h).
 *
 * With the parameters as logarithms the covariates come in linearly: a customer has
 * ln theta_i = u + X_i gamma.  So the gradient and Hessian by (u, gamma) are those that
 * the family gives by ln theta_i, carried over by (I, X_i), and summed over groups of
 * customers with the same covariates.  Covariates are standardised: all variables of
 * the search then have the size of 1, and u is that of a customer with mean covariates.
 *
 * The search begins at the plain fit, whose log-likelihood it can only raise; Newton's
 * steps are damped as Levenberg (1944) and Marquardt (1963) do.
 */
#include "models/covariate.h"

#include "math/linear.h"
#include "models/cells.h"
#include "models/covariate_rows.h"
#include "models/fit.h"
#include "models/numbering.h"

#include <math.h>
#include <string.h>

#define MAX_ITERATIONS 200
#define LONGEST_STEP 2.0
#define FIRST_DAMPING 1e-6		/* of the largest curvature */
#define SINGULAR 1e-13			/* a pivot that keeps so little is rounding */
#define POLL_ALIKE 1024
#define WEAKEST_PRIOR (1 / 9.0) /* as in ladder.c; of a coefficient: a factor of 20 a standard deviation */
#define STRONGEST_PRIOR 1e12

/* ---------- the objective ---------- */

typedef struct point
{
	double		value;			/* with the prior */
	double		farthest;		/* how far ln theta_i of any customer is from the plain fit */
	double	   *at;				/* u, then coefficients of standardised covariates */
	double	   *gradient;
	double	   *hessian;
} point;

typedef struct climb
{
	const cvm_covariate_rows *rows;
	const cvm_family *family;
	int			n;				/* parameters */
	int			all;			/* ... and effects */
	const cvm_effect *effect;
	double		precision;		/* of the prior; 0 for none */
	double	   *centre;			/* of the prior, and where to begin: the plain fit */
	double	   *slope;			/* per effect: ln theta_i by its coefficient */
	double	   *factor;			/* Cholesky's, of the damped Hessian */
	double	   *step;
	point		best;
	point		trial;
	int			iterations;
	bool		converged;
} climb;

/* Log-likelihood of a group at its parameters. */
static cvm_status
sum_alike(const climb *c, const cvm_alike *alike, const double *theta, double *value, double *grad, double *hess)
{
	int			n = c->n;
	cvm_status	status = CVM_OK;

	if (alike->table != NULL)
		return c->family->table_loglik(alike->table, theta, value, grad, hess);
	*value = 0;
	memset(grad, 0, sizeof(double) * n);
	memset(hess, 0, sizeof(double) * n * n);
	for (size_t k = alike->first; k < alike->first + alike->rows && status == CVM_OK; k++)
	{
		cvm_single	single;
		double		v;
		double		g[CVM_MAX_PARAMS];
		double		h[CVM_MAX_PARAMS * CVM_MAX_PARAMS];

		status = c->family->table_loglik(cvm_table_of_one(&single, &c->rows->row[k], c->rows->env), theta, &v, g, h);
		*value += v;
		for (int i = 0; i < n; i++)
			grad[i] += g[i];
		for (int i = 0; i < n * n; i++)
			hess[i] += h[i];
	}
	return status;
}

/* The upper triangle of the Hessian. */
static void
carry_over(const climb *c, const double *grad, const double *hess, point *p)
{
	int			n = c->n;
	int			all = c->all;

	for (int i = 0; i < n; i++)
	{
		p->gradient[i] += grad[i];
		for (int j = i; j < n; j++)
			p->hessian[i * all + j] += hess[i * n + j];
	}
	for (int e = n; e < all; e++)
	{
		int			param = c->effect[e - n].param;
		double		slope = c->slope[e - n];

		p->gradient[e] += grad[param] * slope;
		for (int i = 0; i < n; i++)
			p->hessian[i * all + e] += hess[i * n + param] * slope;
		for (int f = e; f < all; f++)
			p->hessian[e * all + f] += hess[param * n + c->effect[f - n].param] * slope * c->slope[f - n];
	}
}

static void
add_prior(const climb *c, point *p)
{
	int			all = c->all;

	for (int i = 0; i < all; i++)
	{
		double		off = p->at[i] - c->centre[i];

		p->value -= 0.5 * c->precision * off * off;
		p->gradient[i] -= c->precision * off;
		p->hessian[i * all + i] -= c->precision;
		for (int j = 0; j < i; j++)
			p->hessian[i * all + j] = p->hessian[j * all + i];
	}
}

static bool
is_finite(const climb *c, const point *p)
{
	bool		finite = isfinite(p->value);

	for (int i = 0; i < c->all && finite; i++)
		finite = isfinite(p->gradient[i]);
	for (int i = 0; i < c->all * c->all && finite; i++)
		finite = isfinite(p->hessian[i]);
	return finite;
}

/* ln theta of a group, and its slopes by the coefficients */
static void
place(climb *c, const cvm_alike *alike, point *p, double *theta)
{
	double		at[CVM_MAX_PARAMS];

	memcpy(at, p->at, sizeof(double) * c->n);
	for (int e = 0; e < c->all - c->n; e++)
	{
		c->slope[e] = c->effect[e].sign * alike->z[c->effect[e].covariate];
		at[c->effect[e].param] += p->at[c->n + e] * c->slope[e];
	}
	for (int i = 0; i < c->n; i++)
	{
		theta[i] = exp(at[i]);
		p->farthest = fmax(p->farthest, fabs(at[i] - c->centre[i]));
	}
}

static cvm_status
evaluate(climb *c, point *p)
{
	cvm_status	status = CVM_OK;

	c->iterations++;
	p->value = p->farthest = 0;
	memset(p->gradient, 0, sizeof(double) * c->all);
	memset(p->hessian, 0, sizeof(double) * c->all * c->all);
	for (size_t k = 0; k < c->rows->n && status == CVM_OK; k++)
	{
		double		theta[CVM_MAX_PARAMS];
		double		value;
		double		grad[CVM_MAX_PARAMS];
		double		hess[CVM_MAX_PARAMS * CVM_MAX_PARAMS];

		if (k % POLL_ALIKE == 0 && cvm_table_cancelled(c->rows->whole))
			return CVM_CANCELLED;
		place(c, &c->rows->alike[k], p, theta);
		if (!cvm_in_domain(c->family, theta))
		{
			p->value = -INFINITY;
			return CVM_OK;
		}
		status = sum_alike(c, &c->rows->alike[k], theta, &value, grad, hess);
		p->value += value;
		carry_over(c, grad, hess, p);
	}
	add_prior(c, p);
	if (!is_finite(c, p))
		p->value = -INFINITY;
	return status;
}

/* ---------- the search ---------- */

static double
largest_curvature(const climb *c)
{
	double		largest = 0;

	for (int i = 0; i < c->all; i++)
		largest = fmax(largest, fabs(c->best.hessian[i * c->all + i]));
	return largest;
}

/*
 * (-Hessian + damping I) step = gradient, with as much more damping as makes the
 * matrix positive definite.  Returns what the quadratic model promises of the step.
 */
static double
find_step(climb *c, double *damping, double *longest)
{
	int			all = c->all;
	double		scale = 1;
	double		slope = 0,
				curve = 0;

	for (;;)
	{
		for (int i = 0; i < all * all; i++)
			c->factor[i] = -c->best.hessian[i];
		for (int i = 0; i < all; i++)
			c->factor[i * all + i] += *damping;
		if (cvm_cholesky(all, c->factor, SINGULAR, c->factor) == all)
			break;
		*damping = fmax(10 * *damping, FIRST_DAMPING * fmax(1, largest_curvature(c)));
	}
	memcpy(c->step, c->best.gradient, sizeof(double) * all);
	cvm_cholesky_solve(all, c->factor, c->step);
	*longest = 0;
	for (int i = 0; i < all; i++)
		*longest = fmax(*longest, fabs(c->step[i]));
	if (*longest > LONGEST_STEP)
		scale = LONGEST_STEP / *longest;
	for (int i = 0; i < all; i++)
	{
		c->step[i] *= scale;
		slope += c->best.gradient[i] * c->step[i];
	}
	for (int i = 0; i < all; i++)
		for (int j = 0; j < all; j++)
			curve += c->step[i] * c->best.hessian[i * all + j] * c->step[j];
	return slope + 0.5 * curve;
}

/* As in optimise.c: near the maximum values drown in rounding, and the promise is believed. */
static double
agreement(double promise, double gain, double value)
{
	double		rounding = 1e-12 * (1 + fabs(value));

	if (promise < rounding && gain > -10 * rounding)
		return 1;
	return gain / promise;
}

static void
swap_points(climb *c)
{
	point		keep = c->best;

	c->best = c->trial;
	c->trial = keep;
}

static cvm_status
search(climb *c)
{
	double		damping = 0;
	cvm_status	status;

	memcpy(c->best.at, c->centre, sizeof(double) * c->all);
	c->converged = false;
	status = evaluate(c, &c->best);
	if (status == CVM_OK && isinf(c->best.value))
		return CVM_NO_OPTIMUM;
	for (int k = 0; k < MAX_ITERATIONS && status == CVM_OK && c->best.farthest < 2 * log(CVM_RUNAWAY); k++)
	{
		double		longest;
		double		promise = find_step(c, &damping, &longest);
		double		ratio;

		for (int i = 0; i < c->all; i++)
			c->trial.at[i] = c->best.at[i] + c->step[i];
		status = evaluate(c, &c->trial);
		if (status != CVM_OK)
			break;
		ratio = agreement(promise, c->trial.value - c->best.value, c->best.value);
		if (isinf(c->trial.value) || !(ratio > 1e-4))
		{
			damping = fmax(10 * damping, FIRST_DAMPING * fmax(1, largest_curvature(c)));
			if (damping > 1e12 * fmax(1, largest_curvature(c)))
				break;
			continue;
		}
		c->converged = damping == 0
			&& (longest < 1e-9 || promise < 1e-16 * (1 + fabs(c->trial.value)));
		swap_points(c);
		if (c->converged)
			break;
		if (ratio > 0.5)
			damping = damping > FIRST_DAMPING * 1e-3 * largest_curvature(c) ? 0.1 * damping : 0;
	}
	return status;
}

/* An interior maximum, as in fit.c: nothing ran away, and the Hessian is negative definite. */
static bool
is_interior(const climb *c, const cvm_climb *plain)
{
	if (!c->converged || !(c->best.farthest < log(CVM_RUNAWAY)))
		return false;
	for (int i = 0; i < c->n; i++)
		if (!(fabs(c->best.at[i] - log(plain->scale[i])) < log(CVM_RUNAWAY)))
			return false;
	for (int i = 0; i < c->all * c->all; i++)
		c->factor[i] = -c->best.hessian[i];
	return cvm_cholesky(c->all, c->factor, SINGULAR, c->factor) == c->all;
}

/* Without a prior, then with an ever stronger one until the maximum is inside. */
static cvm_status
search_ladder(climb *c, const cvm_climb *plain, bool penalised)
{
	double		strongest = fmin(STRONGEST_PRIOR, 100 + cvm_table_customers(c->rows->whole));

	c->precision = penalised ? WEAKEST_PRIOR : 0;
	while (c->precision <= strongest)
	{
		cvm_status	status = search(c);

		if (status != CVM_OK || is_interior(c, plain))
			return status;
		c->precision = c->precision == 0 ? WEAKEST_PRIOR : 10 * c->precision;
	}
	return CVM_NO_OPTIMUM;
}

/* ---------- the result ---------- */

/* is_interior has left the factor of the information: its inverse, in units of the covariates. */
static void
set_covariance(const climb *c, cvm_covariate_fit *fit)
{
	int			n = c->n;
	int			all = c->all;

	for (int k = 0; k < all; k++)
	{
		double	   *column = fit->covariance + k * all;

		memset(column, 0, sizeof(double) * all);
		column[k] = 1;
		cvm_cholesky_solve(all, c->factor, column);
	}
	for (int i = 0; i < all; i++)
		for (int j = 0; j < all; j++)
			for (int k = 0; k < 2; k++)
			{
				int			e = (k == 0 ? i : j) - n;

				if (e >= 0)
					fit->covariance[i * all + j] /= c->rows->deviation[c->effect[e].covariate];
			}
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			fit->model.covariance[i][j] = fit->model.theta[i] * fit->model.theta[j] * fit->covariance[i * all + j];
	fit->model.has_covariance = true;
}

static void
report(const climb *c, cvm_covariate_fit *fit)
{
	double		square = 0;
	double		penalty = 0;

	fit->model.family = c->family;
	fit->model.rung = c->precision > 0 ? CVM_RUNG_PENALISED : CVM_RUNG_FULL;
	fit->model.customers = cvm_table_customers(c->rows->whole);
	fit->model.iterations = c->iterations;
	for (int i = 0; i < c->n; i++)
		fit->model.theta[i] = exp(c->best.at[i]);
	for (int e = 0; e < fit->effects; e++)
		fit->coefficient[e] = c->best.at[c->n + e] / c->rows->deviation[c->effect[e].covariate];
	for (int i = 0; i < c->all; i++)
	{
		double		off = c->best.at[i] - c->centre[i];

		square += c->best.gradient[i] * c->best.gradient[i];
		penalty += 0.5 * c->precision * off * off;
	}
	fit->model.loglik = c->best.value + penalty;
	fit->model.gradient_norm = sqrt(square) / fit->model.customers;
	memcpy(fit->mean, c->rows->mean, sizeof(double) * c->rows->covariates);
	set_covariance(c, fit);
}

/* All vectors and matrices of a search from one piece of memory; the covariance goes to the fit. */
static double *
lend_room(climb *c)
{
	size_t		all = c->all;
	size_t		square = all * all;
	double	   *room = cvm_allocate(c->rows->env, 7 * all + 3 * square, sizeof(double));
	double	   *next = room;

	if (room == NULL)
		return NULL;
	c->centre = next;
	c->slope = next += all;
	c->step = next += all;
	c->best.at = next += all;
	c->best.gradient = next += all;
	c->trial.at = next += all;
	c->trial.gradient = next += all;
	c->factor = next += all;
	c->best.hessian = next += square;
	c->trial.hessian = next += square;
	return room;
}

static cvm_status
fit_effects(const cvm_covariate_data *data, const cvm_covariate_rows *rows, cvm_covariate_fit *fit)
{
	climb		c = {.rows = rows,.family = data->family,.n = data->family->n_params,.effect = fit->effect};
	cvm_climb	plain;
	double	   *room;
	cvm_status	status;

	c.all = c.n + fit->effects;
	room = lend_room(&c);
	fit->covariance = cvm_allocate(rows->env, (size_t) c.all * c.all, sizeof(double));
	if (room == NULL || fit->covariance == NULL)
	{
		cvm_release(rows->env, room);
		return CVM_NO_MEMORY;
	}
	memset(c.centre, 0, sizeof(double) * c.all);
	for (int i = 0; i < c.n; i++)
		c.centre[i] = log(fit->plain.theta[i]);
	cvm_climb_begin(&plain, data->family, rows->whole, rows->env, NULL);
	status = search_ladder(&c, &plain, fit->plain.rung == CVM_RUNG_PENALISED);
	if (status == CVM_OK)
		report(&c, fit);
	cvm_release(rows->env, room);
	return status;
}

cvm_status
cvm_fit_covariates(const cvm_covariate_data *data, const cvm_env *env, cvm_covariate_fit *fit)
{
	cvm_covariate_rows rows;
	cvm_status	status;

	memset(fit, 0, sizeof(*fit));
	if (data->rows == 0)
		return CVM_NO_DATA;
	fit->effects = cvm_covariate_effects(data->family, data->covariates, data->process, fit->effect);
	status = cvm_covariate_gather(data, env, &rows, fit);
	if (status == CVM_OK && fit->trouble == CVM_COVARIATES_FINE)
	{
		status = cvm_fit(data->family, rows.whole, env, &fit->plain);
		if (status == CVM_OK && fit->plain.rung > CVM_RUNG_PENALISED)
			status = CVM_NO_OPTIMUM;
		if (status == CVM_OK)
			status = fit_effects(data, &rows, fit);
	}
	cvm_covariate_scatter(&rows);
	return status;
}

void
cvm_covariate_release(const cvm_env *env, cvm_covariate_fit *fit)
{
	cvm_release(env, fit->covariance);
	fit->covariance = NULL;
}
