-- schedule: slots of jobs against timestamptz + n * interval of the server, in the session's time zone, and by
-- counting through every slot: over changes of daylight saving time (of 30 minutes, too), a day that was left
-- out (Samoa, 2011-12-30), leap years and the ends of months.
BEGIN;
SELECT plan(23);

-- what the server itself says about slot n, since PostgreSQL adds intervals in the session's time zone
CREATE FUNCTION server_slot(starting timestamptz, every interval, zone text, n bigint) RETURNS timestamptz
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('TimeZone', zone, true);
    RETURN starting + n * every;
END $$;

-- the next slot, by counting
CREATE FUNCTION counted_slot(starting timestamptz, every interval, zone text, after timestamptz) RETURNS timestamptz
LANGUAGE plpgsql AS $$
DECLARE
    n bigint := 0;
BEGIN
    WHILE server_slot(starting, every, zone, n) <= after LOOP
        n := n + 1;
    END LOOP;
    RETURN server_slot(starting, every, zone, n);
END $$;

CREATE TABLE zone (zone text);
INSERT INTO zone VALUES ('UTC'), ('Europe/Berlin'), ('America/New_York'), ('Australia/Lord_Howe'), ('Pacific/Apia'), ('Asia/Kathmandu');
CREATE TABLE step (every interval, reach interval);
INSERT INTO step VALUES ('1 day', '3 years'), ('7 days', '10 years'), ('1 month', '30 years'), ('1 year', '60 years'),
    ('3 months', '30 years'), ('6 hours', '1 year'), ('90 minutes', '60 days'), ('1 day 06:00', '3 years'), ('36:00', '3 years');

SELECT is(count(*) FILTER (WHERE cvm.slot_at(s.starting, e.every, z.zone, n) <> server_slot(s.starting, e.every, z.zone, n)), 0::bigint,
          format('slots of every %s are those of the server', e.every))
FROM step e, zone z, (VALUES (timestamptz '2010-12-31 23:30+00'), ('2011-01-31 05:15+00'), ('2012-02-29 12:00+00')) AS s(starting),
     generate_series(1, 400) AS n
WHERE e.every < interval '1 year' OR n < 80
GROUP BY e.every ORDER BY e.every;

SELECT is(count(*) FILTER (WHERE cvm.next_slot(s.starting, e.every, z.zone, a.after) IS DISTINCT FROM counted_slot(s.starting, e.every, z.zone, a.after)),
          0::bigint, format('the next slot of every %s is the first one after an instant', e.every))
FROM step e, zone z, (VALUES (timestamptz '2010-12-31 23:30+00'), ('2011-03-27 01:30+00')) AS s(starting),
     LATERAL (SELECT s.starting + e.reach * (k * 0.618034 - floor(k * 0.618034)) AS after FROM generate_series(1, 12) k) a
GROUP BY e.every ORDER BY e.every;

-- a start with and without a zone, and one in the past
SET client_min_messages = error;
SET TimeZone = 'America/New_York';
CREATE TABLE purchase AS SELECT 1 AS customer, now() AS at, 1 AS amount;
CREATE VIEW quick AS SELECT * FROM cvm.job ORDER BY job_id DESC LIMIT 1;
SELECT isnt(cvm.create_portfolio('scheduled', 'purchase', customer => 'customer', at => 'at', amount => 'amount'), NULL, 'a portfolio');
SELECT cvm.schedule('scheduled', every => '1 day', starting => '2026-01-01 03:00 Europe/Berlin', time_zone => 'Europe/Berlin') \g /dev/null
SELECT is(starting, timestamptz '2026-01-01 02:00+00', 'a start with a zone is what it says') FROM quick;
SELECT is(cvm.next_slot(starting, every, time_zone, '2026-07-01 00:00+00'), timestamptz '2026-07-01 01:00+00', 'and keeps its local hour') FROM quick;
SELECT cvm.schedule('scheduled', every => '1 day', starting => '2001-01-01 03:00', time_zone => 'Europe/Berlin') \g /dev/null
SELECT is(starting, timestamptz '2001-01-01 08:00+00', 'one without is read in the session''s zone') FROM quick;
SELECT is(next_due, starting, 'one in the past is due at once') FROM quick;

SELECT * FROM finish();
ROLLBACK;
