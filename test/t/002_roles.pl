# Whose job runs as whom, in which databases, and what stands in nobody's way: owners without LOGIN, roles that
# lose their rights, readers, several databases, DROP DATABASE, DROP EXTENSION.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Worker;

my $node = new_server('roles');
$node->safe_psql('postgres', <<~'SQL');
	CREATE ROLE cvm_test_boss LOGIN SUPERUSER;
	CREATE ROLE cvm_test_anna LOGIN;
	CREATE ROLE cvm_test_team NOLOGIN;
	CREATE ROLE cvm_test_member LOGIN IN ROLE cvm_test_team;
	CREATE ROLE cvm_test_stranger LOGIN;
	CREATE ROLE cvm_test_reader LOGIN;
	CREATE ROLE cvm_test_monitor LOGIN IN ROLE pg_monitor;
	SQL

# What psql says as another role, named without its prefix: what it prints, or its first error.
sub as
{
	my ($role, $sql) = @_;
	my ($code, $out, $err) = $node->psql('postgres', $sql, extra_params => [ '-U', "cvm_test_$role" ]);
	return $code == 0 ? $out : ($err =~ /(ERROR: .*)/)[0];
}

# A shop of a role's own, in a schema of that name.
sub shop_of
{
	my ($role, $as) = @_;
	$node->safe_psql('postgres', <<~SQL);
		CREATE SCHEMA $role AUTHORIZATION cvm_test_$role;
		GRANT CREATE ON DATABASE postgres TO cvm_test_$role;
		CREATE TABLE $role.orders AS SELECT * FROM public.orders;
		ALTER TABLE $role.orders OWNER TO cvm_test_$role;
		SQL
	return as($as, "SET ROLE cvm_test_$role; SELECT cvm.create_portfolio('$role', '$role.orders', customer => 'customer_id', at => 'ordered_at', amount => 'total')");
}

sub success_of
{
	my ($portfolio, $what) = @_;
	wait_for($node, 'postgres', "SELECT count(*) > 0 FROM cvm.job_runs WHERE portfolio = '$portfolio' AND status = 'succeeded'", $what);
}

# ---------- an owner without any other privilege ----------

make_shop($node, 'postgres', 'public_shop');
is(shop_of('anna', 'anna'), 'cvm_anna', 'an ordinary role has a portfolio');
my $annas = as('anna', q{SELECT cvm.schedule('anna')});
like($annas, qr/^\d+$/, 'and schedules it');
success_of('anna', 'its job runs');
is(value_of($node, 'postgres', q{SELECT tableowner FROM pg_tables WHERE schemaname = 'cvm_anna' LIMIT 1}), 'cvm_test_anna', 'what it publishes is its own');
is(as('anna', 'SELECT count(*) FROM cvm.jobs'), '1', 'it sees its job');

# ---------- an owner that can not log in ----------

is(shop_of('team', 'member'), 'cvm_team', 'a role without LOGIN has a portfolio');
is(as('member', q{SET ROLE cvm_test_team; SELECT cvm.schedule('team')}), 'ERROR:  role "cvm_test_team" may not log in, so no job can run as it',
	'it can not run a job');
my (undef, undef, $hint) = $node->psql('postgres', q{SET ROLE cvm_test_team; SELECT cvm.schedule('team')}, extra_params => [ '-U', 'cvm_test_member' ]);
like($hint, qr/HINT:  Name a login role that is a member of "cvm_test_team" with run_as/, 'the hint names run_as');
like(as('member', q{SET ROLE cvm_test_team; SELECT cvm.schedule('team', run_as => 'cvm_test_member')}), qr/no member|permission denied to run a job as "cvm_test_member"/,
	'nor give it to a role that it is no member of');
my $teams = as('member', q{SELECT cvm.schedule('team', run_as => 'cvm_test_member')});
like($teams, qr/^\d+$/, 'a member that logs in schedules it');
success_of('team', 'that job runs');
is(value_of($node, 'postgres', q{SELECT tableowner FROM pg_tables WHERE schemaname = 'cvm_team' LIMIT 1}), 'cvm_test_team', 'what it publishes is the owner\'s');

# ---------- refused, by the functions and by a direct write ----------

is(as('stranger', q{SELECT cvm.schedule('anna')}), 'ERROR:  portfolio "anna" does not exist', 'a stranger does not see the portfolio');
is(as('stranger', 'SELECT count(*) FROM cvm.jobs'), '0', 'nor its jobs');
is(as('stranger', "SELECT cvm.run_job($annas)"), "ERROR:  job $annas does not exist", 'nor can run');
is(as('stranger', "SELECT cvm.cancel_job($annas)"), "ERROR:  job $annas does not exist", 'cancel');
is(as('stranger', "SELECT cvm.unschedule($annas)"), "ERROR:  job $annas does not exist", 'or remove them');
like(as('stranger', q{INSERT INTO cvm.job (portfolio, every, starting, time_zone) VALUES ('anna', '1 day', now(), 'UTC')}),
	qr/ERROR:  .*(row-level security|may not recompute)/, 'a direct write is refused as well');
like(as('anna', "UPDATE cvm.job SET run_as = 'cvm_test_boss'"), qr/permission denied to run a job as "cvm_test_boss"/, 'nobody runs a job as a superuser by a direct write');
like(as('anna', q{SELECT cvm.schedule('anna', run_as => 'cvm_test_stranger')}), qr/permission denied to run a job as "cvm_test_stranger"/, 'or as anybody else');
is(as('boss', q{SELECT cvm.schedule('anna', run_as => 'cvm_test_boss')}), 'ERROR:  a job of portfolio "anna" may not run as the superuser "cvm_test_boss"',
	'a superuser can not lend itself to an owner');
my $bosss = as('boss', q{SELECT cvm.schedule('anna', starting => now() + interval '1 year')});
is(value_of($node, 'postgres', "SELECT run_as FROM cvm.jobs WHERE job_id = $bosss"), 'cvm_test_anna', 'and schedules for the owner');
as('boss', "SELECT cvm.unschedule($bosss)");
is(as('boss', q{SELECT cvm.schedule('anna', run_as => 'cvm_test_stranger')}), 'ERROR:  role "cvm_test_stranger" may not recompute portfolio "anna"',
	'a superuser can not name a role that may not recompute it either');
for my $bad (
	[ q{every => '0'}, '23514' ], [ q{every => '-1 day'}, '23514' ], [ q{every => '1 month -1 day'}, '23514' ],
	[ q{every => '1000 years'}, '23514' ], [ q{every => NULL}, '23502' ], [ q{starting => 'infinity'}, '23514' ],
	[ q{time_zone => 'Mars/Olympus'}, '22023' ], [ q{max_runtime => '0'}, '23514' ], [ q{max_retries => -1}, '23514' ],
	[ q{retry_period => '-1 s'}, '23514' ])
{
	my ($argument, $sqlstate) = @$bad;
	my (undef, undef, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT cvm.schedule('anna', $argument)");
	like($err, qr/ERROR:  $sqlstate:/, "$argument is refused");
}
for my $bad ([ '0 s', '00:00:00' ], [ '-1 day', '-1 days' ], [ '1 month -1 day', '1 mon -1 days' ], [ '1000 years', '1000 years' ])
{
	my (undef, undef, $err) = $node->psql('postgres', "SELECT cvm.schedule('anna', every => '$bad->[0]')");
	like($err, qr/ERROR:  "every" of a job can not be $bad->[1]\nDETAIL:  It must be from 1 second to 100 years, no part of it negative.\nHINT:  Such as every => '1 day'/,
		"every => '$bad->[0]' is refused in words");
}
my (undef, undef, $call) = $node->psql('postgres', q{SELECT cvm.recompute('anna')});
like($call, qr/HINT:  To call a procedure, use CALL/, 'SELECT cvm.recompute is told to be a CALL');
is(as('anna', "SELECT cvm.alter_job(NULL, every => '1 day')"), 'ERROR:  job_id must not be null', 'a null job is refused');

# ---------- readers and monitors see every status, and no error text ----------

$node->safe_psql('postgres', q{UPDATE anna.orders SET customer_id = NULL WHERE customer_id = 7});
as('anna', "SELECT cvm.alter_job($annas, max_retries => 0)");
wait_for_run($node, 'postgres', $annas, 'a job over bad rows ends');
is(as('anna', q{SELECT count(*) FROM cvm.job_runs WHERE status = 'failed' AND message IS NOT NULL}), '1', 'the owner sees the error');
as('anna', q{SELECT cvm.grant_read('anna', 'cvm_test_reader')});
is(as('reader', q{SELECT count(*) FROM cvm.job_runs WHERE status = 'failed' AND message IS NULL}), '1', 'a reader sees the status alone');
is(as('monitor', q{SELECT count(*) FROM cvm.job_runs WHERE status = 'failed' AND message IS NULL}), '1', 'pg_monitor too');
is(as('monitor', 'SELECT count(*) FROM cvm.jobs'), '2', 'and all jobs');
like(as('reader', "SELECT cvm.run_job($annas)"), qr/ERROR:  permission denied for portfolio "anna"/, 'but a reader can not run them');
is(as('stranger', 'SELECT count(*) FROM cvm.job_runs'), '0', 'a stranger sees nothing');

# ---------- roles that change after scheduling ----------

sub failure_of_team
{
	my ($change, $back, $expected, $what) = @_;
	$node->safe_psql('postgres', $change);
	wait_for_run($node, 'postgres', $teams, "$what: the job ends");
	is(value_of($node, 'postgres', "SELECT status, sqlstate, message FROM cvm.job_runs WHERE job_id = $teams ORDER BY run_id DESC LIMIT 1"), $expected, $what);
	$node->safe_psql('postgres', $back);
}
$node->safe_psql('postgres', "SELECT cvm.alter_job($teams, max_retries => 0)");
failure_of_team('REVOKE cvm_test_team FROM cvm_test_member', 'GRANT cvm_test_team TO cvm_test_member',
	q{failed|42501|role "cvm_test_member", which the job runs as, is no member of the portfolio's owner "cvm_test_team"}, 'run_as is no member any more');
failure_of_team('ALTER ROLE cvm_test_member NOLOGIN', 'ALTER ROLE cvm_test_member LOGIN',
	q{failed|28000|role "cvm_test_member", which the job runs as, may not log in}, 'run_as may not log in any more');
failure_of_team('REVOKE CONNECT ON DATABASE postgres FROM PUBLIC', 'GRANT CONNECT ON DATABASE postgres TO PUBLIC',
	q{failed|42501|role "cvm_test_member", which the job runs as, has no CONNECT privilege on the database}, 'run_as may not connect any more');
failure_of_team('ALTER ROLE cvm_test_member RENAME TO cvm_test_renamed', 'ALTER ROLE cvm_test_renamed RENAME TO cvm_test_member',
	q{failed|42704|role "cvm_test_member", which the job runs as, does not exist}, 'run_as is gone');
failure_of_team('ALTER ROLE cvm_test_member SUPERUSER', 'ALTER ROLE cvm_test_member NOSUPERUSER',
	q{failed|42501|role "cvm_test_member", which the job runs as, is a superuser, the portfolio's owner is none}, 'run_as has become a superuser');
wait_for_run($node, 'postgres', $teams, 'with everything back');
is(value_of($node, 'postgres', "SELECT status FROM cvm.job_runs WHERE job_id = $teams ORDER BY run_id DESC LIMIT 1"), 'succeeded', 'it runs again');

# a schedule that can not be worked out keeps no other job from running
$node->safe_psql('postgres', <<~SQL);
	ALTER TABLE cvm.job DISABLE TRIGGER check_job;
	UPDATE cvm.job SET time_zone = 'Mars/Olympus', next_due = now() - interval '1 day' WHERE job_id = $annas;
	ALTER TABLE cvm.job ENABLE TRIGGER check_job;
	SQL
wait_for_run($node, 'postgres', $teams, 'beside a job whose time zone is gone, another ends');
is(value_of($node, 'postgres', "SELECT status FROM cvm.job_runs WHERE job_id = $teams ORDER BY run_id DESC LIMIT 1"), 'succeeded', 'and succeeds');
is(value_of($node, 'postgres', "SELECT status, sqlstate, message FROM cvm.job_runs WHERE job_id = $annas ORDER BY run_id DESC LIMIT 1"),
	'failed|22023|time zone "Mars/Olympus" not recognized', 'the one says why it failed');
is(value_of($node, 'postgres', "SELECT next_due FROM cvm.job WHERE job_id = $annas"), 'infinity', 'and is not started any more');

# ---------- a row that nothing can be done with ----------

# Beside such a row of one portfolio the jobs of others run: when it is due, when its run is to be accounted for, when a run is found dead.
sub spoilt
{
	my ($trigger, $row, $left_out, $what) = @_;
	my $offset = -s $node->logfile;
	$node->safe_psql('postgres', "BEGIN; $row; CREATE TRIGGER spoil BEFORE $trigger EXECUTE FUNCTION spoil(); COMMIT");
	wait_for_run($node, 'postgres', $teams, "$what: another job ends");
	is(value_of($node, 'postgres', "SELECT status FROM cvm.job_runs WHERE job_id = $teams ORDER BY run_id DESC LIMIT 1"), 'succeeded', "$what: and succeeds");
	like(slurp_file($node->logfile, $offset), qr/LOG:  cvm leaves out $left_out: spoilt/, "$what: the log says what is left out");
	my ($table) = $trigger =~ / ON (\S+)/;
	$node->safe_psql('postgres', "DROP TRIGGER spoil ON $table");
}
$node->safe_psql('postgres', <<~SQL);
	UPDATE cvm.job SET time_zone = 'UTC' WHERE job_id = $annas;
	CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN RAISE EXCEPTION 'spoilt'; END \$\$;
	SQL
spoilt("INSERT ON cvm.run FOR EACH ROW WHEN (NEW.job_id = $annas)", "UPDATE cvm.job SET next_due = now() - interval '1 day' WHERE job_id = $annas", "job $annas", 'a claim');
spoilt("UPDATE ON cvm.job FOR EACH ROW WHEN (OLD.job_id = $annas)", "UPDATE cvm.job SET next_due = 'infinity', open_run_id = 123456789 WHERE job_id = $annas",
	"job $annas", 'an open run');
spoilt(q{UPDATE ON cvm.run FOR EACH ROW WHEN (OLD.portfolio = 'anna')}, q{INSERT INTO cvm.run (portfolio) VALUES ('anna')}, 'run \d+', 'a dead run');
my $dead = value_of($node, 'postgres', q{SELECT max(run_id) FROM cvm.run WHERE portfolio = 'anna'});
wait_for_run($node, 'postgres', $teams, 'and when the rows are sound again');
wait_for($node, 'postgres', "SELECT (SELECT status FROM cvm.run WHERE run_id = $dead) = 'crashed' AND open_run_id IS NULL FROM cvm.job WHERE job_id = $annas", 'they are accounted for');

# ---------- databases ----------

$node->safe_psql('postgres', "CREATE DATABASE $_") for 'one', '"Two, too"', 'bare';
make_shop($node, 'one', 'shop');
make_shop($node, 'Two, too', 'shop');
my $in_one = value_of($node, 'one', q{SELECT cvm.schedule('shop')});
value_of($node, 'Two, too', q{SELECT cvm.schedule('shop')});
wait_for($node, $_, q{SELECT count(*) = 1 FROM cvm.job_runs WHERE status = 'succeeded'}, "a job runs in database $_") for 'one', 'Two, too';
$node->append_conf('postgresql.conf', q{cvm.databases = 'postgres, "Two, too"'});
$node->reload;
ok($node->poll_query_until('one', q{SELECT current_setting('cvm.databases') <> ''}), 'cvm.databases is set');
$node->safe_psql('one', "SELECT cvm.run_job($in_one)");
my $in_two = value_of($node, 'Two, too', q{SELECT job_id FROM cvm.job});
wait_for_run($node, 'Two, too', $in_two, 'a database that is listed works');
is(value_of($node, 'one', 'SELECT count(*) FROM cvm.run'), '1', 'one that is not does not');
$node->append_conf('postgresql.conf', q{cvm.databases = ''});
$node->reload;
wait_for($node, 'one', q{SELECT count(*) = 2 FROM cvm.job_runs WHERE status = 'succeeded'}, 'until it is listed again');

is(($node->psql('postgres', 'DROP DATABASE bare'))[0], 0, 'a database without the extension can be dropped');
is(($node->psql('postgres', 'DROP DATABASE "Two, too"'))[0], 0, 'one that works can be dropped while it is idle');
is(($node->psql('postgres', 'ALTER DATABASE one RENAME TO renamed'))[0], 0, 'or renamed');
is(($node->psql('postgres', 'CREATE DATABASE copy TEMPLATE renamed'))[0], 0, 'or copied');

# ---------- a copy is paused ----------

is(value_of($node, 'copy', 'SELECT state, next_due IS NULL FROM cvm.jobs'), 'paused|t', 'the jobs of a copy are paused');
my (undef, undef, $paused) = $node->psql('copy', "SELECT cvm.run_job($in_one)");
like($paused, qr/job $in_one is paused: it was scheduled in another database/, 'and can not be run');
$node->safe_psql('copy', 'UPDATE cvm.job SET next_due = now()');
sleep 2;
is(value_of($node, 'copy', 'SELECT count(*) FROM cvm.run'), '2', 'nothing has run in it');
is(value_of($node, 'copy', 'SELECT cvm.resume_jobs()'), '1', 'cvm.resume_jobs resumes them');
is(value_of($node, 'copy', 'SELECT state, next_due > now() FROM cvm.jobs'), 'waiting|t', 'from their next slot on');
wait_for_run($node, 'copy', $in_one, 'then they run');

# ---------- DROP DATABASE FORCE, DROP EXTENSION ----------

set_feed($node, 'copy', 60, 0);
$node->safe_psql('copy', "SELECT cvm.run_job($in_one)");
wait_for($node, 'copy', q{SELECT count(*) = 1 FROM cvm.progress WHERE phase = 'summarise'}, 'a run is under way in the copy');
is(($node->psql('postgres', 'DROP DATABASE copy WITH (FORCE)'))[0], 0, 'its database can be dropped by force');

set_feed($node, 'renamed', 60, 0);
$node->safe_psql('renamed', "SELECT cvm.run_job($in_one)");
wait_for($node, 'renamed', q{SELECT count(*) = 1 FROM cvm.progress WHERE phase = 'summarise'}, 'a run is under way');
my $began = time;
is(($node->psql('renamed', 'DROP EXTENSION cvm CASCADE'))[0], 0, 'DROP EXTENSION while a job runs');
cmp_ok(time - $began, '<', 30, 'does not wait for its end');
sleep 2;
is(value_of($node, 'renamed', q{SELECT count(*) FROM pg_stat_activity WHERE datname = 'renamed' AND backend_type LIKE 'cvm%' AND xact_start IS NOT NULL}), '0',
	'nothing of the worker is left there');
$node->safe_psql('renamed', 'DROP TABLE IF EXISTS feed, orders CASCADE; DROP SCHEMA IF EXISTS cvm_shop CASCADE');
make_shop($node, 'renamed', 'shop');
value_of($node, 'renamed', q{SELECT cvm.schedule('shop')});
wait_for($node, 'renamed', q{SELECT count(*) = 1 FROM cvm.job_runs WHERE status = 'succeeded'}, 'a new extension works at once');

my $log = slurp_file($node->logfile);
unlike($log, qr/terminated by signal|PANIC|TRAP/, 'no process crashed');
$node->stop;
done_testing();
