-- driver: what drives an outcome: regression, LMG, relative weights, importance x performance (src/metric/driver.c)
--
-- Any table with an outcome (overall value, likelihood to recommend, purchases, CLV) and the
-- ratings of attributes beside it will do.  doc/drivers.md says how to read the numbers.

CREATE TYPE cvm.driver AS (
    attribute text,
    n bigint,
    left_out bigint,
    performance float8,
    standard_deviation float8,
    correlation float8,
    coefficient float8,
    standardised float8,
    standard_error float8,
    p_value float8,
    vif float8,
    lmg float8,
    lmg_low float8,
    lmg_high float8,
    relative_weight float8,
    relative_weight_low float8,
    relative_weight_high float8,
    importance float8,
    r_squared float8,
    quadrant text,
    gap float8,
    opportunity float8,
    opportunity_low float8,
    opportunity_high float8,
    priority integer,
    status text,
    reason text
);
COMMENT ON TYPE cvm.driver IS
'An attribute in a key driver analysis (cvm.drivers): how well it does, how much it matters, what to do. What can not be told is NULL, and status and reason say why.';
COMMENT ON COLUMN cvm.driver.attribute IS 'Name of the attribute, or its number.';
COMMENT ON COLUMN cvm.driver.n IS 'Rows that were used, the same for all attributes.';
COMMENT ON COLUMN cvm.driver.left_out IS 'Rows that were not: the outcome or one of the attributes is NULL.';
COMMENT ON COLUMN cvm.driver.performance IS 'Mean of the attribute, in its own unit.';
COMMENT ON COLUMN cvm.driver.standard_deviation IS 'Standard deviation of the attribute, divisor n - 1.';
COMMENT ON COLUMN cvm.driver.correlation IS 'Pearson''s correlation with the outcome, alone.';
COMMENT ON COLUMN cvm.driver.coefficient IS 'Least-squares coefficient beside all other attributes: outcome units per unit of the attribute.';
COMMENT ON COLUMN cvm.driver.standardised IS 'The same in standard deviations of the outcome per standard deviation of the attribute (beta). May be negative, or above 1, where attributes are correlated: no measure of importance then.';
COMMENT ON COLUMN cvm.driver.standard_error IS 'Standard error of standardised: sqrt((1 - R^2) / (n - k - 1) x vif), the usual one of a regression on standardised variables. NULL for an exact fit.';
COMMENT ON COLUMN cvm.driver.p_value IS 'Two-sided p-value of coefficient = 0, Student''s t with n - k - 1 degrees of freedom.';
COMMENT ON COLUMN cvm.driver.vif IS 'Variance inflation: 1 / (1 - R^2 of the attribute on the others). From 10 on, as a rule of thumb (Marquardt 1970), the coefficient can hardly be told from those of others.';
COMMENT ON COLUMN cvm.driver.lmg IS 'Share of the outcome''s variance that the attribute explains, as the mean over all orders of entering the regression (LMG: Lindeman, Merenda & Gold 1980; the Shapley value of R^2). >= 0, sums to r_squared.';
COMMENT ON COLUMN cvm.driver.lmg_low IS 'Lower end of the bootstrap interval of lmg.';
COMMENT ON COLUMN cvm.driver.lmg_high IS 'Upper end of the bootstrap interval of lmg.';
COMMENT ON COLUMN cvm.driver.relative_weight IS 'The same by relative weights (Johnson 2000). >= 0, sums to r_squared; close to lmg.';
COMMENT ON COLUMN cvm.driver.relative_weight_low IS 'Lower end of the bootstrap interval of relative_weight.';
COMMENT ON COLUMN cvm.driver.relative_weight_high IS 'Upper end of the bootstrap interval of relative_weight.';
COMMENT ON COLUMN cvm.driver.importance IS 'lmg (or relative_weight, by option) / r_squared: shares that sum to 1. Of what is explained: see r_squared.';
COMMENT ON COLUMN cvm.driver.r_squared IS 'Share of the outcome''s variance that all attributes explain, the same for all of them, not adjusted.';
COMMENT ON COLUMN cvm.driver.quadrant IS 'Importance x performance (Martilla & James 1977): concentrate here, keep up, low priority, possible overkill. Cut at the mean importance and the mean performance of the attributes (or the option performance_cut); on a cut is high. Attributes must be on one scale.';
COMMENT ON COLUMN cvm.driver.gap IS 'Option best - performance: what is missing. NULL without the option.';
COMMENT ON COLUMN cvm.driver.opportunity IS 'importance x gap. NULL without the option best, and where the direction is not clear (status).';
COMMENT ON COLUMN cvm.driver.opportunity_low IS 'Lower end of the bootstrap interval of opportunity.';
COMMENT ON COLUMN cvm.driver.opportunity_high IS 'Upper end of the bootstrap interval of opportunity.';
COMMENT ON COLUMN cvm.driver.priority IS 'Rank by opportunity, 1 is to be improved first; equal opportunities share a rank.';
COMMENT ON COLUMN cvm.driver.status IS 'ok; exact: the outcome follows from the attributes without error; opposed: the outcome falls as the attribute rises; unclear: correlation and coefficient (p < 0.05) have opposite signs; and without importances: constant, constant outcome, collinear, withheld (others are collinear), too few rows, unexplained.';
COMMENT ON COLUMN cvm.driver.reason IS 'What the status means here, and what to do; with status ok a word of caution (vif of 10 or more), else NULL.';

CREATE FUNCTION cvm.driver_accum(internal, outcome float8, attributes float8[]) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_driver_accum';
COMMENT ON FUNCTION cvm.driver_accum(internal, float8, float8[]) IS 'Transition function of cvm.drivers.';
CREATE FUNCTION cvm.driver_accum(internal, outcome float8, attributes float8[], names text[]) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_driver_accum';
COMMENT ON FUNCTION cvm.driver_accum(internal, float8, float8[], text[]) IS 'Transition function of cvm.drivers.';
CREATE FUNCTION cvm.driver_accum(internal, outcome float8, attributes float8[], names text[], options jsonb) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_driver_accum';
COMMENT ON FUNCTION cvm.driver_accum(internal, float8, float8[], text[], jsonb) IS 'Transition function of cvm.drivers.';
CREATE FUNCTION cvm.driver_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_driver_combine';
COMMENT ON FUNCTION cvm.driver_combine(internal, internal) IS 'Combine function of cvm.drivers.';
CREATE FUNCTION cvm.driver_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_driver_serialize';
COMMENT ON FUNCTION cvm.driver_serialize(internal) IS 'Serialisation function of cvm.drivers.';
CREATE FUNCTION cvm.driver_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_driver_deserialize';
COMMENT ON FUNCTION cvm.driver_deserialize(bytea, internal) IS 'Deserialisation function of cvm.drivers.';
CREATE FUNCTION cvm.driver_final(internal) RETURNS cvm.driver[]
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_driver_final';
COMMENT ON FUNCTION cvm.driver_final(internal) IS 'Final function of cvm.drivers.';

CREATE AGGREGATE cvm.drivers(outcome float8, attributes float8[]) (
    SFUNC = cvm.driver_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.driver_combine, SERIALFUNC = cvm.driver_serialize, DESERIALFUNC = cvm.driver_deserialize,
    FINALFUNC = cvm.driver_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.drivers(float8, float8[]) IS
'Key driver analysis with attributes known by their numbers; otherwise as with names.';
CREATE AGGREGATE cvm.drivers(outcome float8, attributes float8[], names text[]) (
    SFUNC = cvm.driver_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.driver_combine, SERIALFUNC = cvm.driver_serialize, DESERIALFUNC = cvm.driver_deserialize,
    FINALFUNC = cvm.driver_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.drivers(float8, float8[], text[]) IS
'Key driver analysis: which attributes drive an outcome, one element of type cvm.driver an attribute. SELECT * FROM unnest((SELECT cvm.drivers(overall, ARRAY[quality, price], ''{quality,price}'') FROM survey)). Regression on standardised variables, importance by LMG (Lindeman, Merenda & Gold 1980) and relative weights (Johnson 2000), quadrants of importance x performance (Martilla & James 1977), percentile intervals of a seeded bootstrap (Efron & Tibshirani 1993): 1000 replicates, fewer above 50,000 rows. Association, not effect: what respondents who rate an attribute higher answer, not what raising it would do. Rows with a NULL are left out and counted; results do not depend on the order of rows; the state keeps 8 bytes a number. NULL if no row has attributes; 22023 for values that are not finite and names that change within a group; 2202E where numbers of attributes or names differ; 54000 for more than 20 attributes (with relative weights 100).';
CREATE AGGREGATE cvm.drivers(outcome float8, attributes float8[], names text[], options jsonb) (
    SFUNC = cvm.driver_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.driver_combine, SERIALFUNC = cvm.driver_serialize, DESERIALFUNC = cvm.driver_deserialize,
    FINALFUNC = cvm.driver_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.drivers(float8, float8[], text[], jsonb) IS
'Key driver analysis with options: best (top of the scale of the attributes; makes gap, opportunity and priority), performance_cut (of the quadrants; default the mean performance), importance ("lmg", or "relative-weight", which takes more attributes), replicates of the bootstrap (default 1000, above 50,000 rows 50 million / n but at least 200; 0 for none, or 100 to 100,000), confidence (default 0.95), seed (default 1). 22023 for an unknown option, one outside its domain, or a best below an attribute''s mean.';

CREATE FUNCTION cvm.lmg(correlations float8[], outcome_correlations float8[]) RETURNS float8[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_lmg_of_correlations';
COMMENT ON FUNCTION cvm.lmg(float8[], float8[]) IS
'LMG importances from correlations, such as a published table: mean over all orders of what an attribute adds to R^2 (Lindeman, Merenda & Gold 1980; Gromping 2006), the Shapley value. correlations of the attributes (square, 1 on the diagonal), outcome_correlations of each with the outcome; at most 20 attributes. Sums to R^2. 22023 for a matrix that is none of correlations, is singular, or that no data can have.';
CREATE FUNCTION cvm.relative_weights(correlations float8[], outcome_correlations float8[]) RETURNS float8[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_relative_weights_of_correlations';
COMMENT ON FUNCTION cvm.relative_weights(float8[], float8[]) IS
'Relative weights from correlations (Johnson 2000): R = Q D Q'', Lambda = Q D^(1/2) Q'', beta = Lambda^-1 r, weight j = sum over k of Lambda_jk^2 beta_k^2. Sums to R^2; not rescaled to percent. At most 100 attributes; otherwise as cvm.lmg.';
CREATE FUNCTION cvm.quadrant(importance float8, performance float8, importance_cut float8, performance_cut float8) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_quadrant';
COMMENT ON FUNCTION cvm.quadrant(float8, float8, float8, float8) IS
'Quadrant of importance-performance analysis (Martilla & James 1977): concentrate here (important, performs badly), keep up (both high), low priority (both low), possible overkill. The cuts are grand means or midpoints of the scale: they decide, so say which. What is on a cut counts as high. 22023 for numbers that are not finite.';

-- ---------- of the ratings feed ----------

-- cvm.driver after the outcome, with its comments.
CREATE TYPE cvm.driver_importance_row AS (outcome text, attribute text, n bigint, left_out bigint, performance float8, standard_deviation float8, correlation float8, coefficient float8, standardised float8, standard_error float8, p_value float8, vif float8, lmg float8, lmg_low float8, lmg_high float8, relative_weight float8, relative_weight_low float8, relative_weight_high float8, importance float8, r_squared float8, quadrant text, gap float8, opportunity float8, opportunity_low float8, opportunity_high float8, priority integer, status text, reason text);
COMMENT ON TYPE cvm.driver_importance_row IS 'An attribute as a driver of an outcome: row of cvm.driver_importance.';
COMMENT ON COLUMN cvm.driver_importance_row.outcome IS 'overall (score of the supplier as a whole) or residual_value (of respondents who are customers, currency units)';
DO $$
DECLARE
    a record;
BEGIN
    FOR a IN SELECT c.attname, pg_catalog.col_description(c.attrelid, c.attnum) AS description FROM pg_catalog.pg_attribute c
             WHERE c.attrelid = 'cvm.driver'::pg_catalog.regclass AND c.attnum > 0 LOOP
        EXECUTE pg_catalog.format('COMMENT ON COLUMN cvm.driver_importance_row.%I IS %L', a.attname, a.description);
    END LOOP;
END $$;

CREATE FUNCTION cvm.driver_importance(portfolio text, from_on date, to_on date)
RETURNS SETOF cvm.driver_importance_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    options jsonb := (cvm.own_portfolio(portfolio)).options;
    own text := cvm.option_text(options, 'own_supplier', NULL);
    best jsonb := '{}';
BEGIN
    IF own IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('portfolio "%s" does not say which supplier of its ratings feed is its own', portfolio),
            HINT = format('SELECT cvm.alter_portfolio(%L, ''{"own_supplier": "..."}'');', portfolio);
    END IF;
    IF jsonb_typeof(options -> 'rating_scale') <> 'null' THEN
        SELECT jsonb_build_object('best', CASE s.direction WHEN 'high' THEN s.highest ELSE s.lowest END) INTO best FROM cvm.question_scale(jsonb_build_object('*', options -> 'rating_scale'), '*') s;
    END IF;
    RETURN QUERY EXECUTE '
        WITH row AS MATERIALIZED (SELECT r.* FROM cvm.rating_rows($1, $2, $3) r WHERE r.supplier = $4),
        attribute AS (SELECT DISTINCT r.attribute FROM row r WHERE r.kind IN (''product'', ''service'', ''personal'', ''image'', ''monetary'', ''time'', ''energy'', ''psychic'')),
        score AS (SELECT r.respondent, r.attribute, avg(r.score) AS score FROM row r WHERE r.kind IN (''product'', ''service'', ''personal'', ''image'', ''monetary'', ''time'', ''energy'', ''psychic'') GROUP BY 1, 2),
        point AS MATERIALIZED (
            SELECT p.respondent, array_agg(s.score ORDER BY a.attribute) AS scores, array_agg(a.attribute ORDER BY a.attribute) AS names
            FROM (SELECT DISTINCT r.respondent FROM row r) p CROSS JOIN attribute a LEFT JOIN score s USING (respondent, attribute) GROUP BY 1
        ), outcome AS (
            SELECT 1 AS position, ''overall'' AS outcome, r.respondent, avg(r.score) AS value FROM row r WHERE r.kind = ''overall'' GROUP BY 3
            UNION ALL SELECT 2, ''residual_value'', v.customer, v.residual_value FROM cvm.valued_customers($1) v WHERE v.customer IN (SELECT r.respondent FROM row r)
        )
        SELECT t.outcome, d.* FROM (SELECT o.position, o.outcome, cvm.drivers(o.value, p.scores, p.names, $5) AS d FROM point p JOIN outcome o USING (respondent) GROUP BY 1, 2) t, unnest(t.d) d
        ORDER BY t.position, d.priority, d.importance DESC, d.attribute COLLATE "C"' USING portfolio, from_on, to_on, own, best;
END $$;
COMMENT ON FUNCTION cvm.driver_importance(text, date, date) IS
'Key driver analysis of a portfolio''s ratings feed: which attributes of its own supplier (option own_supplier) drive the overall score, and, of respondents who are its customers, their residual value; one row an outcome and attribute, otherwise as cvm.driver (cvm.drivers). gap, opportunity and priority need the option rating_scale. 22023 where own_supplier is not set; errors as cvm.rating_rows and cvm.drivers.';

CREATE FUNCTION cvm.driver_importance_report(portfolio text)
RETURNS SETOF cvm.driver_importance_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT n.* FROM cvm.report_window(portfolio, 'ratings', 12) w, LATERAL cvm.driver_importance(portfolio, w.from_on, w.to_on) n
    WHERE EXISTS (SELECT FROM cvm.portfolio p WHERE p.portfolio = driver_importance_report.portfolio AND p.options OPERATOR(pg_catalog.?) 'own_supplier');
END;
COMMENT ON FUNCTION cvm.driver_importance_report(text) IS 'Report driver_importance: cvm.driver_importance of the last 12 months and the one of the published as_of; empty where the option own_supplier is not set.';
