/*
 * publish.c: customers' rows into a partition of their own, then one pointer row
 * moved.
 *
 * Readers' views select the partition that `published` points to.  A run's
 * partition is built beside, frozen (so that a snapshot of any age that sees the
 * pointer sees the rows), and attached under a lock that readers do not notice.
 * An older snapshot still sees the older pointer and its partition, which is
 * dropped only when no snapshot can need it and no reader stands in the way.
 */
#include "engine.h"

#include <math.h>

#include "access/heapam.h"
#include "access/multixact.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "worker/shared.h"

#define BATCH_ROWS 1000
#define PATIENCE 3				/* retired runs that readers may keep from being dropped unhindered */
#define NEXT_PURCHASE_YEARS 10	/* later ones are not given a date */

/* Columns of score, by what the writer puts there. */
typedef enum ScoreColumn
{
	COL_RUN_ID, COL_CUSTOMER_ID, COL_HISTORY, COL_STATUS, COL_METHOD,
	COL_P_ALIVE, COL_P_NO_PURCHASE, COL_EXPECTED_PURCHASES, COL_EXPECTED_SPEND,
	COL_RESIDUAL_VALUE, COL_RESIDUAL_LOW, COL_RESIDUAL_HIGH, COL_VALUE_AT_RISK,
	COL_NEXT_PURCHASE_ON, COL_DAYS_SILENT, COL_IS_LAPSED, COL_REALISED_VALUE,
	COL_RECENCY_SCORE, COL_FREQUENCY_SCORE, COL_MONETARY_SCORE, COL_SEGMENT, COL_SINCE,
	N_SCORE_COLUMNS
} ScoreColumn;

static const char *const column_names[N_SCORE_COLUMNS] = {
	"run_id", "customer_id", "history", "status", "method",
	"p_alive", "p_no_purchase", "expected_purchases", "expected_spend",
	"residual_value", "residual_low", "residual_high", "value_at_risk",
	"next_purchase_on", "days_silent", "is_lapsed", "realised_value",
	"recency_score", "frequency_score", "monetary_score", "segment", "since"
};

typedef struct Writer
{
	const RecomputePlan *plan;
	const Population *population;
	int64		run_id;
	Relation	relation;
	int			attribute[N_SCORE_COLUMNS]; /* 0-based */
	TupleTableSlot *slots[BATCH_ROWS];
	int			n;
	BulkInsertState bulk;
	CommandId	command;
	MemoryContext batch;		/* datums of the slots, reset when they are written */
	SegmentRules *rules;
	Datum	   *segment_texts;
	Datum		status_texts[8];
	const char *status_names[8];
	int			n_statuses;
	int64		as_of_day;		/* local day, from 2000-01-01 */
} Writer;

/* ---------- the partition ---------- */

static char *
partition_name(int64 run_id)
{
	return psprintf("score_" INT64_FORMAT, run_id);
}

/*
 * A table like score that may be attached without a scan: its constraint implies
 * the partition's.
 */
static Relation
create_partition(const RecomputePlan *plan, int64 run_id)
{
	char	   *name = partition_name(run_id);

	cvm_spi(SPI_OK_UTILITY,
			psprintf("CREATE TABLE %s (LIKE %s INCLUDING COMMENTS,"
					 " CONSTRAINT cvm_run CHECK (run_id IS NOT NULL AND run_id = '" INT64_FORMAT "'::pg_catalog.int8))"
					 " WITH (autovacuum_enabled = on)",
					 cvm_quote(plan, name), cvm_quote(plan, "score"), run_id),
			0, NULL, NULL, NULL);
	CommandCounterIncrement();
	return table_open(get_relname_relid(name, get_namespace_oid(plan->output_schema, false)), RowExclusiveLock);
}

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

static void
index_partition(const RecomputePlan *plan, const Population *population, int64 run_id)
{
	TypeCacheEntry *type = lookup_type_cache(population->key.type, TYPECACHE_BTREE_OPFAMILY);
	char	   *table = cvm_quote(plan, partition_name(run_id));

	cvm_spi(SPI_OK_UTILITY,
			psprintf(OidIsValid(type->btree_opf)
					 ? "CREATE UNIQUE INDEX ON %s (customer_id)"
					 : "CREATE INDEX ON %s USING hash (customer_id)", table),
			0, NULL, NULL, NULL);
	cvm_spi(SPI_OK_UTILITY, psprintf("ANALYZE %s", table), 0, NULL, NULL, NULL);
}

/* ---------- writing rows ---------- */

static Writer *
writer_new(const RecomputePlan *plan, int64 run_id, const Population *population)
{
	Writer	   *writer = palloc0(sizeof(Writer));
	TupleDesc	desc;
	Timestamp	local = cvm_local_of(&plan->calendar, plan->as_of);

	writer->plan = plan;
	writer->population = population;
	writer->run_id = run_id;
	writer->relation = create_partition(plan, run_id);
	desc = RelationGetDescr(writer->relation);
	for (int i = 0; i < N_SCORE_COLUMNS; i++)
	{
		writer->attribute[i] = SPI_fnumber(desc, column_names[i]) - 1;
		if (writer->attribute[i] < 0)
			elog(ERROR, "relation score has no column \"%s\"", column_names[i]);
	}
	writer->bulk = GetBulkInsertState();
	writer->command = GetCurrentCommandId(true);
	writer->batch = AllocSetContextCreate(CurrentMemoryContext, "cvm batch", ALLOCSET_DEFAULT_SIZES);
	writer->as_of_day = local >= 0 ? local / USECS_PER_DAY : -((-local + USECS_PER_DAY - 1) / USECS_PER_DAY);
	writer->rules = cvm_segment_rules_load(plan, writer->relation);
	writer->segment_texts = palloc(sizeof(Datum) * cvm_segment_count(writer->rules));
	for (int i = 0; i < cvm_segment_count(writer->rules); i++)
		writer->segment_texts[i] = CStringGetTextDatum(cvm_segment_name(writer->rules, i));
	return writer;
}

static void
flush(Writer *writer)
{
	if (writer->n == 0)
		return;
	table_multi_insert(writer->relation, writer->slots, writer->n, writer->command,
					   TABLE_INSERT_FROZEN | TABLE_INSERT_SKIP_FSM, writer->bulk);
	for (int i = 0; i < writer->n; i++)
		ExecClearTuple(writer->slots[i]);
	writer->n = 0;
	MemoryContextReset(writer->batch);
}

static void
writer_close(Writer *writer)
{
	flush(writer);
	FreeBulkInsertState(writer->bulk);
	table_finish_bulk_insert(writer->relation, TABLE_INSERT_FROZEN | TABLE_INSERT_SKIP_FSM);
	for (int i = 0; i < BATCH_ROWS; i++)
		if (writer->slots[i])
			ExecDropSingleTupleTableSlot(writer->slots[i]);
	cvm_segment_rules_free(writer->rules);
	table_close(writer->relation, NoLock);
}

/* The few status and method words are made once. */
static Datum
word(Writer *writer, const char *name)
{
	for (int i = 0; i < writer->n_statuses; i++)
		if (strcmp(writer->status_names[i], name) == 0)
			return writer->status_texts[i];
	Assert(writer->n_statuses < (int) lengthof(writer->status_texts));
	{
		MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(writer));

		writer->status_texts[writer->n_statuses] = CStringGetTextDatum(name);
		MemoryContextSwitchTo(old);
	}
	writer->status_names[writer->n_statuses] = name;
	return writer->status_texts[writer->n_statuses++];
}

Datum
cvm_record_key(const Population *population, const CustomerRecord *record)
{
	return population->key.byval ? record->key : PointerGetDatum((const char *) record + sizeof(CustomerRecord));
}

static void
set(const Writer *writer, TupleTableSlot *slot, ScoreColumn column, Datum value)
{
	slot->tts_values[writer->attribute[column]] = value;
	slot->tts_isnull[writer->attribute[column]] = false;
}

static void
set_float(const Writer *writer, TupleTableSlot *slot, ScoreColumn column, double value)
{
	if (!isfinite(value))
		elog(ERROR, "column \"%s\" would be %g", column_names[column], value);
	set(writer, slot, column, Float8GetDatum(value));
}

static void
set_purchases(Writer *writer, TupleTableSlot *slot, const CustomerValue *value)
{
	double		days = value->next_purchase * writer->plan->unit_seconds / 86400;

	set_float(writer, slot, COL_P_ALIVE, value->p_alive);
	set_float(writer, slot, COL_P_NO_PURCHASE, value->p_no_purchase);
	set_float(writer, slot, COL_EXPECTED_PURCHASES, value->expected_purchases);
	if (days <= NEXT_PURCHASE_YEARS * 365.25)
		set(writer, slot, COL_NEXT_PURCHASE_ON, DateADTGetDatum((DateADT) (writer->as_of_day + (int64) ceil(days))));
	set(writer, slot, COL_DAYS_SILENT, Int32GetDatum(value->days_silent));
	if (value->is_lapsed >= 0)
		set(writer, slot, COL_IS_LAPSED, BoolGetDatum(value->is_lapsed > 0));
	set(writer, slot, COL_RECENCY_SCORE, Int16GetDatum(value->recency_score));
	set(writer, slot, COL_FREQUENCY_SCORE, Int16GetDatum(value->frequency_score));
	set(writer, slot, COL_MONETARY_SCORE, Int16GetDatum(value->monetary_score));
}

static void
set_money(Writer *writer, TupleTableSlot *slot, const CustomerValue *value)
{
	set_float(writer, slot, COL_EXPECTED_SPEND, value->expected_spend);
	set_float(writer, slot, COL_RESIDUAL_VALUE, value->residual_value);
	set_float(writer, slot, COL_VALUE_AT_RISK, value->value_at_risk);
	if (writer->plan->predictive_interval)
	{
		set_float(writer, slot, COL_RESIDUAL_LOW, value->residual_low);
		set_float(writer, slot, COL_RESIDUAL_HIGH, value->residual_high);
	}
}

/* Since when the customer is in this segment: kept from run to run while it stays. */
static TimestampTz
member_since(const Writer *writer, const CustomerRecord *record, int segment)
{
	const Population *population = writer->population;

	if (record->prior_segment >= 0 &&
		strcmp(population->prior_segments[record->prior_segment],
			   cvm_segment_name(writer->rules, segment)) == 0 &&
		record->prior_since < writer->plan->as_of)
		return record->prior_since;
	return writer->plan->as_of;
}

/* Fills the next slot; returns the customer's segment. */
static int
write_customer(Writer *writer, const CustomerRecord *record, const CustomerValue *value)
{
	TupleTableSlot *slot = writer->slots[writer->n];
	MemoryContext old;
	int			segment;
	PurchaseHistory *history;

	if (slot == NULL)
		slot = writer->slots[writer->n] = table_slot_create(writer->relation, NULL);
	old = MemoryContextSwitchTo(writer->batch);
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, sizeof(bool) * slot->tts_tupleDescriptor->natts);
	history = palloc(sizeof(PurchaseHistory));
	memcpy(history, &record->history, sizeof(PurchaseHistory));
	set(writer, slot, COL_RUN_ID, Int64GetDatum(writer->run_id));
	set(writer, slot, COL_CUSTOMER_ID,
		datumCopy(cvm_record_key(writer->population, record),
				  writer->population->key.byval, writer->population->key.typlen));
	set(writer, slot, COL_HISTORY, PointerGetDatum(history));
	set(writer, slot, COL_STATUS, word(writer, value->status));
	if (value->method)
		set(writer, slot, COL_METHOD, word(writer, value->method));
	if (value->scored)
		set_purchases(writer, slot, value);
	if (value->valued)
		set_money(writer, slot, value);
	set(writer, slot, COL_REALISED_VALUE, NumericGetDatum(int64_div_fast_to_numeric(value->realised, 4)));
	ExecStoreVirtualTuple(slot);
	segment = cvm_segment_of(writer->rules, slot);
	set(writer, slot, COL_SEGMENT, writer->segment_texts[segment]);
	set(writer, slot, COL_SINCE, TimestampTzGetDatum(member_since(writer, record, segment)));
	MemoryContextSwitchTo(old);
	if (++writer->n == BATCH_ROWS)
		flush(writer);
	return segment;
}

/* ---------- sums ---------- */

/* Neumaier's compensated sum (1974): the order of customers does not show. */
static void
add(double *sum, double *low, double value)
{
	double		total = *sum + value;

	*low += fabs(*sum) >= fabs(value) ? (*sum - total) + value : (value - total) + *sum;
	*sum = total;
}

static void
add_customer(SegmentSum *sum, const CustomerRecord *record, const CustomerValue *value)
{
	sum->customers++;
	sum->realised += value->realised;
	sum->orders += record->history.orders;
	add(&sum->money, &sum->money_low, cvm_history_total(&record->history));
	if (value->scored)
	{
		sum->scored++;
		add(&sum->expected_active, &sum->expected_active_low, value->p_alive);
	}
	if (value->valued)
	{
		add(&sum->residual, &sum->residual_low, value->residual_value);
		add(&sum->variance, &sum->variance_low, value->residual_variance);
	}
}

static void
finish_sum(SegmentSum *sum)
{
	sum->expected_active += sum->expected_active_low;
	sum->residual += sum->residual_low;
	sum->variance += sum->variance_low;
	sum->money += sum->money_low;
}

static void
score_all(Writer *writer, Population *population, Valuer *valuer, SegmentSum *sums)
{
	char	   *record;
	Size		size;
	int64		done = 0;

	cvm_spool_rewind(population->customers);
	while ((record = cvm_spool_next(population->customers, &size)) != NULL)
	{
		const CustomerRecord *customer = (const CustomerRecord *) record;
		CustomerValue value;
		int			segment;

		CHECK_FOR_INTERRUPTS();
		cvm_value(valuer, customer, &value);
		segment = write_customer(writer, customer, &value);
		add_customer(&sums[0], customer, &value);
		add_customer(&sums[segment + 1], customer, &value);
		if (++done % 16384 == 0)
			cvm_progress(writer->run_id, "score", done, population->n_customers);
	}
}

SegmentSum *
cvm_score_customers(const RecomputePlan *plan, int64 run_id, Population *population,
					const FittedPair *fit, MemoryContext context, int *n_sums)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "cvm score", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	Writer	   *writer;
	Valuer	   *valuer;
	SegmentSum *sums;

	cvm_progress(run_id, "score", 0, population->n_customers);
	PushActiveSnapshot(GetTransactionSnapshot());	/* for predicates that look at a catalogue */
	writer = writer_new(plan, run_id, population);
	valuer = cvm_valuer_new(plan, population, fit, scratch);
	*n_sums = cvm_segment_count(writer->rules) + 1;
	sums = MemoryContextAllocZero(context, sizeof(SegmentSum) * *n_sums);
	for (int i = 0; i < *n_sums; i++)
		sums[i].segment = MemoryContextStrdup(context, i == 0 ? "all" : cvm_segment_name(writer->rules, i - 1));
	score_all(writer, population, valuer, sums);
	for (int i = 0; i < *n_sums; i++)
		finish_sum(&sums[i]);
	cvm_valuer_free(valuer);
	writer_close(writer);
	PopActiveSnapshot();
	index_partition(plan, population, run_id);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	return sums;
}

/* ---------- publishing ---------- */

static Datum
money_numeric(int128 ten_thousandths)
{
	return cvm_numeric_from_int128(ten_thousandths, 4);
}

static void
write_equity(const RecomputePlan *plan, const SegmentSum *sum, double total, bool is_total)
{
	char	   *sql = psprintf("INSERT INTO %s (as_of, segment, is_total, customers, expected_active, realised_value,"
							   " residual_value, residual_low, residual_high, lifetime_value, equity_share)"
							   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $6::pg_catalog.float8 + $7, $10)",
							   cvm_quote(plan, "equity"));
	Oid			types[10] = {TIMESTAMPTZOID, TEXTOID, BOOLOID, INT8OID, FLOAT8OID, NUMERICOID,
	FLOAT8OID, FLOAT8OID, FLOAT8OID, FLOAT8OID};
	char		nulls[11] = "          ";
	Datum		values[10] = {
		TimestampTzGetDatum(plan->as_of), CStringGetTextDatum(sum->segment), BoolGetDatum(is_total),
		Int64GetDatum(sum->customers), Float8GetDatum(sum->expected_active), money_numeric(sum->realised),
		Float8GetDatum(sum->residual),
		Float8GetDatum(cvm_sum_quantile(sum->residual, sum->variance, 0.05)),
		Float8GetDatum(cvm_sum_quantile(sum->residual, sum->variance, 0.95)),
		Float8GetDatum(total > 0 ? sum->residual / total : 0)
	};

	if (!plan->predictive_interval)
		nulls[7] = nulls[8] = 'n';
	if (!(total > 0))
		nulls[9] = 'n';
	cvm_spi(SPI_OK_INSERT, sql, 10, types, values, nulls);
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
	cvm_spi(SPI_OK_INSERT, sql, 8, types, values, nulls);
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

		if (SPI_execute_plan(insert, values, NULL, false, 0) != SPI_OK_INSERT)
			elog(ERROR, "could not insert into %s", cvm_quote(plan, "cohort_cell"));
	}
}

static void
write_cohorts(const RecomputePlan *plan, int64 run_id, const Population *population)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "cvm cohorts", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	char	   *sql = psprintf("INSERT INTO %s (run_id, cohort_on, age_periods, customers, active, value)"
							   " VALUES ($1, $2, $3, $4, $5, pg_catalog.round($6 * $7::pg_catalog.numeric, 4))",
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

/* Notes the run that is being replaced, then points to the new one. */
static void
move_pointer(const RecomputePlan *plan, int64 run_id, const FittedPair *fit)
{
	char	   *published = cvm_quote(plan, "published");
	Oid			types[6] = {INT8OID, TIMESTAMPTZOID, INT8OID, INT8OID, TEXTOID, FLOAT8OID};
	char		nulls[7] = "      ";
	Datum		values[6] = {
		Int64GetDatum(run_id), TimestampTzGetDatum(plan->as_of),
		Int64GetDatum(fit->purchase_model_id), Int64GetDatum(fit->spend_model_id),
		plan->currency ? CStringGetTextDatum(plan->currency) : (Datum) 0, Float8GetDatum(plan->margin)
	};

	if (plan->currency == NULL)
		nulls[4] = 'n';
	cvm_spi(SPI_OK_INSERT,
			psprintf("INSERT INTO %s (run_id, replaced_by_xid) SELECT run_id, pg_catalog.pg_current_xact_id()::pg_catalog.text::pg_catalog.int8 FROM %s",
					 cvm_quote(plan, "retired_run"), published),
			0, NULL, NULL, NULL);
	cvm_spi(SPI_OK_DELETE, psprintf("DELETE FROM %s", published), 0, NULL, NULL, NULL);
	cvm_spi(SPI_OK_INSERT,
			psprintf("INSERT INTO %s (only_row, run_id, as_of, published_at, published_xid, purchase_model_id, spend_model_id, currency, margin)"
					 " VALUES (true, $1, $2, pg_catalog.clock_timestamp(), pg_catalog.pg_current_xact_id()::pg_catalog.text::pg_catalog.int8,"
					 " $3, $4, $5, $6)", published),
			6, types, values, nulls);
}

void
cvm_publish(const RecomputePlan *plan, int64 run_id, const Population *population,
			const FittedPair *fit, const SegmentSum *sums, int n_sums)
{
	Oid			types[1] = {TIMESTAMPTZOID};
	Datum		values[1] = {TimestampTzGetDatum(plan->as_of)};

	cvm_progress(run_id, "publish", 0, 3);
	cvm_spi(SPI_OK_UTILITY,
			psprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES IN ('" INT64_FORMAT "')",
					 cvm_quote(plan, "score"), cvm_quote(plan, partition_name(run_id)), run_id),
			0, NULL, NULL, NULL);
	cvm_spi(SPI_OK_DELETE, psprintf("DELETE FROM %s WHERE as_of = $1", cvm_quote(plan, "equity")),
			1, types, values, NULL);
	for (int i = 0; i < n_sums; i++)
	{
		if (i > 0 && sums[i].customers == 0)
			continue;
		write_equity(plan, &sums[i], sums[0].residual, i == 0);
		if (i > 0)
			write_segment_stat(plan, run_id, &sums[i], sums[0].residual);
	}
	cvm_progress(run_id, "publish", 1, 3);
	write_cohorts(plan, run_id, population);
	move_pointer(plan, run_id, fit);
	cvm_progress(run_id, "publish", 2, 3);
}

void
cvm_refresh_views(const RecomputePlan *plan)
{
	static const char *const views[] = {"segment_summary", "cohort_retention"};

	for (int i = 0; i < (int) lengthof(views); i++)
		cvm_spi(SPI_OK_UTILITY,
				psprintf("REFRESH MATERIALIZED VIEW CONCURRENTLY %s", cvm_quote(plan, views[i])),
				0, NULL, NULL, NULL);
}

/* ---------- dropping old runs ---------- */

/*
 * A run may go when the transaction that replaced it is visible to every
 * snapshot.  An identifier from the future comes from a restored dump.
 */
static bool
nobody_needs(const RecomputePlan *plan, int64 replaced_by_xid)
{
	Relation	relation = table_open(get_relname_relid("retired_run", get_namespace_oid(plan->output_schema, false)),
									  AccessShareLock);
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

/*
 * Readers in the way are left alone, unless they have been in the way of several
 * runs: then new ones wait for at most 20 ms, in which short ones end.
 */
static void
drop_run(const RecomputePlan *plan, int64 run_id, bool insist)
{
	static const char *const run_keyed[] = {"segment_stat", "cohort_cell", "retired_run"};
	char	   *partition = partition_name(run_id);
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {Int64GetDatum(run_id)};

	if (OidIsValid(get_relname_relid(partition, get_namespace_oid(plan->output_schema, false))))
	{
		if (insist)
			cvm_spi(SPI_OK_UTILITY, "SET LOCAL lock_timeout = '20ms'", 0, NULL, NULL, NULL);
		cvm_spi(SPI_OK_UTILITY,
				psprintf("LOCK TABLE ONLY %s, %s IN ACCESS EXCLUSIVE MODE%s", cvm_quote(plan, "score"),
						 cvm_quote(plan, partition), insist ? "" : " NOWAIT"),
				0, NULL, NULL, NULL);
		cvm_spi(SPI_OK_UTILITY, psprintf("DROP TABLE %s", cvm_quote(plan, partition)), 0, NULL, NULL, NULL);
	}
	for (int i = 0; i < (int) lengthof(run_keyed); i++)
		cvm_spi(SPI_OK_DELETE, psprintf("DELETE FROM %s WHERE run_id = $1", cvm_quote(plan, run_keyed[i])),
				1, types, values, NULL);
}

/*
 * Tries to drop one run in a subtransaction.  The new run is published and
 * recorded by now: whatever is in the way of the old one, somebody's own view of
 * its partition, say, is worth a warning and no more.
 */
static void
try_drop(const RecomputePlan *plan, int64 run_id, bool insist)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		drop_run(plan, run_id, insist);
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
		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
			ereport(WARNING,
					(errcode(error->sqlerrcode),
					 errmsg("run " INT64_FORMAT " of portfolio \"%s\" was replaced but could not be dropped: %s",
							run_id, plan->portfolio, error->message),
					 error->detail ? errdetail_internal("%s", error->detail) : 0,
					 errhint("The next recompute tries again.")));
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
}

/* Tries the oldest retired run above *after, which becomes that run; false if there is none. */
bool
cvm_drop_retired(const RecomputePlan *plan, int64 *after)
{
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {Int64GetDatum(*after)};
	bool		isnull;
	int64		replaced;
	int64		waiting;

	if (cvm_spi(SPI_OK_SELECT,
				psprintf("SELECT run_id, replaced_by_xid, pg_catalog.count(*) OVER () FROM %s WHERE run_id > $1 ORDER BY run_id LIMIT 1",
						 cvm_quote(plan, "retired_run")),
				1, types, values, NULL) != 1)
		return false;
	*after = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	replaced = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
	waiting = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3, &isnull));
	SPI_freetuptable(SPI_tuptable);
	if (nobody_needs(plan, replaced))
		try_drop(plan, *after, waiting > PATIENCE);
	return true;
}
