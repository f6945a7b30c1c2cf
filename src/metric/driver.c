/*
 * driver.c: key drivers of an outcome: moments, regression, importance, what to do first (see driver.h).
 *
 * What can not be told is unknown and has a status and a reason: attributes that do not
 * vary or follow from others, too few rows, an outcome that does not vary.
 */
#include "metric/driver.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "math/importance.h"
#include "math/interval.h"
#include "math/sum.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#define INFLATED 10				/* variance inflation worth a word (Marquardt 1970) */

/* ---------- moments ---------- */

static bool
varies(const Driver *d)
{
	return d->range > 0;
}

static void
find_range(Analysis *a, int column)
{
	Driver	   *d = &a->driver[column];
	double		most = -INFINITY;

	d->least = INFINITY;
	for (int i = 0; i < a->rows.distinct; i++)
	{
		d->least = fmin(d->least, a->rows.row[i][column]);
		most = fmax(most, a->rows.row[i][column]);
	}
	d->range = most - d->least;
	if (a->rows.distinct == 0 || d->range <= DRIVER_ROUNDING * fmax(fabs(d->least), fabs(most)))
		d->range = 0;
	if (isinf(d->range))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("the values of a group are too far apart to be analysed")));
}

/* Mean and standard deviation of a column; its z. */
static void
standardise(Analysis *a, int column)
{
	Driver	   *d = &a->driver[column];
	const DistinctRows *rows = &a->rows;
	cvm_sum		sum = {0};
	cvm_sum		square = {0};
	double		mean;
	double		scale;

	CHECK_FOR_INTERRUPTS();
	find_range(a, column);
	for (int i = 0; i < rows->distinct; i++)
	{
		double	   *z = &a->z[(Size) i * rows->columns + column];

		*z = varies(d) ? (rows->row[i][column] - d->least) / d->range : 0;
		cvm_sum_add(&sum, rows->count[i] * *z);
	}
	mean = rows->n > 0 ? cvm_sum_value(&sum) / rows->n : NAN;
	for (int i = 0; i < rows->distinct; i++)
	{
		double	   *z = &a->z[(Size) i * rows->columns + column];

		*z -= mean;
		cvm_sum_add(&square, rows->count[i] * *z * *z);
	}
	scale = sqrt(cvm_sum_value(&square) / rows->n);
	for (int i = 0; i < rows->distinct && varies(d); i++)
		a->z[(Size) i * rows->columns + column] /= scale;
	d->performance = d->least + d->range * mean;
	d->deviation = rows->n > 1 ? d->range * scale * sqrt(rows->n / (rows->n - 1.0)) : NAN;
}

/* Attributes that vary, their correlations with each other and with the outcome. */
static void
correlate(Analysis *a)
{
	const DistinctRows *rows = &a->rows;
	cvm_sum    *sum;
	int			k = 0;

	for (int j = 1; j < rows->columns; j++)
		if (varies(&a->driver[j]))
			a->member[k++] = j;
	a->k = k;
	sum = palloc0(sizeof(cvm_sum) * (k + 1) * (k + 1));
	for (int i = 0; i < rows->distinct; i++)
	{
		const double *z = a->z + (Size) i * rows->columns;

		if (i % INTERRUPT_ROWS == 0)
			CHECK_FOR_INTERRUPTS();
		for (int j = 0; j < k; j++)
		{
			cvm_sum_add(&sum[j * (k + 1) + k], rows->count[i] * z[a->member[j]] * z[0]);
			for (int l = 0; l < j; l++)
				cvm_sum_add(&sum[j * (k + 1) + l], rows->count[i] * z[a->member[j]] * z[a->member[l]]);
		}
	}
	for (int j = 0; j < k; j++)
	{
		a->y[j] = cvm_sum_value(&sum[j * (k + 1) + k]) / rows->n;
		if (varies(&a->driver[0]))
			a->driver[a->member[j]].correlation = a->y[j];
		a->r[j * k + j] = 1;
		for (int l = 0; l < j; l++)
			a->r[j * k + l] = a->r[l * k + j] = cvm_sum_value(&sum[j * (k + 1) + l]) / rows->n;
	}
	pfree(sum);
}

/* ---------- regression and importance ---------- */

static void
withhold(Analysis *a, const char *status, const char *reason)
{
	for (int j = 1; j < a->rows.columns; j++)
		if (a->driver[j].status == NULL)
		{
			a->driver[j].status = status;
			a->driver[j].reason = pstrdup(reason);
		}
}

/* The attributes in a dependency say which others are; whoever is not in one has to wait. */
static void
report_collinear(Analysis *a, const bool *kept, const double *dependency)
{
	StringInfoData all;

	initStringInfo(&all);
	for (int j = 0; j < a->k; j++)
	{
		Driver	   *follows = &a->driver[a->member[j]];
		StringInfoData from;

		if (kept[j])
			continue;
		initStringInfo(&from);
		for (int l = 0; l < a->k; l++)
			if (fabs(dependency[j * a->k + l]) > 1e-6)
			{
				Driver	   *source = &a->driver[a->member[l]];

				appendStringInfo(&from, "%s\"%s\"", from.len ? ", " : "", source->name);
				source->status = "collinear";
				source->reason = psprintf("\"%s\" follows from it%s; leave one out", follows->name,
										  fabs(fabs(dependency[j * a->k + l]) - 1) < 1e-6 ? "" : " and others");
			}
		follows->status = "collinear";
		follows->reason = psprintf("it follows from %s; leave one out", from.data);
		appendStringInfo(&all, "%s\"%s\"", all.len ? ", " : "", follows->name);
	}
	withhold(a, "withheld", psprintf("others are collinear; leave out %s, or what it follows from", all.data));
}

static void
set_coefficients(Analysis *a, const double *beta, const double *inverse, double unexplained)
{
	double		df = a->rows.n - a->k - 1.0;

	for (int j = 0; j < a->k; j++)
	{
		Driver	   *d = &a->driver[a->member[j]];

		d->standardised = beta[j];
		d->coefficient = beta[j] * (a->driver[0].deviation / d->deviation);
		d->vif = inverse[j];
		if (unexplained < DRIVER_ROUNDING)
			continue;
		d->standard_error = sqrt(unexplained / df * inverse[j]);
		d->p_value = cvm_two_sided(d->standardised / d->standard_error, df);
	}
}

void
cvm_driver_importances(const Analysis *a, const double *r, const double *y, double *lmg, double *weight)
{
	if (a->table)
		cvm_lmg(a->k, r, y, a->table, a->scratch, lmg);
	else
		for (int j = 0; j < a->k; j++)
			lmg[j] = NAN;
	cvm_relative_weights(a->k, r, y, a->scratch, weight);
}

double
cvm_driver_opportunity(const Analysis *a, double importance, double performance)
{
	return importance * (a->sample->options.best - performance);
}

static void
set_importances(Analysis *a)
{
	double	   *lmg = driver_numbers(a->k);
	double	   *weight = driver_numbers(a->k);

	cvm_driver_importances(a, a->r, a->y, lmg, weight);
	for (int j = 0; j < a->k; j++)
	{
		Driver	   *d = &a->driver[a->member[j]];

		d->lmg = lmg[j];
		d->weight = weight[j];
		d->importance = (a->sample->options.by_weight ? weight : lmg)[j] / a->r_squared;
		d->gap = a->sample->options.best - d->performance;
		if (d->gap < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the mean of \"%s\", %.15g, is above the best score of %.15g", d->name, d->performance, a->sample->options.best),
					 errhint("The option \"best\" is the highest score that the attributes can have.")));
	}
}

/* Whether importances can be told at all; if not, every attribute has a reason. */
static bool
regress(Analysis *a)
{
	bool	   *kept = palloc0(sizeof(bool) * (a->k + 1));
	double	   *beta = driver_numbers(a->k);
	double	   *inverse = driver_numbers(a->k);
	double	   *dependency = driver_numbers((Size) a->k * a->k);
	double		unexplained;

	if (a->rows.n < a->k + 2)
	{
		int			attributes = a->rows.n > 1 ? a->k : a->sample->attributes;

		withhold(a, "too few rows", psprintf("rows: %lld; %d attributes need at least %d", (long long) a->rows.n, attributes, attributes + 2));
		return false;
	}
	if (!varies(&a->driver[0]))
	{
		withhold(a, "constant outcome", "the outcome is the same in all rows");
		return false;
	}
	unexplained = fmax(cvm_regression(a->k, a->r, a->y, a->scratch, kept, beta, inverse, dependency), 0);
	a->r_squared = 1 - unexplained;
	for (int j = 0; j < a->k; j++)
		if (!kept[j])
		{
			report_collinear(a, kept, dependency);
			return false;
		}
	set_coefficients(a, beta, inverse, unexplained);
	if (a->r_squared < DRIVER_ROUNDING)
	{
		withhold(a, "unexplained", "the attributes explain nothing of the outcome");
		return false;
	}
	if (unexplained < DRIVER_ROUNDING)
		withhold(a, "exact", "the outcome follows from the attributes exactly: no error to estimate a standard error from");
	return a->k > 0;
}

/* ---------- what to do first ---------- */

/* What is on a cut counts as high, rounding errors aside. */
static bool
reaches(double value, double cut)
{
	return value >= cut - 1e-9 * fabs(cut);
}

const char *
cvm_driver_quadrant(double importance, double performance, double importance_cut, double performance_cut)
{
	if (reaches(importance, importance_cut))
		return reaches(performance, performance_cut) ? "keep up" : "concentrate here";
	return reaches(performance, performance_cut) ? "possible overkill" : "low priority";
}

/*
 * That an attribute matters stands where the outcome falls as it rises, or rises alone and falls
 * beside the others; but then raising it is no advice.
 */
static bool
has_direction(Driver *d)
{
	if (d->p_value < 0.05 && (d->correlation < 0) != (d->standardised < 0))
	{
		d->status = "unclear";
		d->reason = psprintf("alone the outcome %s with it, beside the others it %s", d->correlation < 0 ? "falls" : "rises", d->standardised < 0 ? "falls" : "rises");
	}
	else if (d->correlation < 0)
	{
		d->status = "opposed";
		d->reason = pstrdup("the outcome falls as it rises; if low is good, recode it");
	}
	else
		return true;
	return false;
}

static void
set_directions(Analysis *a)
{
	double		cut = 0;

	for (int j = 0; j < a->k; j++)
		cut += a->driver[a->member[j]].performance / a->k;
	if (!isnan(a->sample->options.performance_cut))
		cut = a->sample->options.performance_cut;
	for (int j = 0; j < a->k; j++)
	{
		Driver	   *d = &a->driver[a->member[j]];

		if (!has_direction(d))
			continue;
		d->quadrant = cvm_driver_quadrant(d->importance, d->performance, 1.0 / a->k, cut);
		d->opportunity = cvm_driver_opportunity(a, d->importance, d->performance);
	}
}

static void
set_priorities(Analysis *a)
{
	for (int j = 0; j < a->k; j++)
	{
		Driver	   *d = &a->driver[a->member[j]];

		if (isnan(d->opportunity))
			continue;
		d->priority = 1;
		for (int l = 0; l < a->k; l++)
			d->priority += a->driver[a->member[l]].opportunity > d->opportunity;
	}
}

/* ---------- all of it ---------- */

static void
start_drivers(Analysis *a)
{
	Datum	   *names = NULL;
	int			n;

	if (a->sample->names)
		deconstruct_array(a->sample->names, TEXTOID, -1, false, TYPALIGN_INT, &names, NULL, &n);
	for (int j = 0; j < a->rows.columns; j++)
	{
		Driver	   *d = &a->driver[j];
		const DriverInterval unknown = {NAN, NAN};

		d->name = names && j > 0 ? TextDatumGetCString(names[j - 1]) : psprintf("%d", j);
		d->correlation = d->coefficient = d->standardised = d->standard_error = d->p_value = d->vif = NAN;
		d->lmg = d->weight = d->importance = d->gap = d->opportunity = NAN;
		d->lmg_interval = d->weight_interval = d->opportunity_interval = unknown;
	}
}

static Analysis *
new_analysis(const DriverSample *sample)
{
	Analysis   *a = palloc0(sizeof(Analysis));
	Size		p = sample->attributes;

	a->sample = sample;
	a->rows = cvm_driver_distinct(sample);
	a->driver = palloc0(sizeof(Driver) * (p + 1));
	a->z = driver_numbers((Size) a->rows.distinct * (p + 1));
	a->member = palloc0(sizeof(int) * p);
	a->r = driver_numbers(p * p);
	a->y = driver_numbers(p);
	a->scratch = driver_numbers(p <= CVM_MAX_LMG ? (p + 1) * (p + 1) * (p + 1) : 3 * (p + 1) * (p + 1));
	a->table = p <= CVM_MAX_LMG ? driver_numbers((Size) 1 << p) : NULL;
	a->r_squared = NAN;
	start_drivers(a);
	return a;
}

static void
report_constant(Analysis *a)
{
	for (int j = 1; j < a->rows.columns && a->rows.n > 1; j++)
		if (!varies(&a->driver[j]))
		{
			a->driver[j].status = "constant";
			a->driver[j].reason = pstrdup("it is the same in all rows");
		}
}

static void
report_inflated(Analysis *a)
{
	for (int j = 1; j < a->rows.columns; j++)
		if (a->driver[j].status == NULL && a->driver[j].vif >= INFLATED)
		{
			a->driver[j].status = "ok";
			a->driver[j].reason = psprintf("it can hardly be told from others: variance inflation %.3g", a->driver[j].vif);
		}
}

Analysis *
cvm_driver_analyse(const DriverSample *sample)
{
	Analysis   *a = new_analysis(sample);

	for (int j = 0; j < a->rows.columns; j++)
		standardise(a, j);
	report_constant(a);
	correlate(a);
	if (regress(a))
	{
		set_importances(a);
		set_directions(a);
		set_priorities(a);
		if (sample->options.replicates != 0)
			cvm_driver_bootstrap(a);
	}
	report_inflated(a);
	withhold(a, "ok", "");
	return a;
}
