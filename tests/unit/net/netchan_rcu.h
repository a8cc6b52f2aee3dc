#ifndef NETCHAN_RCU_H
#define NETCHAN_RCU_H

/* Included before netchan.c: RCU readers are the test's to follow. */

#include "kern/sched.h"

#undef rcu_read_lock
#undef rcu_read_unlock
void test_rcu_read_lock(void);
void test_rcu_read_unlock(void);
#define rcu_read_lock()   test_rcu_read_lock()
#define rcu_read_unlock() test_rcu_read_unlock()

#endif /* NETCHAN_RCU_H */
