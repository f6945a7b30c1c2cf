-- rfm: recency, frequency and monetary scores of a customer (src/types/rfm.c)

CREATE TYPE cvm.rfm;

CREATE FUNCTION cvm.rfm_in(cstring) RETURNS cvm.rfm
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rfm_in';
CREATE FUNCTION cvm.rfm_out(cvm.rfm) RETURNS cstring
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rfm_out';
CREATE FUNCTION cvm.rfm_recv(internal) RETURNS cvm.rfm
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rfm_recv';
CREATE FUNCTION cvm.rfm_send(cvm.rfm) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rfm_send';

CREATE TYPE cvm.rfm (
    INPUT = cvm.rfm_in,
    OUTPUT = cvm.rfm_out,
    RECEIVE = cvm.rfm_recv,
    SEND = cvm.rfm_send,
    INTERNALLENGTH = 4,
    PASSEDBYVALUE,
    ALIGNMENT = int4,
    STORAGE = plain
);

COMMENT ON TYPE cvm.rfm IS
'An RFM cell: recency, frequency and monetary score, each 1 to 5 with 5 the best, as text 5-4-3.';
COMMENT ON FUNCTION cvm.rfm_in(cstring) IS 'Text input of cvm.rfm; 22P02 unless it is three scores of 1 to 5 with dashes.';
COMMENT ON FUNCTION cvm.rfm_out(cvm.rfm) IS 'Text output of cvm.rfm, such as 5-4-3.';
COMMENT ON FUNCTION cvm.rfm_recv(internal) IS 'Binary input of cvm.rfm: a version byte and three scores.';
COMMENT ON FUNCTION cvm.rfm_send(cvm.rfm) IS 'Binary output of cvm.rfm: a version byte and three scores.';

CREATE FUNCTION cvm.rfm(recency integer, frequency integer, monetary integer) RETURNS cvm.rfm
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rfm_make';
COMMENT ON FUNCTION cvm.rfm(integer, integer, integer) IS 'RFM cell of three scores of 1 to 5; 22003 outside.';

CREATE FUNCTION cvm.recency_score(cell cvm.rfm) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rfm_recency';
COMMENT ON FUNCTION cvm.recency_score(cvm.rfm) IS 'Recency score, 1 to 5; 5 for the fewest days since the last purchase.';

CREATE FUNCTION cvm.frequency_score(cell cvm.rfm) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rfm_frequency';
COMMENT ON FUNCTION cvm.frequency_score(cvm.rfm) IS 'Frequency score, 1 to 5; 5 for the most purchases.';

CREATE FUNCTION cvm.monetary_score(cell cvm.rfm) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rfm_monetary';
COMMENT ON FUNCTION cvm.monetary_score(cvm.rfm) IS 'Monetary score, 1 to 5; 5 for the most money.';

CREATE FUNCTION cvm.rfm_score(rank bigint, n bigint, bins integer DEFAULT 5) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rfm_score';
COMMENT ON FUNCTION cvm.rfm_score(bigint, bigint, integer) IS
'Tie-safe score floor(bins (rank - 1) / n) + 1 of a value of rank rank() among n, so that equal values score equal (ntile() splits ties). Example: cvm.rfm_score(rank() OVER (ORDER BY total), count(*) OVER ()). 22003 unless 1 <= rank <= n and bins >= 1.';

-- order and hash: by recency, frequency, monetary

CREATE FUNCTION cvm.rfm_eq(cvm.rfm, cvm.rfm) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rfm_eq';
COMMENT ON FUNCTION cvm.rfm_eq(cvm.rfm, cvm.rfm) IS 'Implements = of cvm.rfm.';
CREATE FUNCTION cvm.rfm_ne(cvm.rfm, cvm.rfm) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rfm_ne';
COMMENT ON FUNCTION cvm.rfm_ne(cvm.rfm, cvm.rfm) IS 'Implements <> of cvm.rfm.';
CREATE FUNCTION cvm.rfm_lt(cvm.rfm, cvm.rfm) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rfm_lt';
COMMENT ON FUNCTION cvm.rfm_lt(cvm.rfm, cvm.rfm) IS 'Implements < of cvm.rfm.';
CREATE FUNCTION cvm.rfm_le(cvm.rfm, cvm.rfm) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rfm_le';
COMMENT ON FUNCTION cvm.rfm_le(cvm.rfm, cvm.rfm) IS 'Implements <= of cvm.rfm.';
CREATE FUNCTION cvm.rfm_gt(cvm.rfm, cvm.rfm) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rfm_gt';
COMMENT ON FUNCTION cvm.rfm_gt(cvm.rfm, cvm.rfm) IS 'Implements > of cvm.rfm.';
CREATE FUNCTION cvm.rfm_ge(cvm.rfm, cvm.rfm) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rfm_ge';
COMMENT ON FUNCTION cvm.rfm_ge(cvm.rfm, cvm.rfm) IS 'Implements >= of cvm.rfm.';

CREATE OPERATOR cvm.= (
    LEFTARG = cvm.rfm, RIGHTARG = cvm.rfm, FUNCTION = cvm.rfm_eq,
    COMMUTATOR = OPERATOR(cvm.=), NEGATOR = OPERATOR(cvm.<>), RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR cvm.= (cvm.rfm, cvm.rfm) IS 'equal: by recency, then frequency, then monetary score.';
CREATE OPERATOR cvm.<> (
    LEFTARG = cvm.rfm, RIGHTARG = cvm.rfm, FUNCTION = cvm.rfm_ne,
    COMMUTATOR = OPERATOR(cvm.<>), NEGATOR = OPERATOR(cvm.=), RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
);
COMMENT ON OPERATOR cvm.<> (cvm.rfm, cvm.rfm) IS 'not equal: by recency, then frequency, then monetary score.';
CREATE OPERATOR cvm.< (
    LEFTARG = cvm.rfm, RIGHTARG = cvm.rfm, FUNCTION = cvm.rfm_lt,
    COMMUTATOR = OPERATOR(cvm.>), NEGATOR = OPERATOR(cvm.>=), RESTRICT = pg_catalog.scalarltsel, JOIN = pg_catalog.scalarltjoinsel
);
COMMENT ON OPERATOR cvm.< (cvm.rfm, cvm.rfm) IS 'less: by recency, then frequency, then monetary score.';
CREATE OPERATOR cvm.<= (
    LEFTARG = cvm.rfm, RIGHTARG = cvm.rfm, FUNCTION = cvm.rfm_le,
    COMMUTATOR = OPERATOR(cvm.>=), NEGATOR = OPERATOR(cvm.>), RESTRICT = pg_catalog.scalarlesel, JOIN = pg_catalog.scalarlejoinsel
);
COMMENT ON OPERATOR cvm.<= (cvm.rfm, cvm.rfm) IS 'less or equal: by recency, then frequency, then monetary score.';
CREATE OPERATOR cvm.> (
    LEFTARG = cvm.rfm, RIGHTARG = cvm.rfm, FUNCTION = cvm.rfm_gt,
    COMMUTATOR = OPERATOR(cvm.<), NEGATOR = OPERATOR(cvm.<=), RESTRICT = pg_catalog.scalargtsel, JOIN = pg_catalog.scalargtjoinsel
);
COMMENT ON OPERATOR cvm.> (cvm.rfm, cvm.rfm) IS 'greater: by recency, then frequency, then monetary score.';
CREATE OPERATOR cvm.>= (
    LEFTARG = cvm.rfm, RIGHTARG = cvm.rfm, FUNCTION = cvm.rfm_ge,
    COMMUTATOR = OPERATOR(cvm.<=), NEGATOR = OPERATOR(cvm.<), RESTRICT = pg_catalog.scalargesel, JOIN = pg_catalog.scalargejoinsel
);
COMMENT ON OPERATOR cvm.>= (cvm.rfm, cvm.rfm) IS 'greater or equal: by recency, then frequency, then monetary score.';

CREATE FUNCTION cvm.rfm_cmp(cvm.rfm, cvm.rfm) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rfm_cmp';
COMMENT ON FUNCTION cvm.rfm_cmp(cvm.rfm, cvm.rfm) IS 'Comparison of cvm.rfm for btree: -1, 0 or 1.';
CREATE FUNCTION cvm.rfm_hash(cvm.rfm) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rfm_hash';
COMMENT ON FUNCTION cvm.rfm_hash(cvm.rfm) IS 'Hash of cvm.rfm.';
CREATE FUNCTION cvm.rfm_hash_extended(cvm.rfm, bigint) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_rfm_hash_extended';
COMMENT ON FUNCTION cvm.rfm_hash_extended(cvm.rfm, bigint) IS 'Seeded hash of cvm.rfm.';

CREATE OPERATOR CLASS cvm.rfm_ops DEFAULT FOR TYPE cvm.rfm USING btree AS
    OPERATOR 1 cvm.<, OPERATOR 2 cvm.<=, OPERATOR 3 cvm.=, OPERATOR 4 cvm.>=, OPERATOR 5 cvm.>,
    FUNCTION 1 cvm.rfm_cmp(cvm.rfm, cvm.rfm);
COMMENT ON OPERATOR CLASS cvm.rfm_ops USING btree IS 'Order of cvm.rfm: by recency, then frequency, then monetary score.';
CREATE OPERATOR CLASS cvm.rfm_ops DEFAULT FOR TYPE cvm.rfm USING hash AS
    OPERATOR 1 cvm.=,
    FUNCTION 1 cvm.rfm_hash(cvm.rfm), FUNCTION 2 cvm.rfm_hash_extended(cvm.rfm, bigint);
COMMENT ON OPERATOR CLASS cvm.rfm_ops USING hash IS 'Hashing of cvm.rfm.';
COMMENT ON OPERATOR FAMILY cvm.rfm_ops USING btree IS 'Order of cvm.rfm: by recency, then frequency, then monetary score.';
COMMENT ON OPERATOR FAMILY cvm.rfm_ops USING hash IS 'Hashing of cvm.rfm.';

