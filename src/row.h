/*
 * row.h: a customer's statistics in a family's domain, or an ERROR with the row's
 * values.
 */
#ifndef CVM_ROW_H
#define CVM_ROW_H

#include "postgres.h"
#include "models/model.h"
#include "types/purchase_history.h"

/* ERROR with the row's values if family->check_row refuses it */
extern void cvm_check_row(const cvm_family *family, const cvm_row *row);

/*
 * ERROR where a history can not be counted in the model's time unit: opportunities
 * of `period` seconds are not those of another length, nor of one that is not known (0).
 */
extern void cvm_check_period(const cvm_family *family, int32 period, double unit_seconds);

/* The statistics of a history with a purchase; ERROR if as_of is before the last. */
extern void cvm_history_row(const PurchaseHistory *history, TimestampTz as_of, double unit_seconds, cvm_row *row);

#endif
