/*
 * names.c: distinct names and their numbers, of segments that may be many.
 */
#include "engine.h"

#include "utils/memutils.h"

typedef struct NameEntry
{
	const char *name;
	uint32		hash;
	char		status;			/* of simplehash */
	int			number;
} NameEntry;

static inline uint32
hash_name(const char *name)
{
	return hash_bytes((const unsigned char *) name, (int) strlen(name));
}

#define SH_PREFIX name
#define SH_ELEMENT_TYPE NameEntry
#define SH_KEY_TYPE const char *
#define SH_KEY name
#define SH_HASH_KEY(tb, k) hash_name(k)
#define SH_EQUAL(tb, a, b) (strcmp(a, b) == 0)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, a) ((a)->hash)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

struct Names
{
	MemoryContext context;
	name_hash  *table;
	const char **names;			/* by number */
	int			count;
	int			allocated;
};

Names *
cvm_names_new(MemoryContext context)
{
	Names	   *names = MemoryContextAllocZero(context, sizeof(Names));

	names->context = context;
	names->table = name_create(context, 64, NULL);
	names->allocated = 64;
	names->names = MemoryContextAlloc(context, sizeof(char *) * names->allocated);
	return names;
}

/* The number of a name, the next one where it is new. */
int
cvm_names_add(Names *names, const char *name)
{
	bool		found;
	NameEntry  *entry = name_insert(names->table, name, &found);

	if (found)
		return entry->number;
	if (names->count == names->allocated)
	{
		names->allocated *= 2;
		names->names = repalloc_huge(names->names, sizeof(char *) * names->allocated);
	}
	entry->name = MemoryContextStrdup(names->context, name);
	entry->number = names->count;
	names->names[names->count] = entry->name;
	return names->count++;
}

int
cvm_names_count(const Names *names)
{
	return names->count;
}

const char *
cvm_names_get(const Names *names, int number)
{
	return names->names[number];
}
