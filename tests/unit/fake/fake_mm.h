#ifndef FAKE_MM_H
#define FAKE_MM_H

/* kern/mm.h over malloc(), for host tests.  Thread-safe. */

#include <stdbool.h>
#include <stdint.h>

/*
 * Make the (n)th allocation from now fail, 1 being the next one; 0: none.
 * One failure only: the allocations after it succeed again.
 */
void fake_mm_fail_nth(long n);

/* True when the failure that fake_mm_fail_nth() asked for has happened. */
bool fake_mm_failed(void);

/* Allocations of every kind that have not been freed. */
long fake_mm_live(void);

/* Bytes that mm_account_file() has been told about. */
int64_t fake_mm_file_bytes(void);

/* The last that was registered. */
struct shrinker;
extern struct shrinker *fake_shrinker;

#endif /* FAKE_MM_H */
