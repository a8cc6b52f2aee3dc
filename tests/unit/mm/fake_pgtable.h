#ifndef FAKE_PGTABLE_H
#define FAKE_PGTABLE_H

/* kern/arch.h's page tables for host tests: entries in a hash.  A page
 * that is freed while a translation may be cached aborts: pt_unmap() and a
 * narrowing pt_protect() make an entry stale until pt_flush(). */

#include <stdbool.h>
#include <stdint.h>

/* Entries of all tables. */
unsigned fake_pt_entries(void);
/* Make the nth pt_map() from now fail; 0: none. */
void fake_pt_fail_nth(long n);
/* Translations that a cpu may still hold for pages that are unmapped. */
unsigned fake_pt_stale(void);

/* The processor has written there: not clean any more. */
struct pgtable;
void fake_pt_written(struct pgtable *, uintptr_t va);

#endif /* FAKE_PGTABLE_H */
