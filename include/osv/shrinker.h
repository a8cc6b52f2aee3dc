#ifndef OSV_SHRINKER_H
#define OSV_SHRINKER_H

/*
 * For programs: give memory back when the machine runs short.  shrinker(4)
 *
 * A program that keeps what it could do without (a cache, pools) starts a
 * thread that calls osv_shrinker_serve().  Nothing but a C library is needed;
 * elsewhere than on osv the call fails with ENOENT.
 */

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OSV_SHRINKER_DEVICE "/dev/shrinker"
#define OSV_SHRINKER_LINE   32 /* room for a request or an answer */

/*
 * Called for each request, in the thread that serves: free about (target)
 * bytes, by munmap(), madvise(MADV_DONTNEED) or a free() that does so, and
 * return how many it were.  (hard): somebody waits for it, and is told that
 * there is no memory if nothing comes.
 */
typedef size_t (*osv_shrinker_fn)(size_t target, int hard);

/*
 * Serve until there is an error: returns -1 with errno set.  (name) is at most
 * 31 printable characters without blanks; it shows up in the kernel's reports.
 */
static inline int osv_shrinker_serve(const char *name, osv_shrinker_fn fn)
{
	char line[OSV_SHRINKER_LINE + 1];
	int fd = open(OSV_SHRINKER_DEVICE, O_RDWR | O_CLOEXEC), saved;
	ssize_t n = fd < 0 ? -1 : write(fd, name, strlen(name));

	while (n >= 0 || errno == EINTR) {
		int len;

		n = read(fd, line, OSV_SHRINKER_LINE);
		if (n < 6)
			continue;
		line[n] = '\0';
		len = snprintf(line, sizeof(line), "%zu",
		    fn(strtoul(line + 5, NULL, 10), line[0] == 'h'));
		n = write(fd, line, (size_t)len);
	}
	saved = errno;
	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}

#endif /* OSV_SHRINKER_H */
