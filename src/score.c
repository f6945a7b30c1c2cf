/*
 * score.c: purchase model + history -> numbers: the scalar functions on raw
 * statistics and on purchase histories.
 *
 * Every function reads its row into a Question, asks one function of the family's
 * descriptor, and refuses an answer that is no number.
 */
#include "compat.h"

#include <math.h>

#include "fmgr.h"
#include "question.h"
#include "row.h"

#define MAX_OPPORTUNITIES 1e6	/* beyond, a sum over them is too long to wait for */

/* ---------- answers ---------- */

static Datum
answer_p_alive(const Question *question)
{
	return cvm_answer(question, question->family->p_alive(question->theta, &question->row), "P(alive)");
}

/* The other convention of discrete time: alive at the last opportunity seen, its coin survived. */
static Datum
answer_p_alive_at_last(const Question *question)
{
	if (question->family->p_alive_at_last == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s has no last opportunity: its time is continuous", question->family->name),
				 errhint("cvm.p_alive is the probability of being alive now.")));
	return cvm_answer(question, question->family->p_alive_at_last(question->theta, &question->row), "P(alive)");
}

static Datum
answer_expected(const Question *question, double horizon)
{
	double		alive = question->family->p_alive(question->theta, &question->row);

	return cvm_answer(question,
				  alive == 0 ? 0 : alive * question->family->expected_if_alive(question->theta, &question->row, horizon),
				  "the expected number of purchases");
}

static Datum
answer_discounted(const Question *question, double rate, double horizon)
{
	double		alive = question->family->p_alive(question->theta, &question->row);

	if (!(rate > 0) && isinf(horizon))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the discount rate must be positive, not %g", rate),
				 errhint("Without discounting the sum may be infinite; give a horizon as the last argument.")));
	if (rate < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the discount rate %g is negative", rate)));
	return cvm_answer(question,
				  alive == 0 ? 0 : alive * question->family->discounted_if_alive(question->theta, &question->row, rate, horizon),
				  "the discounted number of purchases");
}

/* P(exactly n purchases in the horizon), also for customers that may be gone. */
static Datum
answer_probability(const Question *question, double horizon, int n)
{
	double		alive = question->family->p_alive(question->theta, &question->row);
	double		given;

	if (question->family->whole_times && horizon > MAX_OPPORTUNITIES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a horizon of %g is more than a million opportunities", horizon),
				 errdetail("Probabilities in discrete time are sums over the opportunities.")));
	given = question->family->pmf_if_alive(question->theta, &question->row, horizon, n);
	return cvm_answer(question, n == 0 ? 1 - alive * (1 - given) : alive * given, "the probability");
}

static int
count_argument(FunctionCallInfo fcinfo, int n)
{
	int32		count = PG_GETARG_INT32(n);

	if (count < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a number of purchases can not be %d", count)));
	return count;
}

/* ---------- functions of (model, x, t_x, age, ...) ---------- */

PG_FUNCTION_INFO_V1(cvm_p_alive);
Datum
cvm_p_alive(PG_FUNCTION_ARGS)
{
	Question	question;

	cvm_ask_raw(fcinfo, &question);
	return answer_p_alive(&question);
}

PG_FUNCTION_INFO_V1(cvm_p_alive_at_last);
Datum
cvm_p_alive_at_last(PG_FUNCTION_ARGS)
{
	Question	question;

	cvm_ask_raw(fcinfo, &question);
	return answer_p_alive_at_last(&question);
}

PG_FUNCTION_INFO_V1(cvm_expected_purchases);
Datum
cvm_expected_purchases(PG_FUNCTION_ARGS)
{
	Question	question;

	cvm_ask_raw(fcinfo, &question);
	return answer_expected(&question, cvm_horizon_argument(fcinfo, 4));
}

PG_FUNCTION_INFO_V1(cvm_discounted_purchases);
Datum
cvm_discounted_purchases(PG_FUNCTION_ARGS)
{
	Question	question;
	double		rate;

	cvm_ask_raw(fcinfo, &question);
	rate = cvm_finite_argument(fcinfo, 4, "rate");
	return answer_discounted(&question, rate, PG_NARGS() > 5 ? cvm_horizon_argument(fcinfo, 5) : INFINITY);
}

PG_FUNCTION_INFO_V1(cvm_log_likelihood);
/* (model, x, t_x, age [, log_intervals]) */
Datum
cvm_log_likelihood(PG_FUNCTION_ARGS)
{
	Question	question;

	cvm_ask_raw(fcinfo, &question);
	if (PG_NARGS() > 4)
	{
		question.row.log_intervals = question.family->needs_log_intervals ? PG_GETARG_FLOAT8(4)
			: cvm_finite_argument(fcinfo, 4, "log_intervals");
		cvm_check_row(question.family, &question.row);
	}
	else if (question.family->needs_log_intervals)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the log-likelihood of %s needs log_intervals", question.family->name),
				 errhint("Give the sum of ln(interpurchase time) as the last argument, or ask with a purchase history.")));
	return cvm_answer(&question, question.family->loglik(question.theta, &question.row), "the log-likelihood");
}

PG_FUNCTION_INFO_V1(cvm_purchase_probability);
Datum
cvm_purchase_probability(PG_FUNCTION_ARGS)
{
	Question	question;

	cvm_ask_raw(fcinfo, &question);
	return answer_probability(&question, cvm_horizon_argument(fcinfo, 4), count_argument(fcinfo, 5));
}

PG_FUNCTION_INFO_V1(cvm_p_no_purchase);
Datum
cvm_p_no_purchase(PG_FUNCTION_ARGS)
{
	Question	question;

	cvm_ask_raw(fcinfo, &question);
	return answer_probability(&question, cvm_horizon_argument(fcinfo, 4), 0);
}

PG_FUNCTION_INFO_V1(cvm_expected_purchases_new);
/* (model, horizon): a new customer */
Datum
cvm_expected_purchases_new(PG_FUNCTION_ARGS)
{
	Question	question;

	cvm_ask_model(fcinfo, CVM_PURCHASES, &question);
	return cvm_answer(&question, question.family->expected(question.theta, cvm_horizon_argument(fcinfo, 1)),
				  "the expected number of purchases");
}

/* ---------- functions of (model, history, as_of, ...) ---------- */

PG_FUNCTION_INFO_V1(cvm_p_alive_history);
Datum
cvm_p_alive_history(PG_FUNCTION_ARGS)
{
	Question	question;

	cvm_ask_history(fcinfo, &question);
	if (question.empty)
		PG_RETURN_NULL();
	return answer_p_alive(&question);
}

PG_FUNCTION_INFO_V1(cvm_p_alive_at_last_history);
Datum
cvm_p_alive_at_last_history(PG_FUNCTION_ARGS)
{
	Question	question;

	cvm_ask_history(fcinfo, &question);
	if (question.empty)
		PG_RETURN_NULL();
	return answer_p_alive_at_last(&question);
}

PG_FUNCTION_INFO_V1(cvm_expected_purchases_history);
Datum
cvm_expected_purchases_history(PG_FUNCTION_ARGS)
{
	Question	question;

	cvm_ask_history(fcinfo, &question);
	if (question.empty)
		PG_RETURN_NULL();
	return answer_expected(&question, cvm_interval_argument(fcinfo, 3, &question));
}

PG_FUNCTION_INFO_V1(cvm_discounted_purchases_history);
/* (model, history, as_of, rate per model time unit [, horizon interval]) */
Datum
cvm_discounted_purchases_history(PG_FUNCTION_ARGS)
{
	Question	question;

	cvm_ask_history(fcinfo, &question);
	if (question.empty)
		PG_RETURN_NULL();
	return answer_discounted(&question, cvm_finite_argument(fcinfo, 3, "rate"),
							 PG_NARGS() > 4 ? cvm_interval_argument(fcinfo, 4, &question) : INFINITY);
}

PG_FUNCTION_INFO_V1(cvm_log_likelihood_history);
Datum
cvm_log_likelihood_history(PG_FUNCTION_ARGS)
{
	Question	question;

	cvm_ask_history(fcinfo, &question);
	if (question.empty)
		PG_RETURN_NULL();
	return cvm_answer(&question, question.family->loglik(question.theta, &question.row), "the log-likelihood");
}

PG_FUNCTION_INFO_V1(cvm_p_no_purchase_history);
Datum
cvm_p_no_purchase_history(PG_FUNCTION_ARGS)
{
	Question	question;

	cvm_ask_history(fcinfo, &question);
	if (question.empty)
		PG_RETURN_NULL();
	return answer_probability(&question, cvm_interval_argument(fcinfo, 3, &question), 0);
}

PG_FUNCTION_INFO_V1(cvm_purchase_probability_history);
Datum
cvm_purchase_probability_history(PG_FUNCTION_ARGS)
{
	Question	question;

	cvm_ask_history(fcinfo, &question);
	if (question.empty)
		PG_RETURN_NULL();
	return answer_probability(&question, cvm_interval_argument(fcinfo, 3, &question), count_argument(fcinfo, 4));
}
