-- portfolio: which customers are valued together, and where their purchases come from
--
-- Every function here runs with the rights of its caller; what a role may see and
-- change is decided by row security on the tables, so a direct write passes the
-- same checks.  Relations and roles are kept by name and resolved at each use:
-- a feed may be dropped and made again, and a dump restores in any order.

-- ---------- who may do what ----------

CREATE FUNCTION cvm.schema_owner(output_schema text) RETURNS oid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT n.nspowner FROM pg_catalog.pg_namespace n WHERE n.nspname = output_schema::name);
COMMENT ON FUNCTION cvm.schema_owner(text) IS 'Owner of an output schema, who is the owner of its portfolio; NULL if there is no such schema.';

CREATE FUNCTION cvm.may_act_in(output_schema text, created_by text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce((SELECT pg_catalog.pg_has_role(r.oid, 'MEMBER') FROM pg_catalog.pg_roles r
                 WHERE r.oid = coalesce(cvm.schema_owner(output_schema),
                                        (SELECT c.oid FROM pg_catalog.pg_roles c WHERE c.rolname = created_by::name))), false);
COMMENT ON FUNCTION cvm.may_act_in(text, text) IS 'Whether the current role is a member of the owner of this output schema; where the schema is gone, of the role that created the portfolio.';

CREATE FUNCTION cvm.may_read_in(output_schema text, created_by text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN cvm.may_act_in(output_schema, created_by)
    OR pg_catalog.pg_has_role('pg_monitor', 'USAGE')
    OR coalesce((SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') FROM pg_catalog.pg_namespace n
                 WHERE n.nspname = output_schema::name), false);
COMMENT ON FUNCTION cvm.may_read_in(text, text) IS 'Whether the current role may see the runs and the dictionary of the portfolio with this output schema: its owner''s members, readers of the schema, pg_monitor.';

-- ---------- tables ----------

-- An owner may write rows by hand, so privileges are by column: numbers, names and what cvm keeps
-- itself are nobody's to write.  No foreign keys between these tables: pg_restore -j loads them in
-- any order, with the keys there already; the trigger delete_portfolio deletes instead.

CREATE TABLE cvm.portfolio (
    portfolio text PRIMARY KEY CHECK (pg_catalog.octet_length(portfolio) BETWEEN 1 AND 59),
    portfolio_id integer GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME cvm.portfolio_id_seq) UNIQUE CHECK (portfolio_id > 0),
    output_schema text NOT NULL UNIQUE,
    owns_schema boolean NOT NULL,
    created_by text NOT NULL DEFAULT current_user,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    options jsonb NOT NULL
);
COMMENT ON SEQUENCE cvm.portfolio_id_seq IS 'Numbers portfolios.';
COMMENT ON TABLE cvm.portfolio IS 'Portfolios: sets of customers that are valued together. The owner of the output schema owns the portfolio. Read cvm.portfolios.';
COMMENT ON COLUMN cvm.portfolio.portfolio IS 'name, at most 59 bytes';
COMMENT ON COLUMN cvm.portfolio.portfolio_id IS 'number, part of the tag of the lock that a recompute holds';
COMMENT ON COLUMN cvm.portfolio.output_schema IS 'schema of the published tables';
COMMENT ON COLUMN cvm.portfolio.owns_schema IS 'whether the schema was made by cvm.create_portfolio and goes with the portfolio';
COMMENT ON COLUMN cvm.portfolio.created_by IS 'role that created it; may remove it where the output schema is gone';
COMMENT ON COLUMN cvm.portfolio.created_at IS 'when it was created';
COMMENT ON COLUMN cvm.portfolio.options IS 'options that differ from their defaults: see the view cvm.options';

CREATE FUNCTION cvm.may_act(portfolio text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (SELECT FROM cvm.portfolio p
               WHERE p.portfolio = may_act.portfolio AND cvm.may_act_in(p.output_schema, p.created_by));
COMMENT ON FUNCTION cvm.may_act(text) IS 'Whether the current role is a member of the portfolio''s owner.';

CREATE FUNCTION cvm.may_read(portfolio text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN EXISTS (SELECT FROM cvm.portfolio p
               WHERE p.portfolio = may_read.portfolio AND cvm.may_read_in(p.output_schema, p.created_by));
COMMENT ON FUNCTION cvm.may_read(text) IS 'Whether the current role may see the portfolio''s runs: its owner''s members, its readers, pg_monitor.';

CREATE FUNCTION cvm.portfolio_owner(portfolio text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT r.rolname::text FROM cvm.portfolio p JOIN pg_catalog.pg_roles r ON r.oid = cvm.schema_owner(p.output_schema)
        WHERE p.portfolio = portfolio_owner.portfolio);
COMMENT ON FUNCTION cvm.portfolio_owner(text) IS 'Name of the portfolio''s owner; NULL if there is none.';

CREATE TABLE cvm.feed (
    portfolio text NOT NULL,
    kind text NOT NULL,
    relation_schema text NOT NULL,
    relation_name text NOT NULL,
    columns jsonb NOT NULL,
    PRIMARY KEY (portfolio, kind)
);
COMMENT ON TABLE cvm.feed IS 'Feeds: relations of the user that a portfolio reads, mapped by column name. Read cvm.feeds.';
COMMENT ON COLUMN cvm.feed.portfolio IS 'portfolio';
COMMENT ON COLUMN cvm.feed.kind IS 'kind of feed: see cvm.feed_kinds';
COMMENT ON COLUMN cvm.feed.relation_schema IS 'schema of the relation';
COMMENT ON COLUMN cvm.feed.relation_name IS 'name of the table, view, partitioned or foreign table, resolved at each run';
COMMENT ON COLUMN cvm.feed.columns IS 'what cvm calls a column -> name of the relation''s column';

SELECT pg_catalog.pg_extension_config_dump('cvm.portfolio', '');
SELECT pg_catalog.pg_extension_config_dump('cvm.portfolio_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('cvm.feed', '');

GRANT SELECT, DELETE, INSERT (portfolio, output_schema, owns_schema, options), UPDATE (options) ON cvm.portfolio TO PUBLIC;
GRANT SELECT, INSERT, DELETE, UPDATE (relation_schema, relation_name, columns) ON cvm.feed TO PUBLIC;
ALTER TABLE cvm.portfolio ENABLE ROW LEVEL SECURITY;
CREATE POLICY owner ON cvm.portfolio USING (cvm.may_act_in(output_schema, created_by))
    WITH CHECK (cvm.schema_owner(output_schema) IS NOT NULL AND cvm.may_act_in(output_schema, created_by));
CREATE POLICY reader ON cvm.portfolio FOR SELECT USING (cvm.may_read_in(output_schema, created_by));
COMMENT ON POLICY owner ON cvm.portfolio IS 'Members of the owner change their portfolios.';
COMMENT ON POLICY reader ON cvm.portfolio IS 'Readers of the output schema and pg_monitor see it.';
ALTER TABLE cvm.feed ENABLE ROW LEVEL SECURITY;
CREATE POLICY owner ON cvm.feed USING (cvm.may_act(portfolio)) WITH CHECK (cvm.may_act(portfolio));
CREATE POLICY reader ON cvm.feed FOR SELECT USING (cvm.may_read(portfolio));
COMMENT ON POLICY owner ON cvm.feed IS 'Members of the owner change the feeds of their portfolios.';
COMMENT ON POLICY reader ON cvm.feed IS 'Readers of the output schema and pg_monitor see them.';

-- Before the row goes, since who may delete the others is decided by it.
CREATE FUNCTION cvm.delete_portfolio() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM cvm.feed f WHERE f.portfolio = OLD.portfolio;
    DELETE FROM cvm.job j WHERE j.portfolio = OLD.portfolio;
    DELETE FROM cvm.run_error e WHERE e.portfolio = OLD.portfolio;
    DELETE FROM cvm.run r WHERE r.portfolio = OLD.portfolio;
    DELETE FROM cvm.promotion p WHERE p.portfolio = OLD.portfolio;
    DELETE FROM cvm.model_input i WHERE i.portfolio = OLD.portfolio;
    DELETE FROM cvm.drift_measure d WHERE d.portfolio = OLD.portfolio;
    DELETE FROM cvm.fitted_model m WHERE m.portfolio = OLD.portfolio;
    DELETE FROM cvm.validation_decile d WHERE d.portfolio = OLD.portfolio;
    DELETE FROM cvm.validation v WHERE v.portfolio = OLD.portfolio;
    RETURN OLD;
END $$;
COMMENT ON FUNCTION cvm.delete_portfolio() IS 'Trigger of cvm.portfolio: what was recorded of a portfolio goes with it, so that nobody inherits it with the name.';

CREATE TRIGGER delete_portfolio BEFORE DELETE ON cvm.portfolio FOR EACH ROW EXECUTE FUNCTION cvm.delete_portfolio();
COMMENT ON TRIGGER delete_portfolio ON cvm.portfolio IS 'Deletes the rows of other tables with the portfolio.';

-- ---------- options ----------

CREATE VIEW cvm.options WITH (security_invoker = true) AS
SELECT o.option, o.type, o.default_value, o.description
FROM (VALUES
    ('time_zone', 'text', 'UTC', 'time zone in which periods begin, such as Europe/Berlin'),
    ('period', 'interval', '1 day', 'purchases in one period are one purchase; whole seconds, no months'),
    ('time_unit', 'interval', '7 days', 'time unit of the models; no months, 1 second to 100 years'),
    ('annual_discount_rate', 'number', '0.1', 'discount rate a year (0.1 is 10 %), 0.000001 to 10; 0, no discount, needs a value_horizon'),
    ('horizon', 'interval', '365.25 days', 'horizon of expected_purchases, p_no_purchase and churn_risk'),
    ('value_horizon', 'interval', NULL, 'horizon of residual values; unlimited unless set'),
    ('margin', 'number', '1', 'share of an amount that is value: 1 values revenue, 0.4 a margin of 40 %; above 0, at most 1'),
    ('portfolio_currency', 'text', NULL, 'currency code of the values, three letters, shown with every value; amounts are in it unless the column currency is mapped'),
    ('value_basis', 'text', NULL, 'what a value is: "revenue", "gross_margin" (revenue less the column cost, or x margin) or "net_contribution" (revenue less the column cost and cost_to_serve); gross_margin where cost is mapped or margin is below 1 unless set, else revenue'),
    ('cost_to_serve', 'number', '0', 'cost of serving an order, in the portfolio''s currency, taken off each in net_contribution; 0 to 10^12'),
    ('rate_validity', 'interval', '7 days', 'how long an exchange rate holds if no newer one is known; whole days, 1 to 366'),
    ('families', 'array', '["bg/nbd", "gamma-gamma"]', 'families of the purchase, the spend and the retention model: see cvm.families. Of several purchase families the first is live until a holdout finds another better (cvm.validate); "auto": all of them. A kind that is not named keeps its default: ["bg/nbd"] leaves gamma-gamma for the spend and sbg for subscriptions'),
    ('renewal', 'interval', '1 month', 'time between the renewals of a subscription, whole days, weeks, months or years: its price is paid at the start and at every renewal'),
    ('payments_in_purchases', 'boolean', 'false', 'whether the purchases feed has the payments of subscriptions among its rows: then a customer with a subscription is valued by it alone, and realised value comes from the purchases alone'),
    ('loyalty_tiers', 'object', NULL, 'tiers of cvm.loyalty and the amounts from which a customer is in them, such as {"Silver": 100, "Gold": 500}'),
    ('loyalty_period', 'interval', '1 year', 'how long a purchase counts for the loyalty tiers; whole days, months or years'),
    ('reports', 'array', NULL, 'reports over the purchases feed that a recompute makes, such as ["current_value", "cohorts"], or "all": each reads the feed once more. Those over other feeds are made where the feed is mapped (doc/metrics.md)'),
    ('report_months', 'number', '12', 'window of the reports: so many complete months up to as_of, 1 to 120'),
    ('questions', 'object', NULL, 'scales of the questions of the responses feed, such as {"recommend": "nps", "delivery": "csat", "*": {"lowest": 1, "highest": 7, "direction": "high"}}: nps (0 to 10), csat (1 to 5), effort (1 to 5, low is good), ease (1 to 7), or lowest, highest, direction and measure (mean, nps, top-k)'),
    ('review_scale', 'object', '{"lowest": 1, "highest": 5, "direction": "high"}', 'scale of the ratings of the reviews feed, as in questions'),
    ('review_language', 'text', 'simple', 'text search configuration in which the texts of reviews are searched, such as english'),
    ('rating_scale', 'object', NULL, 'scale of the scores of the ratings feed, as in questions: scores are checked, and drivers have a gap to the best; any numbers from 0 on unless set'),
    ('own_supplier', 'text', NULL, 'which supplier of the ratings feed the portfolio is'),
    ('value_unit', 'text', NULL, 'unit in which benefits and costs of the ratings feed are all measured, such as "points": without one they are not set against each other'),
    ('experiments', 'object', NULL, 'settings of experiments by name, each an object with any of control, shares, ended_at, days and expected_effect: see cvm.experiment_results'),
    ('drift_threshold', 'number', '0.25', 'population stability index of an input above which NOTIFY tells of drift and a sudden change keeps a refit from going live; above 0'),
    ('covariates', 'object', NULL, 'columns of the feed attributes and the process each acts on, purchase, dropout or both, such as {"region": "both"}: every customer then has parameters of his own (bg/nbd, mbg/nbd and pareto/nbd; doc/covariates.md)'),
    ('predictive_interval', 'boolean', 'true', 'whether residual_low and residual_high are computed'),
    ('equity_statement', 'boolean', 'true', 'whether a recompute says why equity is another than in the run before (equity_statement, cvm.explain)'),
    ('history', 'interval', NULL, 'how long the scores of replaced runs are kept, for cvm.value_as_of and cvm.segment_transitions; each takes as much space as the published one. Not at all unless set'),
    ('schema', 'text', 'cvm_<portfolio>', 'output schema, set when the portfolio is created: an existing empty schema of one''s own, or a new one')
) AS o(option, type, default_value, description);
COMMENT ON VIEW cvm.options IS 'Options of cvm.create_portfolio and cvm.alter_portfolio.';
COMMENT ON COLUMN cvm.options.option IS 'key in the options object';
COMMENT ON COLUMN cvm.options.type IS 'type of the value; intervals are JSON strings such as "1 day"';
COMMENT ON COLUMN cvm.options.default_value IS 'value where the option is not set; NULL: none';
COMMENT ON COLUMN cvm.options.description IS 'meaning, unit and domain';
GRANT SELECT ON cvm.options TO PUBLIC;

CREATE FUNCTION cvm.bad_option(option text, value jsonb, wanted text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
        MESSAGE = format('option "%s" can not be %s', option, value),
        DETAIL = format('It must be %s.', wanted),
        HINT = 'The view cvm.options describes every option.';
END $$;
COMMENT ON FUNCTION cvm.bad_option(text, jsonb, text) IS 'Raises 22023 about the value of an option.';

CREATE FUNCTION cvm.interval_seconds(span interval) RETURNS float8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (EXTRACT(year FROM span) * 12 + EXTRACT(month FROM span))::float8 * 365.25 / 12 * 86400
     + EXTRACT(day FROM span)::float8 * 86400
     + EXTRACT(hour FROM span)::float8 * 3600 + EXTRACT(minute FROM span)::float8 * 60 + EXTRACT(second FROM span)::float8;
COMMENT ON FUNCTION cvm.interval_seconds(interval) IS 'Length of an interval in seconds; a month is 365.25 / 12 days.';

-- An interval option, or an error that names it.
CREATE FUNCTION cvm.option_interval(options jsonb, option text, default_value interval) RETURNS interval
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET intervalstyle = 'postgres' AS $$
DECLARE
    value jsonb := options -> option;
    result interval;
BEGIN
    IF value IS NULL OR value = 'null' THEN
        RETURN default_value;
    END IF;
    IF jsonb_typeof(value) = 'string' THEN
        BEGIN
            result := (value #>> '{}')::interval;
        EXCEPTION WHEN data_exception THEN
            result := NULL;
        END;
    END IF;
    IF result IS NULL OR cvm.interval_seconds(result) <= 0 THEN
        PERFORM cvm.bad_option(option, value, 'a positive interval as a string, such as "90 days"');
    END IF;
    RETURN result;
END $$;
COMMENT ON FUNCTION cvm.option_interval(jsonb, text, interval) IS 'Value of an interval option, its default where it is not set; 22023 unless it is a positive interval.';

CREATE FUNCTION cvm.option_number(options jsonb, option text, default_value float8, lowest float8, open boolean, highest float8) RETURNS float8
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    value jsonb := options -> option;
    result numeric;
BEGIN
    IF value IS NULL OR value = 'null' THEN
        RETURN default_value;
    END IF;
    IF jsonb_typeof(value) = 'number' THEN
        result := value::numeric;
    END IF;
    IF result IS NULL OR result < lowest OR (open AND result = lowest) OR result > highest THEN
        PERFORM cvm.bad_option(option, value, format('a number %s %s and at most %s',
                               CASE WHEN open THEN 'above' ELSE 'not below' END, lowest, highest));
    END IF;
    RETURN result::float8;
END $$;
COMMENT ON FUNCTION cvm.option_number(jsonb, text, float8, float8, boolean, float8) IS 'Value of a numeric option, its default where it is not set; 22023 outside (lowest, highest] or [lowest, highest].';

CREATE FUNCTION cvm.option_rate(options jsonb) RETURNS float8
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rate float8 := cvm.option_number(options, 'annual_discount_rate', 0.1, 0, false, 10);
BEGIN
    IF rate = 0 AND cvm.option_interval(options, 'value_horizon', NULL) IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'without a discount the value of an unlimited future has no bound',
            HINT = 'Give a positive annual_discount_rate, or a value_horizon such as "5 years".';
    END IF;
    IF rate > 0 AND rate < 1e-6 THEN
        PERFORM cvm.bad_option('annual_discount_rate', options -> 'annual_discount_rate',
                               'at least 0.000001, or 0 with a value_horizon');
    END IF;
    RETURN rate;
END $$;
COMMENT ON FUNCTION cvm.option_rate(jsonb) IS 'Value of the option annual_discount_rate, 0.1 where it is not set; 22023 unless it is 0.000001 to 10, or 0 with a value_horizon: below, residual value is a sum over thousands of centuries.';

CREATE FUNCTION cvm.option_text(options jsonb, option text, default_value text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    value jsonb := options -> option;
BEGIN
    IF value IS NULL OR value = 'null' THEN
        RETURN default_value;
    END IF;
    IF jsonb_typeof(value) <> 'string' OR value #>> '{}' = '' THEN
        PERFORM cvm.bad_option(option, value, 'a string');
    END IF;
    RETURN value #>> '{}';
END $$;
COMMENT ON FUNCTION cvm.option_text(jsonb, text, text) IS 'Value of a text option, its default where it is not set; 22023 unless it is a string.';

CREATE FUNCTION cvm.option_family(options jsonb, wanted text, default_value text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    value jsonb := options -> 'families';
    unknown text;
BEGIN
    IF value IS NULL OR value IN ('null', '"auto"') THEN
        RETURN default_value;
    END IF;
    IF jsonb_typeof(value) <> 'array' THEN
        PERFORM cvm.bad_option('families', value, 'an array of names, such as ["bg/nbd", "gamma-gamma"], or "auto"');
    END IF;
    SELECT e.name INTO unknown FROM jsonb_array_elements_text(value) AS e(name)
    WHERE NOT EXISTS (SELECT FROM cvm.families f WHERE f.family = e.name) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('"%s" is not a family of models', unknown),
            HINT = 'Known are: ' || (SELECT string_agg(f.family, ', ' ORDER BY f.kind, f.family) FROM cvm.families f) || '.';
    END IF;
    IF (SELECT count(*) > count(DISTINCT e.name) OR (wanted <> 'purchases' AND count(*) > 1)
        FROM jsonb_array_elements_text(value) AS e(name) JOIN cvm.families f ON f.family = e.name WHERE f.kind = wanted) THEN
        PERFORM cvm.bad_option('families', value, 'one family of spend models, one of retention models and no purchase family twice');
    END IF;
    RETURN coalesce((SELECT e.name FROM jsonb_array_elements_text(value) WITH ORDINALITY AS e(name, position)
                     JOIN cvm.families f ON f.family = e.name WHERE f.kind = wanted ORDER BY e.position LIMIT 1), default_value);
END $$;
COMMENT ON FUNCTION cvm.option_family(jsonb, text, text) IS 'The first family of a kind (purchases, spend, retention) in the option "families", its default where there is none; 22023 if a name is not known.';

-- Raises on the first option that is unknown or has a bad value.
CREATE FUNCTION cvm.check_options(options jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    unknown text;
    period interval;
    time_unit interval;
    code text;
BEGIN
    IF jsonb_typeof(options) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'options must be a JSON object',
            HINT = 'Such as {"time_zone": "Europe/Berlin", "margin": 0.4}; the view cvm.options describes every option.';
    END IF;
    SELECT k INTO unknown FROM jsonb_object_keys(options) AS k
    WHERE NOT EXISTS (SELECT FROM cvm.options o WHERE o.option = k) ORDER BY k LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('unknown option "%s"', unknown),
            HINT = 'Known options: ' || (SELECT string_agg(o.option, ', ' ORDER BY o.option) FROM cvm.options o) || '.';
    END IF;
    period := cvm.option_interval(options, 'period', '1 day');
    -- the aggregate knows which zones and periods it can count in, and says what is wrong
    PERFORM cvm.purchase_history(timestamptz '2000-01-01 00:00+00', 0::numeric, period, cvm.option_text(options, 'time_zone', 'UTC'));
    time_unit := cvm.option_interval(options, 'time_unit', '7 days');
    IF EXTRACT(month FROM time_unit) <> 0 OR EXTRACT(year FROM time_unit) <> 0
       OR cvm.interval_seconds(time_unit) NOT BETWEEN 1 AND 36525 * 86400.0::float8 THEN
        PERFORM cvm.bad_option('time_unit', options -> 'time_unit', 'an interval of 1 second to 36525 days, without months');
    END IF;
    PERFORM cvm.option_rate(options);
    PERFORM cvm.option_interval(options, 'horizon', '365.25 days');
    PERFORM cvm.option_interval(options, 'value_horizon', NULL);
    PERFORM cvm.option_number(options, 'margin', 1, 0, true, 1);
    code := cvm.option_text(options, 'portfolio_currency', NULL);
    IF code !~ '^[A-Z]{3}$' THEN
        PERFORM cvm.bad_option('portfolio_currency', options -> 'portfolio_currency', 'a code of three capital letters, such as "EUR"');
    END IF;
    PERFORM cvm.check_money_options(options);
    PERFORM cvm.option_family(options, 'purchases', 'bg/nbd');
    PERFORM cvm.option_family(options, 'spend', 'gamma-gamma');
    PERFORM cvm.option_family(options, 'retention', 'sbg');
    PERFORM cvm.option_renewal(options);
    PERFORM cvm.option_covariates(options);
    IF jsonb_typeof(options -> 'payments_in_purchases') NOT IN ('boolean', 'null') THEN
        PERFORM cvm.bad_option('payments_in_purchases', options -> 'payments_in_purchases', 'true or false');
    END IF;
    IF jsonb_typeof(options -> 'questions') <> 'null' THEN
        PERFORM cvm.check_questions(options -> 'questions');
    END IF;
    PERFORM cvm.question_scale(jsonb_build_object('review_scale', options -> 'review_scale'), 'review_scale') WHERE jsonb_typeof(options -> 'review_scale') <> 'null';
    PERFORM cvm.question_scale(jsonb_build_object('rating_scale', options -> 'rating_scale'), 'rating_scale') WHERE jsonb_typeof(options -> 'rating_scale') <> 'null';
    PERFORM cvm.review_language(options), cvm.option_text(options, 'own_supplier', NULL), cvm.option_text(options, 'value_unit', NULL);
    IF jsonb_typeof(options -> 'loyalty_tiers') <> 'null' THEN
        PERFORM cvm.check_loyalty_tiers(options -> 'loyalty_tiers');
    END IF;
    IF date '2000-01-01' + cvm.option_interval(options, 'loyalty_period', '1 year') <> (date '2000-01-01' + cvm.option_interval(options, 'loyalty_period', '1 year'))::date THEN
        PERFORM cvm.bad_option('loyalty_period', options -> 'loyalty_period', 'an interval of whole days, months or years, such as "1 year"');
    END IF;
    PERFORM cvm.check_report_options(options);
    IF jsonb_typeof(options -> 'experiments') <> 'null' THEN
        PERFORM cvm.check_experiments(options -> 'experiments');
    END IF;
    PERFORM cvm.option_number(options, 'drift_threshold', 0.25, 0, true, 100);
    IF jsonb_typeof(options -> 'predictive_interval') NOT IN ('boolean', 'null') THEN
        PERFORM cvm.bad_option('predictive_interval', options -> 'predictive_interval', 'true or false');
    END IF;
    PERFORM cvm.option_interval(options, 'history', NULL);
    IF jsonb_typeof(options -> 'equity_statement') NOT IN ('boolean', 'null') THEN
        PERFORM cvm.bad_option('equity_statement', options -> 'equity_statement', 'true or false');
    END IF;
    PERFORM cvm.option_text(options, 'schema', NULL);
    RETURN true;
END $$;
COMMENT ON FUNCTION cvm.check_options(jsonb) IS 'True if the options are known and their values in their domains; otherwise 22023 says which is not, and why.';

ALTER TABLE cvm.portfolio ADD CONSTRAINT options CHECK (cvm.check_options(options));

-- ---------- create, alter, drop ----------

-- Portfolio by name, with an error that helps; cvm.portfolio%ROWTYPE of what the caller may act on.
CREATE FUNCTION cvm.own_portfolio(portfolio text) RETURNS cvm.portfolio
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result cvm.portfolio;
BEGIN
    SELECT p.* INTO result FROM cvm.portfolio p WHERE p.portfolio = own_portfolio.portfolio;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = CASE WHEN portfolio IS NULL THEN 'portfolio must not be null'
                           ELSE format('portfolio "%s" does not exist', portfolio) END,
            HINT = 'The view cvm.portfolios lists those you may use; cvm.create_portfolio makes one.';
    END IF;
    IF NOT cvm.may_act(portfolio) THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('permission denied for portfolio "%s"', portfolio),
            DETAIL = format('Only its owner "%s", members of that role and superusers may.', cvm.portfolio_owner(portfolio));
    END IF;
    RETURN result;
END $$;
COMMENT ON FUNCTION cvm.own_portfolio(text) IS 'The portfolio''s row if the current role may act on it; 42704 unknown, 42501 not permitted.';

CREATE FUNCTION cvm.make_output_schema(portfolio text, wanted text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner oid := cvm.schema_owner(wanted);
BEGIN
    IF octet_length(wanted) > 63 THEN
        RAISE EXCEPTION USING ERRCODE = 'name_too_long',
            MESSAGE = format('the name of the output schema "%s" is longer than 63 bytes', wanted);
    END IF;
    IF owner IS NULL THEN
        IF NOT has_database_privilege(current_database(), 'CREATE') THEN
            RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
                MESSAGE = format('permission denied to create the output schema "%s"', wanted),
                DETAIL = format('Role "%s" lacks the privilege CREATE on database "%s".', current_user, current_database()),
                HINT = format('GRANT CREATE ON DATABASE %I TO %I; or name an empty schema of your own with the option "schema", such as {"schema": "my_clv"}.',
                              current_database(), current_user);
        END IF;
        EXECUTE format('CREATE SCHEMA %I', wanted);
        EXECUTE format('COMMENT ON SCHEMA %I IS %L', wanted, format('customer value of portfolio %s', portfolio));
        RETURN true;
    END IF;
    IF NOT pg_has_role(owner, 'MEMBER') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('schema "%s" belongs to another role', wanted),
            HINT = 'Name an empty schema of your own with the option "schema", such as {"schema": "my_clv"}.';
    END IF;
    IF EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = wanted::name) THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_schema',
            MESSAGE = format('schema "%s" is in use', wanted),
            DETAIL = 'The output schema of a portfolio must be new or empty.',
            HINT = 'Name another one with the option "schema", such as {"schema": "my_clv"}.';
    END IF;
    RETURN false;
END $$;
COMMENT ON FUNCTION cvm.make_output_schema(text, text) IS 'Makes the output schema (true), or takes an empty one that the current role owns (false); 42501 another''s, 42P06 not empty.';

CREATE FUNCTION cvm.create_portfolio(portfolio text, purchases regclass, customer name, "at" name, amount name, options jsonb DEFAULT '{}') RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted text;
    created boolean;
    caller text := current_setting('role');
    columns jsonb;
    taken text;
BEGIN
    IF portfolio IS NULL OR purchases IS NULL OR customer IS NULL OR at IS NULL OR amount IS NULL OR options IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'portfolio, purchases, customer, at, amount and options must not be null';
    END IF;
    IF octet_length(portfolio) NOT BETWEEN 1 AND 59 THEN
        RAISE EXCEPTION USING ERRCODE = 'name_too_long',
            MESSAGE = format('the name of a portfolio has 1 to 59 bytes, not %s', octet_length(portfolio));
    END IF;
    IF EXISTS (SELECT FROM cvm.portfolio p WHERE p.portfolio = create_portfolio.portfolio) THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
            MESSAGE = format('portfolio "%s" already exists', portfolio),
            HINT = 'Change it with cvm.alter_portfolio, or remove it with cvm.drop_portfolio.';
    END IF;
    -- columns of the feed may be named among the options
    SELECT coalesce(jsonb_object_agg(o.key, o.value) FILTER (WHERE o.key = ANY (k.optional)), '{}') INTO columns
    FROM cvm.feed_kinds k, jsonb_each(CASE jsonb_typeof(options) WHEN 'object' THEN options ELSE '{}' END) AS o WHERE k.kind = 'purchases';
    options := CASE jsonb_typeof(options) WHEN 'object' THEN options - ARRAY(SELECT jsonb_object_keys(columns)) ELSE options END;
    PERFORM cvm.check_options(options);
    wanted := cvm.option_text(options, 'schema', 'cvm_' || portfolio);
    created := cvm.make_output_schema(portfolio, wanted);
    -- row security may hide the portfolio that is in the way
    BEGIN
        INSERT INTO cvm.portfolio (portfolio, output_schema, owns_schema, options)
        VALUES (portfolio, wanted, created, jsonb_strip_nulls(options) - 'schema');
    EXCEPTION WHEN unique_violation THEN
        GET STACKED DIAGNOSTICS taken = CONSTRAINT_NAME;
        IF taken <> 'portfolio_output_schema_key' THEN
            RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
                MESSAGE = format('portfolio "%s" already exists', portfolio),
                HINT = 'It belongs to another role, or was created just now: take another name.';
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'duplicate_schema',
            MESSAGE = format('schema "%s" is the output schema of another portfolio', wanted),
            DETAIL = 'It stays so where the schema itself has been dropped.',
            HINT = 'Name another one with the option "schema", such as {"schema": "my_clv"}, or remove that portfolio with cvm.drop_portfolio: cvm.portfolios lists yours.';
    END;
    INSERT INTO cvm.feed (portfolio, kind, relation_schema, relation_name, columns)
    SELECT create_portfolio.portfolio, 'purchases', n.nspname, c.relname,
           jsonb_build_object('customer', customer, 'at', at, 'amount', amount) || jsonb_strip_nulls(columns)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = purchases;
    PERFORM cvm.check_purchases_feed(portfolio);
    -- what is made in another role's schema is that role's
    PERFORM set_config('role', cvm.portfolio_owner(portfolio), true);
    PERFORM cvm.create_output(portfolio);
    PERFORM set_config('role', caller, true);
    RETURN wanted;
END $$;
COMMENT ON FUNCTION cvm.create_portfolio(text, regclass, name, name, name, jsonb) IS
'Creates a portfolio over a purchases feed (any table, view, partitioned or foreign table) whose columns are named, with its output schema (cvm_<portfolio> unless the option schema says otherwise) and the empty relations in it, owned by the schema''s owner. Returns the name of the schema. Options: see the view cvm.options, and the optional columns of the feed (cvm.feed_kinds), such as {"order_id": "order_no"}. Errors: 42710 the portfolio exists, 42P06 the schema is in use, 42703 missing column, 42804 or 42883 a type that can not be used, 42809 a temporary relation, 42501 no privilege, 22023 a bad option, 42622 a name that is too long.';

CREATE FUNCTION cvm.alter_portfolio(portfolio text, options jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present cvm.portfolio := cvm.own_portfolio(portfolio);
BEGIN
    IF options IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'options must not be null';
    END IF;
    IF jsonb_typeof(options) <> 'object' THEN
        PERFORM cvm.check_options(options);
    END IF;
    PERFORM cvm.check_options(present.options || options);
    IF options ? 'schema' AND options ->> 'schema' IS DISTINCT FROM present.output_schema THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = format('the output schema of portfolio "%s" can not be changed', portfolio),
            HINT = 'Create another portfolio with the option "schema".';
    END IF;
    UPDATE cvm.portfolio p SET options = jsonb_strip_nulls(p.options || alter_portfolio.options) - 'schema'
    WHERE p.portfolio = alter_portfolio.portfolio;
    PERFORM cvm.check_value_basis(p.options, f.columns) FROM cvm.portfolio p JOIN cvm.feed f USING (portfolio)
    WHERE p.portfolio = alter_portfolio.portfolio AND f.kind = 'purchases';
END $$;
COMMENT ON FUNCTION cvm.alter_portfolio(text, jsonb) IS
'Changes options of a portfolio, from the next recompute on; null returns an option to its default, options that are not named stay. 42704 unknown portfolio, 42501 not permitted, 22023 a bad option.';

CREATE FUNCTION cvm.drop_portfolio(portfolio text, "cascade" boolean DEFAULT false) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present cvm.portfolio := cvm.own_portfolio(portfolio);
BEGIN
    PERFORM cvm.drop_output(portfolio, "cascade");
    -- before the schema goes: its owner is the one who may
    DELETE FROM cvm.portfolio p WHERE p.portfolio = drop_portfolio.portfolio;
    IF present.owns_schema AND cvm.schema_owner(present.output_schema) IS NOT NULL
       AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_namespace n ON n.oid = d.refobjid
                       WHERE d.refclassid = 'pg_namespace'::regclass AND n.nspname = present.output_schema::name) THEN
        EXECUTE format('DROP SCHEMA %I', present.output_schema);
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION cvm.drop_portfolio(text, boolean) IS
'Removes a portfolio with its output relations, jobs, models and runs, and its output schema if cvm made it and nothing else is in it; the feeds stay. Objects of others that depend on the output are an error (2BP01) unless cascade is true: then they go too. 42704 unknown portfolio, 42501 not permitted.';

CREATE FUNCTION cvm.grant_read(portfolio text, role regrole) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present cvm.portfolio := cvm.own_portfolio(portfolio);
    relation text;
BEGIN
    IF role IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'role must not be null',
            HINT = format('Name it: SELECT cvm.grant_read(%L, ''analyst'');', portfolio);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = role) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('there is no role with the number %s', role::oid),
            HINT = format('Name it: SELECT cvm.grant_read(%L, ''analyst'');', portfolio);
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %s', present.output_schema, role);
    FOR relation IN SELECT DISTINCT d.relation FROM cvm.output_dictionary() d WHERE d.published LOOP
        EXECUTE format('GRANT SELECT ON %I.%I TO %s', present.output_schema, relation, role);
    END LOOP;
END $$;
COMMENT ON FUNCTION cvm.grant_read(text, regrole) IS
'Lets a role read the published relations of a portfolio, its segment rules, runs, freshness and dictionary; never its errors'' text, nor the rows of its feeds. 42704 unknown portfolio or role, 22004 null, 22023 a number that is no role''s, 42501 not permitted. Undo it with REVOKE on the schema.';
