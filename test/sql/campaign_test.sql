-- campaign: what campaigns and loyalty tiers moved, against a hand-computed table and plain SQL
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA campaign_test;
SET search_path = campaign_test, public;
CREATE FUNCTION agrees(got float8, truth float8, tolerance float8 DEFAULT 1e-9) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN got IS NULL OR truth IS NULL THEN got IS NULL AND truth IS NULL ELSE abs(got - truth) <= tolerance * greatest(abs(truth), 1e-12) END $$;

-- spring begins on 1 April: periods of 30 days from 2 January, 1 February, 2 March, and 1 April. Eight whom it reaches (a), eight whom it does not (b)
CREATE TABLE orders (customer text, at timestamptz, amount numeric);
INSERT INTO orders SELECT g || i, timestamptz '2023-12-01', 5 FROM unnest('{a,b}'::text[]) g, generate_series(1, 8) i;
INSERT INTO orders SELECT 'a' || i, at, 10 + i % 2 + d FROM generate_series(1, 8) i, (VALUES (timestamptz '2024-01-02 00:00', 0), ('2024-02-15', 1), ('2024-03-31 23:59', -1)) AS v(at, d);
INSERT INTO orders SELECT 'b' || i, at, 8 + i % 3 + d FROM generate_series(1, 8) i, (VALUES (timestamptz '2024-01-31 23:00', 0), ('2024-02-15', 1), ('2024-03-02', -1)) AS v(at, d);
-- after: 15.5 + i / 4 each, in two purchases; 9 + i % 3
INSERT INTO orders SELECT 'a' || i, at, 7.75 + i / 8.0 FROM generate_series(1, 8) i, (VALUES (timestamptz '2024-04-01'), ('2024-04-30 23:00')) AS v(at);
INSERT INTO orders SELECT 'b' || i, timestamptz '2024-04-15', 9 + i % 3 FROM generate_series(1, 8) i;
-- not compared: a customer of February whom it reaches and one whom it does not, one who is reached after the period, and what is bought on 1 May
INSERT INTO orders VALUES ('new1', '2024-02-10', 500), ('new2', '2024-02-10', 700), ('new2', '2024-04-10', 900), ('late', '2023-11-01', 50), ('late', '2024-04-10', 5000);
INSERT INTO orders SELECT 'a' || i, timestamptz '2024-05-01', 1000 FROM generate_series(1, 8) i;
-- customers since January, for the models to have something to go by
INSERT INTO orders SELECT 'z' || i, timestamptz '2024-01-05' + (i * 37 % 40 + k * (8 + i * 13 % 30)) * interval '1 day', 10 + i * 7 % 40 + k % 3 FROM generate_series(1, 300) i, generate_series(0, 5) k WHERE k <= i % 6;
CREATE TABLE touch (customer text, at timestamptz, stage text, campaign text, cost numeric);
INSERT INTO touch SELECT 'a' || i, timestamptz '2024-04-01 12:00' + i * interval '1 day', 'mail', 'spring', 0.5 FROM generate_series(0, 8) i
    UNION ALL VALUES ('new1', timestamptz '2024-04-02', 'mail', 'spring', 0.5), ('late', '2024-05-02', 'mail', 'spring', NULL), ('a1', '2024-04-05', 'mail', 'spring', 0.5), ('a1', '2024-04-05', 'mail', NULL, 7)
    -- and the campaigns that can not be
    UNION ALL SELECT c || i, '2024-04-01', 'mail', 'everybody', 1 FROM unnest('{a,b}'::text[]) c, generate_series(1, 8) i UNION ALL SELECT 'late', '2024-04-01', 'mail', 'everybody', 1
    UNION ALL SELECT 'x' || i, '2024-04-01', 'mail', 'prospects', 1 FROM generate_series(1, 5) i
    UNION ALL SELECT 'a' || i, '2024-05-20', 'mail', 'unfinished', 1 FROM generate_series(1, 5) i
    UNION ALL SELECT 'a' || i, '2024-04-01', 'mail', 'backwards', 1 FROM generate_series(1, 5) i
    UNION ALL SELECT 'a' || i, '2024-04-01', 'mail', 'over before', 1 FROM generate_series(1, 5) i
    UNION ALL SELECT 'a1', '2024-04-01', 'mail', 'one', 1
    UNION ALL SELECT 'a' || i, '2024-09-01', 'mail', 'future', 1 FROM generate_series(1, 5) i;
CREATE TABLE spend (day date, until date, campaign text, amount numeric);
INSERT INTO spend VALUES ('2024-03-25', '2024-04-20', 'spring', 30), ('2024-04-01', NULL, 'spring', 5.5), ('2024-04-01', '2024-03-01', 'backwards', 10), ('2024-03-01', '2024-03-20', 'over before', 10), ('2024-03-01', NULL, 'paid for nothing', 10), ('2024-04-01', NULL, NULL, 1000);
\set t '{"customer": "customer", "at": "at", "stage": "stage", "campaign": "campaign", "cost": "cost"}'
SELECT cvm.create_portfolio('camp', 'campaign_test.orders', 'customer', 'at', 'amount', '{"margin": 0.5}');
SELECT cvm.add_feed('camp', 'touchpoints', 'campaign_test.touch', :'t');
SELECT cvm.campaign_effects('camp');
SELECT cvm.add_feed('camp', 'spend', 'campaign_test.spend', '{"at": "day", "ended_at": "until", "amount": "amount", "campaign": "campaign"}');
CALL cvm.recompute('camp', '2024-06-01');

-- a's mean before is 10.5 (a purchase in each period), after 15.5 + 4.5 / 4 = 16.625 in 2; b's 8 + 9 / 8, after 9 + 9 / 8: (16.625 - 10.5) - 1 = 5.125
SELECT campaign, outcome, starts_on, ends_on, reached, cost, customers, comparison, before_mean, comparison_before_mean, change, comparison_change, difference, total_effect, return_on_cost, warning, reason FROM cvm_camp.campaign_effect WHERE campaign = 'spring' AND outcome <> 'clv' \gx
-- the same by the aggregate over a table made by hand: interval, trends and warning
SELECT agrees(e.difference, d.difference) AND agrees(e.difference, 5.125) AS difference, agrees(e.standard_error, d.standard_error) AS error, agrees(e.low, d.low) AND agrees(e.high, d.high) AND agrees(e.p_value, d.p_value) AS interval,
       agrees(e.trend_difference, d.trend_difference) AND agrees(e.trend_low, d.trend_low) AS trend, e.warning, d.warning AS of_aggregate, agrees(e.standardised_difference, d.smd) AS standardised
FROM cvm_camp.campaign_effect e,
     (SELECT (cvm.difference_in_differences(g = 'a', before, after)).*, (10.5 - 9.125) / sqrt((var_samp(before[1]) FILTER (WHERE g = 'a') + var_samp(before[1]) FILTER (WHERE g = 'b')) / 2) AS smd
      FROM (SELECT 'a' AS g, ARRAY[10 + i % 2, 11 + i % 2, 9 + i % 2]::float8[] AS before, 15.5 + i / 4.0::float8 AS after FROM generate_series(1, 8) i
            UNION ALL SELECT 'b', ARRAY[8 + i % 3, 9 + i % 3, 7 + i % 3], 9 + i % 3 FROM generate_series(1, 8) i) v) d
WHERE e.campaign = 'spring' AND e.outcome = 'revenue';
-- residual value: histories up to a day, the live models, discounting at 10 % a year, by hand
SELECT agrees(e.before_mean, d.level, 1e-8) AS before, agrees(e.difference, d.difference, 1e-6) AS difference, e.customers, e.comparison
FROM cvm_camp.campaign_effect e,
     (SELECT avg((v1 + v2) / 2) FILTER (WHERE g) AS level, avg(v3 - (v1 + v2) / 2) FILTER (WHERE g) - avg(v3 - (v1 + v2) / 2) FILTER (WHERE NOT g) AS difference
      FROM (SELECT c LIKE 'a%' AS g, max(v) FILTER (WHERE n = 1) AS v1, max(v) FILTER (WHERE n = 2) AS v2, max(v) FILTER (WHERE n = 3) AS v3
            FROM (SELECT o.customer AS c, t.n, 0.5 * cvm.expected_spend(s.model, cvm.purchase_history(o.at, o.amount)) * cvm.discounted_purchases(p.model, cvm.purchase_history(o.at, o.amount), t.at, ln(1.1) * 7 / 365.25) AS v
                  FROM (VALUES (1, timestamptz '2024-03-02'), (2, '2024-04-01'), (3, '2024-05-01')) AS t(n, at) JOIN orders o ON o.at < t.at AND o.customer ~ '^[ab]',
                       cvm.models p, cvm.models s WHERE p.portfolio = 'camp' AND p.role = 'purchases' AND p.is_live AND s.portfolio = 'camp' AND s.role = 'spend' AND s.is_live
                  GROUP BY 1, 2, t.at, p.model, s.model) w GROUP BY 1, c) x) d
WHERE e.campaign = 'spring' AND e.outcome = 'clv';

-- what can not be, with its reason and not one number
SELECT campaign, starts_on, ends_on, reached, cost, customers, comparison, reason FROM cvm_camp.campaign_effect WHERE outcome = 'revenue' AND campaign <> 'spring' ORDER BY campaign;
SELECT count(*) FILTER (WHERE reason IS NOT NULL) AS without_effect, count(*) FILTER (WHERE reason NOT IN ('too_few', 'no_variance') AND num_nonnulls(difference, standard_error, low, high, p_value, total_effect, return_on_cost, standardised_difference) > 0) AS with_numbers FROM cvm_camp.campaign_effect;
-- a comparison by hand: only b1 to b4; nobody
CREATE VIEW chosen AS SELECT 'b' || i AS customer_id FROM generate_series(1, 4) i;
SELECT outcome, customers, comparison, difference, reason FROM cvm.campaign_effects('camp', 'spring', 'chosen') WHERE outcome <> 'clv';
CREATE VIEW nobody AS SELECT 'z' AS customer_id;
SELECT outcome, customers, comparison, difference, reason FROM cvm.campaign_effects('camp', 'spring', 'nobody') WHERE outcome <> 'clv';
SELECT count(*) AS began_since FROM cvm.campaign_effects('camp', from_on => '2024-05-01');
-- one period before says nothing of trends; a longer one
SELECT outcome, round(difference::numeric, 6) AS difference, warning FROM cvm.campaign_effects('camp', 'spring', periods_before => 1) WHERE outcome <> 'clv';
SELECT outcome, customers, round(before_mean::numeric, 6) AS before_mean, round(difference::numeric, 6) AS difference, reason FROM cvm.campaign_effects('camp', 'spring', days => 60, periods_before => 1) WHERE outcome <> 'clv';
-- of many customers a part, the same each time
SELECT DISTINCT outcome, customers BETWEEN 1 AND 7 AS fewer FROM cvm.campaign_effects('camp', 'spring', most_customers => 4) WHERE outcome <> 'clv' ORDER BY 1;
-- groups that were not alike: who was chosen because they bought more and more
CREATE TABLE rising AS SELECT CASE WHEN i % 2 = 0 THEN 'up' ELSE 'flat' END || i AS customer, timestamptz '2024-01-10' + k * interval '30 days' AS at, (10 + i % 3 + CASE WHEN i % 2 = 0 THEN 5 * k ELSE 0 END)::numeric AS amount FROM generate_series(1, 40) i, generate_series(-2, 3) k;
CREATE TABLE riser AS SELECT 'up' || i AS customer, timestamptz '2024-04-01' AS at, 'mail' AS stage, 'risers' AS campaign FROM generate_series(2, 40, 2) i;
SELECT cvm.create_portfolio('camp2', 'campaign_test.rising', 'customer', 'at', 'amount');
SELECT cvm.add_feed('camp2', 'touchpoints', 'campaign_test.riser', '{"customer": "customer", "at": "at", "stage": "stage", "campaign": "campaign"}');
CALL cvm.recompute('camp2', '2024-06-01');
SELECT outcome, cost, difference, trend_difference, warning, reason FROM cvm_camp2.campaign_effect WHERE outcome <> 'clv' ORDER BY outcome;

\set VERBOSITY terse
SELECT cvm.campaign_effects('camp', 'autumn');
SELECT cvm.campaign_effects('camp', days => 0);
SELECT cvm.campaign_effects('camp', periods_before => 0);
SELECT cvm.campaign_effects('camp', most_customers => 1);
SELECT cvm.campaign_effects('camp', days => NULL);
SELECT cvm.campaign_effects('camp', periods_before => NULL);
SELECT cvm.campaign_effects('camp', most_customers => NULL);
SELECT cvm.campaign_effects('camp', comparison => 'orders');
SELECT cvm.campaign_effects('nothing');
SELECT cvm.add_feed('camp2', 'touchpoints', 'campaign_test.riser', '{"customer": "customer", "at": "at", "stage": "stage"}');
SELECT cvm.campaign_effects('camp2');
CALL cvm.recompute('camp2', '2024-06-01');
SELECT count(*) FROM cvm_camp2.campaign_effect;
SELECT cvm.drop_feed('camp2', 'touchpoints');
SELECT cvm.campaign_effects('camp2');
\set VERBOSITY default

-- ---------- loyalty tiers ----------

\set VERBOSITY terse
SELECT cvm.loyalty_effects('camp', '2024-03-01', '2024-04-01');
\set VERBOSITY default
-- Gold from 50 within 120 days: p come to it on 15 March and stay; n never do; l leave it on 9 March; s are in it from 5 January to 4 May
CREATE TABLE loyal (customer text, at date, amount numeric);
INSERT INTO loyal SELECT g || i, date '2023-12-01', 5 FROM unnest('{p,n,l,s}'::text[]) g, generate_series(1, 6) i
    UNION ALL SELECT 'p' || i, v.at, v.amount FROM generate_series(1, 6) i, LATERAL (VALUES (date '2024-01-10', 10 + i % 2), ('2024-02-10', 10), ('2024-03-15', 30), ('2024-04-10', 20 + i)) AS v(at, amount)
    UNION ALL SELECT 'n' || i, v.at, v.amount FROM generate_series(1, 6) i, LATERAL (VALUES (date '2024-01-10', 9 + i % 3), ('2024-02-10', 10), ('2024-03-15', 5), ('2024-04-10', 10 + i % 2)) AS v(at, amount)
    UNION ALL SELECT 'l' || i, v.at, v.amount FROM generate_series(1, 6) i, LATERAL (VALUES (date '2023-11-10', 60), ('2024-01-10', 5), ('2024-02-10', 5 + i), ('2024-04-10', 3)) AS v(at, amount)
    UNION ALL SELECT 's' || i, v.at, v.amount FROM generate_series(1, 6) i, LATERAL (VALUES (date '2024-01-05', 60 + i), ('2024-02-10', 5), ('2024-04-10', 4 + i)) AS v(at, amount);
SELECT cvm.create_portfolio('loyal', 'campaign_test.loyal', 'customer', 'at', 'amount', '{"loyalty_tiers": {"Gold": 50}, "loyalty_period": "120 days"}');
CALL cvm.recompute('loyal', '2024-06-01');
SELECT customer, entered_on, left_on FROM cvm.loyalty('loyal', '2024-03-02', '2024-05-01') WHERE customer ~ '1';
SELECT tier, move, outcome, customers, comparison, before_mean, comparison_before_mean, round(change::numeric, 6) AS change, round(difference::numeric, 6) AS difference, round(low::numeric, 6) AS low, warning, reason
FROM cvm.loyalty_effects('loyal', '2024-03-02', '2024-04-01', periods_before => 2) WHERE outcome <> 'clv';
-- by hand
SELECT move, count(*) FILTER (WHERE g) AS moved, count(*) FILTER (WHERE NOT g) AS stayed, round(((cvm.difference_in_differences(g, before, after)).difference)::numeric, 6) AS difference, round(((cvm.difference_in_differences(g, before, after)).low)::numeric, 6) AS low
FROM (SELECT 'entered' AS move, true AS g, ARRAY[10 + i % 2, 10]::float8[] AS before, 20 + i::float8 AS after FROM generate_series(1, 6) i UNION ALL SELECT 'entered', false, ARRAY[9 + i % 3, 10], 10 + i % 2 FROM generate_series(1, 6) i
      UNION ALL SELECT 'left', true, ARRAY[5, 5 + i], 3 FROM generate_series(1, 6) i UNION ALL SELECT 'left', false, ARRAY[60 + i, 5], 4 + i FROM generate_series(1, 6) i) x GROUP BY 1 ORDER BY 1;
SELECT DISTINCT reason FROM cvm.loyalty_effects('loyal', '2024-01-02', '2024-02-01', periods_before => 4);
SELECT DISTINCT reason FROM cvm.loyalty_effects('loyal', '2024-05-01', '2024-05-20');
SELECT cvm.drop_portfolio('camp'), cvm.drop_portfolio('camp2'), cvm.drop_portfolio('loyal');
DROP SCHEMA campaign_test CASCADE;
