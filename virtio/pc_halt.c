/*
 * Stopping a PC: QEMU's isa-debug-exit when the host asked for it (see
 * README), power-off, reset.
 */

#include "kern/arch.h"
#include "kern/compiler.h"
#include "kern/param.h"
#include "kern/string.h"

#include "acpi_int.h"
#include "pc_int.h"

/* QEMU exits with (value << 1) | 1, so seven bits carry the status. */
#define DEBUG_EXIT_CRASH  0
#define DEBUG_EXIT_STATUS 1  /* + status, up to ... */
#define DEBUG_EXIT_OTHER  94 /* a status that does not fit */
#define DEBUG_EXIT_EXEC   95 /* + status - 126: the program was not started */
#define DEBUG_EXIT_SIGNAL 96 /* + status - 128: killed by a signal */

static uint8_t debug_exit_value(enum platform_halt how, int status)
{
	if (how == PLATFORM_CRASH)
		return DEBUG_EXIT_CRASH;
	if (status >= 0 && status < DEBUG_EXIT_OTHER - DEBUG_EXIT_STATUS)
		return (uint8_t)(DEBUG_EXIT_STATUS + status);
	if (status == 126 || status == 127)
		return (uint8_t)(DEBUG_EXIT_EXEC + status - 126);
	if (status > 128 && status < 160)
		return (uint8_t)(DEBUG_EXIT_SIGNAL + status - 128);
	return DEBUG_EXIT_OTHER;
}

/* The port of "debug_exit=0xPORT"; 0 when there is none. */
static uint16_t debug_exit_port(void)
{
	const char *s = param_loader("debug_exit", 0);
	unsigned long port;
	char *end;

	if (!s || s[0] != '0' || s[1] != 'x')
		return 0;
	port = strtoul(s, &end, 16);
	return *end == '\0' && port <= UINT16_MAX ? (uint16_t)port : 0;
}

static void debug_exit(enum platform_halt how, int status)
{
	uint16_t port = debug_exit_port();

	if (port != 0 && how != PLATFORM_REBOOT && inb(port) != 0xff)
		outb(port, debug_exit_value(how, status));
}

static void reset(void)
{
	acpi_reset();
	outb(0xcf9, 0x02); /* chipset reset control: hard, then pull it */
	outb(0xcf9, 0x06);
	outb(0x64, 0xfe); /* the keyboard controller's reset line */
	arch_triple_fault();
}

/*
 * A machine that cannot be switched off (microvm without ACPI) is reset: with
 * -no-reboot QEMU makes that its end, and Firecracker knows nothing else.
 */
void pc_halt(enum platform_halt how, int status)
{
	irq_disable();
	debug_exit(how, status);
	if (how == PLATFORM_POWEROFF || how == PLATFORM_CRASH)
		acpi_poweroff();
	if (how != PLATFORM_HALT)
		reset();
	arch_hang();
}
