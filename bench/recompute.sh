# bench/recompute.sh: CALL cvm.recompute beside what SQL alone costs on the same table: reading the three
# columns, and the plain GROUP BY that everybody writes.

echo "recompute: $customers customers, $runs runs each, medians"
bench -o /dev/null -v customers="$customers" -f "$work/tree/bench/orders.sql"
bench -Atc "SELECT format('  %s purchases, %s', count(*), pg_size_pretty(pg_table_size('orders'))) FROM orders"
bench -o /dev/null -c "SELECT cvm.create_portfolio('bench', 'orders', customer => 'customer_id', at => 'ordered_at', amount => 'total')"

scan_settings="SET max_parallel_workers_per_gather = 0"
scan="SELECT sum(total), max(ordered_at), max(customer_id) FROM orders"
plain="CREATE TABLE plain AS SELECT customer_id, count(*), min(ordered_at), max(ordered_at), sum(total) FROM orders GROUP BY customer_id"
recompute="CALL cvm.recompute('bench', '2026-01-01 00:00+00')"

# The best plan of the plain GROUP BY, with memory enough for any of them.
best=
for plan in sort hash; do
	for workers in 0 2; do
		settings="SET work_mem = '1GB'; SET enable_$([ $plan = sort ] && echo hashagg || echo sort) = off; SET max_parallel_workers_per_gather = $workers"
		took=$(measure "$settings" "$plain")
		bench -c 'DROP TABLE plain'
		if [ -z "$best" ] || awk "BEGIN { exit !($took < $best) }"; then
			best=$took plain_settings=$settings plain_plan="$plan, $workers workers"
		fi
	done
done
measure "$scan_settings" "$scan" >/dev/null

for ((i = 0; i < runs; i++)); do
	measure "$scan_settings" "$scan" >>"$work/scan"
	measure "$plain_settings" "$plain" >>"$work/plain"
	bench -c 'DROP TABLE plain'
	measure "SET application_name = 'bench'" "$recompute" >>"$work/recompute"
	bench -c CHECKPOINT
	bench -o /dev/null -c "SELECT cvm.alter_portfolio('bench', '{\"predictive_interval\": false}')"
	measure "SET application_name = 'bench'" "$recompute" >>"$work/without"
	bench -o /dev/null -c "SELECT cvm.alter_portfolio('bench', '{\"predictive_interval\": null}')" -c CHECKPOINT
done
without_ms=$(median <"$work/without")
scan_ms=$(median <"$work/scan") plain_ms=$(median <"$work/plain") recompute_ms=$(median <"$work/recompute")

# Phases and memory of one more run: another session looks where it is, 100 times a second.
echo "SELECT extract(epoch FROM clock_timestamp()), phase FROM cvm.progress_slots() \\watch 0.01" |
	PGAPPNAME=watcher bench -At >"$work/phases" 2>/dev/null &
watcher=$!
sleep 0.5
bench -At >"$work/memory" <<-SESSION
	SELECT pg_backend_pid() AS pid \\gset
	\\setenv PID :pid
	$recompute;
	\\! grep -E '^(VmHWM|RssShmem)' /proc/\$PID/status
SESSION
bench -o /dev/null -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%progress_slots()%' AND pid <> pg_backend_pid()"
wait "$watcher" 2>/dev/null || true
phase_ms() {
	awk -F'|' -v wanted="$1" 'NF == 2 { if (last == wanted) sum += 1000 * ($1 - at); at = $1; last = $2 } END { printf "%.0f", sum }' "$work/phases"
}

line() { row "$1" "$(printf '%.0f' "$2")" "$(ratio "$2" "$scan_ms")" "$(ratio "$2" "$plain_ms")" "${3:-}"; }
engine_ms=0
echo
row "" ms "/ scan" "/ GROUP BY" "goal"
line "serial scan of the three columns" "$scan_ms"
line "CREATE TABLE AS ... GROUP BY ($plain_plan)" "$plain_ms"
line "CALL cvm.recompute, everything" "$recompute_ms" "GROUP BY <= 0.50, stretch 0.30"
line "  without residual_low and residual_high" "$without_ms"
for phase in summarise fit score publish; do
	ms=$(phase_ms $phase)
	goal=
	[ $phase = publish ] || engine_ms=$((engine_ms + ms))
	[ $phase != fit ] || goal="scan <= 0.10 (the BG/NBD fit alone; here both fits and their tables)"
	line "  $phase" "$ms" "$goal"
done
line "  summarise + fit + score" "$engine_ms" "GROUP BY <= 0.20, stretch 0.12; scan <= 2.0"
echo
awk '/VmHWM/ { peak = $2 } /RssShmem/ { shared = $2 }
	END { printf "peak memory of the backend: %.0f MB, of which shared buffers it touched: %.0f MB\n", peak / 1024, shared / 1024 }' "$work/memory"
