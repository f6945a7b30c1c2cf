/*
 * shared.h: what the processes of the worker, and every backend that
 * recomputes, tell each other in shared memory.
 *
 * Nothing here is needed for a result: where the library is not preloaded there
 * is no shared memory, and every function below does nothing.
 */
#ifndef CVM_WORKER_SHARED_H
#define CVM_WORKER_SHARED_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* Databases that can have something due at once; more wait for a sweep. */
#define CVM_DATABASE_SLOTS 1024

/* Asks for the memory; called once, while the server preloads the library. */
extern void cvm_shared_init(void);

/* false: the library is not preloaded */
extern bool cvm_shared_ready(void);

/* ---------- progress: one slot per backend ---------- */

/*
 * Where a run is: its phase and how far (total 0: not known).  Seen at once by
 * cvm.progress, also while the transaction of the phase is open.
 */
extern void cvm_progress(int64 run_id, const char *phase, int64 done, int64 total);
extern void cvm_progress_end(int64 run_id);

/* ---------- when a database needs a runner ---------- */

/* A job of this database is due at an instant. */
extern void cvm_database_due(Oid database, TimestampTz due);

/* The launcher's side: its latch; the next database to start a runner in. */
extern void cvm_launcher_attach(void);
extern Oid	cvm_database_claim(TimestampTz now, int max_runners, TimestampTz *next_due);
extern void cvm_database_postpone(Oid database, TimestampTz due);
extern void cvm_database_forget(Oid database);

/*
 * The runner's side.  It reads the count of changes before it looks at the
 * jobs; cvm_runner_leave refuses if a commit has touched them since.
 */
extern void cvm_runner_attach(Oid database);
extern uint64 cvm_runner_changes(void);
extern bool cvm_runner_leave(uint64 changes, TimestampTz due);

/* One of the jobs that may run at once in the whole server. */
extern bool cvm_job_slot_take(int limit);
extern void cvm_job_slot_give(void);

#endif
