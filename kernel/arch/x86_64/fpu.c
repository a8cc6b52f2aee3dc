/*
 * The vector state of the program's threads: saved when one is switched out,
 * loaded when it comes back unless the registers still hold it.  The kernel
 * itself is compiled without vector instructions, so that system calls and
 * interrupts leave the registers alone.
 * Source: Intel SDM volume 1, chapter 13; the layout in signal frames is
 * <asm/sigcontext.h>.
 */

#include <asm/sigcontext.h>

#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/sched.h"
#include "kern/string.h"

#include "arch_int.h"
#include "fpu.h"

#define XFEATURE_FP_SSE    0x3ull
#define XFEATURE_YMM       0x4ull
#define XFEATURE_AVX512    0xe0ull /* all three or none */

#define FXSAVE_SIZE        512
#define XHEADER            512 /* offset of the XSAVE header */
#define XHEADER_SIZE       64
#define MAGIC2_SIZE        4
#define FCW_DEFAULT        0x37f
#define MXCSR_DEFAULT      0x1f80
#define MXCSR_MASK_DEFAULT 0xffbf

struct xheader {
	uint64_t xstate_bv, xcomp_bv, reserved[6];
};

uint64_t fpu_features;
static size_t area_size = FXSAVE_SIZE;
static uint32_t mxcsr_mask = MXCSR_MASK_DEFAULT;

static void area_init(uint8_t *area)
{
	struct _fpstate_64 *fp = (void *)area;

	memset(area, 0, area_size);
	fp->cwd = FCW_DEFAULT;
	fp->mxcsr = MXCSR_DEFAULT;
}

static void xsetbv(uint64_t v)
{
	__asm__ volatile(
	    "xsetbv" ::"c"(0), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

void fpu_cpu_init(void)
{
	uint64_t cr4 = read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (cpu_features.xsave)
		cr4 |= CR4_OSXSAVE;
	write_cr4(cr4);
	if (fpu_features)
		xsetbv(fpu_features);
	__asm__ volatile("fninit");
}

static uint64_t xfeatures_choose(void)
{
	uint32_t r[4];
	uint64_t have, want = XFEATURE_FP_SSE;

	cpuid(0xd, 0, r);
	have = (uint64_t)r[3] << 32 | r[0];
	if (have & XFEATURE_YMM) {
		want |= XFEATURE_YMM;
		if ((have & XFEATURE_AVX512) == XFEATURE_AVX512)
			want |= XFEATURE_AVX512;
	}
	return want;
}

void fpu_init(void)
{
	static struct _fpstate_64 probe ALIGNED(16);
	uint32_t r[4];

	if (cpu_features.xsave && cpu_features.max_leaf >= 0xd)
		fpu_features = xfeatures_choose();
	fpu_cpu_init();
	if (fpu_features) {
		cpuid(0xd, 0, r);
		area_size = r[1]; /* for what XCR0 enables now */
	}
	cpu_features.fast_switch =
	    fpu_features && cpu_features.xsaveopt && cpu_features.fsgsbase;
	__asm__ volatile("fxsave64 %0" : "=m"(probe));
	if (probe.mxcsr_mask)
		mxcsr_mask = probe.mxcsr_mask;
}

/* Only what fpu_features has in its lower half is ever chosen. */
void fpu_area_save(uint8_t *area, bool optimise)
{
	if (!fpu_features)
		__asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
	else if (optimise && cpu_features.xsaveopt)
		__asm__ volatile("xsaveopt64 (%0)" ::"r"(area),
				 "a"((uint32_t)fpu_features), "d"(0)
				 : "memory");
	else
		__asm__ volatile("xsave64 (%0)" ::"r"(area),
				 "a"((uint32_t)fpu_features), "d"(0)
				 : "memory");
}

void fpu_area_load(const uint8_t *area)
{
	if (!fpu_features)
		__asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
	else
		__asm__ volatile("xrstor64 (%0)" ::"r"(area),
				 "a"((uint32_t)fpu_features), "d"(0)
				 : "memory");
}

/* Lent out when memory is short: the return from a handler cannot fail. */
static _Atomic(struct fpu_state *) spare;

static struct fpu_state *state_alloc(void)
{
	return kmalloc(sizeof(struct fpu_state) + area_size);
}

static struct fpu_state *state_borrow(void)
{
	struct fpu_state *f;

	while (!(f = state_alloc()) && !(f = atomic_exchange(&spare, NULL)))
		sched_yield_cpu();
	return f;
}

static void state_give_back(struct fpu_state *f)
{
	struct fpu_state *none = NULL;

	if (!atomic_compare_exchange_strong(&spare, &none, f))
		kfree(f);
}

int fpu_create(struct thread *t)
{
	struct thread *self = thread_self();
	struct fpu_state *f = state_alloc();
	unsigned long flags;

	if (!f)
		return -ENOMEM;
	if (!atomic_load(&spare))
		state_give_back(state_alloc());
	area_init(f->area);
	f->last_cpu = CPU_MAX;
	if (t == self) { /* becomes a program: starts with clean registers */
		flags = irq_save();
		fpu_area_load(f->area);
		cpu_self()->arch->fpu_owner = t;
		t->arch.fpu = f;
		irq_restore(flags);
		return 0;
	}
	if (self->arch.fpu) {
		flags = irq_save();
		fpu_area_save(f->area, false);
		irq_restore(flags);
	}
	t->arch.fpu = f;
	return 0;
}

void fpu_destroy(struct thread *t)
{
	kfree(t->arch.fpu);
	t->arch.fpu = NULL;
}

size_t fpu_state_size(void)
{
	return area_size + (fpu_features ? MAGIC2_SIZE : 0);
}

int fpu_save_user(void *user_buf)
{
	struct fpu_state *f = thread_self()->arch.fpu;
	struct _fpstate_64 *fp = (void *)f->area;
	uint32_t magic2 = FP_XSTATE_MAGIC2;
	struct _fpx_sw_bytes sw = { 0 };
	unsigned long flags = irq_save();

	fpu_area_save(f->area, false);
	irq_restore(flags);
	if (!fpu_features)
		return copy_to_user(user_buf, fp, FXSAVE_SIZE);
	sw.magic1 = FP_XSTATE_MAGIC1;
	sw.extended_size = (uint32_t)fpu_state_size();
	sw.xfeatures = fpu_features;
	sw.xstate_size = (uint32_t)area_size;
	if (copy_to_user(user_buf, fp, area_size) ||
	    copy_to_user(
		(uint8_t *)user_buf + offsetof(struct _fpstate_64, sw_reserved),
		&sw, sizeof(sw)) ||
	    copy_to_user(
		(uint8_t *)user_buf + area_size, &magic2, sizeof(magic2)))
		return -EFAULT;
	return 0;
}

/* What XRSTOR would refuse is refused here. */
static bool area_ok(const uint8_t *area)
{
	const struct _fpstate_64 *fp = (const void *)area;
	const struct xheader *h = (const void *)(area + XHEADER);

	if (fp->mxcsr & ~mxcsr_mask)
		return false;
	if (!fpu_features)
		return true;
	if (h->xstate_bv & ~fpu_features || h->xcomp_bv)
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(h->reserved); i++)
		if (h->reserved[i])
			return false;
	return true;
}

/* A frame without the magic numbers holds x87 and SSE only, as for Linux. */
static int area_from_user(uint8_t *area, const void *user_buf)
{
	const uint8_t *user = user_buf;
	struct _fpstate_64 *fp = (void *)area;
	struct xheader *h = (void *)(area + XHEADER);
	uint32_t magic2 = 0;

	area_init(area);
	if (copy_from_user(area, user, FXSAVE_SIZE))
		return -EFAULT;
	if (!fpu_features)
		return 0;
	h->xstate_bv = XFEATURE_FP_SSE;
	if (fp->sw_reserved.magic1 != FP_XSTATE_MAGIC1 ||
	    fp->sw_reserved.xstate_size != area_size)
		return 0;
	if (copy_from_user(&magic2, user + area_size, sizeof(magic2)))
		return -EFAULT;
	if (magic2 != FP_XSTATE_MAGIC2)
		return 0;
	return copy_from_user(
	    area + XHEADER, user + XHEADER, area_size - XHEADER);
}

int fpu_restore_user(const void *user_buf)
{
	struct thread *t = thread_self();
	struct fpu_state *f, *old;
	unsigned long flags;
	int err = 0;

	f = state_borrow();
	area_init(f->area);
	f->last_cpu = CPU_MAX;
	if (user_buf)
		err = area_from_user(f->area, user_buf);
	if (!err && !area_ok(f->area))
		err = -EFAULT;
	if (err) {
		state_give_back(f);
		return err;
	}
	flags = irq_save();
	old = t->arch.fpu;
	t->arch.fpu = f;
	fpu_area_load(f->area);
	irq_restore(flags);
	state_give_back(old);
	return 0;
}
