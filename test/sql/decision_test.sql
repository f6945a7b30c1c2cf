-- decision: budgets, revenue at risk, what-if
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA decision_test;
SET search_path = decision_test, public;
CREATE FUNCTION agrees(got float8, truth float8, tolerance float8 DEFAULT 1e-12) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN got IS NULL OR truth IS NULL THEN got IS NULL AND truth IS NULL ELSE abs(got - truth) <= tolerance * greatest(abs(truth), 1e-300) END $$;

-- ---------- budgets ----------

-- three actions and 40 to spend (verified by SLSQP)
SELECT a.action, round(a.spend::numeric, 9) AS spend, round(a.response::numeric, 9) AS response, agrees(a.spend, t.spend) AS spend_agrees, a.bound,
       round(a.shadow_price::numeric, 9) AS shadow_price, agrees(a.shadow_price, 1.6869346171936004) AS price_agrees, agrees(a.marginal_response, a.shadow_price) AS equal_margins
FROM cvm.allocate(40, '{mail,search,display}', '{100,60,30}', '{0.05,0.1,0.3}') a
JOIN (VALUES ('mail', 21.730497329432037), ('search', 12.688464232655564), ('display', 5.581038437912404)) AS t(action, spend) USING (action);
SELECT agrees(sum(response), 133.76884609354667) AS total, agrees(sum(spend), 40) AS whole_budget FROM cvm.allocate(40, '{a,b,c}', '{100,60,30}', '{0.05,0.1,0.3}');
-- bounds: the others share what a cap leaves and a floor takes
SELECT action, round(spend::numeric, 6) AS spend, round(response::numeric, 6) AS response, round(marginal_response::numeric, 6) AS marginal, bound, round(shadow_price::numeric, 6) AS shadow_price
FROM cvm.allocate(40, '{a,b,c}', '{100,60,30}', '{0.05,0.1,0.3}', floors => '{0,0,9}', caps => '{15,NULL,NULL}');
-- kinds of response; 10 sqrt(x) and 10 ln(1 + x): 5 / sqrt(x) = 10 / (1 + y), x + y = 24
SELECT action, round(spend::numeric, 9) AS spend, agrees(marginal_response, shadow_price) AS equal_margins FROM cvm.allocate(24, '{power,log}', '{10,10}', '{0.5,1}', responses => '{power,log}');
SELECT agrees(spend, (sqrt(26::float8) - 1) ^ 2) AS closed_form FROM cvm.allocate(24, '{power,log}', '{10,10}', '{0.5,1}', responses => '{power,log}') WHERE action = 'power';
-- nothing to spend, more than all caps, no use for it, nobody to spend it on
SELECT * FROM cvm.allocate(0, '{a,b}', '{100,60}', '{0.05,0.1}');
SELECT shadow_price FROM cvm.allocate(0, '{a}', '{100}', '{0.5}', responses => '{power}');
SELECT * FROM cvm.allocate(100, '{a,b}', '{100,60}', '{0.05,0.1}', caps => '{10,20}');
SELECT * FROM cvm.allocate(100, '{a,NULL}', '{0,60}', '{0.05,0}');
SELECT * FROM cvm.allocate(100, '{}', '{}', '{}');
-- against a grid of a hundredth: the optimum is better than any point of it, and by little
SELECT bool_and(o.best >= g.best AND o.best - g.best < 0.01) AS optimal FROM generate_series(1, 12) AS p,
    LATERAL (SELECT sum(response) AS best FROM cvm.allocate(10 + p, '{a,b}', ARRAY[20, 5.0 * p], ARRAY[0.3, 0.02 * p])) AS o,
    LATERAL (SELECT max(20 * (1 - exp(-0.3 * x)) + 5 * p * (1 - exp(-0.02 * p * (10 + p - x)))) AS best FROM generate_series(0, (10 + p) * 100) AS i, LATERAL (SELECT i / 100.0 AS x) AS c) AS g;

-- ---------- at stake ----------

SELECT sum(cvm.revenue_at_risk(revenue, risk)) AS at_risk, cvm.revenue_at_risk(NULL, 0.5) AS unknown FROM (VALUES (100, 0.2), (50, 0.5), (10, 1)) AS c(revenue, risk);

-- ---------- if the future differed: purchases ----------

-- nothing changed: times P(alive) it is cvm.discounted_purchases, with and without a horizon
CREATE TABLE model (model cvm.model);
INSERT INTO model VALUES ('bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426)'), ('mbg/nbd(r=0.525,alpha=6.183,a=0.891,b=1.614)'), ('pareto/nbd(r=0.553,alpha=10.578,s=0.606,beta=11.669)'),
    ('bg/cnbd-k(k=3,r=0.85,alpha=1.45,a=0.79,b=2.42)'), ('mbg/cnbd-k(k=2,r=0.85,alpha=1.45,a=0.79,b=2.42)'), ('bg/bb(alpha=1.204,beta=0.750,gamma=0.657,delta=2.783)');
CREATE TABLE row AS SELECT * FROM (VALUES (0, 0, 39), (1, 2, 39), (2, 30, 39), (26, 31, 31)) AS r(x, t_x, age);
SELECT cvm.family(model) AS family,
       bool_and(agrees(cvm.p_alive(model, x, t_x, age) * cvm.discounted_purchases_if_alive(model, x, t_x, age, 0.0027), cvm.discounted_purchases(model, x, t_x, age, 0.0027), 1e-13)) AS same,
       bool_and(agrees(cvm.p_alive(model, x, t_x, age) * cvm.discounted_purchases_if_alive(model, x, t_x, age, 0, 39), cvm.discounted_purchases(model, x, t_x, age, 0, 39), 1e-13)) AS same_horizon
FROM model, row GROUP BY model ORDER BY 1;
-- of a new customer of bg/nbd, twice the frequency is alpha / 2 and twice the odds of staying a / 2; pareto/nbd: alpha / 2, 2 beta
SELECT agrees(cvm.discounted_purchases_if_alive('bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426)', 0, 0, 0, 0.0027, frequency => 2), cvm.discounted_purchases('bg/nbd(r=0.243,alpha=2.207,a=0.793,b=2.426)', 0, 0, 0, 0.0027)) AS frequency,
       agrees(cvm.discounted_purchases_if_alive('bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426)', 0, 0, 0, 0.0027, retention => 2), cvm.discounted_purchases('bg/nbd(r=0.243,alpha=4.414,a=0.3965,b=2.426)', 0, 0, 0, 0.0027)) AS retention,
       agrees(cvm.discounted_purchases_if_alive('pareto/nbd(r=0.553,alpha=10.578,s=0.606,beta=11.669)', 0, 0, 0, 0.0027, 52, 2, 2), cvm.discounted_purchases('pareto/nbd(r=0.553,alpha=5.289,s=0.606,beta=23.338)', 0, 0, 0, 0.0027, 52)) AS pareto;
-- x = 2, T = 38.86 of bg/nbd: a customer alive is a new one of r + x, alpha + T, a, b + x
SELECT agrees(cvm.discounted_purchases_if_alive('bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426)', 2, 30.43, 38.86, 0.0027, retention => 1.5, frequency => 0.8),
              cvm.discounted_purchases(format('bg/nbd(r=2.243,alpha=%s,a=%s,b=4.426)', 43.274 / 0.8, 0.793 / 1.5)::cvm.model, 0, 0, 0, 0.0027)) AS posterior;
-- more of each is more, except that bg/nbd's purchases are as many however fast
SELECT cvm.family(model) AS family, bool_and(more > base) AS retention, bool_and(faster > base) AS frequency
FROM model, row, LATERAL (SELECT cvm.discounted_purchases_if_alive(model, x, t_x, age, 0.0027) AS base, cvm.discounted_purchases_if_alive(model, x, t_x, age, 0.0027, retention => 1.1) AS more,
     CASE WHEN cvm.family(model) <> 'bg/bb' THEN cvm.discounted_purchases_if_alive(model, x, t_x, age, 0.0027, frequency => 1.1) END AS faster) AS v GROUP BY model ORDER BY 1;

-- the sum over many customers, interpolated over ages, as row by row: few and many purchases, ages of 41 to 840 days
CREATE TABLE history AS SELECT x, d AS days, x + 0.5 * d AS weight, (SELECT cvm.purchase_history(date '2024-01-01' - d + k, 1) FROM generate_series(0, x) AS k) AS h FROM unnest('{0,1,7,40}'::integer[]) AS x, generate_series(41, 840) AS d;
SELECT cvm.family(model) AS family, bool_and(agrees(got, each, 1e-12)) AS as_each FROM (
    SELECT model, f.retention, cvm.discounted_spend(model, h, '2024-01-01 12:00+00', weight, 0.0018, f.horizon, f.retention, f.frequency) AS got,
           sum(weight * cvm.discounted_purchases_if_alive(model, x, cvm.span(h), days / 7.0, 0.0018, f.horizon, f.retention, f.frequency)) AS each
    FROM model, history, (VALUES ('Infinity'::float8, 1::float8, 1::float8), ('Infinity', 0.2, 3), (30, 5, 0.3)) AS f(horizon, retention, frequency)
    WHERE cvm.family(model) NOT IN ('bg/bb', 'bg/cnbd-k', 'mbg/cnbd-k') OR (days % 20 = 0 AND cvm.family(model) <> 'bg/bb') GROUP BY model, f.retention) AS s GROUP BY model ORDER BY 1;
SELECT cvm.discounted_spend('bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426)', NULL, '2024-01-01', 1, 0.1, 'Infinity', 1, 1) AS no_history, count(*) AS rows FROM generate_series(1, 2);

-- ---------- if the future differed: a portfolio ----------

CREATE FUNCTION u(a int, b int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT (('x' || substr(md5(a || '/' || b), 1, 8))::bit(32)::bigint + 0.5) / 4294967296 $$;
CREATE TABLE orders AS
SELECT c AS customer_id, '2023-01-01 00:00+00'::timestamptz + make_interval(secs => 86400 * (300 * u(c, 0) + 25 * exp(2 * u(c, 1)) * k * (0.5 + u(c, 100 + k)))) AS ordered_at,
       round((20 * exp(1.5 * (u(c, 2) - 0.5)) * (0.4 + 1.2 * u(c, 200 + k)))::numeric, 2) AS total
FROM generate_series(1, 400) c, generate_series(0, 30) k WHERE k <= floor(-ln(u(c, 3)) * 4);
SELECT cvm.create_portfolio('shop', 'orders', customer => 'customer_id', at => 'ordered_at', amount => 'total',
                            options => '{"margin": 0.4, "annual_discount_rate": 0.12, "predictive_interval": false}') IS NOT NULL AS created;
SELECT * FROM cvm.what_if('shop');
CALL cvm.recompute('shop', '2024-04-01 00:00+00');
-- each family, with the assumption and after a recompute under it
CREATE TABLE forecast (family text, assumption text, segment text, what_if_value float8);
CREATE TABLE recomputed (LIKE forecast);
DO $$
DECLARE
    family text;
    assumption record;
BEGIN
    FOREACH family IN ARRAY '{bg/nbd,pareto/nbd,mbg/cnbd-k}'::text[] LOOP
        PERFORM cvm.alter_portfolio('shop', jsonb_build_object('families', ARRAY[family], 'value_horizon', CASE WHEN family = 'pareto/nbd' THEN '2 years' END));
        CALL cvm.recompute('shop', '2024-04-01 00:00+00');
        FOR assumption IN SELECT * FROM (VALUES ('nothing', NULL::float8, NULL::float8), ('margin', 0.3, NULL), ('rate', NULL, 0.2), ('both', 0.5, 0.05)) AS a(name, margin, rate) LOOP
            INSERT INTO forecast SELECT family, assumption.name, w.segment, w.what_if_value FROM cvm.what_if('shop', margin => assumption.margin, discount_rate => assumption.rate) w;
            PERFORM cvm.alter_portfolio('shop', jsonb_build_object('margin', coalesce(assumption.margin, 0.4), 'annual_discount_rate', coalesce(assumption.rate, 0.12)));
            CALL cvm.recompute('shop', '2024-04-01 00:00+00');
            INSERT INTO recomputed SELECT family, assumption.name, e.segment, e.residual_value FROM cvm_shop.equity e WHERE e.as_of = '2024-04-01 00:00+00';
            PERFORM cvm.alter_portfolio('shop', '{"margin": 0.4, "annual_discount_rate": 0.12}');
            CALL cvm.recompute('shop', '2024-04-01 00:00+00');
        END LOOP;
    END LOOP;
END $$;
SELECT f.family, f.assumption, count(*) > 5 AS segments, bool_and(agrees(f.what_if_value, r.what_if_value, 1e-9)) AS as_recomputed
FROM forecast f FULL JOIN recomputed r USING (family, assumption, segment) GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(DISTINCT round(what_if_value)) AS different FROM recomputed WHERE segment = 'all' AND assumption <> 'nothing';
-- a changed future, customer by customer
SELECT cvm.alter_portfolio('shop', '{"families": null, "value_horizon": null}') \g /dev/null
CALL cvm.recompute('shop', '2024-04-01 00:00+00');
SELECT agrees(w.what_if_value, t.value, 1e-9) AS as_summed, w.relative_change > 0 AS more, agrees(w.change, w.what_if_value - w.residual_value) AND agrees(w.relative_change, w.change / w.residual_value) AS consistent
FROM cvm.what_if('shop', retention => 1.2, frequency => 1.1, spend => 1.05, margin => 0.35, discount_rate => 0.15) w,
    (SELECT 0.35 * 1.05 * sum(v.p_alive * v.expected_spend * cvm.discounted_purchases_if_alive(m.model, cvm.repeat_periods(c.history), cvm.span(c.history), cvm.age(c.history, '2024-04-01 00:00+00'),
                                                                                                ln(1.15) * 7 / 365.25, retention => 1.2, frequency => 1.1)) AS value
     FROM cvm_shop.customer c JOIN cvm_shop.customer_value v USING (customer_id), cvm.fitted_model m WHERE m.portfolio = 'shop' AND m.status = 'live' AND m.role = 'purchases') AS t
WHERE w.is_total;
SELECT bool_and(what_if_value = residual_value AND change = 0) AS nothing_changed, bool_and(customers > 0) AS customers, count(*) FILTER (WHERE is_total) AS totals FROM cvm.what_if('shop');
SELECT agrees(sum(what_if_value) FILTER (WHERE is_total), sum(what_if_value) FILTER (WHERE NOT is_total)) AS adds_up FROM cvm.what_if('shop', retention => 0.9);
SELECT agrees(cvm.interval_units('1 year 2 months 3 days', '7 days'), (14 * 30.4375 + 3) / 7) AS units;

-- what is outside its domain
\set VERBOSITY terse
SELECT * FROM cvm.allocate(5, '{a,b}', '{100,60}', '{0.05,0.1}', floors => '{4,4}');
SELECT * FROM cvm.allocate(-5, '{a}', '{100}', '{0.05}');
SELECT * FROM cvm.allocate('NaN', '{a}', '{100}', '{0.05}');
SELECT * FROM cvm.allocate(NULL, '{a}', '{100}', '{0.05}');
SELECT * FROM cvm.allocate(5, '{a,b}', '{100}', '{0.05,0.1}');
SELECT * FROM cvm.allocate(5, '{a,b}', '{100,NULL}', '{0.05,0.1}');
SELECT * FROM cvm.allocate(5, '{a}', '{-100}', '{0.05}');
SELECT * FROM cvm.allocate(5, '{a}', '{100}', '{1}', responses => '{power}');
SELECT * FROM cvm.allocate(5, '{a}', '{100}', '{-1}');
SELECT * FROM cvm.allocate(5, '{a}', '{100}', '{1}', responses => '{sigmoid}');
SELECT * FROM cvm.allocate(5, '{a}', '{100}', '{1}', floors => '{3}', caps => '{2}');
SELECT cvm.revenue_at_risk(100, 1.5);
SELECT cvm.discounted_purchases_if_alive('bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426)', 2, 30.43, 38.86, 0.0027, retention => 0);
SELECT cvm.discounted_purchases_if_alive('bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426)', 2, 30.43, 38.86, 0);
SELECT cvm.discounted_purchases_if_alive('bg/bb(alpha=1.204,beta=0.750,gamma=0.657,delta=2.783)', 2, 3, 6, 0.1, frequency => 1.1);
SELECT cvm.discounted_spend('bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426)', h, '2024-01-01 12:00+00', 'NaN', 0.1, 'Infinity', 1, 1) FROM history;
SELECT cvm.discounted_spend('bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426)', h, '2022-01-01 12:00+00', 1, 0.1, 'Infinity', 1, 1) FROM history WHERE days = 41 AND x = 0;
SELECT cvm.discounted_spend('gamma-gamma(p=6,q=4,gamma=15)', h, '2024-01-01 12:00+00', 1, 0.1, 'Infinity', 1, 1) FROM history;
SELECT cvm.discounted_spend('bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426)', h, '2024-01-01 12:00+00', 1, NULL, 'Infinity', 1, 1) FROM history;
SELECT * FROM cvm.what_if('nowhere');
SELECT * FROM cvm.what_if('shop', retention => 0);
SELECT * FROM cvm.what_if('shop', margin => 1.5);
SELECT * FROM cvm.what_if('shop', discount_rate => -0.1);
SELECT * FROM cvm.what_if('shop', discount_rate => 0);
SELECT * FROM cvm.what_if('shop', spend => NULL);
SELECT * FROM cvm.what_if('shop', spend => 'Infinity');
-- values net of costs have no margin
SELECT cvm.drop_portfolio('shop') \g /dev/null
CREATE VIEW costly AS SELECT *, total * 0.6 AS cost FROM orders;
SELECT cvm.create_portfolio('shop', 'costly', customer => 'customer_id', at => 'ordered_at', amount => 'total', options => '{"cost": "cost", "predictive_interval": false}') \g /dev/null
CALL cvm.recompute('shop', '2024-04-01 00:00+00');
SELECT * FROM cvm.what_if('shop', margin => 0.5);
SELECT agrees(relative_change, 0.1, 1e-9) AS spend FROM cvm.what_if('shop', spend => 1.1) WHERE is_total;
SELECT cvm.drop_portfolio('shop') \g /dev/null

-- with subscriptions: of buyers too, with purchases of subscribers valued or not, limited or not, and of subscribers alone
\set VERBOSITY default
SELECT cvm.discounted_renewals('sbg(alpha=0.7,beta=2)', 3, 0.01, 12), (SELECT sum(exp(-0.01 * j) * cvm.survival('sbg(alpha=0.7,beta=2)', 3 + j) / cvm.survival('sbg(alpha=0.7,beta=2)', 3)) FROM generate_series(1, 12) j) AS summed;
SELECT agrees(cvm.discounted_renewals('bdw(gamma=0.9,delta=3,c=1.3)', 2, 0.02, 24, 1.5), (SELECT sum(exp(-0.02 * j) * cvm.survival('bdw(gamma=0.6,delta=3,c=1.3)', 2 + j) / cvm.survival('bdw(gamma=0.6,delta=3,c=1.3)', 2)) FROM generate_series(1, 24) j)) AS retention,
       agrees(cvm.discounted_renewals('sbg(alpha=0.7,beta=2)', 3, 0.01), cvm.residual_lifetime('sbg(alpha=0.7,beta=2)', 3, exp(0.01) - 1) * exp(-0.01)) AS unlimited;
CREATE TABLE subscription AS SELECT c AS customer_id, date '2023-01-01' + c % 240 AS started_on, CASE WHEN c % 3 = 0 THEN date '2023-09-01' + c % 150 END AS ended_on, 5 + c % 7 AS fee FROM generate_series(200, 600) AS c
UNION ALL SELECT c, date '2023-03-05', NULL, 2.5 FROM generate_series(300, 320) AS c;
CREATE TABLE nothing AS SELECT * FROM orders LIMIT 0;
TRUNCATE forecast, recomputed;
DO $$
DECLARE
    shop record;
    assumption record;
BEGIN
    FOR shop IN SELECT * FROM (VALUES ('both', 'orders', '{}'), ('limited', 'orders', '{"value_horizon": "2 years", "renewal": "2 weeks"}'), ('bdw', 'orders', '{"families": ["pareto/nbd", "bdw"]}'),
                                      ('paid twice', 'orders', '{"payments_in_purchases": true}'), ('alone', 'nothing', '{}')) AS s(name, orders, options) LOOP
        PERFORM cvm.create_portfolio('club', shop.orders::regclass, customer => 'customer_id', at => 'ordered_at', amount => 'total', options => shop.options::jsonb || '{"margin": 0.4, "annual_discount_rate": 0.12, "predictive_interval": false}');
        PERFORM cvm.add_feed('club', 'subscriptions', 'subscription', '{"customer": "customer_id", "started_at": "started_on", "ended_at": "ended_on", "price": "fee"}');
        CALL cvm.recompute('club', '2024-04-01 00:00+00');
        FOR assumption IN SELECT * FROM (VALUES ('margin', 0.3, NULL::float8), ('rate', NULL, 0.2), ('both', 0.5, 0.05)) AS a(name, margin, rate) LOOP
            INSERT INTO forecast SELECT shop.name, assumption.name, w.segment, w.what_if_value FROM cvm.what_if('club', margin => assumption.margin, discount_rate => assumption.rate) w;
            PERFORM cvm.alter_portfolio('club', jsonb_build_object('margin', coalesce(assumption.margin, 0.4), 'annual_discount_rate', coalesce(assumption.rate, 0.12)));
            CALL cvm.recompute('club', '2024-04-01 00:00+00');
            INSERT INTO recomputed SELECT shop.name, assumption.name, e.segment, e.residual_value FROM cvm_club.equity e WHERE e.as_of = '2024-04-01 00:00+00';
            PERFORM cvm.alter_portfolio('club', '{"margin": 0.4, "annual_discount_rate": 0.12}');
            CALL cvm.recompute('club', '2024-04-01 00:00+00');
        END LOOP;
        -- subscribers who stay longer: contract by contract
        IF shop.name = 'alone' THEN
            INSERT INTO forecast SELECT shop.name, 'retention', 'all', w.what_if_value FROM cvm.what_if('club', retention => 1.3, frequency => 2) w WHERE w.is_total;
            INSERT INTO recomputed
            SELECT shop.name, 'retention', 'all', sum(0.4 * r.fee * exp(ln(1.12) / 365.25 * (365.25 / 12 - ((r.started_on + make_interval(months => r.made + 1))::date - date '2024-04-01')))
                   * cvm.residual_lifetime(format('sbg(alpha=%s,beta=%s)', (p.value ->> 'alpha')::float8 / 1.3, p.value ->> 'beta')::cvm.model, r.made, 1.12 ^ (1 / 12.0) - 1) / 1.12 ^ (1 / 12.0))
            FROM (SELECT s.fee, s.started_on, (SELECT max(k) FROM generate_series(0, 100) k WHERE (s.started_on + make_interval(months => k))::date <= date '2024-04-01') AS made FROM subscription s WHERE s.ended_on IS NULL OR s.ended_on > '2024-04-01') r,
                 (SELECT cvm.parameters(m.model) AS value FROM cvm.fitted_model m WHERE m.portfolio = 'club' AND m.role = 'retention' AND m.status = 'live') p;
        END IF;
        PERFORM cvm.drop_portfolio('club');
    END LOOP;
END $$;
SELECT f.family AS shop, f.assumption, count(*) AS segments, bool_and(agrees(f.what_if_value, r.what_if_value, 1e-9)) AS as_recomputed
FROM forecast f FULL JOIN recomputed r USING (family, assumption, segment) GROUP BY 1, 2 ORDER BY 1, 2;
SELECT cvm.discounted_renewals('sbg(alpha=0.7,beta=2)', 1.5, 0.01);
SELECT cvm.discounted_renewals('sbg(alpha=0.7,beta=2)', -1, 0.01);
SELECT cvm.discounted_renewals('sbg(alpha=0.7,beta=2)', 1, 0);
SELECT cvm.discounted_renewals('sbg(alpha=0.7,beta=2)', 1, 0.1, retention => 0);
SELECT cvm.discounted_renewals('bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426)', 1, 0.1);
DROP SCHEMA decision_test CASCADE;
