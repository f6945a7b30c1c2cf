/*
 * row.c: a customer's statistics as a row in a family's domain (see row.h).
 */
#include "compat.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "row.h"

/* The row's values, for messages. */
static char *
row_text(const cvm_family *family, const cvm_row *row, bool log_intervals)
{
	StringInfoData text;

	initStringInfo(&text);
	if (family->kind == CVM_SPEND)
		appendStringInfo(&text, "x = %g, mean_spend = %g", row->x, row->mean_spend);
	else if (family->kind == CVM_RETENTION)
		appendStringInfo(&text, "lifetime = %g, churned = %s", row->lifetime, row->churned == 1 ? "true" : "false");
	else
		appendStringInfo(&text, "x = %g, t_x = %g, age = %g", row->x, row->t_x, row->age);
	if (log_intervals)
		appendStringInfo(&text, ", log_intervals = %g", row->log_intervals);
	if (row->weight != 1)
		appendStringInfo(&text, ", weight = %g", row->weight);
	return text.data;
}

static const char *
row_hint(const cvm_family *family, bool log_intervals)
{
	if (family->kind == CVM_SPEND)
		return "mean_spend is the mean of the repeat purchases and must be positive.";
	if (family->kind == CVM_RETENTION)
		return "lifetime is the renewal at which a contract ended (1 is the first), or how many renewals it has made so far.";
	if (family->whole_times)
		return "age counts the opportunities since the first purchase, x those with a purchase, and t_x is the last of these: x <= t_x <= age, and t_x = 0 exactly if x = 0.";
	if (log_intervals)
		return "log_intervals is the sum of ln(interpurchase time), in the same time unit as t_x and age; merge purchases of the same instant first.";
	return "x counts repeat purchases, t_x and age are measured from the first purchase: 0 <= t_x <= age, and t_x = 0 exactly if x = 0.";
}

void
cvm_check_row(const cvm_family *family, const cvm_row *row)
{
	const char *wrong = family->check_row(row);
	bool		log_intervals;

	if (wrong == NULL)
		return;
	log_intervals = strncmp(wrong, "log_intervals", strlen("log_intervals")) == 0;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("a customer is outside the domain of %s: %s", family->name, wrong),
			 errdetail("The row has %s.", row_text(family, row, log_intervals)),
			 errhint("%s", row_hint(family, log_intervals))));
}

void
cvm_check_period(const cvm_family *family, int32 period, double unit_seconds)
{
	if (!family->whole_times || unit_seconds == period)
		return;
	if (unit_seconds == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("this %s model does not know how long an opportunity is", family->name),
				 errdetail("It was written without a unit, or fitted on raw statistics; the history has periods of %d seconds.", period),
				 errhint("If these are its opportunities, say so in its text: %s(...) unit=%d.", family->name, period)));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("a history with periods of %d seconds has other opportunities than a %s model with a unit of %g seconds",
					period, family->name, unit_seconds),
			 errhint("Aggregate the purchases with the model's unit as period: cvm.purchase_history(at, amount, period), or fit with the histories' period as unit.")));
}

void
cvm_history_row(const PurchaseHistory *history, TimestampTz as_of, double unit_seconds, cvm_row *row)
{
	row->x = history->repeat_periods;
	row->t_x = cvm_history_span(history, unit_seconds);
	row->age = cvm_history_age(history, as_of, unit_seconds);
	row->log_intervals = history->log_intervals - row->x * log(unit_seconds / history->period);
}
