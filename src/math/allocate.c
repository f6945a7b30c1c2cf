/*
 * allocate.c: a budget over actions whose returns diminish (allocate.h).
 *
 * At the optimum all actions between their bounds have the same marginal gain mu,
 * those at the floor no more and those at the cap no less (Kuhn & Tucker 1951), so
 * that mu alone determines every spend: it is found by bisection, in logarithms since
 * the marginal gain of an exponential response falls below what a double can hold.
 */
#include "math/allocate.h"

#include <math.h>
#include <stdbool.h>

#include "math/sum.h"

#define FIRST_LOG_MU 1024.0		/* a marginal gain is a double; below -1024 the search widens */
#define MAX_LOG_MU 1e300

double
cvm_action_gain(const cvm_action *action, double spend)
{
	switch (action->response)
	{
		case CVM_RESPONSE_EXPONENTIAL:
			return -action->scale * expm1(-action->k * spend);
		case CVM_RESPONSE_LOG:
			return action->scale * log1p(action->k * spend);
		default:
			return action->scale * pow(spend, action->k);
	}
}

double
cvm_action_marginal(const cvm_action *action, double spend)
{
	if (action->scale == 0 || action->k == 0)
		return 0;
	switch (action->response)
	{
		case CVM_RESPONSE_EXPONENTIAL:
			return action->scale * action->k * exp(-action->k * spend);
		case CVM_RESPONSE_LOG:
			return action->scale / (1 / action->k + spend);
		default:
			return action->scale * action->k * pow(spend, action->k - 1);
	}
}

/* The spend, before its bounds, at which the marginal gain is e^log_mu. */
static double
spend_at(const cvm_action *action, double log_mu)
{
	double		log_ratio = log(action->scale) + log(action->k) - log_mu;

	switch (action->response)
	{
		case CVM_RESPONSE_EXPONENTIAL:
			return log_ratio / action->k;
		case CVM_RESPONSE_LOG:
			return expm1(log_ratio) / action->k;
		default:
			return exp(log_ratio / (1 - action->k));
	}
}

static bool
is_useless(const cvm_action *action)
{
	return action->scale == 0 || action->k == 0;
}

static double
set_spends(cvm_action *actions, int n, double log_mu)
{
	cvm_sum		total = {0};

	for (int i = 0; i < n; i++)
	{
		cvm_action *action = &actions[i];

		action->spend = is_useless(action) ? action->floor
			: fmin(fmax(spend_at(action, log_mu), action->floor), action->cap);
		cvm_sum_add(&total, action->spend);
	}
	return cvm_sum_value(&total);
}

/* -d spend / d log_mu of an action between its bounds, else 0 */
static double
slack(const cvm_action *action)
{
	if (is_useless(action) || !(action->spend > action->floor && action->spend < action->cap))
		return 0;
	switch (action->response)
	{
		case CVM_RESPONSE_EXPONENTIAL:
			return 1 / action->k;
		case CVM_RESPONSE_LOG:
			return action->spend + 1 / action->k;
		default:
			return action->spend / (1 - action->k);
	}
}

/* What bisection has left of the budget, so that the spends add up to it: a Newton step. */
static void
spend_rest(cvm_action *actions, int n, double rest)
{
	double		slacks = 0;

	for (int i = 0; i < n; i++)
		slacks += slack(&actions[i]);
	if (!(slacks > 0) || isinf(slacks))
		return;
	for (int i = 0; i < n; i++)
	{
		cvm_action *action = &actions[i];

		action->spend = fmin(fmax(action->spend + rest * (slack(action) / slacks), action->floor), action->cap);
	}
}

static double
shadow_price(const cvm_action *actions, int n)
{
	double		price = 0;

	for (int i = 0; i < n; i++)
		if (actions[i].spend < actions[i].cap)
			price = fmax(price, cvm_action_marginal(&actions[i], actions[i].spend));
	return price;
}

double
cvm_allocate_budget(cvm_action *actions, int n, double budget)
{
	double		high = FIRST_LOG_MU;
	double		low = -FIRST_LOG_MU;
	double		total;

	while ((total = set_spends(actions, n, low)) < budget && low > -MAX_LOG_MU)
		low *= 2;
	if (total <= budget)
		return shadow_price(actions, n);
	while (set_spends(actions, n, high) > budget && high < MAX_LOG_MU)
		high *= 2;
	for (;;)
	{
		double		middle = low + (high - low) / 2;

		if (middle <= low || middle >= high)
			break;
		if (set_spends(actions, n, middle) > budget)
			low = middle;
		else
			high = middle;
	}
	total = set_spends(actions, n, high);
	spend_rest(actions, n, budget - total);
	return shadow_price(actions, n);
}
