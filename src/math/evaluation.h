/*
 * evaluation.h: predictions held against what happened.  Plain C.
 *
 * The pairs are sorted ascending by prediction, then by the actual value.  NAN
 * means that the number is not defined, INFINITY that a double can not hold it.
 * Pairs with equal predictions are one group, in whatever order they come: each
 * is given its group's mean, which is what random orders would give on average.
 */
#ifndef CVM_MATH_EVALUATION_H
#define CVM_MATH_EVALUATION_H

#include <stdint.h>

typedef struct cvm_pair
{
	double		predicted;
	double		actual;			/* an outcome is 0 or 1 */
} cvm_pair;

/* mean |predicted - actual| */
extern double cvm_mae(const cvm_pair *pairs, int64_t n);

/* the same / that of predicting the actual mean for everybody; NAN if all actual values are equal */
extern double cvm_relative_mae(const cvm_pair *pairs, int64_t n);

/* square root of the mean (predicted - actual)^2 */
extern double cvm_rmse(const cvm_pair *pairs, int64_t n);

/* 100 sum (predicted - actual) / sum actual; NAN if the actual values sum to 0 */
extern double cvm_bias_percent(const cvm_pair *pairs, int64_t n);

/*
 * Gini coefficient of the actual values in the order of the predictions / that
 * in their own order; `sorted` has them ascending.  1: the order is perfect, 0: no better than chance,
 * -1: reversed.  NAN if all actual values are equal.
 */
extern double cvm_rank_gini(const cvm_pair *pairs, const double *sorted, int64_t n);

/* share of the actual total held by the ceil(fraction n) with the largest predictions */
extern double cvm_top_capture(const cvm_pair *pairs, int64_t n, double fraction);

/* their mean / the mean of all */
extern double cvm_top_lift(const cvm_pair *pairs, int64_t n, double fraction);

/*
 * Area under the ROC curve: probability that one with the outcome scores higher
 * than one without, a tie counting half; (rank sum - n1 (n1 + 1) / 2) / (n1 n0)
 * with midranks (Hanley & McNeil 1982).  NAN if all outcomes are equal.
 */
extern double cvm_auc(const cvm_pair *pairs, int64_t n);

/* its standard error (Hanley & McNeil 1982, with Q1 = A / (2 - A), Q2 = 2 A^2 / (1 + A)) */
extern double cvm_auc_standard_error(const cvm_pair *pairs, int64_t n);

/* mean (p - y)^2 (Brier 1950, for one of its two classes) */
extern double cvm_brier(const cvm_pair *pairs, int64_t n);

/* mean -ln of the probability given to what happened, at least 1e-15 (Good 1952) */
extern double cvm_log_loss(const cvm_pair *pairs, int64_t n);

#endif
