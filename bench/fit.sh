# bench/fit.sh: the fit of each purchase family to the histories of all customers, beside the scan of their
# purchases.  The aggregate reads, collapses and fits; what reading alone costs is a row of its own.

echo "fit: $customers customers, $runs runs each, medians"
if [ "$(bench -Atc "SELECT to_regclass('orders') IS NULL")" = t ]; then
	bench -o /dev/null -v customers="$customers" -f "$work/tree/bench/orders.sql"
fi
bench -o /dev/null -c "CREATE TABLE histories AS SELECT cvm.purchase_history(ordered_at, total) AS h FROM orders GROUP BY customer_id" \
	-c 'VACUUM (FREEZE, ANALYZE) histories'

serial="SET max_parallel_workers_per_gather = 0"
scan="SELECT sum(total), max(ordered_at), max(customer_id) FROM orders"
read="SELECT sum(cvm.repeat_periods(h)), sum(cvm.span(h)), sum(cvm.age(h, '2026-01-01 00:00+00')) FROM histories"
families=(bg/nbd mbg/nbd pareto/nbd)
goals=('fit alone <= 0.10' '' 'fit alone <= 0.30')

measure "$serial" "$scan" >/dev/null
for ((i = 0; i < runs; i++)); do
	measure "$serial" "$scan" >>"$work/fit_scan"
	measure "$serial" "$read" >>"$work/fit_read"
	for family in "${families[@]}"; do
		measure "$serial" "SELECT cvm.fit('$family', h, '2026-01-01 00:00+00') FROM histories" >>"$work/fit_${family//\//_}"
	done
done

scan_ms=$(median <"$work/fit_scan")
echo
row '' milliseconds '/ scan' '' goal
row 'scan of three columns of the purchases' "$scan_ms" "$(ratio "$scan_ms" "$scan_ms")" ''
row 'scan of the histories' "$(median <"$work/fit_read")" "$(ratio "$(median <"$work/fit_read")" "$scan_ms")" ''
for ((i = 0; i < ${#families[@]}; i++)); do
	took=$(median <"$work/fit_${families[i]//\//_}")
	row "cvm.fit('${families[i]}', ...), with its scan" "$took" "$(ratio "$took" "$scan_ms")" '' "${goals[i]}"
done
echo
