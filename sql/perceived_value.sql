-- perceived_value: what customers get for what they give, beside competitors, and what moves their choice of brand
--
-- Scores and prices are given as plain numbers and arrays, so that any table of ratings will
-- do; doc/perceived-value.md has the queries.  Brand values are in equity_formula.sql.

-- ---------- benefits and costs ----------

CREATE FUNCTION cvm.perceived_value(unit text, product_benefit float8, service_benefit float8, personal_benefit float8, image_benefit float8,
    monetary_cost float8, time_cost float8, energy_cost float8, psychic_cost float8)
RETURNS TABLE (total_benefit float8, total_cost float8, delivered_value float8, value_ratio float8, measured_in text)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF btrim(unit) = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'perceived value needs a unit',
            DETAIL = 'Benefits and costs can be added and subtracted only if all of them are measured in one.',
            HINT = 'Name it, such as ''EUR'' or ''points''.';
    END IF;
    measured_in := unit;
    IF unit IS NOT NULL THEN
        total_benefit := cvm.argument('product_benefit', product_benefit, 0) + cvm.argument('service_benefit', service_benefit, 0)
                         + cvm.argument('personal_benefit', personal_benefit, 0) + cvm.argument('image_benefit', image_benefit, 0);
        total_cost := cvm.argument('monetary_cost', monetary_cost, 0) + cvm.argument('time_cost', time_cost, 0)
                      + cvm.argument('energy_cost', energy_cost, 0) + cvm.argument('psychic_cost', psychic_cost, 0);
        delivered_value := total_benefit - total_cost;
        value_ratio := total_benefit / nullif(total_cost, 0);
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION cvm.perceived_value(text, float8, float8, float8, float8, float8, float8, float8, float8) IS
'Customer delivered value (Kotler 2000): total benefit (product, service, personal, image) - total cost (monetary, time, energy, psychic), and their ratio. All eight must be measured in the unit that is named, such as money that customers would pay: points of a rating and a price do not add up. A component that nobody asked about is 0; NULL is unknown, and so is its sum. value_ratio is NULL where nothing is paid. Ranks by difference and by ratio may differ: the first favours big purchases. 22023 for an empty unit and for components that are negative or not finite.';

-- ---------- quality, price and value beside competitors ----------

CREATE FUNCTION cvm.quality_ratio(weights float8[], own float8[], competitor float8[]) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT sum(a.weight * (a.own / a.competitor) ORDER BY a.n) / nullif(sum(a.weight ORDER BY a.n), 0)
    FROM unnest(cvm.numbers('a weight', weights, 0), cvm.numbers('an own score', quality_ratio.own, 0),
                cvm.numbers('a score of the competitor', quality_ratio.competitor, 1e-300)) WITH ORDINALITY AS a(weight, own, competitor, n)
    WHERE cvm.argument('the difference between the lengths of weights and own', cardinality(weights) - cardinality(quality_ratio.own), 0, 0) = 0
      AND cvm.argument('the difference between the lengths of weights and competitor', cardinality(weights) - cardinality(quality_ratio.competitor), 0, 0) = 0);
COMMENT ON FUNCTION cvm.quality_ratio(float8[], float8[], float8[]) IS
'Market-perceived quality ratio (Gale 1994): sum of weight x own score / competitor''s score over the attributes other than price; above 1 is better. Weights are importances, >= 0; they are divided by their sum. Scores of customers of the whole market, best of one''s own and the competitors'' alike; competitor: one of them or the mean of several. Not the ratio of weighted means, which practitioners use too: here an attribute counts by its ratio. NULL where the weights sum to 0; 22023 for a competitor''s score of 0, negative numbers and lengths that differ; 22004 for a NULL among them: leave the attribute out.';

CREATE FUNCTION cvm.relative_price(weights float8[], own float8[], competitor float8[]) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 1 / nullif(cvm.quality_ratio(weights, own, competitor), 0);
COMMENT ON FUNCTION cvm.relative_price(float8[], float8[], float8[]) IS
'Market-perceived relative price (Gale 1994): 1 / sum of weight x own score / competitor''s score over price attributes, where a high score is a good price; above 1 is dearer. Of prices in money it is own price / competitor''s price. NULL where it would be infinite; otherwise as cvm.quality_ratio.';

CREATE FUNCTION cvm.worth_paid_for(own_score float8, competitor_scores float8[]) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.argument('own_score', own_score, 0)
       / nullif((SELECT avg(s ORDER BY s) FROM unnest(cvm.numbers('a score of a competitor', ARRAY(SELECT c FROM unnest(competitor_scores) AS c WHERE c IS NOT NULL), 0)) AS s), 0);
COMMENT ON FUNCTION cvm.worth_paid_for(float8, float8[]) IS
'Customer value added (CVA; Gale 1994): own mean score on "worth what paid for" / mean of the competitors'' scores; above 1 is better value. Often printed x 100. Competitors without a rating (NULL) are left out; NULL if none has one, or all have 0. 22023 for negative scores and what is not finite. Not the economic value added of the same abbreviation.';

CREATE FUNCTION cvm.value_band(worth_paid_for float8) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN cvm.argument('worth_paid_for', worth_paid_for, 0) > 1.1 THEN 'world class'
            WHEN worth_paid_for >= 1.03 THEN 'above parity'
            WHEN worth_paid_for >= 0.98 THEN 'parity'
            WHEN worth_paid_for < 0.98 THEN 'below parity' END;
COMMENT ON FUNCTION cvm.value_band(float8) IS
'Band of cvm.worth_paid_for, from the PIMS data base: world class above 1.10 (15 % of businesses), above parity from 1.03 (25 %), parity from 0.98 (20 %), below parity (40 %). A rule of thumb that knows nothing of the number of answers: see whether the two scores differ at all (cvm.difference). 22023 for a negative one.';

CREATE FUNCTION cvm.value_map(suppliers text[], scores float8[], weights float8[], prices float8[], price_weight float8)
RETURNS TABLE (supplier text, quality_ratio float8, relative_price float8, fair_quality float8, distance float8, value_position text, quadrant text, status text, reason text)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n integer := cardinality(suppliers);
    attributes integer := cardinality(weights);
    weight_sum float8 := (SELECT sum(w ORDER BY w) FROM unnest(cvm.numbers('a weight', weights, 0)) AS w);
    slope float8 := cvm.argument('price_weight', price_weight, 0, 1) / nullif(1 - price_weight, 0);
BEGIN
    IF n = 0 THEN
        RETURN;
    END IF;
    IF array_ndims(scores) IS DISTINCT FROM 2 OR array_length(scores, 1) <> n OR array_length(scores, 2) <> attributes OR cardinality(prices) <> n THEN
        RAISE EXCEPTION USING ERRCODE = 'array_subscript_error',
            MESSAGE = format('scores and prices do not fit %s suppliers and %s weights', n, attributes),
            DETAIL = 'Scores must have a row for each supplier with a column for each weight; there must be a price for each supplier.';
    END IF;
    IF slope IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'price_weight 1 leaves no weight for quality', HINT = 'It must be less than 1.';
    END IF;
    RETURN QUERY
    WITH cell AS (
        SELECT (u.n - 1) / attributes + 1 AS s, (u.n - 1) % attributes + 1 AS a, cvm.argument('a score', u.score, 0) AS score
        FROM unnest(scores) WITH ORDINALITY AS u(score, n)
    ), compared AS (
        SELECT c.s, c.a, w.weight, c.score, (SELECT nullif(avg(o.score ORDER BY o.s), 0) FROM cell o WHERE o.a = c.a AND o.s <> c.s) AS others
        FROM cell c JOIN unnest(weights) WITH ORDINALITY AS w(weight, n) ON w.n = c.a WHERE w.weight > 0
    ), quality AS (
        SELECT c.s, sum(c.weight * (c.score / c.others) ORDER BY c.a) / weight_sum AS ratio, bool_and(c.score IS NOT NULL AND c.others IS NOT NULL) AS known,
               string_agg(c.a::text, ', ' ORDER BY c.a) FILTER (WHERE c.score IS NULL) AS unrated,
               string_agg(c.a::text, ', ' ORDER BY c.a) FILTER (WHERE c.others IS NULL) AS alone
        FROM compared c GROUP BY c.s
    ), price AS (
        SELECT p.n AS s, cvm.argument('a price', p.price, 0) AS price,
               (SELECT nullif(avg(cvm.argument('a price', o.price, 0) ORDER BY o.n), 0) FROM unnest(prices) WITH ORDINALITY AS o(price, n) WHERE o.n <> p.n) AS others
        FROM unnest(prices) WITH ORDINALITY AS p(price, n)
    ), placed AS (
        SELECT x.n, x.supplier, CASE WHEN q.known THEN q.ratio END AS quality, p.price / p.others AS price,
               1 + slope * (p.price / p.others - 1) AS fair, q.unrated, q.alone, p.price AS own_price, p.others AS other_prices
        FROM unnest(suppliers) WITH ORDINALITY AS x(supplier, n) LEFT JOIN quality q ON q.s = x.n JOIN price p ON p.s = x.n
    )
    SELECT p.supplier, p.quality, p.price, p.fair, p.quality - p.fair,
           CASE WHEN p.quality - p.fair > 1e-9 THEN 'better value' WHEN p.quality - p.fair < -1e-9 THEN 'worse value' WHEN p.quality = p.quality AND p.fair = p.fair THEN 'fair value' END,
           CASE WHEN p.quality >= 1 - 1e-9 THEN CASE WHEN p.price >= 1 - 1e-9 THEN 'premium' WHEN p.price IS NOT NULL THEN 'outstanding value' END
                WHEN p.quality IS NOT NULL THEN CASE WHEN p.price >= 1 - 1e-9 THEN 'poor value' WHEN p.price IS NOT NULL THEN 'economy' END END,
           CASE WHEN coalesce(weight_sum, 0) = 0 THEN 'no weights' WHEN p.unrated IS NOT NULL THEN 'not rated' WHEN p.alone IS NOT NULL THEN 'no competitor'
                WHEN p.own_price IS NULL THEN 'no price' WHEN p.other_prices IS NULL THEN 'no competitor' ELSE 'ok' END,
           CASE WHEN coalesce(weight_sum, 0) = 0 THEN 'the weights of quality sum to 0'
                WHEN p.unrated IS NOT NULL THEN format('no score on attribute %s', p.unrated)
                WHEN p.alone IS NOT NULL THEN format('no other supplier has a score above 0 on attribute %s', p.alone)
                WHEN p.own_price IS NULL THEN 'its price is not known'
                WHEN p.other_prices IS NULL THEN 'no other supplier has a price above 0' END
    FROM placed p ORDER BY p.n;
END $$;
COMMENT ON FUNCTION cvm.value_map(text[], float8[], float8[], float8[], float8) IS
'Customer value map (Gale 1994): each supplier by relative price (own / mean of the others'') and market-perceived quality (cvm.quality_ratio against the mean of the others''). scores: a row for each supplier with its mean score on each attribute other than price, NULL where it has none; weights: importance of each attribute, >= 0, divided by their sum, of which those of 0 are not looked at; prices in money, NULL if not known; price_weight: importance of price beside quality, 0 to less than 1. The fair-value line goes through (1, 1) with slope price_weight / (1 - price_weight): fair_quality is its height at the relative price, distance how far above it (better value) or below (worse value) the supplier is. quadrant: premium (quality and price >= 1), outstanding value, economy, poor value. What can not be told is NULL, and status and reason say why. 22023 for negative scores, weights and prices and a price_weight of 1; 2202E for lengths that do not fit; no rows for NULL arguments.';

-- ---------- potential and realised value ----------

CREATE FUNCTION cvm.value_realisation(potential float8, discovered float8, delivered float8, realised float8)
RETURNS TABLE (stage text, value float8, gap float8, gap_share float8, rate float8)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT s.stage, s.value, s.before - s.value, (s.before - s.value) / nullif(cvm.argument('potential', potential, 0), 0), s.value / nullif(s.before, 0)
    FROM (VALUES (1, 'discovery', cvm.argument('potential', potential, 0), cvm.argument('discovered', discovered, 0)),
                 (2, 'delivery', cvm.argument('discovered', discovered, 0), cvm.argument('delivered', delivered, 0)),
                 (3, 'realisation', cvm.argument('delivered', delivered, 0), cvm.argument('realised', realised, 0)),
                 (4, 'total', cvm.argument('potential', potential, 0), cvm.argument('realised', realised, 0))) AS s(n, stage, before, value)
    ORDER BY s.n;
END;
COMMENT ON FUNCTION cvm.value_realisation(float8, float8, float8, float8) IS
'Where potential value is lost on its way: discovery (needs that were found / potential), delivery (what was offered and delivered / found), realisation (what customers have got out of it / delivered), and the total. All four in one unit, of one customer or sums of a segment. gap: what a stage loses; gap_share: the same / potential, which sum to that of the total; rate: what a stage keeps. A stage that gives more than the one before has a negative gap. NULL where what it is divided by is 0, and what depends on a NULL; 22023 for negative numbers.';

-- ---------- what moves the choice of brand ----------

CREATE FUNCTION cvm.switching_matrix(utilities float8[], inertia float8 DEFAULT 0) RETURNS float8[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT array_agg(cvm.logit_choice(ARRAY(SELECT u.utility + CASE WHEN u.n = r.n THEN cvm.argument('inertia', inertia) ELSE 0 END
                                            FROM unnest(utilities) WITH ORDINALITY AS u(utility, n) ORDER BY u.n)) ORDER BY r.n)
    FROM unnest(cvm.numbers('a utility', utilities)) WITH ORDINALITY AS r(utility, n)
    WHERE inertia IS NOT NULL AND cvm.argument('the number of brands', cardinality(utilities), 0, 1000) IS NOT NULL);
COMMENT ON FUNCTION cvm.switching_matrix(float8[], float8) IS
'Brand-switching matrix of one customer (Rust, Lemon & Zeithaml 2004): row i, the brand bought last, has the logit choices of utilities U_k + inertia for k = i. utilities: X b, what the drivers say of each brand; inertia b0: the coefficient of having bought the brand last. Rows sum to 1; argument of cvm.brand_value and cvm.market_equity. NULL for no brands; 22023 for what is not finite.';

CREATE FUNCTION cvm.market_equity(brands text[], start float8[], switching float8[], purchases_per_year float8, purchase_volume float8, contribution float8, discount_rate float8, population float8, purchases integer DEFAULT NULL)
RETURNS TABLE (brand text, share_now float8, customer_value float8, equity float8, equity_share float8)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH valued AS (
        SELECT cvm.brand_value(start, switching, purchases_per_year, purchase_volume, contribution, discount_rate, purchases) AS v
        WHERE cvm.argument('the difference between the lengths of brands and start', cardinality(brands) - cardinality(start), 0, 0) = 0
    )
    SELECT b.brand, b.share / nullif((SELECT sum(s ORDER BY s) FROM unnest(start) AS s), 0), b.value, cvm.brand_equity(b.value, population), b.equity_share
    FROM valued, LATERAL unnest(brands, cvm.numbers('a probability of a brand now', start, 0, 1), valued.v, cvm.equity_share(valued.v)) WITH ORDINALITY AS b(brand, share, value, equity_share, n)
    ORDER BY b.n;
END;
COMMENT ON FUNCTION cvm.market_equity(text[], float8[], float8[], float8, float8, float8, float8, float8, integer) IS
'Customer equity of the brands of a market (Rust, Lemon & Zeithaml 2004), one row a brand: share now, lifetime value of a customer of the market to the brand (cvm.brand_value: purchases limits its horizon, NULL does not), equity (x population of the market) and equity share. Of one switching matrix for all; with a matrix for each respondent take the mean of cvm.brand_value by brand first (doc/perceived-value.md). 22023 for lengths that differ; otherwise as cvm.brand_value.';

CREATE FUNCTION cvm.equity_drivers(brands text[], brand text, drivers text[], ratings float8[], coefficients float8[], inertia float8, start float8[], purchases_per_year float8, purchase_volume float8,
    contribution float8, discount_rate float8, population float8, improvements float8[], costs float8[], purchases integer DEFAULT NULL)
RETURNS TABLE (driver text, rating float8, improved_rating float8, equity float8, improved_equity float8, gain float8, improved_share float8, cost float8, investment_return float8)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n integer := cardinality(brands);
    k integer := cardinality(drivers);
    own integer := (SELECT min(u.i) FROM unnest(brands) WITH ORDINALITY AS u(b, i) WHERE u.b = brand);
    rated float8[] := ARRAY(SELECT r FROM unnest(cvm.numbers('a rating', ratings)) WITH ORDINALITY AS u(r, i) ORDER BY i);
    utilities float8[];
    better float8[];
    worth float8[];
    i integer;
BEGIN
    IF brands IS NULL OR brand IS NULL OR drivers IS NULL OR ratings IS NULL OR coefficients IS NULL OR improvements IS NULL OR costs IS NULL THEN
        RETURN;
    END IF;
    IF own IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('brand "%s" is not among the brands', brand), DETAIL = format('They are %s.', array_to_string(brands, ', '));
    END IF;
    IF array_ndims(ratings) IS DISTINCT FROM 2 OR array_length(ratings, 1) <> n OR array_length(ratings, 2) <> k OR cardinality(coefficients) <> k
       OR cardinality(improvements) <> k OR cardinality(costs) <> k THEN
        RAISE EXCEPTION USING ERRCODE = 'array_subscript_error',
            MESSAGE = format('ratings, coefficients, improvements and costs do not fit %s brands and %s drivers', n, k),
            DETAIL = 'Ratings must have a row for each brand with a column for each driver; there must be a coefficient, an improvement and a cost for each driver.';
    END IF;
    utilities := ARRAY(SELECT (SELECT sum(rated[(b - 1) * k + c.n] * c.coefficient ORDER BY c.n)
                               FROM unnest(cvm.numbers('a coefficient', coefficients)) WITH ORDINALITY AS c(coefficient, n))
                       FROM generate_series(1, n) AS b ORDER BY b);
    worth := cvm.brand_value(start, cvm.switching_matrix(utilities, inertia), purchases_per_year, purchase_volume, contribution, discount_rate, purchases);
    FOR driver, rating, improved_rating, cost, i IN
        SELECT d.driver, rated[(own - 1) * k + d.n], rated[(own - 1) * k + d.n] + cvm.argument('an improvement', d.improvement), cvm.argument('a cost', d.cost, 0), d.n
        FROM unnest(drivers, improvements, costs) WITH ORDINALITY AS d(driver, improvement, cost, n) ORDER BY d.n
    LOOP
        better := utilities;
        better[own] := better[own] + (improved_rating - rating) * (SELECT c.coefficient FROM unnest(coefficients) WITH ORDINALITY AS c(coefficient, n) WHERE c.n = i);
        equity := cvm.brand_equity(worth[own], population);
        IF better[own] IS NULL THEN
            better := NULL;
        END IF;
        better := cvm.brand_value(start, cvm.switching_matrix(better, inertia), purchases_per_year, purchase_volume, contribution, discount_rate, purchases);
        improved_equity := cvm.brand_equity(better[own], population);
        gain := improved_equity - equity;
        improved_share := (cvm.equity_share(better))[own];
        investment_return := cvm.equity_return(gain, cost);
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION cvm.equity_drivers(text[], text, text[], float8[], float8[], float8, float8[], float8, float8, float8, float8, float8, float8[], float8[], integer) IS
'Return of improving a driver of customer equity (Rust, Lemon & Zeithaml 2004), one row a driver of value, brand or relationship equity: the brand''s rating on it is raised by its improvement, all else and all competitors staying as they are; utilities ratings x coefficients + inertia give the switching matrix (cvm.switching_matrix), that the equity (cvm.brand_value x population) and investment_return (gain - cost) / cost (cvm.equity_return). ratings: a row for each brand with a column for each driver; coefficients of a multinomial logit; cost as present value. The gains of two drivers do not add up. Of a typical customer''s ratings: with a sample, apply it to each respondent and take the mean. NULL where an improvement or a cost is NULL, no rows where an array is; 22023 for a brand that is not among the brands and numbers outside their domains; 2202E for lengths that do not fit.';

-- ---------- the ratings feed ----------

CREATE FUNCTION cvm.rating_rows(portfolio text, from_on date, to_on date)
RETURNS TABLE (respondent text, supplier text, attribute text, score float8, kind text)
LANGUAGE plpgsql STABLE ROWS 10000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    options jsonb := (cvm.own_portfolio(portfolio)).options;
    scale record;
    f record;
BEGIN
    PERFORM cvm.check_window(from_on, to_on);
    SELECT NULL::float8 AS lowest, NULL::float8 AS highest INTO scale;
    IF jsonb_typeof(options -> 'rating_scale') <> 'null' THEN
        SELECT s.* INTO scale FROM cvm.question_scale(jsonb_build_object('*', options -> 'rating_scale'), '*') s;
    END IF;
    SELECT m.relation, m.columns, m.time_zone INTO f FROM cvm.measured_feed(portfolio, 'ratings') m;
    RETURN QUERY EXECUTE format('
        SELECT DISTINCT ON (r.respondent, r.supplier, r.attribute, coalesce(r.kind, ''product'')) r.respondent, r.supplier, r.attribute,
               CASE WHEN coalesce(r.kind, ''product'') IN (''price'', ''willingness_to_pay'', ''weight'') THEN cvm.argument(r.kind, r.score::float8, 0)
                    WHEN $3 IS NULL OR (r.score BETWEEN $3 AND $4 AND r.score = floor(r.score)) THEN cvm.argument(''score'', r.score::float8, 0)
                    ELSE cvm.refuse_answer(''ratings'', r.respondent, r.attribute, r.score::float8, $3, $4) END, cvm.rating_kind(coalesce(r.kind, ''product''))
        FROM (%s) r WHERE coalesce(r.at >= $1 AND r.at < $2, true) ORDER BY r.respondent, r.supplier, r.attribute, coalesce(r.kind, ''product''), r.at DESC NULLS LAST, r.score',
        cvm.measure_source('ratings', f.relation, f.columns, '{respondent,supplier,attribute,score}', f.time_zone)) USING from_on, to_on, scale.lowest, scale.highest;
END $$;
COMMENT ON FUNCTION cvm.rating_rows(text, date, date) IS
'Last rating of each respondent, supplier, attribute and kind of a portfolio''s ratings feed in a window of days (rows without a time are in every window); kinds as in cvm.rating_kind, product where there is none. Rows with a NULL are left out. 22003 for a score that is fractional or off the option rating_scale, 22023 for one below 0 and for an unknown kind; 42704 without such a feed, 42703, 42804, 42501.';

CREATE FUNCTION cvm.rating_kind(kind text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF kind = ANY ('{product,service,personal,image,monetary,time,energy,psychic,price,willingness_to_pay,worth,overall,weight}') THEN
        RETURN kind;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('a rating can not be of the kind "%s"', kind),
        DETAIL = 'Kinds are product, service, personal, image (benefits), monetary, time, energy, psychic (costs), price and willingness_to_pay (money), worth (what paid for), overall, weight (importance of the attribute).',
        HINT = 'Map a view that names them so.';
END $$;
COMMENT ON FUNCTION cvm.rating_kind(text) IS
'The kind of a rating, if it is one: product, service, personal, image (benefits; Kotler 2000); monetary, time, energy, psychic (costs); price, willingness_to_pay (money); worth (score of "worth what paid for"); overall (score of the supplier as a whole); weight (how important the attribute is). Else 22023.';

CREATE TYPE cvm.supplier_row AS (
    supplier text, is_own boolean, respondents bigint, product_benefit float8, service_benefit float8, personal_benefit float8, image_benefit float8,
    monetary_cost float8, time_cost float8, energy_cost float8, psychic_cost float8, total_benefit float8, total_cost float8, delivered_value float8, value_ratio float8, measured_in text,
    price float8, willingness_to_pay float8, surplus float8, overall float8, worth_paid_for float8, value_band text,
    quality_ratio float8, relative_price float8, fair_quality float8, distance float8, value_position text, quadrant text, weight_source text, status text, reason text);
COMMENT ON TYPE cvm.supplier_row IS 'A supplier as customers see it, beside the others: row of cvm.value_map(portfolio, ...).';
COMMENT ON COLUMN cvm.supplier_row.supplier IS 'supplier';
COMMENT ON COLUMN cvm.supplier_row.is_own IS 'whether it is the one of the option own_supplier; NULL where that is not set';
COMMENT ON COLUMN cvm.supplier_row.respondents IS 'respondents who rated it on anything';
COMMENT ON COLUMN cvm.supplier_row.product_benefit IS 'sum over attributes of this kind of their mean scores; NULL where nobody was asked';
COMMENT ON COLUMN cvm.supplier_row.service_benefit IS 'the same of service';
COMMENT ON COLUMN cvm.supplier_row.personal_benefit IS 'the same of the people';
COMMENT ON COLUMN cvm.supplier_row.image_benefit IS 'the same of image';
COMMENT ON COLUMN cvm.supplier_row.monetary_cost IS 'the same of monetary cost';
COMMENT ON COLUMN cvm.supplier_row.time_cost IS 'the same of time';
COMMENT ON COLUMN cvm.supplier_row.energy_cost IS 'the same of energy';
COMMENT ON COLUMN cvm.supplier_row.psychic_cost IS 'the same of psychic cost';
COMMENT ON COLUMN cvm.supplier_row.total_benefit IS 'sum of the benefits (Kotler 2000), kinds that nobody was asked about being 0';
COMMENT ON COLUMN cvm.supplier_row.total_cost IS 'sum of the costs, likewise';
COMMENT ON COLUMN cvm.supplier_row.delivered_value IS 'total_benefit - total_cost; NULL unless the option value_unit says in what all are measured';
COMMENT ON COLUMN cvm.supplier_row.value_ratio IS 'total_benefit / total_cost; NULL likewise, and without costs';
COMMENT ON COLUMN cvm.supplier_row.measured_in IS 'that unit';
COMMENT ON COLUMN cvm.supplier_row.price IS 'mean price, as respondents say';
COMMENT ON COLUMN cvm.supplier_row.willingness_to_pay IS 'mean of the most they would pay';
COMMENT ON COLUMN cvm.supplier_row.surplus IS 'mean of willingness_to_pay - price of those who said both';
COMMENT ON COLUMN cvm.supplier_row.overall IS 'mean overall score';
COMMENT ON COLUMN cvm.supplier_row.worth_paid_for IS 'mean score of worth / mean of the others'' (CVA; Gale 1994)';
COMMENT ON COLUMN cvm.supplier_row.value_band IS 'cvm.value_band of it';
COMMENT ON COLUMN cvm.supplier_row.quality_ratio IS 'market-perceived quality ratio: weighted mean of own / mean of the others over the benefits'' attributes (Gale 1994)';
COMMENT ON COLUMN cvm.supplier_row.relative_price IS 'price / mean price of the others';
COMMENT ON COLUMN cvm.supplier_row.fair_quality IS 'quality that is fair at that price';
COMMENT ON COLUMN cvm.supplier_row.distance IS 'quality_ratio - fair_quality';
COMMENT ON COLUMN cvm.supplier_row.value_position IS 'better value, fair value or worse value';
COMMENT ON COLUMN cvm.supplier_row.quadrant IS 'premium, outstanding value, economy or poor value';
COMMENT ON COLUMN cvm.supplier_row.weight_source IS 'where the attributes'' weights come from: stated (ratings of kind weight), derived (importance for the overall score: cvm.drivers), equal';
COMMENT ON COLUMN cvm.supplier_row.status IS 'as in cvm.value_map: ok, not rated, no competitor, no price, no weights';
COMMENT ON COLUMN cvm.supplier_row.reason IS 'what the status means here; no unit: the option value_unit is not set';

CREATE FUNCTION cvm.derived_weights(portfolio text, from_on date, to_on date) RETURNS TABLE (attribute text, weight float8)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    RETURN QUERY EXECUTE '
        WITH row AS MATERIALIZED (SELECT r.* FROM cvm.rating_rows($1, $2, $3) r WHERE r.kind IN (''product'', ''service'', ''personal'', ''image'', ''overall'')),
        attribute AS (SELECT DISTINCT r.attribute FROM row r WHERE r.kind <> ''overall''),
        subject AS (SELECT r.respondent, r.supplier, avg(r.score) AS overall FROM row r WHERE r.kind = ''overall'' GROUP BY 1, 2),
        point AS (
            SELECT s.respondent, s.supplier, s.overall, array_agg(r.score ORDER BY a.attribute) AS scores, array_agg(a.attribute ORDER BY a.attribute) AS names
            FROM subject s CROSS JOIN attribute a
            LEFT JOIN (SELECT r.respondent, r.supplier, r.attribute, avg(r.score) AS score FROM row r WHERE r.kind <> ''overall'' GROUP BY 1, 2, 3) r USING (respondent, supplier, attribute)
            GROUP BY 1, 2, 3
        )
        SELECT d.attribute, d.importance FROM (SELECT cvm.drivers(p.overall, p.scores, p.names, ''{"replicates": 0}'') AS d FROM point p WHERE cardinality(p.names) <= 20) t, unnest(t.d) AS d
        WHERE d.importance IS NOT NULL' USING portfolio, from_on, to_on;
END $$;
COMMENT ON FUNCTION cvm.derived_weights(text, date, date) IS 'Importance of the benefits'' attributes for the overall score, over all suppliers that a portfolio''s ratings feed has (cvm.drivers): shares that sum to 1; no rows where they can not be told, or for more than 20 attributes. Errors as cvm.rating_rows.';

CREATE FUNCTION cvm.value_map(portfolio text, from_on date, to_on date) RETURNS SETOF cvm.supplier_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    options jsonb := (cvm.own_portfolio(portfolio)).options;
BEGIN
    RETURN QUERY EXECUTE '
        WITH row AS MATERIALIZED (SELECT r.* FROM cvm.rating_rows($1, $2, $3) r),
        supplier AS (SELECT r.supplier, count(DISTINCT r.respondent) AS n, avg(r.score) FILTER (WHERE r.kind = ''price'') AS price, avg(r.score) FILTER (WHERE r.kind = ''willingness_to_pay'') AS pays,
                            avg(r.score) FILTER (WHERE r.kind = ''overall'') AS overall, avg(r.score) FILTER (WHERE r.kind = ''worth'') AS worth FROM row r WHERE r.kind <> ''weight'' GROUP BY 1),
        surplus AS (SELECT p.supplier, avg(w.score - p.score) AS surplus FROM row p JOIN row w USING (respondent, supplier) WHERE p.kind = ''price'' AND w.kind = ''willingness_to_pay'' GROUP BY 1),
        mean AS (SELECT r.supplier, r.kind, r.attribute, avg(r.score) AS score FROM row r GROUP BY 1, 2, 3),
        part AS (SELECT m.supplier, sum(m.score) FILTER (WHERE m.kind = ''product'') AS product, sum(m.score) FILTER (WHERE m.kind = ''service'') AS service, sum(m.score) FILTER (WHERE m.kind = ''personal'') AS personal,
                        sum(m.score) FILTER (WHERE m.kind = ''image'') AS image, sum(m.score) FILTER (WHERE m.kind = ''monetary'') AS monetary, sum(m.score) FILTER (WHERE m.kind = ''time'') AS time,
                        sum(m.score) FILTER (WHERE m.kind = ''energy'') AS energy, sum(m.score) FILTER (WHERE m.kind = ''psychic'') AS psychic FROM mean m GROUP BY 1),
        stated AS (SELECT r.attribute, avg(r.score) AS weight FROM row r WHERE r.kind = ''weight'' GROUP BY 1),
        derived AS MATERIALIZED (SELECT d.* FROM cvm.derived_weights($1, $2, $3) d WHERE NOT EXISTS (SELECT FROM stated)),
        attribute AS MATERIALIZED (SELECT a.attribute, CASE WHEN EXISTS (SELECT FROM stated) THEN coalesce(s.weight, 0) WHEN EXISTS (SELECT FROM derived) THEN coalesce(d.weight, 0) ELSE 1 END AS weight
                      FROM (SELECT DISTINCT m.attribute FROM mean m WHERE m.kind IN (''product'', ''service'', ''personal'', ''image'')) a LEFT JOIN stated s USING (attribute) LEFT JOIN derived d USING (attribute)),
        price_weight AS (SELECT coalesce(sum(s.weight) FILTER (WHERE s.attribute = ''price'') / nullif(sum(s.weight), 0), 0.5) AS share FROM stated s),
        grid AS (SELECT s.supplier, s.price, array_agg(m.score ORDER BY a.attribute) AS scores, array_agg(a.weight ORDER BY a.attribute) AS weights
                 FROM supplier s CROSS JOIN attribute a LEFT JOIN (SELECT m.supplier, m.attribute, avg(m.score) AS score FROM mean m WHERE m.kind IN (''product'', ''service'', ''personal'', ''image'') GROUP BY 1, 2) m USING (supplier, attribute) GROUP BY 1, 2),
        placed AS (SELECT v.* FROM (SELECT array_agg(g.supplier ORDER BY g.supplier) AS suppliers, array_agg(g.scores ORDER BY g.supplier) AS scores, min(g.weights) AS weights, array_agg(g.price ORDER BY g.supplier) AS prices FROM grid g) t,
                   price_weight p, LATERAL cvm.value_map(t.suppliers, t.scores, t.weights, t.prices, p.share) v)
        SELECT s.supplier, s.supplier = $4, s.n, p.product, p.service, p.personal, p.image, p.monetary, p.time, p.energy, p.psychic, k.total_benefit, k.total_cost,
               CASE WHEN $5 IS NOT NULL THEN k.total_benefit - k.total_cost END, CASE WHEN $5 IS NOT NULL THEN k.total_benefit / nullif(k.total_cost, 0) END, $5,
               s.price, s.pays, u.surplus, s.overall, w.worth, cvm.value_band(w.worth),
               v.quality_ratio, v.relative_price, v.fair_quality, v.distance, v.value_position, v.quadrant,
               CASE WHEN EXISTS (SELECT FROM stated) THEN ''stated'' WHEN EXISTS (SELECT FROM derived) THEN ''derived'' ELSE ''equal'' END, coalesce(v.status, ''not rated''),
               nullif(concat_ws('', '', v.reason, CASE WHEN v.supplier IS NULL THEN ''there are no ratings of benefits'' END, CASE WHEN $5 IS NULL AND k.total_benefit IS NOT NULL THEN ''no unit'' END), '''')
        FROM supplier s JOIN part p USING (supplier) LEFT JOIN surplus u USING (supplier) LEFT JOIN placed v USING (supplier)
        CROSS JOIN LATERAL (SELECT cvm.worth_paid_for(s.worth, ARRAY(SELECT o.worth FROM supplier o WHERE o.supplier <> s.supplier)) AS worth) w
        CROSS JOIN LATERAL (SELECT CASE WHEN coalesce(p.product, p.service, p.personal, p.image) IS NOT NULL THEN coalesce(p.product, 0) + coalesce(p.service, 0) + coalesce(p.personal, 0) + coalesce(p.image, 0) END AS total_benefit,
                                   CASE WHEN coalesce(p.monetary, p.time, p.energy, p.psychic) IS NOT NULL THEN coalesce(p.monetary, 0) + coalesce(p.time, 0) + coalesce(p.energy, 0) + coalesce(p.psychic, 0) END AS total_cost) k
        ORDER BY s.supplier COLLATE "C"' USING portfolio, from_on, to_on, cvm.option_text(options, 'own_supplier', NULL), cvm.option_text(options, 'value_unit', NULL);
END $$;
COMMENT ON FUNCTION cvm.value_map(text, date, date) IS
'Suppliers of a portfolio''s ratings feed as customers see them, one row each: benefits and costs by kind and in all (Kotler 2000), price and willingness to pay, worth what paid for, and the place on the value map (Gale 1994; cvm.value_map on arrays), each against the mean of the others. Weights are those stated (kind weight; the attribute price weighs the price), else derived, else equal. Errors as cvm.rating_rows.';

CREATE FUNCTION cvm.value_map_report(portfolio text) RETURNS SETOF cvm.supplier_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT n.* FROM cvm.report_window(portfolio, 'ratings', 12) w, LATERAL cvm.value_map(portfolio, w.from_on, w.to_on) n;
END;
COMMENT ON FUNCTION cvm.value_map_report(text) IS 'Report value_map: cvm.value_map of the last 12 months and the one of the published as_of.';
