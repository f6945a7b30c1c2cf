/*
 * shrunk.h: the last rung of the ladder (shrunk.c): closed forms.  Plain C.
 *
 * result->family says whose parameters they are; gradient_norm and condition are
 * NaN, as nothing was climbed.
 */
#ifndef CVM_MODELS_SHRUNK_H
#define CVM_MODELS_SHRUNK_H

#include "models/model.h"

/* shrunk-rate of customers; also where none of them has a repeat purchase: half a purchase among all then */
extern cvm_status cvm_shrunk_purchases(const cvm_table *table, cvm_fit_result *result);

/* gamma-gamma around the mean of the customers' mean spends, and around a given mean */
extern cvm_status cvm_shrunk_spend(const cvm_table *table, cvm_fit_result *result);
extern void cvm_shrunk_spend_at(double mean, cvm_fit_result *result);

/* sbg, or bdw with c = 1, around the share of decisions at which contracts ended */
extern cvm_status cvm_shrunk_retention(const cvm_family *family, const cvm_table *table, cvm_fit_result *result);

#endif
