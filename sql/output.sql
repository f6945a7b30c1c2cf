-- output: the relations that a portfolio's recompute fills (src/recompute/publish.c)
--
-- Per-customer rows of a run are one partition of `score`; the views over it show
-- the run that the one row of `published` points to.  Everything is an ordinary
-- object of the portfolio's owner.

CREATE FUNCTION cvm.output_dictionary() RETURNS TABLE (relation text, published boolean, column_name text, description text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
SELECT d.relation, d.published, d.column_name, d.description FROM (VALUES
    ('customer', true, NULL, 'Customers and what the models need to know of them. One row per customer with a purchase, other money or a subscription up to as_of.'),
    ('customer', true, 'customer_id', 'the purchases'' own key, of its own type'),
    ('customer', true, 'history', 'purchase history: argument of the functions of schema cvm'),
    ('customer', true, 'first_at', 'time of the first purchase; NULL without one'),
    ('customer', true, 'last_at', 'time of the last purchase; NULL without one'),
    ('customer', true, 'orders', 'number of orders: rows with an amount of 0 or more; where the feed numbers its orders (order_id), those that were not refunded in full'),
    ('customer', true, 'repeat_periods', 'periods with a purchase after the first; 0 also without any purchase, then first_at is NULL'),
    ('customer', true, 'realised_value', 'value to date: all amounts and payments of subscriptions x margin, undiscounted, currency units'),
    ('customer', true, 'subscriptions', 'subscriptions that run at as_of; 0 if all have ended, NULL if the customer never had one'),
    ('clv', true, NULL, 'Customer lifetime value: realised, residual and their sum, all on the value basis that cvm.portfolios states. Realised value is an exact sum, rounded to four decimals, so numeric; expectations are double precision.'),
    ('clv', true, 'customer_id', 'customer'),
    ('clv', true, 'as_of', 'instant at which everything is computed'),
    ('clv', true, 'method', 'how the score came about: full, penalised, simpler, shrunk; NULL if not scored; of purchases and subscriptions the lower'),
    ('clv', true, 'expected_purchases', 'expected purchase periods within the horizon (default 1 year), and expected renewals of subscriptions'),
    ('clv', true, 'expected_spend', 'expected amount per future purchase period, before margin, currency units; of a subscription its price; of both the mean, weighted by the expected numbers'),
    ('clv', true, 'realised_value', 'value to date, undiscounted, currency units: purchases + payments of subscriptions'),
    ('clv', true, 'residual_value', 'expected discounted future value, unlimited in time unless value_horizon is set, currency units: purchases + subscriptions'),
    ('clv', true, 'residual_low', '5 % quantile of the predictive distribution of the residual value, the uncertainty of the fitted parameters included; NULL where that is not known (method simpler or shrunk, a model without covariance)'),
    ('clv', true, 'residual_high', '95 % quantile of it; NULL likewise'),
    ('clv', true, 'lifetime_value', 'realised_value + residual_value'),
    ('clv', true, 'currency', 'currency code of the portfolio, in which all values are; NULL if not given. What they are (revenue, gross margin, net contribution): cvm.portfolios.value_basis'),
    ('clv', true, 'model_id', 'purchase model behind the score, the retention model where subscriptions alone are: see cvm.models'),
    ('clv', true, 'status', 'ok; new_customer: first purchase in the period of as_of, or first subscription on its day; fallback: scored by a model below the full fit (see method, cvm.check); insufficient_history: no residual value can be had; excluded: money but neither purchase nor subscription'),
    ('churn', true, NULL, 'Churn: whether and when customers will buy or renew again.'),
    ('churn', true, 'customer_id', 'customer'),
    ('churn', true, 'as_of', 'instant at which everything is computed'),
    ('churn', true, 'p_alive', 'probability of being alive as a customer, 0 to 1; 1 while a subscription runs'),
    ('churn', true, 'p_no_purchase', 'probability of no purchase within the horizon, 0 to 1; of a subscription: that it does not last beyond the renewals in the horizon; of both: the product'),
    ('churn', true, 'days_silent', 'days since the last purchase or payment of a subscription, in the portfolio''s time zone'),
    ('churn', true, 'is_lapsed', 'silent for longer than the 95 % quantile of the customer''s own gaps (with 3 gaps or more), else of everybody''s; false while a subscription runs, true where all there were have ended and nothing was bought'),
    ('churn', true, 'churn_risk', 'p_no_purchase; tells more than p_alive of one-time buyers, which in bg/nbd is 1'),
    ('churn', true, 'next_purchase_on', 'median day of the next purchase if alive, or the next renewal if that is sooner; NULL beyond ten years'),
    ('churn', true, 'value_at_risk', 'residual value of purchases if alive x (1 - p_alive), currency units; 0 for subscriptions, of which is known whether they run'),
    ('churn', true, 'status', 'as in clv'),
    ('equity', true, NULL, 'Customer equity by segment and in all, one set of rows per as_of; earlier dates are kept.'),
    ('equity', true, 'as_of', 'instant of the recompute'),
    ('equity', true, 'segment', 'segment; all is the total'),
    ('equity', true, 'is_total', 'true for the total'),
    ('equity', true, 'customers', 'number of customers'),
    ('equity', true, 'expected_active', 'sum of p_alive'),
    ('equity', true, 'realised_value', 'sum of realised values, currency units; rounded to four decimals a customer and exact from there, so numeric'),
    ('equity', true, 'residual_value', 'sum of residual values: customer equity, currency units'),
    ('equity', true, 'residual_low', '5 % quantile of the sum''s predictive distribution, the uncertainty of the fitted parameters included (not the sum of the customers'' quantiles); NULL where that is not known of all of them'),
    ('equity', true, 'residual_high', '95 % quantile of the sum''s predictive distribution; NULL likewise'),
    ('equity', true, 'lifetime_value', 'realised_value + residual_value'),
    ('equity', true, 'equity_share', 'residual_value / that of the total, 0 to 1'),
    ('equity', true, 'predictive_error', 'standard deviation of the sum at the fitted parameters: what customers do by chance; averages out in large groups'),
    ('equity', true, 'parameter_error', 'standard error of the sum by the uncertainty of the fitted parameters, which all customers share; NULL where it is not known of all of them. The interval has both'),
    ('equity_statement', true, NULL, 'Equity statement: why the residual value of a segment, and of all, is another than in the run before. closing = opening + all columns between, to the cent. One set of rows per run that has one before it.'),
    ('equity_statement', true, 'run_id', 'run whose statement it is; one made again as of the same instant has its own, from and to that instant'),
    ('equity_statement', true, 'prior_run_id', 'run before'),
    ('equity_statement', true, 'from_as_of', 'as_of of the run before'),
    ('equity_statement', true, 'to_as_of', 'as_of of the run'),
    ('equity_statement', true, 'segment', 'segment; all is the total. What happened to a customer stands where he was in the run before, then he moves with his closing value'),
    ('equity_statement', true, 'is_total', 'true for the total: the sum of the segments'' openings and closings; its columns are rounded for themselves'),
    ('equity_statement', true, 'opening', 'residual value as published by the run before, currency units'),
    ('equity_statement', true, 'late_or_corrected', 'what is known now of the time up to from_as_of and was not, or was otherwise'),
    ('equity_statement', true, 'erased', 'customers who are in no feed any more, or were erased by cvm.forget'),
    ('equity_statement', true, 'merged', 'customers who have become an alias of another (feed aliases): what they were worth goes, and what the surviving one is worth as of from_as_of with both histories, beyond what he was, comes'),
    ('equity_statement', true, 'unwinding', 'growth by the discount rate, as the future has come nearer; with a value_horizon also the stretch that comes into it'),
    ('equity_statement', true, 'purchases_expected', 'purchases that were expected by now and are no longer to come: negative'),
    ('equity_statement', true, 'purchases_beyond', 'customers who bought: what they are worth beyond what the model expected of all; positive as a rule'),
    ('equity_statement', true, 'silence', 'customers who did not: churn risk, negative as a rule. With purchases_beyond it is news, 0 on average if the model is right'),
    ('equity_statement', true, 'refunds', 'negative amounts since from_as_of'),
    ('equity_statement', true, 'new_customers', 'customers whose first purchase or subscription came since'),
    ('equity_statement', true, 'assumptions', 'another discount rate, margin or value_horizon; everything between where period, time zone, currency, value basis or renewal is another'),
    ('equity_statement', true, 'model_change', 'other parameters or families'),
    ('equity_statement', true, 'moved_in', 'customers who came from other segments, with their closing values'),
    ('equity_statement', true, 'moved_out', 'customers who went to other segments, likewise: negative'),
    ('equity_statement', true, 'closing', 'residual value as published by this run'),
    ('segment_member', true, NULL, 'RFM scores and segment of every customer.'),
    ('segment_member', true, 'customer_id', 'customer'),
    ('segment_member', true, 'recency_score', '1 to 5, 5 for the latest last purchase; equal values score equal'),
    ('segment_member', true, 'frequency_score', '1 to 5, 5 for the most purchase periods'),
    ('segment_member', true, 'monetary_score', '1 to 5, 5 for the largest sum of amounts'),
    ('segment_member', true, 'rfm_cell', 'the three scores, such as 5-4-3; they count purchases: NULL without one'),
    ('segment_member', true, 'segment', 'first rule of segment_rule that is true; unclassified if none is'),
    ('segment_member', true, 'since', 'as_of of the first of the runs that found the customer in this segment without a break'),
    ('segment_history', true, NULL, 'Membership of segments: a row for every stay of a customer in a segment, also of customers who are gone.'),
    ('segment_history', true, 'customer_id', 'customer'),
    ('segment_history', true, 'segment', 'segment'),
    ('segment_history', true, 'entered_at', 'as_of of the first run that found him in it without a break'),
    ('segment_history', true, 'left_at', 'as_of of the first run that did not; NULL while he is in it'),
    ('segment_summary', true, NULL, 'Segments in numbers, of the published run.'),
    ('segment_summary', true, 'segment', 'segment'),
    ('segment_summary', true, 'customers', 'number of customers'),
    ('segment_summary', true, 'residual_value', 'sum of residual values, currency units'),
    ('segment_summary', true, 'p_alive', 'mean p_alive; of one-time buyers 1 in bg/nbd'),
    ('segment_summary', true, 'orders', 'number of orders to date'),
    ('segment_summary', true, 'mean_spend', 'mean amount per order to date (refunds deducted), before margin; not that of customer_value, which is per repeat period'),
    ('segment_summary', true, 'equity_share', 'residual_value / that of all customers, 0 to 1'),
    ('cohort_retention', true, NULL, 'Customers by the month of their first purchase, and how many bought in each month after it. Purchases only: subscriptions do not show.'),
    ('cohort_retention', true, 'cohort_on', 'first day of the month of the first purchase'),
    ('cohort_retention', true, 'age_periods', 'months since the cohort''s month; the last one may be unfinished at as_of'),
    ('cohort_retention', true, 'customers', 'size of the cohort at its start'),
    ('cohort_retention', true, 'active', 'customers of the cohort with a purchase in that month'),
    ('cohort_retention', true, 'retention_rate', 'active / customers, 0 to 1'),
    ('cohort_retention', true, 'cumulative_value', 'value of the cohort to the end of that month: amounts x margin'),
    ('customer_value', true, NULL, 'Everything about a customer in one row, plain types only, for BI tools.'),
    ('customer_value', true, 'customer_id', 'customer'),
    ('customer_value', true, 'as_of', 'instant at which everything is computed'),
    ('customer_value', true, 'segment', 'segment'),
    ('customer_value', true, 'segment_since', 'as_of of the first run in this segment'),
    ('customer_value', true, 'rfm_cell', 'recency, frequency and monetary score, such as 5-4-3'),
    ('customer_value', true, 'recency_score', '1 to 5'),
    ('customer_value', true, 'frequency_score', '1 to 5'),
    ('customer_value', true, 'monetary_score', '1 to 5'),
    ('customer_value', true, 'first_at', 'time of the first purchase'),
    ('customer_value', true, 'last_at', 'time of the last purchase'),
    ('customer_value', true, 'orders', 'number of orders'),
    ('customer_value', true, 'repeat_periods', 'periods with a purchase after the first; 0 also without any purchase'),
    ('customer_value', true, 'mean_spend', 'mean amount per repeat period, before margin; NULL without one; not that of segment_summary, which is per order'),
    ('customer_value', true, 'realised_value', 'value to date, rounded to four decimals, so numeric (expectations are double precision)'),
    ('customer_value', true, 'residual_value', 'expected discounted future value'),
    ('customer_value', true, 'residual_low', '5 % quantile of the residual value; NULL where its uncertainty is not known'),
    ('customer_value', true, 'residual_high', '95 % quantile of the residual value; NULL likewise'),
    ('customer_value', true, 'lifetime_value', 'realised + residual value'),
    ('customer_value', true, 'currency', 'currency code'),
    ('customer_value', true, 'expected_purchases', 'expected purchase periods and renewals within the horizon'),
    ('customer_value', true, 'expected_spend', 'expected amount per future purchase period'),
    ('customer_value', true, 'p_alive', 'probability of being alive as a customer; in bg/nbd 1 of one-time buyers: there churn_risk tells more'),
    ('customer_value', true, 'churn_risk', 'probability of no purchase within the horizon'),
    ('customer_value', true, 'value_at_risk', 'residual value if alive x (1 - p_alive)'),
    ('customer_value', true, 'days_silent', 'days since the last purchase or payment'),
    ('customer_value', true, 'is_lapsed', 'silent longer than usual'),
    ('customer_value', true, 'next_purchase_on', 'median day of the next purchase if alive, or the next renewal'),
    ('customer_value', true, 'model_id', 'purchase model, or retention model'),
    ('customer_value', true, 'method', 'how the score came about'),
    ('customer_value', true, 'status', 'whether the customer is scored'),
    ('customer_value', true, 'subscriptions', 'subscriptions that run; NULL without any'),
    ('customer_value', true, 'lifecycle_stage', 'stage by the rhythm of his purchases, of his own from three gaps on: prospect, new, active, loyal, at risk, lapsed, churned, won back (cvm.lifecycle_stage); NULL of subscribers who never bought, and where nobody came back'),
    ('nps_by_period', true, NULL, 'Net promoter score by month, in all and by segment, with its interval and change: cvm.nps_by_period of the last 24 months.'),
    ('satisfaction_summary', true, NULL, 'Answers to every question, in all and by dimension, channel, kind and segment: cvm.satisfaction_summary of the last 12 months.'),
    ('answer_value', true, NULL, 'What customers are worth by their latest answer: cvm.value_by_answer of the last 12 months.'),
    ('satisfaction_value', true, NULL, 'Satisfaction x value: cvm.satisfaction_value_matrix of the last 12 months.'),
    ('response_bias', true, NULL, 'Whether those who answer differ in value from the others: cvm.response_bias of the last 12 months.'),
    ('satisfaction_lead', true, NULL, 'Whether a change of satisfaction precedes one of purchases: cvm.satisfaction_lead of the last 24 months.'),
    ('review_summary', true, NULL, 'Reviews in all and by source: cvm.review_summary of the last 12 months.'),
    ('value_map', true, NULL, 'Suppliers as customers see them, one''s own and competitors: cvm.value_map of the last 12 months.'),
    ('driver_importance', true, NULL, 'Which attributes matter, and what to improve first: cvm.driver_importance of the last 12 months.'),
    ('segment_rule', true, NULL, 'Segments as rules that may be edited, taken up by the next recompute: the first rule by position that is true names the segment.'),
    ('segment_rule', true, 'position', 'order in which the rules are tried'),
    ('segment_rule', true, 'segment', 'name of the segment; several rules may share one; all is reserved'),
    ('segment_rule', true, 'predicate', 'boolean SQL expression over the columns of customer_value, such as recency_score = 5 AND residual_value > 100; no subqueries, nor segment and as_of'),
    ('current_value', true, NULL, 'Current value by month and segment: what customers brought in, realised, no forecast. Made where the option reports names it.'),
    ('purchase_value', true, NULL, 'Current value of every customer in the window of report_window. Made where the option reports names it.'),
    ('cohorts', true, NULL, 'Cohorts of each month at each age, with right-censoring shown: unlike cohort_retention also refunds on their orders, costs, and the ages that are not reached. Made where the option reports names it.'),
    ('churn_rates', true, NULL, 'Churn of each month where no contract says who has left, by three definitions side by side. Made where the option reports names it.'),
    ('won_back', true, NULL, 'Customers who returned in the window of report_window after more than 90 days without a purchase. Made where the option reports names it.'),
    ('cross_sell', true, NULL, 'Cross-selling and up-selling in the window of report_window, against what each customer had bought before it: in all (name: all), by segment and by campaign. Made where the option reports names it and category is mapped.'),
    ('category_rules', true, NULL, 'Pairs of categories that the same customers bought in the window of report_window. Made where the option reports names it and category is mapped.'),
    ('next_categories', true, NULL, 'For each customer of the window of report_window the three categories most likely next, by what others bought. Made where the option reports names it and category is mapped.'),
    ('future_value', true, NULL, 'Residual value by segment in parts: base, cross-selling, up-selling, by their shares in the window of report_window. Made where the option reports names it and category is mapped.'),
    ('loyalty', true, NULL, 'Stays of customers in loyalty tiers that touch the window of report_window, with the days they entered and left. Made where the option reports names it and loyalty_tiers are set.'),
    ('acquisition', true, NULL, 'Customer acquisition cost by month, channel and campaign, against the spend of the same month. Made where the feed spend is mapped.'),
    ('payback', true, NULL, 'Payback and LTV:CAC of the cohorts of each month. Made where the feed spend is mapped.'),
    ('contribution', true, NULL, 'Net contribution by segment in the window of report_window, after marketing. Made where the feed spend is mapped.'),
    ('contract_retention', true, NULL, 'Customers under contract by month and segment: retention from sets, churn, gross and net revenue retention. Made where the feed subscriptions is mapped.'),
    ('retention_time', true, NULL, 'How long subscriptions last, by segment, as known at the end of the window of report_window. Made where the feed subscriptions is mapped.'),
    ('deals', true, NULL, 'Sales measures by month of the closing and by segment: win rate, deal cycle, deal size, share of discount. Made where the feed deals is mapped.'),
    ('report_window', true, NULL, 'The window that the other reports show: complete months up to as_of, in the portfolio''s time zone.'),
    ('concentration', true, NULL, 'How unequally value is spread over customers, in all and by segment; those without value belong to them.'),
    ('concentration', true, 'value', 'realised_value (to date, on the value basis) or residual_value (expected future)'),
    ('concentration', true, 'segment', 'segment; all is the total'),
    ('concentration', true, 'is_total', 'true for the total'),
    ('concentration', true, 'customers', 'customers whose value is known'),
    ('concentration', true, 'total', 'sum of their values, currency units'),
    ('concentration', true, 'gini', 'Gini coefficient: 0 if all are equal, (n - 1) / n if one has everything'),
    ('concentration', true, 'gini_small_sample', 'Gini coefficient x n / (n - 1), so that segments of different sizes compare'),
    ('concentration', true, 'hhi', 'Herfindahl-Hirschman index: sum of squared shares'),
    ('concentration', true, 'top_10_share', 'share of the total that the most valuable tenth of the customers holds'),
    ('concentration', true, 'top_20_share', 'share that the most valuable fifth holds'),
    ('concentration', true, 'whale_peak', 'what the profitable customers earn / total; above 1 where others make losses'),
    ('concentration', true, 'reason', 'why measures are NULL: no customers, total not positive, one customer (gini_small_sample alone)'),
    ('decile_table', true, NULL, 'Customers by tenths of their number, the most valuable first; equal values share a tenth.'),
    ('decile_table', true, 'value', 'realised_value or residual_value'),
    ('decile_table', true, 'bin', '1 for the most valuable tenth'),
    ('decile_table', true, 'customers', 'customers in it'),
    ('decile_table', true, 'lowest', 'least value in it, currency units'),
    ('decile_table', true, 'highest', 'greatest value in it'),
    ('decile_table', true, 'mean', 'mean value'),
    ('decile_table', true, 'total', 'sum of values'),
    ('decile_table', true, 'share', 'total / that of all; NULL where that is not positive'),
    ('decile_table', true, 'cumulative_share', 'share of this and the better ones'),
    ('whale_curve', true, NULL, 'Cumulative realised value from the best customer down, at each percent of the customers (at each customer for fewer than a hundred).'),
    ('whale_curve', true, 'rank', 'number of customers, the best first'),
    ('whale_curve', true, 'population_share', 'rank / customers'),
    ('whale_curve', true, 'cumulative_value', 'their realised value, currency units'),
    ('whale_curve', true, 'share_of_total', 'cumulative_value / total: above 1 where others make losses; NULL where the total is not positive'),
    ('lorenz_curve', true, NULL, 'Lorenz curve of realised value: the share that the least valuable customers hold, at each percent of them.'),
    ('lorenz_curve', true, 'rank', 'number of customers, the least valuable first'),
    ('lorenz_curve', true, 'population_share', 'rank / customers'),
    ('lorenz_curve', true, 'value_share', 'share of the total that they hold; NULL where that is not positive'),
    ('abc_tier', true, NULL, 'ABC tiers of customers by cumulative share of value: A to 80 %, B to 95 %, C behind; who crosses a limit belongs to the higher tier.'),
    ('abc_tier', true, 'customer_id', 'customer'),
    ('abc_tier', true, 'segment', 'segment'),
    ('abc_tier', true, 'realised_value', 'value to date'),
    ('abc_tier', true, 'realised_tier', 'tier by realised value; NULL where the total is not positive'),
    ('abc_tier', true, 'residual_value', 'expected future value'),
    ('abc_tier', true, 'residual_tier', 'tier by residual value; NULL where it is not known'),
    ('repeat_purchase', true, NULL, 'Customers who came back, in all and by segment.'),
    ('repeat_purchase', true, 'as_of', 'instant at which they were counted'),
    ('repeat_purchase', true, 'segment', 'segment; all is the total'),
    ('repeat_purchase', true, 'is_total', 'true for the total'),
    ('repeat_purchase', true, 'customers', 'customers with a purchase'),
    ('repeat_purchase', true, 'repeaters', 'of them with purchases in two periods or more'),
    ('repeat_purchase', true, 'repeat_purchase_rate', 'repeaters / customers; not retention, and grows with the time observed'),
    ('repeat_purchase', true, 'reason', 'why it is NULL: no customers'),
    ('journey_stage_rule', true, NULL, 'Stages of the journey as rules that may be edited: of the rules that match an event and may be entered from the customer''s stage, the first by position decides (doc/journey.md).'),
    ('journey_stage_rule', true, 'position', 'order of the stages, and in which the rules are tried'),
    ('journey_stage_rule', true, 'stage', 'stage that is entered; several rules may share one; NULL, only with the event touchpoint: the one that the touchpoint names'),
    ('journey_stage_rule', true, 'event', 'touchpoint, first_purchase, repeat_purchase, lapse (silent for after_days since the last purchase) or return (a purchase after the longest of these)'),
    ('journey_stage_rule', true, 'touchpoint_stage', 'only touchpoints with this stage; NULL: any'),
    ('journey_stage_rule', true, 'channel', 'only touchpoints of this channel; NULL: any'),
    ('journey_stage_rule', true, 'campaign', 'only touchpoints of this campaign; NULL: any'),
    ('journey_stage_rule', true, 'entered_from', 'only customers who are in this stage; NULL: those of any earlier stage, or of none'),
    ('journey_stage_rule', true, 'moves_back', 'whether customers of later stages enter it too; counts where entered_from is NULL'),
    ('journey_stage_rule', true, 'after_days', 'days of silence of a lapse; NULL: the 90 % quantile of all gaps between purchases, at least 2 medians'),
    ('journey_stage', true, NULL, 'Stages of the customer journey in numbers, up to as_of; empty without a touchpoints feed. See cvm.journey_stages.'),
    ('journey_gap', true, NULL, 'What may be missing in the customer journey: a row for every stage and kind of gap; empty without a touchpoints feed. See cvm.journey_gaps.'),
    ('experiment_result', true, NULL, 'Results of experiments, a row for every experiment, outcome and arm; empty without an assignments feed. See cvm.experiment_results.'),
    ('campaign_effect', true, NULL, 'What the campaigns of the last year moved, against customers they did not reach; empty without touchpoints that have a campaign. See cvm.campaign_effects.'),
    ('score', false, NULL, 'Scores of customers, a partition per run; read the views over it.'),
    ('published', false, NULL, 'One row: the run that the views show.'),
    ('segment_stay', false, NULL, 'Stays in segments that have ended; read the view segment_history.'),
    ('forgotten', false, NULL, 'Customers whom cvm.forget has erased: a recompute leaves them out for as long as they are here.'),
    ('forgotten_value', false, NULL, 'What they were worth in the published run, for the next equity_statement.'),
    ('retired_run', false, NULL, 'Runs that were replaced, and when they were the published ones; their partitions go when no snapshot needs them and the option history does not keep them.'),
    ('segment_stat', false, NULL, 'Sums by segment and run, behind segment_summary.'),
    ('cohort_cell', false, NULL, 'Monthly cohorts by run, behind cohort_retention.'),
    ('renewal_stat', false, NULL, 'Prices of the subscriptions that run, by segment, renewals made, renewals due within the value horizon and days to the next, behind cvm.what_if.')
) AS d(relation, published, column_name, description);
END;
COMMENT ON FUNCTION cvm.output_dictionary() IS 'Relations of an output schema and their columns, with what they mean; published: granted by cvm.grant_read.';

-- The order in which causes are applied (src/recompute/statement.h), moves last.
CREATE FUNCTION cvm.equity_causes() RETURNS TABLE ("position" integer, cause text, is_move boolean)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
SELECT c.position::integer, c.cause, c.cause LIKE 'moved%' FROM unnest('{late_or_corrected,erased,merged,unwinding,purchases_expected,purchases_beyond,silence,refunds,new_customers,assumptions,model_change,moved_in,moved_out}'::text[])
    WITH ORDINALITY AS c(cause, position);
END;
COMMENT ON FUNCTION cvm.equity_causes() IS 'Columns of equity_statement between opening and closing, in the order in which causes are applied to a customer (positions 1 to 11, as in score.changes); 12 and 13 are moves between segments.';

-- The tables behind the views.
CREATE FUNCTION cvm.create_output_tables(s text, customer_type text, customer_collation text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('CREATE TABLE %I.score (
        run_id bigint NOT NULL, customer_id %s%s NOT NULL, history cvm.purchase_history NOT NULL,
        status text NOT NULL, method text,
        p_alive float8, p_no_purchase float8, expected_purchases float8, expected_spend float8,
        residual_value float8, residual_low float8, residual_high float8, value_at_risk float8,
        next_purchase_on date, days_silent integer, is_lapsed boolean, realised_value numeric(19,4) NOT NULL,
        recency_score smallint, frequency_score smallint, monetary_score smallint,
        segment text NOT NULL, since timestamptz NOT NULL,
        subscriptions integer, contract_model_id bigint, purchase_weight float8, lifecycle_stage text, changes float8[]) PARTITION BY LIST (run_id)', s, customer_type, customer_collation);
    EXECUTE format('CREATE TABLE %I.published (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), run_id bigint NOT NULL, as_of timestamptz NOT NULL,
        published_at timestamptz NOT NULL, published_xid bigint NOT NULL,
        purchase_model_id bigint, spend_model_id bigint, retention_model_id bigint, currency text, margin float8 NOT NULL,
        rate float8, unit_seconds float8, value_horizon float8, mean_spend float8, basis text)', s);
    EXECUTE format('CREATE TABLE %I.retired_run (run_id bigint PRIMARY KEY, replaced_by_xid bigint NOT NULL, as_of timestamptz, published_at timestamptz, replaced_at timestamptz, purchase_model_id bigint)', s);
    EXECUTE format('CREATE TABLE %I.segment_stay (
        customer_id %s%s NOT NULL, segment text NOT NULL, entered_at timestamptz NOT NULL, left_at timestamptz NOT NULL, CHECK (entered_at < left_at))', s, customer_type, customer_collation);
    -- every type of customers can be hashed
    EXECUTE format('CREATE INDEX ON %I.segment_stay USING hash (customer_id)', s);
    EXECUTE format('CREATE TABLE %I.forgotten (customer_id %s%s NOT NULL, forgotten_at timestamptz NOT NULL DEFAULT clock_timestamp())', s, customer_type, customer_collation);
    EXECUTE format('CREATE TABLE %I.forgotten_value (run_id bigint NOT NULL, segment text NOT NULL, residual_value float8 NOT NULL)', s);
    EXECUTE format('CREATE TABLE %I.segment_rule (
        position integer PRIMARY KEY, segment text NOT NULL CONSTRAINT all_is_the_name_of_the_total CHECK (segment <> ''all'') CONSTRAINT a_segment_has_a_name CHECK (segment <> ''''), predicate text NOT NULL)', s);
    EXECUTE format('CREATE TABLE %I.segment_stat (
        run_id bigint, segment text, customers bigint NOT NULL, residual_value float8 NOT NULL, p_alive float8,
        orders bigint NOT NULL, mean_spend float8, equity_share float8, PRIMARY KEY (run_id, segment))', s);
    EXECUTE format('CREATE TABLE %I.cohort_cell (
        run_id bigint, cohort_on date, age_periods integer, customers bigint NOT NULL, active bigint NOT NULL,
        value numeric NOT NULL, PRIMARY KEY (run_id, cohort_on, age_periods))', s);
    EXECUTE format('CREATE TABLE %I.renewal_stat (run_id bigint NOT NULL, segment text NOT NULL, renewals integer NOT NULL, due float8 NOT NULL, wait_days integer NOT NULL, price float8 NOT NULL)', s);
    EXECUTE format('CREATE INDEX ON %I.renewal_stat (run_id)', s);
    EXECUTE format('CREATE TABLE %I.equity_statement (
        run_id bigint, prior_run_id bigint NOT NULL, from_as_of timestamptz NOT NULL, to_as_of timestamptz NOT NULL, segment text, is_total boolean NOT NULL, opening numeric(22,2) NOT NULL,
        %s, closing numeric(22,2) NOT NULL,
        PRIMARY KEY (run_id, segment), CHECK (is_total = (segment = ''all'')), CHECK (from_as_of <= to_as_of),
        CONSTRAINT balances CHECK (closing = opening + %s))', s,
        (SELECT string_agg(format('%I numeric(22,2) NOT NULL', c.cause), ', ' ORDER BY c.position) FROM cvm.equity_causes() c),
        (SELECT string_agg(quote_ident(c.cause), ' + ' ORDER BY c.position) FROM cvm.equity_causes() c));
    EXECUTE format('CREATE TABLE %I.equity (
        as_of timestamptz, segment text, is_total boolean NOT NULL, customers bigint NOT NULL,
        expected_active float8 NOT NULL, realised_value numeric(24,4) NOT NULL, residual_value float8 NOT NULL,
        residual_low float8, residual_high float8, lifetime_value float8 NOT NULL, equity_share float8,
        predictive_error float8, parameter_error float8,
        PRIMARY KEY (as_of, segment), CHECK (is_total = (segment = ''all'')))', s);
END $$;
COMMENT ON FUNCTION cvm.create_output_tables(text, text, text) IS 'Creates the tables of an output schema.';

-- Views of the published run: the subquery lets the executor leave other runs' partitions out.
CREATE FUNCTION cvm.create_output_views(portfolio text, s text, customer_base_type text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    report record;
    source text := format('FROM %1$I.score s CROSS JOIN %1$I.published p
        WHERE p.only_row AND s.run_id = (SELECT q.run_id FROM %1$I.published q WHERE q.only_row)', s);
BEGIN
    EXECUTE format('CREATE VIEW %I.customer AS
        SELECT s.customer_id, s.history, cvm.first_at(s.history) AS first_at, cvm.last_at(s.history) AS last_at,
               cvm.orders(s.history) AS orders, cvm.repeat_periods(s.history) AS repeat_periods, s.realised_value, s.subscriptions %s', s, source);
    EXECUTE format('CREATE VIEW %I.clv AS
        SELECT s.customer_id, p.as_of, s.method, s.expected_purchases, s.expected_spend, s.realised_value,
               s.residual_value, s.residual_low, s.residual_high,
               s.realised_value::float8 + s.residual_value AS lifetime_value, p.currency,
               coalesce(s.contract_model_id, p.purchase_model_id) AS model_id, s.status %s', s, source);
    EXECUTE format('CREATE VIEW %I.churn AS
        SELECT s.customer_id, p.as_of, s.p_alive, s.p_no_purchase, s.days_silent, s.is_lapsed,
               s.p_no_purchase AS churn_risk, s.next_purchase_on, s.value_at_risk, s.status %s', s, source);
    EXECUTE format('CREATE VIEW %I.segment_member AS
        SELECT s.customer_id, s.recency_score, s.frequency_score, s.monetary_score,
               cvm.rfm(s.recency_score, s.frequency_score, s.monetary_score) AS rfm_cell, s.segment, s.since %s', s, source);
    EXECUTE format('CREATE VIEW %1$I.segment_history AS
        SELECT t.customer_id, t.segment, t.entered_at, t.left_at FROM %1$I.segment_stay t
        UNION ALL SELECT s.customer_id, s.segment, s.since, NULL::timestamptz %2$s', s, source);
    EXECUTE format('CREATE VIEW %I.customer_value AS
        SELECT s.customer_id::%s AS customer_id, p.as_of, s.segment, s.since AS segment_since,
               cvm.rfm(s.recency_score, s.frequency_score, s.monetary_score)::text AS rfm_cell,
               s.recency_score::integer AS recency_score, s.frequency_score::integer AS frequency_score,
               s.monetary_score::integer AS monetary_score,
               cvm.first_at(s.history) AS first_at, cvm.last_at(s.history) AS last_at,
               cvm.orders(s.history) AS orders, cvm.repeat_periods(s.history) AS repeat_periods,
               cvm.mean_spend(s.history) AS mean_spend, s.realised_value, s.residual_value, s.residual_low, s.residual_high,
               s.realised_value::float8 + s.residual_value AS lifetime_value, p.currency,
               s.expected_purchases, s.expected_spend, s.p_alive, s.p_no_purchase AS churn_risk, s.value_at_risk,
               s.days_silent, s.is_lapsed, s.next_purchase_on,
               coalesce(s.contract_model_id, p.purchase_model_id) AS model_id, s.method, s.status, s.subscriptions, s.lifecycle_stage %s',
        s, customer_base_type, source);
    PERFORM cvm.create_concentration_views(s, source);
    EXECUTE format('CREATE MATERIALIZED VIEW %I.report_window AS SELECT r.* FROM cvm.report_window_report(%L) r', s, portfolio);
    EXECUTE format('CREATE MATERIALIZED VIEW %1$I.segment_summary AS
        SELECT t.segment, t.customers, t.residual_value, t.p_alive, t.orders, t.mean_spend, t.equity_share
        FROM %1$I.segment_stat t WHERE t.run_id = (SELECT q.run_id FROM %1$I.published q WHERE q.only_row)', s);
    EXECUTE format('CREATE MATERIALIZED VIEW %1$I.cohort_retention AS
        SELECT t.cohort_on, t.age_periods, t.customers, t.active, t.active::float8 / t.customers AS retention_rate,
               sum(t.value) OVER (PARTITION BY t.cohort_on ORDER BY t.age_periods)::numeric(24,4) AS cumulative_value
        FROM %1$I.cohort_cell t WHERE t.run_id = (SELECT q.run_id FROM %1$I.published q WHERE q.only_row)', s);
    FOR report IN SELECT r.relation, r.feeds, r.key FROM cvm.output_reports() r LOOP
        IF report.feeds <> '{}' THEN
            EXECUTE format('CREATE MATERIALIZED VIEW %I.%I AS SELECT r.* FROM cvm.%I(%L) r', s, report.relation, report.relation || '_report', portfolio);
        END IF;
        EXECUTE format('CREATE UNIQUE INDEX ON %I.%I (%s)', s, report.relation, report.key);
    END LOOP;
END $$;
COMMENT ON FUNCTION cvm.create_output_views(text, text, text) IS 'Creates the views and materialized views of an output schema.';

-- Ten segments, a partition of the 5 x 5 grid of recency and frequency, and two for those who subscribe but do not buy.
CREATE FUNCTION cvm.create_segment_rules(s text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('INSERT INTO %I.segment_rule (position, segment, predicate)
        SELECT row_number() OVER () * 10, r.segment, r.predicate FROM (VALUES
            (''Champions'', ''recency_score = 5 AND frequency_score >= 4''),
            (''Loyal'', ''recency_score IN (3, 4) AND frequency_score >= 4''),
            (''Potential Loyalists'', ''recency_score >= 4 AND frequency_score IN (2, 3)''),
            (''New'', ''recency_score = 5 AND frequency_score = 1''),
            (''Promising'', ''recency_score = 4 AND frequency_score = 1''),
            (''Need Attention'', ''recency_score = 3 AND frequency_score = 3''),
            (''About to Sleep'', ''recency_score = 3 AND frequency_score <= 2''),
            (''At Risk'', ''recency_score <= 2 AND frequency_score IN (3, 4)''),
            (''Can''''t Lose'', ''recency_score <= 2 AND frequency_score = 5''),
            (''Hibernating'', ''recency_score <= 2 AND frequency_score <= 2''),
            (''Subscribers'', ''recency_score IS NULL AND subscriptions > 0''),
            (''Former Subscribers'', ''recency_score IS NULL AND subscriptions = 0'')) AS r(segment, predicate)', s);
END $$;
COMMENT ON FUNCTION cvm.create_segment_rules(text) IS 'Fills segment_rule with the ten segments on recency and frequency scores, a partition of the 5 x 5 grid, and two of customers with subscriptions but no purchase.';

CREATE FUNCTION cvm.describe_output(s text, only_relation text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation record;
BEGIN
    FOR relation IN
        SELECT d.relation AS name, d.column_name, d.description,
               CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END AS kind
        FROM cvm.output_dictionary() d
        JOIN pg_class c ON c.relname = d.relation::name JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = s::name
        WHERE only_relation IS NULL OR d.relation = only_relation
    LOOP
        IF relation.column_name IS NULL THEN
            EXECUTE format('COMMENT ON %s %I.%I IS %L', relation.kind, s, relation.name, relation.description);
        ELSE
            EXECUTE format('COMMENT ON COLUMN %I.%I.%I IS %L', s, relation.name, relation.column_name, relation.description);
        END IF;
    END LOOP;
    FOR relation IN SELECT r.relation AS name, c.column_name, c.description FROM cvm.output_reports() r CROSS JOIN LATERAL cvm.report_columns(r.relation) c
                    WHERE only_relation IS NULL OR r.relation = only_relation LOOP
        EXECUTE format('COMMENT ON COLUMN %I.%I.%I IS %L', s, relation.name, relation.column_name, relation.description);
    END LOOP;
END $$;
COMMENT ON FUNCTION cvm.describe_output(text, text) IS 'Gives the relations of an output schema (or one of them) and their columns the comments of cvm.output_dictionary.';

CREATE FUNCTION cvm.create_output(portfolio text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s text := (cvm.own_portfolio(portfolio)).output_schema;
    customer pg_attribute := cvm.feed_column(portfolio, 'purchases', cvm.feed_relation(portfolio, 'purchases'), 'customer');
BEGIN
    PERFORM cvm.create_output_tables(s, format_type(customer.atttypid, -1),
        cvm.collate_clause(customer.attcollation));
    PERFORM cvm.create_segment_rules(s);
    PERFORM cvm.create_journey_rules(s);
    PERFORM cvm.create_output_views(portfolio, s, format_type(cvm.base_type(customer.atttypid), -1));
    PERFORM cvm.describe_output(s);
END $$;
COMMENT ON FUNCTION cvm.create_output(text) IS 'Creates the relations of a portfolio''s output schema, empty, with their comments; called by cvm.create_portfolio.';

CREATE FUNCTION cvm.drop_output(portfolio text, "cascade" boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s text := (cvm.own_portfolio(portfolio)).output_schema;
    relation record;
BEGIN
    FOR relation IN
        SELECT c.relname AS name, CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END AS kind
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = s::name AND c.relkind IN ('r', 'p', 'v', 'm')
          AND (c.relname IN (SELECT d.relation::name FROM cvm.output_dictionary() d) OR c.relname ~ '^score_[0-9]+$')
        -- views before the tables they read, runs before score
        ORDER BY array_position('{v,m,r,p}'::text[], c.relkind::text), c.relname
    LOOP
        EXECUTE format('DROP %s %I.%I%s', relation.kind, s, relation.name, CASE WHEN "cascade" THEN ' CASCADE' ELSE '' END);
    END LOOP;
EXCEPTION WHEN dependent_objects_still_exist THEN
    RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
        MESSAGE = format('other objects depend on the output of portfolio "%s"', portfolio),
        DETAIL = SQLERRM,
        HINT = 'Drop them first, or call cvm.drop_portfolio(..., "cascade" => true) to drop them too.';
END $$;
COMMENT ON FUNCTION cvm.drop_output(text, boolean) IS 'Drops the relations of a portfolio''s output schema; called by cvm.drop_portfolio.';
