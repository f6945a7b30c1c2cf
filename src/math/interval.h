/*
 * interval.h: what intervals and tests of means and shares are made of.  Plain C.
 */
#ifndef CVM_MATH_INTERVAL_H
#define CVM_MATH_INTERVAL_H

#include <stdbool.h>

/* z with I_z(a, b) = level, a, b > 0, 0 < level < 1 */
extern double cvm_beta_quantile(double a, double b, double level);

/* t with P(|T| > t) = tail for Student's T of df > 0 degrees of freedom, 0 < tail < 1 (Student 1908) */
extern double cvm_student_quantile(double df, double tail);

/* P(|T| > |t|), T of Student's distribution or, with infinite df, of the normal one */
extern double cvm_two_sided(double t, double df);

/*
 * Wilson's score interval (1927) of a share p of n (real, > 0), with or without a
 * continuity correction: methods 4 and 3 of Newcombe (1998, Statistics in Medicine
 * 17:857).  Exactly 0 at p = 0 and 1 at p = 1.
 */
extern void cvm_wilson(double p, double n, double z, bool corrected, double *low, double *high);

/*
 * Interval of v1 - v2 from an interval of each (Zou & Donner 2008); with Wilson's it is
 * method 10 or 11 of Newcombe (1998, Statistics in Medicine 17:873), with Wald's the usual one.
 */
extern void cvm_difference_interval(double v1, double low1, double high1, double v2, double low2, double high2,
									double *low, double *high);

#endif
