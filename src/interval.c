/*
 * interval.c: how sure one can be: intervals of a model's parameters, and of the
 * residual value of any set of customers (models/total.h).
 */
#include "compat.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "math/gamma_quantile.h"
#include "math/random.h"
#include "miscadmin.h"
#include "models/total.h"
#include "row.h"
#include "types/model_type.h"
#include "types/purchase_history.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define YEAR_SECONDS (365.25 * 86400.0)
#define LEAST_RATE 1e-6			/* as of the option annual_discount_rate */
#define MOST_RATE 10

static void
check_level(double level)
{
	if (!(level > 0 && level < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("level %g is not between 0 and 1", level),
				 errhint("0.95 is a 95 %% interval.")));
}

/* ---------- parameters ---------- */

/*
 * estimate x exp(+- z standard error / estimate): of positive parameters the
 * logarithm is nearer to normal, and no end is below 0.
 */
static void
parameter_row(const cvm_family *family, const cvm_fit_result *fit, int i, double level, Datum *values, bool *nulls)
{
	double		error = fit->has_covariance ? sqrt(fit->covariance[i][i]) : 0;
	double		factor = exp(cvm_normal_quantile(0.5 + level / 2) * error / fit->theta[i]);
	bool		known = error > 0 && isfinite(fit->theta[i] * factor);

	values[0] = CStringGetTextDatum(family->params[i]);
	values[1] = Float8GetDatum(fit->theta[i]);
	values[2] = Float8GetDatum(error);
	values[3] = Float8GetDatum(fit->theta[i] / factor);
	values[4] = Float8GetDatum(fit->theta[i] * factor);
	nulls[0] = nulls[1] = false;
	nulls[2] = !(error > 0);
	nulls[3] = nulls[4] = !known;
}

PG_FUNCTION_INFO_V1(cvm_confidence_intervals);
/* (model, level): parameter, estimate, standard error, low, high */
Datum
cvm_confidence_intervals(PG_FUNCTION_ARGS)
{
	double		level = PG_GETARG_FLOAT8(1);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	cvm_fit_result fit;

	check_level(level);
	cvm_fit_of_model(PG_GETARG_MODEL_P(0), &fit);
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < fit.family->n_params; i++)
	{
		Datum		values[5];
		bool		nulls[5];

		parameter_row(fit.family, &fit, i, level, values, nulls);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* ---------- the state of the aggregate ---------- */

/* What is said of the whole group, in every row. */
typedef struct Terms
{
	TimestampTz as_of;
	double		annual_rate;
	double		horizon_seconds;	/* INFINITY: unlimited */
	double		margin;
	double		level;
} Terms;

typedef struct SumState
{
	CvmModel   *purchases;
	CvmModel   *spend;
	const cvm_family *family;
	Terms		terms;
	int64		n;
	int64		allocated;
	cvm_row    *rows;
} SumState;

static void
refuse_null(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("%s must not be null", what),
			 errhint("A value_horizon may be null: it is unlimited then; so may a history, which is left out.")));
}

static double
some_number(FunctionCallInfo fcinfo, int n, const char *what)
{
	if (PG_ARGISNULL(n))
		refuse_null(what);
	return PG_GETARG_FLOAT8(n);
}

static double
horizon_seconds(FunctionCallInfo fcinfo, int n)
{
	const Interval *span;
	double		seconds;

	if (PG_NARGS() <= n || PG_ARGISNULL(n))
		return INFINITY;
	span = PG_GETARG_INTERVAL_P(n);
	seconds = span->time / 1e6 + span->day * 86400.0 + span->month * (YEAR_SECONDS / 12);
	if (!(seconds > 0) || seconds > 1e15)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("value_horizon is not a positive, finite interval"),
				 errhint("null is an unlimited one.")));
	return seconds;
}

/* (state, purchases, spend, history, as_of, annual_discount_rate [, value_horizon, margin, level]) */
static void
read_terms(FunctionCallInfo fcinfo, Terms *terms)
{
	memset(terms, 0, sizeof(*terms));	/* compared as bytes */
	if (PG_ARGISNULL(4))
		refuse_null("as_of");
	terms->as_of = PG_GETARG_TIMESTAMPTZ(4);
	terms->annual_rate = some_number(fcinfo, 5, "annual_discount_rate");
	terms->horizon_seconds = horizon_seconds(fcinfo, 6);
	terms->margin = PG_NARGS() > 7 ? some_number(fcinfo, 7, "margin") : 1;
	terms->level = PG_NARGS() > 8 ? some_number(fcinfo, 8, "level") : 0.9;
}

static void
check_terms(const Terms *terms)
{
	check_level(terms->level);
	if (!(terms->margin > 0 && terms->margin <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("margin %g is not above 0 and at most 1", terms->margin)));
	if (!(terms->annual_rate >= LEAST_RATE && terms->annual_rate <= MOST_RATE) &&
		!(terms->annual_rate == 0 && isfinite(terms->horizon_seconds)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("annual_discount_rate %g is not %g to %d, or 0 with a value_horizon", terms->annual_rate, LEAST_RATE, MOST_RATE)));
}

static CvmModel *
model_argument(FunctionCallInfo fcinfo, int n, cvm_kind kind)
{
	CvmModel   *model;

	if (PG_ARGISNULL(n))
		refuse_null("a model");
	model = PG_GETARG_MODEL_P(n);
	if (cvm_model_family(model)->kind != kind)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is no family of %s models", cvm_model_family(model)->name, kind == CVM_SPEND ? "spend" : "purchase"),
				 errhint("cvm.sum_interval takes the purchase model first, then that of spend.")));
	return model;
}

static CvmModel *
keep(MemoryContext context, const CvmModel *model)
{
	CvmModel   *copy = MemoryContextAlloc(context, VARSIZE(model));

	memcpy(copy, model, VARSIZE(model));
	return copy;
}

static SumState *
new_state(FunctionCallInfo fcinfo, MemoryContext context, const Terms *terms)
{
	SumState   *state = MemoryContextAllocZero(context, sizeof(SumState));

	check_terms(terms);
	state->terms = *terms;
	state->purchases = keep(context, model_argument(fcinfo, 1, CVM_PURCHASES));
	state->spend = keep(context, model_argument(fcinfo, 2, CVM_SPEND));
	state->family = cvm_model_family(state->purchases);
	if (state->purchases->unit_seconds <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("this %s model does not know its time unit", state->family->name),
				 errhint("Say so in its text: unit= and the seconds of an opportunity.")));
	state->allocated = 64;
	state->rows = MemoryContextAlloc(context, sizeof(cvm_row) * state->allocated);
	return state;
}

static bool
same_model(const CvmModel *kept, const CvmModel *given)
{
	return VARSIZE(kept) == VARSIZE(given) && memcmp(kept, given, VARSIZE(kept)) == 0;
}

static void
check_same(FunctionCallInfo fcinfo, const SumState *state, const Terms *terms)
{
	if (memcmp(&state->terms, terms, sizeof(Terms)) != 0 ||
		!same_model(state->purchases, model_argument(fcinfo, 1, CVM_PURCHASES)) ||
		!same_model(state->spend, model_argument(fcinfo, 2, CVM_SPEND)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("models, as_of, rate, horizon, margin and level of a sum must not change within a group"),
				 errdetail("Customers that are valued by different models do not share the error of their parameters.")));
}

/* mean_spend is 0 where nothing is known of it but the population's. */
static void
add_history(SumState *state, const PurchaseHistory *history)
{
	cvm_row		row = {.weight = 1};
	double		unit = state->purchases->unit_seconds;

	if (history->repeat_periods < 0)
		return;
	cvm_check_period(state->family, history->period, unit);
	cvm_history_row(history, state->terms.as_of, unit, &row);
	cvm_check_row(state->family, &row);
	if (row.x > 0)
		row.mean_spend = fmax(cvm_history_mean_spend(history), 0);
	if (state->n == state->allocated)
	{
		state->allocated *= 2;
		state->rows = repalloc_huge(state->rows, sizeof(cvm_row) * state->allocated);
	}
	state->rows[state->n++] = row;
}

PG_FUNCTION_INFO_V1(cvm_sum_interval_accum);
Datum
cvm_sum_interval_accum(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	SumState   *state = PG_ARGISNULL(0) ? NULL : (SumState *) PG_GETARG_POINTER(0);
	Terms		terms;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	read_terms(fcinfo, &terms);
	if (state == NULL)
		state = new_state(fcinfo, context, &terms);
	else
		check_same(fcinfo, state, &terms);
	if (!PG_ARGISNULL(3))
		add_history(state, PG_GETARG_HISTORY_P(3));
	PG_RETURN_POINTER(state);
}

/* ---------- the sum ---------- */

/* In an order that is the customers' own, so that the rows' does not matter. */
static int
compare_rows(const void *a, const void *b)
{
	CHECK_FOR_INTERRUPTS();
	return memcmp(a, b, sizeof(cvm_row));
}

/* Both fits, the table of futures that they make, and the sum. */
typedef struct Forecaster
{
	cvm_fit_result purchases;
	cvm_fit_result spend;
	cvm_axes	purchase_axes;
	cvm_axes	spend_axes;
	double		rate;
	double		horizon;
	cvm_predictive *table;
	cvm_total  *total;
	bool		known;			/* the uncertainty of the parameters, of all customers */
} Forecaster;

static void
open_forecaster(const SumState *state, const cvm_env *env, Forecaster *f)
{
	double		unit = state->purchases->unit_seconds;
	double		max_x = 0,
				max_age = 0;
	cvm_status	status;

	cvm_fit_of_model(state->purchases, &f->purchases);
	cvm_fit_of_model(state->spend, &f->spend);
	cvm_axes_of(&f->purchases, &f->purchase_axes);
	cvm_axes_of(&f->spend, &f->spend_axes);
	f->total = palloc0(sizeof(cvm_total));
	f->known = true;
	f->rate = log1p(state->terms.annual_rate) * unit / YEAR_SECONDS;
	f->horizon = state->terms.horizon_seconds / unit;
	for (int64 i = 0; i < state->n; i++)
	{
		max_x = fmax(max_x, state->rows[i].x);
		max_age = fmax(max_age, state->rows[i].age);
	}
	status = cvm_predictive_new(f->purchases.family, f->purchases.theta, &f->purchase_axes, f->spend.theta,
								f->rate, f->horizon, max_x, max_age, 1, env, &f->table);
	if (status == CVM_CANCELLED)
		CHECK_FOR_INTERRUPTS();
	if (status != CVM_OK)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not tabulate the predictive distribution of residual value")));
}

static void
add_customer(Forecaster *f, const Terms *terms, const cvm_row *row, double chance)
{
	const cvm_family *family = f->purchases.family;
	cvm_row		money = *row;
	double		p_alive = family->p_alive(f->purchases.theta, row);
	double		spend,
				mean;
	cvm_forecast forecast;

	if (!(money.mean_spend > 0))
		money.x = 0;
	spend = f->spend.family->expected_spend(f->spend.theta, &money);
	mean = terms->margin * spend * p_alive * family->discounted_if_alive(f->purchases.theta, row, f->rate, f->horizon);
	if (!isfinite(mean))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("the residual value of a customer is infinite for these models"),
				 errdetail("The customer has x = %g, age = %g, mean_spend = %g.", row->x, row->age, row->mean_spend),
				 errhint("Leave customers out whose spend has no mean (cvm.expected_spend), or fit on more data.")));
	cvm_forecast_residual(f->table, &f->purchase_axes, &f->spend_axes, row, p_alive, spend, mean, 0.05, 0.95, &forecast);
	f->known &= forecast.known;
	cvm_total_add(f->total, &forecast.stake, chance);
}

/* customers, residual_value, residual_low, residual_high, predictive_error, parameter_error, status */
static Datum
return_sum(FunctionCallInfo fcinfo, const SumState *state, const Forecaster *f)
{
	const cvm_outlook outlook = {
		&f->purchases, &f->spend, &f->purchase_axes, &f->spend_axes, f->rate, f->horizon, state->terms.margin
	};
	double		tail = (1 - state->terms.level) / 2;
	double		low = f->known ? cvm_total_quantile(f->total, &outlook, tail) : 0;
	double		high = f->known ? cvm_total_quantile(f->total, &outlook, 1 - tail) : 0;
	bool		known = f->known && isfinite(low) && isfinite(high);
	bool		full = f->purchases.rung == CVM_RUNG_FULL && f->spend.rung == CVM_RUNG_FULL;
	TupleDesc	row;
	bool		nulls[7] = {false, false, !known, !known, false, !known, false};
	Datum		values[7] = {
		Int64GetDatum(state->n), Float8GetDatum(cvm_sum_value(&f->total->mean)),
		Float8GetDatum(low), Float8GetDatum(high),
		Float8GetDatum(sqrt(cvm_sum_value(&f->total->variance))), Float8GetDatum(sqrt(cvm_total_parameter_variance(f->total))),
		CStringGetTextDatum(!known ? "unknown" : full ? "ok" : "fallback")
	};

	if (get_call_result_type(fcinfo, NULL, &row) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(row), values, nulls));
}

/* Orders the rows in place, which leaves the state as good as it was. */
PG_FUNCTION_INFO_V1(cvm_sum_interval_final);
Datum
cvm_sum_interval_final(PG_FUNCTION_ARGS)
{
	cvm_env		env = cvm_server_env(CurrentMemoryContext);
	SumState   *state;
	Forecaster	forecaster;
	cvm_rng		chance;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (SumState *) PG_GETARG_POINTER(0);
	qsort(state->rows, state->n, sizeof(cvm_row), compare_rows);
	cvm_rng_seed(&chance, 1);
	open_forecaster(state, &env, &forecaster);
	for (int64 i = 0; i < state->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		add_customer(&forecaster, &state->terms, &state->rows[i], cvm_rng_uniform(&chance));
	}
	cvm_predictive_free(forecaster.table);
	return return_sum(fcinfo, state, &forecaster);
}
