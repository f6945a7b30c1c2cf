# How soon a fit obeys: each family is fitted to many customers, no two alike, and cancelled at moments all over the
# way, from reading the rows and building the table to the climb and the covariance.
#
# The time from the cancel to the error, which is to be below 100 ms, is that of a whole machine: a moment is tried
# up to three times, since another process may have had the processor.  CVM_SOAK=1 takes a million customers.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Worker;

my $customers = $ENV{CVM_SOAK} ? 1_000_000 : 150_000;
my $limit = 100;
my @moments = map { $_ / 10 } 1 .. 9;

my @fits = (
	['bg/nbd', 'bg/nbd(r=0.7,alpha=8,a=0.8,b=3)', q{cvm.fit('bg/nbd', x, t_x, age)}],
	['mbg/nbd', 'mbg/nbd(r=0.7,alpha=8,a=0.8,b=3)', q{cvm.fit('mbg/nbd', x, t_x, age)}],
	['pareto/nbd', 'pareto/nbd(r=0.7,alpha=8,s=0.8,beta=20)', q{cvm.fit('pareto/nbd', x, t_x, age)}],
	['bg/cnbd-k', 'bg/cnbd-k(k=2,r=0.9,alpha=6,a=0.8,b=3)', q{cvm.fit('bg/cnbd-k', x, t_x, age, 1, log_intervals)}],
	['mbg/cnbd-k', 'mbg/cnbd-k(k=2,r=0.9,alpha=6,a=0.8,b=3)', q{cvm.fit('mbg/cnbd-k', x, t_x, age, 1, log_intervals)}],
	['bg/bb', 'bg/bb(alpha=1.2,beta=0.75,gamma=0.7,delta=2.8)', q{cvm.fit('bg/bb', x, t_x, age)}],
	['gamma-gamma', 'gamma-gamma(p=6,q=5,gamma=20)', 'cvm.fit_spend(x, mean_spend)', 5, 4],
	['sbg', 'sbg(alpha=0.8,beta=1.4)', q{cvm.fit_retention('sbg', lifetime, churned)}],
	['bdw', 'bdw(gamma=0.8,delta=1.4,c=1.3)', q{cvm.fit_retention('bdw', lifetime, churned)}]);

my $node = new_server('cancel');
$node->safe_psql('postgres', 'CREATE EXTENSION cvm');

# Every figure that comes after a line "ms": the milliseconds of a statement, or those beyond its limit.
sub milliseconds
{
	my ($sql) = @_;
	my ($code, $out, $err) = $node->psql('postgres', $sql, on_error_stop => 0);
	my @ms = $out =~ /^ms ([-0-9.]+)$/mg;
	return ($err, @ms);
}

sub timed
{
	my ($timeout, $query) = @_;
	return <<~SQL;
		SET max_parallel_workers_per_gather = 0;
		SET jit = off;
		SET statement_timeout = '${timeout}ms';
		SELECT clock_timestamp() AS began \\gset
		$query;
		SELECT 'ms ' || round(1000 * extract(epoch FROM clock_timestamp() - :'began')::numeric - $timeout, 1);
		SQL
}

foreach my $fit (@fits)
{
	my ($family, $model, $call, $observed, $spread) = @$fit;
	($observed, $spread) = (104, 100) unless defined $observed;
	$node->safe_psql('postgres', <<~SQL);
		DROP TABLE IF EXISTS customers;
		CREATE UNLOGGED TABLE customers AS SELECT * FROM cvm.simulate('$model', $customers, $observed, 1, $spread);
		VACUUM ANALYZE customers;
		SQL
	my $query = "SELECT length(($call)::text) FROM customers";
	my ($err, $whole) = milliseconds(timed(0, $query));
	foreach (1 .. 2)
	{
		my (undef, $again) = milliseconds(timed(0, $query));
		$whole = $again if $again < $whole;
	}
	is($err, '', "$family: $customers customers are fitted");
	my ($worst, $cancelled) = (0, 0);
	foreach my $moment (@moments)
	{
		my $timeout = int($moment * $whole) || 1;
		my $late;
		foreach my $try (1 .. 3)
		{
			my ($error, $ms) = milliseconds(timed($timeout, $query));
			$cancelled++ if $error =~ /canceling statement due to statement timeout/ && $try == 1;
			$late = $ms if !defined $late || $ms < $late;
			last if $late < $limit;
		}
		$worst = $late if $late > $worst;
	}
	cmp_ok($cancelled, '>=', @moments / 2, "$family: cancelled at $cancelled of " . @moments . sprintf(' moments of its %.0f ms', $whole));
	cmp_ok($worst, '<', $limit, "$family: the error comes $worst ms later at the worst");
}

$node->stop;
done_testing();
