/*
 * subscription.h: contracts as the feed of subscriptions has them, and what the
 * models see of one: renewals made, whether it has ended, what was paid.
 *
 * Days are days of the portfolio's time zone, counted from 2000-01-01.  Renewal k
 * of a subscription is due k times the option `renewal` after the day it
 * started: by the calendar, so that what started on 31 January is due on 28
 * (or 29) February and on 31 March.
 */
#ifndef CVM_RECOMPUTE_SUBSCRIPTION_H
#define CVM_RECOMPUTE_SUBSCRIPTION_H

#include "recompute/engine.h"

#include "executor/tuptable.h"

#define CVM_RUNNING PG_INT32_MAX

typedef struct Subscription
{
	int64		price;			/* price / 10^scale, at the start and at every renewal; >= 0 */
	int32		scale;
	int32		started_on;
	int32		ended_on;		/* CVM_RUNNING: not by as_of */
} Subscription;

/* Of one customer, in an order that does not depend on the feed's. */
typedef struct SubscriptionList
{
	int64		n;
	Subscription item[FLEXIBLE_ARRAY_MEMBER];
} SubscriptionList;

StaticAssertDecl(sizeof(CustomerRecord) % MAXIMUM_ALIGNOF == 0, "subscriptions follow a customer's record aligned");

#define CVM_SUBSCRIPTION_LIST_SIZE(n) MAXALIGN(offsetof(SubscriptionList, item) + sizeof(Subscription) * (n))

/* NULL: none */
static inline const SubscriptionList *
cvm_subscriptions(const CustomerRecord *record)
{
	return record->subscriptions > 0
		? (const SubscriptionList *) ((const char *) record + record->subscriptions) : NULL;
}

/* What is known of a subscription at as_of. */
typedef struct ContractState
{
	bool		churned;
	int64		lifetime;		/* renewals made, or the renewal at which it ended (1 is the first) */
	int64		payments;		/* made to date: the first at the start */
	int32		last_paid_on;
	int64		next_on;		/* next renewal; only if it runs */
} ContractState;

/* types of the four columns of the feed's query, checked */
typedef struct SubscriptionTypes
{
	Oid			started;
	Oid			ended;
	Oid			price;
} SubscriptionTypes;

/* a row of the feed's query, none of it NULL but the end; false: it starts after as_of */
extern bool cvm_subscription_read(const RecomputePlan *plan, const SubscriptionTypes *types,
								  TupleTableSlot *slot, Subscription *subscription);
/* ERROR if its customer, start or price is NULL */
extern void cvm_subscription_refuse_null(const RecomputePlan *plan, TupleTableSlot *slot);
/* -1 or 1 for a date or timestamp of minus or plus infinity, else 0 */
extern int	cvm_infinite_time(Datum value, Oid type);
/* as an event of a feed and back: fills at, mantissa and period of the purchase, not its scale */
extern void cvm_subscription_pack(const Subscription *subscription, CvmPurchase *event);
extern Subscription cvm_subscription_unpack(const CvmPurchase *event);

extern void cvm_subscriptions_sort(SubscriptionList *list);
extern ContractState cvm_contract_state(const ContractPlan *contracts, const Subscription *subscription, int32 as_of_day);
/* renewals due in (as_of_day, as_of_day + days], `lifetime` made so far; days may be INFINITY */
extern double cvm_renewals_within(const ContractPlan *contracts, const Subscription *subscription,
								  int64 lifetime, int32 as_of_day, double days);
/* mean length between renewals; a month is 365.25 / 12 days */
extern double cvm_renewal_length(const ContractPlan *contracts);
/* all payments to date, exactly: result / 10^scale */
extern int128 cvm_subscriptions_paid(const RecomputePlan *plan, const SubscriptionList *list, int *scale);

#endif
