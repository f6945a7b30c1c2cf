-- dynamic_equity: customers to come, net of what they cost to win
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA dynamic_equity_test;
SET search_path = dynamic_equity_test, public;
CREATE FUNCTION agrees(got float8, truth float8, tolerance float8 DEFAULT 1e-12) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN got IS NULL OR truth IS NULL THEN got IS NULL AND truth IS NULL ELSE abs(got - truth) <= tolerance * greatest(abs(truth), 1e-300) END $$;
CREATE FUNCTION u(a int, b int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT (('x' || substr(md5(a || '/' || b), 1, 8))::bit(32)::bigint + 0.5) / 4294967296 $$;
-- 600 customers, evenly over 2023 and so 50 a month
CREATE TABLE orders AS
SELECT c AS customer_id, '2023-01-01 00:00+00'::timestamptz + make_interval(secs => 86400 * (365.0 * (c - 0.5) / 600 + 25 * exp(2 * u(c, 1)) * k * (0.5 + u(c, 100 + k)))) AS ordered_at,
       round((20 * exp(1.5 * (u(c, 2) - 0.5)) * (0.4 + 1.2 * u(c, 200 + k)))::numeric, 2) AS total
FROM generate_series(1, 600) c, generate_series(0, 30) k WHERE k <= floor(-ln(u(c, 3)) * 4);
SELECT cvm.create_portfolio('shop', 'orders', customer => 'customer_id', at => 'ordered_at', amount => 'total',
                            options => '{"margin": 0.4, "annual_discount_rate": 0.12}') IS NOT NULL AS created;
SELECT cvm.dynamic_equity('shop', '{1}', '{1}');
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
SELECT e.residual_value, e.residual_low, e.residual_high, e.predictive_error, e.parameter_error, p.model AS purchases, s.model AS spend
FROM cvm_shop.equity e, cvm_shop.published q, cvm.fitted_model p, cvm.fitted_model s WHERE e.is_total AND p.model_id = q.purchase_model_id AND s.model_id = q.spend_model_id \gset

-- a new customer: margin x mean spend x (the first purchase + those to come)
SELECT agrees(v.value_new, 0.4 * cvm.expected_spend(:'spend', 0, 0) * (1 + cvm.discounted_purchases(:'purchases', 0, 0, 0, ln(1.12) * extract(epoch FROM cvm.unit(:'purchases')) / 31557600)), 1e-9) AS value,
       v.predictive_error > v.value_new AS one_customer, v.parameter_error / v.value_new BETWEEN 0.01 AND 0.5 AS parameters
FROM cvm.new_customer_value('shop') v;
-- by the formula of Gupta, Lehmann & Stuart, with a factor of 1.12 ^ (-1/12) a month
SELECT agrees(d.static_equity, :residual_value) AND agrees(d.static_low, :residual_low) AND agrees(d.static_high, :residual_high) AS static, d.new_customers, agrees(d.acquisition_cost, (100 * 5 + 50 * 8) / 150.0) AS mean_cost,
       agrees(d.future_value, d.value_new * (100 * 1.12 ^ (-1 / 12.0) + 50 * 1.12 ^ (-2 / 12.0))) AS future_value, agrees(d.future_cost, 500 * 1.12 ^ (-1 / 12.0) + 400 * 1.12 ^ (-2 / 12.0)) AS future_cost,
       agrees(d.dynamic_equity, d.static_equity + d.future_value - d.future_cost) AS adds_up,
       d.dynamic_low < d.dynamic_equity AND d.dynamic_equity < d.dynamic_high AS ordered, d.dynamic_high - d.dynamic_low > d.static_high - d.static_low AS wider, d.assumption, d.reason
FROM cvm.dynamic_equity('shop', '{100, 50}', '{5, 8}') d;
-- nobody to come leaves the static equity and its interval
SELECT d.dynamic_equity = d.static_equity AS same, agrees(d.dynamic_low, d.static_low) AS low, agrees(d.dynamic_high, d.static_high) AS high, d.new_customers, d.acquisition_cost FROM cvm.dynamic_equity('shop', '{}', '{}') d;
-- the interval against draws: the errors of the parameters in common, what customers do each his own
SELECT setseed(0.5);
CREATE TABLE draw AS SELECT sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()) AS a, sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()) AS b, sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()) AS c FROM generate_series(1, 40000);
SELECT agrees((d.dynamic_high - d.dynamic_low) / (d.static_high - d.static_low), sum_of.spread / static.spread, 0.02) AS spread, agrees(sum_of.mean, d.dynamic_equity, 0.01) AS mean
FROM cvm.dynamic_equity('shop', array_fill(50, ARRAY[24]), array_fill(6, ARRAY[24])) d,
     LATERAL (SELECT stddev(:predictive_error * a + :parameter_error * c) AS spread FROM draw) static,
     LATERAL (SELECT stddev(z.value) AS spread, avg(z.value) AS mean
              FROM (SELECT :residual_value + :predictive_error * a + :parameter_error * c + v.value_new * f.one + v.predictive_error * sqrt(f.two) * b + v.parameter_error * f.one * c - 6 * f.one AS value
                    FROM draw, cvm.new_customer_value('shop') v, (SELECT sum(50 * 1.12 ^ (-n / 12.0)) AS one, sum(50 * 1.12 ^ (-n / 6.0)) AS two FROM generate_series(1, 24) n) f) z) sum_of;

-- from the feeds: 50 customers a month for 300 a month
CREATE TABLE spend AS SELECT m::date AS at, 300 AS amount FROM generate_series(timestamp '2023-01-01', '2023-12-01', '1 month') m;
SELECT cvm.dynamic_equity('shop');
SELECT cvm.add_feed('shop', 'spend', 'dynamic_equity_test.spend', '{"at": "at", "amount": "amount"}');
SELECT d.new_customers, d.acquisition_cost, d.assumption, d.reason, agrees(d.dynamic_equity, g.dynamic_equity) AS as_given
FROM cvm.dynamic_equity('shop') d, cvm.dynamic_equity('shop', array_fill(50, ARRAY[12]), array_fill(6, ARRAY[12])) g;
SELECT d.new_customers, d.acquisition_cost, d.assumption FROM cvm.dynamic_equity('shop', period => '3 months', periods => 4) d;
-- months before the first customer are no part of the mean
SELECT d.new_customers, d.acquisition_cost, d.assumption FROM cvm.dynamic_equity('shop', periods => 24) d;
-- a value of one's own
SELECT agrees(d.future_value, 10 * 100 / 1.12 ^ (1 / 12.0)) AS value, agrees(d.dynamic_high - d.dynamic_low, d.static_high - d.static_low) AS spread FROM cvm.dynamic_equity('shop', '{100}', '{3}', value_new => 10) d;

-- nobody new, and money that came back
SET client_min_messages = error;
CALL cvm.recompute('shop', '2025-06-01 00:00+00');
SET client_min_messages = warning;
SELECT static_equity > 0 AS static, new_customers, dynamic_equity, assumption, reason FROM cvm.dynamic_equity('shop');
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
INSERT INTO spend VALUES ('2023-06-01', -9999);
SELECT dynamic_equity, reason FROM cvm.dynamic_equity('shop');
-- errors
SELECT cvm.dynamic_equity('nowhere');
SELECT cvm.dynamic_equity('shop', '{1,2}', '{1}');
SELECT cvm.dynamic_equity('shop', '{1,2}');
SELECT cvm.dynamic_equity('shop', '{-1}', '{1}');
SELECT cvm.dynamic_equity('shop', '{1}', '{NaN}');
SELECT cvm.dynamic_equity('shop', '{1,NULL}', '{1,1}');
SELECT cvm.dynamic_equity('shop', '{1}', '{1}', value_new => 'Infinity');
SELECT cvm.dynamic_equity('shop', '{1}', '{1}', period => '0');
SELECT cvm.dynamic_equity('shop', '{1}', '{1}', period => NULL);
SELECT cvm.dynamic_equity('shop', periods => 0);
-- contracts alone: no model of what a new customer is worth
CREATE TABLE no_orders AS SELECT * FROM orders LIMIT 0;
CREATE TABLE subscription AS SELECT c AS customer, date '2023-01-01' + c % 200 AS started, CASE WHEN c % 3 = 0 THEN date '2023-08-01' + c % 100 END AS ended, 10 AS price FROM generate_series(1, 300) c;
SELECT cvm.create_portfolio('club', 'no_orders', customer => 'customer_id', at => 'ordered_at', amount => 'total') IS NOT NULL AS created;
SELECT cvm.add_feed('club', 'subscriptions', 'dynamic_equity_test.subscription', '{"customer": "customer", "started_at": "started", "ended_at": "ended", "price": "price"}');
CALL cvm.recompute('club', '2024-01-01 00:00+00');
SELECT static_equity > 0 AS static, dynamic_equity, reason FROM cvm.dynamic_equity('club', '{1}', '{1}');
SELECT agrees(dynamic_equity, static_equity + 39 / 1.1 ^ (1 / 12.0)) AS dynamic FROM cvm.dynamic_equity('club', '{1}', '{1}', value_new => 40);
SELECT cvm.drop_portfolio('shop'), cvm.drop_portfolio('club');
DROP SCHEMA dynamic_equity_test CASCADE;
