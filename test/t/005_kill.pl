# Kills at every point of a run: the runner, the job or the postmaster.  Lock is truth: the run is known to have crashed,
# what was published is intact to the last digit, the next run completes, and nothing is left over.
#
# make test kills in a seeded sample of the combinations; CVM_SOAK=1 in all of them, and then at random instants.
# CVM_SEED is the seed.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use List::Util qw(shuffle);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use Worker;

my $soak = $ENV{CVM_SOAK} ? 1 : 0;
my $seed = $ENV{CVM_SEED} // 1;
srand($seed);
note("seed $seed");

my $node = new_server('kill');
make_shop($node, 'postgres', 'shop');
my $job = value_of($node, 'postgres', q{SELECT cvm.schedule('shop', starting => now() + interval '1 year', retry_period => '1 day')});

# A process that comes to the point named in the table stays there: what it has done since its last commit is not yet so.
$node->safe_psql('postgres', <<~'SQL');
	CREATE TABLE stop (at text NOT NULL);
	INSERT INTO stop VALUES ('');
	CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
	    IF TG_ARGV[0] = (SELECT at FROM public.stop) THEN
	        PERFORM pg_sleep(3600);
	    END IF;
	    RETURN NEW;
	END $$;
	CREATE TRIGGER stop_1 BEFORE INSERT ON cvm.run FOR EACH ROW WHEN (NEW.job_id IS NOT NULL) EXECUTE FUNCTION stop('claim');
	CREATE TRIGGER stop_2 BEFORE UPDATE ON cvm.run FOR EACH ROW WHEN (NEW.phase = 'summarise') EXECUTE FUNCTION stop('begin');
	CREATE TRIGGER stop_3 BEFORE UPDATE ON cvm.run FOR EACH ROW WHEN (NEW.phase = 'fit') EXECUTE FUNCTION stop('summarise');
	CREATE TRIGGER stop_4 BEFORE UPDATE ON cvm.run FOR EACH ROW WHEN (NEW.phase = 'score') EXECUTE FUNCTION stop('fit');
	CREATE TRIGGER stop_5 BEFORE UPDATE ON cvm.run FOR EACH ROW WHEN (NEW.phase = 'publish' AND NEW.status = 'running') EXECUTE FUNCTION stop('score');
	CREATE TRIGGER stop_6 BEFORE UPDATE ON cvm.run FOR EACH ROW WHEN (NEW.status = 'succeeded') EXECUTE FUNCTION stop('publish');
	CREATE TRIGGER stop_7 BEFORE UPDATE ON cvm.job FOR EACH ROW WHEN (OLD.open_run_id IS NOT NULL AND NEW.open_run_id IS NULL) EXECUTE FUNCTION stop('settle');
	SQL

# where it stops => who stops there
my %stops = (claim => 'runner', begin => 'job', summarise => 'job', fit => 'job', score => 'job', publish => 'job', settle => 'runner');

# What readers see, to the last digit; how many relations there are; and runs that are there, published or not.
my $published = q{SELECT count(*), min(as_of), max(as_of), md5(string_agg(v::text, '|' ORDER BY customer_id)) FROM cvm_shop.customer_value v};
my $relations = q{SELECT count(*) FROM pg_class WHERE relnamespace = 'cvm_shop'::regnamespace};
my $partitions = q{SELECT count(*) FROM pg_class WHERE relnamespace = 'cvm_shop'::regnamespace AND relname ~ '^score_[0-9]+$'};

# By psql, since the server is away for a moment.
sub eventually
{
	my ($sql, $expected, $what) = @_;
	my $out = '';
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		(my $code, $out) = $node->psql('postgres', $sql);
		last if $code == 0 && $out eq $expected;
		sleep 0.1;
	}
	return is($out, $expected, $what);
}

sub kill_process
{
	my ($target) = @_;
	if ($target eq 'postmaster')
	{
		my @processes = split /\n/, value_of($node, 'postgres', 'SELECT pid FROM pg_stat_activity');
		push @processes, slurp_file($node->data_dir . '/postmaster.pid') =~ s/\n.*//sr;
		$node->kill9;
		# its children leave when they notice
		for (1 .. 600) { last unless grep { kill 0, $_ } @processes; sleep 0.1; }
		$node->start;
		return;
	}
	my $pid = value_of($node, 'postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'cvm $target'");
	kill('KILL', $pid) if $pid;
}

sub last_id { return value_of($node, 'postgres', 'SELECT coalesce(max(run_id), 0) FROM cvm.run'); }

# A run without any disturbance ends well and leaves what such runs leave.
my $usual;
sub complete
{
	my ($what) = @_;
	my $before = last_id();
	my $old = value_of($node, 'postgres', 'SELECT max(as_of) FROM cvm_shop.clv');
	wait_for_run($node, 'postgres', $job, "$what: the next run ends");
	is(value_of($node, 'postgres', "SELECT string_agg(status, ',') FROM cvm.job_runs WHERE run_id > $before"), 'succeeded', "$what: it succeeds, once");
	is(value_of($node, 'postgres', qq{SELECT count(*), count(DISTINCT as_of), min(as_of) IS DISTINCT FROM nullif('$old', '')::timestamptz FROM cvm_shop.customer_value}), '60|1|t',
		"$what: it has published");
	# a snapshot of anybody's, such as autovacuum's, puts off what is dropped to the next run
	for (1 .. 10)
	{
		last if value_of($node, 'postgres', $partitions) eq '1';
		$node->safe_psql('postgres', q{CALL cvm.recompute('shop')});
	}
	return unless $usual;
	is(value_of($node, 'postgres', $relations), $usual, "$what: nothing is left over");
}

complete('before') for 1, 2;
$usual = value_of($node, 'postgres', $relations);

sub kill_at
{
	my ($stop, $target) = @_;
	my $what = "$target killed at $stop";
	my $before = value_of($node, 'postgres', $published);
	my $last = last_id();
	$node->safe_psql('postgres', "UPDATE stop SET at = '$stop'; SELECT cvm.run_job($job)");
	wait_for($node, 'postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'cvm $stops{$stop}' AND wait_event = 'PgSleep'", "$what: it is there");
	is(value_of($node, 'postgres', $published), $before, "$what: readers see the last run meanwhile") unless $stop eq 'settle';
	my $reached = value_of($node, 'postgres', $published);
	$node->safe_psql('postgres', q{UPDATE stop SET at = ''});
	kill_process($target);
	if ($stop eq 'claim')
	{
		# nothing was recorded, so the job is still due
		eventually("SELECT string_agg(status, ',') FROM cvm.job_runs WHERE run_id > $last", 'succeeded', "$what: it is claimed again, and succeeds");
	}
	else
	{
		eventually(qq{SELECT string_agg(r.status, ','), bool_and(j.open_run_id IS NULL) FROM cvm.job_runs r JOIN cvm.job j USING (job_id) WHERE r.run_id > $last},
			$stop eq 'settle' ? 'succeeded|t' : 'crashed|t', "$what: the run is accounted for");
		is(value_of($node, 'postgres', $published), $reached, "$what: what was published is intact");
	}
	eventually(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type IN ('cvm job', 'cvm runner')}, '0', "$what: nobody is left");
	complete($what);
}

my @all;
for my $stop (sort keys %stops)
{
	push @all, [ $stop, $_ ] for $stops{$stop} eq 'job' ? ('runner', 'job', 'postmaster') : ('runner', 'postmaster');
}
my @sample = shuffle(@all);
@sample = @sample[ 0 .. 5 ] unless $soak;
kill_at(@$_) for @sample;

# ---------- at random instants ----------

for my $round (1 .. ($soak ? 60 : 3))
{
	my ($target) = shuffle('runner', 'job', 'postmaster');
	my $after = rand 1.5;
	my $what = sprintf 'round %d, %s killed after %.3f s', $round, $target, $after;
	my $last = last_id();
	$node->safe_psql('postgres', "SELECT cvm.run_job($job)");
	sleep $after;
	kill_process($target);
	eventually(qq{SELECT bool_and(r.status IN ('crashed', 'succeeded')), bool_and(j.open_run_id IS NULL), bool_and(j.next_due > now()) FROM cvm.job_runs r JOIN cvm.job j USING (job_id) WHERE r.run_id > $last},
		't|t|t', "$what: accounted for");
	is(value_of($node, 'postgres', 'SELECT count(*), count(DISTINCT as_of) FROM cvm_shop.customer_value'), '60|1', "$what: one whole run is published");
	complete($what);
}
$node->stop;
done_testing();
