/*
 * partition.c: a run's customers into a partition of score of their own.
 *
 * The partition is built beside score, frozen (so that a snapshot of any age that
 * sees it attached sees its rows), and attached by publish.c.  Rows are written
 * past the executor, by column type: score is its owner's, who may have altered
 * it, so every column is held against what the writer puts there.
 */
#include "engine.h"
#include "renewal_stat.h"

#include <math.h>

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "recompute/statement.h"
#include "worker/shared.h"

#define BATCH_ROWS 1000
#define NEXT_PURCHASE_YEARS 10	/* later ones are not given a date */

/* Columns of score, by what the writer puts there. */
typedef enum ScoreColumn
{
	COL_RUN_ID, COL_CUSTOMER_ID, COL_HISTORY, COL_STATUS, COL_METHOD,
	COL_P_ALIVE, COL_P_NO_PURCHASE, COL_EXPECTED_PURCHASES, COL_EXPECTED_SPEND,
	COL_RESIDUAL_VALUE, COL_RESIDUAL_LOW, COL_RESIDUAL_HIGH, COL_VALUE_AT_RISK,
	COL_NEXT_PURCHASE_ON, COL_DAYS_SILENT, COL_IS_LAPSED, COL_REALISED_VALUE,
	COL_RECENCY_SCORE, COL_FREQUENCY_SCORE, COL_MONETARY_SCORE, COL_SEGMENT, COL_SINCE,
	COL_SUBSCRIPTIONS, COL_CONTRACT_MODEL_ID, COL_PURCHASE_WEIGHT, COL_LIFECYCLE_STAGE, COL_CHANGES,
	N_SCORE_COLUMNS
} ScoreColumn;

typedef struct ColumnSpec
{
	const char *name;
	Oid			type;			/* InvalidOid: not built in, see expected_type */
	int32		typmod;
	bool		always;			/* has a value in every row */
} ColumnSpec;

static const ColumnSpec columns[N_SCORE_COLUMNS] = {
	[COL_RUN_ID] = {"run_id", INT8OID, -1, true},
	[COL_CUSTOMER_ID] = {"customer_id", InvalidOid, -1, true},
	[COL_HISTORY] = {"history", InvalidOid, -1, true},
	[COL_STATUS] = {"status", TEXTOID, -1, true},
	[COL_METHOD] = {"method", TEXTOID, -1, false},
	[COL_P_ALIVE] = {"p_alive", FLOAT8OID, -1, false},
	[COL_P_NO_PURCHASE] = {"p_no_purchase", FLOAT8OID, -1, false},
	[COL_EXPECTED_PURCHASES] = {"expected_purchases", FLOAT8OID, -1, false},
	[COL_EXPECTED_SPEND] = {"expected_spend", FLOAT8OID, -1, false},
	[COL_RESIDUAL_VALUE] = {"residual_value", FLOAT8OID, -1, false},
	[COL_RESIDUAL_LOW] = {"residual_low", FLOAT8OID, -1, false},
	[COL_RESIDUAL_HIGH] = {"residual_high", FLOAT8OID, -1, false},
	[COL_VALUE_AT_RISK] = {"value_at_risk", FLOAT8OID, -1, false},
	[COL_NEXT_PURCHASE_ON] = {"next_purchase_on", DATEOID, -1, false},
	[COL_DAYS_SILENT] = {"days_silent", INT4OID, -1, false},
	[COL_IS_LAPSED] = {"is_lapsed", BOOLOID, -1, false},
	[COL_REALISED_VALUE] = {"realised_value", NUMERICOID, (19 << 16) + 4 + VARHDRSZ, true},
	[COL_RECENCY_SCORE] = {"recency_score", INT2OID, -1, false},
	[COL_FREQUENCY_SCORE] = {"frequency_score", INT2OID, -1, false},
	[COL_MONETARY_SCORE] = {"monetary_score", INT2OID, -1, false},
	[COL_SEGMENT] = {"segment", TEXTOID, -1, true},
	[COL_SINCE] = {"since", TIMESTAMPTZOID, -1, true},
	[COL_SUBSCRIPTIONS] = {"subscriptions", INT4OID, -1, false},
	[COL_CONTRACT_MODEL_ID] = {"contract_model_id", INT8OID, -1, false},
	[COL_PURCHASE_WEIGHT] = {"purchase_weight", FLOAT8OID, -1, false},
	[COL_LIFECYCLE_STAGE] = {"lifecycle_stage", TEXTOID, -1, false},
	[COL_CHANGES] = {"changes", FLOAT8ARRAYOID, -1, false}
};

typedef struct Writer
{
	const RecomputePlan *plan;
	Population *population;
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
	Datum		status_texts[16];
	const char *status_names[16];
	int			n_statuses;
	int64		as_of_day;		/* local day, from 2000-01-01 */
	int64		contract_model_id;
} Writer;

/* ---------- columns of score ---------- */

static const char remake_hint[] = "Change it back, or drop the portfolio with cvm.drop_portfolio and create it again.";

static Oid
expected_type(ScoreColumn column, Oid customer_type)
{
	if (column == COL_CUSTOMER_ID)
		return customer_type;
	return column == COL_HISTORY ? cvm_type_oid("purchase_history") : columns[column].type;
}

static void
check_column_type(const RecomputePlan *plan, ScoreColumn column, Oid type, int32 typmod, Oid customer_type)
{
	Oid			expected = expected_type(column, customer_type);

	if (type == expected && typmod == columns[column].typmod)
		return;
	if (column == COL_CUSTOMER_ID && type != expected)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("the customer column of portfolio \"%s\" is now of type %s, its output has %s",
						plan->portfolio, format_type_be(expected), format_type_be(type)),
				 errhint("Drop the portfolio with cvm.drop_portfolio and create it again, or map a view that casts the column back.")));
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of %s is of type %s instead of %s", columns[column].name, cvm_quote(plan, "score"),
					format_type_with_typemod(type, typmod), format_type_with_typemod(expected, columns[column].typmod)),
			 errhint("%s", remake_hint)));
}

void
cvm_check_score_column(const RecomputePlan *plan, const char *name, Oid type, int32 typmod, Oid customer_type)
{
	for (ScoreColumn column = 0; column < N_SCORE_COLUMNS; column++)
		if (strcmp(columns[column].name, name) == 0)
		{
			check_column_type(plan, column, type, typmod, customer_type);
			return;
		}
	elog(ERROR, "score has no column \"%s\"", name);
}

/* The column that the writer puts there; -1 for one of the owner's. */
static int
column_of(Form_pg_attribute attribute)
{
	for (int i = 0; i < N_SCORE_COLUMNS; i++)
		if (strcmp(columns[i].name, NameStr(attribute->attname)) == 0)
			return i;
	return -1;
}

/*
 * Where the writer's columns are, 0-based.  A column that may have no value must
 * not be NOT NULL, since rows are written past the constraints.
 */
static void
find_columns(const RecomputePlan *plan, TupleDesc desc, Oid customer_type, int attribute[N_SCORE_COLUMNS])
{
	memset(attribute, -1, sizeof(int) * N_SCORE_COLUMNS);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute found = TupleDescAttr(desc, i);
		int			column = found->attisdropped ? -1 : column_of(found);

		if (column >= 0)
		{
			check_column_type(plan, column, found->atttypid, found->atttypmod, customer_type);
			attribute[column] = i;
		}
		if (!found->attisdropped && found->attnotnull && (column < 0 || !columns[column].always))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column \"%s\" of %s is NOT NULL, but a recompute may leave it without a value",
							NameStr(found->attname), cvm_quote(plan, "score")),
					 errhint("ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL;", cvm_quote(plan, "score"),
							 quote_identifier(NameStr(found->attname)))));
	}
	for (int i = 0; i < N_SCORE_COLUMNS; i++)
		if (attribute[i] < 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("%s has no column \"%s\"", cvm_quote(plan, "score"), columns[i].name),
					 errdetail("It must be of type %s.",
							   format_type_with_typemod(expected_type(i, customer_type), columns[i].typmod)),
					 errhint("%s", remake_hint)));
}

void
cvm_check_score(const RecomputePlan *plan, TupleDesc desc, Oid customer_type)
{
	int			attribute[N_SCORE_COLUMNS];

	find_columns(plan, desc, customer_type, attribute);
}

/* ---------- the partition ---------- */

char *
cvm_partition_name(int64 run_id)
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
	char	   *name = cvm_partition_name(run_id);
	Relation	partition;

	cvm_spi(SPI_OK_UTILITY,
			psprintf("CREATE TABLE %s (LIKE %s INCLUDING COMMENTS,"
					 " CONSTRAINT cvm_run CHECK (run_id IS NOT NULL AND run_id OPERATOR(pg_catalog.=) '" INT64_FORMAT "'::pg_catalog.int8))"
					 " USING heap WITH (autovacuum_enabled = on)",
					 cvm_quote(plan, name), cvm_quote(plan, "score"), run_id),
			0, NULL, NULL, NULL);
	CommandCounterIncrement();
	partition = table_open(get_relname_relid(name, get_namespace_oid(plan->output_schema, false)), RowExclusiveLock);
	if (partition->rd_createSubid == InvalidSubTransactionId)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("%s was replaced while it was made", cvm_quote(plan, name))));
	return partition;
}

static void
index_partition(const RecomputePlan *plan, const Population *population, int64 run_id)
{
	TypeCacheEntry *type = lookup_type_cache(population->key.type, TYPECACHE_BTREE_OPFAMILY);
	char	   *table = cvm_quote(plan, cvm_partition_name(run_id));

	cvm_spi(SPI_OK_UTILITY,
			psprintf(OidIsValid(type->btree_opf)
					 ? "CREATE UNIQUE INDEX ON %s (customer_id)"
					 : "CREATE INDEX ON %s USING hash (customer_id)", table),
			0, NULL, NULL, NULL);
	cvm_spi(SPI_OK_UTILITY, psprintf("ANALYZE %s", table), 0, NULL, NULL, NULL);
}

/* ---------- writing rows ---------- */

static Writer *
writer_new(const RecomputePlan *plan, int64 run_id, Population *population, int64 contract_model_id)
{
	Writer	   *writer = palloc0(sizeof(Writer));

	writer->plan = plan;
	writer->population = population;
	writer->run_id = run_id;
	writer->contract_model_id = contract_model_id;
	writer->relation = create_partition(plan, run_id);
	find_columns(plan, RelationGetDescr(writer->relation), population->key.type, writer->attribute);
	writer->bulk = GetBulkInsertState();
	writer->command = GetCurrentCommandId(true);
	writer->batch = AllocSetContextCreate(CurrentMemoryContext, "cvm batch", ALLOCSET_DEFAULT_SIZES);
	writer->as_of_day = cvm_local_day(plan, plan->as_of);
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
		elog(ERROR, "column \"%s\" would be %g", columns[column].name, value);
	set(writer, slot, column, Float8GetDatum(value));
}

static void
set_purchases(Writer *writer, TupleTableSlot *slot, const CustomerValue *value)
{
	double		days = ceil(value->next_purchase * writer->plan->unit_seconds / 86400);

	if (value->next_renewal > 0)
		days = Min(days, value->next_renewal);
	set_float(writer, slot, COL_P_ALIVE, value->p_alive);
	set_float(writer, slot, COL_P_NO_PURCHASE, value->p_no_purchase);
	set_float(writer, slot, COL_EXPECTED_PURCHASES, value->expected_purchases);
	if (days <= NEXT_PURCHASE_YEARS * 365.25)
		set(writer, slot, COL_NEXT_PURCHASE_ON, DateADTGetDatum((DateADT) (writer->as_of_day + (int64) days)));
	set(writer, slot, COL_DAYS_SILENT, Int32GetDatum(value->days_silent));
	if (value->is_lapsed >= 0)
		set(writer, slot, COL_IS_LAPSED, BoolGetDatum(value->is_lapsed > 0));
}

static void
set_rfm(const Writer *writer, TupleTableSlot *slot, const CustomerValue *value)
{
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
	if (value->has_interval)
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
		strcmp(cvm_names_get(population->prior_segments, record->prior_segment),
			   cvm_segment_name(writer->rules, segment)) == 0 &&
		record->prior_since < writer->plan->as_of)
		return record->prior_since;
	return writer->plan->as_of;
}

/* For cvm.explain: opening value, causes, closing value. */
static Datum
changes_array(const EquityChange *change)
{
	Datum		values[CVM_N_CAUSES + 2];

	values[0] = Float8GetDatum(change->opening);
	for (int i = 0; i < CVM_N_CAUSES; i++)
		values[i + 1] = Float8GetDatum(change->cause[i]);
	values[CVM_N_CAUSES + 1] = Float8GetDatum(change->closing);
	return PointerGetDatum(construct_array(values, CVM_N_CAUSES + 2, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* Fills the next slot; returns the customer's segment. */
static int
write_customer(Writer *writer, const CustomerRecord *record, Size size, const CustomerValue *value, Statement *statement)
{
	TupleTableSlot *slot = writer->slots[writer->n];
	MemoryContext old;
	int			segment;
	TimestampTz since;
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
	if (value->recency_score > 0)
		set_rfm(writer, slot, value);
	if (value->subscriptions >= 0)
	{
		set(writer, slot, COL_SUBSCRIPTIONS, Int32GetDatum(value->subscriptions));
		set_float(writer, slot, COL_PURCHASE_WEIGHT, value->purchase_weight);
	}
	if (value->lifecycle_stage)
		set(writer, slot, COL_LIFECYCLE_STAGE, word(writer, value->lifecycle_stage));
	if (value->contracts_alone)
		set(writer, slot, COL_CONTRACT_MODEL_ID, Int64GetDatum(writer->contract_model_id));
	set(writer, slot, COL_REALISED_VALUE, NumericGetDatum(int64_div_fast_to_numeric(value->realised, 4)));
	ExecStoreVirtualTuple(slot);
	segment = cvm_segment_of(writer->rules, slot);
	set(writer, slot, COL_SEGMENT, writer->segment_texts[segment]);
	since = member_since(writer, record, segment);
	set(writer, slot, COL_SINCE, TimestampTzGetDatum(since));
	if (record->prior_segment >= 0 && record->prior_since < since)
		cvm_add_left(writer->population, cvm_record_key(writer->population, record), record->prior_segment, record->prior_since);
	if (statement)
	{
		EquityChange change;

		cvm_statement_add(statement, record, size, value->valued ? value->residual_value : 0,
						  cvm_segment_name(writer->rules, segment), &change);
		set(writer, slot, COL_CHANGES, changes_array(&change));
	}
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

/*
 * A number in (0, 1) that is the customer's own from run to run, of how his key is
 * stored: which customers stand for the others in the interval of a sum.
 */
static double
customer_chance(const Population *population, const CustomerRecord *record)
{
	uint32		hash = datum_image_hash(cvm_record_key(population, record), population->key.byval, population->key.typlen);

	return (murmurhash32(hash) + 0.5) / 4294967296.0;
}

static void
add_customer(SegmentSum *sum, const CustomerRecord *record, const CustomerValue *value, double chance)
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
		sum->without_interval += !value->has_interval;
		if (sum->total)
			cvm_total_add(sum->total, &value->stake, chance);
	}
}

/* The interval of the sum, where that of every customer is known. */
static void
finish_interval(SegmentSum *sum, const cvm_outlook *outlook)
{
	double		parameter_variance = cvm_total_parameter_variance(sum->total);

	CHECK_FOR_INTERRUPTS();
	sum->predictive_error = sqrt(fmax(cvm_sum_value(&sum->total->variance), 0));
	sum->has_chance = isfinite(sum->predictive_error);
	sum->parameter_error = sqrt(parameter_variance);
	if (sum->without_interval == 0 && isfinite(parameter_variance))
	{
		sum->interval_low = cvm_total_quantile(sum->total, outlook, 0.05);
		sum->interval_high = cvm_total_quantile(sum->total, outlook, 0.95);
		sum->has_interval = isfinite(sum->interval_low) && isfinite(sum->interval_high);
	}
	pfree(sum->total);
	sum->total = NULL;
}

static void
finish_sum(SegmentSum *sum, const cvm_outlook *outlook)
{
	if (sum->total)
		finish_interval(sum, outlook);
	sum->expected_active += sum->expected_active_low;
	sum->residual += sum->residual_low;
	sum->money += sum->money_low;
}

static void
score_all(Writer *writer, Population *population, Valuer *valuer, Statement *statement, SegmentSum *sums)
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
		double		chance = writer->plan->predictive_interval ? customer_chance(population, customer) : 0;

		CHECK_FOR_INTERRUPTS();
		cvm_value(valuer, customer, &value);
		segment = write_customer(writer, customer, size, &value, statement);
		add_customer(&sums[0], customer, &value, chance);
		add_customer(&sums[segment + 1], customer, &value, chance);
		if (sums[segment + 1].renewals && value.valued)
			cvm_renewal_stat_add(sums[segment + 1].renewals, writer->plan, customer);
		if (++done % 16384 == 0)
			cvm_progress(writer->run_id, "score", done, population->n_customers);
	}
}

SegmentSum *
cvm_score_customers(const RecomputePlan *plan, int64 run_id, Population *population,
					const FittedPair *fit, Statement *statement, MemoryContext context, int *n_sums)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "cvm score", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	Writer	   *writer;
	Valuer	   *valuer;
	SegmentSum *sums;
	cvm_outlook outlook;

	cvm_progress(run_id, "score", 0, population->n_customers);
	PushActiveSnapshot(GetTransactionSnapshot());	/* for predicates that look at a catalogue */
	writer = writer_new(plan, run_id, population, fit->retention_model_id);
	valuer = cvm_valuer_new(plan, population, fit, scratch);
	*n_sums = cvm_segment_count(writer->rules) + 1;
	sums = MemoryContextAllocZero(context, sizeof(SegmentSum) * *n_sums);
	for (int i = 0; i < *n_sums; i++)
		sums[i].segment = MemoryContextStrdup(context, i == 0 ? "all" : cvm_segment_name(writer->rules, i - 1));
	for (int i = 0; plan->predictive_interval && !fit->covariates && i < *n_sums; i++)
		sums[i].total = palloc0(sizeof(cvm_total));
	for (int i = 1; fit->retention_model_id > 0 && i < *n_sums; i++)
		sums[i].renewals = cvm_renewal_stat_new(context);
	score_all(writer, population, valuer, statement, sums);
	outlook = cvm_valuer_outlook(valuer);
	for (int i = 0; i < *n_sums; i++)
		finish_sum(&sums[i], &outlook);
	cvm_valuer_free(valuer);
	writer_close(writer);
	PopActiveSnapshot();
	index_partition(plan, population, run_id);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	return sums;
}
