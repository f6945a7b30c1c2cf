-- ladder: a recompute scores whatever there is, and says from which rung (doc/ladder.md)
CREATE SCHEMA ladder_test;
SET search_path = ladder_test, public;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE TABLE orders (customer_id text, at date, amount numeric);
SELECT cvm.create_portfolio('few', 'orders', 'customer_id', 'at', 'amount') IS NOT NULL AS created;

-- nobody came back: nothing can be said, but what they spent
INSERT INTO orders SELECT 'c' || i, '2023-01-01'::date + i, 10 + i FROM generate_series(1, 50) i;
CALL cvm.recompute('few', '2024-01-01 00:00+00');
SELECT status, method, count(*), sum(realised_value) AS realised, count(expected_purchases) AS expected, count(residual_value) AS residual FROM cvm_few.clv GROUP BY 1, 2;
SELECT role, family, method, gradient_norm FROM cvm.models ORDER BY role;
SELECT level, finding FROM cvm.check('few') WHERE level <> 'ok' AND finding ~ 'period';

-- they came back without money: valued at the mean of all purchases (1775 + 0) / 70
INSERT INTO orders SELECT 'c' || i, '2023-04-01'::date + 3 * i, 0 FROM generate_series(1, 20) i;
CALL cvm.recompute('few', '2024-01-01 00:00+00');
SELECT status, method, count(*), bool_and(p_alive > 0 AND p_alive <= 1) AS alive, bool_and(abs(expected_spend / (1775 / 70.0) - 1) < 1e-12) AS spend,
       bool_and(residual_value > 0 AND residual_low IS NULL AND residual_high IS NULL) AS residual_without_interval
FROM cvm_few.clv JOIN cvm_few.churn USING (customer_id, as_of, status) GROUP BY 1, 2;
SELECT level, finding FROM cvm.check('few') WHERE finding ~ 'positive mean';

-- no money at all is an error
UPDATE orders SET amount = 0;
CALL cvm.recompute('few', '2024-01-01 00:00+00');
SELECT level, finding FROM cvm.check('few') WHERE finding ~ 'positive mean';

-- two customers
DELETE FROM orders;
INSERT INTO orders VALUES ('a', '2023-01-01', 10), ('a', '2023-02-01', 20), ('b', '2023-01-15', 5);
SELECT cvm.create_portfolio('two', 'orders', 'customer_id', 'at', 'amount') IS NOT NULL AS created;
CALL cvm.recompute('two', '2024-01-01 00:00+00');
SELECT customer_id, status, method, expected_purchases > 0 AS buys, expected_spend BETWEEN 15 AND 25 AS spends, residual_value > 0 AS worth FROM cvm_two.clv ORDER BY customer_id;

-- spend so heavy-tailed that its mean does not exist: own means, shrunk to that of all
CREATE TABLE wild AS
SELECT i AS customer_id, '2023-01-01'::date + (i * 7 % 200) AS at, 10::numeric AS amount FROM generate_series(1, 300) i
UNION ALL SELECT i, '2023-01-01'::date + (i * 7 % 200) + 20 + j * 15, round((10 * exp(6 * sin(i * i)))::numeric, 2) FROM generate_series(1, 200) i, generate_series(1, 3) j WHERE i % 3 >= j - 1;
SELECT cvm.create_portfolio('wild', 'wild', 'customer_id', 'at', 'amount') IS NOT NULL AS created;
CALL cvm.recompute('wild', '2024-01-01 00:00+00');
SELECT (cvm.parameters(model) ->> 'q')::float8 < 1 AS no_mean FROM cvm.fitted_model WHERE portfolio = 'wild' AND role = 'spend';
WITH own AS (SELECT avg(mean) AS mean FROM (SELECT cvm.mean_spend(history) AS mean FROM cvm_wild.customer WHERE repeat_periods > 0) s)
SELECT status, method = 'shrunk' AS shrunk, count(*), count(DISTINCT repeat_periods > 0) AS kinds, bool_and(method <> 'shrunk' OR abs(expected_spend / own.mean - 1) < 1e-9) AS mean_of_all,
       bool_and(residual_value > 0 AND CASE WHEN method = 'shrunk' THEN residual_high IS NULL ELSE residual_high >= residual_low END) AS valued
FROM cvm_wild.clv JOIN cvm_wild.customer USING (customer_id), own GROUP BY 1, 2 ORDER BY 2;

-- the last rung is a model like any other: text there and back, every score
SELECT m::text::cvm.model OPERATOR(cvm.=) m AS text, cvm.family(m) AS family, round(cvm.p_alive(m, 3, 25, 33)::numeric, 12) AS p_alive,
       round(cvm.expected_purchases(m, 3, 25, 33, 40)::numeric, 12) AS expected, round(cvm.discounted_purchases(m, 3, 25, 33, 0.002)::numeric, 12) AS discounted
FROM (SELECT 'shrunk-rate(r=0.8,alpha=9,odds=0.25)'::cvm.model AS m) s;
-- by hand (p = 0.2): 1 / (1 + 0.25 (42 / 34)^3.8), times (1 - (1 + 0.2 * 40 / 42)^-3.8) / 0.2
SELECT round((1 / (1 + 0.25 * (42 / 34.0) ^ 3.8))::numeric, 12) AS p_alive, round((1 / (1 + 0.25 * (42 / 34.0) ^ 3.8) * (1 - (1 + 0.2 * 40 / 42) ^ -3.8) / 0.2)::numeric, 12) AS expected;
SELECT count(*) AS on_offer FROM cvm.families WHERE family = 'shrunk-rate';

SELECT cvm.drop_portfolio(p) IS NOT NULL AS dropped FROM unnest('{few,two,wild}'::text[]) p;
DROP SCHEMA ladder_test CASCADE;
