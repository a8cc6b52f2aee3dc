#ifndef KERN_NUM_H
#define KERN_NUM_H

/* Arithmetic that every room needs: rounding, checked sums, byte order. */

#include <stdbool.h>
#include <stdint.h>

/* Each operand is evaluated once: another domain may write what it reads. */
#define MIN(a, b) NUM_PICK(<, a, b, __COUNTER__)
#define MAX(a, b) NUM_PICK(>, a, b, __COUNTER__)

/* The names differ each time: one may stand in another's operand. */
#define NUM_PICK(op, a, b, n) NUM_PICK_(op, a, b, n)
#define NUM_PICK_(op, a, b, n)                              \
	({                                                  \
		__auto_type num_a##n = (a);                 \
		__auto_type num_b##n = (b);                 \
		num_a##n op num_b##n ? num_a##n : num_b##n; \
	})

/* (n) must be a power of two. */
#define ALIGN_DOWN(x, n) ((x) & ~((__typeof__(x))(n)-1))
#define ALIGN_UP(x, n)   ALIGN_DOWN((x) + ((__typeof__(x))(n)-1), n)
#define IS_ALIGNED(x, n) (((x) & ((__typeof__(x))(n)-1)) == 0)
#define IS_POW2(x)       ((x) != 0 && ((x) & ((x)-1)) == 0)

/* True when the result does not fit; *(r) is then not to be used. */
#define add_overflow(a, b, r) __builtin_add_overflow(a, b, r)
#define mul_overflow(a, b, r) __builtin_mul_overflow(a, b, r)

/* Is [off, off + len) inside [0, size)?  Never overflows. */
static inline bool range_ok(uint64_t off, uint64_t len, uint64_t size)
{
	return off <= size && len <= size - off;
}

/* Floor of log2; (x) must not be 0. */
static inline unsigned ilog2(uint64_t x)
{
	return 63u - (unsigned)__builtin_clzll(x);
}

static inline uint16_t bswap16(uint16_t x)
{
	return __builtin_bswap16(x);
}

static inline uint32_t bswap32(uint32_t x)
{
	return __builtin_bswap32(x);
}

#define be16(x) bswap16(x) /* host <-> big endian: x86 is little endian */
#define be32(x) bswap32(x)

#endif /* KERN_NUM_H */
