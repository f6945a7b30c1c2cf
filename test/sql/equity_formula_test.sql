-- equity_formula: Blattberg & Deighton, Rust, Lemon & Zeithaml, future cohorts, McCarthy, Fader & Hardie
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS cvm;
CREATE SCHEMA equity_formula_test;
SET search_path = equity_formula_test, public;
CREATE FUNCTION agrees(got float8, truth float8, tolerance float8 DEFAULT 1e-12) RETURNS boolean LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN got IS NULL OR truth IS NULL THEN got IS NULL AND truth IS NULL ELSE abs(got - truth) <= tolerance * greatest(abs(truth), 1e-300) END $$;

-- acquisition against retention: 35 % acquired at 10 a prospect of at most 40 %, 50 % retained at 8 of at most 70 %
CREATE TABLE k AS SELECT cvm.response_k(spend => 10, rate => 0.35, ceiling => 0.4) AS a, cvm.response_k(8, 0.5, 0.7) AS r;
SELECT name, round(got::numeric, 10) AS got, agrees(got, truth, tolerance) FROM k, LATERAL (VALUES
    ('k of acquisition', a, 0.20794415416798348, 1e-12), ('k of retention', r, 0.156595371061921, 1e-12),
    ('acquisition rate', cvm.response_rate(10, 0.4, a), 0.35, 1e-14), ('retention rate', cvm.response_rate(8, 0.7, r), 0.5, 1e-14),
    ('equity per prospect', cvm.prospect_equity(50, 0.15, 10, 0.4, a, 8, 0.7, r), 16.653846153846153, 1e-12)) AS v(name, got, truth, tolerance);
SELECT name, round(got::numeric, 6) AS got, agrees(got, truth, tolerance) FROM k, cvm.optimal_prospect_spend(50, 0.15, 0.4, a, 0.7, r) AS o, LATERAL (VALUES
    ('acquisition spend', o.acquisition_spend, 9.254153498968055, 1e-6), ('retention spend', o.retention_spend, 14.051236401253288, 1e-6),
    ('acquisition rate', o.acquisition_rate, 0.34161158918315276, 1e-6), ('retention rate', o.retention_rate, 0.6224655962733161, 1e-6),
    ('equity', o.equity, 18.881644045529065, 1e-12)) AS v(name, got, truth, tolerance);
-- as the series of a customer's years: a m - A + a sum over t of (m - R / r) r'^t
SELECT bool_and(agrees(cvm.prospect_equity(50, d, 10, 0.4, a, s, 0.7, r), 0.35 * 50 - 10 + 0.35 * (SELECT sum((50 - s / rate) * exp(greatest(t * ln(rate / (1 + d)), -700))) FROM generate_series(1, 300) AS t))) AS series
FROM k, unnest('{0.05, 0.15, 1}'::float8[]) AS d, unnest('{0.5, 8, 40}'::float8[]) AS s, LATERAL (SELECT cvm.response_rate(s, 0.7, r) AS rate) AS c;
-- an optimum is one: no neighbour is better, on many problems, and the equity is that of the formula
SELECT count(*) AS problems, bool_and(agrees(o.equity, best.equity, 1e-12)) AS own_value, bool_and(o.equity >= near.equity - 1e-9 * abs(o.equity) - 1e-12 AND o.equity >= 0) AS optimal,
       count(*) FILTER (WHERE o.retention_spend = 0) > 0 AS some_retain_none, count(*) FILTER (WHERE o.acquisition_spend = 0) > 0 AS some_acquire_none
FROM unnest('{1, 20, 50, 5000}'::float8[]) AS m, unnest('{0, 0.15, 0.5}'::float8[]) AS d, unnest('{0.1, 0.4, 1}'::float8[]) AS ca, unnest('{0.01, 0.2, 3}'::float8[]) AS ka,
     unnest('{0.3, 0.7, 0.99}'::float8[]) AS cr, unnest('{0.01, 0.15, 2}'::float8[]) AS kr,
     LATERAL cvm.optimal_prospect_spend(m, d, ca, ka, cr, kr) AS o,
     LATERAL (SELECT cvm.prospect_equity(m, d, o.acquisition_spend, ca, ka, o.retention_spend, cr, kr) AS equity) AS best,
     LATERAL (SELECT max(cvm.prospect_equity(m, d, greatest(o.acquisition_spend * fa + da, 0), ca, ka, greatest(o.retention_spend * fr + dr, 0), cr, kr)) AS equity
              FROM unnest('{0.5, 0.99, 1, 1.01, 2}'::float8[]) AS fa, unnest('{0.5, 0.99, 1, 1.01, 2}'::float8[]) AS fr, unnest('{0, 0.1}'::float8[]) AS da, unnest('{0, 0.1}'::float8[]) AS dr) AS near;
SELECT cvm.response_rate(0, 0.4, 0.2) AS nothing_spent, cvm.response_rate(1e6, 0.4, 0.2) AS ceiling, cvm.response_rate(1e-12, 1, 1) AS little,
       cvm.response_k(0, 0, 0.4) AS no_spend, cvm.response_k(10, 0.4, 0.4) AS at_ceiling, cvm.prospect_equity(50, 0.15, 10, 0.4, 0.2, 0, 0.7, 0.15) = cvm.response_rate(10, 0.4, 0.2) * 50 - 10 AS no_retention;

-- brand switching: three brands, two purchases a year, 100 a purchase, 30 % of it profit
CREATE TABLE market AS SELECT '{{.7,.2,.1},{.25,.6,.15},{.15,.15,.7}}'::float8[] AS p, '{.4,.35,.25}'::float8[] AS x;
SELECT agrees((cvm.brand_value(start => x, switching => p, purchases_per_year => 2, purchase_volume => 100, contribution => 0.3, discount_rate => 0.1, purchases => 6))[1], 73.79826712450355) AS brand_a,
       round((cvm.brand_value(x, p, 2, 100, 0.3, 0.1, 6))[1]::numeric, 8) AS value FROM market;
SELECT n, round(s::numeric, 10) AS steady_share, round(v::numeric, 10) AS visits, agrees(s, t.steady) AND agrees(v, t.visits) AS agrees
FROM market, unnest(cvm.steady_share(p), cvm.discounted_visits(x, p, 0.9534625892455922)) WITH ORDINALITY AS u(s, v, n)
JOIN (VALUES (1, 0.40206185567010305, 8.649673833818792), (2, 0.3092783505154639, 6.717970305713715), (3, 0.288659793814433, 6.120444342168953)) AS t(n, steady, visits) USING (n) ORDER BY n;
-- unlimited: 1.1^(-1/2) a purchase; every purchase goes to some brand
SELECT agrees(v, 30 * w) AS unlimited FROM market, unnest(cvm.brand_value(x, p, 2, 100, 0.3, 0.1), cvm.discounted_visits(x, p, 1 / sqrt(1.1::float8))) AS u(v, w);
SELECT agrees(sum(v), 30 / (1 - 1 / sqrt(1.1::float8))) AS all_brands FROM market, unnest(cvm.brand_value(x, p, 2, 100, 0.3, 0.1)) AS v;
SELECT cvm.brand_value(x, p, 0, 100, 0.3, 0.1) AS no_purchases, cvm.brand_value(NULL, p, 2, 100, 0.3, 0.1) AS unknown FROM market;
-- equity of brands, their shares, return: American Airlines, 101.3 for 70 (million USD)
SELECT cvm.brand_equity(mean_value => 73.8, population => 1000) AS equity, cvm.equity_share('{60, 30, 10}') AS shares, cvm.equity_share('{1, -1}') AS none, cvm.equity_share('{}') AS nobody,
       round(100 * cvm.equity_return(gain => 101.3, cost => 70)::numeric, 1) AS return_percent, agrees(cvm.equity_return(101.3, 70), 0.4471428571428571) AS agrees, cvm.equity_return(5, 0) AS free;
-- choice: odds are exponentials of differences in utility
SELECT cvm.logit_choice('{0, 0}') AS even, (SELECT agrees(c[1] / c[2], exp(1.5::float8)) AND agrees(c[1] + c[2] + c[3], 1) FROM cvm.logit_choice('{2, 0.5, -1}') AS c) AS odds,
       cvm.logit_choice('{1000, 0}') = ARRAY[1, exp(-700::float8)] AS far, cvm.logit_choice('{}') AS none;

-- cohorts to come: 1000 + 100 (50 - 20) / 1.1 + 200 (50 - 30) / 1.21
SELECT agrees(cvm.dynamic_equity(static_equity => 1000, new_customers => '{100,200}', value_new => 50, acquisition_costs => '{20,30}', discount_rate => 0.1), 1000 + 3000 / 1.1 + 4000 / 1.21) AS dynamic,
       cvm.dynamic_equity(1000, '{100}', 50, '{50}', 0.1) AS break_even, cvm.dynamic_equity(1000, '{100}', 50, '{60}', 0) AS at_a_loss, cvm.dynamic_equity(1000, '{}', 50, '{}', 0.1) AS none,
       cvm.dynamic_equity(1000, NULL, 50, '{}', 0.1) AS unknown, cvm.dynamic_equity(1000, '{1}', NULL, '{1}', 0.1) AS unknown_value;

-- from customers to the firm: 1000 before, 1100 after of whom 250 are new, so 150 of 1000 are lost
SELECT cvm.customers_lost(customers_before => 1000, customers_after => 1100, acquired => 250) AS lost,
       cvm.revenue_per_customer(revenue => 52500, customers_before => 1000, customers_after => 1100) AS arpu, cvm.revenue_per_customer(5, 0, 0) AS no_customers;
SELECT cvm.operating_profit_after_tax(revenue => 1000, variable_cost_rate => 0.6, fixed_cost => 150, tax_rate => 0.2) AS nopat,
       cvm.free_cash_flow(profit_after_tax => 200, capital_expenditure => 80, depreciation => 50, working_capital_change => 10) AS free_cash_flow,
       cvm.operating_profit_after_tax(100, 0.6, 150, 0.2) AS loss;
SELECT agrees(cvm.shareholder_value(cash_flows => '{110, 121}', cost_of_capital => 0.1, non_operating_assets => 30, net_debt => 50), 180) AS value,
       agrees(cvm.shareholder_value('{110, 121}', 0.1, first_period => 0), 220) AS first_now, cvm.shareholder_value('{}', 0.1) AS none;

-- what is outside its domain
\set VERBOSITY terse
SELECT cvm.response_rate(-1, 0.4, 0.2);
SELECT cvm.response_rate(1, 1.4, 0.2);
SELECT cvm.response_k(10, 0.5, 0.4);
SELECT cvm.prospect_equity(50, -0.1, 10, 0.4, 0.2, 8, 0.7, 0.15);
SELECT cvm.prospect_equity('NaN', 0.1, 10, 0.4, 0.2, 8, 0.7, 0.15);
SELECT * FROM cvm.optimal_prospect_spend(-50, 0.15, 0.4, 0.2, 0.7, 0.15);
SELECT * FROM cvm.optimal_prospect_spend(50, 0.15, 1.4, 0.2, 0.7, 0.15);
SELECT cvm.brand_value('{.4,.6}', '{{.7,.3},{.5,.6}}', 2, 100, 0.3, 0.1);
SELECT cvm.brand_value('{.4,.6}', '{{.7,.3},{.5,.5}}', 2, 100, 0.3, 0);
SELECT cvm.brand_value('{.4,.6}', '{{.7,.3},{.5,.5}}', -2, 100, 0.3, 0.1);
SELECT cvm.brand_value('{.4,.6,0}', '{{.7,.3},{.5,.5}}', 2, 100, 0.3, 0.1);
SELECT cvm.steady_share('{{.7,.2},{.5,.5}}');
SELECT cvm.steady_share('{{1,0},{0,1}}');
SELECT cvm.steady_share('{}');
SELECT cvm.steady_share('{{.5,.5}}');
SELECT cvm.brand_equity(73.8, -1);
SELECT cvm.equity_return(5, -1);
SELECT cvm.dynamic_equity(1000, '{100,200}', 50, '{20}', 0.1);
SELECT cvm.dynamic_equity(1000, '{-100}', 50, '{20}', 0.1);
SELECT cvm.dynamic_equity(1000, '{100}', 50, '{20}', -0.1);
SELECT cvm.customers_lost(1000, 1100, 50);
SELECT cvm.customers_lost(1000, 100, 250);
SELECT cvm.operating_profit_after_tax(1000, 0.6, 150, 1.2);
SELECT cvm.shareholder_value('{1}', -0.1);
SELECT cvm.logit_choice('{1, NaN}');
DROP SCHEMA equity_formula_test CASCADE;
