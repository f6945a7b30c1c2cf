/*
 * account.c: what a runner reads and writes in cvm.job and cvm.run: claims what
 * is due, accounts for how runs ended, finds those that nobody has ended.
 *
 * An owner may write rows of its own by hand, and one row that nothing can be
 * done with is not to keep the jobs of others from running: each row is worked
 * on in a subtransaction.
 */
#include "compat.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "worker/account.h"
#include "worker/job.h"
#include "worker/launcher.h"

/* What one attempt at a claim does to the row that was found. */
typedef struct Claiming
{
	ClaimedJob *claimed;
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

/* Numbers of rows that nothing could be done with. */
typedef struct Refused
{
	Datum	   *ids;
	int			n;
} Refused;

static Refused refused_jobs;
static Refused refused_runs;

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

void
cvm_account_retry(void)
{
	forget_refused(&refused_jobs);
	forget_refused(&refused_runs);
}

static Datum
refused_array(const Refused *refused)
{
	return PointerGetDatum(construct_array(refused->ids, refused->n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
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

typedef struct Ended
{
	const JobOrder *order;
	const char *reason;			/* why the runner has cancelled it; NULL: it has not */
} Ended;

static void
settle_end(void *argument)
{
	const Ended *ended = argument;
	RunEnd		end = crashed;

	if (ended->reason)
	{
		end = (RunEnd)
		{
			.status = "cancelled", .sqlstate = ERRCODE_QUERY_CANCELED, .message = ended->reason
		};
	}
	cvm_run_close(ended->order->run_id, &end);
	settle(ended->order->job_id, ended->order->run_id);
	if (ended->reason)
		explain_cancel(ended->order->run_id, ended->reason);
}

/* Its process has ended: account for it, then let go of the lock. */
void
cvm_account_settle(const JobOrder *order, const char *reason)
{
	LOCKTAG		tag = cvm_job_locktag(order->job_class, order->job_id);
	Ended		ended = {.order = order, .reason = reason};
	ErrorData  *error;

	cvm_work_begin("accounting for a run");
	if ((error = on_its_own(settle_end, &ended)) != NULL)
		refuse(&refused_jobs, order->job_id, "job", error);
	cvm_work_commit();
	(void) LockRelease(&tag, AccessShareLock, true);
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
void
cvm_account_recover(void)
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
				" AND r.run_id <> ALL ($2) LIMIT 1000",
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
void
cvm_account_forget_old(void)
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
			"                                WHERE s.portfolio = r.portfolio AND s.status = 'succeeded' AND s.holdout IS NULL)",
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

	execute("INSERT INTO cvm.run (portfolio, job_id, holdout, attempt)"
			" SELECT j.portfolio, j.job_id, j.holdout, least(j.attempt, 999999) + 1 FROM cvm.job j WHERE j.job_id = $1 RETURNING run_id",
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
	JobOrder   *order = &claiming->claimed->order;

	order->run_id = record_claim(order->job_id, claiming->schedulable);
	if (claiming->may_run)
	{
		/* before others see the row, so that it never looks dead */
		LOCKTAG		tag = cvm_job_locktag(order->job_class, order->job_id);

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
		refuse(&refused_jobs, claiming->claimed->order.job_id, "job", error);
}

/*
 * Takes the job that has been due longest: in one transaction its lock, its
 * row, its run.  Two recomputes of one portfolio wait for each other, and both for
 * one by hand; so do two validations.  A validation keeps no recompute waiting.
 */
Claim
cvm_account_claim(Oid job_class, ClaimedJob *claimed)
{
	Claiming	claiming = {.claimed = claimed, .schedulable = true};
	Oid			types[1] = {INT8ARRAYOID};
	Datum		values[1];
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
				" AND NOT EXISTS (SELECT FROM cvm.job o WHERE o.portfolio = j.portfolio AND o.open_run_id IS NOT NULL"
				"                 AND (o.holdout IS NULL) = (j.holdout IS NULL))"
				" AND NOT cvm.is_object_locked('cvm.job'::regclass, j.job_id)"
				" AND NOT (j.holdout IS NULL AND cvm.is_object_locked('cvm.portfolio'::regclass, p.portfolio_id))"
				" ORDER BY j.next_due, j.job_id LIMIT 1 FOR UPDATE OF j SKIP LOCKED",
				1, types, values, NULL, SPI_OK_SELECT) == 0)
	{
		cvm_work_commit();
		return CLAIM_NONE;
	}
	claimed->order.database = MyDatabaseId;
	claimed->order.job_class = job_class;
	claimed->order.job_id = int_column(0, 1);
	claimed->order.role = DatumGetObjectId(column(0, 4, &isnull));
	claimed->max_seconds = DatumGetFloat8(column(0, 9, &isnull));
	strlcpy(claimed->max_runtime, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 10), sizeof(claimed->max_runtime));
	claiming.may_run = check_role(0, &claiming.end);
	claim_or_refuse(&claiming);
	cvm_work_commit();
	return claiming.may_run ? CLAIM_START : CLAIM_DONE;
}

/* No process could be started for it: as if it had not been claimed. */
void
cvm_account_unclaim(const JobOrder *order)
{
	LOCKTAG		tag = cvm_job_locktag(order->job_class, order->job_id);
	Oid			types[2] = {INT8OID, INT8OID};
	Datum		values[2] = {Int64GetDatum(order->job_id), Int64GetDatum(order->run_id)};

	ereport(LOG,
			(errmsg("cvm could not start job " INT64_FORMAT ": all of max_worker_processes are in use", order->job_id),
			 errhint("It tries again; raise max_worker_processes or lower cvm.max_concurrent_jobs.")));
	cvm_work_begin("giving a job back");
	execute("DELETE FROM cvm.run WHERE run_id = $2", 2, types, values, NULL, SPI_OK_DELETE);
	execute("UPDATE cvm.job SET attempt = greatest(attempt, 1) - 1, open_run_id = NULL, next_due = clock_timestamp(),"
			" last_run_id = (SELECT max(run_id) FROM cvm.run r WHERE r.job_id = $1) WHERE job_id = $1 AND open_run_id = $2",
			2, types, values, NULL, SPI_OK_UPDATE);
	cvm_work_commit();
	(void) LockRelease(&tag, AccessShareLock, true);
}

/* When the next job is due, which may have passed for one that can not be started now. */
TimestampTz
cvm_account_next_due(void)
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
	return due;
}
