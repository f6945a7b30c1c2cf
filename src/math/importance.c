/*
 * importance.c: regression on correlations, Shapley values of R^2, relative weights (see importance.h).
 */
#include "math/importance.h"

#include <math.h>
#include <string.h>

#include "math/linear.h"

/* Correlations of attributes and outcome in one matrix, the outcome last. */
static void
bordered(int p, const double *r, const double *y, double *a)
{
	int			m = p + 1;

	for (int i = 0; i < p; i++)
	{
		memcpy(a + i * m, r + i * p, sizeof(double) * p);
		a[i * m + p] = a[p * m + i] = y[i];
	}
	a[p * m + p] = 1;
}

/* The attribute that those swept so far explain least, or -1 if all that is left follows from them. */
static int
next_pivot(int p, const double *a, const bool *kept)
{
	int			best = -1;
	double		most = CVM_COLLINEAR;

	for (int j = 0; j < p; j++)
		if (!kept[j] && a[j * (p + 2)] > most * (1 + 1e-9))
		{
			best = j;
			most = a[j * (p + 2)];
		}
	return best;
}

double
cvm_regression(int p, const double *r, const double *y, double *scratch,
			   bool *kept, double *beta, double *inverse, double *dependency)
{
	double	   *a = scratch;
	int			m = p + 1;
	int			pivot;

	bordered(p, r, y, a);
	memset(kept, 0, sizeof(bool) * p);
	while ((pivot = next_pivot(p, a, kept)) >= 0)
	{
		cvm_sweep(m, a, pivot);
		kept[pivot] = true;
	}
	for (int j = 0; j < p; j++)
	{
		beta[j] = kept[j] ? a[j * m + p] : NAN;
		inverse[j] = kept[j] ? a[j * m + j] : NAN;
		for (int k = 0; k < p; k++)
			dependency[j * p + k] = !kept[j] && kept[k] ? a[k * m + j] : 0;
	}
	return a[p * m + p];
}

/* ---------- Shapley values ---------- */

typedef struct Subsets
{
	int			p;
	double	   *table;			/* R^2 of every set of attributes */
	double	   *residual;		/* by number of attributes in the set: what it leaves of the correlations */
} Subsets;

/*
 * What adding attribute j to the set leaves of the attributes after it and of the outcome.
 * Only what lies on or above the diagonal is kept.
 */
static void
add_attribute(int p, const double *a, int j, double *left)
{
	int			m = p + 1;
	double		pivot = a[j * m + j];

	for (int i = j + 1; i < m; i++)
		for (int k = i; k < m; k++)
			left[i * m + k] = a[i * m + k] - (pivot > CVM_COLLINEAR ? a[j * m + i] * a[j * m + k] / pivot : 0);
}

/* Sets are built in ascending order of their attributes, so that each costs one step of elimination. */
static void
visit(const Subsets *s, int first, unsigned set, int size, double explained)
{
	int			m = s->p + 1;
	const double *a = s->residual + (long) size * m * m;

	s->table[set] = explained;
	for (int j = first; j < s->p; j++)
	{
		double		pivot = a[j * m + j];

		add_attribute(s->p, a, j, s->residual + (long) (size + 1) * m * m);
		visit(s, j + 1, set | 1u << j, size + 1,
			  explained + (pivot > CVM_COLLINEAR ? a[j * m + s->p] * a[j * m + s->p] / pivot : 0));
	}
}

/* s! (p - 1 - s)! / p!: the share of orders in which a given set of s comes before a given attribute */
static double
share_of_orders(int p, int s)
{
	double		choose = 1;

	for (int i = 1; i <= s; i++)
		choose = choose * (p - i) / i;
	return 1 / (p * choose);
}

static int
size_of(unsigned set)
{
	int			n = 0;

	for (; set; set &= set - 1)
		n++;
	return n;
}

void
cvm_lmg(int p, const double *r, const double *y, double *table, double *scratch, double *lmg)
{
	Subsets		s = {p, table, scratch};
	double		share[CVM_MAX_LMG];

	bordered(p, r, y, scratch);
	visit(&s, 0, 0, 0, 0);
	for (int j = 0; j < p; j++)
	{
		share[j] = share_of_orders(p, j);
		lmg[j] = 0;
	}
	for (unsigned set = 0; set < 1u << p; set++)
	{
		double		weight;

		if (set == (1u << p) - 1)
			break;
		weight = share[size_of(set)];
		for (int j = 0; j < p; j++)
			if (!(set >> j & 1))
				lmg[j] += weight * (table[set | 1u << j] - table[set]);
	}
	for (int j = 0; j < p; j++)
		lmg[j] = fmax(lmg[j], 0);
}

/* ---------- relative weights ---------- */

/*
 * R = Q D Q', Lambda = Q D^(1/2) Q', beta = Lambda^-1 y, weight j = sum over k of Lambda_jk^2 beta_k^2;
 * directions without any variance have no coefficient.
 */
void
cvm_relative_weights(int p, const double *r, const double *y, double *scratch, double *weights)
{
	double	   *q = scratch;
	double	   *a = q + p * p;
	double	   *d = a + p * p;
	double	   *along = d + p;	/* Q' y / D^(1/2) */
	double	   *beta = along + p;

	memcpy(a, r, sizeof(double) * p * p);
	cvm_symmetric_eigen(p, a, d, q);
	for (int k = 0; k < p; k++)
	{
		along[k] = 0;
		for (int j = 0; j < p; j++)
			along[k] += q[j * p + k] * y[j];
		along[k] = d[k] > CVM_COLLINEAR ? along[k] / sqrt(d[k]) : 0;
		d[k] = sqrt(fmax(d[k], 0));
	}
	for (int j = 0; j < p; j++)
	{
		beta[j] = 0;
		for (int k = 0; k < p; k++)
			beta[j] += q[j * p + k] * along[k];
	}
	for (int j = 0; j < p; j++)
	{
		weights[j] = 0;
		for (int k = 0; k < p; k++)
		{
			double		lambda = 0;

			for (int l = 0; l < p; l++)
				lambda += q[j * p + l] * d[l] * q[k * p + l];
			weights[j] += lambda * lambda * beta[k] * beta[k];
		}
	}
}
