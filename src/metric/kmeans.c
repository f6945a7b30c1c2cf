/*
 * kmeans.c: clusters of customers (math/kmeans.h).
 */
#include "compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "math/kmeans.h"
#include "miscadmin.h"
#include "types/model_type.h"
#include "utils/array.h"
#include "utils/memutils.h"

#define RESULT_COLUMNS 3
#define MAX_RESTARTS 1000

/* A copy of the points, n x d, to be standardised. */
static double *
points_argument(FunctionCallInfo fcinfo, int *n, int *d)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	Size		size;
	double	   *points;

	if (ARR_NDIM(array) != 2)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("points have one row per customer and one column per feature, not %d dimensions", ARR_NDIM(array)),
				 errhint("Such as array_agg(ARRAY[recency, frequency] ORDER BY customer_id).")));
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a feature must not be null"),
				 errhint("Leave such customers out, or give them a value that means what is missing.")));
	*n = ARR_DIMS(array)[0];
	*d = ARR_DIMS(array)[1];
	size = sizeof(double) * *n * *d;
	points = MemoryContextAllocHuge(CurrentMemoryContext, size);
	memcpy(points, ARR_DATA_PTR(array), size);
	for (int64 i = 0; i < (int64) *n * *d; i++)
		if (!isfinite(points[i]))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("feature %d of point %d is not a finite number", (int) (i % *d) + 1, (int) (i / *d) + 1)));
	return points;
}

/* Mean 0 and standard deviation 1 of every feature; one that is the same everywhere separates nobody. */
static void
standardise(double *points, int n, int d)
{
	for (int j = 0; j < d; j++)
	{
		double		mean = 0;
		double		squares = 0;

		for (int i = 0; i < n; i++)
			mean += (points[(int64) i * d + j] - mean) / (i + 1);
		for (int i = 0; i < n; i++)
		{
			double		deviation = points[(int64) i * d + j] -= mean;

			squares += deviation * deviation;
		}
		if (!isfinite(squares))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("feature %d spreads too far to be standardised", j + 1)));
		for (int i = 0; i < n && squares > 0; i++)
			points[(int64) i * d + j] /= sqrt(squares / n);
	}
}

static int
count_argument(FunctionCallInfo fcinfo, int n, const char *name, int highest)
{
	int32		count = PG_GETARG_INT32(n);

	if (count < 1 || count > highest)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s %d is outside its domain", name, count),
				 errdetail("It must be between 1 and %d.", highest)));
	return count;
}

/* Clusters are numbered in the order of their first points. */
static void
put_points(ReturnSetInfo *result, const int *cluster, const double *distance, int n, int k)
{
	int		   *number = palloc0(sizeof(int) * k);
	int			seen = 0;

	for (int i = 0; i < n; i++)
	{
		Datum		values[RESULT_COLUMNS];
		bool		nulls[RESULT_COLUMNS] = {false};

		if (number[cluster[i]] == 0)
			number[cluster[i]] = ++seen;
		values[0] = Int64GetDatum(i + 1);
		values[1] = Int32GetDatum(number[cluster[i]]);
		values[2] = Float8GetDatum(sqrt(distance[i]));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

static void
refuse(cvm_kmeans_status status, int k)
{
	CHECK_FOR_INTERRUPTS();
	if (status == CVM_KMEANS_TOO_FEW)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there are fewer than %d distinct points", k),
				 errdetail("Every cluster needs a point that is not in another one."),
				 errhint("Ask for fewer clusters.")));
	ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED), errmsg("clustering was cancelled")));
}

PG_FUNCTION_INFO_V1(cvm_kmeans_sql);
/* (points, k, seed, restarts, standardise) */
Datum
cvm_kmeans_sql(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext context = CurrentMemoryContext;
	cvm_env		env = cvm_server_env(context);
	cvm_kmeans	run = {.cancelled = env.cancelled, .context = env.context};
	int			restarts = count_argument(fcinfo, 3, "restarts", MAX_RESTARTS);
	int		   *cluster;
	double	   *distance;
	double		least = INFINITY;
	cvm_rng		rng;

	InitMaterializedSRF(fcinfo, 0);
	if (ARR_NDIM(PG_GETARG_ARRAYTYPE_P(0)) == 0)
		return (Datum) 0;
	run.points = points_argument(fcinfo, &run.n, &run.d);
	run.k = count_argument(fcinfo, 1, "k", run.n);
	if (PG_GETARG_BOOL(4))
		standardise((double *) run.points, run.n, run.d);
	run.cluster = MemoryContextAllocHuge(context, sizeof(int) * run.n);
	run.distance = MemoryContextAllocHuge(context, sizeof(double) * run.n);
	run.centres = MemoryContextAllocHuge(context, sizeof(double) * run.k * run.d);
	run.sums = MemoryContextAllocHuge(context, sizeof(double) * run.k * run.d);
	run.counts = MemoryContextAllocHuge(context, sizeof(int) * run.k);
	cluster = MemoryContextAllocHuge(context, sizeof(int) * run.n);
	distance = MemoryContextAllocHuge(context, sizeof(double) * run.n);
	cvm_rng_seed(&rng, (uint64) PG_GETARG_INT64(2));
	for (int i = 0; i < restarts; i++)
	{
		double		within;
		cvm_kmeans_status status = cvm_kmeans_run(&run, &rng, &within);

		if (status != CVM_KMEANS_OK)
			refuse(status, run.k);
		if (within < least)
		{
			least = within;
			memcpy(cluster, run.cluster, sizeof(int) * run.n);
			memcpy(distance, run.distance, sizeof(double) * run.n);
		}
	}
	if (!isfinite(least))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("the points are too far apart for their distances to be computed")));
	put_points(result, cluster, distance, run.n, run.k);
	return (Datum) 0;
}
