#ifndef LINUX_EXEC_INT_H
#define LINUX_EXEC_INT_H

/*
 * Starting a program.  exec.c (the steps), exec_args.c (collecting argv and
 * envp), exec_layout.c (where things go), exec_stack.c (pure: the initial
 * stack), boot_env.c (the first program's environment).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elf_int.h"

#define EXEC_ARGS_MAX   (2ul << 20) /* bytes of strings, as Linux has it */
#define EXEC_ARG_MAX    (128ul * 1024)
#define EXEC_STACK_SIZE (8ul << 20)

/* argv and envp: (argc + envc) strings one after the other. */
struct trapframe;

struct exec_args {
	char *text;
	size_t len, cap;
	unsigned argc, envc;
};

/* exec_args.c: 0, -ENOMEM, -E2BIG, -EFAULT.  All of argv, then all of envp. */
int exec_args_add(struct exec_args *, const char *, bool env);
int exec_args_add_user(
    struct exec_args *, const char *const *user_vec, bool env);
/* Put (s) before all else: for scripts.  The first (drop) strings go. */
int exec_args_prepend(struct exec_args *, const char *s, unsigned drop);
void exec_args_free(struct exec_args *);

/* What the stack says of the program besides its arguments. */
struct exec_info {
	const char *execfn;
	uint64_t entry, phdr, phnum, interp_base;
	uint64_t hwcap, hwcap2, minsigstksz;
	uint64_t vdso, call_entry; /* 0: none */
	uint32_t uid, euid, gid, egid;
	uint8_t random[16];
};

struct exec_stack {
	uintptr_t sp;
	uintptr_t arg_start, arg_end, env_start, env_end;
	uintptr_t auxv;
	unsigned auxv_len; /* bytes */
};

/* Bytes that exec_stack_build() needs at most. */
size_t exec_stack_size(const struct exec_args *, const struct exec_info *);
/*
 * Write the initial stack that ends at (top), 16-aligned, to the end of (buf),
 * which stands for [top - n, top).  (n) is exec_stack_size()'s or more.
 */
void exec_stack_build(const struct exec_args *, const struct exec_info *,
    uintptr_t top, void *buf, size_t n, struct exec_stack *out);

/* exec_layout.c */
struct exec_layout {
	bool random;
	uintptr_t pie_base, stack_top;
	size_t brk_gap; /* from the program's end to the break */
};
void exec_layout_choose(uint32_t personality, struct exec_layout *);

/* boot_env.c: the environment of the first program.  0 or -ENOMEM. */
int boot_env(struct exec_args *);

/*
 * Replace what the current process runs; (args) is complete.  On success the
 * registers to begin with are in (*tf).  -errno with the reason in why[];
 * (*gone): the old program cannot go on.
 */
int exec_load(const char *path, struct exec_args *args, struct trapframe *tf,
    char why[128], bool *gone);

#endif /* LINUX_EXEC_INT_H */
