-- acquisition: what new customers cost, and when they have paid it back

CREATE FUNCTION cvm.spend_purpose(purpose text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF coalesce(purpose, 'acquisition') NOT IN ('acquisition', 'retention') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('the purpose of spend can not be "%s"', purpose),
            DETAIL = 'It must be "acquisition" or "retention"; NULL is acquisition.', HINT = 'Map a view that translates it.';
    END IF;
    RETURN coalesce(purpose, 'acquisition');
END $$;
COMMENT ON FUNCTION cvm.spend_purpose(text) IS 'acquisition (also for NULL) or retention; 22023 for anything else.';

-- An amount without an end has no part for any day.
CREATE FUNCTION cvm.endless_spend(first_on date) RETURNS date
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('the spend of %s has no end', first_on),
        DETAIL = 'An amount is spread evenly over its days, so ended_at can not be infinite.', HINT = 'Map a view that gives its last day, or NULL for spend of one day.';
END $$;
COMMENT ON FUNCTION cvm.endless_spend(date) IS 'Refuses spend whose ended_at is infinite: 22023 with the day that it begins on.';

-- Part of an amount spent from its first to its last day, both included, that falls before a day; the parts of all days add up exactly.
CREATE FUNCTION cvm.spent_before(amount numeric, first_on date, last_on date, before date) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN before > greatest(last_on, first_on) THEN amount
            WHEN before <= first_on THEN 0
            ELSE round(amount * (before - first_on) / (last_on - first_on + 1), 6) END;
COMMENT ON FUNCTION cvm.spent_before(numeric, date, date, date) IS
'What of an amount has been spent before a day if it is spent evenly from first_on to last_on, both included; NULL or an earlier last_on: all on first_on. Rounded to 6 decimals, so that differences between days add up to the amount.';

-- ---------- acquisition cost by channel and period ----------

CREATE TYPE cvm.acquisition_row AS (
    period_on date, is_complete boolean, scope text, channel text, campaign text, spend_from date, spend_to date, spend numeric, new_customers bigint, acquisition_cost float8, reason text);
COMMENT ON TYPE cvm.acquisition_row IS 'Acquisition in a period: row of cvm.acquisition.';
COMMENT ON COLUMN cvm.acquisition_row.period_on IS 'first day of the period of the new customers';
COMMENT ON COLUMN cvm.acquisition_row.is_complete IS 'false where the window ends before the period';
COMMENT ON COLUMN cvm.acquisition_row.scope IS 'channel, campaign: one of them; paid: all channels (where they are not mapped, campaigns) with spend in the window; blended: everybody, also those who came for free';
COMMENT ON COLUMN cvm.acquisition_row.channel IS 'channel of the first purchase and of the spend; unattributed where it is NULL; NULL in other scopes';
COMMENT ON COLUMN cvm.acquisition_row.campaign IS 'campaign of the first purchase and of the spend; unattributed where it is NULL; NULL in other scopes';
COMMENT ON COLUMN cvm.acquisition_row.spend_from IS 'first day of the spend that is counted: that of the period, or of an earlier one (lag_periods)';
COMMENT ON COLUMN cvm.acquisition_row.spend_to IS 'first day that is not counted any more';
COMMENT ON COLUMN cvm.acquisition_row.spend IS 'spend for acquisition, spread evenly over its days; what is for retention does not count';
COMMENT ON COLUMN cvm.acquisition_row.new_customers IS 'customers with their first purchase ever in the period';
COMMENT ON COLUMN cvm.acquisition_row.acquisition_cost IS 'CAC: spend / new_customers; NULL without new customers and where the spend is negative';
COMMENT ON COLUMN cvm.acquisition_row.reason IS 'why it is NULL: no new customers, negative spend';

-- Days of spend with their channels, and customers with the day and channel of their first purchase.
CREATE FUNCTION cvm.acquisition_source(purchases regclass, purchase_columns jsonb, spend regclass, spend_columns jsonb, time_zone text, cost_to_serve numeric DEFAULT 0) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN format('purchase AS (%s), newcomer AS (
            SELECT f.customer, f.first_on, coalesce(min(f.channel) FILTER (WHERE f.at = f.first_on AND f.is_purchase), ''unattributed'') AS channel,
                   coalesce(min(f.campaign) FILTER (WHERE f.at = f.first_on AND f.is_purchase), ''unattributed'') AS campaign
            FROM (SELECT p.*, min(p.at) FILTER (WHERE p.is_purchase) OVER (PARTITION BY p.customer) AS first_on FROM purchase p) f
            WHERE f.first_on IS NOT NULL GROUP BY f.customer, f.first_on
        ), outlay AS (
            SELECT s.at AS first_on, CASE WHEN s.ended_at = ''infinity'' THEN cvm.endless_spend(s.at) ELSE coalesce(s.ended_at, s.at) END AS last_on, s.amount, coalesce(s.channel, ''unattributed'') AS channel,
                   coalesce(s.campaign, ''unattributed'') AS campaign
            FROM (%s) s WHERE CASE WHEN s.purpose IN (''acquisition'', ''retention'') THEN s.purpose ELSE cvm.spend_purpose(s.purpose) END = ''acquisition'')',
        cvm.measure_source('purchases', purchases, purchase_columns, '{customer,at,amount}', time_zone, cost_to_serve => cost_to_serve),
        cvm.measure_source('spend', spend, spend_columns, '{at,amount}', time_zone));
END $$;
COMMENT ON FUNCTION cvm.acquisition_source(regclass, jsonb, regclass, jsonb, text, numeric) IS 'Common table expressions purchase, newcomer and outlay of the measures of acquisition.';

CREATE FUNCTION cvm.acquisition_of(purchases regclass, purchase_columns jsonb, spend regclass, spend_columns jsonb, from_on date, to_on date,
    period interval DEFAULT '1 month', lag_periods integer DEFAULT 0, time_zone text DEFAULT 'UTC') RETURNS SETOF cvm.acquisition_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    IF lag_periods IS NULL OR lag_periods NOT BETWEEN 0 AND 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('lag_periods can not be %s', coalesce(lag_periods::text, 'null')),
            HINT = '0 takes the spend of the same period, 1 that of the one before, up to 1000.';
    END IF;
    RETURN QUERY EXECUTE format('
        WITH %s, period AS (
            SELECT w.*, ($1 + (w.n - $4) * $3)::date AS spend_from,
                   CASE WHEN $4 = 0 THEN w.ends_on ELSE ($1 + (w.n + 1 - $4) * $3)::date END AS spend_to
            FROM cvm.window_periods($1, $2, $3) w
        ), calendar AS MATERIALIZED (SELECT w.n, g::date AS day FROM period w, generate_series(w.starts_on, w.ends_on - 1, interval ''1 day'') AS g),
        -- by channel and by campaign, whether they are mapped or not: the sums over either are everything
        paid_by AS (SELECT o.first_on, o.last_on, o.amount, d.scope, d.name FROM outlay o, LATERAL (VALUES (''channel'', o.channel), (''campaign'', o.campaign)) AS d(scope, name)),
        won_by AS (SELECT c.first_on, d.scope, d.name FROM newcomer c, LATERAL (VALUES (''channel'', c.channel), (''campaign'', c.campaign)) AS d(scope, name)),
        source AS (
            SELECT o.scope, o.name, bool_or(o.amount <> 0) AS is_paid FROM paid_by o, (SELECT min(p.spend_from) AS a, max(p.spend_to) AS z FROM period p) w
            WHERE o.first_on < w.z AND greatest(o.last_on, o.first_on) >= w.a GROUP BY 1, 2
            UNION
            SELECT n.scope, n.name, false FROM won_by n WHERE n.first_on >= $1
        ), known AS (SELECT c.scope, c.name, bool_or(c.is_paid) AS is_paid FROM source c GROUP BY 1, 2),
        spent AS (
            SELECT p.n, o.scope, o.name, sum(cvm.spent_before(o.amount, o.first_on, o.last_on, p.spend_to) - cvm.spent_before(o.amount, o.first_on, o.last_on, p.spend_from)) AS spend
            FROM period p JOIN paid_by o ON o.first_on < p.spend_to AND greatest(o.last_on, o.first_on) >= p.spend_from GROUP BY 1, 2, 3
        ), won AS (
            SELECT p.n, c.scope, c.name, count(*) AS customers FROM calendar p JOIN won_by c ON c.first_on = p.day GROUP BY 1, 2, 3
        ), cell AS (
            SELECT p.n, k.scope, k.name, k.is_paid, coalesce(trim_scale(s.spend), 0) AS spend, coalesce(w.customers, 0) AS new_customers
            FROM period p CROSS JOIN known k LEFT JOIN spent s ON s.n = p.n AND s.scope = k.scope AND s.name = k.name
                 LEFT JOIN won w ON w.n = p.n AND w.scope = k.scope AND w.name = k.name
        ), scope AS (
            SELECT c.n, CASE c.scope WHEN ''channel'' THEN 3 ELSE 4 END AS position, c.scope, c.name, c.spend, c.new_customers FROM cell c WHERE c.scope = ANY ($5)
            UNION ALL
            SELECT p.n, 2, ''paid'', NULL, coalesce(sum(c.spend), 0), coalesce(sum(c.new_customers), 0)::bigint
            FROM period p LEFT JOIN cell c ON c.n = p.n AND c.is_paid AND c.scope = $5[1] WHERE cardinality($5) > 0 GROUP BY p.n
            UNION ALL
            SELECT p.n, 1, ''blended'', NULL, coalesce(sum(c.spend), 0), coalesce(sum(c.new_customers), 0)::bigint
            FROM period p LEFT JOIN cell c ON c.n = p.n AND c.scope = ''channel'' GROUP BY p.n
        )
        SELECT p.starts_on, p.is_complete, s.scope, CASE s.scope WHEN ''channel'' THEN s.name END, CASE s.scope WHEN ''campaign'' THEN s.name END, p.spend_from, p.spend_to, s.spend, s.new_customers,
               CASE WHEN s.spend >= 0 THEN (s.spend / nullif(s.new_customers, 0))::float8 END,
               CASE WHEN s.spend < 0 THEN ''negative spend'' WHEN s.new_customers = 0 THEN ''no new customers'' END
        FROM scope s JOIN period p USING (n) ORDER BY p.n, s.position, s.name COLLATE "C"',
        cvm.acquisition_source(purchases, purchase_columns, spend, spend_columns, time_zone))
    USING from_on, to_on, period, lag_periods,
        ARRAY(SELECT d FROM unnest('{channel,campaign}'::text[]) WITH ORDINALITY AS u(d, n) WHERE purchase_columns ? d AND spend_columns ? d ORDER BY n);
END $$;
COMMENT ON FUNCTION cvm.acquisition_of(regclass, jsonb, regclass, jsonb, date, date, interval, integer, text) IS
'Customer acquisition cost by period and, where both relations have a channel or a campaign, by channel and by campaign; from purchases {customer, at, amount [, channel, campaign]} and spend {at, amount [, channel, campaign, purpose, ended_at]}. blended: all spend / all new customers; paid: that of channels with spend only; the two differ by the customers who came for free. lag_periods sets the spend of an earlier period against the customers of this one. Spend in a period without new customers is a row of its own, with acquisition_cost NULL: it is not lost, and belongs into a longer period''s. Spend that ends before it begins counts on its first day. CAC of customers already acquired is sunk and no part of their value. 22023 for a purpose other than acquisition and retention, an infinite ended_at, a window, period or lag; 42703, 42804.';

-- ---------- payback by cohort ----------

CREATE TYPE cvm.payback_row AS (
    cohort_on date, is_complete boolean, customers bigint, spend numeric, acquisition_cost float8, profit numeric, profit_per_customer float8, profit_to_cost float8,
    payback_periods integer, is_censored boolean, lifetime_value float8, value_to_cost float8, reason text);
COMMENT ON TYPE cvm.payback_row IS 'Payback of a cohort: row of cvm.payback.';
COMMENT ON COLUMN cvm.payback_row.cohort_on IS 'first day of the period of the first purchases';
COMMENT ON COLUMN cvm.payback_row.is_complete IS 'false where the window ends before the period';
COMMENT ON COLUMN cvm.payback_row.customers IS 'customers of the cohort at its start';
COMMENT ON COLUMN cvm.payback_row.spend IS 'acquisition spend of the same period';
COMMENT ON COLUMN cvm.payback_row.acquisition_cost IS 'CAC: spend / customers';
COMMENT ON COLUMN cvm.payback_row.profit IS 'profit of the cohort to the end of the window: amounts less cost, or x margin; NULL if a cost is missing';
COMMENT ON COLUMN cvm.payback_row.profit_per_customer IS 'profit / customers at the start, not the survivors';
COMMENT ON COLUMN cvm.payback_row.profit_to_cost IS 'profit / spend to date: has it paid back; not LTV:CAC, which looks ahead';
COMMENT ON COLUMN cvm.payback_row.payback_periods IS 'least number of periods, that of the first purchase counted as 1, after which profit has reached the spend; 0 without spend';
COMMENT ON COLUMN cvm.payback_row.is_censored IS 'true where the window ends before it has';
COMMENT ON COLUMN cvm.payback_row.lifetime_value IS 'sum of the customers'' lifetime values, where they are given';
COMMENT ON COLUMN cvm.payback_row.value_to_cost IS 'LTV:CAC: lifetime_value / spend';
COMMENT ON COLUMN cvm.payback_row.reason IS 'why a value is NULL: no customers, no spend, negative spend, cost missing, not paid back yet, lifetime value missing';

CREATE FUNCTION cvm.payback_of(purchases regclass, purchase_columns jsonb, spend regclass, spend_columns jsonb, from_on date, to_on date,
    period interval DEFAULT '1 month', margin numeric DEFAULT 1, time_zone text DEFAULT 'UTC', lifetimes regclass DEFAULT NULL, cost_to_serve numeric DEFAULT 0) RETURNS SETOF cvm.payback_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    RETURN QUERY EXECUTE format('
        WITH %s, period AS (SELECT w.* FROM cvm.window_periods($1, $2, $3) w),
        member AS (SELECT width_bucket(n.first_on, $5) - 1 AS cohort, n.customer, l.lifetime_value FROM newcomer n LEFT JOIN (%s) l ON l.customer = n.customer WHERE n.first_on >= $1),
        cohort AS (
            SELECT p.n, p.starts_on, p.is_complete, coalesce(m.customers, 0) AS customers, m.lifetime_value,
                   coalesce((SELECT trim_scale(sum(cvm.spent_before(o.amount, o.first_on, o.last_on, p.ends_on) - cvm.spent_before(o.amount, o.first_on, o.last_on, p.starts_on)))
                             FROM outlay o), 0) AS spend
            FROM period p LEFT JOIN (SELECT m.cohort, count(*) AS customers,
                                            CASE WHEN count(m.lifetime_value) = count(*) THEN sum(m.lifetime_value ORDER BY m.customer) END AS lifetime_value
                                     FROM member m GROUP BY 1) m ON m.cohort = p.n
        ), earned AS (
            -- money before the first purchase, such as a refund of another''s order, counts with it
            SELECT m.cohort, greatest(width_bucket(p.at, $5) - 1, m.cohort) AS n, sum(p.profit) AS profit, bool_or(p.profit IS NULL) AS lacks_cost
            FROM member m JOIN (SELECT p.customer, p.at, %s AS profit FROM purchase p) p ON p.customer = m.customer GROUP BY 1, 2
        ), running AS (
            SELECT e.cohort, e.n - e.cohort + 1 AS age, sum(e.profit) OVER w AS profit, bool_or(e.lacks_cost) OVER w AS lacks_cost
            FROM earned e WINDOW w AS (PARTITION BY e.cohort ORDER BY e.n)
        ), total AS (
            SELECT c.*, CASE WHEN NOT coalesce(r.lacks_cost, false) THEN coalesce(r.profit, 0) END AS profit,
                   CASE WHEN c.spend = 0 THEN 0
                        WHEN c.spend > 0 THEN (SELECT min(a.age) FROM running a WHERE a.cohort = c.n AND NOT a.lacks_cost AND a.profit >= c.spend) END AS payback
            FROM cohort c LEFT JOIN LATERAL (SELECT a.profit, a.lacks_cost FROM running a WHERE a.cohort = c.n ORDER BY a.age DESC LIMIT 1) r ON true
        )
        SELECT t.starts_on, t.is_complete, t.customers, t.spend, CASE WHEN t.spend >= 0 THEN (t.spend / nullif(t.customers, 0))::float8 END,
               t.profit, (t.profit / nullif(t.customers, 0))::float8, CASE WHEN t.spend > 0 THEN (t.profit / t.spend)::float8 END,
               CASE WHEN t.customers > 0 THEN t.payback END, t.customers > 0 AND t.spend > 0 AND t.profit IS NOT NULL AND t.payback IS NULL,
               t.lifetime_value, CASE WHEN t.spend > 0 THEN t.lifetime_value / t.spend::float8 END,
               nullif(concat_ws('', '', CASE WHEN t.customers = 0 THEN ''no customers'' END,
                                CASE WHEN t.spend = 0 THEN ''no spend'' WHEN t.spend < 0 THEN ''negative spend'' END,
                                CASE WHEN t.profit IS NULL THEN ''cost missing'' END,
                                CASE WHEN t.customers > 0 AND t.spend > 0 AND t.profit IS NOT NULL AND t.payback IS NULL THEN ''not paid back yet'' END,
                                CASE WHEN $4 AND t.customers > 0 AND t.lifetime_value IS NULL THEN ''lifetime value missing'' END), '''')
        FROM total t ORDER BY t.n',
        cvm.acquisition_source(purchases, purchase_columns, spend, spend_columns, time_zone, cost_to_serve),
        CASE WHEN lifetimes IS NULL THEN 'SELECT NULL::text AS customer, NULL::float8 AS lifetime_value WHERE false'
             ELSE format('SELECT %s AS customer, max(f.lifetime_value)::float8 AS lifetime_value FROM %s AS f GROUP BY 1',
                         cvm.measure_expression(lifetimes, 'customer', 'customer_id', 'UTC'), lifetimes) END,
        cvm.profit_expression(purchase_columns, margin))
    USING from_on, to_on, period, lifetimes IS NOT NULL, ARRAY(SELECT w.starts_on FROM cvm.window_periods(from_on, to_on, period) w ORDER BY w.n);
END $$;
COMMENT ON FUNCTION cvm.payback_of(regclass, jsonb, regclass, jsonb, date, date, interval, numeric, text, regclass, numeric) IS
'Payback by cohort of first purchases: acquisition spend of the cohort''s period, blended, against the profit that its customers have brought in since, to the end of the window; how many periods it took, or that it has not yet (is_censored: the age that a cohort has not reached says nothing against it). Observed, undiscounted, churn included; cvm.payback_time and cvm.payback_periods are the formulas. lifetimes: any relation with customer_id and lifetime_value gives LTV:CAC. A margin or cost that leaves no profit never pays back. Arguments and errors of cvm.acquisition_of and cvm.purchase_value_of.';

CREATE FUNCTION cvm.acquisition(portfolio text, from_on date, to_on date, period interval DEFAULT '1 month', lag_periods integer DEFAULT 0) RETURNS SETOF cvm.acquisition_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.measured_feed(portfolio, 'purchases') f, cvm.measured_feed(portfolio, 'spend') s,
           LATERAL cvm.acquisition_of(f.relation, f.columns, s.relation, s.columns, from_on, to_on, period, lag_periods, f.time_zone) v;
END;
COMMENT ON FUNCTION cvm.acquisition(text, date, date, interval, integer) IS
'Customer acquisition cost of a portfolio by period, channel and campaign: cvm.acquisition_of on its feeds purchases and spend. Needs SELECT on both. 42704 without a spend feed, 42501, and the errors of that.';

CREATE FUNCTION cvm.payback(portfolio text, from_on date, to_on date, period interval DEFAULT '1 month') RETURNS SETOF cvm.payback_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.measured_feed(portfolio, 'purchases') f, cvm.measured_feed(portfolio, 'spend') s,
           LATERAL cvm.payback_of(f.relation, f.columns, s.relation, s.columns, from_on, to_on, period, f.margin, f.time_zone, f.lifetimes, f.cost_to_serve) v;
END;
COMMENT ON FUNCTION cvm.payback(text, date, date, interval) IS
'Payback of a portfolio''s cohorts, and LTV:CAC with the lifetime values of its last recompute: cvm.payback_of on its feeds purchases and spend. As cvm.acquisition otherwise.';

-- ---------- reports ----------

CREATE TYPE cvm.acquisition_report_row AS (
    period_on date, is_complete boolean, scope text, name text, spend numeric, new_customers bigint, acquisition_cost float8, reason text);
COMMENT ON TYPE cvm.acquisition_report_row IS 'Acquisition in a month: row of acquisition.';
COMMENT ON COLUMN cvm.acquisition_report_row.period_on IS 'first day of the month';
COMMENT ON COLUMN cvm.acquisition_report_row.is_complete IS 'true: the months of reports are complete';
COMMENT ON COLUMN cvm.acquisition_report_row.scope IS 'blended: everybody, also those who came for free; paid: all channels with spend in the window; channel, campaign: one of them';
COMMENT ON COLUMN cvm.acquisition_report_row.name IS 'channel or campaign of the first purchase and of the spend; unattributed where it is NULL; all for blended and paid';
COMMENT ON COLUMN cvm.acquisition_report_row.spend IS 'spend for acquisition in the month, spread evenly over its days; what is for retention does not count';
COMMENT ON COLUMN cvm.acquisition_report_row.new_customers IS 'customers with their first purchase ever in the month';
COMMENT ON COLUMN cvm.acquisition_report_row.acquisition_cost IS 'CAC: spend / new_customers; NULL without new customers and where the spend is negative';
COMMENT ON COLUMN cvm.acquisition_report_row.reason IS 'why it is NULL: no new customers, negative spend';

CREATE FUNCTION cvm.acquisition_report(portfolio text) RETURNS SETOF cvm.acquisition_report_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.period_on, v.is_complete, v.scope, coalesce(v.channel, v.campaign, 'all'), v.spend, v.new_customers, v.acquisition_cost, v.reason
    FROM cvm.report_months(portfolio, 'acquisition') w, LATERAL cvm.acquisition(w.portfolio, w.from_on, w.to_on) v;
END;
COMMENT ON FUNCTION cvm.acquisition_report(text) IS 'Customer acquisition cost by month, channel and campaign, against the spend of the same month. Made where the feed spend is mapped.';

CREATE FUNCTION cvm.payback_report(portfolio text) RETURNS SETOF cvm.payback_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.report_months(portfolio, 'payback') w, LATERAL cvm.payback(w.portfolio, w.from_on, w.to_on) v;
END;
COMMENT ON FUNCTION cvm.payback_report(text) IS 'Payback and LTV:CAC of the cohorts of each month. Made where the feed spend is mapped.';
