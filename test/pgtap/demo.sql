-- What a newcomer meets: every sql block of the README runs as printed on the demo's shop, in the order of the page, and the
-- numbers at its top are those of the demo, on whatever day.
\set ON_ERROR_STOP on
\set readme `cat README.md`
\set blocks `mktemp`
\setenv BLOCKS :blocks
\! awk '/^```sql$/ {inside = 1; next} /^```/ {inside = 0} inside' README.md >"$BLOCKS"
SET client_min_messages = warning;
SET timezone = 'UTC';
BEGIN;
SELECT plan(7);
\i demo/shop.sql
SELECT ok(count(*) > 8, format('the README has statements: %s', count(*))) FROM regexp_matches(:'readme', '^(SELECT|CALL|WITH|INSERT|CREATE)\M', 'gn');

-- the first line of the first block is CREATE EXTENSION
DROP EXTENSION cvm;
\o /dev/null
\i :blocks
\o
\! rm -f "$BLOCKS"
SELECT pass('every block runs as printed');
SELECT cmp_ok(count(*), '>', 0::bigint, 'the rule of the example finds customers') FROM cvm_shop.customer_value WHERE segment = 'Win back';
SELECT is_empty($$SELECT finding FROM cvm.check('shop') WHERE level = 'error'$$, 'and cvm.check no error');

-- the portfolio of demo/run
SELECT cvm.drop_portfolio('shop') AS dropped \gset
SELECT cvm.create_portfolio('shop', 'public.orders', customer => 'customer_id', at => 'ordered_at', amount => 'total',
                            options => pg_catalog.jsonb_build_object('time_zone', time_zone)) AS created FROM demo.source \gset
CALL cvm.recompute('shop');

-- The cells of a query's rows, and those that the README prints below it.
CREATE FUNCTION pg_temp.cells(query text) RETURNS SETOF text[] LANGUAGE plpgsql AS $$
BEGIN RETURN QUERY EXECUTE format('SELECT ARRAY(SELECT value FROM json_each_text(row_to_json(q))) FROM (%s) AS q', query); END $$;
CREATE TEMP TABLE printed AS
SELECT part[1] AS query,
       ARRAY(SELECT regexp_replace(btrim(line), '\s*\|\s*', '|', 'g') FROM regexp_split_to_table(part[2], '\n') WITH ORDINALITY AS l(line, number)
             WHERE line ~ '\|' ORDER BY number) AS rows
FROM regexp_matches(:'readme', '^=# (SELECT[^;]+);[^\n]*\n\n[^\n]*\n-[-+]+\n((?: [^\n]*\n)+)', 'gw') AS part;
SELECT is(count(*), 2::bigint, 'the README shows two queries') FROM printed;
SELECT is(ARRAY(SELECT array_to_string(cells, '|') FROM pg_temp.cells(query) AS cells), rows, 'it prints what the demo has: ' || left(query, 40)) FROM printed;
SELECT * FROM finish();
ROLLBACK;
