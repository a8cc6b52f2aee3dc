/* What netfront reads from and writes to the store. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/errno.h"
#include "netfront/netfront_int.h"

/* --- a store ------------------------------------------------------------- */

static struct {
	char path[128], value[64];
} node[64];
_Atomic unsigned sched_ncpu;
static unsigned nnodes, txns, again, fail_write;
static bool committed;

static const char *find(const char *path)
{
	for (unsigned i = nnodes; i-- > 0;)
		if (strcmp(node[i].path, path) == 0)
			return node[i].value;
	return NULL;
}

static void set(const char *path, const char *value)
{
	assert_true(nnodes < 64);
	snprintf(node[nnodes].path, sizeof(node[0].path), "%s", path);
	snprintf(node[nnodes++].value, sizeof(node[0].value), "%s", value);
}

int xs_read(struct xs_txn *txn, const char *dir, const char *name, char *buf,
    size_t len)
{
	char path[128];
	const char *v;

	(void)txn;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	v = find(path);
	if (!v)
		return -ENOENT;
	if (strlen(v) >= len)
		return -E2BIG;
	strcpy(buf, v);
	return (int)strlen(v);
}

int xs_read_u32(struct xs_txn *txn, const char *dir, const char *name,
    uint32_t dflt, uint32_t *out)
{
	char text[64], *end;
	int n = xs_read(txn, dir, name, text, sizeof(text));

	*out = dflt;
	if (n == -ENOENT)
		return 0;
	if (n <= 0)
		return -EINVAL;
	*out = (uint32_t)strtoul(text, &end, 10);
	if (*end == '\0')
		return 0;
	*out = dflt;
	return -EINVAL;
}

int xs_write(
    struct xs_txn *txn, const char *dir, const char *name, const char *value)
{
	char path[128];

	assert_non_null(txn);
	assert_false(committed);
	if (fail_write && --fail_write == 0)
		return -EACCES;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	set(path, value);
	return 0;
}

int xs_printf(
    struct xs_txn *txn, const char *dir, const char *name, const char *fmt, ...)
{
	char value[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	return xs_write(txn, dir, name, value);
}

int xs_txn_begin(struct xs_txn *txn)
{
	txn->id = ++txns;
	nnodes = 0;
	committed = false;
	return 0;
}

int xs_txn_end(struct xs_txn *txn, bool abort)
{
	assert_int_equal(txn->id, txns);
	if (abort)
		return 0;
	if (again && again--)
		return -EAGAIN;
	committed = true;
	return 0;
}

uint32_t xenbus_peer_u32(struct xenbus_dev *xd, const char *name, uint32_t dflt)
{
	uint32_t v;

	xs_read_u32(NULL, xd->backend, name, dflt, &v);
	return v;
}

/* --- tests --------------------------------------------------------------- */

static struct xenbus_dev xd = { .node = "device/vif/0", .backend = "/back" };

static int setup(void **state)
{
	(void)state;
	nnodes = txns = again = fail_write = 0;
	sched_ncpu = 4;
	set("/back/feature-rx-copy", "1");
	return 0;
}

static void test_mac(void **state)
{
	static const char *const bad[] = {
		"",
		"00",
		"00:16:3e:01:02",
		"00:16:3e:01:02:0",
		"00:16:3e:01:02:033",
		"00:16:3e:01:02:03:04",
		"00:16:3e:01:02:0g",
		"00-16-3e-01-02-03",
		" 0:16:3e:01:02:03",
		"01:16:3e:01:02:03",
		"ff:ff:ff:ff:ff:ff",
	};
	uint8_t mac[6];

	(void)state;
	assert_int_equal(netfront_parse_mac("00:16:3e:0A:bc:9f", mac), 0);
	assert_memory_equal(mac, "\0\x16\x3e\x0a\xbc\x9f", 6);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(netfront_parse_mac(bad[i], mac), -EINVAL);
	assert_int_equal(netfront_read_mac(&xd, mac), -ENOENT);
	set("device/vif/0/mac", "00:16:3e:00:00:01");
	assert_int_equal(netfront_read_mac(&xd, mac), 0);
}

static void test_mtu(void **state)
{
	(void)state;
	assert_int_equal(netfront_read_mtu(&xd), 1500);
	set("device/vif/0/mtu", "9000");
	assert_int_equal(netfront_read_mtu(&xd), 9000);
	set("device/vif/0/mtu", "67");
	assert_int_equal(netfront_read_mtu(&xd), 1500);
	set("device/vif/0/mtu", "4294967295");
	assert_int_equal(netfront_read_mtu(&xd), 1500);
	set("device/vif/0/mtu", "many");
	assert_int_equal(netfront_read_mtu(&xd), 1500);
}

static void test_negotiate_little(void **state)
{
	struct netneg neg;

	(void)state;
	assert_int_equal(netfront_negotiate(&xd, &neg), 0);
	assert_int_equal(neg.nqueues, 1);
	assert_false(neg.split);
	assert_false(neg.feat.sg);
	assert_true(neg.feat.csum4); /* unless said otherwise */
	assert_false(neg.feat.csum6);
	assert_false(neg.feat.gso4);
	set("/back/feature-gso-tcpv4", "1"); /* needs sg */
	assert_int_equal(netfront_negotiate(&xd, &neg), 0);
	assert_false(neg.feat.gso4);
	set("/back/feature-rx-copy", "0");
	assert_int_equal(netfront_negotiate(&xd, &neg), -EOPNOTSUPP);
}

static void test_negotiate_all(void **state)
{
	struct netneg neg;

	(void)state;
	set("/back/multi-queue-max-queues", "4000000000");
	set("/back/feature-split-event-channels", "1");
	set("/back/feature-sg", "1");
	set("/back/feature-gso-tcpv4", "1");
	set("/back/feature-gso-tcpv6", "1");
	set("/back/feature-ipv6-csum-offload", "1");
	assert_int_equal(netfront_negotiate(&xd, &neg), 0);
	assert_int_equal(neg.nqueues, 4);
	assert_true(neg.split && neg.feat.sg && neg.feat.gso4 && neg.feat.gso6);
	set("/back/feature-no-csum-offload", "1");
	set("/back/multi-queue-max-queues", "0");
	assert_int_equal(netfront_negotiate(&xd, &neg), 0);
	assert_int_equal(neg.nqueues, 1);
	assert_false(neg.feat.csum4);
	assert_false(neg.feat.gso4);
	assert_true(neg.feat.gso6);
	sched_ncpu = 256;
	set("/back/multi-queue-max-queues", "256");
	assert_int_equal(netfront_negotiate(&xd, &neg), 0);
	assert_int_equal(neg.nqueues, NETFRONT_QUEUES_MAX);
}

static struct netqueue queue[2];

static struct netfront front(unsigned n, bool split)
{
	struct netfront nf = { .xd = &xd, .queue = queue };

	nf.neg.nqueues = n;
	for (unsigned i = 0; i < n; i++) {
		queue[i].tx_mem.ref[0] = 10 + i;
		queue[i].rx_mem.ref[0] = 20 + i;
		queue[i].tx_port = 30 + i;
		queue[i].rx_port = split ? 40 + i : 30 + i;
	}
	return nf;
}

static void check(const char *path, const char *value)
{
	const char *v = find(path);

	if (!value)
		assert_null(v);
	else if (!v)
		fail_msg("no %s", path);
	else
		assert_string_equal(v, value);
}

static void test_publish_one(void **state)
{
	struct netfront nf = front(1, false);

	(void)state;
	again = 2; /* somebody else wrote meanwhile */
	assert_int_equal(netfront_publish(&nf), 0);
	assert_true(committed);
	assert_int_equal(txns, 3);
	check("device/vif/0/tx-ring-ref", "10");
	check("device/vif/0/rx-ring-ref", "20");
	check("device/vif/0/event-channel", "30");
	check("device/vif/0/event-channel-tx", NULL);
	check("device/vif/0/multi-queue-num-queues", NULL);
	check("device/vif/0/request-rx-copy", "1");
	check("device/vif/0/feature-rx-notify", "1");
	check("device/vif/0/feature-sg", "1");
	check("device/vif/0/feature-gso-tcpv4", "1");
	check("device/vif/0/feature-gso-tcpv6", "1");
	check("device/vif/0/feature-ipv6-csum-offload", "1");
}

static void test_publish_two(void **state)
{
	struct netfront nf = front(2, true);

	(void)state;
	assert_int_equal(netfront_publish(&nf), 0);
	check("device/vif/0/tx-ring-ref", NULL);
	check("device/vif/0/event-channel-tx", NULL);
	check("device/vif/0/multi-queue-num-queues", "2");
	check("device/vif/0/queue-0/tx-ring-ref", "10");
	check("device/vif/0/queue-1/tx-ring-ref", "11");
	check("device/vif/0/queue-1/rx-ring-ref", "21");
	check("device/vif/0/queue-1/event-channel-tx", "31");
	check("device/vif/0/queue-1/event-channel-rx", "41");
	check("device/vif/0/queue-1/event-channel", NULL);
}

static void test_publish_fails(void **state)
{
	struct netfront nf = front(2, true);
	unsigned n;

	(void)state;
	for (n = 1;; n++) {
		fail_write = n;
		if (netfront_publish(&nf) == 0)
			break;
		assert_false(committed);
	}
	assert_int_equal(n, 1 + 2 * 4 + 6 + 1);
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_mac),
		T(test_mtu),
		T(test_negotiate_little),
		T(test_negotiate_all),
		T(test_publish_one),
		T(test_publish_two),
		T(test_publish_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
