-- dynamic_equity: what a portfolio's customers and those to come are worth, net of what it costs to win them

CREATE TYPE cvm.dynamic_equity_row AS (
    as_of timestamptz, static_equity float8, static_low float8, static_high float8, new_customers float8, value_new float8, acquisition_cost float8,
    future_value float8, future_cost float8, dynamic_equity float8, dynamic_low float8, dynamic_high float8, assumption text, reason text);
COMMENT ON TYPE cvm.dynamic_equity_row IS 'Customer equity of a portfolio with its customers to come: row of cvm.dynamic_equity.';
COMMENT ON COLUMN cvm.dynamic_equity_row.as_of IS 'instant of the published run';
COMMENT ON COLUMN cvm.dynamic_equity_row.static_equity IS 'residual value of the customers of today, as in equity: what they cost to win is sunk and not taken off';
COMMENT ON COLUMN cvm.dynamic_equity_row.static_low IS '5 % quantile, as in equity';
COMMENT ON COLUMN cvm.dynamic_equity_row.static_high IS '95 % quantile, as in equity';
COMMENT ON COLUMN cvm.dynamic_equity_row.new_customers IS 'customers to come in all periods';
COMMENT ON COLUMN cvm.dynamic_equity_row.value_new IS 'value of one of them on the day he is won, before acquisition cost: margin x (first purchase + residual value of a new customer), currency units';
COMMENT ON COLUMN cvm.dynamic_equity_row.acquisition_cost IS 'mean CAC of a customer to come, currency units; NULL if nobody comes';
COMMENT ON COLUMN cvm.dynamic_equity_row.future_value IS 'present value of the customers to come';
COMMENT ON COLUMN cvm.dynamic_equity_row.future_cost IS 'present value of what they cost to win';
COMMENT ON COLUMN cvm.dynamic_equity_row.dynamic_equity IS 'static_equity + future_value - future_cost';
COMMENT ON COLUMN cvm.dynamic_equity_row.dynamic_low IS '5 % quantile, given the numbers and costs of customers to come; NULL where that of the static equity is not known';
COMMENT ON COLUMN cvm.dynamic_equity_row.dynamic_high IS '95 % quantile; NULL likewise';
COMMENT ON COLUMN cvm.dynamic_equity_row.assumption IS 'where the numbers and costs of customers to come are from';
COMMENT ON COLUMN cvm.dynamic_equity_row.reason IS 'why the dynamic equity is NULL';

-- The mean number of new customers and their cost in the complete periods before an instant, from the first that had any.
CREATE FUNCTION cvm.recent_acquisition(portfolio text, as_of timestamptz, period interval, periods integer, time_zone text,
    OUT new_customers float8, OUT acquisition_cost float8, OUT assumption text, OUT reason text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' AS $$
DECLARE
    day date := (as_of AT TIME ZONE time_zone)::date;
    to_on date := CASE WHEN extract(day FROM period) = 0 AND extract(month FROM period) + extract(year FROM period) > 0 THEN date_trunc('month', day)::date ELSE day END;
    from_on date := (to_on - periods * period)::date;
    n bigint;
    spend numeric;
BEGIN
    SELECT count(*), sum(a.new_customers)::float8 / nullif(count(*), 0), sum(a.spend), (sum(a.spend) / nullif(sum(a.new_customers), 0))::float8
    INTO n, recent_acquisition.new_customers, spend, recent_acquisition.acquisition_cost
    FROM (SELECT v.*, bool_or(v.new_customers > 0) OVER (ORDER BY v.period_on) AS begun
          FROM cvm.acquisition(portfolio, from_on, to_on, period) v WHERE v.scope = 'blended' AND v.is_complete) a
    WHERE a.begun;
    -- whatever functions of a view have set
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    assumption := format('as in the %s complete periods from %s to %s', n, from_on, to_on);
    reason := CASE WHEN n = 0 OR recent_acquisition.new_customers = 0 THEN format('no new customers from %s to %s', from_on, to_on)
                   WHEN spend < 0 THEN format('negative spend from %s to %s', from_on, to_on) END;
END $$;
COMMENT ON FUNCTION cvm.recent_acquisition(text, timestamptz, interval, integer, text) IS
'New customers per period and CAC (blended, cvm.acquisition) of a portfolio, means over the last complete periods before as_of; periods before the first with a new customer do not count. reason: why they are no forecast. Errors of cvm.acquisition.';

CREATE FUNCTION cvm.new_customer_value(portfolio text, OUT value_new float8, OUT predictive_error float8, OUT parameter_error float8)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v record := cvm.valuation(portfolio);
    residual cvm.value_interval;
    first_purchase float8;
BEGIN
    IF v.purchases IS NULL OR v.spend IS NULL THEN
        RETURN;
    END IF;
    residual := (SELECT cvm.sum_interval(v.purchases, v.spend, h.history, v.as_of, v.annual_discount_rate, v.value_horizon, v.margin, 0.9)
                 FROM (SELECT cvm.purchase_history(v.as_of, 1, cvm.unit(v.purchases)) AS history) h);
    first_purchase := v.margin * cvm.expected_spend(v.spend, 0, 0);
    value_new := first_purchase + residual.residual_value;
    predictive_error := residual.predictive_error * value_new / nullif(residual.residual_value, 0);
    parameter_error := residual.parameter_error * value_new / nullif(residual.residual_value, 0);
END $$;
COMMENT ON FUNCTION cvm.new_customer_value(text) IS
'What a customer is worth to a portfolio on the day of the first purchase, by the models, margin and rate of its published run: margin x mean spend + residual value with x = 0 at age 0; acquisition cost is not taken off. predictive_error, parameter_error: standard deviations (doc/uncertainty.md), with the relative errors of the residual part for the whole. NULL without a purchase and a spend model. 42704 unknown portfolio, 42501 not permitted.';

CREATE FUNCTION cvm.dynamic_equity(portfolio text, new_customers float8[] DEFAULT NULL, acquisition_costs float8[] DEFAULT NULL,
    period interval DEFAULT '1 month', periods integer DEFAULT 12, value_new float8 DEFAULT NULL) RETURNS cvm.dynamic_equity_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET intervalstyle = 'postgres' AS $$
DECLARE
    run record := cvm.published_run(portfolio);
    ratio float8;               -- discount factor of a period
    own_predictive_error float8;
    own_parameter_error float8;
    recent record;
    equity record;
    spread float8;              -- of static equity + future value: standard deviation
    deviation float8;           -- ... of static equity
    r cvm.dynamic_equity_row;
BEGIN
    IF period IS NULL OR periods IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'period and periods must not be null';
    ELSIF (new_customers IS NULL) <> (acquisition_costs IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'new_customers and acquisition_costs must both be given, or neither',
            HINT = 'Without them, both are those of the feeds purchases and spend.';
    ELSIF period < interval '1 day' OR NOT isfinite(date '2000-01-01' + period) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('a period can not be %s', period), HINT = 'Give whole days, weeks, months or years.';
    ELSIF periods NOT BETWEEN 1 AND 1200 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('periods can not be %s', periods), HINT = 'Give 1 to 1200.';
    END IF;
    ratio := (1 + cvm.option_rate(run.options)) ^ -cvm.interval_units(period, interval '365.25 days');
    r.as_of := run.as_of;
    r.assumption := 'given';
    IF new_customers IS NULL THEN
        IF NOT EXISTS (SELECT FROM cvm.feed f WHERE f.portfolio = dynamic_equity.portfolio AND f.kind = 'spend') THEN
            RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('portfolio "%s" has no feed "spend"', portfolio),
                HINT = format('Map one with cvm.add_feed, or say how many customers will come and what they cost: cvm.dynamic_equity(%L, new_customers => ''{100, 100}'', acquisition_costs => ''{30, 30}'')', portfolio);
        END IF;
        recent := cvm.recent_acquisition(portfolio, run.as_of, period, periods, cvm.option_text(run.options, 'time_zone', 'UTC'));
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        r.assumption := recent.assumption;
        r.reason := recent.reason;
        new_customers := array_fill(recent.new_customers, ARRAY[periods]);
        acquisition_costs := array_fill(recent.acquisition_cost, ARRAY[periods]);
    END IF;
    EXECUTE format('SELECT e.residual_value, e.residual_low, e.residual_high, e.predictive_error, e.parameter_error FROM %I.equity e WHERE e.as_of = $1 AND e.is_total', run.output_schema)
        INTO equity USING run.as_of;
    r.static_equity := equity.residual_value;
    r.static_low := equity.residual_low;
    r.static_high := equity.residual_high;
    IF value_new IS NULL THEN
        SELECT v.* INTO r.value_new, own_predictive_error, own_parameter_error FROM cvm.new_customer_value(portfolio) v;
    ELSE
        r.value_new := cvm.argument('value_new', value_new);
    END IF;
    IF r.value_new IS NULL THEN
        r.reason := coalesce(r.reason, 'no model of purchases and spend: give value_new');
    END IF;
    IF r.reason IS NOT NULL THEN
        RETURN r;
    END IF;
    r.dynamic_equity := cvm.dynamic_equity(r.static_equity, new_customers, r.value_new, acquisition_costs, 1 / ratio - 1);
    SELECT coalesce(sum(c.customers), 0), sum(c.customers * c.cost) / nullif(sum(c.customers), 0),
           r.value_new * coalesce(sum(c.customers * ratio ^ c.n), 0), coalesce(sum(c.customers * c.cost * ratio ^ c.n), 0),
           CASE WHEN value_new IS NULL
                THEN sqrt(equity.predictive_error ^ 2 + own_predictive_error ^ 2 * coalesce(sum(c.customers * ratio ^ (2 * c.n)), 0)
                          + (equity.parameter_error + own_parameter_error * coalesce(sum(c.customers * ratio ^ c.n), 0)) ^ 2)
                ELSE sqrt(equity.predictive_error ^ 2 + equity.parameter_error ^ 2) END
    INTO r.new_customers, r.acquisition_cost, r.future_value, r.future_cost, spread
    FROM unnest(new_customers, acquisition_costs) WITH ORDINALITY AS c(customers, cost, n);
    IF r.static_low IS NOT NULL THEN
        -- as far out as the ends of the static equity's interval are, in standard deviations; no value is below 0
        deviation := sqrt(equity.predictive_error ^ 2 + equity.parameter_error ^ 2);
        r.dynamic_low := greatest(r.static_equity + r.future_value - spread * coalesce((r.static_equity - r.static_low) / nullif(deviation, 0), 1.6448536269514722), 0) - r.future_cost;
        r.dynamic_high := r.static_equity + r.future_value + spread * coalesce((r.static_high - r.static_equity) / nullif(deviation, 0), 1.6448536269514722) - r.future_cost;
    END IF;
    RETURN r;
END $$;
COMMENT ON FUNCTION cvm.dynamic_equity(text, float8[], float8[], interval, integer, float8) IS
'Static and dynamic customer equity of a portfolio''s published run, with 90 % intervals: residual value of today''s customers + present value of cohorts to come, sum over c = 1, 2, ... periods from as_of of N_c (value_new - CAC_c) / (1 + d)^(c x period) (Gupta, Lehmann & Stuart 2004), d the option annual_discount_rate. new_customers N and acquisition_costs CAC, a number per period; without both, the means of the last periods of that length in the feeds purchases and spend, as many periods ahead. value_new: value of a customer when acquired, acquisition cost not taken off; without it cvm.new_customer_value. The interval is given the numbers and costs of customers to come, which nobody knows: what customers do is independent, the errors of the parameters, which today''s customers and those to come share, are added. Segments have no dynamic equity: who comes is in none yet. dynamic_equity NULL with a reason where nobody came, spend is negative or no model says what a new customer is worth. 42704 unknown portfolio or no feed spend, 42501 for others than its owner, 55000 before the first recompute, 22023 for lengths that differ and values outside the domain, 22004 for NULLs, 0A000 without value_new where the model has covariates.';
