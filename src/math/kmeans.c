/*
 * kmeans.c: k-means clustering: starts spread out by k-means++ (Arthur & Vassilvitskii 2007),
 * then Lloyd's (1982) two steps in turn until no point changes its cluster.
 */
#include "math/kmeans.h"

#include <math.h>
#include <string.h>

#include "math/sum.h"

static double
squared_distance(const double *a, const double *b, int d)
{
	double		sum = 0;

	for (int j = 0; j < d; j++)
		sum += (a[j] - b[j]) * (a[j] - b[j]);
	return sum;
}

static const double *
point(const cvm_kmeans *run, int i)
{
	return run->points + (int64_t) i * run->d;
}

static double *
centre(const cvm_kmeans *run, int c)
{
	return run->centres + (int64_t) c * run->d;
}

static bool
is_cancelled(const cvm_kmeans *run)
{
	return run->cancelled && run->cancelled(run->context);
}

/* A point that is drawn with probability proportional to its distance; -1 if all are at a centre. */
static int
draw_far_point(const cvm_kmeans *run, cvm_rng *rng)
{
	cvm_sum		sum = {0};
	double		left;
	int			last = -1;

	for (int i = 0; i < run->n; i++)
		cvm_sum_add(&sum, run->distance[i]);
	left = cvm_rng_uniform(rng) * cvm_sum_value(&sum);
	for (int i = 0; i < run->n; i++)
	{
		if (run->distance[i] == 0)
			continue;
		last = i;
		if ((left -= run->distance[i]) <= 0)
			break;
	}
	return last;
}

static cvm_kmeans_status
spread_centres(cvm_kmeans *run, cvm_rng *rng)
{
	for (int i = 0; i < run->n; i++)
		run->distance[i] = INFINITY;
	for (int c = 0; c < run->k; c++)
	{
		int			chosen = c == 0 ? (int) (cvm_rng_uniform(rng) * run->n) : draw_far_point(run, rng);

		if (is_cancelled(run))
			return CVM_KMEANS_CANCELLED;
		if (chosen < 0)
			return CVM_KMEANS_TOO_FEW;
		memcpy(centre(run, c), point(run, chosen), sizeof(double) * run->d);
		for (int i = 0; i < run->n; i++)
			run->distance[i] = fmin(run->distance[i], squared_distance(point(run, i), centre(run, c), run->d));
	}
	return CVM_KMEANS_OK;
}

/* Each point to the nearest centre, the first of several; returns how many changed. */
static int
assign(cvm_kmeans *run)
{
	int			changed = 0;

	for (int i = 0; i < run->n; i++)
	{
		int			nearest = 0;
		double		least = INFINITY;

		for (int c = 0; c < run->k; c++)
		{
			double		distance = squared_distance(point(run, i), centre(run, c), run->d);

			if (distance < least)
			{
				least = distance;
				nearest = c;
			}
		}
		changed += run->cluster[i] != nearest;
		run->cluster[i] = nearest;
		run->distance[i] = least;
	}
	return changed;
}

static void
count_points(cvm_kmeans *run)
{
	memset(run->counts, 0, sizeof(int) * run->k);
	for (int i = 0; i < run->n; i++)
		run->counts[run->cluster[i]]++;
}

/* A cluster that has lost its points gets the one farthest from its centre, among those with company. */
static void
fill_empty_clusters(cvm_kmeans *run)
{
	for (int c = 0; c < run->k; c++)
	{
		int			farthest = -1;

		if (run->counts[c] > 0)
			continue;
		for (int i = 0; i < run->n; i++)
			if (run->counts[run->cluster[i]] > 1 && (farthest < 0 || run->distance[i] > run->distance[farthest]))
				farthest = i;
		run->counts[run->cluster[farthest]]--;
		run->cluster[farthest] = c;
		run->distance[farthest] = 0;
		run->counts[c] = 1;
	}
}

static void
move_centres(cvm_kmeans *run)
{
	count_points(run);
	fill_empty_clusters(run);
	memset(run->sums, 0, sizeof(double) * run->k * run->d);
	for (int i = 0; i < run->n; i++)
		for (int j = 0; j < run->d; j++)
			run->sums[run->cluster[i] * run->d + j] += point(run, i)[j];
	for (int c = 0; c < run->k; c++)
		for (int j = 0; j < run->d; j++)
			centre(run, c)[j] = run->sums[c * run->d + j] / run->counts[c];
}

cvm_kmeans_status
cvm_kmeans_run(cvm_kmeans *run, cvm_rng *rng, double *within)
{
	cvm_kmeans_status status = spread_centres(run, rng);
	double		before = INFINITY;
	cvm_sum		sum;

	if (status != CVM_KMEANS_OK)
		return status;
	for (int i = 0; i < run->n; i++)
		run->cluster[i] = -1;
	for (;;)
	{
		int			changed = assign(run);

		sum = (cvm_sum) {0};
		for (int i = 0; i < run->n; i++)
			cvm_sum_add(&sum, run->distance[i]);
		*within = cvm_sum_value(&sum);
		/* each step lessens the sum; where only rounding is left of it, points may go to and fro */
		if (changed == 0 || !(*within < before))
			break;
		before = *within;
		if (is_cancelled(run))
			return CVM_KMEANS_CANCELLED;
		move_centres(run);
	}
	return CVM_KMEANS_OK;
}
