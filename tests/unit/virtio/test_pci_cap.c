/* The capabilities of a device that may say anything about itself. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <linux/virtio_pci.h>

#include "kern/errno.h"
#include "virtio/pci_int.h"

static uint8_t cfg[PCI_CFG_SIZE];
static struct pci_bar bar[PCI_BARS];

static int setup(void **state)
{
	(void)state;
	memset(cfg, 0, sizeof(cfg));
	memset(bar, 0, sizeof(bar));
	cfg[PCI_STATUS] = PCI_STATUS_CAPS;
	bar[4] = (struct pci_bar){ .pa = 0xfe000000, .size = 0x4000 };
	bar[1] = (struct pci_bar){ .pa = 0xc000, .size = 0x40, .io = true };
	return 0;
}

static void cap(unsigned pos, uint8_t id, uint8_t next)
{
	cfg[pos] = id;
	cfg[pos + 1] = next;
}

static void put32(unsigned pos, uint32_t v)
{
	memcpy(&cfg[pos], &v, sizeof(v));
}

static void vcap(unsigned pos, uint8_t next, uint8_t type, uint8_t nr,
    uint32_t off, uint32_t len)
{
	cap(pos, PCI_CAP_VENDOR, next);
	cfg[pos + 2] = type == VIRTIO_PCI_CAP_NOTIFY_CFG ? 20 : 16;
	cfg[pos + 3] = type;
	cfg[pos + 4] = nr;
	put32(pos + 8, off);
	put32(pos + 12, len);
}

/* The layout that QEMU gives its devices. */
static void normal(void)
{
	cfg[PCI_CAP_POINTER] = 0x98;
	cap(0x98, PCI_CAP_MSIX, 0x84);
	vcap(0x84, 0x70, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 0);
	vcap(0x70, 0x60, VIRTIO_PCI_CAP_NOTIFY_CFG, 4, 0x3000, 0x1000);
	put32(0x80, 4);
	vcap(0x60, 0x50, VIRTIO_PCI_CAP_DEVICE_CFG, 4, 0x2000, 0x1000);
	vcap(0x50, 0x40, VIRTIO_PCI_CAP_ISR_CFG, 4, 0x1000, 0x1000);
	vcap(0x40, 0, VIRTIO_PCI_CAP_COMMON_CFG, 4, 0, 0x1000);
}

static void test_find(void **state)
{
	(void)state;
	normal();
	assert_int_equal(pci_cap_find(cfg, PCI_CAP_MSIX, 0), 0x98);
	assert_int_equal(pci_cap_find(cfg, PCI_CAP_VENDOR, 0), 0x84);
	assert_int_equal(pci_cap_find(cfg, PCI_CAP_VENDOR, 0x84), 0x70);
	assert_int_equal(pci_cap_find(cfg, PCI_CAP_VENDOR, 0x40), 0);
	assert_int_equal(pci_cap_find(cfg, 0x05, 0), 0);
	cfg[PCI_STATUS] = 0;
	assert_int_equal(pci_cap_find(cfg, PCI_CAP_MSIX, 0), 0);
}

static void test_loops(void **state)
{
	(void)state;
	cfg[PCI_CAP_POINTER] = 0x40;
	cap(0x40, PCI_CAP_VENDOR, 0x40);
	assert_int_equal(pci_cap_find(cfg, PCI_CAP_MSIX, 0), 0);
	cap(0x40, 1, 0x48);
	cap(0x48, 1, 0x40);
	assert_int_equal(pci_cap_find(cfg, PCI_CAP_MSIX, 0), 0);
	cap(0x48, 1, 0x10); /* into the header */
	cfg[0x10] = PCI_CAP_MSIX;
	assert_int_equal(pci_cap_find(cfg, PCI_CAP_MSIX, 0), 0);
	cap(0x48, 1, 0xff); /* at the end */
	cfg[0xfc] = PCI_CAP_MSIX;
	assert_int_equal(pci_cap_find(cfg, PCI_CAP_MSIX, 0), 0xfc);
	cfg[PCI_CAP_POINTER] = 0;
	assert_int_equal(pci_cap_find(cfg, PCI_CAP_MSIX, 0), 0);
}

static void test_layout(void **state)
{
	struct vpci_layout l;

	(void)state;
	normal();
	assert_int_equal(vpci_find_layout(cfg, bar, &l), 0);
	assert_int_equal(l.common.bar, 4);
	assert_int_equal(l.common.off, 0);
	assert_int_equal(l.isr.off, 0x1000);
	assert_int_equal(l.device.off, 0x2000);
	assert_int_equal(l.notify.off, 0x3000);
	assert_int_equal(l.notify_multiplier, 4);
}

/* A device may offer a structure twice: the first that can be used counts. */
static void test_layout_second(void **state)
{
	struct vpci_layout l;

	(void)state;
	normal();
	cap(0x40, PCI_CAP_VENDOR, 0xa8);
	vcap(0xa8, 0, VIRTIO_PCI_CAP_COMMON_CFG, 4, 0x800, 0x100);
	assert_int_equal(vpci_find_layout(cfg, bar, &l), 0);
	assert_int_equal(l.common.off, 0);
	cfg[0x44] = 1; /* ports */
	assert_int_equal(vpci_find_layout(cfg, bar, &l), 0);
	assert_int_equal(l.common.off, 0x800);
}

static void expect_refused(void)
{
	struct vpci_layout l;

	assert_int_equal(vpci_find_layout(cfg, bar, &l), -ENOENT);
	setup(NULL);
	normal();
	assert_int_equal(vpci_find_layout(cfg, bar, &l), 0);
}

static void test_layout_refused(void **state)
{
	(void)state;
	normal();
	cfg[0x44] = 6; /* no such BAR */
	expect_refused();
	cfg[0x44] = 0; /* an empty one */
	expect_refused();
	bar[4].pa = 0;
	expect_refused();
	cfg[0x42] = 12; /* a short capability */
	expect_refused();
	put32(0x40 + 12, sizeof(struct virtio_pci_common_cfg) - 1);
	expect_refused();
	put32(0x40 + 8, 0x4000);
	expect_refused();
	put32(0x40 + 8, 0x3ffc);
	expect_refused();
	put32(0x40 + 8, 0xfffffffc); /* offset + length overflows */
	expect_refused();
	put32(0x40 + 12, 0xffffffff);
	expect_refused();
	put32(0x40 + 8, 2);
	expect_refused();
	cfg[0x53] = 0; /* no ISR */
	expect_refused();
	cfg[0x73] = 0; /* no notifications */
	expect_refused();
}

/* Without the device's own configuration there is still a device. */
static void test_no_config(void **state)
{
	struct vpci_layout l;

	(void)state;
	normal();
	cfg[0x63] = 0;
	assert_int_equal(vpci_find_layout(cfg, bar, &l), 0);
	assert_int_equal(l.device.len, 0);
}

/* A capability that would reach past the end is not read. */
static void test_past_the_end(void **state)
{
	struct vpci_layout l;

	(void)state;
	normal();
	cap(0x40, PCI_CAP_VENDOR, 0xf4);
	cap(0xf4, PCI_CAP_VENDOR, 0xfc);
	cap(0xfc, PCI_CAP_VENDOR, 0);
	assert_int_equal(vpci_find_layout(cfg, bar, &l), 0);
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_find),
		T(test_loops),
		T(test_layout),
		T(test_layout_second),
		T(test_layout_refused),
		T(test_no_config),
		T(test_past_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
