/*
 * special.h: special functions in the forms the models need.  Plain C.
 *
 * Differences are functions of their own: lgamma(x + n) - lgamma(x) computed
 * from two calls loses every digit once x is large beside n, and fits do run
 * there.  Accuracy of all: about 1e-14, relative to the size of the result or
 * to 1 for logarithms.  Nothing here touches errno-like or global state.
 */
#ifndef CVM_MATH_SPECIAL_H
#define CVM_MATH_SPECIAL_H

extern double cvm_digamma(double x);	/* x > 0 */
extern double cvm_trigamma(double x);	/* x > 0 */

/* ln Gamma(x), x > 0; safe in threads, unlike lgamma */
extern double cvm_log_gamma(double x);

/* ln Gamma(x + n) - ln Gamma(x), and the same of digamma and trigamma; x > 0, n >= 0 real */
extern double cvm_log_rising(double x, double n);
extern double cvm_digamma_rise(double x, double n);
extern double cvm_trigamma_rise(double x, double n);

/* ln B(a, b), a, b > 0 */
extern double cvm_log_beta(double a, double b);

/* ln of B(a, b + n) / B(a, b) = (b)_n / (a + b)_n: surviving n coins of Beta(a, b); relative accuracy, n <= 1e150 */
extern double cvm_log_survive(double a, double b, double n);

/* ln (e^u + e^v); either may be -INFINITY */
extern double cvm_log_sum_exp(double u, double v);

/* log1p(x) - x without cancellation, x > -1 */
extern double cvm_log1p_minus(double x);

/* ln of z^a y^b / B(a, b), where y = 1 - z is given as well to keep its digits */
extern double cvm_log_beta_kernel(double a, double b, double z, double y);

/* regularised incomplete beta function I_z(a, b), y = 1 - z */
extern double cvm_incomplete_beta(double a, double b, double z, double y);

/* e^z E_s(z) = int_0^inf e^(-z u) (1 + u)^(-s) du, s > 0, z >= 0 */
extern double cvm_exp_integral(double s, double z);

#endif
