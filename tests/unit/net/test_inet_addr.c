/* Addresses that programs give: each refusal, and back again. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/net/inet_int.h"

#include <linux/in.h>
#include <linux/in6.h>

static struct sockaddr_any v4(uint16_t family, uint32_t addr, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = family };
	struct sockaddr_any any;

	a.sin_addr.s_addr = __builtin_bswap32(addr);
	a.sin_port = __builtin_bswap16(port);
	memset(&any, 0, sizeof(any));
	memcpy(&any, &a, sizeof(a));
	return any;
}

static struct sockaddr_any v6(
    uint16_t family, const char addr[16], uint16_t port, uint32_t scope)
{
	struct sockaddr_in6 a = { .sin6_family = family };
	struct sockaddr_any any;

	memcpy(&a.sin6_addr, addr, 16);
	a.sin6_port = __builtin_bswap16(port);
	a.sin6_scope_id = scope;
	memset(&any, 0, sizeof(any));
	memcpy(&any, &a, sizeof(a));
	return any;
}

static const char mapped[16] = "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x01";
static const char global[16] = "\x20\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\x01";
static const char local[16] = "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01";

/* What the last address was taken for. */
static ip_addr_t ip;
static uint16_t port;

static int import(int domain, const struct sockaddr_any *a, unsigned len,
    enum inet_addr_use use)
{
	memset(&ip, 0xee, sizeof(ip));
	port = 0xeeee;
	return inet_addr_import(domain, a, len, use, &ip, &port);
}

static void test_v4(void **state)
{
	struct sockaddr_any a = v4(AF_INET, 0x0a000001, 80);

	(void)state;
	assert_int_equal(import(AF_INET, &a, 16, INET_FOR_BIND), 0);
	assert_true(IP_IS_V4_VAL(ip));
	assert_int_equal(ip4_addr_get_u32(ip_2_ip4(&ip)), 0x0100000a);
	assert_int_equal(port, 80);
	for (unsigned len = 0; len < 16; len++)
		assert_int_equal(
		    import(AF_INET, &a, len, INET_FOR_CONNECT), -EINVAL);
	assert_int_equal(import(AF_INET, &a, 128, INET_FOR_CONNECT), 0);
}

static void test_v4_families(void **state)
{
	struct sockaddr_any a = v4(AF_INET6, 1, 1);
	struct sockaddr_any none = v4(AF_UNSPEC, 0, 1);
	struct sockaddr_any some = v4(AF_UNSPEC, 5, 1);

	(void)state;
	assert_int_equal(import(AF_INET, &a, 16, INET_FOR_BIND), -EAFNOSUPPORT);
	/* bind() to AF_UNSPEC is to the any address, and to no other. */
	assert_int_equal(import(AF_INET, &none, 16, INET_FOR_BIND), 0);
	assert_int_equal(
	    import(AF_INET, &some, 16, INET_FOR_BIND), -EAFNOSUPPORT);
	assert_int_equal(
	    import(AF_INET, &none, 16, INET_FOR_CONNECT), -EAFNOSUPPORT);
	assert_int_equal(import(AF_INET, &some, 16, INET_FOR_SENDTO), 0);
}

static void test_v6(void **state)
{
	struct sockaddr_any a = v6(AF_INET6, global, 443, 0);

	(void)state;
	assert_int_equal(import(AF_INET6, &a, 28, INET_FOR_BIND), 0);
	assert_true(IP_IS_V6_VAL(ip));
	assert_memory_equal(ip_2_ip6(&ip)->addr, global, 16);
	assert_int_equal(port, 443);
	/* RFC 2133's address has no scope. */
	for (unsigned len = 0; len < 30; len++)
		assert_int_equal(import(AF_INET6, &a, len, INET_FOR_BIND),
		    len < 24 ? -EINVAL : 0);
	a = v6(AF_INET6, local, 1, 3);
	assert_int_equal(import(AF_INET6, &a, 28, INET_FOR_BIND), 0);
	assert_int_equal(ip6_addr_zone(ip_2_ip6(&ip)), 3);
}

static void test_v6_mapped(void **state)
{
	struct sockaddr_any a = v6(AF_INET6, mapped, 1, 0), out;
	struct sockaddr_any plain = v4(AF_INET, 0x0a000001, 7);

	(void)state;
	assert_int_equal(import(AF_INET6, &a, 28, INET_FOR_BIND), 0);
	assert_true(IP_IS_V4_VAL(ip));
	assert_int_equal(inet_addr_export(AF_INET6, &ip, 1, &out), 28);
	assert_memory_equal(&out, &a, 28);
	/* A datagram may go to an AF_INET address, a stream may not. */
	assert_int_equal(import(AF_INET6, &plain, 16, INET_FOR_SENDTO), 0);
	assert_int_equal(port, 7);
	assert_int_equal(
	    import(AF_INET6, &plain, 16, INET_FOR_CONNECT), -EINVAL);
	assert_int_equal(
	    import(AF_INET6, &plain, 28, INET_FOR_CONNECT), -EAFNOSUPPORT);
}

static void test_export(void **state)
{
	struct sockaddr_any out, want = v4(AF_INET, 0x7f000001, 9);

	(void)state;
	memset(&ip, 0, sizeof(ip));
	ip_addr_set_ip4_u32_val(ip, 0x0100007f);
	memset(&out, 0xee, sizeof(out));
	assert_int_equal(inet_addr_export(AF_INET, &ip, 9, &out), 16);
	/* No byte of the kernel's is left in it. */
	assert_memory_equal(&out, &want, sizeof(out));
	memset(&ip, 0, sizeof(ip));
	IP_SET_TYPE_VAL(ip, IPADDR_TYPE_ANY);
	want = v6(AF_INET6, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 9, 0);
	assert_int_equal(inet_addr_export(AF_INET6, &ip, 9, &out), 28);
	assert_memory_equal(&out, &want, sizeof(out));
}

static void test_channel_bytes(void **state)
{
	uint8_t b[16];

	(void)state;
	memset(&ip, 0, sizeof(ip));
	ip_addr_set_ip4_u32_val(ip, 0x0100000a);
	inet_addr_bytes(&ip, b);
	assert_memory_equal(b, mapped, 16);
	IP_SET_TYPE_VAL(ip, IPADDR_TYPE_ANY);
	inet_addr_bytes(&ip, b);
	assert_memory_equal(b, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v4),
		cmocka_unit_test(test_v4_families),
		cmocka_unit_test(test_v6),
		cmocka_unit_test(test_v6_mapped),
		cmocka_unit_test(test_export),
		cmocka_unit_test(test_channel_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
