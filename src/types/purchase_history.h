/*
 * purchase_history.h: the finished, fixed-length value of SQL type
 * cvm.purchase_history, and the one builder that both the aggregate and the
 * recompute use, so that they cannot disagree.
 *
 * Rules (Words in doc/, "purchase period"): a purchase period is a period with a
 * row of amount >= 0; rows of negative amount change money only.  Periods are
 * counted from Monday 2000-01-03 00:00 local time in the history's time zone.
 * first_total is the money of all rows up to and including the first purchase
 * period, repeat money is total - first_total.
 */
#ifndef CVM_TYPES_PURCHASE_HISTORY_H
#define CVM_TYPES_PURCHASE_HISTORY_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "fmgr.h"
#include "pgtime.h"

#define CVM_HISTORY_VERSION 1
#define CVM_MAX_SCALE 18		/* decimals of an amount */

/*
 * An exact decimal amount: mantissa / 10^scale.  At most 18 significant digits;
 * float8 input is taken as its 15-significant-digit decimal, as PostgreSQL's own
 * cast to numeric does, and rounded to 18 decimals.
 */
typedef struct CvmAmount
{
	int64		mantissa;
	uint8		scale;
} CvmAmount;

/* ERROR on NaN, infinity, more than 18 significant digits or decimals */
extern CvmAmount cvm_amount_from_numeric(Datum numeric);
extern CvmAmount cvm_amount_from_float8(double value);
extern CvmAmount cvm_amount_from_int8(int64 value);
/* dispatch on numeric, float4, float8, int2, int4, int8; ERROR on others */
extern CvmAmount cvm_amount_from_datum(Datum value, Oid type);
extern const char *cvm_amount_not_finite(Datum value, Oid type);
extern Datum cvm_numeric_from_int128(int128 mantissa, int scale);

/*
 * A time zone with what is needed to split instants into periods fast.
 * Cached per backend; never freed.
 */
typedef struct CvmCalendar
{
	pg_tz	   *zone;
	uint32		zone_id;		/* FNV-1a of the canonical zone name; stored in histories */
	int32		period;			/* seconds, >= 1 */
} CvmCalendar;

/* ERROR on unknown zones, on POSIX-style zones, on periods that are not whole positive seconds (months refused) */
extern void cvm_calendar_init(CvmCalendar *calendar, const char *zone_name, const Interval *period);
extern void cvm_calendar_of_history(CvmCalendar *calendar, uint32 zone_id, int32 period);
/* period index of an instant; ERROR outside int32 or for infinite instants */
extern const char *cvm_calendar_zone_name(const CvmCalendar *calendar);
extern int32 cvm_period_of(const CvmCalendar *calendar, TimestampTz at);
/* local wall clock of an instant, microseconds since 2000-01-01 local (a `timestamp`) */
extern Timestamp cvm_local_of(const CvmCalendar *calendar, TimestampTz at);
/* timestamptz of a timestamptz, timestamp (local in the zone) or date (local midnight) datum; ERROR on infinity */
extern TimestampTz cvm_instant_from_datum(const CvmCalendar *calendar, Datum value, Oid type);

/* Whether a row is a purchase: its amount says so (>= 0), or the query that has tied refunds and costs to orders. */
typedef enum CvmPurchaseKind
{
	CVM_BY_AMOUNT = 0,
	CVM_PURCHASE,				/* also at a loss */
	CVM_MONEY_ONLY				/* also of nothing: an order that was refunded */
} CvmPurchaseKind;

/* One row of a feed, as the builder takes it. */
typedef struct CvmPurchase
{
	TimestampTz at;
	int64		mantissa;		/* amount = mantissa / 10^scale */
	int32		period;
	uint8		scale;
	uint8		kind;			/* CvmPurchaseKind */
} CvmPurchase;

typedef struct PurchaseHistory
{
	uint8		version;		/* CVM_HISTORY_VERSION */
	uint8		scale;			/* decimals of total and first_total */
	uint16		flags;			/* 0 */
	uint32		zone_id;
	int32		period;			/* seconds */
	int32		repeat_periods; /* x: purchase periods after the first; -1 if there is no purchase at all */
	int32		first_period;
	int32		last_period;	/* last purchase period */
	TimestampTz first_at;		/* first and last purchase; 0 if none */
	TimestampTz last_at;
	int64		orders;			/* rows of amount >= 0 */
	uint64		total[2];		/* int128, low word first, all rows */
	uint64		first_total[2];
	double		log_intervals;	/* sum of ln(interpurchase time in periods) */
} PurchaseHistory;

StaticAssertDecl(sizeof(PurchaseHistory) == 88, "cvm.purchase_history is 88 bytes on disk");

/*
 * Sorts `rows` in place and builds the history; the result does not depend on
 * the rows' order.  ERROR when a sum overflows.  n >= 1.  Afterwards
 * rows[0 .. *n_periods) are the purchase periods, ascending, each with the time of
 * its first purchase (their amounts are spent); n_periods may be NULL.
 */
extern void cvm_history_build(const CvmCalendar *calendar, CvmPurchase *rows, int n,
							  PurchaseHistory *history, int *n_periods);

static inline int128
cvm_history_int128(const uint64 word[2])
{
	return (int128) (((uint128) word[1] << 64) | word[0]);
}

/* length of a time unit in seconds; ERROR on months, on nothing and on what no interval can hold */
extern double cvm_unit_seconds(const Interval *unit);
/* what bounds a time unit: a microsecond, and three million years */
#define CVM_MIN_UNIT_SECONDS 1e-6
#define CVM_MAX_UNIT_SECONDS 1e14

/* in `unit_seconds` time units; repeat_periods must be >= 0 */
static inline double
cvm_history_span(const PurchaseHistory *h, double unit_seconds)
{
	return ((double) h->last_period - h->first_period) * h->period / unit_seconds;
}

/* ERROR if as_of lies before the last purchase */
extern double cvm_history_age(const PurchaseHistory *h, TimestampTz as_of, double unit_seconds);
/* mean money per repeat period; NaN if x <= 0 */
extern double cvm_history_mean_spend(const PurchaseHistory *h);
/* all invariants; ERROR with this SQLSTATE if violated: a value of text or binary input is not what it should be */
extern void cvm_history_check(const PurchaseHistory *h, int sqlstate);

#define DatumGetPurchaseHistoryP(d) ((PurchaseHistory *) DatumGetPointer(d))
#define PG_GETARG_HISTORY_P(n) DatumGetPurchaseHistoryP(PG_GETARG_DATUM(n))

#endif
