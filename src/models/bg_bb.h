/*
 * bg_bb.h: what the two halves of the BG/BB model share: bg_bb.c (customers)
 * and bg_bb_fit.c (the likelihood of a table).
 */
#ifndef CVM_MODELS_BG_BB_H
#define CVM_MODELS_BG_BB_H

#include "models/model.h"

enum
{
	CVM_BB_ALPHA, CVM_BB_BETA, CVM_BB_GAMMA, CVM_BB_DELTA, CVM_BB_PARAMS
};

/* Likelihoods and tables are linear in the number of opportunities. */
#define CVM_BB_MAX_AGE 1e6

/* ln of the likelihood of x purchases at given opportunities out of n, alive at the n-th */
extern double cvm_bb_log_alive(const double *theta, double x, double n);

extern cvm_status cvm_bb_table_loglik(const cvm_table *table, const double *theta,
									  double *loglik, double *grad, double *hess);
extern int	cvm_bb_starts(const cvm_table *table, double starts[][CVM_MAX_PARAMS], int max);

#endif
