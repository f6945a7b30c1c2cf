-- recompute: runs, models, and the one way from a feed to published tables (src/recompute)

-- ---------- runs ----------

CREATE TABLE cvm.run (
    run_id bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME cvm.run_id_seq) PRIMARY KEY,
    portfolio text NOT NULL,
    job_id bigint,
    holdout interval,
    attempt integer NOT NULL DEFAULT 1,
    as_of timestamptz,
    started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    finished_at timestamptz,
    status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'succeeded', 'failed', 'cancelled', 'crashed')),
    phase text,
    pid integer,
    sqlstate text,
    purchases bigint,
    purchases_after_as_of bigint,
    customers bigint,
    spend_left_out bigint,
    purchase_model_id bigint,
    spend_model_id bigint,
    subscriptions bigint,
    subscriptions_after_as_of bigint,
    retention_model_id bigint,
    value_basis text,
    validation_id bigint
);
COMMENT ON SEQUENCE cvm.run_id_seq IS 'Numbers runs.';
CREATE INDEX run_of_portfolio ON cvm.run (portfolio, run_id);
COMMENT ON INDEX cvm.run_of_portfolio IS 'Runs of a portfolio.';
COMMENT ON TABLE cvm.run IS 'Runs: executions of a recompute, or of a validation by a job. Lock is truth, row is record: read cvm.job_runs, which knows a crashed run.';
COMMENT ON COLUMN cvm.run.run_id IS 'number of the run';
COMMENT ON COLUMN cvm.run.portfolio IS 'portfolio';
COMMENT ON COLUMN cvm.run.job_id IS 'job that ran; NULL for a recompute called by hand';
COMMENT ON COLUMN cvm.run.holdout IS 'holdout of a validation that a job has called; NULL: a recompute';
COMMENT ON COLUMN cvm.run.attempt IS '1 for the first attempt of a due time, more for retries';
COMMENT ON COLUMN cvm.run.as_of IS 'instant as of which everything was computed';
COMMENT ON COLUMN cvm.run.started_at IS 'when it began';
COMMENT ON COLUMN cvm.run.finished_at IS 'when it ended; NULL while it runs';
COMMENT ON COLUMN cvm.run.status IS 'running, succeeded, failed, cancelled or crashed';
COMMENT ON COLUMN cvm.run.phase IS 'last step that was begun: summarise, fit, score, publish; of a validation summarise, fit, judge';
COMMENT ON COLUMN cvm.run.pid IS 'process that ran it';
COMMENT ON COLUMN cvm.run.sqlstate IS 'SQLSTATE of the error; its text is in cvm.run_error';
COMMENT ON COLUMN cvm.run.purchases IS 'rows read from the purchases feed';
COMMENT ON COLUMN cvm.run.purchases_after_as_of IS 'rows left out because they lie after as_of';
COMMENT ON COLUMN cvm.run.customers IS 'customers found; of a validation, those of the calibration window';
COMMENT ON COLUMN cvm.run.spend_left_out IS 'repeat buyers left out of the spend model because their mean spend is not positive';
COMMENT ON COLUMN cvm.run.purchase_model_id IS 'purchase model its scores come from';
COMMENT ON COLUMN cvm.run.spend_model_id IS 'spend model its scores come from';
COMMENT ON COLUMN cvm.run.value_basis IS 'what its values are: revenue, gross_margin or net_contribution';
COMMENT ON COLUMN cvm.run.validation_id IS 'what a validation has recorded: see cvm.validations';
COMMENT ON COLUMN cvm.run.subscriptions IS 'rows read from the subscriptions feed; NULL without one';
COMMENT ON COLUMN cvm.run.subscriptions_after_as_of IS 'subscriptions left out because they start after as_of';
COMMENT ON COLUMN cvm.run.retention_model_id IS 'retention model its scores come from; NULL without subscriptions';

CREATE TABLE cvm.run_error (
    run_id bigint NOT NULL,
    portfolio text NOT NULL,
    message text,
    detail text,
    hint text,
    context text,
    PRIMARY KEY (run_id, portfolio)
);
COMMENT ON TABLE cvm.run_error IS 'Errors of runs in full, which may quote data: for the portfolio''s owner alone.';
COMMENT ON COLUMN cvm.run_error.run_id IS 'run';
COMMENT ON COLUMN cvm.run_error.portfolio IS 'its portfolio';
COMMENT ON COLUMN cvm.run_error.message IS 'message';
COMMENT ON COLUMN cvm.run_error.detail IS 'detail';
COMMENT ON COLUMN cvm.run_error.hint IS 'hint';
COMMENT ON COLUMN cvm.run_error.context IS 'context';

-- ---------- models ----------

CREATE TABLE cvm.fitted_model (
    model_id bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME cvm.model_id_seq) PRIMARY KEY,
    portfolio text NOT NULL,
    run_id bigint NOT NULL,
    role text NOT NULL CHECK (role IN ('purchases', 'spend', 'retention')),
    family text NOT NULL,
    model cvm.model NOT NULL,
    as_of timestamptz NOT NULL,
    fitted_at timestamptz NOT NULL,
    covariates cvm.covariate_model,
    encoding jsonb,
    rung text NOT NULL CHECK (rung IN ('full', 'penalised', 'simpler', 'shrunk')),
    gradient_norm float8,
    iterations integer,
    condition float8,
    partner_id bigint,
    specification jsonb NOT NULL,
    source jsonb NOT NULL,
    fingerprint text NOT NULL,
    purchases float8 NOT NULL,
    extension_version text NOT NULL,
    status text NOT NULL DEFAULT 'candidate' CHECK (status IN ('candidate', 'live', 'rejected', 'retired')),
    reason text,
    validated boolean NOT NULL DEFAULT false,
    live_since timestamptz,
    retired_at timestamptz
);
COMMENT ON SEQUENCE cvm.model_id_seq IS 'Numbers fitted models.';
CREATE INDEX fitted_model_of_portfolio ON cvm.fitted_model (portfolio, model_id);
COMMENT ON INDEX cvm.fitted_model_of_portfolio IS 'Models of a portfolio.';
COMMENT ON TABLE cvm.fitted_model IS 'The registry of models that recomputes fitted, with what is needed to fit each again. Read cvm.models.';
COMMENT ON COLUMN cvm.fitted_model.model_id IS 'number of the model';
COMMENT ON COLUMN cvm.fitted_model.portfolio IS 'portfolio';
COMMENT ON COLUMN cvm.fitted_model.run_id IS 'run that fitted it';
COMMENT ON COLUMN cvm.fitted_model.role IS 'purchases, spend or retention';
COMMENT ON COLUMN cvm.fitted_model.family IS 'family of the model: see cvm.families; shrunk-rate on the rung shrunk';
COMMENT ON COLUMN cvm.fitted_model.model IS 'the fitted model, argument of the functions of schema cvm';
COMMENT ON COLUMN cvm.fitted_model.covariates IS 'the same family with covariates, by which customers are scored whose attributes are known; NULL without';
COMMENT ON COLUMN cvm.fitted_model.encoding IS 'how attributes become covariates: an array of {"column"} for numbers and {"column", "levels"} for categories, the first level being the reference';
COMMENT ON COLUMN cvm.fitted_model.as_of IS 'instant up to which it has seen purchases';
COMMENT ON COLUMN cvm.fitted_model.fitted_at IS 'when it was fitted';
COMMENT ON COLUMN cvm.fitted_model.rung IS 'rung of the ladder: full, penalised, simpler or shrunk';
COMMENT ON COLUMN cvm.fitted_model.gradient_norm IS 'norm of the gradient in log parameters per customer at the end of the fit; NULL if nothing was climbed';
COMMENT ON COLUMN cvm.fitted_model.iterations IS 'evaluations of the likelihood';
COMMENT ON COLUMN cvm.fitted_model.condition IS 'condition number of the observed information in log parameters; NULL if nothing was climbed';
COMMENT ON COLUMN cvm.fitted_model.partner_id IS 'purchases and spend: the other model of the pair, which are fitted, published and rejected together; retention: the purchase model of its run';
COMMENT ON COLUMN cvm.fitted_model.specification IS 'what was fitted: family, spend_family, period, time_unit, time_zone; of a retention model family, renewal, time_zone';
COMMENT ON COLUMN cvm.fitted_model.source IS 'what it was fitted on: relation and columns of the purchases feed, of a retention model of the subscriptions feed';
COMMENT ON COLUMN cvm.fitted_model.fingerprint IS 'hash of the customers'' sufficient statistics it was fitted on, 32 hexadecimal digits, whatever their order';
COMMENT ON COLUMN cvm.fitted_model.purchases IS 'repeat purchases of all customers it was fitted on; of a retention model, subscriptions that have ended';
COMMENT ON COLUMN cvm.fitted_model.extension_version IS 'version of the extension that fitted it';
COMMENT ON COLUMN cvm.fitted_model.status IS 'candidate: fitted, not published; live: the published scores come from it; rejected: by the gate, see reason; retired: was live';
COMMENT ON COLUMN cvm.fitted_model.reason IS 'why it has its status';
COMMENT ON COLUMN cvm.fitted_model.validated IS 'whether its specification passed the last holdout before it was fitted, or has passed one since while live';
COMMENT ON COLUMN cvm.fitted_model.live_since IS 'when it first went live; NULL: never';
COMMENT ON COLUMN cvm.fitted_model.retired_at IS 'when another one took its place; NULL while live';

SELECT pg_catalog.pg_extension_config_dump('cvm.run', '');
SELECT pg_catalog.pg_extension_config_dump('cvm.run_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('cvm.run_error', '');
SELECT pg_catalog.pg_extension_config_dump('cvm.fitted_model', '');
SELECT pg_catalog.pg_extension_config_dump('cvm.model_id_seq', '');

-- job_id and attempt are the worker's
GRANT SELECT, DELETE, INSERT (portfolio, as_of, started_at, status, phase, pid),
    UPDATE (as_of, finished_at, status, phase, pid, sqlstate, purchases, purchases_after_as_of, customers, spend_left_out,
            purchase_model_id, spend_model_id, subscriptions, subscriptions_after_as_of, retention_model_id, value_basis, validation_id) ON cvm.run TO PUBLIC;
GRANT SELECT, INSERT, DELETE, UPDATE (message, detail, hint, context) ON cvm.run_error TO PUBLIC;
GRANT SELECT, DELETE,
    INSERT (portfolio, run_id, role, family, model, as_of, fitted_at, rung, gradient_norm, iterations, condition, partner_id,
            specification, source, fingerprint, purchases, extension_version, status, reason, validated, live_since, retired_at),
    UPDATE (covariates, encoding, partner_id, status, reason, validated, live_since, retired_at) ON cvm.fitted_model TO PUBLIC;
ALTER TABLE cvm.run ENABLE ROW LEVEL SECURITY;
CREATE POLICY owner ON cvm.run USING (cvm.may_act(portfolio)) WITH CHECK (cvm.may_act(portfolio));
CREATE POLICY reader ON cvm.run FOR SELECT USING (cvm.may_read(portfolio));
COMMENT ON POLICY owner ON cvm.run IS 'A recompute, which runs as the owner, records its runs.';
COMMENT ON POLICY reader ON cvm.run IS 'Readers of the output schema and pg_monitor see every status.';
ALTER TABLE cvm.run_error ENABLE ROW LEVEL SECURITY;
CREATE POLICY owner ON cvm.run_error USING (cvm.may_act(portfolio)) WITH CHECK (cvm.may_act(portfolio));
COMMENT ON POLICY owner ON cvm.run_error IS 'Members of the owner see their errors.';
ALTER TABLE cvm.fitted_model ENABLE ROW LEVEL SECURITY;
CREATE POLICY owner ON cvm.fitted_model USING (cvm.may_act(portfolio)) WITH CHECK (cvm.may_act(portfolio));
CREATE POLICY reader ON cvm.fitted_model FOR SELECT USING (cvm.may_read(portfolio));
COMMENT ON POLICY owner ON cvm.fitted_model IS 'A recompute, which runs as the owner, records its models.';
COMMENT ON POLICY reader ON cvm.fitted_model IS 'Readers of the output schema and pg_monitor see the models.';

-- ---------- the recompute ----------

-- Read by src/recompute/plan.c at the beginning of each run.
CREATE FUNCTION cvm.recompute_plan(portfolio text, candidate jsonb DEFAULT NULL,
    OUT output_schema text, OUT purchases_query text, OUT alias_join text, OUT currency text, OUT value_basis text, OUT time_zone text, OUT period interval,
    OUT time_unit interval, OUT annual_discount_rate float8, OUT horizon interval, OUT value_horizon interval,
    OUT margin float8, OUT purchase_family text, OUT spend_family text, OUT predictive_interval boolean, OUT equity_statement boolean, OUT history_seconds float8,
    OUT specification jsonb, OUT source jsonb, OUT drift_threshold float8, OUT pinned_purchase_model_id bigint, OUT pinned_spend_model_id bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present cvm.portfolio := cvm.own_portfolio(portfolio);
    options jsonb := present.options;
    buyer pg_attribute;
BEGIN
    PERFORM cvm.check_purchases_feed(portfolio);
    -- family, period, time unit and zone: what the gate or somebody has decided, or the options say (sql/registry.sql)
    -- held against the options' domains, since the owner may write what was decided
    specification := cvm.complete_specification(options, coalesce(candidate, cvm.live_specification(portfolio)));
    output_schema := present.output_schema;
    SELECT cvm.check_value_basis(options, f.columns),
           jsonb_build_object('relation', format('%I.%I', f.relation_schema, f.relation_name), 'columns', f.columns)
    INTO STRICT value_basis, source FROM cvm.feed f WHERE f.portfolio = recompute_plan.portfolio AND f.kind = 'purchases';
    IF jsonb_typeof(specification -> 'covariates') = 'object' THEN
        source := source || coalesce((SELECT jsonb_build_object('attributes', jsonb_build_object('relation', format('%I.%I', f.relation_schema, f.relation_name), 'columns', f.columns))
                             FROM cvm.feed f WHERE f.portfolio = recompute_plan.portfolio AND f.kind = 'attributes'), '{}');
    END IF;
    currency := cvm.option_text(options, 'portfolio_currency', NULL);
    time_zone := specification ->> 'time_zone';
    purchases_query := cvm.purchases_query(portfolio, time_zone, options);
    -- whom of the published customers the aliases have made one with another since
    buyer := cvm.feed_column(portfolio, 'purchases', cvm.feed_relation(portfolio, 'purchases'), 'customer');
    alias_join := cvm.alias_join(portfolio, 's.customer_id', buyer.atttypid);
    period := (specification ->> 'period')::interval;
    time_unit := (specification ->> 'time_unit')::interval;
    annual_discount_rate := cvm.option_rate(options);
    horizon := cvm.option_interval(options, 'horizon', '365.25 days');
    value_horizon := cvm.option_interval(options, 'value_horizon', NULL);
    margin := cvm.option_number(options, 'margin', 1, 0, true, 1);
    purchase_family := specification ->> 'family';
    spend_family := specification ->> 'spend_family';
    predictive_interval := coalesce((options ->> 'predictive_interval')::boolean, true);
    history_seconds := coalesce(cvm.interval_seconds(cvm.option_interval(options, 'history', NULL)), 0);
    equity_statement := coalesce((options ->> 'equity_statement')::boolean, true);
    drift_threshold := cvm.option_number(options, 'drift_threshold', 0.25, 0, true, 100);
    IF candidate IS NULL THEN
        SELECT p.purchase_model_id, p.spend_model_id INTO pinned_purchase_model_id, pinned_spend_model_id
        FROM cvm.promotion p WHERE p.portfolio = recompute_plan.portfolio;
    END IF;
END $$;
COMMENT ON FUNCTION cvm.recompute_plan(text, jsonb) IS 'What a recompute of the portfolio would read and with which options, defaults filled in, after checking the feed; with another specification than the live one, if candidate gives it. Errors as of cvm.check_purchases_feed.';

CREATE PROCEDURE cvm.recompute(portfolio text, as_of timestamptz DEFAULT NULL, "full" boolean DEFAULT false)
LANGUAGE C AS 'MODULE_PATHNAME', 'cvm_recompute';

COMMENT ON PROCEDURE cvm.recompute(text, timestamptz, boolean) IS
'Recomputes a portfolio as of an instant (NULL: now, the only place where the clock is read) and publishes customer, clv, churn, equity, segments and cohorts in its output schema. full: read the whole feed instead of what changed (this version always does). Runs as the portfolio''s owner, whoever of the owner, its members or superusers calls it. At top level every step is a transaction of its own; inside a transaction block or function all is one. Readers see the last published run until the new one is complete. Errors: 42704 unknown portfolio, 42501 not permitted, 55P03 being recomputed by another session, 02000 nothing to fit on or an exchange rate is missing, 22004 NULL in the feed, 22023 an exchange rate that is not above 0, 21000 two rates for one day, 42804 or 42703 a column of score was altered, 42809 or 42P01 score was replaced, 54000 more than 10,000 segment rules, 55000 a trigger or rule keeps rows out of the output or the portfolio was given to another owner meanwhile; the last published result stays intact.';

