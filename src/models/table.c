/*
 * table.c: customers collapsed to distinct rows (see table.h, cells.h).
 *
 * Rows are gathered in chunks.  Finishing numbers the distinct values of every
 * column (a hash table, then sorted), packs a row's numbers into one key, sorts
 * the keys by radix, and adds up the weights of equal ones: three or four
 * passes over the rows, no comparison sort.
 */
#include "models/cells.h"

#include <math.h>
#include <string.h>

#define CHUNK_ROWS 4096
#define COLUMNS 3

typedef struct chunk
{
	struct chunk *next;
	size_t		rows;
	cvm_row		row[CHUNK_ROWS];
} chunk;

struct cvm_table
{
	cvm_kind	kind;
	cvm_env		env;			/* a copy: the caller's need not outlive the call */
	chunk	   *first;
	chunk	   *last;
	size_t		added;
	cvm_cells	cells;
};

/* A column's distinct values in ascending order, and the number of every row's value. */
typedef struct column
{
	uint64_t   *value;			/* bits of the doubles: ordered alike, as all are >= 0 */
	size_t		distinct;
	uint32_t   *id;				/* per row added */
} column;

static void *
allocate(const cvm_env *env, size_t count, size_t size)
{
	if (count > SIZE_MAX / size)
		return NULL;
	return env->alloc(env->context, count > 0 ? count * size : 1);
}

static void
release(const cvm_env *env, void *pointer)
{
	if (pointer != NULL)
		env->release(env->context, pointer);
}

static void
release_chunks(cvm_table *table)
{
	while (table->first != NULL)
	{
		chunk	   *next = table->first->next;

		release(&table->env, table->first);
		table->first = next;
	}
	table->last = NULL;
}

cvm_table *
cvm_table_new(cvm_kind kind, const cvm_env *env)
{
	cvm_table  *table = allocate(env, 1, sizeof(cvm_table));

	if (table == NULL)
		return NULL;
	memset(table, 0, sizeof(*table));
	table->kind = kind;
	table->env = *env;
	return table;
}

/*
 * A spend row without a repeat purchase (x = 0) says nothing of spend and is
 * left out.
 */
cvm_status
cvm_table_add(cvm_table *table, const cvm_row *row)
{
	if (table->kind == CVM_SPEND && row->x == 0)
		return CVM_OK;
	if (table->last == NULL || table->last->rows == CHUNK_ROWS)
	{
		chunk	   *fresh = allocate(&table->env, 1, sizeof(chunk));

		if (fresh == NULL)
			return CVM_NO_MEMORY;
		fresh->next = NULL;
		fresh->rows = 0;
		if (table->last == NULL)
			table->first = fresh;
		else
			table->last->next = fresh;
		table->last = fresh;
	}
	table->last->row[table->last->rows++] = *row;
	table->added++;
	return CVM_OK;
}

/* The columns that tell rows apart, most significant first. */
static double
column_value(const cvm_row *row, cvm_kind kind, int column)
{
	if (column == 0)
		return row->x;
	if (kind == CVM_SPEND)
		return column == 1 ? row->mean_spend : 0;
	return column == 1 ? row->age : row->t_x;
}

static uint64_t
bits_of(double value)
{
	uint64_t	bits;

	value += 0.0;				/* no negative zero */
	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static double
value_of(uint64_t bits)
{
	double		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

/*
 * Sort keys, and what belongs to them, by radix: eight bits at a time, least
 * significant first; digits that all keys share are skipped.
 */
static cvm_status
radix_sort(const cvm_env *env, uint64_t *key, uint32_t *payload, size_t n)
{
	uint64_t   *key_from = key;
	uint32_t   *payload_from = payload;
	uint64_t   *spare_key = allocate(env, n, sizeof(uint64_t));
	uint32_t   *spare_payload = allocate(env, n, sizeof(uint32_t));
	uint64_t   *key_to = spare_key;
	uint32_t   *payload_to = spare_payload;
	cvm_status	status = spare_key && spare_payload ? CVM_OK : CVM_NO_MEMORY;

	for (int shift = 0; status == CVM_OK && shift < 64; shift += 8)
	{
		size_t		start[257] = {0};

		for (size_t i = 0; i < n; i++)
			start[((key_from[i] >> shift) & 255) + 1]++;
		if (n == 0 || start[((key_from[0] >> shift) & 255) + 1] == n)
			continue;
		for (int digit = 0; digit < 256; digit++)
			start[digit + 1] += start[digit];
		for (size_t i = 0; i < n; i++)
		{
			size_t		at = start[(key_from[i] >> shift) & 255]++;

			key_to[at] = key_from[i];
			payload_to[at] = payload_from[i];
		}
		{
			uint64_t   *keys = key_from;
			uint32_t   *payloads = payload_from;

			key_from = key_to;
			key_to = keys;
			payload_from = payload_to;
			payload_to = payloads;
		}
	}
	if (key_from != key && status == CVM_OK)
	{
		memcpy(key, key_from, n * sizeof(uint64_t));
		memcpy(payload, payload_from, n * sizeof(uint32_t));
	}
	release(env, spare_key);
	release(env, spare_payload);
	return status;
}

/* An open hash table from a value's bits to its number, in order of arrival. */
typedef struct dictionary
{
	const cvm_env *env;
	uint64_t   *value;			/* per number */
	uint32_t   *slot;			/* number + 1, or 0 for an empty slot */
	size_t		slots;			/* a power of two, at least twice the values */
	size_t		distinct;
} dictionary;

static size_t
slot_of(const dictionary *d, uint64_t bits)
{
	size_t		at = (size_t) ((bits * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (d->slots - 1);

	while (d->slot[at] != 0 && d->value[d->slot[at] - 1] != bits)
		at = (at + 1) & (d->slots - 1);
	return at;
}

static void
dictionary_free(dictionary *d)
{
	release(d->env, d->value);
	release(d->env, d->slot);
}

static cvm_status
dictionary_resize(dictionary *d, size_t slots)
{
	dictionary	larger = {d->env, NULL, NULL, slots, d->distinct};

	larger.value = allocate(d->env, slots / 2 + 1, sizeof(uint64_t));
	larger.slot = allocate(d->env, slots, sizeof(uint32_t));
	if (larger.value == NULL || larger.slot == NULL)
	{
		dictionary_free(&larger);
		return CVM_NO_MEMORY;
	}
	memset(larger.slot, 0, slots * sizeof(uint32_t));
	if (d->distinct > 0)
		memcpy(larger.value, d->value, d->distinct * sizeof(uint64_t));
	for (size_t i = 0; i < d->distinct; i++)
		larger.slot[slot_of(&larger, larger.value[i])] = (uint32_t) (i + 1);
	dictionary_free(d);
	*d = larger;
	return CVM_OK;
}

/* The number of a value; a new one gets the next number.  UINT32_MAX: no memory. */
static uint32_t
number_of(dictionary *d, uint64_t bits)
{
	size_t		at;

	if (d->distinct >= d->slots / 2
		&& dictionary_resize(d, d->slots == 0 ? 1024 : 4 * d->slots) != CVM_OK)
		return UINT32_MAX;
	at = slot_of(d, bits);
	if (d->slot[at] == 0)
	{
		d->value[d->distinct++] = bits;
		d->slot[at] = (uint32_t) d->distinct;
	}
	return d->slot[at] - 1;
}

/* Renumber the values in ascending order. */
static cvm_status
order_column(const cvm_env *env, column *c, size_t rows)
{
	uint32_t   *arrival = allocate(env, c->distinct, sizeof(uint32_t));
	uint32_t   *rank = allocate(env, c->distinct, sizeof(uint32_t));
	cvm_status	status = arrival && rank ? CVM_OK : CVM_NO_MEMORY;

	if (status == CVM_OK)
	{
		for (size_t i = 0; i < c->distinct; i++)
			arrival[i] = (uint32_t) i;
		status = radix_sort(env, c->value, arrival, c->distinct);
	}
	if (status == CVM_OK)
	{
		for (size_t i = 0; i < c->distinct; i++)
			rank[arrival[i]] = (uint32_t) i;
		for (size_t i = 0; i < rows; i++)
			c->id[i] = rank[c->id[i]];
	}
	release(env, arrival);
	release(env, rank);
	return status;
}

static cvm_status
number_column(const cvm_table *table, int which, column *c)
{
	dictionary	d = {&table->env, NULL, NULL, 0, 0};
	size_t		i = 0;
	cvm_status	status = CVM_OK;

	c->id = allocate(&table->env, table->added, sizeof(uint32_t));
	if (c->id == NULL)
		return CVM_NO_MEMORY;
	for (const chunk *at = table->first; at != NULL && status == CVM_OK; at = at->next)
	{
		for (size_t k = 0; k < at->rows; k++)
		{
			uint32_t	number = number_of(&d, bits_of(column_value(&at->row[k], table->kind, which)));

			if (number == UINT32_MAX)
			{
				status = CVM_NO_MEMORY;
				break;
			}
			c->id[i++] = number;
		}
		if (cvm_table_cancelled(table))
			status = CVM_CANCELLED;
	}
	c->value = d.value;
	c->distinct = d.distinct;
	release(&table->env, d.slot);
	return status == CVM_OK ? order_column(&table->env, c, table->added) : status;
}

static int
bits_for(size_t distinct)
{
	int			bits = 0;

	while (bits < 64 && ((uint64_t) 1 << bits) < distinct)
		bits++;
	return bits;
}

/*
 * One key a row, and the rows' order by it.  Where the numbers need more than
 * 64 bits (millions of distinct values in every column) the lowest bits of the
 * last column go: then some equal rows may stay apart, which costs nothing but
 * space.
 */
static cvm_status
sort_rows(const cvm_table *table, const column *c, uint64_t *key, uint32_t *order)
{
	int			bits[COLUMNS];
	int			excess;

	for (int k = 0; k < COLUMNS; k++)
		bits[k] = bits_for(c[k].distinct);
	excess = bits[0] + bits[1] + bits[2] - 64;
	if (excess < 0)
		excess = 0;
	for (size_t i = 0; i < table->added; i++)
	{
		key[i] = c[0].id[i];
		key[i] = (key[i] << bits[1]) | c[1].id[i];
		key[i] = (key[i] << (bits[2] - excess)) | (c[2].id[i] >> excess);
		order[i] = (uint32_t) i;
	}
	return radix_sort(&table->env, key, order, table->added);
}

/* Two neighbours in the order are the same customer statistics. */
static bool
same_cell(const column *c, uint32_t i, uint32_t j)
{
	return c[0].id[i] == c[0].id[j] && c[1].id[i] == c[1].id[j] && c[2].id[i] == c[2].id[j];
}

static size_t
count_cells(const column *c, const uint32_t *order, size_t rows)
{
	size_t		cells = rows > 0 ? 1 : 0;

	for (size_t i = 1; i < rows; i++)
		cells += !same_cell(c, order[i - 1], order[i]);
	return cells;
}

/*
 * Equal rows become one.  log_intervals enters likelihoods linearly, so that
 * its weighted mean loses nothing.
 */
static void
collapse(cvm_cells *cells, const column *c, const cvm_row **row, const uint32_t *order, size_t rows)
{
	size_t		at = 0;

	for (size_t i = 0; i < rows; i++)
	{
		const cvm_row *next = row[order[i]];
		cvm_row    *cell;

		if (i > 0 && same_cell(c, order[i - 1], order[i]))
		{
			cell = &cells->row[at - 1];
			cell->weight += next->weight;
			cell->log_intervals += (next->log_intervals - cell->log_intervals)
				* (next->weight / cell->weight);
			continue;
		}
		cells->row[at] = *next;
		if (cells->age_id != NULL)
		{
			cells->age_id[at] = c[1].id[order[i]];
			cells->span_id[at] = c[2].id[order[i]];
		}
		at++;
	}
	cells->rows = at;
}

static void
form_groups(cvm_cells *cells)
{
	cells->groups = 0;
	for (size_t i = 0; i < cells->rows; i++)
	{
		cvm_group  *group;

		if (i == 0 || cells->row[i].x != cells->row[i - 1].x)
		{
			group = &cells->group[cells->groups++];
			group->x = cells->row[i].x;
			group->first = i;
			group->rows = 0;
			group->customers = 0;
			group->log_total = 0;
		}
		group = &cells->group[cells->groups - 1];
		group->rows++;
		group->customers += cells->row[i].weight;
		cells->weight[i] = cells->row[i].weight;
	}
}

static void
sum_purchases(cvm_cells *cells)
{
	double		ages = 0;

	memset(cells->age_customers, 0, cells->ages * sizeof(double));
	memset(cells->age_purchases, 0, cells->ages * sizeof(double));
	for (size_t i = 0; i < cells->rows; i++)
	{
		const cvm_row *row = &cells->row[i];

		cells->age_customers[cells->age_id[i]] += row->weight;
		cells->age_purchases[cells->age_id[i]] += row->weight * row->x;
		cells->customers += row->weight;
		cells->purchases += row->weight * row->x;
		ages += row->weight * row->age;
	}
	cells->mean_age = cells->customers > 0 ? ages / cells->customers : 0;
}

static void
sum_spend(cvm_cells *cells)
{
	for (size_t g = 0; g < cells->groups; g++)
	{
		cvm_group  *group = &cells->group[g];

		for (size_t i = group->first; i < group->first + group->rows; i++)
		{
			const cvm_row *row = &cells->row[i];

			cells->total[i] = row->x * row->mean_spend;
			group->log_total += row->weight * log(cells->total[i]);
			cells->log_mean_spend += row->weight * log(row->mean_spend);
			cells->customers += row->weight;
			cells->purchases += row->weight * row->x;
		}
	}
	cells->typical_spend = cells->customers > 0 ? exp(cells->log_mean_spend / cells->customers) : 0;
}

/* The distinct values of a column as doubles, taking over its memory. */
static double *
as_doubles(column *c)
{
	double	   *value = (double *) (void *) c->value;

	for (size_t i = 0; i < c->distinct; i++)
	{
		double		v = value_of(c->value[i]);

		memcpy(&value[i], &v, sizeof(v));
	}
	c->value = NULL;
	return value;
}

static cvm_status
allocate_cells(cvm_table *table, column *c, size_t rows)
{
	const cvm_env *env = &table->env;
	cvm_cells  *cells = &table->cells;

	cells->row = allocate(env, rows, sizeof(cvm_row));
	cells->weight = allocate(env, rows, sizeof(double));
	cells->group = allocate(env, c[0].distinct, sizeof(cvm_group));
	if (table->kind == CVM_SPEND)
	{
		cells->total = allocate(env, rows, sizeof(double));
		return cells->row && cells->weight && cells->group && cells->total ? CVM_OK : CVM_NO_MEMORY;
	}
	cells->ages = c[1].distinct;
	cells->age = as_doubles(&c[1]);
	cells->spans = c[2].distinct;
	cells->span = as_doubles(&c[2]);
	cells->age_id = allocate(env, rows, sizeof(uint32_t));
	cells->span_id = allocate(env, rows, sizeof(uint32_t));
	cells->age_customers = allocate(env, cells->ages, sizeof(double));
	cells->age_purchases = allocate(env, cells->ages, sizeof(double));
	cells->age_shifted = allocate(env, cells->ages, sizeof(cvm_shifted));
	cells->span_shifted = allocate(env, cells->spans, sizeof(cvm_shifted));
	return cells->row && cells->weight && cells->group && cells->age_id && cells->span_id
		&& cells->age_customers && cells->age_purchases && cells->age_shifted
		&& cells->span_shifted ? CVM_OK : CVM_NO_MEMORY;
}

static cvm_status
fill_cells(cvm_table *table, column *c, const uint32_t *order)
{
	size_t		rows = count_cells(c, order, table->added);
	const cvm_row **row = allocate(&table->env, table->added, sizeof(cvm_row *));
	cvm_status	status = row ? allocate_cells(table, c, rows) : CVM_NO_MEMORY;
	size_t		i = 0;

	if (status == CVM_OK)
	{
		for (const chunk *at = table->first; at != NULL; at = at->next)
			for (size_t k = 0; k < at->rows; k++)
				row[i++] = &at->row[k];
		collapse(&table->cells, c, row, order, table->added);
		form_groups(&table->cells);
		if (table->kind == CVM_SPEND)
			sum_spend(&table->cells);
		else
			sum_purchases(&table->cells);
	}
	release(&table->env, row);
	return status;
}

cvm_status
cvm_table_finish(cvm_table *table)
{
	const cvm_env *env = &table->env;
	column		c[COLUMNS] = {{NULL, 0, NULL}, {NULL, 0, NULL}, {NULL, 0, NULL}};
	uint64_t   *key = allocate(env, table->added, sizeof(uint64_t));
	uint32_t   *order = allocate(env, table->added, sizeof(uint32_t));
	cvm_status	status = key && order && table->added < UINT32_MAX ? CVM_OK : CVM_NO_MEMORY;

	for (int k = 0; k < COLUMNS && status == CVM_OK; k++)
		status = number_column(table, k, &c[k]);
	if (status == CVM_OK)
		status = sort_rows(table, c, key, order);
	release(env, key);
	if (status == CVM_OK)
		status = fill_cells(table, c, order);
	release(env, order);
	for (int k = 0; k < COLUMNS; k++)
	{
		release(env, c[k].value);
		release(env, c[k].id);
	}
	release_chunks(table);
	return status;
}

void
cvm_table_free(cvm_table *table)
{
	cvm_env		copy;
	const cvm_env *env = &copy;
	cvm_cells  *cells;

	if (table == NULL)
		return;
	copy = table->env;
	cells = &table->cells;
	release_chunks(table);
	release(env, cells->row);
	release(env, cells->group);
	release(env, cells->weight);
	release(env, cells->age_id);
	release(env, cells->span_id);
	release(env, cells->age);
	release(env, cells->age_customers);
	release(env, cells->age_purchases);
	release(env, cells->age_shifted);
	release(env, cells->span);
	release(env, cells->span_shifted);
	release(env, cells->total);
	release(env, table);
}

cvm_kind
cvm_table_kind(const cvm_table *table)
{
	return table->kind;
}

double
cvm_table_customers(const cvm_table *table)
{
	return table->cells.customers;
}

size_t
cvm_table_rows(const cvm_table *table)
{
	return table->cells.rows;
}

const cvm_row *
cvm_table_row(const cvm_table *table, size_t i)
{
	return &table->cells.row[i];
}

const cvm_cells *
cvm_table_cells(const cvm_table *table)
{
	return &table->cells;
}

bool
cvm_table_cancelled(const cvm_table *table)
{
	return table->env.cancelled != NULL && table->env.cancelled(table->env.context);
}
