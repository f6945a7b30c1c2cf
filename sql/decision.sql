-- decision: where the money goes, and what is at stake (src/metric/allocate.c)

CREATE FUNCTION cvm.allocate(budget float8, actions text[], scales float8[], ks float8[], floors float8[] DEFAULT NULL, caps float8[] DEFAULT NULL, responses text[] DEFAULT NULL)
RETURNS TABLE (action text, spend float8, response float8, marginal_response float8, bound text, shadow_price float8)
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_allocate_sql';
COMMENT ON FUNCTION cvm.allocate(float8, text[], float8[], float8[], float8[], float8[], text[]) IS
'Splits a budget over segments or actions so that the sum of their responses is largest; one row per action, in the order given. The response to a spend x is, by responses (NULL: exponential), exponential: scale (1 - exp(-k x)), scale its ceiling (Blattberg & Deighton 1996); log: scale ln(1 + k x); power: scale x^k, 0 < k < 1 the elasticity. All have diminishing returns from the first unit of money on: for S-shaped responses the result would not be an optimum. floors (NULL: 0) and caps (NULL: none) bound each spend. spend and budget are money of one currency, response is in the unit of scale. At the optimum the marginal responses between the bounds are equal (Kuhn & Tucker 1951), found by bisection. bound: floor or cap where a bound holds the spend. shadow_price: what the next unit of budget would bring, of all actions the same; where the response is money, spend more while it is above 1. Budget 0: nothing is spent and shadow_price is the first unit''s response (Infinity for a power). A budget above all caps: every spend at its cap, the rest unspent, shadow_price 0. No rows for no actions. 22023 for a budget below the floors, negative or not finite, for numbers outside their domain and an unknown response; 22004 for a NULL that has no meaning; 2202E for lists of different lengths.';

CREATE FUNCTION cvm.revenue_at_risk(revenue float8, churn_probability float8) RETURNS float8
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN cvm.argument('revenue', revenue, 0) * cvm.argument('churn_probability', churn_probability, 0, 1);
COMMENT ON FUNCTION cvm.revenue_at_risk(float8, float8) IS
'Revenue x probability that the customer leaves; revenue is what he brings if he stays, in one period and currency, not what is expected of him with his leaving already in it. Sum it over customers, such as sum(cvm.revenue_at_risk(revenue, churn_risk)). 22023 for a negative revenue or a probability outside 0 to 1.';
