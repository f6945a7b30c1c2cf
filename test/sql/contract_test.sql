-- contracts -> sbg and bdw models, against published series and plain SQL
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA contract_test;
SET search_path = contract_test, public, cvm;

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
CREATE FUNCTION near(a float8, b float8, relative float8) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT abs(a - b) <= relative * abs(b) $$;

-- two series of Fader & Hardie 2007: customers of 1000 left after 0, 1, ... renewals
CREATE TABLE series (series text, survivors int[]);
INSERT INTO series VALUES
    ('regular', '{1000,631,468,382,326,289,262,241}'), ('high end', '{1000,869,743,653,593,551,517,491}');
CREATE VIEW contract AS
SELECT series, renewals, t AS lifetime, true AS churned, survivors[t] - survivors[t + 1] AS customers
FROM series, (VALUES (4), (7)) r(renewals), generate_series(1, renewals) t
UNION ALL
SELECT series, renewals, renewals, false, survivors[renewals + 1] FROM series, (VALUES (4), (7)) r(renewals);

-- maxima to 20 digits are by test/unit/truth/contract.py
CREATE TABLE fitted AS
SELECT family, series, renewals, cvm.fit_retention(family, lifetime, churned, customers) AS m
FROM contract, (VALUES ('sbg'), ('bdw')) f(family) GROUP BY family, series, renewals;
SELECT family, series, renewals, bool_and(near((cvm.parameters(m)->>name)::float8, truth, 1e-8)) AS parameters,
       bool_and(near(cvm.log_likelihood(m), loglik, 1e-12)) AS log_likelihood, bool_and(cvm.customers(m) = 1000) AS customers,
       bool_and(m::text ~ ' rung=full ') AS interior, bool_and(cvm.unit(m) IS NULL) AS counts_renewals
FROM fitted JOIN (VALUES
    ('sbg', 'regular', 7, 'alpha', 0.704077298473516208, -1680.2651884632869933), ('sbg', 'regular', 7, 'beta', 1.18204302620947567552, -1680.2651884632869933),
    ('sbg', 'high end', 7, 'alpha', 0.668088351106446219, -1611.1581473911564414), ('sbg', 'high end', 7, 'beta', 3.80609496405826693364, -1611.1581473911564414),
    ('sbg', 'regular', 4, 'alpha', 0.763665062564552646, -1401.5594235774454492), ('sbg', 'regular', 4, 'beta', 1.29583027218250210101, -1401.5594235774454492),
    ('sbg', 'high end', 4, 'alpha', 1.28097638036742502221, -1225.1349070416124839), ('sbg', 'high end', 4, 'beta', 7.79038409526386041611, -1225.1349070416124839),
    ('bdw', 'regular', 4, 'gamma', 0.523029312908843499, -1401.3830516786183827), ('bdw', 'regular', 4, 'delta', 0.894282658910332204, -1401.3830516786183827),
    ('bdw', 'regular', 4, 'c', 1.19639871135901748947, -1401.3830516786183827), ('bdw', 'high end', 4, 'gamma', 0.259335731511166388, -1222.7493182408217785),
    ('bdw', 'high end', 4, 'delta', 1.72255148808668616233, -1222.7493182408217785), ('bdw', 'high end', 4, 'c', 1.58436151502285755373, -1222.7493182408217785)
) t(family, series, renewals, name, truth, loglik) USING (family, series, renewals)
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT family, series, renewals, round(cvm.log_likelihood(m)::numeric, 4) AS log_likelihood,
       (SELECT string_agg(key || ' ' || round(value::numeric, 4), ', ' ORDER BY key) FROM jsonb_each_text(cvm.parameters(m))) AS parameters,
       (SELECT string_agg(key || ' ' || round(value::numeric, 4), ', ' ORDER BY key) FROM jsonb_each_text(cvm.standard_errors(m))) AS standard_errors
FROM fitted ORDER BY 1, 2, 3;

-- one row per customer is the same as weights, in any order, and in parallel
CREATE TABLE customer AS
SELECT series, renewals, lifetime, churned FROM contract, generate_series(1, customers) ORDER BY md5(series || lifetime || generate_series);
SELECT count(*), bool_and(near((cvm.parameters(a.m)->>'alpha')::float8, (cvm.parameters(b.m)->>'alpha')::float8, 1e-12)) AS same
FROM (SELECT series, renewals, cvm.fit_retention('sbg', lifetime, churned) AS m FROM customer GROUP BY 1, 2) a
JOIN fitted b USING (series, renewals) WHERE b.family = 'sbg';
ANALYZE customer;
CREATE FUNCTION has_node(query text, node text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    line text; found boolean := false;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        found := found OR line ~ node;
    END LOOP;
    RETURN found;
END $$;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
SELECT has_node('SELECT cvm.fit_retention(''sbg'', lifetime, churned) FROM customer WHERE renewals = 7', 'Partial Aggregate') AS partial;
SELECT near(a, b, 1e-12) AS parallel FROM
    (SELECT cvm.log_likelihood(cvm.fit_retention('sbg', lifetime, churned)) AS a FROM customer WHERE renewals = 7) p,
    (SELECT cvm.log_likelihood(cvm.fit_retention('sbg', lifetime, churned, customers)) AS b FROM contract WHERE renewals = 7) w;
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET parallel_leader_participation;

-- survival: products of retention rates (beta + t) / (alpha + beta + t), by plain SQL
WITH RECURSIVE s(t, value) AS (
    SELECT 0, 1::float8 UNION ALL SELECT t + 1, value * (3.806 + t) / (.668 + 3.806 + t) FROM s WHERE t < 40)
SELECT count(*), bool_and(near(cvm.survival('sbg(alpha=0.668,beta=3.806)', t), value, 1e-13)) AS survival,
       bool_and(cvm.survival('sbg(alpha=0.668,beta=3.806)', t + 0.5) = cvm.survival('sbg(alpha=0.668,beta=3.806)', t)) AS steps
FROM s;
SELECT t, round(cvm.survival('sbg(alpha=0.704,beta=1.182)', t)::numeric, 10) AS regular,
       round(cvm.survival('bdw(gamma=0.523,delta=0.894,c=1.196)', t)::numeric, 10) AS regular_bdw,
       round(cvm.survival('bdw(gamma=0.259,delta=1.722,c=1.584)', t)::numeric, 10) AS high_end_bdw
FROM (VALUES (0), (1), (4), (7), (12)) v(t);

-- residual lifetime: the sum over decisions to come, by plain SQL, and published values
WITH model(m) AS (VALUES ('sbg(alpha=0.668,beta=3.806)'::cvm.model), ('bdw(gamma=0.259,delta=1.722,c=1.584)'))
SELECT cvm.family(m), t, near(cvm.residual_lifetime(m, t, 0.1), sum(cvm.survival(m, t + j) / cvm.survival(m, t) * 1.1 ^ (1 - j)), 1e-12) AS sum_of_payments
FROM model, (VALUES (0), (3), (20)) v(t), generate_series(1, 400) j GROUP BY m, t ORDER BY 1, 2;
SELECT n, round(cvm.residual_lifetime('sbg(alpha=0.668,beta=3.806)', n - 1, 0.1)::numeric, 8) AS before_decision,
       round((cvm.residual_lifetime('sbg(alpha=0.668,beta=3.806)', n, 0.1) / 1.1)::numeric, 8) AS after_renewal
FROM (VALUES (1), (2), (5)) v(n);
SELECT cvm.mean_lifetime('sbg(alpha=1.5,beta=2)') AS expected, cvm.residual_lifetime('sbg(alpha=1.5,beta=2)', 3, 0) AS residual,
       round(cvm.mean_lifetime('bdw(gamma=1.5,delta=2,c=1)')::numeric, 9) AS bdw;

-- models as values
SELECT m::text::cvm.model = m AS round_trip, m::text ~ '^sbg\(alpha=0.7\d*,beta=1.1\d*\) customers=1000 log_likelihood=-1680.2\d* rung=full covariance=\[' AS text
FROM fitted WHERE family = 'sbg' AND series = 'regular' AND renewals = 7;
SELECT family, kind, parameters FROM cvm.families WHERE kind = 'retention' ORDER BY family;
SELECT cvm.fit_retention('sbg', lifetime, churned) IS NULL AS no_rows FROM customer WHERE false;
SELECT cvm.fit_retention('sbg', NULL, NULL) IS NULL AS rows_of_an_outer_join;
SELECT cvm.fit_retention('sbg', 1, true)::text ~ ' rung=penalised ' AS one_contract;

-- bad input
SELECT statement, error_of('SELECT ' || statement) FROM (VALUES
    ('cvm.fit_retention(''sbg'', t, c) FROM (VALUES (1, true), (0, true)) v(t, c)'),
    ('cvm.fit_retention(''bdw'', t, c) FROM (VALUES (1, true), (-1, false)) v(t, c)'),
    ('cvm.fit_retention(''sbg'', t, c) FROM (VALUES (3, false), (0, false)) v(t, c)'),
    ('cvm.fit_retention(''sbg'', 1, NULL)'),
    ('cvm.fit_retention(''sbg'', NULL, true)'),
    ('cvm.fit_retention(NULL, 1, true)'),
    ('cvm.fit_retention(''sbg'', 1, true, -1)'),
    ('cvm.fit_retention(''sbg'', 1, true, ''NaN'')'),
    ('cvm.fit_retention(''bg/nbd'', 1, true)'),
    ('cvm.fit_retention(f, 1, true) FROM (VALUES (''sbg''), (''bdw'')) v(f)'),
    ('cvm.fit(''sbg'', 1, 1, 2)'),
    ('cvm.survival(''sbg(alpha=1,beta=1)'', -1)'),
    ('cvm.survival(''sbg(alpha=1,beta=1)'', ''NaN'')'),
    ('cvm.survival(''bg/nbd(r=1,alpha=1,a=1,b=1)'', 1)'),
    ('cvm.residual_lifetime(''sbg(alpha=1,beta=1)'', 1.5, .1)'),
    ('cvm.residual_lifetime(''sbg(alpha=1,beta=1)'', 1, -.1)'),
    ('cvm.residual_lifetime(''sbg(alpha=1,beta=1)'', 1, ''Infinity'')'),
    ('cvm.residual_lifetime(''sbg(alpha=1,beta=1)'', 1, 0)'),
    ('cvm.mean_lifetime(''bdw(gamma=.5,delta=1,c=2)'')'),
    ('cvm.p_alive(''sbg(alpha=1,beta=1)'', 0, 0, 1)'),
    ('''sbg(alpha=1,beta=0)''::cvm.model'),
    ('''bdw(gamma=1,delta=1)''::cvm.model')
) v(statement);

DROP SCHEMA contract_test CASCADE;
