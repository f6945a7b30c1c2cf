-- fit: rows -> model, against maxima computed elsewhere
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA fit_test;
SET search_path = fit_test, public, cvm;

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
CREATE FUNCTION u(a int, b int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT (('x' || substr(md5(a || '/' || b), 1, 8))::bit(32)::bigint + 0.5) / 4294967296 $$;
CREATE FUNCTION near(a float8, b float8, relative float8) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT abs(a - b) <= relative * abs(b) $$;

-- a small table; its maximum to 20 digits is by test/unit/truth/small_tables.py
CREATE TABLE statistic (x float8, t_x float8, age float8, customers float8);
INSERT INTO statistic VALUES
    (0, 0, 38.86, 700), (0, 0, 30, 610), (1, 10, 38.86, 110), (1, 30.5, 38.86, 62), (1, 5, 30, 95), (1, 20.25, 30, 58),
    (2, 20, 38.86, 51), (2, 35, 38.86, 44), (2, 15, 30, 37), (2, 28, 30, 33), (3, 12, 38.86, 14), (3, 36.5, 38.86, 31),
    (4, 29, 30, 19), (5, 33, 38.86, 21), (7, 37, 38.86, 12), (9, 8, 30, 4), (12, 29.75, 30, 6), (20, 38.5, 38.86, 3);
CREATE TABLE fitted AS SELECT cvm.fit('bg/nbd', x, t_x, age, customers) AS m FROM statistic;
SELECT name, near((cvm.parameters(m)->>name)::float8, truth, 1e-9) AS parameter, near((cvm.standard_errors(m)->>name)::float8, error, 1e-7) AS standard_error,
       round((cvm.parameters(m)->>name)::numeric, 6) AS rounded
FROM fitted, (VALUES ('r', 0.29394701296209884563, 0.023060572558254868276), ('alpha', 13.421875881560174014, 1.4923512504421220523),
                     ('a', 0.26412482864001065322, 0.12808984033602368189), ('b', 1.2359376263992588306, 0.70654656118223507243)) t(name, truth, error);
SELECT near(cvm.log_likelihood(m), -5598.8396045398642808, 1e-12) AS log_likelihood, cvm.customers(m), cvm.unit(m), cvm.family(m), m::text ~ ' rung=full ' AS interior FROM fitted;

CREATE TABLE spend (x float8, mean float8);
INSERT INTO spend VALUES (1, 12.5), (1, 35), (1, 8.25), (1, 61.9), (1, 22), (2, 17.75), (2, 29.99), (2, 44.1), (2, 13.3), (3, 25.5),
    (3, 90.25), (3, 31), (4, 19.2), (4, 55.55), (5, 27.1), (6, 38.4), (7, 21.05), (9, 15.15), (12, 47.2), (20, 33.33);
CREATE TABLE fitted_spend AS SELECT cvm.fit_spend(x, mean) AS m FROM spend;
SELECT name, near((cvm.parameters(m)->>name)::float8, truth, 1e-8) AS parameter, near((cvm.standard_errors(m)->>name)::float8, error, 1e-6) AS standard_error,
       round((cvm.parameters(m)->>name)::numeric, 5) AS rounded
FROM fitted_spend, (VALUES ('p', 3.2971891938409517728, 2.668211280727138182), ('q', 6.4400986657248524689, 3.975761477255156034), ('gamma', 54.654204417718775913, 75.137165393647994661)) t(name, truth, error);
SELECT near(cvm.log_likelihood(m), -82.671041993302454003, 1e-12) AS log_likelihood, cvm.customers(m), cvm.unit(m), cvm.family(m) FROM fitted_spend;
-- one-time buyers say nothing of spend
SELECT cvm.fit_spend(x, mean) = (SELECT m FROM fitted_spend) AS same FROM (SELECT * FROM spend UNION ALL SELECT 0, NULL FROM generate_series(1, 10) UNION ALL SELECT 0, -5 UNION ALL SELECT NULL, NULL) s;

-- a weight is so many customers; 0 is none; the order of rows does not matter; the total is the sum over customers
SELECT cvm.fit('bg/nbd', x, t_x, age) = (SELECT m FROM fitted) AS repeated FROM statistic, generate_series(1, customers::int);
SELECT cvm.fit('bg/nbd', x, t_x, age, w ORDER BY w, x DESC) = (SELECT m FROM fitted) AS split_and_shuffled
FROM (SELECT x, t_x, age, customers / 2 AS w FROM statistic UNION ALL SELECT x, t_x, age, customers / 2 FROM statistic UNION ALL SELECT 1, 1, 50, 0 UNION ALL SELECT NULL, NULL, NULL, NULL) s;
SELECT cvm.fit('bg/nbd', x, t_x, age, customers, 0) = (SELECT m FROM fitted) AS log_intervals_play_no_part FROM statistic;
SELECT near(sum(customers * cvm.log_likelihood(m, x, t_x, age)), max(cvm.log_likelihood(m)), 1e-12) AS summed FROM statistic, fitted;
SELECT near(sum(cvm.log_likelihood(m, x, mean)), max(cvm.log_likelihood(m)), 1e-12) AS summed FROM spend, fitted_spend;
-- another unit of time: alpha scales, the likelihood shifts by ln 7 a purchase; another currency: gamma scales
SELECT near((cvm.parameters(d)->>'alpha')::float8, 7 * (cvm.parameters(m)->>'alpha')::float8, 1e-9) AS alpha, near((cvm.parameters(d)->>'r')::float8, (cvm.parameters(m)->>'r')::float8, 1e-9) AS r,
       near(cvm.log_likelihood(d), cvm.log_likelihood(m) - shift, 1e-12) AS log_likelihood
FROM fitted, (SELECT cvm.fit('bg/nbd', x, t_x * 7, age * 7, customers) AS d, ln(7) * sum(customers * x) AS shift FROM statistic) s;
SELECT near((cvm.parameters(d)->>'gamma')::float8, 100 * (cvm.parameters(m)->>'gamma')::float8, 1e-8) AS gamma, near((cvm.parameters(d)->>'q')::float8, (cvm.parameters(m)->>'q')::float8, 1e-8) AS q
FROM fitted_spend, (SELECT cvm.fit_spend(x, mean * 100) AS d FROM spend) s;

-- 2000 histories in two segments, from BG/NBD with r = 1, alpha = 4 or 8, a = 1, b = 3: the fit of histories is that of their statistics
CREATE TABLE history AS
SELECT c AS customer, c % 3 = 0 AS vip, cvm.purchase_history(born + make_interval(secs => coalesce(604800 * after, 0)), amount) AS h
FROM (SELECT c, k, '2023-01-01 00:00+00'::timestamptz + make_interval(secs => 86400 * 120 * u(c, 0)) AS born,
             sum(CASE WHEN k > 0 THEN ln(u(c, 100 + k)) / ln(u(c, 1)) * CASE WHEN c % 3 = 0 THEN 4 ELSE 8 END END) OVER (PARTITION BY c ORDER BY k) AS after,
             bool_and(k < 2 OR u(c, 200 + k) > 1 - power(1 - u(c, 2), 1 / 3.0)) OVER (PARTITION BY c ORDER BY k) AS alive,
             round((20 * exp(2 * u(c, 3)) * (0.4 + u(c, 300 + k)))::numeric, 2) - CASE WHEN u(c, 400 + k) < 0.02 THEN 200 ELSE 0 END AS amount
      FROM generate_series(1, 2000) c, generate_series(0, 40) k) p
WHERE alive AND (after IS NULL OR born + make_interval(secs => 604800 * after) < '2024-01-01 00:00+00') GROUP BY 1;
CREATE TABLE of_history AS SELECT vip, cvm.fit('bg/nbd', h, '2024-01-01 00:00+00') AS m, cvm.fit_spend(h) AS spend FROM history GROUP BY ROLLUP (vip);
CREATE TABLE of_raw AS
SELECT vip, cvm.fit('bg/nbd', cvm.repeat_periods(h), cvm.span(h), cvm.age(h, '2024-01-01 00:00+00')) FILTER (WHERE cvm.orders(h) > 0) AS m,
       cvm.fit_spend(cvm.repeat_periods(h), cvm.mean_spend(h)) FILTER (WHERE cvm.mean_spend(h) > 0) AS spend FROM history GROUP BY ROLLUP (vip);
SELECT a.vip, a.m = b.m AS same, a.spend = b.spend AS same_spend, cvm.customers(a.m) AS customers, cvm.customers(a.spend) AS spenders, a.m::text ~ 'rung=full' AS interior
FROM of_history a JOIN of_raw b ON a.vip IS NOT DISTINCT FROM b.vip ORDER BY 1;
SELECT cvm.fit('bg/nbd', h, '2024-01-01 00:00+00') FILTER (WHERE vip) = (SELECT m FROM of_history WHERE vip) AS filter,
       cvm.fit('bg/nbd', h, '2024-01-01 00:00+00', '7 days') = (SELECT m FROM of_history WHERE vip IS NULL) AS week FROM history;
SELECT count(*) AS rows, count(DISTINCT w.m) AS models, count(*) FILTER (WHERE w.m = o.m) AS equal FROM (
    SELECT vip, cvm.fit('bg/nbd', h, '2024-01-01 00:00+00') OVER (PARTITION BY vip) AS m FROM history) w JOIN of_history o USING (vip);
SELECT near((cvm.parameters(d)->>'alpha')::float8, 7 * (cvm.parameters(m)->>'alpha')::float8, 1e-8) AS alpha, cvm.unit(d),
       near(cvm.log_likelihood(d), cvm.log_likelihood(m) - shift, 1e-12) AS log_likelihood
FROM of_history, (SELECT cvm.fit('bg/nbd', h, '2024-01-01 00:00+00', '1 day') AS d, ln(7) * sum(cvm.repeat_periods(h)) AS shift FROM history) s WHERE vip IS NULL;
-- the gradient is zero there: a step to either side in any parameter loses likelihood
SELECT count(*) AS steps, count(*) FILTER (WHERE moved >= best) AS uphill FROM (
    SELECT cvm.log_likelihood(o.m) AS best, (SELECT sum(cvm.log_likelihood(format('bg/nbd(r=%s,alpha=%s,a=%s,b=%s)', p[1], p[2], p[3], p[4])::cvm.model, h, '2024-01-01 00:00+00')) FROM history) AS moved
    FROM of_history o, generate_series(1, 4) i, (VALUES (0.999), (1.001)) f(f),
         LATERAL (SELECT array_agg((cvm.parameters(o.m)->>name)::float8 * CASE WHEN place = i THEN f ELSE 1 END ORDER BY place) AS p FROM unnest('{r,alpha,a,b}'::text[]) WITH ORDINALITY n(name, place)) t
    WHERE o.vip IS NULL) s;

-- parallel plans
CREATE FUNCTION has_node(query text, node text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    line text; found boolean := false;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        found := found OR line ~ node;
    END LOOP;
    RETURN found;
END $$;
ANALYZE history;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
SELECT has_node('SELECT cvm.fit(''bg/nbd'', h, ''2024-01-01 00:00+00''), cvm.fit_spend(h) FROM history', 'Partial Aggregate') AS partial;
SELECT (SELECT cvm.fit('bg/nbd', h, '2024-01-01 00:00+00') FROM history) = m AS fit, (SELECT cvm.fit_spend(h) FROM history) = spend AS fit_spend FROM of_history WHERE vip IS NULL;
SELECT error_of($$SELECT cvm.fit('bg/nbd', h, '2024-01-01 00:00+00'::timestamptz + make_interval(days => customer)) FROM history$$) AS as_of_differs,
       error_of($$SELECT cvm.fit_spend(0, 1) FROM history$$) AS no_repeats;
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET parallel_leader_participation;

-- data without an interior maximum still end in a usable model; numbers at the end of what a float holds do, or say that they do not
CREATE FUNCTION rung(aggregate text, rows text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    m cvm.model; result text;
BEGIN
    EXECUTE format('SELECT cvm.%s FROM (VALUES %s) v(x, t_x, age, w)', aggregate, rows) INTO m;
    result := error_of(format('SELECT %L::cvm.model', m));
    RETURN CASE result WHEN 'no error' THEN substring(m::text FROM 'rung=(\w+)') ELSE result END;
EXCEPTION WHEN data_exception THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT what, rung('fit(''bg/nbd'', x, t_x, age, w)', rows) ~ '^(full|penalised|simpler|shrunk$|22003 the likelihood)' AS usable
FROM (VALUES ('one customer', '(1, 1, 2, 1)'), ('all alike', '(3, 10, 12, 1000000)'), ('nobody leaves', '(5, 10, 10, 100), (3, 10, 10, 100), (8, 10, 10, 50)'),
             ('huge x', '(1e9, 1, 2, 1), (0, 0, 2, 5)'), ('tiny times', '(2, 1e-300, 2e-300, 3), (0, 0, 2e-300, 5)'), ('huge times', '(2, 1e300, 1.5e300, 3), (0, 0, 1.5e300, 5)'),
             ('tiny weight', '(2, 1, 3, 1e-300), (0, 0, 3, 1e-300)'), ('huge weight', '(2, 1, 3, 1e300), (0, 0, 3, 1e300)')) v(what, rows);
SELECT what, rung('fit_spend(x, t_x)', rows) ~ '^(full|penalised|simpler|shrunk)$' AS usable
FROM (VALUES ('one customer', '(1, 1, 0, 0)'), ('all alike', '(3, 10, 0, 0), (3, 10, 0, 0), (3, 10, 0, 0)'), ('tiny', '(2, 1e-300, 0, 0), (3, 2e-300, 0, 0)'),
             ('huge', '(2, 1e300, 0, 0), (3, 2e300, 0, 0)'), ('huge x', '(1e9, 10, 0, 0), (1, 20, 0, 0)')) v(what, rows);

-- nothing to fit on, and bad rows
SELECT cvm.fit('bg/nbd', 1, 1, 2) FILTER (WHERE false) AS nothing, cvm.fit('bg/nbd', NULL::cvm.purchase_history, '2024-01-01') AS nulls, cvm.fit('bg/nbd', NULL::float8, NULL, NULL) AS raw_nulls,
       cvm.fit_spend(NULL::cvm.purchase_history) AS spend_nulls, cvm.fit_spend(NULL::float8, NULL) AS raw_spend_nulls;
SELECT error_of('SELECT cvm.' || call) AS result, call FROM unnest(ARRAY[
    $$fit('bg/nbd', 0, 0, 5)$$, $$fit('bg/nbd', x, 0, 5, 0) FROM generate_series(0, 0) x$$, $$fit_spend(0, 5)$$, $$fit('bg/nbd', h, '2024-02-01') FROM (SELECT cvm.purchase_history('2024-01-01'::date, -1) AS h) h$$,
    $$fit('bg-nbd', 1, 1, 2)$$, $$fit('gamma-gamma', 1, 1, 2)$$, $$fit(NULL, 1, 1, 2)$$, $$fit('', 1, 1, 2)$$, $$fit(repeat('x', 100), 1, 1, 2)$$,
    $$fit('bg/nbd', NULL, 1, 2)$$, $$fit('bg/nbd', 1, 1, NULL)$$, $$fit('bg/nbd', 1, 1, 2, NULL)$$, $$fit('bg/nbd', 'NaN', 1, 2)$$, $$fit('bg/nbd', 1, 'infinity', 2)$$, $$fit('bg/nbd', 1, 1, '-infinity')$$,
    $$fit('bg/nbd', 1.5, 1, 2)$$, $$fit('bg/nbd', -1, 1, 2)$$, $$fit('bg/nbd', 1, 3, 2)$$, $$fit('bg/nbd', 0, 1, 2)$$, $$fit('bg/nbd', 1, 0, 2)$$, $$fit('bg/nbd', 1, -1, 2)$$, $$fit('bg/nbd', 0, 0, -2)$$,
    $$fit('bg/nbd', 1, 1, 2, -1)$$, $$fit('bg/nbd', 1, 1, 2, 'NaN')$$, $$fit('bg/nbd', 1, 1, 2, 'infinity')$$, $$fit('bg/nbd', 1, 1, 2, 1, 'NaN')$$,
    $$fit(f, 1, 1, 2) FROM unnest('{bg/nbd, BG/NBD}'::text[]) f$$,
    $$fit_spend(1, 0)$$, $$fit_spend(1, -1)$$, $$fit_spend(1, 'NaN')$$, $$fit_spend(1, 'infinity')$$, $$fit_spend(1.5, 1)$$, $$fit_spend(-1, 1)$$, $$fit_spend('NaN', 1)$$, $$fit_spend(1, NULL)$$, $$fit_spend(NULL, 1)$$,
    $$fit('bg/nbd', h, '2023-06-01 00:00+00') FROM (SELECT cvm.purchase_history(d, 1) AS h FROM unnest('{2023-01-01, 2023-07-01}'::date[]) d) h$$, $$fit('bg/nbd', h, NULL) FROM history$$, $$fit('bg/nbd', h, 'infinity') FROM history$$, $$fit('bg/nbd', h, '-infinity') FROM history$$,
    $$fit('bg/nbd', h, '2024-01-01 00:00+00', '1 month') FROM history$$, $$fit('bg/nbd', h, '2024-01-01 00:00+00', '0') FROM history$$, $$fit('bg/nbd', h, '2024-01-01 00:00+00', NULL) FROM history$$,
    $$fit('bg/nbd', h, '2024-01-01 00:00+00', make_interval(days => customer)) FROM history$$,
    $$fit('bg/nbd', h, '2024-01-01 00:00+00') FROM (SELECT h FROM history UNION ALL SELECT cvm.purchase_history('2023-01-01'::date, 1, '7 days')) h$$,
    $$fit_spend(h) FROM (SELECT h FROM history UNION ALL SELECT cvm.purchase_history(d, 1, '7 days') FROM unnest('{2023-01-01, 2023-02-01}'::date[]) d) h$$]) call;
SELECT error_of('SELECT cvm.' || call) AS result, call FROM unnest(ARRAY[
    $$fit('bg/nbd', 1e300, 1, 10)$$, $$fit('pareto/nbd', 2e9, 1, 10)$$, $$fit_spend(1e300, 10)$$]) call;
SELECT cvm.fit('bg/nbd', 1e9, 1, 10) IS NOT NULL AS allowed, cvm.fit_spend(1e9, 10) IS NOT NULL AS allowed_spend;

DROP SCHEMA fit_test CASCADE;
