#ifndef LWIP_ARCH_CC_H
#define LWIP_ARCH_CC_H

/* What lwIP asks of the compiler and the machine.  Used by lwIP's own files
 * and by kernel/net/. */

#include <stddef.h>
#include <stdint.h>

#include "kern/panic.h"
#include "kern/rand.h"

#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_LIMITS_H   1
#define LWIP_NO_UNISTD_H   1
#define LWIP_NO_CTYPE_H    1

#define INT_MAX            0x7fffffff

#define X8_F               "02x"
#define U16_F              "u"
#define S16_F              "d"
#define X16_F              "x"
#define U32_F              "u"
#define S32_F              "d"
#define X32_F              "x"
#define SZT_F              "zu"

#define BYTE_ORDER         1234
#define LITTLE_ENDIAN      1234
#define BIG_ENDIAN         4321

#define LWIP_RAND()        ((uint32_t)rand_u64())

/* Its invariants are ours: what a peer sends never reaches an assertion. */
#define LWIP_PLATFORM_DIAG(x)   ((void)0)
#define LWIP_PLATFORM_ASSERT(x) panic("lwip: %s", x)

#endif /* LWIP_ARCH_CC_H */
