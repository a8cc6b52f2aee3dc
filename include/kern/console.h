#ifndef KERN_CONSOLE_H
#define KERN_CONSOLE_H

/*
 * Consoles: xen/xencons.c (hvc0), virtio/vcons.c (hvc0), virtio/uart.c
 * (ttyS0).  kernel/dev/console.c fans output out to the chosen ones and
 * collects their input; kernel/dev/tty.c is the line discipline above it.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define CONSOLE_ROOM 2 /* bytes, as a newline needs */

struct console;

struct console_ops {
	/*
	 * Never sleeps: when there is no room it stands still for the reader,
	 * but not for long, then becomes (stuck), and drops.  Any context,
	 * also a panic.
	 */
	void (*write)(struct console *, const char *, size_t);
	/*
	 * Bytes that write() takes without standing still; a stuck console
	 * takes any number.  After an answer below CONSOLE_ROOM there will be a
	 * console_tx_ready().  NULL: always any number.  Any context but a
	 * panic.
	 */
	size_t (*room)(struct console *);
	/* If there is less than CONSOLE_ROOM: (stuck).  The same contexts. */
	void (*give_up)(struct console *);
	/* Returns bytes read, 0 when there is none.  Any context. */
	size_t (*read)(struct console *, char *, size_t);
};

struct console {
	const char *name; /* "hvc0", "ttyS0" */
	const struct console_ops *ops;
	void *softc;
	/* Nobody reads what is written: drop it, until somebody does. */
	_Atomic bool stuck;
};

/* For drivers.  Thread context or early boot. */
int console_register(struct console *);
void console_unregister(struct console *);
void console_rx_ready(struct console *); /* event context */
void console_tx_ready(struct console *); /* the same */

/* For log.c and tty.c.  Any context; "\n" goes out as "\r\n". */
void console_write(const char *, size_t);
/* How much of it all chosen consoles have room for; "\n" counts twice. */
size_t console_room(void);
/* Those that have no room are stuck from now on. */
void console_give_up(void);
void console_fresh_line(void); /* "\n", unless the last output ended in one */
size_t console_read(char *, size_t);

/* "serial", "hvc" or "all", from --console=; 0 or -EINVAL. */
int console_select(const char *which);

/* tty.c's: called in event context when there is input, and when there may be
 * room. */
extern void (*console_input)(void);
extern void (*console_output)(void);

#endif /* KERN_CONSOLE_H */
