/*
 * special_test.c: special functions, quadrature and eigenvalues against
 * fifty-digit truth (truth/special.py) and identities.
 */
#include "math/optimise.h"
#include "math/quadrature.h"
#include "math/special.h"
#include "tap.h"

enum
{
	DIGAMMA, TRIGAMMA, LOG_RISING, DIGAMMA_RISE, TRIGAMMA_RISE, LOG_BETA, LOG_SURVIVE,
	LOG_BETA_KERNEL, INCOMPLETE_BETA, EXP_INTEGRAL, FUNCTIONS
};

typedef struct special_row
{
	int			what;
	double		a,
				b,
				c;
	double		truth;
} special_row;

#include "truth/special.h"

static const char *const name[] = {
	"digamma", "trigamma", "log_rising", "digamma_rise", "trigamma_rise", "log_beta", "log_survive",
	"log_beta_kernel", "incomplete_beta", "exp_integral"
};

static double
compute(const special_row *row)
{
	switch (row->what)
	{
		case DIGAMMA:
			return cvm_digamma(row->a);
		case TRIGAMMA:
			return cvm_trigamma(row->a);
		case LOG_RISING:
			return cvm_log_rising(row->a, row->b);
		case DIGAMMA_RISE:
			return cvm_digamma_rise(row->a, row->b);
		case TRIGAMMA_RISE:
			return cvm_trigamma_rise(row->a, row->b);
		case LOG_BETA:
			return cvm_log_beta(row->a, row->b);
		case LOG_SURVIVE:
			return cvm_log_survive(row->a, row->b, row->c);
		case LOG_BETA_KERNEL:
			return cvm_log_beta_kernel(row->a, row->b, row->c, 1 - row->c);
		case INCOMPLETE_BETA:
			return cvm_incomplete_beta(row->a, row->b, row->c, 1 - row->c);
		default:
			return cvm_exp_integral(row->a, row->b);
	}
}

/* Logarithms are as good as their size or 1 allows; the rest, and log_survive, is relative. */
static double
least(int what)
{
	switch (what)
	{
		case LOG_RISING:
		case LOG_BETA:
		case LOG_BETA_KERNEL:
		case DIGAMMA:
			return 1;
		default:
			return 0;
	}
}

static void
test_truth(void)
{
	double		worst[FUNCTIONS] = {0};
	const special_row *where[FUNCTIONS] = {NULL};
	int			count[FUNCTIONS] = {0};

	for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
	{
		const special_row *row = &special[i];
		double		error = relative_error(compute(row), row->truth, least(row->what));

		count[row->what]++;
		if (where[row->what] == NULL || !(error <= worst[row->what]))
		{
			worst[row->what] = error;
			where[row->what] = row;
		}
	}
	for (int i = 0; i < FUNCTIONS; i++)
		ok(worst[i] < 1e-12, "%s: worst of %d is %.1e at (%g, %g, %g)", name[i], count[i],
		   worst[i], where[i]->a, where[i]->b, where[i]->c);
}

static double
cosine(double at, const void *context)
{
	(void) context;
	return cos(at);
}

static double
itself(double p, const void *context)
{
	(void) context;
	return p;
}

static double
saturating(double p, const void *context)
{
	return 1 / (*(const double *) context + p);
}

/* E[p] = a / (a + b) over shapes from needle to plateau */
static void
test_quadrature(void)
{
	static const double shape[] = {1e-3, .05, .8, 1, 5, 40, 1e3, 1e5};
	double		worst = 0;

	ok(fabs(cvm_integrate(cosine, NULL, 0, 3, 2) - sin(3)) < 1e-14, "integrate: cos over [0, 3]");
	for (int i = 0; i < 8; i++)
		for (int j = 0; j < 8; j++)
		{
			double		mean = cvm_beta_mean(itself, NULL, shape[i], shape[j], 1);

			worst = fmax(worst, fabs(mean * (shape[i] + shape[j]) / shape[i] - 1));
		}
	ok(worst < 1e-11, "beta_mean: E[p] of 64 shapes, worst %.1e", worst);
	worst = 0;
	for (double finest = 1e-12; finest <= 1; finest *= 10)
	{
		double		mean = cvm_beta_mean(saturating, &finest, 1, 1, finest);

		worst = fmax(worst, fabs(mean / log1p(1 / finest) - 1));
	}
	ok(worst < 1e-11, "beta_mean: a knee at 1e-12 to 1, worst %.1e", worst);
}

/* A Hilbert matrix: its eigenvalues span nine decades; the smallest is known. */
static void
test_eigen(void)
{
	double		a[36];
	double		values[CVM_MAX_VARIABLES];
	double		vectors[CVM_MAX_VARIABLES][CVM_MAX_VARIABLES];
	double		worst = 0;

	for (int i = 0; i < 6; i++)
		for (int j = 0; j < 6; j++)
			a[6 * i + j] = 1.0 / (i + j + 1);
	cvm_eigen(6, a, values, vectors);
	for (int k = 0; k < 6; k++)
		for (int i = 0; i < 6; i++)
		{
			double		product = 0;

			for (int j = 0; j < 6; j++)
				product += a[6 * i + j] * vectors[k][j];
			worst = fmax(worst, fabs(product - values[k] * vectors[k][i]));
		}
	ok(worst < 1e-15 && fabs(values[0] / 1.08279948450454e-07 - 1) < 1e-6
	   && fabs(values[5] / 1.61889985892434 - 1) < 1e-13,
	   "eigen: 6 x 6 Hilbert matrix, residual %.1e", worst);
}

int
main(void)
{
	test_truth();
	ok(cvm_log_sum_exp(-INFINITY, 3) == 3 && cvm_log_sum_exp(-INFINITY, -INFINITY) == -INFINITY
	   && fabs(cvm_log_sum_exp(1000, 1000) - 1000 - log(2)) < 1e-12, "log_sum_exp: limits");
	ok(cvm_incomplete_beta(2, 3, 0, 1) == 0 && cvm_incomplete_beta(2, 3, 1, 0) == 1,
	   "incomplete_beta: 0 and 1 at the ends");
	ok(cvm_exp_integral(1, 0) == INFINITY && cvm_exp_integral(3, 0) == 0.5,
	   "exp_integral: limits at z = 0");
	test_quadrature();
	test_eigen();
	return done_testing();
}
