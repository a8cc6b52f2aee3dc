# shellcheck shell=bash
# Starting the memory system costs about the same with 256 MiB and with 16 GiB.
# Counted in instructions (-icount), so that it repeats.
dir=$WORK/startup
mkdir -p "$dir/root/bin"
echo 'int main(void) { return 0; }' | gcc -O1 -static -x c - -o "$dir/root/bin/test"
pack "$dir/root" "$dir/root.cpio"

memory_step() { # MIB: the microseconds of the step "memory"
	BOOT_MEM=$1 BOOT_ACCEL=tcg boot q35 "$dir/root.cpio" \
		"--bootchart /bin/test" -icount shift=0,sleep=off |
		sed -n 's/^bootchart:.* + *\([0-9]*\) *memory$/\1/p'
}

small=$(memory_step 256)
large=$(memory_step 16384)
if [ -n "$small" ] && [ -n "$large" ] && [ "$large" -le $((2 * small)) ]; then
	ok "guest/startup: $small us with 256 MiB, $large us with 16 GiB"
else
	not_ok "guest/startup" "${small:-nothing} us with 256 MiB, ${large:-nothing} us with 16 GiB"
fi
