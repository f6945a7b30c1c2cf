-- What the extension consists of: everything is commented, the types' functions are what planners may rely on, and
-- nothing depends on the caller's search_path.
BEGIN;
SELECT plan(39);

CREATE TEMP VIEW member AS
SELECT classid, objid, pg_describe_object(classid, objid, 0) AS object
FROM pg_depend WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'cvm');
CREATE TEMP VIEW function AS
SELECT p.*, p.oid::regprocedure::text AS signature FROM pg_proc p JOIN member ON objid = p.oid AND classid = 'pg_proc'::regclass;
CREATE TEMP VIEW relation AS
SELECT c.* FROM pg_class c JOIN member ON objid = c.oid AND classid = 'pg_class'::regclass;

-- comments
SELECT cmp_ok(count(*), '>', 150::bigint, 'the extension has members') FROM member;
SELECT is_empty($$SELECT object FROM member WHERE classid <> 'pg_extension'::regclass
    AND NOT EXISTS (SELECT FROM pg_description d WHERE d.objoid = objid AND d.classoid = classid AND objsubid = 0 AND description ~ '\w')$$,
    'every object has a comment');
SELECT is_empty($$SELECT relname, attname FROM relation JOIN pg_attribute ON attrelid = relation.oid
    WHERE relkind IN ('r', 'v', 'm', 'p') AND attnum > 0 AND NOT attisdropped AND coalesce(col_description(attrelid, attnum), '') !~ '\w'$$,
    'every column of a table or view has a comment');
SELECT isnt(obj_description('cvm'::regnamespace), NULL, 'the schema has a comment');
SELECT isnt(obj_description(oid, 'pg_extension'), NULL, 'the extension has a comment') FROM pg_extension WHERE extname = 'cvm';

-- functions
SELECT is_empty('SELECT signature FROM function WHERE prosecdef', 'no function runs with its owner''s rights');
-- (but one that is called once an event and qualifies all its names: setting a path takes longer than its work)
SELECT is_empty($$SELECT signature FROM function JOIN pg_language l ON l.oid = prolang
    WHERE proname <> 'journey_step' AND lanname IN ('sql', 'plpgsql') AND prosqlbody IS NULL AND prokind <> 'p'
      AND NOT EXISTS (SELECT FROM unnest(proconfig) setting WHERE setting LIKE 'search_path=%')$$,
    'no function in SQL or PL/pgSQL looks names up in the caller''s search_path');
CREATE TEMP VIEW type_function AS
SELECT * FROM function
WHERE ARRAY['cvm.purchase_history', 'cvm.model', 'cvm.covariate_model', 'cvm.rfm', 'cvm.survival_curve']::regtype[]::oid[] && (proargtypes::oid[] || prorettype)
   OR proname ~ '^(purchase_history|model|rfm|survival_curve|fit)_';
SELECT cmp_ok(count(*), '>', 100::bigint, 'the types have functions') FROM type_function;
SELECT is_empty($$SELECT signature FROM type_function WHERE provolatile <> 'i'$$, 'functions of the types are immutable');
SELECT is_empty($$SELECT signature FROM type_function WHERE proparallel <> 's'$$, 'functions of the types are parallel safe');
-- (a customer without a history is a prospect)
SELECT is_empty($$SELECT signature FROM type_function WHERE prokind = 'f' AND NOT proisstrict AND NOT 'internal'::regtype = ANY (proargtypes)
    AND proname <> 'lifecycle_stage'$$,
    'functions of the types answer NULL for NULL');
-- (but those whose state is what has been tabulated of one model, which is dear to make twice)
SELECT is_empty($$SELECT signature FROM type_function JOIN pg_aggregate ON aggfnoid = type_function.oid
    WHERE (aggcombinefn = 0 OR aggserialfn = 0 OR aggdeserialfn = 0) AND proname NOT IN ('sum_interval', 'discounted_spend')$$, 'aggregates combine and travel between workers');
SELECT is_empty($$SELECT signature FROM function WHERE provolatile <> 'i' AND coalesce(obj_description(oid, 'pg_proc'), '') = ''$$, 'functions that are not immutable say what they do');

-- types
SELECT has_type('cvm', name, name || ' exists') FROM unnest('{purchase_history,model,rfm,survival_curve}'::name[]) name;
SELECT ok(typreceive <> 0 AND typsend <> 0, typname || ' has a binary form') FROM pg_type WHERE oid IN ('cvm.purchase_history'::regtype, 'cvm.model'::regtype, 'cvm.rfm'::regtype, 'cvm.survival_curve'::regtype) ORDER BY typname;
SELECT is((SELECT count(*) FROM pg_opclass WHERE opcintype = t AND opcdefault AND opcmethod IN (SELECT oid FROM pg_am WHERE amname IN ('btree', 'hash'))), 2::bigint, t || ' sorts and hashes')
FROM unnest('{cvm.purchase_history,cvm.model,cvm.rfm}'::regtype[]) t;
SELECT is((SELECT typlen FROM pg_type WHERE oid = 'cvm.purchase_history'::regtype), 88::smallint, 'a history is 88 bytes');

-- what people's queries rely on
SELECT is_empty($$SELECT format('purchase_history(%s, %s%s)', at, amount, rest)
    FROM unnest('{timestamptz,timestamp,date}'::text[]) at, unnest('{numeric,float8,bigint}'::text[]) amount, unnest('{"",", interval",", interval, text"}'::text[]) rest
    WHERE to_regprocedure(format('cvm.purchase_history(%s, %s%s)', at, amount, rest)) IS NULL$$, 'purchase_history takes every time and amount, with and without period and zone');
SELECT is_empty($$SELECT name FROM unnest(ARRAY[
    'repeat_periods(cvm.purchase_history)', 'span(cvm.purchase_history)', 'span(cvm.purchase_history, interval)', 'age(cvm.purchase_history, timestamptz)', 'age(cvm.purchase_history, timestamptz, interval)',
    'orders(cvm.purchase_history)', 'mean_spend(cvm.purchase_history)', 'total_spend(cvm.purchase_history)', 'first_at(cvm.purchase_history)', 'last_at(cvm.purchase_history)',
    'parameters(cvm.model)', 'log_likelihood(cvm.model)', 'standard_errors(cvm.model)', 'customers(cvm.model)', 'recency_score(cvm.rfm)', 'frequency_score(cvm.rfm)', 'monetary_score(cvm.rfm)']) name
    WHERE to_regprocedure('cvm.' || name) IS NULL$$, 'accessors');
SELECT is_empty($$SELECT name FROM unnest(ARRAY[
    'fit(text, cvm.purchase_history, timestamptz)', 'fit(text, cvm.purchase_history, timestamptz, interval)', 'fit(text, float8, float8, float8)', 'fit(text, float8, float8, float8, float8)', 'fit(text, float8, float8, float8, float8, float8)',
    'fit_spend(cvm.purchase_history)', 'fit_spend(float8, float8)', 'fit_retention(text, integer, boolean)', 'fit_retention(text, integer, boolean, float8)', 'survival_curve(float8, boolean)']) name
    WHERE NOT EXISTS (SELECT FROM pg_aggregate WHERE aggfnoid = to_regprocedure('cvm.' || name))$$, 'aggregates that fit');
SELECT is_empty($$SELECT name FROM unnest(ARRAY[
    'p_alive(cvm.model, float8, float8, float8)', 'p_alive(cvm.model, cvm.purchase_history, timestamptz)',
    'expected_purchases(cvm.model, float8, float8, float8, float8)', 'expected_purchases(cvm.model, cvm.purchase_history, timestamptz, interval)', 'expected_purchases(cvm.model, float8)',
    'discounted_purchases(cvm.model, float8, float8, float8, float8)', 'discounted_purchases(cvm.model, float8, float8, float8, float8, float8)',
    'discounted_purchases(cvm.model, cvm.purchase_history, timestamptz, float8)', 'discounted_purchases(cvm.model, cvm.purchase_history, timestamptz, float8, interval)',
    'log_likelihood(cvm.model, float8, float8, float8)', 'log_likelihood(cvm.model, float8, float8, float8, float8)', 'log_likelihood(cvm.model, cvm.purchase_history, timestamptz)',
    'p_alive_at_last(cvm.model, float8, float8, float8)', 'p_alive_at_last(cvm.model, cvm.purchase_history, timestamptz)',
    'purchase_probability(cvm.model, float8, float8, float8, float8, integer)', 'purchase_probability(cvm.model, cvm.purchase_history, timestamptz, interval, integer)',
    'p_no_purchase(cvm.model, float8, float8, float8, float8)', 'p_no_purchase(cvm.model, cvm.purchase_history, timestamptz, interval)',
    'next_purchase(cvm.model, float8, float8, float8)', 'next_purchase(cvm.model, cvm.purchase_history, timestamptz)',
    'next_purchase_window(cvm.model, float8, float8, float8, float8)', 'next_purchase_window(cvm.model, cvm.purchase_history, timestamptz, float8)',
    'simulate(cvm.model, integer, float8, bigint, float8)',
    'expected_spend(cvm.model, float8, float8)', 'expected_spend(cvm.model, cvm.purchase_history)',
    'survival(cvm.model, float8)', 'residual_lifetime(cvm.model, float8, float8)', 'survival(cvm.survival_curve, float8)', 'median(cvm.survival_curve)', 'restricted_mean(cvm.survival_curve, float8)']) name
    WHERE to_regprocedure('cvm.' || name) IS NULL$$, 'scalar functions');
SELECT ok(to_regoperator('cvm.+ (cvm.purchase_history, cvm.purchase_history)') IS NOT NULL, 'histories merge');

-- nobody but a superuser needs anything but USAGE for the types
SELECT ok(has_schema_privilege('public', 'cvm', 'USAGE'), 'everybody may use the schema');
SELECT is_empty($$SELECT signature FROM type_function WHERE NOT has_function_privilege('public', oid, 'EXECUTE')$$, 'everybody may call the functions of the types');
SELECT ok(has_table_privilege('public', 'cvm.families', 'SELECT'), 'everybody may read the families');

-- relations
SELECT is_empty($$SELECT relname FROM relation WHERE relkind = 'v' AND NOT coalesce(reloptions, '{}') && '{security_invoker=true,security_invoker=on}'$$,
    'views show what the one who asks may see');
SELECT is_empty($$SELECT relname, attname FROM relation JOIN pg_attribute ON attrelid = relation.oid WHERE relkind = 'r' AND attnum > 0
    AND atttypid IN ('regclass'::regtype, 'regrole'::regtype, 'regproc'::regtype, 'regprocedure'::regtype, 'regtype'::regtype, 'regnamespace'::regtype)$$,
    'no table holds an OID that a restore could not resolve');
SELECT is_empty($$SELECT relname FROM relation WHERE relkind = 'r' AND NOT relrowsecurity$$, 'tables are row-secured');

-- every callable thing is in the extension's schema
SELECT is_empty($$SELECT signature FROM function WHERE pronamespace <> 'cvm'::regnamespace$$, 'functions live in schema cvm');
SELECT is_empty($$SELECT relname FROM relation WHERE relnamespace <> 'cvm'::regnamespace$$, 'relations live in schema cvm');
SELECT is_empty($$SELECT family FROM cvm.families WHERE citation !~ '[12][0-9]{3}' OR parameters = '{}'$$, 'families say where they are from');
SELECT * FROM finish();
ROLLBACK;
