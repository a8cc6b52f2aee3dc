#include <linux/mman.h>

#include "kern/errno.h"
#include "kern/log.h"
#include "kern/param.h"
#include "kern/string.h"
#include "task_int.h"

/*
 * Memory is writable or executable, not both, but for the programs that
 * --allow-wx names: docs/adr/0007-wx-exception.md.
 */

bool wx_allowed(const char *exe)
{
	for (unsigned i = 0; exe && i < boot_params.nallow_wx; i++)
		if (!strcmp(boot_params.allow_wx[i], exe))
			return true;
	return false;
}

void wx_note(struct proc *p, const char *what)
{
	if (!atomic_exchange(&p->wx_used, true))
		log_warn("%s: %s: memory writable and executable at once, "
			 "allowed by --allow-wx",
		    p->exe, what);
}

int wx_check(int prot, const char *what)
{
	struct proc *p = proc_self();

	if (!(prot & PROT_WRITE) || !(prot & PROT_EXEC))
		return 0;
	if (!p->allow_wx) {
		if (!atomic_exchange(&p->wx_used, true))
			log_warn("%s: %s: memory writable and executable at "
				 "once is refused; --allow-wx=%s allows it",
			    p->comm, what, p->exe ? p->exe : p->comm);
		return -EACCES;
	}
	wx_note(p, what);
	return 0;
}
