#include "exec_int.h"

#include <asm/auxvec.h>
#include <linux/auxvec.h>

#include "kern/app.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"

/*
 * From the top down, as Linux lays it out: eight zero bytes, the program's
 * name, the strings of envp above those of argv, the platform's name, 16
 * random bytes, then the vectors, argc at the stack pointer.
 */

#define AUXV_MAX 23 /* pairs, with AT_NULL */

static const char platform_name[] = "x86_64";

struct pen {
	uint8_t *buf; /* stands for address (top - n) */
	uintptr_t bottom;
	uintptr_t at; /* lowest byte written */
};

static void push(struct pen *p, const void *src, size_t n)
{
	p->at -= n;
	memcpy(p->buf + (p->at - p->bottom), src, n);
}

static void push_zero(struct pen *p, size_t n)
{
	p->at -= n;
	memset(p->buf + (p->at - p->bottom), 0, n);
}

static size_t vectors_len(const struct exec_args *a)
{
	return (1 + a->argc + 1 + a->envc + 1 + 2ul * AUXV_MAX) *
	       sizeof(uint64_t);
}

size_t exec_stack_size(const struct exec_args *a, const struct exec_info *i)
{
	size_t n = 8 + strlen(i->execfn) + 1 + a->len + sizeof(platform_name) +
		   sizeof(i->random) + 32;

	return ALIGN_UP(n + vectors_len(a), 16);
}

/* The pointers to (n) strings from (at) on; returns what follows them. */
static uintptr_t put_pointers(
    uint64_t **v, const char *text, unsigned n, uintptr_t at)
{
	size_t len;

	for (unsigned i = 0; i < n; i++) {
		*(*v)++ = at;
		len = strlen(text) + 1;
		text += len;
		at += len;
	}
	*(*v)++ = 0;
	return at;
}

static void put_aux(uint64_t **v, uint64_t type, uint64_t value)
{
	*(*v)++ = type;
	*(*v)++ = value;
}

static void put_auxv(uint64_t **v, const struct exec_info *i, uintptr_t execfn,
    uintptr_t platform, uintptr_t random)
{
	if (i->vdso)
		put_aux(v, AT_SYSINFO_EHDR, i->vdso);
	put_aux(v, AT_HWCAP, i->hwcap);
	put_aux(v, AT_PAGESZ, PAGE_SIZE);
	put_aux(v, AT_CLKTCK, 100);
	put_aux(v, AT_MINSIGSTKSZ, i->minsigstksz);
	put_aux(v, AT_PHDR, i->phdr);
	put_aux(v, AT_PHENT, 56);
	put_aux(v, AT_PHNUM, i->phnum);
	put_aux(v, AT_BASE, i->interp_base);
	put_aux(v, AT_FLAGS, 0);
	put_aux(v, AT_ENTRY, i->entry);
	put_aux(v, AT_UID, i->uid);
	put_aux(v, AT_EUID, i->euid);
	put_aux(v, AT_GID, i->gid);
	put_aux(v, AT_EGID, i->egid);
	put_aux(v, AT_SECURE, 0);
	put_aux(v, AT_RANDOM, random);
	put_aux(v, AT_HWCAP2, i->hwcap2);
	put_aux(v, AT_EXECFN, execfn);
	put_aux(v, AT_PLATFORM, platform);
	if (i->call_entry)
		put_aux(v, AT_OSV_CALL, i->call_entry);
	put_aux(v, AT_NULL, 0);
}

void exec_stack_build(const struct exec_args *a, const struct exec_info *i,
    uintptr_t top, void *buf, size_t n, struct exec_stack *out)
{
	const char *text = a->len ? a->text : "";
	struct pen p = { buf, top - n, top };
	uintptr_t execfn, platform, random;
	uint64_t *v, *auxv;

	push_zero(&p, 8);
	push(&p, i->execfn, strlen(i->execfn) + 1);
	execfn = p.at;
	push(&p, text, a->len);
	out->arg_start = p.at;
	push(&p, platform_name, sizeof(platform_name));
	platform = p.at;
	push(&p, i->random, sizeof(i->random));
	random = p.at;
	out->sp = ALIGN_DOWN(p.at - vectors_len(a), 16);
	push_zero(&p, p.at - out->sp);

	v = (uint64_t *)(void *)(p.buf + (p.at - p.bottom));
	*v++ = a->argc;
	out->arg_end = put_pointers(&v, text, a->argc, out->arg_start);
	out->env_start = out->arg_end;
	out->env_end = put_pointers(&v,
	    text + (out->env_start - out->arg_start), a->envc, out->env_start);
	auxv = v;
	put_auxv(&v, i, execfn, platform, random);
	out->auxv = out->sp +
		    (uintptr_t)((uint8_t *)auxv - (p.buf + (p.at - p.bottom)));
	out->auxv_len = (unsigned)((uint8_t *)v - (uint8_t *)auxv);
}
