/*
 * linear.c: small systems of linear equations (see linear.h).
 */
#include "math/linear.h"

#include <float.h>
#include <math.h>

/* Row of the largest element of a column at or below the diagonal. */
static int
pivot_row(int n, const double *a, int column)
{
	int			best = column;

	for (int i = column + 1; i < n; i++)
		if (fabs(a[i * n + column]) > fabs(a[best * n + column]))
			best = i;
	return best;
}

static void
swap_rows(int n, double *a, double *b, int i, int j)
{
	double		keep = b[i];

	b[i] = b[j];
	b[j] = keep;
	for (int k = 0; k < n; k++)
	{
		keep = a[i * n + k];
		a[i * n + k] = a[j * n + k];
		a[j * n + k] = keep;
	}
}

static double
largest(int n, const double *a)
{
	double		size = 0;

	for (int i = 0; i < n * n; i++)
		size = fmax(size, fabs(a[i]));
	return size;
}

static void
back_substitute(int n, const double *a, double *b)
{
	for (int i = n - 1; i >= 0; i--)
	{
		for (int k = i + 1; k < n; k++)
			b[i] -= a[i * n + k] * b[k];
		b[i] /= a[i * n + i];
	}
}

/* Gaussian elimination with partial pivoting (Golub & Van Loan 2013, section 3.4). */
bool
cvm_linear_solve(int n, double *a, double *b)
{
	double		least = largest(n, a) * n * DBL_EPSILON;

	for (int column = 0; column < n; column++)
	{
		int			pivot = pivot_row(n, a, column);

		if (!(fabs(a[pivot * n + column]) > least))
			return false;
		if (pivot != column)
			swap_rows(n, a, b, pivot, column);
		for (int i = column + 1; i < n; i++)
		{
			double		factor = a[i * n + column] / a[column * n + column];

			if (factor == 0)
				continue;
			for (int k = column; k < n; k++)
				a[i * n + k] -= factor * a[column * n + k];
			b[i] -= factor * b[column];
		}
	}
	back_substitute(n, a, b);
	return true;
}

/*
 * (q^n - 1) / (q - 1).  The textbook's form loses digits near q = 1, where
 * numerator and denominator both vanish; through expm1 and log1p it does not,
 * because q - 1 itself is exact there (Sterbenz 1974).
 */
double
cvm_geometric_sum(double ratio, double terms)
{
	if (terms <= 0)
		return 0;
	if (ratio == 1)
		return terms;
	if (ratio == 0)
		return 1;
	return expm1(terms * log1p(ratio - 1)) / (ratio - 1);
}
