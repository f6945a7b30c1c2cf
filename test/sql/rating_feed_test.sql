-- the feeds of reviews and ratings: summary, search, value map, drivers, against hand-computed tables
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA rating_feed_test;
SET search_path = rating_feed_test, public;
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE FUNCTION agrees(got float8, truth float8, tolerance float8 DEFAULT 1e-12) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN got IS NULL OR truth IS NULL THEN got IS NULL AND truth IS NULL ELSE abs(got - truth) <= tolerance * greatest(abs(truth), 1e-300) END $$;
CREATE TABLE orders AS
SELECT c AS customer_id, timestamptz '2023-01-01 00:00+00' + (c * 17 % 90 + k * (20 + c * 7 % 31)) * interval '1 day' AS ordered_at, 10 + (c * 13 + k * 29) % 50 AS total
FROM generate_series(1, 60) c, generate_series(0, 9) k WHERE k <= c % 10;
SELECT cvm.create_portfolio('shop', 'rating_feed_test.orders', 'customer_id', 'ordered_at', 'total');

-- ---------- reviews ----------
-- site: formulas 7, counts 1, 0, 2, 3, 14; app: one perfect review; nobody knows where the last one stands
CREATE TABLE review (who bigint, at date, stars numeric, words text, site text);
INSERT INTO review SELECT g, date '2024-01-01' + g * 10, CASE WHEN g = 1 THEN 1 WHEN g <= 3 THEN 3 WHEN g <= 6 THEN 4 ELSE 5 END, CASE WHEN g <= 3 THEN 'the delivery was late' ELSE 'fast delivery, would buy again' END, 'site' FROM generate_series(1, 20) AS g;
INSERT INTO review VALUES (21, '2024-02-01', 5, 'deliveries are late', 'app'), (22, '2024-02-02', 4, NULL, NULL), (23, '2026-01-01', 1, 'later than as_of', 'app'), (24, '2024-03-01', NULL, 'no stars', 'app');
SELECT cvm.add_feed('shop', 'reviews', 'rating_feed_test.review', '{"customer": "who", "at": "at", "rating": "stars", "text": "words", "source": "site"}');
CALL cvm.recompute('shop', '2024-08-01');
-- mean 4.45, positive 17 of 20; Bayesian average (10 m + 89) / 30; lower bound 3.755 from the Dirichlet of formulas 7
SELECT source, n, round(mean::numeric, 4) AS mean, round(share_positive::numeric, 4) AS positive, round(positive_low::numeric, 4) AS low, round(positive_high::numeric, 4) AS high,
       round(bayesian_average::numeric, 6) AS bayesian, trend > 0 AS rising, last_on, reason FROM cvm_shop.review_summary ORDER BY source;
SELECT agrees(bayesian_average, (10 * (SELECT avg(stars) FROM review WHERE at < '2024-08-02') + 89) / 30.0, 1e-9) AS bayesian, agrees(lower_bound, 3.755239500343921, 1e-3) AS lower_bound,
       agrees(trend, (SELECT regr_slope(stars::float8, at - date '2024-01-01') * 365.25 FROM review WHERE site = 'site'), 1e-9) AS trend FROM cvm_shop.review_summary WHERE source = 'site';
-- the language decides what is one word
SELECT customer, rating, review FROM cvm.review_search('shop', 'late delivery', to_on => '2024-08-02') ORDER BY customer::int;
SELECT cvm.alter_portfolio('shop', '{"review_language": "english"}');
SELECT customer, rating, review FROM cvm.review_search('shop', 'late delivery', to_on => '2024-08-02') ORDER BY customer::int;
SELECT count(*) FROM cvm.review_search('shop', '"fast delivery" -late');
-- 4 of 21 with text say late; Wilson's interval and Welch's
SELECT n, mentioning, agrees(share, 4 / 21.0) AS share, agrees(m.low, w.low) AND agrees(m.high, w.high) AS wilson, agrees(mean_mentioning, 3) AS mean_mentioning, agrees(difference, 3 - 82 / 17.0, 1e-9) AS difference, difference_low < difference AND difference < difference_high AS within, m.reason
FROM cvm.review_mentions('shop', 'late', to_on => '2024-08-02') m, cvm.score_interval(cvm.with_measure('mean {0..1 high, 0:17, 1:4}', 'top-1')) w;
SELECT * FROM cvm.review_mentions('shop', 'late', '2020-01-01', '2020-02-01');
-- words that no review can be found by: no share, and not one of 0
SELECT q AS query, m.n > 0 AS reviews, m.mentioning, m.share, m.low, m.difference, m.reason FROM unnest('{the,"",NULL}'::text[]) WITH ORDINALITY AS u(q, i), cvm.review_mentions('shop', q) m ORDER BY i;
\set VERBOSITY terse
SELECT cvm.alter_portfolio('shop', '{"review_language": "klingon"}');
SELECT cvm.alter_portfolio('shop', '{"review_scale": {"lowest": 1, "highest": 5}}');
UPDATE review SET stars = 6 WHERE who = 1;
CALL cvm.recompute('shop', '2024-08-02');
SELECT cvm.alter_portfolio('shop', '{"review_scale": {"lowest": 1, "highest": 10, "direction": "high"}}');
CALL cvm.recompute('shop', '2024-08-02');
\set VERBOSITY default
-- of ten the upper third are 8, 9 and 10
SELECT n, share_positive FROM cvm_shop.review_summary WHERE is_total;

-- ---------- ratings ----------
-- formulas 6: own 8 7 9 6 8, competitor 7 7 8 7 6, weights .3 .25 .2 .15 .1: quality 1.0797619; nobody rates Ghost
CREATE TABLE rating (who text, brand text, aspect text, points numeric, sort text, at date);
INSERT INTO rating SELECT 'r' || r, b.brand, 'q' || a.n, a.score, (ARRAY['product', 'product', 'service', 'personal', 'image'])[a.n], '2024-05-01'
FROM generate_series(1, 3) r, (VALUES ('Own', '{8,7,9,6,8}'::int[]), ('Other', '{7,7,8,7,6}')) AS b(brand, scores), unnest(b.scores) WITH ORDINALITY AS a(score, n);
INSERT INTO rating SELECT 'r' || r, 'Own', 'q' || w.n, w.weight, 'weight', '2024-05-01' FROM generate_series(1, 2) r, unnest('{30,25,20,15,10}'::int[]) WITH ORDINALITY AS w(weight, n);
INSERT INTO rating VALUES ('r1', 'Own', 'price', 110, 'price', '2024-05-01'), ('r1', 'Other', 'price', 100, 'price', '2024-05-01'), ('r2', 'Own', 'price', 90, 'price', '2024-05-01'), ('r1', 'Own', 'most', 130, 'willingness_to_pay', '2024-05-01'),
    ('r1', 'Own', 'wpf', 8, 'worth', '2024-05-01'), ('r1', 'Other', 'wpf', 7, 'worth', '2024-05-01'), ('r2', 'Other', 'wpf', 8, 'worth', '2024-05-01'),
    ('r1', 'Own', 'waiting', 3, 'time', '2024-05-01'), ('r1', 'Own', 'money', 7, 'monetary', '2024-05-01'), ('r1', 'Ghost', 'price', 50, 'price', '2024-05-01'), ('r9', NULL, 'q1', 5, 'product', '2024-05-01'),
    -- said again: the last one counts
    ('r1', 'Own', 'q1', 1, 'product', '2024-04-01');
SELECT cvm.add_feed('shop', 'ratings', 'rating_feed_test.rating', '{"respondent": "who", "supplier": "brand", "attribute": "aspect", "score": "points", "kind": "sort", "at": "at"}');
SELECT cvm.alter_portfolio('shop', '{"own_supplier": "Own", "value_unit": "points"}');
CALL cvm.recompute('shop', '2024-08-03');
SELECT supplier, is_own, respondents AS n, product_benefit AS product, service_benefit AS service, total_benefit AS benefit, total_cost AS cost, delivered_value AS value, round(value_ratio::numeric, 4) AS ratio, measured_in, price, willingness_to_pay AS pays, surplus, status, reason FROM cvm_shop.value_map ORDER BY supplier;
SELECT supplier, round(quality_ratio::numeric, 10) AS quality, round(relative_price::numeric, 6) AS price, round(worth_paid_for::numeric, 6) AS worth, value_band, quadrant, weight_source FROM cvm_shop.value_map ORDER BY supplier;
SELECT agrees(quality_ratio, 1.0797619047619047) AS quality, agrees(relative_price, 100 / 75.0) AS price, agrees(worth_paid_for, 8 / 7.5) AS worth FROM cvm_shop.value_map WHERE is_own;
SELECT attribute, status FROM cvm_shop.driver_importance ORDER BY attribute;
-- the price weighs as stated: 100 of 200
INSERT INTO rating VALUES ('r1', 'Own', 'price', 100, 'weight', '2024-05-01');
SELECT agrees(fair_quality, 1 + (100 / 75.0 - 1) * 1, 1e-9) AS fair FROM cvm.value_map('shop', '2024-01-01', '2024-08-01') WHERE is_own;
-- without a unit nothing is set against each other; without weights they are derived, or equal
SELECT cvm.alter_portfolio('shop', '{"value_unit": null}');
DELETE FROM rating WHERE sort = 'weight';
SELECT supplier, total_benefit, delivered_value, weight_source, round(quality_ratio::numeric, 6) AS quality, reason FROM cvm.value_map('shop', '2024-01-01', '2024-08-01') WHERE supplier <> 'Ghost';
SELECT agrees(quality_ratio, (8 / 7.0 + 1 + 9 / 8.0 + 6 / 7.0 + 8 / 6.0) / 5) AS equal FROM cvm.value_map('shop', '2024-01-01', '2024-08-01') WHERE is_own;

-- drivers: formulas 6, the overall score is what R's data set swiss has; LMG and relative weights as published
CREATE TABLE swiss (fertility float8, agriculture float8, examination float8, education float8, catholic float8, infant_mortality float8, n int);
INSERT INTO swiss VALUES (80.2,17.0,15,12,9.96,22.2,1),(83.1,45.1,6,9,84.84,22.2,2),(92.5,39.7,5,5,93.40,20.2,3),(85.8,36.5,12,7,33.77,20.3,4),(76.9,43.5,17,15,5.16,20.6,5),(76.1,35.3,9,7,90.57,26.6,6),(83.8,70.2,16,7,92.85,23.6,7),(92.4,67.8,14,8,97.16,24.9,8),(82.4,53.3,12,7,97.67,21.0,9),(82.9,45.2,16,13,91.38,24.4,10),
(87.1,64.5,14,6,98.61,24.5,11),(64.1,62.0,21,12,8.52,16.5,12),(66.9,67.5,14,7,2.27,19.1,13),(68.9,60.7,19,12,4.43,22.7,14),(61.7,69.3,22,5,2.82,18.7,15),(68.3,72.6,18,2,24.20,21.2,16),(71.7,34.0,17,8,3.30,20.0,17),(55.7,19.4,26,28,12.11,20.2,18),(54.3,15.2,31,20,2.15,10.8,19),(65.1,73.0,19,9,2.84,20.0,20),
(65.5,59.8,22,10,5.23,18.0,21),(65.0,55.1,14,3,4.52,22.4,22),(56.6,50.9,22,12,15.14,16.7,23),(57.4,54.1,20,6,4.20,15.3,24),(72.5,71.2,12,1,2.40,21.0,25),(74.2,58.1,14,8,5.23,23.8,26),(72.0,63.5,6,3,2.56,18.0,27),(60.5,60.8,16,10,7.72,16.3,28),(58.3,26.8,25,19,18.46,20.9,29),(65.4,49.5,15,8,6.10,22.5,30),
(75.5,85.9,3,2,99.71,15.1,31),(69.3,84.9,7,6,99.68,19.8,32),(77.3,89.7,5,2,100.00,18.3,33),(70.5,78.2,12,6,98.96,19.4,34),(79.4,64.9,7,3,98.22,20.2,35),(65.0,75.9,9,9,99.06,17.8,36),(92.2,84.6,3,3,99.46,16.3,37),(79.3,63.1,13,13,96.83,18.1,38),(70.4,38.4,26,12,5.62,20.3,39),(65.7,7.7,29,11,13.79,20.5,40),
(72.7,16.7,22,13,11.22,18.9,41),(64.4,17.6,35,32,16.92,23.0,42),(77.6,37.6,15,7,4.97,20.0,43),(67.6,18.7,25,7,8.65,19.5,44),(35.0,1.2,37,53,42.34,18.0,45),(44.7,46.6,16,29,50.43,18.2,46),(42.8,27.7,22,29,58.33,19.3,47);
TRUNCATE rating;
INSERT INTO rating SELECT s.n::text, 'Own', x.name, x.value::numeric, x.kind, '2024-05-01' FROM swiss s, LATERAL (VALUES ('overall', s.fertility, 'overall'), ('agriculture', s.agriculture, 'product'), ('examination', s.examination, 'service'), ('education', s.education, 'service'),
    ('catholic', s.catholic, 'image'), ('infant', s.infant_mortality, 'time')) AS x(name, value, kind);
SELECT attribute, n, round(lmg::numeric, 8) AS lmg, round(relative_weight::numeric, 8) AS relative_weight, gap FROM cvm.driver_importance('shop', '2024-01-01', '2024-08-01') WHERE outcome = 'overall' ORDER BY attribute;
-- respondents who are customers: their value as the outcome, as the aggregate on one's own join says
SELECT bool_and(agrees(d.lmg, t.lmg, 1e-9)) AS agrees, count(*) AS attributes, min(d.n) AS n FROM cvm.driver_importance('shop', '2024-01-01', '2024-08-01') d JOIN (
    SELECT u.attribute, u.lmg FROM unnest((SELECT cvm.drivers(v.residual_value, ARRAY[s.agriculture, s.catholic, s.education, s.examination, s.infant_mortality], '{agriculture,catholic,education,examination,infant}'::text[]) FROM swiss s JOIN cvm_shop.clv v ON v.customer_id = s.n)) u) t USING (attribute)
WHERE d.outcome = 'residual_value';
-- collinear and constant attributes are reported
INSERT INTO rating SELECT who, brand, 'twice', 2 * points, 'product', at FROM rating WHERE aspect = 'catholic';
INSERT INTO rating SELECT who, brand, 'same', 7, 'product', at FROM rating WHERE aspect = 'catholic';
SELECT attribute, lmg IS NULL AS withheld, status FROM cvm.driver_importance('shop', '2024-01-01', '2024-08-01') WHERE outcome = 'overall' ORDER BY attribute;

-- ---------- bad input ----------
\set VERBOSITY terse
INSERT INTO rating VALUES ('r1', 'Own', 'q1', -1, 'product', '2024-05-02');
SELECT count(*) FROM cvm.value_map('shop', '2024-01-01', '2024-08-01');
UPDATE rating SET points = 5, sort = 'colour' WHERE who = 'r1';
SELECT count(*) FROM cvm.value_map('shop', '2024-01-01', '2024-08-01');
UPDATE rating SET points = 5.5, sort = 'product' WHERE who = 'r1';
SELECT cvm.alter_portfolio('shop', '{"rating_scale": {"lowest": 0, "highest": 10, "direction": "high"}}');
SELECT count(*) FROM cvm.value_map('shop', '2024-01-01', '2024-08-01');
SELECT cvm.alter_portfolio('shop', '{"rating_scale": null, "own_supplier": null}');
SELECT count(*) FROM cvm.driver_importance('shop', '2024-01-01', '2024-08-01');
CALL cvm.recompute('shop', '2024-08-04');
SELECT count(*) FROM cvm_shop.driver_importance;
SELECT level, finding FROM cvm.check('shop') WHERE finding ~ 'review|rating' ORDER BY finding;
SELECT cvm.drivers(1.0, ARRAY[1.0, 2.0], '{a,a}');
SELECT cvm.switching_matrix(array_fill(1::float8, '{1001}'), 0);
\set VERBOSITY default
SELECT cvm.drop_portfolio('shop');
DROP SCHEMA rating_feed_test CASCADE;
