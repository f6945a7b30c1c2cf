-- assignment: who gets which arm of an experiment (src/metric/assign.c)
--
-- Nothing is stored and nothing is drawn: the names of the experiment and of the customer
-- decide, on every server, every version and in every program that computes the same hash.

CREATE FUNCTION cvm.assignment_point(experiment text, customer text) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_assignment_point';
COMMENT ON FUNCTION cvm.assignment_point(text, text) IS
'The point of a customer in an experiment, in [0, 1), as good as uniform and independent between experiments: the first 53 bits of SHA-256 (FIPS 180-4) of the experiment''s name, a zero byte and the customer in UTF-8, / 2^53. The same on every platform, version and encoding; cvm.assignment_point(''e'', customer) < 0.1 is a tenth of the customers, and stays one when the share is raised.';

CREATE FUNCTION cvm.assign(experiment text, customer text, arms text[]) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_assign';
COMMENT ON FUNCTION cvm.assign(text, text, text[]) IS
'The arm of a customer in an experiment with arms of equal shares: the first arm where cvm.assignment_point(experiment, customer) < the sum of the shares up to it. Deterministic: adding customers changes nobody''s arm; other arms, or another order of them, do. Independent between experiments with different names. Log who was shown what all the same: the assignment is a plan. 22023 for fewer than two arms or one given twice, 54000 for more than 100, 22004 for a NULL among them.';

CREATE FUNCTION cvm.assign(experiment text, customer text, arms text[], weights float8[]) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_assign';
COMMENT ON FUNCTION cvm.assign(text, text, text[], float8[]) IS
'The arm of a customer in an experiment with arms of unequal shares: weights (0 to 1e9, one an arm, not all 0) are divided by their sum. Errors as with equal shares.';

CREATE FUNCTION cvm.assignment_point(experiment text, customer bigint) RETURNS float8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN cvm.assignment_point(experiment, customer::text);
COMMENT ON FUNCTION cvm.assignment_point(text, bigint) IS 'The point of a customer whose identifier is a number: that of its decimal digits.';
CREATE FUNCTION cvm.assign(experiment text, customer bigint, arms text[]) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN cvm.assign(experiment, customer::text, arms);
COMMENT ON FUNCTION cvm.assign(text, bigint, text[]) IS 'The arm of a customer whose identifier is a number: that of its decimal digits.';
CREATE FUNCTION cvm.assign(experiment text, customer bigint, arms text[], weights float8[]) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN cvm.assign(experiment, customer::text, arms, weights);
COMMENT ON FUNCTION cvm.assign(text, bigint, text[], float8[]) IS 'The arm of a customer whose identifier is a number: that of its decimal digits.';
CREATE FUNCTION cvm.assignment_point(experiment text, customer uuid) RETURNS float8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN cvm.assignment_point(experiment, customer::text);
COMMENT ON FUNCTION cvm.assignment_point(text, uuid) IS 'The point of a customer whose identifier is a UUID: that of its text, lower case with hyphens.';
CREATE FUNCTION cvm.assign(experiment text, customer uuid, arms text[]) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN cvm.assign(experiment, customer::text, arms);
COMMENT ON FUNCTION cvm.assign(text, uuid, text[]) IS 'The arm of a customer whose identifier is a UUID: that of its text, lower case with hyphens.';
CREATE FUNCTION cvm.assign(experiment text, customer uuid, arms text[], weights float8[]) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN cvm.assign(experiment, customer::text, arms, weights);
COMMENT ON FUNCTION cvm.assign(text, uuid, text[], float8[]) IS 'The arm of a customer whose identifier is a UUID: that of its text, lower case with hyphens.';
