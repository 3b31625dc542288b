/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: the newer mount system calls: fsopen a procfs, and clone the tree of / with open_tree.
 *
 * Control: namespaces
 * Run: alone
 * Expect: EPERM ENOSYS
 */
#include <linux/mount.h>

#include "probe.h"

int main(void)
{
        int fd = (int)syscall(SYS_fsopen, "proc", 0);

        if (fd >= 0 && syscall(SYS_fsconfig, fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0 &&
                syscall(SYS_fsmount, fd, 0, 0) >= 0)
                escaped("has a procfs of its own");
        if (syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE) >= 0)
                escaped("cloned the tree of /");
        contained();
}
