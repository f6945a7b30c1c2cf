-- portfolio: create, alter, drop, feeds, options, who may do what
SET intervalstyle = 'postgres';
SET client_min_messages = warning;
SET intervalstyle = postgres;
CREATE EXTENSION IF NOT EXISTS cvm;
\set VERBOSITY default
CREATE SCHEMA portfolio_test;
SET search_path = portfolio_test, public;
CREATE TABLE orders (order_id bigint, customer_id bigint, ordered_at timestamptz, total numeric(12,2), note text, place point);
CREATE FUNCTION u(a int, b int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT (('x' || substr(md5(a || '/' || b), 1, 8))::bit(32)::bigint + 0.5) / 4294967296 $$;
INSERT INTO orders
SELECT c * 100 + k, c,
       '2023-01-01 00:00+00'::timestamptz
         + make_interval(secs => 86400 * (300 * u(c, 0) + 25 * exp(2 * u(c, 1)) * k * (0.5 + u(c, 100 + k)))),
       round((20 * exp(1.5 * (u(c, 2) - 0.5)) * (0.4 + 1.2 * u(c, 200 + k)))::numeric, 2)
FROM generate_series(1, 400) c, generate_series(0, 30) k
WHERE k <= floor(-ln(u(c, 3)) * 4);

-- create_portfolio refuses what can not work, and leaves nothing behind
SELECT cvm.create_portfolio('shop', 'orders', 'customer', 'ordered_at', 'total');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'order_time', 'total');
SELECT cvm.create_portfolio('shop', 'orders', 'place', 'ordered_at', 'total');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'note', 'total');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'note');
SELECT cvm.create_portfolio('shop', NULL, 'customer_id', 'ordered_at', 'total');
SELECT cvm.create_portfolio(NULL, 'orders', 'customer_id', 'ordered_at', 'total');
SELECT cvm.create_portfolio('', 'orders', 'customer_id', 'ordered_at', 'total');
SELECT cvm.create_portfolio(repeat('x', 60), 'orders', 'customer_id', 'ordered_at', 'total');
CREATE INDEX orders_index ON orders (customer_id);
SELECT cvm.create_portfolio('shop', 'orders_index', 'customer_id', 'ordered_at', 'total');
SELECT cvm.create_portfolio('shop', 'no_such_table', 'customer_id', 'ordered_at', 'total');
CREATE SCHEMA cvm_shop;
CREATE TABLE cvm_shop.mine (i int);
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total');
DROP SCHEMA cvm_shop CASCADE;
SELECT count(*) AS portfolios FROM cvm.portfolios WHERE portfolio = 'shop';
SELECT count(*) AS schemas FROM pg_namespace WHERE nspname = 'cvm_shop';

-- without CREATE on the database: an empty schema of one's own will do
CREATE ROLE regress_newcomer;
GRANT USAGE ON SCHEMA portfolio_test TO regress_newcomer;
GRANT SELECT ON orders TO regress_newcomer;
CREATE SCHEMA regress_newcomers AUTHORIZATION regress_newcomer;
SET ROLE regress_newcomer;
DO $$ BEGIN PERFORM cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total');
EXCEPTION WHEN insufficient_privilege THEN
    DECLARE hint text; detail text; BEGIN
        GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT, detail = PG_EXCEPTION_DETAIL;
        RAISE WARNING '% | % | %', SQLERRM, replace(detail, current_database(), 'x'), replace(hint, current_database(), 'x');
    END;
END $$;
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"schema": "regress_newcomers"}');
-- a server that has not preloaded says what to write, whatever one may see
SELECT cvm.preload_hint();
SELECT cvm.drop_portfolio('shop');
RESET ROLE;
DROP SCHEMA regress_newcomers;
REVOKE ALL ON orders FROM regress_newcomer;
REVOKE ALL ON SCHEMA portfolio_test FROM regress_newcomer;
DROP ROLE regress_newcomer;

-- options: unknown keys and values outside their domains
\set VERBOSITY terse
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"marign": 0.4}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '[]');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"annual_discount_rate": -0.1}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"annual_discount_rate": 0}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"annual_discount_rate": 0.0000009}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"annual_discount_rate": 0.0000009, "value_horizon": "1 year"}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"annual_discount_rate": "10 %"}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"horizon": "0 days"}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"horizon": "-1 year"}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"horizon": 90}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"value_horizon": "soon"}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"margin": 0}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"margin": 40}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"period": "1 month"}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"period": "0.5 seconds"}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"time_unit": "1 month"}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"time_unit": "36526 days"}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"time_unit": "0.5 seconds"}');
SELECT cvm.check_options('{"time_unit": "36525 days", "annual_discount_rate": 0.000001}'), cvm.check_options('{"time_unit": "1 second"}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"time_zone": "Europe/Atlantis"}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"time_zone": 1}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"families": ["bg/ndb"]}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"families": "bg/nbd"}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"families": ["bg/nbd", "bg/nbd"]}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"portfolio_currency": "euro"}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"predictive_interval": 1}');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total', '{"schema": ""}');
SELECT count(*) AS schemas FROM pg_namespace WHERE nspname = 'cvm_shop';

-- every option, and what a recompute makes of it
SELECT cvm.create_portfolio('shop', 'orders', customer => 'customer_id', at => 'ordered_at', amount => 'total', options =>
    '{"time_zone": "Europe/Berlin", "period": "7 days", "time_unit": "1 day", "annual_discount_rate": 0.08, "horizon": "6 months",
      "value_horizon": "5 years", "margin": 0.25, "portfolio_currency": "EUR", "families": ["gamma-gamma", "bg/nbd"],
      "predictive_interval": false}');
SELECT * FROM cvm.recompute_plan('shop') \gx
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total');
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
SELECT bool_and(currency = 'EUR') AS currency, bool_and(residual_low IS NULL AND residual_high IS NULL) AS no_interval,
       bool_and(residual_value > 0 AND status IN ('ok', 'fallback')) AS scored FROM cvm_shop.clv;
SELECT cvm.alter_portfolio('shop', '{"margin": 0.5, "predictive_interval": null, "time_unit": null}');
SELECT margin, predictive_interval, time_unit, currency FROM cvm.recompute_plan('shop');
SELECT cvm.alter_portfolio('shop', '{"margin": 2}');
SELECT cvm.alter_portfolio('shop', '{"value_horizon": null, "annual_discount_rate": 0}');
SELECT cvm.alter_portfolio('shop', '{"annual_discount_rate": 0}');
SELECT cvm.alter_portfolio('shop', '{"value_horizon": null}');
SELECT cvm.alter_portfolio('shop', '{"schema": "other"}');
SELECT cvm.alter_portfolio('shop', NULL);
SELECT cvm.alter_portfolio('nobody', '{}');
SELECT options FROM cvm.portfolios WHERE portfolio = 'shop';
-- a direct write passes the same checks
UPDATE cvm.portfolio SET options = '{"margin": 7}' WHERE portfolio = 'shop';
UPDATE cvm.feed SET columns = '{"customer": "customer_id"}' WHERE portfolio = 'shop';

-- feeds
SELECT * FROM cvm.feeds WHERE portfolio = 'shop';
CREATE VIEW positive AS SELECT customer_id AS who, ordered_at::date AS day, total::float8 AS money FROM orders WHERE total > 0;
SELECT cvm.add_feed('shop', 'purchases', 'positive', '{"customer": "who", "at": "day", "amount": "money"}');
SELECT purchases_query FROM cvm.recompute_plan('shop');
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
SELECT cvm.add_feed('shop', 'purchases', 'orders', '{"customer": "who", "at": "day", "amount": "money"}');
SELECT cvm.add_feed('shop', 'purchases', 'orders', '{"customer": "customer_id"}');
SELECT cvm.add_feed('shop', 'purchases', 'orders', '{"customer": "customer_id", "at": "ordered_at", "amount": "total", "colour": "note"}');
SELECT cvm.add_feed('shop', 'weather', 'orders', '{}');
SELECT cvm.add_feed('shop', 'purchases', 'orders', '[]');
SELECT cvm.drop_feed('shop', 'purchases');
SELECT cvm.drop_feed('shop', 'reviews');
-- temporary relations: the schema of a session's differs
CREATE TEMP TABLE passing AS SELECT * FROM orders;
CREATE VIEW over_passing AS SELECT * FROM passing;
CREATE FUNCTION refusal(command text, OUT state text, OUT message text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    message := regexp_replace(message, 'pg_temp_\d+', 'pg_temp');
END $$;
SELECT * FROM refusal($$SELECT cvm.create_portfolio('passing', 'passing', 'customer_id', 'ordered_at', 'total')$$);
SELECT * FROM refusal($$SELECT cvm.add_feed('shop', 'purchases', 'over_passing', '{"customer": "customer_id", "at": "ordered_at", "amount": "total"}')$$);
DROP TABLE passing CASCADE;

-- check: what is wrong with a feed, in one row each
SELECT level, finding FROM cvm.check('shop') WHERE level <> 'warning' ORDER BY 1, 2;
CREATE TABLE odd (c text, t timestamp, a float8);
SELECT cvm.create_portfolio('odd', 'odd', 'c', 't', 'a');
SELECT * FROM cvm.check('odd');
INSERT INTO odd VALUES (NULL, '2023-01-01', 1), ('a', NULL, 1), ('a', '2023-01-01', NULL), ('a', 'infinity', 1),
    ('a', '2023-01-01', 'NaN'), ('a', '2023-01-01', '-Infinity'), ('a', '2023-01-01', 1e19), ('a', '2999-01-01', 1);
SELECT level, finding FROM cvm.check('odd');
DELETE FROM odd;
INSERT INTO odd VALUES ('a', '2023-01-01', 1), ('b', '2023-01-01', 1), ('c', '2023-01-01', -1);
SELECT level, finding FROM cvm.check('odd');
INSERT INTO odd VALUES ('a', '2023-02-01', 0), ('b', '2023-02-01', 0);
SELECT level, finding FROM cvm.check('odd');
-- c has money and no purchase, once more
INSERT INTO odd VALUES ('c', '2023-03-01', -2), ('d', '2023-03-01', -2), ('e', '2023-03-01', 1);
SELECT level, finding, hint FROM cvm.check('odd') WHERE finding ~ 'no purchase';
ALTER TABLE odd RENAME a TO b;
SELECT level, finding, hint FROM cvm.check('odd') LIMIT 1;
DROP TABLE odd;
SELECT level, finding, hint FROM cvm.check('odd') LIMIT 1;
SELECT cvm.check('nobody');
-- check: models, rules and jobs
SELECT level, finding FROM cvm.check('shop') WHERE finding LIKE '%penalised%';
UPDATE cvm.fitted_model SET rung = 'penalised' WHERE portfolio = 'shop' AND status = 'live' AND role = 'purchases';
UPDATE cvm.fitted_model SET rung = 'simpler' WHERE portfolio = 'shop' AND status = 'live' AND role = 'spend';
SELECT level, finding, hint FROM cvm.check('shop') WHERE finding LIKE 'the live %' \gx
UPDATE cvm.fitted_model SET rung = 'full' WHERE portfolio = 'shop';
BEGIN;
UPDATE cvm_shop.segment_rule SET predicate = 'no_such_column > 1' WHERE position = 10;
UPDATE cvm_shop.segment_rule SET predicate = '1' WHERE position = 20;
UPDATE cvm_shop.segment_rule SET predicate = '(SELECT true)' WHERE position = 30;
UPDATE cvm_shop.segment_rule SET predicate = 'count(*) > 1' WHERE position = 40;
UPDATE cvm_shop.segment_rule SET predicate = 'orders > ' WHERE position = 50;
UPDATE cvm_shop.segment_rule SET predicate = 'churn_risk > 0.5 AND orders > 2 AND repeat_periods > 0 AND mean_spend > 1 AND first_at < last_at AND lifetime_value > 1 AND rfm_cell < ''3-3'' '
WHERE position = 60;
SELECT level, finding, hint FROM cvm.check('shop') WHERE finding LIKE 'segment rule%' \gx
ROLLBACK;
SELECT cvm.schedule('shop', every => '1 day', starting => '2999-01-01 00:00+00') IS NOT NULL AS scheduled;
SELECT finding FROM cvm.check('shop') WHERE finding LIKE '%job%';
SELECT cvm.schedule('shop', every => '1 day', starting => '2999-01-01 00:00+00') IS NOT NULL AS scheduled FROM generate_series(1, 2);
UPDATE cvm.job SET enabled = false WHERE job_id = (SELECT min(job_id) FROM cvm.job);
UPDATE cvm.job SET home = 'elsewhere' WHERE job_id = (SELECT max(job_id) FROM cvm.job);
SELECT level, regexp_replace(finding, '(job) [0-9]+$|(: )[0-9, ]+$', '\1\2 ...') AS finding, hint FROM cvm.check('shop') WHERE finding LIKE '%job%';
SELECT count(*) AS unscheduled FROM (SELECT cvm.unschedule(job_id) FROM cvm.job) u;
SELECT cvm.check(NULL);
SELECT cvm.drop_portfolio('odd');
-- schedules and readers that can not be, by the function and by hand
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT cvm.schedule('shop', every => NULL);
SELECT cvm.schedule('shop', max_runtime => NULL);
SELECT cvm.schedule('shop', every => '-1 day');
SELECT cvm.schedule('shop', starting => 'infinity');
SELECT cvm.schedule('shop', starting => '9999-06-01 00:00+00');
SELECT cvm.schedule('shop', max_retries => -1);
SELECT cvm.schedule('shop', max_retries => 1001);
SELECT cvm.schedule('shop', time_zone => 'Mars');
INSERT INTO cvm.job (portfolio, every, starting, time_zone) VALUES ('shop', '1 day', '-infinity', 'UTC');
INSERT INTO cvm.job (portfolio, every, time_zone) VALUES ('shop', '1 day', 'UTC');
SELECT count(*) AS jobs FROM cvm.job WHERE portfolio = 'shop';
SELECT cvm.grant_read('shop', NULL);
SELECT cvm.grant_read('shop', 0::regrole);
SELECT cvm.grant_read('shop', 'regress_nobody');
-- the schema of another portfolio, while it is there and when it is gone
SELECT cvm.create_portfolio('second', 'orders', 'customer_id', 'ordered_at', 'total', '{"schema": "cvm_shop"}');
BEGIN;
SET client_min_messages = error;
DROP SCHEMA cvm_shop CASCADE;
SELECT cvm.create_portfolio('second', 'orders', 'customer_id', 'ordered_at', 'total', '{"schema": "cvm_shop"}');
ROLLBACK;
SELECT count(*) AS portfolios FROM cvm.portfolio WHERE portfolio = 'second';
\set VERBOSITY terse
\set SHOW_CONTEXT errors

-- who may do what
CREATE ROLE regress_owner; CREATE ROLE regress_member IN ROLE regress_owner; CREATE ROLE regress_other;
CREATE ROLE regress_reader; CREATE ROLE regress_monitor IN ROLE pg_monitor;
GRANT USAGE ON SCHEMA portfolio_test TO regress_owner, regress_other;
CREATE SCHEMA regress_out AUTHORIZATION regress_owner;
SET ROLE regress_owner;
SELECT cvm.create_portfolio('own', 'orders', 'customer_id', 'ordered_at', 'total');
SELECT cvm.create_portfolio('own', 'orders', 'customer_id', 'ordered_at', 'total', '{"schema": "regress_out"}');
RESET ROLE;
GRANT SELECT (customer_id, ordered_at, total) ON orders TO regress_owner;
SET ROLE regress_owner;
SELECT cvm.create_portfolio('own', 'orders', 'customer_id', 'ordered_at', 'total', '{"schema": "regress_out"}');
RESET ROLE;
SET ROLE regress_member;
CALL cvm.recompute('own', '2024-01-01 00:00+00');
RESET ROLE;
SELECT DISTINCT relowner::regrole FROM pg_class WHERE relnamespace = 'regress_out'::regnamespace;
CALL cvm.recompute('own', '2024-02-01 00:00+00');
SELECT DISTINCT relowner::regrole FROM pg_class WHERE relnamespace = 'regress_out'::regnamespace;
SELECT portfolio, owner, customers, last_status FROM cvm.portfolios ORDER BY 1;
-- a stranger sees nothing and may nothing
SET ROLE regress_other;
SELECT portfolio FROM cvm.portfolios;
SELECT count(*) FROM cvm.models;
CALL cvm.recompute('own');
SELECT cvm.alter_portfolio('own', '{}');
SELECT cvm.drop_portfolio('own');
SELECT cvm.check('own');
INSERT INTO cvm.portfolio (portfolio, output_schema, owns_schema, options) VALUES ('fake', 'regress_out2', true, '{}');
INSERT INTO cvm.portfolio (portfolio, output_schema, owns_schema, options, created_by) VALUES ('fake', 'portfolio_test', true, '{}', 'regress_owner');
INSERT INTO cvm.run (portfolio) VALUES ('own');
UPDATE cvm.portfolio SET options = '{}';
SELECT * FROM regress_out.clv;
RESET ROLE;
-- nor can a stranger take a name that is hidden
CREATE SCHEMA regress_elsewhere AUTHORIZATION regress_other;
GRANT SELECT ON orders TO regress_other;
SET ROLE regress_other;
SELECT cvm.create_portfolio('own', 'orders', 'customer_id', 'ordered_at', 'total', '{"schema": "regress_elsewhere"}');
RESET ROLE;
REVOKE SELECT ON orders FROM regress_other;
DROP SCHEMA regress_elsewhere;
-- a reader sees the numbers, the runs and the dictionary, and changes nothing
SELECT cvm.grant_read('own', 'regress_reader');
SET ROLE regress_reader;
SELECT count(*) > 0 AS some FROM regress_out.clv;
SELECT count(*) > 0 AS some FROM regress_out.customer_value;
SELECT portfolio, customers FROM cvm.portfolios;
SELECT count(*) AS undescribed FROM cvm.data_dictionary WHERE description IS NULL OR relation_description IS NULL;
SELECT count(*) > 50 AS columns FROM cvm.data_dictionary;
CALL cvm.recompute('own');
SELECT cvm.grant_read('own', 'regress_other');
SELECT count(*) AS rules FROM regress_out.segment_rule;
UPDATE regress_out.segment_rule SET predicate = 'true';
SELECT * FROM regress_out.published;
DELETE FROM cvm.run;
RESET ROLE;
-- errors are for the owner
UPDATE regress_out.segment_rule SET predicate = 'no_such_column = 1' WHERE position = 10;
CALL cvm.recompute('own', '2024-02-01 00:00+00');
SET ROLE regress_reader;
SELECT status, sqlstate FROM cvm.run WHERE portfolio = 'own' ORDER BY run_id DESC LIMIT 1;
SELECT count(*) FROM cvm.run_error;
RESET ROLE;
SET ROLE regress_monitor;
SELECT status, sqlstate FROM cvm.run WHERE portfolio = 'own' ORDER BY run_id DESC LIMIT 1;
SELECT count(*) FROM cvm.run_error;
RESET ROLE;
SET ROLE regress_owner;
SELECT message FROM cvm.run_error ORDER BY run_id DESC LIMIT 1;
RESET ROLE;
-- the owner changes with the schema
ALTER SCHEMA regress_out OWNER TO regress_other;
SELECT cvm.portfolio_owner('own');
SET ROLE regress_owner;
SELECT cvm.drop_portfolio('own');
RESET ROLE;
ALTER SCHEMA regress_out OWNER TO regress_owner;

-- a feed that names other people's functions runs them as the portfolio's owner
CREATE FUNCTION who(bigint) RETURNS bigint LANGUAGE plpgsql AS
$$ BEGIN IF current_user <> 'regress_owner' THEN RAISE EXCEPTION 'the feed runs as %', current_user; END IF; RETURN $1; END $$;
GRANT EXECUTE ON FUNCTION who(bigint) TO PUBLIC;
CREATE VIEW spying AS SELECT who(customer_id) AS customer_id, ordered_at, total FROM orders;
GRANT SELECT ON spying TO regress_owner;
SELECT cvm.add_feed('own', 'purchases', 'spying', '{"customer": "customer_id", "at": "ordered_at", "amount": "total"}');
UPDATE regress_out.segment_rule SET predicate = 'recency_score = 5' WHERE position = 10;
CALL cvm.recompute('own', '2024-03-01 00:00+00');
SELECT level, finding FROM cvm.check('own') WHERE level IN ('error', 'ok');
CREATE OR REPLACE FUNCTION who(bigint) RETURNS bigint LANGUAGE plpgsql AS
$$ BEGIN PERFORM set_config('role', 'none', false); RETURN $1; END $$;
CALL cvm.recompute('own', '2024-03-01 00:00+00');

-- names that need quoting
CREATE TABLE "my ""Orders""; --" ("Customer Id" uuid, "At '" timestamptz, "Tot%al" numeric);
INSERT INTO "my ""Orders""; --" SELECT md5(customer_id::text)::uuid, ordered_at, total FROM orders;
SELECT cvm.create_portfolio('Größe "x" %s', '"my ""Orders""; --"', 'Customer Id', 'At ''', 'Tot%al');
CALL cvm.recompute('Größe "x" %s', '2024-01-01 00:00+00');
SELECT count(*) > 0 AS some, pg_typeof(min(customer_id::text)::uuid) FROM "cvm_Größe ""x"" %s".clv;
SELECT level FROM cvm.check('Größe "x" %s') WHERE level = 'error';

-- dropping: objects of others stop it unless they may go too
CREATE VIEW depends AS SELECT customer_id FROM cvm_shop.clv;
\set VERBOSITY default
SELECT cvm.drop_portfolio('shop');
\set VERBOSITY terse
SELECT count(*) FROM cvm_shop.clv LIMIT 0;
SELECT cvm.drop_portfolio('shop', "cascade" => true);
SELECT count(*) AS views FROM pg_views WHERE viewname = 'depends';
SELECT cvm.drop_portfolio('Größe "x" %s');
SELECT cvm.drop_portfolio('own');
SELECT nspname FROM pg_namespace WHERE nspname LIKE 'cvm\_%' OR nspname = 'regress_out';
-- the schema may be gone already, and a table put into it stays
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total');
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
DROP SCHEMA cvm_shop CASCADE;
CALL cvm.recompute('shop', '2024-01-01 00:00+00');
SELECT portfolio, owner FROM cvm.portfolios;
SELECT cvm.drop_portfolio('shop');
SELECT cvm.create_portfolio('shop', 'orders', 'customer_id', 'ordered_at', 'total');
CREATE TABLE cvm_shop.mine (i int);
SELECT cvm.drop_portfolio('shop');
SELECT relname FROM pg_class WHERE relnamespace = 'cvm_shop'::regnamespace;
DROP SCHEMA cvm_shop CASCADE;
SELECT count(*) AS left FROM cvm.run;
SELECT count(*) AS left FROM cvm.fitted_model;

DROP SCHEMA regress_out;
DROP SCHEMA portfolio_test CASCADE;
DROP ROLE regress_owner, regress_member, regress_other, regress_reader, regress_monitor;
