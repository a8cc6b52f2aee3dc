# shellcheck shell=bash
# A program's own shrinker, /dev/shrinker: when it is asked, and what happens
# when it does not do what it should.
dir=$WORK/shrinker
mkdir -p "$dir/root/bin" "$dir/root/tmp"
gcc -static -O1 -pthread -w -D_GNU_SOURCE "$guest_dir/shrinker/cache.c" -o "$dir/root/bin/cache"
pack "$dir/root" "$dir/root.cpio"

# shrinks LABEL HOW STATUS REPORT LINE...: the program prints these lines and
# ends so; the kernel's report, if there is one, has a line like REPORT.
shrinks() {
	local name="guest/shrinker $1" how=$2 want=$3 report=$4 status
	shift 4
	printf '%s\n' "$@" >"$dir/expect"
	# shellcheck disable=SC2086
	BOOT_MEM=128 boot q35 "$dir/root.cpio" "/bin/cache $how" $smp >"$dir/console"
	status=$?
	program_output "$dir/console" >"$dir/output"
	if ! diff "$dir/expect" "$dir/output" >"$dir/diff"; then
		not_ok "$name" "not what was expected (<)" "$dir/diff"
	elif [ $status != "$want" ]; then
		not_ok "$name" "status $status" "$dir/console"
	elif [ -n "$report" ] && ! grep -aq "^osv: .*$report" "$dir/console"; then
		not_ok "$name" "no line like: $report" "$dir/console"
	else
		ok "$name"
	fi
}

for smp in "" "-smp 2"; do
	shrinks "that frees${smp:+, $smp}" serve 137 \
		'shrinker cache: asked [1-9][0-9]* times softly, [1-9][0-9]* hard, freed 49152kB' \
		'asked softly first' 'asked hard first' 'the cache is empty'
done
smp=''
shrinks "that is asked in time" soft 0 '' 'asked softly first' \
	'ate 16 MiB more than there were; hard requests: 0'
shrinks "that sleeps" sleep 137 'Out of memory: Killed process' 'asked softly first'
shrinks "that lies" lie 137 'Out of memory: Killed process' 'asked softly first' 'asked hard first'
shrinks "that goes away" close 137 'Out of memory: Killed process' 'asked, and gone'
shrinks "used wrongly" usage 0 '' 'read: EINVAL' 'write "": EINVAL' 'write "two words": EINVAL' \
	'write "a-name-that-is-longer-than-31-chars": EINVAL' 'write "usage
": ok' 'write "4096": EINVAL' 'read: EAGAIN' 'short read: EINVAL' 'poll: nothing to read'
