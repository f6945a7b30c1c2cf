-- lifecycle: where customers stand against the rhythm of their own purchases (src/types/rhythm.c)

-- ---------- gaps between purchases ----------

CREATE FUNCTION cvm.purchase_gaps_final(internal) RETURNS float8[]
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_gaps_final';
COMMENT ON FUNCTION cvm.purchase_gaps_final(internal) IS 'Final function of the aggregate cvm.purchase_gaps.';

-- cvm.purchase_gaps takes what cvm.purchase_history takes, with the same state
DO $$
DECLARE
    at_type text;
    amount_type text;
    rest text;
BEGIN
    FOREACH at_type IN ARRAY '{timestamptz,timestamp,date}'::text[] LOOP
        FOREACH amount_type IN ARRAY '{numeric,float8,bigint}'::text[] LOOP
            FOREACH rest IN ARRAY '{"",", period interval",", period interval, time_zone text"}'::text[] LOOP
                EXECUTE pg_catalog.format('CREATE AGGREGATE cvm.purchase_gaps(at %s, amount %s%s) (
                    SFUNC = cvm.purchase_history_accum, STYPE = internal, SSPACE = 512,
                    COMBINEFUNC = cvm.purchase_history_combine, SERIALFUNC = cvm.purchase_history_serialize,
                    DESERIALFUNC = cvm.purchase_history_deserialize, FINALFUNC = cvm.purchase_gaps_final, PARALLEL = SAFE)', at_type, amount_type, rest);
                EXECUTE pg_catalog.format('COMMENT ON AGGREGATE cvm.purchase_gaps(at %s, amount %s%s) IS %L', at_type, amount_type, rest,
                    'Days between successive purchase periods of a group of rows, in order of time: empty for a single one, NULL for no rows. Periods, time zone, NULLs, negative amounts and errors as in cvm.purchase_history of the same arguments.');
            END LOOP;
        END LOOP;
    END LOOP;
END $$;

-- ---------- stages ----------

CREATE FUNCTION cvm.lifecycle_cuts(gaps float8[]) RETURNS float8[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (SELECT ARRAY[q[1], q[2], greatest(q[3], 2 * q[1]), greatest(q[4], 3 * q[1])]
        FROM (SELECT percentile_cont('{0.5,0.75,0.9,0.95}'::float8[]) WITHIN GROUP (ORDER BY g) AS q FROM unnest(cvm.numbers('a gap', gaps, 0)) AS g) AS p WHERE q IS NOT NULL);
COMMENT ON FUNCTION cvm.lifecycle_cuts(float8[]) IS
'Lengths of silence at which a customer''s stage changes, from the gaps of his purchases or of everybody''s (cvm.purchase_gaps), in their unit: the median of the gaps; their 75 % quantile (at risk from then on); the 90 % quantile, at least 2 medians (lapsed); the 95 % quantile, at least 3 medians (churned), so that one who buys every seventh day has not churned on the eighth. A convention. NULL without gaps; 22023 for negative ones.';

CREATE FUNCTION cvm.lifecycle_stage(history cvm.purchase_history, gaps float8[], as_of timestamptz, population float8[], loyal_purchases integer DEFAULT 5) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n integer := coalesce(cardinality(gaps), 0);
    age float8;
    silence float8;
    cuts float8[];
    earlier float8[];
BEGIN
    IF as_of IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'as_of must not be null';
    END IF;
    IF history IS NULL OR cvm.first_at(history) IS NULL THEN
        RETURN 'prospect';
    END IF;
    IF population IS NULL AND n <= 3 THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'population must not be null: fewer than four gaps are no rhythm of one''s own',
            HINT = 'Give cvm.lifecycle_cuts of everybody''s gaps, or days such as ''{30,45,60,90}''.';
    END IF;
    IF cardinality(cvm.numbers('a cut of the population', population, 0)) <> 4
       OR population[1] > population[2] OR population[2] > population[3] OR population[3] > population[4] THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('population %s are not four cuts in ascending order', population),
            HINT = 'Give cvm.lifecycle_cuts of everybody''s gaps, or days such as ''{30,45,60,90}''.';
    END IF;
    IF n <> cvm.repeat_periods(history) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('%s gaps do not belong to a history of %s repeat periods', n, cvm.repeat_periods(history)),
            HINT = 'Aggregate cvm.purchase_gaps and cvm.purchase_history from the same rows, with the same period and time zone.';
    END IF;
    age := cvm.age(history, as_of, '1 day');
    silence := age - cvm.span(history, '1 day');
    cuts := CASE WHEN n >= 3 THEN cvm.lifecycle_cuts(gaps) ELSE population END;
    -- the rhythm that the last gap broke is that of the gaps before it
    earlier := CASE WHEN n > 3 THEN cvm.lifecycle_cuts(trim_array(gaps, 1)) ELSE population END;
    RETURN CASE WHEN n = 0 AND age <= cuts[1] THEN 'new'
                WHEN silence > cuts[4] THEN 'churned'
                WHEN silence > cuts[3] THEN 'lapsed'
                WHEN silence > cuts[2] THEN 'at risk'
                WHEN gaps[n] > earlier[4] THEN 'won back'
                WHEN n + 1 >= loyal_purchases THEN 'loyal'
                ELSE 'active' END;
END $$;
COMMENT ON FUNCTION cvm.lifecycle_stage(cvm.purchase_history, float8[], timestamptz, float8[], integer) IS
'Stage of a customer: prospect (no purchase), new (one purchase, not longer ago than the median gap), then by silence against the cuts of cvm.lifecycle_cuts, his own with three gaps or more, else the population''s: at risk, lapsed, churned; not silent: won back (the last purchase ended a gap for which he would have been called churned, by the gaps before it), loyal (loyal_purchases purchase periods or more), else active. gaps: cvm.purchase_gaps of the same rows as history; days. population: cvm.lifecycle_cuts of everybody''s gaps, or four numbers of days. The stages are exclusive and every customer has one. 22023 for cuts that are not four in ascending order, gaps that are not the history''s and an as_of before the last purchase; 22004 for a NULL as_of, and a NULL population where it is needed.';

-- ---------- early warning ----------

CREATE FUNCTION cvm.silence_probability(history cvm.purchase_history, as_of timestamptz) RETURNS float8
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_silence_probability';
COMMENT ON FUNCTION cvm.silence_probability(cvm.purchase_history, timestamptz) IS
'Probability that the customer''s next gap is at least as long as the present silence if he keeps to his own rhythm, 0 to 1: gaps are gamma distributed, of a shape estimated from the history (their mean, and the mean of their logarithms) with bias correction, and the next one is set against their sum (beta prime). Small: out of rhythm. Not P(alive), which knows everybody''s rates and that customers leave: this knows only how regularly this one buys, so that it notices a weekly buyer''s absence in the second week. NULL for fewer than three gaps; 22023 if as_of is before the last purchase.';

CREATE FUNCTION cvm.early_warning(history cvm.purchase_history, as_of timestamptz, level float8 DEFAULT 0.05) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN cvm.silence_probability(history, as_of) < cvm.argument('level', level, 0, 1);
COMMENT ON FUNCTION cvm.early_warning(cvm.purchase_history, timestamptz, float8) IS
'Whether the customer''s silence is out of his own rhythm: cvm.silence_probability below level. Of those who keep their rhythm about a share level would be warned of at the end of a gap: 4 to 7 of 100 at 0.05 from five gaps on, none to 8 of 100 with three. NULL for fewer than three gaps.';

CREATE FUNCTION cvm.early_warning(portfolio text, level float8 DEFAULT 0.05, least_p_alive float8 DEFAULT 0.5)
RETURNS TABLE (customer_id text, segment text, days_silent integer, mean_gap float8, silence_probability float8, p_alive float8, residual_value float8)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    run record := cvm.published_run(portfolio);
BEGIN
    IF level IS NULL OR least_p_alive IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'level and least_p_alive must not be null', HINT = 'Leave one out to have its default.';
    END IF;
    RETURN QUERY EXECUTE format('
        SELECT w.customer_id::text, w.segment, w.days_silent, cvm.span(w.history, ''1 day'') / cvm.repeat_periods(w.history), w.probability, w.p_alive, w.residual_value
        FROM (SELECT s.*, cvm.silence_probability(s.history, $1) AS probability FROM %I.score s
              WHERE s.run_id = %s AND s.p_alive >= $3 AND cvm.repeat_periods(s.history) >= 3) w
        WHERE w.probability < $2 ORDER BY w.residual_value DESC NULLS LAST, w.customer_id', run.output_schema, run.run_id)
    USING run.as_of, cvm.argument('level', level, 0, 1), cvm.argument('least_p_alive', least_p_alive, 0, 1);
END $$;
COMMENT ON FUNCTION cvm.early_warning(text, float8, float8) IS
'Customers of the published run whose silence is out of their own rhythm (cvm.silence_probability below level) while the model still has them alive (p_alive at least least_p_alive), the most valuable first. mean_gap: days between purchases so far. 42704 unknown portfolio, 42501 for others than its owner, 55000 before the first recompute, 22023 for a level or least_p_alive outside 0 to 1, 22004 null.';
