# For the jobs, in dom0.  Sourced.  $test is the test's name.
# shellcheck shell=bash disable=SC2034

ok() { echo "ok $test${1:+: $1}"; }
not_ok() { # WHAT WHY [FILE-TO-SHOW]
	echo "not ok $test${1:+: $1}: $2"
	[ -z "${3-}" ] || tail -n 25 "$3" | tr -d '\r' | sed 's/^/#   /'
}

# config CMDLINE [LINE...]: write osv.cfg for a guest named "guest".
config() {
	cat >osv.cfg <<END
name    = "guest"
type    = "pvh"
kernel  = "/job/osv.elf"
ramdisk = "$PWD/root.cpio"
memory  = 64
vcpus   = 1
extra   = '$1'
END
	shift
	printf '%s\n' "$@" >>osv.cfg
}

console=/var/log/xen/guest-guest.log
guest_start() {
	: >"$console"
	xl create -q osv.cfg
}

# eventually COMMAND...: until it succeeds.  What should be so at once may take
# long on a busy machine; only a failure waits until the end.
eventually() {
	local end=$((SECONDS + 90))
	until "$@"; do
		[ $SECONDS -le $end ] || return 1
		sleep 0.2
	done
}

# console_has PATTERN: until the guest's console shows it.
console_has() { eventually grep -q -- "$1" "$console"; }

# console_has_lines N PATTERN: until N lines of it, at least, have it.
has_lines() { [ "$(grep -c -- "$2" "$3")" -ge "$1" ]; }
console_has_lines() { eventually has_lines "$1" "$2" "$console"; }

# gone: until the guest is not listed any more.
not_listed() { ! xl domid guest >/dev/null 2>&1; }
gone() { eventually not_listed; }

# stop_by COMMAND...: have xl stop the guest, and set $asked, when the request was
# in the store, in us since 1970, and in ms from then on: $taken until the guest
# took it, $stopped until the domain stopped; empty when it did not.  What xl and its scripts need besides is not
# the guest's time: seconds, on a busy machine.
stop_by() {
	local at what id
	taken='' stopped='' asked=''
	id=$(xl domid guest)
	timeout 200 xenstore-watch @releaseDomain "/local/domain/$id/control/shutdown" |
		while read -r what; do echo "${EPOCHREALTIME/[.,]/} $what"; done >events &
	eventually has_lines 2 . events # what is there already
	"$@"
	eventually has_lines 2 @releaseDomain events
	kill %% 2>/dev/null
	while read -r at what; do
		case $what in
		@*) [ -z "$asked" ] || stopped=${stopped:-$(((at - asked) / 1000))} ;;
		*) [ -z "$asked" ] && asked=$at || taken=${taken:-$(((at - asked) / 1000))} ;;
		esac
	done < <(tail -n +3 events)
}

shutdown_and_gone() {
	xl shutdown guest
	gone && left=${EPOCHREALTIME/[.,]/}
}

# guest_stop: "xl shutdown", and set besides what stop_by does $left, in ms
# until it was not listed any more; empty when it still is.
guest_stop() {
	left=''
	stop_by shutdown_and_gone
	[ -z "$left" ] || left=$(((left - ${asked:-left}) / 1000))
}
