/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to mount a tmpfs over /tmp, to bind / there, and to remount / writable.
 *
 * Control: namespaces (root in mount and pid namespaces of its own)
 * Run: alone
 * Expect: EPERM ENOSYS
 */
#include <sys/mount.h>

#include "probe.h"

int main(void)
{
        if (mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0)
                escaped("mounted a tmpfs");
        if (mount("/", "/tmp", NULL, MS_BIND | MS_REC, NULL) == 0)
                escaped("bound / to /tmp");
        if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL) == 0)
                escaped("remounted /");
        if (mount("proc", "/tmp", "proc", 0, NULL) == 0)
                escaped("mounted a procfs");
        contained();
}
