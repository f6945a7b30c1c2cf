-- demo/shop.sql: a believable shop, the same on every machine on the same day
--
-- 25,000 customers, most of them come within the last three years in growing numbers and before Christmas;
-- each buys again at a rate of his own and leaves after any purchase with a probability of his own; what
-- they spend is skewed; one order in twenty-five is sent back, whole or half, as a row with a negative amount.
-- Every number is a hash of the customer's, so that neither a plan nor a random generator's version matters.

CREATE SCHEMA demo;

-- The k-th number of a customer for one purpose, uniform in (0, 1).
CREATE FUNCTION demo.u(customer bigint, k integer, purpose bigint) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ((hashint8extended(customer * 1000 + k, purpose) & ((1::bigint << 52) - 1))::float8 + 0.5) / (1::bigint << 52)::float8;

-- How busy a month is: at most 1.
CREATE FUNCTION demo.season(day date) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (ARRAY[.55, .55, .65, .7, .75, .65, .6, .6, .7, .75, 1, 1])[extract(month FROM day)::integer];

CREATE TABLE demo.shopper AS
SELECT c AS customer_id,
       current_date - first.days_ago AS first_on,
       -ln(demo.u(c, 0, 1)) / 30 AS rate,                          -- purchases a day: exponential
       1 - power(demo.u(c, 0, 2), 1 / 2.5) AS leaves,              -- probability after each: Beta(1, 2.5)
       32 * exp(0.6 * sqrt(-2 * ln(demo.u(c, 0, 3))) * cos(2 * pi() * demo.u(c, 0, 4))) AS basket,  -- lognormal
       CASE WHEN demo.u(c, 0, 5) < 0.45 THEN 'search' WHEN demo.u(c, 0, 5) < 0.75 THEN 'social' ELSE 'store' END AS channel
FROM generate_series(1, 25000) AS c
CROSS JOIN LATERAL (
    SELECT t.days_ago FROM (SELECT k, 1 + floor(1095 * power(demo.u(c, k, 6), 1.15))::integer AS days_ago
                            FROM generate_series(0, 12) AS k) AS t
    ORDER BY demo.u(c, t.k, 7) > demo.season(current_date - t.days_ago), t.k LIMIT 1) AS first;

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
    SELECT b.customer_id, b.k, b.basket, b.channel,
           (b.first_on + floor(b.days)::integer
              + make_interval(secs => floor(3600 * (8 + 14 * demo.u(b.customer_id, b.k, 10))))) AT TIME ZONE 'Europe/Berlin' AS ordered_at
    FROM bought AS b
    WHERE NOT b.gone AND b.days < 1100
      AND (b.k = 0 OR demo.u(b.customer_id, b.k, 11) < demo.season(b.first_on + floor(b.days)::integer))
), priced AS (
    SELECT p.*, round((p.basket / 4 * -ln(demo.u(p.customer_id, p.k, 12) * demo.u(p.customer_id, p.k, 13)
                                          * demo.u(p.customer_id, p.k, 14) * demo.u(p.customer_id, p.k, 15)))::numeric, 2) AS total
    FROM placed AS p WHERE p.ordered_at < current_date
), refunded AS (
    SELECT r.*, r.ordered_at + (2 + floor(20 * demo.u(r.customer_id, r.k, 17)))::integer * interval '1 day' AS refunded_at
    FROM priced AS r WHERE demo.u(r.customer_id, r.k, 16) < 0.04
)
INSERT INTO public.orders
SELECT row_number() OVER (ORDER BY o.ordered_at, o.customer_id, o.total), o.*
FROM (
    SELECT customer_id, ordered_at, greatest(total, 0.5) AS total, channel FROM priced
    UNION ALL
    SELECT customer_id, refunded_at, round(-greatest(total, 0.5) * CASE WHEN demo.u(customer_id, k, 18) < 0.6 THEN 1 ELSE 0.5 END, 2), channel
    FROM refunded WHERE refunded_at < current_date
) AS o;

CREATE TABLE demo.source AS SELECT NULL::timestamptz AS as_of, ''::text AS why, 'Europe/Berlin' AS time_zone, 0::bigint AS left_out, NULL::text AS dates;
ANALYZE public.orders;
