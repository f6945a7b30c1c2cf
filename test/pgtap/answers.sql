-- Survey answers: what people's queries rely on, and a month of surveys from the table to the comparison.
BEGIN;
SELECT plan(36);

-- the type and its aggregates
SELECT has_type('cvm', 'answers', 'answers exists');
SELECT ok(typreceive <> 0 AND typsend <> 0 AND typlen = -1, 'answers has a binary form') FROM pg_type WHERE oid = 'cvm.answers'::regtype;
SELECT is_empty($$SELECT name FROM unnest(ARRAY[
    'nps(float8)', 'csat(float8)', 'csat(float8, float8, float8)', 'ces(float8, text)', 'ces(float8, text, float8, float8)', 'answers(float8, float8, float8, text)']) name
    WHERE NOT EXISTS (SELECT FROM pg_aggregate JOIN pg_proc ON pg_proc.oid = aggfnoid WHERE aggfnoid = to_regprocedure('cvm.' || name)
        AND prorettype = 'cvm.answers'::regtype AND aggcombinefn <> 0 AND aggminvtransfn <> 0 AND proparallel = 's')$$, 'aggregates combine, run in parallel and move');
SELECT is_empty($$SELECT name FROM unnest(ARRAY[
    'weighted_nps(float8, float8)', 'weighted_csat(float8, float8)', 'weighted_csat(float8, float8, float8, float8)', 'weighted_ces(float8, float8, text)',
    'weighted_ces(float8, float8, text, float8, float8)', 'weighted_answers(float8, float8, float8, float8, text)', 'merge(cvm.answers)']) name
    WHERE NOT EXISTS (SELECT FROM pg_aggregate JOIN pg_proc ON pg_proc.oid = aggfnoid WHERE aggfnoid = to_regprocedure('cvm.' || name)
        AND prorettype = 'cvm.answers'::regtype AND aggcombinefn <> 0 AND proparallel = 's')$$, 'weighted aggregates and the sum combine and run in parallel');
CREATE TEMP VIEW answers_function AS
SELECT p.*, p.oid::regprocedure::text AS signature FROM pg_proc p
WHERE pronamespace = 'cvm'::regnamespace AND ('cvm.answers'::regtype = ANY (proargtypes) OR prorettype = 'cvm.answers'::regtype);
SELECT cmp_ok(count(*), '>', 50::bigint, 'the type has functions') FROM answers_function;
SELECT is_empty($$SELECT signature FROM answers_function WHERE provolatile <> 'i' OR proparallel <> 's'$$, 'immutable and parallel safe');
SELECT is_empty($$SELECT signature FROM answers_function WHERE prokind = 'f' AND NOT proisstrict AND signature !~ '(_accum|answers_remove|answers_final)\('$$, 'NULL for NULL');
SELECT is_empty($$SELECT signature FROM answers_function WHERE NOT has_function_privilege('public', oid, 'EXECUTE') OR coalesce(obj_description(oid, 'pg_proc'), '') = ''$$, 'for everybody, and commented');
SELECT is(castcontext, 'a'::"char", 'to ' || casttarget::regtype || ' by assignment or on request, never by itself') FROM pg_cast WHERE castsource = 'cvm.answers'::regtype ORDER BY casttarget::regtype::text;

-- 90 days of a survey; the middle month is better
CREATE TEMP TABLE response AS
SELECT date '2026-01-01' + n / 10 AS day, (CASE WHEN n / 300 = 1 THEN 10 - (n * 7) % 5 ELSE (n * 7) % 11 END)::smallint AS score, ((n * 13) % 40 + 1)::numeric(8, 2) AS revenue,
       CASE n % 3 WHEN 0 THEN 'shop' WHEN 1 THEN 'app' END AS channel
FROM generate_series(0, 899) n;
INSERT INTO response VALUES ('2026-01-01', NULL, 5, 'mail');
CREATE TEMP TABLE daily AS SELECT day, channel, cvm.nps(score) AS answers FROM response GROUP BY day, channel;

SELECT is(cvm.nps(score)::float8, (100.0 * (count(*) FILTER (WHERE score >= 9) - count(*) FILTER (WHERE score <= 6)) / count(score))::float8, 'NPS of all') FROM response;
SELECT results_eq($$SELECT date_trunc('month', day)::date, cvm.merge(answers)::float8 FROM daily GROUP BY 1 ORDER BY 1$$,
    $$SELECT date_trunc('month', day)::date, (100.0 * sum((score >= 9)::int - (score <= 6)::int) / count(score))::float8 FROM response GROUP BY 1 ORDER BY 1$$, 'the days make the months');
SELECT set_eq($$SELECT channel, cvm.n(cvm.nps(score)) FROM response GROUP BY ROLLUP (channel)$$, $$SELECT channel, nullif(count(score), 0) FROM response GROUP BY ROLLUP (channel)$$, 'with totals');
SELECT ok(cvm.nps(score) FILTER (WHERE channel = 'mail') IS NULL, 'who did not answer has no NPS') FROM response;
SELECT is(cvm.score(cvm.weighted_nps(score, revenue))::numeric(12, 9), (100 * sum(revenue * ((score >= 9)::int - (score <= 6)::int)) / sum(revenue))::numeric(12, 9), 'NPS of the revenue') FROM response WHERE score IS NOT NULL;
SELECT is((SELECT count(*) FROM (SELECT day, cvm.score(cvm.merge(answers) OVER (ORDER BY day)) IS NULL AS unknown FROM daily WHERE channel = 'shop') x WHERE unknown), 0::bigint, 'the sum so far');
SELECT results_eq($$SELECT n, (cvm.nps(score) OVER w)::float8::numeric(12, 8) FROM (SELECT row_number() OVER (ORDER BY day, score, revenue) AS n, * FROM response) r WINDOW w AS (ORDER BY n ROWS 29 PRECEDING) ORDER BY n$$,
    $$SELECT n, (avg(100 * ((score >= 9)::int - (score <= 6)::int)) OVER w)::float8::numeric(12, 8) FROM (SELECT row_number() OVER (ORDER BY day, score, revenue) AS n, * FROM response) r WINDOW w AS (ORDER BY n ROWS 29 PRECEDING) ORDER BY n$$,
    'of the last thirty, row by row');

CREATE TEMP TABLE month AS SELECT date_trunc('month', day)::date AS month, cvm.merge(answers) AS answers FROM daily GROUP BY 1;
SELECT ok(d.difference > 0 AND d.p_value < 1e-6 AND d.low > 0, 'the middle month is better') FROM cvm.difference((SELECT answers FROM month WHERE month = '2026-02-01'), (SELECT answers FROM month WHERE month = '2026-01-01')) d;
SELECT ok(d.p_value > 0.05 AND d.low < 0 AND d.high > 0, 'the first and the last are not known to differ') FROM cvm.difference((SELECT answers FROM month WHERE month = '2026-01-01'), (SELECT answers FROM month WHERE month = '2026-03-01')) d;
SELECT ok(d.difference = -e.difference AND d.low = -e.high AND d.p_value = e.p_value, 'and the other way round: ' || m)
FROM unnest('{nps,mean,top-1,top-4}'::text[]) m, LATERAL (SELECT cvm.with_measure(answers, m) AS a FROM month WHERE month = '2026-01-01') a, LATERAL (SELECT cvm.with_measure(answers, m) AS b FROM month WHERE month = '2026-02-01') b,
     cvm.difference(a, b) d, cvm.difference(b, a) e;
SELECT ok(least(abs((edge).low), abs((edge).high)) < 1e-9, 'an interval of means with the confidence 1 - p ends at 0')
FROM (SELECT cvm.with_measure(answers, 'mean') AS a FROM month WHERE month = '2026-01-01') a, (SELECT cvm.with_measure(answers, 'mean') AS b FROM month WHERE month = '2026-03-01') b,
     LATERAL (SELECT edge FROM cvm.difference(a, b) d, cvm.difference(a, b, 1 - d.p_value) edge) x;

-- coverage: 95 % intervals hold the truth about 95 times in 100, also with few answers and shares near an end
CREATE FUNCTION pg_temp.binomial(n int, x int, p float8) RETURNS float8 LANGUAGE sql AS $$
    SELECT exp(coalesce((SELECT sum(ln((n - i + 1)::float8 / i)) FROM generate_series(1, x) i), 0) + x * ln(p) + (n - x) * ln(1 - p)) $$;
SELECT ok(coverage BETWEEN least AND 1, format('%s of %s with p = %s covers %s', method, n, p, round(coverage::numeric, 4)))
FROM (VALUES ('wilson', 20, 0.1, 0.92), ('wilson', 100, 0.5, 0.93), ('wilson-corrected', 20, 0.1, 0.95), ('adjusted', 20, 0.1, 0.92)) v(method, n, p, least), LATERAL (
    SELECT sum(pg_temp.binomial(n, x, p)) AS coverage FROM generate_series(0, n) x, LATERAL cvm.score_interval(format('top-1 {0..1 high, 0:%s, 1:%s}', n - x, x)::cvm.answers, 0.95, method) i WHERE p BETWEEN i.low AND i.high) c;
SELECT cmp_ok((SELECT sum(pg_temp.binomial(20, x, 0.1)) FROM generate_series(0, 20) x, LATERAL cvm.score_interval(format('top-1 {0..1 high, 0:%s, 1:%s}', 20 - x, x)::cvm.answers, 0.95, 'wald') i WHERE 0.1 BETWEEN i.low AND i.high),
    '<', 0.9::float8, 'and Wald''s of the same does not');

-- what shall not happen by accident
SELECT throws_ok('SELECT cvm.nps(score + 0.5) FROM response', '22003', NULL, 'a fractional answer');
SELECT throws_ok('SELECT cvm.csat(score) FROM response', '22003', NULL, 'an answer off the scale');
SELECT throws_ok('SELECT cvm.nps(score::text) FROM response', '42883', NULL, 'a text answer');
SELECT throws_ok('SELECT cvm.weighted_nps(score, 0) FROM response', '22003', NULL, 'no weight');
SELECT throws_ok('SELECT avg(answers) FROM month', '42883', NULL, 'the mean of NPS');
SELECT throws_ok('SELECT cvm.ces(score) FROM response', '42883', NULL, 'effort without a direction');
SELECT throws_ok($$SELECT cvm.merge(a) FROM (SELECT answers AS a FROM month UNION ALL SELECT cvm.csat(3)) x$$, '22023', NULL, 'NPS and CSAT do not add up');
SELECT * FROM finish();
ROLLBACK;
