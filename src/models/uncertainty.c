/*
 * uncertainty.c: residual value and the uncertainty of the parameters behind it
 * (see uncertainty.h).
 */
#include "models/uncertainty.h"

#include <math.h>
#include <string.h>

/*
 * Loadings of the mean m = P(alive) x discounted purchases x spend x margin:
 * m times those of the logarithms of the factors.
 */
static bool
purchase_loadings(const cvm_axes *axes, const cvm_row *row, double p_alive, const double *slope, double mean, double *loading)
{
	bool		known = axes->known;

	for (int k = 0; k < axes->n; k++)
	{
		double		alive = axes->family->p_alive(axes->theta[k], row);

		loading[k] = mean * (axes->scale[k] * (alive / p_alive - 1) + slope[k]);
		known &= isfinite(loading[k]);
	}
	return known;
}

/* *sd: standard deviation of ln(expected spend) */
static bool
spend_loadings(const cvm_axes *axes, const cvm_row *row, double expected_spend, double mean, double *loading, double *sd)
{
	cvm_row		money = *row;
	double		variance = 0;

	if (!(money.mean_spend > 0))
		money.x = 0;
	for (int k = 0; k < axes->n; k++)
	{
		double		slope = axes->scale[k] * (axes->family->expected_spend(axes->theta[k], &money) / expected_spend - 1);

		loading[k] = mean * slope;
		variance += slope * slope;
	}
	*sd = sqrt(variance);
	return axes->known && isfinite(variance) && isfinite(mean * *sd);
}

void
cvm_forecast_residual(const cvm_predictive *predictive, const cvm_axes *purchases, const cvm_axes *spend,
					  const cvm_row *row, double p_alive, double expected_spend, double mean,
					  double low_level, double high_level, cvm_forecast *out)
{
	cvm_prediction prediction;
	double		spend_sd;

	memset(out, 0, sizeof(*out));
	out->known = purchases->known && spend->known;
	if (!(p_alive > 0) || !(mean > 0) || !isfinite(mean))
		return;
	out->stake = (cvm_stake) {.mean = mean, .purchases = mean, .row = *row};
	out->known = spend_loadings(spend, row, expected_spend, mean, out->stake.loading + CVM_SPEND_LOADINGS, &spend_sd);
	cvm_predict(predictive, row, p_alive, mean, isfinite(spend_sd) ? spend_sd : 0, low_level, high_level, &prediction);
	out->known &= purchase_loadings(purchases, row, p_alive, prediction.slope, mean, out->stake.loading) && isfinite(prediction.high);
	if (!out->known)
		memset(out->stake.loading, 0, sizeof(out->stake.loading));
	out->low = prediction.low;
	out->high = prediction.high;
	out->stake.variance = prediction.variance;
	out->stake.third = prediction.third;
}
