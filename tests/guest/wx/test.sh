# shellcheck shell=bash
# Memory is writable or executable; a program that --allow-wx names may have
# both, and the log says so once.
dir=$WORK/wx
rm -rf "$dir"
mkdir -p "$dir/root/bin"
for stack in noexecstack execstack; do
	gcc -static -w -O1 -z $stack -o "$dir/root/bin/$stack" "$guest_dir/wx/wx.c"
done
# A segment of text that is written to: exits with 42 if it was.
gcc -static -nostdlib -Wl,--no-warn-rwx-segments -o "$dir/root/bin/segment" -x assembler - <<'END'
	.globl _start
	.section .wx, "awx", @progbits
_start:	movb $42, patch + 1(%rip)
patch:	movl $1, %edi
	movl $60, %eax
	syscall
END
pack "$dir/root" "$dir/root.cpio"

# says NAME CMDLINE STATUS LINE...: each line is there, once.
says() {
	local name="guest/wx $1" cmdline=$2 want=$3 status=0 line
	shift 3
	boot q35 "$dir/root.cpio" "--verbose $cmdline" >"$dir/console" || status=$?
	if [ $status != "$want" ]; then
		not_ok "$name" "status $status instead of $want" "$dir/console"
		return
	fi
	for line; do
		[ "$(grep -c -- "$line" "$dir/console")" = 1 ] && continue
		not_ok "$name" "not once on the console: $line" "$dir/console"
		return
	done
	ok "$name"
}

says refused /bin/noexecstack 0 '^mmap: Permission denied' '^mprotect: Permission denied' \
	'^in turn: 42' 'mmap: memory writable and executable at once is refused; --allow-wx=/bin/noexecstack allows it'
says allowed '--allow-wx=/bin/noexecstack /bin/noexecstack' 0 '^mmap: 42' '^mprotect: 42' \
	'/bin/noexecstack: mmap: memory writable and executable at once, allowed by --allow-wx'
says 'another program' '--allow-wx=/bin/other /bin/noexecstack' 0 '^mmap: Permission denied'
says 'the stack' '--allow-wx=/bin/execstack /bin/execstack stack' 0 '^stack: 42' \
	'/bin/execstack: stack: memory writable and executable'
says 'the stack, refused' '/bin/execstack stack' 139 \
	'/bin/execstack asks for an executable stack: ignored'
says 'a segment' '--allow-wx=/bin/segment /bin/segment' 42
says 'a segment, refused' /bin/segment 126 'segment both writable and executable (see --allow-wx)'
