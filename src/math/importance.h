/*
 * importance.h: how much each of several correlated attributes explains of an outcome.  Plain C.
 *
 * All work on correlations: r of the attributes (row-major, p x p, unit diagonal),
 * y of each with the outcome.  Importances are in units of R^2 and sum to it.
 *
 * Why not LAPACK: the matrices are of the size of a questionnaire, an exact LMG solves
 * 2^p regressions that share their work, and a library's error handler may stop the process.
 */
#ifndef CVM_MATH_IMPORTANCE_H
#define CVM_MATH_IMPORTANCE_H

#include <stdbool.h>

#define CVM_MAX_LMG 20			/* attributes: 2^20 regressions, 0.1 s */

/* An attribute of which the others leave less than this share unexplained is collinear: a VIF of 10^10. */
#define CVM_COLLINEAR 1e-10

/*
 * Regression of the outcome on the attributes.  kept[j] is false for one that follows
 * from others; dependency[j * p + k] is then its standardised coefficient on a kept k.  beta and
 * inverse (the diagonal of the kept attributes' inverse correlations) are of those kept.
 * scratch: (p + 1)^2.  Returns the share of the outcome that is left unexplained, 1 - R^2,
 * which is below 0 if no data can have such correlations.
 */
extern double cvm_regression(int p, const double *r, const double *y, double *scratch,
							 bool *kept, double *beta, double *inverse, double *dependency);

/*
 * Shapley value of R^2, called LMG (Lindeman, Merenda & Gold 1980; Gromping 2006, eq. 6): the mean
 * over all orders of the attributes of what one adds to R^2 when its turn comes.  p <= CVM_MAX_LMG.
 * table: 2^p, scratch: (p + 1)^3.  Attributes that follow from others are no error: then they add nothing.
 */
extern void cvm_lmg(int p, const double *r, const double *y, double *table, double *scratch, double *lmg);

/*
 * Relative weights (Johnson 2000): the outcome is regressed on the orthogonal variables nearest
 * to the attributes, and each coefficient's square is shared out by the squared loadings.
 * scratch: 2 p^2 + 3 p.
 */
extern void cvm_relative_weights(int p, const double *r, const double *y, double *scratch, double *weights);

#endif
