-- rfm: cells and tie-safe scores
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA rfm_test;
SET search_path = rfm_test, public, cvm;

-- what a statement raises, as one line
CREATE FUNCTION error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text;
BEGIN
    EXECUTE statement;
    RETURN 'no error';
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RETURN state || ' ' || message || coalesce(nullif(' | ' || detail, ' | '), '');
END $$;

-- all 125 cells: text, accessors, binary form, order as rows, hashes
CREATE TABLE cell AS SELECT r, f, m, cvm.rfm(r, f, m) AS cell FROM generate_series(1, 5) r, generate_series(1, 5) f, generate_series(1, 5) m;
SELECT count(*) AS cells, count(DISTINCT cell) AS distinct_cells,
       count(*) FILTER (WHERE cell::text <> concat_ws('-', r, f, m)) AS text_differs, count(*) FILTER (WHERE cell::text::cvm.rfm <> cell) AS do_not_come_back,
       count(*) FILTER (WHERE (cvm.recency_score(cell), cvm.frequency_score(cell), cvm.monetary_score(cell)) <> (r, f, m)) AS scores_differ FROM cell;
SELECT count(*) AS pairs,
       count(*) FILTER (WHERE (a.cell < b.cell) <> ((a.r, a.f, a.m) < (b.r, b.f, b.m)) OR (a.cell <= b.cell) <> ((a.r, a.f, a.m) <= (b.r, b.f, b.m))
                          OR (a.cell > b.cell) <> ((a.r, a.f, a.m) > (b.r, b.f, b.m)) OR (a.cell >= b.cell) <> ((a.r, a.f, a.m) >= (b.r, b.f, b.m))
                          OR (a.cell = b.cell) <> ((a.r, a.f, a.m) = (b.r, b.f, b.m)) OR (a.cell <> b.cell) <> ((a.r, a.f, a.m) <> (b.r, b.f, b.m))
                          OR cvm.rfm_cmp(a.cell, b.cell) <> sign(100 * (a.r - b.r) + 10 * (a.f - b.f) + (a.m - b.m))) AS order_differs,
       count(*) FILTER (WHERE (a.cell = b.cell) <> (cvm.rfm_hash(a.cell) = cvm.rfm_hash(b.cell)) OR (a.cell = b.cell) <> (cvm.rfm_hash_extended(a.cell, 3) = cvm.rfm_hash_extended(b.cell, 3))) AS hash_differs
FROM cell a, cell b;
SELECT current_setting('data_directory') || '/rfm_test.bin' AS file \gset
COPY (SELECT cell FROM cell) TO :'file' (FORMAT binary);
CREATE TABLE copy (cell cvm.rfm);
COPY copy FROM :'file' (FORMAT binary);
SELECT count(*) AS come_back FROM cell JOIN copy USING (cell);
CREATE INDEX ON copy USING btree (cell);
CREATE INDEX ON copy USING hash (cell);

CREATE FUNCTION receive(bytes bytea, file text) RETURNS text LANGUAGE plpgsql SET client_min_messages = error AS $$
DECLARE
    large oid := lo_from_bytea(0, '\x5047434f50590aff0d0a00' || int4send(0) || int4send(0) || int2send(1::int2)
                                  || int4send(length(bytes)) || bytes || int2send((-1)::int2));
BEGIN
    PERFORM lo_export(large, file), lo_unlink(large);
    RETURN error_of(format('COPY copy FROM %L (FORMAT binary)', file));
END $$;
SELECT bytes, receive(bytes, :'file') AS result FROM unnest('{"\\x01050403", "\\x", "\\x010504", "\\x0105040302", "\\x02050403", "\\x01000403", "\\x01050603", "\\x010504ff"}'::bytea[]) bytes;

SELECT text, error_of(format('SELECT %L::cvm.rfm', text)) AS result
FROM unnest('{5-4-3, "", 543, 5-4, 5-4-, 5-4-3-2, "5-4-3 ", " 5-4-3", 0-4-3, 6-4-3, 5-0-3, 5-4-9, a-b-c, 5/4/3, -1-4-3, "5-4-3x"}'::text[]) text;
SELECT error_of('SELECT cvm.rfm(' || scores || ')') AS result, scores FROM unnest('{"0, 1, 1", "1, 6, 1", "1, 1, -1", "2147483647, 1, 1", "257, 1, 1"}'::text[]) scores;
SELECT cvm.rfm(NULL, 1, 1) AS null_in;

-- scores: floor(5 (rank - 1) / n) + 1, equal for equal values
SELECT array_agg(cvm.rfm_score(rank, n) ORDER BY place) AS scores FROM (
    SELECT place, rank() OVER (ORDER BY v), count(*) OVER () AS n FROM unnest('{1, 1, 1, 2, 2, 3, 5, 8, 8, 13}'::int[]) WITH ORDINALITY u(v, place)) r;
SELECT count(*) AS ranks, count(*) FILTER (WHERE cvm.rfm_score(rank, n, bins) <> floor(bins::numeric * (rank - 1) / n) + 1) AS differ
FROM generate_series(1, 60) n, LATERAL generate_series(1, n) rank, generate_series(1, 12) bins;
SELECT cvm.rfm_score(9223372036854775807, 9223372036854775807, 2147483647) AS last, cvm.rfm_score(1, 9223372036854775807) AS first, cvm.rfm_score(1, 1) AS alone;
SELECT error_of('SELECT cvm.rfm_score(' || arguments || ')') AS result, arguments FROM unnest('{"0, 10", "11, 10", "1, 0", "1, 1, 0", "-1, -1", "1, 1, -5"}'::text[]) arguments;

COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; rm -f rfm_test.bin';
DROP SCHEMA rfm_test CASCADE;
