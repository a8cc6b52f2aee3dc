/*
 * The random pool: a ChaCha20 key.  Each request makes a fresh stream from it
 * and replaces the key with the stream's first bytes, so that what was given
 * out cannot be computed from a later state.  Entropy is hashed into the key.
 * Source: RFC 8439, section 2.3; D. J. Bernstein, "Fast-key-erasure random-
 * number generators", 2017.
 */

#include <stdatomic.h>

#include "kern/arch.h"
#include "kern/boot.h"
#include "kern/compiler.h"
#include "kern/lock.h"
#include "kern/num.h"
#include "kern/rand.h"
#include "kern/string.h"

#define KEY_WORDS   8
#define BLOCK_BYTES 64
#define SEED_BYTES  32 /* credited: the pool is ready */

/*
 * Why a spinlock: interrupts stir, and nobody waits longer than one block
 * takes; the caller's stream is made outside.
 */
static struct spinlock lock = SPINLOCK_INIT;
static uint32_t pool[KEY_WORDS];
static _Atomic size_t credited;

static uint32_t rotl32(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static void quarter(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
	*a += *b;
	*d = rotl32(*d ^ *a, 16);
	*c += *d;
	*b = rotl32(*b ^ *c, 12);
	*a += *b;
	*d = rotl32(*d ^ *a, 8);
	*c += *d;
	*b = rotl32(*b ^ *c, 7);
}

static void chacha20_block(const uint32_t key[KEY_WORDS], uint32_t counter,
    const uint32_t nonce[3], uint32_t out[16])
{
	uint32_t in[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	uint32_t *x = out;

	memcpy(&in[4], key, KEY_WORDS * sizeof(*key));
	in[12] = counter;
	memcpy(&in[13], nonce, 3 * sizeof(*nonce));
	memcpy(x, in, sizeof(in));
	for (int i = 0; i < 10; i++) {
		quarter(&x[0], &x[4], &x[8], &x[12]);
		quarter(&x[1], &x[5], &x[9], &x[13]);
		quarter(&x[2], &x[6], &x[10], &x[14]);
		quarter(&x[3], &x[7], &x[11], &x[15]);
		quarter(&x[0], &x[5], &x[10], &x[15]);
		quarter(&x[1], &x[6], &x[11], &x[12]);
		quarter(&x[2], &x[7], &x[8], &x[13]);
		quarter(&x[3], &x[4], &x[9], &x[14]);
	}
	for (int i = 0; i < 16; i++)
		x[i] += in[i];
}

/* New pool key, and a key for the caller alone. */
static void pool_next(uint32_t key[KEY_WORDS])
{
	uint32_t block[16];
	uint32_t nonce[3] = { 0 };
	uint64_t now = tsc_read();
	unsigned long flags;

	nonce[0] = (uint32_t)now;
	nonce[1] = (uint32_t)(now >> 32);
	flags = spin_lock_irqsave(&lock);
	chacha20_block(pool, 0, nonce, block);
	memcpy(pool, block, sizeof(pool));
	spin_unlock_irqrestore(&lock, flags);
	memcpy(key, block + KEY_WORDS, sizeof(pool));
}

void rand_bytes(void *out, size_t n)
{
	static const uint32_t nonce[3];
	uint32_t key[KEY_WORDS], block[16];
	uint8_t *p = out;

	pool_next(key);
	for (uint32_t i = 0; n; i++) {
		size_t len = MIN(n, (size_t)BLOCK_BYTES);

		/* far below 2^32 blocks: a stream of 256 GiB */
		chacha20_block(key, i, nonce, block);
		memcpy(p, block, len);
		p += len;
		n -= len;
	}
	memset(key, 0, sizeof(key));
	memset(block, 0, sizeof(block));
	barrier();
}

uint64_t rand_u64(void)
{
	uint64_t v;

	rand_bytes(&v, sizeof(v));
	return v;
}

/* One block per 8 bytes: the words go into the nonce and the counter. */
static void pool_stir(uint64_t word)
{
	uint32_t block[16];
	uint64_t now = tsc_read();
	uint32_t nonce[3] = { (uint32_t)word, (uint32_t)(word >> 32),
		(uint32_t)now };

	chacha20_block(pool, (uint32_t)(now >> 32) ^ 1, nonce, block);
	memcpy(pool, block, sizeof(pool));
}

void rand_add(const void *data, size_t n, bool credit)
{
	const uint8_t *p = data;
	size_t total = n;

	while (n) {
		size_t len = MIN(n, sizeof(uint64_t));
		unsigned long flags;
		uint64_t word = 0;

		memcpy(&word, p, len);
		flags = spin_lock_irqsave(&lock);
		pool_stir(word);
		spin_unlock_irqrestore(&lock, flags);
		p += len;
		n -= len;
	}
	if (credit)
		credited += total;
}

bool rand_ready(void)
{
	return credited >= SEED_BYTES;
}

void rand_init(void)
{
	uint64_t seed[2] = { boot_info.entry_tsc, tsc_read() };
	uint64_t word;

	rand_add(seed, sizeof(seed), false);
	rand_add(boot_info.cmdline, strnlen(boot_info.cmdline, 256), false);
	for (int i = 0; i < 8 && arch_random(&word); i++)
		rand_add(&word, sizeof(word), true);
}
