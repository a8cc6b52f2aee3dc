/* Options of AF_UNIX sockets: what each takes, refuses, keeps and answers. */

#include "files_fixture.h"

#include "kernel/fs/unix_int.h"

#include <asm/socket.h>

/* No ioctl here. */
struct unix_sock *unix_peer_get(struct unix_sock *u)
{
	abort();
}

void unix_put(struct unix_sock *u)
{
	abort();
}

static struct unix_sock sk;
static struct socket so = { .priv = &sk };

static void make(void)
{
	memset(&sk, 0, sizeof(sk));
	mutex_init(&sk.lock);
	sk.sndbuf = sk.rcvbuf = UNIX_SNDBUF;
	sk.rcvlowat = 1;
	sk.rcvtimeo = sk.sndtimeo = TIME_NEVER;
}

/* What is refused changes nothing. */
static int set_len(int opt, const void *p, unsigned len)
{
	struct unix_sock before = sk;
	char copy[MAX(len, 1u)]; /* reading past its end is caught */
	int err;

	memcpy(copy, p, len);
	err = unix_setsockopt(&so, SOL_SOCKET, opt, copy, len);
	assert_int_equal(fake_locks_held(), 0);
	if (err)
		assert_memory_equal(&before, &sk, sizeof(sk));
	return err;
}

static int set(int opt, int v)
{
	return set_len(opt, &v, sizeof(v));
}

/* Into room for (room) bytes: -errno, or how many there were. */
static int get_len(int opt, void *p, unsigned room)
{
	unsigned len = room;
	int err = unix_getsockopt(&so, SOL_SOCKET, opt, p, &len);

	assert_int_equal(fake_locks_held(), 0);
	assert_true(len <= room);
	return err ? err : (int)len;
}

static int get(int opt)
{
	int v[2] = { -77, -77 };

	assert_int_equal(get_len(opt, v, sizeof(v)), sizeof(v[0]));
	assert_int_equal(v[1], -77);
	return v[0];
}

static int cannot_get(int opt)
{
	char buf[64];

	return get_len(opt, buf, sizeof(buf));
}

/* --- ints ---------------------------------------------------------------- */

/* Taken and forgotten. */
static const struct {
	int opt;
	bool get; /* and answered with 0 */
} ignored[] = {
	{ SO_REUSEADDR, true },
	{ SO_REUSEPORT, true },
	{ SO_KEEPALIVE, true },
	{ SO_BROADCAST, true },
	{ SO_LINGER, false },
	{ SO_DONTROUTE, false },
	{ SO_OOBINLINE, false },
	{ SO_PRIORITY, false },
};
#define NIGNORED (sizeof(ignored) / sizeof(*ignored))

static void test_ignored(void **state)
{
	make();
	for (size_t i = 0; i < NIGNORED; i++) {
		int opt = ignored[i].opt;

		assert_int_equal(set(opt, 1), 0);
		if (ignored[i].get)
			assert_int_equal(get(opt), 0);
		else
			assert_int_equal(cannot_get(opt), -ENOPROTOOPT);
	}
}

static void check_buf(int opt, int force, const size_t *field)
{
	make();
	assert_int_equal(get(opt), 212992);
	assert_int_equal(set(opt, 5000), 0);
	assert_int_equal(get(opt), 10000);
	assert_int_equal(*field, 10000);
	assert_int_equal(set(force, 300000), 0);
	assert_int_equal(get(opt), 2 * 212992);
	assert_int_equal(set(opt, 0), 0);
	assert_int_equal(get(opt), 2304);
	assert_int_equal(set(opt, INT32_MAX), 0);
	assert_int_equal(get(opt), 2 * 212992);
	assert_int_equal(set(force, -1), 0);
	assert_int_equal(get(opt), 2304);
	assert_int_equal(cannot_get(force), -ENOPROTOOPT);
}

static void test_buffers(void **state)
{
	check_buf(SO_RCVBUF, SO_RCVBUFFORCE, &sk.rcvbuf);
	assert_int_equal(sk.sndbuf, UNIX_SNDBUF);
	check_buf(SO_SNDBUF, SO_SNDBUFFORCE, &sk.sndbuf);
	assert_int_equal(sk.rcvbuf, UNIX_SNDBUF);
}

static void test_kept(void **state)
{
	make();
	assert_int_equal(get(SO_PASSCRED), 0);
	assert_int_equal(set(SO_PASSCRED, -1), 0);
	assert_int_equal(get(SO_PASSCRED), 1);
	assert_true(sk.passcred);
	assert_int_equal(get(SO_RCVLOWAT), 1);
	assert_int_equal(set(SO_RCVLOWAT, 9), 0);
	assert_int_equal(get(SO_RCVLOWAT), 9);
	assert_int_equal(set(SO_RCVLOWAT, 0), 0);
	assert_int_equal(get(SO_RCVLOWAT), 1);
	assert_int_equal(set(SO_RCVLOWAT, -9), 0);
	assert_int_equal(get(SO_RCVLOWAT), 1);
}

static void test_read_only(void **state)
{
	make();
	assert_int_equal(get(SO_ACCEPTCONN), 0);
	sk.state = UNIX_LISTENING;
	assert_int_equal(get(SO_ACCEPTCONN), 1);
	assert_int_equal(set(SO_ACCEPTCONN, 1), -ENOPROTOOPT);
	sk.error = ECONNRESET;
	assert_int_equal(set(SO_ERROR, 1), -ENOPROTOOPT);
	assert_int_equal(get(SO_ERROR), ECONNRESET);
	assert_int_equal(get(SO_ERROR), 0);
}

static void test_lengths(void **state)
{
	static const int v[2] = { 1, -1 };

	make();
	for (unsigned len = 0; len < 4; len++) {
		unsigned char got[4] = { 9, 9, 9, 9 };

		assert_int_equal(set_len(SO_PASSCRED, v, len), -EINVAL);
		assert_int_equal(set_len(SO_REUSEADDR, v, len), -EINVAL);
		assert_int_equal(set_len(SO_ERROR, v, len), -EINVAL);
		assert_int_equal(set_len(9999, v, len), -EINVAL);
		assert_int_equal(get_len(SO_PASSCRED, got, len), len);
		assert_true(got[0] == (len ? 0 : 9) && got[3] == 9);
	}
	assert_int_equal(set_len(SO_RCVLOWAT, v, 8), 0);
	assert_int_equal(get(SO_RCVLOWAT), 1);
}

/* --- others -------------------------------------------------------------- */

/* Set (sec, usec): the timeout is (ns), and is read as (as_sec, as_usec). */
static void check_time(int opt, const uint64_t *field, const int64_t set[2],
    uint64_t ns, const int64_t as[2])
{
	int64_t tv[3] = { set[0], set[1], -5 };

	assert_int_equal(set_len(opt, tv, 16), 0);
	assert_true(*field == ns);
	assert_int_equal(get_len(opt, tv, sizeof(tv)), 16);
	assert_memory_equal(tv, as, 16);
	assert_int_equal(tv[2], -5);
	tv[0] = -7;
	assert_int_equal(get_len(opt, tv, 4), 4);
	assert_memory_equal(tv, as, 4);
	assert_int_equal(tv[0] >> 32, -1);
}

static void check_timeout(int opt, const uint64_t *field)
{
	static const int64_t none[2] = { 0, 0 }, tv[][2] = {
		{ 1, 500000 },
		{ 9223372035, 999999 },
		{ 9223372036, 0 },
		{ INT64_MAX, 5 },
		{ -1, 5 },
	};
	static const int64_t bad[][2] = { { 1, -1 }, { 1, 1000000 }, { -1, -1 },
		{ 0, INT64_MAX } };

	make();
	check_time(opt, field, tv[0], 1500000000, tv[0]);
	check_time(opt, field, none, TIME_NEVER, none);
	check_time(opt, field, tv[1], 9223372035999999000, tv[1]);
	check_time(opt, field, tv[2], 9223372036000000000, tv[2]);
	check_time(opt, field, tv[3], TIME_NEVER, none);
	check_time(opt, field, tv[4], 0, none); /* at once */
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(set_len(opt, bad[i], 16), -EDOM);
	for (unsigned len = 0; len < 16; len++)
		assert_int_equal(set_len(opt, bad[0], len), -EINVAL);
}

static void test_timeouts(void **state)
{
	check_timeout(SO_RCVTIMEO_OLD, &sk.rcvtimeo);
	check_timeout(SO_RCVTIMEO_NEW, &sk.rcvtimeo);
	assert_true(sk.sndtimeo == TIME_NEVER);
	check_timeout(SO_SNDTIMEO_OLD, &sk.sndtimeo);
	check_timeout(SO_SNDTIMEO_NEW, &sk.sndtimeo);
	assert_true(sk.rcvtimeo == TIME_NEVER);
}

static void test_peercred(void **state)
{
	static const uint32_t none[3] = { 0, -1u, -1u };
	uint32_t v[4] = { 9, 9, 9, 9 };

	make();
	sk.peer_cred = (struct cred){ 3, 4, 5 };
	assert_int_equal(get_len(SO_PEERCRED, v, sizeof(v)), 12);
	assert_memory_equal(v, none, 12);
	sk.state = UNIX_CONNECTED;
	assert_int_equal(get_len(SO_PEERCRED, v, sizeof(v)), 12);
	assert_memory_equal(v, &sk.peer_cred, 12);
	assert_int_equal(v[3], 9);
	assert_int_equal(get_len(SO_PEERCRED, v, 5), 5);
	assert_int_equal(set(SO_PEERCRED, 1), -ENOPROTOOPT);
}

static void test_no_other(void **state)
{
	static const int also[] = { SO_PASSCRED, SO_RCVLOWAT, SO_RCVBUF,
		SO_SNDBUF, SO_RCVBUFFORCE, SO_SNDBUFFORCE, SO_RCVTIMEO_OLD,
		SO_SNDTIMEO_OLD, SO_RCVTIMEO_NEW, SO_SNDTIMEO_NEW, SO_ERROR,
		SO_ACCEPTCONN, SO_PEERCRED };
	bool known[300] = { false };
	int v = 1;
	unsigned len = sizeof(v);

	make();
	for (size_t i = 0; i < NIGNORED; i++)
		known[ignored[i].opt] = true;
	for (size_t i = 0; i < sizeof(also) / sizeof(*also); i++)
		known[also[i]] = true;
	for (int opt = 0; opt < 300; opt++) {
		if (known[opt])
			continue;
		assert_int_equal(set(opt, 1), -ENOPROTOOPT);
		assert_int_equal(cannot_get(opt), -ENOPROTOOPT);
	}
	assert_int_equal(
	    unix_setsockopt(&so, 6, SO_PASSCRED, &v, len), -EOPNOTSUPP);
	assert_int_equal(
	    unix_getsockopt(&so, 6, SO_PASSCRED, &v, &len), -EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_TEST(test_ignored),
		FILES_TEST(test_buffers),
		FILES_TEST(test_kept),
		FILES_TEST(test_read_only),
		FILES_TEST(test_lengths),
		FILES_TEST(test_timeouts),
		FILES_TEST(test_peercred),
		FILES_TEST(test_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
