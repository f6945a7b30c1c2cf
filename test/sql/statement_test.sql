-- statement: one cause at a time, chains of runs, explain, values as they were published
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA statement_test;
SET search_path = statement_test, public;
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE FUNCTION agrees(got float8, truth float8, tolerance float8 DEFAULT 1e-9) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN got IS NULL OR truth IS NULL THEN got IS NULL AND truth IS NULL ELSE abs(got - truth) <= tolerance * greatest(abs(truth), 1e-300) END $$;
CREATE FUNCTION u(c bigint, k int, purpose bigint) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT ((hashint8extended(c * 1000 + k, purpose) & ((1::bigint << 52) - 1))::float8 + 0.5) / (1::bigint << 52)::float8 $$;
-- 600 customers who buy and leave as BG/NBD has it
CREATE TABLE orders AS
SELECT c AS customer_id, timestamptz '2023-01-01 00:00+00' + (u(c, 0, 1) * 120 + d) * interval '1 day' AS ordered_at, round((20 + 60 * u(c, k, 4))::numeric, 2) AS total
FROM (SELECT c, k, sum(CASE WHEN k = 0 THEN 0 ELSE -ln(u(c, k, 2)) * 8 / (0.2 + u(c, 0, 5)) END) OVER (PARTITION BY c ORDER BY k) AS d,
             bool_and(k = 0 OR u(c, k, 3) > 0.15) OVER (PARTITION BY c ORDER BY k) AS alive FROM generate_series(1::bigint, 600) c, generate_series(0, 20) k) s
WHERE alive AND d < 300;
SELECT cvm.create_portfolio('st', 'statement_test.orders', 'customer_id', 'ordered_at', 'total', '{"history": "1 day"}');
CALL cvm.recompute('st', '2023-08-01 12:00+00');
SELECT count(*) AS statements FROM cvm_st.equity_statement;
SELECT count(*) FROM cvm_st.score WHERE changes IS NOT NULL;
-- the models stay: what follows is not theirs
SELECT count(cvm.promote(m.model_id)) AS pinned FROM cvm.models m WHERE m.portfolio = 'st' AND m.is_live AND m.role = 'purchases';

-- which columns are not 0
CREATE FUNCTION causes(portfolio text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE t text;
BEGIN
    EXECUTE format('SELECT string_agg(c.cause || CASE WHEN c.amount < 0 THEN '' -'' ELSE '' +'' END, '', '' ORDER BY e.position) FROM cvm_%1$s.equity_statement s,
        LATERAL (SELECT j.key AS cause, CASE WHEN jsonb_typeof(j.value) = ''number'' THEN j.value::numeric END AS amount FROM jsonb_each(to_jsonb(s)) j) c JOIN cvm.equity_causes() e USING (cause)
        WHERE s.is_total AND c.amount <> 0 AND s.run_id = (SELECT max(run_id) FROM cvm_%1$s.equity_statement)', portfolio) INTO t;
    RETURN coalesce(t, 'nothing');
END $$;

-- nothing but the run again
CALL cvm.recompute('st', '2023-08-01 12:00+00');
SELECT causes('st');
-- late data, of a customer who was there and of one who was not
INSERT INTO orders VALUES (1, '2023-07-20', 30), (9001, '2023-06-01', 30);
CALL cvm.recompute('st', '2023-08-01 12:00+00');
SELECT causes('st');
-- corrected: an amount; a deleted row
UPDATE orders SET total = total * 3 WHERE customer_id = (SELECT min(customer_id) FROM cvm_st.customer WHERE repeat_periods > 3);
CALL cvm.recompute('st', '2023-08-01 12:00+00');
SELECT causes('st');
-- erased
DELETE FROM orders WHERE customer_id = 9001;
CREATE TABLE gone AS SELECT residual_value FROM cvm_st.clv WHERE customer_id = 9001;
CALL cvm.recompute('st', '2023-08-01 12:00+00');
SELECT causes('st'), s.erased = -round(g.residual_value::numeric, 2) AS exact FROM cvm_st.equity_statement s, gone g WHERE s.is_total ORDER BY s.run_id DESC LIMIT 1;
-- merged: two customers who turn out to be one; what he is worth with both histories, less what both were
CREATE TABLE pair AS SELECT c.customer_id, v.residual_value, row_number() OVER (ORDER BY c.customer_id) AS n FROM cvm_st.customer c JOIN cvm_st.clv v USING (customer_id) WHERE c.repeat_periods BETWEEN 2 AND 4 ORDER BY c.customer_id LIMIT 2;
CREATE TABLE same AS SELECT a.customer_id AS alias, b.customer_id AS customer FROM pair a, pair b WHERE a.n = 1 AND b.n = 2;
SELECT cvm.add_feed('st', 'aliases', 'statement_test.same', '{"alias": "alias", "customer": "customer"}');
CALL cvm.recompute('st', '2023-08-01 12:00+00');
SELECT causes('st'), abs(s.merged - (v.residual_value - t.both)::numeric) < 0.01 AS exact FROM cvm_st.equity_statement s, same, cvm_st.clv v, (SELECT sum(residual_value) AS both FROM pair) t
WHERE v.customer_id = same.customer AND s.is_total ORDER BY s.run_id DESC LIMIT 1;
SELECT count(*) FROM cvm_st.clv JOIN same ON customer_id = alias;
SELECT part, amount = (SELECT round(c.residual_value::numeric, 2) - round(p.residual_value::numeric, 2) FROM cvm_st.clv c JOIN pair p USING (customer_id), same WHERE c.customer_id = same.customer) AS exact
FROM same, cvm.explain('st', same.customer::text) WHERE position BETWEEN 11 AND 21 AND amount <> 0;
-- and two again
DELETE FROM same;
CALL cvm.recompute('st', '2023-08-01 12:00+00');
SELECT causes('st'), (SELECT count(*) FROM cvm_st.clv JOIN pair USING (customer_id, residual_value)) AS as_they_were;
-- merged into one whom nobody knew
INSERT INTO same SELECT customer_id, 9100 FROM pair;
CALL cvm.recompute('st', '2023-08-01 12:00+00');
SELECT causes('st');
SELECT cvm.drop_feed('st', 'aliases');
CALL cvm.recompute('st', '2023-08-01 12:00+00');
-- assumptions
SELECT cvm.alter_portfolio('st', '{"annual_discount_rate": 0.15}');
CALL cvm.recompute('st', '2023-08-01 12:00+00');
SELECT causes('st');
SELECT cvm.alter_portfolio('st', '{"margin": 0.5, "value_horizon": "5 years"}');
CALL cvm.recompute('st', '2023-08-01 12:00+00');
SELECT causes('st');
SELECT cvm.alter_portfolio('st', '{"margin": null, "value_horizon": null, "annual_discount_rate": null}');
CALL cvm.recompute('st', '2023-08-01 12:00+00');
-- what can not be compared is an assumption too
SELECT cvm.alter_portfolio('st', '{"portfolio_currency": "EUR"}');
INSERT INTO orders VALUES (1, '2023-07-22', 30);
CALL cvm.recompute('st', '2023-08-01 12:00+00');
SELECT causes('st');
-- moves alone: segments add up, nothing is lost
UPDATE cvm_st.segment_rule SET segment = 'Best' WHERE segment = 'Champions';
CALL cvm.recompute('st', '2023-08-01 12:00+00');
SELECT causes('st');
SELECT segment, opening > 0 AS opened, moved_in > 0 AS came, moved_out < 0 AS went, closing > 0 AS closed FROM cvm_st.equity_statement WHERE segment IN ('Best', 'Champions') AND run_id = (SELECT max(run_id) FROM cvm_st.equity_statement) ORDER BY 1;
SELECT opening + moved_out AS rest FROM cvm_st.equity_statement WHERE segment = 'Champions' AND run_id = (SELECT max(run_id) FROM cvm_st.equity_statement);
-- refunds, on the day of the run
INSERT INTO orders SELECT min(customer_id), '2023-08-01 15:00+00', -15 FROM cvm_st.customer WHERE repeat_periods > 3;
CALL cvm.recompute('st', '2023-08-01 18:00+00');
SELECT causes('st');
-- time: a week in which nobody buys, but one who is new.  What was expected is by hand:
-- the present value grows, purchases of the week are no longer to come, and all are silent
DELETE FROM orders WHERE ordered_at > '2023-08-01 18:00+00';
INSERT INTO orders VALUES (9002, '2023-08-05', 50);
CREATE TABLE before AS SELECT c.customer_id, c.history, v.residual_value, v.expected_spend FROM cvm_st.customer c JOIN cvm_st.clv v USING (customer_id);
CREATE TABLE model AS SELECT m.model, ln(1.1) / 365.25 * 7 AS rate FROM cvm.models m WHERE m.portfolio = 'st' AND m.is_live AND m.role = 'purchases';
CALL cvm.recompute('st', '2023-08-08 18:00+00');
SELECT causes('st');
WITH t AS (SELECT sum(b.residual_value) AS value, sum(cvm.discounted_purchases(m.model, b.history, '2023-08-01 18:00+00', m.rate, interval '7 days') * b.expected_spend) AS due, exp(min(m.rate)) AS growth,
                  sum(cvm.discounted_purchases(m.model, b.history, '2023-08-08 18:00+00', m.rate) * b.expected_spend) AS silent FROM before b, model m)
SELECT agrees(s.opening::float8, t.value, 1e-6) AS opening, abs(s.purchases_expected::float8 + t.due * t.growth) < 0.02 AS expected, abs(s.unwinding::float8 - t.value * (t.growth - 1)) < 0.02 AS unwinding,
       abs(s.silence::float8 - (t.silent - (t.value - t.due) * t.growth)) < 0.02 AS silence, s.purchases_beyond, abs(s.new_customers::float8 - (SELECT residual_value FROM cvm_st.clv WHERE customer_id = 9002)) < 0.02 AS new_customers
FROM t, cvm_st.equity_statement s WHERE s.is_total ORDER BY s.run_id DESC LIMIT 1;
-- somebody buys
INSERT INTO orders SELECT customer_id, '2023-08-10', 40 FROM cvm_st.churn WHERE p_alive < 0.7 ORDER BY customer_id LIMIT 5;
CALL cvm.recompute('st', '2023-08-15 18:00+00');
SELECT causes('st');
-- other models
SELECT cvm.unpin('st');
CALL cvm.recompute('st', '2023-08-15 18:00+00');
SELECT causes('st');

-- ---------- between dates, one customer, as published ----------
SELECT is_total, opening + late_or_corrected + erased + merged + unwinding + purchases_expected + purchases_beyond + silence + refunds + new_customers + assumptions + model_change + moved_in + moved_out = closing AS balances, count(*) > 0 AS some
FROM cvm.equity_statement('st', '2023-08-01 12:00+00', '2023-08-15 18:00+00') GROUP BY 1, 2 ORDER BY 1;
SELECT bool_and(s.closing = round(e.residual_value::numeric, 2)) AS as_published FROM cvm.equity_statement('st', '2023-08-01 12:00+00', '2023-08-15 18:00+00') s JOIN cvm_st.equity e USING (segment) WHERE e.as_of = '2023-08-15 18:00+00' AND NOT s.is_total;
SELECT part, amount IS NOT NULL AS known, note FROM cvm.explain('st', '9002') WHERE position IN (1, 6, 10, 22, 30);
SELECT c.customer_id, sum(e.amount) FILTER (WHERE e.position BETWEEN 10 AND 21) = max(e.amount) FILTER (WHERE e.position = 22) AS balances, max(e.amount) FILTER (WHERE e.position = 22) = round(max(v.residual_value)::numeric, 2) AS as_published
FROM unnest('{1,2,3,9002}'::bigint[]) AS c(customer_id) JOIN cvm_st.clv v USING (customer_id), cvm.explain('st', c.customer_id::text) e GROUP BY 1 ORDER BY 1;
SELECT count(*) AS customers, bool_and(v.residual_value = c.residual_value AND v.segment = c.segment AND v.model_id = c.model_id AND v.as_of = c.as_of AND v.lifetime_value = c.lifetime_value) AS same FROM cvm.value_as_of('st', clock_timestamp()) v JOIN cvm_st.customer_value c ON c.customer_id::text = v.customer_id;
SELECT count(*) > 0 AS earlier, min(as_of) AS as_of FROM cvm.value_as_of('st', (SELECT finished_at FROM cvm.job_runs WHERE portfolio = 'st' ORDER BY run_id LIMIT 1));
SELECT sum(customers) FILTER (WHERE from_segment IS NULL) AS came, sum(share) FILTER (WHERE from_segment = 'Champions') AS shares, string_agg(DISTINCT to_segment, ',') FILTER (WHERE from_segment = 'Champions' AND to_segment ~ 'Best') AS renamed
FROM cvm.segment_transitions('st', (SELECT finished_at FROM cvm.job_runs WHERE portfolio = 'st' ORDER BY run_id LIMIT 1), clock_timestamp());
-- records of runs have a retention of their own; a run that is gone is not answered for by the one before it
CREATE TABLE runs AS SELECT run_id, finished_at, lead(finished_at) OVER (ORDER BY run_id) AS next_at FROM cvm.job_runs WHERE portfolio = 'st';
BEGIN;
DELETE FROM cvm.run WHERE portfolio = 'st' AND run_id < (SELECT max(run_id) FROM runs);
SELECT count(DISTINCT v.run_id) AS answered FROM runs r, LATERAL cvm.value_as_of('st', r.finished_at) v WHERE v.run_id = r.run_id;
SELECT count(*) AS runs FROM runs;
DELETE FROM cvm_st.retired_run WHERE run_id = (SELECT run_id FROM runs ORDER BY run_id OFFSET 2 LIMIT 1);
SELECT (SELECT finished_at FROM runs ORDER BY run_id OFFSET 2 LIMIT 1) AS gone \gset
\set VERBOSITY sqlstate
SELECT count(*) FROM cvm.value_as_of('st', :'gone');
\set VERBOSITY default
ROLLBACK;
SELECT cvm.round_to_total('{0.005, 0.005, 0.005, -0.005}', 0.01), cvm.round_to_total('{1.111, 2.222, 3.333}', 6.67), cvm.round_to_total('{0, 0.999}', 1), cvm.round_to_total('{}', 0);

-- stays in segments: the open ones are the published ones, those that have ended follow each other, at any date the members are those of equity then
SELECT (SELECT count(*) FROM cvm_st.segment_history WHERE left_at IS NULL) = (SELECT count(*) FROM cvm_st.segment_member) AS present,
       count(*) > 0 AS ended, bool_and(entered_at < left_at) AS in_order FROM cvm_st.segment_history WHERE left_at IS NOT NULL;
SELECT count(*) AS overlaps FROM cvm_st.segment_history a JOIN cvm_st.segment_history b USING (customer_id) WHERE (a.entered_at, a.segment) < (b.entered_at, b.segment) AND b.entered_at < coalesce(a.left_at, 'infinity');
SELECT count(*) FILTER (WHERE e.customers IS DISTINCT FROM h.customers) AS differing, count(*) > 20 AS many FROM (SELECT as_of, segment, customers FROM cvm_st.equity WHERE NOT is_total) e
FULL JOIN (SELECT d.as_of, h.segment, count(*) AS customers FROM (SELECT DISTINCT as_of FROM cvm_st.equity) d JOIN cvm_st.segment_history h ON h.entered_at <= d.as_of AND d.as_of < coalesce(h.left_at, 'infinity') GROUP BY 1, 2) h USING (as_of, segment);
SELECT from_segment, to_segment, customers, round(share::numeric, 3) AS share FROM cvm.segment_moves('st', '2023-08-01 18:00+00', '2023-08-15 18:00+00') ORDER BY customers DESC, 1, 2 LIMIT 4;
SELECT sum(customers) FILTER (WHERE to_segment IS NOT NULL) = (SELECT count(*) FROM cvm_st.segment_member) AS all_of_them, round((sum(share) FILTER (WHERE from_segment = 'Best'))::numeric, 9) AS shares FROM cvm.segment_moves('st', '2023-08-01 18:00+00', '2023-08-15 18:00+00');

-- ---------- bad input ----------
\set VERBOSITY terse
SELECT cvm.equity_statement('st', '2023-08-15 18:00+00', '2023-08-01 12:00+00');
SELECT cvm.equity_statement('st', '2023-08-02', '2023-08-15 18:00+00');
SELECT cvm.equity_statement('st', NULL, '2023-08-15 18:00+00');
SELECT cvm.equity_statement('st', '-infinity', '2023-08-15 18:00+00');
SELECT cvm.equity_statement('st', '2023-08-15 18:00+00', 'infinity');
SELECT cvm.segment_moves('st', '2023-08-15 18:00+00', 'infinity');
SELECT cvm.equity_statement('nobody', '2023-08-02', '2023-08-15 18:00+00');
SELECT cvm.explain('st', '424242');
SELECT cvm.explain('st', NULL);
SELECT cvm.value_as_of('st', '2020-01-01');
SELECT cvm.segment_moves('st', '2023-08-02', '2023-08-15 18:00+00');
SELECT cvm.segment_moves('st', '2023-08-15 18:00+00', '2023-08-01 18:00+00');
SELECT cvm.alter_portfolio('st', '{"equity_statement": "yes"}');
SELECT cvm.alter_portfolio('st', '{"history": "-1 day"}');
\set VERBOSITY default
-- back in time: no statement, and no chain across it
CALL cvm.recompute('st', '2023-08-02 12:00+00');
SELECT count(*) FROM cvm_st.equity_statement WHERE to_as_of = '2023-08-02 12:00+00';
CALL cvm.recompute('st', '2023-08-20 12:00+00');
SELECT count(*) > 0 AS onwards FROM cvm.equity_statement('st', '2023-08-02 12:00+00', '2023-08-20 12:00+00');
SELECT cvm.equity_statement('st', '2023-08-01 12:00+00', '2023-08-20 12:00+00');
-- switched off
SELECT cvm.alter_portfolio('st', '{"equity_statement": false, "history": null}');
CALL cvm.recompute('st', '2023-08-21 12:00+00');
SELECT count(*) FROM cvm_st.equity_statement WHERE to_as_of = '2023-08-21 12:00+00';
SELECT position, part FROM cvm.explain('st', '1') WHERE position BETWEEN 8 AND 29;
\set VERBOSITY sqlstate
SELECT count(*) AS kept FROM cvm.value_as_of('st', (SELECT finished_at FROM cvm.job_runs WHERE portfolio = 'st' ORDER BY run_id LIMIT 1));
\set VERBOSITY default
-- the owner may spoil what he owns, but not the run
SELECT cvm.alter_portfolio('st', '{"equity_statement": true}');
UPDATE cvm_st.published SET rate = 'NaN', mean_spend = -1, basis = 'x';
CALL cvm.recompute('st', '2023-08-22 12:00+00');
SELECT causes('st');
UPDATE cvm_st.published SET as_of = '-infinity';
CALL cvm.recompute('st', '2023-08-23 12:00+00');
UPDATE cvm_st.score SET residual_value = 'NaN' WHERE customer_id < 10;
CALL cvm.recompute('st', '2023-08-24 12:00+00');
SELECT count(*) FROM cvm_st.equity_statement WHERE to_as_of >= '2023-08-23' AND is_total;

-- subscriptions: an end is silence, a start is beyond what was expected, renewals were expected
CREATE TABLE subscription AS SELECT 20000 + c AS customer_id, date '2023-01-01' + (c % 28)::int AS started, CASE WHEN c % 5 = 0 THEN date '2023-01-01' + (c % 28 + 30 * (1 + c % 4))::int END AS ended, 10 AS price FROM generate_series(1, 200) c;
SELECT cvm.create_portfolio('sub', 'statement_test.orders', 'customer_id', 'ordered_at', 'total');
SELECT cvm.add_feed('sub', 'subscriptions', 'statement_test.subscription', '{"customer": "customer_id", "started_at": "started", "ended_at": "ended", "price": "price"}');
CALL cvm.recompute('sub', '2023-08-01');
SELECT count(cvm.promote(m.model_id)) AS pinned FROM cvm.models m WHERE m.portfolio = 'sub' AND m.is_live AND m.role IN ('purchases', 'retention');
CALL cvm.recompute('sub', '2023-08-01');
SELECT causes('sub');
UPDATE subscription SET ended = '2023-08-10' WHERE customer_id = 20001;
INSERT INTO subscription VALUES (20002, '2023-08-12', NULL, 30), (30001, '2023-08-13', NULL, 10);
CALL cvm.recompute('sub', '2023-08-20');
SELECT causes('sub');
SELECT part, sign(amount) FROM cvm.explain('sub', '20002') WHERE position BETWEEN 11 AND 21 AND amount <> 0;
SELECT part, sign(amount) FROM cvm.explain('sub', '30001') WHERE position BETWEEN 11 AND 21 AND amount <> 0;
SELECT c.position, c.part, c.amount = -p.amount AS gone FROM cvm.explain('sub', '20001') c, cvm.explain('sub', '20001') p WHERE c.part = 'closing' AND p.part = 'closing';
SELECT cvm.drop_portfolio('st');
SELECT cvm.drop_portfolio('sub');
DROP SCHEMA statement_test CASCADE;
