#!/bin/bash
# In dom0: the jobs NAME..., one after another.  Lines for the test's output
# begin with "OSV|"; the rest is the console's.
#
# usage: /job/dom0.sh NAME...
cd /job || exit 1

say() { sed 's/^/OSV|/'; }

run_job() { # NAME: /tmp/output is what it prints, Xen's log what Xen said of it
	xl dmesg -c >/dev/null
	# shellcheck disable=SC1091,SC2034
	(cd "$1" && test=xen/$1 && . ../lib.sh && . ./job) >/tmp/output 2>&1
	for d in $(xl list | awk 'NR > 2 { print $2 }'); do xl destroy "$d"; done >>/tmp/output
}

# xl gave up on a script of its own, because the machine is too busy.
script_timed_out() { grep -q 'async_exec_timeout: killing' /tmp/output; }

# What Xen says of the guests: a triple fault stands nowhere else.
xen_says() { xl dmesg | tail -n 30 | sed 's/^/#   /'; }

for n in "$@"; do
	t0=$SECONDS
	run_job "$n"
	if grep -q '^not ok' /tmp/output && script_timed_out; then
		echo "# xen/$n: xl's scripts took too long; once more" | say
		run_job "$n"
	fi
	! grep -q '^not ok' /tmp/output || xen_says >>/tmp/output
	say </tmp/output
	echo "# xen/$n: $((SECONDS - t0)) s" | say
done
echo 'OSV|xen jobs ended'
exit 0
