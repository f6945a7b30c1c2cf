-- report: the views of an output schema that show measures: which are made, of which window, and that they are what the functions say
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA report_test;
SET search_path = report_test, public;
SET datestyle = 'ISO';

CREATE TABLE orders (customer int, at timestamptz, amount numeric, cost numeric, category text, tier int, campaign text, channel text);
INSERT INTO orders
SELECT c, timestamptz '2022-06-01 10:00+00' + make_interval(days => c * 7 % 90 + k * (20 + c % 40)), 10 + (c * 13 + k * 7) % 50, 5 + (c + k) % 30, (ARRAY['tea', 'cups', 'books'])[1 + (c + k * k) % 3], 1 + (c + k) % 3,
       CASE WHEN (c + k) % 4 = 0 THEN 'spring' END, (ARRAY['search', 'mail'])[1 + c % 2]
FROM generate_series(1, 60) c, generate_series(0, 20) k WHERE k <= c % 21;
INSERT INTO orders VALUES (1, '2024-02-10', 30, 9, 'tea', 2, NULL, 'mail'), (2, '2023-05-05', 20, 9, 'tea', 2, 'spring', 'mail'), (2, '2024-01-05', 25, 9, 'cups', 3, NULL, 'mail');
CREATE TABLE spend AS SELECT date '2022-06-01' + i * 10 AS at, 20 AS amount, (ARRAY['search', 'mail', 'press'])[1 + i % 3] AS channel, CASE WHEN i % 3 = 0 THEN 'spring' END AS campaign FROM generate_series(0, 90) AS i;
CREATE TABLE deal AS SELECT 1 + i % 60 AS customer, date '2023-01-01' + i * 3 AS opened, date '2023-01-01' + i * 3 + i % 30 AS closed, i % 3 > 0 AS won, 100 + i AS amount, i % 7 AS discount FROM generate_series(1, 150) AS i;
SELECT cvm.create_portfolio('rep', 'orders', 'customer', 'at', 'amount', '{"cost": "cost", "category": "category", "tier": "tier", "campaign": "campaign", "channel": "channel",
    "loyalty_tiers": {"Silver": 60, "Gold": 150}, "time_zone": "Europe/Berlin", "predictive_interval": false}');

-- before the first run all are empty
CREATE FUNCTION rows_of(portfolio text) RETURNS TABLE (relation text, rows bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOR relation IN SELECT r.relation FROM cvm.output_reports() r WHERE r.feeds = '{}' OR r.feeds && '{purchases,spend,deals,subscriptions}' UNION ALL SELECT unnest('{concentration,decile_table,whale_curve,lorenz_curve,abc_tier,repeat_purchase}'::text[]) LOOP
        EXECUTE format('SELECT count(*) FROM %I.%I', 'cvm_' || portfolio, relation) INTO rows;
        RETURN NEXT;
    END LOOP;
END $$;
SELECT sum(rows) FROM rows_of('rep') WHERE relation NOT IN ('concentration', 'repeat_purchase');
-- without the option and other feeds: those of the published values alone
CALL cvm.recompute('rep', '2024-03-31 22:30+00');
SELECT relation, rows FROM rows_of('rep') WHERE rows > 0;
-- in Berlin it is the first of April, so March is complete
SELECT from_on, to_on FROM cvm_rep.report_window;
SELECT cvm.add_feed('rep', 'spend', 'spend', '{"at": "at", "amount": "amount", "channel": "channel", "campaign": "campaign"}'),
       cvm.add_feed('rep', 'deals', 'deal', '{"customer": "customer", "opened_at": "opened", "closed_at": "closed", "won": "won", "amount": "amount", "discount": "discount"}'),
       cvm.alter_portfolio('rep', '{"reports": ["current_value", "loyalty"]}');
CALL cvm.recompute('rep', '2024-03-31 22:30+00');
SELECT relation, rows > 0 AS made FROM rows_of('rep') WHERE relation IN (SELECT r.relation FROM cvm.output_reports() r WHERE r.feeds && '{purchases,spend,deals,subscriptions}');

-- all of them, and each is what its function says of the window
SELECT cvm.alter_portfolio('rep', '{"reports": "all"}');
CALL cvm.recompute('rep', '2024-03-31 22:30+00');
SELECT relation FROM rows_of('rep') WHERE rows = 0;
CREATE FUNCTION differ(relation text, query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE result bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM ((TABLE cvm_rep.%1$I EXCEPT ALL (%2$s)) UNION ALL ((%2$s) EXCEPT ALL TABLE cvm_rep.%1$I)) AS d', relation, query) INTO result;
    RETURN result;
END $$;
SELECT relation, differ(relation, query) FROM (VALUES
    ('purchase_value', 'SELECT * FROM cvm.purchase_value(''rep'', ''2023-04-01'', ''2024-04-01'')'),
    ('cohorts', 'SELECT * FROM cvm.cohorts(''rep'', ''2023-04-01'', ''2024-04-01'')'),
    ('churn_rates', 'SELECT m::date, r.* FROM generate_series(timestamp ''2023-04-01'', ''2024-03-01'', ''1 month'') m, cvm.churn_rates(''rep'', m::date, (m + interval ''1 month'')::date) r'),
    ('won_back', 'SELECT * FROM cvm.won_back(''rep'', ''2023-04-01'', ''2024-04-01'')'),
    ('future_value', 'SELECT * FROM cvm.future_value(''rep'', ''2023-04-01'', ''2024-04-01'')'),
    ('category_rules', 'SELECT * FROM cvm.category_rules(''rep'', ''2023-04-01'', ''2024-04-01'')'),
    ('next_categories', 'SELECT * FROM cvm.next_categories(''rep'', ''2023-04-01'', ''2024-04-01'')'),
    ('loyalty', 'SELECT * FROM cvm.loyalty(''rep'', ''2023-04-01'', ''2024-04-01'')'),
    ('payback', 'SELECT * FROM cvm.payback(''rep'', ''2023-04-01'', ''2024-04-01'')'),
    ('deals', 'SELECT * FROM cvm.deals(''rep'', ''2023-04-01'', ''2024-04-01'')'),
    ('cross_sell', 'SELECT dimension, coalesce(name, ''all''), customers, buyers, revenue, cross_sold, cross_sell_rate, cross_sell_revenue, up_sold, up_sell_rate, up_sell_revenue, additional_revenue, reason
                    FROM cvm.cross_sell(''rep'', ''2023-04-01'', ''2024-04-01'')'),
    ('acquisition', 'SELECT period_on, is_complete, scope, coalesce(channel, campaign, ''all''), spend, new_customers, acquisition_cost, reason FROM cvm.acquisition(''rep'', ''2023-04-01'', ''2024-04-01'')'),
    ('current_value', 'SELECT * FROM cvm.current_value_by_period(''rep'', ''2023-04-01'', ''2024-04-01'')')) AS v(relation, query);
SELECT scope, name, count(*), sum(spend) AS spend FROM cvm_rep.acquisition GROUP BY 1, 2 ORDER BY 1, 2;

-- current value by period, in one pass, against that of each month, which nothing of it is shared with
SELECT count(*) AS cells, count(*) FILTER (WHERE c.segment IS NULL OR to_jsonb(v) - '{interpurchase_days,tenure_days}'::text[] <> to_jsonb(c) - '{period_on,is_complete,interpurchase_days,tenure_days}'::text[]
    OR coalesce(abs(v.interpurchase_days - c.interpurchase_days) > 1e-9, v.interpurchase_days IS DISTINCT FROM c.interpurchase_days) OR coalesce(abs(v.tenure_days - c.tenure_days) > 1e-9, v.tenure_days IS DISTINCT FROM c.tenure_days)) AS differ
FROM generate_series(timestamp '2023-04-01', '2024-03-01', '1 month') m CROSS JOIN LATERAL cvm.current_value('rep', m::date, (m + interval '1 month')::date) v
LEFT JOIN cvm_rep.current_value c ON c.period_on = m::date AND c.segment = v.segment AND c.is_total = v.is_total;
-- and by hand, in weeks of which the last is cut: a buys 10 and 20, then 5; b is known by a refund before he buys
CREATE TABLE hand (customer text, at date, amount numeric, cost numeric);
INSERT INTO hand VALUES ('z', '2023-12-01', 1, 1), ('a', '2024-01-02', 10, 4), ('a', '2024-01-05', 20, 5), ('a', '2024-01-10', 5, 1), ('b', '2024-01-03', -3, 0), ('b', '2024-01-09', 40, 50), ('c', '2024-01-16', 7, NULL);
SELECT period_on, is_complete AS whole, customers AS known, new_customers AS new, active, revenue, first_revenue AS first, profit, orders, order_value AS aov, frequency AS freq, interpurchase_days AS gap, round(tenure_days::numeric, 4) AS tenure, reason
FROM cvm.current_value_by_period_of('hand', '{"customer": "customer", "at": "at", "amount": "amount", "cost": "cost"}', '2024-01-01', '2024-01-17', '7 days');
SELECT count(*) AS wrong FROM (
    SELECT period_on, customers, new_customers, active, revenue, first_revenue, profit, orders, interpurchase_days
    FROM cvm.current_value_by_period_of('hand', '{"customer": "customer", "at": "at", "amount": "amount", "cost": "cost"}', '2024-01-01', '2024-01-17', '7 days')
    EXCEPT SELECT * FROM (VALUES (date '2024-01-01', 3::bigint, 1::bigint, 1::bigint, 27::numeric, 10::numeric, 18::numeric, 2::bigint, 3::float8),
        ('2024-01-08', 3, 1, 2, 45, 40, -6, 2, NULL), ('2024-01-15', 4, 1, 1, 7, 7, NULL, 1, NULL)) AS t) AS x;
-- nobody, and a month of nothing
SELECT period_on, segment, customers, revenue, order_value, revenue_per_customer, reason FROM cvm.current_value_by_period_of('hand', '{"customer": "customer", "at": "at", "amount": "amount"}', '2023-11-01', '2024-01-01');

-- again as of the same date: the same to the last digit, also after rows that are later, and of another portfolio over the same feeds
CREATE TABLE before AS SELECT (SELECT jsonb_agg(to_jsonb(v) ORDER BY v::text) FROM cvm_rep.current_value v) AS a, (SELECT jsonb_agg(to_jsonb(v) ORDER BY v::text) FROM cvm_rep.payback v) AS b,
    (SELECT jsonb_agg(to_jsonb(v) ORDER BY v::text) FROM cvm_rep.cross_sell v) AS c, (SELECT jsonb_agg(to_jsonb(v) ORDER BY v::text) FROM cvm_rep.churn_rates v) AS d,
    (SELECT jsonb_agg(to_jsonb(v) ORDER BY v::text) FROM cvm_rep.deals v) AS e, (SELECT jsonb_agg(to_jsonb(v) ORDER BY v::text) FROM cvm_rep.concentration v) AS f;
INSERT INTO orders VALUES (1, '2024-04-05', 1000, 1, 'tea', 3, NULL, 'mail'), (99, '2024-04-02', 10, 1, 'cups', 1, NULL, 'mail');
INSERT INTO spend VALUES ('2024-04-01', 999, 'mail');
CALL cvm.recompute('rep', '2024-03-31 22:30+00');
SELECT (SELECT jsonb_agg(to_jsonb(v) ORDER BY v::text) FROM cvm_rep.current_value v) = a AS a, (SELECT jsonb_agg(to_jsonb(v) ORDER BY v::text) FROM cvm_rep.payback v) = b AS b,
       (SELECT jsonb_agg(to_jsonb(v) ORDER BY v::text) FROM cvm_rep.cross_sell v) = c AS c, (SELECT jsonb_agg(to_jsonb(v) ORDER BY v::text) FROM cvm_rep.churn_rates v) = d AS d,
       (SELECT jsonb_agg(to_jsonb(v) ORDER BY v::text) FROM cvm_rep.deals v) = e AS e, (SELECT jsonb_agg(to_jsonb(v) ORDER BY v::text) FROM cvm_rep.concentration v) = f AS f FROM before;

-- views of the published values, against plain SQL
SELECT count(*) AS cells, count(*) FILTER (WHERE c.total IS DISTINCT FROM s.total OR c.customers <> s.customers OR abs(c.gini - s.gini) > 1e-12 OR abs(c.hhi - s.hhi) > 1e-12) AS differ
FROM cvm_rep.concentration c JOIN (
    SELECT 'realised_value' AS value, coalesce(segment, 'all') AS segment, count(*) AS customers, sum(v) AS total,
           CASE WHEN sum(v) > 0 THEN sum(v * (2 * r - n - 1)) / count(*) / sum(v) END AS gini, CASE WHEN sum(v) > 0 THEN sum(v * v) / sum(v) ^ 2 END AS hhi
    FROM (SELECT m.segment, v.realised_value::float8 AS v, row_number() OVER (PARTITION BY m.segment ORDER BY v.realised_value) AS r, count(*) OVER (PARTITION BY m.segment) AS n
          FROM cvm_rep.clv v JOIN cvm_rep.segment_member m USING (customer_id)) x GROUP BY segment) s USING (value, segment);
SELECT value, sum(customers) FILTER (WHERE is_total) = sum(customers) FILTER (WHERE NOT is_total) AS everybody FROM cvm_rep.concentration GROUP BY 1 ORDER BY 1;
SELECT value, sum(customers) AS customers, round(max(cumulative_share)::numeric, 12) AS all FROM cvm_rep.decile_table GROUP BY 1 ORDER BY 1;
SELECT count(*), max(rank) = (SELECT count(*) FROM cvm_rep.clv) AS everybody, round((array_agg(share_of_total ORDER BY rank DESC))[1]::numeric, 12) AS all, max(share_of_total) >= 1 AS peak FROM cvm_rep.whale_curve;
SELECT count(*), bool_and(value_share <= population_share + 1e-12 OR value_share IS NULL) AS below_the_diagonal FROM cvm_rep.lorenz_curve;
-- A holds at least 80 %, and without its last customer less
SELECT sum(realised_value) >= 0.8 * (SELECT sum(realised_value) FROM cvm_rep.abc_tier) AS reaches, sum(realised_value) - min(realised_value) < 0.8 * (SELECT sum(realised_value) FROM cvm_rep.abc_tier) AS not_without,
       min(realised_value) > (SELECT max(realised_value) FROM cvm_rep.abc_tier WHERE realised_tier = 'B') AS above_b FROM cvm_rep.abc_tier WHERE realised_tier = 'A';
SELECT r.customers, r.repeaters, r.repeat_purchase_rate = s.rate AS as_counted FROM cvm_rep.repeat_purchase r,
    (SELECT count(*) FILTER (WHERE days > 1)::float8 / count(*) AS rate FROM (SELECT count(DISTINCT (at AT TIME ZONE 'Europe/Berlin')::date) AS days FROM orders WHERE at <= '2024-03-31 22:30+00' GROUP BY customer) d) s WHERE is_total;

-- parts of future value: their sum is the published value; the shares are those of the sales by hand
SELECT f.segment, abs(base_value + cross_sell_value + coalesce(up_sell_value, 0) - future_value) < 1e-6 AS adds_up, abs(cross_sell_value / future_value - c.cross_sell_revenue / c.revenue) < 1e-9 AS share, f.referral_value, f.reason
FROM cvm_rep.future_value f JOIN cvm_rep.cross_sell c ON c.dimension = 'total' WHERE f.is_total;
SELECT abs(sum(future_value) FILTER (WHERE is_total) - sum(future_value) FILTER (WHERE NOT is_total)) < 1e-6 AS all_segments, abs(sum(future_value) FILTER (WHERE is_total) - (SELECT sum(residual_value) FROM cvm_rep.clv)) < 1e-6 AS published FROM cvm_rep.future_value;

-- a reader reads them all, and nothing of the feeds
CREATE ROLE regress_reporter;
SELECT cvm.grant_read('rep', 'regress_reporter');
SET ROLE regress_reporter;
SELECT count(*) > 0 AS readable FROM cvm_rep.current_value;
SELECT count(*) > 0 AS readable FROM cvm_rep.abc_tier;
SELECT count(*) > 0 AS readable FROM cvm_rep.concentration;
SELECT count(*) > 0 AS readable FROM cvm_rep.report_window;
SELECT count(*) FROM report_test.orders;
SELECT cvm.current_value_report('rep');
RESET ROLE;
SELECT count(*) AS undescribed FROM cvm.data_dictionary WHERE portfolio = 'rep' AND (description IS NULL OR relation_description IS NULL);

-- options that can not be
SELECT cvm.alter_portfolio('rep', '{"reports": ["current_values"]}');
SELECT cvm.alter_portfolio('rep', '{"reports": "some"}');
SELECT cvm.alter_portfolio('rep', '{"reports": ["deals"]}');
SELECT cvm.alter_portfolio('rep', '{"report_months": 0}');
SELECT cvm.alter_portfolio('rep', '{"report_months": 1.5}');
-- a window of a month; a category that is not mapped and tiers that are not set leave their reports empty; none wanted, none left
SELECT cvm.alter_portfolio('rep', '{"report_months": 1, "loyalty_tiers": null}');
SELECT cvm.add_feed('rep', 'purchases', 'orders', '{"customer": "customer", "at": "at", "amount": "amount", "channel": "channel"}');
CALL cvm.recompute('rep', '2024-03-31 22:30+00');
SELECT relation, rows FROM rows_of('rep') WHERE relation IN ('cross_sell', 'future_value', 'category_rules', 'next_categories', 'loyalty', 'churn_rates', 'cohorts');
SELECT cvm.alter_portfolio('rep', '{"reports": ["cross_sell", "loyalty", "cohorts"]}');
SELECT level, finding, hint FROM cvm.check('rep') WHERE finding ~ 'report';
SELECT cvm.alter_portfolio('rep', '{"reports": null}'), cvm.drop_feed('rep', 'spend');
CALL cvm.recompute('rep', '2024-03-31 22:30+00');
SELECT relation FROM rows_of('rep') WHERE rows > 0 AND relation IN (SELECT r.relation FROM cvm.output_reports() r WHERE r.feeds && '{purchases,spend,deals,subscriptions}');
-- a feed that a report can not read: the run fails, says what, and what was published stays
SELECT cvm.alter_portfolio('rep', '{"reports": ["current_value"]}');
CALL cvm.recompute('rep', '2024-03-31 22:30+00');
ALTER TABLE deal ADD price text DEFAULT 'dear';
UPDATE cvm.feed SET columns = columns || '{"amount": "price"}' WHERE portfolio = 'rep' AND kind = 'deals';
CALL cvm.recompute('rep', '2024-04-01 22:30+00');
SELECT level, finding, hint FROM cvm.check('rep') WHERE finding ~ 'price';
SELECT as_of = '2024-03-31 22:30+00' AS stays FROM cvm_rep.report_window;
SELECT cvm.drop_portfolio('rep');
DROP SCHEMA report_test CASCADE;
DROP ROLE regress_reporter;
