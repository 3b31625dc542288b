/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to become another identity that the maps allow (the zygote may, the application may not).
 *
 * Control: root
 * Run: alone
 * Expect: EPERM
 */
#include "probe.h"

int main(void)
{
        uid_t other = (uid_t)atoi(argument("other", "30011"));

        if (setresgid(other, other, other) == 0)
                escaped("the gid is %u", getgid());
        if (setresuid(other, other, other) < 0)
                contained();
        escaped("the uid is %u", getuid());
}
