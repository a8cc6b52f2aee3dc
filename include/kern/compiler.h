#ifndef KERN_COMPILER_H
#define KERN_COMPILER_H

/* The compiler's attributes under short names: nothing else belongs here. */

#include <stddef.h>

#define likely(x)         __builtin_expect(!!(x), 1)
#define unlikely(x)       __builtin_expect(!!(x), 0)

#define PACKED            __attribute__((packed))
#define ALIGNED(n)        __attribute__((aligned(n)))
#define SECTION(s)        __attribute__((section(s)))
#define NOINLINE          __attribute__((noinline))
#define WEAK              __attribute__((weak))
#define COLD              __attribute__((cold))
#define MUST_CHECK        __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

#define CACHE_LINE        64

/*
 * For what is called rarely from where every register counts: the function
 * keeps them all, so that its caller has none to save.  Not every compiler
 * makes use of that by itself, so the call has to be made in this way.  It does
 * not see a call, so the stack may not be aligned, nor have a frame for it.
 */
#ifdef __KERNEL__
#define KEEPS_REGISTERS  __attribute__((noinline, no_caller_saved_registers))
#define CALL_KEEPING(fn) __asm__ volatile("call " #fn ::: "memory", "cc")
#define CALL_KEEPING1(fn, a) \
	__asm__ volatile("call " #fn ::"D"(a) : "memory", "cc")
#define CALL_KEEPING2(fn, a, b) \
	__asm__ volatile("call " #fn ::"D"(a), "S"(b) : "memory", "cc")
#else
#define KEEPS_REGISTERS
#define CALL_KEEPING(fn)        fn()
#define CALL_KEEPING1(fn, a)    fn(a)
#define CALL_KEEPING2(fn, a, b) fn(a, b)
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* One load or store of memory that another cpu or domain may change. */
#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#define barrier()        __asm__ volatile("" ::: "memory")

/*
 * Put &(obj) on the linker set (set).  The section holds pointers, not
 * structs, so that no alignment padding can appear between entries; its
 * bounds set_start and set_end are named in kernel.lds.
 */
#define LINKER_SET_ADD(set, type, obj)             \
	static const type *const set##_entry_##obj \
	    __attribute__((section(#set), used)) = &(obj)

#endif /* KERN_COMPILER_H */
