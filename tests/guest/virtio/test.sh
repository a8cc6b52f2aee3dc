# shellcheck shell=bash
# virtio's disk, network and console over every transport and interface; the
# power button.  The programs are those of the Xen tests.
dir=$WORK/virtio
xen=$guest_dir/../xen
mkdir -p "$dir/root/bin" "$dir/root/tmp"
gcc -static -O1 -w "$xen/blk/disk.c" -o "$dir/root/bin/disk"
gcc -static -O1 -w "$xen/net/serve.c" -o "$dir/root/bin/serve"
gcc -static -O1 -o "$dir/root/bin/cat1" -x c - <<'END'
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
static void term(int s) { (void)s; _exit(write(1, "asked to stop\n", 14) == 14 ? 9 : 1); }
int main(void)
{
	char b[100];
	ssize_t n;
	signal(SIGTERM, term);
	write(1, "waiting\n", 8);
	n = read(0, b, sizeof(b));
	return n > 0 ? printf("got %.*s", (int)n, b) != 0 ? 0 : 1 : 1;
}
END
pack "$dir/root" "$dir/root.cpio"
head -c 2097152 /dev/urandom >"$dir/a.img"

# disk LABEL MACHINE DEVICE [QEMU-ARGUMENT...]: read one, fill the other.
disk() {
	local label=$1 machine=$2 device=$3 want got
	shift 3
	head -c 2097152 /dev/zero >"$dir/b.img"
	boot "$machine" "$dir/root.cpio" "/bin/disk sum /dev/vda fill /dev/vdb" \
		-drive if=none,id=d0,format=raw,readonly=on,file="$dir/a.img" \
		-drive if=none,id=d1,format=raw,file="$dir/b.img" \
		-device "$device,drive=d0" -device "$device,drive=d1" "$@" >"$dir/console"
	want=$(cksum <"$dir/a.img")
	got=$(sed -n 's#^/dev/vdb: ##p' "$dir/console")
	if ! grep -q "^/dev/vda: $want" "$dir/console"; then
		not_ok "guest/virtio disk, $label" "read: not <$want>" "$dir/console"
	elif [ "$got" != "$(cksum <"$dir/b.img")" ]; then
		not_ok "guest/virtio disk, $label" "written: <$got>" "$dir/console"
	else
		ok "guest/virtio disk, $label"
	fi
}

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_for SECONDS PATTERN FILE
wait_for() {
	local i=$(($1 * 5))
	while [ $((i--)) -gt 0 ]; do
		! grep -aq -- "$2" "$3" 2>/dev/null || return 0
		sleep 0.2
	done
	return 1
}

# net LABEL MACHINE DEVICE [QEMU-ARGUMENT...]: all that client.py does.
net() {
	local label=$1 machine=$2 device=$3 port status=0 pid
	shift 3
	port=$(free_port)
	: >"$dir/console"
	boot "$machine" "$dir/root.cpio" "--ip=eth0,10.0.2.15,255.255.255.0 /bin/serve" \
		-netdev "user,id=n0,hostfwd=tcp:127.0.0.1:$port-:7" \
		-device "$device,netdev=n0" "$@" >"$dir/console" &
	pid=$!
	wait_for 180 '^serving' "$dir/console" &&
		timeout "$BOOT_LIMIT" python3 "$xen/net/client.py" "127.0.0.1:$port" echo source sink quit \
			>"$dir/client" 2>&1 || status=$?
	[ $status = 0 ] || timeout 5 python3 "$xen/net/client.py" "127.0.0.1:$port" quit >/dev/null 2>&1
	if [ $status != 0 ]; then
		not_ok "guest/virtio net, $label" "client: $(tail -n 1 "$dir/client")" "$dir/console"
	elif ! wait $pid; then
		not_ok "guest/virtio net, $label" "did not end well" "$dir/console"
	else
		ok "guest/virtio net, $label"
	fi
	wait $pid
}

plain="vectors=0,event_idx=off,indirect_desc=off"
disk "modern" q35 virtio-blk-pci,disable-legacy=on
disk "legacy" pc virtio-blk-pci,disable-modern=on,disable-legacy=off
disk "two queues" q35 virtio-blk-pci,num-queues=2 -smp 2
disk "INTx, no features" q35 virtio-blk-pci,$plain
disk "INTx on pc" pc virtio-blk-pci,vectors=0
disk "4 KiB sectors" q35 virtio-blk-pci,logical_block_size=4096,physical_block_size=4096
disk "MMIO from the DSDT" microvm virtio-blk-device
disk "MMIO from tokens" microvm,acpi=off virtio-blk-device
disk "MMIO version 2" microvm virtio-blk-device -global virtio-mmio.force-legacy=false

net "modern" q35 virtio-net-pci,disable-legacy=on
net "legacy" pc virtio-net-pci,disable-modern=on,disable-legacy=off
net "INTx, no features" q35 virtio-net-pci,$plain,mrg_rxbuf=off,csum=off
net "two processors" q35 virtio-net-pci -smp 2
net "MMIO" microvm virtio-net-device
net "MMIO, tokens, version 2" microvm,acpi=off virtio-net-device -global virtio-mmio.force-legacy=false

# console MACHINE DEVICE: a line typed to hvc0, while ttyS0 is silent.
console() {
	local machine=$1 device=$2
	(wait_for 180 '^waiting' "$dir/hvc" && echo typed) |
		timeout "$BOOT_LIMIT" qemu-system-x86_64 -accel tcg -smp 1,maxcpus=2 -cpu max -M "$machine" -m 128 \
			-nodefaults -display none -no-reboot -kernel "$OSV_ELF" \
			-initrd "$dir/root.cpio" -append "--console=hvc /bin/cat1" \
			-device "$device" -chardev stdio,id=c0,signal=off -device virtconsole,chardev=c0 \
			2>&1 | stdbuf -oL tr -d '\r' >"$dir/hvc"
	if grep -q '^got typed' "$dir/hvc"; then ok "guest/virtio console, $machine"; else
		not_ok "guest/virtio console, $machine" "no answer" "$dir/hvc"
	fi
}
: >"$dir/hvc"
console q35 virtio-serial-pci
: >"$dir/hvc"
console microvm virtio-serial-device

# The power button: SIGTERM for the program, then the end.
for machine in q35 pc microvm; do
	status=0
	: >"$dir/console"
	(wait_for 180 '^waiting' "$dir/console" && echo system_powerdown && sleep 20) |
		timeout "$BOOT_LIMIT" qemu-system-x86_64 -accel tcg -smp 1,maxcpus=2 -cpu max -M $machine -m 128 \
			-nodefaults -display none -no-reboot -kernel "$OSV_ELF" \
			-initrd "$dir/root.cpio" -append "/bin/cat1" \
			-serial "file:$dir/console" -monitor stdio >/dev/null 2>&1 || status=$?
	if [ $status = 0 ] && grep -q '^asked to stop' "$dir/console"; then
		ok "guest/virtio power button, $machine"
	else
		not_ok "guest/virtio power button, $machine" "status $status" "$dir/console"
	fi
done
