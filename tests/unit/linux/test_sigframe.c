/*
 * The frame that Linux itself makes is laid out as ours is: the test catches a
 * real signal, by system calls of its own, and reads the frame.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <asm/unistd.h>

#include "../../../kernel/linux/sigframe_int.h"

static long call(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return r;
}

void restorer(void);
__asm__(".globl restorer\nrestorer:\n\tmov $15, %eax\n\tsyscall\n");

static struct rt_sigframe seen;
static uintptr_t seen_at, seen_info;
static uint32_t fp_magic;

static void handler(int sig, siginfo_t *info, void *context)
{
	const struct rt_sigframe *f = (const void *)((const char *)context - 8);
	const struct _fpstate *fp =
	    (const void *)(uintptr_t)f->uc.uc_mcontext.fpstate;

	(void)sig;
	seen = *f;
	seen_at = (uintptr_t)f;
	seen_info = (uintptr_t)info;
	fp_magic = fp->sw_reserved.magic1;
}

static void catch_one(uint64_t blocked)
{
	struct sigaction sa = {
		.sa_handler = (__sighandler_t)(void *)handler,
		.sa_flags = SA_SIGINFO | SA_RESTORER,
		.sa_restorer = restorer,
	};
	uint64_t old;

	assert_int_equal(call(__NR_rt_sigaction, SIGUSR1, (long)&sa, 0, 8), 0);
	call(__NR_rt_sigprocmask, SIG_SETMASK, (long)&blocked, (long)&old, 8);
	call(__NR_tkill, call(__NR_gettid, 0, 0, 0, 0), SIGUSR1, 0, 0);
	call(__NR_rt_sigprocmask, SIG_SETMASK, (long)&old, 0, 8);
}

static void test_layout(void **state)
{
	(void)state;
	catch_one(1ul << (SIGUSR2 - 1));
	assert_int_equal(seen.pretcode, (uintptr_t)restorer);
	assert_int_equal(
	    seen_info - seen_at, offsetof(struct rt_sigframe, info));
	assert_int_equal(seen.info.si_signo, SIGUSR1);
	assert_int_equal(seen.info.si_code, SI_TKILL);
	assert_int_equal(seen.uc.uc_sigmask, 1ul << (SIGUSR2 - 1));
	assert_int_equal(seen.uc.uc_mcontext.oldmask, 1ul << (SIGUSR2 - 1));
	assert_int_equal(seen.uc.uc_mcontext.cs, 0x33);
	assert_int_equal(seen.uc.uc_mcontext.ss, 0x2b);
	assert_int_equal(seen.uc.uc_mcontext.ax, 0);
	assert_int_equal(seen.uc.uc_link, 0);
	assert_int_equal(fp_magic, FP_XSTATE_MAGIC1);
}

/* Where our rule puts the frame is where Linux put it. */
static void test_place(void **state)
{
	uintptr_t fp = seen.uc.uc_mcontext.fpstate, ours_fp, ours;
	size_t size = seen.uc.uc_mcontext.sp - RED_ZONE - fp;

	(void)state;
	assert_int_equal(seen_at % 16, 8);
	assert_int_equal(fp % 64, 0);
	ours =
	    sigframe_place(seen.uc.uc_mcontext.sp - RED_ZONE, size, &ours_fp);
	assert_int_equal(ours_fp, fp);
	assert_int_equal(ours, seen_at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
