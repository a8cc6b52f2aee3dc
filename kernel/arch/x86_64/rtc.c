/*
 * The CMOS clock, read once at boot.  It is taken to run in UTC, as QEMU's
 * does.  Source: Motorola MC146818A data sheet.
 */

#include "kern/arch.h"
#include "kern/sched.h"

#include "time.h"

#define RTC_INDEX        0x70
#define RTC_DATA         0x71

#define RTC_SECONDS      0x00
#define RTC_MINUTES      0x02
#define RTC_HOURS        0x04
#define RTC_DAY          0x07
#define RTC_MONTH        0x08
#define RTC_YEAR         0x09
#define RTC_A            0x0a
#define RTC_B            0x0b

#define RTC_A_UPDATING   0x80
#define RTC_B_24H        0x02
#define RTC_B_BINARY     0x04
#define RTC_PM           0x80

#define UPDATE_POLLS_MAX 10000

struct rtc_time {
	unsigned sec, min, hour, day, month, year;
};

static uint8_t rtc_reg(uint8_t reg)
{
	outb(RTC_INDEX, reg);
	return inb(RTC_DATA);
}

static unsigned rtc_value(unsigned v, uint8_t b)
{
	return b & RTC_B_BINARY ? v : (v >> 4) * 10 + (v & 0xf);
}

static void rtc_sample(struct rtc_time *t)
{
	uint8_t b = rtc_reg(RTC_B);
	unsigned hour = rtc_reg(RTC_HOURS);
	bool pm = hour & RTC_PM;

	t->sec = rtc_value(rtc_reg(RTC_SECONDS), b);
	t->min = rtc_value(rtc_reg(RTC_MINUTES), b);
	t->hour = rtc_value(hour & ~(unsigned)RTC_PM, b);
	if (!(b & RTC_B_24H))
		t->hour = t->hour % 12 + (pm ? 12 : 0);
	t->day = rtc_value(rtc_reg(RTC_DAY), b);
	t->month = rtc_value(rtc_reg(RTC_MONTH), b);
	t->year = 2000 + rtc_value(rtc_reg(RTC_YEAR), b);
}

/* Days from 1970-01-01 in the Gregorian calendar. */
static uint64_t days_since_1970(unsigned y, unsigned m, unsigned d)
{
	y -= m <= 2; /* a year that begins in March ends with the leap day */
	m += m <= 2 ? 9 : -3u;
	return 365ull * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + d -
	       719469;
}

static bool rtc_valid(const struct rtc_time *t)
{
	return t->sec < 60 && t->min < 60 && t->hour < 24 && t->day >= 1 &&
	       t->day <= 31 && t->month >= 1 && t->month <= 12;
}

uint64_t rtc_read(void)
{
	struct rtc_time t;

	for (int i = 0; rtc_reg(RTC_A) & RTC_A_UPDATING; i++)
		if (i == UPDATE_POLLS_MAX)
			return 0;
	rtc_sample(&t);
	if (!rtc_valid(&t))
		return 0;
	return (((days_since_1970(t.year, t.month, t.day) * 24 + t.hour) * 60 +
		    t.min) *
		       60 +
		   t.sec) *
	       NSEC_PER_SEC;
}
