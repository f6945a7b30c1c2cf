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
#include "validate.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "recompute/owner.h"
#include "recompute/recompute.h"
#include "worker/shared.h"

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
	plan->output_schema = v->plan->output_schema;
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

/* ---------- the run of a job ---------- */

/*
 * A validation that a job has called is a run; how it fails is for the job's process to
 * record.  Marks the beginning of a step, as the owner.
 */
static void
record_phase(Validation *v, const char *phase)
{
	Oid			types[4] = {INT8OID, TEXTOID, TIMESTAMPTZOID, INT4OID};
	Datum		values[4] = {
		Int64GetDatum(v->run_id), CStringGetTextDatum(phase), TimestampTzGetDatum(v->as_of), Int32GetDatum(MyProcPid)
	};

	if (v->run_id == 0)
		return;
	if (cvm_spi(SPI_OK_UPDATE, "UPDATE cvm.run SET phase = $2, as_of = $3, pid = $4 WHERE run_id = $1 AND status = 'running'",
				4, types, values, NULL) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the row of run " INT64_FORMAT " is missing in cvm.run", v->run_id)));
	cvm_progress(v->run_id, phase, 0, 0);
}

static void
record_success(Validation *v)
{
	Oid			types[5] = {INT8OID, INT8OID, INT8OID, INT8OID, INT8OID};
	Datum		values[5] = {
		Int64GetDatum(v->run_id), Int64GetDatum(v->id), Int64GetDatum(v->n_cases),
		Int64GetDatum(v->outcome->purchases_read), Int64GetDatum(v->outcome->after_as_of)
	};

	if (v->run_id == 0)
		return;
	cvm_spi(SPI_OK_UPDATE,
			"UPDATE cvm.run SET status = 'succeeded', validation_id = $2, customers = $3, purchases = $4,"
			" purchases_after_as_of = $5, finished_at = pg_catalog.clock_timestamp() WHERE run_id = $1",
			5, types, values, NULL);
}

/* ---------- the steps ---------- */

static void
step_read(Validation *v)
{
	RecomputePlan *outcome;

	record_phase(v, "summarise");
	load_plan(v);
	cvm_summarise(v->plan, v->run_id, v->context, v->readings[0]->population);
	cvm_check_calibration(v);
	cvm_make_cases(v);
	outcome = plan_of(v, v->plan->specification, v->as_of);
	v->holdout_periods = outcome->as_of_period - v->plan->as_of_period;
	cvm_summarise(outcome, v->run_id, v->context, v->outcome);
	cvm_compare_outcome(v);
	cvm_spool_free(v->outcome->customers);
	v->outcome->customers = NULL;
	for (int i = 1; i < v->n_readings; i++)
		cvm_summarise(v->readings[i]->plan, v->run_id, v->context, v->readings[i]->population);
}

static void
step_fit(Validation *v)
{
	if (v->step == 0)
		record_phase(v, "fit");
	if (v->run_id > 0)
		cvm_progress(v->run_id, "fit", v->step, v->n_candidates);
	cvm_try_candidate(v, &v->candidates[v->step]);
}

static void
step_record(Validation *v)
{
	record_phase(v, "judge");
	cvm_record_validation(v);
	record_success(v);
}

/* ---------- the procedure ---------- */

/* Between the steps, or by a function of its feed, the portfolio may be dropped or given away: nothing of it is recorded then. */
static void
check_portfolio(Validation *v, bool hold)
{
	int			sqlstate;
	const char *loss = cvm_portfolio_loss(v->plan, "validated", hold, &sqlstate);

	if (loss)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg_internal("%s", loss),
				 errhint("Nothing of this validation is recorded. cvm.portfolios lists the portfolios you may use.")));
}

/* One step as the owner, and a transaction of its own where that is possible. */
static void
run_step(Validation *v, Step step)
{
	Oid			save_user;
	int			save_context;
	int			level = cvm_enter_owner(v->plan, &save_user, &save_context);

	check_portfolio(v, false);
	step(v);
	check_portfolio(v, true);
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
	/* a feed that calls another procedure of ours is not the job's run */
	v->run_id = cvm_adopted_run_id;
	cvm_adopted_run_id = 0;
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
		if (v->run_id > 0)
			cvm_progress_end(v->run_id);
	}
	PG_END_TRY();
	SPI_finish();
	MemoryContextDelete(v->context);
	PG_RETURN_VOID();
}
