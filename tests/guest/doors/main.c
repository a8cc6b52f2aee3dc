/*
 * System calls by each way into the kernel: the syscall instruction with a
 * number that is not beside it, a call site of seven and of nine bytes that a
 * kernel may rewrite, and the C library's own.  Each site is used often enough
 * to be noticed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define OFTEN   1000
#define BYTES   3000

#define STR_(x) #x
#define STR(x)  STR_(x)

/* long NAME(a, b, c): the system call NR. */
#define SITE(name, load) SITE_AT(name, load, ".text", "16")
#define SITE_AT(name, load, section, align)                    \
	long name(long a, long b, long c);                     \
	__asm__(".pushsection " section "\n"                   \
		".balign " align "\n" #name ":\n" load "\n"    \
		".globl " #name "_middle\n" #name "_middle:\n" \
		"syscall\n"                                    \
		"ret\n"                                        \
		".balign " align "\n"                          \
		".popsection\n")

#define SEVEN(nr) "movl $" STR(nr) ", %eax"
#define NINE(nr)  ".byte 0x48, 0xc7, 0xc0; .long " STR(nr)
#define FAR(nr)   "movl $" STR(nr) ", %eax; nop"

SITE(far_getppid, FAR(SYS_getppid));
SITE(seven_getppid, SEVEN(SYS_getppid));
SITE(nine_getppid, NINE(SYS_getppid));
SITE(far_read, FAR(SYS_read));
SITE(seven_read, SEVEN(SYS_read));
SITE(nine_read, NINE(SYS_read));
/* Alone on its page. */
SITE_AT(seven_none, SEVEN(500), ".text.alone, \"ax\", @progbits", "4096");
SITE(seven_altstack, SEVEN(SYS_sigaltstack));

static long libc_read(long fd, long buf, long n)
{
	long r = read((int)fd, (void *)buf, (size_t)n);

	return r < 0 ? -errno : r;
}

static long libc_getppid(long a, long b, long c)
{
	return getppid();
}

typedef long call_fn(long, long, long);

static const struct way {
	const char *name;
	call_fn *getppid, *read;
} ways[] = {
	{ "far", far_getppid, far_read },
	{ "seven", seven_getppid, seven_read },
	{ "nine", nine_getppid, nine_read },
	{ "libc", libc_getppid, libc_read },
};

/* --- results -------------------------------------------------------------- */

static void results(const struct way *w)
{
	long first = w->getppid(0, 0, 0), bad = 0;

	for (int i = 0; i < OFTEN; i++)
		bad += w->getppid(1, 2, 3) != first;
	printf("%s: %ld of %d wrong, errno %ld\n", w->name,
	    bad + (first != getppid()), OFTEN, w->read(-1, 0, 0));
}

/* --- registers and the red zone ------------------------------------------- */

#define NREG 11

/* Load the registers from in[], make the call, put them into out[]; the red
 * zone's 16 words follow. */
#define KEEPS(name, insn)                                                 \
	void name(const uint64_t in[NREG], uint64_t out[NREG + 16]);      \
	__asm__(".pushsection .text\n"                                    \
		".balign 16\n" #name ":\n"                                \
		"push %rbx; push %rbp; push %r12; push %r13; push %r14\n" \
		"push %r15; push %rsi\n"                                  \
		"movq %rdi, %rax\n"                                       \
		".set i, 1\n.rept 16\n"                                   \
		"movq (%rax), %rcx; addq $i, %rcx\n"                      \
		"movq %rcx, -8*i(%rsp)\n.set i, i + 1\n.endr\n"           \
		"movq (%rax), %rbx; movq 8(%rax), %rdx\n"                 \
		"movq 16(%rax), %rsi; movq 24(%rax), %rdi\n"              \
		"movq 32(%rax), %rbp; movq 40(%rax), %r8\n"               \
		"movq 48(%rax), %r9; movq 56(%rax), %r10\n"               \
		"movq 64(%rax), %r12; movq 72(%rax), %r13\n"              \
		"movq 80(%rax), %r14\n" insn "\n"                         \
		"movq (%rsp), %rax\n"                                     \
		"movq %rbx, (%rax); movq %rdx, 8(%rax)\n"                 \
		"movq %rsi, 16(%rax); movq %rdi, 24(%rax)\n"              \
		"movq %rbp, 32(%rax); movq %r8, 40(%rax)\n"               \
		"movq %r9, 48(%rax); movq %r10, 56(%rax)\n"               \
		"movq %r12, 64(%rax); movq %r13, 72(%rax)\n"              \
		"movq %r14, 80(%rax)\n"                                   \
		".set i, 1\n.rept 16\n"                                   \
		"movq -8*i(%rsp), %rcx\n"                                 \
		"movq %rcx, 80+8*i(%rax)\n.set i, i + 1\n.endr\n"         \
		"pop %rsi; pop %r15; pop %r14; pop %r13; pop %r12\n"      \
		"pop %rbp; pop %rbx; ret\n"                               \
		".popsection\n")

KEEPS(keeps_far, FAR(SYS_getppid) "; syscall");
KEEPS(keeps_seven, SEVEN(SYS_getppid) "; syscall");
KEEPS(keeps_nine, NINE(SYS_getppid) "; syscall");
/* All registers are needed by the kernel, too. */
KEEPS(keeps_frame, SEVEN(SYS_sigaltstack) "; syscall");

static void keeps(const char *name, void (*fn)(const uint64_t *, uint64_t *))
{
	uint64_t in[NREG], out[NREG + 16];
	long lost = 0, zone = 0;

	for (unsigned n = 0; n < OFTEN; n++) {
		for (unsigned i = 0; i < NREG; i++)
			in[i] = 0x8877665544332211 * (n + 1) + i;
		fn(in, out);
		for (unsigned i = 0; i < NREG; i++)
			lost += in[i] != out[i];
		for (unsigned i = 0; i < 16; i++)
			zone += out[NREG + i] != in[0] + i + 1;
	}
	printf("%s: %ld registers lost, %ld words of the red zone\n", name,
	    lost, zone);
}

/* --- jumps into the middle ------------------------------------------------ */

extern char seven_getppid_middle[], nine_getppid_middle[];

static void middle(const char *name, char *target)
{
	long bad = 0, ppid = getppid(), r;

	for (int i = 0; i < OFTEN; i++) {
		__asm__ volatile("call *%1"
				 : "=a"(r)
				 : "r"(target), "0"((long)SYS_getppid)
				 : "rcx", "r11", "memory");
		bad += r != ppid;
		/* Another number than the one before it. */
		__asm__ volatile("call *%1"
				 : "=a"(r)
				 : "r"(target), "0"((long)SYS_getpid)
				 : "rcx", "r11", "memory");
		bad += r != getpid();
	}
	printf("%s: %ld jumps went wrong\n", name, bad);
}

/* --- many threads meet new sites ------------------------------------------ */

#define NSITE 64

__asm__(".pushsection .text\n.balign 16\nnew_sites:\n.rept 64\n"
	".balign 16\nmovl $" STR(SYS_getpid) ", %eax; syscall; ret\n"
					     ".endr\n.popsection\n");
extern char new_sites[];
static _Atomic int waiting;

static void *meet(void *arg)
{
	long bad = 0;

	for (int i = 0; i < NSITE; i++) {
		call_fn *fn = (call_fn *)(void *)(new_sites + 16 * i);

		/* Both at the same site. */
		atomic_fetch_add(&waiting, 1);
		for (int n = 0; n < 300 || waiting < 2 * (i + 1); n++)
			bad += fn(0, 0, 0) != getpid();
	}
	return (void *)bad;
}

static void new_sites_meet(void)
{
	pthread_t t;
	void *bad;

	pthread_create(&t, NULL, meet, NULL);
	bad = meet(NULL);
	printf("two threads: %ld wrong\n", (long)bad);
	pthread_join(t, &bad);
	printf("two threads: %ld wrong\n", (long)bad);
}

/* --- signals -------------------------------------------------------------- */

static _Atomic long handled, strange;
static _Atomic int stop;

static void handler(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	handled++;
	/* The kernel's addresses are its own affair. */
	strange += uc->uc_mcontext.gregs[REG_RIP] < 0 ||
		   uc->uc_mcontext.gregs[REG_RSP] < 0;
}

static void *storm(void *target)
{
	while (!stop) {
		long before = handled;

		pthread_kill((pthread_t)target, SIGUSR1);
		while (handled == before && !stop)
			sched_yield();
	}
	return NULL;
}

static int pipe_fd[2];

static void *feed(void *arg)
{
	while (!handled)
		sched_yield();
	for (int i = 0; i < BYTES; i++) {
		unsigned char c = (unsigned char)i;

		while (write(pipe_fd[1], &c, 1) != 1)
			;
		if (i % 4 == 0)
			sched_yield();
	}
	return NULL;
}

static void signals(const struct way *w, int flags)
{
	struct sigaction sa = { 0 };
	long eintr = 0, wrong = 0, bad = 0, ppid = getppid();
	pthread_t s, f;

	sa.sa_sigaction = handler;
	sa.sa_flags = SA_SIGINFO | flags;
	sigaction(SIGUSR1, &sa, NULL);
	handled = strange = stop = 0;
	pthread_create(&s, NULL, storm, (void *)pthread_self());
	pthread_create(&f, NULL, feed, NULL);
	for (int got = 0; got < BYTES;) {
		unsigned char c;
		long r = w->read(pipe_fd[0], (long)&c, 1);

		if (r == 1)
			wrong += c != (unsigned char)got++;
		else if (r == -EINTR)
			eintr++;
		else
			bad++;
		bad += w->getppid(0, 0, 0) != ppid;
	}
	stop = 1;
	pthread_join(s, NULL);
	pthread_join(f, NULL);
	if (!flags)
		eintr = 0; /* as many as there were */
	printf(
	    "%s, flags %#x: %ld bytes wrong, %ld EINTR, %ld bad, handler ran "
	    "%d, strange %ld\n",
	    w->name, flags, wrong, eintr, bad, handled > 0, (long)strange);
}

static void *wait_for_ever(void *arg)
{
	static int empty[2];
	char c;

	if (!empty[1] && pipe(empty) != 0)
		return NULL;
	read(empty[0], &c, 1);
	return NULL;
}

static void cancellation(void)
{
	int cancelled = 0;
	pthread_t t;
	void *r;

	for (int i = 0; i < 20; i++) {
		pthread_create(&t, NULL, wait_for_ever, NULL);
		usleep(i % 4 * 1000);
		pthread_cancel(t);
		pthread_join(t, &r);
		cancelled += r == PTHREAD_CANCELED;
	}
	printf("%d threads cancelled\n", cancelled);
}

/* --- pages of code -------------------------------------------------------- */

/* A copy of a site in memory of our own, with another number after a while. */
static void own_page(void)
{
	unsigned char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	call_fn *fn = (call_fn *)(void *)p;
	long bad = 0;

	for (int round = 0; round < 4; round++) {
		mprotect(p, 4096, PROT_READ | PROT_WRITE);
		memcpy(p, (void *)seven_getppid, 8);
		p[0] = 0xb8;
		memset(p + 1, 0, 4);
		p[1] = round & 1 ? SYS_getpid : SYS_gettid;
		memcpy(p + 5, "\x0f\x05\xc3", 3);
		mprotect(p, 4096, PROT_READ | PROT_EXEC);
		for (int i = 0; i < OFTEN; i++)
			bad += fn(0, 0, 0) !=
			       (round & 1 ? getpid() : syscall(SYS_gettid));
	}
	munmap(p, 4096);
	printf("own page: %ld wrong\n", bad);
}

/* Text that was run becomes writable, is changed, and is run again. */
static void changed_text(void)
{
	unsigned char *site = (unsigned char *)seven_none;
	long bad = 0;

	for (int i = 0; i < OFTEN; i++)
		bad += seven_none(0, 0, 0) != -ENOSYS;
	printf("no such call: %ld wrong\n", bad);
	bad = 0;
	mprotect(site, 4096, PROT_READ | PROT_WRITE);
	memcpy(site, "\xb8\x27\x00\x00\x00\x0f\x05", 7);
	mprotect(site, 4096, PROT_READ | PROT_EXEC);
	for (int i = 0; i < OFTEN; i++)
		bad += seven_none(0, 0, 0) != getpid();
	printf("changed text: %ld wrong\n", bad);
}

static void frames(void)
{
	static char room[65536];
	stack_t ss = { .ss_sp = room, .ss_size = sizeof(room) }, old;
	long bad = 0;

	for (int i = 0; i < OFTEN; i++) {
		ss.ss_size = sizeof(room) - (i & 1);
		bad += seven_altstack((long)&ss, 0, 0) != 0;
		bad += seven_altstack(0, (long)&old, 0) != 0;
		bad += old.ss_size != ss.ss_size || old.ss_sp != ss.ss_sp;
	}
	printf("calls with a frame: %ld wrong\n", bad);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (pipe(pipe_fd) != 0)
		return 1;
	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		results(&ways[i]);
	keeps("far", keeps_far);
	keeps("seven", keeps_seven);
	keeps("nine", keeps_nine);
	keeps("frame", keeps_frame);
	middle("seven", seven_getppid_middle);
	middle("nine", nine_getppid_middle);
	frames();
	new_sites_meet();
	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		signals(&ways[i], 0);
		signals(&ways[i], SA_RESTART);
	}
	cancellation();
	own_page();
	changed_text();
	return 0;
}
