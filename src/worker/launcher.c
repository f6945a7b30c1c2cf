/*
 * launcher.c: the one static process of the worker.
 *
 * It is connected to no database and reads nothing but pg_database; it knows no
 * job, so nothing about a job can raise an error in it.  It sleeps until a
 * database has something due or it is time to look into every database for
 * jobs that nobody announced (after a start, a restore, a prepared transaction),
 * and starts a short-lived runner there.  See README.md.
 */
#include "compat.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "worker/launcher.h"
#include "worker/shared.h"

PGDLLEXPORT void cvm_launcher_main(Datum main_arg);

bool		cvm_worker_enabled = true;
int			cvm_max_concurrent_jobs = 2;
int			cvm_run_history_minutes = 90 * 24 * 60;

static char *databases = NULL;
static int	discovery_interval = 600;

/* When no runner can be started because all of the server's workers are busy. */
#define NO_WORKER_DELAY_MS 10000

/* ---------- settings ---------- */

/* cvm.databases: names as in SQL, quoted where they need it, case kept. */
static bool
check_databases(char **newval, void **extra, GucSource source)
{
	char	   *copy;
	List	   *names;
	bool		ok;

	if (*newval == NULL)
		return true;
	copy = pstrdup(*newval);
	ok = SplitGUCList(copy, ',', &names);
	if (!ok)
		GUC_check_errdetail("It must be a list of database names separated by commas.");
	else
		list_free(names);
	pfree(copy);
	return ok;
}

static void
define_settings(void)
{
	DefineCustomBoolVariable("cvm.worker_enabled",
							 "Whether the background worker starts jobs.",
							 "Off: jobs under way finish, none is started; what was missed is made up for by one run.",
							 &cvm_worker_enabled, true, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("cvm.databases",
							   "Databases whose jobs the background worker starts.",
							   "Empty: every database that allows connections and is no template.",
							   &databases, "", PGC_SIGHUP, GUC_LIST_INPUT, check_databases, NULL, NULL);
	DefineCustomIntVariable("cvm.discovery_interval",
							"Time between two looks into every database for jobs that were not announced.",
							"Jobs scheduled in this server announce themselves when they commit.",
							&discovery_interval, 600, 1, 7 * 24 * 3600, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("cvm.max_concurrent_jobs",
							"Jobs that may run at once in the whole server.",
							"Each takes one of max_worker_processes, and so does the runner of each database.",
							&cvm_max_concurrent_jobs, 2, 1, 64, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("cvm.run_history",
							"How long finished runs stay in cvm.job_runs.",
							"The last success of a portfolio and the last run of a job stay. 0 keeps all.",
							&cvm_run_history_minutes, 90 * 24 * 60, 0, INT_MAX, PGC_SIGHUP, GUC_UNIT_MIN, NULL, NULL, NULL);
}

/*
 * The process starts once the server is out of recovery, so on a standby it
 * waits for the promotion.
 */
static void
register_launcher(void)
{
	BackgroundWorker worker = {0};

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 10;
	strlcpy(worker.bgw_library_name, "cvm", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "cvm_launcher_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "cvm launcher", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "cvm launcher", sizeof(worker.bgw_type));
	RegisterBackgroundWorker(&worker);
}

void
cvm_worker_init(void)
{
	define_settings();
	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	cvm_shared_init();
	register_launcher();
}

/* ---------- databases ---------- */

/* Is the name in cvm.databases, or is that empty? */
static bool
is_listed(const char *name)
{
	char	   *copy = pstrdup(databases ? databases : "");
	List	   *names = NIL;
	ListCell   *cell;

	(void) SplitGUCList(copy, ',', &names);
	if (names == NIL)
		return true;
	foreach(cell, names)
		if (strcmp(name, (const char *) lfirst(cell)) == 0)
			return true;
	return false;
}

/* The databases to work in, allocated in the caller's context. */
static List *
list_databases(void)
{
	MemoryContext caller = CurrentMemoryContext;
	List	   *result = NIL;
	Relation	relation;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(relation, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext old;

		if (!database->datallowconn || database->datistemplate ||
			database->datconnlimit == DATCONNLIMIT_INVALID_DB || !is_listed(NameStr(database->datname)))
			continue;
		old = MemoryContextSwitchTo(caller);
		result = lappend_oid(result, database->oid);
		MemoryContextSwitchTo(old);
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);
	return result;
}

static void
sweep(TimestampTz now)
{
	ListCell   *cell;

	foreach(cell, list_databases())
		cvm_database_due(lfirst_oid(cell), now);
}

/* ---------- starting runners ---------- */

static bool
start_runner(Oid database)
{
	BackgroundWorker worker = {0};

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	/* one that restarts would log FATAL for ever once its database is gone */
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "cvm", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "cvm_runner_main", sizeof(worker.bgw_function_name));
	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "cvm runner for database %u", database);
	strlcpy(worker.bgw_type, "cvm runner", sizeof(worker.bgw_type));
	worker.bgw_main_arg = ObjectIdGetDatum(database);
	return RegisterDynamicBackgroundWorker(&worker, NULL);
}

/*
 * Starts a runner in every database that has something due.  One more runner
 * than jobs may be at work: those that wait for a job, and one that looks.
 * Returns when there is something to do next.
 */
static TimestampTz
start_due(void)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz next_due;
	List	   *known = NIL;
	bool		listed = false;
	Oid			database;

	while (OidIsValid(database = cvm_database_claim(now, cvm_max_concurrent_jobs + 1, &next_due)))
	{
		if (!listed)
			known = list_databases();
		listed = true;
		if (!list_member_oid(known, database))
			cvm_database_forget(database);
		else if (!start_runner(database))
		{
			ereport(LOG,
					(errmsg("cvm could not start a runner: all of max_worker_processes are in use"),
					 errhint("It tries again; raise max_worker_processes.")));
			next_due = TimestampTzPlusMilliseconds(now, NO_WORKER_DELAY_MS);
			cvm_database_postpone(database, next_due);
			break;
		}
	}
	return next_due;
}

/* ---------- the process ---------- */

static void
wait_until(TimestampTz until)
{
	long		timeout = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);

	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
}

void
cvm_launcher_main(Datum main_arg)
{
	/* reset every turn; nothing is kept from one to the next */
	MemoryContext turn;
	TimestampTz next_sweep = 0;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	cvm_launcher_attach();
	turn = AllocSetContextCreate(TopMemoryContext, "cvm launcher", ALLOCSET_DEFAULT_SIZES);
	while (!ShutdownRequestPending)
	{
		TimestampTz now = GetCurrentTimestamp();
		TimestampTz next = DT_NOEND;

		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(turn);
		MemoryContextReset(turn);
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			next_sweep = 0;
		}
		if (cvm_worker_enabled)
		{
			/* the clock may have been set back */
			if (now >= next_sweep || TimestampDifferenceExceeds(now, next_sweep, discovery_interval * 1000))
			{
				sweep(now);
				next_sweep = TimestampTzPlusMilliseconds(now, discovery_interval * INT64CONST(1000));
			}
			next = Min(start_due(), next_sweep);
		}
		wait_until(next);
	}
	/* not 0: a launcher that somebody terminates is to come back */
	proc_exit(1);
}
