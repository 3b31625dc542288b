/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: clone with CLONE_NEWUSER and bits above the lower 32, which the kernel drops and a filter may
 *        not.
 *
 * Control: identity
 * Run: alone
 * Expect: EPERM ENOSYS EINVAL
 */
#include "probe.h"

int main(void)
{
        long child = syscall(SYS_clone, 0x100000000UL | CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

        if (child < 0)
                contained();
        if (child == 0)
                _exit(0);
        escaped("cloned into a user namespace");
}
