# Shared by the commands of ./osv: sourced, never run.
# shellcheck shell=bash
set -euo pipefail

top=${OSV_TOP:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
build=${OSV_BUILD:-$top/build}
[ -e "$top/configure.ac" ] || build=${OSV_BUILD:-${XDG_CACHE_HOME:-$HOME/.cache}/osv}
jobs=$(nproc)
export PATH=$PATH:/usr/sbin:/sbin

say() { echo "osv: $*" >&2; }
die() { echo "osv: $*" >&2; exit 1; }
wrong() { echo "osv: $*" >&2; exit 2; } # what was typed

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; return; fi
	command -v sudo >/dev/null ||
		die "root rights are needed for: $* (install sudo, or run this as root)"
	sudo "$@"
}

# need_packages PACKAGE...: install those that are not installed, and say so.
need_packages() {
	local p missing=()
	for p in "$@"; do
		dpkg-query -W -f='${Status}' "$p" 2>/dev/null |
			grep -q 'install ok installed' || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	say "installing the Debian packages ${missing[*]}"
	if ! apt-cache show "${missing[0]}" >/dev/null 2>&1; then
		as_root apt-get -qq update
	fi
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
		--no-install-recommends "${missing[@]}" >"$build/apt.log" 2>&1 ||
		{ as_root apt-get -qq update; as_root env DEBIAN_FRONTEND=noninteractive \
			apt-get -qq install -y --no-install-recommends "${missing[@]}" \
			>"$build/apt.log" 2>&1; } ||
		die "apt-get could not install ${missing[*]}: see $build/apt.log"
}

# step DESCRIPTION LOG COMMAND...: run with the output in LOG; show its end on
# failure.
step() {
	local what=$1 log=$2
	shift 2
	say "$what"
	if ! "$@" >"$log" 2>&1; then
		tail -n 40 "$log" >&2
		die "$what: failed; the whole output is in $log"
	fi
}

build_packages=(gcc make autoconf automake binutils libc6-dev linux-libc-dev
	libxen-dev patch cpio erofs-utils xz-utils)

# kernel [FOLDER] [CONFIGURE-ARGUMENT...]: make osv.elf up to date there.
kernel() {
	local dir=${1:-$build}
	shift || true
	mkdir -p "$dir"
	if [ ! -e "$top/configure.ac" ]; then
		kernel_dir=$(dirname "$top")/../lib/osv
		[ -e "$kernel_dir/osv.elf" ] || die "$kernel_dir/osv.elf is missing"
		return
	fi
	need_packages "${build_packages[@]}"
	[ -e "$top/configure" ] && [ "$top/configure" -nt "$top/configure.ac" ] ||
		step "making configure" "$build/bootstrap.log" "$top/bootstrap"
	[ -e "$dir/Makefile" ] ||
		(cd "$dir" && step "configuring in $dir" "$dir/configure.log" \
			"$top/configure" "$@")
	step "building the kernel in $dir" "$dir/make.log" \
		make -C "$dir" -j"$jobs"
	kernel_dir=$dir
}
