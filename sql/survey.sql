-- survey: the responses feed: answers of customers, on declared scales, beside what the customers are worth (doc/satisfaction.md)
--
-- Which scale a question has is never guessed: the option questions declares it.  All
-- functions run with the rights of the caller and read the feed at the call.

-- ---------- scales ----------

CREATE FUNCTION cvm.question_scale(questions jsonb, question text, OUT measure text, OUT lowest float8, OUT highest float8, OUT direction text) RETURNS record
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    scale jsonb := coalesce(questions -> question, CASE WHEN question IN ('nps', 'csat', 'effort', 'ease') THEN to_jsonb(question) END, questions -> '*');
BEGIN
    IF scale IS NULL OR scale = 'null' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('the scale of question %s is not declared', coalesce('"' || question || '"', 'null')),
            HINT = format('Declare it: SELECT cvm.alter_portfolio(..., ''{"questions": {%s: "csat"}}''); or "nps", "effort", "ease", or {"lowest": 1, "highest": 7, "direction": "high"}.',
                          to_json(coalesce(question, '*')));
    END IF;
    IF jsonb_typeof(scale) = 'string' THEN
        SELECT s.measure, s.lowest, s.highest, s.direction INTO measure, lowest, highest, direction
        FROM (VALUES ('nps', 'nps', 0, 10, 'high'), ('csat', 'top-2', 1, 5, 'high'), ('effort', 'mean', 1, 5, 'low'), ('ease', 'mean', 1, 7, 'high'))
             AS s(name, measure, lowest, highest, direction) WHERE s.name = scale #>> '{}';
    ELSIF jsonb_typeof(scale) = 'object' AND jsonb_typeof(scale -> 'lowest') = 'number' AND jsonb_typeof(scale -> 'highest') = 'number'
          AND NOT EXISTS (SELECT FROM jsonb_object_keys(scale) AS k WHERE k NOT IN ('measure', 'lowest', 'highest', 'direction')) THEN
        measure := coalesce(scale ->> 'measure', 'mean');
        lowest := (scale ->> 'lowest')::float8;
        highest := (scale ->> 'highest')::float8;
        direction := scale ->> 'direction';
        IF direction IS NOT NULL THEN
            -- the type knows which scales there are, and says what is wrong
            PERFORM cvm.with_measure(cvm.answers_accum(NULL, lowest, lowest, highest, direction), measure);
        END IF;
    END IF;
    IF direction IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('%s is not the scale of a question ("%s")', scale, coalesce(question, '*')),
            DETAIL = 'A scale is "nps" (0 to 10), "csat" (1 to 5), "effort" (1 to 5, low is good), "ease" (1 to 7), or an object with lowest, highest, direction (high or low: which end is good) and, if it is not mean, measure (nps, or top-k).';
    END IF;
END $$;
COMMENT ON FUNCTION cvm.question_scale(jsonb, text) IS
'Scale of a question as the option questions declares it: measure (nps, mean or top-k), lowest, highest and the end that is good. nps, csat, effort and ease are declared by their names; "*" declares all others. 22023 for a question that is not declared and a scale that is none.';

CREATE FUNCTION cvm.check_questions(questions jsonb) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF jsonb_typeof(questions) IS DISTINCT FROM 'object' THEN
        PERFORM cvm.bad_option('questions', questions, 'an object of questions and their scales, such as {"recommend": "nps", "delivery": "csat"}');
    END IF;
    PERFORM cvm.question_scale(questions, k) FROM jsonb_object_keys(questions) AS k;
    RETURN true;
END $$;
COMMENT ON FUNCTION cvm.check_questions(jsonb) IS 'True for an object of questions and their scales (cvm.question_scale); else 22023.';

CREATE FUNCTION cvm.refuse_answer(kind text, customer text, what text, score float8, lowest float8, highest float8) RETURNS float8
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'numeric_value_out_of_range',
        MESSAGE = format('the %s feed has the score %s for "%s", whose scale is %s to %s', kind, score, what, lowest, highest),
        DETAIL = format('It is of customer %s.', coalesce(customer, 'null')),
        HINT = 'Answers are whole numbers on the scale. Map a view that leaves out what is none, or declare the scale that was asked.';
END $$;
COMMENT ON FUNCTION cvm.refuse_answer(text, text, text, float8, float8, float8) IS 'Raises 22003 about a score that is fractional or off its scale.';

-- ---------- rows ----------

CREATE FUNCTION cvm.response_rows(portfolio text, from_on date, to_on date)
RETURNS TABLE (customer text, answered_on date, score float8, question text, dimension text, channel text, kind text, is_invited boolean,
               measure text, lowest float8, highest float8, direction text)
LANGUAGE plpgsql STABLE ROWS 10000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    questions jsonb := coalesce((cvm.own_portfolio(portfolio)).options -> 'questions', '{}');
    f record;
    only_one text;
BEGIN
    PERFORM cvm.check_window(from_on, to_on);
    SELECT m.relation, m.columns, m.time_zone INTO f FROM cvm.measured_feed(portfolio, 'responses') m;
    only_one := (SELECT max(k) FROM jsonb_object_keys(questions) AS k HAVING count(*) = 1);
    IF NOT f.columns ? 'question' AND only_one IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('what the responses of portfolio "%s" answer is not known', portfolio),
            DETAIL = 'The feed maps no column question, and the option questions does not have just one.',
            HINT = format('SELECT cvm.alter_portfolio(%L, ''{"questions": {"recommend": "nps"}}''); or map the column question with cvm.add_feed.', portfolio);
    END IF;
    RETURN QUERY EXECUTE format('
        WITH row AS MATERIALIZED (
            SELECT r.customer, CASE WHEN r.score IS NULL THEN coalesce(r.invited_at, r.at) ELSE r.at END AS answered_on, r.score::float8 AS score, coalesce(r.question, $1) AS question, r.dimension, r.channel, r.kind,
                   r.invited_at IS NOT NULL AS is_invited
            FROM (%s) r WHERE r.score IS NOT NULL OR r.invited_at IS NOT NULL
        ), chosen AS MATERIALIZED (SELECT r.* FROM row r WHERE r.answered_on >= $2 AND r.answered_on < $3),
        scale AS MATERIALIZED (SELECT q.question, s.* FROM (SELECT DISTINCT c.question FROM chosen c) q, LATERAL cvm.question_scale($4, q.question) s)
        SELECT c.customer, c.answered_on,
               CASE WHEN c.score IS NULL OR (c.score BETWEEN s.lowest AND s.highest AND c.score = floor(c.score)) THEN c.score
                    ELSE cvm.refuse_answer(''responses'', c.customer, c.question, c.score, s.lowest, s.highest) END,
               c.question, c.dimension, c.channel, c.kind, c.is_invited, s.measure, s.lowest, s.highest, s.direction
        FROM chosen c JOIN scale s ON s.question IS NOT DISTINCT FROM c.question',
        cvm.measure_source('responses', f.relation, f.columns, '{customer}', f.time_zone, '{at,score}')) USING only_one, from_on, to_on, questions;
END $$;
COMMENT ON FUNCTION cvm.response_rows(text, date, date) IS
'Rows of a portfolio''s responses feed, days from_on <= answered_on < to_on in its time zone, each with its declared scale; score is NULL for an invitation that nobody answered, which counts on the day of the invitation. Rows without customer, and those with neither a score nor an invitation, are left out. 22003 for a score that is fractional or off its scale, 22023 for a question whose scale is not declared, 42704 without such a feed, 42703, 42804, 42501.';

-- Answers to the questions of some scales, to the instant: what journeys and experiments read.
CREATE FUNCTION cvm.answer_source(responses regclass, response_columns jsonb, questions jsonb, scales text[], time_zone text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    only_one text := (SELECT max(k) FROM jsonb_object_keys(questions) AS k HAVING count(*) = 1);
BEGIN
    IF responses IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM cvm.check_questions(questions);
    RETURN format('SELECT a.customer, a.at, a.scale,
               CASE WHEN a.score BETWEEN s.lowest AND s.highest AND a.score = floor(a.score) THEN a.score
                    ELSE cvm.refuse_answer(''responses'', a.customer, a.question, a.score::float8, s.lowest, s.highest)::numeric END AS score
        FROM (SELECT q.*, coalesce(%2$L::jsonb ->> q.question, CASE WHEN q.question = ANY (%3$L::text[]) THEN q.question END, %2$L::jsonb ->> ''*'') AS scale
              FROM (SELECT r.customer, r.at, r.score, coalesce(r.question, %4$L) AS question FROM (%1$s) r WHERE r.at < $2) q) a
        JOIN (VALUES (''nps'', 0, 10), (''csat'', 1, 5), (''effort'', 1, 5), (''ease'', 1, 7)) AS s(scale, lowest, highest) ON s.scale = a.scale
        WHERE a.scale = ANY (%3$L::text[])',
        cvm.measure_source('responses', responses, response_columns, '{customer,at,score}', time_zone, instants => true), questions, scales, only_one);
END $$;
COMMENT ON FUNCTION cvm.answer_source(regclass, jsonb, jsonb, text[], text) IS
'SQL of customer, at, scale and score of the responses to questions that the option questions declares by the name of one of these scales (nps, csat, effort, ease); $2 is the first instant that is not known. NULL for NULL; 22003 when read for a score that is fractional or off its scale.';

-- Customers, as published, by name: what answers are held against.
CREATE FUNCTION cvm.valued_customers(portfolio text)
RETURNS TABLE (customer text, segment text, residual_value float8, realised_value numeric, churn_risk float8, value_at_risk float8, p_alive float8, orders bigint)
LANGUAGE plpgsql STABLE ROWS 100000 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT v.customer_id::text, v.segment, v.residual_value, v.realised_value, v.churn_risk, v.value_at_risk, v.p_alive, v.orders::bigint FROM %I.customer_value v',
                                (cvm.own_portfolio(portfolio)).output_schema);
END $$;
COMMENT ON FUNCTION cvm.valued_customers(text) IS 'Customers of a portfolio''s published run by name, with what they are worth. 42704 unknown portfolio, 42501 not permitted.';

-- ---------- NPS by period ----------

CREATE TYPE cvm.nps_period AS (
    period_on date, is_complete boolean, question text, segment text, is_total boolean, n bigint, invited bigint, response_rate float8,
    promoters float8, passives float8, detractors float8, nps float8, standard_error float8, low float8, high float8,
    change float8, change_low float8, change_high float8, change_p_value float8, reason text);
COMMENT ON TYPE cvm.nps_period IS 'Net promoter score of a period: row of cvm.nps_by_period.';
COMMENT ON COLUMN cvm.nps_period.period_on IS 'first day of the period';
COMMENT ON COLUMN cvm.nps_period.is_complete IS 'false where the window ends before the period';
COMMENT ON COLUMN cvm.nps_period.question IS 'question, of those whose measure is nps';
COMMENT ON COLUMN cvm.nps_period.segment IS 'published segment of the customer; all is the total, not a customer: somebody who is none';
COMMENT ON COLUMN cvm.nps_period.is_total IS 'true for the total';
COMMENT ON COLUMN cvm.nps_period.n IS 'answers';
COMMENT ON COLUMN cvm.nps_period.invited IS 'invitations';
COMMENT ON COLUMN cvm.nps_period.response_rate IS 'answered invitations / invitations, 0 to 1; NULL without invitations';
COMMENT ON COLUMN cvm.nps_period.promoters IS 'share of answers of 9 and 10, 0 to 1';
COMMENT ON COLUMN cvm.nps_period.passives IS 'share of answers of 7 and 8';
COMMENT ON COLUMN cvm.nps_period.detractors IS 'share of answers of 0 to 6';
COMMENT ON COLUMN cvm.nps_period.nps IS '100 x (promoters - detractors), -100 to 100';
COMMENT ON COLUMN cvm.nps_period.standard_error IS 'its standard error';
COMMENT ON COLUMN cvm.nps_period.low IS 'lower end of its 95 % interval (adjusted: Rocks 2016)';
COMMENT ON COLUMN cvm.nps_period.high IS 'upper end of it';
COMMENT ON COLUMN cvm.nps_period.change IS 'nps less that of the last period with answers';
COMMENT ON COLUMN cvm.nps_period.change_low IS 'lower end of the 95 % interval of the change';
COMMENT ON COLUMN cvm.nps_period.change_high IS 'upper end of it';
COMMENT ON COLUMN cvm.nps_period.change_p_value IS 'two-sided p-value of no change; of many periods some have a small one by chance';
COMMENT ON COLUMN cvm.nps_period.reason IS 'why a value is NULL: no answers, one answer, no invitations, no earlier answers, no spread';

CREATE FUNCTION cvm.nps_by_period(portfolio text, from_on date, to_on date, period interval DEFAULT '1 month') RETURNS SETOF cvm.nps_period
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    RETURN QUERY EXECUTE '
        WITH period AS (SELECT w.* FROM cvm.window_periods($2, $3, $4) w),
        row AS MATERIALIZED (
            SELECT p.n, r.question, r.score, r.is_invited, coalesce(v.segment, ''not a customer'') AS segment
            FROM cvm.response_rows($1, $2, $3) r JOIN period p ON r.answered_on >= p.starts_on AND r.answered_on < p.ends_on
            LEFT JOIN cvm.valued_customers($1) v USING (customer) WHERE r.measure = ''nps''
        ), part AS (SELECT DISTINCT r.question, ''all'' AS segment, true AS is_total FROM row r UNION ALL SELECT DISTINCT r.question, r.segment, false FROM row r),
        fact AS (
            SELECT p.n, a.question, a.segment, a.is_total, cvm.nps(r.score) AS answers, count(r.score) AS answered,
                   count(*) FILTER (WHERE r.is_invited) AS invited, count(r.score) FILTER (WHERE r.is_invited) AS responded
            FROM period p CROSS JOIN part a LEFT JOIN row r ON r.n = p.n AND r.question = a.question AND (a.is_total OR r.segment = a.segment)
            GROUP BY 1, 2, 3, 4
        ), linked AS (
            SELECT f.*, (SELECT e.answers FROM fact e WHERE e.question = f.question AND e.segment = f.segment AND e.is_total = f.is_total AND e.n < f.n AND e.answers IS NOT NULL ORDER BY e.n DESC LIMIT 1) AS earlier
            FROM fact f
        )
        SELECT p.starts_on, p.is_complete, l.question, l.segment, l.is_total, l.answered, l.invited, l.responded::float8 / nullif(l.invited, 0),
               cvm.promoters(l.answers), cvm.passives(l.answers), cvm.detractors(l.answers), cvm.score(l.answers), cvm.standard_error(l.answers), i.low, i.high,
               d.difference, d.low, d.high, d.p_value,
               nullif(concat_ws('', '', CASE l.answered WHEN 0 THEN ''no answers'' WHEN 1 THEN ''one answer'' END, CASE WHEN l.invited = 0 THEN ''no invitations'' END,
                                CASE WHEN l.answered > 0 AND l.earlier IS NULL THEN ''no earlier answers'' WHEN l.answered > 0 AND d.p_value IS NULL THEN ''no spread'' END), '''')
        FROM linked l JOIN period p USING (n) LEFT JOIN LATERAL cvm.score_interval(l.answers) i ON true LEFT JOIN LATERAL cvm.difference(l.answers, l.earlier) d ON true
        ORDER BY l.question, p.n, l.is_total DESC, l.segment COLLATE "C"' USING portfolio, from_on, to_on, period;
END $$;
COMMENT ON FUNCTION cvm.nps_by_period(text, date, date, interval) IS
'Net promoter score (Reichheld 2003) of a portfolio by period, in all and by segment as published, for every question whose measure is nps: response rate, shares, interval, and the change against the last period with answers (two groups of different people: cvm.difference). Errors as cvm.response_rows.';

-- ---------- satisfaction by what is asked, where and of whom ----------

CREATE TYPE cvm.satisfaction_row AS (
    question text, measure text, lowest integer, highest integer, direction text, breakdown text, part text, n bigint, invited bigint, response_rate float8,
    score float8, standard_error float8, low float8, high float8, mean float8, top_box float8, value_weighted_score float8, reason text);
COMMENT ON TYPE cvm.satisfaction_row IS 'Answers to a question, in all or of a part: row of cvm.satisfaction_summary.';
COMMENT ON COLUMN cvm.satisfaction_row.question IS 'question';
COMMENT ON COLUMN cvm.satisfaction_row.measure IS 'what sums the answers up: nps (-100 to 100), mean, or top-k, the share of the k best answers (0 to 1)';
COMMENT ON COLUMN cvm.satisfaction_row.lowest IS 'lowest answer of the scale';
COMMENT ON COLUMN cvm.satisfaction_row.highest IS 'highest answer of the scale';
COMMENT ON COLUMN cvm.satisfaction_row.direction IS 'which end is good: high or low';
COMMENT ON COLUMN cvm.satisfaction_row.breakdown IS 'all, dimension, channel, kind or segment';
COMMENT ON COLUMN cvm.satisfaction_row.part IS 'which dimension, channel, kind of contact or segment; all';
COMMENT ON COLUMN cvm.satisfaction_row.n IS 'answers';
COMMENT ON COLUMN cvm.satisfaction_row.invited IS 'invitations';
COMMENT ON COLUMN cvm.satisfaction_row.response_rate IS 'answered invitations / invitations, 0 to 1; NULL without invitations';
COMMENT ON COLUMN cvm.satisfaction_row.score IS 'the measure';
COMMENT ON COLUMN cvm.satisfaction_row.standard_error IS 'its standard error';
COMMENT ON COLUMN cvm.satisfaction_row.low IS 'lower end of its 95 % interval (cvm.score_interval)';
COMMENT ON COLUMN cvm.satisfaction_row.high IS 'upper end of it';
COMMENT ON COLUMN cvm.satisfaction_row.mean IS 'mean answer';
COMMENT ON COLUMN cvm.satisfaction_row.top_box IS 'share of the best answer, 0 to 1';
COMMENT ON COLUMN cvm.satisfaction_row.value_weighted_score IS 'the measure with answers weighted by the customers'' residual value, of those who have one above 0';
COMMENT ON COLUMN cvm.satisfaction_row.reason IS 'why a value is NULL: no answers, one answer, no invitations, no customer of value';

CREATE FUNCTION cvm.satisfaction_summary(portfolio text, from_on date, to_on date) RETURNS SETOF cvm.satisfaction_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    RETURN QUERY EXECUTE '
        WITH row AS MATERIALIZED (
            SELECT r.*, coalesce(v.segment, ''not a customer'') AS segment, v.residual_value AS worth
            FROM cvm.response_rows($1, $2, $3) r LEFT JOIN cvm.valued_customers($1) v USING (customer)
        ), fact AS (
            SELECT r.question, r.measure, r.lowest, r.highest, r.direction, b.position, b.breakdown, b.part,
                   cvm.with_measure(cvm.answers(r.score, r.lowest, r.highest, r.direction), r.measure) AS answers,
                   cvm.with_measure(cvm.weighted_answers(r.score, r.worth, r.lowest, r.highest, r.direction) FILTER (WHERE r.worth > 0 AND r.score IS NOT NULL), r.measure) AS weighted,
                   count(r.score) AS answered, count(*) FILTER (WHERE r.is_invited) AS invited, count(r.score) FILTER (WHERE r.is_invited) AS responded
            FROM row r CROSS JOIN LATERAL (VALUES (1, ''all'', ''all''), (2, ''dimension'', r.dimension), (3, ''channel'', r.channel), (4, ''kind'', r.kind), (5, ''segment'', r.segment)) AS b(position, breakdown, part)
            WHERE b.part IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        )
        SELECT f.question, f.measure, f.lowest::integer, f.highest::integer, f.direction, f.breakdown, f.part, f.answered, f.invited, f.responded::float8 / nullif(f.invited, 0),
               cvm.score(f.answers), cvm.standard_error(f.answers), i.low, i.high, cvm.mean(f.answers), cvm.top_box(f.answers), cvm.score(f.weighted),
               nullif(concat_ws('', '', CASE f.answered WHEN 0 THEN ''no answers'' WHEN 1 THEN ''one answer'' END, CASE WHEN f.invited = 0 THEN ''no invitations'' END,
                                CASE WHEN f.answered > 0 AND f.weighted IS NULL THEN ''no customer of value'' END), '''')
        FROM fact f LEFT JOIN LATERAL cvm.score_interval(f.answers) i ON true
        ORDER BY f.question, f.position, f.part COLLATE "C"' USING portfolio, from_on, to_on;
END $$;
COMMENT ON FUNCTION cvm.satisfaction_summary(text, date, date) IS
'Answers of a portfolio''s customers by question, in all and by dimension, channel, kind and published segment: response rate, the measure of the declared scale with its 95 % interval, mean, top box, and the measure weighted by residual value. Parts do not add up where a row has none. Errors as cvm.response_rows.';

-- ---------- satisfaction beside value ----------

-- The latest answer of each customer to one question, graded by the end that is good.
CREATE FUNCTION cvm.latest_answers(portfolio text, question text, from_on date, to_on date)
RETURNS TABLE (customer text, answered_on date, score float8, answer_class text)
LANGUAGE plpgsql STABLE ROWS 10000 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY EXECUTE '
        SELECT DISTINCT ON (r.customer) r.customer, r.answered_on, r.score,
               CASE WHEN r.measure = ''nps'' THEN CASE WHEN r.score >= 9 THEN ''promoter'' WHEN r.score >= 7 THEN ''passive'' ELSE ''detractor'' END
                    ELSE CASE WHEN g.grade > 2 / 3.0 THEN ''satisfied'' WHEN g.grade >= 1 / 3.0 THEN ''neutral'' ELSE ''dissatisfied'' END END
        FROM cvm.response_rows($1, $3, $4) r,
             LATERAL (SELECT CASE r.direction WHEN ''high'' THEN r.score - r.lowest ELSE r.highest - r.score END / (r.highest - r.lowest) AS grade) g
        WHERE r.score IS NOT NULL AND r.question = $2 ORDER BY r.customer, r.answered_on DESC, r.score' USING portfolio, question, from_on, to_on;
    IF NOT FOUND AND question IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'question must not be null';
    END IF;
END $$;
COMMENT ON FUNCTION cvm.latest_answers(text, text, date, date) IS
'Last answer of each customer to a question in a window, of several on that day the lowest, with its class: promoter, passive, detractor for nps; else satisfied (upper third of the scale, from its bad end), neutral, dissatisfied. 22004 for no question; errors as cvm.response_rows.';

CREATE TYPE cvm.class_value AS (
    question text, answer_class text, customers bigint, customer_share float8, residual_value float8, value_share float8, mean_residual_value float8, mean_churn_risk float8, value_at_risk float8,
    difference float8, low float8, high float8, p_value float8, reason text);
COMMENT ON TYPE cvm.class_value IS 'What customers of a class of answers are worth: row of cvm.value_by_answer.';
COMMENT ON COLUMN cvm.class_value.question IS 'question';
COMMENT ON COLUMN cvm.class_value.answer_class IS 'promoter, passive, detractor (nps), or satisfied, neutral, dissatisfied, by the latest answer; no answer';
COMMENT ON COLUMN cvm.class_value.customers IS 'customers of the published run in the class';
COMMENT ON COLUMN cvm.class_value.customer_share IS 'customers / all customers, 0 to 1';
COMMENT ON COLUMN cvm.class_value.residual_value IS 'sum of their residual values, currency units';
COMMENT ON COLUMN cvm.class_value.value_share IS 'that / the residual value of all';
COMMENT ON COLUMN cvm.class_value.mean_residual_value IS 'mean of them';
COMMENT ON COLUMN cvm.class_value.mean_churn_risk IS 'mean probability of no purchase within the horizon';
COMMENT ON COLUMN cvm.class_value.value_at_risk IS 'sum of residual value if alive x (1 - p_alive): of detractors, the value at risk among those who say so';
COMMENT ON COLUMN cvm.class_value.difference IS 'mean_residual_value less that of all other customers who answered (of no answer: of all who did)';
COMMENT ON COLUMN cvm.class_value.low IS 'lower end of its 95 % interval (Welch 1947)';
COMMENT ON COLUMN cvm.class_value.high IS 'upper end of it';
COMMENT ON COLUMN cvm.class_value.p_value IS 'two-sided p-value of no difference';
COMMENT ON COLUMN cvm.class_value.reason IS 'why a value is NULL: one_arm, too_few, no_variance (cvm.difference_in_means), no value';

CREATE FUNCTION cvm.value_by_answer(portfolio text, question text, from_on date, to_on date) RETURNS SETOF cvm.class_value
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    RETURN QUERY EXECUTE '
        WITH customer AS MATERIALIZED (
            SELECT v.*, coalesce(a.answer_class, ''no answer'') AS class, a.customer IS NOT NULL AS answers
            FROM cvm.valued_customers($1) v LEFT JOIN cvm.latest_answers($1, $2, $3, $4) a USING (customer)
        ), whole AS (SELECT count(*) AS n, sum(c.residual_value) AS value FROM customer c),
        class AS (SELECT c.class, count(*) AS n, sum(c.residual_value) AS value, avg(c.residual_value) AS mean, avg(c.churn_risk) AS risk, sum(c.value_at_risk) AS at_risk FROM customer c GROUP BY 1)
        SELECT $2, k.class, k.n, k.n::float8 / w.n, k.value, k.value / nullif(w.value, 0), k.mean, k.risk, k.at_risk, d.difference, d.low, d.high, d.p_value,
               coalesce(d.reason, CASE WHEN k.value IS NULL THEN ''no value'' END)
        FROM class k CROSS JOIN whole w
        CROSS JOIN LATERAL (SELECT (cvm.difference_in_means(c.class = k.class, c.residual_value)).* FROM customer c WHERE c.class = k.class OR c.answers) d
        ORDER BY array_position(''{promoter,satisfied,passive,neutral,detractor,dissatisfied,no answer}''::text[], k.class)' USING portfolio, question, from_on, to_on;
END $$;
COMMENT ON FUNCTION cvm.value_by_answer(text, text, date, date) IS
'Customers of a portfolio by the class of their latest answer to a question: how many, what they are worth, their churn and value at risk, and the difference in mean residual value to the others who answered. It says who they are, not that the answer is why. Errors as cvm.latest_answers.';

CREATE TYPE cvm.satisfaction_value_cell AS (
    question text, answer_class text, value_tier text, customers bigint, customer_share float8, residual_value float8, mean_churn_risk float8, value_at_risk float8);
COMMENT ON TYPE cvm.satisfaction_value_cell IS 'Cell of satisfaction x value: row of cvm.satisfaction_value_matrix.';
COMMENT ON COLUMN cvm.satisfaction_value_cell.question IS 'question';
COMMENT ON COLUMN cvm.satisfaction_value_cell.answer_class IS 'class of the latest answer, as in cvm.value_by_answer';
COMMENT ON COLUMN cvm.satisfaction_value_cell.value_tier IS 'high, the fifth of all customers with the highest residual values (equal ones on one side); middle; low, the lower half';
COMMENT ON COLUMN cvm.satisfaction_value_cell.customers IS 'customers';
COMMENT ON COLUMN cvm.satisfaction_value_cell.customer_share IS 'customers / customers who answered, 0 to 1; of no answer / all customers';
COMMENT ON COLUMN cvm.satisfaction_value_cell.residual_value IS 'sum of residual values, currency units';
COMMENT ON COLUMN cvm.satisfaction_value_cell.mean_churn_risk IS 'mean probability of no purchase within the horizon';
COMMENT ON COLUMN cvm.satisfaction_value_cell.value_at_risk IS 'sum of residual value if alive x (1 - p_alive)';

CREATE FUNCTION cvm.satisfaction_value_matrix(portfolio text, question text, from_on date, to_on date) RETURNS SETOF cvm.satisfaction_value_cell
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    RETURN QUERY EXECUTE '
        WITH customer AS MATERIALIZED (
            SELECT v.*, coalesce(a.answer_class, ''no answer'') AS class, a.customer IS NOT NULL AS answers,
                   CASE WHEN v.residual_value IS NULL THEN ''unknown'' WHEN percent_rank() OVER w <= 0.2 THEN ''high'' WHEN percent_rank() OVER w <= 0.5 THEN ''middle'' ELSE ''low'' END AS tier
            FROM cvm.valued_customers($1) v LEFT JOIN cvm.latest_answers($1, $2, $3, $4) a USING (customer)
            WINDOW w AS (PARTITION BY v.residual_value IS NULL ORDER BY v.residual_value DESC)
        )
        SELECT $2, c.class, c.tier, count(*), count(*)::float8 / (SELECT count(*) FROM customer e WHERE e.answers OR c.class = ''no answer''),
               sum(c.residual_value), avg(c.churn_risk), sum(c.value_at_risk)
        FROM customer c GROUP BY c.class, c.tier
        ORDER BY array_position(''{promoter,satisfied,passive,neutral,detractor,dissatisfied,no answer}''::text[], c.class), array_position(''{high,middle,low,unknown}''::text[], c.tier)'
        USING portfolio, question, from_on, to_on;
END $$;
COMMENT ON FUNCTION cvm.satisfaction_value_matrix(text, text, date, date) IS
'Satisfaction x value: customers of a portfolio by the class of their latest answer to a question and the tier of their residual value. Worth a call first: high and dissatisfied. Errors as cvm.latest_answers.';

CREATE TYPE cvm.bias_row AS (
    question text, compared text, respondents bigint, others bigint, respondents_mean float8, others_mean float8, difference float8, low float8, high float8, relative_difference float8, p_value float8, reason text);
COMMENT ON TYPE cvm.bias_row IS 'Respondents beside the others: row of cvm.response_bias.';
COMMENT ON COLUMN cvm.bias_row.question IS 'question';
COMMENT ON COLUMN cvm.bias_row.compared IS 'residual_value, realised_value, orders or churn_risk';
COMMENT ON COLUMN cvm.bias_row.respondents IS 'customers who answered, with a value';
COMMENT ON COLUMN cvm.bias_row.others IS 'customers who did not, with a value';
COMMENT ON COLUMN cvm.bias_row.respondents_mean IS 'mean of those who answered';
COMMENT ON COLUMN cvm.bias_row.others_mean IS 'mean of the others';
COMMENT ON COLUMN cvm.bias_row.difference IS 'respondents_mean - others_mean';
COMMENT ON COLUMN cvm.bias_row.low IS 'lower end of its 95 % interval (Welch 1947)';
COMMENT ON COLUMN cvm.bias_row.high IS 'upper end of it';
COMMENT ON COLUMN cvm.bias_row.relative_difference IS 'difference / |others_mean|';
COMMENT ON COLUMN cvm.bias_row.p_value IS 'two-sided p-value of no difference';
COMMENT ON COLUMN cvm.bias_row.reason IS 'why a value is NULL: one_arm, too_few, no_variance, control_zero (cvm.difference_in_means)';

CREATE FUNCTION cvm.response_bias(portfolio text, question text, from_on date, to_on date) RETURNS SETOF cvm.bias_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    RETURN QUERY EXECUTE '
        WITH customer AS MATERIALIZED (
            SELECT v.*, a.customer IS NOT NULL AS answers FROM cvm.valued_customers($1) v LEFT JOIN cvm.latest_answers($1, $2, $3, $4) a USING (customer)
        )
        SELECT $2, m.compared, (m.d).treated, (m.d).control, (m.d).treated_mean, (m.d).control_mean, (m.d).difference, (m.d).low, (m.d).high, (m.d).relative_difference, (m.d).p_value, (m.d).reason
        FROM (SELECT b.position, b.compared, cvm.difference_in_means(c.answers, b.value) AS d
              FROM customer c CROSS JOIN LATERAL (VALUES (1, ''residual_value'', c.residual_value), (2, ''realised_value'', c.realised_value::float8), (3, ''orders'', c.orders::float8), (4, ''churn_risk'', c.churn_risk)) AS b(position, compared, value)
              GROUP BY 1, 2) m ORDER BY m.position' USING portfolio, question, from_on, to_on;
END $$;
COMMENT ON FUNCTION cvm.response_bias(text, text, date, date) IS
'Do customers who answered a question differ in value from those who did not: means of both, difference with its 95 % interval (Welch 1947). If they do, the answers are not those of all customers: weight them (cvm.weighted_nps), or ask others. Errors as cvm.latest_answers.';

CREATE TYPE cvm.satisfaction_lead_row AS (
    question text, relation text, lag_days integer, pairs bigint, slope float8, standard_error float8, low float8, high float8, correlation float8, p_value float8, reason text);
COMMENT ON TYPE cvm.satisfaction_lead_row IS 'Whether a change of satisfaction precedes one of purchases: row of cvm.satisfaction_lead.';
COMMENT ON COLUMN cvm.satisfaction_lead_row.question IS 'question';
COMMENT ON COLUMN cvm.satisfaction_lead_row.relation IS 'answers lead: purchases of the lag after an answer less those of the lag before it, on the change of the answer; purchases lead: the change of the answer on the change of purchases over the two lags before it';
COMMENT ON COLUMN cvm.satisfaction_lead_row.lag_days IS 'length of the spans in days';
COMMENT ON COLUMN cvm.satisfaction_lead_row.pairs IS 'pairs of consecutive answers of a customer whose spans lie in the data';
COMMENT ON COLUMN cvm.satisfaction_lead_row.slope IS 'least-squares slope: purchases per point of the scale towards its good end (answers lead), points per purchase (purchases lead)';
COMMENT ON COLUMN cvm.satisfaction_lead_row.standard_error IS 'its standard error; several pairs of one customer count as independent';
COMMENT ON COLUMN cvm.satisfaction_lead_row.low IS 'lower end of its 95 % interval, normal, as there are 30 pairs or more';
COMMENT ON COLUMN cvm.satisfaction_lead_row.high IS 'upper end of it';
COMMENT ON COLUMN cvm.satisfaction_lead_row.correlation IS 'Pearson''s, -1 to 1';
COMMENT ON COLUMN cvm.satisfaction_lead_row.p_value IS 'two-sided p-value of no relation, Student''s t';
COMMENT ON COLUMN cvm.satisfaction_lead_row.reason IS 'why a value is NULL: too few pairs, answers do not change, purchases do not change, exact fit';

CREATE FUNCTION cvm.satisfaction_lead(portfolio text, question text, from_on date, to_on date, lag_days integer DEFAULT 90) RETURNS SETOF cvm.satisfaction_lead_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    f record;
BEGIN
    IF lag_days IS NULL OR lag_days NOT BETWEEN 1 AND 3660 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('lag_days can not be %s', coalesce(lag_days::text, 'null')), HINT = 'Give 1 to 3660 days.';
    END IF;
    SELECT m.* INTO f FROM cvm.measured_feed(portfolio, 'purchases') m;
    RETURN QUERY EXECUTE format('
        WITH answer AS (
            SELECT r.customer, r.answered_on AS at, avg(CASE r.direction WHEN ''high'' THEN r.score ELSE -r.score END) AS score
            FROM cvm.response_rows($1, $3, $4) r WHERE r.question = $6 AND r.score IS NOT NULL GROUP BY 1, 2
        ), bought AS MATERIALIZED (SELECT DISTINCT p.customer, p.at FROM (%s) p WHERE p.is_purchase AND p.customer IN (SELECT a.customer FROM answer a)),
        reach AS (SELECT min(b.at) AS first, max(b.at) AS last FROM bought b),
        pair AS MATERIALIZED (
            SELECT a.*, a.score - lag(a.score) OVER (PARTITION BY a.customer ORDER BY a.at) AS change FROM answer a
        ), counted AS MATERIALIZED (
            SELECT p.change, p.at, (SELECT count(*) FROM bought b WHERE b.customer = p.customer AND b.at > p.at AND b.at <= p.at + $5) AS after,
                   (SELECT count(*) FROM bought b WHERE b.customer = p.customer AND b.at > p.at - $5 AND b.at <= p.at) AS before,
                   (SELECT count(*) FROM bought b WHERE b.customer = p.customer AND b.at > p.at - 2 * $5 AND b.at <= p.at - $5) AS earlier
            FROM pair p WHERE p.change IS NOT NULL
        ), point AS (
            SELECT 1 AS position, ''answers lead'' AS relation, c.change AS x, (c.after - c.before)::float8 AS y FROM counted c, reach r WHERE c.at - $5 >= r.first AND c.at + $5 < $2
            UNION ALL SELECT 2, ''purchases lead'', (c.before - c.earlier)::float8, c.change FROM counted c, reach r WHERE c.at - 2 * $5 >= r.first
        ), fitted AS (
            SELECT o.position, o.relation, count(p.x) AS n, var_pop(p.x) AS xx, var_pop(p.y) AS yy, cvm.drivers(p.y, ARRAY[p.x], ''{x}''::text[], ''{"replicates": 0}''::jsonb) FILTER (WHERE p.x IS NOT NULL) AS d
            FROM (VALUES (1, ''answers lead''), (2, ''purchases lead'')) AS o(position, relation) LEFT JOIN point p USING (position) GROUP BY 1, 2
        ), judged AS (
            SELECT f.position, f.relation, f.n, k.coefficient AS slope, k.coefficient / nullif(k.standardised, 0) * k.standard_error AS error, k.correlation AS r, k.p_value,
                   CASE WHEN f.n < 30 THEN ''too few pairs'' WHEN f.xx = 0 THEN CASE f.position WHEN 1 THEN ''answers do not change'' ELSE ''purchases do not change'' END
                        WHEN f.yy = 0 THEN CASE f.position WHEN 1 THEN ''purchases do not change'' ELSE ''answers do not change'' END WHEN k.status = ''exact'' THEN ''exact fit'' END AS reason
            FROM fitted f LEFT JOIN LATERAL unnest(f.d) k ON f.n >= 30
        )
        SELECT $6, j.relation, $5, j.n, j.slope, j.error, j.slope - 1.959963984540054 * j.error, j.slope + 1.959963984540054 * j.error, j.r, j.p_value, j.reason
        FROM judged j
        ORDER BY j.position',
        cvm.measure_source('purchases', f.relation, f.columns, '{customer,at,amount}', f.time_zone)) USING portfolio, to_on, from_on, to_on, lag_days, question;
END $$;
COMMENT ON FUNCTION cvm.satisfaction_lead(text, text, date, date, integer) IS
'Does a change of an answer precede a change of purchases, or follow one? Pairs of consecutive answers of a customer: the change of the answer against purchase days of the lag after it less those of the lag before it, and against those of the two lags before it, by least squares. Both may come from a third thing, such as a delivery that failed: an experiment tells (doc/experiments.md). NULL with a reason below 30 pairs. Errors as cvm.response_rows; 22023 for a lag_days outside 1 to 3660.';

-- ---------- readiness ----------

CREATE FUNCTION cvm.check_surveys(portfolio text) RETURNS TABLE (level text, finding text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kind text;
    n record;
BEGIN
    FOR kind IN SELECT f.kind FROM cvm.feed f WHERE f.portfolio = check_surveys.portfolio AND f.kind IN ('responses', 'reviews', 'ratings') ORDER BY f.kind LOOP
        BEGIN
            EXECUTE CASE kind
                WHEN 'responses' THEN 'SELECT count(*) AS rows, count(r.score) AS answers, count(DISTINCT r.customer) FILTER (WHERE v.customer IS NULL) AS strangers, count(DISTINCT r.customer) AS customers,
                                              EXISTS (SELECT FROM cvm.valued_customers($1)) AS is_published, true AS is_known FROM cvm.response_rows($1, ''0001-01-01'', ''9999-12-31'') r LEFT JOIN cvm.valued_customers($1) v USING (customer)'
                WHEN 'reviews' THEN 'SELECT count(*) AS rows, count(*) AS answers, count(DISTINCT r.customer) FILTER (WHERE v.customer IS NULL) AS strangers, count(DISTINCT r.customer) AS customers,
                                            EXISTS (SELECT FROM cvm.valued_customers($1)) AS is_published, true AS is_known FROM cvm.review_rows($1, ''0001-01-01'', ''9999-12-31'') r LEFT JOIN cvm.valued_customers($1) v USING (customer)'
                ELSE 'SELECT count(*) AS rows, count(*) AS answers, 0::bigint AS strangers, count(DISTINCT r.respondent) AS customers, false AS is_published,
                             bool_or(r.supplier = (SELECT p.options ->> ''own_supplier'' FROM cvm.portfolio p WHERE p.portfolio = $1)) AS is_known FROM cvm.rating_rows($1, ''0001-01-01'', ''9999-12-31'') r' END
                INTO n USING portfolio;
            RETURN QUERY
            SELECT f.level, f.finding, f.hint FROM (VALUES
                (1, n.rows = 0, 'warning', format('the %s feed is empty', kind), 'Its reports are empty too. Rows without a customer, time or score are left out.'),
                (2, n.is_published AND n.strangers > 0, 'warning', format('%s of %s who answered in the %s feed are not customers of the published run', n.strangers, n.customers, kind),
                 'They are in scores, but not in what is held against value. If all are, the column mapped as customer has other names than the purchases.'),
                (3, n.rows > 0 AND n.is_known IS NOT TRUE, 'warning', 'the ratings feed has no supplier that is the option own_supplier',
                 format('There are no drivers then: SELECT cvm.alter_portfolio(%L, ''{"own_supplier": "..."}'');', portfolio)),
                (4, n.rows > 0, 'ok', format('%s of %s in the %s feed', cvm.counted(n.answers, '%s score', '%s scores'), cvm.counted(n.customers, '%s customer', '%s customers'), kind), NULL)
            ) AS f(position, applies, level, finding, hint) WHERE f.applies ORDER BY f.position;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS finding = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
            level := 'error';
            RETURN NEXT;
        END;
    END LOOP;
END $$;
COMMENT ON FUNCTION cvm.check_surveys(text) IS 'Findings about a portfolio''s feeds of responses, reviews and ratings: see cvm.check.';

-- ---------- reports ----------

-- Two years of months up to the published as_of; of what is asked once in a while, a year.
CREATE FUNCTION cvm.nps_by_period_report(portfolio text) RETURNS SETOF cvm.nps_period
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT n.* FROM cvm.report_window(portfolio, 'responses', 24) w, LATERAL cvm.nps_by_period(portfolio, w.from_on, w.to_on) n;
END;
COMMENT ON FUNCTION cvm.nps_by_period_report(text) IS 'Report nps_by_period: cvm.nps_by_period of the last 24 months and the one of the published as_of.';

CREATE FUNCTION cvm.satisfaction_summary_report(portfolio text) RETURNS SETOF cvm.satisfaction_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT n.* FROM cvm.report_window(portfolio, 'responses', 12) w, LATERAL cvm.satisfaction_summary(portfolio, w.from_on, w.to_on) n;
END;
COMMENT ON FUNCTION cvm.satisfaction_summary_report(text) IS 'Report satisfaction_summary: cvm.satisfaction_summary of the last 12 months and the one of the published as_of.';

CREATE FUNCTION cvm.asked_questions(portfolio text, from_on date, to_on date) RETURNS SETOF text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT DISTINCT r.question FROM cvm.response_rows(portfolio, from_on, to_on) r;
END;
COMMENT ON FUNCTION cvm.asked_questions(text, date, date) IS 'Questions of the responses feed in a window. Errors as cvm.response_rows.';

CREATE FUNCTION cvm.answer_value_report(portfolio text) RETURNS SETOF cvm.class_value
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT n.* FROM cvm.report_window(portfolio, 'responses', 12) w, LATERAL cvm.asked_questions(portfolio, w.from_on, w.to_on) q, LATERAL cvm.value_by_answer(portfolio, q, w.from_on, w.to_on) n;
END;
COMMENT ON FUNCTION cvm.answer_value_report(text) IS 'Report answer_value: cvm.value_by_answer of every question, of the last 12 months and the one of the published as_of.';

CREATE FUNCTION cvm.satisfaction_value_report(portfolio text) RETURNS SETOF cvm.satisfaction_value_cell
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT n.* FROM cvm.report_window(portfolio, 'responses', 12) w, LATERAL cvm.asked_questions(portfolio, w.from_on, w.to_on) q, LATERAL cvm.satisfaction_value_matrix(portfolio, q, w.from_on, w.to_on) n;
END;
COMMENT ON FUNCTION cvm.satisfaction_value_report(text) IS 'Report satisfaction_value: cvm.satisfaction_value_matrix of every question, of the last 12 months and the one of the published as_of.';

CREATE FUNCTION cvm.response_bias_report(portfolio text) RETURNS SETOF cvm.bias_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT n.* FROM cvm.report_window(portfolio, 'responses', 12) w, LATERAL cvm.asked_questions(portfolio, w.from_on, w.to_on) q, LATERAL cvm.response_bias(portfolio, q, w.from_on, w.to_on) n;
END;
COMMENT ON FUNCTION cvm.response_bias_report(text) IS 'Report response_bias: cvm.response_bias of every question, of the last 12 months and the one of the published as_of.';

CREATE FUNCTION cvm.satisfaction_lead_report(portfolio text) RETURNS SETOF cvm.satisfaction_lead_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT n.* FROM cvm.report_window(portfolio, 'responses', 24) w, LATERAL cvm.asked_questions(portfolio, w.from_on, w.to_on) q, LATERAL cvm.satisfaction_lead(portfolio, q, w.from_on, w.to_on) n;
END;
COMMENT ON FUNCTION cvm.satisfaction_lead_report(text) IS 'Report satisfaction_lead: cvm.satisfaction_lead of every question with a lag of 90 days, of the last 24 months and the one of the published as_of.';
