/*
 * what_if.h: purchases to come under changed assumptions (what_if.c), for a sum over many customers
 * (discounted_spend.c).
 */
#ifndef CVM_WHAT_IF_H
#define CVM_WHAT_IF_H

#include "question.h"

typedef struct WhatIf
{
	double		rate;			/* of discounting, per time unit of the model */
	double		horizon;
	double		retention;
	double		frequency;
} WhatIf;

/* Four arguments from the n-th on: rate, horizon, retention, frequency; ERROR outside their domains. */
extern WhatIf cvm_what_if_arguments(FunctionCallInfo fcinfo, int n);

/* Discounted purchases of a customer of the question's row, if alive. */
extern double cvm_what_if_purchases(const Question *question, const WhatIf *change);

#endif
