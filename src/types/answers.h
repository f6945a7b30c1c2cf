/*
 * answers.h: SQL type cvm.answers, how often each answer of a rating scale was given
 * (varlena).
 */
#ifndef CVM_TYPES_ANSWERS_H
#define CVM_TYPES_ANSWERS_H

#include "compat.h"
#include "fmgr.h"

#define CVM_ANSWERS_VERSION 1
#define CVM_ANSWERS_MAX_POINTS 1001

/* What the distribution is summed up by. */
typedef enum AnswersMeasure
{
	MEASURE_MEAN,
	MEASURE_NPS,
	MEASURE_TOP					/* share of the `boxes` best answers */
} AnswersMeasure;

/*
 * cell[] holds the counts of the answers lowest .. highest; where they are weighted,
 * the sums of the weights follow and then the sums of their squares, as doubles.
 * An aggregate's state is the type itself, counted up in place.
 */
typedef struct Answers
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	uint32		version;
	int32		lowest;
	int32		highest;		/* > lowest */
	uint8		high_is_good;
	uint8		measure;		/* AnswersMeasure */
	uint16		boxes;			/* of MEASURE_TOP, else 0 */
	uint32		weighted;
	int64		cell[FLEXIBLE_ARRAY_MEMBER];
} Answers;

#define PG_GETARG_ANSWERS_P(n) ((Answers *) PG_DETOAST_DATUM(PG_GETARG_DATUM(n)))
#define PG_GETARG_ANSWERS_P_COPY(n) ((Answers *) PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(n)))

/* A scale and how it is summed up; what two distributions share that add up. */
typedef struct AnswersScale
{
	int32		lowest;
	int32		highest;
	bool		high_is_good;
	AnswersMeasure measure;
	int			boxes;
	bool		weighted;
} AnswersScale;

static inline int
cvm_answers_points(const Answers *answers)
{
	return answers->highest - answers->lowest + 1;
}

static inline double *
cvm_answers_weights(Answers *answers)
{
	return (double *) (answers->cell + cvm_answers_points(answers));
}

static inline double *
cvm_answers_squares(Answers *answers)
{
	return cvm_answers_weights(answers) + cvm_answers_points(answers);
}

/* The distribution without answers; the scale must have passed the check. */
extern void cvm_check_scale(const AnswersScale *scale);
extern Answers *cvm_new_answers(const AnswersScale *scale);
extern AnswersScale cvm_scale_of(const Answers *answers);
extern int64 cvm_answers_n(const Answers *answers);

/* "high" or "low", or a name of them */
extern bool cvm_direction(const char *text, int length);

/* "mean", "nps", "top-2" */
extern char *cvm_measure_text(const AnswersScale *scale);
extern void cvm_read_measure(const char *text, AnswersScale *scale);

/* The measure's value, NAN without answers (satisfaction.c) */
extern double cvm_answers_score(Answers *answers);

#endif
