/*
 * buckets.c: events of customers, grouped by customer.
 *
 * Each row of a feed becomes a small event in one of 256 buckets chosen by the
 * customer's hash; when the events exceed the budget all buckets are written to
 * temporary files.  Then every bucket is grouped on its own: its customers fit in
 * the processor's cache, which is what makes this several times faster than a
 * hash aggregate, and its memory is a 256th of the feed.
 */
#include "buckets.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/buffile.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#define CHUNK_BYTES (64 * 1024)
#define POLL_EVENTS 16384

/*
 * One row of the feed.  For a customer type that is passed by reference `key`
 * is the length of the key's bytes, which follow padded to 8.
 */
typedef struct Event
{
	uint64		key;
	CvmPurchase purchase;		/* or what its scale says: CVM_EVENT_... */
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

struct Buckets
{
	MemoryContext context;
	CustomerKey *key;
	FmgrInfo	hash;
	FmgrInfo	equal;
	bool		plain_key;		/* by value and equal bits are equal keys */
	EventChunk *free_chunks;
	Size		allocated;
	Size		budget;
	Bucket		bucket[CVM_N_BUCKETS];
};

Buckets *
cvm_buckets_new(MemoryContext context, Size budget, CustomerKey *key)
{
	Buckets    *buckets = MemoryContextAllocZero(context, sizeof(Buckets));

	buckets->context = context;
	buckets->budget = budget;
	buckets->key = key;
	return buckets;
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

void
cvm_buckets_set_key(Buckets *buckets, Form_pg_attribute column)
{
	CustomerKey *key = buckets->key;
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
	fmgr_info_copy(&buckets->hash, &type->hash_proc_finfo, buckets->context);
	fmgr_info_copy(&buckets->equal, &type->eq_opr_finfo, buckets->context);
	buckets->plain_key = is_plain_key(getBaseType(key->type));
}

/* ---------- events into buckets ---------- */

static void
spill(Buckets *buckets)
{
	for (int i = 0; i < CVM_N_BUCKETS; i++)
	{
		Bucket	   *bucket = &buckets->bucket[i];

		if (bucket->first && bucket->file == NULL)
		{
			MemoryContext old = MemoryContextSwitchTo(buckets->context);

			bucket->file = BufFileCreateTemp(false);
			MemoryContextSwitchTo(old);
		}
		while (bucket->first)
		{
			EventChunk *chunk = bucket->first;

			BufFileWrite(bucket->file, chunk->data, chunk->used);
			bucket->file_bytes += chunk->used;
			bucket->first = chunk->next;
			chunk->next = buckets->free_chunks;
			buckets->free_chunks = chunk;
		}
		bucket->last = NULL;
	}
}

static EventChunk *
new_chunk(Buckets *buckets, Size size)
{
	EventChunk *chunk;
	Size		wanted = Max(size, CHUNK_BYTES - offsetof(EventChunk, data));

	if (buckets->free_chunks && size <= CHUNK_BYTES - offsetof(EventChunk, data))
	{
		chunk = buckets->free_chunks;
		buckets->free_chunks = chunk->next;
	}
	else
	{
		chunk = MemoryContextAllocHuge(buckets->context, offsetof(EventChunk, data) + wanted);
		buckets->allocated += offsetof(EventChunk, data) + wanted;
	}
	chunk->next = NULL;
	chunk->used = 0;
	return chunk;
}

/* Room for one event of `size` bytes in a bucket. */
static char *
reserve(Buckets *buckets, Bucket *bucket, Size size)
{
	EventChunk *chunk = bucket->last;
	char	   *place;

	if (chunk == NULL || chunk->used + size > CHUNK_BYTES - offsetof(EventChunk, data))
	{
		if (buckets->free_chunks == NULL && buckets->allocated > buckets->budget)
			spill(buckets);
		chunk = new_chunk(buckets, size);
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
hash_key(Buckets *buckets, Datum key)
{
	if (buckets->plain_key)
		return (uint32) (murmurhash64((uint64) key) >> 32);
	return DatumGetUInt32(FunctionCall1Coll(&buckets->hash, buckets->key->collation, key));
}

void
cvm_buckets_add(Buckets *buckets, Datum key, const CvmPurchase *purchase)
{
	const CustomerKey *type = buckets->key;
	uint32		hash = hash_key(buckets, key);
	Bucket	   *bucket = &buckets->bucket[hash % CVM_N_BUCKETS];
	Event		event = {.purchase = *purchase};
	Size		length;
	char	   *place;

	if (type->byval)
	{
		event.key = (uint64) key;
		memcpy(reserve(buckets, bucket, sizeof(Event)), &event, sizeof(Event));
		return;
	}
	if (type->typlen == -1)
		key = PointerGetDatum(PG_DETOAST_DATUM(key));	/* four-byte header: records are aligned */
	length = datumGetSize(key, false, type->typlen);
	event.key = length;
	place = reserve(buckets, bucket, sizeof(Event) + MAXALIGN(length));
	memcpy(place, &event, sizeof(Event));
	memcpy(place + sizeof(Event), DatumGetPointer(key), length);
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
	double		prior_residual;
	int32		attributes;
	bool		attributes_differ;
	bool		merged;
	bool		forgotten;
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
		uint32		slot = (grouping->groups[i].hash / CVM_N_BUCKETS) & grouping->mask;

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
find_group(Buckets *buckets, Grouping *grouping, const char *event)
{
	const CustomerKey *type = buckets->key;
	Datum		key = event_key(type, event);
	uint32		hash = hash_key(buckets, key);
	uint32		slot = (hash / CVM_N_BUCKETS) & grouping->mask;
	int			found;

	for (; grouping->slots[slot]; slot = (slot + 1) & grouping->mask)
	{
		CustomerGroup	   *group = &grouping->groups[grouping->slots[slot] - 1];
		Datum		other;

		if (group->hash != hash)
			continue;
		other = event_key(type, group->event);
		if (buckets->plain_key ? key == other
			: DatumGetBool(FunctionCall2Coll(&buckets->equal, type->collation, key, other)))
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
assign_groups(Buckets *buckets, Bucket *bucket, Grouping *grouping)
{
	const CustomerKey *type = buckets->key;
	int64		i = 0;

	grouping->max_groups = 256;
	grouping->groups = palloc(sizeof(CustomerGroup) * grouping->max_groups);
	grouping->mask = 1023;
	grouping->slots = palloc0(sizeof(uint32) * (grouping->mask + 1));
	grouping->group_of = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(uint32) * bucket->events + 1);
	for (Size offset = 0; offset < grouping->bytes; offset += event_size(type, grouping->events + offset))
	{
		const Event *event = (const Event *) (grouping->events + offset);
		int			number = find_group(buckets, grouping, (const char *) event);
		CustomerGroup	   *group = &grouping->groups[number];

		if (i % POLL_EVENTS == 0)
			CHECK_FOR_INTERRUPTS();
		grouping->group_of[i++] = number;
		if (event->purchase.scale == CVM_EVENT_PRIOR)
		{
			group->prior_segment = event->purchase.period;
			memcpy(&group->prior_residual, &event->purchase.mantissa, sizeof(double));
			group->prior_since = event->purchase.at;
		}
		else if (event->purchase.scale == CVM_EVENT_SUBSCRIPTION)
			group->n_subscriptions++;
		else if (event->purchase.scale == CVM_EVENT_ATTRIBUTES)
		{
			group->attributes_differ |= group->attributes != 0 && group->attributes != event->purchase.period;
			group->attributes = event->purchase.period;
		}
		else if (event->purchase.scale == CVM_EVENT_MERGED)
			group->merged = true;
		else if (event->purchase.scale == CVM_EVENT_FORGOTTEN)
			group->forgotten = true;
		else
			group->n++;
	}
}

/* Brings every customer's purchases together, and then his subscriptions (counting sort). */
static void
scatter(Buckets *buckets, Bucket *bucket, Grouping *grouping)
{
	const CustomerKey *type = buckets->key;
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

		if (event->purchase.scale == CVM_EVENT_SUBSCRIPTION)
			grouping->rows[group->next_subscription++] = event->purchase;
		else if (event->purchase.scale < CVM_EVENT_FIRST)
			grouping->rows[group->next++] = event->purchase;
	}
}

/* ---------- a bucket's customers ---------- */

static void
free_chunks(Bucket *bucket)
{
	while (bucket->first)
	{
		EventChunk *chunk = bucket->first;

		bucket->first = chunk->next;
		pfree(chunk);
	}
	bucket->last = NULL;
}

void
cvm_bucket_group(Buckets *buckets, int number, CustomerReceiver receive, void *context)
{
	Bucket	   *bucket = &buckets->bucket[number];
	const CustomerKey *type = buckets->key;
	Grouping	grouping = {0};

	if (bucket->events == 0)
		return;
	load_bucket(bucket, &grouping);
	assign_groups(buckets, bucket, &grouping);
	scatter(buckets, bucket, &grouping);
	for (int g = 0; g < grouping.n_groups; g++)
	{
		CustomerGroup *group = &grouping.groups[g];
		const Event *event = (const Event *) group->event;
		CustomerEvents customer = {
			.key = type->byval ? (Datum) event->key : (Datum) 0,
			.key_bytes = group->event + sizeof(Event),.key_size = type->byval ? 0 : event->key,
			.purchases = grouping.rows + group->offset,.n_purchases = group->n,
			.subscriptions = grouping.rows + group->offset + group->n,.n_subscriptions = group->n_subscriptions,
			.prior_segment = group->prior_segment,.prior_since = group->prior_since,
			.prior_residual = group->prior_residual,
			.attributes = group->attributes,.attributes_differ = group->attributes_differ,.merged = group->merged,.forgotten = group->forgotten
		};

		CHECK_FOR_INTERRUPTS();
		receive(context, &customer);
	}
	free_chunks(bucket);
}
