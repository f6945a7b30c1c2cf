-- covariate: models whose parameters depend on what else is known of customers (src/covariate.c, src/covariate_type.c)

CREATE TYPE cvm.covariate_model AS (
    model cvm.model, plain cvm.model, covariates text[], processes text[],
    means float8[], coefficients float8[], covariance float8[]
);
COMMENT ON TYPE cvm.covariate_model IS
'A model with covariates: the model of a customer whose covariates are at their means; the plain model of the same customers without covariates (NULL: unknown); names of the covariates, the process each acts on (purchase, dropout, both) and their means; the coefficients, by parameter (alpha, then a and b of bg/nbd and mbg/nbd, or beta of pareto/nbd) and then by covariate; the covariance matrix of the logarithms of the parameters and the coefficients (NULL: unknown). Read it with cvm.coefficients, cvm.likelihood_ratio_test and cvm.model_for, which check it: 22023.';

CREATE FUNCTION cvm.fit_covariates_accum(internal, family text, x float8, t_x float8, age float8, covariates float8[]) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_covariates_accum';
COMMENT ON FUNCTION cvm.fit_covariates_accum(internal, text, float8, float8, float8, float8[]) IS 'Transition function of the aggregate cvm.fit_covariates.';
CREATE FUNCTION cvm.fit_covariates_accum(internal, family text, x float8, t_x float8, age float8, covariates float8[], names text[], processes text[]) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_covariates_accum';
COMMENT ON FUNCTION cvm.fit_covariates_accum(internal, text, float8, float8, float8, float8[], text[], text[]) IS 'Transition function of the aggregate cvm.fit_covariates.';
CREATE FUNCTION cvm.fit_covariates_history_accum(internal, family text, history cvm.purchase_history, as_of timestamptz, covariates float8[]) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_covariates_history_accum';
COMMENT ON FUNCTION cvm.fit_covariates_history_accum(internal, text, cvm.purchase_history, timestamptz, float8[]) IS 'Transition function of the aggregate cvm.fit_covariates.';
CREATE FUNCTION cvm.fit_covariates_history_accum(internal, family text, history cvm.purchase_history, as_of timestamptz, covariates float8[], names text[], processes text[]) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_covariates_history_accum';
COMMENT ON FUNCTION cvm.fit_covariates_history_accum(internal, text, cvm.purchase_history, timestamptz, float8[], text[], text[]) IS 'Transition function of the aggregate cvm.fit_covariates.';
CREATE FUNCTION cvm.fit_covariates_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_covariates_combine';
COMMENT ON FUNCTION cvm.fit_covariates_combine(internal, internal) IS 'Combine function of the aggregate cvm.fit_covariates.';
CREATE FUNCTION cvm.fit_covariates_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_covariates_serialize';
COMMENT ON FUNCTION cvm.fit_covariates_serialize(internal) IS 'Serialisation of the aggregate cvm.fit_covariates.';
CREATE FUNCTION cvm.fit_covariates_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_covariates_deserialize';
COMMENT ON FUNCTION cvm.fit_covariates_deserialize(bytea, internal) IS 'Deserialisation of the aggregate cvm.fit_covariates.';
CREATE FUNCTION cvm.fit_covariates_final(internal) RETURNS cvm.covariate_model
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_covariates_final';
COMMENT ON FUNCTION cvm.fit_covariates_final(internal) IS 'Final function of the aggregate cvm.fit_covariates: the maximum of the likelihood.';

CREATE AGGREGATE cvm.fit_covariates(family text, x float8, t_x float8, age float8, covariates float8[]) (
    SFUNC = cvm.fit_covariates_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.fit_covariates_combine, SERIALFUNC = cvm.fit_covariates_serialize, DESERIALFUNC = cvm.fit_covariates_deserialize,
    FINALFUNC = cvm.fit_covariates_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.fit_covariates(text, float8, float8, float8, float8[]) IS
'Maximum-likelihood model with time-invariant covariates (Fader & Hardie 2007, "Incorporating time-invariant covariates into the Pareto/NBD and BG/NBD models") of raw statistics, in weeks. Families: pareto/nbd with alpha exp(-c_alpha z) and beta exp(-c_beta z); bg/nbd and mbg/nbd with alpha exp(-c_alpha z), a exp(c_a z) and b exp(c_b z), c being the coefficients and z the covariates of a customer. So exp(c_alpha) is what one unit more of a covariate makes of the purchase rate, exp(c_beta) of the drop-out rate, exp(c_a - c_b) of the odds of leaving after a purchase. Every covariate acts on both processes, and is called z1, z2, ... At most 50. The rung of the result is penalised where the likelihood has no maximum inside, as where a group of customers never comes back. Rows without statistics (all of them NULL) are left out; 22004 for a covariate or a statistic that is NULL, 22023 for covariates that are not finite or differ in number, for one that is the same for all customers or follows from others (all levels of a category, say), each by name, for families without covariates and rows outside the domain; 02000 where there is too little to fit on. Does not depend on the order of rows. NULL for no rows.';

CREATE AGGREGATE cvm.fit_covariates(family text, x float8, t_x float8, age float8, covariates float8[], names text[], processes text[]) (
    SFUNC = cvm.fit_covariates_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.fit_covariates_combine, SERIALFUNC = cvm.fit_covariates_serialize, DESERIALFUNC = cvm.fit_covariates_deserialize,
    FINALFUNC = cvm.fit_covariates_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.fit_covariates(text, float8, float8, float8, float8[], text[], text[]) IS
'The same with a name for each covariate (NULL: z1, z2, ...) and the process each acts on: purchase, dropout or both (NULL: all on both). Rows without statistics (all of them NULL) are left out; 22004 for a covariate or a statistic that is NULL, 22023 for covariates that are not finite or differ in number, for one that is the same for all customers or follows from others (all levels of a category, say), each by name, for families without covariates and rows outside the domain; 02000 where there is too little to fit on. Does not depend on the order of rows. NULL for no rows.';

CREATE AGGREGATE cvm.fit_covariates(family text, history cvm.purchase_history, as_of timestamptz, covariates float8[]) (
    SFUNC = cvm.fit_covariates_history_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.fit_covariates_combine, SERIALFUNC = cvm.fit_covariates_serialize, DESERIALFUNC = cvm.fit_covariates_deserialize,
    FINALFUNC = cvm.fit_covariates_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.fit_covariates(text, cvm.purchase_history, timestamptz, float8[]) IS
'The same of purchase histories as of an instant, in weeks. Histories without purchases are left out; a purchase after as_of is an error. Rows without statistics (all of them NULL) are left out; 22004 for a covariate or a statistic that is NULL, 22023 for covariates that are not finite or differ in number, for one that is the same for all customers or follows from others (all levels of a category, say), each by name, for families without covariates and rows outside the domain; 02000 where there is too little to fit on. Does not depend on the order of rows. NULL for no rows.';

CREATE AGGREGATE cvm.fit_covariates(family text, history cvm.purchase_history, as_of timestamptz, covariates float8[], names text[], processes text[]) (
    SFUNC = cvm.fit_covariates_history_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.fit_covariates_combine, SERIALFUNC = cvm.fit_covariates_serialize, DESERIALFUNC = cvm.fit_covariates_deserialize,
    FINALFUNC = cvm.fit_covariates_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.fit_covariates(text, cvm.purchase_history, timestamptz, float8[], text[], text[]) IS
'The same of purchase histories as of an instant, in weeks, with a name for each covariate (NULL: z1, z2, ...) and the process each acts on: purchase, dropout or both (NULL: all on both). Histories without purchases are left out; a purchase after as_of is an error. Rows without statistics (all of them NULL) are left out; 22004 for a covariate or a statistic that is NULL, 22023 for covariates that are not finite or differ in number, for one that is the same for all customers or follows from others (all levels of a category, say), each by name, for families without covariates and rows outside the domain; 02000 where there is too little to fit on. Does not depend on the order of rows. NULL for no rows.';

CREATE FUNCTION cvm.coefficients(model cvm.covariate_model)
RETURNS TABLE (covariate text, process text, parameter text, coefficient float8, standard_error float8, z float8, p_value float8)
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 10 AS 'MODULE_PATHNAME', 'cvm_covariate_coefficients';
COMMENT ON FUNCTION cvm.coefficients(cvm.covariate_model) IS
'The coefficients of a model with covariates, a row each, in the unit of their covariate: covariate, process, the parameter it scales, coefficient, standard error from the observed information, z = coefficient / standard error and its two-sided p (Wald 1943). Where the rung is penalised the standard error is that with the prior''s information, and z and p are NULL. 22023 for a row that is no such model.';

CREATE FUNCTION cvm.likelihood_ratio_test(model cvm.covariate_model, OUT statistic float8, OUT degrees_of_freedom integer, OUT p_value float8)
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_covariate_ratio_test';
COMMENT ON FUNCTION cvm.likelihood_ratio_test(cvm.covariate_model) IS
'Do the covariates explain anything: twice the difference of log-likelihoods with and without them, the number of coefficients, and how likely so large a statistic is where none has an effect (chi-square: Wilks 1938). p is NULL where one of the two fits is not of the rung full, both are NULL where the plain model is not known. 22023 for a row that is no model with covariates.';

CREATE FUNCTION cvm.model_for(model cvm.covariate_model, covariates float8[]) RETURNS cvm.model
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_model_for';
COMMENT ON FUNCTION cvm.model_for(cvm.covariate_model, float8[]) IS
'The model of a customer with these covariates, for every function that takes a cvm.model: its parameters, their covariance by the delta method, and the log-likelihood and customers of the whole fit. 22004 for a covariate that is NULL, 22023 for another number of covariates than the model has, 22003 where they are so far out that a parameter overflows.';

CREATE FUNCTION cvm.one_hot(value text, levels text[]) RETURNS float8[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF array_position(one_hot.levels, one_hot.value) IS NULL THEN
        RAISE EXCEPTION 'level "%" is not among those of the category', one_hot.value USING ERRCODE = '22023',
            DETAIL = format('Known are %s.', array_to_string(one_hot.levels, ', ', 'NULL')),
            HINT = 'A model says nothing of a level that it was not fitted on: give the customer the reference, which comes first, or a model without covariates.';
    END IF;
    RETURN ARRAY(SELECT (u.level = one_hot.value)::integer::float8 FROM unnest(one_hot.levels) WITH ORDINALITY AS u(level, i) WHERE u.i > 1 ORDER BY u.i);
END $$;
COMMENT ON FUNCTION cvm.one_hot(text, text[]) IS
'A category as covariates: 1 for its level and 0 for the others, of all levels but the first, which is the reference that coefficients compare with (best the most frequent one). 22023 for a level that is not among them; NULL for NULL.';
