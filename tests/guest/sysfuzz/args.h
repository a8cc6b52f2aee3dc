/* Hostile arguments. */
#define PICK(w, list) ((list)[below(w, sizeof(list) / sizeof(*(list)))])

static const uint64_t bad_address[] = {
	0,
	1,
	8,
	0xfff,
	0x1000,
	0x7fffffffe000,
	0x7ffffffff000,
	0x7fffffffffff,
	0x800000000000,
	0x8000000000000000,
	0xffff800000000000,
	0xffff880000000000,
	0xffff880000100000,
	0xffffc90000000000,
	0xffffffff80000000,
	0xffffffff80200000,
	0xfffffffffffff000,
	-4096,
	-64,
	-8,
	-4,
	-1,
};

static const uint64_t odd_number[] = {
	0,
	1,
	2,
	3,
	4,
	5,
	7,
	8,
	12,
	16,
	24,
	31,
	32,
	63,
	64,
	100,
	127,
	128,
	255,
	256,
	511,
	512,
	1023,
	1024,
	1025,
	4095,
	4096,
	4097,
	8192,
	65535,
	65536,
	1 << 20,
	0x7fffffff,
	0x80000000,
	0xffffffff,
	0x100000000,
	0x7ffffffffff,
	0x7fffffffffffffff,
	0x8000000000000000,
	0x8000000000000001,
	-4096,
	-2,
	-1,
};

static const char *const path[] = {
	"",
	"/",
	".",
	"..",
	"a",
	"b",
	"a/b",
	"/tmp/a",
	"/tmp/d",
	"d/..",
	"/tmp/loop",
	"/tmp/loop/x",
	"/tmp/fifo",
	"/tmp/d/e/f",
	"//tmp///d//",
	"/proc",
	"/proc/self",
	"/proc/self/maps",
	"/proc/self/status",
	"/proc/self/fd",
	"/proc/self/fd/7",
	"/proc/self/fd/99",
	"/proc/self/task",
	"/proc/self/cwd/d",
	"/proc/meminfo",
	"/proc/net/tcp",
	"/proc/sys/kernel/hostname",
	"/proc/1/stat",
	"/proc/99999/stat",
	"/dev",
	"/dev/null",
	"/dev/zero",
	"/dev/full",
	"/dev/urandom",
	"/dev/shm",
	"/dev/shm/x",
	"/dev/nothing",
	"/etc",
	"/bin/nothing",
	"/tmp/a/under-a-file",
	"/tmp/sock",
};

static long odd(struct worker *w)
{
	unsigned k = below(w, 8);

	if (k < 4)
		return PICK(w, odd_number);
	if (k < 6)
		return below(w, 40);
	if (k < 7)
		return 1ul << below(w, 64);
	return rnd(w) << below(w, 20);
}

static long bad_pointer(struct worker *w)
{
	switch (below(w, 8)) {
	case 0:
		return (long)w->ro + below(w, PAGE);
	case 1:
		return (long)w->none + below(w, PAGE);
	case 2:
		return (long)w->hole + below(w, PAGE);
	case 3:
		return (long)w->mem + 16 * PAGE - below(w, 80);
	case 4:
		return (long)w->mem + 16 * PAGE - 1 - below(w, 4);
	case 5:
		return (long)&bad_pointer;
	default:
		return PICK(w, bad_address);
	}
}

/* A pointer to memory, of at least N bytes. */
static char *good_pointer(struct worker *w, unsigned n)
{
	switch (below(w, 3)) {
	case 0:
		return w->mem + 16 * PAGE - n;
	case 1:
		return w->mem + below(w, 15 * PAGE - n);
	default:
		return w->mem + below(w, 14) * PAGE;
	}
}

static long fd(struct worker *w)
{
	static const int odd_fd[] = { -1, -100, -2, 91, 1023, 1024, 4096,
		1 << 20, INT_MAX, INT_MIN };

	if (below(w, 12) == 0)
		return PICK(w, odd_fd);
	return FIRST_FD + below(w, POOL_FDS);
}

static long any_pointer(struct worker *w);

static void fill_path(struct worker *w, char *p)
{
	unsigned i, n;

	switch (below(w, 12)) {
	case 0: /* long names, long paths */
		n = 250 + below(w, 10);
		memset(p, 'x', n);
		p[n] = 0;
		break;
	case 1:
		n = 4090 + below(w, 6);
		for (i = 0; i < n; i++)
			p[i] = i & 1 ? '/' : ".d"[below(w, 2)];
		p[n] = 0;
		break;
	case 2:
		for (n = below(w, 60), i = 0; i < n; i++)
			p[i] = rnd(w);
		p[n] = 0;
		break;
	default:
		strcpy(p, PICK(w, path));
	}
}

static long path_pointer(struct worker *w)
{
	char *p;

	if (below(w, 8) == 0)
		return bad_pointer(w);
	if (below(w, 16) == 0) { /* one that never ends */
		p = w->mem + 16 * PAGE - 1 - below(w, 30);
		memset(p, 'y', w->mem + 16 * PAGE - p);
		return (long)p;
	}
	p = w->mem + below(w, 14) * PAGE;
	fill_path(w, p);
	return (long)p;
}

static long iov_pointer(struct worker *w)
{
	unsigned i, n = 1 + below(w, 9);
	struct iovec *v = (void *)good_pointer(w, n * sizeof(*v));

	for (i = 0; i < n; i++) {
		v[i].iov_base = (void *)any_pointer(w);
		v[i].iov_len = below(w, 3) ? below(w, 5000) : odd(w);
	}
	return (long)v;
}

static unsigned fill_address(struct worker *w, char *p)
{
	struct sockaddr_in *in = (void *)p;
	struct sockaddr_in6 *in6 = (void *)p;
	struct sockaddr_un *un = (void *)p;

	memset(p, 0, 128);
	switch (below(w, 6)) {
	case 0:
	case 1:
		in->sin_family = AF_INET;
		in->sin_port = htons(5000 + below(w, 4));
		in->sin_addr.s_addr = htonl(below(w, 4) ? 0x7f000001 : rnd(w));
		return sizeof(*in);
	case 2:
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(5000 + below(w, 4));
		in6->sin6_addr.s6_addr[15] = below(w, 2);
		in6->sin6_scope_id = below(w, 3) ? 0 : rnd(w);
		return sizeof(*in6);
	case 3:
		un->sun_family = AF_UNIX;
		strcpy(un->sun_path, below(w, 2) ? "/tmp/sock" : "/tmp/d");
		return sizeof(*un);
	case 4: /* abstract, not terminated */
		un->sun_family = AF_UNIX;
		memset(un->sun_path + 1, 'z', 107);
		return 2 + below(w, 110);
	default:
		un->sun_family = rnd(w);
		return below(w, 130);
	}
}

static unsigned fill_control(struct worker *w, char *p)
{
	struct cmsghdr *c = (void *)p;
	static const uint64_t len[] = { 0, 1, 15, 16, 17, 20, 24, 28, 32, 64,
		0x7fffffff, 0xffffffff, -1, -16 };
	int *fds = (int *)CMSG_DATA(c), i;

	c->cmsg_len = PICK(w, len);
	c->cmsg_level = below(w, 4) ? SOL_SOCKET : (int)odd(w);
	c->cmsg_type = below(w, 4) ? SCM_RIGHTS : below(w, 60);
	for (i = 0; i < 8; i++)
		fds[i] = fd(w);
	return below(w, 4) ? c->cmsg_len : odd(w);
}

static long msg_pointer(struct worker *w)
{
	struct msghdr *m = (void *)good_pointer(w, 4 * 64);
	char *ctl = w->mem + below(w, 15) * PAGE + 512;
	char *name = w->mem + below(w, 15) * PAGE + 1024;

	memset(m, 0, 4 * 64);
	m->msg_iov =
	    below(w, 6) ? (void *)iov_pointer(w) : (void *)any_pointer(w);
	m->msg_iovlen = below(w, 6) ? 1 + below(w, 4) : odd(w);
	if (below(w, 2)) {
		m->msg_control = below(w, 6) ? ctl : (void *)bad_pointer(w);
		m->msg_controllen = fill_control(w, ctl);
	}
	if (below(w, 2)) {
		m->msg_namelen = fill_address(w, name);
		m->msg_name = below(w, 6) ? name : (void *)bad_pointer(w);
		if (below(w, 6) == 0)
			m->msg_namelen = odd(w);
	}
	return (long)m;
}

static long address_pointer(struct worker *w)
{
	char *p = good_pointer(w, 128);

	fill_address(w, p);
	return (long)p;
}

static long pollfd_pointer(struct worker *w)
{
	struct pollfd *p = (void *)good_pointer(w, 8 * sizeof(*p));
	int i;

	for (i = 0; i < 8; i++)
		p[i] = (struct pollfd){ fd(w), rnd(w) };
	return (long)p;
}

/* Short, none at all, wrong or hostile. */
static long time_pointer(struct worker *w)
{
	long *p = (long *)good_pointer(w, 64);
	unsigned i, k = below(w, 8);

	if (k == 0)
		return bad_pointer(w);
	for (i = 0; i < 8; i++)
		p[i] = k < 5 ? below(w, 2) * below(w, 1000) : odd(w);
	return (long)p;
}

/* Small numbers: flags, ids and lengths that make sense. */
static long struct_pointer(struct worker *w)
{
	unsigned i, k = below(w, 3);
	int *p = (int *)good_pointer(w, 256);

	for (i = 0; i < 64; i++)
		p[i] = k == 0 ? 0 : k == 1 ? (int)below(w, 70) : (int)odd(w);
	return (long)p;
}

static long any_pointer(struct worker *w)
{
	switch (below(w, 10)) {
	case 0 ... 2:
		return bad_pointer(w);
	case 3:
		return (long)good_pointer(w, 1 + below(w, 64));
	case 4:
		return time_pointer(w);
	case 5:
		return address_pointer(w);
	default:
		return struct_pointer(w);
	}
}

/* Calls that change mappings only see the arena, or what must be refused. */
static long arena_pointer(struct worker *w)
{
	if (below(w, 5) == 0)
		return PICK(w, bad_address);
	return (long)w->arena + below(w, 64) * PAGE +
	       (below(w, 8) ? 0 : below(w, PAGE));
}

static long arena_len(struct worker *w, long at)
{
	static const uint64_t len[] = { 0, -1, -4096, -8192, 1ul << 48,
		1ul << 63, 0xffff800000000000 };
	unsigned long left = (unsigned long)w->arena + ARENA - at;

	if (below(w, 6) == 0)
		return PICK(w, len);
	return left > ARENA ? PAGE : 1 + rnd(w) % left;
}
