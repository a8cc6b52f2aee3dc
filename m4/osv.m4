# OSV_NEED_PROG(VARIABLE, PROGRAM, DEBIAN-PACKAGE)
AC_DEFUN([OSV_NEED_PROG], [
	AC_PATH_PROG([$1], [$2], [], [$PATH:/usr/sbin:/sbin])
	AS_IF([test -z "$$1"],
		[AC_MSG_ERROR([$2 not found: install the Debian package $3])])])

# OSV_WANT_PROG(VARIABLE, PROGRAM, DEBIAN-PACKAGE, WHAT-FOR)
AC_DEFUN([OSV_WANT_PROG], [
	AC_PATH_PROG([$1], [$2], [], [$PATH:/usr/sbin:/sbin])
	AS_IF([test -z "$$1"],
		[AC_MSG_WARN([$2 not found: $4 need the Debian package $3])])])

# OSV_NEED_HEADER(HEADER, DEBIAN-PACKAGE)
AC_DEFUN([OSV_NEED_HEADER], [
	AC_CHECK_HEADER([$1], [],
		[AC_MSG_ERROR([<$1> not found: install the Debian package $2])],
		[[#include <stdint.h>]])])

# OSV_FREESTANDING_HEADERS: the compiler's header folder, and those of Linux's
# and Xen's interface, which configure links into uapi/.
AC_DEFUN([OSV_FREESTANDING_HEADERS], [
	AC_MSG_CHECKING([for the compiler's own headers])
	OSV_CC_INCLUDE=`$CC -print-file-name=include`
	AS_IF([test -e "$OSV_CC_INCLUDE/stdint.h"], [],
		[AC_MSG_ERROR([$CC has no stdint.h of its own in $OSV_CC_INCLUDE])])
	AC_MSG_RESULT([$OSV_CC_INCLUDE])
	AC_SUBST([OSV_CC_INCLUDE])

	OSV_UAPI_DIRS=
	for d in linux asm asm-generic xen; do
		for top in "/usr/include/$host_cpu-linux-gnu" /usr/include; do
			AS_IF([test -d "$top/$d"],
				[OSV_UAPI_DIRS="$OSV_UAPI_DIRS $top/$d"; break])
		done
	done])

# OSV_TRYFLAG(VARIABLE, FLAG): add FLAG to VARIABLE if the compiler knows it.
AC_DEFUN([OSV_TRYFLAG], [
	osv_saved_cflags=$CFLAGS
	CFLAGS="-Werror $2"
	AC_MSG_CHECKING([whether $CC accepts $2])
	AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
		[AC_MSG_RESULT([yes]); $1="$$1 $2"], [AC_MSG_RESULT([no])])
	CFLAGS=$osv_saved_cflags])

# OSV_KERNEL_CFLAGS: the flags of every file of the kernel.
AC_DEFUN([OSV_KERNEL_CFLAGS], [
	K="-std=gnu11 -ffreestanding -fno-common -fno-omit-frame-pointer"
	K="$K -fno-strict-aliasing -fwrapv -fno-pic -fno-asynchronous-unwind-tables"
	K="$K -mcmodel=kernel -mno-red-zone -mgeneral-regs-only"
	K="$K -ffunction-sections -fdata-sections"
	W="-Wall -Wextra -Wshadow -Wundef -Wvla -Wpointer-arith -Wcast-qual"
	W="$W -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes"
	W="$W -Wold-style-definition -Wredundant-decls -Wnested-externs -Wformat=2"
	W="$W -Wimplicit-fallthrough -Wframe-larger-than=2048 -Wno-unused-parameter"
	for f in -fno-stack-protector -fno-pie -fcf-protection=none -fno-jump-tables; do
		OSV_TRYFLAG([K], [$f])
	done
	for f in -Walloca -Wlogical-op -Wduplicated-cond -Wduplicated-branches \
		 -Wjump-misses-init -Wtrampolines; do
		OSV_TRYFLAG([W], [$f])
	done
	H="-Werror=implicit-function-declaration -Werror=int-conversion"
	H="$H -Werror=incompatible-pointer-types"
	AS_IF([test "$enable_werror" != no], [W="$W -Werror"])
	AS_IF([test "$enable_debug" != no], [K="$K -DCONFIG_DEBUG=1"])
	AS_IF([test "$enable_preempt" != no], [K="$K -DCONFIG_PREEMPT=1"])
	AC_SUBST([KERNEL_CFLAGS], ["$K"])
	AC_SUBST([KERNEL_WARN], ["$W $H"])
	AC_SUBST([UNIT_WARN], ["-Wall -Wextra -Wno-unused-parameter $H"])])

# OSV_SANITIZERS: what the unit tests are compiled with.
AC_DEFUN([OSV_SANITIZERS], [
	AC_ARG_ENABLE([sanitizers], [AS_HELP_STRING([--disable-sanitizers],
		[unit tests without address and undefined-behaviour checks])],
		[], [enable_sanitizers=yes])
	UNIT_SANITIZE=
	AS_IF([test "$enable_sanitizers" != no], [
		osv_saved_cflags=$CFLAGS
		f="-fsanitize=address,undefined -fno-sanitize-recover=all"
		CFLAGS="$CFLAGS $f"
		AC_MSG_CHECKING([whether $CC can link with $f])
		AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
			[AC_MSG_RESULT([yes]); UNIT_SANITIZE=$f],
			[AC_MSG_RESULT([no])])
		CFLAGS=$osv_saved_cflags])
	AC_SUBST([UNIT_SANITIZE])])
