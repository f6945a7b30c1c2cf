/*
 * recompute.h: CALL cvm.recompute(...), feeds to published tables.
 */
#ifndef CVM_RECOMPUTE_H
#define CVM_RECOMPUTE_H

#include "postgres.h"

/*
 * Set by a job worker before it calls cvm.recompute or cvm.validate: the run row
 * that its runner has already recorded.  0: a recompute records a run of its own,
 * a validation none.
 */
extern PGDLLEXPORT int64 cvm_adopted_run_id;

/* settings; called once from _PG_init */
extern void cvm_recompute_init(void);

#endif
