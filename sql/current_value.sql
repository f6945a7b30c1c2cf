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
