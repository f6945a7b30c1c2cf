/*
 * fit_test.c: derivatives, published fits, invariances and recovery; random fits
 * by the hundred are in campaign_test.c.
 *
 * CVM_DATA names the folder of the CDNOW files (default ../shared/data; skipped
 * where absent).
 */
#include "cdnow.h"
#include "simulated.h"
#include "tap.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The first parameter that has derivatives. */
static int
first_climbed(const cvm_family *family)
{
	return family->searched > 0;
}

/* The sum over rows of the one-row function. */
static double
summed_loglik(const cvm_family *family, const cvm_table *table, const double *theta)
{
	double		sum = 0;

	for (size_t i = 0; i < cvm_table_rows(table); i++)
	{
		const cvm_row row = cvm_table_row(table, i);

		sum += row.weight * family->loglik(theta, &row);
	}
	return sum;
}

/* theta with ln theta_i moved by step */
static void
moved(const cvm_family *family, const double *theta, int i, double step, double *to)
{
	memcpy(to, theta, family->n_params * sizeof(double));
	to[i] *= exp(step);
}

/*
 * Gradient against central differences of the value, Hessian against those of
 * the gradient, of fourth order; relative to the largest entry.
 */
static void
derivative_errors(const cvm_family *family, const cvm_table *table, const double *theta,
				  double *grad_error, double *hess_error)
{
	static const double steps[] = {-2, -1, 1, 2};
	static const double weights[] = {1, -8, 8, -1};
	const double h = 1e-3;
	int			n = family->n_params;
	double		value,
				grad[CVM_MAX_PARAMS],
				hess[CVM_MAX_PARAMS * CVM_MAX_PARAMS],
				largest_grad = 1,
				largest_hess = 1;

	family->table_loglik(table, theta, &value, grad, hess);
	for (int i = 0; i < n * n; i++)
	{
		largest_grad = fmax(largest_grad, fabs(grad[i % n]));
		largest_hess = fmax(largest_hess, fabs(hess[i]));
	}
	*grad_error = *hess_error = 0;
	for (int i = first_climbed(family); i < n; i++)
	{
		double		slope = 0;
		double		curve[CVM_MAX_PARAMS] = {0};

		for (int k = 0; k < 4; k++)
		{
			double		at[CVM_MAX_PARAMS],
						v,
						g[CVM_MAX_PARAMS];

			moved(family, theta, i, steps[k] * h, at);
			family->table_loglik(table, at, &v, g, NULL);
			slope += weights[k] * (v - value) / (12 * h);
			for (int j = 0; j < n; j++)
				curve[j] += weights[k] * g[j] / (12 * h);
		}
		*grad_error = fmax(*grad_error, fabs(slope - grad[i]) / largest_grad);
		for (int j = first_climbed(family); j < n; j++)
			*hess_error = fmax(*hess_error, fabs(curve[j] - hess[i * n + j]) / largest_hess);
	}
}

static void
test_derivatives(const cvm_family *family)
{
	cvm_rng		rng;
	double		worst_value = 0,
				worst_grad = 0,
				worst_hess = 0;

	cvm_rng_seed(&rng, 3);
	for (int i = 0; i < 20; i++)
	{
		double		theta[CVM_MAX_PARAMS],
					at[CVM_MAX_PARAMS],
					value,
					grad_error,
					hess_error,
					sum;
		cvm_table  *table;

		random_theta(family, &rng, 5, theta);
		random_theta(family, &rng, 30, at);
		table = simulated_table(family, theta, &rng, 300, i % 2 == 0);
		family->table_loglik(table, at, &value, NULL, NULL);
		sum = summed_loglik(family, table, at);
		worst_value = fmax(worst_value, relative_error(value, sum, 1));
		derivative_errors(family, table, at, &grad_error, &hess_error);
		worst_grad = fmax(worst_grad, grad_error);
		worst_hess = fmax(worst_hess, hess_error);
		cvm_table_free(table);
	}
	ok(worst_value < 1e-11, "%s: table_loglik is the sum of loglik, off by %.1e", family->name, worst_value);
	ok(worst_grad < 1e-7, "%s: gradient against differences, off by %.1e", family->name, worst_grad);
	ok(worst_hess < 1e-9, "%s: Hessian against differences, off by %.1e", family->name, worst_hess);
}

/* Parameters come back within 4.5 standard errors, and the mean square of the errors is sane. */
static void
test_recovery(const cvm_family *family)
{
	static const double shapes[] = {.9, 1.1, 1.6, 2.3, 1.4};
	double		theta[CVM_MAX_PARAMS];
	double		worst = 0;
	double		square = 0;
	const int	repeats = 12;
	cvm_rng		rng;
	bool		full = true;

	cvm_rng_seed(&rng, 17);
	for (int i = 0; i < family->n_params; i++)
		theta[i] = family->kind == CVM_SPEND ? 3 * shapes[i] : shapes[i];
	for (int i = 0; i < family->n_params; i++)
		theta[i] *= (family->time_power[i] ? 8 : 1) * (family->money_power[i] ? 12 : 1);
	if (family->searched > 0)
		theta[0] = 2;
	for (int k = 0; k < repeats; k++)
	{
		cvm_table  *table = simulated_table(family, theta, &rng, 20000, false);
		cvm_fit_result fit;

		full = full && cvm_fit(family, table, &cvm_plain_env, &fit) == CVM_OK
			&& fit.rung == CVM_RUNG_FULL && fit.has_covariance
			&& (family->searched == 0 || fit.theta[0] == theta[0]);
		for (int i = first_climbed(family); full && i < family->n_params; i++)
		{
			double		z = (fit.theta[i] - theta[i]) / sqrt(fit.covariance[i][i]);

			worst = fmax(worst, fabs(z));
			square += z * z / (repeats * (family->n_params - first_climbed(family)));
		}
		cvm_table_free(table);
	}
	ok(full && worst < 4.5 && square > .2 && square < 2.5,
	   "%s: 20,000 simulated customers give the parameters back: worst %.1f, rms %.2f standard errors",
	   family->name, worst, sqrt(square));
}

/* Equal rows in all that fits read. */
static bool
same_rows(const cvm_table *a, const cvm_table *b)
{
	uint64_t	of_a[2],
				of_b[2];

	cvm_table_fingerprint(a, of_a);
	cvm_table_fingerprint(b, of_b);
	return cvm_table_rows(a) == cvm_table_rows(b) && cvm_table_customers(a) == cvm_table_customers(b)
		&& of_a[0] == of_b[0] && of_a[1] == of_b[1];
}

/* What was gathered can be finished, added to, and finished again; plain rows are sorted by another way than weighted ones. */
static void
test_gathering(const cvm_family *family)
{
	cvm_rng		rng;
	double		theta[CVM_MAX_PARAMS];
	cvm_table  *source;
	cvm_table  *whole = cvm_table_new(family->kind, &cvm_plain_env);
	cvm_table  *weighted = cvm_table_new(family->kind, &cvm_plain_env);
	cvm_table  *first;
	cvm_table  *all;
	cvm_added	at = {0};
	cvm_row		row;
	size_t		read = 0;
	cvm_status	status;

	cvm_rng_seed(&rng, 29);
	random_theta(family, &rng, 1.5, theta);
	source = simulated_table(family, theta, &rng, 5000, true);
	for (size_t i = 0; i < cvm_table_rows(source); i++)
	{
		row = cvm_table_row(source, i);
		cvm_table_add(weighted, &row);
		row.weight = 1;
		row.log_intervals = 0;
		for (int k = 0; k < (int) cvm_table_row(source, i).weight; k++)
			cvm_table_add(whole, &row);
	}
	first = cvm_table_finished(whole, &cvm_plain_env, &status);
	row = cvm_table_row(source, 0);
	cvm_table_add(whole, &row);
	all = cvm_table_finished(whole, &cvm_plain_env, &status);
	ok(first && all && cvm_table_customers(all) == cvm_table_customers(first) + row.weight,
	   "%s: a table finished in between can be added to", family->name);
	while (cvm_table_next_added(whole, &at, &row))
		read++;
	ok(read == cvm_table_added(whole) && row.x == cvm_table_row(source, 0).x, "%s: the rows added can be read", family->name);
	cvm_table_finish(weighted);
	ok(same_rows(first, source) && same_rows(weighted, source) && !same_rows(all, source),
	   "%s: one by one or by weight, the rows are the same", family->name);
	cvm_table_free(source);
	cvm_table_free(whole);
	cvm_table_free(weighted);
	cvm_table_free(first);
	cvm_table_free(all);
}

/* The same customers in another order, unit, currency, or as weights. */
static void
test_invariance(const cvm_family *family)
{
	double		theta[CVM_MAX_PARAMS];
	cvm_rng		rng;
	cvm_table  *table;
	cvm_table  *other = cvm_table_new(family->kind, &cvm_plain_env);
	cvm_fit_result fit,
				same;
	double		worst = 0;
	double		time = family->kind == CVM_RETENTION || family->whole_times ? 1 : 700;	/* a period is a period */

	cvm_rng_seed(&rng, 23);
	random_theta(family, &rng, 1.5, theta);
	table = simulated_table(family, theta, &rng, 3000, true);
	for (size_t i = cvm_table_rows(table); i-- > 0;)
	{
		cvm_row		row = cvm_table_row(table, i);

		row.t_x *= time;
		row.age *= time;
		row.log_intervals += row.x * log(time);
		row.mean_spend *= 1e-3;
		row.weight *= .25;
		for (int k = 0; k < 4; k++)
			cvm_table_add(other, &row);
	}
	cvm_table_finish(other);
	ok(cvm_table_rows(other) == cvm_table_rows(table)
	   && fabs(cvm_table_customers(other) / cvm_table_customers(table) - 1) < 1e-14,
	   "%s: equal rows collapse, weights add up", family->name);
	cvm_fit(family, table, &cvm_plain_env, &fit);
	cvm_fit(family, other, &cvm_plain_env, &same);
	for (int i = 0; i < family->n_params; i++)
	{
		double		unit = pow(time, family->time_power[i]) * pow(1e-3, family->money_power[i]);

		worst = fmax(worst, relative_error(same.theta[i] / unit, fit.theta[i], 0));
		if (i < first_climbed(family))
			continue;
		worst = fmax(worst, relative_error(sqrt(same.covariance[i][i]) / unit, sqrt(fit.covariance[i][i]), 0));
	}
	ok(worst < 1e-9, "%s: order, units and weights do not change the fit, off by %.1e", family->name, worst);
	cvm_table_free(table);
	cvm_table_free(other);
}

/* An allocator that fails at the n-th call, and counts what is not given back. */
typedef struct meter
{
	long		calls;
	long		fail_at;
	long		open;
	long		polls;
	long		cancel_at;
} meter;

static void *
metered_alloc(void *context, size_t size)
{
	meter	   *m = context;

	if (++m->calls == m->fail_at)
		return NULL;
	m->open++;
	return malloc(size);
}

static void
metered_release(void *context, void *pointer)
{
	((meter *) context)->open--;
	free(pointer);
}

static bool
metered_cancelled(void *context)
{
	meter	   *m = context;

	return ++m->polls == m->cancel_at;
}

/* Everything from rows to result in one environment. */
static cvm_status
metered_fit(const cvm_family *family, const cvm_table *source, meter *m)
{
	cvm_env		env = {metered_alloc, metered_release, metered_cancelled, m};
	cvm_table  *table = cvm_table_new(family->kind, &env);
	cvm_status	status = table ? CVM_OK : CVM_NO_MEMORY;
	cvm_fit_result fit;

	for (size_t i = 0; i < cvm_table_rows(source) && status == CVM_OK; i++)
	{
		const cvm_row row = cvm_table_row(source, i);

		status = cvm_table_add(table, &row);
	}
	if (status == CVM_OK)
		status = cvm_table_finish(table);
	if (status == CVM_OK)
		status = cvm_fit(family, table, &env, &fit);
	cvm_table_free(table);
	return status;
}

static void
test_environment(const cvm_family *family)
{
	double		theta[CVM_MAX_PARAMS];
	cvm_rng		rng;
	cvm_table  *table;
	meter		m = {0};
	long		calls,
				polls;
	int			wrong = 0;

	cvm_rng_seed(&rng, 29);
	random_theta(family, &rng, 1.5, theta);
	table = simulated_table(family, theta, &rng, 60000, false);
	wrong += metered_fit(family, table, &m) != CVM_OK;
	calls = m.calls;
	polls = m.polls;
	for (long at = 1; at <= calls && m.open == 0; at += at < 60 ? 1 : 17)
	{
		m = (meter) {.fail_at = at};
		wrong += metered_fit(family, table, &m) != CVM_NO_MEMORY || m.open != 0;
	}
	for (long at = 1; at <= polls && m.open == 0; at += 1 + polls / 12)
	{
		m = (meter) {.cancel_at = at};
		wrong += metered_fit(family, table, &m) != CVM_CANCELLED || m.open != 0;
	}
	ok(wrong == 0 && m.open == 0, "%s: no memory at each of %ld calls, cancelled at %ld polls: %d wrong",
	   family->name, calls, polls, wrong);
	cvm_table_free(table);
}

static cvm_table *
table_of(cvm_kind kind, const cvm_row *rows, size_t n)
{
	cvm_table  *table = cvm_table_new(kind, &cvm_plain_env);

	for (size_t i = 0; i < n; i++)
		cvm_table_add(table, &rows[i]);
	cvm_table_finish(table);
	return table;
}

static void
expect_fit(const char *what, const cvm_family *family, const cvm_row *rows, size_t n,
		   cvm_status status, cvm_rung rung)
{
	cvm_table  *table = table_of(family->kind, rows, n);
	cvm_fit_result fit = {.rung = CVM_RUNG_FULL};
	cvm_status	got = cvm_fit(family, table, &cvm_plain_env, &fit);
	bool		sane = true;

	if (got == CVM_OK)
	{
		sane = cvm_in_domain(family, fit.theta) && isfinite(fit.loglik) && fit.gradient_norm < 1e-7
			&& fit.has_covariance;
		for (int i = first_climbed(family); i < family->n_params; i++)
			sane = sane && fit.covariance[i][i] > 0 && isfinite(fit.covariance[i][i]);
	}
	ok(got == status && fit.rung == rung && sane, "%s: status %d, rung %d, %s(%g, %g, %g, %g)", what, got, fit.rung,
	   family->name, fit.theta[0], fit.theta[1], fit.theta[2], fit.theta[3]);
	cvm_table_free(table);
}

/* Data that have no interior maximum, and data that are none. */
static void
test_boundaries(void)
{
	const cvm_family *bg = cvm_family_find("bg/nbd");
	const cvm_family *gg = cvm_family_find("gamma-gamma");
	static const cvm_row none[] = {{.age = 10, .weight = 5}, {.age = 0, .weight = 1}};
	static const cvm_row one[] = {{.x = 1, .t_x = 3, .age = 10, .weight = 1}};
	static const cvm_row alike[] = {{.x = 10, .t_x = 20, .age = 20, .weight = 1000}};
	static const cvm_row million[] = {{.x = 10, .t_x = 20, .age = 20, .weight = 1e6}};
	static const cvm_row loyal[] = {
		{.x = 5, .t_x = 20, .age = 20, .weight = 100}, {.x = 10, .t_x = 20, .age = 20, .weight = 100},
		{.x = 20, .t_x = 20, .age = 20, .weight = 100}
	};
	static const cvm_row gone[] = {{.age = 1000, .weight = 50}, {.x = 1, .t_x = 1e-3, .age = 1000, .weight = 50}};
	static const cvm_row huge[] = {
		{.x = 100000, .t_x = 9999, .age = 10000, .weight = 3}, {.x = 1, .t_x = 1, .age = 10000, .weight = 2},
		{.x = 0, .age = 10000, .weight = 1e6}
	};
	static const cvm_row equal[] = {{.x = 1, .mean_spend = 10, .weight = 10}, {.x = 7, .mean_spend = 10, .weight = 10}};
	static const cvm_row many[] = {{.x = 1, .mean_spend = 10, .weight = 1e6}, {.x = 7, .mean_spend = 10, .weight = 1e6}};
	static const cvm_row once[] = {{.x = 1, .mean_spend = 1e6, .weight = 1}};
	static const cvm_row unspent[] = {{.x = 0, .mean_spend = 0, .weight = 10}};
	static const cvm_row far_apart[] = {
		{.x = 1, .mean_spend = 1e-4, .weight = 1}, {.x = 2, .mean_spend = 1, .weight = 1}, {.x = 1, .mean_spend = 1e9, .weight = 1}
	};
	static const cvm_row loyal_contracts[] = {{.lifetime = 3, .weight = 10}, {.lifetime = 0, .weight = 1}};
	static const cvm_row one_contract[] = {{.churned = 1, .lifetime = 5, .weight = 1}};
	static const cvm_row at_once[] = {{.churned = 1, .lifetime = 1, .weight = 1e6}};
	static const cvm_row at_the_end[] = {{.churned = 1, .lifetime = 100000, .weight = 50}, {.lifetime = 100000, .weight = 50}};
	static const cvm_row some_at_once[] = {{.churned = 1, .lifetime = 1, .weight = 30}, {.lifetime = 20, .weight = 70}};

	expect_fit("no repeat purchase", bg, none, COUNT(none), CVM_NO_DATA, CVM_RUNG_FULL);
	expect_fit("no customer", bg, none, 0, CVM_NO_DATA, CVM_RUNG_FULL);
	expect_fit("one customer", bg, one, COUNT(one), CVM_OK, CVM_RUNG_PENALISED);
	expect_fit("all alike", bg, alike, COUNT(alike), CVM_OK, CVM_RUNG_PENALISED);
	expect_fit("a million alike", bg, million, COUNT(million), CVM_OK, CVM_RUNG_PENALISED);
	expect_fit("nobody leaves", bg, loyal, COUNT(loyal), CVM_OK, CVM_RUNG_PENALISED);
	expect_fit("everybody leaves", bg, gone, COUNT(gone), CVM_OK, CVM_RUNG_PENALISED);
	expect_fit("a million idle, three mad", bg, huge, COUNT(huge), CVM_OK, CVM_RUNG_PENALISED);
	expect_fit("no spend", gg, unspent, COUNT(unspent), CVM_NO_DATA, CVM_RUNG_FULL);
	expect_fit("equal spend", gg, equal, COUNT(equal), CVM_OK, CVM_RUNG_PENALISED);
	expect_fit("a million equal spends", gg, many, COUNT(many), CVM_OK, CVM_RUNG_PENALISED);
	expect_fit("one spend", gg, once, COUNT(once), CVM_OK, CVM_RUNG_PENALISED);
	expect_fit("spend over 13 decades", gg, far_apart, COUNT(far_apart), CVM_OK, CVM_RUNG_FULL);
	for (int i = 0; i < 2; i++)
	{
		const cvm_family *contract = cvm_family_find(i == 0 ? "sbg" : "bdw");

		expect_fit("no contract", contract, loyal_contracts, 0, CVM_NO_DATA, CVM_RUNG_FULL);
		expect_fit("no contract ended", contract, loyal_contracts, COUNT(loyal_contracts), CVM_NO_DATA, CVM_RUNG_FULL);
		expect_fit("one contract", contract, one_contract, COUNT(one_contract), CVM_OK, CVM_RUNG_PENALISED);
		expect_fit("all end at once", contract, at_once, COUNT(at_once), CVM_OK, CVM_RUNG_PENALISED);
		expect_fit("all end together, late", contract, at_the_end, COUNT(at_the_end), CVM_OK, CVM_RUNG_PENALISED);
		expect_fit("some at once, the rest never", contract, some_at_once, COUNT(some_at_once), CVM_OK, CVM_RUNG_PENALISED);
	}
}

static void
check_fit(const char *what, const cvm_family *family, const cvm_table *table,
		  const double *theta, double tolerance, double loglik, double loglik_tolerance, const double *errors)
{
	cvm_fit_result fit;
	double		start = seconds();
	cvm_status	status = cvm_fit(family, table, &cvm_plain_env, &fit);
	double		took = seconds() - start;
	double		worst = 0,
				worst_error = 0;

	for (int i = 0; i < family->n_params; i++)
	{
		worst = fmax(worst, relative_error(fit.theta[i], theta[i], 0));
		if (errors != NULL)
			worst_error = fmax(worst_error, relative_error(sqrt(fit.covariance[i][i]), errors[i], 0));
	}
	ok(status == CVM_OK && fit.rung == CVM_RUNG_FULL && worst < tolerance, "%s: parameters, off by %.1e (%d evaluations, %.1f ms)",
	   what, worst, fit.iterations, 1e3 * took);
	ok(fabs(fit.loglik - loglik) < loglik_tolerance, "%s: log-likelihood %.9f, off by %.1e", what, loglik, fabs(fit.loglik - loglik));
	ok(worst_error < 5e-4, "%s: standard errors, off by %.1e", what, worst_error);
}

/* The published sample: two-decimal weeks (Fader & Hardie's summary). */
static void
test_cdnow_summary(void)
{
	static const double theta[] = {.2425929072, 4.4135315612, .7928861481, 2.4257534365};
	static const double errors[] = {.01256, .37822, .18571, .70535};
	static const double spend[] = {6.2488024897, 3.7445884533, 15.4477480095};
	static const double spend_errors[] = {1.18969, .290166, 4.15999};
	FILE	   *file = open_data("cdnow_sample_summary.csv");
	cvm_table  *purchases = cvm_table_new(CVM_PURCHASES, &cvm_plain_env);
	cvm_table  *money = cvm_table_new(CVM_SPEND, &cvm_plain_env);
	char		line[256];
	int			id;

	if (file == NULL)
		skip("CDNOW summary", "no data");
	while (file != NULL && fgets(line, sizeof(line), file))
	{
		cvm_row		row = {.weight = 1};

		if (sscanf(line, "%d,%lf,%lf,%lf,%lf", &id, &row.x, &row.t_x, &row.age, &row.mean_spend) != 5)
			continue;
		cvm_table_add(purchases, &row);
		cvm_table_add(money, &row);
	}
	if (file != NULL)
	{
		fclose(file);
		cvm_table_finish(purchases);
		cvm_table_finish(money);
		check_fit("CDNOW summary, bg/nbd", cvm_family_find("bg/nbd"), purchases, theta, 1e-6, -9582.425560567, 1e-6, errors);
		check_fit("CDNOW summary, gamma-gamma", cvm_family_find("gamma-gamma"), money, spend, 1e-6, -4055.923243503, 1e-6,
				  spend_errors);
	}
	cvm_table_free(purchases);
	cvm_table_free(money);
}

/* The raw file: days as periods, weeks as unit, as of 1997-09-30. */
static void
test_cdnow_purchases(void)
{
	static const double theta[] = {.2425945, 4.413602, .792922, 2.425907};
	static const double errors[] = {.012557, .37822, .18573, .70541};
	static const double spend[] = {6.249572, 3.744225, 15.443521};
	cvm_table  *purchases = cvm_table_new(CVM_PURCHASES, &cvm_plain_env);
	cvm_table  *money = cvm_table_new(CVM_SPEND, &cvm_plain_env);

	if (!read_cdnow("cdnow_sample.txt", "%d %*d %d %*d %lf", purchases, money))
		skip("CDNOW purchases", "no data");
	else
	{
		ok(cvm_table_customers(purchases) == 2357 && cvm_table_customers(money) == 946, "CDNOW purchases: 2357 customers, 946 come again");
		check_fit("CDNOW purchases, bg/nbd", cvm_family_find("bg/nbd"), purchases, theta, 1e-6, -9582.4292067, 1e-6, errors);
		check_fit("CDNOW purchases, gamma-gamma", cvm_family_find("gamma-gamma"), money, spend, 1e-6, -4055.9176948, 1e-6, NULL);
	}
	cvm_table_free(purchases);
	cvm_table_free(money);
}

int
main(void)
{
	const cvm_family *family;

	for (int i = 0; (family = cvm_family_at(i)) != NULL; i++)
	{
		ok(cvm_family_find(family->name) == family && family->citation != NULL, "%s is found by its name", family->name);
		if (family->table_loglik == NULL)
			continue;
		test_derivatives(family);
		test_recovery(family);
		test_gathering(family);
		test_invariance(family);
		test_environment(family);
	}
	ok(cvm_family_find("BG/NBD") == NULL && cvm_family_find("") == NULL && cvm_family_at(-1) == NULL, "unknown families are NULL");
	test_boundaries();
	test_cdnow_summary();
	test_cdnow_purchases();
	return done_testing();
}
