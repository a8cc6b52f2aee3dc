/* The last words: reason, registers, backtrace; then the machine stops. */

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>

#include "kern/arch.h"
#include "kern/compiler.h"
#include "kern/console.h"
#include "kern/ksym.h"
#include "kern/log.h"
#include "kern/panic.h"
#include "kern/percpu.h"
#include "kern/platform.h"
#include "kern/sched.h"
#include "kern/string.h"

#define FRAMES_MAX 32

static _Atomic int panic_cpu = -1;

static void say(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void say(const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log_err("%s", line);
}

/* The first cpu that panics speaks; a panic in its panic stops at once. */
static void panic_claim(void)
{
	int none = -1, self = (int)cpu_self()->id;

	irq_disable();
	if (atomic_compare_exchange_strong(&panic_cpu, &none, self)) {
		arch_stop_others();
		return;
	}
	if (none != self)
		arch_hang();
	platform_halt(PLATFORM_CRASH, 0);
}

static void show_place(const char *what, uint64_t rip)
{
	uint64_t off;
	const char *name = ksym_find(rip, &off);

	if (name)
		say("%s%016lx %s+%#lx", what, rip, name, off);
	else
		say("%s%016lx%s", what, rip,
		    rip >= USER_MIN && rip < USER_MAX ? " (program)" : "");
}

static void show_registers(const struct trapframe *tf)
{
	show_place("rip ", tf->rip);
	say("rsp %016lx rflags %08lx error %lx", tf->rsp, tf->rflags,
	    tf->error);
	say("rax %016lx rbx %016lx rcx %016lx", tf->rax, tf->rbx, tf->rcx);
	say("rdx %016lx rsi %016lx rdi %016lx", tf->rdx, tf->rsi, tf->rdi);
	say("rbp %016lx r8  %016lx r9  %016lx", tf->rbp, tf->r8, tf->r9);
	say("r10 %016lx r11 %016lx r12 %016lx", tf->r10, tf->r11, tf->r12);
	say("r13 %016lx r14 %016lx r15 %016lx", tf->r13, tf->r14, tf->r15);
}

/* Frames grow upwards; anything else ends the walk. */
static void show_backtrace(uint64_t rbp)
{
	say("backtrace:");
	for (unsigned i = 0; i < FRAMES_MAX; i++) {
		uint64_t next, ret;

		if ((int64_t)rbp >= 0 ||
		    arch_probe64((const void *)(rbp + 8), &ret) ||
		    arch_probe64((const void *)rbp, &next) || !ret)
			break;
		show_place("  ", ret);
		if (next <= rbp)
			break;
		rbp = next;
	}
}

/* After a call of a bad pointer only the stack knows who made it. */
static void show_caller(const struct trapframe *tf)
{
	uint64_t ret, off;

	if (!ksym_find(tf->rip, &off) && (int64_t)tf->rsp < 0 &&
	    !arch_probe64((const void *)tf->rsp, &ret))
		show_place("called from ", ret);
}

static void show_context(void)
{
	const struct thread *t = thread_self();

	if (t)
		say("cpu %u, thread %u (%.16s)", cpu_self()->id, t->id,
		    t->name);
	else
		say("cpu %u", cpu_self()->id);
}

static void show_reason(const char *fmt, va_list ap) PRINTF_LIKE(1, 0);
static void show_reason(const char *fmt, va_list ap)
{
	char line[256];

	vsnprintf(line, sizeof(line), fmt, ap);
	say("panic: %s", line);
}

void panic(const char *fmt, ...)
{
	va_list ap;

	panic_claim();
	va_start(ap, fmt);
	show_reason(fmt, ap);
	va_end(ap);
	show_context();
	show_backtrace((uintptr_t)__builtin_frame_address(0));
	platform_halt(PLATFORM_CRASH, 0);
}

void panic_trap(const struct trapframe *tf, const char *fmt, ...)
{
	va_list ap;

	panic_claim();
	va_start(ap, fmt);
	show_reason(fmt, ap);
	va_end(ap);
	show_context();
	show_registers(tf);
	show_caller(tf);
	show_backtrace(tf->rbp);
	platform_halt(PLATFORM_CRASH, 0);
}
