#ifndef KERN_APP_H
#define KERN_APP_H

/*
 * The border between the processor and the Linux interface.  arch calls these
 * with interrupts on, on the thread's kernel stack; kernel/linux implements
 * them and sets app_ops before the first program starts.
 */

#include <stddef.h>
#include <stdint.h>

struct trapframe;

/* The Linux whose interface this is, as uname(2) and /proc/version tell it:
 * programs compare it. */
#define LINUX_RELEASE "6.1.0-osv"
#define LINUX_VERSION "#1 SMP osv " PACKAGE_VERSION

/* The entry of the auxiliary vector that holds arch_call_entry()'s address, for
 * a C library that knows it: libc/patches/.  Far from Linux's numbers. */
#define AT_OSV_CALL 0x4f5356

/* thread->app_work */
#define APP_WORK_SIGNAL 1u /* look for a signal to deliver */
#define APP_WORK_EXIT   2u /* the thread must go */

enum app_fault {
	APP_FAULT_PAGE,
	APP_FAULT_DIVIDE,
	APP_FAULT_OPCODE,
	APP_FAULT_FPU,
	APP_FAULT_ALIGN,
	APP_FAULT_GP,
	APP_FAULT_BREAK,
	APP_FAULT_DEBUG
};

/*
 * The system calls by number.  The doors of arch call what is here, with the
 * arguments in registers and interrupts on; behind it is a function with typed
 * arguments, so that only assembly may call it.  Where it is app_call_frame
 * (and past the last one) app_ops->syscall() is called instead.  An entry may
 * be replaced before the first program starts.
 */
#define APP_NCALL 512
typedef void app_call_fn(void);
extern app_call_fn *app_calls[APP_NCALL];

/* arch's: not called by anybody but the doors. */
void app_call_frame(void);
/* arch's: fn() with the arguments in the registers of (tf). */
long arch_call(app_call_fn *fn, const struct trapframe *tf);

struct app_ops {
	/* All registers are in (tf), which the call may change: tf->rax is the
	 * number on entry and the result on return. */
	void (*syscall)(struct trapframe *);
	/* app_work is set: about to return to the program with (tf), which may
	 * be changed.  trapframe_is_call(): after a system call. */
	void (*work)(struct trapframe *);
	/*
	 * The program did something the processor refused.  APP_FAULT_PAGE has
	 * been through vm_fault() already; (err) is its result, (addr) the
	 * address.  Makes a signal frame or ends the program.
	 */
	void (*fault)(
	    struct trapframe *, enum app_fault, uintptr_t addr, int err);
	/* There was no page for the program's memory that the kernel itself
	 * touches: the call goes on, with -EFAULT, and ends the process. */
	void (*no_memory)(void);
};

extern const struct app_ops *app_ops;

/* Boot: start boot_params.argv in a thread of its own, and return.  When it
 * cannot be run the machine stops, saying why.  kernel/linux/exec_boot.c */
void exec_init(void);

/* Of the current process, for /proc: its id, and the absolute path of its
 * program: the length, or -ENOENT.  Thread context.  kernel/linux/task.c */
uint32_t app_pid(void);
long app_exe_path(char *buf, size_t n);

#endif /* KERN_APP_H */
