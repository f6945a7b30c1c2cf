/*
 * purchase_fit_test.c: fits of purchase models against maxima found
 * independently (truth/small_tables.py, truth/cdnow.py), and on data without an
 * interior maximum.
 *
 * CVM_DATA names the folder of the CDNOW files (default ../shared/data; skipped
 * where absent).
 */
#include "cdnow.h"
#include "tap.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A maximum: parameters, their standard errors, log-likelihood. */
typedef struct maximum
{
	const char *family;
	double		theta[4];
	double		error[4];
	double		loglik;
} maximum;

static void
check_fit(const char *what, const cvm_table *table, const maximum *truth, double tolerance)
{
	const cvm_family *family = cvm_family_find(truth->family);
	cvm_fit_result fit;
	cvm_status	status = cvm_fit(family, table, &cvm_plain_env, &fit);
	double		worst = 0,
				worst_error = 0;

	for (int i = 0; i < family->n_params; i++)
	{
		worst = fmax(worst, relative_error(fit.theta[i], truth->theta[i], 0));
		worst_error = fmax(worst_error, relative_error(sqrt(fit.covariance[i][i]), truth->error[i], 0));
	}
	ok(status == CVM_OK && fit.rung == CVM_RUNG_FULL && worst < tolerance, "%s, %s: parameters, off by %.1e",
	   what, truth->family, worst);
	ok(fabs(fit.loglik - truth->loglik) < 1e-6, "%s, %s: log-likelihood %.9f, off by %.1e",
	   what, truth->family, truth->loglik, fabs(fit.loglik - truth->loglik));
	ok(worst_error < 10 * tolerance, "%s, %s: standard errors, off by %.1e", what, truth->family, worst_error);
}

/* truth/small_tables.py */
static void
test_small_table(void)
{
	static const cvm_row rows[] = {
		{.age = 38.86, .weight = 700}, {.age = 30, .weight = 610},
		{.x = 1, .t_x = 10, .age = 38.86, .weight = 110}, {.x = 1, .t_x = 30.5, .age = 38.86, .weight = 62},
		{.x = 1, .t_x = 5, .age = 30, .weight = 95}, {.x = 1, .t_x = 20.25, .age = 30, .weight = 58},
		{.x = 2, .t_x = 20, .age = 38.86, .weight = 51}, {.x = 2, .t_x = 35, .age = 38.86, .weight = 44},
		{.x = 2, .t_x = 15, .age = 30, .weight = 37}, {.x = 2, .t_x = 28, .age = 30, .weight = 33},
		{.x = 3, .t_x = 12, .age = 38.86, .weight = 14}, {.x = 3, .t_x = 36.5, .age = 38.86, .weight = 31},
		{.x = 4, .t_x = 29, .age = 30, .weight = 19}, {.x = 5, .t_x = 33, .age = 38.86, .weight = 21},
		{.x = 7, .t_x = 37, .age = 38.86, .weight = 12}, {.x = 9, .t_x = 8, .age = 30, .weight = 4},
		{.x = 12, .t_x = 29.75, .age = 30, .weight = 6}, {.x = 20, .t_x = 38.5, .age = 38.86, .weight = 3}
	};
	static const maximum truth[] = {
		{
			"bg/nbd",
			{.29394701296209884563, 13.421875881560174014, .26412482864001065322, 1.2359376263992588306},
			{.023060572558254868276, 1.4923512504421220523, .12808984033602368189, .70654656118223507243},
			-5598.8396045398642808
		},
		{
			"mbg/nbd",
			{.42188680966168591511, 15.620888981552279256, .4476942220167997085, 1.74348528611987539},
			{.065140278700624257264, 1.682061443212719317, .18018936876831887022, 1.2225233337312383233},
			-5601.8168042959743129
		},
		{
			"pareto/nbd",
			{.4039916857020703497, 19.111873314668459342, 1.6600414168945504491, 204.2191770549943399},
			{.035660954376885951955, 1.7780244465493276332, 7.1128008046148944146, 938.80609363371245051},
			-5604.7117936093864267
		},
	};
	cvm_table  *table = cvm_table_new(CVM_PURCHASES, &cvm_plain_env);

	for (size_t i = 0; i < COUNT(rows); i++)
		cvm_table_add(table, &rows[i]);
	cvm_table_finish(table);
	for (size_t i = 0; i < COUNT(truth); i++)
		check_fit("small table", table, &truth[i], 1e-9);
	cvm_table_free(table);
}

/* truth/cdnow.py */
static void
test_cdnow(const char *file, const char *format, double customers, const maximum *truth, size_t n, const maximum *spend)
{
	cvm_table  *purchases = cvm_table_new(CVM_PURCHASES, &cvm_plain_env);
	cvm_table  *money = cvm_table_new(CVM_SPEND, &cvm_plain_env);

	if (!read_cdnow(file, format, purchases, money))
		skip(file, "no data");
	else
	{
		ok(cvm_table_customers(purchases) == customers, "%s: %g customers", file, customers);
		for (size_t i = 0; i < n; i++)
			check_fit(file, purchases, &truth[i], 1e-7);
		check_fit(file, money, spend, 1e-7);
	}
	cvm_table_free(purchases);
	cvm_table_free(money);
}

/* Published: two-decimal weeks (Fader & Hardie's summary), re-fitted to more digits (formulas, sections 1.2 and 1.3). */
static void
test_cdnow_summary(void)
{
	static const struct
	{
		const char *family;
		double		theta[4];
		double		loglik;
	}			truth[] = {
		{"mbg/nbd", {.5248379837, 6.1829920197, .8913561553, 1.6139993347}, -9582.132684900},
		{"pareto/nbd", {.5532755087, 10.5776122387, .6062135687, 11.6679112379}, -9594.973929827},
	};
	FILE	   *file = open_data("cdnow_sample_summary.csv");
	cvm_table  *purchases = cvm_table_new(CVM_PURCHASES, &cvm_plain_env);
	char		line[256];

	if (file == NULL)
		skip("CDNOW summary", "no data");
	while (file != NULL && fgets(line, sizeof(line), file))
	{
		cvm_row		row = {.weight = 1};

		if (sscanf(line, "%*d,%lf,%lf,%lf", &row.x, &row.t_x, &row.age) == 3)
			cvm_table_add(purchases, &row);
	}
	cvm_table_finish(purchases);
	for (size_t i = 0; file != NULL && i < COUNT(truth); i++)
	{
		cvm_fit_result fit;
		double		worst = 0;

		cvm_fit(cvm_family_find(truth[i].family), purchases, &cvm_plain_env, &fit);
		for (int k = 0; k < 4; k++)
			worst = fmax(worst, relative_error(fit.theta[k], truth[i].theta[k], 0));
		ok(worst < 1e-8, "CDNOW summary, %s: parameters, off by %.1e", truth[i].family, worst);
		ok(fabs(fit.loglik - truth[i].loglik) < 1e-6, "CDNOW summary, %s: log-likelihood %.9f, off by %.1e",
		   truth[i].family, truth[i].loglik, fabs(fit.loglik - truth[i].loglik));
	}
	if (file != NULL)
		fclose(file);
	cvm_table_free(purchases);
}

/* Data that have no interior maximum still end with a model that scores. */
static void
test_boundaries(const cvm_family *family)
{
	static const cvm_row one[] = {{.x = 1, .t_x = 3, .age = 10, .weight = 1}};
	static const cvm_row alike[] = {{.x = 10, .t_x = 20, .age = 20, .weight = 1000}};
	static const cvm_row million[] = {{.x = 10, .t_x = 20, .age = 20, .weight = 1e6}};
	static const cvm_row loyal[] = {
		{.x = 5, .t_x = 20, .age = 20, .weight = 100}, {.x = 10, .t_x = 20, .age = 20, .weight = 100},
		{.x = 20, .t_x = 20, .age = 20, .weight = 100}
	};
	static const cvm_row gone[] = {{.age = 1000, .weight = 50}, {.x = 1, .t_x = 1, .age = 1000, .weight = 50}};
	static const cvm_row huge[] = {
		{.x = 10000, .t_x = 9999, .age = 10000, .weight = 3}, {.x = 1, .t_x = 1, .age = 10000, .weight = 2},
		{.x = 0, .age = 10000, .weight = 1e6}
	};
	static const struct
	{
		const char *what;
		const cvm_row *rows;
		size_t		n;
	}			cases[] = {
		{"one customer", one, COUNT(one)}, {"all alike", alike, COUNT(alike)}, {"a million alike", million, COUNT(million)},
		{"nobody leaves", loyal, COUNT(loyal)}, {"everybody leaves", gone, COUNT(gone)},
		{"a million idle, three mad", huge, COUNT(huge)}
	};

	for (size_t i = 0; i < COUNT(cases); i++)
	{
		cvm_table  *table = cvm_table_new(CVM_PURCHASES, &cvm_plain_env);
		cvm_fit_result fit;
		cvm_status	status;
		bool		sane;

		for (size_t k = 0; k < cases[i].n; k++)
			cvm_table_add(table, &cases[i].rows[k]);
		cvm_table_finish(table);
		status = cvm_fit(family, table, &cvm_plain_env, &fit);
		sane = status == CVM_OK && cvm_in_domain(family, fit.theta) && isfinite(fit.loglik)
			&& fit.gradient_norm < 1e-7 && fit.has_covariance;
		for (size_t k = 0; k < cases[i].n && sane; k++)
		{
			double		p = family->p_alive(fit.theta, &cases[i].rows[k]);
			double		mean = family->expected_if_alive(fit.theta, &cases[i].rows[k], 10);

			sane = p >= 0 && p <= 1 && mean >= 0 && isfinite(mean);
		}
		ok(sane && fit.rung == CVM_RUNG_PENALISED, "%s, %s: (%g, %g, %g, %g)", family->name, cases[i].what,
		   fit.theta[0], fit.theta[1], fit.theta[2], fit.theta[3]);
		cvm_table_free(table);
	}
}

int
main(void)
{
	static const maximum sample[] = {
		{
			"bg/nbd", {.242594522430157, 4.4136020190135, .792922017225598, 2.42590677682633},
			{.012557378, .37822406, .18573382, .70541426}, -9582.42920667393063
		},
		{
			"mbg/nbd", {.524843159106298, 6.183085279576, .891359390732216, 1.61400224017034},
			{.083268207, .69562065, .15478993, .5374948}, -9582.13571555374954
		},
		{
			"pareto/nbd", {.55327704685318, 10.5776834633023, .606239989127826, 11.668735288855},
			{.047627926, .84272254, .18728134, 6.2111137}, -9594.97617893954311
		},
	};
	static const maximum master[] = {
		{
			"bg/nbd", {.251623958852123, 4.78894296185994, .723433576757499, 2.16108835894134},
			{.0042019739, .13125491, .053929244, .1985893}, -95368.4439331607618
		},
		{
			"mbg/nbd", {.637139733444285, 7.31028954199425, .807474117948811, 1.22839399565585},
			{.036207465, .29326388, .037611765, .11194551}, -95336.958319879529
		},
		{
			"pareto/nbd", {.597419966344702, 11.5856577816031, .522185610788961, 8.82775915036833},
			{.017372641, .29676469, .046341134, 1.4742266}, -95415.1186174698472
		},
	};
	static const maximum sample_spend = {
		"gamma-gamma", {6.24957227132376, 3.74422466713202, 15.4435209625892},
		{1.1900555, .29013308, 4.1594232}, -4055.91769480187398
	};
	static const maximum master_spend = {
		"gamma-gamma", {6.27535906791383, 3.6244500228309, 14.9836870309427},
		{.39969761, .090553413, 1.3440364}, -40763.4762613907836
	};
	static const char *const families[] = {"mbg/nbd", "pareto/nbd"};

	test_small_table();
	test_cdnow_summary();
	test_cdnow("cdnow_sample.txt", "%d %*d %d %*d %lf", 2357, sample, COUNT(sample), &sample_spend);
	test_cdnow("cdnow_master.txt", "%d %d %*d %lf", 23570, master, COUNT(master), &master_spend);
	for (size_t i = 0; i < COUNT(families); i++)
		test_boundaries(cvm_family_find(families[i]));
	return done_testing();
}
