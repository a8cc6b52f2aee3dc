/*
 * The terminal over the consoles: line discipline and the nodes of /dev that
 * lead to it.  termios(3), ioctl_tty(2).  There is one terminal, whatever the
 * name it is opened by.  Output always has its newlines expanded (console.c).
 */

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <asm/termios.h>
#include <linux/signal.h>

#include "kern/app.h"
#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/console.h"
#include "kern/devfs.h"
#include "kern/errno.h"
#include "kern/num.h"
#include "kern/sched.h"
#include "kern/signal.h"
#include "kern/string.h"
#include "tty_int.h"

static struct tty tty = {
	.lock = SPINLOCK_INIT,
	.readers = WAITQ_INIT(tty.readers),
	.writers = WAITQ_INIT(tty.writers),
	.poll = POLL_HEAD_INIT(tty.poll),
	.ldisc.tio = {
		.c_iflag = ICRNL,
		.c_oflag = OPOST | ONLCR,
		.c_cflag = B38400 | CS8 | CREAD | HUPCL,
		.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL |
		    ECHOKE | IEXTEN,
		.c_cc = {
			[VINTR] = 3,
			[VQUIT] = 28,
			[VERASE] = 127,
			[VKILL] = 21,
			[VEOF] = 4,
			[VMIN] = 1,
			[VSTART] = 17,
			[VSTOP] = 19,
			[VSUSP] = 26,
			[VREPRINT] = 18,
			[VDISCARD] = 15,
			[VWERASE] = 23,
			[VLNEXT] = 22,
		},
	},
};

/* --- input: event context ------------------------------------------------ */

static void tty_signals(uint32_t set)
{
	static const int sig[] = { SIGINT, SIGQUIT, SIGTSTP };

	for (unsigned i = 0; i < ARRAY_SIZE(sig); i++)
		if (set & (1u << sig[i]))
			signal_raise_process(sig[i]);
}

static void tty_input(void)
{
	unsigned long flags = spin_lock_irqsave(&tty.lock);
	bool ready;
	char buf[64];
	size_t n;

	while ((n = console_read(buf, sizeof(buf))) > 0)
		for (size_t i = 0; i < n; i++)
			ldisc_receive(&tty.ldisc, (uint8_t)buf[i]);
	ready = ldisc_ready(&tty.ldisc);
	if (ready)
		waitq_wake_all(&tty.readers);
	n = tty.ldisc.signals;
	tty.ldisc.signals = 0;
	spin_unlock_irqrestore(&tty.lock, flags);
	if (ready)
		poll_notify(&tty.poll, EPOLLIN | EPOLLRDNORM);
	tty_signals((uint32_t)n);
}

/* --- output: event context ----------------------------------------------- */

static void tty_wake_writers(void)
{
	unsigned long flags = spin_lock_irqsave(&tty.lock);

	if (console_room() >= CONSOLE_ROOM)
		tty.full_since = 0;
	waitq_wake_all(&tty.writers);
	spin_unlock_irqrestore(&tty.lock, flags);
	poll_notify(&tty.poll, EPOLLOUT | EPOLLWRNORM);
}

static int tty_open(struct file *f)
{
	(void)f;
	console_output = tty_wake_writers;
	if (!console_input) {
		console_input = tty_input;
		tty_input(); /* what came before anybody listened */
	}
	return 0;
}

/* --- reading ------------------------------------------------------------- */

#define TTY_CHUNK 256

/* When a read in non-canonical mode gives up: VTIME counts in tenths. */
static uint64_t tty_deadline(const struct ldisc *l, bool some)
{
	uint64_t tenths = l->tio.c_cc[VTIME];

	if ((l->tio.c_lflag & ICANON) || tenths == 0)
		return TIME_NEVER;
	if (l->tio.c_cc[VMIN] > 0 && !some)
		return TIME_NEVER;
	return clock_mono() + tenths * (NSEC_PER_SEC / 10);
}

/* How many bytes a read must have to return: canonical reads one line. */
static size_t tty_wanted(const struct ldisc *l, size_t n)
{
	if (l->tio.c_lflag & ICANON)
		return 1;
	return MIN(l->tio.c_cc[VMIN], n);
}

/* Wait until there is something.  1: there is; 0: time is over. */
static int tty_wait(struct file *f, size_t want, unsigned long *flags)
{
	size_t seen = ldisc_count(&tty.ldisc);
	uint64_t deadline = tty_deadline(&tty.ldisc, seen > 0);
	int err;

	while (!ldisc_eof(&tty.ldisc) && ldisc_count(&tty.ldisc) < want) {
		if (file_nonblock(f))
			return seen ? 1 : -EAGAIN;
		err = waitq_wait(
		    &tty.readers, &tty.lock, flags, deadline, WAIT_INTR);
		if (err == -EINTR)
			return -ERESTARTSYS;
		if (err == -ETIMEDOUT)
			return ldisc_count(&tty.ldisc) > 0;
		if (ldisc_count(&tty.ldisc) != seen) {
			seen = ldisc_count(&tty.ldisc);
			deadline = tty_deadline(&tty.ldisc, true);
		}
	}
	return 1;
}

/* VMIN 0: what is there, or what comes within VTIME. */
static int tty_wait_any(struct file *f, unsigned long *flags)
{
	uint64_t deadline = tty_deadline(&tty.ldisc, true);
	int err = 0;

	if (deadline == TIME_NEVER || file_nonblock(f))
		return 1;
	while (!err && ldisc_count(&tty.ldisc) == 0)
		err = waitq_wait(
		    &tty.readers, &tty.lock, flags, deadline, WAIT_INTR);
	return err == -EINTR ? -ERESTARTSYS : 1;
}

/* Up to (n) bytes to (buf), at most to the end of the line. */
static long tty_take(struct file *f, char *buf, size_t n, bool block)
{
	unsigned long flags = spin_lock_irqsave(&tty.lock);
	size_t want = tty_wanted(&tty.ldisc, n);
	long r = 1;

	if (block)
		r = want ? tty_wait(f, want, &flags) : tty_wait_any(f, &flags);
	if (r > 0)
		r = (long)ldisc_take(&tty.ldisc, buf, n);
	spin_unlock_irqrestore(&tty.lock, flags);
	return r;
}

static long tty_read(struct file *f, struct uio *u, uint64_t *off)
{
	char buf[TTY_CHUNK];
	long done = 0, n, r;

	(void)off;
	while (u->left > 0) {
		size_t part = MIN(u->left, sizeof(buf));

		n = tty_take(f, buf, part, done == 0);
		if (n <= 0)
			return done ? done : n;
		r = uio_put(u, buf, (size_t)n);
		if (r < 0)
			return done ? done : r;
		done += r;
		if ((size_t)n < part || buf[n - 1] == '\n')
			break;
	}
	return done;
}

/* --- writing ------------------------------------------------------------- */

/* How long nobody may read the console before what is written is dropped. */
#define TTY_PATIENCE (3 * NSEC_PER_SEC)

static int tty_wait_turn(
    struct file *f, uint64_t deadline, unsigned long *flags)
{
	int err;

	if (file_nonblock(f))
		return -EAGAIN;
	err = waitq_wait(&tty.writers, &tty.lock, flags, deadline, WAIT_INTR);
	return err == -EINTR ? -ERESTARTSYS : err;
}

/* One at a time, as on Linux: what another one writes comes before or after. */
static int tty_write_begin(struct file *f)
{
	unsigned long flags = spin_lock_irqsave(&tty.lock);
	int err = 0;

	while (tty.writing && !err)
		err = tty_wait_turn(f, TIME_NEVER, &flags);
	if (!err)
		tty.writing = true;
	spin_unlock_irqrestore(&tty.lock, flags);
	return err;
}

static void tty_write_end(void)
{
	WRITE_ONCE(tty.writing, false);
	tty_wake_writers();
}

/* Sleep until some bytes, each of which may be a newline, can be written. */
static long tty_wait_room(struct file *f)
{
	unsigned long flags = spin_lock_irqsave(&tty.lock);
	size_t room;
	int err = 0;

	while ((room = console_room() / CONSOLE_ROOM) == 0 && !err) {
		if (!tty.full_since)
			tty.full_since = clock_mono();
		/* Events that bring no room, or signals, change nothing. */
		err = tty_wait_turn(f, tty.full_since + TTY_PATIENCE, &flags);
		if (err == -ETIMEDOUT) {
			console_give_up();
			err = 0;
		}
	}
	if (room != 0)
		tty.full_since = 0;
	spin_unlock_irqrestore(&tty.lock, flags);
	return err ? err : (long)MIN(room, (size_t)TTY_CHUNK);
}

static long tty_put(struct file *f, struct uio *u)
{
	char buf[TTY_CHUNK];
	long r = tty_wait_room(f);

	if (r > 0)
		r = uio_get(u, buf, (size_t)r);
	if (r > 0)
		console_write(buf, (size_t)r);
	return r;
}

static long tty_write(struct file *f, struct uio *u, uint64_t *off)
{
	long done = 0, r = tty_write_begin(f);

	(void)off;
	if (r < 0)
		return r;
	while (u->left > 0 && (r = tty_put(f, u)) > 0)
		done += r;
	tty_write_end();
	return done ? done : r;
}

static uint32_t tty_poll(struct file *f, struct poll_entry *pe)
{
	unsigned long flags;
	uint32_t events = 0;

	(void)f;
	poll_wait(&tty.poll, pe);
	flags = spin_lock_irqsave(&tty.lock);
	if (ldisc_ready(&tty.ldisc))
		events |= EPOLLIN | EPOLLRDNORM;
	if (!tty.writing && console_room() >= CONSOLE_ROOM)
		events |= EPOLLOUT | EPOLLWRNORM;
	spin_unlock_irqrestore(&tty.lock, flags);
	return events;
}

/* --- settings ------------------------------------------------------------ */

static int tty_get_termios(void *user)
{
	unsigned long flags = spin_lock_irqsave(&tty.lock);
	struct termios t = tty.ldisc.tio;

	spin_unlock_irqrestore(&tty.lock, flags);
	return copy_to_user(user, &t, sizeof(t));
}

static int tty_set_termios(const void *user, bool flush)
{
	struct termios t;
	unsigned long flags;

	if (copy_from_user(&t, user, sizeof(t)))
		return -EFAULT;
	flags = spin_lock_irqsave(&tty.lock);
	if (flush)
		ldisc_flush(&tty.ldisc);
	ldisc_set(&tty.ldisc, &t);
	waitq_wake_all(&tty.readers);
	spin_unlock_irqrestore(&tty.lock, flags);
	return 0;
}

static int tty_get_winsize(void *user)
{
	unsigned long flags = spin_lock_irqsave(&tty.lock);
	struct winsize w = tty.win;

	spin_unlock_irqrestore(&tty.lock, flags);
	return copy_to_user(user, &w, sizeof(w));
}

static int tty_set_winsize(const void *user)
{
	struct winsize w;
	unsigned long flags;
	bool same;

	if (copy_from_user(&w, user, sizeof(w)))
		return -EFAULT;
	flags = spin_lock_irqsave(&tty.lock);
	same = memcmp(&tty.win, &w, sizeof(w)) == 0;
	tty.win = w;
	spin_unlock_irqrestore(&tty.lock, flags);
	if (!same)
		signal_raise_process(SIGWINCH);
	return 0;
}

static int tty_set_pgrp(const void *user)
{
	int pgrp;

	if (copy_from_user(&pgrp, user, sizeof(pgrp)))
		return -EFAULT;
	if (pgrp <= 0)
		return -EINVAL;
	tty.pgrp = pgrp;
	return 0;
}

static int tty_put_int(void *user, size_t value)
{
	int v = (int)value;

	return copy_to_user(user, &v, sizeof(v));
}

static int tty_flush(unsigned long what)
{
	unsigned long flags;

	if (what > TCIOFLUSH)
		return -EINVAL;
	flags = spin_lock_irqsave(&tty.lock);
	if (what != TCOFLUSH)
		ldisc_flush(&tty.ldisc);
	spin_unlock_irqrestore(&tty.lock, flags);
	return 0;
}

static long tty_ioctl(struct file *f, unsigned req, unsigned long arg)
{
	void *user = (void *)arg;

	(void)f;
	switch (req) {
	case TCGETS:
		return tty_get_termios(user);
	case TCSETS:
	case TCSETSW:
		return tty_set_termios(user, false);
	case TCSETSF:
		return tty_set_termios(user, true);
	case TIOCGWINSZ:
		return tty_get_winsize(user);
	case TIOCSWINSZ:
		return tty_set_winsize(user);
	case TIOCGPGRP:
	case TIOCGSID:
		return tty_put_int(
		    user, tty.pgrp ? (size_t)tty.pgrp : app_pid());
	case TIOCSPGRP:
		return tty_set_pgrp(user);
	case FIONREAD:
		return tty_put_int(user, ldisc_count(&tty.ldisc));
	case TIOCOUTQ:
		return tty_put_int(user, 0);
	case TCFLSH:
		return tty_flush(arg);
	case TCSBRK:
	case TCSBRKP:
	case TCXONC:
	case TIOCSCTTY:
	case TIOCNOTTY:
		return 0;
	default:
		return -ENOTTY;
	}
}

static void tty_release(struct file *f)
{
	(void)f;
}

static const struct file_ops tty_ops = {
	.read = tty_read,
	.write = tty_write,
	.ioctl = tty_ioctl,
	.poll = tty_poll,
	.release = tty_release,
};

#define TTY_NODE(id, node, maj, min)             \
	static const struct chardev tty_##id = { \
		.name = node,                    \
		.mode = 0620,                    \
		.major = (maj),                  \
		.minor = (min),                  \
		.ops = &tty_ops,                 \
		.open = tty_open,                \
	};                                       \
	CHARDEV(tty_##id)

TTY_NODE(tty, "tty", 5, 0);
TTY_NODE(console, "console", 5, 1);
TTY_NODE(hvc0, "hvc0", 229, 0);
TTY_NODE(ttyS0, "ttyS0", 4, 64);
