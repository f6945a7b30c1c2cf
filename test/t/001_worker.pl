# What the worker does with one database's jobs: runs them, once; records success and failure; retries; cancels;
# survives crashes and restarts.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Worker;

my $node = new_server('worker');
make_shop($node, 'postgres', 'shop');

# ---------- a job runs by itself ----------

my $job = value_of($node, 'postgres', q{SELECT cvm.schedule('shop', every => '1 day')});
wait_for($node, 'postgres', q{SELECT last_success_at IS NOT NULL AND state = 'waiting' FROM cvm.jobs}, 'a scheduled job runs by itself');
is(last_run($node, 'postgres', 'job_id, attempt, status, purchases, customers, message IS NULL'), "$job|1|succeeded|150|60|t",
	'its run is recorded');
is(value_of($node, 'postgres', 'SELECT count(*) FROM cvm_shop.clv'), '60', 'it has published every customer');
is(value_of($node, 'postgres', 'SELECT sum(realised_value) = (SELECT sum(total) FROM orders) FROM cvm_shop.clv'), 't',
	'and all of their money');
is(value_of($node, 'postgres', q{SELECT next_due = starting + interval '24 hours', failures, state FROM cvm.jobs}), 't|0|waiting',
	'it is due again after a day');

# ---------- notifications, one for each run ----------

# What a session that listens hears while something is done.
sub heard
{
	my ($do) = @_;
	my ($out, $err, $in) = ('', '', '');
	my $psql = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out, '2>', \$err,
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	$in .= "LISTEN cvm;\n\\echo ready\n";
	$psql->pump until $out =~ /ready/;
	$do->();
	$in .= "SELECT 'done';\n";
	$psql->pump until $out =~ /done/;
	$in .= "\\q\n";
	$psql->finish;
	return $out =~ /"cvm" with payload "(.*?)" received/g;
}

my @notified = heard(sub {
	wait_for_run($node, 'postgres', $job, 'cvm.run_job runs it at once');
	$node->safe_psql('postgres', q{CALL cvm.recompute('shop')});
});
my $by_hand = last_run($node, 'postgres', 'run_id');
is_deeply(\@notified,
	[ map { qq({"portfolio" : "shop", "run_id" : $_, "status" : "succeeded"}) } $by_hand - 1, $by_hand ],
	'one notification for each run, by a job and by hand');
is(last_run($node, 'postgres', 'job_id IS NULL, status'), 't|succeeded', 'a recompute by hand is a run without a job');
is(value_of($node, 'postgres', q{SELECT next_due = starting + interval '24 hours' FROM cvm.jobs}), 't', 'its slots stay as they are');

# ---------- progress; never twice at once ----------

set_feed($node, 'postgres', 60, 0);
my $runs = value_of($node, 'postgres', 'SELECT count(*) FROM cvm.run');
$node->safe_psql('postgres', "SELECT cvm.run_job($job)");
wait_for($node, 'postgres', q{SELECT count(*) = 1 FROM cvm.progress WHERE phase = 'summarise'}, 'progress shows a run under way');
is(last_run($node, 'postgres', 'status'), 'running', 'cvm.job_runs says so');
is(value_of($node, 'postgres', 'SELECT state FROM cvm.jobs'), 'running', 'cvm.jobs too');
is(value_of($node, 'postgres', q{SELECT usename || ' ' || datname FROM pg_stat_activity WHERE backend_type = 'cvm job'}),
	$node->safe_psql('postgres', q{SELECT current_user || ' postgres'}), 'its process is connected as run_as');
my ($code, undef, $refused) = $node->psql('postgres', q{CALL cvm.recompute('shop')});
like($refused, qr/portfolio "shop" is being recomputed by another session/, 'a recompute by hand is refused meanwhile');
$node->safe_psql('postgres', "SELECT cvm.run_job($job)");
my $second = value_of($node, 'postgres', q{SELECT cvm.schedule('shop', every => '1 hour')});
sleep 2;
is(value_of($node, 'postgres', q{SELECT count(*) FROM cvm.run WHERE status = 'running'}), '1',
	'neither the same job nor another of the portfolio runs at the same time');
is(value_of($node, 'postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'cvm runner' AND (backend_xmin IS NOT NULL OR xact_start IS NOT NULL)}),
	'0', 'and the runner holds no snapshot while it waits');

# ---------- cancel ----------

set_feed($node, 'postgres', 0, 0);
is(value_of($node, 'postgres', "SELECT cvm.cancel_job($job)"), 't', 'cvm.cancel_job finds the run');
wait_for($node, 'postgres', "SELECT count(*) = 1 FROM cvm.job_runs WHERE job_id = $job AND status = 'cancelled' AND sqlstate = '57014'", 'it is cancelled');
wait_for($node, 'postgres', "SELECT count(*) = 1 FROM cvm.job_runs WHERE job_id = $second AND status = 'succeeded'", 'the other job runs then');
wait_for($node, 'postgres', "SELECT count(*) = 3 FROM cvm.job_runs WHERE job_id = $job AND status = 'succeeded'",
	'and the job once more, as asked for while it ran');
is(value_of($node, 'postgres', "SELECT cvm.cancel_job($job)"), 'f', 'there is nothing to cancel now');
$node->safe_psql('postgres', "SELECT cvm.unschedule($second)");
is(value_of($node, 'postgres', "SELECT count(*) FROM cvm.job_runs WHERE job_id = $second"), '1', 'runs outlive their job');

# Cancelled again while it records its end, which a lock holds up.
sub cancel_thrice
{
	my ($before, $out, $in) = (last_run($node, 'postgres', 'run_id'), '', '');
	set_feed($node, 'postgres', 60, 0);
	$node->safe_psql('postgres', "SELECT cvm.run_job($job)");
	wait_for($node, 'postgres', "SELECT count(*) = 1 FROM cvm.progress WHERE phase = 'summarise' AND run_id > $before", 'a run to cancel is under way');
	set_feed($node, 'postgres', 0, 0);
	my $psql = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out,
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	$in .= "BEGIN;\nLOCK TABLE cvm.run IN SHARE MODE;\n\\echo locked\n";
	$psql->pump until $out =~ /locked/;
	is(value_of($node, 'postgres', "SELECT cvm.cancel_job($job)"), 't', 'it is cancelled');
	wait_for($node, 'postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'cvm job' AND wait_event_type = 'Lock'}, 'it waits to record its end');
	for (2, 3)
	{
		is(value_of($node, 'postgres', "SELECT cvm.cancel_job($job)"), 't', "it is cancelled $_ times");
		sleep 1;
	}
	$in .= "COMMIT;\n\\q\n";
	$psql->finish;
	wait_for($node, 'postgres', "SELECT open_run_id IS NULL FROM cvm.job WHERE job_id = $job", 'it ends');
	return $before;
}
$node->safe_psql('postgres', "SELECT cvm.alter_job($job, retry_period => '1 s')");
my $cancelled_run = cancel_thrice();
sleep 3;
is(value_of($node, 'postgres', "SELECT string_agg(concat_ws(' ', status, sqlstate), ',') FROM cvm.job_runs WHERE run_id > $cancelled_run"),
	'cancelled 57014', 'however often it is cancelled it ends as cancelled, and is not retried');
$node->safe_psql('postgres', "SELECT cvm.alter_job($job, retry_period => '5 minutes')");

# ---------- failures and retries ----------

set_feed($node, 'postgres', 0, 1);
my $published = value_of($node, 'postgres', 'SELECT max(as_of) FROM cvm_shop.clv');
$node->safe_psql('postgres', "SELECT cvm.alter_job($job, max_retries => 2, retry_period => '1 s')");
wait_for_run($node, 'postgres', $job, 'a job that fails ends');
wait_for($node, 'postgres', "SELECT failures = 3 AND open_run_id IS NULL FROM cvm.job", 'it is retried twice');
is(value_of($node, 'postgres', q{SELECT string_agg(attempt::text, ',' ORDER BY run_id) FROM cvm.job_runs WHERE status = 'failed'}), '1,2,3',
	'attempts are numbered');
is(last_run($node, 'postgres', 'status, sqlstate, message, phase'), 'failed|22012|division by zero|summarise', 'the error is recorded in full');
like(last_run($node, 'postgres', 'context'), qr/\S/, 'with its context');
is(value_of($node, 'postgres', q{
	WITH r AS (SELECT attempt, started_at - lag(finished_at) OVER (ORDER BY run_id) AS pause FROM cvm.job_runs WHERE status = 'failed')
	SELECT bool_and(pause >= (attempt - 1) * interval '1 s') FROM r WHERE attempt > 1}), 't', 'each pause is twice the one before, or longer');
is(value_of($node, 'postgres', q{SELECT next_due = starting + interval '24 hours', attempt FROM cvm.job}), 't|0', 'then it waits for its slot');
is(value_of($node, 'postgres', 'SELECT max(as_of) FROM cvm_shop.clv'), $published, 'what was published is intact');
set_feed($node, 'postgres', 0, 0);
wait_for_run($node, 'postgres', $job, 'it runs again');
is(value_of($node, 'postgres', 'SELECT failures, attempt FROM cvm.job'), '0|0', 'a success resets the count');

# ---------- max_runtime ----------

set_feed($node, 'postgres', 60, 0);
$node->safe_psql('postgres', "SELECT cvm.alter_job($job, max_runtime => '1 s')");
wait_for_run($node, 'postgres', $job, 'a run that takes too long ends');
is(last_run($node, 'postgres', 'status, sqlstate, message'), q{cancelled|57014|the run took longer than 00:00:01, the job's max_runtime}, 'it is cancelled, and says why');
is(last_run($node, 'postgres', q{finished_at - started_at < interval '20 s'}), 't', 'in time');
is(value_of($node, 'postgres', 'SELECT attempt FROM cvm.job'), '0', 'and is not retried');
$node->safe_psql('postgres', "SELECT cvm.alter_job($job, max_runtime => '1 hour', retry_period => '1 s')");

# ---------- a process is killed ----------

sub start_long_run
{
	my $before = last_run($node, 'postgres', 'run_id');
	set_feed($node, 'postgres', 60, 0);
	$node->safe_psql('postgres', "SELECT cvm.run_job($job)");
	wait_for($node, 'postgres', qq{SELECT count(*) = 1 FROM cvm.progress WHERE phase = 'summarise' AND run_id > $before}, 'a run is under way');
	my $run = last_run($node, 'postgres', 'run_id');
	$node->safe_psql('postgres', 'UPDATE feed SET seconds = 0');
	return $run;
}

# By shell, since the server is away for a moment.
sub wait_for_recovery
{
	my ($run, $what) = @_;
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		my ($code, $out) = $node->psql('postgres', "SELECT count(*) FROM cvm.job_runs WHERE run_id > $run AND status = 'succeeded'");
		last if $code == 0 && $out eq '1';
		select(undef, undef, undef, 0.1);
	}
	is(value_of($node, 'postgres', "SELECT status, message FROM cvm.job_runs WHERE run_id = $run"),
		'crashed|the process of the run is gone and has recorded no end', "$what: the run is recorded as crashed");
	is(value_of($node, 'postgres', "SELECT string_agg(status || ' ' || attempt, ',' ORDER BY run_id) FROM cvm.job_runs WHERE run_id > $run"),
		'succeeded 2', "$what: it is retried, once");
}

my $run = start_long_run();
is(kill('KILL', value_of($node, 'postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'cvm job'})), 1, 'the job is killed');
wait_for_recovery($run, 'kill -9');

$run = start_long_run();
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'cvm job'});
wait_for_recovery($run, 'pg_terminate_backend');

$run = start_long_run();
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'cvm runner'});
wait_for_recovery($run, 'runner terminated');

$run = start_long_run();
$node->stop('immediate');
$node->start;
wait_for_recovery($run, 'immediate restart');

$run = start_long_run();
$node->restart;
wait_for_recovery($run, 'fast restart');

is(kill('KILL', value_of($node, 'postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'cvm launcher'})), 1, 'the launcher is killed');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'cvm launcher'}), 'and comes back');

# ---------- downtime ----------

$node->safe_psql('postgres', "SELECT cvm.alter_job($job, every => '1 hour', starting => now() - interval '10 days')");
$run = last_run($node, 'postgres', 'run_id');
$node->safe_psql('postgres', "UPDATE cvm.job SET next_due = now() - interval '5 days'");
wait_for($node, 'postgres', "SELECT count(*) = 1 FROM cvm.job_runs WHERE run_id > $run AND status = 'succeeded'", 'what was missed is made up for');
sleep 2;
is(value_of($node, 'postgres', "SELECT count(*) FROM cvm.run WHERE run_id > $run"), '1', 'by one run');
is(value_of($node, 'postgres', q{SELECT next_due > now() AND next_due <= now() + interval '1 hour' AND mod(extract(epoch FROM next_due - starting), 3600) = 0 FROM cvm.job}),
	't', 'and the slots have not drifted');

# ---------- a prepared change, settings, history ----------

$run = last_run($node, 'postgres', 'run_id');
$node->append_conf('postgresql.conf', 'cvm.worker_enabled = off');
$node->reload;
ok($node->poll_query_until('postgres', q{SELECT current_setting('cvm.worker_enabled') = 'off'}), 'the worker is switched off');
my (undef, undef, $warning) = $node->psql('postgres', "SELECT cvm.run_job($job)");
like($warning, qr/WARNING:.*cvm.worker_enabled is off/, 'run_job warns');
sleep 2;
is(last_run($node, 'postgres', 'run_id'), $run, 'nothing is started');
$node->safe_psql('postgres', "UPDATE cvm.run SET finished_at = now() - interval '3 days' WHERE run_id < $run");
$node->append_conf('postgresql.conf', "cvm.worker_enabled = on\ncvm.run_history = '2d'");
$node->reload;
wait_for($node, 'postgres', "SELECT count(*) = 1 FROM cvm.job_runs WHERE run_id > $run AND status = 'succeeded'", 'the missed run is made up for');
wait_for($node, 'postgres', 'SELECT count(*) = 2 FROM cvm.run', 'runs older than cvm.run_history are deleted');

# ---------- several at once, up to the limit ----------

$node->safe_psql('postgres', "SELECT cvm.create_portfolio('shop$_', 'slow_orders', customer => 'customer_id', at => 'ordered_at', amount => 'total')") for 2, 3;
set_feed($node, 'postgres', 60, 0);
my @more = map { value_of($node, 'postgres', "SELECT cvm.schedule('shop$_')") } 2, 3;
$node->safe_psql('postgres', "SELECT cvm.run_job($job)");
wait_for($node, 'postgres', q{SELECT count(*) = 2 FROM cvm.progress WHERE phase = 'summarise'}, 'jobs of two portfolios run at once');
sleep 1;
is(value_of($node, 'postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'cvm job'}), '2', 'two are the limit');
$run = last_run($node, 'postgres', 'run_id');
set_feed($node, 'postgres', 0, 0);
$node->safe_psql('postgres', "SELECT cvm.cancel_job(job_id) FROM cvm.jobs WHERE state = 'running'");
wait_for($node, 'postgres', "SELECT count(*) = 1 FROM cvm.job_runs WHERE run_id > $run AND status = 'succeeded'", 'the third runs when there is room');

wait_for($node, 'postgres', 'SELECT bool_and(open_run_id IS NULL) FROM cvm.job', 'all are accounted for');

# ---------- no process to be had: 3 are the server's own and the launcher's and the runner's ----------

for my $processes (2, 3)
{
	$node->append_conf('postgresql.conf', "max_worker_processes = $processes");
	$node->restart;
	$run = last_run($node, 'postgres', 'run_id');
	$node->safe_psql('postgres', "SELECT cvm.run_job($job)");
	sleep 3;
	is(last_run($node, 'postgres', 'run_id'), $run, "with $processes worker processes no run is recorded");
	wait_for($node, 'postgres', "SELECT attempt = 0 AND open_run_id IS NULL AND next_due <= now() FROM cvm.job WHERE job_id = $job", 'the job waits');
}
$node->append_conf('postgresql.conf', 'max_worker_processes = 8');
$node->restart;
wait_for($node, 'postgres', "SELECT count(*) = 1 FROM cvm.job_runs WHERE run_id > $run AND status = 'succeeded'", 'and runs when there are more');

# ---------- an owner writes nonsense into the columns that the worker keeps ----------

$node->safe_psql('postgres', "SELECT cvm.unschedule($_)") for @more;
set_feed($node, 'postgres', 60, 0);
my $hand = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', q{CALL cvm.recompute('shop2')} ], '>', \my $nothing, '2>', \my $cancelled,
	IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
wait_for($node, 'postgres', q{SELECT count(*) = 1 FROM cvm.progress WHERE portfolio = 'shop2' AND phase = 'summarise'}, 'another portfolio is being recomputed by hand');
my $others = value_of($node, 'postgres', q{SELECT run_id FROM cvm.progress});
set_feed($node, 'postgres', 0, 0);
$node->safe_psql('postgres', "UPDATE cvm.job SET attempt = 2147483647, failures = 2147483647, open_run_id = $others WHERE job_id = $job");
wait_for_run($node, 'postgres', $job, 'a job with nonsense in its columns runs');
is(value_of($node, 'postgres', "SELECT status FROM cvm.job_runs WHERE job_id = $job ORDER BY run_id DESC LIMIT 1"), 'succeeded', 'and succeeds');
is(value_of($node, 'postgres', "SELECT status FROM cvm.run WHERE run_id = $others"), 'running', 'the run that it claimed to be its own is untouched');
$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM cvm.run WHERE run_id = $others");
$hand->finish;
is(value_of($node, 'postgres', "SELECT status FROM cvm.run WHERE run_id = $others"), 'cancelled', 'until it is cancelled');

$node->safe_psql('postgres', 'ALTER DATABASE postgres SET default_transaction_read_only = on');
$run = last_run($node, 'postgres', 'run_id');
$node->safe_psql('postgres', "SET default_transaction_read_only = off; SELECT cvm.run_job($job)");
wait_for($node, 'postgres', "SELECT count(*) = 1 FROM cvm.job_runs WHERE run_id > $run AND status = 'succeeded'",
	'a database that is read-only by default is written to');
$node->safe_psql('postgres', 'SET default_transaction_read_only = off; ALTER DATABASE postgres RESET ALL');

# ---------- failures and drift are heard of as well ----------

set_feed($node, 'postgres', 0, 1);
$node->safe_psql('postgres', "SELECT cvm.alter_job($job, max_retries => 0)");
@notified = heard(sub { wait_for_run($node, 'postgres', $job, 'a job fails') });
is_deeply(\@notified, [ sprintf q({"portfolio" : "shop", "run_id" : %s, "status" : "failed"}), last_run($node, 'postgres', 'run_id') ], 'a failure is notified');
set_feed($node, 'postgres', 0, 0);
$node->safe_psql('postgres', q{UPDATE orders SET total = total * 50});
@notified = heard(sub { $node->safe_psql('postgres', q{CALL cvm.recompute('shop')}) });
$run = last_run($node, 'postgres', 'run_id');
my ($drift) = grep { /"drift"/ } @notified;
is(value_of($node, 'postgres', "SELECT j ->> 'run_id', j ->> 'portfolio', (j ->> 'model_id')::bigint > 0 FROM (SELECT '$drift'::jsonb AS j) n"), "$run|shop|t", 'drift is notified, with its run');
is(value_of($node, 'postgres', "SELECT ('$drift'::jsonb -> 'drift' ->> 'mean_spend')::float8 = psi AND exceeded FROM cvm.drift WHERE run_id = $run AND input = 'mean_spend'"), 't',
	'and how large it is');
is(scalar(grep { /"status" : "succeeded"/ } @notified), 1, 'beside the end of the run');
$node->safe_psql('postgres', q{UPDATE orders SET total = total / 50});

# ---------- an idle worker is in nobody's way ----------

is(value_of($node, 'postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type IN ('cvm job')}), '0', 'no job is left');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'cvm runner'}), 'the runner leaves');
$node->stop;
done_testing();
