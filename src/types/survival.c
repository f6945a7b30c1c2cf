/*
 * survival.c: what a cvm.survival_curve says: Kaplan & Meier's estimate of
 * survival with Greenwood's variance (1926), Nelson & Aalen's of the cumulative
 * hazard, quantiles and the restricted mean.
 *
 * Customers last seen at a duration are still at risk there.  Nobody knows
 * survival beyond the longest duration unless all have churned by then: such
 * answers are NULL.
 */
#include "compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "math/gamma_quantile.h"
#include "miscadmin.h"
#include "types/survival_curve.h"
#include "utils/builtins.h"

/* ---------- the estimate, step by step ---------- */

typedef struct Estimate
{
	int			steps;			/* taken so far */
	double		at_risk;		/* before the next step */
	double		survival;		/* product of 1 - d / n */
	double		greenwood;		/* sum of d / (n (n - d)): variance of ln S; not of steps that leave nobody */
	double		hazard;			/* sum of d / n (Nelson 1972, Aalen 1978) */
	double		hazard_variance;	/* sum of d / n^2 (Aalen 1978) */
} Estimate;

static int64
customers(const SurvivalCurve *curve)
{
	int64		total = 0;

	for (int i = 0; i < cvm_curve_steps(curve); i++)
		total += curve->step[i].churned + curve->step[i].censored;
	return total;
}

static Estimate
start(const SurvivalCurve *curve)
{
	return (Estimate) {.at_risk = customers(curve), .survival = 1};
}

static void
advance(const SurvivalCurve *curve, Estimate *e)
{
	const SurvivalStep *step = &curve->step[e->steps++];
	double		churned = step->churned;
	double		left = e->at_risk - churned;

	e->survival *= left / e->at_risk;
	if (left > 0)
		e->greenwood += churned / (e->at_risk * left);
	e->hazard += churned / e->at_risk;
	e->hazard_variance += churned / e->at_risk / e->at_risk;
	e->at_risk = left - step->censored;
}

static double
last_duration(const SurvivalCurve *curve)
{
	return curve->step[cvm_curve_steps(curve) - 1].duration;
}

/* The estimate at t; false where it is unknown. */
static bool
estimate_at(const SurvivalCurve *curve, double t, Estimate *e)
{
	*e = start(curve);
	while (e->steps < cvm_curve_steps(curve) && curve->step[e->steps].duration <= t)
		advance(curve, e);
	return t <= last_duration(curve) || e->survival == 0;
}

/* Greenwood's standard error; undefined once nobody is left. */
static bool
standard_error(const Estimate *e, double *error)
{
	*error = e->survival * sqrt(e->greenwood);
	return e->survival > 0;
}

/*
 * S +- z se, kept within 0 and 1; or on the scale of ln(-ln S), which keeps it
 * there by itself: S^exp(+-z se / (S |ln S|)) (Kalbfleisch & Prentice 1980).
 */
static bool
interval(const Estimate *e, double z, bool plain, double *low, double *high)
{
	double		error;

	if (!standard_error(e, &error))
		return false;
	if (plain)
	{
		*low = fmax(0, e->survival - z * error);
		*high = fmin(1, e->survival + z * error);
		return true;
	}
	*low = *high = 1;
	if (e->survival < 1)
	{
		double		hazard = -log(e->survival);
		double		spread = exp(z * sqrt(e->greenwood) / hazard);

		*low = exp(-hazard * spread);
		*high = exp(-hazard / spread);
	}
	return true;
}

/* ---------- arguments ---------- */

static double
duration_argument(FunctionCallInfo fcinfo, int n)
{
	double		t = PG_GETARG_FLOAT8(n);

	if (isnan(t) || t < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a duration can not be %g", t)));
	return t;
}

static double
deviate_argument(FunctionCallInfo fcinfo, int n)
{
	double		confidence = PG_GETARG_FLOAT8(n);

	if (!(confidence > 0 && confidence < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("confidence %g is not between 0 and 1", confidence)));
	return -cvm_normal_quantile(0.5 * (1 - confidence));
}

static bool
plain_argument(FunctionCallInfo fcinfo, int n)
{
	char	   *method = text_to_cstring(PG_GETARG_TEXT_PP(n));

	if (strcmp(method, "plain") != 0 && strcmp(method, "log-log") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown interval method \"%s\"", method),
				 errhint("Known methods: log-log, plain.")));
	return strcmp(method, "plain") == 0;
}

/* ---------- at a duration ---------- */

PG_FUNCTION_INFO_V1(cvm_curve_survival);
Datum
cvm_curve_survival(PG_FUNCTION_ARGS)
{
	Estimate	e;

	if (!estimate_at(PG_GETARG_CURVE_P(0), duration_argument(fcinfo, 1), &e))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(e.survival);
}

PG_FUNCTION_INFO_V1(cvm_curve_survival_error);
Datum
cvm_curve_survival_error(PG_FUNCTION_ARGS)
{
	Estimate	e;
	double		error;

	if (!estimate_at(PG_GETARG_CURVE_P(0), duration_argument(fcinfo, 1), &e) || !standard_error(&e, &error))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(error);
}

PG_FUNCTION_INFO_V1(cvm_curve_interval);
/* (curve, t, confidence, method) -> (low, high) */
Datum
cvm_curve_interval(PG_FUNCTION_ARGS)
{
	TupleDesc	shape;
	Estimate	e;
	double		z = deviate_argument(fcinfo, 2);
	bool		plain = plain_argument(fcinfo, 3);
	double		low = 0;
	double		high = 0;
	bool		known;
	Datum		values[2];
	bool		nulls[2];

	if (get_call_result_type(fcinfo, NULL, &shape) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	known = estimate_at(PG_GETARG_CURVE_P(0), duration_argument(fcinfo, 1), &e) && interval(&e, z, plain, &low, &high);
	nulls[0] = nulls[1] = !known;
	values[0] = Float8GetDatum(low);
	values[1] = Float8GetDatum(high);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(shape), values, nulls)));
}

PG_FUNCTION_INFO_V1(cvm_curve_hazard);
Datum
cvm_curve_hazard(PG_FUNCTION_ARGS)
{
	Estimate	e;

	if (!estimate_at(PG_GETARG_CURVE_P(0), duration_argument(fcinfo, 1), &e))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(e.hazard);
}

PG_FUNCTION_INFO_V1(cvm_curve_hazard_error);
Datum
cvm_curve_hazard_error(PG_FUNCTION_ARGS)
{
	Estimate	e;

	if (!estimate_at(PG_GETARG_CURVE_P(0), duration_argument(fcinfo, 1), &e))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(sqrt(e.hazard_variance));
}

/* ---------- of the whole curve ---------- */

PG_FUNCTION_INFO_V1(cvm_curve_customers);
Datum
cvm_curve_customers(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(customers(PG_GETARG_CURVE_P(0)));
}

PG_FUNCTION_INFO_V1(cvm_curve_churned);
Datum
cvm_curve_churned(PG_FUNCTION_ARGS)
{
	SurvivalCurve *curve = PG_GETARG_CURVE_P(0);
	int64		total = 0;

	for (int i = 0; i < cvm_curve_steps(curve); i++)
		total += curve->step[i].churned;
	PG_RETURN_INT64(total);
}

PG_FUNCTION_INFO_V1(cvm_curve_quantile);
/*
 * (curve, share): the first duration by which so large a share has churned.  A
 * product of ratios that should be exactly 1 - share may miss it by rounding.
 */
Datum
cvm_curve_quantile(PG_FUNCTION_ARGS)
{
	SurvivalCurve *curve = PG_GETARG_CURVE_P(0);
	double		share = PG_NARGS() > 1 ? PG_GETARG_FLOAT8(1) : 0.5;
	Estimate	e = start(curve);

	if (!(share > 0 && share < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("quantile %g is not between 0 and 1", share)));
	while (e.steps < cvm_curve_steps(curve))
	{
		advance(curve, &e);
		if (e.survival <= (1 - share) * (1 + 1e-12))
			PG_RETURN_FLOAT8(curve->step[e.steps - 1].duration);
	}
	PG_RETURN_NULL();
}

/*
 * Area under S up to limit, and its variance: the sum over durations t of
 * (area from t to limit)^2 d / (n (n - d)) (Klein & Moeschberger 2003, section 4.5).
 * The area that remains is what the sum is over, so the walk is twice.
 */
static double
restricted_mean(const SurvivalCurve *curve, double limit, double *variance)
{
	double		whole = 0;

	*variance = 0;
	for (int pass = 0; pass < 2; pass++)
	{
		Estimate	e = start(curve);
		double		area = 0;
		double		from = 0;

		while (e.steps < cvm_curve_steps(curve) && curve->step[e.steps].duration <= limit)
		{
			double		before = e.greenwood;

			area += (curve->step[e.steps].duration - from) * e.survival;
			from = curve->step[e.steps].duration;
			advance(curve, &e);
			*variance += pass * (whole - area) * (whole - area) * (e.greenwood - before);
		}
		if (e.survival > 0)
			area += (limit - from) * e.survival;
		whole = area;
	}
	return whole;
}

static bool
restricted(FunctionCallInfo fcinfo, double *mean, double *variance)
{
	SurvivalCurve *curve = PG_GETARG_CURVE_P(0);
	double		limit = PG_NARGS() > 1 ? duration_argument(fcinfo, 1) : last_duration(curve);
	Estimate	e;

	if (!estimate_at(curve, limit, &e))
		return false;
	*mean = restricted_mean(curve, limit, variance);
	return true;
}

static Datum
answer(double value)
{
	if (!isfinite(value))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("the durations of this survival curve are too large for its restricted mean")));
	return Float8GetDatum(value);
}

PG_FUNCTION_INFO_V1(cvm_curve_restricted_mean);
Datum
cvm_curve_restricted_mean(PG_FUNCTION_ARGS)
{
	double		mean;
	double		variance;

	if (!restricted(fcinfo, &mean, &variance))
		PG_RETURN_NULL();
	return answer(mean);
}

PG_FUNCTION_INFO_V1(cvm_curve_restricted_mean_error);
Datum
cvm_curve_restricted_mean_error(PG_FUNCTION_ARGS)
{
	double		mean;
	double		variance;

	if (!restricted(fcinfo, &mean, &variance))
		PG_RETURN_NULL();
	return answer(sqrt(variance));
}

/* ---------- as a table ---------- */

#define TABLE_COLUMNS 9

PG_FUNCTION_INFO_V1(cvm_curve_table);
/* duration, at_risk, churned, censored, survival, standard_error, low, high, cumulative_hazard */
Datum
cvm_curve_table(PG_FUNCTION_ARGS)
{
	SurvivalCurve *curve = PG_GETARG_CURVE_P(0);
	double		z = deviate_argument(fcinfo, 1);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Estimate	e = start(curve);

	InitMaterializedSRF(fcinfo, 0);
	while (e.steps < cvm_curve_steps(curve))
	{
		const SurvivalStep *step = &curve->step[e.steps];
		double		at_risk = e.at_risk;
		double		error = 0;
		double		low = 0;
		double		high = 0;
		Datum		values[TABLE_COLUMNS];
		bool		nulls[TABLE_COLUMNS] = {false};

		CHECK_FOR_INTERRUPTS();
		advance(curve, &e);
		nulls[5] = !standard_error(&e, &error);
		nulls[6] = nulls[7] = !interval(&e, z, false, &low, &high);
		values[0] = Float8GetDatum(step->duration);
		values[1] = Int64GetDatum((int64) at_risk);
		values[2] = Int64GetDatum(step->churned);
		values[3] = Int64GetDatum(step->censored);
		values[4] = Float8GetDatum(e.survival);
		values[5] = Float8GetDatum(error);
		values[6] = Float8GetDatum(low);
		values[7] = Float8GetDatum(high);
		values[8] = Float8GetDatum(e.hazard);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
