-- score: model + history -> numbers (src/score.c, next_purchase.c, score_value.c)
-- On raw statistics times are in the model's unit; on histories horizons are intervals
-- (a year is 365.25 days, a month a twelfth of it).  For bg/bb x, t_x and age count
-- opportunities, a horizon is rounded down to whole ones, and a history needs the
-- model's unit as its period.  Only the likelihood depends on log_intervals.

CREATE FUNCTION cvm.p_alive(model cvm.model, x float8, t_x float8, age float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_p_alive';
COMMENT ON FUNCTION cvm.p_alive(cvm.model, float8, float8, float8) IS
'Probability that the customer is still alive (will ever buy again) given its history, 0 to 1. In bg/nbd and bg/cnbd-k it is 1 for x = 0: a property of these models (Fader, Hardie & Lee 2005; Reutterer, Platzer & Schroeder 2021). In bg/bb it is the paper''s: alive at opportunity age + 1 (Fader, Hardie & Shang 2010, eq. 11); cvm.p_alive_at_last is the other convention. 22023 with the row''s values outside the domain 0 <= t_x <= age, t_x = 0 exactly if x = 0 (bg/bb: also whole numbers and x <= t_x).';

CREATE FUNCTION cvm.p_alive(model cvm.model, history cvm.purchase_history, as_of timestamptz) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_p_alive_history';
COMMENT ON FUNCTION cvm.p_alive(cvm.model, cvm.purchase_history, timestamptz) IS
'Probability that the customer is still alive (will ever buy again) given its history, 0 to 1. In bg/nbd and bg/cnbd-k it is 1 for x = 0: a property of these models (Fader, Hardie & Lee 2005; Reutterer, Platzer & Schroeder 2021). In bg/bb it is the paper''s: alive at opportunity age + 1 (Fader, Hardie & Shang 2010, eq. 11); cvm.p_alive_at_last is the other convention. NULL for a history without purchases; 22023 if as_of is before the last purchase, or if a bg/bb model''s unit is not the history''s period.';

CREATE FUNCTION cvm.p_alive_at_last(model cvm.model, x float8, t_x float8, age float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_p_alive_at_last';
COMMENT ON FUNCTION cvm.p_alive_at_last(cvm.model, float8, float8, float8) IS
'Probability, 0 to 1, that a customer of a bg/bb model was alive at the last of age opportunities: the other convention than cvm.p_alive''s, larger by (gamma + delta + age) / (delta + age), and 1 for one who bought at it. 22023 for families in continuous time, and with the row''s values outside the domain.';

CREATE FUNCTION cvm.p_alive_at_last(model cvm.model, history cvm.purchase_history, as_of timestamptz) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_p_alive_at_last_history';
COMMENT ON FUNCTION cvm.p_alive_at_last(cvm.model, cvm.purchase_history, timestamptz) IS
'Probability, 0 to 1, that a customer of a bg/bb model was alive at the last opportunity, the period of as_of: the other convention than cvm.p_alive''s. NULL for a history without purchases; 22023 for families in continuous time, if as_of is before the last purchase, or if the model''s unit is not the history''s period.';

CREATE FUNCTION cvm.expected_purchases(model cvm.model, x float8, t_x float8, age float8, horizon float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_expected_purchases';
COMMENT ON FUNCTION cvm.expected_purchases(cvm.model, float8, float8, float8, float8) IS
'Expected number of purchases (purchase periods) within the horizon after now, given the history (Fader, Hardie & Lee 2005, eq. 10; Schmittlein, Morrison & Colombo 1987; Fader, Hardie & Shang 2010, eq. 13; exact for the cnbd-k families, and without the singularities at a = 1, s = 1, gamma = 1). 22023 with the row''s values outside the domain 0 <= t_x <= age, t_x = 0 exactly if x = 0 (bg/bb: also whole numbers and x <= t_x).';

CREATE FUNCTION cvm.expected_purchases(model cvm.model, history cvm.purchase_history, as_of timestamptz, horizon interval) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_expected_purchases_history';
COMMENT ON FUNCTION cvm.expected_purchases(cvm.model, cvm.purchase_history, timestamptz, interval) IS
'Expected number of purchases (purchase periods) within the horizon after now, given the history (Fader, Hardie & Lee 2005, eq. 10; Schmittlein, Morrison & Colombo 1987; Fader, Hardie & Shang 2010, eq. 13; exact for the cnbd-k families, and without the singularities at a = 1, s = 1, gamma = 1). NULL for a history without purchases; 22023 if as_of is before the last purchase, or if a bg/bb model''s unit is not the history''s period.';

CREATE FUNCTION cvm.expected_purchases(model cvm.model, horizon float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_expected_purchases_new';
COMMENT ON FUNCTION cvm.expected_purchases(cvm.model, float8) IS
'Expected number of repeat purchases of a new customer within the horizon (in the model''s time unit) after its first purchase.';

CREATE FUNCTION cvm.discounted_purchases(model cvm.model, x float8, t_x float8, age float8, rate float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_discounted_purchases';
COMMENT ON FUNCTION cvm.discounted_purchases(cvm.model, float8, float8, float8, float8) IS
'Discounted expected residual purchases (DERT; Fader, Hardie & Lee 2005, JMR 42): the sum over future purchases of exp(-rate time), rate continuous per model time unit: ln(1 + annual rate) x unit in years; of bg/bb d = exp(rate) - 1 (Fader, Hardie & Shang 2010, eq. 14). Without a horizon it is unlimited in time and the rate must be positive. 22023 with the row''s values outside the domain 0 <= t_x <= age, t_x = 0 exactly if x = 0 (bg/bb: also whole numbers and x <= t_x).';

CREATE FUNCTION cvm.discounted_purchases(model cvm.model, x float8, t_x float8, age float8, rate float8, horizon float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_discounted_purchases';
COMMENT ON FUNCTION cvm.discounted_purchases(cvm.model, float8, float8, float8, float8, float8) IS
'Discounted expected residual purchases (DERT; Fader, Hardie & Lee 2005, JMR 42): the sum over future purchases of exp(-rate time), rate continuous per model time unit: ln(1 + annual rate) x unit in years; of bg/bb d = exp(rate) - 1 (Fader, Hardie & Shang 2010, eq. 14). Only purchases within the horizon. 22023 with the row''s values outside the domain 0 <= t_x <= age, t_x = 0 exactly if x = 0 (bg/bb: also whole numbers and x <= t_x).';

CREATE FUNCTION cvm.discounted_purchases(model cvm.model, history cvm.purchase_history, as_of timestamptz, rate float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_discounted_purchases_history';
COMMENT ON FUNCTION cvm.discounted_purchases(cvm.model, cvm.purchase_history, timestamptz, float8) IS
'Discounted expected residual purchases (DERT; Fader, Hardie & Lee 2005, JMR 42): the sum over future purchases of exp(-rate time), rate continuous per model time unit: ln(1 + annual rate) x unit in years; of bg/bb d = exp(rate) - 1 (Fader, Hardie & Shang 2010, eq. 14). Without a horizon it is unlimited in time and the rate must be positive. NULL for a history without purchases; 22023 if as_of is before the last purchase, or if a bg/bb model''s unit is not the history''s period.';

CREATE FUNCTION cvm.discounted_purchases(model cvm.model, history cvm.purchase_history, as_of timestamptz, rate float8, horizon interval) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_discounted_purchases_history';
COMMENT ON FUNCTION cvm.discounted_purchases(cvm.model, cvm.purchase_history, timestamptz, float8, interval) IS
'Discounted expected residual purchases (DERT; Fader, Hardie & Lee 2005, JMR 42): the sum over future purchases of exp(-rate time), rate continuous per model time unit: ln(1 + annual rate) x unit in years; of bg/bb d = exp(rate) - 1 (Fader, Hardie & Shang 2010, eq. 14). Only purchases within the horizon. NULL for a history without purchases; 22023 if as_of is before the last purchase, or if a bg/bb model''s unit is not the history''s period.';

CREATE FUNCTION cvm.log_likelihood(model cvm.model, x float8, t_x float8, age float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_log_likelihood';
COMMENT ON FUNCTION cvm.log_likelihood(cvm.model, float8, float8, float8) IS
'Log-likelihood of one customer (natural logarithm, times in the model''s unit). 22023 for the cnbd-k families, which need log_intervals. 22023 with the row''s values outside the domain 0 <= t_x <= age, t_x = 0 exactly if x = 0 (bg/bb: also whole numbers and x <= t_x).';

CREATE FUNCTION cvm.log_likelihood(model cvm.model, x float8, t_x float8, age float8, log_intervals float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_log_likelihood';
COMMENT ON FUNCTION cvm.log_likelihood(cvm.model, float8, float8, float8, float8) IS
'Log-likelihood of one customer with the sum of the logarithms of its interpurchase times, for the cnbd-k families (the others do not look at it). 22023 with the row''s values outside the domain 0 <= t_x <= age, t_x = 0 exactly if x = 0, log_intervals <= x ln(t_x / x).';

CREATE FUNCTION cvm.log_likelihood(model cvm.model, x float8, mean_spend float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_log_likelihood_spend';
COMMENT ON FUNCTION cvm.log_likelihood(cvm.model, float8, float8) IS
'Log-likelihood of one customer of a spend model (Fader & Hardie 2013, eq. 1a): x repeat purchases and their mean > 0; 0 for x = 0. 22023 with the row''s values outside that domain.';

CREATE FUNCTION cvm.log_likelihood(model cvm.model, history cvm.purchase_history, as_of timestamptz) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_log_likelihood_history';
COMMENT ON FUNCTION cvm.log_likelihood(cvm.model, cvm.purchase_history, timestamptz) IS
'Log-likelihood of one customer. NULL for a history without purchases; 22023 if as_of is before the last purchase, or if a bg/bb model''s unit is not the history''s period.';

CREATE FUNCTION cvm.purchase_probability(model cvm.model, x float8, t_x float8, age float8, horizon float8, n integer) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_purchase_probability';
COMMENT ON FUNCTION cvm.purchase_probability(cvm.model, float8, float8, float8, float8, integer) IS
'Probability of exactly n purchases within the horizon after now, given the history. 22023 with the row''s values outside the domain 0 <= t_x <= age, t_x = 0 exactly if x = 0 (bg/bb: also whole numbers and x <= t_x).';

CREATE FUNCTION cvm.purchase_probability(model cvm.model, history cvm.purchase_history, as_of timestamptz, horizon interval, n integer) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_purchase_probability_history';
COMMENT ON FUNCTION cvm.purchase_probability(cvm.model, cvm.purchase_history, timestamptz, interval, integer) IS
'Probability of exactly n purchases within the horizon after now, given the history. NULL for a history without purchases; 22023 if as_of is before the last purchase, or if a bg/bb model''s unit is not the history''s period.';

CREATE FUNCTION cvm.p_no_purchase(model cvm.model, x float8, t_x float8, age float8, horizon float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_p_no_purchase';
COMMENT ON FUNCTION cvm.p_no_purchase(cvm.model, float8, float8, float8, float8) IS
'Probability of no purchase within the horizon after now, given the history: churn risk. 22023 with the row''s values outside the domain 0 <= t_x <= age, t_x = 0 exactly if x = 0 (bg/bb: also whole numbers and x <= t_x).';

CREATE FUNCTION cvm.p_no_purchase(model cvm.model, history cvm.purchase_history, as_of timestamptz, horizon interval) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_p_no_purchase_history';
COMMENT ON FUNCTION cvm.p_no_purchase(cvm.model, cvm.purchase_history, timestamptz, interval) IS
'Probability of no purchase within the horizon after now, given the history: churn risk. NULL for a history without purchases; 22023 if as_of is before the last purchase, or if a bg/bb model''s unit is not the history''s period.';

CREATE FUNCTION cvm.next_purchase(model cvm.model, x float8, t_x float8, age float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_next_purchase';
COMMENT ON FUNCTION cvm.next_purchase(cvm.model, float8, float8, float8) IS
'Median time from now to the next purchase given that the customer is alive, in the model''s time unit. Infinity in pareto/nbd and bg/bb where fewer of those alive ever buy again; 22003 elsewhere where a number can not hold it. 22023 with the row''s values outside the domain.';

CREATE FUNCTION cvm.next_purchase(model cvm.model, x float8, t_x float8, age float8, q float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_next_purchase';
COMMENT ON FUNCTION cvm.next_purchase(cvm.model, float8, float8, float8, float8) IS
'Quantile q of the time from now to the next purchase given that the customer is alive, in the model''s time unit. Infinity in pareto/nbd and bg/bb where fewer of those alive ever buy again; 22003 elsewhere where a number can not hold it. 22023 unless q is between 0 and 1, and with the row''s values outside the domain.';

CREATE FUNCTION cvm.next_purchase(model cvm.model, history cvm.purchase_history, as_of timestamptz) RETURNS timestamptz
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_next_purchase_history';
COMMENT ON FUNCTION cvm.next_purchase(cvm.model, cvm.purchase_history, timestamptz) IS
'Instant by which half of the customers like this one buy again, given that they are alive; infinity where it is beyond the last timestamp, or in pareto/nbd and bg/bb where fewer of those alive ever buy again. NULL for a history without purchases; 22023 if as_of is before the last purchase, or if a bg/bb model''s unit is not the history''s period.';

CREATE FUNCTION cvm.next_purchase(model cvm.model, history cvm.purchase_history, as_of timestamptz, q float8) RETURNS timestamptz
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_next_purchase_history';
COMMENT ON FUNCTION cvm.next_purchase(cvm.model, cvm.purchase_history, timestamptz, float8) IS
'Instant by which a share q of the customers like this one buy again, given that they are alive; infinity where it is beyond the last timestamp, or in pareto/nbd and bg/bb where fewer of those alive ever buy again. NULL for a history without purchases; 22023 unless q is between 0 and 1, if as_of is before the last purchase, or if a bg/bb model''s unit is not the history''s period.';

CREATE FUNCTION cvm.next_purchase_window(model cvm.model, x float8, t_x float8, age float8, share float8 DEFAULT 0.8, OUT median float8, OUT low float8, OUT high float8) RETURNS record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_next_purchase_window';
COMMENT ON FUNCTION cvm.next_purchase_window(cvm.model, float8, float8, float8, float8) IS
'Time from now to the next purchase given that the customer is alive, in the model''s time unit: its median, and the central window low to high into which it falls with probability share (quantiles (1 - share) / 2 and (1 + share) / 2). Infinity in pareto/nbd and bg/bb where fewer of those alive ever buy again; 22003 elsewhere where a number can not hold it. 22023 unless share is between 0 and 1, and with the row''s values outside the domain.';

CREATE FUNCTION cvm.next_purchase_window(model cvm.model, history cvm.purchase_history, as_of timestamptz, share float8 DEFAULT 0.8, OUT median timestamptz, OUT low timestamptz, OUT high timestamptz) RETURNS record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_next_purchase_window_history';
COMMENT ON FUNCTION cvm.next_purchase_window(cvm.model, cvm.purchase_history, timestamptz, float8) IS
'When the customer buys next, given that he is alive: the median, and the central window low to high into which it falls with probability share; infinity where it is beyond the last timestamp, or in pareto/nbd and bg/bb where fewer of those alive ever buy again. NULL for a history without purchases; 22023 unless share is between 0 and 1, if as_of is before the last purchase, or if a bg/bb model''s unit is not the history''s period.';

CREATE FUNCTION cvm.expected_spend(model cvm.model, x float8, mean_spend float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_expected_spend';
COMMENT ON FUNCTION cvm.expected_spend(cvm.model, float8, float8) IS
'Expected money per future purchase of a spend model: shrinks the customer''s mean over x repeat purchases to the population''s (Fader & Hardie 2013, eq. 5); x = 0 gives the population''s mean. 22003 where that is infinite (q <= 1).';

CREATE FUNCTION cvm.expected_spend(model cvm.model, history cvm.purchase_history) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_expected_spend_history';
COMMENT ON FUNCTION cvm.expected_spend(cvm.model, cvm.purchase_history) IS
'Expected money per future purchase period of a spend model; without a repeat period of positive mean the population''s mean. NULL for a history without purchases.';

-- contracts: t counts renewals

CREATE FUNCTION cvm.survival(model cvm.model, t float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_survival';
COMMENT ON FUNCTION cvm.survival(cvm.model, float8) IS
'Probability that a new contract makes at least t renewals (Fader & Hardie 2007, eq. 6; Fader et al. 2018), 0 to 1; between renewals it does not change. For retention models. 22023 for a negative t.';

CREATE FUNCTION cvm.residual_lifetime(model cvm.model, t float8, rate float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_residual_lifetime';
COMMENT ON FUNCTION cvm.residual_lifetime(cvm.model, float8, float8) IS
'Discounted expected residual lifetime (DERL; Fader & Hardie 2010, Marketing Science 29(1)) of a contract that has made t renewals and is about to face the next decision: the sum over payments still to come, j periods after this decision, of (1 + rate)^-j; the one of this decision is not discounted. rate is per renewal period, >= 0. Times the margin per period it is the residual value. 22023 unless t is a whole number >= 0; 22003 where it is infinite (rate 0 and alpha <= 1, or gamma c <= 1).';

CREATE FUNCTION cvm.mean_lifetime(model cvm.model) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_mean_lifetime';
COMMENT ON FUNCTION cvm.mean_lifetime(cvm.model) IS
'Expected number of periods that a new contract is paid for, the first included, undiscounted: (alpha + beta - 1) / (alpha - 1) for sbg. 22003 where it is infinite: alpha <= 1, or gamma c <= 1 for bdw. (cvm.expected_lifetime(churn_rate) is the same under constant churn.)';
