-- alias: merged customers, against a feed whose customers were merged before by plain SQL
\set VERBOSITY default
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA alias_test;
SET search_path = alias_test, public;
CREATE FUNCTION u(a int, b int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT (('x' || substr(md5(a || '/' || b), 1, 8))::bit(32)::bigint + 0.5) / 4294967296 $$;
CREATE TABLE orders (id int, ordered_at timestamptz, amount numeric, order_no text, refund_of text);
INSERT INTO orders
SELECT c, '2023-01-01 00:00+00'::timestamptz + make_interval(secs => round(86400 * (200 * u(c, 0) + 12 * exp(2 * u(c, 1)) * k * (0.5 + u(c, 100 + k))))),
       round((20 * exp(u(c, 2)) * (0.4 + 1.2 * u(c, 200 + k)))::numeric, 2), c || '/' || k
FROM generate_series(1, 300) c, generate_series(0, 20) k WHERE k <= floor(-ln(u(c, 3)) * 3);
-- 11 is 1; 12 is 11 and so 1 (a chain); 13 is 12; 20 is 21; 301 never bought; 2 is 999, who did not buy under that name; a row of 5 for itself; one row twice
CREATE TABLE identity (old int, new int);
INSERT INTO identity VALUES (11, 1), (12, 11), (13, 12), (20, 21), (301, 3), (2, 999), (5, 5), (20, 21);
-- the truth: who is who, written down
CREATE TABLE who (id int PRIMARY KEY, is_now int);
INSERT INTO who VALUES (11, 1), (12, 1), (13, 1), (20, 21), (2, 999);
CREATE VIEW merged AS SELECT coalesce(w.is_now, o.id) AS id, o.ordered_at, o.amount, o.order_no, o.refund_of FROM orders o LEFT JOIN who w USING (id);

CREATE FUNCTION differences(a text, b text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE result bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM (SELECT v.customer_id::text AS id, to_jsonb(v) - ''{customer_id,model_id}''::text[] AS value, c.history::text FROM %I.customer_value v JOIN %1$I.customer c USING (customer_id)) a
        FULL JOIN (SELECT v.customer_id::text AS id, to_jsonb(v) - ''{customer_id,model_id}''::text[] AS value, c.history::text FROM %I.customer_value v JOIN %2$I.customer c USING (customer_id)) b USING (id)
        WHERE a.value IS DISTINCT FROM b.value OR a.history IS DISTINCT FROM b.history', 'cvm_' || a, 'cvm_' || b) INTO result;
    RETURN result;
END $$;
SELECT cvm.create_portfolio('truth', 'merged', 'id', 'ordered_at', 'amount', '{"predictive_interval": false}') IS NOT NULL AS created;
SELECT cvm.create_portfolio('known', 'orders', 'id', 'ordered_at', 'amount', '{"predictive_interval": false}') IS NOT NULL AS created;
CALL cvm.recompute('truth', '2024-01-01 00:00+00');
CALL cvm.recompute('known', '2024-01-01 00:00+00');
SELECT differences('known', 'truth') > 4 AS differ_before;
-- without the feed the query is the plain one
SELECT purchases_query FROM cvm.recompute_plan('known');
SELECT cvm.add_feed('known', 'aliases', 'identity', '{"alias": "old", "customer": "new"}');
SELECT alias, customer FROM cvm.resolved_aliases('known', NULL::int) ORDER BY alias;
CALL cvm.recompute('known', '2024-01-01 00:00+00');
SELECT differences('known', 'truth') AS differ_with_aliases;
SELECT purchases = (SELECT count(*) FROM orders) AS all_rows, customers = (SELECT count(DISTINCT id) FROM merged) AS merged_customers FROM cvm.job_runs WHERE portfolio = 'known' ORDER BY run_id DESC LIMIT 1;
SELECT level, finding FROM cvm.check('known') WHERE level = 'ok';
SELECT level, finding FROM cvm.check('truth') WHERE level = 'ok';
-- and the holdout is that of the merged customers
CALL cvm.validate('known', holdout => '90 days', as_of => '2024-01-01 00:00+00');
CALL cvm.validate('truth', holdout => '90 days', as_of => '2024-01-01 00:00+00');
SELECT count(DISTINCT (customers, actual_purchases, rmse)) AS same FROM cvm.validations WHERE portfolio IN ('known', 'truth') GROUP BY name HAVING count(DISTINCT (customers, actual_purchases, rmse)) > 1;

-- with refunds: an order of 12 is paid back to 1, who he is
INSERT INTO orders VALUES (12, '2023-06-01', 500, 'big', NULL), (1, '2023-06-20', -200, NULL, 'big'), (20, '2023-07-01', 80, 'all', NULL), (21, '2023-07-02', -80, NULL, 'all');
SELECT cvm.add_feed(p, 'purchases', r, '{"customer": "id", "at": "ordered_at", "amount": "amount", "order_id": "order_no", "refund_of": "refund_of"}')
FROM (VALUES ('known', 'orders'::regclass), ('truth', 'merged')) AS v(p, r);
CALL cvm.recompute('truth', '2024-01-01 00:00+00');
CALL cvm.recompute('known', '2024-01-01 00:00+00');
SELECT differences('known', 'truth') AS differ_with_refunds;
SELECT level, finding FROM cvm.check('known') WHERE finding ~ 'refund';

-- subscriptions, and measures of every feed
CREATE TABLE subscription (who bigint, since date, until date, price numeric);
SELECT cvm.add_feed('known', 'subscriptions', 'subscription', '{"customer": "who", "started_at": "since", "ended_at": "until", "price": "price"}');
ALTER TABLE subscription ALTER who TYPE smallint;
INSERT INTO subscription SELECT i, date '2023-01-01' + i, CASE WHEN i % 3 = 0 THEN date '2023-03-01' + i END, 10 FROM generate_series(1, 30) AS i;
CREATE VIEW merged_subscription AS SELECT coalesce(w.is_now, s.who) AS who, s.since, s.until, s.price FROM subscription s LEFT JOIN who w ON w.id = s.who;
SELECT cvm.add_feed(p, 'subscriptions', r, '{"customer": "who", "started_at": "since", "ended_at": "until", "price": "price"}')
FROM (VALUES ('known', 'subscription'::regclass), ('truth', 'merged_subscription')) AS v(p, r);
CALL cvm.recompute('truth', '2024-01-01 00:00+00');
CALL cvm.recompute('known', '2024-01-01 00:00+00');
SELECT differences('known', 'truth') AS differ_with_subscriptions;
SELECT finding FROM cvm.check('known') WHERE finding ~ 'subscriptions' EXCEPT SELECT finding FROM cvm.check('truth');
CREATE TABLE deal (who text, opened date, closed date, won boolean, amount int);
INSERT INTO deal VALUES ('12', '2023-02-01', '2023-02-03', true, 7), ('1', '2023-02-02', '2023-02-05', false, 9);
SELECT cvm.add_feed('known', 'deals', 'deal', '{"customer": "who", "opened_at": "opened", "closed_at": "closed", "won": "won", "amount": "amount"}');
-- 12 has the segment of 1, also where the feed has the customer as text
SELECT d.won, d.lost, d.segment = (SELECT m.segment FROM cvm_known.segment_member m WHERE m.customer_id = 1) AS of_the_survivor FROM cvm.deals('known', '2023-02-01', '2023-03-01') d WHERE NOT is_total AND closed > 0;
SELECT count(*) AS differ FROM (SELECT * FROM cvm.purchase_value('known', '2023-01-01', '2024-01-01')) a FULL JOIN (SELECT * FROM cvm.purchase_value('truth', '2023-01-01', '2024-01-01')) b USING (customer)
WHERE a IS DISTINCT FROM b;
SELECT v.customer, v.orders FROM cvm.purchase_value('known', '2023-01-01', '2024-01-01') v WHERE v.customer IN ('1', '11', '12', '20', '999', '2') ORDER BY 1;

-- a loop, an alias of two customers, a row that says nothing: an error, and the published result stays
INSERT INTO identity VALUES (40, 41), (41, 42), (42, 40), (43, 40);
CALL cvm.recompute('known', '2024-01-01 00:00+00');
SELECT level, finding, hint FROM cvm.check('known') WHERE level = 'error' ORDER BY finding;
SELECT count(*) FROM cvm.purchase_value('known', '2023-01-01', '2024-01-01');
DELETE FROM identity WHERE old BETWEEN 40 AND 43;
INSERT INTO identity VALUES (50, 51), (51, 50);
CALL cvm.recompute('known', '2024-01-01 00:00+00');
DELETE FROM identity WHERE old IN (50, 51);
INSERT INTO identity VALUES (11, 4);
CALL cvm.recompute('known', '2024-01-01 00:00+00');
DELETE FROM identity WHERE new = 4;
INSERT INTO identity VALUES (NULL, 4), (5, NULL);
CALL cvm.recompute('known', '2024-01-01 00:00+00');
SELECT level, finding FROM cvm.check('known') WHERE level = 'error' ORDER BY finding;
DELETE FROM identity WHERE old IS NULL OR new IS NULL;
SELECT count(*) FILTER (WHERE customer_id = 1) AS survivor, count(*) FILTER (WHERE customer_id IN (11, 12, 13)) AS aliases FROM cvm_known.clv;
-- a long chain takes a step a link, not a product of them
INSERT INTO identity SELECT i, i + 1 FROM generate_series(1000, 5999) AS i;
SELECT count(*), min(customer), max(customer) FROM cvm.resolved_aliases('known', 0) WHERE alias >= 1000;
-- an empty feed merges nobody
TRUNCATE identity;
SELECT count(*) FROM cvm.resolved_aliases('known', 0);
-- mappings that can not be
CREATE TABLE wrong (old text, new int, "when" date);
SELECT cvm.add_feed('known', 'aliases', 'wrong', '{"alias": "old", "customer": "new"}');
SELECT cvm.add_feed('known', 'aliases', 'wrong', '{"alias": "new", "customer": "when"}');
SELECT cvm.add_feed('known', 'aliases', 'wrong', '{"alias": "new"}');
SELECT cvm.add_feed('known', 'aliases', 'wrong', '{"alias": "new", "customer": "newer"}');
CREATE ROLE regress_alias;
GRANT USAGE ON SCHEMA alias_test TO regress_alias;
GRANT SELECT ON orders TO regress_alias;
CREATE SCHEMA alias_out AUTHORIZATION regress_alias;
SET ROLE regress_alias;
SELECT cvm.create_portfolio('own', 'orders', 'id', 'ordered_at', 'amount', '{"schema": "alias_out"}');
SELECT cvm.add_feed('own', 'aliases', 'identity', '{"alias": "old", "customer": "new"}');
-- nor may he borrow those of another's portfolio
SELECT count(*) FROM cvm.purchase_value_of('orders', '{"customer": "id", "at": "ordered_at", "amount": "amount", "portfolio": "known"}', '2023-01-01', '2024-01-01');
SELECT count(*) > 0 AS own FROM cvm.purchase_value_of('orders', '{"customer": "id", "at": "ordered_at", "amount": "amount", "portfolio": "own"}', '2023-01-01', '2024-01-01');
SELECT cvm.drop_portfolio('own');
RESET ROLE;
-- the relation goes: the run fails and says so; the feed dropped: all are themselves again
ALTER TABLE identity RENAME TO was_identity;
CALL cvm.recompute('known', '2024-01-01 00:00+00');
SELECT cvm.drop_feed('known', 'aliases');
CALL cvm.recompute('known', '2024-01-01 00:00+00');
SELECT count(*) AS themselves FROM cvm_known.clv WHERE customer_id IN (1, 11, 12, 13);
SELECT cvm.drop_portfolio(p) FROM unnest('{known,truth}'::text[]) AS p;

-- customers of other types: texts of a collation of their own, numbers of another scale, rows, a domain that must not be null
CREATE FUNCTION try(purchases regclass, identities regclass, survivors regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE result bigint;
BEGIN
    PERFORM cvm.create_portfolio('a', purchases, 'who', 'at', 'amount', '{"predictive_interval": false}'), cvm.add_feed('a', 'aliases', identities, '{"alias": "old", "customer": "new"}'),
            cvm.create_portfolio('b', survivors, 'who', 'at', 'amount', '{"predictive_interval": false}');
    CALL cvm.recompute('a', '2024-01-01 00:00+00');
    CALL cvm.recompute('b', '2024-01-01 00:00+00');
    result := differences('a', 'b') + 1000000 * (SELECT count(*) FROM pg_attribute x, pg_attribute y WHERE x.attrelid = 'cvm_a.clv'::regclass AND y.attrelid = 'cvm_b.clv'::regclass
                                                AND x.attname = 'customer_id' AND y.attname = 'customer_id' AND x.atttypid <> y.atttypid);
    PERFORM cvm.drop_portfolio('a'), cvm.drop_portfolio('b');
    RETURN result;
END $$;
CREATE TABLE texts AS SELECT ('c' || id) COLLATE "POSIX" AS who, ordered_at AS at, amount FROM orders;
CREATE TABLE text_identity AS SELECT ('c' || old)::varchar COLLATE "C" AS old, 'c' || new AS new FROM was_identity;
INSERT INTO text_identity VALUES ('c12', 'c11'), ('c11', 'c1');
CREATE VIEW text_truth AS SELECT CASE WHEN who IN ('c12', 'c11') THEN 'c1' ELSE who END COLLATE "POSIX" AS who, at, amount FROM texts;
SELECT try('texts', 'text_identity', 'text_truth') AS texts;
CREATE TABLE numbers AS SELECT (id || '.0')::numeric AS who, ordered_at AS at, amount FROM orders;
CREATE TABLE number_identity AS SELECT * FROM (VALUES (12.00, 11), (11.000, 1.0)) AS v(old, new);
CREATE VIEW number_truth AS SELECT CASE WHEN who IN (12, 11) THEN 1.0 ELSE who END AS who, at, amount FROM numbers;
SELECT try('numbers', 'number_identity', 'number_truth') AS numbers;
CREATE TYPE tenant AS (shop text, id int);
CREATE TABLE tenants AS SELECT ROW(CASE WHEN id % 2 = 0 THEN 's' END, id)::tenant AS who, ordered_at AS at, amount FROM orders;
CREATE TABLE tenant_identity AS SELECT ROW('s', 12)::tenant AS old, ROW(NULL, 11)::tenant AS new UNION ALL SELECT ROW(NULL, 11)::tenant, ROW(NULL, 1)::tenant;
CREATE VIEW tenant_truth AS SELECT CASE WHEN (who).id IN (12, 11) THEN ROW(NULL, 1)::tenant ELSE who END AS who, at, amount FROM tenants;
SELECT try('tenants', 'tenant_identity', 'tenant_truth') AS rows;
CREATE DOMAIN number_of_customer AS int NOT NULL CHECK (VALUE > 0);
CREATE TABLE domains AS SELECT id::number_of_customer AS who, ordered_at AS at, amount FROM orders;
CREATE TABLE domain_identity AS SELECT 12 AS old, 11::number_of_customer AS new UNION ALL SELECT 11, 1;
CREATE VIEW domain_truth AS SELECT CASE WHEN who IN (12, 11) THEN 1 ELSE who END::number_of_customer AS who, at, amount FROM domains;
SELECT try('domains', 'domain_identity', 'domain_truth') AS domains;
DROP SCHEMA alias_test CASCADE;
DROP SCHEMA alias_out;
DROP ROLE regress_alias;
