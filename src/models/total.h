/*
 * total.h: the residual value of a group of customers, with both of its
 * uncertainties.  Plain C.
 *
 * What customers do by chance is independent between them: means, variances and
 * third moments add.  Their sum is taken as log-normal with a shift, which has these
 * three moments (the three-parameter log-normal: Johnson 1949, Biometrika 36).
 *
 * The parameters are shared: loadings add, and the direction of their sum is the one
 * along which the group's value moves most; all directions at right angles to it leave
 * the value as it is, but for curvature.  So the quantile of the value by the parameters is
 * the group's value at parameters moved along that direction by the normal quantile:
 * valued anew, not extended in a line.  For that a sample of the group is enough, by
 * priority (Duffield, Lund & Thorup 2007, J. ACM 54(6)), since the line, which all
 * customers make, is subtracted from it.  The sample is of customers, not of the order
 * in which they come.
 *
 * Both have the same centre: in logarithms, distances from the median add in squares.
 */
#ifndef CVM_MODELS_TOTAL_H
#define CVM_MODELS_TOTAL_H

#include "math/sum.h"
#include "uncertainty.h"

#define CVM_TOTAL_SAMPLE 256	/* a group of at most so many is valued anew as a whole */

typedef struct cvm_member
{
	cvm_stake	stake;
	double		size;
	double		priority;		/* size / a uniform number */
} cvm_member;

typedef struct cvm_total
{
	cvm_sum		mean;
	cvm_sum		purchases;
	cvm_sum		variance;
	cvm_sum		third;
	cvm_sum		loading[CVM_MAX_LOADINGS];
	int			n;				/* of the sample, which is one larger than what is used of it */
	cvm_member	sample[CVM_TOTAL_SAMPLE + 1];	/* a heap: the least priority first */
} cvm_total;

/* What a sum was made with: how its customers are valued. */
typedef struct cvm_outlook
{
	const cvm_fit_result *purchases;
	const cvm_fit_result *spend;
	const cvm_axes *purchase_axes;
	const cvm_axes *spend_axes;
	double		rate;
	double		horizon;
	double		margin;
} cvm_outlook;

/* chance: a uniform number in (0, 1) that is the customer's own, such as a hash of whom he is. */
extern void cvm_total_add(cvm_total *total, const cvm_stake *stake, double chance);

/*
 * Quantile of the sum; not finite where parameters that are that far out give no
 * finite value.
 */
extern double cvm_total_quantile(cvm_total *total, const cvm_outlook *outlook, double level);

/* Variance that the parameters give it, to first order. */
extern double cvm_total_parameter_variance(const cvm_total *total);

/*
 * Quantile of a sum of many independent non-negative values with this mean,
 * variance and third central moment.
 */
extern double cvm_sum_quantile(double mean, double variance, double third, double level);

#endif
