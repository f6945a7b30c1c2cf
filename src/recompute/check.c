/*
 * check.c: cvm.check(portfolio): its findings are SQL (sql/check.sql), read here as
 * the portfolio's owner in a security-restricted operation, since the feed may be
 * a view with functions of anybody's.
 */
#include "engine.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"
#include "utils/rel.h"
#include "utils/typcache.h"
#include "utils/varlena.h"

#include "recompute/owner.h"

PG_FUNCTION_INFO_V1(cvm_is_hashable);
/* cvm.is_hashable(type oid) */
Datum
cvm_is_hashable(PG_FUNCTION_ARGS)
{
	TypeCacheEntry *type = lookup_type_cache(PG_GETARG_OID(0), TYPECACHE_HASH_PROC | TYPECACHE_EQ_OPR);

	PG_RETURN_BOOL(OidIsValid(type->hash_proc) && OidIsValid(type->eq_opr));
}

PG_FUNCTION_INFO_V1(cvm_edit_distance);
/* cvm.edit_distance(text, text) */
Datum
cvm_edit_distance(PG_FUNCTION_ARGS)
{
	text	   *a = PG_GETARG_TEXT_PP(0);
	text	   *b = PG_GETARG_TEXT_PP(1);

	/* untrusted: longer strings than names are an error, not a long wait */
	PG_RETURN_INT32(varstr_levenshtein(VARDATA_ANY(a), VARSIZE_ANY_EXHDR(a),
									   VARDATA_ANY(b), VARSIZE_ANY_EXHDR(b), 1, 1, 1, false));
}

PG_FUNCTION_INFO_V1(cvm_check_rule);
/* cvm.check_rule(score regclass, position integer, predicate text) */
Datum
cvm_check_rule(PG_FUNCTION_ARGS)
{
	Oid			relation = PG_GETARG_OID(0);
	Relation	score;

	if (pg_class_aclcheck(relation, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(relation));
	score = table_open(relation, AccessShareLock);
	cvm_segment_rule_check(PG_GETARG_INT32(1), text_to_cstring(PG_GETARG_TEXT_PP(2)), score);
	table_close(score, AccessShareLock);
	PG_RETURN_VOID();
}

/* The findings, as the owner, into the result. */
static void
collect_findings(const RecomputePlan *plan, ReturnSetInfo *result)
{
	Oid			save_user;
	int			save_context;
	int			level = cvm_enter_owner(plan, &save_user, &save_context);
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(plan->portfolio)};
	uint64		n = cvm_spi(SPI_OK_SELECT, "SELECT f.level, f.finding, f.hint FROM cvm.check_findings($1) f",
							1, types, values, NULL);

	for (uint64 i = 0; i < n; i++)
		tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
	cvm_leave_owner(level, save_user, save_context);
}

PG_FUNCTION_INFO_V1(cvm_check);
/* cvm.check(portfolio text) */
Datum
cvm_check(PG_FUNCTION_ARGS)
{
	RecomputePlan *plan;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("portfolio must not be null")));
	SPI_connect();
	plan = palloc0(sizeof(RecomputePlan));
	plan->portfolio = text_to_cstring(PG_GETARG_TEXT_PP(0));
	cvm_find_portfolio(plan);
	collect_findings(plan, (ReturnSetInfo *) fcinfo->resultinfo);
	SPI_finish();
	return (Datum) 0;
}
