#ifndef KERN_LOG_H
#define KERN_LOG_H

/*
 * The kernel's log: a ring that /dev/kmsg and a panic show, and the consoles
 * for what is at or above the console level (warnings; everything with
 * --verbose).  A line needs no newline; consoles put "osv: " before it, or the
 * time with --verbose.  Any context.  kernel/base/log.c
 */

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"

enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_write(enum log_level, const char *fmt, ...) PRINTF_LIKE(2, 3);
void log_set_console_level(enum log_level);
/* Boot: the consoles work from now on; shows what was logged before. */
void log_console_start(void);

/* Copy up to (n) bytes of the log's tail to (buf); returns the bytes copied. */
size_t log_read(char *buf, size_t n);

#define log_err(...)   log_write(LOG_ERR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

/* The first time only, for each place in the source. */
#define log_once(level, ...)                                                \
	do {                                                                \
		static bool logged_;                                        \
		if (!__atomic_exchange_n(&logged_, true, __ATOMIC_RELAXED)) \
			log_write(level, __VA_ARGS__);                      \
	} while (0)

#endif /* KERN_LOG_H */
