-- experiment: assignment, tests, CUPED, differences in differences, looks, sample sizes, uplift
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA experiment_test;
SET search_path = experiment_test, public;
CREATE FUNCTION agrees(got float8, truth float8, tolerance float8 DEFAULT 1e-11) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN got IS NULL OR truth IS NULL THEN got IS NULL AND truth IS NULL ELSE abs(got - truth) <= tolerance * greatest(abs(truth), 1e-300) END $$;

-- ---------- assignment ----------

-- the documented hash, by the server's own SHA-256; the first point also by Python's hashlib
SELECT cvm.assignment_point('checkout', 'customer-1') = 6134323745888594 / 2.0::float8 ^ 53 AS by_hashlib,
       bool_and(cvm.assignment_point('checkout', c) = (('x' || encode(substr(sha256(convert_to('checkout', 'UTF8') || '\x00' || convert_to(c, 'UTF8')), 1, 8), 'hex'))::bit(64) >> 11)::bit(64)::bigint / 2.0::float8 ^ 53) AS by_server
FROM (SELECT unnest(ARRAY['customer-1', '', 'Łódź', '42']) UNION ALL SELECT i::text FROM generate_series(1, 1000) AS i) AS t(c);
SELECT cvm.assign('checkout', 42, '{control,new}') AS bigint, cvm.assign('checkout', '42'::text, '{control,new}') AS text,
       cvm.assign('checkout', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid, '{control,new}') = cvm.assign('checkout', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::text, '{control,new}') AS uuid,
       cvm.assignment_point('a', 'bc') <> cvm.assignment_point('ab', 'c') AS apart, cvm.assign(NULL, 1, '{a,b}') AS unknown;
-- a million customers split evenly, within an experiment and between two
CREATE TABLE assigned AS SELECT i, cvm.assign('checkout', i, '{control,a,b}') AS arm, cvm.assign('mailing', i, '{control,new}') AS other,
    CASE WHEN i <= 100000 THEN cvm.assign('price', i, '{control,low,high}', '{8,1,1}') END AS uneven, cvm.assignment_point('checkout', i) AS point FROM generate_series(1, 1000000) AS i;
SELECT customers, round(chi_square::numeric, 4) AS chi_square, degrees_of_freedom, round(p_value::numeric, 4) AS p, broken FROM (SELECT (cvm.sample_ratio_test(array_agg(n), '{1,1,1}')).* FROM (SELECT count(*) AS n FROM assigned GROUP BY arm) AS c) AS t;
SELECT array_agg(n ORDER BY arm) AS control_high_low, (cvm.sample_ratio_test(array_agg(n ORDER BY arm), '{8,1,1}')).p_value > 0.001 AS as_weighted FROM (SELECT uneven AS arm, count(*) AS n FROM assigned WHERE uneven IS NOT NULL GROUP BY uneven) AS c;
SELECT bool_and((cvm.sample_ratio_test(array[a, b, c], '{1,1,1}')).p_value > 0.001) AS in_other_arms FROM (SELECT count(*) FILTER (WHERE arm = 'control') AS a, count(*) FILTER (WHERE arm = 'a') AS b, count(*) FILTER (WHERE arm = 'b') AS c FROM assigned GROUP BY other) AS s;
-- independence: chi-square with (3 - 1)(2 - 1) degrees of freedom, whose 99.9 % quantile is -2 ln 0.001; and each of a hundred bins holds its share
SELECT count(*) AS cells, sum((n - expected) ^ 2 / expected) < -2 * ln(0.001) AS independent
FROM (SELECT n, sum(n) OVER (PARTITION BY arm) * sum(n) OVER (PARTITION BY other) / sum(n) OVER () AS expected FROM (SELECT arm, other, count(*)::float8 AS n FROM assigned GROUP BY arm, other) AS c) AS e;
SELECT (cvm.sample_ratio_test(array_agg(n), array_agg(1))).broken FROM (SELECT count(*) AS n FROM assigned GROUP BY floor(100 * point)) AS c;
-- a larger share keeps those who were in the smaller one
SELECT count(*) FILTER (WHERE cvm.assign('roll-out', i, '{new,control}', '{1,9}') = 'new' AND cvm.assign('roll-out', i, '{new,control}', '{3,7}') <> 'new') AS lost,
       count(*) FILTER (WHERE cvm.assign('roll-out', i, '{a,b,c}', '{1,0,0}') <> 'a' OR cvm.assign('roll-out', i, '{a,b,c}', '{0,1,0}') <> 'b') AS unweighted FROM generate_series(1, 1000) AS i;

-- ---------- worked numbers ----------

CREATE TABLE sleep AS SELECT 1 AS drug, unnest('{0.7,-1.6,-0.2,-1.2,-0.1,3.4,3.7,0.8,0,2.0}'::float8[]) AS extra
UNION ALL SELECT 2, unnest('{1.9,0.8,1.1,0.1,-0.1,4.4,5.5,1.6,4.6,3.4}'::float8[]);
SELECT name, round(got::numeric, 12) AS got, agrees(got, truth)
FROM (SELECT (cvm.difference_in_means(drug = 1, extra)).* FROM sleep) AS w,
     LATERAL (VALUES ('t', t, -1.8608134674868526), ('degrees of freedom', degrees_of_freedom, 17.776473516178495), ('p', p_value, 0.0793941401873582),
                     ('low', low, -3.365483230711636), ('high', high, 0.20548323071163632), ('difference', difference, -1.58)) AS v(name, got, truth);
SELECT name, round(got::numeric, 12) AS got, agrees(got, truth)
FROM cvm.two_proportions_test(56, 70, 48, 80) AS w,
     LATERAL (VALUES ('z', z, 2.6501719512585336), ('p', p_value, 0.00804508136819656), ('Wald low', wald_low, 0.05750489914903714), ('Wald high', wald_high, 0.342495100850963),
                     ('Newcombe low', low, 0.05243147240236498), ('Newcombe high', high, 0.333872654036906), ('lift', relative_difference, 1 / 3.0)) AS v(name, got, truth);
CREATE TABLE cuped AS SELECT * FROM unnest('{14.61,4.2,9.94,9.25,9.39,10.24,6.11,10.24,7.94,20.52,11.09,9.65}'::float8[],
    '{16.12,2.33,11.25,8.3,8.64,9.35,3.94,9.3,7.4,19.97,10.68,8.94}'::float8[], '{0,1,0,1,0,1,0,1,0,1,0,1}'::int[]) AS c(y, x, t);
SELECT name, round(got::numeric, 12) AS got, agrees(got, truth)
FROM (SELECT (cvm.cuped(t = 1, y, x)).* FROM cuped) AS w,
     LATERAL (VALUES ('theta', theta, 0.8523156670963382), ('unadjusted', unadjusted_difference, 0.8366666666666696), ('adjusted', difference, 0.8139382488774345),
                     ('variance ratio', variance_ratio, 0.038559660143138164)) AS v(name, got, truth);
-- adjusting by hand and testing gives the same standard error, interval and p
SELECT agrees(c.standard_error, d.standard_error) AND agrees(c.low, d.low) AND agrees(c.high, d.high) AND agrees(c.p_value, d.p_value) AS by_hand
FROM (SELECT (cvm.cuped(t = 1, y, x)).* FROM cuped) AS c,
     (SELECT (cvm.difference_in_means(t = 1, y - theta * x)).* FROM cuped, (SELECT regr_slope(y, x) AS theta FROM cuped) AS s) AS d;
SELECT name, round(got::numeric, 9) AS got, agrees(got, truth) FROM (VALUES
    ('MDE of 5 %', cvm.mde_proportions(10000, 0.05), 0.008635065574523239),
    ('10 % -> 12 %', cvm.sample_size_proportions(0.1, 0.12, pooled => false), 3838.1021900967044),
    ('the same, pooled', cvm.sample_size_proportions(0.1, 0.12), 3840.847482436272),
    ('1 of a standard deviation of 10', cvm.sample_size_means(effect => 1, sd => 10), 1569.7759468698177),
    ('MDE of means', cvm.mde_means(1569.7759468698177, 10), 1)) AS v(name, got, truth);
SELECT round(cvm.power_means(1569.776, 1, 10)::numeric, 6) AS means, round(cvm.power_proportions(3840.847, 0.1, 0.12)::numeric, 6) AS pooled, round(cvm.power_proportions(3838.102, 0.1, 0.12, pooled => false)::numeric, 6) AS unpooled,
       round(cvm.power_means(100, 0, 1)::numeric, 6) AS no_effect, round((cvm.sample_size_means(1, 10, ratio => 3) * 4 / (2 * cvm.sample_size_means(1, 10)))::numeric, 6) AS three_to_one_costs, cvm.mde_proportions(4, 0.5) AS none_so_far;
-- sample ratio: (30 - 25)^2 / 25 + (20 - 25)^2 / 25 = 2, p = e^-1
SELECT customers, chi_square, degrees_of_freedom, round(p_value::numeric, 12) AS p, round(exp(-1)::numeric, 12) AS by_hand, broken FROM cvm.sample_ratio_test('{30,50,20}', '{1,2,1}');
SELECT chi_square, round(p_value::numeric, 12) AS p, broken FROM cvm.sample_ratio_test('{50500,49500}', '{50,50}');
SELECT broken, reason FROM unnest('{10,9}'::float8[]) AS n, LATERAL cvm.sample_ratio_test(ARRAY[4, n - 4], '{1,1}');
SELECT customers, p_value, broken, reason FROM cvm.sample_ratio_test('{5}', '{1}');
-- always-valid: V = 1, s = 1: 1 / p = sqrt(1/2) e^(d^2 / 4), and the interval ends where that is 1 / alpha
SELECT agrees(p_value, sqrt(2) * exp(-4)) AS p, agrees(high - 4, sqrt(4 * ln(sqrt(2) / 0.05))) AS margin, agrees(high - 4, 4 - low) AS symmetric FROM cvm.sequential_test(4, 1, 1);
SELECT agrees(t.p_value, 0.05) AS at_the_limit FROM cvm.sequential_test(1, 1, 1) AS s, LATERAL cvm.sequential_test(s.high - 1, 1, 1) AS t;
SELECT p_value AS hopeless FROM cvm.sequential_test(1e200, 1e-200, 1);
SELECT p_value, cvm.sequential_test(NULL, 1, 1) AS unknown FROM cvm.sequential_test(0.5, 1, 1);

-- ---------- groups, order, parallel ----------

CREATE TABLE sale AS SELECT i, i % 5 AS segment, i * 7919 % 3 = 0 AS treated, (i * 7919 % 101)::float8 / 7 + 1000 AS outcome, (i * 104729 % 37)::float8 AS covariate FROM generate_series(1, 5000) AS i;
SELECT count(*) AS segments, bool_and(agrees((d).difference, p.difference, 1e-9)) AS difference, bool_and(agrees((d).t, p.difference / p.error, 1e-9)) AS t, bool_and(agrees((d).standard_error, p.error)) AS error,
       bool_and(agrees((d).degrees_of_freedom, p.error ^ 4 / (p.v1 ^ 2 / (p.n1 - 1) + p.v0 ^ 2 / (p.n0 - 1)))) AS degrees, bool_and((d).treated = p.n1 AND (d).control = p.n0) AS n
FROM (SELECT segment, cvm.difference_in_means(treated, outcome) AS d FROM sale GROUP BY segment) AS a
JOIN (SELECT *, (m1 - m0)::float8 AS difference, sqrt(v1 + v0) AS error FROM (
        SELECT segment, count(*) FILTER (WHERE treated) AS n1, count(*) FILTER (WHERE NOT treated) AS n0,
               avg(exact) FILTER (WHERE treated) AS m1, avg(exact) FILTER (WHERE NOT treated) AS m0,
               (var_samp(exact) FILTER (WHERE treated) / count(*) FILTER (WHERE treated))::float8 AS v1, (var_samp(exact) FILTER (WHERE NOT treated) / count(*) FILTER (WHERE NOT treated))::float8 AS v0
        FROM (SELECT *, outcome::text::numeric AS exact FROM sale) AS s GROUP BY segment) AS s) AS p USING (segment);
SELECT bool_and(a::text = b::text AND a::text = c::text) AS order_free FROM (
    SELECT cvm.cuped(treated, outcome, covariate ORDER BY i) AS a, cvm.cuped(treated, outcome, covariate ORDER BY md5(i::text)) AS b, cvm.cuped(treated, outcome, covariate ORDER BY outcome DESC) AS c FROM sale GROUP BY segment) AS s;
SELECT agrees((a).low, (b).low) AND agrees((a).p_value, (b).p_value) AS from_moments, agrees((a).high + (a).low, (c).high + (c).low, 1e-9) AS same_middle, (c).low < (a).low AS wider
FROM (SELECT cvm.difference_in_means(treated, outcome) AS a, cvm.difference_in_means(treated, outcome, 0.99) AS c,
             cvm.welch_test(count(*) FILTER (WHERE treated), avg(outcome) FILTER (WHERE treated), stddev(outcome) FILTER (WHERE treated),
                            count(*) FILTER (WHERE NOT treated), avg(outcome) FILTER (WHERE NOT treated), stddev(outcome) FILTER (WHERE NOT treated)) AS b FROM sale) AS s;
SELECT a::text = b::text AS from_counts FROM (SELECT cvm.difference_in_proportions(treated, outcome > 1010) AS a,
    cvm.two_proportions_test(count(*) FILTER (WHERE treated AND outcome > 1010), count(*) FILTER (WHERE treated), count(*) FILTER (WHERE NOT treated AND outcome > 1010), count(*) FILTER (WHERE NOT treated)) AS b FROM sale) AS s;
-- far from 0: the variance keeps its digits, and what does not vary does not
SELECT round((d).standard_error::numeric, 12) AS shifted, round((e).standard_error::numeric, 12) AS plain, (f).reason FROM (SELECT cvm.difference_in_means(i % 2 = 0, 1e9 + i % 3) AS d, cvm.difference_in_means(i % 2 = 0, i % 3) AS e, cvm.difference_in_means(i % 2 = 0, 0.1) AS f FROM sale) AS s;
ALTER TABLE assigned SET (parallel_workers = 2);
ANALYZE assigned;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE serial AS SELECT cvm.difference_in_means(arm = 'a', point) AS m, cvm.cuped(other = 'new', point, i % 10) AS c, cvm.difference_in_proportions(arm = 'a', other = 'new') AS p,
    cvm.difference_in_differences(arm = 'a', ARRAY[point, i % 3], i % 7) AS d FROM assigned;
RESET max_parallel_workers_per_gather;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT cvm.cuped(other = 'new', point, i % 10) FROM assigned;
SELECT cvm.difference_in_means(arm = 'a', point)::text = m::text AND cvm.cuped(other = 'new', point, i % 10)::text = c::text AND cvm.difference_in_proportions(arm = 'a', other = 'new')::text = p::text
       AND cvm.difference_in_differences(arm = 'a', ARRAY[point, i % 3], i % 7)::text = d::text AS same_in_parallel FROM assigned, serial GROUP BY m, c, p, d;

-- ---------- differences in differences ----------

-- changes 4, 8/3, 7/3 and 2/3, 4/3, 1 (after - mean before); slopes 1, 1/2, 1/2 and 1/2, 1/2, 1
CREATE TABLE campaign (treated boolean, before float8[], after float8);
INSERT INTO campaign VALUES (true, '{1,2,3}', 6), (true, '{2,2,3}', 5), (true, '{1,2,2}', 4), (false, '{1,1,2}', 2), (false, '{2,3,3}', 4), (false, '{0,1,2}', 2);
SELECT treated, control, round(treated_change::numeric, 9) AS treated_change, control_change, difference, agrees(standard_error, sqrt((7 / 9.0 + 1 / 9.0) / 3), 1e-9) AS error, degrees_of_freedom, periods_before, trend_difference, round(trend_p_value::numeric, 9) AS trend_p, warning, reason
FROM (SELECT (cvm.difference_in_differences(treated, before, after)).* FROM campaign) AS c;
SELECT (cvm.difference_in_differences(treated, before, after)).difference = (cvm.difference_in_means(treated, after - (before[1] + before[2] + before[3]) / 3)).difference AS by_hand,
       agrees((cvm.difference_in_differences(treated, before, after)).trend_high, (cvm.difference_in_means(treated, (before[3] - before[1]) / 2)).high) AS trend FROM campaign;
-- 4000 customers whose groups rise by 1 and by 1.5 a period: the warning, though the difference looks sure
SELECT round(difference::numeric, 1) AS difference, p_value < 1e-6 AS sure, round(trend_difference::numeric, 1) AS trend, warning
FROM (SELECT (cvm.difference_in_differences(i % 2 = 0, ARRAY[i * 7919 % 11, i * 10477 % 13 + (CASE i % 2 WHEN 0 THEN 1.5 ELSE 1 END), i * 6133 % 11 + 2 * (CASE i % 2 WHEN 0 THEN 1.5 ELSE 1 END)]::float8[],
             i * 7933 % 11 + 3 * (CASE i % 2 WHEN 0 THEN 1.5 ELSE 1 END))).* FROM generate_series(1, 4000) AS i) AS d;
SELECT difference, periods_before, trend_difference, warning, reason FROM (SELECT (cvm.difference_in_differences(treated, before[3:3], after, 0.9)).* FROM campaign) AS c;
SELECT difference, trend_difference, warning, reason FROM (SELECT (cvm.difference_in_differences(treated, before, after)).* FROM campaign WHERE treated) AS c;
-- everybody has the trend of the group: the same, or not
SELECT round(difference::numeric, 9) AS difference, p_value, abs(trend_difference) < 1e-12 AS alike, warning, reason FROM (SELECT (cvm.difference_in_differences(t, ARRAY[s, s + 0.1, s + 0.2], s + 1 + t::int)).* FROM (VALUES (true, 2), (true, 3.3), (false, 1), (false, 1.7)) AS v(t, s)) AS c;
SELECT difference, p_value, trend_difference, warning, reason FROM (SELECT (cvm.difference_in_differences(t, ARRAY[1, s], s + 1)).* FROM (VALUES (true, 2), (true, 2), (false, 1), (false, 1)) AS v(t, s)) AS c;

-- ---------- uplift ----------

-- eight customers, treated and control in turn from the lowest score up
CREATE TABLE scored AS SELECT * FROM unnest('{1,2,3,4,5,6,7,8}'::float8[], '{t,f,t,f,t,f,t,f}'::boolean[], '{0,0,1,0,1,0,1,1}'::float8[]) AS s(score, treated, outcome);
SELECT bin, customers, lowest, highest, treated_customers, control_customers, treated_mean, control_mean, uplift, round(low::numeric, 6) AS low, reason
FROM (SELECT array_agg(score) AS s, array_agg(treated) AS t, array_agg(outcome) AS o FROM scored) AS a, LATERAL cvm.uplift_table(s, t, o, bins => 2);
SELECT customers, score, treated_customers, control_customers, round(incremental::numeric, 6) AS incremental, at_random
FROM (SELECT array_agg(score) AS s, array_agg(treated) AS t, array_agg(outcome) AS o FROM scored) AS a, LATERAL cvm.qini_curve(s, t, o);
-- area by hand: the differences to the straight line are -1/4 -1/2 -1/4 0 1/12 1/2 1/2 0, by 1/8 of the customers, of 4 treated
SELECT agrees(cvm.qini_coefficient(array_agg(score), array_agg(treated), array_agg(outcome)), (-1 / 4.0 - 1 / 2.0 - 1 / 4.0 + 1 / 12.0 + 1 / 2.0 + 1 / 2.0) / 8 / 4) AS by_hand,
       cvm.qini_coefficient(array_agg(1), array_agg(treated), array_agg(outcome)) AS one_score FROM scored;
-- who is moved: the treatment works on the upper half only; a score that knows is better than one that knows nothing, and its reverse worse
CREATE TABLE moved AS SELECT i, i % 2 = 0 AS treated, i * 7919 % 1000 AS knows, i * 10477 % 997 AS ignorant,
    (i * 6133 % 100 < CASE WHEN i % 2 = 0 AND i * 7919 % 1000 >= 500 THEN 30 ELSE 10 END)::int::float8 AS outcome FROM generate_series(1, 20000) AS i;
SELECT bin, customers, round(treated_mean::numeric, 2) AS treated, round(control_mean::numeric, 2) AS control, round(uplift::numeric, 2) AS uplift, low > 0.1 AS surely_moved, reason
FROM (SELECT array_agg(knows::float8) AS s, array_agg(treated) AS t, array_agg(outcome) AS o FROM moved) AS a, LATERAL cvm.uplift_table(s, t, o, 4);
SELECT round(cvm.qini_coefficient(array_agg(knows::float8), array_agg(treated), array_agg(outcome))::numeric, 3) AS knows, round(cvm.qini_coefficient(array_agg(-knows::float8), array_agg(treated), array_agg(outcome))::numeric, 3) AS backwards,
       round(cvm.qini_coefficient(array_agg(ignorant::float8), array_agg(treated), array_agg(outcome))::numeric, 2) AS ignorant FROM moved;
SELECT cvm.qini_coefficient('{1,2}', '{t,t}', '{1,0}') AS one_arm, cvm.qini_coefficient('{}', '{}', '{}') AS none, (SELECT count(*) FROM cvm.qini_curve('{}', '{}', '{}')) AS no_rows;
SELECT bin, uplift, reason FROM cvm.uplift_table('{1,2,3,4}', '{t,t,f,t}', '{1,0,1,0}', 2);

-- ---------- whole experiments ----------

CREATE TABLE trial AS SELECT i::text AS customer, cvm.assign('trial', i, '{control,a,b}') AS arm, i * 7919 % 101 + CASE cvm.assign('trial', i, '{control,a,b}') WHEN 'a' THEN 5 ELSE 0 END AS outcome,
    (i * 7919 % 101 + i * 104729 % 37)::float8 AS before, '2024-03-01'::timestamptz AS assigned_at, '2024-03-02'::timestamptz AS outcome_at FROM generate_series(1, 3000) AS i;
SELECT arm, is_control AS control, customers_used AS used, round(sample_ratio_p::numeric, 3) AS ratio_p, round(mean::numeric, 2) AS mean, round(difference::numeric, 2) AS difference, round(low::numeric, 2) AS low, round(high::numeric, 2) AS high,
       round(p_value::numeric, 4) AS p, round(relative_difference::numeric, 3) AS relative, variance_ratio, round(sequential_p::numeric, 3) AS always_valid, reason
FROM (SELECT array_agg(customer) AS c, array_agg(arm) AS a, array_agg(outcome) AS o FROM trial) AS t, LATERAL cvm.experiment_result(c, a, o, 'control', expected_effect => 5);
SELECT r.arm, agrees(r.difference, (d.d).difference) AND agrees(r.low, (d.d).low) AND agrees(r.p_value, (d.d).p_value) AND agrees(r.variance_ratio, (d.d).variance_ratio) AS as_cuped, round(r.variance_ratio::numeric, 2) AS variance_left, r.high - r.low < 2 AS narrow, r.reason
FROM (SELECT array_agg(customer) AS c, array_agg(arm) AS a, array_agg(outcome) AS o, array_agg(before) AS b FROM trial) AS t,
     LATERAL cvm.experiment_result(c, a, o, 'control', covariates => b, shares => '{"control": 1, "a": 1, "b": 1}') AS r
JOIN (SELECT a.arm, cvm.cuped(t.arm = a.arm, outcome, before) AS d FROM trial t, (VALUES ('a'), ('b')) AS a(arm) WHERE t.arm IN (a.arm, 'control') GROUP BY a.arm) AS d USING (arm) WHERE NOT r.is_control;
-- what breaks an experiment: nothing is given but the reason
CREATE VIEW broken AS
SELECT 'a tenth of an arm is lost' AS what, customer, arm, outcome, assigned_at, outcome_at FROM trial WHERE NOT (arm = 'a' AND customer LIKE '%7')
UNION ALL SELECT 'some in two arms', customer, arm, outcome, assigned_at, outcome_at FROM trial
UNION ALL SELECT 'some in two arms', customer, CASE arm WHEN 'a' THEN 'b' WHEN 'b' THEN 'control' ELSE 'a' END, outcome, assigned_at, outcome_at FROM trial WHERE customer LIKE '%7'
UNION ALL SELECT 'one in two arms', customer, arm, outcome, assigned_at, outcome_at FROM trial
UNION ALL SELECT 'one in two arms', customer, 'b', outcome, assigned_at, outcome_at FROM trial WHERE customer = (SELECT min(customer) FROM trial WHERE arm = 'a')
UNION ALL SELECT 'assigned after the outcome', customer, arm, outcome, CASE WHEN customer LIKE '%5' THEN '2024-04-01' ELSE assigned_at END, outcome_at FROM trial
UNION ALL SELECT 'one arm', customer, arm, outcome, assigned_at, outcome_at FROM trial WHERE arm = 'control'
UNION ALL SELECT 'no control', customer, arm, outcome, assigned_at, outcome_at FROM trial WHERE arm <> 'control'
UNION ALL SELECT 'one customer an arm', customer, arm, outcome, assigned_at, outcome_at FROM trial WHERE customer IN ((SELECT min(customer) FROM trial WHERE arm = 'a'), (SELECT min(customer) FROM trial WHERE arm = 'control'))
UNION ALL SELECT 'nothing varies', customer, arm, 3, assigned_at, outcome_at FROM trial WHERE arm <> 'b'
UNION ALL SELECT 'nobody in control bought', customer, arm, CASE WHEN arm = 'a' THEN outcome ELSE 0 END, assigned_at, outcome_at FROM trial WHERE arm <> 'b';
SELECT what, r.arm, r.customers_assigned AS assigned, in_several_arms AS several, assigned_late AS late, customers_used AS used, sample_ratio_p < 0.001 AS broken, round(mean::numeric, 1) AS mean, round(difference::numeric, 2) AS difference, round(p_value::numeric, 3) AS p, reason
FROM (SELECT what, array_agg(customer) AS c, array_agg(arm) AS a, array_agg(outcome) AS o, array_agg(assigned_at) AS s, array_agg(outcome_at) AS e FROM broken GROUP BY what) AS t,
     LATERAL cvm.experiment_result(c, a, o, 'control', assigned_at => s, outcome_at => e) AS r ORDER BY what, r.is_control DESC, r.arm;
-- an arm that should have had customers and has none
SELECT arm, customers_assigned AS assigned, sample_ratio_p < 0.001 AS broken, difference, reason
FROM (SELECT array_agg(customer) AS c, array_agg(arm) AS a, array_agg(outcome) AS o FROM trial) AS t, LATERAL cvm.experiment_result(c, a, o, 'control', shares => '{"control": 1, "a": 1, "b": 1, "c": 1}');
SELECT count(*) AS none FROM cvm.experiment_result('{}', '{}', '{}', 'control');
SELECT count(*) AS unknown FROM cvm.experiment_result(NULL, '{}', '{}', 'control');

-- ---------- what can not be given, and what is refused ----------

SELECT treated, control, difference, round(standard_error::numeric, 9) AS error, round(p_value::numeric, 9) AS p, round(relative_difference::numeric, 9) AS relative, reason FROM (
    SELECT (cvm.difference_in_means(t, y)).* FROM (VALUES (1, true, 1.5), (1, true, 2), (2, true, 1), (2, false, 3), (2, false, 4), (3, true, 1), (3, true, 1), (3, false, 2), (3, false, 2), (4, true, 1), (4, true, 2), (4, false, -1), (4, false, 1), (5, true, 2), (5, NULL, 3), (5, false, NULL)) AS v(g, t, y) GROUP BY g ORDER BY g) AS s;
SELECT treated, control, round(difference::numeric, 6) AS difference, round(low::numeric, 4) AS low, round(high::numeric, 4) AS high, wald_low, round(p_value::numeric, 12) AS p, relative_difference, reason FROM (
    SELECT p.* FROM (VALUES (1, 0, 10, 0, 20), (2, 10, 10, 20, 20), (3, 10, 10, 0, 20), (4, 0, 0, 1, 2)) AS v(n, a, b, c, d), LATERAL cvm.two_proportions_test(a, b, c, d) AS p ORDER BY n) AS s;
SELECT theta, variance_ratio, unadjusted_difference, difference, p_value, reason FROM (SELECT (cvm.cuped(t, y, 7)).* FROM (VALUES (true, 1), (true, 2), (false, 2), (false, 4)) AS v(t, y)) AS s;
SELECT theta, difference, p_value, reason FROM (SELECT (cvm.cuped(t, y, 2 * y)).* FROM (VALUES (true, 1), (true, 2), (false, 2), (false, 4)) AS v(t, y)) AS s;
SELECT (cvm.cuped(true, 1, 2)).reason, (cvm.difference_in_proportions(true, true)).reason AS also, (cvm.difference_in_differences(true, '{1}', 2)).reason AS too WHERE false;
\set VERBOSITY terse
SELECT cvm.difference_in_means(true, 'NaN');
SELECT cvm.difference_in_means(true, 1e200);
SELECT cvm.difference_in_means(true, i, i / 4.0) FROM generate_series(1, 2) AS i;
SELECT cvm.difference_in_proportions(true, true, 1);
SELECT cvm.cuped(true, 1, 'Infinity');
SELECT cvm.difference_in_differences(true, '{}', 1);
SELECT cvm.difference_in_differences(true, '{1,NULL}', 1);
SELECT cvm.difference_in_differences(i = 1, array_fill(1.0::float8, ARRAY[i]), 1) FROM generate_series(1, 2) AS i;
SELECT cvm.experiment_combine('{1,2}', '{1,2}');
SELECT cvm.difference_in_differences_final(array_fill('Infinity'::float8, '{24}'));
SELECT * FROM cvm.sequential_test(1, 1e10, 1e-305);
SELECT cvm.welch_test(-1, 0, 1, 2, 0, 1);
SELECT cvm.welch_test(5, 0, -1, 2, 0, 1);
SELECT cvm.two_proportions_test(5, 4, 1, 2);
SELECT * FROM cvm.sample_ratio_test('{1,2}', '{1}');
SELECT * FROM cvm.sample_ratio_test('{100,-2}', '{1,1}');
SELECT * FROM cvm.sample_ratio_test('{100,2}', '{1,0}');
SELECT * FROM cvm.sample_ratio_test('{100,1e300}', '{1,1}');
SELECT * FROM cvm.sequential_test(1, 0, 1);
SELECT * FROM cvm.sequential_test(1, 1, 0);
SELECT cvm.sample_size_means(0, 1);
SELECT cvm.sample_size_means(1, 1, power => 1);
SELECT cvm.sample_size_means(1, 10, power => 0.01);
SELECT cvm.mde_means(100, 1, power => 0.025);
SELECT cvm.sample_size_proportions(0.1, 0.1);
SELECT cvm.sample_size_proportions(0, 0.1);
SELECT cvm.power_proportions(100, 0.1, 1.2);
SELECT cvm.mde_means(0, 1);
SELECT cvm.assign('e', 1, '{control}');
SELECT cvm.assign('e', 1, '{a,b,a}');
SELECT cvm.assign('e', 1, '{a,NULL}');
SELECT cvm.assign('e', 1, '{a,b}', '{1}');
SELECT cvm.assign('e', 1, (SELECT array_agg('arm ' || i) FROM generate_series(1, 101) i));
SELECT cvm.assign('e', 1, (SELECT array_agg('arm ' || i) FROM generate_series(1, 100) i)) LIKE 'arm %' AS a_hundred;
SELECT cvm.assign('e', 1, '{a,b}', array_fill(1::float8, ARRAY[100000]));
SELECT cvm.assign('e', 1, '{a,b}', '{1,-1}');
SELECT cvm.assign('e', 1, '{a,b}', '{0,0}');
SELECT * FROM cvm.uplift_table('{1,2}', '{t}', '{1,2}');
SELECT * FROM cvm.qini_curve('{1,2}', '{t,NULL}', '{1,2}');
SELECT * FROM cvm.experiment_result('{1,2}', '{a}', '{1,2}', 'a');
SELECT * FROM cvm.experiment_result('{1,2}', '{a,NULL}', '{1,2}', 'a');
SELECT * FROM cvm.experiment_result('{1,2}', '{a,b}', '{1,NULL}', 'a');
SELECT * FROM cvm.experiment_result('{1,1}', '{a,a}', '{1,2}', 'a');
SELECT * FROM cvm.experiment_result('{1,2}', '{a,b}', '{1,2}', 'a', shares => '{"a": 1}');
SELECT * FROM cvm.experiment_result('{1,2}', '{a,b}', '{1,2}', 'a', shares => '[1, 1]');
SELECT * FROM cvm.experiment_result('{1,2}', '{a,b}', '{1,2}', 'a', shares => '{"a": 1, "b": 0}');
SELECT * FROM cvm.experiment_result('{1,2}', '{a,b}', '{1,2}', 'a', tolerance => 2);
DROP SCHEMA experiment_test CASCADE;
