#ifndef LINUX_NAMES_INT_H
#define LINUX_NAMES_INT_H

/* The machine's names, which uname(2) and /proc tell.  sys_misc.c */

#define NAME_SIZE 65

void hostname_get(char name[NAME_SIZE]);
void domainname_get(char name[NAME_SIZE]);
int hostname_set(const char *name); /* 0, -EINVAL: too long */
int domainname_set(const char *name);

#endif /* LINUX_NAMES_INT_H */
