/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to raise its hard limit of memory, directly and by prlimit on its parent.
 *
 * Control: identity
 * Run: alone
 * Expect: EPERM
 */
#include <sys/resource.h>

#include "probe.h"

int main(void)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_AS, &limit) < 0)
                contained();
        limit.rlim_max = RLIM_INFINITY;
        limit.rlim_cur = RLIM_INFINITY;
        if (setrlimit(RLIMIT_AS, &limit) == 0)
                escaped("has no limit of memory");
        if (prlimit(parent_or_init(), RLIMIT_AS, &limit, NULL) == 0)
                escaped("changed its parent's limits");
        contained();
}
