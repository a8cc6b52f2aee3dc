/*
 * The 16550 UART at 0x3f8 (COM1): early output, and the console ttyS0.
 * Registers: National Semiconductor PC16550D data sheet, section 8.
 */

#include "kern/arch.h"
#include "kern/compiler.h"
#include "kern/console.h"
#include "kern/errno.h"

#include "pc_int.h"

#define UART_BASE        0x3f8
#define UART_GSI         4
#define UART_FIFO        16

#define UART_DATA        0 /* divisor low with DLAB */
#define UART_IER         1 /* divisor high with DLAB */
#define UART_FCR         2
#define UART_LCR         3
#define UART_MCR         4
#define UART_LSR         5

#define UART_IER_RX      0x01
#define UART_FCR_ENABLE  0x07 /* and empty both FIFOs */
#define UART_LCR_8N1     0x03
#define UART_LCR_DLAB    0x80
#define UART_MCR_DTR_RTS 0x03
#define UART_MCR_OUT2    0x08 /* lets the interrupt out */
#define UART_LSR_DATA    0x01
#define UART_LSR_EMPTY   0x20

/* A host that does not read stops the UART: give up rather than hang. */
#define UART_SPIN_MAX 100000

static bool uart_present;

static void uart_out(unsigned reg, uint8_t v)
{
	outb((uint16_t)(UART_BASE + reg), v);
}

static uint8_t uart_in(unsigned reg)
{
	return inb((uint16_t)(UART_BASE + reg));
}

void uart_early(void)
{
	if (uart_in(UART_LSR) == 0xff)
		return;
	uart_out(UART_IER, 0);
	uart_out(UART_LCR, UART_LCR_DLAB);
	uart_out(UART_DATA, 1); /* 115200 */
	uart_out(UART_IER, 0);
	uart_out(UART_LCR, UART_LCR_8N1);
	uart_out(UART_FCR, UART_FCR_ENABLE);
	uart_out(UART_MCR, UART_MCR_DTR_RTS | UART_MCR_OUT2);
	uart_present = true;
}

static bool uart_wait_empty(void)
{
	for (unsigned i = 0; i < UART_SPIN_MAX; i++) {
		if (uart_in(UART_LSR) & UART_LSR_EMPTY)
			return true;
		cpu_relax();
	}
	return false;
}

void uart_putc(char c)
{
	if (uart_present && uart_wait_empty())
		uart_out(UART_DATA, (uint8_t)c);
}

static void uart_write(struct console *con, const char *s, size_t n)
{
	(void)con;
	for (size_t i = 0; i < n; i++) {
		if (i % UART_FIFO == 0 && !uart_wait_empty())
			return;
		uart_out(UART_DATA, (uint8_t)s[i]);
	}
}

static size_t uart_read(struct console *con, char *buf, size_t n)
{
	size_t got = 0;

	(void)con;
	while (got < n && (uart_in(UART_LSR) & UART_LSR_DATA))
		buf[got++] = (char)uart_in(UART_DATA);
	return got;
}

static const struct console_ops uart_ops = {
	.write = uart_write,
	.read = uart_read,
};

static struct console uart_console = {
	.name = "ttyS0",
	.ops = &uart_ops,
};

static void uart_interrupt(void *arg)
{
	console_rx_ready(arg);
}

int uart_init(void)
{
	int err;

	if (!uart_present)
		return -ENODEV;
	err = console_register(&uart_console);
	if (err)
		return err;
	err = irq_gsi_attach(
	    UART_GSI, false, false, uart_interrupt, &uart_console);
	if (!err)
		uart_out(UART_IER, UART_IER_RX);
	return 0;
}
