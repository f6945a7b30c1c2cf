-- CDNOW, 1/10 sample (Fader, Hardie & Lee 2005): the published parameters, from the purchases themselves and from the
-- summary with two-decimal weeks.  CVM_DATA names the folder of the files; without them everything is skipped.
\set sample `cat "$CVM_DATA/cdnow_sample.txt" 2>/dev/null`
\set summary `cat "$CVM_DATA/cdnow_sample_summary.csv" 2>/dev/null`
SELECT :'sample' <> '' AND :'summary' <> '' AS present \gset
BEGIN;
SELECT plan(35);
\if :present

CREATE TEMP TABLE purchase AS
SELECT f[1]::int AS customer, f[2]::int AS number, to_date(f[3], 'YYYYMMDD') AS day, f[5]::numeric AS amount
FROM (SELECT regexp_split_to_array(btrim(line, E' \r'), ' +') AS f FROM string_to_table(:'sample', E'\n') line WHERE btrim(line, E' \r') <> '') l;
CREATE TEMP TABLE history AS
SELECT customer, min(number) AS number, cvm.purchase_history(day, amount) AS h FROM purchase WHERE day <= '1997-09-30' GROUP BY customer;
CREATE TEMP TABLE fitted AS
SELECT cvm.fit('bg/nbd', h, '1997-09-30 00:00+00') AS purchases, cvm.fit_spend(h) AS spend FROM history;

CREATE FUNCTION pg_temp.near(got float8, truth float8, tolerance float8, what text) RETURNS text LANGUAGE sql AS $$
    SELECT ok(abs(got - truth) <= tolerance, format('%s: %s is %s', what, truth, got)) $$;
CREATE FUNCTION pg_temp.parameter(m cvm.model, name text) RETURNS float8 LANGUAGE sql AS $$ SELECT (cvm.parameters(m)->>name)::float8 $$;

SELECT is((SELECT count(*) FROM history), 2357::bigint, 'customers');
-- to the last digit the sum of amounts is that of plain SQL
SELECT is((SELECT sum(cvm.total_spend(h)) FROM history), (SELECT sum(amount) FROM purchase WHERE day <= '1997-09-30'), 'total spend');
SELECT is((SELECT array_agg(n ORDER BY x) FROM (SELECT least(cvm.repeat_periods(h), 7) AS x, count(*) AS n FROM history GROUP BY 1) d),
          '{1411,439,214,100,62,38,29,64}'::bigint[], 'customers by repeat purchases, 0 to 7 and more, as published');
SELECT is(cvm.customers(purchases), 2357::float8, 'customers of the model') FROM fitted;
SELECT pg_temp.near(pg_temp.parameter(purchases, name), truth, 1e-6 * truth, name)
FROM fitted, (VALUES ('r', 0.2425945), ('alpha', 4.413602), ('a', 0.792922), ('b', 2.425907)) v(name, truth);
SELECT pg_temp.near(cvm.log_likelihood(purchases), -9582.4292067, 1e-6, 'log-likelihood') FROM fitted;
SELECT pg_temp.near((cvm.standard_errors(purchases)->>name)::float8, truth, 1e-4 * truth, 'standard error of ' || name)
FROM fitted, (VALUES ('r', 0.012557), ('alpha', 0.37822), ('a', 0.18573), ('b', 0.70541)) v(name, truth);
SELECT is(cvm.unit(purchases), interval '7 days', 'weeks') FROM fitted;

SELECT is(cvm.customers(spend), 946::float8, 'repeat buyers') FROM fitted;
SELECT pg_temp.near(pg_temp.parameter(spend, name), truth, 1e-6 * truth, name)
FROM fitted, (VALUES ('p', 6.249572), ('q', 3.744225), ('gamma', 15.443521)) v(name, truth);
SELECT pg_temp.near(cvm.log_likelihood(spend), -4055.9176948, 1e-6, 'log-likelihood of spend') FROM fitted;

-- the summary of the papers' spreadsheets
CREATE TEMP TABLE summary AS
SELECT f[1]::int AS number, f[2]::float8 AS x, f[3]::float8 AS t_x, f[4]::float8 AS age, f[5]::float8 AS mean
FROM (SELECT string_to_array(btrim(line, E' \r'), ',') AS f FROM string_to_table(:'summary', E'\n') line WHERE line ~ '^[0-9]') l;
CREATE TEMP TABLE fitted_summary AS
SELECT cvm.fit('bg/nbd', x, t_x, age) AS purchases, cvm.fit_spend(x, mean) AS spend FROM summary;
SELECT pg_temp.near(pg_temp.parameter(purchases, name), truth, 1e-6 * truth, 'summary: ' || name)
FROM fitted_summary, (VALUES ('r', 0.2425929072), ('alpha', 4.4135315612), ('a', 0.7928861481), ('b', 2.4257534365)) v(name, truth);
SELECT pg_temp.near(cvm.log_likelihood(purchases), -9582.425560567, 1e-6, 'summary: log-likelihood') FROM fitted_summary;
SELECT pg_temp.near((cvm.standard_errors(purchases)->>name)::float8, truth, 1e-4 * truth, 'summary: standard error of ' || name)
FROM fitted_summary, (VALUES ('r', 0.01255731958378787), ('alpha', 0.378221415533557), ('a', 0.1857191431661304), ('b', 0.7053457554265784)) v(name, truth);
SELECT is(string_agg(round(pg_temp.parameter(purchases, name)::numeric, 3)::text, ' ' ORDER BY place), '0.243 4.414 0.793 2.426', 'as printed in the paper')
FROM fitted_summary, unnest('{r,alpha,a,b}'::text[]) WITH ORDINALITY n(name, place);
SELECT pg_temp.near(pg_temp.parameter(spend, name), truth, 1e-6 * truth, 'summary: ' || name)
FROM fitted_summary, (VALUES ('p', 6.2488024897), ('q', 3.7445884533), ('gamma', 15.4477480095)) v(name, truth);
SELECT pg_temp.near(cvm.log_likelihood(spend), -4055.9232435, 1e-6, 'summary: log-likelihood of spend') FROM fitted_summary;

SELECT pg_temp.near(round(corr(x, mean)::numeric, 5)::float8, 0.11388, 1e-12, 'summary: correlation of purchases and spend') FROM summary WHERE x > 0;

-- histories say what the summary says, to its two decimals
SELECT is(count(*), 0::bigint, 'statistics of the purchases and of the summary agree')
FROM history JOIN summary s USING (number)
WHERE cvm.repeat_periods(h) <> x OR abs(cvm.span(h) - t_x) > 0.0051 OR abs(cvm.age(h, '1997-09-30 00:00+00') - age) > 0.0051
   OR (x > 0 AND abs(cvm.mean_spend(h) - mean) > 0.0051);
\else
SELECT skip('the CDNOW files are not there (CVM_DATA)', 35);
\endif
SELECT * FROM finish();
ROLLBACK;
