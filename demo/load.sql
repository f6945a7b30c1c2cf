-- demo/load.sql: text of demo.purchase -> public.orders, with an error that names the row where it does not go
--
-- Customers are numbers if all of them read as such, else text.  Rows without a customer are left out and
-- counted.  Times are ISO, month first or day first, as :dates (dmy, mdy) or the file says.  Amounts may carry a
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

-- How dates of two small numbers and a year (31/12/2024, 12-31-24, 31.12.2024) are read, by :dates if given, else by
-- what most of them can only be: a first number above 12 is a day, and so is a second one.  Where that
-- decides nothing, points mean day first, all else month first.
CREATE TABLE demo.date_order AS
SELECT CASE WHEN asked <> '' THEN asked WHEN day_first > month_first THEN 'dmy' WHEN month_first > day_first THEN 'mdy'
            WHEN points > 0 THEN 'dmy' ELSE 'mdy' END AS value,
       CASE WHEN asked <> '' THEN 'as asked' WHEN day_first <> month_first THEN 'some have no other reading'
            ELSE 'assumed: no date tells' END AS why,
       dates > 0 AS matters
FROM (SELECT lower(:'dates') AS asked, count(d) AS dates, count(*) FILTER (WHERE d[2] = '.') AS points,
             count(*) FILTER (WHERE d[1]::integer > 12 AND d[3]::integer <= 12) AS day_first,
             count(*) FILTER (WHERE d[3]::integer > 12 AND d[1]::integer <= 12) AS month_first
      FROM (SELECT regexp_match(at, '^\s*(\d{1,2})([-/.])(\d{1,2})\2(?:\d{4}|\d{2})\M') AS d
            FROM demo.purchase WHERE customer <> '') AS p) AS counted;

-- Why a row does not go, or nothing.
CREATE FUNCTION demo.fault(p demo.purchase) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        IF coalesce(p.at, '') ~ '^\s*$' THEN
            RETURN 'the time is empty';
        ELSIF NOT isfinite(p.at::timestamptz) THEN
            RETURN format('the time "%s" is not finite', p.at);
        END IF;
    EXCEPTION WHEN data_exception THEN
        RETURN format('the time "%s" is not a date or timestamp%s', p.at,
                      (SELECT format(' with the %s first', CASE value WHEN 'dmy' THEN 'day' ELSE 'month' END) FROM demo.date_order WHERE matters));
    END;
    IF coalesce(p.amount, '') ~ '^\s*$' OR coalesce(p.factor, '') ~ '^\s*$' THEN
        RETURN 'the amount is empty';
    ELSIF abs(demo.number(p.amount) * demo.number(p.factor)) < 'infinity' THEN
        RETURN NULL;
    END IF;
    RETURN format('the amount "%s" is not finite', p.amount);
EXCEPTION WHEN data_exception THEN
    RETURN format('the amount "%s" is not a number', concat_ws(' * ', p.amount, nullif(p.factor, '1')));
END $$;

-- Raises about the first row that does not go; a single one is the row's fault, many are the column's.
CREATE FUNCTION demo.complain() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    first record;
    bad bigint;
    wanted text;
BEGIN
    CREATE TEMPORARY TABLE faulty AS
    SELECT p.*, f.fault FROM demo.purchase AS p, demo.fault(p) AS f(fault) WHERE customer <> '' AND f.fault IS NOT NULL;
    SELECT * INTO first FROM faulty ORDER BY "row" LIMIT 1;
    SELECT count(*) INTO bad FROM faulty;
    IF bad = 0 THEN
        RETURN;
    END IF;
    wanted := CASE WHEN first.fault LIKE 'the time%' THEN 'AT' ELSE 'AMOUNT' END;
    RAISE EXCEPTION 'row %: %', first."row", first.fault
    USING DETAIL = format('It is of customer %s; rows are counted after the header. %s', first.customer,
                          CASE bad WHEN 1 THEN 'All others are good.' ELSE format('%s rows of %s are bad.', bad, (SELECT count(*) FROM demo.purchase)) END),
          HINT = CASE WHEN bad <= (SELECT count(*) FROM demo.purchase) / 10 OR bad = 1 THEN 'Correct or remove it.'
                 ELSE format('If it is the wrong column, name another: make demo DATA=... %s=column%s', wanted,
                             (SELECT CASE value WHEN 'dmy' THEN '; or the dates'' order: DATES=mdy' ELSE '; or the dates'' order: DATES=dmy' END
                              FROM demo.date_order WHERE matters AND wanted = 'AT')) END;
END $$;

CREATE FUNCTION demo.load() RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    type text := CASE WHEN (SELECT bool_and(customer ~ '^(0|[1-9][0-9]{0,17})(\.0)?$') FROM demo.purchase WHERE customer <> '')
                 THEN 'numeric::bigint' ELSE 'text' END;
BEGIN
    IF NOT EXISTS (SELECT FROM demo.purchase WHERE customer <> '') THEN
        RAISE EXCEPTION 'the file has no row with a customer';
    END IF;
    PERFORM set_config('datestyle', 'ISO, ' || value, false) FROM demo.date_order;
    BEGIN
        EXECUTE format('CREATE TABLE public.orders AS SELECT customer::%s AS customer_id, at::timestamptz AS ordered_at,'
                       ' demo.number(amount) * demo.number(factor) AS total FROM demo.purchase WHERE customer <> '''' ORDER BY "row"', type);
    EXCEPTION WHEN data_exception THEN
        PERFORM demo.complain();
        RAISE;
    END;
    -- an empty or infinite value reads, but is no purchase
    IF EXISTS (SELECT FROM public.orders WHERE (isfinite(ordered_at) AND abs(total) < 'infinity') IS NOT TRUE) THEN
        PERFORM demo.complain();
    END IF;
END $$;

SET TIME ZONE 'UTC';
SELECT demo.load();

-- A date alone means its end.  Purchases that ended long ago are valued as of their last day: as of today
-- everybody would be gone.
CREATE TABLE demo.source AS
SELECT CASE WHEN asked.as_of ~ '^\s*\d+-\d+-\d+\s*$' THEN asked.as_of::timestamptz + interval '23:59:59'
            WHEN asked.as_of <> '' THEN asked.as_of::timestamptz
            WHEN max(o.ordered_at) < now() - interval '60 days' THEN date_trunc('day', max(o.ordered_at)) + interval '23:59:59' END AS as_of,
       CASE WHEN asked.as_of = '' THEN 'the last day of the purchases' ELSE asked.why END AS why,
       'UTC' AS time_zone,
       (SELECT count(*) FROM demo.purchase WHERE coalesce(customer, '') = '') AS left_out,
       (SELECT format('dates such as %s are read with the %s first (%s); DATES=%s reads them the other way', x.at,
                      CASE d.value WHEN 'dmy' THEN 'day' ELSE 'month' END, d.why, CASE d.value WHEN 'dmy' THEN 'mdy' ELSE 'dmy' END)
        FROM demo.date_order AS d,
             (SELECT at FROM demo.purchase WHERE customer <> '' AND at ~ '^\s*\d{1,2}[-/.]' ORDER BY "row" LIMIT 1) AS x
        WHERE d.matters) AS dates
FROM public.orders AS o,
     (SELECT CASE WHEN :'as_of' <> '' THEN :'as_of' ELSE l.as_of END AS as_of,
             CASE WHEN :'as_of' <> '' THEN 'AS_OF' ELSE l.why END AS why FROM demo.layout AS l) AS asked
GROUP BY asked.as_of, asked.why;
ANALYZE public.orders;
