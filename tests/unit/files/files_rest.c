/* What kernel/fs's descriptors, pipes and epolls ask of the other rooms. */

#include <stdlib.h>

#include "kern/cred.h"
#include "kern/flock.h"
#include "kern/signal.h"
#include "kern/vfs.h"
#include "kernel/fs/files_int.h"
#include "files_fixture.h"

bool fake_signal_pending;
int fake_signal_raised;

bool signal_pending(void)
{
	return fake_signal_pending;
}

void signal_raise_self(int sig)
{
	fake_signal_raised = sig;
}

void cred_current(struct cred *c)
{
	*c = (struct cred){ 7, 0, 0 };
}

/* No file here has a vnode: none of these may be called. */
void vnode_put(struct vnode *v)
{
	(void)v;
	abort();
}

void vnode_get(struct vnode *v)
{
	(void)v;
	abort();
}

void dentry_put(struct dentry *d)
{
	(void)d;
	abort();
}

void flock_file_gone(struct file *f)
{
	(void)f;
	abort();
}

void flock_fd_closed(struct file *f)
{
	(void)f;
	abort();
}

int vfs_getattr(struct vnode *v, struct vattr *va)
{
	(void)v;
	(void)va;
	abort();
}

void vattr_to_stat(
    const struct vnode *v, const struct vattr *va, struct stat *st)
{
	(void)v;
	(void)va;
	(void)st;
	abort();
}

WEAK void epoll_file_gone(struct file *f)
{
	(void)f;
	abort();
}
