/*
 * experiment_test.c: tails against forty-digit truth (truth/distribution.py), tests, intervals
 * and sample sizes against published numbers, and simulated experiments: as many false alarms
 * as promised, and as much power.  CVM_SOAK=1 runs ten times as many.
 */
#include "math/distribution.h"
#include "math/experiment.h"
#include "math/interval.h"
#include "math/random.h"
#include "tap.h"

#include <string.h>

enum
{
	NORMAL, STUDENT, STUDENT_QUANTILE, CHI_SQUARE, FUNCTIONS
};

typedef struct distribution_row
{
	int			what;
	double		a,
				b;
	double		truth;
} distribution_row;

#include "truth/distribution.h"

static const char *const name[] = {"normal tail", "t, two-sided", "t quantile", "chi-square tail"};

static double
compute(const distribution_row *row)
{
	switch (row->what)
	{
		case NORMAL:
			return cvm_normal_tail(row->a);
		case STUDENT:
			return cvm_two_sided(row->a, row->b);
		case STUDENT_QUANTILE:
			return cvm_student_quantile(row->b, row->a);
		default:
			return cvm_chi_square_tail(row->a, row->b);
	}
}

static void
test_truth(void)
{
	double		worst[FUNCTIONS] = {0};
	int			count[FUNCTIONS] = {0};
	const distribution_row *where[FUNCTIONS] = {0};

	for (size_t i = 0; i < sizeof(distribution) / sizeof(distribution[0]); i++)
	{
		const distribution_row *row = &distribution[i];
		double		error = relative_error(compute(row), row->truth, 0);

		count[row->what]++;
		if (where[row->what] == NULL || !(error <= worst[row->what]))
		{
			worst[row->what] = error;
			where[row->what] = row;
		}
	}
	for (int i = 0; i < FUNCTIONS; i++)
		ok(worst[i] < 5e-11, "%s: worst of %d is %.1e at (%g, %g)", name[i], count[i], worst[i], where[i]->a, where[i]->b);
}

/* ---------- sums ---------- */

static void
test_moments(void)
{
	cvm_moments far = {0};
	cvm_moments parts[2] = {0};
	cvm_moments constant = {0};
	cvm_moments huge = {0};
	cvm_arm		arm;

	for (int i = 0; i < 1000000; i++)
	{
		cvm_moments_add_pair(&far, 1e8 + i % 2, -1e8 - i % 2);
		cvm_moments_add_pair(&parts[i % 7 == 0], 1e8 + i % 2, -1e8 - i % 2);
		cvm_moments_add(&constant, 0.1);
	}
	arm = cvm_arm_of_y(&far);
	ok(arm.mean == 1e8 + 0.5, "mean of 1e8 and 1e8 + 1");
	close_to(arm.variance, 0.25 * 1e6 / (1e6 - 1), 4e-15, "their variance");
	close_to(cvm_moments_deviation(far.n, far.xy, far.x, far.y), -0.25e6, 4e-15, "their covariance");
	cvm_moments_merge(&parts[0], &parts[1]);
	ok(cvm_arm_of_y(&parts[0]).variance == arm.variance && cvm_arm_of_y(&parts[0]).mean == arm.mean, "two parts add up to the last digit");
	ok(cvm_arm_of_y(&constant).variance == 0 && cvm_arm_of_y(&constant).mean == 0.1, "a million times 0.1 has no variance");
	cvm_moments_add(&huge, 1e200);
	ok(!cvm_moments_finite(&huge) && cvm_moments_finite(&far), "squares that overflow are seen");
}

/* ---------- published numbers ---------- */

static cvm_moments
moments_of(int n, const double *y, const double *x)
{
	cvm_moments m = {0};

	for (int i = 0; i < n; i++)
		cvm_moments_add_pair(&m, y[i], x ? x[i] : 0);
	return m;
}

/* Student (1908), Cushny & Peebles' sleep data; R 4: t.test(extra ~ group) */
static void
test_welch(void)
{
	static const double first[] = {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0, 2.0};
	static const double second[] = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};
	cvm_moments m1 = moments_of(10, first, NULL);
	cvm_moments m2 = moments_of(10, second, NULL);
	cvm_arm		a = cvm_arm_of_y(&m1);
	cvm_arm		b = cvm_arm_of_y(&m2);
	cvm_arm		none = {0, NAN, NAN};
	cvm_arm		one = {1, 3, NAN};
	cvm_arm		flat = {5, 0, 0};
	cvm_difference d = cvm_welch(&a, &b, 0.95);

	close_to(d.statistic, -1.8608134674868526, 1e-13, "sleep: t");
	close_to(d.degrees, 17.776473516178495, 1e-13, "sleep: degrees of freedom");
	close_to(d.p, 0.0793941401873582, 1e-13, "sleep: p");
	close_to(d.low, -3.365483230711636, 1e-13, "sleep: low");
	close_to(d.high, 0.20548323071163632, 1e-12, "sleep: high");
	d = cvm_welch(&a, &none, 0.95);
	ok(d.reason == CVM_ONE_ARM && isnan(d.difference) && isnan(d.p), "one arm: nothing");
	d = cvm_welch(&a, &one, 0.95);
	ok(d.reason == CVM_TOO_FEW && d.difference == a.mean - 3 && isnan(d.p) && isnan(d.low), "one customer: a difference only");
	d = cvm_welch(&flat, &flat, 0.95);
	ok(d.reason == CVM_NO_VARIANCE && d.difference == 0 && isnan(d.p) && isnan(d.high), "no variance: a difference only");
	d = cvm_welch(&a, &flat, 0.95);
	ok(d.reason == CVM_CONTROL_ZERO && d.p > 0 && isnan(d.relative), "control 0: no relative difference");
}

static void
test_proportions(void)
{
	double		low,
				high;
	cvm_difference d = cvm_two_proportions(56, 70, 48, 80, 0.95, &low, &high);

	close_to(d.statistic, 2.6501719512585336, 1e-14, "56/70 against 48/80: z");
	close_to(d.p, 0.00804508136819656, 1e-12, "p");
	close_to(low, 0.05750489914903714, 1e-12, "Wald's low");
	close_to(high, 0.342495100850963, 1e-12, "Wald's high");
	close_to(d.low, 0.05243147240236498, 1e-12, "Newcombe's low");
	close_to(d.high, 0.333872654036906, 1e-12, "Newcombe's high");
	/* Newcombe (1998), table II, method 10: 9/10 - 3/10, 10/10 - 0/20 and 0/10 - 0/20 */
	d = cvm_two_proportions(9, 10, 3, 10, 0.95, &low, &high);
	ok(fabs(d.low - 0.1705) < 5e-5 && fabs(d.high - 0.8090) < 5e-5, "9/10 - 3/10: %.4f to %.4f", d.low, d.high);
	d = cvm_two_proportions(10, 10, 0, 20, 0.95, &low, &high);
	ok(fabs(d.low - 0.6791) < 5e-5 && d.high == 1 && d.reason == CVM_CONTROL_ZERO && isnan(low) && isnan(d.relative),
	   "10/10 - 0/20: %.4f to 1", d.low);
	d = cvm_two_proportions(0, 10, 0, 20, 0.95, &low, &high);
	ok(fabs(d.low + 0.1611) < 5e-5 && fabs(d.high - 0.2775) < 5e-5 && d.reason == CVM_NO_VARIANCE && isnan(d.p) && isnan(low),
	   "0/10 - 0/20: %.4f to %.4f, and no p", d.low, d.high);
	ok(cvm_two_proportions(0, 0, 1, 2, 0.95, &low, &high).reason == CVM_ONE_ARM, "one arm");
}

static void
test_cuped(void)
{
	static const double y[] = {14.61, 4.2, 9.94, 9.25, 9.39, 10.24, 6.11, 10.24, 7.94, 20.52, 11.09, 9.65};
	static const double x[] = {16.12, 2.33, 11.25, 8.3, 8.64, 9.35, 3.94, 9.3, 7.4, 19.97, 10.68, 8.94};
	cvm_moments arm[2] = {0};
	cvm_moments constant[2] = {0};
	cvm_moments copy[2] = {0};
	cvm_cuped_difference c;

	for (int i = 0; i < 12; i++)
	{
		cvm_moments_add_pair(&arm[i % 2], y[i], x[i]);
		cvm_moments_add_pair(&constant[i % 2], y[i], 0.1);
		cvm_moments_add_pair(&copy[i % 2], y[i], 3 * y[i] + 1);
	}
	c = cvm_cuped(&arm[1], &arm[0], 0.95);
	close_to(c.theta, 0.8523156670963382, 1e-13, "CUPED: theta");
	close_to(c.unadjusted, 0.8366666666666696, 1e-13, "difference without it");
	close_to(c.adjusted.difference, 0.8139382488774345, 1e-13, "difference");
	close_to(c.variance_ratio, 0.038559660143138164, 1e-12, "1 - rho^2");
	ok(c.adjusted.error < 0.25 * cvm_welch(&(cvm_arm){6, 0, cvm_arm_of_y(&arm[0]).variance}, &(cvm_arm){6, 0, cvm_arm_of_y(&arm[1]).variance}, 0.95).error,
	   "the standard error falls below a quarter");
	c = cvm_cuped(&constant[1], &constant[0], 0.95);
	ok(c.adjusted.reason == CVM_CONSTANT_COVARIATE && isnan(c.adjusted.difference) && isnan(c.theta) && c.unadjusted > 0.83, "a constant covariate adjusts nothing");
	c = cvm_cuped(&copy[1], &copy[0], 0.95);
	ok(c.adjusted.reason == CVM_NO_VARIANCE && isnan(c.adjusted.p) && c.variance_ratio < 1e-15, "a covariate that explains everything leaves no variance");
	c = cvm_cuped(&copy[1], &(cvm_moments){0}, 0.95);
	ok(c.adjusted.reason == CVM_ONE_ARM && isnan(c.adjusted.difference), "one arm");
}

static void
test_design(void)
{
	cvm_design	d = {0.05, 0.8, 1};
	cvm_design	uneven = {0.01, 0.9, 3};
	double		chi_square;
	double		counts[] = {30, 50, 20};
	double		shares[] = {1, 2, 1};

	close_to(cvm_mde_proportions(10000, 0.05, &d), 0.008635065574523239, 1e-13, "MDE of 5 % with 10,000 an arm");
	close_to(cvm_sample_size_proportions(0.1, 0.12, false, &d), 3838.1021900967044, 1e-13, "customers for 10 % -> 12 %");
	close_to(cvm_sample_size_proportions(0.1, 0.12, true, &d), 3840.847482436272, 1e-13, "the same, pooled");
	close_to(cvm_sample_size_means(1, 10, &d), 1569.7759468698177, 1e-13, "customers for 1 of a standard deviation of 10");
	close_to(cvm_mde_means(cvm_sample_size_means(-0.3, 2, &uneven), 2, &uneven), 0.3, 1e-14, "MDE and sample size are inverse");
	ok(fabs(cvm_power_means(cvm_sample_size_means(-0.3, 2, &uneven), -0.3, 2, &uneven) - 0.9) < 1e-6, "so is power, of means");
	ok(fabs(cvm_power_proportions(cvm_sample_size_proportions(0.3, 0.2, true, &uneven), 0.3, 0.2, true, &uneven) - 0.9) < 1e-6, "and of proportions");
	close_to(cvm_power_means(1000, 0, 1, &d), 0.05, 1e-14, "without an effect it is alpha");
	ok(isnan(cvm_mde_proportions(4, 0.5, &d)), "no rate is 100 points above 50 %%");
	/* (30 - 25)^2 / 25 + 0 + (20 - 25)^2 / 25 = 2 and e^-1 */
	close_to(cvm_sample_ratio(3, counts, shares, &chi_square), exp(-1), 1e-14, "sample ratio 30 : 50 : 20 for 1 : 2 : 1");
	ok(chi_square == 2, "its chi-square");
}

/* ---------- simulated experiments ---------- */

static int
runs(void)
{
	return getenv("CVM_SOAK") && atoi(getenv("CVM_SOAK")) ? 20000 : 2000;
}

/* y has correlation 0.7 with x; skewed like revenue if `skewed` */
static void
draw(cvm_rng *rng, cvm_moments *m, int n, double effect, bool skewed)
{
	for (int i = 0; i < n; i++)
	{
		double		x = cvm_rng_normal(rng);
		double		y = 0.7 * x + sqrt(0.51) * cvm_rng_normal(rng);

		cvm_moments_add_pair(m, (skewed ? (exp(y) - exp(0.5)) / sqrt(exp(2) - exp(1)) : y) + effect, x);
	}
}

static void
test_false_alarms(bool skewed)
{
	cvm_rng		rng;
	int			welch = 0;
	int			cuped = 0;
	int			covered = 0;

	cvm_rng_seed(&rng, skewed ? 22 : 21);
	for (int run = 0; run < runs(); run++)
	{
		cvm_moments arm[2] = {0};
		cvm_arm		a,
					b;
		cvm_cuped_difference c;

		draw(&rng, &arm[0], 200, 0, skewed);
		draw(&rng, &arm[1], 300, 0, skewed);
		a = cvm_arm_of_y(&arm[1]);
		b = cvm_arm_of_y(&arm[0]);
		c = cvm_cuped(&arm[1], &arm[0], 0.95);
		welch += cvm_welch(&a, &b, 0.95).p < 0.05;
		cuped += c.adjusted.p < 0.05;
		covered += c.adjusted.low <= 0 && c.adjusted.high >= 0;
	}
	ok(fabs(welch / (double) runs() - 0.05) <= 0.01, "no effect%s: %.2f %% of %d are significant", skewed ? ", skewed" : "", 100.0 * welch / runs(), runs());
	ok(fabs(cuped / (double) runs() - 0.05) <= 0.01, "the same with CUPED: %.2f %%", 100.0 * cuped / runs());
	ok(covered == runs() - cuped, "p and interval say the same");
}

static void
test_false_alarms_proportions(void)
{
	cvm_rng		rng;
	int			z = 0;
	int			outside = 0;
	double		low,
				high;

	cvm_rng_seed(&rng, 23);
	for (int run = 0; run < runs(); run++)
	{
		int			hits[2] = {0};
		cvm_difference d;

		for (int i = 0; i < 1600; i++)
			hits[i % 2] += cvm_rng_uniform(&rng) < 0.1;
		d = cvm_two_proportions(hits[1], 800, hits[0], 800, 0.95, &low, &high);
		z += d.p < 0.05;
		outside += d.low > 0 || d.high < 0;
	}
	ok(fabs(z / (double) runs() - 0.05) <= 0.01, "no effect on a rate: %.2f %% are significant", 100.0 * z / runs());
	ok(fabs(outside / (double) runs() - 0.05) <= 0.01, "Newcombe's interval misses 0 in %.2f %%", 100.0 * outside / runs());
}

/* Looks after every 50 customers an arm, 25 times: the plain p against the guarded one. */
static void
test_peeking(void)
{
	cvm_rng		rng;
	int			plain = 0;
	int			guarded = 0;
	int			guarded_cuped = 0;
	int			interval = 0;
	int			found = 0;

	cvm_rng_seed(&rng, 24);
	for (int run = 0; run < runs(); run++)
	{
		cvm_moments arm[3] = {0};
		bool		significant[5] = {false};

		for (int look = 0; look < 25; look++)
		{
			cvm_arm		a,
						b,
						lifted;
			cvm_difference d;
			cvm_cuped_difference c;

			draw(&rng, &arm[0], 50, 0, false);
			draw(&rng, &arm[1], 50, 0, false);
			draw(&rng, &arm[2], 50, 0.2, false);
			a = cvm_arm_of_y(&arm[1]);
			b = cvm_arm_of_y(&arm[0]);
			lifted = cvm_arm_of_y(&arm[2]);
			d = cvm_welch(&a, &b, 0.95);
			c = cvm_cuped(&arm[1], &arm[0], 0.95);
			significant[0] |= d.p < 0.05;
			significant[1] |= cvm_always_valid_p(d.difference, d.error, 0.2) < 0.05;
			significant[2] |= cvm_always_valid_p(c.adjusted.difference, c.adjusted.error, 0.2) < 0.05;
			significant[3] |= fabs(d.difference) > cvm_always_valid_margin(d.error, 0.2, 0.95);
			d = cvm_welch(&lifted, &b, 0.95);
			significant[4] |= cvm_always_valid_p(d.difference, d.error, 0.2) < 0.05;
		}
		plain += significant[0];
		guarded += significant[1];
		guarded_cuped += significant[2];
		interval += significant[3];
		found += significant[4];
	}
	ok(plain / (double) runs() > 0.2, "25 looks at a plain p: %.1f %% false alarms", 100.0 * plain / runs());
	ok(guarded / (double) runs() <= 0.05, "at the always-valid p: %.2f %%", 100.0 * guarded / runs());
	ok(guarded_cuped / (double) runs() <= 0.05, "with CUPED: %.2f %%", 100.0 * guarded_cuped / runs());
	ok(interval == guarded, "p and interval say the same");
	ok(found / (double) runs() > 0.95, "an effect of 0.2 standard deviations is found in %.1f %%", 100.0 * found / runs());
}

static void
test_power(void)
{
	cvm_rng		rng;
	cvm_design	d = {0.05, 0.8, 1};
	int			trials = 2 * runs();
	int			n = ceil(cvm_sample_size_means(0.2, 1, &d));
	int			smaller = ceil(cvm_sample_size_means(0.2, sqrt(0.51), &d));
	int			rates = ceil(cvm_sample_size_proportions(0.1, 0.15, true, &d));
	int			means = 0;
	int			cuped = 0;
	int			proportions = 0;
	double		low,
				high;

	cvm_rng_seed(&rng, 25);
	for (int run = 0; run < trials; run++)
	{
		cvm_moments arm[2] = {0};
		cvm_moments few[2] = {0};
		int			hits[2] = {0};
		cvm_arm		a,
					b;

		draw(&rng, &arm[0], n, 0, false);
		draw(&rng, &arm[1], n, 0.2, false);
		draw(&rng, &few[0], smaller, 0, false);
		draw(&rng, &few[1], smaller, 0.2, false);
		a = cvm_arm_of_y(&arm[1]);
		b = cvm_arm_of_y(&arm[0]);
		means += cvm_welch(&a, &b, 0.95).p < 0.05;
		cuped += cvm_cuped(&few[1], &few[0], 0.95).adjusted.p < 0.05;
		for (int i = 0; i < rates; i++)
		{
			hits[0] += cvm_rng_uniform(&rng) < 0.1;
			hits[1] += cvm_rng_uniform(&rng) < 0.15;
		}
		proportions += cvm_two_proportions(hits[1], rates, hits[0], rates, 0.95, &low, &high).p < 0.05;
	}
	ok(fabs(means / (double) trials - 0.8) <= 0.02, "%d an arm find 0.2 standard deviations in %.1f %%", n, 100.0 * means / trials);
	ok(fabs(cuped / (double) trials - 0.8) <= 0.02, "with CUPED %d do, in %.1f %%", smaller, 100.0 * cuped / trials);
	ok(fabs(proportions / (double) trials - 0.8) <= 0.02, "%d an arm find 10 %% -> 15 %% in %.1f %%", rates, 100.0 * proportions / trials);
}

int
main(void)
{
	test_truth();
	test_moments();
	test_welch();
	test_proportions();
	test_cuped();
	test_design();
	test_false_alarms(false);
	test_false_alarms(true);
	test_false_alarms_proportions();
	test_peeking();
	test_power();
	return done_testing();
}
