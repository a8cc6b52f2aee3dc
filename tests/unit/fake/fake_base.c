/* kern/panic.h and kern/log.h: a panic ends the test, nobody reads the log. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "kern/log.h"
#include "kern/panic.h"

void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

void log_write(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}
