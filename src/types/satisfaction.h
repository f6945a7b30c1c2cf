/*
 * satisfaction.h: a cvm.answers as the sample it is.
 *
 * A measure gives every answer a worth, and its score is the mean worth: NPS 100 for
 * promoters (9, 10), -100 for detractors (0 to 6); a top-k share 1 for the k best answers;
 * a mean the answer itself.  With weights w the mean is weighted, its variance is the
 * linearised sum of w^2 (worth - mean)^2 / (sum w)^2, and the sample counts as
 * (sum w)^2 / sum w^2 answers (Kish 1965).  Without, that is the number of answers.
 *
 * What one answer can not tell (a spread) and what none can is NAN here and NULL in SQL.
 */
#ifndef CVM_TYPES_SATISFACTION_H
#define CVM_TYPES_SATISFACTION_H

#include "types/answers.h"

typedef struct AnswersMoments
{
	int64		n;
	double		weight;			/* sum of weights, or n */
	double		effective;		/* answers the sample counts for */
	double		score;
	double		variance;		/* of the score, with divisor n */
} AnswersMoments;

extern AnswersMoments cvm_answers_moments(Answers *answers);

/* What the i-th answer of the scale counts for by the measure. */
extern double cvm_answers_worth(const Answers *answers, int i);

/* Sum of the weights of the i-th answer, or its count. */
extern double cvm_answers_weight_of(Answers *answers, int i);

/* Variance of the score, with divisor n - 1 where `unbiased`; NAN for fewer than two answers */
extern double cvm_answers_variance(const AnswersMoments *m, bool unbiased);

/* A mean's is estimated with n - 1, as Student's distribution wants it; those of NPS and shares follow from the shares. */
extern bool cvm_answers_unbiased(const Answers *answers);

#endif
