-- segment: grids, clusters and moves between segments (src/metric/kmeans.c)

CREATE FUNCTION cvm.value_churn_action(is_high_value boolean, churn_risk float8, cuts float8[] DEFAULT '{0.3,0.7}') RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN is_high_value AND cvm.argument('churn_risk', churn_risk, 0, 1) >= cuts[1] THEN 'protect'
            WHEN is_high_value THEN 'nurture'
            WHEN cvm.argument('churn_risk', churn_risk, 0, 1) >= cuts[cardinality(cuts)] THEN 'let go'
            ELSE 'develop' END;
COMMENT ON FUNCTION cvm.value_churn_action(boolean, float8, float8[]) IS
'What to do about a customer by value and churn risk: protect (high value, risk from the first cut on), nurture (high value, risk below), let go (lower value, risk from the last cut on), develop (the others). A convention. 22023 for a risk outside 0 to 1.';

CREATE FUNCTION cvm.value_churn_grid(amounts float8[], churn_risks float8[], tiers integer DEFAULT 3, cuts float8[] DEFAULT '{0.3,0.7}')
RETURNS TABLE (value_tier integer, churn_band integer, lowest_risk float8, customers bigint, value float8, value_share float8, action text)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bands integer := cardinality(cvm.numbers('a cut', cuts, 0, 1)) + 1;
BEGIN
    IF bands IS NULL OR bands < 2 OR cuts <> (SELECT array_agg(DISTINCT c ORDER BY c) FROM unnest(cuts) AS c) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('cuts %s are not in ascending order', coalesce(cuts::text, 'NULL')),
            HINT = 'Such as ''{0.3,0.7}'': risks below 0.3, below 0.7 and from there on.';
    END IF;
    PERFORM cvm.argument('tiers', tiers, 1, 1000),
            cvm.argument('the difference between the lengths of amounts and churn_risks', cardinality(amounts) - cardinality(churn_risks), 0, 0);
    RETURN QUERY
    WITH scored AS (
        SELECT u.amount, width_bucket(u.risk, cuts) + 1 AS band, cvm.rfm_score(rank() OVER (ORDER BY u.amount DESC), count(*) OVER (), tiers) AS tier
        FROM unnest(cvm.numbers('a value', amounts), cvm.numbers('a churn risk', churn_risks, 0, 1)) AS u(amount, risk)
    ), cell AS (
        SELECT t AS tier, b AS band, count(s.amount) AS customers, coalesce(sum(s.amount ORDER BY s.amount), 0) AS value
        FROM generate_series(1, tiers) AS t CROSS JOIN generate_series(1, bands) AS b
        LEFT JOIN scored s ON s.tier = t AND s.band = b GROUP BY t, b
    )
    SELECT c.tier, c.band, CASE WHEN c.band = 1 THEN 0 ELSE cuts[c.band - 1] END, c.customers, c.value,
           c.value / nullif(greatest(sum(c.value) OVER (), 0), 0),
           cvm.value_churn_action(c.tier = 1, CASE WHEN c.band = 1 THEN 0 ELSE cuts[c.band - 1] END, cuts)
    FROM cell c ORDER BY c.tier, c.band;
END $$;
COMMENT ON FUNCTION cvm.value_churn_grid(float8[], float8[], integer, float8[]) IS
'Customers by value and churn risk, a row per cell, empty cells too: tiers of their number by value (1 the most valuable; equal values share one), bands of risk from each cut on. value_share: of the total, NULL where that is not positive. action: cvm.value_churn_action, high value being tier 1. Arrays in one order of customers, such as array_agg(residual_value ORDER BY customer_id). 22023 for cuts that do not ascend, risks outside 0 to 1, values that are not finite, lengths that differ; 22004 for a NULL among them.';

CREATE FUNCTION cvm.kmeans(points float8[], k integer, seed bigint DEFAULT 1, restarts integer DEFAULT 10, standardise boolean DEFAULT true)
RETURNS TABLE (point bigint, cluster integer, distance float8)
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_kmeans_sql';
COMMENT ON FUNCTION cvm.kmeans(float8[], integer, bigint, integer, boolean) IS
'Clusters of customers by k-means: a row per point, in the order given. points: one row per customer, one column per feature, such as array_agg(ARRAY[ln(1 + residual_value), churn_risk] ORDER BY customer_id); k clusters. Starts by k-means++ (Arthur & Vassilvitskii 2007), Lloyd''s iteration (1982) until nothing changes, the best of restarts by the sum of squares; an empty cluster takes the farthest point. standardise: features have mean 0 and standard deviation 1 first (a constant one counts for nothing); without, the feature of the largest unit decides. distance: to the centre, in standardised units; the sum of its squares is what is minimised. Clusters are numbered by their first point. The same seed and order of rows give the same clusters. No rows for no points or a NULL argument; 22023 for more clusters than distinct points and values that are not finite, 22004 for a NULL feature, 2202E unless points have two dimensions.';

CREATE FUNCTION cvm.transition_matrix(before text[], after text[])
RETURNS TABLE (from_segment text, to_segment text, customers bigint, share float8)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT m.from_segment, m.to_segment, count(*), count(*) / sum(count(*)) OVER (PARTITION BY m.from_segment)::float8
    FROM unnest(transition_matrix.before, transition_matrix.after) AS m(from_segment, to_segment)
    WHERE num_nonnulls(m.from_segment, m.to_segment) > 0
      AND cvm.argument('the difference between the lengths of before and after', cardinality(transition_matrix.before) - cardinality(transition_matrix.after), 0, 0) = 0
    GROUP BY m.from_segment, m.to_segment ORDER BY m.from_segment NULLS LAST, m.to_segment NULLS LAST;
END;
COMMENT ON FUNCTION cvm.transition_matrix(text[], text[]) IS
'Moves between segments from one date to another: customers and their share of those who were in from_segment. Arrays in one order of customers; NULL: not a customer then, so that a NULL from_segment has entered and a NULL to_segment has left. Such as FROM (SELECT array_agg(a.segment ORDER BY customer_id) AS was, array_agg(b.segment ORDER BY customer_id) AS became FROM march a FULL JOIN april b USING (customer_id)) AS m, cvm.transition_matrix(m.was, m.became). 22023 for lengths that differ.';
