/*
 * Door (c): call sites of programs that do not know us.  A site is
 *
 *	b8 NR NR NR NR 0f 05             mov $NR, %eax; syscall
 *	48 c7 c0 NR NR NR NR 0f 05       mov $NR, %rax; syscall
 *
 * and its first seven bytes become a jump through a slot, ff 24 25 and a signed
 * address.  Slots are where the address ends in 60 ff: a jump to the syscall of
 * the shorter form, or a thread that stood before it, meets 60, which is no
 * instruction, and site_trapped() makes the call.  A jump and not a call: what
 * is below the program's stack pointer is the program's.
 *
 * Each slot points to a stub that loads the number and the address to come back
 * to.  Slots and stubs are written through the direct map and read-only where
 * the program uses them; the page of the site is replaced by a changed copy, so
 * that no processor ever sees half of an instruction.
 */

#include "kern/app.h"
#include "kern/compiler.h"
#include "kern/lock.h"
#include "kern/log.h"
#include "kern/param.h"
#include "kern/sched.h"
#include "kern/string.h"
#include "kern/vm.h"

#include "arch_int.h"
#include "site.h"

/* Every how many calls through door (a) a cpu looks at one's site: a site that
 * is used once is not worth a page.  A prime, so that a loop's calls take turns
 * at being looked at. */
#define SAMPLE    61

#define SITE_MAX  4096
#define SLOT_BASE 0xffffffffff600000ul
#define STUB_BASE 0xffffffffff610000ul

/* Unwinders find a signal's frame by the bytes of this site, and it gains
 * nothing: the call needs the whole frame. */
#define NR_RT_SIGRETURN 15

#define SITE_LEN        7  /* what is replaced */
#define LOOK_LEN        10 /* the longer form, and a byte before it */

struct stub {
	uint8_t mov; /* mov $nr, %eax */
	uint32_t nr;
	uint16_t movabs; /* movabs $back, %rcx */
	uint64_t back;
	uint8_t jmp; /* to door_site_entry */
	int32_t rel;
	uint8_t len; /* of the site, which ends at (back) */
	uint8_t pad[11];
} PACKED;
_Static_assert(sizeof(struct stub) == 32, "stubs do not cross pages");

#define STUBS_PAGE (PAGE_SIZE / sizeof(struct stub))
#define SLOTS_PAGE (PAGE_SIZE / sizeof(uint64_t))

static struct mutex lock = MUTEX_INIT(lock); /* all here */
static struct stub *stub_page[SITE_MAX / STUBS_PAGE];
static uint64_t *slot_page[SITE_MAX / SLOTS_PAGE];
static _Atomic unsigned nsite;

static const struct stub *stub_at(unsigned i)
{
	return (const struct stub *)STUB_BASE + i;
}

static void *map_page(uintptr_t va, unsigned prot)
{
	void *page = page_alloc(0, PAGE_ZERO);

	if (page && pt_map(pgtable_kernel(), va, va_to_pa(page), PAGE_SIZE,
			prot | PT_GLOBAL) != 0) {
		page_free(page, 0);
		page = NULL;
	}
	return page;
}

/* Make memory for number (i). */
static bool prepare(unsigned i)
{
	unsigned stubs = i / STUBS_PAGE, slots = i / SLOTS_PAGE;

	if (!stub_page[stubs])
		stub_page[stubs] =
		    map_page(STUB_BASE + stubs * PAGE_SIZE, PT_EXEC);
	if (!slot_page[slots])
		slot_page[slots] = map_page(SLOT_BASE + slots * PAGE_SIZE, 0);
	return stub_page[stubs] && slot_page[slots];
}

static void write_stub(unsigned i, uint64_t back, uint32_t nr, uint8_t len)
{
	struct stub *s = &stub_page[i / STUBS_PAGE][i % STUBS_PAGE];
	uintptr_t next = (uintptr_t)stub_at(i) + offsetof(struct stub, len);

	*s = (struct stub){
		.mov = 0xb8,
		.nr = nr,
		.movabs = 0xb948,
		.back = back,
		.jmp = 0xe9,
		.rel = (int32_t)((uintptr_t)door_site_entry - next),
		.len = len,
	};
	slot_page[i / SLOTS_PAGE][i % SLOTS_PAGE] = (uintptr_t)stub_at(i);
}

/* A page that was dropped and read in again has its sites back. */
static unsigned find(uint64_t back, uint32_t nr, uint8_t len)
{
	unsigned i;

	for (i = 0; i < nsite; i++) {
		const struct stub *s = stub_at(i);

		if (s->back == back && s->nr == nr && s->len == len)
			break;
	}
	return i;
}

/* (old) is what is there, and (len) of it the site. */
static void rewrite(uint64_t back, uint32_t nr, const uint8_t *old, uint8_t len)
{
	uint8_t new[SITE_LEN] = { 0xff, 0x24, 0x25 };
	unsigned i = find(back, nr, len);
	uint32_t slot = (uint32_t)(SLOT_BASE + i * sizeof(uint64_t));
	bool added = false;

	if (i == SITE_MAX) {
		log_once(LOG_INFO,
		    "system calls: %u call sites are rewritten, no more",
		    SITE_MAX);
		return;
	}
	if (i == nsite) {
		if (!prepare(i))
			return;
		write_stub(i, back, nr, len);
		/* First: others may be in the stub, and be interrupted there,
		 * before vm_patch_text() returns. */
		nsite++;
		added = true;
	}
	memcpy(new + 3, &slot, sizeof(slot));
	if (vm_patch_text(thread_self()->vm, back - len, old, new, SITE_LEN) !=
		0 &&
	    added)
		nsite--;
}

/*
 * Is b8 an instruction's first byte here?  Not after a prefix, and not as the
 * place of one that stores, adds or compares a constant: there the number
 * would be that constant.
 */
static bool begins_mov(const uint8_t *b8)
{
	static const uint8_t with_constant[] = { 0xc7, 0x81, 0x69, 0xf7 };

	if ((b8[-1] & 0xf0) == 0x40 || b8[-1] == 0x66)
		return false;
	for (unsigned i = 0; i < sizeof(with_constant); i++)
		if (b8[-2] == with_constant[i] || b8[-3] == with_constant[i])
			return false;
	return true;
}

static uint8_t site_len(const uint8_t look[LOOK_LEN], uint32_t *nr)
{
	memcpy(nr, look + 4, sizeof(*nr));
	if (look[8] != 0x0f || look[9] != 0x05)
		return 0;
	if (look[1] == 0x48 && look[2] == 0xc7 && look[3] == 0xc0)
		return 9;
	return look[3] == 0xb8 && begins_mov(look + 3) ? SITE_LEN : 0;
}

void site_look(const struct trapframe *tf)
{
	uintptr_t from = tf->rip - LOOK_LEN;
	uint8_t look[LOOK_LEN], len;
	uint32_t nr;

	cpu_self()->door_count = SAMPLE;
	if (boot_params.keep_syscalls || tf->error >= APP_NCALL ||
	    from / PAGE_SIZE != (tf->rip - 1) / PAGE_SIZE ||
	    copy_from_user(look, (void *)from, LOOK_LEN) != 0)
		return;
	len = site_len(look, &nr);
	if (len == 0 || nr != tf->error || nr == NR_RT_SIGRETURN)
		return;
	mutex_lock(&lock);
	rewrite(tf->rip, nr, look + LOOK_LEN - len, len);
	mutex_unlock(&lock);
}

void arch_forget_sites(void)
{
	mutex_lock(&lock);
	nsite = 0;
	mutex_unlock(&lock);
}

/* --- what interrupts a site ----------------------------------------------- */

static const struct stub *stub_of(uintptr_t rip)
{
	uintptr_t i = (rip - STUB_BASE) / sizeof(struct stub);

	return i < nsite ? stub_at((unsigned)i) : NULL;
}

void site_leave_stub(struct trapframe *tf)
{
	const struct stub *s = stub_of(tf->rip);

	/* rax and rcx are the call's to change. */
	if (s)
		tf->rip = s->back - s->len;
}

static void make_call(struct trapframe *tf, uint64_t back)
{
	tf->rip = back;
	tf->rcx = back;
	tf->r11 = tf->rflags;
	tf->error = tf->rax;
	tf->vector = TRAP_SYSCALL;
	app_ops->syscall(tf);
}

bool site_stepped(struct trapframe *tf)
{
	const struct stub *s = stub_of(tf->rip);

	if (!s)
		return false;
	tf->rax = s->nr;
	make_call(tf, s->back);
	return true;
}

bool site_trapped(struct trapframe *tf)
{
	uint8_t code[SITE_LEN];
	uint32_t slot;

	if (copy_from_user(code, (void *)(tf->rip - 5), SITE_LEN) != 0 ||
	    code[0] != 0xff || code[1] != 0x24 || code[2] != 0x25)
		return false;
	memcpy(&slot, code + 3, sizeof(slot));
	if (slot - (uint32_t)SLOT_BASE >= SITE_MAX * sizeof(uint64_t))
		return false;
	make_call(tf, tf->rip + 2);
	return true;
}
