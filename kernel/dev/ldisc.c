/* The line discipline: termios(3), canonical and not. */

#include "tty_int.h"

#include <linux/signal.h>

#include "kern/console.h"
#include "kern/string.h"

#define LDISC_DISABLED 0 /* _POSIX_VDISABLE: this key does nothing */

static uint8_t *ldisc_at(struct ldisc *l, unsigned i)
{
	return &l->buf[i % LDISC_SIZE];
}

static void ldisc_mark(struct ldisc *l, unsigned i, bool on)
{
	uint8_t bit = (uint8_t)(1u << (i % 8));
	uint8_t *m = &l->mark[(i % LDISC_SIZE) / 8];

	*m = on ? *m | bit : *m & (uint8_t)~bit;
}

static bool ldisc_marked(const struct ldisc *l, unsigned i)
{
	return l->mark[(i % LDISC_SIZE) / 8] & (1u << (i % 8));
}

static bool ldisc_flag(const struct ldisc *l, unsigned flag)
{
	return l->tio.c_lflag & flag;
}

static bool ldisc_key(const struct ldisc *l, unsigned key, uint8_t c)
{
	return l->tio.c_cc[key] != LDISC_DISABLED && l->tio.c_cc[key] == c;
}

/* --- echo ---------------------------------------------------------------- */

static bool ldisc_is_control(uint8_t c)
{
	return (c < 32 && c != '\t' && c != '\n') || c == 127;
}

/* A key cannot wait until somebody reads. */
static void ldisc_show(const char *s, size_t n)
{
	if (console_room() >= CONSOLE_ROOM * n)
		console_write(s, n);
}

static void ldisc_echo(const struct ldisc *l, uint8_t c)
{
	char s[2] = { '^', (char)(c ^ 0x40) };

	if (!ldisc_flag(l, ECHO) && !(c == '\n' && ldisc_flag(l, ECHONL)))
		return;
	if (ldisc_is_control(c) && ldisc_flag(l, ECHOCTL))
		ldisc_show(s, 2);
	else
		ldisc_show((const char *)&c, 1);
}

static void ldisc_echo_erase(const struct ldisc *l, uint8_t c)
{
	if (!ldisc_flag(l, ECHO) || !ldisc_flag(l, ECHOE))
		return;
	ldisc_show("\b \b", 3);
	if (ldisc_is_control(c) && ldisc_flag(l, ECHOCTL))
		ldisc_show("\b \b", 3);
}

/* --- the line being edited ----------------------------------------------- */

/* The last byte is kept for the end of the line, so that one always comes. */
static void ldisc_push(struct ldisc *l, uint8_t c, bool end)
{
	if (l->tail - l->head >= LDISC_SIZE - (end ? 0 : 1))
		return;
	*ldisc_at(l, l->tail) = c;
	ldisc_mark(l, l->tail, end);
	l->tail++;
}

static void ldisc_commit(struct ldisc *l, uint8_t c)
{
	unsigned before = l->tail;

	ldisc_push(l, c, true);
	if (l->tail == before)
		return;
	l->done = l->tail;
	l->lines++;
}

/* UTF-8: the bytes that continue a character are no column of their own. */
static void ldisc_erase_one(struct ldisc *l)
{
	uint8_t c;

	do {
		c = *ldisc_at(l, --l->tail);
	} while ((l->tio.c_iflag & IUTF8) && (c & 0xc0) == 0x80 &&
		 l->tail != l->done);
	ldisc_echo_erase(l, c);
}

static void ldisc_kill(struct ldisc *l)
{
	if (!ldisc_flag(l, ECHOKE)) {
		l->tail = l->done;
		ldisc_echo(l, l->tio.c_cc[VKILL]);
		if (ldisc_flag(l, ECHOK))
			ldisc_echo(l, '\n');
		return;
	}
	while (l->tail != l->done)
		ldisc_erase_one(l);
}

static void ldisc_erase_word(struct ldisc *l)
{
	while (l->tail != l->done && *ldisc_at(l, l->tail - 1) == ' ')
		ldisc_erase_one(l);
	while (l->tail != l->done && *ldisc_at(l, l->tail - 1) != ' ')
		ldisc_erase_one(l);
}

static bool ldisc_edit(struct ldisc *l, uint8_t c)
{
	bool extended = ldisc_flag(l, IEXTEN);

	if (ldisc_key(l, VERASE, c)) {
		if (l->tail != l->done)
			ldisc_erase_one(l);
	} else if (ldisc_key(l, VKILL, c)) {
		ldisc_kill(l);
	} else if (extended && ldisc_key(l, VWERASE, c)) {
		ldisc_erase_word(l);
	} else if (extended && ldisc_key(l, VLNEXT, c)) {
		l->literal = true;
	} else {
		return false;
	}
	return true;
}

static void ldisc_canonical(struct ldisc *l, uint8_t c)
{
	if (ldisc_edit(l, c))
		return;
	if (ldisc_key(l, VEOF, c)) {
		ldisc_commit(l, LDISC_DISABLED);
		return;
	}
	ldisc_echo(l, c);
	if (c == '\n' || ldisc_key(l, VEOL, c) || ldisc_key(l, VEOL2, c))
		ldisc_commit(l, c);
	else
		ldisc_push(l, c, false);
}

/* --- receiving ----------------------------------------------------------- */

static bool ldisc_signal(struct ldisc *l, uint8_t c)
{
	int sig = 0;

	if (!ldisc_flag(l, ISIG))
		return false;
	if (ldisc_key(l, VINTR, c))
		sig = SIGINT;
	else if (ldisc_key(l, VQUIT, c))
		sig = SIGQUIT;
	else if (ldisc_key(l, VSUSP, c))
		sig = SIGTSTP;
	if (!sig)
		return false;
	if (!ldisc_flag(l, NOFLSH))
		ldisc_flush(l);
	ldisc_echo(l, c);
	l->signals |= 1u << sig;
	return true;
}

static void ldisc_literal(struct ldisc *l, uint8_t c)
{
	l->literal = false;
	ldisc_echo(l, c);
	ldisc_push(l, c, false);
}

void ldisc_receive(struct ldisc *l, uint8_t c)
{
	unsigned in = l->tio.c_iflag;

	if (l->literal) {
		ldisc_literal(l, c);
		return;
	}
	if (in & ISTRIP)
		c &= 0x7f;
	if (c == '\r' && (in & IGNCR))
		return;
	if (c == '\r' && (in & ICRNL))
		c = '\n';
	else if (c == '\n' && (in & INLCR))
		c = '\r';
	if (ldisc_signal(l, c))
		return;
	if (ldisc_flag(l, ICANON)) {
		ldisc_canonical(l, c);
		return;
	}
	ldisc_echo(l, c);
	ldisc_push(l, c, false);
	l->done = l->tail;
}

/* --- the reader's side --------------------------------------------------- */

void ldisc_flush(struct ldisc *l)
{
	l->head = l->done = l->tail;
	l->lines = 0;
	l->literal = false;
}

/* What was typed under the other mode can be read in the new one. */
void ldisc_set(struct ldisc *l, const struct termios *t)
{
	bool was = ldisc_flag(l, ICANON);

	l->tio = *t;
	if (was == ldisc_flag(l, ICANON))
		return;
	if (was) {
		l->done = l->tail;
		l->lines = 0;
		for (unsigned i = l->head; i != l->tail; i++)
			ldisc_mark(l, i, false);
	} else if (l->done != l->head) {
		ldisc_mark(l, l->done - 1, true);
		l->lines = 1;
	}
}

bool ldisc_ready(const struct ldisc *l)
{
	if (ldisc_flag(l, ICANON))
		return l->lines > 0;
	return l->done != l->head;
}

size_t ldisc_count(const struct ldisc *l)
{
	if (ldisc_flag(l, ICANON) && l->lines == 0)
		return 0;
	return l->done - l->head - ldisc_eof(l);
}

static bool ldisc_is_eof(const struct ldisc *l, unsigned i)
{
	return ldisc_flag(l, ICANON) && ldisc_marked(l, i) &&
	       l->buf[i % LDISC_SIZE] == LDISC_DISABLED;
}

bool ldisc_eof(const struct ldisc *l)
{
	return l->done != l->head && ldisc_is_eof(l, l->head);
}

size_t ldisc_take(struct ldisc *l, char *buf, size_t n)
{
	bool canon = ldisc_flag(l, ICANON), end = false;
	size_t got = 0;

	while (!end && l->head != l->done) {
		bool eof = ldisc_is_eof(l, l->head);

		if (!eof && got == n)
			break;
		end = canon && ldisc_marked(l, l->head);
		if (!eof)
			buf[got++] = (char)*ldisc_at(l, l->head);
		ldisc_mark(l, l->head, false);
		l->head++;
		if (end)
			l->lines--;
	}
	return got;
}
