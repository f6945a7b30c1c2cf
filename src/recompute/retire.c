/*
 * retire.c: dropping the partitions of runs that were replaced, or never published.
 *
 * A run's partition may go when no snapshot can need it and no reader is in the
 * way; what can not be dropped now is tried again by the next run.
 */
#include "engine.h"

#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/resowner.h"

#define PATIENCE 3				/* retired runs that readers may keep from being dropped unhindered */

/*
 * Tables of runs that never got published, told from a user's own by their
 * constraint: no other run can need them, we hold the lock.
 */
void
cvm_drop_leftovers(const RecomputePlan *plan)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(plan->output_schema)};
	uint64		n = cvm_spi(SPI_OK_SELECT,
							"SELECT c.relname FROM pg_catalog.pg_class c"
							" JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace AND s.nspname = $1::pg_catalog.name"
							" WHERE c.relname ~ '^score_[0-9]+$' AND c.relkind = 'r' AND NOT c.relispartition"
							" AND EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid"
							" AND k.contype = 'c' AND k.conname = 'cvm_run')",
							1, types, values, NULL);
	SPITupleTable *leftovers = SPI_tuptable;

	for (uint64 i = 0; i < n; i++)
		cvm_spi(SPI_OK_UTILITY,
				psprintf("DROP TABLE %s", cvm_quote(plan, SPI_getvalue(leftovers->vals[i], leftovers->tupdesc, 1))),
				0, NULL, NULL, NULL);
	SPI_freetuptable(leftovers);
}

/*
 * A run may go when the transaction that replaced it is visible to every
 * snapshot of this database, whose horizon any of its tables has.  An identifier
 * from the future comes from a restored dump.
 */
static bool
nobody_needs(int64 replaced_by_xid)
{
	Relation	relation = table_open(get_relname_relid("portfolio", get_namespace_oid("cvm", false)), AccessShareLock);
	TransactionId oldest = GetOldestNonRemovableTransactionId(relation);
	FullTransactionId next = ReadNextFullTransactionId();
	TransactionId replaced = (TransactionId) replaced_by_xid;

	table_close(relation, AccessShareLock);
	if ((uint64) replaced_by_xid >= U64FromFullTransactionId(next))
		return true;
	if (U64FromFullTransactionId(next) - (uint64) replaced_by_xid > PG_INT32_MAX)
		return true;			/* too old to be compared, and to be needed */
	return TransactionIdPrecedes(replaced, oldest);
}

/* The partition of score that has a run's name; a table of somebody's own that has it is none. */
static bool
has_partition(const RecomputePlan *plan, int64 run_id)
{
	Oid			schema = get_namespace_oid(plan->output_schema, false);
	Oid			partition = get_relname_relid(cvm_partition_name(run_id), schema);

	return OidIsValid(partition) && get_rel_relispartition(partition) &&
		get_partition_parent(partition, true) == get_relname_relid("score", schema);
}

/*
 * Readers in the way are left alone, unless they have been in the way of several
 * runs: then new ones wait for at most 20 ms, in which short ones end.
 */
static void
drop_run(const RecomputePlan *plan, int64 run_id, bool insist)
{
	static const char *const run_keyed[] = {"segment_stat", "cohort_cell", "renewal_stat", "retired_run"};
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {Int64GetDatum(run_id)};

	if (has_partition(plan, run_id))
	{
		char	   *partition = cvm_quote(plan, cvm_partition_name(run_id));

		if (insist)
			cvm_spi(SPI_OK_UTILITY, "SET LOCAL lock_timeout = '20ms'", 0, NULL, NULL, NULL);
		cvm_spi(SPI_OK_UTILITY,
				psprintf("LOCK TABLE ONLY %s, %s IN ACCESS EXCLUSIVE MODE%s", cvm_quote(plan, "score"),
						 partition, insist ? "" : " NOWAIT"),
				0, NULL, NULL, NULL);
		cvm_spi(SPI_OK_UTILITY, psprintf("DROP TABLE %s", partition), 0, NULL, NULL, NULL);
	}
	for (int i = 0; i < (int) lengthof(run_keyed); i++)
		cvm_spi(SPI_OK_DELETE,
				psprintf("DELETE FROM %s WHERE run_id OPERATOR(pg_catalog.=) $1", cvm_quote(plan, run_keyed[i])),
				1, types, values, NULL);
}

/* Tries the first retired run above *after that the option history does not keep, never the published one. */
static bool
drop_next(const RecomputePlan *plan, int64 *after)
{
	Oid			types[2] = {INT8OID, FLOAT8OID};
	Datum		values[2] = {Int64GetDatum(*after), Float8GetDatum(plan->history)};
	bool		isnull;
	int64		replaced;
	int64		waiting;

	if (cvm_spi(SPI_OK_SELECT,
				psprintf("SELECT r.run_id::pg_catalog.int8, r.replaced_by_xid::pg_catalog.int8, pg_catalog.count(*) OVER ()"
						 " FROM %s AS r WHERE r.run_id OPERATOR(pg_catalog.>) $1"
						 " AND NOT EXISTS (SELECT FROM %s AS p WHERE p.run_id OPERATOR(pg_catalog.=) r.run_id)"
						 " AND (r.replaced_at::pg_catalog.timestamptz"
						 " OPERATOR(pg_catalog.>) (pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) pg_catalog.make_interval(secs => $2))) IS NOT TRUE"
						 " ORDER BY 1 LIMIT 1",
						 cvm_quote(plan, "retired_run"), cvm_quote(plan, "published")),
				2, types, values, NULL) != 1)
		return false;
	*after = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	replaced = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
	if (isnull)
		replaced = 0;
	waiting = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3, &isnull));
	SPI_freetuptable(SPI_tuptable);
	if (nobody_needs(replaced))
		drop_run(plan, *after, waiting > PATIENCE);
	return true;
}

static void
warn_not_dropped(const RecomputePlan *plan, int64 run_id, const ErrorData *error)
{
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 run_id > 0 ? errmsg("run " INT64_FORMAT " of portfolio \"%s\" was replaced but could not be dropped: %s",
								 run_id, plan->portfolio, error->message)
			 : errmsg("replaced runs of portfolio \"%s\" could not be dropped: %s", plan->portfolio, error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 errhint("The next recompute tries again.")));
}

/*
 * Tries one run in a subtransaction.  The new run is published and recorded by
 * now: whatever is in the way of the old one, somebody's own view of its
 * partition, say, is worth a warning and no more.
 */
bool
cvm_drop_retired(const RecomputePlan *plan, int64 *after)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile int64 before = *after;
	volatile bool more = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		more = drop_next(plan, after);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
		more = *after > before;	/* which one was in the way is known: go on with the next */
		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
			warn_not_dropped(plan, more ? *after : 0, error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return more;
}
