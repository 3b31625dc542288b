/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries: to leave the root by the classic way: chroot into a folder while a descriptor of the old root is
 *        open, fchdir to it, climb with "..", chroot to where that ends; then to read a file that only the
 *        host has.
 *
 * Control: chroot (root in a plain chroot)
 * Run: alone
 * Expect: EPERM ENOSYS
 */
#include "probe.h"

int main(void)
{
        int root = open("/", O_RDONLY | O_DIRECTORY);
        const char *line, *secret = argument("secret", "/");

        mkdir("/tmp/hole", 0755);
        if (chroot("/tmp/hole") < 0)
                contained();
        if (fchdir(root) < 0)
                contained();
        for (int i = 0; i < 64; i++)
                if (chdir("..") < 0)
                        contained();
        if (chroot(".") < 0)
                contained();
        line = first_line(AT_FDCWD, secret);
        if (!line)
                contained();
        escaped("read %s", line);
}
