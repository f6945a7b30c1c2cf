-- simulate: customers who behave as their model says; whoever fits them gets the model back
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA simulate_test;
SET search_path = simulate_test, public, cvm;

-- what a statement raises, as one line
CREATE FUNCTION error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text;
BEGIN
    EXECUTE statement;
    RETURN 'no error';
EXCEPTION WHEN query_canceled OR others THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RETURN state || ' ' || message || coalesce(nullif(' | ' || detail, ' | '), '');
END $$;

CREATE TABLE model (m cvm.model, observed float8, spread float8);
INSERT INTO model VALUES
    ('bg/nbd(r=0.8,alpha=6,a=0.8,b=2.5)', 52, 26), ('mbg/nbd(r=0.8,alpha=6,a=0.8,b=2.5)', 52, 26), ('pareto/nbd(r=0.8,alpha=6,s=0.9,beta=12)', 52, 26),
    ('bg/cnbd-k(k=3,r=1.2,alpha=2,a=0.8,b=2.5)', 52, 26), ('mbg/cnbd-k(k=2,r=1.2,alpha=3,a=0.8,b=2.5)', 52, 26), ('bg/bb(alpha=1.2,beta=0.75,gamma=0.66,delta=2.78)', 12, 5),
    ('gamma-gamma(p=6.25,q=3.74,gamma=15.44)', 6, 6), ('sbg(alpha=0.7,beta=1.2)', 10, 6), ('bdw(gamma=0.8,delta=1.5,c=1.3)', 10, 6);
CREATE TABLE customer AS
SELECT cvm.family(m) AS family, c.* FROM model, LATERAL cvm.simulate(m, 4000, observed, 42, spread) c;

-- fitted again: every parameter within four standard errors of the truth, k exactly, the likelihood no less than at the truth
CREATE TABLE fitted AS
SELECT family, CASE family WHEN 'gamma-gamma' THEN cvm.fit_spend(x, mean_spend) END AS m FROM customer WHERE family = 'gamma-gamma' GROUP BY 1
UNION ALL SELECT family, cvm.fit_retention(family, lifetime, churned) FROM customer WHERE churned IS NOT NULL GROUP BY 1
UNION ALL SELECT family, cvm.fit(family, x, t_x, age, 1, log_intervals) FROM customer WHERE age IS NOT NULL GROUP BY 1;
SELECT family, substring(fitted.m::text FROM 'rung=(\w+)') AS rung, cvm.customers(fitted.m) AS customers, count(*) AS parameters,
       count(*) FILTER (WHERE abs(p.value::text::float8 - (cvm.parameters(model.m)->>p.key)::float8) <= 4 * (cvm.standard_errors(fitted.m)->>p.key)::float8) AS recovered
FROM fitted JOIN model ON cvm.family(model.m) = family, jsonb_each(cvm.parameters(fitted.m)) p GROUP BY 1, 2, 3 ORDER BY 1;
SELECT family, cvm.log_likelihood(fitted.m) >= at_truth AS better_than_the_truth
FROM fitted JOIN (
    SELECT family, sum(CASE WHEN family ~ 'cnbd' THEN cvm.log_likelihood(m, x, t_x, age, log_intervals)
                            WHEN family = 'gamma-gamma' THEN cvm.log_likelihood(m, x, coalesce(mean_spend, 0)) ELSE cvm.log_likelihood(m, x, t_x, age) END) AS at_truth
    FROM customer JOIN model ON cvm.family(m) = family WHERE x IS NOT NULL GROUP BY 1) t USING (family) ORDER BY 1;

-- the same customers again for the same seed, the first of many, others for another seed
SELECT cvm.family(m) AS family, (SELECT count(*) FROM (SELECT * FROM cvm.simulate(m, 50, observed, 42, spread) EXCEPT SELECT * FROM cvm.simulate(m, 200, observed, 42, spread)) d) AS differ,
       (SELECT count(*) > 0 FROM (SELECT * FROM cvm.simulate(m, 50, observed, 42, spread) EXCEPT SELECT * FROM cvm.simulate(m, 50, observed, 43, spread)) d) AS seed_matters,
       (SELECT count(*) FROM cvm.simulate(m, 0, observed)) AS nobody
FROM model ORDER BY 1;
-- what a family has not is NULL; lengths lie within the spread, and are whole where they must
SELECT family, count(*) AS customers, count(x) AS x, count(t_x) AS t_x, count(age) AS age, count(log_intervals) AS log_intervals, count(mean_spend) > 0 AS mean_spend, count(lifetime) AS lifetime, count(churned) AS churned,
       count(*) FILTER (WHERE x = 0 AND mean_spend IS NOT NULL) AS spend_of_nobody,
       round(min(coalesce(age, CASE WHEN t_x IS NULL THEN x END, lifetime))) AS least, round(max(coalesce(age, CASE WHEN t_x IS NULL THEN x END, lifetime))) AS most,
       count(*) FILTER (WHERE NOT family IN ('bg/nbd', 'mbg/nbd', 'pareto/nbd', 'bg/cnbd-k', 'mbg/cnbd-k') AND coalesce(age, x, 0) <> floor(coalesce(age, x, 0))) AS fractional
FROM customer GROUP BY 1 ORDER BY 1;
-- the mean is the one expected, within four standard errors; so is the share that stays silent
SELECT cvm.family(m) AS family, abs(avg(x) - cvm.expected_purchases(m, observed)) < 4 * stddev(x) / sqrt(count(*)) AS purchases,
       abs(avg((x = 0)::int) - cvm.p_no_purchase(m, 0, 0, 0, observed)) < 4 * stddev((x = 0)::int) / sqrt(count(*)) AS silent
FROM model, LATERAL cvm.simulate(m, 5000, observed, 7) WHERE cvm.unit(m) IS NOT NULL OR cvm.family(m) = 'bg/bb' GROUP BY m, observed ORDER BY 1;
SELECT cvm.family(m) AS family, abs(avg((NOT churned)::int) - cvm.survival(m, 10)) < 4 * sqrt(cvm.survival(m, 10) / 5000) AS survivors
FROM model, LATERAL cvm.simulate(m, 5000, 10, 7) WHERE churned IS NOT NULL GROUP BY m ORDER BY 1;

-- rows beyond work_mem go to disk
SET work_mem = '64kB';
SELECT count(*), max(customer) FROM cvm.simulate('bg/nbd(r=0.8,alpha=6,a=0.8,b=2.5)', 100000, 10);
RESET work_mem;
-- it can be stopped
SET statement_timeout = '200ms';
SELECT error_of($$SELECT count(*) FROM cvm.simulate('bg/nbd(r=0.8,alpha=6,a=0.8,b=2.5)', 2000000000, 10)$$) AS stopped;
RESET statement_timeout;

-- bad arguments
SELECT error_of('SELECT count(*) FROM cvm.simulate(' || call || ')') AS result, call FROM unnest(ARRAY[
    $$'bg/nbd(r=1,alpha=1,a=1,b=1)', -1, 10$$, $$'bg/nbd(r=1,alpha=1,a=1,b=1)', 10, -1$$, $$'bg/nbd(r=1,alpha=1,a=1,b=1)', 10, 'NaN'$$, $$'bg/nbd(r=1,alpha=1,a=1,b=1)', 10, 'infinity'$$,
    $$'bg/nbd(r=1,alpha=1,a=1,b=1)', 10, 10, 1, 11$$, $$'bg/nbd(r=1,alpha=1,a=1,b=1)', 10, 10, 1, -1$$, $$'bg/nbd(r=1,alpha=1,a=1,b=1)', 10, 10, 1, 'NaN'$$,
    $$'bg/bb(alpha=1,beta=1,gamma=1,delta=1)', 10, 6.5$$, $$'bg/bb(alpha=1,beta=1,gamma=1,delta=1)', 10, 6, 1, 0.5$$, $$'bg/bb(alpha=1,beta=1,gamma=1,delta=1)', 10, 1e7$$,
    $$'sbg(alpha=1,beta=1)', 10, 6.5$$, $$'sbg(alpha=1,beta=1)', 10, 1e10$$, $$'gamma-gamma(p=1,q=1,gamma=1)', 10, -1$$, $$'gamma-gamma(p=1,q=1,gamma=1)', 10, 1.5$$,
    $$'bg/nbd(r=1000,alpha=0.001,a=0.001,b=1000)', 10, 10000$$, $$'pareto/nbd(r=1000,alpha=0.001,s=0.001,beta=1000)', 10, 10000$$, $$'mbg/cnbd-k(k=2,r=1000,alpha=0.001,a=0.001,b=1000)', 10, 10000$$,
    $$'gamma-gamma(p=1,q=1e-300,gamma=1)', 10, 5$$, $$NULL, 10, 10$$]) call;

DROP SCHEMA simulate_test CASCADE;
