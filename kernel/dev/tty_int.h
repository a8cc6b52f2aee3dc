#ifndef TTY_INT_H
#define TTY_INT_H

/*
 * The line discipline, apart from the terminal so that it can be tested:
 * what is received becomes what a read gets.  kernel/dev/ldisc.c
 * No locking; any context.  Echo goes to console_write(), if there is room.
 */

#include <asm/termbits.h>
#include <asm/termios.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/poll.h"
#include "kern/sched.h"

#define LDISC_SIZE 4096u /* a power of two; N_TTY_BUF_SIZE */

struct ldisc {
	struct termios tio;
	uint8_t buf[LDISC_SIZE];
	uint8_t mark[LDISC_SIZE / 8]; /* this byte ends a line */
	/* Free running: [head, done) can be read, [done, tail) is edited. */
	unsigned head, done, tail;
	unsigned lines;   /* marks in [head, done) */
	uint32_t signals; /* 1 << SIGINT...: to be raised by the owner */
	bool literal;     /* the next byte is data: VLNEXT */
};

void ldisc_receive(struct ldisc *, uint8_t c);
void ldisc_set(struct ldisc *, const struct termios *);
void ldisc_flush(struct ldisc *);
/* Would a read return? */
bool ldisc_ready(const struct ldisc *);
/* Bytes that can be read; in canonical mode of whole lines. */
size_t ldisc_count(const struct ldisc *);
/* The next line is empty and ends with end-of-file. */
bool ldisc_eof(const struct ldisc *);
size_t ldisc_take(struct ldisc *, char *buf, size_t n);

struct tty {
	/* Protects all but (poll); input comes in event context. */
	struct spinlock lock;
	struct ldisc ldisc;
	struct waitq readers, writers;
	bool writing;        /* somebody is in write(2) */
	uint64_t full_since; /* a writer found no room; 0: there was some */
	struct poll_head poll;
	struct winsize win;
	int pgrp; /* in the foreground; 0: the process that asks */
};

#endif /* TTY_INT_H */
