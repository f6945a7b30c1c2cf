-- value_formula: textbook formulas against published tables, explicit sums and solved equations
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA value_formula_test;
SET search_path = value_formula_test, public;
CREATE FUNCTION agrees(got float8, truth float8, tolerance float8 DEFAULT 1e-12) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN got IS NULL OR truth IS NULL THEN got IS NULL AND truth IS NULL ELSE abs(got - truth) <= tolerance * greatest(abs(truth), 1e-300) END $$;

-- averages x time
SELECT cvm.value_from_frequency(mean_value => 50, frequency => 4, lifetime => 5) AS by_frequency,
       cvm.value_from_arpu(arpu => 30, lifetime => 24, acquisition_cost => 200) AS by_arpu;

-- margin multiples: the table of Gupta & Lehmann (2003, 2005), rows discount 10 to 16 %, columns retention 60 to 90 %
SELECT i || ' %' AS discount,
       round(cvm.margin_multiple(0.6, i / 100.0)::numeric, 2) AS "60 %", round(cvm.margin_multiple(0.7, i / 100.0)::numeric, 2) AS "70 %",
       round(cvm.margin_multiple(0.8, i / 100.0)::numeric, 2) AS "80 %", round(cvm.margin_multiple(0.9, i / 100.0)::numeric, 2) AS "90 %"
FROM generate_series(10, 16, 2) AS i;
-- to the last digits: r / (1 + i - r) as an exact fraction
SELECT count(*) AS cells, bool_and(agrees(cvm.margin_multiple(r / 10.0, i / 100.0), ((10 * r)::numeric / (100 + i - 10 * r))::float8, 2e-15)) AS agree
FROM generate_series(10, 16, 2) AS i, generate_series(6, 9) AS r;
SELECT name, round(got::numeric, 10) AS got, agrees(got, truth) FROM (VALUES
    ('growth, first margin at the end', cvm.value_from_margin(100, 0.8, 0.12, growth_rate => 0.02), 263.1578947368421),
    ('growth, first margin now', cvm.value_from_margin(100, 0.8, 0.12, growth_rate => 0.02, first_margin => 'now'), 368.42105263157896),
    ('growth 5 %, end', cvm.value_from_margin(100, 0.9, 0.1, 0.05), 580.6451612903224),
    ('growth 5 %, now', cvm.value_from_margin(100, 0.9, 0.1, 0.05, 'now'), 709.6774193548387),
    ('five periods', cvm.value_from_margin(100, 0.8, 0.1, periods => 5), 212.4097335626603),
    ('one period', cvm.value_from_margin(100, 0.8, 0.1, periods => 1), 72.72727272727273),
    ('no period', cvm.value_from_margin(100, 0.8, 0.1, periods => 0), 0),
    ('nobody leaves, no discount: m n', cvm.value_from_margin(100, 1, 0, periods => 7), 700),
    ('everybody leaves, end', cvm.value_from_margin(100, 0, 0.1), 0),
    ('everybody leaves, now', cvm.value_from_margin(100, 0, 0.1, first_margin => 'now'), 100),
    ('a loss', cvm.value_from_margin(-10, 0.8, 0.1, periods => 5), -21.24097335626603),
    ('far horizon is the limit', cvm.margin_multiple(0.8, 0.1, periods => 2000000000), 0.8 / 0.3),
    ('growth faster than the discount, limited', cvm.margin_multiple(1, 0, 1, 'now', 10), 1023)
) AS v(name, got, truth);
-- finite horizons are the sums they say they are
SELECT count(*) AS sums, bool_and(agrees(cvm.margin_multiple(r, d, g, 'end', n), (SELECT sum(r ^ t * (1 + g) ^ (t - 1) / (1 + d) ^ t) FROM generate_series(1, n) AS t), 1e-13)
    AND agrees(cvm.margin_multiple(r, d, g, 'now', n), (SELECT sum((r * (1 + g) / (1 + d)) ^ t) FROM generate_series(0, n - 1) AS t), 1e-13)) AS agree
FROM unnest('{0.3, 0.8, 0.999999, 1}'::float8[]) AS r, unnest('{0, 0.000001, 0.1, 2}'::float8[]) AS d, unnest('{-0.5, 0, 0.02}'::float8[]) AS g, unnest('{1, 2, 7, 40}'::int[]) AS n;
-- 1 - q^n and 1 - q both vanish near q = 1: n (1 - (n - 1) e / 2) for q = 1 - e
SELECT agrees(cvm.margin_multiple(1, 1e-9, 0, 'now', 5), 5 * (1 - 2e-9), 1e-14) AS near_one;

-- present values
SELECT cvm.present_value('{110, 121}', 0.1) AS at_the_end, cvm.present_value('{100, 110}', 0.1, first_period => 0) AS from_now,
       cvm.present_value('{}', 0.1) AS none, cvm.present_value('{1, 1}', 0, 5) AS undiscounted,
       cvm.present_value(array_fill(1::float8, '{20000}'), 1) AS vanishing;

-- cohorts: 200 at the start, whoever is left
SELECT cvm.cohort_value(5000, 200), cvm.cohort_value(5000, 0) AS no_customers;
SELECT * FROM cvm.cohort_curve('{4000, 1000, 500}', 200);
SELECT * FROM cvm.cohort_curve('{4000, 1000}', 0);

-- Markov chain of Pfeifer & Carraway (2000): recency 1 to 4 and lost
CREATE TABLE chain AS SELECT
    '{{.3,.7,0,0,0},{.2,0,.8,0,0},{.15,0,0,.85,0},{.05,0,0,0,.95},{0,0,0,0,1}}'::float8[] AS p, '{36,-4,-4,-4,0}'::float8[] AS r;
SELECT v.state, round(v.limited::numeric, 8) AS limited, agrees(v.limited, t.limited) AND agrees(v.unlimited, t.unlimited) AS agrees
FROM chain, unnest(cvm.markov_value(p, r, 0.2, 4), cvm.markov_value(p, r, 0.2)) WITH ORDINALITY AS v(limited, unlimited, state)
JOIN (VALUES (1, 50.114969135802475, 52.319609438567944), (2, 4.219907407407408, 5.553783563873068), (3, 0.5921103395061725, 1.2507729861676158),
             (4, -1.9801311728395063, -1.8200162733930025), (5, 0, 0)) AS t(state, limited, unlimited) USING (state) ORDER BY v.state;
-- a solution solves its equation V = R + P V / (1 + d); row-major is the same; long is unlimited
SELECT bool_and(abs(v.v - chain.r[v.i] - (SELECT sum(chain.p[v.i][k] * s.v[k]) FROM generate_series(1, 5) AS k) / 1.2) < 1e-13) AS solves
FROM chain, LATERAL (SELECT cvm.markov_value(p, r, 0.2) AS v) AS s, unnest(s.v) WITH ORDINALITY AS v(v, i);
SELECT cvm.markov_value(ARRAY(SELECT unnest(p)), r, 0.2) = cvm.markov_value(p, r, 0.2) AS row_major,
       (SELECT bool_and(abs(a - b) < 1e-12) FROM unnest(cvm.markov_value(p, r, 0.2), cvm.markov_value(p, r, 0.2, 2000000000)) AS u(a, b)) AS long
FROM chain;
-- who is missing from a row has left for good; needing a pivot; one state is a margin multiple
SELECT cvm.markov_value('{{.3,.7,0,0},{.2,0,.8,0},{.15,0,0,.85},{.05,0,0,0}}', '{36,-4,-4,-4}', 0.2) = (SELECT (cvm.markov_value(p, r, 0.2))[1:4] FROM chain) AS without_lost,
       cvm.markov_value('{{0,1},{0,0}}', '{1,2}', 0) AS undiscounted, agrees((cvm.markov_value('{0.8}', '{100}', 0.12))[1], cvm.value_from_margin(100, 0.8, 0.12, first_margin => 'now')) AS one_state;
-- nearly singular: both states together earn (1 + d) / d, and 1 more in the first
SELECT d, bool_and(agrees(v[1], ((1 + d) / d + 1) / 2, 1e-14) AND agrees(v[2], ((1 + d) / d - 1) / 2, 1e-14)) AS agrees
FROM unnest('{1e-15, 1e-12, 1e-9, 1e-3}'::float8[]) AS d, cvm.markov_value('{{.5,.5},{.5,.5}}', '{1,0}', d) AS v GROUP BY d ORDER BY d;
SELECT d, agrees(v[1], (1 + d) / d, 1e-14) AS agrees FROM unnest('{1e-15, 1e-6}'::float8[]) AS d, cvm.markov_value('{{.1,.2,.7},{.3,.3,.4},{.6,.3,.1}}', '{1,1,1}', d) AS v ORDER BY d;

-- retention over other periods
SELECT name, round(got::numeric, 12) AS got, agrees(got, truth) FROM (VALUES
    ('3 % a month for a year', cvm.yearly_retention(0.97), 0.6938423609954377),
    ('30 % a year for a month, churn', 1 - cvm.monthly_retention(0.7), 0.029285530376777613),
    ('the same by periods', cvm.convert_retention(0.97, 12), 0.6938423609954377),
    ('too small for a double is 0', cvm.convert_retention(0.5, 2000), 0),
    ('nobody stays for no time', cvm.convert_retention(0, 0), 1),
    ('expected lifetime', cvm.expected_lifetime(0.2), 5),
    ('nobody ever leaves', cvm.expected_lifetime(0), NULL)
) AS v(name, got, truth);

-- NULL in, NULL out
SELECT cvm.value_from_frequency(NULL, 4, 5), cvm.value_from_arpu(30, NULL, 200), cvm.value_from_margin(NULL, 0.8, 0.1), cvm.margin_multiple(0.8, NULL),
       cvm.present_value(NULL, 0.1), cvm.present_value('{1}', NULL), cvm.cohort_value(NULL, 5), cvm.markov_value(NULL, '{1}', 0.1),
       cvm.convert_retention(NULL, 12), cvm.expected_lifetime(NULL);

-- a table of users' own numbers; the functions are inlined where they can be
CREATE TABLE segment (segment text, margin numeric, retention numeric);
INSERT INTO segment VALUES ('a', 100, 0.8), ('b', 50, 0.9), ('c', NULL, 0.5);
SELECT segment, round(cvm.value_from_margin(margin::float8, retention::float8, 0.1)::numeric, 4) AS value FROM segment ORDER BY segment;

-- what is outside its domain
\set VERBOSITY terse
SELECT cvm.value_from_frequency(50, -1, 5);
SELECT cvm.value_from_frequency('NaN', 1, 5);
SELECT cvm.value_from_arpu(30, 24, -1);
SELECT cvm.margin_multiple(1.1, 0.1);
SELECT cvm.margin_multiple(-0.1, 0.1);
SELECT cvm.margin_multiple(0.8, -0.1);
SELECT cvm.margin_multiple(0.8, 0.1, -1.5);
SELECT cvm.margin_multiple(0.8, 'Infinity');
SELECT cvm.margin_multiple(0.8, 0.1, periods => -1);
SELECT cvm.margin_multiple(0.8, 0.1, first_margin => 'tomorrow');
SELECT cvm.margin_multiple(1, 0);
SELECT cvm.margin_multiple(0.9, 0.1, 0.25);
SELECT cvm.margin_multiple(1, 0, 1, 'now', 2000);
SELECT cvm.present_value('{1, NULL}', 0.1);
SELECT cvm.present_value('{1, NaN}', 0.1);
SELECT cvm.present_value('{1}', -0.1);
SELECT cvm.cohort_value(5000, -1);
SELECT cvm.convert_retention(1.2, 12);
SELECT cvm.convert_retention(0.5, -1);
SELECT cvm.expected_lifetime(1.5);
SELECT cvm.markov_value('{{.5,.6},{0,1}}', '{1,1}', 0.1);
SELECT cvm.markov_value('{{.5,-.5},{0,1}}', '{1,1}', 0.1);
SELECT cvm.markov_value('{{.5,.5},{0,NULL}}', '{1,1}', 0.1);
SELECT cvm.markov_value('{{.5,.5},{0,1}}', '{1,1,1}', 0.1);
SELECT cvm.markov_value('{{.5},{0}}', '{1,1}', 0.1);
SELECT cvm.markov_value('{}', '{}', 0.1);
SELECT cvm.markov_value('{{.5,.5},{0,1}}', '{1,1}', -0.1);
SELECT cvm.markov_value('{{.5,.5},{0,1}}', '{1,1}', 0.1, -1);
SELECT cvm.markov_value('{{.5,.5},{0,1}}', '{1,0}', 0);
SELECT cvm.markov_value(array_fill(0::float8, '{1001}'), array_fill(0::float8, '{1001}'), 0.1);
\set VERBOSITY default
SELECT cvm.margin_multiple(1.1, 0.1);
DROP SCHEMA value_formula_test CASCADE;
