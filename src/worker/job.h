/*
 * job.h: what a runner and the job that it starts agree on.
 */
#ifndef CVM_WORKER_JOB_H
#define CVM_WORKER_JOB_H

#include "postgres.h"

#include "postmaster/bgworker.h"
#include "storage/lock.h"

/* Handed to the job's process in bgw_extra. */
typedef struct JobOrder
{
	Oid			database;
	Oid			role;			/* to connect as */
	Oid			job_class;		/* OID of the table cvm.job */
	int64		job_id;
	int64		run_id;			/* the row that the runner has recorded */
} JobOrder;

/* How a run ends.  A NULL message leaves what is recorded as it is. */
typedef struct RunEnd
{
	const char *status;
	int			sqlstate;		/* 0: none */
	const char *message;
	const char *detail;
	const char *hint;
	const char *context;
} RunEnd;

/*
 * The lock of a job.  Its process holds it in ExclusiveLock, its runner in
 * AccessShareLock: whichever is there, the run is alive.  It is of the method of
 * user locks, which an aborted transaction does not give up.
 */
extern LOCKTAG cvm_job_locktag(Oid job_class, int64 job_id);

/* Starts the process; false if the server has no worker free. */
extern bool cvm_job_start(const JobOrder *order, BackgroundWorkerHandle **handle);

/* Completes the row of a run that still says 'running'; within SPI. */
extern void cvm_run_close(int64 run_id, const RunEnd *end);

/* Settings and signals of a process of the worker that has a database. */
extern void cvm_worker_process_init(Oid database, Oid role);

/* A transaction of such a process, with SPI and a snapshot. */
extern void cvm_work_begin(const char *activity);
extern void cvm_work_commit(void);

#endif
