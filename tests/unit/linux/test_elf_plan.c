#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>

#include "../../../kernel/linux/elf_int.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/string.h"
#include "kern/vm.h"

/* A small program: header, program headers, text, data, an interpreter. */
#define NPH_MAX 40

struct image {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[NPH_MAX];
	char interp[64];
	uint8_t rest[16384];
};

static struct image img;
static long read_error;

static long read_image(
    const struct elf_src *src, void *buf, size_t n, uint64_t off)
{
	(void)src;
	if (read_error)
		return read_error;
	assert_true(off <= sizeof(img) && n <= sizeof(img) - off);
	memcpy(buf, (const char *)&img + off, n);
	return (long)n;
}

static int plan_sized(struct elf_plan *p, const char **why, uint64_t size)
{
	struct elf_src src = { read_image, NULL, size };

	return elf_plan(&src, p, why);
}

static int plan(struct elf_plan *p, const char **why)
{
	return plan_sized(p, why, sizeof(img));
}

static void set_load(Elf64_Phdr *ph, uint64_t vaddr, uint64_t off,
    uint64_t filesz, uint64_t memsz, uint32_t flags)
{
	*ph = (Elf64_Phdr){ .p_type = PT_LOAD,
		.p_vaddr = vaddr,
		.p_offset = off,
		.p_filesz = filesz,
		.p_memsz = memsz,
		.p_flags = flags,
		.p_align = 4096 };
}

static void make_good(void)
{
	memset(&img, 0, sizeof(img));
	memcpy(img.eh.e_ident, ELFMAG, SELFMAG);
	img.eh.e_ident[EI_CLASS] = ELFCLASS64;
	img.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	img.eh.e_ident[EI_VERSION] = EV_CURRENT;
	img.eh.e_type = ET_EXEC;
	img.eh.e_machine = EM_X86_64;
	img.eh.e_version = EV_CURRENT;
	img.eh.e_entry = 0x401010;
	img.eh.e_phoff = offsetof(struct image, ph);
	img.eh.e_phentsize = sizeof(Elf64_Phdr);
	img.eh.e_phnum = 3;
	set_load(&img.ph[0], 0x400000, 0, 0x1000, 0x1000, PF_R);
	set_load(&img.ph[1], 0x401000, 0x1000, 0x800, 0x800, PF_R | PF_X);
	set_load(&img.ph[2], 0x403800, 0x1800, 0x300, 0x5000, PF_R | PF_W);
}

static void add_interp(const char *path)
{
	Elf64_Phdr *ph = &img.ph[img.eh.e_phnum++];

	*ph = (Elf64_Phdr){ .p_type = PT_INTERP,
		.p_offset = offsetof(struct image, interp),
		.p_filesz = strlen(path) + 1 };
	memcpy(img.interp, path, strlen(path) + 1);
}

static void expect_plan(struct elf_plan *p)
{
	const char *why;

	assert_int_equal(plan(p, &why), 0);
}

static void expect_refusal(const char *reason)
{
	struct elf_plan p;
	const char *why = "";

	assert_int_equal(plan(&p, &why), -ENOEXEC);
	assert_string_equal(why, reason);
}

static void test_static(void **state)
{
	struct elf_plan p;

	(void)state;
	make_good();
	expect_plan(&p);
	assert_int_equal(p.nseg, 3);
	assert_int_equal(p.lo, 0x400000);
	assert_int_equal(p.hi, 0x409000);
	assert_int_equal(p.entry, 0x401010);
	assert_int_equal(p.phdr_vaddr, 0x400000 + img.eh.e_phoff);
	assert_int_equal(p.phnum, 3);
	assert_false(p.pie);
	assert_false(p.exec_stack);
	assert_string_equal(p.interp, "");
	assert_int_equal(p.seg[1].prot, VM_READ | VM_EXEC);
	assert_int_equal(p.seg[2].prot, VM_READ | VM_WRITE);
	assert_int_equal(p.seg[2].filesz, 0x300);
	assert_int_equal(p.seg[2].memsz, 0x5000);
}

static void test_pie(void **state)
{
	struct elf_plan p;

	(void)state;
	make_good();
	img.eh.e_type = ET_DYN;
	img.eh.e_entry = 0x1010;
	for (int i = 0; i < 3; i++)
		img.ph[i].p_vaddr -= 0x400000;
	img.ph[1].p_align = 0x200000;
	add_interp("/lib64/ld-linux-x86-64.so.2");
	expect_plan(&p);
	assert_true(p.pie);
	assert_int_equal(p.lo, 0);
	assert_int_equal(p.align, 0x200000);
	assert_string_equal(p.interp, "/lib64/ld-linux-x86-64.so.2");
}

static void test_wx_segment_is_noted(void **state)
{
	struct elf_plan p;

	(void)state;
	make_good();
	expect_plan(&p);
	assert_false(p.wx_segment);
	img.ph[2].p_flags |= PF_X;
	expect_plan(&p);
	assert_true(p.wx_segment);
}

static void test_exec_stack_is_noted(void **state)
{
	struct elf_plan p;

	(void)state;
	make_good();
	img.ph[img.eh.e_phnum++] = (Elf64_Phdr){ .p_type = PT_GNU_STACK,
		.p_flags = PF_R | PF_W | PF_X };
	expect_plan(&p);
	assert_true(p.exec_stack);
}

/* The headers are in no segment: the program finds them otherwise. */
static void test_phdr_not_loaded(void **state)
{
	struct elf_plan p;

	(void)state;
	make_good();
	img.ph[0] = img.ph[1];
	img.ph[1] = img.ph[2];
	img.eh.e_phnum = 2;
	expect_plan(&p);
	assert_int_equal(p.phdr_vaddr, 0);
}

static void test_empty_segment_is_skipped(void **state)
{
	struct elf_plan p;

	(void)state;
	make_good();
	img.ph[0].p_memsz = img.ph[0].p_filesz = 0;
	expect_plan(&p);
	assert_int_equal(p.nseg, 2);
}

static void test_bad_header(void **state)
{
	(void)state;
	make_good();
	img.eh.e_ident[1] = 'X';
	expect_refusal("not an ELF file");
	make_good();
	img.eh.e_machine = EM_AARCH64;
	expect_refusal("not an x86-64 ELF");
	make_good();
	img.eh.e_ident[EI_CLASS] = ELFCLASS32;
	expect_refusal("not an x86-64 ELF");
	make_good();
	img.eh.e_ident[EI_DATA] = ELFDATA2MSB;
	expect_refusal("not an x86-64 ELF");
	make_good();
	img.eh.e_version = 2;
	expect_refusal("unknown ELF version");
	make_good();
	img.eh.e_type = ET_REL;
	expect_refusal("not an executable");
	make_good();
	img.eh.e_type = ET_CORE;
	expect_refusal("not an executable");
	make_good();
	img.eh.e_phentsize = 32;
	expect_refusal("program headers of a wrong size");
	make_good();
	img.eh.e_phnum = 0;
	expect_refusal("no program headers");
	make_good();
	img.eh.e_phnum = 0xffff;
	expect_refusal("too many program headers");
	make_good();
	img.eh.e_phoff = sizeof(img) - 10;
	expect_refusal("program headers outside the file");
	make_good();
	img.eh.e_phoff = UINT64_MAX - 8;
	expect_refusal("program headers outside the file");
}

static void test_bad_segment(void **state)
{
	(void)state;
	make_good();
	img.ph[1].p_memsz = 0x700;
	expect_refusal("segment larger in the file than in memory");
	make_good();
	img.ph[1].p_offset = sizeof(img) & ~0xffful;
	img.ph[1].p_filesz = img.ph[1].p_memsz = 0x10000;
	expect_refusal("file is truncated");
	make_good();
	img.ph[1].p_offset = UINT64_MAX & ~0xffful;
	expect_refusal("file is truncated");
	make_good();
	img.ph[2].p_vaddr = UINT64_MAX - 0x7ff;
	expect_refusal("segment outside the address space");
	make_good();
	img.ph[2].p_memsz = USER_MAX;
	expect_refusal("segment outside the address space");
	make_good();
	img.ph[2].p_vaddr = USER_MAX - 0x800;
	expect_refusal("segment outside the address space");
	make_good();
	img.ph[1].p_align = 0x3000;
	expect_refusal("segment's alignment is no power of two");
	make_good();
	img.ph[1].p_align = 1ul << 40;
	expect_refusal("segment's alignment too large");
	make_good();
	img.ph[1].p_offset += 8;
	expect_refusal("segment not aligned to a page in the file");
	make_good();
	img.ph[2].p_vaddr = 0x401800;
	expect_refusal("segments overlap or out of order");
	make_good();
	img.ph[2].p_vaddr = 0x300800;
	expect_refusal("segments overlap or out of order");
	make_good();
	img.ph[0].p_vaddr = 0;
	expect_refusal("segment below the first 64 KiB");
}

static void test_bad_whole(void **state)
{
	(void)state;
	make_good();
	img.eh.e_entry = 0x403800;
	expect_refusal("entry point in no executable segment");
	make_good();
	img.eh.e_entry = 0;
	expect_refusal("entry point in no executable segment");
	make_good();
	for (int i = 0; i < 3; i++)
		img.ph[i].p_type = PT_NOTE;
	expect_refusal("nothing to load");
	make_good();
	img.eh.e_phnum = NPH_MAX;
	for (unsigned i = 0; i < NPH_MAX; i++)
		set_load(
		    &img.ph[i], 0x400000 + i * 0x1000, 0, 0x100, 0x100, PF_R);
	expect_refusal("too many segments");
}

static void test_bad_interp(void **state)
{
	(void)state;
	make_good();
	add_interp("/lib/ld.so");
	add_interp("/lib/ld.so");
	expect_refusal("two interpreters");
	make_good();
	add_interp("/lib/ld.so");
	img.ph[3].p_filesz--;
	expect_refusal("interpreter's path not terminated");
	make_good();
	add_interp("");
	expect_refusal("interpreter's path too short or too long");
	make_good();
	add_interp("/lib/ld.so");
	img.ph[3].p_filesz = 5000;
	expect_refusal("interpreter's path too short or too long");
	make_good();
	add_interp("/lib/ld.so");
	img.interp[0] = '\0';
	expect_refusal("interpreter's path empty");
	make_good();
	add_interp("/lib/ld.so");
	img.ph[3].p_offset = sizeof(img);
	expect_refusal("interpreter's path outside the file");
}

/* Every length that a truncated file may have. */
static void test_truncated(void **state)
{
	struct elf_plan p;
	const char *why;

	(void)state;
	make_good();
	add_interp("/lib/ld.so");
	for (uint64_t size = 0; size < 0x1b00; size++)
		assert_int_equal(plan_sized(&p, &why, size), -ENOEXEC);
	assert_int_equal(plan_sized(&p, &why, 0x1b00), 0);
}

static void test_read_error(void **state)
{
	struct elf_plan p;
	const char *why = "";

	(void)state;
	make_good();
	read_error = -EIO;
	assert_int_equal(plan(&p, &why), -EIO);
	read_error = 0;
	assert_string_equal(why, "cannot be read");
}

/* What is accepted must be safe to map, whatever the headers say. */
static void check_sane(const struct elf_plan *p)
{
	uint64_t last = 0;

	assert_in_range(p->nseg, 1, ELF_SEG_MAX);
	assert_true(p->hi > p->lo && p->hi <= USER_MAX);
	for (unsigned i = 0; i < p->nseg; i++) {
		const struct elf_seg *s = &p->seg[i];

		assert_true(s->filesz <= s->memsz);
		assert_true(s->offset + s->filesz <= sizeof(img));
		assert_true((s->vaddr & ~0xffful) >= last);
		assert_true(s->vaddr >= p->lo && s->vaddr + s->memsz <= p->hi);
		assert_true(p->wx_segment || !(s->prot & VM_WRITE) ||
			    !(s->prot & VM_EXEC));
		last = (s->vaddr + s->memsz + 0xfff) & ~0xffful;
	}
	assert_true(memchr(p->interp, 0, sizeof(p->interp)));
}

static void test_every_bit_flipped(void **state)
{
	size_t n = offsetof(struct image, ph) + 4 * sizeof(Elf64_Phdr);
	struct elf_plan p;
	const char *why;
	unsigned accepted = 0;

	(void)state;
	make_good();
	add_interp("/lib/ld.so");
	for (size_t bit = 0; bit < n * 8; bit++) {
		uint8_t *byte = (uint8_t *)&img + bit / 8;

		*byte ^= (uint8_t)(1u << (bit % 8));
		if (plan(&p, &why) == 0) {
			check_sane(&p);
			accepted++;
		}
		*byte ^= (uint8_t)(1u << (bit % 8));
	}
	/* Padding, addresses and flags do not all matter. */
	assert_in_range(accepted, 100, n * 8 - 100);
}

static void test_random_headers(void **state)
{
	uint64_t x = 88172645463325252ull;
	struct elf_plan p;
	const char *why;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		make_good();
		add_interp("/lib/ld.so");
		for (int i = 0; i < 4; i++) {
			uint8_t *byte = (uint8_t *)&img;

			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			byte[x % 290] = (uint8_t)(x >> 32);
		}
		if (plan(&p, &why) == 0)
			check_sane(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_static),
		cmocka_unit_test(test_pie),
		cmocka_unit_test(test_exec_stack_is_noted),
		cmocka_unit_test(test_wx_segment_is_noted),
		cmocka_unit_test(test_phdr_not_loaded),
		cmocka_unit_test(test_empty_segment_is_skipped),
		cmocka_unit_test(test_bad_header),
		cmocka_unit_test(test_bad_segment),
		cmocka_unit_test(test_bad_whole),
		cmocka_unit_test(test_bad_interp),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_read_error),
		cmocka_unit_test(test_every_bit_flipped),
		cmocka_unit_test(test_random_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
