/*
 * covariate_type.c: the row type cvm.covariate_model: made of a fit, or read, checked
 * (anybody may write such a row) and asked.
 */
#include "compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "covariate.h"
#include "funcapi.h"
#include "math/distribution.h"
#include "metric/experiment.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/typcache.h"

static const char *const process_names[] = {
	[CVM_ON_PURCHASE] = "purchase", [CVM_ON_DROPOUT] = "dropout", [CVM_ON_BOTH] = "both"
};

/* ---------- names, processes, values ---------- */

static Datum *
texts_of(ArrayType *array, int n, const char *what)
{
	Datum	   *values;
	bool	   *nulls;
	int			count;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	if (ARR_NDIM(array) > 1 || count != n)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the number of %s is %d, that of the covariates %d", what, count, n),
				 errhint("Give one for each covariate, in their order.")));
	for (int k = 0; k < n; k++)
		if (nulls[k])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("the %s of covariates must not be null", what)));
	return values;
}

int
cvm_covariate_process(const char *word)
{
	for (int p = CVM_ON_PURCHASE; p <= CVM_ON_BOTH; p++)
		if (strcmp(word, process_names[p]) == 0)
			return p;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown process \"%s\" of a covariate", word),
			 errhint("A covariate acts on the purchase process, on dropout, or on both.")));
	return 0;
}

void
cvm_covariate_names(int n, ArrayType *names, ArrayType *processes, CovariateNames *out)
{
	Datum	   *name = names ? texts_of(names, n, "names") : NULL;
	Datum	   *process = processes ? texts_of(processes, n, "processes") : NULL;

	out->n = n;
	for (int k = 0; k < n; k++)
	{
		out->name[k] = name ? TextDatumGetCString(name[k]) : psprintf("z%d", k + 1);
		out->process[k] = process ? cvm_covariate_process(TextDatumGetCString(process[k])) : CVM_ON_BOTH;
		for (int i = 0; i < k; i++)
			if (strcmp(out->name[i], out->name[k]) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("covariates %d and %d have the same name \"%s\"", i + 1, k + 1, out->name[k])));
	}
}

const double *
cvm_covariate_values(ArrayType *array, int *n)
{
	int			count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	const double *z = (const double *) ARR_DATA_PTR(array);

	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a covariate of a customer must not be null"),
				 errhint("Leave such customers out, or give them a value, such as the mean, and a covariate of their own that is 1 where it was missing and 0 elsewhere.")));
	if (ARR_NDIM(array) > 1 || count == 0 || count > CVM_MAX_COVARIATES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the covariates of a customer must be 1 to %d numbers, not %d", CVM_MAX_COVARIATES, count),
				 errhint("They come as an array of one dimension.")));
	if (*n != 0 && *n != count)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a customer has %d covariates where there should be %d", count, *n)));
	for (int k = 0; k < count; k++)
		if (!(fabs(z[k]) <= CVM_LARGEST_COVARIATE))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("covariate %d of a customer is %g", k + 1, z[k]),
					 errdetail("Covariates are finite numbers, at most %g in size.", CVM_LARGEST_COVARIATE)));
	*n = count;
	return z;
}

/* ---------- a fit as a row ---------- */

static Datum
numbers(const double *value, int n)
{
	Datum	   *datum = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		datum[i] = Float8GetDatum(value[i]);
	return PointerGetDatum(construct_array(datum, n, FLOAT8OID, sizeof(double), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static Datum
matrix(const double *value, int n)
{
	Datum	   *datum = palloc(sizeof(Datum) * n * n);
	int			dims[] = {n, n};
	int			bounds[] = {1, 1};

	for (int i = 0; i < n * n; i++)
		datum[i] = Float8GetDatum(value[i]);
	return PointerGetDatum(construct_md_array(datum, NULL, 2, dims, bounds, FLOAT8OID, sizeof(double), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static bool
all_finite(const double *value, int n)
{
	for (int i = 0; i < n; i++)
		if (!isfinite(value[i]))
			return false;
	return true;
}

Datum
cvm_covariate_model_datum(TupleDesc shape, const CovariateNames *names, const cvm_covariate_fit *fit, double unit_seconds)
{
	int			all = fit->model.family->n_params + fit->effects;
	Datum		values[COVARIATE_MODEL_COLUMNS];
	bool		nulls[COVARIATE_MODEL_COLUMNS] = {false};
	Datum		name[CVM_MAX_COVARIATES];
	Datum		process[CVM_MAX_COVARIATES];

	for (int k = 0; k < names->n; k++)
	{
		name[k] = CStringGetTextDatum(names->name[k]);
		process[k] = CStringGetTextDatum(process_names[names->process[k]]);
	}
	values[COVARIATE_MODEL_MODEL] = PointerGetDatum(cvm_model_from_fit(&fit->model, unit_seconds));
	values[COVARIATE_MODEL_PLAIN] = PointerGetDatum(cvm_model_from_fit(&fit->plain, unit_seconds));
	values[COVARIATE_MODEL_COVARIATES] = PointerGetDatum(construct_array(name, names->n, TEXTOID, -1, false, TYPALIGN_INT));
	values[COVARIATE_MODEL_PROCESSES] = PointerGetDatum(construct_array(process, names->n, TEXTOID, -1, false, TYPALIGN_INT));
	values[COVARIATE_MODEL_MEANS] = numbers(fit->mean, names->n);
	values[COVARIATE_MODEL_COEFFICIENTS] = numbers(fit->coefficient, fit->effects);
	nulls[COVARIATE_MODEL_COVARIANCE] = !all_finite(fit->covariance, all * all);
	if (!nulls[COVARIATE_MODEL_COVARIANCE])
		values[COVARIATE_MODEL_COVARIANCE] = matrix(fit->covariance, all);
	return HeapTupleGetDatum(heap_form_tuple(shape, values, nulls));
}

/* ---------- a row as a model ---------- */

static void
refuse_row(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value of type covariate_model"),
			 errdetail("%s", detail),
			 errhint("cvm.fit_covariates makes such values; the comment of the type says what is in them.")));
}

/* So many finite numbers. */
static const double *
numbers_of(Datum value, int n, const char *what)
{
	ArrayType  *array = DatumGetArrayTypeP(value);

	if (array_contains_nulls(array) || ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) != n
		|| !all_finite((const double *) ARR_DATA_PTR(array), n))
		refuse_row(psprintf("It should have %d finite %s.", n, what));
	return (const double *) ARR_DATA_PTR(array);
}

static void
check_variances(const CovariateModel *c)
{
	int			all = c->m.family->n_params + c->m.effects;

	for (int i = 0; i < all; i++)
		if (c->m.covariance[i * all + i] < 0)
			refuse_row("A variance is negative.");
}

static void
deform(HeapTupleHeader header, Datum *values, bool *nulls)
{
	TupleDesc	shape = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(header),.t_data = header};

	ItemPointerSetInvalid(&tuple.t_self);
	if (shape->natts != COVARIATE_MODEL_COLUMNS)
		elog(ERROR, "type covariate_model has %d columns", shape->natts);
	heap_deform_tuple(&tuple, shape, values, nulls);
	ReleaseTupleDesc(shape);
}

void
cvm_covariate_model_read(HeapTupleHeader header, CovariateModel *c)
{
	Datum		values[COVARIATE_MODEL_COLUMNS];
	bool		nulls[COVARIATE_MODEL_COLUMNS];
	ArrayType  *names;
	int			n,
				all;

	deform(header, values, nulls);
	for (int i = 0; i < COVARIATE_MODEL_COLUMNS; i++)
		if (nulls[i] && i != COVARIATE_MODEL_PLAIN && i != COVARIATE_MODEL_COVARIANCE)
			refuse_row("Nothing in it may be null but the plain model and the covariance.");
	c->model = (CvmModel *) PG_DETOAST_DATUM(values[COVARIATE_MODEL_MODEL]);
	c->plain = nulls[COVARIATE_MODEL_PLAIN] ? NULL : (CvmModel *) PG_DETOAST_DATUM(values[COVARIATE_MODEL_PLAIN]);
	c->m.family = cvm_model_family(c->model);
	c->m.theta = c->model->number;
	names = DatumGetArrayTypeP(values[COVARIATE_MODEL_COVARIATES]);
	n = ArrayGetNItems(ARR_NDIM(names), ARR_DIMS(names));
	if (n < 1 || n > CVM_MAX_COVARIATES)
		refuse_row(psprintf("It should have 1 to %d covariates.", CVM_MAX_COVARIATES));
	cvm_covariate_names(n, names, DatumGetArrayTypeP(values[COVARIATE_MODEL_PROCESSES]), &c->names);
	c->m.effect = c->effect;
	c->m.effects = cvm_covariate_effects(c->m.family, n, c->names.process, c->effect);
	if (c->m.effects == 0)
		refuse_row(psprintf("%s takes no covariates.", c->m.family->name));
	all = c->m.family->n_params + c->m.effects;
	c->m.mean = numbers_of(values[COVARIATE_MODEL_MEANS], n, "means");
	c->m.coefficient = numbers_of(values[COVARIATE_MODEL_COEFFICIENTS], c->m.effects, "coefficients");
	c->m.covariance = NULL;
	if (!nulls[COVARIATE_MODEL_COVARIANCE])
	{
		c->m.covariance = numbers_of(values[COVARIATE_MODEL_COVARIANCE], all * all, "covariances");
		check_variances(c);
	}
}

/* p-values are those of a maximum of the likelihood. */
static bool
is_maximum(const CvmModel *model)
{
	return model->rung == CVM_RUNG_FULL;
}

/* ---------- questions ---------- */

PG_FUNCTION_INFO_V1(cvm_model_for);
/* (covariate_model, z): the model of a customer */
Datum
cvm_model_for(PG_FUNCTION_ARGS)
{
	CovariateModel c;
	const double *z;
	double		covariance[CVM_MAX_PARAMS * CVM_MAX_PARAMS];
	cvm_fit_result fit = {0};
	CvmModel   *model;

	cvm_covariate_model_read(PG_GETARG_HEAPTUPLEHEADER(0), &c);
	z = cvm_covariate_values(PG_GETARG_ARRAYTYPE_P(1), &c.names.n);
	fit.family = c.m.family;
	fit.has_covariance = c.m.covariance != NULL;
	fit.customers = c.model->customers;
	fit.loglik = c.model->loglik;
	fit.rung = c.model->rung;
	cvm_covariate_theta(&c.m, z, fit.theta, fit.has_covariance ? covariance : NULL);
	if (!cvm_in_domain(c.m.family, fit.theta))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("a customer's parameters are out of range"),
				 errdetail("His covariates are so far from their means that a parameter is no positive number any more.")));
	for (int i = 0; fit.has_covariance && i < c.m.family->n_params; i++)
		for (int j = 0; j < c.m.family->n_params; j++)
			fit.covariance[i][j] = covariance[i * c.m.family->n_params + j];
	model = cvm_model_from_fit(&fit, c.model->unit_seconds);
	if (!(c.model->flags & CVM_MODEL_HAS_FIT))
		model->flags &= ~CVM_MODEL_HAS_FIT;
	PG_RETURN_POINTER(model);
}

PG_FUNCTION_INFO_V1(cvm_covariate_coefficients);
/* covariate, process, parameter, coefficient, standard_error, z, p_value */
Datum
cvm_covariate_coefficients(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	CovariateModel c;
	int			n;

	cvm_covariate_model_read(PG_GETARG_HEAPTUPLEHEADER(0), &c);
	n = c.m.family->n_params;
	InitMaterializedSRF(fcinfo, 0);
	for (int e = 0; e < c.m.effects; e++)
	{
		const cvm_effect *effect = &c.effect[e];
		double		error = c.m.covariance ? sqrt(c.m.covariance[(n + e) * (n + c.m.effects + 1)]) : NAN;
		double		z = c.m.coefficient[e] / error;
		bool		tested = is_maximum(c.model) && error > 0;
		Datum		values[] = {
			CStringGetTextDatum(c.names.name[effect->covariate]),
			CStringGetTextDatum(process_names[c.m.family->purchase_sign[effect->param] ? CVM_ON_PURCHASE : CVM_ON_DROPOUT]),
			CStringGetTextDatum(c.m.family->params[effect->param]),
			Float8GetDatum(c.m.coefficient[e]), Float8GetDatum(error),
			Float8GetDatum(z), Float8GetDatum(2 * cvm_normal_tail(fabs(z)))
		};
		bool		nulls[] = {false, false, false, false, isnan(error), !tested, !tested};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(cvm_covariate_ratio_test);
/* statistic, degrees_of_freedom, p_value */
Datum
cvm_covariate_ratio_test(PG_FUNCTION_ARGS)
{
	CovariateModel c;
	cvm_fit_result plain = {0};
	cvm_fit_result model = {0};
	double		columns[] = {NAN, 0, NAN};

	cvm_covariate_model_read(PG_GETARG_HEAPTUPLEHEADER(0), &c);
	columns[1] = c.m.effects;
	if (c.plain != NULL && (c.plain->flags & CVM_MODEL_HAS_FIT) && (c.model->flags & CVM_MODEL_HAS_FIT))
	{
		if (strcmp(cvm_model_family(c.plain)->name, c.m.family->name) != 0 || c.plain->customers != c.model->customers)
			refuse_row("The plain model is of another family, or of other customers.");
		plain.loglik = c.plain->loglik;
		plain.rung = c.plain->rung;
		model.loglik = c.model->loglik;
		model.rung = c.model->rung;
		columns[0] = cvm_covariate_ratio(&plain, &model, c.m.effects, &columns[2]);
	}
	return cvm_return_row(fcinfo, columns, lengthof(columns), NULL, 0);
}
