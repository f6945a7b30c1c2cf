/*
 * pareto_race.c: who comes first, the next purchase or leaving (see pareto.h).
 */
#include "models/pareto.h"

#include "math/quadrature.h"

#include <float.h>
#include <math.h>

/* By t a customer has neither bought nor left: (1 + t / alpha)^-r (1 + t / beta)^-s. */
double
cvm_race_log_open(const cvm_race *c, double t)
{
	return -c->r * log1p(t / c->alpha) - c->s * log1p(t / c->beta);
}

double
cvm_race_steepness(const cvm_race *c, double v)
{
	double		least = fmin(c->alpha, c->beta);
	double		e = least * exp(v);

	return c->r * e / (c->alpha - least + e) + (c->s + 1) * e / (c->beta - least + e);
}

double
cvm_race_panel(const cvm_race *c, double v, double widest, double drop)
{
	double		width = fmin(widest, drop / cvm_race_steepness(c, v));

	return fmin(width, drop / cvm_race_steepness(c, v + width));
}

/*
 * The error of n Gauss nodes on e^-u, 0 <= u <= drop, is below
 * drop^(2 n + 1) (n!)^4 / ((2 n + 1) (2 n)!^3): 2e-15 for n = 8, drop = 3, and
 * 1e-17 for n = 12, drop = 7.
 */
bool
cvm_race_is_short(const cvm_race *c, double v, double to)
{
	return to - v <= 1 && cvm_race_steepness(c, to) * (to - v) <= 3;
}

/* What an integral over v = ln(1 + y / least) holds fixed. */
typedef struct course
{
	cvm_race	c;
	double		least;
} course;

static double
leaving_density(double v, const void *context)
{
	const course *o = context;
	double		y = o->least * expm1(v);
	double		from_alpha = o->least == o->c.alpha ? v : log1p(y / o->c.alpha);
	double		from_beta = o->least == o->c.beta ? v : log1p(y / o->c.beta);

	return exp(v - o->c.r * from_alpha - (o->c.s + 1) * from_beta);
}

/* alpha and beta are within a factor of 2.5 */
static bool
scales_alike(const cvm_race *c)
{
	return fmin(c->alpha, c->beta) >= 0.4 * fmax(c->alpha, c->beta);
}

/*
 * P(leaving first, ever), where scales are alike:
 * s / (r + s) 2F1(r, 1; r + s + 1; z), z = 1 - beta / alpha <= 0.6, or
 * Euler-transformed with z = 1 - alpha / beta, so that all terms are positive
 * (formulas, section 1.3).
 */
static double
leaves_in_the_end(const cvm_race *c)
{
	double		sum = c->r + c->s;
	bool		slow = c->alpha < c->beta;	/* purchases have the shorter scale */
	double		z = slow ? (c->beta - c->alpha) / c->beta : (c->alpha - c->beta) / c->alpha;
	double		shape = slow ? c->s + 1 : c->r;
	double		term = 1;
	double		series = 1;

	for (int n = 0; n < 200 && term > DBL_EPSILON / 8 * series; n++)
	{
		term *= (shape + n) / (sum + 1 + n) * z;
		series += term;
	}
	return c->s / sum * series * (slow ? c->alpha / c->beta : 1);
}

/*
 * int_0^t (s / beta) (1 + y / alpha)^-r (1 + y / beta)^-(s + 1) dy.  In
 * v = ln(1 + y / min(alpha, beta)) the integrand is analytic up to pi from the
 * real axis and falls ever faster: panels follow its slope, and end where nothing
 * is left.  All terms are positive: nothing cancels for any parameters.
 */
double
cvm_race_leaves(const cvm_race *c, double t)
{
	course		o = {*c, fmin(c->alpha, c->beta)};
	double		far = isinf(t) ? fmax(c->alpha, c->beta) : t;
	double		end = fmin(log1p(far / o.least), 700 - fmax(0, log(o.least)));	/* what e^v can be */
	double		sum = 0;
	double		rest = 0;

	for (double v = 0; v < end;)
	{
		double		width = fmin(cvm_race_panel(c, v, 1.5, 7), end - v);
		double		part;

		if (!(v + width > v))
			break;				/* extreme parameters: it is over at once */
		part = cvm_race_is_short(c, v, v + width) ? cvm_integrate_short(leaving_density, &o, v, v + width)
			: cvm_integrate(leaving_density, &o, v, v + width, 1);

		sum += part;
		if (part < DBL_EPSILON / 64 * sum)
			break;
		v = v + width < end ? v + width : end;
	}
	if (isinf(t))
	{
		cvm_race	later = {c->r, c->alpha + far, c->s, c->beta + far};

		rest = exp(cvm_race_log_open(c, far)) * leaves_in_the_end(&later);
	}
	return c->s / c->beta * o.least * sum + rest;
}

/*
 * While neither has come the rest of the race is one of the same kind, so that
 * P(leaving first, by t) = P(ever) - open * P(ever, from t on).  The two series
 * cost less than the integral; what they lose by cancelling is small beside `open`.
 */
double
cvm_race_quiet(const cvm_race *c, double t, double *open)
{
	cvm_race	later = {c->r, c->alpha + t, c->s, c->beta + t};

	*open = exp(cvm_race_log_open(c, t));
	if (!scales_alike(c))
		return *open + cvm_race_leaves(c, t);
	return leaves_in_the_end(c) + *open * (1 - leaves_in_the_end(&later));
}

double
cvm_race_buys(const cvm_race *c, double t)
{
	cvm_race	swapped = {c->s, c->beta, c->r, c->alpha};

	return cvm_race_leaves(&swapped, t);
}
