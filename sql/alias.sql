-- alias: customers that are known under several identities, counted as one (doc/aliases.md)
--
-- The feed aliases says of an identity which customer it is.  Whatever reads a feed
-- whose rows belong to customers joins it to cvm.resolved_aliases, so that everything
-- behind the query sees the surviving customers alone.  Without the feed there is no join.

CREATE FUNCTION cvm.has_aliases(portfolio text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (SELECT FROM cvm.feed f WHERE f.portfolio = has_aliases.portfolio AND f.kind = 'aliases');
COMMENT ON FUNCTION cvm.has_aliases(text) IS 'Whether the portfolio has a feed of aliases.';

CREATE FUNCTION cvm.check_aliases_feed(portfolio text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation oid := cvm.feed_relation(portfolio, 'aliases');
BEGIN
    PERFORM cvm.customer_cast(portfolio, 'aliases', relation, 'alias'), cvm.customer_cast(portfolio, 'aliases', relation, 'customer');
    PERFORM cvm.check_feed_privilege(portfolio, 'aliases', relation);
END $$;
COMMENT ON FUNCTION cvm.check_aliases_feed(text) IS 'Raises unless the aliases feed exists, has its columns, both are of the type of the purchases'' customers and the owner may read them: 42704, 42P01, 42703, 42804, 42501.';

-- The operator by which hashing tells customers apart: that of the type, whatever the search path.
CREATE FUNCTION cvm.equality_of(type oid) RETURNS text
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
    SELECT coalesce((SELECT pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname)
                     FROM pg_catalog.pg_opclass c
                     JOIN pg_catalog.pg_am a ON a.oid OPERATOR(pg_catalog.=) c.opcmethod AND a.amname OPERATOR(pg_catalog.=) 'hash'
                     JOIN pg_catalog.pg_amop p ON p.amopfamily OPERATOR(pg_catalog.=) c.opcfamily AND p.amopstrategy OPERATOR(pg_catalog.=) 1
                          AND p.amoplefttype OPERATOR(pg_catalog.=) c.opcintype AND p.amoprighttype OPERATOR(pg_catalog.=) c.opcintype
                     JOIN pg_catalog.pg_operator o ON o.oid OPERATOR(pg_catalog.=) p.amopopr
                     JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) o.oprnamespace
                     WHERE c.opcdefault AND c.opcintype OPERATOR(pg_catalog.=) cvm.base_type(equality_of.type)), 'OPERATOR(pg_catalog.=)');
END;
COMMENT ON FUNCTION cvm.equality_of(oid) IS 'SQL of the operator of equality in a type''s default hash operator class; that of pg_catalog for types without one of their own, such as arrays and rows.';

CREATE FUNCTION cvm.collate_clause("collation" oid) RETURNS text
LANGUAGE sql STABLE STRICT
RETURN coalesce((SELECT pg_catalog.format(' COLLATE %I.%I', n.nspname, c.collname) FROM pg_catalog.pg_collation c
                 JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.collnamespace WHERE c.oid OPERATOR(pg_catalog.=) "collation"), '');
COMMENT ON FUNCTION cvm.collate_clause(oid) IS 'SQL that gives an expression a collation, empty for none.';

-- ---------- chains ----------

-- Links: alias and customer, each once, those of an alias to itself left out.  Chains: from the customers that are no alias back to
-- their aliases, so that each alias is met once; those of a loop are not met.
CREATE FUNCTION cvm.alias_links(portfolio text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    feed cvm.feed;
    relation oid := cvm.feed_relation(portfolio, 'aliases');
    buyer pg_attribute := cvm.feed_column(portfolio, 'purchases', cvm.feed_relation(portfolio, 'purchases'), 'customer');
    equals text := cvm.equality_of(buyer.atttypid);
BEGIN
    SELECT f.* INTO STRICT feed FROM cvm.feed f WHERE f.portfolio = alias_links.portfolio AND f.kind = 'aliases';
    RETURN format('link AS MATERIALIZED (SELECT DISTINCT f.%1$I%2$s AS alias, f.%3$I%4$s AS customer FROM %5$I.%6$I AS f WHERE NOT f.%1$I%2$s %7$s f.%3$I%4$s),
        chain AS (SELECT l.alias, l.customer FROM link l WHERE NOT EXISTS (SELECT FROM link n WHERE n.alias %7$s l.customer)
                  UNION ALL SELECT l.alias, c.customer FROM chain c JOIN link l ON l.customer %7$s c.alias)',
        feed.columns ->> 'alias', cvm.customer_cast(portfolio, 'aliases', relation, 'alias') || cvm.collate_clause(buyer.attcollation),
        feed.columns ->> 'customer', cvm.customer_cast(portfolio, 'aliases', relation, 'customer') || cvm.collate_clause(buyer.attcollation),
        feed.relation_schema, feed.relation_name, equals);
END $$;
COMMENT ON FUNCTION cvm.alias_links(text) IS 'Common table expressions link, the rows of the aliases feed as one of the purchases'' type of customers, and chain, each alias that ends at a customer with that customer; for WITH RECURSIVE.';

CREATE FUNCTION cvm.refuse_aliases(portfolio text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found record;
    path text[];
BEGIN
    EXECUTE format('WITH RECURSIVE %1$s, walk AS (
            (SELECT l.customer, ARRAY[l.alias::text] AS path, l.customer::text AS next FROM link l
             WHERE NOT EXISTS (SELECT FROM chain c WHERE c.alias %2$s l.alias) ORDER BY l.alias::text COLLATE "C" LIMIT 1)
            UNION ALL
            SELECT l.customer, w.path || w.next, l.customer::text FROM walk w JOIN link l ON l.alias %2$s w.customer
            WHERE NOT w.next = ANY (w.path) AND cardinality(w.path) < 50)
        SELECT w.path, w.next FROM walk w ORDER BY cardinality(w.path) DESC LIMIT 1', cvm.alias_links(portfolio),
        cvm.equality_of((cvm.feed_column(portfolio, 'purchases', cvm.feed_relation(portfolio, 'purchases'), 'customer')).atttypid)) INTO found;
    path := found.path[coalesce(array_position(found.path, found.next), 1):] || found.next;
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
        MESSAGE = format('the aliases of portfolio "%s" go round in a loop: %s', portfolio, array_to_string(path, ' -> ')),
        HINT = 'One of them is the customer that stays: take the row out of the aliases feed that makes it another''s alias.';
END $$;
COMMENT ON FUNCTION cvm.refuse_aliases(text) IS 'Raises 22023 with the identities of a loop among a portfolio''s aliases.';

-- The sample gives the type, with its collation.
CREATE FUNCTION cvm.resolved_aliases(portfolio text, sample anyelement) RETURNS TABLE (alias anyelement, customer anyelement)
LANGUAGE plpgsql STABLE ROWS 10000 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    -- the sample's collation is that of all arguments here, and not for the catalogue
    name text COLLATE "default" := portfolio;
    feed cvm.feed;
    links text;
    n record;
    met bigint;
BEGIN
    PERFORM cvm.check_aliases_feed(name);
    SELECT f.* INTO STRICT feed FROM cvm.feed f WHERE f.portfolio = name AND f.kind = 'aliases';
    links := cvm.alias_links(name);
    EXECUTE format('WITH RECURSIVE %s SELECT (SELECT count(*) FROM link) AS links, d.alias::text AS alias, d.customers,
            (SELECT count(*) FROM %I.%I AS f WHERE f.%I IS NOT DISTINCT FROM NULL OR f.%I IS NOT DISTINCT FROM NULL) AS empty
        FROM (VALUES (1)) AS one LEFT JOIN (SELECT l.alias, array_agg(l.customer::text ORDER BY l.customer::text COLLATE "C") AS customers
                                            FROM link l GROUP BY l.alias HAVING count(*) > 1 ORDER BY l.alias::text COLLATE "C" LIMIT 1) d ON true',
        links, feed.relation_schema, feed.relation_name, feed.columns ->> 'alias', feed.columns ->> 'customer') INTO n;
    -- whatever functions of a view have set
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    IF n.empty > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = format('the aliases feed of portfolio "%s" has %s without an alias or a customer', name, cvm.counted(n.empty, '%s row', '%s rows')),
            HINT = 'Map a view that leaves such rows out.';
    ELSIF n.customers IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'cardinality_violation',
            MESSAGE = format('alias %s of portfolio "%s" names %s customers: %s%s', n.alias, name, cardinality(n.customers),
                             array_to_string(n.customers[:5], ', '), CASE WHEN cardinality(n.customers) > 5 THEN ', ...' ELSE '' END),
            HINT = 'An alias is one customer''s: map a view with one row an alias.';
    END IF;
    RETURN QUERY EXECUTE format('WITH RECURSIVE %s SELECT c.alias, c.customer FROM chain c', links);
    GET DIAGNOSTICS met = ROW_COUNT;
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    IF met <> n.links THEN
        PERFORM cvm.refuse_aliases(name);
    END IF;
END $$;
COMMENT ON FUNCTION cvm.resolved_aliases(text, anyelement) IS
'Aliases of a portfolio and the customer that each ends at: chains are followed, a row of an alias to itself says nothing. sample: any value of the type of the purchases'' customers, such as NULL::bigint. Errors: 22004 a row without alias or customer, 21000 an alias of two customers, 22023 a loop, and those of cvm.check_aliases_feed.';

-- ---------- in a query ----------

CREATE FUNCTION cvm.alias_join(portfolio text, expression text, type oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    feed cvm.feed;
    buyer pg_attribute;
BEGIN
    IF NOT cvm.has_aliases(portfolio) THEN
        RETURN '';
    END IF;
    SELECT f.* INTO STRICT feed FROM cvm.feed f WHERE f.portfolio = alias_join.portfolio AND f.kind = 'purchases';
    buyer := cvm.feed_column(portfolio, 'purchases', cvm.feed_relation(portfolio, 'purchases'), 'customer');
    -- a sample out of the relation itself has the type and collation of its column, and no constraint of a domain can refuse it
    RETURN format(' LEFT JOIN cvm.resolved_aliases(%L, (SELECT c.%I FROM %I.%I AS c LIMIT 0)) AS merged ON ', portfolio,
                  feed.columns ->> 'customer', feed.relation_schema, feed.relation_name)
        || CASE WHEN cvm.base_type(type) = cvm.base_type(buyer.atttypid)
                THEN format('merged.alias %s (%s)%s', cvm.equality_of(buyer.atttypid), expression, cvm.collate_clause(buyer.attcollation))
                ELSE format('merged.alias::text COLLATE "C" = (%s)::text', expression) END;
END $$;
COMMENT ON FUNCTION cvm.alias_join(text, text, oid) IS 'SQL that joins a customer, an expression of this type, to merged, his row of cvm.resolved_aliases if he has one; empty without a feed of aliases. Customers of another type than the purchases'' are compared as text.';

CREATE FUNCTION cvm.merged_customer(portfolio text, expression text, type oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    buyer pg_attribute;
BEGIN
    IF NOT cvm.has_aliases(portfolio) THEN
        RETURN expression;
    END IF;
    buyer := cvm.feed_column(portfolio, 'purchases', cvm.feed_relation(portfolio, 'purchases'), 'customer');
    RETURN CASE WHEN cvm.base_type(type) = cvm.base_type(buyer.atttypid) THEN format('coalesce(merged.customer, %s)', expression)
                ELSE format('coalesce(merged.customer::text, (%s)::text)', expression) END;
END $$;
COMMENT ON FUNCTION cvm.merged_customer(text, text, oid) IS 'SQL of the customer that cvm.alias_join has found, else of the expression itself.';
