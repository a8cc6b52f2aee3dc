# shellcheck shell=bash
# Debian's redis-server under QEMU, real clients, an orderly stop.
#
# QEMU's user network listens with a backlog of one and loses connections that
# come in a burst, so the many clients come over a tap device, in a network
# namespace of the test's own.
ns=osv-check-$$

as_root=() in_netns=(ip netns exec "$ns")
if [ "$(id -u)" != 0 ]; then
	as_root=(sudo)
	in_netns=(sudo ip netns exec "$ns" sudo -u "$(id -un)")
fi

netns_up() {
	"${as_root[@]}" ip netns add "$ns" && "${as_root[@]}" ip -n "$ns" link set lo up
}
netns_down() {
	"${as_root[@]}" ip netns pids "$ns" | xargs -r "${as_root[@]}" kill 2>/dev/null
	"${as_root[@]}" ip netns del "$ns"
}

# redis_case LABEL NET HOST PORT CLIENTS OSV-ARGUMENT...
redis_case() {
	local name="apps/redis $1" net=$2 host=$3 port=$4 clients=$5 pid status=0
	local log=$WORK/redis.$4 in=()
	shift 5
	[ "$net" != tap ] || in=("${in_netns[@]}")
	"${in[@]}" "$osv" run redis --net "$net" --port "$port" "$@" >"$log" 2>"$log.err" </dev/null &
	pid=$!
	[ "$net" != tap ] || port=6379
	if ! wait_for 180 "${in[@]}" redis-cli -h "$host" -p "$port" ping; then
		kill $pid 2>/dev/null
		wait $pid
		not_ok "$name" "no answer to ping" "$log.err"
		return
	fi
	timeout 600 "${in[@]}" redis-benchmark -h "$host" -p "$port" -c "$clients" -n "${requests:-3000}" \
		-t ping,set,get,incr,lpush,lrange_100 --csv >"$log.csv" 2>&1
	if [ "$(grep -c '^"' "$log.csv")" -lt 8 ] || grep -qi error "$log.csv"; then
		not_ok "$name: redis-benchmark" "it failed" "$log.csv"
	else
		ok "$name: redis-benchmark ($(awk -F'"' 'NR > 1 { printf("%s%s %d/s", (NR > 2 ? ", " : ""), $2, $4) }' "$log.csv"))"
	fi
	kill -TERM $pid
	if ! wait_for 180 eval "! kill -0 $pid"; then kill -9 $pid; fi
	wait $pid || status=$?
	if [ $status = 0 ] && grep -q 'User requested shutdown\|Received SIGTERM' "$log"; then
		ok "$name: stops when asked to"
	else
		not_ok "$name: stops when asked to" "status $status" "$log"
	fi
}

# Here, since the namespace has no way to the package archive.
"$osv" image --app redis "$WORK/redis.erofs" 2>"$WORK/redis.image" ||
	not_ok apps/redis "its image cannot be made" "$WORK/redis.image"
if ! netns_up; then
	not_ok apps/redis "cannot make a network namespace"
else
	trap netns_down EXIT
	redis_case "on q35" tap 10.0.3.2 17001 50
	redis_case "on q35, 2 processors" tap 10.0.3.2 17002 50 --cpus 2
	redis_case "on microvm" tap 10.0.3.2 17003 50 -M microvm
	redis_case "on microvm, 2 processors" tap 10.0.3.2 17004 50 -M microvm --cpus 2
	redis_case "on q35, 48 MiB" tap 10.0.3.2 17005 50 --mem 48M
	redis_case "on q35, the user network" user 127.0.0.1 17006 3
	requests=100
	redis_case "on Xen, through dom0" user 127.0.0.1 17007 3 --xen
fi
