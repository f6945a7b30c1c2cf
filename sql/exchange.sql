-- exchange: models in the names of other libraries, as JSON
--
-- lifetimes (Davidson-Pilon, Python): BetaGeoFitter and ModifiedBetaGeoFitter have r, alpha, a, b; ParetoNBDFitter r, alpha, s,
-- beta; BetaGeoBetaBinomFitter alpha, beta, gamma, delta; GammaGammaFitter p, q, v, where v is the gamma of Fader & Hardie 2013.
-- PyMC-Marketing (Python) kept those letters.  CLVTools (Bachmann et al., R): bgnbd r, alpha, a, b; pnbd r, alpha, s, beta; gg
-- p, q, gamma; alpha and beta are rates, as in the papers.  It climbs logarithms, called log.r and so on; coef() gives the
-- parameters themselves.  All of them count time in the unit of their data, which they do not store.

CREATE FUNCTION cvm.exchange_names(OUT style text, OUT model text, OUT family text, OUT ours text[], OUT theirs text[]) RETURNS SETOF record
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
SELECT n.style, n.model, n.family, n.ours::text[], n.theirs::text[] FROM (VALUES
    ('lifetimes', 'BetaGeoFitter', 'bg/nbd', '{r,alpha,a,b}', '{r,alpha,a,b}'),
    ('lifetimes', 'ModifiedBetaGeoFitter', 'mbg/nbd', '{r,alpha,a,b}', '{r,alpha,a,b}'),
    ('lifetimes', 'ParetoNBDFitter', 'pareto/nbd', '{r,alpha,s,beta}', '{r,alpha,s,beta}'),
    ('lifetimes', 'BetaGeoBetaBinomFitter', 'bg/bb', '{alpha,beta,gamma,delta}', '{alpha,beta,gamma,delta}'),
    ('lifetimes', 'GammaGammaFitter', 'gamma-gamma', '{p,q,gamma}', '{p,q,v}'),
    ('clvtools', 'bgnbd', 'bg/nbd', '{r,alpha,a,b}', '{r,alpha,a,b}'),
    ('clvtools', 'pnbd', 'pareto/nbd', '{r,alpha,s,beta}', '{r,alpha,s,beta}'),
    ('clvtools', 'gg', 'gamma-gamma', '{p,q,gamma}', '{p,q,gamma}'),
    ('pymc-marketing', 'BetaGeoModel', 'bg/nbd', '{r,alpha,a,b}', '{r,alpha,a,b}'),
    ('pymc-marketing', 'ModifiedBetaGeoModel', 'mbg/nbd', '{r,alpha,a,b}', '{r,alpha,a,b}'),
    ('pymc-marketing', 'ParetoNBDModel', 'pareto/nbd', '{r,alpha,s,beta}', '{r,alpha,s,beta}'),
    ('pymc-marketing', 'BetaGeoBetaBinomModel', 'bg/bb', '{alpha,beta,gamma,delta}', '{alpha,beta,gamma,delta}'),
    ('pymc-marketing', 'GammaGammaModel', 'gamma-gamma', '{p,q,gamma}', '{p,q,v}'),
    ('pymc-marketing', 'ShiftedBetaGeoModel', 'sbg', '{alpha,beta}', '{alpha,beta}')
) AS n(style, model, family, ours, theirs);
END;
COMMENT ON FUNCTION cvm.exchange_names() IS 'What other libraries call families and their parameters: style (lifetimes, clvtools, pymc-marketing), model, cvm''s family, and the names of parameters, ours and theirs in one order.';

CREATE FUNCTION cvm.check_style(style text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF lower(style) IN ('lifetimes', 'clvtools', 'pymc-marketing') THEN
        RETURN lower(style);
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
        MESSAGE = format('unknown style "%s"', style),
        HINT = 'Known: lifetimes, CLVTools, PyMC-Marketing.';
END $$;
COMMENT ON FUNCTION cvm.check_style(text) IS 'The style in lower case; 22023 unless it is lifetimes, CLVTools or PyMC-Marketing.';

CREATE FUNCTION cvm.export_model(model cvm.model, style text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET intervalstyle = 'postgres' AS $$
DECLARE
    wanted text := cvm.check_style(style);
    own_family text := cvm.family(model);
    names record;
BEGIN
    SELECT n.* INTO names FROM cvm.exchange_names() n WHERE n.style = wanted AND n.family = own_family;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = format('%s has no %s', style, own_family),
            HINT = format('It has: %s.', (SELECT string_agg(n.family, ', ' ORDER BY n.family) FROM cvm.exchange_names() n WHERE n.style = wanted));
    END IF;
    RETURN jsonb_build_object('model', names.model)
        || (SELECT jsonb_object_agg(p.theirs, cvm.parameters(model) -> p.ours) FROM unnest(names.ours, names.theirs) AS p(ours, theirs))
        || CASE WHEN cvm.unit(model) IS NULL THEN '{}'::jsonb ELSE jsonb_build_object('time_unit', cvm.unit(model)) END;
END $$;
COMMENT ON FUNCTION cvm.export_model(cvm.model, text) IS
'Parameters of a model in the names of another library (lifetimes, CLVTools or PyMC-Marketing), with the name of its model and, of a purchase model, the time unit of the parameters. Nothing is lost but what only a fit knows (log-likelihood, covariance). 22023 unknown style, 0A000 the library has no such family.';

CREATE FUNCTION cvm.import_model(parameters jsonb, style text, unit interval) RETURNS cvm.model
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted text := cvm.check_style(style);
    given jsonb;
    names record;
    wrong text;
    largest CONSTANT numeric := 1.7e308;
BEGIN
    IF jsonb_typeof(parameters) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'parameters must be a JSON object', HINT = 'Such as {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}.';
    END IF;
    SELECT e.key INTO wrong FROM jsonb_each(parameters) AS e
    WHERE jsonb_typeof(e.value) = 'number'
      AND abs(e.value::numeric) > CASE WHEN wanted = 'clvtools' AND e.key ~ '^log\.' THEN ln(largest) ELSE largest END LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'numeric_value_out_of_range',
            MESSAGE = format('parameter %s is out of range', wrong), DETAIL = 'Every parameter must be positive and finite.';
    END IF;
    -- what CLVTools climbs
    SELECT jsonb_object_agg(CASE WHEN wanted = 'clvtools' THEN regexp_replace(e.key, '^log\.', '') ELSE e.key END,
                            CASE WHEN wanted = 'clvtools' AND e.key ~ '^log\.' AND jsonb_typeof(e.value) = 'number'
                                 THEN to_jsonb(exp(e.value::float8)) ELSE e.value END)
    INTO given FROM jsonb_each(parameters) AS e WHERE e.key NOT IN ('model', 'time_unit');
    SELECT n.* INTO names FROM cvm.exchange_names() WITH ORDINALITY AS n(style, model, family, ours, theirs, position)
    WHERE n.style = wanted
      AND CASE WHEN parameters ? 'model' THEN n.model = parameters ->> 'model'
               ELSE (SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(given) AS k) = (SELECT array_agg(t ORDER BY t) FROM unnest(n.theirs) AS t) END
    ORDER BY n.position LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = CASE WHEN parameters ? 'model' THEN format('%s has no model "%s"', style, parameters ->> 'model')
                           ELSE format('no model of %s has the parameters %s', style, coalesce((SELECT string_agg(k, ', ' ORDER BY k) FROM jsonb_object_keys(given) AS k), '(none)')) END,
            HINT = (SELECT string_agg(format('%s(%s)', n.model, array_to_string(n.theirs, ', ')), ', ' ORDER BY n.family) FROM cvm.exchange_names() n WHERE n.style = wanted);
    END IF;
    SELECT t INTO wrong FROM unnest(names.theirs) AS t WHERE jsonb_typeof(given -> t) IS DISTINCT FROM 'number' LIMIT 1;
    IF FOUND OR (SELECT count(*) FROM jsonb_object_keys(given)) <> cardinality(names.theirs) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = CASE WHEN wrong IS NULL THEN format('%s has parameters beside %s', parameters, array_to_string(names.theirs, ', '))
                           ELSE format('parameter %s of %s is %s', wrong, names.model, coalesce((given -> wrong)::text, 'missing')) END,
            HINT = 'Give a number for each parameter, and nothing else but model and time_unit.';
    END IF;
    RETURN cvm.model_of_parameters(names.family,
        (SELECT array_agg((given ->> p.theirs)::float8 ORDER BY p.position) FROM unnest(names.ours, names.theirs) WITH ORDINALITY AS p(ours, theirs, position)),
        unit);
END $$;
COMMENT ON FUNCTION cvm.import_model(jsonb, text, interval) IS
'A model from the parameters that another library (lifetimes, CLVTools or PyMC-Marketing) fitted, by its names: {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}. "model" names the library''s model where letters are shared (BetaGeoFitter or ModifiedBetaGeoFitter); without it the first of them is meant. unit: the time unit of the data it was fitted on, of no meaning for spend and retention. Names beginning log. (CLVTools) are logarithms. 22023 unknown style, model, parameter or what is not a number; 22003 parameters that are not positive and finite.';

CREATE FUNCTION cvm.import_model(parameters jsonb, style text) RETURNS cvm.model
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET intervalstyle = 'postgres' AS $$
DECLARE
    unit interval;
    model cvm.model;
BEGIN
    IF parameters ? 'time_unit' THEN
        BEGIN
            unit := (parameters ->> 'time_unit')::interval;
        EXCEPTION WHEN data_exception THEN
            unit := NULL;
        END;
        IF unit IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
                MESSAGE = format('time_unit can not be %s', parameters -> 'time_unit'), HINT = 'It is an interval as a string, such as "7 days".';
        END IF;
    END IF;
    model := cvm.import_model(parameters, style, coalesce(unit, interval '7 days'));
    IF unit IS NULL AND cvm.family(model) = 'bg/bb' THEN
        -- how long its opportunities are nobody said
        model := cvm.model_of_parameters('bg/bb', ARRAY(SELECT (cvm.parameters(model) ->> p)::float8 FROM unnest('{alpha,beta,gamma,delta}'::text[]) AS p), interval '0');
    END IF;
    RETURN model;
END $$;
COMMENT ON FUNCTION cvm.import_model(jsonb, text) IS 'The same with the time unit that the object names as "time_unit" (cvm.export_model writes it), else a week; of bg/bb else none, so that the model is refused on histories. Errors likewise, 22023 for a time_unit that is no interval.';

CREATE FUNCTION cvm.model_of_parameters(family text, parameters float8[], unit interval) RETURNS cvm.model
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
DECLARE
    known record;
BEGIN
    SELECT f.parameters, f.kind INTO known FROM cvm.list_families() f WHERE f.family = model_of_parameters.family;
    RETURN (family || '(' || (SELECT string_agg(p.name || '=' || p.value, ',' ORDER BY p.position)
                              FROM unnest(known.parameters, model_of_parameters.parameters) WITH ORDINALITY AS p(name, value, position)) || ')'
            || CASE known.kind WHEN 'purchases' THEN ' unit=' || cvm.interval_seconds(unit) ELSE '' END)::cvm.model;
END $$;
COMMENT ON FUNCTION cvm.model_of_parameters(text, float8[], interval) IS 'A model from its family, its parameters in the paper''s order and, of purchases, its time unit (0 for bg/bb of unknown opportunities). 22003 out of domain.';
