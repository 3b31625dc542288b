/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: unshare(CLONE_NEWUSER) by its x32 number.
 *
 * Control: identity
 * Run: alone
 * Needs: x32
 * Expect: SIGSYS EPERM ENOSYS
 */
#include "probe.h"

static void attack(void)
{
        if (syscall(0x40000000L | SYS_unshare, (long)CLONE_NEWUSER) < 0)
                contained();
        escaped("unshared by an x32 system call");
}

int main(void)
{
        in_child(attack);
}
