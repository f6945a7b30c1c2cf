-- money: refunds, currencies and costs of the purchases feed, before anything is counted (doc/money.md)
--
-- A feed whose optional columns say nothing of this is read as it is.  Otherwise the
-- recompute reads the query that cvm.purchases_query writes over the relation: one
-- row per order and per row without one, its amount in the portfolio's currency and
-- on its value basis, and whether it is a purchase.  Everything of one order is
-- brought together by sorting, never by a join, so that keys of any sortable type
-- do and nothing is kept in memory beyond work_mem.

-- ---------- what a value is ----------

CREATE FUNCTION cvm.value_basis(options jsonb, columns jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(options ->> 'value_basis',
                CASE WHEN columns OPERATOR(pg_catalog.?) 'cost' OR (options ->> 'margin')::numeric < 1 THEN 'gross_margin' ELSE 'revenue' END);
COMMENT ON FUNCTION cvm.value_basis(jsonb, jsonb) IS
'What the values of a portfolio with these options and columns of the purchases feed are: revenue (amounts, less the discounts that are mapped), gross_margin (revenue less cost, or revenue x margin) or net_contribution (revenue less cost and cost_to_serve). Unless the option value_basis says so: gross_margin where cost is mapped or margin is below 1, else revenue.';

CREATE FUNCTION cvm.check_value_basis(options jsonb, columns jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    basis text := cvm.value_basis(options, columns);
    has_margin boolean := coalesce((options ->> 'margin')::numeric < 1, false);
BEGIN
    IF basis = 'net_contribution' AND NOT columns ? 'cost' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the value basis net_contribution needs the cost of every order',
            HINT = 'Map the column cost of the purchases feed with cvm.add_feed.';
    ELSIF basis = 'gross_margin' AND NOT columns ? 'cost' AND NOT has_margin THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the value basis gross_margin needs costs or a margin',
            HINT = 'Map the column cost of the purchases feed with cvm.add_feed, or set the option margin.';
    ELSIF has_margin AND (basis <> 'gross_margin' OR columns ? 'cost') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = CASE basis WHEN 'revenue' THEN 'the value basis revenue has no margin'
                                 ELSE 'costs and a margin can not both be taken off an amount' END,
            DETAIL = format('The option margin is %s, the value basis %s%s.', options -> 'margin', basis,
                            CASE WHEN columns ? 'cost' THEN ' and the column cost is mapped' ELSE '' END),
            HINT = 'Return it to its default with {"margin": null}'
                || CASE WHEN basis = 'revenue' THEN ', or set value_basis to gross_margin.' ELSE ', or map the feed without cost.' END;
    ELSIF options ->> 'cost_to_serve' IS NOT NULL AND basis <> 'net_contribution' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('a cost to serve is no part of the value basis %s', basis),
            HINT = 'Set value_basis to net_contribution, or return cost_to_serve to its default with {"cost_to_serve": null}.';
    END IF;
    RETURN basis;
END $$;
COMMENT ON FUNCTION cvm.check_value_basis(jsonb, jsonb) IS 'The value basis; 22023 if costs or a margin are missing for it, or would be taken off twice.';

CREATE FUNCTION cvm.check_money_options(options jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    validity interval := cvm.option_interval(options, 'rate_validity', '7 days');
BEGIN
    IF cvm.option_text(options, 'value_basis', 'revenue') NOT IN ('revenue', 'gross_margin', 'net_contribution') THEN
        PERFORM cvm.bad_option('value_basis', options -> 'value_basis', '"revenue", "gross_margin" or "net_contribution"');
    END IF;
    PERFORM cvm.option_number(options, 'cost_to_serve', 0, 0, false, 1e12);
    IF validity <> make_interval(days => EXTRACT(day FROM validity)::integer)
       OR EXTRACT(month FROM validity) <> 0 OR EXTRACT(year FROM validity) <> 0 OR EXTRACT(day FROM validity) NOT BETWEEN 1 AND 366 THEN
        PERFORM cvm.bad_option('rate_validity', options -> 'rate_validity', '1 to 366 whole days, such as "7 days"');
    END IF;
END $$;
COMMENT ON FUNCTION cvm.check_money_options(jsonb) IS '22023 unless value_basis, cost_to_serve and rate_validity are in their domains.';

-- ---------- columns ----------

-- Rows of one order are brought together by sorting.
CREATE FUNCTION cvm.check_sortable(portfolio text, relation oid, role text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    type text := format_type((cvm.feed_column(portfolio, 'purchases', relation, role)).atttypid, NULL);
BEGIN
    EXECUTE format('SELECT row_number() OVER (PARTITION BY s.key) FROM (SELECT NULL::%s AS key) s', type);
EXCEPTION WHEN undefined_function THEN
    RAISE EXCEPTION USING ERRCODE = 'undefined_function',
        MESSAGE = format('rows can not be sorted by %s, of type %s', role, type),
        DETAIL = 'The rows of an order (column order_id) are found by sorting.',
        HINT = 'Map a view that casts the column, to text for example, or leave order_id out.';
END $$;
COMMENT ON FUNCTION cvm.check_sortable(text, oid, text) IS '42883 unless the type of a column of the purchases feed can be sorted.';

CREATE FUNCTION cvm.check_purchase_columns(portfolio text, relation oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    columns jsonb := (SELECT f.columns FROM cvm.feed f WHERE f.portfolio = check_purchase_columns.portfolio AND f.kind = 'purchases');
    amounts CONSTANT oid[] := '{numeric,float8,float4,int8,int4,int2}'::regtype[];
    role text;
    col pg_attribute;
    order_id pg_attribute;
BEGIN
    IF columns ? 'order_id' THEN
        PERFORM cvm.check_sortable(portfolio, relation, 'customer');
        PERFORM cvm.check_sortable(portfolio, relation, 'order_id');
    END IF;
    IF columns ? 'refund_of' AND NOT columns ? 'order_id' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'refund_of is mapped without order_id', DETAIL = 'A refund names the order_id of its order.',
            HINT = 'Map the column with the orders'' numbers as order_id.';
    END IF;
    FOR role IN SELECT k FROM jsonb_object_keys(columns) AS k WHERE k NOT IN ('customer', 'at', 'amount') ORDER BY k LOOP
        col := cvm.feed_column(portfolio, 'purchases', relation, role);
        IF role IN ('cost', 'discount', 'tier') THEN
            PERFORM cvm.check_feed_type('purchases', role, col, amounts, 'numeric, double precision, real, bigint, integer or smallint');
        ELSIF role = 'currency' THEN
            PERFORM cvm.check_feed_type('purchases', role, col, '{text,varchar,bpchar}'::regtype[], 'text, varchar or char');
        ELSIF role = 'refund_of' THEN
            order_id := cvm.feed_column(portfolio, 'purchases', relation, 'order_id');
            PERFORM cvm.check_feed_type('purchases', role, col, ARRAY[cvm.base_type(order_id.atttypid)],
                                        format('of the type of order_id, %s', format_type(order_id.atttypid, NULL)));
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION cvm.check_purchase_columns(text, oid) IS 'Raises unless the optional columns that are mapped exist and are of types that can be read: 42703, 42804; 22023 refund_of without order_id.';

CREATE FUNCTION cvm.check_rates_feed(portfolio text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation oid := cvm.feed_relation(portfolio, 'rates');
BEGIN
    PERFORM cvm.check_feed_type('rates', 'currency', cvm.feed_column(portfolio, 'rates', relation, 'currency'),
                                '{text,varchar,bpchar}'::regtype[], 'text, varchar or char');
    PERFORM cvm.check_feed_type('rates', 'on', cvm.feed_column(portfolio, 'rates', relation, 'on'), ARRAY['date'::regtype], 'a date');
    PERFORM cvm.check_feed_type('rates', 'rate', cvm.feed_column(portfolio, 'rates', relation, 'rate'),
                                '{numeric,float8,float4,int8,int4,int2}'::regtype[], 'numeric, double precision, real, bigint, integer or smallint');
    PERFORM cvm.check_feed_privilege(portfolio, 'rates', relation);
END $$;
COMMENT ON FUNCTION cvm.check_rates_feed(text) IS 'Raises unless the rates feed exists, has its columns, their types can be read and the owner may read them: 42704, 42P01, 42703, 42804, 42501.';

-- ---------- what can not be valued ----------

CREATE FUNCTION cvm.refuse_rate(portfolio text, currency text, day date, rate numeric, ambiguous boolean, validity integer) RETURNS numeric
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' AS $$
BEGIN
    IF currency IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = format('the purchases feed of portfolio "%s" has a row without a currency, on %s', portfolio, day),
            HINT = 'Map a view that fills it in; cvm.check counts such rows.';
    ELSIF ambiguous THEN
        RAISE EXCEPTION USING ERRCODE = 'cardinality_violation',
            MESSAGE = format('the rates feed of portfolio "%s" has more than one rate of "%s" for %s, or none in its row', portfolio, currency, day),
            HINT = 'Map a view with one rate a currency and day.';
    ELSIF rate IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found',
            MESSAGE = format('portfolio "%s" has no rate of "%s" for %s', portfolio, currency, day),
            DETAIL = format('The rates feed must have one on that day or at most %s days before (option rate_validity).', validity),
            HINT = 'Add it to the rates feed, see cvm.add_feed; cvm.check lists what is missing.';
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
        MESSAGE = format('the rate of "%s" for %s is %s', currency, day, rate),
        DETAIL = 'A rate is a number above 0: units of the portfolio''s currency for one of the other.',
        HINT = 'Correct it in the rates feed.';
END $$;
COMMENT ON FUNCTION cvm.refuse_rate(text, text, date, numeric, boolean, integer) IS 'Raises about a currency on a day: 22004 no currency, 02000 no rate, 21000 two rates, 22023 a rate that is not above 0.';

CREATE FUNCTION cvm.refuse_cost(portfolio text, customer text) RETURNS numeric
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
        MESSAGE = format('the purchases feed of portfolio "%s" has an order without a cost', portfolio),
        DETAIL = format('It belongs to customer %s.', customer),
        HINT = 'Map a view that gives every order a cost (0 if it has none); cvm.check counts them.';
END $$;
COMMENT ON FUNCTION cvm.refuse_cost(text, text) IS 'Raises 22004 about an order without a cost.';

CREATE FUNCTION cvm.refuse_money(portfolio text, customer text, role text, value numeric) RETURNS numeric
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
        MESSAGE = format('the purchases feed of portfolio "%s" has a row with a %s that is %s', portfolio, role, value),
        DETAIL = format('It belongs to customer %s.', customer),
        HINT = 'Map a view that gives every row a finite one.';
END $$;
COMMENT ON FUNCTION cvm.refuse_money(text, text, text, numeric) IS 'Raises 22023 about a cost or discount that is NaN or infinite.';

CREATE FUNCTION cvm.money_or_none(portfolio text, role text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN pg_catalog.format('CASE WHEN d.%1$I IS NULL THEN 0 WHEN abs(d.%1$I) < ''Infinity'' THEN d.%1$I ELSE cvm.refuse_money(%2$L, d.customer::text, %1$L, d.%1$I) END', role, portfolio);
COMMENT ON FUNCTION cvm.money_or_none(text, text) IS 'SQL of a cost or discount of d, 0 where there is none; what is no number raises (cvm.refuse_money).';

-- ---------- the query ----------

CREATE FUNCTION cvm.decimal_of(col text, type oid) RETURNS text
LANGUAGE sql STABLE
RETURN pg_catalog.format(CASE cvm.base_type(type) WHEN 'float8'::regtype THEN 'round(f.%I::numeric, 18)'
                                       WHEN 'float4'::regtype THEN 'round(f.%I::text::numeric, 18)' ELSE 'f.%I::numeric' END, col);
COMMENT ON FUNCTION cvm.decimal_of(text, oid) IS 'SQL of a column of f as an exact decimal, a float as the decimal it is read as elsewhere.';

CREATE FUNCTION cvm.optional_decimal(portfolio text, relation oid, role text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    columns jsonb := (SELECT f.columns FROM cvm.feed f WHERE f.portfolio = optional_decimal.portfolio AND f.kind = 'purchases');
BEGIN
    IF NOT columns ? role THEN
        RETURN '0::numeric';
    END IF;
    RETURN cvm.decimal_of(columns ->> role, (cvm.feed_column(portfolio, 'purchases', relation, role)).atttypid);
END $$;
COMMENT ON FUNCTION cvm.optional_decimal(text, oid, text) IS 'SQL of a column of the purchases feed as an exact decimal, 0 where none is mapped.';

CREATE FUNCTION cvm.rates_source(portfolio text, validity integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    feed record;
    relation oid;
BEGIN
    SELECT f.relation_schema, f.relation_name, f.columns INTO feed FROM cvm.feed f WHERE f.portfolio = rates_source.portfolio AND f.kind = 'rates';
    IF NOT FOUND THEN
        RETURN 'SELECT NULL::text COLLATE "C" AS currency, NULL::date AS day, NULL::numeric AS rate, false AS ambiguous WHERE false';
    END IF;
    PERFORM cvm.check_rates_feed(portfolio);
    relation := cvm.feed_relation(portfolio, 'rates');
    -- a rate holds until the next one, so many days at most: one row a currency and day, to be joined by hashing
    -- (the days as a list, since the planner knows how many it has)
    RETURN format('SELECT k.currency, k.known_on + g.i AS day, k.rate, k.ambiguous
        FROM (SELECT s.currency, s.known_on, s.rate, s.ambiguous, lead(s.known_on) OVER (PARTITION BY s.currency ORDER BY s.known_on) AS next_on
              FROM (SELECT f.%1$I::text COLLATE "C" AS currency, f.%2$I::date AS known_on, min(%3$s) AS rate,
                           count(*) > count(f.%4$I) OR min(%3$s) <> max(%3$s) AS ambiguous
                    FROM %5$I.%6$I AS f WHERE isfinite(f.%2$I) GROUP BY 1, 2) s) k
        JOIN unnest(%7$L::integer[]) AS g(i) ON g.i = 0 OR k.known_on + g.i < coalesce(k.next_on, ''infinity'')',
        feed.columns ->> 'currency', feed.columns ->> 'on',
        cvm.decimal_of(feed.columns ->> 'rate', (cvm.feed_column(portfolio, 'rates', relation, 'rate')).atttypid),
        feed.columns ->> 'rate', feed.relation_schema, feed.relation_name, ARRAY(SELECT generate_series(0, validity)));
END $$;
COMMENT ON FUNCTION cvm.rates_source(text, integer) IS 'SQL of the rates feed, one row per currency and day on which a rate holds: that of the day, else the last one of at most so many days before.';

CREATE FUNCTION cvm.option_days(options jsonb, option text, default_value interval) RETURNS integer
LANGUAGE sql STABLE
RETURN EXTRACT(day FROM cvm.option_interval(options, option, default_value))::integer;
COMMENT ON FUNCTION cvm.option_days(jsonb, text, interval) IS 'Value of an option of whole days.';

CREATE FUNCTION cvm.rate_expression(portfolio text, options jsonb, is_seen text, validity integer, strict boolean) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    home text := cvm.option_text(options, 'portfolio_currency', NULL);
BEGIN
    IF home IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the column currency is mapped, and the portfolio''s own currency is not known',
            HINT = 'Set it with the option portfolio_currency, such as {"portfolio_currency": "EUR"}.';
    END IF;
    RETURN format('CASE WHEN NOT %s OR d.currency = %L THEN 1 WHEN r.rate > 0 AND r.rate < ''Infinity'' AND NOT r.ambiguous THEN r.rate ELSE %s END', is_seen, home,
                  CASE WHEN strict THEN format('cvm.refuse_rate(%L, d.currency, d.order_day, r.rate, r.ambiguous, %s)', portfolio, validity) ELSE 'NULL' END);
END $$;
COMMENT ON FUNCTION cvm.rate_expression(text, jsonb, text, integer, boolean) IS
'SQL of the rate of a row d (currency, order_day) that is joined to r, its row of cvm.rates_source: 1 in the portfolio''s own currency and where is_seen is false. strict: what has no rate raises (cvm.refuse_rate) instead of being NULL. 22023 without portfolio_currency.';

-- Stages: line, a row of the feed; dated, when its order was; valued, its money; grouped, its order, where orders have numbers.
CREATE FUNCTION cvm.money_query(portfolio text, time_zone text, options jsonb, strict boolean) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    feed cvm.feed;
    relation oid := cvm.feed_relation(portfolio, 'purchases');
    at pg_attribute := cvm.feed_column(portfolio, 'purchases', relation, 'at');
    validity integer := cvm.option_days(options, 'rate_validity', '7 days');
    customer text;
    type oid;
    instant text;
    key text := 'NULL::text';
    order_at text := 'l.instant';
    cost text := '0';
    rate text := '1';
    rates text := '';
BEGIN
    SELECT f.* INTO STRICT feed FROM cvm.feed f WHERE f.portfolio = money_query.portfolio AND f.kind = 'purchases';
    customer := format('f.%I', feed.columns ->> 'customer');
    type := (cvm.feed_column(portfolio, 'purchases', relation, 'customer')).atttypid;
    instant := CASE cvm.base_type(at.atttypid)
                   WHEN 'timestamptz'::regtype THEN format('f.%I::timestamptz', at.attname)
                   ELSE format('(f.%I::timestamp AT TIME ZONE %L)', at.attname, time_zone) END;
    IF feed.columns ? 'refund_of' THEN
        key := format('coalesce(f.%I, f.%I)', feed.columns ->> 'refund_of', feed.columns ->> 'order_id');
    ELSIF feed.columns ? 'order_id' THEN
        key := format('f.%I', feed.columns ->> 'order_id');
    END IF;
    IF feed.columns ? 'cost' AND cvm.value_basis(options, feed.columns) <> 'revenue' THEN
        cost := format('CASE WHEN NOT d.is_seen THEN 0 WHEN d.cost IS NULL AND NOT d.is_refund AND d.amount >= 0 THEN %s ELSE %s END',
                       CASE WHEN strict THEN format('cvm.refuse_cost(%L, d.customer::text)', portfolio) ELSE 'NULL' END,
                       CASE WHEN strict THEN cvm.money_or_none(portfolio, 'cost') ELSE 'coalesce(d.cost, 0)' END);
    END IF;
    IF feed.columns ? 'currency' THEN
        rate := cvm.rate_expression(portfolio, options, 'd.is_seen', validity, strict);
        rates := format('LEFT JOIN (%s) r ON r.currency = d.currency AND r.day = d.order_day', cvm.rates_source(portfolio, validity));
        IF feed.columns ? 'order_id' THEN
            order_at := 'CASE WHEN l.order_key IS NOT DISTINCT FROM NULL THEN l.instant
                ELSE coalesce(min(l.instant) FILTER (WHERE NOT l.is_refund) OVER (PARTITION BY l.customer, l.order_key), l.instant) END';
        END IF;
    END IF;
    RETURN format('WITH line AS (
            SELECT l.*, CASE WHEN l.is_seen THEN l.any_key END AS order_key, row_number() OVER () AS line_no
            FROM (SELECT %1$s AS customer, %2$s AS instant, %3$s AS amount, %4$s AS any_key, %5$s AS is_refund,
                         %6$s AS discount, %7$s AS cost, %8$s AS currency,
                         %19$s IS DISTINCT FROM NULL AND coalesce(%2$s <= $1, false) AND f.%9$I IS NOT NULL AS is_seen
                  FROM %10$I.%11$I AS f%18$s) l),
        dated AS (SELECT l.*, %12$s AS order_at FROM line l),
        valued AS (
            SELECT v.*, v.paid * v.rate AS revenue, (v.paid - v.all_cost) * v.rate AS value
            FROM (SELECT d.*, CASE WHEN d.is_seen THEN d.amount - %17$s ELSE d.amount END AS paid, %13$s AS all_cost, %14$s AS rate
                  FROM (SELECT d.*, (d.order_at AT TIME ZONE %15$L)::date AS order_day FROM dated d) d %16$s) v),
        grouped AS (
            SELECT v.customer, min(v.instant) FILTER (WHERE NOT v.is_refund) AS order_at, min(v.instant) AS first_at, bool_and(v.is_seen) AS is_seen,
                   sum(v.revenue) FILTER (WHERE NOT v.is_refund) AS gross, sum(v.revenue) FILTER (WHERE v.is_refund) AS refunded,
                   sum(v.value) AS value, count(*) AS rows,
                   array_agg(v.instant) FILTER (WHERE v.is_refund) AS refund_at,
                   array_agg(v.revenue) FILTER (WHERE v.is_refund) AS refund_revenue, array_agg(v.value) FILTER (WHERE v.is_refund) AS refund_value
            FROM valued v GROUP BY v.customer, v.order_key, CASE WHEN v.order_key IS NOT DISTINCT FROM NULL THEN v.line_no END)',
        cvm.merged_customer(portfolio, customer, type), instant, cvm.optional_decimal(portfolio, relation, 'amount'), key,
        CASE WHEN feed.columns ? 'refund_of' THEN format('f.%I IS DISTINCT FROM NULL', feed.columns ->> 'refund_of') ELSE 'false' END,
        cvm.optional_decimal(portfolio, relation, 'discount'), cvm.optional_decimal(portfolio, relation, 'cost'),
        CASE WHEN feed.columns ? 'currency' THEN format('f.%I::text COLLATE "C"', feed.columns ->> 'currency') ELSE 'NULL::text' END,
        feed.columns ->> 'amount', feed.relation_schema, feed.relation_name, order_at, cost, rate, time_zone, rates,
        CASE WHEN NOT feed.columns ? 'discount' THEN '0' WHEN strict THEN cvm.money_or_none(portfolio, 'discount') ELSE 'coalesce(d.discount, 0)' END,
        cvm.alias_join(portfolio, customer, type), customer);
END $$;
COMMENT ON FUNCTION cvm.money_query(text, text, jsonb, boolean) IS
'SQL that begins a query over the purchases feed with its stages; $1 is as_of. strict: what can not be valued raises (cvm.refuse_rate, cvm.refuse_cost) instead of being NULL. 22023 a currency column without portfolio_currency.';

CREATE FUNCTION cvm.has_money_columns(options jsonb, columns jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN columns OPERATOR(pg_catalog.?|) '{order_id,refund_of,currency,discount}'
    OR (columns OPERATOR(pg_catalog.?) 'cost' AND cvm.value_basis(options, columns) <> 'revenue');
COMMENT ON FUNCTION cvm.has_money_columns(jsonb, jsonb) IS 'Whether the amounts of a purchases feed with these columns are to be prepared; otherwise it is read as it is.';

CREATE FUNCTION cvm.purchases_query(portfolio text, time_zone text, options jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    feed cvm.feed;
    -- cost of serving the order whose revenue this is
    serving text := CASE WHEN (options ->> 'cost_to_serve')::numeric > 0
                         THEN format(' - CASE WHEN %%s >= 0 THEN %s ELSE 0 END', round((options ->> 'cost_to_serve')::numeric, 6)) ELSE '' END;
    money text;
    customer text;
    type oid;
BEGIN
    SELECT f.* INTO STRICT feed FROM cvm.feed f WHERE f.portfolio = purchases_query.portfolio AND f.kind = 'purchases';
    IF NOT cvm.has_money_columns(options, feed.columns) THEN
        customer := format('f.%I', feed.columns ->> 'customer');
        type := (cvm.feed_column(portfolio, 'purchases', cvm.feed_relation(portfolio, 'purchases'), 'customer')).atttypid;
        RETURN format('SELECT %s, f.%I, f.%I FROM %I.%I AS f', cvm.merged_customer(portfolio, customer, type), feed.columns ->> 'at', feed.columns ->> 'amount',
                      feed.relation_schema, feed.relation_name) || cvm.alias_join(portfolio, customer, type);
    END IF;
    -- a product with a rate has more decimals than an amount may have
    money := CASE WHEN feed.columns ? 'currency' THEN 'round(%s, 6)' ELSE '%s' END;
    IF NOT feed.columns ? 'order_id' THEN
        RETURN cvm.money_query(portfolio, time_zone, options, true) || format('
            SELECT v.customer, v.instant AS at, CASE WHEN v.is_seen THEN %s ELSE v.amount END AS amount, v.revenue >= 0 AS is_purchase, 1::bigint AS rows
            FROM valued v', format(money, 'v.value' || format(serving, 'v.revenue')));
    END IF;
    -- what was paid back of an order is taken off it, but not more than all: the rest is money of its own, as is a refund without an order
    RETURN cvm.money_query(portfolio, time_zone, options, true) || format('
        SELECT g.customer, e.at, e.amount, e.is_purchase, e.rows FROM grouped g CROSS JOIN LATERAL (
            SELECT coalesce(g.order_at, g.first_at) AS at,
                   CASE WHEN g.is_seen AND g.refunded IS NULL THEN %1$s WHEN g.is_seen THEN %2$s ELSE g.value END AS amount,
                   coalesce(CASE WHEN coalesce(g.refunded, 0) = 0 THEN g.gross >= 0 ELSE g.gross + g.refunded > 0 END, false) AS is_purchase, g.rows
            WHERE g.gross IS NOT NULL OR NOT g.is_seen
            UNION ALL
            SELECT r.at, %3$s, false, CASE WHEN g.gross IS NULL THEN 1 ELSE 0 END
            FROM (SELECT u.at, u.value, least(g.gross + u.refunded, 0) - least(g.gross + u.refunded - u.revenue, 0) AS excess
                  FROM (SELECT u.at, u.revenue, u.value, sum(u.revenue) OVER (ORDER BY u.at, u.revenue ROWS UNBOUNDED PRECEDING) AS refunded
                        FROM unnest(g.refund_at, g.refund_revenue, g.refund_value) AS u(at, revenue, value)) u) r
            WHERE g.is_seen AND g.refunded IS NOT NULL AND (g.gross IS NULL OR r.excess <> 0)) e',
        format(money, 'g.value' || format(serving, 'g.gross')),
        format(money, 'g.value - least(g.gross + g.refunded, 0) + least(g.gross, 0)' || format(serving, 'g.gross')),
        format(money, 'CASE WHEN g.gross IS NULL THEN r.value ELSE r.excess END'));
END $$;
COMMENT ON FUNCTION cvm.purchases_query(text, text, jsonb) IS
'What a recompute reads of the purchases feed, under the surviving customers where aliases are mapped: customer, time and amount as they are, or, where optional columns say more, one row per order with its net amount in the portfolio''s currency on its value basis, whether it is a purchase, and how many rows of the feed it stands for; $1 is as_of.';

-- ---------- findings ----------

CREATE FUNCTION cvm.check_money(portfolio text, time_zone text, options jsonb) RETURNS TABLE (level text, finding text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    columns jsonb := (SELECT f.columns FROM cvm.feed f WHERE f.portfolio = check_money.portfolio AND f.kind = 'purchases');
    n record;
BEGIN
    EXECUTE cvm.money_query(portfolio, time_zone, options, false) || '
        SELECT * FROM (
            SELECT count(*) FILTER (WHERE v.is_refund AND v.amount > 0) AS positive,
                   count(*) FILTER (WHERE v.all_cost IS NULL) AS no_cost,
                   count(*) FILTER (WHERE NOT abs(v.cost) < ''Infinity''::numeric) AS odd_cost,
                   count(*) FILTER (WHERE NOT abs(v.discount) < ''Infinity''::numeric) AS odd_discount,
                   count(*) FILTER (WHERE NOT v.is_refund AND v.amount >= 0 AND v.all_cost > v.paid AND v.all_cost < ''Infinity''::numeric) AS dear,
                   count(*) FILTER (WHERE NOT v.is_refund AND v.amount >= 0 AND v.discount > v.amount AND v.discount < ''Infinity''::numeric) AS discounted,
                   count(*) FILTER (WHERE NOT v.is_refund AND v.amount >= 0 AND v.discount < 0 AND v.discount > ''-Infinity''::numeric) AS charged,
                   count(*) FILTER (WHERE v.currency IS NULL) AS no_currency,
                   count(*) FILTER (WHERE v.currency IS NOT NULL AND v.rate IS NULL) AS no_rate,
                   string_agg(DISTINCT v.currency, '', '' ORDER BY v.currency) FILTER (WHERE v.rate IS NULL) AS currencies,
                   min(v.order_day) FILTER (WHERE v.currency IS NOT NULL AND v.rate IS NULL) AS first_day,
                   max(v.order_day) FILTER (WHERE v.currency IS NOT NULL AND v.rate IS NULL) AS last_day
            FROM valued v WHERE v.is_seen) r, (
            SELECT coalesce(sum(cardinality(g.refund_at)) FILTER (WHERE g.order_at IS NULL), 0) AS orphans,
                   count(*) FILTER (WHERE least(g.gross + g.refunded, 0) < least(g.gross, 0)) AS larger,
                   coalesce(sum((SELECT count(*) FROM unnest(g.refund_at) AS u(at) WHERE u.at < g.order_at)), 0)::bigint AS early
            FROM grouped g WHERE g.is_seen) o' INTO n USING now();
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', false);
    RETURN QUERY
    SELECT f.level, cvm.counted(f.rows, f.one, f.many), f.hint FROM (VALUES
        ('error', CASE WHEN columns ? 'currency' THEN n.no_currency ELSE 0 END, '%s row has no currency', '%s rows have no currency', 'Map a view that fills it in.'),
        ('error', CASE WHEN columns ? 'currency' THEN n.no_rate ELSE 0 END,
         format('%%s row has a currency without a usable rate on its day: %s, %s to %s', n.currencies, n.first_day, n.last_day),
         format('%%s rows have a currency without a usable rate on their day: %s, %s to %s', n.currencies, n.first_day, n.last_day),
         'Add them to the rates feed: a rate is above 0, one a currency and day, and holds until the next one, as long as the option rate_validity says.'),
        ('error', CASE WHEN cvm.value_basis(options, columns) <> 'revenue' THEN n.odd_cost ELSE 0 END, '%s row has a cost that is NaN or infinite', '%s rows have a cost that is NaN or infinite',
         'Map a view that gives every row a finite one.'),
        ('error', n.odd_discount, '%s row has a discount that is NaN or infinite', '%s rows have a discount that is NaN or infinite', 'Map a view that gives every row a finite one.'),
        ('error', n.no_cost, '%s order row has no cost', '%s order rows have no cost', 'Map a view that gives every order a cost (0 if it has none).'),
        ('warning', n.orphans, '%s refund is without its order', '%s refunds are without their orders',
         'They are money only, at their own time. The order of a refund has its number as order_id and the same customer.'),
        ('warning', n.larger, '%s order has refunds above its amount', '%s orders have refunds above their amounts',
         'It is no purchase; what is above counts as money only, at the time of the refund.'),
        ('warning', n.early, '%s refund lies before its order', '%s refunds lie before their orders', 'They count at the time of the order.'),
        ('warning', n.positive, '%s refund has a positive amount', '%s refunds have positive amounts',
         'A refund is negative; a positive one adds to its order. If the feed writes refunds as positive numbers, map a view that negates them.'),
        ('warning', n.dear, '%s order row costs more than its price', '%s order rows cost more than their price',
         'They are purchases at a loss: that is right for loss leaders, else check the unit and currency of cost.'),
        ('warning', n.discounted, '%s row has a discount above its amount', '%s rows have a discount above their amounts',
         'A discount is what the amount still contains and the customer did not pay; leave it unmapped where amounts are after discounts.'),
        ('warning', n.charged, '%s row has a negative discount', '%s rows have negative discounts', 'A discount is positive and lowers the amount.')
    ) AS f(level, rows, one, many, hint) WHERE f.rows > 0;
    IF columns ? 'cost' AND cvm.value_basis(options, columns) <> 'revenue'
       AND EXISTS (SELECT FROM cvm.feed f WHERE f.portfolio = check_money.portfolio AND f.kind = 'subscriptions') THEN
        RETURN QUERY SELECT 'warning', format('the value of purchases is %s, that of subscriptions their price', cvm.value_basis(options, columns)),
                            'A subscription has no cost: map a price that is net of it.';
    END IF;
END $$;
COMMENT ON FUNCTION cvm.check_money(text, text, jsonb) IS 'Findings about refunds, currencies, costs and discounts of a portfolio''s purchases feed up to now: see cvm.check.';

-- ---------- histories of purchases at a loss ----------

CREATE FUNCTION cvm.purchase_history_accum(internal, at timestamptz, amount numeric, period interval, time_zone text, is_purchase boolean) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, timestamptz, numeric, interval, text, boolean) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE AGGREGATE cvm.purchase_history(at timestamptz, amount numeric, period interval, time_zone text, is_purchase boolean) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(timestamptz, numeric, interval, text, boolean) IS
'Purchase history of a group of rows that say themselves whether they are purchases, at whatever amount: a purchase may be at a loss, an order that was refunded is none. NULL: a purchase if the amount is 0 or more. All else as in cvm.purchase_history(timestamptz, numeric, interval, text).';
