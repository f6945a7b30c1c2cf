-- interval: how sure one can be of parameters, and of the value of any set of customers (src/interval.c, doc/uncertainty.md)

CREATE FUNCTION cvm.confidence_intervals(model cvm.model, level float8 DEFAULT 0.95, OUT parameter text, OUT estimate float8,
    OUT standard_error float8, OUT low float8, OUT high float8) RETURNS SETOF record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_confidence_intervals';
COMMENT ON FUNCTION cvm.confidence_intervals(cvm.model, float8) IS
'Parameters of a model with their confidence intervals, a row each, in the paper''s order: estimate x exp(+- z standard error / estimate), as the logarithm of a positive parameter is nearer to normal (Wald). standard_error, low and high are NULL of a parameter that was held or chosen, not estimated, and where the model has no covariance. 22023 unless level is between 0 and 1.';

CREATE TYPE cvm.value_interval AS (
    customers bigint, residual_value float8, residual_low float8, residual_high float8,
    predictive_error float8, parameter_error float8, status text);
COMMENT ON TYPE cvm.value_interval IS 'Residual value of a set of customers and how sure it is: result of the aggregate cvm.sum_interval.';
COMMENT ON COLUMN cvm.value_interval.customers IS 'customers with a purchase';
COMMENT ON COLUMN cvm.value_interval.residual_value IS 'sum of their residual values, in the currency of the histories';
COMMENT ON COLUMN cvm.value_interval.residual_low IS 'lower end of the interval of the sum; NULL where the uncertainty of the parameters is not known';
COMMENT ON COLUMN cvm.value_interval.residual_high IS 'upper end; NULL likewise';
COMMENT ON COLUMN cvm.value_interval.predictive_error IS 'standard deviation of the sum at the given parameters: what customers do by chance';
COMMENT ON COLUMN cvm.value_interval.parameter_error IS 'standard error of the sum by the uncertainty of the parameters; NULL where it is not known';
COMMENT ON COLUMN cvm.value_interval.status IS 'ok; fallback: a model is penalised, and its covariance knows the prior as well as the data; unknown: a model without covariance, or with held parameters: no interval';

CREATE FUNCTION cvm.sum_interval_accum(internal, purchases cvm.model, spend cvm.model, history cvm.purchase_history, as_of timestamptz,
    annual_discount_rate float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_sum_interval_accum';
COMMENT ON FUNCTION cvm.sum_interval_accum(internal, cvm.model, cvm.model, cvm.purchase_history, timestamptz, float8) IS 'Transition function of the aggregate cvm.sum_interval.';
CREATE FUNCTION cvm.sum_interval_accum(internal, purchases cvm.model, spend cvm.model, history cvm.purchase_history, as_of timestamptz,
    annual_discount_rate float8, value_horizon interval, margin float8, level float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_sum_interval_accum';
COMMENT ON FUNCTION cvm.sum_interval_accum(internal, cvm.model, cvm.model, cvm.purchase_history, timestamptz, float8, interval, float8, float8) IS 'Transition function of the aggregate cvm.sum_interval.';
CREATE FUNCTION cvm.sum_interval_final(internal) RETURNS cvm.value_interval
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_sum_interval_final';
COMMENT ON FUNCTION cvm.sum_interval_final(internal) IS 'Final function of the aggregate cvm.sum_interval.';

CREATE AGGREGATE cvm.sum_interval(purchases cvm.model, spend cvm.model, history cvm.purchase_history, as_of timestamptz, annual_discount_rate float8) (
    SFUNC = cvm.sum_interval_accum, STYPE = internal, FINALFUNC = cvm.sum_interval_final, PARALLEL = SAFE);
COMMENT ON AGGREGATE cvm.sum_interval(cvm.model, cvm.model, cvm.purchase_history, timestamptz, float8) IS
'Residual value of a set of customers, unlimited in time, with its central 90 % interval: what they do by chance averages out in a large set, the error of the parameters, which they share, does not (delta method on the log parameters for the direction in which the set is moved, valued anew at its end; log-normal with a shift for what customers do: Johnson 1949). Models, as_of and rate (0.1 is 10 % a year) are the same in all rows; purchases only, no subscriptions. NULL histories are left out; NULL without rows. 22023 where something changes within the group, for models of other kinds and rates outside 0.000001 to 10; 22003 where a customer''s spend has no mean.';
CREATE AGGREGATE cvm.sum_interval(purchases cvm.model, spend cvm.model, history cvm.purchase_history, as_of timestamptz, annual_discount_rate float8,
    value_horizon interval, margin float8, level float8) (
    SFUNC = cvm.sum_interval_accum, STYPE = internal, FINALFUNC = cvm.sum_interval_final, PARALLEL = SAFE);
COMMENT ON AGGREGATE cvm.sum_interval(cvm.model, cvm.model, cvm.purchase_history, timestamptz, float8, interval, float8, float8) IS
'The same within a value_horizon (NULL: unlimited; a rate of 0 needs one), times a margin (above 0, at most 1), at another level (0.95: the 2.5 % and the 97.5 % quantile). 22023 outside these domains.';

CREATE FUNCTION cvm.valuation(portfolio text, OUT purchases cvm.model, OUT spend cvm.model, OUT as_of timestamptz,
    OUT annual_discount_rate float8, OUT value_horizon interval, OUT margin float8)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    own cvm.portfolio := cvm.own_portfolio(portfolio);
    has_covariates boolean;
BEGIN
    EXECUTE format('SELECT p.model, s.model, q.as_of, q.margin, p.covariates IS NOT NULL FROM %I.published q
                    LEFT JOIN cvm.fitted_model p ON p.model_id OPERATOR(pg_catalog.=) q.purchase_model_id
                    LEFT JOIN cvm.fitted_model s ON s.model_id OPERATOR(pg_catalog.=) q.spend_model_id', own.output_schema)
    INTO purchases, spend, as_of, margin, has_covariates;
    IF has_covariates THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = format('the model of portfolio "%s" has covariates', portfolio),
            DETAIL = 'Every customer has parameters of his own, and no one model values them all.',
            HINT = 'cvm.model_for(covariates, ...) of the model in cvm.fitted_model is that of a customer; set the option covariates to null and recompute to have one model.';
    END IF;
    annual_discount_rate := cvm.option_rate(own.options);
    value_horizon := cvm.option_interval(own.options, 'value_horizon', NULL);
END $$;
COMMENT ON FUNCTION cvm.valuation(text) IS
'What the published run of a portfolio was valued with, as arguments of cvm.sum_interval: the models, as_of and margin of the run, rate and horizon of the options. For members of the owner; models are NULL before the first run and where nobody bought. 42704 for an unknown portfolio, 0A000 where its model has covariates.';
