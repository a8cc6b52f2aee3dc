#ifndef FAKE_USER_H
#define FAKE_USER_H

/*
 * The program's memory is the host's, of which a range can be made to fault.
 * Any number of threads may copy while none changes the range.
 */

#include <stddef.h>

/* Accesses that touch [p, p + n) fail; NULL: none does. */
void fake_user_fault(const void *p, size_t n);

#endif /* FAKE_USER_H */
