#include <stdbool.h>

#include "erofs.h"

#include "kern/errno.h"
#include "kern/num.h"
#include "kern/string.h"

/* LZ4's block format, from its doc/lz4_Block_format.md. */

#define LZ4_MATCH_MIN 4u

struct lz4 {
	const uint8_t *src;
	size_t n, in;
	uint8_t *dst;
	size_t need, out;
};

/* A length of 15 goes on in the following bytes, until one is not 255. */
static bool lz4_length(struct lz4 *z, size_t *len)
{
	uint8_t b;

	if (*len < 15)
		return true;
	do {
		if (z->in == z->n)
			return false;
		b = z->src[z->in++];
		*len += b;
	} while (b == 255);
	return true;
}

static bool lz4_literals(struct lz4 *z, size_t len)
{
	if (!lz4_length(z, &len))
		return false;
	len = MIN(len, z->need - z->out);
	if (len > z->n - z->in)
		return false;
	memcpy(z->dst + z->out, z->src + z->in, len);
	z->in += len;
	z->out += len;
	return true;
}

/* Source and destination may overlap: what was just written is repeated. */
static void lz4_repeat(uint8_t *dst, size_t distance, size_t len)
{
	while (len > 0) {
		size_t n = MIN(len, distance);

		memcpy(dst, dst - distance, n);
		dst += n;
		len -= n;
		distance += n;
	}
}

static bool lz4_match(struct lz4 *z, size_t len)
{
	size_t distance;

	if (z->n - z->in < 2)
		return false;
	distance = z->src[z->in] | (size_t)z->src[z->in + 1] << 8;
	z->in += 2;
	if (distance == 0 || distance > z->out || !lz4_length(z, &len))
		return false;
	len = MIN(len + LZ4_MATCH_MIN, z->need - z->out);
	lz4_repeat(z->dst + z->out, distance, len);
	z->out += len;
	return true;
}

int lz4_decode(const uint8_t *src, size_t n, uint8_t *dst, size_t need)
{
	struct lz4 z = { .src = src, .n = n, .dst = dst, .need = need };

	while (z.out < z.need) {
		uint8_t token;

		if (z.in == z.n)
			return -EIO;
		token = z.src[z.in++];
		if (!lz4_literals(&z, token >> 4))
			return -EIO;
		if (z.out < z.need && !lz4_match(&z, token & 15))
			return -EIO;
	}
	return 0;
}
