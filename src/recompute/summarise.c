/*
 * summarise.c: the feeds in one pass, to one record per customer.
 *
 * A feed's query runs through the executor into a DestReceiver, so views,
 * partitions, foreign tables and row security work.  Each row becomes an event in
 * a bucket (buckets.c), and a customer's events become his record.
 *
 * Subscriptions and the members of the published run's segments pass through the
 * same buckets, so that neither they nor "in this segment since" need a join.
 */
#include "engine.h"

#include <math.h>

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "nodes/params.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "covariate.h"
#include "recompute/attribute.h"
#include "recompute/buckets.h"
#include "recompute/population.h"
#include "recompute/statement.h"
#include "recompute/subscription.h"
#include "worker/shared.h"

#define PROGRESS_ROWS 65536
#define RESET_ROWS 64			/* rows between resets of what converting them left behind */

typedef struct Summary
{
	DestReceiver receiver;		/* must be first */
	const RecomputePlan *plan;
	Population *population;
	PopulationStats *stats;
	int64		run_id;
	int64		received;		/* rows of the purchases query */
	MemoryContext context;		/* of the whole step */
	MemoryContext row_context;	/* of converting rows; reset every RESET_ROWS */
	Oid			at_type;
	Oid			amount_type;
	bool		has_kind;		/* the query says what is a purchase, and of how many rows */
	bool		has_aliases;	/* the query of the published run says whose alias a customer is */
	CustomerSum *merged;		/* by prior segment: residual value of customers who are another's alias now */
	int			n_merged;
	MemoryContext merged_context;
	SubscriptionTypes subscription_types;
	Buckets    *buckets;
} Summary;

/* ---------- receiving rows ---------- */

static char *
customer_text(Summary *summary, Datum key)
{
	Oid			output;
	bool		varlena;

	getTypeOutputInfo(summary->population->key.type, &output, &varlena);
	return OidOutputFunctionCall(output, key);
}

/* Says which column of which customer is missing. */
static void
refuse_null(Summary *summary, TupleTableSlot *slot)
{
	if (slot->tts_isnull[0])
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the purchases feed of portfolio \"%s\" has a row without a customer",
						summary->plan->portfolio),
				 errhint("Map a view that leaves such rows out, e.g. WHERE customer IS NOT NULL; cvm.check counts them.")));
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("the purchases feed of portfolio \"%s\" has a row without %s",
					summary->plan->portfolio, slot->tts_isnull[1] ? "a time" : "an amount"),
			 errdetail("It belongs to customer %s.", customer_text(summary, slot->tts_values[0])),
			 errhint("Map a view that leaves such rows out; cvm.check counts them.")));
}

/* Likewise of a time or an amount that is no number. */
static void
refuse_odd(Summary *summary, TupleTableSlot *slot, const char *what, const char *odd)
{
	ereport(ERROR,
			(errcode(strcmp(what, "a time") == 0 ? ERRCODE_DATETIME_VALUE_OUT_OF_RANGE : ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the purchases feed of portfolio \"%s\" has a row with %s that is %s",
					summary->plan->portfolio, what, odd),
			 errdetail("It belongs to customer %s.", customer_text(summary, slot->tts_values[0])),
			 errhint("Map a view that leaves such rows out; cvm.check counts them.")));
}

/* What converting a row's time or amount says on error. */
static void
row_error_context(void *arg)
{
	TupleTableSlot *slot = ((void **) arg)[1];

	errcontext("purchase of customer %s",
			   customer_text(((void **) arg)[0], slot->tts_values[0]));
}

/* The row's time and amount; false if it lies after as_of. */
static bool
convert_purchase(Summary *summary, TupleTableSlot *slot, CvmPurchase *purchase)
{
	CvmAmount	amount;
	void	   *arg[2] = {summary, slot};
	ErrorContextCallback callback = {error_context_stack, row_error_context, arg};
	const char *odd = cvm_amount_not_finite(slot->tts_values[2], summary->amount_type);

	if (unlikely(odd))
		refuse_odd(summary, slot, "an amount", odd);
	if (unlikely(cvm_infinite_time(slot->tts_values[1], summary->at_type) != 0))
		refuse_odd(summary, slot, "a time", "infinite");
	error_context_stack = &callback;
	purchase->at = cvm_instant_from_datum(&summary->plan->calendar, slot->tts_values[1], summary->at_type);
	amount = cvm_amount_from_datum(slot->tts_values[2], summary->amount_type);
	purchase->mantissa = amount.mantissa;
	purchase->scale = amount.scale;
	if (purchase->at <= summary->plan->as_of)
		purchase->period = cvm_period_of(&summary->plan->calendar, purchase->at);
	error_context_stack = callback.previous;
	return purchase->at <= summary->plan->as_of;
}

static bool
receive_purchase(TupleTableSlot *slot, DestReceiver *self)
{
	Summary    *summary = (Summary *) self;
	CvmPurchase purchase = {0};
	MemoryContext old;

	slot_getallattrs(slot);
	if (unlikely(slot->tts_isnull[0] || slot->tts_isnull[1] || slot->tts_isnull[2]))
		refuse_null(summary, slot);
	if ((++summary->received) % RESET_ROWS == 0)
	{
		MemoryContextReset(summary->row_context);
		if (summary->received % PROGRESS_ROWS == 0)
			cvm_progress(summary->run_id, "summarise", summary->population->purchases_read, 0);
	}
	if (summary->has_kind)
	{
		purchase.kind = DatumGetBool(slot->tts_values[3]) ? CVM_PURCHASE : CVM_MONEY_ONLY;
		summary->population->purchases_read += DatumGetInt64(slot->tts_values[4]);
	}
	else
		summary->population->purchases_read++;
	old = MemoryContextSwitchTo(summary->row_context);
	if (convert_purchase(summary, slot, &purchase))
		cvm_buckets_add(summary->buckets, slot->tts_values[0], &purchase);
	else
		summary->population->after_as_of++;
	MemoryContextSwitchTo(old);
	return true;
}

static bool
receive_subscription(TupleTableSlot *slot, DestReceiver *self)
{
	Summary    *summary = (Summary *) self;
	CvmPurchase event = {.scale = CVM_EVENT_SUBSCRIPTION};
	Subscription subscription;
	MemoryContext old;

	slot_getallattrs(slot);
	cvm_subscription_refuse_null(summary->plan, slot);
	if ((++summary->population->subscriptions_read) % RESET_ROWS == 0)
		MemoryContextReset(summary->row_context);
	old = MemoryContextSwitchTo(summary->row_context);
	if (cvm_subscription_read(summary->plan, &summary->subscription_types, slot, &subscription))
	{
		cvm_subscription_pack(&subscription, &event);
		cvm_buckets_add(summary->buckets, slot->tts_values[0], &event);
	}
	else
		summary->population->subscriptions_after_as_of++;
	MemoryContextSwitchTo(old);
	return true;
}

/* How many bytes of a key lie where it points to; 0 if it is by value.  The key without a compressed or short header. */
static Size
plain_key(const CustomerKey *type, Datum *key)
{
	if (type->byval)
		return 0;
	if (type->typlen == -1)
		*key = PointerGetDatum(PG_DETOAST_DATUM(*key));
	return datumGetSize(*key, false, type->typlen);
}

void
cvm_add_left(Population *population, Datum key, int32 segment, TimestampTz since)
{
	Size		size = plain_key(&population->key, &key);
	CustomerLeft left = {.key = size > 0 ? (Datum) 0 : key,.since = since,.segment = segment};

	cvm_spool_add(population->left, &left, sizeof(left), size > 0 ? DatumGetPointer(key) : NULL, size);
}

static void
add_to_sum(CustomerSum *sum, double value)
{
	double		total = sum->value + value;

	if (!isfinite(value))
		return;
	sum->low += fabs(sum->value) >= fabs(value) ? (sum->value - total) + value : (value - total) + sum->value;
	sum->value = total;
}

/* A customer of the run before is an alias of another now, who has what was his. */
static void
merge_prior(Summary *summary, Datum alias, Datum customer, const CvmPurchase *prior, double residual)
{
	CvmPurchase event = {.scale = CVM_EVENT_MERGED};

	while (prior->period >= summary->n_merged)
	{
		int			wanted = Max(2 * summary->n_merged, 32);

		summary->merged = summary->merged ? repalloc(summary->merged, sizeof(CustomerSum) * wanted)
			: MemoryContextAlloc(summary->merged_context, sizeof(CustomerSum) * wanted);
		memset(summary->merged + summary->n_merged, 0, sizeof(CustomerSum) * (wanted - summary->n_merged));
		summary->n_merged = wanted;
	}
	add_to_sum(&summary->merged[prior->period], residual);
	cvm_add_left(summary->population, alias, prior->period, prior->at);
	cvm_buckets_add(summary->buckets, customer, &event);
}

/* customer, segment, since, residual value of the published run [, customer whose alias he is now] */
static bool
receive_prior(TupleTableSlot *slot, DestReceiver *self)
{
	Summary    *summary = (Summary *) self;
	CvmPurchase prior = {.scale = CVM_EVENT_PRIOR};
	double		residual;
	MemoryContext old;

	slot_getallattrs(slot);
	if (slot->tts_isnull[0] || slot->tts_isnull[1] || slot->tts_isnull[2])
		return true;
	old = MemoryContextSwitchTo(summary->row_context);
	prior.at = DatumGetTimestampTz(slot->tts_values[2]);
	prior.period = cvm_names_add(summary->population->prior_segments, TextDatumGetCString(slot->tts_values[1]));
	residual = slot->tts_isnull[3] ? 0 : DatumGetFloat8(slot->tts_values[3]);
	memcpy(&prior.mantissa, &residual, sizeof(residual));
	if (summary->has_aliases && !slot->tts_isnull[4])
		merge_prior(summary, slot->tts_values[0], slot->tts_values[4], &prior, residual);
	else
		cvm_buckets_add(summary->buckets, slot->tts_values[0], &prior);
	MemoryContextReset(summary->row_context);
	MemoryContextSwitchTo(old);
	return true;
}

static bool
receive_attributes(TupleTableSlot *slot, DestReceiver *self)
{
	Summary    *summary = (Summary *) self;
	CvmPurchase event = {.scale = CVM_EVENT_ATTRIBUTES};
	MemoryContext old = MemoryContextSwitchTo(summary->row_context);

	slot_getallattrs(slot);
	if (slot->tts_isnull[0])
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the attributes feed of portfolio \"%s\" has a row without a customer", summary->plan->portfolio),
				 errhint("Map a view that leaves such rows out; cvm.check counts them.")));
	event.period = cvm_attributes_add(summary->population->attributes, slot);
	if (event.period < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("attribute \"%s\" of customer %s is %g", summary->plan->attributes.name[-1 - event.period],
						customer_text(summary, slot->tts_values[0]), DatumGetFloat8(slot->tts_values[-event.period])),
				 errdetail("Covariates are finite numbers, at most %g in size.", CVM_LARGEST_COVARIATE),
				 errhint("Map a view that makes it null, or leaves the row out: then he is scored without covariates.")));
	cvm_buckets_add(summary->buckets, slot->tts_values[0], &event);
	MemoryContextReset(summary->row_context);
	MemoryContextSwitchTo(old);
	return true;
}

static bool
receive_forgotten(TupleTableSlot *slot, DestReceiver *self)
{
	Summary    *summary = (Summary *) self;
	CvmPurchase forgotten = {.scale = CVM_EVENT_FORGOTTEN};
	MemoryContext old = MemoryContextSwitchTo(summary->row_context);

	slot_getallattrs(slot);
	if (!slot->tts_isnull[0])
		cvm_buckets_add(summary->buckets, slot->tts_values[0], &forgotten);
	MemoryContextReset(summary->row_context);
	MemoryContextSwitchTo(old);
	return true;
}

/* What the executor says it returns counts, whatever the table was a moment ago. */
static void
check_prior_types(const Summary *summary, TupleDesc desc)
{
	static const char *const names[] = {"customer_id", "segment", "since", "residual_value"};

	for (int i = 0; i < (int) lengthof(names); i++)
		cvm_check_score_column(summary->plan, names[i], TupleDescAttr(desc, i)->atttypid,
							   TupleDescAttr(desc, i)->atttypmod, summary->population->key.type);
}

static Oid
column_type(TupleDesc desc, int column)
{
	if (column >= desc->natts)
		elog(ERROR, "the query of a feed has only %d columns", desc->natts);
	return getBaseType(TupleDescAttr(desc, column)->atttypid);
}

static void
start_purchases(DestReceiver *self, int operation, TupleDesc desc)
{
	Summary    *summary = (Summary *) self;

	cvm_buckets_set_key(summary->buckets, TupleDescAttr(desc, 0));
	summary->at_type = column_type(desc, 1);
	summary->amount_type = column_type(desc, 2);
	summary->has_kind = desc->natts == 5;
}

static void
start_subscriptions(DestReceiver *self, int operation, TupleDesc desc)
{
	Summary    *summary = (Summary *) self;

	summary->subscription_types = (SubscriptionTypes) {
		.started = column_type(desc, 1),.ended = column_type(desc, 2),.price = column_type(desc, 3)
	};
}

/* Customers of another relation than score must be of the purchases' type as well. */
static void
check_customer_type(const Summary *summary, const char *relation, Oid type)
{
	if (getBaseType(type) != getBaseType(summary->population->key.type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("customers of %s are of type %s, those of the purchases of type %s", relation,
						format_type_be(type), format_type_be(summary->population->key.type)),
				 errhint("Drop the portfolio with cvm.drop_portfolio and create it again.")));
}

static void
start_prior(DestReceiver *self, int operation, TupleDesc desc)
{
	Summary    *summary = (Summary *) self;

	check_prior_types(summary, desc);
	summary->has_aliases = desc->natts > 4;
	if (summary->has_aliases)
		check_customer_type(summary, "resolved_aliases", TupleDescAttr(desc, 4)->atttypid);
}

static void
start_attributes(DestReceiver *self, int operation, TupleDesc desc)
{
	check_customer_type((Summary *) self, "the attributes feed", TupleDescAttr(desc, 0)->atttypid);
	cvm_attributes_check(((Summary *) self)->population->attributes, desc);
}

static void
start_forgotten(DestReceiver *self, int operation, TupleDesc desc)
{
	check_customer_type((Summary *) self, "forgotten", TupleDescAttr(desc, 0)->atttypid);
}

static void
nothing(DestReceiver *self)
{
}

/* The line of the context that quotes the query of a feed, put into words. */
static char *
context_without_query(const char *context, const char *query, const char *words)
{
	const char *found = context ? strstr(context, query) : NULL;
	const char *begin = found;
	const char *end;

	if (found == NULL)
		return unconstify(char *, context);
	while (begin > context && begin[-1] != '\n')
		begin--;
	end = strchr(found + strlen(query), '\n');
	return psprintf("%.*s%s%s", (int) (begin - context), context, words, end ? end : "");
}

/* A query of a feed may be a page long and not of the user's making: its errors name the feed instead. */
static void
run_feed(const Summary *summary, const char *query, const char *feed, SPIExecuteOptions *options)
{
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		if (SPI_execute_extended(query, options) != SPI_OK_SELECT)
			elog(ERROR, "the query of a feed is no SELECT: %s", query);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		error->context = context_without_query(error->context, query,
											   psprintf("%s of portfolio \"%s\"", feed, summary->plan->portfolio));
		ReThrowError(error);
	}
	PG_END_TRY();
}

static void
receive(Summary *summary, const char *query, const char *feed, void (*start) (DestReceiver *, int, TupleDesc),
		bool (*receive_row) (TupleTableSlot *, DestReceiver *))
{
	SPIExecuteOptions options = {0};
	ParamListInfo as_of = makeParamList(1);

	as_of->params[0] = (ParamExternData) {
		.value = TimestampTzGetDatum(summary->plan->as_of),.pflags = PARAM_FLAG_CONST,.ptype = TIMESTAMPTZOID
	};
	options.params = as_of;
	summary->receiver.receiveSlot = receive_row;
	summary->receiver.rStartup = start;
	summary->receiver.rShutdown = nothing;
	summary->receiver.rDestroy = nothing;
	summary->receiver.mydest = DestTuplestore;	/* "some tuples go somewhere" */
	options.read_only = true;	/* one snapshot for all queries */
	options.dest = &summary->receiver;
	run_feed(summary, query, feed, &options);
}

/* ---------- one record per customer ---------- */

/* What is appended to a record: the key's bytes, subscriptions, histories; everything aligned. */
typedef struct RecordTail
{
	char	   *bytes;
	Size		size;
} RecordTail;

/* Room for so much more; returns its offset from the record. */
static uint32
extend(RecordTail *tail, Size size)
{
	Size		before = MAXALIGN(tail->size);
	char	   *bytes = MemoryContextAllocExtended(CurrentMemoryContext, before + size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	if (tail->size > 0)
		memcpy(bytes, tail->bytes, tail->size);
	tail->bytes = bytes;
	tail->size = before + size;
	return sizeof(CustomerRecord) + before;
}

static void
append_subscriptions(const CustomerEvents *customer, RecordTail *tail, CustomerRecord *record)
{
	SubscriptionList *list;

	record->subscriptions = extend(tail, CVM_SUBSCRIPTION_LIST_SIZE(customer->n_subscriptions));
	list = (SubscriptionList *) (tail->bytes + record->subscriptions - sizeof(CustomerRecord));
	list->n = customer->n_subscriptions;
	for (int i = 0; i < customer->n_subscriptions; i++)
		list->item[i] = cvm_subscription_unpack(&customer->subscriptions[i]);
	cvm_subscriptions_sort(list);
}

static bool
is_purchase(const CvmPurchase *row)
{
	return row->kind == CVM_PURCHASE || (row->kind == CVM_BY_AMOUNT && row->mantissa >= 0);
}

/* The history of the rows that are wanted; offset of it. */
static uint32
append_history(const Summary *summary, CvmPurchase *rows, int n, RecordTail *tail)
{
	uint32		offset = extend(tail, sizeof(PurchaseHistory));
	int			n_periods;

	cvm_history_build(&summary->plan->calendar, rows, n,
					  (PurchaseHistory *) (tail->bytes + offset - sizeof(CustomerRecord)), &n_periods);
	return offset;
}

/*
 * For the statement: the history up to the run before, and that without the refunds
 * since, of those who have a row since; building one uses up its rows.
 */
static void
append_histories(const Summary *summary, const CustomerEvents *customer, RecordTail *tail, CustomerRecord *record)
{
	TimestampTz as_of = summary->plan->prior.as_of;
	CvmPurchase *rows;
	int			earlier = 0;
	int			refunds = 0;
	int			n = 0;

	for (int i = 0; i < customer->n_purchases; i++)
	{
		const CvmPurchase *row = &customer->purchases[i];

		earlier += row->at <= as_of;
		if (row->at <= as_of)
			continue;
		record->bought_later |= is_purchase(row);
		refunds += row->mantissa < 0 && !is_purchase(row);
	}
	record->later = earlier < customer->n_purchases;
	if (!record->later)
		return;
	rows = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(CvmPurchase) * customer->n_purchases);
	for (int i = 0; i < customer->n_purchases; i++)
		if (customer->purchases[i].at <= as_of)
			rows[n++] = customer->purchases[i];
	if (n > 0)
		record->before = append_history(summary, rows, n, tail);
	if (refunds > 0)
	{
		n = 0;
		for (int i = 0; i < customer->n_purchases; i++)
			if (customer->purchases[i].at <= as_of || customer->purchases[i].mantissa >= 0 || is_purchase(&customer->purchases[i]))
				rows[n++] = customer->purchases[i];
		record->gross = append_history(summary, rows, n, tail);
	}
	pfree(rows);
}

/* Was a customer of the run before, and is in no feed any more, or forgotten. */
static void
count_vanished(Population *population, const CustomerEvents *customer)
{
	if (customer->prior_segment < 0 || customer->prior_segment >= population->n_prior_sums)
		return;
	add_to_sum(&population->vanished[customer->prior_segment], customer->prior_residual);
	cvm_add_left(population, customer->key_size > 0 ? PointerGetDatum(customer->key_bytes) : customer->key,
				 customer->prior_segment, customer->prior_since);
}

static void
refuse_attributes(Summary *summary, const CustomerEvents *customer)
{
	ereport(ERROR,
			(errcode(ERRCODE_CARDINALITY_VIOLATION),
			 errmsg("customer %s has several rows of attributes that differ",
					customer_text(summary, customer->key_size > 0 ? PointerGetDatum(customer->key_bytes) : customer->key)),
			 errhint("Map a view with one row a customer.")));
}

static void
summarise_customer(void *context, const CustomerEvents *customer)
{
	Summary    *summary = context;
	Population *population = summary->population;
	CustomerRecord record;
	RecordTail	tail = {unconstify(char *, customer->key_bytes), customer->key_size};

	if (customer->forgotten || (customer->n_purchases == 0 && customer->n_subscriptions == 0))
	{
		count_vanished(population, customer);
		return;
	}
	if (customer->attributes_differ)
		refuse_attributes(summary, customer);
	memset(&record, 0, sizeof(record));
	record.key = customer->key;
	record.attributes = customer->attributes;
	record.prior_segment = customer->prior_segment;
	record.prior_since = customer->prior_since;
	record.prior_residual = customer->prior_residual;
	record.merged = customer->merged;
	if (customer->n_subscriptions > 0)
	{
		population->n_subscribers++;
		append_subscriptions(customer, &tail, &record);
	}
	if (cvm_has_statement(summary->plan))
		append_histories(summary, customer, &tail, &record);
	cvm_count_customer(summary->stats, customer->purchases, customer->n_purchases, &record);
	cvm_spool_add(population->customers, &record, sizeof(CustomerRecord), tail.bytes, tail.size);
}

static void
summarise_buckets(Summary *summary)
{
	MemoryContext scratch = AllocSetContextCreate(summary->context, "cvm bucket", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);

	for (int i = 0; i < CVM_N_BUCKETS; i++)
	{
		cvm_bucket_group(summary->buckets, i, summarise_customer, summary);
		MemoryContextReset(scratch);
		cvm_progress(summary->run_id, "summarise", summary->population->purchases_read,
					 summary->population->purchases_read);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/* ---------- the step ---------- */

static char *
prior_query(const RecomputePlan *plan)
{
	return psprintf("SELECT s.customer_id, s.segment, s.since, s.residual_value%s FROM %s AS s%s"
					" WHERE s.run_id OPERATOR(pg_catalog.=) (SELECT pg_catalog.max(p.run_id) FROM %s AS p)",
					plan->alias_join[0] ? ", merged.customer" : "", cvm_quote(plan, "score"), plan->alias_join,
					cvm_quote(plan, "published"));
}

/*
 * score may have been altered, or the customer column have another type than when
 * the output was made: found now, before the fit.  The lock keeps it as it is
 * while its rows are read.
 */
static void
check_output(const Summary *summary)
{
	Oid			schema = get_namespace_oid(summary->plan->output_schema, true);
	Oid			score = OidIsValid(schema) ? get_relname_relid("score", schema) : InvalidOid;
	Relation	relation;

	if (!OidIsValid(score) || get_rel_relkind(score) != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(OidIsValid(score) ? ERRCODE_WRONG_OBJECT_TYPE : ERRCODE_UNDEFINED_TABLE),
				 errmsg("%s is not the partitioned table that cvm.create_portfolio made", cvm_quote(summary->plan, "score")),
				 errhint("Drop the portfolio with cvm.drop_portfolio and create it again.")));
	relation = table_open(score, AccessShareLock);
	cvm_check_score(summary->plan, RelationGetDescr(relation), summary->population->key.type);
	table_close(relation, NoLock);
}

/* Reads the feed as of plan->as_of; everything of *population is made in context. */
void
cvm_summarise(const RecomputePlan *plan, int64 run_id, MemoryContext context, Population *population)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "cvm summarise", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	Summary    *summary = palloc0(sizeof(Summary));
	Size		memory = (Size) cvm_recompute_memory_mb * 1024 * 1024;

	summary->plan = plan;
	summary->population = population;
	summary->run_id = run_id;
	summary->context = scratch;
	summary->row_context = AllocSetContextCreate(scratch, "cvm row", ALLOCSET_DEFAULT_SIZES);
	summary->buckets = cvm_buckets_new(scratch, memory, &population->key);
	population->customers = cvm_spool_new(context, memory / 2);
	population->prior_segments = cvm_names_new(context);
	population->attributes = plan->attributes.query ? cvm_attributes_new(&plan->attributes, context) : NULL;
	population->left = cvm_spool_new(context, MaxAllocHugeSize);	/* some 50 bytes a customer, if all move */
	summary->merged_context = context;
	summary->stats = cvm_population_begin(plan, population, context);

	PushActiveSnapshot(GetTransactionSnapshot());
	receive(summary, plan->purchases_query, "purchases feed", start_purchases, receive_purchase);
	if (plan->contracts.query)
		receive(summary, plan->contracts.query, "subscriptions feed", start_subscriptions, receive_subscription);
	if (population->purchases_read > population->after_as_of ||
		population->subscriptions_read > population->subscriptions_after_as_of)
	{
		if (population->attributes)
			receive(summary, plan->attributes.query, "attributes feed", start_attributes, receive_attributes);
		check_output(summary);
		receive(summary, prior_query(plan), "segments of the published run", start_prior, receive_prior);
		receive(summary, psprintf("SELECT f.customer_id FROM %s AS f", cvm_quote(plan, "forgotten")),
				"forgotten customers", start_forgotten, receive_forgotten);
	}
	PopActiveSnapshot();
	population->n_prior_sums = cvm_names_count(population->prior_segments);
	population->vanished = MemoryContextAllocZero(context, sizeof(CustomerSum) * (population->n_prior_sums + 1));
	population->merged = MemoryContextAllocZero(context, sizeof(CustomerSum) * (population->n_prior_sums + 1));
	if (summary->merged)
		memcpy(population->merged, summary->merged, sizeof(CustomerSum) * Min(summary->n_merged, population->n_prior_sums));
	summarise_buckets(summary);
	cvm_population_end(summary->stats);
	cvm_spool_rewind(population->customers);	/* writes what is buffered while the file's owner lives */
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}
