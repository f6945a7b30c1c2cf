/*
 * sample.c: aggregates that need all values of a group at once, sorted: measures of
 * concentration and of evaluation (math/concentration.h, math/evaluation.h).
 *
 * The state keeps the values, 8 or 16 bytes a row, and sorts them when a result is asked
 * for; so the result is the same to the last digit whatever the order of rows and
 * however parallel workers split them.  Rows with a NULL are left out.
 */
#include "compat.h"

#include <math.h>

#include "fmgr.h"
#include "libpq/pqformat.h"
#include "math/concentration.h"
#include "math/evaluation.h"
#include "miscadmin.h"
#include "utils/memutils.h"

typedef struct Sample
{
	int			width;			/* 1: values, 2: pairs */
	bool		sorted;
	double		fraction;		/* constant argument of the aggregate; -1 if it has none */
	int64		n;
	int64		allocated;
	double	   *values;			/* n x width */
} Sample;

static inline int
compare(double a, double b)
{
	return (a > b) - (a < b);
}

static inline int
compare_pairs(const cvm_pair *a, const cvm_pair *b)
{
	int			order = compare(a->predicted, b->predicted);

	return order ? order : compare(a->actual, b->actual);
}

#define ST_SORT sort_values
#define ST_ELEMENT_TYPE double
#define ST_COMPARE(a, b) compare(*(a), *(b))
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

#define ST_SORT sort_pairs
#define ST_ELEMENT_TYPE cvm_pair
#define ST_COMPARE(a, b) compare_pairs(a, b)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

static Sample *
new_sample(MemoryContext context, int width, double fraction)
{
	Sample	   *sample = MemoryContextAllocZero(context, sizeof(Sample));

	sample->width = width;
	sample->fraction = fraction;
	sample->allocated = 64;
	sample->values = MemoryContextAlloc(context, sizeof(double) * width * sample->allocated);
	return sample;
}

static void
reserve(Sample *sample, int64 more)
{
	if (sample->n + more <= sample->allocated)
		return;
	sample->allocated = Max(2 * sample->allocated, sample->n + more);
	sample->values = repalloc_huge(sample->values, sizeof(double) * sample->width * sample->allocated);
}

/* The fraction is an argument of every row but of the whole group. */
static void
check_same_fraction(const Sample *sample, double fraction)
{
	if (sample->fraction != fraction)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the fraction must not change within a group, as it does from %.15g to %.15g", sample->fraction, fraction)));
}

static double
fraction_argument(FunctionCallInfo fcinfo, int n)
{
	double		fraction = PG_GETARG_FLOAT8(n);

	if (!(fraction > 0 && fraction <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("fraction %.15g is outside its domain", fraction),
				 errdetail("It must be above 0 and at most 1.")));
	return fraction;
}

static double
finite_argument(FunctionCallInfo fcinfo, int n)
{
	double		value = PG_GETARG_FLOAT8(n);

	if (!isfinite(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a value of the group is %.15g", value),
				 errdetail("Values must be finite numbers."),
				 errhint("Leave such rows out with FILTER (WHERE ...).")));
	return value;
}

static double
probability_argument(FunctionCallInfo fcinfo, int n)
{
	double		p = finite_argument(fcinfo, n);

	if (p < 0 || p > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("probability %.15g is outside its domain", p),
				 errdetail("It must be between 0 and 1.")));
	return p;
}

/* ---------- transition functions ---------- */

/* The sample so far, made for the first row; NULL if the row has a NULL. */
static Sample *
sample_for_row(FunctionCallInfo fcinfo, int width)
{
	MemoryContext context = aggregate_context(fcinfo);
	double		fraction = -1;
	Sample	   *sample;

	for (int i = 1; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i))
			return NULL;
	if (PG_NARGS() > width + 1)
		fraction = fraction_argument(fcinfo, width + 1);
	sample = PG_ARGISNULL(0) ? new_sample(context, width, fraction) : (Sample *) PG_GETARG_POINTER(0);
	check_same_fraction(sample, fraction);
	reserve(sample, 1);
	sample->sorted = false;
	return sample;
}

static Datum
unchanged_state(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

static Datum
add_pair(FunctionCallInfo fcinfo, Sample *sample, double predicted, double actual)
{
	cvm_pair   *pair = (cvm_pair *) sample->values + sample->n++;

	pair->predicted = predicted;
	pair->actual = actual;
	PG_RETURN_POINTER(sample);
}

PG_FUNCTION_INFO_V1(cvm_sample_accum_value);
/* (state, value [, fraction]) */
Datum
cvm_sample_accum_value(PG_FUNCTION_ARGS)
{
	Sample	   *sample = sample_for_row(fcinfo, 1);

	if (sample == NULL)
		return unchanged_state(fcinfo);
	sample->values[sample->n++] = finite_argument(fcinfo, 1);
	PG_RETURN_POINTER(sample);
}

PG_FUNCTION_INFO_V1(cvm_sample_accum_forecast);
/* (state, actual, predicted [, fraction]) */
Datum
cvm_sample_accum_forecast(PG_FUNCTION_ARGS)
{
	Sample	   *sample = sample_for_row(fcinfo, 2);

	if (sample == NULL)
		return unchanged_state(fcinfo);
	return add_pair(fcinfo, sample, finite_argument(fcinfo, 2), finite_argument(fcinfo, 1));
}

PG_FUNCTION_INFO_V1(cvm_sample_accum_score);
/* (state, outcome boolean, score) */
Datum
cvm_sample_accum_score(PG_FUNCTION_ARGS)
{
	Sample	   *sample = sample_for_row(fcinfo, 2);

	if (sample == NULL)
		return unchanged_state(fcinfo);
	return add_pair(fcinfo, sample, finite_argument(fcinfo, 2), PG_GETARG_BOOL(1));
}

PG_FUNCTION_INFO_V1(cvm_sample_accum_probability);
/* (state, outcome boolean, probability) */
Datum
cvm_sample_accum_probability(PG_FUNCTION_ARGS)
{
	Sample	   *sample = sample_for_row(fcinfo, 2);

	if (sample == NULL)
		return unchanged_state(fcinfo);
	return add_pair(fcinfo, sample, probability_argument(fcinfo, 2), PG_GETARG_BOOL(1));
}

/* ---------- combine and serialise ---------- */

PG_FUNCTION_INFO_V1(cvm_sample_combine);
Datum
cvm_sample_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	Sample	   *from = PG_ARGISNULL(1) ? NULL : (Sample *) PG_GETARG_POINTER(1);
	Sample	   *into;

	if (from == NULL)
		return unchanged_state(fcinfo);
	into = PG_ARGISNULL(0) ? new_sample(context, from->width, from->fraction) : (Sample *) PG_GETARG_POINTER(0);
	check_same_fraction(into, from->fraction);
	reserve(into, from->n);
	memcpy(into->values + into->n * into->width, from->values, sizeof(double) * from->width * from->n);
	into->n += from->n;
	into->sorted = false;
	PG_RETURN_POINTER(into);
}

PG_FUNCTION_INFO_V1(cvm_sample_serialize);
/* width, fraction, then the values as they lie in memory: both ends are one server */
Datum
cvm_sample_serialize(PG_FUNCTION_ARGS)
{
	Sample	   *sample = (Sample *) PG_GETARG_POINTER(0);
	Size		size = sizeof(double) * sample->width * sample->n;
	StringInfoData buffer;

	(void) aggregate_context(fcinfo);
	if (size > MaxAllocSize - 1024)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a group of " INT64_FORMAT " rows is too large for a parallel aggregate", sample->n),
				 errhint("Set max_parallel_workers_per_gather to 0 for this query.")));
	pq_begintypsend(&buffer);
	pq_sendint32(&buffer, sample->width);
	pq_sendfloat8(&buffer, sample->fraction);
	pq_sendbytes(&buffer, (char *) sample->values, size);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

PG_FUNCTION_INFO_V1(cvm_sample_deserialize);
Datum
cvm_sample_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *serialized = PG_GETARG_BYTEA_PP(0);
	StringInfoData buffer;
	Sample	   *sample;
	int			width;
	double		fraction;

	(void) aggregate_context(fcinfo);
	initStringInfo(&buffer);
	appendBinaryStringInfo(&buffer, VARDATA_ANY(serialized), VARSIZE_ANY_EXHDR(serialized));
	width = pq_getmsgint(&buffer, 4);
	fraction = pq_getmsgfloat8(&buffer);
	sample = new_sample(CurrentMemoryContext, width, fraction);
	reserve(sample, (buffer.len - buffer.cursor) / (sizeof(double) * width));
	sample->n = (buffer.len - buffer.cursor) / (sizeof(double) * width);
	pq_copymsgbytes(&buffer, (char *) sample->values, buffer.len - buffer.cursor);
	pq_getmsgend(&buffer);
	pfree(buffer.data);
	PG_RETURN_POINTER(sample);
}

/* ---------- results ---------- */

/* The sample in order, or NULL.  Its order carries no meaning, so sorting it in place changes nothing. */
static Sample *
sorted_sample(FunctionCallInfo fcinfo)
{
	Sample	   *sample = PG_ARGISNULL(0) ? NULL : (Sample *) PG_GETARG_POINTER(0);

	(void) aggregate_context(fcinfo);
	if (sample && !sample->sorted && sample->width == 1)
		sort_values(sample->values, sample->n);
	else if (sample && !sample->sorted)
		sort_pairs((cvm_pair *) sample->values, sample->n);
	if (sample)
		sample->sorted = true;
	return sample;
}

/* What is not defined is NULL; what a double can not hold is an error and never a number. */
static Datum
return_statistic(FunctionCallInfo fcinfo, double statistic)
{
	if (isinf(statistic))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("the values of a group are too large to be summed")));
	if (isnan(statistic))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(statistic);
}

/* Shares of a total are not between 0 and 1 where values are negative; who reads them should know. */
static void
warn_negative(const Sample *sample, const char *measure)
{
	if (sample->values[0] < 0)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("a %s of values that are partly negative may exceed 1", measure),
				 errdetail("The lowest value is %.15g.", sample->values[0]),
				 errhint("cvm.whale_curve shows profits and losses.")));
}

#define CONCENTRATION(name, measure, ...) \
PG_FUNCTION_INFO_V1(name##_final); \
Datum \
name##_final(PG_FUNCTION_ARGS) \
{ \
	Sample	   *sample = sorted_sample(fcinfo); \
\
	if (sample == NULL) \
		PG_RETURN_NULL(); \
	if (measure) \
		warn_negative(sample, measure); \
	return return_statistic(fcinfo, name(sample->values, sample->n __VA_ARGS__)); \
}

CONCENTRATION(cvm_gini, "Gini coefficient")
CONCENTRATION(cvm_gini_small_sample, "Gini coefficient")
CONCENTRATION(cvm_hhi, "Herfindahl-Hirschman index")
CONCENTRATION(cvm_top_share, (const char *) NULL, , sample->fraction)
CONCENTRATION(cvm_whale_peak, (const char *) NULL)

#define EVALUATION(name, ...) \
PG_FUNCTION_INFO_V1(name##_final); \
Datum \
name##_final(PG_FUNCTION_ARGS) \
{ \
	Sample	   *sample = sorted_sample(fcinfo); \
\
	if (sample == NULL) \
		PG_RETURN_NULL(); \
	return return_statistic(fcinfo, name((cvm_pair *) sample->values, sample->n __VA_ARGS__)); \
}

EVALUATION(cvm_mae)
EVALUATION(cvm_relative_mae)
EVALUATION(cvm_rmse)
EVALUATION(cvm_bias_percent)
EVALUATION(cvm_top_capture, , sample->fraction)
EVALUATION(cvm_top_lift, , sample->fraction)
EVALUATION(cvm_auc)
EVALUATION(cvm_auc_standard_error)
EVALUATION(cvm_brier)
EVALUATION(cvm_log_loss)

/* The actual values in their own order. */
static double *
actual_in_order(const Sample *sample)
{
	const cvm_pair *pairs = (const cvm_pair *) sample->values;
	double	   *actual = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * sample->n);

	for (int64 i = 0; i < sample->n; i++)
		actual[i] = pairs[i].actual;
	sort_values(actual, sample->n);
	return actual;
}

PG_FUNCTION_INFO_V1(cvm_rank_gini_final);
Datum
cvm_rank_gini_final(PG_FUNCTION_ARGS)
{
	Sample	   *sample = sorted_sample(fcinfo);
	double	   *actual;
	double		statistic;

	if (sample == NULL)
		PG_RETURN_NULL();
	actual = actual_in_order(sample);
	statistic = cvm_rank_gini((cvm_pair *) sample->values, actual, sample->n);
	pfree(actual);
	return return_statistic(fcinfo, statistic);
}
