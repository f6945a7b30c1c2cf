-- cohort: who stays without a contract to say so: cohort tables, churn by three definitions, customers won back

CREATE TYPE cvm.cohort_row AS (
    cohort_on date, age_periods integer, customers bigint, active bigint, retention_rate float8, revenue numeric, value_to_date numeric, value_per_customer float8,
    is_censored boolean, reason text);
COMMENT ON TYPE cvm.cohort_row IS 'A cohort at an age: row of cvm.cohorts.';
COMMENT ON COLUMN cvm.cohort_row.cohort_on IS 'first day of the period of the first purchases';
COMMENT ON COLUMN cvm.cohort_row.age_periods IS 'periods since the cohort''s own, which is 0';
COMMENT ON COLUMN cvm.cohort_row.customers IS 'customers of the cohort at its start';
COMMENT ON COLUMN cvm.cohort_row.active IS 'of them with a purchase in that period; NULL if it has not begun within the window, so far if it has not ended';
COMMENT ON COLUMN cvm.cohort_row.retention_rate IS 'active / customers; NULL unless the whole period was observed';
COMMENT ON COLUMN cvm.cohort_row.revenue IS 'amounts of the cohort in that period, so far if it has not ended';
COMMENT ON COLUMN cvm.cohort_row.value_to_date IS 'profit of the cohort to the end of that period, so far if it has not ended; NULL if a cost is missing';
COMMENT ON COLUMN cvm.cohort_row.value_per_customer IS 'value_to_date / customers at the start; NULL unless the whole period was observed';
COMMENT ON COLUMN cvm.cohort_row.is_censored IS 'true where the window ends before the period does (right-censored)';
COMMENT ON COLUMN cvm.cohort_row.reason IS 'why a value is NULL: not observed, not observed to the end, no customers, cost missing';

CREATE FUNCTION cvm.cohorts_of(purchases regclass, columns jsonb, from_on date, to_on date,
    period interval DEFAULT '1 month', time_zone text DEFAULT 'UTC', margin numeric DEFAULT 1, cost_to_serve numeric DEFAULT 0) RETURNS SETOF cvm.cohort_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    RETURN QUERY EXECUTE format('
        WITH period AS MATERIALIZED (SELECT w.* FROM cvm.window_periods($1, $2, $3) w),
        calendar AS MATERIALIZED (SELECT w.n, g::date AS day FROM period w, generate_series(w.starts_on, w.ends_on - 1, interval ''1 day'') AS g),
        line AS (
            SELECT p.customer, p.at, p.amount, p.is_purchase, %s AS profit, min(p.at) FILTER (WHERE p.is_purchase) OVER (PARTITION BY p.customer) AS first_on
            FROM (%s) p
        ), placed AS (
            SELECT c.n AS cohort, a.n, l.customer, l.amount, l.profit, l.is_purchase
            FROM line l JOIN calendar c ON c.day = l.first_on JOIN calendar a ON a.day = greatest(l.at, l.first_on)
        ), cell AS (
            SELECT p.cohort, p.n, count(DISTINCT p.customer) FILTER (WHERE p.is_purchase) AS active, sum(p.amount) AS revenue,
                   sum(p.profit) AS profit, bool_or(p.profit IS NULL) AS lacks_cost
            FROM placed p GROUP BY 1, 2
        ), grid AS (
            SELECT c.n AS cohort, c.starts_on, age.age, a.n, coalesce(a.is_complete, false) AS is_complete,
                   coalesce((SELECT z.active FROM cell z WHERE z.cohort = c.n AND z.n = c.n), 0) AS customers,
                   coalesce(v.active, 0) AS active, coalesce(v.revenue, 0) AS revenue,
                   sum(v.profit) OVER w AS profit, coalesce(bool_or(v.lacks_cost) OVER w, false) AS lacks_cost
            FROM period c CROSS JOIN (SELECT p.n AS age FROM period p) age
            LEFT JOIN period a ON a.n = c.n + age.age LEFT JOIN cell v ON v.cohort = c.n AND v.n = a.n
            WINDOW w AS (PARTITION BY c.n ORDER BY age.age)
        )
        SELECT g.starts_on, g.age, g.customers, CASE WHEN g.n IS NOT NULL THEN g.active END,
               CASE WHEN g.is_complete THEN g.active::float8 / nullif(g.customers, 0) END, CASE WHEN g.n IS NOT NULL THEN g.revenue END,
               CASE WHEN g.n IS NOT NULL AND NOT g.lacks_cost THEN coalesce(g.profit, 0) END,
               CASE WHEN g.is_complete AND NOT g.lacks_cost THEN (coalesce(g.profit, 0) / nullif(g.customers, 0))::float8 END,
               NOT g.is_complete,
               nullif(concat_ws('', '', CASE WHEN g.customers = 0 THEN ''no customers'' END,
                                CASE WHEN g.n IS NULL THEN ''not observed'' WHEN NOT g.is_complete THEN ''not observed to the end'' END,
                                CASE WHEN g.n IS NOT NULL AND g.lacks_cost THEN ''cost missing'' END), '''')
        FROM grid g ORDER BY g.cohort, g.age',
        cvm.profit_expression(columns, margin),
        cvm.measure_source('purchases', purchases, columns, '{customer,at,amount}', time_zone, cost_to_serve => cost_to_serve)) USING from_on, to_on, period;
END $$;
COMMENT ON FUNCTION cvm.cohorts_of(regclass, jsonb, date, date, interval, text, numeric, numeric) IS
'Cohort table of first purchases in the window [from_on, to_on), with a row for every cohort and age, also for the ages that a cohort has not reached: there is_censored is true and the rates are NULL, where a table that leaves them out, or shows 0, lets young cohorts look bad. Compare cohorts at ages that all have reached. Activity without a contract: who is not active in a period may come back. Arguments and errors of cvm.purchase_value_of and cvm.window_periods.';

-- ---------- churn ----------

CREATE TYPE cvm.churn_rate_row AS (
    definition text, customers_at_start bigint, churned bigint, churn_rate float8, lapsed_at_start bigint, won_back bigint, win_back_rate float8, undecided bigint, reason text);
COMMENT ON TYPE cvm.churn_rate_row IS 'Churn in a window by one definition: row of cvm.churn_rates.';
COMMENT ON COLUMN cvm.churn_rate_row.definition IS 'silence, gap or model: cvm.churned_by_silence, cvm.churned_by_gap, cvm.churned_by_model';
COMMENT ON COLUMN cvm.churn_rate_row.customers_at_start IS 'customers not churned at from_on';
COMMENT ON COLUMN cvm.churn_rate_row.churned IS 'of them churned at to_on';
COMMENT ON COLUMN cvm.churn_rate_row.churn_rate IS 'churned / customers_at_start, of the window''s length: not per year';
COMMENT ON COLUMN cvm.churn_rate_row.lapsed_at_start IS 'customers churned at from_on';
COMMENT ON COLUMN cvm.churn_rate_row.won_back IS 'of them with a purchase in the window';
COMMENT ON COLUMN cvm.churn_rate_row.win_back_rate IS 'won_back / lapsed_at_start';
COMMENT ON COLUMN cvm.churn_rate_row.undecided IS 'customers of whom the definition can not say at one of the two days; left out';
COMMENT ON COLUMN cvm.churn_rate_row.reason IS 'why a rate is NULL: no model, no customers at the start, nobody had lapsed';

CREATE FUNCTION cvm.churn_rates_of(purchases regclass, columns jsonb, from_on date, to_on date, limit_days integer DEFAULT 90,
    quantile float8 DEFAULT 0.95, model text DEFAULT NULL, threshold float8 DEFAULT 0.5, time_zone text DEFAULT 'UTC',
    purchase_period interval DEFAULT '1 day') RETURNS SETOF cvm.churn_rate_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    PERFORM cvm.check_window(from_on, to_on);
    PERFORM cvm.argument('limit_days', limit_days, 0), cvm.argument('quantile', quantile, 0, 1), cvm.argument('threshold', threshold, 0, 1);
    RETURN QUERY EXECUTE format('
        WITH day AS (SELECT p.customer, p.at, sum(p.amount) AS amount FROM (%s) p WHERE p.is_purchase GROUP BY 1, 2),
        gap AS (SELECT d.customer, d.at, d.amount, (d.at - lag(d.at) OVER (PARTITION BY d.customer ORDER BY d.at))::float8 AS gap FROM day d),
        everyone AS (SELECT percentile_cont($4) WITHIN GROUP (ORDER BY g.gap) FILTER (WHERE g.at < $1) AS at_start,
                            percentile_cont($4) WITHIN GROUP (ORDER BY g.gap) AS at_end FROM gap g),
        customer AS (
            SELECT g.customer, $1 - max(g.at) FILTER (WHERE g.at < $1) AS silent_at_start, $2 - max(g.at) AS silent_at_end,
                   coalesce(array_agg(g.gap) FILTER (WHERE g.at < $1 AND g.gap IS NOT NULL), ''{}'') AS gaps_at_start,
                   coalesce(array_agg(g.gap) FILTER (WHERE g.gap IS NOT NULL), ''{}'') AS gaps_at_end,
                   cvm.purchase_history(g.at, g.amount, $7) FILTER (WHERE g.at < $1) AS history_at_start, cvm.purchase_history(g.at, g.amount, $7) AS history_at_end,
                   bool_or(g.at >= $1) AS bought
            FROM gap g GROUP BY g.customer HAVING min(g.at) < $1
        ), state AS (
            SELECT 1 AS position, ''silence'' AS definition, cvm.churned_by_silence(c.silent_at_start, $3) AS was, cvm.churned_by_silence(c.silent_at_end, $3) AS is, c.bought FROM customer c
            UNION ALL
            SELECT 2, ''gap'', cvm.churned_by_gap(c.silent_at_start, c.gaps_at_start, e.at_start, $4), cvm.churned_by_gap(c.silent_at_end, c.gaps_at_end, e.at_end, $4), c.bought
            FROM customer c CROSS JOIN everyone e
            UNION ALL
            SELECT 3, ''model'', cvm.churned_by_model(cvm.p_alive($5, c.history_at_start, $1::timestamp AT TIME ZONE ''UTC''), $6),
                   cvm.churned_by_model(cvm.p_alive($5, c.history_at_end, $2::timestamp AT TIME ZONE ''UTC''), $6), c.bought
            FROM customer c WHERE $5 IS NOT NULL
        ), counted AS (
            SELECT n.position, n.definition, count(*) FILTER (WHERE NOT s.was AND s.is IS NOT NULL) AS customers, count(*) FILTER (WHERE NOT s.was AND s.is) AS churned,
                   count(*) FILTER (WHERE s.was AND s.is IS NOT NULL) AS lapsed, count(*) FILTER (WHERE s.was AND s.is IS NOT NULL AND s.bought) AS won_back,
                   count(*) FILTER (WHERE s.position IS NOT NULL AND (s.was IS NULL OR s.is IS NULL)) AS undecided
            FROM (VALUES (1, ''silence''), (2, ''gap''), (3, ''model'')) AS n(position, definition) LEFT JOIN state s USING (position, definition) GROUP BY 1, 2
        )
        SELECT c.definition, c.customers, c.churned, c.churned::float8 / nullif(c.customers, 0), c.lapsed, c.won_back, c.won_back::float8 / nullif(c.lapsed, 0), c.undecided,
               CASE WHEN c.position = 3 AND $5 IS NULL THEN ''no model''
                    ELSE nullif(concat_ws('', '', CASE WHEN c.customers = 0 THEN ''no customers at the start'' END, CASE WHEN c.lapsed = 0 THEN ''nobody had lapsed'' END), '''') END
        FROM counted c ORDER BY c.position',
        cvm.measure_source('purchases', purchases, columns, '{customer,at,amount}', time_zone)) USING from_on, to_on, limit_days, quantile, model::cvm.model, threshold, purchase_period;
END $$;
COMMENT ON FUNCTION cvm.churn_rates_of(regclass, jsonb, date, date, integer, float8, text, float8, text, interval) IS
'Churn rate of a window [from_on, to_on) where no contract says who has left, by three named definitions side by side: silence (longer than limit_days), gap (longer than the quantile of one''s own gaps, with fewer than three gaps of everybody''s) and model (P(alive) below the threshold, by a model of purchases in any unit, given as text, on histories in periods of purchase_period). Each is asked of every customer known at from_on, at both days: churned / not churned at the start. Who was churned at the start and bought in the window was won back: the definition was wrong about him, or something brought him back. Customers new in the window do not count. The three differ, often by half: name the one that is used. In bg/nbd one-time buyers never churn. 22023 outside the domains; 42703, 42804.';

CREATE TYPE cvm.won_back_row AS (customer text, last_on date, returned_on date, silent_days integer, purchase_days bigint, revenue numeric);
COMMENT ON TYPE cvm.won_back_row IS 'A return after a long silence: row of cvm.won_back.';
COMMENT ON COLUMN cvm.won_back_row.customer IS 'customer, as text';
COMMENT ON COLUMN cvm.won_back_row.last_on IS 'day of the last purchase before the silence';
COMMENT ON COLUMN cvm.won_back_row.returned_on IS 'day of the first purchase after it';
COMMENT ON COLUMN cvm.won_back_row.silent_days IS 'days between the two, more than limit_days';
COMMENT ON COLUMN cvm.won_back_row.purchase_days IS 'days with a purchase from the return until the next one, or the end of the window';
COMMENT ON COLUMN cvm.won_back_row.revenue IS 'amounts in that time, refunds deducted';

CREATE FUNCTION cvm.won_back_of(purchases regclass, columns jsonb, from_on date, to_on date, limit_days integer DEFAULT 90, time_zone text DEFAULT 'UTC') RETURNS SETOF cvm.won_back_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    PERFORM cvm.check_window(from_on, to_on);
    PERFORM cvm.argument('limit_days', limit_days, 0);
    RETURN QUERY EXECUTE format('
        WITH day AS (SELECT p.customer, p.at, sum(p.amount) AS amount, bool_or(p.is_purchase) AS is_purchase FROM (%s) p GROUP BY 1, 2),
        gap AS (SELECT d.*, max(d.at) FILTER (WHERE d.is_purchase) OVER (PARTITION BY d.customer ORDER BY d.at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS last_on FROM day d),
        spell AS (SELECT g.*, g.is_purchase AND g.at >= $1 AND g.at - g.last_on > $3 AS returns,
                         count(*) FILTER (WHERE g.is_purchase AND g.at >= $1 AND g.at - g.last_on > $3) OVER (PARTITION BY g.customer ORDER BY g.at) AS spell FROM gap g)
        SELECT s.customer, min(s.last_on) FILTER (WHERE s.returns), min(s.at), min(s.at - s.last_on) FILTER (WHERE s.returns), count(*) FILTER (WHERE s.is_purchase), sum(s.amount)
        FROM spell s WHERE s.spell > 0 GROUP BY s.customer, s.spell ORDER BY s.customer COLLATE "C", s.spell',
        cvm.measure_source('purchases', purchases, columns, '{customer,at,amount}', time_zone)) USING from_on, to_on, limit_days;
END $$;
COMMENT ON FUNCTION cvm.won_back_of(regclass, jsonb, date, date, integer, text) IS
'Customers won back in a window [from_on, to_on): a purchase in it after more than limit_days without one, and what has come of it since. A row a return. Not new customers, and not those of the win_back_rate of cvm.churn_rates: that asks who had lapsed when the window began. 22023 outside the domains; 42703, 42804.';

CREATE FUNCTION cvm.cohorts(portfolio text, from_on date, to_on date, period interval DEFAULT '1 month') RETURNS SETOF cvm.cohort_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.measured_feed(portfolio, 'purchases') f,
           LATERAL cvm.cohorts_of(f.relation, f.columns, from_on, to_on, period, f.time_zone, f.margin, f.cost_to_serve) v;
END;
COMMENT ON FUNCTION cvm.cohorts(text, date, date, interval) IS
'Cohort table of a portfolio with right-censoring shown: cvm.cohorts_of on its purchases feed. Needs SELECT on the feed. 42704, 42501 and the errors of that.';

CREATE FUNCTION cvm.churn_rates(portfolio text, from_on date, to_on date, limit_days integer DEFAULT 90, quantile float8 DEFAULT 0.95, threshold float8 DEFAULT 0.5) RETURNS SETOF cvm.churn_rate_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.measured_feed(portfolio, 'purchases') f,
           LATERAL cvm.churn_rates_of(f.relation, f.columns, from_on, to_on, limit_days, quantile, f.model, threshold, f.time_zone, f.purchase_period) v;
END;
COMMENT ON FUNCTION cvm.churn_rates(text, date, date, integer, float8, float8) IS
'Churn rate of a portfolio by three definitions: cvm.churn_rates_of on its purchases feed, with its live purchase model, whose parameters may have seen purchases after from_on. As cvm.cohorts otherwise.';

CREATE FUNCTION cvm.won_back(portfolio text, from_on date, to_on date, limit_days integer DEFAULT 90) RETURNS SETOF cvm.won_back_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.measured_feed(portfolio, 'purchases') f,
           LATERAL cvm.won_back_of(f.relation, f.columns, from_on, to_on, limit_days, f.time_zone) v;
END;
COMMENT ON FUNCTION cvm.won_back(text, date, date, integer) IS 'Customers of a portfolio won back in a window: cvm.won_back_of on its purchases feed. As cvm.cohorts otherwise.';

-- ---------- reports ----------

CREATE FUNCTION cvm.cohorts_report(portfolio text) RETURNS SETOF cvm.cohort_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.report_months(portfolio, 'cohorts') w, LATERAL cvm.cohorts(w.portfolio, w.from_on, w.to_on) v;
END;
COMMENT ON FUNCTION cvm.cohorts_report(text) IS 'Cohorts of each month at each age, with right-censoring shown: unlike cohort_retention also refunds on their orders, costs, and the ages that are not reached. Made where the option reports names it.';

CREATE TYPE cvm.churn_rate_period_row AS (
    period_on date, definition text, customers_at_start bigint, churned bigint, churn_rate float8, lapsed_at_start bigint, won_back bigint, win_back_rate float8, undecided bigint, reason text);
COMMENT ON TYPE cvm.churn_rate_period_row IS 'Churn in a month by one definition: row of churn_rates.';
COMMENT ON COLUMN cvm.churn_rate_period_row.period_on IS 'first day of the month';
COMMENT ON COLUMN cvm.churn_rate_period_row.definition IS 'silence (longer than 90 days), gap (longer than the 95 % quantile of one''s own gaps, with fewer than three of everybody''s) or model (P(alive) below 0.5)';
COMMENT ON COLUMN cvm.churn_rate_period_row.customers_at_start IS 'customers not churned when the month began';
COMMENT ON COLUMN cvm.churn_rate_period_row.churned IS 'of them churned when it ended';
COMMENT ON COLUMN cvm.churn_rate_period_row.churn_rate IS 'churned / customers_at_start, a month''s: twelve of them do not add up to a year''s';
COMMENT ON COLUMN cvm.churn_rate_period_row.lapsed_at_start IS 'customers churned when the month began';
COMMENT ON COLUMN cvm.churn_rate_period_row.won_back IS 'of them with a purchase in the month';
COMMENT ON COLUMN cvm.churn_rate_period_row.win_back_rate IS 'won_back / lapsed_at_start';
COMMENT ON COLUMN cvm.churn_rate_period_row.undecided IS 'customers of whom the definition can not say at the beginning or the end; left out';
COMMENT ON COLUMN cvm.churn_rate_period_row.reason IS 'why a rate is NULL: no model, no customers at the start, nobody had lapsed';

CREATE FUNCTION cvm.churn_rates_by_period_of(purchases regclass, columns jsonb, from_on date, to_on date, period interval DEFAULT '1 month', limit_days integer DEFAULT 90,
    quantile float8 DEFAULT 0.95, model text DEFAULT NULL, threshold float8 DEFAULT 0.5, time_zone text DEFAULT 'UTC',
    purchase_period interval DEFAULT '1 day') RETURNS SETOF cvm.churn_rate_period_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    starts date[] := ARRAY(SELECT w.starts_on FROM cvm.window_periods(from_on, to_on, period) w ORDER BY w.n);
BEGIN
    PERFORM cvm.argument('limit_days', limit_days, 0), cvm.argument('quantile', quantile, 0, 1), cvm.argument('threshold', threshold, 0, 1);
    -- bound k of $1 is the start of period k, the last one the end of the window; a day is before the bounds above width_bucket(day, $1)
    RETURN QUERY EXECUTE format('
        WITH day AS (SELECT p.customer, p.at, sum(p.amount) AS amount FROM (%s) p WHERE p.is_purchase GROUP BY 1, 2),
        gap AS (
            SELECT d.customer, d.at, d.at - lag(d.at) OVER w AS gap, width_bucket(d.at, $1) AS k, coalesce(width_bucket(lead(d.at) OVER w, $1), cardinality($1)) AS next_k,
                   array_agg((d.at - d.before)::float8) FILTER (WHERE d.before IS NOT NULL) OVER w AS gaps, cvm.purchase_history(d.at, d.amount, $7) OVER w AS history
            FROM (SELECT d.*, lag(d.at) OVER (PARTITION BY d.customer ORDER BY d.at) AS before FROM day d) d WINDOW w AS (PARTITION BY d.customer ORDER BY d.at)
        ), counted AS (SELECT b.k, h.gap, sum(h.n) AS n FROM generate_subscripts($1, 1) AS b(k) JOIN (SELECT g.k, g.gap, count(*) AS n FROM gap g WHERE g.gap IS NOT NULL GROUP BY 1, 2) h ON h.k < b.k GROUP BY 1, 2),
        ordered AS (SELECT c.k, c.gap, sum(c.n) OVER (PARTITION BY c.k ORDER BY c.gap) AS up_to, $4 * (sum(c.n) OVER (PARTITION BY c.k) - 1) AS place FROM counted c),
        everyone AS (
            SELECT o.k, min(o.gap) FILTER (WHERE o.up_to > floor(o.place)) AS low, min(o.gap) FILTER (WHERE o.up_to > ceil(o.place)) AS high, min(o.place - floor(o.place)) AS part FROM ordered o GROUP BY 1
        ), last AS MATERIALIZED (
            -- the last purchase before one bound or more
            SELECT g.customer, g.at, g.k, g.next_k, g.history, CASE WHEN cardinality(g.gaps) >= 3 THEN (SELECT percentile_cont($4) WITHIN GROUP (ORDER BY u) FROM unnest(g.gaps) AS u) END AS own
            FROM gap g WHERE g.next_k > g.k
        ), state AS MATERIALIZED (
            SELECT l.customer, b.k, b.k > l.k + 1 AS silent, $1[b.k] - l.at > $3 AS by_silence, ($1[b.k] - l.at)::float8 > coalesce(l.own, e.low + (e.high - e.low) * e.part) AS by_gap,
                   CASE WHEN $5 IS NOT NULL THEN cvm.churned_by_model(cvm.p_alive($5, l.history, $1[b.k]::timestamp AT TIME ZONE ''UTC''), $6) END AS by_model
            FROM last l CROSS JOIN LATERAL generate_series(l.k + 1, l.next_k) AS b(k) LEFT JOIN everyone e ON e.k = b.k
        ), step AS (
            SELECT lag(s.k) OVER w AS k, NOT s.silent AS bought, lag(s.by_silence) OVER w AS was_silent, s.by_silence, lag(s.by_gap) OVER w AS was_gap, s.by_gap, lag(s.by_model) OVER w AS was_model, s.by_model
            FROM state s WINDOW w AS (PARTITION BY s.customer ORDER BY s.k)
        ), told AS (
            SELECT s.k, n.position, n.was, n.now, s.bought, count(*) AS customers
            FROM step s CROSS JOIN LATERAL (VALUES (1, s.was_silent, s.by_silence), (2, s.was_gap, s.by_gap), (3, s.was_model, s.by_model)) AS n(position, was, now)
            WHERE s.k IS NOT NULL GROUP BY 1, 2, 3, 4, 5
        ), result AS (
            SELECT k.k, n.position, n.definition, coalesce(sum(t.customers) FILTER (WHERE NOT t.was AND t.now IS NOT NULL), 0)::bigint AS customers, coalesce(sum(t.customers) FILTER (WHERE NOT t.was AND t.now), 0)::bigint AS churned,
                   coalesce(sum(t.customers) FILTER (WHERE t.was AND t.now IS NOT NULL), 0)::bigint AS lapsed, coalesce(sum(t.customers) FILTER (WHERE t.was AND t.now IS NOT NULL AND t.bought), 0)::bigint AS won_back,
                   coalesce(sum(t.customers) FILTER (WHERE t.was IS NULL OR t.now IS NULL), 0)::bigint AS undecided
            FROM generate_series(1, cardinality($1) - 1) AS k(k) CROSS JOIN (VALUES (1, ''silence''), (2, ''gap''), (3, ''model'')) AS n(position, definition)
            LEFT JOIN told t ON t.k = k.k AND t.position = n.position AND (n.position < 3 OR $5 IS NOT NULL) GROUP BY 1, 2, 3
        )
        SELECT $1[r.k], r.definition, r.customers, r.churned, r.churned::float8 / nullif(r.customers, 0), r.lapsed, r.won_back, r.won_back::float8 / nullif(r.lapsed, 0), r.undecided,
               CASE WHEN r.position = 3 AND $5 IS NULL THEN ''no model''
                    ELSE nullif(concat_ws('', '', CASE WHEN r.customers = 0 THEN ''no customers at the start'' END, CASE WHEN r.lapsed = 0 THEN ''nobody had lapsed'' END), '''') END
        FROM result r ORDER BY r.k, r.position',
        cvm.measure_source('purchases', purchases, columns, '{customer,at,amount}', time_zone)) USING starts || to_on, to_on, limit_days, quantile, model::cvm.model, threshold, purchase_period;
END $$;
COMMENT ON FUNCTION cvm.churn_rates_by_period_of(regclass, jsonb, date, date, interval, integer, float8, text, float8, text, interval) IS
'Churn rates of the periods of a window [from_on, to_on) by three definitions, in one pass: cvm.churn_rates_of of each period (the last is cut at to_on), except that a refund which came later and is tied to its order takes back its purchase in earlier periods too. Rates of periods do not add up to that of the window. Arguments and errors of that function and cvm.window_periods.';

CREATE FUNCTION cvm.churn_rates_by_period(portfolio text, from_on date, to_on date, period interval DEFAULT '1 month', limit_days integer DEFAULT 90, quantile float8 DEFAULT 0.95,
    threshold float8 DEFAULT 0.5) RETURNS SETOF cvm.churn_rate_period_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.measured_feed(portfolio, 'purchases') f,
           LATERAL cvm.churn_rates_by_period_of(f.relation, f.columns, from_on, to_on, period, limit_days, quantile, f.model, threshold, f.time_zone, f.purchase_period) v;
END;
COMMENT ON FUNCTION cvm.churn_rates_by_period(text, date, date, interval, integer, float8, float8) IS
'Churn rates of a portfolio by period: cvm.churn_rates_by_period_of on its purchases feed, with its live purchase model, whose parameters may have seen later purchases. As cvm.cohorts otherwise.';

CREATE FUNCTION cvm.churn_rates_report(portfolio text) RETURNS SETOF cvm.churn_rate_period_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.report_months(portfolio, 'churn_rates') w, LATERAL cvm.churn_rates_by_period(w.portfolio, w.from_on, w.to_on) v;
END;
COMMENT ON FUNCTION cvm.churn_rates_report(text) IS 'Churn of each month where no contract says who has left, by three definitions side by side. Made where the option reports names it.';

CREATE FUNCTION cvm.won_back_report(portfolio text) RETURNS SETOF cvm.won_back_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.report_months(portfolio, 'won_back') w, LATERAL cvm.won_back(w.portfolio, w.from_on, w.to_on) v;
END;
COMMENT ON FUNCTION cvm.won_back_report(text) IS 'Customers who returned in the window of report_window after more than 90 days without a purchase. Made where the option reports names it.';
