/*
 * experiment.h: what an experiment with a treated and a control group says.  Plain C.
 *
 * NAN is a number that can not be given; the reason says why.  Groups are
 * independent of each other; `confidence` is between 0 and 1.
 */
#ifndef CVM_MATH_EXPERIMENT_H
#define CVM_MATH_EXPERIMENT_H

#include <stdbool.h>

#include "math/moments.h"

typedef enum cvm_reason
{
	CVM_GIVEN,					/* everything is given */
	CVM_ONE_ARM,				/* nobody treated, or nobody in control */
	CVM_TOO_FEW,				/* fewer than two in an arm: no variance can be estimated */
	CVM_NO_VARIANCE,			/* all outcomes of both arms are equal to their arm's */
	CVM_CONSTANT_COVARIATE,		/* the covariate is the same for all */
	CVM_CONTROL_ZERO			/* only the relative difference is missing: the control's mean is 0 */
} cvm_reason;

typedef struct cvm_arm
{
	double		n;
	double		mean;
	double		variance;		/* with n - 1; NAN for fewer than two */
} cvm_arm;

typedef struct cvm_difference	/* treated - control */
{
	double		difference;
	double		relative;		/* difference / |control mean| */
	double		error;			/* standard error */
	double		low,
				high;
	double		statistic;		/* t or z */
	double		degrees;		/* of freedom, of t */
	double		p;				/* two-sided */
	cvm_reason	reason;
} cvm_difference;

typedef struct cvm_cuped_difference
{
	double		theta;
	double		unadjusted;		/* difference of the plain means */
	double		variance_ratio; /* 1 - rho^2 */
	cvm_difference adjusted;
} cvm_cuped_difference;

extern cvm_arm cvm_arm_of_y(const cvm_moments *m);
extern cvm_arm cvm_arm_of_x(const cvm_moments *m);

/* Difference in means; unequal variances (Welch 1947), degrees of freedom of Satterthwaite (1946). */
extern cvm_difference cvm_welch(const cvm_arm *treated, const cvm_arm *control, double confidence);

/*
 * Difference in proportions: z with the pooled rate, standard error and Wald's interval without;
 * low and high are Newcombe's interval (1998, method 10), which also a rate of 0 or 1 has.
 */
extern cvm_difference cvm_two_proportions(double treated_hits, double treated, double control_hits, double control,
										  double confidence, double *wald_low, double *wald_high);

/*
 * y' = y - theta (x - mean x), theta = cov(y, x) / var(x) over both arms together
 * (Deng, Xu, Kohavi & Walker 2013): the difference in the mean of y' as by Welch.
 */
extern cvm_cuped_difference cvm_cuped(const cvm_moments *treated, const cvm_moments *control, double confidence);

/*
 * Mixture sequential probability ratio test of no difference, the alternatives being
 * N(0, scale^2) (Robbins 1970; Johari, Koomen, Pekelis & Walsh 2022): p is valid at any
 * look, and at all looks together; the interval covers at all of them.
 */
extern double cvm_always_valid_p(double difference, double error, double scale);
extern double cvm_always_valid_margin(double error, double scale, double confidence);

/* p of the chi-square test that n customers fell into the arms by their shares (both of length arms >= 2) */
extern double cvm_sample_ratio(int arms, const double *counts, const double *shares, double *chi_square);

/* ---------- design ---------- */

typedef struct cvm_design
{
	double		alpha;			/* two-sided */
	double		power;
	double		ratio;			/* treated customers for each one in control */
} cvm_design;

/* customers in control for a difference in means; effect and sd in one unit */
extern double cvm_sample_size_means(double effect, double sd, const cvm_design *d);
extern double cvm_mde_means(double customers, double sd, const cvm_design *d);
extern double cvm_power_means(double customers, double effect, double sd, const cvm_design *d);

/* the same for proportions; `pooled`: the test's z has the pooled rate (Fleiss, Levin & Paik 2003) */
extern double cvm_sample_size_proportions(double control, double treated, bool pooled, const cvm_design *d);
extern double cvm_mde_proportions(double customers, double control, const cvm_design *d);
extern double cvm_power_proportions(double customers, double control, double treated, bool pooled, const cvm_design *d);

#endif
