-- journey: from the first contact to the repeat order and back after a lapse (doc/journey.md)
--
-- Every customer's touchpoints, purchases and lapses stand in one order of time, and the
-- rules (sql/journey_rule.sql) say into which stage each of them moves the customer.  What
-- an event does depends on the stage the customer is in, so the one thing that is not a
-- plain query is a running state: an aggregate over a window, whose every step is a look-up.

-- No SET here: it would be done and undone for every event.
CREATE FUNCTION cvm.journey_step(stay bigint, moves bytea) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE WHEN pg_catalog.get_byte(moves, (stay OPERATOR(pg_catalog.&) 127)::pg_catalog.int4) OPERATOR(pg_catalog.=) (stay OPERATOR(pg_catalog.&) 127) THEN stay
                ELSE (stay OPERATOR(pg_catalog.|) 127) OPERATOR(pg_catalog.+) 1
                     OPERATOR(pg_catalog.+) pg_catalog.get_byte(moves, (stay OPERATOR(pg_catalog.&) 127)::pg_catalog.int4) END;
END $$;
COMMENT ON FUNCTION cvm.journey_step(bigint, bytea) IS 'Transition function of cvm.journey_stay.';
CREATE AGGREGATE cvm.journey_stay(moves bytea) (SFUNC = cvm.journey_step, STYPE = bigint, INITCOND = '0');
COMMENT ON AGGREGATE cvm.journey_stay(bytea) IS
'The stay after a row of events, for use over a window in order of time: 128 x the number of moves so far + the number of the stage, 0 being none yet. Byte n of an event''s moves is the stage into which it moves a customer who is in stage n.';

CREATE FUNCTION cvm.check_stage_count(stages bigint) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF stages > 100 THEN
        RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded', MESSAGE = format('a journey has at most 100 stages, not %s', stages),
            HINT = 'Map another column as stage, or replace the rule by which touchpoints name their own stage: see doc/journey.md.';
    END IF;
    RETURN stages;
END $$;
COMMENT ON FUNCTION cvm.check_stage_count(bigint) IS 'The number of stages itself, if it is at most 100; else 54000.';

-- Common table expressions: touch, purchase, rule, stage, event, placed (events with the stage they leave the customer in), stay.
CREATE FUNCTION cvm.journey_source(touchpoints text, purchases text, responses text, rules jsonb, has_start boolean) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- values that rules name; others are told apart only where touchpoints name stages themselves
    stages text := quote_literal(ARRAY(SELECT DISTINCT r ->> 'touchpoint_stage' FROM jsonb_array_elements(rules) AS r WHERE r ->> 'touchpoint_stage' IS NOT NULL ORDER BY 1)::text);
    channels text := quote_literal(ARRAY(SELECT DISTINCT r ->> 'channel' FROM jsonb_array_elements(rules) AS r WHERE r ->> 'channel' IS NOT NULL ORDER BY 1)::text);
    campaigns text := quote_literal(ARRAY(SELECT DISTINCT r ->> 'campaign' FROM jsonb_array_elements(rules) AS r WHERE r ->> 'campaign' IS NOT NULL ORDER BY 1)::text);
    has_own boolean := EXISTS (SELECT FROM jsonb_array_elements(rules) AS r WHERE r ->> 'stage' IS NULL);
BEGIN
    RETURN format('
        touch AS MATERIALIZED (
            SELECT t.customer COLLATE "C" AS customer, t.at, t.stage, coalesce(t.cost, 0) AS cost,
                   CASE WHEN %4$L OR t.stage = ANY (%5$s::text[]) THEN ''='' || t.stage ELSE '''' END COLLATE "C" AS stage_key,
                   CASE WHEN t.channel = ANY (%6$s::text[]) THEN ''='' || t.channel ELSE '''' END COLLATE "C" AS channel_key,
                   CASE WHEN t.campaign = ANY (%7$s::text[]) THEN ''='' || t.campaign ELSE '''' END COLLATE "C" AS campaign_key
            FROM (%1$s) t WHERE t.at < $2
        ), purchase AS MATERIALIZED (
            SELECT p.customer, p.at, extract(epoch FROM p.at - lag(p.at) OVER w)::float8 / 86400 AS gap, lead(p.at) OVER w AS next_at
            FROM (SELECT d.customer, d.at, lag(d.at) OVER (PARTITION BY d.customer ORDER BY d.at) AS before
                  FROM (SELECT d.customer COLLATE "C" AS customer, d.at FROM (%2$s) d WHERE d.is_purchase AND d.at < $2) d) p
            WHERE (p.before AT TIME ZONE $5)::date IS DISTINCT FROM (p.at AT TIME ZONE $5)::date
            WINDOW w AS (PARTITION BY p.customer ORDER BY p.at)
        ), pace AS MATERIALIZED (
            SELECT greatest(q.days[2], 2 * q.days[1]) AS days      -- as in cvm.lifecycle_cuts
            FROM (SELECT percentile_cont(''{0.5,0.9}''::float8[]) WITHIN GROUP (ORDER BY p.gap) AS days FROM purchase p WHERE p.gap IS NOT NULL) q
        ), rule AS MATERIALIZED (
            SELECT r.position, r.stage, r.event, r.touchpoint_stage, r.channel, r.campaign, r.entered_from, coalesce(r.moves_back, false) AS moves_back,
                   CASE WHEN r.event = ''lapse'' THEN coalesce(r.after_days, (SELECT p.days FROM pace p)) END AS after_days
            FROM jsonb_to_recordset($3) AS r(position integer, stage text, event text, touchpoint_stage text, channel text, campaign text, entered_from text,
                                             moves_back boolean, after_days float8)
        ), own AS (      -- of many touchpoints those of an eighth of the customers say the order
            SELECT o.stage, avg(o.ordinal) AS ordinal
            FROM (SELECT f.stage, rank() OVER (PARTITION BY f.customer ORDER BY f.at) AS ordinal
                  FROM (SELECT t.customer, t.stage, min(t.at) AS at FROM touch t
                        WHERE %4$L AND t.stage <> ALL (%5$s::text[]) AND ((SELECT count(*) FROM touch m) < 200000 OR md5(t.customer) < ''2'') GROUP BY 1, 2) f) o
            GROUP BY 1
        ), stage AS MATERIALIZED (
            SELECT x.stage, row_number() OVER (ORDER BY x.position, x.ordinal, x.stage COLLATE "C")::integer AS number, x.is_loss, x.entered_by,
                   cvm.check_stage_count(count(*) OVER ()) AS stages
            FROM (SELECT r.stage, min(r.position) AS position, 0::numeric AS ordinal,
                         bool_and(r.event = ''lapse'') AND NOT EXISTS (SELECT FROM own o WHERE o.stage = r.stage) AS is_loss,
                         string_agg(DISTINCT r.event, '', '' ORDER BY r.event) AS entered_by
                  FROM rule r WHERE r.stage IS NOT NULL GROUP BY 1
                  UNION ALL
                  SELECT o.stage, (SELECT min(r.position) FROM rule r WHERE r.stage IS NULL), o.ordinal, false, ''touchpoint''
                  FROM own o WHERE NOT EXISTS (SELECT FROM rule r WHERE r.stage = o.stage)) x
        ), kind AS (      -- what rules can tell apart
            SELECT DISTINCT 1 AS rank, ''touchpoint'' AS event, t.stage_key, t.channel_key, t.campaign_key FROM touch t
            UNION ALL VALUES (2, ''first_purchase'', '''', '''', ''''), (2, ''repeat_purchase'', '''', '''', ''''), (2, ''return'', '''', '''', ''''), (4, ''response'', '''', '''', '''')
            UNION ALL SELECT DISTINCT 3, ''lapse'', r.after_days::text, '''', '''' FROM rule r WHERE r.after_days IS NOT NULL
        ), told AS (
            SELECT k.rank, k.event, k.stage_key, k.channel_key, k.campaign_key, max(coalesce(m.target, 0)) AS target,
                   string_agg(set_byte(''\x00''::bytea, 0, coalesce(m.target, c.number)), '''' ORDER BY c.number) AS moves
            FROM kind k CROSS JOIN (SELECT 0 AS number, NULL::text AS stage UNION ALL SELECT s.number, s.stage FROM stage s) c
            LEFT JOIN LATERAL (
                SELECT s.number AS target FROM rule r JOIN stage s ON s.stage = coalesce(r.stage, substr(k.stage_key, 2))
                WHERE r.event = k.event
                  AND CASE k.event WHEN ''lapse'' THEN r.after_days::text = k.stage_key
                           WHEN ''touchpoint'' THEN
                               CASE WHEN r.stage IS NULL THEN substr(k.stage_key, 2) <> ALL (%5$s::text[]) ELSE coalesce(''='' || r.touchpoint_stage = k.stage_key, true) END
                               AND coalesce(''='' || r.channel = k.channel_key, true) AND coalesce(''='' || r.campaign = k.campaign_key, true)
                           ELSE true END
                  AND (s.number = c.number OR CASE WHEN r.entered_from IS NULL THEN s.number > c.number OR r.moves_back ELSE coalesce(r.entered_from = c.stage, false) END)
                ORDER BY r.position LIMIT 1) m ON true
            GROUP BY 1, 2, 3, 4, 5
        ), class AS MATERIALIZED (   -- of one instant: touchpoints first, in order of their stages
            SELECT t.*, row_number() OVER (ORDER BY t.rank, t.target, t.event, t.stage_key COLLATE "C", t.channel_key COLLATE "C", t.campaign_key COLLATE "C")::integer AS class FROM told t
        ), event AS (
            SELECT t.customer, t.at, c.class, c.event, c.moves, t.cost, NULL::numeric AS score
            FROM touch t JOIN class c ON c.event = ''touchpoint'' AND c.stage_key = t.stage_key AND c.channel_key = t.channel_key AND c.campaign_key = t.campaign_key
            UNION ALL
            SELECT p.customer, p.at, c.class, c.event, c.moves, 0, NULL
            FROM purchase p JOIN class c ON c.rank = 2 AND c.event = CASE WHEN p.gap IS NULL THEN ''first_purchase''
                WHEN p.gap > (SELECT coalesce(max(r.after_days), (SELECT q.days FROM pace q)) FROM rule r) THEN ''return'' ELSE ''repeat_purchase'' END
            UNION ALL
            SELECT p.customer, p.at + c.stage_key::float8 * interval ''1 day'', c.class, c.event, c.moves, 0, NULL
            FROM purchase p JOIN class c ON c.rank = 3 AND p.at + c.stage_key::float8 * interval ''1 day'' < coalesce(p.next_at, $2)
            UNION ALL
            SELECT r.customer COLLATE "C", r.at, c.class, c.event, c.moves, 0, r.score FROM (%3$s) r JOIN class c ON c.rank = 4 WHERE r.at < $2
        ), placed AS (      -- the stay after every event
            SELECT w.* FROM (
                SELECT e.customer, e.at, e.class, e.event, e.cost, e.score, cvm.journey_stay(e.moves) OVER w AS stay%8$s
                FROM event e WINDOW w AS (PARTITION BY e.customer ORDER BY e.at, e.class ROWS UNBOUNDED PRECEDING)) w %9$s
        ), stay AS MATERIALIZED (
            SELECT g.*, lead(g.entered_at) OVER v AS left_at, lead(g.place) OVER v AS left_for, lag(nullif(g.place, 0)) OVER v AS entered_from,
                   extract(epoch FROM coalesce(lead(g.entered_at) OVER v, $1) - g.entered_at)::float8 / 86400 AS days
            FROM (SELECT p.customer, p.stay, (p.stay & 127)::integer AS place, min(p.at) AS entered_at, count(*) FILTER (WHERE p.event = ''touchpoint'') AS touchpoints,
                         sum(p.cost) AS cost, %10$s AS score, %11$s AS answers
                  FROM (SELECT p.* FROM placed p ORDER BY p.customer, p.stay) p GROUP BY 1, 2) g      
            WINDOW v AS (PARTITION BY g.customer ORDER BY g.stay)
        )',
        coalesce(touchpoints, 'SELECT NULL::text AS customer, NULL::timestamptz AS at, NULL::text AS stage, NULL::text AS channel, NULL::text AS campaign, NULL::numeric AS cost WHERE false'),
        coalesce(purchases, 'SELECT NULL::text AS customer, NULL::timestamptz AS at, false AS is_purchase WHERE false'),
        coalesce(responses, 'SELECT NULL::text AS customer, NULL::timestamptz AS at, NULL::numeric AS score WHERE false'),
        has_own, stages, channels, campaigns,
        CASE WHEN has_start THEN ', min(e.at) OVER (PARTITION BY e.customer) AS first_at' ELSE '' END, CASE WHEN has_start THEN 'WHERE w.first_at >= $4' ELSE '' END,
        CASE WHEN responses IS NULL THEN 'NULL::numeric' ELSE 'sum(p.score)' END, CASE WHEN responses IS NULL THEN '0::bigint' ELSE 'count(p.score)' END);
END $$;
COMMENT ON FUNCTION cvm.journey_source(text, text, text, jsonb, boolean) IS
'Common table expressions of the journey, from SQL of touchpoints, purchases and answers on effort; $1 is as_of, $2 the first instant after it, $3 the rules, $4 from when journeys begin where they have such a start, $5 the time zone.';

-- What a journey of relations or of a portfolio's feeds is read from, and as of when.
CREATE FUNCTION cvm.check_journey(touchpoints regclass, touchpoint_columns jsonb, as_of timestamptz, purchases regclass, purchase_columns jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF as_of IS NULL OR NOT isfinite(as_of) THEN
        RAISE EXCEPTION USING ERRCODE = CASE WHEN as_of IS NULL THEN 'null_value_not_allowed' ELSE 'invalid_parameter_value' END,
            MESSAGE = format('as_of can not be %s', coalesce(as_of::text, 'null')), HINT = 'Give the instant up to which events are known.';
    ELSIF num_nulls(touchpoints, purchases) = 2 THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'touchpoints and purchases are both null', HINT = 'A journey needs one of them.';
    END IF;
END $$;
COMMENT ON FUNCTION cvm.check_journey(regclass, jsonb, timestamptz, regclass, jsonb) IS 'Raises unless there is something to read and a finite as_of: 22004, 22023.';

CREATE FUNCTION cvm.journey_query(touchpoints regclass, touchpoint_columns jsonb, as_of timestamptz, purchases regclass, purchase_columns jsonb, rules jsonb, from_on date, time_zone text, responses text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM cvm.check_journey(touchpoints, touchpoint_columns, as_of, purchases, purchase_columns), cvm.check_journey_rules(rules);
    PERFORM now() AT TIME ZONE time_zone;
    RETURN cvm.journey_source(
        CASE WHEN touchpoints IS NOT NULL THEN cvm.measure_source('touchpoints', touchpoints, touchpoint_columns, '{customer,at,stage}', time_zone, instants => true) END,
        -- amounts say only what is a purchase and what is not, in whatever currency
        CASE WHEN purchases IS NOT NULL THEN cvm.measure_source('purchases', purchases, purchase_columns - 'currency', '{customer,at,amount}', time_zone, instants => true) END,
        responses, rules, from_on IS NOT NULL);
END $$;
COMMENT ON FUNCTION cvm.journey_query(regclass, jsonb, timestamptz, regclass, jsonb, jsonb, date, text, text) IS 'cvm.journey_source of two relations and their mappings, after checking these and the rules.';

CREATE FUNCTION cvm.journey_feeds(portfolio text, OUT touchpoints regclass, OUT touchpoint_columns jsonb, OUT purchases regclass, OUT purchase_columns jsonb,
    OUT time_zone text, OUT as_of timestamptz, OUT rules jsonb, OUT responses regclass, OUT response_columns jsonb, OUT questions jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    run record := cvm.published_run(portfolio);
BEGIN
    as_of := run.as_of;
    questions := coalesce(run.options -> 'questions', '{}');
    SELECT f.relation, f.columns, f.time_zone INTO purchases, purchase_columns, time_zone FROM cvm.measured_feed(portfolio, 'purchases') f;
    SELECT max(f.columns::text) FILTER (WHERE f.kind = 'touchpoints')::jsonb, max(f.columns::text) FILTER (WHERE f.kind = 'responses')::jsonb
    INTO touchpoint_columns, response_columns FROM cvm.feed f WHERE f.portfolio = journey_feeds.portfolio;
    touchpoints := CASE WHEN touchpoint_columns IS NOT NULL THEN cvm.feed_relation(portfolio, 'touchpoints') END;
    responses := CASE WHEN response_columns IS NOT NULL THEN cvm.feed_relation(portfolio, 'responses') END;
    rules := cvm.journey_rules(portfolio);
END $$;
COMMENT ON FUNCTION cvm.journey_feeds(text) IS
'What the journey of a portfolio is read from: feeds (NULL where not mapped), time zone, the published as_of and the rules. 55000 before the first recompute, 42704, 42P01, 42501, and the errors of cvm.journey_rules.';

-- ---------- stays ----------

CREATE TYPE cvm.journey_row AS (customer text, "position" integer, stage text, entered_at timestamptz, entered_from text, left_at timestamptz, left_for text,
    days float8, is_current boolean, touchpoints bigint, cost numeric);
COMMENT ON TYPE cvm.journey_row IS 'A stay of a customer in a stage of the journey: row of cvm.journey.';
COMMENT ON COLUMN cvm.journey_row.customer IS 'customer, as text';
COMMENT ON COLUMN cvm.journey_row.position IS 'number of the stage in the journey, from 1; 0 before the first stage';
COMMENT ON COLUMN cvm.journey_row.stage IS 'stage; NULL before the first: touchpoints that no rule takes up';
COMMENT ON COLUMN cvm.journey_row.entered_at IS 'when the customer entered it';
COMMENT ON COLUMN cvm.journey_row.entered_from IS 'stage before; NULL: none';
COMMENT ON COLUMN cvm.journey_row.left_at IS 'when the customer left it; NULL: still in it';
COMMENT ON COLUMN cvm.journey_row.left_for IS 'stage after it; NULL: still in it';
COMMENT ON COLUMN cvm.journey_row.days IS 'days in it so far';
COMMENT ON COLUMN cvm.journey_row.is_current IS 'whether the customer is still in it';
COMMENT ON COLUMN cvm.journey_row.touchpoints IS 'touchpoints in it, the one that led into it included';
COMMENT ON COLUMN cvm.journey_row.cost IS 'their cost; NULL where costs are not mapped';

CREATE FUNCTION cvm.journey_of(touchpoints regclass, touchpoint_columns jsonb, as_of timestamptz, purchases regclass DEFAULT NULL, purchase_columns jsonb DEFAULT NULL,
    rules jsonb DEFAULT cvm.default_journey_rules(), from_on date DEFAULT NULL, time_zone text DEFAULT 'UTC') RETURNS SETOF cvm.journey_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET work_mem = '64MB' AS $$
BEGIN
    RETURN QUERY EXECUTE format('
        WITH %s
        SELECT y.customer, y.place, s.stage, y.entered_at, f.stage, y.left_at, l.stage, y.days, y.left_at IS NULL, y.touchpoints, %s
        FROM stay y LEFT JOIN stage s ON s.number = y.place LEFT JOIN stage f ON f.number = y.entered_from LEFT JOIN stage l ON l.number = y.left_for
        ORDER BY y.customer COLLATE "C", y.stay',
        cvm.journey_query(touchpoints, touchpoint_columns, as_of, purchases, purchase_columns, rules, from_on, time_zone),
        CASE WHEN touchpoint_columns ? 'cost' THEN 'y.cost' ELSE 'NULL::numeric' END)
    USING as_of, as_of + interval '1 microsecond', rules, from_on::timestamp AT TIME ZONE time_zone, time_zone;
END $$;
COMMENT ON FUNCTION cvm.journey_of(regclass, jsonb, timestamptz, regclass, jsonb, jsonb, date, text) IS
'Stays of customers in the stages of their journey up to as_of, in order, from touchpoints {customer, at, stage [, channel, campaign, cost]} and purchases {customer, at, amount [...]}, either of which may be NULL. The rules (cvm.default_journey_rules; doc/journey.md) say which event enters which stage: touchpoint; first_purchase, repeat_purchase (a day with purchases is one), lapse (silent for after_days since the last purchase; unless given, the 90 % quantile of all gaps between purchases and at least 2 medians, as in cvm.lifecycle_cuts), return (a purchase after that). Of the rules that match an event and may be entered from the customer''s stage, the first by position decides; without entered_from a stage is entered from earlier stages, and from later ones with moves_back. What lies after as_of is not looked at; touchpoints of customers who have not bought are those of prospects. from_on: only journeys that begin on this day or later. Rows without customer, time or stage are left out. 22023 for rules (also stages that form a loop), mapping and as_of; 54000 for more than 100 stages; 42703, 42804, 22004.';

CREATE FUNCTION cvm.journey(portfolio text, from_on date DEFAULT NULL) RETURNS SETOF cvm.journey_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.journey_feeds(portfolio) f,
           LATERAL cvm.journey_of(f.touchpoints, f.touchpoint_columns, f.as_of, f.purchases, f.purchase_columns, f.rules, from_on, f.time_zone) v;
END;
COMMENT ON FUNCTION cvm.journey(text, date) IS
'Stays of a portfolio''s customers in the stages of their journey: cvm.journey_of on its feeds touchpoints and purchases by the rules in its table journey_stage_rule, as of the published run. Needs SELECT on the feeds. 55000 before the first recompute, 42704, 42501 and the errors of that.';

-- ---------- stages ----------

CREATE TYPE cvm.journey_stage_row AS (
    "position" integer, stage text, entered_by text, customers bigint, entries bigint, still_in bigint, moved_on bigint, moved_back bigint, lost bigint, overdue bigint,
    conversion_rate float8, drop_off_rate float8, median_days float8, mean_days float8, longest_days float8,
    touchpoints bigint, cost numeric, cost_per_entry float8, cost_per_conversion float8, effort_score float8, effort_answers bigint, reason text);
COMMENT ON TYPE cvm.journey_stage_row IS 'A stage of the journey in numbers: row of cvm.journey_stages.';
COMMENT ON COLUMN cvm.journey_stage_row.position IS 'number of the stage in the journey, from 1';
COMMENT ON COLUMN cvm.journey_stage_row.stage IS 'stage';
COMMENT ON COLUMN cvm.journey_stage_row.entered_by IS 'events that enter it: touchpoint, first_purchase, repeat_purchase, lapse, return';
COMMENT ON COLUMN cvm.journey_stage_row.customers IS 'customers who have been in it';
COMMENT ON COLUMN cvm.journey_stage_row.entries IS 'entries into it; a customer may enter again';
COMMENT ON COLUMN cvm.journey_stage_row.still_in IS 'customers in it at as_of';
COMMENT ON COLUMN cvm.journey_stage_row.moved_on IS 'entries after which the next stage was a later one, and none that only lapses lead to';
COMMENT ON COLUMN cvm.journey_stage_row.moved_back IS 'entries after which it was an earlier one';
COMMENT ON COLUMN cvm.journey_stage_row.lost IS 'entries after which it was one that only lapses lead to';
COMMENT ON COLUMN cvm.journey_stage_row.overdue IS 'customers still in it for longer than 95 % of those who moved on needed; NULL if nobody has';
COMMENT ON COLUMN cvm.journey_stage_row.conversion_rate IS 'moved_on / entries, to date: those still in it may yet move on';
COMMENT ON COLUMN cvm.journey_stage_row.drop_off_rate IS '(lost + overdue) / entries; of the last stage lost / entries';
COMMENT ON COLUMN cvm.journey_stage_row.median_days IS 'days by which half have left it, those still in it counted as censored (Kaplan & Meier 1958); NULL if half have not';
COMMENT ON COLUMN cvm.journey_stage_row.mean_days IS 'mean days in it within longest_days, those still in it counted as censored';
COMMENT ON COLUMN cvm.journey_stage_row.longest_days IS 'longest stay seen';
COMMENT ON COLUMN cvm.journey_stage_row.touchpoints IS 'touchpoints of customers in it, those that led into it included';
COMMENT ON COLUMN cvm.journey_stage_row.cost IS 'their cost; NULL where costs are not mapped';
COMMENT ON COLUMN cvm.journey_stage_row.cost_per_entry IS 'cost / entries';
COMMENT ON COLUMN cvm.journey_stage_row.cost_per_conversion IS 'cost / moved_on';
COMMENT ON COLUMN cvm.journey_stage_row.effort_score IS 'mean answer on effort of customers in it (CES), on the scale 1 to 7, high is easy; effort asked from 1 to 5, low is good, is turned over and stretched';
COMMENT ON COLUMN cvm.journey_stage_row.effort_answers IS 'number of these answers';
COMMENT ON COLUMN cvm.journey_stage_row.reason IS 'why a value is NULL: never_entered, nobody_moved_on, last_stage (nothing to move on to), nobody_left, half_still_in, no_costs, no_responses (the feed is not mapped), no_answers';

-- Rows of stages, as a query.
CREATE FUNCTION cvm.journey_stage_query(source text, has_cost boolean, has_responses boolean) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN pg_catalog.format('
        %s, usual AS (
            SELECT y.place, percentile_cont(0.95) WITHIN GROUP (ORDER BY y.days) AS days
            FROM stay y JOIN stage t ON t.number = y.left_for WHERE y.left_for > y.place AND NOT t.is_loss GROUP BY 1
        ), visitor AS (
            SELECT v.place, count(*) AS customers FROM (SELECT DISTINCT y.place, y.customer FROM stay y) v GROUP BY 1
        ), counted AS (      -- OFFSET 0: each curve is read once
            SELECT n.place, n.entries, n.still_in, n.moved_on, n.moved_back, n.lost, n.overdue, cvm.median(n.curve) AS median, cvm.restricted_mean(n.curve) AS mean, n.longest, n.touchpoints, n.cost, n.score, n.answers FROM (
            SELECT y.place, count(*) AS entries, count(*) FILTER (WHERE y.left_for IS NULL) AS still_in,
                   count(*) FILTER (WHERE y.left_for > y.place AND NOT t.is_loss) AS moved_on, count(*) FILTER (WHERE y.left_for < y.place AND NOT t.is_loss) AS moved_back,
                   count(*) FILTER (WHERE t.is_loss) AS lost, count(*) FILTER (WHERE y.left_for IS NULL AND y.days > u.days) AS overdue,
                   cvm.survival_curve(y.days, y.left_for IS NOT NULL) AS curve, max(y.days) AS longest, sum(y.touchpoints) AS touchpoints, sum(y.cost) AS cost, sum(y.score) AS score, sum(y.answers)::bigint AS answers
            FROM stay y LEFT JOIN stage t ON t.number = y.left_for LEFT JOIN usual u ON u.place = y.place WHERE y.place > 0 GROUP BY 1) n OFFSET 0
        ), stage_row AS (
            SELECT s.number AS position, s.stage, s.entered_by, coalesce(v.customers, 0) AS customers, coalesce(c.entries, 0) AS entries, coalesce(c.still_in, 0) AS still_in,
                   coalesce(c.moved_on, 0) AS moved_on, coalesce(c.moved_back, 0) AS moved_back, coalesce(c.lost, 0) AS lost,
                   CASE WHEN c.moved_on > 0 THEN c.overdue END AS overdue,
                   c.moved_on::float8 / c.entries AS conversion_rate, CASE WHEN c.moved_on > 0 OR c.still_in = 0 OR s.is_last THEN (c.lost + CASE WHEN s.is_last THEN 0 ELSE c.overdue END)::float8 / c.entries END AS drop_off_rate,
                   c.median AS median_days, c.mean AS mean_days, c.longest AS longest_days,
                   coalesce(c.touchpoints, 0)::bigint AS touchpoints, CASE WHEN %L THEN coalesce(c.cost, 0) END AS cost,
                   CASE WHEN %2$L THEN (c.cost / c.entries)::float8 END AS cost_per_entry, CASE WHEN %2$L THEN (c.cost / nullif(c.moved_on, 0))::float8 END AS cost_per_conversion,
                   (c.score / nullif(c.answers, 0))::float8 AS effort_score, CASE WHEN %3$L THEN coalesce(c.answers, 0) END AS effort_answers,
                   nullif(concat_ws('', '', CASE WHEN c.entries IS NULL THEN ''never_entered'' END, CASE WHEN s.is_last THEN ''last_stage'' WHEN c.moved_on = 0 THEN ''nobody_moved_on'' END,
                       CASE WHEN c.entries = c.still_in THEN ''nobody_left'' WHEN c.entries > 0 AND c.median IS NULL THEN ''half_still_in'' END,
                       CASE WHEN NOT %2$L THEN ''no_costs'' END, CASE WHEN NOT %3$L THEN ''no_responses'' WHEN coalesce(c.answers, 0) = 0 THEN ''no_answers'' END), '''') AS reason
            FROM (SELECT t.*, NOT EXISTS (SELECT FROM stage l WHERE l.number > t.number AND NOT l.is_loss) AS is_last FROM stage t) s
                 LEFT JOIN counted c ON c.place = s.number LEFT JOIN visitor v ON v.place = s.number
        )', source, has_cost, has_responses);
COMMENT ON FUNCTION cvm.journey_stage_query(text, boolean, boolean) IS 'Common table expressions of cvm.journey_source, and stage_row: those of cvm.journey_stages.';

CREATE FUNCTION cvm.journey_stages_of(touchpoints regclass, touchpoint_columns jsonb, as_of timestamptz, purchases regclass DEFAULT NULL, purchase_columns jsonb DEFAULT NULL,
    rules jsonb DEFAULT cvm.default_journey_rules(), from_on date DEFAULT NULL, time_zone text DEFAULT 'UTC', responses regclass DEFAULT NULL, response_columns jsonb DEFAULT NULL,
    questions jsonb DEFAULT '{"*": "ease"}') RETURNS SETOF cvm.journey_stage_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET work_mem = '64MB' AS $$
BEGIN
    RETURN QUERY EXECUTE format('WITH %s SELECT r.* FROM stage_row r ORDER BY r.position',
        cvm.journey_stage_query(cvm.journey_query(touchpoints, touchpoint_columns, as_of, purchases, purchase_columns, rules, from_on, time_zone, cvm.effort_source(responses, response_columns, questions, time_zone)),
                                coalesce(touchpoint_columns ? 'cost', false), responses IS NOT NULL))
    USING as_of, as_of + interval '1 microsecond', rules, from_on::timestamp AT TIME ZONE time_zone, time_zone;
END $$;
COMMENT ON FUNCTION cvm.journey_stages_of(regclass, jsonb, timestamptz, regclass, jsonb, jsonb, date, text, regclass, jsonb, jsonb) IS
'Stages of the journey in numbers, in order: who entered, where they went from there, how long it took (those still in a stage are censored, not counted as quick), what the touchpoints cost, and how easy customers found it: answers of responses {customer, at, score [, question]} to questions that questions declares as effort or ease (as the option of a portfolio does; unless given, all are ease), on the scale 1 to 7, high is easy. Conversion is to date: of recent entries part is still to come, so compare journeys of one age (from_on). Arguments and errors as cvm.journey_of; 22003 for answers off the scale.';

CREATE FUNCTION cvm.journey_stages(portfolio text, from_on date DEFAULT NULL) RETURNS SETOF cvm.journey_stage_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.journey_feeds(portfolio) f,
           LATERAL cvm.journey_stages_of(f.touchpoints, f.touchpoint_columns, f.as_of, f.purchases, f.purchase_columns, f.rules, from_on, f.time_zone, f.responses, f.response_columns, f.questions) v;
END;
COMMENT ON FUNCTION cvm.journey_stages(text, date) IS
'Stages of a portfolio''s journey in numbers: cvm.journey_stages_of on its feeds by its rules, as of the published run. Needs SELECT on the feeds. 55000 before the first recompute, 42704, 42501 and the errors of that.';

-- ---------- moves ----------

CREATE TYPE cvm.journey_move_row AS (from_position integer, from_stage text, to_position integer, to_stage text, direction text, moves bigint, customers bigint, share_of_entries float8, median_days float8);
COMMENT ON TYPE cvm.journey_move_row IS 'Moves from one stage of the journey to another: row of cvm.journey_moves.';
COMMENT ON COLUMN cvm.journey_move_row.from_position IS 'number of the stage that is left; 0: the beginning';
COMMENT ON COLUMN cvm.journey_move_row.from_stage IS 'stage that is left; NULL: the beginning of the journey';
COMMENT ON COLUMN cvm.journey_move_row.to_position IS 'number of the next stage; NULL: still in the first';
COMMENT ON COLUMN cvm.journey_move_row.to_stage IS 'next stage; NULL: still in the first';
COMMENT ON COLUMN cvm.journey_move_row.direction IS 'begins, on, back, lost (to a stage that only lapses lead to) or still_in';
COMMENT ON COLUMN cvm.journey_move_row.moves IS 'number of such moves';
COMMENT ON COLUMN cvm.journey_move_row.customers IS 'customers who made them';
COMMENT ON COLUMN cvm.journey_move_row.share_of_entries IS 'moves / entries into from_stage; of the beginning: / journeys';
COMMENT ON COLUMN cvm.journey_move_row.median_days IS 'median days in from_stage before the move; of still_in: so far. NULL of the beginning';

CREATE FUNCTION cvm.journey_moves_of(touchpoints regclass, touchpoint_columns jsonb, as_of timestamptz, purchases regclass DEFAULT NULL, purchase_columns jsonb DEFAULT NULL,
    rules jsonb DEFAULT cvm.default_journey_rules(), from_on date DEFAULT NULL, time_zone text DEFAULT 'UTC') RETURNS SETOF cvm.journey_move_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET work_mem = '64MB' AS $$
BEGIN
    RETURN QUERY EXECUTE format('
        WITH %s, move AS (
            SELECT y.place AS a, y.left_for AS b, y.customer, y.days FROM stay y WHERE y.place > 0
            UNION ALL SELECT 0, y.place, y.customer, NULL FROM stay y WHERE y.place > 0 AND y.entered_from IS NULL
        ), counted AS (
            SELECT m.a, m.b, count(*) AS moves, count(DISTINCT m.customer) AS customers, percentile_cont(0.5) WITHIN GROUP (ORDER BY m.days) AS days FROM move m GROUP BY 1, 2
        )
        SELECT c.a, f.stage, c.b, t.stage, CASE WHEN c.a = 0 THEN ''begins'' WHEN c.b IS NULL THEN ''still_in'' WHEN t.is_loss THEN ''lost'' WHEN c.b > c.a THEN ''on'' ELSE ''back'' END,
               c.moves, c.customers, c.moves / sum(c.moves) OVER (PARTITION BY c.a)::float8, c.days
        FROM counted c LEFT JOIN stage f ON f.number = c.a LEFT JOIN stage t ON t.number = c.b ORDER BY c.a, c.b',
        cvm.journey_query(touchpoints, touchpoint_columns, as_of, purchases, purchase_columns, rules, from_on, time_zone))
    USING as_of, as_of + interval '1 microsecond', rules, from_on::timestamp AT TIME ZONE time_zone, time_zone;
END $$;
COMMENT ON FUNCTION cvm.journey_moves_of(regclass, jsonb, timestamptz, regclass, jsonb, jsonb, date, text) IS
'Moves between stages of the journey: how many went from each to each other, and how many are still there; shares of a stage add up to 1. Days are those of the moves that were made, so slow moves are missing in young journeys: for time in a stage see cvm.journey_stages_of. Arguments and errors as cvm.journey_of.';

CREATE FUNCTION cvm.journey_moves(portfolio text, from_on date DEFAULT NULL) RETURNS SETOF cvm.journey_move_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.journey_feeds(portfolio) f,
           LATERAL cvm.journey_moves_of(f.touchpoints, f.touchpoint_columns, f.as_of, f.purchases, f.purchase_columns, f.rules, from_on, f.time_zone) v;
END;
COMMENT ON FUNCTION cvm.journey_moves(text, date) IS
'Moves between the stages of a portfolio''s journey: cvm.journey_moves_of on its feeds by its rules, as of the published run. Needs SELECT on the feeds. 55000 before the first recompute, 42704, 42501 and the errors of that.';

-- ---------- touchpoints before a purchase and before churn ----------

CREATE TYPE cvm.journey_touchpoint_row AS (outcome text, outcomes bigint, with_touchpoint bigint, touchpoints bigint, mean_touchpoints float8, median_touchpoints float8,
    share_without float8, mean_days float8, cost numeric, cost_per_outcome float8, reason text);
COMMENT ON TYPE cvm.journey_touchpoint_row IS 'Touchpoints before an event of the journey: row of cvm.journey_touchpoints.';
COMMENT ON COLUMN cvm.journey_touchpoint_row.outcome IS 'first_purchase, repeat_purchase, return, or lapse (with its days where there are several)';
COMMENT ON COLUMN cvm.journey_touchpoint_row.outcomes IS 'number of such events';
COMMENT ON COLUMN cvm.journey_touchpoint_row.with_touchpoint IS 'of them with a touchpoint since the purchase before, or since the first contact';
COMMENT ON COLUMN cvm.journey_touchpoint_row.touchpoints IS 'these touchpoints';
COMMENT ON COLUMN cvm.journey_touchpoint_row.mean_touchpoints IS 'touchpoints / outcomes';
COMMENT ON COLUMN cvm.journey_touchpoint_row.median_touchpoints IS 'median number of touchpoints before one';
COMMENT ON COLUMN cvm.journey_touchpoint_row.share_without IS 'share of outcomes without any, 0 to 1';
COMMENT ON COLUMN cvm.journey_touchpoint_row.mean_days IS 'mean days from the first of them to the outcome';
COMMENT ON COLUMN cvm.journey_touchpoint_row.cost IS 'cost of these touchpoints; NULL where costs are not mapped';
COMMENT ON COLUMN cvm.journey_touchpoint_row.cost_per_outcome IS 'cost / outcomes';
COMMENT ON COLUMN cvm.journey_touchpoint_row.reason IS 'why a value is NULL: none_happened, no_touchpoints, no_costs';

CREATE FUNCTION cvm.journey_touchpoints_of(touchpoints regclass, touchpoint_columns jsonb, as_of timestamptz, purchases regclass DEFAULT NULL, purchase_columns jsonb DEFAULT NULL,
    rules jsonb DEFAULT cvm.default_journey_rules(), from_on date DEFAULT NULL, time_zone text DEFAULT 'UTC') RETURNS SETOF cvm.journey_touchpoint_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET work_mem = '64MB' AS $$
BEGIN
    RETURN QUERY EXECUTE format('
        WITH %s, cut AS (      -- a purchase closes the stretch of touchpoints before it
            SELECT p.customer, p.at, p.class, p.event, p.cost,
                   count(*) FILTER (WHERE p.event IN (''first_purchase'', ''repeat_purchase'', ''return'')) OVER (PARTITION BY p.customer ORDER BY p.at, p.class ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS stretch
            FROM placed p
        ), summed AS (
            SELECT c.*, count(*) FILTER (WHERE c.event = ''touchpoint'') OVER w AS touched, sum(c.cost) OVER w AS spent, min(c.at) FILTER (WHERE c.event = ''touchpoint'') OVER w AS since
            FROM cut c WINDOW w AS (PARTITION BY c.customer, c.stretch ORDER BY c.at, c.class ROWS UNBOUNDED PRECEDING)
        ), outcome AS (
            SELECT k.class, CASE WHEN k.event = ''lapse'' AND count(*) FILTER (WHERE k.event = ''lapse'') OVER () > 1 THEN ''lapse after '' || k.stage_key || '' days'' ELSE k.event END AS outcome
            FROM class k WHERE k.rank IN (2, 3)
        ), counted AS (
            SELECT s.class, count(*) AS n, count(*) FILTER (WHERE s.touched > 0) AS touched, sum(s.touched)::bigint AS touchpoints, avg(s.touched)::float8 AS mean,
                   percentile_cont(0.5) WITHIN GROUP (ORDER BY s.touched) AS median, avg(extract(epoch FROM s.at - s.since) / 86400)::float8 AS days, sum(s.spent) AS spent
            FROM summed s WHERE s.class IN (SELECT o.class FROM outcome o) GROUP BY 1
        )
        SELECT t.outcome, coalesce(c.n, 0), coalesce(c.touched, 0), coalesce(c.touchpoints, 0), c.mean, c.median, 1 - c.touched::float8 / c.n, c.days,
               CASE WHEN %2$L THEN coalesce(c.spent, 0) END, CASE WHEN %2$L THEN (c.spent / c.n)::float8 END,
               nullif(concat_ws('', '', CASE WHEN c.n IS NULL THEN ''none_happened'' WHEN c.touched = 0 THEN ''no_touchpoints'' END, CASE WHEN NOT %2$L THEN ''no_costs'' END), '''')
        FROM outcome t LEFT JOIN counted c USING (class) ORDER BY t.class',
        cvm.journey_query(touchpoints, touchpoint_columns, as_of, purchases, purchase_columns, rules, from_on, time_zone), coalesce(touchpoint_columns ? 'cost', false))
    USING as_of, as_of + interval '1 microsecond', rules, from_on::timestamp AT TIME ZONE time_zone, time_zone;
END $$;
COMMENT ON FUNCTION cvm.journey_touchpoints_of(regclass, jsonb, timestamptz, regclass, jsonb, jsonb, date, text) IS
'How many touchpoints come before a purchase, and before a customer is called lapsed: those since the purchase before, or since the first contact. Touchpoints that were there are not those that made the customer buy: only an experiment says that. Prospects who never bought are not in it. Arguments and errors as cvm.journey_of.';

CREATE FUNCTION cvm.journey_touchpoints(portfolio text, from_on date DEFAULT NULL) RETURNS SETOF cvm.journey_touchpoint_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.journey_feeds(portfolio) f,
           LATERAL cvm.journey_touchpoints_of(f.touchpoints, f.touchpoint_columns, f.as_of, f.purchases, f.purchase_columns, f.rules, from_on, f.time_zone) v;
END;
COMMENT ON FUNCTION cvm.journey_touchpoints(text, date) IS
'Touchpoints before purchases and lapses of a portfolio: cvm.journey_touchpoints_of on its feeds by its rules, as of the published run. Needs SELECT on the feeds. 55000 before the first recompute, 42704, 42501 and the errors of that.';

-- ---------- gaps ----------

CREATE TYPE cvm.journey_gap_row AS ("position" integer, stage text, gap text, is_gap boolean, affected bigint, value float8, reason text);
COMMENT ON TYPE cvm.journey_gap_row IS 'What may be missing in a stage of the journey: row of cvm.journey_gaps.';
COMMENT ON COLUMN cvm.journey_gap_row.position IS 'number of the stage in the journey, from 1; 0: touchpoints that belong to none';
COMMENT ON COLUMN cvm.journey_gap_row.stage IS 'stage; NULL at position 0';
COMMENT ON COLUMN cvm.journey_gap_row.gap IS 'never_entered, no_touchpoint, low_effort_score; at position 0: before_first_contact, after_as_of';
COMMENT ON COLUMN cvm.journey_gap_row.is_gap IS 'whether it is one; NULL: not known';
COMMENT ON COLUMN cvm.journey_gap_row.affected IS 'entries without a touchpoint, answers on effort, or touchpoints that are left out';
COMMENT ON COLUMN cvm.journey_gap_row.value IS 'share of entries without a touchpoint, or the mean answer on effort (CES, 1 to 7, high is easy)';
COMMENT ON COLUMN cvm.journey_gap_row.reason IS 'why it is not known: never_entered, no_responses (the feed is not mapped), no_answers';

CREATE FUNCTION cvm.journey_gaps_of(touchpoints regclass, touchpoint_columns jsonb, as_of timestamptz, purchases regclass DEFAULT NULL, purchase_columns jsonb DEFAULT NULL,
    rules jsonb DEFAULT cvm.default_journey_rules(), from_on date DEFAULT NULL, time_zone text DEFAULT 'UTC', responses regclass DEFAULT NULL, response_columns jsonb DEFAULT NULL,
    questions jsonb DEFAULT '{"*": "ease"}', low_effort_score float8 DEFAULT 5) RETURNS SETOF cvm.journey_gap_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET work_mem = '64MB' AS $$
BEGIN
    IF low_effort_score IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'low_effort_score must not be null', HINT = 'Leave it out to have its default.';
    END IF;
    PERFORM cvm.argument('low_effort_score', low_effort_score, 1, 7);
    RETURN QUERY EXECUTE format('
        WITH %s, bare AS (SELECT y.place, count(*) FILTER (WHERE y.touchpoints = 0) AS n, sum(y.touchpoints)::bigint AS touchpoints FROM stay y GROUP BY 1),
        later AS (SELECT count(*) AS n FROM (%s) t WHERE t.at >= $2)
        SELECT 0, NULL, g.gap, g.n > 0, g.n, NULL::float8, NULL
        FROM (SELECT ''before_first_contact'', (SELECT coalesce(sum(b.touchpoints), 0)::bigint FROM bare b WHERE b.place = 0)
              UNION ALL SELECT ''after_as_of'', l.n FROM later l) AS g(gap, n)
        UNION ALL
        SELECT s.position, s.stage, g.gap, g.is_gap, g.affected, g.value, g.reason
        FROM stage_row s LEFT JOIN bare b ON b.place = s.position CROSS JOIN LATERAL (VALUES
            (''never_entered'', s.entries = 0, s.entries, NULL, NULL),
            (''no_touchpoint'', CASE WHEN s.entries > 0 THEN s.touchpoints = 0 END, b.n, b.n::float8 / s.entries, CASE WHEN s.entries = 0 THEN ''never_entered'' END),
            (''low_effort_score'', s.effort_score < $6, s.effort_answers, s.effort_score,
             CASE WHEN s.effort_answers IS NULL THEN ''no_responses'' WHEN s.effort_answers = 0 THEN ''no_answers'' END)) AS g(gap, is_gap, affected, value, reason)
        ORDER BY 1, 3',
        cvm.journey_stage_query(cvm.journey_query(touchpoints, touchpoint_columns, as_of, purchases, purchase_columns, rules, from_on, time_zone, cvm.effort_source(responses, response_columns, questions, time_zone)),
                                coalesce(touchpoint_columns ? 'cost', false), responses IS NOT NULL),
        CASE WHEN touchpoints IS NULL THEN 'SELECT NULL::timestamptz AS at WHERE false'
             ELSE cvm.measure_source('touchpoints', touchpoints, touchpoint_columns, '{customer,at,stage}', time_zone, instants => true) END)
    USING as_of, as_of + interval '1 microsecond', rules, from_on::timestamp AT TIME ZONE time_zone, time_zone, low_effort_score;
END $$;
COMMENT ON FUNCTION cvm.journey_gaps_of(regclass, jsonb, timestamptz, regclass, jsonb, jsonb, date, text, regclass, jsonb, jsonb, float8) IS
'Gaps of the journey, a row for every stage and kind of gap, is_gap saying whether it is one: never_entered (nobody has been in the stage), no_touchpoint (no customer in the stage has been spoken to; affected counts the entries without a touchpoint in any case), low_effort_score (the mean answer on effort is below low_effort_score, 1 to 7). At position 0 what was left out: touchpoints before the first contact, which is the first event that a rule takes up, and after as_of. Arguments and errors as cvm.journey_stages_of.';

CREATE FUNCTION cvm.journey_gaps(portfolio text, from_on date DEFAULT NULL, low_effort_score float8 DEFAULT 5) RETURNS SETOF cvm.journey_gap_row
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT v.* FROM cvm.journey_feeds(portfolio) f,
           LATERAL cvm.journey_gaps_of(f.touchpoints, f.touchpoint_columns, f.as_of, f.purchases, f.purchase_columns, f.rules, from_on, f.time_zone, f.responses, f.response_columns, f.questions, low_effort_score) v;
END;
COMMENT ON FUNCTION cvm.journey_gaps(text, date, float8) IS
'Gaps of a portfolio''s journey: cvm.journey_gaps_of on its feeds by its rules, as of the published run. Needs SELECT on the feeds. 55000 before the first recompute, 42704, 42501 and the errors of that.';

-- ---------- answers on effort ----------

CREATE FUNCTION cvm.effort_source(responses regclass, response_columns jsonb, questions jsonb, time_zone text) RETURNS text
LANGUAGE sql STABLE
RETURN CASE WHEN responses IS NOT NULL THEN pg_catalog.format('SELECT a.customer, a.at, CASE a.scale WHEN ''ease'' THEN a.score ELSE 1 + (5 - a.score) * 1.5 END AS score FROM (%s) a',
                         cvm.answer_source(responses, response_columns, questions, '{effort,ease}', time_zone)) END;
COMMENT ON FUNCTION cvm.effort_source(regclass, jsonb, jsonb, text) IS 'SQL of the answers to questions on effort and ease among responses, all on the scale 1 to 7, high is easy: effort (1 to 5, low is good) is turned over and stretched. NULL for NULL.';

-- ---------- findings ----------

CREATE FUNCTION cvm.check_touchpoints(portfolio text) RETURNS TABLE (level text, finding text, hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT cvm.has_feed(portfolio, 'touchpoints') THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT r.level, r.finding, r.hint FROM cvm.check_measured_rows(portfolio, 'touchpoints', '{customer,at,stage}') r;
    BEGIN
        PERFORM cvm.journey_rules(portfolio);
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS finding = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
        level := 'error';
        RETURN NEXT;
    END;
END $$;
COMMENT ON FUNCTION cvm.check_touchpoints(text) IS 'Findings about a portfolio''s touchpoints and the rules of its journey: see cvm.check.';

-- ---------- reports ----------

CREATE FUNCTION cvm.journey_stage_report(portfolio text) RETURNS SETOF cvm.journey_stage_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF cvm.has_published(portfolio) AND cvm.has_feed(portfolio, 'touchpoints') THEN
        RETURN QUERY SELECT v.* FROM cvm.journey_stages(portfolio) v;
    END IF;
END $$;
COMMENT ON FUNCTION cvm.journey_stage_report(text) IS 'What the materialized view journey_stage shows: cvm.journey_stages; no rows before the first run and without touchpoints.';

CREATE FUNCTION cvm.journey_gap_report(portfolio text) RETURNS SETOF cvm.journey_gap_row
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF cvm.has_published(portfolio) AND cvm.has_feed(portfolio, 'touchpoints') THEN
        RETURN QUERY SELECT v.* FROM cvm.journey_gaps(portfolio) v;
    END IF;
END $$;
COMMENT ON FUNCTION cvm.journey_gap_report(text) IS 'What the materialized view journey_gap shows: cvm.journey_gaps; no rows before the first run and without touchpoints.';
