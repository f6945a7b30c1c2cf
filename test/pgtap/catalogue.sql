-- catalogue: what an owner may write by hand into cvm's tables, and what that does to others: nothing.
BEGIN;
SELECT plan(64);
SET client_min_messages = error;

CREATE ROLE cvm_test_anna LOGIN;
CREATE ROLE cvm_test_bert LOGIN;
CREATE ROLE cvm_test_boss LOGIN SUPERUSER;
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO cvm_test_anna, cvm_test_bert', current_database()); END $$;
CREATE TABLE orders AS
SELECT c AS customer, timestamptz '2025-01-01 00:00+00' + (c * 17 % 90 + k * (20 + c * 7 % 31)) * interval '1 day' AS at, 10 + (c * 13 + k * 29) % 50 AS amount
FROM generate_series(1, 60) c, generate_series(0, 3) k WHERE k <= c % 4;
GRANT SELECT ON orders TO cvm_test_anna, cvm_test_bert;

-- what a statement does as a role: the SQLSTATE of its error, or its number of rows
CREATE FUNCTION outcome_as(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    PERFORM set_config('role', 'cvm_test_' || role, true);
    EXECUTE statement;
    GET DIAGNOSTICS n = ROW_COUNT;
    PERFORM set_config('role', 'none', true);
    RETURN n;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;

SELECT outcome_as(owner, format('SELECT cvm.create_portfolio(%L, ''orders'', customer => ''customer'', at => ''at'', amount => ''amount'')', owner)),
       outcome_as(owner, format('CALL cvm.recompute(%L, ''2025-09-01 00:00+00'')', owner)),
       outcome_as(owner, format('CALL cvm.validate(%L, ''60 days'', ''2025-09-01 00:00+00'')', owner)),
       outcome_as(owner, format('SELECT cvm.schedule(%L, starting => now() + interval ''1 year'')', owner)),
       outcome_as(owner, format('SELECT cvm.rollback(%L)', owner))
FROM unnest('{anna,bert}'::text[]) owner \g /dev/null
SELECT is(array_agg(portfolio || ' ' || customers ORDER BY portfolio), '{anna 60,bert 60}', 'owners without any other privilege have portfolios') FROM cvm.portfolios;
SELECT is(array_agg(DISTINCT run_as ORDER BY run_as), '{cvm_test_anna,cvm_test_bert}', 'and jobs') FROM cvm.job;
SELECT job_id AS annas_job FROM cvm.job WHERE portfolio = 'anna' \gset
SELECT max(run_id) AS annas_run FROM cvm.run WHERE portfolio = 'anna' \gset
SELECT min(model_id) AS annas_model FROM cvm.fitted_model WHERE portfolio = 'anna' \gset
SELECT validation_id AS annas_validation FROM cvm.validation WHERE portfolio = 'anna' AND position = 1 \gset

-- nobody writes the numbers, the names, and what the worker keeps; not by INSERT, not by UPDATE
SELECT is_empty($$SELECT t, c, p FROM (VALUES
        ('portfolio', '{portfolio_id,created_by,created_at}'::text[]), ('run', '{run_id,job_id,holdout,attempt}'), ('fitted_model', '{model_id}'),
        ('job', '{job_id,created_at,home,attempt,failures,open_run_id,last_run_id}')) AS t(t, columns), unnest(columns) AS c, unnest('{INSERT,UPDATE}'::text[]) AS p
    WHERE has_column_privilege('cvm_test_anna', 'cvm.' || t, c, p)$$, 'no privilege to write what cvm keeps');
SELECT is_empty($$SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'cvm'::regnamespace AND c.relkind = 'r' AND a.attname IN ('portfolio', 'run_id', 'model_id', 'validation_id', 'portfolio_id', 'job_id')
      AND NOT (c.relname IN ('promotion', 'run') AND a.attname = 'validation_id')
      AND has_column_privilege('cvm_test_anna', c.oid, a.attname, 'UPDATE')$$, 'no row is moved to another portfolio, run or model');
SELECT is_empty($$SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'cvm'::regnamespace AND c.relkind = 'S'
      AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege('cvm_test_anna', c.oid, 'UPDATE') END$$, 'nobody sets a sequence');
SELECT is_empty($$SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'cvm'::regnamespace AND c.relkind = 'S' AND c.relname <> 'validation_id_seq'
      AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege('cvm_test_anna', c.oid, 'USAGE') END$$, 'or uses one up');
SELECT is(outcome_as('bert', statement), expected, statement)
FROM (VALUES
    ($$INSERT INTO cvm.portfolio (portfolio, portfolio_id, output_schema, owns_schema, options) OVERRIDING SYSTEM VALUE VALUES ('b2', -1, 'cvm_bert', true, '{}')$$, '42501'),
    ($$UPDATE cvm.portfolio SET portfolio_id = -1$$, '428C9'),
    ($$UPDATE cvm.portfolio SET portfolio = 'anna2'$$, '42501'),
    ($$UPDATE cvm.portfolio SET created_by = 'cvm_test_anna'$$, '42501'),
    ($$INSERT INTO cvm.job (job_id, portfolio, every, starting, time_zone) OVERRIDING SYSTEM VALUE VALUES (99999999999, 'bert', '1 day', now(), 'UTC')$$, '42501'),
    ($$INSERT INTO cvm.job (portfolio, every, starting, time_zone, home, run_as) VALUES ('bert', '1 day', now(), 'UTC', 'elsewhere', 'cvm_test_boss')$$, '42501'),
    ($$UPDATE cvm.job SET home = 'elsewhere', run_as = 'cvm_test_boss'$$, '42501'),
    ($$UPDATE cvm.job SET open_run_id = 1$$, '42501'),
    ($$UPDATE cvm.job SET attempt = -5$$, '42501'),
    ($$UPDATE cvm.job SET run_as = 'cvm_test_boss'$$, '42501'),
    ($$UPDATE cvm.job SET run_as = 'cvm_test_anna'$$, '42501'),
    ($$UPDATE cvm.job SET every = '0 s'$$, '23514'),
    ($$INSERT INTO cvm.job (portfolio, every, starting, time_zone) VALUES ('bert', '1 month -1 day', now(), 'UTC')$$, '23514'),
    ($$INSERT INTO cvm.job (portfolio, every, starting, time_zone) VALUES ('anna', '1 day', now(), 'UTC')$$, '42501'),
    ($$INSERT INTO cvm.run (run_id, portfolio) OVERRIDING SYSTEM VALUE VALUES (1000000, 'bert')$$, '42501'),
    ($$INSERT INTO cvm.run (portfolio, job_id) VALUES ('bert', 1)$$, '42501'),
    ($$UPDATE cvm.run SET job_id = 1$$, '42501'),
    ($$UPDATE cvm.run SET run_id = run_id + 1000$$, '428C9'),
    ($$UPDATE cvm.run SET portfolio = 'anna'$$, '42501'),
    ($$UPDATE cvm.fitted_model SET model_id = model_id + 1000$$, '428C9'),
    ($$UPDATE cvm.fitted_model SET specification = '{}'$$, '42501'),
    ($$UPDATE cvm.run_error SET portfolio = 'anna'$$, '42501'),
    ($$INSERT INTO cvm.run_error (run_id, portfolio, message) VALUES (1, 'anna', 'forged')$$, '42501'),
    ($$INSERT INTO cvm.drift_measure SELECT * FROM cvm.drift_measure$$, '0'),
    ($$DELETE FROM cvm.run WHERE portfolio = 'anna'$$, '0'),
    ($$DELETE FROM cvm.portfolio WHERE portfolio = 'anna'$$, '0'),
    ($$DELETE FROM cvm.job WHERE portfolio = 'anna'$$, '0'),
    ($$SELECT * FROM cvm.run_error$$, '0')
) AS s(statement, expected);
SELECT is(outcome_as('bert', 'SELECT nextval(''cvm.job_id_seq'')'), '42501', 'numbers of jobs are not to be used up');
SELECT is(outcome_as('bert', $$UPDATE cvm.job SET next_due = now(), enabled = false, max_runtime = '1 hour'$$), '1', 'what an owner decides it may write');
SELECT is(outcome_as('bert', $$UPDATE cvm.job SET next_due = NULL$$), '1', 'a due time that is written NULL');
SELECT is(next_due, starting, 'is worked out') FROM cvm.job WHERE portfolio = 'bert';

-- a row with another's number is one's own row
SELECT is(outcome_as('bert', format($$INSERT INTO cvm.run_error (run_id, portfolio, message) VALUES (%s, 'bert', 'forged')$$, :annas_run)), '1', 'bert writes an error under the number of anna''s run');
SELECT is((SELECT count(*) FROM cvm.job_runs WHERE message = 'forged'), 0::bigint, 'a superuser does not see it beside anna''s run');
SELECT is(outcome_as('bert', format($$INSERT INTO cvm.run_error (run_id, portfolio, message) SELECT r, 'bert', 'forged' FROM generate_series(%s + 1, %s + 20) r$$, :annas_run, :annas_run)), '20', 'or of her next ones');
SELECT is(outcome_as('bert', format($$INSERT INTO cvm.model_input (model_id, input, portfolio, edges, counts) SELECT m, 'age', 'bert', '{1}', '{1,1}' FROM generate_series(%s - 1, %s + 20) m ON CONFLICT DO NOTHING$$, :annas_model, :annas_model)) ~ '^[12]\d$', true, 'or inputs of her models');
SELECT is(outcome_as('bert', format($$INSERT INTO cvm.drift_measure (run_id, input, portfolio, as_of, model_id, threshold, exceeded) SELECT r, 'age', 'bert', now(), 1, 0, true FROM generate_series(%s + 1, %s + 20) r$$, :annas_run, :annas_run)), '20', 'or drift of her next runs');
SELECT is(outcome_as('bert', format($$INSERT INTO cvm.validation (validation_id, position, portfolio, kind, name, was_live, calibrated_to, as_of, holdout_periods, customers, extension_version)
    SELECT v, 1, 'bert', 'baseline', 'forged', false, now(), now(), 1, 1, '' FROM generate_series(%s + 2, %s + 21) v$$, :annas_validation, :annas_validation)), '20', 'or her next validations');
SELECT is(outcome_as('anna', $$CALL cvm.recompute('anna', '2025-09-02 00:00+00')$$), '0', 'anna recomputes as ever');
SELECT is(status, 'succeeded', 'her run has succeeded') FROM cvm.job_runs WHERE portfolio = 'anna' ORDER BY run_id DESC LIMIT 1;
SELECT is(outcome_as('anna', $$CALL cvm.validate('anna', '60 days', '2025-09-01 00:00+00')$$), '0', 'she validates');
SELECT is((SELECT count(*) FROM cvm.validation_deciles WHERE name = 'forged'), 0::bigint, 'nothing of it is in her validations');
SELECT is((SELECT count(*) FROM cvm.drift WHERE portfolio = 'anna' AND threshold = 0), 0::bigint, 'nothing of it is in her drift');

-- jobs run as the owner or a member of it, and as no superuser where the owner is none: also when a superuser writes
SELECT throws_matching(format('UPDATE cvm.job SET run_as = ''cvm_test_boss'' WHERE job_id = %s', :annas_job), 'may not run as the superuser "cvm_test_boss"', 'a superuser is told so');
UPDATE cvm.job SET home = 'elsewhere' WHERE job_id = :annas_job;
SELECT is(outcome_as('anna', 'UPDATE cvm.job SET run_as = ''cvm_test_boss'''), '42501', 'run_as of a paused job is checked as well');
ALTER TABLE cvm.job DISABLE TRIGGER check_job;
UPDATE cvm.job SET run_as = 'cvm_test_boss' WHERE job_id = :annas_job;
UPDATE cvm.job SET home = 'elsewhere' WHERE portfolio = 'bert';
ALTER TABLE cvm.job ENABLE TRIGGER check_job;
SELECT is(cvm.resume_jobs(), 1::bigint, 'a superuser resumes the jobs that may run');
SELECT is(array_agg(portfolio || ' ' || state ORDER BY portfolio), '{anna paused,bert disabled}', 'a forged one stays paused') FROM cvm.jobs;
SELECT is(outcome_as('anna', 'SELECT cvm.alter_job(job_id, run_as => ''cvm_test_anna'') FROM cvm.jobs'), '1', 'its owner names another role');
SELECT is(outcome_as('anna', 'SELECT cvm.resume_jobs()'), '1', 'and resumes it herself');
SELECT is(state, 'waiting', 'then it waits for its slot') FROM cvm.jobs WHERE portfolio = 'anna';

-- the catalogue of a dump: loaded in any order, deleted together
SELECT is_empty($$SELECT conrelid::regclass, conname FROM pg_constraint WHERE contype = 'f' AND connamespace = 'cvm'::regnamespace$$, 'no foreign key keeps pg_restore -j from loading tables side by side');
SELECT outcome_as('anna', 'SELECT cvm.drop_portfolio(''anna'')') \g /dev/null
SELECT outcome_as('bert', 'DELETE FROM cvm.portfolio') \g /dev/null
SELECT is_empty(format('SELECT portfolio FROM cvm.%I', relname), 'nothing is left in cvm.' || relname)
FROM pg_class c WHERE relnamespace = 'cvm'::regnamespace AND relkind = 'r' AND relname IN ('run', 'run_error', 'job', 'promotion', 'model_input', 'validation_decile') ORDER BY relname;
SELECT is((SELECT count(*) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'portfolio'
           WHERE relnamespace = 'cvm'::regnamespace AND relkind = 'r' AND relname <> 'portfolio'
             AND pg_get_functiondef('cvm.delete_portfolio'::regproc) ~ format('DELETE FROM cvm\.%s ', relname)),
          (SELECT count(*) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'portfolio'
           WHERE relnamespace = 'cvm'::regnamespace AND relkind = 'r' AND relname <> 'portfolio'), 'every table with a portfolio is deleted from');
SELECT * FROM finish();
ROLLBACK;
