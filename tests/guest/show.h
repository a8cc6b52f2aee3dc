/* For guest tests: print what a call answered, and the same on every run. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

static inline long show(const char *what, long r)
{
	printf("%s: %ld%s%s\n", what, r, r == -1 ? " " : "",
	    r == -1 ? strerror(errno) : "");
	return r;
}
#define SHOW(x) show(#x, (errno = 0, (long)(x)))

/* For a result whose value is not the point. */
static inline long good_(const char *what, long r)
{
	printf("%s: %s\n", what, r >= 0 ? "ok" : strerror(errno));
	return r;
}
#define GOOD(x) good_(#x, (long)(x))
