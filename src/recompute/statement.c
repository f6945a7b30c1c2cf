/*
 * statement.c: the equity statement: from the residual values of the run before to
 * those of this one, by causes that add up.
 *
 * Every customer is valued step by step, and each step is a cause.  With V(a) the
 * value at the instant a of the run before, by its model and assumptions, of what
 * is known now of the time up to a:
 *
 *	  opening			what was published
 *	  corrected			V(a) - opening; merged for customers with an alias that was one of the run before,
 *						model where the attributes of its covariates are not read any more
 *	  unwinding			D = what V(a) grows by as its future comes nearer: e^(r (b - a))
 *	  expected			- E, the purchases expected in (a, b], as they are worth at b
 *	  beyond or silence V(b) of what happened, refunds aside, less V(a) + D - E
 *	  refunds			V(b) with them, less that
 *	  assumptions		the same under the assumptions of this run, less that
 *	  model				what is published now, less that
 *
 * V(a) + D - E is what the model expected V(b) to be, so that beyond and silence
 * are news, whose mean is 0 if the model is right.  Where value_horizon bounds the
 * future, the stretch that comes into it is part of D.
 *
 * What is not comparable (another period, zone, currency, value basis or renewal, or
 * models that are gone) is one step from opening to closing: assumptions.
 */
#include "statement.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "models/shrunk.h"
#include "recompute/customer_model.h"
#include "recompute/subscription.h"

#define SAME_VALUE 1e-9			/* relative: two computations of one value */

const char *const cvm_cause_names[CVM_N_CAUSES] = {
	[CAUSE_CORRECTED] = "late_or_corrected", [CAUSE_ERASED] = "erased", [CAUSE_MERGED] = "merged", [CAUSE_UNWINDING] = "unwinding",
	[CAUSE_EXPECTED] = "purchases_expected", [CAUSE_BEYOND] = "purchases_beyond", [CAUSE_SILENCE] = "silence",
	[CAUSE_REFUNDS] = "refunds", [CAUSE_NEW] = "new_customers", [CAUSE_ASSUMPTIONS] = "assumptions",
	[CAUSE_MODEL] = "model_change"
};

/* A sum with its compensation (Neumaier 1974). */
typedef struct Sum
{
	double		value;
	double		low;
} Sum;

typedef struct StatementSum
{
	Sum			opening;
	Sum			cause[CVM_N_CAUSES];
	Sum			moved_in;
	Sum			moved_out;
	Sum			closing;
} StatementSum;

struct Statement
{
	const RecomputePlan *plan;
	int64		run_id;
	const Population *population;
	MemoryContext context;
	bool		comparable;
	double		growth;			/* e^(r (b - a)) */
	RecomputePlan then;			/* assumptions of the run before, at its instant */
	RecomputePlan passing;		/* ... up to this one's */
	RecomputePlan reaching;		/* ... to the end of its horizon, if that is finite */
	RecomputePlan now;			/* its assumptions at this instant */
	RecomputePlan assumed;		/* this run's */
	FittedPair	fit;			/* its models */
	bool		lacks_attributes;	/* of its covariates: all are valued by the model without */
	Valuer	   *value_then;
	Valuer	   *value_passing;
	Valuer	   *value_reaching; /* NULL: unlimited */
	Valuer	   *value_now;
	Valuer	   *value_assumed;
	char	   *copy;			/* of a record, to be altered */
	Size		copy_size;
	Names	   *segments;
	StatementSum *sums;			/* per segment */
	int			allocated;
};

/* ---------- the run before ---------- */

/* What makes two runs' histories and money comparable, in words. */
static char *
basis_of(const RecomputePlan *plan)
{
	const ContractPlan *contracts = &plan->contracts;

	return psprintf("period %d, zone %u, currency %s, %s, renewal %d months %d days%s", plan->calendar.period,
					plan->calendar.zone_id, plan->currency ? plan->currency : "-", plan->value_basis,
					contracts->renewal_months, contracts->renewal_days, contracts->paid_in_purchases ? ", paid in purchases" : "");
}

static double
float_of(int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? NAN : DatumGetFloat8(value);
}

static int64
id_of(int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

/*
 * Read before the feeds, in a transaction of its own: whoever waits for a feed holds no
 * lock on what somebody may be dropping.
 */
void
cvm_prior_read(RecomputePlan *plan)
{
	PriorRun   *prior = &plan->prior;

	memset(prior, 0, sizeof(*prior));
	if (cvm_spi(SPI_OK_SELECT,
				psprintf("SELECT p.run_id::pg_catalog.int8, p.as_of::pg_catalog.timestamptz, p.purchase_model_id::pg_catalog.int8,"
						 " p.spend_model_id::pg_catalog.int8, p.retention_model_id::pg_catalog.int8, p.margin::pg_catalog.float8,"
						 " p.rate::pg_catalog.float8, p.unit_seconds::pg_catalog.float8, p.value_horizon::pg_catalog.float8,"
						 " p.mean_spend::pg_catalog.float8, p.basis::pg_catalog.text FROM %s AS p", cvm_quote(plan, "published")),
				0, NULL, NULL, NULL) == 1)
	{
		char	   *basis = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 11);

		prior->run_id = id_of(1);
		prior->as_of = id_of(2);
		prior->purchase_model_id = id_of(3);
		prior->spend_model_id = id_of(4);
		prior->retention_model_id = id_of(5);
		prior->margin = float_of(6);
		prior->rate = float_of(7);
		prior->unit_seconds = float_of(8);
		prior->value_horizon = float_of(9);
		prior->mean_spend = float_of(10);
		prior->basis = basis ? MemoryContextStrdup(GetMemoryChunkContext(plan), basis) : NULL;
	}
	SPI_freetuptable(SPI_tuptable);
}

/* published is its owner's: what makes no sense there is no run to start from. */
void
cvm_prior_judge(RecomputePlan *plan)
{
	PriorRun   *prior = &plan->prior;

	plan->basis = MemoryContextStrdup(GetMemoryChunkContext(plan), basis_of(plan));
	prior->comparable = prior->basis && strcmp(prior->basis, plan->basis) == 0 && prior->margin > 0 && prior->margin <= 1 &&
		prior->rate >= 0 && isfinite(prior->rate) && prior->unit_seconds > 0 && isfinite(prior->unit_seconds) &&
		prior->value_horizon > 0 && (prior->rate > 0 || isfinite(prior->value_horizon));
	if (prior->run_id == 0)
		return;
	if (TIMESTAMP_NOT_FINITE(prior->as_of) || prior->as_of > plan->as_of)
		prior->run_id = 0;
	else
		prior->as_of_period = cvm_period_of(&plan->calendar, prior->as_of);
}

bool
cvm_has_statement(const RecomputePlan *plan)
{
	return plan->equity_statement && plan->prior.run_id > 0;
}

/* ---------- valuers ---------- */

/* The models of the run before; false if one of them is gone. */
static bool
load_models(const RecomputePlan *plan, FittedPair *fit)
{
	const PriorRun *prior = &plan->prior;

	if (!prior->comparable || (prior->purchase_model_id > 0) != (prior->spend_model_id > 0))
		return false;
	if (prior->purchase_model_id > 0)
	{
		if (!cvm_load_any_model(plan, prior->purchase_model_id, CVM_PURCHASES, &fit->purchases) ||
			!cvm_load_any_model(plan, prior->spend_model_id, CVM_SPEND, &fit->spend) || !(prior->mean_spend > 0) || isinf(prior->mean_spend))
			return false;
		cvm_shrunk_spend_at(prior->mean_spend, &fit->shrunk_spend);
		fit->purchase_model_id = prior->purchase_model_id;
		fit->spend_model_id = prior->spend_model_id;
		fit->covariates = cvm_covariates_load(plan, prior->purchase_model_id, CurrentMemoryContext);
	}
	if (prior->retention_model_id > 0)
	{
		if (plan->contracts.query == NULL)
			return true;		/* the feed has gone: nobody has a subscription to be valued */
		if (!cvm_load_any_model(plan, prior->retention_model_id, CVM_RETENTION, &fit->retention))
			return false;
		fit->retention_model_id = prior->retention_model_id;
	}
	return true;
}

static RecomputePlan
plan_at(const RecomputePlan *plan, bool at_prior, double value_horizon)
{
	RecomputePlan other = *plan;
	const PriorRun *prior = &plan->prior;

	if (at_prior)
	{
		other.as_of = prior->as_of;
		other.as_of_period = prior->as_of_period;
	}
	other.rate = prior->rate;
	other.unit_seconds = prior->unit_seconds;
	other.margin = prior->margin;
	other.value_horizon = value_horizon;
	other.predictive_interval = false;
	other.value_only = true;
	return other;
}

static void
make_valuers(Statement *s)
{
	const RecomputePlan *plan = s->plan;
	const PriorRun *prior = &plan->prior;
	double		passed = ((double) plan->as_of_period - prior->as_of_period) * plan->calendar.period / prior->unit_seconds;

	s->growth = exp(prior->rate * passed);
	s->then = plan_at(plan, true, prior->value_horizon);
	s->passing = plan_at(plan, true, passed);
	s->reaching = plan_at(plan, true, prior->value_horizon + passed);
	s->now = plan_at(plan, false, prior->value_horizon);
	s->assumed = *plan;
	s->assumed.predictive_interval = false;
	s->assumed.value_only = true;
	/* the model's own unit of time */
	s->assumed.rate = plan->rate * prior->unit_seconds / plan->unit_seconds;
	s->assumed.value_horizon = plan->value_horizon * plan->unit_seconds / prior->unit_seconds;
	s->assumed.unit_seconds = prior->unit_seconds;
	s->value_then = cvm_valuer_new(&s->then, s->population, &s->fit, s->context);
	if (passed > 0)
		s->value_passing = cvm_valuer_new(&s->passing, s->population, &s->fit, s->context);
	if (passed > 0 && isfinite(prior->value_horizon))
		s->value_reaching = cvm_valuer_new(&s->reaching, s->population, &s->fit, s->context);
	s->value_now = cvm_valuer_new(&s->now, s->population, &s->fit, s->context);
	if (s->assumed.rate != s->now.rate || s->assumed.value_horizon != s->now.value_horizon || s->assumed.margin != s->now.margin)
		s->value_assumed = cvm_valuer_new(&s->assumed, s->population, &s->fit, s->context);
}

Statement *
cvm_statement_new(const RecomputePlan *plan, int64 run_id, const Population *population, const FittedPair *fit, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Statement  *s;

	if (!cvm_has_statement(plan))
	{
		MemoryContextSwitchTo(old);
		return NULL;
	}
	s = palloc0(sizeof(Statement));
	s->plan = plan;
	s->run_id = run_id;
	s->population = population;
	s->context = context;
	s->segments = cvm_names_new(context);
	s->comparable = load_models(plan, &s->fit);
	if (s->comparable)
	{
		s->lacks_attributes = s->fit.covariates && !cvm_covariates_have(s->fit.covariates, &plan->attributes);
		make_valuers(s);
	}
	MemoryContextSwitchTo(old);
	return s;
}

/* ---------- one customer ---------- */

static double
number(double value)
{
	return isfinite(value) ? value : 0;
}

static double
residual_of(Valuer *valuer, const CustomerRecord *record)
{
	CustomerValue value;

	cvm_value(valuer, record, &value);
	return value.valued ? number(value.residual_value) : 0;
}

/* The record with another history, subscriptions as they were known on a day (all of them: INT32 max). */
static const CustomerRecord *
altered(Statement *s, const CustomerRecord *record, Size size, const PurchaseHistory *history, int32 day)
{
	CustomerRecord *copy;
	SubscriptionList *list;

	if (s->copy_size < size)
	{
		if (s->copy)
			pfree(s->copy);
		s->copy_size = 2 * size;
		s->copy = MemoryContextAllocHuge(s->context, s->copy_size);
	}
	memcpy(s->copy, record, size);
	copy = (CustomerRecord *) s->copy;
	if (history)
		copy->history = *history;
	else
		copy->history.repeat_periods = -1;
	list = unconstify(SubscriptionList *, cvm_subscriptions(copy));
	if (list == NULL)
		return copy;
	while (list->n > 0 && list->item[list->n - 1].started_on > day)
		list->n--;
	for (int64 i = 0; i < list->n; i++)
		if (list->item[i].ended_on > day)
			list->item[i].ended_on = CVM_RUNNING;
	if (list->n == 0)
		copy->subscriptions = 0;
	return copy;
}

/* The cause of what is known now of the time up to the run before, and was not. */
static EquityCause
known_now(const CustomerRecord *record)
{
	return record->merged ? CAUSE_MERGED : CAUSE_CORRECTED;
}

/* Likewise of his value, which another model gives him where nobody reads the attributes any more that it came from. */
static EquityCause
valued_now(const Statement *s, const CustomerRecord *record)
{
	return s->lacks_attributes && !record->merged && record->prior_segment >= 0 ? CAUSE_MODEL : known_now(record);
}

/* From what was published to what the model expected of now. */
static double
walk_to_now(Statement *s, const CustomerRecord *before, EquityChange *change)
{
	double		value = residual_of(s->value_then, before);
	double		due = 0;
	double		expected;

	if (fabs(value - change->opening) <= SAME_VALUE * fabs(value))
		value = change->opening;
	change->cause[valued_now(s, before)] = value - change->opening;
	if (s->value_passing == NULL)
		return value;			/* no time has passed */
	due = residual_of(s->value_passing, before);
	expected = ((s->value_reaching ? residual_of(s->value_reaching, before) : value) - due) * s->growth;
	change->cause[CAUSE_EXPECTED] = -due * s->growth;
	change->cause[CAUSE_UNWINDING] = expected - value - change->cause[CAUSE_EXPECTED];
	return expected;
}

/* All steps of a customer of comparable runs; `known` says whether he was one by then, as is known now. */
static void
walk(Statement *s, const CustomerRecord *record, Size size, EquityChange *change)
{
	const PurchaseHistory *before = cvm_history_before(record);
	const PurchaseHistory *gross = cvm_history_gross(record);
	int32		day = cvm_local_day(s->plan, s->plan->prior.as_of);
	const SubscriptionList *list = cvm_subscriptions(record);
	bool		subscribed = list && list->n > 0 && list->item[0].started_on <= day;
	bool		new_contract = list && list->n > 0 && list->item[list->n - 1].started_on > day;
	double		value = 0;
	double		news;

	if (before || subscribed)
		value = walk_to_now(s, altered(s, record, size, before, day), change);
	else
		change->cause[known_now(record)] = -change->opening;
	news = residual_of(s->value_now, gross ? altered(s, record, size, gross, PG_INT32_MAX - 1) : record);
	if (!before && !subscribed)
		change->cause[CAUSE_NEW] = news;
	else if (record->bought_later || new_contract)
		change->cause[CAUSE_BEYOND] = news - value;
	else
		change->cause[CAUSE_SILENCE] = news - value;
	value = gross ? residual_of(s->value_now, record) : news;
	change->cause[CAUSE_REFUNDS] = value - news;
	if (s->value_assumed)
	{
		double		assumed = residual_of(s->value_assumed, record);

		change->cause[CAUSE_ASSUMPTIONS] = assumed - value;
		value = assumed;
	}
	if (fabs(change->closing - value) > SAME_VALUE * fabs(value))
		change->cause[CAUSE_MODEL] += change->closing - value;
}

static StatementSum *
sums_of(Statement *s, const char *segment)
{
	int			n = cvm_names_add(s->segments, segment);

	if (n >= s->allocated)
	{
		int			wanted = Max(2 * s->allocated, n + 32);

		s->sums = s->sums ? repalloc(s->sums, sizeof(StatementSum) * wanted) : MemoryContextAlloc(s->context, sizeof(StatementSum) * wanted);
		memset(s->sums + s->allocated, 0, sizeof(StatementSum) * (wanted - s->allocated));
		s->allocated = wanted;
	}
	return &s->sums[n];
}

static void
add(Sum *sum, double value)
{
	double		total = sum->value + value;

	sum->low += fabs(sum->value) >= fabs(value) ? (sum->value - total) + value : (value - total) + sum->value;
	sum->value = total;
}

void
cvm_statement_add(Statement *s, const CustomerRecord *record, Size size, double residual, const char *segment, EquityChange *change)
{
	bool		was_there = record->prior_segment >= 0;
	const char *from = was_there ? cvm_names_get(s->population->prior_segments, record->prior_segment) : segment;
	StatementSum *sums = sums_of(s, from);

	memset(change, 0, sizeof(*change));
	change->opening = was_there ? number(record->prior_residual) : 0;
	change->closing = number(residual);
	if (s->comparable)
		walk(s, record, size, change);
	else
		change->cause[was_there ? CAUSE_ASSUMPTIONS : CAUSE_NEW] = change->closing - change->opening;
	add(&sums->opening, change->opening);
	for (int i = 0; i < CVM_N_CAUSES; i++)
		if (change->cause[i] != 0)
			add(&sums->cause[i], change->cause[i]);
	if (strcmp(from, segment) != 0)
	{
		add(&sums->moved_out, -change->closing);
		sums = sums_of(s, segment);
		add(&sums->moved_in, change->closing);
	}
	add(&sums->closing, change->closing);
}

/* ---------- to the cent ---------- */

#define N_COLUMNS (CVM_N_CAUSES + 2)	/* with moved_in and moved_out */
#define N_KEYS 6
#define N_VALUES (N_KEYS + N_COLUMNS + 2)

typedef struct Cents
{
	int64		opening;
	int64		column[N_COLUMNS];
	int64		closing;
} Cents;

static int64
cents_of(double value)
{
	double		cents = rint(value * 100);

	if (fabs(cents) > 9e18)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("customer equity of %g is too large for a statement to the cent", value),
				 errhint("Map a view that counts money in a larger unit, or set the option equity_statement to false.")));
	return (int64) cents;
}

/*
 * Cents that add up to the closing value: rounded down, and the largest remainders get
 * what is missing (Hamilton 1792).  What did not happen stays 0.
 */
static void
round_columns(const double *exact, Cents *cents)
{
	double		rest[N_COLUMNS];
	int64		missing = cents->closing - cents->opening;
	int			largest = 0;

	for (int i = 0; i < N_COLUMNS; i++)
	{
		double		down = floor(exact[i] * 100);

		cents->column[i] = cents_of(down / 100);
		rest[i] = exact[i] * 100 - down;
		missing -= cents->column[i];
		if (fabs(exact[i]) > fabs(exact[largest]))
			largest = i;
	}
	/* more than a cent a column is the rounding of the largest values themselves */
	if (missing < -N_COLUMNS || missing > N_COLUMNS)
	{
		cents->column[largest] += missing;
		return;
	}
	for (int step = missing > 0 ? 1 : -1; missing != 0; missing -= step)
	{
		int			most = largest;

		for (int i = 0; i < N_COLUMNS; i++)
			if (exact[i] != 0 && step * rest[i] > step * rest[most])
				most = i;
		cents->column[most] += step;
		rest[most] -= step;
	}
}

/* ---------- writing ---------- */

static double
total(const Sum *sum)
{
	return sum->value + sum->low;
}

/* What equity says of a segment at the instant of the run before; our own sum where it says nothing. */
static double
published_equity(const Statement *s, const char *segment, double otherwise)
{
	Oid			types[2] = {TIMESTAMPTZOID, TEXTOID};
	Datum		values[2] = {TimestampTzGetDatum(s->plan->prior.as_of), CStringGetTextDatum(segment)};
	double		found = otherwise;

	if (cvm_spi(SPI_OK_SELECT,
				psprintf("SELECT e.residual_value::pg_catalog.float8 FROM %s AS e WHERE e.as_of OPERATOR(pg_catalog.=) $1"
						 " AND e.segment OPERATOR(pg_catalog.=) $2", cvm_quote(s->plan, "equity")), 2, types, values, NULL) == 1)
		found = float_of(1);
	SPI_freetuptable(SPI_tuptable);
	return isfinite(found) && fabs(found - otherwise) <= 1e-6 * fabs(otherwise) + 1e-6 ? found : otherwise;
}

static void
write_row(const Statement *s, const char *segment, bool is_total, const Cents *cents)
{
	Oid			types[N_VALUES] = {INT8OID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, BOOLOID};
	Datum		values[N_VALUES] = {
		Int64GetDatum(s->run_id), Int64GetDatum(s->plan->prior.run_id), TimestampTzGetDatum(s->plan->prior.as_of), TimestampTzGetDatum(s->plan->as_of), CStringGetTextDatum(segment), BoolGetDatum(is_total)
	};
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "INSERT INTO %s (run_id, prior_run_id, from_as_of, to_as_of, segment, is_total, opening", cvm_quote(s->plan, "equity_statement"));
	for (int i = 0; i < CVM_N_CAUSES; i++)
		appendStringInfo(&sql, ", %s", cvm_cause_names[i]);
	appendStringInfoString(&sql, ", moved_in, moved_out, closing) VALUES ($1");
	for (int i = 1; i < N_VALUES; i++)
		appendStringInfo(&sql, ", $%d", i + 1);
	appendStringInfoChar(&sql, ')');
	for (int i = N_KEYS; i < N_VALUES; i++)
	{
		int64		value = i == N_KEYS ? cents->opening : i == N_VALUES - 1 ? cents->closing : cents->column[i - N_KEYS - 1];

		types[i] = NUMERICOID;
		values[i] = cvm_numeric_from_int128(value, 2);
	}
	if (cvm_spi(SPI_OK_INSERT, sql.data, N_VALUES, types, values, NULL) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s did not take a row of portfolio \"%s\"", cvm_quote(s->plan, "equity_statement"), s->plan->portfolio),
				 errhint("A trigger on it keeps the row out: drop it.")));
}

/* Customers who are in no feed any more, or another's alias. */
static void
add_gone(Statement *s, const CustomerSum *sum, const char *segment, EquityCause cause)
{
	double		gone = sum->value + sum->low;
	StatementSum *sums;

	if (gone == 0)
		return;
	sums = sums_of(s, segment);
	add(&sums->opening, gone);
	add(&sums->cause[cause], -gone);
}

/* Those whom cvm.forget has erased since, of whom no row is left but a sum. */
static void
add_forgotten(Statement *s)
{
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {Int64GetDatum(s->plan->prior.run_id)};
	uint64		n = cvm_spi(SPI_OK_SELECT,
							psprintf("SELECT f.segment::pg_catalog.text, f.residual_value::pg_catalog.float8 FROM %s AS f"
									 " WHERE f.run_id OPERATOR(pg_catalog.=) $1", cvm_quote(s->plan, "forgotten_value")),
							1, types, values, NULL);

	for (uint64 i = 0; i < n; i++)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &isnull);
		CustomerSum gone = {.value = isnull ? 0 : number(DatumGetFloat8(value))};
		char	   *segment = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);

		if (segment)
			add_gone(s, &gone, segment, CAUSE_ERASED);
	}
	SPI_freetuptable(SPI_tuptable);
}

static void
add_all_gone(Statement *s)
{
	const Population *population = s->population;

	for (int i = 0; i < population->n_prior_sums; i++)
	{
		const char *segment = cvm_names_get(population->prior_segments, i);

		add_gone(s, &population->vanished[i], segment, CAUSE_ERASED);
		add_gone(s, &population->merged[i], segment, CAUSE_MERGED);
	}
	add_forgotten(s);
}

static void
add_to_all(const double *exact, const Cents *cents, double *all_exact, Cents *all)
{
	all->opening += cents->opening;
	all->closing += cents->closing;
	for (int i = 0; i < CVM_N_CAUSES; i++)
		all_exact[i] += exact[i];
}

void
cvm_statement_write(Statement *s, const SegmentSum *sums, int n_sums)
{
	double		all_exact[N_COLUMNS] = {0};
	Cents		all = {0};

	add_all_gone(s);
	for (int n = 0; n < cvm_names_count(s->segments); n++)
	{
		const StatementSum *sum = &s->sums[n];
		const char *segment = cvm_names_get(s->segments, n);
		double		exact[N_COLUMNS];
		double		closing = total(&sum->closing);
		Cents		cents;

		for (int i = 1; i < n_sums; i++)
			if (strcmp(sums[i].segment, segment) == 0)
				closing = sums[i].residual;
		for (int i = 0; i < CVM_N_CAUSES; i++)
			exact[i] = total(&sum->cause[i]);
		exact[CVM_N_CAUSES] = total(&sum->moved_in);
		exact[CVM_N_CAUSES + 1] = total(&sum->moved_out);
		cents.opening = cents_of(published_equity(s, segment, total(&sum->opening)));
		cents.closing = cents_of(closing);
		round_columns(exact, &cents);
		add_to_all(exact, &cents, all_exact, &all);
		write_row(s, segment, false, &cents);
	}
	round_columns(all_exact, &all);
	write_row(s, "all", true, &all);
}
