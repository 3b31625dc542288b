/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to enter the mount namespace of its parent, which is process 1 of a request, by a pidfd.
 *
 * Control: root
 * Run: alone
 * Expect: EPERM ENOSYS
 */
#include "probe.h"

int main(void)
{
        int pidfd = (int)syscall(SYS_pidfd_open, parent_or_init(), 0);

        if (pidfd < 0)
                contained();
        if (syscall(SYS_setns, pidfd, CLONE_NEWNS) < 0)
                contained();
        escaped("entered the mount namespace of its parent");
}
