#include <stdbool.h>
#include <string.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "fake_user.h"

static const char *fault_at;
static size_t fault_len;

void fake_user_fault(const void *p, size_t n)
{
	fault_at = p;
	fault_len = n;
}

static bool faults(const void *p, size_t n)
{
	const char *at = p;

	return fault_at && n > 0 && at < fault_at + fault_len &&
	       fault_at < at + n;
}

int copy_to_user(void *to, const void *from, size_t n)
{
	if (faults(to, n))
		return -EFAULT;
	if (n > 0)
		memcpy(to, from, n);
	return 0;
}

int copy_from_user(void *to, const void *from, size_t n)
{
	if (faults(from, n))
		return -EFAULT;
	if (n > 0)
		memcpy(to, from, n);
	return 0;
}

int clear_user(void *to, size_t n)
{
	if (faults(to, n))
		return -EFAULT;
	memset(to, 0, n);
	return 0;
}
