/*
 * model_type.c: SQL type cvm.model, a fitted model as a value.
 *
 * Text: bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426), and after it, each optional,
 *       unit=604800 customers=2357 log_likelihood=-9582.4 rung=full covariance=[...]
 * with the unit in seconds (unless given one week; unknown in bg/bb, which counts
 * opportunities), the covariance row by row, and every number in its shortest exact form.
 */
#include "compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "types/model_type.h"
#include "types/purchase_history.h"
#include "types/reader.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#define WEEK_SECONDS 604800.0

/* ---------- construction and checks ---------- */

static Size
model_size(int n_params, bool has_covariance)
{
	return offsetof(CvmModel, number) + sizeof(double) * (n_params + (has_covariance ? n_params * n_params : 0));
}

static CvmModel *
new_model(const cvm_family *family, uint8 flags)
{
	Size		size = model_size(family->n_params, (flags & CVM_MODEL_HAS_COVARIANCE) != 0);
	CvmModel   *model = palloc0(size);

	SET_VARSIZE(model, size);
	model->version = CVM_MODEL_VERSION;
	model->n_params = family->n_params;
	model->flags = flags;
	strlcpy(model->family, family->name, sizeof(model->family));
	return model;
}

/* Contracts are counted in renewals, whatever their length. */
static bool
has_time(const cvm_family *family)
{
	return family->kind == CVM_PURCHASES;
}

/* Opportunities may be counted without saying how long they are: a unit of 0. */
static bool
may_lack_unit(const cvm_family *family)
{
	return !has_time(family) || family->whole_times;
}

/* The parts as they are, unchecked. */
static CvmModel *
assemble(const cvm_family *family, const cvm_fit_result *fit, double unit_seconds)
{
	CvmModel   *model = new_model(family, CVM_MODEL_HAS_FIT | (fit->has_covariance ? CVM_MODEL_HAS_COVARIANCE : 0));
	int			n = family->n_params;

	model->rung = fit->rung;
	model->unit_seconds = has_time(family) ? unit_seconds : 0;
	model->customers = fit->customers;
	model->loglik = fit->loglik;
	for (int i = 0; i < n; i++)
	{
		model->number[i] = fit->theta[i];
		for (int j = 0; fit->has_covariance && j < n; j++)
			model->number[n + i * n + j] = fit->covariance[i][j];
	}
	return model;
}

/* Names of all families, for hints. */
static char *
known_families(void)
{
	StringInfoData text;
	const cvm_family *family;

	initStringInfo(&text);
	for (int i = 0; (family = cvm_family_at(i)) != NULL; i++)
		appendStringInfo(&text, "%s%s", i > 0 ? ", " : "", family->name);
	return text.data;
}

const cvm_family *
cvm_family_or_error(const char *name)
{
	const cvm_family *family = cvm_family_find(name);

	if (family == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown model family \"%s\"", name),
				 errhint("Known families: %s.", known_families())));
	return family;
}

const cvm_family *
cvm_model_family(const CvmModel *model)
{
	return cvm_family_or_error(pnstrdup(model->family, sizeof(model->family)));
}

/* Everything that text and binary input have in common. */
static void
check_model(const cvm_family *family, const CvmModel *model)
{
	int			n = family->n_params;

	for (int i = 0; i < n; i++)
		if (!isfinite(model->number[i]) || model->number[i] <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("parameter %s = %g of %s is out of its domain", family->params[i], model->number[i], family->name),
					 errdetail("Every parameter must be positive and finite.")));
	if (!cvm_in_domain(family, model->number))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("parameter %s = %g of %s is out of its domain", family->params[0], model->number[0], family->name),
				 errdetail("%s must be a whole number from 1 to %d.", family->params[0], family->searched)));
	if (!(has_time(family) && model->unit_seconds >= CVM_MIN_UNIT_SECONDS && model->unit_seconds <= CVM_MAX_UNIT_SECONDS) &&
		!(may_lack_unit(family) && model->unit_seconds == 0))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("time unit %g of a %s model is out of range", model->unit_seconds, family->name),
				 errdetail("A time unit is %g to %g seconds.", CVM_MIN_UNIT_SECONDS, CVM_MAX_UNIT_SECONDS)));
	if ((model->flags & CVM_MODEL_HAS_FIT) &&
		(!isfinite(model->loglik) || !isfinite(model->customers) || model->customers < 0))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("customers = %g or log_likelihood = %g of a model is out of range", model->customers, model->loglik),
				 errdetail("Both must be finite, and customers not negative.")));
	for (int i = 0; (model->flags & CVM_MODEL_HAS_COVARIANCE) && i < n * n; i++)
		if (!isfinite(model->number[n + i]) || (i % (n + 1) == 0 && model->number[n + i] < 0))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("the covariance of a model must be finite with a diagonal that is not negative")));
}

static bool
finite_covariance(int n, const cvm_fit_result *fit)
{
	for (int i = 0; fit->has_covariance && i < n * n; i++)
		if (!isfinite(fit->covariance[i / n][i % n]))
			return false;
	return fit->has_covariance;
}

/*
 * Parameters of extreme size can have variances beyond a float: those are then
 * as unknown as where the information is singular.
 */
CvmModel *
cvm_model_from_fit(const cvm_fit_result *fit, double unit_seconds)
{
	const cvm_family *family = fit->family;
	cvm_fit_result known = *fit;
	CvmModel   *model;

	known.has_covariance = finite_covariance(family->n_params, fit);
	model = assemble(family, &known, unit_seconds);
	check_model(family, model);
	return model;
}

void
cvm_fit_of_model(const CvmModel *model, cvm_fit_result *fit)
{
	int			n = model->n_params;

	memset(fit, 0, sizeof(*fit));
	fit->family = cvm_model_family(model);
	memcpy(fit->theta, model->number, sizeof(double) * n);
	fit->rung = model->rung;
	fit->loglik = model->loglik;
	fit->customers = model->customers;
	fit->has_covariance = (model->flags & CVM_MODEL_HAS_COVARIANCE) != 0;
	for (int i = 0; fit->has_covariance && i < n; i++)
		memcpy(fit->covariance[i], &model->number[n + i * n], sizeof(double) * n);
}

/* ---------- text output ---------- */

static void
append_number(StringInfo text, double value)
{
	char		number[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(value, number);
	appendStringInfoString(text, number);
}

PG_FUNCTION_INFO_V1(cvm_model_out);
Datum
cvm_model_out(PG_FUNCTION_ARGS)
{
	CvmModel   *model = PG_GETARG_MODEL_P(0);
	const cvm_family *family = cvm_model_family(model);
	int			n = model->n_params;
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "%s(", family->name);
	for (int i = 0; i < n; i++)
	{
		appendStringInfo(&text, "%s%s=", i > 0 ? "," : "", family->params[i]);
		append_number(&text, model->number[i]);
	}
	appendStringInfoChar(&text, ')');
	if (model->unit_seconds > 0)
	{
		appendStringInfoString(&text, " unit=");
		append_number(&text, model->unit_seconds);
	}
	if (model->flags & CVM_MODEL_HAS_FIT)
	{
		appendStringInfoString(&text, " customers=");
		append_number(&text, model->customers);
		appendStringInfoString(&text, " log_likelihood=");
		append_number(&text, model->loglik);
		appendStringInfo(&text, " rung=%s", cvm_rung_names[model->rung]);
	}
	if (model->flags & CVM_MODEL_HAS_COVARIANCE)
	{
		appendStringInfoString(&text, " covariance=[");
		for (int i = 0; i < n * n; i++)
		{
			if (i > 0)
				appendStringInfoChar(&text, ',');
			append_number(&text, model->number[n + i]);
		}
		appendStringInfoChar(&text, ']');
	}
	PG_RETURN_CSTRING(text.data);
}

/* ---------- text input ---------- */

static double
read_number(Reader *reader)
{
	cvm_skip_spaces(reader);
	return cvm_read_double(reader, "a number");
}

static const cvm_family *
read_family(Reader *reader)
{
	const char *open = strchr(reader->at, '(');
	char	   *name;

	cvm_skip_spaces(reader);
	if (open == NULL)
		cvm_refuse_syntax(reader, "a family and its parameters in parentheses");
	name = pnstrdup(reader->at, open - reader->at);
	while (*name && name[strlen(name) - 1] == ' ')
		name[strlen(name) - 1] = '\0';
	reader->at = open;
	return cvm_family_or_error(name);
}

/* Index of the parameter whose name stands here. */
static int
read_parameter_name(Reader *reader, const cvm_family *family)
{
	const char *start;
	Size		length;

	cvm_skip_spaces(reader);
	start = reader->at;
	length = strcspn(start, "=,) ");
	for (int i = 0; i < family->n_params; i++)
		if (strlen(family->params[i]) == length && strncmp(family->params[i], start, length) == 0)
		{
			reader->at += length;
			return i;
		}
	cvm_refuse_syntax(reader, psprintf("a parameter of %s", family->name));
	return -1;
}

static void
read_parameters(Reader *reader, const cvm_family *family, double *theta)
{
	bool		seen[CVM_MAX_PARAMS] = {false};

	cvm_expect(reader, "(");
	for (int k = 0; k < family->n_params; k++)
	{
		int			i;

		if (k > 0)
			cvm_expect(reader, ",");
		i = read_parameter_name(reader, family);
		if (seen[i])
			cvm_refuse_syntax(reader, "every parameter once");
		seen[i] = true;
		cvm_expect(reader, "=");
		theta[i] = read_number(reader);
	}
	cvm_expect(reader, ")");
}

static int
read_rung(Reader *reader)
{
	for (int i = 0; i < CVM_N_RUNGS; i++)
		if (cvm_accept(reader, cvm_rung_names[i]))
			return i;
	cvm_refuse_syntax(reader, "full, penalised, simpler or shrunk");
	return 0;
}

static void
read_covariance(Reader *reader, int n, double *covariance)
{
	cvm_expect(reader, "[");
	for (int i = 0; i < n * n; i++)
	{
		if (i > 0)
			cvm_expect(reader, ",");
		covariance[i] = read_number(reader);
	}
	cvm_expect(reader, "]");
}

/* What may stand behind the parameters, in this order. */
static void
read_statistics(Reader *reader, const cvm_family *family, cvm_fit_result *fit, double *unit, uint8 *flags)
{
	double		covariance[CVM_MAX_PARAMS * CVM_MAX_PARAMS];
	int			n = family->n_params;

	if (has_time(family) && cvm_accept(reader, "unit="))
		*unit = read_number(reader);
	if (cvm_accept(reader, "customers="))
	{
		*flags |= CVM_MODEL_HAS_FIT;
		fit->customers = read_number(reader);
		cvm_expect(reader, "log_likelihood=");
		fit->loglik = read_number(reader);
		cvm_expect(reader, "rung=");
		fit->rung = read_rung(reader);
	}
	if (cvm_accept(reader, "covariance="))
	{
		*flags |= CVM_MODEL_HAS_COVARIANCE;
		fit->has_covariance = true;
		read_covariance(reader, n, covariance);
		for (int i = 0; i < n * n; i++)
			fit->covariance[i / n][i % n] = covariance[i];
	}
	cvm_expect_end(reader, "the end, or unit, customers, log_likelihood, rung, covariance in this order");
}

PG_FUNCTION_INFO_V1(cvm_model_in);
Datum
cvm_model_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	Reader		reader = {"model", "A model looks like bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426).", text, text};
	const cvm_family *family = read_family(&reader);
	cvm_fit_result fit = {0};
	double		unit = may_lack_unit(family) ? 0 : WEEK_SECONDS;
	uint8		flags = 0;
	CvmModel   *model;

	read_parameters(&reader, family, fit.theta);
	read_statistics(&reader, family, &fit, &unit, &flags);
	model = assemble(family, &fit, unit);
	model->flags = flags;
	check_model(family, model);
	PG_RETURN_POINTER(model);
}

/* ---------- binary: version, family, then the numbers ---------- */

PG_FUNCTION_INFO_V1(cvm_model_send);
Datum
cvm_model_send(PG_FUNCTION_ARGS)
{
	CvmModel   *model = PG_GETARG_MODEL_P(0);
	const cvm_family *family = cvm_model_family(model);
	bool		covariance = (model->flags & CVM_MODEL_HAS_COVARIANCE) != 0;
	int			n = model->n_params;
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendint32(&buffer, model->version);
	pq_sendstring(&buffer, family->name);
	pq_sendint8(&buffer, model->flags);
	pq_sendint8(&buffer, model->rung);
	pq_sendfloat8(&buffer, model->unit_seconds);
	pq_sendfloat8(&buffer, model->customers);
	pq_sendfloat8(&buffer, model->loglik);
	for (int i = 0; i < n + (covariance ? n * n : 0); i++)
		pq_sendfloat8(&buffer, model->number[i]);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

PG_FUNCTION_INFO_V1(cvm_model_recv);
Datum
cvm_model_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	uint32		version = pq_getmsgint(buffer, 4);
	const cvm_family *family;
	CvmModel   *model;
	int			flags;
	int			n;

	if (version != CVM_MODEL_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported version %u of type model", version)));
	family = cvm_family_or_error(pq_getmsgstring(buffer));
	n = family->n_params;
	flags = pq_getmsgbyte(buffer);
	if (flags & ~(CVM_MODEL_HAS_FIT | CVM_MODEL_HAS_COVARIANCE))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION), errmsg("invalid flags %d in a model", flags)));
	model = new_model(family, flags);
	model->rung = pq_getmsgbyte(buffer);
	if (model->rung >= CVM_N_RUNGS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION), errmsg("invalid rung %d in a model", model->rung)));
	model->unit_seconds = pq_getmsgfloat8(buffer);
	model->customers = pq_getmsgfloat8(buffer);
	model->loglik = pq_getmsgfloat8(buffer);
	for (int i = 0; i < n + ((flags & CVM_MODEL_HAS_COVARIANCE) ? n * n : 0); i++)
		model->number[i] = pq_getmsgfloat8(buffer);
	if (!(flags & CVM_MODEL_HAS_FIT) && (model->rung != 0 || model->customers != 0 || model->loglik != 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid flags %d in a model", flags),
				 errdetail("It has statistics of a fit that are marked as unknown.")));
	check_model(family, model);
	PG_RETURN_POINTER(model);
}

/* ---------- accessors ---------- */

PG_FUNCTION_INFO_V1(cvm_model_family_name);
Datum
cvm_model_family_name(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(cvm_model_family(PG_GETARG_MODEL_P(0))->name));
}

/* {"name": value, ...} over the parameters */
static Datum
named_numbers(const cvm_family *family, const double *values)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoChar(&text, '{');
	for (int i = 0; i < family->n_params; i++)
	{
		appendStringInfo(&text, "%s\"%s\": ", i > 0 ? ", " : "", family->params[i]);
		append_number(&text, values[i]);
	}
	appendStringInfoChar(&text, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data));
}

PG_FUNCTION_INFO_V1(cvm_model_parameters);
Datum
cvm_model_parameters(PG_FUNCTION_ARGS)
{
	CvmModel   *model = PG_GETARG_MODEL_P(0);

	PG_RETURN_DATUM(named_numbers(cvm_model_family(model), model->number));
}

PG_FUNCTION_INFO_V1(cvm_model_standard_errors);
Datum
cvm_model_standard_errors(PG_FUNCTION_ARGS)
{
	CvmModel   *model = PG_GETARG_MODEL_P(0);
	double		errors[CVM_MAX_PARAMS];
	int			n = model->n_params;

	if (!(model->flags & CVM_MODEL_HAS_COVARIANCE))
		PG_RETURN_NULL();
	for (int i = 0; i < n; i++)
		errors[i] = sqrt(model->number[n + i * n + i]);
	PG_RETURN_DATUM(named_numbers(cvm_model_family(model), errors));
}

PG_FUNCTION_INFO_V1(cvm_model_covariance);
Datum
cvm_model_covariance(PG_FUNCTION_ARGS)
{
	CvmModel   *model = PG_GETARG_MODEL_P(0);
	int			n = model->n_params;
	StringInfoData text;

	if (!(model->flags & CVM_MODEL_HAS_COVARIANCE))
		PG_RETURN_NULL();
	initStringInfo(&text);
	for (int i = 0; i < n * n; i++)
	{
		appendStringInfoString(&text, i == 0 ? "[[" : i % n == 0 ? "], [" : ", ");
		append_number(&text, model->number[n + i]);
	}
	appendStringInfoString(&text, "]]");
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data)));
}

PG_FUNCTION_INFO_V1(cvm_model_log_likelihood);
Datum
cvm_model_log_likelihood(PG_FUNCTION_ARGS)
{
	CvmModel   *model = PG_GETARG_MODEL_P(0);

	if (!(model->flags & CVM_MODEL_HAS_FIT))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(model->loglik);
}

PG_FUNCTION_INFO_V1(cvm_model_customers);
Datum
cvm_model_customers(PG_FUNCTION_ARGS)
{
	CvmModel   *model = PG_GETARG_MODEL_P(0);

	if (!(model->flags & CVM_MODEL_HAS_FIT))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(model->customers);
}

PG_FUNCTION_INFO_V1(cvm_model_unit);
Datum
cvm_model_unit(PG_FUNCTION_ARGS)
{
	CvmModel   *model = PG_GETARG_MODEL_P(0);
	Interval   *unit = palloc0(sizeof(Interval));

	if (model->unit_seconds <= 0)
		PG_RETURN_NULL();
	unit->day = (int32) (model->unit_seconds / 86400);
	unit->time = (int64) rint((model->unit_seconds - unit->day * 86400.0) * 1e6);
	PG_RETURN_INTERVAL_P(unit);
}

/* ---------- equality, order, hash: bytewise ---------- */

static int
compare(CvmModel *a, CvmModel *b)
{
	Size		size_a = VARSIZE(a);
	Size		size_b = VARSIZE(b);
	int			order = memcmp((char *) a + VARHDRSZ, (char *) b + VARHDRSZ, Min(size_a, size_b) - VARHDRSZ);

	return order != 0 ? (order > 0) - (order < 0) : (size_a > size_b) - (size_a < size_b);
}

/* A sort calls this many times in one memory context. */
static int
compare_arguments(FunctionCallInfo fcinfo)
{
	CvmModel   *a = PG_GETARG_MODEL_P(0);
	CvmModel   *b = PG_GETARG_MODEL_P(1);
	int			order = compare(a, b);

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return order;
}

#define COMPARISON(name, operator) \
PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	PG_RETURN_BOOL(compare_arguments(fcinfo) operator 0); \
}

COMPARISON(cvm_model_eq, ==)
COMPARISON(cvm_model_ne, !=)
COMPARISON(cvm_model_lt, <)
COMPARISON(cvm_model_le, <=)
COMPARISON(cvm_model_gt, >)
COMPARISON(cvm_model_ge, >=)

PG_FUNCTION_INFO_V1(cvm_model_cmp);
Datum
cvm_model_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_arguments(fcinfo));
}

/* ---------- the registry as rows ---------- */

PG_FUNCTION_INFO_V1(cvm_families_sql);
/* family, kind, parameters, citation */
Datum
cvm_families_sql(PG_FUNCTION_ARGS)
{
	static const char *const kinds[] = {"purchases", "spend", "retention"};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const cvm_family *family;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; (family = cvm_family_at(i)) != NULL; i++)
	{
		Datum		names[CVM_MAX_PARAMS];
		Datum		values[4];
		bool		nulls[4] = {false};

		for (int k = 0; k < family->n_params; k++)
			names[k] = CStringGetTextDatum(family->params[k]);
		values[0] = CStringGetTextDatum(family->name);
		values[1] = CStringGetTextDatum(kinds[family->kind]);
		values[2] = PointerGetDatum(construct_array(names, family->n_params, TEXTOID, -1, false, TYPALIGN_INT));
		values[3] = CStringGetTextDatum(family->citation);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
