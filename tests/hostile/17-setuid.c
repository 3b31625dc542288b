/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to become uid 0 again by every call that sets user ids.
 *
 * Control: half-dropped (only the effective uid was dropped)
 * Run: alone
 * Expect: EPERM
 */
#include <sys/fsuid.h>

#include "probe.h"

int main(void)
{
        int error = EPERM;

        if (geteuid() == 0)
                contained_by("the control began as root");
        if (setuid(0) < 0 && errno != EPERM)
                error = errno;
        if (seteuid(0) < 0 && errno != EPERM)
                error = errno;
        if (setreuid((uid_t)-1, 0) < 0 && errno != EPERM)
                error = errno;
        if (setresuid(0, 0, 0) < 0 && errno != EPERM)
                error = errno;
        setfsuid(0);
        if (geteuid() == 0)
                escaped("the effective uid is 0 again");
        if (setfsuid((uid_t)-1) == 0)
                escaped("the file system uid is 0");
        errno = error;
        contained();
}
