#ifndef XEN_ABI_H
#define XEN_ABI_H

/*
 * Xen's public headers, from libxen-dev, at the interface version that this
 * code was written for: without it they give the oldest one.
 */

#include <stddef.h>
#include <stdint.h>

#ifndef __XEN_INTERFACE_VERSION__
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#endif

#include <xen/xen.h>

#endif /* XEN_ABI_H */
