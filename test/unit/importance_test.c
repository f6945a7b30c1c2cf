/*
 * importance_test.c: eigenvalues, sweeps, regression, LMG and relative weights, against published
 * numbers and against the definition counted out over all orders.
 */
#include "math/importance.h"
#include "math/linear.h"
#include "math/random.h"
#include "tap.h"

#include <string.h>

#define P 7						/* attributes of the random problems */
#define N 40

/* ---------- linear algebra ---------- */

/* The second differences 2, -1: eigenvalues 2 - 2 cos(k pi / (n + 1)). */
static void
test_eigen(void)
{
	double		a[81] = {0};
	double		keep[81];
	double		values[9];
	double		vectors[81];
	double		off = 0;
	double		product = 1;
	double		singular[9] = {1, 1, 0, 1, 1, 0, 0, 0, 3};

	for (int i = 0; i < 9; i++)
		for (int k = 0; k < 9; k++)
			a[i * 9 + k] = i == k ? 2 : abs(i - k) == 1 ? -1 : 0;
	memcpy(keep, a, sizeof(a));
	cvm_symmetric_eigen(9, a, values, vectors);
	for (int k = 0; k < 9; k++)
	{
		double		nearest = INFINITY;

		for (int i = 1; i <= 9; i++)
			nearest = fmin(nearest, fabs(values[k] - (2 - 2 * cos(i * M_PI / 10))));
		off = fmax(off, nearest);
		product *= values[k];
	}
	ok(off < 4e-14, "eigenvalues of second differences, off by %.1e", off);
	close_to(product, 10, 4e-14, "all of them: their product is the determinant");
	off = 0;
	for (int i = 0; i < 9; i++)
		for (int k = 0; k < 9; k++)
		{
			double		back = 0;
			double		unit = 0;

			for (int l = 0; l < 9; l++)
			{
				back += vectors[i * 9 + l] * values[l] * vectors[k * 9 + l];
				unit += vectors[l * 9 + i] * vectors[l * 9 + k];
			}
			off = fmax(off, fmax(fabs(back - keep[i * 9 + k]), fabs(unit - (i == k))));
		}
	ok(off < 4e-14, "vectors are orthonormal and give the matrix back, off by %.1e", off);
	cvm_symmetric_eigen(3, singular, values, vectors);
	ok(fabs(values[0] * values[1]) < 1e-15 && fabs(values[0] + values[1] - 2) < 1e-15 && values[2] == 3, "a singular matrix");
}

/* Sweeping all columns inverts, sweeping again gives the matrix back. */
static void
test_sweep(void)
{
	double		a[4] = {4, 2, 2, 3};

	cvm_sweep(2, a, 0);
	ok(a[0] == 0.25 && a[1] == 0.5 && a[2] == -0.5 && a[3] == 2, "one column swept: inverse, coefficient, what is left");
	cvm_sweep(2, a, 1);
	ok(a[0] == 0.375 && a[1] == -0.25 && a[2] == -0.25 && a[3] == 0.5, "both swept: the inverse");
}

/* ---------- importance ---------- */

/* R^2 of a set by solving its normal equations. */
static double
r_squared(int p, const double *r, const double *y, unsigned set)
{
	double		a[P * P];
	double		b[P];
	int			member[P];
	int			n = 0;
	double		sum = 0;

	for (int j = 0; j < p; j++)
		if (set >> j & 1)
			member[n++] = j;
	for (int i = 0; i < n; i++)
	{
		b[i] = y[member[i]];
		for (int k = 0; k < n; k++)
			a[i * n + k] = r[member[i] * p + member[k]];
	}
	if (!cvm_linear_solve(n, a, b))
		return NAN;
	for (int i = 0; i < n; i++)
		sum += b[i] * y[member[i]];
	return sum;
}

/* Adds to `sum` what each attribute adds to R^2, over all orders that begin with `set`; returns their number. */
static long
all_orders(int p, const double *r, const double *y, unsigned set, double *sum)
{
	long		orders = 0;

	if (set == (1u << p) - 1)
		return 1;
	for (int j = 0; j < p; j++)
		if (!(set >> j & 1))
		{
			long		behind = all_orders(p, r, y, set | 1u << j, sum);

			sum[j] += behind * (r_squared(p, r, y, set | 1u << j) - r_squared(p, r, y, set));
			orders += behind;
		}
	return orders;
}

/* Correlations of N draws of p attributes that share a factor, and of an outcome. */
static void
random_problem(int p, uint64_t seed, double *r, double *y)
{
	double		data[P + 1][N];
	cvm_rng		rng;

	cvm_rng_seed(&rng, seed);
	for (int i = 0; i < N; i++)
	{
		double		factor = cvm_rng_normal(&rng);

		data[p][i] = cvm_rng_normal(&rng);
		for (int j = 0; j < p; j++)
		{
			data[j][i] = factor + cvm_rng_normal(&rng);
			data[p][i] += (j - 2) * data[j][i];
		}
	}
	for (int j = 0; j <= p; j++)
	{
		double		mean = 0;
		double		norm = 0;

		for (int i = 0; i < N; i++)
			mean += data[j][i] / N;
		for (int i = 0; i < N; i++)
			norm += (data[j][i] - mean) * (data[j][i] - mean);
		for (int i = 0; i < N; i++)
			data[j][i] = (data[j][i] - mean) / sqrt(norm);
	}
	for (int j = 0; j < p; j++)
	{
		y[j] = 0;
		for (int i = 0; i < N; i++)
			y[j] += data[j][i] * data[p][i];
		for (int k = 0; k < p; k++)
		{
			r[j * p + k] = j == k;
			for (int i = 0; i < N && j != k; i++)
				r[j * p + k] += data[j][i] * data[k][i];
		}
	}
}

static void
test_definition(void)
{
	double		table[1 << P];
	double		scratch[(P + 1) * (P + 1) * (P + 1)];
	double		worst_lmg = 0;
	double		worst_sum = 0;
	double		worst_beta = 0;

	for (int p = 1; p <= P; p++)
	{
		double		r[P * P];
		double		y[P];
		double		lmg[P];
		double		weights[P];
		double		sum[P] = {0};
		double		beta[P];
		double		inverse[P];
		double		dependency[P * P];
		bool		kept[P];
		double		total_lmg = 0;
		double		total_weights = 0;
		double		explained = 0;
		double		unexplained;
		long		orders;

		random_problem(p, p, r, y);
		cvm_lmg(p, r, y, table, scratch, lmg);
		cvm_relative_weights(p, r, y, scratch, weights);
		unexplained = cvm_regression(p, r, y, scratch, kept, beta, inverse, dependency);
		orders = all_orders(p, r, y, 0, sum);
		for (int j = 0; j < p; j++)
		{
			worst_lmg = fmax(worst_lmg, fabs(lmg[j] - sum[j] / orders));
			total_lmg += lmg[j];
			total_weights += weights[j];
			explained += beta[j] * y[j];
			/* the variance inflation is 1 / (1 - R^2 on the others) */
			if (p > 1)
			{
				double		others[P * P];
				double		with[P];
				int			n = 0;

				for (int i = 0; i < p; i++)
					for (int k = 0; k < p; k++)
						if (i != j && k != j)
							others[n++] = r[i * p + k];
				n = 0;
				for (int i = 0; i < p; i++)
					if (i != j)
						with[n++] = r[i * p + j];
				worst_beta = fmax(worst_beta, fabs(1 / inverse[j] - 1 + r_squared(p - 1, others, with, (1u << (p - 1)) - 1)));
			}
		}
		worst_sum = fmax(worst_sum, fmax(fabs(total_lmg - total_weights), fmax(fabs(total_lmg - explained), fabs(1 - unexplained - explained))));
	}
	ok(worst_lmg < 1e-14, "LMG as the mean over all orders of 1 to %d attributes, off by %.1e", P, worst_lmg);
	ok(worst_sum < 1e-14, "LMG, relative weights and coefficients sum to R^2, off by %.1e", worst_sum);
	ok(worst_beta < 1e-14, "variance inflation by its definition, off by %.1e", worst_beta);
}

static void
test_published(void)
{
	const double r[9] = {1, .3, .5, .3, 1, .2, .5, .2, 1};
	const double y[3] = {.4, .5, .6};
	const double lmg_truth[3] = {0.06720669036845509, 0.1807483570351217, 0.263074364361129};
	const double weight_truth[3] = {0.06339876, 0.18358761, 0.26404304};
	double		table[8];
	double		scratch[64];
	double		got[3];

	cvm_lmg(3, r, y, table, scratch, got);
	for (int j = 0; j < 3; j++)
		close_to(got[j], lmg_truth[j], 1e-14, "LMG of three correlated attributes");
	cvm_relative_weights(3, r, y, scratch, got);
	for (int j = 0; j < 3; j++)
		close_to(got[j], weight_truth[j], 1e-7, "relative weight of the same");
}

/* The third is the sum of the first two, the fourth is nobody's. */
static void
test_collinear(void)
{
	double		h = sqrt(0.5);
	const double r[16] = {1, 0, h, 0, 0, 1, h, 0, h, h, 1, 0, 0, 0, 0, 1};
	const double y[4] = {.4, .4, .8 * h, .3};
	double		table[16];
	double		scratch[125];
	double		beta[4];
	double		inverse[4];
	double		dependency[16];
	double		lmg[4];
	double		weights[4];
	bool		kept[4];
	double		unexplained = cvm_regression(4, r, y, scratch, kept, beta, inverse, dependency);
	int			n = 0;

	for (int j = 0; j < 4; j++)
		n += kept[j];
	ok(n == 3 && kept[3] && beta[3] == .3, "one of three dependent attributes gives way, the fourth keeps its coefficient");
	close_to(unexplained, 1 - .32 - .09, 1e-14, "what is left does not depend on which");
	for (int j = 0; j < 3; j++)
		if (!kept[j])
			ok(fabs(dependency[j * 4 + (j + 1) % 3]) > 0.5 && fabs(dependency[j * 4 + (j + 2) % 3]) > 0.5 && dependency[j * 4 + 3] == 0,
			   "it says which two others it follows from");
	cvm_lmg(4, r, y, table, scratch, lmg);
	cvm_relative_weights(4, r, y, scratch, weights);
	close_to(lmg[0] + lmg[1] + lmg[2] + lmg[3], .41, 1e-14, "LMG of a singular matrix sums to R^2");
	close_to(weights[0] + weights[1] + weights[2] + weights[3], .41, 1e-14, "so do relative weights");
}

/* As many attributes as are allowed: independent ones share nothing. */
static void
test_largest(void)
{
	double	   *r = calloc(CVM_MAX_LMG * CVM_MAX_LMG, sizeof(double));
	double	   *table = calloc(1 << CVM_MAX_LMG, sizeof(double));
	double	   *scratch = calloc((CVM_MAX_LMG + 1) * (CVM_MAX_LMG + 1) * (CVM_MAX_LMG + 1), sizeof(double));
	double		y[CVM_MAX_LMG];
	double		lmg[CVM_MAX_LMG];
	double		worst = 0;

	for (int j = 0; j < CVM_MAX_LMG; j++)
	{
		r[j * CVM_MAX_LMG + j] = 1;
		y[j] = j / 100.0;
	}
	cvm_lmg(CVM_MAX_LMG, r, y, table, scratch, lmg);
	for (int j = 0; j < CVM_MAX_LMG; j++)
		worst = fmax(worst, fabs(lmg[j] - y[j] * y[j]));
	ok(worst < 1e-12, "%d independent attributes: squared correlations, off by %.1e", CVM_MAX_LMG, worst);
	free(r);
	free(table);
	free(scratch);
}

int
main(void)
{
	test_eigen();
	test_sweep();
	test_definition();
	test_published();
	test_collinear();
	test_largest();
	return done_testing();
}
