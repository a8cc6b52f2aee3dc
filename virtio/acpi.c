/*
 * Power-off, reset and the power button by ACPI 6: chapter 4.8 on the PCs,
 * 4.8.3.7 and the Generic Event Device (5.6.9) on QEMU's microvm.
 */

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/platform.h"

#include "acpi_int.h"
#include "mmio_reg.h"

#define PM1_POWER_BUTTON 0x0100
#define PM1_SCI_EN       0x0001
#define PM1_SLP_EN       0x2000
#define PM1_SLP_SHIFT    10
#define SLEEP_EN         0x20 /* of the sleep control register */
#define SLEEP_SHIFT      2
#define GED_POWER_DOWN   0x2 /* QEMU, include/hw/acpi/generic_event_device.h */

#define ENABLE_SPIN_MAX  1000000

static struct acpi_power power;
static bool have_s5;
static uint8_t s5_type[2];
static volatile uint8_t *reset_reg, *sleep_reg, *ged_event;

/* --- being asked to stop ------------------------------------------------- */

static void sci_irq(void *arg)
{
	uint16_t status = inw(power.pm1a_event);

	(void)arg;
	if (!(status & PM1_POWER_BUTTON))
		return;
	outw(power.pm1a_event, PM1_POWER_BUTTON); /* clears it */
	shutdown_request(PLATFORM_POWEROFF);
}

static void ged_irq(void *arg)
{
	(void)arg;
	if (reg_read32(ged_event, 0) & GED_POWER_DOWN)
		shutdown_request(PLATFORM_POWEROFF);
}

static void acpi_enable(void)
{
	if (power.smi_command == 0 || power.enable_value == 0)
		return;
	if (inw(power.pm1a_control) & PM1_SCI_EN)
		return;
	outb(power.smi_command, power.enable_value);
	for (unsigned i = 0; i < ENABLE_SPIN_MAX; i++)
		if (inw(power.pm1a_control) & PM1_SCI_EN)
			return;
	log_warn("ACPI: does not enable");
}

/* Level and active high: so say the MADT's overrides on QEMU's PCs. */
static void button_init(void)
{
	uint16_t enable =
	    (uint16_t)(power.pm1a_event + power.pm1_event_len / 2);

	acpi_enable();
	outw(power.pm1a_event, PM1_POWER_BUTTON);
	if (irq_gsi_attach(power.sci, true, false, sci_irq, NULL) == 0)
		outw(enable, PM1_POWER_BUTTON);
}

static void ged_init(const uint8_t *dsdt, size_t len)
{
	uint64_t pa;
	unsigned gsi;

	if (acpi_find_ged(dsdt, len, &gsi, &pa) != 0)
		return;
	ged_event = mmio_map(pa, 4);
	if (ged_event)
		irq_gsi_attach(gsi, false, false, ged_irq, NULL);
}

/* --- stopping ------------------------------------------------------------ */

static volatile uint8_t *gas_map(const struct acpi_gas *g)
{
	if (g->space != ACPI_SPACE_MEMORY || g->addr == 0)
		return NULL;
	return mmio_map(g->addr, 1);
}

static void gas_write(
    const struct acpi_gas *g, volatile uint8_t *reg, uint8_t v)
{
	if (reg)
		reg_write8(reg, 0, v);
	else if (g->space == ACPI_SPACE_IO && g->addr <= UINT16_MAX)
		outb((uint16_t)g->addr, v);
}

void acpi_power_init(void)
{
	uint32_t fadt_len, dsdt_len;
	const uint8_t *fadt = acpi_find("FACP", &fadt_len);
	const uint8_t *dsdt = acpi_find("DSDT", &dsdt_len);

	if (!fadt || acpi_read_fadt(fadt, fadt_len, &power) != 0)
		return;
	reset_reg = gas_map(&power.reset);
	sleep_reg = gas_map(&power.sleep);
	have_s5 = dsdt && acpi_find_s5(dsdt, dsdt_len, s5_type) == 0;
	if (power.has_button)
		button_init();
	else if (dsdt)
		ged_init(dsdt, dsdt_len);
}

static void pm1_sleep(uint16_t port, uint8_t type)
{
	if (port != 0)
		outw(port, (uint16_t)(type << PM1_SLP_SHIFT | PM1_SLP_EN));
}

void acpi_poweroff(void)
{
	if (!have_s5)
		return;
	if (power.hw_reduced) {
		gas_write(&power.sleep, sleep_reg,
		    (uint8_t)(s5_type[0] << SLEEP_SHIFT | SLEEP_EN));
		return;
	}
	pm1_sleep(power.pm1a_control, s5_type[0]);
	pm1_sleep(power.pm1b_control, s5_type[1]);
}

void acpi_reset(void)
{
	if (power.has_reset)
		gas_write(&power.reset, reset_reg, power.reset_value);
}
