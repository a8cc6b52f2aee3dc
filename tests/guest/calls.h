/* For guest tests: calls without arguments, by ways into the kernel that the
 * test chooses.  What they answer is dropped. */

/* The number stands right before the instruction: such a site is rewritten. */
#define NEAR_CALL(nr)                              \
	__asm__ volatile("movl %0, %%eax; syscall" \
			 :                         \
			 : "i"(nr)                 \
			 : "rax", "rcx", "r11", "memory")

/* The number comes from memory, and (insn) is what makes the call. */
#define FAR_CALL(insn, nr)                                  \
	do {                                                \
		static volatile long number_ = nr;          \
		long rax_ = number_;                        \
		__asm__ volatile(insn                       \
				 : "+a"(rax_)               \
				 :                          \
				 : "rcx", "r11", "memory"); \
	} while (0)
