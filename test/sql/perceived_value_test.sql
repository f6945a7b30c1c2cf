-- perceived_value: benefits and costs, quality and price beside competitors, stages of value, drivers of the choice of brand
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA perceived_value_test;
SET search_path = perceived_value_test, public;
CREATE FUNCTION agrees(got float8, truth float8, tolerance float8 DEFAULT 1e-12) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN got IS NULL OR truth IS NULL THEN got IS NULL AND truth IS NULL ELSE abs(got - truth) <= tolerance * greatest(abs(truth), 1e-300) END $$;

-- Kotler: 100 of benefits for 60 of costs
SELECT total_benefit, total_cost, delivered_value, round(value_ratio::numeric, 4) AS value_ratio, measured_in, agrees(value_ratio, 5 / 3::float8) AS agrees
FROM cvm.perceived_value('EUR', product_benefit => 60, service_benefit => 20, personal_benefit => 10, image_benefit => 10, monetary_cost => 45, time_cost => 5, energy_cost => 5, psychic_cost => 5);
SELECT * FROM cvm.perceived_value('EUR', 60, 20, 10, 10, 0, 0, 0, 0);
SELECT * FROM cvm.perceived_value('EUR', 60, 20, NULL, 10, 45, 5, 5, 5);
SELECT * FROM cvm.perceived_value(NULL, 60, 20, 10, 10, 45, 5, 5, 5);
-- the mean of a table of ratings
SELECT supplier, avg(delivered_value) AS delivered_value
FROM (VALUES ('A', 60, 45), ('A', 50, 45), ('B', 40, 20)) AS r(supplier, product, price), cvm.perceived_value('points', product, 0, 0, 0, price, 0, 0, 0) GROUP BY supplier ORDER BY supplier;

-- Gale: five attributes of quality; price and running costs
SELECT round(q::numeric, 10) AS quality_ratio, agrees(q, 1.0797619047619047) AS agrees, agrees(percent, q) AS in_percent, round(p::numeric, 10) AS relative_price, agrees(p, 0.9756097560975611) AS price_agrees
FROM cvm.quality_ratio('{.3,.25,.2,.15,.1}', '{8,7,9,6,8}', '{7,7,8,7,6}') AS q, cvm.quality_ratio('{30,25,20,15,10}', '{8,7,9,6,8}', '{7,7,8,7,6}') AS percent,
     cvm.relative_price('{.7,.3}', '{8,6}', '{7,8}') AS p;
-- not the ratio of weighted means
SELECT round(cvm.quality_ratio('{.5,.5}', '{10,2}', '{5,4}')::numeric, 4) AS ratio, round((.5 * 10 + .5 * 2) / (.5 * 5 + .5 * 4), 4) AS of_means;
SELECT cvm.quality_ratio('{0,0}', '{8,7}', '{7,7}') AS no_weights, cvm.quality_ratio('{0,2}', '{8,7}', '{7,7}') AS one_weight, cvm.quality_ratio('{}', '{}', '{}') AS nothing,
       cvm.quality_ratio(NULL, '{8}', '{7}') AS unknown, cvm.quality_ratio('{1}', NULL, '{7}') AS unknown_own, cvm.relative_price('{1}', '{0}', '{7}') AS infinite;
SELECT agrees(cvm.worth_paid_for(8, '{7,8}'), 8 / 7.5::float8) AS worth, cvm.worth_paid_for(8, '{7,NULL,8}') = cvm.worth_paid_for(8, '{8,7}') AS unrated, cvm.worth_paid_for(8, '{NULL}') AS none_rated, cvm.worth_paid_for(8, '{}') AS none, cvm.worth_paid_for(8, '{0}') AS zero;
SELECT v, cvm.value_band(v) FROM unnest('{1.2,1.1,1.03,1.02,0.98,0.97,NULL}'::float8[]) AS v;

-- the value map: A is better and dearer, B the same for less, C nobody has rated on the second attribute, D has no price
SELECT supplier, round(quality_ratio::numeric, 6) AS quality, round(relative_price::numeric, 6) AS price, round(fair_quality::numeric, 6) AS fair, round(distance::numeric, 6) AS distance, value_position, quadrant, status, reason
FROM cvm.value_map('{A,B,C,D}', '{{8,7},{7,7},{6,NULL},{6,6}}', '{3,2}', '{12,10,9,NULL}', 0.4);
-- by hand: A against (7 + 6 + 6) / 3 and (7 + 6) / 2, its price against (10 + 9) / 2
SELECT agrees(quality_ratio, (3 * 8 / (19 / 3.0) + 2 * 7 / 6.5) / 5) AS quality, agrees(relative_price, 12 / 9.5) AS price, agrees(fair_quality, 1 + 0.4 / 0.6 * (12 / 9.5 - 1)) AS fair, agrees(distance, quality_ratio - fair_quality) AS distance
FROM cvm.value_map('{A,B,C,D}', '{{8,7},{7,7},{6,NULL},{6,6}}', '{3,2}', '{12,10,9,NULL}', 0.4) WHERE supplier = 'A';
-- two suppliers: cvm.quality_ratio and its way back; equal ones are on the line
SELECT supplier, agrees(quality_ratio, CASE supplier WHEN 'us' THEN cvm.quality_ratio('{.3,.25,.2,.15,.1}', '{8,7,9,6,8}', '{7,7,8,7,6}') ELSE cvm.quality_ratio('{.3,.25,.2,.15,.1}', '{7,7,8,7,6}', '{8,7,9,6,8}') END) AS agrees, value_position, quadrant
FROM cvm.value_map('{us,them}', '{{8,7,9,6,8},{7,7,8,7,6}}', '{.3,.25,.2,.15,.1}', '{11,10}', 0.5);
SELECT supplier, quality_ratio, relative_price, value_position, quadrant FROM cvm.value_map('{X,Y,Z}', '{{5},{5},{5}}', '{1}', '{3,3,3}', 0.3);
SELECT supplier, value_position, quadrant FROM cvm.value_map('{cheap,dear,bad}', '{{8},{6},{5}}', '{1}', '{8,9,12}', 0.3);
-- competitors without ratings, weights of zero, a supplier alone
SELECT supplier, quality_ratio, relative_price, status, reason FROM cvm.value_map('{A,B}', '{{8,7},{NULL,NULL}}', '{1,1}', '{12,10}', 0.4);
SELECT supplier, quality_ratio, status, reason FROM cvm.value_map('{A,B}', '{{8,NULL},{7,NULL}}', '{1,0}', '{12,10}', 0.4);
SELECT supplier, quality_ratio, distance, status, reason FROM cvm.value_map('{A,B}', '{{8,7},{7,6}}', '{0,0}', '{12,10}', 0.4);
SELECT supplier, quality_ratio, relative_price, status, reason FROM cvm.value_map('{A}', '{{8}}', '{1}', '{12}', 0.4);
SELECT supplier, quality_ratio, relative_price, status, reason FROM cvm.value_map('{A,B}', '{{8},{7}}', '{1}', '{12,NULL}', 0.4);
SELECT count(*) AS nobody FROM cvm.value_map('{}', '{}', '{}', '{}', 0.4);
-- from a table of ratings, as the feed has them
CREATE TABLE rating AS SELECT * FROM (VALUES ('A', 'quality', 8), ('A', 'quality', 7), ('A', 'service', 6), ('B', 'quality', 7), ('B', 'service', 7), ('B', 'service', 9)) AS r(supplier, attribute, score);
SELECT m.supplier, round(m.quality_ratio::numeric, 6) AS quality, m.value_position, m.quadrant FROM (
    SELECT array_agg(supplier ORDER BY supplier) AS suppliers, array_agg(ARRAY[quality, service] ORDER BY supplier) AS scores FROM (
        SELECT supplier, avg(score) FILTER (WHERE attribute = 'quality') AS quality, avg(score) FILTER (WHERE attribute = 'service') AS service FROM rating GROUP BY supplier) AS s) AS t,
    cvm.value_map(suppliers, scores, '{0.6,0.4}', '{10,11}', 0.5) AS m;

-- potential and realised value
SELECT stage, value, gap, gap_share, rate FROM cvm.value_realisation(potential => 100, discovered => 80, delivered => 60, realised => 45);
SELECT stage, value, gap, gap_share, rate FROM cvm.value_realisation(0, 0, 10, 10);
SELECT stage, value, gap, gap_share, rate FROM cvm.value_realisation(100, NULL, 60, 45);
SELECT segment, stage, gap, round(gap_share::numeric, 4) AS gap_share FROM (
    SELECT segment, sum(p) AS p, sum(f) AS f, sum(d) AS d, sum(r) AS r
    FROM (VALUES ('old', 100, 90, 80, 60), ('old', 50, 40, 40, 40), ('new', 10, 5, 5, 5)) AS c(segment, p, f, d, r) GROUP BY segment) AS s, cvm.value_realisation(p, f, d, r) ORDER BY segment, gap DESC, stage;

-- Rust, Lemon & Zeithaml: three brands, two purchases a year, 100 a purchase, 30 % of it profit; six purchases on
CREATE TABLE market AS SELECT '{A,B,C}'::text[] AS brands, '{.4,.35,.25}'::float8[] AS x, '{{.7,.2,.1},{.25,.6,.15},{.15,.15,.7}}'::float8[] AS p;
SELECT brand, share_now, round(customer_value::numeric, 8) AS customer_value, round(equity::numeric, 4) AS equity, round(equity_share::numeric, 8) AS equity_share
FROM market, cvm.market_equity(brands, x, p, purchases_per_year => 2, purchase_volume => 100, contribution => 0.3, discount_rate => 0.1, population => 1000, purchases => 6);
WITH RECURSIVE path AS (
    SELECT 0 AS t, x AS share FROM market
    UNION ALL
    SELECT t + 1, ARRAY(SELECT sum(share[i] * p[i][j]) FROM generate_series(1, 3) AS i, generate_series(1, 3) AS j GROUP BY j ORDER BY j) FROM path, market WHERE t < 6)
SELECT brand, agrees(customer_value, (SELECT sum(30 * 1.1::float8 ^ (-t / 2.0) * share[n]) FROM path)) AS summed,
       CASE brand WHEN 'A' THEN agrees(customer_value, 73.79826712450355) END AS constructed
FROM market, cvm.market_equity(brands, x, p, 2, 100, 0.3, 0.1, 1000, 6) WITH ORDINALITY AS e(brand, share_now, customer_value, equity, equity_share, n) ORDER BY n;
-- without a horizon: 30 x (I - q P)^-1, q = 1.1^(-1/2)
SELECT brand, agrees(customer_value, 30 * v, 1e-9) AS unlimited, agrees(equity_share, v / sum(v) OVER (), 1e-9) AS shares
FROM market, cvm.market_equity(brands, x, p, 2, 100, 0.3, 0.1, 1000) WITH ORDINALITY AS e(brand, share_now, customer_value, equity, equity_share, n)
JOIN unnest('{8.649673833818792,6.717970305713715,6.120444342168953}'::float8[]) WITH ORDINALITY AS u(v, n) USING (n) ORDER BY n;
SELECT brand, share_now, customer_value, equity_share FROM market, cvm.market_equity(brands, x, p, 0, 100, 0.3, 0.1, 1000);
-- a switching matrix of utilities: rows are choices, inertia keeps the last brand
SELECT bool_and(agrees(s[i][j], exp(u[j] + CASE WHEN i = j THEN 1 ELSE 0 END) / (SELECT sum(exp(u[k] + CASE WHEN i = k THEN 1 ELSE 0 END)) FROM generate_series(1, 3) AS k))) AS logit
FROM (SELECT '{0,0.5,1}'::float8[] AS u, cvm.switching_matrix('{0,0.5,1}', 1) AS s) AS m, generate_series(1, 3) AS i, generate_series(1, 3) AS j;
SELECT cvm.switching_matrix('{0,0}') AS even, cvm.switching_matrix('{}', 1) AS none, cvm.switching_matrix('{1,2}', NULL) AS unknown;
-- the return of raising a driver, by its parts; no coefficient, no gain; American Airlines had 101.3 for 70
CREATE TABLE gain AS SELECT d.* FROM market, cvm.equity_drivers(brands, 'A', '{quality,image,colour}', '{{5,6,1},{7,7,2},{4,8,3}}', '{.3,.2,0}', 1.5, x, 2, 100, 0.3, 0.1, 1000, '{1,0.5,3}', '{40000,10000,0}', 8) WITH ORDINALITY AS d;
SELECT driver, rating, improved_rating, round(gain::numeric, 4) AS gain, round(improved_share::numeric, 6) AS improved_share, cost, round(investment_return::numeric, 6) AS investment_return FROM gain ORDER BY ordinality;
SELECT driver, agrees(equity, 1000 * (cvm.brand_value(x, cvm.switching_matrix('{2.7,3.5,2.8}', 1.5), 2, 100, 0.3, 0.1, 8))[1], 1e-11) AS before,
       agrees(improved_equity, 1000 * (cvm.brand_value(x, cvm.switching_matrix(CASE driver WHEN 'quality' THEN '{3.0,3.5,2.8}' WHEN 'image' THEN '{2.8,3.5,2.8}' ELSE '{2.7,3.5,2.8}' END::float8[], 1.5), 2, 100, 0.3, 0.1, 8))[1], 1e-11) AS after,
       agrees(gain, improved_equity - equity) AS gain, investment_return IS NOT DISTINCT FROM cvm.equity_return(gain, cost) AS "return"
FROM gain, market ORDER BY ordinality;
SELECT driver, improved_rating, gain, investment_return FROM market, cvm.equity_drivers(brands, 'A', '{quality,image}', '{{5,6},{7,7},{4,8}}', '{.3,.2}', 1.5, x, 2, 100, 0.3, 0.1, 1000, '{NULL,0}', '{5,NULL}');
SELECT round(cvm.equity_return(gain => 101.3, cost => 70)::numeric, 4) AS american_airlines;
-- a sample: a matrix for each respondent, the mean by brand
SELECT b.brand, round(avg(v)::numeric, 4) AS mean_value, round(cvm.brand_equity(avg(v), 1000)::numeric, 2) AS equity
FROM (VALUES ('{1,0,0}'::float8[], '{2,1,1}'::float8[]), ('{0,1,0}', '{1,3,1}'), ('{1,0,0}', '{2,2,2}')) AS respondent(bought, utilities),
     LATERAL unnest('{A,B,C}'::text[], cvm.brand_value(bought, cvm.switching_matrix(utilities, 1), 2, 100, 0.3, 0.1, 6)) AS b(brand, v) GROUP BY brand ORDER BY brand;

-- errors
\set VERBOSITY terse
SELECT * FROM cvm.perceived_value('', 60, 20, 10, 10, 45, 5, 5, 5);
SELECT * FROM cvm.perceived_value('EUR', 60, 20, 10, 10, -45, 5, 5, 5);
SELECT * FROM cvm.perceived_value('EUR', 60, 'NaN', 10, 10, 45, 5, 5, 5);
SELECT cvm.quality_ratio('{.5,.5}', '{8,7}', '{7,0}');
SELECT cvm.quality_ratio('{.5,-.5}', '{8,7}', '{7,7}');
SELECT cvm.quality_ratio('{.5,.5}', '{8}', '{7,7}');
SELECT cvm.quality_ratio('{.5,.5}', '{8,7}', '{7}');
SELECT cvm.quality_ratio('{.5,.5}', '{8,NULL}', '{7,7}');
SELECT cvm.worth_paid_for(-8, '{7}');
-- a matrix of scores is the scores in it
SELECT cvm.worth_paid_for(8, '{{7,8},{NULL,9}}');
SELECT cvm.value_band(-1);
SELECT * FROM cvm.value_map('{A,B}', '{{8,7},{7,6}}', '{1,1}', '{12,10}', 1);
SELECT * FROM cvm.value_map('{A,B}', '{{8,7},{7,6}}', '{1,1}', '{12,10}', 1.2);
SELECT * FROM cvm.value_map('{A,B}', '{{8,7},{7,6}}', '{1,1,1}', '{12,10}', 0.4);
SELECT * FROM cvm.value_map('{A,B}', '{8,7}', '{1}', '{12,10}', 0.4);
SELECT * FROM cvm.value_map('{A,B}', '{{8},{7}}', '{1}', '{12}', 0.4);
SELECT * FROM cvm.value_map('{A,B}', '{{8},{-7}}', '{1}', '{12,10}', 0.4);
SELECT * FROM cvm.value_map('{A,B}', '{{8},{7}}', '{-1}', '{12,10}', 0.4);
SELECT * FROM cvm.value_map('{A,B}', '{{8},{7}}', '{1}', '{12,-10}', 0.4);
SELECT * FROM cvm.value_realisation(-1, 80, 60, 45);
SELECT cvm.switching_matrix('{1,NaN}');
SELECT * FROM cvm.market_equity('{A,B}', '{.5,.3,.2}', '{{1,0,0},{0,1,0},{0,0,1}}', 2, 100, 0.3, 0.1, 1000);
SELECT * FROM cvm.market_equity('{A,B}', '{.5,.5}', '{{1,0},{0,1}}', 2, 100, 0.3, 0.1, -1);
SELECT * FROM cvm.market_equity('{A,B}', '{.5,.5}', '{{.5,.6},{0,1}}', 2, 100, 0.3, 0.1, 1000);
-- a share is checked also where there is no value
SELECT * FROM cvm.market_equity('{A,B}', '{Infinity,1}', '{{1,0},{0,1}}', NULL, 100, 0.3, 0.1, 1000);
SELECT * FROM cvm.equity_drivers('{{A},{B}}', 'Z', '{q}', '{{5},{7}}', '{.3}', 1, '{.5,.5}', 2, 100, 0.3, 0.1, 1000, '{1}', '{10}');
SELECT * FROM cvm.market_equity('{A,B}', '{.5,.5}', '{{1,0},{0,1}}', 2, 100, 0.3, 0, 1000);
SELECT * FROM cvm.equity_drivers('{A,B}', 'Z', '{q}', '{{5},{7}}', '{.3}', 1, '{.5,.5}', 2, 100, 0.3, 0.1, 1000, '{1}', '{10}');
SELECT * FROM cvm.equity_drivers('{A,B}', 'A', '{q}', '{{5},{7}}', '{.3,.2}', 1, '{.5,.5}', 2, 100, 0.3, 0.1, 1000, '{1}', '{10}');
SELECT * FROM cvm.equity_drivers('{A,B}', 'A', '{q}', '{{5},{NULL}}', '{.3}', 1, '{.5,.5}', 2, 100, 0.3, 0.1, 1000, '{1}', '{10}');
SELECT * FROM cvm.equity_drivers('{A,B}', 'A', '{q}', '{{5},{7}}', '{.3}', 1, '{.5,.5}', 2, 100, 0.3, 0.1, 1000, '{1}', '{-10}');
DROP SCHEMA perceived_value_test CASCADE;
