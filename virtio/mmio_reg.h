#ifndef VIRTIO_MMIO_REG_H
#define VIRTIO_MMIO_REG_H

/* Device registers in memory that mmio_map() gave.  Any context. */

#include <stddef.h>
#include <stdint.h>

static inline uint8_t reg_read8(const volatile uint8_t *base, size_t off)
{
	return base[off];
}

static inline uint16_t reg_read16(const volatile uint8_t *base, size_t off)
{
	return *(const volatile uint16_t *)(const volatile void *)(base + off);
}

static inline uint32_t reg_read32(const volatile uint8_t *base, size_t off)
{
	return *(const volatile uint32_t *)(const volatile void *)(base + off);
}

static inline void reg_write8(volatile uint8_t *base, size_t off, uint8_t v)
{
	base[off] = v;
}

static inline void reg_write16(volatile uint8_t *base, size_t off, uint16_t v)
{
	*(volatile uint16_t *)(volatile void *)(base + off) = v;
}

static inline void reg_write32(volatile uint8_t *base, size_t off, uint32_t v)
{
	*(volatile uint32_t *)(volatile void *)(base + off) = v;
}

#endif /* VIRTIO_MMIO_REG_H */
