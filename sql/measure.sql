-- measure: how the measures of a window read a relation (doc/metrics.md)
--
-- A measure that needs rows, not columns, takes a relation and a mapping, as a feed
-- does, and a window of whole days from_on <= day < to_on in a time zone (journeys and
-- experiments, where the hour matters, read instants instead of days).  Functions
-- whose name ends in _of work on any relation; those without take a portfolio and
-- look its feeds up at the call.  All run with the rights of the caller, and with jit
-- off: compiling queries of this many expressions takes longer than most of them.

CREATE FUNCTION cvm.check_window(from_on date, to_on date) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' AS $$
BEGIN
    IF from_on IS NULL OR to_on IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'from_on and to_on must not be null';
    ELSIF NOT (isfinite(from_on) AND isfinite(to_on) AND from_on < to_on) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('a window can not be from %s to %s', from_on, to_on),
            HINT = 'The day to_on is the first that is not in the window, so it lies after from_on.';
    END IF;
END $$;
COMMENT ON FUNCTION cvm.check_window(date, date) IS 'Raises unless from_on < to_on, both finite: 22004 for NULL, else 22023.';

-- Whole periods from the first day of the window; the last may end after the window and is then cut.
CREATE FUNCTION cvm.window_periods(from_on date, to_on date, period interval)
RETURNS TABLE (n integer, starts_on date, ends_on date, is_complete boolean)
LANGUAGE plpgsql IMMUTABLE ROWS 36 SET search_path = pg_catalog, pg_temp SET intervalstyle = 'postgres' AS $$
BEGIN
    PERFORM cvm.check_window(from_on, to_on);
    -- a month less 30 days would begin later periods before earlier ones
    IF period IS NULL OR from_on + period < from_on + 1 OR (from_on + period)::date <> from_on + period
       OR extract(day FROM period) < 0 OR extract(month FROM period) < 0 OR extract(year FROM period) < 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('a period can not be %s', coalesce(period::text, 'null')),
            HINT = 'Give whole days, weeks, months or years, such as interval ''1 month''.';
    END IF;
    n := 0;
    starts_on := from_on;
    WHILE starts_on < to_on LOOP
        ends_on := from_on + (n + 1) * period;
        is_complete := ends_on <= to_on;
        ends_on := least(ends_on, to_on);
        RETURN NEXT;
        IF n >= 9999 THEN
            RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded',
                MESSAGE = 'a window has at most 10000 periods', HINT = 'Take a longer period or a shorter window.';
        END IF;
        n := n + 1;
        starts_on := from_on + n * period;
    END LOOP;
END $$;
COMMENT ON FUNCTION cvm.window_periods(date, date, interval) IS
'Periods of a window, counted from its first day: period n begins at from_on + n x period. The last is cut at to_on; is_complete says whether any is. 22023 unless from_on < to_on and the period is whole days, months or years, none of them negative; 54000 for more than 10000.';

-- A time as an instant: a timestamp is read in the time zone, a date is its midnight there.
CREATE FUNCTION cvm.instant_expression(type oid, "column" text, time_zone text) RETURNS text
LANGUAGE sql STABLE
RETURN CASE WHEN cvm.base_type(type) = 'timestamptz'::regtype THEN pg_catalog.format('f.%I::timestamptz', "column")
            ELSE pg_catalog.format('(f.%I::timestamp AT TIME ZONE %L)', "column", time_zone) END;
COMMENT ON FUNCTION cvm.instant_expression(oid, text, text) IS 'SQL of the instant of a timestamptz, timestamp or date column f."column" in a time zone.';

-- What a mapped column becomes: days, numbers and texts whatever the relation's own types.
CREATE FUNCTION cvm.measure_expression(relation regclass, role text, "column" text, time_zone text, instants boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    col pg_attribute;
    type oid;
    wanted text;
BEGIN
    SELECT a.* INTO col FROM pg_attribute a
    WHERE a.attrelid = relation AND a.attname = "column"::name AND a.attnum > 0 AND NOT a.attisdropped;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_column',
            MESSAGE = format('%s has no column "%s", which is mapped as %s', relation, "column", role),
            HINT = format('It has, the nearest first: %s.',
                          (SELECT string_agg(a.attname, ', ' ORDER BY cvm.edit_distance(lower(left("column", 63)), lower(a.attname)), a.attnum)
                           FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped));
    END IF;
    type := cvm.base_type(col.atttypid);
    IF role IN ('at', 'started_at', 'ended_at', 'opened_at', 'closed_at', 'invited_at') THEN
        IF type IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype) THEN
            RETURN CASE WHEN instants THEN cvm.instant_expression(type, "column", time_zone) ELSE cvm.local_day_expression(type, "column", time_zone) END;
        END IF;
        wanted := 'a timestamptz, a timestamp or a date';
    ELSIF role IN ('amount', 'cost', 'discount', 'price', 'tier', 'score', 'rating') THEN
        IF type IN ('numeric'::regtype, 'float8'::regtype, 'float4'::regtype, 'int8'::regtype, 'int4'::regtype, 'int2'::regtype) THEN
            -- NaN and infinity would spoil every sum
            RETURN format('CASE WHEN f.%1$I::numeric IN (''NaN'', ''Infinity'', ''-Infinity'') THEN cvm.argument(%2$L, f.%1$I::float8)::numeric ELSE f.%1$I::numeric END',
                          "column", role);
        END IF;
        wanted := 'numeric, double precision, real, bigint, integer or smallint';
    ELSIF role = 'won' THEN
        IF type = 'bool'::regtype THEN
            RETURN format('f.%I::boolean', "column");
        END IF;
        wanted := 'a boolean';
    ELSE
        RETURN format('f.%I::text', "column");
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
        MESSAGE = format('column "%s", mapped as %s, is of type %s', "column", role, format_type(col.atttypid, NULL)),
        DETAIL = format('It must be %s.', wanted), HINT = 'Map a view that casts the column.';
END $$;
COMMENT ON FUNCTION cvm.measure_expression(regclass, text, text, text, boolean) IS
'SQL of a mapped column f."column" as measures read it: the day of a time in the zone (or its instant), a number as numeric (22023 for NaN and infinity), anything else as text. 42703 no such column, 42804 a type that can not be read.';

-- Rows of several currencies in the portfolio's: as a recompute converts them (sql/money.sql), each at the rate of its order's day.
CREATE FUNCTION cvm.converted_source(portfolio text, roles text[], columns jsonb, source text, instants_in text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    options jsonb := (cvm.own_portfolio(portfolio)).options;
    validity integer := cvm.option_days(options, 'rate_validity', '7 days');
    key text := CASE WHEN columns ? 'refund_of' THEN 'coalesce(r.refund_of, r.order_id)' ELSE 'r.order_id' END;
    order_on text := 'r.at';
BEGIN
    IF columns ? 'order_id' THEN
        order_on := format('CASE WHEN %1$s IS NULL THEN r.at ELSE coalesce(min(r.at) FILTER (WHERE r.refund_of IS NULL) OVER (PARTITION BY r.customer, %1$s), r.at) END', key);
    END IF;
    IF instants_in IS NOT NULL THEN
        order_on := format('((%s) AT TIME ZONE %L)::date', order_on, instants_in);
    END IF;
    RETURN format('SELECT %s FROM (SELECT d.*, %s AS rate FROM (SELECT r.*, %s AS order_day FROM (%s) r) d LEFT JOIN (%s) r ON r.currency = d.currency COLLATE "C" AND r.day = d.order_day) c',
        (SELECT string_agg(format(CASE WHEN k IN ('amount', 'cost', 'discount') THEN 'trim_scale(c.%1$I * c.rate) AS %1$I' ELSE 'c.%I' END, k), ', ' ORDER BY n)
         FROM unnest(roles) WITH ORDINALITY AS u(k, n)),
        cvm.rate_expression(portfolio, options, 'true', validity, true), order_on, source, cvm.rates_source(portfolio, validity));
END $$;
COMMENT ON FUNCTION cvm.converted_source(text, text[], jsonb, text, text) IS
'SQL of purchases (whose times are days, or instants of a time zone) with amount, cost and discount in the portfolio''s currency, from a query with one column a role: at the rate of the day of their order (of a refund that of its order), by the portfolio''s feed of rates. Not rounded, so that what is paid back in full is 0. Raises as a recompute does: cvm.refuse_rate, 22023 without portfolio_currency.';

CREATE FUNCTION cvm.measure_source(kind text, relation regclass, columns jsonb, required text[], time_zone text, needed text[] DEFAULT '{}', cost_to_serve numeric DEFAULT 0, instants boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known text[] := (SELECT k.required || k.optional FROM cvm.feed_kinds k WHERE k.kind = measure_source.kind);
    wrong text;
    list text;
    body text;
    serving text := '0::numeric';
    customer text;
    aliases text := '';
BEGIN
    IF relation IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = format('the relation of %s must not be null', kind);
    ELSIF jsonb_typeof(columns) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'columns must be a JSON object', HINT = 'Such as {"customer": "customer_id", "at": "ordered_at"}.';
    END IF;
    SELECT r INTO wrong FROM unnest(required || needed) WITH ORDINALITY AS u(r, n) WHERE columns ->> r IS NULL ORDER BY n LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('the columns of %s must name "%s"', kind, wrong), HINT = format('Required: %s.', array_to_string(required || needed, ', '));
    END IF;
    SELECT c.key INTO wrong FROM jsonb_each(columns) AS c WHERE c.key <> ALL (known || '{portfolio}'::text[]) OR jsonb_typeof(c.value) <> 'string' ORDER BY c.key LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('%s has no column "%s" that can be mapped to %s', kind, wrong, columns -> wrong),
            HINT = format('Known columns: %s; each names a column of the relation.', array_to_string(known, ', '));
    END IF;
    IF columns ? 'currency' AND NOT columns ? 'portfolio' THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = 'amounts of several currencies can not be added up without their rates',
            HINT = 'Name a portfolio whose feed of rates converts them, as in {"portfolio": "shop"}; or map a view that has them in one currency, and leave the column currency out.';
    ELSIF columns ? 'refund_of' AND NOT columns ? 'order_id' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'refund_of is mapped without order_id', HINT = 'Map the column with the orders'' numbers as order_id.';
    END IF;
    PERFORM now() AT TIME ZONE time_zone;
    IF columns ? 'portfolio' THEN
        PERFORM cvm.own_portfolio(columns ->> 'portfolio');
    END IF;
    IF columns ?& '{portfolio,customer}' THEN
        PERFORM cvm.measure_expression(relation, 'customer', columns ->> 'customer', time_zone);
        SELECT cvm.merged_customer(columns ->> 'portfolio', format('f.%I', a.attname), a.atttypid) || '::text',
               cvm.alias_join(columns ->> 'portfolio', format('f.%I', a.attname), a.atttypid) INTO STRICT customer, aliases
        FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = (columns ->> 'customer')::name AND NOT a.attisdropped;
    END IF;
    SELECT string_agg(format('%s AS %I', CASE WHEN k = 'customer' AND customer IS NOT NULL THEN customer WHEN columns ? k THEN cvm.measure_expression(relation, k, columns ->> k, time_zone, instants)
                                              WHEN k IN ('at', 'started_at', 'ended_at', 'opened_at', 'closed_at', 'invited_at') THEN CASE WHEN instants THEN 'NULL::timestamptz' ELSE 'NULL::date' END
                                              WHEN k IN ('amount', 'cost', 'discount', 'price', 'tier', 'score', 'rating') THEN 'NULL::numeric'
                                              WHEN k = 'won' THEN 'NULL::boolean' ELSE 'NULL::text' END, k), ', ' ORDER BY n) INTO list
    FROM unnest(known) WITH ORDINALITY AS u(k, n);
    body := format('SELECT * FROM (SELECT %s FROM %s AS f%s) r WHERE %s', list, relation, aliases,
                   (SELECT string_agg(format(CASE WHEN k IN ('at', 'started_at', 'opened_at') THEN 'isfinite(r.%I)' ELSE 'r.%I IS NOT NULL' END, k), ' AND ')
                    FROM unnest(required) AS k));
    IF kind <> 'purchases' THEN
        RETURN body;
    END IF;
    body := body || ' AND r.at < $2';
    IF columns ? 'currency' THEN
        body := cvm.converted_source(columns ->> 'portfolio', known, columns, body, CASE WHEN instants THEN time_zone END);
    END IF;
    IF cvm.argument('cost_to_serve', cost_to_serve::float8, 0) IS DISTINCT FROM 0 THEN
        -- once an order, on its first row
        serving := format('CASE WHEN b.refund_of IS NULL AND b.amount - coalesce(b.discount, 0) >= 0
                                     AND (b.order_id IS NULL OR row_number() OVER (PARTITION BY b.customer, b.order_id, b.refund_of IS NULL AND b.amount - coalesce(b.discount, 0) >= 0
                                                                                  ORDER BY b.at, b.amount) = 1) THEN %L::numeric ELSE 0 END', cost_to_serve);
    END IF;
    IF columns ? 'order_id' THEN
        -- as in a recompute (sql/money.sql) all lines and refunds count on the day of the order, which is no purchase if nothing is left of it
        RETURN format('SELECT b.customer, CASE WHEN b.key IS NULL THEN b.at ELSE coalesce(min(b.at) FILTER (WHERE b.refund_of IS NULL) OVER w, b.at) END AS at,
                              b.net AS amount, b.order_id, CASE WHEN b.amount < 0 THEN coalesce(b.cost, 0) ELSE b.cost END AS cost, b.category, b.channel, b.campaign, b.tier, %s AS serving,
                              b.refund_of IS NULL AND b.net >= 0
                              AND (b.order_id IS NULL OR CASE WHEN coalesce(sum(b.net) FILTER (WHERE b.refund_of IS NOT NULL) OVER w, 0) = 0
                                                              THEN sum(b.net) FILTER (WHERE b.refund_of IS NULL) OVER w >= 0 ELSE sum(b.net) OVER w > 0 END) AS is_purchase
                       FROM (SELECT b.*, b.amount - coalesce(b.discount, 0) AS net, coalesce(b.refund_of, b.order_id) AS key FROM (%s) b) b
                       WINDOW w AS (PARTITION BY b.customer, b.key)', serving, body);
    END IF;
    RETURN format('SELECT b.customer, b.at, b.amount - coalesce(b.discount, 0) AS amount, b.order_id, CASE WHEN b.amount < 0 THEN coalesce(b.cost, 0) ELSE b.cost END AS cost, b.category, b.channel, b.campaign, b.tier, %s AS serving,
                          b.amount - coalesce(b.discount, 0) >= 0 AS is_purchase FROM (%s) b', serving, body);
END $$;
COMMENT ON FUNCTION cvm.measure_source(text, regclass, jsonb, text[], text, text[], numeric, boolean) IS
'SQL that reads a relation as a feed of this kind: one column a role, NULL where it is not mapped, days in the time zone. Roles that are needed must be mapped, those required must have a value too: rows without it or with an infinite day are left out. Of purchases only rows before $2, amounts less discount, lines and refunds on the day of their order where order_id and refund_of are mapped, the cost to serve of an order on its first row, and is_purchase. The key portfolio of the columns is no column: it names a portfolio whose aliases merge the customers and whose rates convert the amounts of a column currency. 22023 for a mapping that is wrong, 42703, 42804, 0A000 for a column currency without a portfolio, 42704 or 42501 for a portfolio.';

CREATE FUNCTION cvm.profit_expression(columns jsonb, margin numeric) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN columns OPERATOR(pg_catalog.?) 'cost' THEN 'p.amount - p.cost - p.serving'
            ELSE pg_catalog.format('p.amount * %L::numeric - p.serving', cvm.argument('margin', margin::float8, highest => 1)::numeric) END;
COMMENT ON FUNCTION cvm.profit_expression(jsonb, numeric) IS 'SQL of the profit of a row p of cvm.measure_source: amount less cost, where cost is mapped, else amount x margin, less the cost to serve. 22023 for a margin above 1 or not finite.';

-- Segments of customers: any relation with customer_id and segment.
CREATE FUNCTION cvm.segment_source(segments regclass) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF segments IS NULL THEN
        RETURN 'SELECT NULL::text AS customer, NULL::text AS segment WHERE false';
    END IF;
    RETURN format('SELECT %s AS customer, max(%s) AS segment FROM %s AS f GROUP BY 1',
                  cvm.measure_expression(segments, 'customer', 'customer_id', 'UTC'), cvm.measure_expression(segments, 'segment', 'segment', 'UTC'), segments);
END $$;
COMMENT ON FUNCTION cvm.segment_source(regclass) IS 'SQL of customer and segment from a relation with the columns customer_id and segment, of several rows of a customer the last in alphabetical order; no rows for NULL. 42703 without these columns.';

-- What the measures of a portfolio read.
CREATE FUNCTION cvm.measured_feed(portfolio text, kind text)
RETURNS TABLE (relation regclass, columns jsonb, time_zone text, margin numeric, cost_to_serve numeric, purchase_period interval, segments regclass, lifetimes regclass, model text)
LANGUAGE plpgsql STABLE ROWS 1 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present cvm.portfolio := cvm.own_portfolio(portfolio);
BEGIN
    relation := cvm.feed_relation(portfolio, kind);
    columns := (SELECT f.columns FROM cvm.feed f WHERE f.portfolio = measured_feed.portfolio AND f.kind = measured_feed.kind);
    IF columns ? 'currency' OR cvm.has_aliases(portfolio) THEN
        columns := columns || jsonb_build_object('portfolio', portfolio);
    END IF;
    time_zone := cvm.option_text(present.options, 'time_zone', 'UTC');
    margin := coalesce((present.options ->> 'margin')::numeric, 1);
    cost_to_serve := coalesce((present.options ->> 'cost_to_serve')::numeric, 0);
    purchase_period := cvm.option_interval(present.options, 'period', '1 day');
    segments := format('%I.segment_member', present.output_schema);
    lifetimes := format('%I.clv', present.output_schema);
    model := (SELECT m.model::text FROM cvm.fitted_model m WHERE m.portfolio = measured_feed.portfolio AND m.role = 'purchases' AND m.status = 'live'
              ORDER BY m.model_id DESC LIMIT 1);
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION cvm.measured_feed(text, text) IS 'A feed of a portfolio, resolved now, with the options, segments, lifetime values and live purchase model that measures of it use. 42704 unknown portfolio or no such feed, 42P01 the relation is gone, 42501 not permitted.';

-- Money of purchases as the recompute counts it, to the instant.
CREATE FUNCTION cvm.purchase_source(portfolio text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    options jsonb := (cvm.own_portfolio(portfolio)).options;
    time_zone text := cvm.option_text(options, 'time_zone', 'UTC');
    feed record;
BEGIN
    SELECT f.relation, f.columns INTO feed FROM cvm.measured_feed(portfolio, 'purchases') f;
    IF cvm.has_money_columns(options, feed.columns) THEN
        RETURN format('SELECT q.customer::text AS customer, q.at, q.amount, q.is_purchase FROM (%s) AS q(customer, at, amount, is_purchase, rows)
                       WHERE q.customer IS NOT NULL AND isfinite(q.at) AND q.amount IS NOT NULL AND q.at < $2',
                      cvm.purchases_query(portfolio, time_zone, options));
    END IF;
    RETURN format('SELECT q.customer, q.at, q.amount, q.is_purchase FROM (%s) AS q',
                  cvm.measure_source('purchases', feed.relation, feed.columns, '{customer,at,amount}', time_zone, instants => true));
END $$;
COMMENT ON FUNCTION cvm.purchase_source(text) IS
'SQL of customer (text), at (instant), amount and is_purchase of a portfolio''s purchases, amounts in its currency on its value basis as a recompute counts them; $1 is as_of, $2 the first instant after it. Errors of cvm.purchases_query and cvm.measure_source.';

CREATE FUNCTION cvm.check_measured_feed(portfolio text, kind text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation oid := cvm.feed_relation(portfolio, kind);
    columns jsonb := (SELECT f.columns FROM cvm.feed f WHERE f.portfolio = check_measured_feed.portfolio AND f.kind = check_measured_feed.kind);
BEGIN
    PERFORM cvm.measure_source(kind, relation, columns, (SELECT k.required FROM cvm.feed_kinds k WHERE k.kind = check_measured_feed.kind), 'UTC');
    PERFORM cvm.check_feed_privilege(portfolio, kind, relation);
END $$;
COMMENT ON FUNCTION cvm.check_measured_feed(text, text) IS 'Raises unless a spend, deals, touchpoints or assignments feed exists, has its columns, their types can be read and the owner may read them: 42704, 42P01, 42703, 42804, 42501.';

-- A feed that measures read: whether it can be, and what of its rows is left out.
CREATE FUNCTION cvm.check_measured_rows(portfolio text, kind text, required text[]) RETURNS TABLE (level text, finding text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    feed cvm.feed;
    n record;
BEGIN
    SELECT f.* INTO feed FROM cvm.feed f WHERE f.portfolio = check_measured_rows.portfolio AND f.kind = check_measured_rows.kind;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    BEGIN
        PERFORM cvm.check_measured_feed(portfolio, kind);
        EXECUTE format('SELECT count(*) FILTER (WHERE %s) AS lacking, count(*) FILTER (WHERE NOT isfinite(f.%I)) AS odd, count(*) FILTER (WHERE isfinite(f.%2$I) AND f.%2$I > now()) AS later, %4$s AS endless FROM %3$s AS f',
                       (SELECT string_agg(format('f.%I IS NULL', feed.columns ->> r), ' OR ') FROM unnest(required) AS r), feed.columns ->> 'at',
                       format('%I.%I', feed.relation_schema, feed.relation_name),
                       CASE WHEN feed.columns ? 'cost' THEN format('count(*) FILTER (WHERE f.%I::numeric IN (''NaN'', ''Infinity'', ''-Infinity''))', feed.columns ->> 'cost') ELSE '0' END) INTO n;
        -- a function of the feed may have set another
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS finding = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
        level := 'error';
        hint := coalesce(nullif(hint, ''), format('It comes from reading %I.%I, the feed of %s.', feed.relation_schema, feed.relation_name, kind));
        RETURN NEXT;
        RETURN;
    END;
    IF n.endless > 0 THEN
        RETURN QUERY SELECT 'error', cvm.counted(n.endless, '%s row', '%s rows') || format(' of %s with a cost that is not a finite number', kind), 'A recompute stops there (22023): correct it, or make it NULL.';
    END IF;
    RETURN QUERY
    SELECT 'warning', f.finding, f.hint FROM (VALUES
        (n.lacking, cvm.counted(n.lacking, '%s row', '%s rows') || format(' of %s without %s or %s', kind, array_to_string(trim_array(required, 1), ', '), required[cardinality(required)]), 'They are left out.'),
        (n.odd, cvm.counted(n.odd, '%s row', '%s rows') || format(' of %s at an infinite time', kind), 'They are left out.'),
        (n.later, cvm.counted(n.later, '%s row', '%s rows') || format(' of %s in the future', kind), 'What lies after as_of is left out.')
    ) AS f(n, finding, hint) WHERE f.n > 0;
END $$;
COMMENT ON FUNCTION cvm.check_measured_rows(text, text, text[]) IS 'Findings about a feed of touchpoints or assignments: see cvm.check.';
