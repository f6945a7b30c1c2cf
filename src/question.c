/*
 * question.c: reading the arguments of the scalar functions on a model, and
 * refusing answers that are no numbers (see question.h).
 */
#include "compat.h"

#include <math.h>

#include "question.h"
#include "row.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define YEAR_SECONDS (365.25 * 86400.0)

/* The decoded model of a call site, kept while the same value comes again. */
typedef struct ModelCache
{
	CvmModel   *model;			/* a copy */
	const cvm_family *family;
} ModelCache;

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

void
cvm_ask_model(FunctionCallInfo fcinfo, cvm_kind kind, Question *question)
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

double
cvm_finite_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	double		value = PG_GETARG_FLOAT8(n);

	if (!isfinite(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is %s", name, isnan(value) ? "NaN" : "infinite")));
	return value;
}

double
cvm_horizon_argument(FunctionCallInfo fcinfo, int n)
{
	double		horizon = cvm_finite_argument(fcinfo, n, "horizon");

	if (horizon < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("horizon %g is negative", horizon)));
	return horizon;
}

double
cvm_interval_argument(FunctionCallInfo fcinfo, int n, const Question *question)
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

/*
 * P(alive) and all that is to come depend on log_intervals not at all: the
 * likelihoods of being alive and of having left have it as the same factor.  So
 * it is that of equal intervals here, the most that there can be.
 */
void
cvm_ask_raw(FunctionCallInfo fcinfo, Question *question)
{
	cvm_row    *row = &question->row;

	cvm_ask_model(fcinfo, CVM_PURCHASES, question);
	row->x = cvm_finite_argument(fcinfo, 1, "x");
	row->t_x = cvm_finite_argument(fcinfo, 2, "t_x");
	row->age = cvm_finite_argument(fcinfo, 3, "age");
	row->log_intervals = row->x > 0 ? row->x * log(row->t_x / row->x) : 0;
	cvm_check_row(question->family, row);
}

void
cvm_ask_history(FunctionCallInfo fcinfo, Question *question)
{
	const PurchaseHistory *history = PG_GETARG_HISTORY_P(1);

	cvm_ask_model(fcinfo, CVM_PURCHASES, question);
	question->empty = history->repeat_periods < 0;
	if (question->empty)
		return;
	cvm_check_period(question->family, history->period, question->model->unit_seconds);
	cvm_history_row(history, PG_GETARG_TIMESTAMPTZ(2), question->model->unit_seconds, &question->row);
	cvm_check_row(question->family, &question->row);
}

/* ---------- answers ---------- */

Datum
cvm_answer(const Question *question, double value, const char *what)
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
