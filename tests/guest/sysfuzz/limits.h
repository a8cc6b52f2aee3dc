/*
 * What a single bad argument does not find: races of close() and munmap()
 * with a call that sleeps, structures that the kernel reads when a thread
 * ends, signal frames, loops of descriptors, and every kind of thing until
 * there is no more, and back.
 */
#include <sys/ucontext.h>
#include <setjmp.h>

#define RACES        60
#define MOST_FDS     1000
#define MOST_MAPS    3000
#define MOST_THREADS 300

/* Descriptors of (kind): one, or the two ends of something; -1: none. */
#define RACE_KINDS 8
#define KINDS      13

static void open_kind(int kind, volatile int fd[2])
{
	int p[2] = { -1, -1 };

	switch (kind) {
	case 0:
		pipe(p);
		break;
	case 1:
		socketpair(AF_UNIX, SOCK_STREAM, 0, p);
		break;
	case 2:
		socketpair(AF_UNIX, SOCK_DGRAM, 0, p);
		break;
	case 3:
		p[0] = socket(AF_INET, SOCK_STREAM, 0);
		listen(p[0], 3);
		break;
	case 4:
		p[0] = socket(AF_INET, SOCK_DGRAM, 0);
		break;
	case 5:
		p[0] = eventfd(0, 0);
		break;
	case 6:
		p[0] = timerfd_create(CLOCK_MONOTONIC, 0);
		break;
	case 7:
		p[0] = socket(AF_UNIX, SOCK_STREAM, 0);
		bind(p[0], &(struct sockaddr){ AF_UNIX }, 2);
		listen(p[0], 3);
		break;
	/* races() has none of these */
	case 8:
		p[0] = socket(AF_INET, SOCK_STREAM, 0);
		break;
	case 9:
		p[0] = socket(AF_INET6, SOCK_DGRAM, 0);
		break;
	case 10:
		p[0] = epoll_create1(0);
		break;
	case 11:
		p[0] = memfd_create("x", 0);
		break;
	case 12:
		p[0] = open("/proc/self/maps", O_RDONLY);
		break;
	}
	fd[0] = p[0];
	fd[1] = p[1];
}

static volatile int race_fd[2], race_turn;
static char *race_mem;

static void *race_reader(void *arg)
{
	struct pollfd p = { .events = POLLIN };
	struct epoll_event ev;
	int i, ep = epoll_create1(0);

	*(volatile int *)arg = sys(SYS_gettid, 0, 0, 0, 0, 0, 0);
	for (i = 0; race_turn >= 0; i++) {
		p.fd = race_fd[0];
		ev.events = EPOLLIN;
		switch (i % 6) {
		case 0:
			read(p.fd, race_mem, 3 * PAGE);
			break;
		case 1:
			poll(&p, 1, 50);
			break;
		case 2:
			accept(p.fd, NULL, NULL);
			break;
		case 3:
			epoll_ctl(ep, EPOLL_CTL_ADD, p.fd, &ev);
			epoll_wait(ep, &ev, 1, 50);
			break;
		case 4:
			recv(p.fd, race_mem, 3 * PAGE, MSG_WAITALL);
			break;
		case 5:
			readv(p.fd, &(struct iovec){ race_mem, PAGE }, 1);
		}
	}
	close(ep);
	*(volatile int *)arg = 0;
	return NULL;
}

static void races(void)
{
	volatile int tid[3] = {};
	pthread_t t;
	int i, k;

	race_mem = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	open_kind(0, race_fd);
	race_turn = 0;
	for (k = 0; k < 3; k++) {
		pthread_create(&t, NULL, race_reader, (void *)&tid[k]);
		pthread_detach(t);
	}
	for (i = 0; i < RACES; i++) {
		nap(i % 3);
		write(race_fd[1], race_mem, 10);
		munmap(race_mem, 4 * PAGE);
		close(race_fd[0]);
		if (i & 1)
			shutdown(race_fd[0], SHUT_RDWR);
		mmap(race_mem, 4 * PAGE, i & 2 ? PROT_READ : PROT_WRITE,
		    MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		close(race_fd[1]);
		open_kind(i % RACE_KINDS, race_fd);
		for (k = 0; k < 3; k++)
			sys(SYS_tgkill, getpid(), tid[k], SIGUSR1, 0, 0, 0);
	}
	race_turn = -1;
	while (tid[0] || tid[1] || tid[2]) {
		for (k = 0; k < 3; k++)
			sys(SYS_tgkill, getpid(), tid[k], SIGUSR1, 0, 0, 0);
		nap(1);
	}
	close(race_fd[0]);
	close(race_fd[1]);
}

/* A thread that ends leaves the kernel pointers to follow. */
static void *end_badly(void *arg)
{
	struct robust {
		struct robust *next;
		long offset;
		struct robust *pending;
	} *r = (void *)race_mem;
	long k = (long)arg;

	r->next =
	    k & 1 ? (void *)PICK(&(struct worker){ k + 1 }, bad_address) : r;
	r->offset = k % 5 ? (long)odd_number[k % 43] : 8;
	r->pending = k & 2 ? (void *)bad_address[k % 22] : NULL;
	sys(SYS_set_robust_list, k % 3 ? (long)r : (long)bad_address[k % 22],
	    24, 0, 0, 0, 0);
	sys(SYS_set_tid_address, bad_address[k % 22], 0, 0, 0, 0, 0);
	sys(SYS_exit, 0, 0, 0, 0, 0, 0);
	return NULL;
}

static void bad_ends(void)
{
	pthread_attr_t a;
	pthread_t t;
	long k;

	race_mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 65536);
	for (k = 0; k < 44; k++) {
		pthread_create(&t, &a, end_badly, (void *)k);
		nap(1);
	}
}

/* clone() of real threads, with pointers and a TLS that cannot be. */
static char clone_stack[65536] __attribute__((aligned(16)));

static long clone_once(long flags, char *stack, long ptid, long ctid, long tls)
{
	register long r10 asm("r10") = ctid, r8 asm("r8") = tls;
	long r;

	asm volatile("syscall; test %%rax, %%rax; jnz 1f\n"
		     "xor %%edi, %%edi; mov $60, %%eax; syscall\n1:"
		     : "=a"(r)
		     : "a"(SYS_clone), "D"(flags), "S"(stack), "d"(ptid),
		     "r"(r10), "r"(r8)
		     : "rcx", "r11", "memory");
	return r;
}

static void bad_clones(void)
{
	const long thread =
	    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
	char *top = clone_stack + sizeof(clone_stack);
	unsigned i;

	for (i = 0; i < 22; i++) {
		long bad = bad_address[i];

		clone_once(thread | CLONE_PARENT_SETTID, top, bad, 0, 0);
		clone_once(thread | CLONE_CHILD_SETTID, top, 0, bad, 0);
		clone_once(thread | CLONE_CHILD_CLEARTID, top, 0, bad, 0);
		clone_once(thread | CLONE_SETTLS, top, 0, 0, bad);
		nap(2);
	}
}

/* Signal frames that were changed before they are read back. */
static sigjmp_buf frame_back;
static volatile int frame_kind;

static void frame_fault(int sig)
{
	siglongjmp(frame_back, 1);
}

static void frame_spoil(int sig, siginfo_t *info, void *ctx)
{
	ucontext_t *uc = ctx;
	greg_t *g = uc->uc_mcontext.gregs;
	unsigned char *fp = (void *)uc->uc_mcontext.fpregs;

	switch (frame_kind) {
	case 0:
		g[REG_EFL] = -1 & ~0x100;
		break;
	case 1:
		g[REG_EFL] |= 0x7000;
		break; /* IOPL, NT */
	case 2:
		g[REG_EFL] |= 1 << 17;
		break; /* VM */
	case 3:
		g[REG_EFL] &= ~0x200;
		break; /* IF */
	case 4:
		g[REG_CSGSFS] = 0;
		break;
	case 5:
		g[REG_CSGSFS] = -1;
		break;
	case 6:
		*(uint32_t *)(fp + 24) = -1;
		break; /* MXCSR */
	case 7:
		memset(fp + 512, 0xff, 64);
		break; /* XSTATE_BV */
	case 8:
		memset(fp + 464, 0xff, 48);
		break; /* its size */
	case 9:
		uc->uc_mcontext.fpregs = (void *)8;
		break;
	case 10:
		uc->uc_mcontext.fpregs = (void *)(fp + 8);
		break;
	case 11:
		uc->uc_mcontext.fpregs = (void *)0xffffffff80200000;
		break;
	case 12:
		uc->uc_mcontext.fpregs = NULL;
		break;
	case 13:
		g[REG_RIP] = 0x800000000000;
		break;
	case 14:
		g[REG_RIP] = 0x8000000000000000;
		break;
	case 15:
		g[REG_RIP] = 0xffffffff80200000;
		break;
	case 16:
		g[REG_RIP] = 0;
		break;
	case 17:
		uc->uc_stack.ss_sp = (void *)-1;
		break;
	case 18:
		memset(&uc->uc_sigmask, 0xff, 8);
		break;
	case 19:
		memset(fp, 0xff, 512);
		break;
	case 20:
		memset(fp + 576, 0xff, 256);
		break;
	case 21:
		g[REG_EFL] |= 0x400;
		break; /* DF */
	case 22:
		g[REG_EFL] |= 0x40000;
		break; /* AC */
	}
}

static void bad_frames(void)
{
	struct sigaction sa = { .sa_sigaction = frame_spoil,
		.sa_flags = SA_SIGINFO };
	struct sigaction fault = { .sa_handler = frame_fault,
		.sa_flags = SA_NODEFER };
	sigset_t none;
	volatile int k;

	sigemptyset(&none);
	sigaction(SIGUSR2, &sa, NULL);
	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGBUS, &fault, NULL);
	sigaction(SIGFPE, &fault, NULL);
	for (k = 0; k < 23; k++) {
		frame_kind = k;
		if (!sigsetjmp(frame_back, 1))
			raise(SIGUSR2);
		asm volatile("pushf; andl $~0x40400, (%rsp); popf; fninit");
		sigprocmask(SIG_SETMASK, &none, NULL);
	}
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	quiet_signals();
}

/* Epoll in epoll in epoll, and sockets that carry themselves. */
static void loops(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int ep[40], s[2], i, j;
	char control[CMSG_SPACE(2 * sizeof(int))];
	struct iovec iov = { "x", 1 };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };

	for (i = 0; i < 40; i++)
		ep[i] = epoll_create1(0);
	for (i = 0; i < 40; i++)
		for (j = 0; j < 40; j++)
			epoll_ctl(ep[i], EPOLL_CTL_ADD, ep[(i + j) % 40], &ev);
	s[0] = eventfd(1, 0);
	for (i = 0; i < 40; i++)
		epoll_ctl(ep[i], EPOLL_CTL_ADD, s[0], &ev);
	for (i = 0; i < 40; i++)
		epoll_wait(ep[i], &ev, 1, 0);
	close(s[0]);
	for (i = 0; i < 40; i++)
		close(ep[i]);
	for (i = 0; i < 300; i++) {
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);

		socketpair(AF_UNIX, SOCK_STREAM, 0, s);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(2 * sizeof(int));
		memcpy(CMSG_DATA(c), s, sizeof(s));
		sendmsg(s[0], &m, MSG_DONTWAIT);
		sendmsg(s[1], &m, MSG_DONTWAIT);
		close(s[0]);
		close(s[1]);
	}
}

static void many_fds(void)
{
	int kind, n, f[MOST_FDS], p[2];

	for (kind = 0; kind < KINDS; kind++) {
		for (n = 0; n + 2 <= MOST_FDS;) {
			open_kind(kind, p);
			if (p[0] < 0)
				break;
			f[n++] = p[0];
			if (p[1] >= 0)
				f[n++] = p[1];
		}
		while (n)
			close(f[--n]);
	}
}

static void many_maps(void)
{
	static char *at[MOST_MAPS];
	int i, n;

	for (n = 0; n < MOST_MAPS; n++) {
		at[n] = mmap(NULL, 4 * PAGE, n & 1 ? PROT_READ : PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (at[n] == MAP_FAILED)
			break;
		mprotect(at[n] + PAGE, PAGE, PROT_READ | PROT_WRITE);
		at[n][PAGE] = 1;
	}
	for (i = 0; i < n; i++)
		munmap(at[i], 4 * PAGE);
}

static void *sleeper(void *arg)
{
	while (!*(volatile int *)arg)
		nap(20);
	__atomic_sub_fetch((int *)arg + 1, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void many_threads(void)
{
	static volatile int state[2];
	pthread_attr_t a;
	pthread_t t;
	int n;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 32768);
	pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
	state[0] = 0;
	for (n = 0; n < MOST_THREADS; n++) {
		__atomic_add_fetch(&state[1], 1, __ATOMIC_SEQ_CST);
		if (pthread_create(&t, &a, sleeper, (void *)state)) {
			state[1]--;
			break;
		}
	}
	state[0] = 1;
	while (state[1])
		nap(5);
}

static void limits(unsigned mask)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} part[] = {
		{ "races", races },
		{ "ends", bad_ends },
		{ "clones", bad_clones },
		{ "frames", bad_frames },
		{ "loops", loops },
		{ "descriptors", many_fds },
		{ "mappings", many_maps },
		{ "threads", many_threads },
	};
	struct sysinfo si;
	unsigned i;

	sys(SYS_close_range, FIRST_FD, -1, 0, 0, 0, 0);
	quiet_signals();
	for (i = 0; i < 8; i++) {
		if (!(mask >> i & 1))
			continue;
		part[i].run();
		sysinfo(&si);
		if (verbose)
			printf("%s: free %lu\n", part[i].name, si.freeram);
	}
}
