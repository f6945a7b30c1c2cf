-- experiment_results: what came of a portfolio's experiments, from the feeds assignments and purchases
--
-- Every customer's outcome is counted from the assignment on, never before it, and the
-- covariate of CUPED ends where the outcome begins: nothing leaks from one into the other.

-- ---------- settings ----------

CREATE FUNCTION cvm.check_experiments(experiments jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    outcomes constant text[] := '{revenue,purchase,repeat_purchase,clv,nps}';
    wrong record;
BEGIN
    IF jsonb_typeof(experiments) IS DISTINCT FROM 'object' THEN
        PERFORM cvm.bad_option('experiments', experiments, 'an object from the names of experiments to their settings, such as {"free-shipping": {"control": "paid", "days": 30}}');
    END IF;
    SELECT e.key, e.value INTO wrong FROM jsonb_each(experiments) AS e WHERE jsonb_typeof(e.value) <> 'object' ORDER BY e.key LIMIT 1;
    IF FOUND THEN
        PERFORM cvm.bad_option('experiments', jsonb_build_object(wrong.key, wrong.value), 'an object of settings for every experiment');
    END IF;
    SELECT e.key AS experiment, s.key, s.value INTO wrong
    FROM jsonb_each(experiments) AS e CROSS JOIN LATERAL jsonb_each(e.value) AS s
    WHERE CASE s.key WHEN 'control' THEN jsonb_typeof(s.value) <> 'string'
                     WHEN 'days' THEN jsonb_typeof(s.value) <> 'number' OR s.value::numeric <= 0 OR s.value::numeric > 36525
                     WHEN 'ended_at' THEN jsonb_typeof(s.value) <> 'string' OR s.value #>> '{}' !~ '^\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?([+-]\d\d(:?\d\d)?|Z)?)?$'
                     WHEN 'shares' THEN CASE WHEN jsonb_typeof(s.value) <> 'object' THEN true
                                             ELSE s.value = '{}' OR EXISTS (SELECT FROM jsonb_each(s.value) AS a WHERE CASE WHEN jsonb_typeof(a.value) = 'number' THEN a.value::numeric <= 0 OR a.value::numeric > 1e9 ELSE true END) END
                     WHEN 'expected_effect' THEN CASE WHEN jsonb_typeof(s.value) <> 'object' THEN true
                                             ELSE EXISTS (SELECT FROM jsonb_each(s.value) AS a WHERE a.key <> ALL (outcomes) OR CASE WHEN jsonb_typeof(a.value) = 'number' THEN a.value::numeric <= 0 OR a.value::numeric > 1e18 OR a.value::numeric < 1e-18 ELSE true END) END
                     ELSE true END
    ORDER BY e.key, s.key LIMIT 1;
    IF FOUND THEN
        PERFORM cvm.bad_option('experiments', jsonb_build_object(wrong.experiment, jsonb_build_object(wrong.key, wrong.value)),
            'settings of control (an arm), shares (positive numbers by arm), ended_at (a time such as "2024-03-01 00:00+01"), days (above 0, at most 36525) and expected_effect (positive numbers by outcome: ' || array_to_string(outcomes, ', ') || ')');
    END IF;
    BEGIN
        PERFORM (e.value ->> 'ended_at')::timestamptz FROM jsonb_each(experiments) AS e;
    EXCEPTION WHEN data_exception THEN
        PERFORM cvm.bad_option('experiments', experiments, 'settings whose ended_at is a time that there is');
    END;
    RETURN true;
END $$;
COMMENT ON FUNCTION cvm.check_experiments(jsonb) IS 'True for an object from experiments to settings that can be: control, shares, ended_at, days, expected_effect; else 22023.';

-- ---------- results ----------

CREATE TYPE cvm.experiment_result_row AS (
    experiment text, outcome text, arm text, is_control boolean, assigned bigint, in_several_arms bigint, assigned_late bigint, unfinished bigint, never_bought bigint, customers bigint,
    sample_ratio_p float8, mean float8, difference float8, standard_error float8, low float8, high float8, p_value float8, relative_difference float8,
    cuped_difference float8, cuped_standard_error float8, cuped_low float8, cuped_high float8, cuped_p_value float8, variance_ratio float8,
    sequential_p float8, sequential_low float8, sequential_high float8, reason text);
COMMENT ON TYPE cvm.experiment_result_row IS 'An arm of an experiment and one outcome: row of cvm.experiment_results.';
COMMENT ON COLUMN cvm.experiment_result_row.experiment IS 'experiment';
COMMENT ON COLUMN cvm.experiment_result_row.outcome IS 'revenue: amounts since the assignment; purchase: whether the customer bought; repeat_purchase: whether not for the first time; clv: value since the assignment + residual value; nps: 100, 0 or -100 of the last answer to a question declared as nps';
COMMENT ON COLUMN cvm.experiment_result_row.arm IS 'arm';
COMMENT ON COLUMN cvm.experiment_result_row.is_control IS 'whether the others are compared with it';
COMMENT ON COLUMN cvm.experiment_result_row.assigned IS 'customers assigned to it up to as_of';
COMMENT ON COLUMN cvm.experiment_result_row.in_several_arms IS 'of them in another arm too; left out';
COMMENT ON COLUMN cvm.experiment_result_row.assigned_late IS 'customers assigned after the end of the experiment, left out, or after as_of, not even among those assigned';
COMMENT ON COLUMN cvm.experiment_result_row.unfinished IS 'of those assigned, customers whose days (setting days) are not over at as_of; left out';
COMMENT ON COLUMN cvm.experiment_result_row.never_bought IS 'of those used, customers who are not in the purchases feed: their outcome is 0. If it is most of them, the feeds may name customers differently';
COMMENT ON COLUMN cvm.experiment_result_row.customers IS 'customers used; of nps those who answered';
COMMENT ON COLUMN cvm.experiment_result_row.sample_ratio_p IS 'p of the planned shares given the customers assigned; below 0.001 the split is broken';
COMMENT ON COLUMN cvm.experiment_result_row.mean IS 'mean outcome a customer, in the portfolio''s currency; a rate of purchase and repeat_purchase; NPS of nps';
COMMENT ON COLUMN cvm.experiment_result_row.difference IS 'mean less that of the control';
COMMENT ON COLUMN cvm.experiment_result_row.standard_error IS 'its standard error';
COMMENT ON COLUMN cvm.experiment_result_row.low IS 'lower end of its 95 % interval: Welch, of rates Newcombe';
COMMENT ON COLUMN cvm.experiment_result_row.high IS 'upper end';
COMMENT ON COLUMN cvm.experiment_result_row.p_value IS 'two-sided p of one look: Welch''s t, of rates two proportions';
COMMENT ON COLUMN cvm.experiment_result_row.relative_difference IS 'difference / |mean of the control|';
COMMENT ON COLUMN cvm.experiment_result_row.cuped_difference IS 'difference adjusted by what the customer had spent in the 365 days before the assignment; NULL of nps';
COMMENT ON COLUMN cvm.experiment_result_row.cuped_standard_error IS 'its standard error';
COMMENT ON COLUMN cvm.experiment_result_row.cuped_low IS 'lower end of its 95 % interval';
COMMENT ON COLUMN cvm.experiment_result_row.cuped_high IS 'upper end';
COMMENT ON COLUMN cvm.experiment_result_row.cuped_p_value IS 'its two-sided p of one look';
COMMENT ON COLUMN cvm.experiment_result_row.variance_ratio IS 'share of the variance that the adjustment leaves';
COMMENT ON COLUMN cvm.experiment_result_row.sequential_p IS 'p that holds however often one looks, of the adjusted difference where there is one; NULL without the setting expected_effect';
COMMENT ON COLUMN cvm.experiment_result_row.sequential_low IS 'lower end of the interval that holds however often one looks';
COMMENT ON COLUMN cvm.experiment_result_row.sequential_high IS 'upper end';
COMMENT ON COLUMN cvm.experiment_result_row.reason IS 'why something is NULL; of the whole experiment: assigned_late, one_arm, no_control, unplanned_arm, sample_ratio, in_several_arms; unknown_customers (none of them is in the purchases feed); of an outcome: no_responses (the feed is not mapped), no_answers (to a question declared as nps), no_residual_value; of a test: too_few, no_variance, control_zero, constant_covariate (only CUPED is missing)';

-- Customers with their windows and outcomes, as a query: $1 as_of, $2 the first instant after it, $3 settings, $4 an experiment or NULL, $5 the time zone.
CREATE FUNCTION cvm.experiment_customers_query(assignments text, purchases text, responses text, residual_values text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN pg_catalog.format('
        logged AS (
            SELECT a.experiment, a.customer, a.arm, min(a.at) AS at FROM (%s) a WHERE $4 IS NULL OR a.experiment = $4 GROUP BY 1, 2, 3
        ), setting AS (
            SELECT e.experiment, coalesce($3 -> e.experiment ->> ''control'', ''control'') AS control, $3 -> e.experiment -> ''shares'' AS shares,
                   ($3 -> e.experiment ->> ''ended_at'')::timestamptz AS ended_at, ($3 -> e.experiment ->> ''days'')::float8 * interval ''1 day'' AS days,
                   $3 -> e.experiment -> ''expected_effect'' AS expected
            FROM (SELECT DISTINCT l.experiment FROM logged l) e
        ), several AS (
            SELECT l.experiment, l.customer FROM logged l WHERE l.at < $2 GROUP BY 1, 2 HAVING count(*) > 1
        ), assigned AS MATERIALIZED (
            SELECT l.experiment, l.customer, l.arm, l.at, l.at >= $2 AS is_future, l.at < $2 AND coalesce(l.at >= s.ended_at, false) AS is_late,
                   l.at < $2 AND coalesce(l.at + s.days > $2, false) AS is_unfinished, l.at < $2 AND x.customer IS NOT NULL AS is_several, least($2, s.ended_at, l.at + s.days) AS until
            FROM logged l JOIN setting s ON s.experiment = l.experiment LEFT JOIN several x ON x.experiment = l.experiment AND x.customer = l.customer
        ), used AS (
            SELECT a.* FROM assigned a WHERE NOT (a.is_future OR a.is_late OR a.is_unfinished OR a.is_several)
        ), spent AS (
            SELECT u.experiment, u.arm, u.customer, count(p.at) = 0 AS never_bought, coalesce(sum(p.amount) FILTER (WHERE p.at >= u.at AND p.at < u.until), 0) AS revenue,
                   coalesce(sum(p.amount) FILTER (WHERE p.at < u.at AND p.at >= u.at - interval ''365 days''), 0) AS before,
                   max(p.at) FILTER (WHERE p.is_purchase AND p.at >= u.at AND p.at < u.until) AS last_at, min(p.at) FILTER (WHERE p.is_purchase) AS first_at
            FROM used u LEFT JOIN (SELECT q.customer, q.at, q.amount::float8 AS amount, q.is_purchase FROM (%s) q) p ON p.customer = u.customer GROUP BY 1, 2, 3
        ), answer AS (
            SELECT DISTINCT ON (u.experiment, u.customer) u.experiment, u.customer,
                   CASE WHEN r.score >= 9 THEN 100 WHEN r.score >= 7 THEN 0 ELSE -100 END::float8 AS nps
            FROM used u JOIN (%s) r ON r.customer = u.customer AND r.at >= u.at AND r.at < u.until ORDER BY u.experiment, u.customer, r.at DESC, r.score
        ), told AS MATERIALIZED (
            SELECT s.experiment, s.arm, s.never_bought, s.revenue, s.before, s.last_at IS NOT NULL AS buys,
                   coalesce((s.last_at AT TIME ZONE $5)::date > (s.first_at AT TIME ZONE $5)::date, false) AS buys_again,
                   CASE WHEN v.customer IS NULL THEN 0 ELSE v.residual_value END AS residual_value, n.nps
            FROM spent s LEFT JOIN answer n ON n.experiment = s.experiment AND n.customer = s.customer LEFT JOIN (%s) v ON v.customer = s.customer
        )', assignments, purchases, responses, residual_values);
COMMENT ON FUNCTION cvm.experiment_customers_query(text, text, text, text) IS
'Common table expressions of the customers of experiments: logged, setting, assigned, used, told (their outcomes), from SQL of assignments, purchases, answers and residual values; $1 is as_of, $2 the first instant after it, $3 the settings, $4 one experiment or NULL, $5 the time zone.';

CREATE FUNCTION cvm.experiment_results(portfolio text, experiment text DEFAULT NULL, outcome text DEFAULT NULL) RETURNS SETOF cvm.experiment_result_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET work_mem = '64MB' AS $$
#variable_conflict use_column
DECLARE
    outcomes constant text[] := '{revenue,purchase,repeat_purchase,clv,nps}';
    run record := cvm.published_run(portfolio);
    feed record;
    responses regclass;
    response_columns jsonb;
    has_responses boolean := cvm.has_feed(portfolio, 'responses');
    customers text;
BEGIN
    IF experiment_results.outcome <> ALL (outcomes) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('unknown outcome "%s"', experiment_results.outcome),
            HINT = format('Known outcomes: %s.', array_to_string(outcomes, ', '));
    END IF;
    SELECT f.relation, f.columns, f.time_zone INTO feed FROM cvm.measured_feed(portfolio, 'assignments') f;
    IF has_responses THEN
        SELECT f.relation, f.columns INTO responses, response_columns FROM cvm.measured_feed(portfolio, 'responses') f;
    END IF;
    customers := cvm.experiment_customers_query(
        cvm.measure_source('assignments', feed.relation, feed.columns, '{customer,experiment,arm,at}', feed.time_zone, instants => true),
        cvm.purchase_source(portfolio),
        coalesce(cvm.answer_source(responses, response_columns, coalesce(run.options -> 'questions', '{}'), '{nps}', feed.time_zone), 'SELECT NULL::text AS customer, NULL::timestamptz AS at, NULL::numeric AS score WHERE false'),
        format('SELECT s.customer_id::text AS customer, s.residual_value FROM %I.score s WHERE s.run_id = %s', run.output_schema, run.run_id));
    RETURN QUERY EXECUTE format('
        WITH %s, arm AS (
            SELECT coalesce(a.experiment, p.experiment) AS experiment, coalesce(a.arm, p.arm) AS arm, coalesce(a.assigned, 0) AS assigned, coalesce(a.several, 0) AS several,
                   coalesce(a.late, 0) AS late, coalesce(a.after_end, 0) AS after_end, coalesce(a.unfinished, 0) AS unfinished
            FROM (SELECT a.experiment, a.arm, count(*) FILTER (WHERE NOT a.is_future) AS assigned, count(*) FILTER (WHERE a.is_several) AS several,
                         count(*) FILTER (WHERE a.is_late OR a.is_future) AS late, count(*) FILTER (WHERE a.is_late AND NOT a.is_several) AS after_end,
                         count(*) FILTER (WHERE a.is_unfinished AND NOT a.is_late AND NOT a.is_several) AS unfinished FROM assigned a GROUP BY 1, 2) a
            FULL JOIN (SELECT s.experiment, k AS arm FROM setting s CROSS JOIN LATERAL jsonb_object_keys(s.shares) AS k) p ON p.experiment = a.experiment AND p.arm = a.arm
        ), planned AS (
            SELECT a.*, a.arm = s.control AS is_control, s.expected, CASE WHEN s.shares IS NULL THEN 1 ELSE (s.shares ->> a.arm)::float8 END AS share
            FROM arm a JOIN setting s USING (experiment)
        ), split AS (
            SELECT p.experiment, count(*) AS arms, bool_or(p.is_control AND p.assigned > 0) AS has_control, bool_or(p.share IS NULL) AS unplanned, sum(p.several)::bigint AS several,
                   sum(p.after_end)::bigint AS after_end, sum(p.assigned)::bigint AS assigned,
                   array_agg((p.assigned - p.several)::float8 ORDER BY p.arm COLLATE "C") AS counts, array_agg(p.share ORDER BY p.arm COLLATE "C") AS shares
            FROM planned p GROUP BY 1
        ), verdict AS (
            SELECT s.experiment, r.p_value, CASE WHEN s.assigned = 0 THEN ''assigned_late'' WHEN s.arms > 1 AND s.has_control AND s.unplanned THEN ''unplanned_arm''
                   ELSE cvm.experiment_flaw(s.arms, s.has_control, r.broken, s.several, s.after_end, s.assigned, 0.01) END AS reason
            FROM split s LEFT JOIN LATERAL (SELECT t.p_value, t.broken FROM cvm.sample_ratio_test(s.counts, CASE WHEN NOT s.unplanned THEN s.shares END) AS t) r ON true
        ), mean AS MATERIALIZED (
            SELECT t.experiment, t.arm, count(*) AS customers, count(t.nps) AS answered, count(t.residual_value) AS valued, count(*) FILTER (WHERE t.never_bought) AS never_bought,
                   count(*) FILTER (WHERE t.never_bought AND t.nps IS NOT NULL) AS never_bought_answered,
                   avg(t.revenue) AS revenue, avg(t.buys::integer)::float8 AS purchase, avg(t.buys_again::integer)::float8 AS repeat_purchase,
                   avg(t.revenue * $6 + t.residual_value) AS clv, avg(t.nps) AS nps
            FROM told t GROUP BY 1, 2
        ), outcome AS (    -- a customer without a residual value would be left out, and those are not like the others
            SELECT o.outcome, e.experiment, CASE WHEN sum(m.customers) = sum(m.never_bought) THEN ''unknown_customers'' WHEN o.outcome = ''nps'' AND NOT %L THEN ''no_responses''
                   WHEN o.outcome = ''nps'' AND coalesce(sum(m.answered), 0) = 0 THEN ''no_answers'' WHEN o.outcome = ''clv'' AND sum(m.valued) < sum(m.customers) THEN ''no_residual_value'' END AS reason
            FROM setting e CROSS JOIN unnest($8) AS o(outcome) LEFT JOIN mean m ON m.experiment = e.experiment WHERE $7 IS NULL OR o.outcome = $7 GROUP BY 1, 2
        ), test AS MATERIALIZED (      -- one pass over the customers, all outcomes side by side
            SELECT a.experiment, a.arm,
                   cvm.difference_in_means(t.arm = a.arm, t.revenue) AS revenue, cvm.cuped(t.arm = a.arm, t.revenue, t.before) AS revenue_adjusted,
                   cvm.difference_in_proportions(t.arm = a.arm, t.buys) AS purchase, cvm.cuped(t.arm = a.arm, t.buys::integer::float8, t.before) AS purchase_adjusted,
                   cvm.difference_in_proportions(t.arm = a.arm, t.buys_again) AS repeat_purchase, cvm.cuped(t.arm = a.arm, t.buys_again::integer::float8, t.before) AS repeat_adjusted,
                   cvm.difference_in_means(t.arm = a.arm, t.revenue * $6 + t.residual_value) AS clv, cvm.cuped(t.arm = a.arm, t.revenue * $6 + t.residual_value, t.before) AS clv_adjusted,
                   cvm.difference_in_means(t.arm = a.arm, t.nps) AS nps
            FROM planned a JOIN verdict c ON c.experiment = a.experiment AND c.reason IS NULL JOIN setting s ON s.experiment = a.experiment
            JOIN told t ON t.experiment = a.experiment AND (t.arm = a.arm OR t.arm = s.control)
            WHERE NOT a.is_control GROUP BY 1, 2
        ), result AS (
            SELECT t.experiment, t.arm, o.outcome, coalesce((o.plain).difference, (o.rate).difference) AS difference, coalesce((o.plain).standard_error, (o.rate).standard_error) AS standard_error,
                   coalesce((o.plain).low, (o.rate).low) AS low, coalesce((o.plain).high, (o.rate).high) AS high, coalesce((o.plain).p_value, (o.rate).p_value) AS p_value,
                   coalesce((o.plain).relative_difference, (o.rate).relative_difference) AS relative_difference, coalesce((o.plain).reason, (o.rate).reason, (o.adjusted).reason) AS reason, o.adjusted
            FROM test t CROSS JOIN LATERAL (VALUES (''revenue'', t.revenue, NULL::cvm.proportion_difference, t.revenue_adjusted), (''purchase'', NULL, t.purchase, t.purchase_adjusted),
                                                   (''repeat_purchase'', NULL, t.repeat_purchase, t.repeat_adjusted), (''clv'', t.clv, NULL, t.clv_adjusted), (''nps'', t.nps, NULL, NULL)) AS o(outcome, plain, rate, adjusted)
        )
        SELECT a.experiment, o.outcome, a.arm, a.is_control, a.assigned, a.several, a.late, a.unfinished, coalesce(CASE WHEN o.outcome = ''nps'' THEN m.never_bought_answered ELSE m.never_bought END, 0),
               coalesce(CASE WHEN o.outcome = ''nps'' THEN m.answered ELSE m.customers END, 0), c.p_value,
               CASE WHEN w.reason IS NULL THEN CASE o.outcome WHEN ''revenue'' THEN m.revenue WHEN ''purchase'' THEN m.purchase WHEN ''repeat_purchase'' THEN m.repeat_purchase WHEN ''clv'' THEN m.clv ELSE m.nps END END, r.difference, r.standard_error, r.low, r.high, r.p_value, r.relative_difference,
               (r.adjusted).difference, (r.adjusted).standard_error, (r.adjusted).low, (r.adjusted).high, (r.adjusted).p_value, (r.adjusted).variance_ratio,
               q.p_value, q.low, q.high, coalesce(w.reason, CASE WHEN NOT a.is_control THEN CASE WHEN r.arm IS NULL THEN ''one_arm'' ELSE r.reason END END)
        FROM planned a JOIN verdict c USING (experiment) JOIN outcome o USING (experiment)
        CROSS JOIN LATERAL (SELECT coalesce(c.reason, o.reason) AS reason) w
        LEFT JOIN mean m ON m.experiment = a.experiment AND m.arm = a.arm
        LEFT JOIN result r ON r.experiment = a.experiment AND r.outcome = o.outcome AND r.arm = a.arm AND w.reason IS NULL
        LEFT JOIN LATERAL cvm.sequential_test(coalesce((r.adjusted).difference, r.difference),
                  CASE WHEN (r.adjusted).difference IS NULL THEN nullif(r.standard_error, 0) ELSE nullif((r.adjusted).standard_error, 0) END,
                  (a.expected ->> o.outcome)::float8) AS q ON true
        ORDER BY a.experiment COLLATE "C", array_position($8, o.outcome), a.is_control DESC, a.arm COLLATE "C"', customers, has_responses)
    USING run.as_of, run.as_of + interval '1 microsecond', coalesce(run.options -> 'experiments', '{}'), experiment_results.experiment, feed.time_zone, run.margin,
          experiment_results.outcome, outcomes;
    IF NOT FOUND AND experiment_results.experiment IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('nobody is assigned to an experiment "%s"', experiment_results.experiment),
            HINT = format('SELECT DISTINCT experiment FROM cvm.experiment_results(%L);', portfolio);
    END IF;
END $$;
COMMENT ON FUNCTION cvm.experiment_results(text, text, text) IS
'Results of a portfolio''s experiments, as of the published run: one row for every experiment, outcome and arm, from the feeds assignments and purchases (and responses for nps). A customer''s outcome is counted from the first assignment to the arm until as_of, the setting ended_at, or for the setting days, whichever comes first. First the experiment itself is checked, and where it is broken everything is NULL and reason says why (cvm.experiment_flaw; assigned_late also where nobody was assigned up to as_of). Then treated - control: revenue, clv and nps by Welch, purchase and repeat_purchase as two proportions; CUPED with the amounts of the 365 days before the assignment as covariate; with the setting expected_effect for the outcome, p and interval that hold at any look (cvm.sequential_test). Money is on the portfolio''s value basis; clv = margin x amounts since the assignment + residual value as published. nps compares those who answered, which lots did not draw. The control is the arm named control, and the arms are of one size, unless the option experiments says otherwise: {"free-shipping": {"control": "paid", "shares": {"paid": 9, "free": 1}, "ended_at": "2024-03-01", "days": 30, "expected_effect": {"revenue": 2}}}. Ten outcomes and arms are ten tests. Needs SELECT on the feeds. 55000 before the first recompute, 42704 without such a feed or experiment, 22023 for an unknown outcome, 42501, and the errors of the feeds.';

CREATE FUNCTION cvm.check_assignments(portfolio text) RETURNS TABLE (level text, finding text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    feed cvm.feed;
    names text[];
BEGIN
    SELECT f.* INTO feed FROM cvm.feed f WHERE f.portfolio = check_assignments.portfolio AND f.kind = 'assignments';
    IF NOT FOUND THEN
        RETURN;
    END IF;
    FOR level, finding, hint IN SELECT r.level, r.finding, r.hint FROM cvm.check_measured_rows(portfolio, 'assignments', '{customer,experiment,arm,at}') r LOOP
        RETURN NEXT;
        IF level = 'error' THEN
            RETURN;
        END IF;
    END LOOP;
    EXECUTE format('SELECT array_agg(DISTINCT f.%1$I::text) FILTER (WHERE f.%1$I IS NOT NULL) FROM %2$I.%3$I AS f', feed.columns ->> 'experiment', feed.relation_schema, feed.relation_name) INTO names;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false);
    RETURN QUERY SELECT 'warning', format('the option experiments has settings of "%s", to which nobody is assigned', k), 'Check the name; settings of other experiments do not count.'
                 FROM jsonb_object_keys((cvm.own_portfolio(portfolio)).options -> 'experiments') AS k WHERE k <> ALL (coalesce(names, '{}')) ORDER BY k;
END $$;
COMMENT ON FUNCTION cvm.check_assignments(text) IS 'Findings about a portfolio''s assignments to experiments: see cvm.check.';

CREATE FUNCTION cvm.experiment_result_report(portfolio text) RETURNS SETOF cvm.experiment_result_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF cvm.has_published(portfolio) AND cvm.has_feed(portfolio, 'assignments') THEN
        RETURN QUERY SELECT v.* FROM cvm.experiment_results(portfolio) v;
    END IF;
END $$;
COMMENT ON FUNCTION cvm.experiment_result_report(text) IS 'What the materialized view experiment_result shows: cvm.experiment_results; no rows before the first run and without assignments.';
