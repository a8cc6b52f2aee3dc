#include "exec_int.h"

#include "kern/errno.h"
#include "kern/num.h"
#include "kern/param.h"
#include "kern/string.h"

static const char *const defaults[] = {
	"HOME=/",
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"TERM=linux",
};

static bool same_name(const char *a, const char *b)
{
	size_t n = (size_t)(strchr(a, '=') - a);

	return strncmp(a, b, n + 1) == 0;
}

/* Does --env= name the variable of (kv), after the first (from) of them? */
static bool overridden(const char *kv, unsigned from)
{
	for (unsigned i = from; i < boot_params.nenv; i++)
		if (same_name(kv, boot_params.env[i]))
			return true;
	return false;
}

static int add(struct exec_args *a, const char *kv, unsigned from)
{
	return overridden(kv, from) ? 0 : exec_args_add(a, kv, true);
}

int boot_env(struct exec_args *a)
{
	char host[80];
	int r;

	snprintf(host, sizeof(host), "HOSTNAME=%s",
	    boot_params.hostname ? boot_params.hostname : "osv");
	r = add(a, host, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(defaults) && r == 0; i++)
		r = add(a, defaults[i], 0);
	/* Of two values of one name the later holds. */
	for (unsigned i = 0; i < boot_params.nenv && r == 0; i++)
		if (strchr(boot_params.env[i], '='))
			r = add(a, boot_params.env[i], i + 1);
	return r;
}
