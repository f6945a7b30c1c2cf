/*
 * linear.h: small dense systems of linear equations, and sums of powers.  Plain C.
 *
 * Why not a library: what is solved here has as many rows as a Markov chain of
 * customer states has states, tens as a rule, and LAPACK reports errors through
 * a global handler that may stop the process.
 */
#ifndef CVM_MATH_LINEAR_H
#define CVM_MATH_LINEAR_H

#include <stdbool.h>

/*
 * Solves a x = b (a row-major, n x n); the solution replaces b, a is used up.
 * False if a is singular to working precision.
 */
extern bool cvm_linear_solve(int n, double *a, double *b);

/* 1 + q + ... + q^(terms - 1), q >= 0, terms >= 0, without cancellation near q = 1 */
extern double cvm_geometric_sum(double ratio, double terms);

#endif
