-- loyalty: tiers with entry and exit days, against a hand-computed table
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA loyalty_test;
SET search_path = loyalty_test, public;

CREATE TABLE orders (customer text, at date, amount numeric);
INSERT INTO orders VALUES
    -- Silver from 100 on 1 March 2022; Gold from 300 on 1 June; the 100 of March fall out on 1 March 2023 (250 left: Silver), the rest on 1 June: out
    ('a', '2022-03-01', 100), ('a', '2022-06-01', 250),
    -- exactly at the threshold, a refund the next day takes it away
    ('b', '2022-05-05', 300), ('b', '2022-05-06', -0.01),
    -- two purchases on one day; renewed before the first ones fall out, so one stay
    ('c', '2022-02-01', 60), ('c', '2022-02-01', 60), ('c', '2023-01-15', 110), ('c', '2024-01-10', 100),
    -- never there
    ('d', '2022-01-01', 99.99);
\set map '{"customer": "customer", "at": "at", "amount": "amount"}'
SELECT * FROM cvm.loyalty_of('orders', :'map', '{"Silver": 100, "Gold": 300}', '2022-01-01', '2024-07-01');
SELECT count(*) AS wrong FROM (
    SELECT customer, tier, entered_on, entered_from, left_on, left_for FROM cvm.loyalty_of('orders', :'map', '{"Silver": 100, "Gold": 300}', '2022-01-01', '2024-07-01')
    EXCEPT SELECT * FROM (VALUES ('a', 'Silver', date '2022-03-01', NULL, date '2022-06-01', 'Gold'), ('a', 'Gold', '2022-06-01', 'Silver', '2023-03-01', 'Silver'), ('a', 'Silver', '2023-03-01', 'Gold', '2023-06-01', NULL),
        ('b', 'Gold', '2022-05-05', NULL, '2022-05-06', 'Silver'), ('b', 'Silver', '2022-05-06', 'Gold', '2023-05-05', NULL), ('c', 'Silver', '2022-02-01', NULL, NULL, NULL)) AS t) AS x;
-- only stays that touch the window, with their true entry; what lies after it is not known
SELECT customer, tier, entered_on, left_on, is_current FROM cvm.loyalty_of('orders', :'map', '{"Silver": 100, "Gold": 300}', '2023-04-01', '2023-05-05');
-- edited thresholds, another qualifying time, or all of the past
SELECT customer, tier, entered_on, left_on FROM cvm.loyalty_of('orders', :'map', '{"Silver": 99.99, "Gold": 350}', '2022-01-01', '2024-07-01') WHERE customer IN ('a', 'd');
SELECT customer, tier, entered_on, left_on FROM cvm.loyalty_of('orders', :'map', '{"Silver": 100, "Gold": 300}', '2022-01-01', '2024-07-01', interval '30 days') WHERE customer = 'c';
SELECT customer, tier, entered_on, left_on FROM cvm.loyalty_of('orders', :'map', '{"Silver": 100, "Gold": 300}', '2022-01-01', '2024-07-01', NULL) WHERE customer IN ('a', 'c');
-- the tier of every day, by brute force: a sum over the year before it
SELECT count(*) AS days, count(*) FILTER (WHERE l.tier IS DISTINCT FROM CASE WHEN s.amount >= 300 THEN 'Gold' WHEN s.amount >= 100 THEN 'Silver' END) AS wrong
FROM generate_series(timestamp '2022-01-01', '2024-06-30', '1 day') AS d CROSS JOIN unnest('{a,b,c,d}'::text[]) AS who
     CROSS JOIN LATERAL (SELECT sum(o.amount) AS amount FROM orders o WHERE o.customer = who AND o.at <= d AND o.at + interval '1 year' > d) AS s
     LEFT JOIN cvm.loyalty_of('orders', :'map', '{"Silver": 100, "Gold": 300}', '2022-01-01', '2024-07-01') l ON l.customer = who AND l.entered_on <= d AND coalesce(l.left_on > d, true);

\set VERBOSITY terse
SELECT cvm.loyalty_of('orders', :'map', '{}', '2022-01-01', '2024-07-01');
SELECT cvm.loyalty_of('orders', :'map', '[100]', '2022-01-01', '2024-07-01');
SELECT cvm.loyalty_of('orders', :'map', '{"Silver": 100, "Gold": 100.0}', '2022-01-01', '2024-07-01');
SELECT cvm.loyalty_of('orders', :'map', '{"Silver": 0}', '2022-01-01', '2024-07-01');
SELECT cvm.loyalty_of('orders', :'map', '{"Silver": "100"}', '2022-01-01', '2024-07-01');
SELECT cvm.loyalty_of('orders', :'map', NULL, '2022-01-01', '2024-07-01');
SELECT cvm.loyalty_of('orders', :'map', '{"Silver": 100}', '2022-01-01', '2024-07-01', interval '0');
SELECT cvm.loyalty_of('orders', :'map', '{"Silver": 100}', '2022-01-01', '2024-07-01', interval '1 hour');
\set VERBOSITY default

-- of a portfolio: thresholds are an option
SELECT cvm.create_portfolio('loy', 'loyalty_test.orders', 'customer', 'at', 'amount');
SELECT cvm.loyalty('loy', '2022-01-01', '2024-07-01');
SELECT cvm.alter_portfolio('loy', '{"loyalty_tiers": {"Silver": -1}}');
SELECT cvm.alter_portfolio('loy', '{"loyalty_period": "1 hour"}');
SELECT cvm.alter_portfolio('loy', '{"loyalty_tiers": {"Silver": 100, "Gold": 300}}');
SELECT tier, count(*) FROM cvm.loyalty('loy', '2022-01-01', '2024-07-01') GROUP BY 1 ORDER BY 1;
SELECT cvm.alter_portfolio('loy', '{"loyalty_tiers": {"Silver": 100, "Gold": 350}, "loyalty_period": "2 years"}');
SELECT customer, tier, entered_on, left_on FROM cvm.loyalty('loy', '2022-01-01', '2024-07-01');
SELECT cvm.drop_portfolio('loy');
DROP SCHEMA loyalty_test CASCADE;
