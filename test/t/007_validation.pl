# Holdouts on a schedule of their own: the worker validates, beside recomputes; records, retries and cancels as it does with those.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Worker;

my $node = new_server('validation');

# 300 customers over the last 400 days, every number a formula; a third buys on in the last 90 days.
$node->safe_psql('postgres', <<~'SQL');
	CREATE EXTENSION cvm;
	CREATE TABLE orders AS
	SELECT c AS customer_id, date_trunc('day', now(), 'UTC') - (400 - (c * 17 % 200 + k * (15 + c * 7 % 46))) * interval '1 day' AS ordered_at,
	       10 + (c * 13 + k * 29) % 50 AS total
	FROM generate_series(1, 300) c, generate_series(0, 9) k
	WHERE k <= c % 3 * 4 AND c * 17 % 200 + k * (15 + c * 7 % 46) < 400;
	CREATE TABLE feed (seconds float8 NOT NULL, broken boolean NOT NULL);
	INSERT INTO feed VALUES (0, false);
	CREATE VIEW slow_orders AS
	SELECT customer_id, ordered_at, total / (SELECT CASE WHEN broken THEN 0 ELSE 1 END FROM feed) AS total
	FROM orders WHERE (SELECT pg_sleep(seconds)::text FROM feed) = '';
	SELECT cvm.create_portfolio('shop', 'slow_orders', customer => 'customer_id', at => 'ordered_at', amount => 'total');
	CALL cvm.recompute('shop');
	SQL
my $published = value_of($node, 'postgres', 'SELECT published_at FROM cvm.portfolios');

# ---------- what can not be scheduled ----------

sub refused
{
	my ($sql) = @_;
	my (undef, undef, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $err =~ /(?:ERROR|FEHLER):\s+(.*)/ ? $1 : $err;
}
is(refused(q{SELECT cvm.schedule_validation('shop', NULL)}), '22004: holdout must not be null', 'a validation needs a holdout');
is(refused(q{SELECT cvm.schedule_validation('shop', '-1 day')}), q{23514: "holdout" of a job can not be -1 days}, 'a positive one');
is(refused(q{SELECT cvm.schedule_validation('shop', '90 days', every => '0')}), q{23514: "every" of a job can not be 00:00:00}, 'and a schedule as every job');
is(refused(q{SELECT cvm.schedule_validation('none', '90 days')}), '42704: portfolio "none" does not exist', 'of a portfolio that exists');

# ---------- it runs by itself ----------

my $job = value_of($node, 'postgres', q{SELECT cvm.schedule_validation('shop', holdout => '90 days', every => '7 days')});
wait_for($node, 'postgres', "SELECT last_success_at IS NOT NULL AND state = 'waiting' FROM cvm.jobs WHERE job_id = $job", 'a scheduled validation runs by itself');
is(value_of($node, 'postgres', "SELECT kind, holdout, every, next_due = starting + interval '168 hours' FROM cvm.jobs WHERE job_id = $job"),
	'validation|90 days|7 days|t', 'cvm.jobs says what it is');
is(last_run($node, 'postgres', 'job_id, kind, attempt, status, phase, message IS NULL, purchases = (SELECT count(*) FROM orders)'),
	"$job|validation|1|succeeded|judge|t|t", 'its run is recorded');
is(last_run($node, 'postgres', q{customers = (SELECT count(DISTINCT customer_id) FROM orders WHERE ordered_at <= now() - interval '90 days')}), 't',
	'with the customers of the calibration window');
is(last_run($node, 'postgres', q{(SELECT string_agg(v.name || ' ' || v.verdict, ', ' ORDER BY v.position) FROM cvm.validations v WHERE v.validation_id = job_runs.validation_id)}),
	'bg/nbd live, own rate baseline, mean rate baseline', 'and leads to what it has found');
is(value_of($node, 'postgres', q{SELECT DISTINCT calibrated_to = as_of - interval '2160 hours', as_of = (SELECT max(as_of) FROM cvm.run) FROM cvm.validations}),
	't|t', 'as of its run');
# what happened, counted otherwise: days with purchases after the calibration window, of those who were customers by then
is(value_of($node, 'postgres', q{SELECT actual_purchases = (
	SELECT count(DISTINCT (o.customer_id, o.ordered_at)) FROM orders o WHERE o.ordered_at > v.calibrated_to
	AND EXISTS (SELECT FROM orders e WHERE e.customer_id = o.customer_id AND e.ordered_at <= v.calibrated_to)) FROM cvm.validations v WHERE v.position = 1}),
	't', 'against what has happened in the holdout');
is(value_of($node, 'postgres', q{SELECT published_at, last_status FROM cvm.portfolios}), "$published|succeeded", 'what is published stays');
is(value_of($node, 'postgres', q{SELECT validated FROM cvm.models WHERE role = 'purchases' AND is_live}),
	value_of($node, 'postgres', q{SELECT passed FROM cvm.validations WHERE position = 1}), 'the live model knows how it did');

# by hand, as of the same instant: to the last bit
$node->safe_psql('postgres', q{DO $$ BEGIN EXECUTE format('CALL cvm.validate(%L, %L, %L)', 'shop', '90 days', (SELECT as_of FROM cvm.validations LIMIT 1)); END $$});
is(value_of($node, 'postgres', q{SELECT count(*), count(DISTINCT (v.position, v.rmse, v.mae, v.bias_percent, v.predicted_purchases, v.fingerprint)) FROM cvm.validations v}),
	'6|3', 'a validation by hand finds the same');
is(value_of($node, 'postgres', "SELECT count(*) FROM cvm.run WHERE holdout IS NOT NULL"), '1', 'and is no run');

# ---------- it is one kind and stays it ----------

my $recomputes = value_of($node, 'postgres', q{SELECT cvm.schedule('shop', every => '1 day', starting => now() + interval '1 year')});
is(refused("SELECT cvm.alter_job($recomputes, holdout => '90 days')"), "22023: job $recomputes recomputes, and has no holdout", 'a recompute takes no holdout');
is(refused("UPDATE cvm.job SET holdout = NULL WHERE job_id = $job"), "22023: job $job validates, and needs a holdout", 'a validation keeps one');
$node->safe_psql('postgres', "SELECT cvm.alter_job($job, holdout => '60 days', max_retries => 1, retry_period => '1 s')");
is(value_of($node, 'postgres', "SELECT holdout FROM cvm.jobs WHERE job_id = $job"), '60 days', 'which can be changed');
is(value_of($node, 'postgres', q{SELECT count(*) FROM cvm.check('shop') WHERE finding ~ 'jobs? (recompute|validate)'}), '0', 'one job of each kind is as it should be');

# ---------- beside a recompute; cancel ----------

my $before = last_run($node, 'postgres', 'run_id');
set_feed($node, 'postgres', 60, 0);
$node->safe_psql('postgres', "SELECT cvm.run_job($job)");
wait_for($node, 'postgres', "SELECT count(*) = 1 FROM cvm.progress WHERE job_id = $job AND phase = 'summarise'", 'progress shows a validation under way');
my $second = value_of($node, 'postgres', q{SELECT cvm.schedule_validation('shop', '30 days')});
set_feed($node, 'postgres', 0, 0);
wait_for_run($node, 'postgres', $recomputes, 'a recompute of the portfolio does not wait for it');
is(value_of($node, 'postgres', "SELECT status FROM cvm.job_runs WHERE job_id = $recomputes ORDER BY run_id DESC LIMIT 1"), 'succeeded', 'and succeeds');
is(value_of($node, 'postgres', "SELECT count(*) FROM cvm.run WHERE job_id = $second"), '0', 'another validation does');
is(value_of($node, 'postgres', "SELECT cvm.cancel_job($job)"), 't', 'cvm.cancel_job finds the validation');
wait_for($node, 'postgres', "SELECT count(*) = 1 FROM cvm.job_runs WHERE run_id > $before AND job_id = $job AND status = 'cancelled' AND sqlstate = '57014'", 'it is cancelled');
wait_for($node, 'postgres', "SELECT count(*) = 1 FROM cvm.job_runs WHERE job_id = $second AND status = 'succeeded'", 'then the other runs');
sleep 3;
is(value_of($node, 'postgres', "SELECT count(*) FROM cvm.run WHERE run_id > $before AND job_id = $job"), '1', 'what is cancelled is not retried');
like(value_of($node, 'postgres', q{SELECT finding FROM cvm.check('shop') WHERE finding LIKE '%validate%'}), qr/^2 jobs validate the portfolio: $job, $second$/, 'cvm.check says that two jobs do the same');
$node->safe_psql('postgres', "SELECT cvm.unschedule($second)");

# ---------- failures and retries ----------

set_feed($node, 'postgres', 0, 1);
my $validations = value_of($node, 'postgres', 'SELECT count(*) FROM cvm.validations');
$before = last_run($node, 'postgres', 'run_id');
wait_for_run($node, 'postgres', $job, 'a validation that fails ends');
wait_for($node, 'postgres', "SELECT failures = 2 AND open_run_id IS NULL AND attempt = 0 FROM cvm.job WHERE job_id = $job", 'and is retried once');
is(value_of($node, 'postgres', "SELECT string_agg(concat_ws(' ', kind, attempt, status, sqlstate, phase, message), ', ' ORDER BY run_id) FROM cvm.job_runs WHERE run_id > $before"),
	'validation 1 failed 22012 division by zero, validation 2 failed 22012 division by zero', 'each attempt is recorded with its error');
is(value_of($node, 'postgres', q{SELECT finding FROM cvm.check('shop') WHERE finding LIKE 'the last%'}), 'the last validation failed: division by zero',
	'cvm.check tells of it');
is(value_of($node, 'postgres', 'SELECT last_status FROM cvm.portfolios'), 'succeeded', 'the recompute has not failed');
is(value_of($node, 'postgres', 'SELECT count(*) FROM cvm.validations'), $validations, 'nothing is recorded by halves');
set_feed($node, 'postgres', 0, 0);
$node->safe_psql('postgres', "SELECT cvm.alter_job($job, holdout => '1 second')");
wait_for_run($node, 'postgres', $job, 'one without a purchase in the holdout ends');
is(value_of($node, 'postgres', "SELECT sqlstate, message FROM cvm.job_runs WHERE job_id = $job ORDER BY run_id DESC LIMIT 1"),
	'02000|portfolio "shop" has no purchase in the holdout', 'and says so');
wait_for($node, 'postgres', "SELECT open_run_id IS NULL AND attempt = 0 FROM cvm.job WHERE job_id = $job", 'it is accounted for');
$node->safe_psql('postgres', "SELECT cvm.alter_job($job, holdout => '60 days', max_runtime => '1 s')");
set_feed($node, 'postgres', 60, 0);
wait_for_run($node, 'postgres', $job, 'one that takes too long ends');
is(last_run($node, 'postgres', 'kind, status, message'), q{validation|cancelled|the run took longer than 00:00:01, the job's max_runtime}, 'cancelled, and says why');
$node->safe_psql('postgres', "SELECT cvm.alter_job($job, max_runtime => '1 hour')");

# ---------- the portfolio goes away meanwhile ----------

$before = last_run($node, 'postgres', 'run_id');
$node->safe_psql('postgres', "SELECT cvm.run_job($job)");
wait_for($node, 'postgres', "SELECT count(*) = 1 FROM cvm.progress WHERE run_id > $before", 'a validation is under way');
$node->safe_psql('postgres', "UPDATE feed SET seconds = 5; SELECT cvm.drop_portfolio('shop')");
is(value_of($node, 'postgres', 'SELECT (SELECT count(*) FROM cvm.job), (SELECT count(*) FROM cvm.run), (SELECT count(*) FROM cvm.validation)'), '0|0|0',
	'a portfolio takes its jobs, runs and validations along');
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'cvm job'});
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'cvm job'}), 'its process ends');
is(value_of($node, 'postgres', 'SELECT (SELECT count(*) FROM cvm.run), (SELECT count(*) FROM cvm.validation)'), '0|0', 'and leaves nothing behind');
$node->safe_psql('postgres', 'UPDATE feed SET seconds = 0');
$node->safe_psql('postgres', <<~'SQL');
	SELECT cvm.create_portfolio('shop', 'slow_orders', customer => 'customer_id', at => 'ordered_at', amount => 'total');
	CREATE FUNCTION leave() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN DELETE FROM cvm.portfolio WHERE portfolio = 'shop'; RETURN true; END $$;
	CREATE OR REPLACE VIEW slow_orders AS SELECT customer_id, ordered_at, total FROM orders;
	CREATE VIEW leaving AS SELECT customer_id, ordered_at, total FROM orders WHERE (SELECT leave());
	SQL
my ($code, undef, $err) = $node->psql('postgres', q{SELECT cvm.add_feed('shop', 'purchases', 'leaving', '{"customer": "customer_id", "at": "ordered_at", "amount": "total"}'); CALL cvm.validate('shop', '90 days');});
like($err, qr/portfolio "shop" (was dropped while it was validated|does not exist)/, 'a feed that drops its own portfolio leaves no validation');
is(value_of($node, 'postgres', 'SELECT count(*) FROM cvm.validation'), '0', 'of it');

done_testing();
