/* Writing to the terminal, whose console has little room or no reader. */

#include "files_fixture.h"

#include "kern/clock.h"
#include "kern/console.h"
#include "kern/devfs.h"
#include "kern/platform.h"

#define PATIENCE (3 * NSEC_PER_SEC)

#define LINES    20
#define TEXT     "a line that is longer than the room\n"
#define TEXT_N   (sizeof(TEXT) - 1)

const struct platform *platform;

/* The linker's: tty.c's nodes in /dev, which all lead to the one terminal. */
extern const struct chardev *const __start_chardev_set[];

static struct file file;
static char shown[8192];
static size_t nshown, room;

uint32_t app_pid(void)
{
	return 1;
}

void signal_raise_process(int sig)
{
	(void)sig;
}

/* --- a console that takes no more than it said ---------------------------- */

static void con_write(struct console *c, const char *s, size_t n)
{
	if (c->stuck)
		return;
	assert_true(n <= room);
	memcpy(shown + nshown, s, n);
	nshown += n;
	room -= n;
}

static size_t con_room(struct console *c)
{
	return c->stuck ? SIZE_MAX : room;
}

static void con_give_up(struct console *c)
{
	c->stuck = room < CONSOLE_ROOM;
}

static const struct console_ops con_ops = {
	.write = con_write,
	.room = con_room,
	.give_up = con_give_up,
};

static struct console con = { .name = "hvc0", .ops = &con_ops };

static void con_reads(void *arg)
{
	room += *(size_t *)arg;
	con.stuck = false;
	console_tx_ready(&con);
}

static int setup(void **state)
{
	files_setup(state);
	atomic_store(&file.flags, O_RDWR);
	con.stuck = false;
	nshown = room = 0;
	assert_int_equal(console_register(&con), 0);
	file.ops = __start_chardev_set[0]->ops;
	return __start_chardev_set[0]->open(&file);
}

static int teardown(void **state)
{
	console_unregister(&con);
	return files_teardown(state);
}

/* --- the tests ------------------------------------------------------------ */

static void test_little_room(void **state)
{
	static const char crlf[] = "\r\n";

	(void)state;
	for (size_t step = 1; step < 2 * TEXT_N; step++) {
		nshown = room = 0;
		fake_sleep_hook = con_reads;
		fake_sleep_arg = &step;
		for (int i = 0; i < LINES; i++)
			assert_int_equal(
			    file_write_some(&file, TEXT, TEXT_N), TEXT_N);
		assert_int_equal(nshown, LINES * (TEXT_N + 1));
		for (int i = 0; i < LINES; i++) {
			const char *line = shown + i * (TEXT_N + 1);

			assert_memory_equal(line, TEXT, TEXT_N - 1);
			assert_memory_equal(line + TEXT_N - 1, crlf, 2);
		}
	}
}

static void test_no_reader(void **state)
{
	uint64_t begin = clock_mono();
	size_t more = 100;

	(void)state;
	assert_int_equal(file_write_some(&file, TEXT, TEXT_N), TEXT_N);
	assert_true(con.stuck);
	assert_int_equal(clock_mono() - begin, PATIENCE);
	assert_int_equal(file_write_some(&file, TEXT, TEXT_N), TEXT_N);
	assert_int_equal(clock_mono() - begin, PATIENCE);
	assert_int_equal(nshown, 0);

	con_reads(&more);
	assert_int_equal(file_write_some(&file, TEXT, TEXT_N), TEXT_N);
	assert_int_equal(nshown, TEXT_N + 1);
}

static void event_only(void *arg)
{
	if ((*(int *)arg)-- <= 0)
		return;
	fake_clock_advance(2 * NSEC_PER_SEC);
	console_tx_ready(&con);
}

/* An end that sends events and reads nothing is no reader. */
static void test_no_reader_but_events(void **state)
{
	uint64_t begin = clock_mono();
	int events = 2;

	(void)state;
	fake_sleep_hook = event_only;
	fake_sleep_arg = &events;
	assert_int_equal(file_write_some(&file, TEXT, TEXT_N), TEXT_N);
	assert_true(con.stuck);
	assert_int_equal(clock_mono() - begin, 4 * NSEC_PER_SEC);
}

static void test_nonblock(void **state)
{
	(void)state;
	atomic_store(&file.flags, O_RDWR | O_NONBLOCK);
	assert_int_equal(file_write_some(&file, TEXT, TEXT_N), -EAGAIN);
	room = 1; /* not enough for a newline */
	assert_int_equal(file_write_some(&file, TEXT, TEXT_N), -EAGAIN);
	room = 9;
	assert_int_equal(file_write_some(&file, TEXT, TEXT_N), 8);
	assert_memory_equal(shown, TEXT, 8);
	assert_int_equal(nshown, 8);
}

static uint32_t heard;

static bool hear(struct poll_entry *pe, uint32_t events)
{
	(void)pe;
	heard |= events;
	return true;
}

static void test_poll(void **state)
{
	struct poll_entry pe;
	size_t more = 2;

	(void)state;
	poll_entry_init(&pe, hear);
	heard = 0;
	assert_int_equal(file.ops->poll(&file, &pe) & EPOLLOUT, 0);
	con_reads(&more);
	assert_true(heard & EPOLLOUT);
	assert_true(file.ops->poll(&file, NULL) & EPOLLOUT);
	poll_entry_remove(&pe);
}

/* While one sleeps in the middle of a write, another one comes. */
static void other_writes(void *arg)
{
	(void)arg;
	room = 1000;
	atomic_store(&file.flags, O_RDWR | O_NONBLOCK);
	assert_int_equal(file.ops->poll(&file, NULL) & EPOLLOUT, 0);
	assert_int_equal(file_write_some(&file, "other", 5), -EAGAIN);
	atomic_store(&file.flags, O_RDWR);
	console_tx_ready(&con);
}

static void test_two_writers(void **state)
{
	(void)state;
	room = 10;
	fake_sleep_hook = other_writes;
	assert_int_equal(file_write_some(&file, TEXT, TEXT_N), TEXT_N);
	assert_memory_equal(shown, TEXT, TEXT_N - 1);
	assert_true(file.ops->poll(&file, NULL) & EPOLLOUT);
}

static void test_interrupted(void **state)
{
	(void)state;
	thread_self()->interrupted = true;
	assert_int_equal(file_write_some(&file, TEXT, TEXT_N), -ERESTARTSYS);
	room = 20;
	assert_int_equal(file_write_some(&file, TEXT, TEXT_N), 19);
	thread_self()->interrupted = false;
	room = 100;
	assert_int_equal(file_write_some(&file, TEXT, TEXT_N), TEXT_N);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_little_room, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_no_reader, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_no_reader_but_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nonblock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_poll, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_two_writers, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_interrupted, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
