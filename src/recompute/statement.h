/*
 * statement.h: why residual value is another than in the run before, customer by customer and by segment
 * (doc/equity.md).
 */
#ifndef CVM_RECOMPUTE_STATEMENT_H
#define CVM_RECOMPUTE_STATEMENT_H

#include "recompute/engine.h"

/* In the order in which they are applied; between them and the closing value a customer may change segments. */
typedef enum EquityCause
{
	CAUSE_CORRECTED,			/* late or corrected data: what is known now of the time up to the run before */
	CAUSE_ERASED,				/* customers who are in no feed any more, or forgotten */
	CAUSE_MERGED,				/* customers who are another's alias now, and those whose they are */
	CAUSE_UNWINDING,			/* of the discount: the future is nearer */
	CAUSE_EXPECTED,				/* purchases that were expected by now are no longer to come */
	CAUSE_BEYOND,				/* who bought: what they are worth beyond what was expected */
	CAUSE_SILENCE,				/* who did not */
	CAUSE_REFUNDS,
	CAUSE_NEW,					/* customers who were not there */
	CAUSE_ASSUMPTIONS,
	CAUSE_MODEL,
	CVM_N_CAUSES
} EquityCause;

/* columns of equity_statement */
extern const char *const cvm_cause_names[CVM_N_CAUSES];

/* What a statement keeps of one customer: causes between the two values. */
typedef struct EquityChange
{
	double		opening;
	double		cause[CVM_N_CAUSES];
	double		closing;
} EquityChange;


/* reads the published run into plan->prior; output_schema must be set */
extern void cvm_prior_read(RecomputePlan *plan);
/* once the plan is loaded: run_id becomes 0 where there is none to start from */
extern void cvm_prior_judge(RecomputePlan *plan);
/* whether a statement is made of this run */
extern bool cvm_has_statement(const RecomputePlan *plan);

/* NULL if there is none to make; `context` holds it until the run ends */
extern Statement *cvm_statement_new(const RecomputePlan *plan, int64 run_id, const Population *population, const FittedPair *fit, MemoryContext context);
/* one customer with the value and segment of this run; `size` bytes of record */
extern void cvm_statement_add(Statement *statement, const CustomerRecord *record, Size size, double residual, const char *segment, EquityChange *change);
/* before equity has this run's rows; sums are those of the run, [0] is all */
extern void cvm_statement_write(Statement *statement, const SegmentSum *sums, int n_sums);

#endif
