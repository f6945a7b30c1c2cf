/*
 * covariate_rows.c: brings customers with the same covariates together (see
 * covariate_rows.h), and finds covariates that no fit can tell apart.
 *
 * Categories make a few big groups, which become tables and are as fast as a plain
 * fit; numbers make as many groups as there are customers.
 */
#include "models/covariate_rows.h"

#include "math/linear.h"
#include "math/sum.h"
#include "models/cells.h"
#include "models/numbering.h"

#include <math.h>
#include <string.h>

#define TABLE_ROWS 512			/* from so many on a table pays: it takes memory by the 4,096 rows */
#define SAME 1e-10				/* a deviation so much smaller than the values is rounding */
#define LEAST_DEVIATION 1e-100	/* smaller squares underflow */
#define UNEXPLAINED 1e-9		/* of the variance: what the others leave of a collinear covariate */

/* ---------- the order of rows ---------- */

typedef struct ordering
{
	const cvm_covariate_data *data;
	size_t	   *order;
	size_t	   *spare;
} ordering;

static int
compare_numbers(const double *a, const double *b, int n)
{
	for (int i = 0; i < n; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

static int
compare_covariates(const cvm_covariate_data *data, size_t i, size_t j)
{
	size_t		n = data->covariates;

	return compare_numbers(data->z + i * n, data->z + j * n, data->covariates);
}

/* By covariates, then by history, so that nothing depends on the order in which rows came. */
static int
compare_rows(const cvm_covariate_data *data, size_t i, size_t j)
{
	const cvm_row *a = &data->row[i];
	const cvm_row *b = &data->row[j];
	int			order = compare_covariates(data, i, j);

	if (order != 0)
		return order;
	return compare_numbers((double[]) {a->x, a->age, a->t_x, a->weight}, (double[]) {b->x, b->age, b->t_x, b->weight}, 4);
}

static void
merge(ordering *o, size_t first, size_t middle, size_t end)
{
	size_t		left = first;
	size_t		right = middle;

	for (size_t k = first; k < end; k++)
	{
		bool		from_left = left < middle
			&& (right >= end || compare_rows(o->data, o->order[left], o->order[right]) <= 0);

		o->spare[k] = from_left ? o->order[left++] : o->order[right++];
	}
}

/* Merge sort, from the bottom up: no recursion, and it can be cancelled. */
static cvm_status
sort_rows(ordering *o, const cvm_env *env)
{
	size_t		n = o->data->rows;

	for (size_t i = 0; i < n; i++)
		o->order[i] = i;
	for (size_t width = 1; width < n; width *= 2)
	{
		size_t	   *sorted = o->spare;

		for (size_t first = 0; first < n; first += 2 * width)
			merge(o, first, first + width < n ? first + width : n, first + 2 * width < n ? first + 2 * width : n);
		o->spare = o->order;
		o->order = sorted;
		if (env->cancelled != NULL && env->cancelled(env->context))
			return CVM_CANCELLED;
	}
	return CVM_OK;
}

/* ---------- standardised covariates ---------- */

/* Mean and deviation of every covariate over customers; which of them is constant. */
static bool
standardise(const cvm_covariate_data *data, const size_t *order, cvm_covariate_rows *rows, cvm_covariate_fit *fit)
{
	int			n = data->covariates;

	for (int k = 0; k < n; k++)
	{
		cvm_sum		weight = {0},
					sum = {0},
					square = {0};
		double		largest = 0;

		for (size_t i = 0; i < data->rows; i++)
		{
			double		z = data->z[order[i] * n + k];

			largest = fmax(largest, fabs(z));
			cvm_sum_add(&weight, data->row[order[i]].weight);
			cvm_sum_add(&sum, data->row[order[i]].weight * z);
		}
		rows->mean[k] = cvm_sum_value(&sum) / cvm_sum_value(&weight);
		for (size_t i = 0; i < data->rows; i++)
		{
			double		z = data->z[order[i] * n + k] - rows->mean[k];

			cvm_sum_add(&square, data->row[order[i]].weight * z * z);
		}
		rows->deviation[k] = sqrt(cvm_sum_value(&square) / cvm_sum_value(&weight));
		if (!(rows->deviation[k] > SAME * largest && rows->deviation[k] > LEAST_DEVIATION))
		{
			fit->trouble = CVM_COVARIATE_CONSTANT;
			fit->culprit = k;
			return false;
		}
	}
	return true;
}

/* Correlations of the covariates, the lower triangle. */
static void
correlate(const cvm_covariate_rows *rows, double *correlation)
{
	int			n = rows->covariates;
	double		customers = cvm_table_customers(rows->whole);

	memset(correlation, 0, sizeof(double) * n * n);
	for (size_t g = 0; g < rows->n; g++)
	{
		const double *z = rows->alike[g].z;
		double		weight = 0;

		for (size_t i = 0; i < rows->alike[g].rows; i++)
			weight += rows->row[rows->alike[g].first + i].weight;
		for (int i = 0; i < n; i++)
			for (int j = 0; j <= i; j++)
				correlation[i * n + j] += weight * z[i] * z[j] / customers;
	}
}

/* Row `last` of L, whose pivot vanishes: which of those before it explain that covariate? */
static void
find_involved(const double *l, int n, int last, const int *which, cvm_covariate_fit *fit)
{
	double		c[CVM_MAX_COVARIATES];

	for (int i = last - 1; i >= 0; i--)
	{
		c[i] = l[last * n + i];
		for (int k = i + 1; k < last; k++)
			c[i] -= l[k * n + i] * c[k];
		c[i] /= l[i * n + i];
		fit->involved[which[i]] = fabs(c[i]) > 1e-5;
	}
}

/*
 * Of the covariates of one process, the first that those before it explain: Cholesky's
 * pivots are what the others leave of its variance.
 */
static bool
are_independent(const double *correlation, const cvm_covariate_data *data, int process, double *l, cvm_covariate_fit *fit)
{
	int			which[CVM_MAX_COVARIATES];
	int			n = 0;
	int			pivots;

	for (int k = 0; k < data->covariates; k++)
		if (data->process[k] & process)
			which[n++] = k;
	for (int i = 0; i < n; i++)
		for (int j = 0; j <= i; j++)
			l[i * n + j] = correlation[which[i] * data->covariates + which[j]];
	pivots = cvm_cholesky(n, l, UNEXPLAINED, l);
	if (pivots == n)
		return true;
	fit->trouble = CVM_COVARIATE_COLLINEAR;
	fit->culprit = which[pivots];
	find_involved(l, n, pivots, which, fit);
	return false;
}

static cvm_status
check_independence(const cvm_covariate_data *data, const cvm_covariate_rows *rows, cvm_covariate_fit *fit)
{
	size_t		size = (size_t) data->covariates * data->covariates;
	double	   *room = cvm_allocate(rows->env, 2 * size, sizeof(double));

	if (room == NULL)
		return CVM_NO_MEMORY;
	correlate(rows, room);
	if (are_independent(room, data, CVM_ON_PURCHASE, room + size, fit))
		(void) are_independent(room, data, CVM_ON_DROPOUT, room + size, fit);
	cvm_release(rows->env, room);
	return CVM_OK;
}

/* ---------- groups ---------- */

/* Rows in their order, equal ones as one; a new group where the covariates change. */
static void
collapse(const cvm_covariate_data *data, const size_t *order, cvm_covariate_rows *rows)
{
	int			n = data->covariates;
	size_t		used = 0;

	for (size_t i = 0; i < data->rows; i++)
	{
		const cvm_row *row = &data->row[order[i]];
		bool		fresh = i == 0 || compare_covariates(data, order[i - 1], order[i]) != 0;
		cvm_row    *last = used > 0 ? &rows->row[used - 1] : NULL;

		if (!fresh && last->x == row->x && last->age == row->age && last->t_x == row->t_x)
		{
			last->weight += row->weight;
			continue;
		}
		if (fresh)
		{
			double	   *z = rows->z + rows->n * n;

			for (int k = 0; k < n; k++)
				z[k] = (data->z[order[i] * n + k] - rows->mean[k]) / rows->deviation[k];
			rows->alike[rows->n++] = (cvm_alike) {.first = used, .z = z};
		}
		rows->row[used++] = *row;
		rows->alike[rows->n - 1].rows++;
	}
}

static cvm_status
make_table(const cvm_covariate_rows *rows, size_t first, size_t end, cvm_table **out)
{
	cvm_status	status = CVM_OK;

	*out = cvm_table_new(CVM_PURCHASES, rows->env);
	if (*out == NULL)
		return CVM_NO_MEMORY;
	for (size_t i = first; i < end && status == CVM_OK; i++)
		status = cvm_table_add(*out, &rows->row[i]);
	return status == CVM_OK ? cvm_table_finish(*out) : status;
}

static cvm_status
make_tables(cvm_covariate_rows *rows)
{
	const cvm_alike *last = &rows->alike[rows->n - 1];
	cvm_status	status = make_table(rows, 0, last->first + last->rows, &rows->whole);

	for (size_t g = 0; g < rows->n && status == CVM_OK; g++)
	{
		cvm_alike  *alike = &rows->alike[g];

		if (alike->rows >= TABLE_ROWS)
			status = make_table(rows, alike->first, alike->first + alike->rows, &alike->table);
	}
	return status;
}

static cvm_status
gather(const cvm_covariate_data *data, ordering *o, cvm_covariate_rows *rows, cvm_covariate_fit *fit)
{
	cvm_status	status = sort_rows(o, rows->env);

	if (status != CVM_OK || !standardise(data, o->order, rows, fit))
		return status;
	collapse(data, o->order, rows);
	status = make_tables(rows);
	return status == CVM_OK ? check_independence(data, rows, fit) : status;
}

cvm_status
cvm_covariate_gather(const cvm_covariate_data *data, const cvm_env *env, cvm_covariate_rows *rows, cvm_covariate_fit *fit)
{
	ordering	o = {
		.data = data,.order = cvm_allocate(env, data->rows, sizeof(size_t)),
		.spare = cvm_allocate(env, data->rows, sizeof(size_t))
	};
	cvm_status	status = CVM_NO_MEMORY;

	memset(rows, 0, sizeof(*rows));
	rows->env = env;
	rows->covariates = data->covariates;
	rows->row = cvm_allocate(env, data->rows, sizeof(cvm_row));
	rows->z = cvm_allocate(env, data->rows, data->covariates * sizeof(double));
	rows->alike = cvm_allocate(env, data->rows, sizeof(cvm_alike));
	if (o.order && o.spare && rows->row && rows->z && rows->alike)
		status = gather(data, &o, rows, fit);
	cvm_release(env, o.order);
	cvm_release(env, o.spare);
	return status;
}

void
cvm_covariate_scatter(cvm_covariate_rows *rows)
{
	for (size_t g = 0; g < rows->n; g++)
		cvm_table_free(rows->alike[g].table);
	cvm_table_free(rows->whole);
	cvm_release(rows->env, rows->row);
	cvm_release(rows->env, rows->z);
	cvm_release(rows->env, rows->alike);
}
