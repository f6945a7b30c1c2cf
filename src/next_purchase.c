/*
 * next_purchase.c: when the next purchase is to be expected of a customer who is
 * alive: a quantile of the time to it, or its median and a central window.
 *
 * In pareto/nbd and bg/bb who is alive may still leave before he buys: then
 * infinity is the answer beyond the share who ever do.  Otherwise an infinite
 * answer is one that a number can not hold.
 */
#include "compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "question.h"
#include "utils/timestamp.h"

static double
quantile_argument(FunctionCallInfo fcinfo, int n)
{
	double		q = PG_NARGS() > n ? cvm_finite_argument(fcinfo, n, "q") : 0.5;

	if (!(q > 0 && q < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("quantile %g is not between 0 and 1", q)));
	return q;
}

static double
share_argument(FunctionCallInfo fcinfo, int n)
{
	double		share = cvm_finite_argument(fcinfo, n, "share");

	if (!(share > 0 && share < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("share %g is not between 0 and 1", share),
				 errhint("It is the probability that the next purchase falls into the window, such as 0.8.")));
	return share;
}

/* In time units from now. */
static double
time_to_next(const Question *question, double q)
{
	return question->family->next_purchase_if_alive(question->theta, &question->row, q);
}

static Datum
answer_time(const Question *question, double q)
{
	double		t = time_to_next(question, q);

	if (isinf(t) && question->family->pmf_if_alive(question->theta, &question->row, INFINITY, 0) >= 1 - q)
		return Float8GetDatum(t);
	return cvm_answer(question, t, "the time to the next purchase");
}

/* As an instant; infinity where no timestamp is late enough. */
static Datum
answer_instant(const Question *question, TimestampTz as_of, double q)
{
	double		t = time_to_next(question, q);
	double		at = as_of + t * question->model->unit_seconds * USECS_PER_SEC;

	if (isnan(t))
		return cvm_answer(question, t, "the time to the next purchase");
	return TimestampTzGetDatum(at < END_TIMESTAMP ? (TimestampTz) rint(at) : DT_NOEND);
}

/* median, low, high */
static Datum
return_window(FunctionCallInfo fcinfo, Datum *values)
{
	bool		nulls[3] = {false};
	TupleDesc	row;

	if (get_call_result_type(fcinfo, NULL, &row) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(row), values, nulls));
}

PG_FUNCTION_INFO_V1(cvm_next_purchase);
/* (model, x, t_x, age [, q]) */
Datum
cvm_next_purchase(PG_FUNCTION_ARGS)
{
	Question	question;

	cvm_ask_raw(fcinfo, &question);
	return answer_time(&question, quantile_argument(fcinfo, 4));
}

PG_FUNCTION_INFO_V1(cvm_next_purchase_history);
/* (model, history, as_of [, q]) */
Datum
cvm_next_purchase_history(PG_FUNCTION_ARGS)
{
	Question	question;

	cvm_ask_history(fcinfo, &question);
	if (question.empty)
		PG_RETURN_NULL();
	return answer_instant(&question, PG_GETARG_TIMESTAMPTZ(2), quantile_argument(fcinfo, 3));
}

PG_FUNCTION_INFO_V1(cvm_next_purchase_window);
/* (model, x, t_x, age, share) */
Datum
cvm_next_purchase_window(PG_FUNCTION_ARGS)
{
	Question	question;
	double		half = share_argument(fcinfo, 4) / 2;
	Datum		values[3];

	cvm_ask_raw(fcinfo, &question);
	values[0] = answer_time(&question, 0.5);
	values[1] = answer_time(&question, 0.5 - half);
	values[2] = answer_time(&question, 0.5 + half);
	return return_window(fcinfo, values);
}

PG_FUNCTION_INFO_V1(cvm_next_purchase_window_history);
/* (model, history, as_of, share) */
Datum
cvm_next_purchase_window_history(PG_FUNCTION_ARGS)
{
	Question	question;
	double		half = share_argument(fcinfo, 3) / 2;
	TimestampTz as_of = PG_GETARG_TIMESTAMPTZ(2);
	Datum		values[3];

	cvm_ask_history(fcinfo, &question);
	if (question.empty)
		PG_RETURN_NULL();
	values[0] = answer_instant(&question, as_of, 0.5);
	values[1] = answer_instant(&question, as_of, 0.5 - half);
	values[2] = answer_instant(&question, as_of, 0.5 + half);
	return return_window(fcinfo, values);
}
