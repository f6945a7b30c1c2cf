# Worker.pm: what the tests of the worker share: a server, a shop whose feed can be told to be slow or to
# fail, and questions about runs.
package Worker;
use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_server make_shop set_feed value_of wait_for last_run wait_for_run);

# A server whose worker finds unannounced jobs within a second.  PostgreSQL's own default for tests is to stay down
# after a crash.
sub new_server
{
	my ($name, %init) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(%init);
	$node->append_conf('postgresql.conf', <<~'CONF');
		restart_after_crash = on
		cvm.discovery_interval = 1s
		log_min_messages = warning
		CONF
	$node->start;
	return $node;
}

# 60 customers with up to 4 purchases each, every number a formula; feed.seconds: how long the feed takes to
# begin, feed.broken: it fails.
sub make_shop
{
	my ($node, $database, $portfolio) = @_;
	$node->safe_psql($database, <<~SQL);
		CREATE EXTENSION IF NOT EXISTS cvm;
		CREATE TABLE orders AS
		SELECT c AS customer_id, timestamptz '2025-01-01 00:00+00' + (c * 17 % 90 + k * (20 + c * 7 % 31)) * interval '1 day' AS ordered_at,
		       10 + (c * 13 + k * 29) % 50 AS total
		FROM generate_series(1, 60) c, generate_series(0, 3) k WHERE k <= c % 4;
		CREATE TABLE feed (seconds float8 NOT NULL, broken boolean NOT NULL);
		INSERT INTO feed VALUES (0, false);
		CREATE VIEW slow_orders AS
		SELECT customer_id, ordered_at, total / (SELECT CASE WHEN broken THEN 0 ELSE 1 END FROM feed) AS total
		FROM orders WHERE (SELECT pg_sleep(seconds)::text FROM feed) = '';
		SELECT cvm.create_portfolio('$portfolio', 'slow_orders', customer => 'customer_id', at => 'ordered_at', amount => 'total');
		SQL
}

sub set_feed
{
	my ($node, $database, $seconds, $broken) = @_;
	$node->safe_psql($database, "UPDATE feed SET seconds = $seconds, broken = " . ($broken ? 'true' : 'false'));
}

sub value_of
{
	my ($node, $database, $sql) = @_;
	return $node->safe_psql($database, $sql);
}

# Waits until the query says 't'; a failure shows what the worker has done.
sub wait_for
{
	my ($node, $database, $sql, $what) = @_;
	my $reached = $node->poll_query_until($database, $sql);
	ok($reached, $what);
	diag($node->safe_psql($database, 'SELECT * FROM cvm.job') . "\n" . $node->safe_psql($database, 'SELECT * FROM cvm.job_runs'))
		unless $reached;
	return $reached;
}

sub last_run
{
	my ($node, $database, $columns) = @_;
	return $node->safe_psql($database, "SELECT $columns FROM cvm.job_runs ORDER BY run_id DESC LIMIT 1");
}

# Runs the job and waits for the end of a run later than all before.
sub wait_for_run
{
	my ($node, $database, $job, $what) = @_;
	my $before = $node->safe_psql($database, 'SELECT coalesce(max(run_id), 0) FROM cvm.run');
	$node->safe_psql($database, "SELECT cvm.run_job($job)");
	return wait_for($node, $database,
		"SELECT EXISTS (SELECT FROM cvm.run WHERE run_id > $before AND job_id = $job AND finished_at IS NOT NULL)"
		. " AND (SELECT open_run_id IS NULL FROM cvm.job WHERE job_id = $job)", $what);
}

1;
