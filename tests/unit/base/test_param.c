/* kernel/base/param.c: command lines as people, loaders and accidents write
 * them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kern/boot.h"
#include "kern/compiler.h"
#include "kern/console.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/param.h"

struct boot_info boot_info;

static char said[256];
static size_t written;

void log_write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said, sizeof(said), fmt, ap);
	va_end(ap);
}

void console_write(const char *s, size_t n)
{
	written += n;
}

static int parse(const char *line)
{
	said[0] = '\0';
	snprintf(boot_info.cmdline, sizeof(boot_info.cmdline), "%s", line);
	return param_parse();
}

static void expect_args(const char *line, const char *joined)
{
	char got[512] = "";

	assert_int_equal(parse(line), 0);
	for (unsigned i = 0; i < boot_params.argc; i++) {
		strcat(got, "[");
		strcat(got, boot_params.argv[i]);
		strcat(got, "]");
	}
	assert_string_equal(got, joined);
	assert_null(boot_params.argv[boot_params.argc]);
}

static void expect_error(const char *line, const char *reason)
{
	assert_int_equal(parse(line), -EINVAL);
	if (!strstr(said, reason))
		fail_msg("%s: said \"%s\"", line, said);
}

static void test_program_and_arguments(void **state)
{
	expect_args("/bin/app", "[/bin/app]");
	expect_args("  /bin/app\ta  b\n", "[/bin/app][a][b]");
	expect_args("app --verbose --unknown -x k=v", "[app][--verbose]"
						      "[--unknown][-x][k=v]");
	assert_false(boot_params.verbose);
	expect_args("-- app", "[app]");
	expect_args("-- --verbose", "[--verbose]");
	expect_args("-- console=x", "[console=x]");
	expect_args("-x y", "[-x][y]");
}

static void test_quotes(void **state)
{
	expect_args("app \"a b\" 'c  d'", "[app][a b][c  d]");
	expect_args("app a\" b \"c", "[app][a b c]");
	expect_args("app \"\" ''", "[app][][]");
	expect_args(
	    "app \"\\\"x\\\\\" '\\n' \"\\n\"", "[app][\"x\\][\\n][\\n]");
	expect_args("app \"it's\" 'say \"hi\"'", "[app][it's][say \"hi\"]");
	expect_args("\"/my app\"", "[/my app]");
	expect_error("app \"a b", "quote");
	expect_error("app 'a", "quote");
	expect_error("app a'", "quote");
}

static void test_every_option(void **state)
{
	expect_args(
	    "--ip=eth0,10.0.0.2,255.255.255.0 --ip=eth1,1.2.3.4,255.0.0.0"
	    " --defaultgw=10.0.0.1 --nameserver=8.8.8.8 --dhcp"
	    " --env=A=1 --env=\"B=x y\" --env=C= --cwd=/srv"
	    " --rootfs=erofs --verbose --console=hvc --bootchart"
	    " --hostname=h --allow-wx=/bin/a --allow-wx /bin/b app",
	    "[app]");
	assert_int_equal(boot_params.nallow_wx, 2);
	assert_string_equal(boot_params.allow_wx[1], "/bin/b");
	assert_int_equal(boot_params.nip, 2);
	assert_string_equal(boot_params.ip[1], "eth1,1.2.3.4,255.0.0.0");
	assert_string_equal(boot_params.defaultgw, "10.0.0.1");
	assert_string_equal(boot_params.nameserver, "8.8.8.8");
	assert_int_equal(boot_params.nenv, 3);
	assert_string_equal(boot_params.env[1], "B=x y");
	assert_string_equal(boot_params.env[2], "C=");
	assert_string_equal(boot_params.cwd, "/srv");
	assert_string_equal(boot_params.rootfs, "erofs");
	assert_string_equal(boot_params.console, "hvc");
	assert_string_equal(boot_params.hostname, "h");
	assert_true(
	    boot_params.dhcp && boot_params.verbose && boot_params.bootchart);
	expect_args("--syscall-rewrite=off app", "[app]");
	assert_true(boot_params.keep_syscalls);
	expect_args("--syscall-rewrite=on --strace app", "[app]");
	assert_true(boot_params.strace);
	assert_false(boot_params.keep_syscalls);
	expect_error("--syscall-rewrite=no app", "syscall-rewrite");
	expect_args("--cwd /srv --env A=1 app", "[app]");
	assert_string_equal(boot_params.cwd, "/srv");
	expect_args("app", "[app]"); /* nothing is left of the line before */
	assert_null(boot_params.cwd);
	assert_int_equal(boot_params.nenv, 0);
}

static void test_help_needs_no_program(void **state)
{
	assert_int_equal(parse("--help"), 0);
	assert_true(boot_params.help);
	written = 0;
	param_usage();
	assert_true(written > 100);
}

static void test_wrong_options(void **state)
{
	expect_error("--nonsense app", "unknown option: --nonsense");
	expect_error("--verbos app", "unknown option");
	expect_error("--verbosely app", "unknown option");
	expect_error("--=x app", "unknown option");
	expect_error("--verbose=1 app", "takes no value");
	expect_error("--cwd", "needs a value");
	expect_error("--rootfs=zfs app", "zfs");
	expect_error("--console=vga app", "vga");
	expect_error("--env=NAME app", "NAME=VALUE");
	expect_error("--env==v app", "NAME=VALUE");
	expect_error("--allow-wx=java app", "absolute path");
	expect_error("", "no program");
	expect_error("   ", "no program");
	expect_error("--verbose --", "no program");
	expect_error("quiet ro", "no program");
}

static void test_addresses(void **state)
{
	expect_args("--ip=eth0,0.0.0.0,0 --ip=e,255.255.255.255,32"
		    " --nameserver=2001:db8::1 app",
	    "[app]");
	expect_error("--ip=eth0,300.1.1.1,255.0.0.0 app", "300.1.1.1");
	expect_error("--ip=eth0,1.1.1,255.0.0.0 app", "not an IPv4");
	expect_error("--ip=eth0,1.1.1.1.1,255.0.0.0 app", "not an IPv4");
	expect_error("--ip=eth0,1.1.1.,255.0.0.0 app", "not an IPv4");
	expect_error("--ip=eth0,,255.0.0.0 app", "not an IPv4");
	expect_error("--ip=eth0,0001.1.1.1,24 app", "not an IPv4");
	expect_error("--ip=eth0,1.1.1.1 app", "DEVICE,ADDRESS,MASK");
	expect_error("--ip=eth0 app", "DEVICE,ADDRESS,MASK");
	expect_error("--ip=,1.1.1.1,24 app", "DEVICE,ADDRESS,MASK");
	expect_error("--ip= app", "DEVICE,ADDRESS,MASK");
	expect_error("--ip=eth0,1.1.1.1,33 app", "netmask");
	expect_error("--ip=eth0,1.1.1.1,255.255.0 app", "netmask");
	expect_error("--ip=eth0,1.1.1.1,24x app", "netmask");
	expect_error("--ip=eth0,1.1.1.1, app", "netmask");
	expect_error("--defaultgw=::1 app", "not an IPv4");
	expect_error("--defaultgw=10.0.0.256 app", "not an IPv4");
	expect_error("--nameserver=dns app", "not an address");
	expect_error("--nameserver= app", "not an address");
}

static void test_loader_tokens(void **state)
{
	expect_args(
	    "ro quiet console=ttyS0,115200 root=/dev/vda panic=1 --verbose"
	    " reboot=t app x",
	    "[app][x]");
	assert_true(boot_params.verbose);
	assert_string_equal(param_loader("root", 0), "/dev/vda");
	assert_null(param_loader("root", 1));
	assert_null(param_loader("roo", 0));
	assert_null(param_loader("absent", 0));
	assert_string_equal(boot_params.console, "serial");
	/* a program's path is no assignment */
	expect_args("/opt/a=b x", "[/opt/a=b][x]");
}

static void test_devices_behind_the_program(void **state)
{
	expect_args("virtio_mmio.device=4K@0x1:5 app a"
		    " virtio_mmio.device=512@0xfeb00e00:12",
	    "[app][a]");
	assert_string_equal(param_loader("virtio_mmio.device", 0), "4K@0x1:5");
	assert_string_equal(
	    param_loader("virtio_mmio.device", 1), "512@0xfeb00e00:12");
	assert_null(param_loader("virtio_mmio.device", 2));
}

static void test_console_tokens(void **state)
{
	expect_args("console=hvc0 app", "[app]");
	assert_string_equal(boot_params.console, "hvc");
	expect_args("console=hvc0 console=ttyS0 app", "[app]");
	assert_null(boot_params.console);
	expect_args("console=hvc0 --console=all app", "[app]");
	assert_string_equal(boot_params.console, "all");
	expect_args("console=tty0 app", "[app]");
	assert_null(boot_params.console);
}

static void test_too_many(void **state)
{
	char line[BOOT_CMDLINE_MAX];
	size_t n;

	strcpy(line, "app");
	for (int i = 1; i < PARAM_MAX_ARGS; i++)
		strcat(line, " a");
	assert_int_equal(parse(line), 0);
	assert_int_equal(boot_params.argc, PARAM_MAX_ARGS);
	strcat(line, " a");
	expect_error(line, "arguments");

	line[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(boot_params.ip) + 1; i++)
		strcat(line, "--ip=e,1.1.1.1,2 ");
	expect_error(line, "too many");

	/* loader tokens beyond the table are left out with a warning */
	line[0] = '\0';
	for (int i = 0; i < 100; i++)
		strcat(line, "k=v ");
	strcat(line, "app");
	assert_int_equal(parse(line), 0);

	/* as many words as fit */
	for (n = 0; n + 1 < sizeof(line); n++)
		line[n] = n % 2 ? ' ' : 'a';
	line[n] = '\0';
	expect_error(line, "arguments");
}

static void test_garbage_is_survived(void **state)
{
	unsigned seed = 1;
	char line[200];

	for (int round = 0; round < 20000; round++) {
		static const char set[] = "-=\"'\\ ab\t.\xff,";
		size_t n = (seed >> 8) % (sizeof(line) - 1);

		for (size_t i = 0; i < n; i++) {
			seed = seed * 1103515245u + 12345u;
			line[i] = set[(seed >> 16) % (sizeof(set) - 1)];
		}
		line[n] = '\0';
		(void)parse(line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_program_and_arguments),
		cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_every_option),
		cmocka_unit_test(test_help_needs_no_program),
		cmocka_unit_test(test_wrong_options),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_loader_tokens),
		cmocka_unit_test(test_devices_behind_the_program),
		cmocka_unit_test(test_console_tokens),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_garbage_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
