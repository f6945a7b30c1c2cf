-- answers: distributions of survey answers, their scores and what those are worth (src/types/answers.c, answers_aggregate.c, satisfaction.c)

CREATE TYPE cvm.answers;

CREATE FUNCTION cvm.answers_in(cstring) RETURNS cvm.answers
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_in';
CREATE FUNCTION cvm.answers_out(cvm.answers) RETURNS cstring
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_out';
CREATE FUNCTION cvm.answers_recv(internal) RETURNS cvm.answers
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_recv';
CREATE FUNCTION cvm.answers_send(cvm.answers) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_send';

CREATE TYPE cvm.answers (
    INPUT = cvm.answers_in,
    OUTPUT = cvm.answers_out,
    RECEIVE = cvm.answers_recv,
    SEND = cvm.answers_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = double,
    STORAGE = extended
);

COMMENT ON TYPE cvm.answers IS
'Answers on a rating scale as how often each was given: the scale (whole numbers, lowest to highest), the end that is good (high or low), the counts, and the measure that sums them up (nps, mean, or top-k, the share of the k best answers). Text: nps 30 {0..10 high, 5:20, 8:30, 9:50}: NPS 30 of 20 answers of 5, 30 of 8 and 50 of 9; without loss, the number is only there to be read. Distributions of different answers add up with + and cvm.merge, which scores do not. A distribution without answers, {0..10 high}, has NULL for a score.';
COMMENT ON FUNCTION cvm.answers_in(cstring) IS 'Text input of cvm.answers; the measure may be left out (mean), and its number, which must fit the answers if it is given (22023). 22P02 with what was expected where; 22003 for answers off the scale or out of order and for negative counts; 22023 for a scale that is none.';
COMMENT ON FUNCTION cvm.answers_out(cvm.answers) IS 'Text output of cvm.answers: measure, its number to six digits, scale and counts; weights in shortest exact form.';
COMMENT ON FUNCTION cvm.answers_recv(internal) IS 'Binary input of cvm.answers, with a version word.';
COMMENT ON FUNCTION cvm.answers_send(cvm.answers) IS 'Binary output of cvm.answers, with a version word.';

-- ---------- sum, equality and hash ----------

CREATE FUNCTION cvm.answers_add(cvm.answers, cvm.answers) RETURNS cvm.answers
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_add';
COMMENT ON FUNCTION cvm.answers_add(cvm.answers, cvm.answers) IS 'Implements + of cvm.answers; combines the partial states of its aggregates.';

CREATE FUNCTION cvm.answers_eq(cvm.answers, cvm.answers) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_image_eq';
COMMENT ON FUNCTION cvm.answers_eq(cvm.answers, cvm.answers) IS 'Implements = of cvm.answers.';

CREATE FUNCTION cvm.answers_ne(cvm.answers, cvm.answers) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_image_ne';
COMMENT ON FUNCTION cvm.answers_ne(cvm.answers, cvm.answers) IS 'Implements <> of cvm.answers.';

CREATE OPERATOR cvm.+ (
    LEFTARG = cvm.answers, RIGHTARG = cvm.answers, FUNCTION = cvm.answers_add,
    COMMUTATOR = OPERATOR(cvm.+)
);
COMMENT ON OPERATOR cvm.+ (cvm.answers, cvm.answers) IS 'answers of both, which must not be the same ones; exact (weights: to rounding). 22023 unless scale, direction, measure and being weighted agree.';
CREATE OPERATOR cvm.= (
    LEFTARG = cvm.answers, RIGHTARG = cvm.answers, FUNCTION = cvm.answers_eq,
    COMMUTATOR = OPERATOR(cvm.=), NEGATOR = OPERATOR(cvm.<>), RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel, HASHES
);
COMMENT ON OPERATOR cvm.= (cvm.answers, cvm.answers) IS 'equal: the same counts on the same scale, with the same measure.';
CREATE OPERATOR cvm.<> (
    LEFTARG = cvm.answers, RIGHTARG = cvm.answers, FUNCTION = cvm.answers_ne,
    COMMUTATOR = OPERATOR(cvm.<>), NEGATOR = OPERATOR(cvm.=), RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
);
COMMENT ON OPERATOR cvm.<> (cvm.answers, cvm.answers) IS 'not equal: a count, the scale or the measure differs.';

CREATE FUNCTION cvm.answers_hash(cvm.answers) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_image_hash';
COMMENT ON FUNCTION cvm.answers_hash(cvm.answers) IS 'Hash of cvm.answers.';

CREATE FUNCTION cvm.answers_hash_extended(cvm.answers, bigint) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_image_hash_extended';
COMMENT ON FUNCTION cvm.answers_hash_extended(cvm.answers, bigint) IS 'Seeded hash of cvm.answers.';

CREATE OPERATOR CLASS cvm.answers_ops DEFAULT FOR TYPE cvm.answers USING hash AS
    OPERATOR 1 cvm.=,
    FUNCTION 1 cvm.answers_hash(cvm.answers), FUNCTION 2 cvm.answers_hash_extended(cvm.answers, bigint);
COMMENT ON OPERATOR CLASS cvm.answers_ops USING hash IS 'Hashing of cvm.answers; distributions have no order: order by cvm.score.';
COMMENT ON OPERATOR FAMILY cvm.answers_ops USING hash IS 'Hashing of cvm.answers; distributions have no order: order by cvm.score.';

CREATE AGGREGATE cvm.merge(answers cvm.answers) (
    SFUNC = cvm.answers_add, STYPE = cvm.answers, COMBINEFUNC = cvm.answers_add, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.merge(cvm.answers) IS
'Sum of distributions, for example of the days of a month, NULLs left out: NPS of the month is cvm.merge(daily), never avg() of the days'' NPS. NULL for no rows. Errors as +.';

-- ---------- aggregates ----------
--
-- The state is the type itself: no answers yet is an empty distribution, which the final
-- function turns to NULL.

CREATE FUNCTION cvm.answers_final(cvm.answers) RETURNS cvm.answers
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_final';
COMMENT ON FUNCTION cvm.answers_final(cvm.answers) IS 'Final function of the aggregates of answers: NULL without answers.';

CREATE FUNCTION cvm.nps_accum(state cvm.answers, score float8) RETURNS cvm.answers
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_nps_accum';
COMMENT ON FUNCTION cvm.nps_accum(cvm.answers, float8) IS 'Transition function of the aggregate cvm.nps.';
CREATE FUNCTION cvm.answers_remove(state cvm.answers, score float8) RETURNS cvm.answers
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_remove';
COMMENT ON FUNCTION cvm.answers_remove(cvm.answers, float8) IS 'Inverse transition function of the aggregates of answers, for moving frames.';
CREATE AGGREGATE cvm.nps(score float8) (
    SFUNC = cvm.nps_accum, STYPE = cvm.answers, SSPACE = 128, FINALFUNC = cvm.answers_final, COMBINEFUNC = cvm.answers_add,
    MSFUNC = cvm.nps_accum, MINVFUNC = cvm.answers_remove, MSTYPE = cvm.answers, MSSPACE = 128, MFINALFUNC = cvm.answers_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.nps(float8) IS
'Net promoter score (Reichheld 2003): 100 x (promoters - detractors) / answers, -100 to 100, from answers of 0 to 10; promoters answer 9 or 10, passives 7 or 8, detractors 0 to 6. NULLs are left out, fractional answers and those off the scale are errors (22003). NULL without answers. Parallel, with GROUP BY, FILTER and OVER, moving frames included. The result is a cvm.answers, not a number, so that it knows how many answers it is from and adds up: cvm.score(...) or ::float8 is the number, cvm.score_interval its interval, cvm.difference compares two.';

CREATE FUNCTION cvm.csat_accum(state cvm.answers, score float8) RETURNS cvm.answers
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_csat_accum';
COMMENT ON FUNCTION cvm.csat_accum(cvm.answers, float8) IS 'Transition function of the aggregate cvm.csat.';
CREATE AGGREGATE cvm.csat(score float8) (
    SFUNC = cvm.csat_accum, STYPE = cvm.answers, SSPACE = 128, FINALFUNC = cvm.answers_final, COMBINEFUNC = cvm.answers_add,
    MSFUNC = cvm.csat_accum, MINVFUNC = cvm.answers_remove, MSTYPE = cvm.answers, MSSPACE = 128, MFINALFUNC = cvm.answers_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.csat(float8) IS
'Customer satisfaction: share of the two best answers (satisfied, very satisfied) on a scale of 1 to 5, 0 to 1. Often confused with the mean answer, which cvm.mean gives. NULLs are left out, fractional answers and those off the scale are errors (22003). NULL without answers. Parallel, with GROUP BY, FILTER and OVER, moving frames included. The result is a cvm.answers, not a number, so that it knows how many answers it is from and adds up: cvm.score(...) or ::float8 is the number, cvm.score_interval its interval, cvm.difference compares two.';

CREATE FUNCTION cvm.csat_accum(state cvm.answers, score float8, lowest float8, highest float8) RETURNS cvm.answers
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_csat_accum';
COMMENT ON FUNCTION cvm.csat_accum(cvm.answers, float8, float8, float8) IS 'Transition function of the aggregate cvm.csat.';
CREATE FUNCTION cvm.answers_remove(state cvm.answers, score float8, lowest float8, highest float8) RETURNS cvm.answers
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_remove';
COMMENT ON FUNCTION cvm.answers_remove(cvm.answers, float8, float8, float8) IS 'Inverse transition function of the aggregates of answers, for moving frames.';
CREATE AGGREGATE cvm.csat(score float8, lowest float8, highest float8) (
    SFUNC = cvm.csat_accum, STYPE = cvm.answers, SSPACE = 128, FINALFUNC = cvm.answers_final, COMBINEFUNC = cvm.answers_add,
    MSFUNC = cvm.csat_accum, MINVFUNC = cvm.answers_remove, MSTYPE = cvm.answers, MSSPACE = 128, MFINALFUNC = cvm.answers_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.csat(float8, float8, float8) IS
'Customer satisfaction: share of the two best answers on a scale of lowest to highest with the high end good, 0 to 1; cvm.top_box(answers, k) is that of the k best. 22023 for a scale of fewer than three answers, and if it changes within a group. NULLs are left out, fractional answers and those off the scale are errors (22003). NULL without answers. Parallel, with GROUP BY, FILTER and OVER, moving frames included. The result is a cvm.answers, not a number, so that it knows how many answers it is from and adds up: cvm.score(...) or ::float8 is the number, cvm.score_interval its interval, cvm.difference compares two.';

CREATE FUNCTION cvm.ces_accum(state cvm.answers, score float8, direction text) RETURNS cvm.answers
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_ces_accum';
COMMENT ON FUNCTION cvm.ces_accum(cvm.answers, float8, text) IS 'Transition function of the aggregate cvm.ces.';
CREATE FUNCTION cvm.answers_remove(state cvm.answers, score float8, direction text) RETURNS cvm.answers
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_remove';
COMMENT ON FUNCTION cvm.answers_remove(cvm.answers, float8, text) IS 'Inverse transition function of the aggregates of answers, for moving frames.';
CREATE AGGREGATE cvm.ces(score float8, direction text) (
    SFUNC = cvm.ces_accum, STYPE = cvm.answers, SSPACE = 128, FINALFUNC = cvm.answers_final, COMBINEFUNC = cvm.answers_add,
    MSFUNC = cvm.ces_accum, MINVFUNC = cvm.answers_remove, MSTYPE = cvm.answers, MSSPACE = 128, MFINALFUNC = cvm.answers_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.ces(float8, text) IS
'Customer effort score: mean answer. The direction says which end is good, and the published questions scale follows from it: low is effort, 1 to 5 (Dixon, Freeman & Toman 2010), high is ease, agreement with "made it easy", 1 to 7 (CEB 2013). Means of the two do not compare. 22023 for an unknown direction. NULLs are left out, fractional answers and those off the scale are errors (22003). NULL without answers. Parallel, with GROUP BY, FILTER and OVER, moving frames included. The result is a cvm.answers, not a number, so that it knows how many answers it is from and adds up: cvm.score(...) or ::float8 is the number, cvm.score_interval its interval, cvm.difference compares two.';

CREATE FUNCTION cvm.ces_accum(state cvm.answers, score float8, direction text, lowest float8, highest float8) RETURNS cvm.answers
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_ces_accum';
COMMENT ON FUNCTION cvm.ces_accum(cvm.answers, float8, text, float8, float8) IS 'Transition function of the aggregate cvm.ces.';
CREATE FUNCTION cvm.answers_remove(state cvm.answers, score float8, direction text, lowest float8, highest float8) RETURNS cvm.answers
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_remove';
COMMENT ON FUNCTION cvm.answers_remove(cvm.answers, float8, text, float8, float8) IS 'Inverse transition function of the aggregates of answers, for moving frames.';
CREATE AGGREGATE cvm.ces(score float8, direction text, lowest float8, highest float8) (
    SFUNC = cvm.ces_accum, STYPE = cvm.answers, SSPACE = 128, FINALFUNC = cvm.answers_final, COMBINEFUNC = cvm.answers_add,
    MSFUNC = cvm.ces_accum, MINVFUNC = cvm.answers_remove, MSTYPE = cvm.answers, MSSPACE = 128, MFINALFUNC = cvm.answers_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.ces(float8, text, float8, float8) IS
'Customer effort score: mean answer on a scale of lowest to highest, whose good end the direction says (low: effort, high: ease). 22023 for an unknown direction or a scale that is none, and if they change within a group. NULLs are left out, fractional answers and those off the scale are errors (22003). NULL without answers. Parallel, with GROUP BY, FILTER and OVER, moving frames included. The result is a cvm.answers, not a number, so that it knows how many answers it is from and adds up: cvm.score(...) or ::float8 is the number, cvm.score_interval its interval, cvm.difference compares two.';

CREATE FUNCTION cvm.answers_accum(state cvm.answers, score float8, lowest float8, highest float8, direction text) RETURNS cvm.answers
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_accum';
COMMENT ON FUNCTION cvm.answers_accum(cvm.answers, float8, float8, float8, text) IS 'Transition function of the aggregate cvm.answers.';
CREATE FUNCTION cvm.answers_remove(state cvm.answers, score float8, lowest float8, highest float8, direction text) RETURNS cvm.answers
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_remove';
COMMENT ON FUNCTION cvm.answers_remove(cvm.answers, float8, float8, float8, text) IS 'Inverse transition function of the aggregates of answers, for moving frames.';
CREATE AGGREGATE cvm.answers(score float8, lowest float8, highest float8, direction text) (
    SFUNC = cvm.answers_accum, STYPE = cvm.answers, SSPACE = 128, FINALFUNC = cvm.answers_final, COMBINEFUNC = cvm.answers_add,
    MSFUNC = cvm.answers_accum, MINVFUNC = cvm.answers_remove, MSTYPE = cvm.answers, MSSPACE = 128, MFINALFUNC = cvm.answers_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.answers(float8, float8, float8, text) IS
'Answers on any scale of whole numbers, lowest to highest (at most 1001), with the end that is good, high or low; summed up by their mean until cvm.with_measure says otherwise. 22023 for an unknown direction or a scale that is none, and if they change within a group. NULLs are left out, fractional answers and those off the scale are errors (22003). NULL without answers. Parallel, with GROUP BY, FILTER and OVER, moving frames included. The result is a cvm.answers, not a number, so that it knows how many answers it is from and adds up: cvm.score(...) or ::float8 is the number, cvm.score_interval its interval, cvm.difference compares two.';

-- ---------- weighted aggregates ----------

CREATE FUNCTION cvm.weighted_nps_accum(state cvm.answers, score float8, weight float8) RETURNS cvm.answers
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_weighted_nps_accum';
COMMENT ON FUNCTION cvm.weighted_nps_accum(cvm.answers, float8, float8) IS 'Transition function of the aggregate cvm.weighted_nps.';
CREATE AGGREGATE cvm.weighted_nps(score float8, weight float8) (
    SFUNC = cvm.weighted_nps_accum, STYPE = cvm.answers, SSPACE = 320, FINALFUNC = cvm.answers_final, COMBINEFUNC = cvm.answers_add, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.weighted_nps(float8, float8) IS
'Net promoter score of what the answers weigh, for example of revenue instead of customers: 100 x (weight of promoters - weight of detractors) / weight of all, -100 to 100. The weight is positive, for example the customer''s value or how many customers an answer stands for; 0 and below is an error (22003). Rows with a NULL answer or weight are left out. Errors are those of a sample of (sum of weights)^2 / sum of squared weights answers (Kish 1965). The last digit may depend on the order of rows. Otherwise as cvm.nps.';

CREATE FUNCTION cvm.weighted_csat_accum(state cvm.answers, score float8, weight float8) RETURNS cvm.answers
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_weighted_csat_accum';
COMMENT ON FUNCTION cvm.weighted_csat_accum(cvm.answers, float8, float8) IS 'Transition function of the aggregate cvm.weighted_csat.';
CREATE AGGREGATE cvm.weighted_csat(score float8, weight float8) (
    SFUNC = cvm.weighted_csat_accum, STYPE = cvm.answers, SSPACE = 320, FINALFUNC = cvm.answers_final, COMBINEFUNC = cvm.answers_add, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.weighted_csat(float8, float8) IS
'Customer satisfaction of what the answers weigh: weight of the two best answers / weight of all, 0 to 1. The weight is positive, for example the customer''s value or how many customers an answer stands for; 0 and below is an error (22003). Rows with a NULL answer or weight are left out. Errors are those of a sample of (sum of weights)^2 / sum of squared weights answers (Kish 1965). The last digit may depend on the order of rows. Otherwise as cvm.csat.';

CREATE FUNCTION cvm.weighted_csat_accum(state cvm.answers, score float8, weight float8, lowest float8, highest float8) RETURNS cvm.answers
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_weighted_csat_accum';
COMMENT ON FUNCTION cvm.weighted_csat_accum(cvm.answers, float8, float8, float8, float8) IS 'Transition function of the aggregate cvm.weighted_csat.';
CREATE AGGREGATE cvm.weighted_csat(score float8, weight float8, lowest float8, highest float8) (
    SFUNC = cvm.weighted_csat_accum, STYPE = cvm.answers, SSPACE = 320, FINALFUNC = cvm.answers_final, COMBINEFUNC = cvm.answers_add, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.weighted_csat(float8, float8, float8, float8) IS
'Customer satisfaction of what the answers weigh: weight of the two best answers / weight of all, 0 to 1. The weight is positive, for example the customer''s value or how many customers an answer stands for; 0 and below is an error (22003). Rows with a NULL answer or weight are left out. Errors are those of a sample of (sum of weights)^2 / sum of squared weights answers (Kish 1965). The last digit may depend on the order of rows. Otherwise as cvm.csat.';

CREATE FUNCTION cvm.weighted_ces_accum(state cvm.answers, score float8, weight float8, direction text) RETURNS cvm.answers
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_weighted_ces_accum';
COMMENT ON FUNCTION cvm.weighted_ces_accum(cvm.answers, float8, float8, text) IS 'Transition function of the aggregate cvm.weighted_ces.';
CREATE AGGREGATE cvm.weighted_ces(score float8, weight float8, direction text) (
    SFUNC = cvm.weighted_ces_accum, STYPE = cvm.answers, SSPACE = 320, FINALFUNC = cvm.answers_final, COMBINEFUNC = cvm.answers_add, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.weighted_ces(float8, float8, text) IS
'Customer effort score of what the answers weigh: weighted mean. The weight is positive, for example the customer''s value or how many customers an answer stands for; 0 and below is an error (22003). Rows with a NULL answer or weight are left out. Errors are those of a sample of (sum of weights)^2 / sum of squared weights answers (Kish 1965). The last digit may depend on the order of rows. Otherwise as cvm.ces.';

CREATE FUNCTION cvm.weighted_ces_accum(state cvm.answers, score float8, weight float8, direction text, lowest float8, highest float8) RETURNS cvm.answers
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_weighted_ces_accum';
COMMENT ON FUNCTION cvm.weighted_ces_accum(cvm.answers, float8, float8, text, float8, float8) IS 'Transition function of the aggregate cvm.weighted_ces.';
CREATE AGGREGATE cvm.weighted_ces(score float8, weight float8, direction text, lowest float8, highest float8) (
    SFUNC = cvm.weighted_ces_accum, STYPE = cvm.answers, SSPACE = 320, FINALFUNC = cvm.answers_final, COMBINEFUNC = cvm.answers_add, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.weighted_ces(float8, float8, text, float8, float8) IS
'Customer effort score of what the answers weigh: weighted mean. The weight is positive, for example the customer''s value or how many customers an answer stands for; 0 and below is an error (22003). Rows with a NULL answer or weight are left out. Errors are those of a sample of (sum of weights)^2 / sum of squared weights answers (Kish 1965). The last digit may depend on the order of rows. Otherwise as cvm.ces.';

CREATE FUNCTION cvm.weighted_answers_accum(state cvm.answers, score float8, weight float8, lowest float8, highest float8, direction text) RETURNS cvm.answers
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_weighted_answers_accum';
COMMENT ON FUNCTION cvm.weighted_answers_accum(cvm.answers, float8, float8, float8, float8, text) IS 'Transition function of the aggregate cvm.weighted_answers.';
CREATE AGGREGATE cvm.weighted_answers(score float8, weight float8, lowest float8, highest float8, direction text) (
    SFUNC = cvm.weighted_answers_accum, STYPE = cvm.answers, SSPACE = 320, FINALFUNC = cvm.answers_final, COMBINEFUNC = cvm.answers_add, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.weighted_answers(float8, float8, float8, float8, text) IS
'Weighted answers on any scale. The weight is positive, for example the customer''s value or how many customers an answer stands for; 0 and below is an error (22003). Rows with a NULL answer or weight are left out. Errors are those of a sample of (sum of weights)^2 / sum of squared weights answers (Kish 1965). The last digit may depend on the order of rows. Otherwise as cvm.answers.';

-- ---------- what a distribution says ----------

CREATE FUNCTION cvm.n(answers cvm.answers) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_count';
COMMENT ON FUNCTION cvm.n(cvm.answers) IS 'Number of answers.';

CREATE FUNCTION cvm.total_weight(answers cvm.answers) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_total_weight';
COMMENT ON FUNCTION cvm.total_weight(cvm.answers) IS 'Sum of the weights of the answers; their number where they are not weighted.';

CREATE FUNCTION cvm.effective_n(answers cvm.answers) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_effective_n';
COMMENT ON FUNCTION cvm.effective_n(cvm.answers) IS 'Answers the sample counts for: (sum of weights)^2 / sum of squared weights (Kish 1965); their number where they are not weighted, 0 without any.';

CREATE FUNCTION cvm.lowest(answers cvm.answers) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_lowest';
COMMENT ON FUNCTION cvm.lowest(cvm.answers) IS 'Lowest answer of the scale, not of those given.';

CREATE FUNCTION cvm.highest(answers cvm.answers) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_highest';
COMMENT ON FUNCTION cvm.highest(cvm.answers) IS 'Highest answer of the scale, not of those given.';

CREATE FUNCTION cvm.direction(answers cvm.answers) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_direction';
COMMENT ON FUNCTION cvm.direction(cvm.answers) IS 'Which end of the scale is good: high or low.';

CREATE FUNCTION cvm.measure(answers cvm.answers) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_measure';
COMMENT ON FUNCTION cvm.measure(cvm.answers) IS 'What the answers are summed up by: mean, nps, or top-k, the share of the k best answers.';

CREATE FUNCTION cvm.with_measure(answers cvm.answers, measure text) RETURNS cvm.answers
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_with_measure';
COMMENT ON FUNCTION cvm.with_measure(cvm.answers, text) IS 'The same answers summed up by another measure: mean, nps (scale 0 to 10, high end good) or top-k, the share of the k best answers. 22023 for an unknown measure, and for one that the scale does not have.';

CREATE FUNCTION cvm.share(answers cvm.answers, answer integer) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_share';
COMMENT ON FUNCTION cvm.share(cvm.answers, integer) IS 'Share of one answer, 0 to 1. NULL without answers; 22023 for an answer off the scale.';

CREATE FUNCTION cvm.promoters(answers cvm.answers) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_promoters';
COMMENT ON FUNCTION cvm.promoters(cvm.answers) IS 'Share of promoters, answers of 9 and 10, 0 to 1 (Reichheld 2003). NULL without answers; 22023 unless the scale is 0 to 10 with the high end good.';

CREATE FUNCTION cvm.passives(answers cvm.answers) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_passives';
COMMENT ON FUNCTION cvm.passives(cvm.answers) IS 'Share of passives, answers of 7 and 8, 0 to 1 (Reichheld 2003). NULL and errors as cvm.promoters.';

CREATE FUNCTION cvm.detractors(answers cvm.answers) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_detractors';
COMMENT ON FUNCTION cvm.detractors(cvm.answers) IS 'Share of detractors, answers of 0 to 6, 0 to 1 (Reichheld 2003). NULL and errors as cvm.promoters.';

CREATE FUNCTION cvm.top_box(answers cvm.answers, boxes integer DEFAULT 1) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_top_box';
COMMENT ON FUNCTION cvm.top_box(cvm.answers, integer) IS 'Share of the best answers, as many as boxes says, at the good end of the scale, 0 to 1: top box with 1, top two boxes with 2. NULL without answers; 22023 unless boxes is at least 1 and below the number of answers of the scale.';

CREATE FUNCTION cvm.bottom_box(answers cvm.answers, boxes integer DEFAULT 1) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_bottom_box';
COMMENT ON FUNCTION cvm.bottom_box(cvm.answers, integer) IS 'Share of the worst answers, as cvm.top_box.';

CREATE FUNCTION cvm.mean(answers cvm.answers) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_mean';
COMMENT ON FUNCTION cvm.mean(cvm.answers) IS 'Mean answer, on the scale as it is, whichever end is good. NULL without answers.';

CREATE FUNCTION cvm.standard_deviation(answers cvm.answers) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_deviation';
COMMENT ON FUNCTION cvm.standard_deviation(cvm.answers) IS 'Standard deviation of the answers, with n - 1. NULL with fewer than two.';

CREATE FUNCTION cvm.score(answers cvm.answers) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_score_of';
COMMENT ON FUNCTION cvm.score(cvm.answers) IS 'The number that sums the answers up by their measure: NPS (-100 to 100), share of the k best (0 to 1), or mean. NULL without answers.';

CREATE FUNCTION cvm.standard_error(answers cvm.answers) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_standard_error';
COMMENT ON FUNCTION cvm.standard_error(cvm.answers) IS 'Standard error of cvm.score: NPS 100 sqrt((p + d - (p - d)^2) / n), share sqrt(p (1 - p) / n), mean with n - 1. NULL with fewer than two answers, which say nothing of a spread. 0 where all answers are worth the same: that is no certainty, and cvm.score_interval does not take it for one.';

CREATE FUNCTION cvm.standard_error(answers cvm.answers, unbiased boolean) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_standard_error';
COMMENT ON FUNCTION cvm.standard_error(cvm.answers, boolean) IS 'Standard error of cvm.score with divisor n - 1 (true) or n (false) whatever the measure. NULL with fewer than two answers.';

CREATE FUNCTION cvm.score_interval(answers cvm.answers, confidence float8 DEFAULT 0.95, method text DEFAULT 'auto', OUT low float8, OUT high float8) RETURNS record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_interval';
COMMENT ON FUNCTION cvm.score_interval(cvm.answers, float8, text) IS
'Confidence interval of cvm.score, within what the score can be. Methods: wald (score -+ z standard errors); for nps adjusted, with 3/4 promoters, 3/2 passives and 3/4 detractors added (Rocks 2016); for a share wilson (1927), wilson-corrected for continuity (Newcombe 1998, method 4), adjusted (Agresti & Coull 1998); for a mean t (Student 1908). adjusted is widened to hold the score itself. auto is adjusted, wilson and t: with few or unanimous answers wald is far too short. NULL without answers, and of one answer for wald and t. 22023 for a confidence outside (0, 1) or a method the measure does not have.';

CREATE FUNCTION cvm.difference(
    a cvm.answers, b cvm.answers, confidence float8 DEFAULT 0.95, method text DEFAULT 'auto',
    OUT difference float8, OUT standard_error float8, OUT low float8, OUT high float8, OUT statistic float8, OUT df float8, OUT p_value float8
) RETURNS record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_difference';
COMMENT ON FUNCTION cvm.difference(cvm.answers, cvm.answers, float8, text) IS
'Score of a - score of b, for two groups of different people, with its standard error, confidence interval and a two-sided test of no difference. Test: NPS z, shares pooled z, means Welch''s t (1947) with df degrees of freedom. Interval: from those of the two scores by the methods of cvm.score_interval (Zou & Donner 2008; with wilson that is method 10 of Newcombe 1998, with wald the usual one), Welch''s for means. The test may disagree with the interval at the edge. statistic and p_value are NULL where no spread is seen, standard_error with fewer than two answers in a group, all without answers. The same people asked twice need a paired test, not this. 22023 unless scale, direction and measure agree.';

CREATE FUNCTION cvm.answer_table(
    answers cvm.answers, confidence float8 DEFAULT 0.95,
    OUT answer integer, OUT n bigint, OUT weight float8, OUT share float8, OUT low float8, OUT high float8
) RETURNS SETOF record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_answers_table';
COMMENT ON FUNCTION cvm.answer_table(cvm.answers, float8) IS
'One row per answer of the scale, ascending, given or not: how often, weight, share and its Wilson interval (each by itself). Share and interval are NULL without answers; 22023 for a confidence outside (0, 1).';

CREATE FUNCTION cvm.score_numeric(answers cvm.answers) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN cvm.score(answers)::numeric;
COMMENT ON FUNCTION cvm.score_numeric(cvm.answers) IS 'cvm.score as numeric, to 15 digits: implements the cast.';

-- Not implicit: sums and averages of scores would pass for those of answers.
CREATE CAST (cvm.answers AS float8) WITH FUNCTION cvm.score(cvm.answers) AS ASSIGNMENT;
COMMENT ON CAST (cvm.answers AS float8) IS 'cvm.score of the answers.';
CREATE CAST (cvm.answers AS numeric) WITH FUNCTION cvm.score_numeric(cvm.answers) AS ASSIGNMENT;
COMMENT ON CAST (cvm.answers AS numeric) IS 'cvm.score of the answers, to 15 digits.';
