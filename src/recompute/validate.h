/*
 * validate.h: what the steps of a validation hand to each other (validate.c).
 *
 *	  holdout.c		customers of the calibration window -> what became of them
 *	  candidate.c	a specification -> its models and its predictions
 *	  verdict.c		predictions, outcomes -> rows of cvm.validation, and the gate
 */
#ifndef CVM_RECOMPUTE_VALIDATE_H
#define CVM_RECOMPUTE_VALIDATE_H

#include "recompute/engine.h"

#include "fmgr.h"

/* One reading of the calibration window: a calendar and its customers. */
typedef struct Reading
{
	RecomputePlan *plan;
	Population *population;
} Reading;

typedef struct Candidate
{
	RecomputePlan *plan;		/* as of the end of the calibration window */
	Reading    *reading;
	bool		was_live;
	const char *failure;		/* why there are no predictions */
	CvmModel   *model;
	CvmModel   *spend_model;	/* NULL if there was nothing to fit it on */
	cvm_rung	rung;
	char	   *fingerprint;
	double	   *purchases;		/* predictions, in the order of cases */
	double	   *spend;			/* NULL: not all of them are finite */
} Candidate;

/* A customer of the calibration window. */
typedef struct Case
{
	Datum		key;
	uint32		hash;
	double		x;				/* of the calibration window, in the portfolio's periods */
	double		age;			/* in periods */
	double		money;			/* to the end of the calibration window */
	double		repeat_money;
	double		purchases;		/* of the holdout */
	double		spend;
} Case;

typedef struct Validation
{
	MemoryContext context;
	bool		atomic;
	int64		id;
	int64		run_id;			/* of the job that validates; 0: called by hand */
	RecomputePlan *plan;		/* by the options, as of the end of the calibration window */
	Interval   *holdout;
	TimestampTz as_of;
	char	   *specifications; /* jsonb as text, or NULL */
	Reading   **readings;		/* the first is by the options */
	int			n_readings;
	Candidate  *candidates;
	int			n_candidates;
	int			step;			/* candidate whose turn it is */
	int			holdout_periods;
	Population *outcome;		/* up to as_of; its customers are freed once compared */
	FmgrInfo	hash_key;
	FmgrInfo	equal_keys;
	Case	   *cases;
	int64		n_cases;
	uint32	   *slots;			/* case number + 1, open addressing */
	uint32		mask;
} Validation;

/* ---------- holdout.c ---------- */

/* ERROR if there is nobody who came back before the holdout */
extern void cvm_check_calibration(const Validation *v);
/* a case for every buyer of the first reading */
extern void cvm_make_cases(Validation *v);
/* NULL: he is not of the calibration window */
extern Case *cvm_find_case(Validation *v, Datum key);
/* purchases and spend of the holdout, from v->outcome; ERROR if there are none at all */
extern void cvm_compare_outcome(Validation *v);

/* ---------- candidate.c ---------- */

/* fits and predicts; what speaks against a candidate is its `failure` */
extern void cvm_try_candidate(Validation *v, Candidate *candidate);

/* ---------- verdict.c ---------- */

/* records all candidates and the baselines, and lets the gate decide */
extern void cvm_record_validation(Validation *v);

#endif
