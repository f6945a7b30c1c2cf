-- value_formula: the textbook's formulas of customer value, as plain functions (src/metric/formula.c)
--
-- None of them looks at a customer: they turn averages into an average.  The models
-- (cvm.fit, cvm.discounted_purchases) value customers one by one.  Rates are per
-- period and fractions (0.1 is 10 %), money is in any one currency; NULL in, NULL out.

-- ---------- domains and powers ----------

CREATE FUNCTION cvm.argument(name text, value float8, lowest float8 DEFAULT '-Infinity', highest float8 DEFAULT 'Infinity') RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_argument';
COMMENT ON FUNCTION cvm.argument(text, float8, float8, float8) IS
'The value itself, if it is finite and between lowest and highest; else 22023 with the name and the value.';

CREATE FUNCTION cvm.numbers(name text, elements float8[], lowest float8 DEFAULT '-Infinity', highest float8 DEFAULT 'Infinity') RETURNS float8[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_numbers';
COMMENT ON FUNCTION cvm.numbers(text, float8[], float8, float8) IS
'The array itself, if its elements are finite and between lowest and highest; else 22023 with the name and the value, 22004 for a null among them.';

CREATE FUNCTION cvm.compound(factor float8, periods float8) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_compound';
COMMENT ON FUNCTION cvm.compound(float8, float8) IS
'factor ^ periods, factor >= 0; what is too small for a double is 0, where power() fails. A discount factor is cvm.compound(1 + rate, -periods). 22023 outside the domain, 22003 if it is too large.';

-- ---------- averages x time ----------

CREATE FUNCTION cvm.value_from_frequency(mean_value float8, frequency float8, lifetime float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.argument('mean_value', mean_value) * (cvm.argument('frequency', frequency, 0) * cvm.argument('lifetime', lifetime, 0));
COMMENT ON FUNCTION cvm.value_from_frequency(float8, float8, float8) IS
'Average value of a transaction x (transactions a year x retention time in years); money of one customer. frequency and lifetime in one time unit, both >= 0. Assumes that everyone buys at the average rate for the average time; hides discounting, dropping out and that the mean of a product is not the product of means. Whether it is revenue or profit depends on mean_value alone. Retention time is not retention rate: cvm.expected_lifetime turns the one into the other.';

CREATE FUNCTION cvm.value_from_arpu(arpu float8, lifetime float8, acquisition_cost float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.argument('arpu', arpu) * cvm.argument('lifetime', lifetime, 0) - cvm.argument('acquisition_cost', acquisition_cost, 0);
COMMENT ON FUNCTION cvm.value_from_arpu(float8, float8, float8) IS
'Average revenue per user and period x average retention time - acquisition cost; money of one new customer. arpu and lifetime in one time unit; lifetime and acquisition_cost >= 0. Assumes constant revenue; no discounting. Revenue less acquisition cost is not profit: give the margin per user instead of ARPU. Not to be used for customers already acquired, whose acquisition cost is sunk.';

-- ---------- margin, retention, discount ----------

CREATE FUNCTION cvm.margin_multiple(retention_rate float8, discount_rate float8, growth_rate float8 DEFAULT 0, first_margin text DEFAULT 'end', periods integer DEFAULT NULL) RETURNS float8
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_margin_multiple';
COMMENT ON FUNCTION cvm.margin_multiple(float8, float8, float8, text, integer) IS
'Margin multiple (Gupta & Lehmann 2003, 2005): a customer''s value / its margin per period. first_margin ''end'': the first margin comes at the end of the first period from those retained, r / (1 + d - r (1 + g)); ''now'': it is received now from everyone, (1 + d) / (1 + d - r (1 + g)), which is one more where g = 0. periods limits the number of margins: r / (1 + d) (1 - q^n) / (1 - q) and (1 - q^n) / (1 - q), q = r (1 + g) / (1 + d). retention_rate r 0 to 1, discount_rate d >= 0, growth_rate g >= -1, all per period. NULL only for NULL arguments. Assumes that retention and growth never change, which understates a cohort whose worst customers leave first (Fader & Hardie 2010). 22023 outside the domain, and where the sum without a limit is infinite.';

CREATE FUNCTION cvm.value_from_margin(margin float8, retention_rate float8, discount_rate float8, growth_rate float8 DEFAULT 0, first_margin text DEFAULT 'end', periods integer DEFAULT NULL) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.argument('margin', margin) * cvm.margin_multiple(retention_rate, discount_rate, growth_rate, first_margin, periods);
COMMENT ON FUNCTION cvm.value_from_margin(float8, float8, float8, float8, text, integer) IS
'Discounted margins of one customer: margin x cvm.margin_multiple (Gupta & Lehmann 2003, 2005), over all time or a number of periods. A negative margin is valued as it is. Before acquisition cost; of a customer whose next margin is still to be renewed (''end'') or is just being paid (''now''): the two differ by one margin and are confused often. Assumptions and errors of cvm.margin_multiple.';

CREATE FUNCTION cvm.present_value(amounts float8[], discount_rate float8, first_period integer DEFAULT 1) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT sum(a.amount * cvm.compound(1 + cvm.argument('discount_rate', discount_rate, 0), -(a.n - 1 + first_period)) ORDER BY a.n)
        FROM unnest(cvm.numbers('an amount', amounts)) WITH ORDINALITY AS a(amount, n));
COMMENT ON FUNCTION cvm.present_value(float8[], float8, integer) IS
'Present value of amounts that come one a period, the first after first_period periods (0: now): sum of amount_t / (1 + d)^t. discount_rate d >= 0 per period of the amounts, not per year. NULL for no amounts.';

-- ---------- cohorts ----------

CREATE FUNCTION cvm.cohort_value(margin_to_date float8, customers_at_start float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.argument('margin_to_date', margin_to_date) / nullif(cvm.argument('customers_at_start', customers_at_start, 0), 0);
COMMENT ON FUNCTION cvm.cohort_value(float8, float8) IS
'Historic value of a cohort per starting customer: its cumulative margin by some age / its size AT START. NULL for a cohort without customers. Dividing by those still there instead lets the value rise as customers leave. Cohorts are compared at ages that all of them have reached. Undiscounted, and no forecast.';

CREATE FUNCTION cvm.cohort_curve(margins float8[], customers_at_start float8)
RETURNS TABLE (age_periods integer, margin float8, value_to_date float8)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT m.n::integer, m.margin, cvm.cohort_value(sum(m.margin) OVER (ORDER BY m.n), customers_at_start)
    FROM unnest(cvm.numbers('a margin', margins)) WITH ORDINALITY AS m(margin, n) ORDER BY m.n;
END;
COMMENT ON FUNCTION cvm.cohort_curve(float8[], float8) IS
'Margin of a cohort by age -> its value to date per starting customer, cvm.cohort_value, at each age. No rows for no margins.';

-- ---------- Markov chains ----------

CREATE FUNCTION cvm.markov_value(transition float8[], reward float8[], discount_rate float8, periods integer DEFAULT NULL) RETURNS float8[]
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_markov_value';
COMMENT ON FUNCTION cvm.markov_value(float8[], float8[], float8, integer) IS
'Value of a customer in each state of a Markov chain (Pfeifer & Carraway 2000): V = (I - P / (1 + d))^-1 R, or the sum of (P / (1 + d))^t R over t = 0 .. periods. transition P: one row a state, from which, as a matrix or row-major; probabilities, of which a row may sum to less than 1 (the rest has left for good). reward R: what a period in the state earns, at its start, negative where it costs. discount_rate >= 0 per period. At most 1000 states. Assumes that the next state depends on this one alone. A negative value says that this state should not be worked on any longer. 22023 outside the domain and for a chain that has no finite value, 2202E for a matrix that does not fit.';

-- ---------- retention and time ----------

CREATE FUNCTION cvm.convert_retention(retention_rate float8, periods float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.compound(cvm.argument('retention_rate', retention_rate, 0, 1), cvm.argument('periods', periods, 0));
COMMENT ON FUNCTION cvm.convert_retention(float8, float8) IS
'Retention over a number of periods: rate ^ periods; a year of a monthly rate has 12, a month of a yearly one 1.0 / 12. Rates multiply: twelve times the monthly churn is not the yearly churn (3 % a month is 30.6 % a year, not 36 %). Assumes constant retention. 22023 unless the rate is 0 to 1 and periods >= 0.';

CREATE FUNCTION cvm.yearly_retention(monthly_retention float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.compound(cvm.argument('monthly_retention', monthly_retention, 0, 1), 12);
COMMENT ON FUNCTION cvm.yearly_retention(float8) IS 'Yearly retention of a constant monthly retention: its 12th power. 22023 unless 0 to 1.';

CREATE FUNCTION cvm.monthly_retention(yearly_retention float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN cvm.compound(cvm.argument('yearly_retention', yearly_retention, 0, 1), 1.0 / 12);
COMMENT ON FUNCTION cvm.monthly_retention(float8) IS 'Constant monthly retention that gives a yearly retention: its 12th root. 22023 unless 0 to 1.';

CREATE FUNCTION cvm.expected_lifetime(churn_rate float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 1 / nullif(cvm.argument('churn_rate', churn_rate, 0, 1), 0);
COMMENT ON FUNCTION cvm.expected_lifetime(float8) IS
'Expected lifetime in periods of a constant churn rate: 1 / churn, counting the period in which the customer leaves. NULL (without end) for a churn of 0. Right only if churn neither falls with tenure nor differs between customers; else cvm.fit_retention and cvm.survival_curve. 22023 unless 0 to 1.';
