-- validation: specifications held against a holdout that they have not seen, and the gate (src/recompute/validate.c)
--
-- Calibration is the feed up to as_of - holdout, read as a recompute of that instant
-- reads it; the holdout is the rest up to as_of.

CREATE SEQUENCE cvm.validation_id_seq AS bigint;
COMMENT ON SEQUENCE cvm.validation_id_seq IS 'Numbers validations.';

CREATE TABLE cvm.validation (
    validation_id bigint NOT NULL,
    position integer NOT NULL,
    portfolio text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('model', 'baseline')),
    name text NOT NULL,
    specification jsonb,
    was_live boolean NOT NULL,
    model cvm.model,
    spend_model cvm.model,
    method text,
    fingerprint text,
    calibrated_to timestamptz NOT NULL,
    as_of timestamptz NOT NULL,
    holdout_periods integer NOT NULL,
    customers bigint NOT NULL,
    actual_purchases float8,
    predicted_purchases float8,
    mae float8,
    rmse float8,
    bias_percent float8,
    rank_gini float8,
    top_decile_capture float8,
    actual_spend float8,
    predicted_spend float8,
    spend_mae float8,
    spend_rmse float8,
    spend_bias_percent float8,
    spend_rank_gini float8,
    spend_top_decile_capture float8,
    passed boolean,
    verdict text CHECK (verdict IN ('live', 'promoted', 'rejected', 'replaced', 'undecided', 'baseline')),
    reason text,
    validated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    extension_version text NOT NULL,
    PRIMARY KEY (portfolio, validation_id, position)
);
COMMENT ON TABLE cvm.validation IS 'Specifications and baselines held against a holdout. Read cvm.validations.';
COMMENT ON COLUMN cvm.validation.validation_id IS 'number of the validation; its rows share it';
COMMENT ON COLUMN cvm.validation.position IS 'place of the row: the live specification, other candidates, baselines';
COMMENT ON COLUMN cvm.validation.portfolio IS 'portfolio';
COMMENT ON COLUMN cvm.validation.kind IS 'model or baseline';
COMMENT ON COLUMN cvm.validation.name IS 'family, or what the baseline predicts: own rate, mean rate';
COMMENT ON COLUMN cvm.validation.specification IS 'family, spend_family, period, time_unit, time_zone; NULL for a baseline';
COMMENT ON COLUMN cvm.validation.was_live IS 'whether the specification was live when it was validated';
COMMENT ON COLUMN cvm.validation.model IS 'purchase model fitted on the calibration window';
COMMENT ON COLUMN cvm.validation.spend_model IS 'spend model fitted on the calibration window; NULL where there was nothing to fit it on';
COMMENT ON COLUMN cvm.validation.method IS 'rung of the purchase fit: full, penalised, simpler or shrunk';
COMMENT ON COLUMN cvm.validation.fingerprint IS 'hash of the sufficient statistics of the calibration window';
COMMENT ON COLUMN cvm.validation.calibrated_to IS 'end of the calibration window, beginning of the holdout';
COMMENT ON COLUMN cvm.validation.as_of IS 'end of the holdout';
COMMENT ON COLUMN cvm.validation.holdout_periods IS 'length of the holdout in periods of the portfolio';
COMMENT ON COLUMN cvm.validation.customers IS 'customers with a purchase in the calibration window: all of them are predicted';
COMMENT ON COLUMN cvm.validation.actual_purchases IS 'their purchase periods in the holdout';
COMMENT ON COLUMN cvm.validation.predicted_purchases IS 'what was predicted for all of them together';
COMMENT ON COLUMN cvm.validation.mae IS 'mean absolute error of purchases, per customer; likes predictions of 0 where most buy nothing';
COMMENT ON COLUMN cvm.validation.rmse IS 'root mean squared error of purchases, per customer: what the gate compares';
COMMENT ON COLUMN cvm.validation.bias_percent IS '100 (predicted - actual) / actual, of totals';
COMMENT ON COLUMN cvm.validation.rank_gini IS 'how well the predictions rank customers: 1 perfectly, 0 as chance does; NULL for equal actual values';
COMMENT ON COLUMN cvm.validation.top_decile_capture IS 'share of the actual purchases made by the tenth with the largest predictions';
COMMENT ON COLUMN cvm.validation.actual_spend IS 'their money in the holdout, refunds deducted, before margin, currency units';
COMMENT ON COLUMN cvm.validation.predicted_spend IS 'expected purchases x expected spend, undiscounted; NULL with all measures of spend where a customer''s expected spend is not finite';
COMMENT ON COLUMN cvm.validation.spend_mae IS 'mean absolute error of money, per customer';
COMMENT ON COLUMN cvm.validation.spend_rmse IS 'root mean squared error of money, per customer';
COMMENT ON COLUMN cvm.validation.spend_bias_percent IS '100 (predicted - actual) / actual, of total money';
COMMENT ON COLUMN cvm.validation.spend_rank_gini IS 'how well the predictions rank customers by money';
COMMENT ON COLUMN cvm.validation.spend_top_decile_capture IS 'share of the actual money from the tenth with the largest predictions';
COMMENT ON COLUMN cvm.validation.passed IS 'whether its rmse is below that of both baselines; NULL where there are too few customers to tell';
COMMENT ON COLUMN cvm.validation.verdict IS 'live (stays), promoted (goes live with the next recompute), rejected, replaced (was live), undecided, baseline';
COMMENT ON COLUMN cvm.validation.reason IS 'why';
COMMENT ON COLUMN cvm.validation.validated_at IS 'when';
COMMENT ON COLUMN cvm.validation.extension_version IS 'version of the extension';

CREATE TABLE cvm.validation_decile (
    validation_id bigint NOT NULL,
    position integer NOT NULL,
    target text NOT NULL CHECK (target IN ('purchases', 'spend')),
    decile integer NOT NULL,
    portfolio text NOT NULL,
    customers bigint NOT NULL,
    mean_predicted float8 NOT NULL,
    mean_actual float8 NOT NULL,
    PRIMARY KEY (portfolio, validation_id, position, target, decile)
);
COMMENT ON TABLE cvm.validation_decile IS 'Calibration of validated specifications and baselines by tenths of the prediction. Read cvm.validation_deciles.';
COMMENT ON COLUMN cvm.validation_decile.validation_id IS 'validation';
COMMENT ON COLUMN cvm.validation_decile.position IS 'its row';
COMMENT ON COLUMN cvm.validation_decile.target IS 'purchases or spend';
COMMENT ON COLUMN cvm.validation_decile.decile IS '1 lowest predictions to 10 highest; equal predictions share one';
COMMENT ON COLUMN cvm.validation_decile.portfolio IS 'portfolio';
COMMENT ON COLUMN cvm.validation_decile.customers IS 'customers in it';
COMMENT ON COLUMN cvm.validation_decile.mean_predicted IS 'mean prediction';
COMMENT ON COLUMN cvm.validation_decile.mean_actual IS 'mean actual value';

SELECT pg_catalog.pg_extension_config_dump('cvm.validation', '');
SELECT pg_catalog.pg_extension_config_dump('cvm.validation_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('cvm.validation_decile', '');
GRANT SELECT, INSERT, DELETE, UPDATE (passed, verdict, reason) ON cvm.validation TO PUBLIC;
GRANT SELECT, INSERT, DELETE ON cvm.validation_decile TO PUBLIC;
GRANT USAGE ON SEQUENCE cvm.validation_id_seq TO PUBLIC;
ALTER TABLE cvm.validation ENABLE ROW LEVEL SECURITY;
CREATE POLICY owner ON cvm.validation USING (cvm.may_act(portfolio)) WITH CHECK (cvm.may_act(portfolio));
CREATE POLICY reader ON cvm.validation FOR SELECT USING (cvm.may_read(portfolio));
COMMENT ON POLICY owner ON cvm.validation IS 'A validation, which runs as the owner, records what it found.';
COMMENT ON POLICY reader ON cvm.validation IS 'Readers of the output schema and pg_monitor see it.';
ALTER TABLE cvm.validation_decile ENABLE ROW LEVEL SECURITY;
CREATE POLICY owner ON cvm.validation_decile USING (cvm.may_act(portfolio)) WITH CHECK (cvm.may_act(portfolio));
CREATE POLICY reader ON cvm.validation_decile FOR SELECT USING (cvm.may_read(portfolio));
COMMENT ON POLICY owner ON cvm.validation_decile IS 'A validation, which runs as the owner, records what it found.';
COMMENT ON POLICY reader ON cvm.validation_decile IS 'Readers of the output schema and pg_monitor see it.';

-- ---------- what is compared ----------

-- The live specification, then those of the option "families", then those that somebody names, each once.
CREATE FUNCTION cvm.validation_candidates(portfolio text, specifications jsonb) RETURNS TABLE (specification jsonb, was_live boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    options jsonb := (cvm.own_portfolio(portfolio)).options;
    live jsonb := cvm.live_specification(portfolio);
BEGIN
    IF jsonb_typeof(specifications) NOT IN ('array', 'null') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'specifications must be a JSON array',
            HINT = 'Such as [{"family": "bg/nbd", "period": "7 days"}].';
    END IF;
    RETURN QUERY
    SELECT c.specification, c.specification = live
    FROM (SELECT 1 AS rank, 0::bigint AS position, live AS specification
          UNION ALL
          SELECT 2, f.position, cvm.complete_specification(options, jsonb_build_object('family', f.family))
          FROM cvm.candidate_families(options) WITH ORDINALITY AS f(family, position)
          UNION ALL
          -- what the covariates are worth: each family without them
          SELECT 2, f.position, cvm.complete_specification(options, jsonb_build_object('family', f.family, 'covariates', NULL))
          FROM (SELECT cvm.option_family(options, 'purchases', 'bg/nbd'), 0
                UNION ALL SELECT c.* FROM cvm.candidate_families(options) WITH ORDINALITY AS c) AS f(family, position)
          WHERE jsonb_typeof(options -> 'covariates') = 'object' AND cvm.takes_covariates(f.family)
          UNION ALL
          SELECT 3, s.position, cvm.complete_specification(options, s.given)
          FROM jsonb_array_elements(CASE jsonb_typeof(specifications) WHEN 'array' THEN specifications END)
               WITH ORDINALITY AS s(given, position)) AS c
    GROUP BY c.specification
    ORDER BY min(c.rank), min(c.position);
END $$;
COMMENT ON FUNCTION cvm.validation_candidates(text, jsonb) IS 'What cvm.validate compares: the live specification, one for each purchase family of the option "families" ("auto": all there are), with the option covariates and without them, and those named.';

CREATE FUNCTION cvm.candidate_families(options jsonb) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF options -> 'families' = '"auto"' THEN
        RETURN QUERY SELECT f.family FROM cvm.families f WHERE f.kind = 'purchases' ORDER BY f.family;
    ELSE
        RETURN QUERY
        SELECT e.name FROM jsonb_array_elements_text(CASE jsonb_typeof(options -> 'families') WHEN 'array' THEN options -> 'families' END)
                           WITH ORDINALITY AS e(name, position)
        JOIN cvm.families f ON f.family = e.name AND f.kind = 'purchases' ORDER BY e.position;
    END IF;
END $$;
COMMENT ON FUNCTION cvm.candidate_families(jsonb) IS 'Purchase families that the option "families" names; "auto": all.';

-- ---------- what is found ----------

CREATE FUNCTION cvm.record_validation(validation_id bigint, "position" integer, portfolio text, kind text, name text,
    specification jsonb, was_live boolean, model text, spend_model text, method text, fingerprint text,
    calibrated_to timestamptz, as_of timestamptz, holdout_periods integer, reason text,
    predicted float8[], actual float8[], predicted_spend float8[], actual_spend float8[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO cvm.validation
    SELECT record_validation.validation_id, record_validation.position, record_validation.portfolio, record_validation.kind,
           record_validation.name, record_validation.specification, record_validation.was_live,
           record_validation.model::cvm.model, record_validation.spend_model::cvm.model, record_validation.method, record_validation.fingerprint,
           record_validation.calibrated_to, record_validation.as_of, record_validation.holdout_periods, cardinality(record_validation.actual),
           p.*, s.*, NULL, NULL, record_validation.reason, clock_timestamp(),
           (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'cvm')
    FROM (SELECT sum(v.actual ORDER BY v.actual), sum(v.predicted ORDER BY v.predicted), cvm.mae(v.actual, v.predicted),
                 cvm.rmse(v.actual, v.predicted), cvm.bias_percent(v.actual, v.predicted), cvm.rank_gini(v.actual, v.predicted),
                 cvm.top_capture(v.actual, v.predicted, 0.1)
          FROM unnest(record_validation.actual, record_validation.predicted) AS v(actual, predicted)) AS p,
         (SELECT sum(v.actual ORDER BY v.actual), sum(v.predicted ORDER BY v.predicted), cvm.mae(v.actual, v.predicted),
                 cvm.rmse(v.actual, v.predicted), cvm.bias_percent(v.actual, v.predicted), cvm.rank_gini(v.actual, v.predicted),
                 cvm.top_capture(v.actual, v.predicted, 0.1)
          FROM unnest(record_validation.actual_spend, record_validation.predicted_spend) AS v(actual, predicted)) AS s;
    INSERT INTO cvm.validation_decile
    SELECT record_validation.validation_id, record_validation.position, 'purchases', c.bin, record_validation.portfolio,
           c.customers, c.mean_predicted, c.mean_actual
    FROM cvm.calibration(record_validation.actual, record_validation.predicted) c
    WHERE record_validation.predicted IS NOT NULL
    UNION ALL
    SELECT record_validation.validation_id, record_validation.position, 'spend', c.bin, record_validation.portfolio,
           c.customers, c.mean_predicted, c.mean_actual
    FROM cvm.calibration(record_validation.actual_spend, record_validation.predicted_spend) c
    WHERE record_validation.predicted_spend IS NOT NULL;
END $$;
COMMENT ON FUNCTION cvm.record_validation(bigint, integer, text, text, text, jsonb, boolean, text, text, text, text, timestamptz, timestamptz, integer, text, float8[], float8[], float8[], float8[]) IS
'Records one row of a validation: measures predictions against actual values, both in one order of customers; called by cvm.validate.';

-- ---------- the gate ----------

CREATE FUNCTION cvm.specification_text(specification jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_catalog.format('%s (period %s, time unit %s%s)', specification ->> 'family', specification ->> 'period', specification ->> 'time_unit',
                         ', covariates ' || (SELECT pg_catalog.string_agg(k, ', ' ORDER BY k) FROM pg_catalog.jsonb_object_keys(
                             CASE pg_catalog.jsonb_typeof(specification -> 'covariates') WHEN 'object' THEN specification -> 'covariates' ELSE '{}' END) AS k));
COMMENT ON FUNCTION cvm.specification_text(jsonb) IS 'A specification for people.';

-- The one place where the rule stands.  RMSE, since the prediction is a mean and squared error is least for the
-- mean, while absolute error is least for the median, which is 0 in most shops.
CREATE FUNCTION cvm.judge_validation(validation_id bigint, portfolio text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    enough CONSTANT bigint := 100;
    as_good CONSTANT float8 := 1.01;
    as_biased CONSTANT float8 := 0.1;
    options jsonb := (cvm.own_portfolio(portfolio)).options;
    winner cvm.validation;
    live cvm.validation;
    result jsonb;
BEGIN
    UPDATE cvm.validation v
    SET passed = CASE WHEN v.kind = 'model' AND v.customers >= enough
                      THEN coalesce(v.rmse < (SELECT min(b.rmse) FROM cvm.validation b
                                              WHERE b.portfolio = v.portfolio AND b.validation_id = v.validation_id AND b.kind = 'baseline'), false) END
    WHERE v.portfolio = judge_validation.portfolio AND v.validation_id = judge_validation.validation_id;
    WITH good AS (
        SELECT v.position, v.was_live, v.rmse, abs(v.bias_percent) AS bias FROM cvm.validation v
        WHERE v.portfolio = judge_validation.portfolio AND v.validation_id = judge_validation.validation_id AND v.passed
          AND v.rmse <= as_good * (SELECT min(o.rmse) FROM cvm.validation o WHERE o.portfolio = v.portfolio AND o.validation_id = v.validation_id AND o.passed)
    )
    SELECT v.* INTO winner FROM good g
    JOIN cvm.validation v ON v.portfolio = judge_validation.portfolio AND v.validation_id = judge_validation.validation_id AND v.position = g.position
    WHERE g.bias <= as_biased + (SELECT min(h.bias) FROM good h)
    ORDER BY v.was_live DESC, round(v.rmse::numeric, 6), v.position LIMIT 1;
    SELECT v.* INTO live FROM cvm.validation v WHERE v.portfolio = judge_validation.portfolio AND v.validation_id = judge_validation.validation_id AND v.was_live;

    UPDATE cvm.validation v
    SET verdict = CASE WHEN v.kind = 'baseline' THEN 'baseline'
                       WHEN v.customers < enough THEN 'undecided'
                       WHEN v.position = winner.position THEN CASE WHEN v.was_live THEN 'live' ELSE 'promoted' END
                       WHEN v.was_live THEN CASE WHEN winner.position IS NULL THEN 'live' ELSE 'replaced' END
                       ELSE 'rejected' END,
        reason = coalesce(v.reason,
                 CASE WHEN v.kind = 'baseline' THEN NULL
                      WHEN v.customers < enough THEN format('%s customers are too few to tell specifications apart, %s are enough', v.customers, enough)
                      WHEN NOT v.passed THEN 'does not beat both naive baselines'
                      WHEN v.position = winner.position AND v.was_live THEN 'no other is better'
                      WHEN v.position = winner.position THEN format('better than the live %s', cvm.specification_text(live.specification))
                      ELSE format('%s is better', cvm.specification_text(winner.specification)) END)
    WHERE v.portfolio = judge_validation.portfolio AND v.validation_id = judge_validation.validation_id;

    IF winner.position IS NOT NULL AND NOT winner.was_live THEN
        INSERT INTO cvm.promotion AS p (portfolio, specification, base, validation_id)
        VALUES (judge_validation.portfolio, winner.specification, cvm.promotion_base(options), judge_validation.validation_id)
        ON CONFLICT ON CONSTRAINT promotion_pkey DO UPDATE
        SET specification = excluded.specification, base = excluded.base, validation_id = excluded.validation_id,
            decided_by = current_user, decided_at = now();
    END IF;
    UPDATE cvm.fitted_model m SET validated = live.passed
    WHERE m.portfolio = judge_validation.portfolio AND m.status = 'live' AND m.specification = live.specification
      AND live.passed IS NOT NULL;
    result := jsonb_build_object('portfolio', judge_validation.portfolio, 'validation_id', judge_validation.validation_id,
                                 'promoted', winner.position IS NOT NULL AND NOT winner.was_live);
    PERFORM pg_notify('cvm', result::text);
    RETURN result;
END $$;
COMMENT ON FUNCTION cvm.judge_validation(bigint, text) IS
'The gate: a specification passes if its root mean squared error of purchases in the holdout is below that of both naive baselines. Of those that pass, the ones within 1 % of the lowest error count as equally good, and of them the one with the least total bias wins; within 0.1 points of bias the live one stays, or the one with the lower error wins. A winner that is not live is promoted: the next recompute fits it. With fewer than 100 customers nothing is decided. Sends NOTIFY cvm with {"portfolio", "validation_id", "promoted"}, which it returns.';

CREATE FUNCTION cvm.is_validated(portfolio text, specification jsonb) RETURNS boolean
LANGUAGE sql STABLE
RETURN coalesce((SELECT v.passed FROM cvm.validation v
                 WHERE v.portfolio = is_validated.portfolio AND v.specification = is_validated.specification AND v.passed IS NOT NULL
                 ORDER BY v.validation_id DESC LIMIT 1), false);
COMMENT ON FUNCTION cvm.is_validated(text, jsonb) IS 'Whether a specification passed the last holdout of the portfolio that it was held against.';

CREATE PROCEDURE cvm.validate(portfolio text, holdout interval, as_of timestamptz DEFAULT NULL, specifications jsonb DEFAULT NULL)
LANGUAGE C AS 'MODULE_PATHNAME', 'cvm_validate';
COMMENT ON PROCEDURE cvm.validate(text, interval, timestamptz, jsonb) IS
'Holds specifications against a holdout and lets the gate decide (cvm.judge_validation): each is fitted on the feed up to as_of - holdout only, predicts purchases and spend of every customer of then for the holdout, and is measured against what happened up to as_of (NULL: now), beside two naive baselines: each customer''s own rate of the past, and the mean rate of all. Compared are the live specification, the purchase families of the option "families", and specifications, an array of objects such as {"family": "bg/nbd", "period": "7 days"}. Published tables stay as they are; read cvm.validations and cvm.validation_deciles. Runs as the portfolio''s owner; at top level no snapshot is held while models are fitted. cvm.schedule_validation has the worker call it from time to time; any other scheduler will do. Errors: 42704 unknown portfolio, 42501 not permitted, 22023 a holdout that is not positive, 55000 the portfolio was given to another owner meanwhile, 02000 nothing to calibrate on (the holdout is longer than the data) or no purchase in the holdout, 22004 NULL in the feed.';

-- ---------- views ----------

CREATE VIEW cvm.validations WITH (security_invoker = true) AS
SELECT v.validation_id, v.portfolio, v.position, v.kind, v.name, v.specification, v.was_live, v.verdict, v.reason, v.passed,
       v.customers, v.actual_purchases, v.predicted_purchases, v.mae, v.rmse, v.bias_percent, v.rank_gini, v.top_decile_capture,
       v.actual_spend, v.predicted_spend, v.spend_mae, v.spend_rmse, v.spend_bias_percent, v.spend_rank_gini, v.spend_top_decile_capture,
       v.calibrated_to, v.as_of, v.holdout_periods, v.method, v.fingerprint, v.model, v.spend_model, v.validated_at, v.extension_version
FROM cvm.validation v;
COMMENT ON VIEW cvm.validations IS 'Specifications and naive baselines held against holdouts, for the portfolios that the current role owns or may read: how good they are in numbers, and what the gate said.';
CREATE VIEW cvm.validation_deciles WITH (security_invoker = true) AS
SELECT d.validation_id, d.portfolio, d.position, v.name, d.target, d.decile, d.customers, d.mean_predicted, d.mean_actual
FROM cvm.validation_decile d JOIN cvm.validation v USING (portfolio, validation_id, position);
COMMENT ON VIEW cvm.validation_deciles IS 'Calibration by tenths of the prediction: where mean_predicted and mean_actual agree, predictions are right on average.';
GRANT SELECT ON cvm.validations, cvm.validation_deciles TO PUBLIC;

-- the views' columns mean what those of their tables do
DO $$
DECLARE
    c record;
BEGIN
    FOR c IN SELECT v.relname AS view_name, a.attname AS column_name, pg_catalog.col_description(t.oid, o.attnum) AS description
             FROM (VALUES ('validations', 'validation'), ('validation_deciles', 'validation_decile')) AS m(view_name, table_name)
             JOIN pg_catalog.pg_class v ON v.oid = ('cvm.' || m.view_name)::pg_catalog.regclass
             JOIN pg_catalog.pg_class t ON t.oid = ('cvm.' || m.table_name)::pg_catalog.regclass
             JOIN pg_catalog.pg_attribute a ON a.attrelid = v.oid AND a.attnum > 0
             JOIN pg_catalog.pg_attribute o ON o.attrelid = t.oid AND o.attname = a.attname
    LOOP
        EXECUTE pg_catalog.format('COMMENT ON COLUMN cvm.%I.%I IS %L', c.view_name, c.column_name, c.description);
    END LOOP;
END $$;
COMMENT ON COLUMN cvm.validation_deciles.name IS 'family or baseline';
