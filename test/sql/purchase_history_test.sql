-- purchase_history: the aggregate against plain SQL, merging, lossless forms, bad input
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA purchase_history_test;
SET search_path = purchase_history_test, public, cvm;

-- what a statement raises, as one line
CREATE FUNCTION error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text;
BEGIN
    EXECUTE statement;
    RETURN 'no error';
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RETURN state || ' ' || message || coalesce(nullif(' | ' || detail, ' | '), '');
END $$;
-- pseudo-random numbers in (0, 1) from a hash, the same everywhere
CREATE FUNCTION u(a int, b int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT (('x' || substr(md5(a || '/' || b), 1, 8))::bit(32)::bigint + 0.5) / 4294967296 $$;

-- 400 customers: refunds (customers of refunds only too), ties, several purchases a day, amounts of 0 to 4 decimals,
-- and clusters around the clock changes of Europe and America
CREATE TABLE purchase (customer int, at timestamptz, amount numeric);
INSERT INTO purchase
SELECT c,
       CASE WHEN c % 4 = 0 THEN '2023-03-26 00:00+00'::timestamptz + make_interval(mins => (180 * u(c, k))::int)
            WHEN c % 4 = 1 THEN '2023-11-05 04:00+00'::timestamptz + make_interval(mins => (240 * u(c, k))::int)
            ELSE '1999-12-20 00:00+00'::timestamptz + make_interval(secs => 86400 * 900 * u(c, k)) END,
       CASE WHEN c % 40 = 7 OR u(c, k + 100) < 0.15 THEN -1 ELSE 1 END
         * CASE WHEN u(c, k + 300) < 0.05 THEN 0 ELSE round((200 * u(c, k + 200))::numeric, k % 5) END
FROM generate_series(1, 400) c, generate_series(1, 12) k
WHERE u(c, k + 400) < 0.6;
INSERT INTO purchase SELECT customer, at, amount + 1 FROM purchase WHERE customer % 3 = 0;

-- the same by plain SQL: period 0 begins at Monday 2000-01-03 00:00 of the zone
CREATE FUNCTION truth(zone text, seconds int)
RETURNS TABLE (customer int, x int, span float8, age float8, orders bigint, mean_spend float8, total numeric,
               first_at timestamptz, last_at timestamptz, log_intervals float8)
LANGUAGE sql AS $$
    WITH row AS (
        SELECT p.*, floor(extract(epoch FROM p.at AT TIME ZONE zone - '2000-01-03'::timestamp) / seconds) AS period
        FROM purchase p),
    buyer AS (
        SELECT r.customer, min(period) FILTER (WHERE amount >= 0) AS first, max(period) FILTER (WHERE amount >= 0) AS last,
               count(DISTINCT period) FILTER (WHERE amount >= 0) AS periods, count(*) FILTER (WHERE amount >= 0) AS orders,
               sum(amount) AS total, min(at) FILTER (WHERE amount >= 0) AS first_at, max(at) FILTER (WHERE amount >= 0) AS last_at
        FROM row r GROUP BY 1),
    gap AS (
        SELECT d.customer, sum(ln(period - lag)) AS log_intervals
        FROM (SELECT r.customer, period, lag(period) OVER (PARTITION BY r.customer ORDER BY period)
              FROM row r WHERE amount >= 0 GROUP BY 1, 2) d GROUP BY 1)
    SELECT b.customer, greatest(periods - 1, 0)::int, (last - first) * seconds / 604800.0,
           (floor(extract(epoch FROM '2024-01-01 15:00+00' AT TIME ZONE zone - '2000-01-03'::timestamp) / seconds) - first)
             * seconds / 604800.0,
           orders,
           CASE WHEN periods > 1 THEN (SELECT sum(amount) FROM row r WHERE r.customer = b.customer AND period > first)
             / (periods - 1) END,
           total, first_at, last_at, coalesce(g.log_intervals, 0)
    FROM buyer b LEFT JOIN gap g USING (customer) $$;

SELECT zone, period, count(*) AS customers, count(*) FILTER (WHERE t.first_at IS NULL) AS without_purchase,
       count(*) FILTER (WHERE cvm.repeat_periods(h) <> t.x) AS x,
       count(*) FILTER (WHERE cvm.span(h) IS DISTINCT FROM t.span) AS span,
       count(*) FILTER (WHERE cvm.age(h, '2024-01-01 15:00+00') IS DISTINCT FROM t.age) AS age,
       count(*) FILTER (WHERE cvm.age(h, '2024-01-01 15:00+00', '1 day') IS DISTINCT FROM t.age * 7
                          AND abs(cvm.age(h, '2024-01-01 15:00+00', '1 day') - t.age * 7) > 1e-9) AS age_in_days,
       count(*) FILTER (WHERE cvm.orders(h) <> t.orders) AS orders,
       count(*) FILTER (WHERE (cvm.mean_spend(h) IS NULL) <> (t.mean_spend IS NULL)
                           OR abs(cvm.mean_spend(h) - t.mean_spend) > 1e-12 * abs(t.mean_spend)) AS mean_spend,
       count(*) FILTER (WHERE cvm.total_spend(h) <> t.total) AS total,
       count(*) FILTER (WHERE cvm.first_at(h) IS DISTINCT FROM t.first_at) AS first_at,
       count(*) FILTER (WHERE cvm.last_at(h) IS DISTINCT FROM t.last_at) AS last_at,
       count(*) FILTER (WHERE abs(cvm.log_intervals(h) - t.log_intervals) > 1e-12 * (1 + t.log_intervals)) AS log_intervals,
       count(*) FILTER (WHERE cvm.period(h) <> period OR cvm.time_zone(h) <> zone) AS calendar
FROM (VALUES ('UTC'), ('Europe/Berlin'), ('America/New_York'), ('Asia/Kathmandu')) z(zone),
     (VALUES (interval '1 day'), ('7 days'), ('1 hour'), ('90 minutes')) p(period),
     LATERAL (SELECT customer, cvm.purchase_history(at, amount, period, zone) AS h FROM purchase GROUP BY 1) a
     JOIN LATERAL truth(zone, extract(epoch FROM period)::int) t USING (customer)
GROUP BY 1, 2 ORDER BY 1, 2;

-- a day and UTC unless given, whatever the session's zone
CREATE TABLE history AS SELECT customer, cvm.purchase_history(at, amount) AS h FROM purchase GROUP BY 1;
SET TimeZone = 'Pacific/Auckland';
SELECT count(*) AS same FROM history JOIN (
    SELECT customer, cvm.purchase_history(at, amount, '1 day', 'UTC') AS h1, cvm.purchase_history(at, amount, '1 day') AS h2
    FROM purchase GROUP BY 1) a USING (customer) WHERE h = h1 AND h = h2;
RESET TimeZone;

-- timestamp and date are local in the zone, as AT TIME ZONE has it, through gaps and overlaps of the clock
SELECT zone, count(*) AS customers,
       count(*) FILTER (WHERE a.by_timestamp <> a.by_instant) AS timestamp_differs,
       count(*) FILTER (WHERE a.by_date <> a.by_midnight) AS date_differs
FROM (VALUES ('UTC'), ('Europe/Berlin'), ('America/New_York'), ('Asia/Kathmandu')) z(zone),
     LATERAL (SELECT customer,
                     cvm.purchase_history(at AT TIME ZONE 'UTC', amount, '1 hour', zone) AS by_timestamp,
                     cvm.purchase_history((at AT TIME ZONE 'UTC') AT TIME ZONE zone, amount, '1 hour', zone) AS by_instant,
                     cvm.purchase_history((at AT TIME ZONE zone)::date, amount, '1 day', zone) AS by_date,
                     cvm.purchase_history((at AT TIME ZONE zone)::date::timestamp AT TIME ZONE zone, amount, '1 day', zone)
                       AS by_midnight
              FROM purchase GROUP BY 1) a
GROUP BY 1 ORDER BY 1;
SELECT count(*) AS float_differs FROM history
JOIN (SELECT customer, cvm.purchase_history(at, amount::float8) AS f FROM purchase GROUP BY 1) a USING (customer) WHERE f <> h;
SELECT cvm.total_spend(cvm.purchase_history(at, a)) AS float8, cvm.total_spend(cvm.purchase_history(at, a::numeric)) AS numeric,
       cvm.total_spend(cvm.purchase_history(at::timestamp, b)) AS integers, cvm.total_spend(cvm.purchase_history(at::date, a)) AS of_dates,
       cvm.total_spend(cvm.purchase_history(at::date, a, '1 day')) = sum(a::numeric) AS exact
FROM (VALUES ('2024-01-01 10:00+00'::timestamptz, 0.1::float8, 3), ('2024-01-02 10:00+00', 0.2, 4), ('2024-01-02 10:00+00', 123456.789012345, -5)) v(at, a, b);

-- an amount is itself, in every form a number can have
SELECT count(*) AS amounts, count(*) FILTER (WHERE cvm.total_spend(h) <> a) AS differ FROM (
    SELECT a, cvm.purchase_history('2024-01-01 00:00+00'::timestamptz, a) AS h
    FROM (SELECT s * m * power(10::numeric, e) AS a
          FROM (VALUES (1), (-1)) s(s), (VALUES (0), (1), (9), (12), (9999), (10000), (123456789), (100000001)) m(m),
               generate_series(-18, 9) e
          UNION ALL VALUES (999999999999999999), (-999999999999999999), (0.999999999999999999), (1000000000.00000000),
                           (0.000000000000000001), (12345678.9012345678), (100000000000000000), (0.00), (7.50000000000000000000000)) v
    GROUP BY 1) t;
SELECT a, cvm.total_spend(cvm.purchase_history('2024-01-01 00:00+00'::timestamptz, a)) AS taken
FROM unnest('{0.1, -0.3, 1e15, 1e17, 1.5e-18, 1e-30, 123456789.123456789, 1e-7, 4.35, 2.675, 0.30000000000000004}'::float8[]) a GROUP BY 1 ORDER BY 1;

SELECT cvm.total_spend(cvm.purchase_history('2024-01-01'::date, i)) AS bigint, cvm.total_spend(cvm.purchase_history('2024-01-01'::timestamp, i, '1 day')) AS with_period,
       cvm.total_spend(cvm.purchase_history('2024-01-01'::timestamptz, i, '1 day', 'UTC')) AS with_zone
FROM unnest('{999999999999999999, -123456789012345678, 1}'::bigint[]) i;

-- the order of rows does not matter, nor does what parallel workers get of them
SELECT count(DISTINCT d) AS digests FROM (
    SELECT md5(string_agg(h::text, ';' ORDER BY customer)) AS d FROM (SELECT customer, cvm.purchase_history(at, amount ORDER BY at) AS h FROM purchase GROUP BY 1) a
    UNION ALL
    SELECT md5(string_agg(h::text, ';' ORDER BY customer)) FROM (SELECT customer, cvm.purchase_history(at, amount ORDER BY at DESC, amount) AS h FROM purchase GROUP BY 1) a
    UNION ALL
    SELECT md5(string_agg(h::text, ';' ORDER BY customer)) FROM (SELECT customer, cvm.purchase_history(at, amount ORDER BY md5(at::text || amount)) AS h FROM purchase GROUP BY 1) a) d;

CREATE FUNCTION has_node(query text, node text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    line text; found boolean := false;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        found := found OR line ~ node;
    END LOOP;
    RETURN found;
END $$;
CREATE TABLE many AS SELECT customer, at + make_interval(days => d) AS at, amount FROM purchase, generate_series(0, 14) d;
ANALYZE many;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE serial AS SELECT customer, cvm.purchase_history(at, amount, '1 day', 'Europe/Berlin') AS h FROM many GROUP BY 1;
CREATE TABLE serial_all AS SELECT cvm.purchase_history(at, amount) AS h FROM many;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
SELECT has_node('SELECT customer, cvm.purchase_history(at, amount, ''1 day'', ''Europe/Berlin'') FROM many GROUP BY 1', 'Partial .*Aggregate') AS partial_by_customer,
       has_node('SELECT cvm.purchase_history(at, amount) FROM many', 'Partial Aggregate') AS partial,
       has_node('SELECT max(cvm.age(h, ''2024-06-01'')) FROM serial', 'Partial Aggregate') AS accessors;
CREATE TABLE parallel AS SELECT customer, cvm.purchase_history(at, amount, '1 day', 'Europe/Berlin') AS h FROM many GROUP BY 1;
SELECT (SELECT count(*) FROM (SELECT * FROM parallel EXCEPT ALL SELECT * FROM serial) d) AS only_parallel,
       (SELECT count(*) FROM (SELECT * FROM serial EXCEPT ALL SELECT * FROM parallel) d) AS only_serial,
       (SELECT count(*) FROM serial) AS customers,
       (SELECT cvm.purchase_history(at, amount) FROM many) = (SELECT h FROM serial_all) AS whole_table;
SELECT error_of($$SELECT cvm.purchase_history(at, amount, make_interval(days => 1 + customer % 2)) FROM many$$) AS periods_differ_in_workers;
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET parallel_leader_participation;

-- FILTER, grouping sets, moving windows
SELECT count(*) FILTER (WHERE f <> w) AS filter_differs FROM
    (SELECT customer, cvm.purchase_history(at, amount) FILTER (WHERE at < '2001-01-01') AS f FROM purchase GROUP BY 1) a
    JOIN (SELECT customer, cvm.purchase_history(at, amount) AS w FROM purchase WHERE at < '2001-01-01' GROUP BY 1) b USING (customer);
SELECT grouping(customer % 2, customer) AS level, count(*), sum(cvm.orders(h)) AS orders FROM (
    SELECT customer, cvm.purchase_history(at, amount) AS h FROM purchase GROUP BY 1) a GROUP BY ROLLUP (customer % 2, customer) HAVING grouping(customer) = 1 ORDER BY 1, 2;
SELECT count(*) AS rows, count(*) FILTER (WHERE running <> prefix) AS running_differs, count(*) FILTER (WHERE moving <> slice) AS moving_differs
FROM (SELECT customer, at, amount,
             cvm.purchase_history(at, amount) OVER (PARTITION BY customer ORDER BY at, amount ROWS UNBOUNDED PRECEDING) AS running,
             cvm.purchase_history(at, amount) OVER (PARTITION BY customer ORDER BY at, amount ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING) AS moving,
             array_agg(at) OVER r AS ats, array_agg(amount) OVER r AS amounts,
             array_agg(at) OVER s AS slice_ats, array_agg(amount) OVER s AS slice_amounts
      FROM purchase WHERE customer <= 40
      WINDOW r AS (PARTITION BY customer ORDER BY at, amount ROWS UNBOUNDED PRECEDING),
             s AS (PARTITION BY customer ORDER BY at, amount ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING)) w,
     LATERAL (SELECT cvm.purchase_history(t, a) AS prefix FROM unnest(ats, amounts) p(t, a)) p,
     LATERAL (SELECT cvm.purchase_history(t, a) AS slice FROM unnest(slice_ats, slice_amounts) p(t, a)) s;

-- + is exact where purchases do not overlap in time (log_intervals to rounding); refused where they do
CREATE TABLE split AS
SELECT customer, cvm.purchase_history(at, amount) AS h,
       cvm.purchase_history(at, amount) FILTER (WHERE at < cut) AS early, cvm.purchase_history(at, amount) FILTER (WHERE at >= cut) AS late
FROM (SELECT p.*, (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY at) FROM purchase q WHERE q.customer = p.customer) AS cut
      FROM purchase p WHERE amount >= 0 OR customer % 2 = 0) p
GROUP BY 1;
SELECT count(*) AS pairs,
       count(*) FILTER (WHERE cvm.repeat_periods(early + late) <> cvm.repeat_periods(h)) AS x,
       count(*) FILTER (WHERE cvm.span(early + late) <> cvm.span(h)) AS span,
       count(*) FILTER (WHERE cvm.orders(early + late) <> cvm.orders(h)) AS orders,
       count(*) FILTER (WHERE cvm.total_spend(early + late) <> cvm.total_spend(h)) AS total,
       count(*) FILTER (WHERE cvm.mean_spend(early + late) IS DISTINCT FROM cvm.mean_spend(h)) AS mean_spend,
       count(*) FILTER (WHERE (cvm.first_at(early + late), cvm.last_at(early + late)) IS DISTINCT FROM (cvm.first_at(h), cvm.last_at(h))) AS times,
       count(*) FILTER (WHERE abs(cvm.log_intervals(early + late) - cvm.log_intervals(h)) > 1e-12 * (1 + cvm.log_intervals(h))) AS log_intervals,
       count(*) FILTER (WHERE early + late <> late + early) AS not_commutative
FROM split WHERE early IS NOT NULL AND late IS NOT NULL
  AND cvm.first_at(early) IS NOT NULL AND cvm.first_at(late) IS NOT NULL;
CREATE TABLE one AS SELECT cvm.purchase_history('2024-01-05 10:00+00'::timestamptz, 10) AS day,
    cvm.purchase_history('2024-01-05 10:00+00'::timestamptz, 10, '7 days') AS week,
    cvm.purchase_history('2024-01-05 10:00+00'::timestamptz, 10, '1 day', 'Asia/Tokyo') AS tokyo,
    cvm.purchase_history('2024-01-05 10:00+00'::timestamptz, -10) AS refund,
    (SELECT cvm.purchase_history(t, 1) FROM unnest('{2024-01-04 00:00+00, 2024-01-06 00:00+00}'::timestamptz[]) t) AS around,
    (SELECT cvm.purchase_history(t, 999999999999999999) FROM unnest('{2024-01-06 00:00+00, 2024-01-07 00:00+00}'::timestamptz[]) t) AS rich;
SELECT day + day AS same_day, refund + refund AS refunds FROM one;
SELECT e AS merged, error_of('SELECT ' || e || ' FROM one') AS result
FROM unnest('{day + week, day + tokyo, day + refund, refund + day, day + around, around + day}'::text[]) e;
SELECT error_of($$SELECT ('(repeat_periods=0,orders=9223372036854775807,first_at=2024-01-05 10:00:00+00,last_at=2024-01-05 10:00:00+00,first_period=8768,last_period=8768,total=1,first_total=1,log_intervals=0,period=86400,time_zone=UTC)'::cvm.purchase_history + day) FROM one$$) AS orders_overflow,
       error_of($$SELECT ('(repeat_periods=0,orders=1,first_at=2024-01-05 10:00:00+00,last_at=2024-01-05 10:00:00+00,first_period=8768,last_period=8768,total=170141183460469231731687303715884105727,first_total=1,log_intervals=0,period=86400,time_zone=UTC)'::cvm.purchase_history + day) FROM one$$) AS money_overflow;

-- text and binary forms lose nothing, whatever the session's settings
SELECT * FROM history WHERE customer IN (1, 2, 7) ORDER BY 1;
SET DateStyle = 'German, DMY';
SET IntervalStyle = 'sql_standard';
SET extra_float_digits = -15;
SET TimeZone = 'America/St_Johns';
SELECT count(*) AS histories, count(*) FILTER (WHERE h::text::cvm.purchase_history <> h) AS differ FROM (
    SELECT h FROM history UNION ALL
    SELECT cvm.purchase_history(at, amount, '90 minutes', 'Asia/Kathmandu') FROM purchase GROUP BY customer UNION ALL
    SELECT cvm.purchase_history(t, 1.5) FROM unnest('{4713-01-02 00:00:00+00 BC, 0044-03-15 10:00:00.123456+00 BC, 0099-12-31 00:00+00, 294276-12-31 23:59:59.999999+00}'::timestamptz[]) t GROUP BY t) a;
SELECT cvm.purchase_history(t, 1.5) FROM unnest('{0044-03-15 10:00:00.123456+00 BC, 0099-12-31 00:00+00, 294276-12-31 23:59:59.999999+00}'::timestamptz[]) t GROUP BY t ORDER BY 1;
RESET ALL;
SET client_min_messages = warning;
SET search_path = purchase_history_test, public, cvm;
SELECT current_setting('data_directory') || '/purchase_history_test.bin' AS file \gset
COPY history TO :'file' (FORMAT binary);
CREATE TABLE copy (LIKE history);
COPY copy FROM :'file' (FORMAT binary);
SELECT (SELECT count(*) FROM (SELECT * FROM copy EXCEPT ALL SELECT * FROM history) d) AS only_copy,
       (SELECT count(*) FROM (SELECT * FROM history EXCEPT ALL SELECT * FROM copy) d) AS only_history, (SELECT count(*) FROM copy) AS rows;

-- a value from its binary form, through COPY
CREATE TABLE received (h cvm.purchase_history);
CREATE FUNCTION receive(bytes bytea, file text) RETURNS text LANGUAGE plpgsql SET client_min_messages = error AS $$
DECLARE
    large oid := lo_from_bytea(0, '\x5047434f50590aff0d0a00' || int4send(0) || int4send(0) || int2send(1::int2)
                                  || int4send(length(bytes)) || bytes || int2send((-1)::int2));
BEGIN
    PERFORM lo_export(large, file), lo_unlink(large);
    RETURN error_of(format('COPY received FROM %L (FORMAT binary)', file));
END $$;
CREATE TABLE sample AS SELECT cvm.purchase_history_send(h) AS b FROM history WHERE customer = 2;
CREATE FUNCTION patch(b bytea, at int, bytes bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$ SELECT overlay(b PLACING bytes FROM at + 1) $$;
SELECT what, receive(bytes, :'file') AS result FROM sample, LATERAL (VALUES
    ('unchanged', b), ('nothing', ''), ('truncated', substr(b, 1, 40)), ('without zone', substr(b, 1, 88)), ('longer', b || '\x00'),
    ('version', patch(b, 0, int4send(2))), ('scale', patch(b, 4, int4send(19))), ('period 0', patch(b, 8, int4send(0))),
    ('period < 0', patch(b, 8, int4send(-1))), ('repeat_periods', patch(b, 12, int4send(2147483647))),
    ('repeat_periods < -1', patch(b, 12, int4send(-2))), ('no purchase', patch(b, 12, int4send(-1))),
    ('no purchase, no orders', patch(patch(b, 12, int4send(-1)), 40, int8send(0))),
    ('first_period', patch(b, 16, int4send(2000000000))), ('last_period', patch(b, 20, int4send(2000000000))),
    ('first_at', patch(b, 24, int8send(9223372036854775807))), ('last_at', patch(b, 32, int8send(-9223372036854775808))),
    ('orders', patch(b, 40, int8send(1))), ('log_intervals', patch(b, 80, float8send('NaN'))),
    ('log_intervals too large', patch(b, 80, float8send(1e6))), ('zone', patch(b, 88, 'Xyz'))) v(what, bytes);
SELECT count(*) AS received, count(*) FILTER (WHERE r.h = history.h) AS equal FROM received r, history WHERE customer = 2;
-- no single bit of a value's binary form takes the server down, or comes back as something else
SELECT count(*) = max(8 * length(b)) AS all_refused_or_read FROM sample, generate_series(0, 8 * length(b) - 1) bit, LATERAL (SELECT receive(set_bit(b, bit, 1 - get_bit(b, bit)), :'file')) r(result)
WHERE result ~ '^(no error|22P03|22P02|22023|22008|22021|08P01)';
SELECT count(*) FILTER (WHERE h::text::cvm.purchase_history <> h) AS do_not_come_back FROM received;

-- bad text, one line per way to be wrong
SELECT error_of(format('SELECT %L::cvm.purchase_history', regexp_replace(text, part, instead))) AS result, part, instead
FROM (SELECT h::text AS text FROM history WHERE customer = 2) a, (VALUES
    ('.*', ''), ('.*', '()'), ('\(', ''), ('\)', ''), ('\(', '(('), ('.*', '(a=b)'), ('repeat_periods=', ''), ('orders=', 'order='),
    ('orders=\d+,', ''), ('orders=', 'orders=1,orders='), ('orders=\d+', 'orders=x'), ('orders=\d+', 'orders=99999999999999999999'),
    ('repeat_periods=\d+', 'repeat_periods=-2'), ('repeat_periods=\d+', 'repeat_periods=900'), ('repeat_periods=\d+', 'repeat_periods=2147483648'),
    ('first_at=[^,]*', 'first_at=now'), ('first_at=[^,]*', 'first_at=infinity'), ('first_at=[^,]*', 'first_at=2000-01-01 10:00'),
    ('first_at=[^,]*', 'first_at=2000-01-01 10:00:00+02'), ('first_at=[^,]*', 'first_at=2000-01-01 today+00'),
    ('first_at=[^,]*', 'first_at=2000-13-01 10:00:00+00'), ('first_at=[^,]*', 'first_at=2011-01-01 10:00:00+00'), ('first_at=[^,]*', 'first_at=1995-01-01 10:00:00+00'),
    ('last_period=-?\d+', 'last_period=5000000'), ('total=', 'total=x'), ('total=[^,]*', 'total='), ('total=[^,]*', 'total=-'),
    ('total=[^,]*', 'total=1.2.3'), ('total=[^,]*', 'total=1' || repeat('0', 39)), ('total=[^,]*', 'total=0.' || repeat('0', 19)), ('total=[^,]*', 'total=1'), ('total=[^,]*', 'total=1e5'),
    ('log_intervals=[^,]*', 'log_intervals=NaN'), ('log_intervals=[^,]*', 'log_intervals=-1'), ('log_intervals=[^,]*', 'log_intervals=1e400'), ('log_intervals=[^,]*', 'log_intervals=1000'),
    ('period=86400', 'period=0'), ('period=86400', 'period=-86400'), ('time_zone=UTC', 'time_zone=Nowhere/Land'), ('time_zone=UTC', 'time_zone=')) v(part, instead);
SELECT error_of('SELECT ''(repeat_periods=-1,orders=1,total=1,period=86400,time_zone=UTC)''::cvm.purchase_history') AS orders_without_purchase,
       length(error_of(format('SELECT %L::cvm.purchase_history', repeat('(', 1000000)))) < 300 AS long_text;

-- bad rows
SELECT left(error_of('SELECT cvm.purchase_history(' || arguments || ')'), 120) AS result, arguments FROM unnest(ARRAY[
    $$NULL::timestamptz, 1$$, $$'2024-01-01'::timestamptz, NULL::numeric$$, $$'infinity'::timestamptz, 1$$, $$'-infinity'::timestamptz, 1$$,
    $$'infinity'::timestamp, 1$$, $$'-infinity'::date, 1$$, $$'5874897-12-31'::date, 1$$,
    $$'294276-12-31 23:00'::timestamp, 1, '1 day', 'America/New_York'$$, $$'4714-11-24 00:00 BC'::timestamp, 1, '1 day', 'Asia/Tokyo'$$,
    $$'2024-01-01'::date, 'NaN'::numeric$$, $$'2024-01-01'::date, 'infinity'::numeric$$, $$'2024-01-01'::date, '-infinity'::numeric$$,
    $$'2024-01-01'::date, 'NaN'::float8$$, $$'2024-01-01'::date, 'infinity'::float8$$, $$'2024-01-01'::date, '-infinity'::float8$$,
    $$'2024-01-01'::date, 1e300::float8$$, $$'2024-01-01'::date, 1e18::numeric$$, $$'2024-01-01'::date, 1e-19::numeric$$, $$'2024-01-01'::date, 1234567890.1234567891$$,
    $$'2024-01-01'::date, 1e1000::numeric$$,
    $$'2024-01-01'::date, 1, '1 month'$$, $$'2024-01-01'::date, 1, '1 year 1 day'$$, $$'2024-01-01'::date, 1, '0'$$, $$'2024-01-01'::date, 1, '-1 day'$$,
    $$'2024-01-01'::date, 1, '0.5 seconds'$$, $$'2024-01-01'::date, 1, '1.5 seconds'$$, $$'2024-01-01'::date, 1, '100000 days'$$, $$'2024-01-01'::date, 1, '2147483647 days'$$,
    $$'2024-01-01'::date, 1, NULL::interval$$, $$'2024-01-01'::date, 1, '1 day', NULL$$,
    $$'2024-01-01'::date, 1, '1 day', ''$$, $$'2024-01-01'::date, 1, '1 day', 'Mars/Base'$$, $$'2024-01-01'::date, 1, '1 day', 'FOO+3'$$, $$'2024-01-01'::date, 1, '1 day', repeat('x', 100000)$$,
    $$'2024-01-01'::date, 1, '1 day', '../../etc/passwd'$$, $$'20000-01-01'::date, 1, '1 second'$$]) arguments;
SELECT cvm.purchase_history(t, a) AS of_nulls, cvm.purchase_history('2024-01-01'::date, 1) FILTER (WHERE false) AS of_nothing
FROM (VALUES (NULL::timestamptz, NULL::numeric), (NULL, NULL)) v(t, a);
SELECT cvm.orders(cvm.purchase_history(t, a)) AS outer_join FROM (VALUES (NULL::timestamptz, NULL::numeric), ('2024-01-01', 5)) v(t, a);
SELECT error_of($$SELECT cvm.purchase_history(t, 999999999999999999) FROM (SELECT '2024-01-01'::date AS t UNION ALL SELECT '2024-01-01') a, generate_series(1, 200)$$) AS large_sum,
       error_of($$SELECT cvm.purchase_history('2024-01-01'::date, CASE WHEN i = 1 THEN 0.000000000000000001 ELSE 999999999999999999 END) FROM generate_series(1, 200) i$$) AS sum_overflow;

-- bad questions
SELECT error_of('SELECT cvm.' || question || ' FROM one') AS result, question FROM unnest(ARRAY[
    $$age(day, '2024-01-04 23:59+00')$$, $$age(day, '2024-01-05 00:00+00')$$, $$age(day, 'infinity')$$, $$age(day, '-infinity')$$, $$age(day, '2024-02-01', '1 month')$$,
    $$age(day, '2024-02-01', '0')$$, $$span(day, '-1 day')$$, $$span(day, '2147483647 days')$$]) question;
SELECT cvm.repeat_periods(refund) AS x, cvm.span(refund), cvm.age(refund, '2024-02-01'), cvm.orders(refund), cvm.mean_spend(refund), cvm.total_spend(refund),
       cvm.first_at(refund), cvm.last_at(refund), cvm.repeat_periods(NULL) AS null_in FROM one;

-- order, hashing, indexes
SELECT count(*) = count(DISTINCT h) AS distinct_sorts, (SELECT count(*) FROM (SELECT h FROM history UNION SELECT h FROM copy) d) = count(DISTINCT h) AS union_hashes FROM history;
CREATE INDEX ON copy USING btree (h);
CREATE INDEX ON copy USING hash (h);
SELECT count(*) FILTER (WHERE later < earlier) AS disorder,
       count(*) FILTER (WHERE NOT (earlier <= later AND later >= earlier AND NOT later < earlier AND NOT earlier > later AND earlier <> later AND NOT earlier = later)) AS contradictions,
       count(*) FILTER (WHERE cvm.first_at(later) < cvm.first_at(earlier)) AS not_by_first_at,
       count(*) FILTER (WHERE cvm.purchase_history_cmp(earlier, later) <> -1 OR cvm.purchase_history_cmp(later, earlier) <> 1 OR cvm.purchase_history_cmp(later, later) <> 0) AS comparisons
FROM (SELECT h AS later, lag(h) OVER (ORDER BY h) AS earlier FROM history) a WHERE earlier IS NOT NULL;
SELECT count(*) FILTER (WHERE cvm.purchase_history_hash(a.h) <> cvm.purchase_history_hash(b.h) OR cvm.purchase_history_hash_extended(a.h, 42) <> cvm.purchase_history_hash_extended(b.h, 42)) AS hashes_differ,
       count(DISTINCT cvm.purchase_history_hash_extended(a.h, 1)) = count(DISTINCT a.h) AS hashes_tell_apart
FROM history a JOIN copy b USING (customer);

COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; rm -f purchase_history_test.bin';
DROP SCHEMA purchase_history_test CASCADE;
