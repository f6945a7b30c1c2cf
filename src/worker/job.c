/*
 * job.c: the process that runs one job, what is common to it and its runner,
 * and what a backend does that schedules or cancels one.
 *
 * The process is connected as the job's run_as, so its session user is nobody
 * mightier than that, and calls the procedure that a user can call by hand.
 */
#include "compat.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "tcop/dest.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "recompute/recompute.h"
#include "worker/job.h"
#include "worker/shared.h"

PGDLLEXPORT void cvm_job_main(Datum main_arg);

/* A process of the worker keeps cvm.job itself and need not be told. */
static bool in_worker = false;

/* Earliest due time that this transaction has written; DT_NOEND: none. */
static TimestampTz announced = DT_NOEND;

/* ---------- common to runner and job ---------- */

LOCKTAG
cvm_job_locktag(Oid job_class, int64 job_id)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, job_class, (uint32) job_id, 1);
	tag.locktag_lockmethodid = USER_LOCKMETHOD;
	return tag;
}

/* role InvalidOid: the bootstrap superuser */
void
cvm_worker_process_init(Oid database, Oid role)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(database, role, 0);
	SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("jit", "off", PGC_USERSET, PGC_S_SESSION);
	/* whatever an ALTER DATABASE or ALTER ROLE has set */
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("row_security", "on", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("IntervalStyle", "postgres", PGC_USERSET, PGC_S_SESSION);
	in_worker = true;
}

void
cvm_work_begin(const char *activity)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, activity);
}

void
cvm_work_commit(void)
{
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
}

static Datum
text_or_null(const char *text, char *null)
{
	*null = text ? ' ' : 'n';
	return text ? CStringGetTextDatum(text) : (Datum) 0;
}

void
cvm_run_close(int64 run_id, const RunEnd *end)
{
	Oid			types[7] = {INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID};
	char		nulls[8] = "       ";
	Datum		values[7];

	values[0] = Int64GetDatum(run_id);
	values[1] = CStringGetTextDatum(end->status);
	values[2] = text_or_null(end->sqlstate ? unpack_sql_state(end->sqlstate) : NULL, &nulls[2]);
	values[3] = text_or_null(end->message, &nulls[3]);
	values[4] = text_or_null(end->detail, &nulls[4]);
	values[5] = text_or_null(end->hint, &nulls[5]);
	values[6] = text_or_null(end->context, &nulls[6]);
	if (SPI_execute_with_args("WITH closed AS ("
							  " UPDATE cvm.run SET status = $2, sqlstate = $3, finished_at = clock_timestamp()"
							  " WHERE run_id = $1 AND status = 'running' RETURNING run_id, portfolio)"
							  " INSERT INTO cvm.run_error (run_id, portfolio, message, detail, hint, context)"
							  " SELECT run_id, portfolio, $4, $5, $6, $7 FROM closed WHERE $4 IS NOT NULL"
							  " ON CONFLICT (run_id, portfolio) DO UPDATE SET message = excluded.message, detail = excluded.detail,"
							  " hint = excluded.hint, context = excluded.context",
							  7, types, values, nulls, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not close run " INT64_FORMAT, run_id);
}

bool
cvm_job_start(const JobOrder *order, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker = {0};

	StaticAssertStmt(sizeof(JobOrder) <= BGW_EXTRALEN, "an order fits into bgw_extra");
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "cvm", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "cvm_job_main", sizeof(worker.bgw_function_name));
	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "cvm job " INT64_FORMAT, order->job_id);
	strlcpy(worker.bgw_type, "cvm job", sizeof(worker.bgw_type));
	/* so that the runner's latch is set when the process starts and ends */
	worker.bgw_notify_pid = MyProcPid;
	memcpy(worker.bgw_extra, order, sizeof(JobOrder));
	return RegisterDynamicBackgroundWorker(&worker, handle);
}

/* ---------- the process ---------- */

/* For the life of the process: two processes of one job can not be. */
static bool
lock_job(const JobOrder *order)
{
	LOCKTAG		tag = cvm_job_locktag(order->job_class, order->job_id);
	LockAcquireResult result;

	StartTransactionCommand();
	result = LockAcquire(&tag, ExclusiveLock, true, true);
	CommitTransactionCommand();
	return result != LOCKACQUIRE_NOT_AVAIL;
}

/* What the run is to call, of the portfolio as this role sees it. */
static char *
call_of_run(int64 run_id)
{
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {Int64GetDatum(run_id)};

	if (SPI_execute_with_args("SELECT CASE WHEN holdout IS NULL THEN format('CALL cvm.recompute(%L)', portfolio)"
							  " ELSE format('CALL cvm.validate(%L, %L)', portfolio, holdout) END FROM cvm.run WHERE run_id = $1", 1, types, values, NULL, true, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("run " INT64_FORMAT " does not exist any more", run_id),
				 errdetail("Its portfolio was dropped, or role \"%s\" may not use it any more.",
						   GetUserNameFromId(GetUserId(), false))));
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

/*
 * Runs one utility statement as a client's would be, in a portal of its own at
 * top level, so that a procedure may end its transactions.
 */
static void
run_at_top_level(const char *sql)
{
	RawStmt    *raw = linitial_node(RawStmt, pg_parse_query(sql));
	Portal		portal;
	List	   *plans;

	PushActiveSnapshot(GetTransactionSnapshot());
	plans = pg_plan_queries(pg_analyze_and_rewrite_fixedparams(raw, sql, NULL, 0, NULL), sql, 0, NULL);
	PopActiveSnapshot();
	portal = CreateNewPortal();
	portal->visible = false;
	PortalDefineQuery(portal, NULL, sql, CreateCommandTag(raw->stmt), plans, NULL);
	PortalStart(portal, NULL, 0, InvalidSnapshot);
	cvm_portal_run(portal, None_Receiver);
	PortalDrop(portal, false);
}

/* In the process's own context, which outlives the transactions. */
static void
call_procedure(int64 run_id)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *call;

	cvm_work_begin("looking up a run");
	call = MemoryContextStrdup(context, call_of_run(run_id));
	cvm_work_commit();

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	MemoryContextSwitchTo(context);
	pgstat_report_activity(STATE_RUNNING, call);
	debug_query_string = call;
	cvm_adopted_run_id = run_id;
	run_at_top_level(call);
	CommitTransactionCommand();
	debug_query_string = NULL;
}

/*
 * What the procedure has not recorded itself: errors before a recompute began, and those of a validation.  As
 * the job's role, like everything here; if not even that may write the row any
 * more, the error is in the server's log and the runner closes the row.
 */
static void
record_error(int64 run_id, const ErrorData *error)
{
	RunEnd		end = {
		.status = error->sqlerrcode == ERRCODE_QUERY_CANCELED ? "cancelled" : "failed",
		.sqlstate = error->sqlerrcode,
		.message = error->message,
		.detail = error->detail,
		.hint = error->hint,
		.context = error->context
	};

	cvm_work_begin("recording an error");
	cvm_run_close(run_id, &end);
	cvm_work_commit();
}

void
cvm_job_main(Datum main_arg)
{
	JobOrder	order;
	MemoryContext context;
	ErrorData  *volatile error = NULL;

	memcpy(&order, MyBgworkerEntry->bgw_extra, sizeof(JobOrder));
	cvm_worker_process_init(order.database, order.role);
	if (!lock_job(&order))
		return;
	context = AllocSetContextCreate(TopMemoryContext, "cvm job", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		call_procedure(order.run_id);
	}
	PG_CATCH();
	{
		/* for good, since nothing but the record of the end is left to do */
		HOLD_CANCEL_INTERRUPTS();
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		EmitErrorReport();
		FlushErrorState();
		AbortCurrentTransaction();
	}
	PG_END_TRY();
	if (error)
		record_error(order.run_id, error);
}

/* ---------- what other backends do ---------- */

PG_FUNCTION_INFO_V1(cvm_database_identity);
/* cvm.database_identity() */
Datum
cvm_database_identity(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(psprintf(UINT64_FORMAT "/%u", GetSystemIdentifier(), MyDatabaseId)));
}

/* A prepared transaction is found by the launcher's next sweep. */
static void
announce_at_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT && announced != DT_NOEND)
		cvm_database_due(MyDatabaseId, announced);
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		announced = DT_NOEND;
}

PG_FUNCTION_INFO_V1(cvm_announce_job);
/* cvm.announce_job(): trigger, AFTER, FOR EACH ROW, of cvm.job */
Datum
cvm_announce_job(PG_FUNCTION_ARGS)
{
	static bool registered = false;
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	HeapTuple	row;
	Datum		due;
	bool		isnull;
	int			column;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("cvm.announce_job must be fired after each row")));
	if (in_worker || !cvm_shared_ready())
		PG_RETURN_POINTER(NULL);
	row = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
	column = SPI_fnumber(RelationGetDescr(trigger->tg_relation), "next_due");
	if (column <= 0 || SPI_gettypeid(RelationGetDescr(trigger->tg_relation), column) != TIMESTAMPTZOID)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("cvm.announce_job is a trigger of cvm.job")));
	due = SPI_getbinval(row, RelationGetDescr(trigger->tg_relation), column, &isnull);
	if (!registered)
		RegisterXactCallback(announce_at_end, NULL);
	registered = true;
	if (!isnull)
		announced = Min(announced, DatumGetTimestampTz(due));
	PG_RETURN_POINTER(NULL);
}

/* The process that holds a job's lock in the mode of a job; 0: none. */
static int
find_job_process(int64 job_id)
{
	LOCKTAG		tag = cvm_job_locktag(get_relname_relid("job", get_namespace_oid("cvm", false)), job_id);
	LockData   *locks = GetLockStatusData();

	for (int i = 0; i < locks->nelements; i++)
	{
		LockInstanceData *lock = &locks->locks[i];

		if (memcmp(&lock->locktag, &tag, sizeof(LOCKTAG)) == 0 && (lock->holdMask & LOCKBIT_ON(ExclusiveLock)))
			return lock->pid;
	}
	return 0;
}

PG_FUNCTION_INFO_V1(cvm_cancel_job);
/* cvm.cancel_job(job_id bigint) */
Datum
cvm_cancel_job(PG_FUNCTION_ARGS)
{
	Oid			types[1] = {INT8OID};
	Datum		values[1];
	char		nulls[2] = " ";
	int			pid;

	if (PG_ARGISNULL(0))
		nulls[0] = 'n';
	values[0] = PG_ARGISNULL(0) ? (Datum) 0 : PG_GETARG_DATUM(0);
	SPI_connect();
	/* raises unless the caller may act on the job */
	if (SPI_execute_with_args("SELECT cvm.own_job($1)", 1, types, values, nulls, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look up the job");
	SPI_finish();
	pid = find_job_process(PG_GETARG_INT64(0));
	PG_RETURN_BOOL(pid != 0 && kill(pid, SIGINT) == 0);
}
