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
	local i=$(($1 * 5))
	while [ $((i--)) -gt 0 ]; do
		! grep -q -- "$2" "$console" || return 0
		sleep 0.2
	done
	return 1
}

# gone SECONDS: until the guest is not listed any more.
gone() {
	local i=$(($1 * 5))
	while [ $((i--)) -gt 0 ]; do
		xl domid guest >/dev/null 2>&1 || return 0
		sleep 0.2
	done
	return 1
}
