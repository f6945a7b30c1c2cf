-- retention: rates from sets, counts and revenue; repeat purchases; acquisition cost and payback
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA retention_test;
SET search_path = retention_test, public;

-- 200 customers, of whom 30 leave, while 50 join and 10 of those leave again
CREATE TABLE member AS
SELECT c AS customer, c <= 200 AS at_start, c > 30 AND c <= 240 AS at_end FROM generate_series(1, 250) AS c;
SELECT count(*) FILTER (WHERE at_start) AS s, count(*) FILTER (WHERE at_end) AS e, cvm.retention_rate(at_start, at_end), cvm.churn_rate(at_start, at_end) FROM member;
SELECT cvm.retention_rate(ARRAY(SELECT customer FROM member WHERE at_start), ARRAY(SELECT customer FROM member WHERE at_end)) AS by_sets,
       cvm.churn_rate(ARRAY(SELECT customer FROM member WHERE at_start), ARRAY(SELECT customer FROM member WHERE at_end)) AS churn,
       cvm.retention_from_counts(200, 210, 40) AS still_there, cvm.retention_from_counts(200, 210, 50) AS all_who_joined,
       cvm.retention_from_counts(customers_at_start => 200, customers_at_end => 220, new_customers => 60) AS textbook;
-- the two sides of a full join; sets of text, with duplicates and nulls; mixed numbers
SELECT cvm.retention_rate(s.customer IS NOT NULL, e.customer IS NOT NULL)
FROM (SELECT customer FROM member WHERE at_start) AS s FULL JOIN (SELECT customer FROM member WHERE at_end) AS e USING (customer);
SELECT cvm.retention_rate('{a,a,b,NULL}'::text[], '{b,c,NULL,b}'::text[]) AS texts, cvm.retention_rate('{1,2,3,4}'::int[], '{4,5}'::bigint[]) AS numbers,
       cvm.retention_rate('{}'::int[], '{1}'::int[]) AS nobody, cvm.retention_rate('{1}'::int[], '{}'::int[]) AS all_left, cvm.retention_rate(NULL::int[], '{1}') AS unknown;
SELECT cvm.retention_rate(a, b), cvm.churn_rate(a, b) FROM (VALUES (false, true), (NULL, true)) AS v(a, b);
SELECT cvm.retention_rate(a, b) AS null_is_absent FROM (VALUES (true, NULL), (true, true)) AS v(a, b);
SELECT cvm.retention_rate(at_start, at_end) FROM member WHERE false;
SELECT cvm.retention_from_counts(0, 40, 40) AS nobody, cvm.retention_from_counts(NULL, 1, 1);
-- the same per segment, as a window, and in parallel
SELECT customer % 3 AS segment, round(cvm.retention_rate(at_start, at_end)::numeric, 6) AS rate,
       round(count(*) FILTER (WHERE at_start AND at_end)::numeric / count(*) FILTER (WHERE at_start), 6) AS by_hand
FROM member GROUP BY 1 ORDER BY 1;
CREATE TABLE many AS SELECT m.*, i FROM member m, generate_series(1, 400) AS i;
ALTER TABLE many SET (parallel_workers = 2);
ANALYZE many;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT cvm.retention_rate(at_start, at_end) FROM many;
SELECT cvm.retention_rate(at_start, at_end), cvm.churn_rate(at_start, at_end) FROM many;

-- churn without a contract, by three definitions
SELECT days, cvm.churned_by_silence(days, 90) AS by_silence, cvm.churned_by_gap(days, '{10,20,30,40,50}') AS by_gap,
       cvm.churned_by_gap(days, '{10}', population_gap => 100) AS by_population, cvm.churned_by_gap(days, '{10}') AS unknown
FROM unnest('{0,48,49,90,91,101}'::float8[]) AS days;
SELECT cvm.churned_by_gap(31, '{10,20,30,40,50}', quantile => 0.5), cvm.churned_by_model(0.49), cvm.churned_by_model(0.5), cvm.churned_by_model(0.3, threshold => 0.2), cvm.churned_by_model(NULL);

-- revenue: 100,000 to start with, 12,000 more, 3,000 less, 5,000 gone, and a new customer who does not count
CREATE TABLE revenue (customer int, opening numeric, closing numeric);
INSERT INTO revenue VALUES (1, 50000, 62000), (2, 30000, 27000), (3, 5000, NULL), (4, 15000, 15000), (5, NULL, 9000), (6, 0, 700), (7, NULL, NULL);
SELECT cvm.nrr(opening, closing), cvm.grr(opening, closing), cvm.nrr(opening::float8, closing::float8) AS nrr_float, cvm.grr(opening::float8, closing::float8) AS grr_float FROM revenue;
SELECT cvm.nrr(opening => 100000, expansion => 12000, contraction => 3000, churned => 5000) AS nrr, cvm.grr(opening => 100000, contraction => 3000, churned => 5000) AS grr,
       cvm.nrr(0, 0, 0, 0) AS nrr_of_nothing, cvm.grr(0, 0, 0) AS grr_of_nothing;
-- one customer's upgrade does not pay for another's leaving
SELECT cvm.grr(o, c) AS per_customer, least(sum(c) / sum(o), 1) AS capped_in_total FROM (VALUES (100, 200), (100, 0)) AS v(o, c);
SELECT cvm.nrr(opening, closing), cvm.grr(opening, closing) FROM revenue WHERE opening IS NULL;
-- sums are exact, in any order
SELECT cvm.nrr(o::float8, o::float8 ORDER BY o) = 1 AS ascending, cvm.nrr(o::float8, o::float8 ORDER BY o DESC) = 1 AS descending,
       cvm.nrr(o, o * 3) = 3 AS exact FROM (SELECT 0.1 * i AS o FROM generate_series(1, 1000) AS i) AS v;
-- every digit of a float counts, however few the session prints
SET extra_float_digits = -10;
SELECT cvm.nrr(o, c) > 1 AS grown FROM (VALUES (0.1::float8, 0.10000000000000002::float8)) AS v(o, c);
RESET extra_float_digits;
SELECT cvm.nrr(customer::numeric, i) = (sum(i)::numeric / sum(customer))::float8 AS parallel FROM many;

-- repeat purchases: 946 of the 2357 customers of the CDNOW sample
SELECT cvm.repeat_purchase_rate(946, 2357) AS by_counts, cvm.repeat_purchase_rate(p) AS by_rows
FROM (SELECT CASE WHEN i <= 946 THEN 2 + i % 5 ELSE 1 END AS p FROM generate_series(1, 2357) AS i) AS v;
SELECT cvm.repeat_purchase_rate(p) AS prospects_do_not_count, cvm.repeat_purchase_rate(p) FILTER (WHERE p = 0) AS no_customers FROM (VALUES (0), (NULL), (1), (3)) AS v(p);
SELECT cvm.repeat_purchase_rate(0, 0);

-- acquisition
SELECT cvm.acquisition_cost(spend => 50000, new_customers => 400) AS cac, cvm.acquisition_cost(50000, 0) AS nobody_came,
       cvm.value_to_cost(value => 600, acquisition_cost => 125) AS ltv_to_cac, cvm.value_to_cost(600, 0) AS free;
SELECT round(cvm.payback_time(acquisition_cost => 125, revenue => 30, gross_margin => 0.8)::numeric, 12) AS months,
       cvm.payback_time(125, 30, -0.1) AS at_a_loss, cvm.payback_time(125, 0) AS no_revenue,
       cvm.payback_periods(acquisition_cost => 125, margin => 24, retention_rate => 0.97, discount_rate => 0.01) AS periods;
-- payback by adding up: the first period in which the sum reaches the cost
SELECT count(*) AS cases, bool_and(cvm.payback_periods(c, 24, r, d) IS NOT DISTINCT FROM s.n) AS agree
FROM unnest('{0.01, 24, 47, 125, 300, 1000}'::float8[]) AS c, unnest('{0.5, 0.9, 0.97, 1}'::float8[]) AS r, unnest('{0, 0.01, 0.1}'::float8[]) AS d,
     LATERAL (SELECT min(n)::int AS n FROM (SELECT n, sum(24 * r ^ (n - 1) / (1 + d) ^ n) OVER (ORDER BY n) AS paid FROM generate_series(1, 500) AS n) AS p
              WHERE paid >= c * (1 - 1e-12)) AS s;
SELECT cvm.payback_periods(0, 24) AS free, cvm.payback_periods(125, 0) AS no_margin, cvm.payback_periods(125, -1) AS at_a_loss,
       cvm.payback_periods(250, 24, 0.9) AS never, cvm.payback_periods(239.9, 24, 0.9) AS late, cvm.payback_periods(1e9, 1) AS long, cvm.payback_periods(125, NULL);

-- what is outside its domain
\set VERBOSITY terse
SELECT cvm.retention_from_counts(200, 210, 5);
SELECT cvm.retention_from_counts(200, 40, 50);
SELECT cvm.retention_from_counts(-1, 0, 0);
SELECT cvm.retention_from_counts(0, 41, 40);
SELECT cvm.nrr(o, c) FROM (VALUES (100, 90), (-1, 5)) AS v(o, c);
SELECT cvm.grr(o, c) FROM (VALUES (100, -90)) AS v(o, c);
SELECT cvm.grr(o, c) FROM (VALUES ('NaN'::numeric, 90)) AS v(o, c);
SELECT cvm.nrr(o, c) FROM (VALUES ('Infinity'::float8, 90)) AS v(o, c);
SELECT cvm.nrr(-5, 0, 0, 0);
SELECT cvm.grr(100, 0, 300);
SELECT cvm.grr(100, 60, 41);
SELECT cvm.grr(0, 1, 0);
SELECT cvm.nrr(100, 500, 0, 300);
SELECT cvm.nrr(100, -1, 0, 0);
SELECT cvm.grr(0.3, 0.1, 0.2) AS all_lost, cvm.grr(100, 40, 60) AS exactly, cvm.nrr(100, 20, 40, 60) AS only_expansion;
SELECT cvm.repeat_purchase_rate(p) FROM (VALUES (2), (-1)) AS v(p);
SELECT cvm.repeat_purchase_rate(5, 4);
SELECT cvm.acquisition_cost(-1, 5);
SELECT cvm.acquisition_cost(1, -5);
SELECT cvm.value_to_cost(600, -1);
SELECT cvm.payback_time(-1, 30);
SELECT cvm.payback_time(125, 30, 1.1);
SELECT cvm.payback_periods(-1, 24);
SELECT cvm.payback_periods(125, 24, 1.1);
SELECT cvm.payback_periods(125, 24, 0.9, -0.1);
SELECT cvm.churned_by_silence(-1, 90);
SELECT cvm.churned_by_gap(10, '{10,20,-1}');
-- too few gaps to count are checked all the same
SELECT cvm.churned_by_gap(10, '{-1}', population_gap => 5);
SELECT cvm.churned_by_gap(10, '{10,20,30}', quantile => 1.5);
SELECT cvm.churned_by_model(1.5);
DROP SCHEMA retention_test CASCADE;
