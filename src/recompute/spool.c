/*
 * spool.c: an append-only sequence of variable-length records, in memory up to a
 * limit and in a temporary file beyond it.
 *
 * The file outlives transactions (the recompute commits between its steps), so
 * it must be freed by cvm_spool_free, also on error.  Records must all be added,
 * and the spool rewound once, in the transaction that began with them: a file
 * grows on behalf of that transaction's resource owner.
 */
#include "engine.h"

#include "utils/memutils.h"

#define CHUNK_BYTES (1024 * 1024)

typedef struct Chunk
{
	struct Chunk *next;
	Size		used;
	char		data[FLEXIBLE_ARRAY_MEMBER];
} Chunk;

struct Spool
{
	MemoryContext context;
	Size		limit;
	Size		allocated;
	Chunk	   *first;
	Chunk	   *last;
	BufFile    *file;			/* records beyond the limit; NULL if none */
	/* reading */
	Chunk	   *chunk;
	Size		offset;
	bool		in_file;
	char	   *buffer;			/* record read back from the file */
	Size		buffer_size;
};

/* Records are padded so that the next one starts aligned. */
typedef struct RecordHead
{
	Size		size;
} RecordHead;

Spool *
cvm_spool_new(MemoryContext context, Size limit)
{
	Spool	   *spool = MemoryContextAllocZero(context, sizeof(Spool));

	spool->context = context;
	spool->limit = limit;
	return spool;
}

/* Room for `size` bytes in memory, or NULL when the limit is reached. */
static char *
reserve(Spool *spool, Size size)
{
	char	   *place;

	if (spool->file)
		return NULL;			/* keep the order: once in the file, always there */
	if (spool->last == NULL || spool->last->used + size > CHUNK_BYTES)
	{
		Size		wanted = offsetof(Chunk, data) + Max(size, CHUNK_BYTES);
		Chunk	   *chunk;

		if (spool->allocated + wanted > spool->limit && spool->first)
			return NULL;
		chunk = MemoryContextAllocHuge(spool->context, wanted);
		chunk->next = NULL;
		chunk->used = 0;
		if (spool->last)
			spool->last->next = chunk;
		else
			spool->first = chunk;
		spool->last = chunk;
		spool->allocated += wanted;
	}
	place = spool->last->data + spool->last->used;
	spool->last->used += size;
	return place;
}

/* Appends a record made of two parts. */
void
cvm_spool_add(Spool *spool, const void *head, Size head_size, const void *tail, Size tail_size)
{
	static const char zeros[MAXIMUM_ALIGNOF] = {0};
	RecordHead	record = {.size = head_size + tail_size};
	Size		padding = MAXALIGN(record.size) - record.size;
	char	   *place = reserve(spool, sizeof(RecordHead) + record.size + padding);

	if (place)
	{
		memcpy(place, &record, sizeof(RecordHead));
		memcpy(place + sizeof(RecordHead), head, head_size);
		if (tail_size > 0)
			memcpy(place + sizeof(RecordHead) + head_size, tail, tail_size);
		return;
	}
	if (spool->file == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(spool->context);

		spool->file = BufFileCreateTemp(true);
		MemoryContextSwitchTo(old);
	}
	BufFileWrite(spool->file, &record, sizeof(RecordHead));
	BufFileWrite(spool->file, (void *) head, head_size);
	if (tail_size > 0)
		BufFileWrite(spool->file, (void *) tail, tail_size);
	if (padding > 0)
		BufFileWrite(spool->file, (void *) zeros, padding);
}

void
cvm_spool_rewind(Spool *spool)
{
	spool->chunk = spool->first;
	spool->offset = 0;
	spool->in_file = false;
	if (spool->file && BufFileSeek(spool->file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rewind temporary file of customer records: %m")));
}

/* Reads exactly size bytes of the file; false at its end. */
static bool
read_file(Spool *spool, void *target, Size size)
{
	size_t		got = BufFileRead(spool->file, target, size);

	if (got == 0)
		return false;
	if (got != size)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read temporary file of customer records: read only %zu of %zu bytes",
						got, (size_t) size)));
	return true;
}

static char *
next_in_file(Spool *spool, Size *size)
{
	RecordHead	record;
	Size		padded;

	if (spool->file == NULL || !read_file(spool, &record, sizeof(record)))
		return NULL;
	padded = MAXALIGN(record.size);
	if (padded > spool->buffer_size)
	{
		if (spool->buffer)
			pfree(spool->buffer);
		spool->buffer_size = Max(padded, 1024);
		spool->buffer = MemoryContextAlloc(spool->context, spool->buffer_size);
	}
	if (!read_file(spool, spool->buffer, padded))
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("temporary file of customer records ends inside a record")));
	*size = record.size;
	return spool->buffer;
}

char *
cvm_spool_next(Spool *spool, Size *size)
{
	RecordHead	record;
	char	   *data;

	while (spool->chunk && spool->offset >= spool->chunk->used)
	{
		spool->chunk = spool->chunk->next;
		spool->offset = 0;
	}
	if (spool->chunk == NULL)
		return next_in_file(spool, size);
	memcpy(&record, spool->chunk->data + spool->offset, sizeof(record));
	data = spool->chunk->data + spool->offset + sizeof(RecordHead);
	spool->offset += sizeof(RecordHead) + MAXALIGN(record.size);
	*size = record.size;
	return data;
}

void
cvm_spool_free(Spool *spool)
{
	Chunk	   *chunk = spool->first;

	while (chunk)
	{
		Chunk	   *next = chunk->next;

		pfree(chunk);
		chunk = next;
	}
	spool->first = spool->last = spool->chunk = NULL;
	if (spool->file)
		BufFileClose(spool->file);
	spool->file = NULL;
}
