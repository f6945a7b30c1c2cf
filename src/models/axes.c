/*
 * axes.c: the covariance of a fit -> independent directions (see axes.h).
 */
#include "models/axes.h"

#include "math/optimise.h"

#include <math.h>
#include <string.h>

#define STEP 1e-4				/* in log parameters: far above rounding, far below any curvature */
#define LEAST_EIGENVALUE 1e-14	/* of the largest: smaller is 0 but for rounding */
#define MOST_ASYMMETRY 1e-6

/*
 * Covariance of the log parameters from the first estimated one on (a searched
 * parameter is a choice, not an estimate); false if it is none.
 */
static bool
log_covariance(const cvm_fit_result *fit, int first, int n, double *out)
{
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
		{
			int			a = first + i;
			int			b = first + j;
			double		size = sqrt(fit->covariance[a][a] * fit->covariance[b][b]);

			if (!(fabs(fit->covariance[a][b] - fit->covariance[b][a]) <= MOST_ASYMMETRY * size))
				return false;
			out[i * n + j] = 0.5 * (fit->covariance[a][b] + fit->covariance[b][a]) / (fit->theta[a] * fit->theta[b]);
			if (!isfinite(out[i * n + j]) || (i == j && !(out[i * n + j] > 0)))
				return false;
		}
	return true;
}

/* One step along a vector of log parameters. */
static void
move(const cvm_fit_result *fit, int first, int n, const double *direction, double *theta)
{
	memcpy(theta, fit->theta, sizeof(fit->theta));
	for (int i = 0; i < n; i++)
		theta[first + i] *= exp(STEP * direction[i]);
}

void
cvm_axes_of(const cvm_fit_result *fit, cvm_axes *axes)
{
	int			first = fit->family->searched > 0 ? 1 : 0;
	int			n = fit->family->n_params - first;
	double		covariance[CVM_MAX_PARAMS * CVM_MAX_PARAMS] = {0};
	double		values[CVM_MAX_VARIABLES];
	double		vectors[CVM_MAX_VARIABLES][CVM_MAX_VARIABLES];

	memset(axes, 0, sizeof(*axes));
	axes->family = fit->family;
	if (!fit->has_covariance || fit->rung > CVM_RUNG_PENALISED || !log_covariance(fit, first, n, covariance))
		return;
	cvm_eigen(n, covariance, values, vectors);
	if (!(values[0] > LEAST_EIGENVALUE * values[n - 1]))
		return;
	axes->known = true;
	axes->n = n;
	for (int k = 0; k < n; k++)
	{
		move(fit, first, n, vectors[k], axes->theta[k]);
		axes->scale[k] = sqrt(values[k]) / STEP;
		for (int i = 0; i < n; i++)
			axes->sd[k][first + i] = sqrt(values[k]) * vectors[k][i];
	}
}

void
cvm_axes_move(const cvm_axes *axes, const cvm_fit_result *fit, const double *deviations, double *theta)
{
	memcpy(theta, fit->theta, sizeof(fit->theta));
	for (int k = 0; k < axes->n; k++)
		for (int i = 0; i < fit->family->n_params; i++)
			theta[i] *= exp(deviations[k] * axes->sd[k][i]);
}
