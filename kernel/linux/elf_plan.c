#include "elf_int.h"

#include <linux/elf.h>

#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/string.h"
#include "kern/vm.h"

#define PHNUM_MAX 128

static int refuse(const char **why, const char *reason)
{
	*why = reason;
	return -ENOEXEC;
}

static int read_all(
    const struct elf_src *src, void *buf, size_t n, uint64_t off)
{
	long got;

	if (!range_ok(off, n, src->size))
		return -ENOEXEC;
	got = src->read(src, buf, n, off);
	if (got < 0)
		return (int)got;
	return (size_t)got == n ? 0 : -ENOEXEC;
}

static int check_header(const Elf64_Ehdr *eh, const char **why)
{
	if (memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0)
		return refuse(why, "not an ELF file");
	if (eh->e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh->e_ident[EI_DATA] != ELFDATA2LSB || eh->e_machine != EM_X86_64)
		return refuse(why, "not an x86-64 ELF");
	if (eh->e_ident[EI_VERSION] != EV_CURRENT ||
	    eh->e_version != EV_CURRENT)
		return refuse(why, "unknown ELF version");
	/* EI_OSABI is deliberately not looked at: Linux does not either. */
	if (eh->e_type != ET_EXEC && eh->e_type != ET_DYN)
		return refuse(why, "not an executable");
	if (eh->e_phentsize != sizeof(Elf64_Phdr))
		return refuse(why, "program headers of a wrong size");
	if (eh->e_phnum == 0)
		return refuse(why, "no program headers");
	if (eh->e_phnum > PHNUM_MAX)
		return refuse(why, "too many program headers");
	return 0;
}

static int plan_interp(const struct elf_src *src, const Elf64_Phdr *ph,
    struct elf_plan *p, const char **why)
{
	int r;

	if (p->interp[0])
		return refuse(why, "two interpreters");
	if (ph->p_filesz < 2 || ph->p_filesz > sizeof(p->interp))
		return refuse(why, "interpreter's path too short or too long");
	r = read_all(src, p->interp, ph->p_filesz, ph->p_offset);
	if (r != 0) {
		*why = "interpreter's path outside the file";
		return r;
	}
	if (p->interp[ph->p_filesz - 1] != '\0')
		return refuse(why, "interpreter's path not terminated");
	if (p->interp[0] == '\0')
		return refuse(why, "interpreter's path empty");
	return 0;
}

static unsigned seg_prot(uint32_t flags)
{
	return (flags & PF_R ? VM_READ : 0) | (flags & PF_W ? VM_WRITE : 0) |
	       (flags & PF_X ? VM_EXEC : 0);
}

/* The sizes and places of one PT_LOAD, by themselves. */
static int check_load(
    const struct elf_src *src, const Elf64_Phdr *ph, const char **why)
{
	uint64_t end;

	if (ph->p_filesz > ph->p_memsz)
		return refuse(why, "segment larger in the file than in memory");
	if (!range_ok(ph->p_offset, ph->p_filesz, src->size))
		return refuse(why, "file is truncated");
	if (add_overflow(ph->p_vaddr, ph->p_memsz, &end) ||
	    end > USER_MAX - PAGE_SIZE)
		return refuse(why, "segment outside the address space");
	if (ph->p_align > 1 && !IS_POW2(ph->p_align))
		return refuse(why, "segment's alignment is no power of two");
	if (ph->p_align > PAGE_SIZE_2M * 512)
		return refuse(why, "segment's alignment too large");
	if ((ph->p_vaddr ^ ph->p_offset) & (PAGE_SIZE - 1))
		return refuse(why, "segment not aligned to a page in the file");
	return 0;
}

static int plan_load(const struct elf_src *src, const Elf64_Phdr *ph,
    struct elf_plan *p, const char **why)
{
	struct elf_seg *seg;
	uint64_t lo, hi;
	int r;

	if (ph->p_memsz == 0)
		return 0;
	r = check_load(src, ph, why);
	if (r != 0)
		return r;
	if (p->nseg == ELF_SEG_MAX)
		return refuse(why, "too many segments");
	lo = ALIGN_DOWN(ph->p_vaddr, PAGE_SIZE);
	hi = ALIGN_UP(ph->p_vaddr + ph->p_memsz, PAGE_SIZE);
	if (p->nseg == 0)
		p->lo = lo;
	else if (lo < p->hi)
		return refuse(why, "segments overlap or out of order");
	p->hi = hi;
	p->align = MAX(p->align, ph->p_align);
	seg = &p->seg[p->nseg++];
	seg->vaddr = ph->p_vaddr;
	seg->memsz = ph->p_memsz;
	seg->filesz = ph->p_filesz;
	seg->offset = ph->p_offset;
	seg->prot = seg_prot(ph->p_flags);
	p->wx_segment |= (ph->p_flags & PF_W) && (ph->p_flags & PF_X);
	return 0;
}

static int plan_headers(const struct elf_src *src, const Elf64_Ehdr *eh,
    struct elf_plan *p, const char **why)
{
	Elf64_Phdr ph;
	int r = 0;

	for (unsigned i = 0; i < eh->e_phnum && r == 0; i++) {
		r = read_all(
		    src, &ph, sizeof(ph), eh->e_phoff + i * sizeof(ph));
		if (r != 0)
			*why = "program headers cannot be read";
		else if (ph.p_type == PT_LOAD)
			r = plan_load(src, &ph, p, why);
		else if (ph.p_type == PT_INTERP)
			r = plan_interp(src, &ph, p, why);
		else if (ph.p_type == PT_GNU_STACK)
			p->exec_stack = (ph.p_flags & PF_X) != 0;
	}
	return r;
}

/* The address of the program headers, if a segment carries them. */
static uint64_t find_phdr(const struct elf_plan *p, const Elf64_Ehdr *eh)
{
	uint64_t len = (uint64_t)eh->e_phnum * sizeof(Elf64_Phdr);

	for (unsigned i = 0; i < p->nseg; i++) {
		const struct elf_seg *s = &p->seg[i];

		if (eh->e_phoff >= s->offset &&
		    range_ok(eh->e_phoff - s->offset, len, s->filesz))
			return s->vaddr + (eh->e_phoff - s->offset);
	}
	return 0;
}

static int check_plan(const struct elf_plan *p, const char **why)
{
	if (p->nseg == 0)
		return refuse(why, "nothing to load");
	if (!p->pie && p->lo < USER_MIN)
		return refuse(why, "segment below the first 64 KiB");
	for (unsigned i = 0; i < p->nseg; i++) {
		const struct elf_seg *s = &p->seg[i];

		if ((s->prot & VM_EXEC) && p->entry >= s->vaddr &&
		    p->entry - s->vaddr < s->memsz)
			return 0;
	}
	return refuse(why, "entry point in no executable segment");
}

int elf_plan(const struct elf_src *src, struct elf_plan *p, const char **why)
{
	Elf64_Ehdr eh;
	int r;

	memset(p, 0, sizeof(*p));
	*why = "cannot be read";
	r = read_all(src, &eh, sizeof(eh), 0);
	if (r != 0)
		return r == -ENOEXEC ? refuse(why, "not an ELF file") : r;
	r = check_header(&eh, why);
	if (r != 0)
		return r;
	if (!range_ok(eh.e_phoff, eh.e_phnum * sizeof(Elf64_Phdr), src->size))
		return refuse(why, "program headers outside the file");
	p->phnum = eh.e_phnum;
	p->pie = eh.e_type == ET_DYN;
	p->entry = eh.e_entry;
	p->align = PAGE_SIZE;
	r = plan_headers(src, &eh, p, why);
	if (r != 0)
		return r;
	p->phdr_vaddr = find_phdr(p, &eh);
	return check_plan(p, why);
}
