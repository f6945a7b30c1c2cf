/*
 * design.c: sample size, power and smallest detectable effect of an experiment
 * (math/experiment.h).
 */
#include "metric/experiment.h"

#include <math.h>

static double
effect_argument(FunctionCallInfo fcinfo, int n)
{
	double		effect = cvm_finite_measure(fcinfo, n, "effect");

	if (effect == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an effect of 0 is never found"),
				 errhint("Give the smallest difference that would matter.")));
	return effect;
}

static void
check_rates_differ(double control, double treated)
{
	if (control == treated)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a difference of 0 between the rates is never found"),
				 errhint("Give the smallest difference that would matter.")));
}

/* alpha, power and ratio from the n-th argument on; without power where `by_power` is false */
static cvm_design
design_argument(FunctionCallInfo fcinfo, int n, bool by_power)
{
	cvm_design	design = {.alpha = cvm_open_argument(fcinfo, n, "alpha", 0, 1)};

	if (by_power)
		design.power = cvm_open_argument(fcinfo, ++n, "power", 0, 1);
	if (by_power && design.power <= 0.5 * design.alpha)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("power %.15g is outside its domain", design.power),
				 errdetail("It must be above alpha / 2, %.15g: so often a test finds an effect of this sign where there is none.", 0.5 * design.alpha)));
	design.ratio = cvm_open_argument(fcinfo, ++n, "ratio", 0, INFINITY);
	return design;
}

static Datum
return_number(FunctionCallInfo fcinfo, double value)
{
	if (isnan(value))
		PG_RETURN_NULL();
	if (isinf(value))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("value out of range: overflow")));
	PG_RETURN_FLOAT8(value);
}

PG_FUNCTION_INFO_V1(cvm_sample_size_means_sql);
/* (effect, sd, alpha, power, ratio) */
Datum
cvm_sample_size_means_sql(PG_FUNCTION_ARGS)
{
	cvm_design	design = design_argument(fcinfo, 2, true);

	return return_number(fcinfo, cvm_sample_size_means(effect_argument(fcinfo, 0), cvm_open_argument(fcinfo, 1, "sd", 0, INFINITY), &design));
}

PG_FUNCTION_INFO_V1(cvm_mde_means_sql);
/* (customers, sd, alpha, power, ratio) */
Datum
cvm_mde_means_sql(PG_FUNCTION_ARGS)
{
	cvm_design	design = design_argument(fcinfo, 2, true);

	return return_number(fcinfo, cvm_mde_means(cvm_open_argument(fcinfo, 0, "customers", 0, INFINITY), cvm_open_argument(fcinfo, 1, "sd", 0, INFINITY), &design));
}

PG_FUNCTION_INFO_V1(cvm_power_means_sql);
/* (customers, effect, sd, alpha, ratio) */
Datum
cvm_power_means_sql(PG_FUNCTION_ARGS)
{
	cvm_design	design = design_argument(fcinfo, 3, false);

	return return_number(fcinfo, cvm_power_means(cvm_open_argument(fcinfo, 0, "customers", 0, INFINITY), cvm_finite_measure(fcinfo, 1, "effect"),
												 cvm_open_argument(fcinfo, 2, "sd", 0, INFINITY), &design));
}

PG_FUNCTION_INFO_V1(cvm_sample_size_proportions_sql);
/* (control_rate, treated_rate, alpha, power, ratio, pooled) */
Datum
cvm_sample_size_proportions_sql(PG_FUNCTION_ARGS)
{
	cvm_design	design = design_argument(fcinfo, 2, true);
	double		control = cvm_open_argument(fcinfo, 0, "control_rate", 0, 1);
	double		treated = cvm_open_argument(fcinfo, 1, "treated_rate", 0, 1);

	check_rates_differ(control, treated);
	return return_number(fcinfo, cvm_sample_size_proportions(control, treated, PG_GETARG_BOOL(5), &design));
}

PG_FUNCTION_INFO_V1(cvm_mde_proportions_sql);
/* (customers, control_rate, alpha, power, ratio) */
Datum
cvm_mde_proportions_sql(PG_FUNCTION_ARGS)
{
	cvm_design	design = design_argument(fcinfo, 2, true);

	return return_number(fcinfo, cvm_mde_proportions(cvm_open_argument(fcinfo, 0, "customers", 0, INFINITY), cvm_open_argument(fcinfo, 1, "control_rate", 0, 1), &design));
}

PG_FUNCTION_INFO_V1(cvm_power_proportions_sql);
/* (customers, control_rate, treated_rate, alpha, ratio, pooled) */
Datum
cvm_power_proportions_sql(PG_FUNCTION_ARGS)
{
	cvm_design	design = design_argument(fcinfo, 3, false);

	return return_number(fcinfo, cvm_power_proportions(cvm_open_argument(fcinfo, 0, "customers", 0, INFINITY), cvm_open_argument(fcinfo, 1, "control_rate", 0, 1),
													   cvm_open_argument(fcinfo, 2, "treated_rate", 0, 1), PG_GETARG_BOOL(5), &design));
}
