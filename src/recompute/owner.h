/*
 * owner.h: whose portfolio it is, and acting as its owner.
 */
#ifndef CVM_RECOMPUTE_OWNER_H
#define CVM_RECOMPUTE_OWNER_H

#include "recompute/engine.h"

/* fills in portfolio_id and owner of plan->portfolio; ERROR if it is unknown or not the caller's */
extern void cvm_find_portfolio(RecomputePlan *plan);

/* restriction: SECURITY_... flags; returns what cvm_leave_owner needs with the other two */
extern int	cvm_enter_owner(const RecomputePlan *plan, int restriction, Oid *save_user, int *save_context);
extern void cvm_leave_owner(int level, Oid save_user, int save_context);

#endif
