/*
 * What the program does wrong is the program's signal: the right number, code,
 * trap and address, and the machine goes on.  Then: what a system call keeps.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile int got_signal, got_code;
static volatile long got_trap;
static void *volatile got_addr;

static void handler(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	got_signal = sig;
	got_code = info->si_code;
	got_addr = info->si_addr;
	got_trap = uc->uc_mcontext.gregs[REG_TRAPNO];
	siglongjmp(back, 1);
}

static void report(const char *name, void *addr)
{
	printf("%s: signal %d, code %d, trap %ld", name, got_signal, got_code,
	    got_trap);
	if (addr)
		printf(", address %s", got_addr == addr ? "right" : "wrong");
	printf("\n");
	fflush(stdout);
}

/* (addr) NULL: not looked at. */
#define MUST_FAULT(name, addr, ...)                    \
	do {                                           \
		if (!sigsetjmp(back, 1)) {             \
			__VA_ARGS__;                   \
			printf("%s: nothing\n", name); \
		} else {                               \
			report(name, addr);            \
		}                                      \
	} while (0)

static int data = 0xc3c3c3c3;
static const int constant = 5;

static void catch_all(int flags)
{
	struct sigaction sa = { 0 };

	sa.sa_sigaction = handler;
	sa.sa_flags = SA_SIGINFO | flags;
	for (int s = 1; s < 32; s++)
		if (s != SIGKILL && s != SIGSTOP)
			sigaction(s, &sa, NULL);
}

static void memory_faults(void)
{
	char *none =
	    mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *ro =
	    mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	MUST_FAULT("read of NULL", NULL, (void)*(volatile int *)0);
	MUST_FAULT(
	    "write near NULL", (void *)0x1008, *(volatile int *)0x1008 = 1);
	MUST_FAULT("write of text", (void *)memory_faults,
	    *(volatile char *)(uintptr_t)memory_faults = 1);
	MUST_FAULT("write of a constant", (void *)&constant,
	    *(volatile int *)(uintptr_t)&constant = 1);
	MUST_FAULT("call of data", &data, ((void (*)(void))(void *)&data)());
	MUST_FAULT("read of PROT_NONE", none, (void)*(volatile char *)none);
	MUST_FAULT("write of PROT_READ", ro, *(volatile char *)ro = 1);
	MUST_FAULT("call of NULL", NULL, ((void (*volatile)(void))0)());
	munmap(ro, 4096);
	MUST_FAULT("read after munmap", ro, (void)*(volatile char *)ro);
}

static void upper_half_faults(void)
{
	void (*volatile hole)(void) = (void *)0x1000000000000000;
	void (*volatile high)(void) = (void *)0xffff888000000000;

	MUST_FAULT("non-canonical write", NULL,
	    *(volatile int *)0x8000000000000000 = 1);
	MUST_FAULT("non-canonical call", NULL, hole());
	MUST_FAULT("call in the upper half", NULL, high());
	MUST_FAULT("write at the top", (void *)0xfffffffffffff000,
	    *(volatile int *)0xfffffffffffff000 = 1);
}

static void instruction_faults(void)
{
	MUST_FAULT("division", NULL, {
		volatile int zero = 0;
		volatile int q = 5 / zero;
		(void)q;
	});
	MUST_FAULT("ud2", NULL, __asm__ volatile("ud2"));
	MUST_FAULT("int3", NULL, __asm__ volatile("int3"));
	MUST_FAULT("movaps unaligned", NULL,
	    __asm__ volatile("movaps (%0), %%xmm0"
			     :
			     : "r"((char *)&back + 1)));
	MUST_FAULT("single step", NULL,
	    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop; nop"
			     :
			     :
			     : "memory"));
}

/* A stack pointer that is none: the signal needs its own stack. */
static void stack_faults(void)
{
	stack_t ss = { .ss_size = 65536 };

	ss.ss_sp = mmap(NULL, ss.ss_size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigaltstack(&ss, NULL);
	catch_all(SA_ONSTACK);
	MUST_FAULT("low stack", NULL,
	    __asm__ volatile("mov $0x1234, %%esp; push %%rax" ::
				 : "memory"));
	MUST_FAULT("stack in the upper half", NULL,
	    __asm__ volatile("mov $-8, %%rsp; push %%rax" ::
				 : "memory"));
}

static void system_call_keeps(void)
{
	unsigned long a = 1, b = 2, c = 3, before, after, nr = SYS_getpid;
	register unsigned long r8 __asm__("r8") = 8;
	register unsigned long r9 __asm__("r9") = 9;
	register unsigned long r10 __asm__("r10") = 10;

	__asm__ volatile("stc; std; pushfq; popq %[before]\n"
			 "syscall\n"
			 "pushfq; popq %[after]; cld"
			 : "+a"(nr), "+D"(a), "+S"(b), "+d"(c), "+r"(r8),
			 "+r"(r9),
			 "+r"(r10), [before] "=&r"(before), [after] "=&r"(after)
			 :
			 : "rcx", "r11", "memory");
	printf("registers %s, flags %s\n",
	    a == 1 && b == 2 && c == 3 && r8 == 8 && r9 == 9 && r10 == 10
		? "kept"
		: "lost",
	    before == after ? "kept" : "lost");
}

int main(void)
{
	catch_all(0);
	memory_faults();
	upper_half_faults();
	instruction_faults();
	stack_faults();
	system_call_keeps();
	return 0;
}
