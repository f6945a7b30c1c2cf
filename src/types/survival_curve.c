/*
 * survival_curve.c: SQL type cvm.survival_curve, how long customers stay
 * (Kaplan & Meier 1958), and its aggregate.
 *
 * A curve is the counts it is estimated from: for every distinct duration, how
 * many customers churned then and how many were last seen then (censored).
 * Nothing is lost, curves of different customers add up, and the order of rows
 * does not matter.  survival.c computes from it.
 *
 * Text: {6:3+1,7:1+0,9:0+1}, ascending durations in shortest exact form, each with
 * the churned and, behind the +, the censored.
 */
#include "compat.h"

#include <math.h>

#include "common/int.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "types/reader.h"
#include "types/survival_curve.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* ---------- construction and checks ---------- */

static SurvivalCurve *
new_curve(int64 n)
{
	Size		size = offsetof(SurvivalCurve, step) + sizeof(SurvivalStep) * n;
	SurvivalCurve *curve;

	if (n > CVM_CURVE_MAX_STEPS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a survival curve of " INT64_FORMAT " distinct durations is too long", n),
				 errdetail("At most %d are possible.", (int) CVM_CURVE_MAX_STEPS),
				 errhint("Round the durations, for example to days.")));
	curve = palloc0(size);
	SET_VARSIZE(curve, size);
	curve->version = CVM_CURVE_VERSION;
	return curve;
}

static void
check_duration(double duration)
{
	if (!isfinite(duration) || duration < 0)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("duration %g is out of range", duration),
				 errdetail("A duration is finite and not negative.")));
}

/* Everything that text and binary input have in common. */
static void
check_curve(const SurvivalCurve *curve)
{
	int64		total = 0;

	for (int i = 0; i < cvm_curve_steps(curve); i++)
	{
		const SurvivalStep *step = &curve->step[i];

		check_duration(step->duration);
		if (i > 0 && step->duration <= step[-1].duration)
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("the durations of a survival curve must ascend, not go from %g to %g",
							step[-1].duration, step->duration)));
		if (step->churned < 0 || step->censored < 0 || (step->churned == 0 && step->censored == 0))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("the counts of a survival curve must not be negative, and not both 0"),
					 errdetail("At duration %g they are " INT64_FORMAT " and " INT64_FORMAT ".",
							   step->duration, step->churned, step->censored)));
		if (pg_add_s64_overflow(total, step->churned, &total) || pg_add_s64_overflow(total, step->censored, &total))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("too many customers in a survival curve")));
	}
	if (total == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("a survival curve needs at least one customer")));
}

/* ---------- collecting steps ---------- */

/* Steps in any order; those of equal duration become one when room runs out, and at the end. */
typedef struct CurveState
{
	int64		n;
	int64		allocated;
	SurvivalStep *step;
} CurveState;

#define FIRST_STEPS 64

static CurveState *
new_state(MemoryContext context)
{
	CurveState *state = MemoryContextAllocZero(context, sizeof(CurveState));

	state->allocated = FIRST_STEPS;
	state->step = MemoryContextAlloc(context, sizeof(SurvivalStep) * FIRST_STEPS);
	return state;
}

static int
by_duration(const void *a, const void *b)
{
	double		left = ((const SurvivalStep *) a)->duration;
	double		right = ((const SurvivalStep *) b)->duration;

	return (left > right) - (left < right);
}

static void
collapse(CurveState *state)
{
	int64		n = 0;

	CHECK_FOR_INTERRUPTS();
	qsort(state->step, state->n, sizeof(SurvivalStep), by_duration);
	for (int64 i = 0; i < state->n; i++)
	{
		SurvivalStep *last = &state->step[n - 1];

		if (n == 0 || last->duration != state->step[i].duration)
			state->step[n++] = state->step[i];
		else if (pg_add_s64_overflow(last->churned, state->step[i].churned, &last->churned) ||
				 pg_add_s64_overflow(last->censored, state->step[i].censored, &last->censored))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("too many customers in a survival curve")));
	}
	state->n = n;
}

static void
add_step(CurveState *state, SurvivalStep step)
{
	if (state->n == state->allocated)
	{
		collapse(state);
		if (state->n > state->allocated / 2)
		{
			state->allocated *= 2;
			state->step = repalloc_huge(state->step, sizeof(SurvivalStep) * state->allocated);
		}
	}
	state->step[state->n++] = step;
}

static SurvivalCurve *
curve_of(CurveState *state)
{
	SurvivalCurve *curve;

	collapse(state);
	curve = new_curve(state->n);
	memcpy(curve->step, state->step, sizeof(SurvivalStep) * state->n);
	return curve;
}

/* ---------- text ---------- */

PG_FUNCTION_INFO_V1(cvm_survival_curve_out);
Datum
cvm_survival_curve_out(PG_FUNCTION_ARGS)
{
	SurvivalCurve *curve = PG_GETARG_CURVE_P(0);
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < cvm_curve_steps(curve); i++)
	{
		char		number[DOUBLE_SHORTEST_DECIMAL_LEN];

		double_to_shortest_decimal_buf(curve->step[i].duration, number);
		appendStringInfo(&text, "%c%s:" INT64_FORMAT "+" INT64_FORMAT, i == 0 ? '{' : ',', number,
						 curve->step[i].churned, curve->step[i].censored);
	}
	appendStringInfoChar(&text, '}');
	PG_RETURN_CSTRING(text.data);
}

PG_FUNCTION_INFO_V1(cvm_survival_curve_in);
Datum
cvm_survival_curve_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	Reader		reader = {"survival_curve", "A survival curve looks like {6:3+1,7:1+0}: at duration 6, 3 churned and 1 was last seen.", text, text};
	int64		n = 1;
	SurvivalCurve *curve;

	for (const char *at = reader.text; *at; at++)
		n += *at == ',';
	curve = new_curve(n);
	cvm_expect(&reader, "{");
	for (int64 i = 0; i < n; i++)
	{
		SurvivalStep *step = &curve->step[i];

		if (i > 0)
			cvm_expect(&reader, ",");
		step->duration = cvm_read_double(&reader, "a duration") + 0.0;	/* no -0 */
		cvm_expect(&reader, ":");
		step->churned = cvm_read_whole(&reader, "a count");
		cvm_expect(&reader, "+");
		step->censored = cvm_read_whole(&reader, "a count");
	}
	cvm_expect(&reader, "}");
	cvm_expect_end(&reader, "the end");
	check_curve(curve);
	PG_RETURN_POINTER(curve);
}

/* ---------- binary: version, number of steps, steps ---------- */

PG_FUNCTION_INFO_V1(cvm_survival_curve_send);
Datum
cvm_survival_curve_send(PG_FUNCTION_ARGS)
{
	SurvivalCurve *curve = PG_GETARG_CURVE_P(0);
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendint32(&buffer, curve->version);
	pq_sendint32(&buffer, cvm_curve_steps(curve));
	for (int i = 0; i < cvm_curve_steps(curve); i++)
	{
		pq_sendfloat8(&buffer, curve->step[i].duration);
		pq_sendint64(&buffer, curve->step[i].churned);
		pq_sendint64(&buffer, curve->step[i].censored);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

PG_FUNCTION_INFO_V1(cvm_survival_curve_recv);
Datum
cvm_survival_curve_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	uint32		version = pq_getmsgint(buffer, 4);
	uint32		n = pq_getmsgint(buffer, 4);
	SurvivalCurve *curve;

	if (version != CVM_CURVE_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported version %u of type survival_curve", version)));
	if (n > (uint32) (buffer->len - buffer->cursor) / sizeof(SurvivalStep))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("a survival curve of %u durations does not fit its message", n)));
	curve = new_curve(n);
	for (uint32 i = 0; i < n; i++)
	{
		curve->step[i].duration = pq_getmsgfloat8(buffer);
		if (curve->step[i].duration == 0)
			curve->step[i].duration = 0;	/* no -0 */
		curve->step[i].churned = pq_getmsgint64(buffer);
		curve->step[i].censored = pq_getmsgint64(buffer);
	}
	check_curve(curve);
	PG_RETURN_POINTER(curve);
}

/* ---------- aggregate ---------- */

static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

static Datum
return_state(FunctionCallInfo fcinfo, CurveState *state)
{
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(cvm_survival_curve_accum);
/* (state, duration, churned); rows of outer joins (both NULL) are skipped, one NULL is bad data */
Datum
cvm_survival_curve_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	CurveState *state = PG_ARGISNULL(0) ? NULL : (CurveState *) PG_GETARG_POINTER(0);
	SurvivalStep step = {0};

	if (PG_ARGISNULL(1) && PG_ARGISNULL(2))
		return return_state(fcinfo, state);
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s of a customer must not be null", PG_ARGISNULL(1) ? "duration" : "churned"),
				 errhint("Leave such rows out: FILTER (WHERE duration IS NOT NULL AND churned IS NOT NULL).")));
	check_duration(PG_GETARG_FLOAT8(1));
	if (state == NULL)
		state = new_state(context);
	step.duration = PG_GETARG_FLOAT8(1) + 0.0;	/* -0 becomes 0 */
	step.churned = PG_GETARG_BOOL(2);
	step.censored = !PG_GETARG_BOOL(2);
	add_step(state, step);
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(cvm_survival_curve_combine);
Datum
cvm_survival_curve_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	CurveState *into = PG_ARGISNULL(0) ? NULL : (CurveState *) PG_GETARG_POINTER(0);
	CurveState *from = PG_ARGISNULL(1) ? NULL : (CurveState *) PG_GETARG_POINTER(1);

	if (from == NULL)
		return return_state(fcinfo, into);
	if (into == NULL)
		into = new_state(context);
	for (int64 i = 0; i < from->n; i++)
		add_step(into, from->step[i]);
	PG_RETURN_POINTER(into);
}

PG_FUNCTION_INFO_V1(cvm_survival_curve_serialize);
Datum
cvm_survival_curve_serialize(PG_FUNCTION_ARGS)
{
	CurveState *state = (CurveState *) PG_GETARG_POINTER(0);
	StringInfoData buffer;
	SurvivalCurve *curve;

	(void) aggregate_context(fcinfo);
	curve = curve_of(state);
	pq_begintypsend(&buffer);
	pq_sendbytes(&buffer, (char *) curve->step, sizeof(SurvivalStep) * state->n);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

PG_FUNCTION_INFO_V1(cvm_survival_curve_deserialize);
Datum
cvm_survival_curve_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	int64		n = VARSIZE_ANY_EXHDR(bytes) / sizeof(SurvivalStep);
	CurveState *state;

	(void) aggregate_context(fcinfo);
	state = new_state(CurrentMemoryContext);
	for (int64 i = 0; i < n; i++)
	{
		SurvivalStep step;

		memcpy(&step, VARDATA_ANY(bytes) + i * sizeof(SurvivalStep), sizeof(step));
		add_step(state, step);
	}
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(cvm_survival_curve_final);
/* NULL for no rows */
Datum
cvm_survival_curve_final(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_POINTER(curve_of((CurveState *) PG_GETARG_POINTER(0)));
}

/* ---------- sum, equality, hash ---------- */

PG_FUNCTION_INFO_V1(cvm_survival_curve_add);
/* Curves of different customers. */
Datum
cvm_survival_curve_add(PG_FUNCTION_ARGS)
{
	CurveState *state = new_state(CurrentMemoryContext);
	SurvivalCurve *sum;

	for (int k = 0; k < 2; k++)
	{
		SurvivalCurve *curve = PG_GETARG_CURVE_P(k);

		for (int i = 0; i < cvm_curve_steps(curve); i++)
			add_step(state, curve->step[i]);
	}
	sum = curve_of(state);
	check_curve(sum);
	PG_RETURN_POINTER(sum);
}
