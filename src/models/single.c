/*
 * single.c: a table of one row (see cells.h), for customers who have parameters of
 * their own: the kernels of the families read tables.
 */
#include "models/cells.h"

#include <string.h>

const cvm_table *
cvm_table_of_one(cvm_single *single, const cvm_row *row, const cvm_env *env)
{
	cvm_cells  *cells = &single->table.cells;

	memset(single, 0, sizeof(*single));
	single->table.kind = CVM_PURCHASES;
	single->table.env = *env;
	single->table.added = 1;
	single->group = (cvm_group) {.x = row->x, .rows = 1, .customers = row->weight};
	single->weight = row->weight;
	single->age = row->age;
	single->age_purchases = row->weight * row->x;
	single->span = row->t_x;

	cells->rows = cells->groups = cells->ages = cells->spans = 1;
	cells->customers = row->weight;
	cells->purchases = single->age_purchases;
	cells->mean_age = row->age;
	cells->group = &single->group;
	cells->weight = cells->age_customers = &single->weight;
	cells->age_id = cells->span_id = &single->id;
	cells->age = &single->age;
	cells->age_purchases = &single->age_purchases;
	cells->age_shifted = &single->age_shifted;
	cells->span = &single->span;
	cells->span_shifted = &single->span_shifted;
	single->log_intervals = row->log_intervals;
	cells->mean_log_intervals = &single->log_intervals;
	cells->log_intervals = row->weight * row->log_intervals;
	return &single->table;
}
