/*
 * cells.h: what a finished table holds for the kernels (table_loglik) of the
 * families.  Plain C; table.h is what everybody else reads.
 *
 * Rows are sorted by x, so that what depends on x alone is computed once per
 * group; ages and spans are numbered, so that their logarithms are computed
 * once per distinct value and looked up per row.
 */
#ifndef CVM_MODELS_CELLS_H
#define CVM_MODELS_CELLS_H

#include "models/numbering.h"
#include "models/table.h"

/* Rows of one x: [first, first + rows). */
typedef struct cvm_group
{
	double		x;
	size_t		first;
	size_t		rows;
	double		customers;		/* sum of weights */
	double		log_total;		/* spend: sum of weight * ln(x * mean_spend) */
} cvm_group;

/* The logarithm and the inverse of alpha + a distinct age or span: filled by the kernel. */
typedef struct cvm_shifted
{
	double		log;
	double		inverse;
} cvm_shifted;

typedef struct cvm_cells
{
	size_t		rows;
	double		customers;		/* sum of weights */
	double		purchases;		/* sum of weight * x */
	double		mean_age;		/* weighted; 0 in a spend table */
	double		typical_spend;	/* geometric mean of mean_spend; 0 in a purchase table */
	double		log_mean_spend; /* sum of weight * ln mean_spend */
	cvm_group  *group;
	size_t		groups;
	double	   *weight;			/* per row */

	/* purchases; of contracts x is 1 where churned, age the lifetime */
	uint32_t   *age_id;			/* per row */
	uint32_t   *span_id;
	double	   *age;			/* per distinct age */
	double	   *age_customers;	/* ... sum of weights */
	double	   *age_purchases;	/* ... sum of weight * x */
	cvm_shifted *age_shifted;
	size_t		ages;
	double	   *span;			/* per distinct t_x */
	cvm_shifted *span_shifted;
	size_t		spans;
	double		log_intervals;	/* sum of weight * log_intervals */
	double	   *mean_log_intervals; /* per row: weighted mean; NULL: all 0 */

	/* spend */
	double	   *mean_spend;		/* per row */
	double	   *total;			/* per row: x * mean_spend */
} cvm_cells;

#define CVM_COLUMNS 3			/* that tell rows apart: x, age, t_x; or x, mean_spend and nothing */

/* What a table is: the rows that were added, as numbers of their values, and what finishing made of them. */
struct cvm_table
{
	cvm_kind	kind;
	cvm_env		env;			/* a copy: the caller's need not outlive the call */
	struct chunk *first;
	struct chunk *last;
	cvm_numbering column[CVM_COLUMNS];
	bool		has_weights;	/* any but 1 */
	bool		has_log_intervals;	/* any but 0 */
	size_t		added;
	cvm_cells	cells;
};

/* A finished table of one row of purchases, without memory of its own: nothing to free. */
typedef struct cvm_single
{
	struct cvm_table table;
	cvm_group	group;
	uint32_t	id;
	double		weight;
	double		age;
	double		age_purchases;
	double		span;
	cvm_shifted age_shifted;
	cvm_shifted span_shifted;
	double		log_intervals;
} cvm_single;

/* single.c */
extern const cvm_table *cvm_table_of_one(cvm_single *single, const cvm_row *row, const cvm_env *env);

extern const cvm_cells *cvm_table_cells(const cvm_table *table);

/* Where kernels take the memory of one evaluation from. */
extern const cvm_env *cvm_table_env(const cvm_table *table);

/* Kernels ask every some ten thousand rows. */
extern bool cvm_table_cancelled(const cvm_table *table);

#define CVM_POLL_ROWS 65536

#endif
