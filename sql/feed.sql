-- feed: the user's relations that a portfolio reads, mapped by column name and resolved at each use
--
-- The table cvm.feed and who may change it are in portfolio.sql.

-- ---------- kinds ----------

CREATE VIEW cvm.feed_kinds WITH (security_invoker = true) AS
SELECT k.kind, k.required, k.optional, k.description
FROM (VALUES
    ('purchases', '{customer,at,amount}'::text[], '{order_id,cost,currency,category,channel,discount,refund_of,campaign,tier}'::text[],
     'one row per order, order line or refund; negative amounts change money only, unless refund_of ties them to an order_id; cost and discount are in the currency of the amount, which still contains the discount; campaign and tier (of price, a number) are read by cvm.cross_sell and cvm.acquisition'),
    ('rates', '{currency,on,rate}', '{}', 'one row per currency and day: rate is what one unit of it is worth in the portfolio''s currency, from that day on'),
    ('aliases', '{alias,customer}', '{}', 'one row per alias: another identity of the customer, whose rows of all feeds count as that customer''s'),
    ('subscriptions', '{customer,started_at}', '{ended_at,price}', 'one row per subscription: ended_at is NULL while it runs, price is what is paid at the start and at every renewal (option renewal), in the portfolio''s currency'),
    ('spend', '{at,amount}', '{channel,campaign,purpose,ended_at}', 'one row per expense of marketing and sales, in the portfolio''s currency: purpose is acquisition (also where it is NULL) or retention; spent evenly from at to ended_at, both included. Read by cvm.acquisition and cvm.payback'),
    ('deals', '{customer,opened_at}', '{closed_at,won,amount,discount}', 'one row per deal: closed_at is NULL while it is open, the amount still contains the discount. Read by cvm.deals'),
    ('responses', '{customer,at,score}', '{question,dimension,channel,kind,invited_at}', 'one row per answer of a survey, follow-up or interview (kind): at is NULL and score is NULL for an invitation that nobody answered; the scale of a question is what the option questions says. Read by the reports of doc/satisfaction.md'),
    ('reviews', '{customer,at,rating}', '{text,source}', 'one row per review: rating on the option review_scale (1 to 5 unless set); the text can be searched with cvm.review_search. Read by the report review_summary'),
    ('ratings', '{respondent,supplier,attribute,score}', '{kind,at}', 'one row per respondent, supplier (one''s own and competitors) and attribute: kind says what the score is of (cvm.rating_kind; product where it is NULL). Read by the reports value_map and driver_importance'),
    ('touchpoints', '{customer,at,stage}', '{channel,campaign,cost}', 'one row per contact with a customer or a prospect: what stage of the journey it belongs to, and its cost in the portfolio''s currency (NULL: none). Read by cvm.journey and cvm.campaign_effects'),
    ('attributes', '{customer}', NULL, 'one row per customer: what else is known of him and does not change, any columns by any names; read where the option covariates names them (doc/covariates.md)'),
    ('assignments', '{customer,experiment,arm,at}', '{}', 'one row per customer and experiment: the arm, and when the customer was assigned to it; of several in one arm the first counts. Read by cvm.experiment_results')
) AS k(kind, required, optional, description);
COMMENT ON VIEW cvm.feed_kinds IS 'Kinds of feeds and the columns they map.';
COMMENT ON COLUMN cvm.feed_kinds.kind IS 'kind of feed';
COMMENT ON COLUMN cvm.feed_kinds.required IS 'columns that must be mapped';
COMMENT ON COLUMN cvm.feed_kinds.optional IS 'columns that may be mapped; NULL: any';
COMMENT ON COLUMN cvm.feed_kinds.description IS 'what a row is';
GRANT SELECT ON cvm.feed_kinds TO PUBLIC;

CREATE FUNCTION cvm.article(word text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN word ~ '^[aeio]' THEN 'an' ELSE 'a' END;
COMMENT ON FUNCTION cvm.article(text) IS 'The indefinite article of a word, for messages.';

CREATE FUNCTION cvm.check_mapping(kind text, columns jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known record;
    wrong text;
BEGIN
    SELECT k.required, k.optional INTO known FROM cvm.feed_kinds k WHERE k.kind = check_mapping.kind;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('unknown kind of feed "%s"', kind),
            HINT = 'Known kinds: ' || (SELECT string_agg(k.kind, ', ' ORDER BY k.kind) FROM cvm.feed_kinds k) || '.';
    END IF;
    IF jsonb_typeof(columns) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'columns must be a JSON object', HINT = 'Such as {"customer": "customer_id", "at": "ordered_at"}.';
    END IF;
    SELECT k INTO wrong FROM unnest(known.required) AS k WHERE NOT columns ? k LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('the columns of %s %s feed must name "%s"', cvm.article(kind), kind, wrong),
            HINT = format('Required: %s.', array_to_string(known.required, ', '));
    END IF;
    SELECT k INTO wrong FROM jsonb_each(columns) AS c(k, v)
    WHERE (known.optional IS NOT NULL AND NOT k = ANY (known.required || known.optional)) OR jsonb_typeof(v) <> 'string' LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('%s %s feed has no column "%s" that can be mapped to %s', cvm.article(kind), kind, wrong, columns -> wrong),
            HINT = format('Known columns: %s; each names a column of the relation.', array_to_string(known.required || known.optional, ', '));
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION cvm.check_mapping(text, jsonb) IS 'True if the columns are those of this kind of feed; otherwise 22023.';

ALTER TABLE cvm.feed ADD CONSTRAINT columns CHECK (cvm.check_mapping(kind, columns));

-- ---------- relations and columns ----------

CREATE FUNCTION cvm.feed_relation(portfolio text, kind text) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    feed record;
    relation record;
BEGIN
    SELECT f.relation_schema, f.relation_name INTO feed FROM cvm.feed f
    WHERE f.portfolio = feed_relation.portfolio AND f.kind = feed_relation.kind;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('portfolio "%s" has no %s feed', portfolio, kind),
            HINT = 'Map one with cvm.add_feed.';
    END IF;
    SELECT c.oid, c.relkind, c.relpersistence INTO relation FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = feed.relation_schema::name AND c.relname = feed.relation_name::name;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_table',
            MESSAGE = format('the %s feed of portfolio "%s", relation %I.%I, does not exist', kind, portfolio, feed.relation_schema, feed.relation_name),
            HINT = 'Make it again, or map another relation with cvm.add_feed; the last published result stays as it is.';
    END IF;
    IF relation.relkind NOT IN ('r', 'v', 'm', 'p', 'f') THEN
        RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
            MESSAGE = format('%I.%I is not a table, view, materialized view, partitioned or foreign table', feed.relation_schema, feed.relation_name);
    END IF;
    IF relation.relpersistence = 't' THEN
        RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
            MESSAGE = format('%I.%I is temporary', feed.relation_schema, feed.relation_name),
            DETAIL = 'A portfolio is recomputed in other sessions too, and a view of a temporary table is temporary itself.',
            HINT = 'Map an ordinary table or view.';
    END IF;
    RETURN relation.oid;
END $$;
COMMENT ON FUNCTION cvm.feed_relation(text, text) IS 'The relation of a feed, resolved by name now. 42704 no such feed, 42P01 the relation is gone, 42809 it is no table or view, or temporary.';

CREATE FUNCTION cvm.has_feed(portfolio text, kind text) RETURNS boolean
LANGUAGE sql STABLE
RETURN EXISTS (SELECT FROM cvm.feed f WHERE f.portfolio = has_feed.portfolio AND f.kind = has_feed.kind);
COMMENT ON FUNCTION cvm.has_feed(text, text) IS 'Whether a portfolio has a feed of this kind.';

CREATE FUNCTION cvm.edit_distance(a text, b text) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_edit_distance';
COMMENT ON FUNCTION cvm.edit_distance(text, text) IS 'Characters to insert, delete or replace from a to b (Levenshtein 1966); 22023 for more than 255 characters. Orders the names in a hint.';

CREATE FUNCTION cvm.feed_column(portfolio text, kind text, relation oid, role text) RETURNS pg_catalog.pg_attribute
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted text := (SELECT f.columns ->> feed_column.role FROM cvm.feed f
                    WHERE f.portfolio = feed_column.portfolio AND f.kind = feed_column.kind);
    result pg_attribute;
BEGIN
    SELECT a.* INTO result FROM pg_attribute a
    WHERE a.attrelid = feed_column.relation AND a.attname = wanted::name AND a.attnum > 0 AND NOT a.attisdropped;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_column',
            MESSAGE = format('the %s feed of portfolio "%s" has no column "%s", which is mapped as %s', kind, portfolio, wanted, role),
            HINT = format('%s has, the nearest first: %s.%s', relation::regclass,
                          (SELECT coalesce(string_agg(a.attname, ', ' ORDER BY cvm.edit_distance(lower(left(wanted, 63)), lower(a.attname)), a.attnum), 'no columns')
                           FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped),
                          CASE WHEN EXISTS (SELECT FROM cvm.run r WHERE r.portfolio = feed_column.portfolio)
                               THEN ' cvm.add_feed changes a mapping; the last published result stays as it is.' ELSE '' END);
    END IF;
    RETURN result;
END $$;
COMMENT ON FUNCTION cvm.feed_column(text, text, oid, text) IS 'The column of a feed''s relation that is mapped as role; 42703 where it is missing.';

-- A column's type is one of those that times or amounts are read from.
CREATE FUNCTION cvm.check_feed_type(kind text, role text, "column" pg_catalog.pg_attribute, wanted oid[], words text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT cvm.base_type("column".atttypid) = ANY (wanted) THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
            MESSAGE = format('column "%s" of the %s feed, mapped as %s, is of type %s', "column".attname, kind, role, format_type("column".atttypid, NULL)),
            DETAIL = format('It must be %s.', words),
            HINT = 'Map a view that casts the column.';
    END IF;
END $$;
COMMENT ON FUNCTION cvm.check_feed_type(text, text, pg_catalog.pg_attribute, oid[], text) IS 'Raises 42804 unless the column has one of the wanted types, domains over them included.';

CREATE FUNCTION cvm.check_feed_privilege(portfolio text, kind text, relation oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner text := cvm.portfolio_owner(portfolio);
    missing text;
BEGIN
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY array_position('{customer,at,amount}'::text[], c.key), c.key) INTO missing
    FROM cvm.feed f CROSS JOIN LATERAL jsonb_each_text(f.columns) AS c(key, value)
    JOIN pg_attribute a ON a.attrelid = relation AND a.attname = c.value::name
    WHERE f.portfolio = check_feed_privilege.portfolio AND f.kind = check_feed_privilege.kind
      AND NOT has_column_privilege(owner, relation, a.attnum, 'SELECT');
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('the owner "%s" of portfolio "%s" may not read %s of %s', owner, portfolio, missing, relation::regclass),
            HINT = format('GRANT SELECT ON %s TO %I;', relation::regclass, owner);
    END IF;
END $$;
COMMENT ON FUNCTION cvm.check_feed_privilege(text, text, oid) IS '42501 unless the portfolio''s owner may read every mapped column of the feed.';

-- A customer is the same in every feed.
CREATE FUNCTION cvm.customer_cast(portfolio text, kind text, relation oid, role text DEFAULT 'customer') RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    customer pg_attribute := cvm.feed_column(portfolio, kind, relation, role);
    buyer pg_attribute := cvm.feed_column(portfolio, 'purchases', cvm.feed_relation(portfolio, 'purchases'), 'customer');
BEGIN
    IF customer.atttypid = buyer.atttypid THEN
        RETURN '';
    ELSIF cvm.base_type(customer.atttypid) <> cvm.base_type(buyer.atttypid)
          AND NOT EXISTS (SELECT FROM pg_cast c WHERE c.castsource = cvm.base_type(customer.atttypid)
                          AND c.casttarget = cvm.base_type(buyer.atttypid) AND c.castcontext = 'i') THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
            MESSAGE = format('%s of the %s feed are of type %s, %s of the purchases of type %s', CASE role WHEN 'alias' THEN 'aliases' ELSE 'customers' END, kind,
                             format_type(customer.atttypid, NULL), CASE role WHEN 'alias' THEN 'customers' ELSE 'those' END, format_type(buyer.atttypid, NULL)),
            HINT = 'Map a view that casts the column, so that a customer is the same in both feeds.';
    END IF;
    RETURN '::' || format_type(buyer.atttypid, NULL);
END $$;
COMMENT ON FUNCTION cvm.customer_cast(text, text, oid, text) IS 'SQL that casts the customers of a feed to the type of the purchases'', empty where they are of that type; 42804 unless the base types are equal or the cast is implicit.';

CREATE FUNCTION cvm.base_type(type oid) RETURNS oid
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    WITH RECURSIVE base(oid, typtype, typbasetype) AS (
        SELECT t.oid, t.typtype, t.typbasetype FROM pg_catalog.pg_type t WHERE t.oid = base_type.type
        UNION ALL
        SELECT t.oid, t.typtype, t.typbasetype FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd')
    SELECT base.oid FROM base WHERE base.typtype <> 'd';
END;
COMMENT ON FUNCTION cvm.base_type(oid) IS 'The type below all domains.';

-- The three columns have types that can be read.
CREATE FUNCTION cvm.check_purchases_feed(portfolio text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation oid := cvm.feed_relation(portfolio, 'purchases');
    customer pg_attribute := cvm.feed_column(portfolio, 'purchases', relation, 'customer');
    at pg_attribute := cvm.feed_column(portfolio, 'purchases', relation, 'at');
    amount pg_attribute := cvm.feed_column(portfolio, 'purchases', relation, 'amount');
BEGIN
    IF NOT cvm.is_hashable(customer.atttypid) THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_function',
            MESSAGE = format('customers of type %s can not be told apart by hashing', format_type(customer.atttypid, NULL)),
            HINT = 'Map a column of a hashable type such as bigint, uuid or text.';
    END IF;
    IF cvm.base_type(at.atttypid) NOT IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype) THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
            MESSAGE = format('column "%s", mapped as at, is of type %s', at.attname, format_type(at.atttypid, NULL)),
            DETAIL = 'The time of a purchase must be a timestamptz, a timestamp or a date.',
            HINT = 'Map a view that casts the column.';
    END IF;
    IF cvm.base_type(amount.atttypid) NOT IN ('numeric'::regtype, 'float8'::regtype, 'float4'::regtype,
                                              'int8'::regtype, 'int4'::regtype, 'int2'::regtype) THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
            MESSAGE = format('column "%s", mapped as amount, is of type %s', amount.attname, format_type(amount.atttypid, NULL)),
            DETAIL = 'An amount must be numeric, double precision, real, bigint, integer or smallint.',
            HINT = 'Map a view that casts the column.';
    END IF;
    PERFORM cvm.check_purchase_columns(portfolio, relation);
    PERFORM cvm.check_feed_privilege(portfolio, 'purchases', relation);
    PERFORM cvm.check_value_basis((SELECT p.options FROM cvm.portfolio p WHERE p.portfolio = check_purchases_feed.portfolio),
                                  (SELECT f.columns FROM cvm.feed f WHERE f.portfolio = check_purchases_feed.portfolio AND f.kind = 'purchases'));
END $$;
COMMENT ON FUNCTION cvm.check_purchases_feed(text) IS 'Raises unless the purchases feed exists, has its columns, their types can be read, the owner may read them and the value basis can be had from them: 42704, 42P01, 42703, 42883, 42804, 42501, 22023.';

CREATE FUNCTION cvm.is_hashable(type oid) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_is_hashable';
COMMENT ON FUNCTION cvm.is_hashable(oid) IS 'Whether values of a type can be grouped by hashing.';

-- ---------- add, drop ----------

CREATE FUNCTION cvm.add_feed(portfolio text, kind text, relation regclass, columns jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM cvm.own_portfolio(portfolio);
    IF kind IS NULL OR relation IS NULL OR columns IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'kind, relation and columns must not be null';
    END IF;
    PERFORM cvm.check_mapping(kind, columns);
    INSERT INTO cvm.feed AS f (portfolio, kind, relation_schema, relation_name, columns)
    SELECT add_feed.portfolio, add_feed.kind, n.nspname, c.relname, add_feed.columns
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation
    ON CONFLICT ON CONSTRAINT feed_pkey DO UPDATE
    SET relation_schema = excluded.relation_schema, relation_name = excluded.relation_name, columns = excluded.columns;
    IF kind = 'purchases' THEN
        PERFORM cvm.check_purchases_feed(portfolio), cvm.check_customer_type(portfolio);
    ELSIF kind = 'subscriptions' THEN
        PERFORM cvm.check_subscriptions_feed(portfolio);
    ELSIF kind = 'rates' THEN
        PERFORM cvm.check_rates_feed(portfolio);
    ELSIF kind = 'aliases' THEN
        PERFORM cvm.check_aliases_feed(portfolio);
    ELSIF kind = 'attributes' THEN
        PERFORM cvm.check_attributes_feed(portfolio);
    ELSIF kind IN ('spend', 'deals', 'responses', 'reviews', 'ratings', 'touchpoints', 'assignments') THEN
        PERFORM cvm.check_measured_feed(portfolio, kind);
    END IF;
END $$;
COMMENT ON FUNCTION cvm.add_feed(text, text, regclass, jsonb) IS
'Maps a relation as a feed of this kind (see cvm.feed_kinds), in place of the present one if there is one: columns is an object from cvm''s names to the relation''s. Errors as of cvm.create_portfolio.';

CREATE FUNCTION cvm.drop_feed(portfolio text, kind text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM cvm.own_portfolio(portfolio);
    IF kind = 'purchases' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('portfolio "%s" can not be without a purchases feed', portfolio),
            HINT = 'Map another relation with cvm.add_feed, or remove the portfolio with cvm.drop_portfolio.';
    END IF;
    DELETE FROM cvm.feed f WHERE f.portfolio = drop_feed.portfolio AND f.kind = drop_feed.kind;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION cvm.drop_feed(text, text) IS 'Removes the mapping of a feed; the relation stays. False if there was none. 42704 unknown portfolio, 42501 not permitted, 55000 for the purchases feed.';
