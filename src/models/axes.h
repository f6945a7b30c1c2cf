/*
 * axes.h: how sure a fit is of its parameters, as independent directions.  Plain C.
 *
 * The logarithms of the parameters are taken as normal around the estimate, with the
 * covariance of the fit by the delta method.  Along the eigenvectors of that matrix they
 * are independent: a figure f has the variance sum over the axes k of
 * (sd_k df / d axis_k)^2.  These products are f's loadings.  Loadings of several
 * customers add, which is what makes the uncertainty of a sum: all customers share the
 * parameters, so that their errors do not average out.
 */
#ifndef CVM_MODELS_AXES_H
#define CVM_MODELS_AXES_H

#include "model.h"

typedef struct cvm_axes
{
	const cvm_family *family;
	bool		known;			/* the covariance of all that was estimated is known, and is one */
	int			n;				/* 0 if not known */
	double		theta[CVM_MAX_PARAMS][CVM_MAX_PARAMS];	/* parameters a small step along each axis */
	double		scale[CVM_MAX_PARAMS];	/* difference of a figure over that step -> loading */
	double		sd[CVM_MAX_PARAMS][CVM_MAX_PARAMS]; /* change of the log parameters over a standard deviation along each axis */
} cvm_axes;

/*
 * Not known: without a covariance; with one that is not symmetric and positive
 * definite; where parameters are held that were not estimated (the rung `simpler`).
 */
extern void cvm_axes_of(const cvm_fit_result *fit, cvm_axes *axes);

/* Parameters at these numbers of standard deviations along the axes; the estimate where nothing is known. */
extern void cvm_axes_move(const cvm_axes *axes, const cvm_fit_result *fit, const double *deviations, double *theta);

#endif
