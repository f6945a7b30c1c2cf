/*
 * history_aggregate.c: aggregates cvm.purchase_history(at, amount [, period [, zone]])
 * and cvm.purchase_gaps of the same arguments.
 *
 * The state keeps the rows (24 bytes each), so the result does not depend on
 * their order or on how parallel workers split them.
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "types/purchase_history.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

typedef struct HistoryState
{
	CvmCalendar calendar;
	int			n;
	int			allocated;
	CvmPurchase *rows;
} HistoryState;

#define MAX_ROWS (PG_INT32_MAX / 2)

static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

static void
reserve_rows(HistoryState *state, int64 more)
{
	int64		wanted = state->n + more;

	if (wanted <= state->allocated)
		return;
	if (wanted > MAX_ROWS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("more than %d purchases of one customer", MAX_ROWS)));
	wanted = Min(Max(wanted, (int64) state->allocated * 2), MAX_ROWS);
	state->rows = repalloc_huge(state->rows, sizeof(CvmPurchase) * wanted);
	state->allocated = (int) wanted;
}

static HistoryState *
new_state(MemoryContext context)
{
	HistoryState *state = MemoryContextAllocZero(context, sizeof(HistoryState));

	state->allocated = 8;
	state->rows = MemoryContextAlloc(context, sizeof(CvmPurchase) * state->allocated);
	return state;
}

/* The arguments that a call site's calendar was last made of; they hardly ever change. */
typedef struct CalendarCache
{
	Interval	period;
	Size		zone_size;
	char		zone[TZ_STRLEN_MAX + 1];
	CvmCalendar calendar;
} CalendarCache;

static CalendarCache *
new_calendar_cache(FunctionCallInfo fcinfo)
{
	CalendarCache *cache = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(CalendarCache));

	cache->period.day = 1;
	cache->zone_size = strlen("UTC");
	memcpy(cache->zone, "UTC", cache->zone_size);
	cvm_calendar_init(&cache->calendar, cache->zone, &cache->period);
	return cache;
}

/* Makes the calendar anew where this row's period or zone differ from the last row's. */
static void
update_calendar(CalendarCache *cache, const Interval *period, text *zone)
{
	const char *name = zone ? VARDATA_ANY(zone) : cache->zone;
	Size		size = zone ? VARSIZE_ANY_EXHDR(zone) : cache->zone_size;

	if (memcmp(&cache->period, period, sizeof(Interval)) == 0 &&
		cache->zone_size == size && memcmp(cache->zone, name, size) == 0)
		return;
	cvm_calendar_init(&cache->calendar, pnstrdup(name, size), period);
	if (size > TZ_STRLEN_MAX)
		elog(ERROR, "time zone name too long");
	cache->period = *period;
	cache->zone_size = size;
	memmove(cache->zone, name, size);
}

/* Period and zone of this row's call: a day and UTC unless given. */
static const CvmCalendar *
calendar_argument(FunctionCallInfo fcinfo)
{
	CalendarCache *cache = fcinfo->flinfo->fn_extra;

	if (cache == NULL)
		cache = fcinfo->flinfo->fn_extra = new_calendar_cache(fcinfo);
	if (PG_NARGS() <= 3)
		return &cache->calendar;
	if (PG_ARGISNULL(3) || (PG_NARGS() > 4 && PG_ARGISNULL(4)))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the period and the time zone of a purchase history must not be null")));
	update_calendar(cache, PG_GETARG_INTERVAL_P(3), PG_NARGS() > 4 ? PG_GETARG_TEXT_PP(4) : NULL);
	return &cache->calendar;
}

/* Rows of one group are counted in the same periods. */
static void
check_same_calendar(const CvmCalendar *a, const CvmCalendar *b)
{
	if (a->zone_id != b->zone_id || a->period != b->period)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the period and the time zone of a purchase history must not change within a group")));
}

/* Skips rows of outer joins (both NULL); one NULL is bad data. */
static bool
is_row(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(1) && PG_ARGISNULL(2))
		return false;
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a purchase without %s", PG_ARGISNULL(1) ? "a time" : "an amount"),
				 errhint("Leave such rows out: FILTER (WHERE at IS NOT NULL AND amount IS NOT NULL).")));
	return true;
}

PG_FUNCTION_INFO_V1(cvm_history_accum);
/* (state, at timestamptz|timestamp|date, amount numeric|float8 [, period [, time_zone [, is_purchase]]]) */
Datum
cvm_history_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	HistoryState *state = PG_ARGISNULL(0) ? NULL : (HistoryState *) PG_GETARG_POINTER(0);
	const CvmCalendar *calendar;
	CvmPurchase row = {0};
	CvmAmount	amount;

	if (!is_row(fcinfo))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	calendar = calendar_argument(fcinfo);
	if (state == NULL)
	{
		state = new_state(context);
		state->calendar = *calendar;
	}
	check_same_calendar(&state->calendar, calendar);
	row.at = cvm_instant_from_datum(&state->calendar, PG_GETARG_DATUM(1), get_fn_expr_argtype(fcinfo->flinfo, 1));
	row.period = cvm_period_of(&state->calendar, row.at);
	amount = cvm_amount_from_datum(PG_GETARG_DATUM(2), get_fn_expr_argtype(fcinfo->flinfo, 2));
	row.mantissa = amount.mantissa;
	row.scale = amount.scale;
	if (PG_NARGS() > 5 && !PG_ARGISNULL(5))
		row.kind = PG_GETARG_BOOL(5) ? CVM_PURCHASE : CVM_MONEY_ONLY;
	reserve_rows(state, 1);
	state->rows[state->n++] = row;
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(cvm_history_combine);
Datum
cvm_history_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	HistoryState *into = PG_ARGISNULL(0) ? NULL : (HistoryState *) PG_GETARG_POINTER(0);
	HistoryState *from = PG_ARGISNULL(1) ? NULL : (HistoryState *) PG_GETARG_POINTER(1);

	if (from == NULL)
	{
		if (into == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(into);
	}
	if (into == NULL)
	{
		into = new_state(context);
		into->calendar = from->calendar;
	}
	check_same_calendar(&into->calendar, &from->calendar);
	reserve_rows(into, from->n);
	memcpy(into->rows + into->n, from->rows, sizeof(CvmPurchase) * from->n);
	into->n += from->n;
	PG_RETURN_POINTER(into);
}

PG_FUNCTION_INFO_V1(cvm_history_serialize);
Datum
cvm_history_serialize(PG_FUNCTION_ARGS)
{
	HistoryState *state = (HistoryState *) PG_GETARG_POINTER(0);
	StringInfoData buffer;

	(void) aggregate_context(fcinfo);
	pq_begintypsend(&buffer);
	pq_sendint32(&buffer, state->calendar.zone_id);
	pq_sendint32(&buffer, state->calendar.period);
	pq_sendint32(&buffer, state->n);
	pq_sendbytes(&buffer, (char *) state->rows, sizeof(CvmPurchase) * state->n);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

PG_FUNCTION_INFO_V1(cvm_history_deserialize);
Datum
cvm_history_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	StringInfoData buffer;
	HistoryState *state;
	uint32		zone_id;
	int32		period;
	int			n;

	(void) aggregate_context(fcinfo);
	initStringInfo(&buffer);
	appendBinaryStringInfo(&buffer, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	zone_id = pq_getmsgint(&buffer, 4);
	period = pq_getmsgint(&buffer, 4);
	n = pq_getmsgint(&buffer, 4);
	state = new_state(CurrentMemoryContext);
	cvm_calendar_of_history(&state->calendar, zone_id, period);
	reserve_rows(state, n);
	pq_copymsgbytes(&buffer, (char *) state->rows, sizeof(CvmPurchase) * n);
	state->n = n;
	pq_getmsgend(&buffer);
	PG_RETURN_POINTER(state);
}

/* The history, and its purchase periods in rows; a window aggregate goes on with its state, so from a copy. */
static CvmPurchase *
build_from_copy(const HistoryState *state, PurchaseHistory *history, int *n_periods)
{
	CvmPurchase *rows = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(CvmPurchase) * state->n);

	memcpy(rows, state->rows, sizeof(CvmPurchase) * state->n);
	cvm_history_build(&state->calendar, rows, state->n, history, n_periods);
	return rows;
}

PG_FUNCTION_INFO_V1(cvm_history_final);
/* NULL for no rows */
Datum
cvm_history_final(PG_FUNCTION_ARGS)
{
	PurchaseHistory *history;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	history = palloc(sizeof(PurchaseHistory));
	pfree(build_from_copy((HistoryState *) PG_GETARG_POINTER(0), history, NULL));
	PG_RETURN_POINTER(history);
}

PG_FUNCTION_INFO_V1(cvm_gaps_final);
/* days between successive purchase periods; NULL for no rows */
Datum
cvm_gaps_final(PG_FUNCTION_ARGS)
{
	const HistoryState *state;
	PurchaseHistory history;
	CvmPurchase *rows;
	Datum	   *gaps;
	int			n_periods;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (HistoryState *) PG_GETARG_POINTER(0);
	rows = build_from_copy(state, &history, &n_periods);
	gaps = palloc(sizeof(Datum) * Max(n_periods, 1));
	for (int i = 1; i < n_periods; i++)
		gaps[i - 1] = Float8GetDatum(((double) rows[i].period - rows[i - 1].period) * state->calendar.period / SECS_PER_DAY);
	PG_RETURN_ARRAYTYPE_P(construct_array(gaps, Max(n_periods - 1, 0), FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
