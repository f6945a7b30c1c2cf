-- deal: win rate, cycle, size and discount by period and segment, against a hand-computed table
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA deal_test;
SET search_path = deal_test, public;

CREATE TABLE deal (customer text, opened timestamptz, closed timestamptz, won boolean, amount numeric, off numeric);
INSERT INTO deal VALUES
    ('a', '2024-01-02 10:00+00', '2024-01-12 09:00+00', true, 1000, 100), ('a', '2024-01-20 10:00+00', '2024-02-09 10:00+00', true, 500, NULL),
    ('b', '2023-12-01 10:00+00', '2024-01-30 10:00+00', true, 2000, 500), ('b', '2024-01-05 10:00+00', '2024-01-06 10:00+00', false, 700, 0),
    ('c', '2024-01-10 10:00+00', NULL, NULL, 900, 0), ('c', '2024-01-15 10:00+00', '2024-01-10 10:00+00', true, 5000, 0), ('c', '2024-01-15 10:00+00', '2024-01-16 10:00+00', NULL, 50, 0),
    ('c', '2024-02-10 10:00+00', '2024-02-12 10:00+00', true, NULL, 10), ('d', '2024-03-01 10:00+00', 'infinity', NULL, 10, 0), ('d', '2024-03-31 23:00+00', '2024-04-01 00:00+00', true, 10, 20);
CREATE TABLE segment (customer_id text, segment text);
INSERT INTO segment VALUES ('a', 'small'), ('b', 'large'), ('c', 'large');
\set map '{"customer": "customer", "opened_at": "opened", "closed_at": "closed", "won": "won", "amount": "amount", "discount": "off"}'
-- January: won 2 of 3 in 10 and 60 days, 900 + 1500, 600 of 3000 off; one undecided, one closed before it opened
-- February: both won, in 20 and 2 days, the amount of one not known; April: won at a loss
SELECT * FROM cvm.deals_of('deal', :'map', '2024-01-01', '2024-04-15', segments => 'segment') WHERE is_total \gx
SELECT count(*) AS wrong FROM (
    SELECT period_on, opened, open_at_end, closed, won, lost, win_rate, deal_cycle_days, median_cycle_days, deal_size, revenue, discount, discount_share, undecided, left_out
    FROM cvm.deals_of('deal', :'map', '2024-01-01', '2024-05-01')
    EXCEPT SELECT * FROM (VALUES (date '2024-01-01', 5::bigint, 2::bigint, 3::bigint, 2::bigint, 1::bigint, 2 / 3::float8, 35::float8, 35::float8, 1200::float8, 2400, 600, 0.2::float8, 1::bigint, 1::bigint),
        ('2024-02-01', 1, 1, 2, 2, 0, 1, 11, 11, 500, 500, 0, 0, 0, 0), ('2024-03-01', 2, 3, 0, 0, 0, NULL, NULL, NULL, NULL, 0, 0, NULL, 0, 0),
        ('2024-04-01', 0, 2, 1, 1, 0, 1, 1, 1, -10, -10, 20, 2, 0, 0)) AS t) AS x;
SELECT period_on, segment, opened, closed, won, win_rate, deal_size, left_out, reason FROM cvm.deals_of('deal', :'map', '2024-01-01', '2024-02-01', segments => 'segment');
-- segments add up to the total
SELECT sum(won) FILTER (WHERE is_total) = sum(won) FILTER (WHERE NOT is_total) AS won, sum(revenue) FILTER (WHERE is_total) = sum(revenue) FILTER (WHERE NOT is_total) AS revenue,
       sum(open_at_end) FILTER (WHERE is_total) = sum(open_at_end) FILTER (WHERE NOT is_total) AS still_open
FROM cvm.deals_of('deal', :'map', '2024-01-01', '2024-05-01', segments => 'segment');
-- the day is that of the zone: in New York the deal of 1 April, midnight, was won in March
SELECT period_on, won FROM cvm.deals_of('deal', :'map', '2024-03-01', '2024-05-01', time_zone => 'America/New_York');
-- nothing closed, nothing at all; a discount is not needed
SELECT closed, win_rate, deal_size, discount_share, reason FROM cvm.deals_of('deal', '{"customer": "customer", "opened_at": "opened"}', '2024-01-01', '2024-02-01');
SELECT opened, closed, win_rate, reason FROM cvm.deals_of('deal', :'map', '2020-01-01', '2020-02-01');
SELECT revenue, discount_share FROM cvm.deals_of('deal', '{"customer": "customer", "opened_at": "opened", "closed_at": "closed", "won": "won", "amount": "amount"}', '2024-01-01', '2024-02-01');

\set VERBOSITY terse
SELECT cvm.deals_of('deal', '{"customer": "customer"}', '2024-01-01', '2024-02-01');
SELECT cvm.deals_of('deal', '{"customer": "customer", "opened_at": "opened", "won": "amount"}', '2024-01-01', '2024-02-01');
SELECT cvm.deals_of('deal', '{"customer": "customer", "opened_at": "customer"}', '2024-01-01', '2024-02-01');
SELECT cvm.deals_of('deal', :'map', '2024-02-01', '2024-01-01');
\set VERBOSITY default

-- of a portfolio
CREATE TABLE orders (customer text, at timestamptz, amount numeric);
INSERT INTO orders VALUES ('a', '2024-01-12', 900), ('a', '2024-02-09', 500), ('b', '2024-01-30', 1500), ('b', '2024-03-01', 10);
SELECT cvm.create_portfolio('deals', 'deal_test.orders', 'customer', 'at', 'amount', '{"time_zone": "America/New_York"}');
SELECT cvm.add_feed('deals', 'deals', 'deal_test.deal', '{"customer": "customer", "opened": "opened"}');
SELECT cvm.add_feed('deals', 'deals', 'deal_test.deal', :'map');
CALL cvm.recompute('deals', '2024-04-01');
SELECT period_on, won, revenue FROM cvm.deals('deals', '2024-03-01', '2024-05-01') WHERE is_total;
SELECT d.segment = m.segment AS as_published, d.won FROM cvm.deals('deals', '2024-01-01', '2024-02-01') d JOIN cvm_deals.segment_member m ON m.customer_id = 'b' AND d.segment = m.segment;
-- an owner who may not read it
CREATE ROLE regress_deal;
GRANT USAGE ON SCHEMA deal_test TO regress_deal;
GRANT SELECT ON orders TO regress_deal;
CREATE SCHEMA deal_out AUTHORIZATION regress_deal;
SET ROLE regress_deal;
SELECT cvm.create_portfolio('deals2', 'deal_test.orders', 'customer', 'at', 'amount', '{"schema": "deal_out"}');
SELECT cvm.add_feed('deals2', 'deals', 'deal_test.deal', :'map');
SELECT cvm.drop_portfolio('deals2');
RESET ROLE;
SELECT cvm.drop_portfolio('deals');
DROP SCHEMA deal_test, deal_out CASCADE;
DROP ROLE regress_deal;
