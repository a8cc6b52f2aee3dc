/*
 * Which call sites are rewritten, as the program itself can read it: those of
 * two forms, in text; not where the number is far or the bytes belong to
 * another instruction, and no page becomes writable by it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define OFTEN   2000

#define STR_(x) #x
#define STR(x)  STR_(x)

#define SITE(name, code)                                            \
	long name(void);                                            \
	__asm__(".pushsection .text\n.balign 16\n" #name ":\n" code \
		"\n.popsection\n")

#define GETPPID STR(SYS_getppid)

SITE(first, "ret"); /* not at the start of a page */
SITE(seven, "movl $" GETPPID ", %eax; syscall; ret");
SITE(nine, ".byte 0x48, 0xc7, 0xc0; .long " GETPPID "; syscall; ret");
SITE(far, "movl $" GETPPID ", %eax; nop; syscall; ret");
SITE(other, "movl $" GETPPID ", %eax; movl $" GETPPID ", %ecx; syscall; ret");
/* The last seven bytes look like the form, but b8 is a displacement. */
SITE(store, "movl $" GETPPID ", %eax; leaq -64(%rsp), %rdx; "
	    "movl $" GETPPID ", -0x48(%rdx); syscall; ret");
SITE(cross, ".balign 4096; .skip 4092; "
	    ".globl crossing; crossing: movl $" GETPPID ", %eax; syscall; ret");

extern long crossing(void);

static void site(const char *name, long (*fn)(void), long want)
{
	const unsigned char *p = (const void *)(uintptr_t)fn;
	long wrong = 0;

	for (int i = 0; i < OFTEN; i++)
		wrong += fn() != want;
	printf("%s: %ld wrong, %s\n", name, wrong,
	    p[0] == 0xff && p[1] == 0x24 ? "rewritten" : "as it was");
}

static sigjmp_buf back;

static void fault(int sig)
{
	siglongjmp(back, 1);
}

static void written(void)
{
	signal(SIGSEGV, fault);
	if (!sigsetjmp(back, 1)) {
		*(volatile char *)(uintptr_t)seven = 0;
		printf("text can be written\n");
	} else {
		printf("text cannot be written\n");
	}
}

static void perms(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	int both = 0;
	char line[256], p[8];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %7s", p) == 1)
			both += p[1] == 'w' && p[2] == 'x';
	printf("%d mappings are writable and executable\n", both);
}

/* Dropped and read in again: as the file has it, then rewritten once more. */
static void dropped(void)
{
	uintptr_t page = (uintptr_t)seven & -4096;

	madvise((void *)page, 4096, MADV_DONTNEED);
	printf("dropped: %s\n", *(unsigned char *)(uintptr_t)seven == 0xb8
				    ? "as it was"
				    : "rewritten");
	site("seven again", seven, getppid());
}

/* A step is an instruction of the program's, wherever the call goes. */
static volatile int steps, strange;

static void stepped(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	steps++;
	strange += uc->uc_mcontext.gregs[REG_RIP] < 0;
}

static void stepping(void)
{
	struct sigaction sa = { .sa_flags = SA_SIGINFO };
	long r;

	sa.sa_sigaction = stepped;
	sigaction(SIGTRAP, &sa, NULL);
	__asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq\n"
			 "call *%1\n"
			 "pushfq; andl $~0x100, (%%rsp); popfq\n"
			 : "=a"(r)
			 : "r"(seven)
			 : "rcx", "r11", "memory");
	printf("steps: %s, %d strange, result %s\n",
	    steps >= 5 && steps <= 8 ? "some" : "too many or few", strange,
	    r == getppid() ? "right" : "wrong");
}

/* Unwinders look for these bytes where a handler returns to. */
static volatile int same;

static void handler(int sig)
{
	const unsigned char *to = __builtin_return_address(0);

	same = memcmp(to, "\x48\xc7\xc0\x0f\0\0\0\x0f\x05", 9) == 0;
}

static void signals(void)
{
	signal(SIGUSR1, handler);
	for (int i = 0; i < OFTEN; i++)
		raise(SIGUSR1);
	printf("return from a handler: %s\n", same ? "as it was" : "rewritten");
}

int main(void)
{
	long ppid = getppid();

	setvbuf(stdout, NULL, _IOLBF, 0);
	site("seven", seven, ppid);
	site("nine", nine, ppid);
	site("far", far, ppid);
	site("other", other, ppid);
	site("store", store, ppid);
	site("crossing a page", crossing, ppid);
	written();
	perms();
	dropped();
	stepping();
	signals();
	return 0;
}
