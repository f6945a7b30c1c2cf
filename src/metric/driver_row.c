/*
 * driver_row.c: results of a key driver analysis as rows of type cvm.driver, and importances
 * from correlations (see driver.h).
 */
#include "metric/driver.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "math/importance.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#define COLUMNS 27				/* of type cvm.driver */

typedef struct Row
{
	int			n;
	Datum		value[COLUMNS];
	bool		null[COLUMNS];
} Row;

static void
put(Row *row, Datum value, bool null)
{
	Assert(row->n < COLUMNS);
	row->value[row->n] = value;
	row->null[row->n++] = null;
}

static void
put_number(Row *row, double number)
{
	put(row, Float8GetDatum(number), isnan(number));
}

static void
put_interval(Row *row, DriverInterval interval)
{
	put_number(row, interval.low);
	put_number(row, interval.high);
}

static void
put_text(Row *row, const char *text)
{
	put(row, text ? CStringGetTextDatum(text) : (Datum) 0, text == NULL);
}

/* In the order of the columns of type cvm.driver. */
static Datum
driver_row(const Analysis *a, const Driver *d, TupleDesc shape)
{
	Row			row = {0};

	put_text(&row, d->name);
	put(&row, Int64GetDatum(a->rows.n), false);
	put(&row, Int64GetDatum(a->sample->left_out), false);
	put_number(&row, d->performance);
	put_number(&row, d->deviation);
	put_number(&row, d->correlation);
	put_number(&row, d->coefficient);
	put_number(&row, d->standardised);
	put_number(&row, d->standard_error);
	put_number(&row, d->p_value);
	put_number(&row, d->vif);
	put_number(&row, d->lmg);
	put_interval(&row, d->lmg_interval);
	put_number(&row, d->weight);
	put_interval(&row, d->weight_interval);
	put_number(&row, d->importance);
	put_number(&row, a->r_squared);
	put_text(&row, d->quadrant);
	put_number(&row, d->gap);
	put_number(&row, d->opportunity);
	put_interval(&row, d->opportunity_interval);
	put(&row, Int32GetDatum(d->priority), d->priority == 0);
	put_text(&row, d->status);
	put_text(&row, d->reason[0] ? d->reason : NULL);
	Assert(row.n == COLUMNS);
	return HeapTupleGetDatum(heap_form_tuple(shape, row.value, row.null));
}

static Datum
return_rows(const Analysis *a, Oid type)
{
	TupleDesc	shape = lookup_rowtype_tupdesc(type, -1);
	int			n = a->rows.columns - 1;
	Datum	   *elements = palloc(sizeof(Datum) * n);
	int16		length;
	bool		by_value;
	char		alignment;

	if (shape->natts != COLUMNS)
		elog(ERROR, "type cvm.driver has %d columns instead of %d", shape->natts, COLUMNS);
	for (int j = 0; j < n; j++)
		elements[j] = driver_row(a, &a->driver[j + 1], shape);
	ReleaseTupleDesc(shape);
	get_typlenbyvalalign(type, &length, &by_value, &alignment);
	return PointerGetDatum(construct_array(elements, n, type, length, by_value, alignment));
}

PG_FUNCTION_INFO_V1(cvm_driver_final);
/* (state) -> cvm.driver[] */
Datum
cvm_driver_final(PG_FUNCTION_ARGS)
{
	DriverSample *sample = PG_ARGISNULL(0) ? NULL : (DriverSample *) PG_GETARG_POINTER(0);
	Oid			type = get_element_type(get_fn_expr_rettype(fcinfo->flinfo));
	MemoryContext own;
	MemoryContext caller;
	Analysis   *a;
	Datum		result;

	if (!AggCheckCallContext(fcinfo, NULL))
		elog(ERROR, "aggregate function called in non-aggregate context");
	if (sample == NULL || sample->attributes == 0)
		PG_RETURN_NULL();
	if (!OidIsValid(type))
		elog(ERROR, "cvm.drivers does not know the type of its result");
	own = AllocSetContextCreate(CurrentMemoryContext, "cvm.drivers", ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(own);
	a = cvm_driver_analyse(sample);
	MemoryContextSwitchTo(caller);
	result = return_rows(a, type);
	MemoryContextDelete(own);
	return result;
}

/* ---------- from correlations ---------- */

/* The correlations of p attributes (p x p) and of each with the outcome, as arrays; r is checked to be symmetric. */
static int
correlation_arguments(FunctionCallInfo fcinfo, int most, double **r, double **y)
{
	ArrayType  *matrix = PG_GETARG_ARRAYTYPE_P(0);
	ArrayType  *vector = PG_GETARG_ARRAYTYPE_P(1);
	int			p = ARR_NDIM(vector) == 1 ? ARR_DIMS(vector)[0] : 0;

	if (p == 0 || ARR_NDIM(matrix) != 2 || ARR_DIMS(matrix)[0] != p || ARR_DIMS(matrix)[1] != p)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("correlations of the attributes must be a square matrix, and those with the outcome an array of as many")));
	if (p > most)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%d attributes are too many", p),
				 errdetail("There may be at most %d.", most)));
	if (array_contains_nulls(matrix) || array_contains_nulls(vector))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a correlation must not be null")));
	*r = (double *) ARR_DATA_PTR(matrix);
	*y = (double *) ARR_DATA_PTR(vector);
	for (int i = 0; i < p; i++)
		for (int k = 0; k < p; k++)
			if (!(fabs((*r)[i * p + k]) <= 1) || !(fabs((*y)[i]) <= 1) || fabs((*r)[i * p + k] - (*r)[k * p + i]) > 1e-9 || (*r)[i * p + i] != 1)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("the matrix is not one of correlations"),
						 errdetail("It must be symmetric, with 1 on the diagonal and numbers between -1 and 1.")));
	return p;
}

/* Correlations of which none follows from others, and that some data could have. */
static void
check_regular(int p, const double *r, const double *y)
{
	bool	   *kept = palloc0(sizeof(bool) * p);
	double		unexplained = cvm_regression(p, r, y, driver_numbers((p + 1) * (p + 1)), kept, driver_numbers(p), driver_numbers(p), driver_numbers(p * p));

	for (int j = 0; j < p; j++)
		if (!kept[j])
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the correlations of %d attributes are singular", p),
					 errdetail("Attribute %d follows from the others, or no data can have such correlations.", j + 1),
					 errhint("Leave it out.")));
	if (unexplained < -DRIVER_ROUNDING)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no data can have these correlations"),
				 errdetail("The attributes would explain %.15g of the outcome.", 1 - unexplained)));
}

static Datum
return_numbers(const double *values, int n)
{
	Datum	   *elements = palloc(sizeof(Datum) * n);

	for (int i = 0; i < n; i++)
		elements[i] = Float8GetDatum(values[i]);
	return PointerGetDatum(construct_array(elements, n, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

PG_FUNCTION_INFO_V1(cvm_lmg_of_correlations);
/* (correlations float8[], outcome_correlations float8[]) */
Datum
cvm_lmg_of_correlations(PG_FUNCTION_ARGS)
{
	double	   *r;
	double	   *y;
	int			p = correlation_arguments(fcinfo, CVM_MAX_LMG, &r, &y);
	double	   *lmg = driver_numbers(p);

	check_regular(p, r, y);
	cvm_lmg(p, r, y, driver_numbers((Size) 1 << p), driver_numbers((p + 1) * (p + 1) * (p + 1)), lmg);
	return return_numbers(lmg, p);
}

PG_FUNCTION_INFO_V1(cvm_relative_weights_of_correlations);
/* (correlations float8[], outcome_correlations float8[]) */
Datum
cvm_relative_weights_of_correlations(PG_FUNCTION_ARGS)
{
	double	   *r;
	double	   *y;
	int			p = correlation_arguments(fcinfo, MAX_DRIVERS, &r, &y);
	double	   *weights = driver_numbers(p);

	check_regular(p, r, y);
	cvm_relative_weights(p, r, y, driver_numbers(3 * (p + 1) * (p + 1)), weights);
	return return_numbers(weights, p);
}

PG_FUNCTION_INFO_V1(cvm_quadrant);
/* (importance, performance, importance_cut, performance_cut) */
Datum
cvm_quadrant(PG_FUNCTION_ARGS)
{
	for (int i = 0; i < 4; i++)
		if (!isfinite(PG_GETARG_FLOAT8(i)))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("importance, performance and their cuts must be finite numbers")));
	PG_RETURN_TEXT_P(cstring_to_text(cvm_driver_quadrant(PG_GETARG_FLOAT8(0), PG_GETARG_FLOAT8(1),
														 PG_GETARG_FLOAT8(2), PG_GETARG_FLOAT8(3))));
}
