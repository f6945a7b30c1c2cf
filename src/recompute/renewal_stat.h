/*
 * renewal_stat.h: what is to come of a segment's subscriptions, in as few numbers as
 * their value depends on, for cvm.what_if: sums of prices by renewals made, renewals
 * due within the value horizon, and days to the next one.
 */
#ifndef CVM_RECOMPUTE_RENEWAL_STAT_H
#define CVM_RECOMPUTE_RENEWAL_STAT_H

#include "recompute/engine.h"

extern RenewalStat *cvm_renewal_stat_new(MemoryContext context);
/* the subscriptions of a customer that run; at most one entry each */
extern void cvm_renewal_stat_add(RenewalStat *stat, const RecomputePlan *plan, const CustomerRecord *record);
/* as rows of renewal_stat */
extern void cvm_renewal_stat_write(const RenewalStat *stat, const RecomputePlan *plan, int64 run_id, const char *segment);

#endif
