-- fit: rows -> model (src/fit.c)

CREATE FUNCTION cvm.fit_history_accum(internal, family text, history cvm.purchase_history, as_of timestamptz) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_history_accum';
COMMENT ON FUNCTION cvm.fit_history_accum(internal, text, cvm.purchase_history, timestamptz) IS 'Transition function of the aggregate cvm.fit.';
CREATE FUNCTION cvm.fit_history_accum(internal, family text, history cvm.purchase_history, as_of timestamptz, unit interval) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_history_accum';
COMMENT ON FUNCTION cvm.fit_history_accum(internal, text, cvm.purchase_history, timestamptz, interval) IS 'Transition function of the aggregate cvm.fit.';
CREATE FUNCTION cvm.fit_accum(internal, family text, x float8, t_x float8, age float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_accum';
COMMENT ON FUNCTION cvm.fit_accum(internal, text, float8, float8, float8) IS 'Transition function of the aggregate cvm.fit.';
CREATE FUNCTION cvm.fit_accum(internal, family text, x float8, t_x float8, age float8, weight float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_accum';
COMMENT ON FUNCTION cvm.fit_accum(internal, text, float8, float8, float8, float8) IS 'Transition function of the aggregate cvm.fit.';
CREATE FUNCTION cvm.fit_accum(internal, family text, x float8, t_x float8, age float8, weight float8, log_intervals float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_accum';
COMMENT ON FUNCTION cvm.fit_accum(internal, text, float8, float8, float8, float8, float8) IS 'Transition function of the aggregate cvm.fit.';
CREATE FUNCTION cvm.fit_spend_history_accum(internal, history cvm.purchase_history) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_spend_history_accum';
COMMENT ON FUNCTION cvm.fit_spend_history_accum(internal, cvm.purchase_history) IS 'Transition function of the aggregate cvm.fit_spend.';
CREATE FUNCTION cvm.fit_spend_accum(internal, x float8, mean_spend float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_spend_accum';
COMMENT ON FUNCTION cvm.fit_spend_accum(internal, float8, float8) IS 'Transition function of the aggregate cvm.fit_spend.';
CREATE FUNCTION cvm.fit_retention_accum(internal, family text, lifetime integer, churned boolean) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_retention_accum';
COMMENT ON FUNCTION cvm.fit_retention_accum(internal, text, integer, boolean) IS 'Transition function of the aggregate cvm.fit_retention.';
CREATE FUNCTION cvm.fit_retention_accum(internal, family text, lifetime integer, churned boolean, weight float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_retention_accum';
COMMENT ON FUNCTION cvm.fit_retention_accum(internal, text, integer, boolean, float8) IS 'Transition function of the aggregate cvm.fit_retention.';
CREATE FUNCTION cvm.fit_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_combine';
COMMENT ON FUNCTION cvm.fit_combine(internal, internal) IS 'Combine function of the aggregates cvm.fit, cvm.fit_spend and cvm.fit_retention.';
CREATE FUNCTION cvm.fit_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_serialize';
COMMENT ON FUNCTION cvm.fit_serialize(internal) IS 'Serialisation of the aggregates cvm.fit, cvm.fit_spend and cvm.fit_retention.';
CREATE FUNCTION cvm.fit_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_deserialize';
COMMENT ON FUNCTION cvm.fit_deserialize(bytea, internal) IS 'Deserialisation of the aggregates cvm.fit, cvm.fit_spend and cvm.fit_retention.';
CREATE FUNCTION cvm.fit_final(internal) RETURNS cvm.model
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_fit_final';
COMMENT ON FUNCTION cvm.fit_final(internal) IS 'Final function of the aggregates cvm.fit, cvm.fit_spend and cvm.fit_retention: the maximum of the likelihood.';

CREATE AGGREGATE cvm.fit(family text, history cvm.purchase_history, as_of timestamptz) (
    SFUNC = cvm.fit_history_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.fit_combine, SERIALFUNC = cvm.fit_serialize, DESERIALFUNC = cvm.fit_deserialize,
    FINALFUNC = cvm.fit_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.fit(text, cvm.purchase_history, timestamptz) IS
'Maximum-likelihood model of a group of purchase histories as of an instant, in weeks. For bg/bb the unit must be the period of the histories. Histories without purchases are skipped; a purchase after as_of is an error. Does not depend on the order of rows. NULL for no rows; 02000 where there is nothing to fit on; 22023 with the values of a row outside the domain. The rung of the result says whether the likelihood has its maximum inside (full), was weakly penalised (penalised), or the model is a lesser one (simpler, shrunk).';

CREATE AGGREGATE cvm.fit(family text, history cvm.purchase_history, as_of timestamptz, unit interval) (
    SFUNC = cvm.fit_history_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.fit_combine, SERIALFUNC = cvm.fit_serialize, DESERIALFUNC = cvm.fit_deserialize,
    FINALFUNC = cvm.fit_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.fit(text, cvm.purchase_history, timestamptz, interval) IS
'Maximum-likelihood model of a group of purchase histories as of an instant, in the given time unit (no months). For bg/bb the unit must be the period of the histories. Does not depend on the order of rows. NULL for no rows; 02000 where there is nothing to fit on; 22023 with the values of a row outside the domain. The rung of the result says whether the likelihood has its maximum inside (full), was weakly penalised (penalised), or the model is a lesser one (simpler, shrunk).';

CREATE AGGREGATE cvm.fit(family text, x float8, t_x float8, age float8) (
    SFUNC = cvm.fit_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.fit_combine, SERIALFUNC = cvm.fit_serialize, DESERIALFUNC = cvm.fit_deserialize,
    FINALFUNC = cvm.fit_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.fit(text, float8, float8, float8) IS
'Maximum-likelihood model of raw statistics: x repeat purchases, t_x first to last purchase, age first purchase to the end of observation, in weeks; of bg/bb in opportunities, whose length the model then does not know (no unit, so that it is refused on a history). 22023 for the cnbd-k families, which need log_intervals. Does not depend on the order of rows. NULL for no rows; 02000 where there is nothing to fit on; 22023 with the values of a row outside the domain. The rung of the result says whether the likelihood has its maximum inside (full), was weakly penalised (penalised), or the model is a lesser one (simpler, shrunk).';

CREATE AGGREGATE cvm.fit(family text, x float8, t_x float8, age float8, weight float8) (
    SFUNC = cvm.fit_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.fit_combine, SERIALFUNC = cvm.fit_serialize, DESERIALFUNC = cvm.fit_deserialize,
    FINALFUNC = cvm.fit_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.fit(text, float8, float8, float8, float8) IS
'The same with a weight: the number of customers with these statistics (>= 0; 0 is left out). 22023 for the cnbd-k families, which need log_intervals. Does not depend on the order of rows. NULL for no rows; 02000 where there is nothing to fit on; 22023 with the values of a row outside the domain. The rung of the result says whether the likelihood has its maximum inside (full), was weakly penalised (penalised), or the model is a lesser one (simpler, shrunk).';

CREATE AGGREGATE cvm.fit(family text, x float8, t_x float8, age float8, weight float8, log_intervals float8) (
    SFUNC = cvm.fit_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.fit_combine, SERIALFUNC = cvm.fit_serialize, DESERIALFUNC = cvm.fit_deserialize,
    FINALFUNC = cvm.fit_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.fit(text, float8, float8, float8, float8, float8) IS
'The same with the sum of the logarithms of interpurchase times (0 for x = 0), in the same unit, for the cnbd-k families; the others do not look at it. Does not depend on the order of rows. NULL for no rows; 02000 where there is nothing to fit on; 22023 with the values of a row outside the domain. The rung of the result says whether the likelihood has its maximum inside (full), was weakly penalised (penalised), or the model is a lesser one (simpler, shrunk).';

CREATE AGGREGATE cvm.fit_spend(history cvm.purchase_history) (
    SFUNC = cvm.fit_spend_history_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.fit_combine, SERIALFUNC = cvm.fit_serialize, DESERIALFUNC = cvm.fit_deserialize,
    FINALFUNC = cvm.fit_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.fit_spend(cvm.purchase_history) IS
'Gamma-Gamma spend model (Fader & Hardie 2013; Colombo & Jiang 1999) of a group of purchase histories, on the mean spend of repeat periods. Customers without a repeat or with a mean <= 0 are left out. Does not depend on the order of rows. NULL for no rows; 02000 where there is nothing to fit on; 22023 with the values of a row outside the domain. The rung of the result says whether the likelihood has its maximum inside (full), was weakly penalised (penalised), or the model is a lesser one (simpler, shrunk).';

CREATE AGGREGATE cvm.fit_spend(x float8, mean_spend float8) (
    SFUNC = cvm.fit_spend_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.fit_combine, SERIALFUNC = cvm.fit_serialize, DESERIALFUNC = cvm.fit_deserialize,
    FINALFUNC = cvm.fit_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.fit_spend(float8, float8) IS
'Gamma-Gamma spend model (Fader & Hardie 2013; Colombo & Jiang 1999) of raw statistics: x repeat purchases and their mean. Rows with x = 0 are left out; a mean <= 0 is an error. Does not depend on the order of rows. NULL for no rows; 02000 where there is nothing to fit on; 22023 with the values of a row outside the domain. The rung of the result says whether the likelihood has its maximum inside (full), was weakly penalised (penalised), or the model is a lesser one (simpler, shrunk).';

CREATE AGGREGATE cvm.fit_retention(family text, lifetime integer, churned boolean) (
    SFUNC = cvm.fit_retention_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.fit_combine, SERIALFUNC = cvm.fit_serialize, DESERIALFUNC = cvm.fit_deserialize,
    FINALFUNC = cvm.fit_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.fit_retention(text, integer, boolean) IS
'Maximum-likelihood model of contracts, family sbg (Fader & Hardie 2007) or bdw (Fader et al. 2018): a contract that churned ended at renewal number lifetime (1 is the first); any other has made lifetime renewals so far. Does not depend on the order of rows. NULL for no rows; 02000 where no contract has ended; 22023 with the values of a row outside the domain. The rung of the result says whether the likelihood has its maximum inside (full), was weakly penalised (penalised), or the model is a lesser one (simpler, shrunk).';

CREATE AGGREGATE cvm.fit_retention(family text, lifetime integer, churned boolean, weight float8) (
    SFUNC = cvm.fit_retention_accum, STYPE = internal, SSPACE = 65536,
    COMBINEFUNC = cvm.fit_combine, SERIALFUNC = cvm.fit_serialize, DESERIALFUNC = cvm.fit_deserialize,
    FINALFUNC = cvm.fit_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.fit_retention(text, integer, boolean, float8) IS
'The same with a weight: the number of contracts with this lifetime (>= 0). Does not depend on the order of rows. NULL for no rows; 02000 where no contract has ended; 22023 with the values of a row outside the domain. The rung of the result says whether the likelihood has its maximum inside (full), was weakly penalised (penalised), or the model is a lesser one (simpler, shrunk).';
