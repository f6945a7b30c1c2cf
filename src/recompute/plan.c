/*
 * plan.c: what to recompute and how, read from the catalogue at each run, so
 * that a feed which was dropped or altered is noticed before anything is done.
 */
#include "engine.h"

#include <math.h>

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "recompute/attribute.h"
#include "recompute/owner.h"

/*
 * Runs one statement through SPI.  As an owner it is parsed under the search path
 * of owner.c, whatever a trigger or function of his has set meanwhile, so that
 * its operators are those of pg_catalog.  Another command than `expected` was run
 * if a rule has rewritten it.
 */
uint64
cvm_spi(int expected, const char *sql, int nargs, Oid *types, Datum *values, const char *nulls)
{
	int			code;

	if (InSecurityRestrictedOperation())
		cvm_reset_search_path();
	code = SPI_execute_with_args(sql, nargs, types, values, nulls, false, 0);
	if (code < 0)
		elog(ERROR, "unexpected result %s of: %s", SPI_result_code_string(code), sql);
	if (code != expected)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a statement of the recompute was rewritten by a rule"),
				 errdetail_internal("%s", sql),
				 errhint("Drop the rule on that table.")));
	return SPI_processed;
}

char *
cvm_quote(const RecomputePlan *plan, const char *relation)
{
	return quote_qualified_identifier(plan->output_schema, relation);
}

/* Oid of a type of schema cvm. */
Oid
cvm_type_oid(const char *name)
{
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(name),
									   ObjectIdGetDatum(get_namespace_oid("cvm", false)));

	if (!OidIsValid(type))
		elog(ERROR, "type cvm.%s is missing", name);
	return type;
}

/* Length of an interval in seconds; a month is 365.25 / 12 days. */
static double
interval_seconds(const Interval *span)
{
	return span->time / 1e6 + span->day * 86400.0 + span->month * (CVM_YEAR_SECONDS / 12);
}

/* One column of the plan's row. */
static Datum
column(const char *name, bool *isnull)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	int			number = SPI_fnumber(desc, name);

	if (number <= 0)
		elog(ERROR, "cvm.recompute_plan has no column \"%s\"", name);
	return SPI_getbinval(SPI_tuptable->vals[0], desc, number, isnull);
}

static char *
text_column(MemoryContext context, const char *name)
{
	bool		isnull;
	Datum		value = column(name, &isnull);

	return isnull ? NULL : MemoryContextStrdup(context, TextDatumGetCString(value));
}

/* One that must not be NULL. */
static Datum
some_column(const char *name)
{
	bool		isnull;
	Datum		value = column(name, &isnull);

	if (isnull)
		elog(ERROR, "column \"%s\" of cvm.recompute_plan is null", name);
	return value;
}

static double
float_column(const char *name)
{
	return DatumGetFloat8(some_column(name));
}

/* 0 where it is NULL */
static int64
id_column(const char *name)
{
	bool		isnull;
	Datum		value = column(name, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

/* A jsonb as text, in the context of the plan. */
static char *
jsonb_column(MemoryContext context, const char *name)
{
	return MemoryContextStrdup(context, DatumGetCString(DirectFunctionCall1(jsonb_out, some_column(name))));
}

/* An interval in time units; INFINITY where it is NULL. */
static double
units_column(const char *name, double unit_seconds)
{
	bool		isnull;
	Datum		value = column(name, &isnull);

	return isnull ? INFINITY : interval_seconds(DatumGetIntervalP(value)) / unit_seconds;
}

static const char *
kind_name(cvm_kind kind)
{
	switch (kind)
	{
		case CVM_PURCHASES:
			return "purchase";
		case CVM_SPEND:
			return "spend";
		case CVM_RETENTION:
			return "retention";
	}
	return "";
}

static const cvm_family *
family_column(const char *name, cvm_kind kind)
{
	char	   *text = text_column(CurrentMemoryContext, name);
	const cvm_family *family = text ? cvm_family_find(text) : NULL;

	if (family == NULL || family->kind != kind)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not a family of %s models", text ? text : "(null)",
						kind_name(kind)),
				 errhint("See the view cvm.families, and set the option \"families\" with cvm.alter_portfolio.")));
	return family;
}

/* What is to be read of subscriptions, if there is such a feed. */
static void
load_contracts(const RecomputePlan *plan, MemoryContext context, ContractPlan *contracts)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(plan->portfolio)};
	bool		isnull;
	Interval   *renewal;

	memset(contracts, 0, sizeof(*contracts));
	if (cvm_spi(SPI_OK_SELECT, "SELECT * FROM cvm.subscription_plan($1)", 1, types, values, NULL) == 0)
		return;
	contracts->query = text_column(context, "query");
	contracts->family = family_column("family", CVM_RETENTION);
	renewal = DatumGetIntervalP(column("renewal", &isnull));
	contracts->renewal_months = renewal->month;
	contracts->renewal_days = renewal->day;
	contracts->paid_in_purchases = DatumGetBool(column("paid_in_purchases", &isnull));
	contracts->specification = jsonb_column(context, "specification");
	contracts->source = jsonb_column(context, "source");
	contracts->pinned_model = id_column("pinned_model_id");
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Fills in the plan; portfolio, owner and as_of must be set, strings go to the
 * context of the plan itself.
 */
void
cvm_plan_load(RecomputePlan *plan)
{
	MemoryContext context = GetMemoryChunkContext(plan);
	Oid			types[2] = {TEXTOID, JSONBOID};
	Datum		values[2] = {
		CStringGetTextDatum(plan->portfolio),
		plan->specification ? cvm_jsonb(plan->specification) : (Datum) 0
	};
	bool		isnull;
	Datum		value;

	if (cvm_spi(SPI_OK_SELECT, "SELECT * FROM cvm.recompute_plan($1, $2)", 2, types, values,
				plan->specification ? "  " : " n") != 1)
		elog(ERROR, "cvm.recompute_plan returned no row for \"%s\"", plan->portfolio);

	plan->output_schema = text_column(context, "output_schema");
	plan->purchases_query = text_column(context, "purchases_query");
	plan->alias_join = text_column(context, "alias_join");
	plan->currency = text_column(context, "currency");
	plan->value_basis = text_column(context, "value_basis");
	cvm_calendar_init(&plan->calendar, TextDatumGetCString(some_column("time_zone")),
					  DatumGetIntervalP(some_column("period")));
	plan->as_of_period = cvm_period_of(&plan->calendar, plan->as_of);
	plan->unit_seconds = interval_seconds(DatumGetIntervalP(some_column("time_unit")));
	plan->rate = log1p(float_column("annual_discount_rate")) * plan->unit_seconds / CVM_YEAR_SECONDS;
	plan->horizon = units_column("horizon", plan->unit_seconds);
	plan->value_horizon = units_column("value_horizon", plan->unit_seconds);
	plan->margin = float_column("margin");
	plan->purchase_family = family_column("purchase_family", CVM_PURCHASES);
	plan->spend_family = family_column("spend_family", CVM_SPEND);
	value = column("predictive_interval", &isnull);
	plan->predictive_interval = isnull || DatumGetBool(value);
	plan->history = float_column("history_seconds");
	plan->equity_statement = DatumGetBool(some_column("equity_statement"));
	plan->specification = jsonb_column(context, "specification");
	plan->source = jsonb_column(context, "source");
	plan->drift_threshold = float_column("drift_threshold");
	plan->pinned_purchase_model = id_column("pinned_purchase_model_id");
	plan->pinned_spend_model = id_column("pinned_spend_model_id");
	SPI_freetuptable(SPI_tuptable);
	load_contracts(plan, context, &plan->contracts);
	cvm_attribute_plan_load(plan, context);
}
