/*
 * calendar.c: instants into periods of a time zone, fast.
 *
 * A zone's offset is constant between its transitions, and a feed knows few of
 * those: the offset of an instant is remembered for the stretch around it.
 */
#include "compat.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "types/purchase_history.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Monday 2000-01-03, from which periods are counted, in microseconds from 2000-01-01. */
#define ORIGIN (2 * USECS_PER_DAY)
#define UNIX_OFFSET ((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)
#define MAX_STRETCHES 16

/* Offset of local time in [from, until), instants in microseconds. */
typedef struct Stretch
{
	int64		from;
	int64		until;
	int64		offset;
} Stretch;

typedef struct Zone
{
	uint32		id;				/* hash key */
	pg_tz	   *zone;
	int			n;
	int			next;			/* to be replaced */
	Stretch		stretch[MAX_STRETCHES];
} Zone;

static HTAB *zones = NULL;		/* by id; all that pg_tzenumerate knows, once a zone but UTC is used */
static bool zones_complete = false;
static Zone *last_zone = NULL;

/* FNV-1a of the lower-cased name (Fowler, Noll & Vo): what histories store. */
static uint32
zone_id(const char *name)
{
	uint32		hash = 2166136261U;

	for (; *name; name++)
		hash = (hash ^ (uint8) pg_ascii_tolower((unsigned char) *name)) * 16777619U;
	return hash;
}

static Zone *
remember_zone(pg_tz *tz)
{
	uint32		id = zone_id(pg_get_timezone_name(tz));
	bool		found;
	Zone	   *zone;

	if (zones == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(uint32),.entrysize = sizeof(Zone),.hcxt = TopMemoryContext};

		zones = hash_create("cvm time zones", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	zone = hash_search(zones, &id, HASH_ENTER, &found);
	if (!found)
	{
		zone->zone = tz;
		zone->n = zone->next = 0;
	}
	return zone;
}

/* All zones of the server's database, so that an id finds its name. */
static void
enumerate_zones(void)
{
	pg_tzenum  *all = pg_tzenumerate_start();
	pg_tz	   *tz;

	while ((tz = pg_tzenumerate_next(all)) != NULL)
	{
		pg_tz	   *kept = pg_tz_acceptable(tz) ? pg_tzset(pg_get_timezone_name(tz)) : NULL;

		if (kept)
			(void) remember_zone(kept);
	}
	pg_tzenumerate_end(all);
	zones_complete = true;
}

static Zone *
find_zone(uint32 id)
{
	Zone	   *zone = zones ? hash_search(zones, &id, HASH_FIND, NULL) : NULL;

	if (zone == NULL && !zones_complete)
	{
		(void) remember_zone(pg_tzset("UTC"));
		zone = hash_search(zones, &id, HASH_FIND, NULL);
		if (zone == NULL)
		{
			enumerate_zones();
			zone = hash_search(zones, &id, HASH_FIND, NULL);
		}
	}
	return zone;
}

static char *
interval_text(const Interval *interval)
{
	return DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(interval)));
}

/* The period of an interval in seconds. */
static int32
period_seconds(const Interval *period)
{
	int64		us;

	if (period->month != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("period \"%s\" contains months or years", interval_text(period)),
				 errhint("Months differ in length; use days, e.g. interval '30 days'.")));
	if (pg_mul_s64_overflow(period->day, USECS_PER_DAY, &us) ||
		pg_add_s64_overflow(us, period->time, &us) ||
		us < USECS_PER_SEC || us % USECS_PER_SEC != 0 || us / USECS_PER_SEC > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("period \"%s\" is not a whole positive number of seconds, at most 68 years", interval_text(period)),
				 errhint("Usual periods are interval '1 day' and interval '7 days'.")));
	return (int32) (us / USECS_PER_SEC);
}

double
cvm_unit_seconds(const Interval *unit)
{
	double		seconds = unit->time / 1e6 + unit->day * 86400.0;

	if (unit->month != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time unit \"%s\" contains months or years", interval_text(unit)),
				 errhint("Months differ in length; use days, e.g. interval '7 days'.")));
	if (!(seconds >= CVM_MIN_UNIT_SECONDS && seconds <= CVM_MAX_UNIT_SECONDS))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time unit \"%s\" is not positive, or too long", interval_text(unit)),
				 errhint("Usual units are interval '7 days' and interval '1 day'.")));
	return seconds;
}

void
cvm_calendar_init(CvmCalendar *calendar, const char *zone_name, const Interval *period)
{
	pg_tz	   *tz = pg_tzset(zone_name);
	Zone	   *zone = tz ? find_zone(zone_id(pg_get_timezone_name(tz))) : NULL;

	if (zone == NULL || !pg_tz_acceptable(tz))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" not recognized", zone_name),
				 errhint("Use a name of the view pg_timezone_names, such as Europe/Berlin.")));
	calendar->zone = zone->zone;
	calendar->zone_id = zone->id;
	calendar->period = period_seconds(period);
}

void
cvm_calendar_of_history(CvmCalendar *calendar, uint32 id, int32 period)
{
	Zone	   *zone = find_zone(id);

	if (zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the time zone of this purchase history is not known to this server"),
				 errdetail("Its identifier is %08x.", id),
				 errhint("Install the server's time zone data that the history was made with.")));
	calendar->zone = zone->zone;
	calendar->zone_id = id;
	calendar->period = period;
}

const char *
cvm_calendar_zone_name(const CvmCalendar *calendar)
{
	return pg_get_timezone_name(calendar->zone);
}

/* Learns the stretch around an instant. */
static const Stretch *
learn(Zone *zone, int64 at)
{
	pg_time_t	unix_time = (at >= 0 ? at / USECS_PER_SEC : -((-at + USECS_PER_SEC - 1) / USECS_PER_SEC)) + UNIX_OFFSET;
	pg_time_t	boundary;
	long		before;
	long		after;
	int			before_dst;
	int			after_dst;
	Stretch		found = {.from = at,.until = PG_INT64_MAX};
	int			result = pg_next_dst_boundary(&unix_time, &before, &before_dst, &boundary, &after, &after_dst, zone->zone);
	long		fixed;
	int			slot;

	if (result < 0)
		elog(ERROR, "time zone \"%s\" has no offset at %s", pg_get_timezone_name(zone->zone), timestamptz_to_str(at));
	if (pg_get_timezone_offset(zone->zone, &fixed))
		found.from = PG_INT64_MIN;
	if (result > 0)
		found.until = (boundary - UNIX_OFFSET) * USECS_PER_SEC;
	found.offset = before * USECS_PER_SEC;
	for (int i = 0; i < zone->n; i++)
		if (zone->stretch[i].until == found.until)
		{
			zone->stretch[i].from = Min(zone->stretch[i].from, at);
			return &zone->stretch[i];
		}
	if (zone->n < MAX_STRETCHES)
		slot = zone->n++;
	else
		slot = zone->next = (zone->next + 1) % MAX_STRETCHES;
	zone->stretch[slot] = found;
	return &zone->stretch[slot];
}

static const Stretch *
stretch_of(const CvmCalendar *calendar, int64 at)
{
	Zone	   *zone = last_zone;

	if (zone == NULL || zone->id != calendar->zone_id)
		zone = last_zone = find_zone(calendar->zone_id);
	for (int i = 0; i < zone->n; i++)
		if (at >= zone->stretch[i].from && at < zone->stretch[i].until)
			return &zone->stretch[i];
	return learn(zone, at);
}

Timestamp
cvm_local_of(const CvmCalendar *calendar, TimestampTz at)
{
	return at + stretch_of(calendar, at)->offset;
}

int32
cvm_period_of(const CvmCalendar *calendar, TimestampTz at)
{
	int64		length = (int64) calendar->period * USECS_PER_SEC;
	int64		since;
	int64		period;

	if (TIMESTAMP_NOT_FINITE(at))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("instant %s is in no period", at < 0 ? "-infinity" : "infinity"),
				 errdetail("Times of purchases and as_of must be finite.")));
	since = cvm_local_of(calendar, at) - ORIGIN;
	period = since >= 0 ? since / length : -((-since + length - 1) / length);
	if (period < PG_INT32_MIN || period > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("instant %s is too far from the year 2000 for periods of %d seconds",
						timestamptz_to_str(at), calendar->period),
				 errhint("Use a longer period.")));
	return (int32) period;
}

/* The instant of a local wall clock where transitions may be near. */
static TimestampTz
local_to_instant_slow(const CvmCalendar *calendar, Timestamp local)
{
	struct pg_tm tm;
	fsec_t		fraction;
	int			zone;
	TimestampTz instant;

	if (timestamp2tm(local, NULL, &tm, &fraction, NULL, NULL) != 0)
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
	zone = DetermineTimeZoneOffset(&tm, calendar->zone);
	if (tm2timestamp(&tm, fraction, &zone, &instant) != 0)
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
	return instant;
}

static TimestampTz
local_to_instant(const CvmCalendar *calendar, Timestamp local)
{
	const Stretch *stretch;

	if (TIMESTAMP_NOT_FINITE(local))
		return local;
	stretch = stretch_of(calendar, local - USECS_PER_DAY);
	if (local + USECS_PER_DAY < stretch->until)
		return local - stretch->offset;
	return local_to_instant_slow(calendar, local);
}

TimestampTz
cvm_instant_from_datum(const CvmCalendar *calendar, Datum value, Oid type)
{
	TimestampTz instant = 0;

	switch (type)
	{
		case TIMESTAMPTZOID:
			instant = DatumGetTimestampTz(value);
			break;
		case TIMESTAMPOID:
			instant = local_to_instant(calendar, DatumGetTimestamp(value));
			break;
		case DATEOID:
			if (DATE_NOT_FINITE(DatumGetDateADT(value)))
				instant = DT_NOEND;
			else
			{
				int			overflow;
				Timestamp	midnight = date2timestamp_opt_overflow(DatumGetDateADT(value), &overflow);

				instant = overflow ? DT_NOEND : local_to_instant(calendar, midnight);
			}
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("times of type %s are not supported", format_type_be(type)),
					 errhint("Use timestamptz, timestamp or date.")));
	}
	if (TIMESTAMP_NOT_FINITE(instant) || !IS_VALID_TIMESTAMP(instant))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("a purchase can not be at an infinite or out-of-range time")));
	return instant;
}
