/*
 * truth.h: one line of the tables in this folder.
 */
#ifndef CVM_TRUTH_H
#define CVM_TRUTH_H

#include <math.h>

typedef enum truth_of
{
	LOGLIK, P_ALIVE, EXPECTED, PURCHASES, DISCOUNTED, DERT, PMF, NEXT, SPEND_LOGLIK, SPEND,
	NEW, MASS, P_ALIVE_AT_LAST, SURVIVAL, RESIDUAL, TRUTHS
} truth_of;

typedef struct truth_row
{
	truth_of	what;
	double		theta[5];
	double		x;				/* contracts: churned */
	double		t_x;			/* spend: the mean */
	double		age;			/* contracts: lifetime */
	/*
	 * EXPECTED, PURCHASES, NEW, PMF, MASS, SURVIVAL, RESIDUAL: t; DISCOUNTED, DERT:
	 * rate; NEXT: quantile; LOGLIK: log_intervals
	 */
	double		arg;
	double		arg2;			/* PMF, MASS: n; DISCOUNTED, DERT: horizon; RESIDUAL: rate */
	double		truth;
} truth_row;

static const char *const truth_name[] = {
	"loglik", "p_alive", "expected_if_alive", "p_alive * expected_if_alive",
	"discounted_if_alive", "p_alive * discounted_if_alive", "pmf_if_alive", "next_purchase_if_alive", "spend loglik", "expected_spend",
	"expected", "P(X = n), alive or not", "p_alive_at_last", "survival", "residual_lifetime"
};

#endif
