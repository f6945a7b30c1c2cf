/*
 * quadrature.h: the two kinds of integrals the models need.  Plain C.
 */
#ifndef CVM_MATH_QUADRATURE_H
#define CVM_MATH_QUADRATURE_H

#include <stdbool.h>

typedef double (*cvm_integrand) (double at, const void *context);

/*
 * int_from^to f: Gauss-Legendre, 12 nodes on each of `panels` equal panels.
 */
extern double cvm_integrate(cvm_integrand f, const void *context,
							double from, double to, int panels);

/* The same with 8 nodes, for integrands that hardly change. */
extern double cvm_integrate_short(cvm_integrand f, const void *context, double from, double to);

/* Add int_from^to of n <= 16 functions at once to `sums`, with 12 nodes, or 8 if `brief`. */
typedef void (*cvm_integrands) (double at, const void *context, double *values);

extern void cvm_integrate_all(cvm_integrands f, const void *context, double from, double to,
							  bool brief, int n, double *sums);

/* ... and int_from^inf of functions that fall like e^(-decay at) times a smooth one. */
extern void cvm_integrate_tail(cvm_integrands f, const void *context, double from, double decay,
							   int n, double *sums);

/*
 * E[f(p)] for p ~ Beta(a, b), a, b > 0.
 *
 * f is smooth, positive, and behaves like a power of p (or a constant) below
 * `finest`, the smallest p near which its shape changes: f is never asked to
 * be sampled finely below that.  f(0), its limit, must be finite: p underflows
 * to 0 when a is tiny.
 */
extern double cvm_beta_mean(cvm_integrand f, const void *context,
							double a, double b, double finest);

#endif
