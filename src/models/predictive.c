/*
 * predictive.c: quantiles of residual value by a table of simulated futures
 * (see predictive.h).
 *
 * The table holds, at nodes of (x, age), the quantiles of W = V / E[V | alive]
 * given that there is any value, the chance of none, E[W^2] and E[W^3], and how the
 * mean of the discounted purchases moves with the parameters.  Every node sees the
 * same random numbers, so that the error of a finite simulation varies smoothly
 * from customer to customer and nobody overtakes his better by chance.  A node is made
 * when the first customer needs it: most of a grid, such as many purchases at a low
 * age, never is.
 * The uncertainty of spend is stratified: its quantiles, paired with the futures
 * by one random permutation.
 */
#include "models/predictive.h"

#include "math/gamma_quantile.h"
#include "math/random.h"
#include "math/special.h"
#include "models/numbering.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define LEVELS 64				/* quantiles kept per node, equidistant in logit */
#define LAST_LOGIT 7.5			/* ... up to 1 - 5.5e-4 */
#define MAX_X_NODES 48
#define MAX_AGE_NODES 20
#define AGE_STEP 0.5			/* of ln(age + scale) between nodes, if there are few enough */
#define MIN_FUTURES 2048
#define MAX_FUTURES 4096
#define ALL_FUTURES 500000		/* over all nodes, within these bounds */
#define GAMMA_NODES 257			/* quantiles of spend that are solved for; others are interpolated */
#define GAMMA_LOGIT 9.5
#define ONE_BY_ONE 16			/* purchases of a future that get a time each */
#define MAX_TIMES 1024			/* where the family simulates times */
#define MOST_SPREAD 10.0		/* E[W^2] that uncertain spend may contribute: the exact one is infinite for q + p x <= 2 */
#define MOST_SKEW 20.0			/* ... E[W^3], infinite for q + p x <= 3 */
#define WORTHLESS 27.6			/* e^-27.6 = 1e-12: later money is none */
#define LOG_NOTHING (-690.0)	/* ln 1e-300 */

/* What is known of V at one (x, age), with spend of one's own or the population's. */
typedef struct node
{
	bool		made;
	float		log_w[LEVELS];	/* of W given W > 0 */
	double		none;			/* P(W = 0 | alive) */
	double		log_square;		/* ln E[W^2 | alive] */
	double		log_cube;		/* ln E[W^3 | alive] */
	float		slope[CVM_MAX_PARAMS];	/* of ln(discounted purchases if alive) */
} node;

struct cvm_predictive
{
	const cvm_env *env;
	cvm_env		env_copy;
	const cvm_family *purchases;
	const double *theta;
	const cvm_axes *axes;		/* NULL: theta is taken as certain */
	double		p;				/* of Gamma-Gamma */
	double		q;
	double		rate;
	double		horizon;
	uint64_t	seed;
	double		x[MAX_X_NODES];
	double		log_x[MAX_X_NODES];	/* ln(1 + x) */
	int			n_x;
	double		age_scale;
	double		log_scale;
	double		age_step;		/* 0: one node */
	int			n_ages;
	int			futures;
	node	   *own;			/* n_x * n_ages, spend of one's own; the first row is x = 0 */
	node	   *prior;			/* the same where nothing is known of spend but the population's */
	struct workshop *workshop;
};

/* What nodes are made with. */
typedef struct workshop
{
	bool		has_spend[MAX_X_NODES];
	double	   *log_spend;		/* per node of x and future: ln of its Gamma(q + p x, 1), in the order of strata */
	uint32_t   *stratum;		/* per future */
	uint64_t   *key;
	uint64_t   *scratch;		/* of the sort */
	size_t		scratch_size;
	double	   *log_sum;		/* per future: ln of sum exp(-rate tau) g; LOG_NOTHING if none */
	double	   *times;
	double		any;			/* futures with any value, ... */
	double		sum,			/* and sums over them of the first three moments given its times */
				square,
				cube;
} workshop;

/* ---------- one future ---------- */

/* int_from^to e^(-rate t) dt, or its sum over the whole t in (from, to], both whole */
static double
annuity(const cvm_predictive *t, double rate, double from, double to)
{
	double		length = to - from;

	if (rate <= 0)
		return length;
	return exp(-rate * from) * -expm1(-rate * length) / (t->purchases->whole_times ? expm1(rate) : rate);
}

/*
 * Mean and variance of sum exp(-rate tau) g given what is known of the times: of
 * a purchase at tau, p e^(-rate tau) and p e^(-2 rate tau); of Poisson purchases
 * of rate lambda, by Campbell's theorem, p lambda int e^(-rate t) and
 * p (1 + p) lambda int e^(-2 rate t); of purchases with chance c at opportunities
 * t, p c sum e^(-rate t) and p c (1 + p (1 - c)) sum e^(-2 rate t).
 */
typedef struct moments
{
	double		mean;
	double		variance;
} moments;

static void
add_purchase(const cvm_predictive *t, double at, moments *sum)
{
	double		worth = exp(-t->rate * at);

	sum->mean += t->p * worth;
	sum->variance += t->p * worth * worth;
}

/* Time to the next purchase at rate lambda, or with chance lambda at each opportunity. */
static double
gap(const cvm_predictive *t, cvm_rng *rng, double lambda)
{
	double		wait = cvm_rng_exponential(rng);

	return t->purchases->whole_times ? 1 + floor(wait / -log1p(-lambda)) : wait / lambda;
}

/* The purchases of one who buys at rate lambda until he leaves: some one by one, many by their moments. */
static void
live(const cvm_predictive *t, cvm_rng *rng, double lambda, double lifetime, moments *sum)
{
	bool		whole = t->purchases->whole_times;
	double		end = fmin(lifetime, whole ? floor(t->horizon) : t->horizon);
	double		at = 0;

	for (int n = 0;; n++)
	{
		if (n % ONE_BY_ONE == 0 && n > 0 && lambda * (end - at) > ONE_BY_ONE)
		{
			double		chance = whole ? lambda : 0;

			sum->mean += t->p * lambda * annuity(t, t->rate, at, end);
			sum->variance += t->p * lambda * (1 + t->p * (1 - chance)) * annuity(t, 2 * t->rate, at, end);
			break;
		}
		at += gap(t, rng, lambda);
		if (!(at <= end) || isinf(at))
			break;
		add_purchase(t, at, sum);
	}
	if (t->purchases->leaves_at_purchase && lifetime <= t->horizon && isfinite(lifetime))
		add_purchase(t, lifetime, sum);
}

/*
 * One sum exp(-rate tau) g: the times are drawn, and the g all at once as a gamma
 * variable of their two moments, which is exact where nothing is discounted, and
 * nearly so for the few purchases between which discounts differ.
 */
static double
future(const cvm_predictive *t, const cvm_row *row, cvm_rng *rng, workshop *w)
{
	moments		sum = {0, 0};

	if (t->purchases->simulate_life_if_alive != NULL)
	{
		double		lambda,
					lifetime;

		t->purchases->simulate_life_if_alive(t->theta, row, rng, &lambda, &lifetime);
		live(t, rng, lambda, lifetime, &sum);
	}
	else
	{
		int			n = t->purchases->simulate_if_alive(t->theta, row, rng, t->horizon, w->times, MAX_TIMES);

		for (int i = 0; i < n; i++)
			add_purchase(t, w->times[i], &sum);
	}
	if (!(sum.mean > 0) || !isfinite(sum.mean) || !(sum.variance > 0) || !isfinite(sum.variance))
		return sum.mean > 0 ? fmin(sum.mean, DBL_MAX) : 0;
	w->any++;
	w->sum += sum.mean;
	w->square += sum.mean * sum.mean + sum.variance;
	w->cube += sum.mean * sum.mean * sum.mean + 3 * sum.mean * sum.variance + 2 * sum.variance * sum.variance / sum.mean;
	return cvm_rng_gamma(rng, sum.mean * sum.mean / sum.variance) * (sum.variance / sum.mean);
}

/* ---------- one node ---------- */

/* ln of the quantiles of Gamma(shape, 1) in the middle of n equal strata */
static void
spend_strata(double shape, int n, double *log_quantile)
{
	double		solved[GAMMA_NODES];
	double		step = 2 * GAMMA_LOGIT / (GAMMA_NODES - 1);

	for (int i = 0; i < GAMMA_NODES; i++)
		solved[i] = cvm_log_gamma_quantile(shape, 1 / (1 + exp(GAMMA_LOGIT - i * step)));
	for (int k = 0; k < n; k++)
	{
		double		level = (k + 0.5) / n;
		double		at = (log(level / (1 - level)) + GAMMA_LOGIT) / step;
		int			i = (int) fmax(0, fmin(at, GAMMA_NODES - 2));

		log_quantile[k] = solved[i] + (at - i) * (solved[i + 1] - solved[i]);
	}
}

static double
level_of(int i)
{
	return 1 / (1 + exp(LAST_LOGIT - i * (2 * LAST_LOGIT / (LEVELS - 1))));
}

/* Order-preserving words of doubles that may be negative: sorted by their upper half. */
static uint64_t
word_of(double value)
{
	uint64_t	bits;

	memcpy(&bits, &value, sizeof(bits));
	return (bits >> 63 ? ~bits : bits | UINT64_C(1) << 63) >> 32;
}

static double
value_of(uint64_t word)
{
	uint64_t	bits = word << 32 | UINT64_C(1) << 31;
	double		value;

	bits = bits >> 63 ? bits & ~(UINT64_C(1) << 63) : ~bits;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* Quantiles of W from sorted logarithms. */
static void
describe(node *out, const uint64_t *sorted, int n)
{
	for (int i = 0; i < LEVELS; i++)
	{
		double		at = fmax(0, fmin(level_of(i) * n - 0.5, n - 1));
		int			below = (int) at < n - 1 ? (int) at : n - 1;
		double		low = value_of(sorted[below]);
		double		high = value_of(sorted[below + 1 < n ? below + 1 : below]);

		out->log_w[i] = (float) (low + (at - below) * (high - low));
	}
}

/*
 * ln E[W^2] and ln E[W^3]: of the futures, times those of 1/G for spend,
 * E[1/G^2] / E[1/G]^2 = (s - 1) / (s - 2) and E[1/G^3] / E[1/G]^3 =
 * (s - 1)^2 / ((s - 2) (s - 3)) at shape s, which are given up as infinite beyond
 * MOST_SPREAD and MOST_SKEW.
 *
 * Those of the futures are taken given that there is any value and relative to the
 * simulated mean, with which they err together; how likely any value is is exact.
 * No distribution has E[W^2] below 1 / P(W > 0) or E[W^3] below E[W^2]^2 where
 * E[W] = 1 (Cauchy & Schwarz).
 */
static void
set_moments(const workshop *w, double shape, node *out)
{
	double		log_any = log(fmax(1 - out->none, 1e-300));
	double		log_mean = log(w->sum / w->any);
	double		square = log(w->square / w->any) - 2 * log_mean;
	double		cube = log(w->cube / w->any) - 3 * log_mean;
	double		spread = shape > 2 ? (shape - 1) / (shape - 2) : INFINITY;

	out->log_square = (isfinite(square) ? fmax(square, 0) : 0) - log_any + log(fmin(spread, MOST_SPREAD));
	out->log_cube = (isfinite(cube) ? cube : 0) - 2 * log_any
		+ log(shape > 3 ? fmin(spread * (shape - 1) / (shape - 3), MOST_SKEW) : MOST_SKEW);
	out->log_cube = fmax(out->log_cube, 2 * out->log_square);
}

/* The one piece of memory that a sort asks for is at hand: making a node cannot fail. */
static void *
lend(void *context, size_t size)
{
	const workshop *w = context;

	return size <= w->scratch_size ? w->scratch : NULL;
}

static void
take_back(void *context, void *pointer)
{
	(void) context;
	(void) pointer;
}

/*
 * W = (sum / G) / E[sum / G], G ~ Gamma(shape, 1), E[sum] = p * discounted.  The
 * mean is the exact one, not the simulation's, which a few large values disturb.
 */
static void
fill_node(const cvm_predictive *t, double shape, const double *log_spend, double discounted, node *out)
{
	workshop   *w = t->workshop;
	cvm_env		at_hand = {lend, take_back, NULL, w};
	double		log_mean = log(t->p * discounted / (shape - 1));
	int			n = 0;

	if (shape <= 1 || !isfinite(log_mean))
		return;					/* no finite mean: nobody asks */
	for (int i = 0; i < t->futures; i++)
		if (w->log_sum[i] > LOG_NOTHING)
			w->key[n++] = word_of(w->log_sum[i] - log_spend[w->stratum[i]] - log_mean);
	if (n == 0)					/* too rare to be seen: all of the mean, once in a while */
		w->key[n++] = word_of(-log(fmax(1 - out->none, 1e-300)));
	(void) cvm_radix_sort(&at_hand, w->key, NULL, n, 32);
	describe(out, w->key, n);
	set_moments(w, shape, out);
}

static void
set_slopes(const cvm_predictive *t, const cvm_row *row, double discounted, node *out)
{
	for (int k = 0; t->axes != NULL && k < t->axes->n; k++)
		out->slope[k] = (float) (t->axes->scale[k] *
								 (t->purchases->discounted_if_alive(t->axes->theta[k], row, t->rate, t->horizon) / discounted - 1));
}

static cvm_row
row_at(const cvm_predictive *t, int i, int k)
{
	cvm_row		row = {.x = t->x[i], .weight = 1};

	row.age = k == 0 ? 0 : exp(t->log_scale + k * t->age_step) - t->age_scale;
	if (t->purchases->whole_times)
		row.age = fmax(rint(row.age), row.x);	/* a purchase an opportunity at most */
	row.t_x = row.x > 0 ? row.age : 0;
	if (row.x > 0 && row.age <= 0)
		row.age = row.t_x = 1e-6 * t->age_scale;
	return row;
}

static const double *
spend_at(const cvm_predictive *t, int i)
{
	workshop   *w = t->workshop;
	double	   *log_spend = w->log_spend + (size_t) i * t->futures;

	if (!w->has_spend[i])
		spend_strata(t->q + t->p * t->x[i], t->futures, log_spend);
	w->has_spend[i] = true;
	return log_spend;
}

/* The node of spend of one's own, or of the population's: that of x = 0. */
static void
make_node(const cvm_predictive *t, int i, int k, bool own)
{
	workshop   *w = t->workshop;
	node	   *out = &(own ? t->own : t->prior)[i * t->n_ages + k];
	cvm_row		row = row_at(t, i, k);
	double		discounted = t->purchases->discounted_if_alive(t->theta, &row, t->rate, t->horizon);
	cvm_rng		rng;

	out->made = true;
	out->none = t->purchases->pmf_if_alive(t->theta, &row, t->horizon, 0);
	set_slopes(t, &row, discounted, out);
	cvm_rng_seed(&rng, t->seed);
	w->any = w->sum = w->square = w->cube = 0;
	for (int j = 0; j < t->futures; j++)
	{
		double		sum = future(t, &row, &rng, w);

		w->log_sum[j] = sum > 1e-299 ? log(fmin(sum, 1e299)) : LOG_NOTHING;
	}
	fill_node(t, t->q + (own ? t->p * row.x : 0), spend_at(t, own ? i : 0), discounted, out);
}

/* ---------- the table ---------- */

/* 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, ... up to the first that is large enough */
static void
choose_x(cvm_predictive *t, double max_x)
{
	double		x = 0;

	for (t->n_x = 0; t->n_x < MAX_X_NODES;)
	{
		t->x[t->n_x] = x;
		t->log_x[t->n_x++] = log1p(x);
		if (x >= max_x)
			break;
		if (x < 4)
			x++;
		else
			x = exp2(floor(log2(x))) == x ? 1.5 * x : x / 1.5 * 2;
	}
}

/*
 * Equidistant in ln(age + scale), scale the family's own (alpha): what is to
 * come depends on the sum of both.
 */
static void
choose_ages(cvm_predictive *t, double max_age)
{
	double		range;

	t->age_scale = INFINITY;
	for (int i = 0; i < t->purchases->n_params; i++)
		if (t->purchases->time_power[i] == 1)
			t->age_scale = fmin(t->age_scale, t->theta[i]);
	t->age_scale = isfinite(t->age_scale) ? fmax(t->age_scale, 1e-4 * max_age) : 1;
	t->log_scale = log(t->age_scale);
	range = log1p(max_age / t->age_scale);
	t->n_ages = range > 0 ? (int) fmin(ceil(range / AGE_STEP) + 1, MAX_AGE_NODES) : 1;
	t->age_step = t->n_ages > 1 ? range / (t->n_ages - 1) : 0;
}

/* Which stratum of spend a future gets: a random permutation (Fisher & Yates). */
static void
shuffle(uint32_t *stratum, int n, uint64_t seed)
{
	cvm_rng		rng;

	cvm_rng_seed(&rng, ~seed);
	for (int i = 0; i < n; i++)
		stratum[i] = i;
	for (int i = n - 1; i > 0; i--)
	{
		int			j = (int) (cvm_rng_uniform(&rng) * (i + 1));
		uint32_t	swap = stratum[i];

		stratum[i] = stratum[j];
		stratum[j] = swap;
	}
}

static void
close_workshop(const cvm_env *env, workshop *w)
{
	if (w == NULL)
		return;
	cvm_release(env, w->log_spend);
	cvm_release(env, w->stratum);
	cvm_release(env, w->key);
	cvm_release(env, w->scratch);
	cvm_release(env, w->log_sum);
	cvm_release(env, w->times);
	cvm_release(env, w);
}

static cvm_status
open_workshop(cvm_predictive *t)
{
	size_t		n = t->futures;
	workshop   *w = t->workshop = cvm_allocate(t->env, 1, sizeof(workshop));

	if (w == NULL)
		return CVM_NO_MEMORY;
	memset(w, 0, sizeof(*w));
	w->log_spend = cvm_allocate(t->env, n * t->n_x, sizeof(double));
	w->stratum = cvm_allocate(t->env, n, sizeof(uint32_t));
	w->key = cvm_allocate(t->env, n, sizeof(uint64_t));
	w->scratch = cvm_allocate(t->env, n, sizeof(uint64_t));
	w->scratch_size = n * sizeof(uint64_t);
	w->log_sum = cvm_allocate(t->env, n, sizeof(double));
	w->times = cvm_allocate(t->env, MAX_TIMES, sizeof(double));
	if (!w->log_spend || !w->stratum || !w->key || !w->scratch || !w->log_sum || !w->times)
		return CVM_NO_MEMORY;
	shuffle(w->stratum, t->futures, t->seed);
	return CVM_OK;
}

cvm_status
cvm_predictive_new(const cvm_family *purchases, const double *theta, const cvm_axes *axes,
				   const double *spend_theta, double rate, double horizon,
				   double max_x, double max_age, uint64_t seed,
				   const cvm_env *env, cvm_predictive **out)
{
	cvm_predictive *t = cvm_allocate(env, 1, sizeof(cvm_predictive));
	size_t		nodes;
	cvm_status	status;

	*out = NULL;
	if (t == NULL)
		return CVM_NO_MEMORY;
	memset(t, 0, sizeof(*t));
	t->env_copy = *env;
	t->env = &t->env_copy;
	t->purchases = purchases;
	t->theta = theta;
	t->axes = axes;
	t->p = spend_theta[0];
	t->q = spend_theta[1];
	t->rate = rate;
	t->horizon = rate > 0 ? fmin(horizon, WORTHLESS / rate) : horizon;
	t->seed = seed;
	choose_x(t, max_x);
	choose_ages(t, max_age);
	nodes = (size_t) t->n_x * t->n_ages;
	t->futures = (int) fmax(MIN_FUTURES, fmin(ALL_FUTURES / nodes, MAX_FUTURES));
	t->own = cvm_allocate(env, nodes, sizeof(node));
	t->prior = cvm_allocate(env, nodes, sizeof(node));
	status = t->own != NULL && t->prior != NULL ? CVM_OK : CVM_NO_MEMORY;
	if (status == CVM_OK)
	{
		memset(t->own, 0, nodes * sizeof(node));
		memset(t->prior, 0, nodes * sizeof(node));
		status = open_workshop(t);
	}
	if (status != CVM_OK)
		cvm_predictive_free(t);
	else
		*out = t;
	return status;
}

void
cvm_predictive_free(cvm_predictive *t)
{
	cvm_env		env;

	if (t == NULL)
		return;
	env = t->env_copy;
	close_workshop(&env, t->workshop);
	cvm_release(&env, t->own);
	cvm_release(&env, t->prior);
	cvm_release(&env, t);
}

/* ---------- one customer ---------- */

/* The four nodes around a customer and their weights. */
typedef struct place
{
	const node *corner[4];		/* made where it has a weight */
	double		weight[4];
} place;

static place
find_place(const cvm_predictive *t, const cvm_row *row)
{
	bool		own = !(row->x > 0) || row->mean_spend > 0;
	const node *nodes = own ? t->own : t->prior;
	double		at_age = t->age_step > 0 ? (log(row->age + t->age_scale) - t->log_scale) / t->age_step : 0;
	double		log_x = log1p(row->x);
	int			i = 0,
				k,
				i_next,
				k_next;
	double		u,
				v;
	place		at;

	while (i + 2 < t->n_x && t->x[i + 1] <= row->x)
		i++;
	i_next = i + 1 < t->n_x ? i + 1 : i;
	u = i_next > i ? fmin(1, (log_x - t->log_x[i]) / (t->log_x[i_next] - t->log_x[i])) : 0;
	at_age = fmax(0, fmin(at_age, t->n_ages - 1));
	k = (int) at_age;
	k_next = k + 1 < t->n_ages ? k + 1 : k;
	v = at_age - k;
	at = (place) {
		.corner = {&nodes[i * t->n_ages + k], &nodes[i * t->n_ages + k_next],
		&nodes[i_next * t->n_ages + k], &nodes[i_next * t->n_ages + k_next]},
		.weight = {(1 - u) * (1 - v), (1 - u) * v, u * (1 - v), u * v}
	};
	for (int c = 0; c < 4; c++)
		if (at.weight[c] > 0 && !at.corner[c]->made)
			make_node(t, c < 2 ? i : i_next, c % 2 == 0 ? k : k_next, own);
	return at;
}

/* ln of the quantile of W given W > 0 */
static double
log_w_quantile(const place *at, double level)
{
	double		logit = log(level / (1 - level));
	double		position = (logit + LAST_LOGIT) * ((LEVELS - 1) / (2 * LAST_LOGIT));
	int			i;
	double		rest;
	double		value = 0;

	position = fmax(0, fmin(position, LEVELS - 1));
	i = position < LEVELS - 2 ? (int) position : LEVELS - 2;
	rest = position - i;
	for (int c = 0; c < 4; c++)
		value += at->weight[c] * (at->corner[c]->log_w[i]
								  + rest * (at->corner[c]->log_w[i + 1] - at->corner[c]->log_w[i]));
	return value;
}

/*
 * 0 up to `none`, the mass at 0; above, the quantile of what is worth something.
 * Its scale is log-normal: logarithms of independent factors add, and so do the
 * squares of their quantiles' distances from the median (exactly where both are
 * normal).
 */
static double
quantile(const place *at, double mean_if_alive, double none, double level, double scale_sd)
{
	double		rest = (level - none) / (1 - none);
	double		log_w,
				median;

	if (!(rest > 0))
		return 0;
	rest = fmin(rest, 1 - DBL_EPSILON);
	log_w = log_w_quantile(at, rest);
	if (scale_sd > 0)
	{
		double		shift = scale_sd * cvm_normal_quantile(rest);

		median = log_w_quantile(at, 0.5);
		log_w = median + copysign(sqrt((log_w - median) * (log_w - median) + shift * shift), shift);
	}
	return mean_if_alive * exp(log_w);
}

void
cvm_predict(const cvm_predictive *t, const cvm_row *row, double p_alive, double mean, double spend_sd,
			double low_level, double high_level, cvm_prediction *out)
{
	place		at;
	double		none_if_alive = 0,
				log_w2 = 0,
				log_w3 = 0,
				none,
				mean_if_alive,
				square,
				scale_variance = spend_sd * spend_sd;

	*out = (cvm_prediction) {0};
	if (!(p_alive > 0) || !(mean > 0) || !isfinite(mean))
		return;
	at = find_place(t, row);
	for (int c = 0; c < 4; c++)
	{
		none_if_alive += at.weight[c] * at.corner[c]->none;
		log_w2 += at.weight[c] * at.corner[c]->log_square;
		log_w3 += at.weight[c] * at.corner[c]->log_cube;
	}
	for (int k = 0; t->axes != NULL && k < t->axes->n; k++)
	{
		for (int c = 0; c < 4; c++)
			out->slope[k] += at.weight[c] * at.corner[c]->slope[k];
		if (isfinite(out->slope[k]))
			scale_variance += out->slope[k] * out->slope[k];
	}
	none = 1 - p_alive * (1 - none_if_alive);
	mean_if_alive = mean / p_alive;
	out->low = quantile(&at, mean_if_alive, none, low_level, sqrt(scale_variance));
	out->high = quantile(&at, mean_if_alive, none, high_level, sqrt(scale_variance));
	square = mean * mean_if_alive * exp(log_w2);
	out->variance = fmax(0, square - mean * mean);
	out->third = mean * mean_if_alive * mean_if_alive * exp(log_w3) - 3 * mean * square + 2 * mean * mean * mean;
}
