/*
 * The kernel's final page tables: the image with W^X, all RAM at
 * DIRECT_MAP_BASE, nothing in the lower half.  Runs once, before there is an
 * allocator: tables come from a pool in the image, and from the memory map
 * when there is more RAM than the pool can map.
 */

#include "kern/compiler.h"
#include "kern/num.h"
#include "kern/panic.h"
#include "kern/string.h"

#include "arch_int.h"

#define POOL_PAGES 32
#define CARVE_LEN  (64 * PAGE_SIZE)

#define SIZE_1G    (1ull << 30)
#define LOW_1M     (1ull << 20)

#define PTE_TABLE  (PTE_P | PTE_W | PTE_A)
#define PTE_KERNEL (PTE_P | PTE_A | PTE_D | PTE_G)

static uint8_t pool[POOL_PAGES][PAGE_SIZE] SECTION(".bss.page_aligned")
    ALIGNED(PAGE_SIZE);
#define EARLY_PAGES 8
static uint64_t early_page[EARLY_PAGES];
static unsigned nearly;

static uint64_t pool_next, pool_end; /* physical */

uint64_t paging_kernel_root;

/*
 * Carved memory may hold anything.  It is below 4 GiB, where the boot tables
 * and the new ones map it at the same place.
 */
static uint64_t table_alloc(void)
{
	uint64_t pa, *t;

	if (!pool_end) {
		pool_next = image_pa(pool);
		pool_end = pool_next + sizeof(pool);
	}
	if (pool_next == pool_end) {
		pool_next = bootmem_carve(&boot_info, CARVE_LEN, 4 * SIZE_1G,
		    image_pa(kernel_start), image_pa(kernel_end));
		if (!pool_next)
			panic("no memory for page tables");
		pool_end = pool_next + CARVE_LEN;
	}
	pa = pool_next;
	pool_next += PAGE_SIZE;
	t = direct_map(pa);
	memset(t, 0, PAGE_SIZE);
	return pa;
}

/* The entry for (va) at (level): 0 is a 4 KiB page's. */
static uint64_t *entry_at(uint64_t root, uintptr_t va, unsigned level)
{
	uint64_t *t = direct_map(root);

	for (unsigned l = 3;; l--) {
		uint64_t *e = &t[va >> (12 + 9 * l) & 511];

		if (l == level)
			return e;
		if (!*e)
			*e = table_alloc() | PTE_TABLE;
		assert(!(*e & PTE_PS));
		t = direct_map(*e & PTE_ADDR);
	}
}

static unsigned level_for(uintptr_t va, uint64_t pa, uint64_t len)
{
	if (cpu_features.gbpages && len >= SIZE_1G &&
	    IS_ALIGNED(va | pa, SIZE_1G))
		return 2;
	if (len >= PAGE_SIZE_2M && IS_ALIGNED(va | pa, PAGE_SIZE_2M))
		return 1;
	return 0;
}

/* What follows in the same table needs no walk: there may be much RAM and no
 * pages of 1 GiB. */
static void map(
    uint64_t root, uintptr_t va, uint64_t pa, uint64_t len, uint64_t flags)
{
	while (len) {
		unsigned level = level_for(va, pa, len);
		uint64_t size = 1ull << (12 + 9 * level);
		uint64_t room = 512 - (va >> (12 + 9 * level) & 511);
		uint64_t n = MIN(len / size, room);
		uint64_t *e = entry_at(root, va, level);
		uint64_t bits = flags | PTE_KERNEL | (level ? PTE_PS : 0);

#pragma GCC unroll 8
		for (uint64_t i = 0; i < n; i++)
			e[i] = (pa | bits) + i * size;
		va += n * size;
		pa += n * size;
		len -= n * size;
	}
}

static void map_image(
    uint64_t root, const char *start, const char *end, uint64_t flags)
{
	map(root, (uintptr_t)start, image_pa(start), (uint64_t)(end - start),
	    flags);
}

/* Text and read-only data must not be writable through their alias either. */
static void map_direct(uint64_t root, uint64_t start, uint64_t end)
{
	uint64_t ro[2] = { image_pa(kernel_start), image_pa(rodata_end) };

	while (start < end) {
		uint64_t stop = end, flags = PTE_W | PTE_NX;

		if (start < ro[0]) {
			stop = MIN(end, ro[0]);
		} else if (start < ro[1]) {
			stop = MIN(end, ro[1]);
			flags = PTE_NX;
		}
		map(root, DIRECT_MAP_BASE + start, start, stop - start, flags);
		start = stop;
	}
}

void *early_map_page(uint64_t pa)
{
	assert(nearly < EARLY_PAGES && pa < 4 * SIZE_1G && !paging_kernel_root);
	early_page[nearly++] = ALIGN_DOWN(pa, PAGE_SIZE);
	return direct_map(pa);
}

void paging_init(void)
{
	static struct boot_mem mem[BOOT_MEM_MAX]; /* table_alloc() may carve */
	unsigned nmem = boot_info.nmem;
	uint64_t root = table_alloc();

	memcpy(mem, boot_info.mem, sizeof(mem));
	/* Every address space shares these: there before the first is made. */
	for (uintptr_t va = KMAP_BASE; va < KMAP_BASE + KMAP_SIZE;
	     va += 1ul << 39)
		entry_at(root, va, 2);

	map_image(root, kernel_start, text_end, 0);
	map_image(root, text_end, rodata_end, PTE_NX);
	map_image(root, rodata_end, kernel_end, PTE_W | PTE_NX);
	*entry_at(root, (uintptr_t)boot_stack_guard, 0) = 0;

	map_direct(root, 0, LOW_1M); /* firmware's tables */
	for (unsigned i = 0; i < nmem; i++) {
		const struct boot_mem *m = &mem[i];
		uint64_t start = MAX(m->pa, LOW_1M);

		if (m->type == BOOT_MEM_RESERVED ||
		    m->type == BOOT_MEM_UNUSABLE || start >= m->pa + m->len)
			continue;
		map_direct(root, start, m->pa + m->len);
	}
	for (unsigned i = 0; i < nearly; i++)
		map(root, DIRECT_MAP_BASE + early_page[i], early_page[i],
		    PAGE_SIZE, PTE_W | PTE_NX);
	paging_kernel_root = root;
	cpu_self()->arch->pgtable = (struct pgtable *)direct_map(root);
	write_cr3(root);
}

/* What was carved has left the memory map: only the image is to be kept. */
uint64_t arch_boot_pa_end(void)
{
	return image_pa(kernel_end);
}
