/*
 * satisfaction.c: what a cvm.answers says: shares, its score by the measure it carries,
 * and the standard error of that (see satisfaction.h).
 */
#include "types/satisfaction.h"

#include <math.h>

#include "utils/builtins.h"

/* ---------- moments ---------- */

double
cvm_answers_worth(const Answers *answers, int i)
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

double
cvm_answers_weight_of(Answers *answers, int i)
{
	return answers->weighted ? cvm_answers_weights(answers)[i] : (double) answers->cell[i];
}

static double
square_of(Answers *answers, int i)
{
	return answers->weighted ? cvm_answers_squares(answers)[i] : (double) answers->cell[i];
}

AnswersMoments
cvm_answers_moments(Answers *answers)
{
	AnswersMoments m = {.n = cvm_answers_n(answers)};
	double		squares = 0;
	double		sum = 0;

	for (int i = 0; i < cvm_answers_points(answers); i++)
	{
		m.weight += cvm_answers_weight_of(answers, i);
		squares += square_of(answers, i);
		sum += cvm_answers_weight_of(answers, i) * cvm_answers_worth(answers, i);
	}
	if (m.n == 0)
		return m;
	m.effective = answers->weighted ? m.weight / squares * m.weight : m.n;
	m.score = sum / m.weight;
	for (int i = 0; i < cvm_answers_points(answers); i++)
	{
		double		off = cvm_answers_worth(answers, i) - m.score;

		m.variance += square_of(answers, i) / m.weight * off * off / m.weight;
	}
	return m;
}

double
cvm_answers_score(Answers *answers)
{
	AnswersMoments m = cvm_answers_moments(answers);

	return m.n > 0 ? m.score : NAN;
}

double
cvm_answers_variance(const AnswersMoments *m, bool unbiased)
{
	if (m->n < 2)
		return NAN;
	return unbiased ? m->variance * m->n / (m->n - 1) : m->variance;
}

bool
cvm_answers_unbiased(const Answers *answers)
{
	return answers->measure == MEASURE_MEAN;
}

/* ---------- counts and scale ---------- */

static Datum
return_known(FunctionCallInfo fcinfo, double value)
{
	if (isnan(value))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(value);
}

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
	PG_RETURN_FLOAT8(cvm_answers_moments(PG_GETARG_ANSWERS_P(0)).weight);
}

PG_FUNCTION_INFO_V1(cvm_answers_effective_n);
Datum
cvm_answers_effective_n(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(cvm_answers_moments(PG_GETARG_ANSWERS_P(0)).effective);
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
		part += cvm_answers_weight_of(answers, i);
	if (cvm_answers_n(answers) == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(part / cvm_answers_moments(answers).weight);
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

/* ---------- score and error ---------- */

PG_FUNCTION_INFO_V1(cvm_answers_score_of);
Datum
cvm_answers_score_of(PG_FUNCTION_ARGS)
{
	return return_known(fcinfo, cvm_answers_score(PG_GETARG_ANSWERS_P(0)));
}

/* Moments of the answers themselves, whatever the measure. */
static AnswersMoments
mean_moments(Answers *answers)
{
	AnswersScale scale = cvm_scale_of(answers);

	scale.measure = MEASURE_MEAN;
	scale.boxes = 0;
	return cvm_answers_moments(with_measure(answers, scale));
}

PG_FUNCTION_INFO_V1(cvm_answers_mean);
Datum
cvm_answers_mean(PG_FUNCTION_ARGS)
{
	AnswersMoments m = mean_moments(PG_GETARG_ANSWERS_P(0));

	return return_known(fcinfo, m.n > 0 ? m.score : NAN);
}

PG_FUNCTION_INFO_V1(cvm_answers_deviation);
/* Standard deviation of the answers, with n - 1. */
Datum
cvm_answers_deviation(PG_FUNCTION_ARGS)
{
	Answers    *answers = PG_GETARG_ANSWERS_P(0);
	AnswersMoments m = mean_moments(answers);
	double		sum = 0;

	if (m.n < 2)
		PG_RETURN_NULL();
	for (int i = 0; i < cvm_answers_points(answers); i++)
	{
		double		off = answers->lowest + i - m.score;

		sum += cvm_answers_weight_of(answers, i) / m.weight * off * off;
	}
	PG_RETURN_FLOAT8(sqrt(sum * m.n / (m.n - 1)));
}

PG_FUNCTION_INFO_V1(cvm_answers_standard_error);
/* (answers [, unbiased]) */
Datum
cvm_answers_standard_error(PG_FUNCTION_ARGS)
{
	Answers    *answers = PG_GETARG_ANSWERS_P(0);
	AnswersMoments m = cvm_answers_moments(answers);
	bool		unbiased = PG_NARGS() > 1 ? PG_GETARG_BOOL(1) : cvm_answers_unbiased(answers);

	return return_known(fcinfo, sqrt(cvm_answers_variance(&m, unbiased)));
}
