/*
 * family.h: the families, one a file, as the registry lists them.
 */
#ifndef CVM_MODELS_FAMILY_H
#define CVM_MODELS_FAMILY_H

#include "models/model.h"

extern const cvm_family cvm_bg_nbd;
extern const cvm_family cvm_mbg_nbd;
extern const cvm_family cvm_pareto_nbd;
extern const cvm_family cvm_bg_cnbd_k;
extern const cvm_family cvm_mbg_cnbd_k;
extern const cvm_family cvm_bg_bb;
extern const cvm_family cvm_gamma_gamma;
extern const cvm_family cvm_sbg;
extern const cvm_family cvm_bdw;
extern const cvm_family cvm_shrunk_rate;

/* check_row of purchases in continuous time (purchases.c) */
extern const char *cvm_check_purchases(const cvm_row *row);

#endif
