/*
 * experiment.c: aggregates over the customers of an experiment, treated and control
 * (math/experiment.h).
 *
 * The state of every aggregate is one float8[]: the confidence, the number of periods
 * before (differences in differences), then the moments of control and treated.  It
 * travels and prints without loss, so no serial form is needed.  Rows with a NULL are
 * left out.
 */
#include "metric/experiment.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/array.h"

#define MOMENTS ((int) (sizeof(cvm_moments) / sizeof(double)))
#define STATE (2 + 2 * MOMENTS)
#define STATE_SIZE (ARR_OVERHEAD_NONULLS(1) + STATE * sizeof(double))
#define NOT_ALIKE 0.05			/* p of different trends before below which a warning is due */

typedef struct State
{
	double		confidence;
	double		periods;
	cvm_moments control;
	cvm_moments treated;
} State;

StaticAssertDecl(sizeof(State) == STATE * sizeof(double), "the state is an array of float8");

/* ---------- the state ---------- */

static State *
state_of(ArrayType *array)
{
	if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != STATE || ARR_HASNULL(array))
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("the state of an experiment must be %d numbers", STATE)));
	return (State *) ARR_DATA_PTR(array);
}

static ArrayType *
new_state(double confidence, double periods)
{
	ArrayType  *array = palloc0(STATE_SIZE);
	State	   *state;

	SET_VARSIZE(array, STATE_SIZE);
	array->ndim = 1;
	array->elemtype = FLOAT8OID;
	ARR_DIMS(array)[0] = STATE;
	ARR_LBOUND(array)[0] = 1;
	state = state_of(array);
	state->confidence = confidence;
	state->periods = periods;
	return array;
}

/* The confidence and the number of periods are of the whole group. */
static void
check_same(const State *state, double confidence, double periods)
{
	if (state->confidence != confidence)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the confidence must not change within a group, as it does from %.15g to %.15g", state->confidence, confidence)));
	if (state->periods != periods)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("all customers need the same number of periods before, and not %.0f and %.0f", state->periods, periods),
				 errhint("Give 0 for a period without purchases, and leave out customers who came later.")));
}

/* The state for one row more, which the aggregate's own call may change in place. */
static ArrayType *
state_argument(FunctionCallInfo fcinfo, int confidence_at, double periods)
{
	double		confidence = PG_NARGS() > confidence_at ? cvm_confidence_argument(fcinfo, confidence_at) : 0.95;
	ArrayType  *array;

	if (PG_ARGISNULL(0))
		return new_state(confidence, periods);
	array = AggCheckCallContext(fcinfo, NULL) ? PG_GETARG_ARRAYTYPE_P(0) : PG_GETARG_ARRAYTYPE_P_COPY(0);
	check_same(state_of(array), confidence, periods);
	return array;
}

static bool
row_has_null(FunctionCallInfo fcinfo)
{
	for (int i = 1; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i))
			return true;
	return false;
}

static Datum
unchanged_state(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

static cvm_moments *
arm_of_row(FunctionCallInfo fcinfo, ArrayType *array)
{
	State	   *state = state_of(array);

	return PG_GETARG_BOOL(1) ? &state->treated : &state->control;
}

PG_FUNCTION_INFO_V1(cvm_experiment_accum_outcome);
/* (state, treated, outcome [, confidence]) */
Datum
cvm_experiment_accum_outcome(PG_FUNCTION_ARGS)
{
	ArrayType  *array;

	if (row_has_null(fcinfo))
		return unchanged_state(fcinfo);
	array = state_argument(fcinfo, 3, 0);
	cvm_moments_add(arm_of_row(fcinfo, array), cvm_finite_measure(fcinfo, 2, "outcome"));
	PG_RETURN_ARRAYTYPE_P(array);
}

PG_FUNCTION_INFO_V1(cvm_experiment_accum_conversion);
/* (state, treated, converted boolean [, confidence]) */
Datum
cvm_experiment_accum_conversion(PG_FUNCTION_ARGS)
{
	ArrayType  *array;

	if (row_has_null(fcinfo))
		return unchanged_state(fcinfo);
	array = state_argument(fcinfo, 3, 0);
	cvm_moments_add(arm_of_row(fcinfo, array), PG_GETARG_BOOL(2));
	PG_RETURN_ARRAYTYPE_P(array);
}

PG_FUNCTION_INFO_V1(cvm_experiment_accum_pair);
/* (state, treated, outcome, covariate [, confidence]) */
Datum
cvm_experiment_accum_pair(PG_FUNCTION_ARGS)
{
	ArrayType  *array;

	if (row_has_null(fcinfo))
		return unchanged_state(fcinfo);
	array = state_argument(fcinfo, 4, 0);
	cvm_moments_add_pair(arm_of_row(fcinfo, array), cvm_finite_measure(fcinfo, 2, "outcome"), cvm_finite_measure(fcinfo, 3, "covariate"));
	PG_RETURN_ARRAYTYPE_P(array);
}

/* Mean, and least-squares slope per period, of periods in order. */
static void
level_and_slope(const double *values, int n, double *level, double *slope)
{
	double		sum = 0;
	double		products = 0;
	double		squares = 0;

	for (int i = 0; i < n; i++)
	{
		double		at = i - 0.5 * (n - 1);

		sum += values[i];
		products += at * values[i];
		squares += at * at;
	}
	*level = sum / n;
	*slope = n > 1 ? products / squares : 0;
}

PG_FUNCTION_INFO_V1(cvm_experiment_accum_change);
/* (state, treated, before float8[], after [, confidence]): the change is y, the slope before is x */
Datum
cvm_experiment_accum_change(PG_FUNCTION_ARGS)
{
	const double *before;
	int			periods;
	double		level,
				slope;
	ArrayType  *array;

	if (row_has_null(fcinfo))
		return unchanged_state(fcinfo);
	before = cvm_numbers_argument(fcinfo, 2, "an outcome before", &periods);
	if (periods == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a change needs at least one period before")));
	level_and_slope(before, periods, &level, &slope);
	array = state_argument(fcinfo, 4, periods);
	cvm_moments_add_pair(arm_of_row(fcinfo, array), cvm_finite_measure(fcinfo, 3, "outcome") - level, slope);
	PG_RETURN_ARRAYTYPE_P(array);
}

PG_FUNCTION_INFO_V1(cvm_experiment_combine);
Datum
cvm_experiment_combine(PG_FUNCTION_ARGS)
{
	const State *from = state_of(PG_GETARG_ARRAYTYPE_P(1));
	ArrayType  *array = AggCheckCallContext(fcinfo, NULL) ? PG_GETARG_ARRAYTYPE_P(0) : PG_GETARG_ARRAYTYPE_P_COPY(0);
	State	   *into = state_of(array);

	check_same(into, from->confidence, from->periods);
	cvm_moments_merge(&into->control, &from->control);
	cvm_moments_merge(&into->treated, &from->treated);
	PG_RETURN_ARRAYTYPE_P(array);
}

/* ---------- results ---------- */

/* What a group without rows comes to. */
static const State empty_state = {.confidence = 0.95};

/* A state that was not made by these aggregates is no reason to convert what no integer holds. */
static void
check_state(const State *state)
{
	if (!(state->control.n >= 0 && state->control.n <= 1e15 && state->treated.n >= 0 && state->treated.n <= 1e15 &&
		  state->periods >= 0 && state->periods <= 1e9 && state->confidence > 0 && state->confidence < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("this is no state of an experiment")));
}

static const State *
final_state(FunctionCallInfo fcinfo)
{
	const State *state;

	if (PG_ARGISNULL(0))
		return &empty_state;
	state = state_of(PG_GETARG_ARRAYTYPE_P(0));
	check_state(state);
	if (!cvm_moments_finite(&state->control) || !cvm_moments_finite(&state->treated))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("the outcomes of a group are too large to be summed")));
	return state;
}

PG_FUNCTION_INFO_V1(cvm_mean_difference_final);
Datum
cvm_mean_difference_final(PG_FUNCTION_ARGS)
{
	const State *state = final_state(fcinfo);
	cvm_arm		treated = cvm_arm_of_y(&state->treated);
	cvm_arm		control = cvm_arm_of_y(&state->control);

	return cvm_return_means(fcinfo, &treated, &control, state->confidence);
}

PG_FUNCTION_INFO_V1(cvm_proportion_difference_final);
Datum
cvm_proportion_difference_final(PG_FUNCTION_ARGS)
{
	const State *state = final_state(fcinfo);

	return cvm_return_proportions(fcinfo, state->treated.y.high, state->treated.n, state->control.y.high, state->control.n, state->confidence);
}

PG_FUNCTION_INFO_V1(cvm_cuped_final);
Datum
cvm_cuped_final(PG_FUNCTION_ARGS)
{
	const State *state = final_state(fcinfo);
	cvm_cuped_difference c = cvm_cuped(&state->treated, &state->control, state->confidence);
	cvm_difference *d = &c.adjusted;
	double		numbers[] = {
		state->treated.n, state->control.n, c.theta, c.variance_ratio, c.unadjusted, d->difference, d->error, d->low, d->high,
		d->statistic, d->degrees, d->p
	};
	cvm_reason	reason = d->reason == CVM_CONTROL_ZERO ? CVM_GIVEN : d->reason;

	return cvm_return_row(fcinfo, numbers, lengthof(numbers), &cvm_reason_name[reason], 1);
}

/*
 * Whether the groups moved alike before, as far as the periods can tell.  Where everybody has the
 * trend of the group there is no p: the trends differ, or are the same but for rounding.
 */
static const char *
trend_warning(const cvm_difference *trend, const cvm_arm *treated, const cvm_arm *control, double periods)
{
	bool		differ = trend->p < NOT_ALIKE;

	if (trend->reason == CVM_NO_VARIANCE)
		differ = fabs(trend->difference) > 1e-12 * fmax(fabs(treated->mean), fabs(control->mean));
	if (periods < 2)
		return "one_period_before";
	return differ ? "not_alike_before" : NULL;
}

PG_FUNCTION_INFO_V1(cvm_change_difference_final);
Datum
cvm_change_difference_final(PG_FUNCTION_ARGS)
{
	const State *state = final_state(fcinfo);
	cvm_arm		treated = cvm_arm_of_y(&state->treated);
	cvm_arm		control = cvm_arm_of_y(&state->control);
	cvm_arm		treated_trend = cvm_arm_of_x(&state->treated);
	cvm_arm		control_trend = cvm_arm_of_x(&state->control);
	cvm_difference d = cvm_welch(&treated, &control, state->confidence);
	cvm_difference trend = cvm_welch(&treated_trend, &control_trend, state->confidence);
	double		unknown = state->periods < 2 ? NAN : 0;
	double		numbers[] = {
		treated.n, control.n, treated.mean, control.mean, d.difference, d.error, d.low, d.high, d.statistic, d.degrees, d.p,
		state->periods, trend.difference + unknown, trend.low + unknown, trend.high + unknown, trend.p + unknown
	};
	const char *texts[2];

	texts[1] = cvm_reason_name[d.reason == CVM_CONTROL_ZERO ? CVM_GIVEN : d.reason];
	texts[0] = d.reason == CVM_ONE_ARM || d.reason == CVM_TOO_FEW ? NULL : trend_warning(&trend, &treated_trend, &control_trend, state->periods);
	return cvm_return_row(fcinfo, numbers, lengthof(numbers), texts, 2);
}

