/* For guest tests: print what a call answered, and the same on every run. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

static inline long show_(const char *what, long r)
{
	if (r == -1)
		printf("%s = -1 %s\n", what, strerrorname_np(errno));
	else
		printf("%s = %ld\n", what, r);
	return r;
}
#define SHOW(x) show_(#x, (errno = 0, (long)(x)))

/* For a result whose value is not the point. */
static inline long good_(const char *what, long r)
{
	printf("%s: %s\n", what, r >= 0 ? "ok" : strerrorname_np(errno));
	return r;
}
#define GOOD(x) good_(#x, (long)(x))
