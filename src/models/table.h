/*
 * table.h: customers collapsed to distinct rows with weights, as the fits read
 * them.  Plain C.
 *
 * Usage: cvm_table_new, cvm_table_add for every customer, cvm_table_finish
 * once (sorts, collapses equal rows, tabulates), then read-only; cvm_table_free.
 * Memory: 48 bytes a row added, less after collapsing.
 */
#ifndef CVM_MODELS_TABLE_H
#define CVM_MODELS_TABLE_H

#include "model.h"

extern cvm_table *cvm_table_new(cvm_kind kind, const cvm_env *env); /* NULL: no memory */
/* the row must have passed family->check_row */
extern cvm_status cvm_table_add(cvm_table *table, const cvm_row *row);
extern cvm_status cvm_table_finish(cvm_table *table);
extern void cvm_table_free(cvm_table *table);

extern cvm_kind cvm_table_kind(const cvm_table *table);
extern double cvm_table_customers(const cvm_table *table);	/* sum of weights */
extern size_t cvm_table_rows(const cvm_table *table);	/* distinct rows after finish */
extern const cvm_row *cvm_table_row(const cvm_table *table, size_t i);

/* fingerprint.c: a hash of the rows of a finished table, whatever their order; weights are whole */
extern void cvm_table_fingerprint(const cvm_table *table, uint64_t fingerprint[2]);

#endif
