-- recompute: every relation of the output against plain SQL over the feed
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;

-- a small shop; pseudo-random numbers in (0, 1) from a hash, the same everywhere
CREATE SCHEMA shop_test;
SET search_path = shop_test, public;
CREATE FUNCTION u(a int, b int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT (('x' || substr(md5(a || '/' || b), 1, 8))::bit(32)::bigint + 0.5) / 4294967296 $$;
CREATE TABLE orders (order_id int, customer_id bigint, ordered_at timestamptz, total numeric);
INSERT INTO orders
SELECT c * 100 + k, c,
       '2023-01-01 00:00+00'::timestamptz
         + make_interval(secs => 86400 * (300 * u(c, 0) + 25 * exp(2 * u(c, 1)) * k * (0.5 + u(c, 100 + k)))),
       round((20 * exp(1.5 * (u(c, 2) - 0.5)) * (0.4 + 1.2 * u(c, 200 + k)))::numeric, 2)
FROM generate_series(1, 600) c, generate_series(0, 30) k
WHERE k <= floor(-ln(u(c, 3)) * 4);
-- refunds a day after the order, and two purchases a day
INSERT INTO orders SELECT order_id + 50, customer_id, ordered_at + interval '1 day', -total / 2
FROM orders WHERE order_id % 17 = 0;
INSERT INTO orders SELECT order_id + 70, customer_id, ordered_at, 5 FROM orders WHERE order_id % 23 = 0 AND total > 0;
-- money without a purchase
INSERT INTO orders VALUES (-1, -1, '2023-06-01 12:00+00', -9.99);

SELECT cvm.create_portfolio('shop', 'orders', customer => 'customer_id', at => 'ordered_at', amount => 'total',
                            options => '{"margin": 0.4, "annual_discount_rate": 0.12}') IS NOT NULL AS created;
CALL cvm.recompute('shop', '2024-04-01 00:00+00');

-- customers: the same statistics by plain SQL
CREATE VIEW truth AS
WITH f AS (
    SELECT customer_id, (ordered_at AT TIME ZONE 'UTC')::date AS day, total, ordered_at
    FROM orders WHERE ordered_at <= '2024-04-01 00:00+00'),
first AS (
    SELECT customer_id, min(day) FILTER (WHERE total >= 0) AS first_day, max(day) FILTER (WHERE total >= 0) AS last_day,
           count(DISTINCT day) FILTER (WHERE total >= 0) - 1 AS x, count(*) FILTER (WHERE total >= 0) AS orders,
           min(ordered_at) FILTER (WHERE total >= 0) AS first_at, max(ordered_at) FILTER (WHERE total >= 0) AS last_at,
           sum(total) AS total
    FROM f GROUP BY customer_id)
SELECT first.*, (SELECT sum(f.total) FROM f WHERE f.customer_id = first.customer_id AND f.day > first_day) AS repeat_total
FROM first;

SELECT count(*) AS customers,
       count(*) FILTER (WHERE c.orders <> t.orders) AS orders_differ,
       count(*) FILTER (WHERE t.x >= 0 AND c.repeat_periods <> t.x) AS repeat_periods_differ,
       count(*) FILTER (WHERE c.first_at IS DISTINCT FROM t.first_at OR c.last_at IS DISTINCT FROM t.last_at) AS times_differ,
       count(*) FILTER (WHERE c.realised_value <> round(t.total * 0.4, 4)) AS realised_differ,
       count(*) FILTER (WHERE t.x > 0 AND abs(cvm.mean_spend(c.history) - t.repeat_total / t.x) > 1e-9) AS spend_differ
FROM cvm_shop.customer c JOIN truth t USING (customer_id);
SELECT (SELECT count(*) FROM truth) = (SELECT count(*) FROM cvm_shop.customer) AS all_customers,
       (SELECT count(*) FROM cvm_shop.clv) = (SELECT count(*) FROM cvm_shop.churn) AS clv_and_churn;
SELECT status, method, count(*) > 0 AS some FROM cvm_shop.clv GROUP BY 1, 2 ORDER BY 1, 2;

-- the model is the one the aggregate fits on the same rows
SELECT m.role, abs(cvm.log_likelihood(m.model) / cvm.log_likelihood(f.model) - 1) < 1e-10 AS same_likelihood,
       cvm.customers(m.model) = cvm.customers(f.model) AS same_customers
FROM cvm.fitted_model m
JOIN LATERAL (
    SELECT CASE m.role WHEN 'purchases' THEN cvm.fit('bg/nbd', h, '2024-04-01 00:00+00') ELSE cvm.fit_spend(h) END AS model
    FROM (SELECT cvm.purchase_history(ordered_at, total) AS h FROM orders
          WHERE ordered_at <= '2024-04-01 00:00+00' GROUP BY customer_id) s) f ON true
WHERE m.portfolio = 'shop' ORDER BY m.role;

-- scores are what the scalar functions say
WITH m AS (SELECT max(model::text) FILTER (WHERE role = 'purchases')::cvm.model AS p,
                  max(model::text) FILTER (WHERE role = 'spend')::cvm.model AS s
           FROM cvm.fitted_model WHERE portfolio = 'shop'),
t AS (
    SELECT v.*, h.p_alive, h.p_no_purchase, h.value_at_risk, c.repeat_periods AS x,
           cvm.p_alive(m.p, c.history, v.as_of) AS p_alive_2,
           cvm.expected_purchases(m.p, c.history, v.as_of, interval '365.25 days') AS expected_2,
           cvm.expected_spend(m.s, c.history) AS spend_2,
           cvm.discounted_purchases(m.p, c.repeat_periods, cvm.span(c.history), cvm.age(c.history, v.as_of),
                                    ln(1.12) * 7 / 365.25) AS discounted_2,
           cvm.mean_spend(c.history) > 0 OR c.repeat_periods = 0 AS spend_is_own
    FROM cvm_shop.clv v JOIN cvm_shop.churn h USING (customer_id) JOIN cvm_shop.customer c USING (customer_id), m
    WHERE v.status <> 'excluded')
SELECT max(abs(p_alive / p_alive_2 - 1)) FILTER (WHERE p_alive_2 > 0) < 1e-10 AS p_alive,
       max(abs(expected_purchases / expected_2 - 1)) FILTER (WHERE expected_2 > 0) < 1e-10 AS expected,
       max(abs(expected_spend / spend_2 - 1)) FILTER (WHERE spend_is_own) < 1e-10 AS spend,
       max(abs(residual_value / (0.4 * expected_spend * discounted_2) - 1)) FILTER (WHERE discounted_2 > 0) < 1e-9 AS residual,
       max(abs(lifetime_value - residual_value - realised_value::float8)) < 1e-9 AS lifetime,
       bool_and(p_no_purchase BETWEEN 1 - p_alive - 1e-15 AND 1) AS p_no_purchase,
       max(abs(value_at_risk * p_alive - residual_value * (1 - p_alive))) < 1e-6 AS at_risk,
       bool_and(residual_low <= residual_high AND residual_low >= 0) AS ordered,
       avg((residual_low <= residual_value AND residual_value <= residual_high)::int) > 0.9 AS mean_inside
FROM t;

-- lapsed: the 95 % quantile of own gaps where there are three, else of everybody's
WITH days AS (
    SELECT DISTINCT customer_id, (ordered_at AT TIME ZONE 'UTC')::date AS day FROM orders
    WHERE ordered_at <= '2024-04-01 00:00+00' AND total >= 0),
gaps AS (SELECT customer_id, day - lag(day) OVER (PARTITION BY customer_id ORDER BY day) AS gap FROM days),
everybody AS (SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY gap) AS q FROM gaps),
own AS (SELECT customer_id, count(gap) AS n, percentile_cont(0.95) WITHIN GROUP (ORDER BY gap) AS q FROM gaps GROUP BY 1)
SELECT count(*) FILTER (WHERE h.is_lapsed <> (date '2024-04-01' - d.last > CASE WHEN own.n >= 3 THEN own.q ELSE everybody.q END)) AS wrong,
       count(*) FILTER (WHERE h.days_silent <> date '2024-04-01' - d.last) AS days_wrong,
       count(*) FILTER (WHERE h.is_lapsed) > 0 AS some_lapsed
FROM cvm_shop.churn h JOIN own USING (customer_id)
JOIN (SELECT customer_id, max(day) AS last FROM days GROUP BY 1) d USING (customer_id), everybody;

-- RFM: floor(5 (rank - 1) / n) + 1, equal values score equal
WITH r AS (
    SELECT customer_id,
           5 * (rank() OVER (ORDER BY last_day) - 1) / count(*) OVER () + 1 AS recency,
           5 * (rank() OVER (ORDER BY x) - 1) / count(*) OVER () + 1 AS frequency,
           5 * (rank() OVER (ORDER BY total) - 1) / count(*) OVER () + 1 AS monetary
    FROM truth WHERE x >= 0)
SELECT count(*) FILTER (WHERE (recency_score, frequency_score, monetary_score) IS DISTINCT FROM
                              (recency::smallint, frequency::smallint, monetary::smallint)) AS wrong,
       count(DISTINCT recency_score) AS recency_scores
FROM cvm_shop.segment_member JOIN r USING (customer_id);

-- segments: the first rule that is true
SELECT count(*) FILTER (WHERE segment = 'Champions') > 0 AS champions,
       count(*) FILTER (WHERE segment = 'Champions' AND NOT (recency_score = 5 AND frequency_score >= 4)) AS wrong,
       count(*) FILTER (WHERE segment = 'unclassified') AS unclassified
FROM cvm_shop.segment_member;

-- equity and segment_summary add up
SELECT count(*) FILTER (WHERE is_total) AS totals,
       abs(sum(residual_value) FILTER (WHERE NOT is_total) / sum(residual_value) FILTER (WHERE is_total) - 1) < 1e-12 AS residual,
       sum(realised_value) FILTER (WHERE NOT is_total) = sum(realised_value) FILTER (WHERE is_total) AS realised,
       sum(customers) FILTER (WHERE NOT is_total) = sum(customers) FILTER (WHERE is_total) AS customers,
       abs(sum(equity_share) FILTER (WHERE NOT is_total) - 1) < 1e-12 AS share
FROM cvm_shop.equity;
SELECT abs((SELECT sum(residual_value) FROM cvm_shop.clv) / residual_value - 1) < 1e-12 AS residual,
       (SELECT sum(realised_value) FROM cvm_shop.clv) = realised_value AS realised,
       residual_low < residual_value AND residual_value < residual_high AS interval
FROM cvm_shop.equity WHERE segment = 'all';
SELECT count(*) FILTER (WHERE s.customers IS DISTINCT FROM m.n) AS differ
FROM cvm_shop.segment_summary s FULL JOIN (SELECT segment, count(*) AS n FROM cvm_shop.segment_member GROUP BY 1) m USING (segment);

-- cohorts against plain SQL
WITH p AS (
    SELECT customer_id, date_trunc('month', ordered_at AT TIME ZONE 'UTC')::date AS month, total
    FROM orders WHERE ordered_at <= '2024-04-01 00:00+00'),
c AS (SELECT customer_id, date_trunc('month', first_day)::date AS cohort_on FROM truth WHERE x >= 0),
cell AS (
    SELECT cohort_on, (extract(year FROM age(month, cohort_on)) * 12 + extract(month FROM age(month, cohort_on)))::int AS age_periods,
           count(DISTINCT customer_id) FILTER (WHERE total >= 0) AS active, sum(total) AS value
    FROM p JOIN c USING (customer_id) GROUP BY 1, 2)
SELECT count(*) > 50 AS cells, count(*) FILTER (WHERE r.active <> coalesce(cell.active, 0)) AS active_differ,
       count(*) FILTER (WHERE abs(r.cumulative_value - (SELECT coalesce(sum(e.value), 0) * 0.4 FROM cell e
            WHERE e.cohort_on = r.cohort_on AND e.age_periods <= r.age_periods)) > 0.01) AS value_differ,
       count(*) FILTER (WHERE r.age_periods = 0 AND r.retention_rate <> 1) AS start_differs,
       (SELECT count(*) FROM cell LEFT JOIN cvm_shop.cohort_retention q USING (cohort_on, age_periods) WHERE q.active IS NULL) AS missing
FROM cvm_shop.cohort_retention r LEFT JOIN cell USING (cohort_on, age_periods);

-- same input, same output; one run published; the old partition is gone
CREATE TABLE before AS SELECT * FROM cvm_shop.customer_value;
CREATE TABLE member_before AS SELECT * FROM cvm_shop.segment_member;
CALL cvm.recompute('shop', '2024-04-01 00:00+00');
SELECT count(*) AS differences FROM (
    (SELECT to_jsonb(b) - 'model_id' FROM before b EXCEPT ALL SELECT to_jsonb(v) - 'model_id' FROM cvm_shop.customer_value v)
    UNION ALL
    (SELECT to_jsonb(v) - 'model_id' FROM cvm_shop.customer_value v EXCEPT ALL SELECT to_jsonb(b) - 'model_id' FROM before b)) d;
SELECT count(*) AS partitions FROM pg_inherits WHERE inhparent = 'cvm_shop.score'::regclass;
SELECT count(DISTINCT as_of) AS dates FROM cvm_shop.equity;

-- a later date: since is kept where the segment is, the earlier equity rows stay
CALL cvm.recompute('shop', as_of => '2024-05-01 00:00+00');
SELECT count(DISTINCT as_of) AS dates FROM cvm_shop.equity;
SELECT bool_and(CASE WHEN n.segment = b.segment THEN n.since = '2024-04-01 00:00+00' ELSE n.since = '2024-05-01 00:00+00' END) AS since,
       count(*) FILTER (WHERE n.segment = b.segment) > 0 AS stayed, count(*) FILTER (WHERE n.segment <> b.segment) > 0 AS moved
FROM cvm_shop.segment_member n JOIN member_before b USING (customer_id);

-- rules of one's own
UPDATE cvm_shop.segment_rule SET position = position + 1000;
INSERT INTO cvm_shop.segment_rule (position, segment, predicate)
VALUES (1, 'big spenders', 'cvm.orders(history) >= 5 AND expected_spend > 20');
CALL cvm.recompute('shop', '2024-05-01 00:00+00');
SELECT count(*) > 0 AS some, count(*) FILTER (WHERE c.orders < 5 OR v.expected_spend <= 20) AS wrong
FROM cvm_shop.segment_member m JOIN cvm_shop.customer c USING (customer_id) JOIN cvm_shop.clv v USING (customer_id)
WHERE m.segment = 'big spenders';
-- in the words of customer_value
UPDATE cvm_shop.segment_rule SET predicate = 'churn_risk > 0.3 AND orders >= 3 AND repeat_periods >= 2 AND mean_spend > 5 AND lifetime_value > 10
    AND first_at < last_at AND rfm_cell ~ ''^[1-4]'' AND status IN (''ok'', ''fallback'')' WHERE position = 1;
CALL cvm.recompute('shop', '2024-05-01 00:00+00');
SELECT count(*) FILTER (WHERE is_right) > 0 AS some, count(*) FILTER (WHERE is_right <> (segment = 'big spenders')) AS wrong
FROM (SELECT segment, coalesce(churn_risk > 0.3 AND orders >= 3 AND repeat_periods >= 2 AND mean_spend > 5 AND lifetime_value > 10
             AND first_at < last_at AND rfm_cell ~ '^[1-4]' AND status IN ('ok', 'fallback'), false) AS is_right FROM cvm_shop.customer_value) v;

-- a bad rule fails, names itself, and changes nothing
UPDATE cvm_shop.segment_rule SET predicate = 'no_such_column > 1' WHERE position = 1;
\set VERBOSITY default
CALL cvm.recompute('shop', '2024-06-01 00:00+00');
\set VERBOSITY terse
UPDATE cvm_shop.segment_rule SET predicate = 'true) FROM pg_authid WHERE (true' WHERE position = 1;
CALL cvm.recompute('shop', '2024-06-01 00:00+00');
UPDATE cvm_shop.segment_rule SET predicate = '(SELECT true)' WHERE position = 1;
CALL cvm.recompute('shop', '2024-06-01 00:00+00');
UPDATE cvm_shop.segment_rule SET predicate = '1 / (cvm.orders(history) - cvm.orders(history)) > 0' WHERE position = 1;
CALL cvm.recompute('shop', '2024-06-01 00:00+00');
DELETE FROM cvm_shop.segment_rule WHERE position = 1;
INSERT INTO cvm_shop.segment_rule (position, segment, predicate) VALUES (1, 'all', 'true');
INSERT INTO cvm_shop.segment_rule (position, segment, predicate) VALUES (1, '', 'true');
SELECT DISTINCT as_of AT TIME ZONE 'UTC' AS as_of FROM cvm_shop.clv;
SELECT status, sqlstate, count(*) FROM cvm.run WHERE portfolio = 'shop' GROUP BY 1, 2 ORDER BY 1, 2;

-- in a transaction block and in a function everything is the caller's one transaction
BEGIN;
CALL cvm.recompute('shop', '2024-06-01 00:00+00');
SELECT DISTINCT as_of AT TIME ZONE 'UTC' AS as_of FROM cvm_shop.clv;
ROLLBACK;
SELECT DISTINCT as_of AT TIME ZONE 'UTC' AS as_of FROM cvm_shop.clv;
CREATE FUNCTION in_function() RETURNS void LANGUAGE plpgsql AS
$$ BEGIN CALL cvm.recompute('shop', '2024-06-01 00:00+00'); END $$;
SELECT in_function();
SELECT DISTINCT as_of AT TIME ZONE 'UTC' AS as_of FROM cvm_shop.clv;
BEGIN;
CALL cvm.recompute('shop', '2024-06-01 00:00+00');
CALL cvm.recompute('shop', '2024-06-02 00:00+00');
COMMIT;
SELECT DISTINCT as_of AT TIME ZONE 'UTC' AS as_of FROM cvm_shop.clv;
CALL cvm.recompute('shop', '2024-06-03 00:00+00');
SELECT count(*) AS partitions, (SELECT count(*) FROM cvm_shop.retired_run) AS retired
FROM pg_inherits WHERE inhparent = 'cvm_shop.score'::regclass;

-- bad feeds: a clear error, the published result intact
CREATE TABLE bad (customer_id text, at timestamptz, amount float8);
SELECT cvm.create_portfolio('bad', 'bad', 'customer_id', 'at', 'amount') IS NOT NULL AS created;
CALL cvm.recompute('bad', '2024-01-01 00:00+00');
INSERT INTO bad VALUES ('one', '2023-01-01 00:00+00', 10);
CALL cvm.recompute('bad', '2024-01-01 00:00+00');
CALL cvm.recompute('bad', '2022-01-01 00:00+00');
INSERT INTO bad SELECT 'c' || i, '2023-01-01 00:00+00'::timestamptz + i * interval '1 day', 10 FROM generate_series(1, 20) i;
CALL cvm.recompute('bad', '2024-01-01 00:00+00');
INSERT INTO bad SELECT 'c' || i, '2023-03-01 00:00+00'::timestamptz + i * interval '1 day', 0 FROM generate_series(1, 10) i;
CALL cvm.recompute('bad', '2024-01-01 00:00+00');
INSERT INTO bad SELECT 'c' || i, '2023-06-01 00:00+00'::timestamptz + i * i * interval '1 day', 3 + i FROM generate_series(1, 12) i;
CALL cvm.recompute('bad', '2024-01-01 00:00+00');
SELECT count(*) FROM cvm_bad.clv;
BEGIN; INSERT INTO bad VALUES (NULL, '2023-01-01 00:00+00', 10); CALL cvm.recompute('bad', '2024-01-01 00:00+00'); ROLLBACK;
BEGIN; INSERT INTO bad VALUES ('two', NULL, 10); CALL cvm.recompute('bad', '2024-01-01 00:00+00'); ROLLBACK;
BEGIN; INSERT INTO bad VALUES ('two', '2023-01-01 00:00+00', NULL); CALL cvm.recompute('bad', '2024-01-01 00:00+00'); ROLLBACK;
BEGIN; INSERT INTO bad VALUES ('two', '2023-01-01 00:00+00', 'NaN'); CALL cvm.recompute('bad', '2024-01-01 00:00+00'); ROLLBACK;
BEGIN; INSERT INTO bad VALUES ('two', '2023-01-01 00:00+00', 'Infinity'); CALL cvm.recompute('bad', '2024-01-01 00:00+00'); ROLLBACK;
BEGIN; INSERT INTO bad VALUES ('two', '-infinity', 1); CALL cvm.recompute('bad', '2024-01-01 00:00+00'); ROLLBACK;
BEGIN; DROP TABLE bad; CALL cvm.recompute('bad', '2024-01-01 00:00+00'); ROLLBACK;
BEGIN; ALTER TABLE bad RENAME amount TO amout; CALL cvm.recompute('bad', '2024-01-01 00:00+00'); ROLLBACK;
BEGIN; ALTER TABLE bad ALTER customer_id TYPE varchar(10); CALL cvm.recompute('bad', '2024-01-01 00:00+00'); ROLLBACK;
-- check says so before
BEGIN; ALTER TABLE bad ALTER customer_id TYPE varchar(10); SELECT level, finding, hint FROM cvm.check('bad') WHERE level = 'error'; ROLLBACK;
SELECT count(*) AS errors FROM cvm.check('bad') WHERE level = 'error';
CALL cvm.recompute('bad', 'infinity');
CALL cvm.recompute(NULL);
CALL cvm.recompute('nobody');
SELECT count(*) FROM cvm_bad.clv;

SELECT cvm.drop_portfolio('bad') IS NOT NULL AS dropped;
SELECT cvm.drop_portfolio('shop') IS NOT NULL AS dropped;
DROP SCHEMA shop_test CASCADE;
