-- contribution: what customers leave after marketing as well, the spend of a window against its customers

CREATE TYPE cvm.contribution_row AS (
    segment text, is_total boolean, customers bigint, new_customers bigint, active bigint, revenue numeric, profit numeric,
    acquisition_spend numeric, retention_spend numeric, net_contribution numeric, contribution_per_customer float8, reason text);
COMMENT ON TYPE cvm.contribution_row IS 'A segment in a window, after marketing: row of cvm.contribution.';
COMMENT ON COLUMN cvm.contribution_row.segment IS 'segment; all is the total';
COMMENT ON COLUMN cvm.contribution_row.is_total IS 'true for the total';
COMMENT ON COLUMN cvm.contribution_row.customers IS 'customers known before the end of the window, who bought in it or not';
COMMENT ON COLUMN cvm.contribution_row.new_customers IS 'of them with the first purchase in the window';
COMMENT ON COLUMN cvm.contribution_row.active IS 'of them with an order in the window';
COMMENT ON COLUMN cvm.contribution_row.revenue IS 'sum of amounts, exact';
COMMENT ON COLUMN cvm.contribution_row.profit IS 'amounts less discounts and cost, or x margin, less the cost to serve; NULL if a cost is missing';
COMMENT ON COLUMN cvm.contribution_row.acquisition_spend IS 'spend for acquisition in the window, in equal parts to its new customers; NULL if there are none to bear it';
COMMENT ON COLUMN cvm.contribution_row.retention_spend IS 'spend for retention in the window, in equal parts to the customers who ordered in it; NULL if there are none to bear it';
COMMENT ON COLUMN cvm.contribution_row.net_contribution IS 'profit - acquisition_spend - retention_spend; the total bears all spend, whoever came';
COMMENT ON COLUMN cvm.contribution_row.contribution_per_customer IS 'net_contribution / customers, the silent ones among them';
COMMENT ON COLUMN cvm.contribution_row.reason IS 'why it is NULL: cost missing, no new customers, no active customers, no customers';

CREATE FUNCTION cvm.contribution(portfolio text, from_on date, to_on date) RETURNS SETOF cvm.contribution_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    feed record;
    spent record;
BEGIN
    PERFORM cvm.check_window(from_on, to_on);
    SELECT s.relation, s.columns, s.time_zone INTO feed FROM cvm.measured_feed(portfolio, 'spend') s;
    EXECUTE format('SELECT coalesce(sum(o.part) FILTER (WHERE o.purpose = ''acquisition''), 0) AS acquisition, coalesce(sum(o.part) FILTER (WHERE o.purpose = ''retention''), 0) AS retention
        FROM (SELECT cvm.spend_purpose(s.purpose) AS purpose, cvm.spent_before(s.amount, s.at, l.last_on, $2) - cvm.spent_before(s.amount, s.at, l.last_on, $1) AS part
              FROM (%s) s, LATERAL (SELECT CASE WHEN s.ended_at = ''infinity'' THEN cvm.endless_spend(s.at) ELSE coalesce(s.ended_at, s.at) END AS last_on) l) o',
        cvm.measure_source('spend', feed.relation, feed.columns, '{at,amount}', feed.time_zone)) INTO spent USING from_on, to_on;
    -- whatever functions of a view have set
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    RETURN QUERY
    WITH value AS MATERIALIZED (SELECT c.* FROM cvm.current_value(portfolio, from_on, to_on) c),
    borne AS (
        SELECT v.segment, v.is_total, v.customers, v.new_customers, v.active, v.revenue, v.profit,
               CASE WHEN v.is_total OR spent.acquisition = 0 THEN spent.acquisition ELSE spent.acquisition * v.new_customers / nullif(t.new_customers, 0) END AS acquisition,
               CASE WHEN v.is_total OR spent.retention = 0 THEN spent.retention ELSE spent.retention * v.active / nullif(t.active, 0) END AS retention
        FROM value v, (SELECT c.new_customers, c.active FROM value c WHERE c.is_total) t
    )
    SELECT b.segment, b.is_total, b.customers, b.new_customers, b.active, b.revenue, b.profit, b.acquisition, b.retention, b.profit - b.acquisition - b.retention,
           ((b.profit - b.acquisition - b.retention) / nullif(b.customers, 0))::float8,
           nullif(concat_ws(', ', CASE WHEN b.customers = 0 THEN 'no customers' END, CASE WHEN b.profit IS NULL THEN 'cost missing' END,
                            CASE WHEN b.acquisition IS NULL THEN 'no new customers' END, CASE WHEN b.retention IS NULL THEN 'no active customers' END), '')
    FROM borne b ORDER BY b.is_total DESC, b.segment COLLATE "C";
END $$;
COMMENT ON FUNCTION cvm.contribution(text, date, date) IS
'Net contribution of a portfolio''s customers in a window of its days [from_on, to_on), in all and by segment as published: revenue less cost, discounts and cost to serve (cvm.current_value), less marketing. No feed says which customer an expense was for, so that what was spent on acquisition is borne by the window''s new customers, each the same, and what was spent on retention by those who ordered: an allocation, not a cause (cvm.campaign_effects and experiments look for causes). Segments add up to the total, to some ten decimals, unless nobody is there to bear a spend: then it is in the total alone, and theirs is NULL with a reason. Needs SELECT on the feeds purchases and spend. 42704 without a spend feed, 42501, and the errors of cvm.current_value and cvm.acquisition.';

CREATE FUNCTION cvm.contribution_report(portfolio text) RETURNS SETOF cvm.contribution_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.report_months(portfolio, 'contribution') w, LATERAL cvm.contribution(w.portfolio, w.from_on, w.to_on) v;
END;
COMMENT ON FUNCTION cvm.contribution_report(text) IS 'Net contribution by segment in the window of report_window, after marketing. Made where the feed spend is mapped.';
