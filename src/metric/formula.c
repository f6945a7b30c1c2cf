/*
 * formula.c: what the formulas of value, retention and equity need beside SQL's own
 * arithmetic: domains of arguments, powers that vanish without an error, and Markov
 * chains.
 */
#include "compat.h"

#include <float.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "math/linear.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define MAX_STATES 1000			/* elimination is cubic: half a second */
#define MAX_PERIODS 2147483647.0

/* ---------- arguments ---------- */

static char *
domain_text(double lowest, double highest)
{
	if (isinf(lowest) && isinf(highest))
		return "It must be a finite number.";
	if (isinf(highest))
		return psprintf("It must be at least %.15g and finite.", lowest);
	if (isinf(lowest))
		return psprintf("It must be at most %.15g and finite.", highest);
	return psprintf("It must be between %.15g and %.15g.", lowest, highest);
}

static double
check_argument(const char *name, double value, double lowest, double highest)
{
	if (!isfinite(value) || value < lowest || value > highest)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s %.15g is outside its domain", name, value),
				 errdetail("%s", domain_text(lowest, highest))));
	return value;
}

PG_FUNCTION_INFO_V1(cvm_argument);
/* (name, value, lowest, highest): the value, if it is in its domain */
Datum
cvm_argument(PG_FUNCTION_ARGS)
{
	double		value = PG_GETARG_FLOAT8(1);

	if (isfinite(value) && value >= PG_GETARG_FLOAT8(2) && value <= PG_GETARG_FLOAT8(3))
		PG_RETURN_FLOAT8(value);
	PG_RETURN_FLOAT8(check_argument(text_to_cstring(PG_GETARG_TEXT_PP(0)), value, PG_GETARG_FLOAT8(2), PG_GETARG_FLOAT8(3)));
}

/* The elements of a float8 array of any shape, row-major; NULL and what is not in the domain are errors. */
static double *
array_argument(const char *name, ArrayType *array, double lowest, double highest, int *n)
{
	double	   *values = (double *) ARR_DATA_PTR(array);

	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
	*n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	for (int i = 0; i < *n; i++)
		check_argument(name, values[i], lowest, highest);
	return values;
}

PG_FUNCTION_INFO_V1(cvm_numbers);
/* (name, values, lowest, highest): the array, if all its elements are in the domain */
Datum
cvm_numbers(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(1);
	int			n;

	array_argument(text_to_cstring(PG_GETARG_TEXT_PP(0)), array, PG_GETARG_FLOAT8(2), PG_GETARG_FLOAT8(3), &n);
	PG_RETURN_ARRAYTYPE_P(array);
}

/* ---------- powers ---------- */

static Datum
return_finite(double value)
{
	if (!isfinite(value))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("value out of range: overflow")));
	return Float8GetDatum(value);
}

PG_FUNCTION_INFO_V1(cvm_compound);
/*
 * factor^periods.  power() raises an error where the result is too small for a
 * double; here a payment so far away is worth 0.
 */
Datum
cvm_compound(PG_FUNCTION_ARGS)
{
	double		factor = check_argument("factor", PG_GETARG_FLOAT8(0), 0, INFINITY);
	double		periods = check_argument("periods", PG_GETARG_FLOAT8(1), -INFINITY, INFINITY);

	return return_finite(pow(factor, periods));
}

PG_FUNCTION_INFO_V1(cvm_response_rate);
/* (spend, ceiling, k): ceiling (1 - e^(-k spend)) (Blattberg & Deighton 1996), with all digits where little is spent */
Datum
cvm_response_rate(PG_FUNCTION_ARGS)
{
	double		spend = check_argument("spend", PG_GETARG_FLOAT8(0), 0, INFINITY);
	double		ceiling = check_argument("ceiling", PG_GETARG_FLOAT8(1), 0, 1);
	double		k = check_argument("k", PG_GETARG_FLOAT8(2), 0, INFINITY);

	PG_RETURN_FLOAT8(-ceiling * expm1(-k * spend));
}

PG_FUNCTION_INFO_V1(cvm_response_k);
/* (spend, rate, ceiling): the k of cvm_response_rate, -ln(1 - rate / ceiling) / spend */
Datum
cvm_response_k(PG_FUNCTION_ARGS)
{
	double		spend = check_argument("spend", PG_GETARG_FLOAT8(0), 0, INFINITY);
	double		ceiling = check_argument("ceiling", PG_GETARG_FLOAT8(2), 0, 1);
	double		rate = check_argument("rate", PG_GETARG_FLOAT8(1), 0, ceiling);

	if (spend == 0 || rate == ceiling)
		PG_RETURN_NULL();
	return return_finite(-log1p(-rate / ceiling) / spend);
}

/*
 * Sum of the discounted survival of a margin: r^t (1 + g)^(t - 1) / (1 + d)^t over t = 1 .. n (first margin at
 * the end of the first period) or q^t over t = 0 .. n - 1, q = r (1 + g) / (1 + d) (first margin now);
 * n infinite if there is no limit (Gupta & Lehmann 2003, 2005).
 */
static double
margin_multiple(double r, double d, double g, bool now, double n)
{
	double		q = r * (1 + g) / (1 + d);
	double		first = now ? 1 : r / (1 + d);

	if (isfinite(n))
		return first * cvm_geometric_sum(q, n);
	if (!(r * (1 + g) < 1 + d))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the margin multiple is infinite for retention_rate %.15g, discount_rate %.15g, growth_rate %.15g", r, d, g),
				 errdetail("Without a limit in time retention_rate x (1 + growth_rate) must be less than 1 + discount_rate."),
				 errhint("Give the number of periods.")));
	return (now ? 1 + d : r) / (1 + d - r * (1 + g));
}

static bool
first_margin_is_now(text *argument)
{
	char	   *first_margin = text_to_cstring(argument);

	if (strcmp(first_margin, "now") == 0)
		return true;
	if (strcmp(first_margin, "end") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("first_margin \"%s\" is neither \"now\" nor \"end\"", first_margin)));
	return false;
}

static double
periods_argument(FunctionCallInfo fcinfo, int n)
{
	if (PG_ARGISNULL(n))
		return INFINITY;
	return check_argument("periods", PG_GETARG_INT32(n), 0, INFINITY);
}

PG_FUNCTION_INFO_V1(cvm_margin_multiple);
/* (retention_rate, discount_rate, growth_rate, first_margin, periods or NULL) */
Datum
cvm_margin_multiple(PG_FUNCTION_ARGS)
{
	for (int i = 0; i < 4; i++)
		if (PG_ARGISNULL(i))
			PG_RETURN_NULL();
	return return_finite(margin_multiple(check_argument("retention_rate", PG_GETARG_FLOAT8(0), 0, 1),
										 check_argument("discount_rate", PG_GETARG_FLOAT8(1), 0, INFINITY),
										 check_argument("growth_rate", PG_GETARG_FLOAT8(2), -1, INFINITY),
										 first_margin_is_now(PG_GETARG_TEXT_PP(3)),
										 periods_argument(fcinfo, 4)));
}

PG_FUNCTION_INFO_V1(cvm_payback_periods);
/*
 * (acquisition_cost, margin, retention_rate, discount_rate): the least n with
 * sum over t = 1 .. n of margin r^(t - 1) / (1 + d)^t >= acquisition_cost, by bisection: the sum grows with n.  Sums that
 * miss the cost by no more than rounding count as paid back.
 */
Datum
cvm_payback_periods(PG_FUNCTION_ARGS)
{
	double		cost = check_argument("acquisition_cost", PG_GETARG_FLOAT8(0), 0, INFINITY);
	double		margin = check_argument("margin", PG_GETARG_FLOAT8(1), -INFINITY, INFINITY);
	double		r = check_argument("retention_rate", PG_GETARG_FLOAT8(2), 0, 1);
	double		v = 1 / (1 + check_argument("discount_rate", PG_GETARG_FLOAT8(3), 0, INFINITY));
	double		needed = cost * (1 - 1e-12);
	double		below = 0;
	double		enough = MAX_PERIODS;

	if (cost == 0)
		PG_RETURN_INT32(0);
	if (!(margin * v * cvm_geometric_sum(r * v, enough) >= needed) ||
		(r * v < 1 && margin * v / (1 - r * v) <= cost))
		PG_RETURN_NULL();
	while (enough - below > 1)
	{
		double		middle = floor((below + enough) / 2);

		if (margin * v * cvm_geometric_sum(r * v, middle) >= needed)
			enough = middle;
		else
			below = middle;
	}
	PG_RETURN_INT32((int32) enough);
}

/* ---------- Markov chains ---------- */

/*
 * Transition probabilities, row-major, n x n: from an array of n rows or of n^2
 * elements.  Rows sum to at least `least`: who is missing has left for good, with
 * nothing more to come.
 */
static double *
transition_argument(ArrayType *array, int n, double least)
{
	int			elements;
	double	   *p = array_argument("a transition probability", array, 0, 1, &elements);

	if (elements != (int64) n * n || (ARR_NDIM(array) == 2 && ARR_DIMS(array)[0] != n) || ARR_NDIM(array) > 2)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("a transition matrix of %d elements does not fit %d states", elements, n),
				 errdetail("It must have %d rows of %d elements.", n, n)));
	for (int i = 0; i < n; i++)
	{
		double		sum = 0;

		for (int k = 0; k < n; k++)
			sum += p[i * n + k];
		if (sum > 1 + 1e-9 || sum < least - 1e-9)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the transition probabilities of state %d sum to %.15g", i + 1, sum),
					 errdetail(least > 0 ? "They must sum to 1." : "They must not sum to more than 1.")));
	}
	return p;
}

/* One number a state. */
static double *
state_argument(const char *name, ArrayType *array, double lowest, double highest, int *n)
{
	double	   *values = array_argument(name, array, lowest, highest, n);

	if (*n == 0 || ARR_NDIM(array) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s must be given as an array with one element for each state", name)));
	if (*n > MAX_STATES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a chain of %d states is too large", *n),
				 errdetail("There may be at most %d.", MAX_STATES)));
	return values;
}

/* I - q P, or its transpose */
static double *
resolvent(int n, const double *p, double q, bool transposed)
{
	double	   *a = palloc(sizeof(double) * n * n);

	for (int i = 0; i < n; i++)
		for (int k = 0; k < n; k++)
			a[i * n + k] = (i == k) - q * (transposed ? p[k * n + i] : p[i * n + k]);
	return a;
}

static void
refuse_chain(int n, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the chain of %d states has no unique solution", n),
			 errhint("%s", hint)));
}

static void
solve(int n, double *a, double *b, const char *hint)
{
	if (!cvm_linear_solve(n, a, b))
		refuse_chain(n, hint);
	pfree(a);
}

/*
 * x = sum over t = 0 .. periods of (q P)^t b, or of its transpose; by Horner's
 * rule, x <- b + q P x, until it no longer changes.
 */
static double *
chain_sum_finite(int n, const double *p, double q, bool transposed, const double *b, int periods)
{
	double	   *x = palloc(sizeof(double) * n);
	double	   *next = palloc(sizeof(double) * n);

	memcpy(x, b, sizeof(double) * n);
	for (int t = 0; t < periods; t++)
	{
		double	   *keep = x;

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < n; i++)
		{
			double		sum = 0;

			for (int k = 0; k < n; k++)
				sum += (transposed ? p[k * n + i] : p[i * n + k]) * x[k];
			next[i] = b[i] + q * sum;
		}
		x = next;
		next = keep;
		if (memcmp(x, next, sizeof(double) * n) == 0)
			break;
	}
	return x;
}

/*
 * V = (I - P / (1 + d))^-1 R.  What a row lacks to 1, with the discount, is the excess that
 * makes the value finite: rows that sum to 1 but for rounding lack nothing.
 */
static double *
endless_value(int n, const double *p, double d, const double *reward)
{
	double	   *x = palloc(sizeof(double) * n);
	double	   *excess = palloc(sizeof(double) * n);
	double	   *m = palloc(sizeof(double) * n * n);

	memcpy(x, reward, sizeof(double) * n);
	for (int i = 0; i < n; i++)
	{
		double		lacks = 1;

		for (int k = 0; k < n; k++)
		{
			lacks -= p[i * n + k];
			m[i * n + k] = p[i * n + k] / (1 + d);
		}
		if (lacks < n * 4 * DBL_EPSILON)	/* sums above 1 have been refused */
			lacks = 0;
		excess[i] = (d + lacks) / (1 + d);
	}
	if (!cvm_excess_solve(n, m, excess, x))
		refuse_chain(n, "Without a limit in time a chain needs discounting, or states that are left for good.");
	return x;
}

static double *
chain_sum(int n, const double *p, double q, bool transposed, const double *b, double periods)
{
	double	   *x;

	if (isfinite(periods))
		return chain_sum_finite(n, p, q, transposed, b, (int) periods);
	x = palloc(sizeof(double) * n);
	memcpy(x, b, sizeof(double) * n);
	solve(n, resolvent(n, p, q, transposed), x,
		  "Without a limit in time a chain needs discounting, or states that are left for good.");
	return x;
}

static Datum
return_numbers(const double *values, int n)
{
	Datum	   *elements = palloc(sizeof(Datum) * n);

	for (int i = 0; i < n; i++)
		elements[i] = return_finite(values[i]);
	PG_RETURN_ARRAYTYPE_P(construct_array(elements, n, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

PG_FUNCTION_INFO_V1(cvm_markov_value);
/* (transition, reward, discount_rate, periods or NULL): V = sum of (P / (1 + d))^t R (Pfeifer & Carraway 2000) */
Datum
cvm_markov_value(PG_FUNCTION_ARGS)
{
	double	   *reward;
	double	   *p;
	double		d;
	int			n;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	reward = state_argument("a reward", PG_GETARG_ARRAYTYPE_P(1), -INFINITY, INFINITY, &n);
	p = transition_argument(PG_GETARG_ARRAYTYPE_P(0), n, 0);
	d = check_argument("discount_rate", PG_GETARG_FLOAT8(2), 0, INFINITY);
	if (PG_ARGISNULL(3))
		return return_numbers(endless_value(n, p, d, reward), n);
	return return_numbers(chain_sum(n, p, 1 / (1 + d), false, reward, periods_argument(fcinfo, 3)), n);
}

PG_FUNCTION_INFO_V1(cvm_discounted_visits);
/* (start, transition, ratio, periods or NULL): sum of ratio^t start P^t, a row vector */
Datum
cvm_discounted_visits(PG_FUNCTION_ARGS)
{
	double	   *start;
	double	   *p;
	double		ratio;
	int			n;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	start = state_argument("a starting share", PG_GETARG_ARRAYTYPE_P(0), 0, INFINITY, &n);
	p = transition_argument(PG_GETARG_ARRAYTYPE_P(1), n, 0);
	ratio = check_argument("ratio", PG_GETARG_FLOAT8(2), 0, 1);
	return return_numbers(chain_sum(n, p, ratio, true, start, periods_argument(fcinfo, 3)), n);
}

PG_FUNCTION_INFO_V1(cvm_steady_share);
/* (transition): the row vector s = s P with sum 1; one of the equations follows from the others and gives way to the sum */
Datum
cvm_steady_share(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	int			n = (int) rint(sqrt(ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array))));
	double	   *p;
	double	   *a;
	double	   *share;

	if (n == 0 || n > MAX_STATES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a chain of %d states has no steady share", n),
				 errdetail("There must be 1 to %d.", MAX_STATES)));
	p = transition_argument(array, n, 1);
	a = resolvent(n, p, 1, true);
	share = palloc0(sizeof(double) * n);
	for (int k = 0; k < n; k++)
		a[(n - 1) * n + k] = 1;
	share[n - 1] = 1;
	solve(n, a, share, "Where no brand can be reached from some other, the shares depend on the start.");
	return return_numbers(share, n);
}
