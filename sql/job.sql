-- job: recomputes and validations on a schedule, run by the background worker (src/worker)
--
-- A job is a recompute, or a validation against a holdout, on a schedule; a run is one execution of it.  The table may
-- be written directly: row security and the trigger check what the functions check.

-- ---------- what the worker knows ----------

CREATE FUNCTION cvm.is_preloaded() RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_is_preloaded';
COMMENT ON FUNCTION cvm.is_preloaded() IS 'Whether the server preloaded the library, without which no worker starts jobs.';

CREATE FUNCTION cvm.database_identity() RETURNS text
LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'cvm_database_identity';
COMMENT ON FUNCTION cvm.database_identity() IS 'Identity of this database: system identifier and oid. A restore or a copy has another one, a promoted standby the same.';

CREATE FUNCTION cvm.progress_slots(OUT run_id bigint, OUT phase text, OUT done bigint, OUT total bigint, OUT pid integer) RETURNS SETOF record
LANGUAGE C VOLATILE ROWS 10 AS 'MODULE_PATHNAME', 'cvm_progress_slots';
COMMENT ON FUNCTION cvm.progress_slots() IS 'Where the recomputes of this database are, from shared memory; no rows where the library is not preloaded. Read cvm.progress.';

CREATE FUNCTION cvm.is_object_locked(class oid, id bigint) RETURNS boolean
LANGUAGE sql VOLATILE
RETURN EXISTS (SELECT FROM pg_catalog.pg_locks l
               WHERE l.locktype = 'object' AND l.granted AND l.classid = class AND l.objid::bigint = id AND l.objsubid = 1
                 AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()));
COMMENT ON FUNCTION cvm.is_object_locked(oid, bigint) IS 'Whether any process holds the lock of a portfolio (class cvm.portfolio, its portfolio_id) or of a job (class cvm.job, its job_id).';

-- ---------- schedule ----------

-- Months and days of the local calendar, hours and less in absolute time, as timestamptz + interval does in the session's zone.
CREATE FUNCTION cvm.slot_at(starting timestamptz, every interval, time_zone text, n bigint) RETURNS timestamptz
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN (SELECT CASE WHEN e.months = 0 AND e.days = 0 THEN starting + n * every
                    ELSE ((starting AT TIME ZONE time_zone)
                          + pg_catalog.make_interval(months => (n * e.months)::integer, days => (n * e.days)::integer)) AT TIME ZONE time_zone
                         + n * (every - pg_catalog.make_interval(months => e.months, days => e.days)) END
        FROM (SELECT (EXTRACT(year FROM every) * 12 + EXTRACT(month FROM every))::integer AS months,
                     EXTRACT(day FROM every)::integer AS days) AS e);
COMMENT ON FUNCTION cvm.slot_at(timestamptz, interval, text, bigint) IS 'Slot n of a schedule: starting + n x every, months and days counted in local time, hours and less in absolute time, always from the start, so that nothing drifts.';

-- The average length of an interval finds n but for the irregularity of the calendar (at most 3 days in
-- months, 2 in days), which is less than 3 steps.
CREATE FUNCTION cvm.next_slot(starting timestamptz, every interval, time_zone text, after timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN CASE WHEN starting > after THEN starting ELSE
    (SELECT pg_catalog.min(s.at)
     FROM pg_catalog.generate_series(-3, 4) AS k,
          LATERAL (SELECT pg_catalog.floor(EXTRACT(epoch FROM after - starting)::float8
                                           / greatest(cvm.interval_seconds(every), 1))::bigint + k AS n) c,
          LATERAL (SELECT cvm.slot_at(starting, every, time_zone, c.n) AS at) s
     WHERE c.n >= 1 AND s.at > after) END;
COMMENT ON FUNCTION cvm.next_slot(timestamptz, interval, text, timestamptz) IS 'First slot of a schedule after an instant. However many were missed, there is one next.';

-- ---------- jobs ----------

CREATE FUNCTION cvm.check_job_interval(setting text, value interval, longest interval) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET intervalstyle = 'postgres' AS $$
BEGIN
    IF value < interval '1 second' OR value > longest
       OR least(EXTRACT(year FROM value), EXTRACT(month FROM value), EXTRACT(day FROM value),
                EXTRACT(epoch FROM value - date_trunc('day', value))) < 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation',
            MESSAGE = format('"%s" of a job can not be %s', setting, value),
            DETAIL = format('It must be from 1 second to %s, no part of it negative.', longest),
            HINT = format('Such as %s => ''1 day''.', setting);
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION cvm.check_job_interval(text, interval, interval) IS 'True for an interval from 1 second to the longest without a negative part; otherwise 23514 names the setting.';

CREATE TABLE cvm.job (
    job_id bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME cvm.job_id_seq MAXVALUE 2147483647) PRIMARY KEY
        CHECK (job_id BETWEEN 1 AND 2147483647),
    portfolio text NOT NULL,
    holdout interval CHECK (cvm.check_job_interval('holdout', holdout, '100 years')),
    every interval NOT NULL CHECK (cvm.check_job_interval('every', every, '100 years')),
    starting timestamptz NOT NULL
        CHECK (starting BETWEEN timestamptz '1900-01-01 00:00:00+00' AND timestamptz '9999-01-01 00:00:00+00'),
    time_zone text NOT NULL,
    max_runtime interval NOT NULL DEFAULT '12 hours' CHECK (cvm.check_job_interval('max_runtime', max_runtime, '1 year')),
    max_retries integer NOT NULL DEFAULT 3 CHECK (max_retries BETWEEN 0 AND 1000),
    retry_period interval NOT NULL DEFAULT '5 minutes' CHECK (cvm.check_job_interval('retry_period', retry_period, '1 year')),
    run_as text NOT NULL DEFAULT current_user,
    enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    home text NOT NULL DEFAULT cvm.database_identity(),
    next_due timestamptz NOT NULL,
    attempt integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    open_run_id bigint,
    last_run_id bigint
);
COMMENT ON SEQUENCE cvm.job_id_seq IS 'Numbers jobs.';
COMMENT ON TABLE cvm.job IS 'Jobs: recomputes and validations on a schedule. Read cvm.jobs; write through cvm.schedule, cvm.schedule_validation, cvm.alter_job, cvm.unschedule, or directly.';
COMMENT ON COLUMN cvm.job.job_id IS 'number of the job, part of the tag of the lock that its process holds';
COMMENT ON COLUMN cvm.job.portfolio IS 'portfolio that it recomputes or validates';
COMMENT ON COLUMN cvm.job.holdout IS 'it validates with this holdout, 1 second to 100 years (cvm.validate); NULL: it recomputes. Neither becomes the other';
COMMENT ON COLUMN cvm.job.every IS 'time between two slots, 1 second to 100 years; months and days are of the local calendar';
COMMENT ON COLUMN cvm.job.starting IS 'first slot';
COMMENT ON COLUMN cvm.job.time_zone IS 'time zone in which months and days are counted';
COMMENT ON COLUMN cvm.job.max_runtime IS 'a run that takes longer is cancelled';
COMMENT ON COLUMN cvm.job.max_retries IS 'retries of a failed run before it waits for the next slot';
COMMENT ON COLUMN cvm.job.retry_period IS 'wait before the first retry; doubled each time up to an hour (or this, if longer), up to a quarter more at random';
COMMENT ON COLUMN cvm.job.run_as IS 'role that the run connects as: one that may log in, the portfolio''s owner or a member of it, no superuser unless the owner is one';
COMMENT ON COLUMN cvm.job.enabled IS 'whether it is started when due';
COMMENT ON COLUMN cvm.job.created_at IS 'when it was scheduled';
COMMENT ON COLUMN cvm.job.home IS 'identity of the database it was scheduled or resumed in; in another one (a restore, a copy) it is paused';
COMMENT ON COLUMN cvm.job.next_due IS 'when it is due; kept by the worker. Written NULL it is worked out anew, which takes a paused job into this database';
COMMENT ON COLUMN cvm.job.attempt IS 'attempts made for the present slot; 0 after a success; kept by the worker';
COMMENT ON COLUMN cvm.job.failures IS 'failures in a row; kept by the worker';
COMMENT ON COLUMN cvm.job.open_run_id IS 'run under way or not yet accounted for; kept by the worker';
COMMENT ON COLUMN cvm.job.last_run_id IS 'last run; kept by the worker';
CREATE INDEX job_of_portfolio ON cvm.job (portfolio);
COMMENT ON INDEX cvm.job_of_portfolio IS 'Jobs of a portfolio.';

SELECT pg_catalog.pg_extension_config_dump('cvm.job', '');
SELECT pg_catalog.pg_extension_config_dump('cvm.job_id_seq', '');

GRANT SELECT, DELETE, INSERT (portfolio, holdout, every, starting, time_zone, max_runtime, max_retries, retry_period, run_as, enabled),
    UPDATE (holdout, every, starting, time_zone, max_runtime, max_retries, retry_period, run_as, enabled, next_due) ON cvm.job TO PUBLIC;
ALTER TABLE cvm.job ENABLE ROW LEVEL SECURITY;
CREATE POLICY owner ON cvm.job USING (cvm.may_act(portfolio)) WITH CHECK (cvm.may_act(portfolio));
CREATE POLICY reader ON cvm.job FOR SELECT USING (cvm.may_read(portfolio));
COMMENT ON POLICY owner ON cvm.job IS 'Members of the owner schedule recomputes and validations of their portfolios.';
COMMENT ON POLICY reader ON cvm.job IS 'Readers of the output schema and pg_monitor see the jobs.';

-- Shared by the functions and the trigger, so that a direct write passes the same checks.
CREATE FUNCTION cvm.check_run_as(portfolio text, run_as text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner text := cvm.portfolio_owner(portfolio);
    role pg_roles;
BEGIN
    SELECT r.* INTO role FROM pg_roles r WHERE r.rolname = check_run_as.run_as::name;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = format('role "%s" does not exist', run_as);
    END IF;
    IF NOT pg_has_role(role.oid, 'MEMBER') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('permission denied to run a job as "%s"', run_as),
            DETAIL = format('Role "%s" is no member of it.', current_user);
    END IF;
    IF NOT role.rolcanlogin THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_authorization_specification',
            MESSAGE = format('role "%s" may not log in, so no job can run as it', run_as),
            HINT = format('Name a login role that is a member of "%s" with run_as; the recompute has the owner''s privileges whoever runs it.', owner);
    END IF;
    IF owner IS NOT NULL AND NOT pg_has_role(role.oid, owner::name, 'MEMBER') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('role "%s" may not recompute portfolio "%s"', run_as, portfolio),
            DETAIL = format('It is no member of the portfolio''s owner "%s".', owner),
            HINT = format('GRANT %I TO %I, or name another role with run_as.', owner, run_as);
    END IF;
    IF role.rolsuper AND owner IS NOT NULL AND NOT (SELECT o.rolsuper FROM pg_roles o WHERE o.rolname = owner::name) THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('a job of portfolio "%s" may not run as the superuser "%s"', portfolio, run_as),
            DETAIL = format('The portfolio''s owner "%s" is none.', owner),
            HINT = 'Name the owner with run_as, or another role that is a member of it.';
    END IF;
END $$;
COMMENT ON FUNCTION cvm.check_run_as(text, text) IS 'Raises unless a job of the portfolio can run as this role for the current role: 42704 no such role, 42501 no member, or a superuser where the owner is none, 28000 it may not log in.';

CREATE FUNCTION cvm.check_schedule(job cvm.job) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    missing text := (SELECT s.setting FROM (VALUES (1, 'every', job.every IS NULL), (2, 'starting', job.starting IS NULL),
                         (3, 'time_zone', job.time_zone IS NULL), (4, 'max_runtime', job.max_runtime IS NULL),
                         (5, 'max_retries', job.max_retries IS NULL), (6, 'retry_period', job.retry_period IS NULL)) AS s(position, setting, is_missing)
                     WHERE s.is_missing ORDER BY s.position LIMIT 1);
BEGIN
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'not_null_violation',
            MESSAGE = format('"%s" of a job must not be null', missing),
            HINT = 'Leave it out of cvm.schedule, which has a default for it.';
    END IF;
    IF job.starting NOT BETWEEN '1900-01-01 00:00:00+00' AND '9999-01-01 00:00:00+00' THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation',
            MESSAGE = format('"starting" of a job can not be %s', job.starting),
            DETAIL = 'It must be from the year 1900 to the year 9998.',
            HINT = 'Such as starting => ''2026-01-01 03:00 Europe/Berlin''; now unless given.';
    END IF;
    IF job.max_retries NOT BETWEEN 0 AND 1000 THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation',
            MESSAGE = format('"max_retries" of a job can not be %s', job.max_retries),
            DETAIL = 'It must be from 0 to 1000.',
            HINT = 'With 0 a failed run waits for the next slot.';
    END IF;
END $$;
COMMENT ON FUNCTION cvm.check_schedule(cvm.job) IS 'Raises where a setting of a job is null (23502), or starting or max_retries is out of range (23514).';

CREATE FUNCTION cvm.check_job_time_zone(time_zone text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM now() AT TIME ZONE time_zone;
EXCEPTION WHEN invalid_parameter_value THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
        MESSAGE = format('"time_zone" of a job can not be "%s"', time_zone),
        DETAIL = 'The server knows no such time zone.',
        HINT = 'Such as time_zone => ''Europe/Berlin'': the view pg_timezone_names lists them.';
END $$;
COMMENT ON FUNCTION cvm.check_job_time_zone(text) IS 'Raises 22023 where the server does not know the time zone.';

-- A row that is inserted with another database's identity comes from a restore, since home is nobody's to write:
-- it is kept as it is, and is paused.
CREATE FUNCTION cvm.check_job() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.home <> cvm.database_identity() THEN
        RETURN NEW;
    END IF;
    PERFORM cvm.check_schedule(NEW);
    IF TG_OP = 'UPDATE' AND (NEW.holdout IS NULL) <> (OLD.holdout IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = CASE WHEN OLD.holdout IS NULL THEN format('job %s recomputes, and has no holdout', OLD.job_id)
                           ELSE format('job %s validates, and needs a holdout', OLD.job_id) END,
            HINT = 'cvm.schedule_validation makes a job that validates, cvm.schedule one that recomputes.';
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.next_due IS NULL THEN
        IF NEW.home <> cvm.database_identity() THEN
            NEW.home := cvm.database_identity();
            NEW.attempt := 0;
            NEW.open_run_id := NULL;
        END IF;
        NEW.next_due := cvm.next_slot(NEW.starting, NEW.every, NEW.time_zone, clock_timestamp());
    END IF;
    IF TG_OP = 'INSERT' OR NEW.time_zone <> OLD.time_zone OR NEW.home <> OLD.home THEN
        PERFORM cvm.check_job_time_zone(NEW.time_zone);
    END IF;
    IF TG_OP = 'INSERT' OR NEW.run_as <> OLD.run_as OR NEW.portfolio <> OLD.portfolio OR NEW.home <> OLD.home THEN
        PERFORM cvm.check_run_as(NEW.portfolio, NEW.run_as);
    END IF;
    IF TG_OP = 'INSERT' THEN
        NEW.next_due := coalesce(NEW.next_due, NEW.starting);
    ELSIF NEW.next_due = OLD.next_due AND
          (NEW.every <> OLD.every OR NEW.starting <> OLD.starting OR NEW.time_zone <> OLD.time_zone) THEN
        NEW.next_due := coalesce(cvm.next_slot(NEW.starting, NEW.every, NEW.time_zone, now()), OLD.next_due);
        NEW.attempt := 0;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION cvm.check_job() IS 'Trigger of cvm.job: checks settings, time zone and run_as of what is written, and works out when a new, changed or resumed schedule is next due.';

CREATE TRIGGER check_job BEFORE INSERT OR UPDATE ON cvm.job FOR EACH ROW EXECUTE FUNCTION cvm.check_job();
COMMENT ON TRIGGER check_job ON cvm.job IS 'Checks the row.';

CREATE FUNCTION cvm.announce_job() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'cvm_announce_job';
COMMENT ON FUNCTION cvm.announce_job() IS 'Trigger of cvm.job: tells the launcher, on commit, when this database is next due.';

CREATE TRIGGER zz_announce_job AFTER INSERT OR UPDATE ON cvm.job FOR EACH ROW EXECUTE FUNCTION cvm.announce_job();
COMMENT ON TRIGGER zz_announce_job ON cvm.job IS 'Wakes the worker on commit.';

-- ---------- the end of a run ----------

CREATE FUNCTION cvm.announce_run() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('cvm', json_build_object('portfolio', NEW.portfolio, 'run_id', NEW.run_id, 'status', NEW.status)::text);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION cvm.announce_run() IS 'Trigger of cvm.run: one NOTIFY on channel cvm for each run that ends, {"portfolio", "run_id", "status"}.';

CREATE TRIGGER announce_run AFTER UPDATE OF status ON cvm.run FOR EACH ROW
    WHEN (OLD.status = 'running' AND NEW.status <> 'running') EXECUTE FUNCTION cvm.announce_run();
COMMENT ON TRIGGER announce_run ON cvm.run IS 'NOTIFY cvm when a run ends, by a job or by hand, however it ends.';

-- ---------- schedule, alter, run, cancel ----------

-- The present value is not for everybody to see: pg_settings leaves it out, current_setting would raise.
CREATE FUNCTION cvm.preload_hint() RETURNS text
LANGUAGE sql STABLE
RETURN pg_catalog.format('Put shared_preload_libraries = ''%s'' into postgresql.conf and restart the server, or CALL cvm.recompute from another scheduler.',
    pg_catalog.concat_ws(', ', nullif((SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.name = 'shared_preload_libraries'), ''), 'cvm'));
COMMENT ON FUNCTION cvm.preload_hint() IS 'How to have the worker start jobs where the library is not preloaded; other libraries are named if the current role may see them.';

CREATE FUNCTION cvm.warn_if_nobody_runs_jobs() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT cvm.is_preloaded() THEN
        RAISE WARNING USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'no background worker starts this job: the server has not preloaded cvm',
            HINT = cvm.preload_hint();
    ELSIF NOT current_setting('cvm.worker_enabled')::boolean THEN
        RAISE WARNING USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'no background worker starts this job: cvm.worker_enabled is off';
    END IF;
END $$;
COMMENT ON FUNCTION cvm.warn_if_nobody_runs_jobs() IS 'Warns where the worker is not there.';

-- What cvm.schedule and cvm.schedule_validation have in common.
CREATE FUNCTION cvm.add_job(portfolio text, holdout interval, every interval, starting timestamptz, time_zone text,
    max_runtime interval, max_retries integer, retry_period interval, run_as regrole) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present cvm.portfolio := cvm.own_portfolio(portfolio);
    -- a superuser schedules for the owner
    default_role text := (SELECT coalesce(o.rolname, c.rolname) FROM pg_roles c
                          LEFT JOIN pg_roles o ON o.rolname = cvm.portfolio_owner(portfolio)::name AND c.rolsuper AND NOT o.rolsuper
                          WHERE c.rolname = current_user);
    result bigint;
BEGIN
    INSERT INTO cvm.job (portfolio, holdout, every, starting, time_zone, max_runtime, max_retries, retry_period, run_as)
    VALUES (add_job.portfolio, add_job.holdout, add_job.every, coalesce(add_job.starting, clock_timestamp()),
            coalesce(add_job.time_zone, present.options ->> 'time_zone', 'UTC'),
            add_job.max_runtime, add_job.max_retries, add_job.retry_period,
            coalesce((SELECT r.rolname::text FROM pg_roles r WHERE r.oid = add_job.run_as),
                     add_job.run_as::text, default_role))
    RETURNING job_id INTO result;
    PERFORM cvm.warn_if_nobody_runs_jobs();
    RETURN result;
END $$;
COMMENT ON FUNCTION cvm.add_job(text, interval, interval, timestamptz, text, interval, integer, interval, regrole) IS
'A job that recomputes (holdout NULL) or validates: see cvm.schedule and cvm.schedule_validation, which call it.';

CREATE FUNCTION cvm.schedule(portfolio text, every interval DEFAULT '1 day', starting timestamptz DEFAULT NULL, time_zone text DEFAULT NULL,
    max_runtime interval DEFAULT '12 hours', max_retries integer DEFAULT 3, retry_period interval DEFAULT '5 minutes',
    run_as regrole DEFAULT NULL) RETURNS bigint
LANGUAGE sql VOLATILE
RETURN cvm.add_job(portfolio, NULL, every, starting, time_zone, max_runtime, max_retries, retry_period, run_as);
COMMENT ON FUNCTION cvm.schedule(text, interval, timestamptz, text, interval, integer, interval, regrole) IS
'Schedules a recompute of the portfolio by the background worker and returns the job''s number. every: 1 second to 100 years; days and months keep the local hour of time_zone (the portfolio''s unless given). starting: first slot, now unless given; without a zone it is read in that of the session (TimeZone), so write ''2026-01-01 03:00 Europe/Berlin''. A start in the past is due at once: slots that have passed count as one. max_runtime: a longer run is cancelled. A failed run is retried up to max_retries times, after retry_period, doubled each time. run_as: the role it connects as, the current one unless given (the owner, where a superuser schedules for one that is none), which must be able to log in. Errors: 42704 unknown portfolio or role, 42501 not permitted, 28000 run_as may not log in, 23514 out of range, 23502 null, 22023 unknown time zone. Warns where the library is not preloaded.';

CREATE FUNCTION cvm.schedule_validation(portfolio text, holdout interval, every interval DEFAULT '1 month', starting timestamptz DEFAULT NULL,
    time_zone text DEFAULT NULL, max_runtime interval DEFAULT '12 hours', max_retries integer DEFAULT 3, retry_period interval DEFAULT '5 minutes',
    run_as regrole DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF holdout IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'holdout must not be null',
            HINT = format('Such as SELECT cvm.schedule_validation(%L, holdout => ''90 days'', every => ''1 month'');', coalesce(portfolio, 'shop'));
    END IF;
    RETURN cvm.add_job(portfolio, holdout, every, starting, time_zone, max_runtime, max_retries, retry_period, run_as);
END $$;
COMMENT ON FUNCTION cvm.schedule_validation(text, interval, interval, timestamptz, text, interval, integer, interval, regrole) IS
'Schedules cvm.validate of the portfolio by the background worker and returns the job''s number: at each slot the specifications are held against the last holdout (1 second to 100 years, such as 90 days) up to then, and what the gate promotes is taken up by the next recompute. It neither waits for recomputes nor keeps them waiting. Other arguments and errors as of cvm.schedule, and 22004 for a holdout that is NULL. A run without a purchase in the holdout, or with nothing to calibrate on, fails with 02000.';

CREATE FUNCTION cvm.own_job(job_id bigint) RETURNS cvm.job
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result cvm.job;
BEGIN
    SELECT j.* INTO result FROM cvm.job j WHERE j.job_id = own_job.job_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = CASE WHEN job_id IS NULL THEN 'job_id must not be null' ELSE format('job %s does not exist', job_id) END,
            HINT = 'The view cvm.jobs lists those you may see.';
    END IF;
    PERFORM cvm.own_portfolio(result.portfolio);
    RETURN result;
END $$;
COMMENT ON FUNCTION cvm.own_job(bigint) IS 'The job''s row if the current role may act on its portfolio; 42704 unknown, 42501 not permitted.';

CREATE FUNCTION cvm.alter_job(job_id bigint, every interval DEFAULT NULL, starting timestamptz DEFAULT NULL, time_zone text DEFAULT NULL,
    max_runtime interval DEFAULT NULL, max_retries integer DEFAULT NULL, retry_period interval DEFAULT NULL,
    run_as regrole DEFAULT NULL, enabled boolean DEFAULT NULL, holdout interval DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM cvm.own_job(job_id);
    UPDATE cvm.job AS j
    SET every = coalesce(alter_job.every, j.every), starting = coalesce(alter_job.starting, j.starting),
        time_zone = coalesce(alter_job.time_zone, j.time_zone), max_runtime = coalesce(alter_job.max_runtime, j.max_runtime),
        max_retries = coalesce(alter_job.max_retries, j.max_retries), retry_period = coalesce(alter_job.retry_period, j.retry_period),
        run_as = coalesce((SELECT r.rolname::text FROM pg_roles r WHERE r.oid = alter_job.run_as), alter_job.run_as::text, j.run_as),
        enabled = coalesce(alter_job.enabled, j.enabled), holdout = coalesce(alter_job.holdout, j.holdout)
    WHERE j.job_id = alter_job.job_id;
END $$;
COMMENT ON FUNCTION cvm.alter_job(bigint, interval, timestamptz, text, interval, integer, interval, regrole, boolean, interval) IS
'Changes a job; what is not given stays. holdout: of a job that validates. A changed schedule is next due at its first slot from now on. enabled: false keeps it from being started; what was missed is made up for by one run. Errors as of cvm.schedule, 42704 unknown job, and 22023 for a holdout of a job that recomputes.';

CREATE FUNCTION cvm.unschedule(job_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM cvm.own_job(job_id);
    DELETE FROM cvm.job j WHERE j.job_id = unschedule.job_id;
END $$;
COMMENT ON FUNCTION cvm.unschedule(bigint) IS 'Removes a job; its runs stay in cvm.job_runs. A run under way finishes: cvm.cancel_job stops it. Errors: 42704 unknown job, 42501 not permitted.';

CREATE FUNCTION cvm.run_job(job_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present cvm.job := cvm.own_job(job_id);
BEGIN
    IF present.home <> cvm.database_identity() THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('job %s is paused: it was scheduled in another database', job_id),
            HINT = 'If this restore or copy is to work by itself, call cvm.resume_jobs().';
    END IF;
    IF NOT present.enabled THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('job %s is not enabled', job_id),
            HINT = format('SELECT cvm.alter_job(%s, enabled => true);', job_id);
    END IF;
    UPDATE cvm.job j SET next_due = least(j.next_due, clock_timestamp()) WHERE j.job_id = run_job.job_id;
    PERFORM cvm.warn_if_nobody_runs_jobs();
END $$;
COMMENT ON FUNCTION cvm.run_job(bigint) IS 'Has the worker run a job as soon as this transaction commits, or once more after the run under way. Its slots stay as they are. Errors: 42704 unknown job, 42501 not permitted, 55000 paused or not enabled.';

CREATE FUNCTION cvm.cancel_job(job_id bigint) RETURNS boolean
LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'cvm_cancel_job';
COMMENT ON FUNCTION cvm.cancel_job(bigint) IS 'Cancels the run of a job that is under way: true if there was one. It ends as cancelled, is not retried, and the last published result stays. Errors: 42704 unknown job, 42501 not permitted.';

CREATE FUNCTION cvm.resume_jobs() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    paused bigint;
    resumed bigint := 0;
    message text;
    detail text;
BEGIN
    FOR paused IN SELECT j.job_id FROM cvm.job j WHERE j.home <> cvm.database_identity() AND cvm.may_act(j.portfolio) ORDER BY j.job_id LOOP
        -- one that can not run keeps no other from it
        BEGIN
            UPDATE cvm.job j SET next_due = NULL WHERE j.job_id = paused;
            resumed := resumed + 1;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
            RAISE WARNING USING ERRCODE = SQLSTATE, MESSAGE = format('job %s stays paused', paused),
                DETAIL = concat_ws(' ', message || '.', detail),
                HINT = format('Change it, such as SELECT cvm.alter_job(%s, run_as => ...), and call cvm.resume_jobs() again.', paused);
        END;
    END LOOP;
    IF resumed > 0 THEN
        PERFORM cvm.warn_if_nobody_runs_jobs();
    END IF;
    RETURN resumed;
END $$;
COMMENT ON FUNCTION cvm.resume_jobs() IS 'Lets the jobs of one''s portfolios that were scheduled before a restore or copy of the database run in this one, from their next slot on; returns how many. A job that may not run as its run_as here stays paused, with a warning that says why: cvm.alter_job names another role.';

-- ---------- views ----------

CREATE FUNCTION cvm.is_run_alive(portfolio_id integer, job_id bigint) RETURNS boolean
LANGUAGE sql VOLATILE
RETURN pg_catalog.pg_is_in_recovery()
    OR CASE WHEN job_id IS NULL THEN cvm.is_object_locked('cvm.portfolio'::regclass, portfolio_id)
            ELSE cvm.is_object_locked('cvm.job'::regclass, job_id) END;
COMMENT ON FUNCTION cvm.is_run_alive(integer, bigint) IS 'Whether the lock of a run is held: that of its job, or of the portfolio if it was called by hand. A standby does not see the locks of its primary and takes them as held.';

CREATE VIEW cvm.jobs WITH (security_invoker = true) AS
SELECT j.job_id, j.portfolio, CASE WHEN j.holdout IS NULL THEN 'recompute' ELSE 'validation' END AS kind, j.holdout, j.every, j.starting, j.time_zone, j.run_as,
       CASE WHEN j.home <> cvm.database_identity() THEN 'paused' WHEN NOT j.enabled THEN 'disabled'
            WHEN cvm.is_object_locked('cvm.job'::regclass, j.job_id) THEN 'running' ELSE 'waiting' END AS state,
       CASE WHEN j.enabled AND j.home = cvm.database_identity() THEN j.next_due END AS next_due,
       j.max_runtime, j.max_retries, j.retry_period, j.failures, j.last_run_id,
       (SELECT pg_catalog.max(r.finished_at) FROM cvm.run r
        WHERE r.portfolio = j.portfolio AND r.job_id = j.job_id AND r.status = 'succeeded') AS last_success_at, j.created_at
FROM cvm.job j;
COMMENT ON VIEW cvm.jobs IS 'Jobs of the portfolios that the current role owns or may read.';
COMMENT ON COLUMN cvm.jobs.job_id IS 'number of the job';
COMMENT ON COLUMN cvm.jobs.portfolio IS 'portfolio that it recomputes or validates';
COMMENT ON COLUMN cvm.jobs.kind IS 'recompute, or validation (cvm.schedule_validation)';
COMMENT ON COLUMN cvm.jobs.holdout IS 'holdout of a validation; NULL of a recompute';
COMMENT ON COLUMN cvm.jobs.every IS 'time between two slots';
COMMENT ON COLUMN cvm.jobs.starting IS 'first slot';
COMMENT ON COLUMN cvm.jobs.time_zone IS 'time zone in which months and days are counted';
COMMENT ON COLUMN cvm.jobs.run_as IS 'role that the run connects as';
COMMENT ON COLUMN cvm.jobs.state IS 'running; waiting until next_due; disabled by cvm.alter_job; paused since a restore or copy, until cvm.resume_jobs()';
COMMENT ON COLUMN cvm.jobs.next_due IS 'when it is started next: a slot, a retry, or at once after cvm.run_job; NULL: never';
COMMENT ON COLUMN cvm.jobs.max_runtime IS 'a run that takes longer is cancelled';
COMMENT ON COLUMN cvm.jobs.max_retries IS 'retries of a failed run before it waits for the next slot';
COMMENT ON COLUMN cvm.jobs.retry_period IS 'wait before the first retry';
COMMENT ON COLUMN cvm.jobs.failures IS 'failures in a row';
COMMENT ON COLUMN cvm.jobs.last_run_id IS 'last run';
COMMENT ON COLUMN cvm.jobs.last_success_at IS 'when it last succeeded';
COMMENT ON COLUMN cvm.jobs.created_at IS 'when it was scheduled';

CREATE VIEW cvm.job_runs WITH (security_invoker = true) AS
SELECT r.run_id, r.job_id, r.portfolio, CASE WHEN r.holdout IS NULL THEN 'recompute' ELSE 'validation' END AS kind, r.attempt, r.as_of, r.started_at, r.finished_at,
       CASE WHEN r.status <> 'running' OR cvm.is_run_alive(p.portfolio_id, r.job_id) THEN r.status ELSE 'crashed' END AS status,
       r.phase, r.pid, r.purchases, r.purchases_after_as_of, r.customers, r.spend_left_out, r.purchase_model_id, r.spend_model_id,
       r.value_basis, r.validation_id, r.sqlstate, e.message, e.detail, e.hint, e.context
FROM cvm.run r
JOIN cvm.portfolio p ON p.portfolio = r.portfolio
LEFT JOIN cvm.run_error e ON e.run_id = r.run_id AND e.portfolio = r.portfolio;
COMMENT ON VIEW cvm.job_runs IS 'Runs, by jobs and by hand, of the portfolios that the current role owns or may read; the text of errors for the owner''s members alone.';
COMMENT ON COLUMN cvm.job_runs.run_id IS 'number of the run';
COMMENT ON COLUMN cvm.job_runs.job_id IS 'job; NULL for a recompute called by hand';
COMMENT ON COLUMN cvm.job_runs.portfolio IS 'portfolio';
COMMENT ON COLUMN cvm.job_runs.kind IS 'recompute, or a validation by a job; one by hand is in cvm.validations alone';
COMMENT ON COLUMN cvm.job_runs.attempt IS '1 for the first attempt of a due time, more for retries';
COMMENT ON COLUMN cvm.job_runs.as_of IS 'instant as of which everything was computed';
COMMENT ON COLUMN cvm.job_runs.started_at IS 'when it began';
COMMENT ON COLUMN cvm.job_runs.finished_at IS 'when it ended; NULL while it runs';
COMMENT ON COLUMN cvm.job_runs.status IS 'running, succeeded, failed, cancelled, or crashed: begun, not ended, and its lock is free';
COMMENT ON COLUMN cvm.job_runs.phase IS 'last step that was begun: summarise, fit, score, publish; of a validation summarise, fit, judge';
COMMENT ON COLUMN cvm.job_runs.pid IS 'process that ran it';
COMMENT ON COLUMN cvm.job_runs.purchases IS 'rows read from the purchases feed';
COMMENT ON COLUMN cvm.job_runs.purchases_after_as_of IS 'rows left out because they lie after as_of';
COMMENT ON COLUMN cvm.job_runs.customers IS 'customers found; of a validation, those of the calibration window';
COMMENT ON COLUMN cvm.job_runs.spend_left_out IS 'repeat buyers left out of the spend model because their mean spend is not positive';
COMMENT ON COLUMN cvm.job_runs.purchase_model_id IS 'purchase model it fitted';
COMMENT ON COLUMN cvm.job_runs.spend_model_id IS 'spend model it fitted';
COMMENT ON COLUMN cvm.job_runs.value_basis IS 'what its values are: revenue, gross_margin or net_contribution';
COMMENT ON COLUMN cvm.job_runs.validation_id IS 'what a validation has found: see cvm.validations';
COMMENT ON COLUMN cvm.job_runs.sqlstate IS 'SQLSTATE of the error';
COMMENT ON COLUMN cvm.job_runs.message IS 'its message';
COMMENT ON COLUMN cvm.job_runs.detail IS 'its detail';
COMMENT ON COLUMN cvm.job_runs.hint IS 'its hint';
COMMENT ON COLUMN cvm.job_runs.context IS 'where it arose';

CREATE VIEW cvm.progress WITH (security_invoker = true) AS
SELECT r.run_id, r.job_id, r.portfolio, coalesce(s.phase, r.phase) AS phase, s.done, s.total,
       s.done::float8 / s.total AS share, r.started_at, coalesce(s.pid, r.pid) AS pid
FROM cvm.run r
JOIN cvm.portfolio p ON p.portfolio = r.portfolio
LEFT JOIN cvm.progress_slots() s ON s.run_id = r.run_id
WHERE r.status = 'running' AND cvm.is_run_alive(p.portfolio_id, r.job_id);
COMMENT ON VIEW cvm.progress IS 'Runs under way and how far they are. Where the library is not preloaded, only the phase is known.';
COMMENT ON COLUMN cvm.progress.run_id IS 'number of the run';
COMMENT ON COLUMN cvm.progress.job_id IS 'job; NULL for a recompute called by hand';
COMMENT ON COLUMN cvm.progress.portfolio IS 'portfolio';
COMMENT ON COLUMN cvm.progress.phase IS 'summarise, fit, score, publish; of a validation summarise, fit, judge; NULL before the first';
COMMENT ON COLUMN cvm.progress.done IS 'done in this phase: purchases read, fits, customers scored, steps of publishing';
COMMENT ON COLUMN cvm.progress.total IS 'of so many; NULL where it is not known';
COMMENT ON COLUMN cvm.progress.share IS 'done / total, 0 to 1';
COMMENT ON COLUMN cvm.progress.started_at IS 'when the run began';
COMMENT ON COLUMN cvm.progress.pid IS 'process that runs it';

GRANT SELECT ON cvm.jobs, cvm.job_runs, cvm.progress TO PUBLIC;
