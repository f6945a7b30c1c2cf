-- concentration: how unequally value is spread over customers (src/math/concentration.c)
--
-- Customers without value belong to the population: leaving them out understates the
-- concentration.  A measure of shares is NULL where the total is not positive.

CREATE FUNCTION cvm.sample_accum(internal, value float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_sample_accum_value';
COMMENT ON FUNCTION cvm.sample_accum(internal, float8) IS 'Transition function of the measures of concentration.';
CREATE FUNCTION cvm.sample_accum_share(internal, value float8, fraction float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_sample_accum_value';
COMMENT ON FUNCTION cvm.sample_accum_share(internal, float8, float8) IS 'Transition function of cvm.top_share.';
CREATE FUNCTION cvm.sample_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_sample_combine';
COMMENT ON FUNCTION cvm.sample_combine(internal, internal) IS 'Combine function of the measures of concentration and evaluation.';
CREATE FUNCTION cvm.sample_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_sample_serialize';
COMMENT ON FUNCTION cvm.sample_serialize(internal) IS 'Serialisation of the measures of concentration and evaluation.';
CREATE FUNCTION cvm.sample_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_sample_deserialize';
COMMENT ON FUNCTION cvm.sample_deserialize(bytea, internal) IS 'Deserialisation of the measures of concentration and evaluation.';

CREATE FUNCTION cvm.gini_final(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_gini_final';
COMMENT ON FUNCTION cvm.gini_final(internal) IS 'Final function of cvm.gini.';
CREATE FUNCTION cvm.gini_small_sample_final(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_gini_small_sample_final';
COMMENT ON FUNCTION cvm.gini_small_sample_final(internal) IS 'Final function of cvm.gini_small_sample.';
CREATE FUNCTION cvm.hhi_final(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_hhi_final';
COMMENT ON FUNCTION cvm.hhi_final(internal) IS 'Final function of cvm.hhi.';
CREATE FUNCTION cvm.top_share_final(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_top_share_final';
COMMENT ON FUNCTION cvm.top_share_final(internal) IS 'Final function of cvm.top_share.';
CREATE FUNCTION cvm.whale_peak_final(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_whale_peak_final';
COMMENT ON FUNCTION cvm.whale_peak_final(internal) IS 'Final function of cvm.whale_peak.';

CREATE AGGREGATE cvm.gini(value float8) (
    SFUNC = cvm.sample_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.sample_combine, SERIALFUNC = cvm.sample_serialize, DESERIALFUNC = cvm.sample_deserialize,
    FINALFUNC = cvm.gini_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.gini(float8) IS
'Gini coefficient of the values of customers: 2 sum i y_(i) / (n sum y) - (n + 1) / n, values ascending (Gini 1912; Sen 1973). 0: all equal; (n - 1) / n: one customer holds everything (cvm.gini_small_sample takes that to 1). Twice the area between the diagonal and the Lorenz curve; not the Gini of a ranking (cvm.rank_gini). With negative values it may exceed 1, and a warning says so. NULL for no customers and for a total that is not positive. Rows with NULL are left out; 22023 for values that are not finite. Independent of the order of rows; keeps 8 bytes a row.';

CREATE AGGREGATE cvm.gini_small_sample(value float8) (
    SFUNC = cvm.sample_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.sample_combine, SERIALFUNC = cvm.sample_serialize, DESERIALFUNC = cvm.sample_deserialize,
    FINALFUNC = cvm.gini_small_sample_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.gini_small_sample(float8) IS
'Gini coefficient x n / (n - 1): corrects its bias in small groups (Deltas 2003), so that segments of different sizes can be compared. NULL for fewer than two customers; else as cvm.gini.';

CREATE AGGREGATE cvm.hhi(value float8) (
    SFUNC = cvm.sample_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.sample_combine, SERIALFUNC = cvm.sample_serialize, DESERIALFUNC = cvm.sample_deserialize,
    FINALFUNC = cvm.hhi_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.hhi(float8) IS
'Herfindahl-Hirschman index: sum of squared shares of the total, 1 / n to 1 (Hirschman 1964); 1 / HHI is the number of equal customers that would be as concentrated. Competition authorities print it x 10000. Depends on n, unlike the Gini coefficient. NULL for no customers and for a total that is not positive; a warning where values are negative. Otherwise as cvm.gini.';

CREATE AGGREGATE cvm.top_share(value float8, fraction float8) (
    SFUNC = cvm.sample_accum_share, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.sample_combine, SERIALFUNC = cvm.sample_serialize, DESERIALFUNC = cvm.sample_deserialize,
    FINALFUNC = cvm.top_share_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.top_share(float8, float8) IS
'Share of the total that the most valuable customers hold: the largest ceil(fraction x n) of them, fraction above 0 and at most 1. Above 1 where others make losses. Not the share of those above a cumulative share (cvm.abc_tier). NULL for no customers and for a total that is not positive; 22023 for a fraction outside its domain or changing within a group.';

CREATE AGGREGATE cvm.whale_peak(profit float8) (
    SFUNC = cvm.sample_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.sample_combine, SERIALFUNC = cvm.sample_serialize, DESERIALFUNC = cvm.sample_deserialize,
    FINALFUNC = cvm.whale_peak_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.whale_peak(float8) IS
'Top of the whale curve: what the profitable customers earn / total profit (Kaplan & Narayanan 2001). 1 without losses; 1.37 says that loss-makers give back 37 % of the total. NULL for no customers and for a total that is not positive: read the amounts of cvm.whale_curve then.';

-- ---------- curves and tables ----------

CREATE FUNCTION cvm.lorenz_curve(amounts float8[])
RETURNS TABLE (rank bigint, value float8, population_share float8, value_share float8)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT row_number() OVER w, v, row_number() OVER w::float8 / count(*) OVER (),
           sum(v) OVER w / nullif(greatest(sum(v) OVER (ORDER BY v ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING), 0), 0)
    FROM unnest(cvm.numbers('a value', amounts)) AS v
    WINDOW w AS (ORDER BY v ROWS UNBOUNDED PRECEDING)
    ORDER BY 1;
END;
COMMENT ON FUNCTION cvm.lorenz_curve(float8[]) IS
'Lorenz curve (Lorenz 1905): share of the total that the least valuable customers hold, one row a customer, ascending. value_share is NULL where the total is not positive. The whale curve runs the other way, from the best down. Such as cvm.lorenz_curve(ARRAY(SELECT residual_value FROM cvm_shop.clv)). 22004 for a NULL among the values, 22023 for values that are not finite; no rows for none.';

CREATE FUNCTION cvm.whale_curve(profits float8[])
RETURNS TABLE (rank bigint, profit float8, population_share float8, cumulative_profit float8, share_of_total float8)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT row_number() OVER w, v, row_number() OVER w::float8 / count(*) OVER (), sum(v) OVER w,
           sum(v) OVER w / nullif(greatest(sum(v) OVER (ORDER BY v DESC ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING), 0), 0)
    FROM unnest(cvm.numbers('a profit', profits)) AS v
    WINDOW w AS (ORDER BY v DESC ROWS UNBOUNDED PRECEDING)
    ORDER BY 1;
END;
COMMENT ON FUNCTION cvm.whale_curve(float8[]) IS
'Whale curve (Kaplan & Narayanan 2001): cumulative profit from the most profitable customer down, one row a customer; it rises above 100 % of the total and falls back where customers make losses. share_of_total is NULL where the total is not positive: cumulative_profit still says how much. Profit after cost to serve, else there are no losses to see. Errors as cvm.lorenz_curve.';

CREATE FUNCTION cvm.abc_tier(value_above numeric, total numeric, a_share numeric DEFAULT 0.8, b_share numeric DEFAULT 0.95) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN cvm.argument('total', total::float8) > 0 AND cvm.argument('value_above', coalesce(value_above, 0)::float8) IS NOT NULL
                 AND cvm.argument('b_share', b_share::float8, cvm.argument('a_share', a_share::float8, 0, 1), 1) IS NOT NULL
            THEN CASE WHEN coalesce(value_above, 0) < a_share * total THEN 'A'
                      WHEN coalesce(value_above, 0) < b_share * total THEN 'B'
                      ELSE 'C' END END;
COMMENT ON FUNCTION cvm.abc_tier(numeric, numeric, numeric, numeric) IS
'ABC tier of a customer by cumulative share (Pareto''s rule; Dickie 1951): value_above is the sum of the customers that are strictly more valuable (NULL: none). A until they hold a_share of the total, B until b_share, C behind; so the customer that crosses a limit belongs to the higher tier, and equal customers to one tier. Such as cvm.abc_tier(sum(v) OVER (ORDER BY v DESC GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), sum(v) OVER ()). A tier is a share of value, not of customers (cvm.decile_table). Exact on decimals. NULL where the total is not positive; 22023 unless 0 <= a_share <= b_share <= 1.';

CREATE FUNCTION cvm.abc_tier(value_above float8, total float8, a_share float8 DEFAULT 0.8, b_share float8 DEFAULT 0.95) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN cvm.argument('total', total) > 0 AND cvm.argument('value_above', coalesce(value_above, 0)) IS NOT NULL
                 AND cvm.argument('b_share', b_share, cvm.argument('a_share', a_share, 0, 1), 1) IS NOT NULL
            THEN CASE WHEN coalesce(value_above, 0) < a_share * total * (1 - 1e-12) THEN 'A'
                      WHEN coalesce(value_above, 0) < b_share * total * (1 - 1e-12) THEN 'B'
                      ELSE 'C' END END;
COMMENT ON FUNCTION cvm.abc_tier(float8, float8, float8, float8) IS
'ABC tier, as for numeric; a sum that misses a limit by rounding only has reached it.';

CREATE FUNCTION cvm.decile_table(amounts float8[], bins integer DEFAULT 10)
RETURNS TABLE (bin integer, customers bigint, lowest float8, highest float8, mean float8, total float8, share float8, cumulative_share float8)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH scored AS (
        SELECT v, cvm.rfm_score(rank() OVER (ORDER BY v DESC), count(*) OVER (), bins) AS bin
        FROM unnest(cvm.numbers('a value', amounts)) AS v
    ), binned AS (
        SELECT s.bin, count(*) AS customers, min(v) AS lowest, max(v) AS highest, sum(v ORDER BY v) AS total
        FROM scored s GROUP BY s.bin
    )
    SELECT b.bin, b.customers, b.lowest, b.highest, b.total / b.customers, b.total,
           b.total / nullif(greatest(sum(b.total) OVER everyone, 0), 0),
           sum(b.total) OVER (ORDER BY b.bin) / nullif(greatest(sum(b.total) OVER everyone, 0), 0)
    FROM binned b
    WINDOW everyone AS (ORDER BY b.bin ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    ORDER BY b.bin;
END;
COMMENT ON FUNCTION cvm.decile_table(float8[], integer) IS
'Customers by tenths (or other bins) of their number, bin 1 the most valuable: number, range, mean, total, share of the total and cumulative share. Equal values share a bin, so bins may differ in size or be missing, where ntile() would split ties by chance. Shares are NULL where the total is not positive. Errors as cvm.lorenz_curve; 22003 for fewer than one bin.';

-- ---------- views of an output schema ----------

-- Over the published scores, computed when they are read: nothing of a feed, and nothing for a recompute to do.
CREATE FUNCTION cvm.create_concentration_views(s text, source text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- a row a customer and kind of value
    valued text := format('(SELECT s.segment, v.value, v.amount %s) s', regexp_replace(source, ' WHERE ', ' CROSS JOIN LATERAL (VALUES (''realised_value'', s.realised_value::float8), (''residual_value'', s.residual_value)) AS v(value, amount) WHERE '));
BEGIN
    EXECUTE format('CREATE VIEW %I.concentration AS
        SELECT m.value, m.segment, m.is_total, m.customers, m.total, m.gini, m.gini_small_sample, m.hhi, m.top_10_share, m.top_20_share, m.whale_peak,
               CASE WHEN m.customers = 0 THEN ''no customers'' WHEN NOT m.total > 0 THEN ''total not positive'' WHEN m.customers = 1 THEN ''one customer'' END AS reason
        FROM (SELECT s.value, coalesce(s.segment, ''all'') AS segment, GROUPING(s.segment) = 1 AS is_total, count(s.amount) AS customers,
                     coalesce(sum(s.amount ORDER BY s.amount), 0) AS total, cvm.gini(s.amount) AS gini, cvm.gini_small_sample(s.amount) AS gini_small_sample, cvm.hhi(s.amount) AS hhi,
                     cvm.top_share(s.amount, 0.1) AS top_10_share, cvm.top_share(s.amount, 0.2) AS top_20_share, cvm.whale_peak(s.amount) AS whale_peak
              FROM %s GROUP BY GROUPING SETS ((s.value), (s.value, s.segment))) m', s, valued);
    EXECUTE format('CREATE VIEW %I.decile_table AS
        SELECT v.value, t.* FROM (SELECT s.value, array_agg(s.amount) FILTER (WHERE s.amount IS NOT NULL) AS amounts FROM %s GROUP BY 1) v,
               LATERAL cvm.decile_table(v.amounts) t', s, valued);
    EXECUTE format('CREATE VIEW %I.whale_curve AS
        SELECT c.rank, c.population_share, c.cumulative_profit AS cumulative_value, c.share_of_total
        FROM (SELECT array_agg(s.realised_value::float8) AS amounts %s) v, LATERAL cvm.whale_curve(v.amounts) c
        WHERE c.rank * 100 / cardinality(v.amounts) > (c.rank - 1) * 100 / cardinality(v.amounts)', s, source);
    EXECUTE format('CREATE VIEW %I.lorenz_curve AS
        SELECT c.rank, c.population_share, c.value_share
        FROM (SELECT array_agg(s.realised_value::float8) AS amounts %s) v, LATERAL cvm.lorenz_curve(v.amounts) c
        WHERE c.rank * 100 / cardinality(v.amounts) > (c.rank - 1) * 100 / cardinality(v.amounts)', s, source);
    EXECUTE format('CREATE VIEW %I.abc_tier AS
        SELECT s.customer_id, s.segment, s.realised_value,
               cvm.abc_tier(sum(s.realised_value) OVER (ORDER BY s.realised_value DESC GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), sum(s.realised_value) OVER ()) AS realised_tier,
               s.residual_value,
               CASE WHEN s.residual_value IS NOT NULL
                    THEN cvm.abc_tier(sum(s.residual_value) OVER (ORDER BY s.residual_value DESC NULLS LAST GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
                                      sum(s.residual_value) OVER ()) END AS residual_tier %s', s, source);
    EXECUTE format('CREATE VIEW %I.repeat_purchase AS
        SELECT r.as_of, r.segment, r.is_total, r.customers, r.repeaters, r.repeaters::float8 / nullif(r.customers, 0) AS repeat_purchase_rate,
               CASE WHEN r.customers = 0 THEN ''no customers'' END AS reason
        FROM (SELECT s.as_of, coalesce(s.segment, ''all'') AS segment, GROUPING(s.segment) = 1 AS is_total, count(*) FILTER (WHERE s.buys) AS customers, count(*) FILTER (WHERE s.repeats) AS repeaters
              FROM (SELECT p.as_of, s.segment, cvm.first_at(s.history) IS NOT NULL AS buys, cvm.first_at(s.history) IS NOT NULL AND cvm.repeat_periods(s.history) > 0 AS repeats %s) s
              GROUP BY GROUPING SETS ((s.as_of), (s.as_of, s.segment))) r', s, source);
END $$;
COMMENT ON FUNCTION cvm.create_concentration_views(text, text) IS 'Creates the views of an output schema that show how value is spread over customers; source is the FROM clause of the published scores.';
