-- deal: sales measures from deals that are opened, and won or lost

CREATE TYPE cvm.deal_row AS (
    period_on date, is_complete boolean, segment text, is_total boolean, opened bigint, open_at_end bigint, closed bigint, won bigint, lost bigint, win_rate float8,
    deal_cycle_days float8, median_cycle_days float8, deal_size float8, revenue numeric, discount numeric, discount_share float8,
    undecided bigint, left_out bigint, reason text);
COMMENT ON TYPE cvm.deal_row IS 'Deals of a period: row of cvm.deals.';
COMMENT ON COLUMN cvm.deal_row.period_on IS 'first day of the period';
COMMENT ON COLUMN cvm.deal_row.is_complete IS 'false where the window ends before the period';
COMMENT ON COLUMN cvm.deal_row.segment IS 'segment of the customer; all is the total';
COMMENT ON COLUMN cvm.deal_row.is_total IS 'true for the total';
COMMENT ON COLUMN cvm.deal_row.opened IS 'deals opened in the period';
COMMENT ON COLUMN cvm.deal_row.open_at_end IS 'deals open at its end, whenever they were opened';
COMMENT ON COLUMN cvm.deal_row.closed IS 'deals closed in the period, won or lost';
COMMENT ON COLUMN cvm.deal_row.won IS 'of them won';
COMMENT ON COLUMN cvm.deal_row.lost IS 'of them lost';
COMMENT ON COLUMN cvm.deal_row.win_rate IS 'won / closed in the period; open deals do not count, so that it is not won / opened';
COMMENT ON COLUMN cvm.deal_row.deal_cycle_days IS 'mean days from opening to closing of the deals won';
COMMENT ON COLUMN cvm.deal_row.median_cycle_days IS 'median of the same';
COMMENT ON COLUMN cvm.deal_row.deal_size IS 'mean amount less discount of the deals won whose amount is known';
COMMENT ON COLUMN cvm.deal_row.revenue IS 'sum of amounts less discounts of the deals won';
COMMENT ON COLUMN cvm.deal_row.discount IS 'sum of their discounts';
COMMENT ON COLUMN cvm.deal_row.discount_share IS 'discount / (revenue + discount)';
COMMENT ON COLUMN cvm.deal_row.undecided IS 'deals closed in the period of which is not known whether they were won; left out';
COMMENT ON COLUMN cvm.deal_row.left_out IS 'deals closed in the period, before they opened; left out of everything';
COMMENT ON COLUMN cvm.deal_row.reason IS 'why a value is NULL: no closed deals, no won deals, amount missing, nothing sold';

CREATE FUNCTION cvm.deals_of(deals regclass, columns jsonb, from_on date, to_on date,
    period interval DEFAULT '1 month', time_zone text DEFAULT 'UTC', segments regclass DEFAULT NULL) RETURNS SETOF cvm.deal_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    RETURN QUERY EXECUTE format('
        WITH period AS (SELECT w.* FROM cvm.window_periods($1, $2, $3) w),
        deal AS (
            SELECT d.opened_at, CASE WHEN isfinite(d.closed_at) THEN d.closed_at END AS closed_at, d.won, d.amount, coalesce(d.discount, 0) AS discount,
                   coalesce(d.closed_at < d.opened_at, false) AS is_odd, %s AS segment
            FROM (%s) d LEFT JOIN (%s) s USING (customer)
        ), part AS (SELECT ''all'' AS segment, true AS is_total UNION ALL SELECT DISTINCT d.segment, false FROM deal d WHERE d.segment IS NOT NULL),
        fact AS (
            SELECT p.n, g.segment, g.is_total, d.*, d.closed_at >= p.starts_on AND d.closed_at < p.ends_on AS closes,
                   NOT d.is_odd AND d.opened_at >= p.starts_on AND d.opened_at < p.ends_on AS opens,
                   NOT d.is_odd AND d.opened_at < p.ends_on AND coalesce(d.closed_at >= p.ends_on, true) AS stays
            FROM period p CROSS JOIN part g LEFT JOIN (SELECT d.opened_at, d.closed_at, d.won, d.amount, d.discount, d.is_odd, d.segment AS own FROM deal d) d
                 ON (g.is_total OR d.own = g.segment) AND d.opened_at IS NOT NULL
        ), told AS (SELECT f.*, coalesce(f.closes AND NOT f.is_odd AND f.won, false) AS wins, coalesce(f.closes AND NOT f.is_odd AND NOT f.won, false) AS loses FROM fact f),
        result AS (
            SELECT t.n, t.segment, t.is_total, count(*) FILTER (WHERE t.opens) AS opened, count(*) FILTER (WHERE t.stays) AS open_at_end,
                   count(*) FILTER (WHERE t.wins) AS won, count(*) FILTER (WHERE t.loses) AS lost,
                   avg(t.closed_at - t.opened_at) FILTER (WHERE t.wins)::float8 AS cycle,
                   percentile_cont(0.5) WITHIN GROUP (ORDER BY (t.closed_at - t.opened_at)::float8) FILTER (WHERE t.wins) AS median,
                   avg(t.amount - t.discount) FILTER (WHERE t.wins)::float8 AS size, count(t.amount) FILTER (WHERE t.wins) AS priced,
                   coalesce(sum(t.amount - t.discount) FILTER (WHERE t.wins), 0) AS revenue,
                   coalesce(sum(t.discount) FILTER (WHERE t.wins AND t.amount IS NOT NULL), 0) AS discount,
                   count(*) FILTER (WHERE t.closes AND NOT t.is_odd AND t.won IS NULL) AS undecided, count(*) FILTER (WHERE t.closes AND t.is_odd) AS left_out
            FROM told t GROUP BY 1, 2, 3
        )
        SELECT p.starts_on, p.is_complete, r.segment, r.is_total, r.opened, r.open_at_end, r.won + r.lost, r.won, r.lost, r.won::float8 / nullif(r.won + r.lost, 0),
               r.cycle, r.median, r.size, r.revenue, r.discount, CASE WHEN r.revenue + r.discount > 0 THEN (r.discount / (r.revenue + r.discount))::float8 END,
               r.undecided, r.left_out,
               nullif(concat_ws('', '', CASE WHEN r.won + r.lost = 0 THEN ''no closed deals'' WHEN r.won = 0 THEN ''no won deals'' END,
                                CASE WHEN r.priced < r.won THEN ''amount missing'' END, CASE WHEN r.priced > 0 AND r.revenue + r.discount <= 0 THEN ''nothing sold'' END), '''')
        FROM result r JOIN period p USING (n) ORDER BY p.n, r.is_total DESC, r.segment COLLATE "C"',
        CASE WHEN segments IS NULL THEN 'NULL::text' ELSE 'coalesce(s.segment, ''unclassified'')' END,
        cvm.measure_source('deals', deals, columns, '{customer,opened_at}', time_zone), cvm.segment_source(segments)) USING from_on, to_on, period;
END $$;
COMMENT ON FUNCTION cvm.deals_of(regclass, jsonb, date, date, interval, text, regclass) IS
'Sales measures by period of the closing, in all and by segment, from deals {customer, opened_at [, closed_at, won, amount, discount]}: win rate, deal cycle, deal size, share of discount. The amount still contains the discount; a NULL discount is 0. A deal is open until closed_at; one that closed before it opened is counted in left_out and in nothing else, one closed with won NULL in undecided. A win rate of young periods flatters or not as quick deals are won or lost: see open_at_end. 22023 for a window, period or mapping; 42703, 42804.';

CREATE FUNCTION cvm.deals(portfolio text, from_on date, to_on date, period interval DEFAULT '1 month') RETURNS SETOF cvm.deal_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.measured_feed(portfolio, 'deals') f,
           LATERAL cvm.deals_of(f.relation, f.columns, from_on, to_on, period, f.time_zone, f.segments) v;
END;
COMMENT ON FUNCTION cvm.deals(text, date, date, interval) IS
'Sales measures of a portfolio: cvm.deals_of on its deals feed, by its segments as published. Needs SELECT on the feed. 42704 without such a feed, 42501, and the errors of that.';

CREATE FUNCTION cvm.deals_report(portfolio text) RETURNS SETOF cvm.deal_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.report_months(portfolio, 'deals') w, LATERAL cvm.deals(w.portfolio, w.from_on, w.to_on) v;
END;
COMMENT ON FUNCTION cvm.deals_report(text) IS 'Sales measures by month of the closing and by segment: win rate, deal cycle, deal size, share of discount. Made where the feed deals is mapped.';
