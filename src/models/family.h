/*
 * family.h: the families, one a file, as the registry lists them.
 */
#ifndef CVM_MODELS_FAMILY_H
#define CVM_MODELS_FAMILY_H

#include "models/model.h"

extern const cvm_family cvm_bg_nbd;
extern const cvm_family cvm_gamma_gamma;
extern const cvm_family cvm_sbg;
extern const cvm_family cvm_bdw;

#endif
