-- CDNOW, 1/10 sample, 39 weeks of calibration and 39 of holdout: what the holdout is known to look like (Fader & Hardie's own
-- spreadsheets; Fader, Hardie & Lee 2005), to every digit that is printed.  CVM_DATA names the folder of the file; without it
-- everything is skipped.
\set sample `cat "$CVM_DATA/cdnow_sample.txt" 2>/dev/null`
SELECT :'sample' <> '' AS present \gset
SELECT plan(30);
\if :present
SET client_min_messages = warning;
CREATE TABLE purchase AS
SELECT f[1]::int AS customer, to_date(f[3], 'YYYYMMDD') AS day, f[5]::numeric AS amount
FROM (SELECT regexp_split_to_array(btrim(line, E' \r'), ' +') AS f FROM string_to_table(:'sample', E'\n') line WHERE btrim(line, E' \r') <> '') l;
CREATE FUNCTION near(got float8, truth float8, tolerance float8, what text) RETURNS text LANGUAGE sql AS $$
    SELECT ok(abs(got - truth) <= tolerance, format('%s: %s is %s', what, truth, got)) $$;
SELECT isnt(cvm.create_portfolio('cdnow', 'purchase', 'customer', 'day', 'amount', '{"families": "auto"}'), NULL, 'a portfolio');
CALL cvm.recompute('cdnow', '1997-09-30 12:00+00');
SELECT is(array_agg(DISTINCT status || ' ' || validated), '{live false}', 'the first model goes live, unvalidated') FROM cvm.models;
CALL cvm.validate('cdnow', '273 days', '1998-06-30 12:00+00', '[{"family": "bg/nbd", "period": "91 days"}]');

CREATE VIEW v AS SELECT * FROM cvm.validations WHERE specification ->> 'period' IS DISTINCT FROM '91 days';
SELECT is(customers, 2357::bigint, 'customers') FROM v WHERE name = 'bg/nbd';
SELECT is(actual_purchases, 1882::float8, 'purchases of the holdout') FROM v WHERE name = 'bg/nbd';
SELECT is(holdout_periods, 273, '39 weeks') FROM v WHERE name = 'bg/nbd';
SELECT is(calibrated_to, '1997-09-30 12:00+00'::timestamptz, 'calibration ends') FROM v WHERE name = 'bg/nbd';
SELECT is(actual_spend::numeric(12,2), (SELECT sum(amount) FROM purchase WHERE day > '1997-09-30'), 'money of the holdout, by plain SQL') FROM v WHERE name = 'bg/nbd';
SELECT unnest(ARRAY[near(predicted_purchases, truth, 0.05, name || ': total'), near(mae, error, 0.00005, name || ': mean absolute error'),
                    near(bias_percent, 100 * (truth / 1882 - 1), 0.01, name || ': bias')])
FROM v JOIN (VALUES ('bg/nbd', 1653.4, 0.7855), ('pareto/nbd', 1665.5, 0.7545)) t(name, truth, error) USING (name) ORDER BY name;
SELECT near((cvm.parameters(model) ->> p.name)::float8, p.truth, 1e-4 * p.truth, 'calibrated ' || p.name)
FROM v, (VALUES ('r', 0.2426), ('alpha', 4.4136), ('a', 0.7929), ('b', 2.4259)) p(name, truth) WHERE v.name = 'bg/nbd';
-- the calibration fit is the recompute of that day, to the last bit
SELECT unnest(ARRAY[is(v.model::text, m.model::text, 'the calibration fit is what a recompute of its last day fits'), is(v.fingerprint, m.fingerprint, 'on the same data')])
FROM v JOIN cvm.models m ON m.role = 'purchases' WHERE v.name = 'bg/nbd';

-- every family that can be fitted beats naive guesses in what the gate compares; baselines by plain SQL
SELECT is_empty($$SELECT name FROM v WHERE kind = 'model' AND rmse IS NOT NULL AND NOT passed$$, 'every model beats both baselines');
SELECT is((SELECT count(*) FROM v WHERE kind = 'model'), (SELECT count(*) FROM cvm.families WHERE kind = 'purchases'), 'every purchase family is a candidate');
WITH h AS (SELECT customer, count(DISTINCT day) FILTER (WHERE day <= '1997-09-30') - 1 AS x, '1997-09-30' - min(day) AS age,
                  count(DISTINCT day) FILTER (WHERE day > '1997-09-30') AS actual FROM purchase GROUP BY customer)
SELECT unnest(ARRAY[near(own.mae, avg(abs(x * 273.0 / age - actual))::float8, 1e-9, 'own rate: mean absolute error'), near(own.rmse, sqrt(avg((x * 273.0 / age - actual) ^ 2))::float8, 1e-9, 'own rate: root mean squared error'),
       near(mean.predicted_purchases, (count(*) * 273.0 * sum(x) / sum(age))::float8, 1e-6, 'mean rate: total')])
FROM h, v own, v mean WHERE own.name = 'own rate' AND mean.name = 'mean rate' GROUP BY own.mae, own.rmse, mean.predicted_purchases;

-- the gate
SELECT is((SELECT verdict FROM cvm.validations WHERE specification ->> 'period' = '91 days'), 'rejected', 'a specification with the wrong period is rejected');
SELECT is((SELECT name FROM v WHERE verdict = 'promoted'), 'pareto/nbd', 'pareto/nbd has the lowest error and is promoted');
SELECT is((SELECT verdict FROM v WHERE was_live), 'replaced', 'bg/nbd was live');
CALL cvm.recompute('cdnow', '1997-09-30 12:00+00');
CALL cvm.recompute('cdnow', '1998-06-30 12:00+00');
SELECT is(array_agg(family || ' ' || status || ' ' || validated ORDER BY model_id), '{bg/nbd retired true,pareto/nbd retired true,pareto/nbd live true}', 'it goes live, and so does its refit on newer data')
FROM cvm.models WHERE role = 'purchases';
-- tracking: 1882 purchases against the model's unconditional expectation, within a sixth
SELECT unnest(ARRAY[is(actual_purchases, 1882::float8, 'purchases since the fit'), ok(actual_to_expected BETWEEN 1 AND 1.2, 'tracked: ' || round(actual_to_expected::numeric, 3))])
FROM cvm.drift WHERE input = 'purchases' AND run_id = (SELECT max(run_id) FROM cvm.drift);
\else
SELECT skip('the CDNOW files are not there (CVM_DATA)', 30);
\endif
SELECT * FROM finish();
