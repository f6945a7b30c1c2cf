# Dumps of a database that has portfolios: restored by one process, by several at once (the tables of the catalogue in
# any order), as plain SQL; then recomputed and worked in.  And what DROP EXTENSION takes away.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Worker;

my $node = new_server('restore');
make_shop($node, 'postgres', 'shop');
$node->safe_psql('postgres', <<~'SQL');
	SELECT cvm.create_portfolio('second', 'orders', customer => 'customer_id', at => 'ordered_at', amount => 'total', options => '{"schema": "other"}');
	CALL cvm.recompute('shop', '2025-08-01 00:00+00');
	CALL cvm.recompute('shop', '2025-09-01 00:00+00');
	CALL cvm.validate('shop', '60 days', '2025-09-01 00:00+00');
	SELECT cvm.rollback('shop');
	SQL
set_feed($node, 'postgres', 0, 1);
$node->psql('postgres', q{CALL cvm.recompute('shop')});
set_feed($node, 'postgres', 0, 0);
my @jobs = map { value_of($node, 'postgres', "SELECT cvm.schedule('$_', starting => now() + interval '1 year')") } 'shop', 'second';

# Everything in the catalogue and what was published, as one text.
my @tables = split /\n/, value_of($node, 'postgres', q{SELECT oid::regclass FROM pg_class WHERE relnamespace = 'cvm'::regnamespace AND relkind = 'r' ORDER BY 1});
cmp_ok(scalar @tables, '>=', 11, 'the catalogue has tables');
sub contents
{
	my ($database) = @_;
	return value_of($node, $database, join ' UNION ALL ', map { "SELECT '$_', count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM $_ t" } @tables,
		'cvm_shop.customer_value', 'cvm_shop.equity', 'cvm_shop.segment_summary', 'cvm_shop.cohort_retention', 'cvm_shop.segment_rule');
}
my $before = contents('postgres');
unlike($before, qr/\|0\|/, 'none of which is empty');

my $custom = $node->basedir . '/custom';
my $plain = $node->basedir . '/plain';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $custom, $node->connstr('postgres') ], 'a dump in the custom format');
$node->command_ok([ 'pg_dump', '-f', $plain, $node->connstr('postgres') ], 'a plain dump');

sub check_restored
{
	my ($database, $what) = @_;
	is(contents($database), $before, "$what: everything is there");
	is(value_of($node, $database, 'SELECT string_agg(DISTINCT state, \',\') FROM cvm.jobs'), 'paused', "$what: jobs are paused");
	$node->safe_psql($database, q{SELECT cvm.unpin('shop'); CALL cvm.recompute('shop', '2025-10-01 00:00+00')});
	is(value_of($node, $database, q{SELECT count(*), max(as_of) = '2025-10-01 00:00+00' FROM cvm_shop.clv}), '60|t', "$what: it is recomputed");
	$node->safe_psql($database, q{CALL cvm.validate('shop', '60 days', '2025-09-01 00:00+00')});
	is(value_of($node, $database, q{SELECT max(validation_id) FROM cvm.validations}), '2', "$what: it is validated");
	is(value_of($node, $database, 'SELECT cvm.resume_jobs()'), '2', "$what: jobs are resumed");
	wait_for_run($node, $database, $_, "$what: job $_ runs") for @jobs;
	is(value_of($node, $database, 'SELECT string_agg(DISTINCT status, \',\') FROM cvm.job_runs WHERE job_id IS NOT NULL'), 'succeeded', "$what: and succeeds");
	is(value_of($node, $database, q{SELECT cvm.schedule('second', starting => now() + interval '1 year')}), $jobs[1] + 1, "$what: numbers go on");
	$node->safe_psql($database, q{SELECT cvm.drop_portfolio('shop'), cvm.drop_portfolio('second')});
	is(value_of($node, $database, 'SELECT count(*) FROM cvm.job, cvm.run'), '0', "$what: and it is dropped");
	$node->safe_psql('postgres', "DROP DATABASE $database WITH (FORCE)");
}

for my $n (1 .. 3)
{
	$node->safe_psql('postgres', 'CREATE DATABASE side');
	$node->command_ok([ 'pg_restore', '--exit-on-error', '-j', '2', '-d', $node->connstr('side'), $custom ], "restored by two processes, $n");
	check_restored('side', "pg_restore -j 2, $n") if $n == 1;
	$node->safe_psql('postgres', 'DROP DATABASE IF EXISTS side WITH (FORCE)');
}
$node->safe_psql('postgres', 'CREATE DATABASE one');
$node->command_ok([ 'pg_restore', '--exit-on-error', '--single-transaction', '-d', $node->connstr('one'), $custom ], 'restored in one transaction');
check_restored('one', 'pg_restore -1');
$node->safe_psql('postgres', 'CREATE DATABASE plain');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-o', $node->basedir . '/out', '-d', $node->connstr('plain'), '-f', $plain ], 'restored by psql');
check_restored('plain', 'psql');

# the same database: jobs are at home here and are checked as they are loaded, whatever is loaded first
$node->safe_psql('postgres', q{SELECT cvm.drop_portfolio('shop'), cvm.drop_portfolio('second'); DROP EXTENSION cvm; DROP SCHEMA cvm; DROP VIEW slow_orders; DROP TABLE feed, orders});
$node->command_ok([ 'pg_restore', '--exit-on-error', '-j', '2', '-d', $node->connstr('postgres'), $custom ], 'restored where it came from');
is(contents('postgres'), $before, 'everything is there again');
is(value_of($node, 'postgres', 'SELECT string_agg(DISTINCT state, \',\') FROM cvm.jobs'), 'waiting', 'and jobs wait for their slots');

# ---------- DROP EXTENSION ----------

my ($code, undef, $error) = $node->psql('postgres', 'DROP EXTENSION cvm');
is($code, 3, 'DROP EXTENSION is refused while there are portfolios');
like($error, qr/cannot drop extension cvm because other objects depend on it\nDETAIL:.*cvm_shop/s, 'which it names');
my $clv = value_of($node, 'postgres', 'SELECT count(*), sum(residual_value) FROM cvm_shop.clv');
$node->safe_psql('postgres', 'DROP EXTENSION cvm CASCADE');
is(value_of($node, 'postgres', 'SELECT count(*), sum(residual_value) FROM cvm_shop.clv'), $clv, 'CASCADE leaves the published numbers');
is(value_of($node, 'postgres', q{SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relnamespace = 'cvm_shop'::regnamespace AND relkind IN ('v', 'm')}),
	'churn,clv,cohort_retention,segment_history,segment_summary', 'but for the views with types of the extension');
is(value_of($node, 'postgres', q{SELECT count(*) FROM pg_class WHERE relnamespace = 'cvm'::regnamespace}), '0', 'and an empty schema cvm');
$node->safe_psql('postgres', 'DROP SCHEMA cvm_shop CASCADE; DROP SCHEMA other CASCADE; DROP SCHEMA cvm');
is(($node->psql('postgres', q{CREATE EXTENSION cvm; SELECT cvm.create_portfolio('shop', 'slow_orders', customer => 'customer_id', at => 'ordered_at', amount => 'total')}))[0],
	0, 'with the schemas gone as well, everything can be made again');
$node->safe_psql('postgres', q{CALL cvm.recompute('shop'); SELECT cvm.drop_portfolio('shop'); DROP EXTENSION cvm; DROP SCHEMA cvm});
is(value_of($node, 'postgres', q{SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'cvm%'}), '0', 'drop_portfolio, DROP EXTENSION and DROP SCHEMA cvm leave nothing');
$node->stop;
done_testing();
