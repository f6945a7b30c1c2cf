/*
 * summarise.c: the feed in one pass, to one record per customer.
 *
 * The feed's query runs through the executor into a DestReceiver, so views,
 * partitions, foreign tables and row security work.  Each row becomes a small
 * event in one of 256 buckets chosen by the customer's hash; when the events
 * exceed cvm.recompute_memory all buckets are written to temporary files.  Then
 * every bucket is grouped on its own: its customers fit in the processor's cache,
 * which is what makes this several times faster than a hash aggregate, and its
 * memory is a 256th of the feed.
 *
 * Subscriptions and the members of the published run's segments pass through the
 * same buckets, so that neither they nor "in this segment since" need a join.
 */
#include "engine.h"

#include <math.h>

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "recompute/population.h"
#include "recompute/subscription.h"
#include "worker/shared.h"

#define N_BUCKETS 256
#define CHUNK_BYTES (64 * 1024)
#define PRIOR_MARK 255			/* scale of an event that is a prior segment membership */
#define SUBSCRIPTION_MARK 254	/* ... that is a packed subscription */
#define PROGRESS_ROWS 65536
#define RESET_ROWS 64			/* rows between resets of what converting them left behind */
#define POLL_EVENTS 16384

/*
 * One row of the feed.  For a customer type that is passed by reference `key`
 * is the length of the key's bytes, which follow padded to 8.
 */
typedef struct Event
{
	uint64		key;
	CvmPurchase purchase;		/* prior membership: at = since, mantissa = segment */
} Event;

typedef struct EventChunk
{
	struct EventChunk *next;
	Size		used;
	char		data[FLEXIBLE_ARRAY_MEMBER];
} EventChunk;

typedef struct Bucket
{
	EventChunk *first;
	EventChunk *last;
	BufFile    *file;
	int64		events;			/* in memory and in the file */
	Size		file_bytes;
} Bucket;

typedef struct Summary
{
	DestReceiver receiver;		/* must be first */
	const RecomputePlan *plan;
	Population *population;
	PopulationStats *stats;
	int64		run_id;
	MemoryContext context;		/* of the whole step */
	MemoryContext row_context;	/* of converting rows; reset every RESET_ROWS */
	Oid			at_type;
	Oid			amount_type;
	SubscriptionTypes subscription_types;
	FmgrInfo	hash;
	FmgrInfo	equal;
	bool		plain_key;		/* by value and equal bits are equal keys */
	EventChunk *free_chunks;
	Size		allocated;
	Size		budget;
	Bucket		buckets[N_BUCKETS];
} Summary;

/* ---------- events into buckets ---------- */

static void
spill(Summary *summary)
{
	for (int i = 0; i < N_BUCKETS; i++)
	{
		Bucket	   *bucket = &summary->buckets[i];

		if (bucket->first && bucket->file == NULL)
		{
			MemoryContext old = MemoryContextSwitchTo(summary->context);

			bucket->file = BufFileCreateTemp(false);
			MemoryContextSwitchTo(old);
		}
		while (bucket->first)
		{
			EventChunk *chunk = bucket->first;

			BufFileWrite(bucket->file, chunk->data, chunk->used);
			bucket->file_bytes += chunk->used;
			bucket->first = chunk->next;
			chunk->next = summary->free_chunks;
			summary->free_chunks = chunk;
		}
		bucket->last = NULL;
	}
}

static EventChunk *
new_chunk(Summary *summary, Size size)
{
	EventChunk *chunk;
	Size		wanted = Max(size, CHUNK_BYTES - offsetof(EventChunk, data));

	if (summary->free_chunks && size <= CHUNK_BYTES - offsetof(EventChunk, data))
	{
		chunk = summary->free_chunks;
		summary->free_chunks = chunk->next;
	}
	else
	{
		chunk = MemoryContextAllocHuge(summary->context, offsetof(EventChunk, data) + wanted);
		summary->allocated += offsetof(EventChunk, data) + wanted;
	}
	chunk->next = NULL;
	chunk->used = 0;
	return chunk;
}

/* Room for one event of `size` bytes in a bucket. */
static char *
reserve(Summary *summary, Bucket *bucket, Size size)
{
	EventChunk *chunk = bucket->last;
	char	   *place;

	if (chunk == NULL || chunk->used + size > CHUNK_BYTES - offsetof(EventChunk, data))
	{
		if (summary->free_chunks == NULL && summary->allocated > summary->budget)
			spill(summary);
		chunk = new_chunk(summary, size);
		if (bucket->last)
			bucket->last->next = chunk;
		else
			bucket->first = chunk;
		bucket->last = chunk;
	}
	place = chunk->data + chunk->used;
	chunk->used += size;
	bucket->events++;
	return place;
}

static uint32
hash_key(Summary *summary, Datum key)
{
	if (summary->plain_key)
		return (uint32) (murmurhash64((uint64) key) >> 32);
	return DatumGetUInt32(FunctionCall1Coll(&summary->hash, summary->population->key.collation, key));
}

static void
add_event(Summary *summary, Datum key, const CvmPurchase *purchase)
{
	const CustomerKey *type = &summary->population->key;
	uint32		hash = hash_key(summary, key);
	Bucket	   *bucket = &summary->buckets[hash % N_BUCKETS];
	Event		event = {.purchase = *purchase};
	Size		length;
	char	   *place;

	if (type->byval)
	{
		event.key = (uint64) key;
		memcpy(reserve(summary, bucket, sizeof(Event)), &event, sizeof(Event));
		return;
	}
	if (type->typlen == -1)
		key = PointerGetDatum(PG_DETOAST_DATUM(key));	/* four-byte header: records are aligned */
	length = datumGetSize(key, false, type->typlen);
	event.key = length;
	place = reserve(summary, bucket, sizeof(Event) + MAXALIGN(length));
	memcpy(place, &event, sizeof(Event));
	memcpy(place + sizeof(Event), DatumGetPointer(key), length);
}

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
	if ((++summary->population->purchases_read) % RESET_ROWS == 0)
	{
		MemoryContextReset(summary->row_context);
		if (summary->population->purchases_read % PROGRESS_ROWS == 0)
			cvm_progress(summary->run_id, "summarise", summary->population->purchases_read, 0);
	}
	old = MemoryContextSwitchTo(summary->row_context);
	if (convert_purchase(summary, slot, &purchase))
		add_event(summary, slot->tts_values[0], &purchase);
	else
		summary->population->after_as_of++;
	MemoryContextSwitchTo(old);
	return true;
}

static bool
receive_subscription(TupleTableSlot *slot, DestReceiver *self)
{
	Summary    *summary = (Summary *) self;
	CvmPurchase event = {.scale = SUBSCRIPTION_MARK};
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
		add_event(summary, slot->tts_values[0], &event);
	}
	else
		summary->population->subscriptions_after_as_of++;
	MemoryContextSwitchTo(old);
	return true;
}

/* customer, segment, since of the published run */
static bool
receive_prior(TupleTableSlot *slot, DestReceiver *self)
{
	Summary    *summary = (Summary *) self;
	CvmPurchase prior = {.scale = PRIOR_MARK};
	MemoryContext old;

	slot_getallattrs(slot);
	if (slot->tts_isnull[0] || slot->tts_isnull[1] || slot->tts_isnull[2])
		return true;
	old = MemoryContextSwitchTo(summary->row_context);
	prior.at = DatumGetTimestampTz(slot->tts_values[2]);
	prior.mantissa = cvm_names_add(summary->population->prior_segments, TextDatumGetCString(slot->tts_values[1]));
	add_event(summary, slot->tts_values[0], &prior);
	MemoryContextReset(summary->row_context);
	MemoryContextSwitchTo(old);
	return true;
}

/*
 * Equal bits are equal keys for these, and a machine word holds them (an oid's
 * upper half differs between a stored and a computed one).
 */
static bool
is_plain_key(Oid type)
{
	return type == INT8OID || type == INT4OID || type == INT2OID;
}

static void
set_key_type(Summary *summary, Form_pg_attribute column)
{
	CustomerKey *key = &summary->population->key;
	TypeCacheEntry *type = lookup_type_cache(column->atttypid,
											 TYPECACHE_HASH_PROC_FINFO | TYPECACHE_EQ_OPR_FINFO);

	if (!OidIsValid(type->hash_proc_finfo.fn_oid) || !OidIsValid(type->eq_opr_finfo.fn_oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("customers of type %s can not be told apart by hashing", format_type_be(column->atttypid)),
				 errhint("Map a column of a hashable type such as bigint, uuid or text.")));
	key->type = column->atttypid;
	key->collation = column->attcollation;
	key->typlen = column->attlen;
	key->byval = column->attbyval;
	key->align = column->attalign;
	fmgr_info_copy(&summary->hash, &type->hash_proc_finfo, summary->context);
	fmgr_info_copy(&summary->equal, &type->eq_opr_finfo, summary->context);
	summary->plain_key = is_plain_key(getBaseType(key->type));
}

/* What the executor says it returns counts, whatever the table was a moment ago. */
static void
check_prior_types(const Summary *summary, TupleDesc desc)
{
	static const char *const names[] = {"customer_id", "segment", "since"};

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

	set_key_type(summary, TupleDescAttr(desc, 0));
	summary->at_type = column_type(desc, 1);
	summary->amount_type = column_type(desc, 2);
}

static void
start_subscriptions(DestReceiver *self, int operation, TupleDesc desc)
{
	Summary    *summary = (Summary *) self;

	summary->subscription_types = (SubscriptionTypes) {
		.started = column_type(desc, 1),.ended = column_type(desc, 2),.price = column_type(desc, 3)
	};
}

static void
start_prior(DestReceiver *self, int operation, TupleDesc desc)
{
	check_prior_types((Summary *) self, desc);
}

static void
nothing(DestReceiver *self)
{
}

static void
receive(Summary *summary, const char *query, void (*start) (DestReceiver *, int, TupleDesc),
		bool (*receive_row) (TupleTableSlot *, DestReceiver *))
{
	SPIExecuteOptions options = {0};

	summary->receiver.receiveSlot = receive_row;
	summary->receiver.rStartup = start;
	summary->receiver.rShutdown = nothing;
	summary->receiver.rDestroy = nothing;
	summary->receiver.mydest = DestTuplestore;	/* "some tuples go somewhere" */
	options.read_only = true;	/* one snapshot for all queries */
	options.dest = &summary->receiver;
	if (SPI_execute_extended(query, &options) != SPI_OK_SELECT)
		elog(ERROR, "the query of a feed is no SELECT: %s", query);
}

/* ---------- grouping one bucket ---------- */

typedef struct CustomerGroup
{
	uint32		hash;
	int			n;				/* purchases */
	int			n_subscriptions;
	int64		offset;			/* of its purchases in rows; subscriptions follow */
	int64		next;			/* where the next one goes */
	int64		next_subscription;
	const char *event;			/* its first event: the key */
	int32		prior_segment;
	TimestampTz prior_since;
} CustomerGroup;

typedef struct Grouping
{
	CustomerGroup	   *groups;
	int			n_groups;
	int			max_groups;
	uint32	   *slots;			/* group number + 1, open addressing */
	uint32		mask;
	char	   *events;
	Size		bytes;
	uint32	   *group_of;
	CvmPurchase *rows;
} Grouping;

static inline Datum
event_key(const CustomerKey *type, const char *event)
{
	return type->byval ? (Datum) ((const Event *) event)->key : PointerGetDatum(event + sizeof(Event));
}

static inline Size
event_size(const CustomerKey *type, const char *event)
{
	return type->byval ? sizeof(Event) : sizeof(Event) + MAXALIGN(((const Event *) event)->key);
}

/* All events of a bucket as one stretch of memory. */
static void
load_bucket(Bucket *bucket, Grouping *grouping)
{
	Size		offset = 0;

	grouping->bytes = bucket->file_bytes;
	for (EventChunk *chunk = bucket->first; chunk; chunk = chunk->next)
		grouping->bytes += chunk->used;
	grouping->events = MemoryContextAllocHuge(CurrentMemoryContext, grouping->bytes + 1);
	if (bucket->file)
	{
		if (BufFileSeek(bucket->file, 0, 0, SEEK_SET) != 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not rewind temporary file of purchases: %m")));
		offset = BufFileRead(bucket->file, grouping->events, bucket->file_bytes);
		if (offset != bucket->file_bytes)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not read temporary file of purchases: read only %zu of %zu bytes",
							offset, bucket->file_bytes)));
		BufFileClose(bucket->file);
		bucket->file = NULL;
	}
	for (EventChunk *chunk = bucket->first; chunk; chunk = chunk->next)
	{
		memcpy(grouping->events + offset, chunk->data, chunk->used);
		offset += chunk->used;
	}
}

static void
grow_slots(Grouping *grouping)
{
	grouping->mask = grouping->mask * 2 + 1;
	pfree(grouping->slots);
	grouping->slots = MemoryContextAllocExtended(CurrentMemoryContext, sizeof(uint32) * ((Size) grouping->mask + 1),
												 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < grouping->n_groups; i++)
	{
		uint32		slot = (grouping->groups[i].hash / N_BUCKETS) & grouping->mask;

		while (grouping->slots[slot])
			slot = (slot + 1) & grouping->mask;
		grouping->slots[slot] = i + 1;
	}
}

static int
new_group(Grouping *grouping, uint32 hash, const char *event)
{
	CustomerGroup	   *group;

	if (grouping->n_groups == grouping->max_groups)
	{
		grouping->max_groups *= 2;
		grouping->groups = repalloc_huge(grouping->groups, sizeof(CustomerGroup) * grouping->max_groups);
	}
	group = &grouping->groups[grouping->n_groups];
	*group = (CustomerGroup) {.hash = hash,.event = event,.prior_segment = -1};
	return grouping->n_groups++;
}

/* The group of an event's customer, made when it is new. */
static int
find_group(Summary *summary, Grouping *grouping, const char *event)
{
	const CustomerKey *type = &summary->population->key;
	Datum		key = event_key(type, event);
	uint32		hash = hash_key(summary, key);
	uint32		slot = (hash / N_BUCKETS) & grouping->mask;
	int			found;

	for (; grouping->slots[slot]; slot = (slot + 1) & grouping->mask)
	{
		CustomerGroup	   *group = &grouping->groups[grouping->slots[slot] - 1];
		Datum		other;

		if (group->hash != hash)
			continue;
		other = event_key(type, group->event);
		if (summary->plain_key ? key == other
			: DatumGetBool(FunctionCall2Coll(&summary->equal, type->collation, key, other)))
			return grouping->slots[slot] - 1;
	}
	found = new_group(grouping, hash, event);
	grouping->slots[slot] = found + 1;
	if ((uint32) grouping->n_groups > grouping->mask / 2)
		grow_slots(grouping);
	return found;
}

/* Numbers the customers of the bucket and counts their purchases. */
static void
assign_groups(Summary *summary, Bucket *bucket, Grouping *grouping)
{
	const CustomerKey *type = &summary->population->key;
	int64		i = 0;

	grouping->max_groups = 256;
	grouping->groups = palloc(sizeof(CustomerGroup) * grouping->max_groups);
	grouping->mask = 1023;
	grouping->slots = palloc0(sizeof(uint32) * (grouping->mask + 1));
	grouping->group_of = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(uint32) * bucket->events + 1);
	for (Size offset = 0; offset < grouping->bytes; offset += event_size(type, grouping->events + offset))
	{
		const Event *event = (const Event *) (grouping->events + offset);
		int			number = find_group(summary, grouping, (const char *) event);
		CustomerGroup	   *group = &grouping->groups[number];

		if (i % POLL_EVENTS == 0)
			CHECK_FOR_INTERRUPTS();
		grouping->group_of[i++] = number;
		if (event->purchase.scale == PRIOR_MARK)
		{
			group->prior_segment = (int32) event->purchase.mantissa;
			group->prior_since = event->purchase.at;
		}
		else if (event->purchase.scale == SUBSCRIPTION_MARK)
			group->n_subscriptions++;
		else
			group->n++;
	}
}

/* Brings every customer's purchases together, and then his subscriptions (counting sort). */
static void
scatter(Summary *summary, Bucket *bucket, Grouping *grouping)
{
	const CustomerKey *type = &summary->population->key;
	int64		offset = 0;
	int64		i = 0;

	for (int g = 0; g < grouping->n_groups; g++)
	{
		grouping->groups[g].offset = offset;
		offset += grouping->groups[g].n + grouping->groups[g].n_subscriptions;
		grouping->groups[g].next = grouping->groups[g].offset;
		grouping->groups[g].next_subscription = grouping->groups[g].offset + grouping->groups[g].n;
	}
	grouping->rows = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(CvmPurchase) * offset + 1);
	for (Size at = 0; at < grouping->bytes; at += event_size(type, grouping->events + at))
	{
		const Event *event = (const Event *) (grouping->events + at);
		CustomerGroup	   *group = &grouping->groups[grouping->group_of[i++]];

		if (event->purchase.scale == SUBSCRIPTION_MARK)
			grouping->rows[group->next_subscription++] = event->purchase;
		else if (event->purchase.scale != PRIOR_MARK)
			grouping->rows[group->next++] = event->purchase;
	}
}

/* What follows a record with subscriptions: the key's bytes, and they. */
static char *
tail_with_subscriptions(const CvmPurchase *rows, int n, const char *key, Size key_size, Size *size)
{
	SubscriptionList *list;
	char	   *tail;

	*size = MAXALIGN(key_size) + CVM_SUBSCRIPTION_LIST_SIZE(n);
	tail = MemoryContextAllocExtended(CurrentMemoryContext, *size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	memcpy(tail, key, key_size);
	list = (SubscriptionList *) (tail + MAXALIGN(key_size));
	list->n = n;
	for (int i = 0; i < n; i++)
		list->item[i] = cvm_subscription_unpack(&rows[i]);
	cvm_subscriptions_sort(list);
	return tail;
}

static void
emit(Summary *summary, Grouping *grouping, CustomerGroup *group, CustomerRecord *record)
{
	const CustomerKey *type = &summary->population->key;
	const Event *event = (const Event *) group->event;
	const char *tail = group->event + sizeof(Event);
	Size		tail_size = type->byval ? 0 : event->key;

	record->prior_segment = group->prior_segment;
	record->prior_since = group->prior_since;
	record->key = type->byval ? (Datum) event->key : (Datum) 0;
	if (record->subscriptions > 0)
		tail = tail_with_subscriptions(grouping->rows + group->offset + group->n, group->n_subscriptions,
									   tail, tail_size, &tail_size);
	cvm_spool_add(summary->population->customers, record, sizeof(CustomerRecord), tail, tail_size);
}

static void
group_bucket(Summary *summary, Bucket *bucket)
{
	Grouping	grouping = {0};

	load_bucket(bucket, &grouping);
	assign_groups(summary, bucket, &grouping);
	scatter(summary, bucket, &grouping);
	for (int g = 0; g < grouping.n_groups; g++)
	{
		CustomerGroup	   *group = &grouping.groups[g];
		CustomerRecord record;

		CHECK_FOR_INTERRUPTS();
		if (group->n == 0 && group->n_subscriptions == 0)
			continue;			/* was a member once, is in no feed any more */
		memset(&record, 0, sizeof(record));
		if (group->n_subscriptions > 0)
		{
			record.subscriptions = sizeof(CustomerRecord) +
				(summary->population->key.byval ? 0 : MAXALIGN(((const Event *) group->event)->key));
			summary->population->n_subscribers++;
		}
		cvm_count_customer(summary->stats, grouping.rows + group->offset, group->n, &record);
		emit(summary, &grouping, group, &record);
	}
}

static void
free_bucket(Summary *summary, Bucket *bucket)
{
	while (bucket->first)
	{
		EventChunk *chunk = bucket->first;

		bucket->first = chunk->next;
		pfree(chunk);
	}
	bucket->last = NULL;
}

static void
group_buckets(Summary *summary)
{
	MemoryContext scratch = AllocSetContextCreate(summary->context, "cvm bucket", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);

	for (int i = 0; i < N_BUCKETS; i++)
	{
		if (summary->buckets[i].events > 0)
			group_bucket(summary, &summary->buckets[i]);
		free_bucket(summary, &summary->buckets[i]);
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
	return psprintf("SELECT s.customer_id, s.segment, s.since FROM %s AS s"
					" WHERE s.run_id OPERATOR(pg_catalog.=) (SELECT pg_catalog.max(p.run_id) FROM %s AS p)",
					cvm_quote(plan, "score"), cvm_quote(plan, "published"));
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
	summary->budget = memory;
	population->customers = cvm_spool_new(context, memory / 2);
	population->prior_segments = cvm_names_new(context);
	summary->stats = cvm_population_begin(plan, population, context);

	PushActiveSnapshot(GetTransactionSnapshot());
	receive(summary, plan->purchases_query, start_purchases, receive_purchase);
	if (plan->contracts.query)
		receive(summary, plan->contracts.query, start_subscriptions, receive_subscription);
	if (population->purchases_read > population->after_as_of ||
		population->subscriptions_read > population->subscriptions_after_as_of)
	{
		check_output(summary);
		receive(summary, prior_query(plan), start_prior, receive_prior);
	}
	PopActiveSnapshot();
	group_buckets(summary);
	cvm_population_end(summary->stats);
	cvm_spool_rewind(population->customers);	/* writes what is buffered while the file's owner lives */
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}
