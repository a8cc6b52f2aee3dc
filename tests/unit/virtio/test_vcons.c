/* The console driver against a device that the test plays. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/virtio_ids.h>

#include "kern/console.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "fake_device.h"
#include "fake_mm.h"
#include "fake_sched.h"

#define RX   0
#define TX   1
#define NBUF 16 /* the driver's, each way */

/* --- the layer above ----------------------------------------------------- */

static struct console *con;
static unsigned nready, ninput;

int console_register(struct console *c)
{
	con = c;
	return 0;
}

void console_unregister(struct console *c)
{
	assert_ptr_equal(c, con);
	con = NULL;
}

void console_tx_ready(struct console *c)
{
	assert_ptr_equal(c, con);
	nready++;
}

void console_rx_ready(struct console *c)
{
	assert_ptr_equal(c, con);
	ninput++;
}

/* --- fixture ------------------------------------------------------------- */

static struct fdev fd;
static char shown[16384];
static size_t nshown;

static int setup_with(uint64_t features)
{
	fdev_init(&fd, VIRTIO_ID_CONSOLE, features);
	fd.q[RX].max = fd.q[TX].max = 64;
	nready = ninput = 0;
	nshown = 0;
	return fdev_attach(&fd);
}

static int setup(void **state)
{
	(void)state;
	return setup_with(VIRTIO_BIT(VIRTIO_RING_F_EVENT_IDX));
}

static int setup_plain(void **state)
{
	(void)state;
	return setup_with(0);
}

static int end(void **state)
{
	(void)state;
	fdev_remove(&fd);
	assert_null(con);
	assert_int_equal(fake_mm_live(), 0);
	return 0;
}

/* The device reads up to (n) pieces of output. */
static unsigned device_reads(unsigned n)
{
	struct fdev_chain c;
	unsigned i;

	for (i = 0; i < n && fdev_pop(&fd, TX, &c); i++) {
		assert_int_equal(c.nout, 1);
		memcpy(shown + nshown, c.seg[0].va, c.seg[0].len);
		nshown += c.seg[0].len;
		fdev_push(&fd, TX, c.id, 0);
	}
	return i;
}

/* The same, with an interrupt if the driver asked for one. */
static void device_reads_and_tells(unsigned n)
{
	const struct virtq *vq = fd.q[TX].vq;
	uint16_t before = fd.q[TX].used;

	device_reads(n);
	if (vq->event_idx
		? vring_need_event(
		      vring_used_event(&vq->ring), fd.q[TX].used, before)
		: !(vq->ring.avail->flags & VRING_AVAIL_F_NO_INTERRUPT))
		fdev_irq(&fd, TX);
}

static void say(const char *s)
{
	con->ops->write(con, s, strlen(s));
}

/* --- the tests ----------------------------------------------------------- */

static void test_output(void **state)
{
	char big[NBUF * 256];

	(void)state;
	memset(big, 'x', sizeof(big));
	say("hello ");
	say("there\r\n");
	assert_int_equal(device_reads(NBUF), 2);
	con->ops->write(con, big, sizeof(big));
	assert_int_equal(device_reads(NBUF + 1), NBUF);
	assert_int_equal(nshown, 13 + sizeof(big));
	assert_memory_equal(shown, "hello there\r\nxxx", 16);
}

/* The interrupt that says so comes, and only when there was no room. */
static void test_room(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		for (unsigned i = 0; i < NBUF; i++) {
			assert_true(con->ops->room(con) >= 2);
			say("line\r\n");
		}
		device_reads_and_tells(1);
		assert_int_equal(nready, 0);
		assert_true(con->ops->room(con) >= 2);
		say("line\r\n");

		assert_int_equal(con->ops->room(con), 0);
		assert_int_equal(con->ops->room(con), 0);
		device_reads_and_tells(1);
		assert_int_equal(nready, 1);
		assert_true(con->ops->room(con) >= 2);
		device_reads_and_tells(NBUF);
		assert_int_equal(nready, 1);
		assert_false(con->stuck);
		nready = 0;
	}
}

static void test_stuck(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NBUF + 3; i++)
		say("line\r\n");
	assert_true(con->stuck);
	assert_true(con->ops->room(con) == SIZE_MAX);
	device_reads(NBUF);
	assert_int_equal(nshown, NBUF * 6);
	say("again\r\n");
	assert_false(con->stuck);
	assert_int_equal(device_reads(NBUF), 1);
}

static void test_liar(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NBUF; i++)
		say("line\r\n");
	fdev_push(&fd, TX, 60, 0); /* not in flight */
	assert_true(con->ops->room(con) == SIZE_MAX);
	say("line\r\n");
	fdev_irq(&fd, TX);
	assert_true(fd.vd.broken);
	fake_work_run();
}

static void test_input(void **state)
{
	struct fdev_chain c;
	char got[8];

	(void)state;
	assert_int_equal(con->ops->read(con, got, sizeof(got)), 0);
	assert_true(fdev_pop(&fd, RX, &c));
	assert_int_equal(c.nin, 1);
	memcpy(c.seg[0].va, "typed\n", 6);
	fdev_push(&fd, RX, c.id, 6);
	fdev_irq(&fd, RX);
	assert_int_equal(ninput, 1);
	assert_int_equal(con->ops->read(con, got, 4), 4);
	assert_memory_equal(got, "type", 4);
	assert_int_equal(con->ops->read(con, got, sizeof(got)), 2);
	assert_memory_equal(got, "d\n", 2);
}

#define VCONS_TEST(t)  cmocka_unit_test_setup_teardown(t, setup, end)
#define VCONS_PLAIN(t) cmocka_unit_test_setup_teardown(t, setup_plain, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		VCONS_TEST(test_output),
		VCONS_TEST(test_room),
		VCONS_PLAIN(test_room),
		VCONS_TEST(test_stuck),
		VCONS_TEST(test_liar),
		VCONS_TEST(test_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
