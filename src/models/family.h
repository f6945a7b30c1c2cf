/*
 * family.h: the families, one a file, as the registry lists them.
 */
#ifndef CVM_MODELS_FAMILY_H
#define CVM_MODELS_FAMILY_H

#include "models/model.h"

extern const cvm_family cvm_bg_nbd;
extern const cvm_family cvm_bg_cnbd_k;
extern const cvm_family cvm_mbg_cnbd_k;
extern const cvm_family cvm_bg_bb;
extern const cvm_family cvm_gamma_gamma;

#endif
