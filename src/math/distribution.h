/*
 * distribution.h: upper tails of the distributions that tests are read from.  Plain C.
 *
 * Tails keep their digits however small they are.  Accuracy: 1e-12 relative, of t with
 * a million degrees of freedom 3e-11.
 */
#ifndef CVM_MATH_DISTRIBUTION_H
#define CVM_MATH_DISTRIBUTION_H

/* P(Z > z), standard normal */
extern double cvm_normal_tail(double z);

/* P(X > x), chi-square with `degrees` > 0 of freedom, x >= 0 */
extern double cvm_chi_square_tail(double x, double degrees);

#endif
