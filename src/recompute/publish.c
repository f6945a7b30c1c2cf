/*
 * publish.c: a run's partition attached, its sums written, one pointer row moved.
 *
 * Readers' views select the partition that `published` points to.  The partition
 * is attached under a lock that readers do not notice.  An older snapshot still
 * sees the older pointer and its partition, which retire.c drops when no snapshot
 * can need it and no reader stands in the way.
 */
#include "engine.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "recompute/owner.h"
#include "recompute/renewal_stat.h"
#include "recompute/statement.h"
#include "worker/shared.h"

static Datum
money_numeric(int128 ten_thousandths)
{
	return cvm_numeric_from_int128(ten_thousandths, 4);
}

/* One row, which a trigger of the owner's may not keep out unnoticed. */
static void
insert_row(const RecomputePlan *plan, const char *table, const char *sql, int nargs, Oid *types, Datum *values, const char *nulls)
{
	if (cvm_spi(SPI_OK_INSERT, sql, nargs, types, values, nulls) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s did not take a row of portfolio \"%s\"", cvm_quote(plan, table), plan->portfolio),
				 errhint("A trigger on it keeps the row out: drop it.")));
}

static void
write_equity(const RecomputePlan *plan, const SegmentSum *sum, double total, bool is_total)
{
	char	   *sql = psprintf("INSERT INTO %s (as_of, segment, is_total, customers, expected_active, realised_value,"
							   " residual_value, residual_low, residual_high, lifetime_value, equity_share,"
							   " predictive_error, parameter_error)"
							   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $6::pg_catalog.float8 OPERATOR(pg_catalog.+) $7, $10, $11, $12)",
							   cvm_quote(plan, "equity"));
	Oid			types[12] = {TIMESTAMPTZOID, TEXTOID, BOOLOID, INT8OID, FLOAT8OID, NUMERICOID,
	FLOAT8OID, FLOAT8OID, FLOAT8OID, FLOAT8OID, FLOAT8OID, FLOAT8OID};
	char		nulls[13] = "            ";
	Datum		values[12] = {
		TimestampTzGetDatum(plan->as_of), CStringGetTextDatum(sum->segment), BoolGetDatum(is_total),
		Int64GetDatum(sum->customers), Float8GetDatum(sum->expected_active), money_numeric(sum->realised),
		Float8GetDatum(sum->residual),
		Float8GetDatum(sum->interval_low), Float8GetDatum(sum->interval_high),
		Float8GetDatum(total > 0 ? sum->residual / total : 0),
		Float8GetDatum(sum->predictive_error), Float8GetDatum(sum->parameter_error)
	};

	if (!sum->has_interval)
		nulls[7] = nulls[8] = nulls[11] = 'n';
	if (!(total > 0))
		nulls[9] = 'n';
	if (!sum->has_chance)
		nulls[10] = 'n';
	insert_row(plan, "equity", sql, 12, types, values, nulls);
}

static void
write_segment_stat(const RecomputePlan *plan, int64 run_id, const SegmentSum *sum, double total)
{
	char	   *sql = psprintf("INSERT INTO %s (run_id, segment, customers, residual_value, p_alive, orders, mean_spend, equity_share)"
							   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", cvm_quote(plan, "segment_stat"));
	Oid			types[8] = {INT8OID, TEXTOID, INT8OID, FLOAT8OID, FLOAT8OID, INT8OID, FLOAT8OID, FLOAT8OID};
	char		nulls[9] = "        ";
	Datum		values[8] = {
		Int64GetDatum(run_id), CStringGetTextDatum(sum->segment), Int64GetDatum(sum->customers),
		Float8GetDatum(sum->residual), Float8GetDatum(sum->scored > 0 ? sum->expected_active / sum->scored : 0),
		Int64GetDatum(sum->orders), Float8GetDatum(sum->orders > 0 ? sum->money / sum->orders : 0),
		Float8GetDatum(total > 0 ? sum->residual / total : 0)
	};

	if (sum->scored == 0)
		nulls[4] = 'n';
	if (sum->orders == 0)
		nulls[6] = 'n';
	if (!(total > 0))
		nulls[7] = 'n';
	insert_row(plan, "segment_stat", sql, 8, types, values, nulls);
}

/* Every month of a cohort up to as_of, also the silent ones. */
static void
write_cohort(const RecomputePlan *plan, SPIPlanPtr insert, int64 run_id, int month, const CohortRow *row)
{
	DateADT		start = date2j(CVM_COHORT_FIRST_YEAR + month / 12, month % 12 + 1, 1) - POSTGRES_EPOCH_JDATE;

	for (int age = 0; age < row->n_ages; age++)
	{
		Datum		values[7] = {
			Int64GetDatum(run_id), DateADTGetDatum(start), Int32GetDatum(age),
			Int64GetDatum(row->customers), Int64GetDatum(row->cells[age].active),
			cvm_numeric_from_int128(row->cells[age].value, CVM_MAX_SCALE), Float8GetDatum(plan->margin)
		};

		if (SPI_execute_plan(insert, values, NULL, false, 0) != SPI_OK_INSERT || SPI_processed != 1)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("%s did not take a row of portfolio \"%s\"", cvm_quote(plan, "cohort_cell"), plan->portfolio),
					 errhint("A trigger or rule on it keeps the row out: drop it.")));
	}
}

static void
write_cohorts(const RecomputePlan *plan, int64 run_id, const Population *population)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "cvm cohorts", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	char	   *sql = psprintf("INSERT INTO %s (run_id, cohort_on, age_periods, customers, active, value)"
							   " VALUES ($1, $2, $3, $4, $5, pg_catalog.round($6 OPERATOR(pg_catalog.*) $7::pg_catalog.numeric, 4))",
							   cvm_quote(plan, "cohort_cell"));
	Oid			types[7] = {INT8OID, DATEOID, INT4OID, INT8OID, INT8OID, NUMERICOID, FLOAT8OID};
	SPIPlanPtr	insert = SPI_prepare(sql, 7, types);	/* a long-lived shop has ten thousands of cells */

	if (insert == NULL)
		elog(ERROR, "could not prepare: %s", sql);
	for (int month = 0; month < CVM_COHORT_MONTHS; month++)
		if (population->cohorts[month])
		{
			CHECK_FOR_INTERRUPTS();
			write_cohort(plan, insert, run_id, month, population->cohorts[month]);
			MemoryContextReset(scratch);
		}
	SPI_freeplan(insert);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/*
 * Notes what is being replaced: the published run, and every other partition that
 * is not noted yet, whatever has become of the row that pointed to it.
 */
static void
retire_others(const RecomputePlan *plan, int64 run_id, TimestampTz now)
{
	char	   *retired = cvm_quote(plan, "retired_run");
	char	   *published = cvm_quote(plan, "published");
	Oid			types[3] = {INT8OID, TEXTOID, TIMESTAMPTZOID};
	Datum		values[3] = {Int64GetDatum(run_id), CStringGetTextDatum(cvm_quote(plan, "score")), TimestampTzGetDatum(now)};

	cvm_spi(SPI_OK_DELETE,
			psprintf("DELETE FROM %s AS r USING %s AS p WHERE r.run_id OPERATOR(pg_catalog.=) p.run_id", retired, published),
			0, NULL, NULL, NULL);
	cvm_spi(SPI_OK_INSERT,
			psprintf("INSERT INTO %s (run_id, replaced_by_xid, as_of, published_at, replaced_at, purchase_model_id)"
					 " SELECT o.run_id, pg_catalog.pg_current_xact_id()::pg_catalog.text::pg_catalog.int8, q.as_of, q.published_at,"
					 " CASE WHEN q.run_id IS NOT NULL THEN $3 END, q.purchase_model_id"
					 " FROM (SELECT p.run_id::pg_catalog.int8 FROM %s AS p"
					 "       UNION SELECT pg_catalog.substr(c.relname::pg_catalog.text, 7)::pg_catalog.int8"
					 "       FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid"
					 "       JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid AND k.contype = 'c' AND k.conname = 'cvm_run'"
					 "       WHERE i.inhparent = $2::pg_catalog.regclass AND c.relname ~ '^score_[0-9]{1,18}$') AS o (run_id)"
					 " LEFT JOIN LATERAL (SELECT p.run_id, p.as_of, p.published_at, p.purchase_model_id FROM %s AS p"
					 " WHERE p.run_id OPERATOR(pg_catalog.=) o.run_id LIMIT 1) AS q ON true"
					 " WHERE o.run_id <> $1"
					 " AND NOT EXISTS (SELECT FROM %s AS r WHERE r.run_id OPERATOR(pg_catalog.=) o.run_id)",
					 retired, published, published, retired),
			3, types, values, NULL);
}

/* Points to the new run. */
static void
move_pointer(const RecomputePlan *plan, int64 run_id, const FittedPair *fit, TimestampTz now)
{
	char	   *published = cvm_quote(plan, "published");
	Oid			types[13] = {INT8OID, TIMESTAMPTZOID, INT8OID, INT8OID, TEXTOID, FLOAT8OID, INT8OID,
	FLOAT8OID, FLOAT8OID, FLOAT8OID, FLOAT8OID, TEXTOID, TIMESTAMPTZOID};
	char		nulls[14] = "             ";
	Datum		values[13] = {
		Int64GetDatum(run_id), TimestampTzGetDatum(plan->as_of),
		Int64GetDatum(fit->purchase_model_id), Int64GetDatum(fit->spend_model_id),
		plan->currency ? CStringGetTextDatum(plan->currency) : (Datum) 0, Float8GetDatum(plan->margin),
		Int64GetDatum(fit->retention_model_id), Float8GetDatum(plan->rate), Float8GetDatum(plan->unit_seconds),
		Float8GetDatum(plan->value_horizon), Float8GetDatum(fit->shrunk_spend.theta[2]), CStringGetTextDatum(plan->basis),
		TimestampTzGetDatum(now)
	};

	if (fit->purchase_model_id == 0)
		nulls[2] = nulls[3] = nulls[10] = 'n';
	if (plan->currency == NULL)
		nulls[4] = 'n';
	if (fit->retention_model_id == 0)
		nulls[6] = 'n';
	cvm_spi(SPI_OK_DELETE, psprintf("DELETE FROM %s", published), 0, NULL, NULL, NULL);
	cvm_spi(SPI_OK_DELETE, psprintf("DELETE FROM %s", cvm_quote(plan, "forgotten_value")), 0, NULL, NULL, NULL);
	insert_row(plan, "published",
			psprintf("INSERT INTO %s (only_row, run_id, as_of, published_at, published_xid, purchase_model_id, spend_model_id, currency, margin, retention_model_id,"
					 " rate, unit_seconds, value_horizon, mean_spend, basis)"
					 " VALUES (true, $1, $2, $13, pg_catalog.pg_current_xact_id()::pg_catalog.text::pg_catalog.int8,"
					 " $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)", published),
			13, types, values, nulls);
}

/*
 * Customers who have left a segment since the run before: what is there no longer
 * is written once, what is there still is in score.  A run as of an earlier instant
 * takes back what came after it.
 */
static void
write_stays(const RecomputePlan *plan, const Population *population)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "cvm stays", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	char	   *stay = cvm_quote(plan, "segment_stay");
	char	   *sql = psprintf("INSERT INTO %s (customer_id, segment, entered_at, left_at) VALUES ($1, $2, $3, $4)", stay);
	Oid			types[4] = {population->key.type, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum		values[4] = {TimestampTzGetDatum(plan->as_of)};
	SPIPlanPtr	insert;
	char	   *record;
	Size		size;

	if (plan->prior.as_of > plan->as_of)
		cvm_spi(SPI_OK_DELETE, psprintf("DELETE FROM %s WHERE left_at OPERATOR(pg_catalog.>) $1", stay), 1, &types[3], values, NULL);
	insert = SPI_prepare(sql, 4, types);
	if (insert == NULL)
		elog(ERROR, "could not prepare: %s", sql);
	cvm_spool_rewind(population->left);
	while ((record = cvm_spool_next(population->left, &size)) != NULL)
	{
		const CustomerLeft *left = (const CustomerLeft *) record;

		CHECK_FOR_INTERRUPTS();
		if (left->since >= plan->as_of)
			continue;
		MemoryContextReset(scratch);
		values[0] = population->key.byval ? left->key : PointerGetDatum(record + sizeof(CustomerLeft));
		values[1] = CStringGetTextDatum(cvm_names_get(population->prior_segments, left->segment));
		values[2] = TimestampTzGetDatum(left->since);
		values[3] = TimestampTzGetDatum(plan->as_of);
		if (SPI_execute_plan(insert, values, NULL, false, 0) != SPI_OK_INSERT || SPI_processed != 1)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("%s did not take a row of portfolio \"%s\"", cvm_quote(plan, "segment_stay"), plan->portfolio),
					 errhint("A trigger or rule on it keeps the row out: drop it.")));
	}
	SPI_freeplan(insert);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

void
cvm_publish(const RecomputePlan *plan, int64 run_id, const Population *population,
			const FittedPair *fit, Statement *statement, const SegmentSum *sums, int n_sums)
{
	Oid			types[1] = {TIMESTAMPTZOID};
	Datum		values[1] = {TimestampTzGetDatum(plan->as_of)};
	TimestampTz now = GetCurrentTimestamp();

	cvm_progress(run_id, "publish", 0, 3);
	cvm_spi(SPI_OK_UTILITY,
			psprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES IN ('" INT64_FORMAT "')",
					 cvm_quote(plan, "score"), cvm_quote(plan, cvm_partition_name(run_id)), run_id),
			0, NULL, NULL, NULL);
	if (statement)
		cvm_statement_write(statement, sums, n_sums);
	write_stays(plan, population);
	cvm_spi(SPI_OK_DELETE, psprintf("DELETE FROM %s WHERE as_of OPERATOR(pg_catalog.=) $1", cvm_quote(plan, "equity")),
			1, types, values, NULL);
	for (int i = 0; i < n_sums; i++)
	{
		if (i > 0 && sums[i].customers == 0)
			continue;
		write_equity(plan, &sums[i], sums[0].residual, i == 0);
		if (i > 0)
			write_segment_stat(plan, run_id, &sums[i], sums[0].residual);
		if (sums[i].renewals)
			cvm_renewal_stat_write(sums[i].renewals, plan, run_id, sums[i].segment);
	}
	cvm_progress(run_id, "publish", 1, 3);
	write_cohorts(plan, run_id, population);
	retire_others(plan, run_id, now);
	move_pointer(plan, run_id, fit, now);
	cvm_progress(run_id, "publish", 2, 3);
}

List *
cvm_views_to_refresh(const RecomputePlan *plan)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(plan->portfolio)};
	uint64		n = cvm_spi(SPI_OK_SELECT, "SELECT r FROM cvm.reports_to_refresh($1) AS r", 1, types, values, NULL);
	List	   *views = NIL;

	for (uint64 i = 0; i < n; i++)
		views = lappend(views, SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
	SPI_freetuptable(SPI_tuptable);
	return views;
}

/*
 * REFRESH ... CONCURRENTLY makes a temporary table, which a restricted operation may
 * not; it restricts the view's query itself, so our restriction (not one of the
 * caller's, whose SECURITY_... flags are given) is lifted around it alone, under our
 * search path.
 */
void
cvm_refresh_views(const RecomputePlan *plan, const List *views, int caller_context)
{
	Oid			user;
	int			context;
	ListCell   *view;

	cvm_reset_search_path();
	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(user, caller_context | SECURITY_LOCAL_USERID_CHANGE);
	foreach(view, views)
		cvm_spi(SPI_OK_UTILITY,
				psprintf("REFRESH MATERIALIZED VIEW CONCURRENTLY %s", cvm_quote(plan, (char *) lfirst(view))),
				0, NULL, NULL, NULL);
	SetUserIdAndSecContext(user, context);
}
