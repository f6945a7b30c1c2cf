/*
 * question.h: what every scalar function on a model asks and answers: a model and
 * a row of a customer's statistics go in, a number that is one comes out.
 */
#ifndef CVM_QUESTION_H
#define CVM_QUESTION_H

#include "postgres.h"
#include "fmgr.h"
#include "types/model_type.h"

typedef struct Question
{
	const CvmModel *model;
	const cvm_family *family;
	const double *theta;
	cvm_row		row;
	bool		empty;			/* a history without purchases: the answer is NULL */
} Question;

/* (model, ...); ERROR unless it is a model of this kind */
extern void cvm_ask_model(FunctionCallInfo fcinfo, cvm_kind kind, Question *question);
/* (model, x, t_x, age, ...); log_intervals is none of them, and most answers do not depend on it */
extern void cvm_ask_raw(FunctionCallInfo fcinfo, Question *question);
/* (model, history, as_of, ...) */
extern void cvm_ask_history(FunctionCallInfo fcinfo, Question *question);

extern double cvm_finite_argument(FunctionCallInfo fcinfo, int n, const char *name);
extern double cvm_horizon_argument(FunctionCallInfo fcinfo, int n);
/* a horizon as an interval, in the model's time units; a year is 365.25 days, a month a twelfth of it */
extern double cvm_interval_argument(FunctionCallInfo fcinfo, int n, const Question *question);

/* ERROR if the answer is NaN or infinite */
extern Datum cvm_answer(const Question *question, double value, const char *what);

#endif
