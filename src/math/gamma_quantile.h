/*
 * gamma_quantile.h: quantiles and upper tail of the gamma distribution.  Plain C.
 */
#ifndef CVM_MATH_GAMMA_QUANTILE_H
#define CVM_MATH_GAMMA_QUANTILE_H

/* z with Phi(z) = level, 0 < level < 1 */
extern double cvm_normal_quantile(double level);

/*
 * ln of the quantile of Gamma(shape, 1), shape > 0, 0 < level < 1: the quantile
 * itself underflows for small shapes.
 */
extern double cvm_log_gamma_quantile(double shape, double level);

/* ln P(X > x), X of Gamma(shape, 1), shape > 0, x > 0 */
extern double cvm_log_gamma_upper(double shape, double x);

#endif
