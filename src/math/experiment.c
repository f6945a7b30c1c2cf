/*
 * experiment.c: tests, intervals and sample sizes of experiments (see experiment.h).
 */
#include "math/experiment.h"

#include "math/distribution.h"
#include "math/gamma_quantile.h"
#include "math/interval.h"

#define CERTAIN 1e-13			/* a variance ratio below it is rounding: the covariate explains everything */

static const cvm_difference unknown = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, CVM_GIVEN};

static cvm_arm
arm_of(double n, cvm_wide u, cvm_wide uu)
{
	cvm_arm		arm = {n, NAN, NAN};

	if (n > 0)
		arm.mean = (u.high + u.low) / n;
	if (n > 1)
		arm.variance = cvm_moments_spread(n, uu, u) / (n - 1);
	return arm;
}

cvm_arm
cvm_arm_of_y(const cvm_moments *m)
{
	return arm_of(m->n, m->y, m->yy);
}

cvm_arm
cvm_arm_of_x(const cvm_moments *m)
{
	return arm_of(m->n, m->x, m->xx);
}

/* ---------- means ---------- */

/* (sum v)^2 / sum v^2 / (n - 1), v = variance / n of each arm */
static double
satterthwaite(double treated_part, double treated, double control_part, double control)
{
	double		share = treated_part / (treated_part + control_part);

	return 1 / (share * share / (treated - 1) + (1 - share) * (1 - share) / (control - 1));
}

static double
relative_to(double difference, double control_mean)
{
	return control_mean != 0 ? difference / fabs(control_mean) : NAN;
}

cvm_difference
cvm_welch(const cvm_arm *treated, const cvm_arm *control, double confidence)
{
	cvm_difference d = unknown;
	double		treated_part = treated->variance / treated->n;
	double		control_part = control->variance / control->n;
	double		margin;

	d.reason = CVM_ONE_ARM;
	if (treated->n < 1 || control->n < 1)
		return d;
	d.difference = treated->mean - control->mean;
	d.relative = relative_to(d.difference, control->mean);
	d.reason = CVM_TOO_FEW;
	if (treated->n < 2 || control->n < 2)
		return d;
	d.reason = CVM_NO_VARIANCE;
	if (!(treated_part + control_part > 0))
		return d;
	d.error = sqrt(treated_part + control_part);
	d.statistic = d.difference / d.error;
	d.degrees = satterthwaite(treated_part, treated->n, control_part, control->n);
	d.p = cvm_two_sided(d.statistic, d.degrees);
	margin = cvm_student_quantile(d.degrees, 1 - confidence) * d.error;
	d.low = d.difference - margin;
	d.high = d.difference + margin;
	d.reason = isnan(d.relative) ? CVM_CONTROL_ZERO : CVM_GIVEN;
	return d;
}

/* What is left of an arm's variance: var(y - theta x). */
static cvm_arm
adjusted_arm(const cvm_moments *m, double theta, double mean_x)
{
	cvm_arm		arm = cvm_arm_of_y(m);
	cvm_arm		covariate = cvm_arm_of_x(m);
	double		plain = arm.variance;

	arm.mean -= theta * (covariate.mean - mean_x);
	if (m->n > 1)
	{
		double		covariance = cvm_moments_deviation(m->n, m->xy, m->y, m->x) / (m->n - 1);

		arm.variance += theta * (theta * covariate.variance - 2 * covariance);
		if (arm.variance < CERTAIN * plain)
			arm.variance = 0;
	}
	return arm;
}

cvm_cuped_difference
cvm_cuped(const cvm_moments *treated, const cvm_moments *control, double confidence)
{
	cvm_cuped_difference c = {NAN, NAN, NAN, unknown};
	cvm_moments all = *control;
	cvm_arm		treated_arm = cvm_arm_of_y(treated);
	cvm_arm		control_arm = cvm_arm_of_y(control);
	double		xx,
				xy,
				yy;

	c.adjusted = cvm_welch(&treated_arm, &control_arm, confidence);
	c.unadjusted = c.adjusted.difference;
	if (isnan(c.adjusted.error))
	{
		c.adjusted.difference = c.adjusted.relative = NAN;	/* no adjusted one without a theta */
		return c;
	}
	cvm_moments_merge(&all, treated);
	xx = cvm_moments_spread(all.n, all.xx, all.x);
	xy = cvm_moments_deviation(all.n, all.xy, all.x, all.y);
	yy = cvm_moments_spread(all.n, all.yy, all.y);
	c.adjusted = unknown;
	c.adjusted.reason = xx > 0 ? CVM_NO_VARIANCE : CVM_CONSTANT_COVARIATE;
	if (!(xx > 0) || !(yy > 0))
		return c;
	c.theta = xy / xx;
	c.variance_ratio = fmax(0, 1 - xy / xx * (xy / yy));
	treated_arm = adjusted_arm(treated, c.theta, (all.x.high + all.x.low) / all.n);
	control_arm = adjusted_arm(control, c.theta, (all.x.high + all.x.low) / all.n);
	c.adjusted = cvm_welch(&treated_arm, &control_arm, confidence);
	return c;
}

/* ---------- proportions ---------- */

cvm_difference
cvm_two_proportions(double treated_hits, double treated, double control_hits, double control,
					double confidence, double *wald_low, double *wald_high)
{
	cvm_difference d = unknown;
	double		z = -cvm_normal_quantile(0.5 * (1 - confidence));
	double		p1 = treated_hits / treated;
	double		p0 = control_hits / control;
	double		pooled = (treated_hits + control_hits) / (treated + control);
	double		variance;
	double		low1,
				high1,
				low0,
				high0;

	*wald_low = *wald_high = NAN;
	d.reason = CVM_ONE_ARM;
	if (treated < 1 || control < 1)
		return d;
	d.difference = p1 - p0;
	d.relative = relative_to(d.difference, p0);
	cvm_wilson(p1, treated, z, false, &low1, &high1);
	cvm_wilson(p0, control, z, false, &low0, &high0);
	cvm_difference_interval(p1, low1, high1, p0, low0, high0, &d.low, &d.high);
	d.reason = CVM_NO_VARIANCE;
	if (!(pooled > 0 && pooled < 1))
		return d;
	variance = p1 * (1 - p1) / treated + p0 * (1 - p0) / control;
	if (variance > 0)			/* a rate of 0 beside one of 1 has none */
	{
		d.error = sqrt(variance);
		*wald_low = d.difference - z * d.error;
		*wald_high = d.difference + z * d.error;
	}
	d.statistic = d.difference / sqrt(pooled * (1 - pooled) * (1 / treated + 1 / control));
	d.p = cvm_two_sided(d.statistic, INFINITY);
	d.reason = isnan(d.relative) ? CVM_CONTROL_ZERO : CVM_GIVEN;
	return d;
}

/* ---------- looks at any time ---------- */

/*
 * With V the variance of the difference, the likelihood ratio of the mixture is
 * sqrt(V / (V + s^2)) exp(s^2 d^2 / (2 V (V + s^2))); under the null the chance
 * that it ever exceeds 1 / alpha is at most alpha (Ville 1939).
 */
double
cvm_always_valid_p(double difference, double error, double scale)
{
	double		z = difference / error;
	double		ratio = scale / error;
	double		root = hypot(1, ratio);
	double		shrunk = z * (isinf(ratio) ? 1 : ratio / root);

	if (isinf(shrunk * shrunk))
		return 0;
	return fmin(1, exp(log(root) - 0.5 * shrunk * shrunk));
}

/* |difference - effect| at which that ratio for `effect` instead of 0 is 1 / alpha */
double
cvm_always_valid_margin(double error, double scale, double confidence)
{
	double		ratio = scale / error;
	double		root = hypot(1, ratio);

	return error * root / ratio * sqrt(2 * (log(root) - log(1 - confidence)));
}

double
cvm_sample_ratio(int arms, const double *counts, const double *shares, double *chi_square)
{
	double		customers = 0;
	double		share = 0;

	*chi_square = 0;
	for (int i = 0; i < arms; i++)
	{
		customers += counts[i];
		share += shares[i];
	}
	for (int i = 0; i < arms; i++)
	{
		double		expected = customers * (shares[i] / share);

		*chi_square += (counts[i] - expected) / expected * (counts[i] - expected);
	}
	return cvm_chi_square_tail(*chi_square, arms - 1);
}

/* ---------- design ---------- */

static double
critical(const cvm_design *d)
{
	return -cvm_normal_quantile(0.5 * d->alpha);
}

static double
deviates(const cvm_design *d)
{
	return critical(d) + cvm_normal_quantile(d->power);
}

/* Chance that N(effect, error^2) lies beyond +-limit. */
static double
beyond(double limit, double effect, double error)
{
	return cvm_normal_tail((limit - effect) / error) + cvm_normal_tail((limit + effect) / error);
}

double
cvm_sample_size_means(double effect, double sd, const cvm_design *d)
{
	double		scaled = deviates(d) * sd / effect;

	return scaled * scaled * (1 + 1 / d->ratio);
}

double
cvm_mde_means(double customers, double sd, const cvm_design *d)
{
	return deviates(d) * sd * sqrt((1 + 1 / d->ratio) / customers);
}

double
cvm_power_means(double customers, double effect, double sd, const cvm_design *d)
{
	double		error = sd * sqrt((1 + 1 / d->ratio) / customers);

	return beyond(critical(d) * error, effect, error);
}

/* Variance of the difference x customers in control: as the rates are, and as the test takes it to be. */
static double
rate_variance(double control, double treated, double ratio)
{
	return control * (1 - control) + treated * (1 - treated) / ratio;
}

static double
null_variance(double control, double treated, bool pooled, double ratio)
{
	double		rate = (control + ratio * treated) / (1 + ratio);

	return pooled ? rate_variance(rate, rate, ratio) : rate_variance(control, treated, ratio);
}

double
cvm_sample_size_proportions(double control, double treated, bool pooled, const cvm_design *d)
{
	double		margin = critical(d) * sqrt(null_variance(control, treated, pooled, d->ratio))
		+ cvm_normal_quantile(d->power) * sqrt(rate_variance(control, treated, d->ratio));

	return margin / (treated - control) * (margin / (treated - control));
}

double
cvm_mde_proportions(double customers, double control, const cvm_design *d)
{
	double		mde = deviates(d) * sqrt(rate_variance(control, control, d->ratio) / customers);

	return mde <= fmax(control, 1 - control) ? mde : NAN;
}

double
cvm_power_proportions(double customers, double control, double treated, bool pooled, const cvm_design *d)
{
	return beyond(critical(d) * sqrt(null_variance(control, treated, pooled, d->ratio) / customers),
				  treated - control, sqrt(rate_variance(control, treated, d->ratio) / customers));
}
