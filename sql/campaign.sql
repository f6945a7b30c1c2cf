-- campaign: what campaigns and loyalty tiers moved, against customers they did not reach
--
-- Nobody drew lots here, so every number is a difference in differences (sql/experiment.sql)
-- with what can be said about its one assumption: whether both groups moved alike before.
-- A unit is a campaign or a tier; its periods are as long as the one after it, and end where
-- the unit begins.  Only customers known before the first period are compared: newer ones
-- would seem to rise from nothing.

-- Given are the expressions purchase_day, unit (unit, before_to, after_from, days) and member (unit, customer, is_treated).
CREATE FUNCTION cvm.movement_query(periods_before integer, value_query text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    revenue text := (SELECT string_agg(format('coalesce(sum(b.amount) FILTER (WHERE b.period = %s), 0)', n), ', ' ORDER BY n) FROM generate_series(1, periods_before) AS n);
    bought text := (SELECT string_agg(format('(count(*) FILTER (WHERE b.is_purchase AND b.period = %s))::float8', n), ', ' ORDER BY n) FROM generate_series(1, periods_before) AS n);
BEGIN
    RETURN format('
        moved AS (
            SELECT b.unit, b.customer, b.is_treated, ARRAY[%2$s] AS revenue_before, coalesce(sum(b.amount) FILTER (WHERE b.period = 0), 0) AS revenue_after,
                   ARRAY[%3$s] AS purchases_before, (count(*) FILTER (WHERE b.is_purchase AND b.period = 0))::float8 AS purchases_after,
                   coalesce(sum(b.amount) FILTER (WHERE b.period > 0), 0) / %1$s AS revenue_level, (count(*) FILTER (WHERE b.is_purchase AND b.period > 0))::float8 / %1$s AS purchases_level
            FROM (SELECT m.unit, m.customer, m.is_treated, p.amount, p.is_purchase, CASE WHEN p.day >= u.after_from THEN 0 ELSE %1$s - (u.before_to - 1 - p.day) / u.days END AS period
                  FROM unit u JOIN member m ON m.unit = u.unit LEFT JOIN purchase_day p ON p.customer = m.customer
                       AND p.day >= u.before_to - %1$s * u.days AND p.day < u.after_from + u.days AND (p.day < u.before_to OR p.day >= u.after_from)) b
            GROUP BY 1, 2, 3
        ), compared AS (
            SELECT r.unit, count(*) AS n, count(*) FILTER (WHERE r.is_treated) AS treated, cvm.difference_in_differences(r.is_treated, r.revenue_before, r.revenue_after) AS revenue,
                   cvm.difference_in_differences(r.is_treated, r.purchases_before, r.purchases_after) AS purchases,
                   ARRAY[avg(r.revenue_level) FILTER (WHERE r.is_treated), avg(r.revenue_level) FILTER (WHERE NOT r.is_treated),
                         var_samp(r.revenue_level) FILTER (WHERE r.is_treated), var_samp(r.revenue_level) FILTER (WHERE NOT r.is_treated)] AS revenue_level,
                   ARRAY[avg(r.purchases_level) FILTER (WHERE r.is_treated), avg(r.purchases_level) FILTER (WHERE NOT r.is_treated),
                         var_samp(r.purchases_level) FILTER (WHERE r.is_treated), var_samp(r.purchases_level) FILTER (WHERE NOT r.is_treated)] AS purchases_level
            FROM moved r GROUP BY 1
        ), tested AS (      -- level: mean before of both groups, and its variances
            SELECT c.unit, o.outcome, c.treated, c.n - c.treated AS comparison, o.d, o.level, true AS is_known
            FROM compared c CROSS JOIN LATERAL (VALUES (''revenue'', c.revenue, c.revenue_level), (''purchases'', c.purchases, c.purchases_level)) AS o(outcome, d, level)
            UNION ALL
            SELECT v.unit, ''clv'', v.treated, v.n - v.treated, CASE WHEN v.known = v.n THEN v.d END, CASE WHEN v.known = v.n THEN v.level END, v.known = v.n
            FROM (SELECT r.unit, count(*) AS n, count(r.after + r.level) AS known, count(*) FILTER (WHERE r.is_treated) AS treated, cvm.difference_in_differences(r.is_treated, r.before, r.after) AS d,
                         ARRAY[avg(r.level) FILTER (WHERE r.is_treated), avg(r.level) FILTER (WHERE NOT r.is_treated), var_samp(r.level) FILTER (WHERE r.is_treated), var_samp(r.level) FILTER (WHERE NOT r.is_treated)] AS level
                  FROM (%4$s) AS r(unit, is_treated, before, after, level) GROUP BY 1) v
        ), movement AS (
            SELECT t.unit, t.outcome, t.treated, t.comparison, t.level[1] AS treated_before, t.level[2] AS comparison_before, (t.d).treated_change, (t.d).control_change AS comparison_change,
                   (t.d).difference, (t.d).standard_error, (t.d).low, (t.d).high, (t.d).p_value, (t.d).trend_difference, (t.d).trend_low, (t.d).trend_high, (t.d).trend_p_value,
                   (t.level[1] - t.level[2]) / nullif(sqrt((t.level[3] + t.level[4]) / 2), 0) AS standardised_difference,
                   nullif(concat_ws('', '', (t.d).warning, CASE WHEN abs(t.level[1] - t.level[2]) > 0.25 * sqrt((t.level[3] + t.level[4]) / 2) THEN ''levels_differ_before'' END), '''') AS warning,
                   CASE WHEN NOT t.is_known THEN ''no_residual_value'' ELSE (t.d).reason END AS reason
            FROM tested t
        )', periods_before, revenue, bought, value_query);
END $$;
COMMENT ON FUNCTION cvm.movement_query(integer, text) IS
'Common table expressions that end in movement: differences in differences of revenue and purchases per period, and of what value_query gives, from the expressions purchase_day (customer, day, amount, is_purchase), unit (unit, before_to, after_from, days) and member (unit, customer, is_treated). Warnings: those of cvm.difference_in_differences, and levels_differ_before where the means before are further apart than a quarter of a standard deviation (Stuart 2010).';

-- OFFSET 0 keeps the planner from computing each value again for every aggregate over it.
-- Residual values of members at the ends of the periods around a measure, by the live models: the value_query of cvm.movement_query.
CREATE FUNCTION cvm.movement_value_query(portfolio text, time_zone text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    run record := cvm.published_run(portfolio);
    purchases record;
    spend record;
    unit interval;
    horizon interval := cvm.option_interval(run.options, 'value_horizon', NULL);
    value text;
BEGIN
    SELECT m.model, m.specification, m.covariates IS NOT NULL AS has_covariates INTO purchases FROM cvm.fitted_model m
    WHERE m.portfolio = movement_value_query.portfolio AND m.role = 'purchases' AND m.status = 'live' AND m.rung <> 'shrunk' ORDER BY m.model_id DESC LIMIT 1;
    SELECT m.model INTO spend FROM cvm.fitted_model m
    WHERE m.portfolio = movement_value_query.portfolio AND m.role = 'spend' AND m.status = 'live' AND m.rung <> 'shrunk' AND (cvm.parameters(m.model) ->> 'q')::float8 > 1 ORDER BY m.model_id DESC LIMIT 1;
    IF run.retention_model IS NOT NULL OR purchases.has_covariates OR purchases.model IS NULL OR spend.model IS NULL THEN
        RETURN NULL;
    END IF;
    unit := (purchases.specification ->> 'time_unit')::interval;
    value := format('%L::float8 * cvm.expected_spend(%L::cvm.model, h.h%%1$s) * cvm.discounted_purchases(%L::cvm.model, h.h%%1$s, h.t%%1$s, %L::float8%s)',
                    run.margin, spend.model, purchases.model,
                    ln(1 + cvm.option_rate(run.options)) * cvm.interval_seconds(unit) / (365.25 * 86400), CASE WHEN horizon IS NULL THEN '' ELSE format(', %L::interval', horizon) END);
    RETURN format('
        SELECT v.unit, v.is_treated, CASE WHEN v.v1 + v.v2 IS NOT NULL THEN ARRAY[v.v1, v.v2] END, v.v3, (v.v1 + v.v2) / 2
        FROM (SELECT h.unit, h.is_treated, %s AS v1, %s AS v2, %s AS v3
              FROM (SELECT m.unit, m.customer, m.is_treated, i.t1, i.t2, i.t3,
                           cvm.purchase_history(p.at, p.amount::numeric, %4$L::interval, %5$L, p.is_purchase) FILTER (WHERE p.at < i.t1) AS h1,
                           cvm.purchase_history(p.at, p.amount::numeric, %4$L::interval, %5$L, p.is_purchase) FILTER (WHERE p.at < i.t2) AS h2,
                           cvm.purchase_history(p.at, p.amount::numeric, %4$L::interval, %5$L, p.is_purchase) FILTER (WHERE p.at < i.t3) AS h3
                    FROM member m
                    JOIN (SELECT u.unit, (u.before_to - u.days)::timestamp AT TIME ZONE %6$L AS t1, u.before_to::timestamp AT TIME ZONE %6$L AS t2,
                                 (u.after_from + u.days)::timestamp AT TIME ZONE %6$L AS t3 FROM unit u) i USING (unit)
                    JOIN purchase p ON p.customer = m.customer AND p.at < i.t3
                    WHERE m.for_value GROUP BY 1, 2, 3, 4, 5, 6) h
              OFFSET 0) v',
        format(value, 1), format(value, 2), format(value, 3), purchases.specification ->> 'period', purchases.specification ->> 'time_zone', time_zone);
END $$;
COMMENT ON FUNCTION cvm.movement_value_query(text, text) IS
'SQL of residual values of the members marked for_value one period before a measure, at its beginning and a period after, from their purchases up to then by the models that are live now; NULL where there are no such models, with subscriptions, and where the spend model has no mean.';

-- ---------- campaigns ----------

CREATE TYPE cvm.campaign_effect_row AS (
    campaign text, outcome text, starts_on date, ends_on date, reached bigint, cost numeric, cost_per_reached float8, customers bigint, comparison bigint,
    before_mean float8, comparison_before_mean float8, change float8, comparison_change float8, difference float8, standard_error float8, low float8, high float8, p_value float8,
    total_effect float8, return_on_cost float8, trend_difference float8, trend_low float8, trend_high float8, trend_p_value float8, standardised_difference float8, warning text, reason text);
COMMENT ON TYPE cvm.campaign_effect_row IS 'A campaign and one outcome: row of cvm.campaign_effects.';
COMMENT ON COLUMN cvm.campaign_effect_row.campaign IS 'campaign';
COMMENT ON COLUMN cvm.campaign_effect_row.outcome IS 'revenue: amounts of a period; purchases: days with a purchase in a period; clv: residual value, by the models that are live now';
COMMENT ON COLUMN cvm.campaign_effect_row.starts_on IS 'day of its first touchpoint; without any, of its first spend';
COMMENT ON COLUMN cvm.campaign_effect_row.ends_on IS 'day of its last touchpoint, or the last day of its spend if that is later';
COMMENT ON COLUMN cvm.campaign_effect_row.reached IS 'customers and prospects with a touchpoint of it';
COMMENT ON COLUMN cvm.campaign_effect_row.cost IS 'cost of its touchpoints and its spend; NULL where neither is known';
COMMENT ON COLUMN cvm.campaign_effect_row.cost_per_reached IS 'cost / reached';
COMMENT ON COLUMN cvm.campaign_effect_row.customers IS 'reached within the period after the start, customers since before the first period, and compared';
COMMENT ON COLUMN cvm.campaign_effect_row.comparison IS 'customers since before the first period whom it never reached, and compared';
COMMENT ON COLUMN cvm.campaign_effect_row.before_mean IS 'mean outcome per period before, of those reached';
COMMENT ON COLUMN cvm.campaign_effect_row.comparison_before_mean IS 'the same of the comparison';
COMMENT ON COLUMN cvm.campaign_effect_row.change IS 'period after the start less before_mean, of those reached';
COMMENT ON COLUMN cvm.campaign_effect_row.comparison_change IS 'the same of the comparison';
COMMENT ON COLUMN cvm.campaign_effect_row.difference IS 'change - comparison_change, a customer: difference in differences';
COMMENT ON COLUMN cvm.campaign_effect_row.standard_error IS 'its standard error';
COMMENT ON COLUMN cvm.campaign_effect_row.low IS 'lower end of its 95 % interval';
COMMENT ON COLUMN cvm.campaign_effect_row.high IS 'upper end';
COMMENT ON COLUMN cvm.campaign_effect_row.p_value IS 'its two-sided p';
COMMENT ON COLUMN cvm.campaign_effect_row.total_effect IS 'difference x all customers reached who were customers since before the first period';
COMMENT ON COLUMN cvm.campaign_effect_row.return_on_cost IS '(total_effect x margin - cost) / cost of revenue; NULL of other outcomes and without a cost';
COMMENT ON COLUMN cvm.campaign_effect_row.trend_difference IS 'difference of the trends before, per period; compare its interval with the effect';
COMMENT ON COLUMN cvm.campaign_effect_row.trend_low IS 'lower end of its 95 % interval';
COMMENT ON COLUMN cvm.campaign_effect_row.trend_high IS 'upper end';
COMMENT ON COLUMN cvm.campaign_effect_row.trend_p_value IS 'its two-sided p';
COMMENT ON COLUMN cvm.campaign_effect_row.standardised_difference IS 'difference of the means before, in standard deviations';
COMMENT ON COLUMN cvm.campaign_effect_row.warning IS 'not_alike_before: the trends differ (p < 5 %); levels_differ_before: the means do, by more than a quarter of a standard deviation; one_period_before: the trends can not be compared';
COMMENT ON COLUMN cvm.campaign_effect_row.reason IS 'why there is no effect: ends_before_start, nobody_reached, unfinished (the period after the start is not over), no_known_customers (nobody reached was a customer before the first period), no_comparison, no_model and no_residual_value (clv), too_few, no_variance';

CREATE FUNCTION cvm.check_movement(days integer, periods_before integer, most_customers integer) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF num_nulls(days, periods_before, most_customers) > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'days, periods_before and most_customers must not be null', HINT = 'Leave one out to have its default.';
    END IF;
    PERFORM cvm.argument('days', days, 1, 3653), cvm.argument('periods_before', periods_before, 1, 24), cvm.argument('most_customers', most_customers, 2, 1e9);
END $$;
COMMENT ON FUNCTION cvm.check_movement(integer, integer, integer) IS 'Nothing, if these arguments of cvm.campaign_effects and cvm.loyalty_effects will do: 1 to 3653 days, 1 to 24 periods before, at least 2 customers of a group. Else 22023, and 22004 for null.';

CREATE FUNCTION cvm.campaign_effects(portfolio text, campaign text DEFAULT NULL, comparison regclass DEFAULT NULL, days integer DEFAULT 30, periods_before integer DEFAULT 3,
    most_customers integer DEFAULT 20000, from_on date DEFAULT NULL) RETURNS SETOF cvm.campaign_effect_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET work_mem = '64MB' AS $$
#variable_conflict use_column
DECLARE
    run record := cvm.published_run(portfolio);
    feed record;
    spend record;
    spending text := 'SELECT NULL::text AS campaign, NULL::date AS at, NULL::date AS ended_at, NULL::numeric AS amount WHERE false';
    value text;
    has_cost boolean;
BEGIN
    PERFORM cvm.check_movement(campaign_effects.days, campaign_effects.periods_before, campaign_effects.most_customers);
    SELECT f.relation, f.columns, f.time_zone INTO feed FROM cvm.measured_feed(portfolio, 'touchpoints') f;
    IF NOT feed.columns ? 'campaign' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('the touchpoints feed of portfolio "%s" maps no column as campaign', portfolio),
            HINT = 'Map it with cvm.add_feed: "campaign": "the column''s name".';
    END IF;
    IF cvm.has_feed(portfolio, 'spend') THEN
        SELECT f.relation, f.columns INTO spend FROM cvm.measured_feed(portfolio, 'spend') f;
        spending := cvm.measure_source('spend', spend.relation, spend.columns, '{at,amount}', feed.time_zone);
    END IF;
    value := cvm.movement_value_query(portfolio, feed.time_zone);
    RETURN QUERY EXECUTE format('
        WITH purchase AS MATERIALIZED (SELECT p.customer, p.at, p.amount, p.is_purchase, (p.at AT TIME ZONE $5)::date AS day FROM (%1$s) p),
        purchase_day AS MATERIALIZED (SELECT p.customer, p.day, sum(p.amount)::float8 AS amount, bool_or(p.is_purchase) AS is_purchase FROM purchase p GROUP BY 1, 2),
        known AS MATERIALIZED (      -- customers, each with a place between 0 and 1 that decides who is left out of large groups
            SELECT d.customer, min(d.day) FILTER (WHERE d.is_purchase) AS first_on, (''x'' || substr(md5(d.customer), 1, 8))::bit(32)::bigint / 4294967296.0::float8 AS place
            FROM purchase_day d GROUP BY 1
        ), touched AS MATERIALIZED (
            SELECT t.campaign, t.customer, (min(t.at) AT TIME ZONE $5)::date AS first_on, (max(t.at) AT TIME ZONE $5)::date AS last_on, sum(t.cost) AS cost
            FROM (%2$s) t WHERE t.campaign IS NOT NULL AND t.at < $2 AND ($6 IS NULL OR t.campaign = $6) GROUP BY 1, 2
        ), reach AS (
            SELECT t.campaign, min(t.first_on) AS first_on, max(t.last_on) AS last_on, count(*) AS reached, sum(t.cost) AS cost FROM touched t GROUP BY 1
        ), paid AS (
            SELECT s.campaign, min(s.at) AS first_on, max(coalesce(s.ended_at, s.at)) AS last_on, sum(s.amount) AS cost, bool_or(coalesce(s.ended_at < s.at, false)) AS is_odd
            FROM (%3$s) s WHERE s.campaign IS NOT NULL AND s.at <= ($1 AT TIME ZONE $5)::date AND ($6 IS NULL OR s.campaign = $6) GROUP BY 1
        ), campaign AS MATERIALIZED (
            SELECT c.*, c.starts_on - $7 * $8 AS panel_from,
                   CASE WHEN c.is_odd THEN ''ends_before_start'' WHEN c.reached = 0 THEN ''nobody_reached'' WHEN ((c.starts_on + $7)::timestamp AT TIME ZONE $5) > $2 THEN ''unfinished'' END AS reason
            FROM (SELECT coalesce(r.campaign, p.campaign) AS campaign, coalesce(r.first_on, p.first_on) AS starts_on, greatest(r.last_on, p.last_on) AS ends_on, coalesce(r.reached, 0) AS reached,
                         CASE WHEN p.cost IS NOT NULL OR %4$L THEN coalesce(r.cost, 0) + coalesce(p.cost, 0) END AS cost,
                         coalesce(p.is_odd, false) OR coalesce(p.last_on < r.first_on, false) AS is_odd
                  FROM reach r FULL JOIN paid p ON p.campaign = r.campaign) c WHERE $3 IS NULL OR c.starts_on >= $3
        ), unit AS (SELECT c.campaign AS unit, c.starts_on AS before_to, c.starts_on AS after_from, $7 AS days, c.panel_from FROM campaign c WHERE c.reason IS NULL),
        reached_known AS MATERIALIZED (
            SELECT u.unit, t.customer, k.place, t.first_on < u.after_from + u.days AS in_time FROM unit u JOIN touched t ON t.campaign = u.unit JOIN known k ON k.customer = t.customer AND k.first_on < u.panel_from
        ), sized AS MATERIALIZED (      -- what part of each group is taken
            SELECT u.unit, u.panel_from, $9::float8 / nullif(coalesce(r.n, 0), 0) AS reached_part, $9::float8 / nullif(k.n - coalesce(r.n, 0), 0) AS others_part
            FROM unit u CROSS JOIN LATERAL (SELECT count(*) AS n FROM known k WHERE k.first_on < u.panel_from) k
            LEFT JOIN (SELECT r.unit, count(*) AS n FROM reached_known r GROUP BY 1) r ON r.unit = u.unit
        ), member AS MATERIALIZED (
            SELECT r.unit, r.customer, true AS is_treated, r.place < s.reached_part / 5 AS for_value FROM reached_known r JOIN sized s ON s.unit = r.unit WHERE r.in_time AND r.place < s.reached_part
            UNION ALL
            SELECT s.unit, k.customer, false, k.place < s.others_part / 5
            FROM sized s JOIN known k ON k.first_on < s.panel_from AND k.place < s.others_part LEFT JOIN touched t ON t.campaign = s.unit AND t.customer = k.customer %5$s
            WHERE %6$s AND t.customer IS NULL
        ), %7$s, told AS (
            SELECT c.campaign, count(*) FILTER (WHERE m.is_treated) AS customers, count(*) FILTER (WHERE NOT m.is_treated) AS comparison FROM campaign c JOIN member m ON m.unit = c.campaign GROUP BY 1
        ), known_reached AS (
            SELECT r.unit, count(*) AS n FROM reached_known r WHERE r.in_time GROUP BY 1
        )
        SELECT c.campaign, o.outcome, c.starts_on, c.ends_on, c.reached, trim_scale(c.cost), (c.cost / nullif(c.reached, 0))::float8, coalesce(m.treated, t.customers, 0), coalesce(m.comparison, t.comparison, 0),
               m.treated_before, m.comparison_before, m.treated_change, m.comparison_change, m.difference, m.standard_error, m.low, m.high, m.p_value,
               m.difference * r.n, CASE WHEN o.outcome = ''revenue'' AND c.cost > 0 THEN (m.difference * r.n * $10 - c.cost::float8) / c.cost::float8 END,
               m.trend_difference, m.trend_low, m.trend_high, m.trend_p_value, m.standardised_difference, m.warning,
               coalesce(c.reason, CASE WHEN r.n IS NULL OR t.customers = 0 THEN ''no_known_customers'' WHEN t.comparison = 0 THEN ''no_comparison'' WHEN o.outcome = ''clv'' AND NOT %8$L THEN ''no_model'' ELSE m.reason END)
        FROM campaign c CROSS JOIN (VALUES (1, ''revenue''), (2, ''purchases''), (3, ''clv'')) AS o(n, outcome)
        LEFT JOIN told t ON t.campaign = c.campaign LEFT JOIN known_reached r ON r.unit = c.campaign
        LEFT JOIN movement m ON m.unit = c.campaign AND m.outcome = o.outcome AND t.customers > 0 AND t.comparison > 0
        ORDER BY c.starts_on, c.campaign COLLATE "C", o.n',
        cvm.purchase_source(portfolio), cvm.measure_source('touchpoints', feed.relation, feed.columns, '{customer,at,stage}', feed.time_zone, instants => true), spending, feed.columns ? 'cost',
        CASE WHEN comparison IS NULL THEN '' ELSE format('LEFT JOIN (SELECT DISTINCT %s AS customer FROM %s AS f) x ON x.customer = k.customer', cvm.measure_expression(comparison, 'customer', 'customer_id', 'UTC'), comparison) END,
        CASE WHEN comparison IS NULL THEN 'true' ELSE 'x.customer IS NOT NULL' END,
        cvm.movement_query(campaign_effects.periods_before, coalesce(value, 'SELECT NULL::text, NULL::boolean, NULL::float8[], NULL::float8, NULL::float8 WHERE false')), value IS NOT NULL)
    USING run.as_of, run.as_of + interval '1 microsecond', campaign_effects.from_on, NULL::text, feed.time_zone, campaign_effects.campaign, campaign_effects.days, campaign_effects.periods_before,
          campaign_effects.most_customers, run.margin;
    IF NOT FOUND AND campaign_effects.campaign IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('there is no campaign "%s" up to as_of', campaign_effects.campaign),
            HINT = format('SELECT DISTINCT campaign FROM cvm.campaign_effects(%L);', portfolio);
    END IF;
END $$;
COMMENT ON FUNCTION cvm.campaign_effects(text, text, regclass, integer, integer, integer, date) IS
'What campaigns moved, as of the published run: for each campaign of the feeds touchpoints (whom it reached, at what cost) and spend (its cost), the revenue, purchases and residual value of those it reached, in the period of so many days from its start against periods_before periods before it, less the same of the comparison: the customers in the column customer_id of comparison, unless given all whom it did not reach (cvm.difference_in_differences). Only customers whose first purchase lies before the first period are compared, and of those reached only those reached within the period. It is the effect only if both groups would have moved alike: read warning, the trends before, and standardised_difference; campaigns choose whom they reach. Residual value is that of the models live now, from purchases up to the day, one period before the start, at the start and a period after, of a fifth as many customers. Of groups above most_customers a part is taken by a hash of the customer. from_on: only campaigns that began on this day or later. Segments as published know what happened after the campaign: a comparison from them is a comparison chosen by the outcome. Money is on the portfolio''s value basis. Needs SELECT on the feeds. 55000 before the first recompute and where no campaign is mapped, 42704 without a touchpoints feed or such a campaign, 22023 for arguments outside their domain, 42703 and 42804 for the comparison, 42501.';

CREATE FUNCTION cvm.campaign_effect_report(portfolio text) RETURNS SETOF cvm.campaign_effect_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF cvm.has_published(portfolio) AND EXISTS (SELECT FROM cvm.feed f WHERE f.portfolio = campaign_effect_report.portfolio AND f.kind = 'touchpoints' AND f.columns ? 'campaign') THEN
        RETURN QUERY SELECT v.* FROM cvm.campaign_effects(portfolio, from_on => (SELECT (r.as_of AT TIME ZONE cvm.option_text(r.options, 'time_zone', 'UTC') - interval '1 year')::date FROM cvm.published_run(portfolio) r)) v;
    END IF;
END $$;
COMMENT ON FUNCTION cvm.campaign_effect_report(text) IS 'What the materialized view campaign_effect shows: cvm.campaign_effects of campaigns that began within a year before as_of; no rows before the first run and without touchpoints that have a campaign.';
