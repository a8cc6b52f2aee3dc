#include "strace_int.h"

#include <linux/fcntl.h>
#include <stdarg.h>

#include "kern/app.h"
#include "kern/arch.h"
#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/sched.h"
#include "kern/string.h"
#include "signal_int.h"
#include "table_int.h"

#define LINE_MAX   240
#define STRING_MAX 32 /* as strace(1) */

/* Some values are told apart by their number, as strace.c's users know it. */
#define NR_OPEN       2
#define NR_MMAP       9
#define NR_BRK        12
#define NR_MREMAP     25
#define NR_EXECVE     59
#define NR_EXIT       60
#define NR_EXIT_GROUP 231
#define NR_OPENAT     257
#define NR_EXECVEAT   322

struct line {
	char text[LINE_MAX];
	size_t len;
};

static void put(struct line *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void put(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->len, LINE_MAX - l->len, fmt, ap);
	va_end(ap);
	l->len += (size_t)n;
	if (l->len >= LINE_MAX)
		l->len = LINE_MAX - 1;
}

static void put_char(struct line *l, char c)
{
	if (c == '"' || c == '\\')
		put(l, "\\%c", c);
	else if (c == '\n')
		put(l, "\\n");
	else if (c == '\t')
		put(l, "\\t");
	else if (c < ' ' || c > '~')
		put(l, "\\%o", (unsigned char)c);
	else
		put(l, "%c", c);
}

/* A string that cannot be read is shown as the pointer that it is. */
static void put_string(struct line *l, uint64_t user)
{
	char s[STRING_MAX + 1];
	long n = strncpy_from_user(s, (const char *)user, sizeof(s));
	bool more = n == -ENAMETOOLONG;

	if (n < 0 && !more) {
		put(l, "%#lx", (unsigned long)user);
		return;
	}
	put(l, "\"");
	for (long i = 0; i < (more ? STRING_MAX : n); i++)
		put_char(l, s[i]);
	put(l, more ? "\"..." : "\"");
}

static bool is_named(const struct strace_arg *a, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(a->name, *names) == 0)
			return true;
	return false;
}

static void put_number(struct line *l, const struct strace_arg *a, uint64_t v)
{
	static const char *const dirs[] = { "dirfd", "olddir", "newdir", NULL };
	static const char *const bits[] = { "flags", "prot", "req", NULL };
	static const char *const places[] = { "addr", "want", "head", "area",
		"stack", "tls", NULL };

	if (is_named(a, dirs) && (int)v == AT_FDCWD)
		put(l, "AT_FDCWD");
	else if (strcmp(a->name, "sig") == 0 && (int)v > 0 && (int)v < 32)
		put(l, "%s", signal_name((int)v));
	else if (strcmp(a->name, "mode") == 0 && a->kind == 'u')
		put(l, "%#o", (unsigned)v);
	else if (is_named(a, bits) || is_named(a, places))
		put(l, v ? "%#lx" : "%lu", (unsigned long)v);
	else if (a->kind == 'd')
		put(l, "%ld", (long)v);
	else
		put(l, "%lu", (unsigned long)v);
}

/* The flags and the mode, when there is one, of open(2). */
static void put_open(struct line *l, unsigned flags, unsigned mode)
{
	static const char *const access[] = { "O_RDONLY", "O_WRONLY", "O_RDWR",
		"O_ACCMODE" };

	put(l, "%s", access[flags & O_ACCMODE]);
	for (const struct strace_bit *b = strace_open_bits; b->bit; b++)
		if ((flags & b->bit) == b->bit)
			put(l, "|%s", b->name);
	if (flags & O_CREAT)
		put(l, ", %#o", mode);
}

/* What a function with arguments of 32 bits sees of a register. */
static uint64_t narrow(const struct strace_arg *a, uint64_t v)
{
	if (a->size == sizeof(uint64_t))
		return v;
	return a->kind == 'd' ? (uint64_t)(int32_t)v : (uint32_t)v;
}

static void put_arg(struct line *l, const struct strace_arg *a, uint64_t v)
{
	v = narrow(a, v);
	if ((a->kind == 's' || a->kind == 'p') && v == 0)
		put(l, "NULL");
	else if (a->kind == 's')
		put_string(l, v);
	else if (a->kind == 'p')
		put(l, "%#lx", (unsigned long)v);
	else
		put_number(l, a, v);
}

static bool is_open(uint64_t nr)
{
	return nr == NR_OPEN || nr == NR_OPENAT;
}

static void put_call(struct line *l, const struct trapframe *tf)
{
	const uint64_t v[6] = { tf->rdi, tf->rsi, tf->rdx, tf->r10, tf->r8,
		tf->r9 };
	uint64_t nr = (uint32_t)tf->rax;
	const struct strace_call *c = strace_call(nr);

	unsigned n = c->known ? c->nargs : ARRAY_SIZE(v);

	if (*syscall_name(nr) != '?')
		put(l, "%s(", syscall_name(nr));
	else
		put(l, "syscall_%#lx(", (unsigned long)nr);
	for (unsigned i = 0; i < n; i++) {
		if (i)
			put(l, ", ");
		if (!c->known) {
			put(l, "%#lx", (unsigned long)v[i]);
		} else if (is_open(nr) &&
			   strcmp(c->arg[i].name, "flags") == 0) {
			put_open(l, (unsigned)v[i], (unsigned)v[i + 1]);
			break;
		} else {
			put_arg(l, &c->arg[i], v[i]);
		}
	}
}

static const char *restart_text(long error)
{
	switch (error) {
	case ERESTARTSYS:
		return "ERESTARTSYS (To be restarted if SA_RESTART is set)";
	case ERESTARTNOINTR:
		return "ERESTARTNOINTR (To be restarted)";
	case ERESTARTNOHAND:
		return "ERESTARTNOHAND (To be restarted if no handler)";
	case ERESTART_RESTARTBLOCK:
		return "ERESTART_RESTARTBLOCK (Interrupted by signal)";
	default:
		return NULL;
	}
}

static void put_result(struct line *l, uint64_t nr, long r)
{
	const struct errno_text *e;

	if (r < 0 && restart_text(-r)) {
		put(l, "? %s", restart_text(-r));
	} else if (r < 0 && r >= -4095) {
		e = errno_text(-r);
		put(l, "-1 %s (%s)", e->name, e->text);
	} else if (nr == NR_MMAP || nr == NR_BRK || nr == NR_MREMAP) {
		put(l, "%#lx", (unsigned long)r);
	} else {
		put(l, "%ld", r);
	}
}

static void show(const struct line *l)
{
	log_warn("[pid %u] %s", thread_self()->id, l->text);
}

static bool may_not_return(uint64_t nr)
{
	return nr == NR_EXIT || nr == NR_EXIT_GROUP || nr == NR_EXECVE ||
	       nr == NR_EXECVEAT;
}

/* The arguments are shown as they were before the call; a call from which
 * there may be no way back is shown twice when there is. */
long strace_dispatch(const struct trapframe *tf)
{
	uint64_t nr = (uint32_t)tf->rax;
	struct line l = { .len = 0 };
	long r;

	put_call(&l, tf);
	if (may_not_return(nr)) {
		struct line whole = l;

		put(&whole, nr == NR_EXIT || nr == NR_EXIT_GROUP
				? ") = ?"
				: " <unfinished ...>");
		show(&whole);
		l.len = 0;
		put(&l, "<... %s resumed>", syscall_name(nr));
	}
	r = syscall_dispatch(tf);
	put(&l, ") = ");
	put_result(&l, nr, r);
	show(&l);
	return r;
}
