/*
 * table.c: customers collapsed to distinct rows (see table.h, cells.h).
 *
 * Rows are kept in chunks as the numbers of their values, of which there are few.
 * Finishing ranks the values of every column, packs a row's ranks into one key,
 * sorts the keys by radix, and adds up equal ones: a handful of linear passes, no
 * comparison sort, and no row is looked up, unless it has a weight of its own.
 * The result does not depend on the order in which rows came.
 */
#include "models/cells.h"

#include <math.h>
#include <string.h>

#define CHUNK_ROWS 4096
#define FIRST_ROWS 32			/* of the first chunk, which grows: there may be many small tables */
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
	size_t		room;			/* CHUNK_ROWS of all but the first */
	uint32_t  (*id)[CVM_COLUMNS];	/* numbers of the values, by arrival */
	double	   *weight;			/* NULL: all 1 */
	double	   *log_intervals;	/* NULL: all 0 */
} chunk;

/* The work of finishing a table. */
typedef struct sorting
{
	const cvm_table *from;
	double	   *value[CVM_COLUMNS]; /* ascending */
	uint32_t   *rank[CVM_COLUMNS];	/* per number by arrival: its place in order */
	int			bits[CVM_COLUMNS];
	int			lost;			/* bits of the last column that the key has no room for */
	uint64_t   *key;
	uint32_t   *order;			/* rows in the order of the keys; NULL: the key is all there is of a row */
	chunk	  **chunks;			/* to find a row by its number */
} sorting;

/* One row while they are collapsed. */
typedef struct place
{
	uint32_t	rank[CVM_COLUMNS];
	double		weight;
	double		log_intervals;
} place;

/* ---------- gathering ---------- */

static void
release_gathered(cvm_table *table)
{
	while (table->first != NULL)
	{
		chunk	   *next = table->first->next;

		cvm_release(&table->env, table->first->id);
		cvm_release(&table->env, table->first->weight);
		cvm_release(&table->env, table->first->log_intervals);
		cvm_release(&table->env, table->first);
		table->first = next;
	}
	table->last = NULL;
	for (int k = 0; k < CVM_COLUMNS; k++)
		cvm_numbering_free(&table->column[k]);
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
	for (int k = 0; k < CVM_COLUMNS; k++)
		table->column[k].env = &table->env;
	return table;
}

/* Room for so many rows, with what is there. */
static bool
make_room(const cvm_env *env, chunk *at, size_t room)
{
	uint32_t  (*id)[CVM_COLUMNS] = cvm_allocate(env, room, sizeof(*id));
	double	   *number[2] = {NULL, NULL};
	double	  **old[2] = {&at->weight, &at->log_intervals};

	for (int k = 0; k < 2; k++)
		if (*old[k] != NULL)
			number[k] = cvm_allocate(env, room, sizeof(double));
	if (id == NULL || (at->weight && !number[0]) || (at->log_intervals && !number[1]))
	{
		cvm_release(env, id);
		cvm_release(env, number[0]);
		cvm_release(env, number[1]);
		return false;
	}
	if (at->rows > 0)
		memcpy(id, at->id, at->rows * sizeof(*id));
	cvm_release(env, at->id);
	at->id = id;
	at->room = room;
	for (int k = 0; k < 2; k++)
	{
		if (*old[k] != NULL)
			memcpy(number[k], *old[k], at->rows * sizeof(double));
		cvm_release(env, *old[k]);
		*old[k] = number[k];
	}
	return true;
}

static cvm_status
add_chunk(cvm_table *table)
{
	chunk	   *fresh;

	if (cvm_table_cancelled(table))
		return CVM_CANCELLED;
	fresh = table->added < UINT32_MAX - CHUNK_ROWS ? cvm_allocate(&table->env, 1, sizeof(chunk)) : NULL;
	if (fresh == NULL)
		return CVM_NO_MEMORY;
	memset(fresh, 0, sizeof(*fresh));
	if (!make_room(&table->env, fresh, table->last == NULL ? FIRST_ROWS : CHUNK_ROWS))
	{
		cvm_release(&table->env, fresh);
		return CVM_NO_MEMORY;
	}
	if (table->last == NULL)
		table->first = fresh;
	else
		table->last->next = fresh;
	table->last = fresh;
	return CVM_OK;
}

/* A number of every row, of which most are alike: memory for it once one is not. */
static inline cvm_status
set_number(const cvm_table *table, double **numbers, double usual, double value, bool *any)
{
	if (*numbers == NULL)
	{
		if (value == usual)
			return CVM_OK;
		*numbers = cvm_allocate(&table->env, table->last->room, sizeof(double));
		if (*numbers == NULL)
			return CVM_NO_MEMORY;
		for (size_t i = 0; i < table->last->rows; i++)
			(*numbers)[i] = usual;
		*any = true;
	}
	(*numbers)[table->last->rows] = value;
	return CVM_OK;
}

/*
 * A spend row without a repeat purchase (x = 0) says nothing of spend and is
 * left out.
 */
cvm_status
cvm_table_add(cvm_table *table, const cvm_row *row)
{
	bool		spend = table->kind == CVM_SPEND;
	chunk	   *at = table->last;
	cvm_status	status;

	if (spend && row->x == 0)
		return CVM_OK;
	if (at == NULL || at->rows == CHUNK_ROWS)
	{
		status = add_chunk(table);
		if (status != CVM_OK)
			return status;
		at = table->last;
	}
	else if (at->rows == at->room && !make_room(&table->env, at, 2 * at->room))
		return CVM_NO_MEMORY;
	/* most significant first */
	at->id[at->rows][0] = cvm_number(&table->column[0], row->x);
	at->id[at->rows][1] = cvm_number(&table->column[1], spend ? row->mean_spend : row->age);
	at->id[at->rows][2] = cvm_number(&table->column[2], spend ? 0 : row->t_x);
	for (int k = 0; k < CVM_COLUMNS; k++)
		if (at->id[at->rows][k] == CVM_NO_NUMBER)
			return CVM_NO_MEMORY;
	status = set_number(table, &at->weight, 1, row->weight, &table->has_weights);
	if (status == CVM_OK)
		status = set_number(table, &at->log_intervals, 0, spend ? 0 : row->log_intervals, &table->has_log_intervals);
	if (status != CVM_OK)
		return status;
	at->rows++;
	table->added++;
	return CVM_OK;
}

size_t
cvm_table_added(const cvm_table *table)
{
	return table->added;
}

/* A row of one kind from its values. */
static cvm_row
make_row(cvm_kind kind, const double *value, double weight, double log_intervals)
{
	if (kind == CVM_SPEND)
		return (cvm_row) {.x = value[0],.mean_spend = value[1],.weight = weight,.log_intervals = log_intervals};
	return (cvm_row) {.x = value[0],.age = value[1],.t_x = value[2],.weight = weight,.log_intervals = log_intervals};
}

bool
cvm_table_next_added(const cvm_table *table, cvm_added *at, cvm_row *row)
{
	double		value[CVM_COLUMNS];

	if (at->chunk == NULL)
		at->chunk = table->first;
	else if (++at->i == at->chunk->rows)
	{
		at->chunk = at->chunk->next;
		at->i = 0;
	}
	if (at->chunk == NULL)
		return false;
	for (int k = 0; k < CVM_COLUMNS; k++)
		value[k] = cvm_numbering_value(&table->column[k], at->chunk->id[at->i][k]);
	*row = make_row(table->kind, value,
					at->chunk->weight ? at->chunk->weight[at->i] : 1,
					at->chunk->log_intervals ? at->chunk->log_intervals[at->i] : 0);
	return true;
}

/* ---------- sorting ---------- */

static int
bits_for(size_t distinct)
{
	int			bits = 0;

	while (((uint64_t) 1 << bits) < distinct)
		bits++;
	return bits;
}

static cvm_status
rank_columns(const cvm_env *env, sorting *s)
{
	for (int k = 0; k < CVM_COLUMNS; k++)
	{
		const cvm_numbering *column = &s->from->column[k];
		cvm_status	status = CVM_NO_MEMORY;

		s->rank[k] = cvm_allocate(env, column->distinct, sizeof(uint32_t));
		if (s->rank[k] != NULL)
			s->value[k] = cvm_numbering_sorted(column, s->rank[k], &status);
		if (status != CVM_OK)
			return status;
		s->bits[k] = bits_for(column->distinct);
	}
	s->lost = s->bits[0] + s->bits[1] + s->bits[2] - 64;
	s->lost = s->lost > 0 ? s->lost : 0;
	return CVM_OK;
}

/*
 * One key a row, and where a row is more than its key, the rows' order by it.
 * Where the ranks need more than 64 bits (millions of distinct values in every
 * column) the last column gives up its lowest: some equal rows may then stay
 * apart, which only costs space.
 */
static cvm_status
sort_rows(const cvm_env *env, sorting *s)
{
	size_t		n = 0;
	size_t		chunks = 0;

	s->key = cvm_allocate(env, s->from->added, sizeof(uint64_t));
	if (s->key == NULL)
		return CVM_NO_MEMORY;
	if (s->lost > 0 || s->from->has_weights || s->from->has_log_intervals)
	{
		s->order = cvm_allocate(env, s->from->added, sizeof(uint32_t));
		s->chunks = cvm_allocate(env, s->from->added / CHUNK_ROWS + 1, sizeof(chunk *));
		if (s->order == NULL || s->chunks == NULL)
			return CVM_NO_MEMORY;
	}
	for (chunk *at = s->from->first; at != NULL; at = at->next)
	{
		if (cvm_table_cancelled(s->from))
			return CVM_CANCELLED;
		if (s->chunks != NULL)
			s->chunks[chunks++] = at;
		for (size_t i = 0; i < at->rows; i++, n++)
		{
			uint64_t	key = s->rank[0][at->id[i][0]];

			key = (key << s->bits[1]) | s->rank[1][at->id[i][1]];
			s->key[n] = (key << (s->bits[2] - s->lost)) | (s->rank[2][at->id[i][2]] >> s->lost);
			if (s->order != NULL)
				s->order[n] = (uint32_t) n;
		}
	}
	return cvm_radix_sort(env, s->key, s->order, n, s->bits[0] + s->bits[1] + s->bits[2] - s->lost);
}

static uint32_t
low_bits(uint64_t key, int bits)
{
	return (uint32_t) (key & (((uint64_t) 1 << bits) - 1));
}

/* The i-th row in order. */
static inline place
place_at(const sorting *s, size_t i)
{
	place		p = {.weight = 1};

	if (s->order != NULL)
	{
		const chunk *at = s->chunks[s->order[i] / CHUNK_ROWS];
		size_t		row = s->order[i] % CHUNK_ROWS;

		for (int k = 0; k < CVM_COLUMNS; k++)
			p.rank[k] = s->rank[k][at->id[row][k]];
		if (at->weight != NULL)
			p.weight = at->weight[row];
		if (at->log_intervals != NULL)
			p.log_intervals = at->log_intervals[row];
		return p;
	}
	p.rank[2] = low_bits(s->key[i], s->bits[2]);
	p.rank[1] = low_bits(s->key[i] >> s->bits[2], s->bits[1]);
	p.rank[0] = (uint32_t) (s->key[i] >> s->bits[2] >> s->bits[1]);
	return p;
}

static void
prefetch_place(const sorting *s, size_t i)
{
	if (s->order != NULL && i < s->from->added)
		prefetch(s->chunks[s->order[i] / CHUNK_ROWS]->id[s->order[i] % CHUNK_ROWS]);
}

/* Whether the i-th row in order is one with its predecessor. */
static inline bool
repeats(const sorting *s, size_t i)
{
	place		a,
				b;

	if (i == 0 || s->key[i] != s->key[i - 1])
		return false;
	if (s->lost == 0)
		return true;
	a = place_at(s, i - 1);
	b = place_at(s, i);
	return memcmp(a.rank, b.rank, sizeof(a.rank)) == 0;
}

/* ---------- collapsing ---------- */

/* A further cell; opens a group where x changes. */
static void
add_cell(cvm_cells *cells, const sorting *s, const place *p)
{
	size_t		cell = cells->rows++;
	double		x = s->value[0][p->rank[0]];
	cvm_group  *group = &cells->group[cells->groups];

	if (cells->groups == 0 || group[-1].x != x)
	{
		*group = (cvm_group) {.x = x,.first = cell};
		cells->groups++;
	}
	else
		group--;
	group->rows++;
	cells->weight[cell] = p->weight;
	if (cells->mean_log_intervals != NULL)
		cells->mean_log_intervals[cell] = p->log_intervals;
	if (cells->total != NULL)
	{
		cells->mean_spend[cell] = s->value[1][p->rank[1]];
		cells->total[cell] = x * cells->mean_spend[cell];
	}
	else
	{
		cells->age_id[cell] = p->rank[1];
		cells->span_id[cell] = p->rank[2];
	}
}

/*
 * Equal rows become one.  log_intervals enters likelihoods linearly, so that
 * its weighted mean loses nothing.
 */
static cvm_status
collapse(cvm_cells *cells, const sorting *s)
{
	size_t		rows = s->from->added;

	for (size_t i = 0; i < rows; i++)
	{
		place		p = place_at(s, i);
		size_t		last;

		if (i % CVM_POLL_ROWS == 0 && cvm_table_cancelled(s->from))
			return CVM_CANCELLED;
		prefetch_place(s, i + PREFETCH);
		cells->log_intervals += p.weight * p.log_intervals;
		if (!repeats(s, i))
		{
			add_cell(cells, s, &p);
			continue;
		}
		last = cells->rows - 1;
		cells->weight[last] += p.weight;
		if (cells->mean_log_intervals != NULL)
			cells->mean_log_intervals[last] += (p.log_intervals - cells->mean_log_intervals[last])
				* (p.weight / cells->weight[last]);
	}
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

/* Ages and spans are the cells' from then on. */
static bool
allocate_purchases(const cvm_env *env, cvm_cells *cells, sorting *s, size_t rows)
{
	cells->ages = s->from->column[1].distinct;
	cells->age = s->value[1];
	cells->spans = s->from->column[2].distinct;
	cells->span = s->value[2];
	s->value[1] = s->value[2] = NULL;
	cells->age_id = cvm_allocate(env, rows, sizeof(uint32_t));
	cells->span_id = cvm_allocate(env, rows, sizeof(uint32_t));
	cells->age_customers = cvm_allocate(env, cells->ages, sizeof(double));
	cells->age_purchases = cvm_allocate(env, cells->ages, sizeof(double));
	cells->age_shifted = cvm_allocate(env, cells->ages, sizeof(cvm_shifted));
	cells->span_shifted = cvm_allocate(env, cells->spans, sizeof(cvm_shifted));
	return cells->age_id && cells->span_id && cells->age_customers && cells->age_purchases
		&& cells->age_shifted && cells->span_shifted;
}

static bool
allocate_cells(cvm_table *table, sorting *s, size_t rows)
{
	const cvm_env *env = &table->env;
	cvm_cells  *cells = &table->cells;

	cells->weight = cvm_allocate(env, rows, sizeof(double));
	cells->group = cvm_allocate(env, s->from->column[0].distinct, sizeof(cvm_group));
	if (!cells->weight || !cells->group)
		return false;
	if (s->from->has_log_intervals
		&& (cells->mean_log_intervals = cvm_allocate(env, rows, sizeof(double))) == NULL)
		return false;
	if (table->kind != CVM_SPEND)
		return allocate_purchases(env, cells, s, rows);
	cells->mean_spend = cvm_allocate(env, rows, sizeof(double));
	cells->total = cvm_allocate(env, rows, sizeof(double));
	return cells->mean_spend && cells->total;
}

static cvm_status
fill_cells(cvm_table *table, sorting *s)
{
	size_t		rows = 0;
	cvm_status	status;

	for (size_t i = 0; i < s->from->added; i++)
	{
		rows += !repeats(s, i);
		if (i % CVM_POLL_ROWS == 0 && cvm_table_cancelled(s->from))
			return CVM_CANCELLED;
	}
	if (!allocate_cells(table, s, rows))
		return CVM_NO_MEMORY;
	status = collapse(&table->cells, s);
	if (status != CVM_OK)
		return status;
	if (table->kind == CVM_SPEND)
		sum_spend(&table->cells);
	else
		sum_purchases(&table->cells);
	return CVM_OK;
}

/* ---------- finishing ---------- */

/* The cells of one table from the rows that were added to one, which may be the same. */
static cvm_status
finish_from(cvm_table *table, const cvm_table *from)
{
	const cvm_env *env = &table->env;
	sorting		s = {.from = from};
	cvm_status	status = rank_columns(env, &s);

	if (status == CVM_OK)
		status = sort_rows(env, &s);
	if (status == CVM_OK)
		status = fill_cells(table, &s);
	for (int k = 0; k < CVM_COLUMNS; k++)
	{
		cvm_release(env, s.value[k]);
		cvm_release(env, s.rank[k]);
	}
	cvm_release(env, s.key);
	cvm_release(env, s.order);
	cvm_release(env, s.chunks);
	return status;
}

cvm_status
cvm_table_finish(cvm_table *table)
{
	cvm_status	status = finish_from(table, table);

	release_gathered(table);
	return status;
}

cvm_table *
cvm_table_finished(const cvm_table *gathered, const cvm_env *env, cvm_status *status)
{
	cvm_table  *table = cvm_table_new(gathered->kind, env);

	*status = table ? finish_from(table, gathered) : CVM_NO_MEMORY;
	if (*status == CVM_OK)
		return table;
	cvm_table_free(table);
	return NULL;
}

void
cvm_table_free(cvm_table *table)
{
	cvm_env		env;
	cvm_cells  *cells;

	if (table == NULL)
		return;
	release_gathered(table);
	env = table->env;
	cells = &table->cells;
	cvm_release(&env, cells->group);
	cvm_release(&env, cells->weight);
	cvm_release(&env, cells->mean_log_intervals);
	cvm_release(&env, cells->age_id);
	cvm_release(&env, cells->span_id);
	cvm_release(&env, cells->age);
	cvm_release(&env, cells->age_customers);
	cvm_release(&env, cells->age_purchases);
	cvm_release(&env, cells->age_shifted);
	cvm_release(&env, cells->span);
	cvm_release(&env, cells->span_shifted);
	cvm_release(&env, cells->mean_spend);
	cvm_release(&env, cells->total);
	cvm_release(&env, table);
}

/* ---------- reading ---------- */

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

/* The group that a row is in: groups are few. */
static const cvm_group *
group_of(const cvm_cells *cells, size_t row)
{
	size_t		low = 0,
				high = cells->groups;

	while (high - low > 1)
	{
		size_t		middle = low + (high - low) / 2;

		if (cells->group[middle].first <= row)
			low = middle;
		else
			high = middle;
	}
	return &cells->group[low];
}

cvm_row
cvm_table_row(const cvm_table *table, size_t i)
{
	const cvm_cells *cells = &table->cells;
	double		value[CVM_COLUMNS] = {group_of(cells, i)->x};

	if (table->kind == CVM_SPEND)
		value[1] = cells->mean_spend[i];
	else
	{
		value[1] = cells->age[cells->age_id[i]];
		value[2] = cells->span[cells->span_id[i]];
	}
	return make_row(table->kind, value, cells->weight[i],
					cells->mean_log_intervals ? cells->mean_log_intervals[i] : 0);
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
