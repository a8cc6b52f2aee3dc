# shellcheck shell=bash
# Busybox, one applet at a time: the output must be what this Linux gives for
# the same files.
dir=$WORK/busybox
rm -rf "$dir"
mkdir -p "$dir"/root/{bin,data/sub,tmp,etc}
cp /bin/busybox "$dir/root/bin/busybox"
(
	cd "$dir/root/data" || exit
	seq 1 200 >numbers
	printf 'pear 3\napple 12\nfig 7\napple 1\n' >fruit
	ln -s fruit link
	printf 'deep\n' >sub/file
	printf 'root:x:0:0:root:/root:/bin/sh\n' >../etc/passwd
	printf 'root:x:0:\n' >../etc/group
	tar --owner=0 --group=0 -cf ../etc/fruit.tar fruit sub/file
	find .. -exec touch -h -d '2026-01-02 03:04:05 UTC' {} +
)
pack "$dir/root" "$dir/root.cpio"

applet() { # ARGUMENTS...: one string, split as the kernel's command line is
	local status=0 want=0
	(cd "$dir/root/data" && eval exec env -i TZ=UTC PATH=/bin "$dir/root/bin/busybox" "$1") \
		>"$dir/want" 2>&1 </dev/null || want=$?
	boot q35 "$dir/root.cpio" "--env=TZ=UTC --cwd=/data /bin/busybox $1" >"$dir/console" || status=$?
	program_output "$dir/console" >"$dir/got"
	if ! diff "$dir/want" "$dir/got" >"$dir/diff"; then
		not_ok "guest/busybox $1" "differs from Linux's (<)" "$dir/diff"
	elif [ $status != $want ]; then
		not_ok "guest/busybox $1" "status $status, on Linux $want" "$dir/console"
	else
		ok "guest/busybox $1"
	fi
}

applet "cat fruit"
applet "sort -k2n fruit"
applet "ls -l fruit link numbers"
applet "find . -type f -path '*b/f*'"  # one, as a folder has no order
applet "wc numbers fruit"
applet "md5sum fruit numbers"
applet "grep -n apple fruit nothing"
applet "awk '{s+=\$2} END {print s, NR}' fruit"
applet "sed -n 5,8p numbers"
applet "tar tvf ../etc/fruit.tar"
applet "dd if=fruit bs=8 status=none"
applet "stat -c '%n %F %a' fruit sub link"
applet "readlink link"
applet "sh -c 'x=3; while [ \$x -gt 0 ]; do echo \$x; x=\$((x-1)); done; exit 4'"
applet "expr 6 '*' 7"
applet "false"
applet "cmp fruit numbers"
applet "od -c fruit"
applet "sleep 0"
applet "id"
