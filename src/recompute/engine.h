/*
 * engine.h: what the steps of a recompute hand to each other.
 *
 *	  plan.c       options of the portfolio, resolved now       -> RecomputePlan
 *	  summarise.c  feeds -> one record per customer (buckets.h) -> Spool, Population
 *	  recompute.c  fit: records -> models                       -> FittedPair
 *	  value.c      model + record -> numbers of one customer    -> CustomerValue
 *	  retention.c  the same of subscriptions (subscription.h): fit, and numbers added
 *	  segment.c    editable rules -> segment of one customer
 *	  statement.c  what the run before said, and why it is another -> equity_statement
 *	  partition.c  rows -> a partition of their own
 *	  publish.c    the partition -> the published run
 *	  retire.c     replaced runs' partitions -> dropped
 *	  forget.c     one customer's rows -> erased
 *	  validate.c   specifications against a holdout (validate.h)
 *
 * Everything lives in one memory context, deleted at the end of the run however
 * it ends.  Memory: cvm.recompute_memory for the feed's rows (spilled to
 * temporary files beyond it), half of that for the customer records (likewise),
 * and about 100 bytes a customer for cut points and distinct statistics.  Customers
 * are grouped in 256 parts, one of which at a time is in memory whole: so are all
 * purchases of one customer (about 100 bytes each), whatever the setting.
 *
 * The output tables belong to the portfolio's owner, who may have altered them,
 * and whose triggers, rules and functions run while they are read and written:
 * no step takes a column's type or a statement's effect for granted.
 */
#ifndef CVM_RECOMPUTE_ENGINE_H
#define CVM_RECOMPUTE_ENGINE_H

#include "compat.h"

#include "access/tupdesc.h"
#include "storage/buffile.h"
#include "utils/relcache.h"

#include "models/model.h"
#include "models/predictive.h"
#include "models/table.h"
#include "models/total.h"
#include "types/model_type.h"
#include "types/purchase_history.h"

/* A year of every rate and horizon, in seconds (365.25 days). */
#define CVM_YEAR_SECONDS (365.25 * 86400.0)

/* recompute.c: setting cvm.recompute_memory, in MB */
extern int	cvm_recompute_memory_mb;

/* ---------- plan.c ---------- */

/* The feed of subscriptions, if there is one. */
typedef struct ContractPlan
{
	char	   *query;			/* customer, started, ended, price; NULL: no such feed */
	const cvm_family *family;
	int32		renewal_months; /* between renewals: so many months and days */
	int32		renewal_days;
	bool		paid_in_purchases;	/* the purchases feed has the payments */
	char	   *specification;	/* jsonb as text: family, renewal, time_zone */
	char	   *source;			/* likewise: relation and columns of the feed */
	int64		pinned_model;	/* 0: fit */
} ContractPlan;

/* Which attributes of customers are covariates, in the order of their names. */
typedef struct AttributePlan
{
	char	   *query;			/* customer, then the attributes as float8 or text; NULL: no covariates */
	int			n;
	char	  **name;
	bool	   *is_category;
	int		   *process;		/* CVM_ON_PURCHASE, ... */
} AttributePlan;

/* The run that is published while another is made. */
typedef struct PriorRun
{
	int64		run_id;			/* 0: none to start a statement from */
	TimestampTz as_of;
	int32		as_of_period;
	int64		purchase_model_id;	/* 0: none; so are the others */
	int64		spend_model_id;
	int64		retention_model_id;
	double		margin;
	double		rate;			/* continuous, per unit_seconds */
	double		unit_seconds;
	double		value_horizon;	/* in that unit */
	double		mean_spend;		/* for those whose spend has no mean in its model */
	char	   *basis;			/* as in RecomputePlan; NULL: not known */
	bool		comparable;		/* its histories and money are of the same kind */
} PriorRun;

typedef struct RecomputePlan
{
	char	   *portfolio;
	int32		portfolio_id;
	Oid			owner;
	char	   *output_schema;	/* from cvm_find_portfolio on */
	char	   *purchases_query;	/* customer, at, amount [, is_purchase, rows]; $1 is as_of */
	char	   *alias_join;		/* joins s.customer_id to merged.customer; empty without aliases */
	CvmCalendar calendar;
	TimestampTz as_of;
	int32		as_of_period;
	double		unit_seconds;	/* model time unit */
	double		rate;			/* continuous, per time unit */
	double		horizon;		/* time units */
	double		value_horizon;	/* time units, INFINITY if unlimited */
	double		margin;
	char	   *currency;		/* NULL if not known */
	char	   *value_basis;	/* what all values are: revenue, gross_margin or net_contribution */
	const cvm_family *purchase_family;
	const cvm_family *spend_family;
	bool		predictive_interval;
	bool		equity_statement;
	double		history;		/* seconds for which replaced runs are kept */
	bool		value_only;		/* of a customer nothing but his residual value is asked */
	PriorRun	prior;
	char	   *basis;			/* what has to be the same for two runs to be comparable */
	char	   *specification;	/* jsonb as text: family, spend_family, period, time_unit, time_zone */
	char	   *source;			/* likewise: relation and columns of the feed */
	double		drift_threshold;
	int64		pinned_purchase_model;	/* 0: fit */
	int64		pinned_spend_model;
	ContractPlan contracts;
	AttributePlan attributes;
} RecomputePlan;

/* day of an instant in the portfolio's time zone, counted from 2000-01-01 */
extern int32 cvm_local_day(const RecomputePlan *plan, TimestampTz at);

/*
 * reads cvm.recompute_plan(portfolio); owner and as_of must be set.  With
 * plan->specification set, the plan of that one instead of the live one.
 */
extern void cvm_plan_load(RecomputePlan *plan);

/* SPI with errors instead of return codes; as an owner always under the search path of owner.c */
extern uint64 cvm_spi(int expected, const char *sql, int nargs, Oid *types, Datum *values, const char *nulls);
extern char *cvm_quote(const RecomputePlan *plan, const char *relation);	/* schema.relation, quoted */
extern Oid	cvm_type_oid(const char *name);

/* ---------- names.c ---------- */

typedef struct Names Names;

extern Names *cvm_names_new(MemoryContext context);
extern int	cvm_names_add(Names *names, const char *name);	/* its number, from 0 by first appearance */
extern int	cvm_names_count(const Names *names);
extern const char *cvm_names_get(const Names *names, int number);

/* ---------- spool.c ---------- */

/* An append-only sequence of records that goes to a temporary file beyond its limit. */
typedef struct Spool Spool;

extern Spool *cvm_spool_new(MemoryContext context, Size limit);
extern void cvm_spool_add(Spool *spool, const void *head, Size head_size, const void *tail, Size tail_size);
extern void cvm_spool_rewind(Spool *spool);
/* next record (valid until the next call), its size through *size; NULL at the end */
extern char *cvm_spool_next(Spool *spool, Size *size);
extern void cvm_spool_free(Spool *spool);

/* ---------- summarise.c ---------- */

/* How the customer's key is stored in records. */
typedef struct CustomerKey
{
	Oid			type;
	Oid			collation;
	int16		typlen;
	bool		byval;
	char		align;
} CustomerKey;

/*
 * Silences, in whole periods, beyond which a customer's lifecycle stage changes: the
 * median of gaps, and those of being at risk, lapsed and churned.  -1: not known.
 */
typedef struct LifecycleCuts
{
	int32		cut[4];
} LifecycleCuts;

/*
 * One customer; the key's bytes follow unless it is passed by value, then the subscriptions if there are any,
 * and histories for the statement.
 */
typedef struct CustomerRecord
{
	PurchaseHistory history;
	Datum		key;			/* if by value */
	double		own_gap;		/* 95 % quantile of the customer's gaps in periods; < 0 if fewer than 3 gaps */
	LifecycleCuts own_cuts;		/* likewise */
	int32		last_gap;		/* -1: none */
	int32		last_gap_cut;	/* when the last gap was broken off he would have been called churned beyond this; -1: fewer than 3 gaps before it */
	TimestampTz prior_since;
	int32		prior_segment;	/* number in Population.prior_segments, -1 if none */
	double		prior_residual;
	int32		attributes;		/* number in Population.attributes, from 1; 0: none */
	uint32		subscriptions;	/* offset of the SubscriptionList (subscription.h); 0: none */
	uint32		before;			/* offset of the history up to the run before; 0: `history` if there is nothing later */
	uint32		gross;			/* ... of that without the refunds since; 0: there were none */
	bool		bought_later;	/* since the run before */
	bool		later;			/* any row since then */
	bool		merged;			/* a customer of the run before is an alias of this one now */
} CustomerRecord;

/* What is known now of the time up to the run before; NULL: no row. */
static inline const PurchaseHistory *
cvm_history_before(const CustomerRecord *record)
{
	if (record->before > 0)
		return (const PurchaseHistory *) ((const char *) record + record->before);
	return record->later || record->history.first_at == 0 ? NULL : &record->history;
}

static inline const PurchaseHistory *
cvm_history_gross(const CustomerRecord *record)
{
	return record->gross > 0 ? (const PurchaseHistory *) ((const char *) record + record->gross) : NULL;
}

/* Whether the purchase models say anything of the customer. */
static inline bool
cvm_buys(const RecomputePlan *plan, const CustomerRecord *record)
{
	return record->history.repeat_periods >= 0 &&
		!(plan->contracts.paid_in_purchases && record->subscriptions > 0);
}

typedef struct CohortRow
{
	int64		customers;		/* first purchase in this month */
	int			n_ages;			/* allocated cells */
	struct CohortCell
	{
		int64		active;
		int128		value;		/* at CVM_MAX_SCALE decimals */
	}		   *cells;
} CohortRow;

#define CVM_COHORT_MONTHS (12 * 400)	/* from January 1800 */
#define CVM_COHORT_FIRST_YEAR 1800

typedef struct Attributes Attributes;

/* What is known of all customers together once the feed has been read. */
typedef struct Population
{
	CustomerKey key;
	Spool	   *customers;		/* of CustomerRecord */
	int64		n_customers;
	int64		n_buyers;		/* whom cvm_buys says buy */
	int64		n_repeaters;	/* ... and who have again */
	int64		n_subscribers;	/* with a subscription, also one that has ended */
	int64		purchases_read;
	int64		after_as_of;
	int64		subscriptions_read;
	int64		subscriptions_after_as_of;
	double		gap_quantile;	/* 95 % of all gaps, in periods; < 0 if there are none */
	LifecycleCuts cuts;
	double		max_x;
	double		max_age;		/* in time units */
	double		recency_cut[4]; /* smallest value that scores 2, 3, 4, 5 */
	double		frequency_cut[4];
	double		monetary_cut[4];
	CohortRow **cohorts;		/* CVM_COHORT_MONTHS rows, NULL where empty */
	Names	   *prior_segments;
	struct CustomerSum *vanished;	/* by prior segment: residual value of customers who are in no feed any more */
	struct CustomerSum *merged;	/* ... who are another's alias now */
	int			n_prior_sums;
	Spool	   *left;			/* of CustomerLeft */
	Attributes *attributes;		/* attribute.h; NULL without covariates */
} Population;

/* A sum of residual values with its compensation (Neumaier 1974). */
typedef struct CustomerSum
{
	double		value,
				low;
} CustomerSum;

/* A customer who is not any more in the segment where the run before had him; the key's bytes follow unless it is by value. */
typedef struct CustomerLeft
{
	Datum		key;			/* if by value */
	TimestampTz since;
	int32		segment;		/* number in Population.prior_segments */
} CustomerLeft;

extern void cvm_add_left(Population *population, Datum key, int32 segment, TimestampTz since);

extern void cvm_summarise(const RecomputePlan *plan, int64 run_id, MemoryContext context, Population *population);
extern Datum cvm_record_key(const Population *population, const CustomerRecord *record);
extern double cvm_history_total(const PurchaseHistory *history);

/* ---------- ranks.c: tie-safe quintiles ---------- */

/* cut[k-2] = smallest value whose score floor(5 (rank - 1) / n) + 1 is >= k; reorders values */
extern void cvm_quintile_cuts(double *values, int64 n, double cut[4]);
extern int	cvm_quintile(const double cut[4], double value);

/* ---------- value.c ---------- */

typedef struct CovariateFit CovariateFit;	/* customer_model.h */

typedef struct FittedPair
{
	cvm_fit_result purchases;
	cvm_fit_result spend;
	cvm_fit_result shrunk_spend;	/* for those whose spend has no mean in that model */
	int64		purchase_model_id;
	int64		spend_model_id;
	int64		spend_left_out; /* repeat buyers without positive mean spend */
	cvm_fit_result retention;	/* if there are subscriptions */
	int64		retention_model_id;	/* 0 without them; the others are 0 if nobody buys again */
	CovariateFit *covariates;	/* of the purchase model; NULL: none */
	bool		lacks_covariates;	/* they are wanted, and could not be fitted */
	const char *rejected;		/* why the pair just fitted does not go live; NULL: it does, or was not fitted */
} FittedPair;

typedef struct CustomerValue
{
	const char *status;
	const char *method;			/* NULL if not scored */
	bool		scored;			/* purchase figures below are set */
	bool		valued;			/* money figures below are set */
	double		p_alive;
	double		p_no_purchase;
	double		expected_purchases;
	double		expected_spend;
	double		residual_value;
	double		residual_low;	/* if has_interval */
	double		residual_high;
	cvm_stake	stake;			/* in sums of residual value */
	bool		has_interval;	/* the uncertainty of all parameters behind it is known */
	double		value_at_risk;
	double		next_purchase;	/* time units from as_of, median given alive; may be INFINITY */
	int32		next_renewal;	/* days from as_of, of the subscription that is first; 0: none runs */
	int			subscriptions;	/* that run; -1: there never was one */
	bool		contracts_alone;	/* subscriptions are all that is scored */
	double		purchase_weight;	/* P(alive) x expected spend of purchases alone, where subscriptions have changed either */
	int32		days_silent;	/* if scored */
	int			is_lapsed;		/* -1 unknown */
	const char *lifecycle_stage;	/* NULL unknown */
	int64		realised;		/* in 1/10000 of the currency unit */
	int			recency_score;	/* 0 if the customer never purchased */
	int			frequency_score;
	int			monetary_score;
} CustomerValue;

/* recompute.c: ERROR if it is being recomputed; held to the end of the transaction, of the session where that is asked for */
extern void cvm_lock_portfolio(const RecomputePlan *plan, bool session);

/* recompute.c: all customers into the tables of the two kinds; counts repeat buyers without positive mean spend */
extern void cvm_fill_tables(const RecomputePlan *plan, const Population *population, const cvm_env *env,
							cvm_table **purchases, cvm_table **spend, int64 *spend_left_out);

/* ---------- registry.c ---------- */

/* a jsonb from its text */
extern Datum cvm_jsonb(const char *text);
/* a row of cvm.fitted_model, its number; partner_id 0: none yet */
extern int64 cvm_record_model(const RecomputePlan *plan, int64 run_id, const char *role, const cvm_table *table,
							  const cvm_fit_result *fit, int64 partner_id, const char *specification, const char *source);
/* the parameters of a model of this portfolio and their covariance, to the last bit */
extern void cvm_load_model(const RecomputePlan *plan, int64 model_id, const cvm_family *family, cvm_fit_result *fit);
/* likewise of any family of a kind; false if there is no such model (any more) */
extern bool cvm_load_any_model(const RecomputePlan *plan, int64 model_id, cvm_kind kind, cvm_fit_result *fit);
/* ERROR if the customers of a table do not fit a pinned model */
extern void cvm_check_pinned(const RecomputePlan *plan, const cvm_table *table, const cvm_fit_result *fit, int64 model_id);
extern void cvm_reject_model(int64 model_id, const char *reason);
/* what is wrong with a row of the table, which is then *at; NULL: it is in the family's domain */
extern const char *cvm_first_misfit(const cvm_family *family, const cvm_table *table, cvm_row *at);
/* 32 hexadecimal digits */
extern char *cvm_fingerprint_text(const cvm_table *table);
/* the pair that scores are to come from: the pinned one, a refit, or the live one where the gate rejects the refit */
extern void cvm_choose_models(const RecomputePlan *plan, int64 run_id, const Population *population, const cvm_table *purchases,
							  const cvm_table *spend, const cvm_env *env, FittedPair *fit);
/* marks the models live and those before them retired, in the publishing transaction */
extern void cvm_mark_live(const RecomputePlan *plan, const FittedPair *fit);

/* ---------- drift.c ---------- */

/* stores the distributions of a purchase model's inputs */
extern void cvm_record_inputs(const RecomputePlan *plan, int64 model_id, const cvm_table *purchases, const cvm_table *spend);
/* which inputs are above the threshold: those that grow with the customers' age, and those that hardly do */
#define CVM_DRIFT_AGEING 0x01	/* span, age */
#define CVM_DRIFT_STEADY 0x02	/* repeat periods, mean spend */
/* measures drift against a model fitted as of `fitted_as_of` on `fitted_purchases`; returns CVM_DRIFT_... flags */
extern int	cvm_measure_drift(const RecomputePlan *plan, int64 run_id, int64 model_id, const cvm_fit_result *fit,
							  TimestampTz fitted_as_of, double fitted_purchases,
							  const cvm_table *purchases, const cvm_table *spend);
/* the same of a retention model: renewals made, and whether ended */
extern void cvm_record_contract_inputs(const RecomputePlan *plan, int64 model_id, const cvm_table *contracts);
extern bool cvm_measure_contract_drift(const RecomputePlan *plan, int64 run_id, int64 model_id, const cvm_table *contracts);

/* drift in too short a time for customers (or contracts) of this mean age to have grown older to speak of; all in time units */
#define CVM_SUDDEN 0.1			/* share of the mean age */
#define CVM_SUDDEN_AGEING 0.01	/* ... for spans and ages */

typedef struct Valuer Valuer;

extern Valuer *cvm_valuer_new(const RecomputePlan *plan, const Population *population,
							  const FittedPair *fit, MemoryContext context);
extern void cvm_value(Valuer *valuer, const CustomerRecord *record, CustomerValue *value);
/* how customers are valued, for the interval of a sum of them; valid while the valuer is */
extern cvm_outlook cvm_valuer_outlook(const Valuer *valuer);
extern void cvm_valuer_free(Valuer *valuer);
/* the row a family sees of a history */
extern void cvm_row_of_history(const RecomputePlan *plan, const PurchaseHistory *history, cvm_row *row);

/* ---------- segment.c ---------- */

typedef struct Statement Statement;	/* statement.h */
typedef struct SegmentRules SegmentRules;
struct TupleTableSlot;

#define CVM_UNCLASSIFIED "unclassified"

extern SegmentRules *cvm_segment_rules_load(const RecomputePlan *plan, Relation score);
extern void cvm_segment_rule_check(int position, const char *predicate, Relation score);
extern int	cvm_segment_of(SegmentRules *rules, struct TupleTableSlot *slot);	/* index, see below */
extern int	cvm_segment_count(const SegmentRules *rules);	/* with unclassified */
extern const char *cvm_segment_name(const SegmentRules *rules, int segment);
extern void cvm_segment_rules_free(SegmentRules *rules);

/* ---------- partition.c ---------- */

typedef struct RenewalStat RenewalStat; /* renewal_stat.h */

/* Sums of one segment (or of all). */
typedef struct SegmentSum
{
	char	   *segment;
	int64		customers;
	int64		scored;
	double		expected_active,
				expected_active_low;	/* Neumaier compensation terms end in _low */
	int128		realised;		/* 1/10000 */
	double		residual,
				residual_low;
	cvm_total  *total;			/* of residual value with its uncertainty; freed when the figures below are known */
	int64		without_interval;	/* customers who are valued but of whom an uncertainty is not known */
	RenewalStat *renewals;		/* NULL for all, and without subscriptions */
	double		predictive_error;	/* may be infinite */
	double		parameter_error;	/* if has_interval */
	double		interval_low,	/* if has_interval: 5 % and 95 % quantile */
				interval_high;
	bool		has_interval;
	bool		has_chance;		/* predictive_error is known */
	int64		orders;
	double		money,
				money_low;
} SegmentSum;

/* ERROR unless score, as described, has the columns that are written, of their types; holds for a partition as well */
extern void cvm_check_score(const RecomputePlan *plan, TupleDesc desc, Oid customer_type);
/* likewise one column as a query returns it */
extern void cvm_check_score_column(const RecomputePlan *plan, const char *name, Oid type, int32 typmod, Oid customer_type);
extern char *cvm_partition_name(int64 run_id);
/* creates score_<run_id>, fills and indexes it; returns the sums, [0] is all customers */
extern SegmentSum *cvm_score_customers(const RecomputePlan *plan, int64 run_id, Population *population,
									   const FittedPair *fit, Statement *statement, MemoryContext context, int *n_sums);

/* ---------- publish.c ---------- */

extern void cvm_publish(const RecomputePlan *plan, int64 run_id, const Population *population,
						const FittedPair *fit, Statement *statement, const SegmentSum *sums, int n_sums);
extern List *cvm_views_to_refresh(const RecomputePlan *plan);	/* of char *; reads the owner's relations */
extern void cvm_refresh_views(const RecomputePlan *plan, const List *views, int caller_context);	/* SECURITY_... of the caller */

/* ---------- retire.c ---------- */

extern void cvm_drop_leftovers(const RecomputePlan *plan);
/* tries to drop the first retired run above *after, which becomes that run; false if there is none */
extern bool cvm_drop_retired(const RecomputePlan *plan, int64 *after);

#endif
