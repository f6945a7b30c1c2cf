-- simulate: customers who behave as a model says (src/simulate.c)

CREATE FUNCTION cvm.simulate(model cvm.model, customers integer, observed float8, seed bigint DEFAULT 1, spread float8 DEFAULT 0,
    OUT customer integer, OUT x float8, OUT t_x float8, OUT age float8, OUT log_intervals float8, OUT mean_spend float8,
    OUT lifetime integer, OUT churned boolean) RETURNS SETOF record
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 1000 COST 1000 AS 'MODULE_PATHNAME', 'cvm_simulate';
COMMENT ON FUNCTION cvm.simulate(cvm.model, integer, float8, bigint, float8) IS
'Random customers of a model, a row each, as its family is fitted on: of purchase models x, t_x, age and log_intervals (in the model''s time unit; bg/bb counts opportunities), of spend models x and mean_spend, of contracts lifetime and churned; what a family has not is NULL. observed: their age; of contracts the renewals that each faces; of spend models their repeat purchases. spread: they are observed for lengths evenly between observed - spread and observed. The same seed gives the same customers on the same platform, the first of many being those of few. 22023 a negative number of customers, observed or spread outside the family''s domain; 54000 a customer with more than a million purchases; 22003 a customer whose statistics a number can not hold. The models are those of cvm.families.';
