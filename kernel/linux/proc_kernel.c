#include "kern/app.h"
#include "kern/procfs.h"
#include "names_int.h"

/* /proc/version and the names in /proc/sys/kernel. */

static int show_version(struct proc_out *out)
{
	proc_printf(out, "Linux version %s (osv) (gcc) %s\n", LINUX_RELEASE,
	    LINUX_VERSION);
	return 0;
}

static const struct proc_file version_file = {
	.path = "version",
	.show = show_version,
};
PROC_FILE(version_file);

static int show_ostype(struct proc_out *out)
{
	proc_printf(out, "Linux\n");
	return 0;
}

static const struct proc_file ostype_file = {
	.path = "sys/kernel/ostype",
	.show = show_ostype,
};
PROC_FILE(ostype_file);

static int show_osrelease(struct proc_out *out)
{
	proc_printf(out, "%s\n", LINUX_RELEASE);
	return 0;
}

static const struct proc_file osrelease_file = {
	.path = "sys/kernel/osrelease",
	.show = show_osrelease,
};
PROC_FILE(osrelease_file);

static int show_kversion(struct proc_out *out)
{
	proc_printf(out, "%s\n", LINUX_VERSION);
	return 0;
}

static const struct proc_file kversion_file = {
	.path = "sys/kernel/version",
	.show = show_kversion,
};
PROC_FILE(kversion_file);

static int show_hostname(struct proc_out *out)
{
	char name[NAME_SIZE];

	hostname_get(name);
	proc_printf(out, "%s\n", name);
	return 0;
}

static int store_hostname(const char *text)
{
	return hostname_set(text);
}

static const struct proc_file hostname_file = {
	.path = "sys/kernel/hostname",
	.show = show_hostname,
	.store = store_hostname,
};
PROC_FILE(hostname_file);

static int show_domainname(struct proc_out *out)
{
	char name[NAME_SIZE];

	domainname_get(name);
	proc_printf(out, "%s\n", name);
	return 0;
}

static int store_domainname(const char *text)
{
	return domainname_set(text);
}

static const struct proc_file domainname_file = {
	.path = "sys/kernel/domainname",
	.show = show_domainname,
	.store = store_domainname,
};
PROC_FILE(domainname_file);
