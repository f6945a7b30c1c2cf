-- statement: random histories of orders, late orders, refunds, erasures, merges, corrections, changed options and rules, and refits:
-- statements and explanations balance to the cent, and what was published is what value_as_of returns.
-- 25 histories; CVM_SOAK=1 runs 250.
\set soak 0
\getenv soak CVM_SOAK
SELECT CASE WHEN coalesce(nullif(:'soak', ''), '0') = '0' THEN 25 ELSE 250 END AS histories \gset
SET client_min_messages = error;
SET timezone = 'UTC';
SELECT plan(10);

CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY, customer_id bigint, ordered_at timestamptz, total numeric);
CREATE TABLE same (alias bigint, customer bigint);
CREATE TABLE problem (history int, step int, what text, detail text);
CREATE TABLE snapshot (run_id bigint, published_at timestamptz, customer_id bigint, residual_value float8, realised_value numeric, segment text, status text);
CREATE TABLE tally (history int, step int, did text, statements int);

-- What is wrong with the last run; `before` is the state of customers as they were published before it.
CREATE FUNCTION wrong(h int, n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    run bigint := (SELECT run_id FROM cvm_p.published);
BEGIN
    -- opening = what was published before, closing = what is now, segment by segment; the total is their sum
    INSERT INTO problem SELECT h, n, 'closing', format('%s: %s for %s', e.segment, s.closing, e.residual_value)
        FROM cvm_p.equity e LEFT JOIN cvm_p.equity_statement s ON s.run_id = run AND s.segment = e.segment
        WHERE e.as_of = (SELECT as_of FROM cvm_p.published) AND NOT e.is_total AND s.closing IS DISTINCT FROM round(e.residual_value::numeric, 2);
    INSERT INTO problem SELECT h, n, 'opening', format('%s: %s for %s', s.segment, s.opening, b.closing)
        FROM (SELECT * FROM cvm_p.equity_statement WHERE run_id = run) s
        FULL JOIN (SELECT * FROM cvm_p.equity_statement WHERE run_id = (SELECT max(prior_run_id) FROM cvm_p.equity_statement WHERE run_id = run)) b USING (segment)
        WHERE EXISTS (SELECT FROM cvm_p.equity_statement e WHERE e.run_id = (SELECT max(f.prior_run_id) FROM cvm_p.equity_statement f WHERE f.run_id = run))
          AND coalesce(s.opening, 0) <> coalesce(b.closing, 0);
    INSERT INTO problem SELECT h, n, 'total', format('%s, %s', sum(opening) FILTER (WHERE is_total), sum(opening) FILTER (WHERE NOT is_total)) FROM cvm_p.equity_statement WHERE run_id = run
        HAVING sum(opening) FILTER (WHERE is_total) <> sum(opening) FILTER (WHERE NOT is_total) OR sum(closing) FILTER (WHERE is_total) <> sum(closing) FILTER (WHERE NOT is_total);
    INSERT INTO problem SELECT h, n, 'balance', segment FROM cvm_p.equity_statement s WHERE run_id = run
        AND closing <> opening + late_or_corrected + erased + merged + unwinding + purchases_expected + purchases_beyond + silence + refunds + new_customers + assumptions + model_change + moved_in + moved_out;
    -- the total's columns are the sums of the customers' changes; those who are gone were merged, if they are aliases and not forgotten, or else erased
    INSERT INTO problem SELECT h, n, 'cause ' || c.cause, format('%s for %s', c.amount, d.amount) FROM
        (SELECT e.position, e.cause, (j.value #>> '{}')::numeric AS amount FROM cvm_p.equity_statement s, jsonb_each(to_jsonb(s)) j JOIN cvm.equity_causes() e ON e.cause = j.key WHERE s.run_id = run AND s.is_total) c
        JOIN (SELECT u.k - 1 AS position, sum(u.x) AS amount FROM cvm_p.score q, unnest(q.changes) WITH ORDINALITY AS u(x, k) WHERE q.run_id = run GROUP BY 1) d USING (position)
        CROSS JOIN (SELECT coalesce(sum(b.residual_value) FILTER (WHERE g.is_merged), 0) AS merged, coalesce(sum(b.residual_value) FILTER (WHERE NOT g.is_merged), 0) AS erased FROM before b,
            LATERAL (SELECT EXISTS (SELECT FROM same s WHERE s.alias = b.customer_id) AND NOT EXISTS (SELECT FROM cvm_p.forgotten f WHERE f.customer_id = b.customer_id) AS is_merged) g
            WHERE NOT EXISTS (SELECT FROM cvm_p.clv v WHERE v.customer_id = b.customer_id)) gone
        WHERE c.position <= 11 AND abs(c.amount - d.amount + CASE c.cause WHEN 'merged' THEN gone.merged WHEN 'erased' THEN gone.erased ELSE 0 END) > 0.1;
    -- every customer: causes add up to his own values, before and now
    INSERT INTO problem SELECT h, n, 'customer', q.customer_id::text FROM cvm_p.score q LEFT JOIN before b USING (customer_id) WHERE q.run_id = run AND q.changes IS NOT NULL
        AND (q.changes[1] <> coalesce(b.residual_value, 0) OR q.changes[13] <> coalesce(q.residual_value, 0)
             OR abs((SELECT sum(x) FROM unnest(q.changes[1:12]) x) - q.changes[13]) > 1e-9 * (1 + abs(q.changes[1]) + abs(q.changes[13])));
    INSERT INTO problem SELECT h, n, 'explain', c.customer_id::text FROM (SELECT customer_id, residual_value FROM cvm_p.clv ORDER BY hashint8(customer_id + n) LIMIT 2) c, LATERAL
        (SELECT sum(e.amount) FILTER (WHERE e.position BETWEEN 10 AND 21) AS sum, max(e.amount) FILTER (WHERE e.position = 22) AS closing FROM cvm.explain('p', c.customer_id::text) e) x
        WHERE x.sum <> x.closing OR x.closing <> round(coalesce(c.residual_value, 0)::numeric, 2);
END $$;

CREATE FUNCTION play(h int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    at timestamptz;
    what text;
    did text;
BEGIN
    PERFORM setseed(h / 1000.0);
    at := timestamptz '2023-06-01' + (random() * 100) * interval '1 day';
    TRUNCATE orders, snapshot, same;
    INSERT INTO orders (customer_id, ordered_at, total) SELECT c, at - (200 * r - k * 15 * random()) * interval '1 day', round((5 + 50 * random())::numeric, 2)
        FROM (SELECT c, random() AS r FROM generate_series(1, 40 + (random() * 40)::int) c) c, generate_series(0, 7) k WHERE k = 0 OR random() < 0.6;
    DELETE FROM orders WHERE ordered_at > at;
    PERFORM cvm.create_portfolio('p', 'orders', 'customer_id', 'ordered_at', 'total', jsonb_build_object('history', '1 day', 'margin', 0.5, 'families', (ARRAY['["bg/nbd"]', '["mbg/nbd"]', '["pareto/nbd"]'])[1 + floor(random() * 3)::int]::jsonb));
    PERFORM cvm.add_feed('p', 'aliases', 'same', '{"alias": "alias", "customer": "customer"}');
    CALL cvm.recompute('p', at);
    FOR step IN 1 .. 5 LOOP
        INSERT INTO snapshot SELECT p.run_id, clock_timestamp(), s.customer_id, s.residual_value, s.realised_value, s.segment, s.status FROM cvm_p.published p JOIN cvm_p.score s USING (run_id);
        DROP TABLE IF EXISTS before;
        CREATE TEMP TABLE before AS SELECT customer_id, residual_value FROM cvm_p.clv;
        did := '';
        FOREACH what IN ARRAY '{orders,late,refund,erase,forget,merge,part,correct,options,rules,new,nothing}'::text[] LOOP
            CONTINUE WHEN random() < 0.5;
            did := did || what || ' ';
            CASE what
                WHEN 'orders' THEN INSERT INTO orders (customer_id, ordered_at, total) SELECT customer_id, at + random() * interval '20 days', round((50 * random())::numeric, 2) FROM (SELECT DISTINCT customer_id FROM orders) c WHERE random() < 0.3;
                WHEN 'late' THEN INSERT INTO orders (customer_id, ordered_at, total) SELECT customer_id + 1000 * (random() < 0.2)::int, at - random() * interval '50 days', 20 FROM (SELECT DISTINCT customer_id FROM orders) c WHERE random() < 0.1;
                WHEN 'refund' THEN INSERT INTO orders (customer_id, ordered_at, total) SELECT customer_id, at + random() * interval '10 days', -round((20 * random())::numeric, 2) FROM (SELECT DISTINCT customer_id FROM orders) c WHERE random() < 0.1;
                WHEN 'erase' THEN DELETE FROM orders WHERE customer_id IN (SELECT customer_id FROM (SELECT DISTINCT customer_id FROM orders) c WHERE random() < 0.05);
                WHEN 'forget' THEN
                    CREATE TEMP TABLE gone AS SELECT s.customer_id FROM cvm_p.clv s WHERE random() < 0.05;
                    PERFORM cvm.forget('p', g.customer_id::text) FROM gone g;
                    DELETE FROM snapshot t USING gone g WHERE t.customer_id = g.customer_id;
                    DROP TABLE gone;
                WHEN 'merge' THEN INSERT INTO same SELECT a.id, b.id FROM (SELECT min(customer_id) AS id FROM orders GROUP BY customer_id HAVING random() < 0.1) a,
                    LATERAL (SELECT o.customer_id AS id FROM orders o WHERE o.customer_id > a.id ORDER BY o.customer_id + 0 * random(), o.id LIMIT 1) b WHERE NOT EXISTS (SELECT FROM same s WHERE s.alias = a.id);
                WHEN 'part' THEN DELETE FROM same WHERE random() < 0.3;
                WHEN 'correct' THEN UPDATE orders SET total = total * 1.5, ordered_at = ordered_at - interval '3 days' WHERE random() < 0.05;
                WHEN 'options' THEN PERFORM cvm.alter_portfolio('p', (ARRAY['{"margin": 0.4}', '{"annual_discount_rate": 0.2}', '{"value_horizon": "3 years"}', '{"portfolio_currency": "EUR"}', '{"value_horizon": null}', '{"time_unit": "1 day"}', '{"families": ["bg/nbd"]}'])[1 + floor(random() * 7)::int]::jsonb);
                WHEN 'rules' THEN UPDATE cvm_p.segment_rule SET segment = CASE WHEN random() < 0.5 THEN 'Rest' ELSE segment || '!' END WHERE random() < 0.3;
                WHEN 'new' THEN INSERT INTO orders (customer_id, ordered_at, total) SELECT 5000 + 100 * step + c, at + random() * interval '15 days', 30 FROM generate_series(1, 6) c;
                ELSE NULL;
            END CASE;
        END LOOP;
        at := at + (random() * 30 * (random() < 0.8)::int) * interval '1 day';
        CALL cvm.recompute('p', at);
        -- members of segments at every date are those that were published
        INSERT INTO problem SELECT h, step, 'stay', format('%s %s: %s for %s', coalesce(e.segment, m.segment), p.as_of, m.customers, e.customers)
            FROM cvm_p.published p, (SELECT * FROM cvm_p.equity WHERE NOT is_total) e FULL JOIN (SELECT d.as_of, t.segment, count(*) AS customers FROM (SELECT DISTINCT as_of FROM cvm_p.equity) d
                JOIN cvm_p.segment_history t ON t.entered_at <= d.as_of AND d.as_of < coalesce(t.left_at, 'infinity') GROUP BY 1, 2) m USING (as_of, segment)
            WHERE e.customers IS DISTINCT FROM m.customers AND NOT EXISTS (SELECT FROM cvm_p.forgotten);
        PERFORM wrong(h, step);
        INSERT INTO tally SELECT h, step, did, count(*) FROM cvm_p.equity_statement WHERE run_id = (SELECT run_id FROM cvm_p.published);
    END LOOP;
    -- all that was published, as it was
    INSERT INTO problem SELECT DISTINCT h, 0, 'value_as_of', s.run_id::text FROM (SELECT DISTINCT run_id, published_at FROM snapshot) s, LATERAL (
        SELECT count(*) AS n, count(*) FILTER (WHERE v.residual_value IS NOT DISTINCT FROM t.residual_value AND v.realised_value = t.realised_value AND v.segment = t.segment AND v.status = t.status) AS same
        FROM cvm.value_as_of('p', s.published_at) v FULL JOIN (SELECT * FROM snapshot q WHERE q.run_id = s.run_id) t ON t.customer_id::text = v.customer_id) x WHERE x.n <> x.same OR x.n = 0;
    -- from the first date to the last
    INSERT INTO problem SELECT h, 0, 'chain', x.segment FROM (SELECT min(from_as_of) AS a, max(to_as_of) AS b FROM cvm_p.equity_statement) d, LATERAL cvm.equity_statement('p', d.a, d.b) x
        WHERE d.a < d.b AND x.closing <> x.opening + x.late_or_corrected + x.erased + x.merged + x.unwinding + x.purchases_expected + x.purchases_beyond + x.silence + x.refunds + x.new_customers + x.assumptions + x.model_change + x.moved_in + x.moved_out;
    PERFORM cvm.drop_portfolio('p');
END $$;

CREATE TEMP TABLE before (customer_id bigint, residual_value float8);
\o /dev/null
SELECT format('SELECT play(%s)', h) FROM generate_series(1, :histories) h \gexec
\o
SELECT is((SELECT count(DISTINCT history)::int FROM tally), :histories, 'histories were played');
SELECT cmp_ok((SELECT count(*) FROM tally WHERE statements > 1), '>=', (:histories * 5)::bigint, 'every step has a statement');
SELECT is((SELECT count(DISTINCT w) FROM tally, regexp_split_to_table(trim(did), ' ') w WHERE w <> '')::int, 12, 'everything happened that can');
SELECT is((SELECT string_agg(DISTINCT format('%s %s: %s %s', history, step, what, detail), E'\n') FROM problem WHERE what IN ('opening', 'closing', 'total')), NULL, 'statements open and close with what was published');
SELECT is((SELECT string_agg(DISTINCT format('%s %s: %s %s', history, step, what, detail), E'\n') FROM problem WHERE what IN ('balance', 'chain')), NULL, 'they balance to the cent, and so do their chains');
SELECT is((SELECT string_agg(DISTINCT format('%s %s: %s %s', history, step, what, detail), E'\n') FROM problem WHERE what LIKE 'cause %'), NULL, 'the causes of all are those of the customers');
SELECT is((SELECT string_agg(DISTINCT format('%s %s: %s %s', history, step, what, detail), E'\n') FROM problem WHERE what = 'customer'), NULL, 'the causes of each customer add up');
SELECT is((SELECT string_agg(DISTINCT format('%s %s: %s %s', history, step, what, detail), E'\n') FROM problem WHERE what = 'explain'), NULL, 'explanations add up to the cent');
SELECT is((SELECT string_agg(DISTINCT format('%s %s: %s %s', history, step, what, detail), E'\n') FROM problem WHERE what = 'value_as_of'), NULL, 'values are as they were published');
SELECT is((SELECT string_agg(DISTINCT format('%s %s: %s %s', history, step, what, detail), E'\n') FROM problem WHERE what = 'stay'), NULL, 'stays in segments are those that were published');
SELECT finish();
