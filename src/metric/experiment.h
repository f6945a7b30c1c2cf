/*
 * experiment.h: what the SQL functions of experiments share (arm_test.c).
 */
#ifndef CVM_METRIC_EXPERIMENT_H
#define CVM_METRIC_EXPERIMENT_H

#include "compat.h"

#include "fmgr.h"
#include "math/experiment.h"

/* The n-th argument; 22023 unless it is between low and high, finite, not null. */
extern double cvm_open_argument(FunctionCallInfo fcinfo, int n, const char *name, double low, double high);
extern double cvm_confidence_argument(FunctionCallInfo fcinfo, int n);
extern double cvm_finite_measure(FunctionCallInfo fcinfo, int n, const char *name);
extern const double *cvm_numbers_argument(FunctionCallInfo fcinfo, int n, const char *name, int *length);

/* How SQL spells a reason; NULL for CVM_GIVEN. */
extern const char *const cvm_reason_name[];

/* A row of the function's type: n numbers, NAN being NULL, then texts. */
extern Datum cvm_return_row(FunctionCallInfo fcinfo, const double *numbers, int n, const char *const *texts, int n_texts);
extern Datum cvm_return_means(FunctionCallInfo fcinfo, const cvm_arm *treated, const cvm_arm *control, double confidence);
extern Datum cvm_return_proportions(FunctionCallInfo fcinfo, double treated_hits, double treated,
									double control_hits, double control, double confidence);

#endif
