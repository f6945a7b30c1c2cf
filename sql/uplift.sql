-- uplift: for whom a treatment makes the difference, by a score
--
-- Arrays in one order of customers, an element each.  Equal scores stay together, so no
-- result depends on how ties are sorted.  By segment, cvm.difference_in_means or
-- cvm.difference_in_proportions with GROUP BY is all there is to it.

CREATE FUNCTION cvm.scored_customers(scores float8[], treated boolean[], outcomes float8[])
RETURNS TABLE (score float8, is_treated boolean, outcome float8)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT s.score, s.treated = 1, s.outcome
    FROM unnest(cvm.numbers('a score', scores), cvm.numbers('a treatment', treated::integer[]::float8[]), cvm.numbers('an outcome', outcomes)) AS s(score, treated, outcome)
    WHERE cvm.argument('the difference between the lengths of scores and treated', cardinality(scored_customers.scores) - cardinality(scored_customers.treated), 0, 0) = 0
      AND cvm.argument('the difference between the lengths of scores and outcomes', cardinality(scored_customers.scores) - cardinality(scored_customers.outcomes), 0, 0) = 0;
END;
COMMENT ON FUNCTION cvm.scored_customers(float8[], boolean[], float8[]) IS
'The customers of cvm.uplift_table and cvm.qini_curve as rows. 22023 for lengths that differ and values that are not finite, 22004 for a NULL among them.';

CREATE FUNCTION cvm.uplift_table(scores float8[], treated boolean[], outcomes float8[], bins integer DEFAULT 10)
RETURNS TABLE (bin integer, customers bigint, lowest float8, highest float8, treated_customers bigint, control_customers bigint,
               treated_mean float8, control_mean float8, uplift float8, low float8, high float8, reason text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH binned AS (
        SELECT c.score, c.is_treated, c.outcome, cvm.rfm_score(rank() OVER (ORDER BY c.score DESC), count(*) OVER (), uplift_table.bins) AS bin
        FROM cvm.scored_customers(uplift_table.scores, uplift_table.treated, uplift_table.outcomes) AS c
    ), tested AS (
        SELECT b.bin, count(*) AS customers, min(b.score) AS lowest, max(b.score) AS highest, cvm.difference_in_means(b.is_treated, b.outcome) AS d
        FROM binned b GROUP BY b.bin
    )
    SELECT t.bin, t.customers, t.lowest, t.highest, (t.d).treated, (t.d).control, (t.d).treated_mean, (t.d).control_mean,
           (t.d).difference, (t.d).low, (t.d).high, nullif((t.d).reason, 'control_zero')
    FROM tested t ORDER BY t.bin;
END;
COMMENT ON FUNCTION cvm.uplift_table(float8[], boolean[], float8[], integer) IS
'Uplift by tenths (or other bins) of a score, the highest first: mean outcome (a rate where outcomes are 0 and 1) of the treated - that of the control, with its 95 % interval (Welch). A good score has its uplift in the first bins; one that finds those who buy anyway has high rates and no uplift. Needs an experiment: among customers picked by the score the control is missing. uplift NULL with a reason where an arm is missing (one_arm), its interval too where fewer than two are in an arm (too_few) or nothing varies (no_variance). Equal scores share a bin. Errors as cvm.scored_customers; 22023 for fewer than one bin.';

CREATE FUNCTION cvm.qini_curve(scores float8[], treated boolean[], outcomes float8[])
RETURNS TABLE (customers bigint, share float8, score float8, treated_customers bigint, control_customers bigint, incremental float8, at_random float8)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH tie AS (
        SELECT c.score, count(*) FILTER (WHERE c.is_treated) AS treated, count(*) FILTER (WHERE NOT c.is_treated) AS control,
               coalesce(sum(c.outcome ORDER BY c.outcome) FILTER (WHERE c.is_treated), 0) AS treated_outcome,
               coalesce(sum(c.outcome ORDER BY c.outcome) FILTER (WHERE NOT c.is_treated), 0) AS control_outcome
        FROM cvm.scored_customers(qini_curve.scores, qini_curve.treated, qini_curve.outcomes) AS c GROUP BY c.score
    ), best AS (
        SELECT t.score, sum(t.treated) OVER w AS treated, sum(t.control) OVER w AS control,
               sum(t.treated_outcome) OVER w AS treated_outcome, sum(t.control_outcome) OVER w AS control_outcome
        FROM tie t WINDOW w AS (ORDER BY t.score DESC)
    ), gain AS (
        SELECT b.score, b.treated::bigint AS treated, b.control::bigint AS control,
               b.treated_outcome - b.control_outcome * (b.treated / nullif(b.control, 0))::float8 AS incremental
        FROM best b
    )
    SELECT 0::bigint, 0::float8, NULL::float8, 0::bigint, 0::bigint, 0::float8, 0::float8
    WHERE cardinality(qini_curve.scores) > 0
    UNION ALL
    SELECT g.treated + g.control, (g.treated + g.control) / cardinality(qini_curve.scores)::float8, g.score, g.treated, g.control, g.incremental,
           (g.treated + g.control) / cardinality(qini_curve.scores)::float8 * last_value(g.incremental) OVER (ORDER BY g.score DESC ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    FROM gain g ORDER BY 1;
END;
COMMENT ON FUNCTION cvm.qini_curve(float8[], boolean[], float8[]) IS
'Qini curve (Radcliffe 2007): what treating the customers with the highest scores adds. One row a distinct score, highest first, after one for nobody: customers so far, their share of all, the score, treated and control among them, incremental = outcome of the treated - outcome of the control x treated / control, in units of the outcome, and what treating as many at random would add (the straight line to the end). incremental is NULL as long as there is no control among them. Errors as cvm.scored_customers; no rows for none.';

CREATE FUNCTION cvm.qini_coefficient(scores float8[], treated boolean[], outcomes float8[]) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    WITH point AS (
        SELECT q.share, q.incremental - q.at_random AS above, max(q.treated_customers) OVER () AS treated
        FROM cvm.qini_curve(qini_coefficient.scores, qini_coefficient.treated, qini_coefficient.outcomes) AS q
    ), step AS (
        SELECT p.treated, p.share - lag(p.share) OVER w AS width, (p.above + lag(p.above) OVER w) / 2 AS height
        FROM point p WHERE p.above IS NOT NULL WINDOW w AS (ORDER BY p.share)
    )
    SELECT sum(s.width * s.height ORDER BY s.width, s.height) / nullif(max(s.treated), 0) FROM step s);
COMMENT ON FUNCTION cvm.qini_coefficient(float8[], boolean[], float8[]) IS
'Qini coefficient: the area between the Qini curve and its straight line, per treated customer (Radcliffe 2007; Radcliffe & Surry 2011), in units of the outcome; 0 is no better than random, below 0 worse. Its size depends on the effect, so compare scores on one experiment, and never two experiments. Points without a control are left out of the curve. By segment: cvm.qini_coefficient(array_agg(score), array_agg(treated), array_agg(outcome)), all three in one order. NULL where an arm is missing. Errors as cvm.scored_customers.';
