/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to keep capabilities over a change of uid, and to raise an ambient one that an execve would give.
 *
 * Control: root
 * Run: alone
 * Expect: EPERM
 */
#include <linux/capability.h>

#include "probe.h"

int main(void)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2];

        if (syscall(SYS_capget, &header, data) < 0)
                contained();
        data[0].inheritable |= 1U << CAP_NET_ADMIN;
        prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
        if (syscall(SYS_capset, &header, data) == 0 &&
                prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0) == 0)
                escaped("has an ambient capability");
        contained();
}
