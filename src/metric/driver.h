/*
 * driver.h: the sample of a key driver analysis, and what it is asked for.
 *
 * driver_sample.c keeps the rows of a group, driver_option.c reads options, driver.c analyses,
 * driver_bootstrap.c draws the rows again, driver_row.c returns rows of type cvm.driver.
 */
#ifndef CVM_METRIC_DRIVER_H
#define CVM_METRIC_DRIVER_H

#include "compat.h"

#include "utils/array.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#define MAX_DRIVERS 100
#define MAX_REPLICATES 100000
#define DRIVER_ROUNDING 1e-12	/* shares and relative ranges below are rounding errors */
#define INTERRUPT_ROWS 4096		/* between two looks at interrupts */

typedef struct DriverOptions
{
	double		best;			/* best score of the scale; NAN: not said */
	double		performance_cut;	/* of the quadrants; NAN: the mean performance */
	bool		by_weight;		/* importance is the relative weight, else LMG */
	int			replicates;		/* of the bootstrap; -1: by the number of rows */
	double		confidence;
	int64		seed;
} DriverOptions;

typedef struct DriverSample
{
	int			attributes;		/* 0 while no row has said it */
	int64		left_out;		/* rows with a NULL */
	int64		n;
	int64		allocated;
	double	   *values;			/* n rows of the outcome and the attributes */
	ArrayType  *names;			/* or NULL */
	Jsonb	   *given;			/* options as given, or NULL */
	DriverOptions options;
} DriverSample;

/* The rows of a sample in ascending order, equal ones once: the same whatever their order was. */
typedef struct DistinctRows
{
	int64		n;				/* rows */
	int			columns;
	int			distinct;
	double	  **row;
	int		   *count;
	int		   *owner;			/* of each of the n rows: its distinct row */
} DistinctRows;

typedef struct DriverInterval
{
	double		low;
	double		high;
} DriverInterval;

typedef struct Driver
{
	char	   *name;
	double		least;			/* value - least = range x (0 .. 1) */
	double		range;
	double		performance;	/* mean */
	double		deviation;
	double		correlation;	/* with the outcome */
	double		coefficient;
	double		standardised;
	double		standard_error;
	double		p_value;
	double		vif;
	double		lmg;
	DriverInterval	lmg_interval;
	double		weight;			/* relative weight */
	DriverInterval	weight_interval;
	double		importance;
	double		gap;
	double		opportunity;
	DriverInterval	opportunity_interval;
	int			priority;
	const char *quadrant;
	const char *status;
	char	   *reason;
} Driver;

/* Of the attributes that vary, `k` of them. */
typedef struct Analysis
{
	const DriverSample *sample;
	DistinctRows rows;
	Driver	   *driver;			/* 0 is the outcome */
	double	   *z;				/* distinct rows x columns, standardised */
	int			k;
	int		   *member;			/* column of each */
	double	   *r;				/* their correlations, k x k */
	double	   *y;				/* with the outcome */
	double	   *table;			/* work space of cvm_lmg and of the others */
	double	   *scratch;
	double		r_squared;
} Analysis;

extern DriverOptions cvm_driver_options(Jsonb *given);
extern DistinctRows cvm_driver_distinct(const DriverSample *sample);
extern Analysis *cvm_driver_analyse(const DriverSample *sample);
extern void cvm_driver_bootstrap(Analysis *a);

/* importances from correlations, k numbers each; LMG is unknown of too many attributes */
extern void cvm_driver_importances(const Analysis *a, const double *r, const double *y, double *lmg, double *weight);

/* importance x what is missing to the best score; NAN where that is not said */
extern double cvm_driver_opportunity(const Analysis *a, double importance, double performance);

/* importance-performance analysis (Martilla & James 1977); what is on a cut counts as high, rounding errors aside */
extern const char *cvm_driver_quadrant(double importance, double performance, double importance_cut, double performance_cut);

static inline double *
driver_numbers(Size n)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, sizeof(double) * Max(n, 1));
}

#endif
