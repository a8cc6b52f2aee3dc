/*
 * What the host asks for through control/shutdown: an orderly stop.
 * Source: docs/misc/xenstore-paths.pandoc, ~/control.
 */

#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/platform.h"
#include "kern/string.h"
#include "xen/xenstore.h"
#include "xen_int.h"

#define NODE "control/shutdown"

static const struct command {
	const char *name, *feature; /* NULL: not announced */
	enum platform_halt how;
} commands[] = {
	{ "poweroff", "control/feature-poweroff", PLATFORM_POWEROFF },
	{ "halt", NULL, PLATFORM_HALT },
	{ "reboot", "control/feature-reboot", PLATFORM_REBOOT },
};

/*
 * Read the request and clear it, which acknowledges it, in one transaction:
 * a second request must not be cleared in the place of the first.
 */
static int request_take(char *buf, size_t size)
{
	struct xs_txn txn;
	int len, err;

	do {
		err = xs_txn_begin(&txn);
		if (err != 0)
			return err;
		len = xs_read(&txn, NODE, "", buf, size);
		if (len > 0)
			err = xs_write(&txn, NODE, "", "");
		if (len <= 0 || err != 0) {
			(void)!xs_txn_end(&txn, true);
			return len <= 0 ? len : err;
		}
		err = xs_txn_end(&txn, false);
	} while (err == -EAGAIN);
	return err != 0 ? err : len;
}

static void requested(struct xs_watch *w, const char *path)
{
	char buf[32];
	int len = request_take(buf, sizeof(buf));

	(void)w;
	(void)path;
	if (len == 0 || len == -ENOENT)
		return;
	if (len < 0) {
		log_warn("xen: " NODE ": error %d", len);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(buf, commands[i].name) != 0)
			continue;
		log_info("xen: the host asks for %s", buf);
		shutdown_request(commands[i].how);
		return;
	}
	log_warn("xen: the host asks for %s: not supported", buf);
}

void xen_shutdown_init(void)
{
	static struct xs_watch watch = { .path = NODE, .fn = requested };

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (commands[i].feature)
			(void)!xs_write(NULL, commands[i].feature, "", "1");
	}
	if (xs_watch_add(&watch) != 0)
		log_warn("xen: xl shutdown will not be heard");
}
