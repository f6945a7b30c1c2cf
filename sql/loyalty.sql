-- loyalty: tiers of customers by what they have spent lately, with the days they entered and left

CREATE FUNCTION cvm.check_loyalty_tiers(tiers jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF jsonb_typeof(tiers) IS DISTINCT FROM 'object' OR tiers = '{}'
       OR EXISTS (SELECT FROM jsonb_each(tiers) AS t WHERE CASE jsonb_typeof(t.value) WHEN 'number' THEN t.value::numeric <= 0 ELSE true END)
       OR (SELECT count(DISTINCT t.value) < count(*) FROM jsonb_each(tiers) AS t) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('loyalty tiers can not be %s', coalesce(tiers::text, 'null')),
            DETAIL = 'They are an object of names and the amounts from which a customer is in the tier, all above 0 and different.',
            HINT = 'Such as {"Silver": 100, "Gold": 500}.';
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION cvm.check_loyalty_tiers(jsonb) IS 'True for an object of tiers and their thresholds, amounts above 0 that differ; else 22023.';

CREATE TYPE cvm.loyalty_row AS (customer text, tier text, threshold numeric, entered_on date, entered_from text, left_on date, left_for text, qualifying_amount numeric, is_current boolean);
COMMENT ON TYPE cvm.loyalty_row IS 'A stay of a customer in a loyalty tier: row of cvm.loyalty.';
COMMENT ON COLUMN cvm.loyalty_row.customer IS 'customer, as text';
COMMENT ON COLUMN cvm.loyalty_row.tier IS 'tier';
COMMENT ON COLUMN cvm.loyalty_row.threshold IS 'amount from which a customer is in it';
COMMENT ON COLUMN cvm.loyalty_row.entered_on IS 'first day of the stay, also if it lies before the window';
COMMENT ON COLUMN cvm.loyalty_row.entered_from IS 'tier before; NULL: none';
COMMENT ON COLUMN cvm.loyalty_row.left_on IS 'first day in another tier or none; NULL: still there at the end of the window';
COMMENT ON COLUMN cvm.loyalty_row.left_for IS 'tier after it; NULL: none, or still there';
COMMENT ON COLUMN cvm.loyalty_row.qualifying_amount IS 'what counted on the last day of the stay, or the last of the window';
COMMENT ON COLUMN cvm.loyalty_row.is_current IS 'whether the customer is in it on the last day of the window';

CREATE FUNCTION cvm.loyalty_of(purchases regclass, columns jsonb, tiers jsonb, from_on date, to_on date,
    qualifying interval DEFAULT '1 year', time_zone text DEFAULT 'UTC') RETURNS SETOF cvm.loyalty_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET intervalstyle = 'postgres' AS $$
BEGIN
    PERFORM cvm.check_window(from_on, to_on), cvm.check_loyalty_tiers(tiers);
    IF from_on + qualifying < from_on + 1 OR (from_on + qualifying)::date <> from_on + qualifying THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('the qualifying time can not be %s', qualifying),
            HINT = 'Give whole days, months or years, such as interval ''1 year''; NULL: everything ever bought counts.';
    END IF;
    RETURN QUERY EXECUTE format('
        WITH tier AS (SELECT t.key AS tier, t.value::numeric AS threshold FROM jsonb_each($3) AS t),
        purchase AS (SELECT p.customer, p.at, p.amount FROM (%s) p),
        event AS (
            SELECT e.customer, e.day, sum(e.amount) AS amount
            FROM (SELECT p.customer, p.at AS day, p.amount FROM purchase p
                  UNION ALL SELECT p.customer, (p.at + $4)::date, -p.amount FROM purchase p WHERE p.at + $4 < $2) e GROUP BY 1, 2
        ), balance AS (
            SELECT e.customer, e.day, sum(e.amount) OVER (PARTITION BY e.customer ORDER BY e.day) AS amount FROM event e
        ), placed AS (
            SELECT b.*, t.tier, t.threshold, lag(t.tier) OVER w IS DISTINCT FROM t.tier AS changes
            FROM balance b LEFT JOIN LATERAL (SELECT x.tier, x.threshold FROM tier x WHERE x.threshold <= b.amount ORDER BY x.threshold DESC LIMIT 1) t ON true
            WINDOW w AS (PARTITION BY b.customer ORDER BY b.day)
        ), numbered AS (
            SELECT p.*, count(*) FILTER (WHERE p.changes) OVER (PARTITION BY p.customer ORDER BY p.day) AS stay FROM placed p
        ), stay AS (
            SELECT n.customer, n.stay, n.tier, n.threshold, min(n.day) AS entered_on, (array_agg(n.amount ORDER BY n.day DESC))[1] AS amount
            FROM numbered n GROUP BY 1, 2, 3, 4
        ), linked AS (
            SELECT s.*, lag(s.tier) OVER w AS entered_from, lead(s.entered_on) OVER w AS left_on, lead(s.tier) OVER w AS left_for
            FROM stay s WINDOW w AS (PARTITION BY s.customer ORDER BY s.stay)
        )
        SELECT l.customer, l.tier, l.threshold, l.entered_on, l.entered_from, l.left_on, l.left_for, l.amount, l.left_on IS NULL
        FROM linked l WHERE l.tier IS NOT NULL AND (l.left_on IS NULL OR l.left_on > $1) ORDER BY l.customer COLLATE "C", l.entered_on',
        cvm.measure_source('purchases', purchases, columns, '{customer,at,amount}', time_zone)) USING from_on, to_on, tiers, qualifying;
END $$;
COMMENT ON FUNCTION cvm.loyalty_of(regclass, jsonb, jsonb, date, date, interval, text) IS
'Stays of customers in loyalty tiers that touch a window [from_on, to_on), with entry and exit days. tiers is an object of thresholds such as {"Silver": 100, "Gold": 500}: on each day a customer is in the highest tier whose threshold the amounts of the qualifying time up to that day have reached, refunds deducted; below the lowest there is no row. A purchase counts on its day and for the qualifying time from it, so a customer leaves without doing anything. A rule, not a forecast: expected value is another order of customers. Changed thresholds change the past too. 22023 for tiers, window, time or mapping; 42703, 42804.';

CREATE FUNCTION cvm.portfolio_tiers(portfolio text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    tiers jsonb := (cvm.own_portfolio(portfolio)).options -> 'loyalty_tiers';
BEGIN
    IF tiers IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('portfolio "%s" has no loyalty tiers', portfolio),
            HINT = format('Set them: SELECT cvm.alter_portfolio(%L, ''{"loyalty_tiers": {"Silver": 100, "Gold": 500}}'');', portfolio);
    END IF;
    RETURN tiers;
END $$;
COMMENT ON FUNCTION cvm.portfolio_tiers(text) IS 'The option loyalty_tiers of a portfolio; 55000 where it is not set, 42704, 42501.';

CREATE FUNCTION cvm.loyalty(portfolio text, from_on date, to_on date) RETURNS SETOF cvm.loyalty_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    options jsonb := (cvm.own_portfolio(portfolio)).options;
BEGIN
    PERFORM cvm.portfolio_tiers(portfolio);
    RETURN QUERY SELECT v.* FROM cvm.measured_feed(portfolio, 'purchases') f,
        LATERAL cvm.loyalty_of(f.relation, f.columns, options -> 'loyalty_tiers', from_on, to_on, cvm.option_interval(options, 'loyalty_period', '1 year'), f.time_zone) v;
END $$;
COMMENT ON FUNCTION cvm.loyalty(text, date, date) IS
'Stays of a portfolio''s customers in the tiers of its option loyalty_tiers: cvm.loyalty_of on its purchases feed, qualifying within loyalty_period. Needs SELECT on the feed. 55000 without tiers, 42704, 42501 and the errors of that.';

CREATE FUNCTION cvm.loyalty_report(portfolio text) RETURNS SETOF cvm.loyalty_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.portfolio p, LATERAL cvm.report_months(p.portfolio, 'loyalty') w, LATERAL cvm.loyalty(w.portfolio, w.from_on, w.to_on) v
    WHERE p.portfolio = loyalty_report.portfolio AND p.options OPERATOR(pg_catalog.?) 'loyalty_tiers';
END;
COMMENT ON FUNCTION cvm.loyalty_report(text) IS 'Stays of customers in loyalty tiers that touch the window of report_window, with the days they entered and left. Made where the option reports names it and loyalty_tiers are set.';
-- ---------- what a tier changed ----------

CREATE TYPE cvm.loyalty_effect_row AS (
    tier text, move text, outcome text, customers bigint, comparison bigint, before_mean float8, comparison_before_mean float8, change float8, comparison_change float8,
    difference float8, standard_error float8, low float8, high float8, p_value float8, trend_difference float8, trend_low float8, trend_high float8, trend_p_value float8,
    standardised_difference float8, warning text, reason text);
COMMENT ON TYPE cvm.loyalty_effect_row IS 'What entering or leaving a loyalty tier changed: row of cvm.loyalty_effects.';
COMMENT ON COLUMN cvm.loyalty_effect_row.tier IS 'tier';
COMMENT ON COLUMN cvm.loyalty_effect_row.move IS 'entered from below, or left downwards';
COMMENT ON COLUMN cvm.loyalty_effect_row.outcome IS 'revenue: amounts of a period; purchases: days with a purchase in a period; clv: residual value, by the models that are live now';
COMMENT ON COLUMN cvm.loyalty_effect_row.customers IS 'customers who did so within the window, customers since before the first period, and compared';
COMMENT ON COLUMN cvm.loyalty_effect_row.comparison IS 'of entries those who stayed below the tier to the end of the period after, of exits those who stayed in it or above';
COMMENT ON COLUMN cvm.loyalty_effect_row.before_mean IS 'mean outcome per period before, of those who moved';
COMMENT ON COLUMN cvm.loyalty_effect_row.comparison_before_mean IS 'the same of the comparison';
COMMENT ON COLUMN cvm.loyalty_effect_row.change IS 'period after the window less before_mean, of those who moved';
COMMENT ON COLUMN cvm.loyalty_effect_row.comparison_change IS 'the same of the comparison';
COMMENT ON COLUMN cvm.loyalty_effect_row.difference IS 'change - comparison_change, a customer: difference in differences';
COMMENT ON COLUMN cvm.loyalty_effect_row.standard_error IS 'its standard error';
COMMENT ON COLUMN cvm.loyalty_effect_row.low IS 'lower end of its 95 % interval';
COMMENT ON COLUMN cvm.loyalty_effect_row.high IS 'upper end';
COMMENT ON COLUMN cvm.loyalty_effect_row.p_value IS 'its two-sided p';
COMMENT ON COLUMN cvm.loyalty_effect_row.trend_difference IS 'difference of the trends before, per period; compare its interval with the effect';
COMMENT ON COLUMN cvm.loyalty_effect_row.trend_low IS 'lower end of its 95 % interval';
COMMENT ON COLUMN cvm.loyalty_effect_row.trend_high IS 'upper end';
COMMENT ON COLUMN cvm.loyalty_effect_row.trend_p_value IS 'its two-sided p';
COMMENT ON COLUMN cvm.loyalty_effect_row.standardised_difference IS 'difference of the means before, in standard deviations';
COMMENT ON COLUMN cvm.loyalty_effect_row.warning IS 'not_alike_before: the trends differ (p < 5 %); levels_differ_before: the means do, by more than a quarter of a standard deviation; one_period_before: the trends can not be compared';
COMMENT ON COLUMN cvm.loyalty_effect_row.reason IS 'why there is no effect: unfinished (the period after the window is not over), nobody_moved, no_comparison, no_model and no_residual_value (clv), too_few, no_variance';

CREATE FUNCTION cvm.loyalty_effects(portfolio text, from_on date, to_on date, days integer DEFAULT 30, periods_before integer DEFAULT 3, most_customers integer DEFAULT 20000)
RETURNS SETOF cvm.loyalty_effect_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET work_mem = '64MB' AS $$
#variable_conflict use_column
DECLARE
    run record := cvm.published_run(portfolio);
    time_zone text := cvm.option_text(run.options, 'time_zone', 'UTC');
    value text := cvm.movement_value_query(portfolio, time_zone);
    through date;      -- first day after the period after the window
    tiers jsonb := cvm.portfolio_tiers(portfolio);
BEGIN
    PERFORM cvm.check_window(from_on, to_on);
    PERFORM cvm.check_movement(loyalty_effects.days, loyalty_effects.periods_before, loyalty_effects.most_customers);
    through := to_on + loyalty_effects.days;
    RETURN QUERY EXECUTE format('
        WITH purchase AS MATERIALIZED (SELECT p.customer, p.at, p.amount, p.is_purchase, (p.at AT TIME ZONE %1$L)::date AS day FROM (%2$s) p),
        purchase_day AS MATERIALIZED (SELECT p.customer, p.day, sum(p.amount)::float8 AS amount, bool_or(p.is_purchase) AS is_purchase FROM purchase p GROUP BY 1, 2),
        known AS MATERIALIZED (
            SELECT d.customer, (''x'' || substr(md5(d.customer), 1, 8))::bit(32)::bigint / 4294967296.0::float8 AS place
            FROM purchase_day d GROUP BY 1 HAVING min(d.day) FILTER (WHERE d.is_purchase) < $3 - $5 * $6
        ), stay AS MATERIALIZED (
            SELECT l.customer, l.threshold, l.entered_on, l.left_on, ($7 ->> l.entered_from)::numeric AS entered_from, ($7 ->> l.left_for)::numeric AS left_for FROM cvm.loyalty($8, $3, $9) l
        ), unit AS (      -- a tier, entered or left
            SELECT m.move || '' '' || t.key AS unit, m.move, t.key AS tier, t.value::text::numeric AS threshold, $3 AS before_to, $4 AS after_from, $5 AS days
            FROM jsonb_each($7) AS t CROSS JOIN (VALUES (''entered''), (''left'')) AS m(move) WHERE ($9::timestamp AT TIME ZONE %1$L) <= $2
        ), mover AS (
            SELECT DISTINCT u.unit, s.customer FROM unit u JOIN stay s
            ON CASE u.move WHEN ''entered'' THEN s.threshold >= u.threshold AND s.entered_on >= $3 AND s.entered_on < $4 AND coalesce(s.entered_from < u.threshold, true)
                    ELSE s.threshold >= u.threshold AND s.left_on >= $3 AND s.left_on < $4 AND coalesce(s.left_for < u.threshold, true) END
        ), placed AS (   -- whether somebody was in the tier or above: ever in the time of both, and all of it
            SELECT u.unit, s.customer, bool_or(true) AS ever,
                   sum(least(coalesce(s.left_on, $9), $9) - greatest(s.entered_on, $3)) = $9 - $3 AS always
            FROM unit u JOIN stay s ON s.threshold >= u.threshold GROUP BY 1, 2
        ), candidate AS (
            SELECT u.unit, k.customer, k.place, m.customer IS NOT NULL AS is_treated FROM unit u CROSS JOIN known k LEFT JOIN mover m ON m.unit = u.unit AND m.customer = k.customer
                 LEFT JOIN placed p ON p.unit = u.unit AND p.customer = k.customer
            WHERE m.customer IS NOT NULL OR CASE u.move WHEN ''entered'' THEN p.ever IS NULL ELSE coalesce(p.always, false) END
        ), member AS MATERIALIZED (
            SELECT c.unit, c.customer, c.is_treated, c.place < $10::float8 / c.n / 5 AS for_value
            FROM (SELECT c.*, count(*) OVER (PARTITION BY c.unit, c.is_treated) AS n FROM candidate c) c WHERE c.place < $10::float8 / c.n
        ), %3$s, told AS (
            SELECT m.unit, count(*) FILTER (WHERE m.is_treated) AS customers, count(*) FILTER (WHERE NOT m.is_treated) AS comparison FROM member m GROUP BY 1
        )
        SELECT t.key, w.move, o.outcome, coalesce(m.treated, n.customers, 0), coalesce(m.comparison, n.comparison, 0), m.treated_before, m.comparison_before, m.treated_change, m.comparison_change,
               m.difference, m.standard_error, m.low, m.high, m.p_value, m.trend_difference, m.trend_low, m.trend_high, m.trend_p_value, m.standardised_difference, m.warning,
               CASE WHEN u.unit IS NULL THEN ''unfinished'' WHEN coalesce(n.customers, 0) = 0 THEN ''nobody_moved'' WHEN n.comparison = 0 THEN ''no_comparison''
                    WHEN o.outcome = ''clv'' AND NOT %4$L THEN ''no_model'' ELSE m.reason END
        FROM jsonb_each($7) AS t CROSS JOIN (VALUES (1, ''entered''), (2, ''left'')) AS w(n, move) CROSS JOIN (VALUES (1, ''revenue''), (2, ''purchases''), (3, ''clv'')) AS o(n, outcome)
        LEFT JOIN unit u ON u.tier = t.key AND u.move = w.move LEFT JOIN told n ON n.unit = u.unit
        LEFT JOIN movement m ON m.unit = u.unit AND m.outcome = o.outcome AND n.customers > 0 AND n.comparison > 0
        ORDER BY t.value::text::numeric, w.n, o.n',
        time_zone, cvm.purchase_source(portfolio),
        cvm.movement_query(loyalty_effects.periods_before, coalesce(value, 'SELECT NULL::text, NULL::boolean, NULL::float8[], NULL::float8, NULL::float8 WHERE false')), value IS NOT NULL)
    USING run.as_of, run.as_of + interval '1 microsecond', from_on, to_on, loyalty_effects.days, loyalty_effects.periods_before, tiers, portfolio, through, loyalty_effects.most_customers;
END $$;
COMMENT ON FUNCTION cvm.loyalty_effects(text, date, date, integer, integer, integer) IS
'What entering or leaving a loyalty tier in the window [from_on, to_on) changed: revenue, purchases and residual value in the period of so many days after the window, less those of periods_before periods before it, of those who entered the tier or a higher one from below, against those who stayed below; and of those who left it downwards, against those who stayed in it or above (cvm.difference_in_differences, up to the published as_of). Customers enter a tier because they have bought much, and after that buy as usual: expect not_alike_before and levels_differ_before, and an effect that is too low; an experiment with the threshold says more. A short window and long periods are better than the reverse. Only customers whose first purchase lies before the first period; of groups above most_customers a part, of residual value a fifth. Residual value as in cvm.campaign_effects. Needs SELECT on the feed. 55000 before the first recompute and without tiers, 22023 for arguments outside their domain, 42704, 42501.';
