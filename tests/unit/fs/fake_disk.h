#ifndef FAKE_DISK_H
#define FAKE_DISK_H

#include <stddef.h>

/* What the disk "vda" holds; a multiple of 512 bytes, kept by the caller. */
void fake_disk_set(const void *data, size_t len);
/* The only boot module. */
void fake_disk_module(const void *data, size_t len);
unsigned fake_disk_users(void);

#endif /* FAKE_DISK_H */
