/*
 * discounted_spend.c: aggregate cvm.discounted_spend: sum over customers of a weight (P(alive) x
 * expected spend) times the discounted purchases to come if alive.
 *
 * The state is the sum of the weights of each pair of x and age, and of span in families
 * where the purchases to come depend on it.  The purchases are computed once per
 * pair; where an x has many ages, at some of them only: as a function of age they are
 * analytic but for a pole at -c, c the smallest parameter that is a time, so that on
 * panels from c (2^j - 1) to c (2^(j + 1) - 1) the error of interpolation at n Chebyshev
 * points falls as (3 + sqrt(8))^-n (Trefethen 2013, theorem 8.2): below 1e-12 at 16.
 */
#include "compat.h"

#include <math.h>

#include "math/sum.h"
#include "miscadmin.h"
#include "row.h"
#include "types/purchase_history.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "what_if.h"

#define NODES 16

typedef struct Key
{
	int32		x;
	int32		age;			/* in periods */
	int32		span;			/* 0 where it makes no difference */
} Key;

typedef struct Entry
{
	Key			key;
	char		status;			/* of simplehash */
	double		weight;
} Entry;

#define SH_PREFIX weights
#define SH_ELEMENT_TYPE Entry
#define SH_KEY_TYPE Key
#define SH_KEY key
#define SH_HASH_KEY(tb, k) ((uint32) (murmurhash64((uint64) (uint32) (k).x << 32 | ((uint32) (k).age ^ (uint32) (k).span << 16)) >> 32))
#define SH_EQUAL(tb, a, b) ((a).x == (b).x && (a).age == (b).age && (a).span == (b).span)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

typedef struct State
{
	Question	question;		/* of the group's model */
	WhatIf		change;
	TimestampTz as_of;
	uint32		zone_id;		/* of the histories */
	int32		period;			/* ... 0 before the first */
	int32		as_of_period;
	weights_hash *weights;
} State;

/* ---------- accumulating ---------- */

enum
{
	STATE, MODEL, HISTORY, AS_OF, WEIGHT, RATE
};

static CvmModel *
copy_model(FunctionCallInfo fcinfo)
{
	CvmModel   *model = PG_GETARG_MODEL_P(MODEL);
	CvmModel   *copy = palloc(VARSIZE(model));

	memcpy(copy, model, VARSIZE(model));
	return copy;
}

/* Arguments other than history and weight are of the whole group: those of its first row. */
static State *
new_state(FunctionCallInfo fcinfo, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	State	   *state = palloc0(sizeof(State));
	CvmModel   *model = copy_model(fcinfo);

	state->question = (Question) {.model = model, .family = cvm_model_family(model), .theta = model->number};
	if (state->question.family->kind != CVM_PURCHASES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is not a purchase model", state->question.family->name)));
	state->change = cvm_what_if_arguments(fcinfo, RATE);
	state->as_of = PG_GETARG_TIMESTAMPTZ(AS_OF);
	state->weights = weights_create(context, 1024, NULL);
	MemoryContextSwitchTo(old);
	return state;
}

static void
use_calendar(State *state, const PurchaseHistory *history)
{
	CvmCalendar calendar;

	if (state->period != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the histories differ in their period or time zone")));
	cvm_check_period(state->question.family, history->period, state->question.model->unit_seconds);
	cvm_calendar_of_history(&calendar, history->zone_id, history->period);
	state->as_of_period = cvm_period_of(&calendar, state->as_of);
	state->zone_id = history->zone_id;
	state->period = history->period;
}

static void
add_customer(State *state, const PurchaseHistory *history, double weight)
{
	Key			key = {.x = history->repeat_periods};
	Entry	   *entry;
	bool		found;

	if (history->zone_id != state->zone_id || history->period != state->period)
		use_calendar(state, history);
	if (state->as_of_period < history->last_period)
		(void) cvm_history_age(history, state->as_of, 1);	/* its error */
	key.age = state->as_of_period - history->first_period;
	if (!state->question.family->alive_ignores_span)
		key.span = history->last_period - history->first_period;
	entry = weights_insert(state->weights, key, &found);
	entry->weight = found ? entry->weight + weight : weight;
}

PG_FUNCTION_INFO_V1(cvm_discounted_spend_accum);
/* (state, model, history, as_of, weight, rate, horizon, retention, frequency) */
Datum
cvm_discounted_spend_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	State	   *state = PG_ARGISNULL(STATE) ? NULL : (State *) PG_GETARG_POINTER(STATE);

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	for (int i = MODEL; i < PG_NARGS(); i++)
		if (i != HISTORY && i != WEIGHT && PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("model, as_of and assumptions must not be null")));
	if (state == NULL)
		state = new_state(fcinfo, context);
	if (!PG_ARGISNULL(HISTORY) && !PG_ARGISNULL(WEIGHT))
	{
		const PurchaseHistory *history = PG_GETARG_HISTORY_P(HISTORY);
		double		weight = PG_GETARG_FLOAT8(WEIGHT);

		if (!isfinite(weight))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a weight must be a finite number")));
		if (history->repeat_periods >= 0)
			add_customer(state, history, weight);
	}
	PG_RETURN_POINTER(state);
}

/* ---------- summing up ---------- */

#define ST_SORT sort_entries
#define ST_ELEMENT_TYPE Entry
#define ST_COMPARE(a, b) ((a)->key.x != (b)->key.x ? ((a)->key.x > (b)->key.x) - ((a)->key.x < (b)->key.x) \
						  : (a)->key.age != (b)->key.age ? ((a)->key.age > (b)->key.age) - ((a)->key.age < (b)->key.age) \
						  : ((a)->key.span > (b)->key.span) - ((a)->key.span < (b)->key.span))
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static double
units(const State *state, int32 periods)
{
	return (double) periods * state->period / state->question.model->unit_seconds;
}

/* Where span makes no difference any one in the domain will do. */
static double
purchases(State *state, int32 x, double age, int32 span)
{
	cvm_row    *row = &state->question.row;
	double		value;

	CHECK_FOR_INTERRUPTS();
	*row = (cvm_row) {.x = x, .age = age, .weight = 1};
	if (x > 0)
	{
		row->t_x = state->question.family->alive_ignores_span ? age : units(state, span);
		row->log_intervals = x * log(row->t_x / x);
	}
	value = cvm_what_if_purchases(&state->question, &state->change);
	(void) cvm_answer(&state->question, value, "the discounted number of purchases");
	return value;
}

static double
smallest_time(const Question *question)
{
	double		least = INFINITY;

	for (int i = 0; i < question->family->n_params; i++)
		if (question->family->time_power[i] == 1)
			least = fmin(least, question->theta[i]);
	return least;
}

/* Entries of one x within a panel of ages: barycentric interpolation (Berrut & Trefethen 2004). */
static void
add_interpolated(State *state, const Entry *entries, int n, double low, double high, cvm_sum *sum)
{
	double		node[NODES];
	double		value[NODES];
	double		weight[NODES];

	for (int i = 0; i < NODES; i++)
	{
		double		angle = (2 * i + 1) * M_PI / (2 * NODES);

		node[i] = low + (high - low) * 0.5 * (1 + cos(angle));
		weight[i] = i % 2 ? -sin(angle) : sin(angle);
		value[i] = purchases(state, entries->key.x, node[i], 0);
	}
	for (int k = 0; k < n; k++)
	{
		double		age = units(state, entries[k].key.age);
		double		above = 0;
		double		below = 0;

		for (int i = 0; i < NODES; i++)
		{
			double		share;

			if (age == node[i])
			{
				above = value[i];
				below = 1;
				break;
			}
			share = weight[i] / (age - node[i]);
			above += share * value[i];
			below += share;
		}
		cvm_sum_add(sum, entries[k].weight * (above / below));
	}
}

/* Entries from `first` on that lie in its panel; their number. */
static int
add_panel(State *state, const Entry *first, const Entry *end, double scale, cvm_sum *sum)
{
	double		low = scale * (exp2(floor(log2(1 + units(state, first->key.age) / scale))) - 1);
	double		high = scale + 2 * low;
	int			n = 0;

	while (first + n < end && first[n].key.x == first->key.x && units(state, first[n].key.age) <= high)
		n++;
	if (n > NODES && state->question.family->alive_ignores_span && !state->question.family->whole_times)
		add_interpolated(state, first, n, low, high, sum);
	else
	{
		n = Max(n, 1);
		for (int i = 0; i < n; i++)
			cvm_sum_add(sum, first[i].weight * purchases(state, first[i].key.x, units(state, first[i].key.age), first[i].key.span));
	}
	return n;
}

PG_FUNCTION_INFO_V1(cvm_discounted_spend_final);
/* NULL for no rows */
Datum
cvm_discounted_spend_final(PG_FUNCTION_ARGS)
{
	State	   *state;
	Entry	   *entries;
	Entry	   *entry;
	weights_iterator iterator;
	double		scale;
	cvm_sum		sum = {0};
	int			n = 0;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (State *) PG_GETARG_POINTER(0);
	entries = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Entry) * Max(state->weights->members, 1));
	weights_start_iterate(state->weights, &iterator);
	while ((entry = weights_iterate(state->weights, &iterator)) != NULL)
		entries[n++] = *entry;
	sort_entries(entries, n);
	scale = smallest_time(&state->question);
	if (isinf(scale))			/* discrete time has none, and is not interpolated */
		scale = 1;
	for (int i = 0; i < n;)
		i += add_panel(state, &entries[i], entries + n, scale, &sum);
	PG_RETURN_FLOAT8(cvm_sum_value(&sum));
}
