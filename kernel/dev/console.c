/*
 * Fans output out to the chosen consoles and collects their input.  Before one
 * is there, and when none of the chosen is, the platform's putc gets it.
 */

#include <stdatomic.h>
#include <stdbool.h>

#include "kern/arch.h"
#include "kern/compiler.h"
#include "kern/console.h"
#include "kern/errno.h"
#include "kern/num.h"
#include "kern/platform.h"
#include "kern/string.h"

#define CONSOLE_MAX 8

/*
 * Written by console_register() only, one word at a time: readers are in any
 * context, a panic too, and take no lock.  A slot is not used again.
 */
static _Atomic(struct console *) consoles[CONSOLE_MAX];
static const char *selected = "all";

static char last_written = '\n';

void (*console_input)(void);
void (*console_output)(void);

static bool console_is_selected(const struct console *c)
{
	if (!strcmp(selected, "serial"))
		return !strncmp(c->name, "ttyS", 4);
	if (!strcmp(selected, "hvc"))
		return !strncmp(c->name, "hvc", 3);
	return true;
}

/* In slot (i); NULL: none, or one that was not chosen. */
static struct console *console_chosen(unsigned i)
{
	struct console *c = consoles[i];

	return c && console_is_selected(c) ? c : NULL;
}

int console_select(const char *which)
{
	if (strcmp(which, "serial") && strcmp(which, "hvc") &&
	    strcmp(which, "all"))
		return -EINVAL;
	selected = which;
	return 0;
}

int console_register(struct console *c)
{
	for (unsigned i = 0; i < CONSOLE_MAX; i++) {
		struct console *none = NULL;

		if (atomic_compare_exchange_strong(&consoles[i], &none, c))
			return 0;
	}
	return -ENOSPC;
}

void console_unregister(struct console *c)
{
	for (unsigned i = 0; i < CONSOLE_MAX; i++) {
		struct console *old = c;

		atomic_compare_exchange_strong(&consoles[i], &old, NULL);
	}
	if (console_output)
		console_output(); /* who waits for this one need not any more */
}

static void console_put(struct console *c, const char *s, size_t n)
{
	if (c)
		c->ops->write(c, s, n);
	else if (platform)
		for (size_t i = 0; i < n; i++)
			platform->putc(s[i]);
}

/* A terminal needs a carriage return before each newline.  In few pieces: each
 * may be an exit to the host. */
static void console_put_lines(struct console *c, const char *s, size_t n)
{
	char out[256];
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (len > sizeof(out) - 2) {
			console_put(c, out, len);
			len = 0;
		}
		if (s[i] == '\n')
			out[len++] = '\r';
		out[len++] = s[i];
	}
	console_put(c, out, len);
}

void console_write(const char *s, size_t n)
{
	bool any = false;

	if (n)
		last_written = s[n - 1];
	for (unsigned i = 0; i < CONSOLE_MAX; i++) {
		struct console *c = console_chosen(i);

		if (!c)
			continue;
		console_put_lines(c, s, n);
		any = true;
	}
	if (!any)
		console_put_lines(NULL, s, n);
}

size_t console_room(void)
{
	size_t room = SIZE_MAX;

	for (unsigned i = 0; i < CONSOLE_MAX; i++) {
		struct console *c = console_chosen(i);

		if (c && c->ops->room)
			room = MIN(room, c->ops->room(c));
	}
	return room;
}

void console_give_up(void)
{
	for (unsigned i = 0; i < CONSOLE_MAX; i++) {
		struct console *c = console_chosen(i);

		if (c && c->ops->give_up)
			c->ops->give_up(c);
	}
}

void console_fresh_line(void)
{
	if (last_written != '\n')
		console_write("\n", 1);
}

size_t console_read(char *buf, size_t n)
{
	size_t got = 0;

	for (unsigned i = 0; i < CONSOLE_MAX && got < n; i++) {
		struct console *c = console_chosen(i);

		if (c && c->ops->read)
			got += c->ops->read(c, buf + got, n - got);
	}
	return got;
}

void console_rx_ready(struct console *c)
{
	if (console_input && console_is_selected(c))
		console_input();
}

void console_tx_ready(struct console *c)
{
	if (console_output && console_is_selected(c))
		console_output();
}
