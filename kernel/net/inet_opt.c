/*
 * Options of inet sockets, with Linux's numbers, defaults and odd rules
 * (buffer sizes are doubled; see socket(7), ip(7), ipv6(7), tcp(7)).
 * Which there are says inet_opt_table.c; here is what all have in common.
 */

#include "inet_opt.h"

#include "kern/num.h"
#include "kern/sockopt.h"
#include "kern/string.h"

void inet_opts_init(struct inet_opts *o, enum inet_kind kind)
{
	bool tcp = kind == INET_TCP;

	memset(o, 0, sizeof(*o));
	o->ttl = 64;
	o->mcast_ttl = 1;
	o->mcast_loop = true;
	o->rcvbuf = tcp ? TCP_WND : INET_DGRAMBUF;
	o->sndbuf = tcp ? TCP_SND_BUF / 2 : INET_DGRAMBUF;
	o->rcvlowat = 1;
	o->keepidle = 7200;
	o->keepintvl = 75;
	o->keepcnt = 9;
	o->syncnt = 6;
	o->quickack = true;
	o->rcvtimeo = o->sndtimeo = TIME_NEVER;
}

static const struct inet_option *find_option(
    const struct inet_level *l, int opt)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->opts[i].opt == opt)
			return &l->opts[i];
	return NULL;
}

/* --- setting ------------------------------------------------------------- */

static void *field_of(struct inet_sock *s, const struct inet_option *o)
{
	return (char *)&s->opt + o->off;
}

static void store(void *field, enum inet_opt_kind kind, int v)
{
	if (kind == OPT_FLAG)
		*(bool *)field = v != 0;
	else if (kind == OPT_U8)
		*(uint8_t *)field = (uint8_t)v;
	else if (kind == OPT_INT)
		*(int *)field = v;
}

static int set_int(struct inet_sock *s, const struct inet_option *o, int v)
{
	int err;

	if (v == -1 && o->minus_one)
		v = o->minus_one;
	if (o->max && (v < o->min || v > o->max))
		return -EINVAL;
	err = o->check ? o->check(s, &v) : 0;
	if (err)
		return err;
	store(field_of(s, o), o->kind, v);
	if (o->then)
		o->then(s, v);
	return 0;
}

static int set_option(struct inet_sock *s, const struct inet_level *l, int opt,
    const void *p, unsigned len)
{
	const struct inet_option *o = find_option(l, opt);
	int v;

	if (o && o->set)
		return o->set(s, opt, p, len);
	if (o && o->kind == OPT_TIME)
		return sockopt_get_timeout(p, len, field_of(s, o));
	if (len < l->min_len)
		return -EINVAL;
	if (!o || o->kind == OPT_ODD || o->kind == OPT_FIXED)
		return -ENOPROTOOPT;
	/* What is shorter than an int is a byte. */
	if (sockopt_get_int(p, len, &v))
		v = *(const uint8_t *)p;
	return set_int(s, o, v);
}

static void apply(struct inet_sock *s)
{
	if (s->kind == INET_TCP)
		inet_tcp_apply(s);
	else
		inet_dgram_apply(s);
}

int inet_setsockopt(
    struct socket *so, int level, int opt, const void *p, unsigned len)
{
	struct inet_sock *s = inet_of(so);
	const struct inet_level *l = inet_opt_level(s, level);
	int err;

	if (!l)
		return -ENOPROTOOPT;
	net_lock();
	err = set_option(s, l, opt, p, len);
	if (!err)
		apply(s);
	net_unlock();
	return err;
}

/* --- getting ------------------------------------------------------------- */

static int get_option(struct inet_sock *s, const struct inet_level *l, int opt,
    void *p, unsigned *len)
{
	const struct inet_option *o = find_option(l, opt);
	const void *field;

	if (!o)
		return -ENOPROTOOPT;
	if (o->get)
		return o->get(s, p, len);
	field = field_of(s, o);
	switch (o->kind) {
	case OPT_FLAG:
		return sockopt_put_int(*(const bool *)field, p, len);
	case OPT_U8:
		return sockopt_put_int(*(const uint8_t *)field, p, len);
	case OPT_INT:
		return sockopt_put_int(*(const int *)field, p, len);
	case OPT_TIME:
		return sockopt_put_timeout(*(const uint64_t *)field, p, len);
	case OPT_IGNORED:
	case OPT_FIXED:
		return sockopt_put_int(o->answer, p, len);
	default:
		return -ENOPROTOOPT;
	}
}

int inet_getsockopt(
    struct socket *so, int level, int opt, void *p, unsigned *len)
{
	struct inet_sock *s = inet_of(so);
	const struct inet_level *l = inet_opt_level(s, level);
	int err;

	if (!l)
		return -ENOPROTOOPT;
	net_lock();
	err = get_option(s, l, opt, p, len);
	net_unlock();
	return err;
}
