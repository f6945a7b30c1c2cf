-- demo/show.sql: what a reader wants to see of portfolio shop, from its published tables
\pset footer off
\pset border 1
\pset null '-'

\echo
\echo The models (parameter, standard error):
SELECT m.role, m.family, string_agg(format('%s %s (%s)', p.name, to_char((m.parameters ->> p.name)::float8, 'FM999990.000000'),
                                           coalesce(to_char((m.standard_errors ->> p.name)::float8, 'FM999990.0000'), '-')), '  ' ORDER BY p.position) AS parameters,
       m.customers, round(m.log_likelihood::numeric, 4) AS log_likelihood
FROM cvm.models AS m JOIN cvm.families AS f USING (family), unnest(f.parameters) WITH ORDINALITY AS p(name, position)
WHERE m.portfolio = 'shop' AND m.is_live
GROUP BY m.role, m.family, m.customers, m.log_likelihood ORDER BY m.role;

\echo The ten most valuable customers of cvm_shop.customer_value:
SELECT customer_id, segment, orders, round(realised_value, 2) AS realised, round(residual_value::numeric, 2) AS residual,
       round(residual_low::numeric) || ' to ' || round(residual_high::numeric) AS "90 %", round(p_alive::numeric, 3) AS p_alive,
       round(expected_purchases::numeric, 1) AS "purchases in a year", next_purchase_on
FROM cvm_shop.customer_value ORDER BY residual_value DESC NULLS LAST, customer_id LIMIT 10;

\echo The segments (p_alive, churn_risk: means; churn_risk: no purchase within a year):
SELECT s.segment, s.customers, round(s.residual_value::numeric) AS residual, round(s.p_alive::numeric, 3) AS p_alive,
       round(c.churn_risk::numeric, 3) AS churn_risk, round(s.mean_spend::numeric, 2) AS mean_spend,
       round(100 * s.equity_share::numeric, 1) AS "% of equity"
FROM cvm_shop.segment_summary AS s
LEFT JOIN (SELECT segment, avg(churn_risk) AS churn_risk FROM cvm_shop.customer_value GROUP BY segment) AS c USING (segment)
ORDER BY s.residual_value DESC NULLS LAST, s.segment;
\echo BG/NBD lets nobody leave before a second purchase, so one-time buyers have p_alive 1: read churn_risk.
\echo

\echo Customer equity:
SELECT e.as_of::timestamp(0) AS "as of", e.customers, round(e.expected_active::numeric) AS alive, round(e.realised_value) AS realised,
       round(e.residual_value::numeric) AS residual, round(e.residual_low::numeric) || ' to ' || round(e.residual_high::numeric) AS "90 %"
FROM cvm_shop.equity AS e JOIN cvm_shop.published AS p USING (as_of) WHERE e.is_total;

\echo The runs (with a job: by the background worker):
SELECT run_id, job_id, as_of::timestamp(0) AS "as of", status, purchases, purchases_after_as_of AS "after as of", customers,
       round(extract(epoch FROM finished_at - started_at), 2) AS seconds
FROM cvm.job_runs WHERE portfolio = 'shop' ORDER BY run_id;
