/*
 * table.c: customers collapsed to distinct rows (see table.h, cells.h).
 *
 * Rows are gathered in chunks.  Finishing numbers the distinct values of every
 * column, packs a row's numbers into one key, sorts the keys by radix, and adds
 * up the weights of equal ones: a handful of linear passes, no comparison sort.
 * The result does not depend on the order in which rows came.
 *
 * Cells point at their rows where those were added: fresh memory is dear, and
 * day-level customers hardly collapse.  Where they do, the few that are left
 * move together and the chunks go.
 */
#include "models/cells.h"
#include "models/numbering.h"

#include <math.h>
#include <string.h>

#define CHUNK_ROWS 4096
#define COLUMNS 3				/* x, age, t_x; or x, mean_spend and nothing */
#define PREFETCH 16				/* rows ahead */

#ifdef __GNUC__
#define prefetch(address) __builtin_prefetch(address)
#else
#define prefetch(address) ((void) 0)
#endif

typedef struct chunk
{
	struct chunk *next;
	size_t		rows;
	cvm_row		row[CHUNK_ROWS];
} chunk;

/* The work of finishing a table. */
typedef struct sorting
{
	cvm_numbering column[COLUMNS];
	uint32_t   *rank[COLUMNS];	/* per number by arrival: its place in order */
	uint32_t   *id;				/* COLUMNS a row added: numbers, then ranks */
	int			bits[COLUMNS];
	int			lost;			/* bits of the last column that the key has no room for */
	uint64_t   *key;
	uint32_t   *order;			/* rows in the order of the keys */
	chunk	  **chunks;			/* to find a row by its number */
} sorting;

static void
release_chunks(cvm_table *table)
{
	while (table->first != NULL)
	{
		chunk	   *next = table->first->next;

		cvm_release(&table->env, table->first);
		table->first = next;
	}
	table->last = NULL;
}

cvm_table *
cvm_table_new(cvm_kind kind, const cvm_env *env)
{
	cvm_table  *table = cvm_allocate(env, 1, sizeof(cvm_table));

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
		chunk	   *fresh;

		if (cvm_table_cancelled(table))
			return CVM_CANCELLED;
		fresh = cvm_allocate(&table->env, 1, sizeof(chunk));
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

/* What tells rows apart, most significant first. */
static void
columns_of(const cvm_row *row, cvm_kind kind, double *value)
{
	value[0] = row->x;
	value[1] = kind == CVM_SPEND ? row->mean_spend : row->age;
	value[2] = kind == CVM_SPEND ? 0 : row->t_x;
}

static cvm_status
number_rows(const cvm_table *table, sorting *s)
{
	uint32_t   *id = s->id;
	size_t		chunks = 0;

	for (chunk *at = table->first; at != NULL; at = at->next)
	{
		s->chunks[chunks++] = at;
		for (size_t i = 0; i < at->rows; i++)
		{
			double		value[COLUMNS];

			columns_of(&at->row[i], table->kind, value);
			for (int k = 0; k < COLUMNS; k++)
			{
				*id = cvm_number(&s->column[k], value[k]);
				if (*id++ == CVM_NO_NUMBER)
					return CVM_NO_MEMORY;
			}
		}
		if (cvm_table_cancelled(table))
			return CVM_CANCELLED;
	}
	return CVM_OK;
}

static int
bits_for(size_t distinct)
{
	int			bits = 0;

	while (((uint64_t) 1 << bits) < distinct)
		bits++;
	return bits;
}

static cvm_status
rank_columns(const cvm_table *table, sorting *s)
{
	for (int k = 0; k < COLUMNS; k++)
	{
		cvm_status	status;

		s->rank[k] = cvm_allocate(&table->env, s->column[k].distinct, sizeof(uint32_t));
		status = s->rank[k] ? cvm_numbering_sort(&s->column[k], s->rank[k]) : CVM_NO_MEMORY;
		if (status != CVM_OK)
			return status;
		s->bits[k] = bits_for(s->column[k].distinct);
	}
	s->lost = s->bits[0] + s->bits[1] + s->bits[2] - 64;
	s->lost = s->lost > 0 ? s->lost : 0;
	return CVM_OK;
}

/*
 * One key a row, and the rows' order by it.  Where the numbers need more than
 * 64 bits (millions of distinct values in every column) the last column gives
 * up its lowest: some equal rows may then stay apart, which only costs space.
 */
static cvm_status
sort_rows(const cvm_table *table, sorting *s)
{
	uint32_t   *id = s->id;

	for (size_t i = 0; i < table->added; i++, id += COLUMNS)
	{
		for (int k = 0; k < COLUMNS; k++)
			id[k] = s->rank[k][id[k]];
		s->key[i] = id[0];
		s->key[i] = (s->key[i] << s->bits[1]) | id[1];
		s->key[i] = (s->key[i] << (s->bits[2] - s->lost)) | (id[2] >> s->lost);
		s->order[i] = (uint32_t) i;
		if (i % CVM_POLL_ROWS == 0 && cvm_table_cancelled(table))
			return CVM_CANCELLED;
	}
	return cvm_radix_sort(&table->env, s->key, s->order, table->added,
						  s->bits[0] + s->bits[1] + s->bits[2] - s->lost);
}

/* The i-th row in order is one with its predecessor. */
static bool
repeats(const sorting *s, size_t i)
{
	if (i == 0 || s->key[i] != s->key[i - 1])
		return false;
	return s->lost == 0 || memcmp(&s->id[COLUMNS * (size_t) s->order[i]],
								  &s->id[COLUMNS * (size_t) s->order[i - 1]],
								  COLUMNS * sizeof(uint32_t)) == 0;
}

static cvm_row *
row_at(const sorting *s, size_t i)
{
	return &s->chunks[s->order[i] / CHUNK_ROWS]->row[s->order[i] % CHUNK_ROWS];
}

/* The numbers of the i-th row's age and span, from its key where it is whole. */
static void
set_ids(cvm_cells *cells, size_t cell, const sorting *s, size_t i)
{
	if (s->lost > 0)
	{
		cells->age_id[cell] = s->id[COLUMNS * (size_t) s->order[i] + 1];
		cells->span_id[cell] = s->id[COLUMNS * (size_t) s->order[i] + 2];
		return;
	}
	cells->age_id[cell] = (uint32_t) (s->key[i] >> s->bits[2] & (((uint64_t) 1 << s->bits[1]) - 1));
	cells->span_id[cell] = (uint32_t) (s->key[i] & (((uint64_t) 1 << s->bits[2]) - 1));
}

/* A further cell; opens a group where x changes. */
static void
add_cell(cvm_cells *cells, const sorting *s, size_t i, cvm_row *row)
{
	size_t		cell = cells->rows++;
	cvm_group  *group = &cells->group[cells->groups];

	if (cells->groups == 0 || group[-1].x != row->x)
	{
		*group = (cvm_group) {.x = row->x, .first = cell};
		cells->groups++;
	}
	else
		group--;
	group->rows++;
	cells->row[cell] = row;
	cells->weight[cell] = row->weight;
	if (cells->total != NULL)
		cells->total[cell] = row->x * row->mean_spend;
	else
		set_ids(cells, cell, s, i);
}

/*
 * Equal rows become one.  log_intervals enters likelihoods linearly, so that
 * its weighted mean loses nothing.
 */
static cvm_status
collapse(cvm_table *table, const sorting *s)
{
	cvm_cells  *cells = &table->cells;
	size_t		rows = table->added;

	for (size_t i = 0; i < rows; i++)
	{
		cvm_row    *row = row_at(s, i);
		cvm_row    *same;

		if (i % CVM_POLL_ROWS == 0 && cvm_table_cancelled(table))
			return CVM_CANCELLED;

		if (i + PREFETCH < rows)
			prefetch(row_at(s, i + PREFETCH));
		cells->log_intervals += row->weight * row->log_intervals;
		if (!repeats(s, i))
		{
			add_cell(cells, s, i, row);
			continue;
		}
		same = cells->row[cells->rows - 1];
		same->weight += row->weight;
		same->log_intervals += (row->log_intervals - same->log_intervals)
			* (row->weight / same->weight);
		cells->weight[cells->rows - 1] = same->weight;
	}
	return CVM_OK;
}

/* Let go of the chunks if most of what was added collapsed. */
static cvm_status
compact(cvm_table *table)
{
	cvm_cells  *cells = &table->cells;

	if (cells->rows > table->added / 2)
		return CVM_OK;
	cells->compact = cvm_allocate(&table->env, cells->rows, sizeof(cvm_row));
	if (cells->compact == NULL)
		return CVM_NO_MEMORY;
	for (size_t i = 0; i < cells->rows; i++)
	{
		cells->compact[i] = *cells->row[i];
		cells->row[i] = &cells->compact[i];
	}
	release_chunks(table);
	return CVM_OK;
}

static void
sum_purchases(cvm_cells *cells)
{
	double		ages = 0;

	memset(cells->age_customers, 0, cells->ages * sizeof(double));
	memset(cells->age_purchases, 0, cells->ages * sizeof(double));
	for (size_t g = 0; g < cells->groups; g++)
	{
		cvm_group  *group = &cells->group[g];

		for (size_t i = group->first; i < group->first + group->rows; i++)
		{
			cells->age_customers[cells->age_id[i]] += cells->weight[i];
			cells->age_purchases[cells->age_id[i]] += cells->weight[i] * group->x;
			group->customers += cells->weight[i];
		}
		cells->customers += group->customers;
		cells->purchases += group->customers * group->x;
	}
	for (size_t k = 0; k < cells->ages; k++)
		ages += cells->age_customers[k] * cells->age[k];
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
			group->log_total += cells->weight[i] * log(cells->total[i]);
			group->customers += cells->weight[i];
		}
		cells->log_mean_spend += group->log_total - group->customers * log(group->x);
		cells->customers += group->customers;
		cells->purchases += group->customers * group->x;
	}
	cells->typical_spend = cells->customers > 0 ? exp(cells->log_mean_spend / cells->customers) : 0;
}

static cvm_status
allocate_purchases(const cvm_env *env, cvm_cells *cells, sorting *s, size_t rows)
{
	cells->ages = s->column[1].distinct;
	cells->age = cvm_numbering_values(&s->column[1]);
	cells->spans = s->column[2].distinct;
	cells->span = cvm_numbering_values(&s->column[2]);
	cells->age_id = cvm_allocate(env, rows, sizeof(uint32_t));
	cells->span_id = cvm_allocate(env, rows, sizeof(uint32_t));
	cells->age_customers = cvm_allocate(env, cells->ages, sizeof(double));
	cells->age_purchases = cvm_allocate(env, cells->ages, sizeof(double));
	cells->age_shifted = cvm_allocate(env, cells->ages, sizeof(cvm_shifted));
	cells->span_shifted = cvm_allocate(env, cells->spans, sizeof(cvm_shifted));
	return cells->age_id && cells->span_id && cells->age_customers && cells->age_purchases
		&& cells->age_shifted && cells->span_shifted ? CVM_OK : CVM_NO_MEMORY;
}

static cvm_status
fill_cells(cvm_table *table, sorting *s)
{
	const cvm_env *env = &table->env;
	cvm_cells  *cells = &table->cells;
	size_t		rows = 0;
	cvm_status	status;

	for (size_t i = 0; i < table->added; i++)
		rows += !repeats(s, i);
	cells->row = cvm_allocate(env, rows, sizeof(cvm_row *));
	cells->weight = cvm_allocate(env, rows, sizeof(double));
	cells->group = cvm_allocate(env, s->column[0].distinct, sizeof(cvm_group));
	if (table->kind == CVM_SPEND)
		status = (cells->total = cvm_allocate(env, rows, sizeof(double))) ? CVM_OK : CVM_NO_MEMORY;
	else
		status = allocate_purchases(env, cells, s, rows);
	if (status != CVM_OK || !cells->row || !cells->weight || !cells->group)
		return CVM_NO_MEMORY;
	status = collapse(table, s);
	if (status != CVM_OK)
		return status;
	if (table->kind == CVM_SPEND)
		sum_spend(cells);
	else
		sum_purchases(cells);
	return compact(table);
}

cvm_status
cvm_table_finish(cvm_table *table)
{
	const cvm_env *env = &table->env;
	sorting		s = {0};
	cvm_status	status = CVM_NO_MEMORY;

	for (int k = 0; k < COLUMNS; k++)
		s.column[k].env = env;
	s.chunks = cvm_allocate(env, table->added / CHUNK_ROWS + 1, sizeof(chunk *));
	s.id = cvm_allocate(env, table->added, COLUMNS * sizeof(uint32_t));
	s.key = cvm_allocate(env, table->added, sizeof(uint64_t));
	s.order = cvm_allocate(env, table->added, sizeof(uint32_t));
	if (s.chunks && s.id && s.key && s.order && table->added < UINT32_MAX)
		status = number_rows(table, &s);
	if (status == CVM_OK)
		status = rank_columns(table, &s);
	if (status == CVM_OK)
		status = sort_rows(table, &s);
	if (status == CVM_OK)
		status = fill_cells(table, &s);
	for (int k = 0; k < COLUMNS; k++)
	{
		cvm_numbering_free(&s.column[k]);
		cvm_release(env, s.rank[k]);
	}
	cvm_release(env, s.chunks);
	cvm_release(env, s.id);
	cvm_release(env, s.key);
	cvm_release(env, s.order);
	return status;
}

void
cvm_table_free(cvm_table *table)
{
	cvm_env		env;
	cvm_cells  *cells;

	if (table == NULL)
		return;
	env = table->env;
	cells = &table->cells;
	release_chunks(table);
	cvm_release(&env, cells->row);
	cvm_release(&env, cells->compact);
	cvm_release(&env, cells->group);
	cvm_release(&env, cells->weight);
	cvm_release(&env, cells->age_id);
	cvm_release(&env, cells->span_id);
	cvm_release(&env, cells->age);
	cvm_release(&env, cells->age_customers);
	cvm_release(&env, cells->age_purchases);
	cvm_release(&env, cells->age_shifted);
	cvm_release(&env, cells->span);
	cvm_release(&env, cells->span_shifted);
	cvm_release(&env, cells->total);
	cvm_release(&env, table);
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
	return table->cells.row[i];
}

const cvm_cells *
cvm_table_cells(const cvm_table *table)
{
	return &table->cells;
}

const cvm_env *
cvm_table_env(const cvm_table *table)
{
	return &table->env;
}

bool
cvm_table_cancelled(const cvm_table *table)
{
	return table->env.cancelled != NULL && table->env.cancelled(table->env.context);
}
