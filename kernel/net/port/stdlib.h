#ifndef NET_PORT_STDLIB_H
#define NET_PORT_STDLIB_H

/* lwIP includes the C library's name; it needs these three. */

#include <stddef.h>

#include "kern/mm.h"
#include "kern/string.h"

static inline int atoi(const char *s)
{
	return (int)strtoul(s, NULL, 10);
}

#endif /* NET_PORT_STDLIB_H */
