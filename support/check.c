// SPDX-License-Identifier: Apache-2.0
// Our own mistakes end here: the one place beside the arena that prints.
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>

void
sy_check_fail(const char *file, int line, const char *cond, const char *fmt,
              ...)
{
    fprintf(stderr, "systole: internal error at %s:%d: ", file, line);
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, " (%s)\n", cond);
    abort();
}
