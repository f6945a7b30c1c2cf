/*
 * tally.c: transition functions of aggregates whose state is a few counts or sums:
 * retention, repeat purchases, revenue retention.
 *
 * They would be one line of SQL each, at ten to forty times the cost of a row.  The
 * states are arrays of exact numbers, so that a result depends neither on the order
 * of rows nor on how parallel workers split them.
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#define SUMS 3					/* opening revenue; closing; closing, but at most the opening */

/* ---------- two counts ---------- */

static int64 *
counts_of(ArrayType *state)
{
	if (ARR_NDIM(state) != 1 || ARR_DIMS(state)[0] != 2 || ARR_HASNULL(state))
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("the state of an aggregate of counts must be two numbers")));
	return (int64 *) ARR_DATA_PTR(state);
}

/* The state, which the aggregate's own call may change in place. */
static ArrayType *
counts_argument(FunctionCallInfo fcinfo)
{
	return AggCheckCallContext(fcinfo, NULL) ? PG_GETARG_ARRAYTYPE_P(0) : PG_GETARG_ARRAYTYPE_P_COPY(0);
}

PG_FUNCTION_INFO_V1(cvm_retention_accum);
/* (state, at_start, at_end): customers at the start, and those of them at the end; NULL is absent */
Datum
cvm_retention_accum(PG_FUNCTION_ARGS)
{
	ArrayType  *state;
	int64	   *counts;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = counts_argument(fcinfo);
	counts = counts_of(state);
	if (!PG_ARGISNULL(1) && PG_GETARG_BOOL(1))
	{
		counts[0]++;
		counts[1] += !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	}
	PG_RETURN_ARRAYTYPE_P(state);
}

PG_FUNCTION_INFO_V1(cvm_repeat_accum);
/* (state, purchases), strict: customers, and those of them with two purchases or more */
Datum
cvm_repeat_accum(PG_FUNCTION_ARGS)
{
	ArrayType  *state = counts_argument(fcinfo);
	int64	   *counts = counts_of(state);
	int64		purchases = PG_GETARG_INT64(1);

	if (purchases < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("purchases " INT64_FORMAT " is outside its domain", purchases),
				 errdetail("A number of purchases is not negative.")));
	counts[0] += purchases >= 1;
	counts[1] += purchases >= 2;
	PG_RETURN_ARRAYTYPE_P(state);
}

PG_FUNCTION_INFO_V1(cvm_counts_combine);
Datum
cvm_counts_combine(PG_FUNCTION_ARGS)
{
	ArrayType  *state = counts_argument(fcinfo);
	int64	   *into = counts_of(state);
	const int64 *from = counts_of(PG_GETARG_ARRAYTYPE_P(1));

	into[0] += from[0];
	into[1] += from[1];
	PG_RETURN_ARRAYTYPE_P(state);
}

/* ---------- sums of revenue ---------- */

static Numeric
zero(void)
{
	return int64_to_numeric(0);
}

static int
compare(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a), NumericGetDatum(b)));
}

static Datum
add(Datum a, Numeric b)
{
	return DirectFunctionCall2(numeric_add, a, NumericGetDatum(b));
}

static char *
text_of(Numeric number)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
}

static void
check_revenue(const char *name, Numeric revenue)
{
	if (numeric_is_nan(revenue) || numeric_is_inf(revenue) || compare(revenue, zero()) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s %s is outside its domain", name, text_of(revenue)),
				 errdetail("Recurring revenue must be a finite number, and not negative.")));
}

static Datum *
sums_of(ArrayType *state)
{
	Datum	   *sums;
	bool	   *nulls;
	int			n;

	deconstruct_array(state, NUMERICOID, -1, false, TYPALIGN_INT, &sums, &nulls, &n);
	if (n != SUMS || array_contains_nulls(state))
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("the state of an aggregate of revenue must be %d numbers", SUMS)));
	return sums;
}

static Datum
return_sums(Datum *sums)
{
	PG_RETURN_ARRAYTYPE_P(construct_array(sums, SUMS, NUMERICOID, -1, false, TYPALIGN_INT));
}

/* The state with one customer more.  Those without opening revenue are new and do not count. */
static Datum
add_revenue(ArrayType *state, Numeric opening, Numeric closing)
{
	Datum	   *sums;

	check_revenue("opening", opening);
	check_revenue("closing", closing);
	if (compare(opening, zero()) == 0)
		PG_RETURN_ARRAYTYPE_P(state);
	sums = sums_of(state);
	sums[0] = add(sums[0], opening);
	sums[1] = add(sums[1], closing);
	sums[2] = add(sums[2], compare(opening, closing) < 0 ? opening : closing);
	return return_sums(sums);
}

PG_FUNCTION_INFO_V1(cvm_revenue_accum);
/* (state, opening numeric, closing numeric); NULL is 0 */
Datum
cvm_revenue_accum(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	return add_revenue(PG_GETARG_ARRAYTYPE_P(0),
					   PG_ARGISNULL(1) ? zero() : PG_GETARG_NUMERIC(1),
					   PG_ARGISNULL(2) ? zero() : PG_GETARG_NUMERIC(2));
}

/*
 * The shortest decimal that stands for the float; a cast to numeric keeps 15
 * digits only, and one to text as many as extra_float_digits says.
 */
static Numeric
decimal_argument(FunctionCallInfo fcinfo, int n)
{
	char		text[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (PG_ARGISNULL(n))
		return zero();
	double_to_shortest_decimal_buf(PG_GETARG_FLOAT8(n), text);
	return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(text),
											   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

PG_FUNCTION_INFO_V1(cvm_revenue_accum_float);
/* (state, opening float8, closing float8); NULL is 0 */
Datum
cvm_revenue_accum_float(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	return add_revenue(PG_GETARG_ARRAYTYPE_P(0), decimal_argument(fcinfo, 1), decimal_argument(fcinfo, 2));
}

PG_FUNCTION_INFO_V1(cvm_revenue_combine);
Datum
cvm_revenue_combine(PG_FUNCTION_ARGS)
{
	Datum	   *into = sums_of(PG_GETARG_ARRAYTYPE_P(0));
	Datum	   *from = sums_of(PG_GETARG_ARRAYTYPE_P(1));

	for (int i = 0; i < SUMS; i++)
		into[i] = add(into[i], DatumGetNumeric(from[i]));
	return return_sums(into);
}
