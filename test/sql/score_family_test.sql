-- score_family: what every family of purchases owes in SQL, on raw statistics and on histories
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA score_family_test;
SET search_path = score_family_test, public, cvm;

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

-- an instant so many weeks after as_of, to a microsecond and a float's digits
CREATE FUNCTION same_time(at timestamptz, as_of timestamptz, weeks float8) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN weeks > 1e7 THEN at = 'infinity' ELSE abs(extract(epoch FROM at)::float8 - extract(epoch FROM as_of)::float8 - 604800 * weeks) < 2e-6 + 1e-13 * 604800 * weeks END $$;

-- a family added to the registry is missing here
CREATE TABLE model (family text, m cvm.model);
INSERT INTO model VALUES
    ('bg/nbd', 'bg/nbd(r=0.8,alpha=6,a=0.8,b=2.5)'), ('mbg/nbd', 'mbg/nbd(r=0.8,alpha=6,a=0.8,b=2.5)'), ('pareto/nbd', 'pareto/nbd(r=0.8,alpha=6,s=0.9,beta=12)'),
    ('bg/cnbd-k', 'bg/cnbd-k(k=3,r=1.2,alpha=2,a=0.8,b=2.5)'), ('mbg/cnbd-k', 'mbg/cnbd-k(k=2,r=1.2,alpha=3,a=0.8,b=2.5)'),
    ('bg/bb', 'bg/bb(alpha=1.2,beta=0.75,gamma=0.66,delta=2.78) unit=604800');
SELECT count(*) AS missing FROM cvm.families LEFT JOIN model USING (family) WHERE kind = 'purchases' AND model.family IS NULL;

-- histories of weeks, as their statistics; some of one purchase only
CREATE TABLE history AS
SELECT c AS customer, cvm.purchase_history('2023-01-02 10:00+00'::timestamptz + make_interval(days => (c * k * 13) % 230), 10 + (c * k) % 90, interval '7 days') AS h
FROM generate_series(1, 40) c, generate_series(0, 5) k WHERE k <= c % 6 GROUP BY 1;
CREATE TABLE asked AS
SELECT family, m, customer, h, '2024-01-01 12:00+00'::timestamptz AS as_of, cvm.repeat_periods(h) AS x, cvm.span(h) AS t_x, cvm.age(h, '2024-01-01 12:00+00') AS age FROM model, history;
SELECT family, count(*) AS customers,
       count(*) FILTER (WHERE cvm.p_alive(m, h, as_of) <> cvm.p_alive(m, x, t_x, age)) AS p_alive,
       count(*) FILTER (WHERE NOT near(cvm.expected_purchases(m, h, as_of, '180 days'), cvm.expected_purchases(m, x, t_x, age, 180 / 7.0), 1e-13)) AS expected,
       count(*) FILTER (WHERE cvm.discounted_purchases(m, h, as_of, 0.01) <> cvm.discounted_purchases(m, x, t_x, age, 0.01)) AS discounted,
       count(*) FILTER (WHERE NOT near(cvm.discounted_purchases(m, h, as_of, 0.01, '70 days'), cvm.discounted_purchases(m, x, t_x, age, 0.01, 10), 1e-13)) AS discounted_horizon,
       count(*) FILTER (WHERE NOT near(cvm.log_likelihood(m, h, as_of), cvm.log_likelihood(m, x, t_x, age, cvm.log_intervals(h)), 1e-12)) AS log_likelihood,
       count(*) FILTER (WHERE NOT near(cvm.p_no_purchase(m, h, as_of, '70 days'), cvm.p_no_purchase(m, x, t_x, age, 10), 1e-13)) AS p_no_purchase,
       count(*) FILTER (WHERE NOT near(cvm.purchase_probability(m, h, as_of, '70 days', 2), cvm.purchase_probability(m, x, t_x, age, 10, 2), 1e-13)) AS probability,
       count(*) FILTER (WHERE NOT same_time(cvm.next_purchase(m, h, as_of), as_of, cvm.next_purchase(m, x, t_x, age))) AS next,
       count(*) FILTER (WHERE NOT same_time(cvm.next_purchase(m, h, as_of, 0.2), as_of, cvm.next_purchase(m, x, t_x, age, 0.2))) AS next_quantile
FROM asked GROUP BY 1 ORDER BY 1;
-- probabilities sum to one, and n times them to the mean; nothing happens in no time
SELECT family, count(*) AS customers, count(*) FILTER (WHERE abs(total - 1) > 1e-11) AS do_not_sum_to_one, count(*) FILTER (WHERE NOT near(mean, cvm.expected_purchases(m, x, t_x, age, 20), 1e-9)) AS mean_differs,
       count(*) FILTER (WHERE cvm.expected_purchases(m, x, t_x, age, 0) <> 0 OR cvm.p_no_purchase(m, x, t_x, age, 0) <> 1) AS at_once,
       count(*) FILTER (WHERE NOT (cvm.p_alive(m, x, t_x, age) BETWEEN 0 AND 1)) AS outside
FROM asked, LATERAL (SELECT sum(p) AS total, sum(n * p) AS mean FROM generate_series(0, 200) n, LATERAL (SELECT cvm.purchase_probability(m, x, t_x, age, 20, n) AS p) p) d GROUP BY 1 ORDER BY 1;
-- discounted purchases are those expected, discounted: by parts, exp(-rate H) E(H) plus the integral of rate exp(-rate t) E(t), by Simpson's rule; by steps in discrete time
SELECT family, count(*) AS customers, count(*) FILTER (WHERE NOT near(cvm.discounted_purchases(m, x, t_x, age, 0.05, 20), truth, 1e-6)) AS differ
FROM asked, LATERAL (
    SELECT CASE WHEN family = 'bg/bb' THEN (SELECT sum(exp(-0.05 * j) * (cvm.expected_purchases(m, x, t_x, age, j) - cvm.expected_purchases(m, x, t_x, age, j - 1))) FROM generate_series(1, 20) j)
                ELSE exp(-0.05 * 20) * cvm.expected_purchases(m, x, t_x, age, 20)
                     + (SELECT sum(0.1 / 3 * CASE WHEN i IN (0, 200) THEN 1 WHEN i % 2 = 1 THEN 4 ELSE 2 END * 0.05 * exp(-0.05 * 0.1 * i) * cvm.expected_purchases(m, x, t_x, age, 0.1 * i)) FROM generate_series(0, 200) i) END AS truth) t
WHERE customer <= 6 GROUP BY 1 ORDER BY 1;

-- the window of the next purchase: its ends are quantiles, and given alive nobody buys before a quantile with its probability
SELECT family, count(*) AS customers, count(*) FILTER (WHERE median <> cvm.next_purchase(m, x, t_x, age) OR NOT near(low, cvm.next_purchase(m, x, t_x, age, (1 - share) / 2), 1e-12)) AS not_quantiles,
       count(*) FILTER (WHERE NOT (low <= median AND median <= high)) AS not_in_order,
       count(*) FILTER (WHERE family <> 'bg/bb' AND high < 'infinity' AND abs(1 - (cvm.p_no_purchase(m, x, t_x, age, high) - (1 - alive)) / alive - (1 + share) / 2) > 1e-8) AS high_differs,
       count(*) FILTER (WHERE family = 'bg/bb' AND high < 'infinity' AND (1 - (cvm.p_no_purchase(m, x, t_x, age, high) - (1 - alive)) / alive < (1 + share) / 2
                                                     OR 1 - (cvm.p_no_purchase(m, x, t_x, age, high - 1) - (1 - alive)) / alive >= (1 + share) / 2)) AS high_is_not_the_first,
       count(*) FILTER (WHERE high = 'infinity') AS may_never
FROM asked, (VALUES (0.5), (0.8)) s(share), LATERAL (SELECT cvm.p_alive(m, x, t_x, age) AS alive) a, LATERAL cvm.next_purchase_window(m, x, t_x, age, share) w WHERE alive > 1e-3 GROUP BY 1 ORDER BY 1;
SELECT family, count(*) FILTER (WHERE w.median = cvm.next_purchase(m, h, as_of) AND w.low = cvm.next_purchase(m, h, as_of, 0.1) AND w.high = cvm.next_purchase(m, h, as_of, 0.9)) AS timestamps,
       count(*) FILTER (WHERE w.low > as_of) AS later, count(*) FILTER (WHERE w.high = 'infinity') AS may_never, count(*) FILTER (WHERE NOT (same_time(w.low, as_of, raw.low) AND same_time(w.median, as_of, raw.median) AND same_time(w.high, as_of, raw.high))) AS differ
FROM asked, LATERAL cvm.next_purchase_window(m, h, as_of) w, LATERAL cvm.next_purchase_window(m, x, t_x, age) raw GROUP BY 1 ORDER BY 1;
-- beyond the last timestamp: infinity
SELECT cvm.next_purchase('bg/nbd(r=0.001,alpha=100,a=1,b=1)', h, '2024-01-01') AS never_mind FROM (SELECT cvm.purchase_history('2023-01-02'::date, 1) AS h) h;

-- two conventions of alive in discrete time (Fader, Hardie & Shang 2010); continuous time has one
SELECT count(*) FILTER (WHERE NOT near(cvm.p_alive_at_last(m, x, t_x, age), cvm.p_alive(m, x, t_x, age) * (0.66 + 2.78 + age) / (2.78 + age), 1e-13)) AS differ,
       count(*) FILTER (WHERE cvm.p_alive_at_last(m, h, as_of) <> cvm.p_alive_at_last(m, x, t_x, age)) AS histories, max(cvm.p_alive_at_last(m, x, age, age)) FILTER (WHERE x > 0) AS just_bought
FROM asked WHERE family = 'bg/bb';
SELECT family, error_of(format('SELECT cvm.p_alive_at_last(%L, 1, 2, 3)', m)) AS result FROM model ORDER BY 1;

-- opportunities are the model's unit, or nobody knows
SELECT cvm.unit('bg/bb(alpha=1,beta=1,gamma=1,delta=1)') AS unit, 'bg/bb(alpha=1,beta=1,gamma=1,delta=1)'::cvm.model AS text, cvm.unit('bg/bb(alpha=1,beta=1,gamma=1,delta=1) unit=86400') AS days,
       cvm.unit(cvm.fit('bg/bb', x, t_x, age)) IS NULL AS raw, cvm.unit(cvm.fit('bg/bb', h, as_of)) AS of_histories FROM asked WHERE family = 'bg/bb';
SELECT near((cvm.parameters(a)->>'alpha')::float8, (cvm.parameters(b)->>'alpha')::float8, 1e-12) AND cvm.log_likelihood(a) = cvm.log_likelihood(b) AS same
FROM (SELECT cvm.fit('bg/bb', x, t_x, age) AS a, cvm.fit('bg/bb', h, as_of) AS b FROM asked WHERE family = 'bg/bb') f;
SELECT error_of(statement) AS result, statement FROM unnest(ARRAY[
    $$SELECT cvm.p_alive('bg/bb(alpha=1,beta=1,gamma=1,delta=1)', h, '2024-01-01') FROM history$$,
    $$SELECT cvm.p_alive('bg/bb(alpha=1,beta=1,gamma=1,delta=1) unit=86400', h, '2024-01-01') FROM history$$,
    $$SELECT cvm.expected_purchases('bg/bb(alpha=1,beta=1,gamma=1,delta=1) unit=604800', cvm.purchase_history('2023-01-02'::date, 1), '2024-01-01', '70 days')$$,
    $$SELECT cvm.fit('bg/bb', h, '2024-01-01', '1 day') FROM history$$,
    $$SELECT cvm.fit('bg/bb', h, '2024-01-01') FROM (SELECT cvm.purchase_history('2023-01-02'::date, 1) AS h) h$$,
    $$SELECT cvm.p_alive(cvm.fit('bg/bb', 1, 1, 3), h, '2024-01-01') FROM history GROUP BY h$$]) statement;

-- log_intervals: the likelihood of the cnbd-k families is nothing without, P(alive) and the future do not ask for it
SELECT error_of(statement) AS result, statement FROM unnest(ARRAY[
    $$SELECT cvm.log_likelihood('bg/cnbd-k(k=2,r=1,alpha=1,a=1,b=1)', 2, 8, 9)$$, $$SELECT cvm.log_likelihood('mbg/cnbd-k(k=1,r=1,alpha=1,a=1,b=1)', 0, 0, 9)$$,
    $$SELECT cvm.log_likelihood('bg/cnbd-k(k=2,r=1,alpha=1,a=1,b=1)', 2, 8, 9, 3)$$, $$SELECT cvm.log_likelihood('bg/cnbd-k(k=2,r=1,alpha=1,a=1,b=1)', 2, 8, 9, '-infinity')$$, $$SELECT cvm.log_likelihood('bg/cnbd-k(k=2,r=1,alpha=1,a=1,b=1)', 2, 8, 9, 'NaN')$$,
    $$SELECT cvm.log_likelihood('bg/cnbd-k(k=2,r=1,alpha=1,a=1,b=1)', 0, 0, 9, 1)$$, $$SELECT cvm.log_likelihood('bg/cnbd-k(k=2,r=1,alpha=1,a=1,b=1)', 4, 2, 9, 0)$$,
    $$SELECT cvm.log_likelihood('bg/cnbd-k(k=2,r=1,alpha=1,a=1,b=1)', 0, 0, 9, 0)$$, $$SELECT cvm.log_likelihood('bg/cnbd-k(k=2,r=1,alpha=1,a=1,b=1)', 4, 4, 9, 0)$$,
    $$SELECT cvm.p_alive('bg/cnbd-k(k=2,r=1,alpha=1,a=1,b=1)', 4, 2, 9)$$,
    $$SELECT cvm.fit('bg/cnbd-k', 2, 8, 9)$$, $$SELECT cvm.fit('mbg/cnbd-k', 2, 8, 9, 1)$$, $$SELECT cvm.fit('mbg/cnbd-k', 2, 8, 9, 1, '-infinity')$$, $$SELECT cvm.fit('mbg/cnbd-k', 2, 8, 9, 1, 3)$$, $$SELECT cvm.fit('mbg/cnbd-k', 4, 2, 9, 1, 0)$$, $$SELECT cvm.fit('mbg/cnbd-k', 2, 8, 9, 0, 3)$$]) statement;
-- one more likelihood from its definition: k = 2, x = 1, t_x = 3 of 5; e^LL by the integral over lambda and p (formulas of the paper, appendix), r = alpha = a = b = 1
SELECT near(exp(cvm.log_likelihood('bg/cnbd-k(k=2,r=1,alpha=1,a=1,b=1)', 1, 3, 5, ln(3))), 3 * (1 / 2.0 * (2 / 6.0 ^ 3 + 2 * 6 / 6.0 ^ 4) + 1 / 2.0 * 2 / 4.0 ^ 3), 1e-14) AS right;

-- rows out of the domain, in every function
SELECT family, count(*) AS asked, count(*) FILTER (WHERE r ~ '^22023 a customer is outside the domain of .*The row has x =') AS refused
FROM model, unnest(ARRAY['1.5, 2, 3', '-1, 2, 3', '1, 4, 3', '1, -1, 3', '0, 1, 3', '1, 0, 3', '0, 0, -1']) row,
     unnest(ARRAY['p_alive(%L, %s)', 'expected_purchases(%L, %s, 1)', 'discounted_purchases(%L, %s, 0.1)', 'discounted_purchases(%L, %s, 0.1, 1)', 'log_likelihood(%L, %s, 0)', 'purchase_probability(%L, %s, 1, 1)', 'p_no_purchase(%L, %s, 1)',
                  'next_purchase(%L, %s)', 'next_purchase(%L, %s, 0.5)', 'next_purchase_window(%L, %s)']) f, LATERAL (SELECT error_of('SELECT cvm.' || format(f, m, row))) e(r) GROUP BY 1 ORDER BY 1;
SELECT row, error_of('SELECT cvm.p_alive(''bg/bb(alpha=1,beta=1,gamma=1,delta=1)'', ' || row || ')') AS result FROM unnest(ARRAY['2, 1, 3', '1, 1.5, 3', '1, 1, 3.5', '1, 1, 2000000']) row;
SELECT call, error_of('SELECT cvm.' || call) AS result FROM unnest(ARRAY[$$next_purchase_window('bg/nbd(r=1,alpha=1,a=1,b=1)', 1, 2, 3, 0)$$, $$next_purchase_window('bg/nbd(r=1,alpha=1,a=1,b=1)', 1, 2, 3, 1)$$, $$next_purchase_window('bg/nbd(r=1,alpha=1,a=1,b=1)', 1, 2, 3, 'NaN')$$,
    $$next_purchase('bg/nbd(r=1,alpha=1,a=1,b=1)', h, '2024-01-01', 2) FROM history$$, $$next_purchase('bg/nbd(r=1,alpha=1,a=1,b=1)', h, '2022-01-01') FROM history$$, $$next_purchase_window('sbg(alpha=1,beta=1)', h, '2024-01-01') FROM history$$,
    $$p_no_purchase('bg/bb(alpha=1,beta=1,gamma=1,delta=1)', 0, 0, 0, 1e7)$$]) call;
SELECT cvm.next_purchase(m, h, '2024-01-01') AS next, cvm.next_purchase_window(m, h, '2024-01-01') AS window FROM (SELECT 'bg/nbd(r=1,alpha=1,a=1,b=1)'::cvm.model AS m, cvm.purchase_history('2024-01-01'::date, -1) AS h) nobody;

CREATE FUNCTION number(call text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    result float8;
BEGIN
    EXECUTE 'SELECT cvm.' || call INTO result;
    RETURN result;
END $$;
-- extreme but legal: a number, never NaN
SELECT family, count(*) AS asked, count(*) FILTER (WHERE v >= 0 AND v < 'infinity') AS numbers, count(*) FILTER (WHERE v > 1 AND f ~ '^p') AS above_one
FROM (SELECT family, (SELECT family || '(' || string_agg(p || '=' || CASE WHEN p = 'k' THEN '12' WHEN i >> n::int & 1 = 1 THEN '1000' ELSE '0.001' END, ',') || ')' FROM unnest(parameters) WITH ORDINALITY u(p, n)) AS m
      FROM cvm.families, generate_series(0, 62, 2) i WHERE kind = 'purchases' AND (i < 32 OR cardinality(parameters) = 5)) m,
     unnest(ARRAY['0, 0, 0', '0, 0, 10000', '1, 1, 10000', '100, 9990, 10000', '5000, 10000, 10000']) row,
     unnest(ARRAY['p_alive(%L, %s)', 'expected_purchases(%L, %s, 10000)', 'discounted_purchases(%L, %s, 0.00001)', 'discounted_purchases(%L, %s, 0.1, 10)', 'purchase_probability(%L, %s, 100, 3)', 'p_no_purchase(%L, %s, 10000)']) f,
     LATERAL (SELECT number(format(f, m, row))) e(v) GROUP BY 1 ORDER BY 1;

DROP SCHEMA score_family_test CASCADE;
