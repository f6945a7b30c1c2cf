/*
 * simulated.h: customers of any family, drawn from given parameters.
 */
#ifndef CVM_TEST_SIMULATED_H
#define CVM_TEST_SIMULATED_H

#include "math/random.h"
#include "models/table.h"

#include <math.h>
#include <time.h>

/* Of this process: others may share the machine. */
static inline double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + 1e-9 * t.tv_nsec;
}

static inline double
log_uniform(cvm_rng *rng, double low, double high)
{
	return low * pow(high / low, cvm_rng_uniform(rng));
}

/* A Gamma-Gamma customer: the mean of x purchases. */
static inline void
simulate_spend(const double *theta, cvm_rng *rng, cvm_row *row)
{
	double		nu = cvm_rng_log_gamma(rng, theta[1]) - log(theta[2]);

	row->mean_spend = exp(cvm_rng_log_gamma(rng, theta[0] * row->x) - nu) / row->x;
}

/*
 * Customers of a family: purchases seen after 10 to 60 time units, on whole
 * days (unit: week) if `days`, the mean of 1 to 8 purchases, or contracts seen
 * for 2 to 13 decisions.
 */
static inline cvm_table *
simulated_table(const cvm_family *family, const double *theta, cvm_rng *rng, int customers, bool days)
{
	cvm_table  *table = cvm_table_new(family->kind, &cvm_plain_env);

	for (int i = 0; i < customers; i++)
	{
		cvm_row		row = {.weight = 1};

		if (family->kind == CVM_SPEND)
		{
			row.x = 1 + floor(8 * cvm_rng_uniform(rng));
			simulate_spend(theta, rng, &row);
			if (!(row.mean_spend > 1e-300 && row.mean_spend < 1e300))
				continue;
		}
		else if (family->kind == CVM_RETENTION)
		{
			row.lifetime = 2 + floor(12 * cvm_rng_uniform(rng));
			family->simulate(theta, rng, &row);
		}
		else
		{
			row.age = 10 + 50 * cvm_rng_uniform(rng);
			if (family->whole_times)
				row.age = floor(row.age);
			else if (days)
				row.age = ceil(7 * row.age) / 7;
			family->simulate(theta, rng, &row);
			if (days && row.x > 0 && !family->whole_times)
				row.t_x = fmin(row.age, fmax(1, ceil(7 * row.t_x)) / 7);
		}
		cvm_table_add(table, &row);
	}
	cvm_table_finish(table);
	return table;
}

/* Every parameter within a factor `spread` of an ordinary value. */
static inline void
random_theta(const cvm_family *family, cvm_rng *rng, double spread, double *theta)
{
	for (int i = 0; i < family->n_params; i++)
	{
		theta[i] = log_uniform(rng, 1 / spread, spread);
		if (family->time_power[i] != 0)
			theta[i] *= 10;
		if (family->money_power[i] != 0)
			theta[i] *= 20;
	}
	if (family->searched > 0)
		theta[0] = 1 + floor(4 * cvm_rng_uniform(rng));
}

#endif
