-- an owner may alter the output: that is an error that says so, never a crash, a half of a result, or a partition that
-- nobody drops
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA altered_test;
SET search_path = altered_test, public;
CREATE TABLE orders AS
SELECT c AS customer, timestamptz '2023-01-01 00:00+00' + (c * 3 % 50 + k * (5 + c % 20)) * interval '1 day' AS at, (10 + c % 7 + k)::numeric AS amount
FROM generate_series(1, 100) c, generate_series(0, 6) k WHERE k <= c % 7;
SELECT cvm.create_portfolio('altered', 'orders', 'customer', 'at', 'amount') IS NOT NULL AS created;
CALL cvm.recompute('altered', '2024-01-01 00:00+00');
CALL cvm.recompute('altered', '2024-01-02 00:00+00');

-- what a recompute says after a change, which is then undone
CREATE FUNCTION after(change text, OUT state text, OUT message text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE change;
    BEGIN
        CALL cvm.recompute('altered', '2024-01-03 00:00+00');
        state := 'published';
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
    END;
    RAISE EXCEPTION USING ERRCODE = 'UNDO1', MESSAGE = 'undo';
EXCEPTION WHEN SQLSTATE 'UNDO1' THEN
    NULL;
END $$;
CREATE VIEW score_column AS
SELECT attnum, attname, atttypid, attnotnull FROM pg_attribute WHERE attrelid = 'cvm_altered.score'::regclass AND attnum > 1 AND NOT attisdropped;

-- every column of score: another type (by value for by reference and the other way round), a domain, another name, gone,
-- and NOT NULL where there may be no value
BEGIN;
DROP VIEW cvm_altered.customer, cvm_altered.clv, cvm_altered.churn, cvm_altered.segment_member, cvm_altered.segment_history, cvm_altered.customer_value,
    cvm_altered.concentration, cvm_altered.decile_table, cvm_altered.whale_curve, cvm_altered.lorenz_curve, cvm_altered.abc_tier, cvm_altered.repeat_purchase;
SELECT (after('SELECT')).state;
SELECT attname, a.state, a.message FROM score_column,
    after(format('ALTER TABLE cvm_altered.score ALTER %I TYPE %s', attname,
                 CASE WHEN atttypid IN ('text'::regtype, 'numeric'::regtype, 'cvm.purchase_history'::regtype) THEN 'bigint USING 0' ELSE 'text USING customer_id::text' END)) a
ORDER BY attnum;
SELECT attname, a.state, a.message FROM score_column,
    after(format('CREATE DOMAIN altered_test.narrow AS %s; ALTER TABLE cvm_altered.score ALTER %I TYPE altered_test.narrow', format_type(atttypid, NULL), attname)) a
ORDER BY attnum;
SELECT attname, a.state, a.message FROM score_column,
    after(format('ALTER TABLE cvm_altered.score RENAME %I TO renamed', attname)) a ORDER BY attnum;
SELECT attname, a.state, a.message FROM score_column,
    after(format('ALTER TABLE cvm_altered.score DROP %I CASCADE', attname)) a ORDER BY attnum;
SELECT attname, a.state, a.message FROM score_column,
    after(format('TRUNCATE cvm_altered.score; ALTER TABLE cvm_altered.score ALTER %I SET NOT NULL', attname)) a
WHERE NOT attnotnull ORDER BY attnum;
SELECT a.* FROM unnest(ARRAY[
    'ALTER TABLE cvm_altered.score ALTER realised_value TYPE numeric(12,2)',
    'ALTER TABLE cvm_altered.score ALTER status TYPE varchar(3) USING ''ok''',
    'ALTER TABLE cvm_altered.score ADD extra integer NOT NULL DEFAULT 1']) change, after(change) a;
-- what takes nothing away stays possible: a column more, a NOT NULL less
SELECT change, (after(change)).state FROM unnest(ARRAY[
    'ALTER TABLE cvm_altered.score ADD extra text',
    'ALTER TABLE cvm_altered.score ALTER segment DROP NOT NULL, ALTER since DROP NOT NULL, ALTER history DROP NOT NULL',
    'ALTER TABLE cvm_altered.score ADD extra text; ALTER TABLE cvm_altered.score DROP extra']) change;
-- another relation by the name of score
SELECT change, a.state, a.message FROM unnest(ARRAY[
    'DROP TABLE cvm_altered.score CASCADE',
    'DROP TABLE cvm_altered.score CASCADE; CREATE TABLE cvm_altered.score (run_id bigint)',
    'CREATE TABLE cvm_altered.plain AS SELECT * FROM cvm_altered.score; DROP TABLE cvm_altered.score CASCADE; ALTER TABLE cvm_altered.plain RENAME TO score',
    'ALTER TABLE cvm_altered.score RENAME TO partitioned; CREATE VIEW cvm_altered.score AS SELECT * FROM cvm_altered.partitioned']) change, after(change) a;
ROLLBACK;

-- every column of the other tables: an error of the user's, or the conversion, and never an internal error
CREATE VIEW other_column AS
SELECT attrelid::regclass AS relation, attnum, attname, atttypid FROM pg_attribute
WHERE attrelid = ANY ('{cvm_altered.published,cvm_altered.retired_run,cvm_altered.segment_rule,cvm_altered.segment_stat,cvm_altered.cohort_cell,cvm_altered.equity,cvm_altered.segment_stay,cvm_altered.forgotten,cvm_altered.forgotten_value,cvm_altered.renewal_stat}'::regclass[])
  AND attnum > 0 AND NOT attisdropped;
BEGIN;
DROP VIEW cvm_altered.customer, cvm_altered.clv, cvm_altered.churn, cvm_altered.segment_member, cvm_altered.segment_history, cvm_altered.customer_value,
    cvm_altered.concentration, cvm_altered.decile_table, cvm_altered.whale_curve, cvm_altered.lorenz_curve, cvm_altered.abc_tier, cvm_altered.repeat_purchase;
DROP MATERIALIZED VIEW cvm_altered.segment_summary, cvm_altered.cohort_retention;
DO $$ BEGIN
    EXECUTE (SELECT string_agg(format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname), '; ') FROM pg_constraint
             WHERE conrelid IN (SELECT relation FROM other_column) AND contype <> 'n');
END $$;
CREATE MATERIALIZED VIEW cvm_altered.segment_summary AS SELECT 1 AS n;
CREATE UNIQUE INDEX ON cvm_altered.segment_summary (n);
CREATE MATERIALIZED VIEW cvm_altered.cohort_retention AS SELECT 1 AS n;
CREATE UNIQUE INDEX ON cvm_altered.cohort_retention (n);
SELECT (after('SELECT')).state;
SELECT count(*) AS tried, count(*) FILTER (WHERE a.state = 'published') AS published, count(*) FILTER (WHERE a.state ~ '^(XX|P0)') AS internal
FROM other_column, after(format('ALTER TABLE %s ALTER %I DROP NOT NULL, ALTER %2$I DROP DEFAULT, ALTER %2$I TYPE %s', relation, attname,
    CASE WHEN atttypid = 'text'::regtype THEN 'bigint USING 0' ELSE 'text USING NULL' END)) a;
SELECT count(*) AS tried, count(*) FILTER (WHERE a.state = 'published') AS published, count(*) FILTER (WHERE a.state ~ '^(XX|P0)') AS internal
FROM other_column, after(format('ALTER TABLE %s DROP %I CASCADE', relation, attname)) a;
SELECT count(*) AS tried, count(*) FILTER (WHERE a.state = 'published') AS published, count(*) FILTER (WHERE a.state ~ '^(XX|P0)') AS internal
FROM (SELECT DISTINCT relation FROM other_column) r, after(format('DROP TABLE %s CASCADE', relation)) a;
ROLLBACK;

-- rules that are not complete, no number, too many
SELECT change, a.state, a.message FROM unnest(ARRAY[
    'ALTER TABLE cvm_altered.segment_rule ALTER predicate DROP NOT NULL; INSERT INTO cvm_altered.segment_rule VALUES (1, ''x'', NULL)',
    'ALTER TABLE cvm_altered.segment_rule DROP CONSTRAINT segment_rule_pkey, ALTER position DROP NOT NULL; INSERT INTO cvm_altered.segment_rule VALUES (NULL, ''x'', ''true'')',
    'ALTER TABLE cvm_altered.segment_rule ALTER position TYPE text; INSERT INTO cvm_altered.segment_rule VALUES (''first'', ''x'', ''true'')',
    'INSERT INTO cvm_altered.segment_rule SELECT n, ''x'', ''false'' FROM generate_series(1000, 10991) n']) change, after(change) a;
SELECT a.state FROM after('INSERT INTO cvm_altered.segment_rule SELECT n, ''x'' || n, ''false'' FROM generate_series(1000, 10987) n') a;
-- as many segments as rules
DELETE FROM cvm_altered.segment_rule;
INSERT INTO cvm_altered.segment_rule SELECT c, 'customer ' || c, 'customer_id = ' || c FROM generate_series(1, 100) c;
CALL cvm.recompute('altered', '2024-01-03 00:00+00');
CALL cvm.recompute('altered', '2024-01-04 00:00+00');
SELECT count(*) AS members, count(DISTINCT segment) AS segments, bool_and(segment = 'customer ' || customer_id) AS own, min(since) AT TIME ZONE 'UTC' AS since, max(since) = min(since) AS same
FROM cvm_altered.segment_member;

-- partitions go, whatever has become of the rows that pointed to them, and the published one stays; a snapshot of
-- autovacuum's may keep one for a moment
CREATE PROCEDURE settle(as_of timestamptz, INOUT partitions bigint DEFAULT 0, INOUT published bigint DEFAULT 0, INOUT customers bigint DEFAULT 0) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..50 LOOP
        CALL cvm.recompute('altered', as_of);
        SELECT count(*) INTO partitions FROM pg_inherits WHERE inhparent = 'cvm_altered.score'::regclass;
        EXIT WHEN partitions = 1;
        PERFORM pg_sleep(0.1);
    END LOOP;
    published := (SELECT count(*) FROM cvm_altered.published);
    customers := (SELECT count(*) FROM cvm_altered.clv c WHERE c.as_of = settle.as_of);
END $$;
DELETE FROM cvm_altered.published;
CALL settle('2024-01-05 00:00+00');
UPDATE cvm_altered.published SET run_id = run_id + 1000000;
CALL settle('2024-01-06 00:00+00');
DELETE FROM cvm_altered.retired_run;
INSERT INTO cvm_altered.retired_run SELECT run_id, 0 FROM cvm_altered.published;
INSERT INTO cvm_altered.retired_run VALUES (123456789, -1);
CREATE TABLE cvm_altered.score_123456789 (own int);
CALL settle('2024-01-07 00:00+00');
ALTER TABLE cvm_altered.published DROP CONSTRAINT published_pkey;
INSERT INTO cvm_altered.published SELECT * FROM cvm_altered.published;
CALL settle('2024-01-08 00:00+00');
SELECT count(*) AS own FROM cvm_altered.score_123456789;
SELECT count(*) AS left_over FROM cvm_altered.retired_run;
DROP TABLE cvm_altered.score_123456789;

DROP VIEW score_column, other_column;

SELECT cvm.drop_portfolio('altered') AS dropped;
DROP SCHEMA altered_test CASCADE;
