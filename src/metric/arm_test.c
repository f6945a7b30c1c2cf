/*
 * arm_test.c: the tests of an experiment from counts, means and deviations; and what they
 * share with its aggregates (experiment.c): arguments and rows of results.
 */
#include "metric/experiment.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define MAX_COLUMNS 20
#define MAX_CUSTOMERS 1e15

/* ---------- arguments ---------- */

double
cvm_open_argument(FunctionCallInfo fcinfo, int n, const char *name, double low, double high)
{
	double		value = PG_GETARG_FLOAT8(n);

	if (!(value > low && value < high))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s %.15g is outside its domain", name, value),
				 isinf(high) ? errdetail("It must be above %.15g and finite.", low)
				 : errdetail("It must be above %.15g and below %.15g.", low, high)));
	return value;
}

double
cvm_confidence_argument(FunctionCallInfo fcinfo, int n)
{
	return cvm_open_argument(fcinfo, n, "confidence", 0, 1);
}

static double
check_finite(const char *name, double value)
{
	if (!isfinite(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s %.15g is not a finite number", name, value),
				 errhint("Leave such rows out with FILTER (WHERE ...).")));
	return value;
}

double
cvm_finite_measure(FunctionCallInfo fcinfo, int n, const char *name)
{
	return check_finite(name, PG_GETARG_FLOAT8(n));
}

const double *
cvm_numbers_argument(FunctionCallInfo fcinfo, int n, const char *name, int *length)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(n);
	const double *values = (const double *) ARR_DATA_PTR(array);

	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name),
				 errhint("Give 0 for nothing, and leave out who was not there.")));
	*length = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	for (int i = 0; i < *length; i++)
		check_finite(name, values[i]);
	return values;
}

static double
count_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	int64		count = PG_GETARG_INT64(n);

	if (count < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s " INT64_FORMAT " is outside its domain", name, count),
				 errdetail("A number of customers is not negative.")));
	return count;
}

/* ---------- results ---------- */

const char *const cvm_reason_name[] = {
	[CVM_GIVEN] = NULL,
	[CVM_ONE_ARM] = "one_arm",
	[CVM_TOO_FEW] = "too_few",
	[CVM_NO_VARIANCE] = "no_variance",
	[CVM_CONSTANT_COVARIATE] = "constant_covariate",
	[CVM_CONTROL_ZERO] = "control_zero",
};

static Datum
number_column(Form_pg_attribute column, double value)
{
	switch (column->atttypid)
	{
		case INT8OID:
			return Int64GetDatum((int64) value);
		case INT4OID:
			return Int32GetDatum((int32) value);
		case BOOLOID:
			return BoolGetDatum(value != 0);
		default:
			return Float8GetDatum(value);
	}
}

/* A row of the function's type: numbers, NAN being NULL, then texts. */
Datum
cvm_return_row(FunctionCallInfo fcinfo, const double *numbers, int n, const char *const *texts, int n_texts)
{
	TupleDesc	shape;
	Datum		values[MAX_COLUMNS];
	bool		nulls[MAX_COLUMNS];

	if (get_call_result_type(fcinfo, NULL, &shape) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (shape->natts != n + n_texts || shape->natts > MAX_COLUMNS)
		elog(ERROR, "a row of %d columns was expected", n + n_texts);
	for (int i = 0; i < n; i++)
	{
		if (isinf(numbers[i]))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("value out of range: overflow")));
		nulls[i] = isnan(numbers[i]);
		values[i] = nulls[i] ? (Datum) 0 : number_column(TupleDescAttr(shape, i), numbers[i]);
	}
	for (int i = 0; i < n_texts; i++)
	{
		nulls[n + i] = texts[i] == NULL;
		values[n + i] = texts[i] ? CStringGetTextDatum(texts[i]) : (Datum) 0;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(shape), values, nulls)));
}

/* ---------- means and proportions ---------- */

Datum
cvm_return_means(FunctionCallInfo fcinfo, const cvm_arm *treated, const cvm_arm *control, double confidence)
{
	cvm_difference d = cvm_welch(treated, control, confidence);
	double		numbers[] = {
		treated->n, control->n, treated->mean, control->mean, d.difference, d.error, d.low, d.high,
		d.statistic, d.degrees, d.p, d.relative
	};

	return cvm_return_row(fcinfo, numbers, lengthof(numbers), &cvm_reason_name[d.reason], 1);
}

static cvm_arm
arm_argument(FunctionCallInfo fcinfo, int n, const char *count, const char *mean, const char *sd)
{
	cvm_arm		arm = {count_argument(fcinfo, n, count), cvm_finite_measure(fcinfo, n + 1, mean), NAN};
	double		deviation = cvm_finite_measure(fcinfo, n + 2, sd);

	if (deviation < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s %.15g is outside its domain", sd, deviation),
				 errdetail("A standard deviation is not negative.")));
	if (arm.n < 1)
		arm.mean = NAN;
	if (arm.n > 1)
		arm.variance = deviation * deviation;
	return arm;
}

PG_FUNCTION_INFO_V1(cvm_welch_test);
/* (treated, treated_mean, treated_sd, control, control_mean, control_sd, confidence) */
Datum
cvm_welch_test(PG_FUNCTION_ARGS)
{
	cvm_arm		treated = arm_argument(fcinfo, 0, "treated", "treated_mean", "treated_sd");
	cvm_arm		control = arm_argument(fcinfo, 3, "control", "control_mean", "control_sd");

	return cvm_return_means(fcinfo, &treated, &control, cvm_confidence_argument(fcinfo, 6));
}

Datum
cvm_return_proportions(FunctionCallInfo fcinfo, double treated_hits, double treated, double control_hits, double control, double confidence)
{
	double		wald_low,
				wald_high;
	cvm_difference d = cvm_two_proportions(treated_hits, treated, control_hits, control, confidence, &wald_low, &wald_high);
	double		numbers[] = {
		treated, control, treated_hits / treated, control_hits / control, d.difference, d.error, d.low, d.high,
		wald_low, wald_high, d.statistic, d.p, d.relative
	};

	return cvm_return_row(fcinfo, numbers, lengthof(numbers), &cvm_reason_name[d.reason], 1);
}

PG_FUNCTION_INFO_V1(cvm_two_proportions_test);
/* (treated_converted, treated, control_converted, control, confidence) */
Datum
cvm_two_proportions_test(PG_FUNCTION_ARGS)
{
	double		treated_hits = count_argument(fcinfo, 0, "treated_converted");
	double		treated = count_argument(fcinfo, 1, "treated");
	double		control_hits = count_argument(fcinfo, 2, "control_converted");
	double		control = count_argument(fcinfo, 3, "control");

	if (treated_hits > treated || control_hits > control)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("more customers converted than there are"),
				 errdetail("%.0f of %.0f treated, %.0f of %.0f in control.", treated_hits, treated, control_hits, control)));
	return cvm_return_proportions(fcinfo, treated_hits, treated, control_hits, control, cvm_confidence_argument(fcinfo, 4));
}

/* ---------- sample ratio and looks at any time ---------- */

PG_FUNCTION_INFO_V1(cvm_sample_ratio_test);
/* (counts, shares, alpha) -> customers, chi-square, degrees of freedom, p, broken, reason */
Datum
cvm_sample_ratio_test(PG_FUNCTION_ARGS)
{
	int			arms,
				n_shares;
	const double *counts = cvm_numbers_argument(fcinfo, 0, "a count", &arms);
	const double *shares = cvm_numbers_argument(fcinfo, 1, "a share", &n_shares);
	double		alpha = cvm_open_argument(fcinfo, 2, "alpha", 0, 1);
	double		customers = 0;
	double		share = 0;
	double		least = INFINITY;
	double		numbers[] = {NAN, NAN, NAN, NAN, NAN};
	const char *reason = NULL;

	if (arms != n_shares)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there are %d counts and %d shares", arms, n_shares),
				 errdetail("Every arm has one of each.")));
	for (int i = 0; i < arms; i++)
	{
		if (counts[i] < 0 || counts[i] > MAX_CUSTOMERS || shares[i] <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("arm %d has %.15g customers and a share of %.15g", i + 1, counts[i], shares[i]),
					 errdetail("A count is not negative and at most %g, and a share is above 0.", MAX_CUSTOMERS)));
		customers += counts[i];
		share += shares[i];
		least = fmin(least, shares[i]);
	}
	numbers[0] = customers;
	if (arms < 2)
		reason = "one_arm";
	else if (customers * (least / share) < 5)	/* Cochran 1954: chi-square says nothing then */
		reason = "too_few";
	else
	{
		numbers[2] = arms - 1;
		numbers[3] = cvm_sample_ratio(arms, counts, shares, &numbers[1]);
		numbers[4] = numbers[3] < alpha;
	}
	return cvm_return_row(fcinfo, numbers, lengthof(numbers), &reason, 1);
}

PG_FUNCTION_INFO_V1(cvm_sequential_test);
/* (difference, standard_error, expected_effect, confidence) -> p, low, high */
Datum
cvm_sequential_test(PG_FUNCTION_ARGS)
{
	double		difference = cvm_finite_measure(fcinfo, 0, "difference");
	double		error = cvm_open_argument(fcinfo, 1, "standard_error", 0, INFINITY);
	double		scale = cvm_open_argument(fcinfo, 2, "expected_effect", 0, INFINITY);
	double		margin = cvm_always_valid_margin(error, scale, cvm_confidence_argument(fcinfo, 3));
	double		numbers[] = {cvm_always_valid_p(difference, error, scale), difference - margin, difference + margin};

	return cvm_return_row(fcinfo, numbers, lengthof(numbers), NULL, 0);
}
