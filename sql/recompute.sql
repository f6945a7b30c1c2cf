-- recompute: the one way from a feed to published tables (src/recompute)

CREATE PROCEDURE cvm.recompute(portfolio text, as_of timestamptz DEFAULT NULL, "full" boolean DEFAULT false)
LANGUAGE C AS 'MODULE_PATHNAME', 'cvm_recompute';

COMMENT ON PROCEDURE cvm.recompute(text, timestamptz, boolean) IS
'Recomputes a portfolio as of an instant (NULL: now, the only place where the clock is read) and publishes customer, clv, churn, equity, segments and cohorts in its output schema. full: read the whole feed instead of what changed (this version always does). Runs as the portfolio''s owner, whoever of the owner, its members or superusers calls it. At top level every step is a transaction of its own; inside a transaction block or function all is one. Readers see the last published run until the new one is complete. Errors: 42704 unknown portfolio, 42501 not permitted, 55P03 being recomputed by another session, 02000 nothing to fit on, 22004 NULL in the feed; the last published result stays intact.';

