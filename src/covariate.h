/*
 * covariate.h: the row type cvm.covariate_model in C (covariate_type.c).
 */
#ifndef CVM_COVARIATE_H
#define CVM_COVARIATE_H

#include "compat.h"

#include "access/htup.h"
#include "access/tupdesc.h"
#include "fmgr.h"
#include "models/covariate.h"
#include "types/model_type.h"
#include "utils/array.h"

/* Its columns, from 0. */
enum
{
	COVARIATE_MODEL_MODEL, COVARIATE_MODEL_PLAIN, COVARIATE_MODEL_COVARIATES, COVARIATE_MODEL_PROCESSES,
	COVARIATE_MODEL_MEANS, COVARIATE_MODEL_COEFFICIENTS, COVARIATE_MODEL_COVARIANCE, COVARIATE_MODEL_COLUMNS
};

/* The covariates by name, and what each acts on. */
typedef struct CovariateNames
{
	int			n;
	char	   *name[CVM_MAX_COVARIATES];
	int			process[CVM_MAX_COVARIATES];
} CovariateNames;

/* Names (NULL: z1, z2, ...) and processes (NULL: both) of n covariates; 22023, 22004 for what is none. */
extern void cvm_covariate_names(int n, ArrayType *names, ArrayType *processes, CovariateNames *out);

/* A row of finite covariates: as many as n, or any number if n is 0; 22004, 22023. */
extern const double *cvm_covariate_values(ArrayType *array, int *n);

/* a process by its name; 22023 */
extern int	cvm_covariate_process(const char *word);

/* ERROR where covariates are the same for all customers, or follow from others */
extern void cvm_refuse_covariates(const cvm_covariate_fit *fit, const CovariateNames *names, double customers);

/* a fit as a row of the shape of cvm.covariate_model */
extern Datum cvm_covariate_model_datum(TupleDesc shape, const CovariateNames *names, const cvm_covariate_fit *fit, double unit_seconds);

/* Such a row as plain C sees it. */
typedef struct CovariateModel
{
	cvm_covariate_model m;
	CvmModel   *model;
	CvmModel   *plain;			/* NULL if unknown */
	CovariateNames names;
	cvm_effect	effect[CVM_MAX_EFFECTS];
} CovariateModel;

/* checked, since anybody may write one: 22023; points into the row and into *model */
extern void cvm_covariate_model_read(HeapTupleHeader row, CovariateModel *model);

#endif
