-- current_value: what customers are worth now, that is, brought in within a window

CREATE TYPE cvm.purchase_value_row AS (
    customer text, segment text, first_on date, tenure_days integer,
    revenue numeric, first_revenue numeric, repeat_revenue numeric, profit numeric, first_profit numeric, repeat_profit numeric,
    orders bigint, purchase_days bigint, order_value float8, interpurchase_days float8, reason text);
COMMENT ON TYPE cvm.purchase_value_row IS 'A customer in a window: row of cvm.purchase_value.';
COMMENT ON COLUMN cvm.purchase_value_row.customer IS 'customer, as text';
COMMENT ON COLUMN cvm.purchase_value_row.segment IS 'segment; unclassified without one, NULL if no segments are given';
COMMENT ON COLUMN cvm.purchase_value_row.first_on IS 'day of the first purchase ever; NULL for money without a purchase';
COMMENT ON COLUMN cvm.purchase_value_row.tenure_days IS 'days from the first purchase to the end of the window: tenure, not time between purchases';
COMMENT ON COLUMN cvm.purchase_value_row.revenue IS 'sum of amounts in the window, exact; first_revenue + repeat_revenue';
COMMENT ON COLUMN cvm.purchase_value_row.first_revenue IS 'of it on the day of the first purchase ever';
COMMENT ON COLUMN cvm.purchase_value_row.repeat_revenue IS 'of it on other days';
COMMENT ON COLUMN cvm.purchase_value_row.profit IS 'amounts less cost, where cost is mapped, else amounts x margin, less the cost to serve of every order; NULL if the cost of an order is missing (of a refund it is 0)';
COMMENT ON COLUMN cvm.purchase_value_row.first_profit IS 'of it on the day of the first purchase ever';
COMMENT ON COLUMN cvm.purchase_value_row.repeat_profit IS 'of it on other days';
COMMENT ON COLUMN cvm.purchase_value_row.orders IS 'orders in the window: distinct order_id where mapped, else rows with an amount of 0 or more';
COMMENT ON COLUMN cvm.purchase_value_row.purchase_days IS 'days with a purchase in the window';
COMMENT ON COLUMN cvm.purchase_value_row.order_value IS 'average order value (AOV): revenue / orders';
COMMENT ON COLUMN cvm.purchase_value_row.interpurchase_days IS 'mean days between two days of purchase in the window; NULL for fewer than two';
COMMENT ON COLUMN cvm.purchase_value_row.reason IS 'why a value is NULL: no orders, one purchase day, cost missing';

CREATE FUNCTION cvm.purchase_value_of(purchases regclass, columns jsonb, from_on date, to_on date,
    time_zone text DEFAULT 'UTC', margin numeric DEFAULT 1, segments regclass DEFAULT NULL, cost_to_serve numeric DEFAULT 0) RETURNS SETOF cvm.purchase_value_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    PERFORM cvm.check_window(from_on, to_on);
    RETURN QUERY EXECUTE format('
        WITH line AS (
            SELECT p.customer, p.at, p.amount, p.order_id, p.is_purchase, %s AS profit, p.at >= $1 AS is_in,
                   min(p.at) FILTER (WHERE p.is_purchase) OVER (PARTITION BY p.customer) AS first_on
            FROM (%s) p
        ), customer AS (
            SELECT l.customer, l.first_on,
                   coalesce(sum(l.amount) FILTER (WHERE l.is_in), 0) AS revenue,
                   coalesce(sum(l.amount) FILTER (WHERE l.is_in AND l.at = l.first_on), 0) AS first_revenue,
                   coalesce(sum(l.profit) FILTER (WHERE l.is_in), 0) AS profit,
                   coalesce(sum(l.profit) FILTER (WHERE l.is_in AND l.at = l.first_on), 0) AS first_profit,
                   coalesce(bool_or(l.profit IS NULL) FILTER (WHERE l.is_in), false) AS lacks_cost,
                   count(DISTINCT l.order_id) FILTER (WHERE l.is_in AND l.is_purchase)
                   + count(*) FILTER (WHERE l.is_in AND l.is_purchase AND l.order_id IS NULL) AS orders,
                   count(DISTINCT l.at) FILTER (WHERE l.is_in AND l.is_purchase) AS purchase_days,
                   max(l.at) FILTER (WHERE l.is_in AND l.is_purchase) - min(l.at) FILTER (WHERE l.is_in AND l.is_purchase) AS spread
            FROM line l GROUP BY l.customer, l.first_on
        )
        SELECT c.customer, %s, c.first_on, $2 - c.first_on, c.revenue, c.first_revenue, c.revenue - c.first_revenue,
               CASE WHEN NOT c.lacks_cost THEN c.profit END, CASE WHEN NOT c.lacks_cost THEN c.first_profit END,
               CASE WHEN NOT c.lacks_cost THEN c.profit - c.first_profit END,
               c.orders, c.purchase_days, (c.revenue / nullif(c.orders, 0))::float8, c.spread::float8 / nullif(c.purchase_days - 1, 0),
               nullif(concat_ws('', '', CASE WHEN c.orders = 0 THEN ''no orders'' END, CASE WHEN c.purchase_days = 1 THEN ''one purchase day'' END,
                                CASE WHEN c.lacks_cost THEN ''cost missing'' END), '''')
        FROM customer c LEFT JOIN (%s) s USING (customer) ORDER BY c.customer COLLATE "C"',
        cvm.profit_expression(columns, margin),
        cvm.measure_source('purchases', purchases, columns, '{customer,at,amount}', time_zone, cost_to_serve => cost_to_serve),
        CASE WHEN segments IS NULL THEN 'NULL::text' ELSE 'coalesce(s.segment, ''unclassified'')' END,
        cvm.segment_source(segments)) USING from_on, to_on;
END $$;
COMMENT ON FUNCTION cvm.purchase_value_of(regclass, jsonb, date, date, text, numeric, regclass, numeric) IS
'Current value of every customer in a window of days [from_on, to_on), from any relation with columns {customer, at, amount [, order_id, cost, discount, refund_of]}: revenue and profit, first and repeat purchases told apart, average order value, interpurchase time, tenure; see the type''s columns. A row per customer known before to_on, also of those who did not buy in the window. Realised in the window, no forecast: not lifetime value. A refund counts on its own day unless refund_of ties it to its order. margin is for relations without cost; cost_to_serve is taken off the profit of every order; segments: any relation with customer_id and segment. Errors: 22023 window, mapping, margin; 42703, 42804.';

CREATE TYPE cvm.current_value_row AS (
    segment text, is_total boolean, customers bigint, new_customers bigint, active bigint,
    revenue numeric, first_revenue numeric, repeat_revenue numeric, profit numeric, first_profit numeric, repeat_profit numeric,
    orders bigint, order_value float8, frequency float8, interpurchase_days float8, tenure_days float8,
    revenue_per_customer float8, profit_per_customer float8, reason text);
COMMENT ON TYPE cvm.current_value_row IS 'A segment in a window: row of cvm.current_value.';
COMMENT ON COLUMN cvm.current_value_row.segment IS 'segment; all is the total';
COMMENT ON COLUMN cvm.current_value_row.is_total IS 'true for the total';
COMMENT ON COLUMN cvm.current_value_row.customers IS 'customers known before the end of the window, who bought in it or not';
COMMENT ON COLUMN cvm.current_value_row.new_customers IS 'of them with the first purchase in the window';
COMMENT ON COLUMN cvm.current_value_row.active IS 'of them with an order in the window';
COMMENT ON COLUMN cvm.current_value_row.revenue IS 'sum of amounts, exact';
COMMENT ON COLUMN cvm.current_value_row.first_revenue IS 'of it on the days of first purchases';
COMMENT ON COLUMN cvm.current_value_row.repeat_revenue IS 'of it on other days';
COMMENT ON COLUMN cvm.current_value_row.profit IS 'sum of profits; NULL if a cost is missing';
COMMENT ON COLUMN cvm.current_value_row.first_profit IS 'of it on the days of first purchases';
COMMENT ON COLUMN cvm.current_value_row.repeat_profit IS 'of it on other days';
COMMENT ON COLUMN cvm.current_value_row.orders IS 'orders';
COMMENT ON COLUMN cvm.current_value_row.order_value IS 'average order value (AOV): revenue / orders';
COMMENT ON COLUMN cvm.current_value_row.frequency IS 'orders / active customers; per customer and window, not per year';
COMMENT ON COLUMN cvm.current_value_row.interpurchase_days IS 'mean days between two days of purchase of one customer, over all pairs in the window; short of the truth where the window is short';
COMMENT ON COLUMN cvm.current_value_row.tenure_days IS 'mean days from the first purchase to the end of the window';
COMMENT ON COLUMN cvm.current_value_row.revenue_per_customer IS 'revenue / customers, the silent ones among them';
COMMENT ON COLUMN cvm.current_value_row.profit_per_customer IS 'profit / customers';
COMMENT ON COLUMN cvm.current_value_row.reason IS 'why a value is NULL: no customers, no orders, no repeat purchase, cost missing';

CREATE FUNCTION cvm.current_value_of(purchases regclass, columns jsonb, from_on date, to_on date,
    time_zone text DEFAULT 'UTC', margin numeric DEFAULT 1, segments regclass DEFAULT NULL, cost_to_serve numeric DEFAULT 0) RETURNS SETOF cvm.current_value_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(v.segment, 'all'), GROUPING(v.segment) = 1, count(v.customer), count(*) FILTER (WHERE v.first_on >= from_on), count(*) FILTER (WHERE v.orders > 0),
           coalesce(sum(v.revenue), 0), coalesce(sum(v.first_revenue), 0), coalesce(sum(v.repeat_revenue), 0),
           CASE WHEN count(v.profit) = count(*) THEN coalesce(sum(v.profit), 0) END, CASE WHEN count(v.profit) = count(*) THEN coalesce(sum(v.first_profit), 0) END,
           CASE WHEN count(v.profit) = count(*) THEN coalesce(sum(v.repeat_profit), 0) END,
           coalesce(sum(v.orders), 0)::bigint, (sum(v.revenue) / nullif(sum(v.orders), 0))::float8,
           sum(v.orders)::float8 / nullif(count(*) FILTER (WHERE v.orders > 0), 0),
           sum(v.interpurchase_days * (v.purchase_days - 1) ORDER BY v.customer) / nullif(sum(v.purchase_days - 1) FILTER (WHERE v.purchase_days > 1), 0)::float8,
           avg(v.tenure_days)::float8, (sum(v.revenue) / nullif(count(*), 0))::float8,
           CASE WHEN count(v.profit) = count(*) THEN (sum(v.profit) / nullif(count(*), 0))::float8 END,
           nullif(concat_ws(', ', CASE WHEN count(*) = 0 THEN 'no customers' END, CASE WHEN count(*) > 0 AND sum(v.orders) = 0 THEN 'no orders' END,
                            CASE WHEN sum(v.orders) > 0 AND max(v.purchase_days) = 1 THEN 'no repeat purchase' END,
                            CASE WHEN count(v.profit) < count(*) THEN 'cost missing' END), '')
    FROM cvm.purchase_value_of(purchases, columns, from_on, to_on, time_zone, margin, segments, cost_to_serve) v
    GROUP BY GROUPING SETS ((), (v.segment)) HAVING GROUPING(v.segment) = 1 OR v.segment IS NOT NULL
    ORDER BY GROUPING(v.segment) DESC, v.segment;
END;
COMMENT ON FUNCTION cvm.current_value_of(regclass, jsonb, date, date, text, numeric, regclass, numeric) IS
'Current value of a window of days [from_on, to_on), in all and by segment: sums and means of cvm.purchase_value_of, whose arguments and errors it has.';

CREATE FUNCTION cvm.purchase_value(portfolio text, from_on date, to_on date) RETURNS SETOF cvm.purchase_value_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.measured_feed(portfolio, 'purchases') f,
           LATERAL cvm.purchase_value_of(f.relation, f.columns, from_on, to_on, f.time_zone, f.margin, f.segments, f.cost_to_serve) v;
END;
COMMENT ON FUNCTION cvm.purchase_value(text, date, date) IS
'Current value of every customer of a portfolio in a window of its days: cvm.purchase_value_of on its purchases feed, with its time zone, margin, cost to serve and segments. Needs SELECT on the feed. 42704, 42501 and the errors of that.';

CREATE FUNCTION cvm.current_value(portfolio text, from_on date, to_on date) RETURNS SETOF cvm.current_value_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.measured_feed(portfolio, 'purchases') f,
           LATERAL cvm.current_value_of(f.relation, f.columns, from_on, to_on, f.time_zone, f.margin, f.segments, f.cost_to_serve) v;
END;
COMMENT ON FUNCTION cvm.current_value(text, date, date) IS
'Current value of a portfolio in a window of its days, in all and by segment as published: cvm.current_value_of on its purchases feed. As cvm.purchase_value otherwise.';

-- ---------- by period ----------

CREATE TYPE cvm.current_value_period_row AS (
    period_on date, is_complete boolean, segment text, is_total boolean, customers bigint, new_customers bigint, active bigint,
    revenue numeric, first_revenue numeric, repeat_revenue numeric, profit numeric, first_profit numeric, repeat_profit numeric,
    orders bigint, order_value float8, frequency float8, interpurchase_days float8, tenure_days float8,
    revenue_per_customer float8, profit_per_customer float8, reason text);
COMMENT ON TYPE cvm.current_value_period_row IS 'A segment in a period: row of cvm.current_value_by_period.';
COMMENT ON COLUMN cvm.current_value_period_row.period_on IS 'first day of the period';
COMMENT ON COLUMN cvm.current_value_period_row.is_complete IS 'false where the window ends before the period';
-- the rest has the meaning of cvm.current_value_row, with the period for the window
DO $$
DECLARE
    col record;
BEGIN
    FOR col IN SELECT a.attname, pg_catalog.col_description(a.attrelid, a.attnum) AS description FROM pg_catalog.pg_attribute a
               WHERE a.attrelid = 'cvm.current_value_row'::pg_catalog.regclass AND a.attnum > 0 LOOP
        EXECUTE pg_catalog.format('COMMENT ON COLUMN cvm.current_value_period_row.%I IS %L', col.attname, replace(col.description, 'window', 'period'));
    END LOOP;
END $$;

CREATE FUNCTION cvm.current_value_by_period_of(purchases regclass, columns jsonb, from_on date, to_on date, period interval DEFAULT '1 month',
    time_zone text DEFAULT 'UTC', margin numeric DEFAULT 1, segments regclass DEFAULT NULL, cost_to_serve numeric DEFAULT 0) RETURNS SETOF cvm.current_value_period_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    starts date[] := ARRAY(SELECT w.starts_on FROM cvm.window_periods(from_on, to_on, period) w ORDER BY w.n);
BEGIN
    -- one pass over the purchases; a day is in period width_bucket(day, starts), 0 before the window
    RETURN QUERY EXECUTE format('
        WITH line AS (
            SELECT p.customer, p.at, p.amount, p.order_id, p.is_purchase, %s AS profit, min(p.at) FILTER (WHERE p.is_purchase) OVER (PARTITION BY p.customer) AS first_on
            FROM (%s) p
        ), cell AS (
            SELECT l.customer, l.first_on, width_bucket(l.at, $3) AS n, min(l.at) AS known_on,
                   sum(l.amount) AS revenue, coalesce(sum(l.amount) FILTER (WHERE l.at = l.first_on), 0) AS first_revenue,
                   sum(l.profit) AS profit, coalesce(sum(l.profit) FILTER (WHERE l.at = l.first_on), 0) AS first_profit, bool_or(l.profit IS NULL) AS lacks_cost,
                   count(DISTINCT l.order_id) FILTER (WHERE l.is_purchase) + count(*) FILTER (WHERE l.is_purchase AND l.order_id IS NULL) AS orders,
                   count(DISTINCT l.at) FILTER (WHERE l.is_purchase) AS purchase_days,
                   max(l.at) FILTER (WHERE l.is_purchase) - min(l.at) FILTER (WHERE l.is_purchase) AS spread
            FROM line l GROUP BY 1, 2, 3
        ), placed AS (
            SELECT c.*, %s AS segment, row_number() OVER (PARTITION BY c.customer ORDER BY c.n) = 1 AS is_first FROM cell c LEFT JOIN (%s) s USING (customer)
        ), money AS (
            SELECT c.n, coalesce(c.segment, ''all'') AS segment, GROUPING(c.segment) = 1 AS is_total, count(*) FILTER (WHERE c.orders > 0) AS active,
                   sum(c.revenue) AS revenue, sum(c.first_revenue) AS first_revenue, sum(c.profit) AS profit, sum(c.first_profit) AS first_profit, bool_or(c.lacks_cost) AS lacks_cost,
                   sum(c.orders)::bigint AS orders, sum(c.spread) FILTER (WHERE c.purchase_days > 1) AS spread, sum(c.purchase_days - 1) FILTER (WHERE c.purchase_days > 1) AS gaps
            FROM placed c WHERE c.n > 0 GROUP BY GROUPING SETS ((c.n), (c.n, c.segment)) HAVING GROUPING(c.segment) = 1 OR c.segment IS NOT NULL
        ), known AS (
            SELECT coalesce(c.segment, ''all'') AS segment, GROUPING(c.segment) = 1 AS is_total, c.n, width_bucket(c.first_on, $3) AS first_n,
                   count(*) AS customers, count(c.first_on) AS buyers, sum(c.first_on - $1) AS first_days
            FROM placed c WHERE c.is_first GROUP BY GROUPING SETS ((3, 4), (c.segment, 3, 4)) HAVING GROUPING(c.segment) = 1 OR c.segment IS NOT NULL
        ), part AS (SELECT ''all'' AS segment, true AS is_total UNION SELECT k.segment, k.is_total FROM known k),
        result AS (
            SELECT w.n, w.starts_on, w.is_complete, g.segment, g.is_total, k.customers, k.new_customers, coalesce(m.active, 0) AS active,
                   coalesce(m.revenue, 0) AS revenue, coalesce(m.first_revenue, 0) AS first_revenue, CASE WHEN NOT coalesce(m.lacks_cost, false) THEN coalesce(m.profit, 0) END AS profit,
                   coalesce(m.first_profit, 0) AS first_profit, coalesce(m.orders, 0) AS orders, m.spread, m.gaps, (k.buyers * (w.ends_on - $1) - k.first_days)::float8 / nullif(k.buyers, 0) AS tenure
            FROM cvm.window_periods($1, $2, $4) w CROSS JOIN part g LEFT JOIN money m ON m.n = w.n + 1 AND m.segment = g.segment AND m.is_total = g.is_total
            CROSS JOIN LATERAL (SELECT coalesce(sum(k.customers) FILTER (WHERE k.n <= w.n + 1), 0)::bigint AS customers, coalesce(sum(k.customers) FILTER (WHERE k.first_n = w.n + 1), 0)::bigint AS new_customers,
                                       sum(k.buyers) FILTER (WHERE k.first_n <= w.n + 1) AS buyers, sum(k.first_days) FILTER (WHERE k.first_n <= w.n + 1) AS first_days
                                FROM known k WHERE k.segment = g.segment AND k.is_total = g.is_total) k
        )
        SELECT r.starts_on, r.is_complete, r.segment, r.is_total, r.customers, r.new_customers, r.active, r.revenue, r.first_revenue, r.revenue - r.first_revenue,
               r.profit, CASE WHEN r.profit IS NOT NULL THEN r.first_profit END, r.profit - r.first_profit, r.orders, (r.revenue / nullif(r.orders, 0))::float8, r.orders::float8 / nullif(r.active, 0),
               r.spread::float8 / r.gaps::float8, r.tenure, (r.revenue / nullif(r.customers, 0))::float8, (r.profit / nullif(r.customers, 0))::float8,
               nullif(concat_ws('', '', CASE WHEN r.customers = 0 THEN ''no customers'' WHEN r.orders = 0 THEN ''no orders'' WHEN r.gaps IS NULL THEN ''no repeat purchase'' END,
                                CASE WHEN r.profit IS NULL THEN ''cost missing'' END), '''')
        FROM result r ORDER BY r.n, r.is_total DESC, r.segment COLLATE "C"',
        cvm.profit_expression(columns, margin),
        cvm.measure_source('purchases', purchases, columns, '{customer,at,amount}', time_zone, cost_to_serve => cost_to_serve),
        CASE WHEN segments IS NULL THEN 'NULL::text' ELSE 'coalesce(s.segment, ''unclassified'')' END,
        cvm.segment_source(segments)) USING from_on, to_on, starts, period;
END $$;
COMMENT ON FUNCTION cvm.current_value_by_period_of(regclass, jsonb, date, date, interval, text, numeric, regclass, numeric) IS
'Current value by period of a window [from_on, to_on), in all and by segment, in one pass: cvm.current_value_of of each period, but as everything is known at to_on, so that a refund which came in a later period and is tied to its order has lowered the earlier one. Segments are those of now. Arguments and errors of that function and cvm.window_periods.';

CREATE FUNCTION cvm.current_value_by_period(portfolio text, from_on date, to_on date, period interval DEFAULT '1 month') RETURNS SETOF cvm.current_value_period_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.measured_feed(portfolio, 'purchases') f,
           LATERAL cvm.current_value_by_period_of(f.relation, f.columns, from_on, to_on, period, f.time_zone, f.margin, f.segments, f.cost_to_serve) v;
END;
COMMENT ON FUNCTION cvm.current_value_by_period(text, date, date, interval) IS
'Current value of a portfolio by period, in all and by segment as published: cvm.current_value_by_period_of on its purchases feed. As cvm.purchase_value otherwise.';

CREATE FUNCTION cvm.current_value_report(portfolio text) RETURNS SETOF cvm.current_value_period_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.report_months(portfolio, 'current_value') w, LATERAL cvm.current_value_by_period(w.portfolio, w.from_on, w.to_on) v;
END;
COMMENT ON FUNCTION cvm.current_value_report(text) IS 'Current value by month and segment: what customers brought in, realised, no forecast. Made where the option reports names it.';

CREATE FUNCTION cvm.purchase_value_report(portfolio text) RETURNS SETOF cvm.purchase_value_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.report_months(portfolio, 'purchase_value') w, LATERAL cvm.purchase_value(w.portfolio, w.from_on, w.to_on) v;
END;
COMMENT ON FUNCTION cvm.purchase_value_report(text) IS 'Current value of every customer in the window of report_window. Made where the option reports names it.';
