/* Which machine this is, and its end. */

#include "kern/arch.h"
#include "kern/compiler.h"
#include "kern/log.h"
#include "kern/panic.h"
#include "kern/platform.h"
#include "kern/string.h"

#define HV_LEAF_FIRST 0x40000000u
#define HV_LEAF_LAST  0x40010000u
#define HV_LEAF_STEP  0x100u

extern const struct platform *const platform_set_start[],
    *const platform_set_end[];

const struct platform *platform;

static void shutdown_now(enum platform_halt how)
{
	platform_halt(how, 0);
}

void (*shutdown_request)(enum platform_halt how) = shutdown_now;

static const struct platform *platform_find(const char *sig)
{
	const struct platform *const *p;

	for (p = platform_set_start; p < platform_set_end; p++) {
		const char *have = (*p)->cpuid_sig;

		if (!sig ? !have : have && !memcmp(have, sig, 12))
			return *p;
	}
	return NULL;
}

static bool hypervisor_present(void)
{
	uint32_t r[4];

	cpuid(1, 0, r);
	return r[2] >> 31 & 1;
}

/*
 * A hypervisor may show another's leaves first (Xen with Viridian, KVM with
 * Hyper-V): the first signature that somebody here knows is taken.
 */
static const struct platform *platform_scan(uint32_t *base)
{
	uint32_t leaf, r[4];

	if (!hypervisor_present())
		return NULL;
	for (leaf = HV_LEAF_FIRST; leaf < HV_LEAF_LAST; leaf += HV_LEAF_STEP) {
		const struct platform *p;
		char sig[12];

		cpuid(leaf, 0, r);
		memcpy(sig, &r[1], sizeof(sig));
		p = platform_find(sig);
		if (p) {
			*base = leaf;
			return p;
		}
	}
	return NULL;
}

void platform_choose(void)
{
	uint32_t base = 0;
	int err;

	platform = platform_scan(&base);
	if (!platform)
		platform = platform_find(NULL);
	if (!platform)
		panic("no platform for this machine");
	err = platform->early(base);
	if (err)
		panic("platform %s: error %d", platform->name, -err);
}

void platform_halt(enum platform_halt how, int status)
{
	if (platform)
		platform->halt(how, status);
	arch_hang();
}
