#ifndef MM_FIXTURE_H
#define MM_FIXTURE_H

/*
 * Memory for kernel/mm on the host: an arena stands for physical memory from
 * address 0; the image lies at 2 MiB.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIXTURE_IMAGE_PA  (2ull << 20)
#define FIXTURE_IMAGE_LEN (1ull << 20)

/* (size) bytes of memory; boot_info is empty. */
void fixture_create(uint64_t size);
void fixture_destroy(void);
void fixture_ram(uint64_t pa, uint64_t len);
void fixture_module(uint64_t pa, uint64_t len);

/* Bytes of the arena that have been touched. */
uint64_t fixture_touched(void);

/* The next assertion of the code under test comes back here: expect with
 * if (fixture_expect_panic() == 0) { ...; fail(); } */
#include <setjmp.h>
extern jmp_buf fixture_panic_jmp;
extern bool fixture_panic_expected;
#define fixture_expect_panic() \
	(fixture_panic_expected = true, setjmp(fixture_panic_jmp))

#endif /* MM_FIXTURE_H */
