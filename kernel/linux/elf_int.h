#ifndef LINUX_ELF_INT_H
#define LINUX_ELF_INT_H

/*
 * ELF programs.  elf_plan.c reads and checks a whole program's headers without
 * touching memory; elf_map.c does what a plan says.
 * Source: System V ABI, AMD64 supplement; linux/elf.h
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_SEG_MAX    16
#define ELF_INTERP_MAX 256

struct elf_seg {
	uint64_t vaddr, memsz, filesz, offset;
	unsigned prot; /* VM_READ... */
};

/* What the program headers say, after every check. */
struct elf_plan {
	struct elf_seg seg[ELF_SEG_MAX];
	unsigned nseg;
	uint64_t lo, hi; /* extent, page aligned */
	uint64_t align;  /* of the load address */
	uint64_t entry;
	uint64_t phdr_vaddr; /* 0: not inside any segment */
	uint16_t phnum;
	bool pie;                    /* may be moved */
	bool exec_stack;             /* PT_GNU_STACK asks for one */
	bool wx_segment;             /* one is writable and executable */
	char interp[ELF_INTERP_MAX]; /* "" for a static program */
};

/* Where the bytes of the file come from. */
struct elf_src {
	/* Bytes read, short at the end of the file, or -errno. */
	long (*read)(const struct elf_src *, void *, size_t, uint64_t off);
	void *arg;
	uint64_t size;
};

/*
 * 0, or -ENOEXEC, -ENOMEM or the source's error, with the reason in (*why),
 * which is a literal.
 */
int elf_plan(const struct elf_src *, struct elf_plan *, const char **why);

struct file;
struct vm_space;

/* A plan in memory: what the auxiliary vector says about it. */
struct elf_image {
	uint64_t base; /* what was added to every address */
	uint64_t entry;
	uint64_t phdr; /* 0: not in memory */
	uint64_t end;  /* past the last byte, page aligned */
};

/*
 * Map (file) as the plan says, with what may be moved at about (where).
 * Thread context, the space is the current one.  0 or -errno, then parts may
 * be mapped.
 */
int elf_map(struct vm_space *, struct file *, const struct elf_plan *,
    uint64_t where, struct elf_image *);

#endif /* LINUX_ELF_INT_H */
