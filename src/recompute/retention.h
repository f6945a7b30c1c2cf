/*
 * retention.h: subscriptions, fitted and valued beside the purchases.
 */
#ifndef CVM_RECOMPUTE_RETENTION_H
#define CVM_RECOMPUTE_RETENTION_H

#include "recompute/engine.h"

/* after cvm_choose_models: the retention model that scores are to come from */
extern void cvm_choose_retention(const RecomputePlan *plan, int64 run_id, const Population *population,
								 const cvm_env *env, FittedPair *fit);

typedef struct ContractValuer ContractValuer;

/* NULL if there are no subscriptions */
extern ContractValuer *cvm_contract_valuer_new(const RecomputePlan *plan, const FittedPair *fit, MemoryContext context);
/*
 * adds a customer's subscriptions to what his purchases gave; `value` is
 * complete without them.  Realised value is not touched.
 */
extern void cvm_value_contracts(ContractValuer *valuer, const CustomerRecord *record, CustomerValue *value);
extern void cvm_contract_valuer_free(ContractValuer *valuer);

#endif
