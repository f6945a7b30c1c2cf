-- survey: the responses feed and its reports, against hand-computed tables
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA survey_test;
SET search_path = survey_test, public;
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE FUNCTION agrees(got float8, truth float8, tolerance float8 DEFAULT 1e-12) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN got IS NULL OR truth IS NULL THEN got IS NULL AND truth IS NULL ELSE abs(got - truth) <= tolerance * greatest(abs(truth), 1e-300) END $$;

-- 60 customers, orders by a formula
CREATE TABLE orders AS
SELECT c AS customer_id, timestamptz '2023-01-01 00:00+00' + (c * 17 % 90 + k * (20 + c * 7 % 31)) * interval '1 day' AS ordered_at, 10 + (c * 13 + k * 29) % 50 AS total
FROM generate_series(1, 60) c, generate_series(0, 9) k WHERE k <= c % 10;
SELECT cvm.create_portfolio('voice', 'survey_test.orders', 'customer_id', 'ordered_at', 'total', '{"time_zone": "Europe/Berlin"}');

-- ---------- what is declared ----------
SELECT q, s.* FROM unnest('{nps,csat,effort,ease,price,other}'::text[]) AS q,
       cvm.question_scale('{"csat": {"lowest": 1, "highest": 7, "direction": "high", "measure": "top-2"}, "price": "effort", "*": "ease"}', q) AS s;
\set VERBOSITY terse
SELECT cvm.question_scale('{}', 'price');
SELECT cvm.question_scale('{}', NULL);
SELECT cvm.alter_portfolio('voice', '{"questions": {"price": "stars"}}');
SELECT cvm.alter_portfolio('voice', '{"questions": {"price": {"lowest": 1, "highest": 5}}}');
SELECT cvm.alter_portfolio('voice', '{"questions": {"price": {"lowest": 5, "highest": 1, "direction": "high"}}}');
SELECT cvm.alter_portfolio('voice', '{"questions": {"price": {"lowest": 1, "highest": 5, "direction": "sideways"}}}');
SELECT cvm.alter_portfolio('voice', '{"questions": {"price": {"lowest": 1, "highest": 5, "direction": "high", "measure": "nps"}}}');
SELECT cvm.alter_portfolio('voice', '{"questions": {"price": {"lowest": 1, "highest": 5, "direction": "high", "colour": "red"}}}');
SELECT cvm.alter_portfolio('voice', '{"questions": "nps"}');
\set VERBOSITY default

-- ---------- the feed ----------
CREATE TABLE answer (who bigint, at timestamptz, score numeric, question text, about text, via text, how text, asked timestamptz);
-- January 2024: 50 promoters, 30 passives, 20 detractors, none invited; Berlin's January ends at 23:00 UTC
INSERT INTO answer SELECT 1000 + g, '2024-01-10', CASE WHEN g <= 50 THEN 9 WHEN g <= 80 THEN 8 ELSE 5 END, 'nps', NULL, 'mail', 'survey' FROM generate_series(1, 100) AS g;
-- February: 70 promoters, 30 passives, 20 detractors of 160 who were invited
INSERT INTO answer SELECT 2000 + g, '2024-01-31 23:30+00', CASE WHEN g <= 70 THEN 10 WHEN g <= 100 THEN 7 WHEN g <= 120 THEN 0 END, 'nps', NULL, 'web', 'survey', '2024-02-01' FROM generate_series(1, 160) AS g;
-- customers: ten answers to the csat of formulas 7, and the effort of a call
INSERT INTO answer SELECT g, '2024-02-05', ('{5,4,4,3,5,2,5,4,1,5}'::int[])[g], 'csat', 'delivery', 'mail', 'follow-up' FROM generate_series(1, 10) AS g;
INSERT INTO answer SELECT g, '2024-02-06', ('{7,6,5,7,4,2,6,7}'::int[])[g], 'ease', 'service', 'phone', 'interview' FROM generate_series(1, 8) AS g;
INSERT INTO answer VALUES (11, '2024-02-07', 3, 'effort'), (NULL, '2024-02-07', 3, 'csat'), (12, '2024-02-07', NULL, 'csat');
SELECT cvm.add_feed('voice', 'responses', 'survey_test.answer',
    '{"customer": "who", "at": "at", "score": "score", "question": "question", "dimension": "about", "channel": "via", "kind": "how", "invited_at": "asked"}');
CALL cvm.recompute('voice', '2024-02-20 12:00+00');
-- the worked scores: 30 with 7.81; z 1.117, p 0.264 between (70, 30, 20) and (50, 30, 20)
SELECT period_on, is_complete, segment, n, invited, response_rate, promoters, round(nps::numeric, 4) AS nps, round(standard_error::numeric, 6) AS error, round(low::numeric, 4) AS low, round(high::numeric, 4) AS high,
       round(change::numeric, 4) AS change, round(change_p_value::numeric, 10) AS p, reason
FROM cvm_voice.nps_by_period WHERE period_on >= '2023-12-01' AND is_total ORDER BY period_on;
SELECT bool_and(agrees(nps, 30) AND agrees(standard_error, 7.810249675906654)) AS january FROM cvm_voice.nps_by_period WHERE period_on = '2024-01-01' AND is_total;
SELECT agrees(change_p_value, 0.26386696596675153, 1e-9) AS february FROM cvm_voice.nps_by_period WHERE period_on = '2024-02-01' AND is_total;
SELECT count(*) AS months, count(*) FILTER (WHERE reason ~ 'no answers') AS without FROM cvm_voice.nps_by_period WHERE is_total;
SELECT DISTINCT segment FROM cvm_voice.nps_by_period ORDER BY 1;
-- csat 0.7 with Wilson's interval, ease 5.5
SELECT question, measure, lowest, highest, direction, breakdown, part, n, round(score::numeric, 4) AS score, round(low::numeric, 10) AS low, round(high::numeric, 10) AS high, round(mean::numeric, 4) AS mean, top_box, reason
FROM cvm_voice.satisfaction_summary WHERE question <> 'nps' AND breakdown <> 'segment' ORDER BY question, breakdown, part;
SELECT breakdown, part, n, invited, round(response_rate::numeric, 4) AS response_rate, round(score::numeric, 4) AS score FROM cvm_voice.satisfaction_summary WHERE question = 'nps' ORDER BY breakdown, part;
-- segments of a question add up to its answers; the value-weighted score by hand
SELECT question, sum(n) FILTER (WHERE breakdown = 'segment') AS segments, sum(n) FILTER (WHERE breakdown = 'all') AS whole FROM cvm_voice.satisfaction_summary GROUP BY 1 ORDER BY 1;
SELECT agrees(s.value_weighted_score, t.truth, 1e-9) AS weighted FROM cvm_voice.satisfaction_summary s,
       (SELECT sum(v.residual_value) FILTER (WHERE a.score >= 4) / sum(v.residual_value) AS truth FROM answer a JOIN cvm_voice.clv v ON v.customer_id = a.who WHERE a.question = 'csat' AND v.residual_value > 0 AND a.score IS NOT NULL) t
WHERE s.question = 'csat' AND s.breakdown = 'all';

-- ---------- beside value ----------
SELECT question, answer_class, customers, reason FROM cvm_voice.answer_value ORDER BY question, customers DESC, answer_class;
-- all customers are somewhere, with all their value
SELECT question, sum(customers) AS customers, agrees(sum(residual_value), (SELECT sum(residual_value) FROM cvm_voice.clv), 1e-9) AS value, agrees(sum(value_share), 1, 1e-9) AS share, agrees(sum(value_at_risk), (SELECT sum(value_at_risk) FROM cvm_voice.churn), 1e-9) AS at_risk
FROM cvm_voice.answer_value GROUP BY 1 ORDER BY 1;
SELECT answer_class, agrees(difference, truth, 1e-9) AS agrees FROM cvm_voice.answer_value a,
       LATERAL (SELECT avg(v.residual_value) FILTER (WHERE r.score >= 4) - avg(v.residual_value) FILTER (WHERE r.score < 4) AS truth FROM answer r JOIN cvm_voice.clv v ON v.customer_id = r.who WHERE r.question = 'csat' AND r.score IS NOT NULL) t
WHERE a.question = 'csat' AND a.answer_class = 'satisfied';
SELECT sum(customers) AS customers, sum(customers) FILTER (WHERE value_tier = 'high') AS high, sum(customers) FILTER (WHERE answer_class = 'satisfied') AS satisfied, agrees(sum(customer_share) FILTER (WHERE answer_class <> 'no answer'), 1) AS shares
FROM cvm_voice.satisfaction_value WHERE question = 'csat';
SELECT compared, respondents, others, agrees(difference, truth, 1e-9) AS agrees, low < difference AND difference < high AS within, reason FROM cvm_voice.response_bias b,
       LATERAL (SELECT CASE b.compared WHEN 'orders' THEN avg(c.orders) FILTER (WHERE c.customer_id <= 10) - avg(c.orders) FILTER (WHERE c.customer_id > 10)
                                       ELSE avg(c.realised_value) FILTER (WHERE c.customer_id <= 10) - avg(c.realised_value) FILTER (WHERE c.customer_id > 10) END::float8 AS truth FROM cvm_voice.customer c) t
WHERE question = 'csat' AND compared IN ('orders', 'realised_value') ORDER BY compared;
SELECT question, relation, pairs, slope, reason FROM cvm_voice.satisfaction_lead WHERE question IN ('csat', 'nps') ORDER BY 1, 2;

-- a change of the answer that a change of purchases follows: two more points, two more purchases in the 30 days after
CREATE TABLE led (who bigint, at date, total numeric);
INSERT INTO led SELECT c, date '2024-01-01' + d, 10 FROM generate_series(1, 80) c, generate_series(0, 180, 10) d WHERE d < 90 OR (c % 4 + 1) * 10 > d % 40 + 9;
CREATE TABLE led_answer AS SELECT c AS who, d AS at, CASE d WHEN '2024-02-15' THEN 5 ELSE 2 + c % 4 * 2 + c % 2 END AS score FROM generate_series(1, 80) c, unnest('{2024-02-15,2024-03-30}'::date[]) d;
SELECT cvm.create_portfolio('led', 'survey_test.led', 'who', 'at', 'total', '{"questions": {"recommend": "nps"}}');
SELECT cvm.add_feed('led', 'responses', 'survey_test.led_answer', '{"customer": "who", "at": "at", "score": "score"}');
SELECT question, relation, lag_days, pairs, slope > 0 AND low > 0 AS positive, low < slope AND slope < high AS within, correlation > 0.5 AS correlated, p_value < 1e-6 AS significant, reason FROM cvm.satisfaction_lead('led', 'recommend', '2024-01-01', '2024-07-01', 30);
-- slope and correlation written down again
WITH p AS (SELECT a.who, a.score - b.score AS x, (SELECT count(*) FROM led l WHERE l.who = a.who AND l.at > a.at AND l.at <= a.at + 30) - (SELECT count(*) FROM led l WHERE l.who = a.who AND l.at > a.at - 30 AND l.at <= a.at) AS y
           FROM led_answer a JOIN led_answer b ON b.who = a.who AND b.at < a.at)
SELECT agrees(s.slope, (SELECT regr_slope(y, x) FROM p), 1e-9) AS slope, agrees(s.correlation, (SELECT corr(y, x) FROM p), 1e-9) AS correlation,
       agrees(s.standard_error, (SELECT sqrt((regr_syy(y, x) - regr_sxy(y, x) ^ 2 / regr_sxx(y, x)) / (count(*) - 2) / regr_sxx(y, x)) FROM p), 1e-9) AS error
FROM cvm.satisfaction_lead('led', 'recommend', '2024-01-01', '2024-07-01', 30) s WHERE s.relation = 'answers lead';
SELECT relation, reason FROM cvm.satisfaction_lead('led', 'price', '2024-01-01', '2024-07-01');

-- ---------- bad input ----------
\set VERBOSITY terse
SELECT cvm.add_feed('voice', 'responses', 'survey_test.answer', '{"customer": "who", "at": "at", "score": "question"}');
SELECT cvm.add_feed('voice', 'responses', 'survey_test.answer', '{"customer": "who", "at": "at"}');
SELECT cvm.add_feed('voice', 'responses', 'survey_test.answer', '{"customer": "who", "at": "via", "score": "score"}');
SELECT cvm.satisfaction_lead('led', 'recommend', '2024-01-01', '2024-07-01', 0);
SELECT cvm.nps_by_period('led', '2024-07-01', '2024-01-01');
SELECT count(*) FROM cvm.value_by_answer('led', NULL, '2024-01-01', '2024-07-01');
SELECT cvm.nps_by_period('nobody', '2024-01-01', '2024-07-01');
\set VERBOSITY default
-- an answer off its scale: the run fails, says where, and what was published stays
INSERT INTO answer VALUES (13, '2024-02-08', 11, 'nps');
CALL cvm.recompute('voice', '2024-02-21 12:00+00');
SELECT as_of FROM cvm.portfolios WHERE portfolio = 'voice';
UPDATE answer SET score = 8.5 WHERE who = 13;
CALL cvm.recompute('voice', '2024-02-21 12:00+00');
UPDATE answer SET score = 8, question = 'taste' WHERE who = 13;
CALL cvm.recompute('voice', '2024-02-21 12:00+00');
UPDATE answer SET score = 'NaN', question = 'nps' WHERE who = 13;
CALL cvm.recompute('voice', '2024-02-21 12:00+00');
SELECT level, finding, hint FROM cvm.check('voice') WHERE level = 'error';
DELETE FROM answer WHERE who = 13;
SELECT level, finding, hint FROM cvm.check('voice') WHERE finding ~ 'responses' ORDER BY finding;
-- a question that is not mapped
SELECT cvm.add_feed('voice', 'responses', 'survey_test.answer', '{"customer": "who", "at": "at", "score": "score"}');
SELECT count(*) FROM cvm.nps_by_period('voice', '2024-01-01', '2024-02-01');
-- one answer, all of one mind, nothing at all
CREATE TABLE few (who bigint, at date, score float8);
INSERT INTO few VALUES (1, '2024-01-05', 10), (1, '2024-02-05', 9), (2, '2024-02-06', 10), (3, '2024-02-07', 10);
SELECT cvm.alter_portfolio('voice', '{"questions": {"recommend": "nps"}}');
SELECT cvm.add_feed('voice', 'responses', 'survey_test.few', '{"customer": "who", "at": "at", "score": "score"}');
SELECT period_on, n, response_rate, nps, standard_error, round(low::numeric, 2) AS low, high, change, change_p_value, reason FROM cvm.nps_by_period('voice', '2024-01-01', '2024-04-01') WHERE is_total;
SELECT count(*) FROM cvm.satisfaction_summary('voice', '2025-01-01', '2025-02-01');
-- the relation may go and come back, and the feed with it
DROP TABLE few;
CALL cvm.recompute('voice', '2024-02-22 12:00+00');
CREATE TABLE few (who bigint, at date, score float8);
CALL cvm.recompute('voice', '2024-02-22 12:00+00');
SELECT count(*) FROM cvm_voice.nps_by_period;
INSERT INTO few VALUES (1, '2024-01-05', 10);
CALL cvm.recompute('voice', '2024-02-22 12:00+00');
SELECT count(*) > 0 AS back FROM cvm_voice.nps_by_period;
SELECT cvm.drop_feed('voice', 'responses');
CALL cvm.recompute('voice', '2024-02-23 12:00+00');
SELECT count(*) FROM cvm_voice.nps_by_period;
-- a report that its owner does not want
SELECT cvm.add_feed('voice', 'responses', 'survey_test.few', '{"customer": "who", "at": "at", "score": "score"}');
DROP MATERIALIZED VIEW cvm_voice.satisfaction_lead;
CALL cvm.recompute('voice', '2024-02-24 12:00+00');
SELECT count(*) > 0 AS there FROM cvm_voice.nps_by_period;
-- every column of every report says what it means, and readers see it
SELECT r.relation, count(*) AS columns, count(col_description(c.oid, a.attnum)) AS described, bool_and(format_type(a.atttypid, NULL) IN ('text', 'date', 'boolean', 'bigint', 'integer', 'double precision', 'numeric', 'real', 'timestamp with time zone')) AS plain
FROM cvm.output_reports() r JOIN pg_class c ON c.relname = r.relation AND c.relnamespace = 'cvm_led'::regnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE r.feeds && '{responses,reviews,ratings}' GROUP BY 1 ORDER BY 1;
CREATE ROLE regress_survey;
SELECT cvm.grant_read('led', 'regress_survey');
SET ROLE regress_survey;
SELECT count(*) FROM cvm_led.nps_by_period;
SELECT cvm.nps_by_period('led', '2024-01-01', '2024-07-01');
RESET ROLE;
SELECT cvm.drop_portfolio('voice');
SELECT cvm.drop_portfolio('led');
DROP SCHEMA survey_test CASCADE;
DROP ROLE regress_survey;
