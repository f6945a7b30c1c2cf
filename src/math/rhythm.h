/*
 * rhythm.h: how regularly a customer buys, and whether he has been silent for longer.  Plain C.
 */
#ifndef CVM_MATH_RHYTHM_H
#define CVM_MATH_RHYTHM_H

#define CVM_RHYTHM_GAPS 3		/* fewer say nothing of a rhythm */

/*
 * Shape of a gamma distribution of the gaps between purchases, from their number (at
 * least CVM_RHYTHM_GAPS), sum and sum of logarithms; gaps are whole periods.  1: purchases at
 * random; larger: more regular.
 */
extern double cvm_gap_shape(double gaps, double sum, double log_sum);

/* Probability that the next gap is at least so long. */
extern double cvm_gap_tail(double gaps, double sum, double log_sum, double silence);

#endif
