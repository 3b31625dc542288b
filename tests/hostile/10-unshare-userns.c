/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to become root of a new user namespace and to mount there.
 *
 * Control: identity
 * Run: alone
 * Expect: EPERM ENOSYS
 */
#include <sys/mount.h>

#include "probe.h"

int main(void)
{
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
                contained();
        if (mount("tmpfs", "/tmp", "tmpfs", 0, NULL) < 0)
                contained();
        escaped("mounted in a user namespace");
}
