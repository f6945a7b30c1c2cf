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

/* 1 + q + ... + q^(terms - 1), q >= 0, terms >= 0, without cancellation near q = 1 */
extern double cvm_geometric_sum(double ratio, double terms);

#endif
