/*
 * driver_bootstrap.c: intervals of importances by drawing the rows again (see driver.h).
 */
#include "metric/driver.h"

#include <math.h>

#include "math/random.h"
#include "miscadmin.h"

/* The z of the attributes that vary and of the outcome, side by side: every replicate reads them all. */
static double *
compact(const Analysis *a)
{
	int			m = a->k + 1;
	double	   *compact = driver_numbers((Size) a->rows.distinct * m);

	for (int i = 0; i < a->rows.distinct; i++)
	{
		const double *z = a->z + (Size) i * a->rows.columns;

		for (int j = 0; j < a->k; j++)
			compact[(Size) i * m + j] = z[a->member[j]];
		compact[(Size) i * m + a->k] = z[0];
	}
	return compact;
}

/*
 * Correlations and mean z of rows drawn `count` times each; false if the outcome does not vary among them.
 * An attribute that does not has no correlation with anything, and so no share.
 */
static bool
correlate_drawn(const Analysis *a, const double *rows, const int *count, double *sum, double *mean, double *r, double *y)
{
	int			m = a->k + 1;
	double		n = a->rows.n;

	memset(sum, 0, sizeof(double) * m * m);
	memset(mean, 0, sizeof(double) * m);
	for (int i = 0; i < a->rows.distinct; i++)
	{
		const double *z = rows + (Size) i * m;

		if (i % INTERRUPT_ROWS == 0)
			CHECK_FOR_INTERRUPTS();
		if (count[i] == 0)
			continue;
		for (int j = 0; j < m; j++)
		{
			double		x = count[i] * z[j];

			mean[j] += x;
			for (int l = 0; l <= j; l++)
				sum[j * m + l] += x * z[l];
		}
	}
	for (int j = 0; j < m; j++)
		mean[j] /= n;
	for (int j = 0; j < m; j++)
		for (int l = 0; l <= j; l++)
			sum[j * m + l] = sum[j * m + l] / n - mean[j] * mean[l];
	if (!(sum[m * m - 1] > DRIVER_ROUNDING))
		return false;
	for (int j = 0; j < m; j++)
		for (int l = 0; l < j; l++)
		{
			bool		both = sum[j * m + j] > DRIVER_ROUNDING && sum[l * m + l] > DRIVER_ROUNDING;
			double		correlation = both ? sum[j * m + l] / sqrt(sum[j * m + j] * sum[l * m + l]) : 0;

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
	DriverInterval interval;

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

/* Unless told, fewer of many rows: their intervals are narrow, and a replicate of a million takes 0.1 s. */
static int
replicates_of(const Analysis *a)
{
	if (a->sample->options.replicates >= 0)
		return a->sample->options.replicates;
	return (int) fmax(200, fmin(1000, 5e7 / a->rows.n));
}

/* Rows are drawn again, as many as there are; what comes of each draw, kept by attribute. */
void
cvm_driver_bootstrap(Analysis *a)
{
	const DriverOptions *options = &a->sample->options;
	int			m = a->k + 1;
	double	   *lmg = driver_numbers(a->k);
	double	   *weight = driver_numbers(a->k);
	double	   *r = driver_numbers((Size) a->k * a->k);
	double	   *y = driver_numbers(a->k);
	double	   *sum = driver_numbers((Size) m * m);
	double	   *mean = driver_numbers(m);
	double	   *rows = compact(a);
	int			replicates = replicates_of(a);
	double	   *lmg_draws = driver_numbers((Size) a->k * replicates);
	double	   *weight_draws = driver_numbers((Size) a->k * replicates);
	double	   *opportunity_draws = driver_numbers((Size) a->k * replicates);
	int		   *count = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int) * a->rows.distinct);
	int			n = 0;
	cvm_rng		rng;

	cvm_rng_seed(&rng, options->seed);
	for (int b = 0; b < replicates; b++)
	{
		double		r_squared;

		draw_rows(&a->rows, &rng, count);
		if (!correlate_drawn(a, rows, count, sum, mean, r, y))
			continue;
		cvm_driver_importances(a, r, y, lmg, weight);
		r_squared = total(weight, a->k);
		if (!(r_squared > 0))
			continue;
		for (int j = 0; j < a->k; j++)
		{
			const Driver *d = &a->driver[a->member[j]];
			Size		at = (Size) j * replicates + n;

			lmg_draws[at] = lmg[j];
			weight_draws[at] = weight[j];
			opportunity_draws[at] = cvm_driver_opportunity(a, (options->by_weight ? weight : lmg)[j] / r_squared,
												d->performance + mean[j] * d->deviation * sqrt((a->rows.n - 1.0) / a->rows.n));
		}
		n++;
	}
	if (n <= replicates / 2)
		return;
	for (int j = 0; j < a->k; j++)
	{
		Driver	   *d = &a->driver[a->member[j]];
		Size		at = (Size) j * replicates;

		if (a->table)
			d->lmg_interval = percentiles(lmg_draws + at, n, options->confidence);
		d->weight_interval = percentiles(weight_draws + at, n, options->confidence);
		if (!isnan(d->opportunity))
			d->opportunity_interval = percentiles(opportunity_draws + at, n, options->confidence);
	}
}
