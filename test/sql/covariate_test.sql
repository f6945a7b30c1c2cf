-- covariate: models with covariates, against maxima computed elsewhere; what they say of a customer; what is refused
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA covariate_test;
SET search_path = covariate_test, public, cvm;

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

-- the customers of fit_test, a row each, with two covariates; their maxima to 15 digits are by test/unit/truth/covariates.py
CREATE TABLE statistic (x float8, t_x float8, age float8, customers int);
INSERT INTO statistic VALUES
    (0, 0, 38.86, 700), (0, 0, 30, 610), (1, 10, 38.86, 110), (1, 30.5, 38.86, 62), (1, 5, 30, 95), (1, 20.25, 30, 58),
    (2, 20, 38.86, 51), (2, 35, 38.86, 44), (2, 15, 30, 37), (2, 28, 30, 33), (3, 12, 38.86, 14), (3, 36.5, 38.86, 31),
    (4, 29, 30, 19), (5, 33, 38.86, 21), (7, 37, 38.86, 12), (9, 8, 30, 4), (12, 29.75, 30, 6), (20, 38.5, 38.86, 3);
CREATE TABLE customer AS
SELECT x, t_x, age, (i <= customers * (2 + x::int % 3) / 8)::int::float8 AS member, (i % 5)::float8 / 2 + (x > 1)::int AS price
FROM statistic, generate_series(1, customers) i;
CREATE TABLE fitted AS
SELECT family, cvm.fit_covariates(family, x, t_x, age, ARRAY[member, price], '{member,price}',
                                  CASE family WHEN 'pareto/nbd' THEN '{both,purchase}'::text[] ELSE '{purchase,purchase}' END) AS m
FROM customer, unnest('{bg/nbd,pareto/nbd}'::text[]) family GROUP BY family;
SELECT family, name, near((cvm.parameters(m)->>name)::float8, truth, 1e-7) AS parameter, near((cvm.standard_errors(m)->>name)::float8, error, 1e-6) AS standard_error
FROM (SELECT family, cvm.model_for(m, '{0,0}') AS m FROM fitted) s JOIN (VALUES
    ('bg/nbd', 'r', 0.547100474153921, 0.0511691204553),
    ('bg/nbd', 'alpha', 122.733175545246, 17.2476519162),
    ('bg/nbd', 'a', 1.48262057638535, 4.7333794198),
    ('bg/nbd', 'b', 32.5976918000109, 118.753026542),
    ('pareto/nbd', 'r', 0.702802980886016, 0.0743417924959),
    ('pareto/nbd', 'alpha', 126.789253844583, 17.2378517112),
    ('pareto/nbd', 's', 0.514492217029135, 0.567629879386),
    ('pareto/nbd', 'beta', 32.6452778905484, 48.6145778588)) t(family, name, truth, error) USING (family) ORDER BY family, name;
SELECT family, covariate, process, parameter, near(coefficient, truth, 1e-9) AS coefficient, near(standard_error, error, 1e-8) AS standard_error, round(z::numeric, 6) AS z, round(p_value::numeric, 6) AS p
FROM (SELECT family, c.* FROM fitted, LATERAL cvm.coefficients(m) c) s JOIN (VALUES
    ('bg/nbd', 'alpha', 'member', 0.367984633377965, 0.0981862673862),
    ('bg/nbd', 'alpha', 'price', 0.938922587575598, 0.0587326187386),
    ('pareto/nbd', 'alpha', 'member', 0.152376809813158, 0.112618171457),
    ('pareto/nbd', 'alpha', 'price', 0.892300969731559, 0.0559472831469),
    ('pareto/nbd', 'beta', 'member', -5.67486146439939, 39.576697351)) t(family, parameter, covariate, truth, error) USING (family, parameter, covariate)
ORDER BY family, parameter, covariate;
SELECT family, near(cvm.log_likelihood((m).model), truth, 1e-12) AS log_likelihood, (m).model::text ~ ' rung=full ' AS interior
FROM fitted JOIN (VALUES ('bg/nbd', -5468.75911887203959), ('pareto/nbd', -5465.01489881514382)) t(family, truth) USING (family) ORDER BY family;
-- the model of a customer is one like any other: the likelihood is the sum over customers of that of their models
SELECT family, near(sum(cvm.log_likelihood(cvm.model_for(m, ARRAY[member, price]), x, t_x, age)), max(cvm.log_likelihood((m).model)), 1e-12) AS summed
FROM fitted, customer GROUP BY family ORDER BY family;
SELECT family, cvm.model_for(m, (m).means) = (m).model AS at_the_means, cvm.customers(cvm.model_for(m, '{1,2}')), cvm.unit(cvm.model_for(m, '{1,2}')),
       near((cvm.parameters(cvm.model_for(m, '{1,2}'))->>'alpha')::float8, (cvm.parameters(cvm.model_for(m, '{0,0}'))->>'alpha')::float8 * exp(-(m).coefficients[1] - 2 * (m).coefficients[2]), 1e-12) AS alpha
FROM fitted ORDER BY family;
SELECT family, (m).covariates, (m).processes, array_length((m).coefficients, 1) AS coefficients, array_dims((m).covariance) AS covariance FROM fitted ORDER BY family;

-- the statistic, its degrees of freedom, its p; the plain model is that of cvm.fit
SELECT family, round(statistic::numeric, 6) AS statistic, degrees_of_freedom, near(statistic, 2 * (cvm.log_likelihood((m).model) - cvm.log_likelihood((m).plain)), 1e-9) AS twice_the_gain, p_value < 1e-50 AS significant
FROM fitted, LATERAL cvm.likelihood_ratio_test(m) ORDER BY family;
SELECT near(cvm.log_likelihood((m).plain), cvm.log_likelihood(p), 1e-12) AS plain FROM fitted, (SELECT cvm.fit('bg/nbd', x, t_x, age) AS p FROM customer) s WHERE family = 'bg/nbd';
-- chi-square of 3.841458820694124 with one degree of freedom, and 7.814727903251179 with three: 5 %
SELECT degrees_of_freedom, round(p_value::numeric, 12) AS p
FROM (VALUES ('bg/nbd(r=1,alpha=1,a=1,b=1) customers=10 log_likelihood=-100 rung=full', 'purchase', 3.841458820694124, '{0}'::float8[]),
             ('bg/nbd(r=1,alpha=1,a=1,b=1) customers=10 log_likelihood=-100 rung=full', 'both', 7.814727903251179, '{0,0,0}')) AS v(plain, process, gain, coefficients),
     LATERAL cvm.likelihood_ratio_test(ROW(format('bg/nbd(r=1,alpha=1,a=1,b=1) customers=10 log_likelihood=%s rung=full', -100 + gain / 2), plain, '{z}', ARRAY[process], '{0}', coefficients, NULL)::cvm.covariate_model);

-- a model written by hand, as a paper gives it: parameters of z = 0, no covariance, no plain model
CREATE TABLE written AS SELECT ROW('pareto/nbd(r=0.5,alpha=10,s=0.6,beta=12)', NULL, '{card,channel}', '{both,dropout}', '{0,0}', '{0.5,-0.3,0.2}', NULL)::cvm.covariate_model AS m;
SELECT c.* FROM written, LATERAL cvm.coefficients(m) c;
SELECT t.* FROM written, LATERAL cvm.likelihood_ratio_test(m) t;
-- alpha = 10 exp(-0.5), beta = 12 exp(0.3 - 0.2)
SELECT round((p->>'alpha')::numeric, 10) AS alpha, round((p->>'beta')::numeric, 10) AS beta, p->'r' AS r, p->'s' AS s, cvm.customers(cvm.model_for(m, '{1,1}'))
FROM written, LATERAL cvm.parameters(cvm.model_for(m, '{1,1}')) p;

-- order of rows, text round trip, names; rows without statistics; parallel workers
SELECT (SELECT cvm.fit_covariates('bg/nbd', x, t_x, age, ARRAY[member, price], '{member,price}', '{purchase,purchase}') FROM (SELECT * FROM customer ORDER BY x DESC, price) s) = m AS order_of_rows,
       m::text::cvm.covariate_model = m AS round_trip FROM fitted WHERE family = 'bg/nbd';
SELECT (cvm.fit_covariates('bg/nbd', x, t_x, age, ARRAY[price])).covariates, (cvm.fit_covariates('bg/nbd', x, t_x, age, ARRAY[price], NULL, '{purchase}')).processes,
       (cvm.fit_covariates('bg/nbd', x, t_x, age, ARRAY[price], '{price}', NULL)).processes FROM customer;
SELECT (SELECT cvm.fit_covariates('bg/nbd', x, t_x, age, z, '{member,price}', '{purchase,purchase}') FROM (SELECT x, t_x, age, ARRAY[member, price] AS z FROM customer UNION ALL SELECT NULL, NULL, NULL, NULL) s) = m AS without_statistics FROM fitted WHERE family = 'bg/nbd';
SELECT cvm.fit_covariates('bg/nbd', x, t_x, age, ARRAY[price]) IS NULL AS nobody FROM customer WHERE false;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT cvm.fit_covariates('pareto/nbd', x, t_x, age, ARRAY[member, price], '{member,price}', '{both,purchase}') FROM customer;
SELECT (SELECT cvm.fit_covariates('pareto/nbd', x, t_x, age, ARRAY[member, price], '{member,price}', '{both,purchase}') FROM customer) = m AS parallel FROM fitted WHERE family = 'pareto/nbd';
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET max_parallel_workers_per_gather;

-- histories: the same customers as purchases, in days of UTC
CREATE TABLE bought AS
SELECT c AS customer, timestamptz '2025-01-01 00:00+00' + k * (3 + c * 7 % 29) * interval '1 day' AS at, 10.0 AS amount, (c % 3 = 0)::int::float8 AS card
FROM generate_series(1, 600) c, generate_series(0, c % 5) k;
CREATE TABLE history AS SELECT customer, card, cvm.purchase_history(at, amount) AS h FROM bought GROUP BY customer, card;
SELECT a = b AS histories_are_statistics, cvm.unit((a).model)
FROM (SELECT cvm.fit_covariates('bg/nbd', h, '2025-09-01 00:00+00', ARRAY[card], '{card}', '{purchase}') AS a,
             cvm.fit_covariates('bg/nbd', cvm.repeat_periods(h), cvm.span(h), cvm.age(h, '2025-09-01 00:00+00'), ARRAY[card], '{card}', '{purchase}') AS b FROM history) s;
SELECT (cvm.fit_covariates('bg/nbd', h, '2025-09-01 00:00+00', ARRAY[card])).processes FROM history;

-- categories
SELECT cvm.one_hot('south', '{north,south,west}'), cvm.one_hot('north', '{north,south,west}'), ARRAY[42.0] || cvm.one_hot('west', '{north,south,west}') AS beside_a_number, cvm.one_hot(NULL, '{north}');
SELECT error_of($$SELECT cvm.one_hot('east', '{north,south,west}')$$);

-- a group that never comes back: penalised, no p
SELECT (m).model::text ~ ' rung=penalised ' AS penalised, c.covariate, c.parameter, c.coefficient < -1 AS low, c.standard_error > 0 AS standard_error, c.z, c.p_value
FROM (SELECT cvm.fit_covariates('bg/nbd', x, t_x, age, ARRAY[(x = 0 AND member = 1)::int::float8], '{idle}', '{purchase}') AS m FROM customer) s, LATERAL cvm.coefficients(m) c;
SELECT p_value, statistic > 0 AS better FROM (SELECT cvm.fit_covariates('bg/nbd', x, t_x, age, ARRAY[(x = 0 AND member = 1)::int::float8], '{idle}', '{purchase}') AS m FROM customer) s, LATERAL cvm.likelihood_ratio_test(m);

-- what can not be told apart, by name
CREATE FUNCTION fit_error(z text, names text DEFAULT NULL, processes text DEFAULT NULL, family text DEFAULT 'bg/nbd') RETURNS text LANGUAGE sql AS
$$ SELECT error_of(format('SELECT cvm.fit_covariates(%L, x, t_x, age, %s, %L::text[], %L::text[]) FROM customer', family, z, names, processes)) $$;
SELECT fit_error('ARRAY[member, 7]', '{member,seven}') UNION ALL
SELECT fit_error('ARRAY[member, price, 1 - member]', '{member,price,stranger}') UNION ALL
SELECT fit_error('ARRAY[member, price, 3 * price - 2 * member]', '{member,price,mixture}') UNION ALL
SELECT fit_error('ARRAY[(age = 30)::int, (age <> 30)::int]::float8[]', '{"early","late"}') UNION ALL
SELECT fit_error('ARRAY[price, 2 * price]', '{price,twice}', '{purchase,dropout}', 'pareto/nbd');

-- bad input
SELECT fit_error('ARRAY[member, NULL]') UNION ALL SELECT fit_error('NULL') UNION ALL SELECT fit_error('ARRAY[]::float8[]') UNION ALL
SELECT fit_error('ARRAY[[member, price]]') UNION ALL SELECT fit_error('ARRAY[member, ''NaN'']') UNION ALL SELECT fit_error('ARRAY[''-Infinity'', member]') UNION ALL
SELECT fit_error('ARRAY[1e101 * member]') UNION ALL SELECT fit_error('array_fill(member, ARRAY[51])') UNION ALL
SELECT fit_error('CASE WHEN x > 3 THEN ARRAY[member] ELSE ARRAY[member, price] END') UNION ALL
SELECT fit_error('ARRAY[member]', '{a,b}') UNION ALL SELECT fit_error('ARRAY[member, price]', '{a,a}') UNION ALL SELECT fit_error('ARRAY[member, price]', '{a,NULL}') UNION ALL
SELECT fit_error('ARRAY[member]', '{a}', '{churn}') UNION ALL SELECT fit_error('ARRAY[member]', '{a}', '{both,both}') UNION ALL
SELECT fit_error('ARRAY[member]', family => 'gamma-gamma') UNION ALL SELECT fit_error('ARRAY[member]', family => 'bg/bb') UNION ALL SELECT fit_error('ARRAY[member]', family => 'nbd');
SELECT error_of($$SELECT cvm.fit_covariates(family, x, t_x, age, ARRAY[member]) FROM customer, unnest('{bg/nbd,mbg/nbd}'::text[]) family$$) UNION ALL
SELECT error_of($$SELECT cvm.fit_covariates('bg/nbd', x, t_x, age, ARRAY[member], ARRAY[CASE WHEN x > 2 THEN 'a' ELSE 'b' END], NULL) FROM customer$$) UNION ALL
SELECT error_of($$SELECT cvm.fit_covariates('bg/nbd', x, t_x, NULL, ARRAY[member]) FROM customer$$) UNION ALL
SELECT error_of($$SELECT cvm.fit_covariates('bg/nbd', x, age + 1, age, ARRAY[member]) FROM customer WHERE x > 0$$) UNION ALL
SELECT error_of($$SELECT cvm.fit_covariates('bg/nbd', 0, 0, age, ARRAY[member]) FROM customer$$) UNION ALL
SELECT error_of($$SELECT cvm.fit_covariates('bg/nbd', h, '2025-01-02 00:00+00', ARRAY[card]) FROM history$$) UNION ALL
SELECT error_of($$SELECT cvm.fit_covariates('bg/nbd', h, NULL, ARRAY[card]) FROM history$$);
SELECT z, error_of(format('SELECT cvm.model_for(m, %L) FROM written', z)) FROM unnest(ARRAY['{1}', '{1,NULL}', '{1,2,3}', '{}', '{NaN,1}', '{1e100,1}', '{-1e100,1}']) z;
SELECT cvm.model_for(m, NULL) IS NULL AS nothing_known FROM written;

-- rows that are no models
SELECT error_of(format($$SELECT count(*) FROM cvm.coefficients(ROW(%s)::cvm.covariate_model)$$, r)) FROM unnest(ARRAY[
    $$NULL, NULL, '{a}', '{both}', '{0}', '{1,1}', NULL$$,
    $$'bg/nbd(r=1,alpha=1,a=1,b=1)', NULL, '{}', '{}', '{}', '{}', NULL$$,
    $$'bg/nbd(r=1,alpha=1,a=1,b=1)', NULL, '{a}', '{both,both}', '{0}', '{1,1,1}', NULL$$,
    $$'bg/nbd(r=1,alpha=1,a=1,b=1)', NULL, '{a}', '{both}', '{0}', '{1,1}', NULL$$,
    $$'bg/nbd(r=1,alpha=1,a=1,b=1)', NULL, '{a}', '{both}', '{0,1}', '{1,1,1}', NULL$$,
    $$'bg/nbd(r=1,alpha=1,a=1,b=1)', NULL, '{a}', '{both}', '{0}', '{1,1,Infinity}', NULL$$,
    $$'bg/nbd(r=1,alpha=1,a=1,b=1)', NULL, '{a}', '{both}', '{NULL}', '{1,1,1}', NULL$$,
    $$'bg/nbd(r=1,alpha=1,a=1,b=1)', NULL, '{a}', '{purchase}', '{0}', '{1}', '{{1,0},{0,1}}'$$,
    $$'bg/nbd(r=1,alpha=1,a=1,b=1)', NULL, '{a}', '{purchase}', '{0}', '{1}', '{1,0,0,0,0, 0,1,0,0,0, 0,0,1,0,0, 0,0,0,1,0, 0,0,0,0,-1}'$$,
    $$'gamma-gamma(p=1,q=2,gamma=1)', NULL, '{a}', '{both}', '{0}', '{1}', NULL$$]) r;
SELECT error_of($$SELECT cvm.likelihood_ratio_test(ROW('bg/nbd(r=1,alpha=1,a=1,b=1) customers=2 log_likelihood=-1 rung=full', 'bg/nbd(r=1,alpha=1,a=1,b=1) customers=3 log_likelihood=-1 rung=full', '{a}', '{purchase}', '{0}', '{1}', NULL)::cvm.covariate_model)$$);
SELECT count(*) FROM cvm.coefficients(NULL);
DROP SCHEMA covariate_test CASCADE;
