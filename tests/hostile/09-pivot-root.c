/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to put another mount, /tmp, in the place of the root.
 *
 * Control: namespaces (with a tmpfs on /tmp)
 * Run: alone
 * Expect: EPERM ENOSYS
 */
#include "probe.h"

int main(void)
{
        if (chdir("/tmp") < 0)
                contained();
        if (syscall(SYS_pivot_root, ".", ".") < 0)
                contained();
        escaped("has another root");
}
