/*
 * table.h: customers collapsed to distinct rows with weights, as the fits read
 * them.  Plain C.
 *
 * Usage: cvm_table_new, cvm_table_add for every customer, cvm_table_finish
 * once (sorts, collapses equal rows, tabulates), then read-only; cvm_table_free.
 * Or cvm_table_finished, as often as wanted, between additions.
 *
 * Memory: 12 bytes a row added (16 more with weights and log_intervals other than
 * 1 and 0), 24 while finishing, then 16 to 24 a distinct row.
 */
#ifndef CVM_MODELS_TABLE_H
#define CVM_MODELS_TABLE_H

#include "model.h"

extern cvm_table *cvm_table_new(cvm_kind kind, const cvm_env *env); /* NULL: no memory */
/* the row must have passed family->check_row */
extern cvm_status cvm_table_add(cvm_table *table, const cvm_row *row);
extern cvm_status cvm_table_finish(cvm_table *table);
/* a finished table of what has been added so far, which stays; NULL: *status says why */
extern cvm_table *cvm_table_finished(const cvm_table *gathered, const cvm_env *env, cvm_status *status);
extern void cvm_table_free(cvm_table *table);

extern cvm_kind cvm_table_kind(const cvm_table *table);
extern double cvm_table_customers(const cvm_table *table);	/* sum of weights */
extern size_t cvm_table_rows(const cvm_table *table);	/* distinct rows after finish */
extern cvm_row cvm_table_row(const cvm_table *table, size_t i); /* what the kind does not look at is 0 */

/* Before finishing: the rows as they were added.  The first time *at is all 0; false after the last. */
typedef struct cvm_added
{
	const struct chunk *chunk;
	size_t		i;
} cvm_added;

extern size_t cvm_table_added(const cvm_table *table);
extern bool cvm_table_next_added(const cvm_table *table, cvm_added *at, cvm_row *row);

/* fingerprint.c: a hash of the rows of a finished table, whatever their order; weights are whole */
extern void cvm_table_fingerprint(const cvm_table *table, uint64_t fingerprint[2]);

#endif
