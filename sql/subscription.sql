-- subscription: the feed of contracts, beside the purchases (src/recompute/subscription.c, retention.c; doc/subscriptions.md)

CREATE FUNCTION cvm.option_renewal(options jsonb) RETURNS interval
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result interval := cvm.option_interval(options, 'renewal', '1 month');
    months int := EXTRACT(year FROM result) * 12 + EXTRACT(month FROM result);
    days int := EXTRACT(day FROM result);
BEGIN
    -- whole days, so that a renewal is a day of the portfolio's time zone; ten years are longer than any price lasts
    IF EXTRACT(hour FROM result) <> 0 OR EXTRACT(minute FROM result) <> 0 OR EXTRACT(second FROM result) <> 0
       OR months < 0 OR days < 0 OR cvm.interval_seconds(result) > 10 * 365.25 * 86400 THEN
        PERFORM cvm.bad_option('renewal', options -> 'renewal', 'an interval of whole days, weeks, months or years, at most 10 years, such as "1 month"');
    END IF;
    RETURN result;
END $$;
COMMENT ON FUNCTION cvm.option_renewal(jsonb) IS 'The option "renewal", 1 month where it is not set; 22023 unless it is whole days, weeks, months or years, at most 10 years.';

-- The feed exists and its columns can be read: returns the cast of its customers to the type of the purchases'.
CREATE FUNCTION cvm.check_subscriptions_feed(portfolio text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    times CONSTANT oid[] := ARRAY['timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype];
    amounts CONSTANT oid[] := ARRAY['numeric'::regtype, 'float8'::regtype, 'float4'::regtype, 'int8'::regtype, 'int4'::regtype, 'int2'::regtype];
    relation oid := cvm.feed_relation(portfolio, 'subscriptions');
    columns jsonb := (SELECT f.columns FROM cvm.feed f WHERE f.portfolio = check_subscriptions_feed.portfolio AND f.kind = 'subscriptions');
    customer_cast text := cvm.customer_cast(portfolio, 'subscriptions', relation);
BEGIN
    PERFORM cvm.check_feed_type('subscriptions', 'started_at', cvm.feed_column(portfolio, 'subscriptions', relation, 'started_at'),
                                times, 'a timestamptz, a timestamp or a date');
    IF columns ? 'ended_at' THEN
        PERFORM cvm.check_feed_type('subscriptions', 'ended_at', cvm.feed_column(portfolio, 'subscriptions', relation, 'ended_at'),
                                    times, 'a timestamptz, a timestamp or a date');
    END IF;
    IF columns ? 'price' THEN
        PERFORM cvm.check_feed_type('subscriptions', 'price', cvm.feed_column(portfolio, 'subscriptions', relation, 'price'),
                                    amounts, 'numeric, double precision, real, bigint, integer or smallint');
    END IF;
    PERFORM cvm.check_feed_privilege(portfolio, 'subscriptions', relation);
    RETURN customer_cast;
END $$;
COMMENT ON FUNCTION cvm.check_subscriptions_feed(text) IS 'Raises unless the subscriptions feed exists, has its columns, their types can be read, its customers are those of the purchases and the owner may read it: 42704, 42P01, 42703, 42804, 42501. Returns cvm.customer_cast of its customers.';

-- Read by src/recompute/plan.c at the beginning of each run; no row without such a feed.
CREATE FUNCTION cvm.subscription_plan(portfolio text) RETURNS TABLE (
    query text, renewal interval, family text, paid_in_purchases boolean, specification jsonb, source jsonb, pinned_model_id bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET intervalstyle = 'postgres' AS $$
DECLARE
    options jsonb := (cvm.own_portfolio(portfolio)).options;
    feed cvm.feed;
    customer text;
    type oid;
BEGIN
    SELECT f.* INTO feed FROM cvm.feed f WHERE f.portfolio = subscription_plan.portfolio AND f.kind = 'subscriptions';
    IF NOT FOUND THEN
        RETURN;
    END IF;
    customer := format('f.%I%s', feed.columns ->> 'customer', cvm.check_subscriptions_feed(portfolio));
    type := (cvm.feed_column(portfolio, 'purchases', cvm.feed_relation(portfolio, 'purchases'), 'customer')).atttypid;
    query := format('SELECT %s, f.%I, %s, %s FROM %I.%I AS f', cvm.merged_customer(portfolio, customer, type), feed.columns ->> 'started_at',
                    coalesce('f.' || quote_ident(feed.columns ->> 'ended_at'), 'NULL::timestamptz'),
                    coalesce('f.' || quote_ident(feed.columns ->> 'price'), '0::int8'), feed.relation_schema, feed.relation_name)
        || cvm.alias_join(portfolio, customer, type);
    source := jsonb_build_object('relation', format('%I.%I', feed.relation_schema, feed.relation_name), 'columns', feed.columns);
    paid_in_purchases := coalesce((options ->> 'payments_in_purchases')::boolean, false);
    SELECT p.retention_model_id, m.specification INTO pinned_model_id, specification
    FROM cvm.promotion p LEFT JOIN cvm.fitted_model m ON m.model_id = p.retention_model_id AND m.portfolio = p.portfolio AND m.role = 'retention'
    WHERE p.portfolio = subscription_plan.portfolio;
    IF pinned_model_id IS NOT NULL AND specification IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('the pinned model %s is no retention model of portfolio "%s"', pinned_model_id, portfolio),
            HINT = 'cvm.unpin lets refits go live again, cvm.promote pins another model; cvm.models lists them.';
    END IF;
    specification := coalesce(specification, jsonb_build_object(
        'family', cvm.option_family(options, 'retention', 'sbg'), 'renewal', cvm.option_renewal(options),
        'time_zone', cvm.live_specification(portfolio) ->> 'time_zone'));
    family := specification ->> 'family';
    renewal := cvm.option_renewal(jsonb_build_object('renewal', specification -> 'renewal'));    -- a registry's rows are its owner's to write
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION cvm.subscription_plan(text) IS 'What a recompute of the portfolio would read of its subscriptions and with which options and pinned model, after checking the feed. Errors as of cvm.check_subscriptions_feed.';

CREATE FUNCTION cvm.no_purchases_level(portfolio text) RETURNS text
LANGUAGE sql STABLE
RETURN CASE WHEN EXISTS (SELECT FROM cvm.feed f WHERE f.portfolio = no_purchases_level.portfolio AND f.kind = 'subscriptions') THEN 'warning' ELSE 'error' END;
COMMENT ON FUNCTION cvm.no_purchases_level(text) IS 'What it means that there is nothing to fit purchase models on: an error, but a warning where there are subscriptions.';

-- A time as a day of the portfolio's time zone, as an expression over the feed's row.
CREATE FUNCTION cvm.local_day_expression(type oid, "column" text, time_zone text) RETURNS text
LANGUAGE sql STABLE
RETURN CASE WHEN "column" IS NULL THEN 'NULL::date'
            WHEN cvm.base_type(type) = 'timestamptz'::regtype THEN pg_catalog.format('(f.%I AT TIME ZONE %L)::date', "column", time_zone)
            ELSE pg_catalog.format('f.%I::date', "column") END;
COMMENT ON FUNCTION cvm.local_day_expression(oid, text, text) IS 'SQL of the day of a timestamptz, timestamp or date column f."column" in a time zone.';

CREATE FUNCTION cvm.check_subscription_rows(portfolio text) RETURNS TABLE (level text, finding text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    plan record;
    feed cvm.feed;
    buyers cvm.feed;
    zone text := cvm.option_text((cvm.own_portfolio(portfolio)).options, 'time_zone', 'UTC');
    relation oid := cvm.feed_relation(portfolio, 'subscriptions');
    price text;
    buyer text;
    type oid;
    n record;
    c record;
BEGIN
    SELECT * INTO plan FROM cvm.subscription_plan(portfolio);
    SELECT f.* INTO feed FROM cvm.feed f WHERE f.portfolio = check_subscription_rows.portfolio AND f.kind = 'subscriptions';
    SELECT f.* INTO buyers FROM cvm.feed f WHERE f.portfolio = check_subscription_rows.portfolio AND f.kind = 'purchases';
    buyer := format('f.%I', buyers.columns ->> 'customer');
    type := (cvm.feed_column(portfolio, 'purchases', cvm.feed_relation(portfolio, 'purchases'), 'customer')).atttypid;
    price := coalesce('f.' || quote_ident(feed.columns ->> 'price'), '0');
    EXECUTE format('SELECT count(*) AS row_count, count(*) FILTER (WHERE s.customer IS NULL) AS no_customer,
                           count(*) FILTER (WHERE s.started IS NULL) AS no_start, count(*) FILTER (WHERE s.price IS NULL) AS no_price,
                           count(*) FILTER (WHERE NOT isfinite(s.started) OR s.ended = ''-infinity'') AS odd_time,
                           count(*) FILTER (WHERE s.price IN (''NaN'', ''Infinity'', ''-Infinity'')) AS odd_price,
                           count(*) FILTER (WHERE s.price NOT IN (''NaN'', ''Infinity'', ''-Infinity'') AND s.price < 0) AS negative_price,
                           count(*) FILTER (WHERE s.price NOT IN (''NaN'', ''Infinity'', ''-Infinity'')
                                            AND (abs(s.price) >= 1e18 OR scale(trim_scale(s.price)) > 18)) AS long_price,
                           count(*) FILTER (WHERE s.ended < s.started AND isfinite(s.ended)) AS backwards,
                           count(*) FILTER (WHERE s.started > s.today) AS later,
                           count(*) FILTER (WHERE s.ended > s.today AND isfinite(s.ended)) AS ends_later,
                           count(*) FILTER (WHERE s.ended <= s.today) AS ended
                    FROM (SELECT f.%1$I AS customer, %2$s AS started, %3$s AS ended, %4$s::numeric AS price, (now() AT TIME ZONE %5$L)::date AS today
                          FROM %6$I.%7$I AS f) s',
                   feed.columns ->> 'customer',
                   cvm.local_day_expression((cvm.feed_column(portfolio, 'subscriptions', relation, 'started_at')).atttypid, feed.columns ->> 'started_at', zone),
                   CASE WHEN feed.columns ? 'ended_at' THEN
                       cvm.local_day_expression((cvm.feed_column(portfolio, 'subscriptions', relation, 'ended_at')).atttypid, feed.columns ->> 'ended_at', zone)
                   ELSE 'NULL::date' END,
                   price, zone, feed.relation_schema, feed.relation_name) INTO n;
    -- whatever functions of a view have set
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false);
    RETURN QUERY
    SELECT f.level, format('%s subscriptions %s', f.rows, f.finding), f.hint FROM (VALUES
        ('error', n.no_customer, 'have no customer', 'Map a view that leaves them out.'),
        ('error', n.no_start, 'have no start', 'Map a view that leaves them out.'),
        ('error', n.no_price, 'have no price', 'Map a view that gives them one; 0 is a free subscription.'),
        ('error', n.odd_time, 'have an infinite start, or ended before all time', 'Map a view that leaves them out; an end that is NULL or infinity means running.'),
        ('error', n.odd_price, 'have a price that is NaN or infinite', 'Map a view that leaves them out.'),
        ('error', n.negative_price, 'have a negative price', 'Refunds belong to the purchases feed.'),
        ('error', n.long_price, 'have a price of more than 18 digits before or after the point', 'Map a view that rounds them.'),
        ('error', n.backwards, 'end before they start', 'Map a view that mends them or leaves them out.'),
        ('warning', n.later, 'start in the future', 'A recompute leaves out and counts what starts after its as_of.'),
        ('warning', n.ends_later, 'end in the future', 'They count as running until then: what lies after as_of is not known.')
    ) AS f(level, rows, finding, hint) WHERE f.rows > 0;
    IF n.no_customer + n.no_start + n.no_price + n.odd_time + n.odd_price + n.negative_price + n.long_price + n.backwards > 0 THEN
        RETURN;
    END IF;
    EXECUTE format('SELECT (SELECT count(DISTINCT s.customer) FROM (
                               SELECT s.customer, s.started, max(coalesce(s.ended, ''infinity''::timestamptz))
                                      OVER (PARTITION BY s.customer ORDER BY s.started ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
                               FROM (%1$s) AS s(customer, started, ended, price)) s WHERE s.before > s.started) AS overlapping,
                           (SELECT count(DISTINCT s.customer) FROM (%1$s) AS s(customer, started, ended, price)) AS customers,
                           (SELECT count(*) FROM (SELECT DISTINCT s.customer FROM (%1$s) AS s(customer, started, ended, price)) s
                            WHERE EXISTS (SELECT FROM (SELECT %2$s AS customer FROM %3$I.%4$I AS f%5$s) p WHERE p.customer = s.customer)) AS both',
                   plan.query, cvm.merged_customer(portfolio, buyer, type), buyers.relation_schema, buyers.relation_name,
                   cvm.alias_join(portfolio, buyer, type)) INTO c;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false);
    RETURN QUERY
    SELECT f.level, f.finding, f.hint FROM (VALUES
        (1, n.row_count = 0, 'warning', 'the subscriptions feed is empty', 'Load subscriptions, or remove the feed with cvm.drop_feed.'),
        (2, NOT feed.columns ? 'price', 'warning', 'the subscriptions feed maps no price', 'Its customers count, but their subscriptions are worth 0.'),
        (3, NOT feed.columns ? 'ended_at', 'warning', 'the subscriptions feed maps no end', 'All subscriptions count as running for ever.'),
        (4, n.row_count > 0 AND n.ended < 50, 'warning', format('only %s subscriptions have ended', n.ended), 'Expect wide uncertainty of retention below some hundred.'),
        (5, c.overlapping > 0, 'warning', format('%s customers have subscriptions that overlap', c.overlapping),
         'Each is a contract of its own and their values add. Where a change of plan ends one and begins another, map a view that joins them.'),
        (6, c.both > 0 AND NOT plan.paid_in_purchases, 'warning', format('%s customers are in the purchases and in the subscriptions feed', c.both),
         'Their values add. If the purchases feed has the payments of subscriptions, set the option payments_in_purchases, or they count twice.'),
        (7, n.row_count > 0, 'ok', format('%s subscriptions of %s customers, %s of them ended', n.row_count, c.customers, n.ended), NULL)
    ) AS f(position, applies, level, finding, hint) WHERE f.applies ORDER BY f.position;
END $$;
COMMENT ON FUNCTION cvm.check_subscription_rows(text) IS 'Findings about the rows of a portfolio''s subscriptions feed: see cvm.check.';

CREATE FUNCTION cvm.check_subscriptions(portfolio text) RETURNS TABLE (level text, finding text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM cvm.feed f WHERE f.portfolio = check_subscriptions.portfolio AND f.kind = 'subscriptions') THEN
        RETURN QUERY SELECT r.level, r.finding, r.hint FROM cvm.check_subscription_rows(portfolio) r;
    END IF;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS finding = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    level := 'error';
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION cvm.check_subscriptions(text) IS 'Findings about a portfolio''s subscriptions feed, none without such a feed: see cvm.check.';
