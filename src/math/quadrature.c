/*
 * quadrature.c: integrals (see quadrature.h).
 */
#include "math/quadrature.h"

#include <math.h>
#include <stdbool.h>

/* Gauss-Legendre, 12 points, the positive half (Abramowitz & Stegun 1964, table 25.4). */
static const double node[] = {
	0.1252334085114689154724414, 0.3678314989981801937526915, 0.5873179542866174472967024,
	0.7699026741943046870368938, 0.9041172563704748566784659, 0.9815606342467192506905491,
};
static const double weight[] = {
	0.2491470458134027850005624, 0.2334925365383548087608499, 0.2031674267230659217490645,
	0.1600783285433462263346525, 0.1069393259953184309602547, 0.0471753363865118271946160,
};

double
cvm_integrate(cvm_integrand f, const void *context, double from, double to, int panels)
{
	double		half = (to - from) / (2 * panels);
	double		sum = 0;

	for (int i = 0; i < panels; i++)
	{
		double		middle = from + (2 * i + 1) * half;

		for (int k = 0; k < 6; k++)
			sum += weight[k] * (f(middle - half * node[k], context)
								+ f(middle + half * node[k], context));
	}
	return half * sum;
}

/* The same of 8 points. */
static const double short_node[] = {
	0.1834346424956498049394761, 0.525532409916328985817739,
	0.7966664774136267395915539, 0.9602898564975362316835609,
};
static const double short_weight[] = {
	0.3626837833783619829651504, 0.3137066458778872873379622,
	0.222381034453374470544356, 0.1012285362903762591525314,
};

double
cvm_integrate_short(cvm_integrand f, const void *context, double from, double to)
{
	double		half = 0.5 * (to - from);
	double		middle = from + half;
	double		sum = 0;

	for (int k = 0; k < 4; k++)
		sum += short_weight[k] * (f(middle - half * short_node[k], context)
								  + f(middle + half * short_node[k], context));
	return half * sum;
}

void
cvm_integrate_all(cvm_integrands f, const void *context, double from, double to,
				  bool brief, int n, double *sums)
{
	double		half = 0.5 * (to - from);
	double		middle = from + half;
	int			pairs = brief ? 4 : 6;
	double		values[16];

	for (int k = 0; k < 2 * pairs; k++)
	{
		double		offset = half * (brief ? short_node : node)[k / 2];
		double		by = half * (brief ? short_weight : weight)[k / 2];

		f(k % 2 == 0 ? middle - offset : middle + offset, context, values);
		for (int c = 0; c < n; c++)
			sums[c] += by * values[c];
	}
}

/* Gauss-Laguerre, 12 points; the weights times e^node (Abramowitz & Stegun 1964, table 25.9). */
static const double tail_node[] = {
	0.1157221173580206752672, 0.6117574845151306653916, 1.512610269776418786782, 2.833751337743507228627,
	4.599227639418348484606, 6.844525453115177347754, 9.621316842456867043912, 13.00605499330634772035,
	17.11685518746225572818, 22.15109037939700566992, 28.48796725098400031257, 37.09912104446692033664,
};
static const double tail_weight[] = {
	0.297209636044410797792, 0.6964629804305972306781, 1.107781394615752153339, 1.538464239042829124794,
	1.998327606274242765197, 2.500745769100866874751, 3.065321518282386236205, 3.723289110782771599996,
	4.529814029981735062093, 5.597258461835321092691, 7.212995460925877008171, 10.54383746191008111172,
};

void
cvm_integrate_tail(cvm_integrands f, const void *context, double from, double decay,
				   int n, double *sums)
{
	double		values[16];

	for (int k = 0; k < 12; k++)
	{
		f(from + tail_node[k] / decay, context, values);
		for (int c = 0; c < n; c++)
			sums[c] += tail_weight[k] / decay * values[c];
	}
}

#define STEP 0.28				/* error e^(-pi^2 / STEP) = 5e-16 of a Gumbel-like knee, times a power of 1 / STEP */
#define NEGLIGIBLE 1e-16

/* The trapezoidal rule of cvm_beta_mean, as it walks from the centre to one side. */
typedef struct walk
{
	double		a,
				b,
				mode;			/* log density at its mode */
	double		centre,			/* y of s = 0 */
				scale,			/* of y against s */
				reach;			/* |s| at which y begins to run away exponentially */
	double		mass,			/* sum of density */
				sum;			/* sum of density * f */
} walk;

/* ln of p^a (1 - p)^b at y = logit p; sets p */
static double
log_density(double a, double b, double y, double *p)
{
	double		e;

	if (y <= 0)
	{
		e = exp(y);
		*p = e / (1 + e);
		return a * y - (a + b) * log1p(e);
	}
	e = exp(-y);
	*p = 1 / (1 + e);
	return -b * y - (a + b) * log1p(e);
}

/* Add the nodes s = from, from + step, ... until nothing more is to come. */
static void
walk_one_side(walk *w, cvm_integrand f, const void *context, double from, double step)
{
	double		s = from;
	double		up = exp(s - w->reach);
	double		down = exp(-s - w->reach);
	double		factor = exp(step);
	double		last_density = 0,
				last_term = 0;

	for (int i = 0; i < 5000; i++)
	{
		double		y = w->centre + w->scale * (s + up - down);
		double		slope = 1 + up + down;
		double		p,
					density,
					term;

		density = slope * exp(log_density(w->a, w->b, y, &p) - w->mode);
		term = density * f(p, context);
		w->mass += density;
		w->sum += term;
		if (!isfinite(w->sum))
			break;				/* nothing adds to that */
		if (density <= NEGLIGIBLE * w->mass && term <= NEGLIGIBLE * w->sum
			&& density <= last_density && term <= last_term)
			break;
		last_density = density;
		last_term = term;
		s += step;
		up *= factor;
		down /= factor;
	}
}

/*
 * Trapezoidal rule in y = logit p, divided by the same rule for the density
 * alone, so that no B(a, b) is needed and common errors cancel.  The integrand
 * p^a (1 - p)^b f is analytic for |Im y| < pi, which makes the rule converge
 * like exp(-2 pi^2 / step), at worst (Gumbel-like for large b) exp(-pi^2 / step).
 * Its tails are pure exponentials e^(a y), e^(-b y), endless for small a or b:
 * beyond the knees (at ln a, -ln b and ln finest) y therefore grows
 * exponentially in s, as in the double exponential rule (Takahasi & Mori 1974).
 * For large a and b the peak is narrow, and so is the step.
 */
double
cvm_beta_mean(cvm_integrand f, const void *context, double a, double b, double finest)
{
	double		left = -log(fmax(fmax(b, 1), fmin(1 / finest, 1e30)));
	double		right = log(fmax(a, 1));
	double		start,
				p;
	walk		w = {.a = a, .b = b};

	w.mode = log_density(a, b, log(a / b), &p);
	w.scale = fmin(1, 1.2 * sqrt(1 / a + 1 / b));
	w.centre = 0.5 * (left + right);
	w.reach = fmax(0.5 * (right - left) / w.scale + 2, 6);
	start = (log(a / b) - w.centre) / w.scale;
	start = fmax(-w.reach, fmin(w.reach, start));
	walk_one_side(&w, f, context, start, STEP);
	walk_one_side(&w, f, context, start - STEP, -STEP);
	return w.sum / w.mass;
}
