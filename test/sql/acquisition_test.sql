-- acquisition: cost of new customers by channel and period, payback of cohorts, against hand-computed tables
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA acquisition_test;
SET search_path = acquisition_test, public;

-- first purchases: January a, b by search, c for free; February d by search; March nobody; April e by mail; z long before
CREATE TABLE orders (customer text, at date, amount numeric, channel text);
INSERT INTO orders VALUES
    ('z', '2023-05-01', 10, 'search'), ('z', '2024-01-05', 10, 'mail'),
    ('a', '2024-01-02', 40, 'search'), ('a', '2024-02-10', 50, 'mail'), ('a', '2024-03-10', 30, 'search'),
    ('b', '2024-01-20', 20, 'search'), ('b', '2024-02-25', 30, NULL),
    ('c', '2024-01-31', 5, NULL), ('d', '2024-02-29', 15, 'search'), ('e', '2024-04-01', 100, 'mail'), ('e', '2024-04-09', -40, 'mail');
-- search: 60 in January, 31 + 29 evenly over January and February (60 days), 44 in March; mail: 8 in April; 500 to keep customers
CREATE TABLE spend (at date, ended_at date, amount numeric, channel text, purpose text);
INSERT INTO spend VALUES ('2024-01-15', NULL, 60, 'search', 'acquisition'), ('2024-01-01', '2024-02-29', 60, 'search', NULL), ('2024-03-03', NULL, 44, 'search', 'acquisition'),
    ('2024-04-20', '2024-04-10', 8, 'mail', 'acquisition'), ('2024-02-01', NULL, 500, 'mail', 'retention');
\set buy '{"customer": "customer", "at": "at", "amount": "amount", "channel": "channel"}'
\set pay '{"at": "at", "amount": "amount", "channel": "channel", "purpose": "purpose", "ended_at": "ended_at"}'
-- January 91 for 3 customers, or 2 paid ones: 30.33 and 45.5; February 29 for 1; March 44 for nobody; April 8 for 1
SELECT period_on, is_complete, scope, channel, spend, new_customers, round(acquisition_cost::numeric, 6) AS cac, reason
FROM cvm.acquisition_of('orders', :'buy', 'spend', :'pay', '2024-01-01', '2024-05-01');
SELECT count(*) AS wrong FROM (
    SELECT period_on, scope, spend, new_customers, acquisition_cost FROM cvm.acquisition_of('orders', :'buy', 'spend', :'pay', '2024-01-01', '2024-05-01') WHERE scope <> 'channel'
    EXCEPT SELECT * FROM (VALUES (date '2024-01-01', 'blended', 91, 3::bigint, 91 / 3::float8), ('2024-01-01', 'paid', 91, 2, 45.5), ('2024-02-01', 'blended', 29, 1, 29), ('2024-02-01', 'paid', 29, 1, 29),
        ('2024-03-01', 'blended', 44, 0, NULL), ('2024-03-01', 'paid', 44, 0, NULL), ('2024-04-01', 'blended', 8, 1, 8), ('2024-04-01', 'paid', 8, 1, 8)) AS t) AS x;
-- lagged by a month: February's customer against January's spend, April's against March's
SELECT period_on, spend_from, spend_to, spend, new_customers, acquisition_cost, reason
FROM cvm.acquisition_of('orders', :'buy', 'spend', :'pay', '2024-02-01', '2024-05-01', lag_periods => 1) WHERE scope = 'blended';
-- in quarters, the last one unfinished; a spend in a month without customers is part of the longer period's cost
SELECT period_on, is_complete, spend, new_customers, acquisition_cost FROM cvm.acquisition_of('orders', :'buy', 'spend', :'pay', '2024-01-01', '2024-05-01', '3 months') WHERE scope = 'blended';
-- spend is neither lost nor counted twice, however it is cut
SELECT d AS days, sum(a.spend) AS spend FROM unnest('{1,7,13,200}'::int[]) AS d, cvm.acquisition_of('orders', :'buy', 'spend', :'pay', '2024-01-01', '2024-05-01', make_interval(days => d)) AS a
WHERE a.scope = 'blended' GROUP BY d ORDER BY d;
SELECT sum(cvm.spent_before(10, '2024-01-01', '2024-01-07', d + 1) - cvm.spent_before(10, '2024-01-01', '2024-01-07', d)) AS in_all, cvm.spent_before(10, '2024-01-01', '2024-01-07', '2024-01-04') AS three_sevenths
FROM generate_series(0, 9) AS i, LATERAL (SELECT date '2023-12-30' + i AS d) AS day;
-- without channels in one of the two only blended cost can be had
SELECT DISTINCT scope FROM cvm.acquisition_of('orders', '{"customer": "customer", "at": "at", "amount": "amount"}', 'spend', :'pay', '2024-01-01', '2024-05-01');
-- by campaign, the channel mapped or not: spring brought a and c for 60, autumn b for 31 in January and d for 29 in February, and e came without
CREATE TABLE campaign_orders AS SELECT o.*, CASE customer WHEN 'a' THEN 'spring' WHEN 'c' THEN 'spring' WHEN 'b' THEN 'autumn' WHEN 'd' THEN 'autumn' END AS campaign FROM orders o;
CREATE TABLE campaign_spend AS SELECT s.*, CASE WHEN amount = 60 AND ended_at IS NULL THEN 'spring' WHEN amount = 60 THEN 'autumn' END AS campaign FROM spend s;
SELECT period_on, scope, channel, campaign, spend, new_customers, acquisition_cost, reason
FROM cvm.acquisition_of('campaign_orders', '{"customer": "customer", "at": "at", "amount": "amount", "campaign": "campaign"}', 'campaign_spend',
                        '{"at": "at", "amount": "amount", "campaign": "campaign", "purpose": "purpose", "ended_at": "ended_at"}', '2024-01-01', '2024-03-01');
SELECT scope, count(*), sum(spend) AS spend, sum(new_customers) AS new_customers
FROM cvm.acquisition_of('campaign_orders', :'buy'::jsonb || '{"campaign": "campaign"}', 'campaign_spend', :'pay'::jsonb || '{"campaign": "campaign"}', '2024-01-01', '2024-05-01') GROUP BY 1 ORDER BY 1;
-- the textbook: 50,000 for 400 new customers
CREATE TABLE crowd AS SELECT i AS customer, date '2024-01-01' + i % 31 AS at, 24 AS amount FROM generate_series(1, 400) AS i;
CREATE TABLE budget AS SELECT date '2024-01-01' AS at, 50000 AS amount;
SELECT spend, new_customers, acquisition_cost, cvm.value_to_cost(600, acquisition_cost) AS ltv_to_cac, cvm.payback_time(acquisition_cost, 24)
FROM cvm.acquisition_of('crowd', '{"customer": "customer", "at": "at", "amount": "amount"}', 'budget', '{"at": "at", "amount": "amount"}', '2024-01-01', '2024-02-01');
-- credit notes may leave a negative spend
INSERT INTO budget VALUES ('2024-01-02', -50001);
SELECT spend, acquisition_cost, reason FROM cvm.acquisition_of('crowd', '{"customer": "customer", "at": "at", "amount": "amount"}', 'budget', '{"at": "at", "amount": "amount"}', '2024-01-01', '2024-02-01');

-- payback: January's cohort has cost 91 and brought 65, then 145, so 2 periods; February's 15 of 29, not yet; March has nobody; April 60 of 8 at once
SELECT cohort_on, customers, spend, round(acquisition_cost::numeric, 4) AS cac, profit, round(profit_to_cost::numeric, 4) AS to_cost, payback_periods, is_censored, reason
FROM cvm.payback_of('orders', :'buy', 'spend', :'pay', '2024-01-01', '2024-05-01');
-- at a margin of 60 % January's 39, 87, 105: it takes a third month; seen a month earlier it has not yet
SELECT cohort_on, profit, payback_periods, is_censored FROM cvm.payback_of('orders', :'buy', 'spend', :'pay', '2024-01-01', '2024-05-01', margin => 0.6) WHERE cohort_on = '2024-01-01';
SELECT cohort_on, profit, payback_periods, is_censored, reason FROM cvm.payback_of('orders', :'buy', 'spend', :'pay', '2024-01-01', '2024-03-01', margin => 0.6);
-- at a loss or at a margin of 0 never, and without spend at once
SELECT cohort_on, profit, payback_periods, is_censored, reason FROM cvm.payback_of('orders', :'buy', 'spend', :'pay', '2024-01-01', '2024-02-01', margin => 0);
SELECT cohort_on, profit, payback_periods, is_censored, reason FROM cvm.payback_of('orders', :'buy', 'spend', :'pay', '2024-01-01', '2024-02-01', margin => -0.1);
SELECT cohort_on, customers, spend, payback_periods, is_censored, reason FROM cvm.payback_of('orders', :'buy', 'spend', :'pay', '2023-05-01', '2023-06-01');
-- LTV:CAC with lifetime values of any relation: (150 + 90 + 33) / 91 = 3
CREATE TABLE lifetime (customer_id text, lifetime_value float8);
INSERT INTO lifetime VALUES ('a', 150), ('b', 90), ('c', 33), ('d', 58), ('z', 1000);
SELECT cohort_on, lifetime_value, value_to_cost, reason FROM cvm.payback_of('orders', :'buy', 'spend', :'pay', '2024-01-01', '2024-05-01', lifetimes => 'lifetime');

\set VERBOSITY terse
SELECT cvm.acquisition_of('orders', :'buy', 'spend', :'pay', '2024-01-01', '2024-05-01', '0 days');
SELECT cvm.acquisition_of('orders', :'buy', 'spend', :'pay', '2024-01-01', '2024-05-01', '12 hours');
-- whose second period would begin before the first
SELECT cvm.acquisition_of('orders', :'buy', 'spend', :'pay', '2024-01-01', '2024-05-01', '1 month -30 days');
SELECT cvm.acquisition_of('orders', :'buy', 'spend', :'pay', '1924-01-01', '2024-05-01', '1 day');
SELECT cvm.acquisition_of('orders', :'buy', 'spend', :'pay', '2024-01-01', '2024-05-01', lag_periods => -1);
SELECT cvm.acquisition_of('orders', :'buy', 'spend', '{"amount": "amount"}', '2024-01-01', '2024-05-01');
SELECT cvm.payback_of('orders', :'buy', 'spend', :'pay', '2024-01-01', '2024-05-01', lifetimes => 'orders');
INSERT INTO spend VALUES ('2024-01-01', NULL, 1, 'search', 'party');
SELECT cvm.acquisition_of('orders', :'buy', 'spend', :'pay', '2024-01-01', '2024-05-01');
DELETE FROM spend WHERE purpose = 'party';
INSERT INTO spend VALUES ('2024-01-31', 'infinity', 1, 'search', NULL);
SELECT cvm.acquisition_of('orders', :'buy', 'spend', :'pay', '2024-01-01', '2024-05-01');
DELETE FROM spend WHERE ended_at = 'infinity';
\set VERBOSITY default

-- of a portfolio
SELECT cvm.create_portfolio('acq', 'acquisition_test.orders', 'customer', 'at', 'amount', '{"margin": 0.6}');
SELECT cvm.acquisition('acq', '2024-01-01', '2024-05-01');
SELECT cvm.add_feed('acq', 'spend', 'acquisition_test.spend', '{"at": "at", "amount": "amount", "ended_at": "ended_at", "purpose": "purpose"}');
SELECT kind, relation, columns FROM cvm.feeds WHERE portfolio = 'acq' ORDER BY kind;
SELECT period_on, scope, spend, new_customers FROM cvm.acquisition('acq', '2024-01-01', '2024-05-01');
CALL cvm.recompute('acq', '2024-05-01');
SELECT p.cohort_on, p.profit, p.payback_periods, p.is_censored,
       abs(p.lifetime_value - (SELECT sum(c.lifetime_value) FROM cvm_acq.clv c WHERE c.customer_id IN ('a', 'b', 'c'))) < 1e-9 AS as_published, p.value_to_cost = p.lifetime_value / 91 AS ratio
FROM cvm.payback('acq', '2024-01-01', '2024-05-01') p WHERE p.cohort_on = '2024-01-01';
SELECT cvm.add_feed('acq', 'spend', 'acquisition_test.spend', '{"at": "at", "amount": "channel"}');
SELECT cvm.add_feed('acq', 'spend', 'acquisition_test.spend', '{"at": "at", "amount": "amont"}');
-- contribution: January to April spend of 91 + 29 + 44 + 8 = 172 for acquisition and 500 for retention, against 0.6 of what was bought
SELECT segment, is_total, customers, new_customers, active, revenue, profit, acquisition_spend, retention_spend, net_contribution, round(contribution_per_customer::numeric, 4) AS each, reason
FROM cvm.contribution('acq', '2024-01-01', '2024-05-01') WHERE is_total;
SELECT sum(c.acquisition_spend) = 172 AS acquisition, round(sum(c.retention_spend), 6) = 500 AS retention, round(sum(c.net_contribution), 6) = max(t.net_contribution) AS adds_up, count(*) > 1 AS segments,
       bool_and(c.acquisition_spend = 172.0 * c.new_customers / t.new_customers AND c.retention_spend = 500.0 * c.active / t.active) AS shares
FROM cvm.contribution('acq', '2024-01-01', '2024-05-01') c, (SELECT * FROM cvm.contribution('acq', '2024-01-01', '2024-05-01') WHERE is_total) t WHERE NOT c.is_total;
-- in March nobody new: the total bears it, and no segment can
SELECT is_total, acquisition_spend, retention_spend, net_contribution, reason FROM cvm.contribution('acq', '2024-03-01', '2024-04-01') ORDER BY is_total DESC, customers DESC LIMIT 2;
SELECT count(*) > 0 AS rows, bool_and(v.net_contribution = c.net_contribution) AS as_function
FROM cvm_acq.contribution v, cvm_acq.report_window w, LATERAL cvm.contribution('acq', w.from_on, w.to_on) c WHERE c.segment = v.segment AND v.net_contribution IS NOT NULL;
SELECT * FROM cvm.contribution('acq', '2024-05-01', '2024-01-01');
SELECT cvm.drop_feed('acq', 'spend'), cvm.drop_portfolio('acq');

DROP SCHEMA acquisition_test CASCADE;
