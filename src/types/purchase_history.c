/*
 * purchase_history.c: SQL type cvm.purchase_history, what the models need to know
 * of one customer: the builder, and the arithmetic on finished values.
 * Text and binary forms are in history_io.c, the aggregate in history_aggregate.c.
 */
#include "compat.h"

#include <math.h>

#include "common/int.h"
#include "fmgr.h"
#include "types/purchase_history.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* ---------- sorting rows by period ---------- */

#define SMALL_SORT 24

static int
compare_period(const void *a, const void *b)
{
	int32		left = ((const CvmPurchase *) a)->period;
	int32		right = ((const CvmPurchase *) b)->period;

	return (left > right) - (left < right);
}

/* Most customers have a handful of rows, often in order already. */
static void
sort_rows(CvmPurchase *rows, int n)
{
	if (n > SMALL_SORT)
	{
		for (int i = 1; i < n; i++)
			if (rows[i].period < rows[i - 1].period)
			{
				qsort(rows, n, sizeof(CvmPurchase), compare_period);
				break;
			}
		return;
	}
	for (int i = 1; i < n; i++)
	{
		CvmPurchase row = rows[i];
		int			j = i;

		for (; j > 0 && rows[j - 1].period > row.period; j--)
			rows[j] = rows[j - 1];
		rows[j] = row;
	}
}

/* ---------- building ---------- */

static void
money_overflow(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("the money of a customer exceeds what a purchase history can hold"),
			 errdetail("Sums are exact with up to 38 digits."),
			 errhint("Round amounts to fewer decimals.")));
}

static int128
rescaled(int128 mantissa, int from, int to)
{
	for (; from < to; from++)
		if (__builtin_mul_overflow(mantissa, (int128) 10, &mantissa))
			money_overflow();
	return mantissa;
}

static int128
checked_sum(int128 a, int128 b)
{
	int128		sum;

	if (__builtin_add_overflow(a, b, &sum))
		money_overflow();
	return sum;
}

static void
store_int128(uint64 word[2], int128 value)
{
	word[0] = (uint64) (uint128) value;
	word[1] = (uint64) ((uint128) value >> 64);
}

/* One period's rows. */
typedef struct PeriodSum
{
	int128		money;
	int64		orders;
	TimestampTz first_at;
	TimestampTz last_at;
} PeriodSum;

static bool
is_purchase(const CvmPurchase *row)
{
	return row->kind == CVM_BY_AMOUNT ? row->mantissa >= 0 : row->kind == CVM_PURCHASE;
}

/* Sums the rows of the period that begins at rows[i]; returns the index behind it. */
static int
sum_period(const CvmPurchase *rows, int n, int i, int scale, PeriodSum *sum)
{
	int32		period = rows[i].period;

	memset(sum, 0, sizeof(*sum));
	for (; i < n && rows[i].period == period; i++)
	{
		sum->money = checked_sum(sum->money, rescaled(rows[i].mantissa, rows[i].scale, scale));
		if (!is_purchase(&rows[i]))
			continue;
		if (sum->orders == 0 || rows[i].at < sum->first_at)
			sum->first_at = rows[i].at;
		if (sum->orders == 0 || rows[i].at > sum->last_at)
			sum->last_at = rows[i].at;
		sum->orders++;
	}
	return i;
}

/* Adds a purchase period to the history, behind all others. */
static void
add_purchase_period(PurchaseHistory *history, int32 period, const PeriodSum *sum, int128 total)
{
	if (history->repeat_periods < 0)
	{
		history->first_period = period;
		history->first_at = sum->first_at;
		store_int128(history->first_total, total);
	}
	else
		history->log_intervals += log((double) period - history->last_period);
	history->last_period = period;
	history->last_at = history->repeat_periods < 0 ? sum->last_at : Max(history->last_at, sum->last_at);
	history->first_at = Min(history->first_at, sum->first_at);
	history->orders += sum->orders;
	history->repeat_periods++;
}

void
cvm_history_build(const CvmCalendar *calendar, CvmPurchase *rows, int n,
				  PurchaseHistory *history, int *n_periods)
{
	int128		total = 0;
	int			found = 0;

	memset(history, 0, sizeof(*history));
	history->version = CVM_HISTORY_VERSION;
	history->zone_id = calendar->zone_id;
	history->period = calendar->period;
	history->repeat_periods = -1;
	for (int i = 0; i < n; i++)
		history->scale = Max(history->scale, rows[i].scale);
	sort_rows(rows, n);
	for (int i = 0; i < n;)
	{
		int32		period = rows[i].period;
		PeriodSum	sum;

		i = sum_period(rows, n, i, history->scale, &sum);
		total = checked_sum(total, sum.money);
		if (sum.orders == 0)
			continue;
		add_purchase_period(history, period, &sum, total);
		rows[found].period = period;
		rows[found++].at = sum.first_at;
	}
	store_int128(history->total, total);
	if (history->repeat_periods < 0)
		store_int128(history->first_total, total);
	if (n_periods)
		*n_periods = found;
}

/* ---------- what is derived ---------- */

/* timestamptz_to_str has one buffer for all its results */
static void
refuse_as_of(const PurchaseHistory *history, TimestampTz as_of)
{
	char	   *asked = pstrdup(timestamptz_to_str(as_of));

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("as of %s is before the last purchase at %s", asked, timestamptz_to_str(history->last_at)),
			 errhint("Leave later purchases out of the aggregate: FILTER (WHERE at <= as_of).")));
}

double
cvm_history_age(const PurchaseHistory *history, TimestampTz as_of, double unit_seconds)
{
	CvmCalendar calendar;
	int32		period;

	cvm_calendar_of_history(&calendar, history->zone_id, history->period);
	period = cvm_period_of(&calendar, as_of);
	if (period < history->last_period)
		refuse_as_of(history, as_of);
	return ((double) period - history->first_period) * history->period / unit_seconds;
}

double
cvm_history_mean_spend(const PurchaseHistory *history)
{
	int128		repeat;
	double		power = 1;		/* exact to 10^22 */

	if (history->repeat_periods <= 0)
		return NAN;
	if (__builtin_sub_overflow(cvm_history_int128(history->total), cvm_history_int128(history->first_total), &repeat))
		money_overflow();
	for (int i = 0; i < history->scale; i++)
		power *= 10;
	return (double) ((long double) repeat / power / history->repeat_periods);
}

/* ---------- merging ---------- */

static void
refuse_merge(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("these purchase histories can not be merged"),
			 errdetail("%s", detail),
			 errhint("Aggregate the purchases of both again with cvm.purchase_history(at, amount).")));
}

/* Money of both at one scale. */
static void
merge_money(const PurchaseHistory *early, const PurchaseHistory *late, PurchaseHistory *sum)
{
	int			scale = Max(early->scale, late->scale);
	int128		first = rescaled(cvm_history_int128(early->first_total), early->scale, scale);

	sum->scale = scale;
	store_int128(sum->total, checked_sum(rescaled(cvm_history_int128(early->total), early->scale, scale),
										 rescaled(cvm_history_int128(late->total), late->scale, scale)));
	if (late->repeat_periods >= 0 && early->repeat_periods >= 0 && late->first_period == early->first_period)
		first = checked_sum(first, rescaled(cvm_history_int128(late->first_total), late->scale, scale));
	if (sum->repeat_periods < 0)
		memcpy(sum->first_total, sum->total, sizeof(sum->total));
	else
		store_int128(sum->first_total, first);
}

/*
 * Adds the purchases of `late`, none of which is before the last of `early`; a
 * period that both have counts once.
 */
static void
merge_purchases(const PurchaseHistory *early, const PurchaseHistory *late, PurchaseHistory *sum)
{
	int64		gap = (int64) late->first_period - early->last_period;
	int64		repeat_periods = (int64) early->repeat_periods + late->repeat_periods + (gap > 0);

	if (repeat_periods > PG_INT32_MAX || pg_add_s64_overflow(early->orders, late->orders, &sum->orders))
		refuse_merge("Together they have more purchases than a purchase history can count.");
	sum->repeat_periods = (int32) repeat_periods;
	sum->last_period = late->last_period;
	sum->first_at = Min(early->first_at, late->first_at);
	sum->last_at = Max(early->last_at, late->last_at);
	sum->log_intervals = early->log_intervals + late->log_intervals + (gap > 0 ? log((double) gap) : 0);
}

PG_FUNCTION_INFO_V1(cvm_history_merge);
Datum
cvm_history_merge(PG_FUNCTION_ARGS)
{
	const PurchaseHistory *a = PG_GETARG_HISTORY_P(0);
	const PurchaseHistory *b = PG_GETARG_HISTORY_P(1);
	const PurchaseHistory *early = a;
	const PurchaseHistory *late = b;
	PurchaseHistory *sum = palloc(sizeof(PurchaseHistory));

	if (a->zone_id != b->zone_id || a->period != b->period)
		refuse_merge("They count different periods or use different time zones.");
	if (a->repeat_periods < 0 && b->repeat_periods >= 0)
		refuse_merge("One has money without a purchase, and whether it came before the other's first purchase is not known.");
	if (b->repeat_periods >= 0 && (b->first_period < a->first_period ||
								   (b->first_period == a->first_period && b->last_period < a->last_period)))
	{
		early = b;
		late = a;
	}
	*sum = *early;
	if (late->repeat_periods >= 0)
	{
		if (late->first_period < early->last_period)
			refuse_merge("Their purchases overlap in time, so purchases of the same period can not be told.");
		merge_purchases(early, late, sum);
	}
	else if (early->repeat_periods >= 0)
		refuse_merge("One has money without a purchase, and whether it came before the other's first purchase is not known.");
	merge_money(early, late, sum);
	PG_RETURN_POINTER(sum);
}

/* ---------- accessors ---------- */

/* Unit of an optional interval argument in seconds; one week unless given. */
static double
unit_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_NARGS() > n ? cvm_unit_seconds(PG_GETARG_INTERVAL_P(n)) : 7 * 86400.0;
}

PG_FUNCTION_INFO_V1(cvm_history_repeat_periods);
Datum
cvm_history_repeat_periods(PG_FUNCTION_ARGS)
{
	const PurchaseHistory *history = PG_GETARG_HISTORY_P(0);

	PG_RETURN_INT32(Max(history->repeat_periods, 0));
}

PG_FUNCTION_INFO_V1(cvm_history_span_sql);
Datum
cvm_history_span_sql(PG_FUNCTION_ARGS)
{
	const PurchaseHistory *history = PG_GETARG_HISTORY_P(0);

	if (history->repeat_periods < 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(cvm_history_span(history, unit_argument(fcinfo, 1)));
}

PG_FUNCTION_INFO_V1(cvm_history_age_sql);
Datum
cvm_history_age_sql(PG_FUNCTION_ARGS)
{
	const PurchaseHistory *history = PG_GETARG_HISTORY_P(0);

	if (history->repeat_periods < 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(cvm_history_age(history, PG_GETARG_TIMESTAMPTZ(1), unit_argument(fcinfo, 2)));
}

PG_FUNCTION_INFO_V1(cvm_history_orders);
Datum
cvm_history_orders(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(PG_GETARG_HISTORY_P(0)->orders);
}

PG_FUNCTION_INFO_V1(cvm_history_mean_spend_sql);
Datum
cvm_history_mean_spend_sql(PG_FUNCTION_ARGS)
{
	const PurchaseHistory *history = PG_GETARG_HISTORY_P(0);

	if (history->repeat_periods <= 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(cvm_history_mean_spend(history));
}

PG_FUNCTION_INFO_V1(cvm_history_total_spend);
Datum
cvm_history_total_spend(PG_FUNCTION_ARGS)
{
	const PurchaseHistory *history = PG_GETARG_HISTORY_P(0);

	PG_RETURN_DATUM(cvm_numeric_from_int128(cvm_history_int128(history->total), history->scale));
}

PG_FUNCTION_INFO_V1(cvm_history_first_at);
Datum
cvm_history_first_at(PG_FUNCTION_ARGS)
{
	const PurchaseHistory *history = PG_GETARG_HISTORY_P(0);

	if (history->repeat_periods < 0)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(history->first_at);
}

PG_FUNCTION_INFO_V1(cvm_history_last_at);
Datum
cvm_history_last_at(PG_FUNCTION_ARGS)
{
	const PurchaseHistory *history = PG_GETARG_HISTORY_P(0);

	if (history->repeat_periods < 0)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(history->last_at);
}

PG_FUNCTION_INFO_V1(cvm_history_log_intervals);
Datum
cvm_history_log_intervals(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(PG_GETARG_HISTORY_P(0)->log_intervals);
}

PG_FUNCTION_INFO_V1(cvm_history_period);
Datum
cvm_history_period(PG_FUNCTION_ARGS)
{
	Interval   *interval = palloc0(sizeof(Interval));
	int32		seconds = PG_GETARG_HISTORY_P(0)->period;

	interval->day = seconds / 86400;
	interval->time = (int64) (seconds % 86400) * USECS_PER_SEC;
	PG_RETURN_INTERVAL_P(interval);
}

PG_FUNCTION_INFO_V1(cvm_history_time_zone);
Datum
cvm_history_time_zone(PG_FUNCTION_ARGS)
{
	const PurchaseHistory *history = PG_GETARG_HISTORY_P(0);
	CvmCalendar calendar;

	cvm_calendar_of_history(&calendar, history->zone_id, history->period);
	PG_RETURN_TEXT_P(cstring_to_text(cvm_calendar_zone_name(&calendar)));
}
