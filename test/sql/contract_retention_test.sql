-- contract_retention: who stays under contract, what they pay and for how long, against hand-computed tables
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA contract_retention_test;
SET search_path = contract_retention_test, public;
SET datestyle = 'ISO';

-- the worked case: of 200 customers 30 leave in January, while 50 join and 10 of those leave again
CREATE TABLE member (customer int, since date, until date, price numeric DEFAULT 10);
INSERT INTO member SELECT c, date '2023-06-01', CASE WHEN c <= 30 THEN date '2024-01-05' + c % 20 END FROM generate_series(1, 200) AS c;
INSERT INTO member SELECT c, date '2024-01-03', CASE WHEN c > 240 THEN date '2024-01-28' END FROM generate_series(201, 250) AS c;
\set map '{"customer": "customer", "started_at": "since", "ended_at": "until", "price": "price"}'
-- 85 % from sets, and as (E - N) / S with the 40 who are still there; 80 % is what counting all 50 who joined makes of it
SELECT customers_at_start AS s, customers_at_end AS e, new_customers AS n, lost, retention_rate, churn_rate, cvm.retention_from_counts(customers_at_start, customers_at_end, new_customers) AS by_counts,
       cvm.retention_from_counts(customers_at_start, customers_at_end, 50) AS all_who_joined, nrr, grr, reason
FROM cvm.contract_retention_of('member', :'map', '2024-01-01', '2024-02-01');
-- sets by plain SQL say the same, month by month
SELECT count(*) AS months, count(*) FILTER (WHERE r.retention_rate IS DISTINCT FROM cvm.retention_rate(
    ARRAY(SELECT customer FROM member m WHERE m.since < r.period_on AND coalesce(m.until >= r.period_on, true)),
    ARRAY(SELECT customer FROM member m WHERE m.since < r.period_on + interval '1 month' AND coalesce(m.until >= r.period_on + interval '1 month', true)))) AS differ
FROM cvm.contract_retention_of('member', :'map', '2023-06-01', '2024-04-01') r;

-- January to March 2024, prices a renewal:
--   a 100, from 1 Feb 120 (a change of plan: no one is lost)          b 50, ends on 15 Jan, back on 10 Mar at 60
--   c 80, from 10 Feb 70 (overlaps 5 days)                            d new on 20 Jan at 30, gone on 25 Jan; e new on 5 Feb at 40
--   f ends before it starts, on 3 Feb: left out                       g ends on 1 Mar 2030: not known, runs
CREATE TABLE plan (customer text, since timestamptz, until timestamptz, price numeric);
INSERT INTO plan VALUES ('a', '2023-01-01', '2024-02-01', 100), ('a', '2024-02-01', NULL, 120), ('b', '2023-05-01', '2024-01-15', 50), ('b', '2024-03-10', NULL, 60),
    ('c', '2023-05-01', '2024-02-15', 80), ('c', '2024-02-10', NULL, 70), ('d', '2024-01-20', '2024-01-25', 30), ('e', '2024-02-05', NULL, 40), ('f', '2024-02-03', '2024-01-03', 90),
    ('g', '2023-02-01', '2030-03-01', 10);
CREATE TABLE segment (customer_id text, segment text);
INSERT INTO segment VALUES ('a', 'large'), ('c', 'large'), ('b', 'small'), ('d', 'small'), ('e', 'small'), ('g', 'small');
SELECT period_on, customers_at_start AS s, customers_at_end AS e, new_customers AS n, lost, won_back AS back, round(retention_rate::numeric, 4) AS retention, opening_revenue AS opening, expansion AS more, contraction AS less,
       churned_revenue AS gone, closing_revenue AS closing, round(nrr::numeric, 4) AS nrr, round(grr::numeric, 4) AS grr, left_out
FROM cvm.contract_retention_of('plan', :'map', '2024-01-01', '2024-04-01') ORDER BY 1;
SELECT count(*) AS wrong FROM (
    SELECT period_on, customers_at_start, customers_at_end, new_customers, lost, won_back, opening_revenue, expansion, contraction, churned_revenue, closing_revenue
    FROM cvm.contract_retention_of('plan', :'map', '2024-01-01', '2024-04-01')
    -- January: a, b, c, g at the start, b leaves; February: a pays 20 more (his old plan still runs as the month begins), c 10 less, e is new; March: b is back
    EXCEPT SELECT * FROM (VALUES (date '2024-01-01', 4::bigint, 3::bigint, 0::bigint, 1::bigint, 0::bigint, 240::numeric, 0::numeric, 0::numeric, 50::numeric, 190::numeric),
        ('2024-02-01', 3, 4, 1, 0, 0, 190, 20, 10, 0, 200), ('2024-03-01', 4, 5, 1, 0, 1, 240, 0, 0, 0, 240)) AS t) AS x;
-- by segment, adding up to all
SELECT period_on, sum(customers_at_start) FILTER (WHERE is_total) = sum(customers_at_start) FILTER (WHERE NOT is_total) AS customers,
       sum(closing_revenue) FILTER (WHERE is_total) = sum(closing_revenue) FILTER (WHERE NOT is_total) AS revenue, sum(lost) FILTER (WHERE segment = 'small') AS small_lost
FROM cvm.contract_retention_of('plan', :'map', '2024-01-01', '2024-04-01', segments => 'segment') GROUP BY 1 ORDER BY 1;
-- an upgrade does not pay for one who leaves: per customer 100 of 200, in total 100 %
CREATE TABLE two (customer int, since date, until date, price int);
INSERT INTO two VALUES (1, '2023-01-01', '2024-01-10', 100), (1, '2024-01-10', NULL, 200), (2, '2023-01-01', '2024-01-20', 100);
SELECT nrr, grr FROM cvm.contract_retention_of('two', :'map', '2024-01-01', '2024-02-01');
-- nobody at the start, no price known, a price of nothing
SELECT period_on, customers_at_start AS s, customers_at_end AS e, retention_rate, churn_rate, nrr, grr, reason FROM cvm.contract_retention_of('plan', :'map', '2022-12-01', '2023-02-01');
SELECT retention_rate, opening_revenue, nrr, reason FROM cvm.contract_retention_of('plan', '{"customer": "customer", "started_at": "since", "ended_at": "until"}', '2024-01-01', '2024-02-01');
CREATE TABLE free AS SELECT customer, since, until, 0 AS price FROM two;
SELECT retention_rate, nrr, grr, reason FROM cvm.contract_retention_of('free', :'map', '2024-01-01', '2024-02-01');
-- empty
SELECT customers_at_start, retention_rate, reason FROM cvm.contract_retention_of('free', :'map', '2020-01-01', '2020-02-01');

-- retention time: of four, two ended after 10 and 30 days, two run for 20 and 40: S falls to 3/4 at 10 and to 3/8 at 30
CREATE TABLE run (customer int, since date, until date);
INSERT INTO run VALUES (1, '2024-01-01', '2024-01-11'), (2, '2024-01-01', '2024-01-31'), (3, '2024-01-21', NULL), (4, '2024-01-01', '2024-03-01'), (5, '2024-01-20', '2024-01-10');
-- the mean within 40 days: 10 + 20 x 3/4 + 10 x 3/8 = 28.75
SELECT subscriptions, ended, median_days, mean_days, observed_days, is_censored, left_out, reason FROM cvm.retention_time_of('run', '{"customer": "customer", "started_at": "since", "ended_at": "until"}', '2024-02-10');
-- half have not ended yet; none has started
SELECT subscriptions, ended, median_days, is_censored, reason FROM cvm.retention_time_of('run', '{"customer": "customer", "started_at": "since", "ended_at": "until"}', '2024-01-25');
SELECT subscriptions, ended, median_days, mean_days, is_censored, reason FROM cvm.retention_time_of('run', '{"customer": "customer", "started_at": "since", "ended_at": "until"}', '2023-01-25');
\set VERBOSITY terse
SELECT cvm.retention_time_of('run', '{"customer": "customer", "started_at": "since"}', NULL);
SELECT cvm.contract_retention_of('run', '{"customer": "customer"}', '2024-01-01', '2024-02-01');
SELECT cvm.contract_retention_of('run', '{"customer": "customer", "started_at": "customer"}', '2024-01-01', '2024-02-01');
SELECT cvm.contract_retention_of('run', '{"customer": "customer", "started_at": "since"}', '2024-02-01', '2024-01-01');
INSERT INTO plan VALUES ('h', '2023-01-01', NULL, 'NaN');
SELECT count(*) FROM cvm.contract_retention_of('plan', :'map', '2024-01-01', '2024-04-01');
\set VERBOSITY default
DELETE FROM plan WHERE customer = 'h';

-- of a portfolio: without the feed, with it, and the views that its recompute leaves
CREATE TABLE orders AS SELECT 'a' AS customer, date '2023-01-01' + i * 20 AS at, 10 AS amount FROM generate_series(1, 10) AS i UNION ALL SELECT 'b', date '2023-03-01' + i * 30, 5 FROM generate_series(1, 5) AS i;
SELECT cvm.create_portfolio('con', 'contract_retention_test.orders', 'customer', 'at', 'amount', '{"predictive_interval": false, "report_months": 3}');
SELECT cvm.contract_retention('con', '2024-01-01', '2024-04-01');
DELETE FROM plan WHERE customer = 'f';
SELECT cvm.add_feed('con', 'subscriptions', 'contract_retention_test.plan', :'map');
CALL cvm.recompute('con', '2024-04-10');
SELECT as_of AT TIME ZONE 'UTC' AS as_of, from_on, to_on FROM cvm_con.report_window;
SELECT count(*) AS rows, (SELECT count(*) FROM (SELECT * FROM cvm_con.contract_retention EXCEPT SELECT * FROM cvm.contract_retention('con', '2024-01-01', '2024-04-01')) x) AS differ FROM cvm_con.contract_retention;
SELECT period_on, customers_at_start, retention_rate, nrr FROM cvm_con.contract_retention WHERE is_total ORDER BY 1;
SELECT subscriptions, ended, is_censored FROM cvm_con.retention_time WHERE is_total;
-- without the feed they are empty again
SELECT cvm.drop_feed('con', 'subscriptions');
CALL cvm.recompute('con', '2024-04-10');
SELECT (SELECT count(*) FROM cvm_con.contract_retention) AS contract_retention, (SELECT count(*) FROM cvm_con.retention_time) AS retention_time;
SELECT cvm.drop_portfolio('con');
DROP SCHEMA contract_retention_test CASCADE;
