/*
 * numbering.h: the distinct values of a column, numbered in ascending order,
 * and the sort that goes with it.  Plain C; table.c is the user.
 */
#ifndef CVM_MODELS_NUMBERING_H
#define CVM_MODELS_NUMBERING_H

#include "models/model.h"

/* An open hash table from a value to its number, in order of arrival. */
typedef struct cvm_numbering
{
	const cvm_env *env;
	uint64_t   *value;			/* per number: the bits of a double >= 0, which order like it */
	uint32_t   *slot;			/* number + 1, or 0 for an empty slot */
	size_t		slots;			/* a power of two, at least twice the values */
	int			shift;			/* 64 - log2(slots) */
	size_t		distinct;
} cvm_numbering;

#define CVM_NO_NUMBER UINT32_MAX	/* no memory */

/* The number of a value >= 0; a new one gets the next. */
extern uint32_t cvm_number(cvm_numbering *numbering, double value);

/* The value of a number. */
extern double cvm_numbering_value(const cvm_numbering *numbering, uint32_t number);

/* A copy of the values in ascending order; rank[number by arrival] = place.  NULL: no memory, or *status. */
extern double *cvm_numbering_sorted(const cvm_numbering *numbering, uint32_t *rank, cvm_status *status);

extern void cvm_numbering_free(cvm_numbering *numbering);

/* Sort keys of so many significant bits, and what belongs to each (NULL: nothing), ascending and stable. */
extern cvm_status cvm_radix_sort(const cvm_env *env, uint64_t *key, uint32_t *payload,
								 size_t n, int bits);

/* Memory of the environment: NULL if there is none, or the size overflows; freeing NULL is fine. */
extern void *cvm_allocate(const cvm_env *env, size_t count, size_t size);
extern void cvm_release(const cvm_env *env, void *pointer);

#endif
