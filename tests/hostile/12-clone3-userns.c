/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: clone3 with CLONE_NEWUSER; its flags lie in memory, where no filter can read them.
 *
 * Control: identity
 * Run: alone
 * Expect: EPERM ENOSYS
 */
#include <linux/sched.h>

#include "probe.h"

int main(void)
{
        struct clone_args arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
        long child = syscall(SYS_clone3, &arguments, sizeof(arguments));

        if (child < 0)
                contained();
        if (child == 0)
                _exit(0);
        escaped("cloned into a user namespace");
}
