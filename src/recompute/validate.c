/*
 * validate.c: CALL cvm.validate(portfolio, holdout, as_of, specifications).
 *
 * The feed is read twice by the steps of a recompute: up to as_of - holdout, from
 * which every candidate is fitted and predicts, and up to as_of, from which
 * nothing is taken but the difference: what each customer bought and spent in
 * between.  So what a candidate sees is what a recompute of that earlier instant
 * would have seen, and nothing of the holdout can leak into it.  A candidate with
 * another period (or time zone) has a reading of its own; what counts as a
 * purchase of the holdout is always the portfolio's period.
 *
 * Memory: about 60 bytes and the key of each customer, 16 bytes a customer and
 * candidate, and the customer records (spilled as in a recompute).  At top level
 * reading, each fit and recording are transactions of their own.  The measures,
 * the gate and its rule are SQL (sql/validation.sql).
 */
#include "engine.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "math/sum.h"
#include "recompute/customer_model.h"
#include "recompute/owner.h"

/* One reading of the calibration window: a calendar and its customers. */
typedef struct Reading
{
	RecomputePlan *plan;
	Population *population;
} Reading;

typedef struct Candidate
{
	RecomputePlan *plan;		/* as of the end of the calibration window */
	Reading    *reading;
	bool		was_live;
	const char *failure;		/* why there are no predictions */
	CvmModel   *model;
	CvmModel   *spend_model;	/* NULL if there was nothing to fit it on */
	cvm_rung	rung;
	char	   *fingerprint;
	double	   *purchases;		/* predictions, in the order of cases */
	double	   *spend;			/* NULL: not all of them are finite */
} Candidate;

/* A customer of the calibration window. */
typedef struct Case
{
	Datum		key;
	uint32		hash;
	double		x;				/* of the calibration window, in the portfolio's periods */
	double		age;			/* in periods */
	double		money;			/* to the end of the calibration window */
	double		repeat_money;
	double		purchases;		/* of the holdout */
	double		spend;
} Case;

typedef struct Validation
{
	MemoryContext context;
	bool		atomic;
	int64		id;
	RecomputePlan *plan;		/* by the options, as of the end of the calibration window */
	Interval   *holdout;
	TimestampTz as_of;
	char	   *specifications; /* jsonb as text, or NULL */
	Reading   **readings;		/* the first is by the options */
	int			n_readings;
	Candidate  *candidates;
	int			n_candidates;
	int			step;			/* candidate whose turn it is */
	int			holdout_periods;
	Population *outcome;		/* up to as_of; its customers are freed once compared */
	FmgrInfo	hash_key;
	FmgrInfo	equal_keys;
	Case	   *cases;
	int64		n_cases;
	uint32	   *slots;			/* case number + 1, open addressing */
	uint32		mask;
} Validation;

typedef void (*Step) (Validation *v);

/* ---------- what is compared ---------- */

static RecomputePlan *
plan_of(const Validation *v, char *specification, TimestampTz as_of)
{
	MemoryContext old = MemoryContextSwitchTo(v->context);
	RecomputePlan *plan = palloc0(sizeof(RecomputePlan));

	plan->portfolio = v->plan->portfolio;
	plan->portfolio_id = v->plan->portfolio_id;
	plan->owner = v->plan->owner;
	plan->as_of = as_of;
	plan->specification = specification;
	MemoryContextSwitchTo(old);
	cvm_plan_load(plan);
	return plan;
}

/* Whether b's plan can do with what a's has read. */
static bool
is_enough(const RecomputePlan *a, const RecomputePlan *b)
{
	return a->calendar.period == b->calendar.period && a->calendar.zone_id == b->calendar.zone_id &&
		(b->attributes.query == NULL || (a->attributes.query && strcmp(a->attributes.query, b->attributes.query) == 0));
}

/* The reading that has a plan's calendar and attributes, made if there is none. */
static Reading *
reading_of(Validation *v, RecomputePlan *plan)
{
	MemoryContext old;
	Reading    *reading;

	for (int i = 0; i < v->n_readings; i++)
		if (is_enough(v->readings[i]->plan, plan))
			return v->readings[i];
	old = MemoryContextSwitchTo(v->context);
	reading = palloc0(sizeof(Reading));
	reading->plan = plan;
	reading->population = palloc0(sizeof(Population));
	v->readings = v->readings ? repalloc(v->readings, sizeof(Reading *) * (v->n_readings + 1)) : palloc(sizeof(Reading *));
	v->readings[v->n_readings++] = reading;
	MemoryContextSwitchTo(old);
	return reading;
}

/* End of the calibration window: days and months of the holdout are those of the portfolio's time zone. */
static TimestampTz
calibrated_to(const Validation *v)
{
	Oid			types[3] = {TIMESTAMPTZOID, INTERVALOID, TEXTOID};
	Datum		values[3] = {
		TimestampTzGetDatum(v->as_of), IntervalPGetDatum(v->holdout), CStringGetTextDatum(v->plan->portfolio)
	};
	bool		isnull;
	TimestampTz result;

	cvm_spi(SPI_OK_SELECT,
			"SELECT (($1 AT TIME ZONE z.zone) - $2) AT TIME ZONE z.zone"
			" FROM (SELECT cvm.option_text((cvm.own_portfolio($3)).options, 'time_zone', 'UTC') AS zone) AS z",
			3, types, values, NULL);
	result = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	if (TIMESTAMP_NOT_FINITE(result) || result >= v->as_of)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("holdout %s is not a positive length of time", DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(v->holdout)))),
				 errhint("Such as interval '90 days'.")));
	return result;
}

static void
load_candidates(Validation *v)
{
	Oid			types[2] = {TEXTOID, JSONBOID};
	Datum		values[2] = {
		CStringGetTextDatum(v->plan->portfolio), v->specifications ? cvm_jsonb(v->specifications) : (Datum) 0
	};
	uint64		n = cvm_spi(SPI_OK_SELECT, "SELECT c.specification::text, c.was_live FROM cvm.validation_candidates($1, $2) c",
							2, types, values, v->specifications ? "  " : " n");
	SPITupleTable *found = SPI_tuptable;
	bool		isnull;

	v->candidates = MemoryContextAllocZero(v->context, sizeof(Candidate) * n);
	v->n_candidates = (int) n;
	for (int i = 0; i < v->n_candidates; i++)
	{
		Candidate  *candidate = &v->candidates[i];

		candidate->was_live = DatumGetBool(SPI_getbinval(found->vals[i], found->tupdesc, 2, &isnull));
		candidate->plan = plan_of(v, SPI_getvalue(found->vals[i], found->tupdesc, 1), v->plan->as_of);
		candidate->reading = reading_of(v, candidate->plan);
	}
	SPI_freetuptable(found);
}

/* The portfolio's own plan: what its options say, whatever is live or pinned. */
static void
load_plan(Validation *v)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(v->plan->portfolio)};
	char	   *specification;

	cvm_spi(SPI_OK_SELECT, "SELECT cvm.option_specification((cvm.own_portfolio($1)).options)::text", 1, types, values, NULL);
	specification = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	v->plan = plan_of(v, specification, calibrated_to(v));
	(void) reading_of(v, v->plan);
	load_candidates(v);
}

/* ---------- customers and what became of them ---------- */

static uint32
hash_of(Validation *v, Datum key)
{
	return DatumGetUInt32(FunctionCall1Coll(&v->hash_key, v->readings[0]->population->key.collation, key));
}

static Case *
find_case(Validation *v, Datum key)
{
	Oid			collation = v->readings[0]->population->key.collation;
	uint32		hash = hash_of(v, key);

	for (uint32 slot = hash & v->mask; v->slots[slot]; slot = (slot + 1) & v->mask)
	{
		Case	   *found = &v->cases[v->slots[slot] - 1];

		if (found->hash == hash && DatumGetBool(FunctionCall2Coll(&v->equal_keys, collation, found->key, key)))
			return found;
	}
	return NULL;
}

static void
add_case(Validation *v, const CustomerRecord *record)
{
	const Population *population = v->readings[0]->population;
	Case	   *added = &v->cases[v->n_cases];
	uint32		slot;
	cvm_row		row;

	cvm_row_of_history(v->plan, &record->history, &row);
	added->key = datumCopy(cvm_record_key(population, record), population->key.byval, population->key.typlen);
	added->hash = hash_of(v, added->key);
	added->x = row.x;
	added->age = (double) v->plan->as_of_period - record->history.first_period;
	added->money = cvm_history_total(&record->history);
	added->repeat_money = row.x > 0 ? row.x * row.mean_spend : 0;
	for (slot = added->hash & v->mask; v->slots[slot]; slot = (slot + 1) & v->mask)
		;
	v->slots[slot] = (uint32) ++v->n_cases;
}

static void
make_cases(Validation *v)
{
	const Population *population = v->readings[0]->population;
	MemoryContext old = MemoryContextSwitchTo(v->context);
	TypeCacheEntry *type = lookup_type_cache(population->key.type, TYPECACHE_HASH_PROC_FINFO | TYPECACHE_EQ_OPR_FINFO);
	char	   *record;
	Size		size;

	fmgr_info_copy(&v->hash_key, &type->hash_proc_finfo, v->context);
	fmgr_info_copy(&v->equal_keys, &type->eq_opr_finfo, v->context);
	for (v->mask = 1023; v->mask / 2 < population->n_buyers; v->mask = v->mask * 2 + 1)
		;
	v->slots = MemoryContextAllocExtended(v->context, sizeof(uint32) * ((Size) v->mask + 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	v->cases = MemoryContextAllocExtended(v->context, sizeof(Case) * population->n_buyers, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	cvm_spool_rewind(population->customers);
	while ((record = cvm_spool_next(population->customers, &size)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (cvm_buys(v->plan, (const CustomerRecord *) record))
			add_case(v, (const CustomerRecord *) record);
	}
	MemoryContextSwitchTo(old);
}

/* What is more at as_of than it was at the end of the calibration window. */
static void
compare_outcome(Validation *v)
{
	double		purchases = 0;
	char	   *record;
	Size		size;

	cvm_spool_rewind(v->outcome->customers);
	while ((record = cvm_spool_next(v->outcome->customers, &size)) != NULL)
	{
		const CustomerRecord *customer = (const CustomerRecord *) record;
		Case	   *known;

		CHECK_FOR_INTERRUPTS();
		if (!cvm_buys(v->plan, customer) ||
			(known = find_case(v, cvm_record_key(v->outcome, customer))) == NULL)
			continue;
		/* fewer: an order of the calibration window was refunded since */
		known->purchases = Max(customer->history.repeat_periods - known->x, 0);
		known->spend = cvm_history_total(&customer->history) - known->money;
		purchases += known->purchases;
	}
	if (!(purchases > 0))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("portfolio \"%s\" has no purchase in the holdout", v->plan->portfolio),
				 errdetail("None of the " INT64_FORMAT " customers of the calibration window has bought between %s and as_of; the feed has " INT64_FORMAT " rows up to as_of, " INT64_FORMAT " of them in the calibration window.",
						   v->n_cases, timestamptz_to_str(v->plan->as_of),
						   v->outcome->purchases_read - v->outcome->after_as_of,
						   v->readings[0]->population->purchases_read - v->readings[0]->population->after_as_of),
				 errhint("Name an as_of at which the data ends; without it, it is now.")));
}

static void
check_calibration(const Validation *v)
{
	const Population *population = v->readings[0]->population;

	if (population->n_repeaters > 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA),
			 errmsg("portfolio \"%s\" has nothing to calibrate on up to %s", v->plan->portfolio, timestamptz_to_str(v->plan->as_of)),
			 errdetail("There are " INT64_FORMAT " customers and " INT64_FORMAT " repeat buyers before the holdout; " INT64_FORMAT " of " INT64_FORMAT " rows of the feed are later.",
					   population->n_buyers, population->n_repeaters, population->after_as_of, population->purchases_read),
			 errhint("The holdout must be shorter than the data: half of it at most leaves enough to learn from.")));
}

static void
step_read(Validation *v)
{
	RecomputePlan *outcome;

	load_plan(v);
	cvm_summarise(v->plan, 0, v->context, v->readings[0]->population);
	check_calibration(v);
	make_cases(v);
	outcome = plan_of(v, v->plan->specification, v->as_of);
	v->holdout_periods = outcome->as_of_period - v->plan->as_of_period;
	cvm_summarise(outcome, 0, v->context, v->outcome);
	compare_outcome(v);
	cvm_spool_free(v->outcome->customers);
	v->outcome->customers = NULL;
	for (int i = 1; i < v->n_readings; i++)
		cvm_summarise(v->readings[i]->plan, 0, v->context, v->readings[i]->population);
}

/* ---------- fit and predict ---------- */

/* Length of the holdout in a plan's time units. */
static double
holdout_units(const Validation *v, const RecomputePlan *plan)
{
	return v->holdout_periods * (double) v->plan->calendar.period / plan->unit_seconds;
}

/* A purchase model on the calibration window; a family that does not fit is a finding, not an error. */
static bool
fit_purchases(Candidate *candidate, const cvm_table *table, const cvm_env *env, cvm_fit_result *fit)
{
	const cvm_family *family = candidate->plan->purchase_family;
	cvm_row		at;
	const char *wrong = cvm_first_misfit(family, table, &at);
	cvm_status	status;

	if (wrong)
	{
		candidate->failure = psprintf("the customers do not fit the family: %s", wrong);
		return false;
	}
	status = cvm_fit(family, table, env, fit);
	if (status == CVM_NO_DATA || status == CVM_NO_OPTIMUM)
	{
		candidate->failure = status == CVM_NO_DATA ? "there is no repeat purchase to fit on" : "its likelihood could not be evaluated anywhere";
		return false;
	}
	if (status != CVM_OK)
		cvm_fit_or_error(family, table, env, fit);	/* cancelled or out of memory: says so */
	candidate->rung = fit->rung;
	candidate->fingerprint = cvm_fingerprint_text(table);
	candidate->model = cvm_model_from_fit(fit, candidate->plan->unit_seconds);
	return true;
}

static bool
fit_spend(Candidate *candidate, const cvm_table *table, const cvm_env *env, cvm_fit_result *fit)
{
	const cvm_family *family = candidate->plan->spend_family;
	cvm_status	status = cvm_table_customers(table) > 0 ? cvm_fit(family, table, env, fit) : CVM_NO_DATA;

	if (status == CVM_NO_DATA || status == CVM_NO_OPTIMUM)
		return false;
	if (status != CVM_OK)
		cvm_fit_or_error(family, table, env, fit);
	candidate->spend_model = cvm_model_from_fit(fit, candidate->plan->unit_seconds);
	return true;
}

/* Expected money of a purchase: that of all where nothing is known of his own, as value.c has it. */
static double
spend_of(const Candidate *candidate, const double *theta, const cvm_row *row)
{
	cvm_row		spend = *row;

	if (spend.x > 0 && !(spend.mean_spend > 0))
		spend.x = 0;
	return candidate->plan->spend_family->expected_spend(theta, &spend);
}

static void
predict(Validation *v, Candidate *candidate, const cvm_fit_result *fit, const CovariateFit *covariates, const double *spend_theta)
{
	const cvm_family *family = fit->family;
	Population *population = candidate->reading->population;
	CovariateScorer *scorer = covariates ? cvm_covariate_scorer_new(covariates, population, CurrentMemoryContext) : NULL;
	double		t = holdout_units(v, candidate->plan);
	Size		bytes = sizeof(double) * v->n_cases;
	char	   *record;
	Size		size;

	candidate->purchases = MemoryContextAllocExtended(v->context, bytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	candidate->spend = spend_theta ? MemoryContextAllocExtended(v->context, bytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO) : NULL;
	cvm_spool_rewind(population->customers);
	while ((record = cvm_spool_next(population->customers, &size)) != NULL)
	{
		const CustomerRecord *customer = (const CustomerRecord *) record;
		Case	   *known;
		cvm_row		row;
		const double *theta;
		double		purchases;

		CHECK_FOR_INTERRUPTS();
		if (!cvm_buys(candidate->plan, customer) ||
			(known = find_case(v, cvm_record_key(population, customer))) == NULL)
			continue;
		cvm_row_of_history(candidate->plan, &customer->history, &row);
		theta = scorer ? cvm_covariate_theta_of(scorer, customer) : NULL;
		if (theta == NULL)
			theta = fit->theta;
		purchases = family->p_alive(theta, &row) * family->expected_if_alive(theta, &row, t);
		if (!isfinite(purchases))
		{
			candidate->failure = "a prediction is not finite";
			candidate->purchases = candidate->spend = NULL;
			return;
		}
		candidate->purchases[known - v->cases] = purchases;
		if (candidate->spend)
			candidate->spend[known - v->cases] = purchases * spend_of(candidate, spend_theta, &row);
	}
	for (int64 i = 0; candidate->spend && i < v->n_cases; i++)
		if (!isfinite(candidate->spend[i]))
			candidate->spend = NULL;	/* a prior mean spend without a mean (q <= 1) */
}

static void
step_fit(Validation *v)
{
	Candidate  *candidate = &v->candidates[v->step];
	MemoryContext old = MemoryContextSwitchTo(v->context);
	cvm_env		env = cvm_server_env(v->context);
	cvm_table  *purchases;
	cvm_table  *spend;
	int64		left_out;
	cvm_fit_result fit;
	cvm_fit_result spend_fit;

	cvm_fill_tables(candidate->plan, candidate->reading->population, &env, &purchases, &spend, &left_out);
	if (fit_purchases(candidate, purchases, &env, &fit))
	{
		bool		has_spend = fit_spend(candidate, spend, &env, &spend_fit);
		const CovariateFit *covariates = NULL;

		if (candidate->plan->attributes.query)
			covariates = cvm_covariates_fit(candidate->plan, candidate->reading->population, v->context, true, &candidate->failure);
		if (candidate->failure == NULL)
			predict(v, candidate, &fit, covariates, has_spend ? spend_fit.theta : NULL);
	}
	cvm_table_free(purchases);
	cvm_table_free(spend);
	MemoryContextSwitchTo(old);
}

/* ---------- recording ---------- */

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

static void
step_record(Validation *v)
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

/* ---------- the procedure ---------- */

/* One step as the owner, and a transaction of its own where that is possible. */
static void
run_step(Validation *v, Step step)
{
	Oid			save_user;
	int			save_context;
	int			level = cvm_enter_owner(v->plan, &save_user, &save_context);

	step(v);
	cvm_leave_owner(level, save_user, save_context);
	if (!v->atomic)
		SPI_commit();
}

static void
run_steps(Validation *v)
{
	run_step(v, step_read);
	for (v->step = 0; v->step < v->n_candidates; v->step++)
		run_step(v, step_fit);
	run_step(v, step_record);
}

static void
free_spools(Validation *v)
{
	if (v->outcome->customers)
		cvm_spool_free(v->outcome->customers);
	for (int i = 0; i < v->n_readings; i++)
		if (v->readings[i]->population->customers)
			cvm_spool_free(v->readings[i]->population->customers);
}

static Validation *
new_validation(FunctionCallInfo fcinfo, bool atomic)
{
	MemoryContext context = AllocSetContextCreate(PortalContext ? PortalContext : TopMemoryContext,
												  "cvm validate", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Validation *v = palloc0(sizeof(Validation));

	v->context = context;
	v->atomic = atomic;
	v->plan = palloc0(sizeof(RecomputePlan));
	v->outcome = palloc0(sizeof(Population));
	v->plan->portfolio = text_to_cstring(PG_GETARG_TEXT_PP(0));
	v->holdout = DatumGetIntervalP(datumCopy(PG_GETARG_DATUM(1), false, sizeof(Interval)));
	v->as_of = PG_ARGISNULL(2) ? GetCurrentTransactionStartTimestamp() : PG_GETARG_TIMESTAMPTZ(2);
	if (!PG_ARGISNULL(3))
		v->specifications = DatumGetCString(DirectFunctionCall1(jsonb_out, PG_GETARG_DATUM(3)));
	MemoryContextSwitchTo(old);
	if (TIMESTAMP_NOT_FINITE(v->as_of))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("as_of must be a finite instant")));
	return v;
}

PG_FUNCTION_INFO_V1(cvm_validate);
/* cvm.validate(portfolio text, holdout interval, as_of timestamptz, specifications jsonb) */
Datum
cvm_validate(PG_FUNCTION_ARGS)
{
	bool		atomic = !(fcinfo->context && IsA(fcinfo->context, CallContext) &&
						   !castNode(CallContext, fcinfo->context)->atomic);
	Validation *v;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("portfolio and holdout must not be null")));
	v = new_validation(fcinfo, atomic);
	SPI_connect_ext(atomic ? 0 : SPI_OPT_NONATOMIC);
	cvm_find_portfolio(v->plan);
	PG_TRY();
	{
		run_steps(v);
	}
	PG_FINALLY();
	{
		free_spools(v);
	}
	PG_END_TRY();
	SPI_finish();
	MemoryContextDelete(v->context);
	PG_RETURN_VOID();
}
