/*
 * driver_sample.c: transition functions of cvm.drivers (see driver.h).
 *
 * A bootstrap draws rows again, so the state keeps them all, 8 bytes a number.  A row
 * with a NULL, be it of the outcome or of one attribute, is left out and counted.
 */
#include "metric/driver.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "math/importance.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

/* ---------- what a group agrees on ---------- */

static ArrayType *
names_argument(FunctionCallInfo fcinfo)
{
	ArrayType  *names = PG_NARGS() > 3 && !PG_ARGISNULL(3) ? PG_GETARG_ARRAYTYPE_P(3) : NULL;

	if (names && (ARR_NDIM(names) != 1 || array_contains_nulls(names)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the names of the attributes must be a plain array without null")));
	return names;
}

static void *
copy_of(MemoryContext context, const void *varlena)
{
	void	   *copy;

	if (varlena == NULL)
		return NULL;
	copy = MemoryContextAlloc(context, VARSIZE(varlena));
	memcpy(copy, varlena, VARSIZE(varlena));
	return copy;
}

static bool
same(const void *a, const void *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return VARSIZE_ANY(a) == VARSIZE_ANY(b) && memcmp(a, b, VARSIZE_ANY(a)) == 0;
}

static void
refuse_twins(ArrayType *names)
{
	Datum	   *name;
	int			n;

	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &name, NULL, &n);
	for (int i = 1; i < n; i++)
		for (int k = 0; k < i; k++)
			if (same(DatumGetTextPP(name[i]), DatumGetTextPP(name[k])))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("there are two attributes \"%s\"", text_to_cstring(DatumGetTextPP(name[i]))),
						 errhint("Give every attribute a name of its own.")));
}

static DriverSample *
new_sample(MemoryContext context, ArrayType *names, Jsonb *given)
{
	DriverSample *sample = MemoryContextAllocZero(context, sizeof(DriverSample));

	if (names)
		refuse_twins(names);
	sample->names = copy_of(context, names);
	sample->given = copy_of(context, given);
	sample->options = cvm_driver_options(given);
	return sample;
}

static void
check_same(const DriverSample *sample, ArrayType *names, Jsonb *given)
{
	if (!same(sample->names, names) || !same(sample->given, given))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("names and options of cvm.drivers must not change within a group")));
}

/* The first array says how many attributes there are. */
static void
set_attributes(DriverSample *sample, int attributes)
{
	int			names = sample->names ? ARR_DIMS(sample->names)[0] : attributes;

	if (attributes != names)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%d names do not fit %d attributes", names, attributes)));
	if (attributes > MAX_DRIVERS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%d attributes are too many", attributes),
				 errdetail("There may be at most %d.", MAX_DRIVERS)));
	if (attributes > CVM_MAX_LMG && !sample->options.by_weight)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%d attributes are too many for LMG, which solves a regression for each set of them", attributes),
				 errdetail("There may be at most %d.", CVM_MAX_LMG),
				 errhint("The option {\"importance\": \"relative-weight\"} takes up to %d.", MAX_DRIVERS)));
	sample->attributes = attributes;
}

static void
check_attributes(DriverSample *sample, int attributes)
{
	if (sample->attributes == 0)
		set_attributes(sample, attributes);
	if (sample->attributes != attributes)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("the number of attributes must not change within a group, as it does from %d to %d", sample->attributes, attributes)));
}

/* ---------- transition ---------- */

static void
reserve(MemoryContext context, DriverSample *sample, int64 more)
{
	Size		width = sizeof(double) * (sample->attributes + 1);

	if (sample->n + more <= sample->allocated)
		return;
	if (sample->n + more > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a group of cvm.drivers may have at most %d rows", PG_INT32_MAX)));
	sample->allocated = Max(Max(64, 2 * sample->allocated), sample->n + more);
	sample->values = sample->values ? repalloc_huge(sample->values, width * sample->allocated) :
		MemoryContextAllocHuge(context, width * sample->allocated);
}

static double
finite_value(double value)
{
	if (!isfinite(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a value of the group is %.15g", value),
				 errdetail("Values must be finite numbers."),
				 errhint("Leave such rows out with FILTER (WHERE ...).")));
	return value + 0.0;			/* -0 is 0 */
}

static void
add_row(MemoryContext context, DriverSample *sample, double outcome, ArrayType *attributes)
{
	double	   *row;

	reserve(context, sample, 1);
	row = sample->values + sample->n * (sample->attributes + 1);
	row[0] = finite_value(outcome);
	for (int j = 0; j < sample->attributes; j++)
		row[j + 1] = finite_value(((double *) ARR_DATA_PTR(attributes))[j]);
	sample->n++;
}

PG_FUNCTION_INFO_V1(cvm_driver_accum);
/* (state, outcome float8, attributes float8[] [, names text[] [, options jsonb]]) */
Datum
cvm_driver_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	ArrayType  *names = names_argument(fcinfo);
	Jsonb	   *given = PG_NARGS() > 4 && !PG_ARGISNULL(4) ? PG_GETARG_JSONB_P(4) : NULL;
	ArrayType  *attributes = PG_ARGISNULL(2) ? NULL : PG_GETARG_ARRAYTYPE_P(2);
	DriverSample *sample;

	if (PG_ARGISNULL(0))
		sample = new_sample(context, names, given);
	else
	{
		sample = (DriverSample *) PG_GETARG_POINTER(0);
		check_same(sample, names, given);
	}
	if (attributes && ARR_NDIM(attributes) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("the attributes must be given as a plain array with one number for each")));
	if (attributes)
		check_attributes(sample, ARR_DIMS(attributes)[0]);
	if (attributes && !PG_ARGISNULL(1) && !array_contains_nulls(attributes))
		add_row(context, sample, PG_GETARG_FLOAT8(1), attributes);
	else
		sample->left_out++;
	PG_RETURN_POINTER(sample);
}

/* ---------- combine and serialise ---------- */

PG_FUNCTION_INFO_V1(cvm_driver_combine);
Datum
cvm_driver_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	DriverSample *from = PG_ARGISNULL(1) ? NULL : (DriverSample *) PG_GETARG_POINTER(1);
	DriverSample *into;

	if (from == NULL && PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (from == NULL)
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	into = PG_ARGISNULL(0) ? new_sample(context, from->names, from->given) : (DriverSample *) PG_GETARG_POINTER(0);
	check_same(into, from->names, from->given);
	into->left_out += from->left_out;
	if (from->attributes > 0)
		check_attributes(into, from->attributes);
	if (from->n > 0)
	{
		reserve(context, into, from->n);
		memcpy(into->values + into->n * (into->attributes + 1), from->values, sizeof(double) * (from->attributes + 1) * from->n);
		into->n += from->n;
	}
	PG_RETURN_POINTER(into);
}

static void
send_varlena(StringInfo buffer, const void *varlena)
{
	int			size = varlena ? VARSIZE(varlena) : 0;

	pq_sendint32(buffer, size);
	if (size > 0)
		pq_sendbytes(buffer, varlena, size);
}

static void *
receive_varlena(StringInfo buffer)
{
	int			size = pq_getmsgint(buffer, 4);
	void	   *varlena;

	if (size == 0)
		return NULL;
	varlena = palloc(size);
	pq_copymsgbytes(buffer, varlena, size);
	return varlena;
}

PG_FUNCTION_INFO_V1(cvm_driver_serialize);
/* numbers as they lie in memory: both ends are one server */
Datum
cvm_driver_serialize(PG_FUNCTION_ARGS)
{
	DriverSample *sample = (DriverSample *) PG_GETARG_POINTER(0);
	Size		size = sizeof(double) * (sample->attributes + 1) * sample->n;
	StringInfoData buffer;

	(void) aggregate_context(fcinfo);
	if (size > MaxAllocSize / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%lld rows are too many for a parallel worker to hand over", (long long) sample->n),
				 errhint("SET max_parallel_workers_per_gather = 0.")));
	pq_begintypsend(&buffer);
	send_varlena(&buffer, sample->names);
	send_varlena(&buffer, sample->given);
	pq_sendint32(&buffer, sample->attributes);
	pq_sendint64(&buffer, sample->left_out);
	pq_sendint64(&buffer, sample->n);
	if (size > 0)
		pq_sendbytes(&buffer, (char *) sample->values, size);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

PG_FUNCTION_INFO_V1(cvm_driver_deserialize);
Datum
cvm_driver_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *serialized = PG_GETARG_BYTEA_PP(0);
	StringInfoData buffer;
	DriverSample *sample;
	ArrayType  *names;
	int64		n;

	(void) aggregate_context(fcinfo);
	initStringInfo(&buffer);
	appendBinaryStringInfo(&buffer, VARDATA_ANY(serialized), VARSIZE_ANY_EXHDR(serialized));
	names = receive_varlena(&buffer);
	sample = new_sample(CurrentMemoryContext, names, receive_varlena(&buffer));
	sample->attributes = pq_getmsgint(&buffer, 4);
	sample->left_out = pq_getmsgint64(&buffer);
	n = pq_getmsgint64(&buffer);
	if (n > 0)
	{
		reserve(CurrentMemoryContext, sample, n);
		pq_copymsgbytes(&buffer, (char *) sample->values, sizeof(double) * (sample->attributes + 1) * n);
	}
	sample->n = n;
	pq_getmsgend(&buffer);
	pfree(buffer.data);
	PG_RETURN_POINTER(sample);
}

/* ---------- rows in order ---------- */

static inline int
compare_rows(const double *a, const double *b, int columns)
{
	for (int j = 0; j < columns; j++)
		if (a[j] != b[j])
			return a[j] < b[j] ? -1 : 1;
	return 0;
}

typedef double *SampleRow;

#define ST_SORT sort_rows
#define ST_ELEMENT_TYPE SampleRow
#define ST_COMPARE_ARG_TYPE int
#define ST_COMPARE(a, b, columns) compare_rows(*(a), *(b), *(columns))
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

DistinctRows
cvm_driver_distinct(const DriverSample *sample)
{
	DistinctRows rows = {.n = sample->n, .columns = sample->attributes + 1};
	Size		n = Max(sample->n, 1);

	rows.row = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double *) * n);
	rows.count = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int) * n);
	rows.owner = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int) * n);
	for (int64 i = 0; i < sample->n; i++)
		rows.row[i] = sample->values + i * rows.columns;
	sort_rows(rows.row, sample->n, &rows.columns);
	for (int64 i = 0; i < sample->n; i++)
	{
		if (i % INTERRUPT_ROWS == 0)
			CHECK_FOR_INTERRUPTS();
		if (i == 0 || compare_rows(rows.row[i], rows.row[rows.distinct - 1], rows.columns) != 0)
		{
			rows.row[rows.distinct] = rows.row[i];
			rows.count[rows.distinct++] = 0;
		}
		rows.count[rows.distinct - 1]++;
		rows.owner[i] = rows.distinct - 1;
	}
	return rows;
}
