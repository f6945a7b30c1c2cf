-- view: what there is to see of portfolios, feeds and models

CREATE VIEW cvm.portfolios WITH (security_invoker = true) AS
SELECT p.portfolio, cvm.portfolio_owner(p.portfolio) AS owner, p.output_schema, r.as_of, r.finished_at AS published_at, r.customers,
       (SELECT l.status FROM cvm.run l WHERE l.portfolio = p.portfolio AND l.holdout IS NULL ORDER BY l.run_id DESC LIMIT 1) AS last_status,
       p.options, p.created_at, p.options ->> 'portfolio_currency' AS currency,
       coalesce(r.value_basis, cvm.value_basis(p.options, f.columns)) AS value_basis
FROM cvm.portfolio p
LEFT JOIN cvm.feed f ON f.portfolio = p.portfolio AND f.kind = 'purchases'
LEFT JOIN LATERAL (SELECT s.as_of, s.finished_at, s.customers, s.value_basis FROM cvm.run s
                   WHERE s.portfolio = p.portfolio AND s.status = 'succeeded' AND s.holdout IS NULL ORDER BY s.run_id DESC LIMIT 1) r ON true;
COMMENT ON VIEW cvm.portfolios IS 'Portfolios that the current role owns or may read, and how fresh their published numbers are.';
COMMENT ON COLUMN cvm.portfolios.portfolio IS 'name';
COMMENT ON COLUMN cvm.portfolios.owner IS 'owner: that of the output schema; NULL if that is gone';
COMMENT ON COLUMN cvm.portfolios.output_schema IS 'schema of the published relations';
COMMENT ON COLUMN cvm.portfolios.as_of IS 'instant of the published numbers; NULL before the first run';
COMMENT ON COLUMN cvm.portfolios.published_at IS 'when they were published';
COMMENT ON COLUMN cvm.portfolios.customers IS 'customers in them';
COMMENT ON COLUMN cvm.portfolios.last_status IS 'status of the last recompute, which may have failed since';
COMMENT ON COLUMN cvm.portfolios.options IS 'options that differ from their defaults: see cvm.options';
COMMENT ON COLUMN cvm.portfolios.created_at IS 'when the portfolio was created';
COMMENT ON COLUMN cvm.portfolios.currency IS 'currency of its values; NULL if not given';
COMMENT ON COLUMN cvm.portfolios.value_basis IS 'what the published values are: revenue, gross_margin or net_contribution (doc/money.md); before the first run, what they will be';

CREATE VIEW cvm.feeds WITH (security_invoker = true) AS
SELECT f.portfolio, f.kind, pg_catalog.format('%I.%I', f.relation_schema, f.relation_name) AS relation, f.columns
FROM cvm.feed f;
COMMENT ON VIEW cvm.feeds IS 'Feeds of the portfolios that the current role owns or may read.';
COMMENT ON COLUMN cvm.feeds.portfolio IS 'portfolio';
COMMENT ON COLUMN cvm.feeds.kind IS 'kind: see cvm.feed_kinds';
COMMENT ON COLUMN cvm.feeds.relation IS 'relation, by name';
COMMENT ON COLUMN cvm.feeds.columns IS 'what cvm calls a column -> the relation''s column';

CREATE VIEW cvm.models WITH (security_invoker = true) AS
SELECT m.model_id, m.portfolio, m.role, m.family, cvm.parameters(m.model) AS parameters,
       cvm.standard_errors(m.model) AS standard_errors, cvm.log_likelihood(m.model) AS log_likelihood,
       cvm.customers(m.model) AS customers, m.rung AS method, m.as_of, m.fitted_at, m.run_id,
       m.status = 'live' AS is_live, m.status, m.reason, m.validated,
       EXISTS (SELECT FROM cvm.promotion p WHERE p.portfolio = m.portfolio
               AND m.model_id IN (p.purchase_model_id, p.spend_model_id, p.retention_model_id)) AS is_pinned,
       m.specification, m.source, m.fingerprint, m.extension_version, m.partner_id, m.live_since, m.retired_at,
       m.gradient_norm, m.iterations, m.condition, m.model
FROM cvm.fitted_model m;
COMMENT ON VIEW cvm.models IS 'Models that were fitted for the portfolios that the current role owns or may read.';
COMMENT ON COLUMN cvm.models.model_id IS 'number of the model, as in clv.model_id';
COMMENT ON COLUMN cvm.models.portfolio IS 'portfolio';
COMMENT ON COLUMN cvm.models.role IS 'purchases, spend or retention';
COMMENT ON COLUMN cvm.models.family IS 'family: see cvm.families; shrunk-rate on the rung shrunk';
COMMENT ON COLUMN cvm.models.parameters IS 'parameters by name, in the portfolio''s time unit and currency';
COMMENT ON COLUMN cvm.models.standard_errors IS 'standard errors of the parameters from the observed information; NULL if they can not be had';
COMMENT ON COLUMN cvm.models.log_likelihood IS 'log-likelihood at the parameters';
COMMENT ON COLUMN cvm.models.customers IS 'customers it was fitted on';
COMMENT ON COLUMN cvm.models.method IS 'rung of the fit: full, penalised, simpler or shrunk';
COMMENT ON COLUMN cvm.models.as_of IS 'instant up to which it has seen purchases';
COMMENT ON COLUMN cvm.models.fitted_at IS 'when it was fitted';
COMMENT ON COLUMN cvm.models.run_id IS 'run that fitted it';
COMMENT ON COLUMN cvm.models.is_live IS 'whether the published scores come from it';
COMMENT ON COLUMN cvm.models.status IS 'candidate (fitted, not published), live, rejected (by the gate) or retired (was live)';
COMMENT ON COLUMN cvm.models.reason IS 'why it has its status';
COMMENT ON COLUMN cvm.models.validated IS 'whether its specification has passed a holdout: see cvm.validations';
COMMENT ON COLUMN cvm.models.is_pinned IS 'whether recomputes use its parameters instead of fitting: cvm.promote, cvm.rollback, cvm.unpin';
COMMENT ON COLUMN cvm.models.specification IS 'what was fitted: family, spend_family, period, time_unit, time_zone; of a retention model family, renewal, time_zone';
COMMENT ON COLUMN cvm.models.source IS 'relation and columns of the feed it was fitted on';
COMMENT ON COLUMN cvm.models.fingerprint IS 'hash of the sufficient statistics it was fitted on: equal data, equal fingerprint, whatever the order of rows';
COMMENT ON COLUMN cvm.models.extension_version IS 'version of the extension that fitted it';
COMMENT ON COLUMN cvm.models.partner_id IS 'purchases and spend: the other model of the pair; retention: the purchase model of its run';
COMMENT ON COLUMN cvm.models.live_since IS 'when it first went live; NULL: never';
COMMENT ON COLUMN cvm.models.retired_at IS 'when another one took its place';
COMMENT ON COLUMN cvm.models.gradient_norm IS 'norm of the gradient in log parameters per customer at the end of the fit: 0 at a maximum';
COMMENT ON COLUMN cvm.models.iterations IS 'evaluations of the likelihood';
COMMENT ON COLUMN cvm.models.condition IS 'condition number of the observed information in log parameters';
COMMENT ON COLUMN cvm.models.model IS 'the model as a value, argument of the functions of schema cvm';

CREATE VIEW cvm.data_dictionary WITH (security_invoker = true) AS
SELECT p.portfolio, n.nspname::text AS schema_name, c.relname::text AS relation, a.attname::text AS column_name,
       a.attnum::integer AS position, pg_catalog.format_type(a.atttypid, a.atttypmod) AS data_type,
       pg_catalog.col_description(c.oid, a.attnum) AS description,
       pg_catalog.obj_description(c.oid, 'pg_class') AS relation_description
FROM cvm.portfolio p
JOIN pg_catalog.pg_namespace n ON n.nspname OPERATOR(pg_catalog.=) p.output_schema::pg_catalog.name
JOIN pg_catalog.pg_class c ON c.relnamespace OPERATOR(pg_catalog.=) n.oid
JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relname::text IN (SELECT d.relation FROM cvm.output_dictionary() d WHERE d.published);
COMMENT ON VIEW cvm.data_dictionary IS 'Published relations and columns of the portfolios that the current role owns or may read, with types, units and meaning.';
COMMENT ON COLUMN cvm.data_dictionary.portfolio IS 'portfolio';
COMMENT ON COLUMN cvm.data_dictionary.schema_name IS 'output schema';
COMMENT ON COLUMN cvm.data_dictionary.relation IS 'table or view';
COMMENT ON COLUMN cvm.data_dictionary.column_name IS 'column';
COMMENT ON COLUMN cvm.data_dictionary.position IS 'its position';
COMMENT ON COLUMN cvm.data_dictionary.data_type IS 'its type';
COMMENT ON COLUMN cvm.data_dictionary.description IS 'its meaning and unit';
COMMENT ON COLUMN cvm.data_dictionary.relation_description IS 'meaning of the relation';

GRANT SELECT ON cvm.portfolios, cvm.feeds, cvm.models, cvm.data_dictionary TO PUBLIC;
