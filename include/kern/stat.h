#ifndef KERN_STAT_H
#define KERN_STAT_H

/* Kinds of files and permissions: inode(7).  <linux/stat.h> hides them from
 * programs, and so from host tests, in favour of the C library's. */

#include <linux/stat.h>

#ifndef S_IFMT
#define S_IFMT      0170000
#define S_IFSOCK    0140000
#define S_IFLNK     0120000
#define S_IFREG     0100000
#define S_IFBLK     0060000
#define S_IFDIR     0040000
#define S_IFCHR     0020000
#define S_IFIFO     0010000
#define S_ISUID     0004000
#define S_ISGID     0002000
#define S_ISVTX     0001000

#define S_ISLNK(m)  ((S_IFMT & (m)) == S_IFLNK)
#define S_ISREG(m)  ((S_IFMT & (m)) == S_IFREG)
#define S_ISDIR(m)  ((S_IFMT & (m)) == S_IFDIR)
#define S_ISCHR(m)  ((S_IFMT & (m)) == S_IFCHR)
#define S_ISBLK(m)  ((S_IFMT & (m)) == S_IFBLK)
#define S_ISFIFO(m) ((S_IFMT & (m)) == S_IFIFO)
#define S_ISSOCK(m) ((S_IFMT & (m)) == S_IFSOCK)
#endif

#endif /* KERN_STAT_H */
