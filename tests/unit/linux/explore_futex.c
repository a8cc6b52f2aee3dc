/*
 * kernel/linux/futex.c in every interleaving: who waits, who changes the word
 * and wakes, who moves waiters, each on a processor of its own.  With the fence
 * of futex_wake() taken away a wake-up must be found to be lost: that is the
 * test of the test.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include <linux/futex.h>

#include "../../../kernel/linux/futex_int.h"
#include "kern/errno.h"
#include "kern/signal.h"
#include "kern/vm.h"
#include "../sched/explore.h"

#define ANY FUTEX_BITSET_MATCH_ANY

static struct model {
	struct thread t[X_CPUS];
	struct task task[X_CPUS];
	_Atomic uint32_t word, word2;
} m;
static struct proc proc; /* nobody changes it */
static bool no_fence;

/* The linker lets what the kernel's file calls come here first. */
void __real_x_fence(bool seq_cst);
void __wrap_x_fence(bool seq_cst);
void __wrap_x_fence(bool seq_cst)
{
	if (!no_fence)
		__real_x_fence(seq_cst);
}

struct thread *thread_self(void)
{
	return &m.t[x_cpu()];
}

bool signal_pending(void)
{
	return false;
}

void mutex_lock(struct mutex *mutex)
{
	(void)mutex;
	x_fail("there is no mutex");
}

void mutex_unlock(struct mutex *mutex)
{
	mutex_lock(mutex);
}

int vm_futex_key(struct vm_space *vm, uintptr_t addr, uint64_t key[2])
{
	(void)vm;
	(void)addr;
	(void)key;
	return -EFAULT;
}

void futex_pi_leave(struct futex_waiter *w)
{
	(void)w;
	x_fail("nobody waits for a lock");
}

static int load(const uint32_t *user, uint32_t *out)
{
	*out = atomic_load((_Atomic uint32_t *)(uintptr_t)user);
	return 0;
}

int user_load32(const uint32_t *user, uint32_t *out)
{
	return load(user, out);
}

int user_load32_nofault(const uint32_t *user, uint32_t *out)
{
	return load(user, out);
}

int user_cmpxchg32(uint32_t *user, uint32_t old, uint32_t new, uint32_t *out)
{
	*out = old;
	(void)atomic_compare_exchange_strong(
	    (_Atomic uint32_t *)user, out, new);
	return 0;
}

/* --- who does what -------------------------------------------------------- */

static uint32_t *word(void)
{
	return (uint32_t *)&m.word;
}

static uint32_t *word2(void)
{
	return (uint32_t *)&m.word2;
}

static void waits(void *arg)
{
	(void)arg;
	while (atomic_load(&m.word) == 0)
		(void)futex_wait(word(), false, 0, TIME_NEVER, ANY);
}

/* A plain store, as a program's may be. */
static void wakes(void *arg)
{
	atomic_store_explicit(&m.word, 1, memory_order_relaxed);
	(void)futex_wake(word(), false, arg ? 9 : 1, ANY);
}

/* Then both words must be woken. */
static void moves(void *arg)
{
	(void)arg;
	(void)futex_requeue(word(), word2(), false, 0, 9, NULL);
	(void)futex_wake(word2(), false, 1, ANY);
}

static void region_of(uint32_t *at)
{
	struct futex_key key = { 0, 0 };

	assert_int_equal(futex_key(at, false, &key), 0);
	x_region(futex_bucket(&key), sizeof(struct futex_bucket));
}

static void start(void (*const fn[])(void *), unsigned n, void *arg)
{
	memset(&m, 0, sizeof(m));
	x_reset();
	no_fence = false;
	sched_ncpu = 2;
	futex_init();
	x_region(&m, sizeof(m));
	x_boot(0);
	for (unsigned i = 0; i < n; i++) {
		struct x_ctx *ctx = x_ctx_new(fn[i], arg);

		list_init(&m.t[i].wait_link);
		m.t[i].task = &m.task[i];
		m.task[i].proc = &proc;
		x_cpu_start(i, ctx);
		x_must_end(ctx);
	}
	region_of(word());
	region_of(word2());
}

static void test_wait_and_wake(void **state)
{
	static void (*const fn[])(void *) = { waits, wakes };

	(void)state;
	start(fn, 2, NULL);
	assert_null(explore());
}

/* The way of a machine with one processor. */
static void test_simply(void **state)
{
	static void (*const fn[])(void *) = { waits, wakes };

	(void)state;
	start(fn, 2, NULL);
	sched_ncpu = 1;
	assert_null(explore());
}

static void test_two_wait(void **state)
{
	static void (*const fn[])(void *) = { waits, wakes, waits };

	(void)state;
	start(fn, 3, (void *)1);
	assert_null(explore());
}

static void test_moved_meanwhile(void **state)
{
	static void (*const fn[])(void *) = { waits, wakes, moves };

	(void)state;
	start(fn, 3, NULL);
	assert_null(explore());
}

static void test_no_fence(void **state)
{
	static void (*const fn[])(void *) = { waits, wakes };

	(void)state;
	start(fn, 2, NULL);
	no_fence = true;
	assert_string_equal(explore(), "nobody can go on");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wait_and_wake),
		cmocka_unit_test(test_simply),
		cmocka_unit_test(test_two_wait),
		cmocka_unit_test(test_moved_meanwhile),
		cmocka_unit_test(test_no_fence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
