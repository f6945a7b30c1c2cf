/*
 * optimise.c: Newton's method in a trust region (see optimise.h).
 *
 * The step solves the trust-region problem exactly in the eigenvectors of the
 * Hessian (More & Sorensen 1983; Nocedal & Wright 2006, section 4.3): with so
 * few variables the eigenvalues cost nothing beside an evaluation, and they
 * make indefinite and nearly singular Hessians ordinary cases.
 */
#include "math/optimise.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define FIRST_RADIUS 1.0		/* in log parameters: a factor of e */
#define LARGEST_RADIUS 4.0
#define SMALLEST_RADIUS 1e-10
#define SHORT_STEP 1e-4			/* which leaves no gradient behind across a curved ridge */

/* One Jacobi rotation that makes a[p][q] zero. */
static void
rotate(int n, double a[][CVM_MAX_VARIABLES], double v[][CVM_MAX_VARIABLES], int p, int q)
{
	double		theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
	double		t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
	double		c = 1 / sqrt(t * t + 1);
	double		s = t * c;

	for (int k = 0; k < n; k++)
	{
		double		kp = a[k][p];
		double		kq = a[k][q];

		a[k][p] = c * kp - s * kq;
		a[k][q] = s * kp + c * kq;
	}
	for (int k = 0; k < n; k++)
	{
		double		pk = a[p][k];
		double		qk = a[q][k];

		a[p][k] = c * pk - s * qk;
		a[q][k] = s * pk + c * qk;
		pk = v[p][k];
		qk = v[q][k];
		v[p][k] = c * pk - s * qk;
		v[q][k] = s * pk + c * qk;
	}
}

static void
swap_pairs(int n, double *values, double vectors[][CVM_MAX_VARIABLES], int i, int j)
{
	double		value = values[i];
	double		row[CVM_MAX_VARIABLES];

	values[i] = values[j];
	values[j] = value;
	memcpy(row, vectors[i], n * sizeof(double));
	memcpy(vectors[i], vectors[j], n * sizeof(double));
	memcpy(vectors[j], row, n * sizeof(double));
}

/* Cyclic Jacobi: small eigenvalues keep their digits. */
void
cvm_eigen(int n, const double *a, double *values, double vectors[][CVM_MAX_VARIABLES])
{
	double		m[CVM_MAX_VARIABLES][CVM_MAX_VARIABLES];

	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
		{
			m[i][j] = 0.5 * (a[i * n + j] + a[j * n + i]);
			vectors[i][j] = i == j;
		}
	for (int sweep = 0; sweep < 60; sweep++)
	{
		bool		rotated = false;

		for (int p = 0; p < n; p++)
			for (int q = p + 1; q < n; q++)
				if (fabs(m[p][q]) > DBL_EPSILON / 8 * sqrt(fabs(m[p][p]) * fabs(m[q][q])) + DBL_MIN)
				{
					rotate(n, m, vectors, p, q);
					rotated = true;
				}
		if (!rotated)
			break;
	}
	for (int i = 0; i < n; i++)
		values[i] = m[i][i];
	for (int i = 0; i < n; i++)
		for (int j = i + 1; j < n; j++)
			if (values[j] < values[i])
				swap_pairs(n, values, vectors, i, j);
}

/* The quadratic model around a point, in the eigenvectors of its Hessian. */
typedef struct model
{
	int			n;
	double		curvature[CVM_MAX_VARIABLES];	/* eigenvalues of -Hessian, ascending */
	double		vector[CVM_MAX_VARIABLES][CVM_MAX_VARIABLES];
	double		slope[CVM_MAX_VARIABLES];	/* gradient along each vector */
} model;

static void
build_model(model *m, int n, const cvm_maximum *at)
{
	double		negative[CVM_MAX_VARIABLES * CVM_MAX_VARIABLES];

	m->n = n;
	for (int i = 0; i < n * n; i++)
		negative[i] = -at->hessian[i];
	cvm_eigen(n, negative, m->curvature, m->vector);
	for (int k = 0; k < n; k++)
	{
		m->slope[k] = 0;
		for (int i = 0; i < n; i++)
			m->slope[k] += m->vector[k][i] * at->gradient[i];
	}
}

/* Length of the step with all curvatures raised by mu. */
static double
step_length(const model *m, double mu)
{
	double		sum = 0;

	for (int k = 0; k < m->n; k++)
	{
		double		along = m->slope[k] / (m->curvature[k] + mu);

		sum += along * along;
	}
	return sqrt(sum);
}

/* The smallest mu that makes every curvature positive and the step fit the radius. */
static double
damping(const model *m, double radius)
{
	double		scale = fmax(fabs(m->curvature[0]), fabs(m->curvature[m->n - 1]));
	double		low = fmax(0, -m->curvature[0]);
	double		high;

	low = m->curvature[0] > scale * 1e-14 ? 0 : low + scale * 1e-14 + DBL_MIN;
	if (step_length(m, low) <= radius)
		return low;
	high = low + fmax(scale * 1e-8, DBL_MIN);
	while (step_length(m, high) > radius)
		high = low + 10 * (high - low);
	for (int i = 0; i < 100 && high - low > 1e-3 * high; i++)
	{
		double		middle = low > 0 ? sqrt(low * high) : 0.5 * high;

		if (step_length(m, middle) > radius)
			low = middle;
		else
			high = middle;
	}
	return high;
}

/* The step, and what the model promises of it. */
static double
take_step(const model *m, double radius, const double *from, double *to)
{
	double		mu = damping(m, radius);
	double		promise = 0;

	memcpy(to, from, m->n * sizeof(double));
	for (int k = 0; k < m->n; k++)
	{
		double		along = m->slope[k] / (m->curvature[k] + mu);

		promise += along * (m->slope[k] - 0.5 * m->curvature[k] * along);
		for (int i = 0; i < m->n; i++)
			to[i] += along * m->vector[k][i];
	}
	return promise;
}

static int
evaluate(cvm_objective objective, void *context, int n, cvm_maximum *point)
{
	int			code = objective(context, point->at, &point->value, point->gradient, point->hessian);

	for (int i = 0; code == 0 && i < n; i++)
		if (!isfinite(point->gradient[i]))
			point->value = -INFINITY;
	for (int i = 0; code == 0 && i < n * n; i++)
		if (!isfinite(point->hessian[i]))
			point->value = -INFINITY;
	if (!isfinite(point->value))
		point->value = -INFINITY;
	return code;
}

static double
largest(int n, const double *at)
{
	double		size = 0;

	for (int i = 0; i < n; i++)
		size = fmax(size, fabs(at[i]));
	return size;
}

static double
distance(int n, const double *from, const double *to)
{
	double		largest = 0;

	for (int i = 0; i < n; i++)
		largest = fmax(largest, fabs(to[i] - from[i]));
	return largest;
}

/*
 * Differences of values drown in rounding near the maximum while the gradient
 * is still good: there a step is believed when the promise itself is below the
 * rounding of the value.
 */
static double
agreement(double promise, double gain, double value)
{
	double		rounding = 1e-12 * (1 + fabs(value));

	if (promise < rounding && gain > -10 * rounding)
		return 1;
	return gain / promise;
}

int
cvm_maximise(cvm_objective objective, void *context, int n, const double *start,
			 double limit, int max_iterations, cvm_maximum *result)
{
	cvm_maximum trial;
	double		radius = FIRST_RADIUS;
	bool		settled = false;
	int			code;

	memset(result, 0, sizeof(*result));
	memcpy(result->at, start, n * sizeof(double));
	code = evaluate(objective, context, n, result);
	result->iterations = 1;
	if (code != 0 || isinf(result->value))
		return code;
	while (result->iterations < max_iterations && radius > SMALLEST_RADIUS
		   && largest(n, result->at) < limit)
	{
		model		m;
		double		promise,
					ratio,
					length;
		bool		still;

		build_model(&m, n, result);
		promise = take_step(&m, radius, result->at, trial.at);
		length = distance(n, result->at, trial.at);
		code = evaluate(objective, context, n, &trial);
		result->iterations++;
		if (code != 0)
			return code;
		ratio = agreement(promise, trial.value - result->value, result->value);
		if (isinf(trial.value) || ratio < 0.25)
			radius = 0.25 * fmin(radius, length);
		else if (ratio > 0.75)
			radius = fmin(LARGEST_RADIUS, fmax(radius, 2 * length));
		if (isinf(trial.value) || !(ratio > 1e-4))
			continue;
		trial.iterations = result->iterations;
		/* nothing to gain; but along a flat direction, the step may have been long all the same */
		still = promise < 1e-16 * (1 + fabs(trial.value));
		trial.converged = m.curvature[0] > 0
			&& (length < 1e-9 || (still && (length < SHORT_STEP || settled)));
		settled = still;
		*result = trial;
		if (trial.converged || promise <= 0)
			break;
	}
	return 0;
}
