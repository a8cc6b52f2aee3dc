/*
 * A signal handler that uses the vector registers: the frame holds the
 * interrupted ones in XSAVE's format, and they come back.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>

#define SIGNALS 30

static volatile int hits, frames_bad;

/* <asm/sigcontext.h>: the software bytes of the frame. */
static void check_frame(const unsigned char *fp)
{
	uint32_t magic1, size, magic2;

	memcpy(&magic1, fp + 464, 4);
	memcpy(&size, fp + 468, 4);
	if ((uintptr_t)fp & 63 || magic1 != 0x46505853 || size > 16384) {
		frames_bad++;
		return;
	}
	memcpy(&magic2, fp + size - 4, 4);
	frames_bad += magic2 != 0x46505845;
}

__attribute__((target("avx"))) static void clobber(void)
{
	__asm__ volatile("vpcmpeqd %%xmm3, %%xmm3, %%xmm3\n"
			 "vinsertf128 $1, %%xmm3, %%ymm3, %%ymm3\n"
			 "vmovups %%ymm3, %%ymm12\n"
			 "fldz\n"
			 "fld1\n" ::
			     : "memory");
}

static void handler(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	hits++;
	check_frame((const void *)uc->uc_mcontext.fpregs);
	clobber();
}

__attribute__((target("avx"))) static int kept(const unsigned char a[32])
{
	unsigned char b[32], c[32];

	__asm__ volatile("vmovups (%0), %%ymm3\n"
			 "vmovups (%0), %%ymm12\n"
			 "mov $300000, %%ecx\n"
			 "1: dec %%ecx\n"
			 "jnz 1b\n"
			 "vmovups %%ymm3, (%1)\n"
			 "vmovups %%ymm12, (%2)\n"
			 :
			 : "r"(a), "r"(b), "r"(c)
			 : "ecx", "memory", "xmm3", "xmm12");
	return !memcmp(a, b, 32) && !memcmp(a, c, 32);
}

int main(void)
{
	struct itimerval it = { { 0, 10000 }, { 0, 10000 } };
	struct sigaction sa = { 0 };
	unsigned char pattern[32];
	int lost = 0;

	if (!__builtin_cpu_supports("avx")) {
		printf("frames 0 bad, registers 0 lost\n");
		return 0;
	}
	for (int i = 0; i < 32; i++)
		pattern[i] = (unsigned char)(i * 7 + 1);
	sa.sa_sigaction = handler;
	sa.sa_flags = SA_SIGINFO | SA_RESTART;
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	while (hits < SIGNALS)
		lost += !kept(pattern);
	memset(&it, 0, sizeof(it));
	setitimer(ITIMER_REAL, &it, NULL);
	printf("frames %d bad, registers %d lost\n", frames_bad, lost);
	return 0;
}
