/*
 * what_if.c: purchases to come if customers stayed longer or bought more often than
 * they used to.
 *
 * Only the future changes: what a history says about a customer, his rate of buying,
 * his inclination to leave and P(alive), is read with the model as it was fitted.
 *
 *	  retention: the odds of staying times so much.  Where customers leave after a purchase
 *		with probability p ~ Beta(a, b + x), a becomes a / retention, so that the mean odds of
 *		leaving, a / (b + x), are divided by it (Fader, Hardie & Lee 2005); gamma of bg/bb and
 *		the odds of shrunk-rate likewise.  In pareto/nbd the time until he leaves is
 *		stretched: beta + age becomes retention (beta + age) (Schmittlein, Morrison & Colombo 1987).
 *	  frequency: every rate of buying times so much.  Where customers leave after a purchase
 *		all of their future runs so much faster, and discounting over it so much slower; in
 *		pareto/nbd, where they leave in their own time, alpha + age is divided by it.
 *
 * Contracts end with probability theta ~ Beta(alpha, beta) at a renewal (gamma, delta in bdw): alpha becomes
 * alpha / retention after the renewals made (Fader & Hardie 2010); how often they are due is agreed.
 */
#include "compat.h"

#include <math.h>

#include "fmgr.h"
#include "what_if.h"

/* The parameter that the odds of leaving are proportional to; -1 where leaving takes its own time. */
static int
leaving_parameter(const cvm_family *family)
{
	static const char *const names[] = {"a", "odds", "gamma"};

	for (int name = 0; name < lengthof(names); name++)
		for (int i = 0; i < family->n_params; i++)
			if (strcmp(family->params[i], names[name]) == 0)
				return i;
	return -1;
}

static double
leaves_at_purchase(const Question *question, const WhatIf *change)
{
	const cvm_family *family = question->family;
	double		theta[CVM_MAX_PARAMS];

	if (family->whole_times && change->frequency != 1)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the frequency of a %s model can not be changed", family->name),
				 errdetail("At an opportunity there is one purchase or none."),
				 errhint("Change spend or retention instead.")));
	memcpy(theta, question->theta, sizeof(double) * family->n_params);
	theta[leaving_parameter(family)] /= change->retention;
	return family->discounted_if_alive(theta, &question->row, change->rate / change->frequency, change->horizon * change->frequency);
}

/* pareto/nbd(r, alpha, s, beta): one alive is a new customer of the model that his history makes of it */
static double
leaves_in_own_time(const Question *question, const WhatIf *change)
{
	const double *theta = question->theta;
	const cvm_row *row = &question->row;
	double		now[] = {
		theta[0] + row->x, (theta[1] + row->age) / change->frequency,
		theta[2], (theta[3] + row->age) * change->retention
	};
	cvm_row		fresh = {.weight = 1};

	return question->family->discounted_if_alive(now, &fresh, change->rate, change->horizon);
}

static double
factor_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	double		factor = PG_GETARG_FLOAT8(n);

	if (!(factor >= 0.01 && factor <= 100))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s %.15g is outside its domain", name, factor),
				 errdetail("It is a factor between 0.01 and 100: 1 leaves things as they are, 1.1 is 10 %% more.")));
	return factor;
}

static double
horizon_or_none(FunctionCallInfo fcinfo, int n)
{
	return isinf(PG_GETARG_FLOAT8(n)) && PG_GETARG_FLOAT8(n) > 0 ? INFINITY : cvm_horizon_argument(fcinfo, n);
}

static void
check_rate(double rate, double horizon)
{
	if (!(rate > 0 || (rate == 0 && isfinite(horizon))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the discount rate must be positive, not %g", rate),
				 errhint("Without discounting the sum may be infinite; give a horizon.")));
}

WhatIf
cvm_what_if_arguments(FunctionCallInfo fcinfo, int n)
{
	WhatIf		change = {
		.rate = cvm_finite_argument(fcinfo, n, "rate"),
		.horizon = horizon_or_none(fcinfo, n + 1),
		.retention = factor_argument(fcinfo, n + 2, "retention"),
		.frequency = factor_argument(fcinfo, n + 3, "frequency"),
	};

	check_rate(change.rate, change.horizon);
	return change;
}

double
cvm_what_if_purchases(const Question *question, const WhatIf *change)
{
	return leaving_parameter(question->family) >= 0 ? leaves_at_purchase(question, change) : leaves_in_own_time(question, change);
}

PG_FUNCTION_INFO_V1(cvm_discounted_purchases_if_alive);
/* (model, x, t_x, age, rate, horizon, retention, frequency) */
Datum
cvm_discounted_purchases_if_alive(PG_FUNCTION_ARGS)
{
	Question	question;
	WhatIf		change;

	cvm_ask_raw(fcinfo, &question);
	change = cvm_what_if_arguments(fcinfo, 4);
	return cvm_answer(&question, cvm_what_if_purchases(&question, &change), "the discounted number of purchases");
}

PG_FUNCTION_INFO_V1(cvm_discounted_renewals);
/* (model, renewals, rate, horizon, retention) */
Datum
cvm_discounted_renewals(PG_FUNCTION_ARGS)
{
	Question	question;
	double		theta[CVM_MAX_PARAMS];
	double		rate;
	double		horizon;

	cvm_ask_model(fcinfo, CVM_RETENTION, &question);
	question.row = (cvm_row) {.lifetime = cvm_finite_argument(fcinfo, 1, "renewals"),.weight = 1};
	rate = cvm_finite_argument(fcinfo, 2, "rate");
	horizon = horizon_or_none(fcinfo, 3);
	check_rate(rate, horizon);
	if (question.row.lifetime < 0 || question.row.lifetime != floor(question.row.lifetime))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%g is not a whole number of renewals", question.row.lifetime)));
	memcpy(theta, question.theta, sizeof(double) * question.family->n_params);
	theta[0] /= factor_argument(fcinfo, 4, "retention");
	return cvm_answer(&question, question.family->discounted_if_alive(theta, &question.row, rate, floor(horizon)),
					  "the discounted number of renewals");
}
