-- answers: distributions of survey answers against published numbers and plain SQL
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA answers_test;
SET search_path = answers_test, public, cvm;

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

-- what people see: 50 promoters, 30 passives, 20 detractors
CREATE TABLE survey AS
SELECT n AS id, CASE WHEN n <= 50 THEN 9 + n % 2 WHEN n <= 80 THEN 7 + n % 2 ELSE n % 7 END AS score, n % 3 AS region, date '2026-01-01' + n % 10 AS day, 1 + n % 4 AS revenue
FROM generate_series(1, 100) n;
SELECT cvm.nps(score) FROM survey;
SELECT cvm.nps(score)::float8 AS nps, cvm.score(cvm.nps(score)), round(cvm.nps(score)::numeric, 1), cvm.n(cvm.nps(score)),
       cvm.promoters(cvm.nps(score)), cvm.passives(cvm.nps(score)), cvm.detractors(cvm.nps(score)) FROM survey;
SELECT region, cvm.nps(score) FILTER (WHERE revenue > 1)::float8::numeric(8, 4) AS nps, (100.0 * (count(*) FILTER (WHERE score >= 9) - count(*) FILTER (WHERE score <= 6)) / count(*))::numeric(8, 4) AS by_hand
FROM survey WHERE revenue > 1 GROUP BY region ORDER BY region;
SELECT cvm.csat(score), cvm.mean(cvm.csat(score)) FROM unnest('{5,4,4,3,5,2,5,4,1,5}'::int[]) score;
SELECT cvm.ces(score, 'high'), cvm.top_box(cvm.ces(score, 'high'), 3) FROM unnest('{7,6,5,7,4,2,6,7}'::numeric[]) score;
SELECT cvm.ces(score, 'low'), cvm.top_box(cvm.ces(score, 'effort'), 2), cvm.bottom_box(cvm.ces(score, 'down'), 2) FROM unnest('{1,2,2,5}'::smallint[]) score;
SELECT cvm.answers(score, -2, 2, 'up'), cvm.ces(score, 'ease', -2, 2), cvm.csat(score, -2, 2) FROM unnest('{-2,0,1,1,2}'::bigint[]) score;
INSERT INTO survey (id, score, region, revenue) VALUES (101, NULL, 9, 1);
-- NULLs count nowhere; nobody's answers are NULL
SELECT region, cvm.n(cvm.nps(score)), cvm.nps(score) IS NULL AS nobody FROM survey GROUP BY region ORDER BY region;
SELECT cvm.nps(score) IS NULL AS no_rows FROM survey WHERE false;

-- errors, intervals and differences: the published and verified numbers, to twelve digits
CREATE TABLE truth AS SELECT * FROM (VALUES
    ('nps', 'nps {0..10 high, 0:20, 7:30, 10:50}'::cvm.answers, 30, 7.810249675906654, 7.849596270902193, 'wald', 14.692191924957328, 45.30780807504267),
    ('nps of 20', 'nps {0..10 high, 6:5, 8:5, 9:10}', 25, 18.540496217739157, 19.022147756317054, NULL, NULL, NULL),
    ('nps of 1000', 'nps {0..10 high, 6:300, 8:300, 9:400}', 10, 2.6267851073127395, 2.6280994857324003, NULL, NULL, NULL),
    ('nps, adjusted', 'nps {0..10 high, 0:20, 7:30, 10:50}', 30, NULL, NULL, 'adjusted', 14.051130178761607, 44.20129700570441),
    ('csat', 'top-2 {1..5 high, 1:1, 2:1, 3:1, 4:3, 5:4}', 0.7, NULL, NULL, 'wilson', 0.39677814746114537, 0.8922087325936989),
    ('csat, mean', 'mean {1..5 high, 1:1, 2:1, 3:1, 4:3, 5:4}', 3.8, 0.4422166387140534, 0.4422166387140534, 't', 2.7996364632244580, 4.8003635367755420),
    ('81 of 263', 'top-1 {0..1 high, 0:182, 1:81}', 81 / 263.0, NULL, NULL, 'wilson', 0.2552885198782742, 0.36620957698280004),
    ('15 of 148', 'top-1 {0..1 high, 0:133, 1:15}', 15 / 148.0, NULL, NULL, 'wilson', 0.0623863995307363, 0.16048724172330803),
    ('0 of 20', 'top-1 {0..1 high, 0:20}', 0, NULL, NULL, 'wilson', 0, 0.16112515805281938),
    ('1 of 29', 'top-1 {0..1 high, 0:28, 1:1}', 1 / 29.0, NULL, NULL, 'wilson', 0.006113214292762653, 0.17175521879320288),
    ('81 of 263, corrected', 'top-1 {0..1 high, 0:182, 1:81}', 81 / 263.0, NULL, NULL, 'wilson-corrected', 0.25350868229518514, 0.3681762010430035),
    ('15 of 148, corrected', 'top-1 {0..1 high, 0:133, 1:15}', 15 / 148.0, NULL, NULL, 'wilson-corrected', 0.05977820842849813, 0.16444977936483698),
    ('0 of 20, corrected', 'top-1 {0..1 high, 0:20}', 0, NULL, NULL, 'wilson-corrected', 0, 0.20045334501348705),
    ('1 of 29, corrected', 'top-1 {0..1 high, 0:28, 1:1}', 1 / 29.0, NULL, NULL, 'wilson-corrected', 0.0018026402132796644, 0.19628175100975956)
) v(what, a, score, se, se_unbiased, method, low, high);
SELECT what, near(cvm.score(a), score, 1e-15) AS score, near(cvm.standard_error(a), se, 1e-14) AS error, near(cvm.standard_error(a, true), se_unbiased, 1e-14) AS unbiased,
       near((i).low, low, 1e-12) AS low, near((i).high, high, 1e-12) AS high, round((i).low::numeric, 4) AS low_4, round((i).high::numeric, 4) AS high_4
FROM truth LEFT JOIN LATERAL (SELECT i FROM cvm.score_interval(a, 0.95, method) i) t ON method IS NOT NULL;
SELECT near(cvm.standard_error(a, false), 0.4422166387140534 * sqrt(0.9), 1e-14) AS divisor_n, near(cvm.standard_deviation(a), stddev_samp, 1e-14) AS deviation
FROM truth, (SELECT stddev_samp(s)::float8 FROM unnest('{5,4,4,3,5,2,5,4,1,5}'::int[]) s) x WHERE what = 'csat, mean';
-- the methods taken without being named
SELECT what, cvm.score_interval(a) = cvm.score_interval(a, 0.95, CASE cvm.measure(a) WHEN 'nps' THEN 'adjusted' WHEN 'mean' THEN 't' ELSE 'wilson' END) AS automatic FROM truth WHERE what ~ '^(nps|csat|csat, mean)$';

-- NPS of (50, 30, 20) against (70, 30, 20); 56 of 70 against 48 of 80 (Newcombe 1998)
SELECT near(d.statistic, -1.117297916682357, 1e-14) AS z, near(d.p_value, 0.26386696596674153, 1e-13) AS p, near(d.difference, 30 - 100 * 50 / 120.0, 1e-14) AS difference,
       near(d.standard_error, sqrt(61 + 100 * 100 * (90 / 120.0 - (50 / 120.0) ^ 2) / 120), 1e-14) AS error
FROM cvm.difference('nps {0..10 high, 0:20, 7:30, 10:50}', 'nps {0..10 high, 0:20, 7:30, 10:70}') d;
SELECT method, near(d.statistic, 2.6501719512585336, 1e-14) AS z, near(d.p_value, 0.00804508136819656, 1e-13) AS p, d.low::numeric(6, 4), d.high::numeric(6, 4), near(d.low, m.low, 1e-12) AS low, near(d.high, m.high, 1e-12) AS high
FROM (VALUES ('auto', 0.05243147240236498, 0.333872654036906), ('wald', 0.05750489914903714, 0.342495100850963)) m(method, low, high),
     cvm.difference('top-1 {0..1 high, 0:14, 1:56}', 'top-1 {0..1 high, 0:32, 1:48}', 0.95, method) d;
-- Welch's t by hand: 5 4 4 3 5 2 5 4 1 5 against 3 3 4 2 1 3; df and t from the textbook's formula
WITH a AS (SELECT unnest('{5,4,4,3,5,2,5,4,1,5}'::int[]) AS s), b AS (SELECT unnest('{3,3,4,2,1,3}'::int[]) AS s),
     m AS (SELECT (SELECT avg(s) FROM a) - (SELECT avg(s) FROM b) AS d, (SELECT var_samp(s) / 10 FROM a) AS va, (SELECT var_samp(s) / 6 FROM b) AS vb)
SELECT near(x.statistic, (d / sqrt(va + vb))::float8, 1e-13) AS t, near(x.df, ((va + vb) ^ 2 / (va ^ 2 / 9 + vb ^ 2 / 5))::float8, 1e-13) AS df,
       near(x.high - x.difference, x.difference - x.low, 1e-12) AS symmetrical, round(x.statistic::numeric, 6), round(x.df::numeric, 6), round(x.p_value::numeric, 9), round(x.low::numeric, 9), round(x.high::numeric, 9)
FROM m, (SELECT (cvm.difference((SELECT cvm.answers(s, 1, 5, 'high') FROM a), (SELECT cvm.answers(s, 1, 5, 'high') FROM b))).*) x;

-- every number by plain SQL, on all regions and measures
CREATE TABLE region AS SELECT region, cvm.answers(score, 0, 10, 'high') AS a FROM survey WHERE score IS NOT NULL GROUP BY region;
SELECT m, bool_and(near(cvm.score(x), avg, 1e-14)) AS score, bool_and(near(cvm.standard_error(x, true), se, 1e-12)) AS unbiased, bool_and(near(cvm.standard_error(x, false), se * sqrt((n - 1) / n), 1e-12)) AS biased,
       bool_and(near((cvm.score_interval(x, 0.9, 'wald')).high, avg + 1.6448536269514722 * CASE m WHEN 'mean' THEN se ELSE se * sqrt((n - 1) / n) END, 1e-12)) AS wald
FROM (VALUES ('mean'), ('nps'), ('top-3')) v(m), LATERAL (
    SELECT cvm.with_measure(a, m) AS x, avg, se, n FROM region JOIN LATERAL (
        SELECT avg(w)::float8, (stddev_samp(w) / sqrt(count(*)))::float8 AS se, count(*)::float8 AS n
        FROM (SELECT CASE m WHEN 'mean' THEN score WHEN 'nps' THEN 100 * ((score >= 9)::int - (score <= 6)::int) ELSE (score >= 8)::int END AS w FROM survey s WHERE s.region = region.region) y) z ON true) q
GROUP BY m ORDER BY m;
SELECT t.*, round(low::numeric, 6) AS low, round(high::numeric, 6) AS high FROM region, LATERAL (SELECT answer, n, weight, round(share::numeric, 6) AS share FROM cvm.answer_table(a)) t
JOIN LATERAL cvm.answer_table(a) u(answer, n, weight, share, low, high) USING (answer) WHERE region = 1;
SELECT sum(cvm.share(a, k))::numeric(15, 12), cvm.lowest(a), cvm.highest(a), cvm.direction(a), cvm.measure(a) FROM region, generate_series(0, 10) k WHERE region = 1 GROUP BY a;
-- Agresti & Coull's by hand: (x + z^2 / 2) / (n + z^2) -+ z sqrt(p (1 - p) / (n + z^2))
SELECT near(i.low, p - z * sqrt(p * (1 - p) / (8 + z ^ 2)), 1e-13) AS low, near(i.high, p + z * sqrt(p * (1 - p) / (8 + z ^ 2)), 1e-13) AS high
FROM cvm.score_interval('top-1 {0..1 high, 0:5, 1:3}', 0.95, 'adjusted') i, (SELECT z, (3 + z ^ 2 / 2) / (8 + z ^ 2) AS p FROM (VALUES (1.959963984540054::float8)) v(z)) x;

-- sums: days make the month, in any order and split; parallel workers too
CREATE TABLE daily AS SELECT day, cvm.nps(score) AS a FROM survey WHERE day IS NOT NULL GROUP BY day;
SELECT cvm.merge(a) = (SELECT cvm.nps(score) FROM survey) AS month, cvm.merge(a ORDER BY day DESC) = cvm.merge(a) AS any_order FROM daily;
SELECT 'nps {0..10 high, 0:1, 9:2}'::cvm.answers + 'nps {0..10 high, 0:3, 8:5}' AS sum, 'nps {0..10 high}'::cvm.answers + 'nps {0..10 high, 3:1}' = 'nps {0..10 high, 3:1}' AS neutral;
CREATE TABLE many AS SELECT ((n * 7919) % 11)::float8 AS score, (n % 5 + 1)::float8 AS weight, n % 3 AS part FROM generate_series(1, 20000) n;
ANALYZE many;
CREATE TABLE whole AS SELECT cvm.nps(score) AS nps, cvm.answers(score, 0, 10, 'high') AS a, cvm.weighted_nps(score, weight) AS w FROM many;
SELECT nps, cvm.n(w) = 20000 AS weighted_too FROM whole;
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
SELECT has_node('SELECT cvm.nps(score) FROM many', 'Partial Aggregate') AS partial, has_node('SELECT part, cvm.weighted_nps(score, weight) FROM many GROUP BY part', 'Partial (Hash|Group)?Aggregate') AS grouped;
SELECT nps = (SELECT cvm.nps(score) FROM many) AS nps, a = (SELECT cvm.answers(score, 0, 10, 'high') FROM many) AS answers,
       w = (SELECT cvm.weighted_nps(score, weight) FROM many) AS weighted FROM whole;
SELECT (SELECT cvm.merge(a) FROM (SELECT part, cvm.nps(score) AS a FROM many GROUP BY part) g) = nps AS by_group FROM whole;
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET parallel_leader_participation;

-- moving frames: the inverse transition leaves what counting anew gives, empty frames included
CREATE TABLE moving AS
SELECT n, CASE WHEN n % 7 NOT IN (2, 3, 4) THEN (n * 5) % 11 END AS score, cvm.nps(CASE WHEN n % 7 NOT IN (2, 3, 4) THEN (n * 5) % 11 END) OVER w AS nps,
       cvm.csat(1 + n % 5) OVER w AS csat, cvm.ces(1 + n % 5, 'low') OVER w AS ces, cvm.answers(n % 4, 0, 3, 'low') OVER w AS a, cvm.weighted_nps(n % 11, n) OVER w AS weighted
FROM generate_series(1, 60) n WINDOW w AS (ORDER BY n ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING);
SELECT n, nps FROM moving WHERE n BETWEEN 1 AND 9 ORDER BY n;
SELECT bool_and(nps IS NOT DISTINCT FROM (SELECT cvm.nps(score) FROM moving s WHERE s.n BETWEEN m.n - 1 AND m.n + 1)) AS nps, count(*) FILTER (WHERE nps IS NULL) AS empty_frames,
       bool_and(csat = (SELECT cvm.csat(1 + s.n % 5) FROM moving s WHERE s.n BETWEEN m.n - 1 AND m.n + 1)) AS csat,
       bool_and(ces = (SELECT cvm.ces(1 + s.n % 5, 'low') FROM moving s WHERE s.n BETWEEN m.n - 1 AND m.n + 1)) AS ces,
       bool_and(a = (SELECT cvm.answers(s.n % 4, 0, 3, 'low') FROM moving s WHERE s.n BETWEEN m.n - 1 AND m.n + 1)) AS answers,
       bool_and(weighted = (SELECT cvm.weighted_nps(s.n % 11, s.n ORDER BY s.n) FROM moving s WHERE s.n BETWEEN m.n - 1 AND m.n + 1)) AS weighted
FROM moving m;
SELECT bool_and(grown = (SELECT cvm.nps(score) FROM survey s WHERE s.id <= g.id)) AS growing_frame FROM (SELECT id, cvm.nps(score) OVER (ORDER BY id) AS grown FROM survey WHERE id <= 100) g;

-- weights: NPS of the revenue; error of the linearised mean, Kish's size of the sample
SELECT cvm.weighted_nps(score, revenue) = cvm.weighted_answers(score, revenue, 0, 10, 'high') AS other_measure, round(cvm.weighted_nps(score, revenue)::numeric, 9) AS nps,
       cvm.n(cvm.weighted_nps(score, revenue)), cvm.total_weight(cvm.weighted_nps(score, revenue)) FROM survey;
WITH w AS (SELECT 100 * ((score >= 9)::int - (score <= 6)::int) AS y, revenue::float8 AS w FROM survey WHERE score IS NOT NULL),
     m AS (SELECT sum(w * y) / sum(w) AS mean, sum(w) AS total, sum(w) ^ 2 / sum(w ^ 2) AS effective FROM w)
SELECT near(cvm.score(a), mean, 1e-14) AS score, near(cvm.standard_error(a), (SELECT sqrt(sum(w ^ 2 * (y - mean) ^ 2)) / total FROM w), 1e-13) AS error, near(cvm.effective_n(a), effective, 1e-14) AS effective_n
FROM m, (SELECT cvm.weighted_nps(score, revenue) AS a FROM survey) x;
-- equal weights are no weights, and only ratios of weights matter
SELECT near(cvm.standard_error(w), cvm.standard_error(a), 1e-13) AS error, cvm.effective_n(w) = 100 AS effective_n, near((cvm.score_interval(w)).low, (cvm.score_interval(a)).low, 1e-13) AS interval,
       near((cvm.difference(w, b)).p_value, (cvm.difference(a, b)).p_value, 1e-12) AS test
FROM (SELECT cvm.weighted_nps(score, 0.25) AS w, cvm.nps(score) AS a, cvm.nps(score) FILTER (WHERE region = 0) AS b FROM survey WHERE score IS NOT NULL) x;
SELECT cvm.weighted_csat(s, 2), cvm.score(cvm.weighted_csat(s, s, 0, 6)), cvm.score(cvm.weighted_ces(s, s, 'low')) AS ces, cvm.score(cvm.weighted_ces(s, s, 'high', 0, 6)) AS ces_6 FROM generate_series(1, 5) s;
SELECT cvm.n(cvm.weighted_nps(score, weight)) FROM (VALUES (9, 1.5), (NULL, 3), (7, NULL)) v(score, weight);

-- few answers: what one can not tell is NULL, what none can too
SELECT a, cvm.score(a), cvm.mean(a), cvm.standard_error(a), cvm.standard_deviation(a), cvm.top_box(a, 1), (SELECT string_agg(format('%s %s', m, cvm.score_interval(a, 0.95, m)), ', ') FROM unnest(CASE cvm.measure(a) WHEN 'nps' THEN '{wald,auto}' WHEN 'mean' THEN '{wald,t}' ELSE '{wald,wilson,adjusted}' END::text[]) m) AS intervals
FROM (VALUES ('nps {0..10 high}'::cvm.answers), ('mean {0..10 high}'), ('top-2 {1..5 high}')) v(a);
SELECT a, cvm.score(a), cvm.standard_error(a) IS NULL AS no_error, (cvm.score_interval(a, 0.95, 'wald')).low IS NULL AS no_wald, (cvm.score_interval(a)).low::numeric(8, 4), (cvm.score_interval(a)).high::numeric(8, 4)
FROM (VALUES ('nps {0..10 high, 10:1}'::cvm.answers), ('mean {0..10 high, 4:1}'), ('top-2 {1..5 high, 5:1}')) v(a);
-- unanimous: Wald's interval would have no width
SELECT cvm.standard_error(a), cvm.score_interval(a, 0.95, 'wald') AS wald, (cvm.score_interval(a)).low::numeric(8, 4) AS adjusted_low, (cvm.score_interval(a)).high AS adjusted_high
FROM (VALUES ('nps {0..10 high, 10:20}'::cvm.answers)) v(a);
SELECT d.difference, d.standard_error, d.low::numeric(8, 4), d.high::numeric(8, 4), d.statistic IS NULL AND d.p_value IS NULL AS no_test
FROM cvm.difference('nps {0..10 high, 10:20}', 'nps {0..10 high, 9:8}') d;
SELECT * FROM cvm.difference('nps {0..10 high, 10:20}', 'nps {0..10 high}');
SELECT d.difference, d.standard_error, d.low, d.statistic, d.df, d.p_value FROM cvm.difference('mean {0..10 high, 10:1}', 'mean {0..10 high, 3:2, 4:1}') d;
SELECT bool_and(low >= -100 AND high <= 100 AND low <= cvm.score(a) AND cvm.score(a) <= high) AS clamped
FROM generate_series(0, 12) p, generate_series(0, 12 - p) d, LATERAL (SELECT format('nps {0..10 high, 0:%s, 7:%s, 9:%s}', d, 13 - p - d, p)::cvm.answers AS a) x,
     unnest('{wald,adjusted}'::text[]) method, unnest('{0.5,0.95,0.999999}'::float8[]) c, cvm.score_interval(a, c, method) i;
SELECT bool_and(low >= 0 AND high <= 1 AND low <= cvm.score(a) AND cvm.score(a) <= high) AS clamped, bool_and(CASE x WHEN 0 THEN low = 0 AND (method = 'wald' OR high > 0) WHEN 13 THEN high = 1 AND (method = 'wald' OR low < 1) ELSE low < high END) AS ends
FROM generate_series(0, 13) x, LATERAL (SELECT format('top-1 {0..1 high, 0:%s, 1:%s}', 13 - x, x)::cvm.answers AS a) y,
     unnest('{wald,adjusted,wilson,wilson-corrected}'::text[]) method, unnest('{0.5,0.95,0.999999}'::float8[]) c, cvm.score_interval(a, c, method) i;

-- text and binary forms lose nothing
INSERT INTO whole (a) SELECT a FROM truth;
INSERT INTO whole (a) SELECT cvm.weighted_answers(s, w, -5, 5, 'low') FROM (VALUES (-5, 0.1::float8 + 0.2), (0, 1e-100), (0, 1 / 3::float8), (5, 1e100)) v(s, w);
INSERT INTO whole (a) VALUES ('{0..1 low}'), ('{-1000000000..-999999000 low, -999999500:9223372036854775807}'), ('top-1000 {0..1000 high, 0:1}'), ('mean 0.5 {0..1 high, 0:1, 1:1}'), ('{0..2 high,0:0,2:1}'), ('{0..1 high weighted, 0:0(-0,-0.0)}'), (' top-1 0.5 { 0 .. 1 high , 0 : 1 , 1 : 1 } ');
SELECT a FROM whole WHERE cvm.n(a) < 5 AND cvm.lowest(a) > -1000 ORDER BY a::text;
SELECT bool_and(a::text::cvm.answers = a) AS text, (SELECT count(*) FROM (SELECT a FROM whole UNION SELECT a FROM whole) d) = count(DISTINCT a::text) AS hashes FROM whole;
SELECT encode(cvm.answers_send('top-2 {1..3 low, 2:7}'), 'hex'), encode(cvm.answers_send('{0..1 high weighted, 1:1(0.5,0.25)}'), 'hex');
COPY whole TO PROGRAM 'cat > cvm_answers_test.bin' (FORMAT binary);
CREATE TABLE again (LIKE whole);
COPY again FROM PROGRAM 'cat cvm_answers_test.bin; rm cvm_answers_test.bin' (FORMAT binary);
SELECT count(*), (SELECT count(*) FROM (SELECT a, nps, w FROM whole EXCEPT SELECT a, nps, w FROM again) x) AS lost FROM again;
-- toasted values are read like others
CREATE TABLE toasted AS SELECT cvm.answers((n * 37) % 1001, 0, 1000, 'high') AS a FROM generate_series(1, 20000) n;
SELECT pg_column_size(a) < 8000 AS compressed, cvm.n(a), cvm.n(a + a), round(cvm.score(a)::numeric, 6) AS mean FROM toasted;
SELECT cvm.n(cvm.merge(a)) FROM (SELECT a FROM toasted UNION ALL SELECT a FROM toasted) t;

-- assignment to a number, and no silent arithmetic with scores
CREATE TABLE number (f float8, n numeric);
INSERT INTO number SELECT cvm.nps(score), cvm.nps(score) FROM survey;
SELECT * FROM number;

-- reviews
SELECT cvm.bayesian_average(45, 10, 3.5, 10), cvm.bayesian_average('{1..5 high, 4:5, 5:5}', 3.5, 10) AS of_answers, cvm.bayesian_average('{1..5 high}', 3.5, 10) AS without, cvm.bayesian_average(0, 0, 3, 0) IS NULL AS nothing;
SELECT near(p.mean, 4.16, 1e-14) AS mean, near(p.standard_deviation, 0.2460769110539346, 1e-13) AS deviation, near(p.low, 3.755239500343921, 1e-13) AS low FROM cvm.rating_posterior('{1..5 high, 1:1, 3:2, 4:3, 5:14}') p;
SELECT near(p.mean, 0.8636363636363636, 1e-15) AS mean, near(p.low, 0.7294483006954686, 1e-13) AS low FROM cvm.share_posterior(18, 2) p;
-- one review of 5 does not pass twenty of 4 and 5
SELECT what, cvm.mean(a), round((cvm.rating_posterior(a)).low::numeric, 4) AS low, round(cvm.bayesian_average(a, 3.5, 10)::numeric, 4) AS average
FROM (VALUES ('one', '{1..5 high, 5:1}'::cvm.answers), ('twenty', '{1..5 high, 4:8, 5:12}')) v(what, a) ORDER BY low DESC;
CREATE TABLE review AS SELECT timestamptz '2024-01-01 00:00+00' + n * interval '6 hours' AS at, (1 + (n * 13 + n * n / 50) % 5)::float8 AS rating FROM generate_series(1, 900) n;
SELECT near(cvm.trend(rating, at), regr_slope(rating, years), 1e-9) AS trend, near(cvm.trend_error(rating, at), sqrt((regr_syy(rating, years) - regr_sxy(rating, years) ^ 2 / regr_sxx(rating, years)) / (count(*) - 2) / regr_sxx(rating, years)), 1e-9) AS error,
       round(cvm.trend(rating, at)::numeric, 6) AS points_a_year
FROM (SELECT *, extract(epoch FROM at - '2024-01-01 00:00+00')::float8 / 31557600 AS years FROM review) r;
SELECT round(cvm.trend(2 + n / 4.0, timestamptz '2020-01-01 00:00+00' + n * interval '365.25 days')::numeric, 12) AS a_quarter_a_year, round(cvm.trend_error(2 + n / 4.0, timestamptz '2020-01-01 00:00+00' + n * interval '365.25 days')::numeric, 6) AS exactly FROM generate_series(1, 5) n;
SELECT cvm.trend(3, '2024-01-01') IS NULL AS one_rating, cvm.trend_error(r, '2024-01-01') IS NULL AS one_time FROM generate_series(1, 5) r;

-- bad input
SELECT statement, error_of('SELECT ' || statement) FROM (VALUES
    ('cvm.nps(7.5)'), ('cvm.nps(11)'), ('cvm.nps(-1)'), ('cvm.nps(''NaN''::float8)'), ('cvm.nps(''Infinity''::float8)'), ('cvm.nps(''good''::text)'), ('cvm.nps(9::text)'), ('cvm.nps(''good'')'), ('cvm.nps(1e300)'),
    ('cvm.csat(0)'), ('cvm.csat(6)'), ('cvm.csat(1, 1, 2)'), ('cvm.csat(1, 5, 1)'), ('cvm.csat(1, 1.5, 5)'), ('cvm.csat(1, NULL, 5)'), ('cvm.csat(1, 0, ''Infinity'')'),
    ('cvm.ces(1)'), ('cvm.ces(1, NULL)'), ('cvm.ces(1, ''sideways'')'), ('cvm.ces(7, ''low'')'), ('cvm.ces(8, ''high'')'), ('cvm.ces(0, ''low'', 3, 2)'),
    ('cvm.answers(1, 0, 10)'), ('cvm.answers(1, 0, 10, ''High'')'), ('cvm.answers(1, 0, 10, '''')'), ('cvm.answers(1, 0, 1001, ''low'')'), ('cvm.answers(1, 3, 3, ''low'')'), ('cvm.answers(1, -1e10, 3, ''low'')'),
    ('cvm.answers(1, 0, h, ''low'') FROM generate_series(3, 4) h'), ('cvm.answers(1, 0, 5, d) FROM unnest(''{low,high}''::text[]) d'), ('cvm.csat(2, 1, h) FROM generate_series(4, 5) h'),
    ('cvm.weighted_nps(9, 0)'), ('cvm.weighted_nps(9, -1)'), ('cvm.weighted_nps(9, ''NaN'')'), ('cvm.weighted_nps(9, 1e200)'), ('cvm.weighted_nps(9.5, 1)'),
    ('''nps {0..10 high, 1:2}''::cvm.answers + ''{0..10 high, 1:2}''::cvm.answers'), ('''{0..10 low, 1:2}''::cvm.answers + ''{0..10 high, 1:2}''::cvm.answers'), ('''{0..9 high, 1:2}''::cvm.answers + ''{0..10 high, 1:2}''::cvm.answers'),
    ('cvm.merge(a) FROM (VALUES (''{0..9 high, 1:2}''::cvm.answers), (''{0..9 high weighted, 1:2(3,5)}'')) v(a)'),
    ('''{0..1 high, 1:9223372036854775807}''::cvm.answers + ''{0..1 high, 0:1}''::cvm.answers'),
    ('cvm.difference(''{0..9 high, 1:2}'', ''{0..10 high, 1:2}'')'), ('cvm.difference(''nps {0..10 high, 1:2}'', ''{0..10 high, 1:2}'')'), ('cvm.difference(''nps {0..10 high, 1:2}'', ''nps {0..10 high, 1:2}'', 0.95, ''wilson'')'),
    ('cvm.score_interval(''nps {0..10 high, 1:2}'', 1)'), ('cvm.score_interval(''nps {0..10 high, 1:2}'', ''NaN'')'), ('cvm.score_interval(''{0..10 high, 1:2}'', 0.9, ''wilson'')'), ('cvm.score_interval(''{0..10 high, 1:2}'', 0.9, ''bayes'')'),
    ('cvm.with_measure(''{0..10 low, 1:2}'', ''nps'')'), ('cvm.with_measure(''{1..5 high, 1:2}'', ''nps'')'), ('cvm.with_measure(''{1..5 high, 1:2}'', ''top-5'')'), ('cvm.with_measure(''{1..5 high, 1:2}'', ''top-0'')'),
    ('cvm.with_measure(''{1..5 high, 1:2}'', ''top-2x'')'), ('cvm.with_measure(''{1..5 high, 1:2}'', ''top-'')'), ('cvm.with_measure(''{1..5 high, 1:2}'', ''median'')'),
    ('cvm.promoters(''{1..5 high, 1:2}'')'), ('cvm.top_box(''{1..5 high, 1:2}'', 5)'), ('cvm.share(''{1..5 high, 1:2}'', 6)'), ('cvm.answer_table(''{1..5 high, 1:2}'', 0)'),
    ('cvm.answers_remove(''nps {0..10 high, 1:2}'', 3)'), ('cvm.answers_remove(NULL::cvm.answers, 3)'),
    ('cvm.nps(1) < cvm.nps(2)'), ('avg(a) FROM truth'), ('cvm.nps(1) - 1'),
    ('cvm.bayesian_average(''{1..5 high, 1:2}'', 6, 10)'), ('cvm.bayesian_average(5, -1, 3, 10)'), ('cvm.rating_posterior(''{1..5 high, 1:2}'', 0)'), ('cvm.share_posterior(-1, 2)'), ('cvm.share_posterior(1, 2, 1, 0)'), ('cvm.share_posterior(1, 2, 1, 1, 1)'),
    ('cvm.trend(''NaN'', now())'), ('cvm.trend(3, ''infinity'')'), ('cvm.trend_error_final(''{1,2}'')')
) v(statement);
SELECT text, error_of(format('SELECT %L::cvm.answers', text)) FROM (VALUES
    (''), ('{}'), ('{0..10}'), ('{0..10 high'), ('{0..10 high} x'), ('{0..10 high, 3}'), ('{0..10 high, 3:}'), ('{0..10 high, 3:1.5}'), ('{0..10 high, 3.5:1}'), ('{0..10 high, 3:-1}'), ('{0..10 high, 3:1, 3:1}'), ('{0..10 high, 3:1, 2:1}'),
    ('{0..10 high, 11:1}'), ('{0..10 high, -1:1}'), ('{0..10 sideways}'), ('{0..10 high heavy}'), ('{10..0 high}'), ('{0..0 high}'), ('{0..99999999999 high}'), ('{0..5 high, 1:99999999999999999999}'), ('{0..5 high, 1:9223372036854775807, 2:1}'),
    ('nps {1..5 high, 1:1}'), ('nps 31 {0..10 high, 5:20, 8:30, 9:50}'), ('nps x {0..10 high, 5:1}'), ('nps nan {0..10 high, 5:1}'), ('nps 0 {0..10 high}'), ('best {0..10 high, 5:1}'), ('top-11 {0..10 high, 5:1}'),
    ('{0..5 high weighted, 1:2}'), ('{0..5 high, 1:2(3,5)}'), ('{0..5 high weighted, 1:2(3,1)}'), ('{0..5 high weighted, 1:2(3,50)}'), ('{0..5 high weighted, 1:2(-3,5)}'), ('{0..5 high weighted, 1:0(3,5)}'), ('{0..5 high weighted, 1:2(inf,5)}'), ('{0..5 high weighted, 1:2(nan,nan)}')
) v(text);
-- a binary message of another version, of a measure that is none, of counts that overflow, of too few
CREATE TABLE one (a cvm.answers);
CREATE FUNCTION copy_hex(hex text) RETURNS text LANGUAGE sql AS $$
SELECT error_of(format('COPY one FROM PROGRAM %L (FORMAT binary)', format($p$printf 'PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\001%s%s\377\377'$p$,
    (SELECT string_agg(format('\%s', lpad(((b >> 6) & 3)::text || ((b >> 3) & 7)::text || (b & 7)::text, 3, '0')), '' ORDER BY i) FROM (SELECT i, get_byte(int4send(length(hex) / 2), i) AS b FROM generate_series(0, 3) i) l),
    (SELECT string_agg(format('\%s', ((b >> 6) & 3)::text || ((b >> 3) & 7)::text || (b & 7)::text), '' ORDER BY i) FROM (SELECT i, get_byte(decode(hex, 'hex'), i) AS b FROM generate_series(0, length(hex) / 2 - 1) i) d)))) $$;
SELECT what, copy_hex(hex) FROM (VALUES
    ('good', '00000001' || '00000000' || '00000001' || '01' || '00' || '0000' || '00000000' || '0000000000000003' || '0000000000000004'),
    ('version', '00000002' || '00000000' || '00000001' || '01' || '00' || '0000' || '00000000' || '0000000000000003' || '0000000000000004'),
    ('measure', '00000001' || '00000000' || '00000001' || '01' || '07' || '0000' || '00000000' || '0000000000000003' || '0000000000000004'),
    ('boxes', '00000001' || '00000000' || '00000001' || '01' || '00' || '0001' || '00000000' || '0000000000000003' || '0000000000000004'),
    ('flag', '00000001' || '00000000' || '00000001' || '02' || '00' || '0000' || '00000000' || '0000000000000003' || '0000000000000004'),
    ('scale', '00000001' || '00000000' || '7fffffff' || '01' || '00' || '0000' || '00000000' || '0000000000000003' || '0000000000000004'),
    ('negative', '00000001' || '00000000' || '00000001' || '01' || '00' || '0000' || '00000000' || 'ffffffffffffffff' || '0000000000000004'),
    ('too many', '00000001' || '00000000' || '00000001' || '01' || '00' || '0000' || '00000000' || '7fffffffffffffff' || '0000000000000004'),
    ('weights', '00000001' || '00000000' || '00000001' || '01' || '00' || '0000' || '00000001' || '0000000000000000' || '0000000000000001' || '0000000000000000' || '7ff8000000000000' || '0000000000000000' || '3ff0000000000000'),
    ('too few', '00000001' || '00000000' || '00000001' || '01' || '00' || '0000' || '00000000' || '0000000000000003')) v(what, hex);
SELECT * FROM one;

DROP SCHEMA answers_test CASCADE;
