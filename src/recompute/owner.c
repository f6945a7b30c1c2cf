/*
 * owner.c: whose portfolio it is, and acting as its owner.
 */
#include "engine.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "recompute/owner.h"

/*
 * Finds the portfolio with the caller's own rights (row security hides other
 * people's) and checks that the caller may act as its owner.
 */
void
cvm_find_portfolio(RecomputePlan *plan)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(plan->portfolio)};
	bool		isnull;
	Datum		owner;

	if (cvm_spi(SPI_OK_SELECT,
				"SELECT p.portfolio_id, n.nspowner, p.output_schema"
				" FROM cvm.portfolio p LEFT JOIN pg_catalog.pg_namespace n"
				"   ON n.nspname OPERATOR(pg_catalog.=) p.output_schema::pg_catalog.name"
				" WHERE p.portfolio OPERATOR(pg_catalog.=) $1",
				1, types, values, NULL) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("portfolio \"%s\" does not exist", plan->portfolio),
				 errhint("The view cvm.portfolios lists those you may use; cvm.create_portfolio makes one.")));
	plan->portfolio_id = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	owner = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("the output schema \"%s\" of portfolio \"%s\" does not exist",
						SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3), plan->portfolio),
				 errhint("Remove the portfolio with cvm.drop_portfolio and create it again.")));
	plan->owner = DatumGetObjectId(owner);
	plan->output_schema = MemoryContextStrdup(GetMemoryChunkContext(plan),
											  SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3));
	if (!is_member_of_role(GetUserId(), plan->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to act for portfolio \"%s\"", plan->portfolio),
				 errdetail("Only its owner \"%s\", members of that role and superusers may.",
						   GetUserNameFromId(plan->owner, false))));
	SPI_freetuptable(SPI_tuptable);
}

/* Owner of the output schema now, InvalidOid if that is gone. */
static Oid
present_owner(const RecomputePlan *plan)
{
	HeapTuple	tuple = SearchSysCache1(NAMESPACENAME, CStringGetDatum(plan->output_schema));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * Between the steps of a run, or by a function of its feed, the portfolio may be
 * dropped or given away.  NULL if it is what it was, else what to say.  With hold
 * it can not be dropped before the end of the transaction, which may leave nothing
 * behind under the name of a portfolio that is gone.
 */
const char *
cvm_portfolio_loss(const RecomputePlan *plan, const char *doing, bool hold, int *sqlstate)
{
	Oid			types[2] = {TEXTOID, INT4OID};
	Datum		values[2] = {CStringGetTextDatum(plan->portfolio), Int32GetDatum(plan->portfolio_id)};
	Oid			owner = present_owner(plan);

	if (OidIsValid(owner) && owner != plan->owner)
	{
		*sqlstate = ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
		return psprintf("portfolio \"%s\" was given to another owner while it was %s", plan->portfolio, doing);
	}
	if (OidIsValid(owner) &&
		cvm_spi(SPI_OK_SELECT,
				hold ? "SELECT FROM cvm.portfolio p WHERE p.portfolio = $1 AND p.portfolio_id = $2 FOR KEY SHARE OF p"
				: "SELECT FROM cvm.portfolio p WHERE p.portfolio = $1 AND p.portfolio_id = $2",
				2, types, values, NULL) == 1)
		return NULL;
	*sqlstate = ERRCODE_UNDEFINED_OBJECT;
	return psprintf("portfolio \"%s\" was dropped while it was %s", plan->portfolio, doing);
}

/* From now on the run's row is the new owner's, if there is one; false if the caller may not act as that one. */
bool
cvm_follow_owner(RecomputePlan *plan)
{
	Oid			owner = present_owner(plan);

	if (!OidIsValid(owner))
		return true;
	if (!is_member_of_role(GetUserId(), owner))
		return false;
	plan->owner = owner;
	return true;
}

static const char *const search_path = "pg_catalog, pg_temp";

/*
 * Settings under which a feed is read and tables are written: nothing of the
 * caller's session may change a result or what a name means.
 */
int
cvm_enter_owner(const RecomputePlan *plan, Oid *save_user, int *save_context)
{
	static const char *const settings[][2] = {
		{"TimeZone", "UTC"},
		{"DateStyle", "ISO, MDY"},
		{"IntervalStyle", "postgres"},
		{"bytea_output", "hex"},
		{"extra_float_digits", "1"},
		{"lc_monetary", "C"},
		{"jit", "off"},
		{"synchronize_seqscans", "off"},
		{"max_parallel_workers_per_gather", "0"},
		{"row_security", "on"}
	};
	int			level;

	GetUserIdAndSecContext(save_user, save_context);
	SetUserIdAndSecContext(plan->owner,
						   *save_context | SECURITY_RESTRICTED_OPERATION | SECURITY_LOCAL_USERID_CHANGE);
	level = NewGUCNestLevel();
	cvm_reset_search_path();
	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i][0], settings[i][1],
								 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return level;
}

void
cvm_reset_search_path(void)
{
	if (strcmp(namespace_search_path, search_path) != 0)
		(void) set_config_option("search_path", search_path,
								 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void
cvm_leave_owner(int level, Oid save_user, int save_context)
{
	AtEOXact_GUC(false, level);
	SetUserIdAndSecContext(save_user, save_context);
}
