/*
 * review.c: ratings of few reviews, ranked by what they let expect: posteriors of a mean
 * rating and of a share, and the trend of ratings in time.
 */
#include "compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "math/gamma_quantile.h"
#include "math/interval.h"
#include "types/satisfaction.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#define USECS_PER_MEAN_YEAR (365.25 * USECS_PER_DAY)

static double
argument(FunctionCallInfo fcinfo, int n, const char *name, bool positive)
{
	double		value = PG_GETARG_FLOAT8(n);

	if (!isfinite(value) || value < 0 || (positive && value == 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s %.15g is outside its domain", name, value),
				 errdetail("It must be %s and finite.", positive ? "above 0" : "at least 0")));
	return value;
}

static double
confidence_argument(FunctionCallInfo fcinfo, int n)
{
	double		confidence = PG_GETARG_FLOAT8(n);

	if (!(confidence > 0 && confidence < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("confidence %g is not between 0 and 1", confidence)));
	return confidence;
}

static Datum
return_row(FunctionCallInfo fcinfo, const double *numbers, int n)
{
	TupleDesc	shape;
	Datum	   *values = palloc(sizeof(Datum) * n);
	bool	   *nulls = palloc0(sizeof(bool) * n);

	if (get_call_result_type(fcinfo, NULL, &shape) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	for (int i = 0; i < n; i++)
		values[i] = Float8GetDatum(numbers[i]);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(shape), values, nulls)));
}

PG_FUNCTION_INFO_V1(cvm_rating_posterior);
/*
 * (answers, prior, confidence) -> (mean, standard_deviation, low): Dirichlet posterior of the
 * shares q with `prior` answers of each kind added, and the mean rating sum k q_k; low is
 * normal.  Variance (sum k^2 q_k - mean^2) / (answers + priors + 1), about the mean for digits.
 */
Datum
cvm_rating_posterior(PG_FUNCTION_ARGS)
{
	Answers    *answers = PG_GETARG_ANSWERS_P(0);
	double		prior = argument(fcinfo, 1, "prior", true);
	double		z = -cvm_normal_quantile(1 - confidence_argument(fcinfo, 2));
	AnswersMoments m = cvm_answers_moments(answers);
	int			points = cvm_answers_points(answers);
	double		total = m.effective + points * prior;
	double		weigh = m.n > 0 ? m.effective / m.weight : 0;
	double		mean = 0;
	double		variance = 0;
	double		deviation;

	for (int i = 0; i < points; i++)
		mean += (weigh * cvm_answers_weight_of(answers, i) + prior) / total * (answers->lowest + i);
	for (int i = 0; i < points; i++)
	{
		double		off = answers->lowest + i - mean;

		variance += (weigh * cvm_answers_weight_of(answers, i) + prior) / total * off * off;
	}
	deviation = sqrt(variance / (total + 1));
	return return_row(fcinfo, (double[]) {mean, deviation, fmax(answers->lowest, mean - z * deviation)}, 3);
}

PG_FUNCTION_INFO_V1(cvm_share_posterior);
/* (positive, negative, prior_positive, prior_negative, confidence) -> (mean, low) of Beta(positive + prior, negative + prior) */
Datum
cvm_share_posterior(PG_FUNCTION_ARGS)
{
	double		a = argument(fcinfo, 0, "positive", false) + argument(fcinfo, 2, "prior_positive", true);
	double		b = argument(fcinfo, 1, "negative", false) + argument(fcinfo, 3, "prior_negative", true);

	return return_row(fcinfo, (double[]) {a / (a + b), cvm_beta_quantile(a, b, 1 - confidence_argument(fcinfo, 4))}, 2);
}

PG_FUNCTION_INFO_V1(cvm_trend_accum);
/* (state, rating, at), strict: float8_regr_accum of the rating on mean years of 365.25 days since 2000 */
Datum
cvm_trend_accum(PG_FUNCTION_ARGS)
{
	LOCAL_FCINFO(inner, 3);
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(2);

	if (!isfinite(PG_GETARG_FLOAT8(1)) || TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("a trend needs finite ratings and times"),
				 errdetail("There is a rating of %.15g%s.", PG_GETARG_FLOAT8(1), TIMESTAMP_NOT_FINITE(at) ? " at an infinite time" : "")));
	InitFunctionCallInfoData(*inner, fcinfo->flinfo, 3, InvalidOid, fcinfo->context, NULL);
	inner->args[0] = fcinfo->args[0];
	inner->args[1] = fcinfo->args[1];
	inner->args[2].value = Float8GetDatum(at / USECS_PER_MEAN_YEAR);
	inner->args[2].isnull = false;
	return float8_regr_accum(inner);
}

PG_FUNCTION_INFO_V1(cvm_trend_error_final);
/* Standard error of the slope: sqrt((Syy - Sxy^2 / Sxx) / (n - 2) / Sxx); NULL for fewer than three ratings or one time */
Datum
cvm_trend_error_final(PG_FUNCTION_ARGS)
{
	ArrayType  *state = PG_GETARG_ARRAYTYPE_P(0);
	double	   *sums = (double *) ARR_DATA_PTR(state);	/* n, Sx, Sxx, Sy, Syy, Sxy */

	if (ARR_NDIM(state) != 1 || ARR_DIMS(state)[0] != 6 || ARR_HASNULL(state) || ARR_ELEMTYPE(state) != FLOAT8OID)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("the state of a trend must be six numbers")));
	if (!(sums[0] > 2 && sums[2] > 0))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(sqrt(fmax(0, sums[4] - sums[5] / sums[2] * sums[5]) / (sums[0] - 2) / sums[2]));
}
