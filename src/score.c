/*
 * score.c: model + history -> numbers: the scalar functions on raw statistics and
 * on purchase histories.
 *
 * Every function reads its row into a Question, asks one function of the family's
 * descriptor, and refuses an answer that is no number.
 */
#include "compat.h"

#include <math.h>

#include "fmgr.h"
#include "types/model_type.h"
#include "types/purchase_history.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define YEAR_SECONDS (365.25 * 86400.0)

/* The decoded model of a call site, kept while the same value comes again. */
typedef struct ModelCache
{
	CvmModel   *model;			/* a copy */
	const cvm_family *family;
} ModelCache;

typedef struct Question
{
	const CvmModel *model;
	const cvm_family *family;
	const double *theta;
	cvm_row		row;
	bool		empty;			/* a history without purchases: the answer is NULL */
} Question;

/* ---------- arguments ---------- */

static ModelCache *
cached_model(FunctionCallInfo fcinfo)
{
	CvmModel   *model = PG_GETARG_MODEL_P(0);
	ModelCache *cache = fcinfo->flinfo->fn_extra;
	MemoryContext old;

	if (cache && VARSIZE(cache->model) == VARSIZE(model) && memcmp(cache->model, model, VARSIZE(model)) == 0)
		return cache;
	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	if (cache == NULL)
		cache = fcinfo->flinfo->fn_extra = palloc0(sizeof(ModelCache));
	else
		pfree(cache->model);
	cache->model = palloc(VARSIZE(model));
	memcpy(cache->model, model, VARSIZE(model));
	MemoryContextSwitchTo(old);
	cache->family = cvm_model_family(cache->model);
	return cache;
}

static const char *const kind_names[] = {"purchase", "spend", "retention"};

static void
ask_model(FunctionCallInfo fcinfo, cvm_kind kind, Question *question)
{
	ModelCache *cache = cached_model(fcinfo);

	memset(question, 0, sizeof(*question));
	question->model = cache->model;
	question->family = cache->family;
	question->theta = cache->model->number;
	question->row.weight = 1;
	if (question->family->kind != kind)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is a %s model, but this function needs a %s model", question->family->name,
						kind_names[question->family->kind], kind_names[kind]),
				 errhint("The view cvm.families lists the families of each kind.")));
}

static double
finite_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	double		value = PG_GETARG_FLOAT8(n);

	if (!isfinite(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is %s", name, isnan(value) ? "NaN" : "infinite")));
	return value;
}

static double
horizon_argument(FunctionCallInfo fcinfo, int n)
{
	double		horizon = finite_argument(fcinfo, n, "horizon");

	if (horizon < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("horizon %g is negative", horizon)));
	return horizon;
}

/* A horizon as an interval, in the model's time units; a year is 365.25 days, a month a twelfth of it. */
static double
interval_argument(FunctionCallInfo fcinfo, int n, const Question *question)
{
	const Interval *span = PG_GETARG_INTERVAL_P(n);
	double		seconds = span->time / 1e6 + span->day * 86400.0 + span->month * (YEAR_SECONDS / 12);

	if (!(seconds >= 0) || seconds > 1e15)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("horizon %s is negative or infinite",
						DatumGetCString(DirectFunctionCall1(interval_out, PG_GETARG_DATUM(n))))));
	return seconds / question->model->unit_seconds;
}

/* (model, x, t_x, age, ...) */
static void
ask_raw(FunctionCallInfo fcinfo, Question *question)
{
	ask_model(fcinfo, CVM_PURCHASES, question);
	question->row.x = finite_argument(fcinfo, 1, "x");
	question->row.t_x = finite_argument(fcinfo, 2, "t_x");
	question->row.age = finite_argument(fcinfo, 3, "age");
	cvm_check_row(question->family, &question->row);
}

/* (model, history, as_of, ...) */
static void
ask_history(FunctionCallInfo fcinfo, Question *question)
{
	const PurchaseHistory *history = PG_GETARG_HISTORY_P(1);
	double		unit;

	ask_model(fcinfo, CVM_PURCHASES, question);
	question->empty = history->repeat_periods < 0;
	if (question->empty)
		return;
	unit = question->model->unit_seconds;
	question->row.x = history->repeat_periods;
	question->row.t_x = cvm_history_span(history, unit);
	question->row.age = cvm_history_age(history, PG_GETARG_TIMESTAMPTZ(2), unit);
	question->row.log_intervals = history->log_intervals - question->row.x * log(unit / history->period);
	cvm_check_row(question->family, &question->row);
}

/* ---------- answers ---------- */

static Datum
answer(const Question *question, double value, const char *what)
{
	if (isnan(value))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("%s can not be computed for this %s model", what, question->family->name),
				 errhint("Look for extreme values among the parameters and the customer's statistics.")));
	if (isinf(value))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("%s is infinite for this %s model", what, question->family->name),
				 errhint("The parameters imply no finite mean, or one beyond what a number can hold: give a horizon, or fit on more data.")));
	return Float8GetDatum(value);
}

static Datum
answer_p_alive(const Question *question)
{
	return answer(question, question->family->p_alive(question->theta, &question->row), "P(alive)");
}

static Datum
answer_expected(const Question *question, double horizon)
{
	double		alive = question->family->p_alive(question->theta, &question->row);

	return answer(question,
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
	return answer(question,
				  alive == 0 ? 0 : alive * question->family->discounted_if_alive(question->theta, &question->row, rate, horizon),
				  "the discounted number of purchases");
}

/* P(exactly n purchases in the horizon), also for customers that may be gone. */
static Datum
answer_probability(const Question *question, double horizon, int n)
{
	double		alive = question->family->p_alive(question->theta, &question->row);
	double		given = question->family->pmf_if_alive(question->theta, &question->row, horizon, n);

	return answer(question, n == 0 ? 1 - alive * (1 - given) : alive * given, "the probability");
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

static double
quantile_argument(FunctionCallInfo fcinfo, int n)
{
	double		q = PG_NARGS() > n ? finite_argument(fcinfo, n, "q") : 0.5;

	if (!(q > 0 && q < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("quantile %g is not between 0 and 1", q)));
	return q;
}

/* ---------- functions of (model, x, t_x, age, ...) ---------- */

PG_FUNCTION_INFO_V1(cvm_p_alive);
Datum
cvm_p_alive(PG_FUNCTION_ARGS)
{
	Question	question;

	ask_raw(fcinfo, &question);
	return answer_p_alive(&question);
}

PG_FUNCTION_INFO_V1(cvm_expected_purchases);
Datum
cvm_expected_purchases(PG_FUNCTION_ARGS)
{
	Question	question;

	ask_raw(fcinfo, &question);
	return answer_expected(&question, horizon_argument(fcinfo, 4));
}

PG_FUNCTION_INFO_V1(cvm_discounted_purchases);
Datum
cvm_discounted_purchases(PG_FUNCTION_ARGS)
{
	Question	question;
	double		rate;

	ask_raw(fcinfo, &question);
	rate = finite_argument(fcinfo, 4, "rate");
	return answer_discounted(&question, rate, PG_NARGS() > 5 ? horizon_argument(fcinfo, 5) : INFINITY);
}

PG_FUNCTION_INFO_V1(cvm_log_likelihood);
Datum
cvm_log_likelihood(PG_FUNCTION_ARGS)
{
	Question	question;

	ask_raw(fcinfo, &question);
	if (PG_NARGS() > 4)
		question.row.log_intervals = finite_argument(fcinfo, 4, "log_intervals");
	return answer(&question, question.family->loglik(question.theta, &question.row), "the log-likelihood");
}

PG_FUNCTION_INFO_V1(cvm_purchase_probability);
Datum
cvm_purchase_probability(PG_FUNCTION_ARGS)
{
	Question	question;

	ask_raw(fcinfo, &question);
	return answer_probability(&question, horizon_argument(fcinfo, 4), count_argument(fcinfo, 5));
}

PG_FUNCTION_INFO_V1(cvm_p_no_purchase);
Datum
cvm_p_no_purchase(PG_FUNCTION_ARGS)
{
	Question	question;

	ask_raw(fcinfo, &question);
	return answer_probability(&question, horizon_argument(fcinfo, 4), 0);
}

PG_FUNCTION_INFO_V1(cvm_next_purchase);
Datum
cvm_next_purchase(PG_FUNCTION_ARGS)
{
	Question	question;

	ask_raw(fcinfo, &question);
	return answer(&question,
				  question.family->next_purchase_if_alive(question.theta, &question.row, quantile_argument(fcinfo, 4)),
				  "the time to the next purchase");
}

PG_FUNCTION_INFO_V1(cvm_expected_purchases_new);
/* (model, horizon): a new customer */
Datum
cvm_expected_purchases_new(PG_FUNCTION_ARGS)
{
	Question	question;

	ask_model(fcinfo, CVM_PURCHASES, &question);
	return answer(&question, question.family->expected(question.theta, horizon_argument(fcinfo, 1)),
				  "the expected number of purchases");
}

/* ---------- functions of (model, history, as_of, ...) ---------- */

PG_FUNCTION_INFO_V1(cvm_p_alive_history);
Datum
cvm_p_alive_history(PG_FUNCTION_ARGS)
{
	Question	question;

	ask_history(fcinfo, &question);
	if (question.empty)
		PG_RETURN_NULL();
	return answer_p_alive(&question);
}

PG_FUNCTION_INFO_V1(cvm_expected_purchases_history);
Datum
cvm_expected_purchases_history(PG_FUNCTION_ARGS)
{
	Question	question;

	ask_history(fcinfo, &question);
	if (question.empty)
		PG_RETURN_NULL();
	return answer_expected(&question, interval_argument(fcinfo, 3, &question));
}

PG_FUNCTION_INFO_V1(cvm_discounted_purchases_history);
/* (model, history, as_of, rate per model time unit [, horizon interval]) */
Datum
cvm_discounted_purchases_history(PG_FUNCTION_ARGS)
{
	Question	question;

	ask_history(fcinfo, &question);
	if (question.empty)
		PG_RETURN_NULL();
	return answer_discounted(&question, finite_argument(fcinfo, 3, "rate"),
							 PG_NARGS() > 4 ? interval_argument(fcinfo, 4, &question) : INFINITY);
}

PG_FUNCTION_INFO_V1(cvm_log_likelihood_history);
Datum
cvm_log_likelihood_history(PG_FUNCTION_ARGS)
{
	Question	question;

	ask_history(fcinfo, &question);
	if (question.empty)
		PG_RETURN_NULL();
	return answer(&question, question.family->loglik(question.theta, &question.row), "the log-likelihood");
}

PG_FUNCTION_INFO_V1(cvm_p_no_purchase_history);
Datum
cvm_p_no_purchase_history(PG_FUNCTION_ARGS)
{
	Question	question;

	ask_history(fcinfo, &question);
	if (question.empty)
		PG_RETURN_NULL();
	return answer_probability(&question, interval_argument(fcinfo, 3, &question), 0);
}

PG_FUNCTION_INFO_V1(cvm_purchase_probability_history);
Datum
cvm_purchase_probability_history(PG_FUNCTION_ARGS)
{
	Question	question;

	ask_history(fcinfo, &question);
	if (question.empty)
		PG_RETURN_NULL();
	return answer_probability(&question, interval_argument(fcinfo, 3, &question), count_argument(fcinfo, 4));
}

/* ---------- contracts ---------- */

static double
renewals_argument(FunctionCallInfo fcinfo, int n)
{
	double		t = finite_argument(fcinfo, n, "t");

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
	return answer(question, value, "the lifetime");
}

PG_FUNCTION_INFO_V1(cvm_survival);
/* (model, t) */
Datum
cvm_survival(PG_FUNCTION_ARGS)
{
	Question	question;

	ask_model(fcinfo, CVM_RETENTION, &question);
	return answer(&question, question.family->survival(question.theta, renewals_argument(fcinfo, 1)), "the survival");
}

PG_FUNCTION_INFO_V1(cvm_residual_lifetime);
/* (model, t, rate): t renewals made, the next decision is now */
Datum
cvm_residual_lifetime(PG_FUNCTION_ARGS)
{
	Question	question;
	double		t;
	double		rate;

	ask_model(fcinfo, CVM_RETENTION, &question);
	t = renewals_argument(fcinfo, 1);
	rate = finite_argument(fcinfo, 2, "rate");
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

	ask_model(fcinfo, CVM_RETENTION, &question);
	return answer_lifetime(&question, 1 + question.family->residual_lifetime(question.theta, 0, 0));
}

/* ---------- spend ---------- */

/* (model, x, mean_spend); without a repeat purchase there is no mean to look at */
static void
ask_spend(FunctionCallInfo fcinfo, Question *question)
{
	ask_model(fcinfo, CVM_SPEND, question);
	question->row.x = finite_argument(fcinfo, 1, "x");
	if (question->row.x != 0)
		question->row.mean_spend = finite_argument(fcinfo, 2, "mean_spend");
	cvm_check_row(question->family, &question->row);
}

static Datum
answer_spend(const Question *question)
{
	return answer(question, question->family->expected_spend(question->theta, &question->row), "the expected spend");
}

PG_FUNCTION_INFO_V1(cvm_log_likelihood_spend);
/* (model, x, mean_spend); x = 0: 0, mean_spend is not looked at */
Datum
cvm_log_likelihood_spend(PG_FUNCTION_ARGS)
{
	Question	question;

	ask_spend(fcinfo, &question);
	return answer(&question, question.family->loglik(question.theta, &question.row), "the log-likelihood");
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

	ask_model(fcinfo, CVM_SPEND, &question);
	if (history->repeat_periods < 0)
		PG_RETURN_NULL();
	if (history->repeat_periods > 0 && cvm_history_mean_spend(history) > 0)
	{
		question.row.x = history->repeat_periods;
		question.row.mean_spend = cvm_history_mean_spend(history);
	}
	return answer_spend(&question);
}
