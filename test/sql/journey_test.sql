-- journey: stages, moves, time, cost and gaps, against hand-computed tables and a walk in a loop
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA journey_test;
SET search_path = journey_test, public;

CREATE TABLE touch (customer text, at date, stage text, channel text, campaign text, cost numeric);
INSERT INTO touch VALUES
    ('a', '2024-01-01', 'aware', 'ad', 'spring', 1), ('a', '2024-01-03', 'visit', 'shop', NULL, 2), ('a', '2024-01-20', 'aware', 'mail', 'spring', 5),
    ('b', '2024-01-02', 'aware', 'ad', NULL, 1), ('c', '2024-01-05', 'visit', 'shop', NULL, NULL),
    -- after as_of, nobody's, never, and without a stage: left out
    ('d', '2024-05-01', 'aware', 'ad', NULL, 9), (NULL, '2024-01-01', 'aware', 'ad', NULL, 9), ('a', 'infinity', 'aware', 'ad', NULL, 9), ('a', '2024-01-01', NULL, 'ad', NULL, 9);
CREATE TABLE orders (customer text, at date, amount numeric);
INSERT INTO orders VALUES ('a', '2024-01-04', 10), ('a', '2024-01-14', 10), ('a', '2024-01-14', 7), ('a', '2024-01-16', -7), ('a', '2024-01-24', 10), ('a', '2024-03-24', 10), ('e', '2024-01-01', 5), ('e', '2024-04-02', 5);
\set t '{"customer": "customer", "at": "at", "stage": "stage", "channel": "channel", "campaign": "campaign", "cost": "cost"}'
\set o '{"customer": "customer", "at": "at", "amount": "amount"}'

-- gaps of 10, 10 and 60 days: median 10, 90 % quantile 50: silent for 50 days is lapsed
SELECT customer, position, stage, entered_at::date, entered_from, left_at::date, left_for, days, is_current, touchpoints, cost FROM cvm.journey_of('touch', :'t', '2024-04-01', 'orders', :'o');
SELECT count(*) AS wrong FROM (
    SELECT customer, stage, entered_at::date, left_at::date, touchpoints, cost FROM cvm.journey_of('touch', :'t', '2024-04-01', 'orders', :'o')
    EXCEPT SELECT * FROM (VALUES ('a', 'aware', date '2024-01-01', date '2024-01-03', 1::bigint, 1::numeric), ('a', 'visit', '2024-01-03', '2024-01-04', 1, 2), ('a', 'first purchase', '2024-01-04', '2024-01-14', 0, 0),
        ('a', 'repeat purchase', '2024-01-14', '2024-03-14', 1, 5), ('a', 'lapsed', '2024-03-14', '2024-03-24', 0, 0), ('a', 'returned', '2024-03-24', NULL, 0, 0),
        ('b', 'aware', '2024-01-02', NULL, 1, 1), ('c', 'visit', '2024-01-05', NULL, 1, 0), ('e', 'first purchase', '2024-01-01', '2024-02-20', 0, 0), ('e', 'lapsed', '2024-02-20', NULL, 0, 0)) AS t) AS x;
-- median and mean of aware: one left after 2 days, one is still there after 90: 2, and 2 + 88 / 2
SELECT position, stage, entered_by, customers, entries, still_in, moved_on, moved_back, lost, overdue, conversion_rate AS conversion, drop_off_rate AS drop_off, median_days AS median, mean_days AS mean, longest_days AS longest
FROM cvm.journey_stages_of('touch', :'t', '2024-04-01', 'orders', :'o');
SELECT stage, touchpoints, cost, cost_per_entry, cost_per_conversion, effort_score, effort_answers, reason FROM cvm.journey_stages_of('touch', :'t', '2024-04-01', 'orders', :'o');
SELECT * FROM cvm.journey_moves_of('touch', :'t', '2024-04-01', 'orders', :'o');
-- before a's first purchase 2 touchpoints in 3 days, before e's none; before the purchases of the 14th and the 24th none and one
SELECT outcome, outcomes, with_touchpoint AS with_one, touchpoints, mean_touchpoints AS mean, median_touchpoints AS median, share_without, mean_days, cost, cost_per_outcome, reason FROM cvm.journey_touchpoints_of('touch', :'t', '2024-04-01', 'orders', :'o');
SELECT * FROM cvm.journey_gaps_of('touch', :'t', '2024-04-01', 'orders', :'o') WHERE is_gap OR position = 0 OR gap = 'low_effort_score';
-- the past as it was known: what comes later changes nothing; one day more, and e has returned
CREATE VIEW touch_then AS SELECT * FROM touch WHERE at <= '2024-02-01';
CREATE VIEW orders_then AS SELECT * FROM orders WHERE at <= '2024-02-01';
SELECT count(*) AS differs FROM (SELECT * FROM cvm.journey_of('touch', :'t', '2024-02-01', 'orders', :'o') EXCEPT ALL SELECT * FROM cvm.journey_of('touch_then', :'t', '2024-02-01', 'orders_then', :'o')) AS d;
SELECT stage, left_for FROM cvm.journey_of('touch', :'t', '2024-04-02', 'orders', :'o') WHERE customer = 'e' AND is_current;
-- from a day on: a and e began on 1 January
SELECT DISTINCT customer FROM cvm.journey_of('touch', :'t', '2024-04-01', 'orders', :'o', from_on => '2024-01-02') ORDER BY 1;
-- purchases alone, touchpoints alone, nobody at all
SELECT stage, entries, lost, touchpoints, cost, reason FROM cvm.journey_stages_of(NULL, NULL, '2024-04-01', 'orders', :'o');
SELECT stage, entries, moved_on, reason FROM cvm.journey_stages_of('touch', '{"customer": "customer", "at": "at", "stage": "stage"}', '2024-04-01');
SELECT stage, entries, conversion_rate, median_days, reason FROM cvm.journey_stages_of('touch', :'t', '2020-04-01', 'orders', :'o');
SELECT outcome, outcomes, mean_touchpoints, reason FROM cvm.journey_touchpoints_of('touch', :'t', '2020-04-01', 'orders', :'o');

-- ---------- rules ----------

-- first contact by any touchpoint, a stage by channel, one entered from another only, and two lapses; a later lapse does not wait for the first
\set rules '[{"position": 1, "stage": "contact", "event": "touchpoint"}, {"position": 0, "stage": "mailed", "event": "touchpoint", "channel": "mail", "entered_from": "bought"}, {"position": 20, "stage": "bought", "event": "first_purchase"}, {"position": 21, "stage": "bought", "event": "repeat_purchase", "moves_back": true}, {"position": 30, "stage": "quiet", "event": "lapse", "after_days": 30}, {"position": 40, "stage": "gone", "event": "lapse", "after_days": 59.5}, {"position": 50, "stage": "back", "event": "return"}]'
SELECT customer, stage, entered_at, entered_from, left_for FROM cvm.journey_of('touch', :'t', '2024-04-01', 'orders', :'o', :'rules') WHERE customer IN ('a', 'e');
SELECT outcome, outcomes FROM cvm.journey_touchpoints_of('touch', :'t', '2024-04-01', 'orders', :'o', :'rules');
-- what comes before the first contact belongs to no stage, and is counted: b's first of no campaign, c's visit
\set strict '[{"position": 1, "stage": "aware", "event": "touchpoint", "touchpoint_stage": "aware", "campaign": "spring"}, {"position": 2, "stage": "visited", "event": "touchpoint", "touchpoint_stage": "visit", "entered_from": "aware"}, {"position": 3, "stage": "never", "event": "touchpoint", "touchpoint_stage": "nothing"}]'
SELECT customer, position, stage, touchpoints FROM cvm.journey_of('touch', :'t', '2024-04-01', 'orders', :'o', :'strict');
SELECT position, stage, gap, is_gap, affected, reason FROM cvm.journey_gaps_of('touch', :'t', '2024-04-01', 'orders', :'o', :'strict') WHERE position IN (0, 3);
SELECT stage, entries, conversion_rate, drop_off_rate, median_days, cost_per_entry, reason FROM cvm.journey_stages_of('touch', :'t', '2024-04-01', 'orders', :'o', :'strict');

-- of one instant: touchpoints in the order of their stages, then the purchase; hours count where times have them, in the zone of the days
CREATE TABLE hour (customer text, at timestamp, stage text);
INSERT INTO hour VALUES ('x', '2024-01-01 10:00', 'visit'), ('x', '2024-01-01 10:00', 'aware'), ('x', '2024-01-01 09:00', 'aware'), ('x', '2024-01-01 23:30', 'support'), ('y', '2024-01-01 08:00', 'aware');
CREATE TABLE sale (customer text, at timestamptz, amount float8);
INSERT INTO sale VALUES ('x', '2024-01-01 10:00+01', 1), ('x', '2024-01-01 22:30+01', 1), ('x', '2024-01-02 00:10+01', 1);
SELECT customer, stage, entered_at, touchpoints FROM cvm.journey_of('hour', '{"customer": "customer", "at": "at", "stage": "stage"}', '2024-01-03', 'sale', :'o', time_zone => 'Europe/Berlin');

-- ---------- a walk in a loop, written the other way ----------

CREATE TABLE many_touch AS SELECT 'c' || i % 300 AS customer, timestamptz '2023-01-01' + (i * 7919 % 35000) * interval '15 minutes' AS at, (ARRAY['s1', 's2', 's3'])[1 + i * 31 % 3] AS stage, (ARRAY['mail', 'ad'])[1 + i * 17 % 2] AS channel, (i % 10)::numeric AS cost FROM generate_series(1, 3000) i;
CREATE TABLE many_orders AS SELECT 'c' || i % 350 AS customer, timestamptz '2023-01-01' + (i * 6553 % 36000) * interval '15 minutes' AS at, 10::numeric AS amount FROM generate_series(1, 2000) i;
\set walk_rules '[{"position": 10, "event": "touchpoint"}, {"position": 15, "stage": "mailed", "event": "touchpoint", "touchpoint_stage": "s3", "channel": "mail", "entered_from": "bought"}, {"position": 20, "stage": "bought", "event": "first_purchase"}, {"position": 30, "stage": "again", "event": "repeat_purchase"}, {"position": 40, "stage": "lapsed", "event": "lapse", "after_days": 60, "moves_back": true}, {"position": 50, "stage": "returned", "event": "return"}]'
CREATE FUNCTION walk() RETURNS TABLE (customer text, stage text, entered_at timestamptz, left_at timestamptz, touchpoints bigint, cost numeric) LANGUAGE plpgsql AS $$
DECLARE
    e record; who text; here int; last_bought timestamptz; target int; names text[];
    as_of constant timestamptz := '2024-01-01';
BEGIN
    -- s1 and s2 in the order in which customers meet them first; s3 is named by a rule
    names := ARRAY(SELECT f.stage FROM (SELECT DISTINCT t.customer, t.stage, (SELECT min(a.at) FROM many_touch a WHERE a.customer = t.customer AND a.stage = t.stage AND a.at <= as_of) AS at FROM many_touch t WHERE t.stage <> 's3' AND t.at <= as_of) f
                   GROUP BY f.stage ORDER BY avg(1 + (SELECT count(DISTINCT o.stage) FROM many_touch o WHERE o.customer = f.customer AND o.stage <> 's3' AND o.at < f.at)))
             || '{mailed,bought,again,lapsed,returned}';
    FOR e IN
        SELECT t.customer, t.at, 1 AS rank, t.stage AS what, t.channel, t.cost FROM many_touch t WHERE t.at <= as_of
        UNION ALL SELECT o.customer, min(o.at), 2, 'order', NULL, 0 FROM many_orders o WHERE o.at <= as_of GROUP BY o.customer, o.at::date
        UNION ALL SELECT o.customer, o.at + interval '60 days', 3, 'silence', NULL, 0 FROM (SELECT p.customer, min(p.at) AS at FROM many_orders p WHERE p.at <= as_of GROUP BY p.customer, p.at::date) o
            WHERE o.at + interval '60 days' <= as_of AND NOT EXISTS (SELECT FROM many_orders p WHERE p.customer = o.customer AND p.at::date > o.at::date AND p.at <= o.at + interval '60 days')
        ORDER BY 1, 2, 3
    LOOP
        IF who IS DISTINCT FROM e.customer THEN
            IF who IS NOT NULL THEN RETURN NEXT; END IF;
            who := e.customer; here := 0; last_bought := NULL; stage := NULL; entered_at := NULL;
            customer := who; left_at := NULL; touchpoints := 0; cost := 0;
        END IF;
        target := CASE e.what WHEN 'order' THEN CASE WHEN last_bought IS NULL THEN 4 WHEN e.at - last_bought > interval '60 days' THEN 7 ELSE 5 END WHEN 'silence' THEN 6
                       WHEN 's3' THEN CASE WHEN e.channel = 'mail' AND here = 4 THEN 3 END ELSE array_position(names, e.what) END;
        IF e.what = 'order' THEN last_bought := e.at; END IF;
        IF target > here OR (target = 6 AND here <> 6) OR (target = 3 AND here = 4) THEN
            IF entered_at IS NOT NULL THEN left_at := e.at; RETURN NEXT; END IF;
            here := target; stage := names[here]; entered_at := e.at; left_at := NULL; touchpoints := 0; cost := 0;
        END IF;
        entered_at := coalesce(entered_at, e.at);
        IF e.rank = 1 THEN touchpoints := touchpoints + 1; cost := cost + e.cost; END IF;
    END LOOP;
    RETURN NEXT;
END $$;
CREATE TABLE walked AS SELECT * FROM walk();
CREATE TABLE journeyed AS SELECT * FROM cvm.journey_of('many_touch', '{"customer": "customer", "at": "at", "stage": "stage", "channel": "channel", "cost": "cost"}', '2024-01-01', 'many_orders', :'o', :'walk_rules');
SELECT (SELECT count(*) FROM walked) AS stays, (SELECT count(DISTINCT stage) FROM walked) AS stages,
       (SELECT count(*) FROM (SELECT * FROM walked EXCEPT ALL SELECT customer, stage, entered_at, left_at, touchpoints, cost FROM journeyed) x) AS missing,
       (SELECT count(*) FROM (SELECT customer, stage, entered_at, left_at, touchpoints, cost FROM journeyed EXCEPT ALL SELECT * FROM walked) x) AS too_many;
-- stages in numbers are sums of the stays
SELECT count(*) AS stages, bool_and(s.entries = j.entries AND s.customers = j.customers AND s.still_in = j.still_in AND s.lost = j.lost AND s.moved_on = j.moved_on AND s.moved_back = j.moved_back
       AND s.entries = s.still_in + s.lost + s.moved_on + s.moved_back AND s.touchpoints = j.touchpoints AND s.cost = j.cost) AS add_up,
       bool_and(abs(s.mean_days - cvm.restricted_mean(j.curve)) < 1e-9 AND s.median_days IS NOT DISTINCT FROM cvm.median(j.curve)) AS times
FROM cvm.journey_stages_of('many_touch', '{"customer": "customer", "at": "at", "stage": "stage", "channel": "channel", "cost": "cost"}', '2024-01-01', 'many_orders', :'o', :'walk_rules') s
JOIN (SELECT y.position, count(*) AS entries, count(DISTINCT y.customer) AS customers, count(*) FILTER (WHERE y.is_current) AS still_in, count(*) FILTER (WHERE y.left_for = 'lapsed') AS lost,
             count(*) FILTER (WHERE n.position > y.position AND y.left_for <> 'lapsed') AS moved_on, count(*) FILTER (WHERE n.position < y.position AND y.left_for <> 'lapsed') AS moved_back,
             sum(y.touchpoints) AS touchpoints, sum(y.cost) AS cost, cvm.survival_curve(extract(epoch FROM coalesce(y.left_at, '2024-01-01') - y.entered_at)::float8 / 86400, NOT y.is_current) AS curve
      FROM journeyed y LEFT JOIN (SELECT DISTINCT position, stage FROM journeyed) n ON n.stage = y.left_for GROUP BY 1) j USING (position);
SELECT sum(moves) FILTER (WHERE direction = 'begins') = max(c) AS everybody_begins FROM cvm.journey_moves_of('many_touch', '{"customer": "customer", "at": "at", "stage": "stage", "channel": "channel"}', '2024-01-01', 'many_orders', :'o', :'walk_rules'),
     (SELECT count(DISTINCT customer) AS c FROM journeyed WHERE position > 0) x;

-- ---------- answers on effort ----------

CREATE TABLE answer (who text, at timestamptz, score int, kind text);
INSERT INTO answer VALUES ('a', '2024-01-15', 7, 'easy'), ('a', '2024-01-16', 4, 'ces'), ('b', '2024-02-01', 3, 'ces'), ('a', '2024-01-02', 10, 'nps'), ('c', '2024-06-01', 1, 'ces'),
    -- 1 to 5, low is good: 2 is 5.5 of 7
    ('e', '2024-01-10', 2, 'effort');
\set a '{"customer": "who", "at": "at", "score": "score", "question": "kind"}'
\set q '{"easy": "ease", "ces": "ease", "effort": "effort", "nps": "nps"}'
SELECT stage, effort_score, effort_answers, reason FROM cvm.journey_stages_of('touch', :'t', '2024-04-01', 'orders', :'o', responses => 'answer', response_columns => :'a', questions => :'q');
SELECT position, stage, is_gap, affected, value, reason FROM cvm.journey_gaps_of('touch', :'t', '2024-04-01', 'orders', :'o', responses => 'answer', response_columns => :'a', questions => :'q') WHERE gap = 'low_effort_score';
SELECT stage, is_gap FROM cvm.journey_gaps_of('touch', :'t', '2024-04-01', 'orders', :'o', responses => 'answer', response_columns => :'a', questions => :'q', low_effort_score => 6) WHERE gap = 'low_effort_score' AND is_gap IS NOT NULL;

-- ---------- what can not be ----------

-- stages that form a loop
SELECT cvm.journey_of('touch', :'t', '2024-04-01', rules => '[{"position": 1, "stage": "a", "event": "touchpoint", "entered_from": "b"}, {"position": 2, "stage": "b", "event": "touchpoint", "entered_from": "c"}, {"position": 3, "stage": "c", "event": "touchpoint", "entered_from": "a"}, {"position": 4, "stage": "d", "event": "first_purchase"}]');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY terse
SELECT cvm.journey_of('touch', :'t', '2024-04-01', rules => '[{"position": 1, "stage": "a", "event": "touchpoint", "entered_from": "a"}]');
-- no loop: there is a way in
SELECT cvm.check_journey_rules('[{"position": 1, "stage": "a", "event": "touchpoint", "entered_from": "b"}, {"position": 2, "stage": "b", "event": "touchpoint", "entered_from": "a"}, {"position": 4, "stage": "b", "event": "first_purchase"}]') IS NOT NULL AS fine;
SELECT cvm.check_journey_rules('[{"position": 1, "stage": "a", "event": "touchpoint", "entered_from": "b"}]');
SELECT cvm.check_journey_rules('[{"position": 1, "stage": "a", "event": "purchase"}]');
SELECT cvm.check_journey_rules('[{"position": 1, "event": "lapse"}]');
SELECT cvm.check_journey_rules('[{"stage": "a", "event": "lapse"}]');
SELECT cvm.check_journey_rules('[{"position": 1, "stage": "a", "event": "lapse", "after_days": 0}]');
SELECT cvm.check_journey_rules('[{"position": 1, "stage": "a", "event": "return", "after_days": 10}]');
SELECT cvm.check_journey_rules('[{"position": 1, "stage": "a", "event": "lapse", "channel": "mail"}]');
SELECT cvm.check_journey_rules('[{"position": 1, "stage": "a", "event": "lapse"}, {"position": 1, "stage": "b", "event": "return"}]');
SELECT cvm.check_journey_rules('[{"position": 1.5, "stage": "a", "event": "lapse"}]');
SELECT cvm.check_journey_rules('[{"position": 1, "stage": "a", "event": "lapse", "colour": "red"}]');
SELECT cvm.check_journey_rules('[1]');
SELECT cvm.check_journey_rules('[]');
SELECT cvm.check_journey_rules(NULL);
SELECT cvm.check_journey_rules((SELECT jsonb_agg(jsonb_build_object('position', i, 'stage', 's' || i, 'event', 'touchpoint')) FROM generate_series(1, 101) i));
CREATE VIEW chatty AS SELECT 'c' AS customer, date '2024-01-01' AS at, 'page ' || i AS stage FROM generate_series(1, 101) i;
SELECT count(*) FROM cvm.journey_of('chatty', '{"customer": "customer", "at": "at", "stage": "stage"}', '2024-04-01');
SELECT cvm.journey_of('touch', '{"customer": "customer", "at": "at"}', '2024-04-01');
SELECT cvm.journey_of('touch', '{"customer": "customer", "at": "stage", "stage": "stage"}', '2024-04-01');
SELECT cvm.journey_of('touch', '{"customer": "customer", "at": "at", "stage": "step"}', '2024-04-01');
SELECT cvm.journey_of('touch', '{"customer": "customer", "at": "at", "stage": "stage", "amount": "cost"}', '2024-04-01');
SELECT cvm.journey_of('touch', :'t', NULL);
SELECT cvm.journey_of('touch', :'t', 'infinity');
SELECT cvm.journey_of(NULL, NULL, '2024-04-01');
SELECT cvm.journey_of('touch', :'t', '2024-04-01', time_zone => 'Mars');
SELECT cvm.journey_gaps_of('touch', :'t', '2024-04-01', low_effort_score => 8);
SELECT count(*) FROM cvm.journey_stages_of('touch', :'t', '2024-04-01', 'orders', :'o', responses => 'answer', response_columns => '{"customer": "who", "at": "at", "score": "score"}');
INSERT INTO touch VALUES ('z', '2024-01-01', 'aware', NULL, NULL, 'NaN');
SELECT count(*) FROM cvm.journey_of('touch', :'t', '2024-04-01');
DELETE FROM touch WHERE customer = 'z';

-- ---------- of a portfolio ----------

SELECT cvm.create_portfolio('jour', 'journey_test.orders', 'customer', 'at', 'amount');
SELECT position, stage, event, moves_back, after_days FROM cvm_jour.journey_stage_rule ORDER BY position;
SELECT cvm.add_feed('jour', 'touchpoints', 'journey_test.touch', '{"customer": "customer", "at": "at"}');
SELECT cvm.add_feed('jour', 'touchpoints', 'journey_test.touch', '{"customer": "customer", "at": "at", "stage": "stage", "cost": "channel"}');
SELECT kind FROM cvm.feeds WHERE portfolio = 'jour' ORDER BY 1;
SELECT cvm.add_feed('jour', 'touchpoints', 'journey_test.touch', :'t');
SELECT cvm.journey('jour');
SELECT count(*) FROM cvm_jour.journey_stage;
INSERT INTO touch VALUES ('f', '9000-01-01', 'aware', NULL, NULL, 1);
SELECT level, finding, hint FROM cvm.check('jour') WHERE finding ~ 'touchpoints';
CALL cvm.recompute('jour', '2024-04-01');
SELECT count(*) AS differs FROM (SELECT * FROM cvm_jour.journey_stage EXCEPT SELECT * FROM cvm.journey_stages_of('touch', :'t', '2024-04-01', 'orders', :'o')) x;
SELECT position, stage, customers, conversion_rate, reason FROM cvm_jour.journey_stage ORDER BY position;
SELECT position, stage, gap, affected FROM cvm_jour.journey_gap WHERE is_gap ORDER BY 1, 3;
SELECT count(*) = (SELECT count(*) FROM cvm.journey('jour')) AS stays FROM cvm.journey_of('touch', :'t', '2024-04-01', 'orders', :'o');
SELECT count(*) FROM cvm.journey_moves('jour');
SELECT outcome, outcomes FROM cvm.journey_touchpoints('jour');
-- answers on effort from the portfolio's responses, on the scales that it declares
SELECT cvm.alter_portfolio('jour', '{"questions": {"easy": "ease", "ces": "ease", "nps": "nps"}}');
SELECT cvm.add_feed('jour', 'responses', 'journey_test.answer', :'a');
SELECT stage, effort_score, effort_answers FROM cvm.journey_stages('jour');
SELECT stage, is_gap, value FROM cvm.journey_gaps('jour') WHERE gap = 'low_effort_score' AND is_gap IS NOT NULL;
SELECT cvm.drop_feed('jour', 'responses');
-- edited rules are taken up by the next recompute; those that can not be stop it, and what was published stays
UPDATE cvm_jour.journey_stage_rule SET stage = 'silent', after_days = 20 WHERE event = 'lapse';
CALL cvm.recompute('jour', '2024-04-01');
SELECT position, stage, entries FROM cvm_jour.journey_stage WHERE position > 2 ORDER BY position;
UPDATE cvm_jour.journey_stage_rule SET entered_from = CASE event WHEN 'lapse' THEN 'returned' ELSE 'silent' END WHERE event IN ('lapse', 'return');
SELECT level, finding, hint FROM cvm.check('jour') WHERE finding ~ 'loop';
CALL cvm.recompute('jour', '2024-04-01');
SELECT count(*) FROM cvm_jour.journey_stage;
BEGIN;
DELETE FROM cvm_jour.journey_stage_rule;
SELECT level, finding, hint FROM cvm.check('jour') WHERE finding ~ 'journey';
SELECT cvm.journey_stages('jour');
ROLLBACK;
DROP TABLE cvm_jour.journey_stage_rule;
CALL cvm.recompute('jour', '2024-04-01');
SELECT cvm.create_journey_rules('cvm_jour');
CALL cvm.recompute('jour', '2024-04-01');
SELECT cvm.journey_gaps('jour', low_effort_score => NULL);
-- a cost that is no number is found before it stops a recompute
BEGIN;
UPDATE touch SET cost = 'Infinity' WHERE ctid = (SELECT min(ctid) FROM touch WHERE at < '2024-04-01');
SELECT level, finding, hint FROM cvm.check('jour') WHERE finding ~ 'cost';
CALL cvm.recompute('jour', '2024-04-01');
ROLLBACK;
-- and so is a view that fails
BEGIN;
ALTER TABLE touch RENAME TO touch_table;
CREATE VIEW touch AS SELECT customer, at, stage, channel, campaign, cost / (length(customer) - length(customer)) AS cost FROM touch_table;
SELECT level, finding, hint FROM cvm.check('jour') WHERE finding ~ 'zero';
ROLLBACK;
-- readers, and the dictionary
CREATE ROLE regress_journey;
SELECT cvm.grant_read('jour', 'regress_journey');
SET ROLE regress_journey;
SELECT count(*) FROM cvm_jour.journey_gap;
SELECT cvm.journey('jour');
RESET ROLE;
SELECT count(*) AS columns, count(*) FILTER (WHERE description IS NULL) AS undescribed FROM cvm.data_dictionary WHERE portfolio = 'jour' AND relation IN ('journey_stage', 'journey_gap', 'journey_stage_rule', 'experiment_result', 'campaign_effect');
-- a feed that has gone stops the next recompute; one that is no longer mapped leaves the views empty
ALTER TABLE touch RENAME TO touched;
CALL cvm.recompute('jour', '2024-04-01');
SELECT count(*) FROM cvm_jour.journey_stage;
ALTER TABLE touched RENAME TO touch;
SELECT cvm.drop_feed('jour', 'touchpoints');
CALL cvm.recompute('jour', '2024-04-01');
SELECT count(*) AS stages, (SELECT count(*) FROM cvm_jour.journey_gap) AS gaps FROM cvm_jour.journey_stage;
SELECT stage, entries FROM cvm.journey_stages('jour');
SELECT cvm.drop_portfolio('jour');
DROP SCHEMA journey_test CASCADE;
DROP ROLE regress_journey;
