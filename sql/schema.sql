-- complain if the script is sourced in psql rather than through CREATE EXTENSION
\echo Use "CREATE EXTENSION cvm" to load this file. \quit

-- A schema that was there before must be as good as new: whoever owns it, may create in it, or has put something
-- into it, could have functions and operators beside ours.  Another superuser's comes with a restored dump.
DO $$
DECLARE
    present record;
BEGIN
    SELECT n.oid, r.rolname AS owner, r.rolsuper,
           EXISTS (SELECT FROM pg_catalog.aclexplode(n.nspacl) AS a
                   WHERE a.grantee OPERATOR(pg_catalog.<>) n.nspowner AND a.privilege_type OPERATOR(pg_catalog.=) 'CREATE') AS shared
    INTO STRICT present
    FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) n.nspowner
    WHERE n.nspname OPERATOR(pg_catalog.=) 'cvm';
    IF NOT present.rolsuper THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'schema "cvm" belongs to another role',
            DETAIL = pg_catalog.format('Its owner "%s" is no superuser.', present.owner),
            HINT = 'Drop it, after looking at what is in it: CREATE EXTENSION makes it.';
    END IF;
    IF present.shared THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'other roles than its owner may create objects in schema "cvm"',
            HINT = 'Drop it, or REVOKE CREATE ON SCHEMA cvm FROM them.';
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_depend d
               WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
                 AND d.refobjid OPERATOR(pg_catalog.=) present.oid AND d.classid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_extension'::pg_catalog.regclass) THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_schema',
            MESSAGE = 'schema "cvm" is not empty',
            DETAIL = (SELECT pg_catalog.format('It has %s.', pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)) FROM pg_catalog.pg_depend d
                      WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
                        AND d.refobjid OPERATOR(pg_catalog.=) present.oid AND d.classid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_extension'::pg_catalog.regclass
                      ORDER BY d.classid, d.objid LIMIT 1),
            HINT = 'Drop it, after looking at what is in it: CREATE EXTENSION makes it.';
    END IF;
END $$;

COMMENT ON SCHEMA cvm IS 'customer value management: types, models, portfolios and recompute jobs';
GRANT USAGE ON SCHEMA cvm TO PUBLIC;
