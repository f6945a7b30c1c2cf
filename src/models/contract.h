/*
 * contract.h: what families of contracts share.  Plain C.
 *
 * A contract is renewed or ends once a period, at renewal 1, 2, ...; everything
 * here follows from ln S(from + by) / S(from), the logarithm of the chance that
 * a contract with `from` renewals makes `by` further ones.
 */
#ifndef CVM_MODELS_CONTRACT_H
#define CVM_MODELS_CONTRACT_H

#include "math/random.h"
#include "models/model.h"

typedef double (*cvm_log_retained) (const double *theta, double from, double by);

extern const char *cvm_contract_check_row(const cvm_row *row);
extern double cvm_contract_p_alive(const double *theta, const cvm_row *row);

/* ln of 1 - e^d, d <= 0 */
extern double cvm_log_one_less_exp(double d);

extern double cvm_contract_loglik(cvm_log_retained retained, const double *theta, const cvm_row *row);
extern double cvm_contract_survival(cvm_log_retained retained, const double *theta, double t);
extern double cvm_contract_pmf(cvm_log_retained retained, const double *theta, const cvm_row *row, double t, int n);
extern double cvm_contract_next(cvm_log_retained retained, const double *theta, const cvm_row *row, double q);

/* Share of the first decisions in a table that ended a contract, inside (0, 1), for starts. */
extern double cvm_contract_first_churn(const cvm_table *table);

/* ln (1 - p), p ~ Beta(a, b): never NaN, -0 where p underflows */
extern double cvm_contract_draw(cvm_rng *rng, double a, double b);
/* The times 1, 2, ... of so many renewals, within the horizon. */
extern int	cvm_contract_times(double renewals, double horizon, double *times, int max);
/* What is seen within row->lifetime decisions of a contract that makes so many renewals. */
extern void cvm_contract_observe(double renewals, cvm_row *row);

#endif
