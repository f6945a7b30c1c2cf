/*
 * covariate_rows.h: customers brought together by their covariates, for the fit
 * (covariate_fit.c) alone.  Plain C.
 */
#ifndef CVM_MODELS_COVARIATE_ROWS_H
#define CVM_MODELS_COVARIATE_ROWS_H

#include "models/covariate.h"
#include "models/table.h"

/* Customers of the same covariates, and so of the same parameters. */
typedef struct cvm_alike
{
	size_t		first;
	size_t		rows;
	const double *z;			/* standardised: mean 0, deviation 1 */
	cvm_table  *table;			/* NULL if they are few */
} cvm_alike;

typedef struct cvm_covariate_rows
{
	const cvm_env *env;
	int			covariates;
	double		mean[CVM_MAX_COVARIATES];
	double		deviation[CVM_MAX_COVARIATES];
	cvm_table  *whole;			/* all of them, whatever their covariates */
	cvm_row    *row;			/* distinct ones, in the order of their covariates */
	double	   *z;
	cvm_alike  *alike;
	size_t		n;				/* of alike */
} cvm_covariate_rows;

/* Sorts, collapses and standardises; says in *fit what is wrong with the covariates. */
extern cvm_status cvm_covariate_gather(const cvm_covariate_data *data, const cvm_env *env,
									   cvm_covariate_rows *rows, cvm_covariate_fit *fit);
extern void cvm_covariate_scatter(cvm_covariate_rows *rows);

#endif
