#include "procfs.h"

#include <linux/fs.h>

#include "kern/string.h"

/* Mounts and file systems: proc_pid_mounts(5), proc_pid_mountinfo(5),
 * proc_filesystems(5). */

extern const struct fs_type *const fs_set_start[], *const fs_set_end[];

static void mount_flags(struct proc_out *o, unsigned flags)
{
	proc_printf(o, "%s%s%s%s,relatime", flags & MS_RDONLY ? "ro" : "rw",
	    flags & MS_NOSUID ? ",nosuid" : "",
	    flags & MS_NODEV ? ",nodev" : "",
	    flags & MS_NOEXEC ? ",noexec" : "");
}

/* Blanks and backslashes as octal: the fields are told apart by blanks. */
static void mount_name(struct proc_out *o, const char *s)
{
	for (; *s; s++) {
		if (strchr(" \t\n\\#", *s))
			proc_printf(o, "\\%03o", (unsigned)(uint8_t)*s);
		else
			proc_write(o, s, 1);
	}
}

static void mounts_line(const struct mount *m, void *arg)
{
	struct proc_out *o = arg;

	mount_name(o, m->source);
	proc_printf(o, " ");
	mount_name(o, m->dir);
	proc_printf(o, " %s ", m->type->name);
	mount_flags(o, m->flags);
	proc_printf(o, " 0 0\n");
}

static int mounts_show(struct proc_out *o)
{
	vfs_foreach_mount(mounts_line, o);
	return 0;
}

static const struct proc_file mounts_file = {
	.path = "self/mounts",
	.show = mounts_show,
};
PROC_FILE(mounts_file);

static void mountinfo_line(const struct mount *m, void *arg)
{
	struct proc_out *o = arg;

	proc_printf(o, "%u %u %u:%u / ", m->dev, m->parent ? m->parent->dev : 1,
	    dev_major(m->dev), dev_minor(m->dev));
	mount_name(o, m->dir);
	proc_printf(o, " ");
	mount_flags(o, m->flags);
	proc_printf(o, " - %s ", m->type->name);
	mount_name(o, m->source);
	proc_printf(o, " %s\n", m->flags & MS_RDONLY ? "ro" : "rw");
}

static int mountinfo_show(struct proc_out *o)
{
	vfs_foreach_mount(mountinfo_line, o);
	return 0;
}

static const struct proc_file mountinfo_file = {
	.path = "self/mountinfo",
	.show = mountinfo_show,
};
PROC_FILE(mountinfo_file);

static int filesystems_show(struct proc_out *o)
{
	for (const struct fs_type *const *t = fs_set_start; t < fs_set_end; t++)
		proc_printf(
		    o, "%s\t%s\n", (*t)->on_disk ? "" : "nodev", (*t)->name);
	return 0;
}

static const struct proc_file filesystems_file = {
	.path = "filesystems",
	.show = filesystems_show,
};
PROC_FILE(filesystems_file);
