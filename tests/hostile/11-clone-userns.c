/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: clone with CLONE_NEWUSER, in case only unshare is filtered.
 *
 * Control: identity
 * Run: alone
 * Expect: EPERM ENOSYS
 */
#include "probe.h"

int main(void)
{
        long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

        if (child < 0)
                contained();
        if (child == 0)
                _exit(0);
        escaped("cloned into a user namespace");
}
