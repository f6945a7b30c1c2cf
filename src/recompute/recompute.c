/*
 * recompute.c: CALL cvm.recompute(portfolio, as_of, full), the only way from a
 * feed to published tables, by hand or by a job worker.
 *
 * At top level every step is a transaction of its own, so that no snapshot is
 * held while a model is fitted; inside a transaction block or a function all is
 * done in the caller's one transaction.  In both cases the steps run as the
 * portfolio's owner in a security-restricted operation, since the feed may be a
 * view with functions of anybody's.
 *
 * Lock is truth, row is record: the portfolio's lock is held for the whole run,
 * and a 'running' row of cvm.run whose lock is free is a run that crashed.
 */
#include "engine.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "commands/async.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "models/shrunk.h"
#include "recompute/statement.h"
#include "recompute/owner.h"
#include "recompute/recompute.h"
#include "recompute/retention.h"
#include "worker/shared.h"

int64		cvm_adopted_run_id = 0;
int			cvm_recompute_memory_mb = 512;

/* A recompute whose feed calls recompute would deadlock with itself. */
static bool running = false;

/* Everything a run needs between its steps. */
typedef struct Run
{
	MemoryContext context;
	bool		atomic;
	int			caller_context; /* SECURITY_... flags of the caller */
	int64		run_id;
	RecomputePlan *plan;
	Population *population;
	FittedPair *fit;
	Statement  *statement;	/* NULL: none is made */
	SegmentSum *sums;
	int			n_sums;
	const char *phase;
} Run;

typedef void (*Step) (Run *run);

void
cvm_recompute_init(void)
{
	DefineCustomIntVariable("cvm.recompute_memory",
							"Memory a recompute may use for the rows of a feed before it spills to temporary files.",
							"About 100 bytes a customer come on top. Customers are grouped in 256 parts, one at a time, and none is divided: "
							"one with millions of purchases takes about 100 bytes for each, whatever the setting.",
							&cvm_recompute_memory_mb, 512, 16, MAX_KILOBYTES / 1024,
							PGC_USERSET, GUC_UNIT_MB, NULL, NULL, NULL);
}

/* ---------- the portfolio's lock ---------- */

/* The tag that cvm.job_runs looks for as well. */
static LOCKTAG
portfolio_locktag(int32 portfolio_id)
{
	LOCKTAG		tag;
	Oid			relation = get_relname_relid("portfolio", get_namespace_oid("cvm", false));

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, relation, (uint32) portfolio_id, 1);
	return tag;
}

/* Session-level where the run spans transactions, so that it outlives them. */
void
cvm_lock_portfolio(const RecomputePlan *plan, bool session)
{
	LOCKTAG		tag = portfolio_locktag(plan->portfolio_id);

	if (running)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("a recompute is already under way in this session"),
				 errhint("A feed must not call cvm.recompute.")));
	if (LockAcquire(&tag, ExclusiveLock, session, true) == LOCKACQUIRE_NOT_AVAIL)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("portfolio \"%s\" is being recomputed by another session", plan->portfolio),
				 errhint("Wait for it to finish: see cvm.progress.")));
}

/* ---------- the run's row ---------- */

static void
begin_run(Run *run)
{
	Oid			types[4] = {TEXTOID, TIMESTAMPTZOID, INT4OID, INT8OID};
	Datum		values[4] = {
		CStringGetTextDatum(run->plan->portfolio),
		TimestampTzGetDatum(run->plan->as_of),
		Int32GetDatum(MyProcPid),
		Int64GetDatum(cvm_adopted_run_id)
	};
	bool		isnull;

	/* we hold the lock, so whatever still says 'running' is dead; a job's runner looks after its runs itself */
	cvm_spi(SPI_OK_UPDATE,
			"UPDATE cvm.run SET status = 'crashed', finished_at = pg_catalog.clock_timestamp()"
			" WHERE portfolio = $1 AND status = 'running' AND run_id <> $4 AND job_id IS NULL",
			4, types, values, NULL);
	if (cvm_adopted_run_id > 0)
		cvm_spi(SPI_OK_UPDATE_RETURNING,
				"UPDATE cvm.run SET as_of = $2, pid = $3, phase = 'summarise', status = 'running', finished_at = NULL"
				" WHERE run_id = $4 AND portfolio = $1 RETURNING run_id",
				4, types, values, NULL);
	else
		cvm_spi(SPI_OK_INSERT_RETURNING,
				"INSERT INTO cvm.run (portfolio, as_of, started_at, status, phase, pid)"
				" VALUES ($1, $2, pg_catalog.clock_timestamp(), 'running', 'summarise', $3) RETURNING run_id",
				3, types, values, NULL);
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the row of run " INT64_FORMAT " is missing in cvm.run", cvm_adopted_run_id)));
	run->run_id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
}

/* Marks the beginning of a step in the row, as the owner. */
static void
record_phase(Run *run, const char *phase)
{
	Oid			types[2] = {INT8OID, TEXTOID};
	Datum		values[2] = {Int64GetDatum(run->run_id), CStringGetTextDatum(phase)};

	run->phase = phase;
	cvm_spi(SPI_OK_UPDATE, "UPDATE cvm.run SET phase = $2 WHERE run_id = $1", 2, types, values, NULL);
	cvm_progress(run->run_id, phase, 0, 0);
}

static Datum
text_or_null(const char *text, char *null)
{
	*null = text ? ' ' : 'n';
	return text ? CStringGetTextDatum(text) : (Datum) 0;
}

/* Completes the row after an error, its text apart (only owners read it); the caller is in a clean transaction. */
static void
record_failure(Run *run, const ErrorData *error)
{
	Oid			types[7] = {INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID};
	char		nulls[8] = "       ";
	Datum		values[7];

	values[0] = Int64GetDatum(run->run_id);
	values[1] = CStringGetTextDatum(error->sqlerrcode == ERRCODE_QUERY_CANCELED ? "cancelled" : "failed");
	values[2] = CStringGetTextDatum(unpack_sql_state(error->sqlerrcode));
	values[3] = text_or_null(error->message, &nulls[3]);
	values[4] = text_or_null(error->detail, &nulls[4]);
	values[5] = text_or_null(error->hint, &nulls[5]);
	values[6] = text_or_null(error->context, &nulls[6]);
	cvm_spi(SPI_OK_UPDATE,
			"UPDATE cvm.run SET status = $2, sqlstate = $3, finished_at = pg_catalog.clock_timestamp() WHERE run_id = $1",
			3, types, values, NULL);
	cvm_spi(SPI_OK_INSERT,
			"INSERT INTO cvm.run_error (run_id, portfolio, message, detail, hint, context)"
			" SELECT r.run_id, r.portfolio, $4, $5, $6, $7 FROM cvm.run r WHERE r.run_id = $1"
			" ON CONFLICT (run_id, portfolio) DO NOTHING",
			7, types, values, nulls);
}

/* ---------- running a step as the owner ---------- */

static const char *const loss_hint =
	"Of what is left of this run nothing is published. cvm.portfolios lists the portfolios you may use.";

/* Before and after a step: is it still the portfolio that the run began with? */
static void
check_portfolio(Run *run, bool hold)
{
	int			sqlstate;
	const char *loss = cvm_portfolio_loss(run->plan, "recomputed", hold, &sqlstate);

	if (loss)
		ereport(ERROR, (errcode(sqlstate), errmsg_internal("%s", loss), errhint("%s", loss_hint)));
}

/* The portfolio may have been lost in the middle of a step, which then failed for want of it. */
static void
explain_failure(Run *run, ErrorData *error)
{
	int			sqlstate;
	const char *loss = cvm_portfolio_loss(run->plan, "recomputed", false, &sqlstate);

	if (loss == NULL || strcmp(loss, error->message) == 0)
		return;
	error->detail = psprintf("The step \"%s\" failed: %s.", run->phase, error->message);
	error->message = pstrdup(loss);
	error->sqlerrcode = sqlstate;
	error->hint = pstrdup(loss_hint);
}

static void
step_as_owner(Run *run, Step step)
{
	Oid			save_user;
	int			save_context;
	int			level = cvm_enter_owner(run->plan, &save_user, &save_context);

	run->caller_context = save_context;
	check_portfolio(run, false);
	step(run);
	check_portfolio(run, true);
	cvm_leave_owner(level, save_user, save_context);
}

/* The error is recorded as the owner, also if that is another one now. */
static void
fail_as_owner(Run *run, ErrorData *error)
{
	Oid			save_user;
	int			save_context;
	int			level = cvm_enter_owner(run->plan, &save_user, &save_context);

	explain_failure(run, error);
	cvm_leave_owner(level, save_user, save_context);
	if (!cvm_follow_owner(run->plan))
		return;
	level = cvm_enter_owner(run->plan, &save_user, &save_context);
	record_failure(run, error);
	cvm_leave_owner(level, save_user, save_context);
}

/*
 * Runs a step.  At top level it is a subtransaction, so that a failure can be
 * recorded in the run's row and committed before the error goes on its way;
 * then a transaction boundary.
 */
static void
run_step(Run *run, Step step)
{
	MemoryContext old_context = CurrentMemoryContext;
	ResourceOwner old_owner = CurrentResourceOwner;

	if (run->atomic)
	{
		step_as_owner(run, step);
		CommandCounterIncrement();
		return;
	}
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(old_context);
	PG_TRY();
	{
		step_as_owner(run, step);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(old_context);
		CurrentResourceOwner = old_owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		/* until the end is recorded: a second cancel must not leave the row as that of a crash */
		HOLD_CANCEL_INTERRUPTS();
		MemoryContextSwitchTo(old_context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(old_context);
		CurrentResourceOwner = old_owner;
		if (run->run_id > 0)
		{
			fail_as_owner(run, error);
			SPI_commit();
		}
		RESUME_CANCEL_INTERRUPTS();
		ReThrowError(error);
	}
	PG_END_TRY();
	SPI_commit();
}

/* ---------- the steps ---------- */

static void
step_begin(Run *run)
{
	begin_run(run);
	cvm_prior_read(run->plan);
}

static void
step_summarise(Run *run)
{
	Oid			types[7] = {INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID};
	char		nulls[8] = "       ";
	Datum		values[7];

	cvm_progress(run->run_id, run->phase = "summarise", 0, 0);
	cvm_plan_load(run->plan);
	cvm_prior_judge(run->plan);
	cvm_drop_leftovers(run->plan);
	cvm_summarise(run->plan, run->run_id, run->context, run->population);
	values[0] = Int64GetDatum(run->run_id);
	values[1] = Int64GetDatum(run->population->purchases_read);
	values[2] = Int64GetDatum(run->population->after_as_of);
	values[3] = Int64GetDatum(run->population->n_customers);
	values[4] = Int64GetDatum(run->population->subscriptions_read);
	values[5] = Int64GetDatum(run->population->subscriptions_after_as_of);
	values[6] = CStringGetTextDatum(run->plan->value_basis);
	if (run->plan->contracts.query == NULL)
		nulls[4] = nulls[5] = 'n';
	cvm_spi(SPI_OK_UPDATE,
			"UPDATE cvm.run SET purchases = $2, purchases_after_as_of = $3, customers = $4,"
			" subscriptions = $5, subscriptions_after_as_of = $6, value_basis = $7, phase = 'fit' WHERE run_id = $1",
			7, types, values, nulls);
}

/* Collapses all customers into the tables of the two families. */
void
cvm_fill_tables(const RecomputePlan *plan, const Population *population, const cvm_env *env,
				cvm_table **purchases, cvm_table **spend, int64 *spend_left_out)
{
	char	   *record;
	Size		size;
	cvm_status	status = CVM_OK;

	*purchases = cvm_table_new(CVM_PURCHASES, env);
	*spend = cvm_table_new(CVM_SPEND, env);
	*spend_left_out = 0;
	if (*purchases == NULL || *spend == NULL)
		status = CVM_NO_MEMORY;
	cvm_spool_rewind(population->customers);
	while (status == CVM_OK && (record = cvm_spool_next(population->customers, &size)) != NULL)
	{
		const CustomerRecord *customer = (const CustomerRecord *) record;
		cvm_row		row;

		CHECK_FOR_INTERRUPTS();
		if (!cvm_buys(plan, customer))
			continue;
		cvm_row_of_history(plan, &customer->history, &row);
		if (!plan->purchase_family->needs_log_intervals)
			row.log_intervals = 0;	/* a table keeps what is not 0 */
		status = cvm_table_add(*purchases, &row);
		if (status != CVM_OK || row.x < 1)
			continue;
		if (row.mean_spend > 0)
			status = cvm_table_add(*spend, &row);
		else
			(*spend_left_out)++;
	}
	if (status == CVM_OK)
		status = cvm_table_finish(*purchases);
	if (status == CVM_OK)
		status = cvm_table_finish(*spend);
	if (status != CVM_OK)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("The distinct statistics of " INT64_FORMAT " customers do not fit.",
						   population->n_customers)));
}

/* Why there is nothing to fit on, in the words of the portfolio. */
static void
check_fittable(Run *run)
{
	const Population *population = run->population;

	if (population->n_buyers == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("portfolio \"%s\" has no purchases up to %s", run->plan->portfolio,
						timestamptz_to_str(run->plan->as_of)),
				 errdetail("The feed has " INT64_FORMAT " rows, " INT64_FORMAT " of them later.",
						   population->purchases_read, population->after_as_of),
				 errhint("See cvm.check; the last published result stays as it is.")));
}

/* Money of all purchases, the first ones included, by their number. */
static double
mean_of_all_purchases(const Population *population)
{
	double		money = 0;
	double		purchases = 0;
	char	   *record;
	Size		size;

	cvm_spool_rewind(population->customers);
	while ((record = cvm_spool_next(population->customers, &size)) != NULL)
	{
		const PurchaseHistory *history = &((const CustomerRecord *) record)->history;

		CHECK_FOR_INTERRUPTS();
		if (history->repeat_periods < 0)
			continue;
		money += cvm_history_total(history);
		purchases += history->repeat_periods + 1.0;
	}
	return money / purchases;
}

/* What customers are valued at whose spend has no mean in the model, and all of them where there is none. */
static void
estimate_spend(Run *run, const cvm_table *spend)
{
	cvm_fit_result *fit = &run->fit->shrunk_spend;
	cvm_status	status = cvm_shrunk_spend(spend, fit);

	CHECK_FOR_INTERRUPTS();
	if (status != CVM_OK)
		cvm_shrunk_spend_at(mean_of_all_purchases(run->population), fit);
	if (!(fit->theta[2] > 0))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("the purchases of portfolio \"%s\" have no positive mean spend", run->plan->portfolio),
				 errdetail("There are " INT64_FORMAT " customers, " INT64_FORMAT " of them repeat buyers.",
						   run->population->n_buyers, run->population->n_repeaters),
				 errhint("Check the column mapped as amount: refunds are negative, purchases positive.")));
}

static void
fit_models(Run *run)
{
	cvm_env		env = cvm_server_env(CurrentMemoryContext);
	cvm_table  *purchases;
	cvm_table  *spend;

	cvm_fill_tables(run->plan, run->population, &env, &purchases, &spend, &run->fit->spend_left_out);
	estimate_spend(run, spend);
	cvm_choose_models(run->plan, run->run_id, run->population, purchases, spend, &env, run->fit);
	if (run->fit->rejected)
		run->fit->rejected = MemoryContextStrdup(run->context, run->fit->rejected);
	cvm_table_free(purchases);
	cvm_table_free(spend);
}

static Datum
model_or_null(int64 model_id, char *null)
{
	*null = model_id > 0 ? ' ' : 'n';
	return Int64GetDatum(model_id);
}

static void
step_fit(Run *run)
{
	MemoryContext scratch = AllocSetContextCreate(run->context, "cvm fit", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	Oid			types[5] = {INT8OID, INT8OID, INT8OID, INT8OID, INT8OID};
	char		nulls[6] = "     ";
	Datum		values[5];
	cvm_env		env = cvm_server_env(scratch);

	cvm_progress(run->run_id, run->phase = "fit", 0, 3);
	/* where there are subscriptions, nobody need have bought */
	if (run->population->n_subscribers == 0 || run->population->n_buyers > 0)
	{
		check_fittable(run);
		fit_models(run);
	}
	cvm_choose_retention(run->plan, run->run_id, run->population, &env, run->fit);
	values[0] = Int64GetDatum(run->run_id);
	values[1] = model_or_null(run->fit->purchase_model_id, &nulls[1]);
	values[2] = model_or_null(run->fit->spend_model_id, &nulls[2]);
	values[3] = Int64GetDatum(run->fit->spend_left_out);
	values[4] = model_or_null(run->fit->retention_model_id, &nulls[4]);
	cvm_spi(SPI_OK_UPDATE,
			"UPDATE cvm.run SET purchase_model_id = $2, spend_model_id = $3, spend_left_out = $4, retention_model_id = $5,"
			" phase = 'score' WHERE run_id = $1",
			5, types, values, nulls);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

static void
step_score(Run *run)
{
	run->phase = "score";
	run->statement = cvm_statement_new(run->plan, run->run_id, run->population, run->fit, run->context);
	run->sums = cvm_score_customers(run->plan, run->run_id, run->population, run->fit, run->statement, run->context, &run->n_sums);
	record_phase(run, "publish");
}

static void
step_publish(Run *run)
{
	run->phase = "publish";
	cvm_publish(run->plan, run->run_id, run->population, run->fit, run->statement, run->sums, run->n_sums);
	cvm_mark_live(run->plan, run->fit);
}

static void
step_succeed(Run *run)
{
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {Int64GetDatum(run->run_id)};

	cvm_spi(SPI_OK_UPDATE,
			"UPDATE cvm.run SET status = 'succeeded', phase = 'publish', finished_at = pg_catalog.clock_timestamp()"
			" WHERE run_id OPERATOR(pg_catalog.=) $1",
			1, types, values, NULL);
}

/*
 * Publishing and refreshing are one transaction.  Nothing of the owner's waits for
 * the moment in which the refreshing is unrestricted (publish.c), nor for the
 * commit: a restricted operation refuses to defer a trigger.
 * So that constraints which are made deferrable work all the same, they are
 * checked at once, where that changes nothing for a caller's own transaction.
 */
static void
step_publish_all(Run *run)
{
	List	   *views;

	if (!run->atomic)
		cvm_spi(SPI_OK_UTILITY, "SET CONSTRAINTS ALL IMMEDIATE", 0, NULL, NULL, NULL);
	step_publish(run);
	CommandCounterIncrement();
	step_succeed(run);
	views = cvm_views_to_refresh(run->plan);
	cvm_refresh_views(run->plan, views, run->caller_context);
}

/*
 * Old runs are dropped when no snapshot can need them and no reader is in the
 * way; what can not be dropped now is tried again by the next run.
 */
static void
drop_retired(Run *run)
{
	Oid			save_user;
	int			save_context;
	int			level;
	int64		run_id = 0;
	bool		more = true;

	while (more)
	{
		level = cvm_enter_owner(run->plan, &save_user, &save_context);
		more = cvm_drop_retired(run->plan, &run_id);
		cvm_leave_owner(level, save_user, save_context);
		SPI_commit();
	}
}

static void
run_steps(Run *run)
{
	run_step(run, step_begin);
	run_step(run, step_summarise);
	run_step(run, step_fit);
	run_step(run, step_score);
	run_step(run, step_publish_all);
	if (!run->atomic)
		drop_retired(run);
}

/* ---------- the procedure ---------- */

static Run *
new_run(FunctionCallInfo fcinfo, bool atomic)
{
	MemoryContext context = AllocSetContextCreate(PortalContext ? PortalContext : TopMemoryContext,
												  "cvm recompute", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Run		   *run = palloc0(sizeof(Run));

	run->context = context;
	run->atomic = atomic;
	run->plan = palloc0(sizeof(RecomputePlan));
	run->population = palloc0(sizeof(Population));
	run->fit = palloc0(sizeof(FittedPair));
	run->plan->portfolio = text_to_cstring(PG_GETARG_TEXT_PP(0));
	run->plan->as_of = PG_ARGISNULL(1) ? GetCurrentTransactionStartTimestamp() : PG_GETARG_TIMESTAMPTZ(1);
	MemoryContextSwitchTo(old);
	if (TIMESTAMP_NOT_FINITE(run->plan->as_of))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("as_of must be a finite instant")));
	return run;
}

static void
run_locked(Run *run)
{
	LOCKTAG		tag = portfolio_locktag(run->plan->portfolio_id);

	cvm_lock_portfolio(run->plan, !run->atomic);
	running = true;
	PG_TRY();
	{
		run_steps(run);
	}
	PG_FINALLY();
	{
		running = false;
		if (run->population->customers)
			cvm_spool_free(run->population->customers);
		cvm_progress_end(run->run_id);
		if (!run->atomic)
			(void) LockRelease(&tag, ExclusiveLock, true);
	}
	PG_END_TRY();
}

PG_FUNCTION_INFO_V1(cvm_recompute);
/* cvm.recompute(portfolio text, as_of timestamptz, full boolean) */
Datum
cvm_recompute(PG_FUNCTION_ARGS)
{
	bool		atomic = !(fcinfo->context && IsA(fcinfo->context, CallContext) &&
						   !castNode(CallContext, fcinfo->context)->atomic);
	Run		   *run;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("portfolio must not be null")));
	run = new_run(fcinfo, atomic);
	SPI_connect_ext(atomic ? 0 : SPI_OPT_NONATOMIC);
	cvm_find_portfolio(run->plan);
	run_locked(run);
	SPI_finish();
	MemoryContextDelete(run->context);
	PG_RETURN_VOID();
}
