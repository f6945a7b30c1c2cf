/*
 * ranks.c: tie-safe quintile scores of a large array without sorting it.
 */
#include "engine.h"

#include <math.h>

/*
 * The value of rank k (0-based) by Hoare's selection; reorders values.
 */
static double
select_rank(double *values, int64 n, int64 k)
{
	int64		left = 0;
	int64		right = n - 1;

	while (left < right)
	{
		double		pivot = values[left + (right - left) / 2];
		int64		i = left;
		int64		j = right;

		while (i <= j)
		{
			while (values[i] < pivot)
				i++;
			while (values[j] > pivot)
				j--;
			if (i <= j)
			{
				double		swap = values[i];

				values[i++] = values[j];
				values[j--] = swap;
			}
		}
		if (k <= j)
			right = j;
		else if (k >= i)
			left = i;
		else
			break;
	}
	return values[k];
}

/*
 * Score = floor(5 (rank - 1) / n) + 1 with rank = 1 + number of smaller values:
 * equal values score equal.  A value scores at least k when at least
 * c = ceil((k - 1) n / 5) values are smaller, so the cut is the smallest such
 * value: the one of 0-based rank c unless ties begin before it, else the next.
 * NaN must not occur.
 */
void
cvm_quintile_cuts(double *values, int64 n, double cut[4])
{
	for (int k = 2; k <= 5; k++)
	{
		int64		c = ((k - 1) * n + 4) / 5;
		double		at_rank;
		double		above = INFINITY;
		int64		smaller = 0;

		if (c >= n)
		{
			cut[k - 2] = INFINITY;
			continue;
		}
		at_rank = select_rank(values, n, c);
		for (int64 i = 0; i < n; i++)
		{
			if (values[i] < at_rank)
				smaller++;
			else if (values[i] > at_rank && values[i] < above)
				above = values[i];
		}
		cut[k - 2] = smaller >= c ? at_rank : above;
	}
}

int
cvm_quintile(const double cut[4], double value)
{
	int			score = 1;

	for (int i = 0; i < 4; i++)
		if (value >= cut[i])
			score = i + 2;
	return score;
}
