# shellcheck shell=bash
# What must fault does, the console says where, and the status is a shell's.
dir=$WORK/crash
rm -rf "$dir"
mkdir -p "$dir/root/bin"
gcc -static -pthread -w -O0 -o "$dir/root/bin/crash" "$guest_dir/crash/crash.c"
pack "$dir/root" "$dir/root.cpio"

# dies HOW STATUS PATTERN
dies() {
	local name="guest/crash $1" status=0
	boot q35 "$dir/root.cpio" "/bin/crash $1" >"$dir/console" || status=$?
	if [ $status != "$2" ]; then
		not_ok "$name" "status $status instead of $2" "$dir/console"
	elif ! grep -Eq -- "^osv: /bin/crash: $3" "$dir/console"; then
		not_ok "$name" "no message like: $3" "$dir/console"
	elif ! grep -q '^alive' "$dir/console"; then
		not_ok "$name" "it was not alive before" "$dir/console"
	else
		ok "$name"
	fi
}

segv='killed by signal 11 \(SIGSEGV\) at 0x[0-9a-f]+'
dies null 139 "$segv, address 0x10"
dies thread 139 "$segv, address 0x10"
dies constant 139 "$segv, address 0x[0-9a-f]+"
dies text 139 "$segv, address 0x[0-9a-f]+"
dies run-data 139 "$segv, address 0x[0-9a-f]+"
dies run-stack 139 "$segv, address 0x[0-9a-f]+"
dies overflow 139 "$segv, address 0x7f[0-9a-f]+"
dies no-stack 139 "$segv"
dies kernel-read 139 "$segv, address 0xffff900000000000"
dies kernel-write 139 "$segv, address 0xffffffff80200000"
dies abort 134 'killed by signal 6 \(SIGABRT\)'
dies divide 136 'killed by signal 8 \(SIGFPE\) at 0x[0-9a-f]+'
dies opcode 132 'killed by signal 4 \(SIGILL\) at 0x[0-9a-f]+'
dies breakpoint 133 'killed by signal 5 \(SIGTRAP\) at 0x[0-9a-f]+'
dies writable-code 11 'exited with status 11'
dies kill 137 'killed by signal 9 \(SIGKILL\)'
dies status 44 'exited with status 44'
