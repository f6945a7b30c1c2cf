# bench/answers.sh: the aggregates of survey answers, ten answers a customer, beside avg() of the same column in
# the same kind of plan, in turn: alone and with two parallel workers.

echo "answers: $((customers * 10)) answers, $runs runs each, medians"
bench -o /dev/null -c "CREATE TABLE responses AS
	SELECT least(floor(11.5 * sqrt(random())), 10)::float8 AS score, (1 + 4 * random())::integer AS rating, (1 + 99 * random())::float8 AS weight
	FROM generate_series(1, $((customers * 10)))" \
	-c 'VACUUM (FREEZE, ANALYZE) responses'

serial="SET max_parallel_workers_per_gather = 0"
parallel="SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0"
# expression|column whose avg() it stands beside|goal
compared=("cvm.nps(score)|score|<= 1.5" "cvm.answers(score, 0, 10, 'high')|score|<= 1.5" "cvm.ces(score, 'high', 0, 10)|score|<= 1.5"
	"cvm.csat(rating)|rating|<= 1.5" "cvm.weighted_nps(score, weight)|score|")

for plan in serial parallel; do
	for ((i = 0; i < runs; i++)); do
		for column in score rating; do
			measure "${!plan}" "SELECT avg($column) FROM responses" >>"$work/answers_${plan}_$column"
		done
		for ((k = 0; k < ${#compared[@]}; k++)); do
			measure "${!plan}" "SELECT ${compared[k]%%|*} FROM responses" >>"$work/answers_${plan}_$k"
		done
	done
done

echo
row '' milliseconds '/ avg' '' goal
for plan in serial parallel; do
	for column in score rating; do
		row "avg($column), $plan" "$(median <"$work/answers_${plan}_$column")" 1.000 ''
	done
	for ((k = 0; k < ${#compared[@]}; k++)); do
		IFS='|' read -r expression column goal <<<"${compared[k]}"
		took=$(median <"$work/answers_${plan}_$k")
		row "$expression" "$took" "$(ratio "$took" "$(median <"$work/answers_${plan}_$column")")" '' "$goal"
	done
done
echo
