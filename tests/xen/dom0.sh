#!/bin/bash
# In dom0: the jobs NAME..., one after another.  Lines for the test's output
# begin with "OSV|"; the rest is the console's.
#
# usage: /job/dom0.sh NAME...
cd /job || exit 1

say() { sed 's/^/OSV|/'; }

run_job() { # NAME
	# shellcheck disable=SC1091,SC2034
	(cd "$1" && test=xen/$1 && . ../lib.sh && . ./job) 2>&1
	for d in $(xl list | awk 'NR > 2 { print $2 }'); do xl destroy "$d"; done
}

# A guest has ended with the hypervisor's registers: 0xe008 is Xen's own code
# segment, which no guest has.  QEMU 7.2's emulation of SVM does that about
# once an hour when the machine is busy, and nothing in the guest can.
svm_failed() {
	xl dmesg | grep -A 6 'Triple fault' | grep -q 'RIP: *e008:'
}

# xl gave up on a script of its own, because the machine is too busy.
script_timed_out() { grep -q 'async_exec_timeout: killing' /tmp/output; }

again() { # NAME WHY
	echo "# xen/$1: $2; once more" | say
	run_job "$1" >/tmp/output
}

for n in "$@"; do
	t0=$SECONDS
	xl dmesg -c >/dev/null
	run_job "$n" >/tmp/output
	if grep -q '^not ok' /tmp/output; then
		if svm_failed; then
			again "$n" "QEMU gave a guest Xen's registers"
		elif script_timed_out; then
			again "$n" "xl's scripts took too long"
		fi
	fi
	say </tmp/output
	echo "# xen/$n: $((SECONDS - t0)) s" | say
done
echo 'OSV|xen jobs ended'
exit 0
