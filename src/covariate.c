/*
 * covariate.c: customers with covariates -> cvm.covariate_model: the aggregate
 * cvm.fit_covariates (models/covariate.h).
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "covariate.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "row.h"
#include "types/purchase_history.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define WEEK_SECONDS 604800.0
#define HINT_ROWS "Leave such rows out with FILTER (WHERE ... IS NOT NULL)."

/* ---------- state ---------- */

typedef struct CovariateState
{
	const cvm_family *family;
	TimestampTz as_of;			/* histories only */
	int32		period;			/* of the histories, in seconds; 0 while there is none */
	int			covariates;
	ArrayType  *names;			/* NULL if not given */
	ArrayType  *processes;
	int64		n;
	int64		allocated;
	cvm_row    *row;
	double	   *z;				/* row by row */
} CovariateState;

static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

static ArrayType *
copy_array(MemoryContext context, const ArrayType *array)
{
	ArrayType  *copy;

	if (array == NULL)
		return NULL;
	copy = MemoryContextAlloc(context, VARSIZE(array));
	memcpy(copy, array, VARSIZE(array));
	return copy;
}

static CovariateState *
new_state(MemoryContext context, const CovariateState *like, int64 rows)
{
	CovariateState *state = MemoryContextAlloc(context, sizeof(CovariateState));

	*state = *like;
	state->names = copy_array(context, like->names);
	state->processes = copy_array(context, like->processes);
	state->n = 0;
	state->allocated = Max(rows, 64);
	state->row = MemoryContextAllocHuge(context, sizeof(cvm_row) * state->allocated);
	state->z = MemoryContextAllocHuge(context, sizeof(double) * state->covariates * state->allocated);
	return state;
}

static void
add_row(CovariateState *state, const cvm_row *row, const double *z)
{
	if (state->n == state->allocated)
	{
		state->allocated *= 2;
		state->row = repalloc_huge(state->row, sizeof(cvm_row) * state->allocated);
		state->z = repalloc_huge(state->z, sizeof(double) * state->covariates * state->allocated);
	}
	state->row[state->n] = *row;
	memcpy(state->z + state->n * state->covariates, z, sizeof(double) * state->covariates);
	state->n++;
}

static bool
same_array(const ArrayType *a, const ArrayType *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
}

/* What must be the same for all customers of a group. */
static void
check_same(CovariateState *state, const CovariateState *other)
{
	if (state->family != other->family || state->as_of != other->as_of
		|| !same_array(state->names, other->names) || !same_array(state->processes, other->processes))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("family, as_of, names and processes of a fit must not change within a group")));
	if (state->covariates != other->covariates)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a customer has %d covariates where there should be %d", other->covariates, state->covariates)));
	if (state->period == 0)
		state->period = other->period;
	if (other->period != 0 && state->period != other->period)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("histories with periods of %d and %d seconds can not be fitted together", state->period, other->period),
				 errhint("Aggregate the purchases of both with the same period.")));
}

/* ---------- arguments ---------- */

static void
refuse_null(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("%s must not be null", what),
			 errhint(HINT_ROWS)));
}

static const char *
families_with_covariates(void)
{
	StringInfoData text;
	const cvm_family *family;
	cvm_effect	effect[CVM_MAX_PARAMS];
	int			both = CVM_ON_BOTH;

	initStringInfo(&text);
	for (int i = 0; (family = cvm_family_at(i)) != NULL; i++)
		if (cvm_covariate_effects(family, 1, &both, effect) > 0)
			appendStringInfo(&text, "%s%s", text.len > 0 ? ", " : "", family->name);
	return text.data;
}

static bool
takes_covariates(const cvm_family *family)
{
	cvm_effect	effect[CVM_MAX_PARAMS];
	int			both = CVM_ON_BOTH;

	return cvm_covariate_effects(family, 1, &both, effect) > 0;
}

PG_FUNCTION_INFO_V1(cvm_takes_covariates);
Datum
cvm_takes_covariates(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(takes_covariates(cvm_family_or_error(text_to_cstring(PG_GETARG_TEXT_PP(0)))));
}

static const cvm_family *
family_argument(FunctionCallInfo fcinfo, int n)
{
	const cvm_family *family;
	cvm_effect	effect[CVM_MAX_PARAMS];
	int			both = CVM_ON_BOTH;

	if (PG_ARGISNULL(n))
		refuse_null("the family of a model");
	family = cvm_family_or_error(text_to_cstring(PG_GETARG_TEXT_PP(n)));
	if (cvm_covariate_effects(family, 1, &both, effect) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s takes no covariates", family->name),
				 errhint("Families with covariates: %s.", families_with_covariates())));
	return family;
}

static ArrayType *
array_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_NARGS() > n && !PG_ARGISNULL(n) ? PG_GETARG_ARRAYTYPE_P(n) : NULL;
}

/* Adds a customer to the state in argument 0; covariates, names and processes are arguments `first` on. */
static Datum
accumulate(FunctionCallInfo fcinfo, int first, CovariateState *like, const cvm_row *row)
{
	MemoryContext context = aggregate_context(fcinfo);
	CovariateState *state = PG_ARGISNULL(0) ? NULL : (CovariateState *) PG_GETARG_POINTER(0);
	const double *z;

	if (PG_ARGISNULL(first))
		refuse_null("the covariates of a customer");
	like->covariates = state ? state->covariates : 0;
	z = cvm_covariate_values(PG_GETARG_ARRAYTYPE_P(first), &like->covariates);
	like->names = array_argument(fcinfo, first + 1);
	like->processes = array_argument(fcinfo, first + 2);
	if (state == NULL)
	{
		CovariateNames names;

		cvm_covariate_names(like->covariates, like->names, like->processes, &names);
		state = new_state(context, like, 0);
	}
	check_same(state, like);
	cvm_check_row(like->family, row);
	add_row(state, row, z);
	PG_RETURN_POINTER(state);
}

static Datum
leave_out(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/* ---------- transition functions ---------- */

PG_FUNCTION_INFO_V1(cvm_fit_covariates_accum);
/* (state, family, x, t_x, age, covariates [, names, processes]) */
Datum
cvm_fit_covariates_accum(PG_FUNCTION_ARGS)
{
	CovariateState like = {.family = family_argument(fcinfo, 1)};
	cvm_row		row = {.weight = 1};

	if (PG_ARGISNULL(2) && PG_ARGISNULL(3) && PG_ARGISNULL(4))
		return leave_out(fcinfo);
	if (PG_ARGISNULL(2) || PG_ARGISNULL(3) || PG_ARGISNULL(4))
		refuse_null("a statistic of a customer");
	row.x = PG_GETARG_FLOAT8(2);
	row.t_x = PG_GETARG_FLOAT8(3);
	row.age = PG_GETARG_FLOAT8(4);
	return accumulate(fcinfo, 5, &like, &row);
}

PG_FUNCTION_INFO_V1(cvm_fit_covariates_history_accum);
/* (state, family, history, as_of, covariates [, names, processes]); histories without purchases are left out */
Datum
cvm_fit_covariates_history_accum(PG_FUNCTION_ARGS)
{
	CovariateState like = {.family = family_argument(fcinfo, 1)};
	const PurchaseHistory *history;
	cvm_row		row = {.weight = 1};

	if (PG_ARGISNULL(2))
		return leave_out(fcinfo);
	if (PG_ARGISNULL(3))
		refuse_null("as_of");
	history = PG_GETARG_HISTORY_P(2);
	if (history->repeat_periods < 0)
		return leave_out(fcinfo);
	like.as_of = PG_GETARG_TIMESTAMPTZ(3);
	like.period = history->period;
	cvm_history_row(history, like.as_of, WEEK_SECONDS, &row);
	return accumulate(fcinfo, 4, &like, &row);
}

/* ---------- combine, serialise ---------- */

PG_FUNCTION_INFO_V1(cvm_fit_covariates_combine);
Datum
cvm_fit_covariates_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = aggregate_context(fcinfo);
	CovariateState *into = PG_ARGISNULL(0) ? NULL : (CovariateState *) PG_GETARG_POINTER(0);
	CovariateState *from = PG_ARGISNULL(1) ? NULL : (CovariateState *) PG_GETARG_POINTER(1);

	if (from == NULL)
		return leave_out(fcinfo);
	if (into == NULL)
		into = new_state(context, from, from->n);
	check_same(into, from);
	for (int64 i = 0; i < from->n; i++)
		add_row(into, &from->row[i], from->z + i * from->covariates);
	PG_RETURN_POINTER(into);
}

static void
send_array(StringInfo buffer, const ArrayType *array)
{
	pq_sendint32(buffer, array ? VARSIZE(array) : 0);
	if (array)
		pq_sendbytes(buffer, (const char *) array, VARSIZE(array));
}

static ArrayType *
receive_array(StringInfo buffer)
{
	int			size = pq_getmsgint(buffer, 4);
	ArrayType  *array = size > 0 ? palloc(size) : NULL;

	if (array)
		pq_copymsgbytes(buffer, (char *) array, size);
	return array;
}

PG_FUNCTION_INFO_V1(cvm_fit_covariates_serialize);
Datum
cvm_fit_covariates_serialize(PG_FUNCTION_ARGS)
{
	CovariateState *state = (CovariateState *) PG_GETARG_POINTER(0);
	Size		row_size = sizeof(cvm_row) + sizeof(double) * state->covariates;
	StringInfoData buffer;

	(void) aggregate_context(fcinfo);
	if (state->n > (MaxAllocSize / 2) / row_size)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many customers for a parallel fit"),
				 errhint("SET max_parallel_workers_per_gather = 0.")));
	pq_begintypsend(&buffer);
	pq_sendstring(&buffer, state->family->name);
	pq_sendint64(&buffer, state->as_of);
	pq_sendint32(&buffer, state->period);
	pq_sendint32(&buffer, state->covariates);
	send_array(&buffer, state->names);
	send_array(&buffer, state->processes);
	pq_sendint64(&buffer, state->n);
	pq_sendbytes(&buffer, (char *) state->row, sizeof(cvm_row) * state->n);
	pq_sendbytes(&buffer, (char *) state->z, sizeof(double) * state->covariates * state->n);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

PG_FUNCTION_INFO_V1(cvm_fit_covariates_deserialize);
Datum
cvm_fit_covariates_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	StringInfoData buffer;
	CovariateState like = {0};
	CovariateState *state;
	int64		n;

	(void) aggregate_context(fcinfo);
	initStringInfo(&buffer);
	appendBinaryStringInfo(&buffer, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	like.family = cvm_family_or_error(pq_getmsgstring(&buffer));
	like.as_of = pq_getmsgint64(&buffer);
	like.period = pq_getmsgint(&buffer, 4);
	like.covariates = pq_getmsgint(&buffer, 4);
	like.names = receive_array(&buffer);
	like.processes = receive_array(&buffer);
	n = pq_getmsgint64(&buffer);
	state = new_state(CurrentMemoryContext, &like, n);
	state->n = n;
	pq_copymsgbytes(&buffer, (char *) state->row, sizeof(cvm_row) * n);
	pq_copymsgbytes(&buffer, (char *) state->z, sizeof(double) * like.covariates * n);
	pq_getmsgend(&buffer);
	PG_RETURN_POINTER(state);
}

/* ---------- finish ---------- */

/* "a", "b" and "c" */
static const char *
list_involved(const CovariateNames *names, const bool *involved)
{
	StringInfoData text;
	int			left = 0;

	initStringInfo(&text);
	for (int k = 0; k < names->n; k++)
		left += involved[k];
	for (int k = 0; k < names->n; k++)
		if (involved[k])
			appendStringInfo(&text, "%s\"%s\"", text.len == 0 ? "" : left == 1 ? " and " : ", ", names->name[k]),
				left--;
	return text.data;
}

void
cvm_refuse_covariates(const cvm_covariate_fit *fit, const CovariateNames *names, double customers)
{
	if (fit->trouble == CVM_COVARIATE_CONSTANT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("covariate \"%s\" is the same for all %g customers", names->name[fit->culprit], customers),
				 errhint("Leave it out: what does not differ explains nothing.")));
	if (fit->trouble == CVM_COVARIATE_COLLINEAR)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("covariate \"%s\" follows from %s", names->name[fit->culprit], list_involved(names, fit->involved)),
				 errdetail("It is a sum of multiples of what it follows from, and a constant, so that no data tell their effects apart."),
				 errhint("Leave one of them out. Of the levels of a category one is the reference, and has no covariate.")));
}

static TupleDesc
row_shape(FunctionCallInfo fcinfo)
{
	TupleDesc	shape;

	if (get_call_result_type(fcinfo, NULL, &shape) != TYPEFUNC_COMPOSITE || shape->natts != COVARIATE_MODEL_COLUMNS)
		elog(ERROR, "return type must be cvm.covariate_model");
	return BlessTupleDesc(shape);
}

PG_FUNCTION_INFO_V1(cvm_fit_covariates_final);
/* NULL for no rows at all */
Datum
cvm_fit_covariates_final(PG_FUNCTION_ARGS)
{
	CovariateState *state;
	cvm_env		env = cvm_server_env(CurrentMemoryContext);
	CovariateNames names;
	cvm_covariate_data data;
	cvm_covariate_fit *fit = palloc(sizeof(cvm_covariate_fit));
	cvm_status	status;
	Datum		row;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (CovariateState *) PG_GETARG_POINTER(0);
	cvm_covariate_names(state->covariates, state->names, state->processes, &names);
	data = (cvm_covariate_data) {
		state->family, names.n, names.process, state->n, state->row, state->z
	};
	status = cvm_fit_covariates(&data, &env, fit);
	if (status == CVM_NO_OPTIMUM)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("%g customers say too little to estimate %s with covariates", (double) state->n, data.family->name),
				 errhint("cvm.fit gives a model without covariates, and says in its rung what it is worth.")));
	cvm_refuse_status(status, state->family, state->n);
	cvm_refuse_covariates(fit, &names, state->n);
	row = cvm_covariate_model_datum(row_shape(fcinfo), &names, fit, WEEK_SECONDS);
	cvm_covariate_release(&env, fit);
	PG_RETURN_DATUM(row);
}
