/*
 * renewal_stat.c: subscriptions by what is to come of them (renewal_stat.h).
 *
 * Of a subscription that has made n renewals with J due and u periods to the next one,
 * retention.c's residual value is price x margin x q^(u - 1) x D(n, J): the same for all that
 * agree in n, J and the days to the next renewal, but for the price.
 */
#include "recompute/renewal_stat.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "math/sum.h"
#include "recompute/subscription.h"

typedef struct RenewalKey
{
	double		due;			/* within the value horizon; INFINITY: unlimited */
	int32		renewals;
	int32		wait;			/* days to the next */
} RenewalKey;

typedef struct RenewalEntry
{
	RenewalKey	key;
	char		status;			/* of simplehash */
	cvm_sum		price;
} RenewalEntry;

#define SH_PREFIX renewals
#define SH_ELEMENT_TYPE RenewalEntry
#define SH_KEY_TYPE RenewalKey
#define SH_KEY key
#define SH_HASH_KEY(tb, k) hash_bytes((const unsigned char *) &(k), sizeof(RenewalKey))
#define SH_EQUAL(tb, a, b) (memcmp(&(a), &(b), sizeof(RenewalKey)) == 0)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

struct RenewalStat
{
	renewals_hash *entries;
};

RenewalStat *
cvm_renewal_stat_new(MemoryContext context)
{
	RenewalStat *stat = MemoryContextAlloc(context, sizeof(RenewalStat));

	stat->entries = renewals_create(context, 64, NULL);
	return stat;
}

void
cvm_renewal_stat_add(RenewalStat *stat, const RecomputePlan *plan, const CustomerRecord *record)
{
	const SubscriptionList *list = cvm_subscriptions(record);
	int32		as_of_day = cvm_local_day(plan, plan->as_of);
	double		days = plan->value_horizon * plan->unit_seconds / 86400;

	for (int64 i = 0; list && i < list->n; i++)
	{
		const Subscription *subscription = &list->item[i];
		ContractState state = cvm_contract_state(&plan->contracts, subscription, as_of_day);
		RenewalEntry *entry;
		RenewalKey	key;
		bool		found;

		if (state.churned)
			continue;
		key = (RenewalKey) {
			.due = isinf(days) ? INFINITY : cvm_renewals_within(&plan->contracts, subscription, state.lifetime, as_of_day, days),
			.renewals = (int32) Min(state.lifetime, PG_INT32_MAX),
			.wait = (int32) Min(state.next_on - as_of_day, PG_INT32_MAX)
		};
		entry = renewals_insert(stat->entries, key, &found);
		if (!found)
			entry->price = (cvm_sum) {0};
		cvm_sum_add(&entry->price, (double) subscription->price / pow(10, subscription->scale));
	}
}

void
cvm_renewal_stat_write(const RenewalStat *stat, const RecomputePlan *plan, int64 run_id, const char *segment)
{
	char	   *table = cvm_quote(plan, "renewal_stat");
	int			n = 0;
	Datum	   *column[4];
	renewals_iterator i;
	RenewalEntry *entry;
	Oid			types[6] = {INT8OID, TEXTOID, INT4ARRAYOID, FLOAT8ARRAYOID, INT4ARRAYOID, FLOAT8ARRAYOID};
	Datum		values[6] = {Int64GetDatum(run_id), CStringGetTextDatum(segment)};

	if (stat->entries->members == 0)
		return;
	for (int k = 0; k < 4; k++)
		column[k] = palloc_extended(sizeof(Datum) * stat->entries->members, MCXT_ALLOC_HUGE);
	renewals_start_iterate(stat->entries, &i);
	while ((entry = renewals_iterate(stat->entries, &i)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		column[0][n] = Int32GetDatum(entry->key.renewals);
		column[1][n] = Float8GetDatum(entry->key.due);
		column[2][n] = Int32GetDatum(entry->key.wait);
		column[3][n++] = Float8GetDatum(cvm_sum_value(&entry->price));
	}
	for (int k = 0; k < 4; k += 2)
	{
		values[2 + k] = PointerGetDatum(construct_array(column[k], n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
		values[3 + k] = PointerGetDatum(construct_array(column[k + 1], n, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	}
	if (cvm_spi(SPI_OK_INSERT,
				psprintf("INSERT INTO %s (run_id, segment, renewals, due, wait_days, price)"
						 " SELECT $1, $2, u.renewals, u.due, u.wait_days, u.price"
						 " FROM ROWS FROM (pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6))"
						 " AS u (renewals, due, wait_days, price)", table),
				6, types, values, NULL) != (uint64) n)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s did not take all rows of portfolio \"%s\"", table, plan->portfolio),
				 errhint("A trigger or rule on it keeps rows out: drop it.")));
	for (int k = 0; k < 4; k++)
		pfree(column[k]);
}
