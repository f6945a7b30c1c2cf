/*
 * satisfaction.c: what a cvm.answers says: its score by the measure it carries, shares,
 * standard errors, intervals, and the difference between two of them.
 *
 * A measure gives every answer a worth, and its score is the mean worth: NPS 100 for
 * promoters (9, 10), -100 for detractors (0 to 6); a top-k share 1 for the k best answers;
 * a mean the answer itself.  With weights w the mean is weighted, its variance is the
 * linearised sum of w^2 (worth - mean)^2 / (sum w)^2, and the sample counts as
 * (sum w)^2 / sum w^2 answers (Kish 1965).  Without, that is the number of answers.
 *
 * What one answer can not tell (a spread) and what none can is NULL.
 */
#include "types/answers.h"

#include <math.h>

#include "access/htup_details.h"
#include "funcapi.h"
#include "math/gamma_quantile.h"
#include "math/interval.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/* ---------- moments ---------- */

typedef struct Moments
{
	int64		n;
	double		weight;			/* sum of weights, or n */
	double		effective;		/* answers the sample counts for */
	double		score;
	double		variance;		/* of the score, with divisor n */
} Moments;

static double
worth(const Answers *answers, int i)
{
	switch ((AnswersMeasure) answers->measure)
	{
		case MEASURE_NPS:
			return i >= 9 ? 100 : i >= 7 ? 0 : -100;
		case MEASURE_TOP:
			return answers->high_is_good ? i >= cvm_answers_points(answers) - answers->boxes : i < answers->boxes;
		case MEASURE_MEAN:
			break;
	}
	return answers->lowest + i;
}

/* Sum of weights of a cell, or its count. */
static double
weight_of(Answers *answers, int i)
{
	return answers->weighted ? cvm_answers_weights(answers)[i] : (double) answers->cell[i];
}

static double
square_of(Answers *answers, int i)
{
	return answers->weighted ? cvm_answers_squares(answers)[i] : (double) answers->cell[i];
}

static Moments
moments_of(Answers *answers)
{
	Moments		m = {.n = cvm_answers_n(answers)};
	double		squares = 0;
	double		sum = 0;

	for (int i = 0; i < cvm_answers_points(answers); i++)
	{
		m.weight += weight_of(answers, i);
		squares += square_of(answers, i);
		sum += weight_of(answers, i) * worth(answers, i);
	}
	if (m.n == 0)
		return m;
	m.effective = answers->weighted ? m.weight / squares * m.weight : m.n;
	m.score = sum / m.weight;
	for (int i = 0; i < cvm_answers_points(answers); i++)
	{
		double		off = worth(answers, i) - m.score;

		m.variance += square_of(answers, i) / m.weight * off * off / m.weight;
	}
	return m;
}

double
cvm_answers_score(Answers *answers)
{
	Moments		m = moments_of(answers);

	return m.n > 0 ? m.score : NAN;
}

/* Variance with divisor n - 1 where `unbiased`; one answer has none. */
static double
score_variance(const Moments *m, bool unbiased)
{
	if (m->n < 2)
		return NAN;
	return unbiased ? m->variance * m->n / (m->n - 1) : m->variance;
}

/* A mean's is estimated with n - 1, as Student's distribution wants it; those of NPS and shares follow from the shares. */
static bool
usually_unbiased(const Answers *answers)
{
	return answers->measure == MEASURE_MEAN;
}

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
			 errmsg("there is no interval \"%s\" of a %s", name, cvm_measure_text(&scale)),
			 errhint("There are: %s.", method_names[answers->measure])));
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
adjusted_nps(Answers *answers, const Moments *m, double z)
{
	double		total = m->effective + 3;
	double		score = m->score * m->effective / total;
	double		decided = 0;

	for (int i = 0; i < cvm_answers_points(answers); i++)
		if (worth(answers, i) != 0)
			decided += weight_of(answers, i) / m->weight;
	return around(score, z * sqrt((1e4 * (decided * m->effective + 1.5) / total - score * score) / total));
}

/* Wald's with z^2 / 2 more of either kind (Agresti & Coull 1998) */
static Range
adjusted_share(const Moments *m, double z)
{
	double		total = m->effective + z * z;
	double		p = (m->score * m->effective + 0.5 * z * z) / total;

	return around(p, z * sqrt(p * (1 - p) / total));
}

/* False where there are too few answers.  Ends may lie beyond what a score can be. */
static bool
interval(Answers *answers, const Moments *m, double confidence, IntervalMethod method, Range *range)
{
	double		z = -cvm_normal_quantile(0.5 * (1 - confidence));
	double		error = sqrt(score_variance(m, usually_unbiased(answers)));

	if (m->n == 0 || (m->n == 1 && (method == METHOD_WALD || method == METHOD_T)))
		return false;
	switch (method)
	{
		case METHOD_WALD:
			*range = around(m->score, z * error);
			return true;
		case METHOD_ADJUSTED:
			*range = answers->measure == MEASURE_NPS ? adjusted_nps(answers, m, z) : adjusted_share(m, z);
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

/* ---------- results ---------- */

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

static Datum
return_known(FunctionCallInfo fcinfo, double value)
{
	if (isnan(value))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(value);
}

/* ---------- counts and scale ---------- */

PG_FUNCTION_INFO_V1(cvm_answers_count);
Datum
cvm_answers_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(cvm_answers_n(PG_GETARG_ANSWERS_P(0)));
}

PG_FUNCTION_INFO_V1(cvm_answers_total_weight);
Datum
cvm_answers_total_weight(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(moments_of(PG_GETARG_ANSWERS_P(0)).weight);
}

PG_FUNCTION_INFO_V1(cvm_answers_effective_n);
Datum
cvm_answers_effective_n(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(moments_of(PG_GETARG_ANSWERS_P(0)).effective);
}

PG_FUNCTION_INFO_V1(cvm_answers_lowest);
Datum
cvm_answers_lowest(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(PG_GETARG_ANSWERS_P(0)->lowest);
}

PG_FUNCTION_INFO_V1(cvm_answers_highest);
Datum
cvm_answers_highest(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(PG_GETARG_ANSWERS_P(0)->highest);
}

PG_FUNCTION_INFO_V1(cvm_answers_direction);
Datum
cvm_answers_direction(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(PG_GETARG_ANSWERS_P(0)->high_is_good ? "high" : "low"));
}

PG_FUNCTION_INFO_V1(cvm_answers_measure);
Datum
cvm_answers_measure(PG_FUNCTION_ARGS)
{
	AnswersScale scale = cvm_scale_of(PG_GETARG_ANSWERS_P(0));

	PG_RETURN_TEXT_P(cstring_to_text(cvm_measure_text(&scale)));
}

static Answers *
with_measure(Answers *answers, AnswersScale scale)
{
	Answers    *changed;

	cvm_check_scale(&scale);
	changed = cvm_new_answers(&scale);
	memcpy(changed->cell, answers->cell, VARSIZE(answers) - offsetof(Answers, cell));
	return changed;
}

PG_FUNCTION_INFO_V1(cvm_answers_with_measure);
Datum
cvm_answers_with_measure(PG_FUNCTION_ARGS)
{
	Answers    *answers = PG_GETARG_ANSWERS_P(0);
	AnswersScale scale = cvm_scale_of(answers);

	cvm_read_measure(text_to_cstring(PG_GETARG_TEXT_PP(1)), &scale);
	PG_RETURN_POINTER(with_measure(answers, scale));
}

/* ---------- shares ---------- */

/* Share of the cells from .. to. */
static Datum
return_share(FunctionCallInfo fcinfo, Answers *answers, int from, int to)
{
	double		part = 0;

	for (int i = from; i <= to; i++)
		part += weight_of(answers, i);
	if (cvm_answers_n(answers) == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(part / moments_of(answers).weight);
}

PG_FUNCTION_INFO_V1(cvm_answers_share);
/* (answers, answer) */
Datum
cvm_answers_share(PG_FUNCTION_ARGS)
{
	Answers    *answers = PG_GETARG_ANSWERS_P(0);
	int32		answer = PG_GETARG_INT32(1);

	if (answer < answers->lowest || answer > answers->highest)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("answer %d is not on the rating scale", answer),
				 errdetail("It is %d to %d.", answers->lowest, answers->highest)));
	return return_share(fcinfo, answers, answer - answers->lowest, answer - answers->lowest);
}

static Answers *
nps_argument(FunctionCallInfo fcinfo)
{
	Answers    *answers = PG_GETARG_ANSWERS_P(0);
	AnswersScale scale = cvm_scale_of(answers);

	scale.measure = MEASURE_NPS;
	cvm_check_scale(&scale);
	return answers;
}

PG_FUNCTION_INFO_V1(cvm_answers_promoters);
Datum
cvm_answers_promoters(PG_FUNCTION_ARGS)
{
	return return_share(fcinfo, nps_argument(fcinfo), 9, 10);
}

PG_FUNCTION_INFO_V1(cvm_answers_passives);
Datum
cvm_answers_passives(PG_FUNCTION_ARGS)
{
	return return_share(fcinfo, nps_argument(fcinfo), 7, 8);
}

PG_FUNCTION_INFO_V1(cvm_answers_detractors);
Datum
cvm_answers_detractors(PG_FUNCTION_ARGS)
{
	return return_share(fcinfo, nps_argument(fcinfo), 0, 6);
}

/* Share of the `boxes` answers at an end of the scale. */
static Datum
box_share(FunctionCallInfo fcinfo, bool good)
{
	Answers    *answers = PG_GETARG_ANSWERS_P(0);
	AnswersScale scale = cvm_scale_of(answers);
	int			points = cvm_answers_points(answers);

	scale.measure = MEASURE_TOP;
	scale.boxes = PG_GETARG_INT32(1);
	cvm_check_scale(&scale);
	if (scale.high_is_good == good)
		return return_share(fcinfo, answers, points - scale.boxes, points - 1);
	return return_share(fcinfo, answers, 0, scale.boxes - 1);
}

PG_FUNCTION_INFO_V1(cvm_answers_top_box);
Datum
cvm_answers_top_box(PG_FUNCTION_ARGS)
{
	return box_share(fcinfo, true);
}

PG_FUNCTION_INFO_V1(cvm_answers_bottom_box);
Datum
cvm_answers_bottom_box(PG_FUNCTION_ARGS)
{
	return box_share(fcinfo, false);
}

/* ---------- score, error, interval ---------- */

PG_FUNCTION_INFO_V1(cvm_answers_score_of);
Datum
cvm_answers_score_of(PG_FUNCTION_ARGS)
{
	return return_known(fcinfo, cvm_answers_score(PG_GETARG_ANSWERS_P(0)));
}

/* Moments of the answers themselves, whatever the measure. */
static Moments
mean_moments(Answers *answers)
{
	AnswersScale scale = cvm_scale_of(answers);

	scale.measure = MEASURE_MEAN;
	scale.boxes = 0;
	return moments_of(with_measure(answers, scale));
}

PG_FUNCTION_INFO_V1(cvm_answers_mean);
Datum
cvm_answers_mean(PG_FUNCTION_ARGS)
{
	Moments		m = mean_moments(PG_GETARG_ANSWERS_P(0));

	return return_known(fcinfo, m.n > 0 ? m.score : NAN);
}

PG_FUNCTION_INFO_V1(cvm_answers_deviation);
/* Standard deviation of the answers, with n - 1. */
Datum
cvm_answers_deviation(PG_FUNCTION_ARGS)
{
	Answers    *answers = PG_GETARG_ANSWERS_P(0);
	Moments		m = mean_moments(answers);
	double		sum = 0;

	if (m.n < 2)
		PG_RETURN_NULL();
	for (int i = 0; i < cvm_answers_points(answers); i++)
	{
		double		off = answers->lowest + i - m.score;

		sum += weight_of(answers, i) / m.weight * off * off;
	}
	PG_RETURN_FLOAT8(sqrt(sum * m.n / (m.n - 1)));
}

PG_FUNCTION_INFO_V1(cvm_answers_standard_error);
/* (answers [, unbiased]) */
Datum
cvm_answers_standard_error(PG_FUNCTION_ARGS)
{
	Answers    *answers = PG_GETARG_ANSWERS_P(0);
	Moments		m = moments_of(answers);
	bool		unbiased = PG_NARGS() > 1 ? PG_GETARG_BOOL(1) : usually_unbiased(answers);

	return return_known(fcinfo, sqrt(score_variance(&m, unbiased)));
}

PG_FUNCTION_INFO_V1(cvm_answers_interval);
/* (answers, confidence, method) -> (low, high) */
Datum
cvm_answers_interval(PG_FUNCTION_ARGS)
{
	Answers    *answers = PG_GETARG_ANSWERS_P(0);
	Moments		m = moments_of(answers);
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
	Moments		m[2];
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
		pair.m[k] = moments_of(pair.answers[k]);
		pair.variance[k] = score_variance(&pair.m[k], usually_unbiased(a));
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
	const Moments *a = &pair->m[0];
	const Moments *b = &pair->m[1];
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
	Moments		m = moments_of(answers);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < cvm_answers_points(answers); i++)
	{
		double		share = weight_of(answers, i) / m.weight;
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
		values[2] = Float8GetDatum(weight_of(answers, i));
		values[3] = Float8GetDatum(share);
		values[4] = Float8GetDatum(low);
		values[5] = Float8GetDatum(high);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
