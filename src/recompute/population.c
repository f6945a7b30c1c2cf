/*
 * population.c: counts over all customers: gaps between purchases, RFM cut points,
 * monthly cohorts.
 */
#include "population.h"

#include <math.h>

#include "utils/datetime.h"
#include "utils/memutils.h"

/*
 * Gaps below 4096 periods are counted one by one, longer ones in 2048 classes
 * an octave, so that a quantile is exact or within 0.05 %.
 */
#define EXACT_GAPS 4096
#define OCTAVE_CLASSES 2048
#define GAP_CLASSES (EXACT_GAPS + 20 * OCTAVE_CLASSES)
#define LAPSE_QUANTILE 0.95
#define OWN_GAPS 3				/* a customer's own quantile needs as many gaps */
#define INSERTION_GAPS 24		/* up to so many gaps are sorted by insertion */

/* Days whose month is looked up: 1958 to 2047. */
#define FIRST_KNOWN_DAY (-42 * 365)
#define KNOWN_DAYS (90 * 365)

static const int64 powers_of_ten[CVM_MAX_SCALE + 1] = {
	INT64CONST(1), INT64CONST(10), INT64CONST(100), INT64CONST(1000), INT64CONST(10000),
	INT64CONST(100000), INT64CONST(1000000), INT64CONST(10000000), INT64CONST(100000000),
	INT64CONST(1000000000), INT64CONST(10000000000), INT64CONST(100000000000),
	INT64CONST(1000000000000), INT64CONST(10000000000000), INT64CONST(100000000000000),
	INT64CONST(1000000000000000), INT64CONST(10000000000000000), INT64CONST(100000000000000000),
	INT64CONST(1000000000000000000)
};

typedef struct ValueArray
{
	double	   *values;
	int64		n;
	int64		allocated;
} ValueArray;

struct PopulationStats
{
	const RecomputePlan *plan;
	Population *population;
	MemoryContext context;		/* of the population */
	MemoryContext memory;		/* of the arrays below: buckets come and go */
	int64		gaps[GAP_CLASSES];
	int64		n_gaps;
	ValueArray	recency;		/* last purchase period */
	ValueArray	frequency;		/* purchase periods */
	ValueArray	monetary;		/* total money */
	int32	   *scratch_gaps;
	int			scratch_size;
	int		   *months;
	int128	   *amounts;
	int			rows_size;
	int16		months_known[KNOWN_DAYS];	/* 1 + month of a day, 0 if not asked for yet */
};

PopulationStats *
cvm_population_begin(const RecomputePlan *plan, Population *population, MemoryContext context)
{
	PopulationStats *stats = palloc0(sizeof(PopulationStats));

	stats->plan = plan;
	stats->population = population;
	stats->context = context;
	stats->memory = CurrentMemoryContext;
	population->gap_quantile = population->cuts.cut[0] = -1;
	population->cohorts = MemoryContextAllocZero(context, sizeof(CohortRow *) * CVM_COHORT_MONTHS);
	return stats;
}

static void
append(PopulationStats *stats, ValueArray *array, double value)
{
	if (array->n == array->allocated)
	{
		array->allocated = array->allocated ? array->allocated * 2 : 1024;
		array->values = array->values
			? repalloc_huge(array->values, sizeof(double) * array->allocated)
			: MemoryContextAlloc(stats->memory, sizeof(double) * array->allocated);
	}
	array->values[array->n++] = value;
}

/* The history's money as a double, in currency units. */
double
cvm_history_total(const PurchaseHistory *history)
{
	int128		total = cvm_history_int128(history->total);

	if (total > -((int128) 1 << 53) && total < ((int128) 1 << 53))
		return (double) (int64) total / (double) powers_of_ten[history->scale];	/* rounded once */
	return (double) ((long double) total / powers_of_ten[history->scale]);
}

/* ---------- gaps ---------- */

static int
gap_class(int32 gap)
{
	int			octave = 0;

	if (gap < EXACT_GAPS)
		return gap;
	for (uint32 rest = (uint32) gap / EXACT_GAPS; rest > 1; rest /= 2)
		octave++;
	return EXACT_GAPS + octave * OCTAVE_CLASSES +
		(int) (((int64) gap >> (octave + 1)) - EXACT_GAPS / 2);
}

/* Smallest gap of a class. */
static double
class_gap(int class)
{
	int			octave = (class - EXACT_GAPS) / OCTAVE_CLASSES;

	if (class < EXACT_GAPS)
		return class;
	return (double) ((int64) ((class - EXACT_GAPS) % OCTAVE_CLASSES + EXACT_GAPS / 2) << (octave + 1));
}

static int
compare_int32(const void *a, const void *b)
{
	int32		left = *(const int32 *) a;
	int32		right = *(const int32 *) b;

	return (left > right) - (left < right);
}

/* Most customers have a handful. */
static void
sort_gaps(int32 *gaps, int n)
{
	if (n > INSERTION_GAPS)
	{
		qsort(gaps, n, sizeof(int32), compare_int32);
		return;
	}
	for (int i = 1; i < n; i++)
	{
		int32		gap = gaps[i];
		int			at = i;

		for (; at > 0 && gaps[at - 1] > gap; at--)
			gaps[at] = gaps[at - 1];
		gaps[at] = gap;
	}
}

/* Linear interpolation between order statistics (Hyndman & Fan 1996, type 7) of sorted gaps. */
static double
own_quantile(const int32 *gaps, int n, double level)
{
	double		position = level * (n - 1);
	int			below = (int) floor(position);

	if (below + 1 >= n)
		return gaps[n - 1];
	return gaps[below] + (position - below) * ((double) gaps[below + 1] - gaps[below]);
}

/* As cvm.lifecycle_cuts has them (sql/lifecycle.sql). */
static LifecycleCuts
lifecycle_cuts(double median, double q75, double q90, double q95)
{
	double		cut[4] = {median, q75, fmax(q90, 2 * median), fmax(q95, 3 * median)};
	LifecycleCuts cuts;

	for (int i = 0; i < 4; i++)
		cuts.cut[i] = (int32) fmin(floor(cut[i]), PG_INT32_MAX);
	return cuts;
}

static LifecycleCuts
own_cuts(const int32 *gaps, int n)
{
	return lifecycle_cuts(own_quantile(gaps, n, 0.5), own_quantile(gaps, n, 0.75), own_quantile(gaps, n, 0.9), own_quantile(gaps, n, LAPSE_QUANTILE));
}

/* Sorted gaps without one of a length. */
static void
take_out(int32 *gaps, int n, int32 gap)
{
	int			at = 0;

	while (gaps[at] != gap)
		at++;
	memmove(gaps + at, gaps + at + 1, sizeof(int32) * (n - 1 - at));
}

/* Gaps between a customer's purchase periods, ascending in rows: those of all, and his own rhythm. */
static void
count_gaps(PopulationStats *stats, const CvmPurchase *rows, int n_periods, CustomerRecord *record)
{
	int			n = n_periods - 1;

	if (stats->scratch_size < n_periods)
	{
		stats->scratch_size = Max(n_periods, 64) * 2;
		if (stats->scratch_gaps)
			pfree(stats->scratch_gaps);
		stats->scratch_gaps = MemoryContextAllocHuge(stats->memory, sizeof(int32) * stats->scratch_size);
	}
	for (int i = 1; i < n_periods; i++)
	{
		int32		gap = (int32) Min((int64) rows[i].period - rows[i - 1].period, PG_INT32_MAX);

		stats->gaps[gap_class(gap)]++;
		stats->scratch_gaps[i - 1] = gap;
	}
	stats->n_gaps += n;
	if (n > 0)
		record->last_gap = stats->scratch_gaps[n - 1];
	if (n < OWN_GAPS)
		return;
	sort_gaps(stats->scratch_gaps, n);
	record->own_gap = own_quantile(stats->scratch_gaps, n, LAPSE_QUANTILE);
	record->own_cuts = own_cuts(stats->scratch_gaps, n);
	if (n == OWN_GAPS)
		return;
	take_out(stats->scratch_gaps, n, record->last_gap);
	record->last_gap_cut = own_cuts(stats->scratch_gaps, n - 1).cut[3];
}

static double
gap_order_statistic(const PopulationStats *stats, int64 rank)
{
	int64		seen = 0;

	for (int i = 0; i < GAP_CLASSES; i++)
	{
		seen += stats->gaps[i];
		if (seen > rank)
			return class_gap(i);
	}
	return 0;
}

static double
population_quantile(const PopulationStats *stats, double level)
{
	double		position = level * (stats->n_gaps - 1);
	int64		below = (int64) floor(position);
	double		low = gap_order_statistic(stats, below);
	double		high = gap_order_statistic(stats, Min(below + 1, stats->n_gaps - 1));

	return low + (position - below) * (high - low);
}

/* ---------- cohorts ---------- */

/* Month of a day since 2000-01-03, counted from January of CVM_COHORT_FIRST_YEAR, clamped to the table. */
static int
month_of_day(int32 day)
{
	int			year;
	int			month;
	int			mday;

	j2date(day + POSTGRES_EPOCH_JDATE + 2, &year, &month, &mday);
	return Min(Max((year - CVM_COHORT_FIRST_YEAR) * 12 + month - 1, 0), CVM_COHORT_MONTHS - 1);
}

/* Month of a period's start; periods count from Monday 2000-01-03. */
static int
month_of_period(PopulationStats *stats, int32 period)
{
	int64		seconds = (int64) period * stats->plan->calendar.period;
	int32		day = (int32) (seconds >= 0 ? seconds / 86400 : -((-seconds + 86399) / 86400));
	int16	   *known;

	if (day < FIRST_KNOWN_DAY || day >= FIRST_KNOWN_DAY + KNOWN_DAYS)
		return month_of_day(day);
	known = &stats->months_known[day - FIRST_KNOWN_DAY];
	if (*known == 0)
		*known = (int16) (1 + month_of_day(day));
	return *known - 1;
}

static CohortRow *
cohort_row(PopulationStats *stats, int month)
{
	CohortRow  *row = stats->population->cohorts[month];

	if (row == NULL)
	{
		int			as_of_month = month_of_period(stats, stats->plan->as_of_period);

		row = MemoryContextAllocZero(stats->context, sizeof(CohortRow));
		row->n_ages = Max(as_of_month - month, 0) + 1;
		row->cells = MemoryContextAllocZero(stats->context, sizeof(*row->cells) * row->n_ages);
		stats->population->cohorts[month] = row;
	}
	return row;
}

static int128
at_max_scale(const CvmPurchase *row)
{
	return (int128) row->mantissa * powers_of_ten[CVM_MAX_SCALE - row->scale];
}

/* Months and money of the raw rows, before they are merged. */
static void
remember_rows(PopulationStats *stats, const CvmPurchase *rows, int n)
{
	if (stats->rows_size < n)
	{
		stats->rows_size = Max(n, 64) * 2;
		if (stats->months)
		{
			pfree(stats->months);
			pfree(stats->amounts);
		}
		stats->months = MemoryContextAllocHuge(stats->memory, sizeof(int) * stats->rows_size);
		stats->amounts = MemoryContextAllocHuge(stats->memory, sizeof(int128) * stats->rows_size);
	}
	for (int i = 0; i < n; i++)
	{
		stats->months[i] = month_of_period(stats, rows[i].period);
		stats->amounts[i] = at_max_scale(&rows[i]);
	}
}

/* Adds one customer to its cohort: active months, and all its money. */
static void
count_cohort(PopulationStats *stats, int n, const CvmPurchase *periods, int n_periods)
{
	int			cohort = month_of_period(stats, periods[0].period);
	CohortRow  *row = cohort_row(stats, cohort);
	int			last = -1;

	row->customers++;
	for (int i = 0; i < n_periods; i++)
	{
		int			age = Min(month_of_period(stats, periods[i].period) - cohort, row->n_ages - 1);

		if (age != last)
			row->cells[age].active++;
		last = age;
	}
	for (int i = 0; i < n; i++)
	{
		int			age = Min(Max(stats->months[i] - cohort, 0), row->n_ages - 1);

		if (__builtin_add_overflow(row->cells[age].value, stats->amounts[i], &row->cells[age].value))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("the money of a monthly cohort exceeds 1.7e20")));
	}
}

/* ---------- one customer, all customers ---------- */

void
cvm_count_customer(PopulationStats *stats, CvmPurchase *rows, int n, CustomerRecord *record)
{
	Population *population = stats->population;
	PurchaseHistory *history = &record->history;
	int			n_periods;

	remember_rows(stats, rows, n);
	cvm_history_build(&stats->plan->calendar, rows, n, history, &n_periods);
	population->n_customers++;
	record->own_gap = record->last_gap = record->last_gap_cut = record->own_cuts.cut[0] = -1;
	if (n_periods == 0)
		return;
	population->n_buyers += cvm_buys(stats->plan, record);
	population->n_repeaters += cvm_buys(stats->plan, record) && n_periods > 1;
	count_gaps(stats, rows, n_periods, record);
	count_cohort(stats, n, rows, n_periods);
	append(stats, &stats->recency, history->last_period);
	append(stats, &stats->frequency, n_periods);
	append(stats, &stats->monetary, cvm_history_total(history));
	population->max_x = Max(population->max_x, history->repeat_periods);
	population->max_age = Max(population->max_age,
							  ((double) stats->plan->as_of_period - history->first_period) *
							  history->period / stats->plan->unit_seconds);
}

static void
cuts(ValueArray *array, double cut[4])
{
	cvm_quintile_cuts(array->values, array->n, cut);
	if (array->values)
		pfree(array->values);
}

void
cvm_population_end(PopulationStats *stats)
{
	Population *population = stats->population;

	if (stats->n_gaps > 0)
	{
		population->gap_quantile = population_quantile(stats, LAPSE_QUANTILE);
		population->cuts = lifecycle_cuts(population_quantile(stats, 0.5), population_quantile(stats, 0.75),
										  population_quantile(stats, 0.9), population->gap_quantile);
	}
	cuts(&stats->recency, population->recency_cut);
	cuts(&stats->frequency, population->frequency_cut);
	cuts(&stats->monetary, population->monetary_cut);
}
