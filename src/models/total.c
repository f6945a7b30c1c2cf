/*
 * total.c: quantiles of a sum of residual values (see total.h).
 */
#include "models/total.h"

#include "math/gamma_quantile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_CURVATURE 0.02	/* square of a relative uncertainty */

/* ---------- the sample ---------- */

/* Puts a member in at the root, or below what has less priority. */
static void
sink(cvm_total *total, const cvm_member *member)
{
	int			at = 0;

	for (;;)
	{
		int			child = 2 * at + 1;

		if (child >= total->n)
			break;
		if (child + 1 < total->n && total->sample[child + 1].priority < total->sample[child].priority)
			child++;
		if (member->priority <= total->sample[child].priority)
			break;
		total->sample[at] = total->sample[child];
		at = child;
	}
	total->sample[at] = *member;
}

static void
rise(cvm_total *total, const cvm_member *member)
{
	int			at = total->n++;

	while (at > 0 && member->priority < total->sample[(at - 1) / 2].priority)
	{
		total->sample[at] = total->sample[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	total->sample[at] = *member;
}

/*
 * How likely a customer comes into the sample: what bends is about his value times the
 * square of its relative uncertainty; a little of the value itself, for the rest.
 */
static double
size_of(const cvm_stake *stake)
{
	double		squares = 0;

	for (int k = 0; k < CVM_CONTRACT_LOADINGS; k++)
		squares += stake->loading[k] * stake->loading[k];
	return squares / stake->purchases + LEAST_CURVATURE * stake->purchases;
}

static void
offer(cvm_total *total, const cvm_stake *stake, double chance)
{
	double		size = size_of(stake);
	double		priority = size / chance;
	cvm_member	member;

	if (total->n > CVM_TOTAL_SAMPLE && priority <= total->sample[0].priority)
		return;
	member.stake = *stake;
	member.size = size;
	member.priority = priority;
	if (total->n > CVM_TOTAL_SAMPLE)
		sink(total, &member);
	else
		rise(total, &member);
}

void
cvm_total_add(cvm_total *total, const cvm_stake *stake, double chance)
{
	cvm_sum_add(&total->mean, stake->mean);
	cvm_sum_add(&total->purchases, stake->purchases);
	cvm_sum_add(&total->variance, stake->variance);
	cvm_sum_add(&total->third, stake->third);
	for (int k = 0; k < CVM_MAX_LOADINGS; k++)
		if (stake->loading[k] != 0)
			cvm_sum_add(&total->loading[k], stake->loading[k]);
	if (stake->purchases > 0)
		offer(total, stake, chance);
}

/* An array in ascending order is a heap as well. */
static int
by_priority(const void *a, const void *b)
{
	const cvm_member *left = a;
	const cvm_member *right = b;

	return (left->priority > right->priority) - (left->priority < right->priority);
}

/* ---------- the parameters' part ---------- */

/* Loadings times the direction, from one of them up to another. */
static double
along(const double *direction, const double *loading, int from, int to)
{
	double		sum = 0;

	for (int k = from; k < to; k++)
		sum += direction[k] * loading[k];
	return sum;
}

/* A customer's purchases at other parameters. */
static double
value_anew(const cvm_outlook *o, const double *theta, const double *spend_theta, const cvm_row *row)
{
	cvm_row		money = *row;

	if (!(money.mean_spend > 0))
		money.x = 0;
	return o->margin * o->purchases->family->p_alive(theta, row) * o->spend->family->expected_spend(spend_theta, &money)
		* o->purchases->family->discounted_if_alive(theta, row, o->rate, o->horizon);
}

/*
 * The group's purchases z standard deviations along a direction: the line, and from
 * the sample what differs from it.  Each stands for as many as make up the threshold,
 * the priority of the first one left out.
 */
static double
moved_purchases(cvm_total *total, const cvm_outlook *o, const double *direction, const double *loading, double z)
{
	double		purchases = cvm_sum_value(&total->purchases);
	int			first = total->n > CVM_TOTAL_SAMPLE;
	double		threshold = first ? total->sample[0].priority : 0;
	double		deviations[CVM_MAX_LOADINGS];
	double		theta[CVM_MAX_PARAMS];
	double		spend_theta[CVM_MAX_PARAMS];
	cvm_sum		remainder = {0},
				weights = {0},
				anew = {0};
	double		moved;

	for (int k = 0; k < CVM_CONTRACT_LOADINGS; k++)
		deviations[k] = z * direction[k];
	cvm_axes_move(o->purchase_axes, o->purchases, deviations, theta);
	cvm_axes_move(o->spend_axes, o->spend, deviations + CVM_SPEND_LOADINGS, spend_theta);
	for (int i = first; i < total->n; i++)
	{
		const cvm_stake *stake = &total->sample[i].stake;
		double		weight = stake->purchases * fmax(1, threshold / total->sample[i].size);
		double		ratio = value_anew(o, theta, spend_theta, &stake->row) / stake->purchases;

		cvm_sum_add(&weights, weight);
		cvm_sum_add(&anew, weight * ratio);
		cvm_sum_add(&remainder, weight * (ratio - 1 - z * along(direction, stake->loading, 0, CVM_CONTRACT_LOADINGS) / stake->purchases));
	}
	if (!isfinite(cvm_sum_value(&anew)))
		return INFINITY;
	moved = purchases + z * along(direction, loading, 0, CVM_CONTRACT_LOADINGS) + cvm_sum_value(&remainder);
	return moved > 0 ? moved : purchases * cvm_sum_value(&anew) / cvm_sum_value(&weights);
}

/*
 * The factor by which the parameters move the group's value at a level.  Contracts
 * are taken as log-normal: what they have of a sum moves little.
 */
static double
parameter_factor(cvm_total *total, const cvm_outlook *o, double level)
{
	double		mean = cvm_sum_value(&total->mean);
	double		purchases = total->n > 0 ? cvm_sum_value(&total->purchases) : 0;
	double		contracts = fmax(mean - purchases, 0);
	double		size = sqrt(cvm_total_parameter_variance(total));
	double		z = cvm_normal_quantile(level);
	double		loading[CVM_MAX_LOADINGS];
	double		direction[CVM_MAX_LOADINGS];
	double		factor;

	if (!(size > 0) || z == 0)
		return 1;
	for (int k = 0; k < CVM_MAX_LOADINGS; k++)
	{
		loading[k] = cvm_sum_value(&total->loading[k]);
		direction[k] = loading[k] / size;
	}
	if (contracts > 0)
		contracts *= exp(z * along(direction, loading, CVM_CONTRACT_LOADINGS, CVM_MAX_LOADINGS) / contracts);
	if (purchases > 0)
		purchases = moved_purchases(total, o, direction, loading, z);
	factor = (purchases + contracts) / mean;
	return !isfinite(factor) ? INFINITY : z < 0 ? fmin(factor, 1) : fmax(factor, 1);
}

double
cvm_total_parameter_variance(const cvm_total *total)
{
	double		sum = 0;

	for (int k = 0; k < CVM_MAX_LOADINGS; k++)
		sum += cvm_sum_value(&total->loading[k]) * cvm_sum_value(&total->loading[k]);
	return sum;
}

/* ---------- both ---------- */

/*
 * mean + (sd / y) (exp(s z - s^2 / 2) - 1) with s^2 = ln(1 + y^2), y^3 + 3 y = skewness
 * (Johnson 1949); normal where there is no skewness.  Nothing is below 0.
 */
double
cvm_sum_quantile(double mean, double variance, double third, double level)
{
	double		sd = sqrt(variance);
	double		z = cvm_normal_quantile(level);
	double		y,
				s;

	if (!(mean > 0) || !(variance > 0))
		return mean > 0 ? mean : 0;
	if (!isfinite(mean) || !isfinite(variance) || !isfinite(third))
		return INFINITY;
	y = 2 * sinh(asinh(third / (variance * sd) / 2) / 3);
	if (fabs(y) < 1e-8)
		return fmax(mean + sd * z, 0);
	s = copysign(sqrt(log1p(y * y)), y);
	return fmax(mean + sd / y * expm1(s * z - s * s / 2), 0);
}

double
cvm_total_quantile(cvm_total *total, const cvm_outlook *outlook, double level)
{
	double		mean = cvm_sum_value(&total->mean);
	double		variance = cvm_sum_value(&total->variance);
	double		third = cvm_sum_value(&total->third);
	double		quantile = cvm_sum_quantile(mean, variance, third, level);
	double		factor,
				median,
				chance,
				parameters;

	if (!(quantile > 0) || !isfinite(quantile))
		return quantile;
	qsort(total->sample, total->n, sizeof(cvm_member), by_priority);
	factor = parameter_factor(total, outlook, level);
	median = cvm_sum_quantile(mean, variance, third, 0.5);
	if (!isfinite(factor) || !(median > 0))
		return quantile * factor;
	parameters = log(factor);
	chance = log(quantile / median);
	return median * exp(copysign(sqrt(chance * chance + parameters * parameters), level - 0.5));
}
