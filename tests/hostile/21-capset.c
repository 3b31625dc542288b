/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to raise any one of the capabilities.
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

        for (unsigned i = 0; i < 41; i++) {
                struct __user_cap_data_struct data[2] = {0};

                data[i / 32].permitted = data[i / 32].effective = 1U << i % 32;
                if (syscall(SYS_capset, &header, data) == 0)
                        escaped("holds capability %u", i);
        }
        contained();
}
