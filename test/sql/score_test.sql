-- score: model + history -> numbers, against published vectors and the definitions
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA score_test;
SET search_path = score_test, public, cvm;

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

-- BG/NBD to 40 digits, rounded to the nearest float: likelihood, P(alive), conditional and unconditional means, discounted means, probabilities
CREATE TABLE vector (what text, r float8, alpha float8, a float8, b float8, x int, t_x float8, age float8, t float8, rate float8, truth float8);
INSERT INTO vector VALUES
    ('loglik', 0.243, 4.414, 0.793, 2.426, 2, 30.43, 38.86, NULL, NULL, -9.45860630706627),
    ('p_alive', 0.243, 4.414, 0.793, 2.426, 2, 30.43, 38.86, NULL, NULL, 0.726578570080673),
    ('cond_exp', 0.243, 4.414, 0.793, 2.426, 2, 30.43, 38.86, 39.0, NULL, 1.2260281747671444),
    ('dert', 0.243, 4.414, 0.793, 2.426, 2, 30.43, 38.86, NULL, 0.0027, 5.156379826154038),
    ('p_alive', 0.243, 4.414, 0.793, 2.426, 0, 0.0, 38.86, NULL, NULL, 1.0),
    ('cond_exp', 0.243, 4.414, 0.793, 2.426, 0, 0.0, 38.86, 39.0, NULL, 0.19509805201126265),
    ('dert', 0.243, 4.414, 0.793, 2.426, 0, 0.0, 38.86, NULL, 0.0027, 1.01570193111807),
    ('loglik', 0.243, 4.414, 0.793, 2.426, 1, 1.71, 38.86, NULL, NULL, -4.469093275032589),
    ('p_alive', 0.243, 4.414, 0.793, 2.426, 1, 1.71, 38.86, NULL, NULL, 0.2121009853773791),
    ('cond_exp', 0.243, 4.414, 0.793, 2.426, 1, 1.71, 38.86, 39.0, NULL, 0.20318698707975405),
    ('loglik', 0.243, 4.414, 0.793, 2.426, 29, 5.0, 38.86, NULL, NULL, -3.5291814071759124),
    ('p_alive', 0.243, 4.414, 0.793, 2.426, 29, 5.0, 38.86, NULL, NULL, 1.6287824286111e-18),
    ('cond_exp', 0.243, 4.414, 0.793, 2.426, 29, 5.0, 38.86, 39.0, NULL, 3.3168796001343024e-17),
    ('loglik', 0.243, 4.414, 0.793, 2.426, 26, 30.86, 31.0, NULL, NULL, -37.72657947339444),
    ('cond_exp', 0.243, 4.414, 0.793, 2.426, 26, 30.86, 31.0, 39.0, NULL, 20.74972614085729),
    ('exp_x', 0.243, 4.414, 0.793, 2.426, NULL, NULL, NULL, 1.0, NULL, 0.05326789117165828),
    ('exp_x', 0.243, 4.414, 0.793, 2.426, NULL, NULL, NULL, 1000.0, NULL, 6.580391613738232),
    ('exp_x', 0.5, 6.0, 0.4, 0.6, NULL, NULL, NULL, 20.0, NULL, 1.0324029878672751),
    ('p_alive', 0.243, 4.414, 0.793, 2.426, 1000, 10.0, 100.0, NULL, NULL, 0.0),
    ('loglik', 0.243, 4.414, 0.793, 2.426, 1000, 10.0, 100.0, NULL, NULL, 3225.142983682824),
    ('pmf', 0.243, 4.414, 0.793, 2.426, 0, NULL, NULL, 39.0, NULL, 0.5737863520960094),
    ('pmf', 0.243, 4.414, 0.793, 2.426, 1, NULL, NULL, 39.0, NULL, 0.19939528083591146),
    ('pmf', 0.243, 4.414, 0.793, 2.426, 5, NULL, NULL, 39.0, NULL, 0.017965493866579044),
    ('det_new_customer', 0.243, 4.414, 0.793, 2.426, NULL, NULL, NULL, NULL, 0.0027, 3.6478096301374228),
    ('loglik', 0.243, 4.414, 0.793, 2.426, 0, 0, 38.86, NULL, NULL, -0.5547132764381585),
    ('dert', 0.243, 4.414, 0.793, 2.426, 1, 1.71, 38.86, NULL, 0.0027, 0.9150025751305849),
    ('dert', 0.243, 4.414, 0.793, 2.426, 26, 30.86, 31, NULL, 0.0027, 70.90648652555805),
    ('dert', 0.243, 4.414, 0.793, 2.426, 29, 5, 38.86, NULL, 0.0027, 1.197782958732146e-16),
    ('p_alive', 0.243, 4.414, 0.793, 2.426, 26, 30.86, 31, NULL, NULL, 0.9689156497175251),
    ('exp_x', 0.243, 4.414, 0.793, 2.426, NULL, NULL, NULL, 31.8571, NULL, 1.041996060852211),
    ('exp_x', 0.243, 4.414, 0.793, 2.426, NULL, NULL, NULL, 78, NULL, 1.8605190579427684),
    ('exp_x', 0.5, 6, 1, 2, NULL, NULL, NULL, 20, NULL, 1.0272919157778269),
    ('exp_x', 0.5, 6, 0.3, 0.2, NULL, NULL, NULL, 20, NULL, 0.8676428824147766);
CREATE FUNCTION answer(v vector) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    m cvm.model := format('bg/nbd(r=%s,alpha=%s,a=%s,b=%s)', v.r, v.alpha, v.a, v.b);
BEGIN
    RETURN CASE v.what
        WHEN 'loglik' THEN cvm.log_likelihood(m, v.x, v.t_x, v.age)
        WHEN 'p_alive' THEN cvm.p_alive(m, v.x, v.t_x, v.age)
        WHEN 'cond_exp' THEN cvm.expected_purchases(m, v.x, v.t_x, v.age, v.t)
        WHEN 'exp_x' THEN cvm.expected_purchases(m, v.t)
        WHEN 'dert' THEN cvm.discounted_purchases(m, v.x, v.t_x, v.age, v.rate)
        WHEN 'det_new_customer' THEN cvm.discounted_purchases(m, 0, 0, 0, v.rate)
        WHEN 'pmf' THEN cvm.purchase_probability(m, 0, 0, 0, v.t, v.x) END;
END $$;
SELECT what, count(*) AS vectors, count(*) FILTER (WHERE near(answer(v), truth, 1e-10)) AS right FROM vector v GROUP BY 1 ORDER BY 1;
-- as published (Hardie's worksheet; BTYD's manual)
SELECT round(cvm.expected_purchases('bg/nbd(r=0.2425929072,alpha=4.4135315612,a=0.7928861481,b=2.4257534365)', t)::numeric, 4) AS expected
FROM unnest('{0.1429, 1, 3, 31.8571, 32}'::float8[]) WITH ORDINALITY u(t, place) ORDER BY place;
SELECT round(cvm.p_no_purchase(m, 0, 0, 0, 39)::numeric, 7) AS p39_0, round(cvm.purchase_probability(m, 0, 0, 0, 30, 11)::numeric, 10) AS p30_11,
       round(cvm.purchase_probability(m, 0, 0, 0, 30, 20)::numeric, 10) AS p30_20, round(1e7 * cvm.purchase_probability(m, 0, 0, 0, 2, 10)::numeric, 5) AS p2_10
FROM (VALUES ('bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426)'::cvm.model)) v(m);

-- Gamma-Gamma
CREATE TABLE spend_vector (what text, p float8, q float8, gamma float8, x float8, mean float8, truth float8);
INSERT INTO spend_vector VALUES
    ('loglik', 6.25, 3.74, 15.44, 1, 11.77, -3.73770967874084),
    ('cond_mean', 6.25, 3.74, 15.44, 1, 11.77, 18.916852057842046),
    ('loglik', 6.25, 3.74, 15.44, 7, 73.74, -6.054867310722229),
    ('loglik', 6.25, 3.74, 15.44, 1, 35.0, -4.182118026033015),
    ('cond_mean', 6.25, 3.74, 15.44, 1, 35.0, 35.06674082313682),
    ('loglik', 6.25, 3.74, 15.44, 29, 30.0, -3.732736775588284),
    ('cond_mean', 6.25, 3.74, 15.44, 29, 30.0, 30.07772161530518),
    ('cond_mean', 6.25, 3.74, 15.44, 0, 0.0, 35.21897810218978),
    ('loglik', 6.25, 3.74, 15.44, 2, 22.35, -3.5513167597317046),
    ('cond_mean', 6.25, 3.74, 15.44, 2, 22.35, 24.663713910761157),
    ('cond_mean', 6.25, 3.74, 15.44, 7, 73.74, 71.46967089696709),
    ('loglik', 6.25, 3.74, 15.44, 0, 0, 0);
SELECT what, count(*) AS vectors,
       count(*) FILTER (WHERE near(CASE what WHEN 'loglik' THEN cvm.log_likelihood(m, x, mean) ELSE cvm.expected_spend(m, x, mean) END, truth, 1e-10)) AS right
FROM spend_vector, LATERAL (SELECT format('gamma-gamma(p=%s,q=%s,gamma=%s)', p, q, gamma)::cvm.model AS m) m GROUP BY 1 ORDER BY 1;

-- what the numbers mean, for models and customers of many kinds
CREATE TABLE asked AS
SELECT row_number() OVER (ORDER BY m, x, age) AS id, m::cvm.model AS m, x, t_x, age
FROM (VALUES ('bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426)'), ('bg/nbd(r=2,alpha=10,a=1,b=1)'), ('bg/nbd(r=0.5,alpha=6,a=0.4,b=0.6)'), ('bg/nbd(r=5,alpha=1,a=3,b=0.2)')) v(m),
     (VALUES (0, 0, 0), (0, 0, 38.86), (1, 1.71, 38.86), (2, 30.43, 38.86), (26, 30.86, 31), (7, 20, 200)) c(x, t_x, age);
CREATE TABLE distribution AS
SELECT id, n, cvm.purchase_probability(m, x, t_x, age, 20, n) AS p FROM asked, generate_series(0, 400) n;
SELECT count(*) AS customers, count(*) FILTER (WHERE abs(total - 1) > 1e-9) AS do_not_sum_to_one,
       count(*) FILTER (WHERE NOT near(mean, cvm.expected_purchases(m, x, t_x, age, 20), 1e-7)) AS mean_differs,
       count(*) FILTER (WHERE p0 <> cvm.p_no_purchase(m, x, t_x, age, 20)) AS p0_differs, count(*) FILTER (WHERE lowest < 0) AS negative
FROM asked JOIN (SELECT id, sum(p) AS total, sum(n * p) AS mean, min(p) AS lowest, max(p) FILTER (WHERE n = 0) AS p0 FROM distribution GROUP BY 1) d USING (id);
-- discounting: the sum of exp(-rate time) over the increments of the mean, by the midpoint rule
SELECT count(*) AS customers, count(*) FILTER (WHERE NOT near(discounted, truth, 1e-4)) AS discounted_differs,
       count(*) FILTER (WHERE NOT near(cvm.discounted_purchases(m, x, t_x, age, 0, 20), cvm.expected_purchases(m, x, t_x, age, 20), 1e-10)) AS undiscounted_differs,
       count(*) FILTER (WHERE NOT cvm.discounted_purchases(m, x, t_x, age, 0.05) >= discounted) AS unlimited_is_less
FROM asked, LATERAL (SELECT cvm.discounted_purchases(m, x, t_x, age, 0.05, 20) AS discounted) d,
     LATERAL (SELECT sum(exp(-0.05 * (i + 0.5) * 20 / 800) * (cvm.expected_purchases(m, x, t_x, age, (i + 1) * 20 / 800.0) - cvm.expected_purchases(m, x, t_x, age, i * 20 / 800.0))) AS truth
              FROM generate_series(0, 799) i) t;
-- the time to the next purchase is the horizon within which there is none with probability 1 - q, if alive
SELECT count(*) AS asked, count(*) FILTER (WHERE abs((cvm.p_no_purchase(m, x, t_x, age, t) - (1 - alive)) / alive - (1 - q)) > 1e-9) AS quantile_differs,
       count(*) FILTER (WHERE q = 0.5 AND cvm.next_purchase(m, x, t_x, age) <> t) AS not_the_median
FROM asked, unnest('{0.01, 0.5, 0.99}'::float8[]) q, LATERAL (SELECT cvm.p_alive(m, x, t_x, age) AS alive, cvm.next_purchase(m, x, t_x, age, q) AS t) a WHERE alive > 1e-6;
SELECT count(*) FILTER (WHERE p < 0 OR p > 1) AS outside, count(*) FILTER (WHERE x = 0 AND p <> 1) AS one_time_buyers_gone, count(*) FILTER (WHERE cvm.expected_purchases(m, x, t_x, age, 0) <> 0) AS at_once,
       count(*) FILTER (WHERE NOT cvm.expected_purchases(m, x, t_x, age, 10) < cvm.expected_purchases(m, x, t_x, age, 11)) AS not_monotone,
       count(*) FILTER (WHERE cvm.p_no_purchase(m, x, t_x, age, 0) <> 1) AS bought_at_once
FROM asked, LATERAL (SELECT cvm.p_alive(m, x, t_x, age) AS p) p;

-- histories: the same on their statistics, horizons in the model's unit (a year is 365.25 days)
CREATE TABLE history AS
SELECT c AS customer, cvm.purchase_history('2023-01-01 10:00+00'::timestamptz + make_interval(days => (c * k * 7) % 300), 10 + (c * k) % 90) AS h FROM generate_series(1, 40) c, generate_series(0, 5) k WHERE k <= c % 6 GROUP BY 1;
CREATE TABLE unit (unit interval, weeks float8);
INSERT INTO unit VALUES ('7 days', 1), ('1 day', 7), ('30 days', 7 / 30.0);
SELECT unit, count(*) AS customers,
       count(*) FILTER (WHERE cvm.p_alive(m, h, as_of) <> cvm.p_alive(m, x, t_x, age)) AS p_alive,
       count(*) FILTER (WHERE NOT near(cvm.expected_purchases(m, h, as_of, '1 year'), cvm.expected_purchases(m, x, t_x, age, 365.25 / 7 * weeks), 1e-12)) AS expected,
       count(*) FILTER (WHERE NOT near(cvm.expected_purchases(m, h, as_of, '1 month 1 day 12:00'), cvm.expected_purchases(m, x, t_x, age, (365.25 / 12 + 1.5) / 7 * weeks), 1e-12)) AS mixed_interval,
       count(*) FILTER (WHERE cvm.discounted_purchases(m, h, as_of, 0.01) <> cvm.discounted_purchases(m, x, t_x, age, 0.01)) AS discounted,
       count(*) FILTER (WHERE NOT near(cvm.discounted_purchases(m, h, as_of, 0.01, '3 years'), cvm.discounted_purchases(m, x, t_x, age, 0.01, 3 * 365.25 / 7 * weeks), 1e-12)) AS discounted_horizon,
       count(*) FILTER (WHERE cvm.log_likelihood(m, h, as_of) <> cvm.log_likelihood(m, x, t_x, age)) AS log_likelihood,
       count(*) FILTER (WHERE NOT near(cvm.p_no_purchase(m, h, as_of, '90 days'), cvm.p_no_purchase(m, x, t_x, age, 90 / 7.0 * weeks), 1e-12)) AS p_no_purchase,
       count(*) FILTER (WHERE NOT near(cvm.purchase_probability(m, h, as_of, '90 days', 2), cvm.purchase_probability(m, x, t_x, age, 90 / 7.0 * weeks, 2), 1e-12)) AS probability,
       count(*) FILTER (WHERE cvm.expected_purchases(m, h, as_of, '0') <> 0) AS at_once
FROM unit, history, (VALUES ('2024-01-01 00:00+00'::timestamptz)) a(as_of),
     LATERAL (SELECT format('bg/nbd(r=0.243,alpha=%s,a=0.793,b=2.426) unit=%s', 4.414 * weeks, extract(epoch FROM unit))::cvm.model AS m,
                     cvm.repeat_periods(h) AS x, cvm.span(h, unit) AS t_x, cvm.age(h, as_of, unit) AS age) s
GROUP BY 1 ORDER BY 1;
SELECT count(*) AS customers, count(*) FILTER (WHERE NOT near(cvm.expected_spend(m, h), coalesce(cvm.expected_spend(m, cvm.repeat_periods(h), cvm.mean_spend(h)), 6.25 * 15.44 / 2.74), 1e-12)) AS spend
FROM history, (VALUES ('gamma-gamma(p=6.25,q=3.74,gamma=15.44)'::cvm.model)) v(m);
-- without a purchase there is nothing to say; nor of nothing
SELECT cvm.p_alive(m, h, '2024-02-01') AS p_alive, cvm.expected_purchases(m, h, '2024-02-01', '1 year') AS expected, cvm.discounted_purchases(m, h, '2024-02-01', 0.01) AS discounted, cvm.log_likelihood(m, h, '2024-02-01') AS log_likelihood,
       cvm.p_no_purchase(m, h, '2024-02-01', '1 year') AS p_no_purchase, cvm.purchase_probability(m, h, '2024-02-01', '1 year', 1) AS probability, cvm.expected_spend('gamma-gamma(p=6.25,q=3.74,gamma=15.44)', h) AS spend,
       cvm.p_alive(NULL, h, '2024-02-01') AS no_model, cvm.p_alive(m, NULL::float8, 1, 2) AS no_x
FROM (SELECT 'bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426)'::cvm.model AS m, cvm.purchase_history('2024-01-01'::date, -1) AS h) a;
-- one call site, several models in turn
SELECT count(DISTINCT p) AS answers, count(*) FILTER (WHERE near(p, 1 / (1 + CASE i % 2 WHEN 0 THEN 1 ELSE 2 END * power((1 + 3) / (1 + 1.0), 2)), 1e-12)) AS right
FROM (SELECT i, cvm.p_alive(CASE i % 2 WHEN 0 THEN 'bg/nbd(r=1,alpha=1,a=1,b=1)'::cvm.model ELSE 'bg/nbd(r=1,alpha=1,a=2,b=1)'::cvm.model END, 1, 1, 3) AS p FROM generate_series(1, 10) i) a;

-- the ends of the domain: an answer, or an error that says why; never NaN or infinity
CREATE FUNCTION classify(expression text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v float8;
BEGIN
    EXECUTE 'SELECT cvm.' || expression INTO v;
    RETURN CASE WHEN v = 'NaN' OR abs(v) = 'infinity' THEN 'NO NUMBER ' || expression ELSE 'number, or 22003' END;
EXCEPTION WHEN data_exception THEN
    RETURN CASE WHEN SQLSTATE = '22003' THEN 'number, or 22003' ELSE SQLSTATE || ' ' || SQLERRM || ' ' || expression END;
END $$;
SELECT classify(format(f, m, r)) AS answer, count(*) AS asked
FROM (SELECT format('''bg/nbd(r=%s,alpha=%s,a=%s,b=%s)''', r, alpha, a, b) AS m
      FROM unnest('{1e-300,0.5,1e300}'::text[]) r, unnest('{1e-300,2,1e300}'::text[]) alpha, unnest('{1e-300,1,1e300}'::text[]) a, unnest('{1e-300,2,1e300}'::text[]) b) m,
     unnest('{"0, 0, 0", "0, 0, 1e300", "1, 1e-300, 1e300", "1000000000, 1e-9, 1e9", "1000000000, 1e300, 1e300"}'::text[]) r,
     unnest('{"p_alive(%s, %s)", "expected_purchases(%s, %s, 52)", "expected_purchases(%s, %s, 1e300)", "discounted_purchases(%s, %s, 1e-300)", "discounted_purchases(%s, %s, 1e300)", "discounted_purchases(%s, %s, 0, 1e300)",
              "log_likelihood(%s, %s)", "p_no_purchase(%s, %s, 1e300)", "purchase_probability(%s, %s, 52, 2147483647)", "next_purchase(%s, %s)", "next_purchase(%s, %s, 1e-300)"}'::text[]) f
GROUP BY 1 ORDER BY 1;
SELECT classify(format(f, m)) AS answer, count(*) AS asked
FROM (SELECT format('''gamma-gamma(p=%s,q=%s,gamma=%s)''', p, q, gamma) AS m FROM unnest('{1e-300,0.5,1e300}'::text[]) p, unnest('{1e-300,2,1e300}'::text[]) q, unnest('{1e-300,2,1e300}'::text[]) gamma) m,
     unnest('{"expected_spend(%s, 0, 0)", "expected_spend(%s, 1, 1e-300)", "expected_spend(%s, 1000000000, 1e300)", "log_likelihood(%s, 1, 1e-300)", "log_likelihood(%s, 1000000000, 1e300)"}'::text[]) f
GROUP BY 1 ORDER BY 1;

-- bad questions
SELECT error_of('SELECT cvm.' || replace(replace(call, 'M,', '''bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426)''::cvm.model,'), 'G,', '''gamma-gamma(p=6.25,q=3.74,gamma=15.44)''::cvm.model,')) AS result, call FROM unnest(ARRAY[
    $$p_alive(G, 1, 1, 2)$$, $$expected_spend(M, 1, 1)$$, $$expected_purchases(G, 1)$$, $$log_likelihood(M, 1, 1)$$, $$log_likelihood(G, 1, 1, 2)$$,
    $$p_alive(M, 1.5, 1, 2)$$, $$p_alive(M, -1, 1, 2)$$, $$p_alive(M, 1, 3, 2)$$, $$p_alive(M, 1, 0, 2)$$, $$p_alive(M, 0, 1, 2)$$, $$p_alive(M, 0, 0, -1)$$, $$p_alive(M, 'NaN', 1, 2)$$, $$p_alive(M, 1, 'infinity', 'infinity')$$, $$p_alive(M, 1, 1, '-infinity')$$,
    $$expected_purchases(M, 1, 1, 2, -1)$$, $$expected_purchases(M, 1, 1, 2, 'NaN')$$, $$expected_purchases(M, 1, 1, 2, 'infinity')$$, $$expected_purchases(M, -1)$$, $$expected_purchases(M, 'infinity'::float8)$$,
    $$discounted_purchases(M, 1, 1, 2, 0)$$, $$discounted_purchases(M, 1, 1, 2, -0.01)$$, $$discounted_purchases(M, 1, 1, 2, 'NaN')$$, $$discounted_purchases(M, 1, 1, 2, 'infinity')$$, $$discounted_purchases(M, 1, 1, 2, -0.01, 5)$$, $$discounted_purchases(M, 1, 1, 2, 0.01, -5)$$,
    $$log_likelihood(M, 1, 1, 2, 'NaN')$$, $$purchase_probability(M, 1, 1, 2, 5, -1)$$, $$next_purchase(M, 1, 1, 2, 0)$$, $$next_purchase(M, 1, 1, 2, 1)$$, $$next_purchase(M, 1, 1, 2, 'NaN')$$,
    $$expected_spend(G, 1, 0)$$, $$expected_spend(G, 1, -1)$$, $$expected_spend(G, -1, 1)$$, $$expected_spend(G, 0.5, 1)$$, $$expected_spend(G, 1, 'NaN')$$, $$expected_spend(G, 'infinity', 1)$$, $$log_likelihood(G, 1, 0)$$, $$log_likelihood(G, 1.5, 1)$$,
    $$expected_spend('gamma-gamma(p=1,q=1,gamma=1)', 0, 0)$$, $$expected_spend('gamma-gamma(p=1,q=0.5,gamma=1)', 1, 1)$$,
    $$p_alive(M, h, '2023-01-02') FROM history WHERE customer = 5$$, $$p_alive(M, h, 'infinity') FROM history WHERE customer = 5$$, $$p_alive(G, h, '2024-01-01') FROM history WHERE customer = 5$$, $$expected_spend(M, h) FROM history WHERE customer = 5$$,
    $$expected_purchases(M, h, '2024-01-01', '-1 day') FROM history WHERE customer = 5$$, $$expected_purchases(M, h, '2024-01-01', '178000000 years') FROM history WHERE customer = 5$$,
    $$discounted_purchases(M, h, '2024-01-01', 0) FROM history WHERE customer = 5$$, $$purchase_probability(M, h, '2024-01-01', '1 year', -1) FROM history WHERE customer = 5$$]) call;

DROP SCHEMA score_test CASCADE;
