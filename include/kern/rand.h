#ifndef KERN_RAND_H
#define KERN_RAND_H

/*
 * The random pool: ChaCha20, seeded from RDSEED/RDRAND, virtio-rng, the
 * hypervisor's clock and interrupt timing.  Any context.  kernel/base/rand.c
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void rand_init(void);
void rand_bytes(void *, size_t);
uint64_t rand_u64(void);
/* (credit): the bytes are worth their length of entropy. */
void rand_add(const void *, size_t, bool credit);
bool rand_ready(void);

/* SipHash-2-4 with a 128-bit key.  kernel/base/siphash.c */
uint64_t siphash(const uint64_t key[2], const void *, size_t);

#endif /* KERN_RAND_H */
