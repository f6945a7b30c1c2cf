-- check: whether a portfolio is ready to be recomputed (src/recompute/check.c)

-- Findings about rows that can be counted only by reading the feed.
CREATE FUNCTION cvm.check_rows(portfolio text) RETURNS TABLE (level text, finding text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    plan record;
    columns jsonb := (SELECT f.columns FROM cvm.feed f WHERE f.portfolio = check_rows.portfolio AND f.kind = 'purchases');
    relation text := (SELECT format('%I.%I', f.relation_schema, f.relation_name) FROM cvm.feed f
                      WHERE f.portfolio = check_rows.portfolio AND f.kind = 'purchases');
    n record;
    c record;
BEGIN
    SELECT * INTO plan FROM cvm.recompute_plan(portfolio);
    EXECUTE format('SELECT count(*) AS row_count, count(*) FILTER (WHERE f.%1$I IS NULL) AS no_customer,
                    count(*) FILTER (WHERE f.%2$I IS NULL) AS no_time, count(*) FILTER (WHERE f.%3$I IS NULL) AS no_amount,
                    count(*) FILTER (WHERE NOT isfinite(f.%2$I)) AS odd_time,
                    count(*) FILTER (WHERE f.%3$I::numeric IN (''NaN'', ''Infinity'', ''-Infinity'')) AS odd_amount,
                    count(*) FILTER (WHERE f.%3$I::numeric NOT IN (''NaN'', ''Infinity'', ''-Infinity'')
                                     AND (abs(f.%3$I::numeric) >= 1e18 OR scale(trim_scale(f.%3$I::numeric)) > 18)) AS long_amount,
                    count(*) FILTER (WHERE f.%3$I::numeric < 0) AS negative,
                    count(*) FILTER (WHERE f.%2$I > now()) AS later
                    FROM %4$s AS f', columns ->> 'customer', columns ->> 'at', columns ->> 'amount', relation) INTO n;
    IF n.row_count = 0 THEN
        RETURN QUERY SELECT 'error', 'the purchases feed is empty', 'Load purchases, or map another relation with cvm.add_feed.';
        RETURN;
    END IF;
    RETURN QUERY
    SELECT f.level, format('%s rows %s', f.rows, f.finding), f.hint FROM (VALUES
        ('error', n.no_customer, 'have no customer', 'Map a view that leaves them out.'),
        ('error', n.no_time, 'have no time', 'Map a view that leaves them out.'),
        ('error', n.no_amount, 'have no amount', 'Map a view that leaves them out, or gives them one.'),
        ('error', n.odd_time, 'have an infinite time', 'Map a view that leaves them out.'),
        ('error', n.odd_amount, 'have an amount that is NaN or infinite', 'Map a view that leaves them out.'),
        ('error', n.long_amount, 'have an amount of more than 18 digits before or after the point', 'Map a view that rounds them.'),
        ('warning', n.later, 'lie in the future', 'A recompute leaves out and counts what lies after its as_of.')
    ) AS f(level, rows, finding, hint) WHERE f.rows > 0;
    IF n.no_customer + n.no_time + n.no_amount + n.odd_time + n.odd_amount + n.long_amount > 0 THEN
        RETURN;
    END IF;
    EXECUTE format('SELECT count(*) AS customers, count(*) FILTER (WHERE cvm.repeat_periods(h) > 0) AS repeaters,
                           count(*) FILTER (WHERE cvm.repeat_periods(h) IS NULL) AS money_only,
                           count(*) FILTER (WHERE cvm.repeat_periods(h) > 0 AND cvm.mean_spend(h) > 0) AS spenders,
                           coalesce(sum(cvm.total_spend(h)) FILTER (WHERE cvm.repeat_periods(h) IS NOT NULL) > 0, false) AS has_money
                    FROM (SELECT cvm.purchase_history(f.%2$I, f.%3$I, $1, $2) AS h FROM %4$s AS f
                          WHERE f.%2$I <= now() GROUP BY f.%1$I) s',
                   columns ->> 'customer', columns ->> 'at', columns ->> 'amount', relation) INTO c USING plan.period, plan.time_zone;
    RETURN QUERY
    SELECT f.level, f.finding, f.hint FROM (VALUES
        (1, c.repeaters = 0, 'warning', 'no customer has bought in more than one period',
         'All are listed with the status insufficient_history. If that is wrong, check the mapped customer column and the option "period".'),
        (2, c.spenders = 0 AND NOT c.has_money, 'error', 'the purchases have no positive mean spend',
         'Check the column mapped as amount: refunds are negative, purchases positive.'),
        (2, c.repeaters > 0 AND c.spenders = 0 AND c.has_money, 'warning', 'no repeat buyer has a positive mean spend',
         'They are valued at the mean of all purchases. Check the column mapped as amount: refunds are negative, purchases positive.'),
        (3, c.repeaters BETWEEN 1 AND 49, 'warning', format('only %s customers have bought in more than one period', c.repeaters),
         'Expect wide uncertainty below some hundred.'),
        (4, c.spenders > 0 AND c.spenders < c.repeaters, 'warning',
         format('%s repeat buyers have a mean spend of 0 or less and are left out of the spend model', c.repeaters - c.spenders),
         'They are valued at the mean spend of all.'),
        (5, c.money_only > 0, 'warning', format('%s customers have money but no purchase', c.money_only),
         'They are listed with the status excluded.'),
        (6, n.negative = 0, 'warning', 'there are no negative amounts',
         'If the shop takes goods back, its refunds are missing and values are too high.'),
        (7, true, 'ok', format('%s rows of %s customers, %s of them repeat buyers', n.row_count, c.customers, c.repeaters), NULL)
    ) AS f(position, applies, level, finding, hint) WHERE f.applies ORDER BY f.position;
END $$;
COMMENT ON FUNCTION cvm.check_rows(text) IS 'Findings about the rows of a portfolio''s purchases feed: see cvm.check.';

CREATE FUNCTION cvm.check_findings(portfolio text) RETURNS TABLE (level text, finding text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last record;
BEGIN
    BEGIN
        RETURN QUERY SELECT r.level, r.finding, r.hint FROM cvm.check_rows(portfolio) r;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS finding = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
        level := 'error';
        RETURN NEXT;
    END;
    SELECT r.status, r.started_at, e.message INTO last FROM cvm.run r LEFT JOIN cvm.run_error e USING (run_id)
    WHERE r.portfolio = check_findings.portfolio ORDER BY r.run_id DESC LIMIT 1;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'warning', 'the portfolio has never been recomputed', format('CALL cvm.recompute(%L);', portfolio);
    ELSIF last.status NOT IN ('succeeded', 'running') THEN
        RETURN QUERY SELECT 'warning', format('the last run %s%s',
                                CASE last.status WHEN 'cancelled' THEN 'was cancelled' ELSE last.status END,
                                ': ' || last.message), 'See cvm.job_runs.';
    END IF;
    IF NOT EXISTS (SELECT FROM cvm.job j WHERE j.portfolio = check_findings.portfolio) THEN
        RETURN QUERY SELECT 'warning', 'no job recomputes the portfolio', format('SELECT cvm.schedule(%L, every => ''1 day'');', portfolio);
    END IF;
END $$;
COMMENT ON FUNCTION cvm.check_findings(text) IS 'What cvm.check returns; that one runs it as the portfolio''s owner.';

CREATE FUNCTION cvm.check(portfolio text) RETURNS TABLE (level text, finding text, hint text)
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'cvm_check';
COMMENT ON FUNCTION cvm.check(text) IS
'Whether a portfolio is ready to be recomputed: one row per finding, with level error (a recompute would fail), warning or ok, and what to do about it. Reads the whole feed, as the portfolio''s owner. 42704 unknown portfolio, 42501 not permitted.';
