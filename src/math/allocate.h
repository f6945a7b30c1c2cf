/*
 * allocate.h: a budget over actions whose returns diminish.  Plain C.
 */
#ifndef CVM_MATH_ALLOCATE_H
#define CVM_MATH_ALLOCATE_H

/* What a spend x brings; scale >= 0, k >= 0, all concave from x = 0 on. */
typedef enum cvm_response
{
	CVM_RESPONSE_EXPONENTIAL,	/* scale (1 - e^(-k x)): scale is the ceiling */
	CVM_RESPONSE_LOG,			/* scale ln(1 + k x) */
	CVM_RESPONSE_POWER			/* scale x^k, 0 < k < 1: the elasticity */
} cvm_response;

typedef struct cvm_action
{
	cvm_response response;
	double		scale;
	double		k;
	double		floor;			/* 0 <= floor <= cap; cap may be INFINITY */
	double		cap;
	double		spend;			/* the result */
} cvm_action;

extern double cvm_action_gain(const cvm_action *action, double spend);
/* its derivative; INFINITY of a power at 0 */
extern double cvm_action_marginal(const cvm_action *action, double spend);

/*
 * Sets the spends that maximise the sum of the gains within the budget, which must
 * cover the floors.  What no action can use, for they are all at their caps or bring
 * nothing, stays unspent.  Returns the shadow price: what the next unit of budget
 * would bring.
 */
extern double cvm_allocate_budget(cvm_action *actions, int n, double budget);

#endif
