/*
 * rhythm_test.c: shapes and tails of gaps against closed forms, against simulated customers, and
 * k-means against the optimum by exhaustion.
 */
#include "math/kmeans.h"
#include "math/random.h"
#include "math/rhythm.h"
#include "tap.h"

static void
test_closed_forms(void)
{
	/* the root of ln k - digamma(k) = ln 37 - ln(1000) / 3 in forty digits; no correction below what is measured */
	double		sum = 111;
	double		k = cvm_gap_shape(3, sum, log(1000));

	close_to(k, 0.487417645105283, 1e-12, "gaps of 1, 10 and 100 are more irregular than random");
	/* gaps with the logarithms of exponential draws on the average: ln(mean) - mean(ln) = Euler's constant */
	k = cvm_gap_shape(1e6, 1e6 * 50, 1e6 * (log(50) - 0.57721566490153286));
	close_to(k, 1, 1e-5, "exponential gaps have shape 1");
	close_to(cvm_gap_tail(1e6, 1e6 * 50, 1e6 * (log(50) - 0.57721566490153286), 100), exp(-2), 1e-4, "and are longer than twice the mean with probability e^-2");
	/* shape 2: digamma(2) = 1 - 0.5772; P(gap > g) = (1 + 2 g / mean) exp(-2 g / mean) */
	close_to(cvm_gap_shape(1e7, 1e7 * 30, 1e7 * (log(30) - log(2) + 1 - 0.57721566490153286)), 2, 1e-5, "Erlang-2 gaps have shape 2");
	close_to(cvm_gap_tail(1e7, 1e7 * 30, 1e7 * (log(30) - log(2) + 1 - 0.57721566490153286), 60), 5 * exp(-4), 1e-4, "and their tail");
	ok(cvm_gap_tail(10, 70, 10 * log(7), 14) < 1e-6, "every seventh day for ten weeks, then silence for two: %.1e", cvm_gap_tail(10, 70, 10 * log(7), 14));
	ok(cvm_gap_tail(10, 70, 10 * log(7), 6) > 0.9, "for six days: %.3f", cvm_gap_tail(10, 70, 10 * log(7), 6));
	ok(cvm_gap_tail(3, 21, 3 * log(7), 14) > 0.05, "three equal gaps are no rhythm yet: %.3f", cvm_gap_tail(3, 21, 3 * log(7), 14));
	ok(cvm_gap_tail(5, 70, 5 * log(14), 0) == 1, "no silence on the day of a purchase");
}

/* False alarms: how often a next gap of the same customer has a tail below 5 %. */
static double
false_alarms(cvm_rng *rng, double shape, int gaps, int customers)
{
	int			alarms = 0;

	for (int c = 0; c < customers; c++)
	{
		double		scale = 30 * exp(cvm_rng_normal(rng)) / shape;
		double		sum = 0;
		double		log_sum = 0;

		for (int i = 0; i < gaps; i++)
		{
			double		gap = fmax(1, ceil(scale * cvm_rng_gamma(rng, shape)));

			sum += gap;
			log_sum += log(gap);
		}
		alarms += cvm_gap_tail(gaps, sum, log_sum, fmax(1, ceil(scale * cvm_rng_gamma(rng, shape)))) < 0.05;
	}
	return (double) alarms / customers;
}

static void
test_false_alarms(void)
{
	static const double shapes[] = {0.6, 1, 2, 8};
	static const int gaps[] = {3, 5, 10, 40};
	cvm_rng		rng;

	cvm_rng_seed(&rng, 7);
	for (int s = 0; s < 4; s++)
		for (int g = 0; g < 4; g++)
		{
			double		rate = false_alarms(&rng, shapes[s], gaps[g], 20000);

			ok(rate < 0.075, "shape %.1f, %d gaps: %.1f %% false alarms at a level of 5 %%", shapes[s], gaps[g], 100 * rate);
			if (gaps[g] == 40)
				ok(rate > 0.03, "and not far fewer");
		}
}

/* ---------- k-means ---------- */

#define MOST_POINTS 12

static double
within(const double *points, int n, int d, const int *cluster, int k)
{
	double		total = 0;

	for (int c = 0; c < k; c++)
		for (int j = 0; j < d; j++)
		{
			double		sum = 0,
						squares = 0;
			int			count = 0;

			for (int i = 0; i < n; i++)
				if (cluster[i] == c)
				{
					sum += points[i * d + j];
					squares += points[i * d + j] * points[i * d + j];
					count++;
				}
			if (count)
				total += squares - sum * sum / count;
		}
	return total;
}

/* The least of all k^n assignments. */
static double
exhaustive(const double *points, int n, int d, int k)
{
	int			cluster[MOST_POINTS];
	double		least = INFINITY;
	int			all = (int) round(pow(k, n));

	for (int code = 0; code < all; code++)
	{
		for (int i = 0, rest = code; i < n; i++, rest /= k)
			cluster[i] = rest % k;
		least = fmin(least, within(points, n, d, cluster, k));
	}
	return least;
}

static double
best_of(cvm_rng *rng, const double *points, int n, int d, int k, int restarts, int *cluster, cvm_kmeans_status *status)
{
	double		centres[MOST_POINTS * 2],
				sums[MOST_POINTS * 2],
				distance[MOST_POINTS],
				least = INFINITY;
	int			counts[MOST_POINTS];
	int			found[MOST_POINTS];
	cvm_kmeans	run = {
		.points = points, .n = n, .d = d, .k = k, .cluster = found, .centres = centres,
		.distance = distance, .sums = sums, .counts = counts
	};

	for (int i = 0; i < restarts; i++)
	{
		double		sum;

		*status = cvm_kmeans_run(&run, rng, &sum);
		if (*status != CVM_KMEANS_OK)
			return NAN;
		if (sum < least)
		{
			least = sum;
			for (int j = 0; j < n; j++)
				cluster[j] = found[j];
		}
	}
	return least;
}

static void
test_kmeans(void)
{
	static const double published[] = {1, 1, 1.5, 2, 3, 4, 5, 7, 3.5, 5, 4.5, 5, 3.5, 4.5};
	static const double alike[] = {1, 1, 1, 1, 2, 2, 2, 2};
	int			cluster[MOST_POINTS];
	cvm_kmeans_status status;
	cvm_rng		rng;
	double		worst = 0;

	cvm_rng_seed(&rng, 3);
	close_to(best_of(&rng, published, 7, 2, 2, 20, cluster, &status), 8.525, 1e-12, "sum of squares of the seven points");
	ok(cluster[0] == cluster[1] && cluster[2] != cluster[0] && cluster[2] == cluster[3] && cluster[3] == cluster[4] &&
	   cluster[4] == cluster[5] && cluster[5] == cluster[6], "the first two together, and the rest");
	for (int p = 0; p < 50; p++)
	{
		double		points[16];
		double		found;

		for (int i = 0; i < 16; i++)
			points[i] = cvm_rng_normal(&rng);
		found = best_of(&rng, points, 8, 2, 3, 60, cluster, &status);
		worst = fmax(worst, relative_error(found, exhaustive(points, 8, 2, 3), 0));
	}
	ok(worst < 1e-10, "50 random problems as exhaustion solves them: off by %.1e", worst);
	ok(isnan(best_of(&rng, alike, 4, 2, 3, 1, cluster, &status)) && status == CVM_KMEANS_TOO_FEW, "three clusters of two distinct points");
	ok(best_of(&rng, alike, 4, 2, 2, 1, cluster, &status) == 0, "two of them");
}

int
main(void)
{
	test_closed_forms();
	test_false_alarms();
	test_kmeans();
	return done_testing();
}
