-- a superuser recomputes the portfolio of an owner who wants to become one: whatever the owner's objects run while the
-- output is read, written, refreshed and dropped runs as the owner, and can not leave that
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE ROLE regress_evil NOLOGIN;
DO $$ BEGIN EXECUTE format('GRANT CREATE, TEMPORARY ON DATABASE %I TO regress_evil', current_database()); END $$;
SET ROLE regress_evil;
CREATE SCHEMA evil;
CREATE TABLE evil.log (place text, who name, gained text);
CREATE TABLE evil.armed (yes boolean);
CREATE TABLE evil.orders AS
SELECT c AS customer, timestamptz '2023-01-01 00:00+00' + (c * 3 % 50 + k * (5 + c % 20)) * interval '1 day' AS at, (10 + c % 7 + k)::numeric AS amount
FROM generate_series(1, 100) c, generate_series(0, 6) k WHERE k <= c % 7;

-- every way up that comes to mind, and a note of who tried and what it gained
CREATE FUNCTION evil.try(what text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE what;
    RETURN what;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END $$;
CREATE FUNCTION evil.attack(place text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    gained text;
BEGIN
    IF NOT EXISTS (SELECT FROM evil.armed) THEN
        RETURN true;
    END IF;
    gained := concat_ws('; ',
        evil.try('ALTER ROLE regress_evil SUPERUSER'),
        evil.try('SET ROLE NONE'), evil.try('RESET ROLE'), evil.try('RESET SESSION AUTHORIZATION'),
        evil.try(format('SET SESSION AUTHORIZATION %I', session_user)), evil.try(format('SET ROLE %I', session_user)),
        evil.try('CREATE TEMP TABLE left_behind (n int)'), evil.try('ALTER SYSTEM SET jit = off'),
        evil.try('DECLARE kept CURSOR WITH HOLD FOR SELECT 1'));
    INSERT INTO evil.log VALUES (place, current_user, gained);
    -- and what comes later is to find the wrong names
    PERFORM set_config('search_path', 'evil, pg_catalog', false);
    RETURN true;
END $$;
CREATE FUNCTION evil.steady(place text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN evil.attack(place); END $$;
CREATE FUNCTION evil.fire() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM evil.attack(concat_ws(' ', lower(TG_WHEN), lower(TG_OP), CASE WHEN TG_TABLE_NAME ~ '^score' THEN 'score' ELSE TG_TABLE_NAME END, TG_ARGV[0]));
    RETURN coalesce(NEW, OLD);
END $$;

-- operators and functions that the engine's own names must not find
CREATE FUNCTION evil.same(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.attack('operator of bigint'); RETURN $1 >= $2 AND $1 <= $2; END $$;
CREATE FUNCTION evil.same(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.attack('operator of text'); RETURN $1 >= $2 AND $1 <= $2; END $$;
CREATE FUNCTION evil.same(name, name) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.attack('operator of name'); RETURN $1 >= $2 AND $1 <= $2; END $$;
CREATE FUNCTION evil.same(timestamptz, timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.attack('operator of timestamptz'); RETURN $1 >= $2 AND $1 <= $2; END $$;
CREATE FUNCTION evil.above(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.attack('operator >'); RETURN $1 - $2 >= 1; END $$;
CREATE OPERATOR evil.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.same);
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.same);
CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = name, FUNCTION = evil.same);
CREATE OPERATOR evil.= (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = evil.same);
CREATE OPERATOR evil.> (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.above);
CREATE FUNCTION evil.round(numeric, int) RETURNS numeric LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.attack('function round'); RETURN $1; END $$;
CREATE FUNCTION evil.count() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.attack('function count'); RETURN 1; END $$;

CREATE VIEW evil.feed AS SELECT * FROM evil.orders WHERE (SELECT evil.attack('feed'));
SELECT cvm.create_portfolio('evil', 'evil.feed', 'customer', 'at', 'amount') IS NOT NULL AS created;
-- feeds that a report reads, and one of aliases
CREATE VIEW evil.spend AS SELECT timestamptz '2023-03-01 00:00+00' + customer * interval '1 day' AS at, 1 AS amount FROM evil.orders WHERE (SELECT evil.attack('feed of a report'));
CREATE VIEW evil.alias AS SELECT 7 AS alias, 8 AS customer WHERE (SELECT evil.attack('feed of aliases'));
SELECT cvm.add_feed('evil', 'spend', 'evil.spend', '{"at": "at", "amount": "amount"}'), cvm.add_feed('evil', 'aliases', 'evil.alias', '{"alias": "alias", "customer": "customer"}'),
       cvm.alter_portfolio('evil', '{"reports": ["current_value", "churn_rates", "loyalty"], "loyalty_tiers": {"Silver": 50}}');
CREATE VIEW evil.touch AS SELECT customer, at - interval '1 hour' AS at, 'seen' AS stage, 'c' AS campaign FROM evil.orders WHERE (SELECT evil.attack('touchpoints'));
CREATE VIEW evil.assigned AS SELECT customer, 'test'::text AS test, CASE customer % 2 WHEN 0 THEN 'control' ELSE 'new' END AS arm, min(at) AS at FROM evil.orders WHERE (SELECT evil.attack('assignments')) GROUP BY 1, 2, 3;
SELECT cvm.add_feed('evil', 'touchpoints', 'evil.touch', '{"customer": "customer", "at": "at", "stage": "stage", "campaign": "campaign"}');
SELECT cvm.add_feed('evil', 'assignments', 'evil.assigned', '{"customer": "customer", "experiment": "test", "arm": "arm", "at": "at"}');
RESET ROLE;
CALL cvm.recompute('evil', '2024-01-01 00:00+00');
CALL cvm.recompute('evil', '2024-01-02 00:00+00');
SET ROLE regress_evil;

-- triggers of every kind on every output table
SELECT count(evil.try(format('CREATE TRIGGER %I %s ON cvm_evil.%I %s EXECUTE FUNCTION evil.fire()', 't' || n, event, t, each))) AS triggers
FROM unnest('{published,equity,retired_run,segment_stat,cohort_cell}'::text[]) t,
     (VALUES (1, 'BEFORE INSERT', 'FOR EACH ROW'), (2, 'AFTER INSERT', 'FOR EACH ROW'), (3, 'BEFORE DELETE', 'FOR EACH ROW'), (4, 'AFTER DELETE', '')) e(n, event, each);
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT OR DELETE ON cvm_evil.published DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION evil.fire('deferred');
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT OR DELETE ON cvm_evil.equity DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION evil.fire('deferred');
CREATE TRIGGER t1 AFTER INSERT ON cvm_evil.score FOR EACH ROW EXECUTE FUNCTION evil.fire();
-- rules, defaults, constraints, row security, index expressions, statistics
CREATE RULE r1 AS ON INSERT TO cvm_evil.equity DO ALSO SELECT evil.attack('rule on equity');
ALTER TABLE cvm_evil.segment_stat ADD extra boolean DEFAULT evil.attack('default');
ALTER TABLE cvm_evil.cohort_cell ADD CHECK (evil.attack('check constraint'));
ALTER TABLE cvm_evil.segment_stat ADD made boolean GENERATED ALWAYS AS (evil.steady('generated column' || left(segment, 0))) STORED;
ALTER TABLE cvm_evil.retired_run ENABLE ROW LEVEL SECURITY;
ALTER TABLE cvm_evil.retired_run FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON cvm_evil.retired_run USING (evil.attack('policy of retired_run')) WITH CHECK (evil.attack('policy of retired_run, new rows'));
ALTER TABLE cvm_evil.score ENABLE ROW LEVEL SECURITY;
ALTER TABLE cvm_evil.score FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON cvm_evil.score USING (evil.attack('policy of score'));
CREATE INDEX ON cvm_evil.equity (evil.steady('index of equity' || left(segment, 0)));
CREATE INDEX ON cvm_evil.score (evil.steady('index of score' || left(segment, 0)));
-- rules of segments
INSERT INTO cvm_evil.segment_rule VALUES (-2, 'never', 'NOT evil.attack(''segment rule'')'), (-1, 'never', 'NOT evil.steady(''segment rule when planned'')');
-- the rules of the journey are data, whatever they are read from
DROP TABLE cvm_evil.journey_stage_rule;
CREATE VIEW cvm_evil.journey_stage_rule AS SELECT * FROM jsonb_to_recordset(cvm.default_journey_rules()) AS r(position int, stage text, event text, touchpoint_stage text, channel text, campaign text, entered_from text, moves_back boolean, after_days float8)
WHERE (SELECT evil.attack('rules of the journey'));
-- materialized views of one's own making, with index expressions and a view below
CREATE VIEW evil.below AS SELECT evil.attack('view below') AS fine, 'all'::text AS segment, 1::bigint AS customers;
DROP MATERIALIZED VIEW cvm_evil.segment_summary;
CREATE MATERIALIZED VIEW cvm_evil.segment_summary AS SELECT segment, customers, evil.attack('materialized view') AS fine, random() AS changing FROM evil.below WHERE fine;
CREATE UNIQUE INDEX ON cvm_evil.segment_summary (segment);
CREATE INDEX ON cvm_evil.segment_summary (evil.steady('index of a materialized view' || left(segment, 0)));
RESET ROLE;
INSERT INTO evil.armed VALUES (true);

-- at top level, as a superuser
CALL cvm.recompute('evil', '2024-01-03 00:00+00');
CALL cvm.recompute('evil', '2024-01-04 00:00+00');
SELECT place, string_agg(DISTINCT who, ', ') AS who, max(gained) AS gained FROM evil.log GROUP BY place ORDER BY place COLLATE "C";
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_evil';
SELECT current_user = session_user AS still_me, current_setting('search_path') AS search_path, to_regclass('left_behind') AS left_behind;
SELECT status, sqlstate, count(*) FROM cvm.run WHERE portfolio = 'evil' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT as_of AT TIME ZONE 'UTC' AS published FROM cvm_evil.published;

-- in a transaction of the superuser's own: a trigger that waits for its end is refused ...
TRUNCATE evil.log;
BEGIN;
CALL cvm.recompute('evil', '2024-01-05 00:00+00');
COMMIT;
-- ... and the superuser's own constraints wait as they did before
DROP TRIGGER deferred ON cvm_evil.published;
DROP TRIGGER deferred ON cvm_evil.equity;
CREATE TEMP TABLE mine (n int UNIQUE DEFERRABLE INITIALLY DEFERRED);
INSERT INTO mine VALUES (1), (2);
BEGIN;
UPDATE mine SET n = 2 WHERE n = 1;
CALL cvm.recompute('evil', '2024-01-05 00:00+00');
UPDATE mine SET n = 3 WHERE ctid = (SELECT max(ctid) FROM mine);
COMMIT;
SELECT count(DISTINCT place) > 20 AS attacked, string_agg(DISTINCT who, ', ') AS who, max(gained) AS gained FROM evil.log;
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_evil';
SELECT as_of AT TIME ZONE 'UTC' AS published FROM cvm_evil.published;

-- the other things a superuser may do to a portfolio
TRUNCATE evil.log;
SELECT level, finding FROM cvm.check('evil') WHERE level = 'error';
CALL cvm.validate('evil', '60 days', '2023-06-01 00:00+00');
-- (autovacuum computes indexed expressions whenever it likes)
SELECT place, string_agg(DISTINCT who, ', ') AS who, max(gained) AS gained FROM evil.log WHERE place !~ '^index' GROUP BY place ORDER BY place COLLATE "C";

-- a recompute inside of a restricted operation of somebody else's stays in it
TRUNCATE evil.log;
SET ROLE regress_evil;
CREATE FUNCTION evil.recompute() RETURNS int LANGUAGE plpgsql AS $$ BEGIN CALL cvm.recompute('evil', '2024-01-06 00:00+00'); RETURN 1; END $$;
CREATE MATERIALIZED VIEW evil.recomputed AS SELECT evil.recompute() AS n WITH NO DATA;
RESET ROLE;
REFRESH MATERIALIZED VIEW evil.recomputed;

-- one who insists on waiting is refused
SET ROLE regress_evil;
CREATE FUNCTION evil.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN SET CONSTRAINTS ALL DEFERRED; RETURN NEW; END $$;
CREATE TRIGGER a BEFORE INSERT ON cvm_evil.equity FOR EACH ROW EXECUTE FUNCTION evil.wait();
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON cvm_evil.equity DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION evil.fire('deferred');
RESET ROLE;
CALL cvm.recompute('evil', '2024-01-06 00:00+00');
DROP TRIGGER a ON cvm_evil.equity;
DROP TRIGGER deferred ON cvm_evil.equity;

-- what keeps rows out, or rewrites a statement, is an error and no half of a result
SET ROLE regress_evil;
CREATE FUNCTION evil.swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER a BEFORE INSERT ON cvm_evil.published FOR EACH ROW EXECUTE FUNCTION evil.swallow();
RESET ROLE;
CALL cvm.recompute('evil', '2024-01-06 00:00+00');
DROP TRIGGER a ON cvm_evil.published;
CREATE RULE r2 AS ON INSERT TO cvm_evil.published DO INSTEAD NOTHING;
CALL cvm.recompute('evil', '2024-01-06 00:00+00');
DROP RULE r2 ON cvm_evil.published;
CREATE RULE r2 AS ON DELETE TO cvm_evil.equity DO INSTEAD UPDATE cvm_evil.equity SET customers = 0;
CALL cvm.recompute('evil', '2024-01-06 00:00+00');
DROP RULE r2 ON cvm_evil.equity;
CREATE TRIGGER a BEFORE INSERT ON cvm_evil.cohort_cell FOR EACH ROW EXECUTE FUNCTION evil.swallow();
CALL cvm.recompute('evil', '2024-01-06 00:00+00');
DROP TRIGGER a ON cvm_evil.cohort_cell;
SELECT as_of AT TIME ZONE 'UTC' AS published, (SELECT count(*) FROM cvm_evil.score s WHERE s.run_id = p.run_id) AS customers FROM cvm_evil.published p;

-- a decision or a model that the owner has written is held against what it may be
SET ROLE regress_evil;
INSERT INTO cvm.promotion (portfolio, specification, base) SELECT 'evil', '{}', cvm.promotion_base('{}');
RESET ROLE;
CALL cvm.recompute('evil', '2024-01-06 00:00+00');
SET ROLE regress_evil;
UPDATE cvm.promotion SET specification = '{"family": "bg/nbd", "spend_family": "gamma-gamma", "period": "-1 days", "time_unit": "0", "time_zone": null}' WHERE portfolio = 'evil';
RESET ROLE;
CALL cvm.recompute('evil', '2024-01-07 00:00+00');
DELETE FROM cvm.promotion WHERE portfolio = 'evil';

DROP TABLE mine;
-- nor on the way out
SELECT cvm.drop_portfolio('evil', "cascade" => true) AS dropped;
SELECT string_agg(DISTINCT who, ', ') AS who, max(gained) AS gained FROM evil.log;
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_evil';
TRUNCATE evil.armed;
DO $$ BEGIN EXECUTE format('REVOKE CREATE, TEMPORARY ON DATABASE %I FROM regress_evil', current_database()); END $$;
DROP SCHEMA evil CASCADE;
DROP OWNED BY regress_evil;
DROP ROLE regress_evil;
