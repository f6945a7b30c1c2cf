/*
 * candidate.c: a specification fitted on the calibration window alone, and what it
 * predicts of each customer for the holdout.
 */
#include "validate.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "recompute/customer_model.h"

/* Length of the holdout in a plan's time units. */
static double
holdout_units(const Validation *v, const RecomputePlan *plan)
{
	return v->holdout_periods * (double) v->plan->calendar.period / plan->unit_seconds;
}

/* A purchase model on the calibration window; a family that does not fit is a finding, not an error. */
static bool
fit_purchases(Candidate *candidate, const cvm_table *table, const cvm_env *env, cvm_fit_result *fit)
{
	const cvm_family *family = candidate->plan->purchase_family;
	cvm_row		at;
	const char *wrong = cvm_first_misfit(family, table, &at);
	cvm_status	status;

	if (wrong)
	{
		candidate->failure = psprintf("the customers do not fit the family: %s", wrong);
		return false;
	}
	status = cvm_fit(family, table, env, fit);
	if (status == CVM_NO_DATA || status == CVM_NO_OPTIMUM)
	{
		candidate->failure = status == CVM_NO_DATA ? "there is no repeat purchase to fit on" : "its likelihood could not be evaluated anywhere";
		return false;
	}
	if (status != CVM_OK)
		cvm_fit_or_error(family, table, env, fit);	/* cancelled or out of memory: says so */
	candidate->rung = fit->rung;
	candidate->fingerprint = cvm_fingerprint_text(table);
	candidate->model = cvm_model_from_fit(fit, candidate->plan->unit_seconds);
	return true;
}

static bool
fit_spend(Candidate *candidate, const cvm_table *table, const cvm_env *env, cvm_fit_result *fit)
{
	const cvm_family *family = candidate->plan->spend_family;
	cvm_status	status = cvm_table_customers(table) > 0 ? cvm_fit(family, table, env, fit) : CVM_NO_DATA;

	if (status == CVM_NO_DATA || status == CVM_NO_OPTIMUM)
		return false;
	if (status != CVM_OK)
		cvm_fit_or_error(family, table, env, fit);
	candidate->spend_model = cvm_model_from_fit(fit, candidate->plan->unit_seconds);
	return true;
}

/* Expected money of a purchase: that of all where nothing is known of his own, as value.c has it. */
static double
spend_of(const Candidate *candidate, const double *theta, const cvm_row *row)
{
	cvm_row		spend = *row;

	if (spend.x > 0 && !(spend.mean_spend > 0))
		spend.x = 0;
	return candidate->plan->spend_family->expected_spend(theta, &spend);
}

static void
predict(Validation *v, Candidate *candidate, const cvm_fit_result *fit, const CovariateFit *covariates, const double *spend_theta)
{
	const cvm_family *family = fit->family;
	Population *population = candidate->reading->population;
	CovariateScorer *scorer = covariates ? cvm_covariate_scorer_new(covariates, population, CurrentMemoryContext) : NULL;
	double		t = holdout_units(v, candidate->plan);
	Size		bytes = sizeof(double) * v->n_cases;
	char	   *record;
	Size		size;

	candidate->purchases = MemoryContextAllocExtended(v->context, bytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	candidate->spend = spend_theta ? MemoryContextAllocExtended(v->context, bytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO) : NULL;
	cvm_spool_rewind(population->customers);
	while ((record = cvm_spool_next(population->customers, &size)) != NULL)
	{
		const CustomerRecord *customer = (const CustomerRecord *) record;
		Case	   *known;
		cvm_row		row;
		const double *theta;
		double		purchases;

		CHECK_FOR_INTERRUPTS();
		if (!cvm_buys(candidate->plan, customer) ||
			(known = cvm_find_case(v, cvm_record_key(population, customer))) == NULL)
			continue;
		cvm_row_of_history(candidate->plan, &customer->history, &row);
		theta = scorer ? cvm_covariate_theta_of(scorer, customer) : NULL;
		if (theta == NULL)
			theta = fit->theta;
		purchases = family->p_alive(theta, &row) * family->expected_if_alive(theta, &row, t);
		if (!isfinite(purchases))
		{
			candidate->failure = "a prediction is not finite";
			candidate->purchases = candidate->spend = NULL;
			return;
		}
		candidate->purchases[known - v->cases] = purchases;
		if (candidate->spend)
			candidate->spend[known - v->cases] = purchases * spend_of(candidate, spend_theta, &row);
	}
	for (int64 i = 0; candidate->spend && i < v->n_cases; i++)
		if (!isfinite(candidate->spend[i]))
			candidate->spend = NULL;	/* a prior mean spend without a mean (q <= 1) */
}

void
cvm_try_candidate(Validation *v, Candidate *candidate)
{
	MemoryContext old = MemoryContextSwitchTo(v->context);
	cvm_env		env = cvm_server_env(v->context);
	cvm_table  *purchases;
	cvm_table  *spend;
	int64		left_out;
	cvm_fit_result fit;
	cvm_fit_result spend_fit;

	cvm_fill_tables(candidate->plan, candidate->reading->population, &env, &purchases, &spend, &left_out);
	if (fit_purchases(candidate, purchases, &env, &fit))
	{
		bool		has_spend = fit_spend(candidate, spend, &env, &spend_fit);
		const CovariateFit *covariates = NULL;

		if (candidate->plan->attributes.query)
			covariates = cvm_covariates_fit(candidate->plan, candidate->reading->population, v->context, true, &candidate->failure);
		if (covariates)
			candidate->rung = Max(candidate->rung, cvm_covariates_rung(covariates));
		if (candidate->failure == NULL)
			predict(v, candidate, &fit, covariates, has_spend ? spend_fit.theta : NULL);
	}
	cvm_table_free(purchases);
	cvm_table_free(spend);
	MemoryContextSwitchTo(old);
}
