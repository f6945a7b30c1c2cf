/*
 * driver_option.c: options of cvm.drivers, a jsonb object (see driver.h).
 */
#include "metric/driver.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

static void
refuse(const char *key, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("option \"%s\" of cvm.drivers is outside its domain", key),
			 errdetail("%s", detail)));
}

static double
number_option(const char *key, const JsonbValue *value, double lowest, double highest, const char *detail)
{
	double		number = NAN;

	if (value->type == jbvNumeric)
		number = DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(value->val.numeric)));
	if (!(isfinite(number) && number >= lowest && number <= highest))
		refuse(key, detail);
	return number;
}

static int64
whole_option(const char *key, const JsonbValue *value, double lowest, double highest, const char *detail)
{
	double		number = number_option(key, value, lowest, highest, detail);

	if (number != floor(number))
		refuse(key, detail);
	return (int64) number;
}

static bool
importance_option(const char *key, const JsonbValue *value)
{
	if (value->type == jbvString && value->val.string.len == 3 && memcmp(value->val.string.val, "lmg", 3) == 0)
		return false;
	if (value->type != jbvString || value->val.string.len != 15 || memcmp(value->val.string.val, "relative-weight", 15) != 0)
		refuse(key, "It must be \"lmg\" or \"relative-weight\".");
	return true;
}

static void
set_option(DriverOptions *options, const char *key, const JsonbValue *value)
{
	const char *any = "It must be a finite number.";

	if (strcmp(key, "best") == 0)
		options->best = number_option(key, value, -INFINITY, INFINITY, any);
	else if (strcmp(key, "performance_cut") == 0)
		options->performance_cut = number_option(key, value, -INFINITY, INFINITY, any);
	else if (strcmp(key, "importance") == 0)
		options->by_weight = importance_option(key, value);
	else if (strcmp(key, "replicates") == 0)
	{
		const char *detail = psprintf("It must be 0, or a whole number from 100 to %d.", MAX_REPLICATES);

		options->replicates = (int) whole_option(key, value, 0, MAX_REPLICATES, detail);
		if (options->replicates > 0 && options->replicates < 100)
			refuse(key, detail);
	}
	else if (strcmp(key, "confidence") == 0)
		options->confidence = number_option(key, value, 0.5, 0.999, "It must be between 0.5 and 0.999.");
	else if (strcmp(key, "seed") == 0)
		options->seed = whole_option(key, value, 0, 9007199254740992.0, "It must be a whole number from 0 to 2^53.");
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cvm.drivers has no option \"%s\"", key),
				 errhint("It has best, performance_cut, importance, replicates, confidence and seed.")));
}

DriverOptions
cvm_driver_options(Jsonb *given)
{
	DriverOptions options = {.best = NAN, .performance_cut = NAN, .replicates = -1, .confidence = 0.95, .seed = 1};
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;

	if (given == NULL)
		return options;
	if (!JB_ROOT_IS_OBJECT(given))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the options of cvm.drivers must be a JSON object")));
	iterator = JsonbIteratorInit(&given->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
		if (token == WJB_KEY)
		{
			char	   *key = pnstrdup(value.val.string.val, value.val.string.len);

			(void) JsonbIteratorNext(&iterator, &value, true);
			set_option(&options, key, &value);
		}
	return options;
}
