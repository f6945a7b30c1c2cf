/*
 * contract.c: what families of contracts share (see contract.h).
 */
#include "models/contract.h"
#include "math/special.h"
#include "models/cells.h"

#include <math.h>

const char *
cvm_contract_check_row(const cvm_row *row)
{
	if (row->churned != 0 && row->churned != 1)
		return "churned is neither 0 nor 1";
	if (!(row->lifetime >= 0 && isfinite(row->lifetime)) || row->lifetime != floor(row->lifetime))
		return "lifetime is not a whole number of renewals, 0 or more";
	if (row->churned == 1 && row->lifetime == 0)
		return "churned with a lifetime of 0: the first decision is renewal 1";
	if (!(row->weight > 0 && isfinite(row->weight)))
		return "weight is not a finite number above 0";
	return NULL;
}

/* Whether a contract runs is known. */
double
cvm_contract_p_alive(const double *theta, const cvm_row *row)
{
	(void) theta;
	return row->churned == 0;
}

double
cvm_log_one_less_exp(double d)
{
	return d > -0.69 ? log(-expm1(d)) : log1p(-exp(d));
}

/* Churned at renewal t: S(t - 1) - S(t); otherwise S(t) (Fader & Hardie 2007, appendix). */
double
cvm_contract_loglik(cvm_log_retained retained, const double *theta, const cvm_row *row)
{
	if (row->churned == 0)
		return retained(theta, 0, row->lifetime);
	return retained(theta, 0, row->lifetime - 1)
		+ cvm_log_one_less_exp(retained(theta, row->lifetime - 1, 1));
}

/* Nothing happens between renewals. */
double
cvm_contract_survival(cvm_log_retained retained, const double *theta, double t)
{
	return t < 1 ? 1 : exp(retained(theta, 0, floor(t)));
}

/* Exactly n renewals in t decisions: n made and the next one not, or all of them made. */
double
cvm_contract_pmf(cvm_log_retained retained, const double *theta, const cvm_row *row, double t, int n)
{
	double		made;

	if (n < 0 || n > t)
		return 0;
	made = exp(retained(theta, row->lifetime, n));
	if (n == floor(t))
		return made;
	return made * -expm1(retained(theta, row->lifetime + n, 1));
}

/* The next renewal comes after one period or never. */
double
cvm_contract_next(cvm_log_retained retained, const double *theta, const cvm_row *row, double q)
{
	return q <= exp(retained(theta, row->lifetime, 1)) ? 1 : INFINITY;
}

/* Kept off 0 and 1: what starts there has run away already. */
double
cvm_contract_first_churn(const cvm_table *table)
{
	const cvm_cells *cells = cvm_table_cells(table);
	double		decided = 0;
	double		ended = 0;

	for (size_t i = 0; i < cells->rows; i++)
	{
		const cvm_row row = cvm_table_row(table, i);

		if (row.lifetime >= 1)
			decided += row.weight;
		if (row.lifetime == 1 && row.churned == 1)
			ended += row.weight;
	}
	return decided > 0 ? fmin(fmax(ended / decided, 1e-4), 1 - 1e-4) : 0.5;
}

double
cvm_contract_draw(cvm_rng *rng, double a, double b)
{
	double		leave = cvm_rng_log_gamma(rng, a);
	double		stay = cvm_rng_log_gamma(rng, b);

	return -cvm_log_sum_exp(0, leave - stay);
}

int
cvm_contract_times(double renewals, double horizon, double *times, int max)
{
	int			n = 0;

	while (n < max && n + 1 <= renewals && n + 1 <= horizon)
	{
		times[n] = n + 1;
		n++;
	}
	return n;
}

void
cvm_contract_observe(double renewals, cvm_row *row)
{
	row->lifetime = floor(row->lifetime);
	row->t_x = 0;
	row->log_intervals = 0;
	row->churned = renewals < row->lifetime;
	if (row->churned == 1)
		row->lifetime = renewals + 1;
}
