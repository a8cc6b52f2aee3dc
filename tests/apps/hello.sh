# shellcheck shell=bash
# A program that ends: its output, its status, 16 MiB.
for m in q35 pc microvm; do
	if "$osv" run hello --mem 16M --net none -M $m >"$WORK/hello.$m" 2>"$WORK/hello.$m.err" &&
		grep -q '^Hello from Linux' "$WORK/hello.$m"; then
		ok "apps/hello on $m with 16 MiB"
	else
		not_ok "apps/hello on $m with 16 MiB" "no greeting" "$WORK/hello.$m"
	fi
done
