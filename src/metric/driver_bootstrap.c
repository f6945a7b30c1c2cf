/*
 * driver_bootstrap.c: intervals of importances by drawing the rows again (see driver.h).
 */
#include "metric/driver.h"

#include <math.h>

#include "math/random.h"
#include "miscadmin.h"

/* Correlations and mean z of rows drawn `count` times each; false if the outcome does not vary among them. */
static bool
correlate_drawn(const Analysis *a, const int *count, double *sum, double *mean, double *r, double *y)
{
	int			m = a->k + 1;
	double		n = a->rows.n;

	memset(sum, 0, sizeof(double) * m * m);
	memset(mean, 0, sizeof(double) * m);
	for (int i = 0; i < a->rows.distinct; i++)
	{
		const double *z = a->z + (Size) i * a->rows.columns;

		if (i % INTERRUPT_ROWS == 0)
			CHECK_FOR_INTERRUPTS();
		if (count[i] == 0)
			continue;
		for (int j = 0; j < m; j++)
		{
			double		x = count[i] * (j < a->k ? z[a->member[j]] : z[0]);

			mean[j] += x / n;
			for (int l = 0; l <= j; l++)
				sum[j * m + l] += x * (l < a->k ? z[a->member[l]] : z[0]);
		}
	}
	for (int j = 0; j < m; j++)
		for (int l = 0; l <= j; l++)
			sum[j * m + l] = sum[j * m + l] / n - mean[j] * mean[l];
	if (!(sum[m * m - 1] > DRIVER_ROUNDING))
		return false;
	for (int j = 0; j < m; j++)
		for (int l = 0; l < j; l++)
		{
			double		both = sum[j * m + j] * sum[l * m + l];
			double		correlation = both > DRIVER_ROUNDING * DRIVER_ROUNDING ? sum[j * m + l] / sqrt(both) : 0;

			if (j == a->k)
				y[l] = correlation;
			else
				r[j * a->k + l] = r[l * a->k + j] = correlation;
		}
	for (int j = 0; j < a->k; j++)
		r[j * a->k + j] = 1;
	return true;
}

static void
draw_rows(const DistinctRows *rows, cvm_rng *rng, int *count)
{
	memset(count, 0, sizeof(int) * rows->distinct);
	for (int64 i = 0; i < rows->n; i++)
	{
		if (i % INTERRUPT_ROWS == 0)
			CHECK_FOR_INTERRUPTS();
		count[rows->owner[(int64) (cvm_rng_uniform(rng) * rows->n)]]++;
	}
}

static int
ascending(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

/* The quantile between order statistics of sorted values, as percentile_cont. */
static double
quantile(const double *sorted, int n, double level)
{
	double		at = level * (n - 1);
	int			below = (int) floor(at);

	if (below + 1 >= n)
		return sorted[n - 1];
	return sorted[below] + (at - below) * (sorted[below + 1] - sorted[below]);
}

/* Percentile interval (Efron & Tibshirani 1993, section 13.3). */
static DriverInterval
percentiles(double *draws, int n, double confidence)
{
	DriverInterval	interval;

	qsort(draws, n, sizeof(double), ascending);
	interval.low = quantile(draws, n, (1 - confidence) / 2);
	interval.high = quantile(draws, n, (1 + confidence) / 2);
	return interval;
}

static double
total(const double *values, int n)
{
	double		sum = 0;

	for (int i = 0; i < n; i++)
		sum += values[i];
	return sum;
}

/* Rows are drawn again, as many as there are; what comes of each draw, kept by attribute. */
void
cvm_driver_bootstrap(Analysis *a)
{
	const DriverOptions *options = &a->sample->options;
	Size		size = (Size) a->k * options->replicates;
	int			m = a->k + 1;
	double	   *lmg = driver_numbers(a->k);
	double	   *weight = driver_numbers(a->k);
	double	   *r = driver_numbers((Size) a->k * a->k);
	double	   *y = driver_numbers(a->k);
	double	   *sum = driver_numbers((Size) m * m);
	double	   *mean = driver_numbers(m);
	double	   *lmg_draws = driver_numbers(size);
	double	   *weight_draws = driver_numbers(size);
	double	   *opportunity_draws = driver_numbers(size);
	int		   *count = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int) * a->rows.distinct);
	int			n = 0;
	cvm_rng		rng;

	cvm_rng_seed(&rng, options->seed);
	for (int b = 0; b < options->replicates; b++)
	{
		double		r_squared;

		draw_rows(&a->rows, &rng, count);
		if (!correlate_drawn(a, count, sum, mean, r, y))
			continue;
		cvm_driver_importances(a, r, y, lmg, weight);
		r_squared = total(weight, a->k);
		if (!(r_squared > 0))
			continue;
		for (int j = 0; j < a->k; j++)
		{
			const Driver *d = &a->driver[a->member[j]];
			Size		at = (Size) j * options->replicates + n;

			lmg_draws[at] = lmg[j];
			weight_draws[at] = weight[j];
			opportunity_draws[at] = cvm_driver_opportunity(a, (options->by_weight ? weight : lmg)[j] / r_squared,
												d->performance + mean[j] * d->deviation * sqrt((a->rows.n - 1.0) / a->rows.n));
		}
		n++;
	}
	if (n <= options->replicates / 2)
		return;
	for (int j = 0; j < a->k; j++)
	{
		Driver	   *d = &a->driver[a->member[j]];
		Size		at = (Size) j * options->replicates;

		if (a->table)
			d->lmg_interval = percentiles(lmg_draws + at, n, options->confidence);
		d->weight_interval = percentiles(weight_draws + at, n, options->confidence);
		if (!isnan(d->opportunity))
			d->opportunity_interval = percentiles(opportunity_draws + at, n, options->confidence);
	}
}
