-- driver: what drives an outcome, on published data, against closed forms, and where nothing can be told
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA driver_test;
SET search_path = driver_test, public;
CREATE FUNCTION agrees(got float8, truth float8, tolerance float8 DEFAULT 1e-12) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN got IS NULL OR truth IS NULL THEN got IS NULL AND truth IS NULL ELSE abs(got - truth) <= tolerance * greatest(abs(truth), 1e-300) END $$;

-- Motor Trend 1974 (R's mtcars) and Mosteller & Tukey 1977 (R's swiss)
CREATE TABLE mtcars (mpg float8, cyl float8, disp float8, hp float8, wt float8);
INSERT INTO mtcars VALUES
(21, 6, 160, 110, 2.62), (21, 6, 160, 110, 2.875), (22.8, 4, 108, 93, 2.32), (21.4, 6, 258, 110, 3.215), (18.7, 8, 360, 175, 3.44),
(18.1, 6, 225, 105, 3.46), (14.3, 8, 360, 245, 3.57), (24.4, 4, 146.7, 62, 3.19), (22.8, 4, 140.8, 95, 3.15), (19.2, 6, 167.6, 123, 3.44),
(17.8, 6, 167.6, 123, 3.44), (16.4, 8, 275.8, 180, 4.07), (17.3, 8, 275.8, 180, 3.73), (15.2, 8, 275.8, 180, 3.78), (10.4, 8, 472, 205, 5.25),
(10.4, 8, 460, 215, 5.424), (14.7, 8, 440, 230, 5.345), (32.4, 4, 78.7, 66, 2.2), (30.4, 4, 75.7, 52, 1.615), (33.9, 4, 71.1, 65, 1.835),
(21.5, 4, 120.1, 97, 2.465), (15.5, 8, 318, 150, 3.52), (15.2, 8, 304, 150, 3.435), (13.3, 8, 350, 245, 3.84), (19.2, 8, 400, 175, 3.845),
(27.3, 4, 79, 66, 1.935), (26, 4, 120.3, 91, 2.14), (30.4, 4, 95.1, 113, 1.513), (15.8, 8, 351, 264, 3.17), (19.7, 6, 145, 175, 2.77),
(15, 8, 301, 335, 3.57), (21.4, 4, 121, 109, 2.78);
CREATE TABLE swiss (fertility float8, agriculture float8, examination float8, education float8, catholic float8, infant_mortality float8);
INSERT INTO swiss VALUES
(80.2, 17, 15, 12, 9.96, 22.2), (83.1, 45.1, 6, 9, 84.84, 22.2), (92.5, 39.7, 5, 5, 93.4, 20.2), (85.8, 36.5, 12, 7, 33.77, 20.3),
(76.9, 43.5, 17, 15, 5.16, 20.6), (76.1, 35.3, 9, 7, 90.57, 26.6), (83.8, 70.2, 16, 7, 92.85, 23.6), (92.4, 67.8, 14, 8, 97.16, 24.9),
(82.4, 53.3, 12, 7, 97.67, 21), (82.9, 45.2, 16, 13, 91.38, 24.4), (87.1, 64.5, 14, 6, 98.61, 24.5), (64.1, 62, 21, 12, 8.52, 16.5),
(66.9, 67.5, 14, 7, 2.27, 19.1), (68.9, 60.7, 19, 12, 4.43, 22.7), (61.7, 69.3, 22, 5, 2.82, 18.7), (68.3, 72.6, 18, 2, 24.2, 21.2),
(71.7, 34, 17, 8, 3.3, 20), (55.7, 19.4, 26, 28, 12.11, 20.2), (54.3, 15.2, 31, 20, 2.15, 10.8), (65.1, 73, 19, 9, 2.84, 20),
(65.5, 59.8, 22, 10, 5.23, 18), (65, 55.1, 14, 3, 4.52, 22.4), (56.6, 50.9, 22, 12, 15.14, 16.7), (57.4, 54.1, 20, 6, 4.2, 15.3),
(72.5, 71.2, 12, 1, 2.4, 21), (74.2, 58.1, 14, 8, 5.23, 23.8), (72, 63.5, 6, 3, 2.56, 18), (60.5, 60.8, 16, 10, 7.72, 16.3),
(58.3, 26.8, 25, 19, 18.46, 20.9), (65.4, 49.5, 15, 8, 6.1, 22.5), (75.5, 85.9, 3, 2, 99.71, 15.1), (69.3, 84.9, 7, 6, 99.68, 19.8),
(77.3, 89.7, 5, 2, 100, 18.3), (70.5, 78.2, 12, 6, 98.96, 19.4), (79.4, 64.9, 7, 3, 98.22, 20.2), (65, 75.9, 9, 9, 99.06, 17.8),
(92.2, 84.6, 3, 3, 99.46, 16.3), (79.3, 63.1, 13, 13, 96.83, 18.1), (70.4, 38.4, 26, 12, 5.62, 20.3), (65.7, 7.7, 29, 11, 13.79, 20.5),
(72.7, 16.7, 22, 13, 11.22, 18.9), (64.4, 17.6, 35, 32, 16.92, 23), (77.6, 37.6, 15, 7, 4.97, 20), (67.6, 18.7, 25, 7, 8.65, 19.5),
(35, 1.2, 37, 53, 42.34, 18), (44.7, 46.6, 16, 29, 50.43, 18.2), (42.8, 27.7, 22, 29, 58.33, 19.3);

CREATE TABLE mt AS SELECT d.* FROM unnest((SELECT cvm.drivers(mpg, ARRAY[cyl, disp, hp, wt], '{cyl,disp,hp,wt}') FROM mtcars)) WITH ORDINALITY AS d;
CREATE TABLE sw AS SELECT d.* FROM unnest((SELECT cvm.drivers(fertility, ARRAY[agriculture, examination, education, catholic, infant_mortality],
    '{Agriculture,Examination,Education,Catholic,Infant.Mortality}') FROM swiss)) WITH ORDINALITY AS d;
-- LMG of relaimpo (Gromping 2006), relative weights of rwa and of an own computation; exact rationals over all orders
SELECT attribute, round(d.lmg::numeric, 8) AS lmg, round(d.relative_weight::numeric, 8) AS relative_weight, agrees(d.lmg, t.lmg, 1e-9) AS lmg_agrees,
       agrees(d.relative_weight, t.relative_weight, 1e-6) AS weight_agrees, round(d.r_squared::numeric, 10) AS r_squared
FROM mt AS d JOIN (VALUES ('cyl', 0.21570938609525575, 0.2096904), ('disp', 0.20069837473893903, 0.1883043), ('hp', 0.17007694580081587, 0.1799590),
    ('wt', 0.2621500867862229, 0.2706812)) AS t(attribute, lmg, relative_weight) USING (attribute) ORDER BY ordinality;
SELECT attribute, round(d.lmg::numeric, 8) AS lmg, round(d.relative_weight::numeric, 8) AS relative_weight, agrees(d.lmg, t.lmg, 1e-9) AS lmg_agrees,
       agrees(d.relative_weight, t.relative_weight, 1e-6) AS weight_agrees, agrees(d.r_squared, 0.7067350015927255) AS r_squared_agrees
FROM sw AS d JOIN (VALUES ('Agriculture', 0.05709122076809113, 0.0484169), ('Examination', 0.17117302890023423, 0.15470825), ('Education', 0.2601346786243846, 0.2719641),
    ('Catholic', 0.10557015037349367, 0.11468003), ('Infant.Mortality', 0.11276592292652184, 0.11696572)) AS t(attribute, lmg, relative_weight) USING (attribute) ORDER BY ordinality;
-- both sum to R squared, importances to 1
SELECT agrees(sum(lmg), max(r_squared)) AS lmg, agrees(sum(relative_weight), max(r_squared)) AS weights, agrees(sum(importance), 1) AS importance FROM mt;
-- the regression, from exact rationals: coefficient, beta, its standard error, variance inflation
SELECT attribute, round(d.coefficient::numeric, 6) AS coefficient, round(d.standardised::numeric, 6) AS standardised, round(d.standard_error::numeric, 6) AS standard_error, round(p_value::numeric, 6) AS p_value,
       agrees(d.coefficient, t.b) AND agrees(d.standardised, t.beta) AND agrees(d.standard_error, t.se) AND agrees(d.vif, t.vif) AND agrees(d.performance, t.mean) AND agrees(d.correlation, t.r) AS agrees, status
FROM sw AS d JOIN (VALUES
    ('Agriculture', 50.659574468085104, -0.17211397094145534, -0.3129212824999203, 0.12781991889154426, 2.2841293775972944, 0.35307918361997476),
    ('Examination', 16.48936170212766, -0.2580082398347239, -0.16477822253934757, 0.1621405529966227, 3.675419575544337, -0.6458827064572875),
    ('Education', 10.97872340425532, -0.8709400629394242, -0.6704007801060745, 0.1408851452543986, 2.77494278112695, -0.6637888570350692),
    ('Catholic', 41.14382978723404, 0.10411533074376753, 0.34760002814421886, 0.11771206455693535, 1.9371603802631259, 0.463684700651794),
    ('Infant.Mortality', 19.942553191489363, 1.077048140690986, 0.25113597629871054, 0.08900580537574011, 1.1075422255569538, 0.41655603143498265)) AS t(attribute, mean, b, beta, se, vif, r)
    USING (attribute) ORDER BY ordinality;
SELECT attribute, status, reason FROM sw ORDER BY ordinality;
-- from correlations alone
SELECT n, round(l::numeric, 8) AS lmg, round(w::numeric, 8) AS relative_weight, agrees(l, t.lmg) AND agrees(w, t.weight, 1e-6) AS agrees
FROM unnest(cvm.lmg('{{1,.3,.5},{.3,1,.2},{.5,.2,1}}', '{.4,.5,.6}'), cvm.relative_weights('{{1,.3,.5},{.3,1,.2},{.5,.2,1}}', '{.4,.5,.6}')) WITH ORDINALITY AS u(l, w, n)
JOIN (VALUES (1, 0.06720669036845509, 0.06339876), (2, 0.1807483570351217, 0.18358761), (3, 0.263074364361129, 0.26404304)) AS t(n, lmg, weight) USING (n) ORDER BY n;

-- a survey on a scale of 1 to 10: two attributes have closed forms, and PostgreSQL's own regression functions
CREATE TABLE survey AS SELECT i AS respondent, i % 2 AS region, (i * 7 % 10 + 1)::float8 AS quality, ((i * 3 + i / 10) % 8 + 1)::float8 AS price,
    (2 * (i * 7 % 10) + (i * 3 + i / 10) % 8 + i * 5 % 4)::float8 AS overall FROM generate_series(1, 200) AS i;
CREATE TABLE two AS SELECT d.* FROM unnest((SELECT cvm.drivers(overall, ARRAY[quality, price], '{quality,price}', '{"best": 10, "replicates": 500}') FROM survey)) AS d;
WITH c AS (SELECT corr(overall, quality) AS a, corr(overall, price) AS b, corr(quality, price) AS ab FROM survey)
SELECT agrees(q.correlation, a, 1e-11) AND agrees(p.correlation, b, 1e-11) AS correlations, agrees(q.standardised, (a - b * ab) / (1 - ab ^ 2), 1e-11) AS beta,
       agrees(q.r_squared, (a ^ 2 + b ^ 2 - 2 * a * b * ab) / (1 - ab ^ 2), 1e-11) AS r_squared, agrees(q.lmg, (a ^ 2 + q.r_squared - b ^ 2) / 2, 1e-11) AS lmg,
       agrees(q.vif, 1 / (1 - ab ^ 2), 1e-11) AS vif, agrees(q.relative_weight, q.lmg, 1e-11) AS weight_of_two_is_lmg
FROM c, two q, two p WHERE q.attribute = 'quality' AND p.attribute = 'price';
SELECT attribute, n, left_out, round(performance::numeric, 4) AS performance, round(lmg::numeric, 6) AS lmg, round(importance::numeric, 6) AS importance, quadrant, round(gap::numeric, 4) AS gap, round(opportunity::numeric, 6) AS opportunity, priority, status FROM two;
SELECT bool_and(lmg BETWEEN lmg_low AND lmg_high AND relative_weight BETWEEN relative_weight_low AND relative_weight_high AND opportunity BETWEEN opportunity_low AND opportunity_high AND lmg_low < lmg_high) AS intervals,
       bool_and(agrees(gap, 10 - performance) AND agrees(opportunity, importance * gap)) AS opportunities FROM two;
-- the bootstrap: the same draws drawn and counted out by an independent program (seed 7, 200 replicates, 90 %)
SELECT attribute, round(d.lmg_low::numeric, 8) AS low, round(d.lmg_high::numeric, 8) AS high, agrees(d.lmg_low, t.low, 1e-11) AND agrees(d.lmg_high, t.high, 1e-11) AS agrees
FROM unnest((SELECT cvm.drivers(mpg, ARRAY[cyl, disp, hp, wt], '{cyl,disp,hp,wt}', '{"replicates": 200, "seed": 7, "confidence": 0.9}') FROM mtcars)) AS d
JOIN (VALUES ('cyl', 0.17976653197458198, 0.2633462465592727), ('disp', 0.17111363313052408, 0.23329874590509395), ('hp', 0.13677261762457263, 0.21966383644777826),
    ('wt', 0.20910429459494007, 0.31684353471006216)) AS t(attribute, low, high) USING (attribute);
SELECT attribute, round(d.opportunity_low::numeric, 6) AS low, round(d.opportunity_high::numeric, 6) AS high, agrees(d.opportunity_low, t.low, 1e-11) AND agrees(d.opportunity_high, t.high, 1e-11) AS agrees
FROM unnest((SELECT cvm.drivers(-mpg, ARRAY[cyl, disp, hp, wt], '{cyl,disp,hp,wt}', '{"replicates": 200, "seed": 7, "confidence": 0.9, "best": 1000}') FROM mtcars)) AS d
JOIN (VALUES ('cyl', 209.82322361913887, 302.88240322877283), ('disp', 154.7335171110335, 205.91100860787793), ('hp', 136.16602947836776, 214.46830210959246),
    ('wt', 250.21583177468491, 372.1806106017187)) AS t(attribute, low, high) USING (attribute);
-- what one respondent of 200 has is missing in every third replicate, where it explains nothing
SELECT attribute, lmg > 0 AS lmg, lmg_low = 0 AS missing, relative_weight_low < 1e-15 AS weight_missing
FROM unnest((SELECT cvm.drivers(overall, ARRAY[quality, price, (respondent = 7)::integer], '{quality,price,rare}') FROM survey)) AS d;
-- the same whatever the order of rows, and in parallel; another seed, other intervals
SELECT a = b AS any_order, a = c AS parallel_order, (a[1]).lmg = (d[1]).lmg AND (a[1]).lmg_low <> (d[1]).lmg_low AS other_seed
FROM (SELECT cvm.drivers(overall, ARRAY[quality, price] ORDER BY respondent) AS a, cvm.drivers(overall, ARRAY[quality, price] ORDER BY price, respondent DESC) AS b FROM survey) AS s,
     (SELECT cvm.drivers(overall, ARRAY[quality, price] ORDER BY md5(respondent::text)) AS c, cvm.drivers(overall, ARRAY[quality, price], NULL, '{"seed": 2}') AS d FROM survey) AS t;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT cvm.drivers(overall, ARRAY[quality, price], '{q,p}', '{"best": 10}') FROM survey;
CREATE TABLE parallel AS SELECT cvm.drivers(overall, ARRAY[quality, price], '{q,p}', '{"best": 10}') AS d FROM survey;
SET max_parallel_workers_per_gather = 0;
SELECT d = (SELECT cvm.drivers(overall, ARRAY[quality, price], '{q,p}', '{"best": 10}') FROM survey) AS as_serial FROM parallel;
RESET ALL;
SET client_min_messages = warning;
SET search_path = driver_test, public;
-- groups, filters, windows
SELECT region, attribute, n, round(lmg::numeric, 6) AS lmg FROM (SELECT region, cvm.drivers(overall, ARRAY[quality, price], '{quality,price}') AS d FROM survey GROUP BY region) AS s, unnest(d) AS u ORDER BY region, attribute;
SELECT (cvm.drivers(overall, ARRAY[quality, price]) FILTER (WHERE region = 0))[1].n AS filtered FROM survey;
SELECT DISTINCT array_length(cvm.drivers(overall, ARRAY[quality, price], NULL, '{"replicates": 0}') OVER (PARTITION BY region), 1) AS in_window FROM survey;
-- rows with a NULL are left out and counted
SELECT attribute, n, left_out, status FROM unnest((SELECT cvm.drivers(CASE WHEN respondent > 3 THEN overall END, ARRAY[quality, CASE WHEN respondent <> 9 THEN price END], '{quality,price}', '{"replicates": 0}') FROM survey)) AS d;

-- what can not be told
CREATE FUNCTION told(d cvm.driver[]) RETURNS TABLE (attribute text, n bigint, performance numeric, correlation numeric, importances bigint, status text, reason text) LANGUAGE sql AS
$$ SELECT attribute, n, round(performance::numeric, 4), round(correlation::numeric, 4), num_nonnulls(coefficient, standardised, standard_error, lmg, lmg_low, relative_weight, importance, quadrant, priority)::bigint, status, reason FROM unnest(d) $$;
SELECT * FROM told((SELECT cvm.drivers(overall, ARRAY[quality, 5, price], '{quality,constant,price}', '{"best": 10}') FROM survey));
SELECT * FROM told((SELECT cvm.drivers(overall, ARRAY[quality, 0.1 + 0.2 * (respondent % 2) - 0.2 * (respondent % 2)], '{quality,rounding}') FROM survey));
SELECT * FROM told((SELECT cvm.drivers(overall, ARRAY[quality, price, quality], '{quality,price,again}') FROM survey));
SELECT * FROM told((SELECT cvm.drivers(overall, ARRAY[quality, price, respondent * 7 % 11, 3 - 0.1 * quality + 0.7 * price], '{quality,price,other,sum}') FROM survey));
-- nearly collinear is told, with the variance inflation that warns
SELECT attribute, vif > 1e7 AS inflated, status, reason FROM unnest((SELECT cvm.drivers(overall, ARRAY[quality, price, quality + 0.001 * (respondent % 2)], '{quality,price,nearly}', '{"replicates": 0}') FROM survey)) AS d;
SELECT * FROM told((SELECT cvm.drivers(7, ARRAY[quality, price], '{quality,price}') FROM survey));
SELECT * FROM told((SELECT cvm.drivers(overall, ARRAY[quality, price], '{quality,price}') FROM survey WHERE respondent <= 3));
SELECT * FROM told((SELECT cvm.drivers(overall, ARRAY[quality, price], '{quality,price}') FROM survey WHERE respondent <= 1));
SELECT * FROM told((SELECT cvm.drivers(NULL, ARRAY[quality, price], '{quality,price}') FROM survey));
SELECT * FROM told((SELECT cvm.drivers(overall, ARRAY[quality, price], '{quality,price}') FROM survey WHERE respondent <= 4));
SELECT * FROM told((SELECT cvm.drivers(quality + 2 * price, ARRAY[quality, price], '{quality,price}', '{"best": 10}') FROM survey));
SELECT * FROM told((SELECT cvm.drivers(y, ARRAY[a, b], '{a,b}') FROM (VALUES (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)) AS v(y, a, b)));
SELECT * FROM told((SELECT cvm.drivers(-overall, ARRAY[quality, price], '{quality,price}', '{"best": 10}') FROM survey));
SELECT cvm.drivers(overall, NULL) AS no_attributes, cvm.drivers(overall, ARRAY[quality]) FILTER (WHERE false) AS no_rows FROM survey;
-- of very different sizes
SELECT attribute, agrees(b.standardised, s.standardised, 1e-9) AND agrees(b.lmg, s.lmg, 1e-9) AS scale_free
FROM unnest((SELECT cvm.drivers(overall * 1e150, ARRAY[quality * 1e-150, 1e9 + price], '{quality,price}', '{"replicates": 0}') FROM survey)) AS b JOIN two AS s USING (attribute);
-- more attributes than LMG takes
CREATE TABLE wide AS SELECT i, (SELECT array_agg((i * (2 * k + 1) + i * i * k) % (31 + k) ORDER BY k) FROM generate_series(1, 25) AS k WHERE i > 0)::float8[] AS x FROM generate_series(1, 300) AS i;
SELECT count(*) AS attributes, count(lmg) AS lmg, agrees(sum(relative_weight), max(r_squared), 1e-10) AS weights, agrees(sum(importance), 1, 1e-10) AS importance
FROM unnest((SELECT cvm.drivers(x[1] + x[2] + i % 7, x, NULL, '{"importance": "relative-weight", "replicates": 100}') FROM wide)) AS d;
SELECT count(lmg) AS lmg, agrees(sum(lmg), max(r_squared), 1e-10) AS sums FROM unnest((SELECT cvm.drivers(x[1] + x[2] + i % 7, x[1:20], NULL, '{"replicates": 0}') FROM wide)) AS d;

-- quadrants
SELECT i, p, cvm.quadrant(i, p, 0.25, 7) FROM unnest('{0.2, 0.25, 0.3}'::float8[]) AS i, unnest('{6, 7, 8}'::float8[]) AS p ORDER BY i, p;
SELECT attribute, quadrant, round(importance::numeric, 4) AS importance, performance FROM unnest((SELECT cvm.drivers(overall, ARRAY[quality, price], '{quality,price}', '{"performance_cut": 5.5, "replicates": 0}') FROM survey)) AS d;

-- every column says what it is
SELECT count(*) AS columns, count(*) FILTER (WHERE col_description(attrelid, attnum) IS NULL) AS without_comment FROM pg_attribute WHERE attrelid = (SELECT typrelid FROM pg_type WHERE oid = 'cvm.driver'::regtype) AND attnum > 0;

-- errors
\set VERBOSITY terse
SELECT cvm.drivers(overall, ARRAY[quality, 'NaN']) FROM survey;
SELECT cvm.drivers('Infinity', ARRAY[quality]) FROM survey;
SELECT cvm.drivers(1e308 * (1 - respondent % 2 * 2), ARRAY[quality]) FROM survey;
SELECT cvm.drivers(overall, CASE WHEN respondent > 5 THEN ARRAY[quality] ELSE ARRAY[quality, price] END ORDER BY respondent) FROM survey;
SELECT cvm.drivers(overall, ARRAY[quality, price], '{quality}') FROM survey;
SELECT cvm.drivers(overall, ARRAY[quality, price], '{quality,NULL}') FROM survey;
SELECT cvm.drivers(overall, ARRAY[quality, price], ARRAY['quality', respondent::text]) FROM survey;
SELECT cvm.drivers(overall, ARRAY[ARRAY[quality, price]]) FROM survey;
SELECT cvm.drivers(overall, '{}') FROM survey;
SELECT cvm.drivers(i, x) FROM wide;
SELECT cvm.drivers(i, array_fill(i::float8, '{101}'), NULL, '{"importance": "relative-weight"}') FROM wide;
SELECT cvm.drivers(overall, ARRAY[quality], NULL, '{"best": 5}') FROM survey;
SELECT cvm.drivers(overall, ARRAY[quality], NULL, '{"best": "ten"}') FROM survey;
SELECT cvm.drivers(overall, ARRAY[quality], NULL, '{"replicates": 10}') FROM survey;
SELECT cvm.drivers(overall, ARRAY[quality], NULL, '{"replicates": 1000.5}') FROM survey;
SELECT cvm.drivers(overall, ARRAY[quality], NULL, '{"confidence": 95}') FROM survey;
SELECT cvm.drivers(overall, ARRAY[quality], NULL, '{"seed": -1}') FROM survey;
SELECT cvm.drivers(overall, ARRAY[quality], NULL, '{"importance": "beta"}') FROM survey;
SELECT cvm.drivers(overall, ARRAY[quality], NULL, '{"bset": 10}') FROM survey;
SELECT cvm.drivers(overall, ARRAY[quality], NULL, '[1]') FROM survey;
SELECT cvm.lmg('{{1,.3},{.3,1}}', '{.4}');
SELECT cvm.lmg('{{1,.3},{.4,1}}', '{.4,.5}');
SELECT cvm.lmg('{{1,1.3},{1.3,1}}', '{.4,.5}');
SELECT cvm.lmg('{{1,1},{1,1}}', '{.4,.4}');
SELECT cvm.lmg('{{1,.9},{.9,1}}', '{.9,-.9}');
SELECT cvm.lmg('{{1,NULL},{.3,1}}', '{.4,.5}');
SELECT cvm.relative_weights('{{1,1},{1,1}}', '{.4,.4}');
SELECT cvm.lmg('{}', '{}');
SELECT cvm.quadrant('NaN', 1, 1, 1);
DROP SCHEMA driver_test CASCADE;
