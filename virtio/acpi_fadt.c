/* What of ACPI's tables is needed to stop the machine. */

#include "kern/errno.h"
#include "kern/num.h"
#include "kern/string.h"

#include "acpi_int.h"
#include "aml.h"

#define FADT_SCI           46
#define FADT_SMI_COMMAND   48
#define FADT_ACPI_ENABLE   52
#define FADT_PM1A_EVENT    56
#define FADT_PM1A_CONTROL  64
#define FADT_PM1B_CONTROL  68
#define FADT_PM1_EVENT_LEN 88
#define FADT_FLAGS         112
#define FADT_RESET         116
#define FADT_RESET_VALUE   128
#define FADT_SLEEP         244
#define FADT_LEN_1         116 /* ACPI 1.0 ends here */
#define FADT_LEN_2         129
#define FADT_LEN_5         256

#define FLAG_NO_BUTTON     (1u << 4)
#define FLAG_RESET         (1u << 10)
#define FLAG_HW_REDUCED    (1u << 20)

#define AML_PACKAGE        0x12

static uint16_t port_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v <= UINT16_MAX ? (uint16_t)v : 0;
}

int acpi_read_fadt(const uint8_t *fadt, size_t len, struct acpi_power *ap)
{
	uint32_t flags;

	memset(ap, 0, sizeof(*ap));
	if (len < FADT_LEN_1)
		return -EINVAL;
	memcpy(&flags, fadt + FADT_FLAGS, sizeof(flags));
	memcpy(&ap->sci, fadt + FADT_SCI, sizeof(ap->sci));
	ap->hw_reduced = flags & FLAG_HW_REDUCED;
	if (!ap->hw_reduced) {
		ap->smi_command = port_at(fadt + FADT_SMI_COMMAND);
		ap->enable_value = fadt[FADT_ACPI_ENABLE];
		ap->pm1a_event = port_at(fadt + FADT_PM1A_EVENT);
		ap->pm1a_control = port_at(fadt + FADT_PM1A_CONTROL);
		ap->pm1b_control = port_at(fadt + FADT_PM1B_CONTROL);
		ap->pm1_event_len = fadt[FADT_PM1_EVENT_LEN];
		ap->has_button = !(flags & FLAG_NO_BUTTON) &&
				 ap->pm1a_event != 0 && ap->pm1_event_len >= 4;
	}
	if (len >= FADT_LEN_2 && (flags & FLAG_RESET)) {
		memcpy(&ap->reset, fadt + FADT_RESET, sizeof(ap->reset));
		ap->reset_value = fadt[FADT_RESET_VALUE];
		ap->has_reset = ap->reset.addr != 0;
	}
	if (len >= FADT_LEN_5 && ap->hw_reduced)
		memcpy(&ap->sleep, fadt + FADT_SLEEP, sizeof(ap->sleep));
	return 0;
}

/* Name(_S5, Package(n) { a, b, ... }) */
int acpi_find_s5(const uint8_t *aml, size_t len, uint8_t type[2])
{
	struct aml a = { aml, aml + len };
	uint64_t v;
	size_t skip;

	while ((a.p = aml_search(a, "_S5_\x12", 5)) != NULL) {
		struct aml b = { a.p + 5, a.end };

		a.p++;
		if (b.p == b.end)
			return -ENOENT;
		skip = 2u + (*b.p >> 6); /* package length, elements */
		if ((size_t)(b.end - b.p) < skip || b.p[skip - 1] < 2)
			continue;
		b.p += skip;
		if (aml_integer(&b, &v) != 0)
			continue;
		type[0] = (uint8_t)(v & 7);
		if (aml_integer(&b, &v) != 0)
			continue;
		type[1] = (uint8_t)(v & 7);
		return 0;
	}
	return -ENOENT;
}

int acpi_find_ged(
    const uint8_t *aml, size_t len, unsigned *gsi, uint64_t *event_pa)
{
	/* OperationRegion(EREG, SystemMemory, ... */
	static const char region[] = "\x5b\x80"
				     "EREG";
	struct aml a = { aml, aml + len };
	struct aml_res res;

	if (!aml_next_hid(&a, "ACPI0013") || aml_crs(a, &res) != 0 ||
	    res.gsi == 0)
		return -ENOENT;
	a.p = aml_search(a, region, sizeof(region)); /* with the 0 behind */
	if (!a.p)
		return -ENOENT;
	a.p += sizeof(region);
	if (aml_integer(&a, event_pa) != 0 || *event_pa % 4 != 0)
		return -ENOENT;
	*gsi = res.gsi;
	return 0;
}
