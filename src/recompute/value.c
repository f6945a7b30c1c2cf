/*
 * value.c: the numbers of one customer at the fitted parameters.
 *
 *	  expected purchases = P(alive) E[purchases in the horizon | alive]
 *	  residual value     = margin * E[spend] * P(alive) * E[discounted purchases | alive]
 *	  P(no purchase)     = 1 - P(alive) (1 - P(0 purchases in the horizon | alive))
 *	  value at risk      = residual value if alive * (1 - P(alive))
 *
 * (Fader, Hardie & Lee 2005, JMR 42; the discounted purchases are their DERT.)
 * What is conditional on being alive depends on (x, age) alone for most families
 * and is computed once per pair.  How the value moves with the parameters is for
 * uncertainty.h, which interpolates what of it is conditional.
 */
#include "engine.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "recompute/customer_model.h"
#include "recompute/retention.h"
#include "recompute/subscription.h"

/* Figures of a customer that is alive. */
typedef struct AliveFigures
{
	double		expected;
	double		discounted;
	double		none;			/* P(no purchase in the horizon) */
	double		next;			/* median time to the next purchase */
} AliveFigures;

typedef struct CacheEntry
{
	uint64		key;			/* x and age in periods */
	char		status;			/* of simplehash */
	AliveFigures figures;
} CacheEntry;

#define SH_PREFIX figures
#define SH_ELEMENT_TYPE CacheEntry
#define SH_KEY_TYPE uint64
#define SH_KEY key
#define SH_HASH_KEY(tb, k) ((uint32) (murmurhash64(k) >> 32))
#define SH_EQUAL(tb, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

/* The same by a customer's own parameters. */
typedef struct OwnKey
{
	uint64		pair;			/* x and age in periods */
	int64		attributes;
} OwnKey;

typedef struct OwnEntry
{
	OwnKey		key;
	char		status;			/* of simplehash */
	AliveFigures figures;
} OwnEntry;

#define SH_PREFIX own
#define SH_ELEMENT_TYPE OwnEntry
#define SH_KEY_TYPE OwnKey
#define SH_KEY key
#define SH_HASH_KEY(tb, k) ((uint32) (murmurhash64((k).pair ^ (uint64) (k).attributes << 20) >> 32))
#define SH_EQUAL(tb, a, b) ((a).pair == (b).pair && (a).attributes == (b).attributes)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

/* The cache is emptied rather than grown beyond this many pairs (56 bytes each). */
#define MAX_CACHED 1000000

#define LOYAL_PURCHASES 5		/* default of cvm.lifecycle_stage */

#define MAX_MONEY ((int128) 1 << 110)	/* of which four more decimals fit 128 bits */
#define MAX_REALISED INT64CONST(9000000000000000000)

struct Valuer
{
	const RecomputePlan *plan;
	const Population *population;
	const FittedPair *fit;
	cvm_env		env;
	figures_hash *cache;
	CovariateScorer *scorer;	/* NULL without covariates */
	own_hash   *own;
	cvm_axes	purchase_axes;
	cvm_axes	spend_axes;
	cvm_axes	shrunk_spend_axes;
	cvm_predictive *predictive; /* NULL if the option predictive_interval is off */
	cvm_predictive *shrunk_predictive;	/* ... or the spend of all has a mean */
	ContractValuer *contracts;	/* NULL if there are no subscriptions */
	CvmAmount	margin;
	int32		as_of_day;
	const char *method;
	const char *own_method;		/* of customers with covariates */
	const char *without_method; /* ... and of those who lack them where others have them */
	bool		silent;			/* nobody came back, and no model from elsewhere: nothing can be said */
};

int32
cvm_local_day(const RecomputePlan *plan, TimestampTz at)
{
	Timestamp	local = cvm_local_of(&plan->calendar, at);

	return (int32) (local >= 0 ? local / USECS_PER_DAY : -((-local + USECS_PER_DAY - 1) / USECS_PER_DAY));
}

static cvm_predictive *
make_predictive(Valuer *valuer, const cvm_fit_result *spend)
{
	const RecomputePlan *plan = valuer->plan;
	cvm_predictive *predictive;
	cvm_status	status = cvm_predictive_new(valuer->fit->purchases.family, valuer->fit->purchases.theta,
											&valuer->purchase_axes, spend->theta, plan->rate, plan->value_horizon,
											valuer->population->max_x, valuer->population->max_age,
											1, &valuer->env, &predictive);

	if (status == CVM_CANCELLED)
		CHECK_FOR_INTERRUPTS();
	if (status != CVM_OK)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not tabulate the predictive distribution of residual value"),
				 errhint("The option predictive_interval => false does without.")));
	return predictive;
}

/* Whether a customer's expected spend is finite; the prior's is for all if it is for new ones. */
static bool
has_mean_spend(const cvm_fit_result *spend)
{
	cvm_row		fresh = {.weight = 1};

	return isfinite(spend->family->expected_spend(spend->theta, &fresh));
}

Valuer *
cvm_valuer_new(const RecomputePlan *plan, const Population *population,
			   const FittedPair *fit, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Valuer	   *valuer = palloc0(sizeof(Valuer));

	valuer->plan = plan;
	valuer->population = population;
	valuer->fit = fit;
	valuer->env = cvm_server_env(context);
	valuer->cache = figures_create(context, 4096, NULL);
	valuer->margin = cvm_amount_from_float8(plan->margin);
	valuer->contracts = cvm_contract_valuer_new(plan, fit, context);
	if (fit->covariates)
	{
		valuer->scorer = cvm_covariate_scorer_new(fit->covariates, population, context);
		valuer->own = own_create(context, 4096, NULL);
	}
	valuer->as_of_day = cvm_local_day(plan, plan->as_of);
	valuer->method = cvm_rung_names[Max(Max(fit->purchases.rung, fit->spend.rung), fit->lacks_covariates ? CVM_RUNG_SIMPLER : CVM_RUNG_FULL)];
	if (fit->covariates)
		valuer->own_method = cvm_rung_names[Max(cvm_covariates_rung(fit->covariates), fit->spend.rung)];
	valuer->without_method = cvm_rung_names[Max(Max(fit->purchases.rung, fit->spend.rung), CVM_RUNG_SIMPLER)];
	valuer->silent = fit->purchases.rung == CVM_RUNG_SHRUNK && population->n_repeaters == 0;
	if (fit->purchase_model_id > 0)
	{
		cvm_axes_of(&fit->purchases, &valuer->purchase_axes);
		cvm_axes_of(&fit->spend, &valuer->spend_axes);
		cvm_axes_of(&fit->shrunk_spend, &valuer->shrunk_spend_axes);
	}
	/* with covariates there is no one table of what customers may do */
	if (plan->predictive_interval && fit->purchase_model_id > 0 && !fit->covariates)
		valuer->predictive = make_predictive(valuer, &fit->spend);
	if (plan->predictive_interval && fit->purchase_model_id > 0 && !fit->covariates && !has_mean_spend(&fit->spend))
		valuer->shrunk_predictive = make_predictive(valuer, &fit->shrunk_spend);
	MemoryContextSwitchTo(old);
	return valuer;
}

cvm_outlook
cvm_valuer_outlook(const Valuer *valuer)
{
	return (cvm_outlook) {
		.purchases = &valuer->fit->purchases, .spend = &valuer->fit->spend,
		.purchase_axes = &valuer->purchase_axes, .spend_axes = &valuer->spend_axes,
		.rate = valuer->plan->rate, .horizon = valuer->plan->value_horizon, .margin = valuer->plan->margin
	};
}

void
cvm_valuer_free(Valuer *valuer)
{
	if (valuer->predictive)
		cvm_predictive_free(valuer->predictive);
	if (valuer->shrunk_predictive)
		cvm_predictive_free(valuer->shrunk_predictive);
	cvm_contract_valuer_free(valuer->contracts);
	figures_destroy(valuer->cache);
	if (valuer->own)
		own_destroy(valuer->own);
	pfree(valuer);
}

void
cvm_row_of_history(const RecomputePlan *plan, const PurchaseHistory *history, cvm_row *row)
{
	row->x = history->repeat_periods;
	row->t_x = cvm_history_span(history, plan->unit_seconds);
	row->age = ((double) plan->as_of_period - history->first_period) * history->period / plan->unit_seconds;
	row->mean_spend = history->repeat_periods > 0 ? cvm_history_mean_spend(history) : 0;
	row->log_intervals = history->log_intervals -
		history->repeat_periods * log(plan->unit_seconds / history->period);
	row->weight = 1;
}

static void
compute_figures(const RecomputePlan *plan, const cvm_family *family, const double *theta, const cvm_row *row, AliveFigures *figures)
{
	figures->discounted = family->discounted_if_alive(theta, row, plan->rate, plan->value_horizon);
	if (plan->value_only)
	{
		figures->expected = figures->none = figures->next = 0;
		return;
	}
	figures->expected = family->expected_if_alive(theta, row, plan->horizon);
	figures->none = family->pmf_if_alive(theta, row, plan->horizon, 0);
	figures->next = family->next_purchase_if_alive(theta, row, 0.5);
}

static AliveFigures
alive_figures(Valuer *valuer, const PurchaseHistory *history, const cvm_row *row)
{
	const cvm_fit_result *fit = &valuer->fit->purchases;
	AliveFigures figures;
	CacheEntry *entry;
	bool		found;

	if (!fit->family->alive_ignores_span)
	{
		compute_figures(valuer->plan, fit->family, fit->theta, row, &figures);
		return figures;
	}
	if (valuer->cache->members >= MAX_CACHED)
		figures_reset(valuer->cache);
	entry = figures_insert(valuer->cache,
						   ((uint64) (uint32) history->repeat_periods << 32) |
						   (uint32) (valuer->plan->as_of_period - history->first_period),
						   &found);
	if (!found)
		compute_figures(valuer->plan, fit->family, fit->theta, row, &entry->figures);
	return entry->figures;
}

static AliveFigures
own_figures(Valuer *valuer, const CustomerRecord *record, const cvm_row *row, const double *theta)
{
	const PurchaseHistory *history = &record->history;
	OwnKey		key = {
		.pair = ((uint64) (uint32) history->repeat_periods << 32) | (uint32) (valuer->plan->as_of_period - history->first_period),
		.attributes = record->attributes
	};
	OwnEntry   *entry;
	bool		found;

	if (valuer->own->members >= MAX_CACHED)
		own_reset(valuer->own);
	entry = own_insert(valuer->own, key, &found);
	if (!found)
		compute_figures(valuer->plan, valuer->fit->purchases.family, theta, row, &entry->figures);
	return entry->figures;
}

/* value / 10^digits, rounded half away from zero; value * 10^-digits where that is negative */
static int128
shift_decimal(int128 value, int digits)
{
	int128		divisor = 1;

	if (digits == 0)
		return value;
	for (; digits < 0; digits++)
		value *= 10;
	for (; digits > 0; digits--)
		divisor *= 10;
	return (value >= 0 ? value + divisor / 2 : value - divisor / 2) / divisor;
}

static int64
checked_realised(int128 value)
{
	if (value >= MAX_REALISED || value <= -MAX_REALISED)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("the realised value of a customer exceeds 9e14"),
				 errhint("Map a view that counts money in a larger unit.")));
	return (int64) value;
}

/*
 * Realised value: money / 10^scale times the margin, in 1/10000 of the currency
 * unit, so that what is published adds up exactly.  The margin is the decimal
 * that it was given as; what exceeds 128 bits on the way is rounded twice.
 */
static int64
realised(const Valuer *valuer, int128 money, int scale)
{
	int			digits = scale + valuer->margin.scale - 4;
	int128		exact;

	if (__builtin_mul_overflow(money, (int128) valuer->margin.mantissa, &exact) ||
		exact > MAX_MONEY || exact < -MAX_MONEY)
	{
		long double about = (long double) money * powl(10.0L, 4 - scale) * (long double) valuer->plan->margin;

		exact = fabsl(about) < MAX_REALISED ? (int128) roundl(about) : (int128) MAX_REALISED;
	}
	else
		exact = shift_decimal(exact, digits);
	return checked_realised(exact);
}

/* All that was bought and paid to date. */
static int64
realised_of(const Valuer *valuer, const CustomerRecord *record)
{
	const PurchaseHistory *history = &record->history;
	int64		value = realised(valuer, cvm_history_int128(history->total), history->scale);
	const SubscriptionList *list = cvm_subscriptions(record);
	int			scale;
	int128		paid;

	if (list == NULL || valuer->plan->contracts.paid_in_purchases)
		return value;
	paid = cvm_subscriptions_paid(valuer->plan, list, &scale);
	return checked_realised((int128) value + realised(valuer, paid, scale));
}

static void
score_purchases(Valuer *valuer, const CustomerRecord *record, const cvm_row *row,
				AliveFigures *figures, CustomerValue *value)
{
	const cvm_fit_result *fit = &valuer->fit->purchases;
	const double *own = valuer->scorer ? cvm_covariate_theta_of(valuer->scorer, record) : NULL;

	if (valuer->scorer)
		value->method = own ? valuer->own_method : valuer->without_method;
	*figures = own ? own_figures(valuer, record, row, own) : alive_figures(valuer, &record->history, row);
	value->p_alive = fit->family->p_alive(own ? own : fit->theta, row);
	value->expected_purchases = value->p_alive * figures->expected;
	value->p_no_purchase = 1 - value->p_alive * (1 - figures->none);
	value->next_purchase = figures->next;
	value->scored = true;
}

/* spend: of which mean_spend is 0 where nothing is known but the population's */
static void
score_interval(const Valuer *valuer, const cvm_predictive *predictive, const cvm_axes *spend_axes,
			   const cvm_row *spend, CustomerValue *value)
{
	cvm_forecast forecast;

	cvm_forecast_residual(predictive, &valuer->purchase_axes, spend_axes, spend, value->p_alive, value->expected_spend,
						  value->residual_value, 0.05, 0.95, &forecast);
	value->residual_low = forecast.low;
	value->residual_high = forecast.high;
	value->stake = forecast.stake;
	value->has_interval = forecast.known;
}

/*
 * Money figures.  Where the model's spend is so heavy-tailed that this customer's
 * has no mean (p x + q <= 1), it is his own mean shrunk to that of all.
 */
static void
score_money(Valuer *valuer, const cvm_row *row, const AliveFigures *figures, CustomerValue *value)
{
	const RecomputePlan *plan = valuer->plan;
	cvm_row		spend = *row;
	const cvm_fit_result *fit = &valuer->fit->spend;
	const cvm_predictive *predictive = valuer->predictive;
	const cvm_axes *spend_axes = &valuer->spend_axes;
	double		if_alive;

	if (spend.x > 0 && !(spend.mean_spend > 0))
		spend.x = 0;			/* left out of the fit: the population's mean */
	value->expected_spend = fit->family->expected_spend(fit->theta, &spend);
	if (!isfinite(value->expected_spend))
	{
		fit = &valuer->fit->shrunk_spend;
		predictive = valuer->shrunk_predictive;
		spend_axes = &valuer->shrunk_spend_axes;
		value->expected_spend = fit->family->expected_spend(fit->theta, &spend);
		value->method = "shrunk";
	}
	if (!isfinite(value->expected_spend) || !isfinite(figures->discounted))
		return;
	if_alive = plan->margin * value->expected_spend * figures->discounted;
	value->residual_value = value->p_alive * if_alive;
	value->value_at_risk = (1 - value->p_alive) * if_alive;
	value->valued = true;
	if (predictive)
	{
		spend.mean_spend = spend.x > 0 ? spend.mean_spend : 0;
		spend.x = row->x;
		score_interval(valuer, predictive, spend_axes, &spend, value);
	}
}

static void
score_rfm(const Population *population, const PurchaseHistory *history, CustomerValue *value)
{
	value->recency_score = cvm_quintile(population->recency_cut, history->last_period);
	value->frequency_score = cvm_quintile(population->frequency_cut, history->repeat_periods + 1.0);
	value->monetary_score = cvm_quintile(population->monetary_cut, cvm_history_total(history));
}

/* Silent longer than the 95 % quantile of one's own gaps, else of the population's. */
static int
lapsed(const Valuer *valuer, const CustomerRecord *record)
{
	double		limit = record->own_gap >= 0 ? record->own_gap : valuer->population->gap_quantile;

	if (limit < 0)
		return -1;
	return (double) valuer->plan->as_of_period - record->history.last_period > limit;
}

/* As cvm.lifecycle_stage has it; NULL where nobody came back, and so nobody's silence says anything. */
static const char *
lifecycle_stage(const Valuer *valuer, const CustomerRecord *record)
{
	const PurchaseHistory *history = &record->history;
	const LifecycleCuts *everybody = &valuer->population->cuts;
	const LifecycleCuts *own = record->own_cuts.cut[0] >= 0 ? &record->own_cuts : everybody;
	int64		silence;

	if (history->repeat_periods < 0)
		return record->subscriptions > 0 ? NULL : "prospect";
	if (everybody->cut[0] < 0)
		return NULL;
	silence = (int64) valuer->plan->as_of_period - history->last_period;
	if (history->repeat_periods == 0 && silence <= own->cut[0])
		return "new";
	if (silence > own->cut[3])
		return "churned";
	if (silence > own->cut[2])
		return "lapsed";
	if (silence > own->cut[1])
		return "at risk";
	if (record->last_gap > (record->last_gap_cut >= 0 ? record->last_gap_cut : everybody->cut[3]))
		return "won back";
	return history->repeat_periods + 1 >= LOYAL_PURCHASES ? "loyal" : "active";
}

/* What the purchase models say. */
static void
value_purchases(Valuer *valuer, const CustomerRecord *record, CustomerValue *value)
{
	const PurchaseHistory *history = &record->history;
	AliveFigures figures;
	cvm_row		row;

	cvm_row_of_history(valuer->plan, history, &row);
	if (!valuer->silent)
	{
		value->method = valuer->method;
		score_purchases(valuer, record, &row, &figures, value);
		score_money(valuer, &row, &figures, value);
	}
	if (valuer->plan->value_only)
		return;
	value->days_silent = valuer->as_of_day - cvm_local_day(valuer->plan, history->last_at);
	value->is_lapsed = lapsed(valuer, record);
	if (!value->valued)
		value->status = "insufficient_history";
	else if (strcmp(value->method, "full") != 0)
		value->status = "fallback";
	else if (history->first_period == valuer->plan->as_of_period)
		value->status = "new_customer";
	else
		value->status = "ok";
}

void
cvm_value(Valuer *valuer, const CustomerRecord *record, CustomerValue *value)
{
	memset(value, 0, sizeof(*value));
	if (!valuer->plan->value_only)
	{
		value->realised = realised_of(valuer, record);
		value->lifecycle_stage = lifecycle_stage(valuer, record);
	}
	value->is_lapsed = -1;
	value->subscriptions = -1;
	value->status = "excluded"; /* money without a single purchase */
	if (record->history.repeat_periods >= 0)
	{
		value->status = "insufficient_history"; /* nobody has bought again */
		if (!valuer->plan->value_only)
			score_rfm(valuer->population, &record->history, value);
	}
	if (cvm_buys(valuer->plan, record) && valuer->fit->purchase_model_id > 0)
		value_purchases(valuer, record, value);
	value->purchase_weight = value->valued ? value->p_alive * value->expected_spend : 0;
	if (record->subscriptions > 0)
		cvm_value_contracts(valuer->contracts, record, value);
}
