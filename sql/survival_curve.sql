-- survival_curve: how long customers stay, from durations and churn (src/types/survival_curve.c, survival.c)

CREATE TYPE cvm.survival_curve;

CREATE FUNCTION cvm.survival_curve_in(cstring) RETURNS cvm.survival_curve
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_survival_curve_in';
CREATE FUNCTION cvm.survival_curve_out(cvm.survival_curve) RETURNS cstring
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_survival_curve_out';
CREATE FUNCTION cvm.survival_curve_recv(internal) RETURNS cvm.survival_curve
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_survival_curve_recv';
CREATE FUNCTION cvm.survival_curve_send(cvm.survival_curve) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_survival_curve_send';

-- shares its category with cvm.model, so that a literal without a type means the model in
-- the functions that both have (cvm.survival, cvm.customers)
CREATE TYPE cvm.survival_curve (
    INPUT = cvm.survival_curve_in,
    OUTPUT = cvm.survival_curve_out,
    RECEIVE = cvm.survival_curve_recv,
    SEND = cvm.survival_curve_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = double,
    STORAGE = extended,
    CATEGORY = 'c'
);

COMMENT ON TYPE cvm.survival_curve IS
'A Kaplan-Meier survival curve as the counts it is estimated from: for every distinct duration how many customers churned then and how many were last seen then. Text: {6:3+1,7:1+0}: at duration 6, 3 churned and 1 was last seen, at 7 one churned; without loss. Durations are in whatever unit they were given in.';
COMMENT ON FUNCTION cvm.survival_curve_in(cstring) IS 'Text input of cvm.survival_curve; 22P02 with what was expected where, 22003 unless durations ascend, are finite and not negative, and counts are not negative.';
COMMENT ON FUNCTION cvm.survival_curve_out(cvm.survival_curve) IS 'Text output of cvm.survival_curve, durations in shortest exact form.';
COMMENT ON FUNCTION cvm.survival_curve_recv(internal) IS 'Binary input of cvm.survival_curve, with a version word.';
COMMENT ON FUNCTION cvm.survival_curve_send(cvm.survival_curve) IS 'Binary output of cvm.survival_curve, with a version word.';

CREATE FUNCTION cvm.survival_curve_accum(internal, duration float8, churned boolean) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_survival_curve_accum';
COMMENT ON FUNCTION cvm.survival_curve_accum(internal, float8, boolean) IS 'Transition function of the aggregate cvm.survival_curve.';
CREATE FUNCTION cvm.survival_curve_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_survival_curve_combine';
COMMENT ON FUNCTION cvm.survival_curve_combine(internal, internal) IS 'Combine function of the aggregate cvm.survival_curve.';
CREATE FUNCTION cvm.survival_curve_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_survival_curve_serialize';
COMMENT ON FUNCTION cvm.survival_curve_serialize(internal) IS 'Serialisation of the aggregate cvm.survival_curve.';
CREATE FUNCTION cvm.survival_curve_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_survival_curve_deserialize';
COMMENT ON FUNCTION cvm.survival_curve_deserialize(bytea, internal) IS 'Deserialisation of the aggregate cvm.survival_curve.';
CREATE FUNCTION cvm.survival_curve_final(internal) RETURNS cvm.survival_curve
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_survival_curve_final';
COMMENT ON FUNCTION cvm.survival_curve_final(internal) IS 'Final function of the aggregate cvm.survival_curve.';

CREATE AGGREGATE cvm.survival_curve(duration float8, churned boolean) (
    SFUNC = cvm.survival_curve_accum, STYPE = internal, SSPACE = 8192,
    COMBINEFUNC = cvm.survival_curve_combine, SERIALFUNC = cvm.survival_curve_serialize, DESERIALFUNC = cvm.survival_curve_deserialize,
    FINALFUNC = cvm.survival_curve_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.survival_curve(float8, boolean) IS
'Survival curve of customers (Kaplan & Meier 1958): duration until they churned or, with churned = false, were last seen still there (censored), in any unit, >= 0. Does not depend on the order of rows. Rows with both NULL are skipped; NULL for no rows; 22004 if one is NULL; 22003 for a negative or infinite duration.';

CREATE FUNCTION cvm.survival(curve cvm.survival_curve, t float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_curve_survival';
COMMENT ON FUNCTION cvm.survival(cvm.survival_curve, float8) IS 'Kaplan-Meier estimate of the probability to stay longer than t (Kaplan & Meier 1958), 0 to 1: the product of 1 - churned / at risk over durations up to t. NULL beyond the longest duration unless all have churned by then: nobody knows. 22023 for a negative t.';

CREATE FUNCTION cvm.survival_error(curve cvm.survival_curve, t float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_curve_survival_error';
COMMENT ON FUNCTION cvm.survival_error(cvm.survival_curve, float8) IS 'Standard error of cvm.survival(curve, t) by Greenwood''s formula (1926). NULL also where nobody is left, where it is undefined. NULL beyond the longest duration unless all have churned by then: nobody knows. 22023 for a negative t.';

CREATE FUNCTION cvm.survival_interval(curve cvm.survival_curve, t float8, confidence float8 DEFAULT 0.95, method text DEFAULT 'log-log', OUT low float8, OUT high float8) RETURNS record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_curve_interval';
COMMENT ON FUNCTION cvm.survival_interval(cvm.survival_curve, float8, float8, text) IS 'Confidence interval of cvm.survival(curve, t) at this t: log-log (Kalbfleisch & Prentice 1980), which stays inside 0 and 1, or plain: estimate -+ z standard errors, cut at 0 and 1. Before the first churn it is 1 to 1. NULL also where nobody is left. NULL beyond the longest duration unless all have churned by then: nobody knows. 22023 for a negative t, a confidence outside (0, 1) or an unknown method.';

CREATE FUNCTION cvm.cumulative_hazard(curve cvm.survival_curve, t float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_curve_hazard';
COMMENT ON FUNCTION cvm.cumulative_hazard(cvm.survival_curve, float8) IS 'Nelson-Aalen estimate of the cumulative churn hazard up to t (Nelson 1972; Aalen 1978): the sum of churned / at risk. NULL beyond the longest duration unless all have churned by then: nobody knows. 22023 for a negative t.';

CREATE FUNCTION cvm.cumulative_hazard_error(curve cvm.survival_curve, t float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_curve_hazard_error';
COMMENT ON FUNCTION cvm.cumulative_hazard_error(cvm.survival_curve, float8) IS 'Standard error of cvm.cumulative_hazard(curve, t): the square root of the sum of churned / at risk^2 (Aalen 1978). NULL beyond the longest duration unless all have churned by then: nobody knows. 22023 for a negative t.';

CREATE FUNCTION cvm.median(curve cvm.survival_curve) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_curve_quantile';
COMMENT ON FUNCTION cvm.median(cvm.survival_curve) IS 'The first duration by which half of the customers have churned: where survival is 1/2 or less. NULL if it never is.';

CREATE FUNCTION cvm.quantile(curve cvm.survival_curve, share float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_curve_quantile';
COMMENT ON FUNCTION cvm.quantile(cvm.survival_curve, float8) IS 'The first duration by which this share of the customers (between 0 and 1) has churned. NULL if it never has; 22023 outside (0, 1).';

CREATE FUNCTION cvm.restricted_mean(curve cvm.survival_curve) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_curve_restricted_mean';
COMMENT ON FUNCTION cvm.restricted_mean(cvm.survival_curve) IS 'Mean duration within the longest one observed: the area under the survival curve, in the unit of the durations.';

CREATE FUNCTION cvm.restricted_mean(curve cvm.survival_curve, t float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_curve_restricted_mean';
COMMENT ON FUNCTION cvm.restricted_mean(cvm.survival_curve, float8) IS 'Mean duration within t: the area under the survival curve up to t, in the unit of the durations. NULL beyond the longest duration unless all have churned by then: nobody knows. 22023 for a negative t.';

CREATE FUNCTION cvm.restricted_mean_error(curve cvm.survival_curve, t float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_curve_restricted_mean_error';
COMMENT ON FUNCTION cvm.restricted_mean_error(cvm.survival_curve, float8) IS 'Standard error of cvm.restricted_mean(curve, t) (Klein & Moeschberger 2003, section 4.5). NULL beyond the longest duration unless all have churned by then: nobody knows. 22023 for a negative t.';

CREATE FUNCTION cvm.customers(curve cvm.survival_curve) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_curve_customers';
COMMENT ON FUNCTION cvm.customers(cvm.survival_curve) IS 'Number of customers a survival curve is estimated from.';

CREATE FUNCTION cvm.churned(curve cvm.survival_curve) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_curve_churned';
COMMENT ON FUNCTION cvm.churned(cvm.survival_curve) IS 'Number of customers of a survival curve that were seen to churn; the others are censored.';

CREATE FUNCTION cvm.survival_table(
    curve cvm.survival_curve, confidence float8 DEFAULT 0.95,
    OUT duration float8, OUT at_risk bigint, OUT churned bigint, OUT censored bigint, OUT survival float8,
    OUT standard_error float8, OUT low float8, OUT high float8, OUT cumulative_hazard float8
) RETURNS SETOF record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_curve_table';
COMMENT ON FUNCTION cvm.survival_table(cvm.survival_curve, float8) IS
'The whole curve, one row per duration in ascending order: customers at risk just before it, churned and last seen at it, survival beyond it with Greenwood''s standard error and the log-log interval (NULL where nobody is left), and the Nelson-Aalen cumulative hazard. 22023 for a confidence outside (0, 1).';

-- sum, equality and hash

CREATE FUNCTION cvm.survival_curve_add(cvm.survival_curve, cvm.survival_curve) RETURNS cvm.survival_curve
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_survival_curve_add';
COMMENT ON FUNCTION cvm.survival_curve_add(cvm.survival_curve, cvm.survival_curve) IS 'Implements + of cvm.survival_curve.';
CREATE FUNCTION cvm.survival_curve_eq(cvm.survival_curve, cvm.survival_curve) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_image_eq';
COMMENT ON FUNCTION cvm.survival_curve_eq(cvm.survival_curve, cvm.survival_curve) IS 'Implements = of cvm.survival_curve.';
CREATE FUNCTION cvm.survival_curve_ne(cvm.survival_curve, cvm.survival_curve) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_image_ne';
COMMENT ON FUNCTION cvm.survival_curve_ne(cvm.survival_curve, cvm.survival_curve) IS 'Implements <> of cvm.survival_curve.';

CREATE OPERATOR cvm.+ (
    LEFTARG = cvm.survival_curve, RIGHTARG = cvm.survival_curve, FUNCTION = cvm.survival_curve_add,
    COMMUTATOR = OPERATOR(cvm.+)
);
COMMENT ON OPERATOR cvm.+ (cvm.survival_curve, cvm.survival_curve) IS 'curve of the customers of both, who must not be the same ones; exact. 22003 for more than a bigint of customers.';
CREATE OPERATOR cvm.= (
    LEFTARG = cvm.survival_curve, RIGHTARG = cvm.survival_curve, FUNCTION = cvm.survival_curve_eq,
    COMMUTATOR = OPERATOR(cvm.=), NEGATOR = OPERATOR(cvm.<>), RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel, HASHES
);
COMMENT ON OPERATOR cvm.= (cvm.survival_curve, cvm.survival_curve) IS 'equal: the same counts at the same durations.';
CREATE OPERATOR cvm.<> (
    LEFTARG = cvm.survival_curve, RIGHTARG = cvm.survival_curve, FUNCTION = cvm.survival_curve_ne,
    COMMUTATOR = OPERATOR(cvm.<>), NEGATOR = OPERATOR(cvm.=), RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
);
COMMENT ON OPERATOR cvm.<> (cvm.survival_curve, cvm.survival_curve) IS 'not equal: some count differs at some duration.';

CREATE FUNCTION cvm.survival_curve_hash(cvm.survival_curve) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_image_hash';
COMMENT ON FUNCTION cvm.survival_curve_hash(cvm.survival_curve) IS 'Hash of cvm.survival_curve.';
CREATE FUNCTION cvm.survival_curve_hash_extended(cvm.survival_curve, bigint) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_image_hash_extended';
COMMENT ON FUNCTION cvm.survival_curve_hash_extended(cvm.survival_curve, bigint) IS 'Seeded hash of cvm.survival_curve.';

CREATE OPERATOR CLASS cvm.survival_curve_ops DEFAULT FOR TYPE cvm.survival_curve USING hash AS
    OPERATOR 1 cvm.=,
    FUNCTION 1 cvm.survival_curve_hash(cvm.survival_curve), FUNCTION 2 cvm.survival_curve_hash_extended(cvm.survival_curve, bigint);
COMMENT ON OPERATOR CLASS cvm.survival_curve_ops USING hash IS 'Hashing of cvm.survival_curve; curves have no order.';

COMMENT ON OPERATOR FAMILY cvm.survival_curve_ops USING hash IS 'Hashing of cvm.survival_curve; curves have no order.';
