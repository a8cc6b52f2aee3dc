#include "signal_int.h"

#include <asm/sigcontext.h>
#include <asm/ucontext.h>

#include "kern/arch.h"
#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/num.h"
#include "kern/string.h"
#include "sigframe_int.h"
#include "task_int.h"

/* What a program at privilege level 3 would see in its segment registers. */
#define APP_CS 0x33
#define APP_SS 0x2b

/* The flags that a program may load: AC OF DF TF SF ZF AF PF CF, RF. */
#define RFLAGS_LOADABLE 0x50dd5ul
#define RFLAGS_TF       0x100ul
#define RFLAGS_DF       0x400ul
#define RFLAGS_RF       0x10000ul

size_t signal_stack_min(void)
{
	return sizeof(struct rt_sigframe) + fpu_state_size() + RED_ZONE + 64 +
	       16;
}

bool sigframe_on_altstack(const struct task *t, uintptr_t sp)
{
	uintptr_t base = (uintptr_t)t->altstack.ss_sp;

	if (t->altstack.ss_flags & (int)SS_AUTODISARM)
		return false;
	return sp > base && sp - base <= t->altstack.ss_size;
}

static int altstack_state(const struct task *t, uintptr_t sp)
{
	if (t->altstack.ss_size == 0)
		return SS_DISABLE;
	return sigframe_on_altstack(t, sp) ? SS_ONSTACK : 0;
}

/* Where the frame goes; 0 when it would run off the alternate stack. */
static uintptr_t frame_place(const struct task *t, const struct trapframe *tf,
    const struct sigaction *act, uintptr_t *fp)
{
	uintptr_t base = (uintptr_t)t->altstack.ss_sp, frame;
	bool on_alt = sigframe_on_altstack(t, tf->rsp);
	uintptr_t sp = tf->rsp - RED_ZONE;

	if ((act->sa_flags & SA_ONSTACK) && altstack_state(t, tf->rsp) == 0) {
		sp = base + t->altstack.ss_size;
		on_alt = true;
	}
	frame = sigframe_place(sp, fpu_state_size(), fp);
	if (on_alt && (frame <= base || frame > sp))
		return 0;
	return frame;
}

static void fill_context(struct sigcontext_64 *sc, const struct trapframe *tf,
    const struct task *t, uint64_t blocked, uintptr_t fp)
{
	sc->r8 = tf->r8;
	sc->r9 = tf->r9;
	sc->r10 = tf->r10;
	sc->r11 = tf->r11;
	sc->r12 = tf->r12;
	sc->r13 = tf->r13;
	sc->r14 = tf->r14;
	sc->r15 = tf->r15;
	sc->di = tf->rdi;
	sc->si = tf->rsi;
	sc->bp = tf->rbp;
	sc->bx = tf->rbx;
	sc->dx = tf->rdx;
	sc->ax = tf->rax;
	sc->cx = tf->rcx;
	sc->sp = tf->rsp;
	sc->ip = tf->rip;
	sc->flags = tf->rflags;
	sc->cs = APP_CS;
	sc->ss = APP_SS;
	sc->err = t->trap_error;
	sc->trapno = t->trapno;
	sc->oldmask = blocked;
	sc->cr2 = t->trap_addr;
	sc->fpstate = fp;
}

static void fill_frame(struct rt_sigframe *f, struct task *t,
    const struct trapframe *tf, const struct sigaction *act,
    const siginfo_t *info)
{
	memset(f, 0, sizeof(*f));
	f->pretcode = (uintptr_t)act->sa_restorer;
	f->uc.uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	if (fpu_state_size() > sizeof(struct _fpstate))
		f->uc.uc_flags |= UC_FP_XSTATE;
	f->uc.uc_stack = t->altstack;
	f->uc.uc_stack.ss_flags = altstack_state(t, tf->rsp) |
				  (t->altstack.ss_flags & (int)SS_AUTODISARM);
	f->info = *info;
}

int sigframe_push(struct task *t, struct trapframe *tf,
    const struct sigaction *act, const siginfo_t *info, uint64_t blocked)
{
	struct rt_sigframe f;
	uintptr_t fp, at = frame_place(t, tf, act, &fp);

	if (at == 0 || !(act->sa_flags & SA_RESTORER))
		return -EFAULT;
	fill_frame(&f, t, tf, act, info);
	fill_context(&f.uc.uc_mcontext, tf, t, blocked, fp);
	f.uc.uc_sigmask = blocked;
	if (fpu_save_user((void *)fp) != 0 ||
	    copy_to_user((void *)at, &f, sizeof(f)) != 0)
		return -EFAULT;
	if (t->altstack.ss_flags & (int)SS_AUTODISARM) {
		memset(&t->altstack, 0, sizeof(t->altstack));
		t->altstack.ss_flags = SS_DISABLE;
	}
	tf->rdi = (uint64_t)info->si_signo;
	tf->rsi = at + offsetof(struct rt_sigframe, info);
	tf->rdx = at + offsetof(struct rt_sigframe, uc);
	tf->rax = 0;
	tf->rsp = at;
	tf->rip = (uintptr_t)act->sa_handler;
	tf->rflags &= ~(RFLAGS_DF | RFLAGS_RF | RFLAGS_TF);
	return 0;
}

static void load_context(struct trapframe *tf, const struct sigcontext_64 *sc)
{
	tf->r8 = sc->r8;
	tf->r9 = sc->r9;
	tf->r10 = sc->r10;
	tf->r11 = sc->r11;
	tf->r12 = sc->r12;
	tf->r13 = sc->r13;
	tf->r14 = sc->r14;
	tf->r15 = sc->r15;
	tf->rdi = sc->di;
	tf->rsi = sc->si;
	tf->rbp = sc->bp;
	tf->rbx = sc->bx;
	tf->rdx = sc->dx;
	tf->rax = sc->ax;
	tf->rcx = sc->cx;
	tf->rsp = sc->sp;
	tf->rip = sc->ip;
	tf->rflags =
	    (tf->rflags & ~RFLAGS_LOADABLE) | (sc->flags & RFLAGS_LOADABLE);
	/* No call is being served any more. */
	tf->vector = 0;
	tf->error = 0;
}

int sigframe_pop(struct task *t, struct trapframe *tf)
{
	struct sigaltstack *alt;
	struct rt_sigframe f;

	/* The handler's return has taken pretcode off. */
	if (copy_from_user(&f, (void *)(tf->rsp - 8), sizeof(f)) != 0)
		return -EFAULT;
	if (fpu_restore_user((void *)f.uc.uc_mcontext.fpstate) != 0)
		return -EFAULT;
	load_context(tf, &f.uc.uc_mcontext);
	alt = &f.uc.uc_stack;
	if (!sigframe_on_altstack(t, tf->rsp)) {
		t->altstack.ss_sp = alt->ss_sp;
		t->altstack.ss_size =
		    alt->ss_flags & SS_DISABLE ? 0 : alt->ss_size;
		t->altstack.ss_flags = alt->ss_flags & (int)SS_AUTODISARM;
	}
	signal_set_blocked(f.uc.uc_sigmask);
	return 0;
}
