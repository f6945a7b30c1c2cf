/*
 * simulate.c: cvm.simulate, customers who behave as a model says: the rows that
 * its family is fitted on.  The same seed gives the same customers, and the first
 * ones of many are those of few.
 */
#include "compat.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "math/random.h"
#include "miscadmin.h"
#include "question.h"
#include "row.h"

typedef struct Simulation
{
	Question	question;
	int			customers;
	double		observed;		/* age; contracts: renewals; spend: repeat purchases */
	double		spread;			/* they are down to so much less */
	bool		whole;			/* and whole numbers */
	cvm_rng		rng;
} Simulation;

enum
{
	CUSTOMER, X, T_X, AGE, LOG_INTERVALS, MEAN_SPEND, LIFETIME, CHURNED, COLUMNS
};

/* ---------- arguments ---------- */

/* A customer of whom nothing is known but how long he is observed. */
static cvm_row
unseen(const Simulation *s, double observed)
{
	cvm_row		row = {.weight = 1};

	if (s->question.family->kind == CVM_SPEND)
	{
		row.x = observed;
		row.mean_spend = 1;
	}
	else
		row.age = observed;		/* of contracts: lifetime */
	return row;
}

static void
check_spread(const Simulation *s)
{
	if (!(s->spread >= 0 && s->spread <= s->observed))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("spread %g is not between 0 and observed, %g", s->spread, s->observed),
				 errdetail("Customers are observed for lengths from observed - spread to observed.")));
	if (s->whole && s->spread != floor(s->spread))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("spread %g is not a whole number, as %s needs", s->spread, s->question.family->name)));
}

/* (model, customers, observed, seed, spread) */
static void
read_arguments(FunctionCallInfo fcinfo, Simulation *s)
{
	const CvmModel *model = PG_GETARG_MODEL_P(0);
	const cvm_family *family = cvm_model_family(model);
	cvm_row		row;

	s->question = (Question) {.model = model, .family = family, .theta = model->number};
	s->customers = PG_GETARG_INT32(1);
	s->observed = cvm_finite_argument(fcinfo, 2, "observed");
	s->spread = cvm_finite_argument(fcinfo, 4, "spread");
	s->whole = family->kind != CVM_PURCHASES || family->whole_times;
	cvm_rng_seed(&s->rng, (uint64_t) PG_GETARG_INT64(3));
	if (s->customers < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a number of customers can not be %d", s->customers)));
	if (family->kind == CVM_RETENTION && s->observed > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%g renewals are more than can be counted", s->observed)));
	row = unseen(s, s->observed);
	cvm_check_row(family, &row);
	check_spread(s);
}

/* ---------- customers ---------- */

static cvm_row
draw_customer(Simulation *s)
{
	double		less = 0;
	cvm_row		row;

	if (s->spread > 0)
		less = s->whole ? floor(cvm_rng_uniform(&s->rng) * (s->spread + 1)) : cvm_rng_uniform(&s->rng) * s->spread;
	row = unseen(s, s->observed - less);
	s->question.family->simulate(s->question.theta, &s->rng, &row);
	return row;
}

static void
refuse_customer(const Simulation *s, const cvm_row *row, int customer)
{
	if (s->question.family->kind == CVM_PURCHASES && row->x > CVM_MAX_SIMULATED)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("simulated customer %d makes more than %g purchases", customer, CVM_MAX_SIMULATED),
				 errhint("Observe the customers for a shorter time, or look for extreme parameters.")));
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("simulated customer %d is beyond what numbers can hold: %s", customer, s->question.family->check_row(row)),
			 errhint("Look for extreme values among the parameters.")));
}

static void
put_customer(const Simulation *s, const cvm_row *row, int customer, ReturnSetInfo *result)
{
	cvm_kind	kind = s->question.family->kind;
	bool		purchases = kind == CVM_PURCHASES;
	bool		spend = kind == CVM_SPEND;
	bool		retention = kind == CVM_RETENTION;
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {
		[X] = retention, [T_X] = !purchases, [AGE] = !purchases, [LOG_INTERVALS] = !purchases,
		[MEAN_SPEND] = !spend || row->x == 0, [LIFETIME] = !retention, [CHURNED] = !retention
	};

	values[CUSTOMER] = Int32GetDatum(customer);
	values[X] = Float8GetDatum(row->x);
	values[T_X] = Float8GetDatum(row->t_x);
	values[AGE] = Float8GetDatum(row->age);
	values[LOG_INTERVALS] = Float8GetDatum(row->log_intervals);
	values[MEAN_SPEND] = Float8GetDatum(row->mean_spend);
	if (retention)
	{
		values[LIFETIME] = Int32GetDatum((int32) row->lifetime);
		values[CHURNED] = BoolGetDatum(row->churned == 1);
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

PG_FUNCTION_INFO_V1(cvm_simulate);
/* The rows go to a tuplestore, which is on disk beyond work_mem. */
Datum
cvm_simulate(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Simulation	s;

	read_arguments(fcinfo, &s);
	InitMaterializedSRF(fcinfo, 0);
	for (int64 i = 1; i <= s.customers; i++)
	{
		cvm_row		row = draw_customer(&s);

		if ((s.question.family->kind == CVM_PURCHASES && row.x > CVM_MAX_SIMULATED) || s.question.family->check_row(&row))
			refuse_customer(&s, &row, (int) i);
		put_customer(&s, &row, (int) i, result);
		CHECK_FOR_INTERRUPTS();
	}
	return (Datum) 0;
}
