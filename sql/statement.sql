-- statement: equity between two dates, a customer's value explained, and values as they were published (src/recompute/statement.c, doc/equity.md)

-- ---------- between any two dates ----------

CREATE FUNCTION cvm.equity_statement(portfolio text, from_as_of timestamptz, to_as_of timestamptz)
RETURNS TABLE (segment text, is_total boolean, opening numeric, late_or_corrected numeric, erased numeric, merged numeric, unwinding numeric, purchases_expected numeric, purchases_beyond numeric, silence numeric,
    refunds numeric, new_customers numeric, assumptions numeric, model_change numeric, moved_in numeric, moved_out numeric, closing numeric)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s text := (cvm.own_portfolio(portfolio)).output_schema;
    first_run bigint;
    last_run bigint;
    wanted timestamptz;
    known text;
BEGIN
    IF from_as_of IS NULL OR to_as_of IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'from_as_of and to_as_of must not be null';
    ELSIF NOT from_as_of < to_as_of THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('a statement can not be from %s to %s', from_as_of, to_as_of),
            HINT = 'It leads from an earlier date to a later one.';
    END IF;
    EXECUTE format('SELECT max(r.run_id) FILTER (WHERE r.as_of = $1), max(r.run_id) FILTER (WHERE r.as_of = $2) FROM (
        SELECT e.run_id, e.to_as_of AS as_of FROM %1$I.equity_statement e WHERE e.is_total UNION SELECT e.prior_run_id, e.from_as_of FROM %1$I.equity_statement e WHERE e.is_total) r', s)
        INTO first_run, last_run USING from_as_of, to_as_of;
    wanted := CASE WHEN first_run IS NULL THEN from_as_of WHEN last_run IS NULL THEN to_as_of END;
    IF wanted IS NOT NULL THEN
        EXECUTE format('SELECT string_agg(n.as_of::text, '', '' ORDER BY n.as_of) FROM (
            SELECT r.as_of FROM (SELECT e.to_as_of AS as_of FROM %1$I.equity_statement e WHERE e.is_total UNION SELECT e.from_as_of FROM %1$I.equity_statement e WHERE e.is_total) r
            ORDER BY abs(extract(epoch FROM r.as_of) - extract(epoch FROM $1)), r.as_of DESC LIMIT 3) n', s) INTO known USING wanted;
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('portfolio "%s" has no statement from or to %s', portfolio, wanted),
            HINT = coalesce(format('The nearest dates are %s.', known), 'Statements are made from the second recompute on.');
    END IF;
    EXECUTE format('WITH RECURSIVE chain AS (
        SELECT e.run_id, e.prior_run_id FROM %1$I.equity_statement e WHERE e.is_total AND e.run_id = $1
        UNION ALL SELECT e.run_id, e.prior_run_id FROM chain c JOIN %1$I.equity_statement e ON e.is_total AND e.run_id = c.prior_run_id WHERE c.prior_run_id > $2)
        SELECT min(c.prior_run_id)::text FROM chain c', s) INTO known USING last_run, first_run;
    IF known IS DISTINCT FROM first_run::text THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('no chain of statements leads from %s to %s', from_as_of, to_as_of),
            DETAIL = 'Between them the option equity_statement was off, or a recompute went back in time.';
    END IF;
    RETURN QUERY EXECUTE format('
        SELECT e.segment, e.is_total, coalesce(sum(e.opening) FILTER (WHERE e.prior_run_id = $1), 0), sum(e.late_or_corrected), sum(e.erased), sum(e.merged), sum(e.unwinding), sum(e.purchases_expected),
               sum(e.purchases_beyond), sum(e.silence), sum(e.refunds), sum(e.new_customers), sum(e.assumptions), sum(e.model_change), sum(e.moved_in), sum(e.moved_out),
               coalesce(sum(e.closing) FILTER (WHERE e.run_id = $2), 0)
        FROM %I.equity_statement e WHERE e.run_id > $1 AND e.run_id <= $2 GROUP BY 1, 2 ORDER BY 2 DESC, 1', s) USING first_run, last_run;
END $$;
COMMENT ON FUNCTION cvm.equity_statement(text, timestamptz, timestamptz) IS
'Equity statement of a portfolio between two dates that were computed, by segment and in all: the statements of the runs between them added up, column by column; closing = opening + the columns between, to the cent. See the table equity_statement for the columns. 22023 for dates that were never computed (the hint has the nearest) or in the wrong order, 55000 where no chain of statements leads from one to the other, 22004 null, 42704 unknown portfolio, 42501 not permitted.';

-- ---------- one customer ----------

-- Cents that add up to the whole: rounded down, and the largest remainders get what is missing (Hamilton 1792).
CREATE FUNCTION cvm.round_to_total(parts float8[], total numeric) RETURNS numeric[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    WITH part AS (SELECT u.n, u.part, floor(u.part::numeric * 100) AS down FROM unnest(parts) WITH ORDINALITY AS u(part, n)),
    ranked AS (SELECT p.n, p.down, row_number() OVER (ORDER BY p.part = 0, p.part::numeric * 100 - p.down DESC, p.n) AS place, (total * 100 - sum(p.down) OVER ())::bigint AS missing, count(*) OVER () AS of FROM part p)
    SELECT array_agg(round((r.down + div(r.missing, r.of) + CASE WHEN r.place <= mod(r.missing, r.of) THEN 1 ELSE 0 END) / 100, 2) ORDER BY r.n) FROM ranked r);
COMMENT ON FUNCTION cvm.round_to_total(float8[], numeric) IS 'Numbers rounded to cents so that they add up to a total of whole cents: each is rounded down, and those with the largest remainders get a cent more.';

CREATE FUNCTION cvm.explain(portfolio text, customer text) RETURNS TABLE ("position" integer, part text, amount numeric, note text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present cvm.portfolio := cvm.own_portfolio(portfolio);
    s text := present.output_schema;
    v record;
    opening numeric;
    closing numeric;
    earlier text;
BEGIN
    IF customer IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'customer must not be null';
    END IF;
    EXECUTE format('SELECT c.*, p.margin, p.as_of AS computed, q.changes, q.since, (SELECT min(e.from_as_of) FROM %1$I.equity_statement e WHERE e.run_id = p.run_id) AS from_as_of
        FROM %1$I.customer_value c CROSS JOIN %1$I.published p JOIN %1$I.score q ON q.run_id = p.run_id AND q.%2$s WHERE c.%2$s', s, cvm.customer_condition(s)) INTO v USING customer;
    IF v.customer_id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'no_data_found', MESSAGE = format('portfolio "%s" has no customer %s', portfolio, customer),
            HINT = 'Only customers of the published run can be explained: see the view customer.';
    END IF;
    closing := round(coalesce(v.residual_value, 0)::numeric, 2);
    RETURN QUERY SELECT * FROM (VALUES
        (1, 'realised_value', round(v.realised_value, 2), format('%s orders to %s', v.orders, v.computed)),
        (2, 'p_alive', v.p_alive::numeric, CASE WHEN v.p_alive IS NULL THEN 'not scored: ' || v.status ELSE format('after %s days of silence', v.days_silent) END),
        (3, 'expected_spend', round(v.expected_spend::numeric, 4), 'per future purchase, before margin'),
        (4, 'margin', v.margin::numeric, NULL),
        (5, 'discounted_purchases', (v.residual_value / nullif(v.margin * v.expected_spend, 0))::numeric, 'all that is to come, as if bought now'),
        (6, 'residual_value', closing, CASE WHEN v.subscriptions IS NULL THEN 'expected_spend x margin x discounted_purchases' ELSE 'purchases and subscriptions' END),
        (7, 'lifetime_value', round(v.realised_value, 2) + closing, 'realised_value + residual_value')) AS t;
    IF v.changes IS NOT NULL AND array_length(v.changes, 1) = 13 THEN
        opening := round(v.changes[1]::numeric, 2);
        RETURN QUERY SELECT 10, 'opening', opening, format('residual value as of %s', v.from_as_of);
        RETURN QUERY SELECT 10 + c.position, c.cause, a.amount, CASE WHEN a.amount <> 0 THEN cvm.cause_in_words(c.cause) END
            FROM cvm.equity_causes() c JOIN unnest(cvm.round_to_total(v.changes[2:12], closing - opening)) WITH ORDINALITY AS a(amount, n) ON a.n = c.position ORDER BY 1;
        RETURN QUERY SELECT 22, 'closing', closing, format('residual value as of %s', v.computed);
    END IF;
    EXECUTE format('SELECT string_agg(format(''%%s (%%s)'', r.position, r.predicate), ''; or '' ORDER BY r.position) FROM %I.segment_rule r WHERE r.segment = $1', s) INTO earlier USING v.segment;
    RETURN QUERY SELECT 30, 'segment', NULL::numeric, format('%s since %s: the first rule that is true is %s', v.segment, v.since, coalesce(earlier, 'none'));
    RETURN QUERY EXECUTE format('SELECT 30 + row_number() OVER (ORDER BY r.position)::integer, ''not ''::text || r.segment, NULL::numeric, format(''rule %%s is not true: %%s'', r.position, r.predicate)
        FROM %1$I.segment_rule r WHERE r.position < coalesce((SELECT min(f.position) FROM %1$I.segment_rule f WHERE f.segment = $1), 2147483647) ORDER BY r.position', s) USING v.segment;
END $$;
COMMENT ON FUNCTION cvm.explain(text, text) IS
'The published value of a customer in parts: what it is made of (positions 1 to 7), why the residual value is another than in the run before (10 to 22: opening + causes = closing, to the cent, the causes of equity_statement; not where it had no run before it or the option equity_statement is off), and which segment rule he fell under and which before it he did not (from 30; by the rules as they are now). 02000 unknown customer, 22P02 a text that is no customer, 22004 null, 42704 unknown portfolio, 42501 not permitted.';

CREATE FUNCTION cvm.cause_in_words(cause text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (SELECT w.words FROM (VALUES ('late_or_corrected', 'orders up to then that came in late or were changed'), ('erased', 'in no feed any more'), ('merged', 'one with customers who are his aliases now'), ('unwinding', 'the future is nearer'),
    ('purchases_expected', 'expected by now, and no longer to come'), ('purchases_beyond', 'bought, more or less than expected'), ('silence', 'did not buy'), ('refunds', 'gave back'), ('new_customers', 'new'),
    ('assumptions', 'discount rate, margin or horizon are others'), ('model_change', 'the models are others')) AS w(cause, words) WHERE w.cause = cause_in_words.cause);
COMMENT ON FUNCTION cvm.cause_in_words(text) IS 'A cause of equity_statement in plain words about one customer; NULL for others.';

-- ---------- as it was published ----------

CREATE FUNCTION cvm.run_at(portfolio text, instant timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s text := (cvm.own_portfolio(portfolio)).output_schema;
    earliest timestamptz;
    run bigint;
BEGIN
    IF instant IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'instant must not be null';
    END IF;
    EXECUTE format('SELECT r.run_id FROM (SELECT p.run_id, p.published_at, NULL::timestamptz AS replaced_at FROM %1$I.published p UNION ALL SELECT o.run_id, o.published_at, o.replaced_at FROM %1$I.retired_run o) r
        WHERE r.published_at <= $1 AND (r.replaced_at IS NULL OR r.replaced_at > $1) ORDER BY r.run_id DESC LIMIT 1', s) INTO run USING instant;
    -- records of runs are not kept for ever either
    EXECUTE format('SELECT least((SELECT min(r.finished_at) FROM cvm.run r WHERE r.portfolio = $1 AND r.status = ''succeeded'' AND r.holdout IS NULL),
        (SELECT min(p.published_at) FROM %1$I.published p), (SELECT min(o.published_at) FROM %1$I.retired_run o))', s) INTO earliest USING portfolio;
    IF run IS NULL AND earliest <= instant IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('portfolio "%s" had published nothing by %s', portfolio, instant),
            HINT = coalesce(format('Its first run on record was published at %s.', earliest), format('CALL cvm.recompute(%L);', portfolio));
    ELSIF run IS NULL OR NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
                      WHERE i.inhparent = to_regclass(format('%I.score', s)) AND n.nspname = s::name AND c.relname = ('score_' || run)::name) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = format('what portfolio "%s" had published at %s is not kept any more', portfolio, instant),
            HINT = format('SELECT cvm.alter_portfolio(%L, ''{"history": "90 days"}''); keeps runs from now on.', portfolio);
    END IF;
    RETURN run;
END $$;
COMMENT ON FUNCTION cvm.run_at(text, timestamptz) IS 'The run that was published at an instant, if its scores are kept (option history). 22023 if there was none, 55000 if they are gone, 22004 null, 42704 unknown portfolio, 42501 not permitted.';

CREATE FUNCTION cvm.value_as_of(portfolio text, instant timestamptz)
RETURNS TABLE (customer_id text, run_id bigint, as_of timestamptz, segment text, realised_value numeric, residual_value float8, residual_low float8, residual_high float8, lifetime_value float8,
    p_alive float8, churn_risk float8, expected_purchases float8, expected_spend float8, status text, method text, model_id bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY EXECUTE format('
        SELECT s.customer_id::text, s.run_id, r.as_of, s.segment, s.realised_value::numeric, s.residual_value, s.residual_low, s.residual_high, s.realised_value::float8 + s.residual_value,
               s.p_alive, s.p_no_purchase, s.expected_purchases, s.expected_spend, s.status, s.method, coalesce(s.contract_model_id, r.purchase_model_id)
        FROM %1$I.score s JOIN (SELECT p.run_id, p.as_of, p.purchase_model_id FROM %1$I.published p UNION ALL SELECT o.run_id, o.as_of, o.purchase_model_id FROM %1$I.retired_run o) r ON r.run_id = s.run_id WHERE s.run_id = $1',
        (cvm.own_portfolio(portfolio)).output_schema) USING cvm.run_at(portfolio, instant);
END $$;
COMMENT ON FUNCTION cvm.value_as_of(text, timestamptz) IS
'Customers'' values exactly as a portfolio had published them at an instant, a row per customer: those of the run that was the last one then, for as long as the option history keeps it. Errors as cvm.run_at.';

CREATE FUNCTION cvm.segment_moves(portfolio text, from_as_of timestamptz, to_as_of timestamptz) RETURNS TABLE (from_segment text, to_segment text, customers bigint, share float8)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s text := (cvm.own_portfolio(portfolio)).output_schema;
    unknown timestamptz;
    known text;
BEGIN
    IF from_as_of IS NULL OR to_as_of IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'from_as_of and to_as_of must not be null';
    ELSIF from_as_of > to_as_of THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('moves can not be from %s to %s', from_as_of, to_as_of), HINT = 'They lead from an earlier date to a later one.';
    END IF;
    EXECUTE format('SELECT min(d.as_of), (SELECT string_agg(n.as_of::text, '', '' ORDER BY n.as_of) FROM (SELECT e.as_of FROM %1$I.equity e WHERE e.is_total ORDER BY abs(extract(epoch FROM e.as_of) - extract(epoch FROM min(d.as_of))), e.as_of DESC LIMIT 3) n)
        FROM unnest(ARRAY[$1, $2]) AS d(as_of) WHERE NOT EXISTS (SELECT FROM %1$I.equity e WHERE e.as_of = d.as_of)', s) INTO unknown, known USING from_as_of, to_as_of;
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('portfolio "%s" was not computed as of %s', portfolio, unknown),
            HINT = coalesce(format('The nearest dates are %s.', known), format('CALL cvm.recompute(%L);', portfolio));
    END IF;
    RETURN QUERY EXECUTE format('
        SELECT a.segment, b.segment, count(*), CASE WHEN a.segment IS NOT NULL THEN count(*)::float8 / sum(count(*)) OVER (PARTITION BY a.segment)::float8 END
        FROM (SELECT h.customer_id, h.segment FROM %1$I.segment_history h WHERE h.entered_at <= $1 AND (h.left_at IS NULL OR h.left_at > $1)) a
        FULL JOIN (SELECT h.customer_id, h.segment FROM %1$I.segment_history h WHERE h.entered_at <= $2 AND (h.left_at IS NULL OR h.left_at > $2)) b ON b.customer_id %2$s a.customer_id
        GROUP BY 1, 2 ORDER BY 1, 2', s, cvm.customer_equality(s)) USING from_as_of, to_as_of;
END $$;
COMMENT ON FUNCTION cvm.segment_moves(text, timestamptz, timestamptz) IS
'How customers moved between segments from one date that was computed to another, a transition matrix in rows, from segment_history: whatever the option history, since the portfolio''s first run. share: of the customers of from_segment. from_segment is NULL for customers who were not there, to_segment for those who are gone. 22023 for dates that were never computed (the hint has the nearest) or in the wrong order, 22004 null, 42704 unknown portfolio, 42501 not permitted.';

-- By the equality of the customers' type, so that an index serves.
CREATE FUNCTION cvm.customer_condition(output_schema text) RETURNS text
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
    SELECT pg_catalog.format('customer_id %s $1::pg_catalog.text::%s%s', cvm.equality_of(a.atttypid), pg_catalog.format_type(a.atttypid, a.atttypmod), cvm.collate_clause(a.attcollation))
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(pg_catalog.format('%I.score', output_schema)) AND a.attname OPERATOR(pg_catalog.=) 'customer_id' AND NOT a.attisdropped;
END;
COMMENT ON FUNCTION cvm.customer_condition(text) IS 'SQL of a condition on the column customer_id of an output schema: that it is the customer whose text is $1; NULL if score is not what it was.';

-- The operator by which the output's customers are equal.
CREATE FUNCTION cvm.customer_equality(output_schema text) RETURNS text
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
    SELECT cvm.equality_of(a.atttypid) FROM pg_catalog.pg_attribute a
    WHERE a.attrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(pg_catalog.format('%I.score', output_schema)) AND a.attname OPERATOR(pg_catalog.=) 'customer_id';
END;
COMMENT ON FUNCTION cvm.customer_equality(text) IS 'SQL of the operator of equality of the customers in an output schema.';

CREATE FUNCTION cvm.segment_transitions(portfolio text, from_instant timestamptz, to_instant timestamptz)
RETURNS TABLE (from_segment text, to_segment text, customers bigint, share float8, opening float8, closing float8)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY EXECUTE format('
        SELECT a.segment, b.segment, count(*), CASE WHEN a.segment IS NOT NULL THEN count(*)::float8 / sum(count(*)) OVER (PARTITION BY a.segment)::float8 END,
               coalesce(sum(a.residual_value), 0), coalesce(sum(b.residual_value), 0)
        FROM (SELECT s.customer_id, s.segment, s.residual_value FROM %1$I.score s WHERE s.run_id = $1) a
        FULL JOIN (SELECT s.customer_id, s.segment, s.residual_value FROM %1$I.score s WHERE s.run_id = $2) b ON b.customer_id %2$s a.customer_id
        GROUP BY 1, 2 ORDER BY 1, 2', (cvm.own_portfolio(portfolio)).output_schema, cvm.customer_equality((cvm.own_portfolio(portfolio)).output_schema)) USING cvm.run_at(portfolio, from_instant), cvm.run_at(portfolio, to_instant);
END $$;
COMMENT ON FUNCTION cvm.segment_transitions(text, timestamptz, timestamptz) IS
'How customers moved between segments from what was published at one instant to what was at another: customers, their share of those of from_segment, and residual values then and then. from_segment is NULL for customers who were not there, to_segment for those who are gone. For as long as the option history keeps both runs. Errors as cvm.run_at.';
