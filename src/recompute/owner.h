/*
 * owner.h: whose portfolio it is, and acting as its owner.
 */
#ifndef CVM_RECOMPUTE_OWNER_H
#define CVM_RECOMPUTE_OWNER_H

#include "recompute/engine.h"

/* fills in portfolio_id, output_schema and owner of plan->portfolio; ERROR if it is unknown or not the caller's */
extern void cvm_find_portfolio(RecomputePlan *plan);

/* what has become of the portfolio since then: NULL, or a message; as its owner.  doing: "recomputed"; hold: it stays to the end of the transaction */
extern const char *cvm_portfolio_loss(const RecomputePlan *plan, const char *doing, bool hold, int *sqlstate);
/* makes the present owner of the output schema, if any, the plan's; false if the caller may not act as that */
extern bool cvm_follow_owner(RecomputePlan *plan);

/* acting as the owner, security-restricted; returns what cvm_leave_owner needs with the other two */
extern int	cvm_enter_owner(const RecomputePlan *plan, Oid *save_user, int *save_context);
extern void cvm_leave_owner(int level, Oid save_user, int save_context);
/* whatever has been set since cvm_enter_owner */
extern void cvm_reset_search_path(void);

#endif
