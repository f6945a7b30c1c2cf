-- report: the materialized views of a portfolio's schema
--
-- A report named R over feeds is the function cvm.R_report(portfolio), which resolves the feeds at the call
-- (so that their relations may be dropped and made again) and returns no rows before the first run.  The
-- recompute refreshes it in the publishing transaction, as of the published as_of, where one of its feeds is
-- mapped; where none is, it is empty.  A report's function raises where a feed can not be read or means
-- nothing: the run then fails, names the report, and what was published stays.
--
-- To add one: a row here, the function beside its measure, a line in cvm.output_dictionary.  The comments of
-- its columns are those of the composite type that the function returns.

CREATE FUNCTION cvm.output_reports() RETURNS TABLE (relation text, feeds text[], key text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
SELECT r.relation, r.feeds::text[], r.key FROM (VALUES
    ('segment_summary', '{}', 'segment'),
    ('cohort_retention', '{}', 'cohort_on, age_periods'),
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

COMMENT ON FUNCTION cvm.output_reports() IS 'Materialized views of an output schema, the feeds any of which they need (none: they show what the recompute itself has written) and the columns of their unique index.';

-- Whether the reports that need feeds have one: a view whose feed has gone is refreshed to be empty.
CREATE FUNCTION cvm.reports_to_refresh(portfolio text) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    report record;
    wanted boolean;
BEGIN
    FOR report IN
        SELECT r.relation, r.feeds, p.output_schema AS s,
               r.feeds = '{}' OR EXISTS (SELECT FROM cvm.feed f WHERE f.portfolio = p.portfolio AND f.kind = ANY (r.feeds)) AS is_fed
        FROM cvm.portfolio p CROSS JOIN cvm.output_reports() WITH ORDINALITY AS r(relation, feeds, key, position)
        WHERE p.portfolio = reports_to_refresh.portfolio ORDER BY r.position
    LOOP
        wanted := report.is_fed;
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
