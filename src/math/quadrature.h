/*
 * quadrature.h: the two kinds of integrals the models need.  Plain C.
 */
#ifndef CVM_MATH_QUADRATURE_H
#define CVM_MATH_QUADRATURE_H

typedef double (*cvm_integrand) (double at, const void *context);

/*
 * int_from^to f: Gauss-Legendre, 12 nodes on each of `panels` equal panels.
 */
extern double cvm_integrate(cvm_integrand f, const void *context,
							double from, double to, int panels);

/* Add int_from^to of n <= 16 functions at once to `sums`, on one such panel. */
typedef void (*cvm_integrands) (double at, const void *context, double *values);

extern void cvm_integrate_all(cvm_integrands f, const void *context,
							  double from, double to, int n, double *sums);

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
