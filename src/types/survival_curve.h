/*
 * survival_curve.h: SQL type cvm.survival_curve, the counts of a Kaplan-Meier
 * estimate (varlena).
 */
#ifndef CVM_TYPES_SURVIVAL_CURVE_H
#define CVM_TYPES_SURVIVAL_CURVE_H

#include "compat.h"
#include "fmgr.h"
#include "utils/memutils.h"

#define CVM_CURVE_VERSION 1

typedef struct SurvivalStep
{
	double		duration;		/* finite, >= 0, never -0 */
	int64		churned;		/* at this duration */
	int64		censored;		/* last seen at this duration, still there */
} SurvivalStep;

typedef struct SurvivalCurve
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint32		version;
	SurvivalStep step[FLEXIBLE_ARRAY_MEMBER];	/* ascending durations, none without customers */
} SurvivalCurve;

#define CVM_CURVE_MAX_STEPS ((MaxAllocSize - offsetof(SurvivalCurve, step)) / sizeof(SurvivalStep))

#define PG_GETARG_CURVE_P(n) ((SurvivalCurve *) PG_DETOAST_DATUM(PG_GETARG_DATUM(n)))

static inline int
cvm_curve_steps(const SurvivalCurve *curve)
{
	return (int) ((VARSIZE(curve) - offsetof(SurvivalCurve, step)) / sizeof(SurvivalStep));
}

#endif
