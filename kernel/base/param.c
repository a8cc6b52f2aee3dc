/*
 * The command line: our options and the loader's tokens, then the program and
 * its arguments.  Words are separated by blanks; "..." (with \" and \\) and
 * '...' keep blanks.  Nothing here may assume that memory or a console works.
 */

#include <stddef.h>

#include "kern/boot.h"
#include "kern/compiler.h"
#include "kern/console.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/param.h"
#include "kern/string.h"

#define LOADER_MAX 64
#define WORDS_MAX  (BOOT_CMDLINE_MAX / 2)

struct boot_params boot_params;

static char text[BOOT_CMDLINE_MAX]; /* the words, unquoted */
static char *words[WORDS_MAX];
static unsigned nwords;
static const char *loader[LOADER_MAX];
static unsigned nloader;

enum value { VALUE_NONE, VALUE_TEXT };

struct option {
	const char *name;
	enum value value;
	int (*set)(const char *value);
	const char *help;
};

/* --- one function for each option --------------------------------------- */

static int push(const char **list, unsigned *n, size_t max, const char *v)
{
	if (*n == max) {
		log_err("too many: %s", v);
		return -EINVAL;
	}
	list[(*n)++] = v;
	return 0;
}

static int one_of(const char **where, const char *v, const char *a,
    const char *b, const char *c)
{
	*where = v;
	if (!strcmp(v, a) || !strcmp(v, b) || !strcmp(v, c))
		return 0;
	log_err("%s: must be %s, %s or %s", v, a, b, c);
	return -EINVAL;
}

/* Four numbers with dots; the length of it, or 0. */
static size_t ipv4_length(const char *s)
{
	const char *p = s;

	for (int i = 0; i < 4; i++) {
		unsigned n = 0, digits = 0;

		if (i && *p++ != '.')
			return 0;
		for (; *p >= '0' && *p <= '9' && digits < 4; p++, digits++)
			n = n * 10 + (unsigned)(*p - '0');
		if (!digits || digits > 3 || n > 255)
			return 0;
	}
	return (size_t)(p - s);
}

static bool is_ipv4(const char *s)
{
	size_t n = ipv4_length(s);

	return n && !s[n];
}

/* Of the form only: letters that an IPv6 address is made of, and two colons. */
static bool is_ipv6(const char *s)
{
	unsigned colons = 0;

	for (; *s; s++) {
		colons += *s == ':';
		if (*s != ':' && *s != '.' && !(*s >= '0' && *s <= '9') &&
		    !((*s | 0x20) >= 'a' && (*s | 0x20) <= 'f'))
			return false;
	}
	return colons >= 2;
}

/* The netmask of --ip: as an address, or the number of its bits. */
static bool is_mask(const char *s)
{
	char *end;

	if (strchr(s, '.'))
		return is_ipv4(s);
	return *s >= '0' && *s <= '9' && strtoul(s, &end, 10) <= 32 && !*end;
}

static int refuse(const char *option, const char *v, const char *why)
{
	log_err("--%s=%s: %s", option, v, why);
	return -EINVAL;
}

static int set_ip(const char *v)
{
	const char *addr = strchr(v, ','), *mask;

	if (!addr || addr == v)
		return refuse("ip", v, "must be DEVICE,ADDRESS,MASK");
	mask = strchr(++addr, ',');
	if (!mask)
		return refuse("ip", v, "must be DEVICE,ADDRESS,MASK");
	if (!ipv4_length(addr) || addr + ipv4_length(addr) != mask)
		return refuse("ip", v, "not an IPv4 address");
	if (!is_mask(mask + 1))
		return refuse("ip", v, "not a netmask");
	return push(
	    boot_params.ip, &boot_params.nip, ARRAY_SIZE(boot_params.ip), v);
}

static int set_allow_wx(const char *v)
{
	if (*v != '/')
		return refuse("allow-wx", v, "must be an absolute path");
	return push(boot_params.allow_wx, &boot_params.nallow_wx,
	    ARRAY_SIZE(boot_params.allow_wx), v);
}

static int set_env(const char *v)
{
	const char *eq = strchr(v, '=');

	if (!eq || eq == v)
		return refuse("env", v, "must be NAME=VALUE");
	return push(
	    boot_params.env, &boot_params.nenv, ARRAY_SIZE(boot_params.env), v);
}

static int set_defaultgw(const char *v)
{
	boot_params.defaultgw = v;
	return is_ipv4(v) ? 0 : refuse("defaultgw", v, "not an IPv4 address");
}

static int set_nameserver(const char *v)
{
	boot_params.nameserver = v;
	if (is_ipv4(v) || is_ipv6(v))
		return 0;
	return refuse("nameserver", v, "not an address");
}

static int set_cwd(const char *v)
{
	boot_params.cwd = v;
	return 0;
}

static int set_hostname(const char *v)
{
	boot_params.hostname = v;
	return 0;
}

static int set_rootfs(const char *v)
{
	return one_of(&boot_params.rootfs, v, "ramfs", "erofs", "none");
}

static int set_console(const char *v)
{
	return one_of(&boot_params.console, v, "serial", "hvc", "all");
}

static int set_dhcp(const char *v)
{
	boot_params.dhcp = true;
	return 0;
}

static int set_verbose(const char *v)
{
	boot_params.verbose = true;
	return 0;
}

static int set_bootchart(const char *v)
{
	boot_params.bootchart = true;
	return 0;
}

static int set_trace(const char *v)
{
	boot_params.trace = v;
	return 0;
}

static int set_syscall_rewrite(const char *v)
{
	boot_params.keep_syscalls = strcmp(v, "off") == 0;
	if (boot_params.keep_syscalls || strcmp(v, "on") == 0)
		return 0;
	return refuse("syscall-rewrite", v, "must be on or off");
}

static int set_strace(const char *v)
{
	boot_params.strace = true;
	return 0;
}

static int set_help(const char *v)
{
	boot_params.help = true;
	return 0;
}

static const struct option options[] = {
	{ "ip", VALUE_TEXT, set_ip, "=eth0,ADDR,MASK  (repeatable)" },
	{ "defaultgw", VALUE_TEXT, set_defaultgw, "=ADDR" },
	{ "nameserver", VALUE_TEXT, set_nameserver, "=ADDR" },
	{ "dhcp", VALUE_NONE, set_dhcp,
	    "  ask for an address (the default without --ip)" },
	{ "env", VALUE_TEXT, set_env, "=NAME=VALUE  (repeatable)" },
	{ "cwd", VALUE_TEXT, set_cwd, "=DIR" },
	{ "rootfs", VALUE_TEXT, set_rootfs, "=ramfs|erofs|none" },
	{ "hostname", VALUE_TEXT, set_hostname, "=NAME" },
	{ "console", VALUE_TEXT, set_console, "=serial|hvc|all" },
	{ "allow-wx", VALUE_TEXT, set_allow_wx,
	    "=PROGRAM  may have memory writable and executable (repeatable)" },
	{ "syscall-rewrite", VALUE_TEXT, set_syscall_rewrite,
	    "=on|off  make the program's system calls jumps (on)" },
	{ "strace", VALUE_NONE, set_strace,
	    "  show system calls on the console" },
	{ "verbose", VALUE_NONE, set_verbose, "  show the whole log" },
	{ "bootchart", VALUE_NONE, set_bootchart,
	    "  show how long each step of the boot took" },
	{ "trace", VALUE_TEXT, set_trace,
	    "=NAME,...  trace points to switch on, such as sched:*" },
	{ "help", VALUE_NONE, set_help, "" },
};

void param_usage(void)
{
	static const char head[] =
	    "usage: [OPTION...] [--] PROGRAM [ARGUMENT...]\n";
	char line[96];

	console_write(head, sizeof(head) - 1);
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
		int n = snprintf(line, sizeof(line), "  --%s%s\n",
		    options[i].name, options[i].help);

		console_write(line, (size_t)n);
	}
}

/* --- words --------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Copy one word from *src to *dst without its quotes; false: no end quote. */
static bool copy_word(const char **src, char **dst)
{
	const char *s = *src;
	char *d = *dst;
	char quote = 0;

	for (; *s && (quote || !is_blank(*s)); s++) {
		if (quote ? *s == quote : *s == '"' || *s == '\'')
			quote = quote ? 0 : *s;
		else if (quote == '"' && *s == '\\' &&
			 (s[1] == '"' || s[1] == '\\'))
			*d++ = *++s;
		else
			*d++ = *s;
	}
	*d++ = '\0';
	*src = s;
	*dst = d;
	return !quote;
}

static int split(const char *s)
{
	char *d = text;

	nwords = 0;
	for (;;) {
		while (is_blank(*s))
			s++;
		if (!*s)
			return 0;
		words[nwords++] = d;
		if (!copy_word(&s, &d)) {
			log_err("command line: a quote is not closed");
			return -EINVAL;
		}
	}
}

/* --- what a word is ------------------------------------------------------ */

static bool has_key(const char *word, const char *key)
{
	size_t n = strlen(key);

	return !strncmp(word, key, n) && word[n] == '=';
}

/* "key=value" with a plain key: nobody's program is called so. */
static bool is_assignment(const char *w)
{
	const char *p = w;

	while ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
	       (*p >= '0' && *p <= '9') || *p == '_' || *p == '.' || *p == '-')
		p++;
	return p > w && *p == '=';
}

/* The words of a Linux command line that loaders and their users add. */
static bool is_loader_flag(const char *w)
{
	static const char *const flags[] = { "ro", "rw", "quiet", "debug",
		"splash", "nomodule", "nomodules", "nokaslr", "noapic",
		"nolapic", "nosmp", "noacpi", "earlyprintk", "nofb" };

	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++)
		if (!strcmp(w, flags[i]))
			return true;
	return false;
}

static int loader_word(const char *w)
{
	if (nloader < LOADER_MAX)
		loader[nloader++] = w;
	else
		log_warn("command line: %s: one too many, left out", w);
	return 0;
}

/* console=ttyS0,115200 and console=hvc0, once or both; ours has priority. */
static void loader_console(void)
{
	bool serial = false, hvc = false;
	const char *v;

	for (unsigned i = 0; (v = param_loader("console", i)); i++) {
		serial |= !strncmp(v, "ttyS", 4);
		hvc |= !strncmp(v, "hvc", 3);
	}
	if (!boot_params.console && serial != hvc)
		boot_params.console = serial ? "serial" : "hvc";
}

const char *param_loader(const char *key, unsigned n)
{
	for (unsigned i = 0; i < nloader; i++)
		if (has_key(loader[i], key) && n-- == 0)
			return loader[i] + strlen(key) + 1;
	return NULL;
}

/* words[*i] begins with "--"; its value may be the next word. */
static int option_word(unsigned *i)
{
	const char *name = words[*i] + 2;
	const char *eq = strchr(name, '=');
	size_t len = eq ? (size_t)(eq - name) : strlen(name);

	for (unsigned o = 0; o < ARRAY_SIZE(options); o++) {
		const struct option *opt = &options[o];

		if (strlen(opt->name) != len || strncmp(opt->name, name, len))
			continue;
		if (opt->value == VALUE_NONE && !eq)
			return opt->set(NULL);
		if (opt->value == VALUE_NONE) {
			log_err("--%s takes no value", opt->name);
			return -EINVAL;
		}
		if (eq)
			return opt->set(eq + 1);
		if (*i + 1 < nwords)
			return opt->set(words[++*i]);
		log_err("--%s needs a value", opt->name);
		return -EINVAL;
	}
	log_err("unknown option: %s", words[*i]);
	return -EINVAL;
}

/* Index of the program's word, or -EINVAL. */
static int options_parse(void)
{
	for (unsigned i = 0; i < nwords; i++) {
		const char *w = words[i];
		int err;

		if (!strcmp(w, "--"))
			return (int)i + 1;
		if (w[0] == '-' && w[1] == '-')
			err = option_word(&i);
		else if (is_assignment(w) || is_loader_flag(w))
			err = loader_word(w);
		else
			return (int)i;
		if (err)
			return err;
	}
	return (int)nwords;
}

/*
 * QEMU's microvm and Firecracker append their devices to what the user wrote,
 * so that these stand behind the program's arguments.
 */
static int program_parse(unsigned i)
{
	for (; i < nwords; i++) {
		if (has_key(words[i], "virtio_mmio.device")) {
			loader_word(words[i]);
			continue;
		}
		if (boot_params.argc == PARAM_MAX_ARGS) {
			log_err("more than %u arguments", PARAM_MAX_ARGS);
			return -EINVAL;
		}
		boot_params.argv[boot_params.argc++] = words[i];
	}
	if (boot_params.argc || boot_params.help)
		return 0;
	log_err("no program was named");
	return -EINVAL;
}

int param_parse(void)
{
	int i, err;

	memset(&boot_params, 0, sizeof(boot_params));
	nloader = 0;
	err = split(boot_info.cmdline);
	if (err)
		return err;
	i = options_parse();
	err = i < 0 ? i : program_parse((unsigned)i);
	loader_console();
	return err;
}
