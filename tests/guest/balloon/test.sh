# shellcheck shell=bash
# virtio-balloon: the host takes memory and gives it back through QEMU's
# monitor; the balloon gives way when memory runs out; what is free goes back
# to the host by itself.
dir=$WORK/balloon
mkdir -p "$dir/root/bin" "$dir/root/tmp"
gcc -static -O1 -w "$guest_dir/balloon/bal.c" -o "$dir/root/bin/bal"
pack "$dir/root" "$dir/root.cpio"

# balloon LABEL WHAT MACHINE DEVICE [QEMU-ARGUMENT...]
balloon() {
	local label="guest/balloon $1" what=$2 machine=$3 device=$4 pid status=0
	shift 4
	rm -f "$dir/qmp"
	: >"$dir/console"
	timeout "$BOOT_LIMIT" qemu-system-x86_64 -accel tcg -smp 1,maxcpus=2 -cpu max -M "$machine" -m 128 \
		-nodefaults -no-user-config -display none -no-reboot -serial "file:$dir/console" \
		-qmp "unix:$dir/qmp,server=on,wait=off" -kernel "$OSV_ELF" -initrd "$dir/root.cpio" \
		-append "/bin/bal $what" -device "$device,id=bal" "$@" >"$dir/qemu" 2>&1 &
	pid=$!
	timeout "$BOOT_LIMIT" python3 "$guest_dir/balloon/host.py" "$dir/qmp" "$dir/console" \
		"$(pgrep -P $pid || echo $pid)" "$what" >"$dir/host" 2>&1 || status=$?
	[ $status = 0 ] || kill $pid 2>/dev/null
	wait $pid
	if [ $status = 0 ]; then ok "$label ($(tail -n 1 "$dir/host"))"; else
		not_ok "$label" "$(tail -n 1 "$dir/host")" "$dir/console"
	fi
}

balloon "modern" watch q35 virtio-balloon-pci,disable-legacy=on
balloon "legacy" watch pc virtio-balloon-pci,disable-modern=on,disable-legacy=off
balloon "MMIO" watch microvm virtio-balloon-device
balloon "deflate-on-oom" eat q35 virtio-balloon-pci,deflate-on-oom=on
balloon "free-page-reporting" touch q35 virtio-balloon-pci,free-page-reporting=on -smp 2
