/*
 * verdict.c: what a validation has found, as rows of cvm.validation: candidates and
 * naive baselines.  The measures, the gate and its rule are SQL (sql/validation.sql).
 */
#include "validate.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "math/sum.h"

/* A float8[] of any number of values that a datum can hold. */
static Datum
float_array(const double *values, int64 n)
{
	Size		size = ARR_OVERHEAD_NONULLS(1) + sizeof(float8) * n;
	ArrayType  *array;

	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many customers for a validation: " INT64_FORMAT, n),
				 errhint("Map a view of a sample of the customers as a portfolio of its own.")));
	array = palloc0(size);
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->elemtype = FLOAT8OID;
	ARR_DIMS(array)[0] = (int) n;
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), values, sizeof(float8) * n);
	return PointerGetDatum(array);
}

static Datum
outcome_array(const Validation *v, bool spend)
{
	double	   *values = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * v->n_cases);
	Datum		array;

	for (int64 i = 0; i < v->n_cases; i++)
		values[i] = spend ? v->cases[i].spend : v->cases[i].purchases;
	array = float_array(values, v->n_cases);
	pfree(values);
	return array;
}

/* A model's lossless text form. */
static Datum
model_text(CvmModel *model)
{
	Oid			output;
	bool		varlena;

	getTypeOutputInfo(cvm_type_oid("model"), &output, &varlena);
	return CStringGetTextDatum(OidOutputFunctionCall(output, PointerGetDatum(model)));
}

/* A row of cvm.validation; candidate is NULL for a baseline. */
static void
record(Validation *v, int position, const char *name, const Candidate *candidate,
	   const double *purchases, const double *spend, Datum actual, Datum actual_spend)
{
	Oid			types[19] = {INT8OID, INT4OID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, BOOLOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
		TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID, TEXTOID, FLOAT8ARRAYOID, FLOAT8ARRAYOID, FLOAT8ARRAYOID, FLOAT8ARRAYOID};
	char		nulls[20] = "                   ";
	bool		fitted = candidate && candidate->model;
	bool		has_spend = candidate && candidate->spend_model;
	const char *failure = candidate ? candidate->failure : NULL;
	Datum		values[19] = {
		Int64GetDatum(v->id), Int32GetDatum(position), CStringGetTextDatum(v->plan->portfolio),
		CStringGetTextDatum(candidate ? "model" : "baseline"), CStringGetTextDatum(name),
		candidate ? cvm_jsonb(candidate->plan->specification) : (Datum) 0,
		BoolGetDatum(candidate && candidate->was_live),
		fitted ? model_text(candidate->model) : (Datum) 0,
		has_spend ? model_text(candidate->spend_model) : (Datum) 0,
		fitted ? CStringGetTextDatum(cvm_rung_names[candidate->rung]) : (Datum) 0,
		fitted ? CStringGetTextDatum(candidate->fingerprint) : (Datum) 0,
		TimestampTzGetDatum(v->plan->as_of), TimestampTzGetDatum(v->as_of), Int32GetDatum(v->holdout_periods),
		failure ? CStringGetTextDatum(failure) : (Datum) 0,
		purchases ? float_array(purchases, v->n_cases) : (Datum) 0, actual,
		spend ? float_array(spend, v->n_cases) : (Datum) 0, actual_spend
	};

	nulls[5] = candidate ? ' ' : 'n';
	nulls[7] = nulls[9] = nulls[10] = fitted ? ' ' : 'n';
	nulls[8] = has_spend ? ' ' : 'n';
	nulls[14] = failure ? ' ' : 'n';
	nulls[15] = purchases ? ' ' : 'n';
	nulls[17] = spend ? ' ' : 'n';
	cvm_spi(SPI_OK_SELECT,
			"SELECT cvm.record_validation($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
			19, types, values, nulls);
}

/* Every customer goes on as before: his repeat purchases / his age. */
static void
record_own_rate(Validation *v, int position, Datum actual, Datum actual_spend)
{
	double	   *purchases = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * v->n_cases);
	double	   *spend = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * v->n_cases);

	for (int64 i = 0; i < v->n_cases; i++)
	{
		double		times = v->cases[i].age > 0 ? v->holdout_periods / v->cases[i].age : 0;

		purchases[i] = v->cases[i].x * times;
		spend[i] = v->cases[i].repeat_money * times;
	}
	record(v, position, "own rate", NULL, purchases, spend, actual, actual_spend);
}

/* Everybody goes on as all together did: all repeat purchases / all ages. */
static void
record_mean_rate(Validation *v, int position, Datum actual, Datum actual_spend)
{
	double	   *purchases = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * v->n_cases);
	double	   *spend = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * v->n_cases);
	cvm_sum		x = {0};
	cvm_sum		money = {0};
	cvm_sum		age = {0};

	for (int64 i = 0; i < v->n_cases; i++)
	{
		cvm_sum_add(&x, v->cases[i].x);
		cvm_sum_add(&money, v->cases[i].repeat_money);
		cvm_sum_add(&age, v->cases[i].age);
	}
	for (int64 i = 0; i < v->n_cases; i++)
	{
		double		times = cvm_sum_value(&age) > 0 ? v->holdout_periods / cvm_sum_value(&age) : 0;

		purchases[i] = cvm_sum_value(&x) * times;
		spend[i] = cvm_sum_value(&money) * times;
	}
	record(v, position, "mean rate", NULL, purchases, spend, actual, actual_spend);
}

void
cvm_record_validation(Validation *v)
{
	MemoryContext scratch = AllocSetContextCreate(v->context, "cvm validation", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	Oid			types[2] = {INT8OID, TEXTOID};
	Datum		values[2];
	bool		isnull;
	Datum		actual = outcome_array(v, false);
	Datum		actual_spend = outcome_array(v, true);

	cvm_spi(SPI_OK_SELECT, "SELECT pg_catalog.nextval('cvm.validation_id_seq')", 0, NULL, NULL, NULL);
	v->id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	for (int i = 0; i < v->n_candidates; i++)
	{
		const Candidate *candidate = &v->candidates[i];

		record(v, i + 1, candidate->plan->attributes.query ? psprintf("%s with covariates", candidate->plan->purchase_family->name)
			   : candidate->plan->purchase_family->name, candidate, candidate->purchases, candidate->spend,
			   actual, actual_spend);
	}
	record_own_rate(v, v->n_candidates + 1, actual, actual_spend);
	record_mean_rate(v, v->n_candidates + 2, actual, actual_spend);
	values[0] = Int64GetDatum(v->id);
	values[1] = CStringGetTextDatum(v->plan->portfolio);
	cvm_spi(SPI_OK_SELECT, "SELECT cvm.judge_validation($1, $2)", 2, types, values, NULL);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}
