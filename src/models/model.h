/*
 * model.h: what a probability model of customers is. THE PAGE TO READ.
 *
 * Plain C: no PostgreSQL header here or in any family, so that families are
 * tested, fuzzed and sanitised outside the server.  Nothing here allocates
 * behind the caller's back, prints, aborts or jumps: errors are return values.
 *
 * A family is one `const cvm_family` in one file, and one line in registry.c.
 *
 * Units: times are in the model's time unit (default one week), money in the
 * portfolio's currency.  `theta` is always the natural parameter vector in the
 * order and letters of the paper; every parameter of every family is > 0.
 */
#ifndef CVM_MODELS_MODEL_H
#define CVM_MODELS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CVM_MAX_PARAMS 5

/* A simulated customer with more purchases is cut short and to be refused: nobody waits for what buys for ever. */
#define CVM_MAX_SIMULATED 1e6

/* One customer's repeat purchases: more is an error of the data, and far from where likelihoods have a maximum to be found. */
#define CVM_MOST_REPEATS 1e9

typedef enum cvm_kind
{
	CVM_PURCHASES,				/* rows of x, t_x, age */
	CVM_SPEND,					/* rows of x, mean_spend */
	CVM_RETENTION				/* rows of lifetime, churned: contracts */
} cvm_kind;

typedef enum cvm_status
{
	CVM_OK = 0,
	CVM_NO_MEMORY,				/* env->alloc returned NULL */
	CVM_CANCELLED,				/* env->cancelled said so */
	CVM_NO_DATA,				/* nothing to fit on, e.g. no repeat purchase, or no churn, at all */
	CVM_NO_OPTIMUM				/* no finite log-likelihood could be found */
} cvm_status;

/* How a fit came about, from the best rung of the ladder down. */
typedef enum cvm_rung
{
	CVM_RUNG_FULL,				/* interior maximum of the likelihood */
	CVM_RUNG_PENALISED,			/* maximum on the boundary: weakly penalised */
	CVM_RUNG_SIMPLER,			/* the same with its shapes held (family->simpler) */
	CVM_RUNG_SHRUNK				/* no likelihood: own rates and means, shrunk to everybody's (shrunk.c) */
} cvm_rung;

#define CVM_N_RUNGS 4

/* by cvm_rung */
extern const char *const cvm_rung_names[CVM_N_RUNGS];

/*
 * The sufficient statistics of one customer (or of `weight` equal customers).
 * A contract has a lifetime and whether it has churned instead of age and x: it
 * then ended at renewal number `lifetime`, else that many renewals were made.
 */
typedef struct cvm_row
{
	union
	{
		double		x;			/* repeat periods: an integer >= 0 (spend: >= 1 in a fit) */
		double		churned;	/* retention: 0 or 1 */
	};
	double		t_x;			/* span: first to last purchase; 0 <= t_x <= age, 0 exactly if x = 0 */
	union
	{
		double		age;		/* first purchase to the as-of date */
		double		lifetime;	/* retention: renewals, an integer >= 0, >= 1 if churned */
	};
	double		mean_spend;		/* mean money per repeat period, > 0 (spend families only) */
	double		log_intervals;	/* sum of ln(interpurchase times) (cnbd-k only) */
	double		weight;			/* number of customers, > 0 */
} cvm_row;

/* What the outside world lends to a computation. */
typedef struct cvm_env
{
	void	   *(*alloc) (void *context, size_t size);	/* NULL when out of memory */
	void		(*release) (void *context, void *pointer);
	bool		(*cancelled) (void *context);	/* polled at least every 50 ms; may be NULL */
	void	   *context;
} cvm_env;

/* malloc, free, never cancelled: for programs outside the server. */
extern const cvm_env cvm_plain_env;

typedef struct cvm_table cvm_table; /* compressed statistics: table.h */
typedef struct cvm_rng cvm_rng; /* math/random.h */

/*
 * A family of models.  A NULL function means "has no meaning for this kind".
 *
 * Functions named *_if_alive are conditional on the customer being alive at
 * `row->age`; the unconditional figure is p_alive times it.  Where
 * `alive_ignores_span` is set they depend on (x, age) alone, so that callers may
 * compute them once per (x, age) pair.
 */
typedef struct cvm_family
{
	const char *name;			/* "bg/nbd" */
	cvm_kind	kind;
	int			n_params;
	const char *params[CVM_MAX_PARAMS]; /* names in the paper's order */
	int			time_power[CVM_MAX_PARAMS]; /* parameter scales with time unit ^ power */
	int			money_power[CVM_MAX_PARAMS];	/* ... with money unit ^ power */
	int			searched;		/* > 0: the first parameter is a whole number from 1 to this, and a fit tries them all */
	double		simpler[CVM_MAX_PARAMS];	/* what parameters are held at on the rung of this name; 0: climbed */
	bool		alive_ignores_span;
	bool		whole_times;	/* time is counted in opportunities: t_x and age are whole numbers */
	bool		needs_log_intervals;	/* log_intervals enters the likelihood */
	signed char purchase_sign[CVM_MAX_PARAMS];	/* +-1: covariates of purchases scale the parameter by exp(+-effect); 0: they do not */
	signed char dropout_sign[CVM_MAX_PARAMS];	/* ... and those of leaving (covariate.h); all 0: takes no covariates */
	const char *citation;		/* authors, year, journal */

	/* NULL if the row is in the family's domain, else what is wrong with it */
	const char *(*check_row) (const cvm_row *row);

	/* log-likelihood of one customer (weight ignored) */
	double		(*loglik) (const double *theta, const cvm_row *row);

	/*
	 * Log-likelihood of a whole table, with its gradient and Hessian in
	 * LOG parameters (grad[i] = d LL / d ln theta_i, hess row-major n x n);
	 * grad and hess may be NULL.  (NULL: the family is not climbed but estimated,
	 * as the last rung of the ladder is.)
	 */
	cvm_status	(*table_loglik) (const cvm_table *table, const double *theta,
								 double *loglik, double *grad, double *hess);

	/*
	 * up to `max` starting points (natural parameters); returns how many.  A
	 * searched parameter comes in starts[0][0].
	 */
	int			(*starts) (const cvm_table *table, double starts[][CVM_MAX_PARAMS], int max);

	/* purchases of a customer */
	double		(*p_alive) (const double *theta, const cvm_row *row);
	/* alive at the last opportunity seen (p_alive: at the next); NULL where time is continuous */
	double		(*p_alive_at_last) (const double *theta, const cvm_row *row);
	double		(*expected) (const double *theta, double t);	/* new customer, in (0, t] */
	double		(*expected_if_alive) (const double *theta, const cvm_row *row, double t);
	/* sum of exp(-rate * time from now) over purchases in (0, horizon]; horizon may be INFINITY if rate > 0 */
	double		(*discounted_if_alive) (const double *theta, const cvm_row *row,
										double rate, double horizon);
	/* P(exactly n purchases in (0, t] | alive now) */
	double		(*pmf_if_alive) (const double *theta, const cvm_row *row, double t, int n);
	/* time from now to the next purchase: its q-quantile given alive (may be INFINITY) */
	double		(*next_purchase_if_alive) (const double *theta, const cvm_row *row, double q);
	/* one random future given alive: purchase times in (0, horizon], ascending; returns how many (<= max) */
	int			(*simulate_if_alive) (const double *theta, const cvm_row *row, cvm_rng *rng,
									  double horizon, double *times, int max);
	/*
	 * The same future as two numbers, where purchases are a Poisson process until
	 * the customer leaves: its rate, and the time from now until he leaves (with one
	 * more purchase, if leaves_at_purchase).  With whole_times: the chance of a purchase
	 * at each opportunity, and at how many he is alive.  NULL: `times` are all there is.
	 */
	void		(*simulate_life_if_alive) (const double *theta, const cvm_row *row, cvm_rng *rng,
										   double *rate, double *lifetime);
	bool		leaves_at_purchase;
	/*
	 * One random customer observed over row->age (input): sets x, t_x and
	 * log_intervals; contracts: churned, lifetime; spend: mean_spend of row->x
	 * (input) purchases.  Stops beyond CVM_MAX_SIMULATED purchases.
	 */
	void		(*simulate) (const double *theta, cvm_rng *rng, cvm_row *row);

	/* spend */
	double		(*expected_spend) (const double *theta, const cvm_row *row);

	/*
	 * Contracts: probability of being retained beyond t renewals, and the expected
	 * sum of (1 + rate)^-j over the payments j = 0, 1, ... still to come when t
	 * renewals were made and the next decision is now (INFINITY where it has no mean).
	 * In the functions above a renewal, one period after the last, is a purchase.
	 */
	double		(*survival) (const double *theta, double t);
	double		(*residual_lifetime) (const double *theta, double t, double rate);
} cvm_family;

/* registry.c */
extern const cvm_family *cvm_family_find(const char *name);	/* NULL if unknown */
extern const cvm_family *cvm_family_at(int i);	/* those on offer; NULL beyond the last */

/* The parameters are finite and > 0, a searched one is among those tried. */
extern bool cvm_in_domain(const cvm_family *family, const double *theta);

/* ladder.c */
typedef struct cvm_fit_result
{
	const cvm_family *family;	/* whose parameters these are: on the rung `shrunk` not the one asked for */
	double		theta[CVM_MAX_PARAMS];	/* natural parameters */
	double		covariance[CVM_MAX_PARAMS][CVM_MAX_PARAMS]; /* natural scale, from the observed information */
	bool		has_covariance; /* false if the information is not positive definite */
	double		loglik;
	double		customers;		/* sum of weights that entered */
	double		gradient_norm;	/* in log parameters, divided by customers; NaN if nothing was climbed */
	double		condition;		/* of the Hessian in log parameters; likewise */
	int			iterations;
	cvm_rung	rung;
} cvm_fit_result;

/*
 * Goes down the ladder to the first rung that gives a model which scores
 * (doc/ladder.md).  Not CVM_OK only where there is nothing to learn from, or the
 * environment fails.
 */
extern cvm_status cvm_fit(const cvm_family *family, const cvm_table *table,
						  const cvm_env *env, cvm_fit_result *result);

/* The log-likelihood of a whole table, of families that are climbed and of others. */
extern cvm_status cvm_total_loglik(const cvm_family *family, const cvm_table *table,
								   const double *theta, double *loglik);

#endif
