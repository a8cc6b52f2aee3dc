/* The xenstore client against a daemon that the test plays. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fake_mm.h"
#include "fake_sched.h"
#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/sched.h"
#include "xen/xen_int.h"
#include "xen/xenstore.h"
#include "xen/xs_wire.h"

static struct xenstore_domain_interface sh;
static evtchn_fn ring_event;

/* --- what the client stands on ------------------------------------------ */

int xen_param_get(unsigned index, uint64_t *value)
{
	*value = index == HVM_PARAM_STORE_PFN ? 77 : 1;
	return 0;
}

void *early_map_page(uint64_t pa)
{
	assert_int_equal(pa, 77 << 12);
	return &sh;
}

int evtchn_handle(evtchn_port_t port, unsigned cpu, evtchn_fn fn, void *arg)
{
	assert_int_equal(port, 1);
	assert_int_equal(cpu, 0);
	assert_null(arg);
	ring_event = fn;
	return 0;
}

void evtchn_unmask(evtchn_port_t port)
{
	(void)port;
}

static unsigned notified;

void evtchn_notify(evtchn_port_t port)
{
	assert_int_equal(port, 1);
	notified++;
}

/* --- the daemon --------------------------------------------------------- */

enum mode { HONEST, SILENT, OTHER_TYPE, OTHER_ID, NOISE_ERROR, UNKNOWN_TYPE };

static enum mode mode;
static char msg[8192];
static size_t msg_len;
static char stored_path[64], stored[4097];
static size_t stored_len;
static bool commit_again;

/* As fast as the ring allows: the client takes between the pieces. */
static void send_bytes(const void *p, size_t n)
{
	const char *s = p;

	while (n-- != 0) {
		if (sh.rsp_prod - sh.rsp_cons == XENSTORE_RING_SIZE)
			ring_event(NULL);
		sh.rsp[MASK_XENSTORE_IDX(sh.rsp_prod++)] = *s++;
	}
}

static void send(uint32_t type, uint32_t id, const void *data, size_t len)
{
	struct xsd_sockmsg h = {
		.type = type,
		.req_id = id,
		.len = (uint32_t)len,
	};

	send_bytes(&h, sizeof(h));
	send_bytes(data, len);
}

static void send_event(const char *path, uint32_t token)
{
	char buf[128];
	int n = sprintf(buf, "%s%c%u", path, 0, token);

	send(XS_WATCH_EVENT, 0, buf, (size_t)n + 1);
}

static void answer(const struct xsd_sockmsg *h, const char *data)
{
	bool known = strcmp(data, stored_path) == 0;

	switch (h->type) {
	case XS_READ:
		if (known)
			send(XS_READ, h->req_id, stored, stored_len);
		else
			send(XS_ERROR, h->req_id, "ENOENT", 7);
		break;
	case XS_WRITE:
		snprintf(stored_path, sizeof(stored_path), "%.63s", data);
		stored_len = h->len - strlen(data) - 1;
		memcpy(stored, data + strlen(data) + 1, stored_len);
		send(XS_WRITE, h->req_id, "OK", 3);
		break;
	case XS_DIRECTORY:
		send(XS_DIRECTORY, h->req_id, stored, stored_len);
		break;
	case XS_TRANSACTION_START:
		send(h->type, h->req_id, "33", 3);
		break;
	case XS_TRANSACTION_END:
		assert_int_equal(h->tx_id, 33);
		if (commit_again)
			send(XS_ERROR, h->req_id, "EAGAIN", 7);
		else
			send(h->type, h->req_id, "OK", 3);
		commit_again = false;
		break;
	default:
		send(h->type, h->req_id, "OK", 3);
	}
}

static void serve(const struct xsd_sockmsg *h, const char *data)
{
	switch (mode) {
	case HONEST:
		answer(h, data);
		break;
	case SILENT:
		break;
	case OTHER_TYPE:
		send(XS_GET_PERMS, h->req_id, "OK", 3);
		break;
	case OTHER_ID: /* to nobody first, then right */
		send(XS_READ, h->req_id + 1000, "lie", 3);
		answer(h, data);
		break;
	case NOISE_ERROR:
		send(XS_ERROR, h->req_id, "\xff\0\0EWHAT", 8);
		break;
	case UNKNOWN_TYPE:
		send(1000, h->req_id, "OK", 3);
		break;
	}
}

/* The client sleeps: take what it wrote, and answer whole messages. */
static void daemon_run(void *arg)
{
	struct xsd_sockmsg h;

	(void)arg;
	while (sh.req_cons != sh.req_prod)
		msg[msg_len++] = sh.req[MASK_XENSTORE_IDX(sh.req_cons++)];
	memcpy(&h, msg, sizeof(h));
	if (msg_len >= sizeof(h) && msg_len == sizeof(h) + h.len) {
		msg_len = 0;
		serve(&h, msg + sizeof(h));
	}
	if (mode != SILENT) /* or the client would not time out */
		ring_event(NULL);
}

static void store(const char *path, const void *data, size_t len)
{
	snprintf(stored_path, sizeof(stored_path), "%s", path);
	memcpy(stored, data, len);
	stored_len = len;
}

static int setup(void **state)
{
	(void)state;
	mode = HONEST;
	fake_sleep_hook = daemon_run;
	return 0;
}

/* --- tests -------------------------------------------------------------- */

static void test_read(void **state)
{
	char buf[8];

	(void)state;
	store("a/b", "hello", 5);
	assert_int_equal(xs_read(NULL, "a", "b", buf, sizeof(buf)), 5);
	assert_string_equal(buf, "hello");
	assert_int_equal(xs_read(NULL, "a/b", "", buf, sizeof(buf)), 5);
	assert_int_equal(xs_read(NULL, "a", "c", buf, sizeof(buf)), -ENOENT);
	assert_int_equal(xs_read(NULL, "a", "b", buf, 5), -E2BIG);
	assert_int_equal(xs_read(NULL, "a", "b", buf, 6), 5);
	store("a/b", "he\0lo", 5);
	assert_int_equal(xs_read(NULL, "a", "b", buf, 8), -EINVAL);
	store("a/b", "", 0);
	assert_int_equal(xs_read(NULL, "a", "b", buf, 8), 0);
	assert_string_equal(buf, "");
}

/* Each event costs the daemon a turn: one for a request, none for a reply that
 * left room, one when it may wait for room. */
static void test_events(void **state)
{
	static char big[XENSTORE_RING_SIZE + 100];
	char buf[sizeof(big) + 1];

	(void)state;
	store("a/b", "hello", 5);
	notified = 0;
	assert_int_equal(xs_read(NULL, "a", "b", buf, sizeof(buf)), 5);
	assert_int_equal(notified, 1);
	memset(big, 'x', sizeof(big));
	store("a/b", big, sizeof(big));
	notified = 0;
	assert_int_equal(
	    xs_read(NULL, "a", "b", buf, sizeof(buf)), sizeof(big));
	assert_int_equal(notified, 2);
	notified = 0;
	buf[sizeof(buf) - 1] = '\0';
	assert_int_equal(xs_write(NULL, "a", "b", buf), 0);
	assert_in_range(notified, 2, 4);
}

static void test_numbers(void **state)
{
	uint32_t v;
	uint64_t w;

	(void)state;
	store("n", "4294967295", 10);
	assert_int_equal(xs_read_u32(NULL, "n", "", 7, &v), 0);
	assert_int_equal(v, UINT32_MAX);
	store("n", "4294967296", 10);
	assert_int_equal(xs_read_u32(NULL, "n", "", 7, &v), -EINVAL);
	assert_int_equal(v, 7);
	assert_int_equal(xs_read_u64(NULL, "n", "", 7, &w), 0);
	assert_true(w == 4294967296ull);
	store("n", "-5", 2);
	assert_int_equal(xs_read_u64(NULL, "n", "", 7, &w), -EINVAL);
	assert_int_equal(w, 7);
	assert_int_equal(xs_read_u32(NULL, "none", "", 9, &v), 0);
	assert_int_equal(v, 9);
}

static void test_write(void **state)
{
	char long_name[300];

	(void)state;
	assert_int_equal(xs_printf(NULL, "d", "n", "%u-%s", 5u, "x"), 0);
	assert_string_equal(stored_path, "d/n");
	assert_int_equal(stored_len, 3);
	assert_memory_equal(stored, "5-x", 3);
	memset(long_name, 'a', 299);
	long_name[299] = '\0';
	assert_int_equal(xs_write(NULL, "d", long_name, "x"), -ENAMETOOLONG);
	assert_int_equal(
	    xs_printf(NULL, "d", "n", "%299s%299s", "", ""), -E2BIG);
}

/* Longer than the ring, both ways. */
static void test_long(void **state)
{
	char big[3500], buf[4096];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(xs_write(NULL, "big", "", big), 0);
	assert_int_equal(
	    xs_read(NULL, "big", "", buf, sizeof(buf)), sizeof(big) - 1);
	assert_string_equal(big, buf);
}

static void test_directory(void **state)
{
	char *names;

	(void)state;
	store("d", "vif\0vbd\0", 8);
	assert_int_equal(xs_directory(NULL, "d", "", &names), 2);
	assert_string_equal(names, "vif");
	assert_string_equal(xs_next(names), "vbd");
	kfree(names);
	store("d", "vif\0vbd", 7);
	assert_int_equal(xs_directory(NULL, "d", "", &names), -EIO);
	assert_null(names);
	store("d", "", 0);
	assert_int_equal(xs_directory(NULL, "d", "", &names), 0);
	kfree(names);
}

static void test_transaction(void **state)
{
	struct xs_txn txn;

	(void)state;
	assert_int_equal(xs_txn_begin(&txn), 0);
	assert_int_equal(txn.id, 33);
	commit_again = true;
	assert_int_equal(xs_txn_end(&txn, false), -EAGAIN);
	assert_int_equal(xs_txn_end(&txn, true), 0);
}

static void test_lies(void **state)
{
	char buf[8];

	(void)state;
	store("a", "1", 1);
	mode = OTHER_TYPE;
	assert_int_equal(xs_read(NULL, "a", "", buf, sizeof(buf)), -EIO);
	mode = NOISE_ERROR;
	assert_int_equal(xs_read(NULL, "a", "", buf, sizeof(buf)), -EIO);
	mode = OTHER_ID;
	assert_int_equal(xs_read(NULL, "a", "", buf, sizeof(buf)), 1);
	mode = SILENT;
	assert_int_equal(xs_read(NULL, "a", "", buf, sizeof(buf)), -ETIMEDOUT);
	mode = HONEST;
	assert_int_equal(xs_read(NULL, "a", "", buf, sizeof(buf)), 1);
}

static void test_no_memory(void **state)
{
	char buf[8];

	(void)state;
	store("a", "1", 1);
	fake_mm_fail_nth(1); /* the reply's */
	assert_int_equal(xs_read(NULL, "a", "", buf, sizeof(buf)), -ENOMEM);
	fake_mm_fail_nth(0);
	assert_int_equal(xs_read(NULL, "a", "", buf, sizeof(buf)), 1);
}

/* --- watches ------------------------------------------------------------ */

static char seen[256];

static void changed(struct xs_watch *w, const char *path)
{
	strcat(seen, w->arg);
	strcat(seen, path);
	strcat(seen, ";");
}

/* The watch thread sleeps: nothing is left to do. */
static void leave(void *arg)
{
	(void)arg;
	thread_exit();
}

static void run_watches(struct thread *t)
{
	seen[0] = '\0';
	t->exited = false;
	thread_get(t);
	fake_sleep_hook = leave;
	fake_thread_run(t);
	fake_sleep_hook = daemon_run;
}

static struct thread *watch_thread;

static void test_watch(void **state)
{
	struct xs_watch a = { .path = "p", .fn = changed, .arg = "a:" };
	struct xs_watch b = { .path = "q", .fn = changed, .arg = "b:" };

	(void)state;
	assert_int_equal(xs_watch_add(&a), 0);
	assert_int_equal(xs_watch_add(&b), 0);
	send_event("p/x", a.token);
	send_event("q", b.token);
	send_event("q", 999); /* nobody's */
	send(XS_WATCH_EVENT, 0, "no token", 8);
	ring_event(NULL);
	run_watches(watch_thread);
	assert_string_equal(seen, "a:p/x;b:q;");

	/* No memory for an event: everybody is told. */
	send_event("p", a.token);
	fake_mm_fail_nth(1);
	ring_event(NULL);
	fake_mm_fail_nth(0);
	run_watches(watch_thread);
	assert_string_equal(seen, "a:p;b:q;");

	send_event("p", a.token);
	ring_event(NULL);
	xs_watch_remove(&a);
	run_watches(watch_thread);
	assert_string_equal(seen, "");
	xs_watch_remove(&b);
}

/* Last: nothing is believed after it. */
static void test_broken(void **state)
{
	char buf[8];

	(void)state;
	mode = UNKNOWN_TYPE;
	assert_int_equal(xs_read(NULL, "a", "", buf, sizeof(buf)), -EIO);
	mode = HONEST;
	assert_int_equal(xs_read(NULL, "a", "", buf, sizeof(buf)), -EIO);
	assert_int_equal(fake_locks_held(), 0);
	assert_int_equal(fake_mm_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_read, setup),
		cmocka_unit_test_setup(test_events, setup),
		cmocka_unit_test_setup(test_numbers, setup),
		cmocka_unit_test_setup(test_write, setup),
		cmocka_unit_test_setup(test_long, setup),
		cmocka_unit_test_setup(test_directory, setup),
		cmocka_unit_test_setup(test_transaction, setup),
		cmocka_unit_test_setup(test_lies, setup),
		cmocka_unit_test_setup(test_no_memory, setup),
		cmocka_unit_test_setup(test_watch, setup),
		cmocka_unit_test_setup(test_broken, setup),
	};

	xenstore_early();
	if (xenstore_init() != 0)
		return 1;
	watch_thread = fake_thread_last();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
