-- feeds of every kind: the same shop through each gives the same rows
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA feed_test;
SET search_path = feed_test, public;
CREATE FUNCTION u(a int, b int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT (('x' || substr(md5(a || '/' || b), 1, 8))::bit(32)::bigint + 0.5) / 4294967296 $$;
CREATE TABLE orders (id int, ordered_at timestamptz, amount numeric);
INSERT INTO orders
SELECT c, '2023-01-01 00:00+00'::timestamptz + make_interval(secs => round(86400 * (200 * u(c, 0) + 12 * exp(2 * u(c, 1)) * k * (0.5 + u(c, 100 + k))))),
       round((20 * exp(u(c, 2)) * (0.4 + 1.2 * u(c, 200 + k)))::numeric, 2)
FROM generate_series(1, 400) c, generate_series(0, 20) k WHERE k <= floor(-ln(u(c, 3)) * 3);

-- what all feeds must agree with
SELECT cvm.create_portfolio('plain', 'orders', 'id', 'ordered_at', 'amount') IS NOT NULL AS created;
CALL cvm.recompute('plain', '2024-01-01 00:00+00');
CREATE VIEW plain AS
SELECT v.customer_id AS id, to_jsonb(v) - '{customer_id,model_id}'::text[] AS value, c.history FROM cvm_plain.customer_value v JOIN cvm_plain.customer c USING (customer_id);

-- rows of an output that differ from the plain one; `key` makes the id of a customer
CREATE FUNCTION differences(portfolio text, key text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE result bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM plain p FULL JOIN (SELECT %2$s AS id, to_jsonb(v) - ''{customer_id,model_id}''::text[] AS value, c.history
        FROM %1$I.customer_value v JOIN %1$I.customer c USING (customer_id)) o ON o.id = p.id
        WHERE o.value IS DISTINCT FROM p.value OR o.history::text IS DISTINCT FROM p.history::text', 'cvm_' || portfolio, key) INTO result;
    RETURN result;
END $$;
CREATE FUNCTION try(portfolio text, purchases regclass, customer name, at name, amount name, key text)
RETURNS TABLE (same_type boolean, differ bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM cvm.create_portfolio(portfolio, purchases, customer, at, amount);
    CALL cvm.recompute(portfolio, '2024-01-01 00:00+00');
    RETURN QUERY SELECT (SELECT s.atttypid = o.atttypid FROM pg_attribute s, pg_attribute o
                         WHERE s.attrelid = purchases AND s.attname = customer
                           AND o.attrelid = format('%I.clv', 'cvm_' || portfolio)::regclass AND o.attname = 'customer_id'),
                        differences(portfolio, key);
    PERFORM cvm.drop_portfolio(portfolio);
END $$;

-- keys of every kind
CREATE TABLE texts AS SELECT 'customer ' || id AS who, ordered_at, amount FROM orders;
SELECT * FROM try('texts', 'texts', 'who', 'ordered_at', 'amount', 'substr(v.customer_id, 10)::int');
CREATE TABLE uuids AS SELECT md5(id::text)::uuid AS who, ordered_at, amount, id FROM orders;
SELECT * FROM try('uuids', 'uuids', 'who', 'ordered_at', 'amount', '(SELECT min(id) FROM uuids WHERE who = v.customer_id)');
-- equal numerics of different scale are one customer
CREATE TABLE numerics AS SELECT CASE WHEN row_number() OVER () % 2 = 0 THEN id::numeric ELSE (id || '.00')::numeric END AS who, ordered_at, amount FROM orders;
SELECT * FROM try('numerics', 'numerics', 'who', 'ordered_at', 'amount', 'v.customer_id::int');
-- so are texts that differ in case only, where the collation says so (ICU is not everywhere)
DO $$ BEGIN
    CREATE COLLATION no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE TABLE cases AS SELECT (CASE WHEN row_number() OVER () % 2 = 0 THEN 'k' ELSE 'K' END || id) COLLATE no_case AS who, ordered_at, amount FROM orders;
EXCEPTION WHEN feature_not_supported THEN
    CREATE TABLE cases AS SELECT 'k' || id AS who, ordered_at, amount FROM orders;
END $$;
SELECT * FROM try('cases', 'cases', 'who', 'ordered_at', 'amount', 'substr(v.customer_id, 2)::int');
CREATE TABLE smalls AS SELECT (id - 200)::smallint AS who, ordered_at, amount FROM orders;
SELECT * FROM try('smalls', 'smalls', 'who', 'ordered_at', 'amount', 'v.customer_id + 200');
CREATE TABLE oids AS SELECT (4294967295 - id)::oid AS who, ordered_at, amount FROM orders;
SELECT * FROM try('oids', 'oids', 'who', 'ordered_at', 'amount', '(4294967295 - v.customer_id::bigint)::int');
CREATE TYPE tenant_customer AS (tenant text, id int);
CREATE TABLE pairs AS SELECT ROW('t' || id % 3, id)::tenant_customer AS who, ordered_at, amount FROM orders;
SELECT * FROM try('pairs', 'pairs', 'who', 'ordered_at', 'amount', '(v.customer_id).id');
CREATE DOMAIN customer_no AS int CHECK (VALUE > 0);
CREATE TABLE domains AS SELECT id::customer_no AS who, ordered_at, amount FROM orders;
SELECT * FROM try('domains', 'domains', 'who', 'ordered_at', 'amount', 'v.customer_id::int');
-- keys that do not fit a page
CREATE TABLE long_keys AS SELECT id || repeat(' some words', 200) AS who, ordered_at, amount FROM orders;
SELECT * FROM try('long_keys', 'long_keys', 'who', 'ordered_at', 'amount', 'split_part(v.customer_id, '' '', 1)::int');

-- relations of every kind, times and amounts of other types
CREATE VIEW seen AS SELECT * FROM orders ORDER BY random();
SELECT * FROM try('seen', 'seen', 'id', 'ordered_at', 'amount', 'v.customer_id');
CREATE MATERIALIZED VIEW kept AS SELECT * FROM orders;
SELECT * FROM try('kept', 'kept', 'id', 'ordered_at', 'amount', 'v.customer_id');
CREATE TABLE parts (id int, gone text, ordered_at timestamptz, amount numeric) PARTITION BY RANGE (ordered_at);
CREATE TABLE parts_early PARTITION OF parts FOR VALUES FROM (MINVALUE) TO ('2023-05-01 00:00+00');
CREATE TABLE parts_late (amount numeric, gone text, id int, ordered_at timestamptz);
ALTER TABLE parts ATTACH PARTITION parts_late FOR VALUES FROM ('2023-05-01 00:00+00') TO (MAXVALUE);
ALTER TABLE parts DROP COLUMN gone;
INSERT INTO parts SELECT id, ordered_at, amount FROM orders;
SELECT * FROM try('parts', 'parts', 'id', 'ordered_at', 'amount', 'v.customer_id');
CREATE TABLE floats AS SELECT id, ordered_at, amount::float8 FROM orders;
SELECT * FROM try('floats', 'floats', 'id', 'ordered_at', 'amount', 'v.customer_id');
CREATE TABLE local_times AS SELECT id, ordered_at AT TIME ZONE 'UTC' AS ordered_at, amount FROM orders;
SELECT * FROM try('local_times', 'local_times', 'id', 'ordered_at', 'amount', 'v.customer_id');
-- names that need quoting, everywhere
CREATE SCHEMA "Odd ""schema""";
CREATE TABLE "Odd ""schema"""."or'ders; --" AS SELECT id AS "the ""id""", ordered_at AS "At", amount AS "select" FROM orders;
SELECT * FROM try('odd "one" '';', '"Odd ""schema"""."or''ders; --"', 'the "id"', 'At', 'select', 'v.customer_id');

-- memory that is too small spills to files and changes nothing: 600,000 rows are above 20 MB
CREATE TABLE big AS SELECT o.id + 400 * copy AS id, o.ordered_at, o.amount, repeat('x', 20) || (o.id + 400 * copy) AS long_id
FROM orders o, generate_series(0, 399) copy;
SELECT count(*) > 500000 AS big FROM big;
SELECT cvm.create_portfolio('big', 'big', 'id', 'ordered_at', 'amount', '{"predictive_interval": false}') IS NOT NULL AS created;
SET cvm.recompute_memory = '512MB';
CALL cvm.recompute('big', '2024-01-01 00:00+00');
CREATE TABLE in_memory AS SELECT c.customer_id, c.history::text, v.residual_value, m.segment, h.p_alive, h.is_lapsed
FROM cvm_big.customer c JOIN cvm_big.clv v USING (customer_id) JOIN cvm_big.churn h USING (customer_id) JOIN cvm_big.segment_member m USING (customer_id);
SET cvm.recompute_memory = '16MB';
CALL cvm.recompute('big', '2024-01-01 00:00+00');
SELECT count(*) AS differences FROM in_memory i FULL JOIN
    (SELECT c.customer_id, c.history::text, v.residual_value, m.segment, h.p_alive, h.is_lapsed
     FROM cvm_big.customer c JOIN cvm_big.clv v USING (customer_id) JOIN cvm_big.churn h USING (customer_id)
     JOIN cvm_big.segment_member m USING (customer_id)) s USING (customer_id)
WHERE (i.history, i.residual_value, i.segment, i.p_alive, i.is_lapsed) IS DISTINCT FROM (s.history, s.residual_value, s.segment, s.p_alive, s.is_lapsed);
SELECT cvm.create_portfolio('long', 'big', 'long_id', 'ordered_at', 'amount', '{"predictive_interval": false}') IS NOT NULL AS created;
CALL cvm.recompute('long', '2024-01-01 00:00+00');
SELECT count(*) AS differences FROM in_memory i FULL JOIN cvm_long.customer c ON c.customer_id = repeat('x', 20) || i.customer_id
WHERE i.history IS DISTINCT FROM c.history::text;
RESET cvm.recompute_memory;

-- cancelled in the middle: what was published stays, the run says so, the next one completes
SET statement_timeout = '150ms';
CALL cvm.recompute('big', '2024-02-01 00:00+00');
RESET statement_timeout;
SELECT status, sqlstate FROM cvm.run WHERE portfolio = 'big' ORDER BY run_id DESC LIMIT 1;
SELECT as_of AT TIME ZONE 'UTC' AS as_of, count(*) > 100000 AS all_of_it FROM cvm_big.clv GROUP BY 1;
CALL cvm.recompute('big', '2024-02-01 00:00+00');
SELECT as_of AT TIME ZONE 'UTC' AS as_of, count(*) > 100000 AS all_of_it FROM cvm_big.clv GROUP BY 1;
-- (a snapshot of anybody's puts off the drop of an older one)
SELECT count(*) BETWEEN 1 AND 2 AS few_tables FROM pg_class WHERE relnamespace = 'cvm_big'::regnamespace AND relname ~ '^score_[0-9]+$';

-- periods of a second, and purchases a lifetime apart
CREATE TABLE apart AS SELECT id, ordered_at, amount FROM orders UNION ALL SELECT 1, '1935-01-01 00:00+00', 1;
SELECT cvm.create_portfolio('apart', 'apart', 'id', 'ordered_at', 'amount', '{"period": "1 second"}') IS NOT NULL AS created;
CALL cvm.recompute('apart', '2024-01-01 00:00+00');
SELECT first_at AT TIME ZONE 'UTC' AS first_at, repeat_periods = (SELECT count(*) FROM orders WHERE id = 1 AND ordered_at <= '2024-01-01 00:00+00') AS repeats
FROM cvm_apart.customer WHERE customer_id = 1;

-- customers of another type than the output has: refused where they are mapped, and the mapping stays
SELECT cvm.add_feed('apart', 'purchases', 'texts', '{"customer": "who", "at": "ordered_at", "amount": "amount"}');
SELECT relation FROM cvm.feeds WHERE portfolio = 'apart';

DROP VIEW plain;
SELECT count(cvm.drop_portfolio(p)) FROM unnest('{plain,big,long,apart}'::text[]) p;
DROP SCHEMA feed_test CASCADE;
DROP SCHEMA "Odd ""schema""" CASCADE;
