/*
 * satisfaction_interval.c: how far a score of answers can be trusted: its confidence
 * interval, the difference between two, and the shares as a table.
 */
#include "types/satisfaction.h"

#include <math.h>

#include "access/htup_details.h"
#include "funcapi.h"
#include "math/gamma_quantile.h"
#include "math/interval.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/* ---------- intervals ---------- */

typedef enum IntervalMethod
{
	METHOD_AUTO, METHOD_WALD, METHOD_ADJUSTED, METHOD_WILSON, METHOD_CORRECTED, METHOD_T
} IntervalMethod;

static const struct
{
	const char *name;
	IntervalMethod method;
	bool		of_measure[MEASURE_TOP + 1];	/* mean, nps, top */
}			methods[] = {
	{"auto", METHOD_AUTO, {true, true, true}},
	{"wald", METHOD_WALD, {true, true, true}},
	{"adjusted", METHOD_ADJUSTED, {false, true, true}},
	{"wilson", METHOD_WILSON, {false, false, true}},
	{"wilson-corrected", METHOD_CORRECTED, {false, false, true}},
	{"t", METHOD_T, {true, false, false}},
};

static const IntervalMethod automatic[] = {METHOD_T, METHOD_ADJUSTED, METHOD_WILSON};
static const char *const method_names[] = {"auto, wald, t", "auto, wald, adjusted", "auto, wald, adjusted, wilson, wilson-corrected"};

static IntervalMethod
method_argument(FunctionCallInfo fcinfo, int n, const Answers *answers)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(n));
	AnswersScale scale = cvm_scale_of(answers);

	for (int i = 0; i < lengthof(methods); i++)
		if (strcmp(name, methods[i].name) == 0 && methods[i].of_measure[answers->measure])
			return methods[i].method == METHOD_AUTO ? automatic[answers->measure] : methods[i].method;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown interval method \"%s\" for the measure %s", name, cvm_measure_text(&scale)),
			 errhint("Known methods: %s.", method_names[answers->measure])));
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

typedef struct Range
{
	double		low;
	double		high;
} Range;

static Range
around(double middle, double half)
{
	return (Range) {middle - half, middle + half};
}

/* The values a score can take. */
static Range
range_of(const Answers *answers)
{
	switch ((AnswersMeasure) answers->measure)
	{
		case MEASURE_NPS:
			return (Range) {-100, 100};
		case MEASURE_TOP:
			return (Range) {0, 1};
		case MEASURE_MEAN:
			break;
	}
	return (Range) {answers->lowest, answers->highest};
}

static Range
clamp(Range range, Range within)
{
	return (Range) {fmax(range.low, within.low), fmin(range.high, within.high)};
}

/*
 * Wald's interval with 3/4 promoters, 3/2 passives and 3/4 detractors more (Rocks 2016);
 * the variance of an answer's worth is 100^2 (promoters + detractors) - score^2.
 */
static Range
adjusted_nps(Answers *answers, const AnswersMoments *m, double z)
{
	double		total = m->effective + 3;
	double		score = m->score * m->effective / total;
	double		decided = 0;

	for (int i = 0; i < cvm_answers_points(answers); i++)
		if (cvm_answers_worth(answers, i) != 0)
			decided += cvm_answers_weight_of(answers, i) / m->weight;
	return around(score, z * sqrt((1e4 * (decided * m->effective + 1.5) / total - score * score) / total));
}

/* Wald's with z^2 / 2 more of either kind (Agresti & Coull 1998) */
static Range
adjusted_share(const AnswersMoments *m, double z)
{
	double		total = m->effective + z * z;
	double		p = (m->score * m->effective + 0.5 * z * z) / total;

	return around(p, z * sqrt(p * (1 - p) / total));
}

/* False where there are too few answers.  Ends may lie beyond what a score can be. */
static bool
interval(Answers *answers, const AnswersMoments *m, double confidence, IntervalMethod method, Range *range)
{
	double		z = -cvm_normal_quantile(0.5 * (1 - confidence));
	double		error = sqrt(cvm_answers_variance(m, cvm_answers_unbiased(answers)));

	if (m->n == 0 || (m->n == 1 && (method == METHOD_WALD || method == METHOD_T)))
		return false;
	switch (method)
	{
		case METHOD_WALD:
			*range = around(m->score, z * error);
			return true;
		case METHOD_ADJUSTED:
			*range = answers->measure == MEASURE_NPS ? adjusted_nps(answers, m, z) : adjusted_share(m, z);
			/* what is added may pull all of it past the score of a few unanimous answers */
			*range = (Range) {fmin(range->low, m->score), fmax(range->high, m->score)};
			return true;
		case METHOD_T:
			if (!(m->effective > 1))
				return false;
			*range = around(m->score, cvm_student_quantile(m->effective - 1, 1 - confidence) * error);
			return true;
		case METHOD_WILSON:
		case METHOD_CORRECTED:
			cvm_wilson(m->score, m->effective, z, method == METHOD_CORRECTED, &range->low, &range->high);
			return true;
		case METHOD_AUTO:
			break;
	}
	elog(ERROR, "no such interval method: %d", (int) method);
}

/* A row of floats, those that are NAN as NULL. */
static Datum
return_row(FunctionCallInfo fcinfo, const double *numbers, int n)
{
	TupleDesc	shape;
	Datum	   *values = palloc(sizeof(Datum) * n);
	bool	   *nulls = palloc(sizeof(bool) * n);

	if (get_call_result_type(fcinfo, NULL, &shape) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	for (int i = 0; i < n; i++)
	{
		values[i] = Float8GetDatum(numbers[i]);
		nulls[i] = isnan(numbers[i]);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(shape), values, nulls)));
}

PG_FUNCTION_INFO_V1(cvm_answers_interval);
/* (answers, confidence, method) -> (low, high) */
Datum
cvm_answers_interval(PG_FUNCTION_ARGS)
{
	Answers    *answers = PG_GETARG_ANSWERS_P(0);
	AnswersMoments m = cvm_answers_moments(answers);
	Range		range = {NAN, NAN};

	if (interval(answers, &m, confidence_argument(fcinfo, 1), method_argument(fcinfo, 2, answers), &range))
		range = clamp(range, range_of(answers));
	return return_row(fcinfo, (double[]) {range.low, range.high}, 2);
}

/* ---------- difference ---------- */

/* What is being compared, each with the moments of its own. */
typedef struct Pair
{
	Answers    *answers[2];
	AnswersMoments m[2];
	double		variance[2];	/* of the scores */
} Pair;

static Pair
pair_argument(FunctionCallInfo fcinfo)
{
	Pair		pair = {{PG_GETARG_ANSWERS_P(0), PG_GETARG_ANSWERS_P(1)}};
	Answers    *a = pair.answers[0];
	Answers    *b = pair.answers[1];

	if (a->lowest != b->lowest || a->highest != b->highest || a->high_is_good != b->high_is_good ||
		a->measure != b->measure || a->boxes != b->boxes)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("answers on different scales or with different measures do not compare"),
				 errhint("Where only the measures differ, cvm.with_measure gives both the same.")));
	for (int k = 0; k < 2; k++)
	{
		pair.m[k] = cvm_answers_moments(pair.answers[k]);
		pair.variance[k] = cvm_answers_variance(&pair.m[k], cvm_answers_unbiased(a));
	}
	return pair;
}

/* Degrees of freedom of a difference of means (Welch 1947). */
static double
welch_df(const Pair *pair)
{
	double		all = pair->variance[0] + pair->variance[1];
	double		parts = 0;

	for (int k = 0; k < 2; k++)
	{
		double		share = pair->variance[k] / all;

		if (!(pair->m[k].effective > 1))
			return NAN;
		parts += share * share / (pair->m[k].effective - 1);
	}
	return 1 / parts;
}

/* The standard error a test divides by: shares have one in common if they do not differ. */
static double
tested_error(const Pair *pair)
{
	const AnswersMoments *a = &pair->m[0];
	const AnswersMoments *b = &pair->m[1];
	double		p = (a->score * a->effective + b->score * b->effective) / (a->effective + b->effective);

	if (pair->answers[0]->measure == MEASURE_TOP)
		return sqrt(p * (1 - p) * (1 / a->effective + 1 / b->effective));
	return sqrt(pair->variance[0] + pair->variance[1]);
}

static bool
difference_range(const Pair *pair, double confidence, IntervalMethod method, double df, Range *range)
{
	Answers    *a = pair->answers[0];
	Range		single[2];
	Range		all = range_of(a);

	if (method == METHOD_T)
	{
		double		difference = pair->m[0].score - pair->m[1].score;

		if (isnan(df))
			return false;
		*range = around(difference, cvm_student_quantile(df, 1 - confidence) * sqrt(pair->variance[0] + pair->variance[1]));
	}
	else
	{
		for (int k = 0; k < 2; k++)
			if (!interval(pair->answers[k], &pair->m[k], confidence, method, &single[k]))
				return false;
		cvm_difference_interval(pair->m[0].score, single[0].low, single[0].high,
								pair->m[1].score, single[1].low, single[1].high, &range->low, &range->high);
	}
	*range = clamp(*range, (Range) {all.low - all.high, all.high - all.low});
	return true;
}

PG_FUNCTION_INFO_V1(cvm_answers_difference);
/* (a, b, confidence, method) -> (difference, standard_error, low, high, statistic, df, p_value) */
Datum
cvm_answers_difference(PG_FUNCTION_ARGS)
{
	Pair		pair = pair_argument(fcinfo);
	double		confidence = confidence_argument(fcinfo, 2);
	IntervalMethod method = method_argument(fcinfo, 3, pair.answers[0]);
	bool		mean = pair.answers[0]->measure == MEASURE_MEAN;
	double		difference = NAN;
	double		statistic = NAN;
	double		p_value = NAN;
	double		df = NAN;
	Range		range = {NAN, NAN};

	if (pair.m[0].n > 0 && pair.m[1].n > 0)
	{
		double		error = tested_error(&pair);

		difference = pair.m[0].score - pair.m[1].score;
		if (mean)
			df = welch_df(&pair);
		if (error > 0 && !(mean && isnan(df)))
		{
			statistic = difference / error;
			p_value = cvm_two_sided(statistic, mean ? df : INFINITY);
		}
		if (!difference_range(&pair, confidence, method, df, &range))
			range.low = range.high = NAN;
	}
	return return_row(fcinfo, (double[]) {
					  difference, sqrt(pair.variance[0] + pair.variance[1]), range.low, range.high, statistic, df, p_value}, 7);
}

/* ---------- as a table ---------- */

#define TABLE_COLUMNS 6

PG_FUNCTION_INFO_V1(cvm_answers_table);
/* (answers, confidence): answer, n, weight, share, low, high */
Datum
cvm_answers_table(PG_FUNCTION_ARGS)
{
	Answers    *answers = PG_GETARG_ANSWERS_P(0);
	double		z = -cvm_normal_quantile(0.5 * (1 - confidence_argument(fcinfo, 1)));
	AnswersMoments m = cvm_answers_moments(answers);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < cvm_answers_points(answers); i++)
	{
		double		share = cvm_answers_weight_of(answers, i) / m.weight;
		double		low = 0;
		double		high = 0;
		Datum		values[TABLE_COLUMNS];
		bool		nulls[TABLE_COLUMNS] = {false};

		if (m.n > 0)
			cvm_wilson(share, m.effective, z, false, &low, &high);
		else
			nulls[3] = nulls[4] = nulls[5] = true;
		values[0] = Int32GetDatum(answers->lowest + i);
		values[1] = Int64GetDatum(answers->cell[i]);
		values[2] = Float8GetDatum(cvm_answers_weight_of(answers, i));
		values[3] = Float8GetDatum(share);
		values[4] = Float8GetDatum(low);
		values[5] = Float8GetDatum(high);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
