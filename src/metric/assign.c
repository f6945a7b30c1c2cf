/*
 * assign.c: who gets which arm of an experiment, from nothing but the names of both.
 *
 * The point of a customer in [0, 1) is the first 53 bits of SHA-256 (FIPS 180-4) of the
 * experiment's name, a zero byte and the customer's, in UTF-8 whatever the database's
 * encoding, divided by 2^53.  A shop's front end can compute the same in three lines of
 * any language.  The zero byte, which no text holds, keeps ('a', 'bc') and ('ab', 'c') apart.
 */
#include "compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* a text in UTF-8 */
static char *
utf8_argument(FunctionCallInfo fcinfo, int n)
{
	char	   *string = text_to_cstring(PG_GETARG_TEXT_PP(n));

	return pg_server_to_any(string, strlen(string), PG_UTF8);
}

static double
point_argument(FunctionCallInfo fcinfo)
{
	const char *experiment = utf8_argument(fcinfo, 0);
	const char *customer = utf8_argument(fcinfo, 1);
	Size		front = strlen(experiment) + 1;
	Size		size = VARHDRSZ + front + strlen(customer);
	bytea	   *message = palloc(size);
	const unsigned char *digest;
	uint64		bits = 0;

	SET_VARSIZE(message, size);
	memcpy(VARDATA(message), experiment, front);
	memcpy(VARDATA(message) + front, customer, size - VARHDRSZ - front);
	digest = (unsigned char *) VARDATA_ANY(DatumGetByteaPP(DirectFunctionCall1(sha256_bytea, PointerGetDatum(message))));
	for (int i = 0; i < 8; i++)
		bits = bits << 8 | digest[i];
	return (bits >> 11) * 0x1p-53;
}

PG_FUNCTION_INFO_V1(cvm_assignment_point);
/* (experiment, customer) */
Datum
cvm_assignment_point(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(point_argument(fcinfo));
}

/* ---------- arms ---------- */

#define MAX_ARMS 100			/* every call compares each with each */

static bool
same_text(Datum a, Datum b)
{
	Size		size = VARSIZE_ANY_EXHDR(DatumGetPointer(a));

	return size == VARSIZE_ANY_EXHDR(DatumGetPointer(b)) &&
		memcmp(VARDATA_ANY(DatumGetPointer(a)), VARDATA_ANY(DatumGetPointer(b)), size) == 0;
}

static Datum *
arms_argument(FunctionCallInfo fcinfo, int *n)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(2);
	Datum	   *arms;

	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("an arm must not be null")));
	if (ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) > MAX_ARMS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("an experiment has at most %d arms, not %d", MAX_ARMS, ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array))),
				 errhint("Give an array with the name of each arm, not one with an element for each customer.")));
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &arms, NULL, n);
	if (*n < 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an experiment with %d arms compares nothing", *n),
				 errhint("Give at least two, such as ARRAY['control', 'treatment'].")));
	for (int i = 1; i < *n; i++)
		for (int k = 0; k < i; k++)
			if (same_text(arms[i], arms[k]))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("arm \"%s\" is given twice", TextDatumGetCString(arms[i])),
						 errhint("Use weights for arms of different size.")));
	return arms;
}

/* The weights, and their sum; 1 each where none are given. */
static double *
weights_argument(FunctionCallInfo fcinfo, int arms, double *sum)
{
	double	   *weights = palloc(sizeof(double) * arms);
	ArrayType  *array = PG_NARGS() > 3 ? PG_GETARG_ARRAYTYPE_P(3) : NULL;

	if (array && (array_contains_nulls(array) || ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) != arms))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%d arms need as many weights, not %d", arms, ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array))),
				 errhint("Give every arm a weight that is not null, 0 for none of the customers.")));
	*sum = 0;
	for (int i = 0; i < arms; i++)
	{
		weights[i] = array ? ((double *) ARR_DATA_PTR(array))[i] : 1;
		if (!(weights[i] >= 0 && weights[i] <= 1e9))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("weight %.15g is outside its domain", weights[i]),
					 errdetail("It must be between 0 and 1e9.")));
		*sum += weights[i];
	}
	if (*sum == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("all weights are 0"), errhint("Give at least one arm a share.")));
	return weights;
}

PG_FUNCTION_INFO_V1(cvm_assign);
/*
 * (experiment, customer, arms [, weights]): arm i gets the points from the sum of
 * the weights before it, over that of all, up to the next.
 */
Datum
cvm_assign(PG_FUNCTION_ARGS)
{
	int			n;
	Datum	   *arms = arms_argument(fcinfo, &n);
	double		sum,
				upto = 0;
	double	   *weights = weights_argument(fcinfo, n, &sum);
	double		point = point_argument(fcinfo);
	int			last = 0;

	for (int i = 0; i < n; i++)
	{
		if (weights[i] == 0)
			continue;
		last = i;
		upto += weights[i];
		if (point < upto / sum)
			break;
	}
	PG_RETURN_DATUM(arms[last]);
}
