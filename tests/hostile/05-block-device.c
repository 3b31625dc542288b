/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to make a node of the block device that holds the host's files.
 *
 * Control: root
 * Run: alone
 * Expect: EPERM EACCES
 */
#include <sys/sysmacros.h>

#include "probe.h"

int main(void)
{
        const char *path = "/tmp/sandboxd-probe-disk";
        unsigned major = (unsigned)atoi(argument("major", "7")), minor = (unsigned)atoi(argument("minor", "0"));

        unlink(path);
        if (mknod(path, S_IFBLK | 0600, makedev(major, minor)) < 0)
                contained();
        unlink(path);
        escaped("made a node of block device %u:%u", major, minor);
}
