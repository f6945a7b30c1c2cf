-- complain if the script is sourced in psql rather than through CREATE EXTENSION
\echo Use "CREATE EXTENSION cvm" to load this file. \quit

COMMENT ON SCHEMA cvm IS 'customer value management: types, models, portfolios and recompute jobs';
GRANT USAGE ON SCHEMA cvm TO PUBLIC;

-- a schema that another role made before would let it put functions beside ours
DO $$
BEGIN
    IF (SELECT n.nspowner <> current_user::pg_catalog.regrole::oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'cvm') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'schema "cvm" belongs to another role',
            HINT = 'Drop it, or make it your own with ALTER SCHEMA cvm OWNER TO CURRENT_USER, after looking at what is in it.';
    END IF;
END $$;

