#ifndef FILES_FIXTURE_H
#define FILES_FIXTURE_H

/*
 * A process with an empty descriptor table for each test; at its end nothing
 * may be left.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/file.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/sched.h"
#include "kern/signal.h"

#include "fake_mm.h"
#include "fake_sched.h"
#include "fake_user.h"

int files_setup(void **state);
int files_teardown(void **state);

#define FILES_TEST(f) \
	cmocka_unit_test_setup_teardown(f, files_setup, files_teardown)

/* signal_pending()'s answer, and the last signal raised (0: none). */
extern bool fake_signal_pending;
extern int fake_signal_raised;

/* A file that has what events the test says, and counts being asked. */
struct fake_file {
	struct file *file;
	struct poll_head head, head2;
	bool two_heads;
	uint32_t events;
	unsigned polled, released;
};
void fake_file_init(struct fake_file *);
/* Its events become (events) and its watchers hear of it. */
void fake_file_set(struct fake_file *, uint32_t events);

/* Install, which must work. */
int fd_of(struct file *);

/* One buffer of the kernel's, through the file's operations. */
long file_read_some(struct file *, void *buf, size_t n);
long file_write_some(struct file *, const void *buf, size_t n);

#endif /* FILES_FIXTURE_H */
