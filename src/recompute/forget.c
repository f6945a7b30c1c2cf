/*
 * forget.c: cvm.forget(portfolio, customer): a customer's rows out of everything
 * that a portfolio has published, of every run that is kept.
 *
 * What is left is his number in `forgotten`, which the recompute leaves out, and
 * what he was worth without it in `forgotten_value`, which the next statement has
 * as erased.  As the portfolio's owner, whoever calls it: the output is the owner's,
 * with his triggers.
 */
#include "engine.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "recompute/owner.h"

/* Condition on customer_id of r, of which $1 is the text. */
static char *
is_customer(const RecomputePlan *plan)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(plan->output_schema)};
	char	   *condition = NULL;

	if (cvm_spi(SPI_OK_SELECT, "SELECT 'r.' OPERATOR(pg_catalog.||) cvm.customer_condition($1)", 1, types, values, NULL) == 1)
		condition = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	SPI_freetuptable(SPI_tuptable);
	if (condition == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("%s has no column \"customer_id\"", cvm_quote(plan, "score"))));
	return condition;
}

/* Statements of one customer, $1; each returns how many rows it has changed. */
static uint64
change(const RecomputePlan *plan, int expected, const char *sql, Datum customer)
{
	Oid			types[2] = {TEXTOID, TEXTOID};
	Datum		values[2] = {customer, CStringGetTextDatum(plan->portfolio)};

	return cvm_spi(expected, sql, 2, types, values, NULL);
}

static uint64
erase(const RecomputePlan *plan, Datum customer)
{
	char	   *is = is_customer(plan);
	char	   *score = cvm_quote(plan, "score");
	char	   *stay = cvm_quote(plan, "segment_stay");
	char	   *forgotten = cvm_quote(plan, "forgotten");
	uint64		rows;

	cvm_drop_leftovers(plan);
	/* from now on; the number is as it was published */
	change(plan, SPI_OK_INSERT,
		   psprintf("INSERT INTO %s (customer_id) SELECT r.customer_id FROM (SELECT s.customer_id FROM %s AS s UNION ALL SELECT t.customer_id FROM %s AS t) AS r"
					" WHERE %s AND NOT EXISTS (SELECT FROM %s AS r WHERE %s) LIMIT 1", forgotten, score, stay, is, forgotten, is),
		   customer);
	change(plan, SPI_OK_INSERT,
		   psprintf("INSERT INTO %s (run_id, segment, residual_value) SELECT r.run_id, r.segment, r.residual_value FROM %s AS r JOIN %s AS p ON p.run_id OPERATOR(pg_catalog.=) r.run_id"
					" WHERE %s AND r.residual_value IS NOT NULL", cvm_quote(plan, "forgotten_value"), score, cvm_quote(plan, "published"), is),
		   customer);
	rows = change(plan, SPI_OK_DELETE, psprintf("DELETE FROM %s AS r WHERE %s", score, is), customer);
	rows += change(plan, SPI_OK_DELETE, psprintf("DELETE FROM %s AS r WHERE %s", stay, is), customer);
	/* errors quote the customer whose row they are about */
	rows += change(plan, SPI_OK_DELETE,
				   "DELETE FROM cvm.run_error AS e WHERE e.portfolio OPERATOR(pg_catalog.=) $2"
				   " AND pg_catalog.concat_ws(E'\\n', e.message, e.detail, e.hint, e.context) OPERATOR(pg_catalog.~)"
				   " ('\\mcustomer ' OPERATOR(pg_catalog.||) pg_catalog.regexp_replace($1, '([^[:alnum:][:space:]])', '\\\\\\1', 'g') OPERATOR(pg_catalog.||) '($|[^[:alnum:]_])')",
				   customer);
	return rows;
}

/* Reports over the feeds with a row a customer; what is in the feeds stays in them. */
static List *
customer_reports(const RecomputePlan *plan)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(plan->portfolio)};
	uint64		n = cvm_spi(SPI_OK_SELECT,
							"SELECT r FROM cvm.reports_to_refresh($1) AS r"
							" WHERE EXISTS (SELECT FROM cvm.report_columns(r) c WHERE c.column_name OPERATOR(pg_catalog.=) 'customer')",
							1, types, values, NULL);
	List	   *views = NIL;

	for (uint64 i = 0; i < n; i++)
		views = lappend(views, SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
	SPI_freetuptable(SPI_tuptable);
	return views;
}

PG_FUNCTION_INFO_V1(cvm_forget);
/* cvm.forget(portfolio text, customer text): rows that are gone */
Datum
cvm_forget(PG_FUNCTION_ARGS)
{
	RecomputePlan *plan = palloc0(sizeof(RecomputePlan));
	Oid			user;
	int			context;
	int			level;
	uint64		rows;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", PG_ARGISNULL(0) ? "portfolio" : "customer")));
	plan->portfolio = text_to_cstring(PG_GETARG_TEXT_PP(0));
	SPI_connect();
	cvm_find_portfolio(plan);
	cvm_lock_portfolio(plan, false);
	level = cvm_enter_owner(plan, &user, &context);
	rows = erase(plan, PG_GETARG_DATUM(1));
	if (rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("portfolio \"%s\" has nothing of customer %s", plan->portfolio, text_to_cstring(PG_GETARG_TEXT_PP(1))),
				 errhint("Whom no run has found yet is left out by a row of his own: INSERT INTO %s (customer_id) VALUES (...);", cvm_quote(plan, "forgotten"))));
	CommandCounterIncrement();
	cvm_refresh_views(plan, customer_reports(plan), context);
	cvm_leave_owner(level, user, context);
	SPI_finish();
	PG_RETURN_INT64((int64) rows);
}
