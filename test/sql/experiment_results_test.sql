-- experiment_results: experiments from the feeds, against published numbers, plain SQL and what can not be
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA results_test;
SET search_path = results_test, public;
CREATE FUNCTION agrees(got float8, truth float8, tolerance float8 DEFAULT 1e-11) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN got IS NULL OR truth IS NULL THEN got IS NULL AND truth IS NULL ELSE abs(got - truth) <= tolerance * greatest(abs(truth), 1e-300) END $$;

CREATE TABLE orders (who text, at timestamptz, amount numeric);
CREATE TABLE assigned (who text, test text, arm text, at timestamptz);

-- Student's sleep data as revenue after 1 March (all 10 higher), the same amount for everybody before
INSERT INTO assigned SELECT 's' || i, 'sleep', CASE WHEN i <= 10 THEN 'first' ELSE 'control' END, '2024-03-01' FROM generate_series(1, 20) i;
INSERT INTO orders SELECT 's' || i, '2024-02-01', 5 FROM generate_series(1, 20) i;
INSERT INTO orders SELECT 's' || i, '2024-03-05', 10 + extra FROM unnest('{0.7,-1.6,-0.2,-1.2,-0.1,3.4,3.7,0.8,0,2.0,1.9,0.8,1.1,0.1,-0.1,4.4,5.5,1.6,4.6,3.4}'::numeric[]) WITH ORDINALITY AS t(extra, i);
-- the CUPED sample: y after, x within the year before; more than a year before counts for nothing
INSERT INTO assigned SELECT 'u' || i, 'cuped', CASE WHEN i % 2 = 0 THEN 'new' ELSE 'control' END, '2024-03-01' FROM generate_series(1, 12) i;
INSERT INTO orders SELECT 'u' || i, timestamptz '2024-03-02', y FROM unnest('{14.61,4.2,9.94,9.25,9.39,10.24,6.11,10.24,7.94,20.52,11.09,9.65}'::numeric[]) WITH ORDINALITY AS t(y, i)
    UNION ALL SELECT 'u' || i, timestamptz '2023-06-01', x FROM unnest('{16.12,2.33,11.25,8.3,8.64,9.35,3.94,9.3,7.4,19.97,10.68,8.94}'::numeric[]) WITH ORDINALITY AS t(x, i)
    UNION ALL SELECT 'u' || i, timestamptz '2023-02-28', 100 * i FROM generate_series(1, 12) i;
-- 56 of 70 and 48 of 80 buy again; of the others four buy for the first time, and two twice on one day, which is one purchase
INSERT INTO assigned SELECT 'r' || i, 'rates', CASE WHEN i <= 70 THEN 'new' ELSE 'control' END, '2024-03-01' FROM generate_series(1, 150) i;
INSERT INTO orders SELECT 'r' || i, '2024-01-01'::timestamptz + i % 30 * interval '1 day', 20 FROM generate_series(1, 150) i WHERE i NOT BETWEEN 61 AND 64 AND i NOT BETWEEN 149 AND 150
    UNION ALL SELECT 'r' || i, timestamptz '2024-03-10', 20 FROM generate_series(1, 150) i WHERE i <= 56 OR i BETWEEN 61 AND 64 OR i BETWEEN 71 AND 118 OR i >= 149
    UNION ALL SELECT 'r' || i, timestamptz '2024-03-10 15:00+00', 20 FROM generate_series(149, 150) i;
-- what must not count: the day before in the same hour, an instant before the assignment, refunds of before; and what must: the instant itself
INSERT INTO orders VALUES ('s1', '2024-02-29 23:59:59.999999+00', 1000), ('s1', '2024-02-29', -1000);
UPDATE orders SET at = '2024-03-01' WHERE who = 's2' AND at = '2024-03-05';
-- ... nor what lies after as_of
INSERT INTO orders SELECT 's' || i, '2024-05-02', 500 * i FROM generate_series(1, 20) i;

-- experiments that can not be
INSERT INTO assigned SELECT 'r' || i, 'alone', 'control', timestamptz '2024-03-01' FROM generate_series(1, 50) i
    UNION ALL SELECT 'r' || i, 'no control', 'a' || i % 2, '2024-03-01' FROM generate_series(1, 50) i
    UNION ALL SELECT 'r' || i, 'skewed', CASE WHEN i % 3 = 0 THEN 'control' ELSE 'new' END, '2024-03-01' FROM generate_series(1, 150) i
    UNION ALL SELECT 'r' || i, 'both arms', CASE WHEN i % 2 = 0 THEN 'control' ELSE 'new' END, '2024-03-01' FROM generate_series(1, 150) i
    UNION ALL SELECT 'r' || i, 'both arms', 'new', '2024-03-02' FROM generate_series(2, 12, 2) i
    UNION ALL SELECT 'r' || i, 'few in both', CASE WHEN i % 2 = 0 THEN 'control' ELSE 'new' END, '2024-03-01' FROM generate_series(1, 150) i
    UNION ALL SELECT 'q' || i, 'few in both', CASE WHEN i % 2 = 0 THEN 'control' ELSE 'new' END, '2024-03-01' FROM generate_series(1, 150) i
    UNION ALL SELECT 'r2', 'few in both', 'new', '2024-03-02'
    UNION ALL SELECT 'r' || i, 'assigned after it', CASE WHEN i % 2 = 0 THEN 'control' ELSE 'new' END, CASE WHEN i % 10 < 2 THEN timestamptz '2024-03-20' ELSE '2024-03-01' END FROM generate_series(1, 150) i
    UNION ALL SELECT 'r' || i, 'assigned later', CASE WHEN i % 2 = 0 THEN 'control' ELSE 'new' END, '2024-06-01' FROM generate_series(1, 150) i
    UNION ALL SELECT 'r' || i, 'unplanned', (ARRAY['control', 'new', 'third'])[1 + i % 3], '2024-03-01' FROM generate_series(1, 150) i
    UNION ALL SELECT 'r' || i, 'empty arm', (ARRAY['control', 'new'])[1 + i % 2], '2024-03-01' FROM generate_series(1, 150) i
    UNION ALL SELECT 'q' || i, 'strangers', (ARRAY['control', 'new'])[1 + i % 2], '2024-03-01' FROM generate_series(1, 150) i
    UNION ALL SELECT 'r' || i, 'ten days', (ARRAY['control', 'new'])[1 + i % 2], CASE WHEN i <= 140 THEN timestamptz '2024-03-01 12:00+00' ELSE '2024-04-25' END FROM generate_series(1, 150) i
    UNION ALL SELECT 'r' || i, 'tiny', (ARRAY['control', 'new'])[i], '2024-03-01' FROM generate_series(1, 2) i;
-- assigned twice to the same arm: the first counts; and rows that say nothing
INSERT INTO assigned VALUES ('s2', 'sleep', 'first', '2024-03-09'), (NULL, 'sleep', 'first', '2024-03-01'), ('x', NULL, 'first', '2024-03-01'), ('x', 'sleep', NULL, '2024-03-01'), ('x', 'sleep', 'first', NULL), ('x', 'sleep', 'first', 'infinity');

SELECT cvm.create_portfolio('lab', 'results_test.orders', 'who', 'at', 'amount', '{"margin": 0.4, "experiments": {
    "sleep": {"expected_effect": {"revenue": 1}}, "rates": {"shares": {"control": 80, "new": 70}, "expected_effect": {"repeat_purchase": 0.1}},
    "assigned after it": {"ended_at": "2024-03-15"}, "unplanned": {"shares": {"control": 1, "new": 1}}, "empty arm": {"shares": {"control": 1, "new": 1, "third": 1}},
    "ten days": {"days": 10}, "misspelt": {"control": "a"}}}');
SELECT cvm.experiment_results('lab');
SELECT cvm.add_feed('lab', 'assignments', 'results_test.assigned', '{"customer": "who", "experiment": "test", "arm": "arm"}');
SELECT cvm.add_feed('lab', 'assignments', 'results_test.assigned', '{"customer": "who", "experiment": "test", "arm": "arm", "at": "arm"}');
SELECT cvm.add_feed('lab', 'assignments', 'results_test.assigned', '{"customer": "who", "experiment": "test", "arm": "arm", "at": "at"}');
SELECT level, finding, hint FROM cvm.check('lab') WHERE finding ~ 'assign';
CALL cvm.recompute('lab', '2024-05-01');

-- ---------- published numbers ----------

SELECT name, round(got::numeric, 12) AS got, agrees(got, truth) FROM cvm_lab.experiment_result,
     LATERAL (VALUES ('difference', difference, -1.58), ('p', p_value, 0.0793941401873582), ('low', low, -3.365483230711636), ('high', high, 0.20548323071163632), ('mean', mean, 10.75), ('customers', customers, 10)) AS v(name, got, truth)
WHERE experiment = 'sleep' AND outcome = 'revenue' AND arm = 'first';
SELECT reason, cuped_difference, agrees(sequential_p, s.p_value) AS at_any_look FROM cvm_lab.experiment_result, LATERAL cvm.sequential_test(difference, standard_error, 1) s
WHERE experiment = 'sleep' AND outcome = 'revenue' AND arm = 'first';
SELECT name, round(got::numeric, 12) AS got, agrees(got, truth) FROM cvm_lab.experiment_result,
     LATERAL (VALUES ('unadjusted', difference, 0.8366666666666696), ('adjusted', cuped_difference, 0.8139382488774345), ('variance ratio', variance_ratio, 0.038559660143138164)) AS v(name, got, truth)
WHERE experiment = 'cuped' AND outcome = 'revenue' AND arm = 'new';
SELECT name, round(got::numeric, 12) AS got, agrees(got, truth) FROM cvm_lab.experiment_result,
     LATERAL (VALUES ('rate', mean, 0.8), ('p', p_value, 0.00804508136819656), ('Newcombe low', low, 0.05243147240236498), ('Newcombe high', high, 0.333872654036906), ('lift', relative_difference, 1 / 3.0)) AS v(name, got, truth)
WHERE experiment = 'rates' AND outcome = 'repeat_purchase' AND arm = 'new';
SELECT outcome, arm, assigned, customers, round(mean::numeric, 6) AS mean, round(mean * customers) AS who FROM cvm_lab.experiment_result WHERE experiment = 'rates' AND outcome IN ('purchase', 'repeat_purchase') ORDER BY 1, 2;
-- the guard of repeated looks is of the adjusted difference
SELECT agrees(r.sequential_p, s.p_value) AS p, agrees(r.sequential_low, s.low) AS low FROM cvm_lab.experiment_result r, LATERAL cvm.sequential_test(r.cuped_difference, r.cuped_standard_error, 0.1) s
WHERE experiment = 'rates' AND outcome = 'repeat_purchase' AND arm = 'new';

-- CLV: margin x amounts since the assignment, and residual value as published; by plain SQL
SELECT count(*) AS tests, bool_and(agrees(r.difference, d.difference, 1e-9) AND agrees(r.cuped_difference, d.adjusted, 1e-9) AND agrees(r.mean, d.mean, 1e-9)) AS by_hand
FROM (SELECT a.test, avg(v.clv) FILTER (WHERE a.arm <> 'control') AS mean, avg(v.clv) FILTER (WHERE a.arm <> 'control') - avg(v.clv) FILTER (WHERE a.arm = 'control') AS difference, (cvm.cuped(a.arm <> 'control', v.clv, v.before)).difference AS adjusted
      FROM (SELECT DISTINCT who, test, arm, timestamptz '2024-03-01' AS at FROM assigned WHERE test IN ('sleep', 'cuped', 'rates') AND who <> 'x') a
      CROSS JOIN LATERAL (SELECT 0.4 * coalesce((SELECT sum(o.amount) FROM orders o WHERE o.who = a.who AND o.at >= a.at AND o.at <= '2024-05-01'), 0)::float8 + coalesce((SELECT c.residual_value FROM cvm_lab.clv c WHERE c.customer_id = a.who), 0) AS clv,
                                 coalesce((SELECT sum(o.amount) FROM orders o WHERE o.who = a.who AND o.at < a.at AND o.at >= a.at - interval '365 days'), 0)::float8 AS before) v
      GROUP BY 1) d JOIN cvm_lab.experiment_result r ON r.experiment = d.test AND r.outcome = 'clv' AND NOT r.is_control;

-- ---------- what can not be ----------

SELECT experiment, arm, assigned, in_several_arms AS several, assigned_late AS late, unfinished, never_bought AS strangers, customers AS used, round(sample_ratio_p::numeric, 6) AS ratio_p, round(mean::numeric, 4) AS mean, round(difference::numeric, 4) AS difference, reason
FROM cvm_lab.experiment_result WHERE outcome = 'revenue' ORDER BY experiment, is_control DESC, arm;
-- not one number where the experiment is broken
SELECT reason, count(*) AS rows, count(*) FILTER (WHERE num_nonnulls(mean, difference, standard_error, low, high, p_value, relative_difference, cuped_difference, cuped_low, cuped_high, cuped_p_value, variance_ratio, sequential_p, sequential_low, sequential_high) > 0) AS with_numbers
FROM cvm_lab.experiment_result WHERE reason IN ('one_arm', 'no_control', 'sample_ratio', 'in_several_arms', 'assigned_late', 'unplanned_arm', 'no_responses', 'no_residual_value', 'unknown_customers') GROUP BY 1 ORDER BY 1;
SELECT count(*) AS differs FROM (SELECT * FROM cvm.experiment_results('lab') EXCEPT ALL SELECT * FROM cvm_lab.experiment_result) x;
SELECT experiment, outcome, arm FROM cvm.experiment_results('lab', 'sleep', 'purchase');
-- a control by another name, in the portfolio's settings
SELECT cvm.alter_portfolio('lab', '{"experiments": {"no control": {"control": "a0"}}}');
SELECT arm, is_control, reason FROM cvm.experiment_results('lab', 'no control', 'revenue');
-- NPS of those who answered after the assignment, their last answer: 30 of first, -30 of control
CREATE TABLE answered AS SELECT 's' || i AS who, timestamptz '2024-03-20' AS at, score, 'recommend' AS question FROM unnest('{10,10,9,9,10,8,7,8,3,0,9,10,7,8,8,6,5,0,1,2}'::int[]) WITH ORDINALITY AS t(score, i)
    UNION ALL SELECT 's' || i, '2024-03-10', 0, 'recommend' FROM generate_series(1, 20) i UNION ALL SELECT 's' || i, '2024-02-28', 10, 'recommend' FROM generate_series(11, 20) i
    UNION ALL SELECT 's' || i, '2024-04-01', 1, 'delivery' FROM generate_series(1, 20) i UNION ALL SELECT 's' || i, '2024-05-20', 10, 'recommend' FROM generate_series(1, 20) i;
SELECT cvm.add_feed('lab', 'responses', 'results_test.answered', '{"customer": "who", "at": "at", "score": "score", "question": "question"}');
SELECT cvm.alter_portfolio('lab', '{"questions": {"recommend": "nps", "delivery": "csat"}}');
SELECT r.arm, r.customers, r.mean, r.difference, agrees(r.p_value, w.p_value) AS p, r.cuped_difference, r.reason FROM cvm.experiment_results('lab', 'sleep', 'nps') r,
     (SELECT (cvm.difference_in_means(i <= 10, CASE WHEN score >= 9 THEN 100 WHEN score >= 7 THEN 0 ELSE -100 END)).* FROM unnest('{10,10,9,9,10,8,7,8,3,0,9,10,7,8,8,6,5,0,1,2}'::int[]) WITH ORDINALITY AS t(score, i)) w;
SELECT arm, customers, mean, reason FROM cvm.experiment_results('lab', 'cuped', 'nps');
SELECT cvm.alter_portfolio('lab', '{"questions": {"recommend": "csat", "delivery": "nps"}}');
SELECT arm, mean FROM cvm.experiment_results('lab', 'sleep', 'nps');
SELECT cvm.drop_feed('lab', 'responses');
-- the past: on 2 March nothing of the sleep data but s2's has been bought, and those assigned later are not known
CALL cvm.recompute('lab', '2024-03-02 00:00:01+00');
SELECT arm, assigned, mean, difference FROM cvm_lab.experiment_result WHERE experiment = 'sleep' AND outcome = 'revenue' ORDER BY is_control DESC;
SELECT arm, assigned, assigned_late, in_several_arms FROM cvm_lab.experiment_result WHERE experiment = 'assigned after it' AND outcome = 'revenue' ORDER BY arm;

\set VERBOSITY terse
SELECT cvm.experiment_results('lab', outcome => 'happiness');
SELECT cvm.experiment_results('lab', 'unheard of');
SELECT cvm.alter_portfolio('lab', '{"experiments": ["sleep"]}');
SELECT cvm.alter_portfolio('lab', '{"experiments": {"sleep": 1}}');
SELECT cvm.alter_portfolio('lab', '{"experiments": {"sleep": {"colour": "red"}}}');
SELECT cvm.alter_portfolio('lab', '{"experiments": {"sleep": {"shares": {"control": 0}}}}');
SELECT cvm.alter_portfolio('lab', '{"experiments": {"sleep": {"shares": {}}}}');
SELECT cvm.alter_portfolio('lab', '{"experiments": {"sleep": {"days": -1}}}');
SELECT cvm.alter_portfolio('lab', '{"experiments": {"sleep": {"ended_at": "soon"}}}');
SELECT cvm.alter_portfolio('lab', '{"experiments": {"sleep": {"ended_at": "2024-02-31"}}}');
SELECT cvm.alter_portfolio('lab', '{"experiments": {"sleep": {"expected_effect": {"joy": 1}}}}');
SELECT cvm.alter_portfolio('lab', '{"experiments": {"sleep": {"expected_effect": {"revenue": 0}}}}');
\set VERBOSITY default

-- the reading of times: a timestamp is in the portfolio's zone, so in Berlin the assignment of midnight is an hour before that of UTC
CREATE TABLE logged AS SELECT who, test, arm, timestamp '2024-03-01 00:00' AS at FROM assigned WHERE test = 'sleep' AND who LIKE 's%' GROUP BY 1, 2, 3;
SELECT cvm.alter_portfolio('lab', '{"time_zone": "Europe/Berlin", "experiments": null}');
SELECT cvm.add_feed('lab', 'assignments', 'results_test.logged', '{"customer": "who", "experiment": "test", "arm": "arm", "at": "at"}');
CALL cvm.recompute('lab', '2024-05-01');
SELECT arm, round(mean::numeric, 2) AS mean FROM cvm_lab.experiment_result WHERE outcome = 'revenue' ORDER BY arm;
SELECT cvm.drop_feed('lab', 'assignments');
CALL cvm.recompute('lab', '2024-05-01');
SELECT count(*) FROM cvm_lab.experiment_result;

-- money in the portfolio's currency, less what came back, as the recompute counts it
CREATE TABLE foreign_orders AS SELECT o.*, row_number() OVER (ORDER BY who, at, amount)::text AS id, NULL::text AS back, CASE WHEN who LIKE 's%' THEN 'USD' ELSE 'EUR' END AS money FROM orders o WHERE o.amount > 0 AND o.amount < 400;
INSERT INTO foreign_orders SELECT who, '2024-03-20', -1, id || 'r', id, money FROM foreign_orders WHERE who = 's3' AND at = '2024-03-05';
CREATE TABLE rate (money text, day date, rate numeric);
INSERT INTO rate SELECT 'USD', d, 0.5 FROM generate_series(timestamp '2022-01-01', '2024-06-01', '1 day') d;
SELECT cvm.create_portfolio('lab2', 'results_test.foreign_orders', 'who', 'at', 'amount', '{"portfolio_currency": "EUR", "order_id": "id", "refund_of": "back", "currency": "money"}');
SELECT cvm.add_feed('lab2', 'rates', 'results_test.rate', '{"currency": "money", "on": "day", "rate": "rate"}');
SELECT cvm.add_feed('lab2', 'assignments', 'results_test.assigned', '{"customer": "who", "experiment": "test", "arm": "arm", "at": "at"}');
CALL cvm.recompute('lab2', '2024-05-01');
-- half of -1.58, and half of the one that came back over ten customers
SELECT arm, round(mean::numeric, 4) AS mean, round(difference::numeric, 4) AS difference FROM cvm_lab2.experiment_result WHERE experiment = 'sleep' AND outcome = 'revenue' ORDER BY is_control DESC;

-- an owner who may not read them
CREATE ROLE regress_results;
GRANT USAGE ON SCHEMA results_test TO regress_results;
GRANT SELECT ON orders TO regress_results;
CREATE SCHEMA results_out AUTHORIZATION regress_results;
SET ROLE regress_results;
SELECT cvm.create_portfolio('lab3', 'results_test.orders', 'who', 'at', 'amount', '{"schema": "results_out"}');
SELECT cvm.add_feed('lab3', 'assignments', 'results_test.assigned', '{"customer": "who", "experiment": "test", "arm": "arm", "at": "at"}');
SELECT cvm.experiment_results('lab');
SELECT cvm.drop_portfolio('lab3');
RESET ROLE;
SELECT cvm.drop_portfolio('lab'), cvm.drop_portfolio('lab2');
DROP SCHEMA results_test, results_out CASCADE;
DROP ROLE regress_results;
