/*
 * rhythm.c: the gaps between a customer's purchases as draws from a gamma distribution of
 * his own.
 *
 * Its shape is the maximum of the likelihood, ln k - digamma(k) = ln(mean) - mean(ln),
 * which is far too large for few gaps and so corrected for its bias (Cox & Snell
 * 1968; Louzada, Ramos & Ramos 2019), though not below what is measured where
 * gaps are more irregular than random ones.  Gaps are whole periods, so that equal
 * ones need not be equal: their variance is at least that of rounding, 1/12.
 *
 * Given the shape, the next gap over the sum S of n gaps is a beta prime variable
 * whatever the customer's rate, so that P(gap > g) = I_z(n k, k), z = S / (S + g).
 */
#include "math/rhythm.h"

#include <math.h>

#include "math/special.h"

static double
likeliest_shape(double excess)
{
	/* within 1.5 % (Minka 2002), then Newton's steps */
	double		k = (3 - excess + sqrt((excess - 3) * (excess - 3) + 24 * excess)) / (12 * excess);

	for (int i = 0; i < 20; i++)
	{
		double		step = (log(k) - cvm_digamma(k) - excess) / (1 / k - cvm_trigamma(k));

		k -= fmin(step, 0.9 * k);
		if (fabs(step) <= 1e-9 * k)
			break;
	}
	return k;
}

double
cvm_gap_shape(double gaps, double sum, double log_sum)
{
	double		mean = sum / gaps;
	double		excess = fmax(log(mean) - log_sum / gaps, 1 / (24 * mean * mean));
	double		k = likeliest_shape(excess);
	double		corrected = k - (3 * k - 2.0 / 3 * k / (1 + k) - 0.8 * k / ((1 + k) * (1 + k))) / gaps;

	return fmax(corrected, fmin(k, 1));
}

double
cvm_gap_tail(double gaps, double sum, double log_sum, double silence)
{
	double		k = cvm_gap_shape(gaps, sum, log_sum);

	if (!(silence > 0))
		return 1;
	return cvm_incomplete_beta(gaps * k, k, sum / (sum + silence), silence / (sum + silence));
}
