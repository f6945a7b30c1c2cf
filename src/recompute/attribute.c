/*
 * attribute.c: the attributes feed (attribute.h).  Customers have few different
 * values or many; they are kept once, 8 bytes an attribute and 8 for the number.
 */
#include "recompute/attribute.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "covariate.h"
#include "row.h"

typedef struct VectorEntry
{
	int32		number;			/* from 0 */
	char		status;			/* of simplehash */
} VectorEntry;

struct Attributes
{
	const AttributePlan *plan;
	MemoryContext context;
	Names	  **levels;			/* NULL for numbers */
	double	   *values;			/* row by row; there is room for one more */
	int32		count;
	int32		allocated;
	struct vectors_hash *numbers;
};

static const double *
values_at(const Attributes *attributes, int32 i)
{
	return attributes->values + (Size) i * attributes->plan->n;
}

#define BYTES_OF(attributes) (sizeof(double) * (attributes)->plan->n)

#define SH_PREFIX vectors
#define SH_ELEMENT_TYPE VectorEntry
#define SH_KEY_TYPE int32
#define SH_KEY number
#define SH_HASH_KEY(tb, k) hash_bytes((const unsigned char *) values_at((tb)->private_data, k), BYTES_OF((Attributes *) (tb)->private_data))
#define SH_EQUAL(tb, a, b) (memcmp(values_at((tb)->private_data, a), values_at((tb)->private_data, b), BYTES_OF((Attributes *) (tb)->private_data)) == 0)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

/* ---------- the plan ---------- */

static Datum *
array_column(int column, Oid type, int16 length, bool byval, char align, int *n)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, &isnull);
	Datum	   *elements;

	if (isnull)
		elog(ERROR, "column %d of cvm.attribute_plan is null", column);
	deconstruct_array(DatumGetArrayTypeP(value), type, length, byval, align, &elements, NULL, n);
	return elements;
}

void
cvm_attribute_plan_load(RecomputePlan *plan, MemoryContext context)
{
	Oid			types[2] = {TEXTOID, JSONBOID};
	Datum		values[2] = {CStringGetTextDatum(plan->portfolio), cvm_jsonb(plan->specification)};
	AttributePlan *attributes = &plan->attributes;
	MemoryContext old;
	bool		isnull;
	Datum	   *names,
			   *categories,
			   *processes;

	memset(attributes, 0, sizeof(*attributes));
	if (cvm_spi(SPI_OK_SELECT, "SELECT query, attributes, categories, processes FROM cvm.attribute_plan($1, $2)", 2, types, values, NULL) == 0)
		return;
	attributes->query = MemoryContextStrdup(context, TextDatumGetCString(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)));
	names = array_column(2, TEXTOID, -1, false, TYPALIGN_INT, &attributes->n);
	categories = array_column(3, BOOLOID, 1, true, TYPALIGN_CHAR, &attributes->n);
	processes = array_column(4, TEXTOID, -1, false, TYPALIGN_INT, &attributes->n);
	old = MemoryContextSwitchTo(context);
	attributes->name = palloc(sizeof(char *) * attributes->n);
	attributes->is_category = palloc(sizeof(bool) * attributes->n);
	attributes->process = palloc(sizeof(int) * attributes->n);
	for (int i = 0; i < attributes->n; i++)
	{
		attributes->name[i] = TextDatumGetCString(names[i]);
		attributes->is_category[i] = DatumGetBool(categories[i]);
		attributes->process[i] = cvm_covariate_process(TextDatumGetCString(processes[i]));
	}
	MemoryContextSwitchTo(old);
	SPI_freetuptable(SPI_tuptable);
}

/* ---------- values ---------- */

Attributes *
cvm_attributes_new(const AttributePlan *plan, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Attributes *attributes = palloc0(sizeof(Attributes));

	attributes->plan = plan;
	attributes->context = context;
	attributes->levels = palloc0(sizeof(Names *) * plan->n);
	for (int i = 0; i < plan->n; i++)
		if (plan->is_category[i])
			attributes->levels[i] = cvm_names_new(context);
	attributes->allocated = 256;
	attributes->values = palloc(BYTES_OF(attributes) * attributes->allocated);
	attributes->numbers = vectors_create(context, 256, attributes);
	MemoryContextSwitchTo(old);
	return attributes;
}

void
cvm_attributes_check(const Attributes *attributes, TupleDesc desc)
{
	if (desc->natts != attributes->plan->n + 1)
		elog(ERROR, "the query of attributes has %d columns", desc->natts);
	for (int i = 0; i < attributes->plan->n; i++)
		if (TupleDescAttr(desc, i + 1)->atttypid != (attributes->plan->is_category[i] ? TEXTOID : FLOAT8OID))
			elog(ERROR, "attribute \"%s\" has an unexpected type", attributes->plan->name[i]);
}

/* Room for one more behind the last. */
static double *
next_values(Attributes *attributes)
{
	if (attributes->count == attributes->allocated)
	{
		if (attributes->allocated > PG_INT32_MAX / 2)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("too many different attributes of customers")));
		attributes->allocated *= 2;
		attributes->values = repalloc_huge(attributes->values, BYTES_OF(attributes) * attributes->allocated);
	}
	return attributes->values + (Size) attributes->count * attributes->plan->n;
}

int32
cvm_attributes_add(Attributes *attributes, TupleTableSlot *slot)
{
	double	   *values = next_values(attributes);
	VectorEntry *entry;
	bool		found;

	for (int i = 0; i < attributes->plan->n; i++)
	{
		if (slot->tts_isnull[i + 1])
			values[i] = NAN;
		else if (attributes->levels[i])
			values[i] = cvm_names_add(attributes->levels[i], TextDatumGetCString(slot->tts_values[i + 1]));
		else
		{
			values[i] = DatumGetFloat8(slot->tts_values[i + 1]) + 0.0;	/* no -0 */
			if (!(fabs(values[i]) <= CVM_LARGEST_COVARIATE))
				return -1 - i;
		}
	}
	entry = vectors_insert(attributes->numbers, attributes->count, &found);
	if (!found)
		attributes->count++;
	return entry->number + 1;
}

const AttributePlan *
cvm_attributes_plan(const Attributes *attributes)
{
	return attributes->plan;
}

int32
cvm_attributes_count(const Attributes *attributes)
{
	return attributes->count;
}

const double *
cvm_attributes_get(const Attributes *attributes, int32 number)
{
	return values_at(attributes, number - 1);
}

const Names *
cvm_attribute_levels(const Attributes *attributes, int attribute)
{
	return attributes->levels[attribute];
}
