-- contract_retention: who stays under contract, what they pay, and for how long, from subscriptions

CREATE TYPE cvm.contract_retention_row AS (
    period_on date, is_complete boolean, segment text, is_total boolean, customers_at_start bigint, customers_at_end bigint, new_customers bigint, lost bigint, won_back bigint,
    retention_rate float8, churn_rate float8, opening_revenue numeric, expansion numeric, contraction numeric, churned_revenue numeric, closing_revenue numeric,
    nrr float8, grr float8, left_out bigint, reason text);
COMMENT ON TYPE cvm.contract_retention_row IS 'Customers under contract in a period: row of cvm.contract_retention.';
COMMENT ON COLUMN cvm.contract_retention_row.period_on IS 'first day of the period';
COMMENT ON COLUMN cvm.contract_retention_row.is_complete IS 'false where the window ends before the period';
COMMENT ON COLUMN cvm.contract_retention_row.segment IS 'segment; all is the total';
COMMENT ON COLUMN cvm.contract_retention_row.is_total IS 'true for the total';
COMMENT ON COLUMN cvm.contract_retention_row.customers_at_start IS 'S: customers with a subscription that runs as the period begins';
COMMENT ON COLUMN cvm.contract_retention_row.customers_at_end IS 'E: customers with one that runs as it ends';
COMMENT ON COLUMN cvm.contract_retention_row.new_customers IS 'N: those at the end who were not there at the start, won back or new; who joined and left again in between does not count';
COMMENT ON COLUMN cvm.contract_retention_row.lost IS 'those at the start who are not there at the end';
COMMENT ON COLUMN cvm.contract_retention_row.won_back IS 'of the new customers those whose earlier subscriptions had all ended before the period';
COMMENT ON COLUMN cvm.contract_retention_row.retention_rate IS 'in both sets / S; the same as (E - N) / S';
COMMENT ON COLUMN cvm.contract_retention_row.churn_rate IS 'lost / S, contractual, of the period''s length';
COMMENT ON COLUMN cvm.contract_retention_row.opening_revenue IS 'prices a renewal of the subscriptions that run as the period begins';
COMMENT ON COLUMN cvm.contract_retention_row.expansion IS 'what customers of the start pay more at its end';
COMMENT ON COLUMN cvm.contract_retention_row.contraction IS 'what those who stay pay less';
COMMENT ON COLUMN cvm.contract_retention_row.churned_revenue IS 'what the lost ones paid';
COMMENT ON COLUMN cvm.contract_retention_row.closing_revenue IS 'opening_revenue + expansion - contraction - churned_revenue: prices at the end of the customers of the start; new ones do not count';
COMMENT ON COLUMN cvm.contract_retention_row.nrr IS 'net revenue retention: closing_revenue / opening_revenue';
COMMENT ON COLUMN cvm.contract_retention_row.grr IS 'gross revenue retention: (opening_revenue - contraction - churned_revenue) / opening_revenue, capped customer by customer';
COMMENT ON COLUMN cvm.contract_retention_row.left_out IS 'subscriptions that end before they start, known by the end of the window; left out of everything, the same number in every row of the total, NULL by segment';
COMMENT ON COLUMN cvm.contract_retention_row.reason IS 'why a value is NULL: no customers at the start, price missing, no opening revenue';

CREATE FUNCTION cvm.contract_retention_of(subscriptions regclass, columns jsonb, from_on date, to_on date,
    period interval DEFAULT '1 month', time_zone text DEFAULT 'UTC', segments regclass DEFAULT NULL) RETURNS SETOF cvm.contract_retention_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    RETURN QUERY EXECUTE format('
        WITH period AS MATERIALIZED (SELECT w.* FROM cvm.window_periods($1, $2, $3) w),
        contract AS (
            SELECT c.customer, c.started_at AS started_on, CASE WHEN isfinite(c.ended_at) AND c.ended_at < $2 THEN c.ended_at END AS ended_on, c.price, %s AS segment
            FROM (%s) c LEFT JOIN (%s) s USING (customer) WHERE c.started_at < $2
        ), sound AS (SELECT c.* FROM contract c WHERE c.ended_on IS NULL OR c.ended_on >= c.started_on),
        -- a subscription runs as a day begins if it started before that day and ends on it or later
        state AS (
            SELECT p.n, c.customer, c.segment,
                   bool_or(c.started_on < p.starts_on AND coalesce(c.ended_on >= p.starts_on, true)) AS at_start, bool_or(coalesce(c.ended_on >= p.ends_on, true)) AS at_end,
                   bool_or(c.started_on < p.starts_on) AS was_here,
                   sum(c.price) FILTER (WHERE c.started_on < p.starts_on AND coalesce(c.ended_on >= p.starts_on, true)) AS opening, sum(c.price) FILTER (WHERE coalesce(c.ended_on >= p.ends_on, true)) AS closing,
                   coalesce(bool_or(c.price IS NULL AND coalesce(c.ended_on >= p.starts_on, true)), false) AS lacks_price
            FROM period p JOIN sound c ON c.started_on < p.ends_on GROUP BY 1, 2, 3
        ), told AS (
            SELECT s.*, CASE WHEN s.at_start THEN coalesce(s.opening, 0) END AS before, CASE WHEN s.at_start THEN coalesce(s.closing, 0) END AS after FROM state s
        ), part AS (SELECT ''all'' AS segment, true AS is_total UNION SELECT c.segment, false FROM sound c WHERE c.segment IS NOT NULL),
        sums AS (
            SELECT t.n, coalesce(t.segment, ''all'') AS segment, GROUPING(t.segment) = 1 AS is_total,
                   count(*) FILTER (WHERE t.at_start) AS s, count(*) FILTER (WHERE t.at_end) AS e, count(*) FILTER (WHERE t.at_end AND NOT t.at_start) AS new,
                   count(*) FILTER (WHERE t.at_start AND NOT t.at_end) AS lost, count(*) FILTER (WHERE t.at_end AND NOT t.at_start AND t.was_here) AS won_back,
                   coalesce(sum(t.before), 0) AS opening, coalesce(sum(greatest(t.after - t.before, 0)), 0) AS expansion,
                   coalesce(sum(greatest(t.before - t.after, 0)) FILTER (WHERE t.at_end), 0) AS contraction, coalesce(sum(t.before) FILTER (WHERE NOT t.at_end), 0) AS churned,
                   coalesce(bool_or(t.lacks_price AND t.at_start), false) AS lacks_price
            FROM told t GROUP BY GROUPING SETS ((t.n), (t.n, t.segment)) HAVING GROUPING(t.segment) = 1 OR t.segment IS NOT NULL
        ), result AS (
            SELECT p.n, p.starts_on, p.is_complete, g.segment, g.is_total, coalesce(m.s, 0) AS s, coalesce(m.e, 0) AS e, coalesce(m.new, 0) AS new, coalesce(m.lost, 0) AS lost,
                   coalesce(m.won_back, 0) AS won_back, coalesce(m.opening, 0) AS opening, coalesce(m.expansion, 0) AS expansion, coalesce(m.contraction, 0) AS contraction,
                   coalesce(m.churned, 0) AS churned, coalesce(m.lacks_price, false) AS lacks_price
            FROM period p CROSS JOIN part g LEFT JOIN sums m ON m.n = p.n AND m.segment = g.segment AND m.is_total = g.is_total
        )
        SELECT r.starts_on, r.is_complete, r.segment, r.is_total, r.s, r.e, r.new, r.lost, r.won_back, (r.s - r.lost)::float8 / nullif(r.s, 0), r.lost::float8 / nullif(r.s, 0),
               CASE WHEN NOT r.lacks_price THEN r.opening END, CASE WHEN NOT r.lacks_price THEN r.expansion END, CASE WHEN NOT r.lacks_price THEN r.contraction END,
               CASE WHEN NOT r.lacks_price THEN r.churned END, CASE WHEN NOT r.lacks_price THEN r.opening + r.expansion - r.contraction - r.churned END,
               CASE WHEN NOT r.lacks_price AND r.opening > 0 THEN ((r.opening + r.expansion - r.contraction - r.churned) / r.opening)::float8 END,
               CASE WHEN NOT r.lacks_price AND r.opening > 0 THEN ((r.opening - r.contraction - r.churned) / r.opening)::float8 END,
               CASE WHEN r.is_total THEN (SELECT count(*) FROM contract c WHERE c.ended_on < c.started_on) END,
               CASE WHEN r.s = 0 THEN ''no customers at the start'' WHEN r.lacks_price THEN ''price missing'' WHEN NOT r.opening > 0 THEN ''no opening revenue'' END
        FROM result r ORDER BY r.n, r.is_total DESC, r.segment COLLATE "C"',
        CASE WHEN segments IS NULL THEN 'NULL::text' ELSE 'coalesce(s.segment, ''unclassified'')' END,
        cvm.measure_source('subscriptions', subscriptions, columns, '{customer,started_at}', time_zone), cvm.segment_source(segments)) USING from_on, to_on, period;
END $$;
COMMENT ON FUNCTION cvm.contract_retention_of(regclass, jsonb, date, date, interval, text, regclass) IS
'Retention of customers under contract by period, in all and by segment, from subscriptions {customer, started_at [, ended_at, price]}: retention rate from the sets of customers at the start and at the end of each period (so that (E - N) / S is the same number), contractual churn rate, gross and net revenue retention. A customer stays as long as any of his subscriptions runs, so a change of plan is none lost, and subscriptions that overlap add up in revenue and count once in customers. An end after to_on is not known. A rate of one period is not a yearly one (cvm.convert_retention). Without a contract: cvm.churn_rates. 22023 for a window, period or mapping; 42703, 42804.';

CREATE TYPE cvm.retention_time_row AS (
    segment text, is_total boolean, subscriptions bigint, ended bigint, median_days float8, mean_days float8, mean_error float8, observed_days float8, is_censored boolean, left_out bigint, reason text);
COMMENT ON TYPE cvm.retention_time_row IS 'How long subscriptions last: row of cvm.retention_time.';
COMMENT ON COLUMN cvm.retention_time_row.segment IS 'segment; all is the total';
COMMENT ON COLUMN cvm.retention_time_row.is_total IS 'true for the total';
COMMENT ON COLUMN cvm.retention_time_row.subscriptions IS 'subscriptions that had started';
COMMENT ON COLUMN cvm.retention_time_row.ended IS 'of them had ended; the others were still running, and count with the time they had run so far (right-censored)';
COMMENT ON COLUMN cvm.retention_time_row.median_days IS 'days after which half of them have ended (Kaplan & Meier 1958); NULL if fewer have';
COMMENT ON COLUMN cvm.retention_time_row.mean_days IS 'mean days within the first observed_days: the restricted mean, which is short of the full one where some last longer';
COMMENT ON COLUMN cvm.retention_time_row.mean_error IS 'its standard error';
COMMENT ON COLUMN cvm.retention_time_row.observed_days IS 'the longest time that was observed, to which the mean is restricted';
COMMENT ON COLUMN cvm.retention_time_row.is_censored IS 'true where some were still running';
COMMENT ON COLUMN cvm.retention_time_row.left_out IS 'subscriptions that end before they start';
COMMENT ON COLUMN cvm.retention_time_row.reason IS 'why a value is NULL: no subscriptions, fewer than half have ended';

CREATE FUNCTION cvm.retention_time_of(subscriptions regclass, columns jsonb, to_on date, time_zone text DEFAULT 'UTC', segments regclass DEFAULT NULL) RETURNS SETOF cvm.retention_time_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    PERFORM cvm.check_window(to_on - 1, to_on);
    RETURN QUERY EXECUTE format('
        WITH contract AS (
            SELECT c.started_at AS started_on, CASE WHEN isfinite(c.ended_at) AND c.ended_at < $1 THEN c.ended_at END AS ended_on, %s AS segment
            FROM (%s) c LEFT JOIN (%s) s USING (customer) WHERE c.started_at < $1
        ), curve AS (
            SELECT coalesce(c.segment, ''all'') AS segment, GROUPING(c.segment) = 1 AS is_total, count(*) FILTER (WHERE c.ended_on < c.started_on) AS left_out,
                   cvm.survival_curve((coalesce(c.ended_on, $1) - c.started_on)::float8, c.ended_on IS NOT NULL) FILTER (WHERE coalesce(c.ended_on >= c.started_on, true)) AS curve,
                   max(coalesce(c.ended_on, $1) - c.started_on)::float8 AS longest
            FROM contract c GROUP BY GROUPING SETS ((), (c.segment)) HAVING GROUPING(c.segment) = 1 OR c.segment IS NOT NULL
        )
        SELECT c.segment, c.is_total, coalesce(cvm.customers(c.curve), 0), coalesce(cvm.churned(c.curve), 0), cvm.median(c.curve), cvm.restricted_mean(c.curve),
               cvm.restricted_mean_error(c.curve, c.longest), CASE WHEN c.curve IS NOT NULL THEN c.longest END, coalesce(cvm.customers(c.curve) > cvm.churned(c.curve), false), c.left_out,
               CASE WHEN c.curve IS NULL THEN ''no subscriptions'' WHEN cvm.median(c.curve) IS NULL THEN ''fewer than half have ended'' END
        FROM curve c ORDER BY c.is_total DESC, c.segment COLLATE "C"',
        CASE WHEN segments IS NULL THEN 'NULL::text' ELSE 'coalesce(s.segment, ''unclassified'')' END,
        cvm.measure_source('subscriptions', subscriptions, columns, '{customer,started_at}', time_zone), cvm.segment_source(segments)) USING to_on;
END $$;
COMMENT ON FUNCTION cvm.retention_time_of(regclass, jsonb, date, text, regclass) IS
'Retention time of subscriptions {customer, started_at [, ended_at]} as known when the day to_on begins, in all and by segment: median and mean by the Kaplan-Meier curve (cvm.survival_curve), in which those that still run count for as long as they have. The mean of those that have ended alone is too short. Days from start to end; a subscription is one duration, so a change of plan ends one. Retention time is not retention rate. 22023 for a mapping, 22004 for to_on NULL; 42703, 42804.';

CREATE FUNCTION cvm.contract_retention(portfolio text, from_on date, to_on date, period interval DEFAULT '1 month') RETURNS SETOF cvm.contract_retention_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.measured_feed(portfolio, 'subscriptions') f,
           LATERAL cvm.contract_retention_of(f.relation, f.columns, from_on, to_on, period, f.time_zone, f.segments) v;
END;
COMMENT ON FUNCTION cvm.contract_retention(text, date, date, interval) IS
'Retention of a portfolio''s customers under contract: cvm.contract_retention_of on its subscriptions feed, by its segments as published. Needs SELECT on the feed. 42704 without such a feed, 42501, and the errors of that.';

CREATE FUNCTION cvm.retention_time(portfolio text, to_on date) RETURNS SETOF cvm.retention_time_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.measured_feed(portfolio, 'subscriptions') f, LATERAL cvm.retention_time_of(f.relation, f.columns, to_on, f.time_zone, f.segments) v;
END;
COMMENT ON FUNCTION cvm.retention_time(text, date) IS 'How long a portfolio''s subscriptions last: cvm.retention_time_of on its subscriptions feed. As cvm.contract_retention otherwise.';

CREATE FUNCTION cvm.contract_retention_report(portfolio text) RETURNS SETOF cvm.contract_retention_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.report_months(portfolio, 'contract_retention') w, LATERAL cvm.contract_retention(w.portfolio, w.from_on, w.to_on) v;
END;
COMMENT ON FUNCTION cvm.contract_retention_report(text) IS 'Customers under contract by month and segment: retention from sets, churn, gross and net revenue retention. Made where the feed subscriptions is mapped.';

CREATE FUNCTION cvm.retention_time_report(portfolio text) RETURNS SETOF cvm.retention_time_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.report_months(portfolio, 'retention_time') w, LATERAL cvm.retention_time(w.portfolio, w.to_on) v;
END;
COMMENT ON FUNCTION cvm.retention_time_report(text) IS 'How long subscriptions last, by segment, as known at the end of the window of report_window. Made where the feed subscriptions is mapped.';
