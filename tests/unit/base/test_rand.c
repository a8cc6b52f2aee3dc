/* kernel/base/rand.c and siphash.c: known answers; what the pool must do. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/base/rand.c"

struct boot_info boot_info;

static uint64_t ticks;
static unsigned words; /* that the processor still gives */

uint64_t tsc_read(void)
{
	return ticks;
}

bool arch_random(uint64_t *out)
{
	*out = 0x1234;
	return words && words--;
}

/* RFC 8439, 2.3.2. */
static void test_chacha20_block(void **state)
{
	static const uint32_t want[16] = { 0xe4e7f110, 0x15593bd1, 0x1fdd0f50,
		0xc47120a3, 0xc7f4d1c7, 0x0368c033, 0x9aaa2204, 0x4e6cd4c3,
		0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9, 0xd19c12b5,
		0xb94e16de, 0xe883d0cb, 0x4e3c50a2 };
	static const uint32_t nonce[3] = { 0x09000000, 0x4a000000, 0 };
	uint32_t key[8], out[16];

	for (unsigned i = 0; i < 8; i++)
		key[i] = 0x03020100 + i * 0x04040404;
	chacha20_block(key, 1, nonce, out);
	assert_memory_equal(out, want, sizeof(want));
}

/* The vectors of the SipHash paper, appendix A, and of its reference code. */
static void test_siphash(void **state)
{
	static const uint64_t key[2] = { 0x0706050403020100ull,
		0x0f0e0d0c0b0a0908ull };
	uint8_t in[16];

	for (unsigned i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	assert_true(siphash(key, in, 15) == 0xa129ca6149be45e5ull);
	assert_true(siphash(key, in, 0) == 0x726fdb47dd0e0e31ull);
	assert_true(siphash(key, in, 8) == 0x93f5f5799a932462ull);
}

static void test_requests_differ(void **state)
{
	uint8_t a[200], b[200];

	rand_bytes(a, sizeof(a));
	rand_bytes(b, sizeof(b)); /* the clock stands still */
	assert_memory_not_equal(a, b, sizeof(a));
	assert_memory_not_equal(a, a + 64, 64);
	assert_true(rand_u64() != rand_u64());
}

/* What is given out must not show what was given out before. */
static void test_key_is_erased(void **state)
{
	uint32_t before[KEY_WORDS];
	uint8_t out[256];

	memcpy(before, pool, sizeof(pool));
	rand_bytes(out, sizeof(out));
	assert_memory_not_equal(before, pool, sizeof(pool));
	for (size_t i = 0; i + sizeof(pool) <= sizeof(out); i++)
		assert_memory_not_equal(out + i, pool, sizeof(pool));
}

static void test_same_seed_same_stream_unless_stirred(void **state)
{
	uint8_t a[16], b[16], c[16];

	memset(pool, 7, sizeof(pool));
	rand_bytes(a, sizeof(a));
	memset(pool, 7, sizeof(pool));
	rand_bytes(b, sizeof(b));
	assert_memory_equal(a, b, sizeof(a));
	memset(pool, 7, sizeof(pool));
	rand_add("x", 1, false);
	rand_bytes(c, sizeof(c));
	assert_memory_not_equal(a, c, sizeof(a));
}

static void test_ready_after_enough_credit(void **state)
{
	uint8_t seed[31] = { 1 };

	credited = 0;
	rand_add(seed, sizeof(seed), false);
	assert_false(rand_ready());
	rand_add(seed, sizeof(seed), true);
	assert_false(rand_ready());
	rand_add(seed, 1, true);
	assert_true(rand_ready());

	credited = 0;
	words = 3;
	rand_init();
	assert_false(rand_ready());
	words = 8;
	rand_init();
	assert_true(rand_ready());
}

static void test_odd_sizes_stay_inside(void **state)
{
	uint8_t buf[70];

	for (size_t n = 0; n < 66; n++) {
		memset(buf, 0xee, sizeof(buf));
		rand_bytes(buf, n);
		for (size_t i = n; i < sizeof(buf); i++)
			assert_int_equal(buf[i], 0xee);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chacha20_block),
		cmocka_unit_test(test_siphash),
		cmocka_unit_test(test_requests_differ),
		cmocka_unit_test(test_key_is_erased),
		cmocka_unit_test(test_same_seed_same_stream_unless_stirred),
		cmocka_unit_test(test_ready_after_enough_credit),
		cmocka_unit_test(test_odd_sizes_stay_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
