/* lwIP includes the C library's name. */
#include "kern/string.h"
