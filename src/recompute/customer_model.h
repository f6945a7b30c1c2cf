/*
 * customer_model.h: the purchase model with covariates: fitted, kept in the registry, and
 * every customer's own parameters.
 */
#ifndef CVM_RECOMPUTE_CUSTOMER_MODEL_H
#define CVM_RECOMPUTE_CUSTOMER_MODEL_H

#include "recompute/engine.h"

/*
 * Fitted on the customers of whom all attributes of the plan are known; made in `context`.  NULL, and why
 * in *failure, where there is too little to fit on; ERROR where the covariates themselves are wrong (the same for all,
 * following from others, too many), unless `forgiving`.
 */
extern CovariateFit *cvm_covariates_fit(const RecomputePlan *plan, const Population *population, MemoryContext context,
										bool forgiving, const char **failure);
extern cvm_rung cvm_covariates_rung(const CovariateFit *fit);
extern double cvm_covariates_gradient(const CovariateFit *fit);
/* a fit that was just made into the row of its purchase model */
extern void cvm_covariates_record(const RecomputePlan *plan, int64 model_id, const CovariateFit *fit);
/* NULL: the model has none */
extern CovariateFit *cvm_covariates_load(const RecomputePlan *plan, int64 model_id, MemoryContext context);
/* whether all attributes that it takes are in the plan, numbers as numbers and categories as categories */
extern bool cvm_covariates_have(const CovariateFit *fit, const AttributePlan *plan);

typedef struct CovariateScorer CovariateScorer;

extern CovariateScorer *cvm_covariate_scorer_new(const CovariateFit *fit, const Population *population, MemoryContext context);
/* a customer's parameters; NULL where an attribute is not known, or has a level that the fit has not seen */
extern const double *cvm_covariate_theta_of(CovariateScorer *scorer, const CustomerRecord *record);

#endif
