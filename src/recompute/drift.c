/*
 * drift.c: how far the customers of a run are from those a model was fitted on.
 *
 * Inputs: the distributions of x, t_x and age of all customers and of the mean
 * spend of repeat buyers.  At the fit they are counted in bins between their
 * deciles, which stay with the model; a later run counts its own customers in
 * the same bins, and SQL compares (cvm.psi, sql/drift.sql).  Of a retention model:
 * the distributions of renewals made and of whether a contract has ended.
 *
 * Tracking: repeat purchases since the fit against what the model expects of
 * customers of whom nothing is known but their age,
 *
 *	  sum over customers E[X(age)] - E[X(age - elapsed)],	X(t) = 0 for t <= 0
 *
 * the increment of the cumulative curve of Fader, Hardie & Lee (2005, Marketing
 * Science 24, figure 3), new customers included.
 */
#include "engine.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "math/sum.h"
#include "models/cells.h"

#define BINS 10

typedef enum Input
{
	INPUT_REPEAT_PERIODS, INPUT_SPAN, INPUT_AGE, INPUT_MEAN_SPEND, INPUT_LIFETIME, INPUT_CHURNED, N_INPUTS
} Input;

/* The first inputs are those of a purchase model and its partner, the others of a retention model. */
#define FIRST_CONTRACT_INPUT INPUT_LIFETIME

static const char *const input_names[N_INPUTS] = {"repeat_periods", "span", "age", "mean_spend", "lifetime", "churned"};

typedef struct Weighted
{
	double		value;
	double		weight;
} Weighted;

#define ST_SORT sort_weighted
#define ST_ELEMENT_TYPE Weighted
#define ST_COMPARE(a, b) (((a)->value > (b)->value) - ((a)->value < (b)->value))
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static double
input_of(Input input, const cvm_row *row)
{
	switch (input)
	{
		case INPUT_REPEAT_PERIODS:
			return row->x;
		case INPUT_SPAN:
			return row->t_x;
		case INPUT_AGE:
			return row->age;
		case INPUT_MEAN_SPEND:
			return row->mean_spend;
		case INPUT_LIFETIME:
			return row->lifetime;
		case INPUT_CHURNED:
			return row->churned;
		default:
			return 0;
	}
}

static const cvm_table *
table_of(Input input, const cvm_table *purchases, const cvm_table *spend)
{
	return input == INPUT_MEAN_SPEND ? spend : purchases;
}

/* ---------- at the fit ---------- */

/* Deciles of the input, equal ones once, the largest value left out: it needs no limit. */
static int
find_edges(Input input, const cvm_table *table, double edges[BINS])
{
	size_t		rows = cvm_table_rows(table);
	Weighted   *sorted = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Weighted) * rows + 1);
	double		customers = cvm_table_customers(table);
	double		seen = 0;
	int			decile = 1;
	int			n = 0;

	for (size_t i = 0; i < rows; i++)
	{
		const cvm_row row = cvm_table_row(table, i);

		sorted[i] = (Weighted) {input_of(input, &row), row.weight};
	}
	sort_weighted(sorted, rows);
	for (size_t i = 0; i < rows && decile < BINS; i++)
	{
		seen += sorted[i].weight;
		if (seen < decile * customers / BINS)
			continue;
		while (decile < BINS && seen >= decile * customers / BINS)
			decile++;
		if ((n == 0 || sorted[i].value > edges[n - 1]) && sorted[i].value < sorted[rows - 1].value)
			edges[n++] = sorted[i].value;
	}
	pfree(sorted);
	return n;
}

/* Customers by bin: each has its upper limit, the last has none. */
static void
count_bins(Input input, const cvm_table *table, const double *edges, int n_edges, double *counts)
{
	memset(counts, 0, sizeof(double) * (n_edges + 1));
	for (size_t i = 0; i < cvm_table_rows(table); i++)
	{
		const cvm_row row = cvm_table_row(table, i);
		double		value = input_of(input, &row);
		int			bin = 0;

		while (bin < n_edges && value > edges[bin])
			bin++;
		counts[bin] += row.weight;
	}
}

static Datum
float_array(const double *values, int n)
{
	Datum		elements[BINS + 1];

	for (int i = 0; i < n; i++)
		elements[i] = Float8GetDatum(values[i]);
	return PointerGetDatum(construct_array(elements, n, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static void
record_input(const RecomputePlan *plan, int64 model_id, Input input, const cvm_table *table)
{
	Oid			types[5] = {INT8OID, TEXTOID, TEXTOID, FLOAT8ARRAYOID, FLOAT8ARRAYOID};
	double		edges[BINS] = {0};
	double		counts[BINS + 1];
	int			n = find_edges(input, table, edges);
	Datum		values[5] = {
		Int64GetDatum(model_id), CStringGetTextDatum(input_names[input]), CStringGetTextDatum(plan->portfolio)
	};

	count_bins(input, table, edges, n, counts);
	values[3] = float_array(edges, n);
	values[4] = float_array(counts, n + 1);
	cvm_spi(SPI_OK_INSERT,
			"INSERT INTO cvm.model_input (model_id, input, portfolio, edges, counts) VALUES ($1, $2, $3, $4, $5)",
			5, types, values, NULL);
}

void
cvm_record_inputs(const RecomputePlan *plan, int64 model_id, const cvm_table *purchases, const cvm_table *spend)
{
	for (Input input = 0; input < FIRST_CONTRACT_INPUT; input++)
		record_input(plan, model_id, input, table_of(input, purchases, spend));
}

void
cvm_record_contract_inputs(const RecomputePlan *plan, int64 model_id, const cvm_table *contracts)
{
	for (Input input = FIRST_CONTRACT_INPUT; input < N_INPUTS; input++)
		record_input(plan, model_id, input, contracts);
}

/* ---------- at a later run ---------- */

/* The bins of a model's fit; false where there are none, or not as they were written. */
static bool
load_edges(const RecomputePlan *plan, int64 model_id, Input input, double edges[BINS], int *n)
{
	Oid			types[3] = {INT8OID, TEXTOID, TEXTOID};
	Datum		values[3] = {
		Int64GetDatum(model_id), CStringGetTextDatum(input_names[input]), CStringGetTextDatum(plan->portfolio)
	};
	bool		isnull;
	Datum	   *elements;

	if (cvm_spi(SPI_OK_SELECT,
				"SELECT edges FROM cvm.model_input WHERE portfolio = $3 AND model_id = $1 AND input = $2"
				" AND pg_catalog.cardinality(counts) = pg_catalog.cardinality(edges) + 1"
				" AND pg_catalog.array_position(edges, NULL) IS NULL",
				3, types, values, NULL) != 1)
		return false;
	deconstruct_array(DatumGetArrayTypeP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)),
					  FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &elements, NULL, n);
	if (*n > BINS)
		return false;
	for (int i = 0; i < *n; i++)
		edges[i] = DatumGetFloat8(elements[i]);
	SPI_freetuptable(SPI_tuptable);
	return true;
}

static bool
measure_input(const RecomputePlan *plan, int64 run_id, int64 model_id, Input input, const cvm_table *table)
{
	Oid			types[7] = {INT8OID, TEXTOID, TIMESTAMPTZOID, INT8OID, TEXTOID, FLOAT8ARRAYOID, FLOAT8OID};
	Datum		values[7] = {
		Int64GetDatum(run_id), CStringGetTextDatum(plan->portfolio), TimestampTzGetDatum(plan->as_of),
		Int64GetDatum(model_id), CStringGetTextDatum(input_names[input])
	};
	double		edges[BINS];
	double		counts[BINS + 1];
	int			n;
	bool		isnull;
	bool		exceeded;

	if (!load_edges(plan, model_id, input, edges, &n))
		return false;
	count_bins(input, table, edges, n, counts);
	values[5] = float_array(counts, n + 1);
	values[6] = Float8GetDatum(plan->drift_threshold);
	cvm_spi(SPI_OK_SELECT, "SELECT cvm.record_drift($1, $2, $3, $4, $5, $6, $7)", 7, types, values, NULL);
	exceeded = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return exceeded;
}

/* What the model expects of all customers since its fit; NAN if it has no mean. */
static double
expected_since(const cvm_family *family, const double *theta, double elapsed, const cvm_table *purchases)
{
	const cvm_cells *cells = cvm_table_cells(purchases);
	cvm_sum		sum = {0};

	for (size_t i = 0; i < cells->ages; i++)
	{
		double		age = cells->age[i];
		double		before = age > elapsed ? family->expected(theta, age - elapsed) : 0;

		CHECK_FOR_INTERRUPTS();
		if (age > 0)
			cvm_sum_add(&sum, cells->age_customers[i] * (family->expected(theta, age) - before));
	}
	return isfinite(cvm_sum_value(&sum)) ? cvm_sum_value(&sum) : NAN;
}

/* Last of the measures: it also tells of those above the threshold. */
static void
measure_tracking(const RecomputePlan *plan, int64 run_id, int64 model_id, double expected, double actual)
{
	Oid			types[7] = {INT8OID, TEXTOID, TIMESTAMPTZOID, INT8OID, FLOAT8OID, FLOAT8OID, FLOAT8OID};
	Datum		values[7] = {
		Int64GetDatum(run_id), CStringGetTextDatum(plan->portfolio), TimestampTzGetDatum(plan->as_of),
		Int64GetDatum(model_id), Float8GetDatum(expected), Float8GetDatum(actual), Float8GetDatum(plan->drift_threshold)
	};

	cvm_spi(SPI_OK_SELECT, "SELECT cvm.record_tracking($1, $2, $3, $4, $5, $6, $7)", 7, types, values,
			isnan(expected) ? "    nn " : NULL);
}

int
cvm_measure_drift(const RecomputePlan *plan, int64 run_id, int64 model_id, const cvm_fit_result *fit,
				  TimestampTz fitted_as_of, double fitted_purchases,
				  const cvm_table *purchases, const cvm_table *spend)
{
	int64		periods = (int64) plan->as_of_period - cvm_period_of(&plan->calendar, fitted_as_of);
	double		elapsed = Max(periods, 0) * (double) plan->calendar.period / plan->unit_seconds;
	double		expected = periods < 0 ? NAN : expected_since(fit->family, fit->theta, elapsed, purchases);
	int			drifted = 0;

	for (Input input = 0; input < FIRST_CONTRACT_INPUT; input++)
		if (measure_input(plan, run_id, model_id, input, table_of(input, purchases, spend)))
			drifted |= input == INPUT_SPAN || input == INPUT_AGE ? CVM_DRIFT_AGEING : CVM_DRIFT_STEADY;
	measure_tracking(plan, run_id, model_id, expected, cvm_table_cells(purchases)->purchases - fitted_purchases);
	return drifted;
}

bool
cvm_measure_contract_drift(const RecomputePlan *plan, int64 run_id, int64 model_id, const cvm_table *contracts)
{
	Oid			types[3] = {INT8OID, TEXTOID, INT8OID};
	Datum		values[3] = {Int64GetDatum(run_id), CStringGetTextDatum(plan->portfolio), Int64GetDatum(model_id)};
	bool		drifted = false;

	for (Input input = FIRST_CONTRACT_INPUT; input < N_INPUTS; input++)
		drifted |= measure_input(plan, run_id, model_id, input, contracts);
	cvm_spi(SPI_OK_SELECT, "SELECT cvm.announce_drift($1, $2, $3)", 3, types, values, NULL);
	return drifted;
}
