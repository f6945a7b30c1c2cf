/*
 * history_io.c: text and binary forms of cvm.purchase_history, its order and hash.
 *
 * Text: (repeat_periods=2,orders=3,first_at=2024-01-01 10:00:00+00,last_at=...,
 *        first_period=1,last_period=9,total=120.50,first_total=20.00,
 *        log_intervals=2.7,period=86400,time_zone=UTC)
 * Instants are in UTC whatever the session's settings, floats shortest-exact.
 */
#include "compat.h"

#include <math.h>

#include "common/hashfn.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "types/purchase_history.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

/* ---------- what every value must be ---------- */

/* The one int128 whose negation is none, and which the text form can not have. */
#define INT128_MIN ((int128) ((uint128) 1 << 127))

static void
refuse(int sqlstate, const char *detail)
{
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("invalid value for type purchase_history"),
			 errdetail("%s", detail)));
}

static void
refuse_value(const char *detail)
{
	refuse(ERRCODE_INVALID_TEXT_REPRESENTATION, detail);
}

/*
 * The period that is stored is the one its instant lies in, but for what a
 * government has changed its zone by since: a dump must be restored all the same.
 */
static bool
near_period(const CvmCalendar *calendar, int32 period, TimestampTz at)
{
	double		apart = fabs((double) cvm_period_of(calendar, at) - period);

	return (apart - 1) * calendar->period <= 2.0 * SECS_PER_DAY;
}

/* x ln(span / x) is the most that x gaps in a span of so many periods can sum up to (by Jensen's inequality). */
static bool
possible_log_intervals(const PurchaseHistory *h)
{
	double		x = h->repeat_periods;
	double		span = (double) h->last_period - h->first_period;

	return h->log_intervals >= 0 && h->log_intervals <= (x > 0 ? x * log(span / x) * (1 + 1e-9) + 1e-9 : 0);
}

static void
check_purchases(const PurchaseHistory *h, int sqlstate)
{
	CvmCalendar calendar;

	if (!IS_VALID_TIMESTAMP(h->first_at) || !IS_VALID_TIMESTAMP(h->last_at) || h->last_at < h->first_at)
		refuse(sqlstate, "The last purchase is before the first, or one of them is out of range.");
	if ((h->repeat_periods == 0) != (h->first_period == h->last_period) ||
		(int64) h->last_period - h->first_period < h->repeat_periods)
		refuse(sqlstate, psprintf("%d repeat periods do not fit between period %d and period %d.",
								  h->repeat_periods, h->first_period, h->last_period));
	if (!possible_log_intervals(h))
		refuse(sqlstate, psprintf("log_intervals can not be %g for %d repeat periods from period %d to period %d.",
								  h->log_intervals, h->repeat_periods, h->first_period, h->last_period));
	cvm_calendar_of_history(&calendar, h->zone_id, h->period);
	if (!near_period(&calendar, h->first_period, h->first_at) || !near_period(&calendar, h->last_period, h->last_at))
		refuse(sqlstate, psprintf("The first or the last purchase is not in its period, %d or %d.",
								  h->first_period, h->last_period));
}

void
cvm_history_check(const PurchaseHistory *h, int sqlstate)
{
	if (h->version != CVM_HISTORY_VERSION)
		refuse(sqlstate, psprintf("Its version is %d; this library knows %d.", h->version, CVM_HISTORY_VERSION));
	if (h->scale > CVM_MAX_SCALE || h->flags != 0 || h->period < 1)
		refuse(sqlstate, "Its scale, flags or period are out of range.");
	if (h->repeat_periods < -1 || h->orders <= h->repeat_periods || (h->repeat_periods < 0 && h->orders != 0))
		refuse(sqlstate, psprintf("It has %d repeat periods but " INT64_FORMAT " orders.", h->repeat_periods, h->orders));
	if (cvm_history_int128(h->total) == INT128_MIN || cvm_history_int128(h->first_total) == INT128_MIN)
		refuse(sqlstate, "Its money is out of range.");
	if (h->repeat_periods >= 0)
		check_purchases(h, sqlstate);
	else if (h->first_at != 0 || h->last_at != 0 || h->first_period != 0 || h->last_period != 0 ||
			 memcmp(h->first_total, h->total, sizeof(h->total)) != 0 || h->log_intervals != 0)
		refuse(sqlstate, "It has no purchase, but times or money of purchases.");
}

/* ---------- text ---------- */

static char *
instant_text(TimestampTz at)
{
	char	   *text = palloc(MAXDATELEN + 1);
	struct pg_tm tm;
	fsec_t		fraction;

	if (timestamp2tm(at, NULL, &tm, &fraction, NULL, NULL) != 0)
		elog(ERROR, "timestamp out of range");
	tm.tm_isdst = 0;			/* print the zone */
	EncodeDateTime(&tm, fraction, true, 0, NULL, USE_ISO_DATES, text);
	return text;
}

static char *
money_text(const uint64 word[2], int scale)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, cvm_numeric_from_int128(cvm_history_int128(word), scale)));
}

PG_FUNCTION_INFO_V1(cvm_history_out);
Datum
cvm_history_out(PG_FUNCTION_ARGS)
{
	const PurchaseHistory *h = PG_GETARG_HISTORY_P(0);
	CvmCalendar calendar;
	StringInfoData text;
	char		number[DOUBLE_SHORTEST_DECIMAL_LEN];

	cvm_calendar_of_history(&calendar, h->zone_id, h->period);
	initStringInfo(&text);
	appendStringInfo(&text, "(repeat_periods=%d,orders=" INT64_FORMAT, h->repeat_periods, h->orders);
	if (h->repeat_periods >= 0)
	{
		double_to_shortest_decimal_buf(h->log_intervals, number);
		appendStringInfo(&text, ",first_at=%s,last_at=%s,first_period=%d,last_period=%d",
						 instant_text(h->first_at), instant_text(h->last_at), h->first_period, h->last_period);
		appendStringInfo(&text, ",total=%s,first_total=%s,log_intervals=%s",
						 money_text(h->total, h->scale), money_text(h->first_total, h->scale), number);
	}
	else
		appendStringInfo(&text, ",total=%s", money_text(h->total, h->scale));
	appendStringInfo(&text, ",period=%d,time_zone=%s)", h->period, cvm_calendar_zone_name(&calendar));
	PG_RETURN_CSTRING(text.data);
}

typedef enum Field
{
	F_REPEAT_PERIODS, F_ORDERS, F_FIRST_AT, F_LAST_AT, F_FIRST_PERIOD, F_LAST_PERIOD,
	F_TOTAL, F_FIRST_TOTAL, F_LOG_INTERVALS, F_PERIOD, F_TIME_ZONE, N_FIELDS
} Field;

static const char *const field_names[N_FIELDS] = {
	"repeat_periods", "orders", "first_at", "last_at", "first_period", "last_period",
	"total", "first_total", "log_intervals", "period", "time_zone"
};

/* Splits "(name=value,...)" in place. */
static void
split_fields(char *text, char *values[N_FIELDS])
{
	Size		length = strlen(text);
	char	   *item;
	char	   *rest;

	if (length < 2 || text[0] != '(' || text[length - 1] != ')')
		refuse_value("It must look like (repeat_periods=...,orders=...,...).");
	text[length - 1] = '\0';
	for (item = strtok_r(text + 1, ",", &rest); item; item = strtok_r(NULL, ",", &rest))
	{
		char	   *equals = strchr(item, '=');
		int			i;

		if (equals == NULL)
			refuse_value(psprintf("\"%s\" is not name=value.", item));
		*equals = '\0';
		for (i = 0; i < N_FIELDS && strcmp(item, field_names[i]) != 0; i++)
			;
		if (i == N_FIELDS)
			refuse_value(psprintf("It has no field \"%s\".", item));
		if (values[i])
			refuse_value(psprintf("The field \"%s\" stands twice.", item));
		values[i] = equals + 1;
	}
}

static char *
needed(char *values[N_FIELDS], Field field)
{
	if (values[field] == NULL)
		refuse_value(psprintf("The field \"%s\" is missing.", field_names[field]));
	return values[field];
}

static int32
int_field(char *values[N_FIELDS], Field field)
{
	return DatumGetInt32(DirectFunctionCall1(int4in, CStringGetDatum(needed(values, field))));
}

/* An instant with its zone +00; the session's settings play no part. */
static TimestampTz
instant_field(char *values[N_FIELDS], Field field)
{
	char	   *text = needed(values, field);
	const char *zone = strstr(text, "+00");

	if (text[0] < '0' || text[0] > '9' || zone == NULL || text + strspn(text, "0123456789-: .") != zone ||
		(strcmp(zone, "+00") != 0 && strcmp(zone, "+00 BC") != 0))
		refuse_value(psprintf("The field \"%s\" must be an ISO instant in UTC, e.g. 2024-01-31 10:00:00+00.",
							  field_names[field]));
	return DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(text),
												   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

/* Digits of a decimal with optional sign and point, at the scale it is written in. */
static int128
money_field(char *values[N_FIELDS], Field field, int *scale)
{
	const char *text = needed(values, field);
	const char *p = text + (*text == '-');
	int128		mantissa = 0;
	bool		point = false;

	*scale = 0;
	if (*p == '\0')
		refuse_value(psprintf("The field \"%s\" is empty.", field_names[field]));
	for (; *p; p++)
	{
		if (*p == '.' && !point)
		{
			point = true;
			continue;
		}
		if (*p < '0' || *p > '9' || __builtin_mul_overflow(mantissa, (int128) 10, &mantissa) ||
			__builtin_add_overflow(mantissa, (int128) (*p - '0'), &mantissa) ||
			(*scale += point) > CVM_MAX_SCALE)
			refuse_value(psprintf("The field \"%s\" is not a decimal of at most 38 digits and 18 decimals: %s",
								  field_names[field], text));
	}
	return *text == '-' ? -mantissa : mantissa;
}

static void
store_money(PurchaseHistory *h, char *values[N_FIELDS])
{
	int			scale;
	int			first_scale;
	int128		total = money_field(values, F_TOTAL, &scale);
	int128		first = total;

	if (h->repeat_periods >= 0)
	{
		first = money_field(values, F_FIRST_TOTAL, &first_scale);
		if (first_scale != scale)
			refuse_value("total and first_total must have equally many decimals.");
	}
	h->scale = scale;
	h->total[0] = (uint64) (uint128) total;
	h->total[1] = (uint64) ((uint128) total >> 64);
	h->first_total[0] = (uint64) (uint128) first;
	h->first_total[1] = (uint64) ((uint128) first >> 64);
}

PG_FUNCTION_INFO_V1(cvm_history_in);
Datum
cvm_history_in(PG_FUNCTION_ARGS)
{
	char	   *values[N_FIELDS] = {0};
	PurchaseHistory *h = palloc0(sizeof(PurchaseHistory));
	Interval	period = {0};
	CvmCalendar calendar;

	split_fields(pstrdup(PG_GETARG_CSTRING(0)), values);
	h->version = CVM_HISTORY_VERSION;
	h->repeat_periods = int_field(values, F_REPEAT_PERIODS);
	h->orders = DatumGetInt64(DirectFunctionCall1(int8in, CStringGetDatum(needed(values, F_ORDERS))));
	if (h->repeat_periods >= 0)
	{
		h->first_at = instant_field(values, F_FIRST_AT);
		h->last_at = instant_field(values, F_LAST_AT);
		h->first_period = int_field(values, F_FIRST_PERIOD);
		h->last_period = int_field(values, F_LAST_PERIOD);
		h->log_intervals = DatumGetFloat8(DirectFunctionCall1(float8in,
															  CStringGetDatum(needed(values, F_LOG_INTERVALS))));
	}
	store_money(h, values);
	period.time = (int64) int_field(values, F_PERIOD) * USECS_PER_SEC;
	cvm_calendar_init(&calendar, needed(values, F_TIME_ZONE), &period);
	h->period = calendar.period;
	h->zone_id = calendar.zone_id;
	cvm_history_check(h, ERRCODE_INVALID_TEXT_REPRESENTATION);
	PG_RETURN_POINTER(h);
}

/* ---------- binary: version, then every field in network order ---------- */

PG_FUNCTION_INFO_V1(cvm_history_send);
Datum
cvm_history_send(PG_FUNCTION_ARGS)
{
	const PurchaseHistory *h = PG_GETARG_HISTORY_P(0);
	CvmCalendar calendar;
	StringInfoData buffer;

	cvm_calendar_of_history(&calendar, h->zone_id, h->period);
	pq_begintypsend(&buffer);
	pq_sendint32(&buffer, h->version);
	pq_sendint32(&buffer, h->scale);
	pq_sendint32(&buffer, h->period);
	pq_sendint32(&buffer, h->repeat_periods);
	pq_sendint32(&buffer, h->first_period);
	pq_sendint32(&buffer, h->last_period);
	pq_sendint64(&buffer, h->first_at);
	pq_sendint64(&buffer, h->last_at);
	pq_sendint64(&buffer, h->orders);
	pq_sendint64(&buffer, h->total[1]);
	pq_sendint64(&buffer, h->total[0]);
	pq_sendint64(&buffer, h->first_total[1]);
	pq_sendint64(&buffer, h->first_total[0]);
	pq_sendfloat8(&buffer, h->log_intervals);
	pq_sendstring(&buffer, cvm_calendar_zone_name(&calendar));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

PG_FUNCTION_INFO_V1(cvm_history_recv);
Datum
cvm_history_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	PurchaseHistory *h = palloc0(sizeof(PurchaseHistory));
	uint32		version = pq_getmsgint(buffer, 4);
	uint32		scale = pq_getmsgint(buffer, 4);
	Interval	period = {0};
	CvmCalendar calendar;

	if (version != CVM_HISTORY_VERSION || scale > CVM_MAX_SCALE)
		refuse(ERRCODE_INVALID_BINARY_REPRESENTATION,
			   psprintf("Its version is %u with scale %u; this library knows version %d.",
						version, scale, CVM_HISTORY_VERSION));
	h->version = version;
	h->scale = scale;
	period.time = (int64) (int32) pq_getmsgint(buffer, 4) * USECS_PER_SEC;
	h->repeat_periods = pq_getmsgint(buffer, 4);
	h->first_period = pq_getmsgint(buffer, 4);
	h->last_period = pq_getmsgint(buffer, 4);
	h->first_at = pq_getmsgint64(buffer);
	h->last_at = pq_getmsgint64(buffer);
	h->orders = pq_getmsgint64(buffer);
	h->total[1] = pq_getmsgint64(buffer);
	h->total[0] = pq_getmsgint64(buffer);
	h->first_total[1] = pq_getmsgint64(buffer);
	h->first_total[0] = pq_getmsgint64(buffer);
	h->log_intervals = pq_getmsgfloat8(buffer);
	cvm_calendar_init(&calendar, pq_getmsgstring(buffer), &period);
	h->period = calendar.period;
	h->zone_id = calendar.zone_id;
	cvm_history_check(h, ERRCODE_INVALID_BINARY_REPRESENTATION);
	PG_RETURN_POINTER(h);
}

/* ---------- equality, order, hash: by first purchase, then bytewise ---------- */

static int
compare(const PurchaseHistory *a, const PurchaseHistory *b)
{
	int			order;

	if (a->first_at != b->first_at)
		return a->first_at < b->first_at ? -1 : 1;
	order = memcmp(a, b, sizeof(PurchaseHistory));
	return (order > 0) - (order < 0);
}

#define COMPARISON(name, test) \
PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	int			order = compare(PG_GETARG_HISTORY_P(0), PG_GETARG_HISTORY_P(1)); \
\
	PG_RETURN_BOOL(order test 0); \
}

COMPARISON(cvm_history_eq, ==)
COMPARISON(cvm_history_ne, !=)
COMPARISON(cvm_history_lt, <)
COMPARISON(cvm_history_le, <=)
COMPARISON(cvm_history_gt, >)
COMPARISON(cvm_history_ge, >=)

PG_FUNCTION_INFO_V1(cvm_history_cmp);
Datum
cvm_history_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare(PG_GETARG_HISTORY_P(0), PG_GETARG_HISTORY_P(1)));
}

PG_FUNCTION_INFO_V1(cvm_history_hash);
Datum
cvm_history_hash(PG_FUNCTION_ARGS)
{
	return hash_any((unsigned char *) PG_GETARG_HISTORY_P(0), sizeof(PurchaseHistory));
}

PG_FUNCTION_INFO_V1(cvm_history_hash_extended);
Datum
cvm_history_hash_extended(PG_FUNCTION_ARGS)
{
	return hash_any_extended((unsigned char *) PG_GETARG_HISTORY_P(0), sizeof(PurchaseHistory), PG_GETARG_INT64(1));
}
