# shellcheck shell=bash
# Debian's redis-server, real clients, an orderly stop.

benchmark() { # PORT REQUESTS
	timeout 300 redis-benchmark -p "$1" -t ping,set,get,incr,lpush,lrange_100 \
		-n "$2" -c 50 --csv
}

# redis_case NAME PORT REQUESTS OSV-ARGUMENT...
redis_case() {
	local name=apps/redis\ $1 port=$2 n=$3 log=$WORK/redis.$2 pid status=0
	shift 3
	"$osv" run redis --port "$port" "$@" >"$log" 2>"$log.err" </dev/null &
	pid=$!
	if ! wait_for 120 redis-cli -p "$port" ping; then
		kill $pid
		wait $pid
		not_ok "$name" "no answer to ping" "$log"
		return
	fi
	if ! benchmark "$port" "$n" >"$log.csv" 2>&1 || grep -qi err "$log.csv" ||
		[ "$(wc -l <"$log.csv")" -lt 8 ]; then
		not_ok "$name" "redis-benchmark failed" "$log.csv"
	elif [ "$(redis-cli -p "$port" set greeting hello)" != OK ] ||
		[ "$(redis-cli -p "$port" get greeting)" != hello ]; then
		not_ok "$name" "a value set is not the value got"
	else
		ok "$name: redis-benchmark ($(awk -F'"' 'NR > 1 { printf "%s%s %.0f/s", NR > 2 ? ", " : "", $2, $4 }' "$log.csv"))"
	fi
	kill -INT $pid
	wait $pid || status=$?
	if [ $status = 0 ] && grep -q 'User requested shutdown\|Received SIGTERM' "$log"; then
		ok "$name: stops when asked to"
	else
		not_ok "$name: stops when asked to" "status $status" "$log"
	fi
}

redis_case "on q35" 17001 3000
redis_case "on q35, 2 processors" 17002 3000 --cpus 2
redis_case "on microvm" 17003 3000 -M microvm
redis_case "on q35, 48 MiB" 17004 300 --mem 48M
redis_case "on Xen" 17005 300 --xen
