-- experiment: did it make a difference (src/metric/experiment.c, arm_test.c, design.c)
--
-- Aggregates over one row a customer, treated or in control.  Each gives one row of plain
-- columns: (cvm.difference_in_means(treated, outcome)).*.  What can not be given is NULL,
-- and the column reason says why: one_arm (nobody treated, or nobody in control), too_few
-- (fewer than two in an arm), no_variance (nothing varies within the arms), control_zero (only
-- relative_difference is missing), constant_covariate.  Rows with a NULL are left out: a
-- customer who bought nothing has an outcome of 0, not NULL.  The order of rows does not matter.

CREATE FUNCTION cvm.experiment_combine(float8[], float8[]) RETURNS float8[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_experiment_combine';
COMMENT ON FUNCTION cvm.experiment_combine(float8[], float8[]) IS 'Combine function of the aggregates over an experiment.';

-- ---------- means ----------

CREATE TYPE cvm.mean_difference AS (
    treated bigint, control bigint, treated_mean float8, control_mean float8,
    difference float8, standard_error float8, low float8, high float8,
    t float8, degrees_of_freedom float8, p_value float8, relative_difference float8, reason text
);
COMMENT ON TYPE cvm.mean_difference IS
'A difference in means: customers and mean of both arms, treated - control with its standard error and interval, t, its degrees of freedom, the two-sided p, the difference / |control mean|, and the reason where something is NULL.';

CREATE FUNCTION cvm.outcome_accum(state float8[], treated boolean, outcome float8) RETURNS float8[]
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_experiment_accum_outcome';
COMMENT ON FUNCTION cvm.outcome_accum(float8[], boolean, float8) IS 'Transition function of cvm.difference_in_means.';
CREATE FUNCTION cvm.outcome_accum(state float8[], treated boolean, outcome float8, confidence float8) RETURNS float8[]
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_experiment_accum_outcome';
COMMENT ON FUNCTION cvm.outcome_accum(float8[], boolean, float8, float8) IS 'Transition function of cvm.difference_in_means.';
CREATE FUNCTION cvm.difference_in_means_final(float8[]) RETURNS cvm.mean_difference
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_mean_difference_final';
COMMENT ON FUNCTION cvm.difference_in_means_final(float8[]) IS 'Final function of cvm.difference_in_means.';
CREATE AGGREGATE cvm.difference_in_means(treated boolean, outcome float8) (
    SFUNC = cvm.outcome_accum, STYPE = float8[],
    COMBINEFUNC = cvm.experiment_combine, FINALFUNC = cvm.difference_in_means_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.difference_in_means(boolean, float8) IS
'Difference in means of treated and control customers, each with a variance of its own (Welch 1947): t = difference / sqrt(v1 / n1 + v0 / n0), degrees of freedom of Satterthwaite (1946), two-sided p, 95 % interval. The outcome may be revenue, orders, a score or a value, in any unit; revenue is skewed, so hundreds of customers an arm are needed before t holds. p says nothing of the size of the difference: read the interval. Looking again and again until p is small makes false alarms: see cvm.sequential_test. A broken split makes it worthless: see cvm.sample_ratio_test. 22023 for outcomes that are not finite.';
CREATE AGGREGATE cvm.difference_in_means(treated boolean, outcome float8, confidence float8) (
    SFUNC = cvm.outcome_accum, STYPE = float8[],
    COMBINEFUNC = cvm.experiment_combine, FINALFUNC = cvm.difference_in_means_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.difference_in_means(boolean, float8, float8) IS
'Difference in means with an interval of the given confidence, between 0 and 1 and the same for all rows of a group; else as with 95 %.';

CREATE FUNCTION cvm.welch_test(treated bigint, treated_mean float8, treated_sd float8, control bigint, control_mean float8, control_sd float8, confidence float8 DEFAULT 0.95) RETURNS cvm.mean_difference
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_welch_test';
COMMENT ON FUNCTION cvm.welch_test(bigint, float8, float8, bigint, float8, float8, float8) IS
'The same as cvm.difference_in_means from the number, mean and standard deviation (with n - 1: stddev()) of each arm. 22023 for negative numbers or deviations and for values that are not finite.';

-- ---------- proportions ----------

CREATE TYPE cvm.proportion_difference AS (
    treated bigint, control bigint, treated_rate float8, control_rate float8,
    difference float8, standard_error float8, low float8, high float8, wald_low float8, wald_high float8,
    z float8, p_value float8, relative_difference float8, reason text
);
COMMENT ON TYPE cvm.proportion_difference IS
'A difference in proportions: customers and rate of both arms, treated - control with its standard error, Newcombe''s interval (low, high) and Wald''s, z and its two-sided p, the difference / control rate (lift), and the reason where something is NULL.';

CREATE FUNCTION cvm.conversion_accum(state float8[], treated boolean, converted boolean) RETURNS float8[]
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_experiment_accum_conversion';
COMMENT ON FUNCTION cvm.conversion_accum(float8[], boolean, boolean) IS 'Transition function of cvm.difference_in_proportions.';
CREATE FUNCTION cvm.conversion_accum(state float8[], treated boolean, converted boolean, confidence float8) RETURNS float8[]
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_experiment_accum_conversion';
COMMENT ON FUNCTION cvm.conversion_accum(float8[], boolean, boolean, float8) IS 'Transition function of cvm.difference_in_proportions.';
CREATE FUNCTION cvm.difference_in_proportions_final(float8[]) RETURNS cvm.proportion_difference
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_proportion_difference_final';
COMMENT ON FUNCTION cvm.difference_in_proportions_final(float8[]) IS 'Final function of cvm.difference_in_proportions.';
CREATE AGGREGATE cvm.difference_in_proportions(treated boolean, converted boolean) (
    SFUNC = cvm.conversion_accum, STYPE = float8[],
    COMBINEFUNC = cvm.experiment_combine, FINALFUNC = cvm.difference_in_proportions_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.difference_in_proportions(boolean, boolean) IS
'Difference in the share of customers who converted: z with the pooled rate and its two-sided p; low and high by Newcombe (1998, method 10: from the Wilson intervals of both), which hold at rates near 0 and 1; Wald''s interval with its own standard error, which do not. p and interval come from different formulas and may disagree at the edge. With nobody or everybody converted there is no p (no_variance), but an interval.';
CREATE AGGREGATE cvm.difference_in_proportions(treated boolean, converted boolean, confidence float8) (
    SFUNC = cvm.conversion_accum, STYPE = float8[],
    COMBINEFUNC = cvm.experiment_combine, FINALFUNC = cvm.difference_in_proportions_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.difference_in_proportions(boolean, boolean, float8) IS
'Difference in proportions with intervals of the given confidence, between 0 and 1 and the same for all rows of a group; else as with 95 %.';

CREATE FUNCTION cvm.two_proportions_test(treated_converted bigint, treated bigint, control_converted bigint, control bigint, confidence float8 DEFAULT 0.95) RETURNS cvm.proportion_difference
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_two_proportions_test';
COMMENT ON FUNCTION cvm.two_proportions_test(bigint, bigint, bigint, bigint, float8) IS
'The same as cvm.difference_in_proportions from counts. 22023 for negative counts and for more converted than there are.';

-- ---------- CUPED ----------

CREATE TYPE cvm.cuped_difference AS (
    treated bigint, control bigint, theta float8, variance_ratio float8, unadjusted_difference float8,
    difference float8, standard_error float8, low float8, high float8,
    t float8, degrees_of_freedom float8, p_value float8, reason text
);
COMMENT ON TYPE cvm.cuped_difference IS
'A difference in means adjusted by a covariate from before: customers of both arms, theta, the variance that is left (1 - rho^2), the difference without and with the adjustment, its standard error, interval, t, degrees of freedom, two-sided p, and the reason where something is NULL.';

CREATE FUNCTION cvm.adjusted_accum(state float8[], treated boolean, outcome float8, covariate float8) RETURNS float8[]
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_experiment_accum_pair';
COMMENT ON FUNCTION cvm.adjusted_accum(float8[], boolean, float8, float8) IS 'Transition function of cvm.cuped.';
CREATE FUNCTION cvm.adjusted_accum(state float8[], treated boolean, outcome float8, covariate float8, confidence float8) RETURNS float8[]
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_experiment_accum_pair';
COMMENT ON FUNCTION cvm.adjusted_accum(float8[], boolean, float8, float8, float8) IS 'Transition function of cvm.cuped.';
CREATE FUNCTION cvm.cuped_final(float8[]) RETURNS cvm.cuped_difference
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_cuped_final';
COMMENT ON FUNCTION cvm.cuped_final(float8[]) IS 'Final function of cvm.cuped.';
CREATE AGGREGATE cvm.cuped(treated boolean, outcome float8, covariate float8) (
    SFUNC = cvm.adjusted_accum, STYPE = float8[],
    COMBINEFUNC = cvm.experiment_combine, FINALFUNC = cvm.cuped_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.cuped(boolean, float8, float8) IS
'Difference in means after taking out what a covariate from before the experiment explains (CUPED: Deng, Xu, Kohavi & Walker 2013): y - theta (x - mean x), theta = cov(y, x) / var(x) over both arms, then as cvm.difference_in_means. variance_ratio = 1 - rho^2 is what remains of the variance, and the share of customers that is still needed. The covariate must be from BEFORE the assignment, such as the same outcome of an earlier period or the residual value then (CLV as of the assignment): one that the treatment can change takes the effect out with it. Customers without one: give all of them one value, such as the mean of the others; NULL leaves them out. NULL with reason constant_covariate where it does not vary. 22023 for values that are not finite.';
CREATE AGGREGATE cvm.cuped(treated boolean, outcome float8, covariate float8, confidence float8) (
    SFUNC = cvm.adjusted_accum, STYPE = float8[],
    COMBINEFUNC = cvm.experiment_combine, FINALFUNC = cvm.cuped_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.cuped(boolean, float8, float8, float8) IS
'CUPED with an interval of the given confidence, between 0 and 1 and the same for all rows of a group; else as with 95 %.';

-- ---------- differences in differences ----------

CREATE TYPE cvm.change_difference AS (
    treated bigint, control bigint, treated_change float8, control_change float8,
    difference float8, standard_error float8, low float8, high float8,
    t float8, degrees_of_freedom float8, p_value float8,
    periods_before integer, trend_difference float8, trend_low float8, trend_high float8, trend_p_value float8, warning text, reason text
);
COMMENT ON TYPE cvm.change_difference IS
'A difference in differences: customers and mean change (after - mean before) of both groups, treated - control with standard error, interval, t, degrees of freedom and two-sided p; the number of periods before, the difference of the trends in them (per period) with interval and p; a warning where these were not alike or can not be compared, and the reason where something is NULL.';

CREATE FUNCTION cvm.change_accum(state float8[], treated boolean, before float8[], after float8) RETURNS float8[]
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_experiment_accum_change';
COMMENT ON FUNCTION cvm.change_accum(float8[], boolean, float8[], float8) IS 'Transition function of cvm.difference_in_differences.';
CREATE FUNCTION cvm.change_accum(state float8[], treated boolean, before float8[], after float8, confidence float8) RETURNS float8[]
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_experiment_accum_change';
COMMENT ON FUNCTION cvm.change_accum(float8[], boolean, float8[], float8, float8) IS 'Transition function of cvm.difference_in_differences.';
CREATE FUNCTION cvm.difference_in_differences_final(float8[]) RETURNS cvm.change_difference
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_change_difference_final';
COMMENT ON FUNCTION cvm.difference_in_differences_final(float8[]) IS 'Final function of cvm.difference_in_differences.';
CREATE AGGREGATE cvm.difference_in_differences(treated boolean, before float8[], after float8) (
    SFUNC = cvm.change_accum, STYPE = float8[],
    COMBINEFUNC = cvm.experiment_combine, FINALFUNC = cvm.difference_in_differences_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.difference_in_differences(boolean, float8[], float8) IS
'What a measure changed in a group that was not drawn by lot, against a comparison group: the mean of after - mean(before) of the treated less that of the control. One row a customer, with the outcomes of the periods before in order, as many for everybody, and one after, all per period. As every customer is one change, periods of one customer may be as correlated as they like (Bertrand, Duflo & Mullainathan 2004). It is the effect only if both groups would have moved alike; that they did before is checked on the least-squares slope of each customer: warning not_alike_before where the slopes differ (p < 0.05), one_period_before where one period says nothing. No warning is no proof (Roth 2022): read the trend''s interval, which an effect has to exceed by far. 22023 for periods that differ in number or values that are not finite, 22004 for a NULL among the periods.';
CREATE AGGREGATE cvm.difference_in_differences(treated boolean, before float8[], after float8, confidence float8) (
    SFUNC = cvm.change_accum, STYPE = float8[],
    COMBINEFUNC = cvm.experiment_combine, FINALFUNC = cvm.difference_in_differences_final, PARALLEL = SAFE
);
COMMENT ON AGGREGATE cvm.difference_in_differences(boolean, float8[], float8, float8) IS
'Difference in differences with intervals of the given confidence, between 0 and 1 and the same for all rows of a group; else as with 95 %.';

-- ---------- is the split what it should be; looks at any time ----------

CREATE FUNCTION cvm.sample_ratio_test(counts float8[], shares float8[], alpha float8 DEFAULT 0.001,
    OUT customers bigint, OUT chi_square float8, OUT degrees_of_freedom integer, OUT p_value float8, OUT broken boolean, OUT reason text)
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_sample_ratio_test';
COMMENT ON FUNCTION cvm.sample_ratio_test(float8[], float8[], float8) IS
'Sample-ratio check: whether the customers of the arms are split by the planned shares (any positive numbers), chi-square with arms - 1 degrees of freedom (Pearson 1900). broken where p < alpha: then some customers were lost or counted twice in one arm, and no result of the experiment means anything until it is known why (Fabijan et al. 2019). alpha is small because every experiment is checked all the time. Look at it before any result. NULL with reason one_arm, or too_few where an arm should have fewer than 5. 22023 for lengths that differ, negative counts and shares that are not positive; 22004 for a NULL among them.';

CREATE FUNCTION cvm.sequential_test(difference float8, standard_error float8, expected_effect float8, confidence float8 DEFAULT 0.95,
    OUT p_value float8, OUT low float8, OUT high float8)
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_sequential_test';
COMMENT ON FUNCTION cvm.sequential_test(float8, float8, float8, float8) IS
'p and interval of a difference that hold however often one looks and whenever one stops: the mixture sequential probability ratio test (Robbins 1970; Johari, Koomen, Pekelis & Walsh 2017, 2022) with alternatives N(0, expected_effect^2): with V = standard_error^2 and s = expected_effect, 1 / p = sqrt(V / (V + s^2)) exp(s^2 difference^2 / (2 V (V + s^2))). Works on any difference with a standard error: of means, proportions, CUPED. expected_effect, in the unit of the difference, is set once, before the first look, at about the smallest effect that matters; a poor guess costs power, never validity. Its interval is wider than that of one look: the price of looking. The normal approximation needs some 50 customers an arm at the first look. The least p of all looks counts. 22023 unless standard_error and expected_effect are positive.';

-- ---------- how many customers ----------

CREATE FUNCTION cvm.sample_size_means(effect float8, sd float8, alpha float8 DEFAULT 0.05, power float8 DEFAULT 0.8, ratio float8 DEFAULT 1) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_sample_size_means_sql';
COMMENT ON FUNCTION cvm.sample_size_means(float8, float8, float8, float8, float8) IS
'Customers in the control arm (ratio times as many treated) for a difference in means of effect to be found with this power by a two-sided test at alpha: (z(1 - alpha / 2) + z(power))^2 sd^2 (1 + 1 / ratio) / effect^2, not rounded: ceil() it. Normal approximation: below some 30 an arm t needs one or two more. sd is that of the outcome among customers, over a period as long as the experiment; with cvm.cuped, times sqrt(variance_ratio). 22023 for an effect of 0, sd or ratio not positive, alpha or power not between 0 and 1, a power of alpha / 2 or less.';

CREATE FUNCTION cvm.sample_size_proportions(control_rate float8, treated_rate float8, alpha float8 DEFAULT 0.05, power float8 DEFAULT 0.8, ratio float8 DEFAULT 1, pooled boolean DEFAULT true) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_sample_size_proportions_sql';
COMMENT ON FUNCTION cvm.sample_size_proportions(float8, float8, float8, float8, float8, boolean) IS
'Customers in the control arm (ratio times as many treated) for these two rates to be told apart with this power by a two-sided test at alpha, not rounded: pooled for the z of cvm.difference_in_proportions (Fleiss, Levin & Paik 2003, equation 4.14 without continuity correction), else (z(1 - alpha / 2) + z(power))^2 (p0 (1 - p0) + p1 (1 - p1) / ratio) / (p1 - p0)^2. 22023 for equal rates and arguments outside their domains: rates, alpha and power between 0 and 1, power above alpha / 2, ratio positive.';

CREATE FUNCTION cvm.mde_means(customers float8, sd float8, alpha float8 DEFAULT 0.05, power float8 DEFAULT 0.8, ratio float8 DEFAULT 1) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_mde_means_sql';
COMMENT ON FUNCTION cvm.mde_means(float8, float8, float8, float8, float8) IS
'Minimum detectable effect on a mean, in its unit, with this many customers in control: (z(1 - alpha / 2) + z(power)) sd sqrt((1 + 1 / ratio) / customers); the inverse of cvm.sample_size_means. An effect that was found can be smaller: it is the true effect that is found with this power. 22023 outside the domains.';

CREATE FUNCTION cvm.mde_proportions(customers float8, control_rate float8, alpha float8 DEFAULT 0.05, power float8 DEFAULT 0.8, ratio float8 DEFAULT 1) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_mde_proportions_sql';
COMMENT ON FUNCTION cvm.mde_proportions(float8, float8, float8, float8, float8) IS
'Minimum detectable effect on a rate, absolute (0.01 is one point), with this many customers in control: (z(1 - alpha / 2) + z(power)) sqrt(p (1 - p) (1 + 1 / ratio) / customers), both arms taken to vary like the control. NULL where no rate is so far from the control''s. 22023 outside the domains.';

CREATE FUNCTION cvm.power_means(customers float8, effect float8, sd float8, alpha float8 DEFAULT 0.05, ratio float8 DEFAULT 1) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_power_means_sql';
COMMENT ON FUNCTION cvm.power_means(float8, float8, float8, float8, float8) IS
'Chance that a two-sided test at alpha is significant if the true difference in means is effect, with this many customers in control; alpha for an effect of 0. Power after the fact, from the difference that was found, only says p again: give the effect that matters. 22023 outside the domains.';

CREATE FUNCTION cvm.power_proportions(customers float8, control_rate float8, treated_rate float8, alpha float8 DEFAULT 0.05, ratio float8 DEFAULT 1, pooled boolean DEFAULT true) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_power_proportions_sql';
COMMENT ON FUNCTION cvm.power_proportions(float8, float8, float8, float8, float8, boolean) IS
'Chance that a two-sided test at alpha tells these two rates apart, with this many customers in control; the inverse of cvm.sample_size_proportions. 22023 outside the domains.';

-- ---------- the whole experiment ----------

CREATE FUNCTION cvm.experiment_flaw(arms bigint, has_control boolean, broken boolean, several bigint, late bigint, assigned bigint, tolerance float8) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN arms < 2 THEN 'one_arm' WHEN NOT has_control THEN 'no_control' WHEN broken THEN 'sample_ratio'
            WHEN several > tolerance * assigned THEN 'in_several_arms' WHEN late > tolerance * assigned THEN 'assigned_late' END;
COMMENT ON FUNCTION cvm.experiment_flaw(bigint, boolean, boolean, bigint, bigint, bigint, float8) IS
'What stands in the way of any result of an experiment, the worst first: one_arm, no_control, sample_ratio (a broken split: cvm.sample_ratio_test), in_several_arms or assigned_late (more than the share tolerance of all customers); NULL: nothing.';

CREATE FUNCTION cvm.experiment_result(
    customers text[], arms text[], outcomes float8[], control text,
    covariates float8[] DEFAULT NULL, shares jsonb DEFAULT NULL, assigned_at timestamptz[] DEFAULT NULL, outcome_at timestamptz[] DEFAULT NULL,
    expected_effect float8 DEFAULT NULL, tolerance float8 DEFAULT 0.01, confidence float8 DEFAULT 0.95
) RETURNS TABLE (
    arm text, is_control boolean, customers_assigned bigint, in_several_arms bigint, assigned_late bigint, customers_used bigint,
    sample_ratio_p float8, mean float8, difference float8, standard_error float8, low float8, high float8, p_value float8,
    relative_difference float8, variance_ratio float8, sequential_p float8, sequential_low float8, sequential_high float8, reason text
)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    n bigint := cardinality(experiment_result.customers);
    twice record;
    named text[];
    stranger text;
BEGIN
    IF experiment_result.customers IS NULL OR experiment_result.arms IS NULL OR experiment_result.outcomes IS NULL OR experiment_result.control IS NULL THEN
        RETURN;
    END IF;
    IF cardinality(experiment_result.arms) <> n OR cardinality(experiment_result.outcomes) <> n OR cardinality(experiment_result.covariates) <> n
       OR cardinality(experiment_result.assigned_at) <> n OR cardinality(experiment_result.outcome_at) <> n THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the arrays of an experiment differ in length',
            DETAIL = format('There are %s customers.', n), HINT = 'Read all of them from one query, one element a customer.';
    END IF;
    IF array_position(experiment_result.customers, NULL) > 0 OR array_position(experiment_result.arms, NULL) > 0 OR array_position(experiment_result.assigned_at, NULL) > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'a customer, arm or time of assignment is null',
            HINT = 'Leave out who was not assigned.';
    END IF;
    PERFORM cvm.numbers('an outcome', experiment_result.outcomes), cvm.numbers('a covariate', experiment_result.covariates),
            cvm.argument('tolerance', tolerance, 0, 1);

    SELECT d.customer, d.arm, count(*) AS times INTO twice
    FROM unnest(experiment_result.customers, experiment_result.arms) AS d(customer, arm)
    GROUP BY d.customer, d.arm HAVING count(*) > 1 ORDER BY d.customer, d.arm LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('customer "%s" is %s times in arm "%s"', twice.customer, twice.times, twice.arm),
            HINT = 'Sum the outcomes of a customer first: the customer was assigned, not the order.';
    END IF;

    named := ARRAY(SELECT DISTINCT a FROM unnest(experiment_result.arms) AS a ORDER BY a);
    IF shares IS NOT NULL THEN
        IF jsonb_typeof(shares) <> 'object' OR EXISTS (SELECT FROM jsonb_each(CASE jsonb_typeof(shares) WHEN 'object' THEN shares ELSE '{}' END) AS s WHERE jsonb_typeof(s.value) <> 'number') THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('shares %s are no object of numbers', shares),
                HINT = 'Name the share of every arm, such as {"control": 1, "new": 1}.';
        END IF;
        SELECT a INTO stranger FROM unnest(named) AS a WHERE NOT shares ? a ORDER BY a LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('arm "%s" has no share', stranger),
                DETAIL = format('Shares are given for %s.', (SELECT string_agg(k, ', ' ORDER BY k) FROM jsonb_object_keys(shares) AS k)),
                HINT = 'Name the share of every arm, or leave out customers of other arms.';
        END IF;
        named := ARRAY(SELECT k FROM jsonb_object_keys(shares) AS k ORDER BY k);
    END IF;

    RETURN QUERY
    WITH row AS MATERIALIZED (
        SELECT u.customer, u.arm, u.outcome, u.covariate, coalesce(u.outcome_at < u.assigned_at, false) AS late,
               count(*) OVER (PARTITION BY u.customer) > 1 AS several
        FROM unnest(experiment_result.customers, experiment_result.arms, experiment_result.outcomes, experiment_result.covariates,
                    experiment_result.assigned_at, experiment_result.outcome_at) AS u(customer, arm, outcome, covariate, assigned_at, outcome_at)
    ), arm AS (
        SELECT a.arm, count(r.customer) AS assigned, count(*) FILTER (WHERE r.several) AS several, count(*) FILTER (WHERE r.late AND NOT r.several) AS late,
               count(*) FILTER (WHERE NOT r.late AND NOT r.several) AS used, coalesce((shares ->> a.arm)::float8, 1) AS share
        FROM unnest(named) AS a(arm) LEFT JOIN row r ON r.arm = a.arm GROUP BY a.arm
    ), split AS (
        SELECT (cvm.sample_ratio_test(array_agg((a.assigned - a.several)::float8 ORDER BY a.arm), array_agg(a.share ORDER BY a.arm))).* FROM arm a
    ), verdict AS (      -- what stands in the way of any result, the worst first
        SELECT s.p_value, cvm.experiment_flaw(count(*), bool_or(a.arm = experiment_result.control AND a.assigned > 0), s.broken,
                                              sum(a.several)::bigint, sum(a.late)::bigint, sum(a.assigned)::bigint, tolerance) AS reason
        FROM arm a CROSS JOIN split s GROUP BY s.p_value, s.broken
    ), test AS (
        SELECT a.arm, cvm.difference_in_means(r.arm = a.arm, r.outcome, experiment_result.confidence) AS plain,
               cvm.cuped(r.arm = a.arm, r.outcome, r.covariate, experiment_result.confidence) AS adjusted
        FROM arm a JOIN row r ON r.arm IN (a.arm, experiment_result.control) AND NOT r.late AND NOT r.several
        GROUP BY a.arm
    ), result AS (
        SELECT t.arm, (t.plain).treated_mean AS mean, (t.plain).control_mean,
               CASE WHEN experiment_result.covariates IS NULL THEN (t.plain).difference ELSE (t.adjusted).difference END AS difference,
               CASE WHEN experiment_result.covariates IS NULL THEN (t.plain).standard_error ELSE (t.adjusted).standard_error END AS standard_error,
               CASE WHEN experiment_result.covariates IS NULL THEN (t.plain).low ELSE (t.adjusted).low END AS low,
               CASE WHEN experiment_result.covariates IS NULL THEN (t.plain).high ELSE (t.adjusted).high END AS high,
               CASE WHEN experiment_result.covariates IS NULL THEN (t.plain).p_value ELSE (t.adjusted).p_value END AS p_value,
               CASE WHEN experiment_result.covariates IS NULL OR (t.adjusted).reason IS NULL THEN (t.plain).reason ELSE (t.adjusted).reason END AS reason,
               (t.adjusted).variance_ratio
        FROM test t
    )
    SELECT a.arm, a.arm = experiment_result.control, a.assigned, a.several, a.late, a.used, v.p_value, r.mean,
           d.difference, d.standard_error, d.low, d.high, d.p_value, d.difference / nullif(abs(d.control_mean), 0), d.variance_ratio, s.p_value, s.low, s.high,
           coalesce(v.reason, CASE WHEN a.arm <> experiment_result.control THEN coalesce(d.reason, CASE WHEN d.arm IS NULL THEN 'one_arm' END) END)
    FROM arm a CROSS JOIN verdict v
    LEFT JOIN result r ON r.arm = a.arm AND v.reason IS NULL
    LEFT JOIN result d ON d.arm = a.arm AND v.reason IS NULL AND a.arm <> experiment_result.control
    LEFT JOIN LATERAL cvm.sequential_test(d.difference, d.standard_error, expected_effect, experiment_result.confidence) AS s ON true
    ORDER BY a.arm <> experiment_result.control, a.arm;
END $$;
COMMENT ON FUNCTION cvm.experiment_result(text[], text[], float8[], text, float8[], jsonb, timestamptz[], timestamptz[], float8, float8, float8) IS
'Result of an experiment from arrays in one order, an element a customer: arm, outcome (0 for who did nothing), optionally a covariate from before (then cvm.cuped, else cvm.difference_in_means), planned shares by arm as {"control": 1, "new": 1} (equal unless given), times of assignment and of the outcome (NULL for none). One row an arm, the control first: customers assigned, in several arms, assigned after their outcome, and used (the rest); p of the sample ratio; mean; treated - control with standard error, interval, p, relative to the control''s mean; the variance left by the covariate; with expected_effect the always-valid p and interval of cvm.sequential_test. First of all the experiment itself is checked, and where it is broken every result is NULL and reason says why: one_arm, no_control, sample_ratio (p < 0.001), in_several_arms or assigned_late (more than the share tolerance of all customers), before the reasons of the tests. Several arms are several tests: with k of them ask for p below 0.05 / k (Bonferroni). 22023 for arrays that differ in length, a customer twice in one arm, an arm without a share; 22004 for a NULL customer, arm, outcome, covariate or assignment.';
