# shellcheck shell=bash
# A plain cpio of a Linux root boots on each machine, and the program's status
# gets out; with one and two processors, with little memory.
dir=$WORK/boot
mkdir -p "$dir/root/bin"
gcc -static -O1 -o "$dir/root/bin/app" -x c - <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	printf("%s with %d arguments, %ld processors, HOME %s\n", argv[0],
	    argc - 1, sysconf(_SC_NPROCESSORS_ONLN), getenv("HOME"));
	return argc > 1 ? atoi(argv[1]) : 0;
}
END
pack "$dir/root" "$dir/root.cpio"

boots() { # LABEL MACHINE MIB CPUS [QEMU-ARGUMENT...]
	local label=$1 machine=$2 mem=$3 cpus=$4 status=0
	shift 4
	BOOT_MEM=$mem boot "$machine" "$dir/root.cpio" "/bin/app 5" -smp "$cpus" "$@" \
		>"$dir/console" || status=$?
	if ! grep -q "^/bin/app with 1 arguments, $cpus processors, HOME /$" "$dir/console"; then
		not_ok "guest/boot $label" "the program's line is missing" "$dir/console"
	elif [ $status != 5 ]; then
		not_ok "guest/boot $label" "status $status instead of 5" "$dir/console"
	else
		ok "guest/boot $label"
	fi
}

boots "q35" q35 128 1
boots "pc" pc 128 1
boots "microvm" microvm 128 1
boots "microvm without ACPI" microvm,acpi=off 128 1
boots "q35, 2 processors" q35 128 2
boots "pc, 2 processors" pc 128 2
boots "microvm, 2 processors" microvm 128 2
boots "microvm without ACPI, 2 processors" microvm,acpi=off 128 2
boots "q35, a plain old processor" q35 128 1 -cpu qemu64
boots "q35, 16 MiB" q35 16 1
boots "microvm, 16 MiB" microvm 16 1
boots "q35, 6 GiB" q35 6144 1

# Firecracker's way: virtio devices named on the command line.
head -c 1M /dev/urandom >"$dir/disk"
boots "microvm with a disk and a network" microvm,acpi=off 128 1 \
	-drive if=none,id=d0,file="$dir/disk",format=raw -device virtio-blk-device,drive=d0 \
	-netdev user,id=n0 -device virtio-net-device,netdev=n0

# A machine with a disk that is the root.
mkfs.erofs "$dir/root.erofs" "$dir/root" >/dev/null 2>&1
mkfs.erofs -zlz4 "$dir/root.lz4.erofs" "$dir/root" >/dev/null 2>&1
for form in erofs lz4.erofs; do
	status=0
	boot q35 "" "/bin/app 6" -drive if=none,id=d0,file="$dir/root.$form",format=raw,readonly=on \
		-device virtio-blk-pci,drive=d0 >"$dir/console" || status=$?
	if [ $status = 6 ]; then ok "guest/boot root on a disk, $form"; else
		not_ok "guest/boot root on a disk, $form" "status $status instead of 6" "$dir/console"
	fi
	status=0
	boot microvm "$dir/root.$form" "/bin/app 6" >"$dir/console" || status=$?
	if [ $status = 6 ]; then ok "guest/boot root in a ramdisk, $form"; else
		not_ok "guest/boot root in a ramdisk, $form" "status $status instead of 6" "$dir/console"
	fi
done
