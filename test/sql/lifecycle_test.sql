-- lifecycle: gaps, stages, silence out of rhythm; segments: grid, clusters, moves
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA lifecycle_test;
SET search_path = lifecycle_test, public;
CREATE FUNCTION agrees(got float8, truth float8, tolerance float8 DEFAULT 1e-12) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN got IS NULL OR truth IS NULL THEN got IS NULL AND truth IS NULL ELSE abs(got - truth) <= tolerance * greatest(abs(truth), 1e-300) END $$;

-- ---------- gaps ----------

-- two purchases on a day are one, refunds none, and order does not matter; days begin where they are said to
SELECT cvm.purchase_gaps(at, amount) AS gaps, cvm.purchase_gaps(at, amount, '7 days') AS weeks, cvm.purchase_gaps(at, amount, '1 day', 'America/New_York') AS elsewhere
FROM (VALUES (timestamptz '2024-03-09 01:00+00', 5), ('2024-03-01 12:00+00', 1), ('2024-03-01 23:00+00', 2), ('2024-03-04 12:00+00', -2), ('2024-03-29 12:00+00', 0)) AS o(at, amount);
SELECT cvm.purchase_gaps(at, amount) AS single FROM (VALUES (date '2024-03-01', 1.5)) AS o(at, amount);
SELECT cvm.purchase_gaps(at, amount) AS refunds_alone FROM (VALUES (timestamp '2024-03-01', -1.5::float8)) AS o(at, amount);
SELECT cvm.purchase_gaps(at, amount) AS nobody FROM (VALUES (timestamptz '2024-03-01', 1)) AS o(at, amount) WHERE false;
-- they are what the history is made of
CREATE TABLE orders AS SELECT c AS customer_id, timestamptz '2024-01-01 09:00+00' + make_interval(days => (c * 13 % 120 + k * (5 + c % 37) + (k * k * c) % 11)) AS at, 10 + (c + k) % 7 AS amount
FROM generate_series(1, 300) AS c, generate_series(0, 12) AS k WHERE k <= c % 13;
SELECT count(*) AS customers, bool_and(cardinality(gaps) = cvm.repeat_periods(h)) AS x, bool_and((SELECT coalesce(sum(g), 0) FROM unnest(gaps) AS g) = cvm.span(h, '1 day')) AS span,
       bool_and(agrees((SELECT coalesce(sum(ln(g)), 0) FROM unnest(gaps) AS g), cvm.log_intervals(h), 1e-9)) AS logs
FROM (SELECT cvm.purchase_gaps(at, amount) AS gaps, cvm.purchase_history(at, amount) AS h FROM orders GROUP BY customer_id) AS c;

-- ---------- stages ----------

SELECT cvm.lifecycle_cuts('{10,20,30,40,50}') AS spread, cvm.lifecycle_cuts('{7,7,7,7}') AS weekly, cvm.lifecycle_cuts('{}') AS none;
-- purchases on these days of 2024, as of one of them; the population's cuts are 20, 40, 60, 90
CREATE FUNCTION stage(purchases integer[], as_of integer, loyal integer DEFAULT 5) RETURNS text LANGUAGE sql AS $$
    SELECT cvm.lifecycle_stage(cvm.purchase_history(date '2024-01-01' + d, 1), cvm.purchase_gaps(date '2024-01-01' + d, 1), timestamptz '2024-01-01 12:00+00' + make_interval(days => as_of), '{20,40,60,90}', loyal)
    FROM unnest(purchases) AS d $$;
SELECT cvm.lifecycle_stage(NULL, NULL, '2024-01-01', '{20,40,60,90}') AS never, stage('{0}', 20) AS new, stage('{0}', 21) AS still_active, stage('{0}', 40) AS q75, stage('{0}', 41) AS at_risk,
       stage('{0}', 61) AS lapsed, stage('{0}', 91) AS churned, stage('{0,10,20}', 30) AS active, stage('{0,10,20,30,40}', 50) AS loyal, stage('{0,100}', 110) AS won_back, stage('{0,90}', 100) AS just_not;
-- a weekly buyer goes by his own weeks: silent for 7, 8, 14, 15, 21, 22 days
SELECT array_agg(stage('{0,7,14,21,28}', 28 + d) ORDER BY d) AS stages FROM unnest('{7,8,14,15,21,22}'::integer[]) AS d;
SELECT stage('{0,7,14,21,28,60}', 61) AS won_back, stage('{0,7,14,21,28,60,67}', 68) AS then_loyal, stage('{0,7,14}', 14, 3) AS loyal_from_three;
-- everybody has one stage
SELECT stage, count(*) FROM (
    SELECT cvm.lifecycle_stage(h, gaps, '2024-05-01 00:00+00', (SELECT cvm.lifecycle_cuts(array_agg(g)) FROM (SELECT unnest(cvm.purchase_gaps(at, amount)) AS g FROM orders WHERE at < '2024-05-01 00:00+00' GROUP BY customer_id) AS all_gaps)) AS stage
    FROM (SELECT cvm.purchase_gaps(at, amount) AS gaps, cvm.purchase_history(at, amount) AS h FROM orders WHERE at < '2024-05-01 00:00+00' GROUP BY customer_id) AS c) AS s GROUP BY stage ORDER BY stage;

-- ---------- silence out of rhythm ----------

CREATE FUNCTION weekly(weeks integer) RETURNS cvm.purchase_history LANGUAGE sql AS $$ SELECT cvm.purchase_history(date '2024-01-01' + 7 * w, 1) FROM generate_series(0, weeks) AS w $$;
SELECT silence, round(cvm.silence_probability(weekly(10), '2024-03-11 00:00+00'::timestamptz + make_interval(days => silence))::numeric, 4) AS of_ten,
       round(cvm.silence_probability(weekly(4), '2024-01-29 00:00+00'::timestamptz + make_interval(days => silence))::numeric, 4) AS of_four
FROM unnest('{0,5,7,8,9,14,21}'::integer[]) AS silence;
SELECT cvm.early_warning(weekly(10), '2024-03-18 00:00+00') AS a_week, cvm.early_warning(weekly(10), '2024-03-22 00:00+00') AS eleven_days, cvm.early_warning(weekly(2), '2024-12-18 00:00+00') AS two_gaps;
-- before P(alive) falls: of a weekly buyer who is three weeks silent a model of the whole population still has more than half
SELECT round(cvm.p_alive('bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426)', weekly(10), '2024-04-01 00:00+00')::numeric, 4) AS p_alive, cvm.early_warning(weekly(10), '2024-04-01 00:00+00');
SELECT cvm.create_portfolio('rhythm', 'orders', customer => 'customer_id', at => 'at', amount => 'amount', options => '{"predictive_interval": false}') \g /dev/null
SELECT * FROM cvm.early_warning('rhythm');
CALL cvm.recompute('rhythm', '2024-09-01 00:00+00');
SELECT count(*) > 5 AS some, bool_and(w.silence_probability < 0.05 AND w.p_alive >= 0.5) AS as_asked,
       bool_and(w.silence_probability = cvm.silence_probability(c.history, '2024-09-01 00:00+00') AND agrees(w.mean_gap, cvm.span(c.history, '1 day') / cvm.repeat_periods(c.history))) AS numbers,
       count(*) = (SELECT count(*) FROM cvm_rhythm.customer d JOIN cvm_rhythm.churn h USING (customer_id) WHERE h.p_alive >= 0.5 AND cvm.early_warning(d.history, '2024-09-01 00:00+00')) AS all_of_them
FROM cvm.early_warning('rhythm') w JOIN cvm_rhythm.customer c ON c.customer_id::text = w.customer_id;
SELECT count(*) AS nobody FROM cvm.early_warning('rhythm', level => 0);
SELECT * FROM cvm.early_warning('rhythm', level => NULL);
-- the published stage is that of the function, with everybody's gaps; at several dates, so that every stage is met
CREATE TABLE stage (as_of timestamptz, customer_id text, published text, computed text);
DO $$
DECLARE
    instant timestamptz;
BEGIN
    FOREACH instant IN ARRAY '{2024-03-01,2024-06-15,2024-09-01,2024-11-01,2025-02-01}'::timestamptz[] LOOP
        CALL cvm.recompute('rhythm', instant);
        INSERT INTO stage
        WITH c AS (SELECT o.customer_id, cvm.purchase_history(o.at, o.amount) AS history, cvm.purchase_gaps(o.at, o.amount) AS gaps FROM orders o WHERE o.at <= instant GROUP BY 1),
             e AS (SELECT cvm.lifecycle_cuts(array_agg(gap)) AS cuts FROM c, unnest(c.gaps) AS gap)
        SELECT instant, c.customer_id::text, v.lifecycle_stage, cvm.lifecycle_stage(c.history, c.gaps, instant, e.cuts) FROM e, c FULL JOIN cvm_rhythm.customer_value v ON v.customer_id = c.customer_id;
    END LOOP;
END $$;
SELECT count(*) > 1000 AS many, count(*) FILTER (WHERE published IS DISTINCT FROM computed) AS differ FROM stage;
SELECT published, count(*) > 0 AS met FROM stage GROUP BY 1 ORDER BY 1;
-- stages as rules of segments
DELETE FROM cvm_rhythm.segment_rule;
INSERT INTO cvm_rhythm.segment_rule (position, segment, predicate) VALUES (10, 'Gone', $$lifecycle_stage = 'churned' OR days_silent > 300$$), (20, 'Back', $$lifecycle_stage = 'won back'$$);
SELECT max(as_of) AS back FROM stage WHERE published = 'won back' \gset
CALL cvm.recompute('rhythm', :'back');
SELECT segment, bool_and(segment = CASE WHEN lifecycle_stage = 'churned' OR days_silent > 300 THEN 'Gone' WHEN lifecycle_stage = 'won back' THEN 'Back' ELSE 'unclassified' END) AS as_ruled FROM cvm_rhythm.customer_value GROUP BY 1 ORDER BY 1;
SELECT cvm.drop_portfolio('rhythm') \g /dev/null

-- ---------- value by churn ----------

SELECT * FROM cvm.value_churn_grid('{100,90,80,50,40,30,3,2,1}', '{0.9,0.5,0.1,0.1,0.2,0.7,0.1,0.9,0.3}');
SELECT sum(customers) AS customers, sum(value) AS value, agrees(sum(value_share), 1) AS shares FROM cvm.value_churn_grid('{100,90,80,50,40,30,3,2,1}', '{0.9,0.5,0.1,0.1,0.2,0.7,0.1,0.9,0.3}', 4, '{0.5}');
SELECT cvm.value_churn_action(true, 0.3) AS protect, cvm.value_churn_action(true, 0.29) AS nurture, cvm.value_churn_action(false, 0.69) AS develop, cvm.value_churn_action(false, 0.7) AS let_go;

-- ---------- clusters ----------

-- seven points, least sum of squares 8.525 (by exhaustion)
SELECT array_agg(cluster ORDER BY point) AS clusters, round(sum(distance ^ 2)::numeric, 12) AS within FROM cvm.kmeans('{{1,1},{1.5,2},{3,4},{5,7},{3.5,5},{4.5,5},{3.5,4.5}}', 2, standardise => false);
SELECT seed, array_agg(cluster ORDER BY point) AS clusters FROM unnest('{1,2,99}'::bigint[]) AS seed, cvm.kmeans('{{1,1},{1.5,2},{3,4},{5,7},{3.5,5},{4.5,5},{3.5,4.5}}', 2, seed) GROUP BY seed ORDER BY seed;
-- units do not matter unless one wants them to; a constant feature counts for nothing
SELECT a.clusters = b.clusters AS same FROM (SELECT array_agg(cluster ORDER BY point) AS clusters FROM cvm.kmeans('{{1,1,5},{2,2,5},{9,8,5},{8,9,5}}', 2)) AS a, (SELECT array_agg(cluster ORDER BY point) AS clusters FROM cvm.kmeans('{{1000,1},{2000,2},{9000,8},{8000,9}}', 2)) AS b;
-- three clouds are found, the same again with the same seed, and each point is with the nearest centre
CREATE TABLE cloud AS SELECT n, n % 3 AS cloud, ARRAY[10 * (n % 3) + sin(n * 12.9898), 5 * ((n % 3) ^ 2) + cos(n * 78.233)] AS feature FROM generate_series(1, 600) AS n;
SELECT cloud, cluster, count(*) FROM cloud JOIN (SELECT (cvm.kmeans(array_agg(feature ORDER BY n), 3)).* FROM cloud) AS k ON k.point = n GROUP BY 1, 2 ORDER BY 1, 2;
WITH k AS MATERIALIZED (SELECT (cvm.kmeans(array_agg(feature ORDER BY n), 7, 5, 1, false)).* FROM cloud), c AS (SELECT cluster, avg(feature[1]) AS x, avg(feature[2]) AS y FROM cloud JOIN k ON k.point = n GROUP BY cluster)
SELECT count(*) AS points, count(DISTINCT k.cluster) AS clusters, bool_and(agrees(distance, sqrt((feature[1] - o.x) ^ 2 + (feature[2] - o.y) ^ 2), 1e-9)) AS distances,
       bool_and((SELECT min((feature[1] - c.x) ^ 2 + (feature[2] - c.y) ^ 2) FROM c) >= distance ^ 2 - 1e-9) AS nearest
FROM cloud JOIN k ON k.point = n JOIN c AS o USING (cluster);
SELECT (SELECT array_agg(cluster ORDER BY point) FROM cvm.kmeans((SELECT array_agg(feature ORDER BY n) FROM cloud), 7, 5)) = (SELECT array_agg(cluster ORDER BY point) FROM cvm.kmeans((SELECT array_agg(feature ORDER BY n) FROM cloud), 7, 5)) AS same_again;
SELECT array_agg(cluster ORDER BY point) AS each_its_own FROM cvm.kmeans('{{1},{2},{3}}', 3);
SELECT count(*) AS nobody FROM cvm.kmeans('{}', 3);

-- ---------- moves ----------

SELECT * FROM cvm.transition_matrix('{A,A,A,B,B,NULL,NULL,C}', '{A,A,B,B,NULL,A,NULL,NULL}');
SELECT agrees(sum(share), 3) AS rows_sum_to_one FROM cvm.transition_matrix('{A,A,A,B,B,C,C}', '{A,A,B,B,A,C,A}');
SELECT count(*) AS nobody FROM cvm.transition_matrix('{}', '{}');

-- what is outside its domain
\set VERBOSITY terse
SELECT cvm.lifecycle_stage(weekly(4), '{7,7}', '2024-02-01', '{20,40,60,90}');
SELECT cvm.lifecycle_stage(weekly(4), '{7,7,7,7}', '2024-01-01', '{20,40,60,90}');
SELECT cvm.lifecycle_stage(weekly(2), '{7,7}', '2024-02-01', '{20,60,40,90}');
SELECT cvm.lifecycle_stage(weekly(2), '{7,7}', '2024-02-01', '{20,60}');
SELECT cvm.lifecycle_stage(weekly(2), '{7,7}', '2024-02-01', NULL);
SELECT cvm.lifecycle_stage(weekly(2), '{7,7}', NULL, '{20,40,60,90}');
SELECT cvm.lifecycle_cuts('{7,-7}');
SELECT cvm.silence_probability(weekly(4), '2024-01-15');
SELECT cvm.early_warning(weekly(4), '2024-03-15', 1.5);
SELECT * FROM cvm.early_warning('nowhere');
SELECT * FROM cvm.value_churn_grid('{1,2}', '{0.1,0.2}', 3, '{0.7,0.3}');
SELECT * FROM cvm.value_churn_grid('{1,2}', '{0.1,0.2}', 3, '{}');
SELECT * FROM cvm.value_churn_grid('{1,2}', '{0.1,1.2}');
SELECT * FROM cvm.value_churn_grid('{1,2}', '{0.1}');
SELECT * FROM cvm.value_churn_grid('{1,2}', '{0.1,0.2}', 0);
SELECT * FROM cvm.kmeans('{{1,1},{1,1},{2,2}}', 3);
SELECT * FROM cvm.kmeans('{{1,1},{2,2}}', 3);
SELECT * FROM cvm.kmeans('{{1,1},{2,2}}', 0);
SELECT * FROM cvm.kmeans('{1,2}', 1);
SELECT * FROM cvm.kmeans('{{1,NULL},{2,2}}', 1);
SELECT * FROM cvm.kmeans('{{1,NaN},{2,2}}', 1);
SELECT * FROM cvm.kmeans('{{1,1e300},{2,-1e300}}', 1);
SELECT * FROM cvm.kmeans('{{1},{2}}', 1, restarts => 0);
SELECT * FROM cvm.transition_matrix('{A}', '{A,B}');
DROP SCHEMA lifecycle_test CASCADE;
