#ifndef XENSTORE_INT_H
#define XENSTORE_INT_H

/* Between xenstore.c (requests) and xs_watch.c (watches). */

#include <stdint.h>

/* xenstore.c; (type): XS_WATCH or XS_UNWATCH.  Thread context. */
int xs_watch_talk(uint32_t type, const char *path, uint32_t token);

/* xs_watch.c; takes over (payload), NULL: there was no memory for it.  Event
 * context. */
void xs_watch_event(char *payload, uint32_t len);
int xs_watch_init(void); /* 0 or -errno */

#endif /* XENSTORE_INT_H */
