#ifndef LINUX_SIGFRAME_INT_H
#define LINUX_SIGFRAME_INT_H

/*
 * The frame that a handler runs on, as Linux lays it out on x86-64: programs
 * and their unwinders read it.
 */

#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/num.h"

#define RED_ZONE 128 /* below the stack pointer, still the program's */

/* struct ucontext of asm-generic/ucontext.h, whose stack_t and sigset_t a C
 * library may define otherwise. */
struct sig_ucontext {
	uint64_t uc_flags, uc_link;
	struct sigaltstack uc_stack;
	struct sigcontext_64 uc_mcontext;
	uint64_t uc_sigmask;
};

struct rt_sigframe {
	uint64_t pretcode; /* where the handler returns to */
	struct sig_ucontext uc;
	siginfo_t info;
	/* The vector state follows, aligned to 64. */
};

_Static_assert(sizeof(struct sigcontext_64) == 256, "sigcontext");
_Static_assert(sizeof(siginfo_t) == 128, "siginfo");
_Static_assert(sizeof(struct sig_ucontext) == 304, "ucontext");
_Static_assert(sizeof(struct rt_sigframe) == 440, "rt_sigframe");
_Static_assert(offsetof(struct rt_sigframe, uc.uc_mcontext) == 48, "context");
_Static_assert(offsetof(struct rt_sigframe, uc.uc_sigmask) == 304, "mask");
_Static_assert(offsetof(struct rt_sigframe, info) == 312, "info");

/* The frame's address below (sp), with (fpu) bytes of vector state, aligned to
 * 64, at (*fp).  On entry of a function the stack is 8 off 16. */
static inline uintptr_t sigframe_place(uintptr_t sp, size_t fpu, uintptr_t *fp)
{
	*fp = ALIGN_DOWN(sp - fpu, 64);
	return ALIGN_DOWN(*fp - sizeof(struct rt_sigframe), 16) - 8;
}

#endif /* LINUX_SIGFRAME_INT_H */
