-- attribute: covariates of the recompute, from a feed of attributes
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA attribute_test;
SET search_path = attribute_test, public;
CREATE FUNCTION agrees(got float8, truth float8, tolerance float8 DEFAULT 1e-12) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN got IS NULL OR truth IS NULL THEN got IS NULL AND truth IS NULL ELSE abs(got - truth) <= tolerance * greatest(abs(truth), 1e-300) END $$;
CREATE FUNCTION u(a int, b int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT (('x' || substr(md5(a || '/' || b), 1, 8))::bit(32)::bigint + 0.5) / 4294967296 $$;

-- a market with known effects: the south buys exp(1.2) times as often, a year of age makes it exp(-0.02) times; luck is a covariate without effect
CREATE TABLE person AS
SELECT c AS id, (ARRAY['north', 'north', 'south', 'west'])[1 + floor(4 * u(c, 1))::int] AS region, 20 + floor(50 * u(c, 2))::int AS age, u(c, 3) < 0.5 AS lucky FROM generate_series(1, 2000) c;
CREATE TABLE orders AS
WITH buyer AS (SELECT p.id, date '2023-01-01' + floor(90 * u(p.id, 4))::int AS start,
                      -ln(u(p.id, 5)) / 5 * exp(1.2 * (p.region = 'south')::int - 0.02 * (p.age - 45)) AS rate, 1 - u(p.id, 6) ^ (1 / 15.0) AS leave FROM person p),
     visit AS (SELECT b.id, b.start, k, sum(CASE WHEN k = 0 THEN 0 ELSE -ln(u(b.id, 100 + k)) / b.rate END) OVER w AS weeks, bool_or(k > 0 AND u(b.id, 300 + k - 1) < b.leave) OVER w AS gone
               FROM buyer b, generate_series(0, 60) k WINDOW w AS (PARTITION BY b.id ORDER BY k))
SELECT id AS customer_id, start + 7 * weeks * interval '1 day' + interval '12 hours' AS ordered_at, round((10 + 40 * u(id, 7) + 10 * u(id, 500 + k))::numeric, 2) AS total FROM visit WHERE NOT gone AND weeks < 52;
CREATE TABLE person_known AS SELECT id, region, age::numeric AS age, lucky, id % 3 AS third FROM person WHERE id <= 1990;
UPDATE person_known SET region = NULL WHERE id = 5;
UPDATE person_known SET age = NULL WHERE id IN (6, 7);
SELECT cvm.create_portfolio('shop', 'orders', customer => 'customer_id', at => 'ordered_at', amount => 'total', options => '{"margin": 0.4}') IS NOT NULL AS created;
SELECT cvm.add_feed('shop', 'attributes', 'attribute_test.person_known', '{"customer": "id", "region": "region", "age": "age", "lucky": "lucky", "third": "third"}');
SELECT level, finding, hint FROM cvm.check('shop') WHERE finding ~ 'attribute';
SELECT cvm.alter_portfolio('shop', '{"covariates": {"region": "both", "age": "purchase"}}');
SELECT level, finding, hint FROM cvm.check('shop') WHERE finding ~ 'attribute';
CALL cvm.recompute('shop', '2024-01-01 00:00+00');

-- what it learned
SELECT covariate, process, parameter, abs(coefficient - CASE parameter WHEN 'alpha' THEN CASE covariate WHEN 'age' THEN -0.02 WHEN 'region south' THEN 1.2 ELSE 0 END ELSE coefficient END) < 3 * standard_error AS near_truth,
       standard_error BETWEEN 0.0005 AND 1 AS sure, p_value < 0.001 AS significant FROM cvm.covariate_effects('shop');
SELECT statistic > 100 AS large, degrees_of_freedom, p_value < 1e-10 AS significant FROM cvm.covariate_test('shop');
SELECT model_id, family, covariates IS NOT NULL AS covariates, encoding, specification -> 'covariates' AS specification, source -> 'attributes' ->> 'relation' AS relation, rung
FROM cvm.fitted_model WHERE portfolio = 'shop' AND role = 'purchases' AND status = 'live' \gset live_
SELECT :'live_family' AS family, :'live_encoding' AS encoding, :'live_specification' AS specification, :'live_relation' AS relation, :'live_rung' AS rung;

-- every customer by his own model, and those without attributes by that of all
CREATE VIEW by_hand AS
SELECT v.customer_id, p.region IS NOT NULL AND p.age IS NOT NULL AS known, v.method, v.status, v.p_alive, v.expected_purchases, v.residual_value, v.residual_low, h.history,
       CASE WHEN p.region IS NOT NULL AND p.age IS NOT NULL
            THEN cvm.model_for(m.covariates, ARRAY[p.age::float8, (p.region = 'south')::int, (p.region = 'west')::int]) ELSE m.model END AS model, s.model AS spend
FROM cvm_shop.customer_value v JOIN cvm_shop.customer h USING (customer_id) LEFT JOIN person_known p ON p.id = v.customer_id, cvm_shop.published q, cvm.fitted_model m, cvm.fitted_model s
WHERE m.model_id = q.purchase_model_id AND s.model_id = q.spend_model_id;
SELECT known, method, status, count(*),
       bool_and(agrees(p_alive, cvm.p_alive(model, history, '2024-01-01 00:00+00'), 1e-9)) AS p_alive,
       bool_and(agrees(expected_purchases, cvm.expected_purchases(model, history, '2024-01-01 00:00+00', interval '365.25 days'), 1e-9)) AS expected,
       bool_and(agrees(residual_value, 0.4 * cvm.expected_spend(spend, history) * cvm.discounted_purchases(model, history, '2024-01-01 00:00+00', ln(1.1) * 7 / 365.25), 1e-9)) AS residual,
       count(residual_low) AS intervals
FROM by_hand GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
-- the aggregate on the same rows gives the same model
SELECT bool_and(agrees(a.coefficient, b.coefficient, 1e-6)) AS same, count(*) FROM (SELECT row_number() OVER () AS n, c.* FROM cvm.covariate_effects('shop') c) a
JOIN (SELECT row_number() OVER () AS n, c.* FROM (SELECT cvm.fit_covariates('bg/nbd', h.history, '2024-01-01 00:00+00', ARRAY[p.age::float8, (p.region = 'south')::int, (p.region = 'west')::int],
             '{age,region south,region west}', '{purchase,both,both}') AS m FROM cvm_shop.customer h JOIN person_known p ON p.id = h.customer_id WHERE p.region IS NOT NULL AND p.age IS NOT NULL) f, cvm.coefficients(f.m) c) b USING (n);
SELECT residual_low, residual_high, predictive_error, parameter_error FROM cvm_shop.equity WHERE is_total;
-- again at the same data: the same numbers, and a statement that balances with nothing in it
CREATE TABLE before AS SELECT customer_id, residual_value FROM cvm_shop.clv;
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
SELECT count(*) AS differ FROM before b FULL JOIN cvm_shop.clv c USING (customer_id) WHERE b.residual_value IS DISTINCT FROM c.residual_value;
SELECT opening = closing AS same, late_or_corrected, model_change, unwinding FROM cvm_shop.equity_statement WHERE is_total;
-- what one model for all would answer is refused
SELECT * FROM cvm.what_if('shop', retention => 1.1);
SELECT agrees(relative_change, 0.1) AS spend FROM cvm.what_if('shop', spend => 1.1) WHERE is_total;
SELECT cvm.valuation('shop');

-- the gate: covariates that matter stay live
CALL cvm.validate('shop', '280 days', '2024-01-01 00:00+00');
SELECT name, specification -> 'covariates' AS covariates, was_live, verdict FROM cvm.validations WHERE portfolio = 'shop' AND kind = 'model' ORDER BY validation_id, position;
-- a candidate with covariates takes the place of the plain model; one that the feed does not have is an error
SELECT cvm.alter_portfolio('shop', '{"covariates": null}') \g /dev/null
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
CALL cvm.validate('shop', '280 days', '2024-01-01 00:00+00', '[{"covariates": {"no": "both"}}]');
CALL cvm.validate('shop', '280 days', '2024-01-01 00:00+00', '[{"covariates": {"age": "purchase", "region": "both"}}]');
SELECT name, specification -> 'covariates' AS covariates, was_live, verdict FROM cvm.validations WHERE portfolio = 'shop' AND kind = 'model' ORDER BY validation_id DESC, position LIMIT 2;
SELECT specification -> 'covariates' AS promoted FROM cvm.promotion WHERE portfolio = 'shop';
-- nothing of the holdout reaches a fit: who came in it, and his attributes, change no prediction
CREATE TABLE seen AS SELECT name, predicted_purchases, fingerprint FROM cvm.validations WHERE portfolio = 'shop' AND kind = 'model' ORDER BY validation_id DESC, position LIMIT 2;
INSERT INTO orders SELECT 10000 + i, timestamp '2023-11-01 12:00' + i * interval '1 hour', 50 FROM generate_series(1, 500) i;
INSERT INTO person_known SELECT 10000 + i, 'nova', 1000000, true, 1 FROM generate_series(1, 500) i;
SELECT cvm.alter_portfolio('shop', '{"covariates": null, "margin": 0.41}') \g /dev/null
CALL cvm.validate('shop', '280 days', '2024-01-01 00:00+00', '[{"covariates": {"age": "purchase", "region": "both"}}]');
SELECT count(*) AS same FROM seen JOIN (SELECT name, predicted_purchases, fingerprint FROM cvm.validations WHERE portfolio = 'shop' AND kind = 'model' ORDER BY validation_id DESC, position LIMIT 2) v USING (name, predicted_purchases, fingerprint);
DELETE FROM orders WHERE customer_id > 10000;
DELETE FROM person_known WHERE id > 10000;
SELECT cvm.alter_portfolio('shop', '{"margin": 0.4}') \g /dev/null
-- pinned as it is, then unpinned
SELECT cvm.promote(:live_model_id) = :live_model_id AS pinned;
SELECT cvm.alter_portfolio('shop', '{"covariates": null}');
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
SELECT count(*) AS differ FROM before b FULL JOIN cvm_shop.clv c USING (customer_id) WHERE b.residual_value IS DISTINCT FROM c.residual_value;
SELECT cvm.unpin('shop');
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
SELECT count(*) AS effects FROM cvm.covariate_effects('shop');
SELECT count(DISTINCT method) AS methods, min(method) AS method, count(residual_low) > 0 AS intervals FROM cvm_shop.clv WHERE status = 'ok';
-- other families; a flag and a number as categories and numbers
SELECT cvm.alter_portfolio('shop', '{"families": ["pareto/nbd"], "covariates": {"lucky": "dropout", "third": "both"}}');
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
SELECT covariate, process, parameter, standard_error > 0 AS sure FROM cvm.covariate_effects('shop');
SELECT encoding FROM cvm.fitted_model WHERE portfolio = 'shop' AND role = 'purchases' AND status = 'live';
-- levels that the pinned model has not seen
SELECT cvm.alter_portfolio('shop', '{"families": null, "covariates": {"region": "purchase"}}');
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
SELECT cvm.promote((SELECT max(model_id) FROM cvm.fitted_model WHERE portfolio = 'shop' AND role = 'purchases')) > 0 AS pinned;
UPDATE person_known SET region = 'east' WHERE id BETWEEN 10 AND 12;
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
SELECT customer_id, method, status FROM cvm_shop.clv WHERE customer_id BETWEEN 9 AND 12 ORDER BY 1;
SELECT cvm.unpin('shop');
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
SELECT customer_id, method, status FROM cvm_shop.clv WHERE customer_id BETWEEN 9 AND 12 ORDER BY 1;

-- what is no covariate
\set VERBOSITY terse
SELECT cvm.alter_portfolio('shop', '{"covariates": ["region"]}');
SELECT cvm.alter_portfolio('shop', '{"covariates": {}}');
SELECT cvm.alter_portfolio('shop', '{"covariates": {"region": "all"}}');
SELECT cvm.alter_portfolio('shop', '{"families": ["bg/bb"]}');
SELECT cvm.alter_portfolio('shop', '{"covariates": {"regoin": "both"}}') \g /dev/null
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
SELECT level, finding FROM cvm.check('shop') WHERE finding ~ 'attribute';
SELECT cvm.alter_portfolio('shop', '{"covariates": {"region": "both", "third": "both"}}') \g /dev/null
UPDATE person_known SET third = 1;
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
UPDATE person_known SET third = CASE region WHEN 'south' THEN 2 WHEN 'north' THEN 1 ELSE 4 END;
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
ALTER TABLE person_known ALTER third TYPE numeric;
UPDATE person_known SET third = 'NaN' WHERE id = 1;
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
SELECT cvm.alter_portfolio('shop', '{"covariates": {"region": "both"}}') \g /dev/null
INSERT INTO person_known (id, region) VALUES (1, 'nowhere'), (2, (SELECT region FROM person WHERE id = 2));
SELECT level, finding FROM cvm.check('shop') WHERE finding ~ 'attribute';
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
DELETE FROM person_known WHERE id = 1;
INSERT INTO person_known (id, region) VALUES (NULL, 'north');
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
DELETE FROM person_known WHERE id IS NULL;
ALTER TABLE person_known ADD born date;
SELECT cvm.add_feed('shop', 'attributes', 'attribute_test.person_known', '{"customer": "id", "born": "born"}');
SELECT cvm.add_feed('shop', 'attributes', 'attribute_test.person_known', '{"customer": "region", "age": "age"}');
SELECT cvm.drop_feed('shop', 'attributes');
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
-- nobody known: without covariates, and said so
CREATE TABLE nobody (id int, region text);
SELECT cvm.add_feed('shop', 'attributes', 'attribute_test.nobody', '{"customer": "id", "region": "region"}');
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
SELECT method, status, count(*) FROM cvm_shop.clv GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 1;
-- covariates that would have the same name; names that would be long
CREATE TABLE same_name AS SELECT id, (ARRAY['x', 'b c', 'x', repeat('y', 500)])[1 + id % 4] AS a, (ARRAY['q', 'q', 'c'])[1 + id % 3] AS "a b" FROM person;
SELECT cvm.add_feed('shop', 'attributes', 'attribute_test.same_name', '{"customer": "id", "a": "a", "a b": "a b"}');
SELECT cvm.alter_portfolio('shop', '{"covariates": {"a": "purchase", "a b": "purchase"}}') \g /dev/null
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
SELECT left(covariate, 12) AS covariate, length(covariate) AS length, process FROM cvm.covariate_effects('shop');
SELECT jsonb_path_query_array(encoding, '$.column') AS columns, length(encoding #>> '{0,levels,2}') AS length FROM cvm.fitted_model WHERE portfolio = 'shop' AND role = 'purchases' AND status = 'live';
-- a row of the registry that was altered
CREATE TABLE kept AS SELECT model_id, covariates, encoding FROM cvm.fitted_model WHERE portfolio = 'shop' AND role = 'purchases' AND status = 'live';
SELECT cvm.promote(model_id) = model_id AS pinned FROM kept;
CREATE PROCEDURE altered(encoding text, covariates text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('UPDATE cvm.fitted_model m SET encoding = %s, covariates = %s FROM attribute_test.kept k WHERE m.model_id = k.model_id', encoding, covariates);
    CALL cvm.recompute('shop', '2024-01-01 00:00+00');
EXCEPTION WHEN OTHERS THEN
    RAISE INFO '% %', SQLSTATE, regexp_replace(SQLERRM, 'model \d+', 'model N');
END $$;
CALL altered('''{}''', 'k.covariates');
CALL altered('''[{"column": "a"}, {"column": "a b", "levels": "c"}]''', 'k.covariates');
CALL altered('NULL', 'k.covariates');
CALL altered('k.encoding', $$(SELECT cvm.fit_covariates('pareto/nbd', h.history, '2024-01-01 00:00+00', ARRAY[p.age, lucky::int, id % 3]::float8[]) FROM cvm_shop.customer h JOIN attribute_test.person p ON p.id = h.customer_id)$$);
CALL altered('k.encoding', $$ROW((k.covariates).model, NULL, (k.covariates).covariates, (k.covariates).processes, (k.covariates).means, '{1,2,NaN}', NULL)::cvm.covariate_model$$);
UPDATE cvm.fitted_model m SET encoding = k.encoding, covariates = k.covariates FROM kept k WHERE m.model_id = k.model_id;
SELECT cvm.unpin('shop');
-- too many covariates: an error of the recompute, a candidate that fails of a validation
CREATE VIEW many AS SELECT id, 'level ' || id % 60 AS level FROM person;
SELECT cvm.alter_portfolio('shop', '{"covariates": null, "families": ["bg/nbd"]}') \g /dev/null
-- nothing but the model has changed, so that a statement has nothing else
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
SELECT opening <> closing AS differ, late_or_corrected, assumptions, closing - opening = model_change AS model FROM cvm_shop.equity_statement WHERE is_total ORDER BY run_id DESC LIMIT 1;
SELECT cvm.add_feed('shop', 'attributes', 'attribute_test.many', '{"customer": "id", "level": "level"}');
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
CALL cvm.validate('shop', '280 days', '2024-01-01 00:00+00', '[{"covariates": {"level": "both"}}]');
SELECT name, verdict, reason FROM cvm.validations WHERE portfolio = 'shop' AND kind = 'model' ORDER BY validation_id DESC, position LIMIT 2;
SELECT cvm.alter_portfolio('shop', '{"covariates": {"level": "both"}}') \g /dev/null
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
-- a feed that drops its portfolio: an error, and the portfolio stays
CREATE FUNCTION dropped() RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM cvm.drop_portfolio('shop', "cascade" => true); RETURN ''; END $$;
CREATE VIEW dropping AS SELECT id, CASE WHEN id = 700 THEN attribute_test.dropped() ELSE '' END || id % 3 AS level FROM person;
SELECT cvm.add_feed('shop', 'attributes', 'attribute_test.dropping', '{"customer": "id", "level": "level"}');
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
SELECT count(*) FROM cvm.portfolio WHERE portfolio = 'shop';
-- a feed without attributes
SELECT cvm.add_feed('shop', 'attributes', 'attribute_test.many', '{"customer": "id"}');
\set VERBOSITY default
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
\set VERBOSITY terse
SELECT cvm.alter_portfolio('shop', '{"covariates": {"region": "both"}}') \g /dev/null
DROP VIEW by_hand;
SELECT cvm.drop_portfolio('shop');
DROP SCHEMA attribute_test CASCADE;
