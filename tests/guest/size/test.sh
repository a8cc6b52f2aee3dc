# shellcheck shell=bash
# The kernel stays small.
size=$(stat -c %s "$OSV_ELF")
if [ "$size" -le $((1536 * 1024)) ]; then
	ok "guest/size: osv.elf has $((size / 1024)) KiB of at most 1536"
else
	not_ok "guest/size" "osv.elf has $size bytes, more than 1.5 MiB"
fi
