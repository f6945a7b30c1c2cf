-- validation: the registry of models, holdouts against plain SQL, the gate, promote and rollback, drift
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;

-- a shop whose customers buy regularly; pseudo-random numbers in (0, 1) from a hash, the same everywhere
CREATE SCHEMA validation_test;
SET search_path = validation_test, public;
CREATE FUNCTION u(a int, b int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT (('x' || substr(md5(a || '/' || b), 1, 8))::bit(32)::bigint + 0.5) / 4294967296 $$;
CREATE TABLE orders (customer_id bigint, ordered_at timestamptz, total numeric);
INSERT INTO orders
SELECT c, '2023-01-01 00:00+00'::timestamptz + make_interval(secs => 86400 * (200 * u(c, 0) + 25 * exp(2 * u(c, 1)) * k * (0.5 + u(c, 100 + k)))),
       round((20 * exp(1.5 * (u(c, 2) - 0.5)) * (0.4 + 1.2 * u(c, 200 + k)))::numeric, 2)
FROM generate_series(1, 500) c, generate_series(0, 30) k
WHERE k <= floor(-ln(u(c, 3)) * 5);
INSERT INTO orders VALUES (-1, '2023-06-01 12:00+00', -9.99);	-- money without a purchase
\set cut '''2023-12-01 00:00+00'''
\set end '''2024-04-01 00:00+00'''

SELECT cvm.create_portfolio('shop', 'orders', customer => 'customer_id', at => 'ordered_at', amount => 'total') IS NOT NULL AS created;
CALL cvm.recompute('shop', :cut);

-- ---------- the registry ----------

-- the first model goes live, unvalidated
SELECT role, family, status, reason, validated, is_live, specification, source, extension_version,
       partner_id = (SELECT o.model_id FROM cvm.models o WHERE o.portfolio = m.portfolio AND o.role <> m.role) AS partners
FROM cvm.models m WHERE portfolio = 'shop' ORDER BY role;
-- a run is reproducible from its registry row: plain aggregates over the feed, told by the row what to do
SELECT m.role, abs(cvm.log_likelihood(m.model) - cvm.log_likelihood(f.model)) < 1e-9 AS same_likelihood,
       (SELECT max(abs((cvm.parameters(f.model) ->> p.key)::float8 / p.value::float8 - 1)) < 1e-7 FROM jsonb_each_text(m.parameters) p) AS same_parameters
FROM cvm.models m JOIN LATERAL (
    SELECT CASE m.role WHEN 'purchases' THEN cvm.fit(m.specification ->> 'family', h, m.as_of, (m.specification ->> 'time_unit')::interval) ELSE cvm.fit_spend(h) END AS model
    FROM (SELECT cvm.purchase_history(ordered_at, total, (m.specification ->> 'period')::interval, m.specification ->> 'time_zone') AS h
          FROM orders WHERE ordered_at <= m.as_of GROUP BY customer_id) s) f ON true
WHERE m.portfolio = 'shop' ORDER BY m.role;
-- and so is the next run: to the last bit
CALL cvm.recompute('shop', :cut);
SELECT role, count(*) AS models, count(DISTINCT model::text) AS different, count(DISTINCT fingerprint) AS fingerprints,
       count(*) FILTER (WHERE status = 'live') AS live, count(*) FILTER (WHERE status = 'retired') AS retired
FROM cvm.models WHERE portfolio = 'shop' GROUP BY role ORDER BY role;
-- the fingerprint is that of the statistics: not of their order, and of every one of them
CREATE VIEW shuffled AS SELECT * FROM orders ORDER BY md5(customer_id::text || ordered_at);
CREATE VIEW changed AS SELECT customer_id, CASE WHEN customer_id = 7 AND ordered_at = (SELECT max(ordered_at) FROM orders WHERE customer_id = 7 AND ordered_at <= :cut)
    THEN ordered_at - interval '1 day' ELSE ordered_at END AS ordered_at, total FROM orders;
SELECT cvm.create_portfolio('shuffled', 'shuffled', 'customer_id', 'ordered_at', 'total') IS NOT NULL,
       cvm.create_portfolio('changed', 'changed', 'customer_id', 'ordered_at', 'total') IS NOT NULL;
CALL cvm.recompute('shuffled', :cut);
CALL cvm.recompute('changed', :cut);
SELECT o.portfolio, o.role, o.fingerprint = m.fingerprint AS same
FROM cvm.models o JOIN cvm.models m ON m.portfolio = 'shop' AND m.is_live AND m.role = o.role
WHERE o.portfolio IN ('shuffled', 'changed') ORDER BY 1, 2;
SELECT cvm.drop_portfolio('shuffled'), cvm.drop_portfolio('changed');

-- ---------- a holdout against plain SQL ----------

CREATE TABLE before AS SELECT run_id, as_of FROM cvm_shop.published;
CALL cvm.validate('shop', interval '122 days', :end, '[{"family": "bg/nbd", "period": "120 days"}]');
SELECT * FROM before EXCEPT SELECT run_id, as_of FROM cvm_shop.published;
SELECT name, specification ->> 'period' AS period, was_live, verdict, reason, passed, calibrated_to = :cut AS calibrated_to, as_of = :end AS as_of, holdout_periods, method
FROM cvm.validations WHERE portfolio = 'shop' ORDER BY position;

CREATE VIEW truth AS
WITH h AS (
    SELECT customer_id, cvm.purchase_history(ordered_at, total) FILTER (WHERE ordered_at <= :cut) AS h,
           count(DISTINCT (ordered_at AT TIME ZONE 'UTC')::date) FILTER (WHERE total >= 0 AND ordered_at <= :end)
           - count(DISTINCT (ordered_at AT TIME ZONE 'UTC')::date) FILTER (WHERE total >= 0 AND ordered_at <= :cut) AS purchases,
           coalesce(sum(total) FILTER (WHERE ordered_at > :cut AND ordered_at <= :end), 0)::float8 AS spend
    FROM orders GROUP BY customer_id),
calibration AS (SELECT * FROM h WHERE cvm.first_at(h) IS NOT NULL),
model AS (SELECT cvm.fit('bg/nbd', h, :cut) AS p, cvm.fit_spend(h) AS s FROM calibration),
rate AS (SELECT sum(cvm.repeat_periods(h)) / sum(cvm.age(h, :cut, '1 day')) AS purchases,
                sum(cvm.repeat_periods(h) * coalesce(cvm.mean_spend(h), 0)) / sum(cvm.age(h, :cut, '1 day')) AS spend FROM calibration)
SELECT n.name, c.purchases::float8 AS purchases, c.spend,
       CASE n.name WHEN 'bg/nbd' THEN cvm.expected_purchases(m.p, c.h, :cut, interval '122 days')
            WHEN 'own rate' THEN coalesce(cvm.repeat_periods(c.h) * 122 / nullif(cvm.age(c.h, :cut, '1 day'), 0), 0) ELSE r.purchases * 122 END AS predicted,
       CASE n.name WHEN 'bg/nbd' THEN cvm.expected_purchases(m.p, c.h, :cut, interval '122 days') * cvm.expected_spend(m.s, c.h)
            WHEN 'own rate' THEN coalesce(cvm.repeat_periods(c.h) * cvm.mean_spend(c.h) * 122 / nullif(cvm.age(c.h, :cut, '1 day'), 0), 0) ELSE r.spend * 122 END AS predicted_spend
FROM calibration c, model m, rate r, unnest('{bg/nbd,own rate,mean rate}'::text[]) AS n(name);
CREATE FUNCTION near(a float8, b float8) RETURNS boolean LANGUAGE sql AS $$ SELECT abs(a - b) <= 1e-7 * (1 + abs(b)) $$;
SELECT v.name, v.customers = t.customers AS customers, v.actual_purchases = t.actual AND near(v.actual_spend, t.actual_spend) AS actual,
       near(v.predicted_purchases, t.predicted) AND near(v.predicted_spend, t.predicted_spend) AS predicted,
       near(v.mae, t.mae) AND near(v.spend_mae, t.spend_mae) AS mae, near(v.rmse, t.rmse) AND near(v.spend_rmse, t.spend_rmse) AS rmse,
       near(v.bias_percent, t.bias) AND near(v.spend_bias_percent, t.spend_bias) AS bias,
       near(v.rank_gini, t.gini) AND near(v.spend_rank_gini, t.spend_gini) AS gini,
       near(v.top_decile_capture, t.capture) AND near(v.spend_top_decile_capture, t.spend_capture) AS capture
FROM cvm.validations v JOIN (
    SELECT name, count(*) AS customers, sum(purchases) AS actual, sum(spend) AS actual_spend, sum(predicted) AS predicted, sum(predicted_spend) AS predicted_spend,
           avg(abs(predicted - purchases)) AS mae, avg(abs(predicted_spend - spend)) AS spend_mae,
           sqrt(avg((predicted - purchases) ^ 2)) AS rmse, sqrt(avg((predicted_spend - spend) ^ 2)) AS spend_rmse,
           100 * (sum(predicted) / sum(purchases) - 1) AS bias, 100 * (sum(predicted_spend) / sum(spend) - 1) AS spend_bias,
           cvm.rank_gini(purchases, predicted) AS gini, cvm.rank_gini(spend, predicted_spend) AS spend_gini,
           cvm.top_capture(purchases, predicted, 0.1) AS capture, cvm.top_capture(spend, predicted_spend, 0.1) AS spend_capture
    FROM truth GROUP BY name) t ON t.name = v.name
WHERE v.portfolio = 'shop' AND v.specification ->> 'period' IS DISTINCT FROM '120 days' ORDER BY v.position;
-- tenths of the prediction: every customer is in one, and their means add up
SELECT d.name, d.target, max(decile) <= 10 AS tenths, sum(d.customers) = v.customers AS all_customers,
       near(sum(d.customers * d.mean_predicted), CASE d.target WHEN 'spend' THEN v.predicted_spend ELSE v.predicted_purchases END) AS predicted,
       near(sum(d.customers * d.mean_actual), CASE d.target WHEN 'spend' THEN v.actual_spend ELSE v.actual_purchases END) AS actual
FROM cvm.validation_deciles d JOIN cvm.validations v USING (validation_id, position)
WHERE d.portfolio = 'shop' GROUP BY d.name, d.target, d.position, v.customers, v.predicted_spend, v.predicted_purchases, v.actual_spend, v.actual_purchases
ORDER BY d.position, d.target;
-- the live model is validated now; the specification that is worse is not live
SELECT role, validated, is_live FROM cvm.models WHERE portfolio = 'shop' AND is_live ORDER BY role;
SELECT count(*) AS promoted FROM cvm.promotion WHERE portfolio = 'shop';

-- ---------- nothing of the holdout reaches a calibration fit ----------

CREATE TABLE kept AS SELECT * FROM orders;
UPDATE orders SET total = total * 10, ordered_at = ordered_at + interval '3 days' WHERE ordered_at > :cut AND customer_id % 3 = 0;
DELETE FROM orders WHERE ordered_at > :cut AND customer_id % 5 = 0;
INSERT INTO orders SELECT c, '2024-02-01 00:00+00', 1000 FROM generate_series(1000, 1400) c;
CALL cvm.validate('shop', interval '122 days', :end, '[{"family": "bg/nbd", "period": "120 days"}]');
SELECT b.position, b.name, b.customers = a.customers AS same_customers, a.model::text IS NOT DISTINCT FROM b.model::text AS same_model,
       a.spend_model::text IS NOT DISTINCT FROM b.spend_model::text AS same_spend, a.fingerprint IS NOT DISTINCT FROM b.fingerprint AS same_data,
       a.predicted_purchases = b.predicted_purchases AS same_predictions, a.rmse = b.rmse AS same_error
FROM cvm.validations b JOIN cvm.validations a ON a.position = b.position AND a.validation_id > b.validation_id
WHERE a.portfolio = 'shop' AND b.portfolio = 'shop' ORDER BY b.position;
-- the same changes a moment earlier would have been seen
TRUNCATE orders;
INSERT INTO orders SELECT * FROM kept;
UPDATE orders SET ordered_at = ordered_at - interval '1 day' WHERE customer_id = 7 AND ordered_at = (SELECT max(ordered_at) FROM orders WHERE customer_id = 7 AND ordered_at <= :cut);
CALL cvm.validate('shop', interval '122 days', :end);
SELECT count(DISTINCT fingerprint) AS fingerprints, count(DISTINCT model::text) AS models
FROM cvm.validations WHERE portfolio = 'shop' AND specification ->> 'period' = '1 day';
TRUNCATE orders;
INSERT INTO orders SELECT * FROM kept;

-- ---------- the gate promotes, and rollback goes back ----------

CREATE TABLE scores_before AS SELECT v.*, h.p_alive, h.p_no_purchase, h.value_at_risk FROM cvm_shop.clv v JOIN cvm_shop.churn h USING (customer_id);
SELECT cvm.alter_portfolio('shop', '{"families": "auto"}');
CALL cvm.validate('shop', interval '122 days', :end);
SELECT name, verdict, passed, reason FROM cvm.validations
WHERE validation_id = (SELECT max(validation_id) FROM cvm.validations WHERE portfolio = 'shop') ORDER BY position;
-- what does not beat the winner is rejected, and the winner has the lowest error but for 1 %
SELECT count(*) FILTER (WHERE verdict = 'promoted') AS promoted,
       max(rmse) FILTER (WHERE verdict = 'promoted') <= 1.01 * min(rmse) FILTER (WHERE passed) AS lowest,
       max(rmse) FILTER (WHERE verdict = 'promoted') < min(rmse) FILTER (WHERE kind = 'baseline') AS beats_baselines
FROM cvm.validations WHERE validation_id = (SELECT max(validation_id) FROM cvm.validations WHERE portfolio = 'shop');
CALL cvm.recompute('shop', :cut);
SELECT m.family, m.status, m.validated, m.family = v.name AS is_the_promoted FROM cvm.models m
JOIN cvm.validations v ON v.verdict = 'promoted' AND v.portfolio = m.portfolio WHERE m.portfolio = 'shop' AND m.is_live AND m.role = 'purchases';
SELECT count(*) > 0 AS scores_changed FROM scores_before b JOIN cvm_shop.clv v USING (customer_id) WHERE v.residual_value <> b.residual_value;
-- every score is what it was, to the last bit
SELECT cvm.rollback('shop') = (SELECT max(model_id) FROM scores_before) AS rolled_back;
CALL cvm.recompute('shop', :cut);
WITH now AS (SELECT v.*, h.p_alive, h.p_no_purchase, h.value_at_risk FROM cvm_shop.clv v JOIN cvm_shop.churn h USING (customer_id))
SELECT (SELECT count(*) FROM (SELECT * FROM scores_before EXCEPT ALL SELECT * FROM now) d) AS missing,
       (SELECT count(*) FROM (SELECT * FROM now EXCEPT ALL SELECT * FROM scores_before) d) AS new;
SELECT status, reason, is_pinned, count(*) FROM cvm.models WHERE portfolio = 'shop' GROUP BY 1, 2, 3
HAVING status = 'live' ORDER BY 1, 2;
-- a pinned model is not refitted, on whatever data; once more: the one before that; then there is none
SELECT count(*) AS models FROM cvm.models WHERE portfolio = 'shop';
CALL cvm.recompute('shop', :end);
SELECT count(*) AS models FROM cvm.models WHERE portfolio = 'shop';
SELECT cvm.rollback('shop') = (SELECT min(model_id) FROM cvm.models WHERE portfolio = 'shop' AND role = 'purchases') AS rolled_back;
SELECT cvm.rollback('shop');
SELECT cvm.unpin('shop'), cvm.unpin('shop') AS again;
-- what the gate promoted holds for the options it was promoted under
SELECT cvm.live_specification('shop') ->> 'family' = (SELECT v.name FROM cvm.validations v WHERE v.portfolio = 'shop' AND v.verdict = 'promoted') AS promoted;
SELECT cvm.alter_portfolio('shop', '{"families": ["bg/nbd", "mbg/nbd", "gamma-gamma"]}');
SELECT cvm.live_specification('shop') ->> 'family' AS family;
CALL cvm.recompute('shop', :cut);
SELECT status, validated, reason FROM cvm.models WHERE portfolio = 'shop' AND is_live AND role = 'purchases';

-- ---------- drift, and what keeps a refit from going live ----------

-- a good refit on newer data goes live; purchases since against what the model expected, by plain SQL
CALL cvm.recompute('shop', :end);
SELECT input, exceeded, psi IS NULL AS no_psi FROM cvm.drift WHERE run_id = (SELECT max(run_id) FROM cvm.drift WHERE portfolio = 'shop') ORDER BY input;
SELECT m.status, m.reason, d.actual_purchases = t.actual AS actual, near(d.expected_purchases, t.expected) AS expected
FROM cvm.drift d JOIN cvm.models l ON l.model_id = d.model_id JOIN cvm.models m ON m.run_id = d.run_id AND m.role = 'purchases',
     LATERAL (SELECT sum(cvm.repeat_periods(h)) - sum(cvm.repeat_periods(g)) AS actual,
                     sum(cvm.expected_purchases(l.model, cvm.age(h, :end)) - coalesce(cvm.expected_purchases(l.model, nullif(greatest(cvm.age(h, :end) - 122 / 7.0, 0), 0)), 0)) AS expected
              FROM (SELECT cvm.purchase_history(ordered_at, total) FILTER (WHERE ordered_at <= :end) AS h,
                           cvm.purchase_history(ordered_at, total) FILTER (WHERE ordered_at <= :cut) AS g
                    FROM orders WHERE customer_id > 0 GROUP BY customer_id) c) t
WHERE d.portfolio = 'shop' AND d.input = 'purchases' AND d.run_id = (SELECT max(run_id) FROM cvm.drift WHERE portfolio = 'shop');
-- amounts in cents: a refit of the same day does not go live, the live pair scores
CREATE TABLE live AS SELECT model_id FROM cvm.models WHERE portfolio = 'shop' AND is_live;
UPDATE orders SET total = total * 100;
SET client_min_messages = error;	-- the warning has the model's number
CALL cvm.recompute('shop', :end);
SELECT role, status, reason FROM cvm.models WHERE run_id = (SELECT max(run_id) FROM cvm.run WHERE portfolio = 'shop') ORDER BY role;
SELECT count(*) AS still_live FROM live JOIN cvm.models m USING (model_id) WHERE m.is_live;
SELECT count(*) AS other FROM cvm_shop.clv WHERE model_id NOT IN (SELECT model_id FROM live);
-- cvm.check says so, since nobody sees the warning of a job; its numbers are those of the models
SELECT c.level, replace(replace(c.finding, m.model_id::text, '<refit>'), l.model_id::text, '<live>') AS finding, replace(c.hint, m.model_id::text, '<refit>') AS hint
FROM cvm.check('shop') c, (SELECT max(model_id) AS model_id FROM cvm.models WHERE portfolio = 'shop' AND role = 'purchases') m,
     (SELECT model_id FROM live JOIN cvm.models USING (model_id) WHERE role = 'purchases') l
WHERE c.finding LIKE '%rejected%' \gx
-- its index is that of plain SQL in the bins of the fit
SELECT d.input, d.exceeded, near(d.psi, cvm.psi(i.counts, c.counts)) AS as_plain_sql, abs(d.chance / (21.666 * (1 / n.fitted + 1 / n.now)) - 1) < 2e-3 AS chance
FROM cvm.drift d JOIN cvm.model_input i ON i.model_id = d.model_id AND i.input = d.input,
     LATERAL (SELECT array_agg((SELECT count(*)::float8 FROM (SELECT cvm.mean_spend(cvm.purchase_history(ordered_at, total)) AS v FROM orders
                                 WHERE ordered_at <= :end GROUP BY customer_id) s
                                WHERE v > 0 AND v > coalesce(i.edges[b], '-infinity') AND v <= coalesce(i.edges[b + 1], 'infinity')) ORDER BY b) AS counts
              FROM generate_series(0, cardinality(i.edges)) AS b) c,
     LATERAL (SELECT (SELECT sum(x) FROM unnest(i.counts) x) AS fitted, (SELECT sum(x) FROM unnest(c.counts) x) AS now) n
WHERE d.portfolio = 'shop' AND d.input = 'mean_spend' AND d.run_id = (SELECT max(run_id) FROM cvm.run WHERE portfolio = 'shop');
-- somebody knows better
SELECT cvm.promote((SELECT max(model_id) FROM cvm.models WHERE portfolio = 'shop')) = (SELECT max(model_id) FROM cvm.models WHERE portfolio = 'shop' AND role = 'purchases') AS promoted;
SELECT count(*) AS rejected FROM cvm.check('shop') WHERE finding LIKE '%rejected%';
CALL cvm.recompute('shop', :end);
SELECT cvm.unpin('shop');
SELECT count(*) AS rejected FROM cvm.check('shop') WHERE finding LIKE '%rejected%';
CALL cvm.recompute('shop', :end);
SELECT status, reason, count(*) FROM cvm.models WHERE portfolio = 'shop' AND is_live GROUP BY 1, 2;
-- a refit that falls to a lower rung does not go live either: customers who do not differ
CREATE TABLE equal_orders AS SELECT c AS customer_id, '2023-01-01 00:00+00'::timestamptz + k * interval '30 days' AS ordered_at, 10 + c % 3 AS total
FROM generate_series(1, 200) c, generate_series(0, 5) k;
SELECT cvm.alter_portfolio('shop', '{"drift_threshold": 100}');
BEGIN;
TRUNCATE orders;
INSERT INTO orders SELECT * FROM equal_orders;
CALL cvm.recompute('shop', :end);
SELECT role, status, reason FROM cvm.models WHERE run_id = (SELECT max(run_id) FROM cvm.run WHERE portfolio = 'shop') ORDER BY role;
ROLLBACK;
TRUNCATE orders;
INSERT INTO orders SELECT * FROM kept;
SET client_min_messages = warning;

-- ---------- what is refused ----------

CALL cvm.validate('shop', interval '20 years', :end);
CALL cvm.validate('shop', interval '455 days', :end);
CALL cvm.validate('shop', interval '90 days', '2060-01-01 00:00+00');
CALL cvm.validate('shop', interval '0 days', :end);
CALL cvm.validate('shop', interval '-1 day', :end);
CALL cvm.validate('shop', NULL, :end);
CALL cvm.validate(NULL, interval '90 days', :end);
CALL cvm.validate('nothing', interval '90 days', :end);
CALL cvm.validate('shop', interval '90 days', 'infinity');
CALL cvm.validate('shop', interval '90 days', '-infinity');
CALL cvm.validate('shop', interval '90 days', :end, '{"family": "bg/nbd"}');
CALL cvm.validate('shop', interval '90 days', :end, '["bg/nbd"]');
CALL cvm.validate('shop', interval '90 days', :end, '[{"familly": "bg/nbd"}]');
CALL cvm.validate('shop', interval '90 days', :end, '[{"family": "bg/ndb"}]');
CALL cvm.validate('shop', interval '90 days', :end, '[{"family": "gamma-gamma"}]');
CALL cvm.validate('shop', interval '90 days', :end, '[{"period": "1 month"}]');
-- too few customers: measured, not decided
CREATE VIEW few AS SELECT * FROM orders WHERE customer_id <= 60;
SELECT cvm.create_portfolio('few', 'few', 'customer_id', 'ordered_at', 'total', '{"families": ["bg/nbd", "pareto/nbd"]}') IS NOT NULL AS created;
CALL cvm.validate('few', interval '122 days', :end);
SELECT name, verdict, passed, rmse IS NOT NULL AS measured, reason FROM cvm.validations WHERE portfolio = 'few' ORDER BY position;
SELECT count(*) FROM cvm.promotion WHERE portfolio = 'few';
-- models; messages without their numbers
CREATE FUNCTION refused(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || regexp_replace(SQLERRM, 'model \d+', 'model N');
END $$;
SELECT cvm.promote(0);
SELECT cvm.promote(NULL);
SELECT cvm.rollback('few');
SELECT cvm.rollback('nothing');
SELECT cvm.unpin('nothing');
CREATE ROLE validation_other NOLOGIN;
SELECT min(model_id) AS live_id FROM live \gset
GRANT USAGE ON SCHEMA validation_test TO validation_other;
SET ROLE validation_other;
SELECT refused(format('SELECT cvm.promote(%s)', :live_id));
SELECT cvm.rollback('shop');
CALL cvm.validate('shop', interval '122 days', '2024-04-01 00:00+00');
SELECT count(*) FROM cvm.validations;
RESET ROLE;
SELECT cvm.grant_read('shop', 'validation_other');
SET ROLE validation_other;
SELECT refused(format('SELECT cvm.promote(%s)', :live_id));
SELECT count(*) > 0 AS readers_see_validations FROM cvm.validations WHERE portfolio = 'shop';
DELETE FROM cvm.validation;
RESET ROLE;
SELECT count(*) > 0 AS still_there FROM cvm.validation;
-- another portfolio's model, written past the function
INSERT INTO cvm.promotion (portfolio, purchase_model_id, spend_model_id)
SELECT 'few', min(model_id), max(model_id) FROM live;
SELECT refused($$CALL cvm.recompute('few', '2024-04-01 00:00+00')$$);
SELECT cvm.unpin('few');
-- a pinned model whose family the data does not fit any more
SELECT cvm.alter_portfolio('few', '{"period": "7 days", "families": ["bg/bb"]}');
CALL cvm.recompute('few', :end);
SELECT cvm.promote((SELECT max(model_id) FROM cvm.models WHERE portfolio = 'few')) IS NOT NULL AS pinned;
UPDATE cvm.fitted_model SET specification = specification || '{"period": "1 day"}' WHERE portfolio = 'few';
SELECT refused($$CALL cvm.recompute('few', '2024-04-01 00:00+00')$$);
\set VERBOSITY sqlstate
CALL cvm.recompute('few', :end);
\set VERBOSITY terse
SELECT status, phase, sqlstate FROM cvm.job_runs WHERE portfolio = 'few' ORDER BY run_id DESC LIMIT 1;
-- a validation within one transaction leaves nothing behind where that is rolled back
BEGIN;
CALL cvm.validate('few', interval '122 days', :end);
SELECT count(DISTINCT validation_id) AS validations FROM cvm.validations WHERE portfolio = 'few';
ROLLBACK;
SELECT count(DISTINCT validation_id) AS validations FROM cvm.validations WHERE portfolio = 'few';
SELECT cvm.drop_portfolio('few'), cvm.drop_portfolio('shop');
SELECT count(*) AS left_over FROM cvm.validation v FULL JOIN cvm.validation_decile d USING (portfolio) FULL JOIN cvm.promotion p USING (portfolio) FULL JOIN cvm.drift_measure m USING (portfolio) FULL JOIN cvm.model_input i USING (portfolio)
WHERE portfolio IN ('few', 'shop');
DROP OWNED BY validation_other;
DROP ROLE validation_other;
DROP SCHEMA validation_test CASCADE;
