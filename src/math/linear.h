/*
 * linear.h: small dense systems of linear equations, eigenvalues, and sums of powers.  Plain C.
 *
 * Why not a library: what is solved here has as many rows as a Markov chain of
 * customer states has states, or a survey has attributes, tens as a rule, and
 * LAPACK reports errors through a global handler that may stop the process.
 */
#ifndef CVM_MATH_LINEAR_H
#define CVM_MATH_LINEAR_H

#include <stdbool.h>

/*
 * Solves a x = b (a row-major, n x n); the solution replaces b, a is used up.
 * False if a is singular to working precision.
 */
extern bool cvm_linear_solve(int n, double *a, double *b);

/*
 * Solves (D - M) x = b where M >= 0 has the elements m (row-major, n x n; used up; the
 * diagonal is not read) and D - M has the row sums excess >= 0 (used up): the solution
 * replaces b.  Nothing is subtracted, so that a nearly singular matrix, whose excesses are
 * tiny, costs no digits (Grassmann, Taksar & Heyman 1985; Alfa, Xue & Ye 2002).  False if
 * it is singular.
 */
extern bool cvm_excess_solve(int n, double *m, double *excess, double *b);

/*
 * Eigenvalues and eigenvectors of a symmetric matrix (row-major, n x n; used up):
 * a = V diag(values) V', column k of V belongs to values[k].  In no order.
 */
extern void cvm_symmetric_eigen(int n, double *a, double *values, double *vectors);

/*
 * Sweep of a symmetric matrix (row-major, n x n) on pivot k, which must not be 0
 * (Goodnight 1979).  Of cross-products with some columns swept, row k of a swept
 * column holds the coefficients of the regressions of all others on the swept, the
 * block of the others what these leave, and the block of the swept its inverse.
 */
extern void cvm_sweep(int n, double *a, int k);

/*
 * The lower triangle of l becomes that of L in a = L L' (a and l row-major, n x n, and may
 * be the same; only lower triangles are read and written).  Returns n, or the row at which a is
 * seen not to be positive definite: its pivot, which is left out, keeps no more than `least` of
 * the diagonal element.
 */
extern int	cvm_cholesky(int n, const double *a, double least, double *l);

/* Solves L L' x = b; the solution replaces b. */
extern void cvm_cholesky_solve(int n, const double *l, double *b);

/* 1 + q + ... + q^(terms - 1), q >= 0, terms >= 0, without cancellation near q = 1 */
extern double cvm_geometric_sum(double ratio, double terms);

#endif
