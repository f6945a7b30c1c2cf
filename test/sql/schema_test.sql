-- CREATE EXTENSION takes a schema cvm that was there before only if nobody else has had a hand in it
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE ROLE regress_schema_other;
BEGIN;
DROP EXTENSION cvm CASCADE;
DROP SCHEMA cvm;
CREATE FUNCTION pg_temp.try() RETURNS TABLE (sqlstate text, message text, detail text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    s text; m text; d text;
BEGIN
    BEGIN
        CREATE EXTENSION cvm;
        s := 'created';
        RAISE EXCEPTION SQLSTATE 'UNDO1';
    EXCEPTION
        WHEN SQLSTATE 'UNDO1' THEN NULL;
        WHEN OTHERS THEN GET STACKED DIAGNOSTICS s = RETURNED_SQLSTATE, m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL;
    END;
    RETURN QUERY SELECT s, m, d;
END $$;
SELECT * FROM pg_temp.try();
-- another role's
CREATE SCHEMA cvm AUTHORIZATION regress_schema_other;
SELECT * FROM pg_temp.try();
-- another superuser's comes from a dump
ALTER ROLE regress_schema_other SUPERUSER;
SELECT * FROM pg_temp.try();
-- with a function, a table, an operator or a type in it
CREATE FUNCTION cvm.purchase_history(text, text) RETURNS text LANGUAGE sql RETURN $1;
SELECT * FROM pg_temp.try();
DROP FUNCTION cvm.purchase_history;
CREATE TABLE cvm.portfolio (portfolio text);
SELECT * FROM pg_temp.try();
DROP TABLE cvm.portfolio;
CREATE OPERATOR cvm.= (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq);
SELECT * FROM pg_temp.try();
DROP OPERATOR cvm.= (text, text);
CREATE TYPE cvm.rfm AS ENUM ('1-1-1');
SELECT * FROM pg_temp.try();
DROP TYPE cvm.rfm;
-- one in which others may create
GRANT CREATE ON SCHEMA cvm TO pg_monitor;
SELECT * FROM pg_temp.try();
ROLLBACK;
-- what DROP EXTENSION leaves is fine
BEGIN;
DROP EXTENSION cvm CASCADE;
CREATE EXTENSION cvm;
SELECT count(*) FROM pg_extension WHERE extname = 'cvm';
ROLLBACK;
DROP ROLE regress_schema_other;
