/*
 * allocate.c: a budget over segments or actions (math/allocate.h).
 */
#include "compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "math/allocate.h"
#include "utils/array.h"
#include "utils/builtins.h"

enum
{
	BUDGET, ACTIONS, SCALES, KS, FLOORS, CAPS, RESPONSES
};

#define RESULT_COLUMNS 6

/* An array argument as long as the list of actions; without one of them all are null. */
typedef struct ActionList
{
	const char *name;
	Datum	   *values;
	bool	   *nulls;
} ActionList;

static const char *const response_name[] = {
	[CVM_RESPONSE_EXPONENTIAL] = "exponential",
	[CVM_RESPONSE_LOG] = "log",
	[CVM_RESPONSE_POWER] = "power",
};

static ActionList
list_argument(FunctionCallInfo fcinfo, int argument, const char *name, Oid type, int *n)
{
	ActionList		list = {.name = name};
	int			length;

	if (PG_ARGISNULL(argument))
	{
		list.values = palloc0(sizeof(Datum) * Max(*n, 1));
		list.nulls = palloc(Max(*n, 1));
		memset(list.nulls, true, *n);
		return list;
	}
	if (type == TEXTOID)
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(argument), type, -1, false, TYPALIGN_INT, &list.values, &list.nulls, &length);
	else
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(argument), type, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
						  &list.values, &list.nulls, &length);
	if (argument == ACTIONS)
		*n = length;
	else if (length != *n)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("there are %d actions and %d of %s", *n, length, name),
				 errhint("Give one element per action, in their order.")));
	return list;
}

static double
number_of(const ActionList *list, int i, double if_null)
{
	if (!list->nulls[i])
		return DatumGetFloat8(list->values[i]);
	if (isnan(if_null))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the element %d of %s is null", i + 1, list->name)));
	return if_null;
}

static cvm_response
response_of(const ActionList *list, int i)
{
	const char *name;

	if (list->nulls[i])
		return CVM_RESPONSE_EXPONENTIAL;
	name = TextDatumGetCString(list->values[i]);
	for (int response = 0; response < lengthof(response_name); response++)
		if (strcmp(name, response_name[response]) == 0)
			return response;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown response \"%s\"", name),
			 errhint("Known responses: exponential, log, power.")));
}

static void
check_action(const cvm_action *action, const char *name)
{
	if (!(action->scale >= 0 && isfinite(action->scale)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the scale %.15g of action \"%s\" is not a finite number of at least 0", action->scale, name)));
	if (action->response == CVM_RESPONSE_POWER ? !(action->k > 0 && action->k < 1) : !(action->k >= 0 && isfinite(action->k)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("k %.15g of action \"%s\" is outside its domain", action->k, name),
				 action->response == CVM_RESPONSE_POWER ? errdetail("The exponent of a power must be above 0 and below 1: from 1 on its returns do not diminish.")
				 : errdetail("It must be finite and at least 0.")));
	if (!(action->floor >= 0 && isfinite(action->floor) && action->cap >= action->floor))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("floor %.15g and cap %.15g of action \"%s\" are outside their domain", action->floor, action->cap, name),
				 errdetail("0 <= floor <= cap.")));
}

static void
check_budget(const cvm_action *actions, int n, double budget)
{
	double		floors = 0;

	for (int i = 0; i < n; i++)
		floors += actions[i].floor;
	if (!(budget >= 0 && isfinite(budget)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a budget of %.15g is not a finite number of at least 0", budget)));
	if (floors > budget * (1 + 1e-12))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a budget of %.15g does not cover the floors, which add up to %.15g", budget, floors),
				 errhint("Raise the budget, or lower the floors.")));
}

static void
put_action(ReturnSetInfo *result, Datum name, bool is_null, const cvm_action *action, double price)
{
	Datum		values[RESULT_COLUMNS] = {
		name,
		Float8GetDatum(action->spend),
		Float8GetDatum(cvm_action_gain(action, action->spend)),
		Float8GetDatum(cvm_action_marginal(action, action->spend)),
		(Datum) 0,
		Float8GetDatum(price)
	};
	bool		nulls[RESULT_COLUMNS] = {is_null, false, false, false, false, false};

	if (action->spend <= action->floor)
		values[4] = CStringGetTextDatum("floor");
	else if (action->spend >= action->cap)
		values[4] = CStringGetTextDatum("cap");
	else
		nulls[4] = true;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

PG_FUNCTION_INFO_V1(cvm_allocate_sql);
/* (budget, actions, scales, ks, floors, caps, responses) */
Datum
cvm_allocate_sql(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int			n = 0;
	ActionList		names,
				scales,
				ks,
				floors,
				caps,
				responses;
	cvm_action *actions;
	double		price;

	if (PG_ARGISNULL(BUDGET) || PG_ARGISNULL(ACTIONS) || PG_ARGISNULL(SCALES) || PG_ARGISNULL(KS))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("budget, actions, scales and ks must not be null")));
	names = list_argument(fcinfo, ACTIONS, "actions", TEXTOID, &n);
	scales = list_argument(fcinfo, SCALES, "scales", FLOAT8OID, &n);
	ks = list_argument(fcinfo, KS, "ks", FLOAT8OID, &n);
	floors = list_argument(fcinfo, FLOORS, "floors", FLOAT8OID, &n);
	caps = list_argument(fcinfo, CAPS, "caps", FLOAT8OID, &n);
	responses = list_argument(fcinfo, RESPONSES, "responses", TEXTOID, &n);
	actions = palloc0(sizeof(cvm_action) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		actions[i] = (cvm_action) {
			.response = response_of(&responses, i),
			.scale = number_of(&scales, i, NAN),
			.k = number_of(&ks, i, NAN),
			.floor = number_of(&floors, i, 0),
			.cap = number_of(&caps, i, INFINITY),
		};
		check_action(&actions[i], names.nulls[i] ? "" : TextDatumGetCString(names.values[i]));
	}
	check_budget(actions, n, PG_GETARG_FLOAT8(BUDGET));
	price = cvm_allocate_budget(actions, n, PG_GETARG_FLOAT8(BUDGET));
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
		put_action(result, names.values[i], names.nulls[i], &actions[i], price);
	return (Datum) 0;
}
