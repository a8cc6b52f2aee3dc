#ifndef FS_FIXTURE_H
#define FS_FIXTURE_H

/* An empty ramfs as root for each test; at its end nothing may be left. */

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/fs/fs_int.h"

#include "fake_mm.h"
#include "fake_sched.h"
#include "kern/mm.h"

int fs_setup(void **state);
int fs_teardown(void **state);

/* For tests that make their own root. */
void fs_fixture_begin(void);
void fs_fixture_end(void);
void fs_unmount_root(void);

#define FS_TEST(f) cmocka_unit_test_setup_teardown(f, fs_setup, fs_teardown)

#endif /* FS_FIXTURE_H */
