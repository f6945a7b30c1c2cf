# Where the worker waits: on a standby until it is promoted, in a restored database until its jobs are resumed,
# and for ever where the library is not preloaded.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Worker;

my $primary = new_server('primary', allows_streaming => 1);
make_shop($primary, 'postgres', 'shop');
my $job = value_of($primary, 'postgres', q{SELECT cvm.schedule('shop', every => '1 month', time_zone => 'Europe/Berlin')});
wait_for($primary, 'postgres', q{SELECT count(*) = 1 FROM cvm.job_runs WHERE status = 'succeeded'}, 'the job runs on the primary');

# ---------- dump and restore ----------

my $dump = $primary->basedir . '/dump';
$primary->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $primary->connstr('postgres') ], 'the database is dumped');
$primary->safe_psql('postgres', 'CREATE DATABASE restored');
$primary->command_ok([ 'pg_restore', '-d', $primary->connstr('restored'), $dump ], 'and restored without an error');
my $columns = 'job_id, portfolio, every, starting, time_zone, max_runtime, max_retries, retry_period, run_as, enabled, last_run_id';
is(value_of($primary, 'restored', "SELECT $columns FROM cvm.job"), value_of($primary, 'postgres', "SELECT $columns FROM cvm.job"), 'the job is there');
is(value_of($primary, 'restored', 'SELECT state FROM cvm.jobs'), 'paused', 'paused');
is(value_of($primary, 'restored', 'SELECT run_id, status FROM cvm.job_runs'), value_of($primary, 'postgres', 'SELECT run_id, status FROM cvm.job_runs'), 'and its runs');
is(value_of($primary, 'restored', 'SELECT cvm.resume_jobs()'), '1', 'it is resumed');
wait_for_run($primary, 'restored', $job, 'and runs');
is(last_run($primary, 'restored', 'run_id, status'), '2|succeeded', 'numbers go on');
my $second = value_of($primary, 'restored', q{SELECT cvm.schedule('shop', starting => now() + interval '1 year')});
is($second, $job + 1, 'those of jobs too');

# a failing restore would leave a dump that nobody can use: the role of a job need not exist
$primary->safe_psql('postgres', "CREATE ROLE cvm_test_gone LOGIN SUPERUSER; SELECT cvm.alter_job($job, run_as => 'cvm_test_gone')");
$primary->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $primary->connstr('postgres') ], 'a job runs as a role');
$primary->safe_psql('postgres', "SELECT cvm.alter_job($job, run_as => current_user::regrole); DROP ROLE cvm_test_gone; CREATE DATABASE elsewhere");
$primary->command_ok([ 'pg_restore', '-d', $primary->connstr('elsewhere'), $dump ], 'that does not exist where it is restored');
my (undef, $resumed, $warning) = $primary->psql('elsewhere', 'SELECT cvm.resume_jobs()');
is($resumed, '0', 'it can not be resumed');
like($warning, qr/WARNING:  job $job stays paused\nDETAIL:  role "cvm_test_gone" does not exist/, 'a warning says why');
$primary->safe_psql('elsewhere', "SELECT cvm.alter_job($job, run_as => current_user::regrole)");
is(value_of($primary, 'elsewhere', 'SELECT cvm.resume_jobs()'), '1', 'before it has another role');

# ---------- a standby ----------

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'cvm%'}), '0', 'no worker on a standby');
is($standby->safe_psql('postgres', 'SELECT status FROM cvm.job_runs ORDER BY run_id'), 'succeeded', 'its views can be read');
set_feed($primary, 'postgres', 60, 0);
$primary->safe_psql('postgres', "SELECT cvm.run_job($job)");
wait_for($primary, 'postgres', q{SELECT count(*) = 1 FROM cvm.progress WHERE phase = 'summarise'}, 'a run is under way on the primary');
$primary->safe_psql('postgres', 'UPDATE feed SET seconds = 0');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is($standby->safe_psql('postgres', 'SELECT status FROM cvm.job_runs ORDER BY run_id DESC LIMIT 1'), 'running', 'the standby sees it as running');
is($standby->safe_psql('postgres', 'SELECT phase FROM cvm.progress'), 'summarise', 'with its phase');
$primary->stop('immediate');
$standby->promote;
$standby->safe_psql('postgres', "SELECT cvm.alter_job($job, retry_period => '1 s')");
wait_for($standby, 'postgres', q{SELECT count(*) = 1 FROM cvm.job_runs WHERE status = 'crashed'}, 'promoted, it finds the run crashed');
$standby->safe_psql('postgres', "SELECT cvm.run_job($job)");
wait_for($standby, 'postgres', q{SELECT count(*) = 2 FROM cvm.job_runs WHERE status = 'succeeded'}, 'and works on');

# ---------- not preloaded ----------

$standby->append_conf('postgresql.conf', q{shared_preload_libraries = ''});
$standby->restart;
is($standby->safe_psql('postgres', 'SELECT cvm.is_preloaded()'), 'f', 'without preload');
(undef, my $id, $warning) = $standby->psql('postgres', q{SELECT cvm.schedule('shop', every => '1 hour')});
like($id, qr/^\d+$/, 'a job can be scheduled');
like($warning, qr/WARNING:  no background worker starts this job: the server has not preloaded cvm\nHINT:  Put shared_preload_libraries = 'cvm' into postgresql.conf/,
	'with a warning that says what to do');
like(value_of($standby, 'postgres', q{SELECT finding, hint FROM cvm.check('shop') WHERE finding LIKE 'no background worker%'}),
	qr/has not preloaded cvm\|Put shared_preload_libraries = 'cvm'/, 'cvm.check says so too');
my ($code, undef, $told) = $standby->psql('postgres', q{BEGIN; CREATE ROLE ordinary LOGIN; CREATE SCHEMA hers AUTHORIZATION ordinary;
	GRANT SELECT ON orders TO ordinary; SET ROLE ordinary;
	SELECT cvm.create_portfolio('hers', 'orders', 'customer_id', 'ordered_at', 'total', '{"schema": "hers"}');
	SELECT cvm.schedule('hers'); SELECT * FROM cvm.check('hers'); ROLLBACK});
is($code, 0, 'a role that may not see the setting can schedule and check');
like($told, qr/HINT:  Put shared_preload_libraries = 'cvm'/, 'and is told the same');
$standby->safe_psql('postgres', q{CALL cvm.recompute('shop')});
is(last_run($standby, 'postgres', 'job_id IS NULL, status'), 't|succeeded', 'a recompute by hand works');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM cvm.progress'), '0', 'progress is empty');
($code) = $standby->psql('postgres', 'SELECT cvm.cancel_job(' . $id . ')');
is($code, 0, 'cancel_job finds nothing');
$standby->append_conf('postgresql.conf', q{shared_preload_libraries = 'cvm'});
$standby->restart;
wait_for($standby, 'postgres', "SELECT count(*) = 1 FROM cvm.job_runs WHERE job_id = $id AND status = 'succeeded'", 'preloaded again, the job that waited runs');
$standby->stop;
done_testing();
