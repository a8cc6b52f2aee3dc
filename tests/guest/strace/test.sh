# shellcheck shell=bash
# --strace: the lines of strace(1), by each way into the kernel.
for how in gcc musl; do
	cc=gcc
	[ $how = gcc ] || cc=$MUSL_GCC
	dir=$WORK/strace/$how
	mkdir -p "$dir/root/bin" "$dir/root/tmp"
	if ! $cc -O1 -w -static "$guest_dir/strace/main.c" -o "$dir/root/bin/test"; then
		not_ok "guest/strace ($how)" "does not compile"
		continue
	fi
	pack "$dir/root" "$dir/root.cpio"
	boot q35 "$dir/root.cpio" "--strace /bin/test" >"$dir/console"
	sed -n 's/^osv: \[pid [0-9]*\] //p' "$dir/console" >"$dir/calls"
	missing=0
	while IFS= read -r line; do
		grep -qxF -- "$line" "$dir/calls" || {
			missing=1
			echo "# missing: $line"
		}
	done <<'END'
close(-1) = -1 EBADF (Bad file descriptor)
lseek(-1, -5, 0) = -1 EBADF (Bad file descriptor)
mkdir("/tmp/d", 0750) = 0
access(0x8, 4) = -1 EFAULT (Bad address)
chdir(NULL) = -1 EFAULT (Bad address)
munmap(0x10001, 4096) = -1 EINVAL (Invalid argument)
exit_group(7) = ?
END
	grep -q '^execve("/bin/test"' "$dir/calls" && missing=2
	grep -Eq '^open(at)?\((AT_FDCWD, )?"/no/such \\"file\\"\\n", O_RDONLY[A-Z_|]*\) = -1 ENOENT \(No such file or directory\)$' \
		"$dir/calls" || missing=3
	grep -Eq '^open(at)?\((AT_FDCWD, )?"/a/path/that/is/longer/than/thir"\.\.\., ' "$dir/calls" ||
		missing=4
	grep -Eq '^syscall_0x1f3\(0x1, 0x2, 0x3, .*\) = -1 ENOSYS \(Function not implemented\)$' \
		"$dir/calls" || missing=7
	grep -Eq '^kill\([0-9]+, 0\) = 0$' "$dir/calls" || missing=5
	grep -q '^kill(-1, SIGUSR1) = ' "$dir/calls" || missing=6
	n=$(grep -c '^sched_yield() = 0$' "$dir/calls")
	if [ $missing != 0 ]; then
		not_ok "guest/strace ($how)" "a line is not there ($missing)" "$dir/calls"
	elif [ "$n" != 500 ]; then
		not_ok "guest/strace ($how)" "$n of 500 calls were shown"
	else
		ok "guest/strace ($how)"
	fi
done
