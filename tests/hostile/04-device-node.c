/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to make a device node (the kernel's log, character device 1:11) and to read it.
 *
 * Control: root
 * Run: alone
 * Expect: EPERM EACCES
 */
#include <sys/sysmacros.h>

#include "probe.h"

int main(void)
{
        const char *path = "/tmp/sandboxd-probe-device";
        int fd;

        unlink(path);
        if (mknod(path, S_IFCHR | 0666, makedev(1, 11)) < 0)
                contained();
        fd = open(path, O_RDONLY | O_NONBLOCK);
        unlink(path);
        if (fd < 0)
                contained();
        escaped("opened device 1:11");
}
