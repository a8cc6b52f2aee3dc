/*
 * The heap with a host thread for each cpu: objects are freed where they were
 * not allocated, slabs change owners, empty ones go back.  Compiled with the
 * file under test, to look at what it keeps.  Run with TSan and with ASan.
 */

#include "kernel/mm/slab.c"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kern/sched.h"
#include "kern/shrink.h"
#include "mm_fixture.h"

#define NCPU  4
#define NSLOT 64
#define STEPS 60000

static struct mm_cpu mm_cpu[NCPU];
static struct cpu cpu[NCPU];
static struct thread thread[NCPU];
static _Thread_local unsigned self;
struct cpu *cpus[CPU_MAX];

/*
 * How much is free is looked at without the lock, for a hint; and the buddy
 * looks at neighbours whose owners change them at will, but never to or from
 * PAGE_FREE without its lock.
 */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return "race:page_shortfall\nrace:buddy_free\n";
}

struct cpu *cpu_self(void)
{
	return &cpu[self];
}

struct thread *thread_self(void)
{
	return &thread[self];
}

void preempt_resched(void)
{
}

bool mm_may_block(void)
{
	return true;
}

void mm_reclaim_soon(size_t bytes)
{
	(void)bytes;
}

bool mm_reclaim(size_t bytes)
{
	(void)bytes;
	return false;
}

/* Where the threads leave objects for each other. */
static _Atomic(uint32_t *) slot[NSLOT];

static void check_and_free(uint32_t *obj)
{
	if (!obj)
		return;
	/* size, then a tag at either end: nobody else has written to it */
	assert_int_equal(obj[1], obj[obj[0] / 4 - 1]);
	obj[1]++;
	kfree(obj);
}

static uint32_t *make(uint32_t size, uint32_t tag)
{
	uint32_t *obj = kmalloc(size);

	if (!obj)
		return NULL;
	obj[0] = size;
	obj[1] = obj[size / 4 - 1] = tag;
	return obj;
}

static void *run(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg + 1;

	self = (unsigned)(uintptr_t)arg;
	for (unsigned i = 0; i < STEPS; i++) {
		uint32_t size = 16u << (rand_r(&seed) % 7);
		unsigned k = (unsigned)rand_r(&seed) % NSLOT;

		if (rand_r(&seed) % 100 == 0) {
			/* many at once, so that slabs fill and empty */
			uint32_t *many[100];

			for (unsigned j = 0; j < 100; j++)
				many[j] = make(size, i);
			for (unsigned j = 0; j < 100; j++)
				check_and_free(atomic_exchange(
				    &slot[(k + j) % NSLOT], many[j]));
			continue;
		}
		check_and_free(atomic_exchange(&slot[k], make(size, i)));
	}
	return NULL;
}

static uint64_t kept_by_cpus(void)
{
	uint64_t pages = 0;

	for (unsigned c = 0; c < NCPU; c++)
		for (unsigned k = 0; k < NCLASS; k++) {
			partial_unload(&mm_cpu[c].slab[k], &classes[k], 0);
			if (mm_cpu[c].slab[k].slab)
				pages += 1u << classes[k].order;
		}
	return pages;
}

static void test_remote_frees(void **state)
{
	pthread_t t[NCPU];
	uint64_t kept;

	(void)state;
	fixture_create(64ull << 20);
	fixture_ram(0, 64ull << 20);
	for (unsigned i = 0; i < NCPU; i++) {
		cpu[i].self = cpus[i] = &cpu[i];
		cpu[i].mm = &mm_cpu[i];
		cpu[i].id = i;
	}
	page_init();
	slab_init();
	for (uintptr_t i = 0; i < NCPU; i++)
		pthread_create(&t[i], NULL, run, (void *)i);
	for (unsigned i = 0; i < NCPU; i++)
		pthread_join(t[i], NULL);
	for (unsigned i = 0; i < NSLOT; i++)
		check_and_free(slot[i]);
	/* But for the slabs that the cpus take from, all pages are back. */
	kept = kept_by_cpus();
	assert_int_equal(kept << PAGE_SHIFT, slab_bytes());
	for (unsigned k = 0; k < NCLASS; k++)
		assert_int_equal(classes[k].partial, 0);
	fixture_destroy();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remote_frees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
