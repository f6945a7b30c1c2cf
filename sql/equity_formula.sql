-- equity_formula: the literature's models of customer equity, as plain functions (src/metric/formula.c)
--
-- Customer equity is the sum of the residual values of customers; what a portfolio's
-- customers are worth is in its table equity.  These formulas add what no history holds:
-- spending that is still to be chosen, brands, customers that are still to come.

-- ---------- acquisition against retention ----------

CREATE FUNCTION cvm.response_rate(spend float8, ceiling float8, k float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_response_rate';
COMMENT ON FUNCTION cvm.response_rate(float8, float8, float8) IS
'Acquisition or retention rate that a spend per prospect or customer buys: ceiling (1 - exp(-k spend)) (Blattberg & Deighton 1996). ceiling: the rate that no spend exceeds, 0 to 1; k >= 0 per unit of money. Assumes that the first unit of money works best: no threshold below which spending does nothing. 22023 outside the domain.';

CREATE FUNCTION cvm.response_k(spend float8, rate float8, ceiling float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_response_k';
COMMENT ON FUNCTION cvm.response_k(float8, float8, float8) IS
'k of cvm.response_rate from one known point: -ln(1 - rate / ceiling) / spend (Blattberg & Deighton 1996). One point and a guessed ceiling: try other ceilings before trusting an optimum. NULL for a spend of 0 and for a rate at the ceiling; 22023 unless 0 <= rate <= ceiling <= 1 and spend >= 0.';

CREATE FUNCTION cvm.prospect_equity(margin float8, discount_rate float8, acquisition_spend float8, acquisition_ceiling float8, acquisition_k float8,
    retention_spend float8, retention_ceiling float8, retention_k float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.response_rate(acquisition_spend, acquisition_ceiling, acquisition_k)
       * (cvm.argument('margin', margin)
          + (margin * cvm.response_rate(retention_spend, retention_ceiling, retention_k) - retention_spend)
            / nullif(1 + cvm.argument('discount_rate', discount_rate, 0) - cvm.response_rate(retention_spend, retention_ceiling, retention_k), 0))
       - acquisition_spend;
COMMENT ON FUNCTION cvm.prospect_equity(float8, float8, float8, float8, float8, float8, float8, float8) IS
'Customer equity per prospect (Blattberg & Deighton 1996): a m - A + a (m - R / r) r'' / (1 - r''), r'' = r / (1 + d), with acquisition rate a and retention rate r from cvm.response_rate of the spend A per prospect and R per customer and year; written as a (m + (m r - R) / (1 + d - r)) - A, which holds at r = 0 too. margin m per customer and year, discount_rate d >= 0 a year. Per PROSPECT, not per customer acquired. Assumes the same margin and retention every year. NULL where r = 1 + d; 22023 outside the domain.';

CREATE FUNCTION cvm.optimal_prospect_spend(margin float8, discount_rate float8, acquisition_ceiling float8, acquisition_k float8, retention_ceiling float8, retention_k float8)
RETURNS TABLE (acquisition_spend float8, retention_spend float8, acquisition_rate float8, retention_rate float8, equity float8)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    m float8 := cvm.argument('margin', margin, 0);
    d float8 := cvm.argument('discount_rate', discount_rate, 0);
    a_gain float8 := cvm.argument('acquisition_ceiling', acquisition_ceiling, 0, 1) * cvm.argument('acquisition_k', acquisition_k, 0);
    r_gain float8 := cvm.argument('retention_ceiling', retention_ceiling, 0, 1) * cvm.argument('retention_k', retention_k, 0);
    low float8 := 0;
    high float8 := m * (1 + d);
    customer_value float8;
BEGIN
    -- R first, for it does not depend on A: the slope r_gain e^(-k R) (m (1 + d) - R) - (1 + d) + r falls from R = 0 on
    IF r_gain * m > 1 THEN
        FOR i IN 1 .. 200 LOOP
            retention_spend := low + (high - low) / 2;
            EXIT WHEN retention_spend <= low OR retention_spend >= high;
            IF r_gain * exp(-least(retention_k * retention_spend, 300)) * (m * (1 + d) - retention_spend)
               - (1 + d) + cvm.response_rate(retention_spend, retention_ceiling, retention_k) > 0 THEN
                low := retention_spend;
            ELSE
                high := retention_spend;
            END IF;
        END LOOP;
    ELSE
        retention_spend := 0;
    END IF;
    retention_rate := cvm.response_rate(retention_spend, retention_ceiling, retention_k);
    customer_value := m + (m * retention_rate - retention_spend) / nullif(1 + d - retention_rate, 0);
    -- then A, where the slope a_gain e^(-k A) customer_value - 1 is 0
    IF a_gain * customer_value > 1 THEN
        acquisition_spend := ln(a_gain * customer_value) / acquisition_k;
    ELSE
        acquisition_spend := 0;
    END IF;
    acquisition_rate := cvm.response_rate(acquisition_spend, acquisition_ceiling, acquisition_k);
    equity := acquisition_rate * customer_value - acquisition_spend;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION cvm.optimal_prospect_spend(float8, float8, float8, float8, float8, float8) IS
'The spends A per prospect and R per customer and year that maximise cvm.prospect_equity (Blattberg & Deighton 1996), with the rates and the equity there. The first-order conditions are solved: R by bisection, A in closed form; a spend of 0 where the first unit of money does not earn itself back. No rows for NULL; 22023 unless margin >= 0, discount_rate >= 0, ceilings 0 to 1 and k >= 0.';

-- ---------- brands ----------

CREATE FUNCTION cvm.discounted_visits(start float8[], transition float8[], ratio float8, periods integer DEFAULT NULL) RETURNS float8[]
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_discounted_visits';
COMMENT ON FUNCTION cvm.discounted_visits(float8[], float8[], float8, integer) IS
'Discounted number of periods that a Markov chain spends in each state: sum of ratio^t start P^t over t = 0 .. periods, or without a limit start (I - ratio P)^-1. start: share of each state now, >= 0; transition P as in cvm.markov_value, rows from, columns to; ratio 0 to 1, the discount factor of a period. Errors as cvm.markov_value.';

CREATE FUNCTION cvm.steady_share(transition float8[]) RETURNS float8[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_steady_share';
COMMENT ON FUNCTION cvm.steady_share(float8[]) IS
'Shares s = s P, summing to 1, that a switching matrix leaves unchanged, and to which it leads from any start where every brand can be reached and the chain has no period. Not today''s shares. 22023 where they are not unique, or a row does not sum to 1.';

CREATE FUNCTION cvm.logit_choice(utilities float8[]) RETURNS float8[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    WITH weights AS (
        SELECT u.n, exp(greatest(u.utility - max(u.utility) OVER (), -700)) AS weight
        FROM unnest(cvm.numbers('a utility', utilities)) WITH ORDINALITY AS u(utility, n)
    )
    SELECT array_agg(w.weight / s.total ORDER BY w.n) FROM weights w, (SELECT sum(v.weight ORDER BY v.n) AS total FROM weights v) AS s);
COMMENT ON FUNCTION cvm.logit_choice(float8[]) IS
'Probability of choosing each alternative: exp(U_k) / sum of exp(U_j), the rows of a switching matrix in Rust, Lemon & Zeithaml 2004 with U = b0 last + x b (McFadden 1974). Assumes that the odds of two brands do not depend on a third. A difference of more than 700 counts as 700. NULL for no alternatives.';

CREATE FUNCTION cvm.brand_value(start float8[], switching float8[], purchases_per_year float8, purchase_volume float8, contribution float8, discount_rate float8, purchases integer DEFAULT NULL) RETURNS float8[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT array_agg(cvm.argument('purchase_volume', purchase_volume, 0) * cvm.argument('contribution', contribution) * b.visits ORDER BY b.n)
        FROM unnest(cvm.discounted_visits(start, switching,
                    cvm.compound(1 + cvm.argument('discount_rate', discount_rate, 0), -1 / nullif(cvm.argument('purchases_per_year', purchases_per_year, 0), 0)),
                    purchases)) WITH ORDINALITY AS b(visits, n));
COMMENT ON FUNCTION cvm.brand_value(float8[], float8[], float8, float8, float8, float8, integer) IS
'Lifetime value of one customer to each brand of a market, with switching (Rust, Lemon & Zeithaml 2004): sum over t = 0 .. purchases (or without a limit) of (1 + d)^(-t / f) v pi B_t, B_t = start x switching^t. start: probabilities of the brand of the purchase now; switching: rows from, columns to; f purchases_per_year of the category; v purchase_volume; pi contribution per unit, of every brand alike; d a year. Counts customers won back, which a value that ends with the first loss does not. NULL for no purchases a year; errors as cvm.markov_value.';

CREATE FUNCTION cvm.brand_equity(mean_value float8, population float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.argument('mean_value', mean_value) * cvm.argument('population', population, 0);
COMMENT ON FUNCTION cvm.brand_equity(float8, float8) IS
'Customer equity of a brand from a sample: mean of the sampled customers'' values to the brand x population of the market (Rust, Lemon & Zeithaml 2004). The sample must be of the market, not of the brand''s customers. 22023 for a negative population.';

CREATE FUNCTION cvm.equity_share(equities float8[]) RETURNS float8[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT CASE WHEN sum(e.equity) > 0 THEN array_agg(e.equity / e.total ORDER BY e.n) END
        FROM (SELECT u.equity, u.n, nullif(sum(u.equity) OVER (ORDER BY u.n ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING), 0) AS total
              FROM unnest(cvm.numbers('an equity', equities)) WITH ORDINALITY AS u(equity, n)) AS e);
COMMENT ON FUNCTION cvm.equity_share(float8[]) IS
'Customer equity share: each equity / their sum (Rust, Lemon & Zeithaml 2004). Looks ahead, where market share looks back. NULL where the sum is not positive.';

CREATE FUNCTION cvm.equity_return(gain float8, cost float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (cvm.argument('gain', gain) - cvm.argument('cost', cost, 0)) / nullif(cost, 0);
COMMENT ON FUNCTION cvm.equity_return(float8, float8) IS
'Return on an investment in customers: (gain in equity - cost) / cost (Rust, Lemon & Zeithaml 2004), both present values; 0.447 is 44.7 %. Not gain / cost. NULL for a cost of 0; 22023 for a negative one.';

-- ---------- customers to come ----------

CREATE FUNCTION cvm.dynamic_equity(static_equity float8, new_customers float8[], value_new float8, acquisition_costs float8[], discount_rate float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.argument('static_equity', static_equity)
       + CASE WHEN cvm.argument('the difference between the lengths of new_customers and acquisition_costs',
                                cardinality(new_customers) - cardinality(acquisition_costs), 0, 0) = 0
              THEN coalesce((SELECT sum(c.customers * (cvm.argument('value_new', value_new) - c.cost)
                                        * cvm.compound(1 + cvm.argument('discount_rate', discount_rate, 0), -c.n) ORDER BY c.n)
                             FROM unnest(cvm.numbers('a number of new customers', new_customers, 0), cvm.numbers('an acquisition cost', acquisition_costs, 0))
                                  WITH ORDINALITY AS c(customers, cost, n)),
                            CASE WHEN cardinality(new_customers) = 0 THEN 0 END) END;
COMMENT ON FUNCTION cvm.dynamic_equity(float8, float8[], float8, float8[], float8) IS
'Dynamic customer equity: static equity + present value of future cohorts, sum over c = 1, 2, ... periods from now of N_c (value_new - CAC_c) / (1 + d)^c (Gupta, Lehmann & Stuart 2004). value_new: value of a new customer when acquired, acquisition cost not yet taken off. static_equity: sum of the residual values of today''s customers, from which no acquisition cost is taken, for it is sunk. 22023 for lengths that differ and values outside the domain.';

-- ---------- from customers to the value of the firm ----------

CREATE FUNCTION cvm.customers_lost(customers_before float8, customers_after float8, acquired float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.argument('customers_before', customers_before, 0)
       - cvm.argument('customers_after - acquired', cvm.argument('customers_after', customers_after, 0) - cvm.argument('acquired', acquired, 0), 0, customers_before);
COMMENT ON FUNCTION cvm.customers_lost(float8, float8, float8) IS
'Customers lost in a period, from disclosed counts: C(., m - 1) - (C(., m) - C(m, m)) (McCarthy, Fader & Hardie 2017). acquired: those acquired in the period who are still there at its end. Net additions are not acquisitions: they hide what was lost. 22023 for negative counts, more acquired than customers, or more old customers after than before.';

CREATE FUNCTION cvm.revenue_per_customer(revenue float8, customers_before float8, customers_after float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.argument('revenue', revenue) / nullif((cvm.argument('customers_before', customers_before, 0) + cvm.argument('customers_after', customers_after, 0)) / 2, 0);
COMMENT ON FUNCTION cvm.revenue_per_customer(float8, float8, float8) IS
'Average revenue per user (ARPU) of a period: revenue / mean of the customers before and after it (McCarthy, Fader & Hardie 2017). NULL without customers.';

CREATE FUNCTION cvm.operating_profit_after_tax(revenue float8, variable_cost_rate float8, fixed_cost float8, tax_rate float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (cvm.argument('revenue', revenue) * (1 - cvm.argument('variable_cost_rate', variable_cost_rate, 0)) - cvm.argument('fixed_cost', fixed_cost))
       * (1 - cvm.argument('tax_rate', tax_rate, 0, 1));
COMMENT ON FUNCTION cvm.operating_profit_after_tax(float8, float8, float8, float8) IS
'NOPAT = (revenue (1 - variable cost rate) - fixed cost) (1 - tax rate) (McCarthy, Fader & Hardie 2017). A loss is taxed as negative profit, as if it could be used at once. 22023 for a negative variable_cost_rate or a tax_rate outside 0 to 1.';

CREATE FUNCTION cvm.free_cash_flow(profit_after_tax float8, capital_expenditure float8, depreciation float8, working_capital_change float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.argument('profit_after_tax', profit_after_tax) - (cvm.argument('capital_expenditure', capital_expenditure) - cvm.argument('depreciation', depreciation))
       - cvm.argument('working_capital_change', working_capital_change);
COMMENT ON FUNCTION cvm.free_cash_flow(float8, float8, float8, float8) IS
'Free cash flow of a period: NOPAT - (capital expenditure - depreciation and amortisation) - increase of working capital (McCarthy, Fader & Hardie 2017). Acquisition spend must be in NOPAT or in capital expenditure, not in both.';

CREATE FUNCTION cvm.shareholder_value(cash_flows float8[], cost_of_capital float8, non_operating_assets float8 DEFAULT 0, net_debt float8 DEFAULT 0, first_period integer DEFAULT 1) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.present_value(cash_flows, cvm.argument('cost_of_capital', cost_of_capital, 0), first_period)
       + cvm.argument('non_operating_assets', non_operating_assets) - cvm.argument('net_debt', net_debt);
COMMENT ON FUNCTION cvm.shareholder_value(float8[], float8, float8, float8, integer) IS
'Shareholder value: operating assets (sum of FCF_t / (1 + WACC)^t) + non-operating assets - net debt (McCarthy, Fader & Hardie 2017). cash_flows: one a period, the first after first_period periods; cost_of_capital per period, not per year. Nothing after the last cash flow is counted. NULL for no cash flows; 22023 for a negative cost of capital.';
