-- bench/orders.sql: :customers customers with about ten purchases each, in the order of time as a shop's table
-- has them, over three years to 2026-01-01; every number is a hash of the customer's.
--
-- Repeat buying as BG/NBD has it (Fader, Hardie & Lee 2005): a customer's rate is exponential, the probability
-- of leaving after each purchase a Beta(1, 6).  With n purchases until then, the last comes after a gamma(n)
-- time (cube of a normal: Wilson & Hilferty 1931) and the others anywhere before it, evenly: no running sums.

CREATE OR REPLACE FUNCTION u(customer bigint, k integer, purpose bigint) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ((hashint8extended(customer * 1000 + k, purpose) & ((1::bigint << 52) - 1))::float8 + 0.5) / (1::bigint << 52)::float8;

SET work_mem = '1GB';
SET client_min_messages = warning;
DROP TABLE IF EXISTS orders;
CREATE TABLE orders AS
SELECT row_number() OVER (ORDER BY p.ordered_at, p.customer_id) AS order_id, p.*
FROM (
    SELECT c AS customer_id, '2026-01-01 00:00+00'::timestamptz - (g.age - g.days) * interval '1 day' AS ordered_at,
           round((40 * exp(0.8 * (u(c, 0, 5) + u(c, 1, 5) + u(c, 2, 5) - 1.5)) * (0.4 + 1.2 * u(c, g.k, 6)))::numeric, 2) AS total
    FROM (
        SELECT f.c, k, f.age,
               CASE WHEN k = 0 THEN 0 WHEN k = f.n THEN f.last ELSE f.last * u(f.c, k, 4) END AS days
        FROM (
            SELECT s.*, s.n / s.rate * power(1 - 1 / (9 * s.n)::float8 + s.normal / (3 * sqrt(s.n)), 3) AS last
            FROM (
                SELECT c, 1 + 1095 * u(c, 0, 1) AS age, -ln(u(c, 0, 2)) / 19 AS rate,
                       1 + least(floor(ln(u(c, 0, 3)) / (ln(1 - u(c, 1, 3)) / 6)), 199)::integer AS n,
                       sqrt(-2 * ln(u(c, 2, 3))) * cos(2 * pi() * u(c, 3, 3)) AS normal
                FROM generate_series(1::bigint, :customers) AS c
                OFFSET 0                -- keeps the planner from computing these again for every purchase
            ) AS s OFFSET 0
        ) AS f CROSS JOIN LATERAL generate_series(0, f.n) AS k
    ) AS g
    WHERE g.days BETWEEN 0 AND g.age
) AS p;
VACUUM (FREEZE, ANALYZE) orders;
CHECKPOINT;
