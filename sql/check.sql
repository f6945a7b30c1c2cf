-- check: whether a portfolio is ready to be recomputed (src/recompute/check.c)

CREATE FUNCTION cvm.counted(n bigint, one text, many text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN pg_catalog.format(CASE WHEN n = 1 THEN one ELSE many END, n);
COMMENT ON FUNCTION cvm.counted(bigint, text, text) IS 'A number in words of the right grammatical number: format(one, n) or format(many, n).';

-- As a recompute refuses it (src/recompute/partition.c).
CREATE FUNCTION cvm.check_customer_type(portfolio text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    feed pg_attribute := cvm.feed_column(portfolio, 'purchases', cvm.feed_relation(portfolio, 'purchases'), 'customer');
    published oid := (SELECT a.atttypid FROM cvm.portfolio p JOIN pg_namespace n ON n.nspname = p.output_schema::name
                      JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'score'
                      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'customer_id' AND NOT a.attisdropped
                      WHERE p.portfolio = check_customer_type.portfolio);
BEGIN
    IF feed.atttypid <> published THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
            MESSAGE = format('the customer column of portfolio "%s" is now of type %s, its output has %s', portfolio,
                             format_type(feed.atttypid, NULL), format_type(published, NULL)),
            HINT = 'Drop the portfolio with cvm.drop_portfolio and create it again, or map a view that casts the column back.';
    END IF;
END $$;
COMMENT ON FUNCTION cvm.check_customer_type(text) IS 'Raises 42804 where the feed''s customer column has another type than customer_id of the output, with which a recompute fails.';

-- Findings about rows that can be counted only by reading the feed.
CREATE FUNCTION cvm.check_rows(portfolio text) RETURNS TABLE (level text, finding text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    plan record;
    columns jsonb := (SELECT f.columns FROM cvm.feed f WHERE f.portfolio = check_rows.portfolio AND f.kind = 'purchases');
    relation text := (SELECT format('%I.%I', f.relation_schema, f.relation_name) FROM cvm.feed f
                      WHERE f.portfolio = check_rows.portfolio AND f.kind = 'purchases');
    options jsonb := (cvm.own_portfolio(portfolio)).options;
    counted text;
    n record;
    c record;
BEGIN
    SELECT * INTO plan FROM cvm.recompute_plan(portfolio);
    PERFORM cvm.check_customer_type(portfolio);
    EXECUTE format('SELECT count(*) AS row_count, count(*) FILTER (WHERE f.%1$I IS NULL) AS no_customer,
                    count(*) FILTER (WHERE f.%2$I IS NULL) AS no_time, count(*) FILTER (WHERE f.%3$I IS NULL) AS no_amount,
                    count(*) FILTER (WHERE NOT isfinite(f.%2$I)) AS odd_time,
                    count(*) FILTER (WHERE f.%3$I::numeric IN (''NaN'', ''Infinity'', ''-Infinity'')) AS odd_amount,
                    count(*) FILTER (WHERE f.%3$I::numeric NOT IN (''NaN'', ''Infinity'', ''-Infinity'')
                                     AND (abs(f.%3$I::numeric) >= 1e18 OR scale(trim_scale(f.%3$I::numeric)) > 18)) AS long_amount,
                    count(*) FILTER (WHERE f.%3$I::numeric < 0) AS negative,
                    count(*) FILTER (WHERE f.%2$I > now()) AS later
                    FROM %4$s AS f', columns ->> 'customer', columns ->> 'at', columns ->> 'amount', relation) INTO n;
    -- a function of the feed may have set another
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false);
    IF n.row_count = 0 THEN
        RETURN QUERY SELECT cvm.no_purchases_level(portfolio), 'the purchases feed is empty', 'Load purchases, or map another relation with cvm.add_feed.';
        RETURN;
    END IF;
    RETURN QUERY
    SELECT f.level, cvm.counted(f.rows, f.one, f.many), f.hint FROM (VALUES
        ('error', n.no_customer, '%s row has no customer', '%s rows have no customer', 'Map a view that leaves them out.'),
        ('error', n.no_time, '%s row has no time', '%s rows have no time', 'Map a view that leaves them out.'),
        ('error', n.no_amount, '%s row has no amount', '%s rows have no amount', 'Map a view that leaves them out, or gives them one.'),
        ('error', n.odd_time, '%s row has an infinite time', '%s rows have an infinite time', 'Map a view that leaves them out.'),
        ('error', n.odd_amount, '%s row has an amount that is NaN or infinite', '%s rows have an amount that is NaN or infinite',
         'Map a view that leaves them out.'),
        ('error', n.long_amount, '%s row has an amount of more than 18 digits before or after the point',
         '%s rows have an amount of more than 18 digits before or after the point', 'Map a view that rounds them.'),
        ('warning', n.later, '%s row lies in the future', '%s rows lie in the future',
         'A recompute leaves out and counts what lies after its as_of: cvm.job_runs.purchases_after_as_of.')
    ) AS f(level, rows, one, many, hint) WHERE f.rows > 0;
    IF n.no_customer + n.no_time + n.no_amount + n.odd_time + n.odd_amount + n.long_amount > 0 THEN
        RETURN;
    END IF;
    counted := format('SELECT cvm.purchase_history(f.at, f.amount, $2, $3) AS h FROM (%s) AS f(customer, at, amount) WHERE f.at <= $1 GROUP BY f.customer',
                      plan.purchases_query);
    IF cvm.has_money_columns(options, columns) THEN
        FOR level, finding, hint IN SELECT m.level, m.finding, m.hint FROM cvm.check_money(portfolio, plan.time_zone, options) m LOOP
            RETURN NEXT;
            counted := CASE WHEN level <> 'error' THEN counted END;
        END LOOP;
        IF counted IS NULL THEN
            RETURN;
        END IF;
        counted := format('SELECT cvm.purchase_history(f.at, f.amount, $2, $3, f.is_purchase) AS h FROM (%s) AS f(customer, at, amount, is_purchase, rows)
                           WHERE f.at <= $1 GROUP BY f.customer', plan.purchases_query);
    END IF;
    EXECUTE format('SELECT count(*) AS customers, count(*) FILTER (WHERE cvm.repeat_periods(h) > 0) AS repeaters,
                           count(*) FILTER (WHERE cvm.first_at(h) IS NULL) AS money_only,
                           count(*) FILTER (WHERE cvm.repeat_periods(h) > 0 AND cvm.mean_spend(h) > 0) AS spenders,
                           coalesce(sum(cvm.total_spend(h)) FILTER (WHERE cvm.first_at(h) IS NOT NULL) > 0, false) AS has_money
                    FROM (%s) s', counted) INTO c USING now(), plan.period, plan.time_zone;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false);
    RETURN QUERY
    SELECT f.level, f.finding, f.hint FROM (VALUES
        (1, c.repeaters = 0, 'warning', 'no customer has bought in more than one period',
         'All are listed with the status insufficient_history. If that is wrong, check the mapped customer column and the option "period".'),
        (2, c.spenders = 0 AND NOT c.has_money, 'error', 'the purchases have no positive mean spend',
         'Check the column mapped as amount: refunds are negative, purchases positive.'),
        (2, c.repeaters > 0 AND c.spenders = 0 AND c.has_money, 'warning', 'no repeat buyer has a positive mean spend',
         'They are valued at the mean of all purchases. Check the column mapped as amount: refunds are negative, purchases positive.'),
        (3, c.repeaters BETWEEN 1 AND 49, 'warning', cvm.counted(c.repeaters, 'only %s customer has bought in more than one period', 'only %s customers have bought in more than one period'),
         'Expect wide uncertainty below some hundred.'),
        (4, c.spenders > 0 AND c.spenders < c.repeaters, 'warning',
         cvm.counted(c.repeaters - c.spenders, '%s repeat buyer has a mean spend of 0 or less and is left out of the spend model',
                     '%s repeat buyers have a mean spend of 0 or less and are left out of the spend model'),
         'They are valued at the mean spend of all.'),
        (5, c.money_only > 0, 'warning', cvm.counted(c.money_only, '%s customer has money but no purchase', '%s customers have money but no purchase'),
         'They are listed with the status excluded.'),
        (6, n.negative = 0 AND NOT columns ? 'refund_of', 'warning', 'there are no negative amounts',
         'If the shop takes goods back, its refunds are missing and values are too high.'),
        (7, true, 'ok', format('%s of %s, %s', cvm.counted(n.row_count, '%s row', '%s rows'), cvm.counted(c.customers, '%s customer', '%s customers'),
                               cvm.counted(c.repeaters, '%s of them a repeat buyer', '%s of them repeat buyers')), NULL)
    ) AS f(position, applies, level, finding, hint) WHERE f.applies ORDER BY f.position;
END $$;
COMMENT ON FUNCTION cvm.check_rows(text) IS 'Findings about the rows of a portfolio''s purchases feed: see cvm.check.';

-- ---------- findings that need no row of the feed ----------

CREATE FUNCTION cvm.check_rule(score regclass, "position" integer, predicate text) RETURNS void
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'cvm_check_rule';
COMMENT ON FUNCTION cvm.check_rule(regclass, integer, text) IS
'Raises unless the predicate can be a segment rule over this table score, as a recompute would: 42703 no such column, 42601 not one expression, 42804 not boolean, 0A000 a subquery or an aggregate, 42501 no privilege.';

CREATE FUNCTION cvm.check_rules(portfolio text) RETURNS TABLE (level text, finding text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s text := (SELECT p.output_schema FROM cvm.portfolio p WHERE p.portfolio = check_rules.portfolio);
    rule record;
BEGIN
    FOR rule IN EXECUTE format('SELECT r.position, r.segment, r.predicate FROM %I.segment_rule r ORDER BY r.position', s) LOOP
        BEGIN
            PERFORM cvm.check_rule(format('%I.score', s)::regclass, rule.position, rule.predicate);
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS finding = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
            level := 'error';
            finding := format('segment rule %s (%s): %s', rule.position, rule.segment, finding);
            hint := coalesce(nullif(hint, ''), format('Correct or delete it in %I.segment_rule.', s));
            RETURN NEXT;
        END;
    END LOOP;
END $$;
COMMENT ON FUNCTION cvm.check_rules(text) IS 'Segment rules of a portfolio with which a recompute would fail: see cvm.check.';

CREATE FUNCTION cvm.check_models(portfolio text) RETURNS TABLE (level text, finding text, hint text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'warning',
           CASE WHEN m.rung = 'penalised'
                THEN format('the live %s model (%s) is penalised: the likelihood of these %s customers has no maximum inside, and a weak penalty holds it',
                            m.family, m.role, cvm.customers(m.model))
                ELSE format('the live %s model (%s) is of the rung "%s": a full fit could not be had', m.family, m.role, m.rung) END,
           CASE m.role WHEN 'purchases'
                THEN 'Its scores have the status fallback and are usable. It happens where there are few repeat purchases, where hardly anybody leaves or all buy at one rate, and where the option "period" does not fit. cvm.validate compares other families and periods; more data may end it.'
                ELSE 'Its scores have the status fallback and are usable. It happens where there are few repeat buyers, or where all spend alike: then expected_spend is about the mean of all.' END
    FROM cvm.fitted_model m
    WHERE m.portfolio = check_models.portfolio AND m.status = 'live' AND m.rung <> 'full' ORDER BY m.role;
$$;
COMMENT ON FUNCTION cvm.check_models(text) IS 'Live models of a portfolio that are not of the full fit: see cvm.check.';

-- Until a later refit goes live, or somebody has pinned a model.
CREATE FUNCTION cvm.check_refits(portfolio text) RETURNS TABLE (level text, finding text, hint text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'warning',
           format('model %s was rejected: %s; scores come from model %s', m.model_id, m.reason, l.model_id),
           format('If the data is right: SELECT cvm.promote(%s); CALL cvm.recompute(%L); SELECT cvm.unpin(%2$L);', m.model_id, m.portfolio)
    FROM cvm.fitted_model m JOIN cvm.fitted_model l ON l.portfolio = m.portfolio AND l.role = m.role AND l.status = 'live'
    WHERE m.portfolio = check_refits.portfolio AND m.status = 'rejected'
      AND m.model_id = (SELECT max(n.model_id) FROM cvm.fitted_model n WHERE n.portfolio = m.portfolio AND n.role = m.role)
      -- of models that were rejected together the purchase model speaks
      AND (m.role = 'purchases' OR NOT EXISTS (SELECT FROM cvm.fitted_model p
                                               WHERE p.portfolio = m.portfolio AND p.model_id = m.partner_id AND p.status = 'rejected'))
      AND NOT EXISTS (SELECT FROM cvm.promotion p WHERE p.portfolio = m.portfolio
                      AND (p.purchase_model_id IS NOT NULL OR p.retention_model_id IS NOT NULL))
    ORDER BY m.model_id;
$$;
COMMENT ON FUNCTION cvm.check_refits(text) IS 'Last refits of a portfolio that were kept from going live, by drift or want of convergence: see cvm.check.';

CREATE FUNCTION cvm.check_validation(portfolio text) RETURNS TABLE (level text, finding text, hint text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'warning', format('the last validation %s%s', CASE r.status WHEN 'cancelled' THEN 'was cancelled' ELSE r.status END, ': ' || e.message),
           format('See cvm.job_runs; CALL cvm.validate(%L, holdout => %L) tries it by hand.', r.portfolio, r.holdout)
    FROM cvm.run r LEFT JOIN cvm.run_error e USING (run_id, portfolio)
    WHERE r.run_id = (SELECT max(l.run_id) FROM cvm.run l WHERE l.portfolio = check_validation.portfolio AND l.holdout IS NOT NULL)
      AND r.status NOT IN ('succeeded', 'running');
$$;
COMMENT ON FUNCTION cvm.check_validation(text) IS 'The last validation by a job, where it has not succeeded: see cvm.check.';

CREATE FUNCTION cvm.check_jobs(portfolio text) RETURNS TABLE (level text, finding text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    jobs record;
BEGIN
    SELECT count(*) AS all_jobs, count(*) FILTER (WHERE j.holdout IS NULL) AS n, count(*) FILTER (WHERE j.holdout IS NOT NULL) AS validating,
           string_agg(j.job_id::text, ', ' ORDER BY j.job_id) FILTER (WHERE j.holdout IS NULL) AS ids,
           string_agg(j.job_id::text, ', ' ORDER BY j.job_id) FILTER (WHERE j.holdout IS NOT NULL) AS validating_ids,
           string_agg(j.job_id::text, ', ' ORDER BY j.job_id) FILTER (WHERE j.home <> cvm.database_identity()) AS paused,
           string_agg(j.job_id::text, ', ' ORDER BY j.job_id) FILTER (WHERE j.home = cvm.database_identity() AND NOT j.enabled) AS disabled
    INTO jobs FROM cvm.job j WHERE j.portfolio = check_jobs.portfolio;
    RETURN QUERY
    SELECT 'warning', f.finding, f.hint FROM (VALUES
        (1, jobs.n = 0, 'no job recomputes the portfolio', format('SELECT cvm.schedule(%L, every => ''1 day'');', portfolio)),
        (2, jobs.all_jobs > 0 AND NOT cvm.is_preloaded(), 'no background worker runs the portfolio''s jobs: the server has not preloaded cvm',
         cvm.preload_hint()),
        (3, jobs.all_jobs > 0 AND cvm.is_preloaded() AND NOT current_setting('cvm.worker_enabled', true)::boolean,
         'no background worker runs the portfolio''s jobs: cvm.worker_enabled is off', 'ALTER SYSTEM SET cvm.worker_enabled = on; SELECT pg_reload_conf();'),
        (4, jobs.n > 1, format('%s jobs recompute the portfolio: %s', jobs.n, jobs.ids), 'One is enough: SELECT cvm.unschedule(job_id) for the others.'),
        (4, jobs.validating > 1, format('%s jobs validate the portfolio: %s', jobs.validating, jobs.validating_ids), 'One is enough: SELECT cvm.unschedule(job_id) for the others.'),
        (5, jobs.paused IS NOT NULL, 'paused since this database was restored or copied: job ' || jobs.paused,
         'If this database is to work by itself: SELECT cvm.resume_jobs();'),
        (6, jobs.disabled IS NOT NULL, 'not enabled: job ' || jobs.disabled, 'SELECT cvm.alter_job(job_id, enabled => true);')
    ) AS f(position, applies, finding, hint) WHERE f.applies ORDER BY f.position;
END $$;
COMMENT ON FUNCTION cvm.check_jobs(text) IS 'Why the worker would not run a portfolio''s jobs, or twice: see cvm.check.';

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
    RETURN QUERY SELECT s.level, s.finding, s.hint FROM cvm.check_subscriptions(portfolio) s;
    RETURN QUERY SELECT a.level, a.finding, a.hint FROM cvm.check_attributes(portfolio) a;
    RETURN QUERY SELECT s.level, s.finding, s.hint FROM cvm.check_surveys(portfolio) s;
    RETURN QUERY SELECT t.level, t.finding, t.hint FROM cvm.check_touchpoints(portfolio) t;
    RETURN QUERY SELECT a.level, a.finding, a.hint FROM cvm.check_assignments(portfolio) a;
    RETURN QUERY SELECT r.level, r.finding, r.hint FROM cvm.check_rules(portfolio) r;
    RETURN QUERY SELECT r.level, r.finding, r.hint FROM cvm.check_reports(portfolio) r;
    SELECT r.status, r.started_at, e.message INTO last FROM cvm.run r LEFT JOIN cvm.run_error e USING (run_id)
    WHERE r.portfolio = check_findings.portfolio AND r.holdout IS NULL ORDER BY r.run_id DESC LIMIT 1;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'warning', 'the portfolio has never been recomputed', format('CALL cvm.recompute(%L);', portfolio);
    ELSIF last.status NOT IN ('succeeded', 'running') THEN
        RETURN QUERY SELECT 'warning', format('the last run %s%s',
                                CASE last.status WHEN 'cancelled' THEN 'was cancelled' ELSE last.status END,
                                ': ' || last.message), 'See cvm.job_runs.';
    END IF;
    RETURN QUERY SELECT v.level, v.finding, v.hint FROM cvm.check_validation(portfolio) v;
    RETURN QUERY SELECT r.level, r.finding, r.hint FROM cvm.check_models(portfolio) r;
    RETURN QUERY SELECT r.level, r.finding, r.hint FROM cvm.check_refits(portfolio) r;
    RETURN QUERY SELECT r.level, r.finding, r.hint FROM cvm.check_jobs(portfolio) r;
END $$;
COMMENT ON FUNCTION cvm.check_findings(text) IS 'What cvm.check returns; that one runs it as the portfolio''s owner.';

CREATE FUNCTION cvm.check(portfolio text) RETURNS TABLE (level text, finding text, hint text)
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'cvm_check';
COMMENT ON FUNCTION cvm.check(text) IS
'Whether a portfolio is ready to be recomputed, its feed, segment rules, models and jobs: one row per finding, with level error (a recompute would fail), warning or ok, and what to do about it. Reads the whole feed, as the portfolio''s owner. 42704 unknown portfolio, 42501 not permitted.';
