#include <asm/unistd.h>
#include <linux/membarrier.h>
#include <linux/random.h>
#include <linux/reboot.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>

#include "kern/app.h"
#include "kern/arch.h"
#include "kern/clock.h"
#include "kern/errno.h"
#include "kern/log.h"
#include "kern/mm.h"
#include "kern/num.h"
#include "kern/param.h"
#include "kern/platform.h"
#include "kern/rand.h"
#include "kern/sched.h"
#include "kern/string.h"
#include "names_int.h"
#include "syscalls.h"
#include "table_int.h"
#include "task_int.h"

/* --- the machine --------------------------------------------------------- */

static struct mutex name_lock = MUTEX_INIT(name_lock);
static char hostname[NAME_SIZE], domainname[NAME_SIZE] = "(none)";

/* The boot command line's name, until another is set. */
void hostname_get(char name[NAME_SIZE])
{
	mutex_lock(&name_lock);
	if (hostname[0] == '\0')
		snprintf(hostname, sizeof(hostname), "%s",
		    boot_params.hostname ? boot_params.hostname : "osv");
	memcpy(name, hostname, NAME_SIZE);
	mutex_unlock(&name_lock);
}

void domainname_get(char name[NAME_SIZE])
{
	mutex_lock(&name_lock);
	memcpy(name, domainname, NAME_SIZE);
	mutex_unlock(&name_lock);
}

static int name_set(char where[NAME_SIZE], const char *name)
{
	size_t len = strlen(name);

	if (len >= NAME_SIZE)
		return -EINVAL;
	mutex_lock(&name_lock);
	memset(where, 0, NAME_SIZE);
	memcpy(where, name, len);
	mutex_unlock(&name_lock);
	return 0;
}

int hostname_set(const char *name)
{
	return name_set(hostname, name);
}

int domainname_set(const char *name)
{
	return name_set(domainname, name);
}

/* The release is the Linux whose interface this is: programs compare it. */
long sys_uname(struct new_utsname *user)
{
	struct new_utsname u;

	memset(&u, 0, sizeof(u));
	snprintf(u.sysname, sizeof(u.sysname), "Linux");
	snprintf(u.release, sizeof(u.release), LINUX_RELEASE);
	snprintf(u.version, sizeof(u.version), LINUX_VERSION);
	snprintf(u.machine, sizeof(u.machine), "x86_64");
	hostname_get(u.nodename);
	domainname_get(u.domainname);
	return copy_to_user(user, &u, sizeof(u));
}

static int copy_name(char name[NAME_SIZE], const char *user, int len)
{
	memset(name, 0, NAME_SIZE);
	if (len < 0 || len >= NAME_SIZE)
		return -EINVAL;
	return copy_from_user(name, user, (size_t)len);
}

long sys_sethostname(const char *user, int len)
{
	char name[NAME_SIZE];
	int r = copy_name(name, user, len);

	return r != 0 ? r : hostname_set(name);
}

long sys_setdomainname(const char *user, int len)
{
	char name[NAME_SIZE];
	int r = copy_name(name, user, len);

	return r != 0 ? r : domainname_set(name);
}

static bool count_thread(struct thread *t, void *arg)
{
	if (t->task)
		(*(unsigned *)arg)++;
	return true;
}

long sys_sysinfo(struct sysinfo *user)
{
	struct mm_stats mm;
	uint32_t load[3];
	struct sysinfo si;
	unsigned n = 0;

	memset(&si, 0, sizeof(si));
	mm_stats(&mm);
	sched_loadavg(load);
	thread_foreach(count_thread, &n);
	si.uptime = (long)(clock_mono() / NSEC_PER_SEC);
	for (int i = 0; i < 3; i++)
		si.loads[i] = load[i];
	si.totalram = mm.total;
	si.freeram = mm.free;
	si.bufferram = mm.file_cache;
	si.procs = (uint16_t)n;
	si.mem_unit = 1;
	return copy_to_user(user, &si, sizeof(si));
}

long sys_getrandom(void *user, size_t n, unsigned flags)
{
	uint8_t buf[256];
	size_t done = 0, k;

	if (flags & ~(unsigned)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	n = MIN(n, (size_t)INT32_MAX);
	for (; done < n; done += k) {
		k = MIN(n - done, sizeof(buf));
		rand_bytes(buf, k);
		if (copy_to_user((char *)user + done, buf, k) != 0)
			return done ? (long)done : -EFAULT;
	}
	memset(buf, 0, sizeof(buf));
	return (long)done;
}

long sys_reboot(int magic, int magic2, unsigned cmd, void *arg)
{
	(void)arg;
	if ((unsigned)magic != LINUX_REBOOT_MAGIC1 ||
	    (magic2 != LINUX_REBOOT_MAGIC2 && magic2 != LINUX_REBOOT_MAGIC2A &&
		magic2 != LINUX_REBOOT_MAGIC2B &&
		magic2 != LINUX_REBOOT_MAGIC2C))
		return -EINVAL;
	switch (cmd) {
	case LINUX_REBOOT_CMD_RESTART:
	case LINUX_REBOOT_CMD_RESTART2:
		platform_halt(PLATFORM_REBOOT, 0);
	case LINUX_REBOOT_CMD_HALT:
		platform_halt(PLATFORM_HALT, 0);
	case LINUX_REBOOT_CMD_POWER_OFF:
		platform_halt(PLATFORM_POWEROFF, 0);
	case LINUX_REBOOT_CMD_CAD_ON:
	case LINUX_REBOOT_CMD_CAD_OFF:
		return 0;
	default:
		return -EINVAL;
	}
}

/* syslog(2): the actions that read the log, and the size of its buffer. */
long sys_syslog(int type, char *user, int len)
{
	size_t n = 64 * 1024;
	char *text;
	long r;

	if (type == 10) /* SYSLOG_ACTION_SIZE_BUFFER */
		return (long)n;
	if (type != 2 && type != 3 && type != 4)
		return type >= 0 && type <= 9 ? 0 : -EINVAL;
	if (!user || len < 0)
		return -EINVAL;
	n = MIN(n, (size_t)len);
	text = vmalloc(n ? n : 1);
	if (!text)
		return -ENOMEM;
	n = log_read(text, n);
	r = copy_to_user(user, text, n) != 0 ? -EFAULT : (long)n;
	vfree(text);
	return r;
}

/* --- memory order -------------------------------------------------------- */

static void order_memory(void *arg)
{
	(void)arg;
	atomic_thread_fence(memory_order_seq_cst);
}

#define MEMBARRIER_SUPPORTED                                       \
	(MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED | \
	    MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED |             \
	    MEMBARRIER_CMD_PRIVATE_EXPEDITED |                     \
	    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |            \
	    MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE |           \
	    MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)

/* The commands that need a registration, and what registers them: in Linux's
 * numbering the one is twice the other. */
#define MEMBARRIER_NEEDS                    \
	(MEMBARRIER_CMD_PRIVATE_EXPEDITED | \
	    MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE)

long sys_membarrier(int cmd, unsigned flags, int cpu)
{
	struct proc *p = proc_self();

	(void)cpu;
	if (flags != 0)
		return -EINVAL;
	if (cmd == MEMBARRIER_CMD_QUERY)
		return MEMBARRIER_SUPPORTED;
	if ((cmd & (cmd - 1)) || !(cmd & MEMBARRIER_SUPPORTED))
		return -EINVAL;
	if (cmd & (MEMBARRIER_NEEDS << 1)) {
		atomic_fetch_or(&p->membarrier_registered, (uint32_t)cmd);
		return 0;
	}
	if ((cmd & MEMBARRIER_NEEDS) &&
	    !(atomic_load(&p->membarrier_registered) & ((uint32_t)cmd << 1)))
		return -EPERM;
	if (cmd != MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) {
		order_memory(NULL);
		cpu_call_others(order_memory, NULL);
	}
	return 0;
}

/* --- what there is only one of ------------------------------------------- */

#define PER_QUERY 0xffffffffu

long sys_personality(unsigned persona)
{
	struct proc *p = proc_self();
	uint32_t old = p->personality;

	if (persona != PER_QUERY)
		p->personality = persona;
	return old;
}

#define IOPRIO_WHO_MAX 3

long sys_ioprio_get(int which, int who)
{
	(void)who;
	if (which < 1 || which > IOPRIO_WHO_MAX)
		return -EINVAL;
	return task_self()->ioprio;
}

long sys_ioprio_set(int which, int who, int prio)
{
	(void)who;
	if (which < 1 || which > IOPRIO_WHO_MAX || prio >> 13 > 3)
		return -EINVAL;
	task_self()->ioprio = (unsigned)prio;
	return 0;
}

/* One memory node: every policy that Linux accepts is as good as none. */
long sys_get_mempolicy(int *mode, unsigned long *mask, unsigned long max,
    void *addr, unsigned long flags)
{
	uint64_t node0 = 1;

	(void)addr;
	if (flags & ~7ul)
		return -EINVAL;
	if (mode && user_store32((uint32_t *)mode, 0) != 0)
		return -EFAULT;
	if (mask && max >= 64 && copy_to_user(mask, &node0, 8) != 0)
		return -EFAULT;
	return 0;
}

long sys_set_mempolicy(int mode, const unsigned long *mask, unsigned long max)
{
	(void)mask;
	(void)max;
	return (mode & 0xff) > 6 ? -EINVAL : 0;
}

long sys_mbind(void *addr, size_t len, int mode, const unsigned long *mask,
    unsigned long max, unsigned flags)
{
	(void)addr;
	(void)len;
	(void)flags;
	return sys_set_mempolicy(mode, mask, max);
}
