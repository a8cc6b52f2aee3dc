/*
 * The loader's memory map made usable: sorted, without overlaps, in pages.
 * Nothing here touches the machine.
 */

#include "kern/compiler.h"
#include "kern/num.h"
#include "kern/string.h"

#include "arch_int.h"

#define PA_LIMIT (1ull << 46) /* what the direct map can hold, and more */

/* Where entries overlap the stricter type is believed. */
static int type_rank(enum boot_mem_type t)
{
	switch (t) {
	case BOOT_MEM_RAM:
		return 1;
	case BOOT_MEM_ABSENT:
		return 2;
	case BOOT_MEM_ACPI:
		return 3;
	case BOOT_MEM_NVS:
		return 4;
	case BOOT_MEM_UNUSABLE:
		return 6;
	case BOOT_MEM_RESERVED:
	default:
		return 5;
	}
}

static void sort_u64(uint64_t *v, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		uint64_t x = v[i];
		unsigned j = i;

		for (; j > 0 && v[j - 1] > x; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

/* RAM shrinks to whole pages, all else grows. */
static unsigned collect_edges(struct boot_info *info, uint64_t *edge)
{
	unsigned n = 0;

	for (unsigned i = 0; i < info->nmem; i++) {
		struct boot_mem *m = &info->mem[i];
		uint64_t start = MIN(m->pa, PA_LIMIT);
		uint64_t end;

		if (add_overflow(m->pa, m->len, &end) || end > PA_LIMIT)
			end = PA_LIMIT;
		if (m->type == BOOT_MEM_RAM || m->type == BOOT_MEM_ABSENT) {
			start = ALIGN_UP(start, PAGE_SIZE);
			end = ALIGN_DOWN(end, PAGE_SIZE);
		} else {
			start = ALIGN_DOWN(start, PAGE_SIZE);
			end = ALIGN_UP(end, PAGE_SIZE);
		}
		m->pa = start;
		m->len = end > start ? end - start : 0;
		if (!m->len)
			continue;
		edge[n++] = start;
		edge[n++] = end;
	}
	sort_u64(edge, n);
	return n;
}

/* The type at (pa), or 0 for a hole. */
static enum boot_mem_type type_at(const struct boot_info *info, uint64_t pa)
{
	enum boot_mem_type best = 0;

	for (unsigned i = 0; i < info->nmem; i++) {
		const struct boot_mem *m = &info->mem[i];

		if (pa < m->pa || pa - m->pa >= m->len)
			continue;
		if (!best || type_rank(m->type) > type_rank(best))
			best = m->type;
	}
	return best;
}

void bootmem_normalise(struct boot_info *info)
{
	static uint64_t edge[2 * BOOT_MEM_MAX];
	static struct boot_mem out[BOOT_MEM_MAX];
	unsigned nedge, n = 0;

	nedge = collect_edges(info, edge);
	for (unsigned i = 0; i + 1 < nedge; i++) {
		uint64_t a = edge[i], b = edge[i + 1];
		enum boot_mem_type t;

		if (a == b)
			continue;
		t = type_at(info, a);
		if (!t)
			continue;
		if (n && out[n - 1].type == t &&
		    out[n - 1].pa + out[n - 1].len == a)
			out[n - 1].len += b - a;
		else if (n < BOOT_MEM_MAX)
			out[n++] = (struct boot_mem){ a, b - a, t };
	}
	memcpy(info->mem, out, n * sizeof(out[0]));
	info->nmem = n;
}

/* The end of the lowest thing to keep in the way of [pa, pa + len)'s start;
 * returns its start, or UINT64_MAX. */
static uint64_t obstacle(const struct boot_info *info, uint64_t pa,
    uint64_t len, uint64_t keep_start, uint64_t keep_end)
{
	if (pa < keep_end && keep_start < pa + len)
		return keep_start;
	for (unsigned i = 0; i < info->nmodule; i++) {
		const struct boot_module *m = &info->module[i];

		if (pa < m->pa + m->len && m->pa < pa + len)
			return m->pa;
	}
	return UINT64_MAX;
}

/* Take [pa, pa + len) out of entry (i) of the map. */
static bool cut_out(
    struct boot_info *info, unsigned i, uint64_t pa, uint64_t len)
{
	struct boot_mem *m = &info->mem[i];
	uint64_t end = m->pa + m->len;

	if (pa + len < end) { /* the piece above */
		if (info->nmem == BOOT_MEM_MAX)
			return false;
		memmove(m + 2, m + 1, (info->nmem - i - 1) * sizeof(*m));
		m[1] = (struct boot_mem){ pa + len, end - pa - len, m->type };
		info->nmem++;
	}
	m->len = pa - m->pa;
	return true;
}

uint64_t bootmem_carve(struct boot_info *info, uint64_t len, uint64_t limit,
    uint64_t keep_start, uint64_t keep_end)
{
	for (unsigned i = info->nmem; i-- > 0;) {
		const struct boot_mem *m = &info->mem[i];
		uint64_t top = MIN(m->pa + m->len, limit);

		if (m->type != BOOT_MEM_RAM)
			continue;
		while (top >= len && top - len >= m->pa) {
			uint64_t pa = ALIGN_DOWN(top - len, PAGE_SIZE);
			uint64_t o =
			    obstacle(info, pa, len, keep_start, keep_end);

			if (pa < m->pa)
				break;
			if (o == UINT64_MAX)
				return cut_out(info, i, pa, len) ? pa : 0;
			top = MIN(o, pa);
		}
	}
	return 0;
}
