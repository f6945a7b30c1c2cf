/*
 * linear.c: small systems of linear equations and eigenvalues (see linear.h).
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

/* A pivot is what is left of its row: the excess and the elements to the right. */
bool
cvm_excess_solve(int n, double *m, double *excess, double *b)
{
	for (int k = 0; k < n; k++)
	{
		double		pivot = excess[k];

		for (int j = k + 1; j < n; j++)
			pivot += m[k * n + j];
		if (!(pivot > 0))
			return false;
		m[k * n + k] = pivot;
		for (int i = k + 1; i < n; i++)
		{
			double		factor = m[i * n + k] / pivot;

			if (factor == 0)
				continue;
			for (int j = k + 1; j < n; j++)
				m[i * n + j] += factor * m[k * n + j];
			excess[i] += factor * excess[k];
			b[i] += factor * b[k];
		}
	}
	for (int k = n - 1; k >= 0; k--)
	{
		for (int j = k + 1; j < n; j++)
			b[k] += m[k * n + j] * b[j];
		b[k] /= m[k * n + k];
	}
	return true;
}

void
cvm_sweep(int n, double *a, int k)
{
	double		pivot = a[k * n + k];

	for (int l = 0; l < n; l++)
		a[k * n + l] /= pivot;
	for (int i = 0; i < n; i++)
	{
		double		factor = a[i * n + k];

		if (i == k)
			continue;
		for (int l = 0; l < n; l++)
			a[i * n + l] -= factor * a[k * n + l];
		a[i * n + k] = -factor / pivot;
	}
	a[k * n + k] = 1 / pivot;
}

/* Rotates rows and columns i, k so that a[i][k] becomes 0 (Golub & Van Loan 2013, algorithm 8.5.1). */
static void
rotate(int n, double *a, double *vectors, int i, int k)
{
	double		tau = (a[k * n + k] - a[i * n + i]) / (2 * a[i * n + k]);
	double		t = (tau >= 0 ? 1 : -1) / (fabs(tau) + hypot(1, tau));
	double		c = 1 / sqrt(1 + t * t);
	double		s = t * c;

	for (int l = 0; l < n; l++)
	{
		double		x = a[l * n + i];
		double		y = a[l * n + k];

		a[l * n + i] = c * x - s * y;
		a[l * n + k] = s * x + c * y;
		x = vectors[l * n + i];
		y = vectors[l * n + k];
		vectors[l * n + i] = c * x - s * y;
		vectors[l * n + k] = s * x + c * y;
	}
	for (int l = 0; l < n; l++)
	{
		double		x = a[i * n + l];
		double		y = a[k * n + l];

		a[i * n + l] = c * x - s * y;
		a[k * n + l] = s * x + c * y;
	}
	a[i * n + k] = a[k * n + i] = 0;
}

/*
 * Jacobi's method by rows: it converges quadratically, in six to ten sweeps.  What is
 * below a rounding error of the whole matrix is 0.
 */
void
cvm_symmetric_eigen(int n, double *a, double *values, double *vectors)
{
	double		least = largest(n, a) * DBL_EPSILON / 8;
	bool		rotated = true;

	for (int i = 0; i < n * n; i++)
		vectors[i] = i % (n + 1) == 0;
	for (int sweep = 0; rotated && sweep < 60; sweep++)
	{
		rotated = false;
		for (int i = 0; i < n; i++)
			for (int k = i + 1; k < n; k++)
				if (fabs(a[i * n + k]) > least)
				{
					rotate(n, a, vectors, i, k);
					rotated = true;
				}
	}
	for (int i = 0; i < n; i++)
		values[i] = a[i * n + i];
}

/* Golub & Van Loan 2013, section 4.2 */
int
cvm_cholesky(int n, const double *a, double least, double *l)
{
	for (int i = 0; i < n; i++)
	{
		double		left = a[i * n + i];
		double		enough = least * left;

		for (int j = 0; j < i; j++)
		{
			double		sum = a[i * n + j];

			for (int k = 0; k < j; k++)
				sum -= l[i * n + k] * l[j * n + k];
			l[i * n + j] = sum / l[j * n + j];
			left -= l[i * n + j] * l[i * n + j];
		}
		if (!(left > enough && left > 0 && isfinite(left)))
			return i;
		l[i * n + i] = sqrt(left);
	}
	return n;
}

void
cvm_cholesky_solve(int n, const double *l, double *b)
{
	for (int i = 0; i < n; i++)
	{
		for (int k = 0; k < i; k++)
			b[i] -= l[i * n + k] * b[k];
		b[i] /= l[i * n + i];
	}
	for (int i = n - 1; i >= 0; i--)
	{
		for (int k = i + 1; k < n; k++)
			b[i] -= l[k * n + i] * b[k];
		b[i] /= l[i * n + i];
	}
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
