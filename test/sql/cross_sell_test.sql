-- cross_sell: additional revenue against what was bought before, and categories bought together, against hand-computed tables
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA cross_sell_test;
SET search_path = cross_sell_test, public;

CREATE TABLE line (customer text, at date, amount numeric, category text, tier int, campaign text);
INSERT INTO line VALUES
    -- a bought tea of tiers 1 and 2 (mean of the latter 25); in 2024 tea of tier 3 for 40 (15 above), tea of tier 2, and for the first time cups
    ('a', '2023-02-01', 10, 'tea', 1, NULL), ('a', '2023-03-01', 20, 'tea', 2, NULL), ('a', '2023-04-01', 30, 'tea', 2, NULL),
    ('a', '2024-01-10', 40, 'tea', 3, 'spring'), ('a', '2024-01-11', 22, 'tea', 2, 'spring'), ('a', '2024-02-01', 8, 'cups', 1, NULL), ('a', '2024-02-05', -3, 'cups', NULL, NULL),
    -- b bought cups; in 2024 a dearer cup at a discount (5 below the mean before), and tea by the campaign
    ('b', '2023-05-01', 15, 'cups', 1, NULL), ('b', '2024-03-01', 10, 'cups', 2, NULL), ('b', '2024-03-02', 12, 'tea', 1, 'spring'), ('b', '2024-03-09', 6, NULL, NULL, 'spring'),
    -- c bought before and not since; d is new and does not count, nor does what comes after the window
    ('c', '2023-06-01', 9, 'tea', 1, NULL), ('d', '2024-01-01', 99, 'tea', 3, 'spring'), ('d', '2024-01-02', 99, 'cups', 3, 'spring'), ('c', '2025-01-01', 50, 'cups', 1, NULL);
CREATE TABLE segment (customer_id text, segment text);
INSERT INTO segment VALUES ('a', 'fans'), ('b', 'fans');
\set map '{"customer": "customer", "at": "at", "amount": "amount", "category": "category", "tier": "tier", "campaign": "campaign"}'
-- in all 3 existing customers, 2 cross-sold for 8 - 3 + 12 = 17, 2 up-sold for 15 - 5 = 10; the campaign: a up by 15, b cross for 12
SELECT * FROM cvm.cross_sell_of('line', :'map', '2024-01-01', '2025-01-01', segments => 'segment') \gx
SELECT count(*) AS wrong FROM (
    SELECT dimension, name, customers, buyers, revenue, cross_sold, cross_sell_revenue, up_sold, up_sell_revenue, additional_revenue FROM cvm.cross_sell_of('line', :'map', '2024-01-01', '2025-01-01', segments => 'segment')
    EXCEPT SELECT * FROM (VALUES ('total', NULL, 3::bigint, 2::bigint, 95, 2::bigint, 17, 2::bigint, 10, 27), ('segment', 'fans', 2, 2, 95, 2, 17, 2, 10, 27), ('segment', 'unclassified', 1, 0, 0, 0, 0, 0, 0, 0),
        ('campaign', 'spring', 3, 2, 80, 1, 12, 1, 15, 27)) AS t) AS x;
-- tiers by amount instead: below 25, below 35, above.  a: 40 against 30 before; b's 10 and 15 are one tier
SELECT cross_sold, up_sold, up_sell_revenue FROM cvm.cross_sell_of('line', '{"customer": "customer", "at": "at", "amount": "amount", "category": "category"}', '2024-01-01', '2025-01-01', '{25,35}');
-- no tiers, nobody before
SELECT cross_sold, cross_sell_revenue, up_sold, up_sell_revenue, additional_revenue, reason FROM cvm.cross_sell_of('line', '{"customer": "customer", "at": "at", "amount": "amount", "category": "category"}', '2024-01-01', '2025-01-01');
SELECT customers, cross_sell_rate, up_sell_rate, additional_revenue, reason FROM cvm.cross_sell_of('line', :'map', '2020-01-01', '2025-01-01');

-- eight customers: bread 6, butter 5, both 4; jam 2, with bread 2, with butter 1; salt 1 alone
CREATE TABLE basket (customer int, at date DEFAULT '2024-01-01', amount int DEFAULT 1, category text);
INSERT INTO basket (customer, category) VALUES (1, 'bread'), (1, 'butter'), (1, 'butter'), (2, 'bread'), (2, 'butter'), (3, 'bread'), (3, 'butter'), (4, 'bread'), (4, 'butter'), (4, 'jam'),
    (5, 'bread'), (5, 'jam'), (6, 'bread'), (7, 'butter'), (8, 'salt');
INSERT INTO basket VALUES (8, '2023-01-01', 1, 'bread'), (6, '2024-01-05', -1, 'butter'), (6, '2024-01-05', 1, NULL);
\set bag '{"customer": "customer", "at": "at", "amount": "amount", "category": "category"}'
-- bread -> butter: support 4/8, confidence 4/6, lift 4 * 8 / (6 * 5) = 1.0667; jam -> bread: 2/8, 2/2, 2 * 8 / (2 * 6) = 1.3333
SELECT antecedent, consequent, customers, support, round(confidence::numeric, 6) AS confidence, round(lift::numeric, 6) AS lift FROM cvm.category_rules_of('basket', :'bag', '2024-01-01', '2025-01-01');
SELECT count(*) AS with_single_customers FROM cvm.category_rules_of('basket', :'bag', '2024-01-01', '2025-01-01', least_customers => 1);
-- 5 (bread, jam) may buy butter because of bread, 6 (bread) butter then jam, 7 (butter) bread; 1 to 3 jam because of bread (2/6; butter and jam share one customer, which is less than two)
SELECT customer, rank, category, because_of, customers, round(confidence::numeric, 6) AS confidence, round(lift::numeric, 6) AS lift FROM cvm.next_categories_of('basket', :'bag', '2024-01-01', '2025-01-01');
SELECT customer, rank, category, because_of FROM cvm.next_categories_of('basket', :'bag', '2024-01-01', '2025-01-01', most => 1, least_customers => 1) WHERE customer IN ('6', '7', '8');
-- lift of a pair does not depend on its direction, and confidence is support / the antecedent's
SELECT count(*) AS pairs, bool_and(abs(a.lift - b.lift) < 1e-12 AND a.support = b.support AND a.customers = b.customers) AS symmetric
FROM cvm.category_rules_of('line', :'map', '2023-01-01', '2025-01-01', 1) a JOIN cvm.category_rules_of('line', :'map', '2023-01-01', '2025-01-01', 1) b ON a.antecedent = b.consequent AND a.consequent = b.antecedent;

\set VERBOSITY terse
SELECT cvm.cross_sell_of('line', '{"customer": "customer", "at": "at", "amount": "amount"}', '2024-01-01', '2025-01-01');
SELECT cvm.cross_sell_of('line', :'map', '2024-01-01', '2025-01-01', '{35,25}');
SELECT cvm.cross_sell_of('line', :'map', '2024-01-01', '2025-01-01', '{}');
SELECT cvm.cross_sell_of('line', :'map', '2024-01-01', '2025-01-01', '{NaN}');
SELECT cvm.category_rules_of('basket', :'bag', '2024-01-01', '2025-01-01', 0);
SELECT cvm.next_categories_of('basket', :'bag', '2024-01-01', '2025-01-01', 0);
\set VERBOSITY default

-- of a portfolio
SELECT cvm.create_portfolio('xs', 'cross_sell_test.line', 'customer', 'at', 'amount');
SELECT cvm.cross_sell('xs', '2024-01-01', '2025-01-01');
SELECT cvm.add_feed('xs', 'purchases', 'cross_sell_test.line', '{"customer": "customer", "at": "at", "amount": "amount", "category": "category"}');
SELECT dimension, customers, cross_sold, cross_sell_revenue, up_sold, reason FROM cvm.cross_sell('xs', '2024-01-01', '2025-01-01') WHERE dimension = 'total';
SELECT cross_sold, up_sold FROM cvm.cross_sell('xs', '2024-01-01', '2025-01-01', '{25,35}') WHERE dimension = 'total';
SELECT * FROM cvm.category_rules('xs', '2023-01-01', '2025-01-01');
SELECT customer, category, because_of, confidence FROM cvm.next_categories('xs', '2023-01-01', '2025-01-01');
-- campaign and tier are columns of the feed: as of the relation above
SELECT cvm.add_feed('xs', 'purchases', 'cross_sell_test.line', :'map');
SELECT dimension, name, cross_sold, cross_sell_revenue, up_sold, up_sell_revenue FROM cvm.cross_sell('xs', '2024-01-01', '2025-01-01') WHERE dimension <> 'segment';
SELECT cvm.add_feed('xs', 'purchases', 'cross_sell_test.line', '{"customer": "customer", "at": "at", "amount": "amount", "tier": "campaign"}');
-- future value in the shares of these sales: of 95 cross-sold 17 and up-sold 10
CALL cvm.recompute('xs', '2025-01-02');
SELECT customers, round((cross_sell_value / future_value)::numeric, 9) AS cross_share, round((up_sell_value / future_value)::numeric, 9) AS up_share, abs(base_value + cross_sell_value + up_sell_value - future_value) < 1e-6 * future_value AS adds_up,
       referral_value, reason FROM cvm.future_value('xs', '2024-01-01', '2025-01-01') WHERE is_total;
SELECT round(17 / 95.0, 9) AS cross_share, round(10 / 95.0, 9) AS up_share;
-- nothing sold before and nothing in the window: no share
SELECT future_value > 0 AS has_value, base_value, cross_sell_value, up_sell_value, reason FROM cvm.future_value('xs', '2010-01-01', '2010-02-01') WHERE is_total;
SELECT cvm.drop_portfolio('xs');
DROP SCHEMA cross_sell_test CASCADE;
