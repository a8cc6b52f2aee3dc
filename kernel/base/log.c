/*
 * The log ring.  Each line is kept as "<level>[seconds] text\n", as Linux's
 * syslog(2) shows it; the consoles get it without the level, and with the time
 * only when they show everything.
 */

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>

#include "kern/arch.h"
#include "kern/boot.h"
#include "kern/clock.h"
#include "kern/compiler.h"
#include "kern/console.h"
#include "kern/log.h"
#include "kern/num.h"
#include "kern/string.h"

#define LOG_RING_SIZE (64u * 1024)
#define LOG_LINE_MAX  400
#define LOG_SPIN_MAX  (1u << 20)

static char ring[LOG_RING_SIZE];
static uint64_t ring_head; /* bytes ever written */
static enum log_level console_level = LOG_WARN;
static bool console_on;

/*
 * Not a struct spinlock: the log is used before there is a scheduler and in a
 * panic, where the holder may have been stopped: then it is broken.
 */
static atomic_flag ring_lock = ATOMIC_FLAG_INIT;

static unsigned long log_lock(void)
{
	unsigned long flags = irq_save();

	for (unsigned i = 0; i < LOG_SPIN_MAX; i++) {
		if (!atomic_flag_test_and_set_explicit(
			&ring_lock, memory_order_acquire))
			break;
		cpu_relax();
	}
	return flags;
}

static void log_unlock(unsigned long flags)
{
	atomic_flag_clear_explicit(&ring_lock, memory_order_release);
	irq_restore(flags);
}

static void ring_put(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ring[ring_head++ % LOG_RING_SIZE] = s[i];
}

static unsigned linux_level(enum log_level level)
{
	static const uint8_t map[] = { 3, 4, 6, 7 };

	return map[level];
}

/* "<3>[    0.012345] text\n" -> what a console shows of it. */
static void console_line(const char *line, size_t n)
{
	const char *text = memchr(line, ']', n);

	console_fresh_line();
	if (console_level >= LOG_INFO) {
		console_write(line + 3, n - 3);
		return;
	}
	if (!text)
		return;
	text += 2;
	console_write("osv: ", 5);
	console_write(text, n - (size_t)(text - line));
}

void log_write(enum log_level level, const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	uint64_t us = clock_mono() / 1000;
	unsigned long flags;
	size_t n;
	va_list ap;
	int len;

	n = (size_t)snprintf(line, sizeof(line), "<%u>[%5lu.%06lu] ",
	    linux_level(level), us / 1000000, us % 1000000);
	va_start(ap, fmt);
	len = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	n = MIN(n + (size_t)len, sizeof(line) - 2);
	if (line[n - 1] != '\n')
		line[n++] = '\n';

	flags = log_lock();
	ring_put(line, n);
	if (console_on && level <= console_level)
		console_line(line, n);
	log_unlock(flags);
}

void log_set_console_level(enum log_level level)
{
	console_level = level;
}

/* Copy the line of the ring that starts at (pos); returns its length. */
static size_t ring_line(uint64_t pos, char *line, size_t size)
{
	size_t n = 0;

	while (pos + n < ring_head && n < size) {
		line[n] = ring[(pos + n) % LOG_RING_SIZE];
		if (line[n++] == '\n')
			break;
	}
	return n;
}

/* Nothing wraps this early: the ring starts at 0. */
void log_console_start(void)
{
	char line[LOG_LINE_MAX];
	unsigned long flags = log_lock();
	unsigned limit = linux_level(console_level);
	size_t n;

	console_on = true;
	for (uint64_t pos = 0; pos < ring_head; pos += n) {
		n = ring_line(pos, line, sizeof(line));
		if (n > 3 && (unsigned)(line[1] - '0') <= limit)
			console_line(line, n);
	}
	log_unlock(flags);
}

size_t log_read(char *buf, size_t n)
{
	unsigned long flags = log_lock();
	uint64_t kept = MIN(ring_head, (uint64_t)LOG_RING_SIZE);
	uint64_t pos;

	n = MIN(n, kept);
	pos = ring_head - n;
	for (size_t i = 0; i < n; i++)
		buf[i] = ring[(pos + i) % LOG_RING_SIZE];
	log_unlock(flags);
	return n;
}
