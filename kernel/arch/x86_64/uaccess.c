/* The program's memory, for the rest of the kernel; copying: usercopy.S. */

#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/num.h"
#include "kern/sched.h"

#include "arch_int.h"
#include "extable.h"

size_t user_clear(void *dst, size_t n);

int clear_user(void *user_dst, size_t n)
{
	if (!user_range_ok(user_dst, n) || user_clear(user_dst, n))
		return -EFAULT;
	return 0;
}

/* 0 or -EFAULT; (p) may be anything. */
static int load8(const char *p, char *out)
{
	int err = 0;
	char v;

	__asm__ volatile("1: movb %2, %1\n"
			 "jmp 3f\n"
			 "2: movl %3, %0\n"
			 "3:\n" EXTABLE("1b", "2b")
			 : "+r"(err), "=&q"(v)
			 : "m"(*p), "i"(-EFAULT));
	*out = v;
	return err;
}

static int load64(const uint64_t *p, uint64_t *out)
{
	int err = 0;
	uint64_t v;

	__asm__ volatile("1: movq %2, %1\n"
			 "jmp 3f\n"
			 "2: movl %3, %0\n"
			 "3:\n" EXTABLE("1b", "2b")
			 : "+r"(err), "=&r"(v)
			 : "m"(*p), "i"(-EFAULT));
	*out = v;
	return err;
}

/* Has any of the bytes of (w) the value 0? */
static bool has_nul(uint64_t w)
{
	return (w - 0x0101010101010101ull) & ~w & 0x8080808080808080ull;
}

/* A word at a time once aligned: an aligned word is in one page. */
long strncpy_from_user(char *dst, const char *user_src, size_t n)
{
	size_t i = 0;

	while (i < n) {
		const char *p = user_src + i;
		uint64_t w;

		if (!user_range_ok(p, 1))
			return -EFAULT;
		if (IS_ALIGNED((uintptr_t)p, 8) && n - i >= 8) {
			if (load64((const uint64_t *)(const void *)p, &w))
				return -EFAULT;
			if (!has_nul(w)) {
				__builtin_memcpy(dst + i, &w, 8);
				i += 8;
				continue;
			}
		}
		if (load8(p, &dst[i]))
			return -EFAULT;
		if (!dst[i])
			return (long)i;
		i++;
	}
	return -ENAMETOOLONG;
}

int user_load32(const uint32_t *user, uint32_t *out)
{
	int err = 0;
	uint32_t v;

	if (!user_range_ok(user, sizeof(*user)))
		return -EFAULT;
	__asm__ volatile("1: movl %2, %1\n"
			 "jmp 3f\n"
			 "2: movl %3, %0\n"
			 "3:\n" EXTABLE("1b", "2b")
			 : "+r"(err), "=&r"(v)
			 : "m"(*user), "i"(-EFAULT));
	*out = v;
	return err;
}

int user_store32(uint32_t *user, uint32_t v)
{
	int err = 0;

	if (!user_range_ok(user, sizeof(*user)))
		return -EFAULT;
	__asm__ volatile("1: movl %2, %1\n"
			 "jmp 3f\n"
			 "2: movl %3, %0\n"
			 "3:\n" EXTABLE("1b", "2b")
			 : "+r"(err), "=m"(*user)
			 : "r"(v), "i"(-EFAULT));
	return err;
}

int user_cmpxchg32(uint32_t *user, uint32_t old, uint32_t new, uint32_t *out)
{
	int err = 0;

	if (!user_range_ok(user, sizeof(*user)))
		return -EFAULT;
	__asm__ volatile("1: lock cmpxchgl %3, %2\n"
			 "jmp 3f\n"
			 "2: movl %4, %0\n"
			 "3:\n" EXTABLE("1b", "2b")
			 : "+r"(err), "+a"(old), "+m"(*user)
			 : "r"(new), "i"(-EFAULT)
			 : "cc", "memory");
	*out = old;
	return err;
}

int arch_probe64(const void *addr, uint64_t *out)
{
	uintptr_t a = (uintptr_t)addr;

	return IS_ALIGNED(a, 8) ? load64(addr, out) : -EFAULT;
}
