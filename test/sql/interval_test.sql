-- intervals of parameters, of customers and of sums (doc/uncertainty.md)
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA interval_test;
SET search_path = interval_test, cvm, public;

-- estimate exp(+- 1.959964 se / estimate): 2 exp(+- 1.959964 x 0.1), 10 exp(+- 1.959964 x 0.2); a held parameter has none
SELECT parameter, estimate, standard_error, round(low::numeric, 6) AS low, round(high::numeric, 6) AS high
FROM confidence_intervals('sbg(alpha=2,beta=10) customers=100 log_likelihood=-300 rung=full covariance=[0.04,0,0,4]');
SELECT parameter, round(low::numeric, 6) AS low, round(high::numeric, 6) AS high
FROM confidence_intervals('sbg(alpha=2,beta=10) covariance=[0.04,0,0,4]', 0.5);
SELECT * FROM confidence_intervals('bdw(gamma=2,delta=10,c=1) covariance=[0,0,0,0,0,0,0,0,0]');
SELECT * FROM confidence_intervals('bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426)');
SELECT count(*) FROM confidence_intervals(NULL);
SELECT confidence_intervals('sbg(alpha=2,beta=10)', 1);
SELECT confidence_intervals('sbg(alpha=2,beta=10)', 'NaN');

-- a shop whose customers differ in how often they buy, in what they spend, and in how soon they leave
CREATE FUNCTION u(k bigint) RETURNS float8 LANGUAGE sql RETURN (hashint8(k)::float8 + 2147483648.5) / 4294967296;
CREATE TABLE orders AS
WITH c AS (SELECT i, 10 * (-ln(u(i)) - ln(u(i + 100000))) / -ln(u(i + 200000)) AS gap, 10 + 40 * u(i + 300000) AS spend,
                  floor(ln(u(i + 400000)) / ln(1 - 0.7 * u(i + 600000) * u(i + 700000))) AS times, 300 * u(i + 500000) AS born FROM generate_series(1, 1500) i),
     o AS (SELECT c.*, n, sum(CASE WHEN n > 0 THEN -ln(u(1000 * i + n + 1000000)) * gap ELSE 0 END) OVER (PARTITION BY i ORDER BY n) AS passed
           FROM c, generate_series(0, least(times, 300)::int) n)
SELECT i AS customer_id, '2023-01-01 00:00+00'::timestamptz + (born + passed) * interval '1 day' AS at,
       round((spend * (0.5 + u(1000 * i + n + 9000000)))::numeric, 2) AS amount
FROM o WHERE born + passed < 500;
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'at', 'amount', '{"margin": 0.4}') IS NOT NULL AS created;
CALL cvm.recompute('shop', '2024-06-01 00:00+00');
SELECT role, method, standard_errors IS NOT NULL AS sure FROM cvm.models WHERE portfolio = 'shop' ORDER BY role;

-- equity: both errors, and the interval of the squares of both; nothing like the sum of the customers' intervals
CREATE VIEW total AS SELECT * FROM cvm_shop.equity WHERE is_total;
SELECT residual_low < residual_value AND residual_value < residual_high AS inside, predictive_error > 0 AS predictive, parameter_error > 0 AS parameter,
       abs((residual_high - residual_low) / (2 * 1.6449 * sqrt(predictive_error ^ 2 + parameter_error ^ 2)) - 1) < 0.02 AS width,
       (residual_high - residual_low) / (SELECT sum(c.residual_high - c.residual_low) FROM cvm_shop.clv c) < 0.2 AS not_the_sum
FROM total;
-- predictive variances of segments add; errors of parameters add as such at most, being shared, and would be smaller if they were not
SELECT abs(sqrt(sum(e.predictive_error ^ 2)) / max(t.predictive_error) - 1) < 1e-9 AS variances_add,
       max(t.parameter_error) <= sum(e.parameter_error) AS at_most_the_sum, max(t.parameter_error) > sqrt(sum(e.parameter_error ^ 2)) AS shared
FROM cvm_shop.equity e, total t WHERE NOT e.is_total;

-- the aggregate on all customers is the total of the recompute; a sample of the customers is valued anew, which is not the same in both
CREATE VIEW summed AS
SELECT (cvm.sum_interval(v.purchases, v.spend, c.history, v.as_of, v.annual_discount_rate, v.value_horizon, v.margin, 0.9)).*
FROM cvm_shop.customer c, cvm.valuation('shop') v;
SELECT s.customers, s.status, abs(s.residual_value / t.residual_value - 1) < 1e-12 AS value, abs(s.residual_low / t.residual_low - 1) < 1e-3 AS low,
       abs(s.residual_high / t.residual_high - 1) < 1e-3 AS high, abs(s.predictive_error / t.predictive_error - 1) < 1e-9 AS predictive,
       abs(s.parameter_error / t.parameter_error - 1) < 1e-9 AS parameter
FROM summed s, total t;
-- any group: a level, a horizon, full margin
SELECT g.odd, s.customers > 700 AS customers, s.residual_low < s.residual_value AND s.residual_value < s.residual_high AS inside, s.status
FROM (SELECT c.customer_id % 2 AS odd, cvm.sum_interval(v.purchases, v.spend, c.history, v.as_of, 0, '1 year', 1, 0.95) AS s
      FROM cvm_shop.customer c, cvm.valuation('shop') v GROUP BY 1) g, LATERAL (SELECT (g.s).*) s ORDER BY 1;
SELECT abs((cvm.sum_interval(v.purchases, v.spend, c.history, v.as_of, 0.1)).residual_value / max(t.residual_value) * max(v.margin) - 1) < 1e-12 AS five_arguments
FROM cvm_shop.customer c, cvm.valuation('shop') v, total t;

-- gradient by hand: the loadings of a set are the differences of its value along the axes, so that
-- parameter_error^2 = g' C g, g by central differences of SQL's own functions
CREATE FUNCTION moved(m cvm.model, name text, by float8) RETURNS cvm.model LANGUAGE sql RETURN
    (cvm.family(m) || '(' || (SELECT string_agg(p.key || '=' || CASE WHEN p.key = name THEN p.value::float8 * (1 + by) ELSE p.value::float8 END, ',')
                              FROM jsonb_each_text(cvm.parameters(m)) p) || ')')::cvm.model;
CREATE FUNCTION value_of(purchases cvm.model, spend cvm.model) RETURNS float8 LANGUAGE sql RETURN
    (SELECT sum(0.4 * cvm.discounted_purchases($1, c.history, v.as_of, ln(1.1) * 7 / 365.25)
                * cvm.expected_spend($2, c.history)) FROM cvm_shop.customer c, cvm.valuation('shop') v);
CREATE FUNCTION quadratic(m cvm.model, gradient jsonb) RETURNS float8 LANGUAGE sql RETURN
    (SELECT sum((gradient ->> f.parameters[i])::float8 * (gradient ->> f.parameters[j])::float8 * (cvm.covariance(m) -> (i - 1) ->> (j - 1))::float8)
     FROM cvm.families f, generate_subscripts(f.parameters, 1) i, generate_subscripts(f.parameters, 1) j WHERE f.family = cvm.family(m));
WITH v AS MATERIALIZED (SELECT * FROM cvm.valuation('shop')),
     g AS (SELECT (SELECT jsonb_object_agg(p.key, (value_of(moved(purchases, p.key, 1e-4), spend) - value_of(moved(purchases, p.key, -1e-4), spend)) / (2e-4 * p.value::float8))
                   FROM jsonb_each_text(cvm.parameters(purchases)) p) AS purchases,
                  (SELECT jsonb_object_agg(p.key, (value_of(purchases, moved(spend, p.key, 1e-4)) - value_of(purchases, moved(spend, p.key, -1e-4))) / (2e-4 * p.value::float8))
                   FROM jsonb_each_text(cvm.parameters(spend)) p) AS spend FROM v)
SELECT abs(value_of(v.purchases, v.spend) / t.residual_value - 1) < 1e-9 AS value,
       abs(sqrt(quadratic(v.purchases, g.purchases) + quadratic(v.spend, g.spend)) / t.parameter_error - 1) < 0.01 AS delta_method
FROM v, g, total t;

-- what is not known is not made up: no covariance, one that is not positive definite, parameters held
CREATE TABLE unsure (what text, purchases cvm.model);
INSERT INTO unsure SELECT 'by hand', 'bg/nbd(r=0.6,alpha=30,a=0.5,b=3)';
INSERT INTO unsure SELECT 'indefinite', 'bg/nbd(r=0.6,alpha=30,a=0.5,b=3) covariance=[0.01,0.9,0,0,0.9,1,0,0,0,0,0.1,0,0,0,0,0.1]';
INSERT INTO unsure SELECT 'not symmetric', 'bg/nbd(r=0.6,alpha=30,a=0.5,b=3) covariance=[0.01,0.01,0,0,-0.01,1,0,0,0,0,0.1,0,0,0,0,0.1]';
INSERT INTO unsure SELECT 'singular', 'bg/nbd(r=0.6,alpha=30,a=0.5,b=3) covariance=[0.01,0.1,0,0,0.1,1,0,0,0,0,0.1,0,0,0,0,0.1]';
INSERT INTO unsure SELECT 'held', 'bg/nbd(r=1,alpha=30,a=1,b=3) customers=9 log_likelihood=-9 rung=simpler covariance=[0,0,0,0,0,1,0,0,0,0,0,0,0,0,0,1]';
INSERT INTO unsure SELECT 'penalised', 'bg/nbd(r=1,alpha=30,a=1,b=3) customers=9 log_likelihood=-9 rung=penalised covariance=[0.01,0,0,0,0,1,0,0,0,0,0.01,0,0,0,0,1]';
SELECT u.what, s.status, s.residual_value > 0 AS valued, s.residual_low IS NULL AND s.residual_high IS NULL AND s.parameter_error IS NULL AS no_interval, s.predictive_error > 0 AS predictive
FROM (SELECT u.what, cvm.sum_interval(u.purchases, v.spend, c.history, v.as_of, 0.1) AS s FROM unsure u, cvm_shop.customer c, cvm.valuation('shop') v GROUP BY 1) u,
     LATERAL (SELECT (u.s).*) s ORDER BY 1;
-- and so in a recompute: a pinned model without covariance
UPDATE cvm.fitted_model SET model = (SELECT purchases FROM unsure WHERE what = 'by hand') WHERE portfolio = 'shop' AND role = 'purchases';
SELECT cvm.promote(model_id) = model_id AS promoted FROM cvm.models WHERE portfolio = 'shop' AND role = 'purchases';
CALL cvm.recompute('shop', '2024-06-01 00:00+00');
SELECT count(residual_low) AS low, count(residual_high) AS high, count(*) = count(residual_value) AS valued FROM cvm_shop.clv;
SELECT residual_low IS NULL AND residual_high IS NULL AND parameter_error IS NULL AS no_interval, predictive_error > 0 AS predictive FROM total;

-- errors
SELECT cvm.sum_interval(spend, purchases, NULL, as_of, 0.1) FROM cvm.valuation('shop');
SELECT cvm.sum_interval(purchases, spend, NULL, as_of, 0) FROM cvm.valuation('shop');
SELECT cvm.sum_interval(purchases, spend, NULL, as_of, 'NaN') FROM cvm.valuation('shop');
SELECT cvm.sum_interval(purchases, spend, NULL, as_of, 0.1, '-1 day', 1, 0.9) FROM cvm.valuation('shop');
SELECT cvm.sum_interval(purchases, spend, NULL, as_of, 0.1, NULL, 0, 0.9) FROM cvm.valuation('shop');
SELECT cvm.sum_interval(purchases, spend, NULL, as_of, 0.1, NULL, 1, 1) FROM cvm.valuation('shop');
SELECT cvm.sum_interval(NULL, spend, NULL, as_of, 0.1) FROM cvm.valuation('shop');
SELECT cvm.sum_interval(purchases, spend, NULL, NULL, 0.1) FROM cvm.valuation('shop');
SELECT cvm.sum_interval(purchases, spend, NULL, as_of, r) FROM cvm.valuation('shop'), unnest(ARRAY[0.1, 0.2]) r;
SELECT cvm.sum_interval('bg/bb(alpha=1,beta=1,gamma=1,delta=1)', spend, NULL, as_of, 0.1) FROM cvm.valuation('shop');
SELECT cvm.sum_interval(purchases, 'gamma-gamma(p=1,q=0.5,gamma=10)', history, as_of, 0.1) FROM cvm.valuation('shop'), cvm_shop.customer WHERE customer_id = 3;
SELECT cvm.sum_interval(purchases, spend, NULL, as_of, 0.1) FROM cvm.valuation('shop');
SELECT cvm.sum_interval(purchases, spend, NULL, as_of, 0.1) IS NULL AS nobody FROM cvm.valuation('shop') WHERE false;
SELECT cvm.valuation('nobody');

DROP VIEW summed, total;
SELECT cvm.drop_portfolio('shop', true) IS NOT NULL AS dropped;
DROP SCHEMA interval_test CASCADE;
