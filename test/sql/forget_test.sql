-- forget: a customer erased from everything that was published, of every run, and left out from then on
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA forget_test;
SET search_path = forget_test, public;
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE TABLE orders AS
SELECT 'c' || c AS customer, timestamptz '2023-01-01 00:00+00' + (c * 3 % 50 + k * (5 + c % 20)) * interval '1 day' AS at, (10 + c % 7 + k)::numeric AS amount
FROM generate_series(1, 100) c, generate_series(0, 6) k WHERE k <= c % 7;
SELECT cvm.create_portfolio('fo', 'forget_test.orders', 'customer', 'at', 'amount', '{"history": "1 day", "reports": ["won_back"]}');
CALL cvm.recompute('fo', '2023-04-01');
CALL cvm.recompute('fo', '2023-05-01');
CALL cvm.recompute('fo', '2023-06-01');
SELECT count(*) AS runs FROM cvm_fo.score WHERE customer_id = 'c6';
SELECT customer_id, segment, entered_at, left_at FROM cvm_fo.segment_history WHERE customer_id = 'c6' ORDER BY entered_at;
-- an error that quotes him, and one that quotes another
INSERT INTO orders VALUES ('c6', 'infinity', 1);
DO $$ BEGIN CALL cvm.recompute('fo', '2023-07-01'); EXCEPTION WHEN OTHERS THEN RAISE WARNING '%', SQLERRM; END $$;
INSERT INTO cvm.run_error (run_id, portfolio, message, detail) VALUES (-1, 'fo', 'odd', 'It belongs to customer c6.'), (-2, 'fo', 'odd', 'It belongs to customer c60.');
DELETE FROM orders WHERE at = 'infinity';
CREATE TABLE was AS SELECT segment, round(residual_value::numeric, 2) AS residual_value, (SELECT sum(round(residual_value::numeric, 2)) FROM cvm_fo.equity WHERE as_of = '2023-06-01' AND NOT is_total) AS total FROM cvm_fo.customer_value WHERE customer_id = 'c6';

SELECT cvm.forget('fo', 'c6');
SELECT (SELECT count(*) FROM cvm_fo.score WHERE customer_id = 'c6') AS scores, (SELECT count(*) FROM cvm_fo.segment_history WHERE customer_id = 'c6') AS stays,
       (SELECT string_agg(run_id::text, ',') FROM cvm.run_error WHERE portfolio = 'fo') AS errors, (SELECT string_agg(customer_id, ',') FROM cvm_fo.forgotten) AS forgotten;
-- not in any table of the portfolio but that one; the feed is his owner's to clean
CREATE FUNCTION mentions(customer text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r record; n bigint; found text := '';
BEGIN
    FOR r IN SELECT c.oid::regclass AS relation FROM pg_class c WHERE c.relnamespace IN ('cvm_fo'::regnamespace, 'cvm'::regnamespace) AND c.relkind IN ('r', 'p', 'm', 'v') AND NOT c.relispartition ORDER BY c.relname LOOP
        BEGIN
            EXECUTE format('SELECT count(*) FROM %s t WHERE t::text ~ %L', r.relation, '\m' || customer || '\M') INTO n;
        EXCEPTION WHEN insufficient_privilege THEN n := 0;
        END;
        IF n > 0 THEN found := found || r.relation || ' '; END IF;
    END LOOP;
    RETURN trim(found);
END $$;
SELECT mentions('c6') AS of_him, mentions('c60') ~ 'score' AS of_another;
-- again is nothing
\set VERBOSITY terse
SELECT cvm.forget('fo', 'c6');
SELECT cvm.forget('fo', 'nobody');
SELECT cvm.forget('fo', NULL);
SELECT cvm.forget('none', 'c6');
\set VERBOSITY default

-- left out, though his orders are there; the statement has what he was worth as erased, and nothing else of it
SELECT count(cvm.promote(m.model_id)) AS pinned FROM cvm.models m WHERE m.portfolio = 'fo' AND m.is_live AND m.role = 'purchases';
CALL cvm.recompute('fo', '2023-06-01');
SELECT count(*) FROM cvm_fo.customer WHERE customer_id = 'c6';
SELECT s.opening = w.total AS opens_as_published, s.erased = -w.residual_value AS erased, s.closing = s.opening + s.erased AS alone
FROM cvm_fo.equity_statement s, was w WHERE s.is_total ORDER BY s.run_id DESC LIMIT 1;
-- once more: it is not counted twice
CALL cvm.recompute('fo', '2023-06-01');
SELECT s.erased, s.closing - s.opening AS change FROM cvm_fo.equity_statement s WHERE s.is_total ORDER BY s.run_id DESC LIMIT 1;
-- taken back: he is late data
DELETE FROM cvm_fo.forgotten;
CALL cvm.recompute('fo', '2023-06-01');
SELECT s.late_or_corrected = w.residual_value AS back, s.closing = s.opening + s.late_or_corrected AS alone FROM cvm_fo.equity_statement s, was w WHERE s.is_total ORDER BY s.run_id DESC LIMIT 1;
-- by hand before any run knows him
INSERT INTO orders VALUES ('late', '2023-05-05', 10);
INSERT INTO cvm_fo.forgotten (customer_id) VALUES ('late');
CALL cvm.recompute('fo', '2023-06-01');
SELECT count(*) FROM cvm_fo.customer WHERE customer_id = 'late';

-- keys of other types, by their own equality
CREATE TABLE orders2 AS SELECT substr(customer, 2)::int AS customer, at::date AS at, amount::float8 AS amount FROM orders WHERE customer ~ '^c';
SELECT cvm.create_portfolio('fo2', 'forget_test.orders2', 'customer', 'at', 'amount');
CALL cvm.recompute('fo2', '2023-06-01');
SELECT cvm.forget('fo2', ' 07 ');
SELECT count(*) FROM cvm_fo2.clv WHERE customer_id = 7;
\set VERBOSITY terse
SELECT cvm.forget('fo2', 'c7');
\set VERBOSITY default

-- the output is its owner's: his trigger runs as he, whoever erases
CREATE ROLE forget_owner;
CREATE ROLE forget_other;
GRANT USAGE, CREATE ON SCHEMA forget_test TO forget_owner;
GRANT USAGE ON SCHEMA forget_test TO forget_other;
CREATE TABLE who (name text);
GRANT INSERT ON who TO PUBLIC;
GRANT SELECT ON orders2 TO forget_owner;
SELECT current_database() AS db \gset
GRANT CREATE ON DATABASE :"db" TO forget_owner;
SET ROLE forget_owner;
SELECT cvm.create_portfolio('fo3', 'forget_test.orders2', 'customer', 'at', 'amount');
CALL cvm.recompute('fo3', '2023-06-01');
CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO forget_test.who VALUES (current_user); RETURN NULL; END $$;
CREATE TRIGGER spy AFTER DELETE ON cvm_fo3.score FOR EACH ROW EXECUTE FUNCTION spy();
RESET ROLE;
SELECT cvm.forget('fo3', '8');
SELECT * FROM who;
SET ROLE forget_other;
\set VERBOSITY terse
SELECT cvm.forget('fo3', '9');
RESET ROLE;
SELECT cvm.drop_portfolio('fo'), cvm.drop_portfolio('fo2'), cvm.drop_portfolio('fo3');
REVOKE CREATE ON DATABASE :"db" FROM forget_owner;
DROP SCHEMA forget_test CASCADE;
DROP ROLE forget_owner, forget_other;
