-- subscriptions: contracts beside purchases, through the whole recompute
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA subscription_test;
SET search_path = subscription_test, public;
SET timezone = 'UTC';
CREATE TABLE no_purchases (id int, at date, amount numeric);

-- ---------- the published series: 1000 customers of Fader & Hardie (2007), lost at their first seven renewals ----------

CREATE TABLE alive AS
SELECT t, regular, high_end FROM unnest(ARRAY[1000, 631, 468, 382, 326, 289, 262, 241], ARRAY[1000, 869, 743, 653, 593, 551, 517, 491])
    WITH ORDINALITY AS v(regular, high_end, t);
CREATE FUNCTION lost(int[]) RETURNS TABLE (id int, started date, ended date, price int) LANGUAGE sql AS $$
    SELECT (row_number() OVER (ORDER BY v.t, k))::int, date '2016-01-10',
           CASE WHEN v.t < cardinality($1) THEN (date '2016-01-10' + make_interval(years => v.t::int))::date END, 10
    FROM unnest($1) WITH ORDINALITY AS v(n, t), generate_series(1, v.n - CASE WHEN v.t < cardinality($1) THEN $1[v.t + 1] ELSE 0 END) k $$;
CREATE VIEW regular AS SELECT * FROM lost(ARRAY(SELECT a.regular FROM alive a ORDER BY t));
CREATE VIEW high_end AS SELECT * FROM lost(ARRAY(SELECT a.high_end FROM alive a ORDER BY t));
CREATE VIEW regular_4 AS SELECT * FROM lost(ARRAY(SELECT a.regular FROM alive a WHERE t <= 5 ORDER BY t));
CREATE VIEW high_end_4 AS SELECT * FROM lost(ARRAY(SELECT a.high_end FROM alive a WHERE t <= 5 ORDER BY t));
CREATE FUNCTION try(subscriptions regclass, options jsonb, as_of timestamptz) RETURNS TABLE (parameters jsonb, log_likelihood numeric, method text)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM cvm.create_portfolio('series', 'no_purchases', 'id', 'at', 'amount', options || '{"renewal": "1 year"}');
    PERFORM cvm.add_feed('series', 'subscriptions', subscriptions, '{"customer": "id", "started_at": "started", "ended_at": "ended", "price": "price"}');
    CALL cvm.recompute('series', as_of);
    RETURN QUERY SELECT (SELECT jsonb_object_agg(p.key, round(p.value::numeric, 4)) FROM jsonb_each_text(m.parameters) p),
                        round(m.log_likelihood::numeric, 4), m.method
                 FROM cvm.models m WHERE m.portfolio = 'series' AND m.role = 'retention' AND m.is_live;
END $$;
-- published: .704 / 1.182, -1680.3 and .668 / 3.806, -1611.2
SELECT * FROM try('regular', '{}', '2023-06-01 00:00+00');

-- a survivor's scores against the sum over renewals: 7 made, the next one due in 223 days, 10 % a year
CREATE FUNCTION retained(alpha float8, beta float8, n int, j int) RETURNS float8 LANGUAGE sql AS
$$ SELECT coalesce(exp(sum(ln((beta + n + i - 1) / (alpha + beta + n + i - 1)))), 1) FROM generate_series(1, j) i $$;
WITH m AS (SELECT (parameters ->> 'alpha')::float8 AS a, (parameters ->> 'beta')::float8 AS b FROM cvm.models WHERE portfolio = 'series'),
     s AS (SELECT j, exp(sum(ln((b + 7 + j - 1) / (a + b + 7 + j - 1))) OVER (ORDER BY j)) AS s FROM m, generate_series(1, 1000) j),
     t AS (SELECT sum(s * 10 * power(1.1, -(223 / 365.25 + j - 1))) AS residual, max(s) AS next FROM s)
SELECT v.residual_value, abs(v.residual_value / t.residual - 1) < 1e-12 AS residual, abs(v.churn_risk - (1 - t.next)) < 1e-12 AS risk,
       abs(v.expected_purchases - t.next) < 1e-12 AS expected, v.realised_value, v.expected_spend, v.p_alive, v.days_silent, v.next_purchase_on, v.status
FROM cvm_series.customer_value v, t WHERE v.customer_id = 1000;
SELECT segment, customers, expected_active, realised_value, round(residual_value::numeric, 4) AS residual_value FROM cvm_series.equity ORDER BY is_total DESC, segment;
-- his interval: 7.9 % end at the next renewal, so that the 5 % quantile is nothing; 5 % make 558 more, which is a perpetuity
SELECT residual_low, round(residual_high::numeric, 8) AS residual_high, round((10 * power(1.1, -223 / 365.25) * 11)::numeric, 8) AS perpetuity FROM cvm_series.clv WHERE customer_id = 1000;
SELECT cvm.drop_portfolio('series');
SELECT * FROM try('high_end', '{}', '2023-06-01 00:00+00');
SELECT cvm.drop_portfolio('series');
-- four renewals: sbg .7637 / 1.2958, -1401.559424, bdw .5230 / .8943 / 1.1964, -1401.383052 and .2593 / 1.7226 / 1.5844, -1222.749318
SELECT * FROM try('regular_4', '{}', '2020-06-01 00:00+00');
SELECT cvm.drop_portfolio('series');
SELECT * FROM try('regular_4', '{"families": ["bdw"]}', '2020-06-01 00:00+00');
SELECT cvm.drop_portfolio('series');
SELECT * FROM try('high_end_4', '{"families": ["bg/nbd", "bdw"]}', '2020-06-01 00:00+00');
SELECT cvm.drop_portfolio('series');

-- ---------- drift: the other series in the place of the first, on the same day ----------

CREATE VIEW moving AS SELECT * FROM regular;
SELECT * FROM try('moving', '{}', '2023-06-01 00:00+00');
-- lost at 1, 2, ... : 369, 163, 86, 56, 37, 27, 21, and 241 of seven renewals; the deciles are 1, 2, 3 and 5, the largest left out
SELECT i.input, i.edges, i.counts FROM cvm.model_input i WHERE i.portfolio = 'series' ORDER BY input;
CREATE OR REPLACE VIEW moving AS SELECT * FROM high_end;
SET client_min_messages = error;	-- the warning has the model's number
CALL cvm.recompute('series', '2023-06-01 00:00+00');
SET client_min_messages = warning;
-- sum of (a - e) ln(a / e) over the bins of the fit; chance: chi-square(.99; 4) is 13.277, of 1 degree 6.635 (tables), x 2 / 1000
SELECT d.input, round(d.psi::numeric, 10) AS psi, round(t.psi::numeric, 10) AS by_hand, round(d.chance::numeric, 3) AS chance, t.chance AS of_tables, d.exceeded
FROM cvm.drift d JOIN (SELECT input, sum((a - e) / 1000 * ln(a / e)) AS psi, max(c) AS chance
                       FROM (VALUES ('lifetime', 369.0, 131.0, 0.027), ('lifetime', 163, 126, 0), ('lifetime', 86, 90, 0), ('lifetime', 93, 102, 0), ('lifetime', 289, 551, 0),
                                    ('churned', 241, 491, 0.013), ('churned', 759, 509, 0)) AS v(input, e, a, c) GROUP BY input) t USING (input)
WHERE d.portfolio = 'series' AND d.run_id = (SELECT max(run_id) FROM cvm.run WHERE portfolio = 'series') ORDER BY input;
SELECT m.status, m.reason FROM cvm.models m WHERE m.portfolio = 'series' AND m.role = 'retention' ORDER BY m.model_id;
SELECT count(*) AS told FROM cvm.check('series') WHERE finding ~ 'was rejected: drift: the subscriptions have changed suddenly';
-- a year later nothing is sudden: whoever left has left, and contracts have grown older
CALL cvm.recompute('series', '2024-06-01 00:00+00');
SELECT m.status, m.reason ~ 'newer data' AS refitted FROM cvm.models m WHERE m.portfolio = 'series' AND m.role = 'retention' ORDER BY m.model_id DESC LIMIT 1;
SELECT input, exceeded FROM cvm.drift WHERE portfolio = 'series' AND run_id = (SELECT max(run_id) FROM cvm.run WHERE portfolio = 'series') ORDER BY input;
SELECT cvm.drop_portfolio('series');

-- ---------- customers by hand, at sbg(.668, 3.806) and 10 % a renewal: DERL after paying the n-th renewal is published ----------

CREATE TABLE subs (id int, started timestamptz, ended timestamptz, price numeric);
INSERT INTO subs VALUES
    (1, '2023-01-01', NULL, 10),                    -- n = 1:  5.36523015250275
    (2, '2022-01-01', NULL, 10),                    -- n = 2:  5.72205510617562
    (3, '2019-01-02', NULL, 10),                    -- n = 5:  6.48727445407384
    (4, '2024-01-01', NULL, 10),                    -- n = 0:  5.92259640761276 - 1, started today
    (5, '2023-01-01', '2024-01-01', 10),            -- not renewed today: one payment
    (6, '2022-01-01', '2023-06-15', 10),            -- renewed once, left in the middle of the period: two payments
    (7, '2023-05-05 10:00+00', '2023-05-05 08:00+00', 10),  -- ended on its first day: one payment
    (8, '2023-01-01', '2024-05-01', 10),            -- ends in the future: runs, as customer 1
    (9, '2024-02-01', NULL, 10),                    -- starts in the future: left out
    (10, '2023-01-01', NULL, 10), (10, '2022-01-01', NULL, 20),     -- two at once: 1 and twice 2
    (11, '2022-01-01', '2023-01-01', 7), (11, '2023-01-01', NULL, 10),  -- one after the other
    (12, '2023-07-02', NULL, 10),                   -- n = 0, the next renewal is due in 182 days
    (13, '2023-01-01', NULL, 0),                    -- free
    (14, '2023-01-01', 'infinity', 12.5),           -- no end
    (15, '2022-01-01', '2022-06-01', 3), (15, '2022-08-01', '2022-10-01', 5);   -- both ended
SELECT cvm.create_portfolio('hand', 'no_purchases', 'id', 'at', 'amount',
    '{"renewal": "365 days", "margin": 0.5, "annual_discount_rate": 0.1000718113835106}') IS NOT NULL AS created;
SELECT cvm.add_feed('hand', 'subscriptions', 'subs', '{"customer": "id", "started_at": "started", "ended_at": "ended", "price": "price"}');
CALL cvm.recompute('hand', '2024-01-01 12:00+00');
SELECT subscriptions, subscriptions_after_as_of, customers, purchase_model_id, retention_model_id IS NOT NULL AS fitted FROM cvm.run WHERE portfolio = 'hand';
-- 17 up to as_of, 6 of them ended
SELECT cvm.customers(model), (SELECT purchases FROM cvm.fitted_model f WHERE f.model_id = m.model_id) AS ended FROM cvm.models m WHERE portfolio = 'hand';
-- parameters that are certain, so that an interval is that of the renewals alone
UPDATE cvm.fitted_model SET model = 'sbg(alpha=0.668,beta=3.806) covariance=[1e-24,0,0,1e-24]' WHERE portfolio = 'hand';
SELECT cvm.promote(model_id) = model_id AS promoted FROM cvm.models WHERE portfolio = 'hand';
CALL cvm.recompute('hand', '2024-01-01 12:00+00');
SELECT customer_id, realised_value, round(residual_value::numeric, 10) AS residual_value, round(residual_low::numeric, 6) AS low,
       round(residual_high::numeric, 6) AS high, round(expected_purchases::numeric, 8) AS expected, round(expected_spend::numeric, 4) AS spend, method, status
FROM cvm_hand.clv ORDER BY 1;
SELECT customer_id, p_alive, round(p_no_purchase::numeric, 8) AS p_no_purchase, round(churn_risk::numeric, 8) AS churn_risk, days_silent, is_lapsed,
       next_purchase_on, value_at_risk FROM cvm_hand.churn ORDER BY 1;
SELECT customer_id, orders, first_at, subscriptions FROM cvm_hand.customer ORDER BY 1;
SELECT segment, count(*), count(rfm_cell) AS scored, min(since) = max(since) AS since FROM cvm_hand.segment_member GROUP BY 1 ORDER BY 1;
SELECT is_total, customers, expected_active, realised_value, round(residual_value::numeric, 8) AS residual_value FROM cvm_hand.equity WHERE is_total;
SELECT count(*) AS cohorts FROM cvm_hand.cohort_retention;
SELECT count(DISTINCT customer_id) AS customers, bool_and(model_id = (SELECT model_id FROM cvm.models WHERE portfolio = 'hand' AND is_live)) AS model
FROM cvm_hand.customer_value;
SELECT bool_and(residual_low <= residual_value AND residual_value <= residual_high) AS ordered FROM cvm_hand.clv;
-- what is valued is bounded: one renewal is due within 600 days (n = 1: 4.806 / 5.474 / 1.1), two of customer 12; two within 800
SELECT cvm.alter_portfolio('hand', '{"value_horizon": "600 days", "horizon": "800 days"}');
CALL cvm.recompute('hand', '2024-01-01 12:00+00');
SELECT v.customer_id, round(v.residual_value::numeric, 10) AS residual_value, round(5 * (retained(0.668, 3.806, n, 1) / power(1.1, w)
           + CASE WHEN w < 1 THEN retained(0.668, 3.806, n, 2) / power(1.1, w + 1) ELSE 0 END)::numeric, 10) AS by_hand,
       round(v.expected_purchases::numeric, 10) AS expected, round(v.churn_risk::numeric, 10) AS risk,
       round((1 - retained(0.668, 3.806, n, j))::numeric, 10) AS risk_by_hand
FROM cvm_hand.customer_value v JOIN (VALUES (1, 1, 1.0, 2), (3, 5, 1.0, 2), (12, 0, 182 / 365.0, 2)) AS h(customer_id, n, w, j) USING (customer_id) ORDER BY 1;
-- as of any earlier day: three weeks before its end a subscription ran; what had not started is not there
CALL cvm.recompute('hand', '2023-05-25 00:00+00');
SELECT customer_id, p_alive, realised_value, next_purchase_on FROM cvm_hand.customer_value WHERE customer_id IN (4, 5, 6, 12) ORDER BY 1;

-- the second and third moment: E[V^2] and E[V^3] by their sums, of one customer alone as the equity of a portfolio; its quantiles are those
-- of a log-normal variable with a shift that has the three moments: y^3 + 3 y = skewness, s^2 = ln(1 + y^2) (Johnson 1949)
SELECT cvm.alter_portfolio('hand', '{"value_horizon": null, "horizon": null}');
DELETE FROM subs WHERE id <> 3;
CALL cvm.recompute('hand', '2024-01-01 12:00+00');
WITH s AS (SELECT j, exp(sum(ln((3.806 + 5 + j - 1) / (0.668 + 3.806 + 5 + j - 1))) OVER (ORDER BY j)) AS s, power(1.1, -j) AS q FROM generate_series(1, 1000) j),
     v AS (SELECT s, q, sum(q) OVER (ORDER BY j) AS worth FROM s),
     e AS (SELECT sum(s * q) AS mean, sum(s * (worth ^ 2 - (worth - q) ^ 2)) AS square, sum(s * (worth ^ 3 - (worth - q) ^ 3)) AS cube FROM v),
     m AS (SELECT mean, sqrt(square - mean ^ 2) AS deviation, (cube - 3 * mean * square + 2 * mean ^ 3) / sqrt(square - mean ^ 2) ^ 3 AS skewness FROM e),
     y AS (SELECT m.*, 2 * sinh(asinh((skewness / 2)::float8) / 3) AS y FROM m),
     l AS (SELECT y.*, sign(y) * sqrt(ln(1 + y ^ 2)) AS s FROM y),
     h AS (SELECT 5 * mean AS mean, 5 * deviation AS deviation, skewness, 5 * (mean + deviation / y * (exp(s * -1.6448536269514722 - s ^ 2 / 2) - 1)) AS low,
                  5 * (mean + deviation / y * (exp(s * 1.6448536269514722 - s ^ 2 / 2) - 1)) AS high FROM l)
SELECT round(h.mean::numeric, 8) AS mean, round(h.deviation::numeric, 8) AS deviation, round(h.skewness::numeric, 6) AS skewness, round(h.low::numeric, 6) AS low,
       round(h.high::numeric, 6) AS high, abs(e.residual_value / h.mean - 1) < 1e-9 AND abs(e.predictive_error / h.deviation - 1) < 1e-9 AS moments,
       abs(e.residual_low / h.low - 1) < 1e-7 AND abs(e.residual_high / h.high - 1) < 1e-7 AS quantiles
FROM h, cvm_hand.equity e WHERE e.is_total AND e.as_of = '2024-01-01 12:00+00';

-- a renewal is a day of the calendar in the portfolio's zone: the 31st of a month that has none is its last day
TRUNCATE subs;
INSERT INTO subs VALUES (1, '2024-01-31 00:00 Europe/Berlin', NULL, 1), (2, '2024-01-31 23:30+00', NULL, 1), (3, '2023-12-31 12:00+00', '2024-02-29 12:00+00', 1),
    (4, '2023-12-31 12:00+00', '2024-03-01 00:00 Europe/Berlin', 1);
SELECT cvm.alter_portfolio('hand', '{"renewal": null, "margin": null, "time_zone": "Europe/Berlin"}');
SELECT cvm.unpin('hand');
CALL cvm.recompute('hand', '2024-03-30 12:00+00');
-- 31 January, 29 February | 1 February, 1 March | 31 December, 31 January | 31 December, 31 January, 29 February
SELECT customer_id, realised_value AS payments, next_purchase_on, days_silent FROM cvm_hand.customer_value ORDER BY 1;

-- none has ended: Laplace's rule of succession, Beta(1, decisions + 1)
DELETE FROM subs WHERE ended IS NOT NULL;
CALL cvm.recompute('hand', '2024-03-30 12:00+00');
SELECT parameters, method, status, regexp_replace(reason, '[0-9]+', 'N') AS reason FROM cvm.models WHERE portfolio = 'hand' ORDER BY model_id DESC LIMIT 2;
SELECT customer_id, round(expected_purchases::numeric, 6) AS expected, method, status FROM cvm_hand.clv ORDER BY 1;
-- 12 renewals are due up to 30 March 2025, after the 1 that was made
SELECT round(sum(retained(1, 3, 1, j))::numeric, 6) AS by_hand FROM generate_series(1, 12) j;
-- no decision at all so far
UPDATE subs SET started = '2024-03-20 00:00+00';
CALL cvm.recompute('hand', '2024-03-30 12:00+00');
SELECT cvm.parameters(model), method FROM cvm.models WHERE portfolio = 'hand' AND is_live;

-- ---------- bad rows and mappings ----------

CREATE FUNCTION with_row(customer int, started timestamptz, ended timestamptz, price numeric) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO subs VALUES (customer, started, ended, price);
    BEGIN
        CALL cvm.recompute('hand', '2024-03-30 12:00+00');
    EXCEPTION WHEN OTHERS THEN
        DELETE FROM subs WHERE ctid = (SELECT max(ctid) FROM subs);
        RAISE WARNING '% %', SQLSTATE, SQLERRM;
    END;
END $$;
SELECT with_row(NULL, '2024-01-01', NULL, 1);
SELECT with_row(70, NULL, NULL, 1);
SELECT with_row(70, '2024-01-01', NULL, NULL);
SELECT with_row(70, '2024-01-01', NULL, -1);
SELECT with_row(70, '2024-01-01', NULL, 'NaN');
SELECT with_row(70, '2024-01-01', NULL, 1e30);
SELECT with_row(70, '-infinity', NULL, 1);
SELECT with_row(70, '2024-01-02', '2024-01-01 22:00+00', 1);
SELECT with_row(70, '2024-01-02', '-infinity', 1);
SELECT with_row(70, '2024-05-02', '2024-05-01', 1);
SELECT count(*) AS published FROM cvm_hand.clv;
SELECT cvm.add_feed('hand', 'subscriptions', 'subs', '{"customer": "id"}');
SELECT cvm.add_feed('hand', 'subscriptions', 'subs', '{"customer": "id", "started_at": "begun"}');
SELECT cvm.add_feed('hand', 'subscriptions', 'subs', '{"customer": "id", "started_at": "price"}');
SELECT cvm.add_feed('hand', 'subscriptions', 'subs', '{"customer": "id", "started_at": "started", "ended_at": "price"}');
SELECT cvm.add_feed('hand', 'subscriptions', 'subs', '{"customer": "id", "started_at": "started", "price": "ended"}');
-- prices are in the portfolio's currency
SELECT cvm.add_feed('hand', 'subscriptions', 'subs', '{"customer": "id", "started_at": "started", "currency": "price"}');
CREATE VIEW texts AS SELECT id::text, started FROM subs;
SELECT cvm.add_feed('hand', 'subscriptions', 'texts', '{"customer": "id", "started_at": "started"}');
SELECT cvm.alter_portfolio('hand', '{"renewal": "12 hours"}');
SELECT cvm.alter_portfolio('hand', '{"renewal": "1 month -3 days"}');
SELECT cvm.alter_portfolio('hand', '{"renewal": "11 years"}');
SELECT cvm.alter_portfolio('hand', '{"payments_in_purchases": 1}');
SELECT cvm.alter_portfolio('hand', '{"families": ["sbg", "bdw"]}');

-- what cvm.check says: before bad rows, and of those that a recompute takes
SELECT * FROM cvm.check('hand') WHERE finding LIKE '%subscription%' OR finding LIKE '%purchases feed%';
INSERT INTO subs VALUES (NULL, '2024-01-01', NULL, 1), (71, NULL, NULL, 1), (72, '2024-01-01', NULL, NULL), (73, '2024-01-01', NULL, -1), (74, '2024-01-01', NULL, 'NaN'),
    (75, '-infinity', NULL, 1), (76, '2024-01-03', '2024-01-01', 1), (77, '2024-01-01', NULL, 1e20);
SELECT * FROM cvm.check('hand') WHERE finding LIKE '%subscription%';
TRUNCATE subs;
INSERT INTO subs VALUES (1, '2020-01-01', '2020-06-01', 5), (1, '2020-05-01', NULL, 5), (2, '2020-01-01', '9999-01-01', 5), (3, '9999-01-01', NULL, 5), (4, '2020-01-01', '2020-02-01', 1), (4, '2020-02-01', NULL, 1);
SELECT * FROM cvm.check('hand') WHERE finding LIKE '%subscription%';
-- without prices and ends: customers, worth nothing
CREATE VIEW bare AS SELECT id::smallint AS who, started::date AS since FROM subs WHERE started < '2024-01-01';
SELECT cvm.add_feed('hand', 'subscriptions', 'bare', '{"customer": "who", "started_at": "since"}');
SELECT * FROM cvm.check('hand') WHERE finding LIKE '%subscription%';
CALL cvm.recompute('hand', '2024-03-30 12:00+00');
SELECT customer_id, p_alive, realised_value, residual_value, subscriptions, status, pg_typeof(customer_id) FROM cvm_hand.customer_value ORDER BY 1;
-- money that does not fit, in one customer's sum only
CREATE VIEW dear AS SELECT 1 AS id, date '2024-01-01' AS since, 500000000000000::bigint AS fee FROM generate_series(1, 2);
SELECT cvm.add_feed('hand', 'subscriptions', 'dear', '{"customer": "id", "started_at": "since", "price": "fee"}');
CALL cvm.recompute('hand', '2024-01-30 12:00+00');
-- the owner of the portfolio reads the feed
CREATE ROLE cvm_test_subscriptions;
CREATE SCHEMA theirs AUTHORIZATION cvm_test_subscriptions;
GRANT USAGE ON SCHEMA subscription_test TO cvm_test_subscriptions;
GRANT SELECT ON no_purchases TO cvm_test_subscriptions;
SELECT cvm.create_portfolio('theirs', 'no_purchases', 'id', 'at', 'amount', '{"schema": "theirs"}');
SELECT cvm.add_feed('theirs', 'subscriptions', 'subs', '{"customer": "id", "started_at": "started", "price": "price"}');
GRANT SELECT (id, started, price) ON subs TO cvm_test_subscriptions;
SELECT cvm.add_feed('theirs', 'subscriptions', 'subs', '{"customer": "id", "started_at": "started", "price": "price"}');
CALL cvm.recompute('theirs', '2024-03-30 12:00+00');
SELECT count(*) AS customers FROM theirs.clv;
SELECT cvm.drop_portfolio('theirs');
REVOKE ALL ON no_purchases, subs FROM cvm_test_subscriptions;
REVOKE USAGE ON SCHEMA subscription_test FROM cvm_test_subscriptions;
DROP SCHEMA theirs;
DROP ROLE cvm_test_subscriptions;
SELECT cvm.drop_feed('hand', 'subscriptions');
CALL cvm.recompute('hand', '2024-03-30 12:00+00');
SELECT cvm.drop_portfolio('hand');

-- ---------- customers who buy and subscribe ----------

CREATE FUNCTION u(a int, b int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT (('x' || substr(md5(a || '/' || b), 1, 8))::bit(32)::bigint + 0.5) / 4294967296 $$;
CREATE TABLE orders AS
SELECT 'customer ' || c AS who, '2023-01-01 00:00+00'::timestamptz + make_interval(secs => 86400 * (200 * u(c, 0) + 12 * exp(2 * u(c, 1)) * k * (0.5 + u(c, 100 + k)))) AS at,
       round((20 * exp(u(c, 2)) * (0.4 + 1.2 * u(c, 200 + k)))::numeric, 2) AS amount
FROM generate_series(1, 400) c, generate_series(0, 20) k WHERE k <= floor(-ln(u(c, 3)) * 3);
INSERT INTO orders VALUES ('customer 501', '2023-03-01', -7.5);     -- money without a purchase, and a subscription
-- every third customer, and some who never bought; each leaves at a renewal with a chance of his own
CREATE TABLE plans AS
SELECT 'customer ' || c AS who, s.since, (s.since + make_interval(months => 1 + floor(ln(u(c, 6)) / ln(1 - u(c, 8) ^ 2))::int))::date AS until,
       round((5 + 20 * u(c, 7))::numeric, 2) AS fee
FROM generate_series(1, 600) c, LATERAL (SELECT date '2022-02-01' + (600 * u(c, 5))::int AS since) s WHERE c % 3 = 0 AND (c < 400 OR c > 450);
SELECT cvm.create_portfolio(p, 'orders', 'who', 'at', 'amount', '{"margin": 0.4}') FROM unnest('{buy,both}'::text[]) p;
CREATE VIEW nobody AS SELECT * FROM orders WHERE false;
SELECT cvm.create_portfolio('subscribe', 'nobody', 'who', 'at', 'amount', '{"margin": 0.4}');
SELECT cvm.add_feed(p, 'subscriptions', 'plans', '{"customer": "who", "started_at": "since", "ended_at": "until", "price": "fee"}') FROM unnest('{subscribe,both}'::text[]) p;
CALL cvm.recompute('buy', '2024-01-01 00:00+00');
CALL cvm.recompute('subscribe', '2024-01-01 00:00+00');
CALL cvm.recompute('both', '2024-01-01 00:00+00');
SELECT role, count(*), count(DISTINCT fingerprint) AS data FROM cvm.models WHERE portfolio IN ('buy', 'subscribe', 'both') GROUP BY 1 ORDER BY 1;
SELECT count(*) AS customers, count(b.*) AS buyers, count(s.*) AS subscribers, count(*) FILTER (WHERE b.status <> 'excluded' AND s.subscriptions > 0) AS both_now FROM cvm_both.customer_value t
LEFT JOIN cvm_buy.customer_value b USING (customer_id) LEFT JOIN cvm_subscribe.customer_value s USING (customer_id);
-- one feed only: nothing but the model's number differs (frequency, recency and money are ranked among buyers alone)
SELECT count(*) FILTER (WHERE s.customer_id IS NULL AND to_jsonb(t) - '{model_id}'::text[] IS DISTINCT FROM to_jsonb(b) - '{model_id}'::text[]) AS buyers_differ,
       count(*) FILTER (WHERE b.customer_id IS NULL AND to_jsonb(t) - '{model_id}'::text[] IS DISTINCT FROM to_jsonb(s) - '{model_id}'::text[]) AS subscribers_differ
FROM cvm_both.customer_value t LEFT JOIN cvm_buy.customer_value b USING (customer_id) LEFT JOIN cvm_subscribe.customer_value s USING (customer_id);
-- both feeds: how each column combines
SELECT count(*) AS n, bool_and(t.realised_value = b.realised_value + s.realised_value) AS realised,
       bool_and(abs(t.residual_value - b.residual_value - s.residual_value) < 1e-9) AS residual,
       bool_and(abs(t.expected_purchases - b.expected_purchases - s.expected_purchases) < 1e-12) AS expected,
       bool_and(abs(t.expected_spend * t.expected_purchases - b.expected_spend * b.expected_purchases - s.expected_spend * s.expected_purchases) < 1e-9) AS spend,
       bool_and(t.p_alive = greatest(b.p_alive, s.p_alive)) AS p_alive, bool_and(abs(t.churn_risk - b.churn_risk * s.churn_risk) < 1e-12) AS risk,
       bool_and(t.value_at_risk = b.value_at_risk) AS at_risk, bool_and(t.days_silent = least(b.days_silent, s.days_silent)) AS silent,
       bool_and(t.next_purchase_on IS NOT DISTINCT FROM least(b.next_purchase_on, s.next_purchase_on)) AS next,
       bool_and(t.is_lapsed = CASE WHEN s.subscriptions > 0 THEN false ELSE b.is_lapsed END) AS lapsed,
       bool_and(t.rfm_cell = b.rfm_cell AND t.segment = b.segment AND t.model_id = (SELECT model_id FROM cvm.models WHERE portfolio = 'both' AND role = 'purchases')) AS rfm,
       bool_and(CASE WHEN s.subscriptions = 0 THEN (t.residual_low, t.residual_high) = (b.residual_low, b.residual_high)
                     ELSE t.residual_low >= b.residual_low + s.residual_low - 1e-9 AND t.residual_low <= t.residual_value
                      AND t.residual_value <= t.residual_high AND t.residual_high <= greatest(b.residual_high, b.residual_value) + s.residual_high + 1e-9 END) AS interval,
       bool_and(t.status = b.status AND t.method = b.method) AS status
FROM cvm_both.customer_value t JOIN cvm_buy.customer_value b USING (customer_id) JOIN cvm_subscribe.customer_value s USING (customer_id) WHERE b.status <> 'excluded';
-- sums of quantiles are not the quantiles of sums: two subscriptions, and a purchase beside one
SELECT customer_id, round(t.residual_low::numeric, 4) AS low, round(t.residual_high::numeric, 4) AS high,
       round((t.residual_value - sqrt((b.residual_value - b.residual_low) ^ 2 + (s.residual_value - s.residual_low) ^ 2))::numeric, 4) AS low_by_hand,
       round((t.residual_value + sqrt(greatest(b.residual_high - b.residual_value, 0) ^ 2 + (s.residual_high - s.residual_value) ^ 2))::numeric, 4) AS high_by_hand
FROM cvm_both.customer_value t JOIN cvm_buy.customer_value b USING (customer_id) JOIN cvm_subscribe.customer_value s USING (customer_id)
WHERE customer_id IN ('customer 54', 'customer 123', 'customer 360') ORDER BY 1;
SELECT t.realised_value - s.realised_value AS money, t.residual_value = s.residual_value AS residual, t.status, t.segment = s.segment AS segment, t.rfm_cell
FROM cvm_both.customer_value t JOIN cvm_subscribe.customer_value s USING (customer_id) WHERE customer_id = 'customer 501';
SELECT t.realised_value = b.realised_value + s.realised_value AS realised, abs(t.residual_value - b.residual_value - s.residual_value) < 1e-7 AS residual,
       t.customers
FROM cvm_both.equity t, cvm_buy.equity b, cvm_subscribe.equity s WHERE t.is_total AND b.is_total AND s.is_total;
SELECT count(*) > 50 AS cells, count(*) FILTER (WHERE t IS DISTINCT FROM b) AS differ
FROM cvm_both.cohort_retention t FULL JOIN cvm_buy.cohort_retention b USING (cohort_on, age_periods);
SELECT * FROM cvm.check('both') WHERE finding LIKE '%subscription%';

-- the purchases feed has the payments: a subscriber is valued by the contract, realised value is the purchases', the purchase model is fitted on the others
SELECT cvm.alter_portfolio('both', '{"payments_in_purchases": true}');
CALL cvm.recompute('both', '2024-01-01 00:00+00');
SELECT bool_and(t.realised_value = b.realised_value) AS realised, bool_and(t.residual_value = s.residual_value AND t.churn_risk = s.churn_risk) AS contract,
       bool_and(t.rfm_cell IS NOT DISTINCT FROM b.rfm_cell) AS rfm, bool_and(t.model_id = (SELECT model_id FROM cvm.models WHERE portfolio = 'both' AND role = 'retention' AND is_live)) AS model
FROM cvm_both.customer_value t JOIN cvm_buy.customer_value b USING (customer_id) JOIN cvm_subscribe.customer_value s USING (customer_id);
SELECT cvm.customers(m.model) = count(*) AS fitted_on_the_rest FROM cvm.models m, cvm_both.customer c
WHERE m.portfolio = 'both' AND m.role = 'purchases' AND m.is_live AND c.orders > 0 AND c.subscriptions IS NULL GROUP BY m.model;
SELECT * FROM cvm.check('both') WHERE finding LIKE '%feed%';

-- renewals of any length against the calendar of SQL: payments made, the next renewal, how many ended
CREATE TABLE anyday AS
SELECT i AS id, date '2010-01-01' + (5000 * u(i, 11))::int AS started, CASE WHEN u(i, 12) < 0.5 THEN date '2010-01-01' + (5000 * u(i, 11) + 1500 * u(i, 13))::int END AS ended
FROM generate_series(1, 2000) i;
SELECT cvm.create_portfolio('calendar', 'no_purchases', 'id', 'at', 'amount') IS NOT NULL AS created;
SELECT cvm.add_feed('calendar', 'subscriptions', 'anyday', '{"customer": "id", "started_at": "started", "ended_at": "ended", "price": "id"}');
CREATE FUNCTION against_calendar(months int, days int, today date) RETURNS TABLE (renewal text, rows bigint, payments_differ bigint, next_differ bigint, silent_differ bigint, ended bigint)
LANGUAGE plpgsql SET intervalstyle = 'postgres' AS $$
BEGIN
    PERFORM cvm.alter_portfolio('calendar', jsonb_build_object('renewal', make_interval(months => months, days => days)));
    CALL cvm.recompute('calendar', today + interval '6 hours');
    RETURN QUERY
    WITH day AS (SELECT s.id, k, (s.started + make_interval(months => k * months))::date + k * days AS due, coalesce(s.ended, 'infinity') AS ended
                 FROM anyday s, generate_series(0, 6000 / (28 * months + days) + 1) k WHERE s.started <= today),
         truth AS (SELECT d.id, count(*) FILTER (WHERE k = 0 OR (d.due <= today AND (d.ended > today OR d.due < d.ended))) AS payments,
                          max(d.due) FILTER (WHERE k = 0 OR (d.due <= today AND (d.ended > today OR d.due < d.ended))) AS last_on,
                          min(d.due) FILTER (WHERE d.due > today AND d.ended > today) AS next_on
                   FROM day d GROUP BY d.id)
    SELECT make_interval(months => months, days => days)::text, count(*), count(*) FILTER (WHERE c.realised_value <> t.payments * t.id),
           count(*) FILTER (WHERE c.next_purchase_on IS DISTINCT FROM t.next_on), count(*) FILTER (WHERE c.days_silent <> today - t.last_on),
           count(*) FILTER (WHERE c.p_alive = 0)
    FROM truth t FULL JOIN cvm_calendar.customer_value c ON c.customer_id = t.id;
END $$;
SELECT * FROM against_calendar(1, 0, '2024-02-29');
SELECT * FROM against_calendar(12, 0, '2024-02-29');
SELECT * FROM against_calendar(3, 0, '2023-05-31');
SELECT * FROM against_calendar(0, 7, '2020-01-01');
SELECT * FROM against_calendar(1, 3, '2018-12-31');
SELECT * FROM against_calendar(0, 1, '2012-03-01');
SELECT cvm.drop_portfolio('calendar');

-- ---------- the registry: three models go live, back and forth together ----------

SELECT role, status, partner_id = (SELECT min(model_id) FROM cvm.models WHERE portfolio = 'both') AS first FROM cvm.models WHERE portfolio = 'both' AND status = 'retired' ORDER BY model_id;
SELECT cvm.alter_portfolio('both', '{"payments_in_purchases": false}');
SELECT cvm.rollback('both') = min(model_id) AS back FROM cvm.models WHERE portfolio = 'both';
CALL cvm.recompute('both', '2024-01-01 00:00+00');
SELECT role, status, is_pinned, reason FROM cvm.models WHERE portfolio = 'both' AND run_id = (SELECT min(run_id) FROM cvm.run WHERE portfolio = 'both') ORDER BY model_id;
SELECT count(*) AS all_of_them, count(*) FILTER (WHERE abs(t.residual_value - coalesce(b.residual_value, 0) - coalesce(s.residual_value, 0)) > 1e-9) AS differ FROM cvm_both.customer_value t
LEFT JOIN cvm_buy.customer_value b USING (customer_id) LEFT JOIN cvm_subscribe.customer_value s USING (customer_id);
-- by the retention model: its pair comes with it
SELECT cvm.promote(max(model_id) FILTER (WHERE role = 'retention')) = max(model_id) FILTER (WHERE role = 'purchases') AS with_its_pair FROM cvm.models WHERE portfolio = 'both';
SELECT count(*) AS pinned, count(DISTINCT run_id) AS runs FROM cvm.models WHERE portfolio = 'both' AND is_pinned;
CALL cvm.recompute('both', '2024-01-01 00:00+00');
-- another family than the pinned one waits until it is unpinned
SELECT cvm.alter_portfolio('both', '{"families": ["bdw"]}');
CALL cvm.recompute('both', '2024-01-01 00:00+00');
SELECT role, family, is_pinned FROM cvm.models WHERE portfolio = 'both' AND is_live ORDER BY model_id;
SELECT cvm.unpin('both');
CALL cvm.recompute('both', '2024-01-01 00:00+00');
SELECT role, family, status, is_pinned FROM cvm.models WHERE portfolio = 'both' AND is_live ORDER BY model_id;
-- where there are only subscriptions, the retention model leads
CALL cvm.recompute('subscribe', '2024-01-01 00:00+00');
SELECT cvm.rollback('subscribe') = min(model_id) AS back FROM cvm.models WHERE portfolio = 'subscribe';
SELECT cvm.rollback('subscribe');
CALL cvm.recompute('subscribe', '2024-01-01 00:00+00');
SELECT role, status, is_pinned FROM cvm.models WHERE portfolio = 'subscribe' ORDER BY model_id;
-- a registry that its owner has forged
CREATE FUNCTION said(portfolio text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    CALL cvm.recompute(portfolio, '2024-01-01 00:00+00');
    RETURN 'nothing';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || regexp_replace(SQLERRM, 'model [0-9]+', 'model N');
END $$;
SELECT specification AS kept FROM cvm.fitted_model WHERE portfolio = 'subscribe' ORDER BY model_id LIMIT 1 \gset
UPDATE cvm.fitted_model SET specification = specification || '{"renewal": "-1 month"}' WHERE portfolio = 'subscribe';
SELECT said('subscribe');
UPDATE cvm.fitted_model SET specification = specification || '{"renewal": "1 month", "family": "bdw"}' WHERE portfolio = 'subscribe';
SELECT said('subscribe');
UPDATE cvm.fitted_model SET specification = :'kept' WHERE portfolio = 'subscribe';
UPDATE cvm.promotion SET retention_model_id = (SELECT max(model_id) FROM cvm.fitted_model WHERE portfolio = 'both') WHERE portfolio = 'subscribe';
SELECT said('subscribe');
SELECT cvm.unpin('subscribe');
-- a lower rung of either shows: none of those that run has ended
CREATE VIEW running AS SELECT * FROM plans WHERE until > '2024-01-01';
SELECT cvm.add_feed('both', 'subscriptions', 'running', '{"customer": "who", "started_at": "since", "price": "fee"}');
CALL cvm.recompute('both', '2024-01-01 00:00+00');
SELECT subscriptions, status, method, count(*) > 20 AS many FROM cvm_both.customer_value WHERE orders > 0 GROUP BY 1, 2, 3 ORDER BY 1;
-- a holdout is about purchases
CALL cvm.validate('both', '90 days', '2024-01-01 00:00+00');
SELECT kind, name, customers = (SELECT count(DISTINCT who) FROM orders WHERE at <= '2023-10-03 00:00+00' AND amount >= 0) AS buyers FROM cvm.validations WHERE portfolio = 'both' ORDER BY position;

-- ---------- keys of a by-reference type, and files instead of memory: nothing changes ----------

CREATE TABLE big AS SELECT p.who || ' ' || copy AS who, since, until, fee FROM plans p, generate_series(1, 1200) copy;
SELECT cvm.create_portfolio('big', 'nobody', 'who', 'at', 'amount') IS NOT NULL AS created;
SELECT cvm.add_feed('big', 'subscriptions', 'big', '{"customer": "who", "started_at": "since", "ended_at": "until", "price": "fee"}');
SET cvm.recompute_memory = '512MB';
CALL cvm.recompute('big', '2024-01-01 00:00+00');
CREATE TABLE in_memory AS SELECT customer_id, realised_value, residual_value, next_purchase_on, segment FROM cvm_big.customer_value;
SET cvm.recompute_memory = '16MB';
CALL cvm.recompute('big', '2024-01-01 00:00+00');
SELECT count(*) > 200000 AS many, count(*) FILTER (WHERE i IS DISTINCT FROM v) AS differ FROM in_memory i FULL JOIN
    (SELECT customer_id, realised_value, residual_value, next_purchase_on, segment FROM cvm_big.customer_value) v USING (customer_id);
RESET cvm.recompute_memory;

SELECT count(cvm.drop_portfolio(p)) FROM unnest('{buy,both,subscribe,big}'::text[]) p;
DROP SCHEMA subscription_test CASCADE;
