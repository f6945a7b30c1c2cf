/*
 * answers.c: SQL type cvm.answers, a distribution of answers on a rating scale:
 * lowest to highest in whole numbers, which end is good, how often each answer was
 * given, and the measure that sums it up.
 *
 * Counts lose nothing that any measure needs, and distributions of different answers
 * add up; scores do not (the mean of two NPS is not the NPS of all).
 *
 * Text: nps 30 {0..10 high, 5:20, 8:30, 9:50}; the number is there to be read, and
 * checked on input if it is given.  With weights, {1..5 low weighted, 4:2(3.5,6.25)}
 * has the sum of the weights and of their squares behind each count.
 */
#include "types/answers.h"
#include "types/reader.h"

#include <math.h>

#include "common/int.h"
#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"

/* Scales may start anywhere that an int reaches with room to spare. */
#define FARTHEST 1000000000

/* ---------- construction and checks ---------- */

void
cvm_check_scale(const AnswersScale *scale)
{
	int64		points = (int64) scale->highest - scale->lowest + 1;

	if (scale->lowest < -FARTHEST || scale->highest > FARTHEST || points < 2 || points > CVM_ANSWERS_MAX_POINTS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a rating scale can not be %d to %d", scale->lowest, scale->highest),
				 errdetail("It has 2 to %d whole numbers, from the lowest to the highest.", CVM_ANSWERS_MAX_POINTS)));
	if (scale->measure == MEASURE_NPS && (scale->lowest != 0 || scale->highest != 10 || !scale->high_is_good))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("NPS is not defined on a scale of %d to %d with the %s end good",
						scale->lowest, scale->highest, scale->high_is_good ? "high" : "low"),
				 errdetail("Its scale is 0 to 10, with the high end good.")));
	if (scale->measure == MEASURE_TOP && (scale->boxes < 1 || scale->boxes >= points))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the top %d answers are not part of a scale of " INT64_FORMAT, scale->boxes, points),
				 errdetail("They must be at least 1, and fewer than all.")));
}

Answers *
cvm_new_answers(const AnswersScale *scale)
{
	int			points = scale->highest - scale->lowest + 1;
	Size		size = offsetof(Answers, cell) + sizeof(int64) * points * (scale->weighted ? 3 : 1);
	Answers    *answers = palloc0(size);

	SET_VARSIZE(answers, size);
	answers->version = CVM_ANSWERS_VERSION;
	answers->lowest = scale->lowest;
	answers->highest = scale->highest;
	answers->high_is_good = scale->high_is_good;
	answers->measure = scale->measure;
	answers->boxes = scale->boxes;
	answers->weighted = scale->weighted;
	return answers;
}

AnswersScale
cvm_scale_of(const Answers *answers)
{
	return (AnswersScale) {
		answers->lowest, answers->highest, answers->high_is_good, answers->measure, answers->boxes, answers->weighted
	};
}

int64
cvm_answers_n(const Answers *answers)
{
	int64		n = 0;

	for (int i = 0; i < cvm_answers_points(answers); i++)
		n += answers->cell[i];
	return n;
}

/* Weights are between 1e-100 and 1e100: their sum and that of their squares are positive and finite, and belong to the count. */
static void
check_weights(int score, int64 count, double weight, double square)
{
	if (count == 0 ? weight == 0 && square == 0 :
		isfinite(weight) && isfinite(square) && weight > 0 && square > 0 &&
		weight * weight <= count * square * (1 + 1e-9) && square <= weight * weight * (1 + 1e-9))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("weights that sum to %g and their squares to %g are not those of " INT64_FORMAT " answers", weight, square, count),
			 errdetail("The answer is %d.", score)));
}

/* Everything that text and binary input have in common; the scale was checked before. */
static Answers *
check_answers(Answers *answers)
{
	int64		total = 0;

	for (int i = 0; i < cvm_answers_points(answers); i++)
	{
		if (answers->cell[i] < 0 || pg_add_s64_overflow(total, answers->cell[i], &total))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg(answers->cell[i] < 0 ? "a count of answers must not be negative" : "too many answers"),
					 errdetail("Answer %d was given " INT64_FORMAT " times.", answers->lowest + i, answers->cell[i])));
		if (answers->weighted)
			check_weights(answers->lowest + i, answers->cell[i], cvm_answers_weights(answers)[i], cvm_answers_squares(answers)[i]);
	}
	return answers;
}

/* ---------- words ---------- */

bool
cvm_direction(const char *text, int length)
{
	static const struct
	{
		const char *name;
		bool		high_is_good;
	}			names[] = {{"high", true}, {"low", false}, {"up", true}, {"down", false}, {"ease", true}, {"effort", false}};

	for (int i = 0; i < lengthof(names); i++)
		if (strlen(names[i].name) == length && memcmp(names[i].name, text, length) == 0)
			return names[i].high_is_good;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown direction \"%.*s\"", Min(length, 100), text),
			 errdetail("The direction says which end of the scale is good: \"high\" (also \"up\", \"ease\") or \"low\" (also \"down\", \"effort\").")));
}

char *
cvm_measure_text(const AnswersScale *scale)
{
	if (scale->measure == MEASURE_TOP)
		return psprintf("top-%d", scale->boxes);
	return pstrdup(scale->measure == MEASURE_NPS ? "nps" : "mean");
}

/* Into measure and boxes, which cvm_check_scale checks. */
void
cvm_read_measure(const char *text, AnswersScale *scale)
{
	Size		digits = strspn(text + Min(strlen(text), 4), "0123456789");

	scale->boxes = 0;
	if (strcmp(text, "mean") == 0)
		scale->measure = MEASURE_MEAN;
	else if (strcmp(text, "nps") == 0)
		scale->measure = MEASURE_NPS;
	else if (strncmp(text, "top-", 4) == 0 && digits >= 1 && digits <= 4 && text[4 + digits] == '\0')
	{
		scale->measure = MEASURE_TOP;
		scale->boxes = atoi(text + 4);
	}
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown measure \"%.100s\"", text),
				 errhint("Known measures: mean, nps, top-1, top-2, ... (the share of that many best answers).")));
}

/* ---------- text ---------- */

static void
append_double(StringInfo text, double value)
{
	char		number[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(value, number);
	appendStringInfoString(text, number);
}

PG_FUNCTION_INFO_V1(cvm_answers_out);
Datum
cvm_answers_out(PG_FUNCTION_ARGS)
{
	Answers    *answers = PG_GETARG_ANSWERS_P(0);
	AnswersScale scale = cvm_scale_of(answers);
	double		score = cvm_answers_score(answers);
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, cvm_measure_text(&scale));
	if (!isnan(score))
		appendStringInfo(&text, " %.6g", score);
	appendStringInfo(&text, " {%d..%d %s%s", answers->lowest, answers->highest, answers->high_is_good ? "high" : "low",
					 answers->weighted ? " weighted" : "");
	for (int i = 0; i < cvm_answers_points(answers); i++)
	{
		if (answers->cell[i] == 0)
			continue;
		appendStringInfo(&text, ", %d:" INT64_FORMAT, answers->lowest + i, answers->cell[i]);
		if (answers->weighted)
		{
			appendStringInfoChar(&text, '(');
			append_double(&text, cvm_answers_weights(answers)[i]);
			appendStringInfoChar(&text, ',');
			append_double(&text, cvm_answers_squares(answers)[i]);
			appendStringInfoChar(&text, ')');
		}
	}
	appendStringInfoChar(&text, '}');
	PG_RETURN_CSTRING(text.data);
}

static const char answers_example[] =
"Answers look like nps {0..10 high, 5:20, 8:30, 9:50}: on a scale of 0 to 10 with the high end good, 5 was answered 20 times.";

/* A run of letters, digits and dashes that begins with a letter; empty if there is none. */
static char *
read_word(Reader *reader)
{
	const char *start;

	cvm_skip_spaces(reader);
	start = reader->at;
	while ((*reader->at >= 'a' && *reader->at <= 'z') ||
		   (reader->at > start && ((*reader->at >= '0' && *reader->at <= '9') || *reader->at == '-')))
		reader->at++;
	return pnstrdup(start, reader->at - start);
}

static int32
read_end(Reader *reader)
{
	int64		value = cvm_read_whole(reader, "an end of the scale");

	if (value < -FARTHEST || value > FARTHEST)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("a rating scale can not end at " INT64_FORMAT, value)));
	return (int32) value;
}

/* "0..10 high weighted" */
static void
read_scale(Reader *reader, AnswersScale *scale)
{
	char	   *word;

	scale->lowest = read_end(reader);
	cvm_expect(reader, ".");
	cvm_expect(reader, ".");
	scale->highest = read_end(reader);
	word = read_word(reader);
	if (*word == '\0')
		cvm_refuse_syntax(reader, "the direction of the scale");
	scale->high_is_good = cvm_direction(word, strlen(word));
	word = read_word(reader);
	scale->weighted = strcmp(word, "weighted") == 0;
	if (*word != '\0' && !scale->weighted)
		cvm_refuse_syntax(reader, "\"weighted\" or nothing");
	cvm_check_scale(scale);
}

/* "5:20" or "5:20(31.5,60.25)"; ascending */
static int
read_cell(Reader *reader, Answers *answers, int next)
{
	int64		score = cvm_read_whole(reader, "an answer");
	int64		i = score - answers->lowest;

	if (score < answers->lowest || score > answers->highest || i < next)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("answer " INT64_FORMAT " is not expected here", score),
				 errdetail("Answers ascend and are on the scale of %d to %d.", answers->lowest, answers->highest)));
	cvm_expect(reader, ":");
	answers->cell[i] = cvm_read_whole(reader, "a count");
	if (answers->weighted)
	{
		cvm_expect(reader, "(");
		cvm_answers_weights(answers)[i] = cvm_read_double(reader, "a sum of weights") + 0.0;	/* no -0 */
		cvm_expect(reader, ",");
		cvm_answers_squares(answers)[i] = cvm_read_double(reader, "a sum of squared weights") + 0.0;
		cvm_expect(reader, ")");
	}
	return (int) i + 1;
}

PG_FUNCTION_INFO_V1(cvm_answers_in);
Datum
cvm_answers_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	Reader		reader = {"answers", answers_example, text, text};
	AnswersScale scale = {.measure = MEASURE_MEAN};
	char	   *word = read_word(&reader);
	double		printed = NAN;
	double		score;
	Answers    *answers;

	if (*word != '\0')
		cvm_read_measure(word, &scale);
	if (!cvm_accept(&reader, "{"))
	{
		printed = cvm_read_double(&reader, "\"{\"");
		if (isnan(printed))
			cvm_refuse_syntax(&reader, "another number");
		cvm_expect(&reader, "{");
	}
	read_scale(&reader, &scale);
	answers = cvm_new_answers(&scale);
	for (int next = 0; cvm_accept(&reader, ",");)
		next = read_cell(&reader, answers, next);
	cvm_expect(&reader, "}");
	cvm_expect_end(&reader, "the end");
	score = cvm_answers_score(check_answers(answers));
	if (!isnan(printed) && !(fabs(printed - score) <= 1e-5 * fabs(score) + 1e-12))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the answers do not make %s %g", cvm_measure_text(&scale), printed),
				 isnan(score) ? errdetail("There are none.") : errdetail("They make %.6g.", score),
				 errhint("Leave the number out: it follows from the answers.")));
	PG_RETURN_POINTER(answers);
}

/* ---------- binary: version, scale, counts, and weights with their squares where there are any ---------- */

PG_FUNCTION_INFO_V1(cvm_answers_send);
Datum
cvm_answers_send(PG_FUNCTION_ARGS)
{
	Answers    *answers = PG_GETARG_ANSWERS_P(0);
	int			points = cvm_answers_points(answers);
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendint32(&buffer, answers->version);
	pq_sendint32(&buffer, answers->lowest);
	pq_sendint32(&buffer, answers->highest);
	pq_sendint8(&buffer, answers->high_is_good);
	pq_sendint8(&buffer, answers->measure);
	pq_sendint16(&buffer, answers->boxes);
	pq_sendint32(&buffer, answers->weighted);
	for (int i = 0; i < points; i++)
		pq_sendint64(&buffer, answers->cell[i]);
	for (int i = 0; answers->weighted && i < 2 * points; i++)
		pq_sendfloat8(&buffer, cvm_answers_weights(answers)[i]);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

static bool
receive_flag(int value)
{
	if (value != 0 && value != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("a binary value of type answers has a flag of %d", value)));
	return value;
}

PG_FUNCTION_INFO_V1(cvm_answers_recv);
Datum
cvm_answers_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	uint32		version = pq_getmsgint(buffer, 4);
	AnswersScale scale;
	Answers    *answers;
	int			points;

	if (version != CVM_ANSWERS_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported version %u of type answers", version)));
	scale.lowest = (int32) pq_getmsgint(buffer, 4);
	scale.highest = (int32) pq_getmsgint(buffer, 4);
	scale.high_is_good = receive_flag(pq_getmsgbyte(buffer));
	scale.measure = pq_getmsgbyte(buffer);
	scale.boxes = pq_getmsgint(buffer, 2);
	scale.weighted = receive_flag(pq_getmsgint(buffer, 4));
	if (scale.measure > MEASURE_TOP || (scale.measure != MEASURE_TOP && scale.boxes != 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("a binary value of type answers has an unknown measure %d with %d boxes", (int) scale.measure, scale.boxes)));
	cvm_check_scale(&scale);
	answers = cvm_new_answers(&scale);
	points = cvm_answers_points(answers);
	for (int i = 0; i < points; i++)
		answers->cell[i] = pq_getmsgint64(buffer);
	for (int i = 0; scale.weighted && i < 2 * points; i++)
		cvm_answers_weights(answers)[i] = pq_getmsgfloat8(buffer) + 0.0;	/* no -0 */
	PG_RETURN_POINTER(check_answers(answers));
}
