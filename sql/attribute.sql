-- attribute: what else is known of customers, as covariates of the recompute (src/recompute/attribute.c, doc/covariates.md)

CREATE FUNCTION cvm.takes_covariates(family text) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_takes_covariates';
COMMENT ON FUNCTION cvm.takes_covariates(text) IS 'Whether models of this family may have covariates; 22023 for an unknown family.';

CREATE FUNCTION cvm.option_covariates(options jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted jsonb := options -> 'covariates';
    family text := cvm.option_family(options, 'purchases', 'bg/nbd');
    n bigint;
BEGIN
    IF jsonb_typeof(wanted) IS NULL OR jsonb_typeof(wanted) = 'null' THEN
        RETURN wanted;
    ELSIF jsonb_typeof(wanted) <> 'object' THEN
        PERFORM cvm.bad_option('covariates', wanted, 'an object from columns of the feed attributes to processes, such as {"region": "both"}');
    END IF;
    SELECT count(*) INTO n FROM jsonb_object_keys(wanted);
    IF n NOT BETWEEN 1 AND 50 OR EXISTS (SELECT FROM jsonb_each(wanted) c WHERE jsonb_typeof(c.value) <> 'string' OR c.value #>> '{}' NOT IN ('purchase', 'dropout', 'both')) THEN
        PERFORM cvm.bad_option('covariates', wanted, '1 to 50 columns, each with the process that it acts on: "purchase", "dropout" or "both"');
    ELSIF NOT cvm.takes_covariates(family) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('models of the family %s take no covariates', family),
            HINT = 'Families with covariates are bg/nbd, mbg/nbd and pareto/nbd: set the option families, or covariates to null.';
    END IF;
    RETURN wanted;
END $$;
COMMENT ON FUNCTION cvm.option_covariates(jsonb) IS 'Value of the option covariates, an object from columns to processes; NULL or null where there are none. 22023 if it is not one, or the family takes none.';

-- Numbers as they are; anything else that is text, a flag or an enum is a category.
CREATE FUNCTION cvm.is_category(portfolio text, attribute text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    base oid := cvm.base_type((cvm.feed_column(portfolio, 'attributes', cvm.feed_relation(portfolio, 'attributes'), attribute)).atttypid);
    class "char" := (SELECT t.typcategory FROM pg_type t WHERE t.oid = base);
BEGIN
    IF base = ANY (ARRAY['numeric'::regtype, 'float8'::regtype, 'float4'::regtype, 'int8'::regtype, 'int4'::regtype, 'int2'::regtype]::oid[]) THEN
        RETURN false;
    ELSIF class IN ('S', 'E', 'B') THEN
        RETURN true;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
        MESSAGE = format('attribute "%s" of portfolio "%s" is of type %s', attribute, portfolio, format_type(base, NULL)),
        DETAIL = 'An attribute is a number, or a category: text, boolean or an enum.',
        HINT = 'Map a view that makes one of it, such as a number of days of a date.';
END $$;
COMMENT ON FUNCTION cvm.is_category(text, text) IS 'Whether an attribute is a category rather than a number, by the type of its column. 42804 for other types, and the errors of cvm.feed_column.';

CREATE FUNCTION cvm.check_attributes_feed(portfolio text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation oid := cvm.feed_relation(portfolio, 'attributes');
    customer_cast text := cvm.customer_cast(portfolio, 'attributes', relation);
BEGIN
    PERFORM cvm.is_category(f.portfolio, k) FROM cvm.feed f, jsonb_object_keys(f.columns) AS k
    WHERE f.portfolio = check_attributes_feed.portfolio AND f.kind = 'attributes' AND k <> 'customer';
    PERFORM cvm.check_feed_privilege(portfolio, 'attributes', relation);
    RETURN customer_cast;
END $$;
COMMENT ON FUNCTION cvm.check_attributes_feed(text) IS 'Raises unless the attributes feed exists, has its columns, they are numbers or categories, its customers are those of the purchases and the owner may read it: 42704, 42P01, 42703, 42804, 42501. Returns cvm.customer_cast of its customers.';

-- Read by src/recompute/attribute.c; no row for a specification without covariates.
CREATE FUNCTION cvm.attribute_plan(portfolio text, specification jsonb) RETURNS TABLE (query text, attributes text[], categories boolean[], processes text[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    feed cvm.feed;
    customer text;
    type oid;
    "join" text;
    missing text;
    wanted jsonb := specification -> 'covariates';
    remedy text := CASE wanted WHEN (cvm.own_portfolio(portfolio)).options -> 'covariates' THEN 'set the option covariates to what there is, or to null.'
                               WHEN cvm.live_specification(portfolio) -> 'covariates' THEN 'go back to a model without these covariates, which were promoted: cvm.rollback, or cvm.promote.'
                               ELSE 'take it out of the specification.' END;
BEGIN
    IF jsonb_typeof(wanted) IS DISTINCT FROM 'object' THEN
        RETURN;
    END IF;
    SELECT f.* INTO feed FROM cvm.feed f WHERE f.portfolio = attribute_plan.portfolio AND f.kind = 'attributes';
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('portfolio "%s" has covariates, but no feed of attributes', portfolio),
            HINT = format('Map one with cvm.add_feed(..., ''attributes'', ...), or %s', remedy);
    END IF;
    customer := format('f.%I%s', feed.columns ->> 'customer', cvm.check_attributes_feed(portfolio));
    SELECT k INTO missing FROM jsonb_object_keys(wanted) AS k WHERE k = 'customer' OR NOT feed.columns ? k ORDER BY k LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_column',
            MESSAGE = format('the attributes feed of portfolio "%s" maps no attribute "%s"', portfolio, missing),
            HINT = format('It maps: %s. Map it with cvm.add_feed, or %s',
                          coalesce((SELECT string_agg(k, ', ' ORDER BY k) FROM jsonb_object_keys(feed.columns) AS k WHERE k <> 'customer'), 'none'), remedy);
    END IF;
    SELECT array_agg(c.key ORDER BY c.key COLLATE "C"), array_agg(cvm.is_category(portfolio, c.key) ORDER BY c.key COLLATE "C"), array_agg(c.value ORDER BY c.key COLLATE "C")
    INTO attributes, categories, processes FROM jsonb_each_text(wanted) c;
    type := (cvm.feed_column(portfolio, 'purchases', cvm.feed_relation(portfolio, 'purchases'), 'customer')).atttypid;
    "join" := cvm.alias_join(portfolio, customer, type);
    -- a merged customer has the attributes of the name that stays
    query := format('SELECT %s, %s FROM %I.%I AS f%s%s', customer,
                    (SELECT string_agg(format(CASE WHEN a.is_category THEN 'f.%I::pg_catalog.text' ELSE 'f.%I::pg_catalog.float8' END, feed.columns ->> a.name), ', ' ORDER BY a.position)
                     FROM unnest(attributes, categories) WITH ORDINALITY AS a(name, is_category, position)),
                    feed.relation_schema, feed.relation_name, "join", CASE WHEN "join" <> '' THEN ' WHERE merged.customer IS NULL' ELSE '' END);
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION cvm.attribute_plan(text, jsonb) IS 'What a recompute of the portfolio would read of its attributes, after checking the feed: a query of customers and the attributes of the specification''s covariates in the order of their names, numbers as float8 and categories as text. Errors as of cvm.check_attributes_feed; 42703 for a covariate that the feed does not map.';

CREATE FUNCTION cvm.encoded_covariates(encoding jsonb) RETURNS TABLE (attribute text, level text, is_covariate boolean)
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT e.item ->> 'column', l.level, coalesce(l.position, 2) > 1
    FROM pg_catalog.jsonb_array_elements(CASE pg_catalog.jsonb_typeof(encoding) WHEN 'array' THEN encoding ELSE '[]' END) WITH ORDINALITY AS e(item, position)
    LEFT JOIN LATERAL pg_catalog.jsonb_array_elements_text(CASE pg_catalog.jsonb_typeof(e.item -> 'levels') WHEN 'array' THEN e.item -> 'levels' ELSE '[]' END) WITH ORDINALITY AS l(level, position) ON true
    ORDER BY e.position, l.position;
END;
COMMENT ON FUNCTION cvm.encoded_covariates(jsonb) IS 'The column encoding of cvm.fitted_model in rows: attributes and their levels in the order of the covariates; the reference of a category is no covariate, and a number has no level. No rows of what is no array.';

CREATE FUNCTION cvm.published_covariates(portfolio text, OUT model_id bigint, OUT covariates cvm.covariate_model)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    run record := cvm.published_run(portfolio);
BEGIN
    EXECUTE format('SELECT p.purchase_model_id FROM %I.published p', run.output_schema) INTO model_id;
    covariates := (SELECT m.covariates FROM cvm.fitted_model m WHERE m.portfolio = published_covariates.portfolio AND m.model_id = published_covariates.model_id);
END $$;
COMMENT ON FUNCTION cvm.published_covariates(text) IS 'The purchase model and its covariates behind a portfolio''s published scores, for cvm.coefficients, cvm.model_for and cvm.likelihood_ratio_test; NULL if it has none. 42704 unknown portfolio, 42501 not permitted, 55000 before the first recompute.';

CREATE FUNCTION cvm.covariate_effects(portfolio text)
RETURNS TABLE (covariate text, process text, parameter text, coefficient float8, standard_error float8, z float8, p_value float8)
LANGUAGE sql STABLE ROWS 10
BEGIN ATOMIC
    SELECT c.* FROM cvm.coefficients((cvm.published_covariates(portfolio)).covariates) c;
END;
COMMENT ON FUNCTION cvm.covariate_effects(text) IS 'The coefficients of the model behind a portfolio''s published scores, as cvm.coefficients has them; no rows if it has none. 42704 unknown portfolio, 42501 not permitted, 55000 before the first recompute.';

CREATE FUNCTION cvm.covariate_test(portfolio text, OUT statistic float8, OUT degrees_of_freedom integer, OUT p_value float8)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT t.* FROM (VALUES (1)) AS one LEFT JOIN LATERAL cvm.likelihood_ratio_test((cvm.published_covariates(portfolio)).covariates) t ON true;
END;
COMMENT ON FUNCTION cvm.covariate_test(text) IS 'Likelihood-ratio test of the covariates of the model behind a portfolio''s published scores against the same model without them, as cvm.likelihood_ratio_test has it; NULL if it has none. Errors as of cvm.covariate_effects.';

CREATE FUNCTION cvm.check_attributes(portfolio text) RETURNS TABLE (level text, finding text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    plan record;
    feed cvm.feed;
    n record;
BEGIN
    IF NOT cvm.has_feed(portfolio, 'attributes') AND jsonb_typeof(cvm.live_specification(portfolio) -> 'covariates') IS DISTINCT FROM 'object' THEN
        RETURN;
    END IF;
    BEGIN
        SELECT p.* INTO plan FROM cvm.attribute_plan(portfolio, cvm.live_specification(portfolio)) p;
        IF plan.query IS NULL THEN
            PERFORM cvm.check_attributes_feed(portfolio);
            RETURN QUERY SELECT 'warning', 'the attributes feed is not read', 'Say with the option covariates which of its columns act on what.';
            RETURN;
        END IF;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS finding = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
        level := 'error';
        RETURN NEXT;
        RETURN;
    END;
    SELECT f.* INTO feed FROM cvm.feed f WHERE f.portfolio = check_attributes.portfolio AND f.kind = 'attributes';
    EXECUTE format('SELECT count(*) FILTER (WHERE r.customer IS NULL) AS nobody, count(*) FILTER (WHERE r.incomplete) AS incomplete,
            count(r.customer) - count(DISTINCT r.customer::text) AS twice FROM (SELECT f.%I AS customer, %s AS incomplete FROM %I.%I AS f) r',
        feed.columns ->> 'customer', (SELECT string_agg(format('f.%I IS NULL', feed.columns ->> a), ' OR ') FROM unnest(plan.attributes) AS a),
        feed.relation_schema, feed.relation_name) INTO n;
    -- whatever functions of a view have set
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false);
    RETURN QUERY
    SELECT f.level, format('%s: %s', cvm.counted(f.rows, '%s row of the attributes', '%s rows of the attributes'), f.finding), f.hint FROM (VALUES
        ('error', n.nobody, 'no customer', 'Map a view that leaves them out.'),
        ('warning', n.twice, 'the customer has another one', 'Attributes have a row a customer: rows that differ are an error of the recompute.'),
        ('warning', n.incomplete, 'a covariate is missing', 'These customers are scored by the model without covariates, with status fallback.')
    ) AS f(level, rows, finding, hint) WHERE f.rows > 0;
END $$;
COMMENT ON FUNCTION cvm.check_attributes(text) IS 'Findings about a portfolio''s attributes feed: see cvm.check.';
