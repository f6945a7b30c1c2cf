-- demo/load.sql: text of demo.purchase -> public.orders, with an error that names the row where it does not go
--
-- Customers are numbers if all of them read as such, else text.  Rows without a customer are left out and
-- counted.  Times are ISO, month first or day first, whichever reads the whole file.  Amounts may carry a
-- currency sign, thousands separators or a decimal comma.

SET client_min_messages = warning;

-- 1,234.50 and 1.234,50 and $1234.5 -> 1234.5
CREATE FUNCTION demo.number(amount text) RETURNS numeric
LANGUAGE sql IMMUTABLE
RETURN (SELECT CASE
            WHEN t ~ '^[-+]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?$' THEN replace(t, ',', '')
            WHEN t ~ '^[-+]?[0-9]{1,3}(\.[0-9]{3})+,[0-9]+$' THEN replace(replace(t, '.', ''), ',', '.')
            WHEN t ~ '^[-+]?[0-9]+,[0-9]+$' THEN replace(t, ',', '.')
            ELSE t END::numeric
        FROM regexp_replace(amount, '[$€£[:space:]]', '', 'g') AS t);

-- Raises about the first row whose value does not read as wanted; nothing if all do.
CREATE FUNCTION demo.complain() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    p demo.purchase;
BEGIN
    FOR p IN SELECT * FROM demo.purchase WHERE customer <> '' ORDER BY "row" LOOP
        BEGIN
            PERFORM p.at::timestamptz;
        EXCEPTION WHEN data_exception THEN
            RAISE EXCEPTION 'row % has the time "%", which is not a date or timestamp', p."row", p.at
            USING HINT = 'Name the column of the time: make demo DATA=... AT=column';
        END;
        BEGIN
            PERFORM demo.number(p.amount) * demo.number(p.factor);
        EXCEPTION WHEN data_exception THEN
            RAISE EXCEPTION 'row % has the amount "%", which is not a number', p."row", p.amount
            USING HINT = 'Name the column of the amount: make demo DATA=... AMOUNT=column';
        END;
    END LOOP;
END $$;

CREATE FUNCTION demo.load() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    style text;
    type text := CASE WHEN (SELECT bool_and(customer ~ '^(0|[1-9][0-9]{0,17})(\.0)?$') FROM demo.purchase WHERE customer <> '')
                 THEN 'numeric::bigint' ELSE 'text' END;
BEGIN
    IF NOT EXISTS (SELECT FROM demo.purchase WHERE customer <> '') THEN
        RAISE EXCEPTION 'the file has no row with a customer';
    END IF;
    FOREACH style IN ARRAY ARRAY['ISO, MDY', 'ISO, DMY'] LOOP
        BEGIN
            PERFORM set_config('datestyle', style, false);
            EXECUTE format('CREATE TABLE public.orders AS SELECT customer::%s AS customer_id, at::timestamptz AS ordered_at,'
                           ' demo.number(amount) * demo.number(factor) AS total FROM demo.purchase WHERE customer <> '''' ORDER BY "row"', type);
            RETURN;
        EXCEPTION WHEN data_exception THEN
            NULL;
        END;
    END LOOP;
    PERFORM demo.complain();
END $$;

SET TIME ZONE 'UTC';
SELECT demo.load();

-- A date alone means its end.  Purchases that ended long ago are valued as of their last day: as of today
-- everybody would be gone.
CREATE TABLE demo.source AS
SELECT CASE WHEN asked.as_of ~ '^\s*\d+-\d+-\d+\s*$' THEN asked.as_of::timestamptz + interval '23:59:59'
            WHEN asked.as_of <> '' THEN asked.as_of::timestamptz
            WHEN max(o.ordered_at) < now() - interval '60 days' THEN date_trunc('day', max(o.ordered_at)) + interval '23:59:59' END AS as_of,
       'UTC' AS time_zone,
       (SELECT count(*) FROM demo.purchase WHERE coalesce(customer, '') = '') AS left_out
FROM public.orders AS o, (SELECT coalesce(nullif(:'as_of', ''), l.as_of) AS as_of FROM demo.layout AS l) AS asked
GROUP BY asked.as_of;
ANALYZE public.orders;
