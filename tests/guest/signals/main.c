/*
 * Signals: masks, queues, real-time order, restarts, alternate stacks, faults,
 * and calls that a signal interrupts.
 */
#define _GNU_SOURCE
#include "../show.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile sig_atomic_t count, last_value, last_code, order[64], norder;
static sigjmp_buf back;
static volatile uintptr_t fault_addr;
static char *alt_low, *alt_high;
static volatile int on_alt;

static void set_handler(
    int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_sigaction = fn;
	sa.sa_flags = SA_SIGINFO | flags;
	sigaction(sig, &sa, NULL);
}

static void note(int sig, siginfo_t *info, void *ctx)
{
	char here;

	count++;
	last_code = info->si_code;
	last_value = info->si_value.sival_int;
	on_alt = &here >= alt_low && &here < alt_high;
	if (norder < 64)
		order[norder++] = sig;
	(void)ctx;
}

static void queueing(void)
{
	sigset_t all, old, pending;
	union sigval v;
	siginfo_t info;

	sigfillset(&all);
	for (int s = SIGRTMIN; s <= SIGRTMIN + 3; s++)
		set_handler(s, note, 0);
	set_handler(SIGUSR1, note, 0);
	set_handler(SIGUSR2, note, 0);
	sigprocmask(SIG_BLOCK, &all, &old);
	for (int i = 0; i < 3; i++) {
		v.sival_int = 100 + i;
		printf("sigqueue %d\n", sigqueue(getpid(), SIGRTMIN + 2, v));
		v.sival_int = 200 + i;
		sigqueue(getpid(), SIGRTMIN + 1, v);
		kill(getpid(), SIGUSR1);
		pthread_kill(pthread_self(), SIGUSR2);
	}
	sigpending(&pending);
	printf("pending usr1 %d usr2 %d rt1 %d rt3 %d\n",
	    sigismember(&pending, SIGUSR1), sigismember(&pending, SIGUSR2),
	    sigismember(&pending, SIGRTMIN + 1),
	    sigismember(&pending, SIGRTMIN + 3));
	for (int i = 0; i < 2; i++) {
		sigset_t rt2;

		sigemptyset(&rt2);
		sigaddset(&rt2, SIGRTMIN + 2);
		int s = sigwaitinfo(&rt2, &info);
		printf("sigwaitinfo RTMIN+%d value %d code %d pid %d\n",
		    s - SIGRTMIN, info.si_value.sival_int, info.si_code,
		    info.si_pid == getpid());
	}
	count = norder = 0;
	sigprocmask(SIG_SETMASK, &old, NULL);
	printf("delivered %d, order", (int)count);
	for (int i = 0; i < norder; i++)
		printf(" %d", (int)order[i]);
	printf(", last value %d\n", (int)last_value);
}

static void timedwait(void)
{
	struct timespec ts = { 0, 20000000 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 5);
	sigprocmask(SIG_BLOCK, &set, NULL);
	errno = 0;
	printf("sigtimedwait %d", sigtimedwait(&set, NULL, &ts));
	printf(" %s\n", strerror(errno));
	kill(getpid(), SIGRTMIN + 5);
	printf("sigtimedwait RTMIN+%d\n",
	    sigtimedwait(&set, NULL, &ts) - SIGRTMIN);
}

static void *poke(void *arg)
{
	pthread_t *t = arg;

	usleep(50000);
	pthread_kill(*t, SIGUSR1);
	return NULL;
}

static void *poke_then_write(void *arg)
{
	int *fd = arg;

	usleep(50000);
	kill(getpid(), SIGUSR1);
	usleep(50000);
	if (write(fd[1], "x", 1) != 1)
		abort();
	return NULL;
}

static void interrupted(void)
{
	struct timespec ts = { 5, 0 }, left;
	pthread_t self = pthread_self(), t;
	sigset_t block, old;
	int fd[2];
	char c;
	long r;

	if (pipe(fd) != 0)
		abort();
	count = 0;
	set_handler(SIGUSR1, note, 0);
	pthread_create(&t, NULL, poke, &self);
	r = read(fd[0], &c, 1);
	printf("read without SA_RESTART: %ld %s, %d signal\n", r,
	    r < 0 ? strerror(errno) : "", (int)count);
	pthread_join(t, NULL);

	set_handler(SIGUSR1, note, SA_RESTART);
	/* The other thread must not take it. */
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, &old);
	pthread_create(&t, NULL, poke_then_write, fd);
	sigprocmask(SIG_SETMASK, &old, NULL);
	r = read(fd[0], &c, 1);
	printf(
	    "read with SA_RESTART: %ld '%c', %d signals\n", r, c, (int)count);
	pthread_join(t, NULL);

	pthread_create(&t, NULL, poke, &self);
	r = nanosleep(&ts, &left);
	printf("nanosleep %ld %s, most is left %d\n", r, strerror(errno),
	    left.tv_sec == 4);
	pthread_join(t, NULL);

	pthread_create(&t, NULL, poke, &self);
	r = pause();
	printf("pause %ld %s\n", r, strerror(errno));
	pthread_join(t, NULL);
	close(fd[0]);
	close(fd[1]);
}

static void suspend(void)
{
	sigset_t block, old, now;

	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, &old);
	count = 0;
	kill(getpid(), SIGUSR1);
	printf("blocked: %d; ", (int)count);
	sigset_t none = old;
	long r = sigsuspend(&none);
	sigprocmask(SIG_SETMASK, NULL, &now);
	printf("sigsuspend %ld %s, %d signal, blocked again %d\n", r,
	    strerror(errno), (int)count, sigismember(&now, SIGUSR1));
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static volatile int depth, max_depth;

static void nest(int sig, siginfo_t *info, void *ctx)
{
	depth++;
	if (depth > max_depth)
		max_depth = depth;
	if (depth < 3)
		raise(sig);
	depth--;
	(void)info;
	(void)ctx;
}

static void flags(void)
{
	struct sigaction sa;

	set_handler(SIGUSR2, nest, SA_NODEFER);
	raise(SIGUSR2);
	printf("SA_NODEFER depth %d\n", max_depth);
	max_depth = 0;
	set_handler(SIGUSR2, nest, 0);
	depth = 2; /* raises no more */
	raise(SIGUSR2);
	depth = 0;
	set_handler(SIGUSR2, note, SA_RESETHAND);
	raise(SIGUSR2);
	sigaction(SIGUSR2, NULL, &sa);
	printf("SA_RESETHAND leaves default %d\n", sa.sa_handler == SIG_DFL);
	signal(SIGUSR2, SIG_IGN);
	count = 0;
	raise(SIGUSR2);
	printf("ignored: %d\n", (int)count);
	signal(SIGCHLD, SIG_DFL);
	printf(
	    "raise SIGCHLD %d, SIGCONT %d\n", raise(SIGCHLD), raise(SIGCONT));
	show("SIGKILL action", sigaction(SIGKILL, &sa, NULL));
	show("kill 0", kill(getpid(), 0));
	show("kill nobody", kill(0x7ffffff, 0));
	show("kill with a bad number", kill(getpid(), 65));
	show(
	    "tgkill nobody", syscall(SYS_tgkill, getpid(), 0x7ffffff, SIGUSR1));
}

static void altstack(void)
{
	stack_t ss = { 0 }, old;

	alt_low = malloc(65536);
	alt_high = alt_low + 65536;
	ss.ss_sp = alt_low;
	ss.ss_size = 65536;
	printf("sigaltstack %d\n", sigaltstack(&ss, NULL));
	set_handler(SIGUSR1, note, SA_ONSTACK);
	raise(SIGUSR1);
	printf("on the alternate stack %d", on_alt);
	set_handler(SIGUSR1, note, 0);
	raise(SIGUSR1);
	printf(", without the flag %d\n", on_alt);
	sigaltstack(NULL, &old);
	printf("old stack %d size %zu flags %d\n", old.ss_sp == alt_low,
	    old.ss_size, old.ss_flags);
	ss.ss_size = 100;
	show("too small", sigaltstack(&ss, NULL));
}

static void on_fault(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;

	fault_addr = (uintptr_t)info->si_addr;
	last_code = info->si_code;
	last_value = (int)uc->uc_mcontext.gregs[REG_TRAPNO];
	order[0] = (int)uc->uc_mcontext.gregs[REG_ERR];
	siglongjmp(back, sig);
}

static void faults(void)
{
	volatile int zero = 0;
	char *ro =
	    mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int sig;

	for (int s = 1; s < 5; s++)
		set_handler((int[]){ 0, SIGSEGV, SIGBUS, SIGFPE, SIGILL }[s],
		    on_fault, SA_ONSTACK);
	sig = sigsetjmp(back, 1);
	if (!sig)
		*(volatile int *)8 = 1;
	printf("null: signal %d code %d addr %#lx trap %d err %d\n", sig,
	    (int)last_code, (unsigned long)fault_addr, (int)last_value,
	    (int)order[0]);
	sig = sigsetjmp(back, 1);
	if (!sig)
		*(volatile char *)(ro + 5) = 1;
	printf("read only: signal %d code %d addr %d err %d\n", sig,
	    (int)last_code, fault_addr == (uintptr_t)ro + 5, (int)order[0]);
	sig = sigsetjmp(back, 1);
	if (!sig)
		((void (*)(void))ro)();
	printf("no execute: signal %d code %d addr %d\n", sig, (int)last_code,
	    fault_addr == (uintptr_t)ro);
	sig = sigsetjmp(back, 1);
	if (!sig)
		zero = 100 / zero;
	printf("division: signal %d code %d\n", sig, (int)last_code);
	sig = sigsetjmp(back, 1);
	if (!sig)
		__asm__ volatile("ud2");
	printf("opcode: signal %d code %d\n", sig, (int)last_code);
	sig = sigsetjmp(back, 1);
	if (!sig)
		*(volatile char *)0x8000000000000000ul = 1;
	printf("not canonical: signal %d code %d addr %#lx\n", sig,
	    (int)last_code, (unsigned long)fault_addr);
}

static void change_context(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;

	uc->uc_mcontext.gregs[REG_RBX] = 0x1234567890;
	uc->uc_mcontext.gregs[REG_RIP] += 2; /* over ud2 */
	/* xmm7 = 2.5 on return */
	double v = 2.5;
	memcpy(&uc->uc_mcontext.fpregs->_xmm[7], &v, sizeof(v));
	(void)sig;
	(void)info;
}

static void context(void)
{
	unsigned long rbx = 0;
	double x = 0, y = 7.5;

	set_handler(SIGILL, change_context, 0);
	__asm__ volatile(
	    "movq $1, %%rbx; movsd %2, %%xmm7; movsd %2, %%xmm6\n"
	    "ud2\n"
	    "movq %%rbx, %0; movsd %%xmm7, %1; addsd %%xmm6, %%xmm7"
	    : "=r"(rbx), "=m"(x)
	    : "m"(y)
	    : "rbx", "xmm6", "xmm7");
	printf("context: rbx %#lx xmm7 %g\n", rbx, x);
}

/* The 128 bytes below the stack pointer are the program's. */
static void red_zone(void)
{
	unsigned long sum;

	set_handler(SIGILL, change_context, 0);
	__asm__ volatile("movq $11, -8(%%rsp); movq $22, -120(%%rsp)\n"
			 "ud2\n"
			 "movq -8(%%rsp), %0; addq -120(%%rsp), %0"
			 : "=r"(sum)::"rbx", "memory");
	printf("red zone %lu\n", sum);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	queueing();
	timedwait();
	interrupted();
	suspend();
	flags();
	altstack();
	faults();
	context();
	red_zone();
	fflush(stdout);
	signal(SIGTERM, SIG_DFL);
	raise(SIGTERM);
	return 1;
}
