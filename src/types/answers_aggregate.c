/*
 * answers_aggregate.c: the aggregates that count answers, cvm.nps, cvm.csat, cvm.ces and
 * cvm.answers, weighted or not, and the sum of distributions.
 *
 * The state is the distribution itself, counted up in place, so that a row costs one
 * comparison and one increment, and a partial state travels in any form the type has.
 * It is never NULL once there was a row: a moving aggregate must not return to NULL.
 */
#include "types/answers.h"

#include <math.h>

#include "common/int.h"
#include "utils/builtins.h"

#define LEAST_WEIGHT 1e-100		/* so that squares neither vanish nor overflow */
#define LARGEST_WEIGHT 1e100

/* ---------- arguments ---------- */

/* The state, which the aggregate's own call may change in place; NULL before the first row. */
static Answers *
state_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		return NULL;
	return AggCheckCallContext(fcinfo, NULL) ? PG_GETARG_ANSWERS_P(0) : PG_GETARG_ANSWERS_P_COPY(0);
}

static void
refuse_null(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("%s of a rating scale must not be null", name)));
}

static int32
end_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	double		value;

	if (PG_ARGISNULL(n))
		refuse_null(name);
	value = PG_GETARG_FLOAT8(n);
	if (!(fabs(value) <= 1e9) || value != rint(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s %.15g of a rating scale is outside its domain", name, value),
				 errdetail("It must be a whole number between -1000000000 and 1000000000.")));
	return (int32) value;
}

static bool
direction_argument(FunctionCallInfo fcinfo, int n)
{
	text	   *direction;

	if (PG_ARGISNULL(n))
		refuse_null("direction");
	direction = PG_GETARG_TEXT_PP(n);
	return cvm_direction(VARDATA_ANY(direction), VARSIZE_ANY_EXHDR(direction));
}

/* The state on this scale, which must not change within a group. */
static Answers *
state_on(FunctionCallInfo fcinfo, const AnswersScale *scale)
{
	Answers    *state = state_argument(fcinfo);

	if (state == NULL)
	{
		cvm_check_scale(scale);
		return cvm_new_answers(scale);
	}
	if (state->lowest != scale->lowest || state->highest != scale->highest || state->high_is_good != scale->high_is_good)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the rating scale changes from %d to %d, %s, to %d to %d, %s, within a group",
						state->lowest, state->highest, state->high_is_good ? "high" : "low",
						scale->lowest, scale->highest, scale->high_is_good ? "high" : "low"),
				 errhint("Group by the scale too.")));
	return state;
}

/* ---------- a row ---------- */

static void
refuse_score(const Answers *state, double score)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("answer %.15g is not on the rating scale", score),
			 errdetail("Answers are whole numbers from %d to %d.", state->lowest, state->highest),
			 errhint("Give the scale that was asked, or leave such answers out with FILTER.")));
}

/* Which cell an answer belongs to. */
static inline int
cell_of(const Answers *state, double score)
{
	if (!(score >= state->lowest && score <= state->highest) || score != (int) score)
		refuse_score(state, score);
	return (int) score - state->lowest;
}

/* Rows without an answer do not count. */
static inline Datum
count_answer(FunctionCallInfo fcinfo, Answers *state)
{
	if (!PG_ARGISNULL(1))
		state->cell[cell_of(state, PG_GETARG_FLOAT8(1))]++;
	PG_RETURN_POINTER(state);
}

/* Rows without an answer or a weight do not count. */
static Datum
count_weighted(FunctionCallInfo fcinfo, Answers *state)
{
	double		weight;
	int			i;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_POINTER(state);
	i = cell_of(state, PG_GETARG_FLOAT8(1));
	weight = PG_GETARG_FLOAT8(2);
	if (!(weight >= LEAST_WEIGHT && weight <= LARGEST_WEIGHT))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("weight %.15g of an answer is out of range", weight),
				 errdetail("A weight is positive, from %g to %g.", LEAST_WEIGHT, LARGEST_WEIGHT),
				 errhint("Leave answers that shall not count out with FILTER.")));
	state->cell[i]++;
	cvm_answers_weights(state)[i] += weight;
	cvm_answers_squares(state)[i] += weight * weight;
	PG_RETURN_POINTER(state);
}

/* ---------- scales ---------- */

#define NPS_SCALE {0, 10, true, MEASURE_NPS, 0, false}

/* Top-2 share on 1 to 5 unless the scale is given, from argument n on. */
static AnswersScale
csat_scale(FunctionCallInfo fcinfo, int n)
{
	AnswersScale scale = {1, 5, true, MEASURE_TOP, 2, n > 2};

	if (PG_NARGS() > n)
	{
		scale.lowest = end_argument(fcinfo, n, "lowest");
		scale.highest = end_argument(fcinfo, n + 1, "highest");
	}
	return scale;
}

/*
 * Mean; from argument n on the direction and perhaps the scale.  Without it, that of
 * the published question: 1 to 5 for effort (Dixon, Freeman & Toman 2010), 1 to 7 for agreement
 * with "made it easy" (CEB 2013).
 */
static AnswersScale
ces_scale(FunctionCallInfo fcinfo, int n)
{
	AnswersScale scale = {.measure = MEASURE_MEAN, .weighted = n > 2};

	scale.high_is_good = direction_argument(fcinfo, n);
	scale.lowest = 1;
	scale.highest = scale.high_is_good ? 7 : 5;
	if (PG_NARGS() > n + 1)
	{
		scale.lowest = end_argument(fcinfo, n + 1, "lowest");
		scale.highest = end_argument(fcinfo, n + 2, "highest");
	}
	return scale;
}

/* Mean; lowest, highest, direction from argument n on. */
static AnswersScale
any_scale(FunctionCallInfo fcinfo, int n)
{
	AnswersScale scale = {.measure = MEASURE_MEAN, .weighted = n > 2};

	scale.lowest = end_argument(fcinfo, n, "lowest");
	scale.highest = end_argument(fcinfo, n + 1, "highest");
	scale.high_is_good = direction_argument(fcinfo, n + 2);
	return scale;
}

/* ---------- transition functions: (state, answer, scale ...) and (state, answer, weight, scale ...) ---------- */

PG_FUNCTION_INFO_V1(cvm_nps_accum);
Datum
cvm_nps_accum(PG_FUNCTION_ARGS)
{
	static const AnswersScale scale = NPS_SCALE;
	Answers    *state = state_argument(fcinfo);

	return count_answer(fcinfo, state ? state : cvm_new_answers(&scale));
}

PG_FUNCTION_INFO_V1(cvm_csat_accum);
Datum
cvm_csat_accum(PG_FUNCTION_ARGS)
{
	AnswersScale scale = csat_scale(fcinfo, 2);

	return count_answer(fcinfo, state_on(fcinfo, &scale));
}

PG_FUNCTION_INFO_V1(cvm_ces_accum);
Datum
cvm_ces_accum(PG_FUNCTION_ARGS)
{
	AnswersScale scale = ces_scale(fcinfo, 2);

	return count_answer(fcinfo, state_on(fcinfo, &scale));
}

PG_FUNCTION_INFO_V1(cvm_answers_accum);
Datum
cvm_answers_accum(PG_FUNCTION_ARGS)
{
	AnswersScale scale = any_scale(fcinfo, 2);

	return count_answer(fcinfo, state_on(fcinfo, &scale));
}

PG_FUNCTION_INFO_V1(cvm_weighted_nps_accum);
Datum
cvm_weighted_nps_accum(PG_FUNCTION_ARGS)
{
	AnswersScale scale = NPS_SCALE;

	scale.weighted = true;
	return count_weighted(fcinfo, state_on(fcinfo, &scale));
}

PG_FUNCTION_INFO_V1(cvm_weighted_csat_accum);
Datum
cvm_weighted_csat_accum(PG_FUNCTION_ARGS)
{
	AnswersScale scale = csat_scale(fcinfo, 3);

	return count_weighted(fcinfo, state_on(fcinfo, &scale));
}

PG_FUNCTION_INFO_V1(cvm_weighted_ces_accum);
Datum
cvm_weighted_ces_accum(PG_FUNCTION_ARGS)
{
	AnswersScale scale = ces_scale(fcinfo, 3);

	return count_weighted(fcinfo, state_on(fcinfo, &scale));
}

PG_FUNCTION_INFO_V1(cvm_weighted_answers_accum);
Datum
cvm_weighted_answers_accum(PG_FUNCTION_ARGS)
{
	AnswersScale scale = any_scale(fcinfo, 3);

	return count_weighted(fcinfo, state_on(fcinfo, &scale));
}

PG_FUNCTION_INFO_V1(cvm_answers_remove);
/* (state, answer, ...): a row leaves the frame of a moving aggregate; counts only, weights would not subtract exactly */
Datum
cvm_answers_remove(PG_FUNCTION_ARGS)
{
	Answers    *state = state_argument(fcinfo);

	if (state == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("there are no answers to remove one from")));
	if (!PG_ARGISNULL(1))
	{
		int			i = cell_of(state, PG_GETARG_FLOAT8(1));

		if (state->weighted || state->cell[i] == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("answer %d is not there to be removed", state->lowest + i)));
		state->cell[i]--;
	}
	PG_RETURN_POINTER(state);
}

PG_FUNCTION_INFO_V1(cvm_answers_final);
/* NULL without answers; else a copy, which a moving aggregate's next row leaves alone */
Datum
cvm_answers_final(PG_FUNCTION_ARGS)
{
	Answers    *state;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = PG_GETARG_ANSWERS_P_COPY(0);
	if (cvm_answers_n(state) == 0)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

/* ---------- sum ---------- */

static void
check_same_scale(const Answers *a, const Answers *b)
{
	AnswersScale left = cvm_scale_of(a);
	AnswersScale right = cvm_scale_of(b);

	if (left.lowest == right.lowest && left.highest == right.highest && left.high_is_good == right.high_is_good &&
		left.measure == right.measure && left.boxes == right.boxes && left.weighted == right.weighted)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("answers on different scales do not add up"),
			 errdetail("One is %s {%d..%d %s%s}, the other %s {%d..%d %s%s}.",
					   cvm_measure_text(&left), left.lowest, left.highest, left.high_is_good ? "high" : "low", left.weighted ? " weighted" : "",
					   cvm_measure_text(&right), right.lowest, right.highest, right.high_is_good ? "high" : "low", right.weighted ? " weighted" : ""),
			 errhint("Where only the measures differ, cvm.with_measure gives both the same.")));
}

PG_FUNCTION_INFO_V1(cvm_answers_add);
/* Also the combine function: in place where an aggregate calls. */
Datum
cvm_answers_add(PG_FUNCTION_ARGS)
{
	Answers    *sum = state_argument(fcinfo);
	Answers    *more = PG_GETARG_ANSWERS_P(1);
	int64		total;

	check_same_scale(sum, more);
	if (pg_add_s64_overflow(cvm_answers_n(sum), cvm_answers_n(more), &total))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("too many answers")));
	for (int i = 0; i < cvm_answers_points(sum); i++)
		sum->cell[i] += more->cell[i];
	for (int i = 0; sum->weighted && i < 2 * cvm_answers_points(sum); i++)
		if (!isfinite(cvm_answers_weights(sum)[i] += cvm_answers_weights(more)[i]))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("the weights of answers are too large to add up")));
	PG_RETURN_POINTER(sum);
}
