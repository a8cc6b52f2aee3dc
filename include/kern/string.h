#ifndef KERN_STRING_H
#define KERN_STRING_H

/*
 * The part of the C library that the kernel uses, under its standard names
 * and with its standard meaning, so that host tests link with the real one.
 * kernel/base/string.c, kernel/base/printf.c
 */

#include <stdarg.h>
#include <stddef.h>

#include "compiler.h"

void *memcpy(void *restrict, const void *restrict, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);
void *memchr(const void *, int, size_t);
size_t strlen(const char *);
size_t strnlen(const char *, size_t);
int strcmp(const char *, const char *);
int strncmp(const char *, const char *, size_t);
char *strchr(const char *, int);
char *strrchr(const char *, int);
char *strstr(const char *, const char *);
unsigned long strtoul(const char *restrict, char **restrict, int);

/* %d %i %u %x %X %o %c %s %p %%; flags, width, precision, hh h l ll z t j */
int snprintf(char *restrict, size_t, const char *restrict, ...)
    PRINTF_LIKE(3, 4);
int vsnprintf(char *restrict, size_t, const char *restrict, va_list)
    PRINTF_LIKE(3, 0);

#endif /* KERN_STRING_H */
