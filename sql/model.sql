-- model: a family with fitted parameters, as a value (src/types/model_type.c)

CREATE TYPE cvm.model;

CREATE FUNCTION cvm.model_in(cstring) RETURNS cvm.model
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_model_in';
CREATE FUNCTION cvm.model_out(cvm.model) RETURNS cstring
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_model_out';
CREATE FUNCTION cvm.model_recv(internal) RETURNS cvm.model
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_model_recv';
CREATE FUNCTION cvm.model_send(cvm.model) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_model_send';

CREATE TYPE cvm.model (
    INPUT = cvm.model_in,
    OUTPUT = cvm.model_out,
    RECEIVE = cvm.model_recv,
    SEND = cvm.model_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = double,
    STORAGE = extended,
    CATEGORY = 'c',
    PREFERRED = true
);

COMMENT ON TYPE cvm.model IS
'A fitted model: family, parameters and, where it comes from a fit, time unit, number of customers, log-likelihood, rung of the fit and covariance of the parameters. Text: bg/nbd(r=0.243,alpha=4.414,a=0.793,b=2.426), with unit= (seconds; unless given one week, and unknown for bg/bb, which counts opportunities), customers=, log_likelihood=, rung=, covariance=[] behind it; without loss.';
COMMENT ON FUNCTION cvm.model_in(cstring) IS 'Text input of cvm.model; 22P02 with what was expected where, 22003 for parameters that are not positive and finite, 22023 for an unknown family.';
COMMENT ON FUNCTION cvm.model_out(cvm.model) IS 'Text output of cvm.model, numbers in shortest exact form.';
COMMENT ON FUNCTION cvm.model_recv(internal) IS 'Binary input of cvm.model, with a version word.';
COMMENT ON FUNCTION cvm.model_send(cvm.model) IS 'Binary output of cvm.model, with a version word.';

-- accessors
CREATE FUNCTION cvm.family(model cvm.model) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_model_family_name';
COMMENT ON FUNCTION cvm.family(cvm.model) IS 'Name of the model''s family, such as bg/nbd; see the view cvm.families.';

CREATE FUNCTION cvm.parameters(model cvm.model) RETURNS jsonb
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_model_parameters';
COMMENT ON FUNCTION cvm.parameters(cvm.model) IS 'Parameters by the paper''s letters; alpha (and beta of pareto/nbd) in the model''s time unit, gamma of gamma-gamma in the currency of the amounts.';

CREATE FUNCTION cvm.standard_errors(model cvm.model) RETURNS jsonb
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_model_standard_errors';
COMMENT ON FUNCTION cvm.standard_errors(cvm.model) IS 'Standard errors of the parameters, from the inverse of the observed information by the delta method. NULL where the model has no covariance.';

CREATE FUNCTION cvm.covariance(model cvm.model) RETURNS jsonb
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_model_covariance';
COMMENT ON FUNCTION cvm.covariance(cvm.model) IS 'Covariance matrix of the parameters in their order, row by row. NULL where unknown: the model was written by hand, or the information is not positive definite.';

CREATE FUNCTION cvm.log_likelihood(model cvm.model) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_model_log_likelihood';
COMMENT ON FUNCTION cvm.log_likelihood(cvm.model) IS 'Log-likelihood at the parameters, summed over customers (natural logarithm, time in the model''s unit). NULL where unknown.';

CREATE FUNCTION cvm.customers(model cvm.model) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_model_customers';
COMMENT ON FUNCTION cvm.customers(cvm.model) IS 'Number of customers (sum of weights) the model was fitted on. NULL where unknown.';

CREATE FUNCTION cvm.unit(model cvm.model) RETURNS interval
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_model_unit';
COMMENT ON FUNCTION cvm.unit(cvm.model) IS 'Time unit of the parameters and of raw statistics. NULL for spend models, for retention models, which count renewals, and for bg/bb where it does not know how long an opportunity is.';

-- order and hash: bytewise

CREATE FUNCTION cvm.model_eq(cvm.model, cvm.model) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_model_eq';
COMMENT ON FUNCTION cvm.model_eq(cvm.model, cvm.model) IS 'Implements = of cvm.model.';
CREATE FUNCTION cvm.model_ne(cvm.model, cvm.model) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_model_ne';
COMMENT ON FUNCTION cvm.model_ne(cvm.model, cvm.model) IS 'Implements <> of cvm.model.';
CREATE FUNCTION cvm.model_lt(cvm.model, cvm.model) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_model_lt';
COMMENT ON FUNCTION cvm.model_lt(cvm.model, cvm.model) IS 'Implements < of cvm.model.';
CREATE FUNCTION cvm.model_le(cvm.model, cvm.model) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_model_le';
COMMENT ON FUNCTION cvm.model_le(cvm.model, cvm.model) IS 'Implements <= of cvm.model.';
CREATE FUNCTION cvm.model_gt(cvm.model, cvm.model) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_model_gt';
COMMENT ON FUNCTION cvm.model_gt(cvm.model, cvm.model) IS 'Implements > of cvm.model.';
CREATE FUNCTION cvm.model_ge(cvm.model, cvm.model) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_model_ge';
COMMENT ON FUNCTION cvm.model_ge(cvm.model, cvm.model) IS 'Implements >= of cvm.model.';

CREATE OPERATOR cvm.= (
    LEFTARG = cvm.model, RIGHTARG = cvm.model, FUNCTION = cvm.model_eq,
    COMMUTATOR = OPERATOR(cvm.=), NEGATOR = OPERATOR(cvm.<>), RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR cvm.= (cvm.model, cvm.model) IS 'equal: bytewise, so that equal models are equal.';
CREATE OPERATOR cvm.<> (
    LEFTARG = cvm.model, RIGHTARG = cvm.model, FUNCTION = cvm.model_ne,
    COMMUTATOR = OPERATOR(cvm.<>), NEGATOR = OPERATOR(cvm.=), RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
);
COMMENT ON OPERATOR cvm.<> (cvm.model, cvm.model) IS 'not equal: bytewise, so that equal models are equal.';
CREATE OPERATOR cvm.< (
    LEFTARG = cvm.model, RIGHTARG = cvm.model, FUNCTION = cvm.model_lt,
    COMMUTATOR = OPERATOR(cvm.>), NEGATOR = OPERATOR(cvm.>=), RESTRICT = pg_catalog.scalarltsel, JOIN = pg_catalog.scalarltjoinsel
);
COMMENT ON OPERATOR cvm.< (cvm.model, cvm.model) IS 'less: bytewise, so that equal models are equal.';
CREATE OPERATOR cvm.<= (
    LEFTARG = cvm.model, RIGHTARG = cvm.model, FUNCTION = cvm.model_le,
    COMMUTATOR = OPERATOR(cvm.>=), NEGATOR = OPERATOR(cvm.>), RESTRICT = pg_catalog.scalarlesel, JOIN = pg_catalog.scalarlejoinsel
);
COMMENT ON OPERATOR cvm.<= (cvm.model, cvm.model) IS 'less or equal: bytewise, so that equal models are equal.';
CREATE OPERATOR cvm.> (
    LEFTARG = cvm.model, RIGHTARG = cvm.model, FUNCTION = cvm.model_gt,
    COMMUTATOR = OPERATOR(cvm.<), NEGATOR = OPERATOR(cvm.<=), RESTRICT = pg_catalog.scalargtsel, JOIN = pg_catalog.scalargtjoinsel
);
COMMENT ON OPERATOR cvm.> (cvm.model, cvm.model) IS 'greater: bytewise, so that equal models are equal.';
CREATE OPERATOR cvm.>= (
    LEFTARG = cvm.model, RIGHTARG = cvm.model, FUNCTION = cvm.model_ge,
    COMMUTATOR = OPERATOR(cvm.<=), NEGATOR = OPERATOR(cvm.<), RESTRICT = pg_catalog.scalargesel, JOIN = pg_catalog.scalargejoinsel
);
COMMENT ON OPERATOR cvm.>= (cvm.model, cvm.model) IS 'greater or equal: bytewise, so that equal models are equal.';

CREATE FUNCTION cvm.model_cmp(cvm.model, cvm.model) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_model_cmp';
COMMENT ON FUNCTION cvm.model_cmp(cvm.model, cvm.model) IS 'Comparison of cvm.model for btree: -1, 0 or 1.';
CREATE FUNCTION cvm.model_hash(cvm.model) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_image_hash';
COMMENT ON FUNCTION cvm.model_hash(cvm.model) IS 'Hash of cvm.model.';
CREATE FUNCTION cvm.model_hash_extended(cvm.model, bigint) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_image_hash_extended';
COMMENT ON FUNCTION cvm.model_hash_extended(cvm.model, bigint) IS 'Seeded hash of cvm.model.';

CREATE OPERATOR CLASS cvm.model_ops DEFAULT FOR TYPE cvm.model USING btree AS
    OPERATOR 1 cvm.<, OPERATOR 2 cvm.<=, OPERATOR 3 cvm.=, OPERATOR 4 cvm.>=, OPERATOR 5 cvm.>,
    FUNCTION 1 cvm.model_cmp(cvm.model, cvm.model);
COMMENT ON OPERATOR CLASS cvm.model_ops USING btree IS 'Order of cvm.model: bytewise, so that equal models are equal.';
CREATE OPERATOR CLASS cvm.model_ops DEFAULT FOR TYPE cvm.model USING hash AS
    OPERATOR 1 cvm.=,
    FUNCTION 1 cvm.model_hash(cvm.model), FUNCTION 2 cvm.model_hash_extended(cvm.model, bigint);
COMMENT ON OPERATOR CLASS cvm.model_ops USING hash IS 'Hashing of cvm.model.';
COMMENT ON OPERATOR FAMILY cvm.model_ops USING btree IS 'Order of cvm.model: bytewise, so that equal models are equal.';
COMMENT ON OPERATOR FAMILY cvm.model_ops USING hash IS 'Hashing of cvm.model.';


-- the registry of families
CREATE FUNCTION cvm.list_families(OUT family text, OUT kind text, OUT parameters text[], OUT citation text) RETURNS SETOF record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_families_sql';
COMMENT ON FUNCTION cvm.list_families() IS 'The families of models this library has: see the view cvm.families.';

CREATE VIEW cvm.families WITH (security_invoker = true) AS SELECT family, kind, parameters, citation FROM cvm.list_families();
COMMENT ON VIEW cvm.families IS 'Families of models: what kind of data they describe, their parameters in the paper''s order, and the paper.';
COMMENT ON COLUMN cvm.families.family IS 'name, as used in cvm.fit and in the text form of cvm.model';
COMMENT ON COLUMN cvm.families.kind IS 'purchases, spend or retention';
COMMENT ON COLUMN cvm.families.parameters IS 'names of the parameters, all positive';
COMMENT ON COLUMN cvm.families.citation IS 'authors, year and journal';
GRANT SELECT ON cvm.families TO PUBLIC;

