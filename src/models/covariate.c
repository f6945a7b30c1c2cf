/*
 * covariate.c: the parameters of a customer with covariates (see covariate.h).
 */
#include "models/covariate.h"

#include "math/distribution.h"

#include <math.h>

int
cvm_covariate_effects(const cvm_family *family, int covariates, const int *process, cvm_effect *effect)
{
	int			n = 0;

	for (int i = 0; i < family->n_params; i++)
		for (int k = 0; k < covariates; k++)
		{
			int			sign = (process[k] & CVM_ON_PURCHASE) ? family->purchase_sign[i] : 0;

			if (sign == 0 && (process[k] & CVM_ON_DROPOUT))
				sign = family->dropout_sign[i];
			if (sign != 0)
				effect[n++] = (cvm_effect) {i, sign, k};
		}
	return n;
}

/* ln theta by (u, gamma) is (I, X): cov(ln theta) = (I, X) V (I, X)' */
static void
customer_covariance(const cvm_covariate_model *m, const double *z, const double *theta, double *out)
{
	int			n = m->family->n_params;
	int			all = n + m->effects;
	double		by[CVM_MAX_PARAMS][CVM_MAX_PARAMS + CVM_MAX_EFFECTS] = {{0}};

	for (int i = 0; i < n; i++)
		by[i][i] = 1;
	for (int e = 0; e < m->effects; e++)
		by[m->effect[e].param][n + e] = m->effect[e].sign * (z[m->effect[e].covariate] - m->mean[m->effect[e].covariate]);
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
		{
			double		sum = 0;

			for (int k = 0; k < all; k++)
				for (int l = 0; l < all && by[i][k] != 0; l++)
					sum += by[i][k] * by[j][l] * m->covariance[k * all + l];
			out[i * n + j] = theta[i] * theta[j] * sum;
		}
}

void
cvm_covariate_theta(const cvm_covariate_model *m, const double *z, double *theta, double *covariance)
{
	double		shift[CVM_MAX_PARAMS] = {0};

	for (int e = 0; e < m->effects; e++)
		shift[m->effect[e].param] += m->effect[e].sign * m->coefficient[e]
			* (z[m->effect[e].covariate] - m->mean[m->effect[e].covariate]);
	for (int i = 0; i < m->family->n_params; i++)
		theta[i] = m->theta[i] * exp(shift[i]);
	if (covariance != NULL)
		customer_covariance(m, z, theta, covariance);
}

double
cvm_covariate_ratio(const cvm_fit_result *plain, const cvm_fit_result *model, int effects, double *p)
{
	double		ratio = 2 * (model->loglik - plain->loglik);

	*p = plain->rung == CVM_RUNG_FULL && model->rung == CVM_RUNG_FULL ? cvm_chi_square_tail(fmax(0, ratio), effects) : NAN;
	return ratio;
}
