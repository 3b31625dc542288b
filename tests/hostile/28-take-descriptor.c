/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to take a descriptor out of its parent with pidfd_getfd.
 *
 * Control: identity (under a parent of the same uid)
 * Run: alone
 * Expect: EPERM ENOSYS
 */
#include "probe.h"

int main(void)
{
        int pidfd = (int)syscall(SYS_pidfd_open, parent_or_init(), 0);

        if (pidfd < 0)
                contained();
        for (int fd = 0; fd < 64; fd++)
                if (syscall(SYS_pidfd_getfd, pidfd, fd, 0) >= 0)
                        escaped("took descriptor %d of its parent", fd);
                else if (errno != EBADF)
                        contained();
        contained();
}
