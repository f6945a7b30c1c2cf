/*
 * account.h: the rows of jobs and runs, as a runner keeps them.
 */
#ifndef CVM_WORKER_ACCOUNT_H
#define CVM_WORKER_ACCOUNT_H

#include "postgres.h"

#include "datatype/timestamp.h"

#include "worker/job.h"

typedef enum Claim
{
	CLAIM_NONE,					/* nothing that can be started is due */
	CLAIM_DONE,					/* it failed before it began: go on */
	CLAIM_START					/* start its process */
} Claim;

typedef struct ClaimedJob
{
	JobOrder	order;
	double		max_seconds;	/* max_runtime */
	char		max_runtime[64];	/* the same, for people */
} ClaimedJob;

/* Takes the job that has been due longest, and its lock if it is to be started. */
extern Claim cvm_account_claim(Oid job_class, ClaimedJob *claimed);

/* No process could be started for it: as if it had not been claimed. */
extern void cvm_account_unclaim(const JobOrder *order);

/* Its process has ended; reason: why the runner has cancelled it, if so. */
extern void cvm_account_settle(const JobOrder *order, const char *reason);

/* Closes the runs that nobody has ended. */
extern void cvm_account_recover(void);

/* Deletes runs older than cvm.run_history. */
extern void cvm_account_forget_old(void);

/* When the next job is due; DT_NOEND: none. */
extern TimestampTz cvm_account_next_due(void);

/* What nothing could be done with is left out until this is called. */
extern void cvm_account_retry(void);

#endif
