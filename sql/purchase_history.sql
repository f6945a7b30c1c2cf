-- purchase_history: what the models need to know of one customer (src/types)

CREATE TYPE cvm.purchase_history;

CREATE FUNCTION cvm.purchase_history_in(cstring) RETURNS cvm.purchase_history
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_in';
CREATE FUNCTION cvm.purchase_history_out(cvm.purchase_history) RETURNS cstring
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_out';
CREATE FUNCTION cvm.purchase_history_recv(internal) RETURNS cvm.purchase_history
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_recv';
CREATE FUNCTION cvm.purchase_history_send(cvm.purchase_history) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_send';

CREATE TYPE cvm.purchase_history (
    INPUT = cvm.purchase_history_in,
    OUTPUT = cvm.purchase_history_out,
    RECEIVE = cvm.purchase_history_recv,
    SEND = cvm.purchase_history_send,
    INTERNALLENGTH = 88,
    ALIGNMENT = double,
    STORAGE = plain
);

COMMENT ON TYPE cvm.purchase_history IS
'Purchases of one customer as the models need them: first and last purchase, repeat purchase periods, exact sums of money. A purchase period is a period (default one day in the history''s time zone) with a row of amount >= 0; negative rows change money only. 88 bytes; made by the aggregate cvm.purchase_history(at, amount).';
COMMENT ON FUNCTION cvm.purchase_history_in(cstring) IS 'Text input of cvm.purchase_history; 22P02 with what is wrong.';
COMMENT ON FUNCTION cvm.purchase_history_out(cvm.purchase_history) IS 'Text output of cvm.purchase_history: every field, without loss, independent of the session''s settings.';
COMMENT ON FUNCTION cvm.purchase_history_recv(internal) IS 'Binary input of cvm.purchase_history, with a version word.';
COMMENT ON FUNCTION cvm.purchase_history_send(cvm.purchase_history) IS 'Binary output of cvm.purchase_history, with a version word.';

-- accessors

CREATE FUNCTION cvm.repeat_periods(history cvm.purchase_history) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_repeat_periods';
COMMENT ON FUNCTION cvm.repeat_periods(cvm.purchase_history) IS 'Number of purchase periods after the first: x of the papers. 0 for a single purchase period and for a history without purchases.';

CREATE FUNCTION cvm.span(history cvm.purchase_history) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_span_sql';
COMMENT ON FUNCTION cvm.span(cvm.purchase_history) IS 'First to last purchase period, in weeks: t_x of the papers; 0 if there is no repeat. NULL without purchases.';

CREATE FUNCTION cvm.span(history cvm.purchase_history, unit interval) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_span_sql';
COMMENT ON FUNCTION cvm.span(cvm.purchase_history, interval) IS 'First to last purchase period in the given unit (no months). NULL without purchases.';

CREATE FUNCTION cvm.age(history cvm.purchase_history, as_of timestamptz) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_age_sql';
COMMENT ON FUNCTION cvm.age(cvm.purchase_history, timestamptz) IS 'First purchase period to the period of as_of, in weeks: T of the papers. NULL without purchases; 22023 if as_of is before the last purchase.';

CREATE FUNCTION cvm.age(history cvm.purchase_history, as_of timestamptz, unit interval) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_age_sql';
COMMENT ON FUNCTION cvm.age(cvm.purchase_history, timestamptz, interval) IS 'First purchase period to the period of as_of in the given unit (no months). NULL without purchases; 22023 if as_of is before the last purchase.';

CREATE FUNCTION cvm.orders(history cvm.purchase_history) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_orders';
COMMENT ON FUNCTION cvm.orders(cvm.purchase_history) IS 'Number of rows with amount >= 0.';

CREATE FUNCTION cvm.mean_spend(history cvm.purchase_history) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_mean_spend_sql';
COMMENT ON FUNCTION cvm.mean_spend(cvm.purchase_history) IS 'Mean money per repeat period (all money after the first purchase period over repeat_periods), in the currency of the amounts. NULL without repeats; may be <= 0 after refunds.';

CREATE FUNCTION cvm.total_spend(history cvm.purchase_history) RETURNS numeric
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_total_spend';
COMMENT ON FUNCTION cvm.total_spend(cvm.purchase_history) IS 'Exact sum of all amounts, negative ones included.';

CREATE FUNCTION cvm.first_at(history cvm.purchase_history) RETURNS timestamptz
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_first_at';
COMMENT ON FUNCTION cvm.first_at(cvm.purchase_history) IS 'Instant of the first purchase. NULL without purchases.';

CREATE FUNCTION cvm.last_at(history cvm.purchase_history) RETURNS timestamptz
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_last_at';
COMMENT ON FUNCTION cvm.last_at(cvm.purchase_history) IS 'Instant of the last purchase. NULL without purchases.';

CREATE FUNCTION cvm.log_intervals(history cvm.purchase_history) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_log_intervals';
COMMENT ON FUNCTION cvm.log_intervals(cvm.purchase_history) IS 'Sum of the natural logarithms of the gaps between purchase periods, in periods (for Erlang interpurchase times: Platzer 2008).';

CREATE FUNCTION cvm.period(history cvm.purchase_history) RETURNS interval
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_period';
COMMENT ON FUNCTION cvm.period(cvm.purchase_history) IS 'Length of a period of this history.';

CREATE FUNCTION cvm.time_zone(history cvm.purchase_history) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_time_zone';
COMMENT ON FUNCTION cvm.time_zone(cvm.purchase_history) IS 'Time zone in which the periods of this history begin.';

-- merging

CREATE FUNCTION cvm.merge(a cvm.purchase_history, b cvm.purchase_history) RETURNS cvm.purchase_history
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_merge';
COMMENT ON FUNCTION cvm.merge(cvm.purchase_history, cvm.purchase_history) IS
'History of both: exact when one ends no later than the period in which the other begins (a period that both have counts once). A refund in the later one from before the first purchase of the earlier is counted as money of repeats; log_intervals is exact to rounding. 22023 where purchases overlap in time or periods differ: aggregate the rows again.';
CREATE OPERATOR cvm.+ (
    LEFTARG = cvm.purchase_history, RIGHTARG = cvm.purchase_history,
    FUNCTION = cvm.merge, COMMUTATOR = OPERATOR(cvm.+)
);
COMMENT ON OPERATOR cvm.+ (cvm.purchase_history, cvm.purchase_history) IS 'Merges two histories that do not overlap in time: see cvm.merge.';

-- order and hash: by first purchase, then bytewise

CREATE FUNCTION cvm.purchase_history_eq(cvm.purchase_history, cvm.purchase_history) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_eq';
COMMENT ON FUNCTION cvm.purchase_history_eq(cvm.purchase_history, cvm.purchase_history) IS 'Implements = of cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_ne(cvm.purchase_history, cvm.purchase_history) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_ne';
COMMENT ON FUNCTION cvm.purchase_history_ne(cvm.purchase_history, cvm.purchase_history) IS 'Implements <> of cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_lt(cvm.purchase_history, cvm.purchase_history) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_lt';
COMMENT ON FUNCTION cvm.purchase_history_lt(cvm.purchase_history, cvm.purchase_history) IS 'Implements < of cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_le(cvm.purchase_history, cvm.purchase_history) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_le';
COMMENT ON FUNCTION cvm.purchase_history_le(cvm.purchase_history, cvm.purchase_history) IS 'Implements <= of cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_gt(cvm.purchase_history, cvm.purchase_history) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_gt';
COMMENT ON FUNCTION cvm.purchase_history_gt(cvm.purchase_history, cvm.purchase_history) IS 'Implements > of cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_ge(cvm.purchase_history, cvm.purchase_history) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_ge';
COMMENT ON FUNCTION cvm.purchase_history_ge(cvm.purchase_history, cvm.purchase_history) IS 'Implements >= of cvm.purchase_history.';

CREATE OPERATOR cvm.= (
    LEFTARG = cvm.purchase_history, RIGHTARG = cvm.purchase_history, FUNCTION = cvm.purchase_history_eq,
    COMMUTATOR = OPERATOR(cvm.=), NEGATOR = OPERATOR(cvm.<>), RESTRICT = pg_catalog.eqsel, JOIN = pg_catalog.eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR cvm.= (cvm.purchase_history, cvm.purchase_history) IS 'equal: by first purchase, then by everything else.';
CREATE OPERATOR cvm.<> (
    LEFTARG = cvm.purchase_history, RIGHTARG = cvm.purchase_history, FUNCTION = cvm.purchase_history_ne,
    COMMUTATOR = OPERATOR(cvm.<>), NEGATOR = OPERATOR(cvm.=), RESTRICT = pg_catalog.neqsel, JOIN = pg_catalog.neqjoinsel
);
COMMENT ON OPERATOR cvm.<> (cvm.purchase_history, cvm.purchase_history) IS 'not equal: by first purchase, then by everything else.';
CREATE OPERATOR cvm.< (
    LEFTARG = cvm.purchase_history, RIGHTARG = cvm.purchase_history, FUNCTION = cvm.purchase_history_lt,
    COMMUTATOR = OPERATOR(cvm.>), NEGATOR = OPERATOR(cvm.>=), RESTRICT = pg_catalog.scalarltsel, JOIN = pg_catalog.scalarltjoinsel
);
COMMENT ON OPERATOR cvm.< (cvm.purchase_history, cvm.purchase_history) IS 'less: by first purchase, then by everything else.';
CREATE OPERATOR cvm.<= (
    LEFTARG = cvm.purchase_history, RIGHTARG = cvm.purchase_history, FUNCTION = cvm.purchase_history_le,
    COMMUTATOR = OPERATOR(cvm.>=), NEGATOR = OPERATOR(cvm.>), RESTRICT = pg_catalog.scalarlesel, JOIN = pg_catalog.scalarlejoinsel
);
COMMENT ON OPERATOR cvm.<= (cvm.purchase_history, cvm.purchase_history) IS 'less or equal: by first purchase, then by everything else.';
CREATE OPERATOR cvm.> (
    LEFTARG = cvm.purchase_history, RIGHTARG = cvm.purchase_history, FUNCTION = cvm.purchase_history_gt,
    COMMUTATOR = OPERATOR(cvm.<), NEGATOR = OPERATOR(cvm.<=), RESTRICT = pg_catalog.scalargtsel, JOIN = pg_catalog.scalargtjoinsel
);
COMMENT ON OPERATOR cvm.> (cvm.purchase_history, cvm.purchase_history) IS 'greater: by first purchase, then by everything else.';
CREATE OPERATOR cvm.>= (
    LEFTARG = cvm.purchase_history, RIGHTARG = cvm.purchase_history, FUNCTION = cvm.purchase_history_ge,
    COMMUTATOR = OPERATOR(cvm.<=), NEGATOR = OPERATOR(cvm.<), RESTRICT = pg_catalog.scalargesel, JOIN = pg_catalog.scalargejoinsel
);
COMMENT ON OPERATOR cvm.>= (cvm.purchase_history, cvm.purchase_history) IS 'greater or equal: by first purchase, then by everything else.';

CREATE FUNCTION cvm.purchase_history_cmp(cvm.purchase_history, cvm.purchase_history) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_cmp';
COMMENT ON FUNCTION cvm.purchase_history_cmp(cvm.purchase_history, cvm.purchase_history) IS 'Comparison of cvm.purchase_history for btree: -1, 0 or 1.';
CREATE FUNCTION cvm.purchase_history_hash(cvm.purchase_history) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_hash';
COMMENT ON FUNCTION cvm.purchase_history_hash(cvm.purchase_history) IS 'Hash of cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_hash_extended(cvm.purchase_history, bigint) RETURNS bigint
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_hash_extended';
COMMENT ON FUNCTION cvm.purchase_history_hash_extended(cvm.purchase_history, bigint) IS 'Seeded hash of cvm.purchase_history.';

CREATE OPERATOR CLASS cvm.purchase_history_ops DEFAULT FOR TYPE cvm.purchase_history USING btree AS
    OPERATOR 1 cvm.<, OPERATOR 2 cvm.<=, OPERATOR 3 cvm.=, OPERATOR 4 cvm.>=, OPERATOR 5 cvm.>,
    FUNCTION 1 cvm.purchase_history_cmp(cvm.purchase_history, cvm.purchase_history);
COMMENT ON OPERATOR CLASS cvm.purchase_history_ops USING btree IS 'Order of cvm.purchase_history: by first purchase, then by everything else.';
CREATE OPERATOR CLASS cvm.purchase_history_ops DEFAULT FOR TYPE cvm.purchase_history USING hash AS
    OPERATOR 1 cvm.=,
    FUNCTION 1 cvm.purchase_history_hash(cvm.purchase_history), FUNCTION 2 cvm.purchase_history_hash_extended(cvm.purchase_history, bigint);
COMMENT ON OPERATOR CLASS cvm.purchase_history_ops USING hash IS 'Hashing of cvm.purchase_history.';
COMMENT ON OPERATOR FAMILY cvm.purchase_history_ops USING btree IS 'Order of cvm.purchase_history: by first purchase, then by everything else.';
COMMENT ON OPERATOR FAMILY cvm.purchase_history_ops USING hash IS 'Hashing of cvm.purchase_history.';

-- aggregate

CREATE FUNCTION cvm.purchase_history_accum(internal, at timestamptz, amount numeric) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, timestamptz, numeric) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at timestamptz, amount numeric, period interval) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, timestamptz, numeric, interval) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at timestamptz, amount numeric, period interval, time_zone text) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, timestamptz, numeric, interval, text) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at timestamptz, amount float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, timestamptz, float8) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at timestamptz, amount bigint) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, timestamptz, bigint) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at timestamptz, amount float8, period interval) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, timestamptz, float8, interval) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at timestamptz, amount bigint, period interval) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, timestamptz, bigint, interval) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at timestamptz, amount float8, period interval, time_zone text) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, timestamptz, float8, interval, text) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at timestamptz, amount bigint, period interval, time_zone text) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, timestamptz, bigint, interval, text) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at timestamp, amount numeric) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, timestamp, numeric) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at timestamp, amount numeric, period interval) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, timestamp, numeric, interval) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at timestamp, amount numeric, period interval, time_zone text) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, timestamp, numeric, interval, text) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at timestamp, amount float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, timestamp, float8) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at timestamp, amount bigint) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, timestamp, bigint) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at timestamp, amount float8, period interval) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, timestamp, float8, interval) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at timestamp, amount bigint, period interval) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, timestamp, bigint, interval) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at timestamp, amount float8, period interval, time_zone text) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, timestamp, float8, interval, text) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at timestamp, amount bigint, period interval, time_zone text) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, timestamp, bigint, interval, text) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at date, amount numeric) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, date, numeric) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at date, amount numeric, period interval) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, date, numeric, interval) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at date, amount numeric, period interval, time_zone text) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, date, numeric, interval, text) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at date, amount float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, date, float8) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at date, amount bigint) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, date, bigint) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at date, amount float8, period interval) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, date, float8, interval) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at date, amount bigint, period interval) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, date, bigint, interval) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at date, amount float8, period interval, time_zone text) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, date, float8, interval, text) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_accum(internal, at date, amount bigint, period interval, time_zone text) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_accum';
COMMENT ON FUNCTION cvm.purchase_history_accum(internal, date, bigint, interval, text) IS 'Transition function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_combine(internal, internal) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_combine';
COMMENT ON FUNCTION cvm.purchase_history_combine(internal, internal) IS 'Combine function of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_serialize(internal) RETURNS bytea
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_serialize';
COMMENT ON FUNCTION cvm.purchase_history_serialize(internal) IS 'Serialisation of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_deserialize(bytea, internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_deserialize';
COMMENT ON FUNCTION cvm.purchase_history_deserialize(bytea, internal) IS 'Deserialisation of the aggregate cvm.purchase_history.';
CREATE FUNCTION cvm.purchase_history_final(internal) RETURNS cvm.purchase_history
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_history_final';
COMMENT ON FUNCTION cvm.purchase_history_final(internal) IS 'Final function of the aggregate cvm.purchase_history.';

CREATE AGGREGATE cvm.purchase_history(at timestamptz, amount numeric) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(timestamptz, numeric) IS
'Purchase history of a group of rows: periods of one day in UTC. Amounts are exact decimals of at most 18 significant digits. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at timestamptz, amount numeric, period interval) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(timestamptz, numeric, interval) IS
'Purchase history of a group of rows: periods of the given length (no months) in UTC. Amounts are exact decimals of at most 18 significant digits. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at timestamptz, amount numeric, period interval, time_zone text) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(timestamptz, numeric, interval, text) IS
'Purchase history of a group of rows: periods of the given length (no months) in the given time zone. Amounts are exact decimals of at most 18 significant digits. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at timestamptz, amount float8) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(timestamptz, float8) IS
'Purchase history of a group of rows: periods of one day in UTC. Amounts are floats, taken as their 15-digit decimals. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at timestamptz, amount bigint) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(timestamptz, bigint) IS
'Purchase history of a group of rows: periods of one day in UTC. Amounts are whole numbers of at most 18 digits. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at timestamptz, amount float8, period interval) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(timestamptz, float8, interval) IS
'Purchase history of a group of rows: periods of the given length (no months) in UTC. Amounts are floats, taken as their 15-digit decimals. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at timestamptz, amount bigint, period interval) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(timestamptz, bigint, interval) IS
'Purchase history of a group of rows: periods of the given length (no months) in UTC. Amounts are whole numbers of at most 18 digits. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at timestamptz, amount float8, period interval, time_zone text) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(timestamptz, float8, interval, text) IS
'Purchase history of a group of rows: periods of the given length (no months) in the given time zone. Amounts are floats, taken as their 15-digit decimals. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at timestamptz, amount bigint, period interval, time_zone text) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(timestamptz, bigint, interval, text) IS
'Purchase history of a group of rows: periods of the given length (no months) in the given time zone. Amounts are whole numbers of at most 18 digits. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at timestamp, amount numeric) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(timestamp, numeric) IS
'Purchase history of a group of rows: periods of one day in UTC. Times are local in the time zone. Amounts are exact decimals of at most 18 significant digits. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at timestamp, amount numeric, period interval) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(timestamp, numeric, interval) IS
'Purchase history of a group of rows: periods of the given length (no months) in UTC. Times are local in the time zone. Amounts are exact decimals of at most 18 significant digits. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at timestamp, amount numeric, period interval, time_zone text) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(timestamp, numeric, interval, text) IS
'Purchase history of a group of rows: periods of the given length (no months) in the given time zone. Times are local in the time zone. Amounts are exact decimals of at most 18 significant digits. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at timestamp, amount float8) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(timestamp, float8) IS
'Purchase history of a group of rows: periods of one day in UTC. Times are local in the time zone. Amounts are floats, taken as their 15-digit decimals. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at timestamp, amount bigint) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(timestamp, bigint) IS
'Purchase history of a group of rows: periods of one day in UTC. Times are local in the time zone. Amounts are whole numbers of at most 18 digits. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at timestamp, amount float8, period interval) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(timestamp, float8, interval) IS
'Purchase history of a group of rows: periods of the given length (no months) in UTC. Times are local in the time zone. Amounts are floats, taken as their 15-digit decimals. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at timestamp, amount bigint, period interval) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(timestamp, bigint, interval) IS
'Purchase history of a group of rows: periods of the given length (no months) in UTC. Times are local in the time zone. Amounts are whole numbers of at most 18 digits. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at timestamp, amount float8, period interval, time_zone text) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(timestamp, float8, interval, text) IS
'Purchase history of a group of rows: periods of the given length (no months) in the given time zone. Times are local in the time zone. Amounts are floats, taken as their 15-digit decimals. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at timestamp, amount bigint, period interval, time_zone text) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(timestamp, bigint, interval, text) IS
'Purchase history of a group of rows: periods of the given length (no months) in the given time zone. Times are local in the time zone. Amounts are whole numbers of at most 18 digits. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at date, amount numeric) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(date, numeric) IS
'Purchase history of a group of rows: periods of one day in UTC. A date is local midnight. Amounts are exact decimals of at most 18 significant digits. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at date, amount numeric, period interval) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(date, numeric, interval) IS
'Purchase history of a group of rows: periods of the given length (no months) in UTC. A date is local midnight. Amounts are exact decimals of at most 18 significant digits. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at date, amount numeric, period interval, time_zone text) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(date, numeric, interval, text) IS
'Purchase history of a group of rows: periods of the given length (no months) in the given time zone. A date is local midnight. Amounts are exact decimals of at most 18 significant digits. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at date, amount float8) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(date, float8) IS
'Purchase history of a group of rows: periods of one day in UTC. A date is local midnight. Amounts are floats, taken as their 15-digit decimals. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at date, amount bigint) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(date, bigint) IS
'Purchase history of a group of rows: periods of one day in UTC. A date is local midnight. Amounts are whole numbers of at most 18 digits. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at date, amount float8, period interval) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(date, float8, interval) IS
'Purchase history of a group of rows: periods of the given length (no months) in UTC. A date is local midnight. Amounts are floats, taken as their 15-digit decimals. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at date, amount bigint, period interval) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(date, bigint, interval) IS
'Purchase history of a group of rows: periods of the given length (no months) in UTC. A date is local midnight. Amounts are whole numbers of at most 18 digits. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at date, amount float8, period interval, time_zone text) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(date, float8, interval, text) IS
'Purchase history of a group of rows: periods of the given length (no months) in the given time zone. A date is local midnight. Amounts are floats, taken as their 15-digit decimals. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
CREATE AGGREGATE cvm.purchase_history(at date, amount bigint, period interval, time_zone text) (
    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_history_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.purchase_history(date, bigint, interval, text) IS
'Purchase history of a group of rows: periods of the given length (no months) in the given time zone. A date is local midnight. Amounts are whole numbers of at most 18 digits. Rows with both NULL are skipped, one NULL is error 22004, NaN and infinity are errors; NULL for no rows. Does not depend on the order of rows.';
