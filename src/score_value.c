/*
 * score_value.c: contract model -> survival and lifetimes, spend model -> money:
 * the scalar functions of the families that are not of purchases.
 */
#include "compat.h"

#include <math.h>

#include "fmgr.h"
#include "question.h"
#include "row.h"

/* ---------- contracts ---------- */

static double
renewals_argument(FunctionCallInfo fcinfo, int n)
{
	double		t = cvm_finite_argument(fcinfo, n, "t");

	if (t < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a number of renewals can not be %g", t)));
	return t;
}

static Datum
answer_lifetime(const Question *question, double value)
{
	if (isinf(value))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("the expected lifetime is infinite for this %s model", question->family->name),
				 errdetail("Some customers hardly ever leave: the mean exists only if alpha > 1 (sbg) or gamma c > 1 (bdw)."),
				 errhint("Discount it: cvm.residual_lifetime(model, t, rate) with a positive rate.")));
	return cvm_answer(question, value, "the lifetime");
}

PG_FUNCTION_INFO_V1(cvm_survival);
/* (model, t) */
Datum
cvm_survival(PG_FUNCTION_ARGS)
{
	Question	question;

	cvm_ask_model(fcinfo, CVM_RETENTION, &question);
	return cvm_answer(&question, question.family->survival(question.theta, renewals_argument(fcinfo, 1)), "the survival");
}

PG_FUNCTION_INFO_V1(cvm_residual_lifetime);
/* (model, t, rate): t renewals made, the next decision is now */
Datum
cvm_residual_lifetime(PG_FUNCTION_ARGS)
{
	Question	question;
	double		t;
	double		rate;

	cvm_ask_model(fcinfo, CVM_RETENTION, &question);
	t = renewals_argument(fcinfo, 1);
	rate = cvm_finite_argument(fcinfo, 2, "rate");
	if (t != floor(t))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%g is not a whole number of renewals", t)));
	if (rate < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the discount rate %g is negative", rate)));
	return answer_lifetime(&question, question.family->residual_lifetime(question.theta, t, rate));
}

PG_FUNCTION_INFO_V1(cvm_mean_lifetime);
/* (model): periods that a new contract is paid for, the first included */
Datum
cvm_mean_lifetime(PG_FUNCTION_ARGS)
{
	Question	question;

	cvm_ask_model(fcinfo, CVM_RETENTION, &question);
	return answer_lifetime(&question, 1 + question.family->residual_lifetime(question.theta, 0, 0));
}

/* ---------- spend ---------- */

/* (model, x, mean_spend); without a repeat purchase there is no mean to look at */
static void
ask_spend(FunctionCallInfo fcinfo, Question *question)
{
	cvm_ask_model(fcinfo, CVM_SPEND, question);
	question->row.x = cvm_finite_argument(fcinfo, 1, "x");
	if (question->row.x != 0)
		question->row.mean_spend = cvm_finite_argument(fcinfo, 2, "mean_spend");
	cvm_check_row(question->family, &question->row);
}

static Datum
answer_spend(const Question *question)
{
	return cvm_answer(question, question->family->expected_spend(question->theta, &question->row), "the expected spend");
}

PG_FUNCTION_INFO_V1(cvm_log_likelihood_spend);
/* (model, x, mean_spend); x = 0: 0, mean_spend is not looked at */
Datum
cvm_log_likelihood_spend(PG_FUNCTION_ARGS)
{
	Question	question;

	ask_spend(fcinfo, &question);
	return cvm_answer(&question, question.family->loglik(question.theta, &question.row), "the log-likelihood");
}

PG_FUNCTION_INFO_V1(cvm_expected_spend);
/* (model, x, mean_spend); x = 0: the population's mean, mean_spend is not looked at */
Datum
cvm_expected_spend(PG_FUNCTION_ARGS)
{
	Question	question;

	ask_spend(fcinfo, &question);
	return answer_spend(&question);
}

PG_FUNCTION_INFO_V1(cvm_expected_spend_history);
/* (model, history); without a repeat period of positive mean: the population's mean */
Datum
cvm_expected_spend_history(PG_FUNCTION_ARGS)
{
	const PurchaseHistory *history = PG_GETARG_HISTORY_P(1);
	Question	question;

	cvm_ask_model(fcinfo, CVM_SPEND, &question);
	if (history->repeat_periods < 0)
		PG_RETURN_NULL();
	if (history->repeat_periods > 0 && cvm_history_mean_spend(history) > 0)
	{
		question.row.x = history->repeat_periods;
		question.row.mean_spend = cvm_history_mean_spend(history);
	}
	return answer_spend(&question);
}
