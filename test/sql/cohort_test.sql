-- cohort: cohort tables with right-censoring, churn by three definitions, customers won back, against hand-computed tables
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA cohort_test;
SET search_path = cohort_test, public;

CREATE TABLE orders (customer int, at timestamp, amount numeric, cost numeric);
-- January: 1, 2 and 3; February: nobody; March: 4
INSERT INTO orders VALUES (1, '2024-01-03', 10, 6), (1, '2024-02-10', 20, 12), (1, '2024-02-11', 5, 3), (1, '2024-04-05', 40, 20),
    (2, '2024-01-31 23:59', 30, 10), (2, '2024-02-20', -30, -10), (3, '2024-01-15', 8, 4), (3, '2024-03-01', 12, 6), (3, '2024-04-02', 6, 9), (4, '2024-03-31', 7, 5);
\set buy '{"customer": "customer", "at": "at", "amount": "amount", "cost": "cost"}'
-- seen until 15 April: April is not over, and March's cohort has no second and third month yet
SELECT cohort_on, age_periods AS age, customers, active, round(retention_rate::numeric, 4) AS rate, revenue, value_to_date, round(value_per_customer::numeric, 4) AS each, is_censored AS censored, reason
FROM cvm.cohorts_of('orders', :'buy', '2024-01-01', '2024-04-15');
-- January: 3, then 1, 1, and 2 so far; value 28, 28 + 10 - 20, + 6, + 20 - 3
SELECT count(*) AS wrong FROM (
    SELECT age_periods, active, retention_rate, value_to_date, is_censored FROM cvm.cohorts_of('orders', :'buy', '2024-01-01', '2024-04-15') WHERE cohort_on = '2024-01-01'
    EXCEPT SELECT * FROM (VALUES (0, 3::bigint, 1::float8, 28, false), (1, 1, 1 / 3::float8, 18, false), (2, 1, 1 / 3::float8, 24, false), (3, 2, NULL, 41, true)) AS t) AS x;
-- a month later April is over; the pooled rate at an age counts only the cohorts that have reached it
SELECT age_periods, count(*) FILTER (WHERE NOT is_censored AND customers > 0) AS cohorts, sum(active) FILTER (WHERE NOT is_censored) AS active, sum(customers) FILTER (WHERE NOT is_censored) AS of,
       round((sum(active) FILTER (WHERE NOT is_censored) / nullif(sum(customers) FILTER (WHERE NOT is_censored), 0))::numeric, 4) AS rate
FROM cvm.cohorts_of('orders', :'buy', '2024-01-01', '2024-05-01') GROUP BY 1 ORDER BY 1;
-- cohorts add up to all that their customers brought
SELECT sum(revenue) AS by_cohort, (SELECT sum(amount) FROM orders) AS all_rows FROM cvm.cohorts_of('orders', :'buy', '2024-01-01', '2024-05-01');
-- again the same
SELECT count(*) AS different FROM (SELECT * FROM cvm.cohorts_of('orders', :'buy', '2024-01-01', '2024-05-01') EXCEPT SELECT * FROM cvm.cohorts_of('orders', :'buy', '2024-01-01', '2024-05-01')) AS x;
-- weeks, a cost that is missing, nobody at all
UPDATE orders SET cost = NULL WHERE customer = 3 AND at = '2024-03-01';
SELECT age_periods, revenue, value_to_date, value_per_customer, reason FROM cvm.cohorts_of('orders', :'buy', '2024-01-01', '2024-05-01') WHERE cohort_on = '2024-01-01';
SELECT cohort_on, age_periods, customers, active, retention_rate, reason FROM cvm.cohorts_of('orders', :'buy', '2020-01-01', '2020-01-10', '7 days');

-- churn from 1 July to 1 October 2024 (days silent at either end), limit 60
--   10  last 1 May, then gone                61 153  churned at the start, not back
--   11  last 20 June, then gone              11 103  churned
--   12  last 25 June, and 1 September         6  30  stays
--   13  last 1 March, back 10 July          122  83  churned at both ends, yet bought: won back, and lost again
--   14  last 1 February, back 20 September  151  11  won back
--   15  first on 5 August                            new, does not count
--   16  on 1 October                                 not in the window
--   17  every hundred days, last on 12 May   50 142  churned at the end, by silence and by its own gaps
CREATE TABLE visit (customer int, at date, amount numeric DEFAULT 10);
INSERT INTO visit VALUES (10, '2024-05-01'), (11, '2024-06-20'), (12, '2024-06-25'), (12, '2024-09-01'), (13, '2024-03-01'), (13, '2024-07-10'), (14, '2024-02-01'), (14, '2024-09-20'),
    (15, '2024-08-05'), (16, '2024-10-01');
INSERT INTO visit SELECT 17, date '2024-05-12' - 100 * i FROM generate_series(0, 4) AS i;
-- silence: 11, 12 and 17 had not churned, and by the end 11 and 17 have; 10, 13 and 14 had lapsed, 13 and 14 came back
-- gap: 17 is judged by its own 100 days; the others, with fewer than three gaps, by everybody's 95 %, 100 days before July and 201.7 before October:
-- 10, 11, 12 and 17 had not churned, 17 has by the end; 13 and 14 had lapsed, both came back
SELECT * FROM cvm.churn_rates_of('visit', '{"customer": "customer", "at": "at", "amount": "amount"}', '2024-07-01', '2024-10-01', 60);
SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY g) FILTER (WHERE at < '2024-07-01') AS at_start, round((percentile_cont(0.95) WITHIN GROUP (ORDER BY g))::numeric, 6) AS at_end
FROM (SELECT at, at - lag(at) OVER (PARTITION BY customer ORDER BY at) AS g FROM visit WHERE at < '2024-10-01') AS v;
-- with a model, P(alive) of each at both ends counted by hand
\set model '''bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426)'''
SELECT definition, customers_at_start, churned, lapsed_at_start, won_back, undecided, reason
FROM cvm.churn_rates_of('visit', '{"customer": "customer", "at": "at", "amount": "amount"}', '2024-07-01', '2024-10-01', 60, model => :model, threshold => 0.7) WHERE definition = 'model';
SELECT count(*) FILTER (WHERE p0 >= 0.7) AS customers_at_start, count(*) FILTER (WHERE p0 >= 0.7 AND p1 < 0.7) AS churned, count(*) FILTER (WHERE p0 < 0.7) AS lapsed_at_start,
       count(*) FILTER (WHERE p0 < 0.7 AND bought) AS won_back
FROM (SELECT cvm.p_alive(:model::cvm.model, count(*) FILTER (WHERE at < '2024-07-01') - 1, (max(at) FILTER (WHERE at < '2024-07-01') - min(at)) / 7.0::float8, (date '2024-07-01' - min(at)) / 7.0::float8) AS p0,
             cvm.p_alive(:model::cvm.model, count(*) - 1, (max(at) - min(at)) / 7.0::float8, (date '2024-10-01' - min(at)) / 7.0::float8) AS p1, bool_or(at >= '2024-07-01') AS bought
      FROM visit WHERE at < '2024-10-01' GROUP BY customer HAVING min(at) < '2024-07-01') AS v;
-- nobody was there
SELECT * FROM cvm.churn_rates_of('visit', '{"customer": "customer", "at": "at", "amount": "amount"}', '2020-07-01', '2020-10-01', 60);
-- won back: after more than 60 days without a purchase, with what came of it
INSERT INTO visit VALUES (13, '2024-07-20', 15), (13, '2024-07-25', -4), (11, '2024-08-19', 8), (12, '2024-09-02', 1);
SELECT * FROM cvm.won_back_of('visit', '{"customer": "customer", "at": "at", "amount": "amount"}', '2024-07-01', '2024-10-01', 60);
SELECT * FROM cvm.won_back_of('visit', '{"customer": "customer", "at": "at", "amount": "amount"}', '2024-07-01', '2024-10-01', 130);

\set VERBOSITY terse
SELECT cvm.churn_rates_of('visit', '{"customer": "customer", "at": "at", "amount": "amount"}', '2024-07-01', '2024-10-01', -1);
SELECT cvm.churn_rates_of('visit', '{"customer": "customer", "at": "at", "amount": "amount"}', '2024-07-01', '2024-10-01', quantile => 2);
SELECT cvm.won_back_of('visit', '{"customer": "customer", "at": "at", "amount": "amount"}', '2024-07-01', '2024-10-01', -1);
SELECT cvm.cohorts_of('orders', :'buy', '2024-01-01', '2024-05-01', NULL);
\set VERBOSITY default

-- of a portfolio
SELECT cvm.create_portfolio('coh', 'cohort_test.visit', 'customer', 'at', 'amount', '{"families": ["mbg/nbd"]}');
SELECT definition, reason FROM cvm.churn_rates('coh', '2024-07-01', '2024-10-01', 60);
CALL cvm.recompute('coh', '2024-10-02');
SELECT definition, customers_at_start + lapsed_at_start + undecided AS customers, reason FROM cvm.churn_rates('coh', '2024-07-01', '2024-10-01', 60);
SELECT cohort_on, age_periods, customers, active, is_censored FROM cvm.cohorts('coh', '2024-07-01', '2024-10-01');
SELECT customer, returned_on FROM cvm.won_back('coh', '2024-07-01', '2024-10-01', 60);
SELECT cvm.drop_portfolio('coh');
DROP SCHEMA cohort_test CASCADE;
