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

CREATE FUNCTION cvm.loyalty(portfolio text, from_on date, to_on date) RETURNS SETOF cvm.loyalty_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    options jsonb := (cvm.own_portfolio(portfolio)).options;
BEGIN
    IF options -> 'loyalty_tiers' IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('portfolio "%s" has no loyalty tiers', portfolio),
            HINT = format('Set them: SELECT cvm.alter_portfolio(%L, ''{"loyalty_tiers": {"Silver": 100, "Gold": 500}}'');', portfolio);
    END IF;
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
