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
#include "commands/extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "worker/account.h"
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
	ClaimedJob	claimed;
	TimestampTz deadline;
	TimestampTz terminate_at;	/* 0: it has not been cancelled */
	char	   *reason;			/* why it has */
} RunningJob;

static RunningJob jobs[MAX_JOBS];
static int	n_jobs = 0;

/* This process's view of the extension, found at the start and locked. */
static Oid	extension;
static Oid	job_class;
static bool extension_wanted = false;	/* by somebody who drops it */

static TimestampTz
after_ms(int64 milliseconds)
{
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds);
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

/* ---------- jobs ---------- */

/* Accounts for the processes that have ended. */
static void
reap(void)
{
	for (int i = n_jobs - 1; i >= 0; i--)
	{
		RunningJob *job = &jobs[i];
		pid_t		pid;

		if (GetBackgroundWorkerPid(job->handle, &pid) != BGWH_STOPPED)
			continue;
		cvm_account_settle(&job->claimed.order, job->reason);
		cvm_job_slot_give();
		pfree(job->handle);
		if (job->reason)
			pfree(job->reason);
		*job = jobs[--n_jobs];
	}
}

/* Starts what is due while there is room. */
static void
start_jobs(void)
{
	while (cvm_worker_enabled && !extension_wanted && n_jobs < MAX_JOBS && cvm_job_slot_take(cvm_max_concurrent_jobs))
	{
		RunningJob	job = {0};
		MemoryContext old;
		Claim		result = cvm_account_claim(job_class, &job.claimed);
		bool		started = false;

		CHECK_FOR_INTERRUPTS();
		if (result == CLAIM_START)
		{
			/* the handle lives as long as the process */
			job.deadline = after_ms((int64) (job.claimed.max_seconds * 1000));
			old = MemoryContextSwitchTo(TopMemoryContext);
			started = cvm_job_start(&job.claimed.order, &job.handle);
			MemoryContextSwitchTo(old);
			if (started)
				jobs[n_jobs++] = job;
			else
				cvm_account_unclaim(&job.claimed.order);
		}
		if (!started)
			cvm_job_slot_give();
		if (!started && result != CLAIM_DONE)
			break;
	}
}

/* When there is something to do next; soon, if something is due that could not be started. */
static TimestampTz
next_due(void)
{
	TimestampTz due = cvm_account_next_due();

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
			cancel(&jobs[i], psprintf("the run took longer than %s, the job's max_runtime", jobs[i].claimed.max_runtime));
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
			cvm_account_retry();
			seen = changes;
		}
		reap();
		enforce_limits();
		cvm_account_recover();
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
	cvm_account_recover();
	cvm_account_forget_old();
	look_after_jobs();
}
