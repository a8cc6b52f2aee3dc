#include "kern/compiler.h"
#include "kern/num.h"
#include "kern/string.h"
#include "xencons_int.h"

#define OUT_SIZE ((uint32_t)sizeof(((struct xencons_ring *)0)->out))
#define IN_SIZE  ((uint32_t)sizeof(((struct xencons_ring *)0)->in))

size_t xencons_buf_put(struct xencons_buf *b, const char *s, size_t n)
{
	n = MIN(n, xencons_buf_room(b));
	for (size_t i = 0; i < n; i++)
		b->data[b->prod++ & (XENCONS_BUF - 1)] = s[i];
	return n;
}

/* Bytes that the other end has not read; more than there are is a lie. */
static uint32_t out_used(const struct xencons_ring *r, uint32_t prod)
{
	uint32_t cons = __atomic_load_n(&r->out_cons, __ATOMIC_ACQUIRE);

	return MIN(prod - cons, OUT_SIZE);
}

size_t xencons_push(struct xencons_ring *r, struct xencons_buf *b)
{
	uint32_t prod = r->out_prod; /* only we write it */
	uint32_t n = MIN(b->prod - b->cons, OUT_SIZE - out_used(r, prod));

	for (uint32_t i = 0; i < n; i++)
		r->out[prod++ & (OUT_SIZE - 1)] =
		    b->data[b->cons++ & (XENCONS_BUF - 1)];
	if (n != 0)
		__atomic_store_n(&r->out_prod, prod, __ATOMIC_RELEASE);
	/* Shown before the caller decides whether to wait for an event. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return n;
}

size_t xencons_pull(struct xencons_ring *r, char *buf, size_t n)
{
	uint32_t cons = r->in_cons; /* only we write it */
	uint32_t prod = __atomic_load_n(&r->in_prod, __ATOMIC_ACQUIRE);
	size_t got = 0;

	if (prod - cons > IN_SIZE)
		cons = prod; /* a lie: there is no telling what is input */
	while (got < n && cons != prod)
		buf[got++] = READ_ONCE(r->in[cons++ & (IN_SIZE - 1)]);
	__atomic_store_n(&r->in_cons, cons, __ATOMIC_RELEASE);
	return got;
}

bool xencons_readable(const struct xencons_ring *r)
{
	return READ_ONCE(r->in_prod) != r->in_cons;
}

size_t xencons_unread(const struct xencons_ring *r, const struct xencons_buf *b)
{
	return out_used(r, r->out_prod) + (b->prod - b->cons);
}
