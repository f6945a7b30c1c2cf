-- cross_sell: what existing customers buy beyond what they bought before, and what they may buy next

CREATE TYPE cvm.cross_sell_row AS (
    dimension text, name text, customers bigint, buyers bigint, revenue numeric, cross_sold bigint, cross_sell_rate float8, cross_sell_revenue numeric,
    up_sold bigint, up_sell_rate float8, up_sell_revenue numeric, additional_revenue numeric, reason text);
COMMENT ON TYPE cvm.cross_sell_row IS 'Cross-selling and up-selling in a window: row of cvm.cross_sell.';
COMMENT ON COLUMN cvm.cross_sell_row.dimension IS 'total, segment or campaign';
COMMENT ON COLUMN cvm.cross_sell_row.name IS 'segment or campaign; NULL for the total';
COMMENT ON COLUMN cvm.cross_sell_row.customers IS 'existing customers: with a purchase before the window; of a campaign those of the total';
COMMENT ON COLUMN cvm.cross_sell_row.buyers IS 'of them with a purchase in the window';
COMMENT ON COLUMN cvm.cross_sell_row.revenue IS 'their amounts in the window';
COMMENT ON COLUMN cvm.cross_sell_row.cross_sold IS 'of them with a purchase in a category they had not bought before the window';
COMMENT ON COLUMN cvm.cross_sell_row.cross_sell_rate IS 'cross_sold / customers';
COMMENT ON COLUMN cvm.cross_sell_row.cross_sell_revenue IS 'amounts in those categories; the baseline is 0';
COMMENT ON COLUMN cvm.cross_sell_row.up_sold IS 'of them with a purchase in a higher price tier than ever before of the same category';
COMMENT ON COLUMN cvm.cross_sell_row.up_sell_rate IS 'up_sold / customers';
COMMENT ON COLUMN cvm.cross_sell_row.up_sell_revenue IS 'amounts of those purchases less the baseline: for each, the customer''s mean amount in the highest tier before; rounded to 6 decimals';
COMMENT ON COLUMN cvm.cross_sell_row.additional_revenue IS 'cross_sell_revenue + up_sell_revenue; the former alone where there are no price tiers';
COMMENT ON COLUMN cvm.cross_sell_row.reason IS 'why a value is NULL: no existing customers, no price tiers';

CREATE FUNCTION cvm.cross_sell_of(purchases regclass, columns jsonb, from_on date, to_on date,
    tiers numeric[] DEFAULT NULL, time_zone text DEFAULT 'UTC', segments regclass DEFAULT NULL) RETURNS SETOF cvm.cross_sell_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    PERFORM cvm.check_window(from_on, to_on);
    PERFORM cvm.numbers('a price tier', tiers::float8[]);
    IF tiers IS NOT NULL AND (cardinality(tiers) = 0 OR tiers IS DISTINCT FROM ARRAY(SELECT DISTINCT t FROM unnest(tiers) AS t ORDER BY 1)) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('price tiers can not be %s', tiers),
            HINT = 'Give the lowest amounts of the tiers above the first, ascending, such as ''{50, 200}''.';
    END IF;
    RETURN QUERY EXECUTE format('
        WITH line AS (
            SELECT p.customer, p.at, p.amount, p.category, p.campaign, p.is_purchase, CASE WHEN p.is_purchase THEN %s END AS tier FROM (%s) p
        ), existing AS (
            SELECT l.customer, %s AS segment FROM (SELECT DISTINCT q.customer FROM line q WHERE q.at < $1 AND q.is_purchase) l LEFT JOIN (%s) s USING (customer)
        ), ranked AS (
            SELECT l.customer, l.category, l.tier, l.amount, max(l.tier) OVER (PARTITION BY l.customer, l.category) AS highest
            FROM line l WHERE l.at < $1 AND l.is_purchase AND l.category IS NOT NULL
        ), baseline AS (
            SELECT r.customer, r.category, max(r.highest) AS tier, avg(r.amount) FILTER (WHERE r.tier = r.highest) AS amount FROM ranked r GROUP BY 1, 2
        ), sale AS (
            SELECT e.customer, e.segment, l.campaign, l.amount, l.is_purchase,
                   l.category IS NOT NULL AND b.customer IS NULL AS is_cross, coalesce(l.tier > b.tier, false) AS is_up, l.amount - b.amount AS above
            FROM existing e JOIN line l ON l.customer = e.customer AND l.at >= $1
            LEFT JOIN baseline b ON b.customer = l.customer AND b.category = l.category
        ), part AS (
            SELECT ''total'' AS dimension, NULL::text AS name, (SELECT count(*) FROM existing) AS customers
            UNION ALL SELECT ''segment'', e.segment, count(*) FROM existing e WHERE e.segment IS NOT NULL GROUP BY e.segment
            UNION ALL SELECT ''campaign'', s.campaign, (SELECT count(*) FROM existing) FROM sale s WHERE s.campaign IS NOT NULL GROUP BY s.campaign
        ), result AS (
            SELECT p.dimension, p.name, p.customers, count(DISTINCT s.customer) FILTER (WHERE s.is_purchase) AS buyers, coalesce(sum(s.amount), 0) AS revenue,
                   count(DISTINCT s.customer) FILTER (WHERE s.is_cross AND s.is_purchase) AS cross_sold, coalesce(sum(s.amount) FILTER (WHERE s.is_cross), 0) AS cross_revenue,
                   CASE WHEN $3 THEN count(DISTINCT s.customer) FILTER (WHERE s.is_up) END AS up_sold,
                   CASE WHEN $3 THEN coalesce(trim_scale(round(sum(s.above) FILTER (WHERE s.is_up), 6)), 0) END AS up_revenue
            FROM part p LEFT JOIN sale s ON p.dimension = ''total'' OR (p.dimension = ''segment'' AND s.segment = p.name) OR (p.dimension = ''campaign'' AND s.campaign = p.name)
            GROUP BY 1, 2, 3
        )
        SELECT r.dimension, r.name, r.customers, r.buyers, r.revenue, r.cross_sold, r.cross_sold::float8 / nullif(r.customers, 0), r.cross_revenue,
               r.up_sold, r.up_sold::float8 / nullif(r.customers, 0), r.up_revenue, r.cross_revenue + coalesce(r.up_revenue, 0),
               nullif(concat_ws('', '', CASE WHEN r.customers = 0 THEN ''no existing customers'' END, CASE WHEN NOT $3 THEN ''no price tiers'' END), '''')
        FROM result r ORDER BY array_position(''{total,segment,campaign}'', r.dimension), r.name COLLATE "C"',
        CASE WHEN columns ? 'tier' THEN 'p.tier' WHEN tiers IS NOT NULL THEN 'width_bucket(p.amount, $4)::numeric' ELSE 'NULL::numeric' END,
        cvm.measure_source('purchases', purchases, columns, '{customer,at,amount}', time_zone, '{category}'),
        CASE WHEN segments IS NULL THEN 'NULL::text' ELSE 'coalesce(s.segment, ''unclassified'')' END,
        cvm.segment_source(segments)) USING from_on, to_on, columns ? 'tier' OR tiers IS NOT NULL, tiers;
END $$;
COMMENT ON FUNCTION cvm.cross_sell_of(regclass, jsonb, date, date, numeric[], text, regclass) IS
'Additional revenue of existing customers in a window [from_on, to_on), in all, by segment and by campaign, against a stated baseline: what each had bought before from_on. Cross-selling is a purchase in a category not bought before, and all of its amount counts; up-selling one in a higher price tier than any before of the same category, and what it brings above the customer''s mean amount in the highest tier so far counts, negative where it was cheaper. Tiers are numbers, higher is dearer: the column tier, or from the lowest amounts of the tiers (tiers). Columns {customer, at, amount, category [, tier, campaign, discount, order_id, refund_of]}; a row without category is neither. Additional is not caused: what customers would have bought anyway only an experiment tells (cvm.experiment_result). New customers of the window do not count. 22023 for tiers that do not ascend, a window or a mapping; 42703, 42804.';

-- ---------- what is bought together ----------

CREATE TYPE cvm.category_rule_row AS (antecedent text, consequent text, customers bigint, support float8, confidence float8, lift float8);
COMMENT ON TYPE cvm.category_rule_row IS 'Two categories that customers share: row of cvm.category_rules.';
COMMENT ON COLUMN cvm.category_rule_row.antecedent IS 'category A';
COMMENT ON COLUMN cvm.category_rule_row.consequent IS 'category B';
COMMENT ON COLUMN cvm.category_rule_row.customers IS 'customers who bought both';
COMMENT ON COLUMN cvm.category_rule_row.support IS 'of all customers with a category in the window';
COMMENT ON COLUMN cvm.category_rule_row.confidence IS 'of those who bought A: the share who bought B too';
COMMENT ON COLUMN cvm.category_rule_row.lift IS 'confidence / share of all who bought B; above 1: more often together than by chance';

CREATE TYPE cvm.next_category_row AS (customer text, rank integer, category text, because_of text, customers bigint, support float8, confidence float8, lift float8);
COMMENT ON TYPE cvm.next_category_row IS 'A category a customer may buy next: row of cvm.next_categories.';
COMMENT ON COLUMN cvm.next_category_row.customer IS 'customer, as text';
COMMENT ON COLUMN cvm.next_category_row.rank IS '1 for the highest confidence; equal ones by lift, then by name';
COMMENT ON COLUMN cvm.next_category_row.category IS 'category not bought in the window';
COMMENT ON COLUMN cvm.next_category_row.because_of IS 'the bought category with the highest confidence for it';
COMMENT ON COLUMN cvm.next_category_row.customers IS 'customers who bought both';
COMMENT ON COLUMN cvm.next_category_row.support IS 'as in cvm.category_rules';
COMMENT ON COLUMN cvm.next_category_row.confidence IS 'as in cvm.category_rules';
COMMENT ON COLUMN cvm.next_category_row.lift IS 'as in cvm.category_rules';

CREATE FUNCTION cvm.rule_source(purchases regclass, columns jsonb, from_on date, to_on date, time_zone text, least_customers integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM cvm.check_window(from_on, to_on), cvm.argument('least_customers', least_customers, 1);
    RETURN format('bought AS (SELECT DISTINCT p.customer, p.category FROM (%s) p WHERE p.is_purchase AND p.at >= $1),
        size AS (SELECT b.category, count(*) AS customers FROM bought b GROUP BY 1), everyone AS (SELECT count(DISTINCT b.customer) AS customers FROM bought b),
        pair AS (SELECT a.category AS antecedent, b.category AS consequent, count(*) AS customers
                 FROM bought a JOIN bought b ON b.customer = a.customer AND b.category <> a.category GROUP BY 1, 2 HAVING count(*) >= $3),
        rule AS (SELECT p.antecedent, p.consequent, p.customers, p.customers::float8 / e.customers AS support, p.customers::float8 / a.customers AS confidence,
                        p.customers::float8 * e.customers / (a.customers::float8 * b.customers) AS lift
                 FROM pair p JOIN size a ON a.category = p.antecedent JOIN size b ON b.category = p.consequent CROSS JOIN everyone e)',
        cvm.measure_source('purchases', purchases, columns, '{customer,at,amount,category}', time_zone));
END $$;
COMMENT ON FUNCTION cvm.rule_source(regclass, jsonb, date, date, text, integer) IS 'Common table expressions bought and rule of the measures of co-purchase.';

CREATE FUNCTION cvm.category_rules_of(purchases regclass, columns jsonb, from_on date, to_on date, least_customers integer DEFAULT 2, time_zone text DEFAULT 'UTC')
RETURNS SETOF cvm.category_rule_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    RETURN QUERY EXECUTE format('WITH %s SELECT r.* FROM rule r ORDER BY r.confidence DESC, r.lift DESC, r.antecedent COLLATE "C", r.consequent COLLATE "C"',
        cvm.rule_source(purchases, columns, from_on, to_on, time_zone, least_customers)) USING from_on, to_on, least_customers;
END $$;
COMMENT ON FUNCTION cvm.category_rules_of(regclass, jsonb, date, date, integer, text) IS
'Categories that the same customers bought in a window [from_on, to_on): support, confidence and lift of every ordered pair that at least least_customers bought (association rules: Agrawal, Imielinski & Swami 1993). The basket is the customer in the window, not the order, and the order of purchases does not count. Confidence alone favours what everybody buys: see lift. Columns {customer, at, amount, category}. 22023 outside the domains; 42703, 42804.';

CREATE FUNCTION cvm.next_categories_of(purchases regclass, columns jsonb, from_on date, to_on date, most integer DEFAULT 3, least_customers integer DEFAULT 2, time_zone text DEFAULT 'UTC')
RETURNS SETOF cvm.next_category_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    PERFORM cvm.argument('most', most, 1);
    RETURN QUERY EXECUTE format('
        WITH %s, best AS (
            SELECT DISTINCT ON (b.customer, r.consequent) b.customer, r.* FROM bought b JOIN rule r ON r.antecedent = b.category
            WHERE NOT EXISTS (SELECT FROM bought h WHERE h.customer = b.customer AND h.category = r.consequent)
            ORDER BY b.customer, r.consequent, r.confidence DESC, r.lift DESC, r.antecedent COLLATE "C"
        ), ranked AS (
            SELECT b.*, row_number() OVER (PARTITION BY b.customer ORDER BY b.confidence DESC, b.lift DESC, b.consequent COLLATE "C")::integer AS rank FROM best b
        )
        SELECT r.customer, r.rank, r.consequent, r.antecedent, r.customers, r.support, r.confidence, r.lift FROM ranked r WHERE r.rank <= $4 ORDER BY r.customer COLLATE "C", r.rank',
        cvm.rule_source(purchases, columns, from_on, to_on, time_zone, least_customers)) USING from_on, to_on, least_customers, most;
END $$;
COMMENT ON FUNCTION cvm.next_categories_of(regclass, jsonb, date, date, integer, integer, text) IS
'For each customer of a window the categories most likely next: those not bought in it, by the highest confidence that a bought one gives (cvm.category_rules_of), at most `most` each. A count of what others did, not a probability of a purchase; no row for customers of whom no rule says anything. Arguments and errors of cvm.category_rules_of.';

CREATE FUNCTION cvm.cross_sell(portfolio text, from_on date, to_on date, tiers numeric[] DEFAULT NULL) RETURNS SETOF cvm.cross_sell_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.measured_feed(portfolio, 'purchases') f,
           LATERAL cvm.cross_sell_of(f.relation, f.columns, from_on, to_on, tiers, f.time_zone, f.segments) v;
END;
COMMENT ON FUNCTION cvm.cross_sell(text, date, date, numeric[]) IS
'Cross-selling and up-selling of a portfolio in a window: cvm.cross_sell_of on its purchases feed, which must map category, with its segments as published. Needs SELECT on the feed. 42704, 42501 and the errors of that.';

CREATE FUNCTION cvm.category_rules(portfolio text, from_on date, to_on date, least_customers integer DEFAULT 2) RETURNS SETOF cvm.category_rule_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.measured_feed(portfolio, 'purchases') f,
           LATERAL cvm.category_rules_of(f.relation, f.columns, from_on, to_on, least_customers, f.time_zone) v;
END;
COMMENT ON FUNCTION cvm.category_rules(text, date, date, integer) IS 'Categories that customers of a portfolio share: cvm.category_rules_of on its purchases feed. As cvm.cross_sell otherwise.';

CREATE FUNCTION cvm.next_categories(portfolio text, from_on date, to_on date, most integer DEFAULT 3, least_customers integer DEFAULT 2) RETURNS SETOF cvm.next_category_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.measured_feed(portfolio, 'purchases') f,
           LATERAL cvm.next_categories_of(f.relation, f.columns, from_on, to_on, most, least_customers, f.time_zone) v;
END;
COMMENT ON FUNCTION cvm.next_categories(text, date, date, integer, integer) IS 'Categories most likely next of every customer of a portfolio: cvm.next_categories_of on its purchases feed. As cvm.cross_sell otherwise.';

-- ---------- reports ----------

-- None of them has rows where the purchases feed maps no category.
CREATE FUNCTION cvm.category_window(portfolio text, relation text) RETURNS SETOF cvm.report_window_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT w.* FROM cvm.feed f, LATERAL cvm.report_months(f.portfolio, relation) w
    WHERE f.portfolio = category_window.portfolio AND f.kind = 'purchases' AND f.columns OPERATOR(pg_catalog.?) 'category';
END;
COMMENT ON FUNCTION cvm.category_window(text, text) IS 'cvm.report_months of a portfolio whose purchases feed maps category; else no row.';

CREATE FUNCTION cvm.cross_sell_report(portfolio text) RETURNS SETOF cvm.cross_sell_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.dimension, coalesce(v.name, 'all'), v.customers, v.buyers, v.revenue, v.cross_sold, v.cross_sell_rate, v.cross_sell_revenue,
           v.up_sold, v.up_sell_rate, v.up_sell_revenue, v.additional_revenue, v.reason
    FROM cvm.category_window(portfolio, 'cross_sell') w, LATERAL cvm.cross_sell(w.portfolio, w.from_on, w.to_on) v;
END;
COMMENT ON FUNCTION cvm.cross_sell_report(text) IS 'Cross-selling and up-selling in the window of report_window, against what each customer had bought before it: in all (name: all), by segment and by campaign. Made where the option reports names it and category is mapped.';

CREATE FUNCTION cvm.category_rules_report(portfolio text) RETURNS SETOF cvm.category_rule_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.category_window(portfolio, 'category_rules') w, LATERAL cvm.category_rules(w.portfolio, w.from_on, w.to_on) v;
END;
COMMENT ON FUNCTION cvm.category_rules_report(text) IS 'Pairs of categories that the same customers bought in the window of report_window. Made where the option reports names it and category is mapped.';

CREATE FUNCTION cvm.next_categories_report(portfolio text) RETURNS SETOF cvm.next_category_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.category_window(portfolio, 'next_categories') w, LATERAL cvm.next_categories(w.portfolio, w.from_on, w.to_on) v;
END;
COMMENT ON FUNCTION cvm.next_categories_report(text) IS 'For each customer of the window of report_window the three categories most likely next, by what others bought. Made where the option reports names it and category is mapped.';

-- ---------- parts of future value ----------

CREATE TYPE cvm.future_value_row AS (
    segment text, is_total boolean, customers bigint, future_value float8, base_value float8, cross_sell_value float8, up_sell_value float8, referral_value float8, reason text);
COMMENT ON TYPE cvm.future_value_row IS 'Parts of the future value of a segment: row of cvm.future_value.';
COMMENT ON COLUMN cvm.future_value_row.segment IS 'segment; all is the total';
COMMENT ON COLUMN cvm.future_value_row.is_total IS 'true for the total';
COMMENT ON COLUMN cvm.future_value_row.customers IS 'customers with a residual value';
COMMENT ON COLUMN cvm.future_value_row.future_value IS 'sum of residual values as published: expected purchases x expected spend x margin, discounted';
COMMENT ON COLUMN cvm.future_value_row.base_value IS 'of it what is neither cross-selling nor up-selling';
COMMENT ON COLUMN cvm.future_value_row.cross_sell_value IS 'of it cross-selling: the share that it had in the revenue of existing customers in the window';
COMMENT ON COLUMN cvm.future_value_row.up_sell_value IS 'of it up-selling: likewise; NULL without price tiers';
COMMENT ON COLUMN cvm.future_value_row.referral_value IS 'value of customers to be referred: always NULL, since no feed says who referred whom';
COMMENT ON COLUMN cvm.future_value_row.reason IS 'why a part is NULL: no referrals, no price tiers, no revenue of existing customers';

CREATE FUNCTION cvm.future_value(portfolio text, from_on date, to_on date, tiers numeric[] DEFAULT NULL) RETURNS SETOF cvm.future_value_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY EXECUTE format('
        WITH value AS (
            SELECT coalesce(m.segment, ''all'') AS segment, GROUPING(m.segment) = 1 AS is_total, count(v.residual_value) AS customers, coalesce(sum(v.residual_value ORDER BY v.residual_value), 0) AS amount
            FROM %1$I.clv v JOIN %1$I.segment_member m USING (customer_id) GROUP BY GROUPING SETS ((), (m.segment))
        ), sold AS (
            SELECT CASE c.dimension WHEN ''total'' THEN ''all'' ELSE c.name END AS segment, c.dimension = ''total'' AS is_total,
                   c.cross_sell_revenue::float8 / CASE WHEN c.revenue > 0 THEN c.revenue END::float8 AS cross_share,
                   c.up_sell_revenue::float8 / CASE WHEN c.revenue > 0 THEN c.revenue END::float8 AS up_share, c.up_sell_revenue IS NULL AS lacks_tiers
            FROM cvm.cross_sell($1, $2, $3, $4) c WHERE c.dimension <> ''campaign''
        )
        SELECT v.segment, v.is_total, v.customers, v.amount, v.amount * (1 - s.cross_share - coalesce(s.up_share, 0)), v.amount * s.cross_share, v.amount * s.up_share, NULL::float8,
               concat_ws('', '', ''no referrals'', CASE WHEN s.lacks_tiers THEN ''no price tiers'' END, CASE WHEN s.cross_share IS NULL THEN ''no revenue of existing customers'' END)
        FROM value v LEFT JOIN sold s USING (segment, is_total) ORDER BY v.is_total DESC, v.segment COLLATE "C"', (cvm.own_portfolio(portfolio)).output_schema)
    USING portfolio, from_on, to_on, tiers;
END $$;
COMMENT ON FUNCTION cvm.future_value(text, date, date, numeric[]) IS
'Published residual values of a portfolio, in all and by segment, divided into what is expected from more of the same, from cross-selling and from up-selling, by the shares that these had in the revenue of existing customers in a window [from_on, to_on) (cvm.cross_sell). It assumes that they keep these shares; the models forecast purchases and spend, not categories. Segments add up to the total in future_value, not in its parts, since each has shares of its own. Referrals are in no feed. As cvm.cross_sell otherwise.';

CREATE FUNCTION cvm.future_value_report(portfolio text) RETURNS SETOF cvm.future_value_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.category_window(portfolio, 'future_value') w, LATERAL cvm.future_value(w.portfolio, w.from_on, w.to_on) v;
END;
COMMENT ON FUNCTION cvm.future_value_report(text) IS 'Residual value by segment in parts: base, cross-selling, up-selling, by their shares in the window of report_window. Made where the option reports names it and category is mapped.';
