-- journey_rule: what makes a customer enter a stage of the journey (doc/journey.md)
--
-- A rule is data, not SQL: nothing of the portfolio's owner is executed by whoever reads
-- the journey, and a loop of stages can be told without looking at a single customer.

CREATE FUNCTION cvm.default_journey_rules() RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '[{"position": 10, "event": "touchpoint"},
         {"position": 20, "stage": "first purchase", "event": "first_purchase"},
         {"position": 30, "stage": "repeat purchase", "event": "repeat_purchase"},
         {"position": 40, "stage": "lapsed", "event": "lapse", "moves_back": true},
         {"position": 50, "stage": "returned", "event": "return"}]'::jsonb;
COMMENT ON FUNCTION cvm.default_journey_rules() IS
'Rules of a journey unless others are given: the stages that the touchpoints name themselves, then first purchase, repeat purchase, lapsed and returned.';

CREATE FUNCTION cvm.bad_journey_rule("position" text, message text, hint text) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('journey rule %s %s', coalesce("position", '?'), message), HINT = hint;
END $$;
COMMENT ON FUNCTION cvm.bad_journey_rule(text, text, text) IS 'Raises 22023 about a rule of the journey.';

-- One rule by itself.
CREATE FUNCTION cvm.check_journey_rule(rule jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known constant text[] := '{position,stage,event,touchpoint_stage,channel,campaign,entered_from,moves_back,after_days}';
    events constant text[] := '{touchpoint,first_purchase,repeat_purchase,lapse,return}';
    n text := rule ->> 'position';
    wrong record;
BEGIN
    IF jsonb_typeof(rule) <> 'object' THEN
        PERFORM cvm.bad_journey_rule(NULL, format('is %s, no object', rule), 'Such as {"position": 10, "stage": "trial", "event": "touchpoint", "touchpoint_stage": "trial"}.');
    END IF;
    rule := jsonb_strip_nulls(rule);
    SELECT r.key, r.value INTO wrong FROM jsonb_each(rule) AS r
    WHERE CASE WHEN r.key = 'position' THEN jsonb_typeof(r.value) <> 'number' OR r.value::numeric <> round(r.value::numeric) OR abs(r.value::numeric) > 2147483647
               WHEN r.key = 'after_days' THEN jsonb_typeof(r.value) <> 'number' OR r.value::numeric <= 0 OR r.value::numeric > 36525
               WHEN r.key = 'moves_back' THEN jsonb_typeof(r.value) <> 'boolean'
               WHEN r.key = ANY (known) THEN jsonb_typeof(r.value) <> 'string'
               ELSE true END ORDER BY r.key LIMIT 1;
    IF FOUND THEN
        PERFORM cvm.bad_journey_rule(n, format('has %s of %s', wrong.key, wrong.value),
                                     'Known: position (a whole number), stage, event, touchpoint_stage, channel, campaign, entered_from (strings), moves_back (true or false), after_days (above 0, at most 36525).');
    ELSIF n IS NULL THEN
        PERFORM cvm.bad_journey_rule(NULL, 'has no position', 'Number the rules in the order of the stages, such as 10, 20, 30.');
    ELSIF rule ->> 'event' IS NULL OR rule ->> 'event' <> ALL (events) THEN
        PERFORM cvm.bad_journey_rule(n, format('has the event %s', coalesce(rule ->> 'event', 'null')), format('Known events: %s.', array_to_string(events, ', ')));
    ELSIF coalesce(rule ->> 'stage', CASE WHEN rule ->> 'event' = 'touchpoint' THEN 'its own' ELSE '' END) = '' THEN
        PERFORM cvm.bad_journey_rule(n, 'has no stage', 'Name the stage; only with the event touchpoint it may be left out: then touchpoints name their stage themselves.');
    ELSIF rule ->> 'event' <> 'touchpoint' AND rule ?| '{touchpoint_stage,channel,campaign}' THEN
        PERFORM cvm.bad_journey_rule(n, format('asks for the %s of a %s', (SELECT k FROM unnest('{touchpoint_stage,channel,campaign}'::text[]) AS k WHERE rule ? k LIMIT 1), rule ->> 'event'),
                                     'Only touchpoints have a stage, a channel and a campaign.');
    ELSIF rule ->> 'event' <> 'lapse' AND rule ? 'after_days' THEN
        PERFORM cvm.bad_journey_rule(n, 'has after_days and is not of the event lapse', 'A customer lapses after so many days of silence; a return is a purchase after the longest of them.');
    ELSIF NOT rule ? 'stage' AND rule ? 'touchpoint_stage' THEN
        PERFORM cvm.bad_journey_rule(n, 'asks for one touchpoint_stage and names no stage', 'Name the stage.');
    END IF;
END $$;
COMMENT ON FUNCTION cvm.check_journey_rule(jsonb) IS 'Raises 22023 unless this can be a rule of a journey.';

-- Stages that nobody can get into: each is entered from another of them alone.
CREATE FUNCTION cvm.check_journey_rules(rules jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    open_to text[];         -- stages that can be entered
    before integer := -1;
    wrong record;
    n integer;
    has_own boolean;        -- whether touchpoints name stages themselves
BEGIN
    IF jsonb_typeof(rules) IS DISTINCT FROM 'array' OR jsonb_array_length(rules) NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the rules of a journey must be a JSON array of 1 to 1000 objects',
            HINT = 'See cvm.default_journey_rules() and doc/journey.md.';
    END IF;
    PERFORM cvm.check_journey_rule(r) FROM jsonb_array_elements(rules) AS r;
    SELECT r ->> 'position' AS position INTO wrong FROM jsonb_array_elements(rules) AS r GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 1;
    IF FOUND THEN
        PERFORM cvm.bad_journey_rule(wrong.position, 'is there twice', 'Every rule has a position of its own.');
    END IF;
    SELECT count(DISTINCT r ->> 'stage'), coalesce(bool_or(r ->> 'stage' IS NULL), false) INTO n, has_own FROM jsonb_array_elements(rules) AS r;
    IF n > 100 THEN
        RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded', MESSAGE = format('a journey has at most 100 stages, not %s', n), HINT = 'Several rules may share a stage.';
    END IF;
    SELECT r ->> 'position' AS position, r ->> 'entered_from' AS stage INTO wrong FROM jsonb_array_elements(rules) AS r
    WHERE NOT has_own AND r ->> 'entered_from' IS NOT NULL
      AND NOT EXISTS (SELECT FROM jsonb_array_elements(rules) AS s WHERE s ->> 'stage' = r ->> 'entered_from') ORDER BY (r -> 'position')::numeric LIMIT 1;
    IF FOUND THEN
        PERFORM cvm.bad_journey_rule(wrong.position, format('is entered from "%s", which is no stage', wrong.stage), 'Name the stage of another rule.');
    END IF;
    open_to := '{}';
    WHILE cardinality(open_to) <> before LOOP
        before := cardinality(open_to);
        open_to := ARRAY(SELECT DISTINCT r ->> 'stage' FROM jsonb_array_elements(rules) AS r
                         WHERE r ->> 'stage' IS NOT NULL
                           AND (r ->> 'entered_from' IS NULL OR r ->> 'entered_from' = ANY (open_to)
                                -- a stage that the touchpoints name
                                OR NOT EXISTS (SELECT FROM jsonb_array_elements(rules) AS s WHERE s ->> 'stage' = r ->> 'entered_from')) ORDER BY 1);
    END LOOP;
    SELECT string_agg(format('"%s"', s.stage), ', ' ORDER BY s.position) AS stages, count(*) AS n INTO wrong
    FROM (SELECT r ->> 'stage' AS stage, min((r -> 'position')::numeric) AS position FROM jsonb_array_elements(rules) AS r
          WHERE r ->> 'stage' IS NOT NULL AND r ->> 'stage' <> ALL (open_to) GROUP BY 1) AS s;
    IF wrong.n > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format(CASE WHEN wrong.n = 1 THEN 'the stage %s of the journey forms a loop' ELSE 'the stages %s of the journey form a loop' END, wrong.stages),
            DETAIL = 'Each of them is entered only from another of them, so that nobody ever gets there.',
            HINT = 'Let one of them be entered from a stage outside, or from anywhere: entered_from NULL.';
    END IF;
    RETURN rules;
END $$;
COMMENT ON FUNCTION cvm.check_journey_rules(jsonb) IS
'The rules of a journey, if they can be: an array of objects with position, stage, event and optionally touchpoint_stage, channel, campaign, entered_from, moves_back, after_days. 22023 for a rule that can not be, a position given twice, entered_from a stage that is none, and stages that form a loop; 54000 for more than 100 stages.';

-- ---------- the rules of a portfolio ----------

CREATE FUNCTION cvm.create_journey_rules(s text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('CREATE TABLE %I.journey_stage_rule (
        position integer PRIMARY KEY, stage text,
        event text NOT NULL CHECK (event IN (''touchpoint'', ''first_purchase'', ''repeat_purchase'', ''lapse'', ''return'')),
        touchpoint_stage text, channel text, campaign text, entered_from text, moves_back boolean NOT NULL DEFAULT false, after_days float8)', s);
    EXECUTE format('INSERT INTO %I.journey_stage_rule (position, stage, event, moves_back)
        SELECT r.position, r.stage, r.event, coalesce(r.moves_back, false)
        FROM jsonb_to_recordset(cvm.default_journey_rules()) AS r(position integer, stage text, event text, moves_back boolean)', s);
    PERFORM cvm.describe_output(s, 'journey_stage_rule');
END $$;
COMMENT ON FUNCTION cvm.create_journey_rules(text) IS 'Creates the table journey_stage_rule of an output schema, with the default rules.';

CREATE FUNCTION cvm.journey_rules(portfolio text) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s text := (cvm.own_portfolio(portfolio)).output_schema;
    rules jsonb;
BEGIN
    IF to_regclass(format('%I.journey_stage_rule', s)) IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_table',
            MESSAGE = format('the rules of the journey, table %I.journey_stage_rule, do not exist', s),
            HINT = format('Make the table again, with the default rules: SELECT cvm.create_journey_rules(%L);', s);
    END IF;
    EXECUTE format('SELECT jsonb_agg(to_jsonb(r)) FROM (
        SELECT t.position, t.stage, t.event, t.touchpoint_stage, t.channel, t.campaign, t.entered_from, t.moves_back, t.after_days
        FROM %I.journey_stage_rule t ORDER BY t.position LIMIT 1001) r', s) INTO rules;
    IF rules IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('the journey has no rules: table %I.journey_stage_rule is empty', s),
            HINT = format('Drop the table and make it again with the default rules: SELECT cvm.create_journey_rules(%L); or insert rules of your own (doc/journey.md).', s);
    END IF;
    -- no name is looked up from here on: what the table really is may have set another search_path
    RETURN cvm.check_journey_rules(rules);
END $$;
COMMENT ON FUNCTION cvm.journey_rules(text) IS 'The rules of a portfolio''s journey, of its table journey_stage_rule. 42P01 where that is gone, 22023 where it is empty, 42704, 42501, and the errors of cvm.check_journey_rules.';
