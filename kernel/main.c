/*
 * The whole boot, in order.  boot_early() runs on the boot stack with
 * interrupts off; what may sleep runs in the thread "init", which ends up as
 * the program.
 */

#include "kern/app.h"
#include "kern/arch.h"
#include "kern/boot.h"
#include "kern/compiler.h"
#include "kern/console.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/net.h"
#include "kern/panic.h"
#include "kern/param.h"
#include "kern/platform.h"
#include "kern/rand.h"
#include "kern/sched.h"
#include "kern/shrink.h"
#include "kern/trace.h"
#include "kern/vfs.h"

#define STATUS_USAGE   2
#define STATUS_NO_ROOT 127 /* what a shell says when there is no program */

void kernel_main(void);

static void check_params(int err)
{
	if (boot_params.verbose)
		log_set_console_level(LOG_DEBUG);
	if (boot_params.console && console_select(boot_params.console))
		err = -1;
	log_console_start();
	if (!err && !boot_params.help)
		return;
	param_usage();
	platform_halt(PLATFORM_POWEROFF, err ? STATUS_USAGE : 0);
}

static void init_thread(void *arg)
{
	int err;

	(void)arg;
	shrink_start();
	if (platform->init) {
		err = platform->init();
		if (err)
			panic("platform %s: init: error %d", platform->name,
			    -err);
	}
	bootchart_mark("platform");
	smp_start();
	bootchart_mark("cpus");
	trace_start();
	net_init();
	if (platform->probe)
		platform->probe();
	bootchart_mark("devices");
	err = vfs_mount_root(boot_params.rootfs);
	if (err)
		platform_halt(PLATFORM_POWEROFF, STATUS_NO_ROOT);
	bootchart_mark("root");
	net_wait_ready();
	bootchart_mark("network");
	exec_init();
}

void kernel_main(void)
{
	struct thread *init;
	int err;

	arch_early_init();
	bootchart_mark("entry");
	err = param_parse();
	platform_choose();
	check_params(err);
	bootchart_mark("console");
	arch_memory_init();
	mm_init();
	bootchart_mark("memory");
	rand_init();
	arch_irq_init();
	sched_init();
	bootchart_mark("interrupts");
	if (thread_create(&init, "init", init_thread, NULL, -1))
		panic("no memory for the first thread");
	thread_start(init);
	thread_put(init);
	sched_cpu_start();
}
