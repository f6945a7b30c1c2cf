-- money: refunds, currencies, time zones and costs against tables that were computed by hand
--
-- 72 cases.  Refunds 1 to 26: in part, in full, above the order, in parts, before it, of another's, of nobody's, not known yet, taken
-- back, lines, vouchers.  Currencies 30 to 44: rate of the day, of the order, over a weekend, in two currencies, to the last cent.
-- Days of 23 and 25 hours, 50 to 59: their first and last second, and the rates on them; 70 to 75 as local times, that do not exist
-- and that occur twice.  Costs 80 to 94, on three bases.  Each through the recompute and through the measures of a window.
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA money_test;
SET search_path = money_test, public;
CREATE FUNCTION u(a int, b int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT (('x' || substr(md5(a || '/' || b), 1, 8))::bit(32)::bigint + 0.5) / 4294967296 $$;
CREATE TABLE sales (customer_id int, order_no text, sold_at timestamptz, amount numeric, currency char(3) DEFAULT 'EUR', refund_of text);
CREATE TABLE rates (code text, day date, rate numeric);
-- customers that a model can be fitted on; the cases are those below 1000
INSERT INTO sales
SELECT 1000 + c, 'f' || c || '/' || k, '2024-01-01 00:00+00'::timestamptz + make_interval(secs => 86400 * (100 * u(c, 0) + 30 * k * (0.2 + u(c, 100 + k)))),
       round((20 * exp(u(c, 2)) * (0.4 + 1.2 * u(c, 200 + k)))::numeric, 2)
FROM generate_series(1, 300) c, generate_series(0, 6) k WHERE k <= floor(-ln(u(c, 3)) * 3);
INSERT INTO rates VALUES
    ('USD', '2024-01-02', 0.9), ('USD', '2024-01-05', 0.91), ('USD', '2024-01-08', 0.92), ('USD', '2024-03-31', 0.5), ('USD', '2024-04-01', 2),
    ('USD', '2024-10-27', 0.5), ('USD', '2024-10-28', 2), ('GBP', '2024-01-02', 1.1234567), ('JPY', '2024-01-01', 0.006);

INSERT INTO sales (customer_id, order_no, sold_at, amount, refund_of) VALUES
    -- 1: one order
    (1, 'a1', '2024-01-10 12:00+00', 100, NULL),
    -- 2: refunded in part
    (2, 'a2', '2024-01-10 12:00+00', 100, NULL), (2, NULL, '2024-01-20 12:00+00', -30, 'a2'),
    -- 3: the first order refunded in full, the second kept: the customer begins with the second
    (3, 'a3', '2024-01-10 12:00+00', 100, NULL), (3, 'r3', '2024-01-20 12:00+00', -100, 'a3'), (3, 'b3', '2024-02-10 12:00+00', 50, NULL),
    -- 4: the only order refunded in full: no purchase, no money
    (4, 'a4', '2024-01-10 12:00+00', 100, NULL), (4, NULL, '2024-01-20 12:00+00', -100, 'a4'),
    -- 5: three lines of one order on three days are one purchase, on the first
    (5, 'a5', '2024-01-12 12:00+00', 30, NULL), (5, 'a5', '2024-01-10 12:00+00', 10, NULL), (5, 'a5', '2024-01-11 12:00+00', 20, NULL),
    -- 6: the same rows without a number are three
    (6, NULL, '2024-01-10 12:00+00', 10, NULL), (6, NULL, '2024-01-11 12:00+00', 20, NULL), (6, NULL, '2024-01-12 12:00+00', 30, NULL),
    -- 7: one of two lines refunded
    (7, 'a7', '2024-01-10 12:00+00', 40, NULL), (7, 'a7', '2024-01-10 12:00+00', 20, NULL), (7, NULL, '2024-02-20 12:00+00', -20, 'a7'),
    -- 8: refunded in two parts
    (8, 'a8', '2024-01-10 12:00+00', 100, NULL), (8, NULL, '2024-01-11 12:00+00', -60, 'a8'), (8, NULL, '2024-01-12 12:00+00', -40, 'a8'),
    -- 9: a refund above its order is no purchase and 30 less
    (9, 'a9', '2024-01-10 12:00+00', 100, NULL), (9, NULL, '2024-02-01 12:00+00', -130, 'a9'), (9, 'b9', '2024-03-01 12:00+00', 50, NULL),
    -- 10: what is above counts when it was paid back, on 15 February: between b10 and c10, so it is money of repeat periods
    (10, 'a10', '2024-01-10 12:00+00', 100, NULL), (10, NULL, '2024-02-01 12:00+00', -80, 'a10'), (10, NULL, '2024-02-15 12:00+00', -50, 'a10'),
    (10, 'b10', '2024-02-10 12:00+00', 50, NULL), (10, 'c10', '2024-03-10 12:00+00', 70, NULL),
    -- 11: a refund without its order
    (11, 'a11', '2024-01-10 12:00+00', 100, NULL), (11, NULL, '2024-01-20 12:00+00', -25, 'nowhere'),
    -- 12: and nothing else
    (12, NULL, '2024-01-20 12:00+00', -25, 'nowhere'),
    -- 13: a refund of the order of another customer leaves that one alone
    (13, NULL, '2024-01-20 12:00+00', -10, 'a1'),
    -- 14: a refund before its order
    (14, NULL, '2024-01-05 12:00+00', -40, 'a14'), (14, 'a14', '2024-01-10 12:00+00', 100, NULL),
    -- 15: a refund that is not known yet
    (15, 'a15', '2024-01-10 12:00+00', 100, NULL), (15, NULL, '2024-12-02 12:00+00', -100, 'a15'),
    -- 16: a free order is a purchase
    (16, 'a16', '2024-01-10 12:00+00', 0, NULL),
    -- 17: also if nothing of it was paid back
    (17, 'a17', '2024-01-10 12:00+00', 0, NULL), (17, NULL, '2024-01-11 12:00+00', 0, 'a17'),
    -- 18: a refund that was taken back
    (18, 'a18', '2024-01-10 12:00+00', 100, NULL), (18, NULL, '2024-01-11 12:00+00', -100, 'a18'), (18, NULL, '2024-01-12 12:00+00', 100, 'a18'),
    -- 19: a negative row that names no order is money only
    (19, 'a19', '2024-01-10 12:00+00', 100, NULL), (19, NULL, '2024-01-20 12:00+00', -20, NULL),
    -- 20: a refund under the number of its order
    (20, 'a20', '2024-01-10 12:00+00', 100, NULL), (20, 'a20', '2024-01-11 12:00+00', -100, 'a20'),
    -- 21: a voucher as a line of its order
    (21, 'a21', '2024-01-10 12:00+00', 100, NULL), (21, 'a21', '2024-01-10 12:00+00', -20, NULL),
    -- 22: an order of less than nothing is money only
    (22, 'a22', '2024-01-10 12:00+00', -20, NULL), (22, 'b22', '2024-02-10 12:00+00', 50, NULL),
    -- 23: three times 0.1 less 0.3 is nothing
    (23, 'a23', '2024-01-10 12:00+00', 0.1, NULL), (23, 'a23', '2024-01-10 12:00+00', 0.1, NULL), (23, 'a23', '2024-01-10 12:00+00', 0.1, NULL),
    (23, NULL, '2024-01-11 12:00+00', -0.3, 'a23'),
    -- 24: of three orders the middle one refunded
    (24, 'a24', '2024-01-10 12:00+00', 10, NULL), (24, 'b24', '2024-02-10 12:00+00', 20, NULL), (24, 'c24', '2024-03-10 12:00+00', 30, NULL),
    (24, NULL, '2024-03-11 12:00+00', -20, 'b24'),
    -- 25: of two orders of a day one refunded
    (25, 'a25', '2024-01-10 12:00+00', 10, NULL), (25, 'b25', '2024-01-10 13:00+00', 20, NULL), (25, NULL, '2024-01-11 12:00+00', -10, 'a25'),
    -- 26: the last order refunded: the customer ends with the one before
    (26, 'a26', '2024-01-10 12:00+00', 10, NULL), (26, 'b26', '2024-02-10 12:00+00', 20, NULL), (26, NULL, '2024-02-11 12:00+00', -20, 'b26');
INSERT INTO sales (customer_id, order_no, sold_at, amount, currency, refund_of) VALUES
    -- 30 to 32: the rate of the day; on Saturday that of Friday
    (30, 'a30', '2024-01-02 12:00+00', 100, 'USD', NULL),
    (31, 'a31', '2024-01-05 12:00+00', 100, 'USD', NULL),
    (32, 'a32', '2024-01-06 12:00+00', 100, 'USD', NULL),
    -- 33: a refund at the rate of its order: 60 x 0.9
    (33, 'a33', '2024-01-02 12:00+00', 100, 'USD', NULL), (33, NULL, '2024-01-08 12:00+00', -40, 'USD', 'a33'),
    -- 34: in full, exactly nothing
    (34, 'a34', '2024-01-02 12:00+00', 33.33, 'GBP', NULL), (34, 'a34', '2024-01-02 12:00+00', 66.67, 'GBP', NULL), (34, NULL, '2024-01-08 12:00+00', -100, 'GBP', 'a34'),
    -- 35: without its order, at the rate of its own day: -10 x 0.92
    (35, NULL, '2024-01-08 12:00+00', -10, 'USD', 'nowhere'),
    -- 36: paid back in euro: 90 - 30
    (36, 'a36', '2024-01-02 12:00+00', 100, 'USD', NULL), (36, NULL, '2024-01-08 12:00+00', -30, 'EUR', 'a36'),
    -- 37: paid back in dollars, at the rate of the order's day: 100 - 50 x 0.9
    (37, 'a37', '2024-01-02 12:00+00', 100, 'EUR', NULL), (37, NULL, '2024-01-08 12:00+00', -50, 'USD', 'a37'),
    -- 38: 1000 x 0.006
    (38, 'a38', '2024-01-03 12:00+00', 1000, 'JPY', NULL),
    -- 39: 19.99 x 1.1234567 = 22.457899433
    (39, 'a39', '2024-01-03 12:00+00', 19.99, 'GBP', NULL),
    -- 40: half past midnight in Berlin is the 5th
    (40, 'a40', '2024-01-04 23:30+00', 100, 'USD', NULL),
    -- 41: a rate holds for 7 days
    (41, 'a41', '2024-01-15 12:00+00', 100, 'USD', NULL),
    -- 42: an order in two currencies: 100 x 0.9 + 10
    (42, 'a42', '2024-01-02 12:00+00', 100, 'USD', NULL), (42, 'a42', '2024-01-03 12:00+00', 10, 'EUR', NULL),
    -- 43: a line of the 5th belongs to the order of the 2nd, and so does its rate: 200 x 0.9
    (43, 'a43', '2024-01-02 12:00+00', 100, 'USD', NULL), (43, 'a43', '2024-01-05 12:00+00', 100, 'USD', NULL),
    -- 44: the excess of a refund at the rate of its order: -10 x 0.9
    (44, 'a44', '2024-01-02 12:00+00', 100, 'USD', NULL), (44, NULL, '2024-01-08 12:00+00', -110, 'USD', 'a44'),
    -- 31 March 2024, of 23 hours in Berlin, from 23:00 to 22:00 in UTC: 50 two days, 51 its first and last second, 52 two days
    (50, 'a50', '2024-03-30 22:59:59+00', 1, 'EUR', NULL), (50, 'b50', '2024-03-30 23:00+00', 2, 'EUR', NULL),
    (51, 'a51', '2024-03-30 23:00+00', 1, 'EUR', NULL), (51, 'b51', '2024-03-31 21:59:59+00', 2, 'EUR', NULL),
    (52, 'a52', '2024-03-31 21:59:59+00', 1, 'EUR', NULL), (52, 'b52', '2024-03-31 22:00+00', 2, 'EUR', NULL),
    -- 27 October 2024, of 25 hours, from 22:00 to 23:00 in UTC: 53 two days, 54 its first and last second, 55 two days
    (53, 'a53', '2024-10-26 21:59:59+00', 1, 'EUR', NULL), (53, 'b53', '2024-10-26 22:00+00', 2, 'EUR', NULL),
    (54, 'a54', '2024-10-26 22:00+00', 1, 'EUR', NULL), (54, 'b54', '2024-10-27 22:59:59+00', 2, 'EUR', NULL),
    (55, 'a55', '2024-10-27 22:59:59+00', 1, 'EUR', NULL), (55, 'b55', '2024-10-27 23:00+00', 2, 'EUR', NULL),
    -- the rate is that of the day in Berlin: 0.5 to the last second of both days, then 2
    (56, 'a56', '2024-03-31 21:59:59+00', 10, 'USD', NULL), (57, 'a57', '2024-03-31 22:00+00', 10, 'USD', NULL),
    (58, 'a58', '2024-10-27 22:59:59+00', 10, 'USD', NULL), (59, 'a59', '2024-10-27 23:00+00', 10, 'USD', NULL);

-- customer, orders, repeat periods, first and last purchase in UTC, money, mean money of repeat periods
CREATE TABLE truth (customer_id int PRIMARY KEY, orders int, x int, first_at timestamp, last_at timestamp, money numeric, mean_spend float8);
INSERT INTO truth VALUES
    (1, 1, 0, '2024-01-10 12:00', '2024-01-10 12:00', 100, NULL),
    (2, 1, 0, '2024-01-10 12:00', '2024-01-10 12:00', 70, NULL),
    (3, 1, 0, '2024-02-10 12:00', '2024-02-10 12:00', 50, NULL),
    (4, 0, 0, NULL, NULL, 0, NULL),
    (5, 1, 0, '2024-01-10 12:00', '2024-01-10 12:00', 60, NULL),
    (6, 3, 2, '2024-01-10 12:00', '2024-01-12 12:00', 60, 25),
    (7, 1, 0, '2024-01-10 12:00', '2024-01-10 12:00', 40, NULL),
    (8, 0, 0, NULL, NULL, 0, NULL),
    (9, 1, 0, '2024-03-01 12:00', '2024-03-01 12:00', 20, NULL),
    (10, 2, 1, '2024-02-10 12:00', '2024-03-10 12:00', 90, 40),
    (11, 1, 0, '2024-01-10 12:00', '2024-01-10 12:00', 75, NULL),
    (12, 0, 0, NULL, NULL, -25, NULL),
    (13, 0, 0, NULL, NULL, -10, NULL),
    (14, 1, 0, '2024-01-10 12:00', '2024-01-10 12:00', 60, NULL),
    (15, 1, 0, '2024-01-10 12:00', '2024-01-10 12:00', 100, NULL),
    (16, 1, 0, '2024-01-10 12:00', '2024-01-10 12:00', 0, NULL),
    (17, 1, 0, '2024-01-10 12:00', '2024-01-10 12:00', 0, NULL),
    (18, 1, 0, '2024-01-10 12:00', '2024-01-10 12:00', 100, NULL),
    (19, 1, 0, '2024-01-10 12:00', '2024-01-10 12:00', 80, NULL),
    (20, 0, 0, NULL, NULL, 0, NULL),
    (21, 1, 0, '2024-01-10 12:00', '2024-01-10 12:00', 80, NULL),
    (22, 1, 0, '2024-02-10 12:00', '2024-02-10 12:00', 30, NULL),
    (23, 0, 0, NULL, NULL, 0, NULL),
    (24, 2, 1, '2024-01-10 12:00', '2024-03-10 12:00', 40, 30),
    (25, 1, 0, '2024-01-10 13:00', '2024-01-10 13:00', 20, NULL),
    (26, 1, 0, '2024-01-10 12:00', '2024-01-10 12:00', 10, NULL),
    (30, 1, 0, '2024-01-02 12:00', '2024-01-02 12:00', 90, NULL),
    (31, 1, 0, '2024-01-05 12:00', '2024-01-05 12:00', 91, NULL),
    (32, 1, 0, '2024-01-06 12:00', '2024-01-06 12:00', 91, NULL),
    (33, 1, 0, '2024-01-02 12:00', '2024-01-02 12:00', 54, NULL),
    (34, 0, 0, NULL, NULL, 0, NULL),
    (35, 0, 0, NULL, NULL, -9.2, NULL),
    (36, 1, 0, '2024-01-02 12:00', '2024-01-02 12:00', 60, NULL),
    (37, 1, 0, '2024-01-02 12:00', '2024-01-02 12:00', 55, NULL),
    (38, 1, 0, '2024-01-03 12:00', '2024-01-03 12:00', 6, NULL),
    (39, 1, 0, '2024-01-03 12:00', '2024-01-03 12:00', 22.457899, NULL),
    (40, 1, 0, '2024-01-04 23:30', '2024-01-04 23:30', 91, NULL),
    (41, 1, 0, '2024-01-15 12:00', '2024-01-15 12:00', 92, NULL),
    (42, 1, 0, '2024-01-02 12:00', '2024-01-02 12:00', 100, NULL),
    (43, 1, 0, '2024-01-02 12:00', '2024-01-02 12:00', 180, NULL),
    (44, 0, 0, NULL, NULL, -9, NULL),
    (50, 2, 1, '2024-03-30 22:59:59', '2024-03-30 23:00', 3, 2),
    (51, 2, 0, '2024-03-30 23:00', '2024-03-31 21:59:59', 3, NULL),
    (52, 2, 1, '2024-03-31 21:59:59', '2024-03-31 22:00', 3, 2),
    (53, 2, 1, '2024-10-26 21:59:59', '2024-10-26 22:00', 3, 2),
    (54, 2, 0, '2024-10-26 22:00', '2024-10-27 22:59:59', 3, NULL),
    (55, 2, 1, '2024-10-27 22:59:59', '2024-10-27 23:00', 3, 2),
    (56, 1, 0, '2024-03-31 21:59:59', '2024-03-31 21:59:59', 5, NULL),
    (57, 1, 0, '2024-03-31 22:00', '2024-03-31 22:00', 20, NULL),
    (58, 1, 0, '2024-10-27 22:59:59', '2024-10-27 22:59:59', 5, NULL),
    (59, 1, 0, '2024-10-27 23:00', '2024-10-27 23:00', 20, NULL);

-- columns may be named among the options of create_portfolio
SELECT cvm.create_portfolio('money', 'sales', 'customer_id', 'sold_at', 'amount',
    '{"order_id": "order_no", "refund_of": "refund_of", "currency": "currency", "portfolio_currency": "EUR", "time_zone": "Europe/Berlin", "predictive_interval": false}') IS NOT NULL AS created;
SELECT cvm.add_feed('money', 'rates', 'rates', '{"currency": "code", "on": "day", "rate": "rate"}');
SELECT columns FROM cvm.feeds WHERE portfolio = 'money' ORDER BY kind;
CALL cvm.recompute('money', '2024-12-01 00:00+00');
CREATE FUNCTION found(portfolio text, up_to int DEFAULT 1000) RETURNS SETOF truth LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT c.customer_id, c.orders::int, c.repeat_periods::int, c.first_at AT TIME ZONE ''UTC'', c.last_at AT TIME ZONE ''UTC'',
        cvm.total_spend(c.history), cvm.mean_spend(c.history) FROM %I.customer c WHERE c.customer_id < $1', 'cvm_' || portfolio) USING up_to;
END $$;
-- the cases that are not as computed by hand: none
SELECT 'expected' AS side, d.* FROM (TABLE truth EXCEPT SELECT * FROM found('money')) d
UNION ALL SELECT 'found', d.* FROM (SELECT * FROM found('money') EXCEPT TABLE truth) d ORDER BY customer_id, side;
SELECT (SELECT count(*) FROM truth) AS cases, (SELECT count(*) FROM found('money')) AS found;
-- the measures of a window convert and count the same way: the cases that are not as computed by hand
SELECT count(*) AS cases, count(*) FILTER (WHERE (t.orders, t.money, CASE WHEN t.orders > 0 THEN t.x + 1 ELSE 0 END, (t.first_at AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin')::date)
    IS DISTINCT FROM (v.orders::int, round(v.revenue, 6), v.purchase_days::int, v.first_on)) AS differ
FROM truth t LEFT JOIN cvm.purchase_value('money', '2023-01-01', '2024-12-01') v ON v.customer = t.customer_id::text;
-- published values are these, and every row of the feed is accounted for
SELECT count(*) AS differ FROM truth t JOIN cvm_money.clv v USING (customer_id) WHERE v.realised_value <> round(t.money, 4);
SELECT r.purchases = (SELECT count(*) FROM sales) AS all_rows, r.purchases_after_as_of, r.value_basis FROM cvm.job_runs r WHERE portfolio = 'money';
SELECT currency, value_basis FROM cvm.portfolios WHERE portfolio = 'money';
SELECT status, count(*) FROM cvm_money.clv WHERE customer_id < 1000 AND customer_id IN (4, 8, 12, 13, 20, 23, 34, 35, 44) GROUP BY 1;
SELECT level, finding FROM cvm.check('money') WHERE finding ~ 'refund|order|rate|currenc' AND finding !~ 'job';

-- the same as of the same date, whatever has become known since
CREATE TABLE published AS SELECT to_jsonb(v) - 'model_id' AS value FROM cvm_money.customer_value v;
INSERT INTO sales (customer_id, order_no, sold_at, amount, currency, refund_of) VALUES
    (1, 'late', '2024-12-05 12:00+00', 10, 'CHF', NULL), (1, NULL, '2024-12-06 12:00+00', -100, 'EUR', 'a1'), (60, 'a60', '2024-12-06 12:00+00', -100, 'EUR', NULL);
INSERT INTO rates VALUES ('USD', '2024-12-05', 7);
CALL cvm.recompute('money', '2024-12-01 00:00+00');
SELECT count(*) AS differences FROM published p FULL JOIN (SELECT to_jsonb(v) - 'model_id' AS value FROM cvm_money.customer_value v) n USING (value)
WHERE p.value IS NULL OR n.value IS NULL;
-- and later the refunds are seen: 1 and 15 have no purchase any more (the franc has no rate: another day)
CALL cvm.recompute('money', '2024-12-05 00:00+00');
SELECT * FROM found('money') WHERE customer_id IN (1, 15) ORDER BY 1;

-- rates that are missing or no rates: an error that names them; what was published stays
CALL cvm.recompute('money', '2024-12-07 00:00+00');
SELECT level, finding, hint FROM cvm.check('money') WHERE level = 'error';
-- as they are of a measure, but not of one whose window ends before that row
SELECT cvm.current_value('money', '2024-01-01', '2024-12-07');
SELECT cvm.cohorts('money', '2024-01-01', '2024-12-07');
SELECT count(*) FROM cvm.purchase_value('money', '2024-01-01', '2024-12-05');
-- a relation of any kind takes the rates of a portfolio that is named
SELECT customer, revenue FROM cvm.purchase_value_of('sales', '{"customer": "customer_id", "at": "sold_at", "amount": "amount", "currency": "currency", "portfolio": "money"}', '2024-01-01', '2024-02-01')
WHERE customer IN ('30', '33', '38') ORDER BY 1;
SELECT cvm.purchase_value_of('sales', '{"customer": "customer_id", "at": "sold_at", "amount": "amount", "currency": "currency"}', '2024-01-01', '2024-02-01');
SELECT cvm.purchase_value_of('sales', '{"customer": "customer_id", "at": "sold_at", "amount": "amount", "currency": "currency", "portfolio": "nobody"}', '2024-01-01', '2024-02-01');
INSERT INTO rates VALUES ('CHF', '2024-12-04', 0);
CALL cvm.recompute('money', '2024-12-07 00:00+00');
SELECT cvm.current_value('money', '2024-01-01', '2024-12-07');
UPDATE rates SET rate = -1 WHERE code = 'CHF';
CALL cvm.recompute('money', '2024-12-07 00:00+00');
UPDATE rates SET rate = 'NaN' WHERE code = 'CHF';
CALL cvm.recompute('money', '2024-12-07 00:00+00');
UPDATE rates SET rate = 'Infinity' WHERE code = 'CHF';
CALL cvm.recompute('money', '2024-12-07 00:00+00');
UPDATE rates SET rate = NULL WHERE code = 'CHF';
CALL cvm.recompute('money', '2024-12-07 00:00+00');
UPDATE rates SET rate = 1.05 WHERE code = 'CHF';
INSERT INTO rates VALUES ('CHF', '2024-12-04', 1.06);
CALL cvm.recompute('money', '2024-12-07 00:00+00');
UPDATE rates SET rate = 1.05 WHERE code = 'CHF';
UPDATE sales SET currency = NULL WHERE order_no = 'a60';
CALL cvm.recompute('money', '2024-12-07 00:00+00');
SELECT level, finding FROM cvm.check('money') WHERE level = 'error';
SELECT as_of AT TIME ZONE 'UTC' AS as_of, count(*) > 300 AS all_of_it FROM cvm_money.clv GROUP BY 1;
UPDATE sales SET currency = 'EUR' WHERE order_no = 'a60';
-- a day later than 7 days after the last rate
UPDATE sales SET sold_at = '2024-01-16 12:00+00' WHERE order_no = 'a41';
CALL cvm.recompute('money', '2024-12-07 00:00+00');
SELECT cvm.alter_portfolio('money', '{"rate_validity": "8 days"}');
CALL cvm.recompute('money', '2024-12-07 00:00+00');
SELECT * FROM found('money') WHERE customer_id = 41;
SELECT cvm.alter_portfolio('money', '{"rate_validity": null}');
UPDATE sales SET sold_at = '2024-01-15 12:00+00' WHERE order_no = 'a41';
-- 1 has an order of 10 CHF x 1.05 more and the refunded one less
CALL cvm.recompute('money', '2024-12-07 00:00+00');
SELECT * FROM found('money') WHERE customer_id IN (1, 60) ORDER BY 1;
-- without the rates feed
SELECT cvm.drop_feed('money', 'rates');
CALL cvm.recompute('money', '2024-12-07 00:00+00');
SELECT level, finding FROM cvm.check('money') WHERE level = 'error';
SELECT cvm.alter_portfolio('money', '{"portfolio_currency": null}');
CALL cvm.recompute('money', '2024-12-07 00:00+00');
SELECT cvm.current_value('money', '2024-01-01', '2024-12-07');

-- times of other types: 02:30 of 31 March does not exist in Berlin, that of 27 October does twice, a date is its midnight
CREATE TABLE local_sales AS SELECT customer_id, order_no, sold_at AT TIME ZONE 'Europe/Berlin' AS sold_at, amount FROM sales WHERE customer_id > 1000;
INSERT INTO local_sales VALUES (70, 'a70', '2024-03-31 02:30', 1), (71, 'a71', '2024-10-27 02:30', 1), (72, 'a72', '2024-03-31 00:00', 1), (73, 'a73', '2024-10-27 00:00', 1),
    (74, 'a74', '2024-03-31 23:59:59', 1), (74, 'a74', '2024-04-01 00:00', 1), (75, 'a75', '2024-10-27 23:59:59', 1), (75, 'b75', '2024-10-28 00:00', 1);
SELECT cvm.create_portfolio('local', 'local_sales', 'customer_id', 'sold_at', 'amount',
    '{"order_id": "order_no", "time_zone": "Europe/Berlin", "predictive_interval": false}') IS NOT NULL AS created;
CALL cvm.recompute('local', '2024-12-01 00:00+00');
WITH expected (customer_id, orders, x, first_at, last_at, money, mean_spend) AS (VALUES
    (70, 1, 0, timestamp '2024-03-31 01:30', timestamp '2024-03-31 01:30', 1::numeric, NULL::float8), (71, 1, 0, '2024-10-27 01:30', '2024-10-27 01:30', 1, NULL),
    (72, 1, 0, '2024-03-30 23:00', '2024-03-30 23:00', 1, NULL), (73, 1, 0, '2024-10-26 22:00', '2024-10-26 22:00', 1, NULL),
    (74, 1, 0, '2024-03-31 21:59:59', '2024-03-31 21:59:59', 2, NULL), (75, 2, 1, '2024-10-27 22:59:59', '2024-10-27 23:00', 2, 1))
SELECT count(*) AS cases, count(f.customer_id) AS as_expected FROM expected e LEFT JOIN found('local') f
    ON f.customer_id = e.customer_id AND f IS NOT DISTINCT FROM ROW(e.*)::truth;
-- with numbers that say nothing of several rows, all is as it is without them
UPDATE local_sales SET order_no = order_no || '/' || amount || '/' || sold_at;
CALL cvm.recompute('local', '2024-12-01 00:00+00');
SELECT cvm.create_portfolio('unnumbered', 'local_sales', 'customer_id', 'sold_at', 'amount', '{"time_zone": "Europe/Berlin", "predictive_interval": false}') IS NOT NULL AS created;
CALL cvm.recompute('unnumbered', '2024-12-01 00:00+00');
SELECT count(*) AS differences FROM (SELECT to_jsonb(v) - 'model_id' AS value FROM cvm_local.customer_value v) a
FULL JOIN (SELECT to_jsonb(v) - 'model_id' AS value FROM cvm_unnumbered.customer_value v) b USING (value) WHERE a.value IS NULL OR b.value IS NULL;

-- rows that can not be read, also as a line or a refund of an order that can
BEGIN; INSERT INTO local_sales VALUES (NULL, 'a70', '2024-03-31 12:00', 1); CALL cvm.recompute('local', '2024-12-01 00:00+00'); ROLLBACK;
BEGIN; INSERT INTO local_sales VALUES (70, 'a70', NULL, 1); CALL cvm.recompute('local', '2024-12-01 00:00+00'); ROLLBACK;
BEGIN; INSERT INTO local_sales VALUES (70, 'a70', '2024-03-31 12:00', NULL); CALL cvm.recompute('local', '2024-12-01 00:00+00'); ROLLBACK;
BEGIN; INSERT INTO local_sales VALUES (70, 'a70', '2024-03-31 12:00', 'NaN'); CALL cvm.recompute('local', '2024-12-01 00:00+00'); ROLLBACK;
BEGIN; INSERT INTO local_sales VALUES (70, 'a70', '2024-03-31 12:00', '-Infinity'), (70, 'a70', '2024-03-31 12:00', 'Infinity'); CALL cvm.recompute('local', '2024-12-01 00:00+00'); ROLLBACK;
BEGIN; INSERT INTO local_sales VALUES (70, 'a70', '-infinity', 1); CALL cvm.recompute('local', '2024-12-01 00:00+00'); ROLLBACK;
BEGIN; INSERT INTO local_sales VALUES (70, 'a70', 'infinity', 1); CALL cvm.recompute('local', '2024-12-01 00:00+00'); ROLLBACK;
BEGIN; INSERT INTO local_sales VALUES (70, 'a70', '2024-03-31 12:00', 1e18); CALL cvm.recompute('local', '2024-12-01 00:00+00'); ROLLBACK;
-- a cost or discount that is no number is named
CREATE TABLE odd_costs (customer int, at date, amount numeric, cost numeric, discount float8);
SELECT cvm.create_portfolio('odd_costs', 'odd_costs', 'customer', 'at', 'amount', '{"cost": "cost", "discount": "discount", "predictive_interval": false}') IS NOT NULL AS created;
BEGIN; INSERT INTO odd_costs VALUES (1, '2024-01-01', 5, 'NaN', 0); CALL cvm.recompute('odd_costs', '2024-12-01 00:00+00'); ROLLBACK;
BEGIN; INSERT INTO odd_costs VALUES (1, '2024-01-01', 5, 1, '-Infinity'); CALL cvm.recompute('odd_costs', '2024-12-01 00:00+00'); ROLLBACK;
BEGIN; INSERT INTO odd_costs VALUES (1, '2024-01-01', 'NaN', 1, 0); CALL cvm.recompute('odd_costs', '2024-12-01 00:00+00'); ROLLBACK;
INSERT INTO odd_costs VALUES (1, '2024-01-01', 5, 'NaN', 0), (1, '2024-01-02', 5, 1, '-Infinity'), (1, '2024-01-03', 5, 'Infinity', 'NaN');
SELECT level, finding, hint FROM cvm.check('odd_costs') WHERE finding ~ 'row';
SELECT cvm.current_value('odd_costs', '2024-01-01', '2024-02-01');
SELECT cvm.drop_portfolio('odd_costs');
-- the context names the feed, not the query over it
\set SHOW_CONTEXT errors
BEGIN; INSERT INTO local_sales VALUES (70, 'a70', '2024-03-31 12:00', 1e18); CALL cvm.recompute('local', '2024-12-01 00:00+00'); ROLLBACK;
\set SHOW_CONTEXT never
-- keys and amounts of other types give the same: composite customers, real amounts, orders that are arrays
CREATE TYPE tenant_customer AS (tenant text, id int);
CREATE TABLE odd_sales AS SELECT ROW(CASE WHEN customer_id % 2 = 0 THEN 't' END, customer_id)::tenant_customer AS who, ARRAY[order_no] AS orders,
    sold_at AT TIME ZONE 'Europe/Berlin' AS sold_at, amount::float4 AS amount, NULL::text[] AS refunds FROM local_sales;
SELECT cvm.create_portfolio('odd', 'odd_sales', 'who', 'sold_at', 'amount',
    '{"order_id": "orders", "refund_of": "refunds", "time_zone": "Europe/Berlin", "predictive_interval": false}') IS NOT NULL AS created;
CALL cvm.recompute('odd', '2024-12-01 00:00+00');
SELECT count(*) AS differences FROM cvm_local.customer a FULL JOIN cvm_odd.customer b ON (b.customer_id).id = a.customer_id
WHERE a.history::text IS DISTINCT FROM b.history::text OR a.realised_value IS DISTINCT FROM b.realised_value;

-- costs: on a basis of gross margin, and of net contribution with 3 for serving an order
CREATE TABLE costed (customer_id int, order_no int, sold_at timestamptz, amount numeric, currency text DEFAULT 'EUR', cost numeric, discount float8, refund_of int);
INSERT INTO costed (customer_id, order_no, sold_at, amount, cost)
SELECT customer_id, row_number() OVER () + 1000, sold_at, amount, round(amount * 0.6, 2) FROM sales WHERE customer_id > 1000;
INSERT INTO costed (customer_id, order_no, sold_at, amount, cost, refund_of) VALUES
    -- 80: with a margin; 81: at a loss; 82: with none
    (80, 80, '2024-01-10 12:00+00', 100, 60, NULL), (81, 81, '2024-01-10 12:00+00', 100, 120, NULL), (82, 82, '2024-01-10 12:00+00', 50, 50, NULL),
    -- 83: refunded, the goods came back; 84: and did not; 85: in part, and did not
    (83, 83, '2024-01-10 12:00+00', 100, 60, NULL), (83, NULL, '2024-01-20 12:00+00', -100, -60, 83),
    (84, 84, '2024-01-10 12:00+00', 100, 60, NULL), (84, NULL, '2024-01-20 12:00+00', -100, NULL, 84),
    (85, 85, '2024-01-10 12:00+00', 100, 60, NULL), (85, NULL, '2024-01-20 12:00+00', -30, NULL, 85),
    -- 86: refunded above the order
    (86, 86, '2024-01-10 12:00+00', 100, 60, NULL), (86, NULL, '2024-01-20 12:00+00', -130, -60, 86),
    -- 87: one order of three lines is served once; 88: a credit note is not served; 89: a free sample costs
    (87, 87, '2024-01-10 12:00+00', 30, 10, NULL), (87, 87, '2024-01-10 12:00+00', 30, 10, NULL), (87, 87, '2024-01-10 12:00+00', 40, 20, NULL),
    (88, NULL, '2024-01-10 12:00+00', -20, NULL, NULL),
    (89, 89, '2024-01-10 12:00+00', 0, 5, NULL),
    -- 93: the first order at a loss, then one with a margin; 94: the other way round
    (93, 930, '2024-01-10 12:00+00', 10, 15, NULL), (93, 931, '2024-02-10 12:00+00', 30, 10, NULL),
    (94, 940, '2024-01-10 12:00+00', 30, 10, NULL), (94, 941, '2024-02-10 12:00+00', 10, 15, NULL);
INSERT INTO costed (customer_id, order_no, sold_at, amount, currency, cost, discount, refund_of) VALUES
    -- 90: cost and discount are in the currency of the row: (100 - 10 - 40) x 0.9
    (90, 90, '2024-01-02 12:00+00', 100, 'USD', 40, 10, NULL),
    -- 91: 10 of 100 were not paid; 92: and the 90 that were, were paid back
    (91, 91, '2024-01-10 12:00+00', 100, 'EUR', 60, 10, NULL),
    (92, 92, '2024-01-10 12:00+00', 100, 'EUR', 60, 10, NULL), (92, NULL, '2024-01-12 12:00+00', -90, 'EUR', -60, NULL, 92);
SELECT cvm.create_portfolio(p, 'costed', 'customer_id', 'sold_at', 'amount',
    '{"order_id": "order_no", "refund_of": "refund_of", "currency": "currency", "cost": "cost", "discount": "discount", "portfolio_currency": "EUR", "predictive_interval": false}'
    || o) IS NOT NULL AS created, cvm.add_feed(p, 'rates', 'rates', '{"currency": "code", "on": "day", "rate": "rate"}')
FROM (VALUES ('margin', '{}'::jsonb), ('net', '{"value_basis": "net_contribution", "cost_to_serve": 3}'), ('sold', '{"value_basis": "revenue"}')) AS v(p, o);
SELECT portfolio, value_basis FROM cvm.portfolios WHERE portfolio IN ('margin', 'net', 'sold') ORDER BY 1;
CALL cvm.recompute('margin', '2024-12-01 00:00+00');
CALL cvm.recompute('net', '2024-12-01 00:00+00');
CALL cvm.recompute('sold', '2024-12-01 00:00+00');
-- orders, repeat periods, mean spend, and the value on each basis
WITH expected (customer_id, orders, x, sold, margin, net, mean_spend) AS (VALUES
    (80, 1, 0, 100, 40, 37, NULL::float8), (81, 1, 0, 100, -20, -23, NULL), (82, 1, 0, 50, 0, -3, NULL),
    (83, 0, 0, 0, 0, -3, NULL), (84, 0, 0, 0, -60, -63, NULL), (85, 1, 0, 70, 10, 7, NULL), (86, 0, 0, -30, -30, -33, NULL),
    (87, 1, 0, 100, 60, 57, NULL), (88, 0, 0, -20, -20, -20, NULL), (89, 1, 0, 0, -5, -8, NULL),
    (90, 1, 0, 81, 45, 42, NULL), (91, 1, 0, 90, 30, 27, NULL), (92, 0, 0, 0, 0, -3, NULL),
    (93, 2, 1, 40, 15, 9, 20), (94, 2, 1, 40, 15, 9, -5))
SELECT count(*) AS cases,
       count(*) FILTER (WHERE (e.orders, e.x, e.sold) = (s.orders, s.x, s.money)) AS sold,
       count(*) FILTER (WHERE (e.orders, e.x, e.margin, coalesce(e.mean_spend, -99)) = (m.orders, m.x, m.money, coalesce(m.mean_spend, -99))) AS margin,
       count(*) FILTER (WHERE (e.orders, e.x, e.net) = (n.orders, n.x, n.money)) AS net
FROM expected e LEFT JOIN found('sold') s USING (customer_id) LEFT JOIN found('margin') m USING (customer_id) LEFT JOIN found('net') n USING (customer_id);
-- the profit of a measure is the value
SELECT count(*) AS cases, count(*) FILTER (WHERE (s.orders::bigint, s.money, m.money, n.money) IS DISTINCT FROM (a.orders, a.revenue, b.profit, c.profit)) AS differ
FROM found('sold') s JOIN found('margin') m USING (customer_id) JOIN found('net') n USING (customer_id)
LEFT JOIN cvm.purchase_value('sold', '2024-01-01', '2024-12-01') a ON a.customer = s.customer_id::text
LEFT JOIN cvm.purchase_value('margin', '2024-01-01', '2024-12-01') b ON b.customer = s.customer_id::text
LEFT JOIN cvm.purchase_value('net', '2024-01-01', '2024-12-01') c ON c.customer = s.customer_id::text;
-- published as they are, without a margin on top
SELECT count(*) AS differ FROM cvm_margin.customer WHERE realised_value <> round(cvm.total_spend(history), 4);
SELECT spend_left_out FROM cvm.job_runs WHERE portfolio = 'margin';
SELECT level, finding FROM cvm.check('margin') WHERE finding ~ 'cost|discount|refund|mean spend';
-- a subscription has a price alone
CREATE TABLE subscriptions (customer_id int, started_on date, price numeric);
SELECT cvm.add_feed('margin', 'subscriptions', 'subscriptions', '{"customer": "customer_id", "started_at": "started_on", "price": "price"}');
SELECT level, finding, hint FROM cvm.check('margin') WHERE finding ~ 'subscriptions their price';
SELECT cvm.drop_feed('margin', 'subscriptions');
-- the aggregate takes the same flag
SELECT cvm.purchase_history(at, amount, '1 day', 'UTC', sold) AS history FROM (VALUES
    (timestamptz '2024-01-10 12:00+00', -5::numeric, true), ('2024-02-10 12:00+00', 20, NULL), ('2024-02-11 12:00+00', 0, false)) AS v(at, amount, sold);

-- an order without a cost, a price below it, a discount above it
INSERT INTO costed (customer_id, order_no, sold_at, amount, cost, discount) VALUES (95, 95, '2024-01-10 12:00+00', 10, NULL, NULL), (96, 96, '2024-01-10 12:00+00', 10, 1, 12);
CALL cvm.recompute('margin', '2024-12-01 00:00+00');
SELECT level, finding FROM cvm.check('margin') WHERE level = 'error' OR finding ~ 'discount' ORDER BY finding;
UPDATE costed SET cost = 4 WHERE order_no = 95;
INSERT INTO costed (customer_id, order_no, sold_at, amount, cost, refund_of) VALUES (95, NULL, '2024-01-11 12:00+00', 3, NULL, 95);
SELECT level, finding, hint FROM cvm.check('margin') WHERE finding ~ 'discount|positive';
CALL cvm.recompute('margin', '2024-12-01 00:00+00');
-- 10 - 4 + 3; a discount above its amount is money only: 10 - 12 - 1
SELECT customer_id, orders, money FROM found('margin') WHERE customer_id IN (95, 96) ORDER BY 1;

-- a margin or costs, never both; the basis says which
SELECT cvm.alter_portfolio('margin', '{"margin": 0.4}');
SELECT cvm.alter_portfolio('margin', '{"margin": 0.4, "value_basis": "revenue"}');
SELECT cvm.alter_portfolio('margin', '{"cost_to_serve": 1}');
SELECT cvm.alter_portfolio('unnumbered', '{"value_basis": "gross_margin"}');
SELECT cvm.alter_portfolio('unnumbered', '{"value_basis": "net_contribution"}');
SELECT cvm.alter_portfolio('unnumbered', '{"value_basis": "profit"}');
SELECT cvm.alter_portfolio('unnumbered', '{"rate_validity": "1 month"}');
SELECT cvm.alter_portfolio('unnumbered', '{"rate_validity": "12 hours"}');
SELECT cvm.alter_portfolio('unnumbered', '{"cost_to_serve": -1}');
SELECT cvm.alter_portfolio('unnumbered', '{"margin": 0.4}');
-- that is what will be, this is what was published
SELECT value_basis FROM cvm.portfolios WHERE portfolio = 'unnumbered';
SELECT cvm.add_feed('unnumbered', 'purchases', 'costed', '{"customer": "customer_id", "at": "sold_at", "amount": "amount", "cost": "cost"}');
SELECT cvm.add_feed('unnumbered', 'purchases', 'costed', '{"customer": "customer_id", "at": "sold_at", "amount": "amount", "refund_of": "refund_of"}');
SELECT cvm.add_feed('unnumbered', 'purchases', 'costed', '{"customer": "customer_id", "at": "sold_at", "amount": "amount", "order_id": "order_number"}');
SELECT cvm.add_feed('unnumbered', 'purchases', 'costed', '{"customer": "customer_id", "at": "sold_at", "amount": "amount", "order_id": "order_no", "refund_of": "currency"}');
SELECT cvm.add_feed('unnumbered', 'purchases', 'costed', '{"customer": "customer_id", "at": "sold_at", "amount": "amount", "discount": "currency"}');
SELECT cvm.add_feed('unnumbered', 'purchases', 'costed', '{"customer": "customer_id", "at": "sold_at", "amount": "amount", "currency": "cost"}');
SELECT cvm.add_feed('unnumbered', 'rates', 'costed', '{"currency": "currency", "on": "sold_at", "rate": "amount"}');
SELECT cvm.add_feed('unnumbered', 'rates', 'rates', '{"currency": "code", "on": "day"}');
CREATE TABLE documents AS SELECT customer_id, sold_at, amount, to_json(order_no) AS order_no FROM costed;
SELECT cvm.add_feed('unnumbered', 'purchases', 'documents', '{"customer": "customer_id", "at": "sold_at", "amount": "amount", "order_id": "order_no"}');
-- rights by column
CREATE ROLE regress_seller;
CREATE SCHEMA regress_sellers AUTHORIZATION regress_seller;
GRANT USAGE ON SCHEMA money_test TO regress_seller;
GRANT SELECT (customer_id, sold_at, amount) ON costed TO regress_seller;
SET ROLE regress_seller;
SELECT cvm.create_portfolio('seller', 'costed', 'customer_id', 'sold_at', 'amount', '{"schema": "regress_sellers", "cost": "cost", "order_id": "order_no"}');
RESET ROLE;
DROP SCHEMA regress_sellers;
REVOKE ALL ON costed FROM regress_seller;
REVOKE ALL ON SCHEMA money_test FROM regress_seller;
DROP ROLE regress_seller;

-- a holdout from 3 June to 1 September: 97 has an order of the calibration window refunded in it, which is no purchase of less than
-- nothing; 98 one that was refunded; 99 one more than that
INSERT INTO costed (customer_id, order_no, sold_at, amount, cost, refund_of) VALUES
    (97, 970, '2024-02-10 12:00+00', 10, 6, NULL), (97, 971, '2024-03-10 12:00+00', 10, 6, NULL), (97, NULL, '2024-07-01 12:00+00', -10, -6, 971),
    (98, 980, '2024-02-10 12:00+00', 10, 6, NULL), (98, 981, '2024-07-10 12:00+00', 10, 6, NULL), (98, NULL, '2024-07-15 12:00+00', -10, -6, 981),
    (99, 990, '2024-02-10 12:00+00', 10, 6, NULL), (99, 991, '2024-07-10 12:00+00', 10, 6, NULL);
CALL cvm.validate('net', holdout => '90 days', as_of => '2024-09-01 00:00+00');
SELECT DISTINCT v.actual_purchases = f.days + 1 AS as_expected FROM cvm.validations v,
    (SELECT count(DISTINCT (customer_id, (sold_at AT TIME ZONE 'UTC')::date)) AS days FROM costed c
     WHERE customer_id > 1000 AND sold_at > '2024-06-03 00:00+00' AND sold_at <= '2024-09-01 00:00+00'
       AND EXISTS (SELECT FROM costed d WHERE d.customer_id = c.customer_id AND d.sold_at <= '2024-06-03 00:00+00')) f
WHERE v.portfolio = 'net';

SELECT cvm.drop_portfolio(p) FROM unnest('{money,local,odd,unnumbered,margin,net,sold}'::text[]) AS p;
DROP SCHEMA money_test CASCADE;
