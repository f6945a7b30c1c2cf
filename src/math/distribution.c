/*
 * distribution.c: upper tails (see distribution.h).
 */
#include "math/distribution.h"

#include <math.h>

#include "math/gamma_quantile.h"

double
cvm_normal_tail(double z)
{
	return 0.5 * erfc(z * M_SQRT1_2);
}

double
cvm_chi_square_tail(double x, double degrees)
{
	return x > 0 ? exp(cvm_log_gamma_upper(0.5 * degrees, 0.5 * x)) : 1;
}
