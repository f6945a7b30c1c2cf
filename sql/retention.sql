-- retention: who stays, what they pay, and what it cost to win them (src/metric/tally.c)
--
-- Counts and sums are exact, so an aggregate's result does not depend on the order of
-- rows or on parallel workers.  A ratio whose denominator is 0 is NULL.

-- ---------- retention and churn rates ----------

CREATE FUNCTION cvm.retention_accum(state bigint[], at_start boolean, at_end boolean) RETURNS bigint[]
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_retention_accum';
COMMENT ON FUNCTION cvm.retention_accum(bigint[], boolean, boolean) IS 'Transition function of cvm.retention_rate and cvm.churn_rate: customers at the start, and those of them at the end.';

CREATE FUNCTION cvm.add_counts(bigint[], bigint[]) RETURNS bigint[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_counts_combine';
COMMENT ON FUNCTION cvm.add_counts(bigint[], bigint[]) IS 'Combine function of aggregates whose state is two counts.';

CREATE FUNCTION cvm.second_of_first(bigint[]) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN $1[2]::float8 / nullif($1[1], 0);
COMMENT ON FUNCTION cvm.second_of_first(bigint[]) IS 'Final function of aggregates whose state is two counts: the second / the first, NULL if that is 0.';

CREATE FUNCTION cvm.rest_of_first(bigint[]) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ($1[1] - $1[2])::float8 / nullif($1[1], 0);
COMMENT ON FUNCTION cvm.rest_of_first(bigint[]) IS 'Final function of aggregates whose state is two counts: (the first - the second) / the first, NULL if that is 0.';

CREATE AGGREGATE cvm.retention_rate(at_start boolean, at_end boolean) (
    SFUNC = cvm.retention_accum, STYPE = bigint[], INITCOND = '{0,0}',
    COMBINEFUNC = cvm.add_counts, FINALFUNC = cvm.second_of_first, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.retention_rate(boolean, boolean) IS
'Retention rate from rows of customers, each present at the start and at the end or not: those present at both / those present at the start, 0 to 1. NULL counts as not present, so the two sides of a full join will do; one row a customer. Who joined in between does not count, whether or not he stayed. NULL without customers at the start. Not retention time (cvm.expected_lifetime), and not (E - N) / S with all who joined as N (cvm.retention_from_counts).';

CREATE AGGREGATE cvm.churn_rate(at_start boolean, at_end boolean) (
    SFUNC = cvm.retention_accum, STYPE = bigint[], INITCOND = '{0,0}',
    COMBINEFUNC = cvm.add_counts, FINALFUNC = cvm.rest_of_first, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.churn_rate(boolean, boolean) IS
'Churn rate of a contractual base: customers present at the start and not at the end / those present at the start; 1 - cvm.retention_rate. Where no contract says who has left see cvm.churned_by_silence, cvm.churned_by_gap and cvm.churned_by_model.';

CREATE FUNCTION cvm.retention_rate(at_start anycompatiblearray, at_end anycompatiblearray) RETURNS float8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT (SELECT count(*) FROM (SELECT u FROM unnest(at_start) AS u WHERE u IS NOT NULL INTERSECT SELECT u FROM unnest(at_end) AS u) AS both_sets)::float8
           / nullif((SELECT count(DISTINCT u) FROM unnest(at_start) AS u), 0)
$$;
COMMENT ON FUNCTION cvm.retention_rate(anycompatiblearray, anycompatiblearray) IS
'Retention rate from two sets of customers: those in both / those in the first, 0 to 1. Duplicates count once, NULL elements not at all. NULL for an empty set at the start or a NULL argument.';

CREATE FUNCTION cvm.churn_rate(at_start anycompatiblearray, at_end anycompatiblearray) RETURNS float8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT (SELECT count(*) FROM (SELECT u FROM unnest(at_start) AS u WHERE u IS NOT NULL EXCEPT SELECT u FROM unnest(at_end) AS u) AS lost)::float8
           / nullif((SELECT count(DISTINCT u) FROM unnest(at_start) AS u), 0)
$$;
COMMENT ON FUNCTION cvm.churn_rate(anycompatiblearray, anycompatiblearray) IS
'Churn rate from two sets of customers: those in the first only / those in the first, 0 to 1. As cvm.retention_rate otherwise.';

CREATE FUNCTION cvm.retention_from_counts(customers_at_start bigint, customers_at_end bigint, new_customers bigint) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN customers_at_start = 0 AND customers_at_end = new_customers THEN NULL
            ELSE cvm.argument('customers_at_end - new_customers',
                              (cvm.argument('customers_at_end', customers_at_end, 0) - cvm.argument('new_customers', new_customers, 0)),
                              0, cvm.argument('customers_at_start', customers_at_start, 0))
                 / nullif(customers_at_start, 0) END;
COMMENT ON FUNCTION cvm.retention_from_counts(bigint, bigint, bigint) IS
'Retention rate from counts: (E - N) / S, customers at the end less new ones, by customers at the start. It equals the rate from sets only if N counts the new customers who are still there at the end. With N all who joined, those who joined and left again are taken off the old customers: of 200 customers 30 leave while 50 join, 10 of whom leave again: (210 - 50) / 200 = 80 %, true are (210 - 40) / 200 = 85 %. NULL without customers at the start. 22023 for negative counts, E - N < 0 or E - N > S.';

-- ---------- churn without a contract: three definitions ----------

CREATE FUNCTION cvm.churned_by_silence(days_silent float8, limit_days float8) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.argument('days_silent', days_silent, 0) > cvm.argument('limit_days', limit_days, 0);
COMMENT ON FUNCTION cvm.churned_by_silence(float8, float8) IS
'Churn by a fixed limit: silent for more than limit_days. One limit for all; calls slow buyers churned and finds out late about quick ones. The share of customers for whom it is true is a churn state, not a rate per period. 22023 for negative days.';

CREATE FUNCTION cvm.churned_by_gap(days_silent float8, gaps float8[], population_gap float8 DEFAULT NULL, quantile float8 DEFAULT 0.95) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.argument('days_silent', days_silent, 0) >
    CASE WHEN cardinality(cvm.numbers('a gap', gaps, 0)) >= 3
         THEN (SELECT percentile_cont(cvm.argument('quantile', quantile, 0, 1)) WITHIN GROUP (ORDER BY g) FROM unnest(gaps) AS g)
         ELSE cvm.argument('population_gap', population_gap, 0) END;
COMMENT ON FUNCTION cvm.churned_by_gap(float8, float8[], float8, float8) IS
'Churn by a customer''s own rhythm: silent for longer than the quantile (interpolated) of its own gaps between purchases, in days; with fewer than three gaps, longer than population_gap, and NULL without one. At 95 % one gap in twenty of a loyal customer is called churn. 22023 outside the domain.';

CREATE FUNCTION cvm.churned_by_model(p_alive float8, threshold float8 DEFAULT 0.5) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.argument('p_alive', p_alive, 0, 1) < cvm.argument('threshold', threshold, 0, 1);
COMMENT ON FUNCTION cvm.churned_by_model(float8, float8) IS
'Churn by a model: the probability of still being alive (cvm.p_alive) is below the threshold. The expected number of churned customers is the sum of 1 - p_alive, not the count of those below a threshold. Neither is the risk of no purchase within a horizon (cvm.p_no_purchase), which is high for slow buyers too. 22023 unless both are 0 to 1.';

-- ---------- revenue retention ----------

CREATE FUNCTION cvm.revenue_accum(state numeric[], opening numeric, closing numeric) RETURNS numeric[]
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_revenue_accum';
COMMENT ON FUNCTION cvm.revenue_accum(numeric[], numeric, numeric) IS 'Transition function of cvm.nrr and cvm.grr: opening revenue, closing revenue of the same customers, and that capped at the opening.';

CREATE FUNCTION cvm.revenue_accum(state numeric[], opening float8, closing float8) RETURNS numeric[]
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_revenue_accum_float';
COMMENT ON FUNCTION cvm.revenue_accum(numeric[], float8, float8) IS 'Transition function of cvm.nrr and cvm.grr, each float taken as the shortest decimal that stands for it.';

CREATE FUNCTION cvm.revenue_combine(numeric[], numeric[]) RETURNS numeric[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_revenue_combine';
COMMENT ON FUNCTION cvm.revenue_combine(numeric[], numeric[]) IS 'Combine function of cvm.nrr and cvm.grr.';

CREATE FUNCTION cvm.nrr_final(numeric[]) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ($1[2] / nullif($1[1], 0))::float8;
COMMENT ON FUNCTION cvm.nrr_final(numeric[]) IS 'Final function of cvm.nrr.';

CREATE FUNCTION cvm.grr_final(numeric[]) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ($1[3] / nullif($1[1], 0))::float8;
COMMENT ON FUNCTION cvm.grr_final(numeric[]) IS 'Final function of cvm.grr.';

CREATE AGGREGATE cvm.nrr(opening numeric, closing numeric) (
    SFUNC = cvm.revenue_accum, STYPE = numeric[], INITCOND = '{0,0,0}',
    COMBINEFUNC = cvm.revenue_combine, FINALFUNC = cvm.nrr_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.nrr(numeric, numeric) IS
'Net revenue retention from recurring revenue per customer: closing revenue of those with an opening one / their opening revenue. One row a customer; NULL is 0, so a full join will do. New customers (no opening revenue) are left out: with them it would be growth, not retention. May exceed 1, and hides losses behind upgrades: read it beside cvm.grr. NULL without opening revenue; 22023 for negative revenue.';
CREATE AGGREGATE cvm.nrr(opening float8, closing float8) (
    SFUNC = cvm.revenue_accum, STYPE = numeric[], INITCOND = '{0,0,0}',
    COMBINEFUNC = cvm.revenue_combine, FINALFUNC = cvm.nrr_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.nrr(float8, float8) IS 'Net revenue retention, as for numeric; each float counts as the shortest decimal that stands for it.';
CREATE AGGREGATE cvm.grr(opening numeric, closing numeric) (
    SFUNC = cvm.revenue_accum, STYPE = numeric[], INITCOND = '{0,0,0}',
    COMBINEFUNC = cvm.revenue_combine, FINALFUNC = cvm.grr_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.grr(numeric, numeric) IS
'Gross revenue retention: closing revenue, of each customer at most its opening one / opening revenue; 0 to 1. The cap is per customer: capping the total instead lets one customer''s upgrade pay for another''s leaving. New customers are left out. NULL without opening revenue; 22023 for negative revenue.';
CREATE AGGREGATE cvm.grr(opening float8, closing float8) (
    SFUNC = cvm.revenue_accum, STYPE = numeric[], INITCOND = '{0,0,0}',
    COMBINEFUNC = cvm.revenue_combine, FINALFUNC = cvm.grr_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.grr(float8, float8) IS 'Gross revenue retention, as for numeric; each float counts as the shortest decimal that stands for it.';

-- Parts that make up a whole may exceed it by their rounding.
CREATE FUNCTION cvm.revenue_lost(opening float8, contraction float8, churned float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN least(cvm.argument('contraction + churned', cvm.argument('contraction', contraction, 0) + cvm.argument('churned', churned, 0),
                          0, cvm.argument('opening', opening, 0) * (1 + 1e-12)), opening);
COMMENT ON FUNCTION cvm.revenue_lost(float8, float8, float8) IS
'Recurring revenue lost of that at the start: contraction + churned, both >= 0 and together at most opening (22023): nobody loses more than there was.';

CREATE FUNCTION cvm.nrr(opening float8, expansion float8, contraction float8, churned float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (opening - cvm.revenue_lost(opening, contraction, churned) + cvm.argument('expansion', expansion, 0)) / nullif(opening, 0);
COMMENT ON FUNCTION cvm.nrr(float8, float8, float8, float8) IS
'Net revenue retention from its parts: (opening + expansion - contraction - churned) / opening, all >= 0 and of customers who were there at the start. NULL without opening revenue; 22023 for negative parts, and for contraction + churned above opening.';

CREATE FUNCTION cvm.grr(opening float8, contraction float8, churned float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (opening - cvm.revenue_lost(opening, contraction, churned)) / nullif(opening, 0);
COMMENT ON FUNCTION cvm.grr(float8, float8, float8) IS
'Gross revenue retention from its parts: (opening - contraction - churned) / opening, 0 to 1, all >= 0. NULL without opening revenue; 22023 for negative parts, and for contraction + churned above opening.';

-- ---------- repeat purchases ----------

CREATE FUNCTION cvm.repeat_accum(state bigint[], purchases bigint) RETURNS bigint[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_repeat_accum';
COMMENT ON FUNCTION cvm.repeat_accum(bigint[], bigint) IS 'Transition function of cvm.repeat_purchase_rate: customers, and those of them with two purchases or more.';

CREATE AGGREGATE cvm.repeat_purchase_rate(purchases bigint) (
    SFUNC = cvm.repeat_accum, STYPE = bigint[], INITCOND = '{0,0}',
    COMBINEFUNC = cvm.add_counts, FINALFUNC = cvm.second_of_first, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.repeat_purchase_rate(bigint) IS
'Repeat-purchase rate: customers with at least two purchases / customers with at least one, from the number of purchases of each (repeat_periods + 1 of a history). Rows of 0 or NULL are no customers. Grows with the time observed, so compare cohorts of one age; not a retention rate. NULL without customers; 22023 for a negative number.';

CREATE FUNCTION cvm.repeat_purchase_rate(repeaters bigint, customers bigint) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.argument('repeaters', repeaters, 0, cvm.argument('customers', customers, 0)) / nullif(customers, 0);
COMMENT ON FUNCTION cvm.repeat_purchase_rate(bigint, bigint) IS
'Repeat-purchase rate from counts: customers with at least two purchases / customers. NULL without customers; 22023 for more repeaters than customers.';

-- ---------- acquisition ----------

CREATE FUNCTION cvm.acquisition_cost(spend float8, new_customers float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.argument('spend', spend, 0) / nullif(cvm.argument('new_customers', new_customers, 0), 0);
COMMENT ON FUNCTION cvm.acquisition_cost(float8, float8) IS
'Customer acquisition cost (CAC): acquisition spend / new customers, money per customer. State whether the customers are those of the same period or of a later one, and whether they are all (blended) or the paid channels'' only: the two differ by the share of free ones. Spend on existing customers is retention spend. NULL without new customers; the spend is not lost for that, and must not be left out of a longer period''s.';

CREATE FUNCTION cvm.value_to_cost(value float8, acquisition_cost float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.argument('value', value) / nullif(cvm.argument('acquisition_cost', acquisition_cost, 0), 0);
COMMENT ON FUNCTION cvm.value_to_cost(float8, float8) IS
'LTV:CAC, value of a new customer / what it cost to acquire. value before acquisition cost, and of margins: a revenue in its place makes a ratio of 3 out of a loss. Hides when the value comes: see cvm.payback_periods. NULL for a cost of 0.';

CREATE FUNCTION cvm.payback_time(acquisition_cost float8, revenue float8, gross_margin float8 DEFAULT 1) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN cvm.argument('revenue', revenue) * cvm.argument('gross_margin', gross_margin, '-Infinity', 1) > 0
            THEN cvm.argument('acquisition_cost', acquisition_cost, 0) / (revenue * gross_margin) END;
COMMENT ON FUNCTION cvm.payback_time(float8, float8, float8) IS
'Simple payback in periods (months of a monthly revenue): CAC / (average revenue per account and period x gross margin). NULL where the margin is not positive: it never pays back. Assumes that no customer leaves and that money has no price: cvm.payback_periods does not. On revenue instead of margin it flatters. 22023 for a negative cost or a gross margin above 1.';

CREATE FUNCTION cvm.payback_periods(acquisition_cost float8, margin float8, retention_rate float8 DEFAULT 1, discount_rate float8 DEFAULT 0) RETURNS integer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_payback_periods';
COMMENT ON FUNCTION cvm.payback_periods(float8, float8, float8, float8) IS
'Payback with churn and discount: the least number of periods n with the sum of margin r^(t - 1) / (1 + d)^t over t = 1 .. n at least acquisition_cost; margin at the end of each period, all rates per period. NULL if it never pays back; 0 for a cost of 0. 22023 unless the cost is >= 0, retention_rate 0 to 1 and discount_rate >= 0.';
