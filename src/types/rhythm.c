/*
 * rhythm.c: whether a customer has been silent for longer than his own rhythm explains
 * (math/rhythm.h).
 */
#include "compat.h"

#include "math/rhythm.h"
#include "types/purchase_history.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(cvm_silence_probability);
/* (history, as_of); NULL for fewer gaps than a rhythm has */
Datum
cvm_silence_probability(PG_FUNCTION_ARGS)
{
	const PurchaseHistory *history = PG_GETARG_HISTORY_P(0);
	double		span,
				age;

	if (history->repeat_periods < CVM_RHYTHM_GAPS)
		PG_RETURN_NULL();
	span = cvm_history_span(history, history->period);
	age = cvm_history_age(history, PG_GETARG_TIMESTAMPTZ(1), history->period);
	PG_RETURN_FLOAT8(cvm_gap_tail(history->repeat_periods, span, history->log_intervals, age - span));
}
