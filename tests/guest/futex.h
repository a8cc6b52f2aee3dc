/* For guest tests: the call itself, which the C library does not offer. */
#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline long futex(uint32_t *w, int op, uint32_t val, const void *t,
    uint32_t *w2, uint32_t val3)
{
	return syscall(SYS_futex, w, op, val, t, w2, val3);
}
