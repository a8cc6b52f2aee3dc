#include <linux/futex.h>

#include "futex_int.h"
#include "kern/arch.h"
#include "kern/errno.h"
#include "task_int.h"

/* The word of a lock that the thread may have held. */
static void release_word(uint32_t *user, bool pi, bool pending)
{
	uint32_t self = thread_self()->id, now, seen, new;

	if (((uintptr_t)user & 3) || user_load32(user, &now) != 0)
		return;
	/* It died between giving the lock up and waking the next. */
	if (pending && !pi && now == 0) {
		futex_wake_word(user, 1);
		return;
	}
	for (;;) {
		if ((now & FUTEX_TID_MASK) != self)
			return;
		new = (now & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
		if (user_cmpxchg32(user, now, new, &seen) != 0)
			return;
		if (seen == now)
			break;
		now = seen;
	}
	/* futex_exit_pi() hands the other kind over. */
	if ((now & FUTEX_WAITERS) && !pi)
		futex_wake_word(user, 1);
}

static int fetch(uintptr_t user, uintptr_t *entry)
{
	return copy_from_user(entry, (void *)user, sizeof(*entry));
}

static void release_entry(uintptr_t entry, int64_t offset, bool pending)
{
	uintptr_t at = (entry & ~1ul) + (uintptr_t)offset;

	release_word((uint32_t *)at, entry & 1, pending);
}

void futex_exit_robust(struct task *t)
{
	uintptr_t head = t->robust_list, entry, next, pending;
	int64_t offset;

	t->robust_list = 0;
	if (head == 0 || fetch(head, &entry) != 0 ||
	    copy_from_user(&offset, (void *)(head + 8), 8) != 0 ||
	    fetch(head + 16, &pending) != 0)
		return;
	/* The list is the program's: it may have no end. */
	for (unsigned i = 0; i < ROBUST_LIST_LIMIT; i++) {
		if ((entry & ~1ul) == head)
			break;
		if (fetch(entry & ~1ul, &next) != 0)
			break;
		if (entry != pending)
			release_entry(entry, offset, false);
		entry = next;
	}
	if (pending & ~1ul)
		release_entry(pending, offset, true);
}
