# For the guest tests: booting osv.elf under QEMU.  Sourced.
# shellcheck shell=bash
# environment: OSV_ELF, the kernel; WORK, a folder for what is made.
: "${OSV_ELF:?the kernel to test}" "${WORK:?a folder for what is made}"
OSV_ELF=$(realpath "$OSV_ELF")
WORK=$(realpath -m "$WORK")
guest_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${BOOT_LIMIT:=300}" # s; a guest that hangs is a failure, not a wait

# pack ROOT OUT: a cpio archive of a folder.
pack() {
	"$guest_dir/../../tools/pack-cpio" "$1" >"$2"
}

# One processor, with room for another: else TCG leaves out the barriers that
# the device threads need, and interrupts are lost.  A test's own -smp wins.
#
# boot MACHINE IMAGE CMDLINE [QEMU-ARGUMENT...]: the console on standard output
# without carriage returns; returns the program's status, 125 after a crash,
# 124 when it did not end.
boot() {
	local machine=$1 image=$2 cmdline=$3 status=0 value
	shift 3
	timeout "$BOOT_LIMIT" qemu-system-x86_64 -accel "${BOOT_ACCEL:-tcg,thread=multi}" -cpu max \
		-M "$machine" -smp 1,maxcpus=4 -m "${BOOT_MEM:-128}" -nodefaults -no-user-config \
		-display none -no-reboot -serial stdio \
		-device isa-debug-exit,iobase=0x501,iosize=1 \
		-kernel "$OSV_ELF" ${image:+-initrd "$image"} \
		-append "debug_exit=0x501 $cmdline" "$@" </dev/null 2>&1 |
		stdbuf -oL tr -d '\r'
	status=${PIPESTATUS[0]}
	value=$((status >> 1))
	if [ "$status" = 124 ] || [ $((status & 1)) = 0 ]; then return "$status"
	elif [ $value = 0 ]; then return 125
	elif [ $value -le 93 ]; then return $((value - 1))
	elif [ $value = 94 ]; then return 255
	elif [ $value -le 96 ]; then return $((value + 31))
	else return $((value + 32)); fi
}

ok() { echo "ok $1"; }
not_ok() { # NAME WHY [FILE-TO-SHOW]
	echo "not ok $1: $2"
	[ -z "${3-}" ] || sed 's/^/#   /' "$3" | tail -n 25
}

# What the program printed: the console without the kernel's own lines.
program_output() { grep -av '^osv: ' "$1" || true; }
