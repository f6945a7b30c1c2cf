/*
 * registry.c: the models of a portfolio as rows of cvm.fitted_model, and which of
 * them the scores come from.
 *
 * Three ways lead to the pair of models a run scores with.  A pinned pair
 * (cvm.promote, cvm.rollback) is used as it is.  Else the live specification is
 * fitted on what is there now, and the fit goes live, unless it fails one of two
 * checks against the live model of the same specification and feed:
 *
 *	  convergence  it fell to a lower rung than the live one, or its gradient is
 *				   not 0 at what should be a maximum
 *	  drift		   an input's distribution has changed by more than the option
 *				   drift_threshold (and more than chance explains) in so short a
 *				   time that it can not have been growing older: a feed half
 *				   loaded, or in another currency.  Short is 10 % of the mean age
 *				   for the numbers of purchases and the mean spend, 1 % for spans
 *				   and ages, of which a month can shift every decile
 *
 * Then the scores come from the live pair, and the rejected one stays in the
 * registry with the reason, to be promoted by hand.  Another specification (by
 * options, or promoted by cvm.validate) and the first model are not checked:
 * there is nothing to hold them against.
 */
#include "engine.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "models/cells.h"
#include "models/shrunk.h"
#include "recompute/customer_model.h"
#include "row.h"
#include "worker/shared.h"

#define GRADIENT_LIMIT 1e-3		/* per customer, in log parameters: a maximum has 1e-8 */

/* The model that scores come from until this run publishes. */
typedef struct LiveModel
{
	int64		purchase_model_id;	/* 0: none */
	int64		spend_model_id;
	bool		comparable;		/* same specification and feed */
	bool		full;			/* rung of the pair */
	TimestampTz as_of;
	double		purchases;		/* repeat purchases it has seen */
} LiveModel;

Datum
cvm_jsonb(const char *text)
{
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(text));
}

char *
cvm_fingerprint_text(const cvm_table *table)
{
	uint64_t	fingerprint[2];

	cvm_table_fingerprint(table, fingerprint);
	return psprintf("%016llx%016llx", (unsigned long long) fingerprint[0], (unsigned long long) fingerprint[1]);
}

/* ---------- rows of the registry ---------- */

int64
cvm_record_model(const RecomputePlan *plan, int64 run_id, const char *role, const cvm_table *table,
				 const cvm_fit_result *fit, int64 partner_id, const char *specification, const char *source)
{
	CvmModel   *model = cvm_model_from_fit(fit, plan->unit_seconds);
	Oid			types[15] = {TEXTOID, INT8OID, TEXTOID, TEXTOID, cvm_type_oid("model"), TIMESTAMPTZOID,
		TEXTOID, FLOAT8OID, INT4OID, FLOAT8OID, JSONBOID, JSONBOID, TEXTOID, FLOAT8OID, INT8OID};
	char		nulls[16] = "               ";
	Datum		values[15] = {
		CStringGetTextDatum(plan->portfolio), Int64GetDatum(run_id), CStringGetTextDatum(role),
		CStringGetTextDatum(fit->family->name), PointerGetDatum(model), TimestampTzGetDatum(plan->as_of),
		CStringGetTextDatum(cvm_rung_names[fit->rung]), Float8GetDatum(fit->gradient_norm),
		Int32GetDatum(fit->iterations), Float8GetDatum(fit->condition),
		cvm_jsonb(specification), cvm_jsonb(source),
		CStringGetTextDatum(cvm_fingerprint_text(table)), Float8GetDatum(cvm_table_cells(table)->purchases),
		Int64GetDatum(partner_id)
	};
	bool		isnull;
	int64		model_id;

	nulls[7] = isnan(fit->gradient_norm) ? 'n' : ' ';
	nulls[9] = isnan(fit->condition) ? 'n' : ' ';
	nulls[14] = partner_id > 0 ? ' ' : 'n';
	cvm_spi(SPI_OK_INSERT_RETURNING,
			"INSERT INTO cvm.fitted_model (portfolio, run_id, role, family, model, as_of, fitted_at,"
			" rung, gradient_norm, iterations, condition, specification, source, fingerprint, purchases, partner_id,"
			" extension_version, validated)"
			" SELECT $1, $2, $3, $4, $5, $6, pg_catalog.clock_timestamp(), $7, $8, $9, $10, $11, $12, $13, $14, $15,"
			" e.extversion, cvm.is_validated($1, $11) FROM pg_catalog.pg_extension e WHERE e.extname = 'cvm'"
			" RETURNING model_id",
			15, types, values, nulls);
	model_id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return model_id;
}

static void
record_pair(const RecomputePlan *plan, int64 run_id, const cvm_table *purchases, const cvm_table *spend, FittedPair *fit)
{
	Oid			types[2] = {INT8OID, INT8OID};
	Datum		values[2];

	fit->purchase_model_id = cvm_record_model(plan, run_id, "purchases", purchases, &fit->purchases, 0,
											  plan->specification, plan->source);
	fit->spend_model_id = cvm_record_model(plan, run_id, "spend", spend, &fit->spend, fit->purchase_model_id,
										   plan->specification, plan->source);
	values[0] = Int64GetDatum(fit->purchase_model_id);
	values[1] = Int64GetDatum(fit->spend_model_id);
	cvm_spi(SPI_OK_UPDATE, "UPDATE cvm.fitted_model SET partner_id = $2 WHERE model_id = $1", 2, types, values, NULL);
	if (fit->covariates)
		cvm_covariates_record(plan, fit->purchase_model_id, fit->covariates);
	cvm_record_inputs(plan, fit->purchase_model_id, purchases, spend);
}

static void
find_live(const RecomputePlan *plan, LiveModel *live)
{
	Oid			types[3] = {TEXTOID, JSONBOID, JSONBOID};
	Datum		values[3] = {
		CStringGetTextDatum(plan->portfolio), cvm_jsonb(plan->specification), cvm_jsonb(plan->source)
	};
	HeapTuple	row;
	TupleDesc	desc;
	bool		isnull;

	memset(live, 0, sizeof(*live));
	if (cvm_spi(SPI_OK_SELECT,
				"SELECT p.model_id, s.model_id, p.specification = $2 AND p.source = $3,"
				" p.rung = 'full' AND s.rung = 'full', p.as_of, p.purchases"
				" FROM cvm.fitted_model p JOIN cvm.fitted_model s ON s.model_id = p.partner_id"
				" WHERE p.portfolio = $1 AND p.role = 'purchases' AND p.status = 'live' ORDER BY p.model_id DESC LIMIT 1",
				3, types, values, NULL) == 0)
		return;
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	live->purchase_model_id = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
	live->spend_model_id = DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull));
	live->comparable = DatumGetBool(SPI_getbinval(row, desc, 3, &isnull));
	live->full = DatumGetBool(SPI_getbinval(row, desc, 4, &isnull));
	live->as_of = DatumGetTimestampTz(SPI_getbinval(row, desc, 5, &isnull));
	live->purchases = DatumGetFloat8(SPI_getbinval(row, desc, 6, &isnull));
	SPI_freetuptable(SPI_tuptable);
}

void
cvm_load_model(const RecomputePlan *plan, int64 model_id, const cvm_family *family, cvm_fit_result *fit)
{
	Oid			types[2] = {INT8OID, TEXTOID};
	Datum		values[2] = {Int64GetDatum(model_id), CStringGetTextDatum(plan->portfolio)};
	bool		isnull;
	CvmModel   *model;

	if (cvm_spi(SPI_OK_SELECT, "SELECT model FROM cvm.fitted_model WHERE model_id = $1 AND portfolio = $2",
				2, types, values, NULL) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("model " INT64_FORMAT " is no model of portfolio \"%s\"", model_id, plan->portfolio),
				 errhint("cvm.unpin lets refits go live again, cvm.promote pins another model; cvm.models lists them.")));
	model = (CvmModel *) PG_DETOAST_DATUM(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	if (cvm_model_family(model) != family &&
		(model->rung != CVM_RUNG_SHRUNK || cvm_model_family(model)->kind != family->kind))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model " INT64_FORMAT " is of family %s, its specification says %s", model_id,
						cvm_model_family(model)->name, family->name)));
	cvm_fit_of_model(model, fit);
	SPI_freetuptable(SPI_tuptable);
}

bool
cvm_load_any_model(const RecomputePlan *plan, int64 model_id, cvm_kind kind, cvm_fit_result *fit)
{
	Oid			types[2] = {INT8OID, TEXTOID};
	Datum		values[2] = {Int64GetDatum(model_id), CStringGetTextDatum(plan->portfolio)};
	bool		isnull;
	CvmModel   *model;
	bool		found = false;

	if (cvm_spi(SPI_OK_SELECT, "SELECT model FROM cvm.fitted_model WHERE model_id = $1 AND portfolio = $2",
				2, types, values, NULL) == 1)
	{
		model = (CvmModel *) PG_DETOAST_DATUM(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
		found = cvm_model_family(model)->kind == kind;
		if (found)
			cvm_fit_of_model(model, fit);
	}
	SPI_freetuptable(SPI_tuptable);
	return found;
}

static void
load_pair(const RecomputePlan *plan, int64 purchase_model_id, int64 spend_model_id, FittedPair *fit)
{
	cvm_load_model(plan, purchase_model_id, plan->purchase_family, &fit->purchases);
	cvm_load_model(plan, spend_model_id, plan->spend_family, &fit->spend);
	fit->purchase_model_id = purchase_model_id;
	fit->spend_model_id = spend_model_id;
	fit->covariates = cvm_covariates_load(plan, purchase_model_id, GetMemoryChunkContext(unconstify(RecomputePlan *, plan)));
	fit->lacks_covariates = false;
}

/* ---------- does the data fit the family ---------- */

const char *
cvm_first_misfit(const cvm_family *family, const cvm_table *table, cvm_row *at)
{
	for (size_t i = 0; i < cvm_table_rows(table); i++)
	{
		const char *wrong;

		*at = cvm_table_row(table, i);
		wrong = family->check_row(at);
		if (wrong)
			return wrong;
	}
	return NULL;
}

/* The pinned model was chosen by somebody: what speaks against it is an error, not a fallback. */
void
cvm_check_pinned(const RecomputePlan *plan, const cvm_table *table, const cvm_fit_result *fit, int64 model_id)
{
	const cvm_family *family = fit->family;
	cvm_row		at;
	const char *wrong = cvm_first_misfit(family, table, &at);
	double		loglik = 0;

	if (wrong == NULL)
	{
		cvm_status	status = cvm_total_loglik(family, table, fit->theta, &loglik);

		CHECK_FOR_INTERRUPTS();
		if (status != CVM_OK || !isfinite(loglik))
			wrong = "their likelihood is not finite at its parameters";
	}
	if (wrong)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the customers of portfolio \"%s\" do not fit the pinned model " INT64_FORMAT " (%s): %s",
						plan->portfolio, model_id, family->name, wrong),
				 errhint("cvm.unpin lets refits go live again, cvm.promote pins another model; the last published result stays as it is.")));
}

static void
check_domain(const cvm_family *family, const cvm_table *table)
{
	cvm_row		at;

	if (cvm_first_misfit(family, table, &at))
		cvm_check_row(family, &at);
}

/* ---------- the gate of refits ---------- */

/* Drift in too short a time for customers to have grown older to speak of. */
static bool
is_sudden(const RecomputePlan *plan, const LiveModel *live, const cvm_table *purchases, int drifted)
{
	double		units = fabs((double) (plan->as_of - live->as_of)) / 1e6 / plan->unit_seconds;
	double		mean_age = cvm_table_cells(purchases)->mean_age;

	return ((drifted & CVM_DRIFT_STEADY) && units <= CVM_SUDDEN * mean_age) ||
		((drifted & CVM_DRIFT_AGEING) && units <= CVM_SUDDEN_AGEING * mean_age);
}

/* What was climbed ended where the gradient is not 0; an estimate (NaN) was not climbed. */
static double
worst_gradient(const FittedPair *fit)
{
	double		purchases = isnan(fit->purchases.gradient_norm) ? 0 : fit->purchases.gradient_norm;
	double		spend = isnan(fit->spend.gradient_norm) ? 0 : fit->spend.gradient_norm;

	return Max(Max(purchases, spend), fit->covariates ? cvm_covariates_gradient(fit->covariates) : 0);
}

/* Why a refit may not go live; NULL if it may. */
static const char *
objection(const RecomputePlan *plan, const LiveModel *live, const FittedPair *fit, const cvm_table *purchases, int drifted)
{
	cvm_rung	rung = Max(Max(fit->purchases.rung, fit->spend.rung), fit->covariates ? cvm_covariates_rung(fit->covariates) : CVM_RUNG_FULL);
	double		gradient = worst_gradient(fit);

	if (rung != CVM_RUNG_FULL && live->full)
		return psprintf("convergence: the fit ended on the rung %s, that of the live model is full", cvm_rung_names[rung]);
	if (!(gradient <= GRADIENT_LIMIT))
		return psprintf("convergence: the gradient is %.3g per customer at the end of the fit", gradient);
	if (is_sudden(plan, live, purchases, drifted))
		return "drift: the inputs have changed suddenly since the live model was fitted, see cvm.drift";
	return NULL;
}

void
cvm_reject_model(int64 model_id, const char *reason)
{
	Oid			types[2] = {INT8OID, TEXTOID};
	Datum		values[2] = {Int64GetDatum(model_id), CStringGetTextDatum(reason)};

	cvm_spi(SPI_OK_UPDATE, "UPDATE cvm.fitted_model SET status = 'rejected', reason = $2 WHERE model_id = $1",
			2, types, values, NULL);
}

static void
reject_pair(const RecomputePlan *plan, const FittedPair *fit, const LiveModel *live, const char *reason)
{
	cvm_reject_model(fit->purchase_model_id, reason);
	cvm_reject_model(fit->spend_model_id, reason);
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("the refit of portfolio \"%s\", model " INT64_FORMAT ", does not go live", plan->portfolio,
					fit->purchase_model_id),
			 errdetail("%s; scores come from model " INT64_FORMAT ".", reason, live->purchase_model_id),
			 errhint("If the data is right, SELECT cvm.promote(" INT64_FORMAT "), recompute, and cvm.unpin.",
					 fit->purchase_model_id)));
}

/* ---------- the step ---------- */

static int
measure_drift(const RecomputePlan *plan, int64 run_id, const LiveModel *live,
			  const cvm_table *purchases, const cvm_table *spend)
{
	FittedPair	fitted;

	if (!live->comparable)
		return 0;
	load_pair(plan, live->purchase_model_id, live->spend_model_id, &fitted);
	return cvm_measure_drift(plan, run_id, live->purchase_model_id, &fitted.purchases,
							 live->as_of, live->purchases, purchases, spend);
}

/* Where nobody came back, or no repeat buyer has money, the estimates of the last rung are left. */
static void
fit_purchases(const RecomputePlan *plan, const cvm_table *purchases, const cvm_env *env, cvm_fit_result *fit)
{
	if (cvm_table_cells(purchases)->purchases > 0)
		cvm_fit_or_error(plan->purchase_family, purchases, env, fit);
	else
	{
		cvm_status	status = cvm_shrunk_purchases(purchases, fit);

		CHECK_FOR_INTERRUPTS();
		if (status != CVM_OK)
			elog(ERROR, "no rate could be estimated: status %d", (int) status);
	}
}

static void
fit_covariates(const RecomputePlan *plan, const Population *population, FittedPair *fit)
{
	const char *failure;

	fit->covariates = cvm_covariates_fit(plan, population, GetMemoryChunkContext(unconstify(RecomputePlan *, plan)), false, &failure);
	fit->lacks_covariates = fit->covariates == NULL;
	if (failure)
		ereport(WARNING,
				(errmsg("portfolio \"%s\" is scored without covariates", plan->portfolio),
				 errdetail("%s.", failure),
				 errhint("See cvm.check, or set the option covariates to null.")));
}

static void
fit_and_judge(const RecomputePlan *plan, int64 run_id, const Population *population, const LiveModel *live, const cvm_table *purchases,
			  const cvm_table *spend, const cvm_env *env, FittedPair *fit)
{
	const char *reason;
	int			drifted;

	check_domain(plan->purchase_family, purchases);
	check_domain(plan->spend_family, spend);
	cvm_progress(run_id, "fit", 1, 3);
	fit_purchases(plan, purchases, env, &fit->purchases);
	cvm_progress(run_id, "fit", 2, 3);
	if (cvm_table_customers(spend) > 0)
		cvm_fit_or_error(plan->spend_family, spend, env, &fit->spend);
	else
		fit->spend = fit->shrunk_spend;
	if (plan->attributes.query)
		fit_covariates(plan, population, fit);
	record_pair(plan, run_id, purchases, spend, fit);
	drifted = measure_drift(plan, run_id, live, purchases, spend);
	if (!live->comparable)
		return;
	reason = objection(plan, live, fit, purchases, drifted);
	if (reason == NULL)
		return;
	reject_pair(plan, fit, live, reason);
	fit->rejected = reason;
	load_pair(plan, live->purchase_model_id, live->spend_model_id, fit);
}

void
cvm_choose_models(const RecomputePlan *plan, int64 run_id, const Population *population, const cvm_table *purchases,
				  const cvm_table *spend, const cvm_env *env, FittedPair *fit)
{
	LiveModel	live;

	find_live(plan, &live);
	if (plan->pinned_purchase_model == 0)
	{
		fit_and_judge(plan, run_id, population, &live, purchases, spend, env, fit);
		return;
	}
	load_pair(plan, plan->pinned_purchase_model, plan->pinned_spend_model, fit);
	cvm_check_pinned(plan, purchases, &fit->purchases, fit->purchase_model_id);
	cvm_check_pinned(plan, spend, &fit->spend, fit->spend_model_id);
	(void) measure_drift(plan, run_id, &live, purchases, spend);
}

void
cvm_mark_live(const RecomputePlan *plan, const FittedPair *fit)
{
	Oid			types[4] = {TEXTOID, INT8OID, INT8OID, INT8OID};
	Datum		values[4] = {
		CStringGetTextDatum(plan->portfolio), Int64GetDatum(fit->purchase_model_id), Int64GetDatum(fit->spend_model_id),
		Int64GetDatum(fit->retention_model_id)
	};

	cvm_spi(SPI_OK_UPDATE,
			"UPDATE cvm.fitted_model AS m SET status = 'retired', retired_at = pg_catalog.clock_timestamp(),"
			" reason = coalesce(pg_catalog.format('model %s took its place', nullif(n.model_id, 0)), 'there is nothing to fit on any more')"
			" FROM (VALUES ('purchases', $2), ('spend', $3), ('retention', $4)) AS n(role, model_id)"
			" WHERE m.portfolio = $1 AND m.status = 'live' AND n.role = m.role AND m.model_id <> n.model_id",
			4, types, values, NULL);
	cvm_spi(SPI_OK_UPDATE,
			"UPDATE cvm.fitted_model AS m SET status = 'live', retired_at = NULL,"
			" live_since = coalesce(m.live_since, pg_catalog.clock_timestamp()),"
			" reason = CASE WHEN EXISTS (SELECT FROM cvm.promotion p WHERE p.portfolio = $1"
			"                            AND m.model_id IN (p.purchase_model_id, p.spend_model_id, p.retention_model_id)) THEN 'pinned'"
			"               WHEN NOT EXISTS (SELECT FROM cvm.fitted_model o WHERE o.portfolio = $1 AND o.role = m.role"
			"                                AND o.live_since IS NOT NULL) THEN 'the first model'"
			"               ELSE 'fitted on newer data' END"
			" WHERE m.portfolio = $1 AND m.model_id IN ($2, $3, $4) AND m.status <> 'live'",
			4, types, values, NULL);
}
