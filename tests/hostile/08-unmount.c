/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to take off a mount that covers something: /tmp, and / itself, lazily.
 *
 * Control: namespaces (with a tmpfs on /tmp)
 * Run: alone
 * Expect: EPERM ENOSYS
 */
#include <sys/mount.h>

#include "probe.h"

int main(void)
{
        if (umount2("/tmp", MNT_DETACH) == 0)
                escaped("unmounted /tmp");
        if (umount2("/", MNT_DETACH) == 0)
                escaped("unmounted /");
        contained();
}
