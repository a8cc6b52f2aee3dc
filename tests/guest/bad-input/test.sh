# shellcheck shell=bash
# What is wrong is refused with a reason and a status; nothing panics.
dir=$WORK/bad-input
rm -rf "$dir"
mkdir -p "$dir/root/bin"
printf 'int main(void) { return 0; }\n' >"$dir/main.c"
gcc -static -O1 -o "$dir/root/bin/good" "$dir/main.c"
cd "$dir/root/bin" || exit
head -c 200 good >truncated-headers
head -c 4000 good >truncated
cp good wrong-machine && printf '\267\000' | dd of=wrong-machine bs=1 seek=18 conv=notrunc status=none
cp good wrong-class && printf '\001' | dd of=wrong-class bs=1 seek=4 conv=notrunc status=none
cp good wild-phoff && printf '\377\377\377\377\377\377\377\177' | dd of=wild-phoff bs=1 seek=32 conv=notrunc status=none
cp good many-phdrs && printf '\377\377' | dd of=many-phdrs bs=1 seek=56 conv=notrunc status=none
printf 'hello\n' >text
: >empty
chmod 755 ./*
cp good not-executable && chmod 644 not-executable
gcc -O1 -o no-interpreter "$dir/main.c" # its ld.so is not in the image
mkdir directory
cd "$dir" || exit
pack root root.cpio

# refused LABEL STATUS PATTERN IMAGE CMDLINE [QEMU-ARGUMENT...]
refused() {
	local label="guest/bad-input $1" want=$2 pattern=$3 image=$4 cmdline=$5 status=0
	shift 5
	boot q35 "$image" "$cmdline" "$@" >"$dir/console" || status=$?
	if grep -qi 'panic' "$dir/console"; then
		not_ok "$label" "it panicked" "$dir/console"
	elif ! grep -Eq -- "$pattern" "$dir/console"; then
		not_ok "$label" "no message like: $pattern" "$dir/console"
	elif ! [[ $status =~ ^$want$ ]]; then
		not_ok "$label" "status $status instead of $want" "$dir/console"
	else
		ok "$label"
	fi
}

refused "truncated ELF headers" 126 '^osv: /bin/truncated-headers: ' root.cpio /bin/truncated-headers
refused "truncated ELF" 126 '^osv: /bin/truncated: ' root.cpio /bin/truncated
refused "wrong machine" 126 '^osv: /bin/wrong-machine: not an x86-64 ELF' root.cpio /bin/wrong-machine
refused "32-bit ELF" 126 '^osv: /bin/wrong-class: not an x86-64 ELF' root.cpio /bin/wrong-class
refused "wild program header offset" 126 '^osv: /bin/wild-phoff: ' root.cpio /bin/wild-phoff
refused "65535 program headers" 126 '^osv: /bin/many-phdrs: ' root.cpio /bin/many-phdrs
refused "a text file" 126 '^osv: /bin/text: ' root.cpio /bin/text
refused "an empty file" 126 '^osv: /bin/empty: ' root.cpio /bin/empty
refused "a directory" 126 '^osv: /bin/directory: ' root.cpio /bin/directory
refused "not executable" 126 '^osv: /bin/not-executable: ' root.cpio /bin/not-executable
refused "missing interpreter" 127 '^osv: /bin/no-interpreter: .*ld-linux' root.cpio /bin/no-interpreter
refused "missing program" 127 '^osv: /bin/nothing: ' root.cpio /bin/nothing
refused "unknown option" 2 '^usage:' root.cpio "--no-such-option /bin/good"
refused "bad address" 2 '^osv: .*300' root.cpio "--ip=eth0,300.1.1.1,255.0.0.0 /bin/good"
refused "unknown root" 2 '^osv: .*zfs' root.cpio "--rootfs=zfs /bin/good"
refused "no program" 2 '^usage:' root.cpio "--verbose"
refused "help" 0 '^usage:' root.cpio --help

head -c 100000 /dev/urandom >garbage
refused "garbage as a ramdisk" 127 '^osv: ' garbage /bin/good
head -c $(($(stat -c %s root.cpio) / 2)) root.cpio >half.cpio
refused "half a cpio" 127 '^osv: .*cpio' half.cpio /bin/nothing
sed '1s/^070701......../070701zzzzzzzz/' root.cpio >bad.cpio
refused "a cpio with letters for numbers" 127 '^osv: .*cpio' bad.cpio /bin/good
refused "no root at all" 127 '^osv: ' "" /bin/good

mkfs.erofs root.erofs root >/dev/null 2>&1
disk() { echo "-drive if=none,id=d0,file=$1,format=raw,readonly=on -device virtio-blk-pci,drive=d0"; }
cp root.erofs bad-super.erofs
printf '\377\377\377\377\377\377\377\377' | dd of=bad-super.erofs bs=1 seek=1060 conv=notrunc status=none
# shellcheck disable=SC2046
refused "EROFS with a wild superblock" 127 '^osv: ' "" /bin/good $(disk bad-super.erofs)
cp root.erofs bad-root.erofs
dd if=/dev/urandom of=bad-root.erofs bs=1 seek=1152 count=2048 conv=notrunc status=none
# shellcheck disable=SC2046
refused "EROFS with random inodes" 127 '^osv: ' "" /bin/nothing $(disk bad-root.erofs)
head -c 8192 root.erofs >short.erofs
# shellcheck disable=SC2046
refused "EROFS cut short" '12[67]' '^osv: ' "" /bin/good $(disk short.erofs)
