#ifndef KERN_PARAM_H
#define KERN_PARAM_H

/*
 * The command line: options first, then the program and its arguments, as
 * OSv has it; tokens that are not ours but the loader's (virtio_mmio.device=,
 * console=...) may stand anywhere before the program.  kernel/base/param.c
 */

#include <stdbool.h>

#define PARAM_MAX_ARGS 256

struct boot_params {
	const char *rootfs;   /* NULL: find it */
	const char *cwd;      /* NULL: "/" */
	const char *hostname; /* NULL: "osv" */
	const char *console;  /* "serial", "hvc", "all" */
	const char *defaultgw, *nameserver;
	const char *ip[8]; /* "eth0,ADDR,MASK" */
	unsigned nip;
	const char *trace; /* names of trace points */
	bool dhcp, verbose, bootchart, help;
	bool keep_syscalls; /* --syscall-rewrite=off */
	bool strace;
	const char *env[64]; /* "K=V" */
	unsigned nenv;
	const char *allow_wx[8]; /* absolute paths */
	unsigned nallow_wx;
	char *argv[PARAM_MAX_ARGS + 1]; /* the program's, NULL-terminated */
	unsigned argc;
};
extern struct boot_params boot_params;

/* Parses boot_info.cmdline: 0, or -EINVAL with the reason on the console. */
int param_parse(void);
void param_usage(void);
/* The (n)th value of a loader's token "key=value"; NULL when there is none.
 * For drivers: param_loader("virtio_mmio.device", 0). */
const char *param_loader(const char *key, unsigned n);

#endif /* KERN_PARAM_H */
