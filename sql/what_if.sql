-- what_if: what the customers would be worth under other assumptions (src/what_if.c, src/discounted_spend.c)

CREATE FUNCTION cvm.discounted_purchases_if_alive(model cvm.model, x float8, t_x float8, age float8, rate float8, horizon float8 DEFAULT 'Infinity', retention float8 DEFAULT 1, frequency float8 DEFAULT 1) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_discounted_purchases_if_alive';
COMMENT ON FUNCTION cvm.discounted_purchases_if_alive(cvm.model, float8, float8, float8, float8, float8, float8, float8) IS
'Discounted expected number of purchases to come of a customer who is alive; times cvm.p_alive it is cvm.discounted_purchases. rate: continuous, per time unit of the model; horizon in its time units. With retention and frequency, factors of 0.01 to 100, if the future differed from the past: what the history says about the customer is read with the model as it is, then the odds of staying are multiplied by retention (a / retention in the families with a coin after each purchase, gamma / retention in bg/bb; in pareto/nbd the time until he leaves is stretched by it: retention (beta + age)) and every rate of buying by frequency. More frequent purchases are more occasions to leave where customers leave after a purchase: there frequency brings the same number of purchases sooner. 0A000 for the frequency of bg/bb; other errors as cvm.discounted_purchases.';

CREATE FUNCTION cvm.discounted_renewals(model cvm.model, renewals float8, rate float8, horizon float8 DEFAULT 'Infinity', retention float8 DEFAULT 1) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_discounted_renewals';
COMMENT ON FUNCTION cvm.discounted_renewals(cvm.model, float8, float8, float8, float8) IS
'Discounted expected number of renewals to come of a contract that runs and has made so many: sum over j = 1, 2, ... horizon of exp(-rate j) S(renewals + j) / S(renewals) (Fader & Hardie 2010). rate: continuous, per renewal period; horizon in renewals. retention, a factor of 0.01 to 100, multiplies the odds of staying from now on: after the renewals made, alpha of sbg and gamma of bdw become alpha / retention. For retention models. 22023 outside the domain.';

CREATE FUNCTION cvm.discounted_spend_accum(internal, model cvm.model, history cvm.purchase_history, as_of timestamptz, weight float8, rate float8, horizon float8, retention float8, frequency float8) RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_discounted_spend_accum';
COMMENT ON FUNCTION cvm.discounted_spend_accum(internal, cvm.model, cvm.purchase_history, timestamptz, float8, float8, float8, float8, float8) IS 'Transition function of the aggregate cvm.discounted_spend.';
CREATE FUNCTION cvm.discounted_spend_final(internal) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_discounted_spend_final';
COMMENT ON FUNCTION cvm.discounted_spend_final(internal) IS 'Final function of the aggregate cvm.discounted_spend.';

CREATE AGGREGATE cvm.discounted_spend(model cvm.model, history cvm.purchase_history, as_of timestamptz, weight float8, rate float8, horizon float8, retention float8, frequency float8) (
    SFUNC = cvm.discounted_spend_accum, STYPE = internal, SSPACE = 8192, FINALFUNC = cvm.discounted_spend_final, FINALFUNC_MODIFY = READ_ONLY, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.discounted_spend(cvm.model, cvm.purchase_history, timestamptz, float8, float8, float8, float8, float8) IS
'Sum over customers of weight x cvm.discounted_purchases_if_alive; with P(alive) x expected spend as weight, and times the margin, their residual value. Computed once per pair of repeat periods and age, interpolated over ages to 1e-12 where there are many, and so far faster than the function row by row. model, as_of, rate, horizon (Infinity: none), retention and frequency are those of the group''s first row. Rows without history, purchase or weight are left out; NULL for no rows. 22023 for histories of different periods or time zones and weights that are not finite; else as the function.';

CREATE FUNCTION cvm.interval_units(span interval, unit interval) RETURNS float8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (WITH m AS (SELECT (extract(year FROM span) * 12 + extract(month FROM span))::integer AS months)
        SELECT (m.months * 2629800.0 + extract(epoch FROM span - make_interval(months => m.months)))::float8 / extract(epoch FROM unit)::float8 FROM m);
COMMENT ON FUNCTION cvm.interval_units(interval, interval) IS
'An interval in time units of a model; a year is 365.25 days, a month a twelfth of it. The unit has no months.';

CREATE FUNCTION cvm.what_if(portfolio text, retention float8 DEFAULT 1, margin float8 DEFAULT NULL, discount_rate float8 DEFAULT NULL, frequency float8 DEFAULT 1, spend float8 DEFAULT 1)
RETURNS TABLE (segment text, is_total boolean, customers bigint, residual_value float8, what_if_value float8, change float8, relative_change float8)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    run record := cvm.published_run(portfolio);
    factor float8 := cvm.argument('spend', spend, 0);
    annual float8 := coalesce(discount_rate, cvm.option_rate(run.options));
    unit interval := coalesce(cvm.unit(run.purchase_model), interval '1 day');
BEGIN
    IF retention IS NULL OR frequency IS NULL OR spend IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'retention, frequency and spend must not be null',
            HINT = 'They are factors: 1 leaves things as they are.';
    END IF;
    PERFORM cvm.argument('retention', retention, 0.01, 100), cvm.argument('frequency', frequency, 0.01, 100), cvm.argument('margin', margin, 0, 1),
            cvm.check_options(run.options || jsonb_build_object('annual_discount_rate', discount_rate));
    IF margin IS NOT NULL AND EXISTS (SELECT FROM cvm.feed f WHERE f.portfolio = what_if.portfolio AND f.kind = 'purchases'
                                        AND f.columns ? 'cost' AND cvm.value_basis(run.options, f.columns) <> 'revenue') THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = format('the values of portfolio "%s" are net of the costs in its feed', portfolio),
            DETAIL = 'A margin would take costs off twice.',
            HINT = 'Change spend, a factor of what purchases leave after their costs.';
    END IF;
    IF discount_rate IS NULL AND retention = 1 AND frequency = 1 THEN
        -- money alone: what is published, times so much
        RETURN QUERY EXECUTE format('
            SELECT q.segment, q.is_total, q.customers, q.residual_value, q.wanted, q.wanted - q.residual_value,
                   (q.wanted - q.residual_value) / nullif(q.residual_value, 0)
            FROM (SELECT e.*, e.residual_value * $2 AS wanted FROM %I.equity e WHERE e.as_of = $1) q ORDER BY q.is_total DESC, q.segment',
            run.output_schema)
        USING run.as_of, factor * coalesce(margin / run.margin, 1);
        RETURN;
    END IF;
    IF run.has_covariates THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = format('the model of portfolio "%s" has covariates', portfolio),
            DETAIL = 'With them only margin and spend can be changed.',
            HINT = 'Change the option annual_discount_rate with cvm.alter_portfolio and recompute, or set the option covariates to null.';
    END IF;
    RETURN QUERY EXECUTE format('
        WITH d AS (
            SELECT s.segment, cvm.discounted_spend($3, s.history, $1, coalesce(s.purchase_weight, s.p_alive * s.expected_spend), $4, $5, $6, $7) AS discounted_spend
            FROM %1$I.score s WHERE s.run_id = %2$s AND s.residual_value > 0 AND $3 IS NOT NULL GROUP BY s.segment
        ), c AS (
            -- the next payment is not due at once, as in retention.c
            SELECT t.segment, sum(t.price * exp($9 * ($10 - t.wait_days)) * cvm.discounted_renewals($8, t.renewals, $9 * $10, t.due, $6) ORDER BY t.renewals, t.due, t.wait_days) AS discounted_prices
            FROM %1$I.renewal_stat t WHERE t.run_id = %2$s GROUP BY t.segment
        ), q AS (
            SELECT e.segment, e.is_total, e.customers, e.residual_value, $2 * (coalesce(d.discounted_spend, 0) + coalesce(c.discounted_prices, 0)) AS wanted
            FROM %1$I.equity e LEFT JOIN d ON d.segment = e.segment LEFT JOIN c ON c.segment = e.segment WHERE e.as_of = $1
        ), r AS (
            SELECT q.segment, q.is_total, q.customers, q.residual_value,
                   CASE WHEN q.is_total THEN sum(q.wanted) OVER () ELSE q.wanted END AS wanted FROM q
        )
        SELECT r.segment, r.is_total, r.customers, r.residual_value, r.wanted, r.wanted - r.residual_value,
               (r.wanted - r.residual_value) / nullif(r.residual_value, 0)
        FROM r ORDER BY r.is_total DESC, r.segment', run.output_schema, run.run_id)
    USING run.as_of, factor * coalesce(margin, run.margin), run.purchase_model,
          ln(1 + annual) * extract(epoch FROM unit)::float8 / 31557600,
          coalesce(cvm.interval_units(cvm.option_interval(run.options, 'value_horizon', NULL), unit), 'Infinity'),
          retention, frequency, run.retention_model, ln(1 + annual) / 365.25, cvm.interval_seconds(cvm.option_renewal(run.options)) / 86400;
END $$;
COMMENT ON FUNCTION cvm.what_if(text, float8, float8, float8, float8, float8) IS
'Customer equity of the published run, by segment and in all, if an assumption were another; nothing is recomputed or stored. margin (0 to 1) and discount_rate (a year) replace those of the run, NULL keeps them: the result is that of a recompute under these options. retention, frequency and spend are factors, 1 leaves things as they are: retention multiplies everybody''s odds of staying, subscribers'' at each renewal, and frequency the rates of buying from as_of on (cvm.discounted_purchases_if_alive, cvm.discounted_renewals), 0.01 to 100; how often contracts are renewed stays as agreed; spend multiplies the amount of every future purchase, at least 0. Histories, P(alive), segments and fitted models stay as they are. what_if_value: residual value under the assumption, change: less that published, relative_change: change / residual_value, NULL where that is 0. With a discount rate, retention or frequency, the other options are those the portfolio has now: recompute first if they were altered. 42704 unknown portfolio, 42501 for others than its owner, 55000 before the first recompute, 22023 outside the domain, 22004 for a NULL factor, 0A000 for a frequency of bg/bb, for a margin where values are net of the feed''s costs, and for anything but margin and spend where the model has covariates.';
