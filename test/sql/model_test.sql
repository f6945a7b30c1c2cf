-- model: lossless forms, accessors, bad input
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA model_test;
SET search_path = model_test, public, cvm;

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

CREATE TABLE model (id int, text text, m cvm.model);
INSERT INTO model (id, text) VALUES
    (1, 'bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426)'),
    (2, 'bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426) unit=86400'),
    (3, 'gamma-gamma(p=6.25,q=3.74,gamma=15.44)'),
    (4, '  bg/nbd ( b = 2.426 , a=0.793, r=+.243, alpha =4414e-3 )  unit= 604800 '),
    (5, 'bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426) unit=604800 customers=2357 log_likelihood=-9582.429 rung=penalised covariance=[1,0.1,0.2,0.3,0.1,4,0.5,0.6,0.2,0.5,9,0.7,0.3,0.6,0.7,16]'),
    (6, 'gamma-gamma(p=6.25,q=3.74,gamma=15.44) customers=946.5 log_likelihood=-4055.9 rung=full'),
    (7, 'gamma-gamma(p=6.25,q=3.74,gamma=15.44) covariance=[0.25,0,0,0,0.04,0,0,0,1e-06]'),
    (8, 'bg/nbd(r=1e-300,alpha=1e300,a=4.9406564584124654e-324,b=1.7976931348623157e308) unit=1e-06'),
    (9, 'bg/nbd(r=0.1,alpha=0.30000000000000004,a=0.3333333333333333,b=123456789.12345679) unit=1.5'),
    (10, 'gamma-gamma(p=6.25,q=3.74,gamma=15.44) customers=0 log_likelihood=-0 rung=shrunk');
SET extra_float_digits = -15;
UPDATE model SET m = text::cvm.model;
SELECT id, m FROM model ORDER BY id;
SELECT count(*) AS models, count(*) FILTER (WHERE m::text::cvm.model <> m) AS differ FROM model;
RESET extra_float_digits;

-- accessors
SELECT id, cvm.family(m), cvm.parameters(m), cvm.unit(m), cvm.customers(m), cvm.log_likelihood(m), cvm.standard_errors(m), cvm.covariance(m) FROM model WHERE id NOT IN (8, 9) ORDER BY id;
SELECT id, name, value::text::float8, cvm.unit(m) FROM model, jsonb_each(cvm.parameters(m)) p(name, value) WHERE id IN (8, 9) ORDER BY 1, 2;

-- binary form
SELECT current_setting('data_directory') || '/model_test.bin' AS file \gset
COPY (SELECT id, m FROM model) TO :'file' (FORMAT binary);
CREATE TABLE copy (id int, m cvm.model);
COPY copy FROM :'file' (FORMAT binary);
SELECT count(*) AS same FROM model JOIN copy USING (id) WHERE model.m = copy.m AND model.m::text = copy.m::text;

CREATE TABLE received (m cvm.model);
CREATE FUNCTION receive(bytes bytea, file text) RETURNS text LANGUAGE plpgsql SET client_min_messages = error AS $$
DECLARE
    large oid := lo_from_bytea(0, '\x5047434f50590aff0d0a00' || int4send(0) || int4send(0) || int2send(1::int2)
                                  || int4send(length(bytes)) || bytes || int2send((-1)::int2));
BEGIN
    PERFORM lo_export(large, file), lo_unlink(large);
    RETURN error_of(format('COPY received FROM %L (FORMAT binary)', file));
END $$;
CREATE FUNCTION patch(b bytea, at int, bytes bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$ SELECT overlay(b PLACING bytes FROM at + 1) $$;
-- version (4), name and a zero (7), flags, rung, unit, customers, log-likelihood (8 each), parameters, covariance
CREATE TABLE sample AS SELECT cvm.model_send(m) AS b, cvm.model_send('bg/nbd(r=1,alpha=1,a=1,b=1)') AS bare, cvm.model_send('gamma-gamma(p=1,q=1,gamma=1)') AS spend FROM model WHERE id = 5;
SELECT what, receive(bytes, :'file') AS result FROM sample, LATERAL (VALUES
    ('unchanged', b), ('nothing', ''), ('truncated', substr(b, 1, 60)), ('longer', b || '\x00'), ('version', patch(b, 0, int4send(2))),
    ('family', patch(b, 4, 'xy/')), ('flags', patch(b, 11, '\x07')), ('no covariance', patch(b, 11, '\x01')), ('no fit', patch(b, 11, '\x02')),
    ('rung', patch(b, 12, '\x04')), ('unit 0', patch(b, 13, float8send(0))), ('unit NaN', patch(b, 13, float8send('NaN'))), ('unit', patch(b, 13, float8send(1e300))),
    ('customers', patch(b, 21, float8send(-1))), ('log_likelihood', patch(b, 29, float8send('-infinity'))),
    ('r NaN', patch(b, 37, float8send('NaN'))), ('alpha infinite', patch(b, 45, float8send('infinity'))), ('a zero', patch(b, 53, float8send(0))), ('b negative', patch(b, 61, float8send(-1))),
    ('variance', patch(b, 69, float8send(-1))), ('covariance', patch(b, 77, float8send('NaN'))),
    ('fit unknown, yet there', patch(bare, 21, float8send(1))), ('rung without fit', patch(bare, 12, '\x01')), ('spend with unit', patch(spend, 18, float8send(1)))) v(what, bytes);
SELECT count(*) FILTER (WHERE received.m = model.m) AS received, count(*) AS of FROM received, model WHERE id = 5;
-- no single bit of a model's binary form takes the server down, or comes back as something else
SELECT count(*) = max(8 * length(b)) AS all_refused_or_read FROM sample, generate_series(0, 8 * length(b) - 1) bit, LATERAL (SELECT receive(set_bit(b, bit, 1 - get_bit(b, bit)), :'file')) r(result)
WHERE result ~ '^(no error|22P03|22003|22023|22021|08P01)';
SELECT count(*) FILTER (WHERE m::text::cvm.model <> m) AS do_not_come_back FROM received;

-- bad text, one line per way to be wrong
SELECT error_of(format('SELECT %L::cvm.model', text)) AS result, left(text, 60) AS text FROM unnest(ARRAY[
    '', ' ', 'bg/nbd', '(', '()', 'bg/nbd(', 'bg/nbd()', 'BG/NBD(r=1,alpha=1,a=1,b=1)', 'pareto(r=1)', 'bg/nbd r=1,alpha=1,a=1,b=1',
    'bg/nbd(r=1,alpha=1,a=1)', 'bg/nbd(r=1,alpha=1,a=1,b=1', 'bg/nbd(r=1,alpha=1,a=1,b=1,c=1)', 'bg/nbd(r=1,alpha=1,a=1,c=1)', 'bg/nbd(r=1,alpha=1,a=1,a=1)',
    'bg/nbd(r=1,alpha=1,a=1 b=1)', 'bg/nbd(r 1,alpha=1,a=1,b=1)', 'bg/nbd(r=,alpha=1,a=1,b=1)', 'bg/nbd(r=x,alpha=1,a=1,b=1)', 'bg/nbd(r=1x,alpha=1,a=1,b=1)',
    'bg/nbd(r=0,alpha=1,a=1,b=1)', 'bg/nbd(r=1,alpha=-1,a=1,b=1)', 'bg/nbd(r=1,alpha=1,a=nan,b=1)', 'bg/nbd(r=1,alpha=1,a=1,b=inf)', 'bg/nbd(r=1e400,alpha=1,a=1,b=1)', 'bg/nbd(r=1e-400,alpha=1,a=1,b=1)',
    'gamma-gamma(p=0,q=1,gamma=1)', 'gamma-gamma(p=1,q=1,gamma=1) unit=1',
    'bg/cnbd-k(k=13,r=1,alpha=1,a=1,b=2)', 'mbg/cnbd-k(k=1000,r=1,alpha=1,a=1,b=2)', 'bg/cnbd-k(k=2.5,r=1,alpha=1,a=1,b=2)', 'mbg/cnbd-k(k=0.5,r=1,alpha=1,a=1,b=2)', 'bg/cnbd-k(k=0,r=1,alpha=1,a=1,b=2)',
    'bg/nbd(r=1,alpha=1,a=1,b=1) unit=', 'bg/nbd(r=1,alpha=1,a=1,b=1) unit=0', 'bg/nbd(r=1,alpha=1,a=1,b=1) unit=-1', 'bg/nbd(r=1,alpha=1,a=1,b=1) unit=inf', 'bg/nbd(r=1,alpha=1,a=1,b=1) unit=nan', 'bg/nbd(r=1,alpha=1,a=1,b=1) unit=1e300', 'bg/nbd(r=1,alpha=1,a=1,b=1) unit=1e-9',
    'bg/nbd(r=1,alpha=1,a=1,b=1) rubbish', 'bg/nbd(r=1,alpha=1,a=1,b=1) unit=1 unit=1', 'bg/nbd(r=1,alpha=1,a=1,b=1) customers=1 unit=1',
    'bg/nbd(r=1,alpha=1,a=1,b=1) customers=1', 'bg/nbd(r=1,alpha=1,a=1,b=1) customers=1 log_likelihood=-1', 'bg/nbd(r=1,alpha=1,a=1,b=1) customers=1 log_likelihood=-1 rung=best',
    'bg/nbd(r=1,alpha=1,a=1,b=1) customers=-1 log_likelihood=-1 rung=full', 'bg/nbd(r=1,alpha=1,a=1,b=1) customers=1 log_likelihood=nan rung=full', 'bg/nbd(r=1,alpha=1,a=1,b=1) customers=inf log_likelihood=1 rung=full',
    'gamma-gamma(p=1,q=1,gamma=1) covariance=', 'gamma-gamma(p=1,q=1,gamma=1) covariance=[1,0,0,0,1,0,0,0]', 'gamma-gamma(p=1,q=1,gamma=1) covariance=[1,0,0,0,1,0,0,0,1,1]', 'gamma-gamma(p=1,q=1,gamma=1) covariance=[1,0,0,0,-1,0,0,0,1]', 'gamma-gamma(p=1,q=1,gamma=1) covariance=[1,0,nan,0,1,0,0,0,1]']) text;
SELECT error_of(format('SELECT %L::cvm.model', repeat('x', 1000000))) ~ '^22P02' AS long_text,
       error_of(format('SELECT %L::cvm.model', repeat('x', 1000000) || '(')) ~ '^22023' AS long_family,
       error_of(format('SELECT %L::cvm.model', 'bg/nbd(' || repeat('r=1,', 100000))) ~ '^22P02' AS long_list,
       error_of(format('SELECT %L::cvm.model', 'bg/nbd(r=' || repeat('9', 1000000) || ',alpha=1,a=1,b=1)')) ~ '^22003' AS long_number;

-- nor is any parameter of any family out of its domain: k, which sizes an array, least of all
SELECT family, parameter, string_agg(value, ' ') FILTER (WHERE r !~ '^22003') AS accepted
FROM cvm.families, unnest(parameters) parameter, unnest(ARRAY['0', '-1', 'NaN', 'inf']) value,
     LATERAL (SELECT error_of(format('SELECT %L::cvm.model', family || '(' || (SELECT string_agg(p || '=' || CASE p WHEN parameter THEN value ELSE '1' END, ',') FROM unnest(parameters) p) || ')'))) e(r)
GROUP BY 1, 2 HAVING count(*) FILTER (WHERE r !~ '^22003') > 0;
-- another k in the binary form: after the name and its zero come flags and rung (1 each), 3 floats, then k
SELECT k, receive(patch(b, position('\x00'::bytea in substr(b, 5)) + 4 + 2 + 24, float8send(k)), :'file') AS result
FROM (SELECT cvm.model_send('bg/cnbd-k(k=1,r=1,alpha=1,a=1,b=2)') AS b) k_is_1, unnest(ARRAY[1, 12, 13, 1000, 2.5]) k;

-- order, hashing, indexes, storage
SELECT count(DISTINCT m) AS distinct_sorts, (SELECT count(*) FROM (SELECT m FROM model UNION SELECT m FROM copy) d) AS union_hashes FROM model;
CREATE INDEX ON copy USING btree (m);
CREATE INDEX ON copy USING hash (m);
SELECT count(*) FILTER (WHERE NOT (a.m < b.m OR a.m = b.m OR a.m > b.m) OR (a.m < b.m) <> (b.m > a.m) OR (a.m <= b.m) <> (b.m >= a.m) OR (a.m = b.m) = (a.m <> b.m)
                          OR (a.m < b.m) <> (cvm.model_cmp(a.m, b.m) = -1) OR (a.m = b.m) <> (cvm.model_cmp(a.m, b.m) = 0)) AS contradictions,
       count(*) FILTER (WHERE a.m = b.m AND cvm.model_hash(a.m) <> cvm.model_hash(b.m)) AS hashes_differ,
       count(*) FILTER (WHERE (a.m = b.m) <> (cvm.model_hash_extended(a.m, 7) = cvm.model_hash_extended(b.m, 7))) AS hashes_do_not_tell FROM model a, copy b;
SELECT count(*) FILTER (WHERE a.m <= b.m AND b.m <= c.m AND NOT a.m <= c.m) AS not_transitive FROM model a, model b, model c;

-- the families this library has
SELECT family, kind, parameters, citation <> '' AS cited FROM cvm.families WHERE family IN ('bg/nbd', 'gamma-gamma') ORDER BY 1;
SELECT count(*) AS unreadable FROM cvm.families WHERE error_of(format('SELECT %L::cvm.model', family || '(' || (SELECT string_agg(p || '=1', ',') FROM unnest(parameters) p) || ')')) <> 'no error';

COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; rm -f model_test.bin';
DROP SCHEMA model_test CASCADE;
