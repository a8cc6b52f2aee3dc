#include <linux/futex.h>

#include "futex_int.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "syscalls.h"
#include "time_int.h"

/* The limit of a wait: relative for FUTEX_WAIT, absolute for the others. */
static int get_deadline(
    int cmd, bool wall, const struct __kernel_timespec *user, uint64_t *out)
{
	uint64_t ns;
	int r;

	*out = TIME_NEVER;
	if (!user)
		return 0;
	if (cmd == FUTEX_WAIT)
		return time_deadline(user, out);
	r = time_get(user, &ns);
	if (r == 0)
		*out = wall ? time_wall_to_mono(ns) : ns;
	return r;
}

static long wait_op(int cmd, uint32_t *user, bool shared, bool wall,
    uint32_t val, const struct __kernel_timespec *timeout, uint32_t *user2,
    uint32_t bitset)
{
	uint64_t deadline;
	int r;

	/* FUTEX_LOCK_PI has always meant the wall clock. */
	r = get_deadline(cmd, wall || cmd == FUTEX_LOCK_PI, timeout, &deadline);
	if (r != 0)
		return r;
	if (cmd == FUTEX_WAIT)
		bitset = FUTEX_BITSET_MATCH_ANY;
	if (cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET)
		return futex_wait(user, shared, val, deadline, bitset);
	if (cmd == FUTEX_WAIT_REQUEUE_PI)
		return futex_wait_requeue_pi(
		    user, shared, val, deadline, user2);
	return futex_lock_pi(user, shared, deadline, false);
}

static NOINLINE long other_op(uint32_t *user, int op, uint32_t val,
    const struct __kernel_timespec *timeout, uint32_t *user2, uint32_t val3)
{
	bool shared = !(op & FUTEX_PRIVATE_FLAG);
	bool wall = (op & FUTEX_CLOCK_REALTIME) != 0;
	/* Where others have a timeout these have a count. */
	uint32_t val2 = (uint32_t)(uintptr_t)timeout;
	int cmd = op & FUTEX_CMD_MASK;

	if (wall && cmd != FUTEX_WAIT && cmd != FUTEX_WAIT_BITSET &&
	    cmd != FUTEX_LOCK_PI2 && cmd != FUTEX_WAIT_REQUEUE_PI)
		return -ENOSYS;
	switch (cmd) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
	case FUTEX_WAIT_REQUEUE_PI:
		return wait_op(
		    cmd, user, shared, wall, val, timeout, user2, val3);
	case FUTEX_WAKE:
		return futex_wake(user, shared, val, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET:
		return futex_wake(user, shared, val, val3);
	case FUTEX_REQUEUE:
		return futex_requeue(user, user2, shared, val, val2, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(user, user2, shared, val, val2, &val3);
	case FUTEX_CMP_REQUEUE_PI:
		return futex_cmp_requeue_pi(
		    user, user2, shared, val, val2, val3);
	case FUTEX_WAKE_OP:
		return futex_wake_op(user, user2, shared, val, val2, val3);
	case FUTEX_TRYLOCK_PI:
		return futex_lock_pi(user, shared, TIME_NEVER, true);
	case FUTEX_UNLOCK_PI:
		return futex_unlock_pi(user, shared);
	default:
		log_once(LOG_WARN, "futex operation %d is not supported", cmd);
		return -ENOSYS;
	}
}

long sys_futex(uint32_t *user, int op, uint32_t val,
    const struct __kernel_timespec *timeout, uint32_t *user2, uint32_t val3)
{
	/* What a C library does all the time goes first. */
	if (op == FUTEX_WAKE_PRIVATE)
		return futex_wake(user, false, val, FUTEX_BITSET_MATCH_ANY);
	if (!timeout && (op | FUTEX_CLOCK_REALTIME) ==
			    (FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME))
		return futex_wait(user, false, val, TIME_NEVER, val3);
	if (!timeout && op == FUTEX_WAIT_PRIVATE)
		return futex_wait_simply(user, val);
	return other_op(user, op, val, timeout, user2, val3);
}
