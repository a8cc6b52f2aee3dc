#include "kern/errno.h"
#include "kern/string.h"

#include "aml.h"

#define AML_ZERO     0x00
#define AML_ONE      0x01
#define AML_BYTE     0x0a
#define AML_WORD     0x0b
#define AML_DWORD    0x0c
#define AML_QWORD    0x0e
#define AML_BUFFER   0x11
#define RES_END      0x79 /* small: type 15, length 1 */
#define RES_LARGE    0x80
#define RES_MEM32    0x86 /* Memory32Fixed */
#define RES_IRQ      0x89 /* Extended Interrupt */
#define RES_IRQ_EDGE 0x02
#define RES_IRQ_LOW  0x04
#define CRS_DISTANCE 256 /* how far behind _HID its _CRS may be */

static size_t left(const struct aml *a)
{
	return (size_t)(a->end - a->p);
}

static uint64_t little(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	while (n-- != 0)
		v = v << 8 | p[n];
	return v;
}

const uint8_t *aml_search(struct aml a, const void *pattern, size_t n)
{
	for (; left(&a) >= n; a.p++)
		if (memcmp(a.p, pattern, n) == 0)
			return a.p;
	return NULL;
}

bool aml_next_hid(struct aml *a, const char *hid)
{
	/* NameOp, _HID, StringPrefix, 8 characters, NUL */
	uint8_t pattern[15] = { 0x08, '_', 'H', 'I', 'D', 0x0d };

	memcpy(&pattern[6], hid, 8);
	a->p = aml_search(*a, pattern, sizeof(pattern));
	if (!a->p)
		return false;
	a->p += sizeof(pattern);
	return true;
}

int aml_integer(struct aml *a, uint64_t *out)
{
	unsigned n;

	if (left(a) == 0)
		return -EINVAL;
	switch (*a->p) {
	case AML_ZERO:
	case AML_ONE:
		*out = *a->p++;
		return 0;
	case AML_BYTE:
		n = 1;
		break;
	case AML_WORD:
		n = 2;
		break;
	case AML_DWORD:
		n = 4;
		break;
	case AML_QWORD:
		n = 8;
		break;
	default:
		return -EINVAL;
	}
	if (left(a) < n + 1)
		return -EINVAL;
	*out = little(a->p + 1, n);
	a->p += n + 1;
	return 0;
}

/* Buffer, package length, size, bytes: narrows (a) to the bytes. */
static int open_buffer(struct aml *a)
{
	size_t skip;
	uint64_t size;

	if (left(a) < 2 || *a->p++ != AML_BUFFER)
		return -EINVAL;
	skip = 1u + (*a->p >> 6);
	if (left(a) < skip)
		return -EINVAL;
	a->p += skip;
	if (aml_integer(a, &size) != 0 || size > left(a))
		return -EINVAL;
	a->end = a->p + size;
	return 0;
}

static void read_large(
    uint8_t tag, const uint8_t *p, size_t n, struct aml_res *res)
{
	if (tag == RES_MEM32 && n >= 9 && res->mem_size == 0) {
		res->mem_pa = (uint32_t)little(p + 1, 4);
		res->mem_size = (uint32_t)little(p + 5, 4);
	} else if (tag == RES_IRQ && n >= 6 && p[1] == 1 && res->gsi == 0) {
		res->level = !(p[0] & RES_IRQ_EDGE);
		res->active_low = p[0] & RES_IRQ_LOW;
		res->gsi = (unsigned)little(p + 2, 4);
	}
}

static int read_resources(struct aml a, struct aml_res *res)
{
	size_t n;

	while (left(&a) >= 3 && *a.p != RES_END) {
		uint8_t tag = *a.p;

		if (tag & RES_LARGE) {
			n = (size_t)little(a.p + 1, 2);
			a.p += 3;
		} else {
			n = tag & 7;
			a.p += 1;
		}
		if (n > left(&a))
			return -EINVAL;
		if (tag & RES_LARGE)
			read_large(tag, a.p, n, res);
		a.p += n;
	}
	return 0;
}

int aml_crs(struct aml a, struct aml_res *res)
{
	memset(res, 0, sizeof(*res));
	if (left(&a) > CRS_DISTANCE)
		a.end = a.p + CRS_DISTANCE;
	a.p = aml_search(a, "\x08_CRS", 5);
	if (!a.p)
		return -EINVAL;
	a.p += 5;
	if (open_buffer(&a) != 0)
		return -EINVAL;
	return read_resources(a, res);
}
