/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: unshare(CLONE_NEWUSER) by the 32-bit entry (int 0x80), whose system calls have other numbers.
 *
 * Control: identity
 * Run: alone
 * Expect: SIGSYS EPERM ENOSYS
 */
#include "probe.h"

static void attack(void)
{
        long result;

        __asm__ volatile("int $0x80"
                         : "=a"(result)
                         : "a"(310L), "b"((long)CLONE_NEWUSER)
                         : "memory", "r8", "r9", "r10", "r11");
        if (result < 0) {
                errno = (int)-result;
                contained();
        }
        escaped("unshared by a 32-bit system call");
}

int main(void)
{
        in_child(attack);
}
