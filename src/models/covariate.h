/*
 * covariate.h: customers whose parameters depend on what else is known of them
 * (Fader & Hardie 2007, "Incorporating time-invariant covariates into the
 * Pareto/NBD and BG/NBD models").  Plain C.
 *
 * With z the covariates of a customer, whole and never changing,
 *
 *	  pareto/nbd			alpha_i = alpha exp(-gamma_alpha' z), beta_i = beta exp(-gamma_beta' z)
 *	  bg/nbd and mbg/nbd	alpha_i = alpha exp(-gamma_alpha' z), a_i = a exp(gamma_a' z), b_i = b exp(gamma_b' z)
 *
 * so that gamma_alpha is the logarithm of what one unit of z makes of the purchase
 * rate, gamma_beta of the rate of leaving, and gamma_a - gamma_b of the mean odds of leaving.
 * A family says which parameters are scaled, and which way (purchase_sign, dropout_sign).
 */
#ifndef CVM_MODELS_COVARIATE_H
#define CVM_MODELS_COVARIATE_H

#include "models/model.h"

#define CVM_MAX_COVARIATES 50
#define CVM_MAX_EFFECTS (CVM_MAX_COVARIATES * CVM_MAX_PARAMS)
#define CVM_LARGEST_COVARIATE 1e100 /* beyond, squares overflow */

/* What a covariate acts on. */
#define CVM_ON_PURCHASE 1
#define CVM_ON_DROPOUT 2
#define CVM_ON_BOTH (CVM_ON_PURCHASE | CVM_ON_DROPOUT)

/* A coefficient: of which covariate, on which parameter, which way. */
typedef struct cvm_effect
{
	int			param;
	int			sign;
	int			covariate;
} cvm_effect;

/* The coefficients of a family in their order: by parameter, then by covariate.  Returns how many; 0 where a family takes none. */
extern int	cvm_covariate_effects(const cvm_family *family, int covariates, const int *process, cvm_effect *effect);

/* A family with coefficients. */
typedef struct cvm_covariate_model
{
	const cvm_family *family;
	const double *theta;		/* at the mean of the covariates */
	const double *mean;
	int			effects;
	const cvm_effect *effect;
	const double *coefficient;
	const double *covariance;	/* of ln theta and the coefficients, row by row; NULL if unknown */
} cvm_covariate_model;

/*
 * The parameters of a customer with covariates z, and (unless NULL; n_params x n_params,
 * natural) their covariance.
 */
extern void cvm_covariate_theta(const cvm_covariate_model *model, const double *z, double *theta, double *covariance);

/* Customers with their covariates. */
typedef struct cvm_covariate_data
{
	const cvm_family *family;
	int			covariates;		/* 1 .. CVM_MAX_COVARIATES */
	const int  *process;		/* per covariate */
	size_t		rows;
	const cvm_row *row;
	const double *z;			/* row by row; finite, at most CVM_LARGEST_COVARIATE */
} cvm_covariate_data;

/* What is wrong with covariates. */
typedef enum cvm_covariate_trouble
{
	CVM_COVARIATES_FINE,
	CVM_COVARIATE_CONSTANT,		/* `culprit` is the same for all */
	CVM_COVARIATE_COLLINEAR		/* `culprit` is a sum of multiples of those `involved` and a constant */
} cvm_covariate_trouble;

typedef struct cvm_covariate_fit
{
	cvm_covariate_trouble trouble;	/* nothing else is set unless it is CVM_COVARIATES_FINE */
	int			culprit;
	bool		involved[CVM_MAX_COVARIATES];

	cvm_fit_result plain;		/* without covariates */
	cvm_fit_result model;		/* with: parameters at the mean of the covariates */
	double		mean[CVM_MAX_COVARIATES];
	int			effects;
	cvm_effect	effect[CVM_MAX_EFFECTS];
	double		coefficient[CVM_MAX_EFFECTS];
	double	   *covariance;		/* as in cvm_covariate_model; NULL unless model.has_covariance */
} cvm_covariate_fit;

/*
 * Maximum likelihood by Newton's method from the plain fit.  Where it has no maximum inside, the
 * rung of `model` is `penalised`.  CVM_NO_OPTIMUM where the plain fit is below that rung
 * already.  *fit is to be let go of with cvm_covariate_release in any case.
 */
extern cvm_status cvm_fit_covariates(const cvm_covariate_data *data, const cvm_env *env, cvm_covariate_fit *fit);
extern void cvm_covariate_release(const cvm_env *env, cvm_covariate_fit *fit);

/*
 * Twice what the covariates add to the log-likelihood; *p: of as much where none has an
 * effect (chi-square with fit->effects degrees of freedom; Wilks 1938), NAN where one of the two is not a maximum.
 */
extern double cvm_covariate_ratio(const cvm_fit_result *plain, const cvm_fit_result *model, int effects, double *p);

#endif
