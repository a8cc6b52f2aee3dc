/*
 * Where virtio-mmio devices are: on the loader's command line (VIRTIO 1.1,
 * 4.2.1 leaves that to the system; this is Linux's virtio_mmio.device=), or
 * in ACPI's DSDT.
 */

#include "kern/errno.h"
#include "kern/num.h"
#include "kern/string.h"

#include "aml.h"
#include "mmio_int.h"

#define PAGE_OF_REGS 0x100u /* the least a device needs */
#define GSI_MAX      1023u

/* --- the command line ----------------------------------------------------- */

/* strtoul() that must find digits and end at (stop). */
static int number(const char **s, char stop, unsigned long *out)
{
	char *end;

	if (**s < '0' || **s > '9')
		return -EINVAL;
	*out = strtoul(*s, &end, 0);
	if (end == *s)
		return -EINVAL;
	*s = end;
	if (stop == '\0' || *end == stop)
		return 0;
	return -EINVAL;
}

static unsigned suffix_shift(const char **s)
{
	static const char units[] = "kKmMgG";
	const char *p = **s ? strchr(units, **s) : NULL;

	if (!p)
		return 0;
	(*s)++;
	return (unsigned)((p - units) / 2 + 1) * 10;
}

int vmmio_parse(const char *token, struct vmmio_place *pl)
{
	unsigned long size, base, irq, id;
	unsigned shift;

	if (number(&token, '\0', &size) != 0)
		return -EINVAL;
	shift = suffix_shift(&token);
	if (*token++ != '@' || size > UINT64_MAX >> (shift + 1))
		return -EINVAL;
	size <<= shift;
	if (number(&token, ':', &base) != 0)
		return -EINVAL;
	token++;
	if (number(&token, '\0', &irq) != 0)
		return -EINVAL;
	if (*token == ':') {
		token++;
		if (number(&token, '\0', &id) != 0)
			return -EINVAL;
	}
	if (*token != '\0' || size < PAGE_OF_REGS || irq > GSI_MAX ||
	    base % 4 != 0 || !range_ok(base, size, 1ull << 52))
		return -EINVAL;
	*pl = (struct vmmio_place){
		.pa = base,
		.size = size,
		.gsi = (unsigned)irq,
	};
	return 0;
}

/* --- the DSDT ------------------------------------------------------------- */

int vmmio_dsdt_nth(
    const uint8_t *aml, size_t len, unsigned n, struct vmmio_place *pl)
{
	struct aml a = { aml, aml + len };
	struct aml_res res;

	do {
		if (!aml_next_hid(&a, "LNRO0005"))
			return -ENOENT;
	} while (n-- != 0);
	if (aml_crs(a, &res) != 0 || res.mem_size < PAGE_OF_REGS ||
	    res.gsi == 0 || res.gsi > GSI_MAX || res.mem_pa % 4 != 0)
		return -EINVAL;
	*pl = (struct vmmio_place){
		.pa = res.mem_pa,
		.size = res.mem_size,
		.gsi = res.gsi,
		.level = res.level,
		.active_low = res.active_low,
	};
	return 0;
}
