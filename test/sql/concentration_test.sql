-- concentration: Gini, Lorenz, Herfindahl-Hirschman, top shares, whale curve, ABC tiers, deciles
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA concentration_test;
SET search_path = concentration_test, public;
CREATE FUNCTION agrees(got float8, truth float8, tolerance float8 DEFAULT 1e-12) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN got IS NULL OR truth IS NULL THEN got IS NULL AND truth IS NULL ELSE abs(got - truth) <= tolerance * greatest(abs(truth), 1e-300) END $$;

CREATE TABLE seven AS SELECT y FROM unnest('{10, 1, 60, 3, 2, 20, 4}'::float8[]) AS y;
SELECT name, round(got::numeric, 12) AS got, agrees(got, truth)
FROM (SELECT cvm.gini(y) AS g, cvm.gini_small_sample(y) AS s, cvm.hhi(y) AS h, cvm.top_share(y, 0.2) AS t FROM seven) AS m,
     LATERAL (VALUES ('Gini', g, 0.6285714285714286), ('Gini, small sample', s, 0.7333333333333334), ('HHI', h, 0.413), ('share of the top 20 %', t, 0.8)) AS v(name, got, truth);
SELECT rank, value, round(population_share::numeric, 6) AS population_share, value_share FROM cvm.lorenz_curve(ARRAY(SELECT y FROM seven));
-- twice the area between the diagonal and the Lorenz curve, by trapezoids, is the Gini coefficient
SELECT agrees(1 - sum((value_share + previous) / 7), 0.6285714285714286, 1e-14) AS area
FROM (SELECT value_share, lag(value_share, 1, 0::float8) OVER (ORDER BY rank) AS previous FROM cvm.lorenz_curve(ARRAY(SELECT y FROM seven))) AS l;

-- against the definition, the mean difference between all pairs, on many samples; 1 / n to 1
CREATE TABLE sample AS SELECT s, i, round((exp(3 * sin(i * 12.9898 + s * 78.233)) * (i % (s + 1)))::numeric, 3)::float8 AS y
FROM generate_series(1, 40) AS s, LATERAL generate_series(1, 2 + s * 2) AS i;
SELECT count(*) AS samples, bool_and(agrees(g, d, 1e-12)) AS gini_agrees, bool_and(h BETWEEN 1.0 / n - 1e-15 AND 1) AS hhi_in_range, bool_and(agrees(h, hd, 1e-13)) AS hhi_agrees
FROM (SELECT s, count(*) AS n, cvm.gini(y) AS g, cvm.hhi(y) AS h FROM sample GROUP BY s) AS m
JOIN (SELECT a.s, sum(abs(a.y - b.y)) / 2 / count(*) / nullif(avg(a.y), 0) AS d FROM sample a JOIN sample b USING (s) GROUP BY a.s) AS p USING (s)
JOIN (SELECT s, sum(y * y) / sum(y) ^ 2 AS hd FROM sample GROUP BY s HAVING sum(y) > 0) AS q USING (s);
-- the same to the last bit in any order
SELECT count(*) AS samples, bool_and(up = down AND up = shuffled) AS order_free
FROM (SELECT cvm.gini(y ORDER BY y) AS up, cvm.gini(y ORDER BY y DESC) AS down, cvm.gini(y ORDER BY md5(i::text)) AS shuffled FROM sample GROUP BY s) AS m;

-- extremes: all equal, one holds everything, one customer, none, only zeros, a total below zero
SELECT name, cvm.gini(y), cvm.gini_small_sample(y), cvm.hhi(y), cvm.top_share(y, 0.1), cvm.whale_peak(y)
FROM (VALUES ('equal', '{5,5,5,5}'::float8[]), ('one of four', '{0,0,0,7}'), ('one customer', '{7}'), ('zeros', '{0,0}'), ('none', '{}'), ('null', '{NULL,NULL}')) AS v(name, ys)
LEFT JOIN LATERAL unnest(ys) AS y ON true GROUP BY name ORDER BY name;
-- a warning where shares are not between 0 and 1
SELECT cvm.gini(y) AS gini FROM unnest('{-20, 1, 30}'::float8[]) AS y;
SELECT cvm.hhi(y) AS hhi FROM unnest('{-20, 1, 30}'::float8[]) AS y;
SELECT cvm.gini(y), cvm.top_share(y, 0.5), cvm.whale_peak(y) FROM unnest('{-5, 1, 4}'::float8[]) AS y;
SELECT cvm.top_share(y, 0.5) AS more_than_all FROM unnest('{-20, 1, 30}'::float8[]) AS y;
-- ceil(fraction n) is not taken in by rounding: 0.1 x 30 is 3, 0.07 x 100 is 7
SELECT cvm.top_share(i, 0.1) = (28 + 29 + 30) / 465.0::float8 AS three FROM generate_series(1, 30) AS i;
SELECT cvm.top_share(1, 0.07) AS seven FROM generate_series(1, 100);
SELECT cvm.top_share(1, 0.071) AS eight FROM generate_series(1, 100);

-- whale curve
SELECT rank, profit, cumulative_profit, round(share_of_total::numeric, 6) AS share_of_total FROM cvm.whale_curve('{-20, -5, 0, 3, 10, 30, 50}');
SELECT cvm.whale_peak(p) AS peak, agrees(cvm.whale_peak(p), 1.3676470588235294) FROM unnest('{-20, -5, 0, 3, 10, 30, 50}'::float8[]) AS p;
SELECT rank, profit, cumulative_profit, share_of_total FROM cvm.whale_curve('{-20, 5}');
SELECT * FROM cvm.lorenz_curve('{0, 0}');
SELECT count(*) AS none FROM cvm.whale_curve('{}');

-- ABC: who crosses 80 % is still A, who crosses 95 % still B
CREATE TABLE item (item text, v numeric);
INSERT INTO item VALUES ('a', 50), ('b', 30), ('c', 8), ('d', 6), ('e', 3), ('f', 2), ('g', 1), ('h', 0), ('i', NULL);
SELECT item, v, sum(v) OVER w AS above, cvm.abc_tier(sum(v) OVER w, sum(v) OVER ()) AS tier, cvm.abc_tier((sum(v) OVER w)::float8, (sum(v) OVER ())::float8) AS tier_of_floats
FROM item WHERE v IS NOT NULL WINDOW w AS (ORDER BY v DESC GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) ORDER BY item;
-- the customer that crosses; equal values, one tier; sums of floats that miss a limit by rounding
SELECT item, cvm.abc_tier(sum(v) OVER w, sum(v) OVER ()) FROM (VALUES ('a', 79.9), ('b', 15), ('c', 5.1)) AS t(item, v)
WINDOW w AS (ORDER BY v DESC GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) ORDER BY item;
SELECT tier, count(*) FROM (SELECT cvm.abc_tier(sum(v) OVER w, sum(v) OVER ()) AS tier FROM (SELECT 1.0 AS v FROM generate_series(1, 100)) AS t
WINDOW w AS (ORDER BY v DESC GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS t GROUP BY tier;
SELECT cvm.abc_tier(0.1::float8 + 0.7, 1::float8) AS rounded, 0.1::float8 + 0.7 < 0.8::float8 AS misses, cvm.abc_tier(NULL, 10.0) AS first, cvm.abc_tier(1.0, 0.0) AS no_total, cvm.abc_tier(1.0, NULL::numeric) AS unknown,
       cvm.abc_tier(30.0, 100.0, a_share => 0.3, b_share => 0.6) AS other_limits;

-- deciles: by number, the best first; ties in one bin
SELECT bin, customers, lowest, highest, mean, total, share, round(cumulative_share::numeric, 12) AS cumulative_share
FROM cvm.decile_table(ARRAY(SELECT i FROM generate_series(1, 20) AS i));
SELECT * FROM cvm.decile_table('{1,1,1,2,2,3,5,8,8,13}', bins => 5);
SELECT bin, customers, share FROM cvm.decile_table('{0, 0, -1}', 2);
SELECT sum(customers) = (SELECT count(*) FROM sample) AS everyone, agrees(sum(total), (SELECT sum(y) FROM sample), 1e-12) AS everything FROM cvm.decile_table(ARRAY(SELECT y FROM sample));

-- parallel and windows
CREATE TABLE many AS SELECT i, (i * 7919 % 100003)::float8 AS v FROM generate_series(1, 100000) AS i;
ALTER TABLE many SET (parallel_workers = 2);
ANALYZE many;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE serial AS SELECT cvm.gini(v) AS g, cvm.hhi(v) AS h, cvm.top_share(v, 0.2) AS t, cvm.whale_peak(v - 1000) AS w FROM many;
RESET max_parallel_workers_per_gather;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT cvm.gini(v) FROM many;
SELECT cvm.gini(v) = g AND cvm.hhi(v) = h AND cvm.top_share(v, 0.2) = t AND cvm.whale_peak(v - 1000) = w AS same_in_parallel FROM many, serial GROUP BY g, h, t, w;
SELECT round(g::numeric, 6) AS gini, round(t::numeric, 6) AS top_fifth FROM serial;
SELECT y, round(cvm.gini(y) OVER (ORDER BY y)::numeric, 6) AS running FROM seven ORDER BY y;

-- what is outside its domain
\set VERBOSITY terse
SELECT cvm.gini(y) FROM unnest('{1, NaN}'::float8[]) AS y;
SELECT cvm.hhi(y) FROM unnest('{1, Infinity}'::float8[]) AS y;
SELECT cvm.gini(y) FROM unnest('{1e308, 1e308}'::float8[]) AS y;
SELECT cvm.top_share(y, 0) FROM seven;
SELECT cvm.top_share(y, 1.1) FROM seven;
SELECT cvm.top_share(y, y / 60) FROM seven;
SELECT * FROM cvm.lorenz_curve('{1, NULL}');
SELECT * FROM cvm.whale_curve('{1, NaN}');
SELECT * FROM cvm.decile_table('{1, 2}', 0);
SELECT cvm.abc_tier(1.0, 2.0, 0.9, 0.8);
SELECT cvm.abc_tier(1.0, 2.0, -0.1);
SELECT cvm.abc_tier(1.0, 'NaN'::numeric);
\set VERBOSITY default
SELECT cvm.gini(y) FROM unnest('{1, NaN}'::float8[]) AS y;
DROP SCHEMA concentration_test CASCADE;
