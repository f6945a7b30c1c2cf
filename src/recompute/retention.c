/*
 * retention.c: the retention model of a portfolio's subscriptions, and what they
 * add to the numbers of a customer.
 *
 * A subscription that has made n renewals and runs makes j further ones with
 * probability S(n + j) / S(n).  With q = exp(-rate) a renewal period, u the time
 * to the next renewal in periods, J renewals due within the horizon, m the price
 * times the margin:
 *
 *	  expected purchases = sum over j = 1 .. J of S(n + j) / S(n)
 *	  churn risk         = 1 - S(n + J) / S(n)
 *	  residual value     = m q^(u - 1) D(rate),	D(rate) = sum over j of q^j S(n + j) / S(n)
 *
 * At u = 0 the residual value is that of a contract whose next decision is now
 * (Fader & Hardie 2010, Marketing Science 29(1), eq. 6).  One that ends after K
 * renewals was worth V = m q^(u - 1) (q - q^(K + 1)) / (1 - q), so that quantiles
 * of V are those of K, and
 *
 *	  E[V^2] = m^2 q^(2 (u - 1)) (2 q D(rate) - (1 + q) D(2 rate)) / (1 - q)
 *	  E[V^3] = m^3 q^(3 (u - 1)) (3 q^2 D(rate) - 3 q (1 + q) D(2 rate) + (1 + q + q^2) D(3 rate)) / (1 - q)^2
 *
 * Subscriptions and purchases of a customer are taken as independent of each
 * other: values and variances add.  The quantiles of a sum are as far from its
 * mean as the root of the sum of the squares of how far those of the parts are
 * from theirs, on either side: exact for normal parts and where there is only
 * one, never beyond the sums of the quantiles.  So far is also what the uncertain
 * parameters of the retention model add, one part that all subscriptions share; but
 * no contract is worth less than nothing, or more than if it were renewed for ever.
 */
#include "retention.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "models/cells.h"
#include "recompute/subscription.h"
#include "worker/shared.h"

#define NORMAL_95 1.6448536269514722	/* 95 % quantile */
#define GRADIENT_LIMIT 1e-3		/* as in registry.c */
#define LEAST_RATE 1e-5			/* below, E[V^3] is lost in rounding */

/* ---------- the fit ---------- */

/* All subscriptions as rows of the family; returns how many decisions they have seen. */
static double
fill_table(const RecomputePlan *plan, const Population *population, cvm_table *table)
{
	int32		as_of_day = cvm_local_day(plan, plan->as_of);
	double		decisions = 0;
	cvm_status	status = CVM_OK;
	char	   *record;
	Size		size;

	cvm_spool_rewind(population->customers);
	while (status == CVM_OK && (record = cvm_spool_next(population->customers, &size)) != NULL)
	{
		const SubscriptionList *list = cvm_subscriptions((const CustomerRecord *) record);

		CHECK_FOR_INTERRUPTS();
		for (int64 i = 0; list && i < list->n && status == CVM_OK; i++)
		{
			ContractState state = cvm_contract_state(&plan->contracts, &list->item[i], as_of_day);
			cvm_row		row = {.churned = state.churned,.lifetime = state.lifetime,.weight = 1};

			decisions += row.lifetime;
			status = cvm_table_add(table, &row);
		}
	}
	if (status == CVM_OK)
		status = cvm_table_finish(table);
	if (status != CVM_OK)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("The subscriptions of " INT64_FORMAT " customers do not fit.", population->n_subscribers)));
	return decisions;
}

/*
 * None has ended: there is no likeliest model but one in which nobody ever
 * leaves.  Laplace's rule of succession (1774) instead: after D decisions of which
 * none ended a contract, one in D + 2 does; as Beta(1, D + 1), which is how sure
 * it is.
 */
static void
fit_without_churn(const cvm_family *family, const cvm_table *table, double decisions, cvm_fit_result *fit)
{
	memset(fit, 0, sizeof(*fit));
	fit->family = family;
	fit->theta[0] = 1;
	fit->theta[1] = 1 + decisions;
	for (int i = 2; i < family->n_params; i++)
		fit->theta[i] = 1;		/* bdw at c = 1 is sbg */
	(void) family->table_loglik(table, fit->theta, &fit->loglik, NULL, NULL);
	fit->customers = cvm_table_customers(table);
	fit->rung = CVM_RUNG_SHRUNK;
}

/* The live retention model of the same specification and feed. */
typedef struct LiveRetention
{
	int64		model_id;		/* 0: none */
	bool		full;			/* its rung */
	TimestampTz as_of;
} LiveRetention;

static LiveRetention
find_live(const RecomputePlan *plan)
{
	Oid			types[3] = {TEXTOID, JSONBOID, JSONBOID};
	Datum		values[3] = {
		CStringGetTextDatum(plan->portfolio), cvm_jsonb(plan->contracts.specification), cvm_jsonb(plan->contracts.source)
	};
	LiveRetention live = {0};
	bool		isnull;

	if (cvm_spi(SPI_OK_SELECT,
				"SELECT m.model_id, m.rung OPERATOR(pg_catalog.=) 'full', m.as_of FROM cvm.fitted_model m"
				" WHERE m.portfolio OPERATOR(pg_catalog.=) $1 AND m.role OPERATOR(pg_catalog.=) 'retention'"
				" AND m.status OPERATOR(pg_catalog.=) 'live' AND m.specification OPERATOR(pg_catalog.=) $2"
				" AND m.source OPERATOR(pg_catalog.=) $3 ORDER BY m.model_id DESC LIMIT 1",
				3, types, values, NULL) == 0)
		return live;
	live.model_id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	live.full = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
	live.as_of = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return live;
}

/* Drift in so short a time that contracts can not have grown older to speak of. */
static bool
is_sudden(const RecomputePlan *plan, const LiveRetention *live, const cvm_table *table)
{
	double		days = fabs((double) (plan->as_of - live->as_of)) / USECS_PER_DAY;

	return days <= CVM_SUDDEN_AGEING * cvm_table_cells(table)->mean_age * cvm_renewal_length(&plan->contracts);
}

/* Why the fit may not go live where another one is; NULL if it may. */
static const char *
objection(const RecomputePlan *plan, const LiveRetention *live, const FittedPair *fit, const cvm_table *table, bool drifted)
{
	if (fit->rejected)
		return psprintf("rejected with the purchase model of its run: %s", fit->rejected);
	if (fit->retention.rung != CVM_RUNG_FULL && live->full)
		return psprintf("convergence: the fit ended on the rung %s, that of the live model is full",
						cvm_rung_names[fit->retention.rung]);
	if (!(fit->retention.gradient_norm <= GRADIENT_LIMIT))
		return psprintf("convergence: the gradient is %.3g per subscription at the end of the fit", fit->retention.gradient_norm);
	if (drifted && is_sudden(plan, live, table))
		return "drift: the subscriptions have changed suddenly since the live model was fitted, see cvm.drift";
	return NULL;
}

/* Like the pair of purchases and spend (registry.c), and rejected with it. */
static void
fit_and_judge(const RecomputePlan *plan, int64 run_id, const LiveRetention *live, const cvm_table *table, double decisions,
			  bool drifted, const cvm_env *env, FittedPair *fit)
{
	const ContractPlan *contracts = &plan->contracts;
	const char *reason;

	if (cvm_table_cells(table)->purchases > 0)
		cvm_fit_or_error(contracts->family, table, env, &fit->retention);
	else
		fit_without_churn(contracts->family, table, decisions, &fit->retention);
	fit->retention_model_id = cvm_record_model(plan, run_id, "retention", table, &fit->retention,
											   fit->purchase_model_id, contracts->specification, contracts->source);
	cvm_record_contract_inputs(plan, fit->retention_model_id, table);
	reason = live->model_id > 0 ? objection(plan, live, fit, table, drifted) : NULL;
	if (reason == NULL)
		return;
	cvm_reject_model(fit->retention_model_id, reason);
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("the refit of the subscriptions of portfolio \"%s\", model " INT64_FORMAT ", does not go live",
					plan->portfolio, fit->retention_model_id),
			 errdetail("%s; scores come from model " INT64_FORMAT ".", reason, live->model_id)));
	cvm_load_model(plan, live->model_id, contracts->family, &fit->retention);
	fit->retention_model_id = live->model_id;
}

void
cvm_choose_retention(const RecomputePlan *plan, int64 run_id, const Population *population,
					 const cvm_env *env, FittedPair *fit)
{
	cvm_table  *table;
	double		decisions;
	LiveRetention live;
	bool		drifted = false;

	if (population->n_subscribers == 0)
		return;
	table = cvm_table_new(CVM_RETENTION, env);
	if (table == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	decisions = fill_table(plan, population, table);
	live = find_live(plan);
	if (live.model_id > 0)
		drifted = cvm_measure_contract_drift(plan, run_id, live.model_id, table);
	if (plan->contracts.pinned_model > 0)
	{
		fit->retention_model_id = plan->contracts.pinned_model;
		cvm_load_model(plan, fit->retention_model_id, plan->contracts.family, &fit->retention);
		cvm_check_pinned(plan, table, &fit->retention, fit->retention_model_id);
	}
	else
		fit_and_judge(plan, run_id, &live, table, decisions, drifted, env, fit);
	cvm_table_free(table);
}

/* ---------- one subscription ---------- */

/* What depends on the renewals made and those within the horizons alone; money in prices, as if a renewal were due in one period. */
typedef struct Prospects
{
	double		expected;
	double		retained;		/* P(it lasts beyond the horizon) */
	double		mean;
	double		variance;
	double		third;			/* third central moment */
	double		low;
	double		high;
	double		most;			/* what it is worth if renewed for ever */
	double		loading[CVM_MAX_PARAMS];	/* of the mean */
} Prospects;

typedef struct ProspectKey
{
	double		renewals;
	double		within;			/* due in the horizon */
	double		valued;			/* due in the value horizon; INFINITY: unlimited */
} ProspectKey;

typedef struct ProspectEntry
{
	ProspectKey key;
	char		status;			/* of simplehash */
	Prospects	prospects;
} ProspectEntry;

#define SH_PREFIX prospects
#define SH_ELEMENT_TYPE ProspectEntry
#define SH_KEY_TYPE ProspectKey
#define SH_KEY key
#define SH_HASH_KEY(tb, k) hash_bytes((const unsigned char *) &(k), sizeof(ProspectKey))
#define SH_EQUAL(tb, a, b) (memcmp(&(a), &(b), sizeof(ProspectKey)) == 0)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

/* The cache is emptied rather than grown beyond this many entries (136 bytes each). */
#define MAX_CACHED 1000000

struct ContractValuer
{
	const RecomputePlan *plan;
	const ContractPlan *contracts;
	const FittedPair *fit;
	cvm_axes	axes;			/* of the retention model */
	prospects_hash *cache;
	int32		as_of_day;
	double		unit_days;		/* time unit of the plan */
	double		day_rate;		/* continuous discount rate a day */
	double		rate;			/* ... a renewal period */
};

ContractValuer *
cvm_contract_valuer_new(const RecomputePlan *plan, const FittedPair *fit, MemoryContext context)
{
	ContractValuer *valuer;

	if (fit->retention_model_id == 0)
		return NULL;
	valuer = MemoryContextAllocZero(context, sizeof(ContractValuer));
	valuer->plan = plan;
	valuer->contracts = &plan->contracts;
	valuer->fit = fit;
	cvm_axes_of(&fit->retention, &valuer->axes);
	valuer->cache = prospects_create(context, 1024, NULL);
	valuer->as_of_day = cvm_local_day(plan, plan->as_of);
	valuer->unit_days = plan->unit_seconds / 86400;
	valuer->day_rate = plan->rate / valuer->unit_days;
	valuer->rate = valuer->day_rate * cvm_renewal_length(&plan->contracts);
	return valuer;
}

void
cvm_contract_valuer_free(ContractValuer *valuer)
{
	if (valuer == NULL)
		return;
	prospects_destroy(valuer->cache);
	pfree(valuer);
}

/* S(n + j) / S(n): all of j renewals are made. */
static double
retained(const ContractValuer *valuer, const cvm_row *row, double j)
{
	if (j > INT_MAX)
		j = INT_MAX;
	return j < 1 ? 1 : valuer->fit->retention.family->pmf_if_alive(valuer->fit->retention.theta, row, j, (int) j);
}

/* sum of q^j, j = 1 .. k */
static double
annuity(double rate, double k)
{
	return rate > 0 ? -expm1(-rate * k) / expm1(rate) : k;
}

/* Quantile of the renewals still made, at most `most`: the smallest k with 1 - S(n + k + 1) / S(n) >= level. */
static double
renewals_quantile(const ContractValuer *valuer, const cvm_row *row, double level, double most)
{
	double		low = -1;		/* too few */
	double		high = 0;

	most = fmin(most, valuer->rate > 0 ? ceil(40 / valuer->rate) : INT_MAX - 2.0);	/* later ones are worth nothing */
	while (high < most && retained(valuer, row, high + 1) > 1 - level)
	{
		low = high;
		high = fmin(2 * high + 1, most);
	}
	if (high >= most && retained(valuer, row, most) > 1 - level)
		return most;
	while (high - low > 1)
	{
		double		middle = floor((low + high) / 2);

		if (retained(valuer, row, middle + 1) > 1 - level)
			low = middle;
		else
			high = middle;
	}
	return high;
}

/* Without a discount: sums over j of (2 j - 1) and (3 j^2 - 3 j + 1) times S(n + j) / S(n), up to a horizon. */
static void
undiscounted_moments(const ContractValuer *valuer, const cvm_row *row, double most, double *square, double *cube)
{
	*square = *cube = 0;
	for (double j = 1; j <= most; j++)
	{
		double		rest = retained(valuer, row, j);
		double		term = (3 * j * (j - 1) + 1) * rest;

		CHECK_FOR_INTERRUPTS();
		*square += (2 * j - 1) * rest;
		*cube += term;
		if (term <= 1e-17 * *cube)
			break;
	}
}

/* Second and third central moment, of which the mean is known. */
static void
set_moments(const ContractValuer *valuer, const cvm_row *row, double valued, Prospects *out)
{
	const cvm_family *family = valuer->fit->retention.family;
	const double *theta = valuer->fit->retention.theta;
	double		rate = valuer->rate;
	double		q = exp(-rate);
	double		square,
				cube = 0;

	if (rate > 0)
	{
		double		twice = family->discounted_if_alive(theta, row, 2 * rate, valued);
		double		thrice = family->discounted_if_alive(theta, row, 3 * rate, valued);
		double		part = -expm1(-rate);

		square = (2 * q * out->mean - (1 + q) * twice) / part;
		cube = (3 * q * q * out->mean - 3 * q * (1 + q) * twice + (1 + q + q * q) * thrice) / (part * part);
	}
	else
		undiscounted_moments(valuer, row, valued, &square, &cube);
	out->variance = fmax(square - out->mean * out->mean, 0);
	if (rate > 0 && rate < LEAST_RATE)	/* as skewed as a gamma variable */
		out->third = out->mean > 0 ? 2 * out->variance * out->variance / out->mean : 0;
	else
		out->third = cube - 3 * out->mean * square + 2 * out->mean * out->mean * out->mean;
}

static void
compute_prospects(const ContractValuer *valuer, const ProspectKey *key, Prospects *out)
{
	const cvm_family *family = valuer->fit->retention.family;
	const double *theta = valuer->fit->retention.theta;
	cvm_row		row = {.lifetime = key->renewals,.weight = 1};

	out->expected = family->expected_if_alive(theta, &row, key->within);
	out->retained = retained(valuer, &row, key->within);
	out->mean = family->discounted_if_alive(theta, &row, valuer->rate, key->valued);
	set_moments(valuer, &row, key->valued, out);
	out->most = annuity(valuer->rate, key->valued);
	memset(out->loading, 0, sizeof(out->loading));
	for (int k = 0; k < valuer->axes.n; k++)
		out->loading[k] = valuer->axes.scale[k] *
			(family->discounted_if_alive(valuer->axes.theta[k], &row, valuer->rate, key->valued) - out->mean);
	out->low = annuity(valuer->rate, renewals_quantile(valuer, &row, 0.05, key->valued));
	out->high = annuity(valuer->rate, renewals_quantile(valuer, &row, 0.95, key->valued));
}

static const Prospects *
find_prospects(ContractValuer *valuer, const Subscription *subscription, const ContractState *state)
{
	const RecomputePlan *plan = valuer->plan;
	ProspectKey key = {
		.renewals = state->lifetime,
		.within = cvm_renewals_within(valuer->contracts, subscription, state->lifetime, valuer->as_of_day,
									  plan->horizon * valuer->unit_days),
		.valued = isinf(plan->value_horizon) ? INFINITY
		: cvm_renewals_within(valuer->contracts, subscription, state->lifetime, valuer->as_of_day,
							  plan->value_horizon * valuer->unit_days)
	};
	ProspectEntry *entry;
	bool		found;

	if (valuer->cache->members >= MAX_CACHED)
		prospects_reset(valuer->cache);
	entry = prospects_insert(valuer->cache, key, &found);
	if (!found)
		compute_prospects(valuer, &key, &entry->prospects);
	return &entry->prospects;
}

/* ---------- the subscriptions of a customer ---------- */

typedef struct Sums
{
	int			running;
	double		expected;
	double		expected_money; /* before margin */
	double		price;			/* sum over those that run, else over all */
	int64		prices;
	double		churned;		/* P(none lasts beyond the horizon) */
	double		mean;
	double		variance;
	double		third;
	double		most;			/* all that can come of them */
	double		loading[CVM_MAX_PARAMS];
	double		below;			/* squares of mean - low quantile */
	double		above;			/* ... of high quantile - mean */
	int32		last_paid_on;
	int64		next_on;
	int32		started_on;		/* the first */
} Sums;

static double
price_of(const Subscription *subscription)
{
	/* digits that a double holds divide exactly; the others do so to its last one or two */
	return (double) subscription->price / pow(10, subscription->scale);
}

static void
add_spread(double mean, double low, double high, Sums *sums)
{
	sums->below += fmax(mean - low, 0) * fmax(mean - low, 0);
	sums->above += fmax(high - mean, 0) * fmax(high - mean, 0);	/* a mean above most of the distribution */
}

static void
add_running(ContractValuer *valuer, const Subscription *subscription, const ContractState *state, Sums *sums)
{
	const Prospects *p = find_prospects(valuer, subscription, state);
	double		price = price_of(subscription);
	double		wait = (double) (state->next_on - valuer->as_of_day);
	double		worth = valuer->plan->margin * price * exp(valuer->rate - valuer->day_rate * wait);

	if (sums->running++ == 0)
	{
		sums->price = 0;		/* of those that have ended */
		sums->prices = 0;
		sums->next_on = state->next_on;
	}
	sums->next_on = Min(sums->next_on, state->next_on);
	sums->price += price;
	sums->prices++;
	sums->expected += p->expected;
	sums->expected_money += price * p->expected;
	sums->churned *= 1 - p->retained;
	sums->mean += worth * p->mean;
	sums->variance += worth * worth * p->variance;
	sums->third += worth * worth * worth * p->third;
	if (worth > 0)				/* without a discount the most may be infinite */
		sums->most += worth * p->most;
	for (int k = 0; k < valuer->axes.n; k++)
		sums->loading[k] += worth * p->loading[k];
	add_spread(worth * p->mean, worth * p->low, worth * p->high, sums);
}

static void
sum_subscriptions(ContractValuer *valuer, const SubscriptionList *list, Sums *sums)
{
	memset(sums, 0, sizeof(*sums));
	sums->churned = 1;
	sums->last_paid_on = PG_INT32_MIN;
	sums->started_on = list->item[0].started_on;
	for (int64 i = 0; i < list->n; i++)
	{
		ContractState state = cvm_contract_state(valuer->contracts, &list->item[i], valuer->as_of_day);

		sums->last_paid_on = Max(sums->last_paid_on, state.last_paid_on);
		if (!state.churned)
			add_running(valuer, &list->item[i], &state, sums);
		else if (sums->running == 0)
		{
			sums->price += price_of(&list->item[i]);
			sums->prices++;
		}
	}
}

/*
 * The interval of purchases and subscriptions, if both have one: `value` still has
 * that of the purchases, and the sum of both in residual_value.
 */
static void
add_interval(const ContractValuer *valuer, Sums *sums, bool alone, CustomerValue *value)
{
	double		purchases = value->residual_value - sums->mean;
	double		spread = 0;

	value->has_interval = valuer->plan->predictive_interval && valuer->axes.known && (alone || value->has_interval);
	for (int k = 0; k < valuer->axes.n; k++)
	{
		value->stake.loading[CVM_CONTRACT_LOADINGS + k] = sums->loading[k];
		spread += sums->loading[k] * sums->loading[k];
	}
	if (!isfinite(spread))
		value->has_interval = false;
	if (!value->has_interval)
	{
		memset(value->stake.loading, 0, sizeof(value->stake.loading));
		return;
	}
	spread *= NORMAL_95 * NORMAL_95;
	sums->below = fmin(sums->below + spread, sums->mean * sums->mean);
	sums->above = fmin(sums->above + spread, (sums->most - sums->mean) * (sums->most - sums->mean));
	if (!alone)
		add_spread(purchases, value->residual_low, value->residual_high, sums);
	value->residual_low = fmax(value->residual_value - sqrt(sums->below), 0);
	value->residual_high = value->residual_value + sqrt(sums->above);
}

static void
add_money(const ContractValuer *valuer, Sums *sums, bool alone, CustomerValue *value)
{
	double		purchases = value->expected_purchases - sums->expected;
	double		money = sums->expected_money + (alone ? 0 : purchases * value->expected_spend);

	if (value->expected_purchases > 0)
		value->expected_spend = money / value->expected_purchases;
	else if (alone)
		value->expected_spend = sums->price / sums->prices;
	value->residual_value += sums->mean;
	if (sums->running > 0)
		add_interval(valuer, sums, alone, value);
	else if (alone)
		value->has_interval = valuer->plan->predictive_interval;	/* nothing is to come: 0 to 0 */
	value->stake.mean += sums->mean;
	value->stake.variance += sums->variance;
	value->stake.third += sums->third;
	value->valued = true;
}

/* The lower of two rungs by name; NULL: not scored yet. */
static const char *
lower_rung(const char *method, cvm_rung rung)
{
	for (int i = CVM_RUNG_SHRUNK; i > (int) rung && method; i--)
		if (strcmp(method, cvm_rung_names[i]) == 0)
			return method;
	return cvm_rung_names[rung];
}

static void
set_status(const ContractValuer *valuer, const Sums *sums, bool alone, CustomerValue *value)
{
	bool		fallback = valuer->fit->retention.rung != CVM_RUNG_FULL;

	value->method = lower_rung(alone ? NULL : value->method, valuer->fit->retention.rung);
	if (alone)
		value->status = fallback ? "fallback" : sums->started_on == valuer->as_of_day ? "new_customer" : "ok";
	else if (fallback && value->valued)
		value->status = "fallback";
}

void
cvm_value_contracts(ContractValuer *valuer, const CustomerRecord *record, CustomerValue *value)
{
	const SubscriptionList *list = cvm_subscriptions(record);
	bool		alone = !value->scored;
	bool		known = alone || value->valued; /* money of what cannot be valued plus money is not known either */
	Sums		sums;

	sum_subscriptions(valuer, list, &sums);
	value->subscriptions = sums.running;
	value->contracts_alone = alone;
	value->next_renewal = sums.running > 0 ? (int32) Min(sums.next_on - valuer->as_of_day, PG_INT32_MAX) : 0;
	value->expected_purchases += sums.expected;
	value->p_no_purchase = alone ? sums.churned : value->p_no_purchase * sums.churned;
	if (alone)
	{
		value->days_silent = valuer->as_of_day - sums.last_paid_on;
		value->next_purchase = INFINITY;
		value->is_lapsed = 1;
	}
	value->days_silent = Min(value->days_silent, valuer->as_of_day - sums.last_paid_on);
	if (sums.running > 0)
	{
		value->p_alive = 1;
		value->is_lapsed = 0;
	}
	value->scored = true;
	if (known)
		add_money(valuer, &sums, alone, value);
	set_status(valuer, &sums, alone, value);
}
