/*
 * uncertainty.h: a customer's residual value with both of its uncertainties: what
 * he will do at given parameters (predictive.h), and the parameters themselves
 * (axes.h).  Plain C.
 *
 * His quantiles are those of the predictive distribution, whose scale is
 * log-normal around the fitted one: above 0 the distances from the median, in
 * logarithms, add in squares.  What he adds to a sum is his stake in it (total.h).
 */
#ifndef CVM_MODELS_UNCERTAINTY_H
#define CVM_MODELS_UNCERTAINTY_H

#include "axes.h"
#include "predictive.h"

#define CVM_MAX_LOADINGS (3 * CVM_MAX_PARAMS)	/* of purchases, spend and contracts, in this order */
#define CVM_SPEND_LOADINGS CVM_MAX_PARAMS	/* where those of spend begin */
#define CVM_CONTRACT_LOADINGS (2 * CVM_MAX_PARAMS)

/* What a customer adds to a sum of residual values. */
typedef struct cvm_stake
{
	double		mean;			/* residual value */
	double		purchases;		/* of it, without contracts */
	double		variance;		/* at the fitted parameters */
	double		third;			/* third central moment, likewise */
	double		loading[CVM_MAX_LOADINGS];	/* of the mean */
	cvm_row		row;			/* where there are purchases to come: the history behind them */
} cvm_stake;

typedef struct cvm_forecast
{
	double		low;			/* quantile at level `low_level` */
	double		high;
	bool		known;			/* the parameters' uncertainty is in the quantiles, and these are its loadings */
	cvm_stake	stake;
} cvm_forecast;

/*
 * row, p_alive, mean: as for cvm_predict.  expected_spend: of one purchase, from
 * which `mean` is made.  What is not known (see axes.h) is left out of the quantiles
 * and known is false; so it is where a mean hardly exists.
 */
extern void cvm_forecast_residual(const cvm_predictive *predictive, const cvm_axes *purchases, const cvm_axes *spend,
								  const cvm_row *row, double p_alive, double expected_spend, double mean,
								  double low_level, double high_level, cvm_forecast *out);

#endif
