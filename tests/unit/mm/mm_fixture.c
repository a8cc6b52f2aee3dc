#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kern/arch.h"
#include "kern/boot.h"
#include "kern/mm.h"
#include "kern/panic.h"
#include "mm_fixture.h"

struct boot_info boot_info;
char kernel_start[1];
jmp_buf fixture_panic_jmp;
bool fixture_panic_expected;

static char *arena;
static uint64_t arena_size;

void fixture_create(uint64_t size)
{
	memset(&boot_info, 0, sizeof(boot_info));
	arena_size = size;
	arena = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena == MAP_FAILED)
		abort();
}

void fixture_destroy(void)
{
	munmap(arena, arena_size);
	arena = NULL;
}

void fixture_ram(uint64_t pa, uint64_t len)
{
	boot_info.mem[boot_info.nmem++] =
	    (struct boot_mem){ pa, len, BOOT_MEM_RAM };
}

void fixture_module(uint64_t pa, uint64_t len)
{
	struct boot_module *m = &boot_info.module[boot_info.nmodule++];

	m->pa = pa;
	m->len = len;
}

uint64_t fixture_touched(void)
{
	size_t n = arena_size >> PAGE_SHIFT;
	unsigned char *vec = malloc(n);
	uint64_t touched = 0;

	if (mincore(arena, arena_size, vec) != 0)
		abort();
	for (size_t i = 0; i < n; i++)
		touched += vec[i] & 1;
	free(vec);
	return touched << PAGE_SHIFT;
}

paddr_t va_to_pa(const void *va)
{
	uintptr_t off = (uintptr_t)va - (uintptr_t)arena;

	if (va == kernel_start)
		return FIXTURE_IMAGE_PA;
	if (off >= arena_size)
		panic("va_to_pa(%p)", va);
	return off;
}

void *pa_to_va(paddr_t pa)
{
	return arena + pa;
}

uint64_t arch_boot_pa_end(void)
{
	return FIXTURE_IMAGE_PA + FIXTURE_IMAGE_LEN;
}

bool irq_enabled(void)
{
	return true;
}

void panic(const char *fmt, ...)
{
	va_list ap;

	if (fixture_panic_expected) {
		fixture_panic_expected = false;
		longjmp(fixture_panic_jmp, 1);
	}
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}
