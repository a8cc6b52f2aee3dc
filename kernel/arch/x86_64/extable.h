#ifndef ARCH_EXTABLE_H
#define ARCH_EXTABLE_H

/* A fault at label (from) goes on at label (to).  For C and assembly. */

/* clang-format off */
#ifdef __ASSEMBLY__
	.macro extable from, to
	.pushsection ex_table, "a"
	.balign 8
	.quad \from, \to
	.popsection
	.endm
#else
#define EXTABLE(from, to)                \
	".pushsection ex_table, \"a\"\n" \
	".balign 8\n"                    \
	".quad " from ", " to "\n"       \
	".popsection\n"
#endif
/* clang-format on */

#endif /* ARCH_EXTABLE_H */
