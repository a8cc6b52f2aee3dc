# For the benchmarks: a Linux to compare with.  Sourced.
# shellcheck shell=bash
# environment: OSV_ELF, the kernel; WORK, a folder for what is made.
: "${OSV_ELF:?the kernel}" "${WORK:?a folder for what is made}"
mkdir -p "$WORK"
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../tools" && pwd)

# fetch_linux: Debian's cloud kernel, unpacked beside WORK, not installed; sets
# vmlinuz.
fetch_linux() {
	local dir
	dir=$(dirname "$WORK")/linux
	if ! ls "$dir"/boot/vmlinuz-* >/dev/null 2>&1; then
		echo "bench: downloading Debian's cloud kernel, once" >&2
		"$tools/fetch-packages" "$dir/debs" linux-image-cloud-amd64 >/dev/null
		dpkg-deb -x "$dir"/debs/linux-image-6*cloud*.deb "$dir"
	fi
	vmlinuz=$(ls "$dir"/boot/vmlinuz-* | tail -1)
}

# pack ROOT OUT: a cpio archive of a folder.
pack() {
	"$tools/pack-cpio" "$1" >"$2"
}

# machine KERNEL IMAGE CMDLINE QEMU-ARGUMENT...: the console without carriage
# returns, until the machine is switched off.
machine() {
	local kernel=$1 image=$2 cmdline=$3
	shift 3
	timeout "${MACHINE_LIMIT:-300}" qemu-system-x86_64 -cpu max -M q35 \
		-nodefaults -no-user-config -display none -no-reboot -serial stdio \
		-kernel "$kernel" -initrd "$image" -append "$cmdline" "$@" \
		</dev/null | tr -d '\r'
}
