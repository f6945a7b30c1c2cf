-- demo/shop.sql: a believable shop, the same on every machine and every day
--
-- 25,000 customers, most of them come within the last three years in growing numbers and before Christmas;
-- each buys again at a rate of his own and leaves after any purchase with a probability of his own; what
-- they spend is skewed; one order in twenty-five is sent back, whole or half, as a row with a negative amount.
-- Every number is a hash of the customer's, so that neither a plan nor a random generator's version matters.
-- The shop's calendar ends on 31 December 2025 and is moved as a whole, so that its last day is yesterday: every
-- interval, and so every number but dates, is the same whenever it is valued as of today.

CREATE SCHEMA demo;

-- The k-th number of a customer for one purpose, uniform in (0, 1).
CREATE FUNCTION demo.u(customer bigint, k integer, purpose bigint) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ((hashint8extended(customer * 1000 + k, purpose) & ((1::bigint << 52) - 1))::float8 + 0.5) / (1::bigint << 52)::float8;

-- The day after the shop's last, in its own calendar.
CREATE FUNCTION demo.today() RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN date '2026-01-01';

-- How busy a month is: at most 1.
CREATE FUNCTION demo.season(day date) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (ARRAY[.55, .55, .65, .7, .75, .65, .6, .6, .7, .75, 1, 1])[extract(month FROM day)::integer];

CREATE TABLE demo.shopper AS
SELECT c AS customer_id,
       demo.today() - first.days_ago AS first_on,
       -ln(demo.u(c, 0, 1)) / 30 AS rate,                          -- purchases a day: exponential
       1 - power(demo.u(c, 0, 2), 1 / 2.5) AS leaves,              -- probability after each: Beta(1, 2.5)
       32 * exp(0.6 * sqrt(-2 * ln(demo.u(c, 0, 3))) * cos(2 * pi() * demo.u(c, 0, 4))) AS basket,  -- lognormal
       CASE WHEN demo.u(c, 0, 5) < 0.45 THEN 'search' WHEN demo.u(c, 0, 5) < 0.75 THEN 'social' ELSE 'store' END AS channel
FROM generate_series(1, 25000) AS c
CROSS JOIN LATERAL (
    SELECT t.days_ago FROM (SELECT k, 1 + floor(1095 * power(demo.u(c, k, 6), 1.15))::integer AS days_ago
                            FROM generate_series(0, 12) AS k) AS t
    ORDER BY demo.u(c, t.k, 7) > demo.season(demo.today() - t.days_ago), t.k LIMIT 1) AS first;

CREATE TABLE public.orders (
    order_id bigint PRIMARY KEY,
    customer_id bigint NOT NULL,
    ordered_at timestamptz NOT NULL,
    total numeric(10, 2) NOT NULL,
    channel text NOT NULL
);

-- Purchase k comes after k exponential gaps; the customer has gone once a draw falls below `leaves`.  A gap
-- that ends in a quiet season is passed over with the season's probability.
WITH bought AS (
    SELECT s.*, k,
           sum(CASE WHEN k = 0 THEN 0 ELSE -ln(demo.u(s.customer_id, k, 8)) / s.rate END) OVER purchases AS days,
           coalesce(bool_or(k > 0 AND demo.u(s.customer_id, k, 9) < s.leaves) OVER purchases, false) AS gone
    FROM demo.shopper AS s CROSS JOIN generate_series(0, 60) AS k
    WINDOW purchases AS (PARTITION BY s.customer_id ORDER BY k)
), placed AS (
    SELECT b.customer_id, b.k, b.basket, b.channel, b.first_on + floor(b.days)::integer AS day,
           make_interval(secs => floor(3600 * (8 + 14 * demo.u(b.customer_id, b.k, 10)))) AS clock
    FROM bought AS b
    WHERE NOT b.gone AND b.days < 1100
      AND (b.k = 0 OR demo.u(b.customer_id, b.k, 11) < demo.season(b.first_on + floor(b.days)::integer))
), priced AS (
    SELECT p.*, greatest(0.5, round((p.basket / 4 * -ln(demo.u(p.customer_id, p.k, 12) * demo.u(p.customer_id, p.k, 13)
                                                        * demo.u(p.customer_id, p.k, 14) * demo.u(p.customer_id, p.k, 15)))::numeric, 2)) AS total
    FROM placed AS p WHERE p.day < demo.today()
), booked AS (
    SELECT customer_id, day, clock, total, channel FROM priced
    UNION ALL
    SELECT customer_id, day + 2 + floor(20 * demo.u(customer_id, k, 17))::integer, clock,
           round(-total * CASE WHEN demo.u(customer_id, k, 18) < 0.6 THEN 1 ELSE 0.5 END, 2), channel
    FROM priced WHERE demo.u(customer_id, k, 16) < 0.04
)
INSERT INTO public.orders
SELECT row_number() OVER (ORDER BY b.day, b.clock, b.customer_id, b.total), b.customer_id,
       (b.day + ((now() AT TIME ZONE 'Europe/Berlin')::date - demo.today()) + b.clock) AT TIME ZONE 'Europe/Berlin', b.total, b.channel
FROM booked AS b WHERE b.day < demo.today();

CREATE TABLE demo.source AS SELECT NULL::timestamptz AS as_of, ''::text AS why, 'Europe/Berlin' AS time_zone, 0::bigint AS left_out, NULL::text AS dates;
ANALYZE public.orders;
