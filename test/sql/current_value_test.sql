-- current_value: what customers brought in within a window, against hand-computed tables
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA current_value_test;
SET search_path = current_value_test, public;

-- a bought before the window and three times in it, b is new in it, c bought before only, d came after it, e has a refund and no purchase
CREATE TABLE orders (customer text, at timestamptz, amount numeric, cost numeric, order_id int);
INSERT INTO orders VALUES
    ('a', '2023-12-31 12:00+00', 10, 4, 1), ('a', '2024-01-10 10:00+00', 20, 8, 2), ('a', '2024-01-10 11:00+00', 5, 2, 2),
    ('a', '2024-01-20 10:00+00', 30, 12, 3), ('a', '2024-01-22 10:00+00', -5, 0, NULL), ('a', '2024-01-30 10:00+00', 45, 20, 4),
    ('b', '2024-01-05 10:00+00', 100, 70, 5), ('b', '2024-01-05 18:00+00', 50, 60, 6), ('b', '2024-01-25 10:00+00', 7.35, 5, 7),
    ('c', '2023-06-01 10:00+00', 60, 30, 8), ('d', '2024-02-01 00:00+00', 9, 1, 9), ('e', '2024-01-15 10:00+00', -3, 0, NULL);
CREATE TABLE segment (customer_id text, segment text);
INSERT INTO segment VALUES ('a', 'old'), ('b', 'new'), ('c', 'old');
-- a: 20 + 5 + 30 - 5 + 45 = 95 in four rows of 0 or more, gaps of 10 and 10 days; profit 95 - 42 = 53; 32 days since the first purchase
-- b: 157.35, of which 150 first; profit 157.35 - 135 = 22.35, of which 150 - 130 = 20 first; one gap of 20 days
\set mapping '{"customer": "customer", "at": "at", "amount": "amount", "cost": "cost"}'
SELECT * FROM cvm.purchase_value_of('orders', :'mapping', '2024-01-01', '2024-02-01', segments => 'segment') \gx
-- the truth, stated
SELECT count(*) AS wrong FROM (
    SELECT v.customer, v.revenue, v.first_revenue, v.repeat_revenue, v.profit, v.orders, v.purchase_days, v.order_value, v.interpurchase_days, v.tenure_days
    FROM cvm.purchase_value_of('orders', :'mapping', '2024-01-01', '2024-02-01') v
    EXCEPT
    SELECT * FROM (VALUES ('a', 95, 0, 95, 53, 4::bigint, 3::bigint, 23.75::float8, 10::float8, 32), ('b', 157.35, 150, 7.35, 22.35, 3, 2, 52.45, 20, 27),
                          ('c', 0, 0, 0, 0, 0, 0, NULL, NULL, 245), ('e', -3, 0, -3, -3, 0, 0, NULL, NULL, NULL)) AS t) AS x;
-- in all: 249.35 of four customers, 7 orders of 2 active ones, gaps 10, 10 and 20
SELECT * FROM cvm.current_value_of('orders', :'mapping', '2024-01-01', '2024-02-01', segments => 'segment') \gx
-- with order numbers an order in two lines is one; without costs the margin makes the profit
SELECT customer, orders, order_value, profit, first_profit FROM cvm.purchase_value_of('orders',
    '{"customer": "customer", "at": "at", "amount": "amount", "order_id": "order_id"}', '2024-01-01', '2024-02-01', margin => 0.4);
-- 2 to serve an order takes 3 x 2 of a and of b, and nothing of a refund: 38 - 6, 62.94 - 6; with costs 53 - 8 of a's four rows
SELECT customer, profit, first_profit, repeat_profit FROM cvm.purchase_value_of('orders',
    '{"customer": "customer", "at": "at", "amount": "amount", "order_id": "order_id"}', '2024-01-01', '2024-02-01', margin => 0.4, cost_to_serve => 2);
SELECT customer, profit FROM cvm.purchase_value_of('orders', :'mapping', '2024-01-01', '2024-02-01', cost_to_serve => 2);
-- day by day and zone by zone: in Berlin d's order at 01:00 of 1 February is still outside, in New York inside
SELECT z, count(*) AS customers, sum(revenue) AS revenue
FROM unnest('{UTC,Europe/Berlin,America/New_York}'::text[]) AS z, cvm.purchase_value_of('orders', :'mapping', '2024-01-01', '2024-02-01', z) GROUP BY z ORDER BY z;
SET timezone = 'Asia/Tokyo';
SELECT sum(revenue) AS zone_of_the_session_does_not_matter FROM cvm.purchase_value_of('orders', :'mapping', '2024-01-01', '2024-02-01');
RESET timezone;
-- windows add up
SELECT sum(v.revenue) AS by_month, (SELECT sum(o.amount) FROM orders o) AS all_rows
FROM generate_series(date '2023-06-01', '2024-02-01', '1 month') AS m, cvm.current_value_of('orders', :'mapping', m::date, (m + interval '1 month')::date) AS v WHERE v.is_total;
-- nobody at all, and nobody in the window
SELECT customers, active, revenue, order_value, frequency, revenue_per_customer, reason FROM cvm.current_value_of('orders', :'mapping', '2020-01-01', '2020-02-01');
SELECT customers, active, revenue, order_value, frequency, revenue_per_customer, reason FROM cvm.current_value_of('orders', :'mapping', '2023-07-01', '2023-08-01');

-- refunds tied to their orders: of 40 all is paid back, of 60 a third, and 5 of an order nobody knows
CREATE TABLE sale (who int, "day" date, total float8, nr text, refund_of text, off int);
INSERT INTO sale VALUES (1, '2024-03-01', 40, 'A', NULL, 0), (1, '2024-04-02', -40, NULL, 'A', 0), (1, '2024-03-05', 70, 'B', NULL, 10), (1, '2024-04-03', -20, NULL, 'B', 0),
    (1, '2024-04-04', -5, NULL, 'X', 0);
\set tied '{"customer": "who", "at": "day", "amount": "total", "order_id": "nr", "refund_of": "refund_of", "discount": "off"}'
-- March as known at its end: 40 + 60; as known in May: 40 on one order; the unknown order's refund is April's
SELECT first_on, revenue, first_revenue, orders, purchase_days FROM cvm.purchase_value_of('sale', :'tied', '2024-03-01', '2024-04-01');
SELECT first_on, revenue, first_revenue, repeat_revenue, orders, purchase_days FROM cvm.purchase_value_of('sale', :'tied', '2024-03-01', '2024-05-01');

-- a cost that is missing makes the profit unknown, not smaller or larger
UPDATE orders SET cost = NULL WHERE order_id = 3;
SELECT customer, revenue, profit, reason FROM cvm.purchase_value_of('orders', :'mapping', '2024-01-01', '2024-02-01') WHERE customer IN ('a', 'b');
SELECT segment, revenue, profit, profit_per_customer, reason FROM cvm.current_value_of('orders', :'mapping', '2024-01-01', '2024-02-01', segments => 'segment');
-- a cost above the price is a loss, and a negative margin too; a margin of 0 earns nothing
SELECT sum(revenue) AS revenue, sum(profit) AS profit FROM cvm.purchase_value_of('sale', '{"customer": "who", "at": "day", "amount": "total"}', '2024-03-01', '2024-04-01', margin => 0);
SELECT customer, profit FROM cvm.purchase_value_of('sale', '{"customer": "who", "at": "day", "amount": "total"}', '2024-03-01', '2024-04-01', margin => -0.5);
-- rows without a customer, a time or an amount, or at no time at all, are left out
INSERT INTO orders VALUES (NULL, '2024-01-10', 1, 1, 20), ('z', NULL, 1, 1, 21), ('z', '2024-01-10', NULL, 1, 22), ('z', '-infinity', 1, 1, 23), ('z', 'infinity', 1, 1, 24);
SELECT sum(revenue), count(*) FROM cvm.purchase_value_of('orders', :'mapping', '2024-01-01', '2024-02-01');

\set VERBOSITY terse
SELECT cvm.purchase_value_of('orders', :'mapping', '2024-02-01', '2024-02-01');
SELECT cvm.purchase_value_of('orders', :'mapping', '2024-02-01', 'infinity');
SELECT cvm.purchase_value_of('orders', :'mapping', NULL, '2024-02-01');
SELECT cvm.purchase_value_of('orders', '{"customer": "customer", "at": "at"}', '2024-01-01', '2024-02-01');
SELECT cvm.purchase_value_of('orders', '{"customer": "customer", "at": "at", "amount": "amont"}', '2024-01-01', '2024-02-01');
SELECT cvm.purchase_value_of('orders', '{"customer": "customer", "at": "amount", "amount": "amount"}', '2024-01-01', '2024-02-01');
SELECT cvm.purchase_value_of('orders', '{"customer": "customer", "at": "at", "amount": "customer"}', '2024-01-01', '2024-02-01');
SELECT cvm.purchase_value_of('orders', '{"customer": "customer", "at": "at", "amount": "amount", "price": "cost"}', '2024-01-01', '2024-02-01');
SELECT cvm.purchase_value_of('orders', '{"customer": "customer", "at": "at", "amount": "amount", "currency": "customer"}', '2024-01-01', '2024-02-01');
SELECT cvm.purchase_value_of('orders', '{"customer": "customer", "at": "at", "amount": "amount", "refund_of": "order_id"}', '2024-01-01', '2024-02-01');
SELECT cvm.purchase_value_of('orders', '[]', '2024-01-01', '2024-02-01');
SELECT cvm.purchase_value_of(NULL, '{}', '2024-01-01', '2024-02-01');
SELECT cvm.purchase_value_of('orders', :'mapping', '2024-01-01', '2024-02-01', 'Mars/Olympus');
SELECT cvm.purchase_value_of('orders', :'mapping', '2024-01-01', '2024-02-01', margin => 'NaN');
SELECT cvm.purchase_value_of('orders', :'mapping', '2024-01-01', '2024-02-01', margin => 1.5);
SELECT cvm.purchase_value_of('orders', :'mapping', '2024-01-01', '2024-02-01', segments => 'sale');
INSERT INTO orders VALUES ('z', '2024-01-10', 'NaN', 1, 25);
SELECT count(*) FROM cvm.purchase_value_of('orders', :'mapping', '2024-01-01', '2024-02-01');
\set VERBOSITY default
DELETE FROM orders WHERE customer = 'z' OR customer IS NULL;
UPDATE orders SET cost = 12 WHERE order_id = 3;

-- of a portfolio: its zone, margin, segments, and feed as it is named now
SELECT cvm.create_portfolio('cv', 'current_value_test.orders', 'customer', 'at', 'amount', '{"margin": 0.5, "time_zone": "America/New_York"}');
CALL cvm.recompute('cv', '2024-03-01');
SELECT segment, is_total, customers, active, revenue, profit, orders FROM cvm.current_value('cv', '2024-01-01', '2024-02-01') ORDER BY is_total DESC, segment;
SELECT v.customer, v.revenue, v.profit, v.segment = m.segment AS segment_as_published
FROM cvm.purchase_value('cv', '2024-01-01', '2024-02-01') v JOIN cvm_cv.segment_member m ON m.customer_id = v.customer;
CREATE ROLE regress_current_value;
GRANT USAGE ON SCHEMA current_value_test TO regress_current_value;
SELECT cvm.grant_read('cv', 'regress_current_value');
SET ROLE regress_current_value;
SELECT cvm.current_value('cv', '2024-01-01', '2024-02-01');
SELECT cvm.current_value_of('orders', '{"customer": "customer", "at": "at", "amount": "amount"}', '2024-01-01', '2024-02-01');
RESET ROLE;
SELECT cvm.current_value('nobody', '2024-01-01', '2024-02-01');
ALTER TABLE orders RENAME TO old_orders;
SELECT cvm.current_value('cv', '2024-01-01', '2024-02-01');
ALTER TABLE old_orders RENAME TO orders;
-- the portfolio's value basis: less cost and 2 to serve an order, 72.35 + 8 - 8 x 2 = 64.35
SELECT cvm.alter_portfolio('cv', '{"margin": null}');
SELECT cvm.add_feed('cv', 'purchases', 'current_value_test.orders', '{"customer": "customer", "at": "at", "amount": "amount", "cost": "cost"}');
SELECT cvm.alter_portfolio('cv', '{"value_basis": "net_contribution", "cost_to_serve": 2}');
SELECT revenue, profit FROM cvm.current_value('cv', '2024-01-01', '2024-02-01') WHERE is_total;
SELECT cvm.drop_portfolio('cv');
DROP SCHEMA current_value_test CASCADE;
DROP ROLE regress_current_value;
