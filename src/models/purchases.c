/*
 * purchases.c: what the purchase families in continuous time agree on.
 */
#include "models/family.h"

#include <math.h>

const char *
cvm_check_purchases(const cvm_row *row)
{
	if (!(row->x >= 0 && isfinite(row->x)) || row->x != floor(row->x))
		return "x is not a whole number of repeat purchases, 0 or more";
	if (row->x > CVM_MOST_REPEATS)
		return "x is more than a thousand million repeat purchases";
	if (!(row->age >= 0 && isfinite(row->age)))
		return "age is negative or not finite";
	if (!(row->t_x >= 0 && isfinite(row->t_x)))
		return "t_x is negative or not finite";
	if (row->t_x > row->age)
		return "t_x is greater than age";
	if (row->x == 0 && row->t_x > 0)
		return "t_x is above 0 without a repeat purchase";
	if (row->x > 0 && row->t_x == 0)
		return "t_x is 0 in spite of repeat purchases";
	if (!(row->weight > 0 && isfinite(row->weight)))
		return "weight is not a finite number above 0";
	return NULL;
}
