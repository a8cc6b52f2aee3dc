#ifndef VM_FIXTURE_H
#define VM_FIXTURE_H

/* A space for each test, an object like a page cache, and a program's accesses
 * as the processor would make them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/mman.h>
#include <cmocka.h>

#include "kern/errno.h"
#include "kern/num.h"
#include "kernel/mm/vm_int.h"
#include "fake_mm.h"
#include "fake_pgtable.h"

#define RW        (VM_READ | VM_WRITE)
#define PG        PAGE_SIZE
#define BASE      0x10000000ul
#define OBJ_PAGES 16

/* Page (i) is full of 'a' + i. */
struct object {
	struct vm_object obj;
	int refs;
	unsigned char *page[OBJ_PAGES];
	unsigned written, synced; /* bit for each page */
	void (*before_return)(struct object *);
};
extern const struct vm_object_ops obj_ops;
void obj_drop(struct object *o, unsigned first);

/* What page_free_bytes() says; what is counted. */
extern uint64_t fixture_free;
extern int64_t anon_pages, huge_pages;

/* As memory runs short. */
size_t shrink_lazily(size_t target);

extern struct vm_space *s;
int setup(void **state);
int teardown(void **state); /* nothing may be left */
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

void map_at(uintptr_t at, size_t len, unsigned prot, unsigned flags,
    struct object *o, uint64_t off);
/* The byte, or -errno. */
int peek(uintptr_t va);
/* 0 or -errno. */
int poke(uintptr_t va, unsigned char c);
unsigned nvma(void);

#endif /* VM_FIXTURE_H */
