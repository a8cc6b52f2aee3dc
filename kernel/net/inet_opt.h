#ifndef NET_INET_OPT_H
#define NET_INET_OPT_H

/*
 * How an option of inet sockets is described.  inet_opt_table.c: which there
 * are; inet_opt.c: how they are set and got.  Their functions are called with
 * the core lock held.
 */

#include "inet_int.h"

enum inet_opt_kind {
	OPT_ODD,     /* it can do what it has functions for */
	OPT_FLAG,    /* a bool in struct inet_opts */
	OPT_U8,      /* there, a uint8_t */
	OPT_INT,     /* there, an int or unsigned */
	OPT_TIME,    /* there, a uint64_t of ns; a timeval for the program */
	OPT_IGNORED, /* set: no effect; get: (answer) */
	OPT_DROPPED, /* set: no effect; get: -ENOPROTOOPT */
	OPT_FIXED,   /* set: -ENOPROTOOPT; get: (answer) */
};

struct inet_option {
	int opt;
	enum inet_opt_kind kind;
	unsigned off; /* in struct inet_opts */
	int answer;
	int minus_one; /* what -1 stands for; 0: for itself */
	int min, max;  /* outside: -EINVAL; both 0: any */

	/* Before it is set: refuse *(v), or put another in its place. */
	int (*check)(const struct inet_sock *, int *v);
	/* After it was set. */
	void (*then)(struct inet_sock *, int v);

	/* In place of all that. */
	int (*set)(struct inet_sock *, int opt, const void *, unsigned len);
	int (*get)(struct inet_sock *, void *, unsigned *len);
};

struct inet_level {
	int level;
	bool (*of)(const struct inet_sock *); /* which sockets have it */
	unsigned min_len; /* of what is set without a function, or -EINVAL */
	const struct inet_option *opts;
	unsigned n;
};

/* NULL: (s) has none of that number. */
const struct inet_level *inet_opt_level(const struct inet_sock *s, int level);

#endif /* NET_INET_OPT_H */
