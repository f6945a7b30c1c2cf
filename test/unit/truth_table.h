/*
 * truth_table.h: run the functions of a family over a table of truths and
 * report the worst relative error of each.
 */
#ifndef CVM_TEST_TRUTH_TABLE_H
#define CVM_TEST_TRUTH_TABLE_H

#include "models/model.h"
#include "tap.h"
#include "truth/truth.h"

static double
compute_truth(const cvm_family *f, const truth_row *t)
{
	cvm_row		row = {.x = t->x, .t_x = t->t_x, .age = t->age, .mean_spend = t->t_x, .weight = 1};

	switch (t->what)
	{
		case LOGLIK:
			row.log_intervals = t->arg;
			return f->loglik(t->theta, &row);
		case SPEND_LOGLIK:
			return f->loglik(t->theta, &row);
		case P_ALIVE:
			return f->p_alive(t->theta, &row);
		case P_ALIVE_AT_LAST:
			return f->p_alive_at_last(t->theta, &row);
		case EXPECTED:
			return f->expected_if_alive(t->theta, &row, t->arg);
		case PURCHASES:
			return f->p_alive(t->theta, &row) * f->expected_if_alive(t->theta, &row, t->arg);
		case DISCOUNTED:
			return f->discounted_if_alive(t->theta, &row, t->arg, t->arg2);
		case DERT:
			return f->p_alive(t->theta, &row) * f->discounted_if_alive(t->theta, &row, t->arg, t->arg2);
		case PMF:
			return f->pmf_if_alive(t->theta, &row, t->arg, (int) t->arg2);
		case MASS:
			return f->p_alive(t->theta, &row) * f->pmf_if_alive(t->theta, &row, t->arg, (int) t->arg2)
				+ (t->arg2 == 0 ? 1 - f->p_alive(t->theta, &row) : 0);
		case NEW:
			return f->expected(t->theta, t->arg);
		case NEXT:
			return f->next_purchase_if_alive(t->theta, &row, t->arg);
		case SURVIVAL:
			return f->survival(t->theta, t->arg);
		case RESIDUAL:
			return f->residual_lifetime(t->theta, t->arg, t->arg2);
		default:
			return f->expected_spend(t->theta, &row);
	}
}

/* One test per function that the table holds; a logarithm counts relative to 1 at least. */
static void
check_truths(const cvm_family *f, const char *table, const truth_row *rows, size_t n, double tolerance)
{
	double		worst[TRUTHS] = {0};
	const truth_row *where[TRUTHS] = {NULL};
	int			count[TRUTHS] = {0};

	for (size_t i = 0; i < n; i++)
	{
		const truth_row *t = &rows[i];
		bool		logarithm = t->what == LOGLIK || t->what == SPEND_LOGLIK;
		double		error = relative_error(compute_truth(f, t), t->truth, logarithm ? 1 : 1e-290);

		count[t->what]++;
		if (where[t->what] == NULL || !(error <= worst[t->what]))
		{
			worst[t->what] = error;
			where[t->what] = t;
		}
	}
	for (int i = 0; i < TRUTHS; i++)
		if (count[i] > 0)
			ok(worst[i] <= tolerance,
			   "%s, %s: worst of %d is %.1e at (%g, %g, %g, %g, %g), x %g, t_x %g, age %g, %g, %g",
			   table, truth_name[i], count[i], worst[i],
			   where[i]->theta[0], where[i]->theta[1], where[i]->theta[2], where[i]->theta[3], where[i]->theta[4],
			   where[i]->x, where[i]->t_x, where[i]->age, where[i]->arg, where[i]->arg2);
}

#endif
