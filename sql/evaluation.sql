-- evaluation: predictions held against what happened (src/math/evaluation.c)
--
-- Rows with a NULL are left out.  What is not defined is NULL.  Results do not depend on
-- the order of rows, equal predictions included; the state keeps 16 bytes a row.

CREATE FUNCTION cvm.forecast_accum(internal, actual float8, predicted float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_sample_accum_forecast';
COMMENT ON FUNCTION cvm.forecast_accum(internal, float8, float8) IS 'Transition function of the measures of a forecast.';
CREATE FUNCTION cvm.forecast_accum_top(internal, actual float8, predicted float8, fraction float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_sample_accum_forecast';
COMMENT ON FUNCTION cvm.forecast_accum_top(internal, float8, float8, float8) IS 'Transition function of cvm.top_capture and cvm.top_lift.';
CREATE FUNCTION cvm.score_accum(internal, outcome boolean, score float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_sample_accum_score';
COMMENT ON FUNCTION cvm.score_accum(internal, boolean, float8) IS 'Transition function of cvm.auc and cvm.auc_standard_error.';
CREATE FUNCTION cvm.probability_accum(internal, outcome boolean, probability float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_sample_accum_probability';
COMMENT ON FUNCTION cvm.probability_accum(internal, boolean, float8) IS 'Transition function of cvm.brier and cvm.log_loss.';

-- ---------- amounts ----------

CREATE FUNCTION cvm.mae_final(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_mae_final';
COMMENT ON FUNCTION cvm.mae_final(internal) IS 'Final function of cvm.mae.';
CREATE AGGREGATE cvm.mae(actual float8, predicted float8) (
    SFUNC = cvm.forecast_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.sample_combine, SERIALFUNC = cvm.sample_serialize, DESERIALFUNC = cvm.sample_deserialize,
    FINALFUNC = cvm.mae_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.mae(float8, float8) IS
'Mean absolute error: mean |predicted - actual|, in the unit of the values. Least for the median: with many zeros among the actual values it likes predictions of 0, so read it beside cvm.bias_percent. NULL for no rows; 22023 for values that are not finite.';

CREATE FUNCTION cvm.relative_mae_final(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_relative_mae_final';
COMMENT ON FUNCTION cvm.relative_mae_final(internal) IS 'Final function of cvm.relative_mae.';
CREATE AGGREGATE cvm.relative_mae(actual float8, predicted float8) (
    SFUNC = cvm.forecast_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.sample_combine, SERIALFUNC = cvm.sample_serialize, DESERIALFUNC = cvm.sample_deserialize,
    FINALFUNC = cvm.relative_mae_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.relative_mae(float8, float8) IS
'Mean absolute error / that of predicting the actual mean for everyone, a benchmark no model may miss: below 1 it is beaten. NULL where all actual values are equal. Not the percentage error (MAPE), which has no value where customers did not buy. Errors as cvm.mae.';

CREATE FUNCTION cvm.rmse_final(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rmse_final';
COMMENT ON FUNCTION cvm.rmse_final(internal) IS 'Final function of cvm.rmse.';
CREATE AGGREGATE cvm.rmse(actual float8, predicted float8) (
    SFUNC = cvm.forecast_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.sample_combine, SERIALFUNC = cvm.sample_serialize, DESERIALFUNC = cvm.sample_deserialize,
    FINALFUNC = cvm.rmse_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.rmse(float8, float8) IS
'Root mean squared error: square root of the mean (predicted - actual)^2, in the unit of the values; never below cvm.mae, and ruled by the largest customers. NULL for no rows. Errors as cvm.mae.';

CREATE FUNCTION cvm.bias_percent_final(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_bias_percent_final';
COMMENT ON FUNCTION cvm.bias_percent_final(internal) IS 'Final function of cvm.bias_percent.';
CREATE AGGREGATE cvm.bias_percent(actual float8, predicted float8) (
    SFUNC = cvm.forecast_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.sample_combine, SERIALFUNC = cvm.sample_serialize, DESERIALFUNC = cvm.sample_deserialize,
    FINALFUNC = cvm.bias_percent_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.bias_percent(float8, float8) IS
'Total bias in percent: 100 (sum predicted - sum actual) / sum actual; above 0 the total is predicted too high. 0 does not say that any customer is predicted well. NULL where the actual values sum to 0. Errors as cvm.mae.';

CREATE FUNCTION cvm.rank_gini_final(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rank_gini_final';
COMMENT ON FUNCTION cvm.rank_gini_final(internal) IS 'Final function of cvm.rank_gini.';
CREATE AGGREGATE cvm.rank_gini(actual float8, predicted float8) (
    SFUNC = cvm.forecast_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.sample_combine, SERIALFUNC = cvm.sample_serialize, DESERIALFUNC = cvm.sample_deserialize,
    FINALFUNC = cvm.rank_gini_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.rank_gini(float8, float8) IS
'Gini coefficient of the actual values in the order of the predictions / that in the best order: 1 ranks perfectly, 0 no better than chance, -1 backwards. Says nothing of the level (cvm.bias_percent does); not the inequality of the values (cvm.gini). Equal predictions count with their mean actual value. NULL where all actual values are equal. Errors as cvm.mae.';

CREATE FUNCTION cvm.top_capture_final(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_top_capture_final';
COMMENT ON FUNCTION cvm.top_capture_final(internal) IS 'Final function of cvm.top_capture.';
CREATE AGGREGATE cvm.top_capture(actual float8, predicted float8, fraction float8) (
    SFUNC = cvm.forecast_accum_top, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.sample_combine, SERIALFUNC = cvm.sample_serialize, DESERIALFUNC = cvm.sample_deserialize,
    FINALFUNC = cvm.top_capture_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.top_capture(float8, float8, float8) IS
'Share of the actual total that is held by the ceil(fraction x n) customers with the highest predictions, fraction above 0 and at most 1; a tie at the cut counts with its mean. Compare with cvm.top_share of the actual values, the best that any model can capture. NULL where the actual total is not positive; 22023 outside the domain, and if the fraction changes within a group.';

CREATE FUNCTION cvm.top_lift_final(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_top_lift_final';
COMMENT ON FUNCTION cvm.top_lift_final(internal) IS 'Final function of cvm.top_lift.';
CREATE AGGREGATE cvm.top_lift(actual float8, predicted float8, fraction float8) (
    SFUNC = cvm.forecast_accum_top, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.sample_combine, SERIALFUNC = cvm.sample_serialize, DESERIALFUNC = cvm.sample_deserialize,
    FINALFUNC = cvm.top_lift_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.top_lift(float8, float8, float8) IS
'Mean actual value of the ceil(fraction x n) customers with the highest predictions / that of all: 1 is no better than chance. cvm.top_capture x n / number taken. NULL and errors as cvm.top_capture.';

-- ---------- probabilities ----------

CREATE FUNCTION cvm.auc_final(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_auc_final';
COMMENT ON FUNCTION cvm.auc_final(internal) IS 'Final function of cvm.auc.';
CREATE AGGREGATE cvm.auc(outcome boolean, score float8) (
    SFUNC = cvm.score_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.sample_combine, SERIALFUNC = cvm.sample_serialize, DESERIALFUNC = cvm.sample_deserialize,
    FINALFUNC = cvm.auc_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.auc(boolean, float8) IS
'Area under the ROC curve: the probability that one with the outcome scores higher than one without, equal scores counting half; (rank sum - n1 (n1 + 1) / 2) / (n1 n0) with midranks (Hanley & McNeil 1982; Mann & Whitney 1947). 0.5 is chance. Says nothing about whether the probabilities are right (cvm.brier, cvm.calibration), and little where the outcome is rare. NULL if only one outcome occurs; 22023 for a score that is not finite. A score that is higher for those WITHOUT the outcome gives 1 - AUC.';

CREATE FUNCTION cvm.auc_standard_error_final(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_auc_standard_error_final';
COMMENT ON FUNCTION cvm.auc_standard_error_final(internal) IS 'Final function of cvm.auc_standard_error.';
CREATE AGGREGATE cvm.auc_standard_error(outcome boolean, score float8) (
    SFUNC = cvm.score_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.sample_combine, SERIALFUNC = cvm.sample_serialize, DESERIALFUNC = cvm.sample_deserialize,
    FINALFUNC = cvm.auc_standard_error_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.auc_standard_error(boolean, float8) IS
'Standard error of cvm.auc: sqrt((A (1 - A) + (n1 - 1)(Q1 - A^2) + (n0 - 1)(Q2 - A^2)) / (n1 n0)), Q1 = A / (2 - A), Q2 = 2 A^2 / (1 + A) (Hanley & McNeil 1982). 0 for a perfect ranking, which a small sample gives easily: it is no certainty. Not for the difference of two scores on the same customers, which are correlated. NULL if only one outcome occurs.';

CREATE FUNCTION cvm.brier_final(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_brier_final';
COMMENT ON FUNCTION cvm.brier_final(internal) IS 'Final function of cvm.brier.';
CREATE AGGREGATE cvm.brier(outcome boolean, probability float8) (
    SFUNC = cvm.probability_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.sample_combine, SERIALFUNC = cvm.sample_serialize, DESERIALFUNC = cvm.sample_deserialize,
    FINALFUNC = cvm.brier_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.brier(boolean, float8) IS
'Brier score: mean (probability - outcome)^2, 0 to 1, lower is better (Brier 1950, one class; his own sum over both classes is twice this). Compare with p (1 - p) of the base rate p. NULL for no rows; 22023 unless the probability is 0 to 1.';

CREATE FUNCTION cvm.log_loss_final(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_log_loss_final';
COMMENT ON FUNCTION cvm.log_loss_final(internal) IS 'Final function of cvm.log_loss.';
CREATE AGGREGATE cvm.log_loss(outcome boolean, probability float8) (
    SFUNC = cvm.probability_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.sample_combine, SERIALFUNC = cvm.sample_serialize, DESERIALFUNC = cvm.sample_deserialize,
    FINALFUNC = cvm.log_loss_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.log_loss(boolean, float8) IS
'Logarithmic score: mean -ln of the probability given to what happened, in nats, lower is better (Good 1952); a probability below 1e-15 counts as 1e-15, so that one certain error costs 34.5 and not infinity. NULL for no rows; 22023 unless the probability is 0 to 1.';

-- ---------- calibration and drift ----------

CREATE FUNCTION cvm.calibration(actual float8[], predicted float8[], bins integer DEFAULT 10)
RETURNS TABLE (bin integer, customers bigint, lowest float8, highest float8, mean_predicted float8, mean_actual float8)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH pairs AS (
        SELECT p.actual, p.predicted
        FROM unnest(cvm.numbers('an actual value', calibration.actual), cvm.numbers('a prediction', calibration.predicted)) AS p(actual, predicted)
        WHERE cvm.argument('the difference between the lengths of actual and predicted', cardinality(calibration.actual) - cardinality(calibration.predicted), 0, 0) = 0
    ), scored AS (
        SELECT p.actual, p.predicted, cvm.rfm_score(rank() OVER (ORDER BY p.predicted), count(*) OVER (), bins) AS bin
        FROM pairs p
    )
    SELECT s.bin, count(*), min(s.predicted), max(s.predicted),
           sum(s.predicted ORDER BY s.predicted) / count(*), sum(s.actual ORDER BY s.actual) / count(*)
    FROM scored s GROUP BY s.bin ORDER BY s.bin;
END;
COMMENT ON FUNCTION cvm.calibration(float8[], float8[], integer) IS
'Calibration by tenths (or other bins) of the prediction, ascending: number, range of the predictions, mean predicted and mean actual value, which agree where the predictions are right on average. Equal predictions share a bin, so bins may differ in size or be missing. An outcome is 0 or 1. Both arrays in one order of customers. A model may be calibrated and know nothing: one bin with the base rate. 22023 for lengths that differ and values that are not finite, 22004 for a NULL among them; no rows for none.';

CREATE FUNCTION cvm.psi(expected float8[], actual float8[], floor float8 DEFAULT 0.0001) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    WITH shares AS (
        SELECT greatest(b.expected / nullif(sum(b.expected) OVER w, 0), cvm.argument('floor', floor, 1e-300, 1)) AS e,
               greatest(b.actual / nullif(sum(b.actual) OVER w, 0), floor) AS a,
               sum(b.expected) OVER w > 0 AND sum(b.actual) OVER w > 0 AS defined
        FROM unnest(cvm.numbers('an expected share', expected, 0), cvm.numbers('an actual share', actual, 0)) WITH ORDINALITY AS b(expected, actual, n)
        WHERE cvm.argument('the difference between the lengths of expected and actual', cardinality(psi.expected) - cardinality(psi.actual), 0, 0) = 0
        WINDOW w AS (ORDER BY b.n ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    )
    SELECT CASE WHEN bool_and(s.defined) THEN sum((s.a - s.e) * ln(s.a / s.e) ORDER BY s.e, s.a) END FROM shares s);
COMMENT ON FUNCTION cvm.psi(float8[], float8[], float8) IS
'Population stability index of two distributions over the same bins, given as shares or counts: sum (a - e) ln(a / e) over shares, those below floor (> 0) lifted to it; the symmetric divergence of Jeffreys (1946; Kullback & Leibler 1951). Below 0.1 is called stable, above 0.25 a shift: a rule of thumb that depends on the number of rows and bins (small samples drift by chance). Fix the bins on the expected sample: cvm.psi_of_values does. NULL where either sums to 0; 22023 for lengths that differ and negative shares, 22004 for a NULL among them.';

CREATE FUNCTION cvm.psi_of_values(expected float8[], actual float8[], bins integer DEFAULT 10, floor float8 DEFAULT 0.0001) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    WITH edges AS (
        SELECT array_agg(DISTINCT -q ORDER BY -q) AS edges
        FROM unnest((SELECT percentile_disc((SELECT array_agg(i::float8 / bins ORDER BY i) FROM generate_series(1, cvm.argument('bins', bins, 2, 10000)::integer - 1) AS i))
                            WITHIN GROUP (ORDER BY v) FROM unnest(cvm.numbers('an expected value', expected)) AS v)) AS q
    ), rows AS (
        SELECT v, true AS of_expected FROM unnest(expected) AS v
        UNION ALL
        SELECT v, false FROM unnest(cvm.numbers('an actual value', actual)) AS v
    ), counts AS (
        SELECT b.bin, count(*) FILTER (WHERE b.of_expected) AS expected, count(*) FILTER (WHERE NOT b.of_expected) AS actual
        FROM (SELECT width_bucket(-r.v, e.edges) AS bin, r.of_expected FROM rows r, edges e) AS b
        GROUP BY b.bin
    )
    SELECT cvm.psi(array_agg(c.expected::float8 ORDER BY c.bin), array_agg(c.actual::float8 ORDER BY c.bin), floor) FROM counts c);
COMMENT ON FUNCTION cvm.psi_of_values(float8[], float8[], integer, float8) IS
'Population stability index of two samples: cvm.psi over bins between the quantiles of the expected sample, each up to and including its upper limit; equal quantiles are one limit. NULL if either is empty; 22023 for fewer than two bins and values that are not finite, 22004 for a NULL among them.';
