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

# console_has SECONDS PATTERN: until the guest's console shows it.
console_has() {
	local end=$((SECONDS + $1))
	while [ $SECONDS -le $end ]; do
		! grep -q -- "$2" "$console" || return 0
		sleep 0.2
	done
	return 1
}

# gone SECONDS: until the guest is not listed any more.
gone() {
	local end=$((SECONDS + $1))
	while [ $SECONDS -le $end ]; do
		xl domid guest >/dev/null 2>&1 || return 0
		sleep 0.2
	done
	return 1
}

# guest_stop: "xl shutdown", and set in ms: $taken and $stopped, from the
# request in the store until the guest took it, and until the domain stopped
# (empty when it did not); $left, until it was not listed any more.  Between
# the last two it is not the guest that works but xl and its scripts.
guest_stop() {
	local at what asked="" i id
	taken='' stopped='' left=''
	id=$(xl domid guest)
	timeout 60 xenstore-watch @releaseDomain "/local/domain/$id/control/shutdown" |
		while read -r what; do echo "${EPOCHREALTIME/[.,]/} $what"; done >events &
	for i in $(seq 50); do # what is there already
		[ "$(wc -l <events)" -lt 2 ] || break
		sleep 0.1
	done
	xl shutdown guest
	gone 20 && left=${EPOCHREALTIME/[.,]/}
	kill %% 2>/dev/null
	while read -r at what; do
		case $what in
		@*) [ -z "$asked" ] || stopped=${stopped:-$(((at - asked) / 1000))} ;;
		*) [ -z "$asked" ] && asked=$at || taken=${taken:-$(((at - asked) / 1000))} ;;
		esac
	done < <(tail -n +3 events)
	[ -z "$left" ] || left=$(((left - ${asked:-left}) / 1000))
}
