#include "inet_opt_fixture.h"

#include "kern/num.h"
#include "kern/percpu.h"
#include "kernel/net/inet_mcast.h"

/* --- the rest of the room ------------------------------------------------ */

struct inet_opt_calls calls;
static bool locked;

void net_lock(void)
{
	assert_false(locked);
	locked = true;
}

void net_unlock(void)
{
	assert_true(locked);
	locked = false;
}

void inet_tcp_apply(struct inet_sock *s)
{
	assert_true(locked && s->kind == INET_TCP);
	calls.applied++;
}

void inet_dgram_apply(struct inet_sock *s)
{
	assert_true(locked && s->kind != INET_TCP);
	calls.applied++;
}

void inet_tcp_push(struct inet_sock *s)
{
	assert_true(locked && s->kind == INET_TCP);
	calls.push++;
}

void inet_chan_drain(struct inet_sock *s)
{
	assert_true(locked);
	calls.drain++;
}

int inet_take_error(struct inet_sock *s)
{
	int err = -calls.error;

	assert_true(locked);
	calls.error = 0;
	return err;
}

int inet_mcast_set4(struct inet_sock *s, int opt, const void *p, unsigned len)
{
	assert_true(locked);
	calls.mcast4++;
	return len == 3 ? -EADDRINUSE : 0;
}

int inet_mcast_set6(struct inet_sock *s, int opt, const void *p, unsigned len)
{
	assert_true(locked);
	calls.mcast6++;
	return len == 3 ? -EADDRINUSE : 0;
}

static struct cpu this_cpu = { .self = &this_cpu, .id = 5 };

struct cpu *cpu_self(void)
{
	return &this_cpu;
}

/* --- one socket at a time ------------------------------------------------ */

struct inet_sock sk;
static struct socket so = { .priv = &sk };
struct tcp_pcb pcb;

void make(unsigned kind)
{
	memset(&sk, 0, sizeof(sk));
	memset(&pcb, 0, sizeof(pcb));
	memset(&calls, 0, sizeof(calls));
	sk.so = &so;
	sk.domain = kind & V6 ? AF_INET6 : AF_INET;
	sk.kind = kind & TCP ? INET_TCP : kind & RAW ? INET_RAW : INET_UDP;
	if (sk.kind == INET_TCP)
		sk.tcp.pcb = &pcb;
	inet_opts_init(&sk.opt, sk.kind);
}

int set_len(int level, int opt, const void *p, unsigned len)
{
	struct inet_opts before = sk.opt;
	unsigned applied = calls.applied;
	/* Of its exact size: reading past its end is caught. */
	char copy[MAX(len, 1u)];
	int err;

	memcpy(copy, p, len);
	err = inet_setsockopt(&so, level, opt, copy, len);
	assert_false(locked);
	applied = calls.applied - applied;
	assert_int_equal(applied, err ? 0 : 1);
	if (err)
		assert_memory_equal(&before, &sk.opt, sizeof(before));
	return err;
}

int set(int level, int opt, int v)
{
	return set_len(level, opt, &v, sizeof(v));
}

int get_len(int level, int opt, void *p, unsigned room)
{
	unsigned len = room;
	int err = inet_getsockopt(&so, level, opt, p, &len);

	assert_false(locked);
	assert_true(len <= room);
	return err ? err : (int)len;
}

int get(int level, int opt)
{
	int v[2] = { -77, -77 };

	assert_int_equal(get_len(level, opt, v, sizeof(v)), sizeof(v[0]));
	assert_int_equal(v[1], -77);
	return v[0];
}

int cannot_get(int level, int opt)
{
	char buf[256];

	return get_len(level, opt, buf, sizeof(buf));
}
