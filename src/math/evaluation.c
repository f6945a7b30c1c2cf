/*
 * evaluation.c: predictions held against what happened (see evaluation.h).
 */
#include "math/evaluation.h"

#include <stdbool.h>

#include "math/concentration.h"
#include "math/sum.h"

#define CLIP 1e-15				/* a certain prediction that fails costs 34.5, not infinity */

static double
actual_total(const cvm_pair *pairs, int64_t n)
{
	cvm_sum		sum = {0};

	for (int64_t i = 0; i < n; i++)
		cvm_sum_add(&sum, pairs[i].actual);
	return cvm_sum_value(&sum);
}

double
cvm_mae(const cvm_pair *pairs, int64_t n)
{
	cvm_sum		sum = {0};

	for (int64_t i = 0; i < n; i++)
		cvm_sum_add(&sum, fabs(pairs[i].predicted - pairs[i].actual));
	return n > 0 ? cvm_sum_value(&sum) / n : NAN;
}

double
cvm_relative_mae(const cvm_pair *pairs, int64_t n)
{
	double		mean = actual_total(pairs, n) / n;
	cvm_sum		naive = {0};

	if (isinf(mean))
		return INFINITY;
	for (int64_t i = 0; i < n; i++)
		cvm_sum_add(&naive, fabs(mean - pairs[i].actual));
	/* equal values have a mean that may differ in the last place */
	if (n == 0 || cvm_sum_value(&naive) / n <= 1e-15 * fabs(mean))
		return NAN;
	return cvm_mae(pairs, n) / (cvm_sum_value(&naive) / n);
}

static double
mean_square_error(const cvm_pair *pairs, int64_t n)
{
	cvm_sum		sum = {0};

	for (int64_t i = 0; i < n; i++)
	{
		double		error = pairs[i].predicted - pairs[i].actual;

		cvm_sum_add(&sum, error * error);
	}
	return n > 0 ? cvm_sum_value(&sum) / n : NAN;
}

double
cvm_rmse(const cvm_pair *pairs, int64_t n)
{
	return sqrt(mean_square_error(pairs, n));
}

double
cvm_bias_percent(const cvm_pair *pairs, int64_t n)
{
	double		actual = actual_total(pairs, n);
	cvm_sum		excess = {0};

	if (actual == 0 || isinf(actual))
		return actual == 0 ? NAN : INFINITY;
	for (int64_t i = 0; i < n; i++)
		cvm_sum_add(&excess, pairs[i].predicted - pairs[i].actual);
	return 100 * cvm_sum_value(&excess) / actual;
}

/* First pair behind the group of equal predictions that begins at `from`. */
static int64_t
group_end(const cvm_pair *pairs, int64_t n, int64_t from)
{
	int64_t		end = from + 1;

	while (end < n && pairs[end].predicted == pairs[from].predicted)
		end++;
	return end;
}

double
cvm_rank_gini(const cvm_pair *pairs, const double *sorted, int64_t n)
{
	cvm_sum		ours = {0};
	cvm_sum		perfect = {0};
	int64_t		end;

	if (n == 0 || sorted[0] == sorted[n - 1])
		return NAN;
	for (int64_t from = 0; from < n; from = end)
	{
		end = group_end(pairs, n, from);
		/* the mean of 2 i - n - 1 over ranks from + 1 .. end */
		cvm_sum_add(&ours, ((double) (from + end) / n - 1) * actual_total(pairs + from, end - from));
	}
	for (int64_t i = 0; i < n; i++)
		cvm_sum_add(&perfect, ((2.0 * i + 1) / n - 1) * sorted[i]);
	if (isinf(cvm_sum_value(&ours)) || isinf(cvm_sum_value(&perfect)))
		return INFINITY;
	return cvm_sum_value(&ours) / cvm_sum_value(&perfect);
}

double
cvm_top_capture(const cvm_pair *pairs, int64_t n, double fraction)
{
	double		all = actual_total(pairs, n);
	int64_t		first;
	int64_t		from;
	int64_t		end;

	if (!(all > 0) || isinf(all))
		return isinf(all) ? INFINITY : NAN;
	first = n - cvm_top_count(n, fraction);
	/* the group that the cut goes through counts with its mean */
	from = first;
	while (from > 0 && pairs[from - 1].predicted == pairs[first].predicted)
		from--;
	end = group_end(pairs, n, first);
	return (actual_total(pairs + from, end - from) * ((double) (end - first) / (end - from)) +
			actual_total(pairs + end, n - end)) / all;
}

double
cvm_top_lift(const cvm_pair *pairs, int64_t n, double fraction)
{
	return n > 0 ? cvm_top_capture(pairs, n, fraction) * n / cvm_top_count(n, fraction) : NAN;
}

double
cvm_auc(const cvm_pair *pairs, int64_t n)
{
	double		positives = actual_total(pairs, n);
	double		negatives = n - positives;
	double		below = 0;		/* negatives with a lower prediction */
	cvm_sum		won = {0};
	int64_t		end;

	if (positives == 0 || negatives == 0)
		return NAN;
	for (int64_t from = 0; from < n; from = end)
	{
		double		with;
		double		without;

		end = group_end(pairs, n, from);
		with = actual_total(pairs + from, end - from);
		without = end - from - with;
		cvm_sum_add(&won, with * (below + without / 2));
		below += without;
	}
	return cvm_sum_value(&won) / positives / negatives;
}

double
cvm_auc_standard_error(const cvm_pair *pairs, int64_t n)
{
	double		positives = actual_total(pairs, n);
	double		negatives = n - positives;
	double		a = cvm_auc(pairs, n);
	double		q1 = a / (2 - a);
	double		q2 = 2 * a * a / (1 + a);

	return sqrt((a * (1 - a) + (positives - 1) * (q1 - a * a) + (negatives - 1) * (q2 - a * a)) /
				(positives * negatives));
}

double
cvm_brier(const cvm_pair *pairs, int64_t n)
{
	return mean_square_error(pairs, n);
}

/* ln of the probability given to what happened; 1 - p is exact from 1/2 on, log1p is better below. */
static double
log_likelihood(double p, bool happened)
{
	if (happened)
		return log(fmax(p, CLIP));
	return p < 0.5 ? log1p(-p) : log(fmax(1 - p, CLIP));
}

double
cvm_log_loss(const cvm_pair *pairs, int64_t n)
{
	cvm_sum		sum = {0};

	for (int64_t i = 0; i < n; i++)
		cvm_sum_add(&sum, -log_likelihood(pairs[i].predicted, pairs[i].actual > 0));
	return n > 0 ? cvm_sum_value(&sum) / n : NAN;
}
