-- drift: inputs and purchases since the live model was fitted (src/recompute/drift.c)

CREATE TABLE cvm.model_input (
    model_id bigint NOT NULL,
    input text NOT NULL CHECK (input IN ('repeat_periods', 'span', 'age', 'mean_spend', 'lifetime', 'churned')),
    portfolio text NOT NULL,
    edges float8[] NOT NULL,
    counts float8[] NOT NULL,
    PRIMARY KEY (portfolio, model_id, input)
);
COMMENT ON TABLE cvm.model_input IS 'Distributions of the inputs of a purchase or retention model at its fit, in bins between their deciles, against which drift is measured.';
COMMENT ON COLUMN cvm.model_input.model_id IS 'purchase or retention model';
COMMENT ON COLUMN cvm.model_input.input IS 'repeat_periods, span and age (time units) of all customers, mean_spend (currency units) of repeat buyers; lifetime (renewals) and churned (0 or 1) of subscriptions';
COMMENT ON COLUMN cvm.model_input.portfolio IS 'portfolio';
COMMENT ON COLUMN cvm.model_input.edges IS 'upper limits of all bins but the last, ascending; each bin has its upper limit';
COMMENT ON COLUMN cvm.model_input.counts IS 'customers or subscriptions in each bin, one more than edges';

CREATE TABLE cvm.drift_measure (
    run_id bigint NOT NULL,
    input text NOT NULL CHECK (input IN ('repeat_periods', 'span', 'age', 'mean_spend', 'lifetime', 'churned', 'purchases')),
    portfolio text NOT NULL,
    as_of timestamptz NOT NULL,
    model_id bigint NOT NULL,
    psi float8,
    chance float8,
    expected float8,
    actual float8,
    threshold float8 NOT NULL,
    exceeded boolean NOT NULL,
    PRIMARY KEY (portfolio, run_id, input)
);
COMMENT ON TABLE cvm.drift_measure IS 'Drift found by recomputes. Read cvm.drift.';
COMMENT ON COLUMN cvm.drift_measure.run_id IS 'run that measured it';
COMMENT ON COLUMN cvm.drift_measure.input IS 'input, or purchases: their number since the fit against what the model expected';
COMMENT ON COLUMN cvm.drift_measure.portfolio IS 'portfolio';
COMMENT ON COLUMN cvm.drift_measure.as_of IS 'instant of the run';
COMMENT ON COLUMN cvm.drift_measure.model_id IS 'purchase model that was live when the run began, or retention model (lifetime, churned)';
COMMENT ON COLUMN cvm.drift_measure.psi IS 'population stability index of the input against the model''s fit; NULL for purchases';
COMMENT ON COLUMN cvm.drift_measure.chance IS 'what chance alone exceeds once in a hundred runs with as many customers (Yurdakul 2018); NULL for purchases';
COMMENT ON COLUMN cvm.drift_measure.expected IS 'purchases: repeat purchases expected by the model since its as_of';
COMMENT ON COLUMN cvm.drift_measure.actual IS 'purchases: how many there were';
COMMENT ON COLUMN cvm.drift_measure.threshold IS 'option drift_threshold';
COMMENT ON COLUMN cvm.drift_measure.exceeded IS 'inputs: psi above the threshold and above chance; purchases: actual differs from expected by more than the threshold''s share of it and by more than 3 standard deviations of a Poisson number';

SELECT pg_catalog.pg_extension_config_dump('cvm.model_input', '');
SELECT pg_catalog.pg_extension_config_dump('cvm.drift_measure', '');
GRANT SELECT, INSERT, DELETE ON cvm.model_input, cvm.drift_measure TO PUBLIC;
ALTER TABLE cvm.model_input ENABLE ROW LEVEL SECURITY;
CREATE POLICY owner ON cvm.model_input USING (cvm.may_act(portfolio)) WITH CHECK (cvm.may_act(portfolio));
CREATE POLICY reader ON cvm.model_input FOR SELECT USING (cvm.may_read(portfolio));
COMMENT ON POLICY owner ON cvm.model_input IS 'A recompute, which runs as the owner, records them.';
COMMENT ON POLICY reader ON cvm.model_input IS 'Readers of the output schema and pg_monitor see them.';
ALTER TABLE cvm.drift_measure ENABLE ROW LEVEL SECURITY;
CREATE POLICY owner ON cvm.drift_measure USING (cvm.may_act(portfolio)) WITH CHECK (cvm.may_act(portfolio));
CREATE POLICY reader ON cvm.drift_measure FOR SELECT USING (cvm.may_read(portfolio));
COMMENT ON POLICY owner ON cvm.drift_measure IS 'A recompute, which runs as the owner, records it.';
COMMENT ON POLICY reader ON cvm.drift_measure IS 'Readers of the output schema and pg_monitor see it.';

-- With n and m customers in B bins and nothing but chance, PSI / (1/n + 1/m) is about chi-square with B - 1 degrees of
-- freedom (Yurdakul 2018, Statistical properties of the population stability index, theorem 1); its 99 % quantile by Wilson
-- and Hilferty (1931).
CREATE FUNCTION cvm.psi_chance(expected float8[], actual float8[]) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN n.bins < 2 OR n.expected = 0 OR n.actual = 0 THEN 0 ELSE
        (n.bins - 1) * power(1 - 2 / (9.0 * (n.bins - 1)) + 2.3263478740408408 * sqrt(2 / (9.0 * (n.bins - 1))), 3)
        * (1 / n.expected + 1 / n.actual) END::float8
    FROM (SELECT cardinality(psi_chance.expected) AS bins,
                 (SELECT sum(e) FROM unnest(cvm.numbers('an expected count', psi_chance.expected, 0)) AS e) AS expected,
                 (SELECT sum(a) FROM unnest(cvm.numbers('an actual count', psi_chance.actual, 0)) AS a) AS actual
          WHERE cvm.argument('the difference between the lengths of expected and actual',
                             cardinality(psi_chance.expected) - cardinality(psi_chance.actual), 0, 0) = 0) AS n $$;
COMMENT ON FUNCTION cvm.psi_chance(float8[], float8[]) IS
'What the population stability index of two samples, given as counts over the same bins, exceeds by chance alone once in a hundred times: chi-square(.99; bins - 1) (1/n + 1/m) (Yurdakul 2018). 0 where there is one bin, or none in a sample. 22023 for lengths that differ and counts that are negative or not finite, 22004 for a NULL among them.';

CREATE FUNCTION cvm.record_drift(run_id bigint, portfolio text, as_of timestamptz, model_id bigint, input text, counts float8[], threshold float8) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fitted float8[] := (SELECT i.counts FROM cvm.model_input i
                        WHERE i.portfolio = record_drift.portfolio AND i.model_id = record_drift.model_id AND i.input = record_drift.input);
    psi float8 := coalesce(cvm.psi(fitted, counts), 0);
    chance float8 := cvm.psi_chance(fitted, counts);
BEGIN
    INSERT INTO cvm.drift_measure (run_id, input, portfolio, as_of, model_id, psi, chance, threshold, exceeded)
    VALUES (record_drift.run_id, record_drift.input, record_drift.portfolio, record_drift.as_of, record_drift.model_id,
            psi, chance, record_drift.threshold, psi > greatest(threshold, chance));
    RETURN psi > greatest(threshold, chance);
END $$;
COMMENT ON FUNCTION cvm.record_drift(bigint, text, timestamptz, bigint, text, float8[], float8) IS 'Records the drift of an input, counted in the bins of the model''s fit; whether it is above the threshold and above chance. Called by cvm.recompute.';

CREATE FUNCTION cvm.announce_drift(run_id bigint, portfolio text, model_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    alarms jsonb := (SELECT jsonb_object_agg(d.input, coalesce(d.psi, d.actual / nullif(d.expected, 0))) FROM cvm.drift_measure d
                     WHERE d.portfolio = announce_drift.portfolio AND d.run_id = announce_drift.run_id AND d.model_id = announce_drift.model_id AND d.exceeded);
BEGIN
    IF alarms IS NOT NULL THEN
        PERFORM pg_notify('cvm', jsonb_build_object('portfolio', portfolio, 'run_id', run_id, 'model_id', model_id, 'drift', alarms)::text);
    END IF;
END $$;
COMMENT ON FUNCTION cvm.announce_drift(bigint, text, bigint) IS 'Sends NOTIFY cvm with {"portfolio", "run_id", "model_id", "drift": {input: psi, "purchases": actual / expected}} if any measure of a run against a model is above the threshold. Called by cvm.recompute.';

CREATE FUNCTION cvm.record_tracking(run_id bigint, portfolio text, as_of timestamptz, model_id bigint, expected float8, actual float8, threshold float8) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF expected IS NOT NULL THEN
        INSERT INTO cvm.drift_measure (run_id, input, portfolio, as_of, model_id, expected, actual, threshold, exceeded)
        VALUES (record_tracking.run_id, 'purchases', record_tracking.portfolio, record_tracking.as_of, record_tracking.model_id,
                record_tracking.expected, record_tracking.actual, record_tracking.threshold,
                abs(record_tracking.actual - record_tracking.expected)
                > greatest(record_tracking.threshold * record_tracking.expected, 3 * sqrt(record_tracking.expected)));
    END IF;
    PERFORM cvm.announce_drift(run_id, portfolio, model_id);
END $$;
COMMENT ON FUNCTION cvm.record_tracking(bigint, text, timestamptz, bigint, float8, float8, float8) IS
'Records the purchases since the model''s fit against what it expected, and tells of what is above the threshold (cvm.announce_drift). expected is NULL where nothing can be expected: as_of lies before the fit, or the model has no mean. Called last by cvm.recompute.';

CREATE VIEW cvm.drift WITH (security_invoker = true) AS
SELECT d.portfolio, d.run_id, d.as_of, d.model_id, m.as_of AS fitted_as_of, d.input, d.psi, d.chance,
       d.expected AS expected_purchases, d.actual AS actual_purchases, d.actual / nullif(d.expected, 0) AS actual_to_expected,
       d.threshold, d.exceeded
FROM cvm.drift_measure d LEFT JOIN cvm.fitted_model m ON m.model_id = d.model_id AND m.portfolio = d.portfolio;
COMMENT ON VIEW cvm.drift IS 'How far each run''s customers are from those that the model which was live then was fitted on. Histories grow by themselves: a model that is kept for long (pinned) drifts without anybody changing.';
COMMENT ON COLUMN cvm.drift.portfolio IS 'portfolio';
COMMENT ON COLUMN cvm.drift.run_id IS 'run';
COMMENT ON COLUMN cvm.drift.as_of IS 'instant of the run';
COMMENT ON COLUMN cvm.drift.model_id IS 'purchase model that was live when the run began, or retention model (lifetime, churned)';
COMMENT ON COLUMN cvm.drift.fitted_as_of IS 'instant up to which that model has seen purchases';
COMMENT ON COLUMN cvm.drift.input IS 'repeat_periods, span, age, mean_spend, lifetime, churned, or purchases';
COMMENT ON COLUMN cvm.drift.psi IS 'population stability index: below 0.1 is called stable, above 0.25 a shift; NULL for purchases';
COMMENT ON COLUMN cvm.drift.chance IS 'what chance alone exceeds once in a hundred runs with as many customers; NULL for purchases';
COMMENT ON COLUMN cvm.drift.expected_purchases IS 'repeat purchases that the model expected of all customers since its fit, those who came since included';
COMMENT ON COLUMN cvm.drift.actual_purchases IS 'repeat purchases since its fit';
COMMENT ON COLUMN cvm.drift.actual_to_expected IS 'their ratio: 1 where the model keeps its word';
COMMENT ON COLUMN cvm.drift.threshold IS 'option drift_threshold of then';
COMMENT ON COLUMN cvm.drift.exceeded IS 'whether it was above the threshold and above chance';
GRANT SELECT ON cvm.drift TO PUBLIC;
