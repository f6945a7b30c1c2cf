/*
 * fit.c: rows -> model: the aggregates cvm.fit, cvm.fit_spend and
 * cvm.fit_retention, and what every fit inside the server shares.
 */
#include "compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "models/table.h"
#include "row.h"
#include "types/model_type.h"
#include "types/purchase_history.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define WEEK_SECONDS 604800.0

/* ---------- the server as an environment of plain C ---------- */

static void *
server_alloc(void *context, size_t size)
{
	return MemoryContextAllocExtended((MemoryContext) context, size, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
}

static void
server_release(void *context, void *pointer)
{
	if (pointer)
		pfree(pointer);
}

static bool
server_cancelled(void *context)
{
	return InterruptPending && (QueryCancelPending || ProcDiePending);
}

cvm_env
cvm_server_env(MemoryContext context)
{
	return (cvm_env) {
		.alloc = server_alloc,.release = server_release,.cancelled = server_cancelled,.context = context
	};
}

/* ---------- errors ---------- */

static void
refuse_no_data(const cvm_family *family, double customers)
{
	if (family->kind == CVM_SPEND)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("there is nothing to fit %s on", family->name),
				 errdetail("No customer has a repeat purchase with positive mean spend.")));
	if (family->kind == CVM_RETENTION)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("there is nothing to fit %s on", family->name),
				 errdetail("None of %g contracts has ended.", customers),
				 errhint("The model needs contracts with churned = true, whose lifetime is the renewal at which they ended.")));
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA),
			 errmsg("there is nothing to fit %s on", family->name),
			 errdetail("None of %g customers has a repeat purchase.", customers),
			 errhint("The model needs customers who bought in at least two periods.")));
}

void
cvm_refuse_status(cvm_status status, const cvm_family *family, double customers)
{
	switch (status)
	{
		case CVM_OK:
			return;
		case CVM_CANCELLED:
			CHECK_FOR_INTERRUPTS();
			ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED), errmsg("the fit of %s was cancelled", family->name)));
			break;
		case CVM_NO_DATA:
			refuse_no_data(family, customers);
			break;
		case CVM_NO_MEMORY:
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory while fitting %s", family->name)));
			break;
		case CVM_NO_OPTIMUM:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("the likelihood of %s could not be evaluated anywhere", family->name),
					 errhint("Look for extreme values among the customers' statistics.")));
	}
}

void
cvm_fit_or_error(const cvm_family *family, const cvm_table *table, const cvm_env *env, cvm_fit_result *result)
{
	cvm_status	status = cvm_fit(family, table, env, result);

	if (status != CVM_OK)
		cvm_refuse_status(status, family, cvm_table_customers(table));
}

/* ---------- state of the aggregates ---------- */

typedef struct FitState
{
	const cvm_family *family;
	double		unit_seconds;
	TimestampTz as_of;			/* histories only */
	int32		period;			/* of the histories, in seconds; 0 while there is none */
	cvm_table  *table;			/* gathers, never finished: one state can have several results */
} FitState;

static FitState *
new_state(MemoryContext context, const cvm_family *family, double unit_seconds)
{
	FitState   *state = MemoryContextAllocZero(context, sizeof(FitState));
	cvm_env		env = cvm_server_env(context);

	state->family = family;
	state->unit_seconds = unit_seconds;
	state->table = cvm_table_new(family->kind, &env);
	if (state->table == NULL)
		cvm_refuse_status(CVM_NO_MEMORY, family, 0);
	return state;
}

static void
add_row(FitState *state, const cvm_row *row)
{
	cvm_row		seen = *row;
	cvm_status	status;

	cvm_check_row(state->family, row);
	if (!state->family->needs_log_intervals)
		seen.log_intervals = 0;	/* a table keeps what is not 0 */
	status = cvm_table_add(state->table, &seen);
	if (status != CVM_OK)
		cvm_refuse_status(status, state->family, cvm_table_added(state->table));
}

/* A weight of 0 is nobody, but what is wrong is wrong. */
static void
add_weighted_row(FitState *state, const cvm_row *row)
{
	cvm_row		nobody = *row;

	nobody.weight = 1;
	if (row->weight == 0)
		cvm_check_row(state->family, &nobody);
	else
		add_row(state, row);
}

static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

static Datum
return_state(FunctionCallInfo fcinfo, FitState *state)
{
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

static void
refuse_null(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("%s must not be null", what),
			 errhint("Leave such rows out with FILTER (WHERE ... IS NOT NULL).")));
}

static const char *const kind_names[] = {
	[CVM_PURCHASES] = "purchase", [CVM_SPEND] = "spend", [CVM_RETENTION] = "retention"
};

/* Of the same name as the state's, it is the state's. */
static const cvm_family *
family_argument(FunctionCallInfo fcinfo, int n, const FitState *state, cvm_kind kind)
{
	const cvm_family *family;
	const text *name;

	if (PG_ARGISNULL(n))
		refuse_null("the family of a model");
	name = PG_GETARG_TEXT_PP(n);
	if (state && VARSIZE_ANY_EXHDR(name) == strlen(state->family->name)
		&& memcmp(VARDATA_ANY(name), state->family->name, VARSIZE_ANY_EXHDR(name)) == 0)
		return state->family;
	family = cvm_family_or_error(text_to_cstring(name));
	if (family->kind != kind)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is not a family of %s models", family->name, kind_names[kind]),
				 errhint("See the view cvm.families; spend models are fitted with cvm.fit_spend, retention models with cvm.fit_retention.")));
	return family;
}

static double
unit_argument(FunctionCallInfo fcinfo, int n)
{
	if (PG_NARGS() <= n)
		return WEEK_SECONDS;
	if (PG_ARGISNULL(n))
		refuse_null("the unit of a model");
	return cvm_unit_seconds(PG_GETARG_INTERVAL_P(n));
}

/* Family, unit and as_of are arguments of every row but of the whole group. */
static void
check_same(const FitState *state, const cvm_family *family, double unit_seconds, TimestampTz as_of)
{
	if (state->family != family || state->unit_seconds != unit_seconds || state->as_of != as_of)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("family, as_of and unit of a fit must not change within a group")));
}

/* Repeat periods of different lengths are not the same statistic. */
static void
check_same_period(FitState *state, int32 period)
{
	if (state->period == 0)
		state->period = period;
	if (period != 0 && state->period != period)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("histories with periods of %d and %d seconds can not be fitted together", state->period, period),
				 errhint("Aggregate the purchases of both with the same period.")));
}

/* ---------- transition functions ---------- */

PG_FUNCTION_INFO_V1(cvm_fit_history_accum);
/* (state, family, history, as_of [, unit]) */
Datum
cvm_fit_history_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	FitState   *state = PG_ARGISNULL(0) ? NULL : (FitState *) PG_GETARG_POINTER(0);
	const cvm_family *family = family_argument(fcinfo, 1, state, CVM_PURCHASES);
	double		unit = unit_argument(fcinfo, 4);
	const PurchaseHistory *history;
	cvm_row		row = {.weight = 1};

	if (PG_ARGISNULL(2))
		return return_state(fcinfo, state);
	if (PG_ARGISNULL(3))
		refuse_null("as_of");
	if (state == NULL)
	{
		state = new_state(context, family, unit);
		state->as_of = PG_GETARG_TIMESTAMPTZ(3);
	}
	check_same(state, family, unit, PG_GETARG_TIMESTAMPTZ(3));
	history = PG_GETARG_HISTORY_P(2);
	if (history->repeat_periods < 0)
		PG_RETURN_POINTER(state);
	check_same_period(state, history->period);
	cvm_check_period(family, history->period, unit);
	cvm_history_row(history, state->as_of, unit, &row);
	add_row(state, &row);
	PG_RETURN_POINTER(state);
}

/* Whether it makes sense is for check_row, which knows the others. */
static double
number_argument(FunctionCallInfo fcinfo, int n, double missing)
{
	return PG_NARGS() > n ? PG_GETARG_FLOAT8(n) : missing;
}

/* True if all of arguments first .. are NULL; an error if only some are. */
static bool
all_null(FunctionCallInfo fcinfo, int first)
{
	int			nulls = 0;

	for (int i = first; i < PG_NARGS(); i++)
		nulls += PG_ARGISNULL(i);
	if (nulls > 0 && nulls < PG_NARGS() - first)
		refuse_null("a statistic of a customer");
	return nulls > 0;
}

/* A family that looks at log_intervals can not do without; of the others it has to be a number. */
static double
log_intervals_argument(FunctionCallInfo fcinfo, int n, const cvm_family *family)
{
	double		value = number_argument(fcinfo, n, 0);

	if (family->needs_log_intervals && PG_NARGS() <= n)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s needs log_intervals, the sum of ln(interpurchase time) of each customer", family->name),
				 errhint("cvm.fit(family, x, t_x, age, weight, log_intervals) takes it, with a weight of 1 for one customer; cvm.fit(family, history, as_of) knows it.")));
	if (!family->needs_log_intervals && !isfinite(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("log_intervals is %s", isnan(value) ? "NaN" : "infinite"),
				 errdetail("%s does not look at it, but a customer's statistics must be finite.", family->name)));
	return value;
}

PG_FUNCTION_INFO_V1(cvm_fit_accum);
/* (state, family, x, t_x, age [, weight [, log_intervals]]) */
Datum
cvm_fit_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	FitState   *state = PG_ARGISNULL(0) ? NULL : (FitState *) PG_GETARG_POINTER(0);
	const cvm_family *family = family_argument(fcinfo, 1, state, CVM_PURCHASES);
	double		unit = family->whole_times ? 0 : WEEK_SECONDS;	/* how long opportunities are nobody said */
	cvm_row		row = {0};

	if (all_null(fcinfo, 2))
		return return_state(fcinfo, state);
	if (state == NULL)
		state = new_state(context, family, unit);
	check_same(state, family, unit, 0);
	row.x = number_argument(fcinfo, 2, 0);
	row.t_x = number_argument(fcinfo, 3, 0);
	row.age = number_argument(fcinfo, 4, 0);
	row.weight = number_argument(fcinfo, 5, 1);
	row.log_intervals = log_intervals_argument(fcinfo, 6, family);
	add_weighted_row(state, &row);
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(cvm_fit_spend_history_accum);
/* (state, history): customers without a repeat or with a mean <= 0 are left out */
Datum
cvm_fit_spend_history_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	FitState   *state = PG_ARGISNULL(0) ? NULL : (FitState *) PG_GETARG_POINTER(0);
	const PurchaseHistory *history;
	cvm_row		row = {.weight = 1};

	if (PG_ARGISNULL(1))
		return return_state(fcinfo, state);
	if (state == NULL)
		state = new_state(context, cvm_family_or_error("gamma-gamma"), 0);
	history = PG_GETARG_HISTORY_P(1);
	if (history->repeat_periods > 0)
		check_same_period(state, history->period);
	row.x = history->repeat_periods;
	row.mean_spend = cvm_history_mean_spend(history);
	if (row.x >= 1 && row.mean_spend > 0)
		add_row(state, &row);
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(cvm_fit_spend_accum);
/* (state, x, mean_spend): x = 0 is left out, a mean <= 0 with x > 0 is an error */
Datum
cvm_fit_spend_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	FitState   *state = PG_ARGISNULL(0) ? NULL : (FitState *) PG_GETARG_POINTER(0);
	cvm_row		row = {.weight = 1};

	if (PG_ARGISNULL(1) && PG_ARGISNULL(2))
		return return_state(fcinfo, state);
	if (PG_ARGISNULL(1) || (PG_ARGISNULL(2) && PG_GETARG_FLOAT8(1) != 0))
		refuse_null("a statistic of a customer");
	if (state == NULL)
		state = new_state(context, cvm_family_or_error("gamma-gamma"), 0);
	row.x = number_argument(fcinfo, 1, 0);
	if (row.x == 0)
		PG_RETURN_POINTER(state);
	row.mean_spend = number_argument(fcinfo, 2, 0);
	add_row(state, &row);
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(cvm_fit_retention_accum);
/* (state, family, lifetime, churned [, weight]) */
Datum
cvm_fit_retention_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	FitState   *state = PG_ARGISNULL(0) ? NULL : (FitState *) PG_GETARG_POINTER(0);
	const cvm_family *family = family_argument(fcinfo, 1, state, CVM_RETENTION);
	cvm_row		row = {0};

	if (all_null(fcinfo, 2))
		return return_state(fcinfo, state);
	if (state == NULL)
		state = new_state(context, family, 0);
	check_same(state, family, 0, 0);
	row.lifetime = PG_GETARG_INT32(2);
	row.churned = PG_GETARG_BOOL(3) ? 1 : 0;
	row.weight = number_argument(fcinfo, 4, 1);
	add_weighted_row(state, &row);
	PG_RETURN_POINTER(state);
}

/* ---------- combine, serialise, finish ---------- */

PG_FUNCTION_INFO_V1(cvm_fit_combine);
Datum
cvm_fit_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	FitState   *into = PG_ARGISNULL(0) ? NULL : (FitState *) PG_GETARG_POINTER(0);
	FitState   *from = PG_ARGISNULL(1) ? NULL : (FitState *) PG_GETARG_POINTER(1);
	cvm_added	at = {0};
	cvm_row		row;

	if (from == NULL)
		return return_state(fcinfo, into);
	if (into == NULL)
	{
		into = new_state(context, from->family, from->unit_seconds);
		into->as_of = from->as_of;
	}
	check_same(into, from->family, from->unit_seconds, from->as_of);
	check_same_period(into, from->period);
	while (cvm_table_next_added(from->table, &at, &row))
		add_row(into, &row);
	PG_RETURN_POINTER(into);
}

PG_FUNCTION_INFO_V1(cvm_fit_serialize);
Datum
cvm_fit_serialize(PG_FUNCTION_ARGS)
{
	FitState   *state = (FitState *) PG_GETARG_POINTER(0);
	size_t		n = cvm_table_added(state->table);
	cvm_added	at = {0};
	cvm_row		row;
	StringInfoData buffer;

	(void) aggregate_context(fcinfo);
	if (n > (MaxAllocSize - 1024) / sizeof(cvm_row))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many customers for a parallel fit"),
				 errhint("SET max_parallel_workers_per_gather = 0.")));
	pq_begintypsend(&buffer);
	pq_sendstring(&buffer, state->family->name);
	pq_sendfloat8(&buffer, state->unit_seconds);
	pq_sendint64(&buffer, state->as_of);
	pq_sendint32(&buffer, state->period);
	pq_sendint64(&buffer, n);
	while (cvm_table_next_added(state->table, &at, &row))
		pq_sendbytes(&buffer, (char *) &row, sizeof(row));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

PG_FUNCTION_INFO_V1(cvm_fit_deserialize);
Datum
cvm_fit_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	StringInfoData buffer;
	FitState   *state;
	const cvm_family *family;
	double		unit;
	int64		n;

	(void) aggregate_context(fcinfo);
	initStringInfo(&buffer);
	appendBinaryStringInfo(&buffer, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	family = cvm_family_or_error(pq_getmsgstring(&buffer));
	unit = pq_getmsgfloat8(&buffer);
	state = new_state(CurrentMemoryContext, family, unit);
	state->as_of = pq_getmsgint64(&buffer);
	state->period = pq_getmsgint(&buffer, 4);
	n = pq_getmsgint64(&buffer);
	for (int64 i = 0; i < n; i++)
	{
		cvm_row		row;

		pq_copymsgbytes(&buffer, (char *) &row, sizeof(row));
		add_row(state, &row);
	}
	pq_getmsgend(&buffer);
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(cvm_fit_final);
/* NULL for no rows at all */
Datum
cvm_fit_final(PG_FUNCTION_ARGS)
{
	FitState   *state;
	cvm_env		env = cvm_server_env(CurrentMemoryContext);
	cvm_table  *table;
	cvm_fit_result result;
	cvm_status	status;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (FitState *) PG_GETARG_POINTER(0);
	table = cvm_table_finished(state->table, &env, &status);
	if (table == NULL)
		cvm_refuse_status(status, state->family, cvm_table_added(state->table));
	cvm_fit_or_error(state->family, table, &env, &result);
	cvm_table_free(table);
	PG_RETURN_POINTER(cvm_model_from_fit(&result, state->unit_seconds));
}
