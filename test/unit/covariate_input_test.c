/*
 * covariate_input_test.c: fits with covariates that can not be told apart, that have no
 * maximum, of few customers, in other units; and environments that give up.
 */
#include "covariates.h"

static const char *
trouble_of(const cvm_covariate_fit *fit)
{
	static char text[64];

	snprintf(text, sizeof(text), "%d %d:", fit->trouble, fit->culprit);
	for (int k = 0; k < MOST; k++)
		if (fit->involved[k])
			snprintf(text + strlen(text), sizeof(text) - strlen(text), " %d", k);
	return text;
}

/* How covariates may not be told apart. */
static void
test_trouble(void)
{
	static const struct
	{
		const char *what;
		int			kind;
		const char *expected;
	}			cases[] = {
		{"constant", 0, "1 1:"}, {"twice", 1, "2 2: 0"}, {"sum of two", 2, "2 2: 0 1"}, {"all levels", 3, "2 2: 0 1"},
		{"a large number plus rounding", 4, "1 1:"}, {"each on its own process", 5, "0 0:"}, {"the same process", 6, "2 3: 0"}
	};

	for (size_t k = 0; k < COUNT(cases); k++)
	{
		customers	c = new_customers(0, 4, 500);
		static const double none[3 * MOST] = {0};
		cvm_covariate_data data = data_of(&c);
		cvm_covariate_fit fit;
		cvm_status	status;
		cvm_rng		rng;

		cvm_rng_seed(&rng, 3);
		for (size_t i = 0; i < c.n; i++)
		{
			double	   *z = c.z + 4 * i;

			z[0] = cvm_rng_normal(&rng);
			z[1] = cases[k].kind == 0 ? 7 : cases[k].kind == 4 ? 1e12 + 1e-4 * (i % 2) : 100 + cvm_rng_normal(&rng);
			z[2] = cases[k].kind == 1 ? 5 - 3 * z[0] : cases[k].kind == 2 ? 1e6 + z[0] - 2 * z[1] : cvm_rng_normal(&rng);
			z[3] = cases[k].kind >= 5 ? 2 * z[0] : cvm_rng_normal(&rng);
			if (cases[k].kind == 3)
			{
				z[0] = i % 3 == 0;
				z[1] = i % 3 == 1;
				z[2] = i % 3 == 2;
			}
		}
		c.process[3] = cases[k].kind == 5 ? CVM_ON_DROPOUT : CVM_ON_BOTH;
		c.process[0] = cases[k].kind >= 5 ? CVM_ON_PURCHASE : CVM_ON_BOTH;
		simulate(&c, truth[0], none, &rng);
		status = cvm_fit_covariates(&data, &cvm_plain_env, &fit);
		ok(status == CVM_OK && strcmp(trouble_of(&fit), cases[k].expected) == 0, "%s: \"%s\"", cases[k].what, trouble_of(&fit));
		cvm_covariate_release(&cvm_plain_env, &fit);
		free_customers(&c);
	}
}

/* A group that never comes back has a coefficient of minus infinity: the result says that it was penalised. */
static void
test_separation(int which)
{
	static const double none[3 * MOST] = {0};
	customers	c = new_customers(which, 2, 3000);
	cvm_covariate_data data = data_of(&c);
	cvm_covariate_fit fit;
	cvm_status	status;
	double		p;
	bool		sane;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 8);
	for (size_t i = 0; i < c.n; i++)
	{
		c.z[2 * i] = i % 10 == 0;
		c.z[2 * i + 1] = cvm_rng_normal(&rng);
	}
	simulate(&c, truth[which], none, &rng);
	for (size_t i = 0; i < c.n; i += 10)
		c.row[i].x = c.row[i].t_x = 0;
	status = cvm_fit_covariates(&data, &cvm_plain_env, &fit);
	sane = status == CVM_OK && fit.model.rung == CVM_RUNG_PENALISED && fit.coefficient[0] < -1 && fit.model.has_covariance;
	for (int e = 0; e < fit.effects && sane; e++)
		sane = isfinite(fit.coefficient[e]) && fit.covariance[(4 + e) * (5 + fit.effects)] > 0;
	ok(sane && cvm_covariate_ratio(&fit.plain, &fit.model, fit.effects, &p) > 0 && isnan(p),
	   "%s, a group that never comes back: penalised, purchase coefficient %.2f, no p", c.family->name, fit.coefficient[0]);
	cvm_covariate_release(&cvm_plain_env, &fit);
	free_customers(&c);
}

/* Coefficients of d, whose covariates are scale * z + origin in the first column, against those of a fit to z. */
static double
worst_after(customers *d, const double *z, double scale, double origin, const cvm_covariate_fit *fit)
{
	cvm_covariate_data data = data_of(d);
	cvm_covariate_fit again;
	double		worst = 0;

	for (size_t i = 0; i < d->n; i++)
		d->z[2 * i] = origin + scale * z[2 * i];
	if (cvm_fit_covariates(&data, &cvm_plain_env, &again) != CVM_OK || again.model.rung != fit->model.rung)
		return INFINITY;
	for (int e = 0; e < fit->effects; e++)
	{
		double		unit = fit->effect[e].covariate == 0 ? scale : 1;
		int			at = (4 + e) * (5 + fit->effects);

		worst = fmax(worst, fabs(again.coefficient[e] * unit - fit->coefficient[e]));
		worst = fmax(worst, fabs(sqrt(again.covariance[at]) * fabs(unit) / sqrt(fit->covariance[at]) - 1));
	}
	worst = fmax(worst, fabs(again.model.loglik - fit->model.loglik));
	cvm_covariate_release(&cvm_plain_env, &again);
	return worst;
}

/* The order of rows and equal ones as one with a weight change nothing; another unit and origin of a covariate what they should. */
static void
test_invariance(int which)
{
	static const double coefficient[] = {0.5, -0.3, 0.3, 0.2, -0.2, 0.1};
	customers	c = new_customers(which, 2, 2400);
	customers	d = new_customers(which, 2, 2400);
	customers	twice = new_customers(which, 2, 4800);
	cvm_covariate_data data = data_of(&c);
	cvm_covariate_data other = data_of(&d);
	cvm_covariate_data more = data_of(&twice);
	cvm_covariate_fit fit,
				again;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 21);
	for (size_t i = 0; i < c.n; i++)
	{
		c.z[2 * i] = cvm_rng_normal(&rng);
		c.z[2 * i + 1] = (double) (i % 2);
	}
	simulate(&c, truth[which], coefficient, &rng);
	for (size_t i = 0; i < c.n; i++)
	{
		size_t		to = i * 7 % c.n;	/* 7 and 2,400 have no common divisor */

		d.row[to] = c.row[i];
		memcpy(d.z + 2 * to, c.z + 2 * i, 2 * sizeof(double));
		twice.row[i] = twice.row[c.n + i] = c.row[i];
		memcpy(twice.z + 2 * i, c.z + 2 * i, 2 * sizeof(double));
		memcpy(twice.z + 2 * (c.n + i), c.z + 2 * i, 2 * sizeof(double));
	}
	cvm_fit_covariates(&data, &cvm_plain_env, &fit);
	cvm_fit_covariates(&other, &cvm_plain_env, &again);
	ok(memcmp(fit.coefficient, again.coefficient, sizeof(fit.coefficient)) == 0
	   && memcmp(fit.model.theta, again.model.theta, sizeof(fit.model.theta)) == 0 && fit.model.loglik == again.model.loglik,
	   "%s: another order of rows, the same bits", c.family->name);
	cvm_covariate_release(&cvm_plain_env, &again);
	cvm_fit_covariates(&more, &cvm_plain_env, &again);
	ok(again.model.customers == 4800 && fabs(again.model.loglik - 2 * fit.model.loglik) < 1e-7
	   && fabs(again.coefficient[1] - fit.coefficient[1]) < 1e-8 && fabs(again.covariance[0] / fit.covariance[0] - 0.5) < 1e-7,
	   "... everybody twice: twice the log-likelihood, half the variance");
	cvm_covariate_release(&cvm_plain_env, &again);
	memcpy(d.row, c.row, c.n * sizeof(cvm_row));
	memcpy(d.z, c.z, 2 * c.n * sizeof(double));
	ok(worst_after(&d, c.z, 0.01, 1000, &fit) < 1e-6 && worst_after(&d, c.z, -3, 0, &fit) < 1e-6
	   && worst_after(&d, c.z, 1e90, 0, &fit) < 1e-6 && worst_after(&d, c.z, 1e-90, 0, &fit) < 1e-6,
	   "... another unit and origin of a covariate scale its coefficient and standard error");
	cvm_covariate_release(&cvm_plain_env, &fit);
	free_customers(&c);
	free_customers(&d);
	free_customers(&twice);
}

/* Hardly more customers than coefficients, or fewer: a result that is one, or an answer why not. */
static void
test_few(int which)
{
	static const double none[3 * MOST] = {0};
	bool		good = true;
	int			fits = 0;
	size_t		bad = 0;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 77);
	for (size_t n = 1; n <= 40 && good; n++)
	{
		customers	c = new_customers(which, 5, n);
		cvm_covariate_data data = data_of(&c);
		cvm_covariate_fit fit;
		cvm_status	status;

		for (size_t i = 0; i < 5 * n; i++)
			c.z[i] = cvm_rng_normal(&rng);
		simulate(&c, truth[which], none, &rng);
		status = cvm_fit_covariates(&data, &cvm_plain_env, &fit);
		if (n <= 5)
			good = status != CVM_OK || fit.trouble != CVM_COVARIATES_FINE;
		else if (status == CVM_OK && fit.trouble == CVM_COVARIATES_FINE)
		{
			int			all = 4 + fit.effects;

			fits++;
			good = cvm_in_domain(c.family, fit.model.theta) && fit.model.has_covariance
				&& (fit.model.rung == CVM_RUNG_PENALISED || fit.model.rung == CVM_RUNG_FULL);
			for (int e = 0; e < all && good; e++)
				good = fit.covariance[e * (all + 1)] > 0 && isfinite(fit.covariance[e * (all + 1)])
					&& (e >= fit.effects || isfinite(fit.coefficient[e]));
		}
		bad = good ? bad : n;
		cvm_covariate_release(&cvm_plain_env, &fit);
		free_customers(&c);
	}
	ok(good && fits >= 20, "%s, five covariates of 1 to 40 customers: %d fits, the others say why not (bad: %zu)", names[which], fits, bad);
}

/* An environment that runs out of memory, or is cancelled, at a given call. */
static long calls,
			last_call,
			pieces;

static void *
short_alloc(void *context __attribute__((unused)), size_t size)
{
	void	   *piece = calls++ >= last_call ? NULL : malloc(size);

	pieces += piece != NULL;
	return piece;
}

static void
counting_release(void *context __attribute__((unused)), void *pointer)
{
	pieces -= pointer != NULL;
	free(pointer);
}

static bool
cancelled_at_last(void *context __attribute__((unused)))
{
	return calls++ >= last_call;
}

static void *
counting_alloc(void *context __attribute__((unused)), size_t size)
{
	pieces++;
	return malloc(size);
}

static void
test_environment(int which)
{
	static const cvm_env short_of_memory = {short_alloc, counting_release, NULL, NULL};
	static const cvm_env impatient = {counting_alloc, counting_release, cancelled_at_last, NULL};
	static const double none[3 * MOST] = {0};
	customers	c = new_customers(which, 2, 900);
	cvm_covariate_data data = data_of(&c);
	cvm_rng		rng;

	cvm_rng_seed(&rng, 12);
	for (size_t i = 0; i < c.n; i++)
	{
		c.z[2 * i] = i < 600 ? 0 : cvm_rng_normal(&rng);
		c.z[2 * i + 1] = i < 600 ? 1 : (double) (i % 2);
	}
	simulate(&c, truth[which], none, &rng);
	for (int k = 0; k < 2; k++)
	{
		const cvm_env *env = k == 0 ? &short_of_memory : &impatient;
		cvm_status	expected = k == 0 ? CVM_NO_MEMORY : CVM_CANCELLED;
		bool		good = true;
		int			ends = 0;
		cvm_status	status = expected;

		for (last_call = 0; status != CVM_OK && good; last_call += 1 + last_call / 20)
		{
			cvm_covariate_fit fit;

			calls = pieces = 0;
			status = cvm_fit_covariates(&data, env, &fit);
			cvm_covariate_release(env, &fit);
			good = pieces == 0 && (status == CVM_OK || status == expected);
			ends += status == expected;
		}
		ok(good && ends > 10, "%s, %s at %d places: said so, nothing left behind", c.family->name, k == 0 ? "no memory" : "cancelled", ends);
	}
	free_customers(&c);
}

int
main(void)
{
	for (int which = 0; which < (int) COUNT(names); which++)
	{
		test_separation(which);
		test_invariance(which);
		test_few(which);
		test_environment(which);
	}
	test_trouble();
	return done_testing();
}
