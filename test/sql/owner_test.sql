-- a recompute runs as the portfolio's owner, whoever calls it, and no further
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE ROLE regress_shop_owner NOLOGIN;
CREATE ROLE regress_shop_member IN ROLE regress_shop_owner;
CREATE ROLE regress_shop_stranger;
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO regress_shop_owner', current_database()); END $$;
CREATE SCHEMA owner_test AUTHORIZATION regress_shop_owner;
GRANT USAGE ON SCHEMA owner_test TO PUBLIC;
SET search_path = owner_test, public;

-- everybody sees rows of one's own in this table, superusers would see all
CREATE TABLE orders (tenant name, customer int, at timestamptz, amount numeric);
INSERT INTO orders SELECT 'regress_shop_' || t, c, '2023-01-01 00:00+00'::timestamptz + (c * 3 % 50 + k * (5 + c % 20)) * interval '1 day', 10 + c % 7 + k
FROM (VALUES ('owner', 100), ('member', 20), ('stranger', 20)) v(t, n), generate_series(1, n) c, generate_series(0, 6) k WHERE k <= c % 7;
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON orders USING (tenant = current_user);
GRANT SELECT ON orders TO regress_shop_owner, regress_shop_member, regress_shop_stranger;
SET ROLE regress_shop_owner;
SELECT cvm.create_portfolio('owned', 'orders', 'customer', 'at', 'amount') IS NOT NULL AS created;
RESET ROLE;
CREATE FUNCTION outcome() RETURNS TABLE (as_of timestamp, customers bigint) LANGUAGE sql AS
$$ SELECT as_of AT TIME ZONE 'UTC', count(*) FROM cvm_owned.clv GROUP BY 1 $$;

-- the superuser
CALL cvm.recompute('owned', '2024-01-01 00:00+00');
SELECT * FROM outcome();
-- the owner, and a member of it
SET ROLE regress_shop_owner;
CALL cvm.recompute('owned', '2024-01-02 00:00+00');
SET ROLE regress_shop_member;
CALL cvm.recompute('owned', '2024-01-03 00:00+00');
SELECT current_user;
RESET ROLE;
SELECT * FROM outcome();
SELECT DISTINCT pg_get_userbyid(relowner) AS owner FROM pg_class WHERE relnamespace = 'cvm_owned'::regnamespace;
-- also in a function, and as a role set in a transaction
BEGIN;
SET LOCAL ROLE regress_shop_member;
CALL cvm.recompute('owned', '2024-01-04 00:00+00');
SELECT current_user;
COMMIT;
SELECT * FROM outcome();
-- nobody else
SET ROLE regress_shop_stranger;
CALL cvm.recompute('owned', '2024-01-05 00:00+00');
RESET ROLE;

-- no privilege on the feed any more
REVOKE SELECT ON orders FROM regress_shop_owner;
CALL cvm.recompute('owned', '2024-01-05 00:00+00');
GRANT SELECT ON orders TO regress_shop_owner;
SELECT * FROM outcome();

-- a feed is a view with functions of anybody's: they run as the owner and can not leave that
CREATE FUNCTION who() RETURNS boolean LANGUAGE plpgsql AS
$$ BEGIN RETURN current_user = 'regress_shop_owner' AND current_setting('search_path') = 'pg_catalog, pg_temp'
    AND current_setting('TimeZone') = 'UTC'; END $$;
CREATE FUNCTION become(role name) RETURNS boolean LANGUAGE plpgsql AS
$$ BEGIN PERFORM set_config('role', role, false); RETURN true; END $$;
CREATE FUNCTION leave_behind() RETURNS boolean LANGUAGE plpgsql AS
$$ BEGIN CREATE TEMP TABLE trap (n int); RETURN true; END $$;
CREATE FUNCTION call_again() RETURNS boolean LANGUAGE plpgsql AS
$$ BEGIN CALL cvm.recompute('owned', '2024-01-06 00:00+00'); RETURN true; END $$;
CREATE VIEW told AS SELECT * FROM orders WHERE owner_test.who();
CREATE VIEW trap AS SELECT * FROM orders WHERE owner_test.become('none');
CREATE VIEW trap_temp AS SELECT * FROM orders WHERE owner_test.leave_behind();
CREATE VIEW trap_again AS SELECT * FROM orders WHERE owner_test.call_again();
ALTER VIEW told SET (security_invoker = true);
ALTER VIEW trap SET (security_invoker = true);
ALTER VIEW trap_temp SET (security_invoker = true);
ALTER VIEW trap_again SET (security_invoker = true);
GRANT SELECT ON told, trap, trap_temp, trap_again TO regress_shop_owner;
CREATE FUNCTION feed(relation regclass) RETURNS void LANGUAGE sql AS
$$ SELECT cvm.add_feed('owned', 'purchases', relation, '{"customer": "customer", "at": "at", "amount": "amount"}') $$;
SET TimeZone = 'Asia/Tokyo';
SELECT feed('told');
CALL cvm.recompute('owned', '2024-01-06 00:00+00');
SELECT * FROM outcome();
SHOW TimeZone;
SHOW search_path;
RESET TimeZone;
SELECT feed('trap');
CALL cvm.recompute('owned', '2024-01-07 00:00+00');
SELECT feed('trap_temp');
CALL cvm.recompute('owned', '2024-01-07 00:00+00');
SELECT feed('trap_again');
CALL cvm.recompute('owned', '2024-01-07 00:00+00');
SELECT current_user = session_user AS nobody_else;
SELECT feed('told');
-- a rule of a segment can not either
INSERT INTO cvm_owned.segment_rule VALUES (-1, 'trap', 'owner_test.become(''none'')');
CALL cvm.recompute('owned', '2024-01-07 00:00+00');
DELETE FROM cvm_owned.segment_rule WHERE position = -1;
SELECT * FROM outcome();

-- what is somebody's own stays: grants, comments, views, and a table with a run's name
GRANT USAGE ON SCHEMA cvm_owned TO regress_shop_stranger;
GRANT SELECT ON cvm_owned.clv TO regress_shop_stranger;
COMMENT ON VIEW cvm_owned.clv IS 'ours';
CREATE TABLE cvm_owned.score_2024 (n int);
CREATE VIEW over_clv AS SELECT count(*) FROM cvm_owned.clv;
SELECT 'cvm_owned.clv'::regclass::oid AS clv \gset
CALL cvm.recompute('owned', '2024-01-08 00:00+00');
SELECT 'cvm_owned.clv'::regclass = :clv AS same_view, obj_description(:clv) AS comment,
       has_table_privilege('regress_shop_stranger', :clv, 'SELECT') AS granted, to_regclass('cvm_owned.score_2024') AS kept;
SELECT * FROM over_clv;
-- a view of a run's own partition stands in the way of dropping it: a warning, and the new run is there
DO $$ BEGIN EXECUTE format('CREATE VIEW owner_test.over_run AS SELECT count(*) FROM cvm_owned.score_%s', (SELECT run_id FROM cvm_owned.published)); END $$;
SET client_min_messages = error;
CALL cvm.recompute('owned', '2024-01-09 00:00+00');
SET client_min_messages = warning;
SELECT * FROM outcome();
SELECT count(*) AS partitions FROM pg_inherits WHERE inhparent = 'cvm_owned.score'::regclass;
DROP VIEW over_run;
CALL cvm.recompute('owned', '2024-01-10 00:00+00');
SELECT count(*) AS partitions FROM pg_inherits WHERE inhparent = 'cvm_owned.score'::regclass;
SELECT status, sqlstate, count(*) FROM cvm.run WHERE portfolio = 'owned' GROUP BY 1, 2 ORDER BY 1, 2;

DROP TABLE cvm_owned.score_2024;
DROP VIEW over_clv;
SELECT cvm.drop_portfolio('owned') IS NOT NULL AS dropped;
DROP SCHEMA owner_test CASCADE;
DO $$ BEGIN EXECUTE format('REVOKE CREATE ON DATABASE %I FROM regress_shop_owner', current_database()); END $$;
DROP ROLE regress_shop_stranger, regress_shop_member, regress_shop_owner;
