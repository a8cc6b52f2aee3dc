#ifndef KERN_CONSOLE_H
#define KERN_CONSOLE_H

/*
 * Consoles: xen/xencons.c (hvc0), virtio/vcons.c (hvc0), virtio/uart.c
 * (ttyS0).  kernel/dev/console.c fans output out to the chosen ones and
 * collects their input; kernel/dev/tty.c is the line discipline above it.
 */

#include <stddef.h>

struct console;

struct console_ops {
	/* Never sleeps, may drop; callable from any context, also a panic. */
	void (*write)(struct console *, const char *, size_t);
	/* Returns bytes read, 0 when there is none.  Any context. */
	size_t (*read)(struct console *, char *, size_t);
};

struct console {
	const char *name; /* "hvc0", "ttyS0" */
	const struct console_ops *ops;
	void *softc;
	struct console *next; /* kernel/dev/console.c */
};

/* For drivers.  Thread context or early boot. */
int console_register(struct console *);
void console_unregister(struct console *);
void console_rx_ready(struct console *); /* event context */

/* For log.c and tty.c.  Any context; "\n" goes out as "\r\n". */
void console_write(const char *, size_t);
void console_fresh_line(void); /* "\n", unless the last output ended in one */
size_t console_read(char *, size_t);

/* "serial", "hvc" or "all", from --console=; 0 or -EINVAL. */
int console_select(const char *which);

/* tty.c's: called in event context when there is input. */
extern void (*console_input)(void);

#endif /* KERN_CONSOLE_H */
