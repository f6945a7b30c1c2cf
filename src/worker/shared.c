/*
 * shared.c: the worker's shared memory: next due time per database, the
 * latches to wake, and the progress of every run.
 *
 * One lock guards all of it; it is held for a few loads and stores, and nothing
 * below raises an error while holding it.
 */
#include "compat.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "worker/shared.h"

/* A runner that has not come up after this long will not. */
#define START_LIMIT_MS 60000

/* After a runner's failure: 10 s, doubled each time, at most about 10 min. */
#define FAILURE_DELAY_MS 10000
#define FAILURE_DOUBLINGS 6

typedef struct DatabaseSlot
{
	Oid			database;		/* InvalidOid: the slot is free */
	TimestampTz due;			/* DT_NOEND: nothing is due */
	TimestampTz started;		/* a runner was asked for then; 0: none */
	int			runner_pid;		/* 0: no runner has attached */
	Latch	   *runner_latch;
	uint64		changes;		/* commits that touched the jobs */
	int			failures;		/* runners in a row that ended in an error */
} DatabaseSlot;

typedef struct ProgressSlot
{
	int64		run_id;			/* 0: the backend recomputes nothing */
	Oid			database;
	int			pid;
	int64		done;
	int64		total;
	char		phase[NAMEDATALEN];
} ProgressSlot;

typedef struct Shared
{
	LWLock	   *lock;
	Latch	   *launcher_latch;
	int			launcher_pid;
	int			jobs;			/* jobs under way in the server */
	int			n_progress;
	DatabaseSlot databases[CVM_DATABASE_SLOTS];
	ProgressSlot progress[FLEXIBLE_ARRAY_MEMBER];
} Shared;

static Shared *shared = NULL;

static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

/* This process, if it is a runner: its database and the job slots it holds. */
static Oid	runner_database = InvalidOid;
static int	runner_jobs = 0;

static Size
shared_size(void)
{
	return add_size(offsetof(Shared, progress), mul_size(sizeof(ProgressSlot), MaxBackends));
}

static void
request_memory(void)
{
	if (previous_request)
		previous_request();
	RequestAddinShmemSpace(shared_size());
	RequestNamedLWLockTranche("cvm", 1);
}

/* Also after a crash of any backend: the server then starts from nothing. */
static void
start_memory(void)
{
	bool		found;

	if (previous_startup)
		previous_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("cvm", shared_size(), &found);
	if (!found)
	{
		memset(shared, 0, shared_size());
		shared->lock = &GetNamedLWLockTranche("cvm")->lock;
		shared->n_progress = MaxBackends;
	}
	LWLockRelease(AddinShmemInitLock);
}

void
cvm_shared_init(void)
{
	previous_request = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup = shmem_startup_hook;
	shmem_startup_hook = start_memory;
}

bool
cvm_shared_ready(void)
{
	return shared != NULL;
}

PG_FUNCTION_INFO_V1(cvm_is_preloaded);
/* cvm.is_preloaded() */
Datum
cvm_is_preloaded(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(cvm_shared_ready());
}

/* ---------- progress ---------- */

static ProgressSlot *
my_progress(void)
{
	int			number = cvm_proc_number();

	return shared && number >= 0 && number < shared->n_progress ? &shared->progress[number] : NULL;
}

static void
clear_progress(int code, Datum arg)
{
	ProgressSlot *slot = my_progress();

	if (slot == NULL)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot->run_id = 0;
	LWLockRelease(shared->lock);
}

void
cvm_progress(int64 run_id, const char *phase, int64 done, int64 total)
{
	static bool registered = false;
	ProgressSlot *slot = my_progress();

	if (slot == NULL || run_id <= 0)
		return;
	if (!registered)
	{
		/* a backend that is terminated unwinds no PG_FINALLY */
		before_shmem_exit(clear_progress, (Datum) 0);
		registered = true;
	}
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot->run_id = run_id;
	slot->database = MyDatabaseId;
	slot->pid = MyProcPid;
	slot->done = done;
	slot->total = total;
	strlcpy(slot->phase, phase, sizeof(slot->phase));
	LWLockRelease(shared->lock);
}

void
cvm_progress_end(int64 run_id)
{
	clear_progress(0, (Datum) 0);
}

PG_FUNCTION_INFO_V1(cvm_progress_slots);
/* cvm.progress_slots(): the slots of this database */
Datum
cvm_progress_slots(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ProgressSlot *copy;
	int			n = 0;

	InitMaterializedSRF(fcinfo, 0);
	if (shared == NULL)
		return (Datum) 0;
	copy = palloc(sizeof(ProgressSlot) * shared->n_progress);
	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < shared->n_progress; i++)
		if (shared->progress[i].run_id > 0 && shared->progress[i].database == MyDatabaseId)
			copy[n++] = shared->progress[i];
	LWLockRelease(shared->lock);
	for (int i = 0; i < n; i++)
	{
		Datum		values[5] = {
			Int64GetDatum(copy[i].run_id), CStringGetTextDatum(copy[i].phase),
			Int64GetDatum(copy[i].done), Int64GetDatum(copy[i].total), Int32GetDatum(copy[i].pid)
		};
		bool		nulls[5] = {false, false, false, copy[i].total <= 0, false};

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* ---------- databases ---------- */

static DatabaseSlot *
find_database(Oid database)
{
	for (int i = 0; i < CVM_DATABASE_SLOTS; i++)
		if (shared->databases[i].database == database)
			return &shared->databases[i];
	return NULL;
}

/* NULL when all slots are taken: the next sweep tries again. */
static DatabaseSlot *
find_or_add_database(Oid database)
{
	DatabaseSlot *slot = find_database(database);

	if (slot == NULL && (slot = find_database(InvalidOid)) != NULL)
	{
		memset(slot, 0, sizeof(DatabaseSlot));
		slot->database = database;
		slot->due = DT_NOEND;
	}
	return slot;
}

static void
wake(Latch *latch)
{
	if (latch)
		SetLatch(latch);
}

void
cvm_database_due(Oid database, TimestampTz due)
{
	DatabaseSlot *slot;

	if (shared == NULL)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = find_or_add_database(database);
	if (slot)
	{
		slot->changes++;
		slot->due = Min(slot->due, due);
		wake(slot->runner_latch);
	}
	wake(shared->launcher_latch);
	LWLockRelease(shared->lock);
}

/* ---------- the launcher ---------- */

static void
detach_launcher(int code, Datum arg)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->launcher_latch = NULL;
	shared->launcher_pid = 0;
	LWLockRelease(shared->lock);
}

void
cvm_launcher_attach(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->launcher_latch = MyLatch;
	shared->launcher_pid = MyProcPid;
	LWLockRelease(shared->lock);
	before_shmem_exit(detach_launcher, (Datum) 0);
}

/* A runner was asked for and may still be coming, or is there. */
static bool
has_runner(const DatabaseSlot *slot, TimestampTz now)
{
	if (slot->runner_pid != 0)
		return true;
	return slot->started != 0 &&
		!TimestampDifferenceExceeds(slot->started, now, START_LIMIT_MS);
}

/*
 * Takes the database that has waited longest for a runner and marks it as being
 * started; InvalidOid if none is due or max_runners are at work.  next_due: when
 * to ask again if nothing wakes the launcher before.
 */
Oid
cvm_database_claim(TimestampTz now, int max_runners, TimestampTz *next_due)
{
	DatabaseSlot *best = NULL;
	Oid			database = InvalidOid;
	int			runners = 0;

	*next_due = DT_NOEND;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < CVM_DATABASE_SLOTS; i++)
	{
		DatabaseSlot *slot = &shared->databases[i];

		if (slot->database == InvalidOid)
			continue;
		if (has_runner(slot, now))
		{
			runners++;
			continue;
		}
		if (slot->started != 0)
		{
			/* asked for, never came */
			slot->started = 0;
			slot->due = now;
		}
		if (best == NULL || slot->due < best->due)
			best = slot;
	}
	if (best && best->due <= now && runners < max_runners)
	{
		database = best->database;
		best->started = now;
		best->due = DT_NOEND;
	}
	else if (best && best->due > now)
		*next_due = best->due;
	else if (runners > 0)
		*next_due = TimestampTzPlusMilliseconds(now, 5000);
	LWLockRelease(shared->lock);
	return database;
}

/* The runner could not be started: later. */
void
cvm_database_postpone(Oid database, TimestampTz due)
{
	DatabaseSlot *slot;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = find_database(database);
	if (slot)
	{
		slot->started = 0;
		slot->due = Min(slot->due, due);
	}
	LWLockRelease(shared->lock);
}

/* The database is gone, closed or not listed. */
void
cvm_database_forget(Oid database)
{
	DatabaseSlot *slot;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = find_database(database);
	if (slot && slot->runner_pid == 0)
		slot->database = InvalidOid;
	LWLockRelease(shared->lock);
}

/* ---------- the runner ---------- */

/* Still attached at exit: the runner failed, so the next one waits longer. */
static void
detach_runner(int code, Datum arg)
{
	DatabaseSlot *slot;
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = find_database(runner_database);
	if (slot && slot->runner_pid == MyProcPid)
	{
		slot->runner_pid = 0;
		slot->runner_latch = NULL;
		slot->started = 0;
		slot->due = TimestampTzPlusMilliseconds(now, (int64) FAILURE_DELAY_MS << Min(slot->failures, FAILURE_DOUBLINGS));
		slot->failures++;
	}
	shared->jobs -= runner_jobs;
	runner_jobs = 0;
	wake(shared->launcher_latch);
	LWLockRelease(shared->lock);
}

/* Before the connection, so that a failing connection counts as a failure. */
void
cvm_runner_attach(Oid database)
{
	DatabaseSlot *slot;

	before_shmem_exit(detach_runner, (Datum) 0);
	runner_database = database;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = find_or_add_database(database);
	if (slot && slot->runner_pid == 0)
	{
		slot->runner_pid = MyProcPid;
		slot->runner_latch = MyLatch;
		slot->started = 0;
	}
	LWLockRelease(shared->lock);
}

uint64
cvm_runner_changes(void)
{
	DatabaseSlot *slot;
	uint64		changes;

	LWLockAcquire(shared->lock, LW_SHARED);
	slot = find_database(runner_database);
	changes = slot ? slot->changes : 0;
	LWLockRelease(shared->lock);
	return changes;
}

bool
cvm_runner_leave(uint64 changes, TimestampTz due)
{
	DatabaseSlot *slot;
	bool		leave = true;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = find_database(runner_database);
	if (slot && slot->runner_pid == MyProcPid)
	{
		leave = slot->changes == changes;
		if (leave)
		{
			slot->runner_pid = 0;
			slot->runner_latch = NULL;
			slot->failures = 0;
			slot->due = due;
			if (due == DT_NOEND)
				slot->database = InvalidOid;
			wake(shared->launcher_latch);
		}
	}
	LWLockRelease(shared->lock);
	return leave;
}

bool
cvm_job_slot_take(int limit)
{
	bool		taken;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	taken = shared->jobs < limit;
	if (taken)
	{
		shared->jobs++;
		runner_jobs++;
	}
	LWLockRelease(shared->lock);
	return taken;
}

void
cvm_job_slot_give(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->jobs--;
	runner_jobs--;
	LWLockRelease(shared->lock);
}
