/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to rename the host.
 *
 * Control: namespaces
 * Run: alone
 * Expect: EPERM ENOSYS
 */
#include "probe.h"

int main(void)
{
        if (sethostname("captured", 8) < 0)
                contained();
        escaped("the host has another name");
}
