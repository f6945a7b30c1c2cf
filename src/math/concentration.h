/*
 * concentration.h: how unequally values are spread over customers.  Plain C.
 *
 * The values are sorted ascending.  NAN means that the number is not defined
 * (no customers, or a total that is not positive), INFINITY that the values are
 * too large for a double to hold their sum.  Sums are compensated (Neumaier
 * 1974) and run in the values' order, so that a result depends on nothing else.
 */
#ifndef CVM_MATH_CONCENTRATION_H
#define CVM_MATH_CONCENTRATION_H

#include <stdint.h>

/* Gini coefficient: sum (2 i - n - 1) y_i / (n sum y_i) (Sen 1973) */
extern double cvm_gini(const double *y, int64_t n);

/* The same times n / (n - 1), which a single holder of everything takes to 1 (Deltas 2003); NAN for n = 1 */
extern double cvm_gini_small_sample(const double *y, int64_t n);

/* Herfindahl-Hirschman index: sum of squared shares (Hirschman 1964) */
extern double cvm_hhi(const double *y, int64_t n);

/* Share of the total that the ceil(fraction n) largest hold */
extern double cvm_top_share(const double *y, int64_t n, double fraction);

/* Top of the whale curve: what the customers with profits earn / the total (Kaplan & Narayanan 2001) */
extern double cvm_whale_peak(const double *y, int64_t n);

/* ceil(fraction n), where fraction n is a whole number but for rounding: that number */
extern int64_t cvm_top_count(int64_t n, double fraction);

#endif
