/*
 * concentration.c: how unequally values are spread (see concentration.h).
 */
#include "math/concentration.h"

#include "math/sum.h"

static double
total(const double *y, int64_t n)
{
	cvm_sum		sum = {0};

	for (int64_t i = 0; i < n; i++)
		cvm_sum_add(&sum, y[i]);
	return cvm_sum_value(&sum);
}

/* sum (2 i - n - 1) y_i / (scale sum y) */
static double
gini(const double *y, int64_t n, double scale)
{
	double		all = total(y, n);
	cvm_sum		weighted = {0};

	if (!(all > 0) || isinf(all))
		return isinf(all) ? INFINITY : NAN;
	for (int64_t i = 0; i < n; i++)
		cvm_sum_add(&weighted, (2.0 * (i + 1) - n - 1) / scale * (y[i] / all));
	return cvm_sum_value(&weighted);
}

double
cvm_gini(const double *y, int64_t n)
{
	return gini(y, n, n);
}

double
cvm_gini_small_sample(const double *y, int64_t n)
{
	return n > 1 ? gini(y, n, n - 1) : NAN;
}

double
cvm_hhi(const double *y, int64_t n)
{
	double		all = total(y, n);
	cvm_sum		squares = {0};

	if (!(all > 0) || isinf(all))
		return isinf(all) ? INFINITY : NAN;
	for (int64_t i = 0; i < n; i++)
		cvm_sum_add(&squares, (y[i] / all) * (y[i] / all));
	return cvm_sum_value(&squares);
}

int64_t
cvm_top_count(int64_t n, double fraction)
{
	double		count = ceil(fraction * n * (1 - 1e-12));

	return count < 1 ? 1 : count > n ? n : (int64_t) count;
}

double
cvm_top_share(const double *y, int64_t n, double fraction)
{
	double		all = total(y, n);
	int64_t		count;

	if (!(all > 0) || isinf(all))
		return isinf(all) ? INFINITY : NAN;
	count = cvm_top_count(n, fraction);
	return total(y + n - count, count) / all;
}

double
cvm_whale_peak(const double *y, int64_t n)
{
	double		all = total(y, n);
	int64_t		first = 0;

	if (!(all > 0) || isinf(all))
		return isinf(all) ? INFINITY : NAN;
	while (y[first] <= 0)
		first++;
	return total(y + first, n - first) / all;
}
