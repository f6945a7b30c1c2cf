-- report: the materialized views of a portfolio's schema
--
-- A report named R over feeds is the function cvm.R_report(portfolio), which resolves the feeds at the call
-- (so that their relations may be dropped and made again) and returns no rows before the first run.  The
-- recompute refreshes it in the publishing transaction, as of the published as_of, where one of its feeds is
-- mapped; where none is, it is empty.  A report's function raises where a feed can not be read or means
-- nothing: the run then fails, names the report, and what was published stays.
--
-- Those over the purchases feed alone read it once more each, which takes longer than the recompute itself:
-- they are made where the option reports names them (doc/metrics.md).
--
-- To add one: a row here, the function beside its measure, a line in cvm.output_dictionary.  The comments of
-- its columns are those of the composite type that the function returns.

CREATE FUNCTION cvm.output_reports() RETURNS TABLE (relation text, feeds text[], key text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
SELECT r.relation, r.feeds::text[], r.key FROM (VALUES
    ('segment_summary', '{}', 'segment'),
    ('cohort_retention', '{}', 'cohort_on, age_periods'),
    ('report_window', '{}', 'to_on'),
    ('current_value', '{purchases}', 'period_on, segment'),
    ('purchase_value', '{purchases}', 'customer'),
    ('cohorts', '{purchases}', 'cohort_on, age_periods'),
    ('churn_rates', '{purchases}', 'period_on, definition'),
    ('won_back', '{purchases}', 'customer, returned_on'),
    ('cross_sell', '{purchases}', 'dimension, name'),
    ('future_value', '{purchases}', 'segment'),
    ('category_rules', '{purchases}', 'antecedent, consequent'),
    ('next_categories', '{purchases}', 'customer, rank'),
    ('loyalty', '{purchases}', 'customer, entered_on'),
    ('acquisition', '{spend}', 'period_on, scope, name'),
    ('payback', '{spend}', 'cohort_on'),
    ('contribution', '{spend}', 'segment'),
    ('contract_retention', '{subscriptions}', 'period_on, segment'),
    ('retention_time', '{subscriptions}', 'segment'),
    ('deals', '{deals}', 'period_on, segment'),
    ('journey_stage', '{touchpoints}', 'position'),
    ('journey_gap', '{touchpoints}', 'position, gap'),
    ('experiment_result', '{assignments}', 'experiment, outcome, arm'),
    ('campaign_effect', '{touchpoints}', 'campaign, outcome'),
    ('nps_by_period', '{responses}', 'question, segment, is_total, period_on'),
    ('satisfaction_summary', '{responses}', 'question, breakdown, part'),
    ('answer_value', '{responses}', 'question, answer_class'),
    ('satisfaction_value', '{responses}', 'question, answer_class, value_tier'),
    ('response_bias', '{responses}', 'question, compared'),
    ('satisfaction_lead', '{responses}', 'question, relation'),
    ('review_summary', '{reviews}', 'source, is_total'),
    ('value_map', '{ratings}', 'supplier'),
    ('driver_importance', '{ratings}', 'outcome, attribute')
) AS r(relation, feeds, key);
END;
COMMENT ON FUNCTION cvm.output_reports() IS 'Materialized views of an output schema, the feeds any of which they need (none: they show what the recompute itself has written) and the columns of their unique index.';

CREATE FUNCTION cvm.report_columns(relation text) RETURNS TABLE (column_name text, description text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT a.attname::text, pg_catalog.col_description(a.attrelid, a.attnum)
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) p.prorettype
    JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) t.typrelid AND a.attnum OPERATOR(pg_catalog.>) 0
    WHERE p.proname OPERATOR(pg_catalog.=) (relation OPERATOR(pg_catalog.||) '_report')::pg_catalog.name
      AND p.pronamespace OPERATOR(pg_catalog.=) 'cvm'::pg_catalog.regnamespace;
END;
COMMENT ON FUNCTION cvm.report_columns(text) IS 'Columns of a report with what they mean, from the type of its rows.';

-- ---------- which and when ----------

CREATE FUNCTION cvm.check_report_options(options jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted jsonb := options -> 'reports';
    known text := (SELECT string_agg(format('"%s"', r.relation), ', ' ORDER BY r.relation) FROM cvm.output_reports() r WHERE r.feeds = '{purchases}');
    months float8 := cvm.option_number(options, 'report_months', 12, 1, false, 120);
BEGIN
    IF months <> trunc(months) THEN
        PERFORM cvm.bad_option('report_months', options -> 'report_months', 'a whole number of months, 1 to 120');
    ELSIF wanted IS NULL OR wanted IN ('null', '"all"') THEN
        RETURN;
    ELSIF jsonb_typeof(wanted) <> 'array'
          OR EXISTS (SELECT FROM jsonb_array_elements(wanted) AS e
                     WHERE jsonb_typeof(e) <> 'string' OR NOT EXISTS (SELECT FROM cvm.output_reports() r WHERE r.feeds = '{purchases}' AND r.relation = e #>> '{}')) THEN
        PERFORM cvm.bad_option('reports', wanted, format('"all", or an array of names out of %s', known));
    END IF;
END $$;
COMMENT ON FUNCTION cvm.check_report_options(jsonb) IS '22023 unless reports and report_months are in their domains.';

CREATE FUNCTION cvm.report_is_wanted(portfolio text, relation text) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
SELECT r.feeds = '{}' OR (EXISTS (SELECT FROM cvm.feed f WHERE f.portfolio = p.portfolio AND f.kind = ANY (r.feeds))
                          AND (r.feeds <> '{purchases}' OR coalesce(p.options -> 'reports' = '"all"'
                                                                    OR p.options -> 'reports' OPERATOR(pg_catalog.?) r.relation, false)))
FROM cvm.portfolio p CROSS JOIN cvm.output_reports() r
WHERE p.portfolio = report_is_wanted.portfolio AND r.relation = report_is_wanted.relation;
END;
COMMENT ON FUNCTION cvm.report_is_wanted(text, text) IS 'Whether a report of a portfolio has a feed, and if that is the purchases, is named by the option reports; NULL for an unknown portfolio or report.';

CREATE TYPE cvm.report_window_row AS (portfolio text, as_of timestamptz, from_on date, to_on date);
COMMENT ON TYPE cvm.report_window_row IS 'The window of a portfolio''s reports: row of report_window.';
COMMENT ON COLUMN cvm.report_window_row.portfolio IS 'portfolio';
COMMENT ON COLUMN cvm.report_window_row.as_of IS 'instant of the published numbers';
COMMENT ON COLUMN cvm.report_window_row.from_on IS 'first day of the window of the reports: report_months (12) before to_on';
COMMENT ON COLUMN cvm.report_window_row.to_on IS 'first day that is not in it: that of the month of as_of, so that all months are complete';

-- A report calls its measure with the portfolio of the window, not its own argument: where there is no window
-- nothing of the measure may be computed, in whatever order the planner joins what it has inlined.
CREATE FUNCTION cvm.report_months(portfolio text, relation text) RETURNS SETOF cvm.report_window_row
LANGUAGE plpgsql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present cvm.portfolio := cvm.own_portfolio(portfolio);
BEGIN
    IF cvm.report_is_wanted(portfolio, relation) THEN
        RETURN QUERY EXECUTE format('SELECT $3, p.as_of, (w.ends - make_interval(months => $2))::date, w.ends::date
            FROM %I.published p, LATERAL (SELECT date_trunc(''month'', p.as_of AT TIME ZONE $1) AS ends) w', present.output_schema)
        USING cvm.option_text(present.options, 'time_zone', 'UTC'), cvm.option_number(present.options, 'report_months', 12, 1, false, 120)::integer, portfolio;
    END IF;
END $$;
COMMENT ON FUNCTION cvm.report_months(text, text) IS 'Window of a portfolio''s reports: the complete months (option report_months, 12) up to the published as_of, in its time zone. No row before the first run, and for a report that is not wanted (cvm.report_is_wanted). 42704, 42501.';

CREATE FUNCTION cvm.report_window_report(portfolio text) RETURNS SETOF cvm.report_window_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT w.* FROM cvm.report_months(portfolio, 'report_window') w;
END;
COMMENT ON FUNCTION cvm.report_window_report(text) IS 'The window that the other reports show: complete months up to as_of, in the portfolio''s time zone.';

-- A view whose feed has gone is refreshed to be empty.
CREATE FUNCTION cvm.reports_to_refresh(portfolio text) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    report record;
    wanted boolean;
BEGIN
    FOR report IN
        SELECT r.relation, r.feeds, p.output_schema AS s,
               cvm.report_is_wanted(p.portfolio, r.relation) AS is_wanted
        FROM cvm.portfolio p CROSS JOIN cvm.output_reports() WITH ORDINALITY AS r(relation, feeds, key, position)
        WHERE p.portfolio = reports_to_refresh.portfolio ORDER BY r.position
    LOOP
        wanted := report.is_wanted;
        -- the owner may have dropped a report that nobody wants
        IF report.feeds <> '{}' AND to_regclass(format('%I.%I', report.s, report.relation)) IS NULL THEN
            wanted := false;
        ELSIF NOT wanted THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM %I.%I)', report.s, report.relation) INTO wanted;
        END IF;
        IF wanted THEN
            RETURN NEXT report.relation;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION cvm.reports_to_refresh(text) IS 'Materialized views that a recompute of the portfolio refreshes: those with a feed, and those that still have rows of a feed that is no longer mapped. One that its owner dropped is left out.';

CREATE FUNCTION cvm.has_published(portfolio text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %I.published p WHERE p.only_row)', (cvm.own_portfolio(portfolio)).output_schema) INTO result;
    RETURN result;
END $$;
COMMENT ON FUNCTION cvm.has_published(text) IS 'Whether a run of the portfolio has been published. 42704, 42501.';

-- Whole months before the published as_of, and its own up to it; no row where there is nothing to report.
CREATE FUNCTION cvm.report_window(portfolio text, kind text, months integer, OUT from_on date, OUT to_on date) RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present cvm.portfolio := cvm.own_portfolio(portfolio);
    as_of timestamptz;
BEGIN
    IF NOT EXISTS (SELECT FROM cvm.feed f WHERE f.portfolio = report_window.portfolio AND f.kind = report_window.kind) THEN
        RETURN;
    END IF;
    EXECUTE format('SELECT p.as_of FROM %I.published p WHERE p.only_row', present.output_schema) INTO as_of;
    IF as_of IS NULL THEN
        RETURN;
    END IF;
    to_on := (as_of AT TIME ZONE cvm.option_text(present.options, 'time_zone', 'UTC'))::date + 1;
    from_on := (date_trunc('month', to_on - 1) - months * interval '1 month')::date;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION cvm.report_window(text, text, integer) IS 'Window of a report: from the first day of the month so many months before that of the published as_of, to the day after the as_of, in the portfolio''s time zone. No row before the first run or without a feed of this kind.';

-- ---------- findings ----------

CREATE FUNCTION cvm.check_reports(portfolio text) RETURNS TABLE (level text, finding text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    options jsonb := (cvm.own_portfolio(portfolio)).options;
    columns jsonb := (SELECT f.columns FROM cvm.feed f WHERE f.portfolio = check_reports.portfolio AND f.kind = 'purchases');
    feed text;
BEGIN
    FOR feed IN SELECT f.kind FROM cvm.feed f WHERE f.portfolio = check_reports.portfolio AND f.kind IN ('spend', 'deals') ORDER BY 1 LOOP
        BEGIN
            PERFORM cvm.check_measured_feed(portfolio, feed);
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS finding = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
            level := 'error';
            RETURN NEXT;
        END;
    END LOOP;
    RETURN QUERY
    SELECT 'warning', format('the report %s is empty: %s', r.relation, CASE WHEN r.relation = 'loyalty' THEN 'there are no loyalty tiers' ELSE 'the purchases feed maps no category' END),
           CASE WHEN r.relation = 'loyalty' THEN 'Set the option loyalty_tiers.' ELSE 'Map the column category with cvm.add_feed.' END
    FROM cvm.output_reports() r
    WHERE options -> 'reports' ? r.relation
      AND ((r.relation = 'loyalty' AND NOT options ? 'loyalty_tiers')
           OR (r.relation IN ('cross_sell', 'future_value', 'category_rules', 'next_categories') AND NOT columns ? 'category'))
    ORDER BY r.relation;
END $$;
COMMENT ON FUNCTION cvm.check_reports(text) IS 'Feeds of reports with which a recompute would fail, and reports that are wanted and would be empty: see cvm.check.';
