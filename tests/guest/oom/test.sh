# shellcheck shell=bash
# Programs that eat all memory: what they see, how the machine ends, and what
# is said about it.
dir=$WORK/oom
mkdir -p "$dir/root/bin" "$dir/root/tmp"
gcc -static -O1 -w "$guest_dir/oom/eat.c" -o "$dir/root/bin/eat"
pack "$dir/root" "$dir/root.cpio"

# killed WAY [QEMU-ARGUMENT...]: ends by SIGKILL with Linux's report.
killed() {
	local way=$1 status line
	shift
	BOOT_MEM=64 boot q35 "$dir/root.cpio" "/bin/eat $way" "$@" >"$dir/console"
	status=$?
	for line in 'eat invoked oom-killer: gfp_mask=' 'Mem-Info:' 'active_anon:[1-9]' \
		'Node 0 Normal free:[0-9]*kB min:[1-9]' 'pages RAM' \
		'shrinker page cache: asked [0-9]* times softly, [1-9][0-9]* hard' \
		'mapping [0-9a-f]*-[0-9a-f]* rss:[0-9]*kB \[anon\]' \
		'Out of memory: Killed process [0-9]* (eat) total-vm:[0-9]*kB, anon-rss:[0-9]*kB' \
		'killed by signal 9 (SIGKILL)'; do
		grep -aq "^osv: .*$line" "$dir/console" && continue
		not_ok "guest/oom $way" "the console lacks: $line" "$dir/console"
		return
	done
	if [ "$(grep -ac 'invoked oom-killer' "$dir/console")" != 1 ]; then
		not_ok "guest/oom $way" "more than one report" "$dir/console"
	elif [ $status != 137 ]; then
		not_ok "guest/oom $way" "status $status, not SIGKILL's" "$dir/console"
	else
		ok "guest/oom $way${1:+, $*}"
	fi
}

# lives WAY LINE...: prints these lines and ends well.
lives() {
	local way=$1 status
	shift
	printf '%s\n' "$@" >"$dir/expect"
	BOOT_MEM=128 boot q35 "$dir/root.cpio" "/bin/eat $way" >"$dir/console"
	status=$?
	program_output "$dir/console" >"$dir/output"
	if ! diff "$dir/expect" "$dir/output" >"$dir/diff"; then
		not_ok "guest/oom $way" "not what was expected (<)" "$dir/diff"
	elif [ $status != 0 ]; then
		not_ok "guest/oom $way" "status $status" "$dir/console"
	else
		ok "guest/oom $way"
	fi
}

killed touch
killed touch -smp 2
killed call
lives malloc 'malloc: Cannot allocate memory' 'then there is memory'
lives strict 'malloc: Cannot allocate memory' '0 blocks are missing' 'then there is memory'
lives file 'the file is refused' 'all is back'
lives bursts 'three times half'
lives sum 'before: it adds up' 'with 32 MiB: it adds up' 'after: it adds up'
