/*
 * population.h: what is counted over all customers while the feed is grouped.
 */
#ifndef CVM_RECOMPUTE_POPULATION_H
#define CVM_RECOMPUTE_POPULATION_H

#include "recompute/engine.h"

typedef struct PopulationStats PopulationStats;

/* statistics are made in CurrentMemoryContext, what stays in *population in context */
extern PopulationStats *cvm_population_begin(const RecomputePlan *plan, Population *population, MemoryContext context);
/* one customer's rows (reordered; none if he only subscribes): fills the record's history and own_gap, counts gaps, ranks and cohorts */
extern void cvm_count_customer(PopulationStats *stats, CvmPurchase *rows, int n, CustomerRecord *record);
/* quantile of all gaps and the quintile cuts */
extern void cvm_population_end(PopulationStats *stats);

#endif
