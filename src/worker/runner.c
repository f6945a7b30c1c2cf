/*
 * runner.c: the short-lived process that looks after the jobs of one database:
 * it claims what is due, starts a process for each, waits for them, enforces
 * max_runtime, accounts for how they ended, and leaves when nothing is due.
 *
 * All it knows is in cvm.job and cvm.run and in who holds which lock, so it may
 * die at any instant: the next one finds the open runs whose lock is free.  It
 * never waits inside a transaction.  See README.md.
 */
#include "compat.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "common/pg_prng.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "worker/job.h"
#include "worker/launcher.h"
#include "worker/shared.h"

PGDLLEXPORT void cvm_runner_main(Datum main_arg);

/* the upper bound of cvm.max_concurrent_jobs */
#define MAX_JOBS 64

/* Less than this before something is due it is not worth leaving. */
#define STAY_MS 1000
/* How often to look at deadlines, and whether somebody drops the extension. */
#define POLL_MS 500
/* What is due but can not be started is tried again after this. */
#define BLOCKED_DELAY_MS 5000
/* After a cancel, a process that does not end is terminated. */
#define GRACE_MS 10000

typedef struct RunningJob
{
	BackgroundWorkerHandle *handle;
	JobOrder	order;
	TimestampTz deadline;
	char		max_runtime[64];	/* the same, for people */
	TimestampTz terminate_at;	/* 0: it has not been cancelled */
	char	   *reason;			/* why it has */
} RunningJob;

/* What one pass of claim() does to the row that it has found. */
typedef struct Claiming
{
	RunningJob *job;
	bool		schedulable;	/* its next slot can be worked out */
	bool		may_run;
	RunEnd		end;			/* why it may not */
} Claiming;

/* An open run that a runner has found dead. */
typedef struct Recovery
{
	int64		job_id;			/* 0: a run by hand, or of a job that is gone */
	int64		open_run_id;	/* what the job's row says */
	int64		run_id;			/* 0: there is none of the job */
} Recovery;

/* Numbers of rows that nothing could be done with; not looked at again before the jobs change. */
typedef struct Refused
{
	Datum	   *ids;
	int			n;
} Refused;

typedef enum Claim
{
	CLAIM_NONE,					/* nothing that can be started is due */
	CLAIM_DONE,					/* it failed before it began: go on */
	CLAIM_START					/* start its process */
} Claim;

static RunningJob jobs[MAX_JOBS];
static int	n_jobs = 0;

static Refused refused_jobs;
static Refused refused_runs;

/* This process's view of the extension, found at the start and locked. */
static Oid	extension;
static Oid	job_class;
static bool extension_wanted = false;	/* by somebody who drops it */

/* ---------- small helpers ---------- */

static int
execute(const char *sql, int nargs, Oid *types, Datum *values, const char *nulls, int expected)
{
	int			code = SPI_execute_with_args(sql, nargs, types, values, nulls, false, 0);

	if (code != expected)
		elog(ERROR, "unexpected result %s of: %s", SPI_result_code_string(code), sql);
	return (int) SPI_processed;
}

static Datum
column(int row, int number, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number, isnull);
}

static int64
int_column(int row, int number)
{
	bool		isnull;
	Datum		value = column(row, number, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

static bool
true_column(int row, int number)
{
	bool		isnull;
	Datum		value = column(row, number, &isnull);

	return !isnull && DatumGetBool(value);
}

static TimestampTz
after_ms(int64 milliseconds)
{
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds);
}

/* ---------- one bad row is not to stop all others ---------- */

/* NULL: done; otherwise what it has done is undone. */
static ErrorData *
on_its_own(void (*work) (void *), void *argument)
{
	MemoryContext old_context = CurrentMemoryContext;
	ResourceOwner old_owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(old_context);
	PG_TRY();
	{
		work(argument);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(old_context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old_context);
	CurrentResourceOwner = old_owner;
	return error;
}

static void
refuse(Refused *refused, int64 id, const char *what, const ErrorData *error)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	if (refused->n == 0)
		refused->ids = palloc(sizeof(Datum));
	else
		refused->ids = repalloc(refused->ids, sizeof(Datum) * (refused->n + 1));
	refused->ids[refused->n++] = Int64GetDatum(id);
	MemoryContextSwitchTo(old);
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("cvm leaves out %s " INT64_FORMAT ": %s", what, id, error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 errhint("It is tried again when a job changes, and by the next runner.")));
}

static void
forget_refused(Refused *refused)
{
	if (refused->n > 0)
		pfree(refused->ids);
	refused->n = 0;
}

static Datum
refused_array(const Refused *refused)
{
	return PointerGetDatum(construct_array(refused->ids, refused->n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* ---------- the extension ---------- */

static LOCKTAG
extension_locktag(uint16 what)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ExtensionRelationId, extension, what);
	return tag;
}

/*
 * Finds the extension and keeps it from being dropped under us; a DROP EXTENSION
 * waits until we have noticed it and left.  false: there is nothing to do here,
 * or another runner does it.
 */
static bool
lock_extension(void)
{
	LOCKTAG		object;
	LOCKTAG		runner;
	bool		ours = false;

	StartTransactionCommand();
	extension = get_extension_oid("cvm", true);
	object = extension_locktag(0);
	runner = extension_locktag(2);
	if (OidIsValid(extension) &&
		LockAcquire(&object, AccessShareLock, true, true) != LOCKACQUIRE_NOT_AVAIL)
	{
		/* it may have been dropped while we looked */
		AcceptInvalidationMessages();
		job_class = get_relname_relid("job", get_namespace_oid("cvm", true));
		ours = get_extension_oid("cvm", true) == extension && OidIsValid(job_class) &&
			LockAcquire(&runner, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
	}
	CommitTransactionCommand();
	return ours;
}

/* ---------- the end of a run ---------- */

/*
 * The one place where a job's state changes when a run ends, however it ended.
 * Failed and crashed runs are retried while retries are left, after a wait that
 * doubles and is up to a quarter longer at random, so that many jobs that failed
 * together do not come back together; the other ends wait for the next slot.
 * A next_due that is earlier (cvm.run_job) stays.
 */
static void
settle(int64 job_id, int64 run_id)
{
	Oid			types[3] = {INT8OID, INT8OID, FLOAT8OID};
	Datum		values[3] = {
		Int64GetDatum(job_id), Int64GetDatum(run_id),
		Float8GetDatum(1.0 + 0.25 * pg_prng_double(&pg_global_prng_state))
	};

	execute("UPDATE cvm.job AS j SET open_run_id = NULL,"
			" failures = CASE e.status WHEN 'succeeded' THEN 0 WHEN 'cancelled' THEN j.failures ELSE least(j.failures, 999999) + 1 END,"
			" attempt = CASE WHEN e.retry THEN j.attempt ELSE 0 END,"
			" next_due = CASE WHEN e.retry THEN least(j.next_due, clock_timestamp() + interval '1 second' * $3"
			"   * least(cvm.interval_seconds(j.retry_period) * 2 ^ least(greatest(j.attempt, 1) - 1, 20),"
			"           greatest(cvm.interval_seconds(j.retry_period), 3600)))"
			"  ELSE j.next_due END"
			" FROM (SELECT o.job_id, coalesce(r.status, 'crashed') AS status,"
			"        coalesce(r.status, 'crashed') IN ('failed', 'crashed') AND o.attempt <= o.max_retries AS retry"
			"       FROM cvm.job o LEFT JOIN cvm.run r ON r.run_id = o.open_run_id AND r.job_id = o.job_id) AS e"
			" WHERE e.job_id = j.job_id AND j.job_id = $1 AND j.open_run_id = $2",
			3, types, values, NULL, SPI_OK_UPDATE);
}

/* A run that we cancelled says why, not "due to user request". */
static void
explain_cancel(int64 run_id, const char *reason)
{
	Oid			types[2] = {INT8OID, TEXTOID};
	Datum		values[2] = {Int64GetDatum(run_id), CStringGetTextDatum(reason)};

	execute("UPDATE cvm.run_error AS e SET message = $2 FROM cvm.run r"
			" WHERE r.run_id = e.run_id AND r.portfolio = e.portfolio AND r.run_id = $1 AND r.status = 'cancelled'",
			2, types, values, NULL, SPI_OK_UPDATE);
}

static const RunEnd crashed = {
	.status = "crashed",
	.message = "the process of the run is gone and has recorded no end",
	.hint = "It was killed, or the server was stopped or crashed: see the server's log. The last published result is intact."
};

static void
settle_end(void *argument)
{
	RunningJob *job = argument;
	RunEnd		end = crashed;

	if (job->reason)
	{
		end = (RunEnd)
		{
			.status = "cancelled", .sqlstate = ERRCODE_QUERY_CANCELED, .message = job->reason
		};
	}
	cvm_run_close(job->order.run_id, &end);
	settle(job->order.job_id, job->order.run_id);
	if (job->reason)
		explain_cancel(job->order.run_id, job->reason);
}

/* Its process has ended: account for it, then let go of the lock. */
static void
settle_job(RunningJob *job)
{
	LOCKTAG		tag = cvm_job_locktag(job_class, job->order.job_id);
	ErrorData  *error;

	cvm_work_begin("accounting for a run");
	if ((error = on_its_own(settle_end, job)) != NULL)
		refuse(&refused_jobs, job->order.job_id, "job", error);
	cvm_work_commit();
	(void) LockRelease(&tag, AccessShareLock, true);
	cvm_job_slot_give();
	pfree(job->handle);
	if (job->reason)
		pfree(job->reason);
	*job = jobs[--n_jobs];
}

static void
reap(void)
{
	for (int i = n_jobs - 1; i >= 0; i--)
	{
		pid_t		pid;

		if (GetBackgroundWorkerPid(jobs[i].handle, &pid) == BGWH_STOPPED)
			settle_job(&jobs[i]);
	}
}

static void
recover_one(void *argument)
{
	const Recovery *found = argument;

	if (found->run_id != 0)
		cvm_run_close(found->run_id, &crashed);
	if (found->job_id != 0)
		settle(found->job_id, found->open_run_id);
}

/*
 * Runs that say 'running' while their lock is free, left by a crash, a shutdown
 * or a runner that died; also those called by hand.  An owner may write to
 * cvm.job: a job's run is only believed to be that if it is of its portfolio.
 */
static void
recover(void)
{
	Oid			types[2] = {INT8ARRAYOID, INT8ARRAYOID};
	Datum		values[2];
	Recovery   *found;
	int			n;

	cvm_work_begin("looking for crashed runs");
	values[0] = refused_array(&refused_jobs);
	values[1] = refused_array(&refused_runs);
	n = execute("SELECT j.job_id, j.open_run_id, r.run_id FROM cvm.job j"
				" LEFT JOIN cvm.run r ON r.run_id = j.open_run_id AND r.job_id = j.job_id AND r.portfolio = j.portfolio"
				" WHERE j.open_run_id IS NOT NULL AND j.home = cvm.database_identity()"
				" AND NOT cvm.is_object_locked('cvm.job'::regclass, j.job_id) AND j.job_id <> ALL ($1)"
				" UNION ALL SELECT NULL, NULL, r.run_id FROM cvm.run r JOIN cvm.portfolio p USING (portfolio)"
				" WHERE r.status = 'running' AND NOT cvm.is_run_alive(p.portfolio_id, r.job_id)"
				" AND NOT EXISTS (SELECT FROM cvm.job j WHERE j.open_run_id = r.run_id AND j.home = cvm.database_identity())"
				" AND r.run_id <> ALL ($2)",
				2, types, values, NULL, SPI_OK_SELECT);
	found = palloc(sizeof(Recovery) * n);
	for (int i = 0; i < n; i++)
		found[i] = (Recovery)
		{
			.job_id = int_column(i, 1), .open_run_id = int_column(i, 2), .run_id = int_column(i, 3)
		};
	for (int i = 0; i < n; i++)
	{
		ErrorData  *error = on_its_own(recover_one, &found[i]);

		if (error && found[i].job_id != 0)
			refuse(&refused_jobs, found[i].job_id, "job", error);
		else if (error)
			refuse(&refused_runs, found[i].run_id, "run", error);
	}
	cvm_work_commit();
}

/* Keeps what cvm.portfolios and cvm.jobs show. */
static void
forget_old_runs(void)
{
	Oid			types[1] = {INT4OID};
	Datum		values[1] = {Int32GetDatum(cvm_run_history_minutes)};

	if (cvm_run_history_minutes == 0)
		return;
	cvm_work_begin("deleting old runs");
	execute("DELETE FROM cvm.run AS r"
			" WHERE r.finished_at < now() - $1 * interval '1 minute' AND r.status <> 'running'"
			" AND NOT EXISTS (SELECT FROM cvm.job j WHERE j.last_run_id = r.run_id)"
			" AND r.run_id IS DISTINCT FROM (SELECT max(s.run_id) FROM cvm.run s"
			"                                WHERE s.portfolio = r.portfolio AND s.status = 'succeeded')",
			1, types, values, NULL, SPI_OK_DELETE);
	execute("DELETE FROM cvm.run_error AS e WHERE NOT EXISTS (SELECT FROM cvm.run r WHERE r.run_id = e.run_id AND r.portfolio = e.portfolio)",
			0, NULL, NULL, NULL, SPI_OK_DELETE);
	cvm_work_commit();
}

/* ---------- claiming ---------- */

/*
 * Why the job can not run as its role now; these checks were made when it was
 * scheduled, but roles and owners change.  A process that failed to connect
 * could tell nobody but the server's log.
 */
static bool
check_role(int row, RunEnd *end)
{
	char	   *run_as = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 3);
	char	   *owner = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 8);
	bool		isnull;

	*end = (RunEnd)
	{
		.status = "failed", .sqlstate = ERRCODE_INSUFFICIENT_PRIVILEGE,
		.hint = "Name another role: cvm.alter_job(job_id, run_as => ...)."
	};
	(void) column(row, 4, &isnull);
	if (isnull)
	{
		end->sqlstate = ERRCODE_UNDEFINED_OBJECT;
		end->message = psprintf("role \"%s\", which the job runs as, does not exist", run_as);
	}
	else if (!true_column(row, 5))
	{
		end->sqlstate = ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION;
		end->message = psprintf("role \"%s\", which the job runs as, may not log in", run_as);
	}
	else if (!true_column(row, 6))
		end->message = psprintf("role \"%s\", which the job runs as, has no CONNECT privilege on the database", run_as);
	else if (owner && !true_column(row, 7))
		end->message = psprintf("role \"%s\", which the job runs as, is no member of the portfolio's owner \"%s\"", run_as, owner);
	else if (true_column(row, 11))
		end->message = psprintf("role \"%s\", which the job runs as, is a superuser, the portfolio's owner is none", run_as);
	else
		return true;
	return false;
}

/* Records the run and moves the job on to its next slot. */
static int64
record_claim(int64 job_id, bool schedulable)
{
	Oid			types[3] = {INT8OID, INT8OID, BOOLOID};
	Datum		values[3] = {Int64GetDatum(job_id), 0, BoolGetDatum(schedulable)};

	execute("INSERT INTO cvm.run (portfolio, job_id, attempt)"
			" SELECT j.portfolio, j.job_id, least(j.attempt, 999999) + 1 FROM cvm.job j WHERE j.job_id = $1 RETURNING run_id",
			1, types, values, NULL, SPI_OK_INSERT_RETURNING);
	values[1] = Int64GetDatum(int_column(0, 1));
	execute("UPDATE cvm.job SET attempt = least(attempt, 999999) + 1, open_run_id = $2, last_run_id = $2, next_due ="
			" CASE WHEN $3 THEN cvm.next_slot(starting, every, time_zone, clock_timestamp()) ELSE 'infinity' END"
			" WHERE job_id = $1",
			3, types, values, NULL, SPI_OK_UPDATE);
	return DatumGetInt64(values[1]);
}

/* The lock last: what fails after it would not give it back. */
static void
claim_row(void *argument)
{
	Claiming   *claiming = argument;
	JobOrder   *order = &claiming->job->order;

	order->run_id = record_claim(order->job_id, claiming->schedulable);
	if (claiming->may_run)
	{
		/* before others see the row, so that it never looks dead */
		LOCKTAG		tag = cvm_job_locktag(job_class, order->job_id);

		(void) LockAcquire(&tag, AccessShareLock, true, false);
	}
	else
	{
		cvm_run_close(order->run_id, &claiming->end);
		settle(order->job_id, order->run_id);
	}
}

/*
 * A schedule that can not be worked out any more (its time zone is gone, say)
 * must not keep other jobs from running: that job fails and stays.  Nor may a
 * row that nothing can be written to.
 */
static void
claim_or_refuse(Claiming *claiming)
{
	ErrorData  *error = on_its_own(claim_row, claiming);

	if (error == NULL)
		return;
	claiming->schedulable = false;
	claiming->may_run = false;
	claiming->end = (RunEnd)
	{
		.status = "failed", .sqlstate = error->sqlerrcode, .message = error->message, .detail = error->detail,
		.hint = "The job is not started any more: change its schedule with cvm.alter_job.", .context = error->context
	};
	if ((error = on_its_own(claim_row, claiming)) != NULL)
		refuse(&refused_jobs, claiming->job->order.job_id, "job", error);
}

/*
 * Takes the job that has been due longest: in one transaction its lock, its
 * row, its run.  Two jobs of one portfolio wait for each other, and both for a
 * recompute by hand.
 */
static Claim
claim(RunningJob *job)
{
	Claiming	claiming = {.job = job, .schedulable = true};
	Oid			types[1] = {INT8ARRAYOID};
	Datum		values[1];
	double		max_runtime;
	bool		isnull;

	cvm_work_begin("claiming a job");
	values[0] = refused_array(&refused_jobs);
	if (execute("SELECT j.job_id, j.portfolio, j.run_as, r.oid, r.rolcanlogin,"
				" has_database_privilege(r.oid, current_database(), 'CONNECT'), pg_has_role(r.oid, n.nspowner, 'MEMBER'),"
				" pg_get_userbyid(n.nspowner)::text, cvm.interval_seconds(j.max_runtime), j.max_runtime::text,"
				" r.rolsuper AND o.rolsuper IS NOT TRUE"
				" FROM cvm.job j JOIN cvm.portfolio p ON p.portfolio = j.portfolio"
				" LEFT JOIN pg_authid r ON r.rolname = j.run_as::name"
				" LEFT JOIN pg_namespace n ON n.nspname = p.output_schema::name"
				" LEFT JOIN pg_authid o ON o.oid = n.nspowner"
				" WHERE j.enabled AND j.home = cvm.database_identity() AND j.next_due <= clock_timestamp()"
				" AND j.job_id <> ALL ($1)"
				" AND NOT EXISTS (SELECT FROM cvm.job o WHERE o.portfolio = j.portfolio AND o.open_run_id IS NOT NULL)"
				" AND NOT cvm.is_object_locked('cvm.job'::regclass, j.job_id)"
				" AND NOT cvm.is_object_locked('cvm.portfolio'::regclass, p.portfolio_id)"
				" ORDER BY j.next_due, j.job_id LIMIT 1 FOR UPDATE OF j SKIP LOCKED",
				1, types, values, NULL, SPI_OK_SELECT) == 0)
	{
		cvm_work_commit();
		return CLAIM_NONE;
	}
	job->order.database = MyDatabaseId;
	job->order.job_class = job_class;
	job->order.job_id = int_column(0, 1);
	job->order.role = DatumGetObjectId(column(0, 4, &isnull));
	max_runtime = DatumGetFloat8(column(0, 9, &isnull));
	job->deadline = after_ms((int64) (max_runtime * 1000));
	strlcpy(job->max_runtime, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 10), sizeof(job->max_runtime));
	claiming.may_run = check_role(0, &claiming.end);
	claim_or_refuse(&claiming);
	cvm_work_commit();
	return claiming.may_run ? CLAIM_START : CLAIM_DONE;
}

/* No process could be started for it: as if it had not been claimed. */
static void
unclaim(RunningJob *job)
{
	LOCKTAG		tag = cvm_job_locktag(job_class, job->order.job_id);
	Oid			types[2] = {INT8OID, INT8OID};
	Datum		values[2] = {Int64GetDatum(job->order.job_id), Int64GetDatum(job->order.run_id)};

	ereport(LOG,
			(errmsg("cvm could not start job " INT64_FORMAT ": all of max_worker_processes are in use", job->order.job_id),
			 errhint("It tries again; raise max_worker_processes or lower cvm.max_concurrent_jobs.")));
	cvm_work_begin("giving a job back");
	execute("DELETE FROM cvm.run WHERE run_id = $2", 2, types, values, NULL, SPI_OK_DELETE);
	execute("UPDATE cvm.job SET attempt = greatest(attempt, 1) - 1, open_run_id = NULL, next_due = clock_timestamp(),"
			" last_run_id = (SELECT max(run_id) FROM cvm.run r WHERE r.job_id = $1) WHERE job_id = $1 AND open_run_id = $2",
			2, types, values, NULL, SPI_OK_UPDATE);
	cvm_work_commit();
	(void) LockRelease(&tag, AccessShareLock, true);
}

/* Starts what is due while there is room. */
static void
start_jobs(void)
{
	while (cvm_worker_enabled && !extension_wanted && n_jobs < MAX_JOBS && cvm_job_slot_take(cvm_max_concurrent_jobs))
	{
		RunningJob	job = {0};
		MemoryContext old;
		Claim		result = claim(&job);
		bool		started = false;

		CHECK_FOR_INTERRUPTS();
		if (result == CLAIM_START)
		{
			/* the handle lives as long as the process */
			old = MemoryContextSwitchTo(TopMemoryContext);
			started = cvm_job_start(&job.order, &job.handle);
			MemoryContextSwitchTo(old);
			if (started)
				jobs[n_jobs++] = job;
			else
				unclaim(&job);
		}
		if (!started)
			cvm_job_slot_give();
		if (!started && result != CLAIM_DONE)
			break;
	}
}

/* When the next job is due; soon, if one is that could not be started. */
static TimestampTz
next_due(void)
{
	TimestampTz due = DT_NOEND;
	Oid			types[1] = {INT8ARRAYOID};
	Datum		values[1];
	bool		isnull;
	Datum		value;

	cvm_work_begin("looking what is due");
	values[0] = refused_array(&refused_jobs);
	execute("SELECT min(CASE WHEN j.open_run_id IS NULL THEN j.next_due ELSE clock_timestamp() END)"
			" FROM cvm.job j JOIN cvm.portfolio p ON p.portfolio = j.portfolio"
			" WHERE j.enabled AND j.home = cvm.database_identity() AND j.job_id <> ALL ($1)",
			1, types, values, NULL, SPI_OK_SELECT);
	value = column(0, 1, &isnull);
	if (!isnull)
		due = DatumGetTimestampTz(value);
	cvm_work_commit();
	return due <= GetCurrentTimestamp() ? after_ms(BLOCKED_DELAY_MS) : due;
}

/* ---------- stopping ---------- */

/* The reason is what the run's error will say. */
static void
cancel(RunningJob *job, const char *reason)
{
	pid_t		pid;

	if (job->terminate_at != 0 || GetBackgroundWorkerPid(job->handle, &pid) != BGWH_STARTED)
		return;
	job->reason = MemoryContextStrdup(TopMemoryContext, reason);
	job->terminate_at = after_ms(GRACE_MS);
	kill(pid, SIGINT);
}

static void
enforce_limits(void)
{
	LOCKTAG		object = extension_locktag(0);
	TimestampTz now = GetCurrentTimestamp();

	extension_wanted = extension_wanted || LockHasWaiters(&object, AccessShareLock, true);
	for (int i = 0; i < n_jobs; i++)
	{
		if (extension_wanted)
			cancel(&jobs[i], "the extension is being dropped");
		else if (now >= jobs[i].deadline && jobs[i].terminate_at == 0)
			cancel(&jobs[i], psprintf("the run took longer than %s, the job's max_runtime", jobs[i].max_runtime));
		if (jobs[i].terminate_at != 0 && now >= jobs[i].terminate_at)
			TerminateBackgroundWorker(jobs[i].handle);
	}
}

/*
 * At the end of the process.  A runner that is terminated or fails takes its jobs
 * with it: nobody else would watch them.  Session locks of the ordinary method
 * go with an abort, but not with a process that ends outside of a transaction.
 */
static void
let_go(int code, Datum arg)
{
	for (int i = 0; i < n_jobs; i++)
		TerminateBackgroundWorker(jobs[i].handle);
	LockReleaseAll(DEFAULT_LOCKMETHOD, true);
}

/* ---------- the process ---------- */

/* Until the instant, a change to the jobs, or the end of a process. */
static void
wait_until(TimestampTz until)
{
	long		timeout = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);

	if (n_jobs > 0)
		timeout = Min(timeout, POLL_MS);
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

/*
 * Returns when nothing runs and nothing is due soon.  The count of changes is
 * read before the jobs are, so that what is committed in between is not missed.
 */
static void
look_after_jobs(void)
{
	uint64		seen = cvm_runner_changes();

	for (;;)
	{
		uint64		changes = cvm_runner_changes();
		TimestampTz due;

		if (changes != seen)
		{
			forget_refused(&refused_jobs);
			forget_refused(&refused_runs);
			seen = changes;
		}
		reap();
		enforce_limits();
		recover();
		start_jobs();
		due = extension_wanted ? after_ms(BLOCKED_DELAY_MS) : next_due();
		if (n_jobs == 0 && due > after_ms(STAY_MS) && cvm_runner_leave(changes, due))
			return;
		wait_until(due);
	}
}

void
cvm_runner_main(Datum main_arg)
{
	Oid			database = DatumGetObjectId(main_arg);

	cvm_runner_attach(database);
	before_shmem_exit(let_go, (Datum) 0);
	cvm_worker_process_init(database, InvalidOid);
	if (!lock_extension())
	{
		(void) cvm_runner_leave(cvm_runner_changes(), OidIsValid(extension) ? after_ms(BLOCKED_DELAY_MS) : DT_NOEND);
		return;
	}
	recover();
	forget_old_runs();
	look_after_jobs();
}
