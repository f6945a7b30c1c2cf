/*
 * sum.h: compensated summation (Neumaier 1974): the error of a sum stays at a few
 * units in the last place, however many terms there are.  Plain C.
 */
#ifndef CVM_MATH_SUM_H
#define CVM_MATH_SUM_H

#include <math.h>

typedef struct cvm_sum
{
	double		high;
	double		low;			/* what rounding took from high */
} cvm_sum;

static inline void
cvm_sum_add(cvm_sum *sum, double term)
{
	double		next = sum->high + term;

	if (fabs(sum->high) >= fabs(term))
		sum->low += (sum->high - next) + term;
	else
		sum->low += (term - next) + sum->high;
	sum->high = next;
}

static inline double
cvm_sum_value(const cvm_sum *sum)
{
	return isfinite(sum->high) ? sum->high + sum->low : INFINITY;
}

#endif
