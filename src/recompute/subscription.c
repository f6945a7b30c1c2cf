/*
 * subscription.c: rows of the feed of subscriptions, and renewals by the
 * calendar (see subscription.h).
 *
 * What lies after as_of is not known: a subscription that ends later runs, one
 * that starts later is left out and counted.  A renewal that is due on the day
 * of as_of is made if the subscription has not ended by then; one that ended on
 * the day of a renewal, or since the one before, did not make it.
 */
#include "subscription.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

/* The calendar repeats after 400 years. */
#define CYCLE_DAYS 146097
#define MONTH_DAYS (365.25 / 12)

/* ---------- rows of the feed ---------- */

static char *
customer_text(TupleTableSlot *slot)
{
	Oid			output;
	bool		varlena;

	getTypeOutputInfo(TupleDescAttr(slot->tts_tupleDescriptor, 0)->atttypid, &output, &varlena);
	return OidOutputFunctionCall(output, slot->tts_values[0]);
}

void
cvm_subscription_refuse_null(const RecomputePlan *plan, TupleTableSlot *slot)
{
	if (slot->tts_isnull[0])
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the subscriptions feed of portfolio \"%s\" has a row without a customer", plan->portfolio),
				 errhint("Map a view that leaves such rows out, e.g. WHERE customer IS NOT NULL; cvm.check counts them.")));
	if (slot->tts_isnull[1] || slot->tts_isnull[3])
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the subscriptions feed of portfolio \"%s\" has a row without a %s",
						plan->portfolio, slot->tts_isnull[1] ? "start" : "price"),
				 errdetail("It belongs to customer %s.", customer_text(slot)),
				 errhint("Map a view that leaves such rows out, or gives them one; cvm.check counts them.")));
}

/* What converting a row's times or price says on error. */
static void
row_error_context(void *arg)
{
	errcontext("subscription of customer %s", customer_text(arg));
}

/* -1 for -infinity, 1 for infinity, else 0 */
int
cvm_infinite_time(Datum value, Oid type)
{
	if (type == DATEOID)
		return DATE_IS_NOEND(DatumGetDateADT(value)) - DATE_IS_NOBEGIN(DatumGetDateADT(value));
	return TIMESTAMP_IS_NOEND(DatumGetTimestamp(value)) - TIMESTAMP_IS_NOBEGIN(DatumGetTimestamp(value));
}

static TimestampTz
read_time(const RecomputePlan *plan, TupleTableSlot *slot, int column, Oid type)
{
	if (cvm_infinite_time(slot->tts_values[column], type) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("a subscription can not %s", column == 1 ? "start at an infinite time" : "end before all time"),
				 errhint("Map a view that leaves such rows out; an end that is NULL or infinity means running.")));
	return cvm_instant_from_datum(&plan->calendar, slot->tts_values[column], type);
}

static void
read_price(const SubscriptionTypes *types, TupleTableSlot *slot, Subscription *subscription)
{
	const char *odd = cvm_amount_not_finite(slot->tts_values[3], types->price);
	CvmAmount	price;

	if (odd)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a subscription has a price that is %s", odd),
				 errdetail("It belongs to customer %s.", customer_text(slot)),
				 errhint("Map a view that leaves such rows out; cvm.check counts them.")));
	price = cvm_amount_from_datum(slot->tts_values[3], types->price);
	if (price.mantissa < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a subscription has a negative price: %s",
						DatumGetCString(DirectFunctionCall1(numeric_out, cvm_numeric_from_int128(price.mantissa, price.scale)))),
				 errhint("Refunds belong to the purchases feed; cvm.check counts such subscriptions.")));
	subscription->price = price.mantissa;
	subscription->scale = price.scale;
}

static char *
day_text(int32 day)
{
	return DatumGetCString(DirectFunctionCall1(date_out, DateADTGetDatum(day)));
}

/* The end as far as it is known at as_of. */
static void
read_end(const RecomputePlan *plan, const SubscriptionTypes *types, TupleTableSlot *slot, Subscription *subscription)
{
	TimestampTz ended;
	int32		day;

	subscription->ended_on = CVM_RUNNING;
	if (slot->tts_isnull[2] || cvm_infinite_time(slot->tts_values[2], types->ended) > 0)
		return;
	ended = read_time(plan, slot, 2, types->ended);
	day = cvm_local_day(plan, ended);
	if (day < subscription->started_on)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a subscription ended on %s, before it started on %s", day_text(day), day_text(subscription->started_on)),
				 errhint("Map a view that mends such rows or leaves them out; cvm.check counts them.")));
	if (ended <= plan->as_of)
		subscription->ended_on = day;
}

bool
cvm_subscription_read(const RecomputePlan *plan, const SubscriptionTypes *types, TupleTableSlot *slot, Subscription *subscription)
{
	ErrorContextCallback callback = {error_context_stack, row_error_context, slot};
	TimestampTz started;

	memset(subscription, 0, sizeof(*subscription));
	error_context_stack = &callback;
	started = read_time(plan, slot, 1, types->started);
	subscription->started_on = cvm_local_day(plan, started);
	read_end(plan, types, slot, subscription);
	read_price(types, slot, subscription);
	error_context_stack = callback.previous;
	return started <= plan->as_of;
}

void
cvm_subscription_pack(const Subscription *subscription, CvmPurchase *event)
{
	event->at = (int64) (((uint64) (uint32) subscription->started_on << 32) | (uint32) subscription->ended_on);
	event->mantissa = subscription->price;
	event->period = subscription->scale;
}

Subscription
cvm_subscription_unpack(const CvmPurchase *event)
{
	return (Subscription) {
		.price = event->mantissa,.scale = event->period,
		.started_on = (int32) ((uint64) event->at >> 32),.ended_on = (int32) (uint32) event->at
	};
}

static int
compare_subscriptions(const void *left, const void *right)
{
	const Subscription *a = left;
	const Subscription *b = right;

	if (a->started_on != b->started_on)
		return a->started_on < b->started_on ? -1 : 1;
	if (a->ended_on != b->ended_on)
		return a->ended_on < b->ended_on ? -1 : 1;
	if (a->scale != b->scale)
		return a->scale < b->scale ? -1 : 1;
	return (a->price > b->price) - (a->price < b->price);
}

/* Sums do not depend on the order of the feed's rows. */
void
cvm_subscriptions_sort(SubscriptionList *list)
{
	qsort(list->item, list->n, sizeof(Subscription), compare_subscriptions);
}

/* ---------- renewals ---------- */

double
cvm_renewal_length(const ContractPlan *contracts)
{
	return contracts->renewal_months * MONTH_DAYS + contracts->renewal_days;
}

/* Day on which renewal k is due; a month that is too short has it on its last day. */
static int64
renewal_day(const ContractPlan *contracts, int32 started_on, int64 k)
{
	int64		day = started_on;

	if (contracts->renewal_months > 0)
	{
		int			year;
		int			month;
		int			mday;
		int64		months;

		j2date(started_on + POSTGRES_EPOCH_JDATE, &year, &month, &mday);
		months = month - 1 + k * contracts->renewal_months;
		year += (int) (months / 12);
		month = (int) (months % 12) + 1;
		mday = Min(mday, day_tab[isleap(year)][month - 1]);
		day = (int64) date2j(year, month, mday) - POSTGRES_EPOCH_JDATE;
	}
	return day + k * contracts->renewal_days;
}

/* How many renewals are due up to a day. */
static int64
renewals_until(const ContractPlan *contracts, int32 started_on, int64 day)
{
	int64		k = (int64) Max(0, floor((day - started_on) / cvm_renewal_length(contracts)));

	while (renewal_day(contracts, started_on, k + 1) <= day)
		k++;
	while (k > 0 && renewal_day(contracts, started_on, k) > day)
		k--;
	return k;
}

ContractState
cvm_contract_state(const ContractPlan *contracts, const Subscription *subscription, int32 as_of_day)
{
	ContractState state = {.churned = subscription->ended_on != CVM_RUNNING};
	int64		made = renewals_until(contracts, subscription->started_on,
									  state.churned ? (int64) subscription->ended_on - 1 : as_of_day);

	state.lifetime = made + state.churned;
	state.payments = made + 1;
	state.last_paid_on = (int32) renewal_day(contracts, subscription->started_on, made);
	if (!state.churned)
		state.next_on = renewal_day(contracts, subscription->started_on, made + 1);
	return state;
}

double
cvm_renewals_within(const ContractPlan *contracts, const Subscription *subscription,
					int64 lifetime, int32 as_of_day, double days)
{
	double		near = Min(floor(days + 1e-6), CYCLE_DAYS);	/* horizons were divided by the time unit */
	double		due = (double) (renewals_until(contracts, subscription->started_on, as_of_day + (int64) near) - lifetime);

	return days > CYCLE_DAYS ? due + floor((days - CYCLE_DAYS) / cvm_renewal_length(contracts)) : due;
}

int128
cvm_subscriptions_paid(const RecomputePlan *plan, const SubscriptionList *list, int *scale)
{
	int32		as_of_day = cvm_local_day(plan, plan->as_of);
	int128		sum = 0;

	*scale = 0;
	for (int64 i = 0; i < list->n; i++)
		*scale = Max(*scale, list->item[i].scale);
	for (int64 i = 0; i < list->n; i++)
	{
		ContractState state = cvm_contract_state(&plan->contracts, &list->item[i], as_of_day);
		int128		paid = (int128) list->item[i].price * state.payments;	/* 1e18 times a day's renewals of 10,000 years */
		bool		beyond = false;

		for (int digit = list->item[i].scale; digit < *scale; digit++)
			beyond |= __builtin_mul_overflow(paid, (int128) 10, &paid);
		if (beyond || __builtin_add_overflow(sum, paid, &sum))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("the payments of a customer's subscriptions exceed 38 digits"),
					 errhint("Map a view that rounds prices, or counts money in a larger unit.")));
	}
	return sum;
}
