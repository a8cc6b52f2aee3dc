/* --bootchart: when each step of the boot was reached. */

#include "kern/arch.h"
#include "kern/boot.h"
#include "kern/console.h"
#include "kern/string.h"

#define MARK_MAX 48

static struct {
	const char *name;
	uint64_t tsc;
} marks[MARK_MAX];
static unsigned nmark;

void bootchart_mark(const char *name)
{
	if (nmark == MARK_MAX)
		return;
	marks[nmark].name = name;
	marks[nmark++].tsc = tsc_read();
}

/* Microseconds since the first instruction, and since the mark before. */
void bootchart_print(void)
{
	uint64_t last = 0;
	char line[80];
	int n = snprintf(line, sizeof(line), "osv: kernel entered at TSC %lu\n",
	    boot_info.entry_tsc);

	console_write(line, (size_t)n);
	for (unsigned i = 0; i < nmark; i++) {
		uint64_t us =
		    tsc_to_ns(marks[i].tsc - boot_info.entry_tsc) / 1000;

		n = snprintf(line, sizeof(line),
		    "bootchart: %8lu us  +%7lu  %s\n", us, us - last,
		    marks[i].name);

		console_write(line, (size_t)n);
		last = us;
	}
}
