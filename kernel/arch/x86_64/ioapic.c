/*
 * The I/O APICs: lines (GSIs) of devices without MSI.  All go to the first
 * cpu, each to a vector of its own, and may be shared.
 * Source: Intel 82093AA data sheet; MADT overrides: ACPI 6.2, 5.2.12.5.
 */

#include "kern/compiler.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/sched.h"

#include "apic.h"
#include "arch_int.h"

#define REG_SELECT        0x00
#define REG_WINDOW        0x10
#define IOAPIC_LEN        0x20

#define IOAPIC_VERSION    1u
#define IOAPIC_REDIR(n)   (0x10u + 2 * (n))

#define REDIR_LOW_ACTIVE  0x2000u
#define REDIR_LEVEL       0x8000u
#define REDIR_MASKED      0x10000u

#define OVERRIDE_POLARITY 0x3
#define OVERRIDE_LOW      0x3
#define OVERRIDE_TRIGGER  0xc
#define OVERRIDE_LEVEL    0xc

#define PIC1_DATA         0x21
#define PIC2_DATA         0xa1

#define IRQ_CPU           0 /* where all lines go */

struct ioapic {
	volatile uint32_t *regs;
	unsigned gsi_base, nlines;
};

struct gsi_handler {
	irq_fn fn;
	void *arg;
	struct gsi_handler *next;
};

struct gsi_line {
	unsigned gsi;
	int vector;
	uint32_t mode; /* low half of its register, unmasked */
	struct gsi_handler *handlers;
	struct gsi_line *next;
};

static struct ioapic ioapics[IOAPIC_MAX];
static unsigned nioapic;

/*
 * Protects the registers (select, then window) and the handlers of each line.
 * A spinlock, because event context walks the handlers; never held
 * for longer than that walk.
 */
static struct spinlock lock = SPINLOCK_INIT;
static struct gsi_line *lines;
static struct mutex attach_lock = MUTEX_INIT(attach_lock);

static uint32_t ioapic_read(struct ioapic *io, uint32_t reg)
{
	io->regs[REG_SELECT / 4] = reg;
	return io->regs[REG_WINDOW / 4];
}

static void ioapic_write(struct ioapic *io, uint32_t reg, uint32_t v)
{
	io->regs[REG_SELECT / 4] = reg;
	io->regs[REG_WINDOW / 4] = v;
}

static void ioapic_add(uint32_t pa, uint32_t gsi_base)
{
	struct ioapic *io = &ioapics[nioapic];
	uint32_t version;

	io->regs = mmio_map(pa, IOAPIC_LEN);
	if (!io->regs)
		return;
	version = ioapic_read(io, IOAPIC_VERSION);
	if (version == UINT32_MAX) /* nothing answers there */
		return;
	io->gsi_base = gsi_base;
	io->nlines = (version >> 16 & 0xff) + 1;
	for (unsigned i = 0; i < io->nlines; i++)
		ioapic_write(io, IOAPIC_REDIR(i), REDIR_MASKED);
	nioapic++;
}

void ioapic_init(void)
{
	if (apic_topology.have_pic) {
		outb(PIC1_DATA, 0xff);
		outb(PIC2_DATA, 0xff);
	}
	for (unsigned i = 0; i < apic_topology.nioapic; i++)
		ioapic_add(apic_topology.ioapic[i].pa,
		    apic_topology.ioapic[i].gsi_base);
}

static struct ioapic *ioapic_of(unsigned gsi)
{
	for (unsigned i = 0; i < nioapic; i++)
		if (gsi >= ioapics[i].gsi_base &&
		    gsi - ioapics[i].gsi_base < ioapics[i].nlines)
			return &ioapics[i];
	return NULL;
}

/* The firmware knows better how an ISA line is wired. */
static uint32_t redir_mode(unsigned gsi, bool level, bool active_low)
{
	for (unsigned i = 0; i < apic_topology.noverride; i++) {
		uint16_t flags = apic_topology.override[i].flags;

		if (apic_topology.override[i].gsi != gsi)
			continue;
		if (flags & OVERRIDE_POLARITY)
			active_low =
			    (flags & OVERRIDE_POLARITY) == OVERRIDE_LOW;
		if (flags & OVERRIDE_TRIGGER)
			level = (flags & OVERRIDE_TRIGGER) == OVERRIDE_LEVEL;
	}
	return (level ? REDIR_LEVEL : 0) | (active_low ? REDIR_LOW_ACTIVE : 0);
}

static void line_set(unsigned gsi, uint32_t low)
{
	struct ioapic *io = ioapic_of(gsi);
	unsigned n = gsi - io->gsi_base;

	ioapic_write(io, IOAPIC_REDIR(n), REDIR_MASKED);
	ioapic_write(io, IOAPIC_REDIR(n) + 1, cpus[IRQ_CPU]->apic_id << 24);
	ioapic_write(io, IOAPIC_REDIR(n), low);
}

static void line_interrupt(void *arg)
{
	struct gsi_line *line = arg;

	spin_lock(&lock);
	for (struct gsi_handler *h = line->handlers; h; h = h->next)
		h->fn(h->arg);
	spin_unlock(&lock);
}

static struct gsi_line *line_find(unsigned gsi)
{
	struct gsi_line *line = lines;

	while (line && line->gsi != gsi)
		line = line->next;
	return line;
}

static struct gsi_line *line_create(unsigned gsi)
{
	struct gsi_line *line = kzalloc(sizeof(*line));

	if (!line)
		return NULL;
	line->gsi = gsi;
	line->vector = irq_vector_alloc(IRQ_CPU, line_interrupt, line);
	if (line->vector < 0) {
		kfree(line);
		return NULL;
	}
	return line;
}

static void handler_link(struct gsi_line *line, struct gsi_handler *h)
{
	unsigned long flags = spin_lock_irqsave(&lock);

	h->next = line->handlers;
	line->handlers = h;
	spin_unlock_irqrestore(&lock, flags);
}

/* After its last handler went the line was masked. */
static void line_resume(struct gsi_line *line)
{
	unsigned long flags = spin_lock_irqsave(&lock);

	line_set(line->gsi, line->mode);
	spin_unlock_irqrestore(&lock, flags);
}

static void line_start(struct gsi_line *line, bool level, bool active_low)
{
	line->mode =
	    redir_mode(line->gsi, level, active_low) | (uint32_t)line->vector;
	line->next = lines;
	lines = line;
	line_resume(line);
}

static int attach_locked(
    unsigned gsi, bool level, bool active_low, struct gsi_handler *h)
{
	struct gsi_line *line = line_find(gsi);
	bool fresh = !line;

	if (fresh)
		line = line_create(gsi);
	if (!line)
		return -ENOMEM;
	handler_link(line, h);
	if (fresh)
		line_start(line, level, active_low);
	else
		line_resume(line);
	return 0;
}

int irq_gsi_attach(
    unsigned gsi, bool level, bool active_low, irq_fn fn, void *arg)
{
	struct gsi_handler *h;
	int err;

	if (!ioapic_of(gsi))
		return -ENODEV;
	h = kzalloc(sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->fn = fn;
	h->arg = arg;
	mutex_lock(&attach_lock);
	err = attach_locked(gsi, level, active_low, h);
	mutex_unlock(&attach_lock);
	if (err)
		kfree(h);
	return err;
}

static void line_mask_if_unused(struct gsi_line *line)
{
	if (!line->handlers)
		line_set(line->gsi, REDIR_MASKED | line->mode);
}

void irq_gsi_detach(unsigned gsi, irq_fn fn, void *arg)
{
	struct gsi_handler *h = NULL, **at;
	struct gsi_line *line;
	unsigned long flags;

	mutex_lock(&attach_lock);
	line = line_find(gsi);
	mutex_unlock(&attach_lock); /* lines are never taken away */
	if (!line)
		return;
	flags = spin_lock_irqsave(&lock);
	for (at = &line->handlers; *at; at = &(*at)->next) {
		if ((*at)->fn != fn || (*at)->arg != arg)
			continue;
		h = *at;
		*at = h->next;
		break;
	}
	line_mask_if_unused(line);
	spin_unlock_irqrestore(&lock, flags); /* no handler runs now */
	kfree(h);
}
