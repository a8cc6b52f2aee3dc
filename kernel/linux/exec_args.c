#include "exec_int.h"

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

static int grow(struct exec_args *a, size_t more)
{
	size_t cap = a->cap ? a->cap : PAGE_SIZE;
	char *text;

	if (more > EXEC_ARGS_MAX - a->len)
		return -E2BIG;
	if (a->len + more <= a->cap)
		return 0;
	while (cap < a->len + more)
		cap *= 2;
	text = vmalloc(cap);
	if (!text)
		return -ENOMEM;
	if (a->text)
		memcpy(text, a->text, a->len);
	vfree(a->text);
	a->text = text;
	a->cap = cap;
	return 0;
}

static void count(struct exec_args *a, bool env)
{
	if (env)
		a->envc++;
	else
		a->argc++;
}

int exec_args_add(struct exec_args *a, const char *s, bool env)
{
	size_t n = strlen(s) + 1;
	int r = grow(a, n);

	if (r != 0)
		return r;
	memcpy(a->text + a->len, s, n);
	a->len += n;
	count(a, env);
	return 0;
}

static int add_user_string(struct exec_args *a, const char *user, bool env)
{
	size_t room;
	long n;
	int r;

	/* Try what room there is first: most strings are short. */
	for (room = 256; room <= EXEC_ARG_MAX; room *= 2) {
		r = grow(a, room);
		if (r != 0)
			return r;
		n = strncpy_from_user(a->text + a->len, user, room);
		if (n >= 0) {
			a->len += (size_t)n + 1;
			count(a, env);
			return 0;
		}
		if (n != -ENAMETOOLONG)
			return (int)n;
	}
	return -E2BIG;
}

int exec_args_add_user(
    struct exec_args *a, const char *const *user_vec, bool env)
{
	const char *s;
	int r;

	if (!user_vec)
		return 0;
	for (size_t i = 0;; i++) {
		r = copy_from_user(&s, &user_vec[i], sizeof(s));
		if (r != 0 || !s)
			return r;
		r = add_user_string(a, s, env);
		if (r != 0)
			return r;
	}
}

int exec_args_prepend(struct exec_args *a, const char *s, unsigned drop)
{
	size_t n = strlen(s) + 1, gone = 0;
	int r = grow(a, n);

	if (r != 0)
		return r;
	for (; drop > 0 && a->argc > 0; drop--, a->argc--)
		gone += strlen(a->text + gone) + 1;
	memmove(a->text + n, a->text + gone, a->len - gone);
	memcpy(a->text, s, n);
	a->len += n - gone;
	a->argc++;
	return 0;
}

void exec_args_free(struct exec_args *a)
{
	vfree(a->text);
	memset(a, 0, sizeof(*a));
}
