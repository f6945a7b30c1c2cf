-- evaluation: forecasts, rankings, probabilities, calibration and drift
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA evaluation_test;
SET search_path = evaluation_test, public;
CREATE FUNCTION agrees(got float8, truth float8, tolerance float8 DEFAULT 1e-12) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN got IS NULL OR truth IS NULL THEN got IS NULL AND truth IS NULL ELSE abs(got - truth) <= tolerance * greatest(abs(truth), 1e-300) END $$;

-- amounts
CREATE TABLE forecast AS SELECT i, actual, predicted FROM unnest('{0,5,1,20,3,0,12,7}'::float8[], '{1,4,2,15,6,0.5,9,3}'::float8[]) WITH ORDINALITY AS f(actual, predicted, i);
SELECT name, round(got::numeric, 12) AS got, agrees(got, truth)
FROM (SELECT cvm.mae(actual, predicted) AS mae, cvm.rmse(actual, predicted) AS rmse, cvm.bias_percent(actual, predicted) AS bias,
             cvm.rank_gini(actual, predicted) AS gini, cvm.top_lift(actual, predicted, 0.25) AS lift, cvm.top_capture(actual, predicted, 0.25) AS capture,
             cvm.relative_mae(actual, predicted) AS relative FROM forecast) AS m,
     LATERAL (VALUES ('MAE', mae, 2.3125), ('RMSE', rmse, 2.7894892005526746), ('bias %', bias, -15.625), ('rank Gini', gini, 0.9272727272727275),
                     ('lift of the top 25 %', lift, 2.6666666666666665), ('capture of the top 25 %', capture, 2.0 / 3),
                     ('MAE to that of the mean', relative, 2.3125 / (SELECT avg(abs(actual - 6)) FROM forecast))) AS v(name, got, truth);
-- the same in plain SQL on more rows, many of them ties, in any order and to the last bit
CREATE TABLE sale AS SELECT i, i % 7 AS s, (i * 7919 % 101)::float8 AS actual, (i * 104729 % 37)::float8 / 3 AS predicted FROM generate_series(1, 3000) AS i;
SELECT count(*) AS groups, bool_and(agrees(m.mae, p.mae)) AS mae, bool_and(agrees(m.rmse, p.rmse)) AS rmse, bool_and(agrees(m.bias, p.bias, 1e-11)) AS bias
FROM (SELECT s, cvm.mae(actual, predicted), cvm.rmse(actual, predicted), cvm.bias_percent(actual, predicted) AS bias FROM sale GROUP BY s) AS m
JOIN (SELECT s, avg(abs(predicted - actual)) AS mae, sqrt(avg((predicted - actual) ^ 2)) AS rmse, 100 * (sum(predicted) - sum(actual)) / sum(actual) AS bias
      FROM sale GROUP BY s) AS p USING (s);
SELECT bool_and(a = b AND c = d AND e = f) AS order_free
FROM (SELECT cvm.rank_gini(actual, predicted ORDER BY i) AS a, cvm.rank_gini(actual, predicted ORDER BY md5(i::text)) AS b,
             cvm.top_capture(actual, predicted, 0.1 ORDER BY i) AS c, cvm.top_capture(actual, predicted, 0.1 ORDER BY i DESC) AS d,
             cvm.mae(actual, predicted ORDER BY actual) AS e, cvm.mae(actual, predicted ORDER BY predicted) AS f FROM sale GROUP BY s) AS m;
-- ties count with the mean over the orders that they leave open: both orders of two tied customers
SELECT round(cvm.rank_gini(actual, predicted)::numeric, 12) AS tied,
       round(((cvm.rank_gini(actual, predicted + up) + cvm.rank_gini(actual, predicted - up)) / 2)::numeric, 12) AS mean_of_both,
       cvm.top_capture(actual, predicted, 0.3333) AS half_of_tie, cvm.top_capture(actual, predicted, 0.6666) AS whole_tie
FROM (VALUES (1, 1, 0), (10, 2, 0.1), (4, 2, 0)) AS v(actual, predicted, up);
-- perfect, reversed, constant
SELECT cvm.rank_gini(actual, 10 * actual + 3) AS perfect, cvm.rank_gini(actual, -actual) AS reversed, cvm.rank_gini(actual, 5) AS constant,
       cvm.mae(actual, actual) AS no_error, cvm.top_lift(actual, 5, 0.1) AS no_lift, cvm.relative_mae(actual, 6) AS mean_only FROM forecast;
-- what is not defined; rows with a NULL are left out
SELECT cvm.mae(a, p), cvm.rmse(a, p), cvm.bias_percent(a, p), cvm.relative_mae(a, p), cvm.rank_gini(a, p), cvm.top_capture(a, p, 0.5), cvm.top_lift(a, p, 0.5)
FROM (VALUES (0, 1), (0, 2), (NULL, 5), (7, NULL)) AS v(a, p);
SELECT cvm.mae(actual, predicted), cvm.rank_gini(actual, predicted), cvm.top_lift(actual, predicted, 0.5) FROM forecast WHERE false;
SELECT cvm.bias_percent(a, p) AS of_losses, cvm.top_capture(a, p, 0.5) AS of_nothing FROM (VALUES (-4, 1), (-4, 2)) AS v(a, p);

-- probabilities
CREATE TABLE outcome AS SELECT y = 1 AS y, p FROM unnest('{1,1,0,1,0,1,0,0,0,0}'::int[], '{0.9,0.8,0.7,0.6,0.55,0.5,0.4,0.3,0.2,0.1}'::float8[]) AS o(y, p);
-- the O-rings of the 23 flights before Challenger, fitted by logistic regression
CREATE TABLE o_ring AS SELECT y = 1 AS y, p FROM unnest('{0,1,0,0,0,0,0,0,1,1,1,0,0,1,0,0,0,0,0,0,1,0,1}'::int[],
    '{0.430493132390542,0.22996825783565158,0.2736210549765389,0.32209405408304265,0.3747242770262265,0.15804910249125148,0.12954602299722628,0.22996825783565158,
      0.8593165734883886,0.6026810505791816,0.22996825783565158,0.04454054628539795,0.3747242770262265,0.9392478089881122,0.3747242770262265,0.08554355573894161,
      0.22996825783565158,0.022703285984252565,0.06904407197188758,0.035641406463013205,0.08554355573894161,0.06904407197188758,0.8288448434301068}'::float8[]) AS o(y, p);
-- Hanley & McNeil (1982): 58 normal and 51 abnormal scans in five ratings
CREATE TABLE scan AS
SELECT rating, abnormal FROM unnest('{33,6,6,11,2}'::int[], '{3,2,2,11,33}'::int[]) WITH ORDINALITY AS c(normals, abnormals, rating),
     LATERAL (SELECT false AS abnormal FROM generate_series(1, normals) UNION ALL SELECT true FROM generate_series(1, abnormals)) AS s;
SELECT name, round(got::numeric, 12) AS got, agrees(got, truth) FROM (
    SELECT 'AUC' AS name, cvm.auc(y, p) AS got, 0.875 AS truth, 1 AS n FROM outcome
    UNION ALL SELECT 'Brier score', cvm.brier(y, p), 0.15525, 2 FROM outcome
    UNION ALL SELECT 'log-loss', cvm.log_loss(y, p), 0.4730962006518439, 3 FROM outcome
    UNION ALL SELECT 'AUC, O-rings', cvm.auc(y, p), 0.78125, 4 FROM o_ring
    UNION ALL SELECT 'Brier score, O-rings', cvm.brier(y, p), 0.13852668102746063, 5 FROM o_ring
    UNION ALL SELECT 'log-loss, O-rings', cvm.log_loss(y, p), 0.44163462364927875, 6 FROM o_ring
    UNION ALL SELECT 'AUC, scans', cvm.auc(abnormal, rating), 0.8931710615280595, 7 FROM scan
    UNION ALL SELECT 'its standard error', cvm.auc_standard_error(abnormal, rating), 0.03248657960734214, 8 FROM scan) AS v ORDER BY n;
-- AUC by counting pairs
SELECT agrees(cvm.auc(actual > 60, predicted), (SELECT avg(CASE WHEN a.predicted > b.predicted THEN 1 WHEN a.predicted = b.predicted THEN 0.5 ELSE 0 END)
    FROM sale a, sale b WHERE a.actual > 60 AND b.actual <= 60)::float8) AS pairs FROM sale;
SELECT cvm.auc(NOT abnormal, rating) + cvm.auc(abnormal, rating) AS one, cvm.auc(abnormal, 1) AS constant, cvm.auc(abnormal, CASE WHEN abnormal THEN 1 ELSE 0 END) AS perfect,
       cvm.auc_standard_error(abnormal, CASE WHEN abnormal THEN 1 ELSE 0 END) AS too_sure FROM scan;
SELECT cvm.auc(y, p), cvm.auc_standard_error(y, p), cvm.brier(y, p), round(cvm.log_loss(y, p)::numeric, 6) AS log_loss FROM (VALUES (true, 0.5), (true, 0.5), (NULL, 0.5), (true, NULL)) AS v(y, p);
SELECT round(cvm.log_loss(true, 0)::numeric, 6) AS certain_and_wrong, round(cvm.log_loss(false, 1)::numeric, 6) AS the_other_way, cvm.log_loss(true, 1) < 1e-14 AS certain_and_right, cvm.brier(true, 0) AS brier;
SELECT cvm.auc(y, p), cvm.brier(y, p), cvm.log_loss(y, p) FROM outcome WHERE false;

-- calibration: equal predictions stay together
SELECT bin, customers, lowest, highest, mean_predicted, mean_actual FROM cvm.calibration('{0,5,1,20,3,0,12,7}', '{1,4,2,15,6,0.5,9,3}', bins => 4);
SELECT * FROM cvm.calibration('{1,0,0,1,1}', '{0.5,0.5,0.5,0.5,0.9}', 5);
SELECT c.bin, c.customers, agrees(c.mean_actual, h.a) AND agrees(c.mean_predicted, h.p) AS by_hand
FROM (SELECT * FROM cvm.calibration(ARRAY(SELECT actual FROM sale ORDER BY i), ARRAY(SELECT predicted FROM sale ORDER BY i))) AS c
FULL JOIN (SELECT floor(10 * (r - 1) / 3000.0) + 1 AS bin, avg(actual) AS a, avg(predicted) AS p FROM (SELECT *, rank() OVER (ORDER BY predicted) AS r FROM sale) AS s GROUP BY 1) AS h USING (bin)
ORDER BY 1;
SELECT count(*) AS none FROM cvm.calibration('{}', '{}');

-- drift
SELECT round(cvm.psi('{.1,.2,.4,.2,.1}', '{.05,.15,.4,.25,.15}')::numeric, 12) AS psi, agrees(cvm.psi('{.1,.2,.4,.2,.1}', '{.05,.15,.4,.25,.15}'), 0.08047189562170502) AS agrees,
       agrees(cvm.psi(expected => '{10,20,40,20,10}', actual => '{1,3,8,5,3}'), 0.08047189562170502) AS of_counts, cvm.psi('{1,2}', '{2,4}') AS none;
SELECT round(cvm.psi('{0.5,0.5,0}', '{0.5,0.3,0.2}')::numeric, 10) AS empty_bin, round(((0.3 - 0.5) * ln(0.3 / 0.5) + (0.2 - 0.0001) * ln(0.2 / 0.0001))::numeric, 10) AS by_hand,
       round(cvm.psi('{0.5,0.5,0}', '{0.5,0.3,0.2}', floor => 0.01)::numeric, 10) AS other_floor, cvm.psi('{0,0}', '{1,2}') AS undefined, cvm.psi('{}', '{}') AS none, cvm.psi(NULL, '{1}') AS unknown;
-- samples: bins between the expected sample's quantiles; 1 .. 100 against 51 .. 150 in 4 bins of 25 is shares 0, 0, 1/4, 3/4
SELECT agrees(cvm.psi_of_values(ARRAY(SELECT generate_series(1, 100)), ARRAY(SELECT generate_series(51, 150)), 4), cvm.psi('{25,25,25,25}', '{0,0,25,75}')) AS by_hand,
       cvm.psi_of_values(ARRAY(SELECT generate_series(1, 100)), ARRAY(SELECT generate_series(1, 100))) AS same, cvm.psi_of_values('{1,1,1}', '{1,1}') AS one_bin, cvm.psi_of_values('{}', '{1}') AS none, cvm.psi_of_values('{1}', '{}') AS none_now;
SELECT agrees(cvm.psi_of_values('{1,1,1,2,3,3}', '{1,2,2,3,9,9}', 3), cvm.psi('{3,1,2}', '{1,2,3}')) AS ties;

-- parallel
CREATE TABLE many AS SELECT i % 3 = 0 AS y, (i * 7919 % 1009) / 1009.0::float8 AS p FROM generate_series(1, 60000) AS i;
ALTER TABLE many SET (parallel_workers = 2);
ANALYZE many;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE serial AS SELECT cvm.auc(y, p) AS a, cvm.brier(y, p) AS b, cvm.log_loss(y, p) AS l, cvm.rank_gini(p * p, p) AS g, cvm.top_capture(p, p, 0.1) AS t, cvm.rmse(1, p) AS r FROM many;
RESET max_parallel_workers_per_gather;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT cvm.auc(y, p) FROM many;
SELECT cvm.auc(y, p) = a AND cvm.brier(y, p) = b AND cvm.log_loss(y, p) = l AND cvm.rank_gini(p * p, p) = g AND cvm.top_capture(p, p, 0.1) = t AND cvm.rmse(1, p) = r AS same_in_parallel
FROM many, serial GROUP BY a, b, l, g, t, r;

-- what is outside its domain
\set VERBOSITY terse
SELECT cvm.mae(1, 'NaN');
SELECT cvm.rmse('Infinity', 1);
SELECT cvm.rmse(1e200, -1e200);
SELECT cvm.top_capture(actual, predicted, 0) FROM forecast;
SELECT cvm.top_lift(actual, predicted, i / 10.0) FROM forecast;
SELECT cvm.auc(true, 'NaN');
SELECT cvm.brier(true, 1.2);
SELECT cvm.log_loss(true, -0.1);
SELECT * FROM cvm.calibration('{1,2}', '{1}');
SELECT * FROM cvm.calibration('{}', '{1}');
SELECT * FROM cvm.calibration('{1,NULL}', '{1,2}');
SELECT * FROM cvm.calibration('{1,2}', '{1,2}', 0);
SELECT cvm.psi('{1,2}', '{1}');
SELECT cvm.psi('{1,-2}', '{1,1}');
SELECT cvm.psi('{1,2}', '{1,NULL}');
SELECT cvm.psi('{1,2}', '{1,1}', 0);
SELECT cvm.psi_chance('{NaN,1}', '{1,1}');
SELECT cvm.psi_chance('{1,1}', '{1,Infinity}');
SELECT cvm.psi_chance('{1,1}', '{1,-1}');
SELECT cvm.psi_chance('{1,1}', '{1,NULL}');
SELECT cvm.psi_chance('{1,1,1}', '{1,1}');
SELECT cvm.psi_of_values('{1,2}', '{1,1}', 1);
SELECT cvm.psi_of_values('{1,NaN}', '{1,1}');
DROP SCHEMA evaluation_test CASCADE;
