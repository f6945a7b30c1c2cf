/*
 * ladder.c: rows -> parameters, for any family, whatever the rows (doc/ladder.md).
 *
 *	  full		  the interior maximum of the likelihood
 *	  penalised	  where there is none (a parameter runs to 0 or infinity, as with
 *				  customers that do not differ): the maximum with a normal prior on
 *				  the logarithms, the weakest of a series under which nothing runs
 *				  away.  (One weak prior is not enough: a million equal customers
 *				  outvote it.)
 *	  simpler	  where a prior would have to be so strong that the data no longer
 *				  count: the family with its shapes held (family->simpler), so that
 *				  little more than a rate and a chance to leave are estimated
 *	  shrunk	  where no likelihood can be climbed: closed forms (shrunk.c)
 */
#include "models/cells.h"
#include "models/fit.h"
#include "models/shrunk.h"

#include <math.h>
#include <string.h>

#define WEAKEST_PRIOR (1 / 9.0)	/* precision of ln theta: a factor of 20 either way is likely */
#define STRONGEST_PRIOR 1e12
#define SAMPLE_ROWS 2000		/* enough to see what prior is needed */
#define PROBES 8				/* customers that a model must score */

/* A prior as sure of a parameter as all customers together would be leaves nothing to the data. */
static double
strongest_prior(const cvm_climb *p)
{
	return fmin(STRONGEST_PRIOR, 100 + cvm_table_customers(p->table));
}

/*
 * Raises the prior's precision until the maximum is interior.  The stronger it
 * is, the nearer the maximum to its mean, where climbs then begin.
 */
static cvm_status
raise_prior(cvm_climb *p, double starts[][CVM_MAX_PARAMS], int n_starts, cvm_maximum *found, int *iterations)
{
	for (; p->precision <= strongest_prior(p); p->precision *= 10)
	{
		cvm_status	status = cvm_climb_from(p, starts, n_starts, found);

		*iterations += found->iterations;
		if (status == CVM_OK && cvm_climb_is_interior(p, found))
			return CVM_OK;
		if (status != CVM_OK && status != CVM_NO_OPTIMUM)
			return status;
		memcpy(starts[0], p->centre, sizeof(starts[0]));
		n_starts = 1;
	}
	return CVM_NO_OPTIMUM;
}

/* What prior a big table needs, and where its maximum is about, is seen on a sample that stands for all of it. */
static cvm_status
raise_on_sample(cvm_climb *p, double starts[][CVM_MAX_PARAMS], int *n_starts, int *iterations)
{
	const cvm_table *whole = p->table;
	cvm_table  *part = NULL;
	cvm_maximum found;
	cvm_status	status = cvm_climb_sample(p, SAMPLE_ROWS, true, &part);

	if (status == CVM_OK && cvm_table_cells(part)->purchases > 0)
	{
		p->table = part;
		status = raise_prior(p, starts, *n_starts, &found, iterations);
		p->table = whole;
		if (status == CVM_OK)
		{
			memcpy(starts[0], found.at, sizeof(starts[0]));
			*n_starts = 1;
		}
		else
			p->precision = WEAKEST_PRIOR;
	}
	cvm_table_free(part);
	return status == CVM_NO_OPTIMUM ? CVM_OK : status;
}

/* *found: what ran away, if anything was found; the prior's mean is the other place to begin at. */
static cvm_status
climb_penalised(cvm_climb *p, cvm_maximum *found, int *iterations)
{
	double		starts[CVM_MAX_STARTS][CVM_MAX_PARAMS];
	int			n_starts = isfinite(found->value) ? 2 : 1;
	cvm_status	status = CVM_OK;

	(void) cvm_climb_starts(p, starts);
	memcpy(p->centre, starts[0], sizeof(p->centre));
	if (n_starts > 1)
	{
		memcpy(starts[1], found->at, sizeof(starts[1]));
		cvm_climb_turn_back(p, starts[1]);
	}
	p->precision = WEAKEST_PRIOR;
	if (cvm_table_rows(p->table) > 2 * SAMPLE_ROWS)
		status = raise_on_sample(p, starts, &n_starts, iterations);
	if (status != CVM_OK)
		return status;
	return raise_prior(p, starts, n_starts, found, iterations);
}

/*
 * Covariance = inverse of the observed information, on the natural scale by the
 * delta method: cov(theta_i, theta_j) = theta_i theta_j cov(ln theta_i, ln theta_j).
 * It is given the parameters that are held, whose own variance is 0.
 */
static void
set_covariance(const cvm_climb *p, const cvm_maximum *found, cvm_fit_result *result)
{
	int			n = p->n;
	double		values[CVM_MAX_VARIABLES];
	double		vectors[CVM_MAX_VARIABLES][CVM_MAX_VARIABLES];

	cvm_eigen(n, found->hessian, values, vectors);
	memset(result->covariance, 0, sizeof(result->covariance));
	result->has_covariance = values[n - 1] < 0;
	result->condition = values[n - 1] < 0 ? values[0] / values[n - 1] : INFINITY;
	for (int i = 0; i < n && result->has_covariance; i++)
		for (int j = 0; j < n; j++)
		{
			double		sum = 0;

			for (int k = 0; k < n; k++)
				sum -= vectors[k][i] * vectors[k][j] / values[k];
			result->covariance[p->climbed[i]][p->climbed[j]]
				= result->theta[p->climbed[i]] * result->theta[p->climbed[j]] * sum;
		}
}

static void
report(const cvm_climb *p, const cvm_maximum *found, cvm_rung rung, cvm_fit_result *result)
{
	double		square = 0;

	result->family = p->family;
	result->rung = rung;
	cvm_climb_natural(p, found->at, result->theta);
	for (int i = 0; i < p->n; i++)
		square += found->gradient[i] * found->gradient[i];
	result->customers = cvm_table_customers(p->table);
	result->gradient_norm = sqrt(square) / result->customers;
	result->loglik = found->value + cvm_climb_penalty(p, found->at);
	set_covariance(p, found, result);
}

cvm_status
cvm_total_loglik(const cvm_family *family, const cvm_table *table, const double *theta, double *loglik)
{
	if (family->table_loglik != NULL)
		return family->table_loglik(table, theta, loglik, NULL, NULL);
	*loglik = 0;
	for (size_t i = 0; i < cvm_table_rows(table); i++)
	{
		const cvm_row row = cvm_table_row(table, i);

		*loglik += row.weight * family->loglik(theta, &row);
		if (i % CVM_POLL_ROWS == 0 && cvm_table_cancelled(table))
			return CVM_CANCELLED;
	}
	return CVM_OK;
}

/* The figures that scores are made of are some, for customers all over the table. */
static bool
is_usable(const cvm_fit_result *fit, const cvm_table *table)
{
	const cvm_family *family = fit->family;
	size_t		rows = cvm_table_rows(table);

	if (!cvm_in_domain(family, fit->theta) || !isfinite(fit->loglik))
		return false;
	for (size_t k = 0; k < PROBES && k < rows; k++)
	{
		const cvm_row row = cvm_table_row(table, k * (rows - 1) / (PROBES - 1));
		double		alive,
					mean;

		if (family->kind == CVM_SPEND)
		{
			if (isnan(family->expected_spend(fit->theta, &row)))
				return false;
			continue;
		}
		alive = family->p_alive(fit->theta, &row);
		mean = family->expected_if_alive(fit->theta, &row, 1);
		if (!(alive >= 0 && alive <= 1 && mean >= 0 && isfinite(mean)))
			return false;
	}
	return true;
}

/* On to the next rung? */
static bool
is_next(cvm_status status, const cvm_fit_result *result, const cvm_table *table)
{
	return status == CVM_NO_OPTIMUM || (status == CVM_OK && !is_usable(result, table));
}

/* *found: the best of all climbs, wherever it led. */
static cvm_status
fit_full(cvm_climb *p, cvm_maximum *found, cvm_fit_result *result)
{
	cvm_status	status = cvm_climb_table(p, found);

	if (status == CVM_OK || status == CVM_NO_OPTIMUM)
		result->iterations = found->iterations;
	if (status != CVM_OK)
		return status;
	if (!cvm_climb_is_interior(p, found))
		return CVM_NO_OPTIMUM;
	report(p, found, CVM_RUNG_FULL, result);
	return CVM_OK;
}

static cvm_status
fit_penalised(cvm_climb *p, cvm_maximum *found, cvm_rung rung, cvm_fit_result *result)
{
	cvm_status	status = climb_penalised(p, found, &result->iterations);

	if (status == CVM_OK)
		report(p, found, rung, result);
	return status;
}

/* Few parameters need no sample; at the boundary again they are penalised too. */
static cvm_status
fit_simpler(const cvm_family *family, const cvm_table *table, const cvm_env *env, cvm_fit_result *result)
{
	double		starts[CVM_MAX_STARTS][CVM_MAX_PARAMS];
	cvm_climb	p;
	cvm_maximum found;
	cvm_status	status;

	cvm_climb_begin(&p, family, table, env, family->simpler);
	status = cvm_climb_from(&p, starts, cvm_climb_starts(&p, starts), &found);
	if (status != CVM_OK && status != CVM_NO_OPTIMUM)
		return status;
	result->iterations += found.iterations;
	if (status != CVM_OK || !cvm_climb_is_interior(&p, &found))
		return fit_penalised(&p, &found, CVM_RUNG_SIMPLER, result);
	report(&p, &found, CVM_RUNG_SIMPLER, result);
	return CVM_OK;
}

static cvm_status
fit_shrunk(const cvm_family *family, const cvm_table *table, cvm_fit_result *result)
{
	int			iterations = result->iterations;
	cvm_status	status = CVM_NO_OPTIMUM;

	switch (family->kind)
	{
		case CVM_PURCHASES:
			status = cvm_shrunk_purchases(table, result);
			break;
		case CVM_SPEND:
			status = cvm_shrunk_spend(table, result);
			break;
		case CVM_RETENTION:
			status = cvm_shrunk_retention(family, table, result);
	}
	result->iterations = iterations;
	return status;
}

cvm_status
cvm_fit(const cvm_family *family, const cvm_table *table, const cvm_env *env, cvm_fit_result *result)
{
	cvm_climb	p;
	cvm_maximum found;
	cvm_status	status = CVM_NO_OPTIMUM;

	memset(result, 0, sizeof(*result));
	result->family = family;
	if (!(cvm_table_cells(table)->purchases > 0))
		return CVM_NO_DATA;
	if (family->table_loglik != NULL)
	{
		cvm_climb_begin(&p, family, table, env, NULL);
		status = fit_full(&p, &found, result);
		if (is_next(status, result, table))
			status = fit_penalised(&p, &found, CVM_RUNG_PENALISED, result);
		if (is_next(status, result, table))
			status = fit_simpler(family, table, env, result);
	}
	if (is_next(status, result, table))
		status = fit_shrunk(family, table, result);
	return status;
}
