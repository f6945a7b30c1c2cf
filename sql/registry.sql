-- registry: which specification and which parameters the next recompute takes (src/recompute/registry.c)
--
-- A specification is a family, a spend family, a period, a time unit, a time zone and covariates; the
-- gate (cvm.validate) compares specifications, never parameter vectors.  A refit of the
-- live specification goes live by itself unless it fails the checks of registry.c.  A
-- pinned model is one whose very parameters are used: nothing is fitted while it is.

CREATE TABLE cvm.promotion (
    portfolio text PRIMARY KEY,
    specification jsonb,
    base jsonb,
    validation_id bigint,
    purchase_model_id bigint,
    spend_model_id bigint,
    retention_model_id bigint,
    decided_by text NOT NULL DEFAULT current_user,
    decided_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    CHECK ((purchase_model_id IS NULL) = (spend_model_id IS NULL))
);
COMMENT ON TABLE cvm.promotion IS 'What the gate (cvm.validate) or somebody (cvm.promote, cvm.rollback) has decided for a portfolio, from the next recompute on.';
COMMENT ON COLUMN cvm.promotion.portfolio IS 'portfolio';
COMMENT ON COLUMN cvm.promotion.specification IS 'specification the gate has promoted; NULL: that of the options';
COMMENT ON COLUMN cvm.promotion.base IS 'options under which it was promoted; where they have changed since, it does not hold any more';
COMMENT ON COLUMN cvm.promotion.validation_id IS 'validation that promoted it';
COMMENT ON COLUMN cvm.promotion.purchase_model_id IS 'pinned purchase model: its parameters are used, nothing is fitted; NULL: refits go live';
COMMENT ON COLUMN cvm.promotion.spend_model_id IS 'pinned spend model, its partner';
COMMENT ON COLUMN cvm.promotion.retention_model_id IS 'pinned retention model that was live with them; NULL: that of the subscriptions is fitted';
COMMENT ON COLUMN cvm.promotion.decided_by IS 'role that ran the validation, or that pinned';
COMMENT ON COLUMN cvm.promotion.decided_at IS 'when it was decided';

SELECT pg_catalog.pg_extension_config_dump('cvm.promotion', '');
GRANT SELECT, INSERT, DELETE, UPDATE (specification, base, validation_id, purchase_model_id, spend_model_id, retention_model_id, decided_by, decided_at)
    ON cvm.promotion TO PUBLIC;
ALTER TABLE cvm.promotion ENABLE ROW LEVEL SECURITY;
CREATE POLICY owner ON cvm.promotion USING (cvm.may_act(portfolio)) WITH CHECK (cvm.may_act(portfolio));
CREATE POLICY reader ON cvm.promotion FOR SELECT USING (cvm.may_read(portfolio));
COMMENT ON POLICY owner ON cvm.promotion IS 'Members of the owner decide what goes live.';
COMMENT ON POLICY reader ON cvm.promotion IS 'Readers of the output schema and pg_monitor see it.';

-- ---------- specifications ----------

CREATE FUNCTION cvm.option_specification(options jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET intervalstyle = 'postgres' AS $$
BEGIN
    RETURN jsonb_build_object('family', cvm.option_family(options, 'purchases', 'bg/nbd'),
                              'spend_family', cvm.option_family(options, 'spend', 'gamma-gamma'),
                              'period', cvm.option_interval(options, 'period', '1 day'),
                              'time_unit', cvm.option_interval(options, 'time_unit', '7 days'),
                              'time_zone', cvm.option_text(options, 'time_zone', 'UTC'))
        || CASE WHEN options ? 'covariates' THEN jsonb_build_object('covariates', cvm.option_covariates(options)) ELSE '{}' END;
END $$;
COMMENT ON FUNCTION cvm.option_specification(jsonb) IS 'The specification that a portfolio''s options say: of several purchase families the first.';

-- What a promotion holds for.
CREATE FUNCTION cvm.promotion_base(options jsonb) RETURNS jsonb
LANGUAGE sql STABLE
RETURN cvm.option_specification(options) || pg_catalog.jsonb_build_object('families', options -> 'families');
COMMENT ON FUNCTION cvm.promotion_base(jsonb) IS 'The options that a promoted specification depends on.';

CREATE FUNCTION cvm.live_specification(portfolio text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    options jsonb := (cvm.own_portfolio(portfolio)).options;
    decided cvm.promotion;
    result jsonb;
BEGIN
    SELECT p.* INTO decided FROM cvm.promotion p WHERE p.portfolio = live_specification.portfolio;
    IF decided.purchase_model_id IS NOT NULL THEN
        SELECT m.specification INTO result FROM cvm.fitted_model m
        WHERE m.model_id = decided.purchase_model_id AND m.portfolio = live_specification.portfolio AND m.role = 'purchases';
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'undefined_object',
                MESSAGE = format('the pinned model %s is no purchase model of portfolio "%s"', decided.purchase_model_id, portfolio),
                HINT = 'cvm.unpin lets refits go live again, cvm.promote pins another model; cvm.models lists them.';
        END IF;
        RETURN result;
    END IF;
    IF decided.specification IS NOT NULL AND decided.base = cvm.promotion_base(options) THEN
        RETURN decided.specification;
    END IF;
    RETURN cvm.option_specification(options);
END $$;
COMMENT ON FUNCTION cvm.live_specification(text) IS 'The specification that the next recompute takes: of the pinned model, else what the gate has promoted under the present options, else what the options say. 42704 unknown portfolio or a pinned model that is not its own, 42501 not permitted.';

-- A candidate that somebody names, completed from the options and checked as they are.
CREATE FUNCTION cvm.complete_specification(options jsonb, given jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unknown text;
    merged jsonb;
BEGIN
    IF jsonb_typeof(given) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('a specification can not be %s', given),
            HINT = 'It is an object such as {"family": "bg/nbd", "period": "7 days"}.';
    END IF;
    SELECT k INTO unknown FROM jsonb_object_keys(given) AS k
    WHERE k NOT IN ('family', 'spend_family', 'period', 'time_unit', 'time_zone', 'covariates') ORDER BY k LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('a specification has no "%s"', unknown),
            HINT = 'Known: family, spend_family, period, time_unit, time_zone, covariates.';
    END IF;
    IF given ->> 'family' IS NOT NULL AND NOT EXISTS (SELECT FROM cvm.families f WHERE f.family = given ->> 'family' AND f.kind = 'purchases') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('"%s" is not a family of purchase models', given ->> 'family'),
            HINT = 'See the view cvm.families.';
    END IF;
    merged := (options - 'families') || (given - 'family' - 'spend_family')
        || jsonb_build_object('families', jsonb_build_array(
               coalesce(given ->> 'family', cvm.option_family(options, 'purchases', 'bg/nbd')),
               coalesce(given ->> 'spend_family', cvm.option_family(options, 'spend', 'gamma-gamma'))));
    -- a family that takes no covariates has none, unless somebody asks for them
    IF merged ? 'covariates' AND NOT given ? 'covariates' AND NOT cvm.takes_covariates(merged -> 'families' ->> 0) THEN
        merged := merged || '{"covariates": null}';
    END IF;
    PERFORM cvm.check_options(merged);
    RETURN cvm.option_specification(merged);
END $$;
COMMENT ON FUNCTION cvm.complete_specification(jsonb, jsonb) IS 'A specification with what it leaves out taken from the options; 22023 if it is not one.';

-- ---------- what is published ----------

CREATE FUNCTION cvm.published_run(portfolio text, OUT output_schema text, OUT run_id bigint, OUT as_of timestamptz, OUT margin float8,
    OUT purchase_model cvm.model, OUT has_covariates boolean, OUT retention_model cvm.model, OUT options jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present cvm.portfolio := cvm.own_portfolio(portfolio);
    wanted bigint;
    wanted_retention bigint;
BEGIN
    output_schema := present.output_schema;
    options := present.options;
    EXECUTE format('SELECT p.run_id, p.as_of, p.margin, p.purchase_model_id, p.retention_model_id FROM %I.published p', output_schema)
        INTO run_id, as_of, margin, wanted, wanted_retention;
    IF run_id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('portfolio "%s" has no published numbers', portfolio),
            HINT = format('CALL cvm.recompute(%L);', portfolio);
    END IF;
    SELECT m.model, m.covariates IS NOT NULL INTO purchase_model, has_covariates FROM cvm.fitted_model m WHERE m.portfolio = published_run.portfolio AND m.model_id = wanted;
    SELECT m.model INTO retention_model FROM cvm.fitted_model m WHERE m.portfolio = published_run.portfolio AND m.model_id = wanted_retention;
END $$;
COMMENT ON FUNCTION cvm.published_run(text) IS
'What stands behind a portfolio''s published numbers: schema, run, instant, margin, purchase and retention model (NULL without), and the options of the portfolio. 42704 unknown portfolio, 42501 not permitted, 55000 before the first recompute.';

-- ---------- promote, roll back, unpin ----------

-- What was live together: of the last run that scored with the model, else as they were fitted.
CREATE FUNCTION cvm.models_with(chosen cvm.fitted_model) RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result bigint[];
BEGIN
    SELECT ARRAY[r.purchase_model_id, r.spend_model_id, r.retention_model_id] INTO result FROM cvm.run r
    WHERE r.portfolio = chosen.portfolio AND r.status = 'succeeded' AND r.holdout IS NULL
      AND chosen.model_id = CASE chosen.role WHEN 'purchases' THEN r.purchase_model_id WHEN 'spend' THEN r.spend_model_id ELSE r.retention_model_id END
    ORDER BY r.run_id DESC LIMIT 1;
    IF FOUND THEN
        RETURN result;
    END IF;
    SELECT ARRAY[p.model_id, p.partner_id,
                 CASE chosen.role WHEN 'retention' THEN chosen.model_id
                                  ELSE (SELECT max(t.model_id) FROM cvm.fitted_model t
                                        WHERE t.portfolio = chosen.portfolio AND t.role = 'retention' AND t.partner_id = p.model_id) END]
    INTO result FROM cvm.fitted_model p
    WHERE p.portfolio = chosen.portfolio AND p.role = 'purchases'
      AND p.model_id = CASE chosen.role WHEN 'purchases' THEN chosen.model_id ELSE chosen.partner_id END;
    RETURN coalesce(result, ARRAY[NULL, NULL, CASE chosen.role WHEN 'retention' THEN chosen.model_id END]);
END $$;
COMMENT ON FUNCTION cvm.models_with(cvm.fitted_model) IS 'The purchase, spend and retention model that a model is published with, itself among them; NULL where there is none.';

CREATE FUNCTION cvm.promote(model_id bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    chosen cvm.fitted_model;
    live bigint[];
BEGIN
    SELECT m.* INTO chosen FROM cvm.fitted_model m WHERE m.model_id = promote.model_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = CASE WHEN model_id IS NULL THEN 'model_id must not be null' ELSE format('model %s does not exist', model_id) END,
            HINT = 'The view cvm.models lists those you may use.';
    END IF;
    PERFORM cvm.own_portfolio(chosen.portfolio);
    live := cvm.models_with(chosen);
    IF chosen.role <> 'retention' AND (live[1] IS NULL OR live[2] IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('model %s has no partner to be published with', model_id),
            DETAIL = 'A purchase and a spend model are published together.';
    END IF;
    INSERT INTO cvm.promotion AS p (portfolio, purchase_model_id, spend_model_id, retention_model_id)
    VALUES (chosen.portfolio, live[1], live[2], live[3])
    ON CONFLICT ON CONSTRAINT promotion_pkey DO UPDATE
    SET purchase_model_id = excluded.purchase_model_id, spend_model_id = excluded.spend_model_id,
        retention_model_id = excluded.retention_model_id, decided_by = current_user, decided_at = now();
    RETURN coalesce(live[1], live[3]);
END $$;
COMMENT ON FUNCTION cvm.promote(bigint) IS
'Pins a model and those it was live with (purchases, spend and, with subscriptions, retention): from the next recompute on scores come from their parameters and nothing is fitted, until another is promoted or cvm.unpin lets refits go live again. At once: CALL cvm.recompute(portfolio) after it. Returns the number of the purchase model, without one that of the retention model. 42704 unknown model, 42501 not permitted. The recompute raises 55000 if the data does not fit the family any more; the last published result stays.';

CREATE FUNCTION cvm.rollback(portfolio text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    leader text;
    present bigint;
    previous bigint;
BEGIN
    PERFORM cvm.own_portfolio(portfolio);
    -- the purchase model leads; where there are none, the retention model
    leader := CASE WHEN EXISTS (SELECT FROM cvm.fitted_model m WHERE m.portfolio = rollback.portfolio AND m.role = 'purchases')
                    THEN 'purchases' ELSE 'retention' END;
    present := coalesce((SELECT CASE leader WHEN 'purchases' THEN p.purchase_model_id ELSE p.retention_model_id END
                         FROM cvm.promotion p WHERE p.portfolio = rollback.portfolio),
                        (SELECT max(m.model_id) FROM cvm.fitted_model m
                         WHERE m.portfolio = rollback.portfolio AND m.role = leader AND m.status = 'live'));
    SELECT max(m.model_id) INTO previous FROM cvm.fitted_model m
    WHERE m.portfolio = rollback.portfolio AND m.role = leader AND m.live_since IS NOT NULL AND m.model_id < present;
    IF previous IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('portfolio "%s" has no earlier model to go back to', portfolio),
            HINT = 'Only models that have been live count: see cvm.models.';
    END IF;
    RETURN cvm.promote(previous);
END $$;
COMMENT ON FUNCTION cvm.rollback(text) IS
'Pins the models that were live before the present ones, as cvm.promote does; called again, those before them. Returns the number of the purchase model. After CALL cvm.recompute(portfolio, as_of) with the as_of of then, on the data of then, every score is what it was. 42704 unknown portfolio, 42501 not permitted, 55000 no earlier model.';

CREATE FUNCTION cvm.unpin(portfolio text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM cvm.own_portfolio(portfolio);
    UPDATE cvm.promotion p
    SET purchase_model_id = NULL, spend_model_id = NULL, retention_model_id = NULL, decided_by = current_user, decided_at = now()
    WHERE p.portfolio = unpin.portfolio AND (p.purchase_model_id IS NOT NULL OR p.retention_model_id IS NOT NULL);
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION cvm.unpin(text) IS 'Ends what cvm.promote or cvm.rollback began: refits go live again. False if no model was pinned. 42704 unknown portfolio, 42501 not permitted.';
