-- survival_curve: Kaplan-Meier against published numbers and plain SQL
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA survival_curve_test;
SET search_path = survival_curve_test, public, cvm;

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
CREATE FUNCTION near(a float8, b float8, relative float8) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT abs(a - b) <= relative * abs(b) $$;

-- weeks in remission: Freireich et al. 1963, Blood 21 (Gehan 1965)
CREATE TABLE remission (arm text, weeks float8, relapsed boolean);
INSERT INTO remission SELECT '6-MP', replace(t, '+', '')::float8, t !~ '\+'
FROM unnest(string_to_array('6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+', ' ')) t;
INSERT INTO remission SELECT 'placebo', t::float8, true
FROM unnest(string_to_array('1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23', ' ')) t;
CREATE TABLE curve AS SELECT arm, cvm.survival_curve(weeks, relapsed) AS c FROM remission GROUP BY arm;
SELECT arm, c, cvm.customers(c), cvm.churned(c) FROM curve ORDER BY arm;

-- published: survival, Greenwood's standard error, Nelson-Aalen and its variance
SELECT t, near(cvm.survival(c, t), s, 1e-13) AS survival, near(cvm.survival_error(c, t), se, 1e-13) AS error,
       near(cvm.cumulative_hazard(c, t), h, 1e-13) AS hazard, near(cvm.cumulative_hazard_error(c, t) ^ 2, vh, 1e-13) AS hazard_variance
FROM curve, (VALUES
    (6, .857142857142857, .0763603548321212, .142857142857143, .00680272108843537), (7, .80672268907563, .0869352851800572, .201680672268908, .0102629287008921),
    (10, .752941176470588, .0963496529943205, .268347338935574, .0147073731453366), (13, .690196078431373, .10681470777501, .351680672268908, .021651817589781),
    (16, .627450980392157, .114053865256753, .442589763177999, .0299162803996984), (22, .53781512605042, .128233751693034, .585446906035141, .0503244436650045),
    (23, .448179271708684, .13459145675576, .752113572701808, .0781022214427823)
) p(t, s, se, h, vh) WHERE arm = '6-MP';
SELECT arm, cvm.median(c), cvm.quantile(c, 0.25) AS quartile, round(cvm.restricted_mean(c, 35)::numeric, 12) AS restricted_mean,
       cvm.restricted_mean(c) = cvm.restricted_mean(c, CASE arm WHEN '6-MP' THEN 35 ELSE 23 END) AS by_default
FROM curve ORDER BY arm;
-- 95 % log-log intervals as R's survfit(conf.type = "log-log") prints them, and plain ones
SELECT t, (i).low::numeric(4, 3), (i).high::numeric(4, 3), near((p).low, cvm.survival(c, t) - 1.959963984540054 * cvm.survival_error(c, t), 1e-13) AS plain_low,
       near((p).high, least(1, cvm.survival(c, t) + 1.959963984540054 * cvm.survival_error(c, t)), 1e-13) AS plain_high
FROM (SELECT t, c, cvm.survival_interval(c, t) AS i, cvm.survival_interval(c, t, 0.95, 'plain') AS p
      FROM curve, (VALUES (6), (7), (10), (13), (16), (22), (23)) v(t) WHERE arm = '6-MP') s;

-- every number by plain SQL, on durations with many ties and gaps
CREATE TABLE stay AS
SELECT g % 7 AS cohort, round((100 * (('x' || substr(md5(g::text), 1, 8))::bit(32)::bigint / 4294967296.0) ^ 2)::numeric, 1)::float8 AS days,
       md5('c' || g) < 'a' AS churned
FROM generate_series(1, 3000) g;
CREATE TABLE by_hand AS
WITH counts AS (
    SELECT days, count(*) FILTER (WHERE churned) AS d, count(*) FILTER (WHERE NOT churned) AS w FROM stay GROUP BY days),
risk AS (
    SELECT *, sum(d + w) OVER (ORDER BY days DESC) AS n FROM counts)
SELECT days, n, d, w, exp(sum(ln(CASE WHEN n > d THEN 1 - d / n ELSE 1 END)) OVER (ORDER BY days)) AS s,
       sum(CASE WHEN n > d THEN d / (n * (n - d)) ELSE 0 END) OVER (ORDER BY days) AS greenwood, sum(d / n) OVER (ORDER BY days) AS h
FROM risk;
SELECT count(*), bool_and(at_risk = n AND t.churned = d AND t.censored = w) AS counts, bool_and(near(survival, s, 1e-12)) AS survival,
       bool_and(near(standard_error, s * sqrt(greenwood), 1e-12)) AS error, bool_and(near(cumulative_hazard, h, 1e-12)) AS hazard,
       bool_and(near(low, s ^ exp(1.959963984540054 * sqrt(greenwood) / -ln(s)), 1e-11)) AS low,
       bool_and(near(high, s ^ exp(-1.959963984540054 * sqrt(greenwood) / -ln(s)), 1e-11)) AS high
FROM by_hand JOIN cvm.survival_table((SELECT cvm.survival_curve(days, churned) FROM stay)) t ON t.duration = days WHERE s < 1 AND n > d;
SELECT near(cvm.restricted_mean(c, 40), area, 1e-12) AS restricted_mean, near(cvm.restricted_mean_error(c, 40), sqrt(variance), 1e-10) AS its_error
FROM (SELECT cvm.survival_curve(days, churned) AS c FROM stay) x, LATERAL (
    WITH step AS (SELECT days, s, n, d, least(coalesce(lead(days) OVER (ORDER BY days), 40), 40) - days AS width FROM by_hand WHERE days <= 40),
    rest AS (SELECT *, sum(s * width) OVER (ORDER BY days DESC) AS beyond FROM step)
    SELECT min(days) + sum(s * width) AS area, sum(beyond ^ 2 * d / (n * (n - d))) AS variance FROM rest) y;

-- order, splits and parallel workers do not matter
SELECT bool_and(a.c = b.c) AS any_order
FROM (SELECT cvm.survival_curve(days, churned ORDER BY md5(days::text)) AS c FROM stay) a, (SELECT cvm.survival_curve(days, churned ORDER BY days DESC) AS c FROM stay) b;
SELECT (SELECT cvm.survival_curve(days, churned) FROM stay WHERE cohort < 3) + (SELECT cvm.survival_curve(days, churned) FROM stay WHERE cohort >= 3)
     = (SELECT cvm.survival_curve(days, churned) FROM stay) AS sum_of_parts;
CREATE TABLE whole AS SELECT cvm.survival_curve(days, churned) AS c FROM stay;
ANALYZE stay;
CREATE FUNCTION has_node(query text, node text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    line text; found boolean := false;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        found := found OR line ~ node;
    END LOOP;
    RETURN found;
END $$;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
SELECT has_node('SELECT cvm.survival_curve(days, churned) FROM stay', 'Partial Aggregate') AS partial;
SELECT (SELECT cvm.survival_curve(days, churned) FROM stay) = c AS parallel FROM whole;
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET parallel_leader_participation;
-- a window aggregate goes on with its state
SELECT weeks, cvm.customers(cvm.survival_curve(weeks, relapsed) OVER (ORDER BY weeks)), cvm.survival_curve(weeks, relapsed) OVER (ORDER BY weeks) AS so_far
FROM remission WHERE arm = 'placebo' AND weeks < 5 ORDER BY 1;

-- text and binary forms lose nothing
INSERT INTO whole SELECT c FROM curve;
INSERT INTO whole SELECT cvm.survival_curve(d, d > 1) FROM (VALUES (0.1::float8 + 0.2), (1e-300), (-0.0), (1e300), (1 / 3::float8)) v(d);
SELECT c FROM whole WHERE cvm.customers(c) = 5;
SELECT bool_and(c::text::cvm.survival_curve = c) AS text, (SELECT count(*) FROM (SELECT c FROM whole UNION SELECT c FROM whole) d) AS distinct_curves FROM whole;
SELECT encode(cvm.survival_curve_send('{6:3+1,7.5:1+0}'), 'hex');
COPY whole TO PROGRAM 'cat > cvm_survival_curve_test.bin' (FORMAT binary);
CREATE TABLE again (LIKE whole);
COPY again FROM PROGRAM 'cat cvm_survival_curve_test.bin; rm cvm_survival_curve_test.bin' (FORMAT binary);
SELECT count(*), (SELECT count(*) FROM (SELECT c FROM whole EXCEPT SELECT c FROM again) x) AS lost FROM again;

-- ends
SELECT cvm.survival(c, 0) AS at_start, cvm.survival(c, 5.9) AS before_first, cvm.survival_interval(c, 1) AS interval_before_first,
       cvm.survival(c, 35) IS NULL AS at_last, cvm.survival(c, 35.1) IS NULL AS beyond_last, cvm.restricted_mean(c, 36) IS NULL AS mean_beyond_last,
       cvm.quantile(c, 0.9) IS NULL AS never_so_many
FROM curve WHERE arm = '6-MP';
SELECT cvm.survival(c, 23) AS all_gone, cvm.survival(c, 'Infinity') AS for_ever, cvm.survival_error(c, 23) IS NULL AS no_error,
       cvm.survival_interval(c, 40) AS no_interval, round(cvm.cumulative_hazard(c, 23)::numeric, 12) AS hazard, near(cvm.restricted_mean(c, 'Infinity'), 182 / 21.0, 1e-14) AS mean
FROM curve WHERE arm = 'placebo';
-- survival that is one half but for rounding
SELECT cvm.median(c), cvm.survival(c, 2) = 0.5 AS exactly FROM (SELECT cvm.survival_curve(t, t < 7) AS c FROM generate_series(0, 5) t) x;
SELECT bool_and(cvm.median(c) = n / 2) AS medians FROM generate_series(2, 60, 2) n, LATERAL (SELECT cvm.survival_curve(t, true) AS c FROM generate_series(1, n) t) x;
SELECT cvm.survival_curve(d, c) FROM (VALUES (NULL::float8, NULL::boolean), (3, true), (0, true), (-0.0, false)) v(d, c);
SELECT cvm.survival_curve(d, c) IS NULL AS no_rows FROM (VALUES (NULL::float8, NULL::boolean)) v(d, c);

-- bad input
SELECT statement, error_of('SELECT ' || statement) FROM (VALUES
    ('cvm.survival_curve(-1, true)'),
    ('cvm.survival_curve(''NaN'', true)'),
    ('cvm.survival_curve(''Infinity'', false)'),
    ('cvm.survival_curve(NULL, false)'),
    ('cvm.survival_curve(1, NULL)'),
    ('''''::cvm.survival_curve'),
    ('''{}''::cvm.survival_curve'),
    ('''{6:3}''::cvm.survival_curve'),
    ('''{6:3+1''::cvm.survival_curve'),
    ('''{6:3+1} x''::cvm.survival_curve'),
    ('''{6:3+1,}''::cvm.survival_curve'),
    ('''{6:3+1,6:1+0}''::cvm.survival_curve'),
    ('''{6:3+1,5:1+0}''::cvm.survival_curve'),
    ('''{-6:3+1}''::cvm.survival_curve'),
    ('''{inf:3+1}''::cvm.survival_curve'),
    ('''{nan:3+1}''::cvm.survival_curve'),
    ('''{6:-3+1}''::cvm.survival_curve'),
    ('''{6:0+0}''::cvm.survival_curve'),
    ('''{6:3.5+1}''::cvm.survival_curve'),
    ('''{6:99999999999999999999+1}''::cvm.survival_curve'),
    ('''{6:9223372036854775807+1}''::cvm.survival_curve'),
    ('''{6:9223372036854775807+0}''::cvm.survival_curve + ''{6:1+0}''::cvm.survival_curve'),
    ('''{6:9223372036854775807+0}''::cvm.survival_curve + ''{7:1+0}''::cvm.survival_curve'),
    ('cvm.survival(c, -1) FROM curve'),
    ('cvm.survival(c, ''NaN'') FROM curve'),
    ('cvm.quantile(c, 1) FROM curve'),
    ('cvm.quantile(c, ''NaN'') FROM curve'),
    ('cvm.survival_interval(c, 1, 1) FROM curve'),
    ('cvm.survival_interval(c, 1, .9, ''arcsin'') FROM curve'),
    ('cvm.survival_table(c, 0) FROM curve'),
    ('cvm.restricted_mean(c, -1) FROM curve'),
    ('cvm.restricted_mean_error(''{1:1+0,1e300:0+1}'', 1e300)')
) v(statement);
-- a binary message of another version, and one that promises more than it holds
CREATE FUNCTION copy_bytes(version text, steps text) RETURNS text LANGUAGE sql AS $$
SELECT error_of(format('SELECT 1; COPY again FROM PROGRAM %L (FORMAT binary)',
    $p$printf 'PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\001\0\0\0\010\0\0\0\$p$ || version || $p$\0\0\0\$p$ || steps || $p$\377\377'$p$)) $$;
SELECT copy_bytes('002', '001'), copy_bytes('001', '001'), copy_bytes('001', '000');

DROP SCHEMA survival_curve_test CASCADE;
