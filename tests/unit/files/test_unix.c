#include "files_fixture.h"

#include "kern/socket.h"
#include "kern/vfs.h"
#include "kernel/fs/unix_int.h"

#include <asm/socket.h>

/* The family puts itself on the linker's set. */
extern const struct socket_family *const __start_sockfam_set[];

/* Paths need a file system: here every lookup fails. */
int vfs_lookup(
    struct dentry *at, const char *path, unsigned how, struct dentry **d)
{
	(void)at;
	(void)path;
	(void)how;
	(void)d;
	return -ENOENT;
}

int vfs_mknod(struct dentry *at, const char *path, uint32_t mode, uint64_t rdev,
    struct dentry **d)
{
	(void)at;
	(void)path;
	(void)mode;
	(void)rdev;
	(void)d;
	return -EACCES;
}

struct vnode *dentry_vnode(struct dentry *d)
{
	(void)d;
	abort();
}

uint32_t fs_umask(void)
{
	return 022;
}

static struct socket a, b, l;
static char control[512];
static struct sock_msg msg;

static int make(struct socket *s, int type)
{
	memset(s, 0, sizeof(*s));
	s->domain = AF_UNIX;
	s->type = type;
	return __start_sockfam_set[0]->create(s);
}

static void pair(int type)
{
	assert_int_equal(make(&a, type), 0);
	assert_int_equal(make(&b, type), 0);
	assert_int_equal(__start_sockfam_set[0]->pair(&a, &b), 0);
}

static void drop(struct socket *s)
{
	s->ops->release(s);
}

static void drop_pair(void)
{
	drop(&a);
	drop(&b);
}

static long move(struct socket *s, const void *buf, size_t n, int flags,
    size_t control_len, bool send)
{
	struct uio u;

	uio_init(&u, (void *)(uintptr_t)buf, n, false);
	msg = (struct sock_msg){ .uio = &u,
		.flags = flags,
		.control = control_len ? control : NULL,
		.controllen = control_len,
		.nonblock = true };
	return send ? s->ops->send(s, &msg) : s->ops->recv(s, &msg);
}

static long put(struct socket *s, const char *text)
{
	return move(s, text, strlen(text), 0, 0, true);
}

static long get(struct socket *s, char *buf, size_t n, int flags)
{
	return move(s, buf, n, flags, 0, false);
}

static unsigned name(struct sockaddr_any *sa, const char *text)
{
	memset(sa, 0, sizeof(*sa));
	sa->family = AF_UNIX;
	strcpy((char *)sa->data + 1, text);
	return (unsigned)(sizeof(sa->family) + 1 + strlen(text));
}

static void streams_join_and_split(void **state)
{
	char buf[64];

	(void)state;
	pair(SOCK_STREAM);
	assert_int_equal(put(&a, "one"), 3);
	assert_int_equal(put(&a, "two"), 3);
	assert_int_equal(get(&b, buf, 2, 0), 2);
	assert_int_equal(get(&b, buf, 64, MSG_PEEK), 4);
	assert_int_equal(get(&b, buf, 64, 0), 4);
	assert_memory_equal(buf, "etwo", 4);
	assert_int_equal(get(&b, buf, 64, 0), -EAGAIN);
	drop(&a);
	assert_int_equal(get(&b, buf, 64, 0), 0);
	assert_int_equal(put(&b, "x"), -EPIPE);
	drop(&b);
}

/* A buffer that is full says so, and tells when it has room again. */
static bool woken;

static bool on_wake(struct poll_entry *pe, uint32_t events)
{
	woken |= (events & pe->events) != 0;
	return true;
}

static void room_is_told(uint32_t band)
{
	static char big[1 << 20];
	struct poll_entry pe;
	long sent, got = 0, r;

	pair(SOCK_STREAM);
	sent = move(&a, big, sizeof(big), 0, 0, true);
	assert_true(sent > 100000 && sent < (long)sizeof(big));
	assert_int_equal(move(&a, big, 1, 0, 0, true), -EAGAIN);
	poll_entry_init(&pe, on_wake);
	pe.events = band;
	woken = false;
	assert_false(a.ops->poll(&a, &pe) & band);
	while ((r = get(&b, big, 50000, 0)) > 0)
		got += r;
	assert_int_equal(got, sent);
	assert_true(woken);
	assert_true(a.ops->poll(&a, NULL) & band);
	poll_entry_remove(&pe);
	drop_pair();
}

static void a_full_stream_makes_room(void **state)
{
	(void)state;
	room_is_told(EPOLLOUT);
	room_is_told(EPOLLWRNORM);
	room_is_told(EPOLLWRBAND);
}

static void packets_keep_their_bounds(void **state)
{
	char buf[64];

	(void)state;
	pair(SOCK_SEQPACKET);
	assert_int_equal(put(&a, "first"), 5);
	assert_int_equal(put(&a, "second"), 6);
	assert_int_equal(get(&b, buf, 3, 0), 3);
	assert_true(msg.flags & MSG_TRUNC);
	assert_int_equal(get(&b, buf, 64, 0), 6);
	assert_false(msg.flags & MSG_TRUNC);
	drop(&a);
	assert_int_equal(get(&b, buf, 64, 0), 0);
	drop(&b);
}

static void listen_connect_accept(void **state)
{
	struct sockaddr_any sa;
	unsigned n = name(&sa, "srv");
	struct socket s = { 0 }, *sp = &s;
	char buf[8];

	(void)state;
	assert_int_equal(make(&a, SOCK_STREAM), 0);
	assert_int_equal(a.ops->connect(&a, &sa, n, true), -ECONNREFUSED);
	assert_int_equal(make(&l, SOCK_STREAM), 0);
	assert_int_equal(l.ops->listen(&l, 0), -EINVAL);
	assert_int_equal(l.ops->bind(&l, &sa, n), 0);
	assert_int_equal(l.ops->listen(&l, 0), 0);
	assert_int_equal(make(&b, SOCK_STREAM), 0);
	assert_int_equal(b.ops->bind(&b, &sa, n), -EADDRINUSE);
	assert_int_equal(l.ops->accept(&l, &sp, true), -EAGAIN);
	assert_int_equal(a.ops->connect(&a, &sa, n, true), 0);
	assert_int_equal(a.ops->connect(&a, &sa, n, true), -EISCONN);
	assert_int_equal(b.ops->connect(&b, &sa, n, true), -EAGAIN);
	assert_int_equal(put(&a, "early"), 5);
	assert_int_equal(l.ops->accept(&l, &sp, true), 0);
	assert_int_equal(get(&s, buf, 8, 0), 5);
	assert_int_equal(b.ops->connect(&b, &sa, n, true), 0);
	drop(&l); /* (b) was not accepted */
	assert_int_equal(get(&b, buf, 8, 0), -ECONNRESET);
	assert_int_equal(get(&b, buf, 8, 0), 0);
	drop(&s);
	drop_pair();
}

/* --- descriptors ------------------------------------------------------- */

struct cmsg {
	size_t len;
	int level, type;
	int fd[8];
};

static size_t fds_control(int n, int first)
{
	struct cmsg c = { 16 + (size_t)n * sizeof(int), SOL_SOCKET, SCM_RIGHTS,
		{ 0 } };

	for (int i = 0; i < n; i++)
		c.fd[i] = first + i;
	memcpy(control, &c, sizeof(c));
	return c.len;
}

static struct fake_file ff[3];

static void three_files(void)
{
	for (int i = 0; i < 3; i++) {
		fake_file_init(&ff[i]);
		assert_int_equal(fd_of(ff[i].file), i);
	}
}

static void descriptors_travel(void **state)
{
	char buf[8];
	struct cmsg c;

	(void)state;
	three_files();
	pair(SOCK_STREAM);
	assert_int_equal(move(&a, "x", 1, 0, fds_control(3, 0), true), 1);
	for (int i = 0; i < 3; i++)
		fd_close(i);
	/* Two have room: the third is closed. */
	assert_int_equal(move(&b, buf, 8, 0, 16 + 8, false), 1);
	assert_true(msg.flags & MSG_CTRUNC);
	memcpy(&c, control, sizeof(c));
	assert_int_equal(c.len, 16 + 8);
	assert_ptr_equal(fd_get(c.fd[0]), ff[0].file);
	file_put(ff[0].file);
	assert_int_equal(ff[2].released, 1);
	assert_int_equal(ff[1].released, 0);
	fd_close(c.fd[1]);
	assert_int_equal(ff[1].released, 1);
	drop_pair();
}

static void undelivered_descriptors_are_closed(void **state)
{
	(void)state;
	three_files();
	pair(SOCK_DGRAM);
	assert_int_equal(move(&a, "x", 1, 0, fds_control(2, 0), true), 1);
	assert_int_equal(move(&a, "x", 1, 0, fds_control(2, 2), true), -EBADF);
	fd_close_all(thread_self()->files);
	assert_int_equal(ff[0].released, 0);
	assert_int_equal(ff[2].released, 1);
	drop(&b);
	assert_int_equal(ff[0].released, 1);
	drop(&a);
}

static void bad_control_is_refused(void **state)
{
	struct cmsg c = { 15, SOL_SOCKET, SCM_RIGHTS, { 0 } };

	(void)state;
	three_files();
	pair(SOCK_STREAM);
	memcpy(control, &c, sizeof(c));
	assert_int_equal(move(&a, "x", 1, 0, 20, true), -EINVAL);
	c.len = 21; /* more than there is */
	memcpy(control, &c, sizeof(c));
	assert_int_equal(move(&a, "x", 1, 0, 20, true), -EINVAL);
	c.len = 18; /* half a descriptor */
	memcpy(control, &c, sizeof(c));
	assert_int_equal(move(&a, "x", 1, 0, 20, true), -EINVAL);
	c = (struct cmsg){ 20, SOL_SOCKET, 99, { 0 } };
	memcpy(control, &c, sizeof(c));
	assert_int_equal(move(&a, "x", 1, 0, 20, true), -EINVAL);
	c = (struct cmsg){ (size_t)-1, SOL_SOCKET, SCM_RIGHTS, { 0 } };
	memcpy(control, &c, sizeof(c));
	assert_int_equal(move(&a, "x", 1, 0, 20, true), -EINVAL);
	/* Too short for a header: nothing is there. */
	assert_int_equal(move(&a, "x", 1, 0, 15, true), 1);
	drop_pair();
}

/* Never inside each other: the file's release drops sockets in turn. */
static struct socket chain[2][300];

static void chain_release(struct file *f)
{
	static unsigned depth;
	struct socket *s = f->priv;

	assert_int_equal(depth++, 0);
	s->ops->release(s);
	depth--;
}

static const struct file_ops chain_ops = { .release = chain_release };

static void chain_link(struct socket *to, struct socket *in)
{
	int fd = fd_of(file_new(&chain_ops, O_RDWR, in));

	a = *to;
	assert_int_equal(move(&a, "x", 1, 0, fds_control(1, fd), true), 1);
	assert_int_equal(fd_close(fd), 0);
}

static void a_chain_of_sockets_in_sockets(void **state)
{
	(void)state;
	for (int i = 0; i < 300; i++) {
		pair(SOCK_STREAM);
		chain[0][i] = a;
		chain[1][i] = b;
		if (i > 0) {
			/* Both ends of the one before, in this one's queue. */
			chain_link(&chain[0][i], &chain[0][i - 1]);
			chain_link(&chain[0][i], &chain[1][i - 1]);
		}
	}
	drop(&chain[0][299]);
	drop(&chain[1][299]);
}

/* --- memory ------------------------------------------------------------ */

static long exchange(void)
{
	struct sockaddr_any sa;
	unsigned n = name(&sa, "mem");
	long r = a.ops->connect(&a, &sa, n, true);

	if (r && r != -EISCONN)
		return r;
	return move(&a, "x", 1, 0, fds_control(1, 0), true);
}

static void memory_may_run_out(void **state)
{
	struct sockaddr_any sa;
	unsigned n = name(&sa, "mem");
	struct socket s = { 0 }, *sp = &s;
	char buf[8];
	long i;

	(void)state;
	three_files();
	for (i = 1;; i++) {
		fake_mm_fail_nth(i);
		if (make(&l, SOCK_STREAM) == 0)
			break;
	}
	assert_true(i > 1);
	fake_mm_fail_nth(0);
	assert_int_equal(make(&a, SOCK_STREAM), 0);
	assert_int_equal(l.ops->bind(&l, &sa, n), 0);
	assert_int_equal(l.ops->listen(&l, 5), 0);
	for (i = 1;; i++) {
		fake_mm_fail_nth(i);
		if (exchange() == 1 && !fake_mm_failed())
			break;
	}
	assert_true(i > 2);
	fake_mm_fail_nth(0);
	assert_int_equal(l.ops->accept(&l, &sp, true), 0);
	/* Descriptors that there is no memory for are lost, and said so. */
	fake_mm_fail_nth(1);
	assert_int_equal(move(&s, buf, 8, 0, 64, false), 1);
	assert_true(msg.flags & MSG_CTRUNC);
	drop(&s);
	drop(&l);
	drop(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_TEST(streams_join_and_split),
		FILES_TEST(a_full_stream_makes_room),
		FILES_TEST(packets_keep_their_bounds),
		FILES_TEST(listen_connect_accept),
		FILES_TEST(descriptors_travel),
		FILES_TEST(undelivered_descriptors_are_closed),
		FILES_TEST(bad_control_is_refused),
		FILES_TEST(a_chain_of_sockets_in_sockets),
		FILES_TEST(memory_may_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
