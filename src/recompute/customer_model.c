/*
 * customer_model.c: models with covariates in the recompute (customer_model.h).
 *
 * Attributes become covariates by an encoding that is the fit's: numbers as they are,
 * categories as a 0/1 covariate for each level but the most frequent one, which is the
 * reference.  Levels are those of the customers that the fit has seen, so that nothing
 * of a holdout is in them.
 */
#include "recompute/customer_model.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "covariate.h"
#include "recompute/attribute.h"
#include "types/model_type.h"

#define REFERENCE -1
#define UNSEEN -2
#define LONGEST_NAME 200		/* bytes of a covariate's name */

/* An attribute that is a number, or one level of a category. */
typedef struct EncodedItem
{
	char	   *attribute;
	char	   *level;			/* NULL: a number */
	int			covariate;		/* or REFERENCE */
} EncodedItem;

struct CovariateFit
{
	CovariateModel model;		/* for scores */
	cvm_rung	rung;
	double		gradient;
	const char *beyond;			/* attribute at which there were too many covariates, or NULL */
	int			n_items;
	EncodedItem *item;			/* a category's levels together, the reference first */
	cvm_covariate_fit *fresh;	/* not recorded yet; NULL if it was loaded */
};

cvm_rung
cvm_covariates_rung(const CovariateFit *fit)
{
	return fit->rung;
}

double
cvm_covariates_gradient(const CovariateFit *fit)
{
	return fit->gradient;
}

/* ---------- encoding ---------- */

/* Attributes of a population as a fit's covariates. */
typedef struct Encoder
{
	const Attributes *attributes;
	int			covariates;
	int		   *number;			/* per attribute: covariate of a number, UNSEEN if the fit has none such */
	int		  **code;			/* per attribute that is a category: by level the covariate, REFERENCE or UNSEEN */
	bool		complete;		/* all of the fit's attributes are there */
} Encoder;

static int
attribute_number(const AttributePlan *plan, const char *name)
{
	for (int i = 0; i < plan->n; i++)
		if (strcmp(plan->name[i], name) == 0)
			return i;
	return -1;
}

bool
cvm_covariates_have(const CovariateFit *fit, const AttributePlan *plan)
{
	for (int k = 0; k < fit->n_items; k++)
	{
		int			i = attribute_number(plan, fit->item[k].attribute);

		if (i < 0 || plan->is_category[i] != (fit->item[k].level != NULL))
			return false;
	}
	return true;
}

static int
level_number(const Names *levels, const char *level)
{
	for (int i = 0; i < cvm_names_count(levels); i++)
		if (strcmp(cvm_names_get(levels, i), level) == 0)
			return i;
	return -1;
}

static void
open_encoder(const CovariateFit *fit, const Attributes *attributes, Encoder *encoder)
{
	const AttributePlan *plan = cvm_attributes_plan(attributes);

	*encoder = (Encoder) {.attributes = attributes,.covariates = fit->model.names.n,.complete = cvm_covariates_have(fit, plan)};
	encoder->number = palloc(sizeof(int) * plan->n);
	encoder->code = palloc0(sizeof(int *) * plan->n);
	for (int i = 0; i < plan->n; i++)
	{
		const Names *levels = cvm_attribute_levels(attributes, i);

		encoder->number[i] = UNSEEN;
		if (levels == NULL)
			continue;
		encoder->code[i] = palloc(sizeof(int) * Max(cvm_names_count(levels), 1));
		for (int k = 0; k < cvm_names_count(levels); k++)
			encoder->code[i][k] = UNSEEN;
	}
	for (int k = 0; k < fit->n_items; k++)
	{
		const EncodedItem *item = &fit->item[k];
		int			i = attribute_number(plan, item->attribute);
		int			level;

		if (!encoder->complete)
			break;
		if (item->level == NULL)
			encoder->number[i] = item->covariate;
		else if ((level = level_number(cvm_attribute_levels(attributes, i), item->level)) >= 0)
			encoder->code[i][level] = item->covariate;
	}
}

/* Covariates of a number of attributes; false if one is NULL, or a level that the fit has not seen. */
static bool
encode(const Encoder *encoder, int32 number, double *z)
{
	const AttributePlan *plan = cvm_attributes_plan(encoder->attributes);
	const double *values = cvm_attributes_get(encoder->attributes, number);

	memset(z, 0, sizeof(double) * encoder->covariates);
	for (int i = 0; i < plan->n; i++)
	{
		int			covariate = encoder->number[i];

		if (isnan(values[i]))
			return false;
		if (encoder->code[i] == NULL)
		{
			if (covariate >= 0)
				z[covariate] = values[i];
			continue;
		}
		covariate = encoder->code[i][(int) values[i]];
		if (covariate == UNSEEN)
			return false;
		if (covariate >= 0)
			z[covariate] = 1;
	}
	return encoder->complete;
}

/* ---------- the fit ---------- */

static bool
is_known(const Attributes *attributes, const CustomerRecord *record)
{
	const double *values;

	if (record->attributes == 0)
		return false;
	values = cvm_attributes_get(attributes, record->attributes);
	for (int i = 0; i < cvm_attributes_plan(attributes)->n; i++)
		if (isnan(values[i]))
			return false;
	return true;
}

/* How many buyers have each level of each category; returns how many have all attributes. */
static int64
count_levels(const RecomputePlan *plan, const Population *population, int64 **count)
{
	const Attributes *attributes = population->attributes;
	int64		n = 0;
	char	   *record;
	Size		size;

	for (int i = 0; i < plan->attributes.n; i++)
		if (cvm_attribute_levels(attributes, i))
			count[i] = palloc0(sizeof(int64) * Max(cvm_names_count(cvm_attribute_levels(attributes, i)), 1));
	cvm_spool_rewind(population->customers);
	while ((record = cvm_spool_next(population->customers, &size)) != NULL)
	{
		const CustomerRecord *customer = (const CustomerRecord *) record;
		const double *values;

		CHECK_FOR_INTERRUPTS();
		if (!cvm_buys(plan, customer) || !is_known(attributes, customer))
			continue;
		n++;
		values = cvm_attributes_get(attributes, customer->attributes);
		for (int i = 0; i < plan->attributes.n; i++)
			if (count[i])
				count[i][(int) values[i]]++;
	}
	return n;
}

typedef struct Level
{
	const char *name;
	int64		count;
} Level;

static int
compare_levels(const void *a, const void *b)
{
	return strcmp(((const Level *) a)->name, ((const Level *) b)->name);
}

/* Those that somebody has: the most frequent one first, the others by name. */
static int
sorted_levels(const Names *levels, const int64 *count, Level *sorted)
{
	int			n = 0;
	int			reference = 0;
	Level		first;

	for (int k = 0; k < cvm_names_count(levels); k++)
		if (count[k] > 0)
			sorted[n++] = (Level) {cvm_names_get(levels, k), count[k]};
	qsort(sorted, n, sizeof(Level), compare_levels);
	for (int k = 1; k < n; k++)
		if (sorted[k].count > sorted[reference].count)
			reference = k;
	first = sorted[reference];
	memmove(sorted + 1, sorted, sizeof(Level) * reference);
	sorted[0] = first;
	return n;
}

static bool
is_taken(const CovariateNames *names, const char *name)
{
	for (int k = 0; k < names->n; k++)
		if (strcmp(names->name[k], name) == 0)
			return true;
	return false;
}

/* Attribute and level, cut short; numbered where another covariate reads the same ("a b" of c, "a" of b c). */
static char *
covariate_name(const CovariateNames *names, const char *attribute, const char *level)
{
	const char *full = level ? psprintf("%s %s", attribute, level) : attribute;
	char	   *cut = pnstrdup(full, pg_mbcliplen(full, strlen(full), LONGEST_NAME));
	char	   *name = cut;

	for (int k = 2; is_taken(names, name); k++)
		name = psprintf("%s (%d)", cut, k);
	return name;
}

static void
add_item(CovariateFit *fit, const char *attribute, const char *level, bool is_reference, int process)
{
	CovariateNames *names = &fit->model.names;
	EncodedItem *item = &fit->item[fit->n_items++];

	*item = (EncodedItem) {pstrdup(attribute), level ? pstrdup(level) : NULL, is_reference ? REFERENCE : names->n};
	if (is_reference)
		return;
	if (names->n == CVM_MAX_COVARIATES)
	{
		fit->beyond = item->attribute;
		return;
	}
	names->name[names->n] = covariate_name(names, attribute, level);
	names->process[names->n++] = process;
}

static void
make_encoding(const RecomputePlan *plan, const Population *population, int64 **count, CovariateFit *fit)
{
	const AttributePlan *attributes = &plan->attributes;
	int			most = 0;

	for (int i = 0; i < attributes->n; i++)
		most += count[i] ? cvm_names_count(cvm_attribute_levels(population->attributes, i)) : 1;
	fit->item = palloc(sizeof(EncodedItem) * most);
	for (int i = 0; i < attributes->n; i++)
	{
		Level	   *sorted;
		int			n;

		if (count[i] == NULL)
		{
			add_item(fit, attributes->name[i], NULL, false, attributes->process[i]);
			continue;
		}
		sorted = palloc(sizeof(Level) * Max(cvm_names_count(cvm_attribute_levels(population->attributes, i)), 1));
		n = sorted_levels(cvm_attribute_levels(population->attributes, i), count[i], sorted);
		/* one level alone: a covariate that is 0 for all, for the fit to refuse by name */
		if (n == 1)
			add_item(fit, attributes->name[i], NULL, false, attributes->process[i]);
		for (int k = 0; n > 1 && k < n; k++)
			add_item(fit, attributes->name[i], sorted[k].name, k == 0, attributes->process[i]);
	}
}

/* Rows and covariates of all buyers whose attributes are known. */
static void
gather(const RecomputePlan *plan, const Population *population, const CovariateFit *fit, int64 n, cvm_row *rows, double *z)
{
	Encoder		encoder;
	char	   *record;
	Size		size;
	int64		i = 0;

	open_encoder(fit, population->attributes, &encoder);
	cvm_spool_rewind(population->customers);
	while (i < n && (record = cvm_spool_next(population->customers, &size)) != NULL)
	{
		const CustomerRecord *customer = (const CustomerRecord *) record;

		CHECK_FOR_INTERRUPTS();
		if (!cvm_buys(plan, customer) || !is_known(population->attributes, customer))
			continue;
		cvm_row_of_history(plan, &customer->history, &rows[i]);
		if (!plan->purchase_family->needs_log_intervals)
			rows[i].log_intervals = 0;
		(void) encode(&encoder, customer->attributes, z + i * fit->model.names.n);
		i++;
	}
}

static void
use_fresh(CovariateFit *fit)
{
	cvm_covariate_fit *fresh = fit->fresh;

	fit->model.m = (cvm_covariate_model) {
		.family = fresh->model.family,.theta = fresh->model.theta,.mean = fresh->mean,
		.effects = fresh->effects,.effect = fresh->effect,.coefficient = fresh->coefficient,.covariance = fresh->covariance
	};
	fit->rung = fresh->model.rung;
	fit->gradient = isnan(fresh->model.gradient_norm) ? 0 : fresh->model.gradient_norm;
}

static void
refuse_many(const char *attribute)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("the attributes make more than %d covariates", CVM_MAX_COVARIATES),
			 errdetail("A category makes one of each of its levels but one; \"%s\" was reached.", attribute),
			 errhint("Map a view that brings rare levels together.")));
}

CovariateFit *
cvm_covariates_fit(const RecomputePlan *plan, const Population *population, MemoryContext context, bool forgiving, const char **failure)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "cvm covariates", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	cvm_env		env = cvm_server_env(context);
	int64	  **count = palloc0(sizeof(int64 *) * plan->attributes.n);
	int64		n = count_levels(plan, population, count);
	CovariateFit *fit;
	cvm_covariate_data data;
	cvm_status	status = CVM_NO_DATA;

	*failure = NULL;
	MemoryContextSwitchTo(context);
	fit = palloc0(sizeof(CovariateFit));
	fit->fresh = palloc0(sizeof(cvm_covariate_fit));
	if (n > 0)
		make_encoding(plan, population, count, fit);
	if (fit->beyond)
	{
		if (!forgiving)
			refuse_many(fit->beyond);
		*failure = psprintf("the attributes make more than %d covariates", CVM_MAX_COVARIATES);
		MemoryContextSwitchTo(old);
		MemoryContextDelete(scratch);
		return NULL;
	}
	if (n > 0)
	{
		MemoryContextSwitchTo(scratch);
		data = (cvm_covariate_data) {
			.family = plan->purchase_family,.covariates = fit->model.names.n,.process = fit->model.names.process,.rows = n
		};
		data.row = MemoryContextAllocHuge(scratch, sizeof(cvm_row) * n);
		data.z = MemoryContextAllocHuge(scratch, sizeof(double) * n * data.covariates);
		gather(plan, population, fit, n, (cvm_row *) data.row, (double *) data.z);
		status = cvm_fit_covariates(&data, &env, fit->fresh);
	}
	MemoryContextSwitchTo(old);
	if (status == CVM_NO_DATA || status == CVM_NO_OPTIMUM)
		*failure = n == 0 ? "no customer has all attributes" : "the customers with attributes say too little for covariates";
	else
		cvm_refuse_status(status, plan->purchase_family, n);
	if (*failure == NULL && fit->fresh->trouble != CVM_COVARIATES_FINE)
	{
		if (!forgiving)
			cvm_refuse_covariates(fit->fresh, &fit->model.names, n);
		*failure = psprintf("covariate \"%s\" %s", fit->model.names.name[fit->fresh->culprit],
							fit->fresh->trouble == CVM_COVARIATE_CONSTANT ? "is the same for all" : "follows from others");
	}
	MemoryContextDelete(scratch);
	if (*failure)
		return NULL;
	use_fresh(fit);
	return fit;
}

/* ---------- the registry ---------- */

/* [{"column": "age"}, {"column": "region", "levels": ["north", "south"]}] */
static char *
encoding_text(const CovariateFit *fit)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int k = 0; k < fit->n_items; k++)
	{
		const EncodedItem *item = &fit->item[k];
		bool		more = k + 1 < fit->n_items && item->level && strcmp(fit->item[k + 1].attribute, item->attribute) == 0;

		if (item->level == NULL || item->covariate == REFERENCE)
		{
			appendStringInfo(&text, "%s{\"column\": ", k == 0 ? "[" : ", ");
			escape_json(&text, item->attribute);
			appendStringInfoString(&text, item->level ? ", \"levels\": [" : "}");
		}
		else
			appendStringInfoString(&text, ", ");
		if (item->level)
			escape_json(&text, item->level);
		if (item->level && !more)
			appendStringInfoString(&text, "]}");
	}
	appendStringInfoChar(&text, ']');
	return text.data;
}

void
cvm_covariates_record(const RecomputePlan *plan, int64 model_id, const CovariateFit *fit)
{
	Oid			type = cvm_type_oid("covariate_model");
	TupleDesc	shape = lookup_rowtype_tupdesc_copy(type, -1);
	Oid			types[3] = {INT8OID, type, JSONBOID};
	Datum		values[3] = {
		Int64GetDatum(model_id), cvm_covariate_model_datum(BlessTupleDesc(shape), &fit->model.names, fit->fresh, plan->unit_seconds),
		cvm_jsonb(encoding_text(fit))
	};

	cvm_spi(SPI_OK_UPDATE, "UPDATE cvm.fitted_model SET covariates = $2, encoding = $3 WHERE model_id OPERATOR(pg_catalog.=) $1", 3, types, values, NULL);
}

static void
load_items(CovariateFit *fit, SPITupleTable *rows, int64 model_id)
{
	int			covariates = 0;

	fit->item = palloc(sizeof(EncodedItem) * Max(rows->numvals, 1));
	for (uint64 k = 0; k < rows->numvals; k++)
	{
		bool		isnull;
		char	   *attribute = SPI_getvalue(rows->vals[k], rows->tupdesc, 1);
		bool		is_covariate = DatumGetBool(SPI_getbinval(rows->vals[k], rows->tupdesc, 3, &isnull));

		if (attribute)
			fit->item[fit->n_items++] = (EncodedItem) {attribute, SPI_getvalue(rows->vals[k], rows->tupdesc, 2), is_covariate ? covariates++ : REFERENCE};
	}
	if (covariates != fit->model.names.n)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the encoding of model " INT64_FORMAT " has %d covariates, its coefficients are of %d", model_id, covariates, fit->model.names.n),
				 errhint("Its row of cvm.fitted_model was altered: promote another model.")));
}

/* Scores are by the family and in the unit of the row's model: the covariates' must be the same. */
static void
check_loaded(const CovariateModel *model, const CvmModel *plain)
{
	if (model->m.family != cvm_model_family(plain))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the covariates are of family %s, their model is of %s", model->m.family->name, cvm_model_family(plain)->name),
				 errhint("The row of cvm.fitted_model was altered: promote another model.")));
	if (model->model->unit_seconds != plain->unit_seconds)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the covariates are in units of %g seconds, their model in units of %g", model->model->unit_seconds, plain->unit_seconds),
				 errhint("The row of cvm.fitted_model was altered: promote another model.")));
}

static void
name_model(void *model_id)
{
	errcontext("covariates of model " INT64_FORMAT, *(int64 *) model_id);
}

CovariateFit *
cvm_covariates_load(const RecomputePlan *plan, int64 model_id, MemoryContext context)
{
	Oid			types[2] = {INT8OID, TEXTOID};
	Datum		values[2] = {Int64GetDatum(model_id), CStringGetTextDatum(plan->portfolio)};
	ErrorContextCallback error_context = {.callback = name_model,.arg = &model_id,.previous = error_context_stack};
	MemoryContext old;
	CovariateFit *fit = NULL;
	CvmModel   *plain = NULL;
	bool		isnull = true;
	Datum		row = 0;

	error_context_stack = &error_context;
	if (cvm_spi(SPI_OK_SELECT, "SELECT m.covariates, m.model FROM cvm.fitted_model AS m WHERE m.model_id OPERATOR(pg_catalog.=) $1"
				" AND m.portfolio OPERATOR(pg_catalog.=) $2", 2, types, values, NULL) == 1)
		row = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (!isnull)
	{
		bool		no_model;

		plain = (CvmModel *) PG_DETOAST_DATUM(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &no_model));
		old = MemoryContextSwitchTo(context);
		fit = palloc0(sizeof(CovariateFit));
		cvm_covariate_model_read((HeapTupleHeader) PG_DETOAST_DATUM_COPY(row), &fit->model);
		fit->rung = fit->model.model->rung;
		MemoryContextSwitchTo(old);
		check_loaded(&fit->model, plain);
	}
	SPI_freetuptable(SPI_tuptable);
	if (fit == NULL)
	{
		error_context_stack = error_context.previous;
		return NULL;
	}
	(void) cvm_spi(SPI_OK_SELECT, "SELECT e.attribute, e.level, e.is_covariate FROM cvm.fitted_model AS m, cvm.encoded_covariates(m.encoding) AS e"
				   " WHERE m.model_id OPERATOR(pg_catalog.=) $1 AND m.portfolio OPERATOR(pg_catalog.=) $2", 2, types, values, NULL);
	old = MemoryContextSwitchTo(context);
	load_items(fit, SPI_tuptable, model_id);
	MemoryContextSwitchTo(old);
	SPI_freetuptable(SPI_tuptable);
	error_context_stack = error_context.previous;
	return fit;
}

/* ---------- scores ---------- */

struct CovariateScorer
{
	const CovariateFit *fit;
	Encoder		encoder;
	int			n_params;
	double	   *theta;			/* by number of attributes: NAN first: not computed yet, 0: not known */
};

CovariateScorer *
cvm_covariate_scorer_new(const CovariateFit *fit, const Population *population, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	CovariateScorer *scorer = palloc0(sizeof(CovariateScorer));

	scorer->fit = fit;
	scorer->n_params = fit->model.m.family->n_params;
	if (population->attributes)
	{
		int32		count = cvm_attributes_count(population->attributes);

		open_encoder(fit, population->attributes, &scorer->encoder);
		scorer->theta = MemoryContextAllocHuge(context, sizeof(double) * scorer->n_params * Max(count, 1));
		for (int32 i = 0; i < count; i++)
			scorer->theta[(Size) i * scorer->n_params] = NAN;
	}
	MemoryContextSwitchTo(old);
	return scorer;
}

const double *
cvm_covariate_theta_of(CovariateScorer *scorer, const CustomerRecord *record)
{
	double	   *theta;

	if (scorer->theta == NULL || record->attributes == 0)
		return NULL;
	theta = scorer->theta + (Size) (record->attributes - 1) * scorer->n_params;
	if (isnan(theta[0]))
	{
		double		z[CVM_MAX_COVARIATES];

		theta[0] = 0;
		if (encode(&scorer->encoder, record->attributes, z))
		{
			cvm_covariate_theta(&scorer->fit->model.m, z, theta, NULL);
			if (!cvm_in_domain(scorer->fit->model.m.family, theta))
				theta[0] = 0;	/* so far from the mean that it is no number any more */
		}
	}
	return theta[0] > 0 ? theta : NULL;
}
