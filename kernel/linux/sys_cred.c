#include <linux/capability.h>

#include "kern/arch.h"
#include "kern/errno.h"
#include "kern/num.h"
#include "kern/string.h"
#include "syscalls.h"
#include "task_int.h"

/*
 * Who the program says it is.  There is nobody else on the machine, so the
 * ids are remembered and shown but protect nothing; like root's, every change
 * is allowed that root may make.
 */

#define ID_KEEP UINT32_MAX

static bool is_root(const struct proc *p)
{
	return p->euid == 0;
}

/* May a process that is not root become (id)? */
static bool uid_known(const struct proc *p, uint32_t id)
{
	return id == ID_KEEP || id == p->uid || id == p->euid || id == p->suid;
}

static bool gid_known(const struct proc *p, uint32_t id)
{
	return id == ID_KEEP || id == p->gid || id == p->egid || id == p->sgid;
}

static void caps_follow(struct proc *p)
{
	uint64_t all = (1ul << (CAP_LAST_CAP + 1)) - 1;

	p->cap_effective = p->euid == 0 ? all : 0;
	p->cap_permitted =
	    p->euid == 0 || p->suid == 0 || p->keepcaps ? all : 0;
}

static void set_uids(struct proc *p, uint32_t r, uint32_t e, uint32_t s)
{
	if (r != ID_KEEP)
		p->uid = r;
	if (e != ID_KEEP)
		p->euid = e;
	if (s != ID_KEEP)
		p->suid = s;
	p->fsuid = p->euid;
	caps_follow(p);
}

static void set_gids(struct proc *p, uint32_t r, uint32_t e, uint32_t s)
{
	if (r != ID_KEEP)
		p->gid = r;
	if (e != ID_KEEP)
		p->egid = e;
	if (s != ID_KEEP)
		p->sgid = s;
	p->fsgid = p->egid;
}

long sys_getuid(void)
{
	return proc_self()->uid;
}

long sys_geteuid(void)
{
	return proc_self()->euid;
}

long sys_getgid(void)
{
	return proc_self()->gid;
}

long sys_getegid(void)
{
	return proc_self()->egid;
}

long sys_setresuid(uint32_t r, uint32_t e, uint32_t s)
{
	struct proc *p = proc_self();

	if (!is_root(p) &&
	    !(uid_known(p, r) && uid_known(p, e) && uid_known(p, s)))
		return -EPERM;
	set_uids(p, r, e, s);
	return 0;
}

long sys_setresgid(uint32_t r, uint32_t e, uint32_t s)
{
	struct proc *p = proc_self();

	if (!is_root(p) &&
	    !(gid_known(p, r) && gid_known(p, e) && gid_known(p, s)))
		return -EPERM;
	set_gids(p, r, e, s);
	return 0;
}

long sys_setuid(uint32_t id)
{
	struct proc *p = proc_self();

	if (id == ID_KEEP)
		return -EINVAL;
	if (is_root(p))
		set_uids(p, id, id, id);
	else if (id == p->uid || id == p->suid)
		set_uids(p, ID_KEEP, id, ID_KEEP);
	else
		return -EPERM;
	return 0;
}

long sys_setgid(uint32_t id)
{
	struct proc *p = proc_self();

	if (id == ID_KEEP)
		return -EINVAL;
	if (is_root(p))
		set_gids(p, id, id, id);
	else if (id == p->gid || id == p->sgid)
		set_gids(p, ID_KEEP, id, ID_KEEP);
	else
		return -EPERM;
	return 0;
}

/* The saved id follows when the real one is set, or the effective one
 * becomes something else than the real one. */
long sys_setreuid(uint32_t r, uint32_t e)
{
	struct proc *p = proc_self();
	bool save = r != ID_KEEP || (e != ID_KEEP && e != p->uid);

	if (!is_root(p) && !(uid_known(p, r) && uid_known(p, e)))
		return -EPERM;
	set_uids(p, r, e, ID_KEEP);
	if (save)
		p->suid = p->euid;
	return 0;
}

long sys_setregid(uint32_t r, uint32_t e)
{
	struct proc *p = proc_self();
	bool save = r != ID_KEEP || (e != ID_KEEP && e != p->gid);

	if (!is_root(p) && !(gid_known(p, r) && gid_known(p, e)))
		return -EPERM;
	set_gids(p, r, e, ID_KEEP);
	if (save)
		p->sgid = p->egid;
	return 0;
}

static long put_ids(uint32_t *user[3], const uint32_t id[3])
{
	for (int i = 0; i < 3; i++)
		if (user_store32(user[i], id[i]) != 0)
			return -EFAULT;
	return 0;
}

long sys_getresuid(uint32_t *r, uint32_t *e, uint32_t *s)
{
	const struct proc *p = proc_self();
	const uint32_t id[3] = { p->uid, p->euid, p->suid };
	uint32_t *user[3] = { r, e, s };

	return put_ids(user, id);
}

long sys_getresgid(uint32_t *r, uint32_t *e, uint32_t *s)
{
	const struct proc *p = proc_self();
	const uint32_t id[3] = { p->gid, p->egid, p->sgid };
	uint32_t *user[3] = { r, e, s };

	return put_ids(user, id);
}

/* The old id, whether it could be changed or not. */
long sys_setfsuid(uint32_t id)
{
	struct proc *p = proc_self();
	uint32_t old = p->fsuid;

	if (id != ID_KEEP && (is_root(p) || uid_known(p, id) || id == p->fsuid))
		p->fsuid = id;
	return old;
}

long sys_setfsgid(uint32_t id)
{
	struct proc *p = proc_self();
	uint32_t old = p->fsgid;

	if (id != ID_KEEP && (is_root(p) || gid_known(p, id) || id == p->fsgid))
		p->fsgid = id;
	return old;
}

long sys_getgroups(int n, uint32_t *user)
{
	const struct proc *p = proc_self();
	/* Once: another thread may be setting them. */
	unsigned have = READ_ONCE(p->ngroups);

	if (n < 0 || (n != 0 && (unsigned)n < have))
		return -EINVAL;
	if (n != 0 && copy_to_user(user, p->groups, have * sizeof(*user)) != 0)
		return -EFAULT;
	return have;
}

long sys_setgroups(size_t n, const uint32_t *user)
{
	struct proc *p = proc_self();
	uint32_t groups[ARRAY_SIZE(p->groups)];

	if (!is_root(p))
		return -EPERM;
	if (n > ARRAY_SIZE(groups))
		return -EINVAL;
	if (copy_from_user(groups, user, n * sizeof(*user)) != 0)
		return -EFAULT;
	memcpy(p->groups, groups, n * sizeof(*user));
	WRITE_ONCE(p->ngroups, (unsigned)n);
	return 0;
}

/* --- capabilities --------------------------------------------------------- */

/* How many 32-bit halves the caller's version has; 0: unknown, ours told. */
static int cap_version(struct __user_cap_header_struct *user,
    struct __user_cap_header_struct *h, unsigned *halves)
{
	if (copy_from_user(h, user, sizeof(*h)) != 0)
		return -EFAULT;
	switch (h->version) {
	case _LINUX_CAPABILITY_VERSION_1:
		*halves = 1;
		return 0;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		*halves = 2;
		return 0;
	default:
		h->version = _LINUX_CAPABILITY_VERSION_3;
		if (copy_to_user(user, h, sizeof(*h)) != 0)
			return -EFAULT;
		*halves = 0;
		return 0;
	}
}

long sys_capget(struct __user_cap_header_struct *user_head,
    struct __user_cap_data_struct *user_data)
{
	const struct proc *p = proc_self();
	struct __user_cap_data_struct data[2];
	struct __user_cap_header_struct h;
	unsigned halves;
	int r = cap_version(user_head, &h, &halves);

	if (r != 0)
		return r;
	if (halves == 0)
		return user_data ? -EINVAL : 0;
	if (!user_data)
		return 0;
	for (unsigned i = 0; i < halves; i++) {
		data[i].effective = (uint32_t)(p->cap_effective >> 32 * i);
		data[i].permitted = (uint32_t)(p->cap_permitted >> 32 * i);
		data[i].inheritable = (uint32_t)(p->cap_inheritable >> 32 * i);
	}
	return copy_to_user(user_data, data, halves * sizeof(data[0]));
}

long sys_capset(struct __user_cap_header_struct *user_head,
    const struct __user_cap_data_struct *user_data)
{
	struct proc *p = proc_self();
	struct __user_cap_data_struct data[2];
	struct __user_cap_header_struct h;
	uint64_t eff = 0, perm = 0, inh = 0;
	unsigned halves;
	int r = cap_version(user_head, &h, &halves);

	if (r != 0)
		return r;
	if (halves == 0)
		return -EINVAL;
	if (copy_from_user(data, user_data, halves * sizeof(data[0])) != 0)
		return -EFAULT;
	for (unsigned i = 0; i < halves; i++) {
		eff |= (uint64_t)data[i].effective << 32 * i;
		perm |= (uint64_t)data[i].permitted << 32 * i;
		inh |= (uint64_t)data[i].inheritable << 32 * i;
	}
	if ((perm & ~p->cap_permitted) || (eff & ~perm))
		return -EPERM;
	p->cap_effective = eff;
	p->cap_permitted = perm;
	p->cap_inheritable = inh;
	return 0;
}
