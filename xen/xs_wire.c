#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/num.h"
#include "kern/string.h"
#include "xs_wire.h"

#define RING XENSTORE_RING_SIZE

void xs_ring_init(struct xs_ring *r, struct xenstore_domain_interface *sh)
{
	memset(r, 0, sizeof(*r));
	r->sh = sh;
	/* Somebody may have used the ring before us: a boot loader. */
	r->req_prod = READ_ONCE(sh->req_prod);
	r->rsp_cons = READ_ONCE(sh->rsp_cons);
}

size_t xs_ring_put(struct xs_ring *r, const void *buf, size_t n)
{
	uint32_t cons = __atomic_load_n(&r->sh->req_cons, __ATOMIC_ACQUIRE);
	const char *src = buf;
	uint32_t used = r->req_prod - cons;

	if (used > RING)
		r->broken = true;
	if (r->broken)
		return 0;
	n = MIN(n, (size_t)(RING - used));
	for (size_t i = 0; i < n; i++)
		r->sh->req[MASK_XENSTORE_IDX(r->req_prod++)] = src[i];
	__atomic_store_n(&r->sh->req_prod, r->req_prod, __ATOMIC_RELEASE);
	return n;
}

size_t xs_ring_take(struct xs_ring *r, void *buf, size_t n)
{
	uint32_t prod = __atomic_load_n(&r->sh->rsp_prod, __ATOMIC_ACQUIRE);
	uint32_t old = r->rsp_cons, have = prod - old;
	char *dst = buf;

	if (have > RING)
		r->broken = true;
	if (r->broken)
		return 0;
	n = MIN(n, (size_t)have);
	for (size_t i = 0; i < n; i++) {
		char c =
		    READ_ONCE(r->sh->rsp[MASK_XENSTORE_IDX(r->rsp_cons++)]);

		if (dst)
			dst[i] = c;
	}
	__atomic_store_n(&r->sh->rsp_cons, r->rsp_cons, __ATOMIC_SEQ_CST);
	/* It may have filled the ring before it could see that. */
	prod = __atomic_load_n(&r->sh->rsp_prod, __ATOMIC_SEQ_CST);
	if (prod - old >= RING)
		r->was_full = true;
	return n;
}

bool xs_hdr_ok(const struct xsd_sockmsg *h)
{
	return h->type < XS_TYPE_COUNT && h->len <= XENSTORE_PAYLOAD_MAX;
}

int xs_error(const char *text, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(xsd_errors); i++) {
		const char *name = xsd_errors[i].errstring;
		size_t n = strlen(name);

		if (len >= n && memcmp(text, name, n) == 0 &&
		    (len == n || text[n] == '\0'))
			return -xsd_errors[i].errnum;
	}
	return -EIO;
}

int xs_parse_u64(const char *text, size_t len, uint64_t *out)
{
	uint64_t v = 0;

	/* The daemon's own numbers carry a NUL, other writers' do not. */
	if (len != 0 && text[len - 1] == '\0')
		len--;
	if (len == 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		if (mul_overflow(v, 10u, &v) ||
		    add_overflow(v, (uint64_t)(text[i] - '0'), &v))
			return -EINVAL;
	}
	*out = v;
	return 0;
}

int xs_count_names(const char *text, size_t len)
{
	int n = 0;

	if (len != 0 && text[len - 1] != '\0')
		return -EIO;
	for (size_t i = 0; i < len; i++)
		n += text[i] == '\0';
	return n;
}

int xs_parse_event(
    const char *text, size_t len, const char **path, uint32_t *token)
{
	const char *end = memchr(text, '\0', len);
	const char *tok;
	uint64_t v;
	size_t n;

	if (!end)
		return -EIO;
	tok = end + 1;
	n = len - (size_t)(tok - text);
	if (xs_parse_u64(tok, n, &v) != 0 || v > UINT32_MAX)
		return -EIO;
	*path = text;
	*token = (uint32_t)v;
	return 0;
}
