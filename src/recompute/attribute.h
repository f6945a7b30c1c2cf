/*
 * attribute.h: what else is known of customers, each set of values once.
 */
#ifndef CVM_RECOMPUTE_ATTRIBUTE_H
#define CVM_RECOMPUTE_ATTRIBUTE_H

#include "recompute/engine.h"

#include "executor/tuptable.h"

/* what plan->specification has of covariates, after checking the feed */
extern void cvm_attribute_plan_load(RecomputePlan *plan, MemoryContext context);

extern Attributes *cvm_attributes_new(const AttributePlan *plan, MemoryContext context);
/* ERROR unless the query's columns are those that the plan says */
extern void cvm_attributes_check(const Attributes *attributes, TupleDesc desc);
/* number of a row's values, from 1; -1 - i: attribute i is no number that a fit can take */
extern int32 cvm_attributes_add(Attributes *attributes, TupleTableSlot *slot);

extern const AttributePlan *cvm_attributes_plan(const Attributes *attributes);
extern int32 cvm_attributes_count(const Attributes *attributes);
/* the values of one number: of a category the number of its level; NAN where it is NULL */
extern const double *cvm_attributes_get(const Attributes *attributes, int32 number);
/* levels of a category by their numbers */
extern const Names *cvm_attribute_levels(const Attributes *attributes, int attribute);

#endif
