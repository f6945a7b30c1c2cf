/*
 * covariate_test.c: families with covariates: against likelihoods and maxima computed
 * in another way, and simulated customers.  (What is refused, and extremes: covariate_input_test.c)
 *
 * CVM_SOAK=1: the campaign of likelihood ratios whole.
 */
#include "covariates.h"

#include "math/linear.h"
#include "math/optimise.h"

static int
coefficients_of(const cvm_family *family, int covariates)
{
	return (strcmp(family->name, "pareto/nbd") != 0 ? 3 : 2) * covariates;
}

/* Log-likelihood, customer by customer, by the scalar functions; at[]: ln theta at z = centre, then coefficients */
static double
total(const customers *c, const double *centre, const double *at)
{
	double		theta[4];
	double		sum = 0;

	for (int i = 0; i < 4; i++)
		theta[i] = exp(at[i]);
	for (size_t i = 0; i < c->n; i++)
	{
		double		z[MOST];
		double		own[4];

		for (int k = 0; k < c->covariates; k++)
			z[k] = c->z[i * c->covariates + k] - centre[k];
		theta_of(c->family, theta, z, c->covariates, at + 4, own);
		sum += c->row[i].weight * c->family->loglik(own, &c->row[i]);
	}
	return sum;
}

/*
 * At the maximum the gradient by finite differences vanishes, and the inverse of the
 * covariance is the Hessian by finite differences: every derivative of the fit is in one of them.
 */
static void
test_derivatives(int which, bool categories)
{
	customers	c = new_customers(which, 2, categories ? 9000 : 600);
	double		coefficient[] = {0.5, -0.3, 0.3, 0.2, -0.2, 0.1};
	int			all = 4 + coefficients_of(c.family, 2);
	double		at[10],
				z[100] = {0};
	double		worst = 0,
				worst_slope = 0;
	cvm_covariate_data data = data_of(&c);
	cvm_covariate_fit fit;
	cvm_rng		rng;
	cvm_status	status;

	cvm_rng_seed(&rng, 17 + which);
	for (size_t i = 0; i < c.n; i++)
	{
		c.z[2 * i] = categories ? (double) (i % 3 == 0) : 3 + cvm_rng_normal(&rng);
		c.z[2 * i + 1] = (double) (i % 2);
	}
	simulate(&c, truth[which], coefficient, &rng);
	status = cvm_fit_covariates(&data, &cvm_plain_env, &fit);
	ok(status == CVM_OK && fit.model.rung == CVM_RUNG_FULL && fit.effects == all - 4, "%s, %s: a fit",
	   c.family->name, categories ? "categories" : "numbers");
	for (int i = 0; i < 4; i++)
		at[i] = log(fit.model.theta[i]);
	memcpy(at + 4, fit.coefficient, fit.effects * sizeof(double));
	ok(relative_error(fit.model.loglik, total(&c, fit.mean, at), 0) < 1e-12, "... its log-likelihood is the sum over customers");
	for (int i = 0; i < all; i++)
		for (int j = 0; j <= i; j++)
		{
			double		h = 2e-3;
			double		value[4];
			double		curve = 0;

			for (int k = 0; k < 4; k++)
			{
				double		there[10];

				memcpy(there, at, sizeof(at));
				there[i] += k & 1 ? h : -h;
				there[j] += k & 2 ? h : -h;
				value[k] = total(&c, fit.mean, there);
			}
			curve = (value[3] - value[2] - value[1] + value[0]) / (4 * h * h);
			z[i * all + j] = z[j * all + i] = -curve;
		}
	for (int i = 0; i < all; i++)
	{
		double		there[10];
		double		up;

		memcpy(there, at, sizeof(at));
		there[i] += 1e-4;
		up = total(&c, fit.mean, there);
		there[i] -= 2e-4;
		worst_slope = fmax(worst_slope, fabs(up - total(&c, fit.mean, there)) / 2e-4 / sqrt(z[i * all + i]));
		for (int j = 0; j < all; j++)
		{
			double		sum = 0;

			for (int k = 0; k < all; k++)
				sum += fit.covariance[i * all + k] * z[k * all + j];
			worst = fmax(worst, fabs(sum - (i == j)) * sqrt(z[i * all + i] / z[j * all + j]));
		}
	}
	ok(worst_slope < 1e-4, "... slopes there by finite differences, in standard errors: %.1e", worst_slope);
	ok(worst < 2e-2, "... covariance times curvatures by finite differences is the identity, off by %.1e", worst);
	cvm_covariate_release(&cvm_plain_env, &fit);
	free_customers(&c);
}

/* Two groups that share r (and s of pareto/nbd), each with the other parameters of its own. */
typedef struct pair
{
	const cvm_family *family;
	cvm_table  *table[2];
	int			variable[2][4]; /* of group and parameter */
	int			n;
} pair;

static int
pair_objective(void *context, const double *at, double *value, double *gradient, double *hessian)
{
	pair	   *p = context;

	*value = 0;
	memset(gradient, 0, p->n * sizeof(double));
	memset(hessian, 0, p->n * p->n * sizeof(double));
	for (int g = 0; g < 2; g++)
	{
		double		theta[4],
					v,
					grad[4],
					hess[16];

		for (int i = 0; i < 4; i++)
			theta[i] = exp(at[p->variable[g][i]]);
		p->family->table_loglik(p->table[g], theta, &v, grad, hess);
		*value += v;
		for (int i = 0; i < 4; i++)
		{
			gradient[p->variable[g][i]] += grad[i];
			for (int j = 0; j < 4; j++)
				hessian[p->variable[g][i] * p->n + p->variable[g][j]] += hess[i * 4 + j];
		}
	}
	return 0;
}

/* A binary covariate on both processes is two groups that share what no covariate scales. */
static void
test_two_groups(int which)
{
	static const double coefficient[] = {0.6, 0.4, -0.2};
	customers	c = new_customers(which, 1, 3000);
	cvm_covariate_data data = data_of(&c);
	cvm_covariate_fit fit;
	pair		p = {.family = c.family};
	cvm_maximum found;
	double		start[8];
	double		worst = 0;
	cvm_status	status;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 5 + which);
	for (size_t i = 0; i < c.n; i++)
		c.z[i] = i % 3 == 0;
	simulate(&c, truth[which], coefficient, &rng);
	for (int g = 0; g < 2; g++)
	{
		p.table[g] = cvm_table_new(CVM_PURCHASES, &cvm_plain_env);
		for (size_t i = 0; i < c.n; i++)
			if (c.z[i] == g)
				cvm_table_add(p.table[g], &c.row[i]);
		cvm_table_finish(p.table[g]);
		for (int i = 0; i < 4; i++)
		{
			bool		scaled = c.family->purchase_sign[i] != 0 || c.family->dropout_sign[i] != 0;

			p.variable[g][i] = g == 0 || scaled ? p.n : p.variable[0][i];
			start[p.n] = log(truth[which][i]);
			p.n += p.variable[g][i] == p.n;
		}
	}
	cvm_maximise(pair_objective, &p, p.n, start, 30, 200, &found);
	status = cvm_fit_covariates(&data, &cvm_plain_env, &fit);
	ok(status == CVM_OK && found.converged && fabs(fit.model.loglik - found.value) < 1e-7, "%s, two groups: log-likelihood %.6f, off by %.1e", c.family->name, found.value,
	   fit.model.loglik - found.value);
	for (int e = 0; e < fit.effects; e++)
	{
		int			i = fit.effect[e].param;
		double		difference = fit.effect[e].sign * (found.at[p.variable[1][i]] - found.at[p.variable[0][i]]);

		worst = fmax(worst, fabs(fit.coefficient[e] - difference));
	}
	ok(worst < 1e-6, "... coefficients are the logarithms of the groups' ratios, off by %.1e", worst);
	worst = 0;
	for (int g = 0; g < 2; g++)
	{
		cvm_covariate_model model = {
			c.family, fit.model.theta, fit.mean, fit.effects, fit.effect, fit.coefficient, fit.covariance
		};
		double		z = g;
		double		theta[4],
					covariance[16];
		double		h[64],
					l[64];

		cvm_covariate_theta(&model, &z, theta, covariance);
		for (int i = 0; i < p.n * p.n; i++)
			h[i] = -found.hessian[i];
		(void) cvm_cholesky(p.n, h, 0, l);
		for (int i = 0; i < 4; i++)
		{
			double		column[8] = {0};
			int			v = p.variable[g][i];

			column[v] = 1;
			cvm_cholesky_solve(p.n, l, column);
			worst = fmax(worst, fabs(theta[i] / exp(found.at[v]) - 1));
			worst = fmax(worst, fabs(sqrt(covariance[i * 4 + i]) / (theta[i] * sqrt(column[v])) - 1));
		}
	}
	ok(worst < 1e-5, "... parameters of both and their standard errors, off by %.1e", worst);
	cvm_covariate_release(&cvm_plain_env, &fit);
	cvm_table_free(p.table[0]);
	cvm_table_free(p.table[1]);
	free_customers(&c);
}

/* Numbers and three categories, the first the reference: coefficients come back, in time. */
static void
test_recovery(int which)
{
	static const double coefficient[] = {
		0.4, -0.3, 0.02, 0.5, -0.6, 0.3, 0.2, -0.01, -0.4, 0.2, -0.2, 0.1, 0.01, 0.2, -0.1
	};
	customers	c = new_customers(which, 5, 20000);
	cvm_covariate_data data = data_of(&c);
	cvm_covariate_fit fit;
	double		worst = 0,
				p,
				ratio,
				begin;
	cvm_rng		rng;
	cvm_status	status;

	cvm_rng_seed(&rng, 99 + which);
	for (size_t i = 0; i < c.n; i++)
	{
		double		u = cvm_rng_uniform(&rng);
		double	   *z = c.z + 5 * i;

		z[0] = cvm_rng_normal(&rng);
		z[1] = cvm_rng_uniform(&rng);
		z[2] = 40 + 15 * cvm_rng_normal(&rng);
		z[3] = u < 0.3;
		z[4] = u > 0.8;
	}
	/* the baseline of z = 0 is far from that of the mean age of 40: brought back here */
	{
		double		theta[4];
		double		forty[5] = {0, 0, -40, 0, 0};

		theta_of(c.family, truth[which], forty, 5, coefficient, theta);
		simulate(&c, theta, coefficient, &rng);
	}
	begin = seconds();
	status = cvm_fit_covariates(&data, &cvm_plain_env, &fit);
	begin = seconds() - begin;
	if (ok(status == CVM_OK && fit.model.rung == CVM_RUNG_FULL && fit.effects == coefficients_of(c.family, 5),
		   "%s: 20,000 customers, five covariates", c.family->name))
		for (int e = 0; e < fit.effects; e++)
		{
			double		error = sqrt(fit.covariance[(4 + e) * (4 + fit.effects) + 4 + e]);

			worst = fmax(worst, fabs(fit.coefficient[e] - coefficient[e]) / error);
		}
	ok(worst > 0 && worst < 3.5, "... all coefficients within 3.5 standard errors of the truth: %.2f", worst);
	ratio = cvm_covariate_ratio(&fit.plain, &fit.model, fit.effects, &p);
	ok(ratio > 500 && p < 1e-50, "... against the plain model: %.0f, p = %.1e", ratio, p);
	ok(begin < 5, "... in less than 5 s: %.2f s, %d evaluations", begin, fit.model.iterations);
	cvm_covariate_release(&cvm_plain_env, &fit);
	free_customers(&c);
}

/*
 * Covariates that have no effect: 5 % of likelihood ratios have p < 5 %.  Of 1,000 draws 3.5 to 6.5 %
 * may; of the sample of 150 anything that chance makes of 5 % but once in 10,000 times.
 */
static void
test_size(int which, int covariates)
{
	bool		soak = getenv("CVM_SOAK") != NULL && strcmp(getenv("CVM_SOAK"), "1") == 0;
	int			draws = soak ? 1000 : 150;
	int			rejected = 0,
				usable = 0;
	cvm_rng		rng;

	cvm_rng_seed(&rng, 4242 + which);
	for (int k = 0; k < draws; k++)
	{
		static const double none[3 * MOST] = {0};
		customers	c = new_customers(which, covariates, 2000);
		cvm_covariate_data data = data_of(&c);
		cvm_covariate_fit fit;
		double		p;

		for (size_t i = 0; i < c.n; i++)
		{
			c.z[i * covariates] = cvm_rng_uniform(&rng) < 0.4;
			if (covariates > 1)
				c.z[i * covariates + 1] = cvm_rng_normal(&rng);
		}
		simulate(&c, truth[which], none, &rng);
		if (cvm_fit_covariates(&data, &cvm_plain_env, &fit) == CVM_OK)
		{
			(void) cvm_covariate_ratio(&fit.plain, &fit.model, fit.effects, &p);
			usable += !isnan(p);
			rejected += p < 0.05;
		}
		cvm_covariate_release(&cvm_plain_env, &fit);
		free_customers(&c);
	}
	ok(usable >= 0.98 * draws, "%s, no effect: %d of %d draws have two maxima", names[which], usable, draws);
	if (soak)
		ok(rejected >= 0.035 * usable && rejected <= 0.065 * usable, "... of these %.1f %% have p < 5 %%", 100.0 * rejected / usable);
	else
		ok(rejected >= 1 && rejected <= 19, "... of these %d have p < 5 %%", rejected);
}

int
main(void)
{
	for (int which = 0; which < (int) COUNT(names); which++)
	{
		test_derivatives(which, false);
		test_derivatives(which, true);
		test_two_groups(which);
		test_recovery(which);
	}
	test_size(0, 2);
	test_size(2, 2);
	return done_testing();
}
