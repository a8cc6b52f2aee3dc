#include <linux/mman.h>

#include "kern/errno.h"
#include "kern/file.h"
#include "kern/num.h"
#include "kern/vfs.h"
#include "kern/vm.h"
#include "syscalls.h"
#include "task_int.h"

static unsigned prot_of(int prot)
{
	return (prot & PROT_READ ? VM_READ : 0) |
	       (prot & PROT_WRITE ? VM_WRITE : 0) |
	       (prot & PROT_EXEC ? VM_EXEC : 0);
}

/* (what): the call, for the log. */
static int check_prot(int prot, const char *what)
{
	if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM |
		       PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	return wx_check(prot, what);
}

static int map_flags(int flags, unsigned *out)
{
	unsigned type = (unsigned)flags & MAP_TYPE, f = 0;

	if (type == MAP_SHARED || type == MAP_SHARED_VALIDATE)
		f |= VM_SHARED;
	else if (type != MAP_PRIVATE)
		return -EINVAL;
	if (type == MAP_SHARED_VALIDATE && (flags & MAP_SYNC))
		return -EOPNOTSUPP;
	if (flags & MAP_FIXED)
		f |= VM_FIXED;
	if (flags & MAP_FIXED_NOREPLACE)
		f |= VM_FIXED | VM_NOREPLACE;
	if (flags & MAP_GROWSDOWN)
		f |= VM_GROWSDOWN;
	if (flags & MAP_32BIT)
		f |= VM_32BIT;
	if (flags & MAP_LOCKED)
		f |= VM_LOCKED | VM_POPULATE;
	if ((flags & MAP_POPULATE) && !(flags & MAP_NONBLOCK))
		f |= VM_POPULATE;
	if (flags & MAP_NORESERVE)
		f |= VM_NORESERVE;
	/* Of a thread's stack little is used, and nothing in between: Linux
	 * does so since 6.7. */
	if (flags & MAP_STACK)
		f |= VM_NOHUGE;
	*out = f;
	return 0;
}

/* What the descriptor's access mode allows. */
static int check_file(const struct file *f, int prot, unsigned flags)
{
	unsigned mode = f->flags & O_ACCMODE;

	if (f->flags & O_PATH)
		return -EBADF;
	if (mode == O_WRONLY)
		return -EACCES;
	if ((flags & VM_SHARED) && (prot & PROT_WRITE) && mode != O_RDWR)
		return -EACCES;
	return f->ops->mmap ? 0 : -ENODEV;
}

static int file_object(int fd, int prot, unsigned flags, struct vm_object **obj)
{
	struct file *f = fd_get(fd);
	int r;

	if (!f)
		return -EBADF;
	r = check_file(f, prot, flags);
	if (r == 0)
		r = f->ops->mmap(f, prot_of(prot), flags & VM_SHARED, obj);
	file_put(f);
	return r;
}

/* Shared memory without a name is a file without one. */
static int shared_object(size_t len, struct vm_object **obj)
{
	struct file *f;
	int r = vfs_anon_file("zero", O_RDWR, &f);

	if (r != 0)
		return r;
	r = f->ops->truncate(f, len);
	if (r == 0)
		r = f->ops->mmap(f, VM_READ | VM_WRITE, true, obj);
	file_put(f);
	return r;
}

long sys_mmap(
    void *addr, size_t len, int prot, int flags, int fd, unsigned long off)
{
	struct vm_object *obj = NULL;
	uintptr_t at = (uintptr_t)addr;
	unsigned f;
	int r;

	if (off & (PAGE_SIZE - 1))
		return -EINVAL;
	r = map_flags(flags, &f);
	if (r == 0)
		r = check_prot(prot, "mmap");
	if (r != 0)
		return r;
	if (len == 0)
		return -EINVAL;
	if (len > USER_MAX)
		return -ENOMEM;
	len = ALIGN_UP(len, PAGE_SIZE);
	if ((f & VM_FIXED) && (at & (PAGE_SIZE - 1)))
		return -EINVAL;
	at = ALIGN_DOWN(at, PAGE_SIZE);
	if ((f & VM_FIXED) && at < USER_MIN)
		return -EPERM;
	if (!(flags & MAP_ANONYMOUS) && off > INT64_MAX - len)
		return -EOVERFLOW;
	if (!(flags & MAP_ANONYMOUS))
		r = file_object(fd, prot, f, &obj);
	else if (f & VM_SHARED)
		r = shared_object(len, &obj);
	if (r != 0)
		return r;
	if (flags & MAP_ANONYMOUS)
		off = 0;
	r = vm_map(
	    proc_self()->vm, &at, len, prot_of(prot), f, obj, obj ? off : 0);
	if (obj)
		obj->ops->put(obj);
	return r == 0 ? (long)at : r;
}

/* The end of [addr, addr + len) rounded up; 0 for nonsense. */
static bool page_range(uintptr_t addr, size_t *len)
{
	if ((addr & (PAGE_SIZE - 1)) || *len > USER_MAX)
		return false;
	*len = ALIGN_UP(*len, PAGE_SIZE);
	return addr <= USER_MAX - *len;
}

long sys_munmap(void *addr, size_t len)
{
	if (len == 0 || !page_range((uintptr_t)addr, &len))
		return -EINVAL;
	return vm_unmap(proc_self()->vm, (uintptr_t)addr, len);
}

long sys_mprotect(void *addr, size_t len, int prot)
{
	int r = check_prot(prot, "mprotect");

	if (r != 0)
		return r;
	if ((uintptr_t)addr & (PAGE_SIZE - 1))
		return -EINVAL;
	if (len == 0)
		return 0;
	if (!page_range((uintptr_t)addr, &len))
		return -ENOMEM;
	return vm_protect(proc_self()->vm, (uintptr_t)addr, len, prot_of(prot));
}

long sys_mremap(void *old, size_t old_len, size_t new_len, unsigned long flags,
    void *new_addr)
{
	if (flags &
	    ~(unsigned long)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return -EINVAL;
	if (((uintptr_t)old & (PAGE_SIZE - 1)) || old_len > USER_MAX ||
	    new_len > USER_MAX || new_len == 0)
		return -EINVAL;
	return vm_remap(proc_self()->vm, (uintptr_t)old,
	    ALIGN_UP(old_len, PAGE_SIZE), ALIGN_UP(new_len, PAGE_SIZE),
	    (unsigned)flags, (uintptr_t)new_addr);
}

long sys_madvise(void *addr, size_t len, int advice)
{
	if (!page_range((uintptr_t)addr, &len))
		return -EINVAL;
	return vm_advise(proc_self()->vm, (uintptr_t)addr, len, advice);
}

long sys_brk(unsigned long want)
{
	return (long)vm_brk(proc_self()->vm, want);
}

long sys_msync(void *addr, size_t len, int flags)
{
	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC))
		return -EINVAL;
	if ((flags & MS_ASYNC) && (flags & MS_SYNC))
		return -EINVAL;
	if ((uintptr_t)addr & (PAGE_SIZE - 1))
		return -EINVAL;
	if (!page_range((uintptr_t)addr, &len))
		return -ENOMEM;
	if (len == 0)
		return 0;
	return vm_sync(proc_self()->vm, (uintptr_t)addr, len, flags);
}

long sys_mincore(void *addr, size_t len, unsigned char *vec)
{
	uintptr_t at = (uintptr_t)addr;
	uint8_t buf[512];
	size_t n, page = 0;
	int r;

	if (at & (PAGE_SIZE - 1))
		return -EINVAL;
	if (!page_range(at, &len))
		return -ENOMEM;
	for (; len > 0; len -= n, at += n, page += n >> PAGE_SHIFT) {
		n = MIN(len, sizeof(buf) << PAGE_SHIFT);
		r = vm_incore(proc_self()->vm, at, n, buf);
		if (r != 0)
			return r;
		if (copy_to_user(vec + page, buf, n >> PAGE_SHIFT) != 0)
			return -EFAULT;
	}
	return 0;
}

/* mlock takes the pages that the range touches. */
static long lock_range(void *addr, size_t len, bool lock, bool populate)
{
	uintptr_t at = ALIGN_DOWN((uintptr_t)addr, PAGE_SIZE);

	if (len > USER_MAX || (uintptr_t)addr > USER_MAX - len)
		return -ENOMEM;
	if (len == 0)
		return 0;
	len = ALIGN_UP((uintptr_t)addr + len, PAGE_SIZE) - at;
	return vm_lock(proc_self()->vm, at, len, lock, populate);
}

long sys_mlock(void *addr, size_t len)
{
	return lock_range(addr, len, true, true);
}

long sys_mlock2(void *addr, size_t len, int flags)
{
	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	return lock_range(addr, len, true, !(flags & MLOCK_ONFAULT));
}

long sys_munlock(void *addr, size_t len)
{
	return lock_range(addr, len, false, false);
}

long sys_mlockall(int flags)
{
	unsigned future = 0;

	if (flags == 0 || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) ||
	    flags == MCL_ONFAULT)
		return -EINVAL;
	if (flags & MCL_FUTURE)
		future = VM_LOCKED;
	if ((flags & MCL_FUTURE) && !(flags & MCL_ONFAULT))
		future |= VM_POPULATE;
	vm_lock_all(proc_self()->vm, flags & MCL_CURRENT,
	    !(flags & MCL_ONFAULT), future);
	return 0;
}

long sys_munlockall(void)
{
	vm_unlock_all(proc_self()->vm);
	return 0;
}
