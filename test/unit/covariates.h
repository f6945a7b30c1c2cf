/*
 * covariates.h: customers with covariates, simulated.
 */
#ifndef CVM_TEST_COVARIATES_H
#define CVM_TEST_COVARIATES_H

#include "simulated.h"
#include "tap.h"

#include "models/covariate.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MOST 5					/* covariates here */

static const char *const names[] = {"bg/nbd", "mbg/nbd", "pareto/nbd"};
static const double truth[][4] = {{0.8, 8, 0.9, 2.5}, {0.8, 8, 0.9, 2.5}, {0.8, 8, 0.9, 12}};

/* Customers with covariates. */
typedef struct customers
{
	const cvm_family *family;
	int			covariates;
	int			process[MOST];
	size_t		n;
	cvm_row    *row;
	double	   *z;
} customers;

static inline customers
new_customers(int which, int covariates, size_t n)
{
	customers	c = {.family = cvm_family_find(names[which]),.covariates = covariates,.n = n};

	for (int k = 0; k < MOST; k++)
		c.process[k] = CVM_ON_BOTH;
	c.row = calloc(n, sizeof(cvm_row));
	c.z = calloc(n * covariates, sizeof(double));
	return c;
}

static inline void
free_customers(customers *c)
{
	free(c->row);
	free(c->z);
}

static inline cvm_covariate_data
data_of(const customers *c)
{
	return (cvm_covariate_data) {c->family, c->covariates, c->process, c->n, c->row, c->z};
}

/* Parameters as the header says them, family by family. */
static inline void
theta_of(const cvm_family *family, const double *theta, const double *z, int n, const double *coefficient, double *out)
{
	bool		coin = strcmp(family->name, "pareto/nbd") != 0;

	memcpy(out, theta, 4 * sizeof(double));
	for (int k = 0; k < n; k++)
	{
		out[1] *= exp(-coefficient[k] * z[k]);
		if (coin)
		{
			out[2] *= exp(coefficient[n + k] * z[k]);
			out[3] *= exp(coefficient[2 * n + k] * z[k]);
		}
		else
			out[3] *= exp(-coefficient[n + k] * z[k]);
	}
}

/* Histories for the covariates; ages on whole days. */
static inline void
simulate(customers *c, const double *theta, const double *coefficient, cvm_rng *rng)
{
	for (size_t i = 0; i < c->n; i++)
	{
		double		own[4];

		theta_of(c->family, theta, c->z + i * c->covariates, c->covariates, coefficient, own);
		c->row[i] = (cvm_row) {.age = ceil(7 * (20 + 60 * cvm_rng_uniform(rng))) / 7,.weight = 1};
		c->family->simulate(own, rng, &c->row[i]);
		if (c->row[i].x > 0)
			c->row[i].t_x = fmin(c->row[i].age, fmax(1, ceil(7 * c->row[i].t_x)) / 7);
	}
}

#endif
