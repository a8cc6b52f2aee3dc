/* For guest tests that eat memory. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define MIB (1ul << 20)

/* It may be more than there is: nothing is reserved for it. */
static inline void *map(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		perror("mmap"), exit(1);
	return p;
}
