/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to become uid 0 with ids whose lower 32 bits are 0 and whose upper are not: the kernel drops
 *        those.
 *
 * Control: half-dropped
 * Run: alone
 * Expect: EPERM
 */
#include "probe.h"

int main(void)
{
        const unsigned long zero = 0x100000000UL;

        if (geteuid() == 0)
                contained_by("the control began as root");
        syscall(SYS_setresuid, zero, zero, zero);
        syscall(SYS_setreuid, zero, zero);
        syscall(SYS_setresgid, zero, zero, zero);
        if (syscall(SYS_setuid, zero) < 0 && geteuid() != 0)
                contained();
        escaped("the effective uid is %u", geteuid());
}
