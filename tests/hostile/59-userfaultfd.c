/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: userfaultfd, the tool that makes races in the kernel easy to win.
 *
 * Control: root
 * Run: alone
 * Expect: EPERM ENOSYS
 */
#include "probe.h"

int main(void)
{
        if (syscall(SYS_userfaultfd, O_CLOEXEC) < 0)
                contained();
        escaped("has a userfaultfd");
}
