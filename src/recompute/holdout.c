/*
 * holdout.c: the customers of the calibration window, and what each of them
 * bought and spent in the holdout.
 */
#include "validate.h"

#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

static uint32
hash_of(Validation *v, Datum key)
{
	return DatumGetUInt32(FunctionCall1Coll(&v->hash_key, v->readings[0]->population->key.collation, key));
}

Case *
cvm_find_case(Validation *v, Datum key)
{
	Oid			collation = v->readings[0]->population->key.collation;
	uint32		hash = hash_of(v, key);

	for (uint32 slot = hash & v->mask; v->slots[slot]; slot = (slot + 1) & v->mask)
	{
		Case	   *found = &v->cases[v->slots[slot] - 1];

		if (found->hash == hash && DatumGetBool(FunctionCall2Coll(&v->equal_keys, collation, found->key, key)))
			return found;
	}
	return NULL;
}

static void
add_case(Validation *v, const CustomerRecord *record)
{
	const Population *population = v->readings[0]->population;
	Case	   *added = &v->cases[v->n_cases];
	uint32		slot;
	cvm_row		row;

	cvm_row_of_history(v->plan, &record->history, &row);
	added->key = datumCopy(cvm_record_key(population, record), population->key.byval, population->key.typlen);
	added->hash = hash_of(v, added->key);
	added->x = row.x;
	added->age = (double) v->plan->as_of_period - record->history.first_period;
	added->money = cvm_history_total(&record->history);
	added->repeat_money = row.x > 0 ? row.x * row.mean_spend : 0;
	for (slot = added->hash & v->mask; v->slots[slot]; slot = (slot + 1) & v->mask)
		;
	v->slots[slot] = (uint32) ++v->n_cases;
}

void
cvm_make_cases(Validation *v)
{
	const Population *population = v->readings[0]->population;
	MemoryContext old = MemoryContextSwitchTo(v->context);
	TypeCacheEntry *type = lookup_type_cache(population->key.type, TYPECACHE_HASH_PROC_FINFO | TYPECACHE_EQ_OPR_FINFO);
	char	   *record;
	Size		size;

	fmgr_info_copy(&v->hash_key, &type->hash_proc_finfo, v->context);
	fmgr_info_copy(&v->equal_keys, &type->eq_opr_finfo, v->context);
	for (v->mask = 1023; v->mask / 2 < population->n_buyers; v->mask = v->mask * 2 + 1)
		;
	v->slots = MemoryContextAllocExtended(v->context, sizeof(uint32) * ((Size) v->mask + 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	v->cases = MemoryContextAllocExtended(v->context, sizeof(Case) * population->n_buyers, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	cvm_spool_rewind(population->customers);
	while ((record = cvm_spool_next(population->customers, &size)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		if (cvm_buys(v->plan, (const CustomerRecord *) record))
			add_case(v, (const CustomerRecord *) record);
	}
	MemoryContextSwitchTo(old);
}

/* What is more at as_of than it was at the end of the calibration window. */
void
cvm_compare_outcome(Validation *v)
{
	double		purchases = 0;
	char	   *record;
	Size		size;

	cvm_spool_rewind(v->outcome->customers);
	while ((record = cvm_spool_next(v->outcome->customers, &size)) != NULL)
	{
		const CustomerRecord *customer = (const CustomerRecord *) record;
		Case	   *known;

		CHECK_FOR_INTERRUPTS();
		if (!cvm_buys(v->plan, customer) ||
			(known = cvm_find_case(v, cvm_record_key(v->outcome, customer))) == NULL)
			continue;
		/* fewer: an order of the calibration window was refunded since */
		known->purchases = Max(customer->history.repeat_periods - known->x, 0);
		known->spend = cvm_history_total(&customer->history) - known->money;
		purchases += known->purchases;
	}
	if (!(purchases > 0))
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("portfolio \"%s\" has no purchase in the holdout", v->plan->portfolio),
				 errdetail("None of the " INT64_FORMAT " customers of the calibration window has bought between %s and as_of; the feed has " INT64_FORMAT " rows up to as_of, " INT64_FORMAT " of them in the calibration window.",
						   v->n_cases, timestamptz_to_str(v->plan->as_of),
						   v->outcome->purchases_read - v->outcome->after_as_of,
						   v->readings[0]->population->purchases_read - v->readings[0]->population->after_as_of),
				 errhint("Name an as_of at which the data ends; without it, it is now.")));
}

void
cvm_check_calibration(const Validation *v)
{
	const Population *population = v->readings[0]->population;

	if (population->n_repeaters > 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA),
			 errmsg("portfolio \"%s\" has nothing to calibrate on up to %s", v->plan->portfolio, timestamptz_to_str(v->plan->as_of)),
			 errdetail("There are " INT64_FORMAT " customers and " INT64_FORMAT " repeat buyers before the holdout; " INT64_FORMAT " of " INT64_FORMAT " rows of the feed are later.",
					   population->n_buyers, population->n_repeaters, population->after_as_of, population->purchases_read),
			 errhint("The holdout must be shorter than the data: half of it at most leaves enough to learn from.")));
}
